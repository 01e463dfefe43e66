/* SPDX-License-Identifier: MIT
 *
 * Problem documents (RFC 9457): the table of their types, and the answers made from it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "control_plane/http/router.h"
#include "json/json_write.h"

static const struct problem_kind kinds[PROBLEM_TYPE_COUNT] = {
	[PROBLEM_BAD_REQUEST] = {"bad-request", "The request cannot be understood", 400},
	[PROBLEM_INVALID_FIELD] = {"invalid-field", "A field has a value that is not taken", 400},
	[PROBLEM_UNAUTHENTICATED] = {"unauthenticated", "Sign in first", 401},
	[PROBLEM_FORBIDDEN] = {"forbidden", "Your role does not allow this", 403},
	[PROBLEM_NOT_FOUND] = {"not-found", "There is no such thing here", 404},
	[PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", "The path does not take this method", 405},
	[PROBLEM_CONFLICT] = {"conflict", "This does not fit what is there already", 409},
	[PROBLEM_FEED_GAP] = {"feed-gap", "These changes are not kept any more: fetch the snapshot", 410},
	[PROBLEM_PRECONDITION_FAILED] = {"precondition-failed", "The record was changed meanwhile", 412},
	[PROBLEM_PRECONDITION_REQUIRED] = {"precondition-required", "Say with If-Match which version you change", 428},
	[PROBLEM_TOO_LARGE] = {"too-large", "The request is too large", 413},
	[PROBLEM_URI_TOO_LONG] = {"uri-too-long", "The address is too long", 414},
	[PROBLEM_HEADERS_TOO_LARGE] = {"headers-too-large", "The headers are too large", 431},
	[PROBLEM_UNSUPPORTED_MEDIA] = {"unsupported-media-type", "The body has a type that is not taken here", 415},
	[PROBLEM_IDEMPOTENCY_MISMATCH] = {"idempotency-mismatch", "The Idempotency-Key belongs to another request",
					  422},
	[PROBLEM_TOO_MANY] = {"too-many-requests", "Too many requests: wait", 429},
	[PROBLEM_BROKEN] = {"internal-error", "Something of ours is broken", 500},
	[PROBLEM_UNAVAILABLE] = {"unavailable", "Not now: try again", 503},
	[PROBLEM_HTTP_VERSION] = {"http-version", "HTTP/1.1 only", 505},
};

const struct problem_kind *problem_kind(enum problem_type type)
{
	return &kinds[type];
}

struct more {
	const char *name, *value; /* NULL: nothing */
};

static _printf_(5, 0) void respond(struct request *request, enum problem_type type, struct more more, uint32_t seconds,
				   const char *format, va_list arguments)
{
	const struct problem_kind *kind = &kinds[type];
	struct response *response = &request->response;
	struct json_writer w;
	char detail[512];

	/* What a handler had made so far must not show through. */
	response->header_count = 0;
	response->secret = response->no_fault = false;
	buffer_clear(&response->body);
	response->status = kind->status;
	if (seconds)
		respond_header(request, "Retry-After", request_text(request, "%u", seconds));
	if (request->route && request->route->problem) {
		if (format)
			vsnprintf(detail, sizeof(detail), format, arguments);
		request->route->problem(request, kind, format ? detail : NULL, seconds);
		return;
	}
	response->content_type = "application/problem+json";
	w = json_writer(&response->body);
	json_begin(&w, NULL, '{');
	snprintf(detail, sizeof(detail), "urn:tenantd:problem:%s", kind->name);
	json_put_string(&w, "type", detail);
	json_put_string(&w, "title", kind->title);
	json_put_u64(&w, "status", kind->status);
	if (format) {
		vsnprintf(detail, sizeof(detail), format, arguments);
		json_put_string(&w, "detail", detail);
	}
	if (more.name)
		json_put_string_if(&w, more.name, more.value);
	json_put_string_if(&w, "request_id", request->id);
	json_end(&w, '}');
	if (type == PROBLEM_UNAUTHENTICATED)
		respond_header(request, "WWW-Authenticate", "Bearer");
}

int respond_problem(struct request *request, enum problem_type type, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	respond(request, type, (struct more){0}, 0, format, arguments);
	va_end(arguments);
	return 0;
}

int respond_problem_with(struct request *request, enum problem_type type, const char *name, const char *value,
			 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	respond(request, type, (struct more){name, value}, 0, format, arguments);
	va_end(arguments);
	return 0;
}

int respond_invalid(struct request *request, const char *field, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	respond(request, PROBLEM_INVALID_FIELD, (struct more){"field", field}, 0, format, arguments);
	va_end(arguments);
	return 0;
}

int respond_retry(struct request *request, enum problem_type type, uint32_t seconds, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	respond(request, type, (struct more){0}, seconds, format, arguments);
	va_end(arguments);
	return 0;
}

int respond_db(struct request *request, int result, const char *what)
{
	const char *constraint = request->tx ? db_constraint(request->tx) : NULL;

	switch (result) {
	case -EAGAIN:
		return result;
	case -EEXIST:
		return respond_problem(request, PROBLEM_CONFLICT, "%s is taken already", what);
	case -ENOENT:
		return respond_problem(request, PROBLEM_CONFLICT, "%s refers to something that is not there", what);
	case -EINVAL:
		return respond_problem(request, PROBLEM_BAD_REQUEST, "%s has a value that is not taken%s%s", what,
				       constraint && constraint[0] ? ": " : "", constraint ? constraint : "");
	case -EBUSY:
		return respond_retry(request, PROBLEM_UNAVAILABLE, 1, "all database connections are busy");
	default:
		log_error("request %s: %s: the database said %d", request->id, what, result);
		return respond_problem(request, PROBLEM_BROKEN, NULL);
	}
}
