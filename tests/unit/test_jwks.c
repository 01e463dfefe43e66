/* SPDX-License-Identifier: MIT
 *
 * Sets of keys: what is taken, what is left out, and above all what makes a set bad, each with its reason.
 */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jose/base64url.h"
#include "jws_fixture.h"

/* RFC 7517, A.1 and RFC 8037, A.2: keys that others made. */
static const char published[] =
	"{\"keys\":["
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
	"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"sig\",\"kid\":\"1\"},"
	"{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
	"oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
	"AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
	"xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"},"
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const char off_curve[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";

/* The reason must be there, say `reason`, and quote nothing of a key. */
static void refused(const char *what, json_t *document, const char *reason)
{
	struct jwks *set = NULL;
	struct problem problem = {0};
	int r = parse_set(document, &set, &problem);

	if (r != -EINVAL || set)
		fail_msg("%s: result %d", what, r);
	if (!strstr(problem.text, reason))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, problem.text, reason);
}

static void refused_text(const char *text, size_t length, const char *reason)
{
	struct jwks *set = NULL;
	struct problem problem = {0};

	if (jwks_parse(text, length, &set, &problem) != -EINVAL)
		fail_msg("taken: %.80s", text);
	assert_null(set);
	if (!strstr(problem.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", problem.text, reason);
}

static json_t *alone(json_t *jwk)
{
	return jwks_of(&jwk, 1);
}

/* A good key with one member changed (NULL: taken away). */
static json_t *changed(int key, const char *name, json_t *value)
{
	json_t *jwk = jwk_of(test_keys[key], "k");

	if (value)
		json_object_set_new(jwk, name, value);
	else
		json_object_del(jwk, name);
	return alone(jwk);
}

/* ---- taken ------------------------------------------------------------------------------------- */
static void published_keys(void **state)
{
	struct jwks *set = NULL;
	struct problem problem = {0};

	assert_result(jwks_parse(published, strlen(published), &set, &problem), 0);
	assert_int_equal(jwks_count(set), 3);
	assert_true(jwks_has(set, "1"));
	assert_true(jwks_has(set, "2011-04-29"));
	/* Neither the empty name nor a part of one is a name. */
	assert_false(jwks_has(set, ""));
	assert_false(jwks_has(set, "2011"));
	assert_false(jwks_has(set, "2011-04-29 "));
	assert_ptr_equal(jwks_ref(set), set);
	jwks_unref(set);
	assert_int_equal(jwks_count(set), 3);
	jwks_unref(set);
	jwks_unref(NULL);
}

static void sizes_at_the_bounds(void **state)
{
	static const int bits[] = {2048, 3072, 4096};
	struct problem problem = {0};
	json_t *keys[JWKS_KEYS_MAX + 1];
	struct jwks *set = NULL;
	char kid[JWKS_KID_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		EVP_PKEY *key = EVP_RSA_gen((unsigned)bits[i]);

		jwks_unref(set_of(key, "k"));
		EVP_PKEY_free(key);
	}
	memset(kid, 'k', JWKS_KID_MAX);
	kid[JWKS_KID_MAX - 1] = '\0';
	jwks_unref(set_of(test_keys[EC_A], kid));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(kid, sizeof(kid), "k%zu", i);
		keys[i] = jwk_of(test_keys[ED_A], kid);
	}
	assert_result(parse_set(jwks_of(keys, JWKS_KEYS_MAX), &set, &problem), 0);
	assert_int_equal(jwks_count(set), JWKS_KEYS_MAX);
	jwks_unref(set);
	json_decref(keys[JWKS_KEYS_MAX]);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = json_pack("{s:s}", "kty", "unknown");
	refused("one key more", jwks_of(keys, ARRAY_LEN(keys)), "more than 32 keys");
}

/* RFC 7517, section 5: what one does not know is ignored. One good key stays. */
static void what_is_left_out(void **state)
{
	EVP_PKEY *p384 = EVP_EC_gen("P-384"), *k256 = EVP_EC_gen("secp256k1"),
		 *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	json_t *foreign[] = {
		jwk_of(p384, "p384"),
		jwk_of(k256, "k256"),
		jwk_of(ed448, "ed448"),
		json_pack("{s:s,s:s,s:s}", "kty", "AKP", "alg", "ML-DSA-44", "pub", "AAAA"),
		json_pack("{s:s}", "kty", "ec"),
		json_pack("{s:s,s:s}", "kty", "EC", "crv", "p-256"),
		json_pack("{s:s,s:s,s:s}", "kty", "OKP", "crv", "X25519", "x", "AAAA"),
		jwk_of(test_keys[EC_B], "enc"),
		jwk_of(test_keys[EC_B], "ops"),
		jwk_of(test_keys[EC_B], "ecdh"),
		jwk_of(test_keys[RSA_B], "rs512"),
		jwk_of(test_keys[RSA_B], "oaep"),
		jwk_of(test_keys[RSA_B], "hs256"),
		jwk_of(test_keys[RSA_B], "none"),
	};
	json_t *all[ARRAY_LEN(foreign) + 1];
	struct problem problem = {0};
	struct jwks *set = NULL;

	json_object_set_new(foreign[7], "use", json_string("enc"));
	json_object_set_new(foreign[8], "key_ops", json_pack("[s,s]", "encrypt", "wrapKey"));
	json_object_set_new(foreign[9], "alg", json_string("ECDH-ES"));
	json_object_set_new(foreign[10], "alg", json_string("RS512"));
	json_object_set_new(foreign[11], "alg", json_string("RSA-OAEP"));
	json_object_set_new(foreign[12], "alg", json_string("HS256"));
	json_object_set_new(foreign[13], "alg", json_string("none"));
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		all[i] = json_incref(foreign[i]);
	all[ARRAY_LEN(foreign)] = jwk_of(test_keys[EC_A], "good");
	assert_result(parse_set(jwks_of(all, ARRAY_LEN(all)), &set, &problem), 0);
	assert_int_equal(jwks_count(set), 1);
	assert_true(jwks_has(set, "good"));
	assert_false(jwks_has(set, "enc"));
	jwks_unref(set);
	/* Nothing left is no set: it could only refuse everybody as "unknown key". */
	refused("nothing usable", jwks_of(foreign, ARRAY_LEN(foreign)), "none of its keys");
	refused("empty", json_pack("{s:[]}", "keys"), "none of its keys");
	EVP_PKEY_free(p384);
	EVP_PKEY_free(k256);
	EVP_PKEY_free(ed448);
}

static void members_that_do_not_matter(void **state)
{
	json_t *jwk = jwk_of(test_keys[EC_A], "k"), *document;
	struct problem problem = {0};
	struct jwks *set = NULL;

	json_object_set_new(jwk, "use", json_string("sig"));
	json_object_set_new(jwk, "key_ops", json_pack("[s]", "verify"));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	json_object_set_new(jwk, "x5c", json_pack("[s]", "not looked at"));
	json_object_set_new(jwk, "x5t", json_string("not looked at"));
	json_object_set_new(jwk, "issuer", json_string("https://login.microsoftonline.com/{tenantid}/v2.0"));
	document = alone(jwk);
	json_object_set_new(document, "more", json_integer(1));
	assert_result(parse_set(document, &set, &problem), 0);
	jwks_unref(set);
}

/* ---- documents --------------------------------------------------------------------------------- */
static void wrong_documents(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{"", "JSON"},
		{"null", "no list"},
		{"[]", "no list"},
		{"{}", "no list"},
		{"\"keys\"", "no list"},
		{"{\"keys\":{}}", "no list"},
		{"{\"keys\":null}", "no list"},
		{"{\"Keys\":[]}", "no list"},
		{"{\"keys\":[1]}", "no JSON object"},
		{"{\"keys\":[null]}", "no JSON object"},
		{"{\"keys\":[[]]}", "no JSON object"},
		{"{\"keys\":[{}]}", "no \"kty\""},
		{"{\"keys\":[{\"kty\":1}]}", "\"kty\" of a key is no string"},
		{"{\"keys\":[{\"kty\":null}]}", "\"kty\" of a key is no string"},
		{"{\"keys\":[{\"kty\":\"EC\",\"crv\":256}]}", "\"crv\" of a key is no string"},
		{"{\"keys\":[{\"kty\":\"EC\",\"alg\":[\"ES256\"]}]}", "\"alg\" of a key is no string"},
		{"{\"keys\":[{\"kty\":\"EC\",\"use\":true}]}", "\"use\" of a key is no string"},
		{"{\"keys\":[{\"kty\":\"EC\",\"key_ops\":\"verify\"}]}", "\"key_ops\" of a key is no list"},
		{"{\"keys\":[{\"kty\":\"EC\",\"key_ops\":[1]}]}", "other than strings"},
		{"{\"keys\":[]", "ends too early"},
		{"{\"keys\":[]}{}", "follows"},
		/* Twice the same: at the top, in a key, and by another spelling. */
		{"{\"keys\":[],\"keys\":[]}", "twice"},
		{"{\"keys\":[{\"kty\":\"EC\",\"kty\":\"RSA\"}]}", "twice"},
		{"{\"keys\":[{\"kty\":\"EC\",\"x\":\"A\",\"\\u0078\":\"B\"}]}", "twice"},
		{"{\"keys\":[{\"kid\":\"a\",\"k\\u0069d\":\"b\"}]}", "twice"},
		{"{\"keys\":[{\"kty\":\"EC\",\"more\":{\"a\":1,\"a\":2}}]}", "twice"},
		{"{\"keys\":[{\"kty\":\"E\\u0000C\"}]}", "NUL"},
		{"{\"keys\":[{\"kty\":\"\xff\"}]}", "UTF-8"},
		{"<html><body>Not found</body></html>", "JSON"},
	};
	char *large = malloc(JWKS_BYTES_MAX + 1), deep[256] = "{\"keys\":";

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		refused_text(table[i].text, strlen(table[i].text), table[i].reason);
	for (int i = 0; i < 40; i++)
		strcat(deep, "[");
	refused_text(deep, strlen(deep), "too deep");
	memset(large, ' ', JWKS_BYTES_MAX + 1);
	memcpy(large, published, strlen(published));
	refused_text(large, JWKS_BYTES_MAX + 1, "larger than");
	{
		struct problem problem = {0};
		struct jwks *set = NULL;

		assert_result(jwks_parse(large, JWKS_BYTES_MAX, &set, &problem), 0);
		jwks_unref(set);
	}
	free(large);
}

/* Every length that is cut is refused. */
static void cut_documents(void **state)
{
	for (size_t length = 0; length + 1 < sizeof(published) - 1; length++) {
		char *exact = malloc(length ? length : 1);
		struct problem problem = {0};
		struct jwks *set = NULL;

		memcpy(exact, published, length);
		assert_result(jwks_parse(exact, length, &set, &problem), -EINVAL);
		free(exact);
	}
}

/* ---- names ------------------------------------------------------------------------------------- */
static void wrong_names(void **state)
{
	char longest[JWKS_KID_MAX + 1];
	json_t *twice[2];

	memset(longest, 'k', JWKS_KID_MAX);
	longest[JWKS_KID_MAX] = '\0';
	refused("a number", changed(EC_A, "kid", json_integer(1)), "\"kid\" of a key is no string");
	refused("null", changed(EC_A, "kid", json_null()), "\"kid\" of a key is no string");
	refused("a list", changed(EC_A, "kid", json_pack("[s]", "k")), "\"kid\" of a key is no string");
	refused("empty", changed(EC_A, "kid", json_string("")), "\"kid\" of a key is empty");
	refused("256 bytes", changed(EC_A, "kid", json_string(longest)), "longer than 255");
	refused("line end", changed(EC_A, "kid", json_string("k\nk")), "control characters");
	refused("escape", changed(EC_A, "kid", json_string("\x1b[2J")), "control characters");
	refused("direction", changed(EC_A, "kid", json_string("k\xe2\x80\xaek")), "control characters");
	/* Also of a key that would be left out. */
	twice[0] = json_pack("{s:s,s:i}", "kty", "unknown", "kid", 1);
	twice[1] = jwk_of(test_keys[EC_A], "k");
	refused("a number, elsewhere", jwks_of(twice, 2), "\"kid\" of a key is no string");
	twice[0] = jwk_of(test_keys[EC_A], "k");
	twice[1] = jwk_of(test_keys[EC_B], "k");
	refused("twice", jwks_of(twice, 2), "same \"kid\"");
	twice[0] = jwk_of(test_keys[EC_A], "k");
	twice[1] = jwk_of(test_keys[RSA_A], "k");
	refused("twice, of other kinds", jwks_of(twice, 2), "same \"kid\"");
}

/* ---- secrets ----------------------------------------------------------------------------------- */
static void private_keys(void **state)
{
	static const char *const members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};
	json_t *two[2];

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		refused(members[i], changed(RSA_A, members[i], json_string("c2VjcmV0")), "private key");
		/* Whatever its value is, and in a key that would be left out. */
		refused(members[i], changed(EC_A, members[i], json_null()), "private key");
		two[0] = jwk_of(test_keys[EC_A], "k");
		two[1] = json_pack("{s:s,s:s,s:s}", "kty", "unknown", "use", "enc", members[i], "");
		refused(members[i], jwks_of(two, 2), "private key");
	}
	two[0] = jwk_of(test_keys[EC_A], "k");
	two[1] = json_pack("{s:s,s:s,s:s}", "kty", "oct", "k", "c2VjcmV0", "alg", "HS256");
	refused("a secret for HMACs", jwks_of(two, 2), "private key");
}

/* ---- RSA --------------------------------------------------------------------------------------- */
static json_t *rsa_with(const char *name, const uint8_t *bytes, size_t length)
{
	char text[BASE64URL_CHARS(1100) + 1];

	base64url_encode(bytes, length, text);
	return changed(RSA_A, name, json_string(text));
}

static void wrong_rsa(void **state)
{
	static const struct {
		const char *name, *what;
		uint8_t bytes[6];
		size_t length;
		const char *reason;
	} exponents[] = {
		{"e", "nothing", {0}, 0, "numbers that no such key has"},
		{"e", "0", {0}, 1, "numbers that no such key has"},
		{"e", "1", {1}, 1, "numbers that no such key has"},
		{"e", "2", {2}, 1, "numbers that no such key has"},
		{"e", "3", {3}, 1, "numbers that no such key has"},
		{"e", "17", {17}, 1, "numbers that no such key has"},
		{"e", "65535", {0xff, 0xff}, 2, "numbers that no such key has"},
		{"e", "65536", {1, 0, 0}, 3, "numbers that no such key has"},
		{"e", "65537 with a zero before it", {0, 1, 0, 1}, 4, "numbers that no such key has"},
		{"e", "five bytes", {1, 0, 0, 0, 1}, 5, "too long"},
		{"n", "nothing", {0}, 0, "under 2048"},
		{"n", "one byte", {3}, 1, "under 2048"},
	};
	EVP_PKEY *small[] = {EVP_RSA_gen(512), EVP_RSA_gen(1024), EVP_RSA_gen(2040)};
	BIGNUM *modulus = NULL;
	uint8_t bytes[1100];
	int length;

	for (size_t i = 0; i < ARRAY_LEN(exponents); i++)
		refused(exponents[i].what, rsa_with(exponents[i].name, exponents[i].bytes, exponents[i].length),
			exponents[i].reason);
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		assert_non_null(small[i]);
		refused("a small one", alone(jwk_of(small[i], "k")), "under 2048");
		EVP_PKEY_free(small[i]);
	}
	assert_int_equal(EVP_PKEY_get_bn_param(test_keys[RSA_A], "n", &modulus), 1);
	length = BN_bn2bin(modulus, bytes + 1);
	bytes[0] = 0;
	refused("a zero before it", rsa_with("n", bytes, (size_t)length + 1), "numbers that no such key has");
	bytes[length] ^= 1;
	refused("even", rsa_with("n", bytes + 1, (size_t)length), "numbers that no such key has");
	/* Three times something: it can be taken apart at sight. */
	BN_set_word(modulus, 1);
	BN_lshift(modulus, modulus, 2047);
	BN_add_word(modulus, 2 - BN_mod_word(modulus, 3) + 1);
	if (!BN_is_odd(modulus))
		BN_add_word(modulus, 3);
	assert_int_equal(BN_mod_word(modulus, 3), 0);
	length = BN_bn2bin(modulus, bytes);
	refused("divisible by three", rsa_with("n", bytes, (size_t)length), "numbers that no such key has");
	assert_int_equal(BN_generate_prime_ex(modulus, 2048, 0, NULL, NULL, NULL), 1);
	length = BN_bn2bin(modulus, bytes);
	refused("a prime", rsa_with("n", bytes, (size_t)length), "numbers that no such key has");
	memset(bytes, 0xff, sizeof(bytes));
	refused("4104 bits", rsa_with("n", bytes, 513), "too long");
	refused("no e", changed(RSA_A, "e", NULL), "no \"e\"");
	refused("no n", changed(RSA_A, "n", NULL), "no \"n\"");
	refused("e is a number", changed(RSA_A, "e", json_integer(65537)), "\"e\" of a key is no string");
	refused("padding", changed(RSA_A, "e", json_string("AQAB=")), "not base64url");
	refused("the other alphabet", changed(RSA_A, "n", json_string("+/+/")), "not base64url");
	refused("last bits", changed(RSA_A, "e", json_string("AQABB")), "not base64url");
	refused("white space", changed(RSA_A, "e", json_string("AQ AB")), "not base64url");
	BN_free(modulus);
}

/* ---- curves ------------------------------------------------------------------------------------ */
static void wrong_points(void **state)
{
	static const char zero[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
			  prime[] = "_____wAAAAEAAAAAAAAAAAAAAAD_______________8";
	const struct {
		const char *name, *value, *reason;
	} table[] = {
		{"y", off_curve, "no point"},
		{"x", zero, "no point"},
		{"x", prime, "no point"},
		{"y", prime, "no point"},
		{"x", "", "not 32 bytes"},
		{"x", "AAAA", "not 32 bytes"},
		{"x", "AH_NzidwtsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF", "too long"},
		{"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV", "not base64url"},
		{"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=", "not base64url"},
		{"x", NULL, "no \"x\""},
		{"y", NULL, "no \"y\""},
	};
	EVP_PKEY *p384 = EVP_EC_gen("P-384"), *k256 = EVP_EC_gen("secp256k1");
	json_t *jwk;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		refused(table[i].reason,
			changed(EC_A, table[i].name, table[i].value ? json_string(table[i].value) : NULL),
			table[i].reason);
	jwk = jwk_of(test_keys[EC_A], "k");
	json_object_set_new(jwk, "x", json_string(zero));
	json_object_set_new(jwk, "y", json_string(zero));
	refused("infinity", alone(jwk), "no point");
	/* Points of other curves, under the name of this one. */
	jwk = jwk_of(k256, "k");
	json_object_set_new(jwk, "crv", json_string("P-256"));
	refused("secp256k1 as P-256", alone(jwk), "no point");
	jwk = jwk_of(p384, "k");
	json_object_set_new(jwk, "crv", json_string("P-256"));
	refused("P-384 as P-256", alone(jwk), "too long");
	EVP_PKEY_free(p384);
	EVP_PKEY_free(k256);
}

/* For these anybody can sign anything: a signature of 1 and 0 verifies. */
static void weak_ed25519(void **state)
{
	static const uint8_t weak[][32] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	};
	uint8_t high[32];
	char text[BASE64URL_CHARS(32) + 1];

	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		for (int sign = 0; sign < 2; sign++) {
			memcpy(high, weak[i], sizeof(high));
			high[31] |= (uint8_t)(sign << 7);
			base64url_encode(high, sizeof(high), text);
			refused("of small order", changed(ED_A, "x", json_string(text)), "anybody can sign");
		}
	for (int low = 0xec; low <= 0xee; low++) {
		memset(high, 0xff, sizeof(high));
		high[0] = (uint8_t)low;
		for (int top = 0x7f; top <= 0xff; top += 0x80) {
			high[31] = (uint8_t)top;
			base64url_encode(high, sizeof(high), text);
			refused("of small order, spelled otherwise", changed(ED_A, "x", json_string(text)),
				"anybody can sign");
		}
	}
	refused("31 bytes", changed(ED_A, "x", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		"not 32 bytes");
	refused("no x", changed(ED_A, "x", NULL), "no \"x\"");
}

/* ---- the key's own algorithm ------------------------------------------------------------------- */
static void algorithms_that_do_not_fit(void **state)
{
	static const struct {
		int key;
		const char *algorithm;
	} table[] = {
		{EC_A, "RS256"}, {EC_A, "PS256"}, {EC_A, "EdDSA"},    {RSA_A, "ES256"},  {RSA_A, "EdDSA"},
		{ED_A, "ES256"}, {ED_A, "RS256"}, {RSA_A, "Ed25519"}, {EC_A, "Ed25519"},
	};
	EVP_PKEY *p384 = EVP_EC_gen("P-384");
	json_t *jwk;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		refused(table[i].algorithm, changed(table[i].key, "alg", json_string(table[i].algorithm)),
			"\"alg\" of a key does not fit its kind");
	jwk = jwk_of(p384, "k");
	json_object_set_new(jwk, "alg", json_string("ES256"));
	refused("ES256 on P-384", alone(jwk), "\"alg\" of a key does not fit its kind");
	EVP_PKEY_free(p384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_keys),   cmocka_unit_test(sizes_at_the_bounds),
		cmocka_unit_test(what_is_left_out), cmocka_unit_test(members_that_do_not_matter),
		cmocka_unit_test(wrong_documents),  cmocka_unit_test(cut_documents),
		cmocka_unit_test(wrong_names),      cmocka_unit_test(private_keys),
		cmocka_unit_test(wrong_rsa),        cmocka_unit_test(wrong_points),
		cmocka_unit_test(weak_ed25519),     cmocka_unit_test(algorithms_that_do_not_fit),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
