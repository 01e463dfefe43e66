/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/key_sql.h"
#include "control_plane/api/names.h"
#include "control_plane/auth/gate.h"
#include "control_plane/feed/change.h"

#define BODY_SQL \
	"jsonb_strip_nulls(jsonb_build_object('slug', slug, 'gid', gid, 'allow_from', " SQL_LIST("allow_from") "))"
#define VIEW_SQL                                                          \
	"jsonb_build_object('id', id, 'version', version, 'created_at', " \
	"extract(epoch FROM created_at)::bigint) || " BODY_SQL
#define COLUMNS_SQL "version, " BODY_SQL ", " VIEW_SQL

static const struct record_unique unique[] = {{"projects_tenant_id_slug_key", "slug"}};

static int fault(struct request *request, int result)
{
	return record_fault(request, result, "project", unique, ARRAY_LEN(unique));
}

/* Who has no role in the tenant sees the projects that they are in. */
static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	if (gate_may(request, "project.view"))
		r = db_run(request->tx, &rows,
			   "SELECT id, " VIEW_SQL " FROM control.projects WHERE tenant_id = $1 AND id > $2 ORDER BY id "
			   "LIMIT $3::bigint",
			   request->tenant_id, page.after, record_limit(request, &page));
	else
		r = db_run(request->tx, &rows,
			   "SELECT id, " VIEW_SQL
			   " FROM control.projects p WHERE tenant_id = $1 AND id > $2 AND EXISTS (SELECT "
			   "FROM control.members m WHERE m.tenant_id = p.tenant_id AND m.user_id = $4 AND m.project_id "
			   "= p.id) "
			   "ORDER BY id LIMIT $3::bigint",
			   request->tenant_id, page.after, record_limit(request, &page), request->principal.id);
	return r < 0 ? respond_db(request, r, "projects") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " COLUMNS_SQL " FROM control.projects WHERE tenant_id = $1 AND id = $2",
		       request->tenant_id, request->project_id);

	return r < 0 ? respond_db(request, r, "project") : record_answer(request, 200, rows);
}

struct fields {
	const char *slug;
	json_t *allow_from;
};
static const struct json_field create_fields[] = {
	{"slug", JSON_FIELD_STRING, offsetof(struct fields, slug), JSON_FIELD_REQUIRED},
	{"allow_from", JSON_FIELD_STRINGS, offsetof(struct fields, allow_from), 0},
};
static const struct json_field patch_fields[] = {
	{"slug", JSON_FIELD_STRING, offsetof(struct fields, slug), 0},
	{"allow_from", JSON_FIELD_STRINGS, offsetof(struct fields, allow_from), 0},
};

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = record_new_id(request, "prj_"), *allow_from;
	struct fields fields = {0};
	int64_t gid;
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0)
		return 0;
	r = record_json_text(request, fields.allow_from, &allow_from);
	if (r == 0)
		r = record_take_ids(request, GROUP_LEVEL_COUNT, &gid);
	if (r == 0)
		r = names_check_project(request, id, fields.slug);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.projects (id, tenant_id, slug, gid, allow_from) VALUES ($1, $2, $3, "
		   "$4::bigint, " SQL_NEW_LIST("$5") ") RETURNING " COLUMNS_SQL,
		   id, request->tenant_id, fields.slug, record_number(request, gid), allow_from);
	if (r < 0)
		return fault(request, r);
	r = record_publish(request, RECORD_PROJECT, id, rows);
	if (r == 0)
		r = impersonation_of_new_project(request, id);
	if (r == 0)
		r = event_write(request, "project.create", id, json_pack("{s:s}", "slug", fields.slug));
	if (r != 0)
		return r < 0 ? r : 0;
	return record_created(request, id, rows);
}

/* 0; 1; -errno. */
static int lock(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT version FROM control.projects WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		       request->tenant_id, request->project_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	return request_if_match(request, (uint64_t)db_i64(rows, 0, 0));
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct fields fields = {0};
	const char *allow_from;
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0)
		return 0;
	r = record_json_text(request, fields.allow_from, &allow_from);
	if (r == 0 && fields.slug)
		r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR UPDATE", request->tenant_id);
	if (r == 0)
		r = lock(request);
	if (r == 0 && fields.slug)
		r = names_check_project(request, request->project_id, fields.slug);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.projects SET version = version + 1, " SQL_SET("slug", "$3") ", " SQL_SET_LIST(
			   "allow_from", "$4") " WHERE tenant_id = $1 AND id = $2 RETURNING " COLUMNS_SQL,
		   request->tenant_id, request->project_id, fields.slug, allow_from);
	if (r < 0)
		return fault(request, r);
	r = record_publish(request, RECORD_PROJECT, request->project_id, rows);
	if (r == 0)
		r = event_write(request, "project.change", request->project_id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return record_answer(request, 200, rows);
}

/* ---- deleting
 * --------------------------------------------------------------------------------------------------------- With the
 * project go its memberships, and keys that were for this project alone: a key without any project left would be one
 * for all projects. Keys for several lose this one. Host rules are not changed behind their owner's back. */

static int check_rules(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT name FROM control.host_rules WHERE tenant_id = $1 "
		       "AND serves @> jsonb_build_array(jsonb_build_object('project', $2::text)) LIMIT 1",
		       request->tenant_id, request->project_id);

	if (r < 0 || db_row_count(rows) == 0)
		return r;
	respond_problem(request, PROBLEM_CONFLICT, "host rule \"%s\" names the project: change it first",
			db_text(rows, 0, 0));
	return 1;
}

static int delete_each(struct request *request, enum record_kind kind, const char *sql)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *const values[] = {request->tenant_id, request->project_id};
	int r = db_query(request->tx, &rows, sql, ARRAY_LEN(values), values);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		change_delete(request->change, kind, db_text(rows, i, 0), (uint64_t)db_i64(rows, i, 1) + 1);
	return r;
}

static int narrow_keys(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.api_keys SET version = version + 1, projects = array_remove(projects, $2) "
		       "WHERE tenant_id = $1 AND projects @> ARRAY[$2::text] RETURNING version, " KEY_BODY_SQL ", id",
		       request->tenant_id, request->project_id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = record_put(request, request->change, RECORD_KEY, request_copy(request, db_text(rows, i, 2)), rows,
			       i);
	return r;
}

static int delete_project(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = lock(request);

	if (r == 0)
		r = check_rules(request);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!record_change(request))
		return -ENOMEM;
	r = delete_each(request, RECORD_MEMBER,
			"DELETE FROM control.members WHERE tenant_id = $1 AND project_id = $2 "
			"RETURNING user_id || '/' || project_id, version");
	if (r == 0)
		r = delete_each(request, RECORD_KEY,
				"DELETE FROM control.api_keys WHERE tenant_id = $1 AND projects = ARRAY[$2::text] "
				"RETURNING id, version");
	if (r == 0)
		r = narrow_keys(request);
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "DELETE FROM control.projects WHERE tenant_id = $1 AND id = $2 RETURNING version + 1, slug",
			   request->tenant_id, request->project_id);
	if (r == 0)
		r = event_write(request, "project.delete", request->project_id,
				json_pack("{s:s}", "slug", db_text(rows, 0, 1)));
	if (r != 0)
		return r < 0 ? respond_db(request, r, "project") : 0;
	change_delete(request->change, RECORD_PROJECT, request->project_id, (uint64_t)db_i64(rows, 0, 0));
	return acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), json_pack("{s:s}", "id", request->project_id));
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/projects", ROUTE_TENANT, "self", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/projects", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/projects/{project}", ROUTE_PROJECT, "project.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/projects/{project}", ROUTE_PROJECT, "member.manage", ROUTE_WRITES,
	      patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/projects/{project}", ROUTE_PROJECT, "project.delete", ROUTE_WRITES,
	      delete_project),
};
const struct route_table projects_routes = {routes, ARRAY_LEN(routes)};
