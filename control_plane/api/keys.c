/* SPDX-License-Identifier: MIT
 *
 * API keys. Everybody looks after their own; who has key.manage in the tenant also after those of others that are not
 * above them.
 */
#include "control_plane/api/keys.h"

#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/key_scopes.h"
#include "control_plane/api/rights.h"
#include "control_plane/api/users.h"
#include "control_plane/auth/gate.h"
#include "crypto/api_key.h"

const char *keys_owner_filter(const struct request *request)
{
	return gate_may(request, "key.manage") ? "" : request->principal.id;
}

int keys_make(struct request *request, const char *owner_kind, struct new_key *ret)
{
	char id[API_KEY_ID_CHARS + 1];
	uint8_t digest[SHA256_BYTES];
	_cleanup_(freep) char *hex = NULL;
	int r;

	_Static_assert(sizeof(ret->text) > API_KEY_TEXT_CHARS, "a key fits");
	r = api_key_make(strcmp(owner_kind, "service") == 0 ? API_KEY_SERVICE : API_KEY_PERSON, ret->text, id);
	if (r == 0)
		r = api_key_verifier(ret->text, strlen(ret->text), digest);
	if (r < 0)
		return r;
	hex = db_hex(digest, sizeof(digest));
	ret->id = request_text(request, "key_%s", id);
	ret->verifier = hex ? request_copy(request, hex) : NULL;
	return ret->id && ret->verifier ? 0 : -ENOMEM;
}

int keys_respond_new(struct request *request, const struct new_key *key, const struct db_rows *rows)
{
	json_t *view = NULL;
	int r = record_json(rows, 0, 2, &view);

	if (r < 0)
		return r;
	if (json_object_set_new(view, "secret", json_string(key->text)) < 0) {
		json_decref(view);
		return -ENOMEM;
	}
	request->response.secret = true;
	respond_header(request, "Location",
		       request_text(request, "/v1/tenants/%s/keys/%s", request->tenant_id, key->id));
	return respond_record(request, 201, (uint64_t)db_i64(rows, 0, 0), view);
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *owner = keys_owner_filter(request), *wanted = request_query(request, "user"), *id;
	struct page page;
	int r = 0;

	if (request_page(request, &page) != 0)
		return 0;
	if (wanted) {
		r = users_find(request, wanted, &id);
		if (r != 0)
			return r < 0 ? r : 0;
		if (*owner && strcmp(owner, id) != 0)
			return respond_problem(request, PROBLEM_FORBIDDEN, "these are the keys of somebody else");
		owner = id;
	}
	/* A statement each, so that each has its index. */
	if (*owner)
		r = db_run(request->tx, &rows,
			   "SELECT id, " KEY_VIEW_SQL
			   " FROM control.api_keys WHERE tenant_id = $1 AND user_id = $2 AND id > $3 "
			   "ORDER BY id LIMIT $4::bigint",
			   request->tenant_id, owner, page.after, record_limit(request, &page));
	else
		r = db_run(request->tx, &rows,
			   "SELECT id, " KEY_VIEW_SQL
			   " FROM control.api_keys WHERE tenant_id = $1 AND id > $2 ORDER BY id "
			   "LIMIT $3::bigint",
			   request->tenant_id, page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "keys") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " KEY_COLUMNS_SQL " FROM control.api_keys WHERE tenant_id = $1 AND id = $2 "
		       "AND ($3 = '' OR user_id = $3)",
		       request->tenant_id, request->params[1], keys_owner_filter(request));

	if (r < 0)
		return respond_db(request, r, "key");
	return db_row_count(rows) == 0 ? respond_problem(request, PROBLEM_NOT_FOUND, NULL)
				       : record_answer(request, 200, rows);
}

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *user, *label;
	struct key_scopes scopes;
	int64_t not_before;
};
static const struct json_field create_fields[] = {
	{"user", JSON_FIELD_STRING, offsetof(struct fields, user), 0},
	{"label", JSON_FIELD_STRING, offsetof(struct fields, label), 0},
	{"projects", JSON_FIELD_STRINGS, offsetof(struct fields, scopes.projects), 0},
	{"actions", JSON_FIELD_STRINGS, offsetof(struct fields, scopes.actions), 0},
	{"services", JSON_FIELD_STRINGS, offsetof(struct fields, scopes.services), 0},
	{"from", JSON_FIELD_STRINGS, offsetof(struct fields, scopes.from), 0},
	{"not_before", JSON_FIELD_I64, offsetof(struct fields, not_before), 0},
	{"not_after", JSON_FIELD_I64, offsetof(struct fields, scopes.not_after), 0},
};

/* For whom. 0 with the id and kind; 1; -errno. */
static int find_owner(struct request *request, const char *name, const char **ret_id, const char **ret_kind)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	if (!name && request->principal.kind != PRINCIPAL_USER) {
		respond_invalid(request, "user", "say whose key it is to be");
		return 1;
	}
	*ret_id = request->principal.id;
	r = name ? users_find(request, name, ret_id) : 0;
	if (r != 0)
		return r;
	if (*keys_owner_filter(request) && strcmp(*ret_id, request->principal.id) != 0) {
		respond_problem(request, PROBLEM_FORBIDDEN, "your role gives no keys to others");
		return 1;
	}
	r = rights_as_user(request, *ret_id);
	if (r != 0)
		return r;
	r = db_run(request->tx, &rows, "SELECT kind FROM control.users WHERE tenant_id = $1 AND id = $2",
		   request->tenant_id, *ret_id);
	if (r < 0)
		return r;
	*ret_kind = db_row_count(rows) > 0 ? request_copy(request, db_text(rows, 0, 0)) : NULL;
	return *ret_kind ? 0 : -ENOMEM;
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *user, *kind, *projects, *actions, *services, *from;
	struct fields fields = {.label = ""};
	struct new_key key = {0};
	int r;

	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0)
		return 0;
	r = find_owner(request, fields.user, &user, &kind);
	if (r == 0)
		r = key_scopes_check(request, &fields.scopes);
	if (r != 0)
		return r < 0 ? r : 0;
	if (record_json_text(request, fields.scopes.projects, &projects) < 0 ||
	    record_json_text(request, fields.scopes.actions, &actions) < 0 ||
	    record_json_text(request, fields.scopes.services, &services) < 0 ||
	    record_json_text(request, fields.scopes.from, &from) < 0)
		return -ENOMEM;
	r = keys_make(request, kind, &key);
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "INSERT INTO control.api_keys (id, tenant_id, user_id, label, verifier, projects, actions, "
			   "services, "
			   "allow_from, created, not_before, not_after) VALUES ($1, $2, $3, $4, "
			   "$5::bytea, " SQL_NEW_LIST("$6") ", " SQL_NEW_LIST("$7") ", " SQL_NEW_LIST(
				   "$8") ", " SQL_NEW_LIST("$9") ", $10::bigint, $11::bigint, $12::bigint) "
								 "RETURNING " KEY_COLUMNS_SQL,
			   key.id, request->tenant_id, user, fields.label, key.verifier, projects, actions, services,
			   from, record_number(request, request->now), record_number(request, fields.not_before),
			   record_number(request, fields.scopes.not_after));
	if (r == 0)
		r = record_publish(request, RECORD_KEY, key.id, rows);
	if (r == 0)
		r = event_write(request, "key.create", key.id,
				json_pack("{s:s,s:s}", "user", user, "label", fields.label));
	r = r == 0 ? keys_respond_new(request, &key, rows) : r < 0 ? respond_db(request, r, "key") : 0;
	secret_wipe(key.text, sizeof(key.text));
	return r;
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/keys", ROUTE_TENANT, "self", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/keys", ROUTE_TENANT, "self", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/keys/{key}", ROUTE_TENANT, "self", 0, get),
};
const struct route_table keys_routes = {routes, ARRAY_LEN(routes)};
