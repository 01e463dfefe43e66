/* SPDX-License-Identifier: MIT
 *
 * The end of a tenant's log (docs/audit-log.md, "A tenant that is deleted").
 */
#pragma once

#include "control_plane/audit/audit.h"

/* In the transaction that deletes the tenant, before that: its row is locked, its last event is in the inbox, and the
 * scope is its own and the platform's. All that waits gets its place under a last checkpoint, and the keys of all
 * persons of the log go, with those that the tenant's people have in the platform's. `ret`: what the platform's event
 * says of it, owned. 0 or -errno. */
int log_end(struct app *app, struct db_tx *tx, const char *log_id, json_t **ret);
/* Has it ended? In the log's scope; a log that there is none of has not. */
int log_has_ended(struct db_tx *tx, const char *log_id, bool *ret);
