/* SPDX-License-Identifier: MIT
 *
 * Sign-ins that wait for a person (RFC 8628), in the database, so any replica goes on with what another began. A code
 * is kept as its digest only. How often a client polls is counted here, too: two replicas are no faster than one.
 */
#pragma once

#include "control_plane/http/request.h"
#include "control_plane/provider/user_code.h"

#define GRANT_SECONDS 600
#define GRANT_INTERVAL 5
#define GRANT_DEVICE_CODE_CHARS 43 /* base62: 256 bits */
#define GRANT_CHALLENGE_CHARS 43   /* base64url of SHA-256 */

/* ---- beginning -------------------------------------------------------------------------------- */
struct grant_request {
	const char *tenant_id, *scope;
	const char *nonce, *challenge; /* "" */
	const char *host_id;           /* an enrolled host that proved to be it; NULL */
};
struct grant_codes {
	char device[GRANT_DEVICE_CODE_CHARS + 1]; /* secret: the caller wipes it */
	char user[USER_CODE_SIZE];
};
enum grant_begin {
	GRANT_BEGUN,
	GRANT_NO_CLIENT, /* no such tenant */
	GRANT_NOT_OURS,  /* the tenant's people do not sign in here, or it is suspended */
	GRANT_TOO_MANY,  /* wait already, from there or in the tenant */
};
int grant_begin(struct request *request, const struct grant_request *wanted, struct grant_codes *ret,
		enum grant_begin *ret_how);

/* ---- polling ---------------------------------------------------------------------------------- */
enum grant_poll {
	GRANT_UNKNOWN,
	GRANT_OTHER_VERIFIER, /* PKCE: missing, wrong, or sent where none was announced */
	GRANT_USED,           /* its tokens were given out before */
	GRANT_EXPIRED,
	GRANT_DENIED, /* by the person, or because they are not who they were when they approved */
	GRANT_SLOW_DOWN,
	GRANT_PENDING,
	GRANT_APPROVED,
};
/* Of somebody who approved. */
struct grant_person {
	const char *grant_id, *user_id, *login, *name, *email;
	const char *scope, *nonce, *host;
	int64_t approved_at, valid_from;
};
/* GRANT_APPROVED: request->tx is open in the tenant's scope, and in it the grant is used from now on; the caller
 * commits, or rolls back and nothing has happened. All else is settled. */
int grant_poll(struct request *request, const char *tenant_id, const char *device_code, const char *verifier,
	       enum grant_poll *ret_how, struct grant_person *ret);

/* ---- deciding --------------------------------------------------------------------------------- */
/* What a person is asked about. */
struct grant_question {
	const char *id, *tenant_id, *tenant_slug, *tenant_name, *source, *host;
	int64_t asked_at;
	uint32_t seconds_left;
	struct cidr_list allow_from; /* the tenant's */
};
/* 0; -ENOENT: nothing waits under this code (it never did, is decided, or is over). */
int grant_find(struct request *request, const char code[USER_CODE_SIZE], struct grant_question *ret);
/* 0; -ENOENT: somebody decided before, or it is over. With its event. `user_id` NULL: denied. */
int grant_decide(struct request *request, const struct grant_question *question, const char *user_id,
		 int64_t valid_from);

struct app;
/* Those that ended an hour ago. */
int grants_sweep(struct app *app);
