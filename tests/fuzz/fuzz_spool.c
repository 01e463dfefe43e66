/* SPDX-License-Identifier: MIT
 *
 * A segment of the audit spool that somebody worked on: whatever was done to it, only groups come out that went in, in
 * their order, and every number between is told to be missing. First byte: 0, the rest is a segment as it is, or a
 * name of one; else, changes to one that is in order.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"
#include "spool/segment.h"

#define GROUPS 6U
#define FIRST 5U
#define PER_GROUP 3U
#define SIZE_MAX_HERE ((size_t)65536)

static const struct seal_key key = {{3, 1, 4}};
static const struct segment_name name = {.generation = 2, .chain = "0123456789abcdef", .first = FIRST};

/* What a group says: its number makes its content. */
static void compose(unsigned i, struct buffer *out)
{
	char link[BLOCK_LINK_BYTES];

	memset(link, (int)i, SHA256_BYTES);
	memset(link + SHA256_BYTES, (int)i + 1, SHA256_BYTES);
	(void)buffer_add(out, link, sizeof(link));
	for (unsigned n = 0; n < 40 + 30 * i; n++)
		(void)buffer_add_char(out, (char)('a' + i));
}

static void put(struct buffer *segment, const struct block *block, struct buffer *content)
{
	struct block_place place = {&key, name.chain, name.first, segment->length};

	FUZZ_CHECK(block_seal(&place, block, content) == 0);
	FUZZ_CHECK(buffer_add(segment, content->data, content->length) == 0);
	buffer_finish(content);
}

static void make(struct buffer *segment)
{
	struct block block = {.kind = BLOCK_CHAIN, .first = FIRST};
	struct buffer content = BUFFER_INIT;
	char zeros[SHA256_BYTES] = "";

	(void)buffer_add(&content, zeros, sizeof(zeros));
	(void)buffer_add_text(&content, "vkey");
	put(segment, &block, &content);
	for (unsigned i = 0; i < GROUPS; i++) {
		block = (struct block){.kind = BLOCK_GROUP, .first = FIRST + i * PER_GROUP, .count = PER_GROUP};
		compose(i, &content);
		put(segment, &block, &content);
	}
}

/* Five bytes a change: what, where, how much. */
static void work_on(struct buffer *segment, const uint8_t *data, size_t size)
{
	for (; size >= 5 && segment->length > 0 && segment->length < SIZE_MAX_HERE / 2; data += 5, size -= 5) {
		size_t at = ((size_t)data[1] << 8 | data[2]) % segment->length;
		size_t count = 1 + ((size_t)data[3] << 2 | data[4] >> 6), rest = segment->length - at;

		if (count > rest)
			count = rest;
		switch (data[0] % 6) {
		case 0: /* a byte is another */
			segment->data[at] = (char)(segment->data[at] ^ (data[4] | 1));
			break;
		case 1: /* it ends here */
			segment->length = at;
			break;
		case 2: /* something is cut out */
			memmove(segment->data + at, segment->data + at + count, rest - count);
			segment->length -= count;
			break;
		case 3: /* zeros */
			memset(segment->data + at, 0, count);
			break;
		case 4: { /* something is there twice */
			char *room = buffer_reserve(segment, count);

			FUZZ_CHECK(room != NULL);
			memmove(segment->data + at + count, segment->data + at, rest);
			segment->length += count;
			break;
		}
		default: /* the beginning once more at the end */
			FUZZ_CHECK(buffer_reserve(segment, count) != NULL);
			memcpy(segment->data + segment->length, segment->data, count);
			segment->length += count;
			break;
		}
	}
}

struct seen {
	uint64_t next;
	bool ours; /* the groups are those of make() */
};

static int see_block(void *context, const struct block *block, struct buffer *content)
{
	struct buffer expected = BUFFER_INIT;
	struct seen *seen = context;
	unsigned i = (unsigned)((block->first - FIRST) / PER_GROUP);

	FUZZ_CHECK(seen->ours && block->kind == BLOCK_GROUP && block->first == seen->next);
	FUZZ_CHECK(i < GROUPS && block->first == FIRST + i * PER_GROUP && block->count == PER_GROUP);
	compose(i, &expected);
	FUZZ_CHECK(content->length == expected.length);
	FUZZ_CHECK(memcmp(content->data, expected.data, expected.length) == 0);
	buffer_finish(&expected);
	seen->next += block->count;
	return 0;
}

static int see_missing(void *context, uint64_t first, uint64_t count)
{
	struct seen *seen = context;

	FUZZ_CHECK(first == seen->next && count > 0);
	seen->next += count;
	return 0;
}

static void walk(const struct buffer *segment, bool ours, uint64_t next_first)
{
	struct seen seen = {.next = FIRST, .ours = ours};
	struct segment_walk walked = {
		.key = &key,
		.name = name,
		.fd = memfd_create("segment", MFD_CLOEXEC),
		.size = segment->length,
		.next_first = next_first,
		.block = see_block,
		.missing = see_missing,
		.context = &seen,
	};

	FUZZ_CHECK(walked.fd >= 0 && fd_write_all(walked.fd, segment->data, segment->length) == 0);
	FUZZ_CHECK(segment_walk(&walked) == 0);
	FUZZ_CHECK(walked.next == seen.next && walked.end <= walked.size);
	FUZZ_CHECK(next_first == 0 || walked.next == next_first);
	/* Nothing is missing without a word. */
	FUZZ_CHECK(walked.lost == 0 || walked.damages > 0);
	FUZZ_CHECK(walked.lost + (uint64_t)walked.groups * PER_GROUP == walked.next - FIRST);
	(void)close(walked.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer segment = BUFFER_INIT;
	struct segment_name parsed;
	char text[SEGMENT_NAME_MAX + 16] = "", again[SEGMENT_NAME_MAX];

	if (size == 0 || size > SIZE_MAX_HERE / 4)
		return 0;
	if (data[0] == 0) {
		(void)buffer_add(&segment, data + 1, size - 1);
		walk(&segment, false, 0);
		walk(&segment, false, FIRST + 100);
		memcpy(text, data + 1, size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1);
		if (segment_name_read(text, &parsed) == 0) {
			segment_name_write(&parsed, again);
			FUZZ_CHECK(strcmp(text, again) == 0);
		}
	} else {
		make(&segment);
		work_on(&segment, data + 1, size - 1);
		walk(&segment, true, 0);
		walk(&segment, true, FIRST + GROUPS * PER_GROUP);
	}
	buffer_finish(&segment);
	return 0;
}
