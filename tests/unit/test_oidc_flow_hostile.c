/* SPDX-License-Identifier: MIT
 *
 * Providers that do not as they should: who answers with something else, too much, too slowly, or is somebody else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "flow_rig.h"

#define DISCOVERY "/.well-known/openid-configuration"
#define BEGIN_SEC 21 /* in which a sign-in without a code is given up */

static const char *const steps[] = {DISCOVERY, "/jwks", "/device", "/token"};

static void again(void)
{
	flow_http(&(struct http_options){.allow_plain = true, .accept_tls12 = true, .proxy = ""});
	fake_provider_decide(rig.provider, FAKE_APPROVED);
}

static void expect_unreachable(const char *path, const char *says)
{
	struct flow_seen seen = flow_whole(150);

	if (seen.result.end != FLOW_UNREACHABLE || !strstr(seen.result.detail, says) ||
	    !text_is_printable(seen.result.detail, strlen(seen.result.detail)))
		fail_msg("%s: ended as %d: %s", path, (int)seen.result.end, seen.result.detail);
	/* Nobody is shown an address that comes from nowhere. */
	assert_int_equal(seen.prompts, strcmp(path, DISCOVERY) != 0 && strcmp(path, "/device") != 0);
}

static void test_redirects_are_not_followed(void **state)
{
	char there[128];

	snprintf(there, sizeof(there), "Location: %s/elsewhere", fake_provider_issuer(rig.provider));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		static const unsigned statuses[] = {301, 302, 303, 307, 308};

		again();
		fake_provider_answer(rig.provider, steps[i], -1, statuses[i], there, NULL, FAKE_BODY_WHOLE);
		expect_unreachable(steps[i], "redirect");
		fake_provider_answer(rig.provider, steps[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	}
	assert_int_equal(fake_provider_count(rig.provider, "/elsewhere"), 0);
}

static void test_answers_that_are_too_large(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		again();
		fake_provider_answer(rig.provider, steps[i], -1, 200, NULL, NULL, FAKE_BODY_ENDLESS);
		expect_unreachable(steps[i], "larger than it may be");
		/* A refusal is no way around the limit. */
		again();
		fake_provider_answer(rig.provider, steps[i], -1, 400, NULL, NULL, FAKE_BODY_ENDLESS);
		expect_unreachable(steps[i], "larger than it may be");
		fake_provider_answer(rig.provider, steps[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	}
}

static void test_answers_that_stop_in_the_middle(void **state)
{
	static const struct {
		enum fake_body how;
		const char *says;
	} ways[] = {
		{FAKE_BODY_STALL, "does not answer in time"},
		{FAKE_BODY_DRIP, "does not answer in time"},
		{FAKE_BODY_CUT, "ended in the middle"},
	};

	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			again();
			fake_provider_set_code(rig.provider, 20, 5);
			fake_provider_answer(rig.provider, steps[i], -1, 200, NULL, NULL, ways[way].how);
			expect_unreachable(steps[i], ways[way].says);
			fake_provider_answer(rig.provider, steps[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
		}
	}
}

static void test_a_stall_while_the_person_waits_is_sat_out(void **state)
{
	struct flow_seen seen;

	again();
	fake_provider_answer(rig.provider, "/token", 1, 200, NULL, NULL, FAKE_BODY_STALL);
	seen = flow_whole(60);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 2);
}

static void test_wrong_content(void **state)
{
	static const char *const bodies[] = {
		"",     "<html><title>Maintenance</title></html>",
		"[]",   "\"text\"",
		"null", "{\"issuer\":\"x\",\"issuer\":\"y\",\"keys\":[],\"keys\":[]}",
		"{",    "{}trailing",
		"{}",
	};

	for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			again();
			fake_provider_answer(rig.provider, steps[i], -1, 200, NULL, bodies[b], FAKE_BODY_WHOLE);
			expect_unreachable(steps[i], "");
			again();
			fake_provider_answer(rig.provider, steps[i], -1, 404, NULL, bodies[b], FAKE_BODY_WHOLE);
			expect_unreachable(steps[i], "");
			fake_provider_answer(rig.provider, steps[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
		}
	}
}

static void test_another_issuers_discovery(void **state)
{
	static const char document[] =
		"{\"issuer\":\"https://evil.example\",\"device_authorization_endpoint\":\"https://evil.example/d\","
		"\"token_endpoint\":\"https://evil.example/t\",\"jwks_uri\":\"https://evil.example/k\"}";
	struct flow_seen seen;

	fake_provider_answer(rig.provider, DISCOVERY, -1, 200, NULL, document, FAKE_BODY_WHOLE);
	seen = flow_whole(5);
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
	assert_non_null(strstr(seen.result.detail, "issuer"));
	assert_int_equal(seen.prompts, 0);
	assert_true(flow_said(&seen, "-discovery"));
}

static void test_what_would_reach_the_terminal(void **state)
{
	static const char *const answers[] = {
		"{\"device_code\":\"a\",\"user_code\":\"AB\\u001b[2J\",\"verification_uri\":\"https://x.example/\","
		"\"expires_in\":300}",
		"{\"device_code\":\"a\",\"user_code\":\"AB\",\"verification_uri\":\"https://x.example/\\u202e\","
		"\"expires_in\":300}",
		"{\"device_code\":\"a\",\"user_code\":\"AB\",\"verification_uri\":\"http://x.example/"
		"\",\"expires_in\":300}",
		"{\"device_code\":\"a\",\"user_code\":\"AB\",\"verification_uri\":\"javascript:alert(1)\","
		"\"expires_in\":300}",
		"{\"device_code\":\"a\\nb\",\"user_code\":\"AB\",\"verification_uri\":\"https://x.example/\","
		"\"expires_in\":300}",
		"{\"device_code\":\"a\",\"user_code\":\"\",\"verification_uri\":\"https://x.example/"
		"\",\"expires_in\":300}",
		"{\"device_code\":\"a\",\"user_code\":\"AB\",\"verification_uri\":\"https://x.example/"
		"\",\"expires_in\":0}",
	};
	struct flow_seen seen;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		fake_provider_answer(rig.provider, "/device", -1, 200, NULL, answers[i], FAKE_BODY_WHOLE);
		seen = flow_whole(5);
		if (seen.result.end != FLOW_UNREACHABLE || seen.prompts)
			fail_msg("taken: %s", answers[i]);
	}
	fake_provider_answer(rig.provider, "/device", -1, 400, NULL,
			     "{\"error\":\"invalid_client\",\"error_description\":\"no\\u001b[31m\"}", FAKE_BODY_WHOLE);
	seen = flow_whole(5);
	assert_int_equal(seen.result.end, FLOW_REFUSED);
	assert_true(text_is_printable(seen.result.detail, strlen(seen.result.detail)));
	assert_null(strstr(seen.steps, "\033"));
}

static void test_refusals_are_the_operators_matter(void **state)
{
	static const char *const words[] = {"invalid_client", "unauthorized_client", "invalid_grant",
					    "unsupported_grant_type", "invalid_scope"};
	struct flow_seen seen;
	char body[128];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		snprintf(body, sizeof(body), "{\"error\":\"%s\"}", words[i]);
		fake_provider_answer(rig.provider, "/device", 1, 401, NULL, body, FAKE_BODY_WHOLE);
		seen = flow_whole(30);
		assert_int_equal(seen.result.end, FLOW_REFUSED);
		assert_non_null(strstr(seen.result.detail, words[i]));
		assert_int_equal(seen.prompts, 0);
		fake_provider_answer(rig.provider, "/token", 1, 400, NULL, body, FAKE_BODY_WHOLE);
		seen = flow_whole(30);
		assert_int_equal(seen.result.end, FLOW_REFUSED);
		assert_non_null(strstr(seen.result.detail, words[i]));
		assert_int_equal(seen.prompts, 1);
	}
	/* Approved, and no ID token. */
	fake_provider_answer(rig.provider, "/token", 1, 200, NULL, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}",
			     FAKE_BODY_WHOLE);
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_REFUSED);
	assert_non_null(strstr(seen.result.detail, "openid"));
}

static void test_tokens_that_do_not_hold(void **state)
{
	static const struct {
		const char *claims;
		enum token_fault fault;
	} bad[] = {
		{"{\"iss\":\"https://evil.example\"}", TOKEN_OTHER_ISSUER},
		{"{\"aud\":\"somebody-else\"}", TOKEN_OTHER_AUDIENCE},
		{"{\"aud\":[\"" FAKE_CLIENT "\",\"b\"]}", TOKEN_OTHER_PARTY},
		{"{\"azp\":\"somebody-else\"}", TOKEN_OTHER_PARTY},
		{"{\"sub\":null}", TOKEN_NO_CLAIM},
		{"{\"exp\":null}", TOKEN_NO_CLAIM},
		{"{\"nonce\":\"not-ours\"}", TOKEN_NONCE},
		{"{\"at_hash\":\"AAAAAAAAAAAAAAAAAAAAAA\"}", TOKEN_AT_HASH},
	};
	struct flow_seen seen;
	char claims[64];

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		fake_provider_set_claims(rig.provider, bad[i].claims);
		seen = flow_whole(30);
		if (seen.result.end != FLOW_BAD_TOKEN || seen.result.token != bad[i].fault)
			fail_msg("%s: %d, %s", bad[i].claims, (int)seen.result.end,
				 token_fault_word(seen.result.token));
		assert_true(flow_said(&seen, "-token"));
		/* Nothing of an identity that was not proven. */
		assert_string_equal(seen.result.identity.subject, "");
	}
	snprintf(claims, sizeof(claims), "{\"nbf\":%lld}", (long long)clock_realtime_sec() + 300);
	fake_provider_set_claims(rig.provider, claims);
	seen = flow_whole(30);
	assert_int_equal(seen.result.token, TOKEN_TOO_EARLY);
	/* Signed by another key under the right name. */
	fake_provider_set_claims(rig.provider, "{}");
	fake_provider_sign_with(rig.provider, EC_B, "k1");
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
	assert_int_equal(seen.result.token, TOKEN_SIGNED_BADLY);
	assert_int_equal(seen.result.jws, JWS_BAD_SIGNATURE);
	/* And by one of another kind. */
	fake_provider_sign_with(rig.provider, RSA_A, "k1");
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
	assert_int_equal(seen.result.jws, JWS_OTHER_KEY);
	/* None of these is a reason to ask for keys. */
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 1);
}

static void test_clocks_apart(void **state)
{
	static const struct {
		int ahead;
		enum flow_end end;
		enum token_fault fault;
	} clocks[] = {
		{0, FLOW_PROVEN, TOKEN_FINE},
		{50, FLOW_PROVEN, TOKEN_FINE},
		{-50, FLOW_PROVEN, TOKEN_FINE},
		{-600, FLOW_PROVEN, TOKEN_FINE}, /* its end, and a leeway */
		{90, FLOW_BAD_TOKEN, TOKEN_FROM_FUTURE},
		{-700, FLOW_BAD_TOKEN, TOKEN_OVER},
	};

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
		struct flow_seen seen;

		fake_provider_set_clock(rig.provider, clocks[i].ahead);
		seen = flow_whole(30);
		if (seen.result.end != clocks[i].end || seen.result.token != clocks[i].fault)
			fail_msg("%d seconds: %d, %s", clocks[i].ahead, (int)seen.result.end,
				 token_fault_word(seen.result.token));
	}
}

/* ---- who it is ------------------------------------------------------------------------------------------------- */

static void use_tls(const struct fake_tls *tls, const char *priority, const char *ca_file, const char *issuer)
{
	static char name[64];

	fake_provider_stop(rig.provider);
	rig.provider = fake_provider_start(tls, priority);
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	snprintf(name, sizeof(name), "%s", fake_provider_issuer(rig.provider));
	if (issuer) /* another name for the same address */
		snprintf(name, sizeof(name), "https://%s%s", issuer, strrchr(fake_provider_issuer(rig.provider), ':'));
	rig.idp.issuer = name;
	flow_http(&(struct http_options){.ca_file = ca_file, .accept_tls12 = true, .proxy = ""});
	flow_client();
}

static void test_only_who_proves_to_be_the_provider(void **state)
{
	char path[] = "/tmp/test-flow-XXXXXX", other_path[] = "/tmp/test-flow-XXXXXX";
	int fd = mkstemp(path), other_fd = mkstemp(other_path);
	struct fake_tls tls, other;
	struct flow_seen seen;

	fake_tls_make("127.0.0.1", &tls);
	fake_tls_make("127.0.0.1", &other);
	assert_int_equal(fd_write_all(fd, tls.certificate, strlen(tls.certificate)), 0);
	assert_int_equal(fd_write_all(other_fd, other.certificate, strlen(other.certificate)), 0);

	use_tls(&tls, NULL, path, NULL);
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	use_tls(&tls, "NORMAL:-VERS-ALL:+VERS-TLS1.2", path, NULL);
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_PROVEN);

	use_tls(&tls, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", path, NULL);
	expect_unreachable(DISCOVERY, "does not prove who it is");
	/* Nobody the system knows. */
	use_tls(&tls, NULL, NULL, NULL);
	expect_unreachable(DISCOVERY, "does not prove who it is");
	use_tls(&tls, NULL, other_path, NULL);
	expect_unreachable(DISCOVERY, "does not prove who it is");
	use_tls(&tls, NULL, path, "localhost");
	expect_unreachable(DISCOVERY, "does not prove who it is");
	/* Plain text where only https will do: no such issuer. */
	fake_provider_stop(rig.provider);
	rig.provider = fake_provider_start(NULL, NULL);
	rig.idp.issuer = fake_provider_issuer(rig.provider);
	flow_http(&(struct http_options){.ca_file = path, .accept_tls12 = true, .proxy = ""});
	flow_client();
	seen = flow_whole(30);
	assert_int_not_equal(seen.result.end, FLOW_PROVEN);
	assert_int_equal(fake_provider_count(rig.provider, DISCOVERY), 0);

	fake_tls_finish(&tls);
	fake_tls_finish(&other);
	close(fd);
	close(other_fd);
	unlink(path);
	unlink(other_path);
}

static void test_who_comes_back_as_somebody_else(void **state)
{
	char path[] = "/tmp/test-flow-XXXXXX";
	int fd = mkstemp(path);
	struct fake_tls tls, other;
	struct flow_seen seen;

	fake_tls_make("127.0.0.1", &tls);
	fake_tls_make("127.0.0.1", &other);
	assert_int_equal(fd_write_all(fd, tls.certificate, strlen(tls.certificate)), 0);
	use_tls(&tls, NULL, path, NULL);
	fake_provider_decide(rig.provider, FAKE_PENDING);
	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	fake_provider_die(rig.provider);
	{
		struct fake_tls true_one = tls;

		/* The same address, another certificate: never asked with the code in hand. */
		tls = other;
		fake_provider_decide(rig.provider, FAKE_APPROVED);
		fake_provider_revive(rig.provider);
		assert_false(flow_run(seen.ends > 0, 100));
		assert_int_equal(fake_provider_count(rig.provider, "/token"), 0);
		fake_provider_die(rig.provider);
		tls = true_one;
	}
	fake_provider_revive(rig.provider);
	assert_true(flow_run(seen.ends > 0, 60));
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	fake_tls_finish(&tls);
	fake_tls_finish(&other);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_redirects_are_not_followed),
		FLOW_TEST(test_answers_that_are_too_large),
		FLOW_TEST(test_answers_that_stop_in_the_middle),
		FLOW_TEST(test_a_stall_while_the_person_waits_is_sat_out),
		FLOW_TEST(test_wrong_content),
		FLOW_TEST(test_another_issuers_discovery),
		FLOW_TEST(test_what_would_reach_the_terminal),
		FLOW_TEST(test_refusals_are_the_operators_matter),
		FLOW_TEST(test_tokens_that_do_not_hold),
		FLOW_TEST(test_clocks_apart),
		FLOW_TEST(test_only_who_proves_to_be_the_provider),
		FLOW_TEST(test_who_comes_back_as_somebody_else),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
