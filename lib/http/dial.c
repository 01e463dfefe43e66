/* SPDX-License-Identifier: MIT */
#include "http/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/internal.h"

#define URL_MAX 320U

struct call {
	CURLM *multi;
	CURL *easy;
	char error[CURL_ERROR_SIZE];
};

static void call_finish(struct call *call)
{
	if (call->multi && call->easy)
		(void)curl_multi_remove_handle(call->multi, call->easy);
	curl_easy_cleanup(call->easy);
	if (call->multi)
		(void)curl_multi_cleanup(call->multi);
}

static int prepare(struct call *call, const char *host, uint16_t port, uint32_t timeout_ms)
{
	char url[URL_MAX];
	bool failed = false;

	call->multi = curl_multi_init();
	call->easy = curl_easy_init();
	if (!call->multi || !call->easy)
		return -ENOMEM;
	if ((size_t)snprintf(url, sizeof(url), strchr(host, ':') ? "http://[%s]:%u/" : "http://%s:%u/", host, port) >=
	    sizeof(url))
		return -EINVAL;
#define SET(option, value) failed |= curl_easy_setopt(call->easy, option, value) != CURLE_OK
	SET(CURLOPT_URL, url);
	SET(CURLOPT_CONNECT_ONLY, 1L); /* nothing is said */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
	SET(CURLOPT_ERRORBUFFER, call->error);
#undef SET
	return failed || curl_multi_add_handle(call->multi, call->easy) != CURLM_OK ? -ENOMEM : 0;
}

/* Waits for the connection. 1: it is there. */
static int wait_for(struct call *call, uint32_t timeout_ms, int stop_fd, CURLcode *ret)
{
	uint64_t due = clock_boottime_usec() + timeout_ms * USEC_PER_MSEC;
	struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};

	for (;;) {
		int running, left;
		CURLMsg *message;
		uint64_t now;

		if (curl_multi_perform(call->multi, &running) != CURLM_OK)
			return -EIO;
		while ((message = curl_multi_info_read(call->multi, &left)))
			if (message->msg == CURLMSG_DONE) {
				*ret = message->data.result;
				return 1;
			}
		now = clock_boottime_usec();
		if (now >= due)
			return -ETIMEDOUT;
		stop.revents = 0;
		(void)curl_multi_poll(call->multi, &stop, stop_fd >= 0 ? 1 : 0, (int)((due - now) / USEC_PER_MSEC + 1),
				      NULL);
		if (stop.revents)
			return -ECANCELED;
	}
}

static int take_socket(struct call *call, struct problem *problem)
{
	curl_socket_t socket = CURL_SOCKET_BAD;
	int fd;

	if (curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD)
		return problem_set(problem, EIO, "the connection ended at once");
	/* Its own is closed with it. */
	fd = fcntl(socket, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? problem_set(problem, errno, "%s", strerror(errno)) : fd;
}

int dial(const char *host, uint16_t port, uint32_t timeout_ms, int stop_fd, struct problem *problem)
{
	_cleanup_(call_finish) struct call call = {0};
	CURLcode code = CURLE_OK;
	int result = http_global_start();

	if (result == 0)
		result = prepare(&call, host, port, timeout_ms);
	if (result == 0)
		result = wait_for(&call, timeout_ms, stop_fd, &code);
	if (result == -ECANCELED)
		return problem_set(problem, ECANCELED, "it was ended");
	if (result == -ETIMEDOUT || code == CURLE_OPERATION_TIMEDOUT)
		return problem_set(problem, ETIMEDOUT, "%s cannot be reached in time", host);
	if (result < 0)
		return problem_set(problem, -result, "%s", strerror(-result));
	if (code != CURLE_OK)
		return problem_set(problem, EHOSTUNREACH, "%s", call.error[0] ? call.error : curl_easy_strerror(code));
	return take_socket(&call, problem);
}
