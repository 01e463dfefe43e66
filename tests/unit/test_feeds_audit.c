/* SPDX-License-Identifier: MIT
 *
 * What the control plane gets of the spool: everything, once and in order, whatever becomes of a request; and what the
 * host makes of answers that no honest control plane gives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fakes/fake_audit.h"
#include "audit_rig.h"
#include "base/clock.h"
#include "unit.h"

#define POST "POST /v1/hosts/self/audit\n" /* and not what is cosigned */
#define REFUSALS_WAIT_USEC (1500 * USEC_PER_MSEC)

static unsigned posts(const struct rig *rig)
{
	return fake_control_count(rig->control, POST);
}

/* ---- what goes well
 * --------------------------------------------------------------------------------------------------- */

static void test_all_that_was_written_before_enrolment_comes_and_then_the_rest(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 3);
	audit_rig_emit(rig, "", 2);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 5);
	assert_int_equal(fake_log_size(rig->control, ACME), 3);
	assert_int_equal(fake_log_size(rig->control, ""), 2);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_await(rig, 6);
	assert_int_equal(audit_rig_unacknowledged(rig), 0);
	assert_int_equal(fake_audit_twice(rig->control), 0);
	assert_int_equal(rig->critical, 0);
}

static void test_a_host_says_where_it_is_though_it_has_nothing_to_say(void **state)
{
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	audit_rig_pass(rig, REFUSALS_WAIT_USEC);
	assert_int_equal(posts(rig), 1);
	assert_int_equal(fake_audit_at(rig->control), 0);
}

static void test_a_backlog_goes_in_a_few_requests(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 6000);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 6000);
	assert_in_range(posts(rig), 2, 6);
	assert_int_equal(fake_audit_twice(rig->control), 0);
}

static void test_after_a_restart_it_goes_on_from_the_last_receipt(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 10);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 10);
	audit_rig_restart(rig);
	audit_rig_emit(rig, ACME, 5);
	audit_rig_await(rig, 15);
	assert_int_equal(fake_audit_chains(rig->control), 1);
	assert_int_equal(fake_audit_twice(rig->control), 0);
	assert_int_equal(rig->critical, 0);
}

/* ---- answers that are lost, late, or no
 * ------------------------------------------------------------------------------- */

static void test_a_lost_answer_has_the_same_events_sent_once_more_and_taken_once(void **state)
{
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, 1, 0, NULL, NULL, 0);
	audit_rig_emit(rig, ACME, 4);
	audit_rig_await(rig, 4);
	assert_true(posts(rig) >= 3);
	assert_int_equal(fake_audit_twice(rig->control), 0);
}

static void fails_and_recovers(struct rig *rig, unsigned status, const char *body)
{
	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, 1, status, status == 503 ? "Retry-After: 1" : NULL, body, strlen(body));
	audit_rig_emit(rig, ACME, 2);
	audit_rig_await(rig, 2);
	assert_int_equal(fake_audit_twice(rig->control), 0);
	assert_int_equal(rig->critical, 0);
}

static void test_a_control_plane_that_is_away_for_a_moment_loses_nothing(void **state)
{
	fails_and_recovers(*state, 503, "{}");
}

static void test_too_many_requests_is_no_refusal(void **state)
{
	fails_and_recovers(*state, 429, "{}");
}

static void test_a_token_that_is_refused_is_replaced(void **state)
{
	fails_and_recovers(*state, 401, "{}");
}

static void test_too_large_a_request_is_made_smaller(void **state)
{
	fails_and_recovers(*state, 413, "{}");
}

static void test_what_is_refused_as_it_stands_is_not_hammered_and_stays(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, -1, 403, NULL, "{}", 2);
	audit_rig_emit(rig, ACME, 2);
	fake_control_wait(rig->control, POST, 2);
	before = posts(rig);
	audit_rig_emit(rig, ACME, 2);
	audit_rig_pass(rig, REFUSALS_WAIT_USEC);
	assert_int_equal(posts(rig), before);
	assert_int_equal(audit_rig_unacknowledged(rig), 4);
	assert_string_not_equal(rig_host(rig).reports.problem, "");
	/* A reload asks again at once. */
	fake_control_end_answers(rig->control);
	feeds_retry(rig->feeds);
	audit_rig_await(rig, 4);
}

static void refuses(struct rig *rig, const char *body, size_t length, const char *fault)
{
	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, -1, 200, NULL, body, length);
	audit_rig_emit(rig, ACME, 3);
	audit_rig_await_fault(rig, fault);
	assert_int_equal(audit_rig_unacknowledged(rig), 3);
	fake_control_end_answers(rig->control);
	feeds_retry(rig->feeds);
	audit_rig_await(rig, 3);
	assert_int_equal(fake_audit_twice(rig->control), 0);
}

static void test_an_answer_that_is_none_frees_nothing(void **state)
{
	refuses(*state, "{}", 2, "audit-answer");
}

static void test_an_answer_that_is_no_json_frees_nothing(void **state)
{
	refuses(*state, "<html>", 6, "audit-answer");
}

static void test_an_answer_with_numbers_that_cannot_be_frees_nothing(void **state)
{
	static const char body[] = "{\"next\":-4,\"head\":\"00\",\"receipt\":\"x\"}";

	refuses(*state, body, strlen(body), "audit-answer");
}

static void test_a_huge_answer_is_not_read_to_its_end(void **state)
{
	struct rig *rig = *state;
	size_t length = (size_t)4 << 20;
	char *body = malloc(length);

	assert_non_null(body);
	memset(body, ' ', length);
	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, 1, 200, NULL, body, length);
	audit_rig_emit(rig, ACME, 3);
	audit_rig_await(rig, 3);
	assert_int_equal(fake_audit_twice(rig->control), 0);
	free(body);
}

/* ---- receipts
 * --------------------------------------------------------------------------------------------------------- */

static void frees_nothing(struct rig *rig, enum fake_receipt kind)
{
	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_audit_receipts(rig->control, kind);
	audit_rig_emit(rig, ACME, 3);
	audit_rig_await_fault(rig, "audit-receipt");
	assert_true(rig->critical > 0);
	assert_int_equal(audit_rig_unacknowledged(rig), 3);
	fake_audit_receipts(rig->control, RECEIPT_GOOD);
	feeds_retry(rig->feeds);
	audit_rig_await(rig, 3);
	assert_int_equal(fake_audit_chains(rig->control), 1);
	assert_int_equal(fake_audit_twice(rig->control), 0);
}

static void test_no_receipt_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_NONE);
}

static void test_a_strangers_receipt_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_STRANGER);
}

static void test_a_torn_receipt_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_TORN);
}

static void test_a_receipt_for_another_host_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_OTHER_HOST);
}

static void test_a_receipt_for_another_chain_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_OTHER_CHAIN);
}

static void test_a_receipt_with_another_hash_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_OTHER_HASH);
}

static void test_a_receipt_that_the_answer_does_not_know_frees_nothing(void **state)
{
	frees_nothing(*state, RECEIPT_NOT_ANSWER);
}

/* ---- two histories
 * ------------------------------------------------------------------------------------------------------ */

static bool has_forked(const struct rig *rig)
{
	return rig->found[FEEDS_CHAIN_FORKED] > 0;
}

static void forks(struct rig *rig, unsigned more)
{
	UNTIL(rig, has_forked);
	audit_rig_emit(rig, ACME, 2);
	fake_audit_wait(rig->control, more);
	assert_int_equal(rig->found[FEEDS_CHAIN_FORKED], 1);
	assert_int_equal(fake_audit_chains(rig->control), 2);
	assert_int_equal(fake_audit_next(rig->control), 3);
	assert_int_equal(rig_host(rig).reports.forks, 1);
	audit_rig_settle(rig);
	assert_int_equal(audit_rig_unacknowledged(rig), 0);
}

static void test_a_host_that_was_set_back_begins_another_chain(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 5);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 5);
	fake_audit_run_ahead(rig->control, 20);
	audit_rig_emit(rig, ACME, 1);
	forks(rig, 7);
	assert_non_null(strstr(rig->found_detail, "up to event 25"));
	assert_non_null(strstr(rig->found_detail, "; events 6 to 6 of it are in the journal alone"));
}

static void test_a_host_with_another_past_begins_another_chain(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 5);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 5);
	fake_audit_alter(rig->control);
	audit_rig_emit(rig, ACME, 1);
	forks(rig, 7);
	assert_non_null(strstr(rig->found_detail, "another event 5"));
}

static void test_a_chain_that_the_control_plane_ended_is_not_gone_on_with(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 5);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 5);
	fake_audit_end_chain(rig->control);
	audit_rig_emit(rig, ACME, 1);
	forks(rig, 7);
}

/* Whatever the other side says, there is no chain for every answer. */
static void test_chains_are_not_begun_again_and_again(void **state)
{
	static const char body[] = "{\"next\":900000,\"head\":"
				   "\"000000000000000000000000000000000000000000000000000000000000000a\"}";
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, -1, 409, NULL, body, strlen(body));
	audit_rig_emit(rig, ACME, 1);
	UNTIL(rig, has_forked);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_pass(rig, 2 * REFUSALS_WAIT_USEC);
	assert_int_equal(rig->found[FEEDS_CHAIN_FORKED], 1);
	assert_true(posts(rig) < 12);
}

/* However often it changes its mind: it is not asked as fast as it answers. */
static void test_a_control_plane_that_never_knows_where_it_is_is_not_hammered(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	(void)rig_enroll_acme(rig);
	for (unsigned i = 0; i < 100; i++)
		audit_rig_emit(rig, ACME, 1);
	audit_rig_await(rig, 100);
	fake_audit_wander(rig->control);
	before = posts(rig);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_pass(rig, REFUSALS_WAIT_USEC);
	assert_true(posts(rig) > before);
	assert_true(posts(rig) < before + 12);
	assert_int_equal(rig->found[FEEDS_CHAIN_FORKED], 0);
}

static void test_receipts_for_nothing_are_not_collected(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	(void)rig_enroll_acme(rig);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_await(rig, 1);
	fake_audit_receipts(rig->control, RECEIPT_NOTHING);
	before = posts(rig);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_pass(rig, REFUSALS_WAIT_USEC);
	assert_true(posts(rig) > before);
	assert_true(posts(rig) < before + 12);
	fake_audit_receipts(rig->control, RECEIPT_GOOD);
	audit_rig_await(rig, 2);
}

static void test_a_control_plane_that_lost_what_it_took_gets_it_again_where_it_is_there(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 6);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 6);
	fake_audit_restore(rig->control, 2);
	audit_rig_emit(rig, ACME, 1);
	/* Of those that it had given a receipt for, the spool may have all or none: it has let them go by segments. */
	audit_rig_await_fault(rig, "audit-rollback");
	audit_rig_settle(rig);
	assert_int_equal(audit_rig_unacknowledged(rig), 0);
	assert_int_equal(fake_audit_next(rig->control), 8);
	assert_int_equal(fake_audit_taken(rig->control) + fake_audit_missing(rig->control), 6 + 5);
	assert_int_equal(fake_audit_chains(rig->control), 1);
}

static void test_so_it_does_after_a_restart_of_the_host(void **state)
{
	struct rig *rig = *state;

	audit_rig_emit(rig, ACME, 6);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 6);
	fake_audit_restore(rig->control, 4);
	audit_rig_restart(rig);
	audit_rig_emit(rig, ACME, 1);
	audit_rig_await_fault(rig, "audit-rollback");
	audit_rig_settle(rig);
	assert_int_equal(fake_audit_next(rig->control), 8);
}

static void test_a_conflict_that_is_no_place_is_not_believed(void **state)
{
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	fake_control_answer(rig->control, POST, 2, 409, NULL, "{\"detail\":\"no\"}", 15);
	audit_rig_emit(rig, ACME, 2);
	audit_rig_await(rig, 2);
	assert_int_equal(fake_audit_chains(rig->control), 1);
}

/* ---- with whom
 * --------------------------------------------------------------------------------------------------------- */

static void test_another_control_plane_gets_all_that_is_there_and_is_no_rollback(void **state)
{
	struct rig *rig = *state;
	struct fake_control *first = rig->control;

	audit_rig_emit(rig, ACME, 4);
	(void)rig_enroll_acme(rig);
	audit_rig_await(rig, 4);
	rig->control = fake_control_start();
	(void)fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	audit_rig_emit(rig, ACME, 1);
	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	audit_rig_settle(rig);
	assert_int_equal(fake_audit_next(rig->control), 6);
	assert_int_equal(fake_audit_taken(rig->control) + fake_audit_missing(rig->control), 5);
	assert_int_equal(rig->critical, 0);
	fake_control_stop(first);
}

static void test_what_was_written_for_one_control_plane_is_not_sent_to_another(void **state)
{
	struct rig *rig = *state;
	struct fake_control *first = rig->control;

	(void)rig_enroll_acme(rig);
	for (unsigned i = 0; i < 40; i++)
		audit_rig_write(rig, ACME, fake_control_host_id(first));
	audit_rig_settle(rig);
	assert_int_equal(fake_audit_taken(first), 40);
	rig->control = fake_control_start();
	(void)fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	audit_rig_pass(rig, 100 * USEC_PER_MSEC);
	for (unsigned i = 0; i < 3; i++) {
		audit_rig_write(rig, ACME, fake_control_host_id(rig->control));
		audit_rig_settle(rig);
	}
	assert_int_equal(fake_audit_next(rig->control), 44);
	assert_int_equal(fake_audit_taken(rig->control), 3);
	assert_int_equal(fake_audit_missing(rig->control), 40); /* it is told */
	assert_int_equal(fake_audit_strangers(rig->control), 0);
	assert_int_equal(rig->critical, 0);
	assert_int_equal(rig->found[FEEDS_CHAIN_FORKED], 0);
	fake_control_stop(first);
}

static void test_a_host_that_left_keeps_nothing_for_a_control_plane(void **state)
{
	struct rig *rig = *state;
	struct spool_state spool;

	(void)rig_enroll_acme(rig);
	audit_rig_emit(rig, ACME, 2);
	audit_rig_await(rig, 2);
	spool_state(rig->spool, &spool);
	assert_int_equal(spool.consumers, 1);
	feeds_forget(rig->feeds);
	audit_rig_pass(rig, 300 * USEC_PER_MSEC);
	spool_state(rig->spool, &spool);
	assert_int_equal(spool.consumers, 0);
	assert_false(rig_exists(rig, "audit.receipt"));
}

static void test_the_last_receipt_lies_on_disk(void **state)
{
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	audit_rig_emit(rig, ACME, 2);
	audit_rig_await(rig, 2);
	rig_stop(rig);
	assert_true(rig_exists(rig, "audit.receipt"));
	rig_start(rig);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, audit_rig_set_up, audit_rig_tear_down)
	const struct CMUnitTest tests[] = {
		RIGGED(test_all_that_was_written_before_enrolment_comes_and_then_the_rest),
		RIGGED(test_a_host_says_where_it_is_though_it_has_nothing_to_say),
		RIGGED(test_a_backlog_goes_in_a_few_requests),
		RIGGED(test_after_a_restart_it_goes_on_from_the_last_receipt),
		RIGGED(test_a_lost_answer_has_the_same_events_sent_once_more_and_taken_once),
		RIGGED(test_a_control_plane_that_is_away_for_a_moment_loses_nothing),
		RIGGED(test_too_many_requests_is_no_refusal),
		RIGGED(test_a_token_that_is_refused_is_replaced),
		RIGGED(test_too_large_a_request_is_made_smaller),
		RIGGED(test_what_is_refused_as_it_stands_is_not_hammered_and_stays),
		RIGGED(test_an_answer_that_is_none_frees_nothing),
		RIGGED(test_an_answer_that_is_no_json_frees_nothing),
		RIGGED(test_an_answer_with_numbers_that_cannot_be_frees_nothing),
		RIGGED(test_a_huge_answer_is_not_read_to_its_end),
		RIGGED(test_no_receipt_frees_nothing),
		RIGGED(test_a_strangers_receipt_frees_nothing),
		RIGGED(test_a_torn_receipt_frees_nothing),
		RIGGED(test_a_receipt_for_another_host_frees_nothing),
		RIGGED(test_a_receipt_for_another_chain_frees_nothing),
		RIGGED(test_a_receipt_with_another_hash_frees_nothing),
		RIGGED(test_a_receipt_that_the_answer_does_not_know_frees_nothing),
		RIGGED(test_a_host_that_was_set_back_begins_another_chain),
		RIGGED(test_a_host_with_another_past_begins_another_chain),
		RIGGED(test_a_chain_that_the_control_plane_ended_is_not_gone_on_with),
		RIGGED(test_chains_are_not_begun_again_and_again),
		RIGGED(test_a_control_plane_that_never_knows_where_it_is_is_not_hammered),
		RIGGED(test_receipts_for_nothing_are_not_collected),
		RIGGED(test_a_control_plane_that_lost_what_it_took_gets_it_again_where_it_is_there),
		RIGGED(test_so_it_does_after_a_restart_of_the_host),
		RIGGED(test_a_conflict_that_is_no_place_is_not_believed),
		RIGGED(test_another_control_plane_gets_all_that_is_there_and_is_no_rollback),
		RIGGED(test_what_was_written_for_one_control_plane_is_not_sent_to_another),
		RIGGED(test_a_host_that_left_keeps_nothing_for_a_control_plane),
		RIGGED(test_the_last_receipt_lies_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
