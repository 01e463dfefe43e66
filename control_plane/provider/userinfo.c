/* SPDX-License-Identifier: MIT
 *
 * UserInfo (OpenID Connect Core 1.0, section 5.3): what an access token of a sign-in by a code is good for.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "control_plane/api/api_tables.h"
#include "control_plane/app.h"
#include "control_plane/auth/token_keys.h"
#include "control_plane/provider/oauth.h"
#include "control_plane/provider/tokens.h"

struct shown {
	const char *subject, *tenant, *scope;
	int64_t issued;
};

static int refuse(struct request *request)
{
	oauth_refuse(request, 401, "invalid_token", "the token was not accepted");
	return 0;
}

/* 0; 1: it is none. */
static int read_token(struct request *request, json_t **ret_claims, struct shown *ret)
{
	const char *header = request_header(request, "Authorization");
	const char *audience = request_text(request, "%s" PROVIDER_USERINFO_PATH, request->app->config->url);
	json_int_t issued;

	if (!audience)
		return -ENOMEM;
	if (!header || strncasecmp(header, "Bearer ", strlen("Bearer ")) != 0)
		return 1;
	header += strlen("Bearer ");
	if (token_keys_verify(request->app->token_keys, request->now, audience, header, strlen(header), ret_claims) !=
	    JWT_FINE)
		return 1;
	if (json_unpack(*ret_claims, "{s:s, s:s, s:s, s:I}", "sub", &ret->subject, "tenant", &ret->tenant, "scope",
			&ret->scope, "iat", &issued) < 0)
		return 1;
	ret->issued = issued;
	return 0;
}

static int handle_userinfo(struct request *request)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *claims = NULL;
	struct db_scope scope = {.once = true};
	struct shown shown;
	bool profile, email;
	int r = read_token(request, &claims, &shown);

	if (r != 0)
		return r < 0 ? r : refuse(request);
	scope.tenant_id = shown.tenant;
	r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(
			tx, &rows,
			"SELECT u.login, u.name, u.email, u.sessions_valid_from FROM control.users u JOIN "
			"control.tenants t ON t.id = u.tenant_id WHERE u.tenant_id = $1 AND u.id = $2 AND u.status = "
			"'active' AND NOT t.suspended",
			shown.tenant, shown.subject);
	if (r < 0)
		return r;
	if (db_row_count(rows) != 1 || shown.issued < db_i64(rows, 0, 3))
		return refuse(request);
	profile = oauth_scope_has(shown.scope, "profile");
	email = oauth_scope_has(shown.scope, "email") && *db_text(rows, 0, 2);
	respond_header(request, "Cache-Control", "no-store");
	return respond_json(request, 200,
			    json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:o*}", "sub", shown.subject, "tenant",
				      shown.tenant, "preferred_username", profile ? db_text(rows, 0, 0) : NULL, "name",
				      profile && *db_text(rows, 0, 1) ? db_text(rows, 0, 1) : NULL, "email",
				      email ? db_text(rows, 0, 2) : NULL, "email_verified",
				      email ? json_false() : NULL));
}

static const struct route routes[] = {
	ROUTE_SAYING(HTTP_GET, PROVIDER_USERINFO_PATH, ROUTE_PUBLIC, "public", ROUTE_NO_TX | ROUTE_LIMIT_FAILURES,
		     handle_userinfo, oauth_problem),
};
const struct route_table userinfo_routes = {routes, ARRAY_LEN(routes)};
