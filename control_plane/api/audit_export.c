/* SPDX-License-Identifier: MIT
 *
 * A log as a file. A thread of its own reads it piece by piece, some ahead of what the connection takes: the I/O loop
 * never waits for the database, and a worker is free again as soon as the export has begun.
 */
#include "control_plane/api/audit_export.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/audit_view.h"
#include "control_plane/app.h"
#include "control_plane/audit/ending.h"
#include "control_plane/audit/export.h"
#include "control_plane/http/stream.h"

#define EXPORTS_MAX 8U
#define LOG_EXPORTS_MAX 2U /* of one log: a tenant's slow readers keep nobody else from theirs */
#define AHEAD_BYTES (1U << 20)
#define PATIENCE_SEC 60 /* so long a reader may take nothing */
#define RETRY_SEC 10U

static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned running;
	char logs[EXPORTS_MAX][LEAF_ID_MAX];
} exports = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static bool take_place(const char *log_id)
{
	unsigned own = 0;
	bool taken;

	pthread_mutex_lock(&exports.lock);
	for (unsigned n = 0; n < exports.running; n++)
		own += strcmp(exports.logs[n], log_id) == 0;
	taken = exports.running < EXPORTS_MAX && own < LOG_EXPORTS_MAX;
	if (taken)
		(void)snprintf(exports.logs[exports.running++], LEAF_ID_MAX, "%s", log_id);
	pthread_mutex_unlock(&exports.lock);
	return taken;
}

static void leave_place(const char *log_id)
{
	unsigned n = 0;

	pthread_mutex_lock(&exports.lock);
	while (strcmp(exports.logs[n], log_id) != 0)
		n++;
	memmove(exports.logs[n], exports.logs[--exports.running], LEAF_ID_MAX);
	pthread_cond_broadcast(&exports.ended);
	pthread_mutex_unlock(&exports.lock);
}

void audit_exports_finish(void)
{
	pthread_mutex_lock(&exports.lock);
	while (exports.running > 0)
		pthread_cond_wait(&exports.ended, &exports.lock);
	pthread_mutex_unlock(&exports.lock);
}

/* ---- the stream -----------------------------------------------------------------------------------------------------
 * Held by its thread and by the connection; who lets go last frees it.
 */

struct export_stream {
	struct stream stream;
	struct export *export; /* the thread's */
	char log_id[LEAF_ID_MAX];
	pthread_mutex_t lock;
	pthread_cond_t room;
	unsigned holders;
	struct stream_transport *transport;
	struct buffer ready;
	size_t given; /* of these */
	bool done, closed;
};

static void release(struct export_stream *s)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = --s->holders == 0;
	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	export_free(s->export);
	buffer_finish(&s->ready);
	pthread_cond_destroy(&s->room);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Locked. Until the connection has taken enough. false: nobody reads any more. */
static bool wait_for_room(struct export_stream *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_SEC;
	while (!s->closed && s->ready.length - s->given > AHEAD_BYTES)
		if (pthread_cond_timedwait(&s->room, &s->lock, &until) == ETIMEDOUT)
			return false;
	return !s->closed;
}

/* false: that was all, or there is nobody for it. */
static bool give(struct export_stream *s, const struct buffer *lines, bool last)
{
	bool goes_on;

	pthread_mutex_lock(&s->lock);
	goes_on = wait_for_room(s);
	if (goes_on)
		goes_on = buffer_add(&s->ready, lines->data, lines->length) == 0 && !last;
	if (!goes_on)
		s->done = true;
	if (s->transport && !s->closed)
		stream_wake(s->transport);
	pthread_mutex_unlock(&s->lock);
	return goes_on;
}

static void *run(void *context)
{
	struct export_stream *s = context;
	_cleanup_(buffer_finish) struct buffer lines = {.wipe = true};
	char log_id[LEAF_ID_MAX];
	bool goes_on = true;

	memcpy(log_id, s->log_id, sizeof(log_id));
	while (goes_on) {
		int r;

		buffer_clear(&lines);
		r = export_next(s->export, &lines);
		/* Its reader sees that the last line is missing. */
		if (r < 0) {
			log_error("an export of the audit log was cut off: %s", strerror(-r));
			buffer_clear(&lines);
		}
		goes_on = give(s, &lines, r != 0);
	}
	release(s);
	leave_place(log_id);
	return NULL;
}

static void opened(struct stream *stream, struct stream_transport *transport)
{
	struct export_stream *s = (struct export_stream *)(void *)stream;

	pthread_mutex_lock(&s->lock);
	s->transport = transport;
	pthread_mutex_unlock(&s->lock);
}

static ssize_t read_some(struct stream *stream, char *data, size_t size)
{
	struct export_stream *s = (struct export_stream *)(void *)stream;
	size_t count;
	bool done;

	pthread_mutex_lock(&s->lock);
	count = MIN_OF(size, s->ready.length - s->given);
	if (count > 0)
		memcpy(data, s->ready.data + s->given, count);
	s->given += count;
	if (s->given == s->ready.length) {
		buffer_clear(&s->ready);
		s->given = 0;
	}
	done = s->done;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
	return count > 0 ? (ssize_t)count : done ? STREAM_END : 0;
}

static void closed(struct stream *stream)
{
	struct export_stream *s = (struct export_stream *)(void *)stream;

	pthread_mutex_lock(&s->lock);
	s->closed = true;
	s->transport = NULL;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
	release(s);
}

static const struct stream_class export_class = {.open = opened, .read = read_some, .close = closed};

/* Takes the export, also where it fails. */
static int start(struct export *export, const char *log_id, struct stream **ret)
{
	struct export_stream *s = calloc(1, sizeof(*s));
	pthread_condattr_t attributes;
	pthread_t thread;
	int r;

	if (!s) {
		export_free(export);
		return -ENOMEM;
	}
	s->stream.class = &export_class;
	s->export = export;
	(void)snprintf(s->log_id, sizeof(s->log_id), "%s", log_id);
	s->ready.wipe = true;
	s->holders = 2;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->room, &attributes);
	pthread_condattr_destroy(&attributes);
	r = pthread_create(&thread, NULL, run, s);
	if (r != 0) {
		s->holders = 1;
		release(s);
		return -r;
	}
	pthread_detach(thread);
	*ret = &s->stream;
	return 0;
}

/* ---- the route ------------------------------------------------------------------------------------------------------
 */

static int read_index(struct request *request, const char *name, uint64_t *ret)
{
	const char *text = request_query(request, name);

	if (!text || (parse_u64(text, ret) == 0 && *ret < TLOG_SIZE_MAX))
		return 0;
	respond_invalid(request, name, "an index of the log");
	return 1;
}

/* 0 with an export; 1: a problem was set; -errno. */
static int prepare(struct request *request, const char *log_id, struct export **ret)
{
	struct audit_filter filter;
	uint64_t first = 0, size = 0;
	int r;

	if (audit_view_filter(request, &filter) != 0 || read_index(request, "from", &filter.from) != 0 ||
	    read_index(request, "to", &filter.to) != 0)
		return 1;
	if (filter.to > 0 && filter.from > filter.to)
		return respond_invalid(request, "to", "not before the first index"), 1;
	r = audit_view_refresh(request, log_id);
	if (r == 0)
		r = export_new(request->app, request->tx, log_id, &filter, ret, &first, &size);
	if (r == -ENODATA)
		return respond_problem(request, PROBLEM_NOT_FOUND, "nothing is in this log that a checkpoint signs"), 1;
	if (r == -ERANGE && filter.from < first)
		return respond_invalid(request, "from", "the log has no entries before %llu any more",
				       (unsigned long long)first),
		       1;
	if (r == -ERANGE)
		return respond_invalid(request, "to", "the newest checkpoint has %llu entries",
				       (unsigned long long)size),
		       1;
	return r;
}

static int export_of(struct request *request, const char *log_id, const char *told_in)
{
	struct export *export = NULL;
	struct stream *stream = NULL;
	int r = prepare(request, log_id, &export);

	if (r == 0)
		r = audit_view_tell_in(request, told_in, log_id, "audit.export");
	if (r != 0) {
		export_free(export);
		return r < 0 ? respond_db(request, r, "export") : 0;
	}
	if (!take_place(log_id)) {
		export_free(export);
		return respond_retry(request, PROBLEM_TOO_MANY, RETRY_SEC,
				     "%u exports of this log are being made, or %u in all", LOG_EXPORTS_MAX,
				     EXPORTS_MAX);
	}
	r = start(export, log_id, &stream);
	if (r < 0) {
		leave_place(log_id);
		return r;
	}
	request->response.stream = stream;
	request->response.status = 200;
	request->response.content_type = "application/x-ndjson";
	return 0;
}

static int export_tenant(struct request *request)
{
	return export_of(request, request->tenant_id, request->tenant_id);
}

static int export_platform(struct request *request)
{
	return export_of(request, "", "");
}

/* Of a tenant that is gone. While there is one its log is asked for where its own people see who reads. */
static int export_ended(struct request *request)
{
	const char *log_id = request->params[0];
	bool ended = false;
	int r = 0;

	if (!text_is_id(log_id) || !text_starts(log_id, "ten_"))
		return respond_problem(request, PROBLEM_NOT_FOUND,
				       "a log is named by the id that its tenant had: ten_…");
	r = audit_view_refresh(request, log_id);
	if (r == 0)
		r = log_has_ended(request->tx, log_id, &ended);
	if (r < 0)
		return respond_db(request, r, "export");
	if (!ended)
		return respond_problem(request, PROBLEM_NOT_FOUND, "no log of this name has ended");
	return export_of(request, log_id, "");
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/audit/export", ROUTE_TENANT, "audit.view", 0, export_tenant),
	ROUTE(HTTP_GET, "/v1/audit/export", ROUTE_OPERATOR, "event.view", 0, export_platform),
	ROUTE(HTTP_GET, "/v1/audit/logs/{log}/export", ROUTE_OPERATOR, "event.view", 0, export_ended),
};
const struct route_table audit_export_routes = {routes, ARRAY_LEN(routes)};
