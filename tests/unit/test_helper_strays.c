/* SPDX-License-Identifier: MIT
 *
 * What runs as a subordinate id outside of all containers ends with the person whose id it is.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/as_user.h"
#include "helper/end_user.h"
#include "helper_world.h"
#include "records/records.h"

#define SLICE "user.slice/user-1879048210.slice"
#define THEIR_FIRST 672268288U  /* of the ids that are WORLD_UID's by its number */
#define OTHERS_FIRST 672333824U /* WORLD_OTHER's */

static int end(struct helper_request request)
{
	_cleanup_(stray_list_finish) struct stray_list strays = {0};
	int result = -EBUSY;
	uint32_t left = 77;

	request.uid = WORLD_UID;
	for (unsigned i = 0; i < 1000 && result == -EBUSY; i++) {
		assert_int_equal(stray_list_read(&strays), 0);
		result = user_kill_strays(&request, 0, &strays, &left);
		if (result == -EBUSY)
			usleep(1000);
	}
	assert_int_equal(left, 0);
	return result;
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

/* In a user namespace that root made, with these ids. */
static pid_t start_roots_container(uint32_t first)
{
	int ready, made[2], mapped[2];
	char byte, map[64];
	pid_t pid;

	assert_int_equal(pipe(made), 0);
	assert_int_equal(pipe(mapped), 0);
	pid = world_fork(&ready);
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(104);
		(void)!write(ready, "", 1);
		if (read(mapped[0], &byte, 1) != 1 || setresuid(41, 41, 41) < 0)
			_exit(103);
		(void)!write(made[1], "", 1);
		for (;;)
			pause();
	}
	snprintf(map, sizeof(map), "0 %u 65536\n", first);
	write_map(pid, "uid_map", map);
	assert_int_equal(write(mapped[1], "", 1), 1);
	assert_int_equal(read(made[0], &byte, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(made[i]);
		close(mapped[i]);
	}
	return pid;
}

/* By a program of that id's, which gives it to whoever starts it. */
static void what_left_its_container_with_a_subordinate_id_ends_too(void **state)
{
	pid_t theirs[5], others[4];

	(void)state;
	NAMESPACES_OR_SKIP();
	theirs[0] = world_start(THEIR_FIRST, NULL, WORLD_STUBBORN);
	theirs[1] = world_start(THEIR_FIRST + 65535, NULL, WORLD_STUBBORN);
	theirs[2] = world_start_ids(THEIR_FIRST + 42, 33, 33, NULL, WORLD_STUBBORN);
	theirs[3] = world_start_ids(33, 33, THEIR_FIRST + 42, NULL, WORLD_STUBBORN);
	{
		int ready;

		theirs[4] = world_fork(&ready);
		if (theirs[4] == 0) {
			world_become(THEIR_FIRST + 7, THEIR_FIRST + 7, THEIR_FIRST + 7, NULL);
			if (unshare(CLONE_NEWUSER) < 0) /* where the kernel lets nobody, it is one like the others */
				(void)0;
			world_be_ready(ready);
		}
	}
	others[0] = world_start(THEIR_FIRST - 1, NULL, WORLD_WILLING);
	others[1] = world_start(OTHERS_FIRST, NULL, WORLD_WILLING);
	others[2] = start_roots_container(THEIR_FIRST);
	others[3] = world_start_ids(0, THEIR_FIRST, 0, NULL, WORLD_WILLING);
	assert_result(end((struct helper_request){0}), 0);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		assert_int_equal(world_ended_by(theirs[i], 5000), SIGKILL);
	usleep(20000);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_true(world_is_alive(others[i]));
		world_end(others[i]);
	}
}

static void what_left_its_container_within_a_kept_session_goes_on(void **state)
{
	struct helper_request keep = {.keep_count = 1, .keep = {"7"}};
	pid_t kept, at;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-7.scope");
	kept = world_start(THEIR_FIRST + 3, SLICE "/session-7.scope", WORLD_WILLING);
	at = world_start(THEIR_FIRST + 3, NULL, WORLD_STUBBORN);
	assert_result(end(keep), 0);
	assert_int_equal(world_ended_by(at, 5000), SIGKILL);
	assert_true(world_is_alive(kept));
	world_end(kept);
	world_remove_cgroup(SLICE "/session-7.scope");
}

static int do_nothing(void *data, uint32_t *count) // NOLINT(readability-non-const-parameter): of a callback
{
	(void)data;
	(void)count;
	return 0;
}

static void only_the_user_s_own_subordinate_ids_are_taken_on(void **state)
{
	static const uint32_t others[] = {
		0, 1, WORLD_LOCAL, 65534, MANAGED_ID_FIRST - 1, MANAGED_ID_TENANT_LAST + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(as_subordinate(others[i], THEIR_FIRST, 0, 5000, do_nothing, NULL, NULL), -EPERM);
		assert_int_equal(as_subordinate(WORLD_UID, others[i], 0, 5000, do_nothing, NULL, NULL), -EPERM);
	}
	assert_int_equal(as_subordinate(WORLD_UID, THEIR_FIRST - 1, 0, 5000, do_nothing, NULL, NULL), -EPERM);
	assert_int_equal(as_subordinate(WORLD_UID, OTHERS_FIRST, 0, 5000, do_nothing, NULL, NULL), -EPERM);
	assert_int_equal(as_subordinate(WORLD_UID, WORLD_UID, 0, 5000, do_nothing, NULL, NULL), -EPERM);
	assert_int_equal(as_subordinate(WORLD_UID, THEIR_FIRST, AS_USER_SLOTS, 5000, do_nothing, NULL, NULL), -EPERM);
	WORLD_OR_SKIP();
	assert_int_equal(as_subordinate(WORLD_UID, THEIR_FIRST, 0, 5000, do_nothing, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_left_its_container_with_a_subordinate_id_ends_too),
		cmocka_unit_test(what_left_its_container_within_a_kept_session_goes_on),
		cmocka_unit_test(only_the_user_s_own_subordinate_ids_are_taken_on),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
