/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/account.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "control_plane/api/refusals.h"
#include "control_plane/app.h"
#include "control_plane/auth/delays.h"
#include "control_plane/auth/password.h"

#define BUSY_SEC 1

/* One way to write an address, whatever its letters. */
static const char *fold(struct request *request, const char *text)
{
	char *copy = arena_strndup(&request->arena, text, strlen(text));

	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* The one look-up that may cross tenants sets the transaction's tenant, and the statement after it sees that tenant's
 * people and no others'. */
static int find_user(struct request *request, const char *tenant, const char *email, struct account *ret)
{
	const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = db_later(tx, "SELECT set_config('control.tenant', coalesce(control.tenant_of_slug($1), ''), true)",
			     tenant);
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT u.id, u.tenant_id, p.hash, u.status = 'active' AND NOT t.suspended AND u.kind = "
			   "'person', "
			   "u.sessions_valid_from FROM control.users u JOIN control.tenants t ON t.id = u.tenant_id "
			   "JOIN control.passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id "
			   "WHERE u.tenant_id = control.current_tenant() AND lower(u.email) = $1 AND u.email <> ''",
			   email);
	if (r < 0 || db_row_count(rows) != 1)
		return r;
	*ret = (struct account){
		.id = request_copy(request, db_text(rows, 0, 0)),
		.tenant_id = request_copy(request, db_text(rows, 0, 1)),
		.hash = request_copy(request, db_text(rows, 0, 2)),
		.active = db_bool(rows, 0, 3),
		.valid_from = db_i64(rows, 0, 4),
	};
	return ret->id && ret->tenant_id && ret->hash ? 0 : -ENOMEM;
}

static int find_operator(struct request *request, const char *email, struct account *ret)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT id, hash, status = 'active', sessions_valid_from FROM control.operators "
			   "WHERE lower(email) = $1",
			   email);
	if (r < 0 || db_row_count(rows) != 1)
		return r;
	*ret = (struct account){
		.id = request_copy(request, db_text(rows, 0, 0)),
		.hash = request_copy(request, db_text(rows, 0, 1)),
		.active = db_bool(rows, 0, 2),
		.valid_from = db_i64(rows, 0, 3),
	};
	return ret->id && ret->hash ? 0 : -ENOMEM;
}

static int refuse(struct request *request, const struct account *account, const char *why)
{
	refusals_count(request, &(struct refusal){.tenant_id = account->tenant_id,
						  .kind = "sign-in",
						  .target = account->id,
						  .reason = account->id ? why : "unknown",
						  .actor = account->id});
	respond_problem(request, PROBLEM_UNAUTHENTICATED, "the address or the password was not accepted");
	return 1;
}

int account_prove(struct request *request, const char *tenant, const char *email, const char *password,
		  struct account *ret)
{
	const char *folded = fold(request, email);
	const char *name = folded ? request_text(request, "%s\n%s", tenant ? tenant : "", folded) : NULL;
	int r = name ? delays_take(request, name) : -ENOMEM;

	*ret = (struct account){0};
	if (r == 0)
		r = tenant ? find_user(request, tenant, folded, ret) : find_operator(request, folded, ret);
	if (r != 0)
		return r;
	r = password_verify(password, ret->hash);
	if (r < 0)
		delays_give_back(request, name);
	if (r == -EBUSY) {
		respond_retry(request, PROBLEM_UNAVAILABLE, BUSY_SEC, "too many people sign in just now");
		return 1;
	}
	if (r < 0)
		return r;
	if (r == 0)
		return refuse(request, ret, "password");
	/* The next attempt must not tell that this password was right. */
	if (!ret->active)
		return refuse(request, ret, "suspended");
	delays_clear(request, name);
	return 0;
}
