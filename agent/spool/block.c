/* SPDX-License-Identifier: MIT */
#include "spool/block.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/digest.h"

#define MAGIC "TNTAUDB1"
#define MAGIC_BYTES ((size_t)8)
#define PURPOSE_BYTES 200U

static void put_u32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t take_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void header_write(const struct block *block, uint8_t out[BLOCK_HEADER_BYTES])
{
	uint64_t first = htole64(block->first);

	memcpy(out, MAGIC, MAGIC_BYTES);
	put_u32(out + 8, (uint32_t)block->kind);
	put_u32(out + 12, block->count);
	memcpy(out + 16, &first, sizeof(first));
	put_u32(out + 24, block->length);
	put_u32(out + 28, crc32_ieee(out, 28));
}

int block_header_read(const uint8_t bytes[BLOCK_HEADER_BYTES], struct block *ret)
{
	uint32_t kind = take_u32(bytes + 8), length = take_u32(bytes + 24);
	uint64_t first;

	if (memcmp(bytes, MAGIC, MAGIC_BYTES) != 0 || take_u32(bytes + 28) != crc32_ieee(bytes, 28))
		return -EBADMSG;
	if (kind < BLOCK_CHAIN || kind > BLOCK_HOLE || length < BLOCK_SEALED_MORE || length > BLOCK_BYTES_MAX)
		return -EBADMSG;
	memcpy(&first, bytes + 16, sizeof(first));
	first = le64toh(first);
	if (first == 0 || first >= TLOG_SIZE_MAX)
		return -EBADMSG;
	*ret = (struct block){
		.kind = (enum block_kind)kind,
		.count = take_u32(bytes + 12),
		.first = first,
		.length = length,
	};
	return 0;
}

/* What this block is, and where: another purpose is another key of the cipher. */
static void purpose_of(const struct block_place *place, const struct block *block, char out[PURPOSE_BYTES])
{
	(void)snprintf(out, PURPOSE_BYTES, "audit-block/%s/%" PRIu64 "/%" PRIu64 "/%d/%" PRIu64 "/%" PRIu32,
		       place->chain, place->segment, place->offset, (int)block->kind, block->first, block->count);
}

int block_seal(const struct block_place *place, const struct block *block, struct buffer *content)
{
	struct block sized = *block;
	char purpose[PURPOSE_BYTES];
	size_t length;
	int r;

	purpose_of(place, block, purpose);
	r = seal_in_place(place->key, purpose, content);
	if (r < 0)
		return r;
	length = content->length;
	if (length > BLOCK_BYTES_MAX || !buffer_reserve(content, BLOCK_HEADER_BYTES))
		return -ENOMEM;
	sized.length = (uint32_t)length;
	memmove(content->data + BLOCK_HEADER_BYTES, content->data, length);
	header_write(&sized, (uint8_t *)content->data);
	content->length = length + BLOCK_HEADER_BYTES;
	return 0;
}

/* All `length` bytes. 1: the file ends before; -EBADMSG also where the disk does not give them back: that is as good as
 * something else in their place, and what is around them counts. */
static int read_at(int fd, void *out, size_t length, uint64_t offset)
{
	uint8_t *at = out;

	while (length > 0) {
		ssize_t n = pread(fd, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EIO ? -EBADMSG : -errno;
		if (n == 0)
			return 1;
		at += n;
		length -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int block_look(int fd, uint64_t offset, uint64_t end, struct block *ret)
{
	uint8_t header[BLOCK_HEADER_BYTES];
	struct block block;
	int r;

	if (offset > end || end - offset < BLOCK_HEADER_BYTES)
		return 1;
	r = read_at(fd, header, sizeof(header), offset);
	if (r != 0)
		return r;
	r = block_header_read(header, &block);
	if (r < 0)
		return r;
	*ret = block;
	return block_size(&block) > end - offset ? 1 : 0;
}

int block_load(int fd, const struct block_place *place, uint64_t end, struct block *ret, struct buffer *ret_content)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	char purpose[PURPOSE_BYTES];
	struct block block;
	int r;

	r = block_look(fd, place->offset, end, &block);
	if (r != 0)
		return r;
	if (!buffer_reserve(&sealed, block.length))
		return -ENOMEM;
	r = read_at(fd, sealed.data, block.length, place->offset + BLOCK_HEADER_BYTES);
	if (r != 0)
		return r;
	buffer_clear(ret_content);
	purpose_of(place, &block, purpose);
	r = unseal(place->key, purpose, sealed.data, block.length, ret_content);
	if (r < 0)
		return r;
	if (block.kind == BLOCK_GROUP && (ret_content->length <= BLOCK_LINK_BYTES || block.count == 0))
		return -EBADMSG;
	*ret = block;
	return 0;
}
