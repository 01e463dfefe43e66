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
#include "spool_fixture.h"

static int setup(void **state)
{
	spool_world_make();
	return 0;
}

static int teardown(void **state)
{
	spool_world_end();
	return 0;
}

/* ---- files -------------------------------------------------------------------------------------- */
static struct buffer slurp(const char *path)
{
	struct buffer buffer = BUFFER_INIT;

	assert_result(file_read(AT_FDCWD, path, 64U << 20, FILE_TRUST_ANY, 0, &buffer, NULL), 0);
	return buffer;
}

static void spill(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_result(fd_write_all(fd, data, length), 0);
	(void)close(fd);
}

static void flip(const char *path, size_t at)
{
	struct buffer data = slurp(path);

	assert_true(at < data.length);
	data.data[at] ^= 0x10;
	spill(path, data.data, data.length);
	buffer_finish(&data);
}

/* Where the blocks of a segment begin, and its end. */
static unsigned offsets_of(const char *path, uint64_t *offsets, unsigned most)
{
	struct buffer data = slurp(path);
	unsigned count = 0;
	uint64_t at = 0;

	while (at < data.length) {
		struct block block;

		assert_result(block_header_read((const uint8_t *)data.data + at, &block), 0);
		assert_true(count < most);
		offsets[count++] = at;
		at += block_size(&block);
	}
	assert_int_equal(at, data.length);
	offsets[count] = at;
	buffer_finish(&data);
	return count;
}

/* `groups` groups of three events in one segment: offsets[1] is the first group's. */
static const char *make_groups(unsigned groups, uint64_t offsets[64])
{
	spool_world_start();
	for (unsigned i = 0; i < groups; i++) {
		world.options.durability = SPOOL_GROUP;
		spool_world_append(3);
		spool_world_wait();
		/* The writer may have taken the first before the others came: then it is groups of less. */
	}
	spool_world_stop();
	(void)offsets_of(spool_world_segment(0), offsets, 63);
	return spool_world_segment(0);
}

/* Which events can be read, as a string of their numbers in base 36 ("123.5"): a dot where some are missing. */
struct listing {
	char text[256];
	size_t length;
	uint64_t last;
};

static void list_one(void *context, uint64_t sequence)
{
	struct listing *listing = context;

	if (sequence != listing->last + 1 && listing->length > 0)
		listing->text[listing->length++] = '.';
	assert_true(listing->length < sizeof(listing->text) - 2);
	listing->text[listing->length++] = "0123456789abcdefghijklmnopqrstuvwxyz"[sequence % 36];
	listing->text[listing->length] = '\0';
	listing->last = sequence;
}

static const char *readable(void)
{
	static struct listing listing;
	struct spool_reader *reader;
	uint64_t next;
	int r;

	listing = (struct listing){.text = ""};
	assert_result(spool_reader_open(world.spool, "listing", &reader), 0);
	next = spool_reader_next(reader);
	while ((r = spool_world_read(reader, next, &next, list_one, &listing)) == -ENOENT)
		;
	assert_int_equal(r, 1);
	spool_reader_close(reader);
	assert_result(spool_reader_drop(world.spool, "listing"), 0);
	return listing.text;
}

static void expect_chain(bool same, const char *before)
{
	struct spool_state now;

	spool_state(world.spool, &now);
	assert_int_equal(strcmp(now.chain, before) == 0, same);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], !same);
}

/* The chain of the first segment. */
static const char *chain_of_segment(void)
{
	static struct segment_name name;

	assert_result(segment_name_read(strrchr(spool_world_segment(0), '/') + 1, &name), 0);
	return name.chain;
}

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
	strcpy(chain, chain_of_segment());
	count = offsets_of(path, offsets, 63);
	assert_int_equal(count, 4);
	whole = slurp(path);
	for (uint64_t cut = offsets[3]; cut < whole.length; cut++) {
		spill(path, whole.data, cut);
		spool_world_start();
		expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_int_equal(world.found[SPOOL_REPAIRED], cut > offsets[3]);
		assert_int_equal(world.count[SPOOL_REPAIRED], cut - offsets[3]);
		assert_int_equal(spool_last(world.spool), 2);
		spool_world_append(2);
		spool_world_wait();
		assert_string_equal(readable(), "1234");
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
	strcpy(path, make_groups(1, offsets));
	strcpy(chain, chain_of_segment());
	whole = slurp(path);
	/* A page in the middle; all from the header on; more than was written at all. */
	memset(whole.data + offsets[3] + 1000, 0, 512);
	spill(path, whole.data, whole.length);
	spool_world_start();
	expect_chain(true, chain);
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_string_equal(readable(), "12");
	spool_world_stop();
	memset(whole.data + offsets[3], 0, whole.length - offsets[3]);
	spill(path, whole.data, whole.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_string_equal(readable(), "12");
	expect_chain(true, chain);
	buffer_finish(&whole);
}

static void test_a_new_file_that_was_never_written(void **state)
{
	char path[640], chain[CHAIN_ID_CHARS + 1];
	struct segment_name name;
	uint64_t offsets[64];
	struct buffer whole;

	world.options.durability = SPOOL_EACH;
	strcpy(path, make_groups(2, offsets));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	whole = slurp(path);
	name.first = 7;
	segment_name_write(&name, strrchr(path, '/') + 1);
	/* Empty; and with half a chain block. */
	for (size_t length = 0; length <= 100; length += 100) {
		spill(path, whole.data, length);
		spool_world_start();
		expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_REPAIRED], 1);
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_string_equal(readable(), "123456");
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
	strcpy(path, make_groups(1, offsets));
	strcpy(chain, chain_of_segment());
	whole = slurp(path);
	/* Header, sealed bytes, tag: every 7th byte of the second group. */
	for (uint64_t at = offsets[2]; at < offsets[3]; at += 7) {
		flip(path, at);
		spool_world_start();
		expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], 1);
		assert_int_equal(world.first[SPOOL_DAMAGED], 2);
		assert_int_equal(world.count[SPOOL_DAMAGED], 1);
		assert_string_equal(readable(), "1.3");
		spool_world_append(1);
		spool_world_wait();
		assert_string_equal(readable(), "1.34");
		spool_world_stop();
		/* Told once. */
		spool_world_start();
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_int_equal(world.found[SPOOL_REPAIRED], 0);
		assert_string_equal(readable(), "1.34");
		spool_world_stop();
		spill(path, whole.data, whole.length);
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
	strcpy(path, make_groups(2, offsets));
	flip(path, offsets[3] + 40);
	before = slurp(path);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	(void)snprintf(aside, sizeof(aside), "%s.damaged", path);
	assert_string_equal(world.detail[SPOOL_DAMAGED], strrchr(aside, '/') + 1);
	after = slurp(aside);
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
	strcpy(path, make_groups(1, offsets));
	strcpy(chain, chain_of_segment());
	flip(path, offsets[3] + 60);
	spool_world_start();
	/* Whole, and changed afterwards: that is no crash. What comes next cannot say what it follows. */
	assert_int_equal(world.found[SPOOL_REPAIRED], 0);
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 3);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
	expect_chain(false, chain);
	assert_non_null(strstr(world.detail[SPOOL_CHAIN_BEGAN], chain));
	assert_string_equal(readable(), "12");
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
	strcpy(path, make_groups(2, offsets));
	whole = slurp(path);
	/* Second and third group change places: they are of the same length. */
	assert_int_equal(offsets[3] - offsets[2], offsets[4] - offsets[3]);
	(void)buffer_add(&changed, whole.data, offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[3], offsets[4] - offsets[3]);
	(void)buffer_add(&changed, whole.data + offsets[2], offsets[3] - offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[4], whole.length - offsets[4]);
	spill(path, changed.data, changed.length);
	spool_world_start();
	assert_int_equal(world.first[SPOOL_DAMAGED], 2);
	assert_int_equal(world.count[SPOOL_DAMAGED], 2);
	assert_string_equal(readable(), "1.456");
	spool_world_stop();
	/* The last one is there once more. */
	buffer_clear(&changed);
	(void)buffer_add(&changed, whole.data, whole.length);
	(void)buffer_add(&changed, whole.data + offsets[6], whole.length - offsets[6]);
	spill(path, changed.data, changed.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_string_equal(readable(), "123456");
	spool_world_stop();
	/* One was cut out of the middle. */
	buffer_clear(&changed);
	(void)buffer_add(&changed, whole.data, offsets[2]);
	(void)buffer_add(&changed, whole.data + offsets[3], whole.length - offsets[3]);
	spill(path, changed.data, changed.length);
	for (unsigned i = 1; spool_world_segment(i);)
		assert_int_equal(unlink(spool_world_segment(i)), 0);
	spool_world_start();
	assert_true(world.found[SPOOL_DAMAGED] > 0);
	assert_string_equal(readable(), "1");
	buffer_finish(&whole);
	buffer_finish(&changed);
}

static void test_a_chain_block_that_does_not_open(void **state)
{
	char path[512], chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	world.options.durability = SPOOL_EACH;
	strcpy(path, make_groups(1, offsets));
	strcpy(chain, chain_of_segment());
	flip(path, 50);
	for (unsigned i = 0; i < 2; i++) {
		spool_world_start();
		expect_chain(true, chain);
		assert_int_equal(world.found[SPOOL_DAMAGED], i == 0);
		assert_int_equal(world.count[SPOOL_DAMAGED], 0); /* no event is missing */
		assert_string_equal(readable(), "123");
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
	(void)offsets_of(spool_world_segment(1), offsets, 63);
	flip(spool_world_segment(1), offsets[2] + 1000);
	spool_world_start();
	wait_for(SPOOL_DAMAGED);
	assert_int_equal(world.count[SPOOL_DAMAGED], 1);
	assert_string_equal(readable(), "1234567.9abcdefghijk");
	spool_world_stop();
	spool_world_start();
	spool_world_append(1);
	spool_world_wait();
	assert_string_equal(readable(), "1234567.9abcdefghijkl");
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
}

static void test_an_old_segment_is_read_before_it_is_looked_through(void **state)
{
	uint64_t offsets[64];
	unsigned count;

	make_segments(20);
	count = offsets_of(spool_world_segment(0), offsets, 63);
	/* The end of it: no tear, since it is not the last segment. */
	assert_int_equal(truncate(spool_world_segment(0), (off_t)offsets[count - 1] + 100), 0);
	spool_world_start();
	assert_string_equal(readable(), "12345.789abcdefghijk");
	wait_for(SPOOL_DAMAGED);
	assert_int_equal(world.first[SPOOL_DAMAGED], 6);
}

static void test_a_segment_that_is_gone(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];

	make_segments(20);
	strcpy(chain, chain_of_segment());
	assert_int_equal(unlink(spool_world_segment(1)), 0);
	for (unsigned i = 0; i < 2; i++) {
		spool_world_start();
		expect_chain(true, chain);
		if (i == 0)
			wait_for(SPOOL_DAMAGED);
		assert_string_equal(readable(), "123456.defghijk");
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
	strcpy(path, make_groups(1, offsets));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	/* It claims to be far ahead. */
	memset(garbage, 'g', sizeof(garbage));
	name.first = 1000000000000;
	segment_name_write(&name, strrchr(path, '/') + 1);
	spill(path, garbage, sizeof(garbage));
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	expect_chain(false, chain); /* what it held, if anything, was the newest */
	assert_string_equal(readable(), "123");
	assert_int_equal(spool_world_files(".damaged"), 1);
}

/* ---- other keys, other hosts, older copies ------------------------------------------------------ */
static void test_another_key_begins_a_new_chain(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	(void)make_groups(2, offsets);
	strcpy(chain, chain_of_segment());
	world.seal_key.bytes[0] ^= 1;
	spool_world_start();
	expect_chain(false, chain);
	assert_non_null(strstr(world.detail[SPOOL_CHAIN_BEGAN], "does not open"));
	assert_string_equal(readable(), "");
	assert_int_equal(spool_world_files(chain), 1);
	assert_int_equal(spool_world_files(".damaged"), 2); /* the key and the segment: nothing is thrown away */
	spool_world_append(3);
	spool_world_wait();
	assert_string_equal(readable(), "123");
}

static void test_a_key_that_is_gone(void **state)
{
	char chain[CHAIN_ID_CHARS + 1], path[512];
	uint64_t offsets[64];

	(void)make_groups(2, offsets);
	strcpy(chain, chain_of_segment());
	(void)snprintf(path, sizeof(path), "%s/key", world.directory);
	assert_int_equal(unlink(path), 0);
	spool_world_start();
	expect_chain(false, chain);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	/* What the old chain has is read to its end. */
	assert_string_equal(readable(), "123456");
	spool_world_append(1);
	spool_world_wait();
	assert_int_equal(spool_last(world.spool), 1);
}

static void test_files_that_are_gone_under_their_key(void **state)
{
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t offsets[64];

	strcpy(chain, (make_groups(2, offsets), chain_of_segment()));
	assert_int_equal(unlink(spool_world_segment(0)), 0);
	spool_world_start();
	expect_chain(false, chain);
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
	(void)make_groups(2, offsets);
	whole = slurp(spool_world_segment(0));
	(void)snprintf(stolen, sizeof(stolen), "%s/key", world.directory);
	assert_int_equal(unlink(stolen), 0);
	assert_int_equal(unlink(spool_world_segment(0)), 0);
	(void)make_groups(1, offsets);
	strcpy(path, spool_world_segment(0));
	assert_result(segment_name_read(strrchr(path, '/') + 1, &name), 0);
	strcpy(chain, name.chain);
	/* In the place of ours. */
	spill(path, whole.data, whole.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	expect_chain(false, chain);
	assert_string_equal(readable(), "");
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
	strcpy(chain, chain_of_segment());
	older = slurp(path);
	spool_world_append(5);
	spool_world_wait();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	assert_result(spool_acknowledge(reader, 9), 0);
	spool_reader_close(reader);
	spool_world_stop();
	/* The control plane has events that are here no more: what came next would be another history. */
	spill(path, older.data, older.length);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 1);
	assert_int_equal(world.first[SPOOL_DAMAGED], 6);
	assert_int_equal(world.count[SPOOL_DAMAGED], 3);
	expect_chain(false, chain);
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

	(void)make_groups(1, offsets);
	(void)snprintf(path, sizeof(path), "%s/key", world.directory);
	older = slurp(path);
	spool_world_start();
	strcpy(chain, chain_of_segment());
	assert_result(spool_begin_chain(world.spool, "for the test"), 0);
	spool_world_turn();
	spool_world_append(2);
	spool_world_wait();
	spool_world_stop();
	spill(path, older.data, older.length);
	spool_world_start();
	/* The old chain is not taken up again behind the newer one's back. */
	expect_chain(false, chain);
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
	flip(path, 50);
	spool_world_start();
	assert_int_equal(world.found[SPOOL_REPAIRED], 1);
	/* Twice rather than never. */
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	spool_world_expect(reader, spool_reader_next(reader), 4);
	spool_reader_close(reader);
	assert_int_equal(spool_world_files("consumers.damaged"), 1);
}

static void test_what_is_put_aside_goes_before_anything_else(void **state)
{
	struct spool_reader *reader;
	struct spool_state now;
	uint64_t offsets[64];
	unsigned count = 0;

	make_segments(60);
	(void)offsets_of(spool_world_segment(1), offsets, 63);
	flip(spool_world_segment(1), offsets[2] + 1000);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_torn_at_every_byte),
		TEST(test_zeros_where_the_disk_wrote_nothing),
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
		TEST(test_another_key_begins_a_new_chain),
		TEST(test_a_key_that_is_gone),
		TEST(test_files_that_are_gone_under_their_key),
		TEST(test_a_segment_of_another_chain),
		TEST(test_an_older_copy_of_the_segments),
		TEST(test_an_older_copy_of_the_key),
		TEST(test_consumers_that_do_not_open),
		TEST(test_what_is_put_aside_goes_before_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
