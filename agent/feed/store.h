/* SPDX-License-Identifier: MIT
 *
 * What rests on disk of one feed, sealed, in a folder of its own:
 *
 *     state         trust documents, head, snapshot note, and the generation that they go with; replaced whole
 *     snapshot.<g>  a generation's snapshot as it came, in pieces
 *     deltas.<g>    the deltas after it, appended
 *
 * A new generation is written beside the one in use and comes into force with `state`. Deltas are appended before the
 * head that covers them is in `state`, so whatever moment a crash takes, the state finds all that it speaks of; what
 * lies past its head counts for nothing and is cut off by the next append. Everything that returned 0 is on disk.
 */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "crypto/seal.h"

#define BOOT_ID_BYTES 36U

struct feed_state_file {
	uint64_t generation;  /* 0: no snapshot yet */
	uint64_t fresh_until; /* of the head, CLOCK_BOOTTIME of that boot */
	char boot_id[BOOT_ID_BYTES + 1];
	struct buffer trusts;         /* notes, each with its length before it (feed_state_file_next_trust) */
	struct buffer head, snapshot; /* notes; empty: none */
};
void feed_state_file_finish(struct feed_state_file *state);
int feed_state_file_add_trust(struct feed_state_file *state, const char *note, size_t length);
/* Walks `trusts` from *at = 0; false at the end. */
bool feed_state_file_next_trust(const struct feed_state_file *state, size_t *at, const char **ret_note,
				size_t *ret_length);

struct feed_store;
/* `key` NULL: nothing is kept, all writes succeed and all reads give -ENOENT. Makes the folder. */
int feed_store_open(const char *directory, const struct seal_key *key, struct feed_store **ret);
void feed_store_close(struct feed_store *store); /* takes NULL */
DEFINE_CLEANUP(struct feed_store, feed_store_close)

/* -ENOENT: none; -EBADMSG: damaged or another host's. */
int feed_store_load(struct feed_store *store, struct feed_state_file *ret);
/* Generations older than the state's are removed afterwards. */
int feed_store_save(struct feed_store *store, const struct feed_state_file *state);

/* A new generation: begun (empty snapshot and deltas, and room on disk for `bytes` of the former), then pieces of the
 * snapshot, then synced. Or abandoned, and its room given back. */
int feed_store_begin(struct feed_store *store, uint64_t generation, uint64_t bytes);
int feed_store_add_piece(struct feed_store *store, const void *data, size_t length);
int feed_store_sync_snapshot(struct feed_store *store);
void feed_store_abandon(struct feed_store *store, uint64_t generation);
/* Would feed_store_begin go well? Not while it is being written. */
bool feed_store_has_room(struct feed_store *store, uint64_t generation, uint64_t bytes);
/* Appends to a generation's deltas at `offset`, cutting off what is there; the new end in *ret_end. Not on disk before
 * feed_store_sync_deltas. */
int feed_store_add_delta(struct feed_store *store, uint64_t generation, uint64_t offset, const void *data,
			 size_t length, uint64_t *ret_end);
int feed_store_sync_deltas(struct feed_store *store, uint64_t generation);

/* Gives the plain pieces in order; `end`: where the piece ends in the file. Non-zero of the callback stops and is
 * returned. An unfinished piece at the end is no error. */
typedef int (*feed_store_piece_fn)(void *context, const char *data, size_t length, uint64_t end);
int feed_store_read_snapshot(struct feed_store *store, uint64_t generation, feed_store_piece_fn piece, void *context);
int feed_store_read_deltas(struct feed_store *store, uint64_t generation, feed_store_piece_fn piece, void *context);

int feed_store_wipe(struct feed_store *store); /* removes all and the folder */
