/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share: the sequencer's thread and its list of logs, the tree's writer, signing.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "control_plane/audit/audit.h"
#include "crypto/note.h"

#define AUDIT_END_LOCK \
	"716635331"          /* class of advisory locks: shared by who writes into a tenant's log, taken by its end */
#define AUDIT_NAMED_MAX 256U /* logs that the thread was told of, at once; beyond that it looks for itself */

struct audit_log {
	struct app *app;
	pthread_mutex_t lock;
	struct note_key authority; /* name "": not read yet */
	/* The sequencer's thread (sequencer.c). */
	bool running;
	_Atomic bool stopping;
	bool look; /* in the database: which ones there are */
	pthread_t thread;
	pthread_cond_t wake;
	char named[AUDIT_NAMED_MAX][LEAF_ID_MAX];
	uint32_t named_count;
	struct {
		_Atomic uint64_t accepted, repeated, malformed, forks, missing; /* events of hosts */
		_Atomic uint64_t sequenced, checkpoints, failures;
		_Atomic uint64_t wait_usec; /* of the newest round: from the oldest arrival to its checkpoint */
	} counts;
};
int sequencer_start(struct audit_log *log);
void sequencer_stop(struct audit_log *log);
/* All that is in a log's inbox, in the caller's transaction, which is in its scope. */
int sequence_in(struct app *app, struct db_tx *tx, const char *log_id);

/* ---- what is added to a log (entries.c) -------------------------------------------------------------------------- */
/* Records in order, made ready to be inserted by one statement each for entries and personal data. */
struct entry_batch;
int entry_batch_new(uint64_t first, struct entry_batch **ret);
void entry_batch_free(struct entry_batch *batch); /* takes NULL */
DEFINE_CLEANUP(struct entry_batch, entry_batch_free)
/* All of an inbox row. What it holds was judged when it came in; a leaf that cannot be read all the same gets its place
 * with what is known of it, since nothing may hold up a log. */
int entry_batch_add(struct entry_batch *batch, const char *host_id, const char *host_name, const char *records);
uint32_t entry_batch_count(const struct entry_batch *batch);
const struct tlog_hash *entry_batch_hashes(const struct entry_batch *batch);
/* Queued. `at`: a timestamptz as text. */
int entry_batch_insert(struct entry_batch *batch, struct db_tx *tx, const char *log_id, const char *at);

/* ---- tiles (tiles.c) --------------------------------------------------------------------------------------------- */
/* The tiles that these `count` new leaves, from `size` on, make whole. Queued; asks for what came before them. */
int tiles_add(struct db_tx *tx, const char *log_id, uint64_t size, const struct tlog_hash *leaves, uint32_t count);
/* Hashes next to each other as one bytea, in order: of leaves ($1 the log, from $2 up to $3), and of the roots of
 * tiles ($1 the log, $2 their level, from $3 up to $4). Leaves that left with their partition before their tile was
 * whole have left their hash in audit_edges. */
#define AUDIT_LEAF_HASHES_SQL                                                                                        \
	"SELECT string_agg(hash, ''::bytea ORDER BY idx) FROM (SELECT idx, hash FROM control.audit_entries WHERE "   \
	"tenant_id = $1 AND idx >= $2::bigint AND idx < $3::bigint UNION SELECT idx, hash FROM control.audit_edges " \
	"WHERE tenant_id = $1 AND idx >= $2::bigint AND idx < $3::bigint) AS h"
#define AUDIT_ROOTS_SQL                                                                                            \
	"SELECT string_agg(root, ''::bytea ORDER BY n) FROM control.audit_tiles WHERE tenant_id = $1 AND level = " \
	"$2::smallint AND n >= $3::bigint AND n < $4::bigint"
int hashes_from_rows(const struct db_rows *rows, uint32_t row, unsigned column, struct tlog_hash *ret, uint32_t most,
		     uint32_t *ret_count); /* -EBADMSG: not a number of whole hashes, or more than `most` */

/* ---- signing (checkpoint.c) -------------------------------------------------------------------------------------- */
/* The platform's key, made where there is none. `tx` NULL, or in platform scope: used for reading alone. */
int authority_key(struct app *app, struct db_tx *tx, struct note_key *ret);
/* The checkpoint of this tree, signed. `trust_version`: of the tenant's feed (0: none). -ENOKEY: nobody can sign. */
int checkpoint_sign(struct app *app, struct db_tx *tx, const char *log_id, uint64_t trust_version,
		    const struct tlog_frontier *frontier, struct buffer *ret);
