/* SPDX-License-Identifier: MIT
 *
 * Sign-ins at providers that do as they should: what is asked, how often, until when, and what comes of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_rig.h"

static void test_approved(void **state)
{
	struct flow_seen seen;
	char last[8192];

	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	assert_string_equal(seen.prompt.user_code, "WDJB-MJHT");
	assert_string_equal(seen.prompt.uri, "https://login.example.org/device");
	assert_int_equal(seen.prompt.expires_in, 300);
	assert_string_equal(seen.prompt.device_code, ""); /* nobody else's business */
	fake_provider_last(rig.provider, "/device", last, sizeof(last));
	assert_non_null(strstr(last, "client_id=" FAKE_CLIENT));
	assert_non_null(strstr(last, "code_challenge_method=S256"));
	assert_false(flow_run(seen.ends > 0, 30));
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(seen.ends > 0, 10));
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	assert_string_equal(seen.result.identity.issuer, fake_provider_issuer(rig.provider));
	assert_string_equal(seen.result.identity.subject, "sub-alice");
	assert_string_equal(seen.result.identity.email, "alice@acme.example");
	assert_true(seen.result.identity.email_verified);
	fake_provider_last(rig.provider, "/token", last, sizeof(last));
	assert_non_null(strstr(last, "device_code=device-secret"));
	assert_non_null(strstr(last, "code_verifier="));
	assert_int_equal(seen.prompts, 1);
	assert_int_equal(seen.ends, 1);
	assert_true(flow_said(&seen, "+discovery"));
	assert_true(flow_said(&seen, "+keys 1 keys"));
	assert_true(flow_said(&seen, "+device"));
	assert_true(flow_said(&seen, "+poll not yet"));
	assert_true(flow_said(&seen, "+token sub-alice"));
	/* Secrets are in no step. */
	assert_false(flow_said(&seen, "secret"));
}

static void test_asks_no_more_often_than_told(void **state)
{
	struct flow_seen seen;
	uint64_t begun;

	fake_provider_set_code(rig.provider, 300, 7);
	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	begun = clock_boottime_usec();
	assert_false(flow_run(seen.ends > 0, 69));
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 9);
	assert_true(flow_run(seen.ends > 0, 300));
	assert_int_equal(seen.result.end, FLOW_EXPIRED);
	/* Until the code expires and not a second longer. */
	assert_true(seen.ended_at - begun <= 301 * USEC_PER_SEC);
	assert_true(seen.ended_at - begun >= 299 * USEC_PER_SEC);
	assert_true(fake_provider_count(rig.provider, "/token") <= 300 / 7);
}

static void test_slow_down_adds_five_seconds_each_time(void **state)
{
	struct flow_seen seen;

	fake_provider_set_code(rig.provider, 300, 5);
	fake_provider_decide(rig.provider, FAKE_SLOW_DOWN);
	(void)flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	/* After 5, 10 more, 15 more, 20 more. */
	assert_false(flow_run(seen.ends > 0, 48));
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 3);
	fake_provider_decide(rig.provider, FAKE_PENDING);
	assert_false(flow_run(seen.ends > 0, 48)); /* and it stays so */
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 6);
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(seen.ends > 0, 25));
	assert_int_equal(seen.result.end, FLOW_PROVEN);
}

static void test_denied(void **state)
{
	struct flow_seen seen;

	fake_provider_decide(rig.provider, FAKE_DENIED);
	seen = flow_whole(10);
	assert_int_equal(seen.result.end, FLOW_DENIED);
	assert_int_equal(seen.prompts, 1);
	assert_int_equal(fake_provider_count(rig.provider, "/token"), 1);
}

static void test_expired_at_the_provider(void **state)
{
	struct flow_seen seen;

	fake_provider_decide(rig.provider, FAKE_EXPIRED_TOKEN);
	seen = flow_whole(10);
	assert_int_equal(seen.result.end, FLOW_EXPIRED);
}

static void test_cancelled(void **state)
{
	struct flow_seen seen;
	struct oidc_flow *flow = flow_begin(&seen);
	unsigned polls;

	oidc_flow_cancel(flow); /* before anything was done */
	assert_false(flow_run(seen.ends + seen.prompts > 0, 30));
	flow = flow_begin(&seen);
	(void)flow_run(fake_provider_count(rig.provider, "/device") > 0, 5);
	oidc_flow_cancel(flow); /* with a request under way or answered */
	assert_int_equal(seen.ends, 0);
	flow = flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	oidc_flow_cancel(flow); /* while it waits */
	polls = fake_provider_count(rig.provider, "/token");
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_false(flow_run(seen.ends > 0, 60));
	assert_int_equal(fake_provider_count(rig.provider, "/token"), polls);
	oidc_flow_cancel(NULL);
}

static void test_discovery_and_keys_are_asked_for_once(void **state)
{
	struct flow_seen seen[4];

	fake_provider_decide(rig.provider, FAKE_APPROVED);
	for (unsigned i = 0; i < 4; i++)
		(void)flow_begin(&seen[i]);
	assert_true(flow_run(seen[0].ends + seen[1].ends + seen[2].ends + seen[3].ends == 4, 20));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[i].result.end, FLOW_PROVEN);
	(void)flow_whole(20);
	assert_int_equal(fake_provider_count(rig.provider, "/.well-known/openid-configuration"), 1);
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 1);
	assert_int_equal(rig.key_sets, 1);
	/* Old after an hour. */
	clock_ahead += 3601 * USEC_PER_SEC;
	seen[0] = flow_whole(20);
	assert_int_equal(seen[0].result.end, FLOW_PROVEN);
	assert_int_equal(fake_provider_count(rig.provider, "/.well-known/openid-configuration"), 2);
	assert_int_equal(fake_provider_count(rig.provider, "/jwks"), 2);
	assert_int_equal(rig.key_sets, 2);
}

static void test_wanted_keys_are_kept_fresh(void **state)
{
	uint64_t now = clock_boottime_usec();

	oidc_cache_want(rig.cache, rig.client, false, now);
	assert_true(flow_run(rig.key_sets == 1, 5));
	assert_false(flow_run(rig.key_sets > 1, 3500));
	assert_true(flow_run(rig.key_sets == 2, 200));
	/* For an unknown key, but no more often than once a minute. */
	oidc_cache_want(rig.cache, rig.client, true, clock_boottime_usec());
	oidc_cache_want(rig.cache, rig.client, true, clock_boottime_usec());
	assert_false(flow_run(rig.key_sets > 2, 55));
	assert_true(flow_run(rig.key_sets == 3, 10));
	assert_false(flow_run(rig.key_sets > 3, 300));
	oidc_cache_want(rig.cache, rig.client, true, clock_boottime_usec());
	assert_true(flow_run(rig.key_sets == 4, 1));
	/* Nobody wants them any more. */
	oidc_cache_want_none(rig.cache);
	assert_false(flow_run(rig.key_sets > 4, 90000));
}

static void test_github(void **state)
{
	struct flow_seen seen;
	char last[8192];

	rig.idp.kind = IDP_GITHUB;
	flow_client();
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(20);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	assert_string_equal(seen.result.identity.subject, "4711");
	assert_string_equal(seen.result.identity.email, "");
	fake_provider_last(rig.provider, "/api/v3/user", last, sizeof(last));
	assert_string_equal(last, "Bearer gho_secret\n");
	assert_int_equal(fake_provider_count(rig.provider, "/api/v3/user/emails"), 0);
	assert_int_equal(fake_provider_count(rig.provider, "/.well-known/openid-configuration"), 0);
	/* Addresses only where they can bind. */
	rig.idp.bind = IDP_BIND_VERIFIED_EMAIL;
	flow_client();
	seen = flow_whole(20);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	assert_string_equal(seen.result.identity.email, "alice@acme.example");
	assert_true(seen.result.identity.email_verified);
	/* Without the right to read them nothing is verified. */
	fake_provider_answer(rig.provider, "/api/v3/user/emails", 1, 404, NULL, "{}", FAKE_BODY_WHOLE);
	seen = flow_whole(20);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	assert_false(seen.result.identity.email_verified);
	/* A broken moment passes, a longer one does not. */
	fake_provider_answer(rig.provider, "/api/v3/user", 2, 503, NULL, "", FAKE_BODY_WHOLE);
	assert_int_equal(flow_whole(30).result.end, FLOW_PROVEN);
	fake_provider_answer(rig.provider, "/api/v3/user", -1, 503, NULL, "", FAKE_BODY_WHOLE);
	assert_int_equal(flow_whole(60).result.end, FLOW_UNREACHABLE);
	fake_provider_answer(rig.provider, "/api/v3/user", -1, 401, NULL, "{}", FAKE_BODY_WHOLE);
	assert_int_equal(flow_whole(60).result.end, FLOW_UNREACHABLE);
	fake_provider_answer(rig.provider, "/api/v3/user", -1, 200, NULL, "{\"login\":\"a\"}", FAKE_BODY_WHOLE);
	assert_int_equal(flow_whole(60).result.end, FLOW_UNREACHABLE);
}

static void test_client_secrets(void **state)
{
	struct flow_seen seen;
	char last[8192];

	rig.idp.client_auth = IDP_CLIENT_SECRET_BASIC;
	rig.idp.client_secret = "hush";
	flow_client();
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	seen = flow_whole(20);
	assert_int_equal(seen.result.end, FLOW_PROVEN);
	fake_provider_last(rig.provider, "/device", last, sizeof(last));
	assert_non_null(strstr(last, "Basic "));
	assert_null(strstr(last, "hush"));
	fake_provider_last(rig.provider, "/token", last, sizeof(last));
	assert_non_null(strstr(last, "Basic "));
	rig.idp.client_auth = IDP_CLIENT_SECRET_POST;
	flow_client();
	seen = flow_whole(20);
	fake_provider_last(rig.provider, "/token", last, sizeof(last));
	assert_null(strstr(last, "Basic "));
	assert_non_null(strstr(last, "client_secret=hush"));
	assert_null(strstr(seen.steps, "hush"));
}

static const char *enrolled_at; /* the control plane whose token this host has */

static bool proof(void *context, const char *issuer, struct buffer *ret)
{
	assert_ptr_equal(context, &rig);
	return strcmp(issuer, enrolled_at) == 0 && buffer_add_text(ret, "host-token") >= 0;
}

/* What the device endpoint was shown: its Authorization header and form. */
static const char *asked_with(enum idp_kind kind)
{
	static char last[8192];
	struct flow_seen seen;
	struct oidc_flow *flow;

	rig.idp.kind = kind;
	flow_client();
	flow = flow_begin(&seen);
	assert_true(flow_run(seen.prompts == 1, 5));
	oidc_flow_cancel(flow);
	fake_provider_last(rig.provider, "/device", last, sizeof(last));
	return last;
}

/* The host's token is good for all that the host may do: whoever gave it sees it, and nobody else. */
static void test_which_host_asks(void **state)
{
	char elsewhere[1024];
	const char *issuer = rig.idp.issuer;

	enrolled_at = issuer;
	oidc_cache_set_control_plane(rig.cache, rig.http, proof, &rig);
	assert_ptr_equal(strstr(asked_with(IDP_TENANTD), "Bearer host-token\n"), asked_with(IDP_TENANTD));
	/* A tenant may write that its own provider is a control plane, or that ours is of another kind. */
	assert_int_equal(*asked_with(IDP_OIDC), '\n');
	enrolled_at = "https://control.example";
	assert_int_equal(*asked_with(IDP_TENANTD), '\n');
	/* Without the control plane's own way nobody knows who answers there. */
	enrolled_at = issuer;
	oidc_cache_set_control_plane(rig.cache, NULL, proof, &rig);
	assert_int_equal(*asked_with(IDP_TENANTD), '\n');

	/* A device endpoint at another place is another place, also where its name begins alike. */
	flow_http(&(struct http_options){.proxy = "", .allow_plain = true});
	oidc_cache_set_control_plane(rig.cache, rig.http, proof, &rig);
	snprintf(elsewhere, sizeof(elsewhere),
		 "{\"issuer\":\"%s\",\"device_authorization_endpoint\":\"http://localhost%s/device\","
		 "\"token_endpoint\":\"%s/token\",\"jwks_uri\":\"%s/jwks\","
		 "\"id_token_signing_alg_values_supported\":[\"RS256\",\"ES256\"]}",
		 issuer, strrchr(issuer, ':'), issuer, issuer);
	fake_provider_answer(rig.provider, "/.well-known/openid-configuration", 1, 200, NULL, elsewhere,
			     FAKE_BODY_WHOLE);
	assert_int_equal(*asked_with(IDP_TENANTD), '\n');
}

/* One that is not good any more, since the host was enrolled anew or the keys changed, keeps nobody out. */
static void test_a_host_token_that_is_refused(void **state)
{
	unsigned before;

	enrolled_at = rig.idp.issuer;
	oidc_cache_set_control_plane(rig.cache, rig.http, proof, &rig);
	fake_provider_answer(rig.provider, "/device", 1, 401, NULL, "{\"error\":\"invalid_client\"}", FAKE_BODY_WHOLE);
	assert_int_equal(*asked_with(IDP_TENANTD), '\n');
	assert_int_equal(fake_provider_count(rig.provider, "/device"), 2);
	/* Once; who refuses without it, too, is heard. */
	before = fake_provider_count(rig.provider, "/device");
	fake_provider_answer(rig.provider, "/device", 9, 401, NULL, "{\"error\":\"invalid_client\"}", FAKE_BODY_WHOLE);
	assert_int_equal(flow_whole(10).result.end, FLOW_REFUSED);
	assert_int_equal(fake_provider_count(rig.provider, "/device") - before, 2);
}

static void test_many_at_once(void **state)
{
	enum { MANY = 300 };
	struct flow_seen *seen = calloc(MANY, sizeof(*seen));
	unsigned ended = 0;

	assert_non_null(seen);
	fake_provider_set_code(rig.provider, 300, 5);
	for (unsigned i = 0; i < MANY; i++)
		(void)flow_begin(&seen[i]);
	assert_true(flow_run(({
				     unsigned prompts = 0;
				     for (unsigned i = 0; i < MANY; i++)
					     prompts += seen[i].prompts;
				     prompts == MANY;
			     }),
			     20));
	assert_false(flow_run(seen[0].ends > 0, 20));
	fake_provider_decide(rig.provider, FAKE_APPROVED);
	assert_true(flow_run(({
				     ended = 0;
				     for (unsigned i = 0; i < MANY; i++)
					     ended += seen[i].ends && seen[i].result.end == FLOW_PROVEN;
				     ended == MANY;
			     }),
			     30));
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(test_approved),
		FLOW_TEST(test_asks_no_more_often_than_told),
		FLOW_TEST(test_slow_down_adds_five_seconds_each_time),
		FLOW_TEST(test_denied),
		FLOW_TEST(test_expired_at_the_provider),
		FLOW_TEST(test_cancelled),
		FLOW_TEST(test_discovery_and_keys_are_asked_for_once),
		FLOW_TEST(test_wanted_keys_are_kept_fresh),
		FLOW_TEST(test_github),
		FLOW_TEST(test_client_secrets),
		FLOW_TEST(test_which_host_asks),
		FLOW_TEST(test_a_host_token_that_is_refused),
		FLOW_TEST(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
