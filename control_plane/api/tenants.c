/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/names.h"
#include "control_plane/api/tenant_sql.h"
#include "control_plane/audit/ending.h"
#include "control_plane/auth/gate.h"
#include "control_plane/auth/token_keys.h"
#include "control_plane/feed/change.h"
#include "control_plane/feed/publisher.h"

#define BLOCK_DEFAULT 16384
#define BLOCK_LEAST 16
#define BLOCK_MOST 16777216

/* The policy stands by itself, so that it is changed as one thing. */
#define VIEW_SQL                                                                                                       \
	"(jsonb_strip_nulls(jsonb_build_object('id', t.id, 'version', t.version, 'slug', t.slug, 'name', " SQL_TEXT(   \
		"t.name") ", "                                                                                         \
			  "'region', t.region, 'gid', t.gid, 'ids', jsonb_build_object('first', t.id_first, 'count', " \
			  "t.id_count, "                                                                               \
			  "'next', t.id_next), 'allow_from', " SQL_LIST(                                               \
				  "t.allow_from") ", 'suspended', t.suspended, "                                       \
						  "'created_at', extract(epoch FROM t.created_at)::bigint)) || "       \
						  "jsonb_build_object('policy', t.policy))"
#define COLUMNS_SQL "version, " TENANT_BODY_SQL ", " VIEW_SQL

static const struct record_unique unique[] = {{"tenants_slug_key", "slug"}};

static int fault(struct request *request, int result)
{
	return record_fault(request, result, "tenant", unique, ARRAY_LEN(unique));
}

/* An operator whose grants hold in single tenants sees these. */
static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	if (request->principal.kind == PRINCIPAL_LOCAL)
		r = db_run(request->tx, &rows,
			   "SELECT id, " VIEW_SQL " FROM control.tenants t WHERE id > $1 ORDER BY id LIMIT $2::bigint",
			   page.after, record_limit(request, &page));
	else
		r = db_run(request->tx, &rows,
			   "SELECT id, " VIEW_SQL " FROM control.tenants t WHERE id > $1 AND EXISTS (SELECT FROM "
			   "control.operator_grants g WHERE g.operator_id = $3 AND g.tenant_id IN ('', t.id) "
			   "AND (g.not_after = 0 OR g.not_after > $4::bigint)) ORDER BY id LIMIT $2::bigint",
			   page.after, record_limit(request, &page), request->principal.id,
			   record_number(request, request->now));
	return r < 0 ? respond_db(request, r, "tenants") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT " COLUMNS_SQL " FROM control.tenants t WHERE id = $1",
		       request->tenant_id);

	return r < 0 ? respond_db(request, r, "tenant") : record_answer(request, 200, rows);
}

/* ---- fields ---------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *slug, *name, *region;
	json_t *allow_from, *policy;
	int64_t ids;
	bool suspended;
};
static const struct json_field create_fields[] = {
	{"slug", JSON_FIELD_STRING, offsetof(struct fields, slug), JSON_FIELD_REQUIRED},
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"region", JSON_FIELD_STRING, offsetof(struct fields, region), 0},
	{"ids", JSON_FIELD_I64, offsetof(struct fields, ids), 0},
	{"allow_from", JSON_FIELD_STRINGS, offsetof(struct fields, allow_from), 0},
	{"policy", JSON_FIELD_OBJECT, offsetof(struct fields, policy), 0},
};
static const struct json_field patch_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"allow_from", JSON_FIELD_STRINGS, offsetof(struct fields, allow_from), 0},
	{"policy", JSON_FIELD_OBJECT, offsetof(struct fields, policy), 0},
	{"suspended", JSON_FIELD_BOOL, offsetof(struct fields, suspended), 0},
};

/* The policy becomes a part of the body in the feed: it must not bring other members along. What they may be is judged
 * with the body. */
static int check_policy(struct request *request, json_t *policy)
{
	static const char *const members[] = {
		"ssh_keys", "sessions", "key_warning_days", "login_hours", "stale", "sudo",
	};
	const char *name;
	json_t *value;

	json_object_foreach(policy, name, value)
	{
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			known |= strcmp(members[i], name) == 0;
		if (!known) {
			respond_invalid(request, "policy", "there is no \"%s\" in a policy", name);
			return 1;
		}
	}
	return 0;
}

/* ---- creating -------------------------------------------------------------------------------------------------------
 */

static int take_block(struct request *request, int64_t count, int64_t *ret_first)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.platform SET next_id_block = next_id_block + $1::bigint "
		       "WHERE next_id_block + $1::bigint <= 2147483392 RETURNING next_id_block - $1::bigint",
		       record_number(request, count));

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_CONFLICT, "so many uids and gids are not left");
		return 1;
	}
	*ret_first = db_i64(rows, 0, 0);
	return 0;
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = record_new_id(request, "ten_"), *allow_from, *policy;
	struct fields fields = {.name = "", .region = "eu", .ids = BLOCK_DEFAULT};
	int64_t first;
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_policy(request, fields.policy) != 0 || names_check_tenant(request, fields.slug) != 0)
		return 0;
	if (fields.ids < BLOCK_LEAST || fields.ids > BLOCK_MOST)
		return respond_invalid(request, "ids", "how many uids and gids: %d to %d", BLOCK_LEAST, BLOCK_MOST);
	if (record_json_text(request, fields.allow_from, &allow_from) < 0 ||
	    record_json_text(request, fields.policy, &policy) < 0)
		return -ENOMEM;
	r = take_block(request, fields.ids, &first);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.tenants AS t (id, slug, name, region, gid, id_first, id_count, id_next, "
		   "allow_from, policy) "
		   "VALUES ($1, $2, $3, $4, $5::bigint, $5::bigint, $6::bigint, $5::bigint + 1, " SQL_NEW_LIST(
			   "$7") ", coalesce($8::jsonb, '{}')) RETURNING " COLUMNS_SQL,
		   id, fields.slug, fields.name, fields.region, record_number(request, first),
		   record_number(request, fields.ids), allow_from, policy);
	if (r < 0)
		return fault(request, r);
	/* From here on the transaction is the new tenant's. */
	r = feed_create(request->tx, request->app, id);
	if (r == 0)
		r = change_new(id, &request->change);
	if (r == 0)
		r = record_put(request, request->change, RECORD_TENANT, id, rows, 0);
	if (r == 0)
		r = token_keys_put(request->app->token_keys, request->now, request->change);
	if (r == 0)
		r = event_write(request, "tenant.create", id, json_pack("{s:s}", "slug", fields.slug));
	if (r != 0)
		return r < 0 ? r : 0;
	return record_created(request, id, rows);
}

/* ---- changing -------------------------------------------------------------------------------------------------------
 */

static int lock(struct request *request, bool *ret_suspended)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT version, suspended FROM control.tenants WHERE id = $1 FOR UPDATE",
		       request->tenant_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*ret_suspended = db_bool(rows, 0, 1);
	return request_if_match(request, (uint64_t)db_i64(rows, 0, 0));
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const json_t *suspended = json_object_get(request->body, "suspended");
	const char *allow_from, *policy;
	struct fields fields = {0};
	json_t *view = NULL;
	bool before;
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0 ||
	    check_policy(request, fields.policy) != 0)
		return 0;
	if (suspended && !request->standing->all)
		return respond_problem(request, PROBLEM_FORBIDDEN, "operators suspend tenants");
	if (record_json_text(request, fields.allow_from, &allow_from) < 0 ||
	    record_json_text(request, fields.policy, &policy) < 0)
		return -ENOMEM;
	r = lock(request, &before);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.tenants t SET version = version + 1, " SQL_SET("name", "$2") ", " SQL_SET_LIST(
			   "allow_from",
			   "$3") ", " SQL_SET_AS("policy", "$4",
						 "jsonb") ", " SQL_SET_AS("suspended", "$5",
									  "boolean") " WHERE id = $1 "
										     "RETURNING " COLUMNS_SQL,
		   request->tenant_id, fields.name, allow_from, policy,
		   suspended ? (fields.suspended ? "true" : "false") : NULL);
	if (r < 0)
		return fault(request, r);
	r = record_publish(request, RECORD_TENANT, request->tenant_id, rows);
	if (r == 0)
		r = event_write(request,
				!suspended || before == fields.suspended ? "tenant.change"
				: fields.suspended                       ? "tenant.suspend"
									 : "tenant.resume",
				request->tenant_id, NULL);
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return r < 0 ? r : 0;
	return acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), view);
}

/* Takes everything along, the feed too: hosts must have seen it suspended before, for a feed that is gone says
 * nothing any more. Its log ends and stays, but without the keys of those whom it is about: nobody could ask for
 * somebody to be erased any more. What it was in the end stands in the platform's log, and somebody signs that. */
static int delete_tenant(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *end = NULL;
	bool suspended;
	int r = lock(request, &suspended);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!suspended)
		return respond_problem(request, PROBLEM_CONFLICT, "suspend the tenant first, so that its hosts know");
	r = event_write(request, "tenant.delete", request->tenant_id, NULL);
	if (r == 0)
		r = log_end(request->app, request->tx, request->tenant_id, &end);
	if (r == 0)
		r = db_later(request->tx, "DELETE FROM control.operator_grants WHERE tenant_id = $1",
			     request->tenant_id);
	if (r == 0)
		r = db_run(request->tx, &rows, "DELETE FROM control.tenants WHERE id = $1 RETURNING slug",
			   request->tenant_id);
	if (r < 0)
		return respond_db(request, r, "tenant");
	if (json_object_set_new(end, "slug", json_string(db_text(rows, 0, 0))) < 0)
		return -ENOMEM;
	r = events_put(request, request->tx, "", "tenant.delete", request->tenant_id, end);
	request_wrote_log(request, "");
	return r < 0 ? r : respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants", ROUTE_OPERATOR, "tenant.list", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants", ROUTE_OPERATOR, "tenant.create", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}", ROUTE_TENANT, "self", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}", ROUTE_OPERATOR, "tenant.delete", ROUTE_WRITES, delete_tenant),
};
const struct route_table tenants_routes = {routes, ARRAY_LEN(routes)};
