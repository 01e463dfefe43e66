/* SPDX-License-Identifier: MIT
 *
 * Signed tokens of other issuers: which key they may be by, whatever they say.
 */
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jws_fixture.h"

#define CLAIMS "{\"iss\":\"https://id.example\",\"sub\":\"alice\"}"

static struct jwks *set;

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

static struct jws_rules rules(void)
{
	return (struct jws_rules){.keys = set, .algorithms = JWS_ANY};
}

static void expect(const char *what, const char *token, enum jws_fault wanted)
{
	struct jws_rules by = rules();

	jws_expect(&by, what, token, wanted);
}

static void tokens_without_kid(void **state)
{
	json_t *keys[3] = {jwk_of(test_keys[RSA_A], "rsa"), jwk_of(test_keys[EC_A], NULL),
			   jwk_of(test_keys[ED_A], NULL)};
	struct problem problem = {0};
	struct jws_rules by = rules();
	struct jwks *some = NULL;
	char token[JWS_TEXT_SIZE];

	/* One key of each kind: each can only be meant once, with a name or without. */
	assert_result(parse_set(jwks_of(keys, 3), &some, &problem), 0);
	by.keys = some;
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\"}", CLAIMS);
	jws_expect(&by, "the only one for ES256", token, JWS_FINE);
	make_token(token, test_keys[RSA_A], JWS_RS256, "{\"alg\":\"RS256\"}", CLAIMS);
	jws_expect(&by, "the only one for RS256", token, JWS_FINE);
	make_token(token, test_keys[EC_B], JWS_ES256, "{\"alg\":\"ES256\"}", CLAIMS);
	jws_expect(&by, "another's", token, JWS_BAD_SIGNATURE);
	/* A key without a name is not the one that is named. */
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", CLAIMS);
	jws_expect(&by, "a name that no key has", token, JWS_UNKNOWN_KEY);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"\"}", CLAIMS);
	jws_expect(&by, "the empty name", token, JWS_UNKNOWN_KEY);
	jwks_unref(some);
	by.keys = some = set_of(test_keys[RSA_A], "rsa");
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\"}", CLAIMS);
	jws_expect(&by, "none for ES256", token, JWS_OTHER_KEY);
	jwks_unref(some);
	by.keys = NULL;
	jws_expect(&by, "no keys at all", token, JWS_UNKNOWN_KEY);
}

/* A key that says what it is for is for nothing else, and a caller that allows less gets less. */
static void own_algorithm(void **state)
{
	static const char *const names[] = {"RS256", "PS256"};
	char header[128], token[JWS_TEXT_SIZE];

	for (int own = 0; own < 2; own++)
		for (int used = 0; used < 2; used++) {
			json_t *jwk = jwk_of(test_keys[RSA_A], "rsa");
			struct problem problem = {0};
			struct jws_rules by = rules();
			struct jwks *one = NULL;

			json_object_set_new(jwk, "alg", json_string(names[own]));
			assert_result(parse_set(jwks_of(&jwk, 1), &one, &problem), 0);
			by.keys = one;
			jws_header(header, sizeof(header), names[used], "rsa", "");
			make_token(token, test_keys[RSA_A], used ? JWS_PS256 : JWS_RS256, header, CLAIMS);
			jws_expect(&by, "own alg", token, own == used ? JWS_FINE : JWS_OTHER_KEY);
			jws_header(header, sizeof(header), names[used], "", "");
			snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[used]);
			make_token(token, test_keys[RSA_A], used ? JWS_PS256 : JWS_RS256, header, CLAIMS);
			jws_expect(&by, "own alg, no kid", token, own == used ? JWS_FINE : JWS_OTHER_KEY);
			jwks_unref(one);
		}
	for (size_t i = 0; i < JWS_KINDS; i++) {
		struct jws_rules by = rules();

		by.algorithms = JWS_ANY & ~jws_kinds[i].algorithm;
		jws_header(header, sizeof(header), jws_kinds[i].name, jws_kinds[i].kid, "");
		make_token(token, test_keys[jws_kinds[i].key], jws_kinds[i].algorithm, header, CLAIMS);
		jws_expect(&by, "not allowed", token, JWS_ALGORITHM);
		by.algorithms = 0;
		jws_expect(&by, "nothing allowed", token, JWS_ALGORITHM);
	}
}

/* One algorithm's real signature under another's name. */
static void algorithms_confused(void **state)
{
	char header[128], token[JWS_TEXT_SIZE];

	for (size_t i = 0; i < JWS_KINDS; i++)
		for (size_t j = 0; j < JWS_KINDS; j++) {
			bool same = jws_kinds[i].algorithm == jws_kinds[j].algorithm,
			     fits = jws_kinds[i].key == jws_kinds[j].key;

			jws_header(header, sizeof(header), jws_kinds[i].name, jws_kinds[j].kid, "");
			make_token(token, test_keys[jws_kinds[j].key], jws_kinds[j].algorithm, header, CLAIMS);
			expect(header, token, same ? JWS_FINE : fits ? JWS_BAD_SIGNATURE : JWS_OTHER_KEY);
		}
}

/* HS256 with what everybody knows as the secret: the public key in the forms people have it in. */
static void public_key_as_secret(void **state)
{
	static const char *const names[] = {"HS256", "RS256"};
	char header[128], token[JWS_TEXT_SIZE], pem[2048] = "";
	uint8_t mac[32], *der = NULL;
	unsigned length = sizeof(mac);
	BIO *bio = BIO_new(BIO_s_mem());
	int der_length = i2d_PUBKEY(test_keys[RSA_A], &der), pem_length;
	json_t *jwk = jwk_of(test_keys[RSA_A], "rsa");
	char *text = json_dumps(jwk, JSON_COMPACT);
	const char *modulus = json_string_value(json_object_get(jwk, "n"));
	struct {
		const void *key;
		int length;
	} secrets[5];

	assert_int_equal(PEM_write_bio_PUBKEY(bio, test_keys[RSA_A]), 1);
	pem_length = BIO_read(bio, pem, sizeof(pem) - 1);
	secrets[0].key = der, secrets[0].length = der_length;
	secrets[1].key = pem, secrets[1].length = pem_length;
	secrets[2].key = pem, secrets[2].length = pem_length - 1; /* without its last line end */
	secrets[3].key = text, secrets[3].length = (int)strlen(text);
	secrets[4].key = modulus, secrets[4].length = (int)strlen(modulus);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			jws_header(header, sizeof(header), names[j], "rsa", "");
			token[0] = '\0';
			put_part(token, header, strlen(header));
			strcat(token, ".");
			put_part(token, CLAIMS, strlen(CLAIMS));
			assert_non_null(HMAC(EVP_sha256(), secrets[i].key, secrets[i].length, (uint8_t *)token,
					     strlen(token), mac, &length));
			strcat(token, ".");
			put_part(token, mac, sizeof(mac));
			expect("HMAC by the public key", token, j ? JWS_BAD_SIGNATURE : JWS_ALGORITHM);
		}
	free(text);
	json_decref(jwk);
	OPENSSL_free(der);
	BIO_free(bio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_without_kid),
		cmocka_unit_test(own_algorithm),
		cmocka_unit_test(algorithms_confused),
		cmocka_unit_test(public_key_as_secret),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
