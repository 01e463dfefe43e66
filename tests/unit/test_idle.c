/* SPDX-License-Identifier: MIT
 *
 * Since when nobody is at a session: real terminals, and a bus with a logind that says what the test wants, that keeps
 * silent, or that is not there.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "directory_fixture.h"
#include "session/idle.h"
#include "session/process.h"
#include "session/terminal.h"

#define SECOND 1000000ULL

static char dir[64];
static sd_event *event;
static struct idle *idle;
static unsigned answers;
static uint64_t answer;
static pid_t children[8];
static unsigned child_count;

static void on_answer(void *context, const char *id, uint64_t since_usec)
{
	assert_ptr_equal(context, &answers);
	assert_string_equal(id, "abcdefghijklmnop");
	answers++;
	answer = since_usec;
}

static int setup(void **state)
{
	char address[128];

	answers = 0;
	answer = 4711;
	child_count = 0;
	strcpy(dir, "/tmp/test-idle-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
	assert_result(sd_event_new(&event), 0);
	return idle_create(event, &idle);
}

static void end_children(void)
{
	while (child_count > 0) {
		pid_t pid = children[--child_count];

		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static int teardown(void **state)
{
	idle_destroy(idle);
	idle = NULL;
	sd_event_unref(event);
	end_children();
	remove_folder(strdup(dir));
	return 0;
}

static pid_t remember(pid_t pid)
{
	assert_true(pid > 0);
	children[child_count++] = pid;
	return pid;
}

/* A leader whose descendant, so many steps below, has a terminal of its own; it reads what is typed. */
struct leader {
	pid_t pid;
	int master;
	char terminal[64];
};

static struct leader make_leader(int steps)
{
	struct leader leader = {.master = -1};
	int slave = -1, ready[2];
	char c;

	if (steps >= 0) {
		assert_int_equal(openpty(&leader.master, &slave, leader.terminal, NULL, NULL), 0);
		assert_int_equal(pipe(ready), 0);
	}
	leader.pid = fork();
	if (leader.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < steps; i++) {
			if (fork() != 0)
				for (;;)
					pause();
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		}
		if (steps >= 0 && (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || write(ready[1], "x", 1) != 1))
			_exit(1);
		if (fork() == 0) { /* at the same terminal, which is not its own */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		for (;;)
			if (steps < 0 || read(slave, &c, 1) != 1)
				pause();
	}
	remember(leader.pid);
	if (steps >= 0) {
		assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
		close(ready[1]);
		close(slave);
	}
	return leader;
}

static struct session session_of(const struct leader *leader, const char *scope)
{
	struct session session = {.id = "abcdefghijklmnop", .uid = getuid(), .leader = leader->pid};

	assert_result(process_start(leader->pid, &session.leader_start), 0);
	(void)snprintf(session.scope, sizeof(session.scope), "%s", scope);
	return session;
}

static void set_last_key(const struct leader *leader, int64_t ago)
{
	struct timespec times[2] = {{.tv_sec = clock_realtime_sec() - ago}, {.tv_nsec = UTIME_OMIT}};

	assert_int_equal(utimensat(AT_FDCWD, leader->terminal, times, 0), 0);
}

/* In seconds; what the kernel does not say exactly is given to the person. */
static void assert_idle_for(int64_t seconds)
{
	int64_t is = ((int64_t)clock_boottime_usec() - (int64_t)answer) / (int64_t)SECOND;

	assert_true(answer != 0);
	if (is > seconds || is < seconds - 2 * TERMINAL_KEY_STEP_SEC)
		fail_msg("idle for %lld s instead of %lld", (long long)is, (long long)seconds);
}

static void ask(const struct session *session)
{
	uint64_t before = clock_boottime_usec(), until = before + 5 * SECOND;

	answers = 0;
	answer = 4711;
	idle_ask(idle, session, on_answer, &answers);
	assert_true(clock_boottime_usec() - before < SECOND / 2);
	while (!answers && clock_boottime_usec() < until)
		assert_true(sd_event_run(event, SECOND / 10) >= 0);
	assert_int_equal(answers, 1);
	assert_true(clock_boottime_usec() - before < 2 * SECOND);
}

static void by_the_terminal(void **state)
{
	static const int steps[] = {0, 1, 2};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct leader leader = make_leader(steps[i]);
		struct session session = session_of(&leader, "7");

		set_last_key(&leader, 1000);
		ask(&session);
		assert_idle_for(1000);
		/* A key, which the program at the terminal reads. */
		assert_int_equal(write(leader.master, "x\n", 2), 2);
		for (int tries = 0; tries < 100 && clock_boottime_usec() - answer > 100 * SECOND; tries++) {
			usleep(10000);
			ask(&session);
		}
		assert_idle_for(0);
		close(leader.master);
	}
}

static void a_key_is_not_what_a_program_wrote(void **state)
{
	struct leader leader = make_leader(2);
	struct session session = session_of(&leader, "");
	int fd = open(leader.terminal, O_RDWR | O_NOCTTY);
	char text[16];

	set_last_key(&leader, 1000);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	assert_true(read(leader.master, text, sizeof(text)) > 0);
	ask(&session);
	assert_idle_for(1000);
	close(fd);
	close(leader.master);
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	FILE *file;
	int child = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	for (int tries = 0; tries < 200 && child == 0; tries++) {
		file = fopen(path, "re");
		assert_non_null(file);
		if (fscanf(file, "%d", &child) != 1)
			usleep(5000);
		assert_int_equal(fclose(file), 0);
	}
	assert_true(child > 0);
	return child;
}

/* su: its own is the terminal of the session around it. */
static void a_terminal_of_the_session_around(void **state)
{
	struct leader outer = make_leader(0), su = {.pid = child_of(outer.pid)};
	struct session session = session_of(&su, "");
	struct process_stat stat;

	set_last_key(&outer, 1000);
	assert_result(process_stat(su.pid, &stat), 0);
	assert_true(stat.terminal != 0);
	ask(&session);
	assert_true(answer == 0);
	assert_int_equal(session_main_terminal(&session), 0);
	session = session_of(&outer, "");
	ask(&session);
	assert_idle_for(1000);
	close(outer.master);
}

static void nobody_can_say(void **state)
{
	struct leader without = make_leader(-1), deep = make_leader(3), given = make_leader(2);
	struct session session = session_of(&without, "");

	ask(&session);
	assert_true(answer == 0);
	/* A program of the person's opened that one: whoever writes into it is none to go by. */
	session = session_of(&deep, "");
	set_last_key(&deep, 1000);
	ask(&session);
	assert_true(answer == 0);
	/* Somebody else's. */
	session = session_of(&given, "");
	set_last_key(&given, 1000);
	session.uid = getuid() + 1;
	ask(&session);
	assert_true(answer == 0);
	session.uid = getuid();
	ask(&session);
	assert_idle_for(1000);
	/* Another process has that pid. */
	session.leader_start--;
	ask(&session);
	assert_true(answer == 0);
	session.leader_start++;
	session.left_behind = true;
	ask(&session);
	assert_true(answer == 0);
	/* In time to come: the clock was set back. */
	session.left_behind = false;
	set_last_key(&given, -100000);
	ask(&session);
	assert_idle_for(0);
	close(deep.master);
	close(given.master);
}

static void the_terminal_to_speak_at(void **state)
{
	struct leader without = make_leader(-1), given = make_leader(2), deep = make_leader(3);
	struct session session = session_of(&without, "");
	struct stat st;

	assert_int_equal(session_main_terminal(&session), 0);
	session = session_of(&deep, "");
	assert_int_equal(session_main_terminal(&session), 0);
	session = session_of(&given, "");
	assert_int_equal(stat(given.terminal, &st), 0);
	assert_true(st.st_rdev < 0x10000); /* then it reads the same in /proc */
	assert_int_equal(session_main_terminal(&session), st.st_rdev);
	session.left_behind = true;
	assert_int_equal(session_main_terminal(&session), 0);
	close(given.master);
	close(deep.master);
}

/* --- logind */

enum says { SAYS_IDLE, SAYS_BUSY, SAYS_TERMINAL, SAYS_OTHER_LEADER, SAYS_NO_SUCH, SAYS_NONSENSE, HANGS_UP };

static pid_t said_leader;
static uint64_t said_since;

static int put(sd_bus_message *m, const char *name, const char *type, ...)
{
	va_list values;
	int r = sd_bus_message_open_container(m, 'e', "sv");

	va_start(values, type);
	r = r < 0 ? r : sd_bus_message_append(m, "s", name);
	r = r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
	r = r < 0 ? r : sd_bus_message_appendv(m, type, values);
	r = r < 0 ? r : sd_bus_message_close_container(m);
	va_end(values);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const enum says *says = userdata;
	const char *interface = NULL;
	sd_bus_message *reply = NULL;
	int r;

	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello"))
		return sd_bus_reply_method_return(m, "s", ":1.1");
	if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll") ||
	    strcmp(sd_bus_message_get_destination(m), "org.freedesktop.login1") != 0 ||
	    strcmp(sd_bus_message_get_path(m), "/org/freedesktop/login1/session/_37") != 0 ||
	    sd_bus_message_get_auto_start(m) || sd_bus_message_read(m, "s", &interface) < 0 ||
	    strcmp(interface, "org.freedesktop.login1.Session") != 0)
		_exit(2);
	if (*says == HANGS_UP)
		_exit(0);
	if (*says == SAYS_NO_SUCH)
		return sd_bus_reply_method_errorf(m, "org.freedesktop.login1.NoSuchSession", "No session '7' known");
	if (*says == SAYS_NONSENSE)
		return sd_bus_reply_method_return(m, "s", "idle");
	r = sd_bus_message_new_method_return(m, &reply);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "{sv}");
	r = r < 0 ? r : put(reply, "User", "(uo)", getuid(), "/org/freedesktop/login1/user/_30");
	r = r < 0 ? r : put(reply, "Type", "s", *says == SAYS_TERMINAL ? "tty" : "x11");
	r = r < 0 ? r : put(reply, "IdleHint", "b", *says == SAYS_IDLE || *says == SAYS_OTHER_LEADER);
	r = r < 0 ? r : put(reply, "IdleSinceHint", "t", said_since);
	r = r < 0 ? r : put(reply, "IdleSinceHintMonotonic", "t", said_since);
	r = r < 0 ? r : put(reply, "Leader", "u", (uint32_t)said_leader + (*says == SAYS_OTHER_LEADER));
	r = r < 0 ? r : sd_bus_message_close_container(reply);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static int listen_at_bus(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", dir);
	(void)unlink(address.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* The bus with logind at it; each connection is one. */
static void serve(int listener, enum says says)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		sd_bus *bus = NULL;
		sd_id128_t id;
		int r;

		if (fd < 0 || sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
		    sd_bus_set_server(bus, true, id) < 0 || sd_bus_add_filter(bus, NULL, on_message, &says) < 0 ||
		    sd_bus_start(bus) < 0)
			_exit(1);
		do {
			r = sd_bus_process(bus, NULL);
			if (r == 0)
				r = sd_bus_wait(bus, UINT64_MAX);
		} while (r >= 0);
		sd_bus_unref(bus);
	}
}

static pid_t start_logind(enum says says)
{
	int listener = listen_at_bus();
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener, says);
	}
	close(listener);
	return remember(pid);
}

static void by_logind(void **state)
{
	struct leader leader = make_leader(-1);
	struct session session = session_of(&leader, "7");
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true(now.tv_sec > 100);
	said_leader = leader.pid;
	said_since = ((uint64_t)now.tv_sec - 90) * SECOND;
	start_logind(SAYS_IDLE);
	ask(&session);
	assert_idle_for(91);
	ask(&session); /* the same again, by a connection of its own or not */
	assert_idle_for(91);
	start_logind(SAYS_BUSY); /* the time is that at which it became busy */
	assert_true(sd_event_run(event, 0) >= 0);
	ask(&session);
	assert_true(answer == 0);
	start_logind(SAYS_TERMINAL); /* one that this agent does not see, since its /dev is its own */
	assert_true(sd_event_run(event, 0) >= 0);
	ask(&session);
	assert_idle_for(91);
}

static void logind_says_nothing_useful(void **state)
{
	static const enum says cases[] = {SAYS_OTHER_LEADER, SAYS_NO_SUCH, SAYS_NONSENSE, HANGS_UP};
	struct leader leader = make_leader(-1);
	struct session session = session_of(&leader, "7");

	said_leader = leader.pid;
	said_since = SECOND;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start_logind(cases[i]);
		ask(&session);
		assert_true(answer == 0);
		while (sd_event_run(event, 0) > 0)
			;
	}
}

static void the_bus_is_down(void **state)
{
	struct leader leader = make_leader(-1), seen = make_leader(2);
	struct session session = session_of(&leader, "7");

	ask(&session);
	assert_true(answer == 0);
	/* It is not needed for a terminal. */
	session = session_of(&seen, "7");
	set_last_key(&seen, 1000);
	ask(&session);
	assert_idle_for(1000);
	close(seen.master);
	/* And it may come back. */
	session = session_of(&leader, "7");
	said_leader = leader.pid;
	said_since = SECOND;
	start_logind(SAYS_IDLE);
	ask(&session);
	assert_true(answer != 0);
}

static void the_bus_hangs(void **state)
{
	struct leader leader = make_leader(-1);
	struct session session = session_of(&leader, "7");
	int listener = listen_at_bus();

	ask(&session); /* within two seconds */
	assert_true(answer == 0);
	for (int i = 0; i < 20; i++) { /* more than it takes up */
		answers = 0;
		idle_ask(idle, &session, on_answer, &answers);
	}
	close(listener);
	start_logind(SAYS_IDLE);
}

static void an_answer_that_nobody_waits_for_any_more(void **state)
{
	struct leader leader = make_leader(-1);
	struct session session = session_of(&leader, "7");

	said_leader = leader.pid;
	said_since = SECOND;
	start_logind(SAYS_IDLE);
	idle_ask(idle, &session, on_answer, &answers);
	idle_ask(idle, &session, on_answer, &answers);
	idle_destroy(idle);
	idle = NULL;
	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(event, SECOND / 100) >= 0);
	assert_int_equal(answers, 0);
}

static struct session asked_again;

static void ask_once_more(void *context, const char *id, uint64_t since_usec)
{
	if (answers++ == 0)
		idle_ask(idle, &asked_again, ask_once_more, NULL);
	else
		sd_event_exit(event, 0);
}

static void from_within_an_answer(void **state)
{
	struct leader leader = make_leader(-1);

	asked_again = session_of(&leader, "7");
	said_leader = leader.pid;
	said_since = SECOND;
	start_logind(SAYS_IDLE);
	idle_ask(idle, &asked_again, ask_once_more, NULL);
	assert_result(sd_event_loop(event), 0);
	assert_int_equal(answers, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(by_the_terminal),
		TEST(a_key_is_not_what_a_program_wrote),
		TEST(a_terminal_of_the_session_around),
		TEST(nobody_can_say),
		TEST(the_terminal_to_speak_at),
		TEST(by_logind),
		TEST(logind_says_nothing_useful),
		TEST(the_bus_is_down),
		TEST(the_bus_hangs),
		TEST(an_answer_that_nobody_waits_for_any_more),
		TEST(from_within_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
