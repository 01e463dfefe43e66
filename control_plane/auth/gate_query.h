/* SPDX-License-Identifier: MIT
 *
 * What the gate asks the database.
 */
#pragma once

#include "control_plane/auth/gate.h"

/* $1: the operator, $2: now; $3: a tenant, and is it there? A suspended operator holds nothing. */
#define GATE_GRANTS_SQL                                                                                                \
	"SELECT g.tenant_id, g.role, EXISTS (SELECT FROM control.tenants WHERE id = $3) FROM control.operator_grants " \
	"g JOIN control.operators o ON o.id = g.operator_id "                                                          \
	"WHERE g.operator_id = $1 AND o.status = 'active' AND (g.not_after = 0 OR g.not_after > $2::bigint)"
/* $1: the tenant, $2: a project's id or slug. */
#define GATE_PROJECT_SQL "SELECT id FROM control.projects WHERE tenant_id = $1 AND (id = $2 OR slug = $2)"
/* $1: the host, $2: the tenant that it must serve. */
#define GATE_HOST_SQL                                                                  \
	"SELECT FROM control.host_tenants t JOIN control.hosts h ON h.id = t.host_id " \
	"WHERE t.host_id = $1 AND t.tenant_id = $2 AND h.disabled_at = 0"

struct gate_user {
	struct gate_standing *standing;
	bool suspended; /* the tenant */
	const char *project_id;
	struct cidr_list tenant_from, project_from;
};
/* The request's user in the tenant of its transaction, which they named `tenant`; `project` "": none. All in the
 * request's arena. 0; 1: that tenant is not theirs, or they are not there (any more); -errno. */
int gate_query_user(struct request *request, const char *tenant, const char *project, struct gate_user *ret);
