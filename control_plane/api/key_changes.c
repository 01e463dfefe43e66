/* SPDX-License-Identifier: MIT
 *
 * What happens to a key after it was made: a new label, a successor, its end.
 */
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/key_scopes.h"
#include "control_plane/api/keys.h"
#include "control_plane/api/rights.h"
#include "control_plane/feed/change.h"

#define GRACE_MOST_SEC (90 * 86400)

/* The key's row, locked, of an owner on whom the caller may act. Rows: version, owner, kind, revoked_at, successor,
 * not_after, created. 0; 1; -errno. */
enum { VERSION, OWNER, OWNER_KIND, REVOKED_AT, SUCCESSOR, NOT_AFTER, CREATED };
static int lock(struct request *request, struct db_rows **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT k.version, k.user_id, u.kind, k.revoked_at, k.successor, k.not_after, k.created "
		       "FROM control.api_keys k JOIN control.users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id "
		       "WHERE k.tenant_id = $1 AND k.id = $2 AND ($3 = '' OR k.user_id = $3) FOR UPDATE OF k",
		       request->tenant_id, request->params[1], keys_owner_filter(request));

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	r = rights_over_user(request, db_text(rows, 0, OWNER));
	if (r == 0)
		*ret = TAKE_PTR(rows);
	return r;
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *before = NULL, *rows = NULL;
	const struct json_field field = {"label", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED};
	const char *label = NULL;
	int r;

	if (request_fields(request, &field, 1, &label) != 0)
		return 0;
	r = lock(request, &before);
	if (r == 0)
		r = request_if_match(request, (uint64_t)db_i64(before, 0, VERSION));
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "UPDATE control.api_keys SET version = version + 1, label = $3 WHERE tenant_id = $1 AND id "
			   "= $2 "
			   "RETURNING " KEY_COLUMNS_SQL,
			   request->tenant_id, request->params[1], label);
	if (r == 0)
		r = record_publish(request, RECORD_KEY, request->params[1], rows);
	if (r == 0)
		r = event_write(request, "key.change", request->params[1], json_pack("{s:s}", "label", label));
	if (r != 0)
		return r < 0 ? r : 0;
	return record_answer(request, 200, rows);
}

/* ---- rotation -------------------------------------------------------------------------------------------------------
 */

struct rotation {
	int64_t grace, not_after;
};
static const struct json_field rotate_fields[] = {
	{"grace", JSON_FIELD_I64, offsetof(struct rotation, grace), 0},
	{"not_after", JSON_FIELD_I64, offsetof(struct rotation, not_after), 0},
};

static int check_rotation(struct request *request, const struct db_rows *rows, const struct rotation *rotation)
{
	int64_t end = db_i64(rows, 0, NOT_AFTER);

	if (rotation->grace < 0 || rotation->grace > GRACE_MOST_SEC)
		respond_invalid(request, "grace", "seconds, at most %d", GRACE_MOST_SEC);
	else if (rotation->not_after != 0 && rotation->not_after <= request->now)
		respond_invalid(request, "not_after", "the new key would have ended already");
	else if (db_i64(rows, 0, REVOKED_AT) != 0)
		respond_problem(request, PROBLEM_CONFLICT, "the key is revoked: make a new one");
	else if (*db_text(rows, 0, SUCCESSOR))
		respond_problem(request, PROBLEM_CONFLICT, "the key was rotated already, to %s",
				db_text(rows, 0, SUCCESSOR));
	else if (end != 0 && end <= request->now)
		respond_problem(request, PROBLEM_CONFLICT, "the key has ended: make a new one");
	else
		return 0;
	return 1;
}

/* The new key lives as long as the old one was to live, unless the request says otherwise. */
static int64_t new_end(const struct request *request, const struct db_rows *rows, const struct rotation *rotation)
{
	int64_t end = db_i64(rows, 0, NOT_AFTER);

	if (rotation->not_after != 0)
		return rotation->not_after;
	return end == 0 ? 0 : request->now + (end - db_i64(rows, 0, CREATED));
}

/* Who comes with a limited key gets none that may do more by rotating another, and one that ends does not live longer
 * than it was to. */
static int check_reach(struct request *request, const struct db_rows *rows, int64_t end)
{
	const struct key_record *key = request->principal.key;
	_cleanup_(json_decrefp) json_t *projects = NULL, *actions = NULL, *services = NULL, *from = NULL;
	_cleanup_(db_rows_freep) struct db_rows *found = NULL;
	struct key_scopes scopes = {.not_after = end};
	int r;

	if (!key)
		return 0;
	if (strcmp(key->id, request->params[1]) == 0) {
		int64_t most = new_end(request, rows, &(struct rotation){0});

		if (most == 0 || end <= most)
			return 0;
		respond_problem(request, PROBLEM_FORBIDDEN, "the new key would live longer than this one was to");
		return 1;
	}
	r = db_run(request->tx, &found,
		   "SELECT to_json(projects), to_json(actions), to_json(services), to_json(allow_from) "
		   "FROM control.api_keys WHERE tenant_id = $1 AND id = $2",
		   request->tenant_id, request->params[1]);
	if (r == 0)
		r = record_json(found, 0, 0, &projects);
	if (r == 0)
		r = record_json(found, 0, 1, &actions);
	if (r == 0)
		r = record_json(found, 0, 2, &services);
	if (r == 0)
		r = record_json(found, 0, 3, &from);
	if (r < 0)
		return r;
	scopes.projects = projects;
	scopes.actions = actions;
	scopes.services = services;
	scopes.from = from;
	return key_scopes_check(request, &scopes);
}

static int insert_successor(struct request *request, const struct new_key *key, int64_t end, struct db_rows **ret)
{
	int r = db_run(
		request->tx, ret,
		"INSERT INTO control.api_keys (id, tenant_id, user_id, label, verifier, projects, actions, services, "
		"allow_from, created, not_before, not_after) SELECT $3, tenant_id, user_id, label, $4::bytea, "
		"projects, "
		"actions, services, allow_from, $5::bigint, CASE WHEN not_before > $5::bigint THEN not_before ELSE 0 "
		"END, $6::bigint FROM control.api_keys WHERE tenant_id = $1 AND id = $2 "
		"RETURNING " KEY_COLUMNS_SQL,
		request->tenant_id, request->params[1], key->id, key->verifier, record_number(request, request->now),
		record_number(request, end));

	return r == 0 ? record_publish(request, RECORD_KEY, key->id, *ret) : r;
}

static int end_old(struct request *request, const struct new_key *key, int64_t grace)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.api_keys SET version = version + 1, successor = $3, "
		       "not_after = CASE WHEN not_after = 0 THEN $4::bigint ELSE least(not_after, $4::bigint) END "
		       "WHERE tenant_id = $1 AND id = $2 RETURNING " KEY_COLUMNS_SQL,
		       request->tenant_id, request->params[1], key->id, record_number(request, request->now + grace));

	return r == 0 ? record_publish(request, RECORD_KEY, request->params[1], rows) : r;
}

static int rotate(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *before = NULL, *rows = NULL;
	struct rotation rotation = {0};
	struct new_key key = {0};
	int64_t end;
	int r;

	if (request_fields(request, rotate_fields, ARRAY_LEN(rotate_fields), &rotation) != 0)
		return 0;
	r = lock(request, &before);
	if (r == 0)
		r = rights_as_user(request, db_text(before, 0, OWNER));
	if (r == 0)
		r = check_rotation(request, before, &rotation);
	if (r != 0)
		return r < 0 ? r : 0;
	end = new_end(request, before, &rotation);
	r = check_reach(request, before, end);
	if (r != 0)
		return MIN_OF(r, 0);
	r = keys_make(request, db_text(before, 0, OWNER_KIND), &key);
	if (r == 0)
		r = insert_successor(request, &key, end, &rows);
	if (r == 0)
		r = end_old(request, &key, rotation.grace);
	if (r == 0)
		r = event_write(request, "key.rotate", request->params[1],
				json_pack("{s:s,s:I}", "successor", key.id, "grace", (json_int_t)rotation.grace));
	r = r == 0 ? keys_respond_new(request, &key, rows) : r < 0 ? r : 0;
	secret_wipe(key.text, sizeof(key.text));
	return r;
}

/* ---- revocation -----------------------------------------------------------------------------------------------------
 */

static int revoke_key(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *before = NULL, *rows = NULL;
	const struct json_field field = {"reason", JSON_FIELD_STRING, 0, 0};
	_cleanup_(json_decrefp) json_t *body = NULL;
	const char *id = request->params[1], *reason = "";
	struct change *change = record_change(request);
	json_t *view = NULL, *why;
	int r;

	if (!change)
		return -ENOMEM;
	if (request_fields(request, &field, 1, &reason) != 0)
		return 0;
	r = lock(request, &before);
	if (r != 0)
		return r < 0 ? r : 0;
	if (db_i64(before, 0, REVOKED_AT) != 0)
		return respond_problem(request, PROBLEM_CONFLICT, "the key is revoked already");
	r = db_run(request->tx, &rows,
		   "UPDATE control.api_keys SET version = version + 1, revoked_at = $3::bigint, revoked_reason = $4 "
		   "WHERE tenant_id = $1 AND id = $2 RETURNING " KEY_COLUMNS_SQL,
		   request->tenant_id, id, record_number(request, request->now), reason);
	/* Judged like any other body; then it goes as what it is. */
	if (r == 0)
		r = record_publish(request, RECORD_KEY, id, rows);
	if (r == 0)
		r = event_write(request, "key.revoke", id, json_pack("{s:s}", "reason", reason));
	if (r == 0)
		r = record_json(rows, 0, 1, &body);
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return r < 0 ? r : 0;
	why = *reason ? json_pack("{s:I,s:s}", "at", (json_int_t)request->now, "reason", reason)
		      : json_pack("{s:I}", "at", (json_int_t)request->now);
	change_revoke(change, RECORD_KEY, id, (uint64_t)db_i64(rows, 0, 0), why, TAKE_PTR(body));
	return acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), view);
}

static const struct route routes[] = {
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/keys/{key}", ROUTE_TENANT, "self", ROUTE_WRITES, patch),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/keys/{key}/rotate", ROUTE_TENANT, "self", ROUTE_WRITES, rotate),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/keys/{key}/revoke", ROUTE_TENANT, "self", ROUTE_WRITES, revoke_key),
};
const struct route_table key_changes_routes = {routes, ARRAY_LEN(routes)};
