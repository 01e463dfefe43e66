/* SPDX-License-Identifier: MIT
 *
 * Everything that comes from a control plane, against one inside this process: enrolment, access tokens, assignments,
 * being disabled, starts without a network.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/api_key.h"
#include "feed/host.h"
#include "feeds_rig.h"
#include "unit.h"

static bool acme_is_at_2(const struct rig *rig)
{
	return rig_is_live(rig, ACME, 2);
}

static bool acme_is_at_3(const struct rig *rig)
{
	return rig_is_live(rig, ACME, 3);
}

static bool both_are_live(const struct rig *rig)
{
	return rig_acme_is_live(rig) && rig_is_live(rig, BETA, 1);
}

static bool beta_is_gone(const struct rig *rig)
{
	return !rig_feed(rig, BETA);
}

static bool beta_is_live(const struct rig *rig)
{
	return rig_is_live(rig, BETA, 1);
}

static bool nothing_is_left(const struct rig *rig)
{
	return !rig_feed(rig, ACME) && rig->unit_count == 0;
}

static bool revision_2_is_acknowledged(const struct rig *rig)
{
	char body[256];

	fake_control_body(rig->control, "POST /v1/feeds/" ACME "/acks", body, sizeof(body));
	return strstr(body, "\"revision\":2") && strstr(body, "\"applied\"");
}

static bool one_tenant_is_left(const struct rig *rig)
{
	return rig_records(rig, RECORD_TENANT) == 1;
}

/* ---- enrolment --------------------------------------------------------------------------------------------- */

static void test_enrolment(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed;
	char body[4096];

	assert_int_equal(rig_host(rig).state, FEED_UNENROLLED);
	feed = rig_enroll_acme(rig);
	assert_int_equal(rig_host(rig).state, FEED_LIVE);
	assert_string_equal(rig_host(rig).url, fake_control_url(rig->control));
	assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
	fake_control_body(rig->control, "POST /v1/enrol", body, sizeof(body));
	assert_non_null(strstr(body, "\"name\":\"gpu-1\""));
	assert_non_null(strstr(body, "\"crv\":\"P-256\""));
	assert_null(strstr(body, "\"d\"")); /* the secret half never leaves */

	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_int_equal(rig_records(rig, RECORD_USER), 1);
	UNTIL(rig, revision_2_is_acknowledged);
	fake_control_wait(rig->control, "PUT /v1/hosts/self/status", 1);
}

static void test_enrolling_again_changes_nothing(void **state)
{
	struct rig *rig = *state;
	char url[128];

	rig_enroll_acme(rig);
	snprintf(url, sizeof(url), "%s///", fake_control_url(rig->control));
	/* Not even the token is looked at. */
	assert_int_equal(rig_enroll(rig, url, "whatever"), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(rig->control));
	assert_int_equal(fake_control_count(rig->control, "POST /v1/enrol"), 1);
	assert_true(rig_acme_is_live(rig));
}

static void test_enrolment_is_refused(void **state)
{
	struct rig *rig = *state;
	const char *url = fake_control_url(rig->control), *token = fake_control_token(rig->control);
	char other[API_KEY_TEXT_CHARS + 1], id[API_KEY_ID_CHARS + 1], cut[128];

	fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	assert_int_equal(rig_enroll(rig, "http://control.example.org", token), -EINVAL);
	assert_int_equal(rig_enroll(rig, "ftp://control.example.org", token), -EINVAL);
	assert_int_equal(rig_enroll(rig, "nonsense", token), -EINVAL);
	assert_int_equal(rig_enroll(rig, "https://control.example.org/?x=1", token), -EINVAL);
	assert_int_equal(rig_enroll(rig, url, "nonsense"), -EINVAL);
	snprintf(cut, sizeof(cut), "%.*s", (int)strlen(token) - 1, token);
	assert_int_equal(rig_enroll(rig, url, cut), -EINVAL);
	assert_int_equal(api_key_make(API_KEY_PERSON, other, id), 0);
	assert_int_equal(rig_enroll(rig, url, other), -EINVAL);
	assert_int_equal(fake_control_count(rig->control, "POST"), 0);

	assert_int_equal(api_key_make(API_KEY_ENROLMENT, other, id), 0);
	assert_int_equal(rig_enroll(rig, url, other), -EACCES);
	assert_null(strstr(rig->problem, other));
	assert_int_equal(rig_enroll(rig, "http://127.0.0.1:1", token), -EHOSTUNREACH);
	fake_control_answer(rig->control, "POST /v1/enrol", 2, 0, NULL, "", 0); /* a reused connection is tried again */
	assert_int_equal(rig_enroll(rig, url, token), -EHOSTUNREACH);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 503, NULL, "busy", 4);
	assert_int_equal(rig_enroll(rig, url, token), -EACCES);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 201, NULL, "no JSON", 7);
	assert_int_equal(rig_enroll(rig, url, token), -EBADMSG);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 201, NULL, "{\"host\":\"hst_1\"}", 16);
	assert_int_equal(rig_enroll(rig, url, token), -EBADMSG);
	assert_int_equal(rig_host(rig).state, FEED_UNENROLLED);
	assert_false(rig_exists(rig, "host.identity"));
	/* None of this stands in the way of the right one. */
	assert_int_equal(rig_enroll(rig, url, token), 0);
}

static void test_failed_enrolment_destroys_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_control *other = fake_control_start();
	static const char bad_trust[] = "{\"host\":\"hst_1\",\"name\":\"x\",\"tenants\":[{\"id\":\"" BETA
					"\",\"slug\":\"beta\",\"origin\":\"o/feed/" BETA "\",\"trust\":\"no note\"}]}";
	struct fake_feed *feed = rig_enroll_acme(rig);

	fake_control_answer(other, "POST /v1/enrol", 1, 201, NULL, bad_trust, sizeof(bad_trust) - 1);
	assert_int_equal(rig_enroll(rig, fake_control_url(other), fake_control_token(other)), -EBADMSG);
	fake_control_answer(other, "POST /v1/enrol", 1, 403, NULL, "{\"title\":\"used up\"}", 19);
	assert_int_equal(rig_enroll(rig, fake_control_url(other), fake_control_token(other)), -EACCES);
	assert_non_null(strstr(rig->problem, "used up"));
	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_string_equal(rig_host(rig).url, fake_control_url(rig->control));
	assert_int_equal(rig_records(rig, RECORD_USER), 1);

	/* Success replaces it, with all that came from there. */
	fake_control_add_feed(other, BETA, "beta", BLOCK + 0x10000);
	assert_int_equal(rig_enroll(rig, fake_control_url(other), fake_control_token(other)), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(other));
	UNTIL(rig, beta_is_live);
	assert_null(rig_feed(rig, ACME));
	assert_int_equal(rig_records(rig, RECORD_USER), 0);
	assert_false(rig_exists(rig, "feeds/" ACME));
	rig_stop(rig);
	fake_control_stop(other);
	rig_start(rig);
	assert_non_null(rig_feed(rig, BETA));
}

static void test_leaving(void **state)
{
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	feeds_forget(rig->feeds);
	UNTIL(rig, nothing_is_left);
	assert_int_equal(rig_host(rig).state, FEED_UNENROLLED);
	assert_false(rig_exists(rig, "host.identity"));
	assert_false(rig_exists(rig, "feeds/" ACME));
	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	UNTIL(rig, rig_acme_is_live);
}

static void test_no_sealing_key_no_enrolment(void **state)
{
	struct rig *rig = *state;

	rig_stop(rig);
	rig->without_key = true;
	rig_start(rig);
	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), -ENOKEY);
	assert_int_equal(fake_control_count(rig->control, "POST"), 0);
}

/* ---- access tokens -------------------------------------------------------------------------------------------- */

static void test_tokens_are_renewed(void **state)
{
	struct rig *rig = *state;

	fake_control_set_expires_in(rig->control, 1);
	rig_enroll_acme(rig);
	fake_control_wait(rig->control, "POST /v1/hosts/token", 3);
	UNTIL(rig, rig_acme_is_live);
}

static void test_refused_tokens_are_replaced(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);

	fake_control_forget_tokens(rig->control);
	fake_feed_end_streams(feed);
	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_true(fake_control_count(rig->control, "POST /v1/hosts/token") >= 2);
}

static bool has_host_problem(const struct rig *rig)
{
	return rig_host(rig).problem[0] != '\0';
}

static void test_bare_refusals_wipe_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);

	fake_control_answer(rig->control, "POST /v1/hosts/token", 1, 401, NULL, "{\"title\":\"who?\"}", 16);
	fake_control_answer(rig->control, "GET /v1/feeds", 1, 403, NULL, "", 0);
	fake_control_forget_tokens(rig->control);
	fake_feed_end_streams(feed);
	UNTIL(rig, has_host_problem);
	assert_int_equal(rig_host(rig).state, FEED_LIVE);
	assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_int_equal(rig->critical, 0);
	assert_false(rig->disabled[0]);
}

/* ---- assignments ------------------------------------------------------------------------------------------------ */

static void test_tenants_come_and_go(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *acme = rig_enroll_acme(rig), *beta;

	beta = fake_control_add_feed(rig->control, BETA, "beta", BLOCK + 0x10000);
	feeds_retry(rig->feeds);
	UNTIL(rig, both_are_live);
	assert_int_equal(rig_records(rig, RECORD_TENANT), 2);

	fake_control_drop_feed(beta); /* its stream ends: the host asks what it serves */
	UNTIL(rig, beta_is_gone);
	UNTIL(rig, one_tenant_is_left);
	assert_false(rig_exists(rig, "feeds/" BETA "/snapshot.1"));
	assert_false(rig_exists(rig, "feeds/" BETA "/deltas.1"));
	rig_put_user(acme);
	UNTIL(rig, acme_is_at_2);
}

/* A tenant that goes and comes back does so by the keys of before, and no older. */
static void test_a_tenant_comes_back(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);

	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	fake_control_set_served(feed, false);
	feeds_retry(rig->feeds);
	UNTIL(rig, nothing_is_left);
	assert_false(rig_exists(rig, "feeds/" ACME "/snapshot.1"));
	fake_control_set_served(feed, true);
	feeds_retry(rig->feeds);
	UNTIL(rig, acme_is_at_2);
	assert_int_equal(rig->critical, 0);
}

static bool is_disbelieved(const struct rig *rig)
{
	return strstr(rig_host(rig).problem, "not believed") && rig->critical > 0;
}

/* What is asked while an answer is under way is not asked: so it is asked until it is so. */
static bool is_believed(const struct rig *rig)
{
	feeds_retry(rig->feeds);
	return rig_host(rig).problem[0] == '\0';
}

static bool asked_twice_more(const struct rig *rig)
{
	feeds_retry(rig->feeds);
	return fake_control_count(rig->control, "GET /v1/hosts/self") >= rig->looked_at + 3;
}

/* The lie is told again and again: nothing changes, one event says so. The truth is taken again. */
static void refused(struct rig *rig, enum fake_lie lie, const char *word)
{
	unsigned before = rig->critical;

	fake_control_lie(rig->control, lie);
	feeds_retry(rig->feeds);
	UNTIL(rig, is_disbelieved);
	assert_non_null(strstr(rig_host(rig).problem, word));
	rig->looked_at = fake_control_count(rig->control, "GET /v1/hosts/self");
	UNTIL(rig, asked_twice_more);
	assert_int_equal(rig->critical, before + 1);
	assert_string_equal(rig->fault, "assignment");
	assert_true(rig_acme_is_live(rig));
	assert_null(rig_feed(rig, "ten_evil0000000000"));
	assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
	fake_control_lie(rig->control, FAKE_HONEST);
	UNTIL(rig, is_believed);
	rig->critical = 0;
}

static void test_assignments_that_are_not_believed(void **state)
{
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	refused(rig, FAKE_UNSIGNED, "not signed");
	refused(rig, FAKE_STRANGER, "not believed");
	refused(rig, FAKE_TORN, "not believed");
	refused(rig, FAKE_OTHER_HOST, "another host");
	refused(rig, FAKE_SAME_VERSION, "two signed notes");
	refused(rig, FAKE_OTHER_TRUST, "trust document");
	refused(rig, FAKE_MORE, "other tenants");
	refused(rig, FAKE_NO_TENANTS, "other tenants");
}

static void test_an_older_assignment_is_refused_after_a_restart(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *beta;
	struct host_identity identity = {0};

	rig_enroll_acme(rig);
	beta = fake_control_add_feed(rig->control, BETA, "beta", BLOCK + 0x10000);
	feeds_retry(rig->feeds);
	UNTIL(rig, both_are_live);
	fake_control_drop_feed(beta);
	UNTIL(rig, beta_is_gone);
	rig_stop(rig);
	assert_int_equal(host_identity_load(rig->state_dir, &rig->key, &identity), 0);
	assert_int_equal(identity.assignment_version, 3);
	host_identity_finish(&identity);
	fake_control_lie(rig->control, FAKE_OLDER);
	rig_start(rig);
	UNTIL(rig, is_disbelieved);
	assert_non_null(strstr(rig_host(rig).problem, "older"));
	assert_null(rig_feed(rig, BETA));
}

/* A tenant that is new here begins with the trust document of the note, and with no other. */
static void test_a_new_tenant_needs_its_own_trust(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *beta;

	rig_enroll_acme(rig);
	beta = fake_control_add_feed(rig->control, BETA, "beta", BLOCK + 0x10000);
	fake_feed_rotate_key(beta);
	fake_control_lie(rig->control, FAKE_OTHER_TRUST);
	feeds_retry(rig->feeds);
	UNTIL(rig, is_disbelieved);
	assert_null(rig_feed(rig, BETA));
	assert_false(rig_exists(rig, "feeds/" BETA));
	fake_control_lie(rig->control, FAKE_HONEST);
	feeds_retry(rig->feeds);
	UNTIL(rig, both_are_live);
}

static void test_enrolment_needs_a_good_note(void **state)
{
	static const enum fake_lie lies[] = {FAKE_UNSIGNED,    FAKE_STRANGER, FAKE_TORN,      FAKE_OTHER_HOST,
					     FAKE_OTHER_TRUST, FAKE_MORE,     FAKE_NO_TENANTS};
	struct rig *rig = *state;

	fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		fake_control_lie(rig->control, lies[i]);
		assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)),
				 -EBADMSG);
		assert_false(rig_exists(rig, "host.identity"));
	}
	fake_control_lie(rig->control, FAKE_HONEST);
	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
}

static void test_an_answer_about_another_host_changes_nothing(void **state)
{
	struct rig *rig = *state;
	static const char other[] = "{\"id\":\"hst_other\",\"name\":\"x\",\"disabled\":false,\"tenants\":[]}";

	rig_enroll_acme(rig);
	fake_control_answer(rig->control, "GET /v1/hosts/self", 1, 200, NULL, other, sizeof(other) - 1);
	feeds_retry(rig->feeds);
	UNTIL(rig, has_host_problem);
	assert_non_null(strstr(rig_host(rig).problem, "another host"));
	assert_non_null(rig_feed(rig, ACME));
}

/* ---- starts ------------------------------------------------------------------------------------------------- */

static void test_start_without_a_network(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);

	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	UNTIL(rig, revision_2_is_acknowledged);
	rig_stop(rig);
	fake_control_stop(TAKE_PTR(rig->control));
	rig_start(rig);
	/* At once, before anything was asked. */
	assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
	assert_int_equal(rig_records(rig, RECORD_USER), 1);
	assert_int_equal(rig_host(rig).state, FEED_LIVE);
	assert_int_equal(rig_feed(rig, ACME)->revision, 2);
	UNTIL(rig, has_host_problem);
	assert_int_equal(rig_records(rig, RECORD_USER), 1);
}

static void test_identity_of_another_key_is_not_used(void **state)
{
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	rig_stop(rig);
	memset(rig->key.bytes, 8, sizeof(rig->key.bytes));
	rig_start(rig);
	assert_int_equal(rig->unit_count, 0);
	assert_int_equal(rig_host(rig).state, FEED_UNENROLLED);
	assert_true(has_host_problem(rig));
}

/* ---- out of service ---------------------------------------------------------------------------------------- */

static bool was_disabled(const struct rig *rig)
{
	return rig->disabled[0] && rig->unit_count == 0 && rig_host(rig).state == FEED_DISABLED;
}

static void test_disabled(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);
	struct host_identity identity = {0};

	rig_put_user(feed);
	UNTIL(rig, acme_is_at_2);
	fake_feed_put(feed, "revocation", fake_control_host_id(rig->control), 1,
		      "{\"of\":\"host\",\"at\":1790000000,\"reason\":\"stolen\"}");
	fake_feed_commit(feed);
	UNTIL(rig, was_disabled);
	assert_non_null(strstr(rig->disabled, "stolen"));
	assert_null(rig_feed(rig, ACME));
	assert_false(rig_exists(rig, "feeds/" ACME));
	/* Of the identity only the reason is left. */
	assert_int_equal(host_identity_load(rig->state_dir, &rig->key, &identity), 0);
	for (size_t i = 0; i < sizeof(identity.key.d); i++)
		assert_int_equal(identity.key.d[i], 0);
	rig_stop(rig);
	rig_start(rig);
	assert_int_equal(rig_host(rig).state, FEED_DISABLED);
	assert_int_equal(rig->unit_count, 0);
}

/* It was away when that happened, and hears it when it wants a token: from the authority itself, or from nobody. */
static void away_and_disabled(struct rig *rig, struct fake_feed *feed, enum fake_lie lie)
{
	fake_control_disable(rig->control, lie);
	fake_control_forget_tokens(rig->control);
	fake_feed_end_streams(feed);
}

static void test_disabled_while_away(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);
	struct host_identity identity = {0};

	away_and_disabled(rig, feed, FAKE_HONEST);
	UNTIL(rig, was_disabled);
	assert_non_null(strstr(rig->disabled, "authority"));
	assert_null(rig_feed(rig, ACME));
	assert_false(rig_exists(rig, "feeds/" ACME));
	assert_int_equal(host_identity_load(rig->state_dir, &rig->key, &identity), 0);
	for (size_t i = 0; i < sizeof(identity.key.d); i++)
		assert_int_equal(identity.key.d[i], 0);
	rig_stop(rig);
	rig_start(rig);
	assert_int_equal(rig_host(rig).state, FEED_DISABLED);
	assert_int_equal(rig->unit_count, 0);
}

static void test_disabled_before_the_start(void **state)
{
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	rig_stop(rig);
	fake_control_disable(rig->control, FAKE_HONEST);
	fake_control_forget_tokens(rig->control);
	rig_start(rig);
	UNTIL(rig, was_disabled);
	assert_false(rig_exists(rig, "feeds/" ACME));
}

static void test_words_that_are_not_the_authoritys_disable_nobody(void **state)
{
	static const enum fake_lie lies[] = {FAKE_NO_TENANTS, FAKE_UNSIGNED,   FAKE_STRANGER,
					     FAKE_TORN,       FAKE_OTHER_HOST, FAKE_OLDER};
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		rig_stop(rig);
		fake_control_disable(rig->control, lies[i]);
		rig_start(rig);
		UNTIL(rig, has_host_problem);
		assert_int_equal(strstr(rig_host(rig).problem, "not believed") != NULL, lies[i] != FAKE_NO_TENANTS);
		assert_false(rig->disabled[0]);
		assert_int_equal(rig_host(rig).state, FEED_LIVE);
		assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
	}
	/* And it goes on once the answers are right again. */
	fake_control_end_answers(rig->control);
	UNTIL(rig, rig_acme_is_live);
}

static void test_another_host_is_disabled(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = rig_enroll_acme(rig);

	fake_feed_put(feed, "revocation", "hst_0000000000000000", 1, "{\"of\":\"host\",\"at\":1790000000}");
	fake_feed_commit(feed);
	UNTIL(rig, acme_is_at_2);
	rig_put_user(feed);
	UNTIL(rig, acme_is_at_3);
	assert_false(rig->disabled[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_enrolment),
		TEST(test_enrolling_again_changes_nothing),
		TEST(test_enrolment_is_refused),
		TEST(test_failed_enrolment_destroys_nothing),
		TEST(test_leaving),
		TEST(test_no_sealing_key_no_enrolment),
		TEST(test_tokens_are_renewed),
		TEST(test_refused_tokens_are_replaced),
		TEST(test_bare_refusals_wipe_nothing),
		TEST(test_tenants_come_and_go),
		TEST(test_a_tenant_comes_back),
		TEST(test_assignments_that_are_not_believed),
		TEST(test_an_older_assignment_is_refused_after_a_restart),
		TEST(test_a_new_tenant_needs_its_own_trust),
		TEST(test_enrolment_needs_a_good_note),
		TEST(test_an_answer_about_another_host_changes_nothing),
		TEST(test_start_without_a_network),
		TEST(test_identity_of_another_key_is_not_used),
		TEST(test_disabled),
		TEST(test_disabled_while_away),
		TEST(test_disabled_before_the_start),
		TEST(test_words_that_are_not_the_authoritys_disable_nobody),
		TEST(test_another_host_is_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
