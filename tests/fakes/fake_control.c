/* SPDX-License-Identifier: MIT */
#include "../fakes/fake_control.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../fakes/fake_control_internal.h"
#include "base/clock.h"
#include "crypto/api_key.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define WAIT_SEC 10
#define LOOK_USEC (20 * USEC_PER_MSEC) /* between two looks for a client that hung up */
#define PROBLEM "application/problem+json"

/* ---- streams ------------------------------------------------------------------------------------------- */

struct stream {
	struct fake_feed *feed;
	uint64_t after, head_serial;
	unsigned sent, generation;
	struct buffer pending;
	bool once, said;
	int fd;
};

/* The server waits in our callback, where it cannot see the client hang up. */
static bool hung_up(const struct stream *stream)
{
	char byte;

	return recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static struct timespec from_now(uint64_t usec)
{
	uint64_t end = clock_realtime_usec() + usec;

	return (struct timespec){.tv_sec = (time_t)(end / USEC_PER_SEC), .tv_nsec = (long)(end % USEC_PER_SEC) * 1000};
}

static void add_event(struct buffer *out, const char *event, const char *id, const char *data, size_t length)
{
	buffer_printf(out, "event: %s\n", event);
	if (id)
		buffer_printf(out, "id: %s\n", id);
	while (length > 0) {
		const char *end = memchr(data, '\n', length);
		size_t part = end ? (size_t)(end - data) : length;

		buffer_add_text(out, "data: ");
		buffer_add(out, data, part);
		buffer_add_char(out, '\n');
		data += part + (end ? 1 : 0);
		length -= part + (end ? 1 : 0);
	}
	buffer_add_char(out, '\n');
}

static void fill(struct stream *stream)
{
	struct fake_feed *feed = stream->feed;
	char id[48];

	if (feed->silent || (stream->once && stream->said))
		return;
	while (stream->sent < feed->sent_count) {
		const struct fake_text *text = &feed->sent[stream->sent++];

		buffer_add(&stream->pending, text->data, text->length);
	}
	if (stream->head_serial == feed->head_serial)
		return;
	while (stream->after < feed->head.revision) {
		stream->after++;
		snprintf(id, sizeof(id), "%llu.%llu", (unsigned long long)feed->head.epoch,
			 (unsigned long long)stream->after);
		add_event(&stream->pending, "delta", id, feed->deltas[stream->after].data,
			  feed->deltas[stream->after].length);
	}
	add_event(&stream->pending, "head", NULL, feed->head_note.data, feed->head_note.length);
	stream->head_serial = feed->head_serial;
	stream->said = true;
}

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t size)
{
	struct stream *stream = context;
	struct fake_feed *feed = stream->feed;
	struct fake_control *control = feed->control;
	ssize_t count = MHD_CONTENT_READER_END_OF_STREAM;

	pthread_mutex_lock(&control->lock);
	for (;;) {
		struct timespec soon = from_now(LOOK_USEC);

		if (control->stopping || feed->dropped || stream->generation != feed->generation || hung_up(stream))
			break;
		fill(stream);
		if (stream->pending.length) {
			size = MIN_OF(size, stream->pending.length);
			memcpy(out, stream->pending.data, size);
			buffer_consume(&stream->pending, size);
			count = (ssize_t)size;
			break;
		}
		if (stream->once && stream->said)
			break;
		(void)pthread_cond_timedwait(&control->changed, &control->lock, &soon);
	}
	pthread_mutex_unlock(&control->lock);
	return count;
}

static void end_stream(void *context)
{
	struct stream *stream = context;
	struct fake_control *control = stream->feed->control;

	fake_lock(control);
	stream->feed->streams--;
	fake_unlock(control);
	buffer_finish(&stream->pending);
	free(stream);
}

static struct MHD_Response *stream_response(struct fake_feed *feed, struct MHD_Connection *connection)
{
	const char *after = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "after");
	struct stream *stream = calloc(1, sizeof(*stream));

	assert_non_null(stream);
	stream->feed = feed;
	stream->after = after ? strtoull(after, NULL, 10) : 0;
	stream->once = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "once") != NULL;
	stream->sent = feed->sent_count;
	stream->generation = feed->generation;
	stream->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	feed->streams++;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, read_stream, stream, end_stream);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

struct reply {
	unsigned status;
	const char *type;
	struct buffer body;
	struct MHD_Response *stream;
	char header[128];
};

static void problem(struct reply *reply, unsigned status, const char *type)
{
	reply->status = status;
	reply->type = PROBLEM;
	buffer_printf(&reply->body, "{\"type\":\"%s\",\"title\":\"refused\",\"status\":%u}", type, status);
}

static void enrol(struct fake_control *control, const char *body, size_t length, struct reply *reply)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct problem wrong = {0};
	struct json_writer w = json_writer(&reply->body);
	char vkey[NOTE_VKEY_MAX];
	const char *token;

	if (json_read(body, length, &json, &wrong) < 0) {
		problem(reply, 400, "bad-request");
		return;
	}
	token = json_string_value(json_object_get(json, "token"));
	if (!token || strcmp(token, control->token) != 0 ||
	    jwt_key_parse(json_object_get(json, "key"), &control->host_key, &wrong) < 0) {
		problem(reply, 403, "enrolment-token-invalid");
		return;
	}
	control->enrolled = true;
	reply->status = 201;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "host", control->host_id);
	assert_int_equal(note_key_render(&control->authority, vkey), 0);
	json_put_string(&w, "authority", vkey);
	json_put_string(&w, "name", json_string_value(json_object_get(json, "name")));
	fake_assignment_put(control, &w);
	json_end(&w, '}');
}

static void give_token(struct fake_control *control, const char *body, struct reply *reply)
{
	const char *assertion = strstr(body, "client_assertion=");
	char audience[96], token[64];
	_cleanup_(json_decrefp) json_t *claims = NULL;
	struct jwt_rules rules = {
		.keys = &control->host_key,
		.key_count = control->enrolled ? 1 : 0,
		.type = "JWT",
		.issuer = control->host_id,
		.audience = audience,
		.now = clock_realtime_sec(),
		.lifetime_max = 60,
	};
	struct json_writer w = json_writer(&reply->body);

	snprintf(audience, sizeof(audience), "%s/v1/hosts/token", control->url);
	if (!assertion || !strstr(body, "grant_type=client_credentials") ||
	    !strstr(body, "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer") ||
	    jwt_verify(assertion + 17, strcspn(assertion + 17, "&"), &rules, &claims) != JWT_FINE ||
	    strcmp(json_string_value(json_object_get(claims, "sub")), control->host_id) != 0) {
		problem(reply, 401, "invalid-client");
		return;
	}
	snprintf(token, sizeof(token), "access-%u", ++control->tokens);
	reply->status = 200;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "access_token", token);
	json_put_string(&w, "token_type", "Bearer");
	json_put_i64(&w, "expires_in", control->expires_in);
	json_end(&w, '}');
}

static bool authorized(const struct fake_control *control, struct MHD_Connection *connection)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

	if (!value || strncmp(value, "Bearer ", 7) != 0)
		return false;
	if (strcmp(value + 7, control->bearer) == 0)
		return true;
	return strncmp(value + 7, "access-", 7) == 0 && strtoul(value + 14, NULL, 10) > control->tokens_forgotten;
}

static void give(struct reply *reply, const char *type, const void *data, size_t length)
{
	reply->status = 200;
	reply->type = type;
	buffer_add(&reply->body, data, length);
}

static void serve_feed(struct fake_feed *feed, const char *what, const char *method, struct MHD_Connection *connection,
		       struct reply *reply)
{
	const char *argument;

	if (strcmp(what, "trust") == 0) {
		const struct fake_text *text = &feed->trusts[feed->trust.version];

		give(reply, "text/plain", text->data, text->length);
	} else if (strncmp(what, "trust/", 6) == 0) {
		unsigned long version = strtoul(what + 6, NULL, 10);

		if (version == 0 || version > feed->trust.version)
			problem(reply, 404, "not-found");
		else
			give(reply, "text/plain", feed->trusts[version].data, feed->trusts[version].length);
	} else if (strcmp(what, "snapshot") == 0) {
		give(reply, "text/plain", feed->snapshot_note.data, feed->snapshot_note.length);
	} else if (strncmp(what, "blobs/", 6) == 0) {
		give(reply, "application/octet-stream", feed->snapshot.data, feed->snapshot.length);
	} else if (strcmp(what, "acks") == 0 && strcmp(method, "POST") == 0) {
		reply->status = 204;
	} else if (strcmp(what, "sessions") == 0 && strcmp(method, "POST") == 0) {
		give(reply, "application/json", "{\"left_out\":0}", 14);
	} else if (strcmp(what, "events") == 0) {
		argument = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "epoch");
		if (!argument || strtoull(argument, NULL, 10) != feed->head.epoch) {
			problem(reply, 410, "feed-gap");
			return;
		}
		argument = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "after");
		if (!argument || strtoull(argument, NULL, 10) + 1 < feed->first_delta ||
		    strtoull(argument, NULL, 10) > feed->head.revision) {
			problem(reply, 410, "feed-gap");
			return;
		}
		reply->status = 200;
		reply->type = "text/event-stream";
		reply->stream = stream_response(feed, connection);
	} else {
		problem(reply, 404, "not-found");
	}
}

static void witness(struct fake_control *control, const char *tenant_id, const char *method, const char *body,
		    size_t length, struct MHD_Connection *connection, struct reply *reply)
{
	reply->status = strcmp(method, "POST") == 0 ? fake_audit_cosign(control, tenant_id, body, length)
						    : fake_audit_show(control, tenant_id, connection, &reply->body);
}

/* False: cut the connection. */
static bool planned(struct fake_control *control, const char *request, struct reply *reply, bool *ret_cut)
{
	for (unsigned i = control->answer_count; i-- > 0;) {
		if (control->answers[i].times == 0 ||
		    strncmp(request, control->answers[i].request, strlen(control->answers[i].request)) != 0)
			continue;
		if (control->answers[i].times > 0)
			control->answers[i].times--;
		*ret_cut = control->answers[i].status == 0;
		reply->status = control->answers[i].status;
		reply->type = reply->status >= 400 ? PROBLEM : "application/json";
		buffer_add(&reply->body, control->answers[i].body.data, control->answers[i].body.length);
		snprintf(reply->header, sizeof(reply->header), "%s", control->answers[i].header);
		return true;
	}
	return false;
}

static void route(struct fake_control *control, const char *method, const char *url, const char *body, size_t length,
		  struct MHD_Connection *connection, struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);

	if (strcmp(url, "/v1/enrol") == 0) {
		enrol(control, body, length, reply);
		return;
	}
	if (strcmp(url, "/v1/hosts/token") == 0) {
		give_token(control, body, reply);
		return;
	}
	if (!authorized(control, connection)) {
		problem(reply, 401, "unauthenticated");
		return;
	}
	if (strcmp(url, "/v1/hosts/self") == 0) {
		reply->status = 200;
		json_begin(&w, NULL, '{');
		json_put_string(&w, "id", control->host_id);
		json_put_string(&w, "name", "gpu-1");
		json_put_bool(&w, "disabled", control->disabled);
		fake_assignment_put(control, &w);
		json_end(&w, '}');
		return;
	}
	if (strcmp(url, "/v1/hosts/self/audit") == 0) {
		reply->status = fake_audit_post(control, body, length, &reply->body);
		return;
	}
	if (strcmp(url, "/v1/hosts/self/audit/witness") == 0) {
		witness(control, "", method, body, length, connection, reply);
		return;
	}
	if (strcmp(url, "/v1/hosts/self/status") == 0) {
		reply->status = 204;
		return;
	}
	for (unsigned i = 0; i < control->feed_count; i++) {
		struct fake_feed *feed = control->feeds[i];
		char prefix[96];

		snprintf(prefix, sizeof(prefix), "/v1/feeds/%s/audit/witness", feed->tenant_id);
		if (!feed->dropped && strcmp(url, prefix) == 0) {
			witness(control, feed->tenant_id, method, body, length, connection, reply);
			return;
		}
		snprintf(prefix, sizeof(prefix), "/v1/feeds/%s/", feed->tenant_id);
		if (!feed->dropped && strncmp(url, prefix, strlen(prefix)) == 0) {
			serve_feed(feed, url + strlen(prefix), method, connection, reply);
			return;
		}
	}
	problem(reply, 404, "not-found");
}

static enum MHD_Result add_query(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct buffer *line = context;

	buffer_printf(line, "%c%s=%s", memchr(line->data, '?', line->length) ? '&' : '?', name, value ? value : "");
	return MHD_YES;
}

static void note_request(struct fake_control *control, struct MHD_Connection *connection, const char *method,
			 const char *url, const struct buffer *body, struct buffer *line)
{
	struct fake_text *text;

	buffer_printf(line, "%s %s", method, url);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_query, line);
	assert_true(control->request_count < FAKE_TEXTS);
	text = &control->requests[control->request_count++];
	text->length = line->length + 1 + body->length;
	text->data = malloc(text->length + 1);
	assert_non_null(text->data);
	memcpy(text->data, line->data, line->length);
	text->data[line->length] = '\n';
	if (body->length)
		memcpy(text->data + line->length + 1, body->data, body->length);
	text->data[text->length] = '\0';
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *length, void **state)
{
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	struct fake_control *control = context;
	struct buffer *body = *state;
	struct reply reply = {.status = 200, .type = "application/json"};
	struct MHD_Response *response;
	enum MHD_Result result;
	bool cut = false;

	if (!body) {
		*state = calloc(1, sizeof(*body));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*length) {
		buffer_add(body, data, *length);
		*length = 0;
		return MHD_YES;
	}
	fake_lock(control);
	note_request(control, connection, method, url, body, &line);
	assert_int_equal(buffer_add_char(&line, '\n'), 0);
	if (!planned(control, buffer_text(&line), &reply, &cut))
		route(control, method, url, body->length ? buffer_text(body) : "", body->length, connection, &reply);
	fake_unlock(control);
	if (cut) {
		buffer_finish(&reply.body);
		return MHD_NO;
	}
	response = reply.stream
			   ? reply.stream
			   : MHD_create_response_from_buffer(reply.body.length, reply.body.data, MHD_RESPMEM_MUST_COPY);
	assert_non_null(response);
	MHD_add_response_header(response, "Content-Type", reply.type);
	if (reply.header[0]) {
		char *colon = strchr(reply.header, ':');

		assert_non_null(colon);
		*colon = '\0';
		MHD_add_response_header(response, reply.header, colon + 2);
	}
	result = MHD_queue_response(connection, reply.status, response);
	MHD_destroy_response(response);
	buffer_finish(&reply.body);
	return result;
}

static void on_end(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	struct buffer *body = *state;

	if (!body)
		return;
	buffer_finish(body);
	free(body);
	*state = NULL;
}

/* ---- for the test ---------------------------------------------------------------------------------------- */

struct fake_control *fake_control_start(void)
{
	return fake_control_start_tls(NULL);
}

struct fake_control *fake_control_start_tls(const struct fake_tls *tls)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct fake_control *control = calloc(1, sizeof(*control));
	char id[API_KEY_ID_CHARS + 1];

	assert_non_null(control);
	pthread_mutex_init(&control->lock, NULL);
	pthread_cond_init(&control->changed, NULL);
	control->expires_in = 300;
	fake_assignment_init(control);
	assert_int_equal(api_key_make(API_KEY_ENROLMENT, control->token, id), 0);
	assert_int_equal(base62_random(id, 16), 0);
	snprintf(control->host_id, sizeof(control->host_id), "hst_%s", id);
	snprintf(control->bearer, sizeof(control->bearer), "bearer-%s", id);
	control->daemon = MHD_start_daemon(
		(tls ? MHD_USE_TLS : 0U) | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
		NULL, on_request, control, MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
		tls ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, tls ? tls->key : NULL, MHD_OPTION_HTTPS_MEM_CERT,
		tls ? tls->certificate : NULL, MHD_OPTION_END);
	assert_non_null(control->daemon);
	snprintf(control->url, sizeof(control->url), "%s://127.0.0.1:%u", tls ? "https" : "http",
		 MHD_get_daemon_info(control->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	return control;
}

void fake_control_stop(struct fake_control *control)
{
	fake_lock(control);
	control->stopping = true;
	fake_unlock(control);
	MHD_stop_daemon(control->daemon);
	for (unsigned i = 0; i < control->feed_count; i++)
		fake_feed_free(control->feeds[i]);
	for (unsigned i = 0; i < control->request_count; i++)
		free(control->requests[i].data);
	for (unsigned i = 0; i < control->answer_count; i++)
		free(control->answers[i].body.data);
	fake_audit_free(control->audit);
	pthread_mutex_destroy(&control->lock);
	pthread_cond_destroy(&control->changed);
	free(control);
}

const char *fake_control_url(const struct fake_control *control)
{
	return control->url;
}

const char *fake_control_token(const struct fake_control *control)
{
	return control->token;
}

const char *fake_control_host_id(const struct fake_control *control)
{
	return control->host_id;
}

const char *fake_control_bearer(const struct fake_control *control)
{
	return control->bearer;
}

void fake_control_set_expires_in(struct fake_control *control, int64_t seconds)
{
	fake_lock(control);
	control->expires_in = seconds;
	fake_unlock(control);
}

void fake_control_forget_tokens(struct fake_control *control)
{
	fake_lock(control);
	control->tokens_forgotten = control->tokens;
	fake_unlock(control);
}

void fake_control_set_disabled(struct fake_control *control, bool disabled)
{
	fake_lock(control);
	control->disabled = disabled;
	fake_unlock(control);
}

void fake_control_answer(struct fake_control *control, const char *request, int times, unsigned status,
			 const char *header, const void *body, size_t length)
{
	fake_lock(control);
	assert_true(control->answer_count < ARRAY_LEN(control->answers));
	snprintf(control->answers[control->answer_count].request, sizeof(control->answers[0].request), "%s", request);
	snprintf(control->answers[control->answer_count].header, sizeof(control->answers[0].header), "%s",
		 header ? header : "");
	control->answers[control->answer_count].times = times;
	control->answers[control->answer_count].status = status;
	control->answers[control->answer_count].body.data = malloc(length + 1);
	assert_non_null(control->answers[control->answer_count].body.data);
	if (length)
		memcpy(control->answers[control->answer_count].body.data, body, length);
	control->answers[control->answer_count].body.length = length;
	control->answer_count++;
	fake_unlock(control);
}

void fake_control_end_answers(struct fake_control *control)
{
	fake_lock(control);
	for (unsigned i = 0; i < control->answer_count; i++)
		control->answers[i].times = 0;
	fake_unlock(control);
}

static unsigned count(const struct fake_control *control, const char *request)
{
	unsigned n = 0;

	for (unsigned i = 0; i < control->request_count; i++)
		n += strncmp(control->requests[i].data, request, strlen(request)) == 0;
	return n;
}

unsigned fake_control_count(struct fake_control *control, const char *request)
{
	unsigned n;

	fake_lock(control);
	n = count(control, request);
	fake_unlock(control);
	return n;
}

static bool wait_more(struct fake_control *control, const struct timespec *end)
{
	return pthread_cond_timedwait(&control->changed, &control->lock, end) == 0;
}

void fake_control_wait(struct fake_control *control, const char *request, unsigned wanted)
{
	const struct timespec end = from_now(WAIT_SEC * USEC_PER_SEC);
	bool more = true;

	fake_lock(control);
	while (count(control, request) < wanted && more)
		more = wait_more(control, &end);
	pthread_mutex_unlock(&control->lock);
	if (!more)
		fail_msg("no %u requests '%s' within %d s", wanted, request, WAIT_SEC);
}

void fake_control_body(struct fake_control *control, const char *request, char *out, size_t size)
{
	out[0] = '\0';
	fake_lock(control);
	for (unsigned i = control->request_count; i-- > 0;) {
		if (strncmp(control->requests[i].data, request, strlen(request)) != 0)
			continue;
		snprintf(out, size, "%s", strchr(control->requests[i].data, '\n') + 1);
		break;
	}
	fake_unlock(control);
}

void fake_control_drop_feed(struct fake_feed *feed)
{
	fake_lock(feed->control);
	feed->dropped = true;
	fake_unlock(feed->control);
}

unsigned fake_feed_streams(struct fake_feed *feed)
{
	unsigned n;

	fake_lock(feed->control);
	n = feed->streams;
	fake_unlock(feed->control);
	return n;
}

void fake_feed_wait_streams(struct fake_feed *feed, unsigned wanted)
{
	const struct timespec end = from_now(WAIT_SEC * USEC_PER_SEC);
	bool more = true;

	fake_lock(feed->control);
	while (feed->streams != wanted && more)
		more = wait_more(feed->control, &end);
	pthread_mutex_unlock(&feed->control->lock);
	if (!more)
		fail_msg("no %u streams within %d s", wanted, WAIT_SEC);
}
