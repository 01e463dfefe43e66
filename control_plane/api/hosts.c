/* SPDX-License-Identifier: MIT
 *
 * Enrolled hosts, and which tenants they serve.
 */
#include <errno.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/hosts_sql.h"
#include "control_plane/api/names.h"

static const struct record_unique unique[] = {{"hosts_name_key", "name"}};

static int not_found(struct request *request)
{
	respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return 1;
}

int hosts_lock(struct request *request, struct host_row *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT id, version, disabled_at FROM control.hosts WHERE id = $1 OR name = $1 ORDER BY id = $1 "
		       "DESC LIMIT 1 "
		       "FOR UPDATE",
		       request->params[0]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return not_found(request);
	*ret = (struct host_row){
		.id = request_copy(request, db_text(rows, 0, 0)),
		.version = db_i64(rows, 0, 1),
		.disabled_at = db_i64(rows, 0, 2),
	};
	return ret->id ? 0 : -ENOMEM;
}

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *name = request_query(request, "name");
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	/* A statement each, so that each has its index. */
	if (name)
		r = db_run(request->tx, &rows,
			   "SELECT id, " HOST_VIEW_SQL(HOST_TENANTS_SQL) " FROM control.hosts h WHERE name = $1", name);
	else
		r = db_run(request->tx, &rows,
			   "SELECT id, " HOST_VIEW_SQL(
				   HOST_TENANTS_SQL) " FROM control.hosts h WHERE id > $1 ORDER BY id LIMIT $2::bigint",
			   page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "hosts") : record_page(request, &page, rows);
}

/* Those that serve the tenant, without a word about other tenants. */
static int list_of_tenant(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(
		request->tx, &rows,
		"SELECT h.id, jsonb_strip_nulls(jsonb_build_object('id', h.id, 'name', h.name, "
		"'disabled_at', " SQL_NUMBER("h.disabled_at") ", 'last_seen', extract(epoch FROM "
							      "h.last_seen)::bigint)) FROM control.host_tenants t "
							      "JOIN control.hosts h ON h.id = t.host_id WHERE "
							      "t.tenant_id = $1 AND t.host_id > $2 ORDER BY t.host_id "
							      "LIMIT $3::bigint",
		request->tenant_id, page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "hosts") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " HOST_COLUMNS_SQL
		       " FROM control.hosts h WHERE id = $1 OR name = $1 ORDER BY id = $1 DESC LIMIT 1",
		       request->params[0]);

	if (r < 0)
		return respond_db(request, r, "host");
	return db_row_count(rows) == 0 ? MIN_OF(not_found(request), 0) : record_answer(request, 200, rows);
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct json_field field = {"name", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED};
	const char *name = NULL;
	struct host_row host;
	int r;

	if (request_fields(request, &field, 1, &name) != 0)
		return 0;
	if (!text_is_word(name) && !text_is_slug(name))
		return respond_invalid(request, "name", "letters, digits, '.', '_', '-'");
	r = hosts_lock(request, &host);
	if (r == 0)
		r = request_if_match(request, (uint64_t)host.version);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(
		request->tx, &rows,
		"UPDATE control.hosts h SET version = version + 1, name = $2 WHERE id = $1 RETURNING " HOST_COLUMNS_SQL,
		host.id, name);
	if (r < 0)
		return record_fault(request, r, "host", unique, ARRAY_LEN(unique));
	r = event_write(request, "host.change", host.id, json_pack("{s:s}", "name", name));
	return r < 0 ? r : record_answer(request, 200, rows);
}

/* A host that is only forgotten would go on with what it has: it is disabled first. */
static int delete_host(struct request *request)
{
	struct host_row host;
	int r = hosts_lock(request, &host);

	if (r == 0)
		r = request_if_match(request, (uint64_t)host.version);
	if (r == 0 && host.disabled_at == 0)
		return respond_problem(request, PROBLEM_CONFLICT,
				       "disable the host first, so that it lets nobody in any more");
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.hosts WHERE id = $1", host.id);
	if (r == 0)
		r = event_write(request, "host.delete", host.id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return respond_empty(request);
}

/* ---- which tenants
 * --------------------------------------------------------------------------------------------------- */

/* {tenant}, an id or a slug. 0; 1; -errno. */
static int find_tenant(struct request *request, const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT id FROM control.tenants WHERE id = $1 OR slug = $1 FOR SHARE",
		       request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return not_found(request);
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

/* Disabled, its revocation is in the feeds of the tenants that it serves: that set stays as it is until it is enabled.
 */
static int lock_served(struct request *request, struct host_row *host, const char **ret_tenant)
{
	int r = hosts_lock(request, host);

	if (r == 0)
		r = find_tenant(request, ret_tenant);
	if (r == 0 && host->disabled_at != 0) {
		respond_problem(request, PROBLEM_CONFLICT, "the host is disabled");
		r = 1;
	}
	return r;
}

static int touch(struct request *request, const struct host_row *host, const char *kind, const char *tenant)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.hosts h SET version = version + 1 WHERE id = $1 RETURNING " HOST_COLUMNS_SQL,
		       host->id);

	if (r == 0)
		r = event_write(request, kind, host->id, json_pack("{s:s}", "tenant", tenant));
	return r < 0 ? r : record_answer(request, 200, rows);
}

static int serve(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct name_clash clash;
	struct host_row host;
	const char *tenant;
	int r = lock_served(request, &host, &tenant);

	/* Nobody beside the tenant takes a name meanwhile. */
	if (r == 0)
		r = db_later(request->tx,
			     "SELECT FROM control.tenants WHERE id IN (SELECT tenant_id FROM control.host_tenants "
			     "WHERE host_id = $1) ORDER BY id FOR SHARE",
			     host.id);
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "INSERT INTO control.host_tenants (host_id, tenant_id) VALUES ($1, $2) "
			   "ON CONFLICT DO NOTHING RETURNING 1",
			   host.id, tenant);
	if (r == 0 && db_row_count(rows) > 0)
		r = names_check_host(request, host.id, &clash);
	if (r != 0)
		return r < 0 ? r : 0;
	return touch(request, &host, "host.serve", tenant);
}

static int withdraw(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct host_row host;
	const char *tenant;
	int r = lock_served(request, &host, &tenant);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "DELETE FROM control.host_tenants WHERE host_id = $1 AND tenant_id = $2 RETURNING 1",
			   host.id, tenant);
	if (r == 0 && db_row_count(rows) == 0)
		r = not_found(request);
	if (r != 0)
		return r < 0 ? r : 0;
	return touch(request, &host, "host.withdraw", tenant);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/hosts", ROUTE_OPERATOR, "host.view", 0, list),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/hosts", ROUTE_TENANT, "project.view", 0, list_of_tenant),
	ROUTE(HTTP_GET, "/v1/hosts/{host}", ROUTE_OPERATOR, "host.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/hosts/{host}", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/hosts/{host}", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, delete_host),
	ROUTE(HTTP_PUT, "/v1/hosts/{host}/tenants/{tenant}", ROUTE_OPERATOR, "host.manage",
	      ROUTE_WRITES | ROUTE_NO_BODY, serve),
	ROUTE(HTTP_DELETE, "/v1/hosts/{host}/tenants/{tenant}", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, withdraw),
};
const struct route_table hosts_routes = {routes, ARRAY_LEN(routes)};
