/* SPDX-License-Identifier: MIT
 *
 * A feed on a disk that is full, or that loses something: what comes goes on being in force, nothing that could not be
 * kept is acknowledged, and what mends it is tried soon and not all the time.
 */
#include "follow_world.h"

#include <stdarg.h>
#include <sys/syscall.h>

static struct {
	bool full;     /* takes no byte and gives no room */
	bool deaf;     /* its file system cannot be asked for room */
	bool no_state; /* takes all but a new `state` */
} disk;

static int refused_with(int error)
{
	errno = error;
	return -1;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return disk.full && fd > STDERR_FILENO ? refused_with(ENOSPC) : syscall(SYS_write, fd, buf, n);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	assert_int_equal(mode, FALLOC_FL_KEEP_SIZE);
	if (disk.deaf)
		return refused_with(EOPNOTSUPP);
	return disk.full ? refused_with(ENOSPC) : (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int renameat(int oldfd, const char *old, int newfd, const char *new)
{
	return disk.no_state ? refused_with(ENOSPC) : (int)syscall(SYS_renameat, oldfd, old, newfd, new);
}

static int setup(void **state)
{
	memset(&disk, 0, sizeof(disk));
	return 0;
}

static bool is_there(const struct world *w, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", w->directory, name);
	return access(path, F_OK) == 0;
}

static void assert_not_acknowledged(struct world *w)
{
	follow_applied(w->follow, NULL);
	assert_null(open_request("acks"));
	assert_string_equal(view(w).fault, "disk");
	assert_true(view(w).unsaved);
}

static void assert_mended(struct world *w, uint64_t revision)
{
	char body[128];

	assert_state(w, FEED_LIVE);
	assert_string_equal(view(w).fault, "");
	assert_false(view(w).unsaved);
	follow_applied(w->follow, NULL);
	(void)snprintf(body, sizeof(body), "{\"epoch\":1,\"revision\":%u,\"outcome\":\"applied\"}", (unsigned)revision);
	assert_string_equal(expect("acks")->body, body);
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, revision);
	assert_string_equal(view(w).fault, "");
}

/* From the first revision, which all snapshots here are of, to the feed's. */
static void serve_deltas(struct world *w)
{
	expect("events?epoch=1&after=1");
	for (uint64_t i = 2; i <= w->feed.revision; i++)
		send_delta(w, i);
	send_head(w, wall_now);
}

static void a_full_disk(void **state)
{
	WORLD;

	go_live(w);
	disk.full = true;
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	assert_state(w, FEED_LIVE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	assert_non_null(strstr(view(w).problem, "space"));
	assert_not_acknowledged(w);
	/* However long: the stream goes on, and the control plane is asked for nothing that would not fit. */
	for (unsigned i = 0; i < 100; i++) {
		pass(15 * USEC_PER_SEC);
		send_head(w, wall_now);
		assert_state(w, FEED_LIVE);
		assert_null(open_request("snapshot"));
	}
	add_project(w, "prj_0000000000000002", PROJECT_BODY("two", 1879048197));
	assert_state(w, FEED_LIVE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 3);
	assert_non_null(strstr(view(w).problem, "space"));
	assert_not_acknowledged(w);
	assert_false(is_there(w, "snapshot.2"));
	/* With the first head after there is room again. */
	disk.full = false;
	pass(15 * USEC_PER_SEC);
	send_head(w, wall_now);
	pass(0);
	assert_state(w, FEED_LIVE);
	serve_snapshot(w);
	serve_deltas(w);
	assert_mended(w, 3);
	assert_false(is_there(w, "snapshot.1"));
}

/* What was appended is there; only the head that covers it is not. */
static void the_state_alone(void **state)
{
	WORLD;

	go_live(w);
	disk.no_state = true;
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	assert_not_acknowledged(w);
	pass(USEC_PER_SEC);
	send_head(w, wall_now);
	assert_not_acknowledged(w);
	add_project(w, "prj_0000000000000002", PROJECT_BODY("two", 1879048197));
	assert_not_acknowledged(w);
	assert_state(w, FEED_LIVE);
	disk.no_state = false;
	pass(USEC_PER_SEC);
	send_head(w, wall_now);
	pass(0);
	assert_null(open_request("snapshot"));
	assert_mended(w, 3);
}

/* Killed in between: the state before, and nothing of what came after it. */
static void the_state_alone_and_killed(void **state)
{
	WORLD;

	go_live(w);
	disk.no_state = true;
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, 1);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	disk.no_state = false;
	follow_start(w->follow);
	pass(0);
	serve_deltas(w);
	assert_mended(w, 2);
}

/* What is lost is fetched at once, and when it is lost again not all the time. */
static void files_that_go_away(void **state)
{
	static const char *const projects[][2] = {
		{"prj_0000000000000001", PROJECT_BODY("one", 1879048193)},
		{"prj_0000000000000002", PROJECT_BODY("two", 1879048197)},
		{"prj_0000000000000003", PROJECT_BODY("three", 1879048201)},
	};
	WORLD;
	char path[128];

	go_live(w);
	for (unsigned i = 1; i <= ARRAY_LEN(projects); i++) {
		uint64_t lost = boot_now;

		(void)snprintf(path, sizeof(path), "%s/deltas.%u", w->directory, i);
		assert_int_equal(unlink(path), 0);
		add_project(w, projects[i - 1][0], projects[i - 1][1]);
		assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1 + i);
		assert_not_acknowledged(w);
		pass(0);
		while (!open_request("snapshot")) {
			pass(5 * USEC_PER_SEC);
			send_head(w, wall_now);
			pass(0);
		}
		assert_in_range(boot_now - lost, i == 1 ? 0 : 55 * USEC_PER_SEC, i == 1 ? 0 : 65 * USEC_PER_SEC);
		serve_snapshot(w);
		serve_deltas(w);
		assert_state(w, FEED_LIVE);
		assert_string_equal(view(w).fault, "");
		follow_applied(w->follow, NULL);
		end_status(expect("acks"), 204);
	}
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, 4);
}

/* Where room cannot be asked for it shows while the snapshot is written, again and again, further and further apart.
 * The stream goes on between. */
static void no_room_for_what_comes(void **state)
{
	WORLD;
	uint64_t before = 0;

	go_live(w);
	disk.full = disk.deaf = true;
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	for (unsigned i = 0; i < 8; i++) {
		pass(0);
		while (!open_request("snapshot")) {
			pass(5 * USEC_PER_SEC);
			send_head(w, wall_now);
			pass(0);
		}
		if (i > 0)
			assert_in_range(boot_now - before,
					(i == 1   ? 60
					 : i == 2 ? 120
						  : 180) *
						USEC_PER_SEC,
					610 * USEC_PER_SEC);
		before = boot_now;
		serve_snapshot(w);
		assert_false(is_there(w, "snapshot.2"));
		expect("events?epoch=1&after=2");
		assert_state(w, FEED_LIVE);
	}
	add_project(w, "prj_0000000000000002", PROJECT_BODY("two", 1879048197));
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 3);
	assert_not_acknowledged(w);
}

/* Nothing is in force yet, and nothing can be kept. */
static void full_from_the_beginning(void **state)
{
	WORLD;

	assert_result(follow_set_trust(w->follow, w->trust.data, w->trust.length, NULL), 0);
	disk.full = true;
	follow_start(w->follow);
	pass(0);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t start = boot_now;

		answer("snapshot", &w->snapshot_note);
		assert_state(w, FEED_BOOTSTRAP);
		assert_string_equal(view(w).fault, "disk");
		assert_null(follow_picture(w->follow));
		await_request();
		assert_in_range(boot_now - start, 15 * USEC_PER_SEC, 31 * USEC_PER_SEC);
	}
	disk.full = false;
	serve_snapshot(w);
	expect("events?epoch=1&after=1");
	send_head(w, wall_now);
	assert_mended(w, 1);
}

/* A newer snapshot that would be nice to have keeps nobody from the stream. */
static void a_snapshot_that_does_not_come(void **state)
{
	static const unsigned statuses[] = {503, 404, 200};

	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++) {
		WORLD;
		char path[128] = "blobs/";

		go_live(w);
		disk.full = true;
		add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
		disk.full = false;
		pass(USEC_PER_SEC);
		send_head(w, wall_now);
		pass(0);
		if (statuses[i] == 200) {
			answer("snapshot", &w->snapshot_note);
			text_to_hex(w->snapshot.sha256, SHA256_BYTES, path + 6);
			end_fault(expect(path), HTTP_CUT);
		} else {
			end_status(expect("snapshot"), statuses[i]);
		}
		await_request();
		expect("events?epoch=1&after=2");
		send_head(w, wall_now);
		assert_state(w, FEED_LIVE);
		assert_false(is_there(w, "snapshot.2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_full_disk, setup),
		cmocka_unit_test_setup(the_state_alone, setup),
		cmocka_unit_test_setup(the_state_alone_and_killed, setup),
		cmocka_unit_test_setup(files_that_go_away, setup),
		cmocka_unit_test_setup(no_room_for_what_comes, setup),
		cmocka_unit_test_setup(full_from_the_beginning, setup),
		cmocka_unit_test_setup(a_snapshot_that_does_not_come, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
