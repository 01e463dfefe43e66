/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share.
 */
#pragma once

#include <stdatomic.h>

#include "control_plane/feed/channel.h"
#include "control_plane/feed/keys.h"
#include "control_plane/feed/publisher.h"
#include "control_plane/feed/row.h"
#include "feed/delta.h"

struct channels;  /* streams.c */
struct announcer; /* announce.c */
struct watch;     /* watch.c */
struct acks;      /* acks.c */
struct makers;    /* snapshots.c */

struct publisher {
	struct app *app;
	struct signer *signer;
	struct keyring *keyring;
	/* All NULL for the command line. */
	struct channels *channels;
	struct announcer *announcer;
	struct watch *watch;
	struct acks *acks;
	struct makers *makers;
	_Atomic bool draining;
	_Atomic uint64_t streams; /* open now */
	struct {
		_Atomic uint64_t opened, refused, cut, gaps, revisions, heads, snapshots, acks, wake_usec;
	} counts;
};

/* A revision, or several, that a transaction has published. */
struct published {
	const char *tenant_id;
	uint64_t epoch, first, count;
	const struct buffer *deltas; /* of `first` and those after it */
	const char *head;
	size_t head_length;
	int64_t head_issued, head_expires;
};
/* After the commit: into the channel (where the tenant has one here), then to other replicas. */
void publisher_announce(struct publisher *publisher, const struct published *published);

/* ---- writing revisions (revision.c) ---- */
/* Deltas of one feed, written one after the other under the row's lock. */
struct revision_writer {
	struct publisher *publisher;
	struct db_tx *tx;
	struct feed_row row; /* as of the newest delta */
	struct feed_signers signers;
	struct buffer *deltas; /* each one, with its bytes; owned */
	uint32_t count;
	uint32_t ops; /* in the open one … */
	bool secret;  /* … and it must not be read from the database (at_rest.h) */
};
int revision_begin(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, struct revision_writer *ret);
/* `kind` as the delta says it; body NULL for deletions. Begins another delta where this one would be too large. */
int revision_add(struct revision_writer *writer, enum delta_op op, const char *kind, const char *id, uint64_t version,
		 const char *body, size_t length);
/* Chain, head and row; what it queues goes with the next statement or the commit. */
int revision_end(struct revision_writer *writer, struct buffer *ret_head, int64_t *ret_issued, int64_t *ret_expires);
void revision_finish(struct revision_writer *writer);
/* Puts the row's head in order after epoch, keys or chain changed: signs and queues the UPDATE of the whole row. */
int revision_store_row(struct publisher *publisher, struct db_tx *tx, const struct feed_signers *signers,
		       struct feed_row *row, struct buffer *ret_head);
