/* SPDX-License-Identifier: MIT
 *
 * A host as operators see it.
 */
#pragma once

#include "control_plane/api/record.h"

/* Of control.hosts as `h`. `tenants`: SQL for the member of that name; tenants are not told who else is served. */
#define HOST_VIEW_SQL(tenants)                                                                           \
	"jsonb_strip_nulls(jsonb_build_object('id', h.id, 'version', h.version, 'name', h.name, 'kid', " \
	"CASE WHEN h.kid NOT LIKE '.%' THEN h.kid END"                                                   \
	", "                                                                                             \
	"'disabled_at', " SQL_NUMBER("h.disabled_at") ", 'disabled_reason', " SQL_TEXT(                  \
		"h.disabled_reason") ", "                                                                \
				     "'last_seen', extract(epoch FROM h.last_seen)::bigint, "            \
				     "'enrolled_at', extract(epoch FROM h.enrolled_at)::bigint, "        \
				     "'status', h.status" tenants "))"
#define HOST_TENANTS_SQL                                                                                              \
	", 'tenants', (SELECT coalesce(jsonb_agg(t.tenant_id ORDER BY t.tenant_id), '[]') FROM control.host_tenants " \
	"t "                                                                                                          \
	"WHERE t.host_id = h.id)"
#define HOST_COLUMNS_SQL "version, '{}', " HOST_VIEW_SQL(HOST_TENANTS_SQL)

/* The row of {host}, an id or a name, locked. 0; 1: a problem was set; -errno. */
struct host_row {
	const char *id;
	int64_t version, disabled_at;
};
int hosts_lock(struct request *request, struct host_row *ret);
