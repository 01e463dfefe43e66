/* SPDX-License-Identifier: MIT
 *
 * How looking in ends, and what follows a change of the operator's own row.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/impersonation_account.h"
#include "control_plane/api/record.h"
#include "control_plane/app.h"
#include "control_plane/audit/event.h"
#include "control_plane/feed/change.h"

#define ATTEMPTS 3

int impersonation_enter(struct db_tx *tx, const char *tenant_id)
{
	int r = db_switch_tenant(tx, tenant_id);

	return r < 0 ? r : db_later(tx, "SELECT FROM control.tenants WHERE id = $1 FOR UPDATE", tenant_id);
}

int impersonation_leave_projects(struct db_tx *tx, struct change *change, const char *tenant_id, const char *user_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows,
		       "DELETE FROM control.members WHERE tenant_id = $1 AND user_id = $2 "
		       "RETURNING user_id || '/' || project_id, version + 1",
		       tenant_id, user_id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		change_delete(change, RECORD_MEMBER, db_text(rows, i, 0), (uint64_t)db_i64(rows, i, 1));
	return r;
}

#define GRANT_SQL                                                                                               \
	"SELECT g.id, g.version, jsonb_strip_nulls(jsonb_build_object('user', a.user_id, 'operator_id', "       \
	"a.operator_id, 'operator_name', a.operator_name, 'reason', g.reason, 'not_after', g.not_after)) FROM " \
	"control.operator_grants g JOIN control.operator_accounts a ON a.operator_id = g.operator_id AND "      \
	"a.tenant_id = g.tenant_id WHERE g.tenant_id = $1 AND g.operator_id = $2 AND g.role = '" IMPERSONATE "'"

int impersonation_put_grant(struct db_tx *tx, struct change *change, const char *tenant_id, const char *operator_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	json_t *body = NULL;
	int r = db_run(tx, &rows, GRANT_SQL, tenant_id, operator_id);

	if (r == 0 && db_row_count(rows) != 1)
		r = -EIO;
	if (r == 0)
		r = record_json(rows, 0, 2, &body);
	if (r == 0)
		change_put(change, RECORD_GRANT, db_text(rows, 0, 0), (uint64_t)db_i64(rows, 0, 1), body);
	return r;
}

/* ---- one ------------------------------------------------------------------------------------------------------------
 */

void impersonation_end_finish(struct impersonation_end *end)
{
	db_rows_free(end->rows);
	*end = (struct impersonation_end){0};
}

json_t *impersonation_end_data(const struct impersonation_end *end, const char *why)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "operator", end->operator_id, "operator_name", end->operator_name,
			 "user", end->user_id, "login", end->login, "why", why);
}

#define TAKE_SQL                                                                                                       \
	"WITH gone AS (DELETE FROM control.operator_grants WHERE id = $1 AND tenant_id = $2 AND role = '" IMPERSONATE  \
	"' RETURNING operator_id, version) SELECT a.operator_id, a.operator_name, a.user_id, a.login, gone.version + " \
	"1 FROM gone JOIN control.operator_accounts a ON a.operator_id = gone.operator_id AND a.tenant_id = $2"

int impersonation_end(struct db_tx *tx, struct change *change, const char *tenant_id, const char *grant_id,
		      struct impersonation_end *ret)
{
	_cleanup_(impersonation_end_finish) struct impersonation_end end = {0};
	int r = impersonation_enter(tx, tenant_id);

	if (r == 0)
		r = db_run(tx, &end.rows, TAKE_SQL, grant_id, tenant_id);
	if (r == 0 && db_row_count(end.rows) == 0)
		r = -ENOENT;
	if (r < 0)
		return r;
	end.operator_id = db_text(end.rows, 0, 0);
	end.operator_name = db_text(end.rows, 0, 1);
	end.user_id = db_text(end.rows, 0, 2);
	end.login = db_text(end.rows, 0, 3);
	change_delete(change, RECORD_GRANT, grant_id, (uint64_t)db_i64(end.rows, 0, 4));
	r = impersonation_leave_projects(tx, change, tenant_id, end.user_id);
	if (r == 0)
		r = impersonation_account_put(tx, change, tenant_id, end.operator_id, false);
	if (r < 0)
		return r;
	*ret = end;
	end.rows = NULL;
	return 0;
}

/* ---- all of an operator's -------------------------------------------------------------------------------------------
 */

/* The change of one tenant's feed more. Asked for in the order of tenants' ids. */
static int change_of(struct request *request, const char *tenant_id, struct change **ret)
{
	int r = 0;

	if (request->change)
		return change_also(request->change, tenant_id, ret);
	r = change_new(tenant_id, &request->change);
	*ret = request->change;
	return r;
}

static int event_in(struct request *request, const char *tenant_id, const char *kind, const char *target, json_t *data)
{
	const char *own = request->tenant_id;
	int r;

	request->tenant_id = tenant_id;
	r = event_write(request, kind, target, data);
	request->tenant_id = own;
	return r;
}

int impersonation_withdraw(struct request *request, struct change *change, const char *tenant_id, const char *grant_id,
			   const char *why)
{
	_cleanup_(impersonation_end_finish) struct impersonation_end end = {0};
	int r = impersonation_end(request->tx, change, tenant_id, grant_id, &end);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r
		     : event_in(request, tenant_id, "impersonation.end", grant_id, impersonation_end_data(&end, why));
}

static int renew_one(struct request *request, struct change *change, const char *tenant_id, const char *operator_id)
{
	int r = impersonation_enter(request->tx, tenant_id);

	if (r == 0)
		r = db_later(request->tx,
			     "UPDATE control.operator_grants SET version = version + 1 WHERE operator_id = $1 AND "
			     "tenant_id = $2 AND role = '" IMPERSONATE "'",
			     operator_id, tenant_id);
	if (r == 0)
		r = impersonation_account_put(request->tx, change, tenant_id, operator_id, true);
	return r == 0 ? impersonation_put_grant(request->tx, change, tenant_id, operator_id) : r;
}

int impersonation_follow(struct request *request, const char *operator_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT g.tenant_id, g.id, o.status = 'active' FROM control.operator_grants g JOIN "
		       "control.operators o ON o.id = g.operator_id WHERE g.operator_id = $1 AND g.role = '" IMPERSONATE
		       "' ORDER BY g.tenant_id",
		       operator_id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		const char *tenant_id = db_text(rows, i, 0);
		struct change *change;

		r = change_of(request, tenant_id, &change);
		if (r == 0)
			r = db_bool(rows, i, 2) ? renew_one(request, change, tenant_id, operator_id)
						: impersonation_withdraw(request, change, tenant_id,
									 db_text(rows, i, 1), "suspended");
	}
	return r;
}

static int delete_account(struct request *request, struct change *change, const char *tenant_id, const char *user_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = impersonation_enter(request->tx, tenant_id);

	if (r == 0) /* takes the row of operator_accounts along */
		r = db_run(request->tx, &rows,
			   "DELETE FROM control.users WHERE tenant_id = $1 AND id = $2 RETURNING version + 1",
			   tenant_id, user_id);
	if (r == 0 && db_row_count(rows) == 1)
		change_delete(change, RECORD_USER, user_id, (uint64_t)db_i64(rows, 0, 0));
	return r;
}

int impersonation_remove(struct request *request, const char *operator_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT a.tenant_id, a.user_id, coalesce(g.id, '') FROM control.operator_accounts a LEFT JOIN "
		       "control.operator_grants g ON g.operator_id = a.operator_id AND g.tenant_id = a.tenant_id AND "
		       "g.role = '" IMPERSONATE "' WHERE a.operator_id = $1 ORDER BY a.tenant_id",
		       operator_id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		const char *tenant_id = db_text(rows, i, 0), *grant_id = db_text(rows, i, 2);
		struct change *change;

		r = change_of(request, tenant_id, &change);
		if (r == 0 && *grant_id)
			r = impersonation_withdraw(request, change, tenant_id, grant_id, "removed");
		if (r == 0)
			r = delete_account(request, change, tenant_id, db_text(rows, i, 1));
	}
	return r;
}

/* ---- those whose time is over ---------------------------------------------------------------------------------------
 * Hosts keep the time themselves and let nobody in past it; this only cleans up behind them.
 */

static int write_event(struct app *app, struct db_tx *tx, const char *tenant_id, const char *kind, const char *target,
		       json_t *data)
{
	_cleanup_(json_decrefp) json_t *own = data;
	const struct control_event event = {.log_id = tenant_id, .kind = kind, .target = target, .data = own};

	return own ? control_event_put(app, tx, &event) : -ENOMEM;
}

static int expire(struct app *app, struct change *change, const char *tenant_id, const char *grant_id)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(impersonation_end_finish) struct impersonation_end end = {0};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	struct problem problem = {0};
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = impersonation_end(tx, change, tenant_id, grant_id, &end);
	if (r == 0)
		r = write_event(app, tx, tenant_id, "impersonation.end", grant_id,
				impersonation_end_data(&end, "expired"));
	if (r == 0)
		r = write_event(
			app, tx, "", "grant.expire", end.operator_id,
			json_pack("{s:s, s:s, s:s}", "grant", grant_id, "role", IMPERSONATE, "tenant", tenant_id));
	if (r == 0)
		r = change_publish(change, app, tx, &problem);
	if (r == -EINVAL)
		log_problem(LOG_ERR, "the end of a grant cannot be published", &problem);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

static int expire_safely(struct app *app, const char *tenant_id, const char *grant_id)
{
	int r = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++) {
		_cleanup_(change_freep) struct change *change = NULL;

		r = change_new(tenant_id, &change);
		if (r == 0)
			r = expire(app, change, tenant_id, grant_id);
		if (r == 0)
			change_announce(change, app);
	}
	return r == -ENOENT ? 0 : r; /* another replica was here */
}

int impersonation_sweep(struct app *app)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char now[24];
	int failed = 0, r = db_begin(app->db, &scope, &tx);

	(void)snprintf(now, sizeof(now), "%lld", (long long)clock_realtime_sec());
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT tenant_id, id FROM control.operator_grants WHERE role = '" IMPERSONATE
			   "' AND not_after <= $1::bigint ORDER BY tenant_id",
			   now);
	db_rollback(TAKE_PTR(tx));
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		int one = expire_safely(app, db_text(rows, i, 0), db_text(rows, i, 1));

		if (one < 0) /* one tenant's trouble is not the others' */
			failed = one;
	}
	return r < 0 ? r : failed;
}
