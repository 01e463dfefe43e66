/* SPDX-License-Identifier: MIT
 *
 * Who tries to be there afterwards: by a service manager that lingers, by processes that no session has, out of sight
 * in namespaces of their own, and in the moment in which two ends meet.
 */
#include "reaper_rig.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "directory_fixture.h"

#define BY_KEY "api-key:" RIG_KEY
#define BY_OTHER_KEY "api-key:" RIG_OTHER_KEY
#define KEY_LINE "    not_after: 2027-06-01\n"
#define REVOKED "    revoked: {at: 2027-01-15T07:00:00Z, reason: laptop lost}\n"
#define ACTIVE "status: active"
#define SUSPENDED "status: suspended"
#define SIGN_INS_ENDED "status: active, sessions_valid_from: 2027-01-15T08:00:05Z"

/* ---- processes that no session has ----------------------------------------------------------------------------- */

enum hideout { IN_SIGHT, IN_OWN_NAMESPACES, IN_ROOTS_CONTAINER };

static int as(uid_t uid)
{
	(void)alarm(60); /* also where the test fails */
	return setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ? -1 : 0;
}

/* The process that is found, or 0: it cannot be made here. With namespaces it is the one that is left when who made
 * them has gone. */
static pid_t stray(uid_t uid, enum hideout hideout)
{
	int pipes[2];
	pid_t pid, found = 0;

	assert_result(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(pipes[0]);
		if (hideout == IN_ROOTS_CONTAINER && unshare(CLONE_NEWPID) < 0)
			_exit(1);
		if (hideout != IN_ROOTS_CONTAINER && as(uid) < 0)
			_exit(1);
		if (hideout == IN_OWN_NAMESPACES && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(1);
		if (hideout == IN_ROOTS_CONTAINER && fork() == 0) { /* its init is root's */
			if (fork() == 0) {
				if (as(uid) < 0)
					_exit(1);
				(void)!write(pipes[1], &found, sizeof(found));
			}
			for (;;)
				pause();
		}
		if (hideout == IN_SIGHT || (hideout == IN_OWN_NAMESPACES && (found = fork()) == 0))
			for (found = getpid();; pause())
				if (hideout == IN_SIGHT)
					(void)!write(pipes[1], &found, sizeof(found));
		if (hideout == IN_OWN_NAMESPACES) {
			(void)!write(pipes[1], &found, sizeof(found));
			_exit(0);
		}
		for (;;)
			pause();
	}
	(void)close(pipes[1]);
	if (read(pipes[0], &found, sizeof(found)) != sizeof(found))
		found = 0;
	else if (hideout == IN_ROOTS_CONTAINER)
		found = pid;
	if (found != pid && hideout != IN_ROOTS_CONTAINER)
		(void)waitpid(pid, NULL, 0);
	(void)close(pipes[0]);
	return found;
}

static void end_stray(pid_t pid)
{
	char path[64];
	FILE *children;
	int child;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	children = fopen(path, "re");
	while (children && fscanf(children, "%d", &child) == 1)
		(void)kill(child, SIGKILL); /* the namespace's init, and so all that is in it */
	if (children)
		(void)fclose(children);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	/* Of one whose parent is gone somebody else takes leave. */
	for (unsigned i = 0; i < 200 && kill(pid, 0) == 0; i++)
		(void)usleep(10000);
}

static void a_process_namespace_of_their_own_hides_nobody(void **state)
{
	pid_t pid = stray(ALICE, IN_OWN_NAMESPACES);

	(void)state;
	if (!pid)
		skip(); /* not root, or people may make none here */
	rig_change(ACTIVE, SUSPENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
	end_stray(pid);
}

static void in_a_container_of_root_s_the_same_number_is_nobody_of_ours(void **state)
{
	pid_t pid = stray(ALICE, IN_ROOTS_CONTAINER);

	(void)state;
	if (!pid)
		skip();
	rig_change(ACTIVE, SUSPENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 0);
	end_stray(pid);
}

/* ---- "end all my sign-ins" --------------------------------------------------------------------------------------- */

/* Whoever had the password has logged out, and left a lingering service manager behind. */
static void a_lingering_service_manager_ends_with_the_sign_ins(void **state)
{
	const struct session *manager = rig_open_as("alice", "none", "systemd-user");

	(void)state;
	rig_change(ACTIVE, SIGN_INS_ENDED);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
	rig_answer_all(0);
	rig_move(6 * SECOND);
	assert_int_equal(rig_count(HELPER_KILL_USER, ALICE), 1);
	rig_kill(manager);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
	/* One that began afterwards stands. */
	manager = rig_open_as("alice", "none", "systemd-user");
	rig_change("slug: vision", "slug: sight");
	rig_move(60 * SECOND);
	assert_int_equal(manager->ending, 0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
}

static void what_no_session_has_ends_with_the_sign_ins(void **state)
{
	pid_t pid = stray(ALICE, IN_SIGHT), of_edith;

	(void)state;
	if (!pid)
		skip();
	of_edith = stray(EDITH, IN_SIGHT);
	rig_change(ACTIVE, SIGN_INS_ENDED);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, 0), 1);
	assert_string_equal(last_cause, "sign-ins-ended");
	end_stray(pid);
	end_stray(of_edith);
}

/* ---- two ends that meet ------------------------------------------------------------------------------------------ */

/* The thief asks for the end of the session, which takes its grace time, and has left things with cron. */
static void a_session_that_is_ending_already_does_not_save_what_its_key_left(void **state)
{
	const struct session *session = rig_open("alice", BY_KEY);

	(void)state;
	assert_result(reaper_end(reaper, session, END_ASKED, "", 0), 0);
	rig_answer_all(0);
	rig_change(KEY_LINE, REVOKED);
	rig_answer_all(0);
	assert_int_equal(rig_count(HELPER_HANG_UP_USER, ALICE), 1);
}

/* While what an old session left is being killed around a new one, the new one loses its right, too. */
static void what_was_kept_while_it_stood_ends_when_it_does_not(void **state)
{
	const struct session *old = rig_open("alice", BY_KEY), *new;
	struct session *scoped;

	(void)state;
	rig_move(10 * SECOND);
	rig_change("grace: 5s", "grace: 0s");
	rig_change(ACTIVE, SIGN_INS_ENDED);
	new = rig_open("alice", BY_KEY);
	scoped = (struct session *)(uintptr_t) new;
	(void)snprintf(scoped->scope, sizeof(scoped->scope), "4");
	rig_answer_all(0);
	assert_int_equal(rig_last(HELPER_KILL_USER)->request.keep_count, 1);
	rig_change(SIGN_INS_ENDED, SUSPENDED);
	assert_string_equal(new->ending_cause, "user-suspended");
	rig_answer_all(0);
	rig_answer_all(0);
	assert_int_equal(rig_last(HELPER_KILL_USER)->request.keep_count, 0);
	rig_answer_all(0);
	rig_kill(old);
	rig_kill(new);
	rig_answer_all(0);
	assert_int_equal(rig_begun(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_process_namespace_of_their_own_hides_nobody),
		RIG_TEST(in_a_container_of_root_s_the_same_number_is_nobody_of_ours),
		RIG_TEST(a_lingering_service_manager_ends_with_the_sign_ins),
		RIG_TEST(what_no_session_has_ends_with_the_sign_ins),
		RIG_TEST(a_session_that_is_ending_already_does_not_save_what_its_key_left),
		RIG_TEST(what_was_kept_while_it_stood_ends_when_it_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
