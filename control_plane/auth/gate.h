/* SPDX-License-Identifier: MIT
 *
 * The gate: the one place that decides whether a request may reach its handler. Every route passes it (http/frame.c
 * calls it and nobody can leave it out); the handler finds tenant_id and project_id set and the transaction's scope to
 * match.
 *
 * A tenant, project or record that is not the caller's is "not found", never "forbidden": its existence is nobody's
 * business.
 */
#pragma once

#include "control_plane/http/router.h"

/* Before the transaction: who is it? Reads Authorization (Bearer: access token or API key), opens a transaction of
 * its own where it needs one. 0 with request->principal; 1: a problem is set; -EAGAIN, -errno. */
int gate_authenticate(struct request *request);
/* Before the transaction: which scope will it have? 0; 1: a problem is set. */
int gate_scope(struct request *request, struct db_scope *ret);
/* In the transaction: may they? 0; 1: a problem is set. */
int gate_authorize(struct request *request);
/* Is it an action that some route may declare? (matrix actions, tenant.*, operator.*, …: one table in gate.c) */
bool gate_knows_action(enum route_access access, const char *action);
