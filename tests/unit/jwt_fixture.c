/* SPDX-License-Identifier: MIT */
#include "jwt_fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <string.h>

struct jwt_private ours, others;
struct jwt_public keys[2];
EVP_PKEY *ours_openssl;
char good_header[256];

struct jwt_rules rules(void)
{
	return (struct jwt_rules){
		.keys = keys,
		.key_count = 1,
		.type = "at+jwt",
		.issuer = ISSUER,
		.audience = ISSUER,
		.now = NOW,
		.lifetime_max = 900,
	};
}

static EVP_PKEY *private_key(const struct jwt_private *key)
{
	uint8_t point[65] = {4};
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *d = BN_bin2bn(key->d, P256_BYTES, NULL);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *parameters;

	memcpy(point + 1, key->public.x, P256_BYTES);
	memcpy(point + 33, key->public.y, P256_BYTES);
	OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d);
	parameters = OSSL_PARAM_BLD_to_param(builder);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, parameters), 1);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	BN_free(d);
	return pkey;
}

int jwt_set_up(void **state)
{
	assert_result(jwt_key_make(&ours), 0);
	assert_result(jwt_key_make(&others), 0);
	keys[0] = ours.public;
	keys[1] = others.public;
	ours_openssl = private_key(&ours);
	snprintf(good_header, sizeof(good_header), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
		 ours.public.kid);
	return 0;
}

int jwt_tear_down(void **state)
{
	EVP_PKEY_free(ours_openssl);
	return 0;
}

/* ---- forging ----------------------------------------------------------------------------------- */
void put_unsigned(char *out, const char *header, const char *claims)
{
	base64url_encode(header, strlen(header), out);
	strcat(out, ".");
	base64url_encode(claims, strlen(claims), out + strlen(out));
}

size_t der_signature(EVP_PKEY *key, const EVP_MD *digest, const char *data, uint8_t *out, size_t size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, out, &size, (const uint8_t *)data, strlen(data)), 1);
	EVP_MD_CTX_free(context);
	return size;
}

void raw_signature(EVP_PKEY *key, const EVP_MD *digest, const char *data, uint8_t *out, int half)
{
	uint8_t der[256];
	const uint8_t *p = der;
	size_t length = der_signature(key, digest, data, der, sizeof(der));
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &p, (long)length);

	assert_non_null(signature);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, half), half);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + half, half), half);
	ECDSA_SIG_free(signature);
}

void append_signature(char *out, const uint8_t *signature, size_t length)
{
	strcat(out, ".");
	base64url_encode(signature, length, out + strlen(out));
}

void forge(char *out, const char *header, const char *claims)
{
	uint8_t signature[64];

	put_unsigned(out, header, claims);
	raw_signature(ours_openssl, EVP_sha256(), out, signature, 32);
	append_signature(out, signature, sizeof(signature));
}

enum jwt_fault check_with(const struct jwt_rules *by, const char *token, size_t length)
{
	json_t *claims = NULL;
	enum jwt_fault fault = jwt_verify(token, length, by, &claims);

	/* Nothing comes out of a token that was refused. */
	assert_true((fault == JWT_FINE) == (claims != NULL));
	json_decref(claims);
	return fault;
}

enum jwt_fault check(const char *token)
{
	struct jwt_rules by = rules();

	return check_with(&by, token, strlen(token));
}

void expect(const char *what, const char *token, enum jwt_fault wanted)
{
	enum jwt_fault fault = check(token);

	if (fault != wanted)
		fail_msg("%s: %s, not %s", what, jwt_fault_word(fault), jwt_fault_word(wanted));
}
