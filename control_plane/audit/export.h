/* SPDX-License-Identifier: MIT
 *
 * Exports of a log (docs/audit-log.md, "Export"), piece by piece: each piece is read in a transaction of its own, so an
 * export of any length holds none.
 */
#pragma once

#include "base/buffer.h"
#include "control_plane/audit/reading.h"

struct export;
/* `tx` is in the log's scope, after sequence_now. `filter` is copied, with its texts; its `to` 0: all that the newest
 * checkpoint has. 0; -ENODATA: nothing is signed yet; -ERANGE: indices that the checkpoint does not have, or that are
 * gone (the first that is there is in *ret_first, the size in *ret_size). */
int export_new(struct app *app, struct db_tx *tx, const char *log_id, const struct audit_filter *filter,
	       struct export **ret, uint64_t *ret_first, uint64_t *ret_size);
void export_free(struct export *export); /* takes NULL */
DEFINE_CLEANUP(struct export, export_free)
/* Appends lines: the header, then some hundred entries, then the end. 1: that was all; 0: there is more; -errno. */
int export_next(struct export *export, struct buffer *lines);
