/* SPDX-License-Identifier: MIT
 *
 * The table of credential kinds, and the check of API keys.
 *
 * A key's record is found by its public id, so the only secret-dependent step is the compare of two
 * digests, which is constant-time and is made (against a digest that nothing hashes to) for unknown ids too.
 */
#include "credential/credential.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "credential/bearer.h"
#include "credential/code.h"
#include "credential/token.h"
#include "crypto/api_key.h"
#include "jose/jwt.h"

static bool is_api_key(const char *text, size_t length)
{
	return api_key_has_shape(text, length);
}

static bool is_empty(const char *text, size_t length)
{
	return length == 0;
}

static bool is_anything(const char *text, size_t length)
{
	return true;
}

_Static_assert(8 + 4 + API_KEY_ID_CHARS < CREDENTIAL_NAME_SIZE && 4 + API_KEY_ID_CHARS <= ID_MAX_BYTES, "names fit");

static void check_api_key(const struct credential_context *context, const char *text, size_t length,
			  struct credential_result *ret)
{
	const struct directory *d = context->d;
	static const uint8_t nobodys[SHA256_BYTES]; /* a digest of zeros: nothing known hashes to it */
	uint8_t shown[SHA256_BYTES];
	struct api_key_parts parts;
	char id[ID_MAX_BYTES + 1];
	const struct user_record *user;
	bool same;

	if (api_key_parse(text, length, &parts) < 0 || parts.kind == API_KEY_ENROLMENT) {
		ret->reason = REASON_KEY_MALFORMED; /* no look-up was made: says nothing about what exists */
		return;
	}
	memcpy(id, "key_", 4);
	memcpy(id + 4, parts.id, sizeof(parts.id));
	memcpy(ret->name, "api-key:", 8);
	memcpy(ret->name + 8, id, 4 + sizeof(parts.id));
	if (api_key_verifier(text, length, shown) < 0) {
		ret->reason = REASON_BROKEN;
		return;
	}
	ret->key = directory_key(d, id);
	same = secret_equal(shown, ret->key ? ret->key->verifier : nobodys, sizeof(shown));
	secret_wipe(shown, sizeof(shown));
	if (!same || !ret->key) {
		ret->reason = ret->key ? REASON_KEY_WRONG : REASON_KEY_UNKNOWN;
		return;
	}
	user = directory_user(d, ret->key->user_id);
	if (!user) {
		ret->reason = REASON_BROKEN; /* the loader refuses a key without its owner */
		return;
	}
	/* A person's key is no service account's: somebody edited the one into the other. */
	if ((parts.kind == API_KEY_SERVICE) != (user->kind == USER_SERVICE)) {
		ret->reason = REASON_KEY_WRONG;
		return;
	}
	ret->user = user;
	ret->reason = policy_key_in_force(ret->key, context->now);
}

/* The control plane's, by keys of the feed; else an identity provider's. */
static void check_token(const struct credential_context *context, const char *text, size_t length,
			struct credential_result *ret)
{
	if (!token_check(context->d, text, length, context->now, ret))
		(void)bearer_check(context, text, length, ret);
}

static const struct credential_kind {
	const char *word;
	bool (*has_shape)(const char *text, size_t length); /* asked in the order of the table */
	/* NULL: recognised, not taken on this host */
	void (*check)(const struct credential_context *context, const char *text, size_t length,
		      struct credential_result *ret);
	const char *hint;
} kinds[CREDENTIAL_TYPE_COUNT] = {
	[CREDENTIAL_API_KEY] = {"api-key", is_api_key, check_api_key, NULL},
	[CREDENTIAL_TOKEN] = {"token", jwt_has_shape, check_token, NULL},
	[CREDENTIAL_CODE] = {"code", code_has_shape, NULL, NULL},
	[CREDENTIAL_SSO] = {"sso", is_empty, NULL,
			    "this host does not offer single sign-on; give an API key (it begins with tnt_)"},
	[CREDENTIAL_PASSWORD] = {"password", is_anything, NULL,
				 "this host does not take passwords; give an API key (it begins with tnt_)"},
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void credential_check(const struct credential_context *context, const char *text, size_t length,
		      struct credential_result *ret)
{
	unsigned type = 0;

	*ret = (struct credential_result){.reason = REASON_CREDENTIAL_UNSUPPORTED};

	while (length > 0 && is_blank(text[length - 1]))
		length--;
	for (; length > 0 && is_blank(*text); length--)
		text++;
	if (length > CREDENTIAL_TEXT_MAX || (length && memchr(text, '\0', length)))
		type = CREDENTIAL_PASSWORD;
	else
		while (!kinds[type].has_shape(text, length))
			type++;
	ret->type = type;
	memcpy(ret->name, kinds[type].word, strlen(kinds[type].word)); /* the rest is zero */
	if (kinds[type].check)
		kinds[type].check(context, text, length, ret);
}

const char *credential_hint(enum credential_type type)
{
	return (unsigned)type < CREDENTIAL_TYPE_COUNT ? kinds[type].hint : NULL;
}
