/* SPDX-License-Identifier: MIT
 *
 * The client's and its transfers' own state, for the files of this folder.
 */
#pragma once

#include <curl/curl.h>

#include "base/buffer.h"
#include "http/http.h"

#define HTTP_NEVER UINT64_MAX

struct http {
	CURLM *multi;
	struct http_hooks hooks;
	bool has_hooks, has_proxy, allow_plain, accept_tls12;
	char *ca_file, *pin, *proxy, *user_agent, *cert_file, *key_file;
	const char *ca_folder; /* of the system's authorities, by hash; NULL: not seen yet */
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
	size_t header_bytes;
	enum http_fault told; /* why a callback of ours stopped it */
	bool added;           /* in the multi handle */
	bool cancelled;       /* while busy: to be freed when that ends */
	char error[CURL_ERROR_SIZE];
};

int http_global_start(void); /* before anything of libcurl's; any number of times. 0, -EIO */

int http_transfer_new(struct http *http, const struct http_request *request, struct http_transfer **ret);
void http_transfer_free(struct http_transfer *transfer);
/* Says how it ended, and frees it. */
void http_transfer_end(struct http_transfer *transfer, CURLcode code);
void http_transfer_finish(struct http_transfer *transfer, enum http_fault fault);
