/* SPDX-License-Identifier: MIT
 *
 * Signing in by e-mail address and password, signing out, and who one is.
 */
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/revocations.h"
#include "control_plane/app.h"
#include "control_plane/auth/access_token.h"
#include "control_plane/auth/account.h"

struct sign_in {
	const char *tenant, *email, *password;
};

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

static int sign_in(struct request *request, const struct sign_in *form)
{
	struct account account;
	struct access_token token;
	const char *text;
	int r = account_prove(request, form->tenant, form->email, form->password, &account);

	if (r != 0)
		return MIN_OF(r, 0);
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
	if (strlen(ret->email) > ACCOUNT_EMAIL_MAX || !text_is_printable(ret->email, strlen(ret->email)))
		return respond_invalid(request, "email", "not an e-mail address"), 1;
	if (ret->tenant && !text_is_slug(ret->tenant))
		return respond_invalid(request, "tenant", "not a tenant's short name"), 1;
	return 0;
}

static int handle_user(struct request *request)
{
	struct sign_in form;
	int r = read_form(request, true, &form);

	return r == 0 ? sign_in(request, &form) : MIN_OF(r, 0);
}

static int handle_operator(struct request *request)
{
	struct sign_in form;
	int r = read_form(request, false, &form);

	return r == 0 ? sign_in(request, &form) : MIN_OF(r, 0);
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
