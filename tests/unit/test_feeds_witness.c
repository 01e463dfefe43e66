/* SPDX-License-Identifier: MIT
 *
 * This host as a witness: what it makes of logs that were rewritten, cut short, shown in two forms, or that lack what
 * it has a receipt for; of checkpoints that prove nothing; and what it cosigns.
 */
#include <stdio.h>
#include <string.h>

#include "../fakes/fake_audit.h"
#include "audit_rig.h"
#include "base/clock.h"
#include "base/text.h"
#include "unit.h"
#include "json/json_read.h"

#define TENANT "GET /v1/feeds/" ACME "/audit/witness"
#define PLATFORM "GET /v1/hosts/self/audit/witness"
#define COSIGN "POST /v1/feeds/" ACME "/audit/witness"
#define NEVER "ten_never00000000"        /* never served */
#define LOOKS_USEC (600 * USEC_PER_MSEC) /* several looks at each log */

static bool has_cosigned_both(const struct rig *rig)
{
	return fake_log_cosigned(rig->control, ACME) > 0 && fake_log_cosigned(rig->control, "") > 0;
}

static bool has_cosigned_platform(const struct rig *rig)
{
	return fake_log_cosigned(rig->control, "") > 0;
}

static bool has_seen_both(const struct rig *rig)
{
	return rig->found[FEEDS_LOG_SEEN] >= 2;
}

static bool is_forked(const struct rig *rig)
{
	return rig->found[FEEDS_LOG_FORKED] > 0;
}

static bool view_is_forked(const struct rig *rig)
{
	return rig_host(rig).witness.forked > 0;
}

static bool view_has_problem(const struct rig *rig)
{
	return rig_host(rig).witness.problem[0];
}

static bool log_is_in_order(const struct rig *rig)
{
	return rig_host(rig).witness.last_good > 0;
}

/* With some entries of its own and of others in both logs, and all of it seen. */
static void begin(struct rig *rig)
{
	(void)rig_enroll_acme(rig);
	fake_log_add(rig->control, ACME, 5);
	fake_log_add(rig->control, "", 3);
	audit_rig_emit(rig, ACME, 4);
	audit_rig_await(rig, 4);
	UNTIL(rig, has_cosigned_both);
	UNTIL(rig, has_seen_both);
	fake_control_wait(rig->control, TENANT "?from=9", 1);
	fake_control_wait(rig->control, PLATFORM "?from=3", 1);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
}

static void nothing_more(struct rig *rig)
{
	unsigned before = rig->found[FEEDS_LOG_FORKED];

	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], before);
}

static void forks(struct rig *rig, const char *tenant_id, const char *change)
{
	struct host_view host;

	UNTIL(rig, is_forked);
	assert_string_equal(rig->found_tenant, tenant_id);
	assert_string_equal(rig->found_change, change);
	UNTIL(rig, view_is_forked);
	host = rig_host(rig);
	assert_int_equal(host.witness.forked, 1);
	assert_int_equal(host.witness.logs, 2);
	assert_string_not_equal(host.witness.problem, "");
	nothing_more(rig); /* it is told once, not with each look */
}

/* ---- what is in order
 * ------------------------------------------------------------------------------------------------- */

static void test_logs_that_grow_are_cosigned_and_nothing_is_said(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	begin(rig);
	before = fake_log_cosigned(rig->control, ACME);
	fake_log_add(rig->control, ACME, 700);
	while (fake_log_cosigned(rig->control, ACME) == before)
		audit_rig_pass(rig, 50 * USEC_PER_MSEC);
	audit_rig_emit(rig, ACME, 2);
	audit_rig_await(rig, 6);
	nothing_more(rig);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
	assert_int_equal(rig_host(rig).witness.logs, 2);
	UNTIL(rig, log_is_in_order);
	assert_int_equal(rig->audits, 0);
}

static void test_a_log_that_does_not_grow_is_cosigned_once(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	begin(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	before = fake_control_count(rig->control, COSIGN);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(fake_control_count(rig->control, COSIGN), before);
}

static void test_events_of_this_host_are_looked_for(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_control_wait(rig->control, TENANT "?from=9&id=", 1);
	fake_control_wait(rig->control, TENANT "?from=9&index=", 1); /* and again, where it was */
}

static void test_what_was_seen_is_told_once_an_hour(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	assert_int_equal(rig->found[FEEDS_LOG_SEEN], 2);
	fake_log_add(rig->control, ACME, 1);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(rig->found[FEEDS_LOG_SEEN], 2);
	assert_non_null(strstr(rig->found_detail, " entries, root "));
}

/* ---- what cannot be
 * ----------------------------------------------------------------------------------------------------- */

static void test_another_root_at_the_same_size(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_rewrite(rig->control, ACME, 1);
	forks(rig, ACME, "rewritten");
}

static void test_an_old_entry_that_was_changed_in_a_log_that_grew(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_rewrite(rig->control, ACME, 1);
	fake_log_add(rig->control, ACME, 10);
	UNTIL(rig, is_forked);
	assert_true(text_equal(rig->found_change, "unproved") || text_equal(rig->found_change, "rewritten"));
}

static void test_a_log_that_was_cut_short(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_cut(rig->control, ACME, 6);
	forks(rig, ACME, "shrunk");
	/* Grown over it with other entries, it is no better. */
	fake_log_add(rig->control, ACME, 40);
	nothing_more(rig);
	assert_true(view_is_forked(rig));
}

static void test_a_proof_that_does_not_hold(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_lie(rig->control, LOG_BAD_CONSISTENCY);
	fake_log_add(rig->control, ACME, 10);
	forks(rig, ACME, "unproved");
}

static void test_the_platforms_log_is_looked_at_as_well(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_rewrite(rig->control, "", 0);
	forks(rig, "", "rewritten");
}

static void test_an_event_whose_proof_does_not_hold(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_log_lie(rig->control, LOG_BAD_INCLUSION);
	forks(rig, ACME, "event-missing");
}

static void test_an_event_that_was_there_and_is_hidden(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_control_wait(rig->control, TENANT "?from=9&index=", 1);
	fake_log_lie(rig->control, LOG_HIDES_EVENTS);
	forks(rig, ACME, "event-missing");
	assert_non_null(strstr(rig->found_detail, "is not there any more"));
}

static void test_an_event_with_a_receipt_that_never_came_into_a_log(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	fake_audit_withhold(rig->control, 1);
	audit_rig_emit(rig, ACME, 1);
	forks(rig, "", "event-missing");
	assert_non_null(strstr(rig->found_detail, "is in no log"));
}

static void test_an_event_may_be_in_the_platforms_log(void **state)
{
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	/* Of a tenant that this host does not serve: it is looked for where it went. */
	audit_rig_emit(rig, "", 3);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_await(rig, 4);
	fake_control_wait(rig->control, PLATFORM "?from=3&index=", 1);
	nothing_more(rig);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
}

/* The control plane served it already, and this host did not know it yet. */
static void test_an_event_may_be_in_a_log_that_was_not_looked_at_when_it_came(void **state)
{
	struct rig *rig = *state;

	/* Before anybody looks, or what is looked for next is not after these. */
	fake_log_add(rig->control, "", 3);
	(void)rig_enroll_acme(rig);
	UNTIL(rig, has_cosigned_platform);
	audit_rig_emit(rig, NEVER, 3);
	audit_rig_await(rig, 3);
	fake_control_wait(rig->control, PLATFORM "?from=3&id=", 1);
	nothing_more(rig);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
}

/* Written before this host was enrolled as the one that it is: it is told of as not in order, and in no log itself. */
static void test_what_this_host_wrote_under_another_id_is_not_looked_for(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	for (unsigned batch = 0; batch < 4; batch++) {
		for (unsigned i = 0; i < 20; i++)
			audit_rig_write(rig, i % 2 ? ACME : "", i % 3 ? "hst_former0000000" : "");
		audit_rig_emit(rig, ACME, 1);
		audit_rig_settle(rig);
	}
	nothing_more(rig);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
}

static void test_both_checkpoints_are_the_evidence(void **state)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct rig *rig = *state;
	struct problem problem = {0};
	const json_t *kept, *shown;

	begin(rig);
	fake_log_rewrite(rig->control, ACME, 1);
	UNTIL(rig, is_forked);
	assert_int_equal(json_read(rig->found_data, strlen(rig->found_data), &json, &problem), 0);
	kept = json_object_get(json, "kept");
	shown = json_object_get(json, "shown");
	assert_int_equal(json_array_size(kept), 5);
	assert_int_equal(json_array_size(shown), 5);
	assert_string_equal(json_string_value(json_array_get(kept, 0)), "control.test/audit/" ACME);
	assert_string_equal(json_string_value(json_array_get(kept, 1)), json_string_value(json_array_get(shown, 1)));
	assert_string_not_equal(json_string_value(json_array_get(kept, 2)),
				json_string_value(json_array_get(shown, 2)));
}

static void test_what_cannot_be_is_not_cosigned_and_the_last_good_one_stays(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	begin(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	before = fake_log_cosigned(rig->control, ACME);
	fake_log_rewrite(rig->control, ACME, 1);
	UNTIL(rig, is_forked);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(fake_log_cosigned(rig->control, ACME), before);
	/* The log as it was follows on the last good one; that it was another is not forgotten. */
	fake_log_rewrite(rig->control, ACME, 1);
	fake_log_add(rig->control, ACME, 3);
	while (fake_log_cosigned(rig->control, ACME) == before)
		audit_rig_pass(rig, 50 * USEC_PER_MSEC);
	assert_int_equal(rig_host(rig).witness.forked, 1);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 1);
}

static void test_it_remembers_over_a_restart(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	rig_stop(rig);
	fake_log_rewrite(rig->control, ACME, 2);
	rig_start(rig);
	UNTIL(rig, is_forked);
	assert_string_equal(rig->found_change, "rewritten");
	audit_rig_pass(rig, LOOKS_USEC);
	/* And that it saw two. */
	rig->found[FEEDS_LOG_FORKED] = 0;
	rig_stop(rig);
	fake_log_rewrite(rig->control, ACME, 2);
	rig_start(rig);
	UNTIL(rig, view_is_forked);
}

/* When its receipt came is not known any more: the log has all its time again. */
static void test_after_a_restart_an_event_is_not_missed_sooner(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	rig_stop(rig);
	rig->settle_usec = 60 * USEC_PER_SEC;
	rig_start(rig);
	begin(rig);
	before = fake_log_cosigned(rig->control, ACME);
	fake_log_add(rig->control, ACME, 1);
	while (fake_log_cosigned(rig->control, ACME) == before)
		audit_rig_pass(rig, 50 * USEC_PER_MSEC);
	rig_stop(rig);
	rig_start(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	fake_control_wait(rig->control, TENANT "?from=10", 1);
	assert_int_equal(fake_control_count(rig->control, TENANT "?from=10&id="), 0);
}

/* ---- what proves nothing
 * ---------------------------------------------------------------------------------------------------- */

static void proves_nothing(struct rig *rig, enum fake_log_lie lie)
{
	unsigned before;

	begin(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	before = fake_log_cosigned(rig->control, ACME);
	fake_log_rewrite(rig->control, ACME, 1); /* whatever it says */
	fake_log_lie(rig->control, lie);
	audit_rig_await_fault(rig, "audit-checkpoint");
	assert_int_equal(rig->critical, 0);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
	assert_int_equal(fake_log_cosigned(rig->control, ACME), before);
	assert_int_equal(rig_host(rig).witness.forked, 0);
	UNTIL(rig, view_has_problem);
}

static void test_a_checkpoint_without_a_signature(void **state)
{
	proves_nothing(*state, LOG_UNSIGNED);
}

static void test_a_strangers_checkpoint(void **state)
{
	proves_nothing(*state, LOG_STRANGER);
}

static void test_a_signature_of_the_feeds_key_under_its_own_name(void **state)
{
	proves_nothing(*state, LOG_FEED_KEY);
}

static void test_another_logs_checkpoint(void **state)
{
	proves_nothing(*state, LOG_OTHER_ORIGIN);
}

static void answers(struct rig *rig, unsigned status, const char *body)
{
	begin(rig);
	fake_control_answer(rig->control, TENANT, -1, status, NULL, body, strlen(body));
	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
	assert_int_equal(rig->critical, 0);
	fake_control_end_answers(rig->control);
}

static void test_answers_that_are_none(void **state)
{
	struct rig *rig = *state;

	answers(rig, 200, "{\"checkpoint\":7,\"consistency\":[]}");
	assert_string_equal(rig->fault, "audit-witness");
}

static void test_answers_with_more_than_belongs_there(void **state)
{
	struct rig *rig = *state;

	answers(rig, 200, "{\"checkpoint\":\"x\",\"consistency\":[],\"trust\":\"me\"}");
	assert_string_equal(rig->fault, "audit-witness");
}

static void test_hashes_that_are_none(void **state)
{
	struct rig *rig = *state;

	answers(rig, 200, "{\"checkpoint\":\"x\",\"consistency\":[\"AAAA\"]}");
	assert_string_equal(rig->fault, "audit-witness");
}

static void test_a_control_plane_that_shows_no_log(void **state)
{
	struct rig *rig = *state;

	answers(rig, 404, "{}");
	assert_int_equal(rig->audits, 0);
	assert_non_null(strstr(rig_host(rig).witness.problem, "404"));
}

static void test_a_token_that_is_refused_is_replaced(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	begin(rig);
	before = fake_control_count(rig->control, TENANT);
	fake_control_answer(rig->control, TENANT, 1, 401, NULL, "{}", 2);
	fake_control_wait(rig->control, TENANT, before + 4);
	assert_int_equal(rig->found[FEEDS_LOG_FORKED], 0);
}

static void test_a_failing_control_plane_is_asked_later(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	begin(rig);
	before = fake_control_count(rig->control, TENANT);
	fake_control_answer(rig->control, TENANT, -1, 500, "Retry-After: 30", "{}", 2);
	audit_rig_pass(rig, 2 * LOOKS_USEC);
	assert_in_range(fake_control_count(rig->control, TENANT), before + 1, before + 3);
}

/* ---- whose log
 * ---------------------------------------------------------------------------------------------------------------- */

static void test_a_tenant_that_is_not_served_any_more_is_not_looked_at_and_not_forgotten(void **state)
{
	struct fake_feed *feed;
	struct rig *rig = *state;
	unsigned before;

	feed = rig_enroll_acme(rig);
	fake_log_add(rig->control, ACME, 4);
	fake_log_add(rig->control, "", 1);
	audit_rig_emit(rig, ACME, 1);
	UNTIL(rig, has_seen_both);
	audit_rig_pass(rig, LOOKS_USEC);
	fake_control_set_served(feed, false);
	feeds_retry(rig->feeds);
	while (rig_feed(rig, ACME))
		audit_rig_pass(rig, 50 * USEC_PER_MSEC);
	before = fake_control_count(rig->control, TENANT);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_int_equal(fake_control_count(rig->control, TENANT), before);
	assert_int_equal(rig_host(rig).witness.logs, 1);
	/* It comes back as another one. */
	fake_log_rewrite(rig->control, ACME, 1);
	fake_control_set_served(feed, true);
	feeds_retry(rig->feeds);
	forks(rig, ACME, "rewritten");
}

static void test_a_host_that_left_forgets(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_true(rig_exists(rig, "witness/" ACME));
	assert_true(rig_exists(rig, "witness/platform"));
	feeds_forget(rig->feeds);
	audit_rig_pass(rig, LOOKS_USEC);
	assert_false(rig_exists(rig, "witness/" ACME));
	assert_false(rig_exists(rig, "witness/platform"));
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, audit_rig_set_up, audit_rig_tear_down)
	const struct CMUnitTest tests[] = {
		RIGGED(test_logs_that_grow_are_cosigned_and_nothing_is_said),
		RIGGED(test_a_log_that_does_not_grow_is_cosigned_once),
		RIGGED(test_events_of_this_host_are_looked_for),
		RIGGED(test_what_was_seen_is_told_once_an_hour),
		RIGGED(test_another_root_at_the_same_size),
		RIGGED(test_an_old_entry_that_was_changed_in_a_log_that_grew),
		RIGGED(test_a_log_that_was_cut_short),
		RIGGED(test_a_proof_that_does_not_hold),
		RIGGED(test_the_platforms_log_is_looked_at_as_well),
		RIGGED(test_an_event_whose_proof_does_not_hold),
		RIGGED(test_an_event_that_was_there_and_is_hidden),
		RIGGED(test_an_event_with_a_receipt_that_never_came_into_a_log),
		RIGGED(test_an_event_may_be_in_the_platforms_log),
		RIGGED(test_an_event_may_be_in_a_log_that_was_not_looked_at_when_it_came),
		RIGGED(test_what_this_host_wrote_under_another_id_is_not_looked_for),
		RIGGED(test_after_a_restart_an_event_is_not_missed_sooner),
		RIGGED(test_both_checkpoints_are_the_evidence),
		RIGGED(test_what_cannot_be_is_not_cosigned_and_the_last_good_one_stays),
		RIGGED(test_it_remembers_over_a_restart),
		RIGGED(test_a_checkpoint_without_a_signature),
		RIGGED(test_a_strangers_checkpoint),
		RIGGED(test_a_signature_of_the_feeds_key_under_its_own_name),
		RIGGED(test_another_logs_checkpoint),
		RIGGED(test_answers_that_are_none),
		RIGGED(test_answers_with_more_than_belongs_there),
		RIGGED(test_hashes_that_are_none),
		RIGGED(test_a_control_plane_that_shows_no_log),
		RIGGED(test_a_token_that_is_refused_is_replaced),
		RIGGED(test_a_failing_control_plane_is_asked_later),
		RIGGED(test_a_tenant_that_is_not_served_any_more_is_not_looked_at_and_not_forgotten),
		RIGGED(test_a_host_that_left_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
