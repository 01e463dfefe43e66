/* SPDX-License-Identifier: MIT
 *
 * Access tokens (RFC 9068): who, of which tenant, until when. What ends one before its time (its revocation, the
 * owner's sessions_valid_from, status) is in the database and is asked by those who take a token (auth/authenticate.h).
 */
#pragma once

#include "control_plane/http/request.h"
#include "jose/jwt.h"

#define ACCESS_TOKEN_ID_CHARS 22U /* base62: 130 random bits */

enum access_kind { ACCESS_USER, ACCESS_OPERATOR, ACCESS_HOST };

struct access_token {
	enum access_kind kind;
	const char *id, *subject; /* jti; usr_…, opr_…, hst_… */
	const char *tenant_id;    /* users'; NULL */
	int64_t issued, expires;
};

/* A new one for `subject`, with the lifetime that is configured. `valid_from`: the owner's sessions_valid_from. Its
 * text lives as long as the request. 0; -EAGAIN, -errno. */
int access_token_issue(struct request *request, enum access_kind kind, const char *subject, const char *tenant_id,
		       int64_t valid_from, const char **ret_text, struct access_token *ret);
/* {"access_token", "token_type", "expires_in"} (RFC 6749, section 5.1), never cached. */
int access_token_answer(struct request *request, const char *text, const struct access_token *token);

/* Signature, issuer, audience, times, and that the claims are those of one of the kinds. */
enum jwt_fault access_token_verify(struct request *request, const char *text, size_t length, struct access_token *ret);
