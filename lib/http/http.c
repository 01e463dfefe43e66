/* SPDX-License-Identifier: MIT */
#include "http/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"

#define CONNECT_TIMEOUT_MS 10000U
#define WHOLE_TIMEOUT_MS 30000U
#define ANSWER_BYTES (1024U * 1024)
#define REFUSAL_BYTES (64U * 1024) /* the body of an answer that is no 2xx */
#define RETRY_AFTER_MAX 86400
#define NEVER UINT64_MAX

struct http {
	CURLM *multi;
	struct http_hooks hooks;
	bool has_hooks, has_proxy, allow_plain;
	char *ca_file, *pin, *proxy, *user_agent;
	uint32_t connect_timeout_ms;
	struct http_transfer *transfers;
	bool busy;          /* inside libcurl, which takes no starts or cancels then */
	uint64_t curl_due;  /* when libcurl wants to be called, CLOCK_BOOTTIME */
	uint64_t timer_due; /* what the hook was told */
};

struct http_transfer {
	struct http_transfer *previous, *next;
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct http_request request; /* of its strings only what was copied is used */
	char *body;
	struct buffer answer;
	uint64_t received, limit, last_byte, idle_usec;
	enum http_fault told; /* why a callback of ours stopped it */
	bool added;           /* in the multi handle */
	bool cancelled;       /* while busy: to be freed when that ends */
	char error[CURL_ERROR_SIZE];
};

/* ---- libcurl's memory: headers and bodies hold tokens -------------------------------------------- */

static void wiping_free(void *memory)
{
	if (memory)
		secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

static void *wiping_realloc(void *memory, size_t size)
{
	size_t old = memory ? malloc_usable_size(memory) : 0;
	void *new = malloc(size);

	if (!new)
		return NULL;
	if (memory)
		memcpy(new, memory, MIN_OF(old, size));
	wiping_free(memory);
	return new;
}

static CURLcode global_result;

static void global_start(void)
{
	global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
}

/* ---- what it may connect to ----------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;
	size_t length = strlen(host);

	if (text_equal(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (length < 3 || length >= sizeof(text) || host[0] != '[')
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)length - 2, host + 1);
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int http_url_check(const char *url, bool allow_plain, struct problem *problem)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL, *host = NULL;
	int result = 0;

	if (!parsed)
		return -ENOMEM;
	if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		problem_remedy(problem, "give it as https://host or https://host:port");
		result = problem_set(problem, EINVAL, "this is not a URL that can be used");
	} else if (!text_equal(scheme, "https") && !(allow_plain && text_equal(scheme, "http") && is_loopback(host))) {
		problem_remedy(problem, "give it as https://host or https://host:port");
		result = problem_set(problem, EINVAL, "only https can be used");
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
	return result;
}

/* ---- the client ------------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	const struct http *http = context;
	uint32_t events = what == CURL_POLL_IN      ? EPOLLIN
			  : what == CURL_POLL_OUT   ? EPOLLOUT
			  : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
						    : 0;

	return http->hooks.watch(http->hooks.context, fd, events) < 0 ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long delay_ms, void *context)
{
	struct http *http = context;

	http->curl_due = delay_ms < 0 ? NEVER : clock_boottime_usec() + (uint64_t)delay_ms * USEC_PER_MSEC;
	return 0;
}

static int copy_text(char **ret, const char *text)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int http_create(const struct http_options *options, const struct http_hooks *hooks, struct http **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(http_destroyp) struct http *http = NULL;

	pthread_once(&once, global_start);
	if (global_result != CURLE_OK)
		return -EIO;
	http = calloc(1, sizeof(*http));
	if (!http)
		return -ENOMEM;
	http->curl_due = http->timer_due = NEVER;
	http->allow_plain = options->allow_plain;
	http->has_proxy = options->proxy && options->proxy[0];
	http->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	http->multi = curl_multi_init();
	if (!http->multi || copy_text(&http->ca_file, options->ca_file) < 0 ||
	    copy_text(&http->pin, options->pin) < 0 || copy_text(&http->proxy, options->proxy) < 0 ||
	    copy_text(&http->user_agent, options->user_agent) < 0)
		return -ENOMEM;
	if (hooks) {
		http->hooks = *hooks;
		http->has_hooks = true;
		if (curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK ||
		    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
		    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) != CURLM_OK)
			return -EIO;
	}
	*ret = TAKE_PTR(http);
	return 0;
}

static void transfer_free(struct http_transfer *transfer)
{
	struct http *http = transfer->http;

	if (transfer->added)
		(void)curl_multi_remove_handle(http->multi, transfer->easy);
	if (transfer->previous)
		transfer->previous->next = transfer->next;
	else if (http->transfers == transfer)
		http->transfers = transfer->next;
	if (transfer->next)
		transfer->next->previous = transfer->previous;
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers); /* by wiping_free */
	wiping_free(transfer->body);
	buffer_finish(&transfer->answer);
	free(transfer);
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	while (http->transfers)
		transfer_free(http->transfers);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	free(http->ca_file);
	free(http->pin);
	wiping_free(http->proxy); /* may hold a password */
	free(http->user_agent);
	free(http);
}

/* ---- one transfer ----------------------------------------------------------------------------------- */

static size_t on_bytes(char *data, size_t size, size_t count, void *context)
{
	struct http_transfer *transfer = context;
	size_t length = size * count;
	long status = 0;
	int result;

	if (transfer->cancelled)
		return 0;
	transfer->last_byte = clock_boottime_usec();
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->received += length;
	if (transfer->received > (status >= 200 && status < 300 ? transfer->limit : REFUSAL_BYTES)) {
		transfer->told = HTTP_TOO_LARGE;
		snprintf(transfer->error, sizeof(transfer->error), "the answer is larger than it may be");
		return 0;
	}
	if (status >= 200 && status < 300 && transfer->request.data)
		result = transfer->request.data(transfer->request.context, data, length);
	else
		result = buffer_add(&transfer->answer, data, length);
	/* Zero would be no sign for an empty piece, but libcurl never hands one over. */
	if (result >= 0)
		return length;
	if (!transfer->told)
		transfer->told = HTTP_STOPPED;
	return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct http_transfer *transfer = context;

	transfer->last_byte = clock_boottime_usec();
	return size * count;
}

static int add_header(struct http_transfer *transfer, const char *name, const char *value)
{
	_cleanup_(buffer_finish) struct buffer line = {.wipe = true};
	struct curl_slist *list;

	if (!value)
		return 0;
	/* A line end would begin another header. */
	if (strpbrk(value, "\r\n"))
		return -EINVAL;
	buffer_printf(&line, "%s: %s", name, value);
	list = line.failed ? NULL : curl_slist_append(transfer->headers, buffer_text(&line));
	if (!list)
		return -ENOMEM;
	transfer->headers = list;
	return 0;
}

static int set_headers(struct http_transfer *transfer, const struct http_request *request)
{
	_cleanup_(buffer_finish) struct buffer bearer = {.wipe = true};
	int result;

	if (request->bearer) {
		buffer_printf(&bearer, "Bearer %s", request->bearer);
		if (!buffer_text(&bearer))
			return -ENOMEM;
	}
	result = add_header(transfer, "Authorization", request->bearer ? bearer.data : NULL);
	if (result == 0)
		result = add_header(transfer, "Content-Type",
				    request->body ? (request->content_type ? request->content_type : "application/json")
						  : NULL);
	if (result == 0)
		result = add_header(transfer, "Accept", request->accept);
	if (result == 0)
		result = add_header(transfer, "Idempotency-Key", request->idempotency_key);
	if (result == 0) { /* no "Expect: 100-continue" */
		struct curl_slist *list = curl_slist_append(transfer->headers, "Expect:");

		if (!list)
			return -ENOMEM;
		transfer->headers = list;
	}
	return result;
}

static int set_options(struct http_transfer *transfer, const struct http_request *request)
{
	const struct http *http = transfer->http;
	const char *method = request->method ? request->method : "GET";
	uint32_t timeout = request->timeout_ms ? request->timeout_ms : WHOLE_TIMEOUT_MS;
	CURL *easy = transfer->easy;
	bool failed = false;

#define SET(option, value) failed |= curl_easy_setopt(easy, option, value) != CURLE_OK
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, http->allow_plain ? "https,http" : "https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (http->ca_file) { /* it alone, not beside the system's */
		SET(CURLOPT_CAINFO, http->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (http->pin)
		SET(CURLOPT_PINNEDPUBLICKEY, http->pin);
	SET(CURLOPT_PROXY, http->proxy ? http->proxy : ""); /* never the environment's without the caller's knowledge */
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);  /* a proxy gets none of ours */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, timeout == UINT32_MAX ? 0L : (long)timeout);
	SET(CURLOPT_ERRORBUFFER, transfer->error);
	SET(CURLOPT_WRITEFUNCTION, on_bytes);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	SET(CURLOPT_USERAGENT, http->user_agent ? http->user_agent : "tenantd/" TENANTD_VERSION);
	if (transfer->body) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
		SET(CURLOPT_POSTFIELDS, transfer->body);
	}
	if (!text_equal(method, "GET") || transfer->body)
		SET(CURLOPT_CUSTOMREQUEST, method);
#undef SET
	return failed ? -ENOMEM : 0;
}

static int transfer_new(struct http *http, const struct http_request *request, struct http_transfer **ret)
{
	struct http_transfer *transfer = calloc(1, sizeof(*transfer));
	int result = 0;

	if (!transfer)
		return -ENOMEM;
	transfer->http = http;
	transfer->next = http->transfers;
	if (http->transfers)
		http->transfers->previous = transfer;
	http->transfers = transfer;
	transfer->request.data = request->data;
	transfer->request.done = request->done;
	transfer->request.context = request->context;
	transfer->limit = request->limit ? request->limit : ANSWER_BYTES;
	transfer->idle_usec = request->idle_timeout_ms * USEC_PER_MSEC;
	transfer->last_byte = clock_boottime_usec();
	transfer->answer.wipe = true;
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		result = -ENOMEM;
	if (result == 0 && request->body) {
		transfer->body = malloc(request->body_length + 1);
		if (transfer->body) {
			memcpy(transfer->body, request->body, request->body_length);
			transfer->body[request->body_length] = '\0';
		} else {
			result = -ENOMEM;
		}
	}
	if (result == 0)
		result = set_headers(transfer, request);
	if (result == 0)
		result = set_options(transfer, request);
	if (result < 0) {
		transfer_free(transfer);
		return result;
	}
	*ret = transfer;
	return 0;
}

const char *http_fault_text(enum http_fault fault)
{
	static const char *const texts[] = {
		[HTTP_FINE] = "answered",
		[HTTP_NO_NAME] = "its name cannot be resolved",
		[HTTP_NO_ROUTE] = "it cannot be reached",
		[HTTP_NO_PROXY] = "the proxy cannot be reached, or says no",
		[HTTP_BAD_PEER] = "it does not prove who it is (certificate, name, pin, or TLS below 1.3)",
		[HTTP_TIMED_OUT] = "it does not answer in time",
		[HTTP_CUT] = "the connection ended in the middle",
		[HTTP_TOO_LARGE] = "its answer is larger than it may be",
		[HTTP_STOPPED] = "its answer could not be used",
		[HTTP_OTHER] = "the transfer failed",
	};

	return (unsigned)fault < ARRAY_LEN(texts) ? texts[fault] : texts[HTTP_OTHER];
}

/* ---- how it ended ------------------------------------------------------------------------------------ */

static enum http_fault fault_of(const struct http_transfer *transfer, CURLcode code)
{
	long proxy_status = 0;

	if (transfer->told)
		return transfer->told;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	if (code != CURLE_OK && proxy_status != 0 && proxy_status / 100 != 2)
		return HTTP_NO_PROXY;
	switch ((int)code) {
	case CURLE_OK:
		return HTTP_FINE;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_NO_NAME;
	case CURLE_COULDNT_CONNECT: /* with a proxy, it is the one that we connect to */
		return transfer->http->has_proxy ? HTTP_NO_PROXY : HTTP_NO_ROUTE;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		return HTTP_NO_PROXY;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_USE_SSL_FAILED:
		return HTTP_BAD_PEER;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_TIMED_OUT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return HTTP_CUT;
	default:
		return HTTP_OTHER;
	}
}

static const char *header_of(const struct http_transfer *transfer, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

static void finish(struct http_transfer *transfer, enum http_fault fault)
{
	struct http_answer answer = {.fault = fault, .retry_after = -1, .error = "", .body = ""};
	void (*done)(void *, const struct http_answer *) = transfer->request.done;
	void *context = transfer->request.context;
	const char *text;
	long status = 0;

	if (fault == HTTP_FINE) {
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
		answer.status = (unsigned)status;
		answer.content_type = header_of(transfer, "Content-Type");
		answer.etag = header_of(transfer, "ETag");
		if (header_of(transfer, "Retry-After")) {
			curl_off_t after = 0;

			(void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &after);
			answer.retry_after = MIN_OF(after, RETRY_AFTER_MAX);
		}
		text = header_of(transfer, "Date");
		answer.date = text ? MAX_OF(curl_getdate(text, NULL), 0) : 0;
		answer.length = transfer->answer.length;
		if (answer.length)
			answer.body = buffer_text(&transfer->answer);
		if (!answer.body) {
			answer = (struct http_answer){.fault = HTTP_OTHER, .retry_after = -1, .body = ""};
			answer.error = "out of memory";
		}
	} else {
		answer.error = transfer->error;
	}
	done(context, &answer);
	transfer_free(transfer);
}

static void end_with(struct http_transfer *transfer, CURLcode code)
{
	enum http_fault fault = fault_of(transfer, code);

	if (fault != HTTP_FINE && !transfer->error[0])
		snprintf(transfer->error, sizeof(transfer->error), "%s", curl_easy_strerror(code));
	finish(transfer, fault);
}

static uint64_t idle_due(const struct http_transfer *transfer)
{
	return transfer->idle_usec ? transfer->last_byte + transfer->idle_usec : NEVER;
}

/* Tells the caller's timer what is due next. Bytes move an idle limit back; looking too early costs nothing. */
static void arm(struct http *http)
{
	uint64_t due = http->curl_due, now;

	if (!http->has_hooks)
		return;
	for (const struct http_transfer *t = http->transfers; t; t = t->next)
		due = MIN_OF(due, idle_due(t));
	if (due == http->timer_due || (due != NEVER && due > http->timer_due))
		return;
	now = clock_boottime_usec();
	http->timer_due = due;
	if (http->hooks.timer(http->hooks.context, due == NEVER ? UINT64_MAX
						   : due <= now ? 0
								: (due - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC) < 0)
		http->timer_due = NEVER;
}

/* What came up while libcurl was at work: transfers that ended, were cancelled or started. A callback may do any of
 * these again, so each step begins at the list's head. */
static void settle(struct http *http)
{
	struct http_transfer *transfer;
	CURLMsg *message;
	int left;

	for (transfer = http->transfers; transfer;) {
		struct http_transfer *next = transfer->next;

		if (transfer->cancelled)
			transfer_free(transfer);
		transfer = next;
	}
	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_transfer *ended = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
		if (ended)
			end_with(ended, message->data.result);
	}
	for (transfer = http->transfers; transfer;) {
		if (idle_due(transfer) <= clock_boottime_usec()) {
			snprintf(transfer->error, sizeof(transfer->error), "nothing came for %llu seconds",
				 (unsigned long long)(transfer->idle_usec / USEC_PER_SEC));
			finish(transfer, HTTP_TIMED_OUT);
			transfer = http->transfers;
		} else if (!transfer->added) {
			transfer->added = curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK;
			if (!transfer->added)
				finish(transfer, HTTP_OTHER);
			transfer = http->transfers;
		} else {
			transfer = transfer->next;
		}
	}
}

int http_start(struct http *http, const struct http_request *request, struct http_transfer **ret)
{
	struct http_transfer *transfer = NULL;
	int result = http_url_check(request->url, http->allow_plain, &(struct problem){0});

	if (result < 0)
		return result;
	result = transfer_new(http, request, &transfer);
	if (result < 0)
		return result;
	if (!http->busy) {
		if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
			transfer_free(transfer);
			return -ENOMEM;
		}
		transfer->added = true;
		arm(http);
	}
	if (ret)
		*ret = transfer;
	return 0;
}

void http_cancel(struct http_transfer *transfer)
{
	struct http *http;

	if (!transfer)
		return;
	http = transfer->http;
	if (http->busy) {
		transfer->cancelled = true;
		return;
	}
	transfer_free(transfer);
	arm(http);
}

static void act(struct http *http, curl_socket_t fd, int events)
{
	int running;
	long delay_ms = -1;

	http->busy = true;
	(void)curl_multi_socket_action(http->multi, fd, events, &running);
	http->busy = false;
	settle(http);
	/* libcurl does not repeat itself when it was asked a little too early. */
	if (http->curl_due == NEVER && curl_multi_timeout(http->multi, &delay_ms) == CURLM_OK && delay_ms >= 0)
		(void)on_curl_timer(http->multi, MAX_OF(delay_ms, 1L), http);
	arm(http);
}

void http_on_fd(struct http *http, int fd, uint32_t events)
{
	act(http, fd,
	    (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		    (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

void http_on_timer(struct http *http)
{
	http->timer_due = NEVER;
	http->curl_due = NEVER;
	act(http, CURL_SOCKET_TIMEOUT, 0);
}

int http_wait(struct http *http, uint64_t timeout_ms)
{
	uint64_t end = clock_boottime_usec() + timeout_ms * USEC_PER_MSEC;

	if (http->has_hooks)
		return -EINVAL;
	for (;;) {
		uint64_t now, due = end;
		int running;

		http->busy = true;
		(void)curl_multi_perform(http->multi, &running);
		http->busy = false;
		settle(http);
		if (!http->transfers)
			return 0;
		now = clock_boottime_usec();
		if (now >= end)
			return -ETIMEDOUT;
		for (const struct http_transfer *t = http->transfers; t; t = t->next)
			due = MIN_OF(due, idle_due(t));
		if (due > now)
			(void)curl_multi_poll(http->multi, NULL, 0, (int)MIN_OF((due - now) / USEC_PER_MSEC + 1, 1000U),
					      NULL);
	}
}
