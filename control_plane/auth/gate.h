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

/* Before the transaction: who is it? The frame does not ask for routes of ROUTE_INTERNAL (http/internal.h) nor for the
 * command line, whose principal is there already. Reads Authorization (Bearer: access token or API key), opens a
 * transaction of its own where it needs one. 0 with request->principal; 1: a problem is set; -EAGAIN, -errno. */
int gate_authenticate(struct request *request);
/* Before the transaction: which scope will it have? 0; 1: a problem is set. */
int gate_scope(struct request *request, struct db_scope *ret);
/* In the transaction (ROUTE_NO_TX: there is none): may they? 0; 1: a problem is set. */
int gate_authorize(struct request *request);
/* What the caller holds in the tenant, and in the project where the route names one. */
struct gate_standing {
	const char *tenant_role, *project_role; /* "" */
	bool all, reads;                        /* operators: everything, or whatever only reads */
	struct tenant_record own;               /* only its roles: those of the tenant's own making that count here */
};
/* For handlers whose answer depends on more than the route's action: by tenant role, key scope and operators' grant. */
bool gate_may(const struct request *request, const char *action);
/* Is it an action that some route may declare? (matrix actions, tenant.*, operator.*, …: one table in gate.c) */
bool gate_knows_action(enum route_access access, const char *action);
