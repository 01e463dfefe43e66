/* SPDX-License-Identifier: MIT
 *
 * Connectors: how a tenant reaches third parties. Their secrets are sealed here (AES-256-GCM, bound to tenant and
 * record) and never come out again through the API: answers say which are set.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/sealed_secrets.h"

#define SECRETS_MAX 32U
#define SECRET_BYTES_MAX 16384U

/* There is no body: hosts know nothing of connectors. */
#define VIEW_SQL                                                                                                     \
	"jsonb_build_object('id', id, 'version', version, 'name', name, 'kind', kind, 'config', config, 'secrets', " \
	"coalesce("                                                                                                  \
	"(SELECT jsonb_object_agg(s, jsonb_build_object('set', true)) FROM unnest(secret_names) s), '{}'))"
#define COLUMNS_SQL "version, '{}', " VIEW_SQL

static const struct record_unique unique[] = {{"connectors_tenant_id_name_key", "name"}};

static int list(struct request *request)
{
	return record_list(request, "connectors",
			   "SELECT id, " VIEW_SQL " FROM control.connectors "
			   "WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3::bigint");
}

static int get(struct request *request)
{
	return record_get(request, "connector",
			  "SELECT " COLUMNS_SQL " FROM control.connectors WHERE tenant_id = $1 AND id = $2");
}

/* ---- secrets --------------------------------------------------------------------------------------------------------
 */

static const char *purpose(struct request *request, const char *id)
{
	return request_text(request, "connector:%s:%s", request->tenant_id, id);
}

static int check_secrets(struct request *request, json_t *secrets)
{
	const char *name;
	json_t *value;

	if (json_object_size(secrets) > SECRETS_MAX) {
		respond_invalid(request, "secrets", "at most %u", SECRETS_MAX);
		return 1;
	}
	json_object_foreach(secrets, name, value)
	{
		if (text_is_word(name) &&
		    (json_is_null(value) || (json_is_string(value) && json_string_length(value) <= SECRET_BYTES_MAX)))
			continue;
		respond_invalid(request, "secrets", "names as in configuration, values texts (or null: take it out)");
		return 1;
	}
	return 0;
}

/* Their sealed form and their names, as parameters. */
static int seal_secrets(struct request *request, const char *id, json_t *secrets, const char **ret_sealed,
			const char **ret_names)
{
	_cleanup_(json_decrefp) json_t *names = json_array();
	const char *name;
	json_t *value;
	int r;

	json_object_foreach(secrets, name,
			    value) if (json_array_append_new(names, json_string(name)) < 0) return -ENOMEM;
	r = sealed_secrets_make(request, purpose(request, id), secrets, ret_sealed);
	return r == 0 ? record_json_text(request, names, ret_names) : r;
}

/* What the request says over what there is; null takes one out. */
static int merge_secrets(json_t *secrets, json_t *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach(wanted, name, value)
	{
		if (json_is_null(value))
			json_object_del(secrets, name);
		else if (json_object_set(secrets, name, value) < 0)
			return -ENOMEM;
	}
	return json_object_size(secrets) > SECRETS_MAX ? -E2BIG : 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

struct fields {
	const char *name, *kind;
	json_t *config, *secrets;
};
static const struct json_field create_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), JSON_FIELD_REQUIRED},
	{"kind", JSON_FIELD_STRING, offsetof(struct fields, kind), JSON_FIELD_REQUIRED},
	{"config", JSON_FIELD_OBJECT, offsetof(struct fields, config), 0},
	{"secrets", JSON_FIELD_OBJECT, offsetof(struct fields, secrets), 0},
};
static const struct json_field patch_fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"config", JSON_FIELD_OBJECT, offsetof(struct fields, config), 0},
	{"secrets", JSON_FIELD_OBJECT, offsetof(struct fields, secrets), 0},
};

static int check_fields(struct request *request, const struct fields *fields)
{
	if (fields->name && !text_is_word(fields->name)) {
		respond_invalid(request, "name", "a letter, then letters, digits, '.', '_', '-'");
		return 1;
	}
	if (fields->kind && !text_is_word(fields->kind)) {
		respond_invalid(request, "kind", "a letter, then letters, digits, '.', '_', '-'");
		return 1;
	}
	return check_secrets(request, fields->secrets);
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *secrets = json_object();
	const char *id = record_new_id(request, "con_"), *config, *sealed, *names;
	struct fields fields = {0};
	int r;

	if (!id || !secrets)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	r = merge_secrets(secrets, fields.secrets);
	if (r == 0)
		r = seal_secrets(request, id, secrets, &sealed, &names);
	if (r == 0)
		r = record_json_text(request, fields.config, &config);
	if (r < 0)
		return r;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.connectors (id, tenant_id, name, kind, config, secret_names, sealed) "
		   "VALUES ($1, $2, $3, $4, coalesce($5::jsonb, '{}'), " SQL_NEW_LIST(
			   "$6") ", $7::bytea) RETURNING " COLUMNS_SQL,
		   id, request->tenant_id, fields.name, fields.kind, config, names, sealed);
	if (r < 0)
		return record_fault(request, r, "connector", unique, ARRAY_LEN(unique));
	r = event_write(request, "connector.create", id,
			json_pack("{s:s,s:s}", "name", fields.name, "kind", fields.kind));
	return r < 0 ? r : record_created(request, id, rows);
}

/* The row, locked, with its secrets open. 0; 1; -errno. */
static int lock(struct request *request, json_t **ret_secrets)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT version, sealed FROM control.connectors WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		       request->tenant_id, request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	r = request_if_match(request, (uint64_t)db_i64(rows, 0, 0));
	return r == 0 && ret_secrets
		       ? sealed_secrets_open(request, purpose(request, request->params[1]), rows, 0, 1, ret_secrets)
		       : r;
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *secrets = NULL;
	const char *id = request->params[1], *config, *sealed, *names;
	struct fields fields = {0};
	int r;

	if (request_fields(request, patch_fields, ARRAY_LEN(patch_fields), &fields) != 0 ||
	    check_fields(request, &fields) != 0)
		return 0;
	r = lock(request, &secrets);
	if (r == 0)
		r = merge_secrets(secrets, fields.secrets);
	if (r == -E2BIG)
		return respond_invalid(request, "secrets", "at most %u", SECRETS_MAX);
	if (r == 0)
		r = seal_secrets(request, id, secrets, &sealed, &names);
	if (r == 0)
		r = record_json_text(request, fields.config, &config);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.connectors SET version = version + 1, " SQL_SET("name", "$3") ", " SQL_SET_AS(
			   "config", "$4",
			   "jsonb") ", secret_names = " SQL_NEW_LIST("$5") ", sealed = $6::bytea WHERE tenant_id = $1 "
									   "AND id = $2 RETURNING " COLUMNS_SQL,
		   request->tenant_id, id, fields.name, config, names, sealed);
	if (r < 0)
		return record_fault(request, r, "connector", unique, ARRAY_LEN(unique));
	r = event_write(request, "connector.change", id, NULL);
	return r < 0 ? r : record_answer(request, 200, rows);
}

static int delete_connector(struct request *request)
{
	int r = lock(request, NULL);

	if (r == 0)
		r = db_run(request->tx, NULL, "DELETE FROM control.connectors WHERE tenant_id = $1 AND id = $2",
			   request->tenant_id, request->params[1]);
	if (r == 0)
		r = event_write(request, "connector.delete", request->params[1], NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return respond_empty(request);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/connectors", ROUTE_TENANT, "tenant.manage", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/connectors", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/connectors/{connector}", ROUTE_TENANT, "tenant.manage", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/connectors/{connector}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/connectors/{connector}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      delete_connector),
};
const struct route_table connectors_routes = {routes, ARRAY_LEN(routes)};
