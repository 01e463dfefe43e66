/* SPDX-License-Identifier: MIT
 *
 * An HTTPS client on libcurl, for one sd-event-like loop: TLS 1.3 (or 1.2 where the caller says so), system CA store or
 * one file, optional pin of the public key, proxy, limits on sizes and times. Non-blocking: a transfer's callbacks run
 * on the loop's thread.
 *
 * The loop is the caller's: it gives http_hooks that watch descriptors and one timer (agent/feed does it with
 * sd-event); http_wait runs everything by itself, for tenantctl and tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/problem.h"

struct http;          /* the client: connections are shared by its transfers */
struct http_transfer; /* one request */

struct http_options {
	const char *ca_file; /* NULL: the system's */
	const char *pin;     /* "sha256//<base64 of the SHA-256 of the public key>", several by ';'; NULL: none */
	const char *cert_file, *key_file; /* PEM: a client's certificate; NULL: none */
	const char *proxy;                /* URL; NULL or "": none; the environment's no_proxy holds for it */
	const char *user_agent;
	uint32_t connect_timeout_ms; /* 0: 10 000 */
	bool allow_plain;            /* http:// to loopback, for tests; else https only */
	bool accept_tls12;           /* of others' servers, which may have no better; else 1.3 alone */
};
/* Called on the loop's thread. `watch`: events are EPOLLIN/EPOLLOUT bits, 0: no more. `timer`: UINT64_MAX: none. */
struct http_hooks {
	int (*watch)(void *context, int fd, uint32_t events);
	int (*timer)(void *context, uint64_t delay_ms);
	void *context;
};
int http_create(const struct http_options *options, const struct http_hooks *hooks, struct http **ret);
/* Takes NULL; transfers end without a word. Not from a callback. */
void http_destroy(struct http *http);
DEFINE_CLEANUP(struct http, http_destroy)
void http_on_fd(struct http *http, int fd, uint32_t events);
void http_on_timer(struct http *http);
/* Without hooks: runs until all transfers have ended or `timeout_ms` is over (-ETIMEDOUT). */
int http_wait(struct http *http, uint64_t timeout_ms);

enum http_fault {
	HTTP_FINE,     /* there is a status */
	HTTP_NO_NAME,  /* DNS */
	HTTP_NO_ROUTE, /* refused, unreachable */
	HTTP_NO_PROXY,
	HTTP_BAD_PEER, /* certificate, host name, pin, TLS too old */
	HTTP_TIMED_OUT,
	HTTP_CUT, /* ended in the middle */
	HTTP_TOO_LARGE,
	HTTP_STOPPED, /* a callback said so */
	HTTP_OTHER,
};
const char *http_fault_text(enum http_fault fault); /* "the proxy cannot be reached, or says no" */

struct http_answer {
	enum http_fault fault;
	unsigned status;                         /* 0 with a fault */
	int64_t retry_after;                     /* seconds; -1: not said */
	int64_t date;                            /* the server's clock; 0: not said */
	const char *content_type, *etag, *error; /* error: for people, with a fault; "" */
	const char *body;                        /* where no `data` callback took it */
	size_t length;
};
/* May this be asked for? -EINVAL with the reason: no URL, other than https, a user in it. */
int http_url_check(const char *url, bool allow_plain, struct problem *problem);

struct http_request {
	const char *method; /* "GET" */
	const char *url;
	const char *bearer;        /* access token; NULL */
	const char *authorization; /* the whole value of that header instead; NULL */
	const char *content_type;  /* with body */
	const char *accept;
	const char *body;
	size_t body_length; /* copied */
	const char *idempotency_key;
	uint64_t limit;           /* bytes of the answer; 0: 1 MiB */
	uint32_t timeout_ms;      /* of the whole; 0: 30 000; UINT32_MAX: none (streams) */
	uint32_t idle_timeout_ms; /* without a byte; 0: none */
	/* Bytes of a 2xx answer as they come; negative stops. NULL: collected into the answer. */
	int (*data)(void *context, const char *data, size_t length);
	/* Exactly once, unless cancelled. The transfer is gone afterwards. */
	void (*done)(void *context, const struct http_answer *answer);
	void *context;
};
/* 0; -EINVAL: the URL (http_url_check) or a header's text. Both may be called from callbacks. */
int http_start(struct http *http, const struct http_request *request, struct http_transfer **ret);
void http_cancel(struct http_transfer *transfer); /* takes NULL; `done` is not called */
