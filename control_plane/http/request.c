/* SPDX-License-Identifier: MIT */
#include "control_plane/http/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/feed/change.h"
#include "control_plane/http/stream.h"
#include "crypto/api_key.h"
#include "json/json_read.h"

#define REQUEST_ID_CHARS 22U /* 130 random bits */
#define PAGE_DEFAULT 100U
#define PAGE_MOST 1000U
#define CURSOR_MAX 256U
#define IF_MATCH_MAX 512U

int request_init(struct request *request, struct app *app)
{
	int result;

	*request = (struct request){.app = app, .now = clock_realtime_sec()};
	arena_init(&request->arena);
	request->path = "";
	request->raw = "";
	snprintf(request->source_text, sizeof(request->source_text), "local");
	result = base62_random(request->id, REQUEST_ID_CHARS);
	if (result < 0)
		return result;
	request->query = json_object();
	return request->query ? 0 : -ENOMEM;
}

void request_finish(struct request *request)
{
	struct stream *stream = request->response.stream;

	if (stream)
		stream->class->close(stream);
	change_free(request->change);
	json_decref(request->query);
	json_decref(request->body);
	/* Passwords come in and keys go out. */
	request->response.body.wipe = true;
	buffer_finish(&request->response.body);
	arena_finish(&request->arena);
	*request = (struct request){0};
}

const char *request_header(const struct request *request, const char *name)
{
	return request->header ? request->header(request, name) : NULL;
}

const char *request_text(struct request *request, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text = NULL;
		return NULL;
	}
	return arena_strndup(&request->arena, text, (size_t)length);
}

const char *request_copy(struct request *request, const char *text)
{
	return text ? arena_strndup(&request->arena, text, strlen(text)) : NULL;
}

void request_wrote_log(struct request *request, const char *log_id)
{
	const char *copy;

	for (uint32_t i = 0; i < request->log_count; i++)
		if (strcmp(request->logs[i], log_id) == 0)
			return;
	copy = request->log_count < REQUEST_LOGS_MAX ? request_copy(request, log_id) : NULL;
	if (copy)
		request->logs[request->log_count++] = copy;
}

const char *request_query(const struct request *request, const char *name)
{
	return json_string_value(json_object_get(request->query, name));
}

static int add_to_buffer(const char *data, size_t length, void *context)
{
	return buffer_add(context, data, length) < 0 ? -1 : 0;
}

static void begin_answer(struct request *request, unsigned status, const char *content_type)
{
	struct response *response = &request->response;

	response->body.wipe = true;
	buffer_clear(&response->body);
	response->status = status;
	response->content_type = content_type;
}

int respond_json(struct request *request, unsigned status, json_t *body)
{
	_cleanup_(json_decrefp) json_t *own = body;
	struct response *response = &request->response;

	begin_answer(request, status, "application/json");
	/* An object is not NULL unless memory ran out while it was made. */
	if (!own || json_dump_callback(own, add_to_buffer, &response->body, JSON_COMPACT | JSON_ENCODE_ANY) < 0 ||
	    response->body.failed)
		return respond_problem(request, PROBLEM_BROKEN, NULL);
	return 0;
}

int respond_empty(struct request *request)
{
	begin_answer(request, 204, NULL);
	return 0;
}

void respond_header(struct request *request, const char *name, const char *value)
{
	struct response *response = &request->response;
	const char *copy = request_copy(request, value);
	uint32_t i = 0;

	while (i < response->header_count && strcmp(response->headers[i].name, name) != 0)
		i++;
	if (!copy || i == REQUEST_HEADERS_MAX)
		return;
	response->headers[i].name = name;
	response->headers[i].value = copy;
	if (i == response->header_count)
		response->header_count++;
}

/* Is the tag in the header's list? Weak tags are compared by what they hold where `weak` allows it. */
static bool lists_tag(const char *list, const char *tag, bool weak)
{
	size_t length = strlen(tag);

	while (*list) {
		const char *end;
		bool is_weak = false;

		list += strspn(list, " \t,");
		if (strncmp(list, "W/", 2) == 0) {
			is_weak = true;
			list += 2;
		}
		if (*list != '"')
			return false;
		end = strchr(list + 1, '"');
		if (!end)
			return false;
		end++;
		if ((weak || !is_weak) && (size_t)(end - list) == length && strncmp(list, tag, length) == 0)
			return true;
		list = end;
	}
	return false;
}

int respond_record(struct request *request, unsigned status, uint64_t version, json_t *body)
{
	const char *wanted = request->method == HTTP_GET ? request_header(request, "If-None-Match") : NULL;
	char tag[32];

	snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)version);
	respond_header(request, "ETag", tag);
	if (wanted && status == 200 && (strcmp(wanted, "*") == 0 || lists_tag(wanted, tag, true))) {
		json_decref(body);
		begin_answer(request, 304, NULL);
		return 0;
	}
	return respond_json(request, status, body);
}

int request_if_match(struct request *request, uint64_t version)
{
	const char *wanted = request_header(request, "If-Match");
	char tag[32];

	if (!wanted) {
		if (request->principal.kind == PRINCIPAL_LOCAL ||
		    (request->method != HTTP_PUT && request->method != HTTP_PATCH))
			return 0;
		respond_problem(request, PROBLEM_PRECONDITION_REQUIRED,
				"send If-Match with the ETag that you read, or *");
		return 1;
	}
	snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)version);
	if (strcmp(wanted, "*") == 0 || (strlen(wanted) <= IF_MATCH_MAX && lists_tag(wanted, tag, false)))
		return 0;
	respond_problem(request, PROBLEM_PRECONDITION_FAILED, "it has version %llu now", (unsigned long long)version);
	return 1;
}

int request_fields(struct request *request, const struct json_field *fields, size_t count, void *out)
{
	struct problem problem = {0};
	const char *field = NULL;

	if (json_fields(request->body, fields, count, out, &field, &problem) == 0)
		return 0;
	respond_invalid(request, field, "%s", problem.text);
	return 1;
}

int request_page(struct request *request, struct page *ret)
{
	const char *limit = request_query(request, "limit"), *cursor = request_query(request, "cursor");
	struct page page = {.limit = PAGE_DEFAULT, .after = cursor ? cursor : ""};

	if (limit && (parse_u32(limit, &page.limit) < 0 || page.limit == 0 || page.limit > PAGE_MOST)) {
		respond_invalid(request, "limit", "a page has 1 to %u items", PAGE_MOST);
		return 1;
	}
	if (strlen(page.after) > CURSOR_MAX || !text_is_printable(page.after, strlen(page.after))) {
		respond_invalid(request, "cursor", "give what `next` said in the page before");
		return 1;
	}
	*ret = page;
	return 0;
}

int respond_page(struct request *request, json_t *items, const char *last_id)
{
	/* "o?": null while there is no more; the reference of items is taken either way. */
	return respond_json(request, 200, json_pack("{s:o,s:s?}", "items", items, "next", last_id));
}
