/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/sink_cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/app.h"

/* Longer than a batch may take; a replica that dies keeps a log from its sink for so long. */
#define HOLD "interval '60 seconds'"
#define NUMBER_SIZE 24U

static const char *number_of(uint64_t value, char out[NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRIu64, value);
	return out;
}

int sink_logs_waiting(struct app *app, const char *sink, const char *holder, bool events, bool checkpoints,
		      char (*ret)[LEAF_ID_MAX], uint32_t most, uint32_t *ret_count)
{
	const struct db_scope scope = {.platform = true, .read_only = true, .once = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char number[NUMBER_SIZE];
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT control.audit_unsent($1, $2, $3::boolean, $4::boolean, $5::integer)",
			   sink, holder, events ? "true" : "false", checkpoints ? "true" : "false",
			   number_of(most, number));
	if (r < 0)
		return r;
	*ret_count = MIN_OF(db_row_count(rows), most);
	for (uint32_t i = 0; i < *ret_count; i++)
		(void)snprintf(ret[i], LEAF_ID_MAX, "%s", db_text(rows, i, 0));
	return 0;
}

int sink_cursor_claim(struct db_tx *tx, const char *sink, const char *holder, struct sink_cursor *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *cursor = NULL, *log = NULL;
	int r = db_switch_tenant(tx, ret->log_id);

	if (r == 0)
		r = db_run(tx, &cursor,
			   "INSERT INTO control.audit_cursors AS c (sink, tenant_id, holder, held_until) VALUES ($1, "
			   "$2, $3, "
			   "clock_timestamp() + " HOLD ") ON CONFLICT (sink, tenant_id) DO UPDATE SET holder = $3, "
			   "held_until = clock_timestamp() + " HOLD " WHERE c.holder = $3 OR c.held_until < "
			   "clock_timestamp() RETURNING next, checkpoint_size",
			   sink, ret->log_id, holder);
	if (r < 0 || db_row_count(cursor) == 0)
		return r < 0 ? r : 1;
	r = db_run(tx, &log, "SELECT size, first_idx FROM control.audit_logs WHERE tenant_id = $1", ret->log_id);
	if (r < 0 || db_row_count(log) == 0)
		return r < 0 ? r : 1;
	ret->next = (uint64_t)db_i64(cursor, 0, 0);
	ret->checkpoint_size = (uint64_t)db_i64(cursor, 0, 1);
	ret->size = (uint64_t)db_i64(log, 0, 0);
	ret->first = (uint64_t)db_i64(log, 0, 1);
	return 0;
}

static int store_one(struct db_tx *tx, const char *sink, const char *holder, const struct sink_cursor *cursor,
		     const char *error)
{
	char numbers[4][NUMBER_SIZE];
	int r = db_switch_tenant(tx, cursor->log_id);

	return r < 0 ? r
		     : db_later(tx,
				"UPDATE control.audit_cursors SET next = greatest(next, $4::bigint), checkpoint_size = "
				"greatest(checkpoint_size, $5::bigint), sent = sent + $6::bigint, dead = dead + "
				"$7::bigint, error = $8, at = clock_timestamp(), holder = CASE holder WHEN $3 THEN '' "
				"ELSE holder END, held_until = CASE holder WHEN $3 THEN '-infinity'::timestamptz ELSE "
				"held_until END WHERE sink = $1 AND tenant_id = $2",
				sink, cursor->log_id, holder, number_of(cursor->next, numbers[0]),
				number_of(cursor->checkpoint_size, numbers[1]), number_of(cursor->sent, numbers[2]),
				number_of(cursor->dead, numbers[3]), error);
}

int sink_cursors_store(struct app *app, const char *sink, const char *holder, const struct sink_cursor *cursors,
		       uint32_t count, const char *error)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = count > 0 ? db_begin(app->db, &scope, &tx) : 0;

	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = store_one(tx, sink, holder, &cursors[i], error);
	return r < 0 || count == 0 ? r : db_commit(TAKE_PTR(tx));
}
