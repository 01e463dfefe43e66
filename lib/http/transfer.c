/* SPDX-License-Identifier: MIT
 *
 * One request and its answer: what is sent, what is taken, how it ended.
 */
#include "http/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"

#define WHOLE_TIMEOUT_MS 30000U
#define ANSWER_BYTES (1024U * 1024)
#define REFUSAL_BYTES (64U * 1024) /* the body of an answer that is no 2xx */
#define HEADER_BYTES (64U * 1024)  /* of all headers, interim answers' and trailers too */
#define RETRY_AFTER_MAX 86400

void http_transfer_free(struct http_transfer *transfer)
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
	curl_slist_free_all(transfer->headers); /* by secret_free_block */
	secret_free_block(transfer->body);
	buffer_finish(&transfer->answer);
	free(transfer);
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
	transfer->header_bytes += size * count;
	if (transfer->header_bytes <= HEADER_BYTES)
		return size * count;
	/* libcurl keeps them all, and some releases without a limit. */
	transfer->told = HTTP_TOO_LARGE;
	snprintf(transfer->error, sizeof(transfer->error), "the answer's headers are larger than they may be");
	return 0;
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

	if (request->bearer && request->authorization)
		return -EINVAL;
	if (request->bearer) {
		buffer_printf(&bearer, "Bearer %s", request->bearer);
		if (!buffer_text(&bearer))
			return -ENOMEM;
	}
	result = add_header(transfer, "Authorization", request->bearer ? bearer.data : request->authorization);
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

/* Files named as OpenSSL looks for them: eight digits of a hash, and a number. */
static bool is_by_hash(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9';
}

/* The system's folder of authorities, where it can be asked for the one that is needed. */
static const char *authorities_by_hash(void)
{
	const char *folder = curl_version_info(CURLVERSION_NOW)->capath;
	DIR *dir = folder ? opendir(folder) : NULL;
	const struct dirent *entry = NULL;

	if (!dir)
		return NULL;
	while ((entry = readdir(dir)) && !is_by_hash(entry->d_name))
		;
	closedir(dir);
	return entry ? folder : NULL;
}

/* All authorities in memory are a megabyte: by default for each connection. From a folder only the one that is needed
 * is read, and a file alone is parsed once for all connections. */
static bool set_system_authorities(CURL *easy, struct http *http)
{
	const char *file = curl_version_info(CURLVERSION_NOW)->cainfo;

	if (!http->ca_folder)
		http->ca_folder = authorities_by_hash();
	if (http->ca_folder)
		return curl_easy_setopt(easy, CURLOPT_CAPATH, http->ca_folder) == CURLE_OK &&
		       curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK;
	return !file || access(file, R_OK) < 0 || curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
}

static int set_options(struct http_transfer *transfer, const struct http_request *request)
{
	struct http *http = transfer->http;
	const char *method = request->method ? request->method : "GET";
	uint32_t timeout = request->timeout_ms ? request->timeout_ms : WHOLE_TIMEOUT_MS;
	CURL *easy = transfer->easy;
	bool failed = false;

#define SET(option, value) failed |= curl_easy_setopt(easy, option, value) != CURLE_OK
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* whoever gives up on a name does not wait for the resolver */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, http->allow_plain ? "https,http" : "https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)(http->accept_tls12 ? CURL_SSLVERSION_TLSv1_2 : CURL_SSLVERSION_TLSv1_3));
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (http->ca_file) { /* it alone, not beside the system's */
		SET(CURLOPT_CAINFO, http->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	} else {
		failed |= !set_system_authorities(easy, http);
	}
	if (http->cert_file) {
		SET(CURLOPT_SSLCERT, http->cert_file);
		SET(CURLOPT_SSLKEY, http->key_file);
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

int http_transfer_new(struct http *http, const struct http_request *request, struct http_transfer **ret)
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
		http_transfer_free(transfer);
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
		[HTTP_BAD_PEER] = "it does not prove who it is (certificate, name, pin, or TLS too old)",
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

void http_transfer_finish(struct http_transfer *transfer, enum http_fault fault)
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
	http_transfer_free(transfer);
}

void http_transfer_end(struct http_transfer *transfer, CURLcode code)
{
	enum http_fault fault = fault_of(transfer, code);

	if (fault != HTTP_FINE && !transfer->error[0])
		snprintf(transfer->error, sizeof(transfer->error), "%s", curl_easy_strerror(code));
	http_transfer_finish(transfer, fault);
}
