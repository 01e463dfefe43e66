/* SPDX-License-Identifier: MIT
 *
 * Segments: files of blocks that follow one another. Names, and walking through one from its beginning: what is whole,
 * what is missing, and what stands at its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spool/block.h"

#define SEGMENT_NAME_MAX 64U /* with NUL */
#define SEGMENT_BYTES_MAX (32ULL * 1024 * 1024)
#define SEGMENT_DAMAGED ".damaged"

/* "000001-<chain>-00000000000000000042": the chain's number here, its id, the segment's first sequence. */
struct segment_name {
	uint32_t generation;
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t first;
};
void segment_name_write(const struct segment_name *name, char out[SEGMENT_NAME_MAX]);
int segment_name_read(const char *text, struct segment_name *ret); /* -EINVAL */

enum segment_tail {
	SEGMENT_TAIL_NONE,
	SEGMENT_TAIL_TORN,    /* a write that did not come to its end */
	SEGMENT_TAIL_DAMAGED, /* something whole that does not open */
};
struct segment_walk {
	const struct seal_key *key;
	struct segment_name name;
	int fd;
	uint64_t size;
	/* What follows in the next segment of the chain; 0: there is none. */
	uint64_t next_first;
	/* Each block that opens, and each hole that is found or written down; may be NULL. Non-zero stops. */
	int (*block)(void *context, const struct block *block, struct buffer *content);
	int (*missing)(void *context, uint64_t first, uint64_t count);
	void *context;

	/* Found. */
	bool opened;              /* its chain block opens … */
	char vkey[NOTE_VKEY_MAX]; /* … and says this; "": nobody knew it any more when the segment was mended */
	uint64_t next;            /* the sequence after the last whole group or hole */
	bool head_known;          /* of the event before `next` */
	struct tlog_hash head;
	uint64_t whole; /* the sequence after the last group; `head` is its last event's */
	uint64_t end;   /* of the last block that opens */
	enum segment_tail tail;
	uint32_t damages;          /* groups, or runs of them, that do not open; the chain block is one as well */
	uint64_t lost_first, lost; /* events that are missing, without those that a hole tells of */
	uint64_t superseded;       /* bytes at the end that were written once more in the next segment */
	uint32_t groups;
};
/* The chain block alone. 0, whether it opens or not; -errno. */
int segment_look(struct segment_walk *walk);
/* 0; negative: reading failed (-errno), or out of memory; what a callback gave. */
int segment_walk(struct segment_walk *walk);
