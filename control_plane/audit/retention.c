/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control_plane/app.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/event.h"
#include "control_plane/audit/frontier.h"
#include "tlog/tile.h"

#define NUMBER_SIZE 24U
#define ATTEMPTS 3

static const char *number_of(uint64_t value, char out[NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRIu64, value);
	return out;
}

/* ---- one log --------------------------------------------------------------------------------------------------------
 */

static int record_frontier(struct db_tx *tx, const char *log_id, const struct tlog_frontier *frontier)
{
	_cleanup_(freep) char *hashes =
		db_hex(frontier->hashes, tlog_frontier_count(frontier->size) * sizeof(frontier->hashes[0]));
	_cleanup_(freep) char *hex = NULL;
	struct tlog_hash root;
	char size[NUMBER_SIZE];
	int r = tlog_frontier_root(frontier, &root);

	if (r < 0)
		return r;
	hex = db_hex(root.bytes, sizeof(root.bytes));
	if (!hashes || !hex)
		return -ENOMEM;
	return db_later(tx,
			"INSERT INTO control.audit_frontiers (tenant_id, size, hashes, root) VALUES ($1, $2::bigint, "
			"$3, $4) ON CONFLICT DO NOTHING",
			log_id, number_of(frontier->size, size), hashes, hex);
}

/* A tile that is not whole yet is made of its leaves' hashes, some of which are about to go. */
static int keep_edge(struct db_tx *tx, const char *log_id, uint64_t size)
{
	char from[NUMBER_SIZE], to[NUMBER_SIZE];

	return db_later(tx,
			"INSERT INTO control.audit_edges (tenant_id, idx, hash) SELECT e.tenant_id, e.idx, e.hash FROM "
			"control.audit_entries e WHERE e.tenant_id = $1 AND e.idx >= $2::bigint AND e.idx < $3::bigint "
			"ON CONFLICT DO NOTHING",
			log_id, number_of(size - size % TLOG_TILE_WIDTH, from), number_of(size, to));
}

static int tell(struct app *app, struct db_tx *tx, const char *log_id, uint64_t before, uint64_t size)
{
	_cleanup_(json_decrefp) json_t *data =
		json_pack("{s:I, s:I}", "from", (json_int_t)before, "to", (json_int_t)size);
	const struct control_event event = {.log_id = log_id, .kind = "audit.drop", .target = log_id, .data = data};

	/* A log whose tenant is gone grows no more: that is told in the platform's. */
	return data ? control_event_put_late(app, tx, &event) : -ENOMEM;
}

/* 0; 1: it was done before. */
static int retire_in(struct app *app, struct db_tx *tx, const char *log_id, uint64_t size)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(log_head_finish) struct log_head head = {0};
	struct tlog_frontier frontier;
	char text[NUMBER_SIZE];
	uint64_t before;
	int r = db_run(tx, &rows, "SELECT first_idx FROM control.audit_logs WHERE tenant_id = $1 FOR UPDATE", log_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return -EIO;
	before = (uint64_t)db_i64(rows, 0, 0);
	if (before >= size)
		return 1;
	r = log_head_load(tx, log_id, &head);
	if (r == 0)
		r = log_frontier(tx, log_id, size, &head, &frontier);
	if (r == 0)
		r = record_frontier(tx, log_id, &frontier);
	if (r == 0)
		r = keep_edge(tx, log_id, size);
	if (r == 0)
		r = db_later(tx, "UPDATE control.audit_logs SET first_idx = $2::bigint WHERE tenant_id = $1", log_id,
			     number_of(size, text));
	return r < 0 ? r : tell(app, tx, log_id, before, size);
}

static int retire_log(struct app *app, const char *log_id, uint64_t size, struct retired *retired)
{
	const struct db_scope scope = {.tenant_id = *log_id ? log_id : NULL, .platform = true};
	int r = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && r == -EAGAIN; i++) {
		_cleanup_(db_rollbackp) struct db_tx *tx = NULL;

		r = db_begin(app->db, &scope, &tx);
		if (r == 0)
			r = retire_in(app, tx, log_id, size);
		if (r == 0)
			r = db_commit(TAKE_PTR(tx));
		if (r == 0)
			retired->logs++;
	}
	if (r == 0)
		audit_log_wake(app, log_id);
	return MIN_OF(r, 0);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------
 */

static int retire_logs(struct app *app, struct retired *retired)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT b.tenant_id, b.size FROM (SELECT control.audit_entries_end() AS at) AS t, LATERAL "
			   "control.audit_ends_before(t.at) AS b WHERE t.at IS NOT NULL");
	db_rollback(TAKE_PTR(tx));
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = retire_log(app, db_text(rows, i, 0), (uint64_t)db_i64(rows, i, 1), retired);
	return r;
}

/* First, and by itself: it waits for no tree. */
static int drop_personal(struct app *app, struct retired *retired)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT control.audit_drop_personal()");
	if (r == 0)
		retired->personal_months = (uint32_t)db_i64(rows, 0, 0);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

static int drop(struct app *app, struct retired *retired)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT entries_months, personal_months FROM control.audit_drop_old()");
	if (r == 0 && db_row_count(rows) == 1) {
		retired->entries_months = (uint32_t)db_i64(rows, 0, 0);
		retired->personal_months += (uint32_t)db_i64(rows, 0, 1);
	}
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

int audit_retire(struct app *app, struct retired *ret)
{
	struct retired retired = {0};
	int r = drop_personal(app, &retired);

	if (r == 0)
		r = retire_logs(app, &retired);
	if (r == 0)
		r = drop(app, &retired);
	if (retired.entries_months > 0 || retired.personal_months > 0)
		log_notice("audit log: %" PRIu32 " months of entries and %" PRIu32
			   " of personal data are past their window "
			   "and gone",
			   retired.entries_months, retired.personal_months);
	if (r == 0 && ret)
		*ret = retired;
	return r;
}
