/* SPDX-License-Identifier: MIT
 *
 * Taking a host out of service, and letting it come back.
 *
 * All feeds that it serves say so in one transaction, their rows locked in the order of tenant ids: either every tenant
 * has taken its host back, or nobody has and the request is run again. From the commit on the host gets no tokens
 * either.
 */
#include <errno.h>

#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/hosts_sql.h"
#include "control_plane/feed/change.h"

/* The change of each tenant that the host serves, as targets to be counted. `count` may be 0. */
static int targets_of(struct request *request, const char *host_id, struct acks_target **ret, uint32_t *ret_count)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct acks_target *targets;
	int r = db_run(request->tx, &rows,
		       "SELECT tenant_id FROM control.host_tenants WHERE host_id = $1 ORDER BY tenant_id", host_id);

	if (r < 0)
		return r;
	targets = arena_alloc(&request->arena, (db_row_count(rows) + 1) * sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		const char *tenant = request_copy(request, db_text(rows, i, 0));
		struct change *change = NULL;

		if (!tenant)
			return -ENOMEM;
		if (request->change) {
			r = change_also(request->change, tenant, &change);
		} else {
			r = change_new(tenant, &request->change);
			change = request->change;
		}
		targets[i] = (struct acks_target){.tenant_id = tenant, .change = change};
	}
	*ret = targets;
	*ret_count = db_row_count(rows);
	/* change_publish goes from tenant to tenant, but begins where the transaction is. */
	if (r == 0 && *ret_count > 0)
		r = db_switch_tenant(request->tx, targets[0].tenant_id);
	return r;
}

static struct change *change_of(const struct request *request, const struct acks_target *target)
{
	struct change *change = NULL;

	/* It is there: this only finds it, as something that may be written to. */
	return change_also(request->change, target->tenant_id, &change) == 0 ? change : NULL;
}

static int set_state(struct request *request, const struct host_row *host, int64_t disabled_at, const char *reason,
		     struct db_rows **ret)
{
	/* A host that comes back brings a new key: the old one was wiped there, or is in the wrong hands. What stands
	 * for it until then is no key's name: those have no '.'. */
	return db_run(
		request->tx, ret,
		"UPDATE control.hosts h SET version = version + 1, disabled_at = $2::bigint, disabled_reason = $3, "
		"sessions_valid_from = greatest(sessions_valid_from, $4::bigint) + 1, "
		"kid = CASE WHEN $2::bigint = 0 THEN '.' || id ELSE kid END, jwk = CASE WHEN $2::bigint = 0 THEN '{}' "
		"ELSE "
		"jwk END "
		"WHERE id = $1 RETURNING " HOST_COLUMNS_SQL,
		host->id, record_number(request, disabled_at), reason, record_number(request, request->now));
}

static int disable(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct json_field field = {"reason", JSON_FIELD_STRING, 0, 0};
	const char *reason = "";
	struct acks_target *targets;
	struct host_row host;
	json_t *view = NULL;
	uint32_t count;
	int r;

	if (request_fields(request, &field, 1, &reason) != 0)
		return 0;
	r = hosts_lock(request, &host);
	if (r == 0 && host.disabled_at != 0)
		return respond_problem(request, PROBLEM_CONFLICT, "the host is disabled already");
	if (r == 0)
		r = set_state(request, &host, request->now, reason, &rows);
	if (r == 0)
		r = targets_of(request, host.id, &targets, &count);
	if (r == 0)
		r = event_write(request, "host.disable", host.id, json_pack("{s:s}", "reason", reason));
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return r < 0 ? r : 0;
	for (uint32_t i = 0; i < count; i++) {
		json_t *body = json_pack("{s:s,s:I}", "of", "host", "at", (json_int_t)request->now);

		if (*reason && json_object_set_new(body, "reason", json_string(reason)) < 0)
			r = -ENOMEM;
		change_revoke(change_of(request, &targets[i]), RECORD_REVOCATION, host.id, (uint64_t)db_i64(rows, 0, 0),
			      body, json_deep_copy(body));
	}
	if (r < 0) {
		json_decref(view);
		return r;
	}
	return acks_answer_many(request, 200, (uint64_t)db_i64(rows, 0, 0), view, targets, count);
}

static int enable(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct acks_target *targets;
	struct host_row host;
	uint32_t count;
	int r = hosts_lock(request, &host);

	if (r == 0 && host.disabled_at == 0)
		return respond_problem(request, PROBLEM_CONFLICT, "the host is not disabled");
	if (r == 0)
		r = set_state(request, &host, 0, "", &rows);
	if (r == 0)
		r = targets_of(request, host.id, &targets, &count);
	if (r == 0)
		r = event_write(request, "host.enable", host.id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	for (uint32_t i = 0; i < count; i++)
		change_delete(change_of(request, &targets[i]), RECORD_REVOCATION, host.id,
			      (uint64_t)db_i64(rows, 0, 0));
	return record_answer(request, 200, rows);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/hosts/{host}/disable", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES, disable),
	ROUTE(HTTP_POST, "/v1/hosts/{host}/enable", ROUTE_OPERATOR, "host.manage", ROUTE_WRITES | ROUTE_NO_BODY,
	      enable),
};
const struct route_table host_states_routes = {routes, ARRAY_LEN(routes)};
