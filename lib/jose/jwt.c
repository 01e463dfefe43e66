/* SPDX-License-Identifier: MIT
 *
 * Tokens. libjose signs and checks signatures; everything that decides whether a token is looked at, and what it must
 * say, is decided here before and after it.
 */
#include "jose/jwt.h"

#include <errno.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "jose/base64url.h"
#include "jose/compact.h"
#include "jose/jws_sign.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

#define ALGORITHM "ES256"
#define SIGNATURE_BYTES 64
/* Seconds that doubles and other people's programs still hold exactly; sums of two never overflow. */
#define TIME_LAST ((int64_t)1 << 53)

/* ---- making ------------------------------------------------------------------------------------ */
/* The JWK for libjose. */
static json_t *render(const struct jwt_public *public, const uint8_t *d)
{
	char x[BASE64URL_CHARS(P256_BYTES) + 1], y[sizeof(x)], secret[sizeof(x)] = "";
	json_t *jwk;

	base64url_encode(public->x, P256_BYTES, x);
	base64url_encode(public->y, P256_BYTES, y);
	if (d)
		base64url_encode(d, P256_BYTES, secret);
	jwk = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "kty", "EC", "crv", "P-256", "x", x, "y", y, "alg",
			ALGORITHM, "d", d ? secret : NULL);
	secret_wipe(secret, sizeof(secret));
	return jwk;
}

int jwt_sign(const struct jwt_private *key, const char *type, json_t *claims, struct buffer *ret)
{
	_cleanup_(json_forget) json_t *jwk = render(&key->public, key->d);
	_cleanup_(json_decrefp) json_t *header =
		json_pack("{s:s, s:s, s:s}", "alg", ALGORITHM, "typ", type, "kid", key->public.kid);

	return jwk && header ? jws_sign(jwk, header, claims, JWT_BYTES_MAX, ret) : -ENOMEM;
}

/* ---- checking ---------------------------------------------------------------------------------- */
const char *jwt_fault_word(enum jwt_fault fault)
{
	static const char *const words[] = {
		[JWT_FINE] = "fine",
		[JWT_MALFORMED] = "malformed",
		[JWT_BAD_HEADER] = "bad-header",
		[JWT_UNKNOWN_KEY] = "unknown-key",
		[JWT_BAD_SIGNATURE] = "bad-signature",
		[JWT_OTHER_ISSUER] = "other-issuer",
		[JWT_OTHER_AUDIENCE] = "other-audience",
		[JWT_EXPIRED] = "expired",
		[JWT_NOT_YET] = "not-yet",
		[JWT_BAD_CLAIMS] = "bad-claims",
	};

	return (unsigned)fault < ARRAY_LEN(words) ? words[fault] : "unknown";
}

bool jwt_has_shape(const char *text, size_t length)
{
	struct compact parts;

	/* Every JSON object begins like this in base64url, unless there is a space in it. */
	return length >= 3 && memcmp(text, "eyJ", 3) == 0 && compact_split(text, length, &parts);
}

struct header {
	const char *algorithm, *type, *kid;
};

static enum jwt_fault check_header(json_t *object, const struct jwt_rules *rules, const struct jwt_public **ret_key)
{
	static const struct json_field fields[] = {
		{"alg", JSON_FIELD_STRING, offsetof(struct header, algorithm), JSON_FIELD_REQUIRED},
		{"typ", JSON_FIELD_STRING, offsetof(struct header, type), JSON_FIELD_REQUIRED},
		{"kid", JSON_FIELD_STRING, offsetof(struct header, kid), JSON_FIELD_REQUIRED},
	};
	struct header header = {0};
	struct problem unread = {0};
	const char *field;

	if (json_fields(object, fields, ARRAY_LEN(fields), &header, &field, &unread) < 0 ||
	    !text_equal(header.algorithm, ALGORITHM) || !text_equal(header.type, rules->type))
		return JWT_BAD_HEADER;
	for (uint32_t i = 0; i < rules->key_count; i++)
		if (text_equal(rules->keys[i].kid, header.kid)) {
			*ret_key = &rules->keys[i];
			return JWT_FINE;
		}
	return JWT_UNKNOWN_KEY;
}

static enum jwt_fault check_signature(const struct compact *token, const struct jwt_public *key)
{
	_cleanup_(json_decrefp) json_t *jwk = render(key, NULL), *jws = NULL;
	const struct compact_text *header = &token->parts[COMPACT_HEADER], *claims = &token->parts[COMPACT_CLAIMS],
				  *text = &token->parts[COMPACT_SIGNATURE];
	uint8_t signature[SIGNATURE_BYTES];
	size_t length;
	int r = base64url_decode(text->text, text->length, signature, sizeof(signature), &length);

	if (r == -EINVAL)
		return JWT_MALFORMED;
	if (r < 0 || length != SIGNATURE_BYTES)
		return JWT_BAD_SIGNATURE;
	jws = json_pack("{s:s%, s:s%, s:s%}", "protected", header->text, header->length, "payload", claims->text,
			claims->length, "signature", text->text, text->length);
	if (!jwk || !jws)
		return JWT_MALFORMED;
	return jose_jws_ver(NULL, jws, NULL, jwk, true) ? JWT_FINE : JWT_BAD_SIGNATURE;
}

static bool is_time(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) > 0 && json_integer_value(value) <= TIME_LAST;
}

static bool is_text(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0;
}

static enum jwt_fault check_claims(const json_t *claims, const struct jwt_rules *rules)
{
	const json_t *issuer = json_object_get(claims, "iss"), *audience = json_object_get(claims, "aud"),
		     *subject = json_object_get(claims, "sub"), *id = json_object_get(claims, "jti"),
		     *issued = json_object_get(claims, "iat"), *expires = json_object_get(claims, "exp"),
		     *not_before = json_object_get(claims, "nbf");
	int64_t from, until;

	if (!is_text(issuer) || !is_text(audience) || !is_text(subject) || !is_text(id) ||
	    json_string_length(id) >= JWT_ID_MAX || !is_time(issued) || !is_time(expires) ||
	    (not_before && !is_time(not_before)))
		return JWT_BAD_CLAIMS;
	if (!text_equal(json_string_value(issuer), rules->issuer))
		return JWT_OTHER_ISSUER;
	if (!text_equal(json_string_value(audience), rules->audience))
		return JWT_OTHER_AUDIENCE;
	from = json_integer_value(issued);
	until = json_integer_value(expires);
	if (until <= from || until - from > rules->lifetime_max)
		return JWT_BAD_CLAIMS;
	if (rules->now >= until + JWT_LEEWAY_SEC)
		return JWT_EXPIRED;
	if (not_before)
		from = MAX_OF(from, json_integer_value(not_before));
	return from > rules->now + JWT_LEEWAY_SEC ? JWT_NOT_YET : JWT_FINE;
}

static int peek_member(const json_t *object, const char *name, char ret[JWT_ID_MAX])
{
	const json_t *value = json_object_get(object, name);

	ret[0] = '\0';
	if (!value)
		return 0;
	if (!json_is_string(value) || json_string_length(value) >= JWT_ID_MAX)
		return -EINVAL;
	memcpy(ret, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

int jwt_peek(const char *token, size_t length, struct jwt_claimed *ret)
{
	_cleanup_(json_decrefp) json_t *header = NULL, *claims = NULL;
	struct compact parts;

	if (length > JWT_BYTES_MAX || !compact_split(token, length, &parts))
		return -EINVAL;
	header = compact_object(&parts, COMPACT_HEADER);
	claims = compact_object(&parts, COMPACT_CLAIMS);
	if (!header || !claims || peek_member(header, "kid", ret->kid) < 0 ||
	    peek_member(claims, "sub", ret->subject) < 0)
		return -EINVAL;
	return 0;
}

enum jwt_fault jwt_verify(const char *token, size_t length, const struct jwt_rules *rules, json_t **ret_claims)
{
	_cleanup_(json_decrefp) json_t *header = NULL, *claims = NULL;
	const struct jwt_public *key = NULL;
	struct compact parts;
	enum jwt_fault fault;

	if (length > JWT_BYTES_MAX || !compact_split(token, length, &parts))
		return JWT_MALFORMED;
	header = compact_object(&parts, COMPACT_HEADER);
	if (!header)
		return JWT_MALFORMED;
	fault = check_header(header, rules, &key);
	if (fault == JWT_FINE)
		fault = check_signature(&parts, key);
	if (fault != JWT_FINE)
		return fault;
	claims = compact_object(&parts, COMPACT_CLAIMS);
	if (!claims)
		return JWT_MALFORMED;
	fault = check_claims(claims, rules);
	if (fault == JWT_FINE)
		*ret_claims = TAKE_PTR(claims);
	return fault;
}
