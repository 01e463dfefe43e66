/* SPDX-License-Identifier: MIT
 *
 * What a crash, a disk or somebody else did to the spool's files while the agent was not there: a torn end is cut off,
 * everything else is told, kept aside and never read as if it were right.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "directory_fixture.h"
#include "spool/segment.h"
#include "spool_files.h"
#include "spool_fixture.h"

/* ---- torn --------------------------------------------------------------------------------------- */
static void test_torn_at_every_byte(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	struct buffer whole;
	uint64_t offsets[64];
	unsigned count;

	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 100;
	spool_world_start();
	spool_world_append(3);
	spool_world_stop();
	strcpy(path, spool_world_segment(0));
	strcpy(chain, spool_first_chain());
	count = spool_file_blocks(path, offsets, 63);
	assert_int_equal(count, 4);
	whole = spool_file_read(path);
	for (uint64_t cut = offsets[3]; cut < whole.length; cut++) {
		spool_file_write(path, whole.data, cut);
		spool_world_start();
		spool_expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_int_equal(world.found[SPOOL_REPAIRED], cut > offsets[3]);
		assert_int_equal(world.count[SPOOL_REPAIRED], cut - offsets[3]);
		assert_int_equal(spool_last(world.spool), 2);
		spool_world_append(2);
		spool_world_wait();
		assert_string_equal(spool_readable(), "1234");
		spool_world_stop();
	}
	buffer_finish(&whole);
}

static void test_zeros_where_the_disk_wrote_nothing(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	struct buffer whole;
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 3000;
	strcpy(path, spool_make_groups(1, offsets));
	strcpy(chain, spool_first_chain());
	whole = spool_file_read(path);
	/* A page in the middle; all from the header on; more than was written at all. */
	memset(whole.data + offsets[3] + 1000, 0, 512);
	spool_file_write(path, whole.data, whole.length);
	spool_world_start();
	spool_expect_chain(true, chain);
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_string_equal(spool_readable(), "12");
	spool_world_stop();
	memset(whole.data + offsets[3], 0, whole.length - offsets[3]);
	spool_file_write(path, whole.data, whole.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_string_equal(spool_readable(), "12");
	spool_expect_chain(true, chain);
	buffer_finish(&whole);
}

static void test_zeros_over_more_than_one_write(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	struct buffer whole;
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 3000;
	strcpy(path, spool_make_groups(1, offsets));
	strcpy(chain, spool_first_chain());
	whole = spool_file_read(path);
	memset(whole.data + offsets[2] + 1000, 0, whole.length - offsets[2] - 1000);
	spool_file_write(path, whole.data, whole.length);
	spool_world_start();
	/* The second of three was durable before the third was begun. */
	assert_int_equal(world.found[SPOOL_REPAIRED], 0);
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 2);
	spool_expect_chain(false, chain);
	assert_string_equal(spool_readable(), "1");
	buffer_finish(&whole);
}

static void test_a_new_file_that_was_never_written(void **state)
{
	char path[640], chain[CHAIN_ID_CHARS + 1];
	struct segment_name name;
	uint64_t offsets[64];
	struct buffer whole;

	world.options.durability = SPOOL_EACH;
	strcpy(path, spool_make_groups(2, offsets));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	whole = spool_file_read(path);
	name.first = 7;
	segment_name_write(&name, strrchr(path, '/') + 1);
	/* Empty; and with half a chain block. */
	for (size_t length = 0; length <= 100; length += 100) {
		spool_file_write(path, whole.data, length);
		spool_world_start();
		spool_expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_REPAIRED], 1);
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_string_equal(spool_readable(), "123456");
		spool_world_stop();
		assert_int_equal(access(path, F_OK), -1);
	}
	buffer_finish(&whole);
}

/* ---- damaged ------------------------------------------------------------------------------------ */
static void test_every_bit_of_the_middle_counts(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];
	struct buffer whole;

	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 100;
	strcpy(path, spool_make_groups(1, offsets));
	strcpy(chain, spool_first_chain());
	whole = spool_file_read(path);
	/* Header, sealed bytes, tag: every 7th byte of the second group. */
	for (uint64_t at = offsets[2]; at < offsets[3]; at += 7) {
		spool_file_flip(path, at);
		spool_world_start();
		spool_expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], 1);
		assert_int_equal(world.first[SPOOL_DAMAGED], 2);
		assert_int_equal(world.count[SPOOL_DAMAGED], 1);
		assert_string_equal(spool_readable(), "1.3");
		spool_world_append(1);
		spool_world_wait();
		assert_string_equal(spool_readable(), "1.34");
		spool_world_stop();
		/* Told once. */
		spool_world_start();
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_int_equal(world.found[SPOOL_REPAIRED], 0);
		assert_string_equal(spool_readable(), "1.34");
		spool_world_stop();
		spool_file_write(path, whole.data, whole.length);
	}
	assert_true(spool_world_files(".damaged") > 1);
	buffer_finish(&whole);
}

static void test_what_was_damaged_is_kept_as_it_was(void **state)
{
	char path[512], aside[640];
	struct buffer before, after;
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	strcpy(path, spool_make_groups(2, offsets));
	spool_file_flip(path, offsets[3] + 40);
	before = spool_file_read(path);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	(void)snprintf(aside, sizeof(aside), "%s.damaged", path);
	assert_string_equal(world.detail[SPOOL_DAMAGED], strrchr(aside, '/') + 1);
	after = spool_file_read(aside);
	assert_int_equal(before.length, after.length);
	assert_memory_equal(before.data, after.data, before.length);
	buffer_finish(&before);
	buffer_finish(&after);
}

static void test_a_damaged_end_ends_the_chain(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	strcpy(path, spool_make_groups(1, offsets));
	strcpy(chain, spool_first_chain());
	spool_file_flip(path, offsets[3] + 60);
	spool_world_start();
	/* Whole, and changed afterwards: that is no crash. What comes next cannot say what it follows. */
	assert_int_equal(world.found[SPOOL_REPAIRED], 0);
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 3);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
	spool_expect_chain(false, chain);
	assert_non_null(strstr(world.detail[SPOOL_CHAIN_BEGAN], chain));
	assert_string_equal(spool_readable(), "12");
	spool_world_append(2);
	spool_world_wait();
	assert_int_equal(spool_last(world.spool), 2);
}

static void test_groups_in_another_order_or_twice(void **state)
{
	char path[512];
	struct buffer whole, changed = BUFFER_INIT;
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 300;
	strcpy(path, spool_make_groups(2, offsets));
	whole = spool_file_read(path);
	/* Second and third group change places: they are of the same length. */
	assert_int_equal(offsets[3] - offsets[2], offsets[4] - offsets[3]);
	(void)buffer_add(&changed, whole.data, offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[3], offsets[4] - offsets[3]);
	(void)buffer_add(&changed, whole.data + offsets[2], offsets[3] - offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[4], whole.length - offsets[4]);
	spool_file_write(path, changed.data, changed.length);
	spool_world_start();
	assert_int_equal(world.first[SPOOL_DAMAGED], 2);
	assert_int_equal(world.count[SPOOL_DAMAGED], 2);
	assert_string_equal(spool_readable(), "1.456");
	spool_world_stop();
	/* The last one is there once more. */
	buffer_clear(&changed);
	(void)buffer_add(&changed, whole.data, whole.length);
	(void)buffer_add(&changed, whole.data + offsets[6], whole.length - offsets[6]);
	spool_file_write(path, changed.data, changed.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_string_equal(spool_readable(), "123456");
	spool_world_stop();
	/* One was cut out of the middle. */
	buffer_clear(&changed);
	(void)buffer_add(&changed, whole.data, offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[3], whole.length - offsets[3]);
	spool_file_write(path, changed.data, changed.length);
	for (unsigned i = 1; spool_world_segment(i);)
		assert_int_equal(unlink(spool_world_segment(i)), 0);
	spool_world_start();
	assert_true(world.found[SPOOL_DAMAGED] > 0);
	assert_string_equal(spool_readable(), "1");
	buffer_finish(&whole);
	buffer_finish(&changed);
}

static void test_a_chain_block_that_does_not_open(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	strcpy(path, spool_make_groups(1, offsets));
	strcpy(chain, spool_first_chain());
	spool_file_flip(path, 50);
	for (unsigned i = 0; i < 2; i++) {
		spool_world_start();
		spool_expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], i == 0);
		assert_int_equal(world.count[SPOOL_DAMAGED], 0); /* no event is missing */
		assert_string_equal(spool_readable(), "123");
		spool_world_stop();
	}
}

static void make_segments(unsigned events)
{
	world.options.max_bytes = 1024U * 1024;
	world.options.durability = SPOOL_EACH;
	world.leaf_bytes = 12000;
	spool_world_start();
	for (unsigned i = 0; i < events; i++) {
		spool_world_append(1);
		spool_world_wait();
	}
	spool_world_stop();
}

/* Old segments are looked through when nothing else is to do. */
static void wait_for(enum spool_finding finding)
{
	for (unsigned i = 0; i < 500 && world.found[finding] == 0; i++)
		(void)sd_event_run(world.event, 10000);
	assert_int_equal(world.found[finding], 1);
}

static void test_an_old_segment_is_looked_through(void **state)
{
	uint64_t offsets[64];

	make_segments(20);
	assert_non_null(spool_world_segment(2));
	(void)spool_file_blocks(spool_world_segment(1), offsets, 63);
	spool_file_flip(spool_world_segment(1), offsets[2] + 1000);
	spool_world_start();
	wait_for(SPOOL_DAMAGED);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
	assert_string_equal(spool_readable(), "1234567.9abcdefghijk");
	spool_world_stop();
	spool_world_start();
	spool_world_append(1);
	spool_world_wait();
	assert_string_equal(spool_readable(), "1234567.9abcdefghijkl");
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
}

static void test_an_old_segment_is_read_before_it_is_looked_through(void **state)
{
	uint64_t offsets[64];
	unsigned count;

	make_segments(20);
	count = spool_file_blocks(spool_world_segment(0), offsets, 63);
	/* The end of it: no tear, since it is not the last segment. */
	assert_int_equal(truncate(spool_world_segment(0), (off_t)offsets[count - 1] + 100), 0);
	spool_world_start();
	assert_string_equal(spool_readable(), "12345.789abcdefghijk");
	wait_for(SPOOL_DAMAGED);
	assert_int_equal(world.first[SPOOL_DAMAGED], 6);
}

static void test_a_segment_that_is_gone(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];

	make_segments(20);
	strcpy(chain, spool_first_chain());
	assert_int_equal(unlink(spool_world_segment(1)), 0);
	for (unsigned i = 0; i < 2; i++) {
		spool_world_start();
		spool_expect_chain(true, chain);
		if (i == 0)
			wait_for(SPOOL_DAMAGED);
		assert_string_equal(spool_readable(), "123456.defghijk");
		assert_int_equal(world.found[SPOOL_DAMAGED], i == 0);
		assert_int_equal(world.count[SPOOL_DAMAGED], i == 0 ? 6 : 0);
		spool_world_stop();
	}
}

static void test_the_oldest_is_gone_that_somebody_wanted(void **state)
{
	struct spool_reader *reader;

	make_segments(20);
	spool_world_start();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_result(spool_acknowledge(reader, 3), 0);
	spool_reader_close(reader);
	spool_world_stop();
	assert_int_equal(unlink(spool_world_segment(0)), 0);
	spool_world_start();
	assert_int_equal(world.first[SPOOL_DAMAGED], 3);
	assert_int_equal(world.count[SPOOL_DAMAGED], 4);
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_int_equal(spool_reader_next(reader), 7);
	spool_world_expect(reader, 7, 20);
	spool_reader_close(reader);
	spool_world_stop();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
}

static void test_garbage_is_put_aside(void **state)
{
	char path[640], chain[CHAIN_ID_CHARS + 1], garbage[5000];
	struct segment_name name;
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	strcpy(path, spool_make_groups(1, offsets));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	/* It claims to be far ahead. */
	memset(garbage, 'g', sizeof(garbage));
	name.first = 1000000000000;
	segment_name_write(&name, strrchr(path, '/') + 1);
	spool_file_write(path, garbage, sizeof(garbage));
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	spool_expect_chain(false, chain); /* what it held, if anything, was the newest */
	assert_string_equal(spool_readable(), "123");
	assert_int_equal(spool_world_files(".damaged"), 1);
}

static void test_what_is_put_aside_goes_before_anything_else(void **state)
{
	struct spool_reader *reader;
	struct spool_state now;
	uint64_t offsets[64];
	unsigned count = 0;

	make_segments(60);
	(void)spool_file_blocks(spool_world_segment(1), offsets, 63);
	spool_file_flip(spool_world_segment(1), offsets[2] + 1000);
	world.leaf_bytes = 4000;
	spool_world_start();
	wait_for(SPOOL_DAMAGED);
	assert_int_equal(spool_world_files(".damaged"), 1);
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	while (spool_world_append_one() == 0 && count++ < 1000)
		spool_world_wait();
	spool_state(world.spool, &now);
	assert_true(now.bytes <= now.max_bytes);
	assert_int_equal(spool_world_files(".damaged"), 0);
	spool_reader_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_world_setup, spool_world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_torn_at_every_byte),
		TEST(test_zeros_where_the_disk_wrote_nothing),
		TEST(test_zeros_over_more_than_one_write),
		TEST(test_a_new_file_that_was_never_written),
		TEST(test_every_bit_of_the_middle_counts),
		TEST(test_what_was_damaged_is_kept_as_it_was),
		TEST(test_a_damaged_end_ends_the_chain),
		TEST(test_groups_in_another_order_or_twice),
		TEST(test_a_chain_block_that_does_not_open),
		TEST(test_an_old_segment_is_looked_through),
		TEST(test_an_old_segment_is_read_before_it_is_looked_through),
		TEST(test_a_segment_that_is_gone),
		TEST(test_the_oldest_is_gone_that_somebody_wanted),
		TEST(test_garbage_is_put_aside),
		TEST(test_what_is_put_aside_goes_before_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
