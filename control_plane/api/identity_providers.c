/* SPDX-License-Identifier: MIT
 *
 * Identity providers: where a tenant's people may sign in, and as what client the tenant is known there. The client's
 * secret and its private key are sealed here (AES-256-GCM, bound to tenant and record) and never come out again through
 * the API; hosts get them with the feed, since it is hosts that talk to the provider.
 *
 * Whoever says where people come from can come as anybody, so only owners and operators do.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/rights.h"
#include "control_plane/api/sealed_secrets.h"
#include "control_plane/app.h"
#include "control_plane/feed/change.h"
#include "records/rules.h"

/* As the feed has it, but for the secrets. */
#define RULES_SQL                                                                         \
	"'scopes', " SQL_LIST("scopes") ", 'acr', " SQL_LIST("acr") ", 'amr', " SQL_LIST( \
		"amr") ", 'domains', " SQL_LIST("domains")
#define CLAIMS_SQL "'hosted_domain', " SQL_TEXT("hosted_domain") ", 'token_audience', " SQL_TEXT("token_audience")
#define USE_SQL "'bind', bind, 'max_age', " SQL_NUMBER("max_age") ", 'preferred', " SQL_FLAG("preferred")
#define BODY_SQL                                                                                                      \
	"jsonb_strip_nulls(jsonb_build_object('name', name, 'kind', kind, 'issuer', issuer, 'client_id', client_id, " \
	"'client_auth', client_auth, " RULES_SQL ", " CLAIMS_SQL ", " USE_SQL "))"
#define VIEW_SQL                                                                                                  \
	"jsonb_build_object('id', id, 'version', version, 'created_at', extract(epoch FROM created_at)::bigint) " \
	"|| " BODY_SQL                                                                                            \
	" || jsonb_build_object('client_secret_set', client_secret_set, 'client_key_set', client_key_set)"
#define COLUMNS_SQL "version, " BODY_SQL ", " VIEW_SQL
#define SEALED 3 /* the column that stands behind them, and the id behind that */
#define ROW_SQL COLUMNS_SQL ", sealed, id"

static const struct record_unique unique[] = {{"identity_providers_tenant_id_name_key", "name"}};

static int fault(struct request *request, int result)
{
	return record_fault(request, result, "identity provider", unique, ARRAY_LEN(unique));
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static int list(struct request *request)
{
	return record_list(request, "identity providers",
			   "SELECT id, " VIEW_SQL " FROM control.identity_providers "
			   "WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3::bigint");
}

static int get(struct request *request)
{
	return record_get(request, "identity provider",
			  "SELECT " COLUMNS_SQL " FROM control.identity_providers WHERE tenant_id = $1 AND id = $2");
}

/* ---- secrets --------------------------------------------------------------------------------------------------------
 */

static const char *purpose(struct request *request, const char *id)
{
	return request_text(request, "identity-provider:%s:%s", request->tenant_id, id);
}

/* NULL where there is nothing to seal. */
static int seal_secrets(struct request *request, const char *id, json_t *secrets, const char **ret)
{
	*ret = NULL;
	return json_object_size(secrets) == 0 ? 0 : sealed_secrets_make(request, purpose(request, id), secrets, ret);
}

/* "" takes one out; NULL leaves it. */
static int set_secret(json_t *secrets, const char *name, const char *value)
{
	if (value && *value)
		return json_object_set_new(secrets, name, json_string(value)) < 0 ? -ENOMEM : 0;
	if (value)
		(void)json_object_del(secrets, name);
	return 0;
}

/* The row into the feed, with its secrets. */
static int publish(struct request *request, const struct db_rows *rows, uint32_t row, json_t *secrets)
{
	json_t *body = NULL;
	int r = record_json(rows, row, 1, &body);

	if (r == 0 && json_object_update(body, secrets) < 0) {
		json_decref(body);
		r = -ENOMEM;
	}
	return r < 0 ? r
		     : record_put_body(request, record_change(request), RECORD_IDP, db_text(rows, row, SEALED + 1),
				       (uint64_t)db_i64(rows, row, 0), body);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *name, *kind, *issuer, *client_id, *client_auth, *client_secret, *client_key, *hosted_domain,
		*token_audience, *bind;
	json_t *scopes, *acr, *amr, *domains;
	uint32_t max_age;
	bool preferred;
};
static const struct json_field fields[] = {
	/* Another kind or issuer is another provider, with identities of its own. */
	{"kind", JSON_FIELD_STRING, offsetof(struct fields, kind), JSON_FIELD_REQUIRED},
	{"issuer", JSON_FIELD_STRING, offsetof(struct fields, issuer), 0},
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"client_id", JSON_FIELD_STRING, offsetof(struct fields, client_id), 0},
	{"client_auth", JSON_FIELD_STRING, offsetof(struct fields, client_auth), 0},
	{"client_secret", JSON_FIELD_STRING, offsetof(struct fields, client_secret), 0},
	{"client_key", JSON_FIELD_STRING, offsetof(struct fields, client_key), 0},
	{"scopes", JSON_FIELD_STRINGS, offsetof(struct fields, scopes), 0},
	{"acr", JSON_FIELD_STRINGS, offsetof(struct fields, acr), 0},
	{"amr", JSON_FIELD_STRINGS, offsetof(struct fields, amr), 0},
	{"domains", JSON_FIELD_STRINGS, offsetof(struct fields, domains), 0},
	{"hosted_domain", JSON_FIELD_STRING, offsetof(struct fields, hosted_domain), 0},
	{"token_audience", JSON_FIELD_STRING, offsetof(struct fields, token_audience), 0},
	{"bind", JSON_FIELD_STRING, offsetof(struct fields, bind), 0},
	{"max_age", JSON_FIELD_U32, offsetof(struct fields, max_age), 0},
	{"preferred", JSON_FIELD_BOOL, offsetof(struct fields, preferred), 0},
};
#define PATCH_FIELDS (&fields[2])
#define PATCH_FIELD_COUNT (ARRAY_LEN(fields) - 2)

/* What a kind has in advance. 0; 1: a problem was set. */
static int complete(struct request *request, struct fields *form)
{
	static const struct {
		const char *kind, *issuer;
		enum idp_kind record;
	} kinds[] = {
		{"oidc", NULL, IDP_OIDC},           {"google", "https://accounts.google.com", IDP_GOOGLE},
		{"microsoft", NULL, IDP_MICROSOFT}, {"github", "https://github.com", IDP_GITHUB},
		{"tenantd", NULL, IDP_TENANTD},
	};
	char name[RULES_IDP_NAME_MAX];
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].kind, form->kind) != 0)
		i++;
	if (i == ARRAY_LEN(kinds))
		return respond_invalid(request, "kind", "oidc, google, microsoft, github or tenantd"), 1;
	if (kinds[i].record == IDP_TENANTD) {
		/* This control plane, and the tenant by its id: there is nothing to choose. */
		if (form->issuer && strcmp(form->issuer, request->app->config->url) != 0)
			return respond_invalid(request, "issuer", "this control plane is %s",
					       request->app->config->url),
			       1;
		if (form->client_id && strcmp(form->client_id, request->tenant_id) != 0)
			return respond_invalid(request, "client_id", "the client is the tenant, by its id"), 1;
		form->issuer = request->app->config->url;
		form->client_id = request->tenant_id;
	}
	if (!form->issuer)
		form->issuer = kinds[i].issuer;
	if (!form->issuer)
		return respond_invalid(request, "issuer", "say which: as its tokens have it in \"iss\""), 1;
	if (!form->client_id)
		return respond_invalid(request, "client_id", "as what is the tenant known there?"), 1;
	if (!form->client_auth)
		form->client_auth = form->client_key                                       ? "private_key_jwt"
				    : form->client_secret && kinds[i].record == IDP_GITHUB ? "client_secret_post"
				    : form->client_secret                                  ? "client_secret_basic"
											   : "none";
	if (!form->name || !*form->name)
		form->name = request_copy(request, rules_idp_name(kinds[i].record, form->issuer, name));
	return form->name ? 0 : -ENOMEM;
}

/* One is taken where nobody chooses: the one that was gives way. */
static int give_way(struct request *request, const char *id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"UPDATE control.identity_providers SET preferred = false, version = version + 1 WHERE tenant_id = $1 "
		"AND preferred AND id <> $2 RETURNING " ROW_SQL,
		request->tenant_id, id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		_cleanup_(json_decrefp) json_t *secrets = NULL;

		r = sealed_secrets_open(request, purpose(request, db_text(rows, i, SEALED + 1)), rows, i, SEALED,
					&secrets);
		if (r == 0)
			r = publish(request, rows, i, secrets);
	}
	return r;
}

/* The tenant's row is locked: two at once are not both the last that there may be. */
static int check_count(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR UPDATE", request->tenant_id);

	if (r == 0)
		r = db_run(request->tx, &rows, "SELECT count(*) FROM control.identity_providers WHERE tenant_id = $1",
			   request->tenant_id);
	if (r < 0)
		return r;
	if (db_i64(rows, 0, 0) < IDP_PER_TENANT_MAX)
		return 0;
	respond_problem(request, PROBLEM_CONFLICT, "a tenant has at most %u identity providers", IDP_PER_TENANT_MAX);
	return 1;
}

struct lists {
	const char *scopes, *acr, *amr, *domains;
};

static int read_lists(struct request *request, const struct fields *form, struct lists *ret)
{
	int r = record_json_text(request, form->scopes, &ret->scopes);

	if (r == 0)
		r = record_json_text(request, form->acr, &ret->acr);
	if (r == 0)
		r = record_json_text(request, form->amr, &ret->amr);
	return r == 0 ? record_json_text(request, form->domains, &ret->domains) : r;
}

static const char *flag(bool value)
{
	return value ? "true" : "false";
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *secrets = json_object();
	const char *id = record_new_id(request, "idp_"), *sealed;
	struct fields form = {0};
	struct lists lists;
	int r;

	if (!id || !secrets)
		return -ENOMEM;
	if (request_fields(request, fields, ARRAY_LEN(fields), &form) != 0)
		return 0;
	r = complete(request, &form);
	if (r == 0)
		r = rights_as_anybody(request);
	if (r == 0)
		r = check_count(request);
	if (r == 0)
		r = set_secret(secrets, "client_secret", form.client_secret);
	if (r == 0)
		r = set_secret(secrets, "client_key", form.client_key);
	if (r == 0)
		r = seal_secrets(request, id, secrets, &sealed);
	if (r == 0)
		r = read_lists(request, &form, &lists);
	if (r == 0 && form.preferred)
		r = give_way(request, id);
	if (r != 0)
		return MIN_OF(r, 0);
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.identity_providers (id, tenant_id, name, kind, issuer, client_id, "
		   "client_auth, sealed, "
		   "client_secret_set, client_key_set, scopes, acr, amr, domains, hosted_domain, token_audience, "
		   "bind, max_age, "
		   "preferred) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bytea, $9::boolean, "
		   "$10::boolean, " SQL_NEW_LIST("$11") ", " SQL_NEW_LIST("$12") ", " SQL_NEW_LIST(
			   "$13") ", " SQL_NEW_LIST("$14") ", $15, $16, $17, $18::bigint, $19::boolean) "
							   "RETURNING " ROW_SQL,
		   id, request->tenant_id, form.name, form.kind, form.issuer, form.client_id, form.client_auth, sealed,
		   flag(json_object_get(secrets, "client_secret")), flag(json_object_get(secrets, "client_key")),
		   lists.scopes, lists.acr, lists.amr, lists.domains, or_empty(form.hosted_domain),
		   or_empty(form.token_audience), form.bind ? form.bind : "listed",
		   record_number(request, form.max_age), flag(form.preferred));
	if (r < 0)
		return fault(request, r);
	r = publish(request, rows, 0, secrets);
	if (r == 0)
		r = event_write(
			request, "identity-provider.create", id,
			json_pack("{s:s,s:s,s:s}", "name", form.name, "kind", form.kind, "issuer", form.issuer));
	return r != 0 ? MIN_OF(r, 0) : record_created(request, id, rows);
}

/* The row, locked, with its secrets open. 0; 1; -errno. */
static int lock(struct request *request, json_t **ret_secrets, uint64_t *ret_version)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " ROW_SQL " FROM control.identity_providers WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		       request->tenant_id, request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*ret_version = (uint64_t)db_i64(rows, 0, 0);
	r = request_if_match(request, *ret_version);
	return r == 0 && ret_secrets ? sealed_secrets_open(request, purpose(request, request->params[1]), rows, 0,
							   SEALED, ret_secrets)
				     : r;
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *secrets = NULL;
	const char *id = request->params[1], *sealed;
	struct fields form = {0};
	struct lists lists;
	uint64_t version;
	int r;

	if (request_fields(request, PATCH_FIELDS, PATCH_FIELD_COUNT, &form) != 0)
		return 0;
	r = rights_as_anybody(request);
	if (r == 0)
		r = lock(request, &secrets, &version);
	if (r == 0)
		r = set_secret(secrets, "client_secret", form.client_secret);
	if (r == 0)
		r = set_secret(secrets, "client_key", form.client_key);
	if (r == 0)
		r = seal_secrets(request, id, secrets, &sealed);
	if (r == 0)
		r = read_lists(request, &form, &lists);
	if (r == 0 && form.preferred)
		r = give_way(request, id);
	if (r != 0)
		return MIN_OF(r, 0);
	r = db_run(
		request->tx, &rows,
		"UPDATE control.identity_providers SET version = version + 1, " SQL_SET("name", "$3") ", " SQL_SET(
			"client_id",
			"$4") ", " SQL_SET("client_auth",
					   "$5") ", sealed = $6::bytea, client_secret_set = "
						 "$7::boolean, client_key_set = $8::boolean, " SQL_SET_LIST("scopes", "$9") ", " SQL_SET_LIST("acr", "$10") ", " SQL_SET_LIST("amr", "$11") ", " SQL_SET_LIST(
							 "domains",
							 "$12") ", " SQL_SET("hosted_domain",
									     "$13") ", " SQL_SET("token_audience",
												 "$14") ", " SQL_SET("b"
														     "i"
														     "n"
														     "d",
														     "$"
														     "1"
														     "5") ", " SQL_SET_AS("max_age",
																	  "$16",
																	  "bigint") ", " SQL_SET_AS("preferred",
																				    "$17",
																				    "boolean") " WHERE tenant_id = $1 AND id = $2 RETURNING " ROW_SQL,
		request->tenant_id, id, form.name, form.client_id, form.client_auth, sealed,
		flag(json_object_get(secrets, "client_secret")), flag(json_object_get(secrets, "client_key")),
		lists.scopes, lists.acr, lists.amr, lists.domains, form.hosted_domain, form.token_audience, form.bind,
		json_object_get(request->body, "max_age") ? record_number(request, form.max_age) : NULL,
		json_object_get(request->body, "preferred") ? flag(form.preferred) : NULL);
	if (r < 0)
		return fault(request, r);
	r = publish(request, rows, 0, secrets);
	if (r == 0)
		r = event_write(request, "identity-provider.change", id, NULL);
	return r != 0 ? MIN_OF(r, 0) : record_answer(request, 200, rows);
}

/* Nobody signs in by it any more; what was bound to its issuer stays with the users. */
static int delete_provider(struct request *request)
{
	const char *id = request->params[1];
	uint64_t version;
	int r = rights_unlimited(request);

	if (r == 0)
		r = lock(request, NULL, &version);
	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.identity_providers WHERE tenant_id = $1 AND id = $2",
			   request->tenant_id, id);
	if (r == 0)
		r = event_write(request, "identity-provider.delete", id, NULL);
	if (r != 0)
		return MIN_OF(r, 0);
	if (!record_change(request))
		return -ENOMEM;
	change_delete(request->change, RECORD_IDP, id, version + 1);
	return respond_empty(request);
}

#define PATH "/v1/tenants/{tenant}/identity-providers"
static const struct route routes[] = {
	ROUTE(HTTP_GET, PATH, ROUTE_TENANT, "tenant.manage", 0, list),
	ROUTE(HTTP_POST, PATH, ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, PATH "/{provider}", ROUTE_TENANT, "tenant.manage", 0, get),
	ROUTE(HTTP_PATCH, PATH "/{provider}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, PATH "/{provider}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, delete_provider),
};
const struct route_table identity_providers_routes = {routes, ARRAY_LEN(routes)};
