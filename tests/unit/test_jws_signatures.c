/* SPDX-License-Identifier: MIT
 *
 * Signatures: lengths, forms and numbers that broke other implementations.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jose/base64url.h"
#include "jws_fixture.h"

#define CLAIMS "{\"sub\":\"alice\"}"

static struct jwks *set;
static char base[1024]; /* header and claims */

static int set_up(void **state)
{
	int r = jws_set_up(state);

	set = whole_set();
	return r;
}

static int tear_down(void **state)
{
	jwks_unref(set);
	return jws_tear_down(state);
}

static void begin(const char *algorithm, const char *kid)
{
	char header[128];

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithm, kid);
	base[0] = '\0';
	put_part(base, header, strlen(header));
	strcat(base, ".");
	put_part(base, CLAIMS, strlen(CLAIMS));
}

static void expect(const char *what, const uint8_t *signature, size_t length, enum jws_fault wanted)
{
	const struct jws_rules by = {.keys = set, .algorithms = JWS_ANY};
	char token[JWS_TEXT_SIZE];
	json_t *claims = NULL;
	enum jws_fault fault;

	strcpy(token, base);
	strcat(token, ".");
	put_part(token, signature, length);
	fault = jws_verify(token, strlen(token), &by, &claims, NULL);
	assert_true((fault == JWS_FINE) == (claims != NULL));
	json_decref(claims);
	if (fault != wanted)
		fail_msg("%s (%zu bytes): %s, not %s", what, length, jws_fault_word(fault), jws_fault_word(wanted));
}

static void refuse(const char *what, const uint8_t *signature, size_t length)
{
	expect(what, signature, length, JWS_BAD_SIGNATURE);
}

/* Shorter, longer, one bit another, another token's, none. */
static void lengths_and_bits(EVP_PKEY *key, unsigned algorithm, size_t wanted)
{
	uint8_t good[512], bad[700];
	size_t length = signature_of(key, algorithm, base, good, sizeof(good));

	assert_int_equal(length, wanted);
	expect("good", good, length, JWS_FINE);
	for (size_t i = 0; i < length; i++)
		refuse("short", good, i);
	memset(bad, 0, sizeof(bad));
	memcpy(bad, good, length);
	for (size_t i = length + 1; i < sizeof(bad); i++)
		refuse("long", bad, i);
	for (size_t bit = 0; bit < 8 * length; bit += algorithm & (JWS_RS256 | JWS_PS256) ? 13 : 1) {
		memcpy(bad, good, length);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refuse("a bit flipped", bad, length);
	}
	memset(bad, 0, sizeof(bad));
	memcpy(bad + 1, good, length);
	refuse("a zero before it", bad, length + 1);
	memset(bad, 0, sizeof(bad));
	refuse("zeros", bad, length);
	memset(bad, 0xff, sizeof(bad));
	refuse("ones", bad, length);
	for (size_t i = 0; i < length; i++)
		bad[i] = good[length - 1 - i];
	refuse("reversed", bad, length);
	length = signature_of(key, algorithm, strchr(base, '.') + 1, bad, sizeof(bad));
	refuse("of the claims alone", bad, length);
	length = signature_of(key, algorithm, "", bad, sizeof(bad));
	refuse("of nothing", bad, length);
}

static void es256(void **state)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
					  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	static const uint8_t zero[32], one[32] = {[31] = 1};
	uint8_t good[200], bad[200], ones[32], above[32];
	const uint8_t *values[] = {zero, one, order, above, ones};
	size_t length = sizeof(bad);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	begin("ES256", "ec");
	lengths_and_bits(test_keys[EC_A], JWS_ES256, 64);
	signature_of(test_keys[EC_A], JWS_ES256, base, good, sizeof(bad));
	/* As OpenSSL, Java and X.509 have it. */
	assert_int_equal(EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, test_keys[EC_A]), 1);
	assert_int_equal(EVP_DigestSign(digest, bad, &length, (uint8_t *)base, strlen(base)), 1);
	EVP_MD_CTX_free(digest);
	refuse("DER", bad, length);
	/* The values that broke implementations: 0, 1, n, n + 1, 2^256 - 1, in r, in s, in both (CVE-2022-21449). */
	memset(ones, 0xff, sizeof(ones));
	memcpy(above, order, sizeof(above));
	above[31]++;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		memcpy(bad, values[i], 32);
		memcpy(bad + 32, good + 32, 32);
		refuse("r", bad, 64);
		memcpy(bad, good, 32);
		memcpy(bad + 32, values[i], 32);
		refuse("s", bad, 64);
		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			memcpy(bad, values[i], 32);
			memcpy(bad + 32, values[j], 32);
			refuse("r and s", bad, 64);
		}
	}
	memcpy(bad, good + 32, 32);
	memcpy(bad + 32, good, 32);
	refuse("halves swapped", bad, 64);
	/* P-384's is of another length, whatever the name. */
	{
		EVP_PKEY *p384 = EVP_EC_gen("P-384"), *k256 = EVP_EC_gen("secp256k1");

		length = signature_of(p384, JWS_ES256, base, bad, sizeof(bad));
		refuse("P-384", bad, length);
		length = signature_of(k256, JWS_ES256, base, bad, sizeof(bad));
		refuse("secp256k1", bad, length);
		EVP_PKEY_free(p384);
		EVP_PKEY_free(k256);
	}
	/* Small numbers and such with the highest bit set must come through the conversion to DER: many of both. */
	for (int i = 0; i < 600; i++) {
		signature_of(test_keys[EC_A], JWS_ES256, base, good, sizeof(bad));
		expect("another good one", good, 64, JWS_FINE);
	}
}

static void rs256(void **state)
{
	uint8_t bad[512];
	size_t length = sizeof(bad);
	EVP_MD_CTX *digest;
	EVP_PKEY_CTX *context;
	const EVP_MD *others[] = {EVP_sha1(), EVP_sha384(), EVP_sha512()};

	begin("RS256", "rsa");
	lengths_and_bits(test_keys[RSA_A], JWS_RS256, 256);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		digest = EVP_MD_CTX_new();
		length = sizeof(bad);
		assert_int_equal(EVP_DigestSignInit(digest, NULL, others[i], NULL, test_keys[RSA_A]), 1);
		assert_int_equal(EVP_DigestSign(digest, bad, &length, (uint8_t *)base, strlen(base)), 1);
		EVP_MD_CTX_free(digest);
		refuse("another digest", bad, length);
	}
	length = signature_of(test_keys[RSA_A], JWS_PS256, base, bad, sizeof(bad));
	refuse("PSS", bad, length);
	length = signature_of(test_keys[RSA_B], JWS_RS256, base, bad, sizeof(bad));
	refuse("another key's", bad, length);
	/* The bare digest, without its name, and the padding of encryption. */
	{
		uint8_t hash[32];
		unsigned size = sizeof(hash);

		EVP_Digest(base, strlen(base), hash, &size, EVP_sha256(), NULL);
		context = EVP_PKEY_CTX_new(test_keys[RSA_A], NULL);
		EVP_PKEY_sign_init(context);
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
		length = sizeof(bad);
		assert_int_equal(EVP_PKEY_sign(context, bad, &length, hash, sizeof(hash)), 1);
		EVP_PKEY_CTX_free(context);
		refuse("the bare digest", bad, length);
	}
	/* Forged for an exponent of three by others (2006): the digest left in the block, and rubbish behind it. With
	 * the private key at hand, any block can be made. */
	{
		uint8_t block[256] = {0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
		static const uint8_t name[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
		unsigned size = 32;

		memcpy(block + 11, name, sizeof(name));
		EVP_Digest(base, strlen(base), block + 11 + sizeof(name), &size, EVP_sha256(), NULL);
		context = EVP_PKEY_CTX_new(test_keys[RSA_A], NULL);
		EVP_PKEY_sign_init(context);
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING);
		length = sizeof(bad);
		assert_int_equal(EVP_PKEY_sign(context, bad, &length, block, sizeof(block)), 1);
		EVP_PKEY_CTX_free(context);
		refuse("rubbish behind the digest", bad, length);
	}
}

static void ps256(void **state)
{
	static const int salts[] = {0, 20, 31, 33, 64, RSA_PSS_SALTLEN_MAX};
	uint8_t bad[512];
	size_t length = sizeof(bad);

	begin("PS256", "rsa");
	lengths_and_bits(test_keys[RSA_A], JWS_PS256, 256);
	length = signature_of(test_keys[RSA_A], JWS_RS256, base, bad, sizeof(bad));
	refuse("PKCS #1 v1.5", bad, length);
	for (size_t i = 0; i < ARRAY_LEN(salts) + 1; i++) {
		EVP_MD_CTX *digest = EVP_MD_CTX_new();
		EVP_PKEY_CTX *context;

		length = sizeof(bad);
		assert_int_equal(EVP_DigestSignInit(digest, &context, EVP_sha256(), NULL, test_keys[RSA_A]), 1);
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
		if (i < ARRAY_LEN(salts))
			EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salts[i]);
		else
			EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha1());
		assert_int_equal(EVP_DigestSign(digest, bad, &length, (uint8_t *)base, strlen(base)), 1);
		EVP_MD_CTX_free(digest);
		refuse("another salt or mask", bad, length);
	}
}

static void eddsa(void **state)
{
	/* The order of the group, little-endian: S and S + L would sign the same. */
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
					  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
					  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
	uint8_t good[64], bad[64];
	unsigned carry = 0;

	begin("EdDSA", "ed");
	lengths_and_bits(test_keys[ED_A], JWS_EDDSA, 64);
	signature_of(test_keys[ED_A], JWS_EDDSA, base, good, sizeof(good));
	memcpy(bad, good, sizeof(bad));
	for (int i = 0; i < 32; i++) {
		carry += bad[32 + i] + order[i];
		bad[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	refuse("S + L", bad, sizeof(bad));
	signature_of(test_keys[ED_B], JWS_EDDSA, base, bad, sizeof(bad));
	refuse("another key's", bad, sizeof(bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(es256),
		cmocka_unit_test(rs256),
		cmocka_unit_test(ps256),
		cmocka_unit_test(eddsa),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
