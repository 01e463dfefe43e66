/* SPDX-License-Identifier: MIT
 *
 * A log as others verify it: its checkpoint, tiles (c2sp.org/tlog-tiles) and proofs. Of a tenant's log for those who
 * may read its events, of the platform's for operators.
 *
 * Nothing is given away of what no checkpoint says: between an entry and its checkpoint there is no time, since one
 * transaction writes both, but for a log that nobody can sign.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/audit_tree.h"
#include "control_plane/api/audit_view.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/internal.h"
#include "tlog/tile.h"

#define DIGITS 3U    /* of a number, between two '/' */
#define PARTS_MAX 7U /* 2^62 / 256 has no more */
#define FOREVER "max-age=31536000, immutable, private"

static const char *log_of(const struct request *request)
{
	return request->tenant_id ? request->tenant_id : "";
}

/* ---- checkpoint -----------------------------------------------------------------------------------------------------
 */

static int respond_bytes(struct request *request, const char *type, const void *data, size_t length)
{
	struct response *response = &request->response;

	buffer_clear(&response->body);
	if (buffer_add(&response->body, data, length) < 0)
		return -ENOMEM;
	response->status = 200;
	response->content_type = type;
	return 0;
}

static int none_yet(struct request *request)
{
	return respond_problem(request, PROBLEM_NOT_FOUND, "this log has no checkpoint yet");
}

static int get_checkpoint(struct request *request)
{
	struct log_head head = {0};
	int r = log_head_load(request->tx, log_of(request), &head);

	if (r == 0 && !head.note)
		(void)none_yet(request);
	else if (r == 0)
		r = respond_bytes(request, "text/plain; charset=utf-8", head.note, strlen(head.note));
	log_head_finish(&head);
	return r < 0 ? respond_db(request, r, "checkpoint") : 0;
}

/* ---- tiles ----------------------------------------------------------------------------------------------------------
 */

static bool take_digits(const char **at, uint64_t *value, bool last)
{
	const char *digits = *at + (last ? 0 : 1);

	if ((!last && **at != 'x') || strspn(digits, "0123456789") != DIGITS)
		return false;
	for (unsigned i = 0; i < DIGITS; i++)
		*value = *value * 10 + (uint64_t)(digits[i] - '0');
	*at = digits + DIGITS;
	return true;
}

int tile_path_read(const char *path, struct tlog_tile *ret, bool *ret_entries)
{
	struct tlog_tile tile = {.width = TLOG_TILE_WIDTH};
	char level[8];
	size_t length = strcspn(path, "/");
	uint32_t value;
	unsigned parts = 1;
	bool first = true;

	if (length == 0 || length >= sizeof(level) || path[length] != '/')
		return -EINVAL;
	memcpy(level, path, length);
	level[length] = '\0';
	*ret_entries = strcmp(level, "entries") == 0;
	if (!*ret_entries) {
		if (parse_u32(level, &value) < 0 || value >= TLOG_TILE_LEVELS)
			return -EINVAL;
		tile.level = value;
	}
	path += length + 1;
	/* x001/x234/067: no parts that say nothing. */
	for (; *path == 'x'; path++, parts++) {
		if (parts == PARTS_MAX || !take_digits(&path, &tile.n, false) || *path != '/' || (first && tile.n == 0))
			return -EINVAL;
		first = false;
	}
	if (!take_digits(&path, &tile.n, true))
		return -EINVAL;
	if (text_starts(path, ".p/")) {
		if (parse_u32(path + 3, &value) < 0 || value == 0 || value >= TLOG_TILE_WIDTH)
			return -EINVAL;
		tile.width = value;
		path = "";
	}
	if (*path || tile.n > TLOG_SIZE_MAX / TLOG_TILE_WIDTH)
		return -EINVAL;
	*ret = tile;
	return 0;
}

static int get_hashes(struct request *request, const struct tlog_tile *tile)
{
	struct tlog_hash hashes[TLOG_TILE_WIDTH];
	int r = log_tile(request->tx, log_of(request), tile, hashes);

	if (r == 0)
		r = respond_bytes(request, "application/octet-stream", hashes, tile->width * sizeof(hashes[0]));
	return r;
}

/* Leaves, each behind its length in two bytes. Those that left with their partition are not there any more. */
static int get_entries(struct request *request, const struct tlog_tile *tile)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct buffer *body = &request->response.body;
	uint64_t first = tile->n * TLOG_TILE_WIDTH;
	int r = db_run(request->tx, &rows,
		       "SELECT leaf FROM control.audit_entries WHERE tenant_id = $1 AND idx >= $2::bigint AND idx < "
		       "$3::bigint "
		       "ORDER BY idx",
		       log_of(request), request_text(request, "%" PRIu64, first),
		       request_text(request, "%" PRIu64, first + tile->width));

	if (r < 0)
		return r;
	if (db_row_count(rows) != tile->width)
		return -EINVAL;
	buffer_clear(body);
	for (uint32_t i = 0; i < tile->width; i++) {
		const char *leaf = db_text(rows, i, 0);
		size_t length = strlen(leaf);
		const char head[2] = {(char)(length >> 8), (char)length};

		if (length > UINT16_MAX)
			return -EIO;
		(void)buffer_add(body, head, sizeof(head));
		(void)buffer_add(body, leaf, length);
	}
	if (body->failed)
		return -ENOMEM;
	request->response.status = 200;
	request->response.content_type = "application/octet-stream";
	return 0;
}

static int get_tile(struct request *request)
{
	const char *path = request->params[request->tenant_id ? 1 : 0];
	struct tlog_tile tile;
	bool entries;
	int r = tile_path_read(path, &tile, &entries);

	if (r == 0)
		r = entries ? get_entries(request, &tile) : get_hashes(request, &tile);
	/* Hashes say nothing; leaves say who did what. */
	if (r == 0 && entries)
		r = audit_view_tell(request, log_of(request), "audit.view");
	if (r == -EINVAL)
		return respond_problem(request, PROBLEM_NOT_FOUND, "this log has no such tile");
	if (r < 0)
		return respond_db(request, r, "tile");
	/* What is there never changes. */
	respond_header(request, "Cache-Control", FOREVER);
	return 0;
}

/* ---- proofs ---------------------------------------------------------------------------------------------------------
 */

json_t *proof_json(const struct tlog_proof *proof)
{
	json_t *array = json_array();

	for (unsigned i = 0; array && i < proof->count; i++) {
		_cleanup_(freep) char *text = base64_encode(proof->hashes[i].bytes, SHA256_BYTES);

		if (!text || json_array_append_new(array, json_string(text)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* A number of the query, up to `most`; `fallback` where it is not there. 1: a problem was set. */
static int query_number(struct request *request, const char *name, uint64_t fallback, uint64_t most, uint64_t *ret)
{
	const char *text = request_query(request, name);

	*ret = fallback;
	if (!text)
		return 0;
	if (parse_u64(text, ret) < 0 || *ret > most) {
		respond_invalid(request, name, "a number up to %" PRIu64, most);
		return 1;
	}
	return 0;
}

/* By number, or by the event's id. 1: answered. */
static int find_entry(struct request *request, uint64_t size, uint64_t *ret_index, struct tlog_hash *ret_hash)
{
	const char *id = request_query(request, "id"), *index = request_query(request, "index");
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	uint32_t count = 0;
	uint64_t number = 0;
	int r;

	if (!id == !index) {
		respond_invalid(request, id ? "index" : "id", "one of id and index");
		return 1;
	}
	if (index && query_number(request, "index", 0, INT64_MAX, &number))
		return 1;
	r = id ? db_run(request->tx, &rows,
			"SELECT idx, hash FROM control.audit_entries WHERE tenant_id = $1 AND event_id = $2 ORDER BY "
			"idx LIMIT 1",
			log_of(request), id)
	       : db_run(request->tx, &rows,
			"SELECT idx, hash FROM control.audit_entries WHERE tenant_id = $1 AND idx = $2::bigint",
			log_of(request), request_text(request, "%" PRIu64, number));
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0 || (uint64_t)db_i64(rows, 0, 0) >= size) {
		respond_problem(request, PROBLEM_NOT_FOUND, "the log has no such event");
		return 1;
	}
	*ret_index = (uint64_t)db_i64(rows, 0, 0);
	r = hashes_from_rows(rows, 0, 1, ret_hash, 1, &count);
	return r < 0 || count == 1 ? r : -EIO;
}

static int inclusion(struct request *request, const struct log_head *head)
{
	struct tlog_hash leaf;
	struct tlog_proof proof;
	uint64_t index = 0, size;
	char hex[2 * SHA256_BYTES + 1];
	int r = query_number(request, "size", head->signed_size, head->signed_size, &size);

	if (r == 0)
		r = find_entry(request, size, &index, &leaf);
	if (r != 0)
		return MIN_OF(r, 0);
	r = log_prove_inclusion(request->tx, log_of(request), index, size, &proof);
	if (r < 0)
		return r;
	text_to_hex(leaf.bytes, SHA256_BYTES, hex);
	return respond_json(request, 200,
			    json_pack("{s:I, s:I, s:s, s:o, s:s?}", "index", (json_int_t)index, "size",
				      (json_int_t)size, "leaf_hash", hex, "proof", proof_json(&proof), "checkpoint",
				      size == head->signed_size ? head->note : NULL));
}

static int consistency(struct request *request, const struct log_head *head)
{
	struct tlog_proof proof;
	uint64_t from, to;
	int r = query_number(request, "to", head->signed_size, head->signed_size, &to);

	if (r == 0)
		r = query_number(request, "from", 0, to, &from);
	if (r != 0)
		return 0;
	r = log_prove_consistency(request->tx, log_of(request), from, to, &proof);
	if (r < 0)
		return r;
	return respond_json(request, 200,
			    json_pack("{s:I, s:I, s:o, s:s?}", "from", (json_int_t)from, "to", (json_int_t)to, "proof",
				      proof_json(&proof), "checkpoint", to == head->signed_size ? head->note : NULL));
}

static int prove(struct request *request, int (*what)(struct request *request, const struct log_head *head))
{
	struct log_head head = {0};
	int r = log_head_load(request->tx, log_of(request), &head);

	if (r == 0)
		r = head.note ? what(request, &head) : none_yet(request);
	log_head_finish(&head);
	return r < 0 ? respond_db(request, r, "proof") : 0;
}

static int get_inclusion(struct request *request)
{
	return prove(request, inclusion);
}

static int get_consistency(struct request *request)
{
	return prove(request, consistency);
}

#define BOTH(path_, handle_)                                                                          \
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/audit/" path_, ROUTE_TENANT, "audit.view", 0, handle_), \
		ROUTE(HTTP_GET, "/v1/audit/" path_, ROUTE_OPERATOR, "event.view", 0, handle_)

static const struct route routes[] = {
	BOTH("checkpoint", get_checkpoint),
	BOTH("tile/{path}", get_tile),
	BOTH("proofs/inclusion", get_inclusion),
	BOTH("proofs/consistency", get_consistency),
};
const struct route_table audit_tree_routes = {routes, ARRAY_LEN(routes)};
