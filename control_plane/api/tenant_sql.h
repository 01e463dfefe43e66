/* SPDX-License-Identifier: MIT
 *
 * A tenant as the feed has it. Its policy column holds the members of the feed's body that say how its people may work:
 * they go through as they are.
 */
#pragma once

#include "control_plane/api/record.h"

/* Of control.tenants as `t`. */
#define TENANT_BODY_SQL                                                                                                \
	"(jsonb_strip_nulls(jsonb_build_object('slug', t.slug, 'name', " SQL_TEXT(                                     \
		"t.name") ", 'region', t.region, "                                                                     \
			  "'gid', t.gid, 'ids', jsonb_build_object('first', t.id_first, 'count', t.id_count, 'next', " \
			  "t.id_next), "                                                                               \
			  "'allow_from', " SQL_LIST("t.allow_from") ", 'suspended', " SQL_FLAG(                        \
				  "t.suspended") ", "                                                                  \
						 "'roles', (SELECT "                                                   \
						 "jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', r.name, "     \
						 "'kind', r.kind, "                                                    \
						 "'groups', CASE WHEN r.kind = 'project' THEN r.groups END, "          \
						 "'actions', to_jsonb(r.actions))) ORDER BY r.name) "                  \
						 "FROM control.roles r WHERE r.tenant_id = t.id))) || t.policy)"
