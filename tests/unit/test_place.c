/* SPDX-License-Identifier: MIT
 *
 * Where real processes sit: below which leader, at which terminal.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "session/place.h"
#include "session/process.h"

#define ALICE 1879048210U
#define EDITH 1879048211U

static char dir[64];
static sd_event *event;
static struct session_table *table;

static int setup(void **state)
{
	strcpy(dir, "/tmp/test-place-XXXXXX");
	assert_non_null(mkdtemp(dir));
	strcat(dir, "/s");
	assert_result(sd_event_new(&event), 0);
	return session_table_create(event, dir, NULL, &table);
}

static int teardown(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *entry;

	session_table_destroy(table);
	sd_event_unref(event);
	while ((entry = readdir(d)))
		unlinkat(fd, entry->d_name, 0);
	closedir(d);
	rmdir(dir);
	dir[strlen(dir) - 2] = '\0';
	rmdir(dir);
	return 0;
}

/* As service_place_rule, without its table. */
static enum place_rule rule(const struct session *session)
{
	if (strcmp(session->service, "su") == 0)
		return PLACE_BARS;
	return strcmp(session->service, "systemd-user") == 0 ? PLACE_SEES_THROUGH : PLACE_COUNTS;
}

static const struct session *open_for(pid_t leader, uint32_t uid, const char *service)
{
	char name[16];
	static char text[] = "x", empty[] = "";
	struct session data = {.user_id = text,
			       .login = text,
			       .tenant = text,
			       .project = empty,
			       .role = empty,
			       .service = name,
			       .source = empty,
			       .terminal = empty,
			       .credential = text,
			       .uid = uid,
			       .leader = leader,
			       .opened = 1};
	const struct session *session = NULL;

	snprintf(name, sizeof(name), "%s", service);
	assert_result(session_open(table, &data, &session), 0);
	return session;
}

/* A chain of processes, each the parent of the next, that live until the first is killed. A step with a terminal begins
 * a POSIX session of its own at a new one. */
#define CHAIN_MAX 5
struct chain {
	pid_t pids[CHAIN_MAX];
	int hold;
};

static void run_chain(const char *steps, int report)
{
	int master, slave;
	pid_t self;

	for (;; steps++) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (*steps == 't' &&
		    (openpty(&master, &slave, NULL, NULL, NULL) < 0 || setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0))
			_exit(1);
		self = getpid();
		if (write(report, &self, sizeof(self)) != sizeof(self))
			_exit(1);
		if (!steps[1] || fork() != 0)
			break;
	}
	for (;;)
		pause();
}

static struct chain make_chain(const char *steps)
{
	struct chain chain = {.hold = -1};
	int report[2];
	pid_t first;

	assert_int_equal(pipe(report), 0);
	first = fork();
	assert_true(first >= 0);
	if (first == 0)
		run_chain(steps, report[1]);
	for (size_t i = 0; steps[i]; i++)
		assert_int_equal(read(report[0], &chain.pids[i], sizeof(pid_t)), sizeof(pid_t));
	close(report[0]);
	close(report[1]);
	return chain;
}

static void end_chain(const struct chain *chain)
{
	kill(chain->pids[0], SIGKILL);
	waitpid(chain->pids[0], NULL, 0);
}

static struct place find(pid_t pid, uint32_t uid)
{
	struct place place;

	assert_result(place_find(table, pid, -1, uid, rule, &place), 0);
	return place;
}

static void below_its_leader(void **state)
{
	struct chain chain = make_chain("---"), other = make_chain("-");
	const struct session *session = open_for(chain.pids[0], ALICE, "sshd");

	for (int i = 0; i < 3; i++)
		assert_ptr_equal(find(chain.pids[i], ALICE).session, session);
	assert_null(find(chain.pids[2], EDITH).session); /* somebody else's */
	assert_null(find(other.pids[0], ALICE).session); /* beside it */
	assert_null(find(getpid(), ALICE).session);      /* above it */
	assert_int_equal(find(chain.pids[2], ALICE).terminal.device, 0);
	assert_false(find(chain.pids[2], ALICE).given);
	end_chain(&chain);
	end_chain(&other);
}

static void the_nearest_leader_decides(void **state)
{
	struct chain chain = make_chain("-----");
	const struct session *outer = open_for(chain.pids[0], ALICE, "sshd"), *inner;

	open_for(chain.pids[1], EDITH, "su"); /* su to somebody else … */
	assert_ptr_equal(find(chain.pids[0], ALICE).session, outer);
	assert_null(find(chain.pids[2], ALICE).session); /* … is no longer alice's, whoever asks in her name … */
	assert_null(find(chain.pids[2], EDITH).session); /* … and not edith's own sign-in either */
	inner = open_for(chain.pids[3], EDITH, "sshd");
	assert_ptr_equal(find(chain.pids[4], EDITH).session, inner);
	assert_null(find(chain.pids[4], ALICE).session);
	end_chain(&chain);
}

static void su_to_oneself_bars(void **state)
{
	struct chain chain = make_chain("---");

	open_for(chain.pids[0], ALICE, "sshd");
	open_for(chain.pids[1], ALICE, "su");
	assert_null(find(chain.pids[2], ALICE).session);
	end_chain(&chain);
}

static void a_service_manager_is_seen_through(void **state)
{
	struct chain chain = make_chain("---");
	const struct session *session = open_for(chain.pids[0], ALICE, "sshd");

	open_for(chain.pids[1], ALICE, "systemd-user");
	assert_ptr_equal(find(chain.pids[2], ALICE).session, session);
	end_chain(&chain);
}

static void two_sessions_of_one_leader(void **state)
{
	struct chain chain = make_chain("--");
	const struct session *hers;

	open_for(chain.pids[0], EDITH, "hub");
	hers = open_for(chain.pids[0], ALICE, "hub");
	assert_ptr_equal(find(chain.pids[1], ALICE).session, hers);
	end_chain(&chain);
}

static void the_terminal_that_was_given(void **state)
{
	/* leader, its unprivileged half, a shell with a terminal, and sudo in it */
	struct chain chain = make_chain("--t-");
	const struct session *session = open_for(chain.pids[0], ALICE, "sshd");
	struct place shell = find(chain.pids[2], ALICE), sudo = find(chain.pids[3], ALICE);
	struct process_stat stat;

	assert_ptr_equal(sudo.session, session);
	assert_true(sudo.terminal.device != 0);
	assert_true(sudo.given && shell.given);
	assert_true(session_terminal_same(&sudo.terminal, &shell.terminal));
	assert_int_equal(sudo.terminal.owner, chain.pids[2]);
	assert_result(process_stat(chain.pids[3], &stat), 0);
	assert_int_equal(stat.terminal, sudo.terminal.device);
	assert_int_equal(stat.session, chain.pids[2]);
	assert_int_equal(stat.parent, chain.pids[2]);
	end_chain(&chain);
}

static void one_that_a_program_opened_is_another(void **state)
{
	/* a shell with a terminal starts something that opens one of its own */
	struct chain chain = make_chain("-t-t-");
	const struct session *session = open_for(chain.pids[0], ALICE, "sshd");
	struct place outer = find(chain.pids[2], ALICE), inner = find(chain.pids[4], ALICE);

	assert_ptr_equal(inner.session, session);
	assert_true(outer.given);
	assert_false(inner.given);
	assert_true(inner.terminal.device != 0);
	assert_false(session_terminal_same(&outer.terminal, &inner.terminal));
	end_chain(&chain);
}

/* `ssh host program`, and the program opens one further down: nobody gave it. */
static void the_first_one_in_a_session_without(void **state)
{
	struct chain chain = make_chain("---t-"), near = make_chain("-t");
	struct place far;

	open_for(chain.pids[0], ALICE, "sshd");
	open_for(near.pids[0], ALICE, "login");
	far = find(chain.pids[4], ALICE);
	assert_non_null(far.session);
	assert_true(far.terminal.device != 0);
	assert_false(far.given);
	assert_true(find(near.pids[1], ALICE).given);
	end_chain(&chain);
	end_chain(&near);
}

static void two_terminals_of_one_session(void **state)
{
	struct chain chain = make_chain("-t"), second = make_chain("-t");
	struct place first = {0}, other = {0};

	open_for(chain.pids[0], ALICE, "sshd");
	open_for(second.pids[0], ALICE, "sshd");
	first = find(chain.pids[1], ALICE);
	other = find(second.pids[1], ALICE);
	assert_ptr_not_equal(first.session, other.session);
	assert_false(session_terminal_same(&first.terminal, &other.terminal));
	end_chain(&chain);
	end_chain(&second);
}

/* Its parent is gone: nothing but a scope would say where it belongs, and there is none here. */
static void a_daemon_sits_nowhere(void **state)
{
	int report[2];
	struct chain chain = make_chain("-");
	pid_t middle, orphan;

	assert_int_equal(pipe(report), 0);
	middle = fork();
	if (middle == 0) {
		if (fork() == 0) {
			while (getppid() == middle)
				usleep(1000);
			orphan = getpid();
			(void)!write(report[1], &orphan, sizeof(orphan));
			for (;;)
				pause();
		}
		usleep(20000);
		_exit(0);
	}
	open_for(middle, ALICE, "sshd");
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	assert_int_equal(read(report[0], &orphan, sizeof(orphan)), sizeof(orphan));
	assert_null(find(orphan, ALICE).session);
	kill(orphan, SIGKILL);
	close(report[0]);
	close(report[1]);
	end_chain(&chain);
}

static void nobody_there(void **state)
{
	struct place place;
	struct chain chain = make_chain("-");
	int pidfd = (int)syscall(SYS_pidfd_open, chain.pids[0], 0);

	assert_true(pidfd >= 0);
	assert_result(place_find(table, chain.pids[0], pidfd, ALICE, rule, &place), 0);
	end_chain(&chain);
	assert_result(place_find(table, chain.pids[0], pidfd, ALICE, rule, &place), -ESRCH);
	/* The number is somebody's now, and the process that asked is gone all the same. */
	assert_result(place_find(table, getpid(), pidfd, ALICE, rule, &place), -ESRCH);
	assert_result(place_find(table, 0, -1, ALICE, rule, &place), -ESRCH);
	close(pidfd);
}

static void proofs_are_kept(void **state)
{
	struct chain chain = make_chain("-t");
	const struct session *session = open_for(chain.pids[0], ALICE, "sshd");
	struct session_proof proof = {.at = 5, .valid_from = -7, .credential = "api-key:key_1"};
	char id[SESSION_ID_CHARS + 1];
	uint32_t count = 0;

	memcpy(id, session->id, sizeof(id));
	proof.terminal = find(chain.pids[1], ALICE).terminal;
	assert_result(session_add_proof(table, id, &proof), 0);
	assert_result(session_claim_sign_in(table, id, &proof.terminal), 0);
	assert_result(session_add_proof(table, "0000000000000000", &proof), -ENOENT);
	/* A newer one at the same terminal takes its place; at others there are so many, and the oldest goes. */
	proof.at = 6;
	assert_result(session_add_proof(table, id, &proof), 0);
	assert_int_equal(session->proofs[0].at, 6);
	assert_int_equal(session->proofs[1].at, 0);
	for (unsigned i = 1; i <= SESSION_PROOFS_MAX; i++) {
		struct session_proof other = proof;

		other.terminal.owner_start += i;
		other.at = 6 + i;
		assert_result(session_add_proof(table, id, &other), 0);
	}
	for (unsigned i = 0; i < SESSION_PROOFS_MAX; i++)
		assert_true(session->proofs[i].at > 6);
	session_table_destroy(table);
	assert_result(session_table_create(event, dir, NULL, &table), 0);
	assert_result(session_table_restore(table, NULL, NULL, &count), 0);
	assert_int_equal(count, 1);
	session = session_find(table, id);
	assert_non_null(session);
	assert_int_equal(session->proofs[SESSION_PROOFS_MAX - 1].valid_from, -7);
	assert_string_equal(session->proofs[0].credential, "api-key:key_1");
	end_chain(&chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(below_its_leader, setup, teardown),
		cmocka_unit_test_setup_teardown(the_nearest_leader_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(su_to_oneself_bars, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_manager_is_seen_through, setup, teardown),
		cmocka_unit_test_setup_teardown(two_sessions_of_one_leader, setup, teardown),
		cmocka_unit_test_setup_teardown(the_terminal_that_was_given, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_a_program_opened_is_another, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_one_in_a_session_without, setup, teardown),
		cmocka_unit_test_setup_teardown(two_terminals_of_one_session, setup, teardown),
		cmocka_unit_test_setup_teardown(a_daemon_sits_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(proofs_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
