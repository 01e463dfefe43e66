/* SPDX-License-Identifier: MIT
 *
 * Access tokens on a host: good for exactly one person of exactly one tenant, as long as that tenant's feed says so.
 */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/macros.h"
#include "credential/token.h"
#include "jwt_fixture.h"
#include "login/login.h"
#include "picture_feed.h"

#define ACME "ten_acme000000000000"
#define OTHER "ten_other00000000000"

static struct feed_picture *acme, *other;
static struct directory *d;

static void rebuild(void)
{
	struct unit *units[256];
	struct problem problem = {0};
	struct directory *next = NULL;
	const char *source;
	uint32_t count = 0;

	for (int i = 0; i < 2; i++) {
		struct unit *const *some;
		uint32_t n;

		feed_picture_units(i ? other : acme, &some, &n);
		assert_true(count + n <= ARRAY_LEN(units));
		for (uint32_t j = 0; j < n; j++)
			units[count++] = some[j];
	}
	assert_result(directory_join(NULL, units, count, "gpu-1", d, &next, &source, &problem), 0);
	directory_unref(d);
	d = next;
}

static void say(struct feed_picture *picture, const char *lines)
{
	struct problem problem = {0};

	if (feed_lines(picture, false, lines, &problem) != 0)
		fail_msg("%s", problem.text);
	rebuild();
}

static void put_key(struct feed_picture *picture, const struct jwt_public *key, uint64_t version, int64_t not_after)
{
	char x[BASE64URL_CHARS(P256_BYTES) + 1], y[sizeof(x)], line[512];

	base64url_encode(key->x, P256_BYTES, x);
	base64url_encode(key->y, P256_BYTES, y);
	snprintf(line, sizeof(line),
		 "put token_key %s %llu {\"issuer\":\"" ISSUER "\",\"x\":\"%s\",\"y\":\"%s\",\"not_after\":%lld}",
		 key->kid, (unsigned long long)version, x, y, (long long)not_after);
	say(picture, line);
}

static int setup(void **state)
{
	acme = feed_of(ACME, "acme", 1, "alice bob");
	other = feed_of(OTHER, "other", 2, "mallory");
	put_key(acme, &ours.public, 1, NOW + 86400);
	put_key(other, &others.public, 1, NOW + 86400);
	return 0;
}

static int teardown(void **state)
{
	directory_unref(d);
	d = NULL;
	feed_picture_free(acme);
	feed_picture_free(other);
	return 0;
}

/* By `key`; a member of the good claims may say something else. */
static enum reason check_at(const struct jwt_private *key, const char *type, const char *name, json_t *value,
			    int64_t now, struct credential_result *ret)
{
	json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", ISSUER, "aud", ISSUER, "sub",
				   "usr_acme_alice", "tenant", ACME, "kind", "user", "jti", "jti1", "iat",
				   (json_int_t)NOW, "exp", (json_int_t)NOW + 900);
	struct buffer token = BUFFER_INIT;

	if (name)
		json_object_set_new(claims, name, value);
	assert_result(jwt_sign(key, type, claims, &token), 0);
	credential_check(&(struct credential_context){.d = d, .now = now}, token.data, token.length, ret);
	assert_int_equal(ret->type, CREDENTIAL_TOKEN);
	assert_null(ret->key);
	buffer_finish(&token);
	json_decref(claims);
	return ret->reason;
}

static enum reason check_claim(const char *name, json_t *value)
{
	struct credential_result result;
	enum reason reason = check_at(&ours, "at+jwt", name, value, NOW, &result);

	/* Of a token that was never good nothing is said but what kind of thing it is. */
	if (reason == REASON_TOKEN_WRONG) {
		assert_null(result.user);
		assert_string_equal(result.name, "token");
	}
	return reason;
}

static void good(void **state)
{
	struct credential_result result;

	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW, &result), REASON_ALLOWED);
	assert_string_equal(result.user->id, "usr_acme_alice");
	assert_string_equal(result.name, "token:jti1");
	assert_string_equal(result.token.id, "jti1");
	assert_int_equal(check_claim("sub", json_string("usr_acme_bob")), REASON_ALLOWED);
	assert_null(credential_hint(CREDENTIAL_TOKEN));
}

static void wrong(void **state)
{
	struct credential_result result;

	assert_int_equal(check_claim("sub", json_string("usr_acme_nobody")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("sub", json_string("")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("sub", json_integer(7)), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("tenant", json_string(OTHER)), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("tenant", json_null()), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("kind", json_string("operator")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("kind", json_string("host")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("iss", json_string("https://evil.example")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("aud", json_string(ISSUER "/v1/hosts/token")), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("exp", json_integer(NOW + 86401)), REASON_TOKEN_WRONG);
	assert_int_equal(check_claim("jti", json_null()), REASON_TOKEN_WRONG);
	assert_int_equal(check_at(&ours, "JWT", NULL, NULL, NOW, &result), REASON_TOKEN_WRONG);
	assert_int_equal(check_at(&others, "at+jwt", NULL, NULL, NOW, &result), REASON_TOKEN_WRONG);
	/* Every byte changed, every length. */
	{
		char token[TOKEN_SIZE];
		const char *claims =
			"{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER "\",\"sub\":\"usr_acme_alice\",\"tenant\":\"" ACME
			"\",\"kind\":\"user\",\"jti\":\"j\",\"iat\":1800000000,\"exp\":1800000900}";
		size_t length;

		forge(token, good_header, claims);
		length = strlen(token);
		credential_check(&(struct credential_context){.d = d, .now = NOW}, token, length, &result);
		assert_int_equal(result.reason, REASON_ALLOWED);
		for (size_t i = 0; i < length; i++) {
			char before = token[i];

			token[i] = before == 'A' ? 'B' : 'A';
			credential_check(&(struct credential_context){.d = d, .now = NOW}, token, length, &result);
			assert_int_not_equal(result.reason, REASON_ALLOWED);
			token[i] = before;
			credential_check(&(struct credential_context){.d = d, .now = NOW}, token, i, &result);
			assert_int_not_equal(result.reason, REASON_ALLOWED);
		}
	}
}

/* A tenant's control plane, or whoever has its key, speaks for its own people and for nobody else's. */
static void tenants_apart(void **state)
{
	struct credential_result result;
	char lines[512];

	assert_int_equal(check_at(&others, "at+jwt", "sub", json_string("usr_other_mallory"), NOW, &result),
			 REASON_TOKEN_WRONG); /* says it is of acme */
	for (int own = 0; own < 2; own++) {
		json_t *claims =
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", ISSUER, "aud", ISSUER, "sub",
				  own ? "usr_other_mallory" : "usr_acme_alice", "tenant", own ? OTHER : ACME, "kind",
				  "user", "jti", "jti1", "iat", (json_int_t)NOW, "exp", (json_int_t)NOW + 900);
		struct buffer token = BUFFER_INIT;

		assert_result(jwt_sign(&others, "at+jwt", claims, &token), 0);
		credential_check(&(struct credential_context){.d = d, .now = NOW}, token.data, token.length, &result);
		assert_int_equal(result.reason, own ? REASON_ALLOWED : REASON_TOKEN_WRONG);
		buffer_finish(&token);
		json_decref(claims);
	}
	/* Nor do they end each other's tokens. */
	snprintf(lines, sizeof(lines), "put revocation jti1 1 {\"of\":\"token\",\"at\":%d,\"until\":%d}", NOW,
		 NOW + 900);
	say(other, lines);
	assert_int_equal(check_claim(NULL, NULL), REASON_ALLOWED);
}

static void times(void **state)
{
	struct credential_result result;

	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW + 929, &result), REASON_ALLOWED);
	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW + 930, &result), REASON_TOKEN_EXPIRED);
	assert_null(result.user);
	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW - 30, &result), REASON_ALLOWED);
	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW - 31, &result), REASON_TOKEN_NOT_YET);
	/* A key that has had its time verifies nothing. */
	put_key(acme, &ours.public, 2, NOW);
	assert_int_equal(check_claim(NULL, NULL), REASON_TOKEN_WRONG);
	put_key(acme, &ours.public, 3, NOW + 1);
	assert_int_equal(check_claim(NULL, NULL), REASON_ALLOWED);
}

static void ended(void **state)
{
	struct credential_token token = {.id = "jti1", .issued = NOW, .expires = NOW + 900};
	const struct user_record *alice = directory_user(d, "usr_acme_alice");
	struct credential_result result;
	char lines[512];

	assert_int_equal(token_in_force(d, alice, &token, NOW), REASON_ALLOWED);
	assert_int_equal(token_in_force(d, alice, &token, NOW + 930), REASON_TOKEN_EXPIRED);
	snprintf(lines, sizeof(lines), "put revocation jti1 1 {\"of\":\"token\",\"at\":%d,\"until\":%d}", NOW,
		 NOW + 900);
	say(acme, lines);
	assert_int_equal(check_at(&ours, "at+jwt", NULL, NULL, NOW, &result), REASON_TOKEN_REVOKED);
	assert_string_equal(result.name, "token:jti1"); /* for the audit */
	assert_int_equal(token_in_force(d, directory_user(d, "usr_acme_alice"), &token, NOW), REASON_TOKEN_REVOKED);
	assert_int_equal(check_claim("jti", json_string("jti2")), REASON_ALLOWED);
	say(acme, "del revocation jti1 2");
	assert_int_equal(check_claim(NULL, NULL), REASON_ALLOWED);
	/* A key that is gone. */
	snprintf(lines, sizeof(lines), "del token_key %s 2", ours.public.kid);
	say(acme, lines);
	assert_int_equal(check_claim(NULL, NULL), REASON_TOKEN_WRONG);
}

static void end_sessions(int version, int64_t valid_from)
{
	const struct user_record *alice = directory_user(d, "usr_acme_alice");
	char lines[512];

	snprintf(lines, sizeof(lines),
		 "put user usr_acme_alice %d {\"login\":\"%s\",\"uid\":%u,\"sessions_valid_from\":%lld}", version,
		 alice->login, alice->uid, (long long)valid_from);
	say(acme, lines);
}

static void sessions_ended(void **state)
{
	for (int later = 0; later < 2; later++) {
		end_sessions(10 + later, NOW + later);
		assert_int_equal(check_claim(NULL, NULL), later ? REASON_CREDENTIAL_STALE : REASON_ALLOWED);
	}
}

static void unheard(void *context, const struct audit_event *event, const char *fields, size_t length)
{
}

static uint64_t clock_now(void)
{
	return 5000 * USEC_PER_SEC;
}

/* Signs alice in with a token of this second; how that went at the prompt. */
static struct login_reply sign_in(struct login_book *book, const struct login_origin *origin, int64_t issued,
				  int64_t now)
{
	json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", ISSUER, "aud", ISSUER, "sub",
				   "usr_acme_alice", "tenant", ACME, "kind", "user", "jti", "jti1", "iat",
				   (json_int_t)issued, "exp", (json_int_t)issued + 900);
	struct buffer token = BUFFER_INIT;
	struct login_reply reply;

	assert_result(jwt_sign(&ours, "at+jwt", claims, &token), 0);
	login_start(book, d, origin, 1, clock_now(), now, &reply);
	assert_int_equal(reply.step, LOGIN_PROMPT);
	login_answer(book, d, reply.token, 1, token.data, token.length, clock_now(), now, &reply);
	buffer_finish(&token);
	json_decref(claims);
	return reply;
}

/* The control plane dates a token that it issues in the second of the cut to the cut itself, which lies ahead of now.
 * It signs in, and one from before the cut does not. */
static void signs_in_right_after_the_cut(void **state)
{
	char name[NAME_MAX_BYTES + 1];
	const struct login_origin origin = {.user = name,
					    .service = "sshd",
					    .source = "192.0.2.1",
					    .terminal = "ssh",
					    .requesting_user = "",
					    .uid = LOGIN_UID_UNSAID,
					    .requesting_uid = LOGIN_UID_UNSAID};
	struct login_authorize account = {.origin = origin, .ssh_auth_info = ""};
	static const struct freshness_entry entries[] = {{ACME, UINT64_MAX}};
	static const struct freshness fresh = {entries, ARRAY_LEN(entries)};
	struct audit *audit = NULL;
	struct login_book *book = NULL;
	struct login_verdict verdict;
	struct login_reply reply;

	snprintf(name, sizeof(name), "%s", directory_user(d, "usr_acme_alice")->login);
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, unheard, NULL, clock_now);
	assert_result(login_book_create(audit, &book), 0);
	login_book_set_freshness(book, &fresh);
	say(acme, "put host hrl_1 1 {\"name\":\"*\",\"serves\":[{\"project\":\"prj_acme\",\"login\":[\"owner\","
		  "\"editor\",\"viewer\"]}]}");
	end_sessions(10, NOW + 1);
	reply = sign_in(book, &origin, NOW, NOW);
	assert_int_not_equal(reply.step, LOGIN_ALLOWED);
	for (int lag = 0; lag < 30; lag += 29) { /* as far as a host's clock may lag behind tokens */
		reply = sign_in(book, &origin, NOW + 1, NOW - lag);
		assert_int_equal(reply.step, LOGIN_ALLOWED);
		account.token = reply.token;
		login_authorize(book, d, &account, clock_now(), NOW - lag, &verdict);
		if (verdict.reason != REASON_ALLOWED)
			fail_msg("%s", reason_word(verdict.reason));
	}
	/* Another cut within that second ends it, before the session and after. */
	end_sessions(11, NOW + 2);
	login_authorize(book, d, &account, clock_now(), NOW, &verdict);
	assert_int_equal(verdict.reason, REASON_CREDENTIAL_STALE);
	assert_int_not_equal(sign_in(book, &origin, NOW + 1, NOW + 60).step, LOGIN_ALLOWED);
	login_book_destroy(book);
	audit_destroy(audit);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good),
		TEST(wrong),
		TEST(tenants_apart),
		TEST(times),
		TEST(ended),
		TEST(sessions_ended),
		TEST(signs_in_right_after_the_cut),
	};

	return cmocka_run_group_tests(tests, jwt_set_up, jwt_tear_down);
}
