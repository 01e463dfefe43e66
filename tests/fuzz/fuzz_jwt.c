/* SPDX-License-Identifier: MIT
 *
 * Tokens. Input with a line end is a header and claims, which are signed by the key that is trusted, so that what lies
 * behind the signature is reached, too; any other input is a token as it came.
 */
#include <jansson.h>
#include <jose/jws.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "fuzz.h"
#include "jose/base64url.h"
#include "jose/jwt.h"

#define NOW 1800000000
#define LIFETIME 900
#define ISSUER "https://control.example.org"
#define INPUT_MAX 9000U

/* The key of RFC 7515, A.3, which everybody has. */
static const char key_x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
static const char key_y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
static const char key_d[] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

static json_t *make_key(bool private)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s*}", "kty", "EC", "crv", "P-256", "x", key_x, "y", key_y, "d",
			 private ? key_d : NULL);
}

static const struct jwt_public *trusted(void)
{
	static struct jwt_public key;

	if (!key.kid[0]) {
		_cleanup_(json_decrefp) json_t *jwk = make_key(false);
		struct problem problem;

		FUZZ_CHECK(jwt_key_parse(jwk, &key, &problem) == 0);
	}
	return &key;
}

static void check(const char *token, size_t length)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	const struct jwt_rules rules = {
		.keys = trusted(),
		.key_count = 1,
		.type = "at+jwt",
		.issuer = ISSUER,
		.audience = ISSUER,
		.now = NOW,
		.lifetime_max = LIFETIME,
	};
	enum jwt_fault fault = jwt_verify(token, length, &rules, &claims);
	struct jwt_claimed claimed;
	json_int_t issued, expires;

	FUZZ_CHECK((fault == JWT_FINE) == (claims != NULL));
	(void)jwt_has_shape(token, length);
	if (jwt_peek(token, length, &claimed) == 0)
		FUZZ_CHECK(strlen(claimed.kid) < JWT_ID_MAX && strlen(claimed.subject) < JWT_ID_MAX);
	if (!claims)
		return;
	FUZZ_CHECK(length <= JWT_BYTES_MAX);
	issued = json_integer_value(json_object_get(claims, "iat"));
	expires = json_integer_value(json_object_get(claims, "exp"));
	FUZZ_CHECK(expires > issued && expires - issued <= LIFETIME);
	FUZZ_CHECK(expires + JWT_LEEWAY_SEC > NOW && issued - JWT_LEEWAY_SEC <= NOW);
	FUZZ_CHECK(strcmp(json_string_value(json_object_get(claims, "iss")), ISSUER) == 0);
	FUZZ_CHECK(strcmp(json_string_value(json_object_get(claims, "aud")), ISSUER) == 0);
	FUZZ_CHECK(json_string_length(json_object_get(claims, "sub")) > 0);
	FUZZ_CHECK(json_string_length(json_object_get(claims, "jti")) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line_end = size > 0 ? memchr(text, '\n', size) : NULL;
	_cleanup_(json_decrefp) json_t *key = NULL, *jws = NULL, *header = NULL;
	_cleanup_(buffer_finish) struct buffer token = BUFFER_INIT;
	char encoded[BASE64URL_CHARS(INPUT_MAX) + 1];
	size_t header_length;

	if (size > INPUT_MAX)
		return 0;
	if (!line_end) {
		check(text, size);
		return 0;
	}
	header_length = (size_t)(line_end - text);
	base64url_encode(text, header_length, encoded);
	header = json_pack("{s:s}", "protected", encoded);
	(void)buffer_printf(&token, "%s.", encoded);
	base64url_encode(line_end + 1, size - header_length - 1, encoded);
	jws = json_pack("{s:s}", "payload", encoded);
	key = make_key(true);
	FUZZ_CHECK(header && jws && key);
	if (!jose_jws_sig(NULL, jws, header, key))
		return 0; /* a header for another algorithm, or none */
	(void)buffer_printf(&token, "%s.%s", encoded, json_string_value(json_object_get(jws, "signature")));
	FUZZ_CHECK(!token.failed);
	check(token.data, token.length);
	return 0;
}
