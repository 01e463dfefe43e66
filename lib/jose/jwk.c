/* SPDX-License-Identifier: MIT
 *
 * Keys of tokens: made, named by their thumbprint (RFC 7638), written and read as JWK (RFC 7517).
 */
#include <errno.h>
#include <jose/jwk.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "jose/base64url.h"
#include "jose/jwt.h"
#include "jose/public_key.h"
#include "json/json_read.h"

static bool read_number(const char *text, uint8_t out[P256_BYTES])
{
	size_t length;

	return text && base64url_decode(text, strlen(text), out, P256_BYTES, &length) == 0 && length == P256_BYTES;
}

int jwt_key_make(struct jwt_private *ret)
{
	json_t *jwk = json_pack("{s:s}", "alg", "ES256"), *d;
	struct jwt_private key = {0};
	bool good = jwk && jose_jwk_gen(NULL, jwk);

	d = json_object_get(jwk, "d");
	good = good && read_number(json_string_value(json_object_get(jwk, "x")), key.public.x) &&
	       read_number(json_string_value(json_object_get(jwk, "y")), key.public.y) &&
	       read_number(json_string_value(d), key.d) && jwt_key_name(&key.public) == 0;
	if (json_is_string(d)) /* json_decref would only free it */
		secret_wipe((void *)(uintptr_t)json_string_value(d), json_string_length(d));
	json_decref(jwk);
	if (good)
		*ret = key;
	secret_wipe(&key, sizeof(key));
	return good ? 0 : -EIO;
}

json_t *jwt_key_render(const struct jwt_public *public)
{
	char x[BASE64URL_CHARS(P256_BYTES) + 1], y[sizeof(x)];

	base64url_encode(public->x, P256_BYTES, x);
	base64url_encode(public->y, P256_BYTES, y);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x", x, "y", y, "kid",
			 public->kid, "alg", "ES256", "use", "sig");
}

int jwt_key_name(struct jwt_public *public)
{
	_cleanup_(json_decrefp) json_t *jwk = NULL, *thumbprint = NULL;

	public->kid[0] = '\0';
	jwk = jwt_key_render(public);
	thumbprint = jwk ? jose_jwk_thp(NULL, jwk, "S256") : NULL;
	if (!thumbprint || json_string_length(thumbprint) >= sizeof(public->kid))
		return -EIO;
	memcpy(public->kid, json_string_value(thumbprint), json_string_length(thumbprint) + 1);
	return 0;
}

struct jwk {
	const char *type, *curve, *x, *y, *kid, *algorithm, *use;
};

int jwt_key_parse(json_t *jwk, struct jwt_public *ret, struct problem *problem)
{
	static const struct json_field fields[] = {
		{"kty", JSON_FIELD_STRING, offsetof(struct jwk, type), JSON_FIELD_REQUIRED},
		{"crv", JSON_FIELD_STRING, offsetof(struct jwk, curve), JSON_FIELD_REQUIRED},
		{"x", JSON_FIELD_STRING, offsetof(struct jwk, x), JSON_FIELD_REQUIRED},
		{"y", JSON_FIELD_STRING, offsetof(struct jwk, y), JSON_FIELD_REQUIRED},
		{"kid", JSON_FIELD_STRING, offsetof(struct jwk, kid), 0},
		{"alg", JSON_FIELD_STRING, offsetof(struct jwk, algorithm), 0},
		{"use", JSON_FIELD_STRING, offsetof(struct jwk, use), 0},
	};
	struct jwk values = {.algorithm = "ES256", .use = "sig"};
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *point = NULL;
	struct jwt_public key = {0};
	const char *field;
	int r;

	if (!json_is_object(jwk))
		return problem_set(problem, EINVAL, "the key is no JSON object");
	if (json_object_get(jwk, "d"))
		return problem_set(problem, EINVAL, "the key is a private one: it must never leave its host");
	r = json_fields(jwk, fields, ARRAY_LEN(fields), &values, &field, problem);
	if (r < 0)
		return r;
	if (!text_equal(values.type, "EC") || !text_equal(values.curve, "P-256") ||
	    !text_equal(values.algorithm, "ES256") || !text_equal(values.use, "sig"))
		return problem_set(problem, EINVAL, "the key is not a P-256 key for ES256 signatures");
	if (!read_number(values.x, key.x) || !read_number(values.y, key.y))
		return problem_set(problem, EINVAL, "a coordinate of the key is not 32 bytes in base64url");
	r = public_key_p256(key.x, key.y, &point);
	if (r == -EINVAL)
		return problem_set(problem, EINVAL, "the key is no point of the curve P-256");
	if (r == 0)
		r = jwt_key_name(&key);
	if (r < 0)
		return problem_set(problem, EIO, "the key could not be checked");
	*ret = key;
	return 0;
}
