/* SPDX-License-Identifier: MIT
 *
 * How a host comes to be one, and how it proves that it is. It enrols once, with a token that an operator made and a
 * key that it made itself; from then on it signs assertions (RFC 7523, private_key_jwt) and gets short access tokens.
 */
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/api/hosts_view.h"
#include "control_plane/api/names.h"
#include "control_plane/api/record.h"
#include "control_plane/api/refusals.h"
#include "control_plane/app.h"
#include "control_plane/auth/access_token.h"
#include "control_plane/feed/assignment.h"
#include "crypto/api_key.h"
#include "jose/jwt.h"
#include "json/json_read.h"

#define NAME_BYTES_MAX 253
#define VERSION_BYTES_MAX 64
#define STATUS_BYTES_MAX 16384
#define ASSERTION_SEC_MAX 60
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* ---- enrolment ------------------------------------------------------------------------------------------------------
 */
struct enrolment {
	const char *token, *name, *version;
	json_t *key;
	struct jwt_public public;
	const char *id, *now; /* the token's; as parameters */
	const char *host_id;
	bool is_new;
};

static bool is_host_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > NAME_BYTES_MAX || name[0] == '-' || name[0] == '.')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length;
}

static bool is_version(const char *version)
{
	return strlen(version) <= VERSION_BYTES_MAX && text_is_printable(version, strlen(version));
}

/* One exact name, or a beginning and '*'. "": any. */
static bool name_matches(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, name, length - 1) == 0;
	return length == 0 || strcmp(pattern, name) == 0;
}

static int refuse_token(struct request *request, const struct enrolment *enrolment, const char *why)
{
	refusals_count(request,
		       &(struct refusal){
			       .kind = "host.enrol", .reason = why, .actor = enrolment->name, .token = enrolment->id});
	respond_problem(request, PROBLEM_FORBIDDEN, "the enrolment token was not accepted: %s", why);
	return 1;
}

/* 0; 1: a problem was set. */
static int read_enrolment(struct request *request, struct enrolment *ret)
{
	static const struct json_field fields[] = {
		{"token", JSON_FIELD_STRING, offsetof(struct enrolment, token), JSON_FIELD_REQUIRED},
		{"name", JSON_FIELD_STRING, offsetof(struct enrolment, name), JSON_FIELD_REQUIRED},
		{"key", JSON_FIELD_OBJECT, offsetof(struct enrolment, key), JSON_FIELD_REQUIRED},
		{"version", JSON_FIELD_STRING, offsetof(struct enrolment, version), 0},
	};
	struct problem problem = {0};
	struct api_key_parts parts;

	*ret = (struct enrolment){.version = ""};
	if (request_fields(request, fields, ARRAY_LEN(fields), ret))
		return 1;
	if (!is_host_name(ret->name)) {
		respond_invalid(request, "name", "a host name has letters, digits, '.', '-' and '_', at most %d",
				NAME_BYTES_MAX);
		return 1;
	}
	if (!is_version(ret->version)) {
		respond_invalid(request, "version", "at most %d printable bytes", VERSION_BYTES_MAX);
		return 1;
	}
	if (jwt_key_parse(ret->key, &ret->public, &problem) < 0) {
		respond_invalid(request, "key", "%s", problem.text);
		return 1;
	}
	if (api_key_parse(ret->token, strlen(ret->token), &parts) < 0 || parts.kind != API_KEY_ENROLMENT) {
		respond_invalid(request, "token",
				"not an enrolment token; it begins with tnt_et_ and has %d characters",
				API_KEY_TEXT_CHARS);
		return 1;
	}
	ret->id = request_copy(request, parts.id);
	ret->now = record_number(request, request->now);
	return ret->id && ret->now ? 0 : -ENOMEM;
}

enum { TOKEN_VERIFIER, TOKEN_NAME, TOKEN_USES, TOKEN_LIVE };

/* The token's row, locked: two hosts never share its last use. 0; 1. */
static int check_token(struct request *request, const struct enrolment *enrolment, struct db_rows **ret)
{
	uint8_t shown[SHA256_BYTES], stored[SHA256_BYTES] = {0};
	bool same;
	int r = api_key_verifier(enrolment->token, strlen(enrolment->token), shown);

	if (r == 0)
		r = db_run(request->tx, ret,
			   "SELECT encode(verifier, 'hex'), host_name, uses_left, expires_at > $2::bigint "
			   "FROM control.enrolment_tokens WHERE id = $1 FOR UPDATE",
			   enrolment->id, enrolment->now);
	if (r < 0)
		return r;
	if (db_row_count(*ret) == 1 && text_from_hex(db_text(*ret, 0, TOKEN_VERIFIER), stored, sizeof(stored)) < 0)
		return -EIO;
	same = secret_equal(shown, stored, sizeof(shown));
	secret_wipe(shown, sizeof(shown));
	if (!same || db_row_count(*ret) != 1)
		return refuse_token(request, enrolment, "it is not known");
	if (!db_bool(*ret, 0, TOKEN_LIVE))
		return refuse_token(request, enrolment, "it has expired");
	if (!name_matches(db_text(*ret, 0, TOKEN_NAME), enrolment->name))
		return refuse_token(request, enrolment, "it is for hosts of another name");
	return 0;
}

/* Who has this key or this name already? 0 with host_id where it is this host again; 1: a problem was set. */
static int find_host(struct request *request, struct enrolment *enrolment, const struct db_rows *token)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"SELECT id, name, kid, enrolled_by, disabled_at, EXISTS (SELECT FROM control.host_tenants s WHERE "
		"s.host_id = hosts.id AND s.tenant_id <> ALL (SELECT unnest(tenants) FROM "
		"control.enrolment_tokens WHERE id = $3)) FROM control.hosts WHERE kid = $1 OR name = $2 "
		"FOR UPDATE",
		enrolment->public.kid, enrolment->name, enrolment->id);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		/* A host that was disabled and enabled again waits here for a new key. */
		if (*db_text(rows, i, 2) == '.') {
			/* Whoever comes with that key gets the feeds of all that the host serves. */
			if (db_bool(rows, i, 5))
				return refuse_token(request, enrolment, "this host serves tenants that it is not for");
			enrolment->host_id = request_copy(request, db_text(rows, i, 0));
			if (!enrolment->host_id)
				return -ENOMEM;
			continue;
		}
		if (!text_equal(db_text(rows, i, 2), enrolment->public.kid)) {
			refusals_count(request, &(struct refusal){.kind = "host.enrol",
								  .target = db_text(rows, i, 0),
								  .reason = "the name is taken",
								  .actor = enrolment->name,
								  .token = enrolment->id});
			respond_problem(request, PROBLEM_CONFLICT,
					"a host of this name is enrolled with another key; remove it first");
			return 1;
		}
		if (!text_equal(db_text(rows, i, 1), enrolment->name)) {
			respond_problem(request, PROBLEM_CONFLICT, "this key is enrolled under another name");
			return 1;
		}
		if (db_i64(rows, i, 4) != 0)
			return refuse_token(request, enrolment, "this host is disabled");
		enrolment->host_id = request_copy(request, db_text(rows, i, 0));
		if (!enrolment->host_id)
			return -ENOMEM;
		if (text_equal(db_text(rows, i, 3), enrolment->id))
			return 0; /* asked once more: the same answer, and no use is taken */
	}
	if (db_i64(token, 0, TOKEN_USES) <= 0)
		return refuse_token(request, enrolment, "it was used up");
	enrolment->is_new = true;
	return 0;
}

/* The host's row, its tenants, and one use of the token. */
static int put_host(struct request *request, struct enrolment *enrolment)
{
	_cleanup_(json_decrefp) json_t *jwk = jwt_key_render(&enrolment->public);
	const char *text;
	int r = jwk ? record_json_text(request, jwk, &text) : -ENOMEM;

	if (r < 0)
		return r;
	if (!enrolment->host_id) {
		enrolment->host_id = record_new_id(request, "hst_");
		if (!enrolment->host_id)
			return -ENOMEM;
		r = db_later(request->tx,
			     "INSERT INTO control.hosts (id, name, jwk, kid, enrolled_by, last_seen, status) VALUES "
			     "($1, $2, $3::jsonb, $4, $5, now(), jsonb_build_object('version', $6::text))",
			     enrolment->host_id, enrolment->name, text, enrolment->public.kid, enrolment->id,
			     enrolment->version);
	} else {
		r = db_later(request->tx,
			     "UPDATE control.hosts SET jwk = $3::jsonb, kid = $4, enrolled_by = $2, last_seen = now(), "
			     "version = version + 1 WHERE id = $1",
			     enrolment->host_id, enrolment->id, text, enrolment->public.kid);
	}
	if (r == 0) /* these are all that the host will serve: nobody takes a name there meanwhile */
		r = db_later(request->tx,
			     "SELECT FROM control.tenants WHERE id = ANY (SELECT unnest(tenants) FROM "
			     "control.enrolment_tokens WHERE id = $1) ORDER BY id FOR SHARE",
			     enrolment->id);
	if (r == 0) /* a tenant that was deleted since is passed over */
		r = db_later(
			request->tx,
			"INSERT INTO control.host_tenants (host_id, tenant_id) SELECT $1, t.id FROM control.tenants t "
			"WHERE t.id = ANY (SELECT unnest(tenants) FROM control.enrolment_tokens WHERE id = $2) "
			"ON CONFLICT DO NOTHING",
			enrolment->host_id, enrolment->id);
	if (r == 0)
		r = db_later(request->tx, "UPDATE control.enrolment_tokens SET uses_left = uses_left - 1 WHERE id = $1",
			     enrolment->id);
	return r < 0 ? r
		     : event_write(request, "host.enrol", enrolment->host_id,
				   json_pack("{s:s, s:s, s:s}", "name", enrolment->name, "token", enrolment->id, "kid",
					     enrolment->public.kid));
}

/* 0; 1: two of its tenants have one name; -errno. */
static int check_names(struct request *request, const struct enrolment *enrolment)
{
	struct name_clash clash;
	int r = names_check_host(request, enrolment->host_id, &clash);

	/* The operator finds there who has to give it up. */
	if (r == 1)
		event_failure(request, NULL, enrolment->name, "host.enrol", "",
			      json_pack("{s:s, s:s, s:s, s:[s, s]}", "reason", "a name that two tenants have", "token",
					enrolment->id, "name", clash.name, "tenants", clash.tenants[0],
					clash.tenants[1]));
	return r;
}

static int handle_enrol(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *token = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct enrolment enrolment;
	int r = read_enrolment(request, &enrolment);

	if (r == 0)
		r = check_token(request, &enrolment, &token);
	if (r == 0)
		r = find_host(request, &enrolment, token);
	if (r == 0 && enrolment.is_new)
		r = put_host(request, &enrolment);
	if (r == 0 && enrolment.is_new)
		r = check_names(request, &enrolment);
	if (r == 0)
		answer = json_pack("{s:s, s:s}", "host", enrolment.host_id, "name", enrolment.name);
	if (r == 0)
		r = answer ? hosts_view_served(request, enrolment.host_id, true, answer) : -ENOMEM;
	if (r == -EEXIST) {
		/* Another host took the name or the key between our look and our insert. */
		return respond_problem(request, PROBLEM_CONFLICT, "a host of this name or key was enrolled just now");
	}
	if (r != 0)
		return MIN_OF(r, 0);
	return respond_json(request, 201, json_incref(answer));
}

/* ---- tokens ---------------------------------------------------------------------------------------------------------
 */
struct token_request {
	const char *grant, *type, *assertion, *client;
};

/* RFC 6749, section 5.2, which OAuth clients read; hosts read the status. */
static int refuse_client(struct request *request, unsigned status, const char *error, const char *text)
{
	respond_header(request, "Cache-Control", "no-store");
	respond_json(request, status, json_pack("{s:s, s:s}", "error", error, "error_description", text));
	return 1;
}

static int check_assertion(struct request *request, const char *assertion, const struct db_rows *rows, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *jwk = NULL;
	struct problem problem = {0};
	struct jwt_public key;
	struct jwt_rules rules = {
		.keys = &key,
		.key_count = 1,
		.type = "JWT",
		.issuer = db_text(rows, 0, 0),
		.audience = request_text(request, "%s/v1/hosts/token", request->app->config->url),
		.now = request->now,
		.lifetime_max = ASSERTION_SEC_MAX,
	};
	enum jwt_fault fault;
	int r = record_json(rows, 0, 1, &jwk);

	if (r == 0)
		r = jwt_key_parse(jwk, &key, &problem);
	if (r < 0 || !rules.audience)
		return r < 0 ? r : -ENOMEM;
	fault = jwt_verify(assertion, strlen(assertion), &rules, ret);
	if (fault == JWT_FINE && !text_equal(json_string_value(json_object_get(*ret, "sub")), rules.issuer))
		fault = JWT_BAD_CLAIMS;
	if (fault == JWT_FINE)
		return 0;
	refusals_count(request, &(struct refusal){.kind = "host.token",
						  .target = rules.issuer,
						  .reason = jwt_fault_word(fault),
						  .actor = rules.issuer});
	return refuse_client(request, 401, "invalid_client",
			     request_text(request, "the assertion was not accepted: %s", jwt_fault_word(fault)));
}

/* Each assertion once. 1: this one was here before. */
static int take_assertion(struct request *request, const char *host_id, json_t *claims)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int64_t until = json_integer_value(json_object_get(claims, "exp")) + JWT_LEEWAY_SEC;
	int r = db_later(request->tx, "DELETE FROM control.host_assertions WHERE host_id = $1 AND until < $2::bigint",
			 host_id, record_number(request, request->now));

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "INSERT INTO control.host_assertions (host_id, jti, until) VALUES ($1, $2, $3) "
			   "ON CONFLICT DO NOTHING RETURNING 1",
			   host_id, json_string_value(json_object_get(claims, "jti")), record_number(request, until));
	if (r < 0)
		return r;
	if (db_row_count(rows) == 1)
		return 0;
	refusals_count(
		request,
		&(struct refusal){.kind = "host.token", .target = host_id, .reason = "replayed", .actor = host_id});
	return refuse_client(request, 401, "invalid_client", "the assertion was used before");
}

/* Who proves to be a host that is disabled is told so by the platform's own key: where it was not connected when it was
 * disabled, it learns it here. */
static int refuse_disabled(struct request *request, const char *host_id, const char *kid)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	int r = assignment_disabled(request->app->publisher, request->tx, host_id, kid, &note);

	if (r < 0)
		return r;
	return respond_problem_with(request, PROBLEM_FORBIDDEN, "note", r == 0 ? buffer_text(&note) : NULL,
				    "this host is disabled");
}

static int handle_token(struct request *request)
{
	static const struct json_field fields[] = {
		{"grant_type", JSON_FIELD_STRING, offsetof(struct token_request, grant), JSON_FIELD_REQUIRED},
		{"client_assertion_type", JSON_FIELD_STRING, offsetof(struct token_request, type), JSON_FIELD_REQUIRED},
		{"client_assertion", JSON_FIELD_STRING, offsetof(struct token_request, assertion), JSON_FIELD_REQUIRED},
		{"client_id", JSON_FIELD_STRING, offsetof(struct token_request, client), 0},
	};
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *claims = NULL;
	struct token_request form = {0};
	struct problem problem = {0};
	struct access_token token;
	struct jwt_claimed claimed;
	const char *field, *host_id, *text;
	int r;

	if (json_fields(request->body, fields, ARRAY_LEN(fields), &form, &field, &problem) < 0)
		return MIN_OF(refuse_client(request, 400, "invalid_request", problem.text), 0);
	if (!text_equal(form.grant, "client_credentials"))
		return MIN_OF(refuse_client(request, 400, "unsupported_grant_type", "use client_credentials"), 0);
	if (!text_equal(form.type, ASSERTION_TYPE))
		return MIN_OF(refuse_client(request, 400, "invalid_request", "use the assertion type " ASSERTION_TYPE),
			      0);
	host_id = jwt_peek(form.assertion, strlen(form.assertion), &claimed) == 0
			  ? request_copy(request, claimed.subject)
			  : NULL;
	if (!host_id || (form.client && !text_equal(form.client, host_id)))
		return MIN_OF(
			refuse_client(request, 401, "invalid_client", "the assertion was not accepted: malformed"), 0);
	/* One that was disabled and enabled again has no key until it enrols anew (api/host_states.c). */
	r = db_run(request->tx, &rows,
		   "SELECT id, jwk, disabled_at, sessions_valid_from, kid FROM control.hosts WHERE id = $1 AND kid NOT "
		   "LIKE "
		   "'.%'",
		   host_id);
	if (r < 0)
		return r;
	if (db_row_count(rows) != 1)
		return MIN_OF(
			refuse_client(request, 401, "invalid_client", "the assertion was not accepted: unknown-key"),
			0);
	r = check_assertion(request, form.assertion, rows, &claims);
	if (r == 0 && db_i64(rows, 0, 2) != 0) /* only the host itself is told */
		return refuse_disabled(request, host_id, db_text(rows, 0, 4));
	if (r == 0)
		r = take_assertion(request, host_id, claims);
	if (r == 0)
		r = db_later(request->tx, "UPDATE control.hosts SET last_seen = now() WHERE id = $1", host_id);
	if (r == 0)
		r = access_token_issue(request, ACCESS_HOST, host_id, NULL, db_i64(rows, 0, 3), &text, &token);
	return r == 0 ? access_token_answer(request, text, &token) : MIN_OF(r, 0);
}

/* ---- themselves -----------------------------------------------------------------------------------------------------
 */
static int handle_self(struct request *request)
{
	_cleanup_(json_decrefp) json_t *answer = json_pack("{s:s, s:s, s:b}", "id", request->principal.id, "name",
							   request->principal.name, "disabled", 0);
	int r = answer ? hosts_view_served(request, request->principal.id, false, answer) : -ENOMEM;

	return r < 0 ? r : respond_json(request, 200, json_incref(answer));
}

struct status {
	const char *version;
	json_t *feeds;
	int64_t clock;
};

static int handle_status(struct request *request)
{
	static const struct json_field fields[] = {
		{"version", JSON_FIELD_STRING, offsetof(struct status, version), JSON_FIELD_REQUIRED},
		{"feeds", JSON_FIELD_ARRAY, offsetof(struct status, feeds), JSON_FIELD_REQUIRED},
		{"clock", JSON_FIELD_I64, offsetof(struct status, clock), JSON_FIELD_REQUIRED},
	};
	struct status status = {0};
	const char *text;
	int r;

	if (request_fields(request, fields, ARRAY_LEN(fields), &status))
		return 0;
	if (!is_version(status.version))
		return respond_invalid(request, "version", "at most %d printable bytes", VERSION_BYTES_MAX);
	r = record_json_text(request, request->body, &text);
	if (r < 0)
		return r;
	if (strlen(text) > STATUS_BYTES_MAX)
		return respond_invalid(request, "feeds", "a status has at most %d bytes", STATUS_BYTES_MAX);
	r = db_later(request->tx, "UPDATE control.hosts SET status = $2::jsonb, last_seen = now() WHERE id = $1",
		     request->principal.id, text);
	return r < 0 ? r : respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/enrol", ROUTE_PUBLIC, "public", ROUTE_WRITES | ROUTE_PLATFORM | ROUTE_LIMIT_FAILURES,
	      handle_enrol),
	ROUTE(HTTP_POST, "/v1/hosts/token", ROUTE_PUBLIC, "public",
	      ROUTE_WRITES | ROUTE_PLATFORM | ROUTE_LIMIT_FAILURES | ROUTE_FORM, handle_token),
	ROUTE(HTTP_GET, "/v1/hosts/self", ROUTE_HOST, "host", ROUTE_PLATFORM, handle_self),
	ROUTE(HTTP_PUT, "/v1/hosts/self/status", ROUTE_HOST, "host.report", ROUTE_WRITES | ROUTE_PLATFORM,
	      handle_status),
};
const struct route_table hosts_auth_routes = {routes, ARRAY_LEN(routes)};
