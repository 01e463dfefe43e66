/* SPDX-License-Identifier: MIT
 *
 * Sessions as hosts reported them: who may see which, and how a host stands that has them.
 */
#pragma once

#include "control_plane/http/router.h"

/* What a host may say of one: "open", "left-behind", "ending". */
bool sessions_know_state(const char *word);

/* Which ones the caller may see and end: with session.manage in the tenant all (user ""), else their own and those of
 * the projects where they have it: by one of these shipped roles (JSON's list) or one of the tenant's own. 0; -errno.
 */
struct sessions_reach {
	const char *user, *roles, *source;
};
int sessions_reach(struct request *request, struct sessions_reach *ret);

/* Of control.sessions as `s`, in the tenant $1; $2, $3 and $4 are the reach's user, roles and source: from where a
 * project may not be used, its sessions are not seen. */
/* clang-format off */
#define SESSION_IN_REACH_SQL \
	"($2 = '' OR s.user_id = $2 OR EXISTS (SELECT FROM control.members m " \
	"JOIN control.projects mp ON mp.tenant_id = m.tenant_id AND mp.id = m.project_id " \
	"WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.project_id = s.project_id AND m.project_id <> '' " \
	"AND ($3::jsonb ? m.role OR EXISTS (SELECT FROM control.roles o WHERE o.tenant_id = $1 AND o.name = m.role " \
	"AND o.kind = 'project' AND 'session.manage' = ANY (o.actions))) " \
	"AND (mp.allow_from = '{}' OR EXISTS (SELECT FROM unnest(mp.allow_from) b WHERE $4::inet <<= b::inet))))"

/* At the head of a statement: hosts that told the tenant $1 of sessions, as `h`: how long ago, and why nobody can say how
 * it is there now (`unknown`; NULL: the host is there to say it). Once a host, and not once a session. */
#define SESSION_HOSTS_SQL \
	"WITH h AS MATERIALIZED (SELECT r.host_id, coalesce(n.name, r.host_name) AS name, r.at, " \
	"CASE WHEN n.id IS NULL THEN 'host-removed' WHEN n.disabled_at <> 0 THEN 'host-disabled' " \
	"WHEN greatest(n.last_seen, a.at, r.at) > now() - interval '10 min' THEN NULL ELSE 'host-away' END AS unknown " \
	"FROM control.session_reports r " \
	"LEFT JOIN control.host_tenants t ON t.tenant_id = r.tenant_id AND t.host_id = r.host_id " \
	"LEFT JOIN control.hosts n ON n.id = t.host_id " \
	"LEFT JOIN control.feed_acks a ON a.tenant_id = r.tenant_id AND a.host_id = r.host_id " \
	"WHERE r.tenant_id = $1) "
#define SESSION_FROM_SQL "FROM control.sessions s JOIN h ON h.host_id = s.host_id "
/* clang-format on */

/* The one that the path names, within the caller's reach, as a reference of the caller's. 0; 1: a problem was set;
 * -errno. */
int sessions_find(struct request *request, json_t **ret);

/* What hosts said that have said nothing for a week is forgotten. */
struct app;
int sessions_sweep(struct app *app);
