/* SPDX-License-Identifier: MIT
 *
 * The reaper's other occasions: deadlines with their warnings, many sessions at once, and people who have processes and
 * no session.
 */
#include "reaper_rig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "directory_fixture.h"

#define MINUTE (60 * SECOND)
#define RULES "sessions: {grace: 5s}"
#define ACTIVE "status: active"
#define SUSPENDED "status: suspended"

/* ---- deadlines
 * -------------------------------------------------------------------------------------------------------- */

static void an_old_session_is_warned_and_ended(void **state)
{
	const struct session *session;

	(void)state;
	rig_change(RULES, "sessions: {grace: 5s, max_age: 1h, warn: 10min}");
	session = rig_open("alice", BY_KEY);
	rig_move(49 * MINUTE);
	assert_int_equal(asked_count, 0);
	rig_move(2 * MINUTE);
	assert_int_equal(rig_count(HELPER_TELL, ALICE), 1);
	assert_non_null(strstr(rig_last(HELPER_TELL)->request.text, "10 minutes"));
	assert_true(session->warned);
	rig_move(8 * MINUTE);
	assert_int_equal(asked_count, 1); /* once is enough */
	rig_move(2 * MINUTE);
	assert_string_equal(session->ending_cause, "too-old");
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
	/* A limit is about the session alone. */
	rig_answer_all(0);
	rig_move(6 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 0);
	assert_int_equal(idle_questions, 0);
}

static void a_warning_is_not_repeated_by_the_next_agent(void **state)
{
	(void)state;
	rig_change(RULES, "sessions: {grace: 5s, max_age: 1h, warn: 10min}");
	(void)rig_open("alice", BY_KEY);
	rig_move(51 * MINUTE);
	assert_int_equal(rig_count(HELPER_TELL, 0), 1);
	rig_restart();
	assert_int_equal(asked_count, 0);
	rig_move(8 * MINUTE);
	assert_int_equal(asked_count, 0);
	rig_move(2 * MINUTE);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
}

static void what_was_too_old_while_no_agent_was_there_ends_at_its_start(void **state)
{
	(void)state;
	(void)rig_open("alice", BY_KEY);
	rig_move(120 * MINUTE);
	limits.rules.max_age_sec = 3600;
	rig_restart();
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
}

static void a_limit_that_comes_later_counts_from_the_opening(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	rig_move(50 * MINUTE);
	limits.rules.max_age_sec = 3600;
	reaper_set_limits(reaper, &limits);
	rig_turns();
	rig_move(9 * MINUTE);
	assert_int_equal(session->ending, 0);
	rig_move(2 * MINUTE);
	assert_string_equal(session->ending_cause, "too-old");
}

static void idle_time_is_asked_for_when_it_would_be_over(void **state)
{
	const struct session *session;

	(void)state;
	rig_change(RULES, "sessions: {grace: 5s, idle: 30min, warn: 5min}");
	session = rig_open("alice", BY_KEY);
	rig_move(24 * MINUTE);
	assert_int_equal(idle_questions, 0);
	/* A key was pressed a minute ago. */
	idle_since = clock_boottime_usec();
	rig_move(2 * MINUTE);
	assert_int_equal(idle_questions, 1);
	assert_int_equal(asked_count, 0);
	rig_move(24 * MINUTE); /* 26 minutes since then */
	assert_int_equal(rig_count(HELPER_TELL, 0), 1);
	assert_non_null(strstr(rig_last(HELPER_TELL)->request.text, "Press a key"));
	assert_true(session->warned);
	/* She does: all begins anew, the warning as well. */
	idle_since = clock_boottime_usec();
	rig_move(5 * MINUTE);
	assert_false(session->warned);
	assert_int_equal(session->ending, 0);
	rig_move(22 * MINUTE);
	assert_int_equal(rig_count(HELPER_TELL, 0), 2);
	rig_move(5 * MINUTE);
	assert_string_equal(session->ending_cause, "idle");
	assert_true(idle_questions <= 8);
}

static void of_whom_nobody_can_say_it_is_not_idle(void **state)
{
	const struct session *session;

	(void)state;
	rig_change(RULES, "sessions: {grace: 5s, idle: 30min, warn: 0s}");
	session = rig_open("alice", BY_KEY);
	idle_since = 0;
	rig_move(30 * 60 * MINUTE);
	assert_int_equal(session->ending, 0);
	assert_in_range(idle_questions, 50, 70); /* about once in that time, and no more often */
}

static void without_a_terminal_nothing_is_said_and_it_ends_all_the_same(void **state)
{
	const struct session *session;

	(void)state;
	rig_terminal = 0;
	rig_change(RULES, "sessions: {grace: 5s, max_age: 1h}");
	session = rig_open("alice", BY_KEY);
	rig_move(59 * MINUTE);
	assert_int_equal(asked_count, 0);
	rig_move(2 * MINUTE);
	assert_string_equal(session->ending_cause, "too-old");
}

static void sessions_end_with_their_key_and_with_the_hours(void **state)
{
	const struct session *by_key, *by_other;

	(void)state;
	rig_change("not_after: 2027-06-01", "not_after: 2027-01-15T09:00:00Z");
	rig_change(RULES, "sessions: {grace: 5s, end_with_key: true, end_outside_hours: true}, login_hours: [\"fri "
			  "07:00-10:00\"]");
	by_key = rig_open("alice", BY_KEY);
	by_other = rig_open("alice", BY_OTHER_KEY);
	rig_move(61 * MINUTE);
	assert_string_equal(by_key->ending_cause, "key-expired");
	assert_int_equal(by_other->ending, 0);
	rig_move(60 * MINUTE);
	assert_string_equal(by_other->ending_cause, "outside-hours");
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0);
}

static void a_clock_that_was_set_is_looked_at_again(void **state)
{
	const char *lines[] = {"fri 07:00-10:00"};
	const struct session *session;

	(void)state;
	limits.hours = (struct string_list){lines, 1};
	limits.rules.end_outside_hours = true;
	session = rig_open("alice", BY_KEY);
	/* As the picture's turn does: whoever sets the clock wakes a pass. */
	rig_change("slug: vision", "slug: sight");
	rig_move(119 * MINUTE);
	assert_int_equal(session->ending, 0);
	rig_move(2 * MINUTE);
	assert_string_equal(session->ending_cause, "outside-hours");
}

/* ---- many
 * ------------------------------------------------------------------------------------------------------------------ */

#define MANY 600U

static void many_sessions_are_ended_in_slices(void **state)
{
	char acme[] = "acme", empty[] = "", user[] = "usr_alice", login[] = "alice", kind[] = "sshd", key[] = BY_KEY,
	     tenant_id[] = "ten_acme";
	const struct session *first = rig_open("alice", BY_KEY), *session;
	unsigned turns = 0, most = 0;
	struct directory *before = picture;
	struct unit *unit;
	char *changed = replaced(rig_yaml, ACTIVE, SUSPENDED);

	(void)state;
	for (unsigned i = 1; i < MANY; i++) {
		const struct session data = {.user_id = user,
					     .login = login,
					     .tenant = acme,
					     .project = empty,
					     .role = empty,
					     .service = kind,
					     .source = empty,
					     .terminal = empty,
					     .credential = key,
					     .tenant_id = tenant_id,
					     .project_id = empty,
					     .provider = empty,
					     .grant_id = empty,
					     .operator= empty,
					     .uid = ALICE,
					     .leader = first->leader,
					     .opened = RIG_NOW};

		assert_result(session_open(table, &data, &session), 0);
		reaper_opened(reaper, session);
	}
	unit = load_text("test.yaml", changed);
	picture = build_units(&unit, 1, before);
	unit_unref(unit);
	free(changed);
	reaper_take_picture(reaper, before, picture);
	assert_int_equal(asked_count, 0); /* whoever brought the picture does not wait */
	directory_unref(before);
	while (rig_count(HELPER_HANG_UP_SESSION, 0) < MANY) {
		unsigned count = asked_count;

		assert_true(++turns < MANY);
		reaper_tick(reaper);
		most = MAX_OF(most, asked_count - count);
	}
	assert_true(turns > 4 && most <= 128);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
	assert_int_equal(audits, MANY);
}

/* ---- processes
 * ------------------------------------------------------------------------------------------------------------ */

/* One that belongs to no session, as cron's or a detached one. 0: it cannot be made here. */
static pid_t stray(uid_t uid)
{
	pid_t pid;
	int pipes[2];
	char byte = 0;

	assert_result(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
			_exit(1);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(pipes[1], "x", 1);
		for (;;)
			pause();
	}
	(void)close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1) {
		(void)waitpid(pid, NULL, 0);
		pid = 0;
	}
	(void)close(pipes[0]);
	return pid;
}

static void end_stray(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void who_has_no_session_and_no_right_is_found_by_processes(void **state)
{
	pid_t hers, of_edith, of_nobody, local;

	(void)state;
	hers = stray(ALICE);
	if (!hers)
		skip(); /* not root */
	of_edith = stray(EDITH);
	of_nobody = stray(NOBODYS); /* in the tenant's block, and nobody's */
	local = stray(12345);
	rig_change(ACTIVE, SUSPENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, NOBODYS), 1);
	assert_int_equal(asked_count, 2);
	assert_int_equal(audits, 2);
	assert_int_equal(rig_begun(), 2);
	end_stray(hers);
	end_stray(of_edith);
	end_stray(of_nobody);
	end_stray(local);
}

static void a_start_looks_at_processes_and_a_change_that_takes_nothing_away_does_not(void **state)
{
	pid_t pid = stray(NOBODYS);

	(void)state;
	if (!pid)
		skip();
	rig_change("slug: vision", "slug: sight");
	rig_change("role: editor", "role: owner");
	assert_true(asked_count == 0 || rig_count(HELPER_HANG_UP_USER, NOBODYS) == 1); /* a project changed */
	rig_restart();
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, NOBODYS), 1);
	end_stray(pid);
}

static void while_anything_cannot_be_read_nobody_is_nobody(void **state)
{
	pid_t pid = stray(NOBODYS);

	(void)state;
	if (!pid)
		skip();
	pending_tenant = "ten_elsewhere";
	rig_restart();
	assert_int_equal(asked_count, 0);
	rig_change("role: editor", "role: owner"); /* takes nothing away, and what is not known stays so */
	assert_int_equal(asked_count, 0);
	pending_tenant = NULL;
	reaper_look_again(reaper);
	rig_turns();
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, NOBODYS), 1);
	end_stray(pid);
}

static void a_local_account_s_processes_are_left_alone(void **state)
{
	pid_t pid = stray(NOBODYS);

	(void)state;
	if (!pid)
		skip();
	local_account = true;
	rig_restart();
	rig_move(60 * SECOND);
	assert_int_equal(asked_count, 0);
	assert_int_equal(rig_begun(), 0);
	end_stray(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(an_old_session_is_warned_and_ended),
		RIG_TEST(a_warning_is_not_repeated_by_the_next_agent),
		RIG_TEST(what_was_too_old_while_no_agent_was_there_ends_at_its_start),
		RIG_TEST(a_limit_that_comes_later_counts_from_the_opening),
		RIG_TEST(idle_time_is_asked_for_when_it_would_be_over),
		RIG_TEST(of_whom_nobody_can_say_it_is_not_idle),
		RIG_TEST(without_a_terminal_nothing_is_said_and_it_ends_all_the_same),
		RIG_TEST(sessions_end_with_their_key_and_with_the_hours),
		RIG_TEST(a_clock_that_was_set_is_looked_at_again),
		RIG_TEST(many_sessions_are_ended_in_slices),
		RIG_TEST(who_has_no_session_and_no_right_is_found_by_processes),
		RIG_TEST(a_start_looks_at_processes_and_a_change_that_takes_nothing_away_does_not),
		RIG_TEST(while_anything_cannot_be_read_nobody_is_nobody),
		RIG_TEST(a_local_account_s_processes_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
