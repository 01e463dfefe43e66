/* SPDX-License-Identifier: MIT
 *
 * Hosts as witnesses (docs/audit-log.md): one answer shows a host the newest checkpoint of a log, that it goes on from
 * the one that the host saw last, and where an event of its own is in it. What a host cosigned is kept for those who
 * read the log.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/audit_tree.h"
#include "control_plane/app.h"
#include "control_plane/audit/audit.h"
#include "trail/chain.h"
#include "json/json_read.h"

#define LINE_BYTES_MAX 1024U
#define SIZE_MAX_OF_A_LOG 9007199254740991ULL

static const char *log_of(const struct request *request)
{
	return request->tenant_id ? request->tenant_id : "";
}

static const char *number(struct request *request, uint64_t value)
{
	return request_text(request, "%" PRIu64, value);
}

/* ---- what a host is shown -------------------------------------------------------------------------------------------
 */

/* 1: a problem was set. */
static int query_number(struct request *request, const char *name, uint64_t *ret)
{
	const char *text = request_query(request, name);

	*ret = 0;
	if (!text || (parse_u64(text, ret) == 0 && *ret <= SIZE_MAX_OF_A_LOG))
		return 0;
	respond_invalid(request, name, "a number");
	return 1;
}

/* Where the event is: by its number, or as the host's own by its id. 1: it is not there; 2: a problem was set. */
static int find_event(struct request *request, uint64_t size, uint64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = request_query(request, "id");
	int r;

	if (!id) {
		if (query_number(request, "index", ret))
			return 2;
		return *ret < size ? 0 : 1;
	}
	r = db_run(request->tx, &rows,
		   "SELECT idx FROM control.audit_entries WHERE tenant_id = $1 AND event_id = $2 AND host_id = $3 "
		   "ORDER BY idx LIMIT 1",
		   log_of(request), id, request->principal.id);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0 || (uint64_t)db_i64(rows, 0, 0) >= size)
		return 1;
	*ret = (uint64_t)db_i64(rows, 0, 0);
	return 0;
}

/* The member "inclusion": null where the event is not in this log. */
static int put_inclusion(struct request *request, uint64_t size, json_t *answer)
{
	struct tlog_proof proof;
	uint64_t index;
	json_t *value;
	int r;

	if (!request_query(request, "id") && !request_query(request, "index"))
		return 0;
	r = find_event(request, size, &index);
	if (r < 0 || r == 2)
		return r;
	if (r == 0) {
		r = log_prove_inclusion(request->tx, log_of(request), index, size, &proof);
		if (r < 0)
			return r;
		value = json_pack("{s:I, s:o}", "index", (json_int_t)index, "proof", proof_json(&proof));
	} else {
		value = json_null();
	}
	return json_object_set_new(answer, "inclusion", value) < 0 ? -ENOMEM : 0;
}

static int show(struct request *request, const struct log_head *head, uint64_t from)
{
	struct tlog_proof proof = {0};
	json_t *answer;
	int r = 0;

	/* Whoever has seen more than there is has to be told what there is: it will know what to think of it. */
	if (from < head->signed_size)
		r = log_prove_consistency(request->tx, log_of(request), from, head->signed_size, &proof);
	if (r < 0)
		return r;
	answer = json_pack("{s:s, s:o}", "checkpoint", head->note, "consistency", proof_json(&proof));
	r = answer ? put_inclusion(request, head->signed_size, answer) : -ENOMEM;
	if (r == 0)
		return respond_json(request, 200, answer);
	json_decref(answer);
	return MIN_OF(r, 0);
}

static int get(struct request *request)
{
	struct log_head head = {0};
	uint64_t from;
	int r;

	if (query_number(request, "from", &from))
		return 0;
	r = log_head_load(request->tx, log_of(request), &head);
	if (r == 0 && head.note)
		r = show(request, &head, from);
	else if (r == 0)
		(void)respond_problem(request, PROBLEM_NOT_FOUND, "this log has no checkpoint yet");
	log_head_finish(&head);
	return r < 0 ? respond_db(request, r, "checkpoint") : 0;
}

/* ---- what it cosigned
 * -------------------------------------------------------------------------------------------------- */

struct handed {
	uint64_t size;
	const char *line;
};
static const struct json_field handed_fields[] = {
	{"size", JSON_FIELD_U64, offsetof(struct handed, size), JSON_FIELD_REQUIRED},
	{"line", JSON_FIELD_STRING, offsetof(struct handed, line), JSON_FIELD_REQUIRED},
};

/* The key of that chain, under the host's name as a witness. */
static int witness_key(struct request *request, const char *vkey, const char *origin, struct note_key *ret)
{
	size_t rest = strlen("/audit/") + strlen(request->tenant_id ? request->tenant_id : "platform");
	size_t authority = strlen(origin) - MIN_OF(strlen(origin), rest);
	char name[NOTE_KEY_NAME_MAX];
	struct note_key chain;

	if (authority == 0 || note_key_parse(vkey, strlen(vkey), &chain) < 0 ||
	    (size_t)snprintf(name, sizeof(name), "%.*s/witness/%s", (int)authority, origin, request->principal.id) >=
		    sizeof(name))
		return -EINVAL;
	return note_key_init(ret, name, chain.public);
}

/* What has been signed at that size. Not each checkpoint is kept, and none is needed: the tree says what was in it. 1:
 * the log was never that large. */
static int checkpoint_text(struct request *request, uint64_t size, struct checkpoint *ret, struct buffer *ret_text)
{
	struct checkpoint checkpoint = {.size = size};
	int r = log_origin(request->app, log_of(request), checkpoint.origin);

	if (r == 0)
		r = log_root(request->tx, log_of(request), size, &checkpoint.root);
	if (r == -EINVAL)
		return 1;
	if (r == 0)
		r = checkpoint_write(&checkpoint, ret_text);
	if (r == 0)
		*ret = checkpoint;
	return r;
}

/* By one of the host's chains, of the log at that size. 1: it is none. */
static int verify(struct request *request, const struct handed *handed, struct note_key *ret)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(db_rows_freep) struct db_rows *chains = NULL;
	struct checkpoint checkpoint;
	int64_t time;
	int r = checkpoint_text(request, handed->size, &checkpoint, &text);

	if (r == 0)
		r = db_run(request->tx, &chains,
			   "SELECT vkey FROM control.audit_chains WHERE host_id = $1 ORDER BY last_at DESC LIMIT 4",
			   request->principal.id);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < db_row_count(chains); i++)
		if (witness_key(request, db_text(chains, i, 0), checkpoint.origin, ret) == 0 &&
		    cosignature_read(text.data, text.length, handed->line, strlen(handed->line), ret, &time) == 0)
			return 0;
	return 1;
}

static int post(struct request *request)
{
	struct handed handed = {0};
	char vkey[NOTE_VKEY_MAX];
	struct note_key key;
	int r;

	if (request_fields(request, handed_fields, ARRAY_LEN(handed_fields), &handed) != 0)
		return 0;
	if (handed.size > SIZE_MAX_OF_A_LOG)
		return respond_invalid(request, "size", "a number of entries");
	if (strlen(handed.line) > LINE_BYTES_MAX)
		return respond_invalid(request, "line", "at most %u bytes", LINE_BYTES_MAX);
	r = verify(request, &handed, &key);
	if (r == 1)
		return respond_invalid(request, "line",
				       "a cosignature of that checkpoint by the key of this host's chain");
	if (r == 0)
		r = cosignature_key_render(&key, vkey);
	if (r == 0)
		r = db_later(request->tx,
			     "INSERT INTO control.audit_witnesses AS w (tenant_id, host_id, vkey, size, line) "
			     "VALUES ($1, $2, $3, $4::bigint, $5) ON CONFLICT (tenant_id, host_id) DO UPDATE SET "
			     "vkey = excluded.vkey, size = excluded.size, line = excluded.line, at = now() "
			     "WHERE excluded.size >= w.size",
			     log_of(request), request->principal.id, vkey, number(request, handed.size), handed.line);
	return r < 0 ? respond_db(request, r, "cosignature") : respond_empty(request);
}

/* ---- for those who read the log
 * ------------------------------------------------------------------------------------------ */

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	json_t *items = json_array();
	struct page page;
	int r;

	if (!items)
		return -ENOMEM;
	if (request_page(request, &page) != 0) {
		json_decref(items);
		return 0;
	}
	r = db_run(request->tx, &rows,
		   "SELECT host_id, vkey, size, line, extract(epoch FROM at)::bigint FROM control.audit_witnesses "
		   "WHERE tenant_id = $1 AND host_id > $2 ORDER BY host_id LIMIT $3::bigint",
		   log_of(request), page.after, number(request, page.limit));
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		if (json_array_append_new(items,
					  json_pack("{s:s, s:s, s:I, s:s, s:I}", "host", db_text(rows, i, 0), "key",
						    db_text(rows, i, 1), "size", (json_int_t)db_i64(rows, i, 2), "line",
						    db_text(rows, i, 3), "at", (json_int_t)db_i64(rows, i, 4))) < 0)
			r = -ENOMEM;
	if (r < 0) {
		json_decref(items);
		return respond_db(request, r, "witnesses");
	}
	return respond_page(request, items, db_row_count(rows) == page.limit ? db_text(rows, page.limit - 1, 0) : NULL);
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/feeds/{tenant}/audit/witness", ROUTE_HOST, "feed.read", 0, get),
	ROUTE(HTTP_POST, "/v1/feeds/{tenant}/audit/witness", ROUTE_HOST, "host.report", ROUTE_WRITES | ROUTE_PLATFORM,
	      post),
	ROUTE(HTTP_GET, "/v1/hosts/self/audit/witness", ROUTE_HOST, "host", ROUTE_PLATFORM, get),
	ROUTE(HTTP_POST, "/v1/hosts/self/audit/witness", ROUTE_HOST, "host.report", ROUTE_WRITES | ROUTE_PLATFORM,
	      post),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/audit/witnesses", ROUTE_TENANT, "audit.view", 0, list),
	ROUTE(HTTP_GET, "/v1/audit/witnesses", ROUTE_OPERATOR, "event.view", 0, list),
};
const struct route_table audit_witness_routes = {routes, ARRAY_LEN(routes)};
