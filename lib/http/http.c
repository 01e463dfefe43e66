/* SPDX-License-Identifier: MIT
 *
 * The client: its transfers, and how libcurl is driven by the caller's loop.
 */
#include "http/internal.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/secret.h"

#define CONNECT_TIMEOUT_MS 10000U
#define IDLE_CONNECTIONS_MAX 16L /* kept open for the next request */

/* ---- libcurl's memory: headers and bodies hold tokens -------------------------------------------- */

static void *wiping_realloc(void *memory, size_t size)
{
	size_t old = memory ? malloc_usable_size(memory) : 0;
	void *new = malloc(size);

	if (!new)
		return NULL;
	if (memory)
		memcpy(new, memory, MIN_OF(old, size));
	secret_free_block(memory);
	return new;
}

static CURLcode global_result;

static void global_start(void)
{
	global_result =
		curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_free_block, wiping_realloc, strdup, calloc);
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

	http->curl_due = delay_ms < 0 ? HTTP_NEVER : clock_boottime_usec() + (uint64_t)delay_ms * USEC_PER_MSEC;
	return 0;
}

static int copy_text(char **ret, const char *text)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int http_global_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, global_start);
	return global_result == CURLE_OK ? 0 : -EIO;
}

int http_create(const struct http_options *options, const struct http_hooks *hooks, struct http **ret)
{
	_cleanup_(http_destroyp) struct http *http = NULL;

	if (http_global_start() < 0)
		return -EIO;
	http = calloc(1, sizeof(*http));
	if (!http)
		return -ENOMEM;
	http->curl_due = http->timer_due = HTTP_NEVER;
	http->allow_plain = options->allow_plain;
	http->accept_tls12 = options->accept_tls12;
	http->has_proxy = options->proxy && options->proxy[0];
	http->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	http->multi = curl_multi_init();
	if (http->multi)
		(void)curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
	if (!http->multi || copy_text(&http->ca_file, options->ca_file) < 0 ||
	    copy_text(&http->pin, options->pin) < 0 || copy_text(&http->proxy, options->proxy) < 0 ||
	    copy_text(&http->user_agent, options->user_agent) < 0 ||
	    copy_text(&http->cert_file, options->cert_file) < 0 || copy_text(&http->key_file, options->key_file) < 0)
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

void http_destroy(struct http *http)
{
	if (!http)
		return;
	while (http->transfers)
		http_transfer_free(http->transfers);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	free(http->ca_file);
	free(http->pin);
	secret_free_block(http->proxy); /* may hold a password */
	free(http->user_agent);
	free(http->cert_file);
	free(http->key_file);
	free(http);
}

static uint64_t idle_due(const struct http_transfer *transfer)
{
	return transfer->idle_usec ? transfer->last_byte + transfer->idle_usec : HTTP_NEVER;
}

/* Tells the caller's timer what is due next. Bytes move an idle limit back; looking too early costs nothing. */
static void arm(struct http *http)
{
	uint64_t due = http->curl_due, now;

	if (!http->has_hooks)
		return;
	for (const struct http_transfer *t = http->transfers; t; t = t->next)
		due = MIN_OF(due, idle_due(t));
	if (due == http->timer_due || (due != HTTP_NEVER && due > http->timer_due))
		return;
	now = clock_boottime_usec();
	http->timer_due = due;
	if (http->hooks.timer(http->hooks.context, due == HTTP_NEVER ? UINT64_MAX
						   : due <= now      ? 0
								: (due - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC) < 0)
		http->timer_due = HTTP_NEVER;
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
			http_transfer_free(transfer);
		transfer = next;
	}
	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_transfer *ended = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
		if (ended)
			http_transfer_end(ended, message->data.result);
	}
	for (transfer = http->transfers; transfer;) {
		if (idle_due(transfer) <= clock_boottime_usec()) {
			snprintf(transfer->error, sizeof(transfer->error), "nothing came for %llu seconds",
				 (unsigned long long)(transfer->idle_usec / USEC_PER_SEC));
			http_transfer_finish(transfer, HTTP_TIMED_OUT);
			transfer = http->transfers;
		} else if (!transfer->added) {
			transfer->added = curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK;
			if (!transfer->added)
				http_transfer_finish(transfer, HTTP_OTHER);
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
	result = http_transfer_new(http, request, &transfer);
	if (result < 0)
		return result;
	if (!http->busy) {
		if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
			http_transfer_free(transfer);
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
	http_transfer_free(transfer);
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
	if (http->curl_due == HTTP_NEVER && curl_multi_timeout(http->multi, &delay_ms) == CURLM_OK && delay_ms >= 0)
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
	http->timer_due = HTTP_NEVER;
	http->curl_due = HTTP_NEVER;
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
