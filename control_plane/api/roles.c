/* SPDX-License-Identifier: MIT
 *
 * Roles of a tenant's own making. In the feed they are a part of the tenant.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/auth/gate.h"
#include "control_plane/feed/change.h"
#include "records/matrix.h"

#define VIEW_SQL                                                                                \
	"jsonb_strip_nulls(jsonb_build_object('name', name, 'version', version, 'kind', kind, " \
	"'groups', CASE WHEN kind = 'project' THEN groups END, 'actions', to_jsonb(actions)))"
/* In the place of a body there is nothing: it is the tenant that is published. */
#define COLUMNS_SQL "version, '{}', " VIEW_SQL

static int list(struct request *request)
{
	return record_list(request, "roles",
			   "SELECT name, " VIEW_SQL " FROM control.roles "
			   "WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3::bigint");
}

static int get(struct request *request)
{
	return record_get(request, "role",
			  "SELECT " COLUMNS_SQL " FROM control.roles WHERE tenant_id = $1 AND name = $2");
}

/* ---- rights ---------------------------------------------------------------------------------------------------------
 */

/* A role says what its holders may do, so who writes one must not write themselves more than they have. */
static int check_own(struct request *request, const char *name, const char *kind, const json_t *actions)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct gate_standing *standing = request->standing;
	int r;

	if (standing->all || text_equal(standing->tenant_role, "owner"))
		return 0;
	for (size_t i = 0; strcmp(kind, "tenant") == 0 && i < json_array_size(actions); i++) {
		const char *action = json_string_value(json_array_get(actions, i));

		if (matrix_tenant_role(&standing->own, standing->tenant_role, action) == MATRIX_YES)
			continue;
		respond_problem(request, PROBLEM_FORBIDDEN, "\"%s\" is above your own role", action);
		return 1;
	}
	r = db_run(request->tx, &rows,
		   "SELECT FROM control.members WHERE tenant_id = $1 AND user_id = $2 AND role = $3 LIMIT 1",
		   request->tenant_id, request->principal.id, name);
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	respond_problem(request, PROBLEM_FORBIDDEN, "you hold this role yourself");
	return 1;
}

static int check_actions(struct request *request, const char *kind, const json_t *actions)
{
	for (size_t i = 0; i < json_array_size(actions); i++) {
		const char *action = json_string_value(json_array_get(actions, i));

		if (strcmp(kind, "tenant") == 0 && matrix_action_is_host(action)) {
			respond_invalid(request, "actions", "only project roles give \"%s\"", action);
			return 1;
		}
	}
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *name, *kind, *groups;
	json_t *actions;
};
static const struct json_field create_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), JSON_FIELD_REQUIRED},
	{"kind", JSON_FIELD_STRING, offsetof(struct fields, kind), JSON_FIELD_REQUIRED},
	{"actions", JSON_FIELD_STRINGS, offsetof(struct fields, actions), JSON_FIELD_REQUIRED},
	{"groups", JSON_FIELD_STRING, offsetof(struct fields, groups), 0},
};
static const struct json_field patch_fields[] = {
	{"actions", JSON_FIELD_STRINGS, offsetof(struct fields, actions), 0},
	{"groups", JSON_FIELD_STRING, offsetof(struct fields, groups), 0},
};

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct record_unique unique = {"roles_pkey", "name"};
	struct fields fields = {.groups = "none"};
	const char *actions;
	int r;

	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_actions(request, fields.kind, fields.actions) != 0)
		return 0;
	if (matrix_knows_project_role(fields.name) || matrix_knows_tenant_role(fields.name))
		return respond_problem(request, PROBLEM_CONFLICT, "this name is taken: every tenant has that role");
	r = check_own(request, fields.name, fields.kind, fields.actions);
	if (r == 0)
		r = record_json_text(request, fields.actions, &actions);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.roles (tenant_id, name, kind, groups, actions) VALUES ($1, $2, $3, "
		   "$4, " SQL_NEW_LIST("$5") ") RETURNING " COLUMNS_SQL,
		   request->tenant_id, fields.name, fields.kind, fields.groups, actions);
	if (r < 0)
		return record_fault(request, r, "role", &unique, 1);
	r = record_touch_tenant(request);
	if (r == 0)
		r = event_write(request, "role.create", fields.name, json_incref(request->body));
	if (r != 0)
		return r < 0 ? r : 0;
	return record_created(request, fields.name, rows);
}

/* 0 with its kind; 1; -errno. Whoever gives roles or names their actions holds the tenant's row, too: what is asked for
 * below stays so. */
static int lock(struct request *request, const char **ret_kind)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR UPDATE", request->tenant_id);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT version, kind FROM control.roles WHERE tenant_id = $1 AND name = $2 FOR UPDATE",
			   request->tenant_id, request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*ret_kind = request_copy(request, db_text(rows, 0, 1));
	return *ret_kind ? request_if_match(request, (uint64_t)db_i64(rows, 0, 0)) : -ENOMEM;
}

/* Hosts refuse a feed in which a key names an action that nobody knows. `actions`: what stays of them, as JSON. */
static int check_keys(struct request *request, const char *name, const char *actions)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"SELECT w.action, (SELECT id FROM control.api_keys k WHERE k.tenant_id = $1 AND k.actions @> "
		"ARRAY[w.action] LIMIT 1) FROM (SELECT unnest(actions) AS action FROM control.roles WHERE "
		"tenant_id = $1 AND name = $2) w WHERE w.action <> ALL (" SQL_NEW_LIST(
			"$3") ") AND NOT EXISTS "
			      "(SELECT FROM control.roles o WHERE o.tenant_id = $1 AND o.name <> $2 AND o.actions @> "
			      "ARRAY[w.action])",
		request->tenant_id, name, actions);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		if (db_is_null(rows, i, 1) || matrix_knows_action(db_text(rows, i, 0)))
			continue;
		respond_problem(request, PROBLEM_CONFLICT, "API key %s is limited to \"%s\", which no other role gives",
				db_text(rows, i, 1), db_text(rows, i, 0));
		return 1;
	}
	return r;
}

static int answer_acks(struct request *request, uint64_t version, json_t *view)
{
	return view ? acks_answer(request, 200, version, view) : -ENOMEM;
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *name = request->params[1], *kind, *actions;
	struct fields fields = {0};
	json_t *view = NULL;
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0)
		return 0;
	r = lock(request, &kind);
	if (r == 0)
		r = check_actions(request, kind, fields.actions);
	if (r == 0)
		r = check_own(request, name, kind, fields.actions);
	if (r == 0)
		r = record_json_text(request, fields.actions, &actions);
	if (r == 0 && actions)
		r = check_keys(request, name, actions);
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "UPDATE control.roles SET version = version + 1, " SQL_SET("groups", "$3") ", " SQL_SET_LIST(
				   "actions", "$4") " WHERE tenant_id = $1 AND name = $2 RETURNING " COLUMNS_SQL,
			   request->tenant_id, name, fields.groups, actions);
	if (r == 0)
		r = record_touch_tenant(request);
	if (r == 0)
		r = event_write(request, "role.change", name, json_incref(request->body));
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return r < 0 ? r : 0;
	return answer_acks(request, (uint64_t)db_i64(rows, 0, 0), view);
}

static int check_unused(struct request *request, const char *name)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT 'members have it' FROM control.members WHERE tenant_id = $1 AND role = $2 UNION ALL "
		       "SELECT 'host rule ' || name || ' names it' FROM control.host_rules WHERE tenant_id = $1 AND "
		       "jsonb_path_exists("
		       "serves, '$[*].login[*] ? (@ == $role)', jsonb_build_object('role', $2::text)) UNION ALL "
		       "SELECT 'host rule ' || name || ' names it' FROM control.host_rules WHERE tenant_id = $1 AND "
		       "jsonb_path_exists("
		       "serves, '$[*].sudo[*] ? (@ == $role)', jsonb_build_object('role', $2::text)) UNION ALL "
		       "SELECT 'the policy names it' FROM control.tenants WHERE id = $1 AND policy #> '{stale,roles}' "
		       "? $2 LIMIT 1",
		       request->tenant_id, name);

	if (r < 0 || db_row_count(rows) == 0)
		return r;
	respond_problem(request, PROBLEM_CONFLICT, "%s: change that first", db_text(rows, 0, 0));
	return 1;
}

static int delete_role(struct request *request)
{
	const char *name = request->params[1], *kind;
	int r = lock(request, &kind);

	if (r == 0)
		r = check_unused(request, name);
	if (r == 0)
		r = check_keys(request, name, NULL);
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.roles WHERE tenant_id = $1 AND name = $2",
			   request->tenant_id, name);
	if (r == 0)
		r = record_touch_tenant(request);
	if (r == 0)
		r = event_write(request, "role.delete", name, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/roles", ROUTE_TENANT, "project.view", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/roles", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/roles/{role}", ROUTE_TENANT, "project.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/roles/{role}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/roles/{role}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      delete_role),
};
const struct route_table roles_routes = {routes, ARRAY_LEN(routes)};
