/* SPDX-License-Identifier: MIT
 *
 * The audit spool's room: bounded, freed when everybody has what is in it, and refused as the policy says.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool_fixture.h"

#define SMALL (1024U * 1024)

/* What the directory's segments take. */
static uint64_t bytes_on_disk(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; spool_world_segment(i); i++) {
		struct stat st;

		if (stat(spool_world_segment(i), &st) == 0)
			bytes += (uint64_t)st.st_size;
	}
	return bytes;
}

static unsigned fill(void)
{
	unsigned count = 0;

	while (spool_world_append_one() == 0 && count < 100000)
		if (++count % 8 == 0)
			spool_world_wait();
	spool_world_wait();
	return count;
}

static void test_segments_are_freed_when_all_have_them(void **state)
{
	struct spool_reader *first, *second;
	unsigned before;

	world.options.max_bytes = SMALL;
	world.leaf_bytes = 4000;
	spool_world_start();
	first = spool_world_reader("first");
	second = spool_world_reader("second");
	for (unsigned i = 0; i < 15; i++) {
		spool_world_append(10);
		spool_world_wait();
	}
	before = (unsigned)spool_world_state().segments;
	assert_true(before >= 5);
	assert_result(spool_acknowledge(first, 151), 0);
	assert_int_equal(spool_world_state().segments, before); /* the other one has none yet */
	spool_world_expect(second, 1, 150);
	assert_result(spool_acknowledge(second, 76), 0);
	assert_true(spool_world_state().segments < before);
	assert_true(spool_world_state().oldest > 1 && spool_world_state().oldest <= 76);
	assert_result(spool_acknowledge(second, 151), 0);
	assert_int_equal(spool_world_state().segments, 1);
	assert_int_equal(spool_world_files("-0000"), 1);
	assert_int_equal(spool_world_state().bytes, bytes_on_disk());
	/* And the chain goes on, also after a restart. */
	spool_reader_close(first);
	spool_reader_close(second);
	spool_world_stop();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(spool_last(world.spool), 150);
	spool_world_append(1);
	spool_world_wait();
	second = spool_world_reader("second");
	spool_world_expect(second, 151, 151);
	spool_reader_close(second);
}

static void test_what_was_freed_is_not_there(void **state)
{
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct spool_reader *reader;
	uint64_t next = 0;

	world.options.max_bytes = SMALL;
	world.leaf_bytes = 4000;
	spool_world_start();
	reader = spool_world_reader("control plane");
	for (unsigned i = 0; i < 10; i++) {
		spool_world_append(10);
		spool_world_wait();
	}
	assert_result(spool_acknowledge(reader, 90), 0);
	assert_result(spool_read(reader, 1, 1000, &buffer, &next), -ENOENT);
	assert_int_equal(next, spool_world_state().oldest);
	spool_world_expect(reader, next, 100);
	spool_reader_close(reader);
	/* A new one begins with the oldest. */
	reader = spool_world_reader("late");
	assert_int_equal(spool_reader_next(reader), next);
	spool_reader_close(reader);
}

static void test_full_drops_counts_and_tells(void **state)
{
	struct spool_reader *reader;
	unsigned taken;

	world.options.max_bytes = SMALL;
	world.leaf_bytes = 4000;
	spool_world_start();
	reader = spool_world_reader("control plane");
	taken = fill();
	assert_in_range(taken, 100, SMALL / 4000);
	assert_in_range(bytes_on_disk(), SMALL / 2, SMALL);
	assert_int_equal(world.found[SPOOL_BROKEN], 1);
	assert_non_null(strstr(world.detail[SPOOL_BROKEN], "control plane"));
	assert_int_equal(spool_world_append_one(), -ENOSPC);
	spool_world_turn();
	assert_int_equal(world.found[SPOOL_BROKEN], 1); /* once */
	assert_int_equal(spool_world_state().dropped, 2);
	assert_int_equal(spool_world_state().dropped_untold, 2);
	assert_in_range(spool_world_state().dropped_last - clock_realtime_sec() + 5, 0, 5);
	assert_true(spool_world_state().problem[0] != '\0');
	assert_true(spool_admits(world.spool)); /* under drop everybody gets in */

	/* Room again: told, and the gap can be written. */
	assert_result(spool_acknowledge(reader, taken + 1), 0);
	spool_world_turn();
	assert_int_equal(world.found[SPOOL_WHOLE], 1);
	assert_string_equal(spool_world_state().problem, "");
	spool_world_append(1);
	spool_gap_told(world.spool, 1);
	assert_int_equal(spool_world_state().dropped_untold, 1);
	spool_gap_told(world.spool, 7);
	assert_int_equal(spool_world_state().dropped_untold, 0);
	assert_int_equal(spool_world_state().dropped, 2);
	spool_world_wait();
	spool_world_expect(reader, taken + 1, taken + 1);
	spool_reader_close(reader);
}

static void test_full_refuses_before_the_last_bytes(void **state)
{
	struct spool_reader *reader;
	unsigned taken = 0;

	world.options.max_bytes = SMALL;
	world.options.when_full = SPOOL_REFUSE;
	world.leaf_bytes = 4000;
	spool_world_start();
	reader = spool_world_reader("control plane");
	while (spool_admits(world.spool)) {
		assert_true(taken < SMALL / 4000);
		assert_result(spool_world_append_one(), 0);
		if (++taken % 8 == 0)
			spool_world_wait();
	}
	/* Who was let in before still writes to the end. */
	assert_result(spool_world_append_one(), 0);
	spool_world_wait();
	assert_result(spool_acknowledge(reader, taken + 2), 0);
	assert_true(spool_admits(world.spool));
	/* And when it is full, nobody. */
	(void)fill();
	assert_false(spool_admits(world.spool));
	spool_set_policy(world.spool, SMALL, SPOOL_GROUP, SPOOL_DROP);
	assert_true(spool_admits(world.spool));
	spool_set_policy(world.spool, 8 * SMALL, SPOOL_GROUP, SPOOL_REFUSE);
	assert_true(spool_admits(world.spool));
	assert_result(spool_world_append_one(), 0);
	spool_reader_close(reader);
}

static void test_without_consumers_the_oldest_go(void **state)
{
	struct spool_reader *reader;
	uint64_t oldest;

	world.options.max_bytes = SMALL;
	world.leaf_bytes = 4000;
	spool_world_start();
	for (unsigned i = 0; i < 100; i++) {
		spool_world_append(10);
		spool_world_wait();
		assert_true(bytes_on_disk() <= SMALL);
	}
	assert_int_equal(world.found[SPOOL_OVERWRITTEN], 1);
	assert_int_equal(world.found[SPOOL_BROKEN], 0);
	assert_int_equal(spool_world_state().dropped, 0);
	oldest = spool_world_state().oldest;
	assert_true(oldest > 1);
	reader = spool_world_reader("late");
	assert_int_equal(spool_reader_next(reader), oldest);
	spool_world_expect(reader, oldest, 1000);
	spool_reader_close(reader);
}

static void test_a_consumer_that_goes_makes_room(void **state)
{
	struct spool_reader *reader;

	world.options.max_bytes = SMALL;
	world.leaf_bytes = 4000;
	spool_world_start();
	reader = spool_world_reader("old sink");
	(void)fill();
	spool_reader_close(reader);
	assert_result(spool_world_append_one(), -ENOSPC); /* it is one, open or not */
	assert_result(spool_reader_drop(world.spool, "old sink"), 0);
	spool_world_append(100);
	spool_world_wait();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_world_setup, spool_world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_segments_are_freed_when_all_have_them), TEST(test_what_was_freed_is_not_there),
		TEST(test_full_drops_counts_and_tells),           TEST(test_full_refuses_before_the_last_bytes),
		TEST(test_without_consumers_the_oldest_go),       TEST(test_a_consumer_that_goes_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
