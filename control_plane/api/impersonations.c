/* SPDX-License-Identifier: MIT
 *
 * What a tenant sees of operators who look in: who, why and until when; and its door.
 */
#include <errno.h>

#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/record.h"

/* clang-format off */
#define VIEW_SQL \
	"jsonb_strip_nulls(jsonb_build_object('id', g.id, 'operator', a.operator_id, 'operator_name', a.operator_name" \
	", 'user', a.user_id, 'login', a.login, 'reason', g.reason, 'projects', " SQL_LIST("g.projects") \
	", 'not_after', g.not_after, 'created_at', extract(epoch FROM g.created_at)::bigint))"
/* clang-format on */
#define FROM_SQL                                                                                             \
	" FROM control.operator_grants g JOIN control.operator_accounts a ON a.operator_id = g.operator_id " \
	"AND a.tenant_id = g.tenant_id WHERE g.tenant_id = $1 AND g.role = '" IMPERSONATE "' "

/* What is over is over, swept or not. */
static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT g.id, " VIEW_SQL FROM_SQL
		   "AND g.not_after > $2::bigint AND g.id > $3 ORDER BY g.id LIMIT $4::bigint",
		   request->tenant_id, record_number(request, request->now), page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "impersonations") : record_page(request, &page, rows);
}

static int end(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = request->params[1];
	int r = db_run(request->tx, &rows, "SELECT g.version" FROM_SQL "AND g.id = $2", request->tenant_id, id);

	if (r == 0 && db_row_count(rows) == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (r == 0)
		r = impersonation_withdraw(request, request->change, request->tenant_id, id, "shown-out");
	return r < 0 ? r : acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0) + 1, json_pack("{s:s}", "id", id));
}

#define IMPERSONATIONS "/v1/tenants/{tenant}/impersonations"
static const struct route routes[] = {
	ROUTE(HTTP_GET, IMPERSONATIONS, ROUTE_TENANT, "audit.view", 0, list),
	ROUTE(HTTP_DELETE, IMPERSONATIONS "/{grant}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES | ROUTE_PLATFORM,
	      end),
};
const struct route_table impersonations_routes = {routes, ARRAY_LEN(routes)};
