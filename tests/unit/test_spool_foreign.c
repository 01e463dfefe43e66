/* SPDX-License-Identifier: MIT
 *
 * Files of the spool that are not what the key or the consumers say: another key's, another chain's, older copies, or
 * none at all. What could be another history begins another chain.
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

/* ---- other keys, other hosts, older copies ------------------------------------------------------ */
static void test_another_key_begins_a_new_chain(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	(void)spool_make_groups(2, offsets);
	strcpy(chain, spool_first_chain());
	world.seal_key.bytes[0] ^= 1;
	spool_world_start();
	spool_expect_chain(false, chain);
	assert_non_null(strstr(world.detail[SPOOL_CHAIN_BEGAN], "does not open"));
	assert_string_equal(spool_readable(), "");
	assert_int_equal(spool_world_files(chain), 1);
	assert_int_equal(spool_world_files(".damaged"), 2); /* the key and the segment: nothing is thrown away */
	spool_world_append(3);
	spool_world_wait();
	assert_string_equal(spool_readable(), "123");
}

static void test_a_key_that_is_gone(void **state)
{
	char chain[CHAIN_ID_CHARS + 1], path[512];
	uint64_t offsets[64];

	(void)spool_make_groups(2, offsets);
	strcpy(chain, spool_first_chain());
	(void)snprintf(path, sizeof(path), "%s/key", world.directory);
	assert_int_equal(unlink(path), 0);
	spool_world_start();
	spool_expect_chain(false, chain);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	/* What the old chain has is read to its end. */
	assert_string_equal(spool_readable(), "123456");
	spool_world_append(1);
	spool_world_wait();
	assert_int_equal(spool_last(world.spool), 1);
}

static void test_files_that_are_gone_under_their_key(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	strcpy(chain, (spool_make_groups(2, offsets), spool_first_chain()));
	assert_int_equal(unlink(spool_world_segment(0)), 0);
	spool_world_start();
	spool_expect_chain(false, chain);
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(spool_last(world.spool), 0);
}

static void test_a_segment_of_another_chain(void **state)
{
	char path[640], stolen[640], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];
	struct segment_name name;
	struct buffer whole;

	/* The same sealing key: a copy of the host, or its own older chain. */
	world.options.durability = SPOOL_EACH;
	(void)spool_make_groups(2, offsets);
	whole = spool_file_read(spool_world_segment(0));
	(void)snprintf(stolen, sizeof(stolen), "%s/key", world.directory);
	assert_int_equal(unlink(stolen), 0);
	assert_int_equal(unlink(spool_world_segment(0)), 0);
	(void)spool_make_groups(1, offsets);
	strcpy(path, spool_world_segment(0));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	/* In the place of ours. */
	spool_file_write(path, whole.data, whole.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	spool_expect_chain(false, chain);
	assert_string_equal(spool_readable(), "");
	buffer_finish(&whole);
}

static void test_an_older_copy_of_the_segments(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	struct spool_reader *reader;
	struct buffer older;

	world.options.durability = SPOOL_EACH;
	spool_world_start();
	spool_world_append(5);
	spool_world_wait();
	strcpy(path, spool_world_segment(0));
	strcpy(chain, spool_first_chain());
	older = spool_file_read(path);
	spool_world_append(5);
	spool_world_wait();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_result(spool_acknowledge(reader, 9), 0);
	spool_reader_close(reader);
	spool_world_stop();
	/* The control plane has events that are here no more: what came next would be another history. */
	spool_file_write(path, older.data, older.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 6);
	assert_int_equal(world.count[SPOOL_DAMAGED], 3);
	spool_expect_chain(false, chain);
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_int_equal(spool_reader_next(reader), 1); /* of the new chain */
	spool_world_append(2);
	spool_world_wait();
	spool_world_expect(reader, 1, 2);
	spool_reader_close(reader);
	buffer_finish(&older);
}

static void test_an_older_copy_of_the_key(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];
	struct buffer older;

	(void)spool_make_groups(1, offsets);
	(void)snprintf(path, sizeof(path), "%s/key", world.directory);
	older = spool_file_read(path);
	spool_world_start();
	strcpy(chain, spool_first_chain());
	assert_result(spool_begin_chain(world.spool, "for the test"), 0);
	spool_world_turn();
	spool_world_append(2);
	spool_world_wait();
	spool_world_stop();
	spool_file_write(path, older.data, older.length);
	spool_world_start();
	/* The old chain is not taken up again behind the newer one's back. */
	spool_expect_chain(false, chain);
	assert_int_equal(spool_last(world.spool), 0);
	buffer_finish(&older);
}

static void test_consumers_that_do_not_open(void **state)
{
	struct spool_reader *reader;
	char path[512];

	spool_world_start();
	spool_world_append(4);
	spool_world_wait();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_result(spool_acknowledge(reader, 3), 0);
	spool_reader_close(reader);
	spool_world_stop();
	(void)snprintf(path, sizeof(path), "%s/consumers", world.directory);
	spool_file_flip(path, 50);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	/* Twice rather than never. */
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	spool_world_expect(reader, spool_reader_next(reader), 4);
	spool_reader_close(reader);
	assert_int_equal(spool_world_files("consumers.damaged"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_world_setup, spool_world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_another_key_begins_a_new_chain),      TEST(test_a_key_that_is_gone),
		TEST(test_files_that_are_gone_under_their_key), TEST(test_a_segment_of_another_chain),
		TEST(test_an_older_copy_of_the_segments),       TEST(test_an_older_copy_of_the_key),
		TEST(test_consumers_that_do_not_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
