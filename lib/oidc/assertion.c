/* SPDX-License-Identifier: MIT */
#include "oidc/assertion.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "jose/base64url.h"
#include "jose/jws_sign.h"
#include "jose/jws_verify.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

#define ID_BYTES 16
/* The clocks of some providers are behind ours; none is by more than this. */
#define BACKDATED_SEC 5

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* What the key signs with: its own `alg`, else what its kind is most used for. NULL: nothing of ours. */
static const char *algorithm_of(const json_t *jwk)
{
	const char *kind = text_of(jwk, "kty"), *algorithm = text_of(jwk, "alg");
	unsigned mine;

	if (text_equal(kind, "RSA"))
		mine = JWS_RS256 | JWS_PS256;
	else if (text_equal(kind, "EC") && text_equal(text_of(jwk, "crv"), "P-256"))
		mine = JWS_ES256;
	else
		return NULL;
	if (algorithm)
		return (jws_algorithm(algorithm) & mine) != 0 ? algorithm : NULL;
	return mine == JWS_ES256 ? "ES256" : "RS256";
}

int assertion_make(const char *client_key, const char *client_id, const char *audience, int64_t now, struct buffer *ret,
		   struct problem *problem)
{
	_cleanup_(json_forget) json_t *jwk = NULL;
	_cleanup_(json_decrefp) json_t *header = NULL, *claims = NULL;
	char id[BASE64URL_CHARS(ID_BYTES) + 1];
	uint8_t random[ID_BYTES];
	const char *algorithm;
	int r = json_read(client_key, strlen(client_key), &jwk, &(struct problem){0});

	if (r == -ENOMEM)
		return r;
	algorithm = jwk ? algorithm_of(jwk) : NULL;
	if (!algorithm || !text_of(jwk, "d")) {
		problem_remedy(problem, "give a private JWK: kty EC with crv P-256, or kty RSA");
		return problem_set(problem, EINVAL, "the client's key cannot be used");
	}
	r = random_bytes(random, sizeof(random));
	if (r < 0)
		return r;
	base64url_encode(random, sizeof(random), id);
	/* Who publishes certificates and not keys finds the key by its thumbprint (Microsoft). */
	header = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "alg", algorithm, "typ", "JWT", "kid", text_of(jwk, "kid"),
			   "x5t", text_of(jwk, "x5t"), "x5t#S256", text_of(jwk, "x5t#S256"));
	claims = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", client_id, "sub", client_id, "aud", audience, "jti",
			   id, "iat", (json_int_t)(now - BACKDATED_SEC), "exp",
			   (json_int_t)(now + ASSERTION_LIFETIME_SEC));
	if (!header || !claims)
		return -ENOMEM;
	r = jws_sign(jwk, header, claims, JWS_BYTES_MAX, ret);
	if (r == -EIO)
		return problem_set(problem, EINVAL, "the client's key does not sign");
	return r;
}
