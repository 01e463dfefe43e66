/* SPDX-License-Identifier: MIT
 *
 * The end of everything that runs as a user, wherever it has gone to; and that nothing else can be hit on the way.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/as_user.h"
#include "helper/end_user.h"
#include "helper/linger.h"
#include "helper_world.h"
#include "records/records.h"

#define SLICE "user.slice/user-1879048210.slice"
#define MANAGER SLICE "/user@1879048210.service"
#define SUBORDINATE 700000000U

static int end(struct helper_request request, enum helper_verb verb)
{
	_cleanup_(pid_list_finish) struct pid_list host = {0};
	int result = -EBUSY;
	uint32_t left = 0;

	request.uid = WORLD_UID;
	if (verb == HELPER_HANG_UP_USER) {
		assert_int_equal(pid_list_read(&host), 0);
		return user_hang_up(&request, 0, &host);
	}
	for (unsigned i = 0; i < 1000 && result == -EBUSY; i++) {
		result = user_kill(&request, 0);
		if (result < 0)
			return result;
		assert_int_equal(pid_list_read(&host), 0);
		result = user_is_in_cgroups(&request) ? -EBUSY : user_left(&request, 0, &host, &left);
		if (result == -EBUSY)
			usleep(1000);
	}
	return result;
}

static int kill_user(void)
{
	return end((struct helper_request){0}, HELPER_KILL_USER);
}

static void everything_of_the_user_ends_and_nothing_else(void **state)
{
	pid_t theirs[6], others[8];

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope");
	world_make_cgroup(MANAGER "/init.scope");
	world_make_cgroup(MANAGER "/app.slice/a.service");
	world_make_cgroup("system.slice/cron.service");
	world_make_cgroup("user.slice/user-1879048211.slice/session-2.scope");
	theirs[0] = world_start(WORLD_UID, SLICE "/session-1.scope", WORLD_STUBBORN);
	theirs[1] = world_start(0, SLICE "/session-1.scope", WORLD_STUBBORN); /* sudo's */
	theirs[2] = world_start(WORLD_UID, MANAGER "/app.slice/a.service", WORLD_STUBBORN);
	theirs[3] = world_start(WORLD_UID, "system.slice/cron.service", WORLD_STUBBORN);
	theirs[4] = world_start(WORLD_UID, NULL, WORLD_STUBBORN);
	/* A program that runs with somebody else's rights, which this user started. */
	theirs[5] = world_start_ids(WORLD_UID, 0, 0, NULL, WORLD_STUBBORN);

	others[0] = world_start(0, NULL, WORLD_WILLING);
	others[1] = world_start(0, "system.slice/cron.service", WORLD_WILLING);
	others[2] = world_start(WORLD_LOCAL, NULL, WORLD_WILLING);
	others[3] = world_start(WORLD_OTHER, "user.slice/user-1879048211.slice/session-2.scope", WORLD_WILLING);
	others[4] = world_start(WORLD_OTHER, "system.slice/cron.service", WORLD_WILLING);
	/* Root's, for the moment with this user's rights (a file server). */
	others[5] = world_start_ids(0, WORLD_UID, 0, NULL, WORLD_WILLING);
	others[6] = world_start_ids(WORLD_LOCAL, WORLD_UID, WORLD_LOCAL, NULL, WORLD_WILLING);
	others[7] = world_start(65534, NULL, WORLD_WILLING);

	assert_result(kill_user(), 0);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		assert_int_equal(world_ended_by(theirs[i], 5000), SIGKILL);
	usleep(20000);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_true(world_is_alive(others[i]));
		world_end(others[i]);
	}
	/* Nothing is there, and once more is as well. */
	assert_result(kill_user(), 0);
	world_remove_cgroup(SLICE "/session-1.scope");
	world_remove_cgroup(MANAGER "/init.scope");
	world_remove_cgroup(MANAGER "/app.slice/a.service");
	world_remove_cgroup("system.slice/cron.service");
	world_remove_cgroup("user.slice/user-1879048211.slice/session-2.scope");
}

static void write_map(pid_t pid, const char *which, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* In a user namespace of the user's, as this id of it: root there (the user), or a subordinate id. */
static pid_t start_container(uint32_t inside)
{
	int ready, mapped[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(mapped), 0);
	pid = world_fork(&ready);
	if (pid == 0) {
		int more;

		world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
		if (unshare(CLONE_NEWUSER) < 0) {
			(void)!write(ready, "", 1);
			_exit(77);
		}
		/* What newuidmap does, the test does as root: only then is the id there to be taken. */
		(void)!write(ready, "", 1);
		if (read(mapped[0], &byte, 1) != 1 || setresgid(inside, inside, inside) < 0 ||
		    setresuid(inside, inside, inside) < 0)
			_exit(103);
		/* And a namespace within that one, made by whoever that is. */
		more = inside ? unshare(CLONE_NEWUSER) : 0;
		(void)more;
		signal(SIGHUP, SIG_IGN);
		for (;;)
			pause();
	}
	if (world_ended_by(pid, 20) == 77)
		return 0;
	write_map(pid, "uid_map", "0 1879048210 1\n1 700000000 65536\n");
	write_map(pid, "gid_map", "0 1879048210 1\n1 700000000 65536\n");
	assert_int_equal(write(mapped[1], "", 1), 1);
	close(mapped[0]);
	close(mapped[1]);
	usleep(50000);
	return pid;
}

static void containers_in_subordinate_ids_end_too(void **state)
{
	pid_t root, inside, stranger;
	char path[64];
	struct stat st;

	(void)state;
	NAMESPACES_OR_SKIP();
	root = start_container(0);
	if (!root)
		skip(); /* this kernel gives nobody user namespaces */
	inside = start_container(42);
	snprintf(path, sizeof(path), "/proc/%d", inside);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, SUBORDINATE + 41);
	/* The same id outside of the user's namespaces is none of theirs: a container of root's, in ids that it gave
	 * twice. */
	stranger = world_start(SUBORDINATE + 41, NULL, WORLD_WILLING);
	assert_result(kill_user(), 0);
	assert_int_equal(world_ended_by(root, 5000), SIGKILL);
	assert_int_equal(world_ended_by(inside, 5000), SIGKILL);
	assert_true(world_is_alive(stranger));
	world_end(stranger);
}

/* Each process forks the next and ends: never the one that was looked at. */
static _Noreturn void run_ahead(int ready)
{
	(void)!write(ready, "", 1);
	for (;;) {
		pid_t pid = fork();

		if (pid > 0)
			_exit(0);
		if (pid < 0)
			usleep(100);
		(void)setsid();
	}
}

static unsigned count_of(uint32_t uid)
{
	_cleanup_(pid_list_finish) struct pid_list host = {0};
	unsigned count = 0;

	assert_int_equal(pid_list_read(&host), 0);
	for (size_t i = 0; i < host.count; i++) {
		struct process process;

		count += process_read(host.items[i], &process) == 0 && process.uid == uid && !process.is_over;
	}
	return count;
}

/* One that escaped would run on; the dying may need a moment. */
static unsigned count_that_stay(uint32_t uid, unsigned expected)
{
	for (unsigned i = 0; i < 3000 && count_of(uid) != expected; i++)
		usleep(1000);
	return count_of(uid);
}

static void bury(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void start_runners(unsigned many)
{
	for (unsigned i = 0; i < many; i++) {
		int ready;

		if (world_fork(&ready) == 0) {
			world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
			run_ahead(ready);
		}
	}
}

static void nobody_forks_away(void **state)
{
	(void)state;
	WORLD_OR_SKIP();
	signal(SIGCHLD, SIG_IGN); /* whoever is left to us goes by itself */
	for (unsigned round = 0; round < 5; round++) {
		start_runners(4);
		assert_int_equal(user_kill(&(struct helper_request){.uid = WORLD_UID}, 0), 0);
		/* Once was enough. */
		assert_int_equal(count_that_stay(WORLD_UID, 0), 0);
	}
	signal(SIGCHLD, SIG_DFL);
	bury();
}

static void kept_scopes_are_left_alone_and_the_rest_ends(void **state)
{
	struct helper_request keep = {.keep_count = 2, .keep = {"7", "8"}};
	pid_t kept, kept_root, old, at, manager, container;

	(void)state;
	NAMESPACES_OR_SKIP();
	world_make_cgroup(SLICE "/session-7.scope");
	world_make_cgroup(SLICE "/session-77.scope");
	world_make_cgroup(MANAGER "/init.scope");
	kept = world_start(WORLD_UID, SLICE "/session-7.scope", WORLD_WILLING);
	kept_root = world_start(0, SLICE "/session-7.scope", WORLD_WILLING);
	old = world_start(WORLD_UID, SLICE "/session-77.scope", WORLD_STUBBORN);
	at = world_start(WORLD_UID, NULL, WORLD_STUBBORN);
	manager = world_start(WORLD_UID, MANAGER "/init.scope", WORLD_STUBBORN);
	container = start_container(42);
	assert_result(end(keep, HELPER_HANG_UP_USER), 0);
	assert_result(end(keep, HELPER_KILL_USER), 0);
	assert_int_equal(world_ended_by(old, 5000), SIGKILL);
	assert_int_equal(world_ended_by(at, 5000), SIGKILL);
	assert_int_equal(world_ended_by(manager, 5000), SIGKILL);
	if (container)
		assert_int_equal(world_ended_by(container, 5000), SIGKILL);
	usleep(20000);
	assert_true(world_is_alive(kept) && world_is_alive(kept_root));
	/* Also when somebody runs ahead of who goes after them. */
	signal(SIGCHLD, SIG_IGN);
	start_runners(2);
	assert_result(end(keep, HELPER_KILL_USER), 0);
	assert_int_equal(count_that_stay(WORLD_UID, 1), 1);
	signal(SIGCHLD, SIG_DFL);
	kill(kept, SIGKILL);
	kill(kept_root, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	world_remove_cgroup(SLICE "/session-7.scope");
	world_remove_cgroup(SLICE "/session-77.scope");
	world_remove_cgroup(MANAGER "/init.scope");
}

static void the_manager_is_asked_to_stop_and_others_are_hung_up(void **state)
{
	pid_t manager, unit, at, session, spared, stubborn, other;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope");
	world_make_cgroup(MANAGER "/init.scope");
	world_make_cgroup(MANAGER "/app.slice/a.service");
	manager = world_start(WORLD_UID, MANAGER "/init.scope", WORLD_WILLING);
	unit = world_start(WORLD_UID, MANAGER "/app.slice/a.service", WORLD_WILLING);
	at = world_start(WORLD_UID, NULL, WORLD_WILLING);
	session = world_start(WORLD_UID, SLICE "/session-1.scope", WORLD_WILLING);
	spared = world_start(0, SLICE "/session-1.scope", WORLD_WILLING); /* sshd's */
	stubborn = world_start(WORLD_UID, NULL, WORLD_STUBBORN);
	other = world_start(WORLD_OTHER, NULL, WORLD_WILLING);
	{
		char text[64];

		snprintf(text, sizeof(text), "# private\nUID=1\nLEADER=%d\n", spared);
		world_write("/run/systemd/sessions/1", text);
	}
	assert_result(end((struct helper_request){0}, HELPER_HANG_UP_USER), 0);
	assert_int_equal(world_ended_by(manager, 5000), SIGTERM);
	assert_int_equal(world_ended_by(unit, 5000), SIGHUP);
	assert_int_equal(world_ended_by(at, 5000), SIGHUP);
	assert_int_equal(world_ended_by(session, 5000), SIGHUP);
	/* Also once more, when it is alone in its session: it may be delivering what was said last. */
	assert_result(end((struct helper_request){0}, HELPER_HANG_UP_USER), 0);
	usleep(20000);
	assert_true(world_is_alive(spared) && world_is_alive(stubborn) && world_is_alive(other));
	world_end(spared);
	world_end(stubborn);
	world_end(other);
	unlink("/run/systemd/sessions/1");
	world_remove_cgroup(SLICE "/session-1.scope");
	world_remove_cgroup(MANAGER "/init.scope");
	world_remove_cgroup(MANAGER "/app.slice/a.service");
}

static void root_s_in_a_session_without_a_known_leader_is_hung_up(void **state)
{
	pid_t root;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope");
	root = world_start(0, SLICE "/session-1.scope", WORLD_WILLING);
	assert_result(end((struct helper_request){0}, HELPER_HANG_UP_USER), 0);
	assert_int_equal(world_ended_by(root, 5000), SIGHUP);
	world_remove_cgroup(SLICE "/session-1.scope");
}

/* ---- the rights of the child --------------------------------------------------------------------- */

static int try_others(void *data, uint32_t *count)
{
	const pid_t *others = data;

	for (unsigned i = 0; others[i]; i++)
		for (int number = 0; number < 65; number++) /* SIGCONT everybody may send within one POSIX session */
			*count += number != SIGCONT && (kill(others[i], number) == 0 || errno != EPERM);
	*count += open("/etc/shadow", O_RDONLY) >= 0 || setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0;
	return -ENODATA;
}

static void the_child_can_signal_nobody_else(void **state)
{
	pid_t others[6] = {0};
	uint32_t count = 77;

	(void)state;
	WORLD_OR_SKIP();
	others[0] = 1;
	others[1] = world_start(0, NULL, WORLD_WILLING);
	others[2] = world_start(WORLD_LOCAL, NULL, WORLD_WILLING);
	others[3] = world_start(WORLD_OTHER, NULL, WORLD_WILLING);
	others[4] = world_start_ids(0, WORLD_UID, 0, NULL, WORLD_WILLING);
	assert_int_equal(as_user(WORLD_UID, 0, 5000, try_others, others, &count), -ENODATA);
	assert_int_equal(count, 0);
	for (unsigned i = 1; others[i]; i++) {
		assert_true(world_is_alive(others[i]));
		world_end(others[i]);
	}
}

static int keep_descriptors(void *data, uint32_t *count)
{
	(void)data;
	for (int fd = 3; fd < 64; fd++)
		*count += fcntl(fd, F_GETFD) >= 0;
	return 0;
}

static void the_child_has_one_descriptor(void **state)
{
	uint32_t count = 0;

	(void)state;
	WORLD_OR_SKIP();
	assert_int_equal(as_user(WORLD_UID, 0, 5000, keep_descriptors, NULL, &count), 0);
	assert_int_equal(count, 1);
}

/* Shared memory, since the child has no descriptors. */
struct attack {
	volatile pid_t target;
	volatile unsigned done; /* 1 + how many of the attacks worked */
};

static int be_attacked(void *data, uint32_t *count)
{
	struct attack *attack = data;

	attack->target = getpid();
	while (!attack->done)
		usleep(1000);
	*count = attack->done - 1;
	return 0;
}

static unsigned attack_with_all(pid_t target)
{
	char path[64], byte;
	unsigned worked = 0;
	int fd;

	for (int number = 0; number < 65; number++)
		worked += number != SIGCONT && kill(target, number) == 0;
	worked += ptrace(PTRACE_SEIZE, target, NULL, NULL) == 0;
	worked += prlimit(target, RLIMIT_CPU, &(struct rlimit){0, 0}, NULL) == 0;
	for (const char *const *name = (const char *const[]){"mem", "environ", "fd", "maps", NULL}; *name; name++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", target, *name);
		fd = open(path, O_RDONLY);
		worked += fd >= 0 && (**name == 'f' || read(fd, &byte, 1) > 0);
	}
	return worked;
}

static void the_user_cannot_touch_the_child(void **state)
{
	struct attack *attack;
	uint32_t worked = 77;
	pid_t attacker;

	(void)state;
	WORLD_OR_SKIP();
	attack = mmap(NULL, sizeof(*attack), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(attack, MAP_FAILED);
	*attack = (struct attack){0};
	attacker = fork();
	if (attacker == 0) {
		world_become(WORLD_UID, WORLD_UID, WORLD_UID, NULL);
		while (!attack->target)
			usleep(100);
		usleep(5000);
		attack->done = 1 + attack_with_all(attack->target);
		_exit(0);
	}
	assert_int_equal(as_user(WORLD_UID, 3, 5000, be_attacked, attack, &worked), 0);
	assert_int_equal(worked, 0);
	waitpid(attacker, NULL, 0);
	munmap(attack, sizeof(*attack));
}

static int kill_all_there_is(void *data, uint32_t *count)
{
	(void)data;
	usleep(50000);
	*count = kill(-1, SIGKILL) == 0;
	return 0;
}

/* Two workers' children for the same person: neither ends the other. */
static void children_do_not_hit_each_other(void **state)
{
	pid_t workers[AS_USER_SLOTS];
	int status;

	(void)state;
	WORLD_OR_SKIP();
	for (unsigned i = 0; i < AS_USER_SLOTS; i++) {
		workers[i] = fork();
		if (workers[i] == 0)
			_exit(as_user(WORLD_UID, i, 5000, kill_all_there_is, NULL, NULL) == 0 ? 0 : 1);
	}
	for (unsigned i = 0; i < AS_USER_SLOTS; i++) {
		assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
		assert_int_equal(status, 0);
	}
}

static int never(void *data, uint32_t *count)
{
	(void)data;
	for (*count = 0;;)
		pause();
	return 0;
}

static void only_tenants_ids_are_taken_on_and_nobody_waits_for_ever(void **state)
{
	static const uint32_t others[] = {
		0, 1, WORLD_LOCAL, 65534, MANAGED_ID_FIRST - 1, MANAGED_ID_TENANT_LAST + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(as_user(others[i], 0, 5000, keep_descriptors, NULL, NULL), -EPERM);
	assert_int_equal(as_user(WORLD_UID, AS_USER_SLOTS, 5000, keep_descriptors, NULL, NULL), -EPERM);
	WORLD_OR_SKIP();
	assert_int_equal(as_user(WORLD_UID, 0, 50, never, NULL, NULL), -ETIMEDOUT);
}

/* ---- lingering ---------------------------------------------------------------------------------- */

#define LINGER "/var/lib/systemd/linger/"

static void lingering_is_switched_off_for_this_person_alone(void **state)
{
	(void)state;
	WORLD_OR_SKIP();
	assert_result(linger_off(WORLD_UID), 0); /* nobody knows them */
	world_write(LINGER "alice", "");
	world_write(LINGER "bob", "");
	assert_result(linger_off(WORLD_UID), 0);
	assert_int_equal(access(LINGER "alice", F_OK), 0);
	world_write("/run/systemd/users/1879048210", "# private\nNAME=alice\nSTATE=lingering\n");
	assert_result(linger_off(WORLD_UID), 0);
	assert_int_equal(access(LINGER "alice", F_OK), -1);
	assert_int_equal(access(LINGER "bob", F_OK), 0);
	assert_result(linger_off(WORLD_UID), 0);
}

static void nothing_but_a_person_s_own_file_is_taken_away(void **state)
{
	static const char *const names[] = {"../../../../etc/passwd", "..", ".", "", "root", "a/b", "daemon", "sshd"};

	(void)state;
	WORLD_OR_SKIP();
	world_write(LINGER "bob", "");
	world_write(LINGER "root", "");
	world_write(LINGER "daemon", "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[64];

		snprintf(text, sizeof(text), "NAME=%s\n", names[i]);
		world_write("/run/systemd/users/1879048210", text);
		assert_true(linger_off(WORLD_UID) < 0);
	}
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(access(LINGER "root", F_OK), 0);
	assert_int_equal(access(LINGER "daemon", F_OK), 0);
	/* A file that is not root's is nobody's word. */
	world_write("/run/systemd/users/1879048210", "NAME=bob\n");
	assert_int_equal(chown("/run/systemd/users/1879048210", WORLD_UID, WORLD_UID), 0);
	assert_result(linger_off(WORLD_UID), -EPERM);
	assert_int_equal(access(LINGER "bob", F_OK), 0);
	assert_int_equal(unlink("/run/systemd/users/1879048210"), 0);
	assert_int_equal(symlink(LINGER "bob", "/run/systemd/users/1879048210"), 0);
	assert_result(linger_off(WORLD_UID), -ELOOP);
	assert_int_equal(unlink("/run/systemd/users/1879048210"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_the_user_ends_and_nothing_else),
		cmocka_unit_test(containers_in_subordinate_ids_end_too),
		cmocka_unit_test(nobody_forks_away),
		cmocka_unit_test(kept_scopes_are_left_alone_and_the_rest_ends),
		cmocka_unit_test(the_manager_is_asked_to_stop_and_others_are_hung_up),
		cmocka_unit_test(root_s_in_a_session_without_a_known_leader_is_hung_up),
		cmocka_unit_test(the_child_can_signal_nobody_else),
		cmocka_unit_test(the_child_has_one_descriptor),
		cmocka_unit_test(the_user_cannot_touch_the_child),
		cmocka_unit_test(children_do_not_hit_each_other),
		cmocka_unit_test(only_tenants_ids_are_taken_on_and_nobody_waits_for_ever),
		cmocka_unit_test(lingering_is_switched_off_for_this_person_alone),
		cmocka_unit_test(nothing_but_a_person_s_own_file_is_taken_away),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
