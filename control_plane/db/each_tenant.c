/* SPDX-License-Identifier: MIT */
#include "control_plane/db/db.h"

int db_each_tenant(struct db *db, int (*each)(void *context, struct db_tx *tx, const char *tenant_id), void *context)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT id FROM control.tenants ORDER BY id");
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		r = db_switch_tenant(tx, db_text(rows, i, 0));
		if (r == 0)
			r = each(context, tx, db_text(rows, i, 0));
	}
	return r == 0 ? db_commit(TAKE_PTR(tx)) : r;
}
