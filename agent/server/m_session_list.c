/* SPDX-License-Identifier: MIT
 *
 * Who is here: Sessions.
 *
 * With `more` the list is made piece by piece as the peer takes it, for a host may have thousands. A session that
 * comes or goes meanwhile may be in it or not; none is in it twice, and rights are looked at again for each piece.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/session_filter.h"
#include "server/session_rights.h"

#define REPLY_BYTES (VARLINK_MESSAGE_MAX - 8192U) /* one more session fits behind this */
#define PIECE_BYTES (32U * 1024U)
#define IDLE_PER_TURN 16U     /* sessions whose terminals are looked up, each some reads of /proc */
#define FILTER_BYTES_MAX 512U /* of one text of a filter; nothing longer names anything */

struct list_request {
	struct session_filter filter;
	bool idle;
};

struct list {
	struct stream stream; /* first */
	struct list_request request;
	char *texts[4]; /* what the filter points at */
	bool all;
	uint32_t cursor;
};

static const struct json_field fields[] = {
	{"session", JSON_FIELD_STRING, offsetof(struct list_request, filter.session), JSON_FIELD_NULLABLE},
	{"user", JSON_FIELD_STRING, offsetof(struct list_request, filter.user), JSON_FIELD_NULLABLE},
	{"tenant", JSON_FIELD_STRING, offsetof(struct list_request, filter.tenant), JSON_FIELD_NULLABLE},
	{"project", JSON_FIELD_STRING, offsetof(struct list_request, filter.project), JSON_FIELD_NULLABLE},
	{"idle", JSON_FIELD_BOOL, offsetof(struct list_request, idle), JSON_FIELD_NULLABLE},
};

/* How much goes into one reply, at most. */
struct piece {
	size_t bytes;
	unsigned looked_at, put;
};

/* True: that was the last. */
static bool put_some(struct json_writer *w, const struct buffer *out, struct session_rights *rights,
		     const struct list_request *request, const struct piece *most, uint32_t *cursor)
{
	const struct parts *parts = rights->parts;
	size_t start = out->length;
	struct piece done = {0};
	const struct session *session = NULL;

	json_begin(w, "sessions", '[');
	while (out->length - start <= most->bytes && done.looked_at < most->looked_at && done.put < most->put) {
		session = session_next(parts->sessions, cursor);
		if (!session)
			break;
		done.looked_at++;
		if (!session_fits(&request->filter, parts->directory, session) || !session_rights_over(rights, session))
			continue;
		put_session(w, NULL, session, request->idle ? rights->realtime : 0);
		done.put++;
	}
	json_end(w, ']');
	return !session;
}

static int list_produce(struct stream *stream, struct connection *c)
{
	struct list *list = (struct list *)stream;
	const struct piece most = {PIECE_BYTES, STREAM_RECORDS_PER_TURN,
				   list->request.idle ? IDLE_PER_TURN : STREAM_RECORDS_PER_TURN};
	struct session_rights rights =
		session_rights(c->server->parts, c->peer.uid, list->all, clock_boottime_usec(), clock_realtime_sec());
	struct varlink_writer writer;
	bool last;
	int result;

	varlink_reply_begin(&writer, &c->out);
	last = put_some(&writer.json, &c->out, &rights, &list->request, &most, &list->cursor);
	result = varlink_end(&writer, !last);
	return result < 0 ? result : last;
}

static void list_destroy(struct stream *stream)
{
	struct list *list = (struct list *)stream;

	for (size_t i = 0; i < ARRAY_LEN(list->texts); i++)
		free(list->texts[i]);
	free(list);
}

static int stream_list(struct call *call, const struct list_request *request)
{
	const struct session_filter *filter = &request->filter;
	const char *given[] = {filter->session, filter->user, filter->tenant, filter->project};
	struct list *list = calloc(1, sizeof(*list));
	bool failed = false;

	if (!list)
		return -ENOMEM;
	_Static_assert(ARRAY_LEN(given) == ARRAY_LEN(list->texts), "one for each");
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		list->texts[i] = given[i] ? strdup(given[i]) : NULL;
		failed |= given[i] && !list->texts[i];
	}
	if (failed) {
		list_destroy(&list->stream);
		return -ENOMEM;
	}
	list->stream = (struct stream){.produce = list_produce, .destroy = list_destroy};
	list->request = (struct list_request){
		.filter = {list->texts[0], list->texts[1], list->texts[2], list->texts[3]},
		.idle = request->idle,
	};
	list->all = call->trusted;
	call->connection->stream = &list->stream;
	call->connection->hold = HOLD_STREAM;
	server_queue(call->server, call->connection);
	return 0;
}

static bool is_too_long(const char *text)
{
	return text && strlen(text) > FILTER_BYTES_MAX;
}

int m_sessions(struct call *call)
{
	static const struct piece all = {REPLY_BYTES, UINT_MAX, UINT_MAX};
	struct list_request request = {0};
	const struct session_filter *filter = &request.filter;
	struct session_rights rights;
	uint32_t cursor = 0;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &request) < 0)
		return 0;
	if (is_too_long(filter->session) || is_too_long(filter->user) || is_too_long(filter->tenant) ||
	    is_too_long(filter->project))
		return call_error(call, AGENT_ERROR_TOO_MANY, "limit", "bytes of a name");
	if (call->oneway)
		return 0;
	if (call->more)
		return stream_list(call, &request);
	if (request.idle && !filter->session)
		return call_error(call, VARLINK_ERROR_EXPECTED_MORE, NULL, NULL);
	rights = session_rights(call->parts, call_uid(call), call->trusted, call->now_usec, call->realtime);
	if (!put_some(call_reply(call), &call->connection->out, &rights, &request, &all, &cursor))
		return -EMSGSIZE;
	return call_reply_end(call, false);
}
