/* SPDX-License-Identifier: MIT
 *
 * Compact signed tokens (RFC 7515, 7519) of other issuers: RS256, PS256, ES256, EdDSA (Ed25519 alone). The algorithm
 * must be allowed by the caller and fit the key, whatever the token says; "none" and HMACs do not exist here. Our own
 * access tokens are jwt.h's, which is stricter.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "jose/jwks.h"

#define JWS_BYTES_MAX 16384U

#define JWS_RS256 (1U << 0)
#define JWS_PS256 (1U << 1)
#define JWS_ES256 (1U << 2)
#define JWS_EDDSA (1U << 3)
#define JWS_ANY (JWS_RS256 | JWS_PS256 | JWS_ES256 | JWS_EDDSA)
/* 0: none that we know. */
unsigned jws_algorithm(const char *name);

enum jws_fault {
	JWS_FINE,
	JWS_MALFORMED, /* parts, base64url, JSON, duplicate members */
	JWS_TOO_LARGE,
	JWS_ENCRYPTED,   /* five parts */
	JWS_NESTED,      /* cty: JWT */
	JWS_BAD_TYPE,    /* typ is none of those allowed */
	JWS_CRITICAL,    /* crit, b64 */
	JWS_BRINGS_KEY,  /* jwk, jku, x5c, x5u */
	JWS_UNSIGNED,    /* alg: none */
	JWS_ALGORITHM,   /* not allowed */
	JWS_NO_KID,      /* no kid, and several keys could be meant */
	JWS_UNKNOWN_KEY, /* nobody's kid: the set may be old */
	JWS_OTHER_KEY,   /* alg and the key's kind, curve or own alg do not fit */
	JWS_BAD_SIGNATURE,
	JWS_FAULT_COUNT,
};
const char *jws_fault_word(enum jws_fault fault);     /* "bad-signature" */
const char *jws_fault_sentence(enum jws_fault fault); /* for people, without a full stop */

struct jws_rules {
	const struct jwks *keys;
	unsigned algorithms;      /* JWS_… */
	const char *const *types; /* NULL-terminated, compared as RFC 7515 says; NULL: "JWT" or none */
};
/* JWS_FINE and the claims, an object in which nothing has been judged yet, and the one JWS_… that signed them
 * (`ret_algorithm` may be NULL). Out of memory is JWS_MALFORMED. */
enum jws_fault jws_verify(const char *token, size_t length, const struct jws_rules *rules, json_t **ret_claims,
			  unsigned *ret_algorithm);
/* What a token claims of itself, unverified: good for finding the keys that verify it, and for nothing else. Texts that
 * are missing are "". -EINVAL: cannot be read. */
struct jws_claimed {
	char kid[JWKS_KID_MAX], issuer[512], type[32];
};
int jws_peek(const char *token, size_t length, struct jws_claimed *ret);
