/* SPDX-License-Identifier: MIT
 *
 * The built root helper at its socket: whom it answers, what it tells the journal, and many requests at once.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "helper/request.h"
#include "helper_world.h"
#include "session/process.h"

#define AGENT 998U
#define STRAY 1879048300U
#define SLICE "user.slice/user-1879048210.slice"
#define MANY 200U
#define BUDGET_MSEC 1000U

static struct {
	int listener, journal;
	pid_t helper;
} world;

/* Beside this program, by the name that it was started by: /proc/self/exe names what is outside of a chroot, too. */
static const char *program(void)
{
	static char path[PATH_MAX];
	char *slash;

	assert_non_null(realpath(program_invocation_name, path));
	slash = strstr(path, "/tests/unit/");
	assert_non_null(slash);
	strcpy(slash, "/tenantd-helper");
	return path;
}

static void start_helper(void)
{
	const char *path = program();

	world.helper = fork();
	assert_true(world.helper >= 0);
	if (world.helper == 0) {
		char pid[32];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		if (world.listener == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(world.listener, 3);
		execl(path, path, NULL);
		_exit(127);
	}
}

static int bind_at(int kind, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	if (!world_is_there())
		return 0;
	world_write("/run/passwd", "root:x:0:0:root:/root:/bin/bash\ntenantd:x:998:998::/:/usr/sbin/nologin\n"
				   "stray:x:1879048300:100::/:/bin/sh\n");
	assert_int_equal(mount("/run/passwd", "/etc/passwd", NULL, MS_BIND, NULL), 0);
	world_write("/run/systemd/journal/x", "");
	world.journal = bind_at(SOCK_DGRAM, "/run/systemd/journal/socket");
	world.listener = bind_at(SOCK_SEQPACKET, HELPER_SOCKET);
	assert_int_equal(chmod(HELPER_SOCKET, 0666), 0); /* systemd lets the agent in alone; here it is asked itself */
	assert_int_equal(listen(world.listener, 256), 0);
	start_helper();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!world_is_there())
		return 0;
	world_end(world.helper);
	close(world.listener);
	close(world.journal);
	return 0;
}

static int connect_as(uint32_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = HELPER_SOCKET};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), result;

	assert_true(fd >= 0);
	assert_int_equal(seteuid(uid), 0);
	result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(result, 0);
	return fd;
}

static int answer_from(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct helper_answer answer = {.result = -ENODATA};
	ssize_t got;

	assert_int_equal(poll(&wait, 1, 10000), 1);
	got = recv(fd, &answer, sizeof(answer), 0);
	close(fd);
	return got == 0 || (got < 0 && errno == ECONNRESET) ? -ECONNRESET : answer.result;
}

static int ask_as(uint32_t uid, const void *packet, size_t length)
{
	int fd = connect_as(uid);

	(void)!send(fd, packet, length, MSG_NOSIGNAL);
	return answer_from(fd);
}

static struct helper_request of(enum helper_verb verb, const char *scope)
{
	struct helper_request request = {.magic = HELPER_MAGIC, .verb = verb, .uid = WORLD_UID};

	strcpy(request.scope, scope);
	return request;
}

static int ask(const struct helper_request *request)
{
	return ask_as(AGENT, request, sizeof(*request));
}

/* The next thing that the journal got; "" when there is nothing. */
static const char *told(void)
{
	static char text[4096];
	ssize_t got = recv(world.journal, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void assert_told(const char *why, uint32_t caller)
{
	const char *text = told();
	char line[128];

	snprintf(line, sizeof(line), "\nTENANT_REASON=%s\n", why);
	if (!strstr(text, line))
		fail_msg("the journal was not told %s, but: %s", why, text);
	snprintf(line, sizeof(line), "\nTENANT_CALLER_UID=%u\nTENANT_CALLER_PID=%d\n", caller, getpid());
	assert_non_null(strstr(text, line));
	assert_non_null(strstr(text, "\nTENANTD_EVENT=helper-refused\n"));
	assert_non_null(strstr(text, "\nMESSAGE_ID="));
	assert_string_equal(told(), "");
}

static void nobody_but_the_agent_is_served(void **state)
{
	static const uint32_t others[] = {0, 1, 997, 999, WORLD_LOCAL, 65534, WORLD_UID};
	struct helper_request request = of(HELPER_KILL_USER, "");
	pid_t person;

	(void)state;
	WORLD_OR_SKIP();
	person = world_start(WORLD_UID, NULL, WORLD_WILLING);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_result(ask_as(others[i], &request, sizeof(request)), -EPERM);
		assert_told("not-the-agent", others[i]);
	}
	assert_true(world_is_alive(person));
	assert_result(ask(&request), 0);
	assert_int_equal(world_ended_by(person, 1000), SIGKILL);
	assert_string_equal(told(), "");
}

static void what_is_refused_is_in_the_journal_with_who_asked(void **state)
{
	struct helper_request request = of(HELPER_KILL_USER, "");
	char packet[sizeof(request) + 1] = {0};
	pid_t root, local, leader, stray;

	(void)state;
	WORLD_OR_SKIP();
	root = world_start(0, NULL, WORLD_WILLING);
	local = world_start(WORLD_LOCAL, NULL, WORLD_WILLING);
	leader = world_start(WORLD_UID, NULL, WORLD_WILLING);
	request.uid = 0;
	assert_result(ask(&request), -EPERM);
	assert_told("uid-out-of-range", AGENT);
	request.uid = WORLD_LOCAL;
	assert_result(ask(&request), -EPERM);
	assert_told("uid-out-of-range", AGENT);
	/* A local account whose uid lies where only tenants' people should be. */
	stray = world_start(STRAY, NULL, WORLD_WILLING);
	request.uid = STRAY;
	assert_result(ask(&request), -EPERM);
	assert_told("local-account", AGENT);
	assert_true(world_is_alive(stray));
	world_end(stray);
	request = of(HELPER_KILL_SESSION, "../../x");
	assert_result(ask(&request), -EINVAL);
	assert_told("bad-scope", AGENT);
	request = of(HELPER_KILL_SESSION, "");
	request.leader = leader;
	assert_int_equal(process_start(leader, &request.leader_start), 0);
	request.leader_start--;
	assert_result(ask(&request), -ESRCH);
	assert_told("reused-pid", AGENT);
	request = of(HELPER_TELL, "");
	strcpy(request.text, "\x1b[2J");
	assert_result(ask(&request), -EINVAL);
	assert_told("bad-text", AGENT);
	memcpy(packet, &request, sizeof(request));
	assert_result(ask_as(AGENT, packet, sizeof(packet)), -EINVAL);
	assert_told("malformed", AGENT);
	assert_result(ask_as(AGENT, packet, sizeof(request) - 1), -EINVAL);
	assert_told("malformed", AGENT);
	assert_result(ask_as(AGENT, packet, 1), -EINVAL);
	assert_told("malformed", AGENT);
	assert_true(world_is_alive(root) && world_is_alive(local) && world_is_alive(leader));
	world_end(root);
	world_end(local);
	world_end(leader);
}

static void somebody_who_says_nothing_holds_nobody_up(void **state)
{
	struct helper_request request = of(HELPER_KILL_SESSION, "1");
	uint64_t before = clock_boottime_usec();
	int fd;

	(void)state;
	WORLD_OR_SKIP();
	fd = connect_as(AGENT);
	assert_result(ask(&request), -ESRCH);
	assert_true(clock_boottime_usec() - before < 5 * USEC_PER_SEC);
	assert_result(answer_from(fd), -EAGAIN);
}

static void a_helper_that_is_killed_is_an_error_and_the_next_one_does_it(void **state)
{
	struct helper_request request = of(HELPER_KILL_SESSION, "1");
	pid_t person;
	int fd;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope");
	person = world_start(WORLD_UID, SLICE "/session-1.scope", WORLD_STUBBORN);
	kill(world.helper, SIGSTOP);
	fd = connect_as(AGENT);
	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	world_end(world.helper);
	assert_true(world_is_alive(person));
	/* systemd holds the socket, so what waits there is served by the next. */
	start_helper();
	assert_result(answer_from(fd), 0);
	assert_int_equal(world_ended_by(person, 1000), SIGKILL);
	world_remove_cgroup(SLICE "/session-1.scope");
}

static int compare(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sends all, and gives the time of the 99th of a hundred. */
static unsigned ask_all(const struct helper_request *requests)
{
	struct pollfd waits[MANY];
	unsigned times[MANY], open = MANY;
	uint64_t before = clock_boottime_usec();

	for (unsigned i = 0; i < MANY; i++) {
		waits[i] = (struct pollfd){.fd = connect_as(AGENT), .events = POLLIN};
		assert_int_equal(send(waits[i].fd, &requests[i], sizeof(requests[i]), 0), sizeof(requests[i]));
	}
	while (open > 0) {
		assert_true(poll(waits, MANY, 20000) > 0);
		for (unsigned i = 0; i < MANY; i++) {
			if (waits[i].fd < 0 || !waits[i].revents)
				continue;
			times[i] = (unsigned)((clock_boottime_usec() - before) / USEC_PER_MSEC);
			assert_result(answer_from(waits[i].fd), 0);
			waits[i].fd = -1;
			open--;
		}
	}
	qsort(times, MANY, sizeof(times[0]), compare);
	return times[MANY * 99 / 100];
}

static void bury(const pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(world_ended_by(pids[i], 5000), SIGKILL);
}

static void many_sessions_end_in_time(void **state)
{
	static struct helper_request requests[MANY];
	static pid_t pids[MANY * 3];
	char scope[32], path[128];
	unsigned time;

	(void)state;
#ifdef SANITIZED
	skip();
#endif
	WORLD_OR_SKIP();
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(scope, sizeof(scope), "%u", i);
		snprintf(path, sizeof(path), SLICE "/session-%u.scope", i);
		world_make_cgroup(path);
		requests[i] = of(HELPER_KILL_SESSION, scope);
		requests[i].leader = pids[i * 3] = world_start(0, path, WORLD_STUBBORN);
		assert_int_equal(process_start(pids[i * 3], &requests[i].leader_start), 0);
		pids[i * 3 + 1] = world_start(WORLD_UID, path, WORLD_STUBBORN);
		pids[i * 3 + 2] = world_start(WORLD_UID, path, WORLD_STUBBORN);
	}
	time = ask_all(requests);
	print_message("200 sessions: p99 %u ms\n", time);
	bury(pids, ARRAY_LEN(pids));
	assert_true(time < BUDGET_MSEC);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), SLICE "/session-%u.scope", i);
		world_remove_cgroup(path);
	}
}

static void many_users_end_in_time(void **state)
{
	static struct helper_request requests[MANY];
	static pid_t pids[MANY * 2], others[800];
	unsigned time;

	(void)state;
#ifdef SANITIZED
	skip();
#endif
	WORLD_OR_SKIP();
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		others[i] = world_start(i % 2 ? 0 : WORLD_LOCAL, NULL, WORLD_WILLING);
	for (unsigned i = 0; i < MANY; i++) {
		char path[128];

		requests[i] = of(HELPER_KILL_USER, "");
		requests[i].uid = WORLD_UID + 1000 + i;
		snprintf(path, sizeof(path), "user.slice/user-%u.slice/session-%u.scope", WORLD_UID + 1000 + i, i);
		world_make_cgroup(path);
		pids[i * 2] = world_start(WORLD_UID + 1000 + i, path, WORLD_STUBBORN);
		pids[i * 2 + 1] = world_start(WORLD_UID + 1000 + i, NULL, WORLD_STUBBORN);
	}
	time = ask_all(requests);
	print_message("200 users: p99 %u ms\n", time);
	bury(pids, ARRAY_LEN(pids));
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		assert_true(world_is_alive(others[i]));
		world_end(others[i]);
	}
	/* Each wants two children of the helper's: on a busy machine that is half of the time. */
	assert_true(time < 3 * BUDGET_MSEC);
}

static void it_takes_no_other_way_of_being_started(void **state)
{
	const char *path = program();
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		unsetenv("LISTEN_PID");
		unsetenv("LISTEN_FDS");
		execl(path, path, NULL);
		_exit(127);
	}
	assert_int_equal(world_ended_by(pid, 5000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_but_the_agent_is_served),
		cmocka_unit_test(what_is_refused_is_in_the_journal_with_who_asked),
		cmocka_unit_test(somebody_who_says_nothing_holds_nobody_up),
		cmocka_unit_test(a_helper_that_is_killed_is_an_error_and_the_next_one_does_it),
		cmocka_unit_test(many_sessions_end_in_time),
		cmocka_unit_test(many_users_end_in_time),
		cmocka_unit_test(it_takes_no_other_way_of_being_started),
	};

	world_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
