/* SPDX-License-Identifier: MIT
 *
 * Tokens of other issuers, and their keys. They are made with OpenSSL directly, so that the code under test does not
 * vouch for itself.
 */
#pragma once

#include <jansson.h>
#include <openssl/evp.h>

#include "jose/jwks.h"
#include "jose/jws_verify.h"
#include "unit.h"

#define JWS_TEXT_SIZE 40000

/* Made by jws_set_up, for cmocka_run_group_tests. Two of each kind. */
enum { RSA_A, RSA_B, EC_A, EC_B, ED_A, ED_B, TEST_KEYS };
extern EVP_PKEY *test_keys[TEST_KEYS];
int jws_set_up(void **state);
int jws_tear_down(void **state);

/* The public key as a JWK with `kid` (NULL: none). The caller's. */
json_t *jwk_of(EVP_PKEY *key, const char *kid);
/* A set of those; NULL at the end of neither: `count` of them. */
json_t *jwks_of(json_t **keys, size_t count);
/* As jwks_parse takes it; takes `document`. */
int parse_set(json_t *document, struct jwks **ret, struct problem *problem);
/* The set "rsa", "ec", "ed" of the first keys, and "rsa-b", "ec-b", "ed-b". */
struct jwks *whole_set(void);
/* Only this key, under this name. */
struct jwks *set_of(EVP_PKEY *key, const char *kid);

/* A part into base64url, after what `out` holds. */
void put_part(char *out, const void *data, size_t length);
/* Appends '.' and the signature of what `out` holds. `algorithm`: one JWS_…. */
void sign_as(char *out, EVP_PKEY *key, unsigned algorithm);
/* A token that the key really signed, whatever header and claims say. */
void make_token(char *out, EVP_PKEY *key, unsigned algorithm, const char *header, const char *claims);
/* The plain signature bytes, as they stand in a token. Their length. */
size_t signature_of(EVP_PKEY *key, unsigned algorithm, const char *data, uint8_t *out, size_t size);

/* Every algorithm by each of its names, with the name of its key in the whole set. */
#define JWS_KINDS 5U
extern const struct jws_kind {
	const char *name, *kid;
	unsigned algorithm;
	int key;
} jws_kinds[JWS_KINDS];
/* {"alg":…,"kid":… more} */
void jws_header(char *out, size_t size, const char *algorithm, const char *kid, const char *more);

/* Fails when a refused token gives anything, or a good one nothing. */
enum jws_fault jws_check(const struct jws_rules *by, const char *token, size_t length);
void jws_expect(const struct jws_rules *by, const char *what, const char *token, enum jws_fault wanted);
