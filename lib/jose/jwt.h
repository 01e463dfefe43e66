/* SPDX-License-Identifier: MIT
 *
 * JSON Web Tokens (RFC 7519), ES256 only (RFC 7518), on libjose. Ours is what is strict: one algorithm, taken from
 * the key and never from the token; `kid` must name a key we hold; `crit` and every other header member than alg, typ,
 * kid is refused; times, issuer and audience are always checked; compact form only.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/problem.h"

#define JWT_BYTES_MAX 8192U
#define JWT_ID_MAX 64U /* jti and kid, with NUL */
#define JWT_LEEWAY_SEC 30
#define P256_BYTES 32

struct jwt_public {
	char kid[JWT_ID_MAX];
	uint8_t x[P256_BYTES], y[P256_BYTES];
};
struct jwt_private {
	struct jwt_public public;
	uint8_t d[P256_BYTES]; /* secret: the owner wipes it */
};
/* A new key; its kid is the RFC 7638 thumbprint (base64url). 0 or -EIO. */
int jwt_key_make(struct jwt_private *ret);
/* The thumbprint into public->kid. */
int jwt_key_name(struct jwt_public *public);
/* As a JWK object {kty, crv, x, y, kid, alg, use}; NULL: out of memory. */
json_t *jwt_key_render(const struct jwt_public *public);
/* From a JWK; a private one (`d`), another curve, a point off the curve: -EINVAL. `kid` is computed. */
int jwt_key_parse(json_t *jwk, struct jwt_public *ret, struct problem *problem);

/* Appends the token. `claims` as they are (the caller sets iss, aud, exp, iat, jti …); `type` is the header's typ. */
int jwt_sign(const struct jwt_private *key, const char *type, json_t *claims, struct buffer *ret);

enum jwt_fault {
	JWT_FINE,
	JWT_MALFORMED,
	JWT_BAD_HEADER, /* another algorithm, crit, unknown members, other typ */
	JWT_UNKNOWN_KEY,
	JWT_BAD_SIGNATURE,
	JWT_OTHER_ISSUER,
	JWT_OTHER_AUDIENCE,
	JWT_EXPIRED,
	JWT_NOT_YET,
	JWT_BAD_CLAIMS, /* a claim is missing or of the wrong type; a lifetime over the limit */
};
const char *jwt_fault_word(enum jwt_fault fault); /* "bad-signature" */

struct jwt_rules {
	const struct jwt_public *keys;
	uint32_t key_count;
	const char *type; /* "at+jwt" (RFC 9068), "JWT" … */
	const char *issuer, *audience;
	int64_t now;
	int64_t lifetime_max; /* exp - iat, seconds */
};
/* Looks like a JWT (three base64url parts)? Cheap. */
bool jwt_has_shape(const char *text, size_t length);
/* Which key a token claims to be by, and whom it claims to be of ("" where it does not say). 0, or -EINVAL: it cannot
 * be read. Nothing was verified: good for finding the one key that will verify it, and for nothing else. */
struct jwt_claimed {
	char kid[JWT_ID_MAX], subject[JWT_ID_MAX];
};
int jwt_peek(const char *token, size_t length, struct jwt_claimed *ret);
/* JWT_FINE and the claims (with exp, iat, iss, aud, sub, jti all there and of the right type). Out of memory is
 * JWT_MALFORMED. */
enum jwt_fault jwt_verify(const char *token, size_t length, const struct jwt_rules *rules, json_t **ret_claims);
