/* SPDX-License-Identifier: MIT
 *
 * The HTTPS client against real servers in this process: each fault has its own name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fakes/fake_tls.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "http/http.h"
#include "unit.h"

#define PRIORITY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define PRIORITY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define PRIORITY_11 "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"

/* ---- servers ----------------------------------------------------------------------------------------- */

/* What the request was, as the server saw it. */
static char seen[1024];

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	if (strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Content-Type") == 0 ||
	    strcasecmp(name, "Idempotency-Key") == 0 || strcasecmp(name, "Accept") == 0)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s: %s\n", name, value);
	return MHD_YES;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *length, void **state)
{
	static char large[300000];
	struct MHD_Response *response;
	unsigned status = 200;
	enum MHD_Result result;

	if (!*state) {
		*state = seen;
		snprintf(seen, sizeof(seen), "%s %s\n", method, url);
		MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, NULL);
		return MHD_YES;
	}
	if (*length) {
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s\n", (int)*length, data);
		*length = 0;
		return MHD_YES;
	}
	memset(large, 'x', sizeof(large));
	if (strcmp(url, "/large") == 0)
		response = MHD_create_response_from_buffer(sizeof(large), large, MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_buffer(5, (void *)(uintptr_t) "hello", MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "ETag", "\"e1\"");
	MHD_add_response_header(response, "Content-Type", "text/plain");
	if (strcmp(url, "/busy") == 0) {
		status = 503;
		MHD_add_response_header(response, "Retry-After", "7");
	} else if (strcmp(url, "/moved") == 0) {
		status = 302;
		MHD_add_response_header(response, "Location", "/large");
	} else if (strcmp(url, "/large-refusal") == 0) {
		MHD_destroy_response(response);
		response = MHD_create_response_from_buffer(sizeof(large), large, MHD_RESPMEM_PERSISTENT);
		status = 500;
	}
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Daemon *serve(const struct fake_tls *tls, const char *priority)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct MHD_Daemon *daemon;

	if (tls)
		daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, answer, NULL,
					  MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_HTTPS_MEM_KEY, tls->key,
					  MHD_OPTION_HTTPS_MEM_CERT, tls->certificate, MHD_OPTION_HTTPS_PRIORITIES,
					  priority, MHD_OPTION_END);
	else
		daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL,
					  MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_END);
	assert_non_null(daemon);
	return daemon;
}

static uint16_t port_of(struct MHD_Daemon *daemon)
{
	return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

/* Takes one connection, reads a request, sends `text`, and then hangs up, or waits until the client does. */
struct raw {
	const char *text;
	bool hang_up;
	int listener;
	uint16_t port;
	pthread_t thread;
};

static void *serve_raw(void *context)
{
	const struct raw *raw = context;
	char bytes[4096];
	int fd = accept(raw->listener, NULL, NULL);

	if (fd < 0)
		return NULL;
	if (read(fd, bytes, sizeof(bytes)) > 0)
		(void)fd_write_all(fd, raw->text, strlen(raw->text));
	while (!raw->hang_up && read(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
	return NULL;
}

static void raw_start(struct raw *raw)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	raw->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(raw->listener >= 0);
	assert_int_equal(bind(raw->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(raw->listener, 4), 0);
	assert_int_equal(getsockname(raw->listener, (struct sockaddr *)&address, &size), 0);
	raw->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&raw->thread, NULL, serve_raw, raw), 0);
}

static void raw_stop(struct raw *raw)
{
	(void)shutdown(raw->listener, SHUT_RDWR);
	pthread_join(raw->thread, NULL);
	close(raw->listener);
}

/* ---- the client's side ---------------------------------------------------------------------------------- */

struct outcome {
	int calls;
	enum http_fault fault;
	unsigned status;
	int64_t retry_after, date;
	char body[65536], error[256], etag[32];
	size_t length, streamed;
	int stop; /* what `data` answers */
};

static void on_done(void *context, const struct http_answer *answer_)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->fault = answer_->fault;
	outcome->status = answer_->status;
	outcome->retry_after = answer_->retry_after;
	outcome->date = answer_->date;
	outcome->length = answer_->length;
	snprintf(outcome->body, sizeof(outcome->body), "%s", answer_->body);
	snprintf(outcome->error, sizeof(outcome->error), "%s", answer_->error);
	snprintf(outcome->etag, sizeof(outcome->etag), "%s", answer_->etag ? answer_->etag : "");
}

static int on_data(void *context, const char *data, size_t length)
{
	struct outcome *outcome = context;

	outcome->streamed += length;
	return outcome->stop;
}

static struct outcome ask(const struct http_options *options, struct http_request request)
{
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct outcome outcome = {.stop = request.context ? *(const int *)request.context : 0};

	assert_int_equal(http_create(options, NULL, &http), 0);
	request.done = on_done;
	request.context = &outcome;
	assert_int_equal(http_start(http, &request, NULL), 0);
	assert_int_equal(http_wait(http, 20000), 0);
	assert_int_equal(outcome.calls, 1);
	/* A fault has words and no status; an answer has a status and no words. */
	assert_int_equal(outcome.fault == HTTP_FINE, outcome.status != 0);
	assert_int_equal(outcome.fault == HTTP_FINE, outcome.error[0] == '\0');
	return outcome;
}

static const struct http_options plain = {.allow_plain = true, .proxy = ""};

static const char *url_of(const char *scheme, const char *host, uint16_t port, const char *path)
{
	static char url[256];

	snprintf(url, sizeof(url), "%s://%s:%u%s", scheme, host, port, path);
	return url;
}

static struct outcome ask_plain(struct MHD_Daemon *daemon, const char *path, struct http_request request)
{
	request.url = url_of("http", "127.0.0.1", port_of(daemon), path);
	return ask(&plain, request);
}

static void test_answers(void **state)
{
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	struct outcome outcome = ask_plain(daemon, "/", (struct http_request){.bearer = "tok", .accept = "text/plain"});

	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome.body, "hello");
	assert_int_equal(outcome.length, 5);
	assert_string_equal(outcome.etag, "\"e1\"");
	assert_int_equal(outcome.retry_after, -1);
	assert_true(llabs(outcome.date - clock_realtime_sec()) < 10);
	assert_non_null(strstr(seen, "GET /\n"));
	assert_non_null(strstr(seen, "Authorization: Bearer tok\n"));
	assert_non_null(strstr(seen, "Accept: text/plain\n"));

	outcome = ask_plain(
		daemon, "/p",
		(struct http_request){.method = "PUT", .body = "{\"a\":1}", .body_length = 7, .idempotency_key = "k1"});
	assert_int_equal(outcome.status, 200);
	assert_non_null(strstr(seen, "PUT /p\n"));
	assert_non_null(strstr(seen, "Content-Type: application/json\n"));
	assert_non_null(strstr(seen, "Idempotency-Key: k1\n"));
	assert_non_null(strstr(seen, "{\"a\":1}\n"));
	assert_null(strstr(seen, "Authorization"));

	outcome = ask_plain(daemon, "/p",
			    (struct http_request){.authorization = "Basic YTpi",
						  .method = "POST",
						  .content_type = "application/x-www-form-urlencoded",
						  .body = "a=b",
						  .body_length = 3});
	assert_int_equal(outcome.status, 200);
	assert_non_null(strstr(seen, "Authorization: Basic YTpi\n"));
	assert_non_null(strstr(seen, "Content-Type: application/x-www-form-urlencoded\n"));

	outcome = ask_plain(daemon, "/p", (struct http_request){.method = "POST", .body = "", .body_length = 0});
	assert_int_equal(outcome.status, 200);
	assert_non_null(strstr(seen, "POST /p\n"));

	outcome = ask_plain(daemon, "/busy", (struct http_request){0});
	assert_int_equal(outcome.status, 503);
	assert_int_equal(outcome.retry_after, 7);
	assert_string_equal(outcome.body, "hello");
	MHD_stop_daemon(daemon);
}

static void test_redirects_are_not_followed(void **state)
{
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	struct outcome outcome = ask_plain(daemon, "/moved", (struct http_request){0});

	assert_int_equal(outcome.status, 302);
	assert_non_null(strstr(seen, "GET /moved\n"));
	MHD_stop_daemon(daemon);
}

static void test_limits(void **state)
{
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	struct outcome outcome = ask_plain(daemon, "/large", (struct http_request){.limit = 299999});

	assert_int_equal(outcome.fault, HTTP_TOO_LARGE);
	outcome = ask_plain(daemon, "/large", (struct http_request){.limit = 300000});
	assert_int_equal(outcome.length, 300000);
	outcome = ask_plain(daemon, "/large", (struct http_request){.limit = 1000, .data = on_data});
	assert_int_equal(outcome.fault, HTTP_TOO_LARGE);
	assert_true(outcome.streamed <= 1000);
	outcome = ask_plain(daemon, "/large", (struct http_request){.data = on_data});
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.streamed, 300000);
	assert_int_equal(outcome.length, 0);
	/* A refusal's text is for a person: never large, and never the caller's data. */
	outcome = ask_plain(daemon, "/large-refusal", (struct http_request){.limit = 1000000, .data = on_data});
	assert_int_equal(outcome.fault, HTTP_TOO_LARGE);
	assert_int_equal(outcome.streamed, 0);
	outcome = ask_plain(daemon, "/busy", (struct http_request){.data = on_data});
	assert_int_equal(outcome.streamed, 0);
	assert_string_equal(outcome.body, "hello");
	MHD_stop_daemon(daemon);
}

static void test_data_stops(void **state)
{
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	int stop = -ECANCELED;
	struct outcome outcome = ask_plain(daemon, "/large", (struct http_request){.data = on_data, .context = &stop});

	assert_int_equal(outcome.fault, HTTP_STOPPED);
	MHD_stop_daemon(daemon);
}

static void test_tls(void **state)
{
	char path[] = "/tmp/test-http-XXXXXX", other_path[] = "/tmp/test-http-XXXXXX";
	int fd = mkstemp(path), other_fd = mkstemp(other_path);
	struct fake_tls tls, other;
	struct http_options options = {.ca_file = path, .proxy = ""};
	struct MHD_Daemon *daemon, *old, *older;
	struct outcome outcome;
	char pins[160];

	fake_tls_make("127.0.0.1", &tls);
	fake_tls_make("127.0.0.1", &other);
	assert_int_equal(fd_write_all(fd, tls.certificate, strlen(tls.certificate)), 0);
	assert_int_equal(fd_write_all(other_fd, other.certificate, strlen(other.certificate)), 0);
	daemon = serve(&tls, PRIORITY_13);
	old = serve(&tls, PRIORITY_12);
	older = serve(&tls, PRIORITY_11);

	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.status, 200);
	options.pin = tls.pin;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.status, 200);
	snprintf(pins, sizeof(pins), "%s;%s", other.pin, tls.pin);
	options.pin = pins;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.status, 200);

	/* The right authority, another key. */
	options.pin = other.pin;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* Another authority, with and without the right key. */
	options = (struct http_options){.ca_file = other_path, .proxy = ""};
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	options.pin = tls.pin;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* The system's authorities do not know it. */
	options = (struct http_options){.proxy = ""};
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* Another name than the certificate's. */
	options.ca_file = path;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "localhost", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* TLS 1.2 only. */
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(old), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* Where 1.2 will do, 1.1 does not, and all else is asked for as before. */
	options.accept_tls12 = true;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(old), "/")});
	assert_int_equal(outcome.status, 200);
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(older), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	outcome = ask(&options, (struct http_request){.url = url_of("https", "localhost", port_of(old), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	options.ca_file = other_path;
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(old), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);
	/* No certificates to trust at all. */
	options.ca_file = "/nonexistent/ca.pem";
	outcome = ask(&options, (struct http_request){.url = url_of("https", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(outcome.fault, HTTP_BAD_PEER);

	MHD_stop_daemon(daemon);
	MHD_stop_daemon(old);
	MHD_stop_daemon(older);
	fake_tls_finish(&tls);
	fake_tls_finish(&other);
	close(fd);
	close(other_fd);
	unlink(path);
	unlink(other_path);
}

static struct outcome ask_raw(struct raw raw, struct http_request request)
{
	struct outcome outcome;

	raw_start(&raw);
	request.url = url_of("http", "127.0.0.1", raw.port, "/");
	outcome = ask(&plain, request);
	raw_stop(&raw);
	return outcome;
}

static void test_cut(void **state)
{
	const struct http_request request = {0};

	assert_int_equal(ask_raw((struct raw){.text = "", .hang_up = true}, request).fault, HTTP_CUT);
	assert_int_equal(
		ask_raw((struct raw){.text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal", .hang_up = true},
			request)
			.fault,
		HTTP_CUT);
	assert_int_equal(ask_raw((struct raw){.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
					      .hang_up = true},
				 request)
				 .fault,
			 HTTP_CUT);
	assert_int_equal(ask_raw((struct raw){.text = "SSH-2.0-OpenSSH_9.2\r\n", .hang_up = true}, request).fault,
			 HTTP_OTHER);
}

static void test_times(void **state)
{
	const char *half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal";
	struct outcome outcome =
		ask_raw((struct raw){.text = half, .hang_up = false}, (struct http_request){.timeout_ms = 100});

	assert_int_equal(outcome.fault, HTTP_TIMED_OUT);
	outcome = ask_raw((struct raw){.text = half, .hang_up = false},
			  (struct http_request){.timeout_ms = UINT32_MAX, .idle_timeout_ms = 100, .data = on_data});
	assert_int_equal(outcome.fault, HTTP_TIMED_OUT);
	assert_int_equal(outcome.streamed, 3);
	outcome = ask_raw((struct raw){.text = "", .hang_up = false}, (struct http_request){.idle_timeout_ms = 100});
	assert_int_equal(outcome.fault, HTTP_TIMED_OUT);
}

static void test_no_way_there(void **state)
{
	struct http_options options = plain;
	struct raw gone = {.text = "", .hang_up = true};
	struct outcome outcome;

	raw_start(&gone);
	raw_stop(&gone);
	outcome = ask(&plain, (struct http_request){.url = url_of("http", "127.0.0.1", gone.port, "/")});
	assert_int_equal(outcome.fault, HTTP_NO_ROUTE);
	outcome = ask(&plain, (struct http_request){.url = "https://name.invalid/"});
	assert_int_equal(outcome.fault, HTTP_NO_NAME);

	/* The proxy is away, has no name, or says no. */
	options.proxy = url_of("http", "127.0.0.1", gone.port, "");
	outcome = ask(&options, (struct http_request){.url = "https://192.0.2.1/"});
	assert_int_equal(outcome.fault, HTTP_NO_PROXY);
	options.proxy = "http://proxy.invalid:3128";
	outcome = ask(&options, (struct http_request){.url = "https://192.0.2.1/"});
	assert_int_equal(outcome.fault, HTTP_NO_PROXY);
	{
		struct raw proxy = {.text = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", .hang_up = true};

		raw_start(&proxy);
		options.proxy = url_of("http", "127.0.0.1", proxy.port, "");
		outcome = ask(&options, (struct http_request){.url = "https://192.0.2.1/", .bearer = "tok"});
		raw_stop(&proxy);
	}
	assert_int_equal(outcome.fault, HTTP_NO_PROXY);
}

static void test_proxy_of_the_environment_is_the_callers_to_name(void **state)
{
	const struct http_options options = {.allow_plain = true};
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	struct raw gone = {.text = "", .hang_up = true};
	struct outcome outcome;

	raw_start(&gone);
	raw_stop(&gone);
	assert_int_equal(setenv("http_proxy", url_of("http", "127.0.0.1", gone.port, ""), 1), 0);
	outcome = ask(&options, (struct http_request){.url = url_of("http", "127.0.0.1", port_of(daemon), "/")});
	assert_int_equal(unsetenv("http_proxy"), 0);
	MHD_stop_daemon(daemon);
	assert_int_equal(outcome.fault, HTTP_FINE);
}

/* ---- on a loop of the caller's ------------------------------------------------------------------------- */

struct loop {
	int epoll;
	uint64_t due; /* CLOCK_BOOTTIME; UINT64_MAX: none */
	struct http *http;
	struct http_transfer *other;
	unsigned started, ended;
	const char *url;
};

static int loop_watch(void *context, int fd, uint32_t events)
{
	const struct loop *loop = context;
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (events == 0)
		return epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int loop_timer(void *context, uint64_t delay_ms)
{
	struct loop *loop = context;

	loop->due = delay_ms == UINT64_MAX ? UINT64_MAX : clock_boottime_usec() + delay_ms * USEC_PER_MSEC;
	return 0;
}

static void loop_run(struct loop *loop, unsigned ended)
{
	while (loop->ended < ended) {
		struct epoll_event events[8];
		uint64_t now = clock_boottime_usec();
		int wait = loop->due == UINT64_MAX ? 10000 : loop->due <= now ? 0 : (int)((loop->due - now) / 1000 + 1);
		int count = epoll_wait(loop->epoll, events, 8, wait);

		assert_true(count > 0 || loop->due != UINT64_MAX); /* else nobody would ever wake it */
		for (int i = 0; i < count; i++)
			http_on_fd(loop->http, events[i].data.fd, events[i].events);
		if (clock_boottime_usec() >= loop->due) {
			loop->due = UINT64_MAX;
			http_on_timer(loop->http);
		}
	}
}

static void start_next(void *context, const struct http_answer *answer_);

static int start_in_data(void *context, const char *data, size_t length)
{
	struct loop *loop = context;

	/* Inside libcurl: both wait until it is out again. */
	if (loop->started < 3) {
		loop->started++;
		assert_int_equal(http_start(loop->http,
					    &(struct http_request){.url = loop->url,
								   .data = start_in_data,
								   .done = start_next,
								   .context = loop},
					    NULL),
				 0);
	}
	http_cancel(loop->other);
	loop->other = NULL;
	return 0;
}

static void start_next(void *context, const struct http_answer *answer_)
{
	struct loop *loop = context;

	assert_int_equal(answer_->status, 200);
	loop->ended++;
}

static void never_done(void *context, const struct http_answer *answer_)
{
	fail_msg("%s", "a cancelled transfer ended");
}

static void test_loop(void **state)
{
	struct MHD_Daemon *daemon = serve(NULL, NULL);
	struct raw silent = {.text = "", .hang_up = false};
	struct loop loop = {.epoll = epoll_create1(EPOLL_CLOEXEC), .due = UINT64_MAX, .started = 1};
	const struct http_hooks hooks = {loop_watch, loop_timer, &loop};
	char url[64], silent_url[64];

	raw_start(&silent);
	snprintf(silent_url, sizeof(silent_url), "http://127.0.0.1:%u/", silent.port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/large", port_of(daemon));
	loop.url = url;
	assert_int_equal(http_create(&plain, &hooks, &loop.http), 0);
	assert_int_equal(http_wait(loop.http, 0), -EINVAL);
	assert_int_equal(
		http_start(loop.http, &(struct http_request){.url = silent_url, .done = never_done}, &loop.other), 0);
	assert_int_equal(http_start(loop.http,
				    &(struct http_request){
					    .url = url, .data = start_in_data, .done = start_next, .context = &loop},
				    NULL),
			 0);
	loop_run(&loop, 3);
	assert_null(loop.other);

	/* What is under way when the client goes ends without a word. */
	assert_int_equal(http_start(loop.http, &(struct http_request){.url = url, .done = never_done}, NULL), 0);
	http_destroy(loop.http);
	close(loop.epoll);
	raw_stop(&silent);
	MHD_stop_daemon(daemon);
}

static void on_idle(void *context, const struct http_answer *answer_)
{
	struct loop *loop = context;

	assert_int_equal(answer_->fault, HTTP_TIMED_OUT);
	loop->ended++;
}

static void test_idle_limit_on_a_loop(void **state)
{
	struct raw silent = {.text = "HTTP/1.1 200 OK\r\n\r\ndata", .hang_up = false};
	struct loop loop = {.epoll = epoll_create1(EPOLL_CLOEXEC), .due = UINT64_MAX};
	const struct http_hooks hooks = {loop_watch, loop_timer, &loop};
	char url[64];

	raw_start(&silent);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", silent.port);
	assert_int_equal(http_create(&plain, &hooks, &loop.http), 0);
	assert_int_equal(http_start(loop.http,
				    &(struct http_request){.url = url,
							   .timeout_ms = UINT32_MAX,
							   .idle_timeout_ms = 150,
							   .done = on_idle,
							   .context = &loop},
				    NULL),
			 0);
	loop_run(&loop, 1);
	http_destroy(loop.http);
	close(loop.epoll);
	raw_stop(&silent);
}

static void test_headers_without_end(void **state)
{
	struct buffer text = BUFFER_INIT;
	struct outcome outcome;

	buffer_add_text(&text, "HTTP/1.1 200 OK\r\n");
	for (unsigned i = 0; i < 2000; i++)
		buffer_printf(&text, "X-%u: 0123456789012345678901234567890123456789\r\n", i);
	outcome = ask_raw((struct raw){.text = buffer_text(&text)}, (struct http_request){.timeout_ms = 5000});
	assert_int_equal(outcome.fault, HTTP_TOO_LARGE);
	/* Nor before the answer. */
	buffer_clear(&text);
	for (unsigned i = 0; i < 4000; i++)
		buffer_add_text(&text, "HTTP/1.1 103 Early Hints\r\n\r\n");
	outcome = ask_raw((struct raw){.text = buffer_text(&text)}, (struct http_request){.timeout_ms = 5000});
	assert_int_equal(outcome.fault, HTTP_TOO_LARGE);
	buffer_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_redirects_are_not_followed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_data_stops),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_headers_without_end),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_way_there),
		cmocka_unit_test(test_proxy_of_the_environment_is_the_callers_to_name),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_idle_limit_on_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
