/* SPDX-License-Identifier: MIT
 *
 * Credentials: what somebody showed, told apart by its shape, and whether it is good. One const table of
 * kinds; a kind that this host does not take is still recognised, so its owner is told what to use.
 *
 * Says only whose credential it is and whether it is in force; what it may do is policy's matter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "directory/directory.h"
#include "oidc/id_token.h"
#include "policy/policy.h"

#define CREDENTIAL_TEXT_MAX 16384 /* longer is no credential of any kind */
#define CREDENTIAL_NAME_SIZE 96

enum credential_type {
	CREDENTIAL_API_KEY,
	CREDENTIAL_TOKEN,
	CREDENTIAL_CODE, /* one-time: what it is good for is the conversation's matter (login/codes.h) */
	CREDENTIAL_SSO,
	CREDENTIAL_PASSWORD,
	CREDENTIAL_TYPE_COUNT
};

/* An access token that was good: what is asked about it again while somebody signs in by it. */
#define CREDENTIAL_TOKEN_ID_SIZE 128
struct credential_token {
	char id[CREDENTIAL_TOKEN_ID_SIZE]; /* jti; "": it was no token */
	int64_t issued, expires;
	/* Whose it is, where an identity provider made it and not the control plane; else "". */
	char idp_id[ID_MAX_BYTES + 1], subject[OIDC_SUBJECT_MAX];
};

/* What there is to check with. Nothing here waits for anybody. */
struct credential_providers {
	/* A provider's keys, NULL: not here yet; and with `unknown_kid`, whether it can be anybody's. As
	 * login_sso.keys. */
	const struct jwks *(*keys)(void *context, const struct idp_record *idp, const char *unknown_kid,
				   unsigned *ret_algorithms, bool *ret_fresh);
	const char *(*remembered)(void *context, const char *user_id, const char *issuer);
	const char *(*owner)(void *context, const char *tenant_id, const char *issuer, const char *subject);
	void *context;
};
struct credential_context {
	const struct directory *d;
	int64_t now;
	const struct credential_providers *providers; /* NULL: tokens of identity providers are not taken */
};

struct credential_result {
	enum credential_type type;
	enum reason reason; /* REASON_ALLOWED: good, and `user` and `key` say whose */
	/* The record named by an API key's public part, also where the key was refused (for the audit); NULL
	 * when there is none. `user` is set only when the secret was right. */
	const struct key_record *key;
	const struct user_record *user;
	struct credential_token token;
	const char *detail;              /* more about a refusal, for the audit; NULL */
	char name[CREDENTIAL_NAME_SIZE]; /* as in audit_event: "api-key:key_…", "token:<jti>", …; never secret */
};

/* Judges what was shown. Takes the same time for an unknown key id and a wrong secret. Spaces and line
 * ends around it (from pasting) are ignored. Whose key it is must be compared by the caller. */
void credential_check(const struct credential_context *context, const char *text, size_t length,
		      struct credential_result *ret);
/* What to do instead, for the person: a sentence for a kind that is not taken here; NULL for others. */
const char *credential_hint(enum credential_type type);
