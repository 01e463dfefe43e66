/* SPDX-License-Identifier: MIT
 *
 * One sign-in by device authorization (RFC 8628), from discovery to a checked identity, on an HTTP client and a clock
 * that the caller gives. Used by the agent (many at once) and by `tenantctl sso test` (one, explained).
 */
#pragma once

#include "base/buffer.h"
#include "http/http.h"
#include "oidc/answers.h"
#include "oidc/client.h"
#include "oidc/endpoints.h"
#include "oidc/result.h"

/* What providers said and is good for all sign-ins by them: endpoints, keys. One thread's. Entries count for an hour,
 * and up to a day while the provider cannot be reached; keys are fetched again for an unknown `kid`, at most once a
 * minute. */
struct oidc_cache;
int oidc_cache_create(struct http *http, bool allow_plain, struct oidc_cache **ret);
void oidc_cache_destroy(struct oidc_cache *cache); /* takes NULL; after its flows */
/* IDP_TENANTD is asked by this client: the host trusts its control plane by other certificates than it trusts others'
 * providers. Without it they are asked like all. `proof` says, with a token, which host asks for a code, where that
 * issuer is the control plane that gave the token; false: nothing to show there. NULL: nothing anywhere. */
typedef bool (*oidc_proof_fn)(void *context, const char *issuer, struct buffer *ret);
void oidc_cache_set_control_plane(struct oidc_cache *cache, struct http *http, oidc_proof_fn proof, void *context);
/* Keys of an issuer that some client has access tokens of: new ones, and those that are here when somebody begins to
 * want them. `got`: when they were asked for (CLOCK_BOOTTIME). Providers of two kinds are two, also where they have one
 * issuer: they may have been asked by other ways, with other trust. NULL: nobody wants to know. */
typedef void (*oidc_keys_fn)(void *context, enum idp_kind kind, const char *issuer, struct jwks *set,
			     unsigned algorithms, uint64_t got);
void oidc_cache_on_keys(struct oidc_cache *cache, oidc_keys_fn keys, void *context);
/* Has endpoints and keys of this client's issuer fetched, and again when they are old or `unknown_kid` says so, until
 * nothing is wanted any more. */
void oidc_cache_want(struct oidc_cache *cache, struct oidc_client *client, bool unknown_kid, uint64_t now_usec);
void oidc_cache_want_none(struct oidc_cache *cache);
/* Forgets what issuers said that are none of these clients' and that no sign-in waits for. */
void oidc_cache_keep(struct oidc_cache *cache, struct oidc_client *const *clients, uint32_t count);

/* A step as it happens, for `tenantctl sso test`. */
enum flow_step {
	FLOW_STEP_DISCOVERY,
	FLOW_STEP_KEYS,
	FLOW_STEP_DEVICE,
	FLOW_STEP_POLL,
	FLOW_STEP_TOKEN,
	FLOW_STEP_USER
};

struct flow_hooks {
	/* The person is to open this. Once. `device_code` is left out of it. */
	void (*prompt)(void *context, const struct device_answer *answer);
	/* The end, once, unless cancelled; the flow is gone afterwards. */
	void (*done)(void *context, const struct flow_result *result);
	/* NULL: nobody looks on. `what` is one line for people. */
	void (*step)(void *context, enum flow_step step, bool good, const char *what);
	void *context;
};
struct oidc_flow;
/* Begins; callbacks come later, never from within. `now_usec`: CLOCK_BOOTTIME. */
int oidc_flow_start(struct oidc_cache *cache, struct oidc_client *client, uint64_t now_usec,
		    const struct flow_hooks *hooks, struct oidc_flow **ret);
void oidc_flow_cancel(struct oidc_flow *flow); /* takes NULL; no callback */
/* When one of the cache's flows wants to poll, or something is due; UINT64_MAX: never. Then oidc_cache_tick. */
uint64_t oidc_cache_next(const struct oidc_cache *cache);
void oidc_cache_tick(struct oidc_cache *cache, uint64_t now_usec);
