/* SPDX-License-Identifier: MIT */
#include "control_plane/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/parse.h"
#include "control_plane/api/routes.h"
#include "control_plane/http/metrics.h"
#include "control_plane/http/server_internal.h"

#define IO_THREADS 2U
#define BACKLOG 4096
#define QUEUE_MAX 1024U
#define CONNECTIONS_BESIDE_STREAMS 4096U
#define CONNECTION_BYTES 12288U /* headers and one block of an answer */
#define IDLE_SEC 30U
#define HANDSHAKE_USEC (20ULL * 1000000)
#define PEER_LOST_MSEC 60000U /* unacknowledged for so long: gone */
#define LOG_MAX 512U

/* TLS 1.3 alone. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static void log_mhd(void *context, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
static void log_mhd(void *context, const char *format, va_list arguments)
{
	char text[LOG_MAX];

	/* What peers do wrong is no news. */
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libmicrohttpd: %s", text);
}

static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

/* Connections begin and end. */
static void notify(void *context, struct MHD_Connection *connection, void **state,
		   enum MHD_ConnectionNotificationCode code)
{
	struct server *server = context;
	const union MHD_ConnectionInfo *info;
	unsigned lost = PEER_LOST_MSEC;
	int on = 1;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*state)
			exchange_forget(*state);
		connections_remove(server->connections, *state);
		*state = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info)
		return;
	/* Half-open connections are found out even when there is nothing to send. */
	(void)setsockopt(info->connect_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost, sizeof(lost));
	*state = connections_add(server->connections, info->connect_fd);
	connection_deadline(server->connections, *state, HANDSHAKE_USEC);
}

static void collect(void *context, struct buffer *out)
{
	struct server *server = context;
	struct worker_counts workers = workers_counts(server->workers);

	metrics_put(out, "http_connections", METRIC_GAUGE, "Open connections.", connections_count(server->connections));
	metrics_put(out, "http_streams", METRIC_GAUGE, "Answers that are streams.", streams_count(&server->streams));
	metrics_put(out, "http_queued", METRIC_GAUGE, "Requests that wait for a worker.", workers.queued);
	metrics_put(out, "http_running", METRIC_GAUGE, "Requests that a worker runs.", workers.running);
	metrics_put(out, "http_waiting", METRIC_GAUGE, "Requests that wait for hosts.", workers.waiting);
	metrics_put(out, "http_refused", METRIC_COUNTER, "Requests that found the queue full.",
		    (double)workers.refused);
}

static int open_listener(const struct config *config, int *ret, struct problem *problem)
{
	bool six = strchr(config->listen_address, ':') != NULL;
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(config->listen_port)};
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(config->listen_port)};
	_cleanup_(closep) int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, result;

	if (fd < 0)
		return problem_set(problem, errno, "no socket: %s", strerror(errno));
	if (inet_pton(six ? AF_INET6 : AF_INET, config->listen_address,
		      six ? (void *)&address6.sin6_addr : (void *)&address4.sin_addr) != 1)
		return problem_set(problem, EINVAL, "'%s' is not an address", config->listen_address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (six)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	result = six ? bind(fd, (struct sockaddr *)&address6, sizeof(address6))
		     : bind(fd, (struct sockaddr *)&address4, sizeof(address4));
	if (result < 0 || listen(fd, BACKLOG) < 0)
		return problem_set(problem, errno, "cannot listen on %s, port %u: %s", config->listen_address,
				   config->listen_port, strerror(errno));
	*ret = TAKE_FD(fd);
	return 0;
}

static int start_daemon(struct server *server, struct problem *problem)
{
	const struct config *config = server->app->config;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES},
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_retrieve},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	if (server->tls)
		flags |= MHD_USE_TLS;
	server->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, exchange_handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
		MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_THREAD_POOL_SIZE, IO_THREADS,
		MHD_OPTION_CONNECTION_LIMIT, config->streams + CONNECTIONS_BESIDE_STREAMS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, server,
		MHD_OPTION_NOTIFY_CONNECTION, notify, server, MHD_OPTION_ARRAY, server->tls ? tls : plain,
		MHD_OPTION_END);
	if (server->daemon)
		return 0;
	return problem_set(problem, EIO, "libmicrohttpd does not start: see the messages at log_level debug");
}

static int open_parts(struct server *server, struct problem *problem)
{
	const struct config *config = server->app->config;
	int result = routes_check(api_routes, api_route_tables, problem);

	if (result == 0 && config->tls_certificate)
		result = tls_load(config->tls_certificate, config->tls_key, &server->tls, problem);
	if (result < 0)
		return result;
	result = connections_create(&server->connections);
	if (result == 0)
		result = workers_create(config->workers, QUEUE_MAX, &server->workers);
	if (result == 0)
		result = metrics_register(server->app->metrics, collect, server);
	if (result < 0)
		return problem_set(problem, -result, "%s", strerror(-result));
	result = open_listener(config, &server->listener, problem);
	return result < 0 ? result : start_daemon(server, problem);
}

int server_start(struct app *app, struct server **ret, struct problem *problem)
{
	struct server *server = calloc(1, sizeof(*server));
	int result;

	if (!server)
		return -ENOMEM;
	server->app = app;
	server->listener = -1;
	streams_init(&server->streams);
	result = open_parts(server, problem);
	if (result < 0) {
		server_stop(server);
		return result;
	}
	*ret = server;
	return 0;
}

int server_reload(struct server *server, struct problem *problem)
{
	return server->tls ? tls_reload(server->tls, problem) : 0;
}

uint32_t server_busy(struct server *server)
{
	return atomic_load(&server->exchanges);
}

uint64_t server_longest_usec(struct server *server)
{
	return workers_counts(server->workers).longest_usec;
}

void server_quiesce(struct server *server)
{
	MHD_socket listener = MHD_quiesce_daemon(server->daemon);

	if (listener != MHD_INVALID_SOCKET && listener >= 0)
		close(listener);
	server->listener = -1;
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	/* libmicrohttpd must have nothing suspended when it is stopped. */
	if (server->daemon && server->listener >= 0)
		server_quiesce(server);
	workers_destroy(server->workers);
	streams_cut(&server->streams);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	if (server->listener >= 0)
		close(server->listener);
	connections_destroy(server->connections);
	streams_finish(&server->streams);
	tls_free(server->tls);
	free(server);
}
