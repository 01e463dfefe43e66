/* SPDX-License-Identifier: MIT
 *
 * What an operator may do: in one tenant or everywhere, for a while or until it is taken back.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/operators.h"
#include "control_plane/api/record.h"
#include "control_plane/auth/gate_actions.h"

#define REASON_MAX 512

#define VIEW_SQL                                                                                                       \
	"jsonb_strip_nulls(jsonb_build_object('id', id, 'operator', operator_id, 'role', role, 'tenant', " SQL_TEXT(   \
		"tenant_id") ", 'reason', " SQL_TEXT("reason") ", 'not_after', " SQL_NUMBER("not_after") ", "          \
													 "'created_"   \
													 "at', "       \
													 "extract("    \
													 "epoch FROM " \
													 "created_at)" \
													 "::bigint))"

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT id, " VIEW_SQL
		   " FROM control.operator_grants WHERE operator_id = (SELECT id FROM control.operators o "
		   "WHERE o.id = $1 OR lower(o.email) = lower($1)) AND id > $2 ORDER BY id LIMIT $3::bigint",
		   request->params[0], page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "grants") : record_page(request, &page, rows);
}

struct fields {
	const char *role, *tenant, *reason;
	int64_t not_after;
};
static const struct json_field create_fields[] = {
	{"role", JSON_FIELD_STRING, offsetof(struct fields, role), JSON_FIELD_REQUIRED},
	{"tenant", JSON_FIELD_STRING, offsetof(struct fields, tenant), 0},
	{"reason", JSON_FIELD_STRING, offsetof(struct fields, reason), 0},
	{"not_after", JSON_FIELD_I64, offsetof(struct fields, not_after), 0},
};

static int find_tenant(struct request *request, const char *name, const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	*ret = "";
	if (*name == '\0')
		return 0;
	r = db_run(request->tx, &rows, "SELECT id FROM control.tenants WHERE id = $1 OR slug = $1", name);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_invalid(request, "tenant", "there is no tenant \"%s\"", name);
		return 1;
	}
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

static int check_fields(struct request *request, const struct fields *fields)
{
	size_t length = strlen(fields->reason);

	if (operator_grant_bit(fields->role) == 0)
		respond_invalid(request, "role", "\"admin\", \"support\" or \"hosts\"");
	else if (length > REASON_MAX || !text_is_printable(fields->reason, length))
		respond_invalid(request, "reason", "at most %d bytes that can be printed", REASON_MAX);
	else if (fields->not_after != 0 && fields->not_after <= request->now)
		respond_invalid(request, "not_after", "it would have ended already");
	else
		return 0;
	return 1;
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct record_unique unique = {"operator_grants_operator_id_tenant_id_role_key", "grant"};
	const char *id = record_new_id(request, "grt_"), *operator_id, *tenant;
	struct fields fields = {.tenant = "", .reason = ""};
	int64_t version;
	json_t *view = NULL;
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	r = operators_lock(request, true, &operator_id, &version);
	if (r == 0)
		r = find_tenant(request, fields.tenant, &tenant);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.operator_grants (id, operator_id, tenant_id, role, reason, not_after) "
		   "VALUES ($1, $2, $3, $4, $5, $6::bigint) RETURNING " VIEW_SQL,
		   id, operator_id, tenant, fields.role, fields.reason, record_number(request, fields.not_after));
	if (r < 0)
		return record_fault(request, r, "grant", &unique, 1);
	r = event_write(request, "grant.create", operator_id,
			json_pack("{s:s,s:s,s:s}", "grant", id, "role", fields.role, "tenant", tenant));
	if (r == 0)
		r = record_json(rows, 0, 0, &view);
	return r < 0 ? r : respond_json(request, 201, view);
}

static int delete_grant(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *operator_id;
	int64_t version;
	int r = operators_lock(request, true, &operator_id, &version);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "DELETE FROM control.operator_grants WHERE id = $1 AND operator_id = $2 RETURNING role",
			   request->params[1], operator_id);
	if (r != 0)
		return r < 0 ? r : 0;
	if (db_row_count(rows) == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	r = event_write(request, "grant.delete", operator_id,
			json_pack("{s:s,s:s}", "grant", request->params[1], "role", db_text(rows, 0, 0)));
	return r < 0 ? r : respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/operators/{operator}/grants", ROUTE_OPERATOR, "operator.view", 0, list),
	ROUTE(HTTP_POST, "/v1/operators/{operator}/grants", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_DELETE, "/v1/operators/{operator}/grants/{grant}", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES,
	      delete_grant),
};
const struct route_table grants_routes = {routes, ARRAY_LEN(routes)};
