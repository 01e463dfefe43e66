/* SPDX-License-Identifier: MIT
 *
 * Operators of the platform: people apart from all tenants. What they may do are their grants (grants.c).
 */
#include "control_plane/api/operators.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/passwords.h"
#include "control_plane/api/users.h"
#include "records/values.h"

#define SSH_KEYS_MAX 16U

#define VIEW_SQL                                                                                                \
	"jsonb_strip_nulls(jsonb_build_object('id', id, 'version', version, 'email', email, 'name', " SQL_TEXT( \
		"name") ", "                                                                                    \
			"'status', status, 'can_sign_in', hash <> '', 'ssh_keys', " SQL_LIST("ssh_keys") "))"
#define COLUMNS_SQL "version, '{}', " VIEW_SQL

static const struct record_unique unique[] = {{"operators_email", "email"}};

static int fault(struct request *request, int result)
{
	return record_fault(request, result, "operator", unique, ARRAY_LEN(unique));
}

int operators_lock(struct request *request, bool others, const char **ret_id, int64_t *ret_version)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT id, version FROM control.operators WHERE id = $1 OR lower(email) = lower($1) FOR UPDATE",
		       request->params[0]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*ret_id = request_copy(request, db_text(rows, 0, 0));
	*ret_version = db_i64(rows, 0, 1);
	if (!*ret_id)
		return -ENOMEM;
	if (others && text_equal(*ret_id, request->principal.id)) {
		event_failure(request, NULL, NULL, "permission.refused", *ret_id,
			      json_pack("{s:s}", "reason", "nobody changes what they themselves may do"));
		respond_problem(request, PROBLEM_FORBIDDEN, "nobody changes what they themselves may do");
		return 1;
	}
	return 0;
}

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT id, " VIEW_SQL " FROM control.operators WHERE id > $1 ORDER BY id LIMIT $2::bigint",
		   page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "operators") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " COLUMNS_SQL " FROM control.operators WHERE id = $1 OR lower(email) = lower($1)",
		       request->params[0]);

	if (r < 0)
		return respond_db(request, r, "operator");
	return db_row_count(rows) == 0 ? respond_problem(request, PROBLEM_NOT_FOUND, NULL)
				       : record_answer(request, 200, rows);
}

struct fields {
	const char *email, *name, *status, *password;
	json_t *ssh_keys;
};
static const struct json_field create_fields[] = {
	{"email", JSON_FIELD_STRING, offsetof(struct fields, email), JSON_FIELD_REQUIRED},
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"password", JSON_FIELD_STRING, offsetof(struct fields, password), 0},
	{"ssh_keys", JSON_FIELD_STRINGS, offsetof(struct fields, ssh_keys), 0},
};
static const struct json_field patch_fields[] = {
	{"email", JSON_FIELD_STRING, offsetof(struct fields, email), 0},
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"status", JSON_FIELD_STRING, offsetof(struct fields, status), 0},
	{"ssh_keys", JSON_FIELD_STRINGS, offsetof(struct fields, ssh_keys), 0},
};

static int check_value(struct request *request, enum value_kind kind, const char *field, const char *text)
{
	struct value_fault why;

	if (!text || value_check(kind, text, strlen(text), &why) == 0)
		return 0;
	respond_invalid(request, field, "it is %s", why.what);
	return 1;
}

static int check_fields(struct request *request, const struct fields *fields)
{
	if (json_array_size(fields->ssh_keys) > SSH_KEYS_MAX) {
		respond_invalid(request, "ssh_keys", "at most %u", SSH_KEYS_MAX);
		return 1;
	}
	for (size_t i = 0; i < json_array_size(fields->ssh_keys); i++)
		if (check_value(request, VALUE_SSH_KEY, "ssh_keys",
				json_string_value(json_array_get(fields->ssh_keys, i))) != 0)
			return 1;
	if (check_value(request, VALUE_EMAIL, "email", fields->email) != 0 ||
	    (fields->name && *fields->name && check_value(request, VALUE_NAME, "name", fields->name) != 0))
		return 1;
	if (fields->status && strcmp(fields->status, "active") != 0 && strcmp(fields->status, "suspended") != 0) {
		respond_invalid(request, "status", "\"active\" or \"suspended\"");
		return 1;
	}
	return 0;
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = record_new_id(request, "opr_"), *ssh_keys;
	struct fields fields = {.name = ""};
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	if (record_json_text(request, fields.ssh_keys, &ssh_keys) < 0)
		return -ENOMEM;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.operators (id, email, name, ssh_keys) VALUES ($1, $2, $3, " SQL_NEW_LIST(
			   "$4") ") RETURNING " COLUMNS_SQL,
		   id, fields.email, fields.name, ssh_keys);
	if (r < 0)
		return fault(request, r);
	r = passwords_of_new_operator(request, id, fields.password,
				      &(struct password_owner){.email = fields.email, .name = fields.name});
	if (r == 0)
		r = event_write(request, "operator.create", id, json_pack("{s:s}", "email", fields.email));
	return r == 0 ? record_created(request, id, rows) : MIN_OF(r, 0);
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct fields fields = {0};
	const char *id, *ssh_keys;
	int64_t version;
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	if (record_json_text(request, fields.ssh_keys, &ssh_keys) < 0)
		return -ENOMEM;
	r = operators_lock(request, fields.status != NULL, &id, &version);
	if (r == 0)
		r = request_if_match(request, (uint64_t)version);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.operators SET version = version + 1, " SQL_SET("email", "$2") ", " SQL_SET(
			   "name",
			   "$3") ", " SQL_SET("status",
					      "$4") ", sessions_valid_from = CASE WHEN $4 = 'suspended' "
						    "THEN " SESSIONS_END_SQL(
							    "$5") " ELSE sessions_valid_from "
								  "END, " SQL_SET_LIST("ssh_keys",
										       "$6") " "
											     "WHERE id = $1 "
											     "RETURNING " COLUMNS_SQL,
		   id, fields.email, fields.name, fields.status, record_number(request, request->now), ssh_keys);
	if (r < 0)
		return fault(request, r);
	r = impersonation_follow(request, id);
	if (r == 0)
		r = event_write(request, "operator.change", id, json_incref(request->body));
	return r < 0 ? r : record_answer(request, 200, rows);
}

static int delete_operator(struct request *request)
{
	int64_t version;
	const char *id;
	int r = operators_lock(request, true, &id, &version);

	if (r == 0)
		r = request_if_match(request, (uint64_t)version);
	if (r == 0)
		r = impersonation_remove(request, id);
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.operators WHERE id = $1", id);
	if (r == 0)
		r = event_write(request, "operator.delete", id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/operators", ROUTE_OPERATOR, "operator.view", 0, list),
	ROUTE(HTTP_POST, "/v1/operators", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/operators/{operator}", ROUTE_OPERATOR, "operator.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/operators/{operator}", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/operators/{operator}", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES,
	      delete_operator),
};
const struct route_table operators_routes = {routes, ARRAY_LEN(routes)};
