/* SPDX-License-Identifier: MIT
 *
 * The root helper: what it refuses, and that it ends a session's processes and no others.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/end_session.h"
#include "session/process.h"

#define UID 1879048210U
#define MANY 2100U

static void only_the_user_s_own_scope_counts(void **state)
{
	static const char *const others[] = {
		"",
		"0::/\n",
		"0::/system.slice/cron.service\n",
		"0::/user.slice/user-1879048210.slice\n",
		"0::/user.slice/user-1879048210.slice/user@1879048210.service/app.slice\n",
		"0::/user.slice/user-1879048211.slice/session-5.scope\n",
		"0::/user.slice/user-18790482100.slice/session-5.scope\n",
		"0::/user.slice/user-0.slice/session-5.scope\n",
		"0::/user.slice/user-1879048210.slice/session-.scope\n",
		"0::/user.slice/user-1879048210.slice/session-5.scope/below\n",
		"0::/user.slice/user-1879048210.slice/session-../../../..scope\n",
		"0::/user.slice/user-1879048210.slice/session-5.scopes\n",
		"0::/x/user.slice/user-1879048210.slice/session-5.scope\n",
		"1:name=systemd:/user.slice/user-1879048210.slice/session-5.scope\n",
	};
	char out[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (end_session_scope(others[i], UID, out, sizeof(out)))
			fail_msg("%s was taken", others[i]);
	assert_true(
		end_session_scope("0::/user.slice/user-1879048210.slice/session-c12.scope\n", UID, out, sizeof(out)));
	assert_string_equal(out, "/user.slice/user-1879048210.slice/session-c12.scope");
	assert_true(end_session_scope("12:cpu:/\n0::/user.slice/user-1879048210.slice/session-5.scope", UID, out,
				      sizeof(out)));
	assert_false(end_session_scope("0::/user.slice/user-1879048210.slice/session-5.scope\n", UID, out, 20));
}

static struct helper_request request_for(pid_t leader)
{
	struct helper_request request = {
		.magic = HELPER_MAGIC, .verb = HELPER_KILL_SESSION, .leader = leader, .uid = UID};

	assert_int_equal(process_start(leader, &request.leader_start), 0);
	return request;
}

static void requests_are_checked(void **state)
{
	struct helper_request good = request_for(getpid()), bad;

	(void)state;
	assert_int_equal(end_session_check(&good), 0);
	bad = good;
	bad.magic++;
	assert_int_equal(end_session_check(&bad), -EINVAL);
	bad = good;
	bad.verb = 2;
	assert_int_equal(end_session_check(&bad), -EINVAL);
	bad = good;
	bad.leader = 1;
	assert_int_equal(end_session_check(&bad), -EINVAL);
	bad = good;
	bad.leader = -1;
	assert_int_equal(end_session_check(&bad), -EINVAL);
	bad = good;
	bad.uid = 0;
	assert_int_equal(end_session_check(&bad), -EPERM);
	bad.uid = 1000;
	assert_int_equal(end_session_check(&bad), -EPERM);
	bad.uid = 0x7fffffff;
	assert_int_equal(end_session_check(&bad), -EPERM);
	bad = good;
	bad.leader_start++; /* another process of that number */
	assert_int_equal(end_session_check(&bad), -ESRCH);
	assert_int_equal(end_session_run(&bad), -ESRCH);
	bad = good;
	bad.leader = 0x3fffffff;
	assert_int_equal(end_session_check(&bad), -ESRCH);
}

/* A process as `uid` that tells when it is ready, and ends by SIGKILL alone when `stubborn`. */
static pid_t start(uint32_t uid, bool stubborn)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGHUP, stubborn ? SIG_IGN : SIG_DFL);
		if (setuid(uid) < 0)
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void the_user_s_processes_end_and_others_stay(void **state)
{
	struct helper_request request = request_for(getpid());
	pid_t willing, stubborn, other;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	willing = start(UID, false);
	stubborn = start(UID, true);
	other = start(UID + 1, false);
	/* The leader is this test: of root, outside any logind scope of the user, so it stays. */
	assert_int_equal(end_session_run(&request), 0);
	assert_int_equal(waitpid(willing, &status, 0), willing);
	assert_int_equal(WTERMSIG(status), SIGHUP);
	assert_int_equal(waitpid(stubborn, &status, 0), stubborn);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

/* More processes than are looked at in one go make nobody safe. */
static void many_processes_end_too(void **state)
{
	struct helper_request request = request_for(getpid());
	int ready[2], status;
	unsigned ended = 0;
	pid_t first;
	char byte;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* forks of such a process take too long */
#endif
	if (geteuid() != 0)
		skip();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(ready), 0);
	first = fork();
	if (first == 0) {
		if (setuid(UID) < 0)
			_exit(1);
		for (unsigned i = 0; i < MANY; i++)
			if (fork() == 0)
				for (;;)
					pause();
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(end_session_run(&request), 0);
	while (waitpid(-1, &status, WNOHANG) > 0)
		ended += WIFSIGNALED(status);
	assert_int_equal(ended, MANY + 1);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_user_s_own_scope_counts),
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(the_user_s_processes_end_and_others_stay),
		cmocka_unit_test(many_processes_end_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
