/* SPDX-License-Identifier: MIT
 *
 * Operators, for their grants.
 */
#pragma once

#include "control_plane/api/record.h"

/* The row of {operator}, an id or an e-mail address, locked. Nobody changes what they themselves may do: `others`
 * refuses the caller's own. 0; 1: a problem was set; -errno. */
int operators_lock(struct request *request, bool others, const char **ret_id, int64_t *ret_version);

/* A grant as the API shows it, of control.operator_grants. */
/* clang-format off */
#define OPERATOR_GRANT_VIEW_SQL \
	"jsonb_strip_nulls(jsonb_build_object('id', id, 'operator', operator_id, 'role', role" \
	", 'tenant', " SQL_TEXT("tenant_id") \
	", 'projects', " SQL_LIST("projects") \
	", 'reason', " SQL_TEXT("reason") \
	", 'not_after', " SQL_NUMBER("not_after") \
	", 'login', CASE WHEN role = 'impersonate' THEN (SELECT a.login FROM control.operator_accounts a WHERE " \
	"a.operator_id = operator_grants.operator_id AND a.tenant_id = operator_grants.tenant_id) END" \
	", 'created_at', extract(epoch FROM created_at)::bigint))"
/* clang-format on */
