/* SPDX-License-Identifier: MIT */
#include "spool/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/text.h"

#define MAGIC_BYTES ((size_t)8)
static const char magic[] = "TNTAUDB1";

#define SEARCH_BYTES ((size_t)65536)
#define PAGE_BYTES 4096U /* what the kernel reads at once, and fails to read */
/* Headers that look right and whose content does not open, before a search for the next good group is given up: nobody
 * but root can make more, and root can take the file away. */
#define SEARCH_TRIES 256U
/* Sealed bytes are random: this many zeros in a row are what the disk put where nothing was written. */
#define ZEROS_OF_A_HOLE 64U

void segment_name_write(const struct segment_name *name, char out[SEGMENT_NAME_MAX])
{
	(void)snprintf(out, SEGMENT_NAME_MAX, "%06" PRIu32 "-%s-%020" PRIu64, name->generation, name->chain,
		       name->first);
}

static bool is_base62(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= 'a' && text[i] <= 'z')))
			return false;
	return true;
}

int segment_name_read(const char *text, struct segment_name *ret)
{
	struct segment_name name;
	char again[SEGMENT_NAME_MAX];
	const char *dash = strchr(text, '-');
	uint64_t number = 0;

	if (strlen(text) >= SEGMENT_NAME_MAX || !dash || dash - text < 6 || dash - text > 9 ||
	    strlen(dash) != 1 + CHAIN_ID_CHARS + 1 + 20 || dash[1 + CHAIN_ID_CHARS] != '-')
		return -EINVAL;
	for (const char *c = text; c < dash; c++) {
		if (*c < '0' || *c > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(*c - '0');
	}
	name.generation = (uint32_t)number;
	memcpy(name.chain, dash + 1, CHAIN_ID_CHARS);
	name.chain[CHAIN_ID_CHARS] = '\0';
	number = 0;
	for (const char *c = dash + 1 + CHAIN_ID_CHARS + 1; *c; c++) {
		if (*c < '0' || *c > '9' || number > TLOG_SIZE_MAX)
			return -EINVAL;
		number = number * 10 + (uint64_t)(*c - '0');
	}
	name.first = number;
	if (!is_base62(name.chain, CHAIN_ID_CHARS) || name.first == 0 || name.first >= TLOG_SIZE_MAX)
		return -EINVAL;
	segment_name_write(&name, again);
	if (strcmp(again, text) != 0)
		return -EINVAL;
	*ret = name;
	return 0;
}

static struct block_place place_at(const struct segment_walk *walk, uint64_t offset)
{
	return (struct block_place){
		.key = walk->key,
		.chain = walk->name.chain,
		.segment = walk->name.first,
		.offset = offset,
	};
}

static ssize_t read_some(int fd, void *out, size_t length, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, out, length, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The block at `offset` opens, and continues what was walked. 0, 1: it does not; -errno. */
static int load_next(const struct segment_walk *walk, uint64_t offset, struct block *ret, struct buffer *content)
{
	struct block_place place = place_at(walk, offset);
	struct block block;
	int r = block_load(walk->fd, &place, walk->size, &block, content);

	if (r == -EBADMSG)
		return 1;
	if (r != 0)
		return r;
	if (block.kind == BLOCK_CHAIN)
		return 1; /* one, and first */
	if (block.first < walk->next || block.first > TLOG_SIZE_MAX - block.count)
		return 1;
	if (walk->next_first != 0 && block.first + block.count > walk->next_first)
		return 1;
	if (block.kind == BLOCK_GROUP && block.first == walk->next && walk->head_known &&
	    memcmp(content->data, walk->head.bytes, SHA256_BYTES) != 0)
		return 1;
	*ret = block;
	return 0;
}

/* The next block from `offset` on that opens. 0; 1: there is none; -errno. */
static int search(const struct segment_walk *walk, uint64_t offset, uint64_t *ret_offset, struct block *ret,
		  struct buffer *content)
{
	_cleanup_(freep) char *window = malloc(SEARCH_BYTES);
	unsigned tries = 0;

	if (!window)
		return -ENOMEM;
	while (offset + BLOCK_HEADER_BYTES <= walk->size) {
		size_t want = (size_t)MIN_OF((uint64_t)SEARCH_BYTES, walk->size - offset);
		ssize_t n = read_some(walk->fd, window, want, offset);
		const char *at = window;

		if (n == -EIO) {
			offset += PAGE_BYTES - offset % PAGE_BYTES;
			continue;
		}
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		if ((size_t)n < MAGIC_BYTES) { /* a page follows that cannot be read, or nothing */
			offset += (uint64_t)n;
			continue;
		}
		while ((at = memmem(at, (size_t)(window + n - at), magic, MAGIC_BYTES)) != NULL) {
			uint64_t found = offset + (uint64_t)(at - window);
			struct block block;
			int r = block_look(walk->fd, found, walk->size, &block);

			if (r == 0) {
				if (++tries > SEARCH_TRIES)
					return 1;
				r = load_next(walk, found, ret, content);
				if (r <= 0) {
					*ret_offset = found;
					return r;
				}
			} else if (r < 0 && r != -EBADMSG) {
				return r;
			}
			at++;
		}
		/* What begins in the last bytes ends in the next window. */
		offset += (uint64_t)n - (MAGIC_BYTES - 1);
	}
	return 1;
}

static int has_zeros(const struct segment_walk *walk, uint64_t offset)
{
	_cleanup_(freep) char *window = malloc(SEARCH_BYTES);
	size_t zeros = 0;

	if (!window)
		return -ENOMEM;
	while (offset < walk->size) {
		ssize_t n = read_some(walk->fd, window, SEARCH_BYTES, offset);

		if (n < 0)
			return n == -EIO ? 0 : (int)n;
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			zeros = window[i] == 0 ? zeros + 1 : 0;
			if (zeros >= ZEROS_OF_A_HOLE)
				return 1;
		}
		offset += (uint64_t)n;
	}
	return 0;
}

/* A crash leaves one write short, or the disk's zeros in the middle of it. What is neither, or more than one write, was
 * changed afterwards. */
static int judge_tail(struct segment_walk *walk, uint64_t offset, uint64_t *ret_count)
{
	struct block block = {0};
	uint64_t most;
	int r = block_look(walk->fd, offset, walk->size, &block);

	*ret_count = 0;
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r != 1) {
		if (r == 0 && block.first == walk->next)
			*ret_count = block.count;
		most = r == 0 ? block_size(&block) : BLOCK_HEADER_BYTES + (uint64_t)BLOCK_BYTES_MAX;
		r = walk->size - offset <= most ? has_zeros(walk, offset) : 0;
		if (r < 0)
			return r;
	}
	walk->tail = r == 1 ? SEGMENT_TAIL_TORN : SEGMENT_TAIL_DAMAGED;
	return 0;
}

static int tell_missing(struct segment_walk *walk, uint64_t first, uint64_t count, bool known)
{
	if (!known) {
		if (walk->lost == 0)
			walk->lost_first = first;
		walk->lost += count;
	}
	walk->next = first + count;
	walk->head_known = false;
	return walk->missing ? walk->missing(walk->context, first, count) : 0;
}

static int take(struct segment_walk *walk, uint64_t offset, const struct block *block, struct buffer *content)
{
	int r = 0;

	if (block->first > walk->next) {
		/* What stood between does not open, or is not here. */
		walk->damages++;
		r = tell_missing(walk, walk->next, block->first - walk->next, false);
	} else if (offset != walk->end) {
		walk->damages++; /* bytes that were none of ours */
	}
	if (r != 0)
		return r;
	walk->end = offset + block_size(block);
	if (block->kind == BLOCK_HOLE)
		return block->count > 0 ? tell_missing(walk, block->first, block->count, true) : 0;
	walk->next = block->first + block->count;
	memcpy(walk->head.bytes, content->data + SHA256_BYTES, SHA256_BYTES);
	walk->head_known = true;
	walk->whole = walk->next;
	walk->groups++;
	return walk->block ? walk->block(walk->context, block, content) : 0;
}

static int walk_chain_block(struct segment_walk *walk, struct buffer *content)
{
	struct block_place place = place_at(walk, 0);
	struct block block;
	int r = block_load(walk->fd, &place, walk->size, &block, content);

	if (r < 0 && r != -EBADMSG)
		return r;
	if (r != 0 || block.kind != BLOCK_CHAIN || block.first != walk->name.first)
		return 0;
	walk->opened = true;
	walk->end = block_size(&block);
	if (content->length > SHA256_BYTES && content->length - SHA256_BYTES < sizeof(walk->vkey)) {
		memcpy(walk->head.bytes, content->data, SHA256_BYTES);
		walk->head_known = true;
		memcpy(walk->vkey, content->data + SHA256_BYTES, content->length - SHA256_BYTES);
		walk->vkey[content->length - SHA256_BYTES] = '\0';
	}
	return 0;
}

int segment_look(struct segment_walk *walk)
{
	_cleanup_(buffer_finish) struct buffer content = BUFFER_INIT;

	return walk_chain_block(walk, &content);
}

int segment_walk(struct segment_walk *walk)
{
	_cleanup_(buffer_finish) struct buffer content = {.wipe = true};
	uint64_t offset, count = 0;
	int r;

	walk->next = walk->whole = walk->name.first;
	r = walk_chain_block(walk, &content);
	if (r < 0)
		return r;
	offset = walk->end;
	while (offset < walk->size) {
		struct block block;

		r = load_next(walk, offset, &block, &content);
		if (r == 1)
			r = search(walk, offset + 1, &offset, &block, &content);
		if (r < 0)
			return r;
		if (r == 1)
			break;
		r = take(walk, offset, &block, &content);
		if (r != 0)
			return r;
		offset = walk->end;
	}
	if (!walk->opened && (walk->groups > 0 || walk->next_first != 0))
		walk->damages++;
	if (walk->end < walk->size) {
		r = judge_tail(walk, walk->end, &count);
		if (r < 0)
			return r;
	}
	if (walk->next_first != 0) {
		/* A segment ends where the next one begins: what stands behind was written there once more. */
		count = walk->next_first - walk->next;
		if (count > 0)
			walk->damages++;
		else
			walk->superseded = walk->size - walk->end;
	} else if (walk->tail == SEGMENT_TAIL_DAMAGED) {
		walk->damages++;
		count = MAX_OF(count, (uint64_t)1);
	} else {
		count = 0;
	}
	return count > 0 ? tell_missing(walk, walk->next, count, false) : 0;
}
