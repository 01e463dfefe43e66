/* SPDX-License-Identifier: MIT
 *
 * Snapshots: zstd-compressed JSON lines (docs/feed.md). Both halves stream, so memory is flat in the number of
 * records. Limits stand at the top of snapshot_read.c and are checked before inflating.
 */
#pragma once

#include "feed/feed.h"
#include "records/records.h"
#include "json/json_read.h"

/* Are the sizes that a note states within the limits? feed_snapshot_read asks, so a note that was read is. */
enum feed_fault snapshot_limits(const struct feed_snapshot *note, struct problem *problem);

/* One record; the JSON is the callee's to look at, not to keep. Non-zero stops with FEED_BAD_RECORD (the callee fills
 * the problem) or, for -ENOMEM, with that. */
typedef int (*snapshot_record_fn)(void *context, enum record_kind kind, const char *id, uint64_t version,
				  struct json_view body, struct problem *problem);
#define SNAPSHOT_LINE_MAX 65536U
struct snapshot_reader;
/* For a note that was read and verified. */
int snapshot_reader_new(const struct feed_snapshot *note, snapshot_record_fn record, void *context,
			struct snapshot_reader **ret);
/* Compressed bytes as they come, then the end. After a fault only free. -ENOMEM comes as FEED_TOO_LARGE with a problem
 * that says so. */
enum feed_fault snapshot_reader_add(struct snapshot_reader *reader, const void *data, size_t length,
				    struct problem *problem);
enum feed_fault snapshot_reader_end(struct snapshot_reader *reader, struct problem *problem);
void snapshot_reader_free(struct snapshot_reader *reader); /* takes NULL */

/* Writing into a buffer: records in the format's order, bodies as JSON text. `note` comes filled with origin, epoch,
 * revision, chain, records and issued; end fills the rest. Negative errno. */
struct snapshot_writer;
int snapshot_writer_new(struct feed_snapshot *note, struct buffer *out, struct snapshot_writer **ret);
int snapshot_writer_add(struct snapshot_writer *writer, const char *kind, const char *id, uint64_t version,
			const char *body, size_t body_length);
int snapshot_writer_end(struct snapshot_writer *writer);
void snapshot_writer_free(struct snapshot_writer *writer); /* takes NULL */
