/* SPDX-License-Identifier: MIT
 *
 * Whose token it is and which key made it is read before anything is verified, and only to find the one key that may
 * verify it: the key must be listed in the feed of the very tenant that the person is of, so no tenant's control plane
 * speaks for another's people. Everything that counts is then read again from what was verified.
 */
#include "credential/token.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "jose/jwt.h"

_Static_assert(CREDENTIAL_TOKEN_ID_SIZE >= JWT_ID_MAX, "any jti fits");
_Static_assert(sizeof("token:") + JWT_ID_MAX <= CREDENTIAL_NAME_SIZE, "names fit");

#define LIFETIME_MOST 86400 /* what a control plane may give; a longer one is a mistake or a forgery */

static enum reason reason_of(enum jwt_fault fault)
{
	switch (fault) {
	case JWT_FINE:
		return REASON_ALLOWED;
	case JWT_EXPIRED:
		return REASON_TOKEN_EXPIRED;
	case JWT_NOT_YET:
		return REASON_TOKEN_NOT_YET;
	case JWT_MALFORMED:
	case JWT_BAD_HEADER:
	case JWT_UNKNOWN_KEY:
	case JWT_BAD_SIGNATURE:
	case JWT_OTHER_ISSUER:
	case JWT_OTHER_AUDIENCE:
	case JWT_BAD_CLAIMS:
		break;
	}
	return REASON_TOKEN_WRONG;
}

enum reason token_in_force(const struct directory *d, const struct user_record *user,
			   const struct credential_token *token, int64_t now)
{
	const struct revocation_record *revocation = directory_revocation(d, user->tenant_id, token->id);

	if (revocation && revocation->of == REVOCATION_TOKEN)
		return REASON_TOKEN_REVOKED;
	if (token->issued < user->sessions_valid_from)
		return REASON_CREDENTIAL_STALE;
	return now < token->expires + JWT_LEEWAY_SEC ? REASON_ALLOWED : REASON_TOKEN_EXPIRED;
}

static bool says(const json_t *claims, const char *name, const char *wanted)
{
	return text_equal(json_string_value(json_object_get(claims, name)), wanted);
}

bool token_check(const struct directory *d, const char *text, size_t length, int64_t now, struct credential_result *ret)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	const struct token_key_record *record = NULL;
	const struct user_record *user = NULL;
	struct jwt_public key = {0};
	struct jwt_rules rules = {
		.keys = &key, .key_count = 1, .type = "at+jwt", .now = now, .lifetime_max = LIFETIME_MOST};
	struct jwt_claimed claimed;
	enum jwt_fault fault;

	ret->reason = REASON_TOKEN_WRONG;
	if (jwt_peek(text, length, &claimed) < 0)
		return false;
	user = directory_user(d, claimed.subject);
	record = user ? directory_token_key(d, user->tenant_id, claimed.kid) : NULL;
	if (!record)
		return false;
	if (record->not_after && now >= record->not_after)
		return true;
	(void)snprintf(key.kid, sizeof(key.kid), "%s", record->id);
	memcpy(key.x, record->x, sizeof(key.x));
	memcpy(key.y, record->y, sizeof(key.y));
	rules.issuer = rules.audience = record->issuer;
	fault = jwt_verify(text, length, &rules, &claims);
	if (fault != JWT_FINE) {
		ret->reason = reason_of(fault);
		ret->detail = jwt_fault_word(fault);
		return true;
	}
	if (!says(claims, "sub", user->id) || !says(claims, "tenant", user->tenant_id) || !says(claims, "kind", "user"))
		return true;
	(void)snprintf(ret->token.id, sizeof(ret->token.id), "%s", json_string_value(json_object_get(claims, "jti")));
	ret->token.issued = json_integer_value(json_object_get(claims, "iat"));
	ret->token.expires = json_integer_value(json_object_get(claims, "exp"));
	(void)snprintf(ret->name, sizeof(ret->name), "token:%.*s", (int)JWT_ID_MAX, ret->token.id);
	ret->user = user;
	ret->reason = token_in_force(d, user, &ret->token, now);
	return true;
}
