/* SPDX-License-Identifier: MIT
 *
 * Providers that are away for a while, or have other keys than before: what goes on, what waits, and when it is over.
 */
#include <stdio.h>
#include <string.h>

#include "flow_rig.h"

#define DISCOVERY "/.well-known/openid-configuration"
#define HOUR (3600 * USEC_PER_SEC)

static const int new_key[] = {EC_B};
static const char *const new_kid[] = {"k2"};

static void approved(struct flow_seen *seen, const char *what)
{
	if (seen->result.end != FLOW_PROVEN)
		fail_msg("%s: ended as %d: %s\n%s", what, (int)seen->result.end, seen->result.detail, seen->steps);
}

/* ---- polls ------------------------------------------------------------------------------------------------------- */

static void test_away_while_the_person_waits(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_false(flow_run(seen.ends > 0, 20));
	fake_provider_die(rig.provider);
	assert_false(flow_run(seen.ends > 0, 90));
	fake_provider_revive(rig.provider);
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	/* Asked again no later than half a minute after. */
	assert_true(flow_run(seen.ends > 0, 31));
	approved(&seen, "came back");
}

static void test_away_for_good_is_no_denial(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_false(flow_run(seen.ends > 0, 20));
	fake_provider_die(rig.provider);
	assert_true(flow_run(seen.ends > 0, 300));
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
	assert_non_null(strstr(seen.result.detail, "cannot be reached"));
	fake_provider_revive(rig.provider);
}

static void test_asks_less_often_while_it_fails(void **state)
{
	struct flow_seen seen;
	unsigned before;

	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	fake_provider_answer(rig.provider, "/token", -1, 503, NULL, "", FAKE_BODY_WHOLE);
	before = fake_provider_count(rig.provider, "/token");
	assert_false(flow_run(seen.ends > 0, 126));
	/* After 5, 10, 20, 30, 30, 30 seconds. */
	assert_int_equal(fake_provider_count(rig.provider, "/token") - before, 6);
	/* And as before once it answers. */
	fake_provider_answer(rig.provider, "/token", 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	assert_true(flow_run(fake_provider_count(rig.provider, "/token") - before == 7, 31));
	assert_false(flow_run(seen.ends > 0, 21));
	assert_int_equal(fake_provider_count(rig.provider, "/token") - before, 11);
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(seen.ends > 0, 6));
	approved(&seen, "answers again");
}

static void test_retry_after_is_kept(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	fake_provider_answer(rig.provider, "/token", 1, 429, "Retry-After: 60", "", FAKE_BODY_WHOLE);
	assert_false(flow_run(seen.ends > 0, 64));
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 1);
	assert_true(flow_run(seen.ends > 0, 3));
	approved(&seen, "later");
	/* Longer than the code lives: over when that is. */
	fake_provider_answer(rig.provider, "/token", 1, 429, "Retry-After: 86400", "", FAKE_BODY_WHOLE);
	(void)flow_begin(&seen);
	assert_true(flow_run(seen.ends > 0, 301));
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
}

/* ---- before there is a code -------------------------------------------------------------------------------------- */

static void test_not_there_at_the_beginning(void **state)
{
	struct flow_seen seen;

	fake_provider_die(rig.provider);
	seen = flow_whole(21);
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
	assert_int_equal(seen.prompts, 0);
	fake_provider_revive(rig.provider);
	/* Who comes next waits for the next look, and that is soon. */
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(30);
	approved(&seen, "back");
	assert_int_equal(fake_provider_count(rig.provider, DISCOVERY), 1);
}

static void test_a_moments_trouble_at_the_beginning(void **state)
{
	static const char *const paths[] = {DISCOVERY, "/device", "/jwks"};

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct flow_seen seen;

		flow_http(&(struct http_options){.allow_plain = true, .accept_tls12 = true, .proxy = ""});
		fake_provider_answer(rig.provider, paths[i], 2, 502, NULL, "<html>", FAKE_BODY_WHOLE);
		seen = flow_whole(40);
		approved(&seen, paths[i]);
		fake_provider_answer(rig.provider, paths[i], 1, 429, "Retry-After: 4", "", FAKE_BODY_WHOLE);
		flow_http(&(struct http_options){.allow_plain = true, .accept_tls12 = true, .proxy = ""});
		seen = flow_whole(40);
		approved(&seen, paths[i]);
		flow_http(&(struct http_options){.allow_plain = true, .accept_tls12 = true, .proxy = ""});
		fake_provider_answer(rig.provider, paths[i], -1, 500, NULL, "", FAKE_BODY_WHOLE);
		seen = flow_whole(150);
		assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
		fake_provider_answer(rig.provider, paths[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	}
}

/* ---- what is cached ---------------------------------------------------------------------------------------------- */

static void test_what_is_known_lasts_a_day_through_an_outage(void **state)
{
	struct flow_seen seen;

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(30);
	approved(&seen, "at first");
	fake_provider_answer(rig.provider, DISCOVERY, -1, 503, NULL, "", FAKE_BODY_WHOLE);
	fake_provider_answer(rig.provider, "/jwks", -1, 503, NULL, "", FAKE_BODY_WHOLE);
	for (unsigned hours = 0; hours < 22; hours += 2) {
		clock_ahead += 2 * HOUR;
		seen = flow_whole(30);
		approved(&seen, "during the day");
	}
	clock_ahead += 2 * HOUR;
	seen = flow_whole(120);
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
	assert_int_equal(seen.prompts, 0);
	fake_provider_answer(rig.provider, DISCOVERY, 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	clock_ahead += HOUR;
	seen = flow_whole(120); /* where to ask is known, by which keys is not */
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
	assert_int_equal(seen.prompts, 1);
	assert_non_null(strstr(seen.result.detail, "keys"));
	fake_provider_answer(rig.provider, "/jwks", 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
	clock_ahead += HOUR;
	seen = flow_whole(30);
	approved(&seen, "after it");
}

static void test_keys_that_change_while_the_person_waits(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_false(flow_run(seen.ends > 0, 100));
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 1);
	fake_provider_publish(rig.provider, new_key, new_kid, 1);
	fake_provider_sign_with(rig.provider, EC_B, "k2");
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(seen.ends > 0, 6));
	approved(&seen, "new keys");
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 2);
}

static void test_keys_that_changed_a_moment_ago(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_false(flow_run(seen.ends > 0, 8));
	fake_provider_publish(rig.provider, new_key, new_kid, 1);
	fake_provider_sign_with(rig.provider, EC_B, "k2");
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	/* The bound between two fetches holds, and the person waits for it. */
	assert_false(flow_run(seen.ends > 0, 45));
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 1);
	assert_true(flow_run(seen.ends > 0, 15));
	approved(&seen, "new keys");
}

static void test_keys_without_names(void **state)
{
	const int first = EC_A;
	const char *const none = NULL;
	struct flow_seen seen;

	fake_provider_publish(rig.provider, &first, &none, 1);
	fake_provider_sign_with(rig.provider, EC_A, NULL);
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(30);
	approved(&seen, "one nameless key");
	/* The only one was replaced: what its signature says may be about the old one. */
	fake_provider_publish(rig.provider, new_key, &none, 1);
	fake_provider_sign_with(rig.provider, EC_B, NULL);
	clock_ahead += 120 * USEC_PER_SEC;
	seen = flow_whole(30);
	approved(&seen, "another nameless key");
	/* Signed by nobody of those: one more look, and no. */
	fake_provider_sign_with(rig.provider, EC_A, NULL);
	clock_ahead += 120 * USEC_PER_SEC;
	seen = flow_whole(30);
	assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
	assert_int_equal(seen.result.jws, JWS_BAD_SIGNATURE);
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 3);
}

static void test_a_key_that_nobody_published(void **state)
{
	struct flow_seen seen;

	fake_provider_sign_with(rig.provider, EC_B, "k9");
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(80);
	assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
	assert_int_equal(seen.result.token, TOKEN_SIGNED_BADLY);
	assert_int_equal(seen.result.jws, JWS_UNKNOWN_KEY);
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 2);
	/* Ten such people in a row do not make it ten requests. */
	for (unsigned i = 0; i < 10; i++) {
		uint64_t begun = clock_boottime_usec();

		seen = flow_whole(80);
		assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
		assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 3 + i);
		assert_true(clock_boottime_usec() - begun < 70 * USEC_PER_SEC);
	}
}

static void test_an_unknown_key_while_keys_cannot_be_had(void **state)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_false(flow_run(seen.ends > 0, 100));
	fake_provider_sign_with(rig.provider, EC_B, "k2");
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	fake_provider_answer(rig.provider, "/jwks", -1, 503, NULL, "", FAKE_BODY_WHOLE);
	assert_true(flow_run(seen.ends > 0, 120));
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE); /* not "signed by nobody": that is not known */
	/* An empty set is none. */
	clock_ahead += 120 * USEC_PER_SEC;
	fake_provider_answer(rig.provider, "/jwks", -1, 200, NULL, "{\"keys\":[]}", FAKE_BODY_WHOLE);
	seen = flow_whole(150);
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
}

static void test_a_key_that_was_taken_away(void **state)
{
	struct flow_seen seen;

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(30);
	approved(&seen, "the old key");
	/* Who goes on signing with it is believed for an hour at most. */
	fake_provider_publish(rig.provider, new_key, new_kid, 1);
	clock_ahead += HOUR;
	seen = flow_whole(80);
	assert_int_equal(seen.result.end, FLOW_BAD_TOKEN);
	assert_int_equal(seen.result.jws, JWS_UNKNOWN_KEY);
}

static void test_discovery_that_moves(void **state)
{
	struct flow_seen seen;
	char document[512];
	const char *issuer = fake_provider_issuer(rig.provider);

	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	/* Turned into somebody else's while it is known: the known one goes on. */
	fake_provider_answer(rig.provider, DISCOVERY, -1, 200, NULL, "{\"issuer\":\"https://evil.example\"}",
			     FAKE_BODY_WHOLE);
	clock_ahead += 10 * USEC_PER_SEC;
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(seen.ends > 0, 30));
	approved(&seen, "as known");
	clock_ahead += 2 * HOUR;
	seen = flow_whole(30);
	approved(&seen, "as known");
	/* Its own, at other places: there from now on, with other keys. */
	snprintf(document, sizeof(document),
		 "{\"issuer\":\"%s\",\"device_authorization_endpoint\":\"%s/device\",\"token_endpoint\":\"%s/token\","
		 "\"jwks_uri\":\"%s/jwks2\",\"id_token_signing_alg_values_supported\":[\"RS256\",\"ES256\"]}",
		 issuer, issuer, issuer, issuer);
	fake_provider_answer(rig.provider, DISCOVERY, -1, 200, NULL, document, FAKE_BODY_WHOLE);
	fake_provider_answer(rig.provider, "/jwks2", -1, 503, NULL, "", FAKE_BODY_WHOLE);
	clock_ahead += 2 * HOUR;
	seen = flow_whole(150);
	assert_true(fake_provider_count(rig.provider, "/jwks2") > 0);
	assert_int_equal(seen.result.end, FLOW_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_away_while_the_person_waits),
		FLOW_TEST(test_away_for_good_is_no_denial),
		FLOW_TEST(test_asks_less_often_while_it_fails),
		FLOW_TEST(test_retry_after_is_kept),
		FLOW_TEST(test_not_there_at_the_beginning),
		FLOW_TEST(test_a_moments_trouble_at_the_beginning),
		FLOW_TEST(test_what_is_known_lasts_a_day_through_an_outage),
		FLOW_TEST(test_keys_that_change_while_the_person_waits),
		FLOW_TEST(test_keys_that_changed_a_moment_ago),
		FLOW_TEST(test_keys_without_names),
		FLOW_TEST(test_a_key_that_nobody_published),
		FLOW_TEST(test_an_unknown_key_while_keys_cannot_be_had),
		FLOW_TEST(test_a_key_that_was_taken_away),
		FLOW_TEST(test_discovery_that_moves),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
