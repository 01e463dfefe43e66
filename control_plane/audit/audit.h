/* SPDX-License-Identifier: MIT
 *
 * The central audit log (docs/audit-log.md): events come into the inbox, in the transaction of what they are about or
 * as a host's groups; one sequencer for each log gives them their place in the tree and signs checkpoints.
 *
 * A log is named by its tenant's id, "" for the platform's. Transactions are scoped to it (tenant_id, or platform).
 */
#pragma once

#include <jansson.h>

#include "control_plane/db/db.h"
#include "control_plane/http/request.h"
#include "tlog/checkpoint.h"
#include "tlog/tlog.h"
#include "trail/leaf.h"

struct app;
struct audit_log;

/* `serving`: with the sequencer's thread; else only what transactions need. `ret` is app->audit_log. */
int audit_log_create(struct app *app, bool serving, struct audit_log **ret, struct problem *problem);
void audit_log_destroy(struct audit_log *log); /* takes NULL */
DEFINE_CLEANUP(struct audit_log, audit_log_destroy)

/* ---- into the inbox (inbox.c) ----------------------------------------------------------------- */
/* Records of one log, in order, each with its leaf read and its personal data in the clear: sealed here (persons.h).
 * Queued in `tx`, whose scope is that log's. After its commit: audit_log_wake. -ENOENT: its tenant is gone, and the log
 * has ended; nothing was done, and the transaction is still good. */
struct inbox_record {
	const char *leaf; /* the bytes that are hashed */
	size_t length;
	const struct leaf *read;
	const struct personal_list *personal;
};
int inbox_put(struct app *app, struct db_tx *tx, const char *log_id, const char *host_id, const char *host_name,
	      const struct inbox_record *records, uint32_t count);
/* There is something in this log's inbox. Cheap, any thread. NULL `app->audit_log` is none. */
void audit_log_wake(struct app *app, const char *log_id);

/* ---- sequencing (sequencer.c) ----------------------------------------------------------------- */
/* Takes all that is in a log's inbox now into the tree, in as many transactions as it needs, here and now: who reads
 * afterwards sees what was committed before. Only where that is more than can be done in three seconds the rest is left
 * to the sequencer. Another one at it is waited for. 0, -EAGAIN, -EBUSY, -EIO. */
int sequence_now(struct app *app, const char *log_id);

/* ---- the tree as it is stored (tree.c) --------------------------------------------------------- */
struct log_head {
	struct tlog_frontier frontier; /* of all that is sequenced */
	char *note;                    /* the newest checkpoint; NULL: none yet. Owned */
	uint64_t signed_size;          /* of that one */
};
void log_head_finish(struct log_head *head);
int log_head_load(struct db_tx *tx, const char *log_id, struct log_head *ret);
/* Proofs and tiles for any size up to the sequenced one. -EINVAL, -EAGAIN, -EIO. */
int log_prove_inclusion(struct db_tx *tx, const char *log_id, uint64_t index, uint64_t size, struct tlog_proof *ret);
int log_prove_consistency(struct db_tx *tx, const char *log_id, uint64_t from, uint64_t to, struct tlog_proof *ret);
int log_root(struct db_tx *tx, const char *log_id, uint64_t size, struct tlog_hash *ret);
struct tlog_tile;
/* The first `tile->width` hashes of a tile. -EINVAL: the log does not have so many. */
int log_tile(struct db_tx *tx, const char *log_id, const struct tlog_tile *tile, struct tlog_hash *ret);

/* "<authority>/audit/ten_…", "<authority>/audit/platform". */
int log_origin(struct app *app, const char *log_id, char ret[CHECKPOINT_ORIGIN_MAX]);
/* The vkeys that its checkpoints are signed by now. Owned array of strings. */
int log_keys(struct app *app, struct db_tx *tx, const char *log_id, json_t **ret);
