/* SPDX-License-Identifier: MIT
 *
 * What is asked of the helper, when, and what becomes of it when something does not go as it should.
 */
#include "reaper_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "directory_fixture.h"
#include "login/sso.h"

#define BY_KEY "api-key:" RIG_KEY
#define BY_OTHER_KEY "api-key:" RIG_OTHER_KEY
#define KEY_LINE "    not_after: 2027-06-01\n"
#define REVOKED "    revoked: {at: 2027-01-15T07:00:00Z, reason: laptop lost}\n"
#define ACTIVE "status: active"
#define SUSPENDED "status: suspended, status_reason: has left"

static void set_scope(const struct session *session, const char *scope)
{
	struct session *own = (struct session *)(uintptr_t)session;

	(void)snprintf(own->scope, sizeof(own->scope), "%s", scope);
}

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

/* ---- a user ---------------------------------------------------------------------------------------------------------
 */

static void a_suspended_user_loses_everything_and_nobody_else_does(void **state)
{
	const struct session *one = rig_open("alice", BY_KEY), *two = rig_open("alice", BY_OTHER_KEY),
			     *hers = rig_open("edith", "none");

	(void)state;
	(void)two;
	rig_change(ACTIVE, SUSPENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, ALICE), 2);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0); /* first the terminals hear of it */
	assert_non_null(strstr(rig_last(HELPER_HANG_UP_SESSION)->request.text, "suspended (has left)"));
	assert_int_equal(rig_begun(), 1);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
	assert_true(reaper_user_is_ending(reaper, ALICE));
	assert_false(reaper_user_is_ending(reaper, EDITH));
	rig_answer_all(0);
	assert_false(reaper_user_is_ending(reaper, ALICE));
	rig_move(4900 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 0);
	rig_move(200 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_KILL_USER, ALICE), 1);
	assert_int_equal(rig_last(HELPER_KILL_USER)->request.keep_count, 0);
	/* One stroke for all. */
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 0);
	rig_kill(one);
	rig_kill(two);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
	rig_move(3600 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 1);
	assert_int_equal(hers->ending, 0);
	for (unsigned i = 0; i < asked_count; i++)
		assert_int_equal(asked[i].request.uid, ALICE);
	assert_int_equal(audits, 2);
}

/* Whom the picture does not show any more: by the tenant's rules all the same. */
static void a_removed_user_has_their_tenant_s_grace_time(void **state)
{
	(void)state;
	rig_change("grace: 5s", "grace: 0s");
	(void)rig_open("edith", "none");
	rig_change("  - {user: usr_edith, project: prj_vision, role: editor}\n", "");
	assert_string_equal(last_cause, "role-lost");
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_KILL_USER, EDITH), 1);
	rig_answer_all(0);
	(void)rig_open_as("edith", "none", "cron");
	rig_change("  - {id: usr_edith, tenant: ten_acme, login: edith, uid: 1999962131}\n", "");
	assert_string_equal(last_cause, "user-removed");
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0);
	assert_int_equal(rig_count(HELPER_KILL_USER, EDITH), 2);
}

static void a_helper_that_hangs_keeps_the_user_no_longer_than_a_second(void **state)
{
	(void)state;
	(void)rig_open("alice", BY_KEY);
	rig_change(ACTIVE, SUSPENDED);
	rig_move(900 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0);
	rig_move(200 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
}

static void a_key_s_sessions_take_the_rest_along_when_nothing_else_stands(void **state)
{
	(void)state;
	(void)rig_open("alice", BY_KEY);
	(void)rig_open_as("alice", "none", "cron");
	(void)rig_open_as("alice", "none", "systemd-user");
	rig_change("grace: 5s", "grace: 0s");
	rig_change(KEY_LINE, REVOKED);
	/* Whoever held the key may have left it to cron: that somebody's job runs proves nothing. */
	assert_int_equal(rig_count(HELPER_HANG_UP_SESSION, 0), 1);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_KILL_USER, ALICE), 1);
	assert_int_equal(rig_last(HELPER_KILL_USER)->request.keep_count, 0);
}

static const char *remembered_subject;

static const char *remembered(void *context, const char *user_id, const char *issuer)
{
	return strcmp(user_id, "usr_alice") == 0 ? remembered_subject : "e1";
}

/* No picture changes when root takes away what a first sign-in bound on this host. */
static void an_identity_that_is_unbound_ends_what_it_opened(void **state)
{
	static const struct login_sso hooks = {.remembered = remembered};
	const struct session *session, *other, *ediths;
	struct login_book *book = NULL;
	struct audit *audit = NULL;

	(void)state;
	assert_result(audit_create("gpu-1", &audit), 0);
	assert_result(login_book_create(audit, &book), 0);
	login_book_set_sso(book, &hooks);
	reaper->book = book;
	remembered_subject = "a1";
	rig_change("hosts:\n",
		   "providers:\n"
		   "  - {id: idp_staff, tenant: ten_acme, name: Staff, kind: oidc, issuer: https://staff.example, "
		   "client_id: c}\n"
		   "hosts:\n");
	session = rig_open("alice", "sso:idp_staff");
	other = rig_open("alice", BY_KEY);
	ediths = rig_open("edith", "sso:idp_staff");
	reaper_credentials_changed(reaper); /* somebody else's was taken away */
	rig_turns();
	assert_int_equal(asked_count, 0);
	remembered_subject = NULL;
	rig_turns();
	assert_int_equal(asked_count, 0); /* nobody said so, and nothing is polled */
	reaper_credentials_changed(reaper);
	rig_turns();
	assert_int_equal(asked_count, 1);
	assert_int_equal(rig_last(HELPER_HANG_UP_SESSION)->request.leader, session->leader);
	assert_string_equal(session->ending_cause, "identity-removed");
	assert_int_equal(other->ending, 0);
	assert_int_equal(ediths->ending, 0);
	reaper->book = NULL;
	login_book_destroy(book);
	audit_destroy(audit);
}

static void what_signed_in_later_is_kept(void **state)
{
	const struct session *old = rig_open("alice", BY_KEY), *new;
	const struct asked *last;

	(void)state;
	set_scope(old, "3");
	rig_move(10 * SECOND);
	helper_result = -ENOENT; /* the helper comes when she is here again */
	rig_change(ACTIVE, "status: active, sessions_valid_from: 2027-01-15T08:00:05Z");
	assert_string_equal(old->ending_cause, "sign-ins-ended");
	new = rig_open("alice", BY_KEY);
	set_scope(new, "4");
	helper_result = 0;
	rig_move(60 * SECOND);
	rig_answer_all(0);
	rig_answer_all(0);
	rig_move(6 * SECOND);
	last = rig_last(HELPER_KILL_USER);
	assert_int_equal(last->request.keep_count, 1);
	assert_string_equal(last->request.keep[0], "4");
	rig_answer_all(0);
	rig_kill(old);
	rig_move(3600 * SECOND);
	assert_int_equal(new->ending, 0);
	assert_int_equal(rig_begun(), 0);
}

/* Nothing tells its processes from those that must end. */
static void what_stands_without_a_scope_makes_the_rest_wait(void **state)
{
	const struct session *old = rig_open("alice", BY_KEY), *new;

	(void)state;
	rig_move(10 * SECOND);
	rig_change(ACTIVE, "status: active, sessions_valid_from: 2027-01-15T08:00:05Z");
	new = rig_open("alice", BY_KEY);
	rig_answer_all(0);
	rig_move(20 * SECOND);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0) + rig_count(HELPER_KILL_USER, 0), 0);
	assert_int_equal(rig_count(HELPER_KILL_SESSION, 0), 1); /* the old one ends by itself */
	rig_kill(old);
	assert_int_equal(rig_begun(), 1);
	assert_int_equal(new->ending, 0);
	rig_kill(new);
	rig_answer_all(0);
	rig_move(6 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_USER, 0), 1);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
}

static void a_scope_that_comes_a_moment_later_is_waited_for(void **state)
{
	const struct session *new;

	(void)state;
	(void)rig_open("alice", BY_KEY);
	rig_move(10 * SECOND);
	rig_change(ACTIVE, "status: active, sessions_valid_from: 2027-01-15T08:00:05Z");
	new = rig_open("alice", BY_KEY);
	rig_answer_all(0);
	rig_move(300 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0);
	set_scope(new, "7");
	rig_move(200 * USEC_PER_MSEC);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
	assert_string_equal(rig_last(HELPER_HANG_UP_USER)->request.keep[0], "7");
}

static void a_local_account_s_uid_is_never_purged(void **state)
{
	(void)state;
	local_account = true;
	(void)rig_open("alice", BY_KEY);
	rig_change(ACTIVE, SUSPENDED);
	rig_answer_all(0);
	rig_move(60 * SECOND);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0) + rig_count(HELPER_KILL_USER, 0), 0);
	assert_int_equal(rig_begun(), 0);
}

/* Root's `su - alice` begins when she is suspended already, and root's it is. */
static void what_root_becomes_leads_to_nothing(void **state)
{
	(void)state;
	rig_change(ACTIVE, SUSPENDED);
	(void)rig_open_as("alice", "none", "su");
	rig_change("slug: vision", "slug: sight");
	rig_move(60 * SECOND);
	assert_int_equal(asked_count, 0);
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
		RIG_TEST(a_suspended_user_loses_everything_and_nobody_else_does),
		RIG_TEST(a_removed_user_has_their_tenant_s_grace_time),
		RIG_TEST(a_helper_that_hangs_keeps_the_user_no_longer_than_a_second),
		RIG_TEST(a_key_s_sessions_take_the_rest_along_when_nothing_else_stands),
		RIG_TEST(an_identity_that_is_unbound_ends_what_it_opened),
		RIG_TEST(what_signed_in_later_is_kept),
		RIG_TEST(what_stands_without_a_scope_makes_the_rest_wait),
		RIG_TEST(a_scope_that_comes_a_moment_later_is_waited_for),
		RIG_TEST(a_local_account_s_uid_is_never_purged),
		RIG_TEST(what_root_becomes_leads_to_nothing),
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
