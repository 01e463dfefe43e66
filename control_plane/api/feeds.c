/* SPDX-License-Identifier: MIT
 *
 * A tenant's feed for its hosts (docs/feed.md): trust documents, snapshots, events, acknowledgements.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/app.h"
#include "control_plane/feed/acks.h"
#include "control_plane/feed/snapshots.h"
#include "control_plane/feed/stream.h"
#include "json/json_read.h"

#define NOTE_TYPE "text/plain; charset=utf-8"
#define FOR_EVER "private, max-age=31536000, immutable"
#define ONCE_SEC_MAX 60U
#define SNAPSHOT_WAIT_USEC (10 * USEC_PER_SEC) /* so long a host waits for its first one without asking again */
#define SNAPSHOT_POLL_MS 20U
#define VERSION_MAX 9007199254740991ULL

static int respond_note(struct request *request, const char *note, const char *cache)
{
	struct response *response = &request->response;

	buffer_clear(&response->body);
	response->status = 200;
	response->content_type = NOTE_TYPE;
	respond_header(request, "Cache-Control", cache);
	return buffer_add_text(&response->body, note);
}

/* ---- trust ------------------------------------------------------------------------------------------ */

static int respond_rows(struct request *request, const struct db_rows *rows, const char *cache)
{
	if (db_row_count(rows) == 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return respond_note(request, db_text(rows, 0, 0), cache);
}

static int get_trust(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT t.note FROM feeds f JOIN feed_trust t ON t.tenant_id = f.tenant_id "
		       "AND t.version = f.trust_version WHERE f.tenant_id = $1",
		       request->tenant_id);

	return r < 0 ? respond_db(request, r, "feed") : respond_rows(request, rows, "no-cache");
}

static int get_trust_version(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *version = request->params[1];
	uint64_t number;
	int r;

	if (parse_u64(version, &number) < 0 || number == 0 || number > VERSION_MAX)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	r = db_run(request->tx, &rows, "SELECT note FROM feed_trust WHERE tenant_id = $1 AND version = $2",
		   request->tenant_id, version);
	return r < 0 ? respond_db(request, r, "feed") : respond_rows(request, rows, FOR_EVER);
}

/* ---- snapshots -------------------------------------------------------------------------------------- */

struct waiting {
	uint64_t until;
	const char *tenant_id;
};

/* 0: answered; 1: not yet. */
static int look_again(struct request *request)
{
	const struct waiting *waiting = request->again_context;
	const struct db_scope scope = {.tenant_id = waiting->tenant_id, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(freep) char *note = NULL;
	bool last = clock_boottime_usec() >= waiting->until;
	int r = db_begin(request->app->db, &scope, &tx);

	/* At last one that is far behind is better than none. */
	if (r == 0)
		r = snapshot_find(tx, waiting->tenant_id, !last, &note);
	if (r == 0) {
		request->response.header_count = 0;
		return respond_note(request, note, "no-cache");
	}
	return last ? 0 : 1; /* at last what the first look said stays: 503 */
}

static int get_snapshot(struct request *request)
{
	_cleanup_(freep) char *note = NULL;
	struct waiting *waiting;
	int r = snapshot_find(request->tx, request->tenant_id, true, &note);

	if (r == 0)
		return respond_note(request, note, "no-cache");
	if (r != -ENOENT)
		return respond_db(request, r, "feed");
	waiting = arena_alloc(&request->arena, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	makers_want(request->app->publisher->makers, request->tenant_id);
	waiting->until = clock_boottime_usec() + SNAPSHOT_WAIT_USEC;
	waiting->tenant_id = request_copy(request, request->tenant_id);
	(void)respond_retry(request, PROBLEM_UNAVAILABLE, feed_retry_after(request->app->publisher),
			    "the snapshot is being made");
	request->again = look_again;
	request->again_ms = SNAPSHOT_POLL_MS;
	request->again_context = waiting;
	return 0;
}

/* "bytes=first-last", one range (RFC 9110, section 14). 0: none that we serve, so all of it; 1: this part; -ERANGE. */
static int parse_range(const char *text, size_t length, size_t *ret_first, size_t *ret_last)
{
	char first[24], last[24];
	uint64_t from = 0, to = length - 1;
	const char *dash;

	if (!text || !text_starts(text, "bytes=") || strchr(text, ','))
		return 0;
	text += strlen("bytes=");
	dash = strchr(text, '-');
	if (!dash || (size_t)(dash - text) >= sizeof(first) || strlen(dash + 1) >= sizeof(last))
		return 0;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	memcpy(last, dash + 1, strlen(dash + 1) + 1);
	if ((first[0] && parse_u64(first, &from) < 0) || (last[0] && parse_u64(last, &to) < 0) ||
	    (!first[0] && !last[0]))
		return 0;
	if (!first[0]) { /* the last so many */
		if (to == 0)
			return -ERANGE;
		from = to >= length ? 0 : length - to;
		to = length - 1;
	} else if (last[0] && to < from) {
		return 0;
	}
	if (from >= length)
		return -ERANGE;
	*ret_first = (size_t)from;
	*ret_last = (size_t)MIN_OF(to, (uint64_t)length - 1);
	return 1;
}

static int get_blob(struct request *request)
{
	const char *sha256 = request->params[1], *known = request_header(request, "If-None-Match");
	uint8_t digest[SHA256_BYTES];
	struct blob *blob;
	size_t first = 0, last;
	const char *etag;
	int r;

	if (text_from_hex(sha256, digest, sizeof(digest)) < 0)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	r = blob_get(&request->app->seal_key, request->tx, request->tenant_id, sha256, &blob);
	if (r == -ENOENT)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (r < 0)
		return respond_db(request, r, "snapshot");
	etag = request_text(request, "\"%s\"", sha256);
	if (!etag) {
		blob_put(blob);
		return -ENOMEM;
	}
	last = blob->length - 1;
	request->response.content_type = "application/zstd";
	respond_header(request, "ETag", etag);
	respond_header(request, "Cache-Control", FOR_EVER);
	respond_header(request, "Accept-Ranges", "bytes");
	if (known && (strcmp(known, etag) == 0 || strcmp(known, "*") == 0)) {
		blob_put(blob);
		request->response.status = 304;
		return 0;
	}
	r = parse_range(request_header(request, "Range"), blob->length, &first, &last);
	if (r != 0) {
		char range[96];

		if (r < 0)
			(void)snprintf(range, sizeof(range), "bytes */%zu", blob->length);
		else
			(void)snprintf(range, sizeof(range), "bytes %zu-%zu/%zu", first, last, blob->length);
		respond_header(request, "Content-Range", range);
	}
	request->response.status = r < 0 ? 416 : r > 0 ? 206 : 200;
	if (r < 0) {
		blob_put(blob);
		return 0;
	}
	request->response.stream = blob_stream(blob, first, last);
	return request->response.stream ? 0 : -ENOMEM;
}

/* ---- events ----------------------------------------------------------------------------------------- */

/* A number of the query. 1: a problem was set. */
static int query_number(struct request *request, const char *name, uint64_t most, uint64_t *ret)
{
	const char *text = request_query(request, name);

	if (!text || parse_u64(text, ret) < 0 || *ret > most) {
		(void)respond_invalid(request, name, "a number up to %llu", (unsigned long long)most);
		return 1;
	}
	return 0;
}

static int get_events(struct request *request)
{
	struct publisher *publisher = request->app->publisher;
	struct stream_options options = {.host_id = request->principal.id};
	uint64_t once = 0;
	int r;

	if (query_number(request, "epoch", VERSION_MAX, &options.epoch) ||
	    query_number(request, "after", VERSION_MAX, &options.after) ||
	    (request_query(request, "once") && query_number(request, "once", ONCE_SEC_MAX, &once)))
		return 0;
	if (request_query(request, "once") && once == 0)
		return respond_invalid(request, "once", "at least a second");
	options.once_sec = (uint32_t)once;
	r = feed_stream_new(publisher, request->tx, request->tenant_id, &options, &request->response.stream);
	switch (r) {
	case 0:
		request->response.status = 200;
		request->response.content_type = "text/event-stream";
		respond_header(request, "Cache-Control", "no-store");
		respond_header(request, "X-Accel-Buffering", "no");
		return 0;
	case -ESTALE:
		return respond_problem(request, PROBLEM_FEED_GAP,
				       "the deltas after %llu of epoch %llu are not kept: take the snapshot",
				       (unsigned long long)options.after, (unsigned long long)options.epoch);
	case -EMFILE:
		return respond_retry(request, PROBLEM_UNAVAILABLE, feed_retry_after(publisher),
				     "there are too many streams");
	case -ESHUTDOWN:
		return respond_retry(request, PROBLEM_UNAVAILABLE, feed_retry_after(publisher),
				     "this server is about to stop");
	case -ENOENT:
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	default:
		return respond_db(request, r, "feed");
	}
}

/* ---- acknowledgements ------------------------------------------------------------------------------- */

struct ack_body {
	uint64_t epoch, revision;
	const char *outcome, *error;
};
static const struct json_field ack_fields[] = {
	{"epoch", JSON_FIELD_U64, offsetof(struct ack_body, epoch), JSON_FIELD_REQUIRED},
	{"revision", JSON_FIELD_U64, offsetof(struct ack_body, revision), JSON_FIELD_REQUIRED},
	{"outcome", JSON_FIELD_STRING, offsetof(struct ack_body, outcome), JSON_FIELD_REQUIRED},
	{"error", JSON_FIELD_STRING, offsetof(struct ack_body, error), 0},
};

/* Its first characters, whole ones. */
static void copy_start(const char *text, char *out, size_t size)
{
	size_t length = strnlen(text, size);

	if (length == size)
		for (length = size - 1; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
			length--;
	memcpy(out, text, length);
	out[length] = '\0';
}

/* Nobody has what is not published: such a word would count for all that comes. 1: a problem was set. */
static int check_ack(struct request *request, const struct ack_body *body)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *epoch = request_text(request, "%llu", (unsigned long long)body->epoch);
	const char *revision = request_text(request, "%llu", (unsigned long long)body->revision);
	int r;

	if (!epoch || !revision)
		return -ENOMEM;
	r = db_run(request->tx, &rows,
		   "SELECT FROM feeds WHERE tenant_id = $1 AND (epoch > $2 OR (epoch = $2 AND revision >= $3))",
		   request->tenant_id, epoch, revision);
	if (r < 0)
		return respond_db(request, r, "feed");
	if (db_row_count(rows) > 0)
		return 0;
	(void)respond_problem(request, PROBLEM_CONFLICT, "the feed has no revision %s of epoch %s", revision, epoch);
	return 1;
}

static int post_ack(struct request *request)
{
	struct ack_body body = {0};
	struct ack ack = {0};
	bool refused;
	int r;

	if (request_fields(request, ack_fields, ARRAY_LEN(ack_fields), &body))
		return 0;
	refused = strcmp(body.outcome, "refused") == 0;
	if (!refused && strcmp(body.outcome, "applied") != 0)
		return respond_invalid(request, "outcome", "applied or refused");
	if (body.error && !refused)
		return respond_invalid(request, "error", "only what was refused has one");
	if (body.error && !text_is_printable(body.error, strlen(body.error)))
		return respond_invalid(request, "error", "one line of text");
	if (!request->app->publisher->acks)
		return -ENOSYS;
	ack.epoch = body.epoch;
	ack.revision = refused ? 0 : body.revision;
	ack.refused = refused ? body.revision : 0;
	(void)snprintf(ack.tenant_id, sizeof(ack.tenant_id), "%s", request->tenant_id);
	(void)snprintf(ack.host_id, sizeof(ack.host_id), "%s", request->principal.id);
	copy_start(body.error ? body.error : "", ack.error, sizeof(ack.error));
	r = check_ack(request, &body);
	if (r != 0)
		return MIN_OF(r, 0);
	r = acks_add(request->app->publisher->acks, &ack);
	if (r == -EBUSY)
		return respond_retry(request, PROBLEM_UNAVAILABLE, feed_retry_after(request->app->publisher), NULL);
	return r < 0 ? r : respond_empty(request);
}

#define FEED "/v1/feeds/{tenant}"

static const struct route routes[] = {
	ROUTE(HTTP_GET, FEED "/trust", ROUTE_HOST, "feed.read", 0, get_trust),
	ROUTE(HTTP_GET, FEED "/trust/{version}", ROUTE_HOST, "feed.read", 0, get_trust_version),
	ROUTE(HTTP_GET, FEED "/snapshot", ROUTE_HOST, "feed.read", 0, get_snapshot),
	ROUTE(HTTP_GET, FEED "/blobs/{sha256}", ROUTE_HOST, "feed.read", 0, get_blob),
	ROUTE(HTTP_GET, FEED "/events", ROUTE_HOST, "feed.read", 0, get_events),
	ROUTE(HTTP_POST, FEED "/acks", ROUTE_HOST, "feed.acknowledge", 0, post_ack),
};
const struct route_table feeds_routes = {.routes = routes, .count = ARRAY_LEN(routes)};
