/* SPDX-License-Identifier: MIT */
#include "spool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "directory_fixture.h"
#include "spool/segment.h"
#include "unit.h"

#define WAIT_TURNS 1000
#define TURN_USEC 10000
#define NAMES_MAX 4096

struct spool_world world;

/* In memory where there is such a place: what is tested is what we do with files, not how fast a disk syncs. */
static char *make_place(void)
{
	char folder[] = "/dev/shm/tenantd-spool-XXXXXX";

	return mkdtemp(folder) ? strdup(folder) : make_folder();
}

void spool_world_make(void)
{
	world = (struct spool_world){.folder = make_place(), .seal_key = {{7, 7, 7}}, .leaf_bytes = 200};
	(void)snprintf(world.directory, sizeof(world.directory), "%s/audit", world.folder);
	world.options = (struct spool_options){
		.directory = world.directory, .seal_key = &world.seal_key, .max_bytes = 64U * 1024 * 1024};
	assert_true(sd_event_new(&world.event) >= 0);
}

void spool_world_end(void)
{
	spool_world_stop();
	sd_event_unref(world.event);
	remove_folder(world.folder);
}

int spool_world_setup(void **state)
{
	spool_world_make();
	return 0;
}

int spool_world_teardown(void **state)
{
	spool_world_end();
	return 0;
}

static void on_durable(void *context, uint64_t sequence)
{
	assert_true(sequence > world.durable || world.found[SPOOL_CHAIN_BEGAN] > 0);
	world.durable = sequence;
}

static void on_found(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail)
{
	world.found[finding]++;
	world.first[finding] = first;
	world.count[finding] += count;
	(void)snprintf(world.detail[finding], sizeof(world.detail[finding]), "%s", detail);
}

int spool_world_try(struct problem *problem)
{
	const struct spool_hooks hooks = {.durable = on_durable, .found = on_found};

	assert_null(world.spool);
	memset(world.found, 0, sizeof(world.found));
	memset(world.count, 0, sizeof(world.count));
	world.durable = 0;
	return spool_create(world.event, &world.options, &hooks, &world.spool, problem);
}

void spool_world_start(void)
{
	struct problem problem = {0};
	int r = spool_world_try(&problem);

	if (r < 0)
		fail_msg("spool_create: %d, %s", r, problem.text);
	spool_world_turn();
}

void spool_world_stop(void)
{
	spool_destroy(world.spool);
	world.spool = NULL;
}

void spool_world_turn(void)
{
	while (sd_event_run(world.event, 0) > 0)
		;
}

int spool_world_append_one(void)
{
	char leaf[LEAF_BYTES_MAX + 1], prev[2 * SHA256_BYTES + 1];
	struct leaf_link link;
	size_t length;
	int r = spool_next(world.spool, &link);

	if (r < 0)
		return r;
	text_to_hex(link.prev, sizeof(link.prev), prev);
	length = (size_t)snprintf(leaf, sizeof(leaf), "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"pad\":\"", link.sequence,
				  prev);
	while (length < world.leaf_bytes)
		leaf[length++] = 'x';
	leaf[length++] = '"';
	leaf[length++] = '}';
	return spool_append(world.spool, leaf, length, "[]", 2);
}

void spool_world_append(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_result(spool_world_append_one(), 0);
}

void spool_world_wait(void)
{
	for (unsigned i = 0; i < WAIT_TURNS && world.durable < spool_last(world.spool); i++)
		(void)sd_event_run(world.event, TURN_USEC);
	assert_int_equal(world.durable, spool_last(world.spool));
	spool_world_turn();
}

struct spool_state spool_world_state(void)
{
	struct spool_state state;

	spool_state(world.spool, &state);
	return state;
}

struct spool_reader *spool_world_reader(const char *name)
{
	struct spool_reader *reader = NULL;

	assert_result(spool_reader_open(world.spool, name, &reader), 0);
	return reader;
}

struct checking {
	uint64_t next;
	void (*each)(void *context, uint64_t sequence);
	void *context;
};

static int check_record(void *context, const struct group_record *record)
{
	struct checking *checking = context;
	char text[128], prev[2 * SHA256_BYTES + 1];

	text_to_hex(world.expected.bytes, SHA256_BYTES, prev);
	(void)snprintf(text, sizeof(text), "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",", checking->next, prev);
	if (record->leaf_length < strlen(text) || memcmp(record->leaf, text, strlen(text)) != 0)
		fail_msg("record %" PRIu64 " is %.*s, not %s", checking->next, (int)record->leaf_length, record->leaf,
			 text);
	assert_int_equal(record->personal_length, 2);
	world.expected = record->hash;
	if (checking->each)
		checking->each(checking->context, checking->next);
	checking->next++;
	return 0;
}

/* All groups in the buffer, the first of which holds `from`. */
static uint64_t check_groups(struct spool_reader *reader, const struct buffer *buffer, uint64_t from, bool chained,
			     struct checking *checking)
{
	struct note_key key;
	struct chain_head head;
	uint64_t next = 0;

	spool_reader_head(reader, &key, &head);
	for (size_t at = 0; at < buffer->length;) {
		struct problem problem = {0};
		struct group group;
		size_t body, total;
		int r = group_read(buffer->data + at, buffer->length - at, &key, &group, &body, &total, &problem);

		if (r != 0)
			fail_msg("group_read: %d, %s", r, problem.text);
		if (next == 0)
			assert_true(group.first <= from && group.first + group.count > from);
		else
			assert_int_equal(group.first, next);
		if (chained && next != 0)
			assert_memory_equal(group.prev.bytes, world.expected.bytes, SHA256_BYTES);
		world.expected = group.prev;
		checking->next = group.first;
		r = group_each(&group, buffer->data + at + body, check_record, checking, &problem);
		if (r != 0)
			fail_msg("group_each: %d, %s", r, problem.text);
		next = group.first + group.count;
		at += total;
	}
	return next;
}

int spool_world_read(struct spool_reader *reader, uint64_t from, uint64_t *ret_next,
		     void (*each)(void *context, uint64_t sequence), void *context)
{
	struct checking checking = {.each = each, .context = context};
	bool chained = false;

	for (;;) {
		_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
		struct tlog_hash before = world.expected;
		uint64_t next = 0;
		int r = spool_read(reader, from, 100000, &buffer, &next);

		if (r != 0) {
			assert_int_equal(buffer.length, 0);
			*ret_next = r == -ENOENT ? next : from;
			return r;
		}
		assert_int_equal(check_groups(reader, &buffer, from, chained, &checking), next);
		(void)before;
		chained = true;
		from = next;
	}
}

void spool_world_expect(struct spool_reader *reader, uint64_t from, uint64_t to)
{
	uint64_t next = 0;

	assert_int_equal(spool_world_read(reader, from, &next, NULL, NULL), 1);
	assert_int_equal(next, to + 1);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *spool_world_segment(unsigned number)
{
	static char path[512], names[NAMES_MAX][SEGMENT_NAME_MAX];
	struct segment_name parts;
	const struct dirent *entry;
	unsigned count = 0;
	DIR *directory = opendir(world.directory);

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (segment_name_read(entry->d_name, &parts) == 0 && count < NAMES_MAX)
			segment_name_write(&parts, names[count++]);
	(void)closedir(directory);
	qsort(names, count, sizeof(names[0]), compare_names);
	if (number >= count)
		return NULL;
	(void)snprintf(path, sizeof(path), "%s/%s", world.directory, names[number]);
	return path;
}

unsigned spool_world_files(const char *part)
{
	const struct dirent *entry;
	unsigned count = 0;
	DIR *directory = opendir(world.directory);

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (strstr(entry->d_name, part))
			count++;
	(void)closedir(directory);
	return count;
}
