/* SPDX-License-Identifier: MIT
 *
 * Which key a token may be by is decided from the set and the caller's rules. The token's own word (alg, kid) only
 * chooses among what they leave.
 */
#include "jose/jws_verify.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/text.h"
#include "jose/base64url.h"
#include "jose/compact.h"
#include "jose/jwks_key.h"
#include "jose/public_key.h"
#include "jose/signature.h"

_Static_assert(JWS_BYTES_MAX <= COMPACT_BYTES_MAX, "a token fits what reads it");

static const struct {
	const char *name;
	unsigned algorithm;
} algorithms[] = {
	{"RS256", JWS_RS256},   {"PS256", JWS_PS256},
	{"ES256", JWS_ES256},   {"EdDSA", JWS_EDDSA}, /* RFC 8037: its other curve's keys do not fit */
	{"Ed25519", JWS_EDDSA},                       /* RFC 9864: the same by its newer name */
};

unsigned jws_algorithm(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (text_equal(algorithms[i].name, name))
			return algorithms[i].algorithm;
	return 0;
}

static const struct {
	const char *word, *sentence;
} faults[] = {
	[JWS_FINE] = {"fine", "The signature is good"},
	[JWS_MALFORMED] = {"malformed", "The token is not a signed token in compact form"},
	[JWS_TOO_LARGE] = {"too-large", "The token is too large"},
	[JWS_ENCRYPTED] = {"encrypted", "The token is encrypted; only signed ones are read"},
	[JWS_NESTED] = {"nested", "The token holds another token"},
	[JWS_BAD_TYPE] = {"bad-type", "The token is of another type (\"typ\")"},
	[JWS_CRITICAL] = {"critical", "The token demands an extension that is not known here (\"crit\", \"b64\")"},
	[JWS_BRINGS_KEY] = {"brings-key",
			    "The token names a key of its own choice (\"jwk\", \"jku\", \"x5c\", \"x5u\")"},
	[JWS_UNSIGNED] = {"unsigned", "The token is not signed (\"alg\": \"none\")"},
	[JWS_ALGORITHM] = {"algorithm", "The token is signed with an algorithm that is not allowed"},
	[JWS_NO_KID] = {"no-kid", "The token does not say which of several keys signed it (\"kid\")"},
	[JWS_UNKNOWN_KEY] = {"unknown-key", "The token is signed by a key that the issuer does not publish"},
	[JWS_OTHER_KEY] = {"other-key", "The token's algorithm is not that of the key it names"},
	[JWS_BAD_SIGNATURE] = {"bad-signature", "The token's signature is wrong"},
};
_Static_assert(ARRAY_LEN(faults) == JWS_FAULT_COUNT, "each fault has its words");

const char *jws_fault_word(enum jws_fault fault)
{
	return (unsigned)fault < JWS_FAULT_COUNT ? faults[fault].word : "unknown";
}

const char *jws_fault_sentence(enum jws_fault fault)
{
	return (unsigned)fault < JWS_FAULT_COUNT ? faults[fault].sentence : "The token is refused";
}

/* ---- header ------------------------------------------------------------------------------------ */
struct header {
	const char *algorithm, *kid, *type, *content; /* NULL: not there */
};

static bool read_member(const json_t *object, const char *name, const char **ret)
{
	const json_t *value = json_object_get(object, name);

	*ret = json_string_value(value);
	return !value || *ret;
}

/* A type with and without "application/" is the same one, and letters' case does not count (RFC 7515, 4.1.9). */
static bool is_type(const char *type, const char *wanted)
{
	static const char prefix[] = "application/";

	if (strncasecmp(type, prefix, sizeof(prefix) - 1) == 0 && !strchr(type + sizeof(prefix) - 1, '/'))
		type += sizeof(prefix) - 1;
	return strcasecmp(type, wanted) == 0;
}

static bool is_allowed_type(const char *type, const char *const *types)
{
	if (!types)
		return !type || is_type(type, "JWT");
	for (; type && *types; types++)
		if (is_type(type, *types))
			return true;
	return false;
}

static enum jws_fault check_header(const json_t *object, const struct jws_rules *rules, struct header *ret)
{
	static const char *const key_members[] = {"jwk", "jku", "x5c", "x5u"};

	if (!read_member(object, "alg", &ret->algorithm) || !read_member(object, "kid", &ret->kid) ||
	    !read_member(object, "typ", &ret->type) || !read_member(object, "cty", &ret->content) || !ret->algorithm)
		return JWS_MALFORMED;
	if (ret->kid && (strlen(ret->kid) >= JWKS_KID_MAX || !text_is_printable(ret->kid, strlen(ret->kid))))
		return JWS_MALFORMED;
	if (json_object_get(object, "enc"))
		return JWS_ENCRYPTED;
	if (json_object_get(object, "crit") || json_object_get(object, "b64"))
		return JWS_CRITICAL;
	for (size_t i = 0; i < ARRAY_LEN(key_members); i++)
		if (json_object_get(object, key_members[i]))
			return JWS_BRINGS_KEY;
	if (ret->content)
		return is_type(ret->content, "JWT") ? JWS_NESTED : JWS_BAD_TYPE;
	if (!is_allowed_type(ret->type, rules->types))
		return JWS_BAD_TYPE;
	return JWS_FINE;
}

/* ---- key --------------------------------------------------------------------------------------- */
static enum jws_fault find_key(const struct header *header, const struct jws_rules *rules, unsigned algorithm,
			       const struct jwks_key **ret)
{
	const struct jwks *set = rules->keys;
	const struct jwks_key *only = NULL;

	if (!set)
		return JWS_UNKNOWN_KEY;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct jwks_key *key = &set->keys[i];

		if (header->kid) {
			if (!key->kid[0] || !text_equal(key->kid, header->kid))
				continue;
			if ((key->algorithms & algorithm) == 0)
				return JWS_OTHER_KEY;
			*ret = key;
			return JWS_FINE;
		}
		if ((key->algorithms & algorithm) == 0)
			continue;
		if (only)
			return JWS_NO_KID;
		only = key;
	}
	if (header->kid)
		return JWS_UNKNOWN_KEY;
	if (!only)
		return JWS_OTHER_KEY;
	*ret = only;
	return JWS_FINE;
}

static enum jws_fault check_signature(const struct compact *compact, const struct jwks_key *key, unsigned algorithm)
{
	const struct compact_text *header = &compact->parts[COMPACT_HEADER], *claims = &compact->parts[COMPACT_CLAIMS],
				  *text = &compact->parts[COMPACT_SIGNATURE];
	unsigned char signature[PUBLIC_KEY_RSA_BITS_MAX / 8];
	size_t length;
	int r = base64url_decode(text->text, text->length, signature, sizeof(signature), &length);

	if (r == -EINVAL)
		return JWS_MALFORMED;
	if (r < 0 || !signature_check(key->key, algorithm, header->text,
				      (size_t)(claims->text + claims->length - header->text), signature, length))
		return JWS_BAD_SIGNATURE;
	return JWS_FINE;
}

/* ---- token ------------------------------------------------------------------------------------- */
static enum jws_fault read_token(const char *token, size_t length, struct compact *ret)
{
	unsigned dots = 0;

	if (length > JWS_BYTES_MAX)
		return JWS_TOO_LARGE;
	for (size_t i = 0; i < length; i++)
		dots += token[i] == '.';
	if (dots == 4)
		return JWS_ENCRYPTED;
	return compact_split(token, length, ret) ? JWS_FINE : JWS_MALFORMED;
}

enum jws_fault jws_verify(const char *token, size_t length, const struct jws_rules *rules, json_t **ret_claims,
			  unsigned *ret_algorithm)
{
	_cleanup_(json_decrefp) json_t *object = NULL, *claims = NULL;
	const struct jwks_key *key = NULL;
	struct header header = {0};
	struct compact compact;
	unsigned algorithm;
	enum jws_fault fault = read_token(token, length, &compact);

	if (fault != JWS_FINE)
		return fault;
	object = compact_object(&compact, COMPACT_HEADER);
	if (!object)
		return JWS_MALFORMED;
	fault = check_header(object, rules, &header);
	if (fault != JWS_FINE)
		return fault;
	if (strcasecmp(header.algorithm, "none") == 0)
		return JWS_UNSIGNED;
	algorithm = jws_algorithm(header.algorithm) & rules->algorithms;
	if (algorithm == 0)
		return JWS_ALGORITHM;
	fault = find_key(&header, rules, algorithm, &key);
	if (fault == JWS_FINE)
		fault = check_signature(&compact, key, algorithm);
	if (fault != JWS_FINE)
		return fault;
	claims = compact_object(&compact, COMPACT_CLAIMS);
	if (!claims)
		return JWS_MALFORMED;
	*ret_claims = TAKE_PTR(claims);
	if (ret_algorithm)
		*ret_algorithm = algorithm;
	return JWS_FINE;
}

static int peek(const json_t *object, const char *name, char *ret, size_t size)
{
	const char *text;

	ret[0] = '\0';
	if (!read_member(object, name, &text) || (text && strlen(text) >= size))
		return -EINVAL;
	if (text)
		memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int jws_peek(const char *token, size_t length, struct jws_claimed *ret)
{
	_cleanup_(json_decrefp) json_t *header = NULL, *claims = NULL;
	struct compact compact;

	if (read_token(token, length, &compact) != JWS_FINE)
		return -EINVAL;
	header = compact_object(&compact, COMPACT_HEADER);
	claims = compact_object(&compact, COMPACT_CLAIMS);
	if (!header || !claims || peek(header, "kid", ret->kid, sizeof(ret->kid)) < 0 ||
	    peek(header, "typ", ret->type, sizeof(ret->type)) < 0 ||
	    peek(claims, "iss", ret->issuer, sizeof(ret->issuer)) < 0)
		return -EINVAL;
	return 0;
}
