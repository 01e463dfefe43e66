/* SPDX-License-Identifier: MIT */
#include "jose/public_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

DEFINE_CLEANUP(BIGNUM, BN_free)
DEFINE_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)

/* A key that OpenSSL does not make of these numbers is none; one that it makes is checked once more as a whole. */
static int make(const char *kind, OSSL_PARAM *parameters, EVP_PKEY **ret)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL),
						   *check = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int r = -EIO;

	if (context && EVP_PKEY_fromdata_init(context) == 1) {
		r = -EINVAL;
		if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1) {
			check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
			r = check ? 0 : -EIO;
		}
	}
	if (r == 0 && EVP_PKEY_public_check(check) != 1)
		r = -EINVAL;
	ERR_clear_error();
	if (r == 0)
		*ret = TAKE_PTR(key);
	return r;
}

int public_key_p256(const uint8_t x[PUBLIC_KEY_P256_BYTES], const uint8_t y[PUBLIC_KEY_P256_BYTES], EVP_PKEY **ret)
{
	uint8_t point[1 + 2 * PUBLIC_KEY_P256_BYTES] = {4}; /* uncompressed */
	char group[] = "prime256v1";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	memcpy(point + 1, x, PUBLIC_KEY_P256_BYTES);
	memcpy(point + 1 + PUBLIC_KEY_P256_BYTES, y, PUBLIC_KEY_P256_BYTES);
	return make("EC", parameters, ret);
}

int public_key_rsa(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent, size_t exponent_length,
		   EVP_PKEY **ret)
{
	_cleanup_(OSSL_PARAM_freep) OSSL_PARAM *parameters = NULL;
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = NULL;
	_cleanup_(BN_freep) BIGNUM *n = NULL, *e = NULL;

	if (modulus_length > PUBLIC_KEY_RSA_BITS_MAX / 8 || exponent_length > PUBLIC_KEY_EXPONENT_BYTES_MAX ||
	    modulus_length == 0 || exponent_length == 0 || modulus[0] == 0 || exponent[0] == 0)
		return -EINVAL;
	n = BN_bin2bn(modulus, (int)modulus_length, NULL);
	e = BN_bin2bn(exponent, (int)exponent_length, NULL);
	if (!n || !e)
		return -EIO;
	/* OpenSSL checks much of this, too, but not in all of its versions. */
	if (BN_num_bits(n) < PUBLIC_KEY_RSA_BITS_MIN || !BN_is_odd(n) || !BN_is_odd(e) || BN_num_bits(e) < 17)
		return -EINVAL;
	builder = OSSL_PARAM_BLD_new();
	if (!builder || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return -EIO;
	parameters = OSSL_PARAM_BLD_to_param(builder);
	return parameters ? make("RSA", parameters, ret) : -EIO;
}

int public_key_ed25519(const uint8_t key[PUBLIC_KEY_ED25519_BYTES], EVP_PKEY **ret)
{
	/* The points whose order divides eight, in all their spellings; the highest bit is the sign of x. */
	static const uint8_t weak[][PUBLIC_KEY_ED25519_BYTES] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	};

	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		if (memcmp(key, weak[i], PUBLIC_KEY_ED25519_BYTES - 1) == 0 &&
		    (key[PUBLIC_KEY_ED25519_BYTES - 1] & 0x7f) == weak[i][PUBLIC_KEY_ED25519_BYTES - 1])
			return -EINVAL;
	*ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, PUBLIC_KEY_ED25519_BYTES);
	ERR_clear_error();
	return *ret ? 0 : -EIO;
}
