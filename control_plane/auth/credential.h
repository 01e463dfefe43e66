/* SPDX-License-Identifier: MIT
 *
 * A credential and its owner as the database has them at this moment: one round trip, no write. For those who show one
 * themselves (auth/authenticate.h), and for those who ask about somebody else's (api/introspect.c).
 */
#pragma once

#include "control_plane/auth/access_token.h"
#include "control_plane/http/request.h"

enum credential_state {
	CREDENTIAL_GOOD,
	CREDENTIAL_MALFORMED, /* neither form, or a token that is not one of ours */
	CREDENTIAL_UNKNOWN,   /* no such key, or another secret; nobody (any more) behind a token */
	CREDENTIAL_NOT_YET,
	CREDENTIAL_EXPIRED,
	CREDENTIAL_REVOKED,   /* key or token; or the owner's sessions were ended after it was issued */
	CREDENTIAL_SUSPENDED, /* the owner, or a disabled host */
};
const char *credential_state_word(enum credential_state state); /* "expired" */

/* Texts live as long as the request. */
struct credential {
	struct principal principal; /* also where a known one is no longer good */
	bool service;               /* a service account's */
	bool tenant_suspended;
	int64_t expires; /* 0: never */
	/* For questions about a project (credential_read's `project`), as auth/gate_query.h has them. */
	const char *project_id, *project_role; /* NULL: no such project; "": no role in it */
	struct tenant_record own; /* the roles of the tenant's own making that count here, and allow_from */
	struct cidr_list project_from;
	bool served; /* the question's host serves the user's tenant */
};
/* What else is to be read with it; NULL: nothing. */
struct credential_question {
	const char *project; /* an id or slug */
	const char *host_id;
};
/* 0 with *ret_state; -EAGAIN, -errno. */
int credential_read(struct request *request, const char *text, size_t length,
		    const struct credential_question *question, struct credential *ret,
		    enum credential_state *ret_state);
