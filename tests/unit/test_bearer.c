/* SPDX-License-Identifier: MIT
 *
 * Access tokens of identity providers as credentials: whose they are, at a prompt and for a service, and everything
 * that makes them nobody's.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <string.h>

#include "credential/bearer.h"
#include "jose/base64url.h"
#include "jws_fixture.h"
#include "login/sso.h"
#include "login_fixture.h"

#define STAFF "https://staff.example"
#define BETA "https://beta.example"
#define HEAD_EC "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}"

static const char providers[] = "providers:\n"
				"  - {id: idp_staff, tenant: ten_acme, name: Staff, kind: oidc, issuer: " STAFF
				", client_id: hosts, token_audience: fleet-acme}\n"
				"  - {id: idp_quiet, tenant: ten_acme, name: Quiet, kind: oidc, issuer: "
				"https://quiet.example, client_id: hosts}\n"
				"  - {id: idp_beta, tenant: ten_beta, name: Beta, kind: oidc, issuer: " BETA
				", client_id: hosts, token_audience: fleet-beta}\n"
				"  - {id: idp_shared, tenant: ten_beta, name: Shared, kind: oidc, issuer: " STAFF
				", client_id: hosts, token_audience: fleet-beta}\n";

static struct jwks *keys_now;
static bool keys_fresh;
static char asked_kid[64], remembered_user[48], remembered_subject[64];

static const struct jwks *get_keys(void *context, const struct idp_record *idp, const char *unknown_kid,
				   unsigned *ret_algorithms, bool *ret_fresh)
{
	if (unknown_kid)
		snprintf(asked_kid, sizeof(asked_kid), "%s", unknown_kid);
	*ret_algorithms = JWS_ANY;
	*ret_fresh = keys_fresh;
	return keys_now;
}

static const char *remembered(void *context, const char *user_id, const char *issuer)
{
	return strcmp(user_id, remembered_user) == 0 ? remembered_subject : NULL;
}

static const char *owner(void *context, const char *tenant_id, const char *issuer, const char *subject)
{
	return *remembered_user && strcmp(subject, remembered_subject) == 0 ? remembered_user : NULL;
}

static struct login_sso hooks = {.keys = get_keys, .remembered = remembered, .owner = owner};

static char *yaml;

static void replace(const char *from, const char *to)
{
	const char *at = strstr(yaml, from);
	char *text;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - yaml), yaml, to, at + strlen(from)) > 0);
	free(yaml);
	yaml = text;
	directory_unref(d);
	d = fixture_load("gpu-1", yaml);
}

static int set_up(void **state)
{
	assert_int_equal(setup(state), 0);
	free(yaml);
	assert_true(asprintf(&yaml, "%s%s", fixture_yaml, providers) > 0);
	replace("    uid: 1879048210\n",
		"    uid: 1879048210\n    identities: [{issuer: " STAFF ", subject: sub-alice}]\n");
	replace("email: bert@beta.example", "identities: [{issuer: " BETA ", subject: sub-bert}]");
	replace("login: gone,", "login: gone, identities: [{issuer: " STAFF ", subject: sub-gone}],");
	keys_now = whole_set();
	keys_fresh = true;
	asked_kid[0] = remembered_user[0] = remembered_subject[0] = '\0';
	login_book_set_sso(book, &hooks);
	return 0;
}

static int tear_down(void **state)
{
	jwks_unref(keys_now);
	free(yaml);
	yaml = NULL;
	return teardown(state);
}

/* Claims that are good for alice; `more` begins with a comma, and later members do not replace earlier ones. */
static void claims(char *out, size_t size, const char *iss, const char *sub, const char *aud, int64_t iat, int64_t exp,
		   const char *more)
{
	snprintf(out, size, "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":%s,\"iat\":%lld,\"exp\":%lld%s}", iss, sub, aud,
		 (long long)iat, (long long)exp, more);
}

static const char *token_of(const char *iss, const char *sub, const char *aud, int64_t iat, int64_t exp,
			    const char *more)
{
	static char token[JWS_TEXT_SIZE];
	char text[2048];

	claims(text, sizeof(text), iss, sub, aud, iat, exp, more);
	make_token(token, test_keys[EC_A], JWS_ES256, HEAD_EC, text);
	return token;
}

#define ALICES(more) token_of(STAFF, "sub-alice", "\"fleet-acme\"", today - 60, today + 600, more)

static struct credential_result check(const char *token)
{
	struct credential_providers room;
	struct credential_result result;
	struct credential_context context = {.d = d, .now = today, .providers = &room};

	room = (struct credential_providers){.keys = get_keys, .remembered = remembered, .owner = owner};
	credential_check(&context, token, strlen(token), &result);
	assert_int_equal(result.type, CREDENTIAL_TOKEN);
	return result;
}

static void expect(const char *what, const char *token, enum reason reason)
{
	struct credential_result result = check(token);

	if (result.reason != reason)
		fail_msg("%s: %s (%s), not %s", what, reason_word(result.reason), result.detail ? result.detail : "",
			 reason_word(reason));
}

static void of_the_tenants_provider(void **state)
{
	struct credential_result result = check(ALICES(",\"jti\":\"t-1\""));

	assert_int_equal(result.reason, REASON_ALLOWED);
	assert_string_equal(result.user->id, "usr_alice");
	assert_null(result.key);
	assert_string_equal(result.name, "token:t-1");
	assert_string_equal(result.token.id, "t-1");
	assert_string_equal(result.token.idp_id, "idp_staff");
	assert_int_equal(result.token.issued, today - 60);
	/* One of several audiences, and without a name of its own. */
	result = check(token_of(STAFF, "sub-alice", "[\"x\",\"fleet-acme\"]", today - 60, today + 600, ""));
	assert_int_equal(result.reason, REASON_ALLOWED);
	assert_memory_equal(result.name, "token:digest-", 13);
	assert_true(*result.token.id);
}

/* The other signature that is as good: whoever has one by ES256 makes it without the key (s becomes n - s). */
static void twin_of(const char *token, char out[JWS_TEXT_SIZE])
{
	uint8_t raw[64];
	const char *signature = strrchr(token, '.') + 1;
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *s = BN_new();
	size_t length;

	assert_int_equal(base64url_decode(signature, strlen(signature), raw, sizeof(raw), &length), 0);
	assert_int_equal(length, sizeof(raw));
	assert_non_null(BN_bin2bn(raw + 32, 32, s));
	assert_int_equal(BN_sub(s, EC_GROUP_get0_order(group), s), 1);
	assert_int_equal(BN_bn2binpad(s, raw + 32, 32), 32);
	BN_free(s);
	EC_GROUP_free(group);
	memcpy(out, token, (size_t)(signature - token));
	base64url_encode(raw, sizeof(raw), out + (signature - token));
}

static void the_same_whatever_its_signature(void **state)
{
	char twin[JWS_TEXT_SIZE];
	struct credential_result result, other;

	result = check(ALICES(""));
	twin_of(ALICES(""), twin);
	other = check(twin);
	assert_int_equal(result.reason, REASON_ALLOWED);
	assert_int_equal(other.reason, REASON_ALLOWED);
	/* Revoked is revoked. */
	assert_string_equal(result.token.id, other.token.id);
	assert_string_equal(result.name, other.name);
	other = check(token_of(STAFF, "sub-alice", "\"fleet-acme\"", today - 59, today + 600, ""));
	assert_string_not_equal(result.token.id, other.token.id);
}

static void every_algorithm(void **state)
{
	char token[JWS_TEXT_SIZE], header[256], text[1024];

	claims(text, sizeof(text), STAFF, "sub-alice", "\"fleet-acme\"", today - 60, today + 600, "");
	for (size_t i = 0; i < JWS_KINDS; i++) {
		jws_header(header, sizeof(header), jws_kinds[i].name, jws_kinds[i].kid, ",\"typ\":\"at+jwt\"");
		make_token(token, test_keys[jws_kinds[i].key], jws_kinds[i].algorithm, header, text);
		expect(jws_kinds[i].name, token, REASON_ALLOWED);
	}
}

static void refused(void **state)
{
	char token[JWS_TEXT_SIZE], text[1024];
	const struct {
		const char *what, *iss, *sub, *aud;
		int64_t iat, exp;
		const char *more;
		enum reason reason;
	} table[] = {
		{"nobody's issuer", "https://evil.example", "sub-alice", "\"fleet-acme\"", -60, 600, "",
		 REASON_TOKEN_WRONG},
		{"an issuer that nearly is", STAFF "/", "sub-alice", "\"fleet-acme\"", -60, 600, "",
		 REASON_TOKEN_WRONG},
		{"a provider whose tokens do not count", "https://quiet.example", "sub-alice", "\"fleet-acme\"", -60,
		 600, "", REASON_TOKEN_WRONG},
		{"no audience of this fleet", STAFF, "sub-alice", "\"elsewhere\"", -60, 600, "", REASON_TOKEN_WRONG},
		{"the client's own audience: an ID token", STAFF, "sub-alice", "\"hosts\"", -60, 600, "",
		 REASON_TOKEN_WRONG},
		{"an ID token with our audience", STAFF, "sub-alice", "\"fleet-acme\"", -60, 600, ",\"nonce\":\"n\"",
		 REASON_TOKEN_WRONG},
		{"another one", STAFF, "sub-alice", "\"fleet-acme\"", -60, 600, ",\"at_hash\":\"n\"",
		 REASON_TOKEN_WRONG},
		{"bound to a key", STAFF, "sub-alice", "\"fleet-acme\"", -60, 600, ",\"cnf\":{\"jkt\":\"x\"}",
		 REASON_TOKEN_WRONG},
		{"a subject that nobody has", STAFF, "sub-nobody", "\"fleet-acme\"", -60, 600, "",
		 REASON_SSO_NOT_BOUND},
		{"an address as the subject", STAFF, "alice@acme.example", "\"fleet-acme\"", -60, 600,
		 ",\"email\":\"alice@acme.example\",\"email_verified\":true", REASON_SSO_NOT_BOUND},
		{"a user's id as the subject", STAFF, "usr_alice", "\"fleet-acme\"", -60, 600,
		 ",\"tenant\":\"ten_acme\"", REASON_SSO_NOT_BOUND},
		{"her subject at another tenant's issuer", BETA, "sub-alice", "\"fleet-beta\"", -60, 600, "",
		 REASON_SSO_NOT_BOUND},
		{"another tenant's person, for this one", BETA, "sub-bert", "\"fleet-acme\"", -60, 600, "",
		 REASON_TOKEN_WRONG},
		{"the same issuer for the other tenant", STAFF, "sub-alice", "\"fleet-beta\"", -60, 600, "",
		 REASON_SSO_NOT_BOUND},
		{"over", STAFF, "sub-alice", "\"fleet-acme\"", -600, -61, "", REASON_TOKEN_EXPIRED},
		{"to come", STAFF, "sub-alice", "\"fleet-acme\"", -60, 600, ",\"nbf\":1999999999", REASON_TOKEN_WRONG},
		{"issued tomorrow", STAFF, "sub-alice", "\"fleet-acme\"", 61, 600, "", REASON_TOKEN_NOT_YET},
		{"good for a year", STAFF, "sub-alice", "\"fleet-acme\"", -60, 31536000, "", REASON_TOKEN_WRONG},
		{"without an end", STAFF, "sub-alice", "\"fleet-acme\"", -60, -1800000000, "", REASON_TOKEN_WRONG},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		expect(table[i].what,
		       token_of(table[i].iss, table[i].sub, table[i].aud, today + table[i].iat, today + table[i].exp,
				table[i].more),
		       table[i].reason);
	claims(text, sizeof(text), STAFF, "sub-alice", "\"fleet-acme\"", today - 60, today + 600, "");
	make_token(token, test_keys[EC_B], JWS_ES256, HEAD_EC, text);
	expect("signed by another key under that name", token, REASON_TOKEN_WRONG);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"none\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}", text);
	expect("said to be unsigned", token, REASON_TOKEN_WRONG);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"HS256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}", text);
	expect("said to be an HMAC", token, REASON_TOKEN_WRONG);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"dpop+jwt\"}", text);
	expect("of another type", token, REASON_TOKEN_WRONG);
}

static void keys_that_are_not_here(void **state)
{
	char token[JWS_TEXT_SIZE], text[1024];

	claims(text, sizeof(text), STAFF, "sub-alice", "\"fleet-acme\"", today - 60, today + 600, "");
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"new\",\"typ\":\"at+jwt\"}", text);
	expect("a name that the fresh keys do not have", token, REASON_TOKEN_WRONG);
	assert_string_equal(asked_kid, "new");
	keys_fresh = false;
	expect("and that older ones do not", token, REASON_TOKEN_UNDECIDED);
	assert_true(reason_is_broken(REASON_TOKEN_UNDECIDED));
	jwks_unref(keys_now);
	keys_now = NULL;
	expect("no keys at all yet", ALICES(""), REASON_TOKEN_UNDECIDED);
	/* It takes one of ours to ask for keys. */
	asked_kid[0] = '\0';
	expect("nobody's token", token_of("https://evil.example", "x", "\"fleet-acme\"", today, today + 9, ""),
	       REASON_TOKEN_WRONG);
	assert_string_equal(asked_kid, "");
}

static void bound_by_an_earlier_sign_in(void **state)
{
	const char *token = token_of(STAFF, "sub-edith", "\"fleet-acme\"", today - 60, today + 600, "");

	expect("not yet", token, REASON_SSO_NOT_BOUND);
	strcpy(remembered_user, "usr_edith");
	strcpy(remembered_subject, "sub-edith");
	assert_int_equal(check(token).reason, REASON_ALLOWED);
	assert_string_equal(check(token).user->id, "usr_edith");
	/* What the directory lists stands before it: hers is alice's by an operator's word now. */
	replace("subject: sub-alice", "subject: sub-edith");
	assert_string_equal(check(token).user->id, "usr_alice");
	/* And she cannot be known by two there. */
	replace("login: edith,", "login: edith, identities: [{issuer: " STAFF ", subject: sub-other}],");
	replace("subject: sub-edith", "subject: sub-nobody");
	expect("listed with another subject", token, REASON_SSO_NOT_BOUND);
}

static void of_two_people_it_is_neithers(void **state)
{
	const char *token =
		token_of(STAFF, "sub-alice", "[\"fleet-acme\",\"fleet-beta\"]", today - 60, today + 600, "");

	assert_string_equal(check(token).user->id, "usr_alice"); /* nobody at Beta has that subject */
	replace("{issuer: " BETA ", subject: sub-bert}", "{issuer: " STAFF ", subject: sub-alice}");
	expect("two", token, REASON_TOKEN_WRONG);
	assert_non_null(strstr(check(token).detail, "two people"));
	/* For one audience it is as clear as before. */
	assert_string_equal(check(ALICES("")).user->id, "usr_alice");
	token = token_of(STAFF, "sub-alice", "\"fleet-beta\"", today - 60, today + 600, "");
	assert_string_equal(check(token).user->id, "usr_bert");
}

static void ended_by_time(void **state)
{
	const char *token = ALICES("");

	assert_int_equal(check(token).reason, REASON_ALLOWED);
	replace("    uid: 1879048210\n", "    uid: 1879048210\n    sessions_valid_from: 2027-01-15T08:00:01Z\n");
	today = FIXTURE_NOW + 10;
	expect("issued before", ALICES(""), REASON_CREDENTIAL_STALE);
	assert_int_equal(check(token_of(STAFF, "sub-alice", "\"fleet-acme\"", today + 1, today + 600, "")).reason,
			 REASON_ALLOWED);
}

static void switched_off(void **state)
{
	struct credential_context context = {.d = d, .now = today};
	struct credential_result result;
	const char *token = ALICES("");

	credential_check(&context, token, strlen(token), &result);
	assert_int_equal(result.reason, REASON_TOKEN_WRONG);
	assert_null(result.user);
}

static void at_a_prompt(void **state)
{
	struct login_origin origin = from_ssh("alice"), hub = origin;
	const char *token = ALICES(",\"jti\":\"t-9\"");
	struct login_reply reply = start(&origin);

	reply = answer(reply.token, token);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_string_equal(heard.credential, "token:t-9");
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_ALLOWED);
	/* Between the stages the provider was taken away, or its identity. */
	replace("subject: sub-alice", "subject: sub-moved");
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_TOKEN_REVOKED);
	replace("subject: sub-moved", "subject: sub-alice");
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_ALLOWED);
	replace(", token_audience: fleet-acme", "");
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_TOKEN_REVOKED);
	assert_null(strstr(buffer_text(&heard.all), token));
	hub.service = "hub";
	assert_int_equal(authorize(&hub, reply.token, "").reason, REASON_LOGIN_EXPIRED);
}

static void not_as_somebody_else(void **state)
{
	struct login_origin origin = from_ssh("edith");
	struct login_reply reply = start(&origin);

	reply = answer(reply.token, ALICES(""));
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_int_equal(reply.reason, REASON_TOKEN_WRONG);
	assert_int_equal(heard.reason, REASON_TOKEN_WRONG);
	/* Whose it is, or that it is nobody's, is not told. */
	reply = answer(reply.token, token_of(STAFF, "sub-nobody", "\"fleet-acme\"", today - 60, today + 600, ""));
	assert_int_equal(reply.reason, REASON_TOKEN_WRONG);
	assert_int_equal(heard.reason, REASON_SSO_NOT_BOUND);
}

static void undecided_is_no_failed_attempt(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply;

	jwks_unref(keys_now);
	keys_now = NULL;
	for (int i = 0; i < 20; i++) {
		reply = start(&origin);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		reply = answer(reply.token, ALICES(""));
		assert_int_equal(reply.step, LOGIN_BROKEN);
		assert_int_equal(reply.reason, REASON_TOKEN_UNDECIDED);
		assert_non_null(strstr(reply.text, "try again"));
		assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	}
	keys_now = whole_set();
	reply = start(&origin);
	assert_int_equal(answer(reply.token, ALICES("")).step, LOGIN_ALLOWED);
}

static struct credential_verdict verify(const char *token, bool trusted, uid_t uid)
{
	struct credential_check question = {.credential = token,
					    .length = strlen(token),
					    .project = "acme/vision",
					    .action = "dataset.write",
					    .service = "gate",
					    .source = "",
					    .caller_uid = uid,
					    .trusted = trusted};
	struct credential_verdict verdict;

	credential_verify(book, d, &question, now, today, &verdict);
	return verdict;
}

static void for_a_service(void **state)
{
	struct credential_verdict verdict = verify(ALICES(""), true, 990);

	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.user->id, "usr_alice");
	assert_string_equal(verdict.role, "owner");
	verdict = verify(token_of(STAFF, "sub-gone", "\"fleet-acme\"", today - 60, today + 600, ""), true, 990);
	assert_int_equal(verdict.reason, REASON_USER_SUSPENDED);
	verdict = verify(token_of(BETA, "sub-bert", "\"fleet-beta\"", today - 60, today + 600, ""), true, 990);
	assert_int_equal(verdict.reason, REASON_UNKNOWN_PROJECT); /* his tenant's people have no business in acme */
}

/* Somebody without rights who tries tokens out learns nothing that he could not read in them, and is slowed down. */
static void for_a_hostile_caller(void **state)
{
	unsigned refusals = 0;

	for (unsigned i = 0; i < 100; i++) {
		struct credential_verdict verdict = verify(
			token_of(STAFF, "sub-nobody", "\"fleet-acme\"", today - 60, today + 600, ""), false, 4242);

		assert_null(verdict.user);
		refusals += verdict.reason == REASON_TOO_MANY_ATTEMPTS;
	}
	assert_true(refusals > 50);
	assert_int_equal(heard.count, 0); /* and writes nothing into the log */
	/* The others are not slowed down by it. */
	assert_int_equal(verify(ALICES(""), true, 990).reason, REASON_ALLOWED);
}

int main(void)
{
#define BEARER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		BEARER_TEST(of_the_tenants_provider),
		BEARER_TEST(the_same_whatever_its_signature),
		BEARER_TEST(every_algorithm),
		BEARER_TEST(refused),
		BEARER_TEST(keys_that_are_not_here),
		BEARER_TEST(bound_by_an_earlier_sign_in),
		BEARER_TEST(of_two_people_it_is_neithers),
		BEARER_TEST(ended_by_time),
		BEARER_TEST(switched_off),
		BEARER_TEST(at_a_prompt),
		BEARER_TEST(not_as_somebody_else),
		BEARER_TEST(undecided_is_no_failed_attempt),
		BEARER_TEST(for_a_service),
		BEARER_TEST(for_a_hostile_caller),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
