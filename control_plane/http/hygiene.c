/* SPDX-License-Identifier: MIT
 *
 * What libmicrohttpd lets through and we do not. Whoever stands in front of us may understand an ambiguous request in
 * another way than we do; then one request is two for one side. So what can be read in two ways is refused, and the
 * connection ends.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control_plane/http/server_internal.h"

#define HEADERS_MAX 64U
#define HEADER_VALUE_MAX 8192U

/* Those that mean something here, and of which there can only be one. */
static const char *const single[] = {
	"Host",     "Content-Length", "Transfer-Encoding", "Content-Type", "Authorization",    "Idempotency-Key",
	"If-Match", "If-None-Match",  "X-Request-Id",      "Expect",       "Content-Encoding", "Last-Event-ID",
};

struct headers {
	const char *fault;
	uint32_t count, seen;
	const char *next; /* where the next line begins */
	const char *length, *encoding;
};

static bool is_token(const char *text, size_t length)
{
	static const char chars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return length > 0 && strspn(text, chars) == length;
}

static bool is_value(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
			return false;
	return length <= HEADER_VALUE_MAX;
}

static enum MHD_Result look_at(void *context, enum MHD_ValueKind kind, const char *key, size_t key_size,
			       const char *value, size_t value_size)
{
	struct headers *headers = context;

	if (!is_token(key, key_size) || (value && !is_value(value, value_size))) {
		headers->fault = "a header is not well-formed";
		return MHD_NO;
	}
	if (key != headers->next) {
		headers->fault = "the headers are not well-formed";
		return MHD_NO;
	}
	headers->next = (value ? value + value_size : key + key_size + strlen(":")) + strlen("\r\n");
	if (++headers->count > HEADERS_MAX) {
		headers->fault = "too many headers";
		return MHD_NO;
	}
	for (size_t i = 0; i < ARRAY_LEN(single); i++) {
		if (strcasecmp(single[i], key) != 0)
			continue;
		if (headers->seen & 1U << i) {
			headers->fault = "a header that can only be there once is there twice";
			return MHD_NO;
		}
		headers->seen |= 1U << i;
	}
	if (strcasecmp(key, "Content-Length") == 0)
		headers->length = value ? value : "";
	if (strcasecmp(key, "Transfer-Encoding") == 0)
		headers->encoding = value ? value : "";
	return MHD_YES;
}

static const char *framing_fault(const struct headers *headers)
{
	if (headers->length && headers->encoding)
		return "Content-Length and Transfer-Encoding contradict each other";
	if (headers->encoding && strcasecmp(headers->encoding, "chunked") != 0)
		return "chunked is the one Transfer-Encoding that is taken";
	if (headers->length && (!headers->length[0] || strlen(headers->length) > 18 ||
				strspn(headers->length, "0123456789") < strlen(headers->length)))
		return "Content-Length is not a number";
	return NULL;
}

/* libmicrohttpd cuts texts at a NUL, takes CR or LF alone as a line's end and joins folded lines, and shows none of it.
 * But it leaves everything where it was received: so the parts must stand behind one another, with what is between them
 * and nothing else. (Were they ever copied, every request would be refused, and every test fail.) */
static bool begins_well(struct headers *headers, const char *method, const char *url, const char *target,
			const char *version)
{
	headers->next = version + strlen(version) + strlen("\r\n");
	return url == method + strlen(method) + 1 && version == url + strlen(target) + 1;
}

static bool ends_well(struct MHD_Connection *connection, const struct headers *headers, const char *method)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info && headers->next + strlen("\r\n") == method + info->header_size;
}

int hygiene_check(struct request *request, struct MHD_Connection *connection, const char *method, const char *url,
		  const char *target, const char *version)
{
	struct headers headers = {0};
	const char *host, *expect, *encoding;

	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0) {
		respond_problem(request, PROBLEM_HTTP_VERSION, NULL);
		return 1;
	}
	if (!begins_well(&headers, method, url, target, version))
		headers.fault = "the request line is not well-formed";
	else
		(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at, &headers);
	if (!headers.fault)
		headers.fault = framing_fault(&headers);
	if (!headers.fault && !ends_well(connection, &headers, method))
		headers.fault = "the headers are not well-formed";
	host = request_header(request, "Host");
	if (!headers.fault &&
	    (!host || !host[0] ||
	     strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") < strlen(host)))
		headers.fault = "Host is not a host";
	expect = request_header(request, "Expect");
	if (!headers.fault && expect && strcasecmp(expect, "100-continue") != 0)
		headers.fault = "Expect is not understood";
	if (headers.fault) {
		respond_problem(request, PROBLEM_BAD_REQUEST, "%s", headers.fault);
		return 1;
	}
	encoding = request_header(request, "Content-Encoding");
	if (encoding && strcasecmp(encoding, "identity") != 0) {
		respond_problem(request, PROBLEM_UNSUPPORTED_MEDIA, "bodies are not compressed here");
		return 1;
	}
	if (headers.length && strtoull(headers.length, NULL, 10) > BODY_LARGE_MAX) {
		respond_problem(request, PROBLEM_TOO_LARGE, "a body has at most %u bytes", BODY_LARGE_MAX);
		return 1;
	}
	return 0;
}

static enum MHD_Result join(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct buffer *text = context;

	if (value && strcasecmp(key, "X-Forwarded-For") == 0) {
		if (text->length > 0)
			buffer_add_char(text, ',');
		buffer_add_text(text, value);
	}
	return MHD_YES;
}

const char *hygiene_forwarded(struct request *request, struct MHD_Connection *connection)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, join, &text);
	return text.length > 0 && !text.failed ? arena_strndup(&request->arena, text.data, text.length) : NULL;
}
