/* SPDX-License-Identifier: MIT
 *
 * Signing in by e-mail address and password, signing out, and who one is.
 *
 * Whatever is wrong (tenant, address, password, a suspended account) the answer is the same, after the same work.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/refusals.h"
#include "control_plane/api/revocations.h"
#include "control_plane/app.h"
#include "control_plane/auth/access_token.h"
#include "control_plane/auth/delays.h"
#include "control_plane/auth/password.h"

#define EMAIL_BYTES_MAX 254
#define BUSY_SEC 1

struct sign_in {
	const char *tenant, *email, *password;
};
struct account {
	const char *id, *tenant_id, *hash; /* NULL: nobody */
	bool active;
	int64_t valid_from;
};

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
static int find_user(struct request *request, const struct sign_in *form, struct account *ret)
{
	const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = db_later(tx, "SELECT set_config('control.tenant', coalesce(control.tenant_of_slug($1), ''), true)",
			     form->tenant);
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT u.id, u.tenant_id, p.hash, u.status = 'active' AND NOT t.suspended AND u.kind = "
			   "'person', "
			   "u.sessions_valid_from FROM control.users u JOIN control.tenants t ON t.id = u.tenant_id "
			   "JOIN control.passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id "
			   "WHERE u.tenant_id = control.current_tenant() AND lower(u.email) = $1 AND u.email <> ''",
			   form->email);
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

static int find_operator(struct request *request, const struct sign_in *form, struct account *ret)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT id, hash, status = 'active', sessions_valid_from FROM control.operators "
			   "WHERE lower(email) = $1",
			   form->email);
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
	return respond_problem(request, PROBLEM_UNAUTHENTICATED, "the address or the password was not accepted");
}

static int write_event(struct request *request, const struct account *account, const struct access_token *token)
{
	const struct db_scope scope = {.tenant_id = account->tenant_id, .platform = !account->tenant_id};
	int r = db_begin(request->app->db, &scope, &request->tx);

	request->tenant_id = account->tenant_id;
	request->principal.kind = account->tenant_id ? PRINCIPAL_USER : PRINCIPAL_OPERATOR;
	request->principal.id = account->id;
	request->principal.credential = "password";
	if (r == 0)
		r = event_write(request, "sign-in", account->id, json_pack("{s:s}", "token", token->id));
	if (r == 0)
		return db_commit(TAKE_PTR(request->tx));
	db_rollback(TAKE_PTR(request->tx));
	return r;
}

static int sign_in(struct request *request, const struct sign_in *form,
		   int (*find)(struct request *request, const struct sign_in *form, struct account *ret))
{
	const char *name = request_text(request, "%s\n%s", form->tenant ? form->tenant : "", form->email);
	struct account account = {0};
	struct access_token token;
	const char *text;
	int r = name ? delays_take(request, name) : -ENOMEM;

	if (r == 0)
		r = find(request, form, &account);
	if (r != 0)
		return MIN_OF(r, 0);
	r = password_verify(form->password, account.hash);
	if (r < 0)
		delays_give_back(request, name);
	if (r == -EBUSY)
		return respond_retry(request, PROBLEM_UNAVAILABLE, BUSY_SEC, "too many people sign in just now");
	if (r < 0)
		return r;
	if (r == 0)
		return refuse(request, &account, "password");
	delays_clear(request, name);
	if (!account.active)
		return refuse(request, &account, "suspended");
	r = access_token_issue(request, account.tenant_id ? ACCESS_USER : ACCESS_OPERATOR, account.id,
			       account.tenant_id, account.valid_from, &text, &token);
	if (r == 0)
		r = write_event(request, &account, &token);
	return r < 0 ? r : access_token_answer(request, text, &token);
}

/* 0; 1: a problem was set. */
static int read_form(struct request *request, bool of_tenant, struct sign_in *ret)
{
	static const struct json_field fields[] = {
		{"email", JSON_FIELD_STRING, offsetof(struct sign_in, email), JSON_FIELD_REQUIRED},
		{"password", JSON_FIELD_STRING, offsetof(struct sign_in, password), JSON_FIELD_REQUIRED},
		{"tenant", JSON_FIELD_STRING, offsetof(struct sign_in, tenant), JSON_FIELD_REQUIRED},
	};

	*ret = (struct sign_in){0};
	if (request_fields(request, fields, of_tenant ? 3 : 2, ret))
		return 1;
	if (strlen(ret->email) > EMAIL_BYTES_MAX || !text_is_printable(ret->email, strlen(ret->email)))
		return respond_invalid(request, "email", "not an e-mail address"), 1;
	if (ret->tenant && !text_is_slug(ret->tenant))
		return respond_invalid(request, "tenant", "not a tenant's short name"), 1;
	ret->email = fold(request, ret->email);
	return ret->email ? 0 : -ENOMEM;
}

static int handle_user(struct request *request)
{
	struct sign_in form;
	int r = read_form(request, true, &form);

	return r == 0 ? sign_in(request, &form, find_user) : MIN_OF(r, 0);
}

static int handle_operator(struct request *request)
{
	struct sign_in form;
	int r = read_form(request, false, &form);

	return r == 0 ? sign_in(request, &form, find_operator) : MIN_OF(r, 0);
}

static int handle_sign_out(struct request *request)
{
	const struct principal *principal = &request->principal;
	int r;

	if (!principal->token_id)
		return respond_problem(request, PROBLEM_BAD_REQUEST, "an API key does not sign in or out; revoke it");
	r = revocations_put(request, principal->token_id, principal->token_expires, "signed out");
	if (r == 0)
		r = event_write(request, "sign-out", principal->token_id, NULL);
	return r == 0 ? respond_empty(request) : MIN_OF(r, 0);
}

static int handle_me(struct request *request)
{
	const struct principal *principal = &request->principal;

	respond_header(request, "Cache-Control", "no-store");
	return respond_json(request, 200,
			    json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "kind",
				      principal->kind == PRINCIPAL_USER ? "user" : "operator", "id", principal->id,
				      "name", principal->name, "tenant", principal->tenant_id, "role",
				      principal->tenant_role && *principal->tenant_role ? principal->tenant_role : NULL,
				      "credential", principal->credential));
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/sign-in", ROUTE_PUBLIC, "public", ROUTE_NO_TX, handle_user),
	ROUTE(HTTP_POST, "/v1/operators/sign-in", ROUTE_PUBLIC, "public", ROUTE_NO_TX, handle_operator),
	ROUTE(HTTP_POST, "/v1/sign-out", ROUTE_SELF, "self", ROUTE_WRITES | ROUTE_NO_BODY, handle_sign_out),
	ROUTE(HTTP_GET, "/v1/me", ROUTE_SELF, "self", ROUTE_NO_TX, handle_me),
};
const struct route_table sign_in_routes = {routes, ARRAY_LEN(routes)};
