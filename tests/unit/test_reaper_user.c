/* SPDX-License-Identifier: MIT
 *
 * Everything of a person's: who loses it, what of theirs is kept, and what waits for what.
 */
#include "reaper_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "directory_fixture.h"
#include "login/sso.h"

#define KEY_LINE "    not_after: 2027-06-01\n"
#define REVOKED "    revoked: {at: 2027-01-15T07:00:00Z, reason: laptop lost}\n"
#define ACTIVE "status: active"
#define SUSPENDED "status: suspended, status_reason: has left"

static void set_scope(const struct session *session, const char *scope)
{
	struct session *own = (struct session *)(uintptr_t)session;

	(void)snprintf(own->scope, sizeof(own->scope), "%s", scope);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
