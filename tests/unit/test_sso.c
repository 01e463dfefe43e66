/* SPDX-License-Identifier: MIT
 *
 * The thread that talks to identity providers: what comes back to the loop, what does not any more, and what ends when.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fakes/fake_provider.h"
#include "base/clock.h"
#include "jws_fixture.h"
#include "sso/sso.h"

#define KEYS_AUDIENCE "https://fleet.example"

static struct world {
	sd_event *event;
	struct sso *thread;
	struct fake_provider *provider;
	struct idp_record idp;
	unsigned prompts, ends;
	uint64_t prompted, ended; /* the flows that were last */
	struct flow_result result;
	uint64_t start_next; /* a flow that the end of another begins; 0: none */
	bool cancel_prompted;
} world;

static void on_prompt(void *context, uint64_t flow, const struct device_answer *answer)
{
	assert_ptr_equal(context, &world);
	assert_string_equal(answer->user_code, "WDJB-MJHT");
	assert_string_equal(answer->device_code, "");
	world.prompts++;
	world.prompted = flow;
	if (world.cancel_prompted)
		sso_cancel(world.thread, flow);
}

static void on_done(void *context, uint64_t flow, const struct flow_result *result)
{
	uint64_t next = world.start_next;

	world.ends++;
	world.ended = flow;
	world.result = *result;
	world.start_next = 0;
	if (next)
		assert_int_equal(sso_start(world.thread, next, &world.idp), 0);
}

static void make_thread(void)
{
	const struct sso_options options = {.proxy = "", .allow_plain_http = true};
	const struct sso_hooks hooks = {on_prompt, on_done, &world};

	assert_int_equal(sso_create(world.event, &options, &hooks, &world.thread), 0);
}

static int setup(void **state)
{
	world = (struct world){0};
	assert_int_equal(sd_event_new(&world.event), 0);
	world.provider = fake_provider_start(NULL, NULL);
	fake_provider_set_code(world.provider, 300, 1);
	world.idp = (struct idp_record){
		.id = "idp_1",
		.tenant_id = "ten_1",
		.name = "Fake",
		.issuer = fake_provider_issuer(world.provider),
		.kind = IDP_OIDC,
		.client_id = FAKE_CLIENT,
		.client_secret = "",
		.client_key = "",
		.hosted_domain = "",
		.token_audience = "",
	};
	make_thread();
	return 0;
}

static int teardown(void **state)
{
	sso_destroy(world.thread);
	fake_provider_stop(world.provider);
	sd_event_unref(world.event);
	return 0;
}

/* Until the condition holds, at most so many milliseconds. */
#define run(condition, msec)                                                             \
	({                                                                               \
		uint64_t end_ = clock_boottime_usec() + (msec)*USEC_PER_MSEC;            \
		bool met_;                                                               \
		while (!(met_ = (condition)) && clock_boottime_usec() < end_)            \
			assert_true(sd_event_run(world.event, 10 * USEC_PER_MSEC) >= 0); \
		met_;                                                                    \
	})

static void set_clients(const struct idp_record *idp)
{
	assert_int_equal(sso_set_clients(world.thread, &idp, idp ? 1 : 0), 0);
}

static void test_a_sign_in(void **state)
{
	set_clients(&world.idp);
	assert_int_equal(sso_start(world.thread, 7, &world.idp), 0);
	assert_int_equal(sso_flow_count(world.thread), 1);
	assert_int_equal(world.prompts + world.ends, 0);
	assert_true(run(world.prompts == 1, 5000));
	assert_int_equal(world.prompted, 7);
	assert_false(run(world.ends > 0, 1500));
	fake_provider_decide(world.provider, FAKE_APPROVED);
	assert_true(run(world.ends == 1, 5000));
	assert_int_equal(world.ended, 7);
	assert_int_equal(world.result.end, FLOW_PROVEN);
	assert_string_equal(world.result.identity.subject, "sub-alice");
	assert_int_equal(sso_flow_count(world.thread), 0);
	assert_int_equal(sso_counts(world.thread)->started, 1);
	assert_int_equal(sso_counts(world.thread)->ended[FLOW_PROVEN], 1);
}

static void test_nothing_is_heard_of_what_was_cancelled(void **state)
{
	fake_provider_decide(world.provider, FAKE_APPROVED);
	assert_int_equal(sso_start(world.thread, 1, &world.idp), 0);
	sso_cancel(world.thread, 1);
	assert_int_equal(sso_flow_count(world.thread), 0);
	assert_int_equal(sso_start(world.thread, 2, &world.idp), 0);
	/* The thread goes on; the loop does not hear it before it cancels. */
	while (fake_provider_count(world.provider, "/device") == 0)
		;
	sso_cancel(world.thread, 2);
	world.cancel_prompted = true; /* and from within */
	assert_int_equal(sso_start(world.thread, 3, &world.idp), 0);
	assert_false(run(world.ends > 0, 2500));
	assert_int_equal(world.prompts, 1);
	assert_int_equal(world.prompted, 3);
	assert_int_equal(sso_flow_count(world.thread), 0);
	sso_cancel(world.thread, 3); /* twice, and of nobody */
	sso_cancel(world.thread, 99);
	assert_int_equal(sso_counts(world.thread)->cancelled, 3);
}

static void test_a_number_that_is_used_again(void **state)
{
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(sso_start(world.thread, 5, &world.idp), 0);
		sso_cancel(world.thread, 5);
	}
	assert_int_equal(sso_start(world.thread, 5, &world.idp), 0);
	assert_true(run(world.prompts > 0, 5000));
	assert_false(run(world.prompts > 1, 500));
	fake_provider_decide(world.provider, FAKE_APPROVED);
	assert_true(run(world.ends > 0, 5000));
	assert_false(run(world.ends > 1, 1500));
}

static void test_a_client_that_changes(void **state)
{
	struct idp_record changed = world.idp, same = world.idp;
	char copy[32] = FAKE_CLIENT;

	set_clients(&world.idp);
	assert_int_equal(sso_start(world.thread, 1, &world.idp), 0);
	assert_true(run(world.prompts == 1, 5000));
	/* The same, out of another picture. */
	same.client_id = copy;
	set_clients(&same);
	assert_false(run(world.ends > 0, 300));
	changed.client_secret = "new";
	changed.client_auth = IDP_CLIENT_SECRET_POST;
	set_clients(&changed);
	assert_true(run(world.ends == 1, 1000));
	assert_int_equal(world.result.end, FLOW_REFUSED);
	assert_string_equal(world.result.identity.subject, "");
	/* Whoever begins as who it was before comes too late. */
	fake_provider_decide(world.provider, FAKE_APPROVED);
	assert_int_equal(sso_start(world.thread, 2, &world.idp), 0);
	assert_true(run(world.ends == 2, 1000));
	assert_int_equal(world.result.end, FLOW_REFUSED);
	assert_int_equal(sso_start(world.thread, 3, &changed), 0);
	assert_true(run(world.ends == 3, 5000));
	assert_int_equal(world.result.end, FLOW_PROVEN);
	/* Gone. */
	fake_provider_decide(world.provider, FAKE_PENDING);
	assert_int_equal(sso_start(world.thread, 4, &changed), 0);
	assert_true(run(world.prompts == 3, 5000));
	set_clients(NULL);
	assert_true(run(world.ends == 4, 1000));
	assert_int_equal(world.ended, 4);
	assert_int_equal(world.result.end, FLOW_REFUSED);
	assert_int_equal(sso_flow_count(world.thread), 0);
}

static void test_an_end_that_begins_another(void **state)
{
	fake_provider_decide(world.provider, FAKE_DENIED);
	world.start_next = 12;
	assert_int_equal(sso_start(world.thread, 11, &world.idp), 0);
	assert_true(run(world.ends == 2, 10000));
	assert_int_equal(world.ended, 12);
	assert_int_equal(world.result.end, FLOW_DENIED);
}

static void test_an_issuer_that_cannot_be_asked(void **state)
{
	world.idp.kind = IDP_GITHUB;
	world.idp.issuer = "https://github.example/with/a/path";
	assert_int_equal(sso_start(world.thread, 1, &world.idp), 0);
	assert_true(run(world.ends == 1, 2000));
	assert_int_equal(world.result.end, FLOW_REFUSED);
	world.idp.kind = IDP_OIDC;
	world.idp.issuer = "http://192.0.2.1";
	assert_int_equal(sso_start(world.thread, 2, &world.idp), 0);
	assert_true(run(world.ends == 2, 2000));
	assert_int_not_equal(world.result.end, FLOW_PROVEN);
}

static void test_no_more_than_there_are_seats(void **state)
{
	uint64_t first = 1000;

	set_clients(&world.idp);
	fake_provider_set_code(world.provider, 300, 60);
	for (unsigned i = 0; i < SSO_FLOWS_MAX; i++)
		assert_int_equal(sso_start(world.thread, first + i, &world.idp), 0);
	assert_int_equal(sso_start(world.thread, 1, &world.idp), -EAGAIN);
	assert_int_equal(sso_flow_count(world.thread), SSO_FLOWS_MAX);
	assert_true(run(world.prompts == SSO_FLOWS_MAX, 60000));
	assert_int_equal(sso_start(world.thread, 1, &world.idp), -EAGAIN);
	sso_cancel(world.thread, first + 77);
	assert_int_equal(sso_start(world.thread, 1, &world.idp), 0);
	assert_int_equal(sso_start(world.thread, 2, &world.idp), -EAGAIN);
	assert_true(run(world.prompts == SSO_FLOWS_MAX + 1, 5000));
	assert_int_equal(world.prompted, 1);
	set_clients(NULL);
	assert_true(run(world.ends == SSO_FLOWS_MAX, 10000));
	assert_int_equal(sso_flow_count(world.thread), 0);
}

static void test_the_end_waits_for_nobody(void **state)
{
	static const char *const paths[] = {"/.well-known/openid-configuration", "/jwks", "/device", "/token"};

	for (unsigned i = 0; i < 5; i++) {
		uint64_t begun;

		if (i < 4)
			fake_provider_answer(world.provider, paths[i], -1, 200, NULL, NULL, FAKE_BODY_STALL);
		for (unsigned n = 0; n < 40; n++)
			assert_int_equal(sso_start(world.thread, n, &world.idp), 0);
		(void)run(false, 1300);
		begun = clock_boottime_usec();
		sso_destroy(world.thread);
		assert_true(clock_boottime_usec() - begun < USEC_PER_SEC);
		assert_int_equal(world.ends, 0);
		if (i < 4)
			fake_provider_answer(world.provider, paths[i], 0, 200, NULL, NULL, FAKE_BODY_WHOLE);
		make_thread();
	}
	sso_destroy(NULL);
}

static const struct jwks *keys_of(enum idp_kind kind, const char *issuer, const char *unknown_kid, bool *ret_fresh)
{
	const struct idp_record idp = {.kind = kind, .issuer = issuer};
	unsigned algorithms = 0;
	const struct jwks *keys = sso_keys(world.thread, &idp, unknown_kid, &algorithms, ret_fresh);

	assert_int_equal(algorithms, keys ? JWS_RS256 | JWS_ES256 : 0);
	return keys;
}

static const struct jwks *keys_now(const char *issuer, const char *unknown_kid, bool *ret_fresh)
{
	return keys_of(IDP_OIDC, issuer, unknown_kid, ret_fresh);
}

static void test_keys_of_those_whose_tokens_count(void **state)
{
	const char *issuer = world.idp.issuer;
	struct idp_record with = world.idp;
	bool fresh = true;

	assert_null(keys_now(issuer, NULL, &fresh));
	assert_false(fresh);
	set_clients(&world.idp); /* whose tokens do not */
	(void)run(false, 300);
	assert_null(keys_now(issuer, "k1", &fresh));
	assert_int_equal(fake_provider_count(world.provider, "/jwks"), 0);

	with.token_audience = KEYS_AUDIENCE;
	set_clients(&with);
	assert_true(run(keys_now(issuer, NULL, &fresh) != NULL, 5000));
	assert_true(fresh);
	assert_true(jwks_has(keys_now(issuer, NULL, &fresh), "k1"));
	/* Known a moment ago: a key that is not there is nobody's, and nobody is asked. */
	for (unsigned i = 0; i < 100; i++) {
		assert_non_null(keys_now(issuer, "k9", &fresh));
		assert_true(fresh);
	}
	(void)run(false, 300);
	assert_int_equal(fake_provider_count(world.provider, "/jwks"), 1);
	assert_null(keys_now("https://evil.example", "k1", &fresh));
	/* The same client again keeps them; without it they are gone. */
	set_clients(&with);
	assert_non_null(keys_now(issuer, NULL, &fresh));
	with.name = "Another name";
	set_clients(&with);
	assert_non_null(keys_now(issuer, NULL, &fresh));
	set_clients(&world.idp);
	assert_null(keys_now(issuer, NULL, &fresh));
	assert_false(fresh);
}

/* A sign-in had them fetched, so that nobody asks for them again within the hour. */
static void test_keys_that_are_there_already(void **state)
{
	struct idp_record with = world.idp;
	bool fresh = true;

	set_clients(&world.idp);
	assert_int_equal(sso_start(world.thread, 7, &world.idp), 0);
	fake_provider_decide(world.provider, FAKE_APPROVED);
	assert_true(run(world.ends == 1, 5000));
	assert_int_equal(world.result.end, FLOW_PROVEN);
	assert_null(keys_now(world.idp.issuer, NULL, &fresh));

	with.token_audience = KEYS_AUDIENCE;
	set_clients(&with);
	assert_true(run(keys_now(world.idp.issuer, NULL, &fresh) != NULL, 2000));
	/* Its tokens do not count, and then they do again. */
	set_clients(&world.idp);
	assert_null(keys_now(world.idp.issuer, NULL, &fresh));
	set_clients(&with);
	assert_true(run(keys_now(world.idp.issuer, NULL, &fresh) != NULL, 2000));
	assert_int_equal(fake_provider_count(world.provider, "/jwks"), 1);
}

/* A tenant may write another issuer every minute: what nobody's record names any more is not kept for a day. */
static void test_issuers_that_are_gone_are_forgotten(void **state)
{
	struct idp_record with = world.idp;
	bool fresh = true;

	with.token_audience = KEYS_AUDIENCE;
	set_clients(&with);
	assert_true(run(keys_now(world.idp.issuer, NULL, &fresh) != NULL, 5000));
	set_clients(NULL);
	set_clients(&with);
	assert_true(run(keys_now(world.idp.issuer, NULL, &fresh) != NULL, 5000));
	assert_int_equal(fake_provider_count(world.provider, "/jwks"), 2);
	/* In the middle of asking, too. */
	for (unsigned i = 0; i < 20; i++) {
		set_clients(NULL);
		(void)run(false, i % 4);
		set_clients(&with);
		(void)run(false, i % 3);
	}
	assert_true(run(keys_now(world.idp.issuer, NULL, &fresh) != NULL, 5000));
}

/* Another tenant's record may call the same issuer one of another kind, which is asked with other trust: neither the
 * keys that come by it nor its being asked in vain are this one's. */
static void test_keys_are_of_one_kind(void **state)
{
	struct idp_record ours = world.idp, theirs = world.idp;
	const struct idp_record *both[] = {&theirs, &ours};
	bool fresh = true;

	ours.token_audience = theirs.token_audience = KEYS_AUDIENCE;
	theirs.kind = IDP_TENANTD;
	theirs.id = "idp_2";
	theirs.tenant_id = "ten_2";
	set_clients(&theirs);
	assert_true(run(keys_of(IDP_TENANTD, theirs.issuer, NULL, &fresh) != NULL, 5000));
	assert_null(keys_now(ours.issuer, NULL, &fresh));
	fake_provider_answer(world.provider, "/jwks", 1000, 503, NULL, "", FAKE_BODY_WHOLE);
	assert_int_equal(sso_set_clients(world.thread, both, 2), 0);
	assert_non_null(keys_of(IDP_TENANTD, theirs.issuer, NULL, &fresh));
	(void)run(false, 300);
	assert_null(keys_now(ours.issuer, NULL, &fresh));
	assert_false(fresh);
}

static void test_keys_of_who_is_away(void **state)
{
	struct idp_record with = world.idp;
	bool fresh = true;

	fake_provider_answer(world.provider, "/jwks", 1, 503, NULL, "", FAKE_BODY_WHOLE);
	with.token_audience = KEYS_AUDIENCE;
	set_clients(&with);
	(void)run(false, 300);
	/* Not known is not "nobody's". */
	assert_null(keys_now(world.idp.issuer, "k1", &fresh));
	assert_false(fresh);
	assert_true(run(keys_now(world.idp.issuer, "k1", &fresh) != NULL, 5000));
	assert_true(fresh);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_sign_in),
		TEST(test_nothing_is_heard_of_what_was_cancelled),
		TEST(test_a_number_that_is_used_again),
		TEST(test_a_client_that_changes),
		TEST(test_an_end_that_begins_another),
		TEST(test_an_issuer_that_cannot_be_asked),
		TEST(test_no_more_than_there_are_seats),
		TEST(test_the_end_waits_for_nobody),
		TEST(test_keys_of_those_whose_tokens_count),
		TEST(test_keys_that_are_there_already),
		TEST(test_issuers_that_are_gone_are_forgotten),
		TEST(test_keys_are_of_one_kind),
		TEST(test_keys_of_who_is_away),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
