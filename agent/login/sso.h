/* SPDX-License-Identifier: MIT
 *
 * Single sign-on inside a sign-in: which provider, address and code, waiting, and who it turned out to be. What needs a
 * network or a disk is asked of the hooks; what they find out comes back through the login_flow_ functions.
 */
#pragma once

#include "login/login.h"
#include "login/qr.h"
#include "oidc/answers.h"
#include "oidc/result.h"

struct jwks;

struct login_sso {
	/* Device flows; `flow` is the book's own number. 0 or -EAGAIN, -ENOMEM. */
	int (*start)(void *context, uint64_t flow, const struct idp_record *idp);
	void (*cancel)(void *context, uint64_t flow);
	/* Identities bound at a first sign-in: the user's subject at the issuer, and the user whose the identity is. */
	const char *(*remembered)(void *context, const char *user_id, const char *issuer);
	const char *(*owner)(void *context, const char *tenant_id, const char *issuer, const char *subject);
	int (*remember)(void *context, const char *tenant_id, const char *user_id, const char *issuer,
			const char *subject);
	/* Keys of a provider whose access tokens count; as sso_keys. */
	const struct jwks *(*keys)(void *context, const struct idp_record *idp, const char *unknown_kid,
				   unsigned *ret_algorithms, bool *ret_fresh);
	void *context;
	/* agent.yaml; may change at any time. */
	uint32_t timeout_sec; /* a sign-in waits no longer for its approval, whatever the provider grants; 0: 300 */
	uint32_t max_waiting; /* sign-ins that wait at the same time; 0: LOGIN_WAITING_DEFAULT; never more than _MAX */
	enum qr_form qr;      /* where the PAM module does not say */
};
#define LOGIN_WAITING_DEFAULT 1000U
#define LOGIN_WAITING_MAX 2048U
/* Borrowed. NULL: there is no single sign-on. */
void login_book_set_sso(struct login_book *book, const struct login_sso *sso);

/* A reply of step LOGIN_PENDING says that the answer comes later, by one of these: true when somebody waits for it now,
 * with the reply and the connection that it belongs to. What comes while nobody waits is kept for the next answer. */
bool login_flow_prompt(struct login_book *book, const struct directory *d, uint64_t flow,
		       const struct device_answer *answer, uint64_t now_usec, struct login_reply *ret,
		       uint64_t *ret_owner);
bool login_flow_done(struct login_book *book, const struct directory *d, uint64_t flow,
		     const struct flow_result *result, uint64_t now_usec, int64_t realtime, struct login_reply *ret,
		     uint64_t *ret_owner);
/* An answer that was held for long enough ("still waiting"), or a sign-in that nobody approved in time. Call until
 * false, and then login_tick, as login_next_tick's time comes. */
bool login_flow_tick(struct login_book *book, const struct directory *d, uint64_t now_usec, struct login_reply *ret,
		     uint64_t *ret_owner);
/* Sign-ins that wait for an approval, for Metrics. */
uint32_t login_flow_waiting(const struct login_book *book);
