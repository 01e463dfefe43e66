/* SPDX-License-Identifier: MIT
 *
 * What an operator may do: in one tenant or everywhere, for a while or until it is taken back.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/operators.h"
#include "control_plane/app.h"
#include "control_plane/auth/gate_actions.h"
#include "control_plane/feed/change.h"
#include "records/values.h"

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT id, " OPERATOR_GRANT_VIEW_SQL
		   " FROM control.operator_grants WHERE operator_id = (SELECT id FROM control.operators o "
		   "WHERE o.id = $1 OR lower(o.email) = lower($1)) AND id > $2 ORDER BY id LIMIT $3::bigint",
		   request->params[0], page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "grants") : record_page(request, &page, rows);
}

struct fields {
	const char *role, *tenant, *reason;
	int64_t not_after;
	json_t *projects;
};
static const struct json_field create_fields[] = {
	{"role", JSON_FIELD_STRING, offsetof(struct fields, role), JSON_FIELD_REQUIRED},
	{"tenant", JSON_FIELD_STRING, offsetof(struct fields, tenant), 0},
	{"reason", JSON_FIELD_STRING, offsetof(struct fields, reason), 0},
	{"not_after", JSON_FIELD_I64, offsetof(struct fields, not_after), 0},
	{"projects", JSON_FIELD_STRINGS, offsetof(struct fields, projects), 0},
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

/* Somebody is let into a tenant: it reads why and until when, and there is no "for ever". */
static int check_impersonation(struct request *request, const struct fields *fields)
{
	uint32_t most = request->app->config->impersonation_sec;

	if (*fields->tenant == '\0')
		respond_invalid(request, "tenant", "an operator looks into one tenant: say which");
	else if (*fields->reason == '\0')
		respond_invalid(request, "reason", "say why; the tenant reads it");
	else if (fields->not_after == 0)
		respond_invalid(request, "not_after", "say until when");
	else if (fields->not_after - request->now > most)
		respond_invalid(request, "not_after", "at most %u s from now", most);
	else
		return 0;
	return 1;
}

static int check_fields(struct request *request, const struct fields *fields)
{
	bool impersonates = strcmp(fields->role, IMPERSONATE) == 0;
	struct value_fault fault;

	if (operator_grant_bit(fields->role) == 0)
		respond_invalid(request, "role", "\"admin\", \"support\", \"hosts\" or \"" IMPERSONATE "\"");
	else if (value_check(VALUE_TEXT, fields->reason, strlen(fields->reason), &fault) < 0)
		respond_invalid(request, "reason", "it is %s", fault.what);
	else if (fields->not_after != 0 && fields->not_after <= request->now)
		respond_invalid(request, "not_after", "it would have ended already");
	else if (fields->projects && !impersonates)
		respond_invalid(request, "projects", "only a grant to " IMPERSONATE " is for projects");
	else
		return impersonates ? check_impersonation(request, fields) : 0;
	return 1;
}

static int fault(struct request *request, int result)
{
	const struct record_unique unique = {"operator_grants_operator_id_tenant_id_role_key", "grant"};

	return record_fault(request, result, "grant", &unique, 1);
}

static int write_created(struct request *request, const char *id, const char *operator_id, const struct fields *fields,
			 const char *tenant)
{
	return event_write(request, "grant.create", operator_id,
			   json_pack("{s:s,s:s,s:s,s:s}", "grant", id, "role", fields->role, "tenant", tenant, "reason",
				     fields->reason));
}

/* Hosts are told at once, and the answer says how many know. */
static int create_impersonation(struct request *request, const char *id, const char *operator_id,
				const struct fields *fields, const char *tenant)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct impersonation wanted = {
		.grant_id = id,
		.operator_id = operator_id,
		.tenant_id = tenant,
		.reason = fields->reason,
		.projects = fields->projects,
		.not_after = fields->not_after,
	};
	struct acks_target *target = arena_alloc(&request->arena, sizeof(*target));
	json_t *view = NULL;
	int r = target ? impersonation_begin(request, &wanted, &rows) : -ENOMEM;

	if (r != 0)
		return r < 0 ? fault(request, r) : 0;
	r = write_created(request, id, operator_id, fields, tenant);
	if (r == 0)
		r = record_json(rows, 0, 1, &view);
	if (r < 0)
		return r;
	*target = (struct acks_target){.tenant_id = tenant, .change = request->change};
	return acks_answer_many(request, 201, (uint64_t)db_i64(rows, 0, 0), view, target, 1);
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
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
	if (strcmp(fields.role, IMPERSONATE) == 0)
		return create_impersonation(request, id, operator_id, &fields, tenant);
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.operator_grants (id, operator_id, tenant_id, role, reason, not_after) "
		   "VALUES ($1, $2, $3, $4, $5, $6::bigint) RETURNING " OPERATOR_GRANT_VIEW_SQL,
		   id, operator_id, tenant, fields.role, fields.reason, record_number(request, fields.not_after));
	if (r < 0)
		return fault(request, r);
	r = write_created(request, id, operator_id, &fields, tenant);
	if (r == 0)
		r = record_json(rows, 0, 0, &view);
	return r < 0 ? r : respond_json(request, 201, view);
}

static int delete_impersonation(struct request *request, const char *tenant_id, int64_t version)
{
	struct acks_target *target = arena_alloc(&request->arena, sizeof(*target));
	const char *id = request->params[1], *tenant = request_copy(request, tenant_id); /* ?wait= outlives the rows */
	int r = target && tenant ? change_new(tenant, &request->change) : -ENOMEM;

	if (r == 0)
		r = impersonation_withdraw(request, request->change, tenant, id, "withdrawn");
	if (r < 0)
		return r;
	*target = (struct acks_target){.tenant_id = tenant, .change = request->change};
	return acks_answer_many(request, 200, (uint64_t)version + 1, json_pack("{s:s}", "id", id), target, 1);
}

static int delete_grant(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *operator_id;
	int64_t version;
	int r = operators_lock(request, true, &operator_id, &version);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT role, tenant_id, version FROM control.operator_grants WHERE id = $1 AND operator_id "
			   "= $2 FOR UPDATE",
			   request->params[1], operator_id);
	if (r != 0)
		return r < 0 ? r : 0;
	if (db_row_count(rows) == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	r = event_write(request, "grant.delete", operator_id,
			json_pack("{s:s,s:s}", "grant", request->params[1], "role", db_text(rows, 0, 0)));
	if (r == 0 && strcmp(db_text(rows, 0, 0), IMPERSONATE) == 0)
		return delete_impersonation(request, db_text(rows, 0, 1), db_i64(rows, 0, 2));
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.operator_grants WHERE id = $1", request->params[1]);
	return r < 0 ? r : respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/operators/{operator}/grants", ROUTE_OPERATOR, "operator.view", 0, list),
	ROUTE(HTTP_POST, "/v1/operators/{operator}/grants", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_DELETE, "/v1/operators/{operator}/grants/{grant}", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES,
	      delete_grant),
};
const struct route_table grants_routes = {routes, ARRAY_LEN(routes)};
