/* SPDX-License-Identifier: MIT
 *
 * ID tokens: issuer, audience, subject, times, nonce, at_hash, and what a tenant may ask for beside that. The provider
 * really signed each of these.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc_fixture.h"

/* One claim that is changed in good ones. */
static void one(const char *name, json_t *value, enum token_fault wanted)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	char what[300], *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	snprintf(what, sizeof(what), "%s = %.200s", name, text ? text : "(none)");
	free(text);
	id_expect(what, &rules, oidc_with(oidc_claims(&idp), name, value), wanted);
}

static json_t *texts(const char *a, const char *b)
{
	return b ? json_pack("[s,s]", a, b) : json_pack("[s]", a);
}

static void good_one(void **state)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	json_t *claims = oidc_claims(&idp);
	struct oidc_identity who;

	json_object_set_new(claims, "name", json_string("Alice \xc3\x89xample"));
	json_object_set_new(claims, "email", json_string("alice@acme.example"));
	json_object_set_new(claims, "email_verified", json_true());
	json_object_set_new(claims, "auth_time", json_integer(OIDC_NOW - 100));
	json_object_set_new(claims, "jti", json_string("id-1"));
	json_object_set_new(claims, "groups", json_pack("[s]", "unknown claims are free"));
	who = id_identity(&rules, claims);
	assert_string_equal(who.issuer, OIDC_ISSUER);
	assert_string_equal(who.subject, "alice");
	assert_string_equal(who.name, "Alice \xc3\x89xample");
	assert_string_equal(who.email, "alice@acme.example");
	assert_true(who.email_verified);
	assert_int_equal(who.issued, OIDC_NOW - 10);
	assert_int_equal(who.expires, OIDC_NOW + 300);
	assert_int_equal(who.auth_time, OIDC_NOW - 100);
	assert_string_equal(who.token_id, "id-1");
	who = id_identity(&rules, oidc_claims(&idp));
	assert_string_equal(who.email, "");
	assert_false(who.email_verified);
	assert_string_equal(who.name, "");
	assert_string_equal(who.token_id, "");
	assert_int_equal(who.auth_time, 0);
}

static void claims_that_are_missing(void **state)
{
	static const char *const needed[] = {"iss", "sub", "aud", "exp", "iat"};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		one(needed[i], NULL, TOKEN_NO_CLAIM);
		one(needed[i], json_null(), TOKEN_NO_CLAIM);
		one(needed[i], json_true(), TOKEN_NO_CLAIM);
		one(needed[i], json_object(), TOKEN_NO_CLAIM);
	}
	one("Iss", json_string(OIDC_ISSUER), TOKEN_FINE); /* another name is another claim */
}

static void signatures(void **state)
{
	const struct idp_record idp = oidc_idp();
	struct id_token_rules rules = oidc_rules(&idp);
	char token[JWS_TEXT_SIZE], *text;
	struct oidc_identity who;
	json_t *claims = oidc_claims(&idp);
	enum jws_fault jws;

	text = json_dumps(claims, 0);
	make_token(token, test_keys[EC_B], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", text);
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_BAD_SIGNATURE);
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, NULL), TOKEN_SIGNED_BADLY);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"none\",\"kid\":\"ec\"}", text);
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_UNSIGNED);
	/* The provider's document allows another algorithm alone. */
	rules.algorithms = JWS_RS256;
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", text);
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_ALGORITHM);
	rules = oidc_rules(&idp);
	rules.keys = NULL;
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_UNKNOWN_KEY);
	assert_int_equal(id_token_check("", 0, &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_MALFORMED);
	free(text);
	json_decref(claims);
}

/* ---- whose and for whom ------------------------------------------------------------------------ */
static void other_issuers(void **state)
{
	static const char *const others[] = {
		"https://id.example/",
		"https://ID.example",
		"HTTPS://id.example",
		"http://id.example",
		"https://id.example:443",
		"https://id.example.",
		"id.example",
		" https://id.example",
		"https://id.example ",
		"https://id.example/tenant",
		"https://id.example#",
		"https://id.example?",
		"https://id.example.evil.eu",
		"https://evil.eu/id.example",
		"https://id.example@evil.eu",
		"https://id.exampl\xd0\xb5",
		"https://accounts.google.com",
	};
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	static char longest[700];

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		one("iss", json_string(others[i]), TOKEN_OTHER_ISSUER);
	one("iss", json_string(""), TOKEN_NO_CLAIM);
	one("iss", texts(OIDC_ISSUER, NULL), TOKEN_NO_CLAIM);
	/* Another tenant's issuer at the same provider, and its own written otherwise in the record. */
	idp.issuer = "https://id.example/realms/acme";
	id_expect("other tenant", &rules,
		  oidc_with(oidc_claims(&idp), "iss", json_string("https://id.example/realms/globex")),
		  TOKEN_OTHER_ISSUER);
	/* One that is longer than what would keep it. */
	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "https://", 8);
	idp.issuer = longest;
	id_expect("too long", &rules, oidc_claims(&idp), TOKEN_OTHER_ISSUER);
	longest[512] = '\0';
	id_expect("too long by one", &rules, oidc_claims(&idp), TOKEN_OTHER_ISSUER);
	longest[511] = '\0';
	id_expect("longest", &rules, oidc_claims(&idp), TOKEN_FINE);
}

static void audiences(void **state)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	struct idp_record nobody = idp;
	const struct id_token_rules for_nobody = oidc_rules(&nobody);
	json_t *many = json_array();

	one("aud", texts(OIDC_CLIENT, NULL), TOKEN_FINE);
	one("aud", json_string("client-2"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("client-1 "), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("Client-1"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("client-1,client-2"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("client"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string(OIDC_ISSUER), TOKEN_OTHER_AUDIENCE);
	one("aud", texts("client-2", "client-3"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string(""), TOKEN_NO_CLAIM);
	one("aud", json_array(), TOKEN_NO_CLAIM);
	one("aud", json_integer(1), TOKEN_NO_CLAIM);
	one("aud", json_pack("[s,i]", OIDC_CLIENT, 1), TOKEN_NO_CLAIM);
	one("aud", json_pack("[s,n]", OIDC_CLIENT), TOKEN_NO_CLAIM);
	one("aud", json_pack("[s,s]", OIDC_CLIENT, ""), TOKEN_NO_CLAIM);
	one("aud", json_pack("[[s]]", OIDC_CLIENT), TOKEN_NO_CLAIM);
	one("aud", json_pack("{s:s}", OIDC_CLIENT, OIDC_CLIENT), TOKEN_NO_CLAIM);
	for (int i = 0; i < 64; i++)
		json_array_append_new(many, json_string(OIDC_CLIENT));
	one("aud", json_incref(many), TOKEN_OTHER_PARTY); /* many, but not too many */
	json_array_append_new(many, json_string(OIDC_CLIENT));
	one("aud", many, TOKEN_NO_CLAIM);
	/* Several: it must say to whom it was given. */
	one("aud", texts(OIDC_CLIENT, "client-2"), TOKEN_OTHER_PARTY);
	one("aud", texts(OIDC_CLIENT, OIDC_CLIENT), TOKEN_OTHER_PARTY);
	id_expect("azp", &rules,
		  oidc_with(oidc_with(oidc_claims(&idp), "aud", texts("client-2", OIDC_CLIENT)), "azp",
			    json_string(OIDC_CLIENT)),
		  TOKEN_FINE);
	id_expect("another's azp", &rules,
		  oidc_with(oidc_with(oidc_claims(&idp), "aud", texts("client-2", OIDC_CLIENT)), "azp",
			    json_string("client-2")),
		  TOKEN_OTHER_PARTY);
	one("azp", json_string(OIDC_CLIENT), TOKEN_FINE);
	one("azp", json_string("client-2"), TOKEN_OTHER_PARTY);
	one("azp", json_string(""), TOKEN_OTHER_PARTY);
	one("azp", json_null(), TOKEN_OTHER_PARTY);
	one("azp", texts(OIDC_CLIENT, NULL), TOKEN_OTHER_PARTY);
	/* A client without an id is nobody's audience. */
	nobody.client_id = "";
	id_expect("no client id", &for_nobody, oidc_with(oidc_claims(&idp), "aud", texts(OIDC_CLIENT, NULL)),
		  TOKEN_OTHER_AUDIENCE);
}

static void subjects(void **state)
{
	char longest[300];

	memset(longest, 's', sizeof(longest));
	longest[255] = '\0';
	one("sub", json_string(longest), TOKEN_FINE);
	longest[255] = 's';
	longest[256] = '\0';
	one("sub", json_string(longest), TOKEN_SUBJECT);
	one("sub", json_string(""), TOKEN_SUBJECT);
	one("sub", json_string(" "), TOKEN_SUBJECT);
	one("sub", json_string(" alice"), TOKEN_SUBJECT);
	one("sub", json_string("alice "), TOKEN_SUBJECT);
	one("sub", json_string("al\nice"), TOKEN_SUBJECT);
	one("sub", json_string("al\x1b[31mice"), TOKEN_SUBJECT);
	one("sub", json_string("al\x7fice"), TOKEN_SUBJECT);
	one("sub", json_string("al\xc2\x9bice"), TOKEN_SUBJECT);
	one("sub", json_string("\xd0\xb0lice"), TOKEN_SUBJECT); /* a Cyrillic a */
	one("sub", json_string("al\xe2\x80\xaeice"), TOKEN_SUBJECT);
	one("sub", json_string("auth0|5f7c8ec7 c33c6c004bbafe82"), TOKEN_FINE);
	one("sub", json_integer(42), TOKEN_NO_CLAIM);
	one("sub", texts("alice", NULL), TOKEN_NO_CLAIM);
}

/* ---- when -------------------------------------------------------------------------------------- */
static void at(const char *what, int64_t issued, int64_t expires, int64_t not_before, enum token_fault wanted)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	json_t *claims =
		oidc_with(oidc_with(oidc_claims(&idp), "iat", json_integer(issued)), "exp", json_integer(expires));

	if (not_before)
		json_object_set_new(claims, "nbf", json_integer(not_before));
	id_expect(what, &rules, claims, wanted);
}

static void clocks_at_the_bounds(void **state)
{
	const int64_t now = OIDC_NOW, leeway = OIDC_LEEWAY_SEC;

	at("over by the leeway", now - 600, now - leeway, 0, TOKEN_FINE);
	at("over by a second more", now - 600, now - leeway - 1, 0, TOKEN_OVER);
	at("over long ago", 1, 300, 0, TOKEN_OVER);
	at("ahead by the leeway", now + leeway, now + leeway + 300, 0, TOKEN_FINE);
	at("ahead by a second more", now + leeway + 1, now + leeway + 300, 0, TOKEN_FROM_FUTURE);
	at("not before, by the leeway", now - 10, now + 300, now + leeway, TOKEN_FINE);
	at("not before, by a second more", now - 10, now + 300, now + leeway + 1, TOKEN_TOO_EARLY);
	at("not before, long ago", now - 10, now + 300, 1, TOKEN_FINE);
	at("for a day", now - 10, now - 10 + 86400, 0, TOKEN_FINE);
	at("for a second more", now - 10, now - 10 + 86401, 0, TOKEN_TOO_LONG);
	at("for ever", now - 10, (int64_t)1 << 53, 0, TOKEN_TOO_LONG);
	at("ends as it begins", now, now, 0, TOKEN_TOO_LONG);
	at("ends before it begins", now, now - 1, 0, TOKEN_TOO_LONG);
	at("ends as it would count", now - 10, now + 30, now + 30, TOKEN_TOO_LONG);
}

static void times_of_other_types(void **state)
{
	static const char *const names[] = {"exp", "iat", "nbf"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		one(names[i], json_string("1800000010"), TOKEN_NO_CLAIM);
		one(names[i], json_real(1800000010.0), TOKEN_NO_CLAIM);
		one(names[i], json_real(1800000010.5), TOKEN_NO_CLAIM);
		one(names[i], json_real(1.8e9), TOKEN_NO_CLAIM);
		one(names[i], json_integer(0), TOKEN_NO_CLAIM);
		one(names[i], json_integer(-1), TOKEN_NO_CLAIM);
		one(names[i], json_integer(INT64_MIN), TOKEN_NO_CLAIM);
		one(names[i], json_integer(INT64_MAX), TOKEN_NO_CLAIM);
		one(names[i], json_integer(((int64_t)1 << 53) + 1), TOKEN_NO_CLAIM);
		one(names[i], json_true(), TOKEN_NO_CLAIM);
		one(names[i], json_null(), TOKEN_NO_CLAIM);
		one(names[i], json_pack("[i]", OIDC_NOW), TOKEN_NO_CLAIM);
	}
	one("exp", json_integer((int64_t)OIDC_NOW * 1000), TOKEN_TOO_LONG); /* milliseconds */
	one("nbf", NULL, TOKEN_FINE);
}

static void asked_for_a_recent_sign_in(void **state)
{
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	const struct {
		json_t *value;
		enum token_fault asked, unasked;
	} table[] = {
		{json_integer(OIDC_NOW), TOKEN_FINE, TOKEN_FINE},
		{json_integer(OIDC_NOW - 900), TOKEN_FINE, TOKEN_FINE},
		{json_integer(OIDC_NOW - 900 - OIDC_LEEWAY_SEC), TOKEN_FINE, TOKEN_FINE},
		{json_integer(OIDC_NOW - 901 - OIDC_LEEWAY_SEC), TOKEN_AUTH_TIME, TOKEN_FINE},
		{json_integer(1), TOKEN_AUTH_TIME, TOKEN_FINE},
		{json_integer(OIDC_NOW + OIDC_LEEWAY_SEC), TOKEN_FINE, TOKEN_FINE},
		{json_integer(OIDC_NOW + OIDC_LEEWAY_SEC + 1), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{json_integer(0), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{json_integer(-5), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{json_string("1800000000"), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{json_real(1800000000.0), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{json_null(), TOKEN_AUTH_TIME, TOKEN_AUTH_TIME},
		{NULL, TOKEN_AUTH_TIME, TOKEN_FINE},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		idp.max_age_sec = 900;
		id_expect("max_age", &rules, oidc_with(oidc_claims(&idp), "auth_time", json_incref(table[i].value)),
			  table[i].asked);
		idp.max_age_sec = 0;
		id_expect("no max_age", &rules, oidc_with(oidc_claims(&idp), "auth_time", table[i].value),
			  table[i].unasked);
	}
	/* The longest span that a record could have does not overflow. */
	idp.max_age_sec = UINT32_MAX;
	id_expect("for ever", &rules, oidc_with(oidc_claims(&idp), "auth_time", json_integer(1)), TOKEN_FINE);
}

/* ---- what belongs to this sign-in -------------------------------------------------------------- */
static void nonces(void **state)
{
	struct idp_record idp = oidc_idp(), own = oidc_idp_of(IDP_TENANTD);
	struct id_token_rules rules = oidc_rules(&idp), own_rules = oidc_rules(&own);

	/* None was sent: one that is there belongs to another sign-in. */
	one("nonce", json_string(OIDC_NONCE), TOKEN_NONCE);
	one("nonce", json_string(""), TOKEN_NONCE);
	one("nonce", json_null(), TOKEN_NONCE);
	rules.nonce = own_rules.nonce = OIDC_NONCE;
	id_expect("the same", &rules, oidc_with(oidc_claims(&idp), "nonce", json_string(OIDC_NONCE)), TOKEN_FINE);
	id_expect("another", &rules, oidc_with(oidc_claims(&idp), "nonce", json_string("n-0S6_WzA2Mk")), TOKEN_NONCE);
	id_expect("longer", &rules, oidc_with(oidc_claims(&idp), "nonce", json_string(OIDC_NONCE "x")), TOKEN_NONCE);
	id_expect("shorter", &rules, oidc_with(oidc_claims(&idp), "nonce", json_string("n-0S6_WzA2M")), TOKEN_NONCE);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "nonce", json_string("")), TOKEN_NONCE);
	id_expect("null", &rules, oidc_with(oidc_claims(&idp), "nonce", json_null()), TOKEN_NONCE);
	id_expect("a list", &rules, oidc_with(oidc_claims(&idp), "nonce", texts(OIDC_NONCE, NULL)), TOKEN_NONCE);
	/* The device flow's standard has none, so others may leave it out; our own control plane does not. */
	id_expect("left out", &rules, oidc_claims(&idp), TOKEN_FINE);
	id_expect("left out by our own", &own_rules, oidc_claims(&own), TOKEN_NONCE);
	id_expect("our own", &own_rules, oidc_with(oidc_claims(&own), "nonce", json_string(OIDC_NONCE)), TOKEN_FINE);
}

static void hashes_of_the_access_token(void **state)
{
	static const struct {
		const char *name, *kid;
		unsigned algorithm;
		int key;
	} kinds[] = {
		{"RS256", "rsa", JWS_RS256, RSA_A},
		{"PS256", "rsa", JWS_PS256, RSA_A},
		{"ES256", "ec", JWS_ES256, EC_A},
		{"EdDSA", "ed", JWS_EDDSA, ED_A},
	};
	const struct idp_record idp = oidc_idp();
	struct id_token_rules rules = oidc_rules(&idp);
	uint8_t digest[32];
	char right[64], half[64] = "", whole[64] = "", padded[80];
	unsigned size = sizeof(digest);

	/* Which digest it is goes with the signature. */
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (int sha512 = 0; sha512 < 2; sha512++) {
			const char *hash = oidc_at_hash(sha512 ? EVP_sha512() : EVP_sha256());
			json_t *claims = oidc_with(oidc_claims(&idp), "at_hash", json_string(hash));
			char *text = json_dumps(claims, 0), header[128], token[JWS_TEXT_SIZE];
			struct oidc_identity who;
			bool fits = sha512 == (kinds[i].algorithm == JWS_EDDSA);

			jws_header(header, sizeof(header), kinds[i].name, kinds[i].kid, "");
			make_token(token, test_keys[kinds[i].key], kinds[i].algorithm, header, text);
			assert_int_equal(id_token_check(token, strlen(token), &rules, &who, NULL),
					 fits ? TOKEN_FINE : TOKEN_AT_HASH);
			free(text);
			json_decref(claims);
		}
	EVP_Digest(OIDC_ACCESS, strlen(OIDC_ACCESS), digest, &size, EVP_sha256(), NULL);
	put_part(half, digest + 16, 16);
	put_part(whole, digest, 32);
	strcpy(right, oidc_at_hash(EVP_sha256()));
	snprintf(padded, sizeof(padded), "%s==", right);
	one("at_hash", json_string(right), TOKEN_FINE);
	one("at_hash", json_string(half), TOKEN_AT_HASH); /* the right half */
	one("at_hash", json_string(whole), TOKEN_AT_HASH);
	one("at_hash", json_string(padded), TOKEN_AT_HASH);
	one("at_hash", json_string(oidc_at_hash(EVP_sha1())), TOKEN_AT_HASH);
	one("at_hash", json_string(OIDC_ACCESS), TOKEN_AT_HASH);
	one("at_hash", json_string(""), TOKEN_AT_HASH);
	one("at_hash", json_null(), TOKEN_AT_HASH);
	one("at_hash", json_integer(1), TOKEN_AT_HASH);
	/* It is there, and nothing that it could be of. */
	rules.access_token = "";
	id_expect("no access token", &rules, oidc_with(oidc_claims(&idp), "at_hash", json_string(right)),
		  TOKEN_AT_HASH);
	id_expect("the hash of nothing", &rules,
		  oidc_with(oidc_claims(&idp), "at_hash", json_string("47DEQpj8HBSa-_TImW-5JA")), TOKEN_AT_HASH);
	id_expect("neither", &rules, oidc_claims(&idp), TOKEN_FINE);
	rules.access_token = "ya29.another";
	id_expect("another's", &rules, oidc_with(oidc_claims(&idp), "at_hash", json_string(right)), TOKEN_AT_HASH);
}

/* ---- tokens of other kinds --------------------------------------------------------------------- */
static void access_tokens_are_no_id_tokens(void **state)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	char token[JWS_TEXT_SIZE], *text;
	struct oidc_identity who;
	json_t *claims = oidc_claims(&idp);
	enum jws_fault jws;

	one("scope", json_string("openid email"), TOKEN_KIND);
	one("scp", json_string("user.read"), TOKEN_KIND);
	one("scp", json_pack("[s]", "openid"), TOKEN_KIND);
	one("events", json_object(), TOKEN_KIND);
	one("typ", json_string("ID"), TOKEN_FINE);
	one("typ", json_string("Bearer"), TOKEN_KIND);
	one("typ", json_string("Refresh"), TOKEN_KIND);
	one("typ", json_string("Logout"), TOKEN_KIND);
	one("typ", json_integer(1), TOKEN_KIND);
	one("token_use", json_string("id"), TOKEN_FINE);
	one("token_use", json_string("access"), TOKEN_KIND);
	/* And by its header. */
	text = json_dumps(claims, 0);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}", text);
	assert_int_equal(id_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_BAD_TYPE);
	free(text);
	json_decref(claims);
}

static void words(void **state)
{
	for (int i = 0; i < TOKEN_FAULT_COUNT; i++) {
		const char *sentence = token_fault_sentence((enum token_fault)i);

		assert_true(strlen(sentence) > 10 && sentence[strlen(sentence) - 1] != '.');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(token_fault_word((enum token_fault)i),
						token_fault_word((enum token_fault)j));
	}
	assert_string_equal(token_fault_word(TOKEN_FAULT_COUNT), "unknown");
	assert_string_equal(token_fault_sentence((enum token_fault) - 1), "The token is refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_one),
		cmocka_unit_test(claims_that_are_missing),
		cmocka_unit_test(signatures),
		cmocka_unit_test(other_issuers),
		cmocka_unit_test(audiences),
		cmocka_unit_test(subjects),
		cmocka_unit_test(clocks_at_the_bounds),
		cmocka_unit_test(times_of_other_types),
		cmocka_unit_test(asked_for_a_recent_sign_in),
		cmocka_unit_test(nonces),
		cmocka_unit_test(hashes_of_the_access_token),
		cmocka_unit_test(access_tokens_are_no_id_tokens),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, oidc_set_up, oidc_tear_down);
}
