/* SPDX-License-Identifier: MIT
 *
 * The audit spool: what was told to be durable is there after a restart, in order and once; who has read how far stays;
 * where there can be no spool there is none.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "directory_fixture.h"
#include "spool_fixture.h"

/* ---- writing and reading ------------------------------------------------------------------------ */
static void test_a_new_spool_begins_a_chain(void **state)
{
	struct chain_head head, start;
	struct spool_state now;
	struct note_key key;
	struct stat st;

	spool_world_start();
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 1);
	assert_string_equal(world.detail[SPOOL_CHAIN_BEGAN], "no spool was here");
	assert_int_equal(spool_last(world.spool), 0);
	assert_int_equal(spool_durable(world.spool), 0);
	spool_head(world.spool, &key, &head);
	now = spool_world_state();
	assert_string_equal(chain_of_key(&key), now.chain);
	assert_result(chain_start(&key, &start), 0);
	assert_int_equal(head.sequence, 0);
	assert_memory_equal(head.hash.bytes, start.hash.bytes, SHA256_BYTES);
	assert_int_equal(stat(world.directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_what_was_appended_is_read(void **state)
{
	struct spool_reader *reader;
	struct chain_head head, start;
	struct note_key key;

	spool_world_start();
	spool_world_append(3);
	spool_world_wait();
	assert_int_equal(spool_durable(world.spool), 3);
	reader = spool_world_reader("control plane");
	spool_world_expect(reader, 1, 3);
	spool_world_expect(reader, 2, 3);
	/* From the chain's own beginning to the head that the spool tells. */
	spool_reader_head(reader, &key, &head);
	assert_result(chain_start(&key, &start), 0);
	assert_int_equal(head.sequence, 3);
	assert_memory_equal(head.hash.bytes, world.expected.bytes, SHA256_BYTES);
	spool_reader_close(reader);
}

static void test_a_chain_goes_on_after_a_restart(void **state)
{
	struct spool_reader *reader;
	char chain[CHAIN_ID_CHARS + 1];

	spool_world_start();
	strcpy(chain, spool_world_state().chain);
	spool_world_append(5);
	spool_world_stop(); /* makes durable what waits */
	for (unsigned i = 0; i < 3; i++) {
		spool_world_start();
		assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
		assert_int_equal(world.found[SPOOL_REPAIRED], 0);
		assert_int_equal(spool_last(world.spool), 5 + i);
		spool_world_append(1);
		spool_world_wait();
		spool_world_stop();
	}
	spool_world_start();
	assert_string_equal(spool_world_state().chain, chain);
	reader = spool_world_reader("control plane");
	spool_world_expect(reader, 1, 8);
	spool_reader_close(reader);
}

static void test_many_segments_are_one_chain(void **state)
{
	struct spool_reader *reader;

	world.options.max_bytes = 4U * 1024 * 1024; /* segments of 256 KiB */
	world.leaf_bytes = 4000;
	spool_world_start();
	for (unsigned i = 0; i < 30; i++) {
		spool_world_append(20);
		spool_world_wait();
	}
	assert_true(spool_world_state().segments > 5);
	reader = spool_world_reader("sink");
	spool_world_expect(reader, 1, 600);
	spool_world_expect(reader, 333, 600);
	spool_reader_close(reader);
	spool_world_stop();
	spool_world_start();
	assert_true(spool_world_state().segments > 5);
	reader = spool_world_reader("sink");
	spool_world_expect(reader, 1, 600);
	spool_world_expect(reader, 599, 600);
	spool_reader_close(reader);
}

static void test_a_read_gives_whole_groups_and_as_much_as_fits(void **state)
{
	_cleanup_(buffer_finish) struct buffer all = BUFFER_INIT, one = BUFFER_INIT;
	struct spool_reader *reader;
	uint64_t next = 0;

	world.options.durability = SPOOL_EACH;
	spool_world_start();
	spool_world_append(20);
	spool_world_wait();
	reader = spool_world_reader("control plane");
	assert_result(spool_read(reader, 1, 1U << 20, &all, &next), 0);
	assert_int_equal(next, 21);
	assert_result(spool_read(reader, 1, 1, &one, &next), 0);
	assert_int_equal(next, 2);
	assert_true(one.length < all.length / 10);
	/* What the buffer holds stays before it. */
	assert_result(spool_read(reader, 2, 1, &one, &next), 0);
	assert_int_equal(next, 3);
	assert_memory_equal(one.data, all.data, one.length);
	spool_reader_close(reader);
}

static void test_what_cannot_be_read(void **state)
{
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct spool_reader *reader;
	uint64_t next = 99;

	spool_world_start();
	reader = spool_world_reader("control plane");
	assert_result(spool_read(reader, 1, 1000, &buffer, &next), 1);
	spool_world_append(2);
	spool_world_wait();
	assert_result(spool_read(reader, 3, 1000, &buffer, &next), 1);
	assert_result(spool_read(reader, 4, 1000, &buffer, &next), 1);
	assert_result(spool_read(reader, 0, 1000, &buffer, &next), -EINVAL);
	assert_int_equal(next, 99);
	assert_int_equal(buffer.length, 0);
	/* A buffer that takes no more: nothing half stays in it. */
	buffer.limit = 100;
	assert_result(spool_read(reader, 1, 1000, &buffer, &next), -ENOMEM);
	assert_int_equal(buffer.length, 0);
	spool_reader_close(reader);
}

static void test_leaves_that_are_refused(void **state)
{
	static char longest[LEAF_BYTES_MAX + 2], patches[65536];
	struct spool_reader *reader;
	struct leaf_link link;

	memset(longest, 'x', sizeof(longest));
	memset(patches, 'y', sizeof(patches));
	spool_world_start();
	assert_result(spool_next(world.spool, &link), 0);
	assert_int_equal(link.sequence, 1);
	assert_int_equal(strlen(link.boot), 32);
	assert_result(spool_append(world.spool, "{}\n", 3, "[]", 2), -EINVAL);
	assert_result(spool_append(world.spool, "{}", 2, "[\n]", 3), -EINVAL);
	assert_result(spool_append(world.spool, "", 0, "[]", 2), -EINVAL);
	assert_result(spool_append(world.spool, "{}", 2, "", 0), -EINVAL);
	assert_result(spool_append(world.spool, longest, LEAF_BYTES_MAX + 1, "[]", 2), -EINVAL);
	assert_result(spool_append(world.spool, "{}", 2, patches, sizeof(patches)), -EINVAL);
	assert_int_equal(spool_last(world.spool), 0);
	/* The chain is as it was. */
	spool_world_append(2);
	spool_world_wait();
	reader = spool_world_reader("control plane");
	spool_world_expect(reader, 1, 2);
	spool_reader_close(reader);
}

static void test_groups_end_where_they_are_full(void **state)
{
	struct spool_reader *reader;

	/* Relaxed, so that all of it gathers. */
	world.options.durability = SPOOL_RELAXED;
	world.leaf_bytes = 120;
	spool_world_start();
	spool_world_append(2 * GROUP_RECORDS_MAX + 10);
	spool_world_wait();
	assert_true(spool_world_state().groups >= 3);
	world.leaf_bytes = LEAF_BYTES_MAX - 10;
	spool_world_append(200);
	spool_world_wait();
	reader = spool_world_reader("control plane");
	spool_world_expect(reader, 1, 2 * GROUP_RECORDS_MAX + 210);
	spool_reader_close(reader);
}

static void test_the_head_signs(void **state)
{
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	struct chain_head head;
	struct note_key key;

	spool_world_start();
	spool_head(world.spool, &key, &head);
	assert_result(spool_sign(world.spool, "words", 5, signature), 0);
	assert_result(ed25519_verify(key.public, "words", 5, signature), 0);
	assert_result(ed25519_verify(key.public, "word", 4, signature), -EBADMSG);
}

/* ---- durability --------------------------------------------------------------------------------- */
static void test_each_event_is_a_group(void **state)
{
	world.options.durability = SPOOL_EACH;
	spool_world_start();
	spool_world_append(20);
	spool_world_wait();
	assert_int_equal(spool_world_state().groups, 20);
}

static void test_a_group_gathers(void **state)
{
	spool_world_start();
	spool_world_append(2000);
	spool_world_wait();
	/* How many each has is a matter of the disk; a group for each event it is not. */
	assert_true(spool_world_state().groups < 1000);
	assert_int_equal(spool_world_state().groups, spool_world_state().syncs);
}

static void test_relaxed_is_told_at_once_and_durable_soon(void **state)
{
	uint64_t begun;

	world.options.durability = SPOOL_RELAXED;
	spool_world_start();
	spool_world_append(10);
	assert_int_equal(spool_durable(world.spool), 10);
	spool_world_turn();
	assert_int_equal(world.durable, 0);
	begun = clock_boottime_usec();
	spool_world_wait();
	assert_true(clock_boottime_usec() - begun < 3 * USEC_PER_SEC);
	assert_int_equal(spool_world_state().groups, 1);
	/* What the policy becomes holds for what waits. */
	spool_world_append(1);
	spool_set_policy(world.spool, world.options.max_bytes, SPOOL_GROUP, SPOOL_DROP);
	begun = clock_boottime_usec();
	spool_world_wait();
	assert_true(clock_boottime_usec() - begun < USEC_PER_SEC * 9 / 10);
}

/* ---- consumers ---------------------------------------------------------------------------------- */
static void test_a_place_is_kept_over_restarts(void **state)
{
	struct spool_reader *reader, *other;

	spool_world_start();
	spool_world_append(10);
	spool_world_wait();
	reader = spool_world_reader("control plane");
	assert_int_equal(spool_reader_next(reader), 1);
	assert_result(spool_acknowledge(reader, 6), 0);
	assert_result(spool_acknowledge(reader, 3), 0); /* it has had that */
	assert_result(spool_acknowledge(reader, 0), -EINVAL);
	assert_result(spool_acknowledge(reader, 12), -EINVAL); /* not durable */
	assert_int_equal(spool_reader_next(reader), 6);
	spool_reader_close(reader);
	spool_world_stop();

	spool_world_start();
	assert_int_equal(spool_world_state().consumers, 1);
	reader = spool_world_reader("control plane");
	other = spool_world_reader("sink syslog");
	assert_int_equal(spool_reader_next(reader), 6);
	assert_int_equal(spool_reader_next(other), 1);
	spool_world_expect(reader, 6, 10);
	spool_reader_close(reader);
	spool_reader_close(other);
}

static void test_names_of_consumers(void **state)
{
	struct spool_reader *reader, *second, *many[SPOOL_CONSUMERS_MAX];
	char name[SPOOL_NAME_MAX + 1];

	spool_world_start();
	memset(name, 'n', sizeof(name));
	name[SPOOL_NAME_MAX] = '\0';
	assert_result(spool_reader_open(world.spool, name, &reader), -EINVAL);
	assert_result(spool_reader_open(world.spool, "", &reader), -EINVAL);
	assert_result(spool_reader_open(world.spool, "a\nb", &reader), -EINVAL);
	for (unsigned i = 0; i < SPOOL_CONSUMERS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "sink %u", i);
		many[i] = spool_world_reader(name);
	}
	assert_result(spool_reader_open(world.spool, "one more", &reader), -ENOSPC);
	assert_result(spool_reader_open(world.spool, "sink 3", &second), -EBUSY);
	assert_result(spool_reader_drop(world.spool, "sink 3"), -EBUSY);
	assert_result(spool_reader_drop(world.spool, "nobody"), -ENOENT);
	spool_reader_close(many[3]);
	assert_result(spool_reader_drop(world.spool, "sink 3"), 0);
	many[3] = spool_world_reader("one more");
	/* The others are who they were. */
	spool_world_append(1);
	spool_world_wait();
	assert_result(spool_acknowledge(many[15], 2), 0);
	assert_int_equal(spool_reader_next(many[15]), 2);
	assert_int_equal(spool_reader_next(many[14]), 1);
	for (unsigned i = 0; i < SPOOL_CONSUMERS_MAX; i++)
		spool_reader_close(many[i]);
}

static bool is_readable(const struct spool_reader *reader)
{
	struct pollfd poll_fd = {.fd = spool_reader_fd(reader), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_readers_are_woken(void **state)
{
	struct spool_reader *reader;

	spool_world_start();
	reader = spool_world_reader("control plane");
	assert_true(is_readable(reader)); /* something may be there already */
	spool_reader_rest(reader);
	assert_false(is_readable(reader));
	spool_world_append(1);
	spool_world_wait();
	assert_true(is_readable(reader));
	spool_reader_rest(reader);
	assert_false(is_readable(reader));
	spool_reader_close(reader);
}

/* ---- places that are refused -------------------------------------------------------------------- */
static void test_no_key_no_spool(void **state)
{
	struct problem problem = {0};
	struct stat st;

	world.options.seal_key = NULL;
	assert_result(spool_world_try(&problem), -ENOKEY);
	assert_true(problem.text[0] != '\0');
	assert_int_equal(stat(world.directory, &st), -1);
}

static void test_directories_that_are_refused(void **state)
{
	struct problem problem = {0};
	struct spool *second = NULL;
	char elsewhere[512];

	/* Others can write there. */
	assert_int_equal(mkdir(world.directory, 0700), 0);
	assert_int_equal(chmod(world.directory, 0777), 0);
	assert_result(spool_world_try(&problem), -EPERM);
	assert_int_equal(chmod(world.directory, 0700), 0);
	/* A link to another place. */
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", world.folder);
	assert_int_equal(rename(world.directory, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, world.directory), 0);
	assert_true(spool_world_try(&problem) < 0);
	assert_int_equal(unlink(world.directory), 0);
	/* A file. */
	write_file(world.directory, "");
	assert_result(spool_world_try(&problem), -ENOTDIR);
	assert_int_equal(unlink(world.directory), 0);
	/* No place at all. */
	world.options.directory = "/nonexistent/audit";
	assert_result(spool_world_try(&problem), -ENOENT);
	world.options.directory = world.directory;
	/* Somebody else is in it. */
	spool_world_start();
	assert_result(spool_create(world.event, &world.options, NULL, &second, &problem), -EBUSY);
	assert_null(second);
	spool_world_append(1);
	spool_world_wait();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_world_setup, spool_world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_new_spool_begins_a_chain),
		TEST(test_what_was_appended_is_read),
		TEST(test_a_chain_goes_on_after_a_restart),
		TEST(test_many_segments_are_one_chain),
		TEST(test_a_read_gives_whole_groups_and_as_much_as_fits),
		TEST(test_what_cannot_be_read),
		TEST(test_leaves_that_are_refused),
		TEST(test_groups_end_where_they_are_full),
		TEST(test_the_head_signs),
		TEST(test_each_event_is_a_group),
		TEST(test_a_group_gathers),
		TEST(test_relaxed_is_told_at_once_and_durable_soon),
		TEST(test_a_place_is_kept_over_restarts),
		TEST(test_names_of_consumers),
		TEST(test_readers_are_woken),
		TEST(test_no_key_no_spool),
		TEST(test_directories_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
