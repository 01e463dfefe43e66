/* SPDX-License-Identifier: MIT
 *
 * One request on its connection, from its first line to the answer's last byte. libmicrohttpd's threads come through
 * here; between "all is read" and "there is an answer" the connection is suspended and a worker has the request.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/api/routes.h"
#include "control_plane/http/metrics.h"
#include "control_plane/http/router.h"
#include "control_plane/http/server_internal.h"
#include "control_plane/http/source.h"

#define HEADER_USEC (20 * USEC_PER_SEC)
#define BODY_USEC (30 * USEC_PER_SEC)
#define ANSWER_USEC (30 * USEC_PER_SEC)
#define ANSWER_BYTES_PER_SEC 16384U
#define RETRY_AFTER_SEC 1U
#define REQUEST_ID_LEAST 8U

enum state { READING_HEADERS, READING_BODY, RUNNING, ANSWERED };

struct exchange {
	struct job job; /* first: a job is its exchange */
	struct server *server;
	struct MHD_Connection *connection;
	enum state state;
	bool last;           /* the connection ends after it */
	bool too_large;      /* the body: what comes is thrown away */
	uint64_t since_usec; /* the headers' end */
	char *target;
	struct buffer body;
	struct request request;
};

static struct connection *connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static const char *find_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->transport, MHD_HEADER_KIND, name);
}

static void exchange_free(struct exchange *exchange)
{
	atomic_fetch_sub(&exchange->server->exchanges, 1);
	request_finish(&exchange->request);
	buffer_finish(&exchange->body);
	free(exchange->target);
	free(exchange);
}

/* libmicrohttpd does not tell the end of a request whose headers it has refused itself. */
void exchange_forget(struct connection *connection)
{
	void **slot = connection_slot(connection);

	if (*slot)
		exchange_free(*slot);
	*slot = NULL;
}

void *exchange_begin(void *context, const char *target, struct MHD_Connection *mhd_connection)
{
	struct connection *connection = connection_of(mhd_connection);
	struct exchange *exchange = connection ? calloc(1, sizeof(*exchange)) : NULL;

	if (!exchange)
		return NULL;
	exchange_forget(connection);
	*connection_slot(connection) = exchange;
	exchange->server = context;
	exchange->connection = mhd_connection;
	exchange->job.request = &exchange->request;
	exchange->body = (struct buffer){.limit = BODY_MAX, .wipe = true};
	exchange->target = strdup(target);
	atomic_fetch_add(&exchange->server->exchanges, 1);
	connection_deadline(exchange->server->connections, connection, HEADER_USEC);
	return exchange;
}

static void take_request_id(struct request *request)
{
	const char *id = request_header(request, "X-Request-Id");
	size_t length = id ? strlen(id) : 0;

	if (length >= REQUEST_ID_LEAST && length < sizeof(request->id) &&
	    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length)
		memcpy(request->id, id, length + 1);
}

static void take_source(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct in6_addr peer = source_of_peer(info ? info->client_addr : NULL);

	request->source = source_find(&peer, &exchange->server->app->config->trusted_proxies,
				      hygiene_forwarded(request, exchange->connection));
	source_format(&request->source, request->source_text);
}

/* OPTIONS says what the path takes, and nothing about other origins: there is no CORS. */
static void answer_options(struct request *request)
{
	char allow[64] = "OPTIONS";
	unsigned methods;

	(void)routes_find(api_routes, api_route_tables, HTTP_GET, request->path, request, &methods);
	if (methods == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++) {
		if (!(methods & 1U << m))
			continue;
		strncat(allow, ", ", sizeof(allow) - strlen(allow) - 1);
		strncat(allow, http_method_name(m), sizeof(allow) - strlen(allow) - 1);
	}
	respond_empty(request);
	respond_header(request, "Allow", allow);
}

/* 0; 1: it is answered. */
static int take_method(struct request *request, const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
		return 0; /* HTTP_GET; libmicrohttpd leaves out the body */
	if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
		answer_options(request);
		return 1;
	}
	for (enum http_method m = 0; m < HTTP_METHOD_COUNT; m++) {
		if (strcmp(method, http_method_name(m)) == 0) {
			request->method = m;
			return 0;
		}
	}
	respond_problem(request, PROBLEM_METHOD_NOT_ALLOWED, NULL);
	return 1;
}

/* How much body is taken is the route's matter. 0; 1: it is answered. */
static int take_body_limit(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	const char *length = request_header(request, "Content-Length"); /* looked at by hygiene_check */
	unsigned methods;
	const struct route *route =
		routes_find(api_routes, api_route_tables, request->method, request->path, request, &methods);

	if (route && (route->flags & ROUTE_LARGE))
		exchange->body.limit = BODY_LARGE_MAX;
	if (!length || strtoull(length, NULL, 10) <= exchange->body.limit)
		return 0;
	exchange->last = true;
	respond_problem(request, PROBLEM_TOO_LARGE, "a body has at most %zu bytes", exchange->body.limit);
	return 1;
}

/* The headers are there. 0; 1: it is answered; -errno: the connection ends. */
static int begin(struct exchange *exchange, const char *method, const char *url, const char *version)
{
	struct request *request = &exchange->request;
	int result = request_init(request, exchange->server->app);

	exchange->since_usec = clock_boottime_usec();
	if (result < 0 || !exchange->target)
		return result < 0 ? result : -ENOMEM;
	request->transport = exchange->connection;
	request->header = find_header;
	take_request_id(request);
	take_source(exchange);
	if (hygiene_check(request, exchange->connection, method, url, exchange->target, version)) {
		exchange->last = true;
		return 1;
	}
	if (request_target(request, exchange->target))
		return 1;
	result = take_method(request, method);
	return result ? result : take_body_limit(exchange);
}

static void add_headers(struct exchange *exchange, struct MHD_Response *response)
{
	const struct request *request = &exchange->request;
	const struct response *answer = &request->response;
	bool cached = false;

	for (uint32_t i = 0; i < answer->header_count; i++) {
		cached = cached || strcmp(answer->headers[i].name, "Cache-Control") == 0;
		(void)MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
	}
	if (answer->content_type)
		(void)MHD_add_response_header(response, "Content-Type", answer->content_type);
	if (!cached)
		(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "X-Request-Id", request->id);
	if (exchange->server->tls)
		(void)MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
	if (exchange->last || exchange->server->app->draining)
		(void)MHD_add_response_header(response, "Connection", "close");
}

static void note(const struct exchange *exchange)
{
	const struct request *request = &exchange->request;
	unsigned status = request->response.status;
	uint64_t usec = clock_boottime_usec() - exchange->since_usec;

	metrics_request(exchange->server->app->metrics, request->route, status, usec);
	/* Paths carry ids and no secrets; queries might, and are left out. */
	log_line(status >= 500 ? LOG_WARNING : LOG_DEBUG, "%s %s %s %s %u %llu us %s", request->id,
		 request->source_text, http_method_name(request->method), request->path, status,
		 (unsigned long long)usec, request->principal.id ? request->principal.id : "-");
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
	struct response *answer = &exchange->request.response;
	struct server *server = exchange->server;
	struct connection *connection = connection_of(exchange->connection);
	static char nothing[1];
	struct MHD_Response *response;

	if (!answer->stream) {
		connection_deadline(server->connections, connection,
				    ANSWER_USEC + answer->body.length / ANSWER_BYTES_PER_SEC * USEC_PER_SEC);
		/* The bytes stay ours until the exchange ends. */
		return MHD_create_response_from_buffer(
			answer->body.length, answer->body.data ? answer->body.data : nothing, MHD_RESPMEM_PERSISTENT);
	}
	response = streams_open(&server->streams, exchange->connection, answer->stream);
	if (response) {
		answer->stream = NULL;
		connection_deadline(server->connections, connection, 0);
	}
	return response;
}

static enum MHD_Result answer(struct exchange *exchange)
{
	bool stream = exchange->request.response.stream != NULL;
	struct MHD_Response *response;
	enum MHD_Result result;

	exchange->state = ANSWERED;
	note(exchange);
	response = make_response(exchange);
	if (!response)
		return MHD_NO;
	add_headers(exchange, response);
	result = MHD_queue_response(exchange->connection, exchange->request.response.status, response);
	MHD_destroy_response(response);
	/* A stream may live for days: its request does not. */
	if (stream)
		request_finish(&exchange->request);
	return result;
}

static void ran(struct job *job)
{
	struct exchange *exchange = (struct exchange *)job;

	MHD_resume_connection(exchange->connection);
}

/* All is read. */
static enum MHD_Result run(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	struct server *server = exchange->server;
	const struct route *route;
	unsigned methods;

	if (exchange->too_large) {
		exchange->last = true;
		respond_problem(request, PROBLEM_TOO_LARGE, "a body has at most %zu bytes", exchange->body.limit);
		return answer(exchange);
	}
	request->raw = buffer_text(&exchange->body);
	request->raw_length = exchange->body.length;
	if (!request->raw)
		return MHD_NO;
	connection_deadline(server->connections, connection_of(exchange->connection), 0);
	route = routes_find(api_routes, api_route_tables, request->method, request->path, request, &methods);
	if (!route || (route->flags & ROUTE_AT_ONCE)) {
		request_run(request);
		return answer(exchange);
	}
	exchange->state = RUNNING;
	exchange->job.done = ran;
	MHD_suspend_connection(exchange->connection);
	if (workers_add(server->workers, &exchange->job) < 0) {
		respond_retry(request, PROBLEM_UNAVAILABLE, RETRY_AFTER_SEC, "too much to do just now");
		MHD_resume_connection(exchange->connection);
	}
	return MHD_YES;
}

enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;
	int result;

	if (!exchange)
		return MHD_NO;
	switch (exchange->state) {
	case READING_HEADERS:
		exchange->state = READING_BODY;
		connection_deadline(exchange->server->connections, connection_of(connection), BODY_USEC);
		result = begin(exchange, method, url, version);
		if (result < 0)
			return MHD_NO;
		return result ? answer(exchange) : MHD_YES;
	case READING_BODY:
		if (*upload_size == 0)
			return run(exchange);
		if (!exchange->too_large && buffer_add(&exchange->body, upload, *upload_size) < 0)
			exchange->too_large = true;
		*upload_size = 0;
		return MHD_YES;
	case RUNNING:
		return answer(exchange);
	case ANSWERED:
		break;
	}
	*upload_size = 0;
	return MHD_YES;
}

void exchange_end(void *context, struct MHD_Connection *mhd_connection, void **state,
		  enum MHD_RequestTerminationCode code)
{
	struct server *server = context;
	struct connection *connection = connection_of(mhd_connection);

	if (!*state)
		return;
	*state = NULL;
	exchange_forget(connection);
	connection_deadline(server->connections, connection, HEADER_USEC);
}
