/* SPDX-License-Identifier: MIT
 *
 * The keys by which anybody may verify access tokens, and the end of single tokens.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/revocations.h"
#include "control_plane/app.h"
#include "control_plane/auth/access_token.h"
#include "control_plane/auth/token_keys.h"

#define JWKS_SEC 300
#define REASON_BYTES_MAX 200
#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

int revocations_put(struct request *request, const char *token_id, int64_t expires, const char *reason)
{
	int64_t until = expires + JWT_LEEWAY_SEC;
	int r = db_later(request->tx,
			 "INSERT INTO control.token_revocations (tenant_id, jti, at, until, reason) "
			 "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			 request->tenant_id ? request->tenant_id : "", token_id, record_number(request, request->now),
			 record_number(request, until), reason);

	if (r != 0 || !request->change)
		return r;
	return revocations_publish(request, token_id,
				   json_pack("{s:s, s:I, s:I, s:s}", "of", "token", "at", (json_int_t)request->now,
					     "until", (json_int_t)until, "reason", reason));
}

static int handle_jwks(struct request *request)
{
	json_t *keys = token_keys_jwks(request->app->token_keys, request->now);

	if (!keys)
		return respond_retry(request, PROBLEM_UNAVAILABLE, 2, "there are no keys yet");
	respond_header(request, "Cache-Control", request_text(request, "public, max-age=%d", JWKS_SEC));
	return respond_json(request, 200, keys);
}

struct revocation {
	const char *reason;
};

static int handle_revoke(struct request *request)
{
	static const struct json_field fields[] = {
		{"reason", JSON_FIELD_STRING, offsetof(struct revocation, reason), 0},
	};
	struct revocation form = {.reason = ""};
	const char *id = request->params[1];
	int r;

	if (request_fields(request, fields, ARRAY_LEN(fields), &form))
		return 0;
	if (strlen(form.reason) > REASON_BYTES_MAX || !text_is_printable(form.reason, strlen(form.reason)))
		return respond_invalid(request, "reason", "at most %d printable bytes", REASON_BYTES_MAX);
	/* In the feed the revocations of hosts have their ids in the same place. */
	if (strlen(id) != ACCESS_TOKEN_ID_CHARS || strspn(id, BASE62) != ACCESS_TOKEN_ID_CHARS)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	/* Tokens are kept nowhere: how long this one has is not known, so the longest that any of them has is assumed.
	 */
	r = revocations_put(request, id, request->now + TOKEN_LIFETIME_MOST, form.reason);
	if (r == 0)
		r = event_write(request, "token.revoke", id, json_pack("{s:s}", "reason", form.reason));
	if (r < 0)
		return r;
	return acks_answer(
		request, 200, 1,
		json_pack("{s:s, s:I, s:s}", "id", id, "revoked_at", (json_int_t)request->now, "reason", form.reason));
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/.well-known/jwks.json", ROUTE_PUBLIC, "public", ROUTE_NO_TX, handle_jwks),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/tokens/{token}/revoke", ROUTE_TENANT, "key.manage", ROUTE_WRITES,
	      handle_revoke),
};
const struct route_table tokens_routes = {routes, ARRAY_LEN(routes)};
