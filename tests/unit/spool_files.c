/* SPDX-License-Identifier: MIT */
#include "spool_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/segment.h"
#include "spool_fixture.h"
#include "unit.h"

struct buffer spool_file_read(const char *path)
{
	struct buffer buffer = BUFFER_INIT;

	assert_result(file_read(AT_FDCWD, path, 64U << 20, FILE_TRUST_ANY, 0, &buffer, NULL), 0);
	return buffer;
}

void spool_file_write(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_result(fd_write_all(fd, data, length), 0);
	(void)close(fd);
}

void spool_file_flip(const char *path, size_t at)
{
	struct buffer data = spool_file_read(path);

	assert_true(at < data.length);
	data.data[at] ^= 0x10;
	spool_file_write(path, data.data, data.length);
	buffer_finish(&data);
}

unsigned spool_file_blocks(const char *path, uint64_t *offsets, unsigned most)
{
	struct buffer data = spool_file_read(path);
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

const char *spool_make_groups(unsigned groups, uint64_t offsets[64])
{
	spool_world_start();
	for (unsigned i = 0; i < groups; i++) {
		spool_world_append(3);
		spool_world_wait();
	}
	spool_world_stop();
	(void)spool_file_blocks(spool_world_segment(0), offsets, 63);
	return spool_world_segment(0);
}

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

const char *spool_readable(void)
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

void spool_expect_chain(bool same, const char *before)
{
	struct spool_state now;

	spool_state(world.spool, &now);
	assert_int_equal(strcmp(now.chain, before) == 0, same);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], !same);
}

const char *spool_first_chain(void)
{
	static struct segment_name name;

	assert_result(segment_name_read(strrchr(spool_world_segment(0), '/') + 1, &name), 0);
	return name.chain;
}
