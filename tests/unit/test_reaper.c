/* SPDX-License-Identifier: MIT
 *
 * What is asked of the helper, when, and what becomes of it when something does not go as it should.
 */
#include "reaper_rig.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "directory_fixture.h"

#define KEY_LINE "    not_after: 2027-06-01\n"
#define REVOKED "    revoked: {at: 2027-01-15T07:00:00Z, reason: laptop lost}\n"
#define ACTIVE "status: active"
#define SUSPENDED "status: suspended, status_reason: has left"

/* ---- one session ------------------------------------------------------------------------------------------------- */

static void what_stands_is_left_alone(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	rig_change("slug: vision", "slug: sight");
	rig_move(100 * 86400 * SECOND);
	assert_int_equal(asked_count, 0);
	assert_int_equal(session->ending, 0);
	assert_int_equal(audits, 0);
	assert_int_equal(reaper->armed, 0); /* and nothing wakes up for it */
}

static void a_session_is_told_hung_up_and_killed(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY), *other = rig_open("alice", BY_OTHER_KEY);
	const struct asked *last;

	(void)state;
	rig_change(KEY_LINE, REVOKED);
	assert_int_equal(asked_count, 1);
	last = rig_last(HELPER_HANG_UP_SESSION);
	assert_int_equal(last->request.leader, session->leader);
	assert_int_equal(last->request.leader_start, session->leader_start);
	assert_non_null(strstr(last->request.text, "the key that opened it was revoked (laptop lost)"));
	assert_non_null(strstr(last->request.text, "5 seconds"));
	assert_true(session->ending && !session->hung_up);
	assert_string_equal(session->ending_cause, "key-revoked");
	assert_int_equal(audits, 1);
	assert_int_equal(events_ending, 1);
	assert_string_equal(last_cause, "key-revoked");
	assert_string_equal(last_detail, "laptop lost");
	rig_answer_all(0);
	assert_true(session->hung_up);
	rig_move(4900 * USEC_PER_MSEC);
	assert_int_equal(asked_count, 1);
	rig_move(200 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, ALICE), 1);
	rig_answer_all(0);
	rig_kill(session);
	rig_move(3600 * SECOND);
	/* Alice is here by another key as well: nothing else is touched, and nothing asked again. */
	assert_int_equal(asked_count, 2);
	assert_int_equal(other->ending, 0);
	assert_int_equal(rig_begun(), 0);
}

static void without_a_grace_time_it_is_killed_at_once(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	(void)rig_open("alice", BY_OTHER_KEY);
	rig_change("grace: 5s", "grace: 0s");
	rig_change(KEY_LINE, REVOKED);
	assert_null(strstr(rig_last(HELPER_HANG_UP_SESSION)->request.text, "killed"));
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
	rig_kill(session);
	rig_answer_all(0);
	assert_int_equal(asked_count, 2);
}

static void the_host_s_shorter_grace_time_counts(void **state)
{
	(void)state;
	limits.rules.grace_sec = 2;
	(void)rig_open("alice", BY_KEY);
	(void)rig_open("alice", BY_OTHER_KEY);
	rig_change(KEY_LINE, REVOKED);
	rig_answer_all(0);
	rig_move(1900 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 0);
	rig_move(200 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
}

static void what_is_left_is_killed_again(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	(void)rig_open("alice", BY_OTHER_KEY);
	rig_change(KEY_LINE, REVOKED);
	rig_answer_all(0);
	rig_move(5 * SECOND);
	for (unsigned i = 1; i < 12; i++) {
		assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), i);
		rig_answer_all(-EBUSY);
		assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), i); /* not at once */
		rig_move(31 * SECOND);
	}
	assert_int_equal(failures, 1); /* said, and said once */
	assert_non_null(session_find(table, session->id));
	rig_kill(session);
	rig_move(3600 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 12);
}

/* A service of the host leads the session (JupyterHub), and does not go with it. */
static void a_leader_that_stays_is_no_session_any_more(void **state)
{
	char id[SESSION_ID_CHARS + 1];
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	memcpy(id, session->id, sizeof(id));
	(void)rig_open("alice", BY_OTHER_KEY);
	rig_change(KEY_LINE, REVOKED);
	rig_answer_all(0);
	rig_move(5 * SECOND);
	rig_answer_all(-ESRCH); /* there was nothing of hers below it */
	assert_non_null(session_find(table, id));
	rig_move(3 * SECOND);
	assert_null(session_find(table, id));
	rig_move(3600 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
}

/* ---- who asks -------------------------------------------------------------------------------------------------------
 */

static void whoever_asks_hears_when_it_is_gone(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	assert_result(reaper_end(reaper, session, END_ASKED, "maintenance", 7), 0);
	assert_result(reaper_end(reaper, session, END_ASKED, "", 8), -EALREADY);
	assert_result(reaper_end(reaper, session, END_ASKED, "", 0), -EALREADY);
	assert_int_equal(told_count, 0);
	assert_int_equal(audits, 1);
	assert_string_equal(last_detail, "maintenance");
	rig_answer_all(0);
	rig_move(6 * SECOND);
	rig_answer_all(0);
	assert_int_equal(told_count, 0);
	rig_kill(session);
	assert_int_equal(told_count, 2);
	assert_true(told[0].result == 0 && told[1].result == 0);
	assert_int_equal(told[0].tag + told[1].tag, 15);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 0); /* nobody asked for more */
}

static void a_wish_that_cannot_be_done_leaves_nothing(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	helper_result = -ENOENT;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 7), -ENOTCONN);
	assert_int_equal(session->ending, 0);
	helper_result = -ECONNREFUSED;
	assert_result(reaper_end(reaper, session, END_TOO_MANY, "", 0), -ENOTCONN);
	helper_result = -ENOBUFS;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 9), -ENOBUFS);
	assert_int_equal(audits, 0);
	helper_result = 0;
	rig_move(60 * SECOND);
	assert_int_equal(asked_count, 0);
	rig_kill(session);
	assert_int_equal(told_count, 0);
	assert_int_equal(reaper->waiter_count, 0);
}

static void whoever_asks_hears_what_hinders(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 7), 0);
	rig_answer_all(-EPERM);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].result, -EPERM);
	assert_int_equal(failures, 1);
	assert_true(session->ending); /* and it is tried again */
	rig_move(60 * SECOND);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1); /* though not soon: each refusal is an event */
	rig_move(300 * SECOND);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 2);
}

/* ---- what changes its mind
 * --------------------------------------------------------------------------------------------- */

static void a_right_that_comes_back_in_time_saves_the_session(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	helper_result = -ECONNREFUSED;
	rig_change(ACTIVE, SUSPENDED);
	assert_true(session->ending);
	assert_int_equal(rig_begun(), 1);
	rig_change(SUSPENDED, ACTIVE);
	assert_int_equal(session->ending, 0);
	helper_result = 0;
	rig_move(120 * SECOND);
	assert_int_equal(asked_count, 0);
	assert_int_equal(rig_begun(), 0);
	/* And it can be ended again. */
	rig_change(ACTIVE, SUSPENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
}

static void after_the_first_signal_there_is_no_way_back(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	rig_change(ACTIVE, SUSPENDED);
	rig_answer_all(0);
	rig_answer_all(0);
	rig_change(SUSPENDED, ACTIVE);
	assert_true(session->ending);
	rig_move(6 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_USER, ALICE), 1);
}

static void asked_for_and_then_suspended_is_both(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 0), 0);
	rig_change(ACTIVE, SUSPENDED);
	assert_string_equal(session->ending_cause, "asked");
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
}

/* ---- nobody knows
 * -------------------------------------------------------------------------------------------------------- */

static void a_tenant_that_cannot_be_read_ends_nothing_until_it_can(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	pending_tenant = "ten_acme";
	rig_show("version: 1\n");
	rig_move(60 * SECOND);
	assert_int_equal(asked_count, 0);
	reaper_look_again(reaper);
	rig_turns();
	assert_int_equal(asked_count, 0);
	pending_tenant = NULL;
	reaper_look_again(reaper);
	rig_turns();
	assert_string_equal(session->ending_cause, "tenant-gone");
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
}

static void a_disabled_host_ends_all_that_its_feeds_brought(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	host_disabled = true;
	reaper_look_again(reaper);
	rig_turns();
	assert_int_equal(asked_count, 0); /* the files' people stay */
	rig_show("version: 1\n");
	assert_string_equal(session->ending_cause, "host-disabled");
}

/* ---- faults
 * ------------------------------------------------------------------------------------------------------------ */

static void without_a_helper_it_is_tried_until_there_is_one(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	helper_result = -ENOENT;
	rig_change(ACTIVE, SUSPENDED);
	rig_move(600 * SECOND);
	assert_true(session->ending && !session->hung_up);
	assert_true(failures >= 1 && failures <= 2); /* of the session, and of all that runs as her */
	helper_result = 0;
	rig_move(31 * SECOND);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
}

static void a_helper_that_dies_in_the_middle_is_asked_again(void **state)
{
	(void)state;
	(void)rig_open("alice", BY_KEY);
	rig_change(ACTIVE, SUSPENDED);
	rig_answer_all(-ECONNRESET);
	rig_move(500 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 2);
	rig_answer_all(0);
	rig_answer_all(-ETIMEDOUT);
	rig_move(500 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 2);
	rig_answer_all(0);
	rig_move(5 * SECOND);
	rig_answer_all(-ECONNRESET);
	rig_move(500 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 2);
	assert_int_equal(rig_begun(), 1);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
}

static void answers_to_what_is_gone_are_nobody_s(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);
	uint64_t tag;

	(void)state;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 0), 0);
	tag = asked[0].tag;
	rig_kill(session);
	session = rig_open("edith", "none"); /* in the same place */
	reaper_answered(reaper, tag, 0);
	reaper_answered(reaper, tag + 1, 0);
	reaper_answered(reaper, UINT64_MAX, 0);
	reaper_answered(reaper, 1, -EPERM);
	reaper_answered(reaper, 0, -EPERM);
	rig_move(60 * SECOND);
	assert_int_equal(session->ending, 0);
	assert_int_equal(asked_count, 1);
}

/* ---- the agent dies
 * ------------------------------------------------------------------------------------------------------- */

static void a_killed_agent_goes_on_where_it_was(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);
	char id[SESSION_ID_CHARS + 1];

	(void)state;
	memcpy(id, session->id, sizeof(id));
	(void)rig_open("alice", BY_OTHER_KEY);
	assert_result(reaper_end(reaper, session, END_ASKED, "", 7), 0);
	rig_restart(); /* before the answer: nobody knows whether SIGHUP went out */
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
	rig_answer_all(0);
	rig_move(3 * SECOND);
	rig_restart();
	assert_int_equal(asked_count, 0); /* the grace time goes on … */
	rig_move(5 * SECOND);             /* … and is not longer for that */
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
	rig_restart();
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
	assert_int_equal(audits, 1);
	rig_answer_all(0);
	rig_kill(session_find(table, id));
	assert_int_equal(told_count, 0);
	assert_int_equal(session_count(table), 1);
}

static void a_purge_is_not_forgotten_when_its_sessions_are_gone(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);
	char id[SESSION_ID_CHARS + 1];

	(void)state;
	memcpy(id, session->id, sizeof(id));
	rig_change(KEY_LINE, REVOKED);
	rig_answer_all(0);
	rig_answer_all(0);
	rig_kill(session_find(table, id)); /* by SIGHUP; what was moved elsewhere lives on */
	assert_int_equal(rig_begun(), 1);
	rig_restart();
	rig_answer_all(0);
	rig_move(6 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_USER, ALICE), 1);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
	rig_restart();
	rig_move(60 * SECOND);
	assert_int_equal(asked_count, 0);
}

static void what_changed_while_no_agent_was_there_counts(void **state)
{
	struct directory *before = picture;
	struct unit *unit;
	char *changed = replaced(rig_yaml, ACTIVE, SUSPENDED);

	(void)state;
	(void)rig_open("alice", BY_KEY);
	(void)rig_open("edith", "none");
	unit = load_text("test.yaml", changed);
	picture = build_units(&unit, 1, NULL);
	unit_unref(unit);
	free(changed);
	rig_restart();
	directory_unref(before);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, ALICE), 1);
	assert_int_equal(asked_count, 1);
}

static void another_release_s_cause_ends_it_all_the_same(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	assert_result(session_mark_ending(table, session->id, clock_boottime_usec(), "of-a-later-day"), 0);
	rig_restart();
	assert_string_equal(rig_last(HELPER_HANG_UP_SESSION)->request.text,
			    "This session ends now. What still runs in 5 seconds is killed.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_stands_is_left_alone),
		RIG_TEST(a_session_is_told_hung_up_and_killed),
		RIG_TEST(without_a_grace_time_it_is_killed_at_once),
		RIG_TEST(the_host_s_shorter_grace_time_counts),
		RIG_TEST(what_is_left_is_killed_again),
		RIG_TEST(a_leader_that_stays_is_no_session_any_more),
		RIG_TEST(whoever_asks_hears_when_it_is_gone),
		RIG_TEST(a_wish_that_cannot_be_done_leaves_nothing),
		RIG_TEST(whoever_asks_hears_what_hinders),
		RIG_TEST(a_right_that_comes_back_in_time_saves_the_session),
		RIG_TEST(after_the_first_signal_there_is_no_way_back),
		RIG_TEST(asked_for_and_then_suspended_is_both),
		RIG_TEST(a_tenant_that_cannot_be_read_ends_nothing_until_it_can),
		RIG_TEST(a_disabled_host_ends_all_that_its_feeds_brought),
		RIG_TEST(without_a_helper_it_is_tried_until_there_is_one),
		RIG_TEST(a_helper_that_dies_in_the_middle_is_asked_again),
		RIG_TEST(answers_to_what_is_gone_are_nobody_s),
		RIG_TEST(a_killed_agent_goes_on_where_it_was),
		RIG_TEST(a_purge_is_not_forgotten_when_its_sessions_are_gone),
		RIG_TEST(what_changed_while_no_agent_was_there_counts),
		RIG_TEST(another_release_s_cause_ends_it_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
