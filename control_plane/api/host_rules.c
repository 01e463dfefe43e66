/* SPDX-License-Identifier: MIT
 *
 * Which hosts serve which projects, and to whom: the feed's `host` records.
 */
#include <errno.h>

#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/feed/change.h"
#include "records/matrix.h"

#define BODY_SQL "jsonb_build_object('name', name, 'serves', serves)"
#define VIEW_SQL "jsonb_build_object('id', id, 'version', version, 'name', name, 'serves', serves)"
#define COLUMNS_SQL "version, " BODY_SQL ", " VIEW_SQL

static const struct record_unique unique[] = {
	{"host_rules_tenant_id_name_key", "name"}, {"host_rules_name", "name"}, /* in any case of letters */
};

static int list(struct request *request)
{
	return record_list(request, "host rules",
			   "SELECT id, " VIEW_SQL " FROM control.host_rules "
			   "WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3::bigint");
}

static int get(struct request *request)
{
	return record_get(request, "host rule",
			  "SELECT " COLUMNS_SQL " FROM control.host_rules WHERE tenant_id = $1 AND id = $2");
}

/* ---- what a rule refers to
 * ------------------------------------------------------------------------------------------- */

/* Projects may be named by slug; what is kept and published has their ids. */
static int name_projects(struct request *request, const char **serves)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	if (!*serves)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT jsonb_agg(CASE WHEN p.id IS NULL THEN s ELSE jsonb_set(s, '{project}', to_jsonb(p.id)) END "
		   "ORDER BY n) FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY e (s, n) "
		   "LEFT JOIN control.projects p ON p.tenant_id = $1 AND p.slug = s ->> 'project'",
		   request->tenant_id, *serves);
	if (r < 0 || db_is_null(rows, 0, 0))
		return r;
	*serves = request_copy(request, db_text(rows, 0, 0));
	return *serves ? 0 : -ENOMEM;
}

/* A host takes one rule for a project. */
static int check_once(struct request *request, const char *serves)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT s ->> 'project' FROM jsonb_array_elements($1::jsonb) s GROUP BY 1 HAVING count(*) > 1 "
		       "LIMIT 1",
		       serves);

	if (r < 0 || db_row_count(rows) == 0)
		return r;
	respond_invalid(request, "serves", "project \"%s\" is there twice: put both into one", db_text(rows, 0, 0));
	return 1;
}

static int check_projects(struct request *request, const char *serves)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	/* Held until the end of this transaction, or until somebody who deletes the project sees this rule. */
	int r = db_run(request->tx, &rows,
		       "SELECT coalesce(w.project, '') FROM (SELECT s ->> 'project' AS project FROM "
		       "jsonb_array_elements($2::jsonb) s) w "
		       "WHERE NOT EXISTS (SELECT FROM control.projects p WHERE p.tenant_id = $1 AND p.id = w.project "
		       "FOR SHARE) LIMIT 1",
		       request->tenant_id, serves);

	if (r < 0 || db_row_count(rows) == 0)
		return r;
	respond_invalid(request, "project", "there is no project \"%s\"", db_text(rows, 0, 0));
	return 1;
}

static int check_roles(struct request *request, const char *serves)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT DISTINCT w.role FROM (SELECT jsonb_path_query($2::jsonb, '$[*].login[*]') #>> '{}' AS "
		       "role UNION ALL "
		       "SELECT jsonb_path_query($2::jsonb, '$[*].sudo[*]') #>> '{}') w WHERE NOT EXISTS (SELECT FROM "
		       "control.roles r "
		       "WHERE r.tenant_id = $1 AND r.name = w.role AND r.kind = 'project')",
		       request->tenant_id, serves);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		if (matrix_knows_project_role(db_text(rows, i, 0)))
			continue;
		respond_invalid(request, "serves", "there is no project role \"%s\"", db_text(rows, i, 0));
		return 1;
	}
	return r;
}

/* Rows as written, judged by their form first: what they refer to can only be looked for in what has the form. */
static int publish(struct request *request, const char *id, const char *kind, const struct db_rows *rows,
		   const char *serves)
{
	int r = record_publish(request, RECORD_HOST, id, rows);

	/* Roles do not go away meanwhile (api/roles.c). */
	if (r == 0 && serves)
		r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR SHARE", request->tenant_id);
	if (r == 0 && serves)
		r = check_once(request, serves);
	if (r == 0 && serves)
		r = check_projects(request, serves);
	if (r == 0 && serves)
		r = check_roles(request, serves);
	return r == 0 ? event_write(request, kind, id, json_incref(request->body)) : r;
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *name;
	json_t *serves;
};
static const struct json_field create_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), JSON_FIELD_REQUIRED},
	{"serves", JSON_FIELD_ARRAY, offsetof(struct fields, serves), JSON_FIELD_REQUIRED},
};
static const struct json_field patch_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"serves", JSON_FIELD_ARRAY, offsetof(struct fields, serves), 0},
};

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = record_new_id(request, "hrl_"), *serves;
	struct fields fields = {0};
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0)
		return 0;
	r = record_json_text(request, fields.serves, &serves);
	if (r == 0)
		r = name_projects(request, &serves);
	if (r < 0)
		return r;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.host_rules (id, tenant_id, name, serves) VALUES ($1, $2, $3, $4::jsonb) "
		   "RETURNING " COLUMNS_SQL,
		   id, request->tenant_id, fields.name, serves);
	if (r < 0)
		return record_fault(request, r, "host rule", unique, ARRAY_LEN(unique));
	r = publish(request, id, "host-rule.create", rows, serves);
	if (r != 0)
		return r < 0 ? r : 0;
	return record_created(request, id, rows);
}

static int lock(struct request *request, int64_t *ret_version)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT version FROM control.host_rules WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		       request->tenant_id, request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*ret_version = db_i64(rows, 0, 0);
	return request_if_match(request, (uint64_t)*ret_version);
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = request->params[1], *serves;
	struct fields fields = {0};
	int64_t version;
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0)
		return 0;
	r = record_json_text(request, fields.serves, &serves);
	if (r == 0)
		r = name_projects(request, &serves);
	if (r == 0)
		r = lock(request, &version);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.host_rules SET version = version + 1, " SQL_SET("name", "$3") ", " SQL_SET_AS(
			   "serves", "$4", "jsonb") " WHERE tenant_id = $1 AND id = $2 RETURNING " COLUMNS_SQL,
		   request->tenant_id, id, fields.name, serves);
	if (r < 0)
		return record_fault(request, r, "host rule", unique, ARRAY_LEN(unique));
	r = publish(request, id, "host-rule.change", rows, serves);
	if (r != 0)
		return r < 0 ? r : 0;
	return record_answer(request, 200, rows);
}

static int delete_rule(struct request *request)
{
	const char *id = request->params[1];
	int64_t version;
	int r = lock(request, &version);

	if (r == 0 && !record_change(request))
		r = -ENOMEM;
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.host_rules WHERE tenant_id = $1 AND id = $2",
			   request->tenant_id, id);
	if (r == 0)
		r = event_write(request, "host-rule.delete", id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	change_delete(request->change, RECORD_HOST, id, (uint64_t)version + 1);
	return acks_answer(request, 200, (uint64_t)version + 1, json_pack("{s:s}", "id", id));
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/host-rules", ROUTE_TENANT, "project.view", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/host-rules", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/host-rules/{rule}", ROUTE_TENANT, "project.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/host-rules/{rule}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/host-rules/{rule}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      delete_rule),
};
const struct route_table host_rules_routes = {routes, ARRAY_LEN(routes)};
