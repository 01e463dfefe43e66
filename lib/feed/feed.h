/* SPDX-License-Identifier: MIT
 *
 * The feed's format (docs/feed.md): trust documents, heads, snapshot notes, the chain. Used by the control plane
 * to write, by the agent and tenantctl to check. Plain values; no clock, no files, no network.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/problem.h"
#include "crypto/digest.h"
#include "crypto/note.h"

#define FEED_ORIGIN_MAX 224U /* with NUL */
#define FEED_KEYS_MAX 8U
#define FEED_DELTA_BYTES_MAX (4U * 1024 * 1024)
#define FEED_FUTURE_SEC 300 /* how far ahead a note's time may be */

/* Why something was refused: each has a word for machines (feed_fault_word) and goes into `problem` too. */
enum feed_fault {
	FEED_FINE,
	FEED_MALFORMED,     /* not of the form, truncated, unknown field */
	FEED_UNSIGNED,      /* no signature by a key we trust (stripped, re-signed by a stranger) */
	FEED_BAD_SIGNATURE, /* a trusted key's signature does not verify */
	FEED_OTHER_ORIGIN,  /* another tenant's or authority's */
	FEED_OTHER_EPOCH,
	FEED_ROLLBACK,    /* older than what we have */
	FEED_FORK,        /* the same revision, another chain */
	FEED_GAP,         /* does not follow on what we have */
	FEED_OTHER_CHAIN, /* the deltas are not those that the head binds */
	FEED_EXPIRED,
	FEED_FUTURE,
	FEED_TOO_LARGE,  /* over a limit; zip bombs */
	FEED_BAD_DIGEST, /* bytes other than the note's hash says */
	FEED_BAD_RECORD, /* signed, but a record that no host may take */
	FEED_FAULT_COUNT,
};
const char *feed_fault_word(enum feed_fault fault); /* "rollback" */

struct feed_trust {
	char origin[FEED_ORIGIN_MAX];
	uint64_t version, epoch;
	int64_t issued;
	struct note_key keys[FEED_KEYS_MAX];
	uint32_t key_count;
};
struct feed_head {
	char origin[FEED_ORIGIN_MAX];
	uint64_t epoch, revision;
	uint8_t chain[SHA256_BYTES];
	int64_t issued, expires;
};
struct feed_snapshot {
	char origin[FEED_ORIGIN_MAX];
	uint64_t epoch, revision;
	uint8_t chain[SHA256_BYTES], sha256[SHA256_BYTES];
	uint64_t bytes, plain, records;
	int64_t issued;
};

/* Which tenants a host serves, by the platform's authority key. A plain value. */
#define FEED_ASSIGNED_MAX 64U
struct feed_assigned {
	char tenant_id[64];
	uint8_t trust[SHA256_BYTES]; /* of the newest trust document, the whole note */
};
struct feed_assignment {
	char authority[FEED_ORIGIN_MAX], host_id[64];
	uint64_t version;
	int64_t issued;
	struct feed_assigned tenants[FEED_ASSIGNED_MAX]; /* ascending */
	uint32_t tenant_count;
	uint8_t digest[SHA256_BYTES]; /* of the text, as it was read */
};

/* That a host is out of service, by the platform's authority key: for one that was not there to hear it. A plain
 * value. */
#define FEED_HOST_KEY_MAX 64U /* with NUL */
struct feed_disabled {
	char authority[FEED_ORIGIN_MAX], host_id[64];
	char key[FEED_HOST_KEY_MAX]; /* the thumbprint of the key that it enrolled with: it says nothing of a later one
				      */
	int64_t issued;
};

/* The texts, without signatures: append. 0 or -ENOMEM. Sign with note_sign. */
int feed_trust_write(const struct feed_trust *trust, struct buffer *ret);
int feed_head_write(const struct feed_head *head, struct buffer *ret);
int feed_snapshot_write(const struct feed_snapshot *snapshot, struct buffer *ret);
int feed_assignment_write(const struct feed_assignment *assignment, struct buffer *ret);
int feed_disabled_write(const struct feed_disabled *disabled, struct buffer *ret);

/* Reads and verifies; FEED_FINE, or why not with the problem. `before` NULL: the first trust document, which only has
 * to be signed by all of its own keys; else it must be before's version + 1 (FEED_GAP, FEED_ROLLBACK). */
enum feed_fault feed_trust_read(const char *note, size_t length, const struct feed_trust *before,
				struct feed_trust *ret, struct problem *problem);
/* Origin, epoch and signature by `trust`; `now` (0: do not look at times) against issued and expires. Whether it is
 * older than what one has is for feed_head_follows. */
enum feed_fault feed_head_read(const char *note, size_t length, const struct feed_trust *trust, int64_t now,
			       struct feed_head *ret, struct problem *problem);
enum feed_fault feed_snapshot_read(const char *note, size_t length, const struct feed_trust *trust, int64_t now,
				   struct feed_snapshot *ret, struct problem *problem);
/* By that key alone, whose name is the authority. For whom it is and how new is for the caller. */
enum feed_fault feed_assignment_read(const char *note, size_t length, const struct note_key *key,
				     struct feed_assignment *ret, struct problem *problem);
/* The same: that host and key are one's own, and the time, are for the caller. */
enum feed_fault feed_disabled_read(const char *note, size_t length, const struct note_key *key,
				   struct feed_disabled *ret, struct problem *problem);
/* May `next` come after `have`? FEED_ROLLBACK, FEED_FORK, FEED_OTHER_EPOCH, or FEED_FINE (also for a renewal). */
enum feed_fault feed_head_follows(const struct feed_head *have, const struct feed_head *next, struct problem *problem);

int feed_chain_start(const char *origin, uint64_t epoch, uint8_t chain[SHA256_BYTES]);
int feed_chain_add(uint8_t chain[SHA256_BYTES], const void *delta, size_t length);
bool feed_origin_valid(const char *origin);
