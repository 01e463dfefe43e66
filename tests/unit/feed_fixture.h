/* SPDX-License-Identifier: MIT
 *
 * A feed's control plane in miniature: keys, signed notes, deltas and snapshots to test readers with.
 */
#pragma once

#include "feed/delta.h"
#include "feed/feed.h"
#include "feed/snapshot.h"

#define FEED_ORIGIN "control.example.org/feed/ten_8fJ2kQpL0aZx4TyB"
#define FEED_NOW 1790000000 /* when everything is issued, unless said otherwise */

struct signer {
	struct note_key key;
	uint8_t secret[ED25519_SECRET_BYTES];
};
/* The same key for the same number, on every run. */
struct signer signer_of(const char *name, uint8_t number);

/* Text and signatures by the signers that are not NULL, in order. */
void feed_sign(struct buffer *note, const struct signer *first, const struct signer *second);
struct feed_trust feed_trust_of(uint64_t version, uint64_t epoch, const struct signer *first,
				const struct signer *second);
struct feed_head feed_head_of(uint64_t epoch, uint64_t revision, const uint8_t chain[SHA256_BYTES], int64_t issued);

/* A feed that goes on: every call adds to what was published. */
#define FEED_DELTAS_MAX 64
struct published {
	struct signer signer;
	char origin[FEED_ORIGIN_MAX];
	uint64_t epoch, revision;
	uint8_t chain[SHA256_BYTES];
	struct buffer deltas[FEED_DELTAS_MAX + 1]; /* by revision */
};
void published_init(struct published *feed, const char *origin, uint64_t epoch, const struct signer *signer);
void published_finish(struct published *feed);
/* A delta of one put, and its bytes. */
const struct buffer *published_put(struct published *feed, const char *kind, const char *id, uint64_t version,
				   const char *body);
/* A delta of any bytes. */
const struct buffer *published_add(struct published *feed, const struct buffer *delta);
/* The signed head. `for_seconds`: until it expires. */
void published_head(const struct published *feed, int64_t issued, int64_t for_seconds, struct buffer *ret);

/* Records for a snapshot: lines "kind id ver body" in any number. Fills note and appends the frame. */
struct line_of {
	const char *kind, *id;
	uint64_t version;
	const char *body;
};
void feed_snapshot_of(struct feed_snapshot *note, const struct line_of *lines, size_t count, struct buffer *ret);
