/* SPDX-License-Identifier: MIT
 *
 * Single sign-on: device flows of people who wait at a prompt, and the keys of providers whose access tokens count. All
 * of the network and all parsing of what providers answer happens on a thread of its own; results come to the agent's
 * loop as events. Knows nothing of logins, sockets or policy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "jose/jwks.h"
#include "oidc/client.h"
#include "oidc/flow.h"

#define SSO_FLOWS_MAX 2048U /* at once */

struct sso_options {
	const char *ca_file, *proxy; /* NULL: the system's, none */
	struct {
		const char *ca_file, *pin, *proxy;
		/* As oidc_proof_fn: called on the thread. NULL: this host proves nothing. */
		oidc_proof_fn proof;
		void *context;
	} control_plane;       /* for providers of kind tenantd, which are the control plane */
	bool allow_plain_http; /* tests on loopback */
};
/* All on the loop's thread. `flow` is the caller's own number. */
struct sso_hooks {
	void (*prompt)(void *context, uint64_t flow, const struct device_answer *answer); /* without the device code */
	void (*done)(void *context, uint64_t flow, const struct flow_result *result);
	void *context;
};
struct sso;
int sso_create(sd_event *event, const struct sso_options *options, const struct sso_hooks *hooks, struct sso **ret);
void sso_destroy(struct sso *sso); /* takes NULL; waits for its thread; flows end without a word */
/* The directory changed: these providers' access tokens count (those with a token_audience), and these are there at
 * all; flows of a client that is gone or another now end as FLOW_REFUSED. Copies. */
int sso_set_clients(struct sso *sso, const struct idp_record *const *idps, uint32_t count);
/* 0; -EAGAIN: SSO_FLOWS_MAX; -ENOMEM. */
int sso_start(struct sso *sso, uint64_t flow, const struct idp_record *idp);
void sso_cancel(struct sso *sso, uint64_t flow);
/* A provider's keys as they are known now (borrowed until the loop runs again), NULL: not yet. With `unknown_kid` they
 * are fetched again, not more often than the cache's bound; *ret_fresh: they were fetched so recently that a key which
 * is not in them is nobody's. */
const struct jwks *sso_keys(struct sso *sso, const struct idp_record *idp, const char *unknown_kid,
			    unsigned *ret_algorithms, bool *ret_fresh);
uint32_t sso_flow_count(const struct sso *sso);

/* Since the start. */
struct sso_counts {
	uint64_t started, cancelled, ended[FLOW_END_COUNT];
};
const struct sso_counts *sso_counts(const struct sso *sso);
