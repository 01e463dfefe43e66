/* SPDX-License-Identifier: MIT
 *
 * Who is on which host: a tenant's sessions on all hosts that serve it.
 */
#include "control_plane/api/sessions.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/record.h"
#include "control_plane/app.h"
#include "control_plane/auth/gate.h"
#include "records/matrix.h"

#define MANAGE "session.manage"
#define UNKNOWN "unknown"

static const char *const states[] = {"open", "left-behind", "ending"};

/* Where the host is not there to say it again, its last word is shown as that and no more. */
#define STATE_SQL "CASE WHEN h.unknown IS NULL THEN s.state ELSE '" UNKNOWN "' END"
/* clang-format off */
#define VIEW_SQL \
	"jsonb_strip_nulls(jsonb_build_object('id', s.id" \
	", 'user', s.user_id" \
	", 'login', (SELECT u.login FROM control.users u WHERE u.tenant_id = s.tenant_id AND u.id = s.user_id)" \
	", 'project', " SQL_TEXT("s.project_id") \
	", 'project_slug', (SELECT p.slug FROM control.projects p WHERE p.tenant_id = s.tenant_id AND p.id = s.project_id)" \
	", 'host', s.host_id" \
	", 'host_name', h.name" \
	", 'state', " STATE_SQL \
	", 'last_state', CASE WHEN h.unknown IS NOT NULL THEN s.state END" \
	", 'because', h.unknown" \
	", 'cause', " SQL_TEXT("s.cause") \
	", 'role', " SQL_TEXT("s.role") \
	", 'service', " SQL_TEXT("s.service") \
	", 'source', " SQL_TEXT("s.source") \
	", 'terminal', " SQL_TEXT("s.terminal") \
	", 'credential', " SQL_TEXT("s.credential") \
	", 'provider', " SQL_TEXT("s.provider") \
	", 'grant', " SQL_TEXT("s.grant_id") \
	", 'operator', " SQL_TEXT("s.operator_name") \
	", 'opened_at', s.opened" \
	", 'ordered_at', " SQL_NUMBER("s.ordered") \
	", 'reported_at', extract(epoch FROM h.at)::bigint))"
/* clang-format on */

bool sessions_know_state(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], word) == 0)
			return true;
	return false;
}

int sessions_reach(struct request *request, struct sessions_reach *ret)
{
	static const char *const shipped[] = {"owner", "editor", "viewer"};
	_cleanup_(json_decrefp) json_t *roles = json_array();

	for (size_t i = 0; i < ARRAY_LEN(shipped); i++)
		if (matrix_project_role(NULL, shipped[i], MANAGE) == MATRIX_YES &&
		    json_array_append_new(roles, json_string(shipped[i])) < 0)
			return -ENOMEM;
	ret->user = gate_may(request, MANAGE) ? "" : request->principal.id;
	/* The database takes nothing but an address there, also where it does not matter. */
	ret->source = *ret->user && *request->source_text ? request->source_text : "::";
	return record_json_text(request, roles, &ret->roles);
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

/* 1: a problem was set. */
static int check_state(struct request *request, const char *state)
{
	if (!state || sessions_know_state(state) || strcmp(state, UNKNOWN) == 0)
		return 0;
	respond_invalid(request, "state", "open, left-behind, ending or unknown");
	return 1;
}

/* People, projects and hosts may be named as people name them. Who is gone is still found by id. */
static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *state = request_query(request, "state");
	struct sessions_reach reach;
	struct page page;
	int r;

	if (request_page(request, &page) != 0 || check_state(request, state) != 0)
		return 0;
	r = sessions_reach(request, &reach);
	if (r < 0)
		return r;
	r = db_run(request->tx, &rows,
		   SESSION_HOSTS_SQL
		   "SELECT s.id, " VIEW_SQL " " SESSION_FROM_SQL "WHERE s.tenant_id = $1 AND " SESSION_IN_REACH_SQL
		   " AND s.id > $5 "
		   "AND ($7::text IS NULL OR s.user_id = coalesce((SELECT u.id FROM control.users u WHERE "
		   "u.tenant_id = $1 AND u.login = $7 AND $7 NOT LIKE 'usr\\_%'), $7)) "
		   "AND ($8::text IS NULL OR s.project_id = coalesce((SELECT p.id FROM control.projects p WHERE "
		   "p.tenant_id = $1 AND p.slug = $8), $8)) "
		   "AND ($9::text IS NULL OR s.host_id = $9 OR h.name = $9) "
		   "AND ($10::text IS NULL OR $10 = " STATE_SQL ") ORDER BY s.id LIMIT $6::bigint",
		   request->tenant_id, reach.user, reach.roles, reach.source, page.after, record_limit(request, &page),
		   request_query(request, "user"), request_query(request, "project"), request_query(request, "host"),
		   state);
	return r < 0 ? respond_db(request, r, "sessions") : record_page(request, &page, rows);
}

int sessions_find(struct request *request, json_t **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct sessions_reach reach;
	int r = sessions_reach(request, &reach);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   SESSION_HOSTS_SQL "SELECT " VIEW_SQL " " SESSION_FROM_SQL
					     "WHERE s.tenant_id = $1 AND " SESSION_IN_REACH_SQL " AND s.id = $5",
			   request->tenant_id, reach.user, reach.roles, reach.source, request->params[1]);
	if (r < 0)
		return r;
	if (db_row_count(rows) > 0)
		return record_json(rows, 0, 0, ret);
	respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return 1;
}

static int get(struct request *request)
{
	json_t *view = NULL;
	int r = sessions_find(request, &view);

	if (r != 0)
		return r < 0 ? respond_db(request, r, "session") : 0;
	return respond_json(request, 200, view);
}

/* ---- sweeping -------------------------------------------------------------------------------------------------------
 */

/* Its sessions go with it. */
static int sweep_reports(void *context, struct db_tx *tx, const char *tenant_id)
{
	(void)context;
	return db_later(tx,
			"DELETE FROM control.session_reports WHERE tenant_id = $1 AND at < now() - interval '7 days'",
			tenant_id);
}

int sessions_sweep(struct app *app)
{
	return db_each_tenant(app->db, sweep_reports, NULL);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/sessions", ROUTE_TENANT, "self:session.manage", 0, list),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/sessions/{session}", ROUTE_TENANT, "self:session.manage", 0, get),
};
const struct route_table sessions_routes = {routes, ARRAY_LEN(routes)};
