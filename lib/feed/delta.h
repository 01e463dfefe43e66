/* SPDX-License-Identifier: MIT
 *
 * Deltas: one line of JSON, the operations of one revision (docs/feed.md).
 */
#pragma once

#include <jansson.h>

#include "feed/feed.h"
#include "records/records.h"

enum delta_op { DELTA_PUT, DELTA_DEL, DELTA_REVOKE };
struct delta_operation {
	enum delta_op op;
	enum record_kind kind; /* what the record is: "revoke" of anything but a key says RECORD_REVOCATION */
	const char *id;        /* borrowed from the delta's JSON */
	uint64_t version;
	json_t *body; /* borrowed; NULL for DELTA_DEL. For DELTA_REVOKE of a key {at, reason}; of others a whole
		       * revocation body, with `of` filled in */
};
struct delta {
	json_t *json; /* owned */
	uint64_t epoch, prev, rev;
	struct delta_operation *ops; /* owned */
	uint32_t op_count;
};
void delta_finish(struct delta *delta);
/* Form, origin, prev + 1 = rev, no duplicates, at least one operation. Bodies are not looked into. */
enum feed_fault delta_read(const char *bytes, size_t length, const char *origin, struct delta *ret,
			   struct problem *problem);

/* Writing: begin, one add for each operation, end. The body is JSON text, written through as it is. Collects errors in
 * buffer->failed. */
void delta_write_begin(struct buffer *out, const char *origin, uint64_t epoch, uint64_t prev, uint64_t rev);
void delta_write_add(struct buffer *out, enum delta_op op, const char *kind, const char *id, uint64_t version,
		     const char *body, size_t body_length);
void delta_write_end(struct buffer *out);
