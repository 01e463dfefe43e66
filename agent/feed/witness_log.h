/* SPDX-License-Identifier: MIT
 *
 * What this host has seen of one log, and whether what it is shown next can be the same log (docs/audit-log.md,
 * "Witnesses"). Rests sealed in <state>/witness/<tenant id>, or "platform"; no network, no clock.
 */
#pragma once

#include "base/problem.h"
#include "crypto/note.h"
#include "crypto/seal.h"
#include "feed/feeds.h"
#include "tlog/checkpoint.h"
#include "tlog/tlog.h"
#include "trail/leaf.h"

#define WITNESS_PICKS_MAX 8U

/* An event of this host for which there is a receipt: it must be in the log, and stay there. */
struct witness_pick {
	char id[LEAF_ID_MAX];
	struct tlog_hash hash;
	uint64_t index;
	bool placed;      /* it was seen in the log, at `index` */
	uint64_t at_usec; /* CLOCK_BOOTTIME when it came, or began to be looked for here */
	/* While it is not placed: the tenant whose log was not looked at when it came ("": that of this log), and that
	 * one log did not have it already. */
	char tenant_id[FEED_TENANT_ID_MAX];
	bool moved;
};
struct witness_log {
	char tenant_id[FEED_TENANT_ID_MAX]; /* "": the platform's */
	char origin[CHECKPOINT_ORIGIN_MAX]; /* "": nothing was seen yet */
	char *note;                         /* the last good checkpoint; NULL: none. Owned */
	uint64_t size;                      /* of it */
	struct tlog_hash root;
	int64_t forked_at; /* wall clock: when something was shown that cannot be; 0: never */
	struct witness_pick picks[WITNESS_PICKS_MAX];
	uint32_t pick_count;
};
void witness_log_finish(struct witness_log *log);
/* 0; -ENOENT: nothing is kept; -EBADMSG: what is kept cannot be used. `log` has its tenant_id, and nothing else. */
int witness_log_load(const char *state_dir, const struct seal_key *key, struct witness_log *log);
int witness_log_store(const char *state_dir, const struct seal_key *key, const struct witness_log *log);
void witness_wipe(const char *state_dir); /* of all logs */

/* Takes the place of one that was seen in the log already; where there is none such, it is left out. */
void witness_log_add_pick(struct witness_log *log, const struct witness_pick *pick);
void witness_log_drop_pick(struct witness_log *log, const char *id);

/* What was asked for, and what came. */
struct witness_question {
	uint64_t from;            /* the consistency proof begins there */
	bool about_event;         /* … and `pick` is looked for */
	struct witness_pick pick; /* a copy */
};
struct witness_answer {
	const char *note; /* borrowed */
	size_t length;
	struct tlog_proof consistency;
	bool has_inclusion; /* else it is not there */
	uint64_t index;
	struct tlog_proof inclusion;
};
/* The answer's JSON, strictly; *ret_json owns what is borrowed. 0, -EBADMSG with the problem. */
int witness_answer_read(const char *body, size_t length, json_t **ret_json, struct witness_answer *ret,
			struct problem *problem);

enum witness_verdict {
	WITNESS_FINE,
	WITNESS_ABSENT, /* in order, and without the event (not placed before): it may be elsewhere, or late */
	WITNESS_UNSURE, /* not signed by a key that is known here, or not of the form: it proves nothing */
	/* Signed, and not the log that was seen: the problem says how, and witness_verdict_word. */
	WITNESS_SHRUNK,
	WITNESS_REWRITTEN,
	WITNESS_UNPROVED,
	WITNESS_LACKING,
	WITNESS_VERDICT_COUNT,
};
const char *witness_verdict_word(enum witness_verdict verdict);
enum witness_verdict witness_judge(const struct witness_log *log, const char *origin, const struct note_key *keys,
				   uint32_t key_count, const struct witness_question *question,
				   const struct witness_answer *answer, struct checkpoint *ret,
				   struct problem *problem);
/* It is the last good one from now on. 0, -ENOMEM. */
int witness_log_take(struct witness_log *log, const struct checkpoint *checkpoint, const struct witness_answer *answer,
		     const struct witness_question *question);
