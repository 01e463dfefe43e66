/* SPDX-License-Identifier: MIT */
#include "control_plane/http/idempotency.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/http/router.h"
#include "crypto/digest.h"
#include "json/json_read.h"

#define KEY_MAX 128U
#define PURPOSE "idempotency"
#define RETRY_AFTER_SEC 1U

/* A key that the request has, checked; NULL where it has none. 1: a problem was set. */
static int find_key(struct request *request, const char **ret)
{
	const char *key = request_header(request, "Idempotency-Key");

	*ret = NULL;
	if (!key || request->principal.kind == PRINCIPAL_NONE)
		return 0; /* whose it would be is not known */
	if (!key[0] || strlen(key) > KEY_MAX || !text_is_printable(key, strlen(key))) {
		respond_problem(request, PROBLEM_BAD_REQUEST, "an Idempotency-Key has 1 to %u characters", KEY_MAX);
		return 1;
	}
	*ret = key;
	return 0;
}

/* A limited API key is not told what its owner was told: an answer may hold a new key. */
static const char *owner_of(const struct request *request)
{
	return request->principal.key ? request->principal.key->id : request->principal.id;
}

/* What makes two requests the same one: method, path, query and body. Under the platform's key: a body may hold a
 * password, and whoever reads the table must not find out by trying what it was. */
static int fingerprint(const struct request *request, uint8_t out[SHA256_BYTES])
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	_cleanup_(freep) char *query = json_dumps(request->query, JSON_COMPACT | JSON_SORT_KEYS);
	const char *method = http_method_name(request->method);

	if (!query)
		return -ENOMEM;
	buffer_add(&text, request->app->seal_key.bytes, sizeof(request->app->seal_key.bytes));
	buffer_add(&text, PURPOSE, sizeof(PURPOSE));
	/* With their NULs between them, no two splits give the same bytes. */
	buffer_add(&text, method, strlen(method) + 1);
	buffer_add(&text, request->path, strlen(request->path) + 1);
	buffer_add(&text, query, strlen(query) + 1);
	buffer_add(&text, request->raw, request->raw_length);
	return text.failed ? -ENOMEM : sha256(text.data, text.length, out);
}

/* Two requests with one key at the same time are told apart by a lock that ends with the transaction. */
static int lock_number(const struct request *request, const char *tenant, const char *key, int64_t *ret)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	uint8_t digest[SHA256_BYTES];
	uint64_t number;
	int result;

	buffer_add(&text, tenant, strlen(tenant) + 1);
	buffer_add(&text, owner_of(request), strlen(owner_of(request)) + 1);
	buffer_add(&text, key, strlen(key) + 1);
	if (text.failed)
		return -ENOMEM;
	result = sha256(text.data, text.length, digest);
	memcpy(&number, digest, sizeof(number));
	*ret = (int64_t)le64toh(number);
	return result;
}

static const char *tenant_of(const struct request *request)
{
	return request->tenant_id ? request->tenant_id : "";
}

/* {"headers": {…}, "body": "…"}, sealed: an answer may hold a key that is shown once. */
static int seal_answer(const struct request *request, char **ret)
{
	const struct response *response = &request->response;
	_cleanup_(json_decrefp) json_t *answer = NULL, *headers = json_object();
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	_cleanup_(freep) char *text = NULL;
	int result;

	for (uint32_t i = 0; i < response->header_count; i++)
		if (json_object_set_new(headers, response->headers[i].name, json_string(response->headers[i].value)) <
		    0)
			return -ENOMEM;
	answer = json_pack("{s:O,s:s%}", "headers", headers, "body", response->body.data ? response->body.data : "",
			   response->body.length);
	text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	result = seal(&request->app->seal_key, PURPOSE, text, strlen(text), &sealed);
	explicit_bzero(text, strlen(text));
	if (result < 0)
		return result;
	*ret = db_hex(sealed.data, sealed.length);
	return *ret ? 0 : -ENOMEM;
}

/* Headers that answers may have. Their names have to live as long as the program. */
static const char *header_literal(const char *name)
{
	static const char *const names[] = {"ETag", "Location", "Retry-After"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return NULL;
}

static int replay(struct request *request, const struct db_rows *rows)
{
	struct response *response = &request->response;
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(freep) uint8_t *sealed = NULL;
	struct problem problem = {0};
	const char *name, *type = db_text(rows, 0, 3);
	size_t length;
	json_t *value, *body;
	int result;

	result = db_bytes(rows, 0, 4, &sealed, &length);
	if (result == 0)
		result = unseal(&request->app->seal_key, PURPOSE, sealed, length, &plain);
	if (result == 0)
		result = json_read(plain.data, plain.length, &answer, &problem);
	if (result < 0)
		return result;
	body = json_object_get(answer, "body");
	json_object_foreach(json_object_get(answer, "headers"), name, value)
	{
		if (header_literal(name))
			respond_header(request, header_literal(name), json_string_value(value));
	}
	respond_header(request, "Idempotency-Replayed", "true");
	response->body.wipe = true;
	response->status = (unsigned)db_i64(rows, 0, 2);
	response->content_type = type[0] ? request_copy(request, type) : NULL;
	result = buffer_add(&response->body, json_string_value(body), json_string_length(body));
	return result < 0 ? result : 1;
}

int idempotency_begin(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(freep) uint8_t *kept = NULL;
	uint8_t digest[SHA256_BYTES];
	const char *key, *lock;
	size_t length;
	int64_t number;
	int result = find_key(request, &key);

	if (result || !key)
		return result;
	result = lock_number(request, tenant_of(request), key, &number);
	if (result == 0)
		result = fingerprint(request, digest);
	if (result < 0)
		return result;
	lock = request_text(request, "%lld", (long long)number);
	if (!lock)
		return -ENOMEM;
	/* A row that was committed between the statement's snapshot and the lock is not seen here; then the insert
	 * fails, and the request runs again. */
	result =
		db_run(request->tx, &rows,
		       "SELECT pg_try_advisory_xact_lock($1::bigint), i.fingerprint, i.status, i.content_type, i.sealed"
		       " FROM (SELECT) AS one LEFT JOIN control.idempotency i"
		       " ON i.tenant_id = $2 AND i.principal = $3 AND i.key = $4"
		       " AND i.created_at > now() - interval '24 hours'",
		       lock, tenant_of(request), owner_of(request), key);
	if (result < 0)
		return result;
	if (!db_bool(rows, 0, 0) && request->rerun)
		return -EAGAIN; /* our own attempt before, whose connection was lost */
	if (!db_bool(rows, 0, 0)) {
		respond_retry(request, PROBLEM_CONFLICT, RETRY_AFTER_SEC, "the first request with this key still runs");
		return 1;
	}
	if (db_is_null(rows, 0, 1))
		return 0;
	result = db_bytes(rows, 0, 1, &kept, &length);
	if (result < 0)
		return result;
	if (length != sizeof(digest) || memcmp(kept, digest, sizeof(digest)) != 0) {
		respond_problem(request, PROBLEM_IDEMPOTENCY_MISMATCH, "use a new key for a new request");
		return 1;
	}
	return replay(request, rows);
}

int idempotency_keep(struct request *request)
{
	const struct response *response = &request->response;
	_cleanup_(freep) char *sealed = NULL, *hex = NULL;
	uint8_t digest[SHA256_BYTES];
	const char *key;
	int result = find_key(request, &key);

	if (result || !key)
		return 0;
	result = fingerprint(request, digest);
	if (result == 0)
		result = seal_answer(request, &sealed);
	if (result < 0)
		return result;
	hex = db_hex(digest, sizeof(digest));
	if (!hex)
		return -ENOMEM;
	/* One that is older than a day may still be there. */
	result = db_run(request->tx, NULL,
			"DELETE FROM control.idempotency WHERE tenant_id = $1 AND principal = $2 AND key = $3"
			" AND created_at <= now() - interval '24 hours'",
			tenant_of(request), owner_of(request), key);
	if (result == 0)
		result = db_run(request->tx, NULL,
				"INSERT INTO control.idempotency"
				" (tenant_id, principal, key, fingerprint, status, content_type, sealed)"
				" VALUES ($1, $2, $3, $4, $5, $6, $7)",
				tenant_of(request), owner_of(request), key, hex,
				request_text(request, "%u", response->status),
				response->content_type ? response->content_type : "", sealed);
	return result == -EEXIST ? -EAGAIN : result;
}

static int sweep_tenant(struct app *app, const char *tenant_id)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	const struct db_scope scope = {.tenant_id = tenant_id[0] ? tenant_id : NULL, .platform = !tenant_id[0]};
	int result = db_begin(app->db, &scope, &tx);

	if (result == 0)
		result = db_run(tx, NULL,
				"DELETE FROM control.idempotency WHERE tenant_id = $1"
				" AND created_at <= now() - interval '24 hours'",
				tenant_id);
	return result < 0 ? result : db_commit(TAKE_PTR(tx));
}

int idempotency_sweep(struct app *app)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct db_scope scope = {.platform = true, .read_only = true};
	int result = db_begin(app->db, &scope, &tx);

	if (result == 0)
		result = db_run(tx, &rows, "SELECT id FROM control.tenants ORDER BY id");
	db_rollback(TAKE_PTR(tx));
	if (result == 0)
		result = sweep_tenant(app, "");
	for (uint32_t i = 0; result == 0 && i < db_row_count(rows); i++)
		result = sweep_tenant(app, db_text(rows, i, 0));
	return result;
}
