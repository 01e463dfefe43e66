/* SPDX-License-Identifier: MIT
 *
 * One line of a feed's history: a snapshot, the deltas after it, and the picture that they give. A feed follows one
 * line; to start again from a newer snapshot it builds a second one beside it, and changes over when a head says so.
 */
#pragma once

#include "directory/feed_picture.h"
#include "feed/feed.h"
#include "feed/snapshot.h"

/* Deltas that came and that no head covers yet: raw bytes. */
struct feed_run {
	struct buffer *deltas;
	uint32_t count, capacity;
	uint64_t bytes;
};
void feed_run_clear(struct feed_run *run);
void feed_run_finish(struct feed_run *run);
void feed_run_drop(struct feed_run *run, uint32_t count); /* the first ones */
/* FEED_TOO_LARGE: more than may wait, or out of memory. */
enum feed_fault feed_run_add(struct feed_run *run, const char *delta, size_t length, struct problem *problem);

struct feed_line {
	struct feed_picture *picture;
	struct snapshot_reader *reader; /* while the snapshot comes */
	struct feed_snapshot snapshot;
	struct buffer snapshot_note;
	uint64_t revision; /* with all that was applied */
	uint8_t chain[SHA256_BYTES];
	uint64_t generation, deltas_end; /* on disk (store.h) */
	uint64_t delta_count, delta_bytes;
	uint64_t max_records; /* 0: no limit but the format's */
};
/* What this host takes of one feed. FEED_TOO_LARGE with the remedy. */
enum feed_fault feed_line_fits(uint64_t records, uint64_t max_records, struct problem *problem);
/* For a snapshot's note that was read and verified. */
int feed_line_new(const char *tenant_id, const struct feed_snapshot *snapshot, const char *note, size_t length,
		  struct feed_line **ret);
void feed_line_free(struct feed_line *line); /* takes NULL */
DEFINE_CLEANUP(struct feed_line, feed_line_free)
/* The snapshot's bytes, then its end. After a fault only free. */
enum feed_fault feed_line_add(struct feed_line *line, const void *data, size_t length, struct problem *problem);
enum feed_fault feed_line_end(struct feed_line *line, struct problem *problem);

/* Applies the deltas of `run` up to a verified head; *ret_count of them. `bound` (may be NULL): the head accepted last,
 * which the line may not contradict where it passes it. Nothing is applied unless all is in order. */
enum feed_fault feed_line_apply(struct feed_line *line, const struct feed_run *run, const struct feed_head *head,
				const struct feed_head *bound, uint32_t *ret_count, struct problem *problem);
