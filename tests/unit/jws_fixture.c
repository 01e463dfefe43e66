/* SPDX-License-Identifier: MIT */
#include "jws_fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jose/base64url.h"

EVP_PKEY *test_keys[TEST_KEYS];

int jws_set_up(void **state)
{
	for (int i = 0; i < TEST_KEYS; i++) {
		test_keys[i] = i <= RSA_B  ? EVP_RSA_gen(2048)
			       : i <= EC_B ? EVP_EC_gen("P-256")
					   : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		assert_non_null(test_keys[i]);
	}
	return 0;
}

int jws_tear_down(void **state)
{
	for (int i = 0; i < TEST_KEYS; i++)
		EVP_PKEY_free(test_keys[i]);
	return 0;
}

/* ---- keys -------------------------------------------------------------------------------------- */
static void set_bytes(json_t *jwk, const char *name, const uint8_t *data, size_t length)
{
	char text[BASE64URL_CHARS(2048) + 1];

	base64url_encode(data, length, text);
	assert_int_equal(json_object_set_new(jwk, name, json_string(text)), 0);
}

static void set_number(json_t *jwk, const char *name, EVP_PKEY *key, const char *parameter, int width)
{
	BIGNUM *number = NULL;
	uint8_t bytes[2048];
	int length;

	assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
	length = width ? BN_bn2binpad(number, bytes, width) : BN_bn2bin(number, bytes);
	assert_true(length > 0);
	set_bytes(jwk, name, bytes, (size_t)length);
	BN_free(number);
}

json_t *jwk_of(EVP_PKEY *key, const char *kid)
{
	json_t *jwk = json_object();

	if (EVP_PKEY_is_a(key, "RSA")) {
		json_object_set_new(jwk, "kty", json_string("RSA"));
		set_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
		set_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		char group[64];
		int width = (EVP_PKEY_get_bits(key) + 7) / 8;

		assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
		json_object_set_new(jwk, "kty", json_string("EC"));
		json_object_set_new(jwk, "crv",
				    json_string(strcmp(group, "prime256v1") == 0  ? "P-256"
						: strcmp(group, "secp384r1") == 0 ? "P-384"
										  : group));
		set_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, width);
		set_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
	} else {
		uint8_t raw[64];
		size_t length = sizeof(raw);

		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &length), 1);
		json_object_set_new(jwk, "kty", json_string("OKP"));
		json_object_set_new(jwk, "crv", json_string(length == 32 ? "Ed25519" : "Ed448"));
		set_bytes(jwk, "x", raw, length);
	}
	if (kid)
		json_object_set_new(jwk, "kid", json_string(kid));
	return jwk;
}

json_t *jwks_of(json_t **keys, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		assert_int_equal(json_array_append_new(list, keys[i]), 0);
	return json_pack("{s:o}", "keys", list);
}

int parse_set(json_t *document, struct jwks **ret, struct problem *problem)
{
	char *text = json_dumps(document, JSON_COMPACT);
	int r = jwks_parse(text, strlen(text), ret, problem);

	free(text);
	json_decref(document);
	return r;
}

struct jwks *whole_set(void)
{
	static const char *const names[TEST_KEYS] = {"rsa", "rsa-b", "ec", "ec-b", "ed", "ed-b"};
	json_t *keys[TEST_KEYS];
	struct jwks *set = NULL;
	struct problem problem = {0};

	for (int i = 0; i < TEST_KEYS; i++)
		keys[i] = jwk_of(test_keys[i], names[i]);
	assert_result(parse_set(jwks_of(keys, TEST_KEYS), &set, &problem), 0);
	return set;
}

struct jwks *set_of(EVP_PKEY *key, const char *kid)
{
	json_t *jwk = jwk_of(key, kid);
	struct jwks *set = NULL;
	struct problem problem = {0};

	assert_result(parse_set(jwks_of(&jwk, 1), &set, &problem), 0);
	return set;
}

/* ---- tokens ------------------------------------------------------------------------------------ */
void put_part(char *out, const void *data, size_t length)
{
	base64url_encode(data, length, out + strlen(out));
}

static void pss(EVP_PKEY_CTX *context)
{
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST), 1);
}

size_t signature_of(EVP_PKEY *key, unsigned algorithm, const char *data, uint8_t *out, size_t size)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context = NULL;
	const uint8_t *p = out;
	ECDSA_SIG *pair;
	int half = (EVP_PKEY_get_bits(key) + 7) / 8;

	assert_int_equal(EVP_DigestSignInit(digest, &context, algorithm == JWS_EDDSA ? NULL : EVP_sha256(), NULL, key),
			 1);
	if (algorithm == JWS_PS256)
		pss(context);
	assert_int_equal(EVP_DigestSign(digest, out, &size, (const uint8_t *)data, strlen(data)), 1);
	EVP_MD_CTX_free(digest);
	if (algorithm != JWS_ES256)
		return size;
	pair = d2i_ECDSA_SIG(NULL, &p, (long)size);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, half), half);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, half), half);
	ECDSA_SIG_free(pair);
	return 2 * (size_t)half;
}

void sign_as(char *out, EVP_PKEY *key, unsigned algorithm)
{
	uint8_t signature[2048];
	size_t length = signature_of(key, algorithm, out, signature, sizeof(signature));

	strcat(out, ".");
	put_part(out, signature, length);
}

void make_token(char *out, EVP_PKEY *key, unsigned algorithm, const char *header, const char *claims)
{
	out[0] = '\0';
	put_part(out, header, strlen(header));
	strcat(out, ".");
	put_part(out, claims, strlen(claims));
	sign_as(out, key, algorithm);
}

/* ---- checks ------------------------------------------------------------------------------------ */
const struct jws_kind jws_kinds[JWS_KINDS] = {
	{"RS256", "rsa", JWS_RS256, RSA_A}, {"PS256", "rsa", JWS_PS256, RSA_A}, {"ES256", "ec", JWS_ES256, EC_A},
	{"EdDSA", "ed", JWS_EDDSA, ED_A},   {"Ed25519", "ed", JWS_EDDSA, ED_A},
};

void jws_header(char *out, size_t size, const char *algorithm, const char *kid, const char *more)
{
	snprintf(out, size, "{\"alg\":\"%s\",\"kid\":\"%s\"%s}", algorithm, kid, more);
}

enum jws_fault jws_check(const struct jws_rules *by, const char *token, size_t length)
{
	json_t *claims = NULL;
	unsigned algorithm = 77;
	enum jws_fault fault = jws_verify(token, length, by, &claims, &algorithm);

	assert_true((fault == JWS_FINE) == (claims != NULL));
	assert_true((fault == JWS_FINE) == (algorithm != 77));
	json_decref(claims);
	return fault;
}

void jws_expect(const struct jws_rules *by, const char *what, const char *token, enum jws_fault wanted)
{
	enum jws_fault fault = jws_check(by, token, strlen(token));

	if (fault != wanted)
		fail_msg("%s: %s, not %s", what, jws_fault_word(fault), jws_fault_word(wanted));
}
