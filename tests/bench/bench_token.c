/* SPDX-License-Identifier: MIT
 *
 * Checking a token of an identity provider with keys that are there already, beside the bare signature check on the
 * same bytes, in runs that take turns; and reading a set of keys. Processor time of the one thread, since nothing here
 * waits.
 *
 * usage: bench_token
 */
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "jose/base64url.h"
#include "jose/jws_verify.h"
#include "measure.h"
#include "oidc/id_token.h"

#define ROUNDS 41
#define BATCH 200U
#define BUDGET_USEC 150.0
#define NOW 1800000000
#define ISSUER "https://id.example.org/realms/acme"

static void fail(const char *what)
{
	fprintf(stderr, "bench_token: %s\n", what);
	exit(1);
}

static struct kind {
	const char *name;
	unsigned algorithm;
	EVP_PKEY *key;
	char token[8192];
	uint8_t signature[512]; /* as OpenSSL takes it */
	size_t signature_length;
} kinds[] = {
	{.name = "RS256", .algorithm = JWS_RS256},
	{.name = "PS256", .algorithm = JWS_PS256},
	{.name = "ES256", .algorithm = JWS_ES256},
	{.name = "EdDSA", .algorithm = JWS_EDDSA},
};
static struct jwks *keys;
static char keys_text[8192];

/* ---- what is checked --------------------------------------------------------------------------- */
static const EVP_MD *digest_of(const struct kind *kind)
{
	return kind->algorithm == JWS_EDDSA ? NULL : EVP_sha256();
}

static void set_padding(const struct kind *kind, EVP_PKEY_CTX *context)
{
	if (kind->algorithm == JWS_PS256 && (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) != 1 ||
					     EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) != 1))
		fail("PSS");
}

static void sign(struct kind *kind)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context = NULL;
	uint8_t raw[64];
	char *out = kind->token + strlen(kind->token) + 1;

	kind->signature_length = sizeof(kind->signature);
	if (EVP_DigestSignInit(digest, &context, digest_of(kind), NULL, kind->key) != 1)
		fail("signing");
	set_padding(kind, context);
	if (EVP_DigestSign(digest, kind->signature, &kind->signature_length, (uint8_t *)kind->token,
			   strlen(kind->token)) != 1)
		fail("signing");
	EVP_MD_CTX_free(digest);
	out[-1] = '.';
	if (kind->algorithm == JWS_ES256) {
		const uint8_t *p = kind->signature;
		ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)kind->signature_length);

		BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
		ECDSA_SIG_free(pair);
		base64url_encode(raw, sizeof(raw), out);
	} else {
		base64url_encode(kind->signature, kind->signature_length, out);
	}
}

static void put_number(char *out, const char *name, EVP_PKEY *key, const char *parameter, int width)
{
	BIGNUM *number = NULL;
	uint8_t bytes[512];
	int length;

	if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1)
		fail("a key");
	length = width ? BN_bn2binpad(number, bytes, width) : BN_bn2bin(number, bytes);
	sprintf(out + strlen(out), ",\"%s\":\"", name);
	base64url_encode(bytes, (size_t)length, out + strlen(out));
	strcat(out, "\"");
	BN_free(number);
}

static void put_key(const struct kind *kind)
{
	uint8_t raw[32];
	size_t length = sizeof(raw);

	sprintf(keys_text + strlen(keys_text), "%s{\"kid\":\"key-%s\",\"use\":\"sig\",\"alg\":\"%s\"",
		keys_text[0] ? "," : "{\"keys\":[", kind->name, kind->name);
	if (kind->algorithm == JWS_ES256) {
		strcat(keys_text, ",\"kty\":\"EC\",\"crv\":\"P-256\"");
		put_number(keys_text, "x", kind->key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		put_number(keys_text, "y", kind->key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	} else if (kind->algorithm == JWS_EDDSA) {
		if (EVP_PKEY_get_raw_public_key(kind->key, raw, &length) != 1)
			fail("a key");
		strcat(keys_text, ",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
		base64url_encode(raw, length, keys_text + strlen(keys_text));
		strcat(keys_text, "\"");
	} else {
		strcat(keys_text, ",\"kty\":\"RSA\"");
		put_number(keys_text, "n", kind->key, OSSL_PKEY_PARAM_RSA_N, 0);
		put_number(keys_text, "e", kind->key, OSSL_PKEY_PARAM_RSA_E, 0);
	}
	strcat(keys_text, "}");
}

/* Claims as many and as long as Google's and Keycloak's are. */
static void make(struct kind *kind)
{
	static const char claims[] =
		"{\"iss\":\"" ISSUER "\",\"aud\":\"client-1.apps.example.org\",\"azp\":\"client-1.apps.example.org\","
		"\"sub\":\"f:8a1c5d3e-29bb-4c0a-9f57-1f7f6f0f1d2c:alice\",\"iat\":1799999990,\"exp\":1800000290,"
		"\"auth_time\":1799999980,\"jti\":\"9d3ae1b4-5c6f-4b7e-a0d1-3f0a7c0d2b11\",\"nonce\":\"n-0S6_WzA2Mj\","
		"\"acr\":\"1\",\"sid\":\"0d0f7a3c-1e54-4b36-8f0e-7b1c2d3e4f50\",\"email_verified\":true,"
		"\"name\":\"Alice Example\",\"preferred_username\":\"alice\",\"given_name\":\"Alice\","
		"\"family_name\":\"Example\",\"email\":\"alice@acme.example\",\"picture\":\"https://id.example.org/"
		"a.png\"}";
	char header[128];

	kind->key = kind->algorithm == JWS_ES256   ? EVP_EC_gen("P-256")
		    : kind->algorithm == JWS_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
						   : EVP_RSA_gen(2048);
	if (!kind->key)
		fail("no key");
	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"key-%s\"}", kind->name, kind->name);
	base64url_encode(header, strlen(header), kind->token);
	strcat(kind->token, ".");
	base64url_encode(claims, strlen(claims), kind->token + strlen(kind->token));
	sign(kind);
	put_key(kind);
}

static double now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1000;
}

/* ---- what is measured -------------------------------------------------------------------------- */
static double bare(const struct kind *kind)
{
	size_t length = (size_t)(strrchr(kind->token, '.') - kind->token);
	double start = now_usec();

	for (unsigned i = 0; i < BATCH; i++) {
		EVP_MD_CTX *digest = EVP_MD_CTX_new();
		EVP_PKEY_CTX *context = NULL;

		if (EVP_DigestVerifyInit(digest, &context, digest_of(kind), NULL, kind->key) != 1)
			fail("the floor");
		set_padding(kind, context);
		if (EVP_DigestVerify(digest, kind->signature, kind->signature_length, (const uint8_t *)kind->token,
				     length) != 1)
			fail("the floor");
		EVP_MD_CTX_free(digest);
	}
	return (now_usec() - start) / BATCH;
}

static double checked(const struct kind *kind)
{
	static const struct idp_record idp = {
		.tenant_id = "ten_a",
		.issuer = ISSUER,
		.client_id = "client-1.apps.example.org",
		.hosted_domain = "",
		.token_audience = "",
	};
	const struct id_token_rules rules = {
		.idp = &idp,
		.keys = keys,
		.algorithms = JWS_ANY,
		.nonce = "n-0S6_WzA2Mj",
		.access_token = "",
		.now = NOW,
	};
	size_t length = strlen(kind->token);
	double start = now_usec();

	for (unsigned i = 0; i < BATCH; i++) {
		struct oidc_identity who;

		if (id_token_check(kind->token, length, &rules, &who, NULL) != TOKEN_FINE)
			fail("a good token was refused");
	}
	return (now_usec() - start) / BATCH;
}

static double read_set(void)
{
	double start = now_usec();
	struct jwks *set = NULL;
	struct problem problem;

	if (jwks_parse(keys_text, strlen(keys_text), &set, &problem) < 0)
		fail("the keys were refused");
	jwks_unref(set);
	return now_usec() - start;
}

int main(void)
{
	double sets[ROUNDS];
	struct problem problem = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		make(&kinds[i]);
	strcat(keys_text, "]}");
	if (jwks_parse(keys_text, strlen(keys_text), &keys, &problem) < 0)
		fail(problem.text);
	printf("| ID token, cached keys | check, µs | bare `EVP_DigestVerify`, µs | ratio | budget |\n"
	       "|---|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		double whole[ROUNDS], floors[ROUNDS], ratios[ROUNDS], took, floor;

		for (unsigned round = 0; round < ROUNDS; round++) {
			floors[round] = bare(&kinds[i]);
			whole[round] = checked(&kinds[i]);
			ratios[round] = whole[round] / floors[round];
		}
		took = measure_median(whole, ROUNDS);
		floor = measure_median(floors, ROUNDS);
		printf("| %s, %zu bytes | %.1f | %.1f | %.2f | %.0f µs: %s |\n", kinds[i].name, strlen(kinds[i].token),
		       took, floor, measure_median(ratios, ROUNDS), BUDGET_USEC,
		       took <= BUDGET_USEC ? "met" : "missed");
		fprintf(stderr, "token\t%s\t%.2f\t%.2f\tusec\n", kinds[i].name, took, floor);
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		sets[round] = read_set();
	printf("| reading a set of four keys, two RSA-2048 | %.0f | – | – | – |\n", measure_median(sets, ROUNDS));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		EVP_PKEY_free(kinds[i].key);
	jwks_unref(keys);
	return 0;
}
