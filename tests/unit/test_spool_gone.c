/* SPDX-License-Identifier: MIT
 *
 * Files that somebody takes away or changes while the agent writes and reads them: what is told to be durable
 * afterwards is there, what is missing is told once, and nobody waits for it for ever.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "spool_files.h"
#include "spool_fixture.h"

#define TRIES 200

static struct spool_reader *reader;

/* A part of a file that the disk does not give back any more. */
static struct {
	ino_t inode; /* 0: none */
	off_t from, to;
} lost;

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
	struct stat st;

	if (lost.inode && fstat(fd, &st) == 0 && st.st_ino == lost.inode && offset < lost.to &&
	    offset + (off_t)nbytes > lost.from) {
		if (offset >= lost.from) {
			errno = EIO;
			return -1;
		}
		nbytes = (size_t)(lost.from - offset);
	}
	return syscall(SYS_pread64, fd, buf, nbytes, offset);
}

/* As hardened code calls it. */
ssize_t checked_pread(int fd, void *buf, size_t nbytes, off_t offset, size_t size) __asm__("__pread_chk");
ssize_t checked_pread(int fd, void *buf, size_t nbytes, off_t offset, size_t size)
{
	return pread(fd, buf, nbytes, offset);
}

/* Folders that were synced, and which of them shall fail, how many times. */
static unsigned folder_syncs, folder_fails;
static ino_t folders_synced[64], folder_failing;

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (folder_fails > 0 && st.st_ino == folder_failing) {
			folder_fails--;
			errno = EIO;
			return -1;
		}
		folders_synced[folder_syncs++ % 64] = st.st_ino;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void lose(const char *path, uint64_t from, uint64_t to)
{
	struct stat st;

	assert_result(stat(path, &st), 0);
	lost.inode = st.st_ino;
	lost.from = (off_t)from;
	lost.to = (off_t)to;
}

static int setup(void **state)
{
	spool_world_make();
	world.options.durability = SPOOL_EACH;
	lost.inode = 0;
	folder_syncs = folder_fails = 0;
	return 0;
}

static int teardown(void **state)
{
	spool_reader_close(reader);
	reader = NULL;
	spool_world_end();
	return 0;
}

static void begin(unsigned events)
{
	spool_world_start();
	assert_result(spool_reader_open(world.spool, "control-plane", &reader), 0);
	spool_world_append(events);
	spool_world_wait();
}

static void end(void)
{
	spool_reader_close(reader);
	reader = NULL;
	spool_world_stop();
}

/* As a consumer does: what cannot be read now is asked for again. */
static int read_in_time(uint64_t from, uint64_t *ret_next)
{
	int r = -EIO;

	for (unsigned i = 0; i < TRIES && r == -EIO; i++) {
		if (i > 0)
			usleep(10000);
		r = spool_world_read(reader, from, ret_next, NULL, NULL);
		spool_world_turn();
	}
	return r;
}

static void expect_hole(uint64_t first, uint64_t count)
{
	for (unsigned i = 0; i < TRIES && world.found[SPOOL_DAMAGED] == 0; i++) {
		usleep(10000);
		spool_world_turn();
	}
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], first);
	assert_int_equal(world.count[SPOOL_DAMAGED], count);
}

/* Flips a bit in the second group of a segment of one-event groups. */
static void damage(const char *path)
{
	uint64_t offsets[64];

	assert_true(spool_file_blocks(path, offsets, 63) >= 3);
	spool_file_flip(path, offsets[2] + 60);
}

/* ---- the file that is written to ---------------------------------------------------------------- */
static void test_the_newest_is_removed(void **state)
{
	uint64_t next = 0;

	begin(3);
	assert_result(unlink(spool_world_segment(0)), 0);
	spool_world_append(2);
	spool_world_wait();
	/* Nobody has the first three any more; the others are where somebody finds them. */
	expect_hole(1, 3);
	assert_int_equal(read_in_time(1, &next), -ENOENT);
	assert_int_equal(next, 4);
	spool_world_expect(reader, 4, 5);
	end();
	spool_world_start();
	assert_int_equal(spool_last(world.spool), 5);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
	assert_string_equal(spool_readable(), "45");
}

static void test_the_newest_of_several_is_removed(void **state)
{
	char path[512];
	uint64_t next = 0;

	world.options.max_bytes = 1U << 20;
	world.leaf_bytes = 15000;
	begin(6);
	assert_null(spool_world_segment(2));
	strcpy(path, spool_world_segment(1));
	assert_result(unlink(path), 0);
	spool_world_append(1);
	spool_world_wait();
	expect_hole(strtoull(strrchr(path, '-') + 1, NULL, 10), 7 - strtoull(strrchr(path, '-') + 1, NULL, 10));
	assert_int_equal(read_in_time(1, &next), -ENOENT);
	assert_int_equal(next, 7);
	spool_world_expect(reader, 7, 7);
}

static void test_the_newest_is_cut_short(void **state)
{
	uint64_t offsets[64], next = 0;

	begin(3);
	assert_int_equal(spool_file_blocks(spool_world_segment(0), offsets, 63), 4);
	assert_result(truncate(spool_world_segment(0), (off_t)offsets[2] + 20), 0);
	spool_world_append(2);
	spool_world_wait();
	expect_hole(2, 2);
	assert_int_equal(read_in_time(1, &next), -ENOENT);
	assert_int_equal(next, 4);
	spool_world_expect(reader, 4, 5);
	end();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
	assert_string_equal(spool_readable(), "1.45");
}

static void test_the_newest_is_damaged(void **state)
{
	uint64_t next = 0;

	begin(3);
	damage(spool_world_segment(0));
	/* Nothing new comes that would begin another file. */
	assert_int_equal(read_in_time(2, &next), -ENOENT);
	assert_int_equal(next, 3);
	expect_hole(2, 1);
	spool_world_expect(reader, 3, 3);
	spool_world_append(2);
	spool_world_wait();
	spool_world_expect(reader, 3, 5);
	end();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_string_equal(spool_readable(), "1.345");
}

/* ---- files behind it ---------------------------------------------------------------------------- */
static void test_an_older_one_is_removed(void **state)
{
	char path[512];
	uint64_t next = 0, first;

	world.options.max_bytes = 1U << 20;
	world.leaf_bytes = 15000;
	begin(12);
	strcpy(path, spool_world_segment(1));
	first = strtoull(strrchr(path, '-') + 1, NULL, 10);
	assert_true(first > 1 && spool_world_segment(2));
	strcpy(path, spool_world_segment(2));
	assert_result(unlink(spool_world_segment(1)), 0);
	next = strtoull(strrchr(path, '-') + 1, NULL, 10);
	assert_int_equal(read_in_time(first, &first), -ENOENT);
	assert_int_equal(first, next);
	spool_world_expect(reader, next, 12);
	spool_world_turn();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
}

static void test_the_end_of_an_older_chain_is_damaged(void **state)
{
	uint64_t next = 0;

	begin(3);
	assert_result(spool_begin_chain(world.spool, "a test"), 0);
	spool_world_turn();
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 2);
	damage(spool_world_segment(0));
	assert_int_equal(read_in_time(2, &next), -ENOENT);
	assert_int_equal(next, 3);
	expect_hole(2, 1);
	spool_world_expect(reader, 3, 3);
	assert_int_equal(spool_reader_next(reader), 1);
	assert_result(spool_acknowledge(reader, 4), 0);
	spool_world_append(1);
	spool_world_turn();
	assert_int_equal(spool_reader_next(reader), 1);
}

static void test_the_end_of_an_older_chain_is_removed(void **state)
{
	struct note_key key, newest;
	struct chain_head head;
	uint64_t next = 0;

	begin(3);
	assert_result(spool_begin_chain(world.spool, "a test"), 0);
	spool_world_turn();
	assert_result(unlink(spool_world_segment(0)), 0);
	assert_int_equal(read_in_time(1, &next), 1);
	expect_hole(1, 3);
	/* Nothing of it is to be had: on in the next chain. */
	spool_reader_head(reader, &key, &head);
	spool_head(world.spool, &newest, &head);
	assert_string_equal(key.name, newest.name);
	assert_int_equal(spool_reader_next(reader), 1);
}

/* What is missing at the end of a chain that nobody adds to is waited for by nobody. */
static void test_a_damaged_end_is_not_waited_for(void **state)
{
	struct note_key key, newest;
	struct chain_head head;
	uint64_t offsets[64];

	begin(3);
	assert_int_equal(spool_file_blocks(spool_world_segment(0), offsets, 63), 4);
	end();
	spool_file_flip(spool_world_segment(0), offsets[3] + 60);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 3);
	assert_result(spool_reader_open(world.spool, "control-plane", &reader), 0);
	spool_world_expect(reader, 1, 2);
	/* How far the chain is: what is said of it has to be true of it. */
	spool_reader_head(reader, &key, &head);
	assert_int_equal(head.sequence, 2);
	assert_memory_equal(head.hash.bytes, world.expected.bytes, SHA256_BYTES);
	assert_result(spool_acknowledge(reader, 3), 0);
	spool_reader_head(reader, &key, &head);
	spool_head(world.spool, &newest, &head);
	assert_string_equal(key.name, newest.name);
	assert_int_equal(spool_reader_next(reader), 1);
}

/* All is gone, and somebody new asks for it. */
static void test_nothing_is_left(void **state)
{
	struct spool_reader *other = NULL;
	uint64_t next = 0;

	begin(3);
	assert_result(unlink(spool_world_segment(0)), 0);
	assert_int_equal(read_in_time(1, &next), -ENOENT);
	assert_int_equal(next, 4);
	expect_hole(1, 3);
	assert_result(spool_reader_open(world.spool, "sink/a", &other), 0);
	assert_int_equal(spool_reader_next(other), 4);
	spool_reader_close(other);
	spool_world_append(1);
	spool_world_wait();
	spool_world_expect(reader, 4, 4);
}

/* ---- what the disk does not give back ----------------------------------------------------------- */
/* One between the two. */
static void lose_page(const char *path, uint64_t from, uint64_t to)
{
	from = (from + 4095) & ~4095ULL;
	assert_true(from + 4096 < to);
	lose(path, from, from + 4096);
}

static void test_a_page_that_cannot_be_read(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	world.leaf_bytes = 12000;
	begin(5);
	end();
	strcpy(path, spool_world_segment(0));
	strcpy(chain, spool_first_chain());
	assert_int_equal(spool_file_blocks(path, offsets, 63), 6);
	lose_page(path, offsets[2], offsets[3]);
	spool_world_start();
	spool_expect_chain(true, chain);
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(spool_last(world.spool), 5);
	assert_int_equal(world.first[SPOOL_DAMAGED], 2);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
	assert_string_equal(spool_readable(), "1.345");
}

static void test_a_beginning_that_cannot_be_read(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];

	world.options.max_bytes = 1U << 20;
	world.leaf_bytes = 15000;
	begin(12);
	end();
	strcpy(chain, spool_first_chain());
	lose(spool_world_segment(1), 0, 4096);
	spool_world_start();
	spool_expect_chain(true, chain);
	assert_int_equal(spool_last(world.spool), 12);
	for (unsigned i = 0; i < TRIES && world.found[SPOOL_DAMAGED] == 0; i++) {
		usleep(10000);
		spool_world_turn();
	}
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
}

static void test_a_page_is_lost_while_it_is_read(void **state)
{
	uint64_t offsets[64], next = 0;

	world.leaf_bytes = 12000;
	begin(3);
	assert_int_equal(spool_file_blocks(spool_world_segment(0), offsets, 63), 4);
	lose_page(spool_world_segment(0), offsets[2], offsets[3]);
	assert_int_equal(read_in_time(2, &next), -ENOENT);
	assert_int_equal(next, 3);
	expect_hole(2, 1);
	spool_world_expect(reader, 3, 3);
}

/* ---- names that last ---------------------------------------------------------------------------- */
static void test_the_folder_is_kept_in_its_own(void **state)
{
	struct stat st;
	bool found = false;

	assert_result(stat(world.folder, &st), 0);
	begin(1);
	for (unsigned i = 0; i < folder_syncs && i < 64; i++)
		found = found || folders_synced[i] == st.st_ino;
	assert_true(found);
}

/* A mended file has another inode: what is added to it is only there if its name is. */
static void test_a_mended_file_is_added_to_when_its_name_lasts(void **state)
{
	char path[512];
	uint64_t offsets[64];
	struct stat st;

	strcpy(path, spool_make_groups(3, offsets));
	spool_file_flip(path, offsets[2] + 60);
	assert_result(stat(world.directory, &st), 0);
	folder_failing = st.st_ino;
	folder_fails = 1;
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
	assert_int_equal(folder_fails, 0);
	folder_syncs = 0;
	spool_world_append(1);
	spool_world_wait();
	assert_true(folder_syncs > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_newest_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_newest_of_several_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_newest_is_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_newest_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_older_one_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_an_older_chain_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_an_older_chain_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_damaged_end_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_page_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_beginning_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_page_is_lost_while_it_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_folder_is_kept_in_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_mended_file_is_added_to_when_its_name_lasts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
