/* SPDX-License-Identifier: MIT
 *
 * Forged tokens. They are made with OpenSSL directly, so that the code under test does not vouch for itself.
 */
#pragma once

#include <openssl/evp.h>

#include "jose/base64url.h"
#include "jose/jwt.h"
#include "unit.h"

#define NOW 1800000000
#define ISSUER "https://control.example.org"
#define TOKEN_SIZE 12000
#define GOOD_CLAIMS                                 \
	"{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER \
	"\",\"sub\":\"usr_1\",\"jti\":\"j1\",\"iat\":1800000000,\"exp\":1800000900}"

/* Made by jwt_set_up, for cmocka_run_group_tests. keys[0] is ours, keys[1] the others'. */
extern struct jwt_private ours, others;
extern struct jwt_public keys[2];
extern EVP_PKEY *ours_openssl;
extern char good_header[256];
int jwt_set_up(void **state);
int jwt_tear_down(void **state);

/* Our first key, typ at+jwt, ISSUER, NOW, 900 s. */
struct jwt_rules rules(void);

void put_unsigned(char *out, const char *header, const char *claims);
size_t der_signature(EVP_PKEY *key, const EVP_MD *digest, const char *data, uint8_t *out, size_t size);
/* r and s, each of `half` bytes. */
void raw_signature(EVP_PKEY *key, const EVP_MD *digest, const char *data, uint8_t *out, int half);
void append_signature(char *out, const uint8_t *signature, size_t length);
/* A token that our key really signed, whatever it says. */
void forge(char *out, const char *header, const char *claims);

/* Fails when a refused token gives claims, or a good one none. */
enum jwt_fault check_with(const struct jwt_rules *by, const char *token, size_t length);
enum jwt_fault check(const char *token);
void expect(const char *what, const char *token, enum jwt_fault wanted);
