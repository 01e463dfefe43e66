/* SPDX-License-Identifier: MIT
 *
 * Tokens by which hosts enrol: shown once, good for a while, for so many hosts, for a name or the beginning of one.
 */
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/names.h"
#include "control_plane/api/record.h"
#include "crypto/api_key.h"
#include "records/values.h"

#define LIFETIME_DEFAULT 3600
#define LIFETIME_MOST (30 * 86400)
#define USES_MOST 10000
#define TENANTS_MOST 256

#define VIEW_SQL                                                                                            \
	"jsonb_strip_nulls(jsonb_build_object('id', id, 'host_name', " SQL_TEXT(                            \
		"host_name") ", 'tenants', to_jsonb(tenants), "                                             \
			     "'uses_left', uses_left, 'expires_at', expires_at, 'created_by', created_by, " \
			     "'created_at', extract(epoch FROM created_at)::bigint))"

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT id, " VIEW_SQL " FROM control.enrolment_tokens WHERE id > $1 ORDER BY id LIMIT $2::bigint",
		   page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "enrolment tokens") : record_page(request, &page, rows);
}

struct fields {
	const char *host_name;
	json_t *tenants;
	int64_t uses, lifetime;
};
static const struct json_field create_fields[] = {
	{"tenants", JSON_FIELD_STRINGS, offsetof(struct fields, tenants), JSON_FIELD_REQUIRED},
	{"host_name", JSON_FIELD_STRING, offsetof(struct fields, host_name), 0},
	{"uses", JSON_FIELD_I64, offsetof(struct fields, uses), 0},
	{"lifetime", JSON_FIELD_I64, offsetof(struct fields, lifetime), 0},
};

static int check_fields(struct request *request, const struct fields *fields)
{
	struct value_fault fault;

	if (*fields->host_name &&
	    value_check(VALUE_HOST_PATTERN, fields->host_name, strlen(fields->host_name), &fault) < 0)
		respond_invalid(request, "host_name", "it is %s: %s", fault.what, fault.remedy);
	else if (fields->uses < 1 || fields->uses > USES_MOST)
		respond_invalid(request, "uses", "1 to %d hosts", USES_MOST);
	else if (fields->lifetime < 1 || fields->lifetime > LIFETIME_MOST)
		respond_invalid(request, "lifetime", "1 to %d seconds", LIFETIME_MOST);
	else if (json_array_size(fields->tenants) == 0 || json_array_size(fields->tenants) > TENANTS_MOST)
		respond_invalid(request, "tenants", "1 to %d ids or slugs", TENANTS_MOST);
	else
		return 0;
	return 1;
}

/* Ids and slugs as a list of ids. 0; 1; -errno. */
static int find_tenants(struct request *request, json_t *names, const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *list;
	int r = record_json_text(request, names, &list);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT count(*), coalesce(jsonb_agg(id), '[]') FROM control.tenants WHERE id = ANY "
			   "(" SQL_NEW_LIST("$1") ") OR slug = ANY (" SQL_NEW_LIST("$1") ")",
			   list);
	if (r < 0)
		return r;
	if (db_i64(rows, 0, 0) != (int64_t)json_array_size(names)) {
		respond_invalid(request, "tenants", "one of them is not there, or twice");
		return 1;
	}
	*ret = request_copy(request, db_text(rows, 0, 1));
	return *ret ? 0 : -ENOMEM;
}

static int make(char text[API_KEY_TEXT_CHARS + 1], char id[API_KEY_ID_CHARS + 1], char **ret_verifier)
{
	uint8_t digest[SHA256_BYTES];
	int r = api_key_make(API_KEY_ENROLMENT, text, id);

	if (r == 0)
		r = api_key_verifier(text, strlen(text), digest);
	if (r < 0)
		return r;
	*ret_verifier = db_hex(digest, sizeof(digest));
	return *ret_verifier ? 0 : -ENOMEM;
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char text[API_KEY_TEXT_CHARS + 1], id[API_KEY_ID_CHARS + 1];
	struct fields fields = {.host_name = "", .uses = 1, .lifetime = LIFETIME_DEFAULT};
	_cleanup_(freep) char *verifier = NULL;
	const char *tenants;
	json_t *view = NULL;
	int r;

	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	r = find_tenants(request, fields.tenants, &tenants);
	if (r == 0) /* early: it is looked at again when a host comes */
		r = names_check_together(request, tenants);
	if (r == 0)
		r = make(text, id, &verifier);
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "INSERT INTO control.enrolment_tokens (id, verifier, host_name, tenants, uses_left, "
			   "expires_at, created_by) "
			   "VALUES ($1, $2::bytea, $3, " SQL_NEW_LIST(
				   "$4") ", $5::integer, $6::bigint, $7) RETURNING " VIEW_SQL,
			   id, verifier, fields.host_name, tenants, record_number(request, fields.uses),
			   record_number(request, request->now + fields.lifetime),
			   request->principal.id ? request->principal.id : "local");
	if (r == 0)
		r = event_write(request, "enrolment-token.create", id, NULL);
	if (r == 0)
		r = record_json(rows, 0, 0, &view);
	if (r == 0) {
		/* Shown this once. */
		json_object_set_new(view, "token", json_string(text));
		request->response.secret = true;
		r = respond_json(request, 201, view);
	}
	secret_wipe(text, sizeof(text));
	return r < 0 ? r : 0;
}

static int delete_token(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "DELETE FROM control.enrolment_tokens WHERE id = $1 RETURNING 1",
		       request->params[0]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	r = event_write(request, "enrolment-token.delete", request->params[0], NULL);
	return r < 0 ? r : respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/enrolment-tokens", ROUTE_OPERATOR, "host.view", 0, list),
	ROUTE(HTTP_POST, "/v1/enrolment-tokens", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_DELETE, "/v1/enrolment-tokens/{token}", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, delete_token),
};
const struct route_table enrolment_tokens_routes = {routes, ARRAY_LEN(routes)};
