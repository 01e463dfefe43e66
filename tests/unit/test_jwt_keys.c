/* SPDX-License-Identifier: MIT
 *
 * Tokens: keys and signatures. Known answers, other algorithms, other keys, and the numbers that broke other
 * implementations.
 */
#include <errno.h>
#include <jose/jws.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jwt_fixture.h"

/* Made with openssl(1), not with the code that is tested. */
static void known_answer(void **state)
{
	static const char token[] =
		"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im9LSXl3dkdVcFRWVHl4TVEzYndJSWVRVXVkZnJfQ2"
		"tMTWpDRTE5RUNELVUifQ.eyJpc3MiOiJodHRwczovL2NvbnRyb2wuZXhhbXBsZS5vcmciLCJhdWQiOiJodHRwczovL"
		"2NvbnRyb2wuZXhhbXBsZS5vcmciLCJzdWIiOiJ1c3JfMSIsImp0aSI6Imtub3duIiwiaWF0IjoxODAwMDAwMDAwLCJ"
		"leHAiOjE4MDAwMDA5MDB9.JvLI0W7OiOrUXFs8xKrldfoMylegFkkroTYuXU0K07lgfPuCn64FY9DfKjsyuq4q1G-1"
		"HJBTI_WLpoCLOqXZiA";
	struct jwt_public key;
	struct problem problem;
	json_t *jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256", "x",
				"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y",
				"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
	struct jwt_rules by = rules();

	assert_result(jwt_key_parse(jwk, &key, &problem), 0);
	assert_string_equal(key.kid, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	by.keys = &key;
	assert_int_equal(check_with(&by, token, strlen(token)), JWT_FINE);
	json_decref(jwk);
}

/* RFC 7515, A.3: the library that we stand on agrees with it; we ask for more than it has (kid, typ). */
static void rfc_7515_a3(void **state)
{
	static const char header[] = "eyJhbGciOiJFUzI1NiJ9",
			  payload[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
				      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
			  signature[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
					"pmWQxfKTUJqPP3-Kg6NU1Q";
	json_t *jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256", "x",
				"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y",
				"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
	json_t *jws = json_pack("{s:s,s:s,s:s}", "protected", header, "payload", payload, "signature", signature);
	char token[512];

	assert_true(jose_jws_ver(NULL, jws, NULL, jwk, true));
	json_object_set_new(jws, "payload", json_string("eyJpc3MiOiJqb2UifQ"));
	assert_false(jose_jws_ver(NULL, jws, NULL, jwk, true));
	snprintf(token, sizeof(token), "%s.%s.%s", header, payload, signature);
	assert_int_equal(check(token), JWT_BAD_HEADER);
	json_decref(jws);
	json_decref(jwk);
}

static void keys_confused(void **state)
{
	char header[256], token[TOKEN_SIZE];
	struct jwt_rules by = rules();
	struct jwt_public renamed = others.public;

	/* Signed by our key, says the other one's name; and the other way round. */
	snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", others.public.kid);
	forge(token, header, GOOD_CLAIMS);
	expect("a key that is not held", token, JWT_UNKNOWN_KEY);
	by.key_count = 2;
	assert_int_equal(check_with(&by, token, strlen(token)), JWT_BAD_SIGNATURE);
	memcpy(renamed.kid, ours.public.kid, sizeof(renamed.kid));
	by = rules();
	by.keys = &renamed;
	forge(token, good_header, GOOD_CLAIMS);
	assert_int_equal(check_with(&by, token, strlen(token)), JWT_BAD_SIGNATURE);
	by.key_count = 0;
	assert_int_equal(check_with(&by, token, strlen(token)), JWT_UNKNOWN_KEY);
}

/* HS256 with what everybody knows as the secret: the public key in the forms people have it in. */
static void public_key_as_secret(void **state)
{
	char header[256], token[TOKEN_SIZE], pem[512] = "";
	uint8_t mac[32], point[65] = {4}, *der = NULL;
	unsigned length = sizeof(mac);
	BIO *bio = BIO_new(BIO_s_mem());
	int der_length = i2d_PUBKEY(ours_openssl, &der), pem_length;
	struct {
		const void *key;
		int length;
	} secrets[4];

	memcpy(point + 1, ours.public.x, P256_BYTES);
	memcpy(point + 33, ours.public.y, P256_BYTES);
	assert_int_equal(PEM_write_bio_PUBKEY(bio, ours_openssl), 1);
	pem_length = BIO_read(bio, pem, sizeof(pem) - 1);
	secrets[0].key = point, secrets[0].length = sizeof(point);
	secrets[1].key = ours.public.x, secrets[1].length = P256_BYTES;
	secrets[2].key = der, secrets[2].length = der_length;
	secrets[3].key = pem, secrets[3].length = pem_length;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		for (int honest = 0; honest < 2; honest++) {
			snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
				 honest ? "HS256" : "ES256", ours.public.kid);
			put_unsigned(token, header, GOOD_CLAIMS);
			assert_non_null(HMAC(EVP_sha256(), secrets[i].key, secrets[i].length, (uint8_t *)token,
					     strlen(token), mac, &length));
			append_signature(token, mac, sizeof(mac));
			expect("HMAC by the public key", token, honest ? JWT_BAD_HEADER : JWT_BAD_SIGNATURE);
		}
	OPENSSL_free(der);
	BIO_free(bio);
}

/* Other algorithms' real signatures, under their own name and under ours. */
static void other_algorithms(void **state)
{
	EVP_PKEY *p384 = EVP_EC_gen("P-384"), *k256 = EVP_EC_gen("secp256k1"), *rsa = EVP_RSA_gen(2048);
	static const char *const names[] = {"ES384", "ES256K", "RS256"};
	EVP_PKEY *const signers[] = {p384, k256, rsa};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (int honest = 0; honest < 2; honest++) {
			char header[256], token[TOKEN_SIZE];
			uint8_t signature[512];
			size_t length;

			snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
				 honest ? names[i] : "ES256", ours.public.kid);
			put_unsigned(token, header, GOOD_CLAIMS);
			if (signers[i] == rsa) {
				length = der_signature(rsa, EVP_sha256(), token, signature, sizeof(signature));
			} else {
				length = signers[i] == p384 ? 96 : 64;
				raw_signature(signers[i], i == 0 ? EVP_sha384() : EVP_sha256(), token, signature,
					      (int)length / 2);
			}
			append_signature(token, signature, length);
			expect(names[i], token, honest ? JWT_BAD_HEADER : JWT_BAD_SIGNATURE);
		}
	EVP_PKEY_free(p384);
	EVP_PKEY_free(k256);
	EVP_PKEY_free(rsa);
}

/* ---- signatures -------------------------------------------------------------------------------- */
static void wrong_signatures(void **state)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
					  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	static const uint8_t zero[32], one[32] = {[31] = 1};
	uint8_t good[64], bad[200], all_ones[32], above[32];
	char unsigned_part[TOKEN_SIZE], token[TOKEN_SIZE];
	const uint8_t *values[] = {zero, one, order, above, all_ones};
	BIGNUM *n = BN_bin2bn(order, 32, NULL), *s = NULL;
	size_t length;

	memset(all_ones, 0xff, sizeof(all_ones));
	memcpy(above, order, sizeof(above));
	above[31]++;
	put_unsigned(unsigned_part, good_header, GOOD_CLAIMS);
	raw_signature(ours_openssl, EVP_sha256(), unsigned_part, good, 32);
#define SIGNED(what, bytes, count)                         \
	do {                                               \
		strcpy(token, unsigned_part);              \
		append_signature(token, (bytes), (count)); \
		expect((what), token, JWT_BAD_SIGNATURE);  \
	} while (0)
	/* Lengths. */
	for (length = 0; length < 64; length++)
		SIGNED("short", good, length);
	memcpy(bad, good, 64);
	memset(bad + 64, 0, sizeof(bad) - 64);
	for (length = 65; length < 200; length++)
		SIGNED("long", bad, length);
	/* A zero byte before each half, as DER would have it. */
	bad[0] = 0;
	memcpy(bad + 1, good, 32);
	bad[33] = 0;
	memcpy(bad + 34, good + 32, 32);
	SIGNED("halves of 33 bytes", bad, 66);
	/* DER. */
	length = der_signature(ours_openssl, EVP_sha256(), unsigned_part, bad, sizeof(bad));
	SIGNED("DER", bad, length);
	/* The values that broke implementations: 0, 1, n, n + 1, 2^256 - 1, in r, in s, in both (CVE-2022-21449). */
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		memcpy(bad, values[i], 32);
		memcpy(bad + 32, good + 32, 32);
		SIGNED("r", bad, 64);
		memcpy(bad, good, 32);
		memcpy(bad + 32, values[i], 32);
		SIGNED("s", bad, 64);
		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			memcpy(bad, values[i], 32);
			memcpy(bad + 32, values[j], 32);
			SIGNED("r and s", bad, 64);
		}
	}
	memcpy(bad, good + 32, 32);
	memcpy(bad + 32, good, 32);
	SIGNED("halves swapped", bad, 64);
	for (size_t i = 0; i < 64; i++) /* little-endian */
		bad[i] = good[(i & 32) + 31 - (i & 31)];
	SIGNED("bytes reversed", bad, 64);
	for (size_t bit = 0; bit < 512; bit++) {
		memcpy(bad, good, 64);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		SIGNED("a bit flipped", bad, 64);
	}
	/* r or s plus n would be the same number; it is above n, so it is refused. */
	s = BN_bin2bn(good + 32, 32, NULL);
	BN_add(s, s, n);
	if (BN_num_bytes(s) <= 32) {
		memcpy(bad, good, 32);
		BN_bn2binpad(s, bad + 32, 32);
		SIGNED("s + n", bad, 64);
	}
	BN_free(s);
	BN_free(n);
	/* Of other bytes: another token's signature, the claims alone. */
	raw_signature(ours_openssl, EVP_sha256(), strchr(unsigned_part, '.') + 1, bad, 32);
	SIGNED("of the claims alone", bad, 64);
	raw_signature(ours_openssl, EVP_sha256(), "", bad, 32);
	SIGNED("of nothing", bad, 64);
	raw_signature(ours_openssl, EVP_sha512(), unsigned_part, bad, 32);
	SIGNED("of another digest", bad, 64);
#undef SIGNED
	strcpy(token, unsigned_part);
	append_signature(token, good, 64);
	expect("the good one", token, JWT_FINE);
}

/* ---- keys -------------------------------------------------------------------------------------- */
static void thumbprint(void **state)
{
	/* RFC 9449, sections 4.2 and 6.1: a P-256 key and its thumbprint by RFC 7638. */
	json_t *jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "x", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
				"y", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv", "P-256");
	struct jwt_public key;
	struct problem problem;

	assert_result(jwt_key_parse(jwk, &key, &problem), 0);
	assert_string_equal(key.kid, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
	/* The name that it brings along counts for nothing. */
	json_object_set_new(jwk, "kid", json_string("another"));
	assert_result(jwt_key_parse(jwk, &key, &problem), 0);
	assert_string_equal(key.kid, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
	json_decref(jwk);
}

static void keys_made(void **state)
{
	for (int i = 0; i < 64; i++) {
		struct jwt_private key;
		struct jwt_public read;
		struct problem problem;
		json_t *jwk;

		assert_result(jwt_key_make(&key), 0);
		jwk = jwt_key_render(&key.public);
		assert_null(json_object_get(jwk, "d"));
		assert_result(jwt_key_parse(jwk, &read, &problem), 0);
		assert_memory_equal(read.x, key.public.x, P256_BYTES);
		assert_memory_equal(read.y, key.public.y, P256_BYTES);
		assert_string_equal(read.kid, key.public.kid);
		assert_string_not_equal(read.kid, ours.public.kid);
		json_decref(jwk);
	}
}

static void wrong_keys(void **state)
{
	static const char x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
			  y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
			  zero[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
			  prime[] = "_____wAAAAEAAAAAAAAAAAAAAAD_______________8";
	const struct {
		const char *type, *curve, *x, *y, *name, *value;
	} table[] = {
		{"EC", "P-256", x, x, NULL, NULL}, /* off the curve */
		{"EC", "P-256", y, x, NULL, NULL},
		{"EC", "P-256", zero, zero, NULL, NULL},
		{"EC", "P-256", prime, zero, NULL, NULL},
		{"EC", "P-256", x, prime, NULL, NULL},
		{"EC", "P-256", "", y, NULL, NULL},
		{"EC", "P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=", y, NULL, NULL},
		{"EC", "P-256", "AH_NzidwtsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF", y, NULL, NULL},
		{"EC", "P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV", y, NULL, NULL}, /* last bits */
		{"EC", "P-256", x, y, "d", "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"},
		{"EC", "P-256", x, y, "d", ""},
		{"EC", "P-256", x, y, "alg", "ES384"},
		{"EC", "P-256", x, y, "alg", "none"},
		{"EC", "P-256", x, y, "use", "enc"},
		{"EC", "P-256", x, y, "x5u", "https://evil.example"},
		{"EC", "P-256", x, y, "k", "c2VjcmV0"},
		{"EC", "P-384", x, y, NULL, NULL},
		{"EC", "secp256k1", x, y, NULL, NULL},
		{"EC", "p-256", x, y, NULL, NULL},
		{"oct", "P-256", x, y, NULL, NULL},
		{"OKP", "P-256", x, y, NULL, NULL},
		{"RSA", "P-256", x, y, NULL, NULL},
	};
	struct jwt_public key = {.kid = "untouched"};
	struct problem problem;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		json_t *jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", table[i].type, "crv", table[i].curve, "x",
					table[i].x, "y", table[i].y);

		if (table[i].name)
			json_object_set_new(jwk, table[i].name, json_string(table[i].value));
		problem = (struct problem){0};
		if (jwt_key_parse(jwk, &key, &problem) != -EINVAL)
			fail_msg("row %zu was taken", i);
		assert_string_not_equal(problem.text, "");
		assert_null(strstr(problem.text, "jpsQ"));
		json_decref(jwk);
	}
	assert_result(jwt_key_parse(NULL, &key, &problem), -EINVAL);
	assert_string_equal(key.kid, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer),     cmocka_unit_test(rfc_7515_a3),
		cmocka_unit_test(keys_confused),    cmocka_unit_test(public_key_as_secret),
		cmocka_unit_test(other_algorithms), cmocka_unit_test(wrong_signatures),
		cmocka_unit_test(thumbprint),       cmocka_unit_test(keys_made),
		cmocka_unit_test(wrong_keys),
	};

	return cmocka_run_group_tests(tests, jwt_set_up, jwt_tear_down);
}
