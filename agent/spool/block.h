/* SPDX-License-Identifier: MIT
 *
 * Blocks: what a segment is made of. A header of 32 bytes (magic, kind, numbers, length, CRC-32), then the content,
 * sealed for exactly this place: chain, segment, offset, and what the header says. So no block can stand anywhere
 * else, and none of another host, chain or time can take its place.
 *
 * Header: "TNTAUDB1", kind, count, first (8 bytes), length of the sealed content, CRC-32 of the 28 bytes before; four
 * bytes each, little-endian.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "crypto/seal.h"
#include "tlog/tlog.h"
#include "trail/chain.h"

#define BLOCK_HEADER_BYTES 32U
#define BLOCK_SEALED_MORE 52U                       /* what sealing adds */
#define BLOCK_BYTES_MAX (GROUP_BYTES_MAX + 65536U)  /* sealed */
#define BLOCK_LINK_BYTES ((size_t)2 * SHA256_BYTES) /* a group's content begins with its prev and head */

enum block_kind {
	BLOCK_CHAIN = 1, /* first in a segment: the chain's vkey */
	BLOCK_GROUP,     /* prev, head, and the group as it goes to the control plane */
	BLOCK_HOLE,      /* these events were here, and are not any more */
};
struct block {
	enum block_kind kind;
	uint32_t count;
	uint64_t first; /* sequence; of a chain block: the segment's */
	uint32_t length;
};
/* Plain value; all is borrowed. */
struct block_place {
	const struct seal_key *key;
	const char *chain;
	uint64_t segment; /* its first sequence */
	uint64_t offset;
};
/* Turns the content into the sealed block that goes to that place: header and all. -ENOMEM, -EIO. */
int block_seal(const struct block_place *place, const struct block *block, struct buffer *content);
/* -EBADMSG: no header of a block. */
int block_header_read(const uint8_t bytes[BLOCK_HEADER_BYTES], struct block *ret);
/* Reads the block at the place, which ends before `end` of the file, and its content (replaces what `ret_content`
 * holds). 0; 1: a part of it, by its length, is beyond `end`; -EBADMSG: it does not open here; -errno of reading. */
int block_load(int fd, const struct block_place *place, uint64_t end, struct block *ret, struct buffer *ret_content);
/* Only the header: the same results. */
int block_look(int fd, uint64_t offset, uint64_t end, struct block *ret);
static inline uint64_t block_size(const struct block *block)
{
	return BLOCK_HEADER_BYTES + (uint64_t)block->length;
}
