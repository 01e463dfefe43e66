/* SPDX-License-Identifier: MIT
 *
 * Snapshots: made in the background by one thread, one at a time; kept in the database under their hash. A new one is
 * due when the newest is so many deltas, or bytes of deltas, behind. Old ones go, and old deltas with them.
 */
#pragma once

#include "control_plane/feed/internal.h"

int makers_create(struct publisher *publisher, struct makers **ret);
void makers_destroy(struct makers *makers); /* takes NULL */
/* Somebody waits for it. */
void makers_want(struct makers *makers, const char *tenant_id);

/* The newest of the feed's epoch, in a transaction of the tenant's scope: its note (malloc'd). `must`: not one that is
 * far behind. -ENOENT: there is none. */
int snapshot_find(struct db_tx *tx, const char *tenant_id, bool must, char **ret_note);
/* Makes and stores one now. -EBUSY: somebody else does. */
int snapshot_make(struct publisher *publisher, const char *tenant_id);
/* Deletes what nobody needs any more. */
int snapshot_prune(struct publisher *publisher, const char *tenant_id);

/* ---- blobs: a snapshot's bytes, shared by all who download them just now (blobs.c) ---- */
struct blob {
	struct blob *next;
	uint32_t references;
	char tenant_id[64], sha256[65];
	size_t length;
	uint8_t *bytes;
};
/* -ENOENT. `key`: of what rests sealed. */
int blob_get(const struct seal_key *key, struct db_tx *tx, const char *tenant_id, const char *sha256,
	     struct blob **ret);
void blob_put(struct blob *blob); /* takes NULL */
struct stream;
/* Bytes first … last of it; takes the reference. NULL: out of memory. */
struct stream *blob_stream(struct blob *blob, size_t first, size_t last);
