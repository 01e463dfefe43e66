/* SPDX-License-Identifier: MIT
 *
 * What providers are sent, and how a client proves itself. Forms are read back by a decoder of the test's own.
 */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "jose/base64url.h"
#include "jws_fixture.h"
#include "oidc/requests.h"

#define NOW 1800000000

static struct idp_record provider(void)
{
	return (struct idp_record){
		.id = "idp_1",
		.tenant_id = "ten_a",
		.name = "Example",
		.issuer = "https://id.example",
		.client_id = "client & 1",
		.client_secret = "",
		.client_key = "",
		.hosted_domain = "",
		.token_audience = "",
	};
}

static const struct oidc_endpoints endpoints = {
	.device = "https://id.example/device",
	.token = "https://id.example/token",
	.pkce = true,
	.nonce = true,
};

/* The value of a field, decoded; NULL: not there; fails when it is there twice. */
static const char *field(const struct buffer *body, const char *name)
{
	static char value[20000];
	const char *found = NULL, *p = body->data, *end = body->data + body->length;

	while (p < end) {
		const char *next = memchr(p, '&', (size_t)(end - p)), *equals;
		size_t length = 0;

		next = next ? next : end;
		equals = memchr(p, '=', (size_t)(next - p));
		assert_non_null(equals);
		if ((size_t)(equals - p) == strlen(name) && memcmp(p, name, strlen(name)) == 0) {
			assert_null(found);
			for (const char *c = equals + 1; c < next; c++) {
				unsigned byte = (unsigned char)*c;

				if (*c == '%') {
					assert_int_equal(sscanf(c + 1, "%2x", &byte), 1);
					c += 2;
				} else {
					/* Nothing that a form would have to be asked about. */
					assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
							       "0123456789-._~",
							       *c));
				}
				value[length++] = (char)byte;
			}
			value[length] = '\0';
			found = value;
		}
		p = next + 1;
	}
	return found;
}

static void has(const struct buffer *body, const char *name, const char *wanted)
{
	const char *value = field(body, name);

	if (!value || !wanted) {
		if (value || wanted)
			fail_msg("%s is %s", name, value ? value : "not there");
		return;
	}
	assert_string_equal(value, wanted);
}

static struct oidc_form device_form(const struct idp_record *record, const struct oidc_secrets *secrets)
{
	struct oidc_client *client = oidc_client_new(record);
	struct problem problem = {0};
	struct oidc_form form;

	assert_result(oidc_device_form(client, &endpoints, secrets, NOW, &form, &problem), 0);
	oidc_client_unref(client);
	return form;
}

static struct oidc_form token_form(const struct idp_record *record, const struct oidc_secrets *secrets)
{
	struct oidc_client *client = oidc_client_new(record);
	struct problem problem = {0};
	struct oidc_form form;

	assert_result(oidc_token_form(client, &endpoints, secrets, "dev&ice=1", NOW, &form, &problem), 0);
	oidc_client_unref(client);
	return form;
}

/* ---- secrets of one sign-in -------------------------------------------------------------------- */
static void secrets_are_new_each_time(void **state)
{
	struct oidc_secrets secrets[64];
	struct oidc_endpoints none = endpoints;

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		assert_result(oidc_secrets_make(&endpoints, &secrets[i]), 0);
		assert_int_equal(strlen(secrets[i].verifier), PKCE_VERIFIER_CHARS);
		assert_int_equal(strlen(secrets[i].nonce), 32);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(secrets[i].verifier, secrets[j].verifier);
			assert_string_not_equal(secrets[i].nonce, secrets[j].nonce);
		}
	}
	none.pkce = false;
	assert_result(oidc_secrets_make(&none, &secrets[0]), 0);
	assert_string_equal(secrets[0].verifier, "");
	assert_string_not_equal(secrets[0].nonce, "");
	none.nonce = false;
	assert_result(oidc_secrets_make(&none, &secrets[0]), 0);
	assert_string_equal(secrets[0].nonce, "");
}

/* ---- device ------------------------------------------------------------------------------------ */
static void a_public_client(void **state)
{
	static const char *const acr[] = {"urn:mfa", "phr"}, *const scopes[] = {"openid", "email", "a b"};
	/* RFC 7636, appendix B. */
	const struct oidc_secrets secrets = {.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", .nonce = "n-1"},
				  none = {0};
	struct idp_record record = provider();
	struct oidc_form form = device_form(&record, &secrets);

	has(&form.body, "client_id", "client & 1");
	has(&form.body, "scope", "openid email profile");
	has(&form.body, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	has(&form.body, "code_challenge_method", "S256");
	has(&form.body, "nonce", "n-1");
	has(&form.body, "code_verifier", NULL);
	has(&form.body, "client_secret", NULL);
	has(&form.body, "acr_values", NULL);
	has(&form.body, "max_age", NULL);
	assert_int_equal(form.authorization.length, 0);
	assert_true(form.body.wipe && form.authorization.wipe);
	assert_int_equal(form.body.data[form.body.length], '\0');
	oidc_form_finish(&form);

	record.acr = (struct string_list){(const char **)(uintptr_t)acr, 2};
	record.max_age_sec = 900;
	record.scopes = (struct string_list){(const char **)(uintptr_t)scopes, 3};
	form = device_form(&record, &none);
	has(&form.body, "scope", "openid email a b");
	has(&form.body, "acr_values", "urn:mfa phr");
	has(&form.body, "max_age", "900");
	has(&form.body, "code_challenge", NULL);
	has(&form.body, "nonce", NULL);
	oidc_form_finish(&form);
	/* Without it there would be no ID token. */
	record.scopes = (struct string_list){(const char **)(uintptr_t)(scopes + 1), 1};
	form = device_form(&record, &none);
	has(&form.body, "scope", "openid email");
	oidc_form_finish(&form);

	form = token_form(&record, &secrets);
	has(&form.body, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
	has(&form.body, "device_code", "dev&ice=1");
	has(&form.body, "client_id", "client & 1");
	has(&form.body, "code_verifier", secrets.verifier);
	has(&form.body, "client_secret", NULL);
	oidc_form_finish(&form);
	form = token_form(&record, &none);
	has(&form.body, "code_verifier", NULL);
	oidc_form_finish(&form);
}

/* ---- kinds ------------------------------------------------------------------------------------- */
static void kinds(void **state)
{
	static const char *const acr[] = {"mfa"};
	const struct oidc_secrets none = {0};
	struct idp_record record = provider();
	struct oidc_form form;

	record.client_auth = IDP_CLIENT_SECRET_POST;
	record.client_secret = "s3cret";
	record.acr = (struct string_list){(const char **)(uintptr_t)acr, 1};
	record.max_age_sec = 60;
	/* Google's and Microsoft's device endpoints take a client and scopes; the secret is for the token endpoint. */
	for (int kind = IDP_GOOGLE; kind <= IDP_MICROSOFT; kind++) {
		record.kind = (enum idp_kind)kind;
		form = device_form(&record, &none);
		has(&form.body, "scope", "openid email profile");
		has(&form.body, "client_secret", NULL);
		has(&form.body, "acr_values", NULL);
		has(&form.body, "max_age", NULL);
		oidc_form_finish(&form);
		form = token_form(&record, &none);
		has(&form.body, "client_secret", "s3cret");
		oidc_form_finish(&form);
	}
	/* GitHub's scope is for the addresses, which only a first sign-in needs. */
	record.kind = IDP_GITHUB;
	form = device_form(&record, &none);
	has(&form.body, "scope", NULL);
	has(&form.body, "client_secret", NULL);
	oidc_form_finish(&form);
	record.bind = IDP_BIND_VERIFIED_EMAIL;
	form = device_form(&record, &none);
	has(&form.body, "scope", "user:email");
	oidc_form_finish(&form);
	record.kind = IDP_TENANTD;
	form = device_form(&record, &none);
	has(&form.body, "scope", "openid");
	has(&form.body, "client_secret", "s3cret");
	oidc_form_finish(&form);
}

/* ---- proofs ------------------------------------------------------------------------------------ */
static void by_a_secret(void **state)
{
	const struct oidc_secrets none = {0};
	struct idp_record record = provider();
	struct oidc_form forms[2];

	record.client_id = "a:b c";
	record.client_secret = "p&=%+\xc3\xa9:\"";
	record.client_auth = IDP_CLIENT_SECRET_POST;
	forms[0] = device_form(&record, &none);
	forms[1] = token_form(&record, &none);
	for (int i = 0; i < 2; i++) {
		has(&forms[i].body, "client_id", "a:b c");
		has(&forms[i].body, "client_secret", record.client_secret);
		assert_int_equal(forms[i].authorization.length, 0);
		oidc_form_finish(&forms[i]);
	}
	record.client_auth = IDP_CLIENT_SECRET_BASIC;
	forms[0] = device_form(&record, &none);
	forms[1] = token_form(&record, &none);
	for (int i = 0; i < 2; i++) {
		char plain[200] = "";
		size_t length;

		has(&forms[i].body, "client_id", "a:b c");
		has(&forms[i].body, "client_secret", NULL);
		assert_memory_equal(forms[i].authorization.data, "Basic ", 6);
		assert_result(base64_decode(forms[i].authorization.data + 6, plain, sizeof(plain) - 1, &length), 0);
		/* Each is encoded by itself, so that there is one ':' (RFC 6749, 2.3.1). */
		assert_string_equal(plain, "a%3Ab%20c:p%26%3D%25%2B%C3%A9%3A%22");
		oidc_form_finish(&forms[i]);
	}
	record.client_auth = IDP_CLIENT_NONE;
	forms[0] = token_form(&record, &none);
	has(&forms[0].body, "client_secret", NULL);
	assert_int_equal(forms[0].authorization.length, 0);
	oidc_form_finish(&forms[0]);
}

static void put_private(json_t *jwk, const char *name, EVP_PKEY *key, const char *parameter, int width)
{
	BIGNUM *number = NULL;
	uint8_t bytes[1024];
	char text[BASE64URL_CHARS(1024) + 1];
	int length;

	assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
	length = width ? BN_bn2binpad(number, bytes, width) : BN_bn2bin(number, bytes);
	base64url_encode(bytes, (size_t)length, text);
	json_object_set_new(jwk, name, json_string(text));
	BN_clear_free(number);
}

static char *private_jwk(int key, const char *kid, const char *algorithm)
{
	EVP_PKEY *pair = test_keys[key];
	json_t *jwk = jwk_of(pair, kid);
	char *text;

	if (EVP_PKEY_is_a(pair, "RSA")) {
		put_private(jwk, "d", pair, OSSL_PKEY_PARAM_RSA_D, 0);
		put_private(jwk, "p", pair, OSSL_PKEY_PARAM_RSA_FACTOR1, 0);
		put_private(jwk, "q", pair, OSSL_PKEY_PARAM_RSA_FACTOR2, 0);
		put_private(jwk, "dp", pair, OSSL_PKEY_PARAM_RSA_EXPONENT1, 0);
		put_private(jwk, "dq", pair, OSSL_PKEY_PARAM_RSA_EXPONENT2, 0);
		put_private(jwk, "qi", pair, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 0);
	} else {
		put_private(jwk, "d", pair, OSSL_PKEY_PARAM_PRIV_KEY, 32);
	}
	if (algorithm)
		json_object_set_new(jwk, "alg", json_string(algorithm));
	text = json_dumps(jwk, 0);
	json_decref(jwk);
	return text;
}

/* The assertion in a form, as a provider would check it. The claims are the caller's. */
static json_t *assertion(const struct oidc_form *form, int key, const char *kid, unsigned algorithm)
{
	struct jwks *keys = set_of(test_keys[key], kid);
	const struct jws_rules rules = {.keys = keys, .algorithms = algorithm};
	const char *text = field(&form->body, "client_assertion");
	json_t *claims = NULL;

	assert_non_null(text);
	assert_int_equal(jws_verify(text, strlen(text), &rules, &claims, NULL), JWS_FINE);
	has(&form->body, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	has(&form->body, "client_secret", NULL);
	assert_int_equal(form->authorization.length, 0);
	jwks_unref(keys);
	return claims;
}

static void by_a_key(void **state)
{
	static const struct {
		int key;
		const char *algorithm;
		unsigned used;
	} table[] = {
		{EC_A, NULL, JWS_ES256},     {EC_A, "ES256", JWS_ES256},  {RSA_A, NULL, JWS_RS256},
		{RSA_A, "RS256", JWS_RS256}, {RSA_A, "PS256", JWS_PS256},
	};
	const struct oidc_secrets none = {0};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char *key = private_jwk(table[i].key, "k1", table[i].algorithm), *id;
		struct idp_record record = provider();
		struct oidc_form device, token;
		json_t *claims;

		record.client_auth = IDP_CLIENT_PRIVATE_KEY_JWT;
		record.client_key = key;
		device = device_form(&record, &none);
		token = token_form(&record, &none);
		claims = assertion(&device, table[i].key, "k1", table[i].used);
		assert_string_equal(json_string_value(json_object_get(claims, "iss")), "client & 1");
		assert_string_equal(json_string_value(json_object_get(claims, "sub")), "client & 1");
		/* The record's issuer, whatever addresses the provider's document names: an assertion for another's
		 * address could be used there. */
		assert_string_equal(json_string_value(json_object_get(claims, "aud")), "https://id.example");
		assert_in_range(json_integer_value(json_object_get(claims, "iat")), NOW - 10, NOW);
		assert_in_range(json_integer_value(json_object_get(claims, "exp")), NOW + 30, NOW + 120);
		id = strdup(json_string_value(json_object_get(claims, "jti")));
		assert_true(strlen(id) >= 22);
		json_decref(claims);
		claims = assertion(&token, table[i].key, "k1", table[i].used);
		assert_string_not_equal(json_string_value(json_object_get(claims, "jti")), id);
		json_decref(claims);
		oidc_form_finish(&device);
		oidc_form_finish(&token);
		/* Microsoft wants the token endpoint's address, and no proof at the device's. */
		record.kind = IDP_MICROSOFT;
		device = device_form(&record, &none);
		token = token_form(&record, &none);
		has(&device.body, "client_assertion", NULL);
		claims = assertion(&token, table[i].key, "k1", table[i].used);
		assert_string_equal(json_string_value(json_object_get(claims, "aud")), endpoints.token);
		json_decref(claims);
		oidc_form_finish(&device);
		oidc_form_finish(&token);
		free(id);
		free(key);
	}
}

static void by_a_certificates_thumbprint(void **state)
{
	char *key = private_jwk(RSA_A, "k1", "PS256"), with[8192], *p;
	const struct oidc_secrets none = {0};
	struct idp_record record = provider();
	struct oidc_form form;
	char header[512] = "";
	size_t length;

	snprintf(with, sizeof(with), "{\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2\",%s", key + 1);
	record.client_auth = IDP_CLIENT_PRIVATE_KEY_JWT;
	record.client_key = with;
	form = token_form(&record, &none);
	p = strdup(field(&form.body, "client_assertion"));
	*strchr(p, '.') = '\0';
	assert_result(base64url_decode(p, strlen(p), header, sizeof(header) - 1, &length), 0);
	assert_non_null(strstr(header, "\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2\""));
	assert_non_null(strstr(header, "\"kid\":\"k1\""));
	/* Nothing of the key but what names it. */
	assert_null(strstr(header, "\"d\""));
	assert_null(strstr(header, "\"n\""));
	free(p);
	oidc_form_finish(&form);
	free(key);
}

static void keys_that_cannot_be_used(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"not a key",
		"{\"kty\":\"EC\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AAAA\"}",
		"{\"kty\":\"RSA\",\"d\":\"AAAA\"}",
		"{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"d\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AAAA\"}",
		"-----BEGIN PRIVATE KEY-----",
	};
	const struct oidc_secrets none = {0};
	struct idp_record record = provider();
	char *wrong[] = {private_jwk(EC_A, "k", "RS256"), private_jwk(RSA_A, "k", "ES256"),
			 private_jwk(RSA_A, "k", "HS256"), private_jwk(EC_A, "k", "none")};
	json_t *public = jwk_of(test_keys[EC_A], "k");
	char *public_text = json_dumps(public, 0);

	record.client_auth = IDP_CLIENT_PRIVATE_KEY_JWT;
	for (size_t i = 0; i < ARRAY_LEN(bad) + ARRAY_LEN(wrong) + 1; i++) {
		struct problem problem = {0};
		struct oidc_client *client;
		struct oidc_form form;

		record.client_key = i < ARRAY_LEN(bad)                      ? bad[i]
				    : i < ARRAY_LEN(bad) + ARRAY_LEN(wrong) ? wrong[i - ARRAY_LEN(bad)]
									    : public_text;
		client = oidc_client_new(&record);
		if (oidc_token_form(client, &endpoints, &none, "d", NOW, &form, &problem) != -EINVAL)
			fail_msg("taken: %.60s", record.client_key);
		assert_string_not_equal(problem.text, "");
		/* No word of it is said. */
		assert_null(strstr(problem.text, "AAAA"));
		oidc_client_unref(client);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		free(wrong[i]);
	free(public_text);
	json_decref(public);
}

/* ---- clients ----------------------------------------------------------------------------------- */
static void clients_are_copies(void **state)
{
	char issuer[] = "https://id.example", secret[] = "s3cret", domain[] = "acme.example";
	const char *domains[] = {domain};
	struct idp_record record = provider();
	struct oidc_client *client;

	record.issuer = issuer;
	record.client_secret = secret;
	record.domains = (struct string_list){domains, 1};
	client = oidc_client_new(&record);
	memset(issuer, 'x', sizeof(issuer) - 1);
	memset(secret, 'x', sizeof(secret) - 1);
	memset(domain, 'x', sizeof(domain) - 1);
	domains[0] = NULL;
	assert_string_equal(client->record.issuer, "https://id.example");
	assert_string_equal(client->record.client_secret, "s3cret");
	assert_string_equal(client->record.domains.items[0], "acme.example");
	assert_ptr_equal(oidc_client_ref(client), client);
	oidc_client_unref(client);
	assert_string_equal(client->record.client_secret, "s3cret");
	oidc_client_unref(client);
	oidc_client_unref(NULL);
}

/* Another record is another client, whatever differs; the same is the same. */
static void digests_tell_records_apart(void **state)
{
	static const char *const one[] = {"a", "b"}, *const other[] = {"ab"};
	struct idp_record records[22];
	struct oidc_client *clients[ARRAY_LEN(records)], *again;

	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		records[i] = provider();
	records[1].id = "idp_2";
	records[2].tenant_id = "ten_b";
	records[3].name = "Other";
	records[4].issuer = "https://id.example/";
	records[5].kind = IDP_GOOGLE;
	records[6].client_id = "client-2";
	records[7].client_auth = IDP_CLIENT_SECRET_POST;
	records[8].client_secret = "x";
	records[9].client_key = "x";
	records[10].hosted_domain = "x";
	records[11].token_audience = "x";
	records[12].bind = IDP_BIND_VERIFIED_EMAIL;
	records[13].max_age_sec = 1;
	records[14].preferred = true;
	records[15].scopes = (struct string_list){(const char **)(uintptr_t)one, 2};
	records[16].scopes = (struct string_list){(const char **)(uintptr_t)other, 1};
	records[17].acr = (struct string_list){(const char **)(uintptr_t)one, 2};
	records[18].amr = (struct string_list){(const char **)(uintptr_t)one, 2};
	records[19].domains = (struct string_list){(const char **)(uintptr_t)one, 2};
	/* The same bytes, parted otherwise. */
	records[20].id = "idp_1ten_";
	records[20].tenant_id = "a";
	records[21].scopes = (struct string_list){(const char **)(uintptr_t)one, 1};
	records[21].acr = (struct string_list){(const char **)(uintptr_t)(one + 1), 1};
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		clients[i] = oidc_client_new(&records[i]);
		assert_non_null(clients[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(clients[i]->digest, clients[j]->digest, SHA256_BYTES);
	}
	again = oidc_client_new(&records[0]);
	assert_memory_equal(again->digest, clients[0]->digest, SHA256_BYTES);
	oidc_client_unref(again);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		oidc_client_unref(clients[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_new_each_time),
		cmocka_unit_test(a_public_client),
		cmocka_unit_test(kinds),
		cmocka_unit_test(by_a_secret),
		cmocka_unit_test(by_a_key),
		cmocka_unit_test(by_a_certificates_thumbprint),
		cmocka_unit_test(keys_that_cannot_be_used),
		cmocka_unit_test(clients_are_copies),
		cmocka_unit_test(digests_tell_records_apart),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
