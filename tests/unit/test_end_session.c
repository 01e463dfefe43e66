/* SPDX-License-Identifier: MIT
 *
 * The end of one session: what belongs to it ends, and nothing else does, whatever the request says.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/end_session.h"
#include "helper_world.h"
#include "session/process.h"

#define SLICE "user.slice/user-1879048210.slice"
#define SCOPE SLICE "/session-1.scope"
#define MANY 2100U

static struct helper_request of(pid_t leader, const char *scope)
{
	struct helper_request request = {
		.magic = HELPER_MAGIC, .verb = HELPER_KILL_SESSION, .leader = leader, .uid = WORLD_UID};

	strcpy(request.scope, scope);
	if (leader)
		assert_int_equal(process_start(leader, &request.leader_start), 0);
	return request;
}

/* As the worker does it. */
static int end(const struct helper_request *request)
{
	struct session_aim aim = SESSION_AIM_NONE;
	unsigned tries = 0;
	const char *why;
	uint32_t left;
	int result = session_aim_find(request, &aim, &why);

	if (result == 0 && request->verb == HELPER_HANG_UP_SESSION)
		result = session_hang_up(&aim, false);
	else if (result == 0)
		for (; tries < 2000 && (result = session_kill(&aim, &left)) == -EBUSY; tries++)
			usleep(1000);
	if (result == -ESRCH && tries > 0)
		result = 0;
	session_aim_finish(&aim);
	return result;
}

static int hang_up(struct helper_request request)
{
	request.verb = HELPER_HANG_UP_SESSION;
	return end(&request);
}

static int kill_session(struct helper_request request)
{
	return end(&request);
}

static void a_scope_ends_with_all_that_is_in_it(void **state)
{
	pid_t leader, shell, root, outside, local, other;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	world_make_cgroup(SLICE "/session-2.scope");
	leader = world_start(0, SCOPE, WORLD_STUBBORN);
	shell = world_start(WORLD_UID, SCOPE, WORLD_STUBBORN);
	root = world_start(0, SCOPE, WORLD_STUBBORN); /* sudo's */
	other = world_start(WORLD_UID, SLICE "/session-2.scope", WORLD_WILLING);
	outside = world_start(0, NULL, WORLD_WILLING);
	local = world_start(WORLD_LOCAL, NULL, WORLD_WILLING);
	assert_result(kill_session(of(leader, "1")), 0);
	assert_int_equal(world_ended_by(leader, 5000), SIGKILL);
	assert_int_equal(world_ended_by(shell, 5000), SIGKILL);
	assert_int_equal(world_ended_by(root, 5000), SIGKILL);
	assert_true(world_is_alive(other) && world_is_alive(outside) && world_is_alive(local));
	/* It is gone; and once more does no harm. */
	assert_result(kill_session(of(0, "1")), 0);
	world_remove_cgroup(SCOPE);
	assert_result(kill_session(of(0, "1")), -ESRCH);
	assert_true(world_is_alive(other));
	world_end(other);
	world_end(outside);
	world_end(local);
	world_remove_cgroup(SLICE "/session-2.scope");
}

static void the_leader_s_scope_is_found_by_itself_and_the_scope_without_a_leader(void **state)
{
	pid_t leader, left;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	leader = world_start(0, SCOPE, WORLD_WILLING);
	left = world_start(WORLD_UID, SCOPE, WORLD_STUBBORN);
	assert_result(kill_session(of(leader, "")), 0);
	assert_int_equal(world_ended_by(leader, 5000), SIGKILL);
	assert_int_equal(world_ended_by(left, 5000), SIGKILL);
	left = world_start(WORLD_UID, SCOPE, WORLD_STUBBORN);
	assert_result(kill_session(of(0, "1")), 0);
	assert_int_equal(world_ended_by(left, 5000), SIGKILL);
	world_remove_cgroup(SCOPE);
}

static void a_scope_of_another_uid_is_not_there(void **state)
{
	struct helper_request request;
	pid_t other, root;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup("user.slice/user-1879048211.slice/session-1.scope");
	world_make_cgroup("user.slice/user-0.slice/session-3.scope");
	other = world_start(WORLD_OTHER, "user.slice/user-1879048211.slice/session-1.scope", WORLD_WILLING);
	root = world_start(0, "user.slice/user-0.slice/session-3.scope", WORLD_WILLING);
	assert_result(kill_session(of(0, "1")), -ESRCH);
	assert_result(kill_session(of(0, "3")), -ESRCH);
	assert_result(hang_up(of(0, "1")), -ESRCH);
	/* Their leaders lead no session of this user's either: what descends from them and runs as the user is nothing.
	 */
	assert_result(kill_session(of(other, "")), -ESRCH);
	assert_result(kill_session(of(root, "")), -ESRCH);
	assert_result(hang_up(of(root, "")), -ESRCH);
	request = of(root, "");
	request.uid = WORLD_OTHER;
	assert_result(kill_session(request), -ESRCH);
	usleep(20000);
	assert_true(world_is_alive(other) && world_is_alive(root));
	world_end(other);
	world_end(root);
	world_remove_cgroup("user.slice/user-1879048211.slice/session-1.scope");
	world_remove_cgroup("user.slice/user-0.slice/session-3.scope");
}

static void a_leader_in_another_session_than_named_is_refused(void **state)
{
	struct session_aim aim = SESSION_AIM_NONE;
	struct helper_request request;
	const char *why;
	pid_t one, two;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	world_make_cgroup(SLICE "/session-2.scope");
	one = world_start(0, SCOPE, WORLD_WILLING);
	two = world_start(0, SLICE "/session-2.scope", WORLD_WILLING);
	request = of(one, "2");
	assert_result(session_aim_find(&request, &aim, &why), -EINVAL);
	assert_string_equal(why, "other-scope");
	assert_true(aim.leader == -1 && aim.scope == -1);
	assert_result(kill_session(request), -EINVAL);
	usleep(20000);
	assert_true(world_is_alive(one) && world_is_alive(two));
	world_end(one);
	world_end(two);
	world_remove_cgroup(SCOPE);
	world_remove_cgroup(SLICE "/session-2.scope");
}

static void a_reused_pid_is_nobody(void **state)
{
	struct session_aim aim = SESSION_AIM_NONE;
	struct helper_request request;
	const char *why;
	pid_t now, child;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	now = world_start(WORLD_UID, NULL, WORLD_WILLING);
	child = world_start(WORLD_UID, SCOPE, WORLD_WILLING);
	request = of(now, "");
	request.leader_start++; /* what had the number before */
	assert_result(session_aim_find(&request, &aim, &why), -ESRCH);
	assert_string_equal(why, "reused-pid");
	assert_result(kill_session(request), -ESRCH);
	assert_result(hang_up(request), -ESRCH);
	/* With the scope it is the scope alone. */
	strcpy(request.scope, "1");
	assert_result(kill_session(request), 0);
	assert_int_equal(world_ended_by(child, 5000), SIGKILL);
	assert_true(world_is_alive(now));
	request = of(now, "");
	world_end(now);
	assert_result(session_aim_find(&request, &aim, &why), -ESRCH);
	assert_null(why);
	world_remove_cgroup(SCOPE);
}

/* sshd's monitor (root's) and its unprivileged half, which has its name; a shell below that. */
struct ssh {
	pid_t monitor, half, shell;
};

static void start_ssh(struct ssh *ssh)
{
	int tell[2], ready;
	pid_t pids[2] = {0};

	assert_int_equal(pipe(tell), 0);
	ssh->monitor = world_fork(&ready);
	if (ssh->monitor == 0) {
		world_become(0, 0, 0, SCOPE);
		prctl(PR_SET_NAME, "sshd");
		pids[0] = fork();
		if (pids[0] == 0) {
			world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
			prctl(PR_SET_NAME, "sshd");
			pids[0] = getpid();
			pids[1] = fork();
			if (pids[1] == 0) {
				prctl(PR_SET_NAME, "bash");
				for (;;)
					pause();
			}
			(void)!write(tell[1], pids, sizeof(pids));
			for (;;)
				pause();
		}
		world_be_ready(ready);
	}
	assert_int_equal(read(tell[0], pids, sizeof(pids)), sizeof(pids));
	ssh->half = pids[0];
	ssh->shell = pids[1];
	close(tell[0]);
	close(tell[1]);
}

/* Not our child: its parent has not waited for it, so it is there as long as it is not over. */
static bool is_over(pid_t pid)
{
	uint64_t start;

	return process_start(pid, &start) == -ESRCH;
}

static bool is_over_soon(pid_t pid)
{
	for (unsigned i = 0; i < 5000 && !is_over(pid); i++)
		usleep(1000);
	return is_over(pid);
}

static void hanging_up_leaves_those_who_carry_the_good_bye(void **state)
{
	struct ssh ssh;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	start_ssh(&ssh);
	assert_result(hang_up(of(ssh.monitor, "1")), 0);
	assert_true(is_over_soon(ssh.shell));
	assert_false(is_over(ssh.half));
	assert_true(world_is_alive(ssh.monitor));
	assert_result(kill_session(of(ssh.monitor, "1")), 0);
	assert_int_equal(world_ended_by(ssh.monitor, 5000), SIGKILL);
	assert_true(is_over_soon(ssh.half));
	world_remove_cgroup(SCOPE);
}

static void a_connection_without_a_shell_is_hung_up(void **state)
{
	struct ssh ssh;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	start_ssh(&ssh);
	kill(ssh.shell, SIGKILL);
	assert_true(is_over_soon(ssh.shell));
	assert_result(hang_up(of(ssh.monitor, "1")), 0);
	/* The shell's remains, which nobody waited for, are no reason to spare them. */
	if (!is_over_soon(ssh.half))
		assert_result(hang_up(of(ssh.monitor, "1")), 0);
	assert_true(is_over_soon(ssh.half));
	assert_int_equal(world_ended_by(ssh.monitor, 5000), SIGHUP);
	world_remove_cgroup(SCOPE);
}

static void a_leader_of_the_user_s_own_is_hung_up_and_what_is_stopped_goes_on(void **state)
{
	pid_t leader, stopped;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SCOPE);
	leader = world_start(WORLD_UID, SCOPE, WORLD_WILLING);
	stopped = world_start(WORLD_UID, SCOPE, WORLD_WILLING);
	kill(stopped, SIGSTOP);
	assert_result(hang_up(of(leader, "")), 0);
	assert_int_equal(world_ended_by(leader, 5000), SIGHUP);
	assert_int_equal(world_ended_by(stopped, 5000), SIGHUP);
	world_remove_cgroup(SCOPE);
}

/* ---- without a scope ---------------------------------------------------------------------------- */

/* Of the test itself, which is the leader: of root, in no scope, as cron's or a service's process is. */
static void without_a_scope_it_is_what_descends_and_runs_as_the_user(void **state)
{
	pid_t leader, willing, stubborn, root, other, local, pids[5];
	int ready, tell[2];

	(void)state;
	WORLD_OR_SKIP();
	assert_int_equal(pipe(tell), 0);
	leader = world_fork(&ready);
	if (leader == 0) {
		pids[0] = world_start(WORLD_UID, NULL, WORLD_WILLING);
		pids[1] = world_start(WORLD_UID, NULL, WORLD_STUBBORN);
		pids[2] = world_start(0, NULL, WORLD_WILLING);
		pids[3] = world_start(WORLD_OTHER, NULL, WORLD_WILLING);
		pids[4] = world_start(WORLD_LOCAL, NULL, WORLD_WILLING);
		(void)!write(tell[1], pids, sizeof(pids));
		world_be_ready(ready);
	}
	assert_int_equal(read(tell[0], pids, sizeof(pids)), sizeof(pids));
	close(tell[0]);
	close(tell[1]);
	willing = pids[0];
	stubborn = pids[1];
	root = pids[2];
	other = pids[3];
	local = pids[4];
	assert_result(hang_up(of(leader, "")), 0);
	assert_true(is_over_soon(willing));
	assert_false(is_over(stubborn) || is_over(root) || is_over(other) || is_over(local));
	assert_result(kill_session(of(leader, "")), 0);
	assert_true(is_over_soon(stubborn));
	usleep(20000);
	assert_false(is_over(root) || is_over(other) || is_over(local) || is_over(leader));
	kill(root, SIGKILL);
	kill(other, SIGKILL);
	kill(local, SIGKILL);
	world_end(leader);
}

/* More processes than fit in any list that is not grown. */
static void many_processes_end_too(void **state)
{
	pid_t leader;
	int ready;

	(void)state;
#ifdef SANITIZED
	skip(); /* forks of such a process take too long */
#endif
	WORLD_OR_SKIP();
	leader = world_fork(&ready);
	if (leader == 0) {
		world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
		for (unsigned i = 0; i < MANY; i++)
			if (fork() == 0)
				for (;;)
					pause();
		world_be_ready(ready);
	}
	assert_result(kill_session(of(leader, "")), 0);
	assert_int_equal(world_ended_by(leader, 5000), SIGKILL);
	/* They are the test's by now. Should one be left, the test is ended here. */
	alarm(60);
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
}

static void *pause_for_ever(void *context)
{
	(void)!write(*(int *)context, "", 1);
	for (;;)
		pause();
	return NULL;
}

/* To /proc it looks as if it were over and waited for its parent. */
static void a_process_whose_first_thread_ended_ends_too(void **state)
{
	pid_t leader, hiding;
	int ready, tell[2];

	(void)state;
	WORLD_OR_SKIP();
	assert_int_equal(pipe(tell), 0);
	leader = world_fork(&ready);
	if (leader == 0) {
		int inner;

		hiding = world_fork(&inner);
		if (hiding == 0) {
			pthread_t thread;

			world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
			pthread_create(&thread, NULL, pause_for_ever, &inner);
			pthread_exit(NULL);
		}
		(void)!write(tell[1], &hiding, sizeof(hiding));
		world_be_ready(ready);
	}
	assert_int_equal(read(tell[0], &hiding, sizeof(hiding)), sizeof(hiding));
	close(tell[0]);
	close(tell[1]);
	assert_result(kill_session(of(leader, "")), 0);
	/* What is not over cannot be waited for: its parent, which is the test by now, can only when the last thread
	 * is. */
	world_end(leader);
	for (unsigned i = 0; i < 5000 && waitpid(hiding, NULL, WNOHANG) == 0; i++)
		usleep(1000);
	assert_int_equal(kill(hiding, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scope_ends_with_all_that_is_in_it),
		cmocka_unit_test(the_leader_s_scope_is_found_by_itself_and_the_scope_without_a_leader),
		cmocka_unit_test(a_scope_of_another_uid_is_not_there),
		cmocka_unit_test(a_leader_in_another_session_than_named_is_refused),
		cmocka_unit_test(a_reused_pid_is_nobody),
		cmocka_unit_test(hanging_up_leaves_those_who_carry_the_good_bye),
		cmocka_unit_test(a_connection_without_a_shell_is_hung_up),
		cmocka_unit_test(a_leader_of_the_user_s_own_is_hung_up_and_what_is_stopped_goes_on),
		cmocka_unit_test(without_a_scope_it_is_what_descends_and_runs_as_the_user),
		cmocka_unit_test(many_processes_end_too),
		cmocka_unit_test(a_process_whose_first_thread_ended_ends_too),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
