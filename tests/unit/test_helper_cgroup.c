/* SPDX-License-Identifier: MIT
 *
 * The cgroups of one user as the root helper finds them: whose a process is, and no way into anybody else's.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/cgroup.h"
#include "helper_world.h"

#define SLICE "user.slice/user-1879048210.slice"
#define OTHER_SLICE "user.slice/user-1879048211.slice"

static void whose_a_process_is(void **state)
{
	static const struct {
		const char *text;
		enum cgroup_kind kind;
		const char *scope;
	} cases[] = {
		{"", CGROUP_ELSEWHERE, ""},
		{"0::/\n", CGROUP_ELSEWHERE, ""},
		{"0::/system.slice/cron.service\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice/user-0.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice/user-1879048211.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice/user-18790482100.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"0::/x/user.slice/user-1879048210.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice/user-1879048210.slicer/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"1:name=systemd:/user.slice/user-1879048210.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"1:x:/a0::/user.slice/user-1879048210.slice/session-5.scope\n", CGROUP_ELSEWHERE, ""},
		{"0::/user.slice/user-1879048210.slice\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-.scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-5.scopes\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-5\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-a b.scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-1234567890123456789012345678901234567890.scope\n",
		 CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/session-../../../..scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/x/session-5.scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/user@1879048210.service/app.slice/a.service\n", CGROUP_OTHER,
		 ""},
		/* What a person makes within their own service manager's part is no session. */
		{"0::/user.slice/user-1879048210.slice/user@1879048210.service/session-5.scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/user@1879048210.service/init.scope/x\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/user@1879048211.service/init.scope\n", CGROUP_OTHER, ""},
		{"0::/user.slice/user-1879048210.slice/user@1879048210.service/init.scope\n", CGROUP_MANAGER, ""},
		{"0::/user.slice/user-1879048210.slice/session-5.scope\n", CGROUP_SESSION, "5"},
		{"12:cpu:/\n0::/user.slice/user-1879048210.slice/session-c12.scope", CGROUP_SESSION, "c12"},
		{"0::/user.slice/user-1879048210.slice/session-5.scope/below/it\n1:x:/\n", CGROUP_SESSION, "5"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cgroup_place place = cgroup_place_parse(cases[i].text, WORLD_UID);

		if (place.kind != cases[i].kind || strcmp(place.scope, cases[i].scope) != 0)
			fail_msg("%s: kind %d, scope \"%s\"", cases[i].text, place.kind, place.scope);
	}
}

static void a_user_s_folders_are_found(void **state)
{
	int fd;

	(void)state;
	WORLD_OR_SKIP();
	assert_int_equal(cgroup_open(WORLD_UID, NULL), -ENOENT);
	world_make_cgroup(SLICE "/session-1.scope");
	fd = cgroup_open(WORLD_UID, NULL);
	assert_true(fd >= 0);
	close(fd);
	fd = cgroup_open(WORLD_UID, "1");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(cgroup_open(WORLD_UID, "2"), -ENOENT);
	assert_int_equal(cgroup_open(WORLD_OTHER, "1"), -ENOENT);
	assert_int_equal(cgroup_open(0, "1"), -ENOENT);
	world_remove_cgroup(SLICE "/session-1.scope");
}

static void no_way_leads_out(void **state)
{
	_cleanup_(closep) int slice = -1;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope");
	world_make_cgroup(OTHER_SLICE "/session-1.scope");
	slice = cgroup_open(WORLD_UID, NULL);
	assert_true(slice >= 0);
	assert_int_equal(cgroup_open_below(slice, ".."), -EXDEV);
	assert_int_equal(cgroup_open_below(slice, "session-1.scope/../../user-1879048211.slice"), -EXDEV);
	assert_int_equal(cgroup_open_below(slice, "/sys"), -EXDEV);
	/* Somebody mounted another's over it. */
	assert_int_equal(mount("/sys/fs/cgroup/" OTHER_SLICE, "/sys/fs/cgroup/" SLICE, NULL, MS_BIND, NULL), 0);
	assert_int_equal(cgroup_open(WORLD_UID, "1"), -EXDEV);
	assert_int_equal(umount2("/sys/fs/cgroup/" SLICE, MNT_DETACH), 0);
	world_remove_cgroup(SLICE "/session-1.scope");
	world_remove_cgroup(OTHER_SLICE "/session-1.scope");
}

static void links_are_not_followed_and_what_is_no_cgroup_is_none(void **state)
{
	_cleanup_(closep) int folder = -1;

	(void)state;
	WORLD_OR_SKIP();
	assert_int_equal(mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL), 0);
	world_write("/sys/fs/cgroup/" SLICE "/session-1.scope/cgroup.procs", "1\n");
	assert_int_equal(cgroup_open(WORLD_UID, "1"), -ENOENT);
	assert_int_equal(symlink("session-1.scope", "/sys/fs/cgroup/" SLICE "/session-2.scope"), 0);
	folder = open("/sys/fs/cgroup/" SLICE, O_PATH | O_DIRECTORY);
	assert_true(folder >= 0);
	assert_int_equal(cgroup_open_below(folder, "session-2.scope"), -ENOTDIR);
	assert_int_equal(umount2("/sys/fs/cgroup", MNT_DETACH), 0);
}

static void count(void *context, pid_t pid)
{
	assert_true(pid > 1);
	++*(unsigned *)context;
}

static void processes_are_met_also_below_and_killed_in_one_go(void **state)
{
	_cleanup_(closep) int scope = -1, watch = -1;
	struct cgroup_place place;
	struct pollfd wait = {.events = POLLPRI};
	unsigned met = 0;
	pid_t in, below;

	(void)state;
	WORLD_OR_SKIP();
	world_make_cgroup(SLICE "/session-1.scope/below/it");
	scope = cgroup_open(WORLD_UID, "1");
	assert_false(cgroup_is_populated(scope));
	in = world_start(0, SLICE "/session-1.scope", WORLD_STUBBORN);
	below = world_start(WORLD_UID, SLICE "/session-1.scope/below/it", WORLD_STUBBORN);
	assert_true(cgroup_is_populated(scope));
	assert_int_equal(cgroup_each_process(scope, count, &met), 0);
	assert_int_equal(met, 2);
	assert_int_equal(cgroup_place_of(below, WORLD_UID, &place), 0);
	assert_int_equal(place.kind, CGROUP_SESSION);
	assert_string_equal(place.scope, "1");
	assert_int_equal(cgroup_place_of(below, WORLD_OTHER, &place), 0);
	assert_int_equal(place.kind, CGROUP_ELSEWHERE);
	watch = cgroup_watch(scope);
	assert_true(cgroup_watch_is_populated(watch));
	wait.fd = watch;
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_int_equal(cgroup_kill(scope), 0);
	assert_int_equal(poll(&wait, 1, 5000), 1);
	assert_int_equal(world_ended_by(in, 5000), 9);
	assert_int_equal(world_ended_by(below, 5000), 9);
	assert_false(cgroup_watch_is_populated(watch));
	world_remove_cgroup(SLICE "/session-1.scope/below/it");
	/* And when the folder itself has gone. */
	assert_false(cgroup_watch_is_populated(watch));
	assert_false(cgroup_is_populated(scope));
	assert_int_equal(cgroup_each_process(scope, count, &met), -ENOENT);
	assert_int_equal(cgroup_kill(scope), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_a_process_is),
		cmocka_unit_test(a_user_s_folders_are_found),
		cmocka_unit_test(no_way_leads_out),
		cmocka_unit_test(links_are_not_followed_and_what_is_no_cgroup_is_none),
		cmocka_unit_test(processes_are_met_also_below_and_killed_in_one_go),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
