/* SPDX-License-Identifier: MIT
 *
 * A spool in a folder of its own, with a loop, and what it told.
 */
#pragma once

#include "spool/spool.h"

struct spool_world {
	char *folder;
	char directory[256]; /* the spool's, below the folder */
	struct seal_key seal_key;
	struct spool_options options;
	sd_event *event;
	struct spool *spool;
	uint64_t durable; /* what the hook said last */
	unsigned found[SPOOL_FINDING_COUNT];
	uint64_t first[SPOOL_FINDING_COUNT], count[SPOOL_FINDING_COUNT]; /* of the last one; count: all together */
	char detail[SPOOL_FINDING_COUNT][256];
	size_t leaf_bytes; /* how long leaves are at least */
	struct tlog_hash
		expected; /* the hash that the next leaf that is read has as `prev`; by the reading functions */
};
extern struct spool_world world;

void spool_world_make(void); /* nothing is on disk yet */
void spool_world_end(void);
int spool_world_setup(void **state); /* both, as cmocka calls them */
int spool_world_teardown(void **state);
void spool_world_start(void); /* must succeed; what was found so far is forgotten first, and told afterwards */
int spool_world_try(struct problem *problem);
void spool_world_stop(void);
void spool_world_turn(void); /* the loop's turns that are due */
/* That many events, each of which must be taken. */
void spool_world_append(unsigned count);
int spool_world_append_one(void); /* what spool_next or spool_append said */
void spool_world_wait(void);      /* until all is durable */
struct spool_state spool_world_state(void);
struct spool_reader *spool_world_reader(const char *name); /* must open */
/* Events from..to are what the reader has from there on, chained and signed, and nothing after them. */
void spool_world_expect(struct spool_reader *reader, uint64_t from, uint64_t to);
/* Reads from there to the end; each event's number is given to `each`. Groups must verify, and be chained but for
 * what is missing. Returns what the last spool_read said; *ret_next: where it stands. */
int spool_world_read(struct spool_reader *reader, uint64_t from, uint64_t *ret_next,
		     void (*each)(void *context, uint64_t sequence), void *context);
/* The only segment, or the number-th by name: its path. */
const char *spool_world_segment(unsigned number);
unsigned spool_world_files(const char *part); /* files with this in their name */
