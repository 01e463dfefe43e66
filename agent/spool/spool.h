/* SPDX-License-Identifier: MIT
 *
 * The audit spool: what happened on this host, durable, sealed, bounded, chained and signed, until everybody who wants
 * it has it (docs/audit-log.md, "The host's chain", "The spool").
 *
 * The loop's thread appends records, which costs a hash and a copy. A thread of the spool's own makes groups durable:
 * one write and one fdatasync each, while the next one gathers. Others read what is durable, from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "base/problem.h"
#include "crypto/note.h"
#include "crypto/seal.h"
#include "trail/chain.h"

enum spool_durability { SPOOL_GROUP, SPOOL_EACH, SPOOL_RELAXED };
enum spool_when_full { SPOOL_DROP, SPOOL_REFUSE };

#define SPOOL_CONSUMERS_MAX 16U
#define SPOOL_NAME_MAX 48U /* of a consumer, with NUL */

struct spool_options {
	const char *directory;           /* /var/lib/tenantd/audit: made when it is not there */
	const struct seal_key *seal_key; /* NULL: -ENOKEY */
	uint64_t max_bytes;              /* of all segments */
	enum spool_durability durability;
	enum spool_when_full when_full;
};
/* What was found at start, or happens to it: each is an event for the caller to write. */
enum spool_finding {
	SPOOL_CHAIN_BEGAN, /* no spool was here, or none that this key opens: detail says which chain, after what */
	SPOOL_REPAIRED,    /* a torn tail was cut: count: bytes */
	SPOOL_DAMAGED,     /* groups that do not open: count: events that are missing, `first` the first of them */
	SPOOL_BROKEN,      /* it cannot be written, or is full: detail. What was appended is tried on, and who waits for
			    * that need not wait longer. Told once, until … */
	SPOOL_WHOLE,       /* … it can again */
	SPOOL_OVERWRITTEN, /* nobody wanted the oldest: told once a start */
	SPOOL_FINDING_COUNT,
};
/* All are called on the loop's thread. */
struct spool_hooks {
	void (*durable)(void *context, uint64_t sequence); /* all up to this one is on disk */
	void (*found)(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail);
	void *context;
};
struct spool;
/* Repairs and reads how far the chain is. What it found is told by `found` from the first turn of the loop on.
 * Negative, with the problem: there can be no spool (no key, no directory); nothing is thrown away then. */
int spool_create(sd_event *event, const struct spool_options *options, const struct spool_hooks *hooks,
		 struct spool **ret, struct problem *problem);
/* Takes NULL. Makes durable what waits, and waits for that. */
void spool_destroy(struct spool *spool);
DEFINE_CLEANUP(struct spool, spool_destroy)
/* The loop's configuration changed. */
void spool_set_policy(struct spool *spool, uint64_t max_bytes, enum spool_durability durability,
		      enum spool_when_full when_full);

/* ---- writing: the loop's thread --------------------------------------------------------------- */
/* What the next leaf has to say. 0; -ENOSPC: there is no room, or the disk refuses: the event is not kept. */
int spool_next(struct spool *spool, struct leaf_link *ret);
/* That leaf, and the line of its personal data. Right after spool_next that said 0. 0; -ENOMEM, -EINVAL (empty, too
 * long, a line end in it): it is not kept, and the chain as it was. */
int spool_append(struct spool *spool, const char *leaf, size_t leaf_length, const char *personal,
		 size_t personal_length);
uint64_t spool_last(const struct spool *spool);    /* the sequence appended last; 0: none ever */
uint64_t spool_durable(const struct spool *spool); /* all up to here is on disk; in relaxed: appended */
/* Is there room for what a sign-in writes? False only under SPOOL_REFUSE. */
bool spool_admits(struct spool *spool);

/* ---- reading: any thread ---------------------------------------------------------------------- */
/* A consumer: what it has not acknowledged is kept. A new name begins with the oldest that is there. */
struct spool_reader;
int spool_reader_open(struct spool *spool, const char *name, struct spool_reader **ret);
void spool_reader_close(struct spool_reader *reader); /* takes NULL; what it has not taken is kept on */
/* It is no consumer any more: nothing is kept for it. -ENOENT, -EBUSY: it is open. */
int spool_reader_drop(struct spool *spool, const char *name);
/* Appends whole groups as they go to the control plane, from the one that holds `from` on, up to about max_bytes (at
 * least one group). *ret_next: the sequence after them. 0; 1: there is nothing durable from there on; -ENOENT: it is
 * not there any more (freed, damaged): *ret_next is the first that is; -EIO. */
int spool_read(struct spool_reader *reader, uint64_t from, size_t max_bytes, struct buffer *ret, uint64_t *ret_next);
uint64_t spool_reader_next(const struct spool_reader *reader); /* the first that is not acknowledged */
/* All before `next`: kept on disk, then freed. Less than before changes nothing; -EINVAL: that far it is not durable.
 */
int spool_acknowledge(struct spool_reader *reader, uint64_t next);
/* Readable when something new is durable. The reader's own. */
int spool_reader_fd(const struct spool_reader *reader);
void spool_reader_rest(struct spool_reader *reader); /* makes it unreadable again */
/* The chain that this reader is in, and its durable end. Sequences are that chain's; the reader goes on to the next
 * chain when it has acknowledged all of this one; then spool_reader_next begins anew, and the descriptor is readable.
 * An old chain whose every file was damaged has lost its key: only its name is right then. */
void spool_reader_head(struct spool_reader *reader, struct note_key *ret_key, struct chain_head *ret);
/* Of the newest chain, as of the durable end. */
void spool_head(struct spool *spool, struct note_key *ret_key, struct chain_head *ret);
/* Signs as the host's witness key (lib/tlog/checkpoint.h) and other words of the chain's key. */
int spool_sign(struct spool *spool, const void *data, size_t length, uint8_t signature[ED25519_SIGNATURE_BYTES]);
/* Another chain from here on: this one's history is not what the control plane has. What is there stays readable until
 * everybody has it or gave it up. The loop's thread goes on to it in its next turn, after `durable` was called for all
 * of the old one; sequences, keys and heads are the new one's from then on. */
int spool_begin_chain(struct spool *spool, const char *why);

struct spool_state {
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t last, durable, oldest; /* sequences */
	uint64_t bytes, max_bytes, segments;
	uint64_t groups, syncs, sync_usec;   /* since start; sync_usec: all of them together */
	uint64_t dropped;                    /* events that were not kept, since start */
	uint64_t dropped_untold;             /* of those, since the last gap record */
	int64_t dropped_first, dropped_last; /* wall clock; of the untold */
	uint32_t consumers;
	struct {
		char name[SPOOL_NAME_MAX];
		uint64_t next;    /* of the chain that it is in */
		uint64_t waiting; /* durable events that it has not acknowledged, of all chains */
	} consumer[SPOOL_CONSUMERS_MAX];
	char problem[256]; /* why it cannot be written; "" */
};
void spool_state(struct spool *spool, struct spool_state *ret);
/* The untold are told: an audit-gap was appended. */
void spool_gap_told(struct spool *spool, uint64_t count);
