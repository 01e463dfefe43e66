/* SPDX-License-Identifier: MIT
 *
 * How far a sink has come in each log, in the database: so that another replica, or the next start, goes on there.
 */
#pragma once

#include "control_plane/audit/audit.h"

#define SINK_HOLDER_CHARS 16U

struct sink_cursor {
	char log_id[LEAF_ID_MAX];
	uint64_t next;            /* the first index that it does not have */
	uint64_t checkpoint_size; /* of the last checkpoint that it has */
	uint64_t size, first;     /* of the log; first: entries before it are gone */
	uint64_t sent, dead;      /* since it was claimed */
};
/* Logs that have something for the sink. At most `most`; *ret_count. */
int sink_logs_waiting(struct app *app, const char *sink, const char *holder, bool events, bool checkpoints,
		      char (*ret)[LEAF_ID_MAX], uint32_t most, uint32_t *ret_count);
/* In a transaction of the platform's scope, which is the log's from then on. `ret->log_id` says which. 0; 1: another
 * replica has it. */
int sink_cursor_claim(struct db_tx *tx, const char *sink, const char *holder, struct sink_cursor *ret);
/* What they have come to, and that they are free; `error` "" : all is well. One that was taken away meanwhile, since it
 * took so long, stays the other one's; but what the sink has it has: else two that are slow would never get on. */
int sink_cursors_store(struct app *app, const char *sink, const char *holder, const struct sink_cursor *cursors,
		       uint32_t count, const char *error);
