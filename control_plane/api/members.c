/* SPDX-License-Identifier: MIT
 *
 * Who has which role: in the tenant ("…/members/{user}") and in its projects ("…/projects/{project}/members/{user}").
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/rights.h"
#include "control_plane/api/users.h"
#include "control_plane/feed/change.h"

#define BODY_SQL \
	"jsonb_strip_nulls(jsonb_build_object('user', user_id, 'project', " SQL_TEXT("project_id") ", 'role', role))"
#define VIEW_SQL "jsonb_build_object('version', version) || " BODY_SQL
#define COLUMNS_SQL "version, " BODY_SQL ", " VIEW_SQL

/* "" in the tenant itself. */
static const char *project_of(const struct request *request)
{
	return request->project_id ? request->project_id : "";
}

static const char *user_parameter(const struct request *request)
{
	return request->params[request->project_id ? 2 : 1];
}

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT user_id, " VIEW_SQL " FROM control.members WHERE tenant_id = $1 AND project_id = $2 "
		   "AND user_id > $3 ORDER BY user_id LIMIT $4::bigint",
		   request->tenant_id, project_of(request), page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "members") : record_page(request, &page, rows);
}

/* What a user is a member of, their role in the tenant among it. */
static int list_of_user(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *user;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = users_find(request, request->params[1], &user);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "SELECT project_id, " VIEW_SQL " FROM control.members WHERE tenant_id = $1 AND user_id = $2 "
		   "AND ($3 = '' OR project_id > $3) ORDER BY project_id LIMIT $4::bigint",
		   request->tenant_id, user, page.after, record_limit(request, &page));
	if (r == 0 && db_row_count(rows) == 0) {
		/* Somebody without any role, or nobody? */
		_cleanup_(db_rows_freep) struct db_rows *users = NULL;

		r = db_run(request->tx, &users, "SELECT FROM control.users WHERE tenant_id = $1 AND id = $2",
			   request->tenant_id, user);
		if (r == 0 && db_row_count(users) == 0)
			return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	}
	return r < 0 ? respond_db(request, r, "memberships") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *user;
	int r = users_find(request, user_parameter(request), &user);

	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "SELECT " COLUMNS_SQL
		   " FROM control.members WHERE tenant_id = $1 AND user_id = $2 AND project_id = $3",
		   request->tenant_id, user, project_of(request));
	if (r < 0)
		return respond_db(request, r, "member");
	return db_row_count(rows) == 0 ? respond_problem(request, PROBLEM_NOT_FOUND, NULL)
				       : record_answer(request, 200, rows);
}

/* The row as it is, locked. 0 with its version and role, 0 and "" where there is none; 1; -errno. */
static int lock(struct request *request, const char *user, int64_t *ret_version, const char **ret_role)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"SELECT version, role FROM control.members WHERE tenant_id = $1 AND user_id = $2 AND project_id = $3 "
		"FOR UPDATE",
		request->tenant_id, user, project_of(request));

	*ret_version = 0;
	*ret_role = "";
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	*ret_version = db_i64(rows, 0, 0);
	*ret_role = request_copy(request, db_text(rows, 0, 1));
	return *ret_role ? 0 : -ENOMEM;
}

/* Until the end of this transaction the project does not go away: memberships have no foreign key to it. */
static int hold_project(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT FROM control.projects WHERE tenant_id = $1 AND id = $2 FOR SHARE",
		       request->tenant_id, request->project_id);

	if (r < 0 || db_row_count(rows) > 0)
		return r;
	respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return 1;
}

/* Who manages a project takes nobody's role in it that they could not give. */
static int check_before(struct request *request, const char *user, const char *before)
{
	if (!request->project_id || *before == '\0' || text_equal(user, request->principal.id))
		return 0;
	return rights_to_give_in_project(request, user, before);
}

/* Hosts refuse a feed in which somebody has more. The tenant's row is held (rights_lock_owners), so two at once count
 * each other. */
static int check_count(struct request *request, const char *user)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT count(*) FROM control.members WHERE tenant_id = $1 AND user_id = $2",
		       request->tenant_id, user);

	if (r < 0 || db_i64(rows, 0, 0) < USER_MEMBERSHIPS_MAX)
		return r;
	respond_problem(request, PROBLEM_CONFLICT,
			"a user has at most %u memberships; give the person a role in the tenant",
			USER_MEMBERSHIPS_MAX);
	return 1;
}

/* A membership may be written without having been read; who says what they read is held to it. */
static int check_match(struct request *request, int64_t version)
{
	return request_header(request, "If-Match") ? request_if_match(request, (uint64_t)version) : 0;
}

static int put(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *user, *role = NULL, *before, *id;
	const struct json_field field = {"role", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED};
	json_t *view = NULL;
	bool owner = false;
	int64_t version;
	int r;

	if (request_fields(request, &field, 1, &role) != 0)
		return 0;
	r = users_find(request, user_parameter(request), &user);
	if (r == 0)
		r = rights_lock_owners(request, user, &owner);
	/* Also in a project: who may not touch somebody does not put them into projects either. */
	if (r == 0)
		r = rights_over_user(request, user);
	if (r == 0 && request->project_id)
		r = hold_project(request);
	if (r == 0)
		r = lock(request, user, &version, &before);
	if (r == 0)
		r = check_before(request, user, before);
	if (r == 0)
		r = request->project_id ? rights_to_give_in_project(request, user, role)
					: rights_to_give_in_tenant(request, role);
	if (r == 0)
		r = check_match(request, version);
	if (r == 0 && version == 0)
		r = check_count(request, user);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.members AS m (tenant_id, user_id, project_id, role) VALUES ($1, $2, $3, $4) "
		   "ON CONFLICT (tenant_id, user_id, project_id) DO UPDATE SET role = excluded.role, version = "
		   "m.version + 1 "
		   "RETURNING " COLUMNS_SQL,
		   request->tenant_id, user, project_of(request), role);
	if (r < 0)
		return respond_db(request, r, "member");
	id = request_text(request, "%s/%s", user, project_of(request));
	if (!id)
		return -ENOMEM;
	r = request->project_id ? 0 : rights_check_owners(request, owner);
	if (r == 0)
		r = record_publish(request, RECORD_MEMBER, id, rows);
	if (r == 0)
		r = event_write(request, "member.put", id, json_pack("{s:s,s:s}", "role", role, "before", before));
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return r < 0 ? r : 0;
	return acks_answer(request, version == 0 ? 201 : 200, (uint64_t)db_i64(rows, 0, 0), view);
}

static int delete_member(struct request *request)
{
	const char *user, *before, *id;
	bool owner = false;
	int64_t version;
	int r = users_find(request, user_parameter(request), &user);

	if (r == 0)
		r = rights_lock_owners(request, user, &owner);
	if (r == 0)
		r = rights_over_user(request, user);
	if (r == 0)
		r = lock(request, user, &version, &before);
	if (r == 0)
		r = check_before(request, user, before);
	if (r != 0)
		return r < 0 ? r : 0;
	if (version == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (check_match(request, version) != 0)
		return 0;
	id = request_text(request, "%s/%s", user, project_of(request));
	if (!id || !record_change(request))
		return -ENOMEM;
	r = db_run(request->tx, NULL,
		   "DELETE FROM control.members WHERE tenant_id = $1 AND user_id = $2 AND project_id = $3",
		   request->tenant_id, user, project_of(request));
	if (r == 0 && !request->project_id)
		r = rights_check_owners(request, owner);
	if (r == 0)
		r = event_write(request, "member.delete", id, json_pack("{s:s}", "before", before));
	if (r != 0)
		return r < 0 ? r : 0;
	change_delete(request->change, RECORD_MEMBER, id, (uint64_t)version + 1);
	return acks_answer(request, 200, (uint64_t)version + 1, json_pack("{s:s,s:s}", "user", user, "role", ""));
}

#define IN_TENANT "/v1/tenants/{tenant}/members"
#define IN_PROJECT "/v1/tenants/{tenant}/projects/{project}/members"
static const struct route routes[] = {
	ROUTE(HTTP_GET, IN_TENANT, ROUTE_TENANT, "project.view", 0, list),
	ROUTE(HTTP_GET, IN_TENANT "/{user}", ROUTE_TENANT, "project.view", 0, get),
	ROUTE(HTTP_PUT, IN_TENANT "/{user}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, put),
	ROUTE(HTTP_DELETE, IN_TENANT "/{user}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, delete_member),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/users/{user}/memberships", ROUTE_TENANT, "project.view", 0, list_of_user),
	ROUTE(HTTP_GET, IN_PROJECT, ROUTE_PROJECT, "project.view", 0, list),
	ROUTE(HTTP_GET, IN_PROJECT "/{user}", ROUTE_PROJECT, "project.view", 0, get),
	ROUTE(HTTP_PUT, IN_PROJECT "/{user}", ROUTE_PROJECT, "member.manage", ROUTE_WRITES, put),
	ROUTE(HTTP_DELETE, IN_PROJECT "/{user}", ROUTE_PROJECT, "member.manage", ROUTE_WRITES, delete_member),
};
const struct route_table members_routes = {routes, ARRAY_LEN(routes)};
