/* SPDX-License-Identifier: MIT */
#include "varlink/varlink.h"

#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "json/json_read.h"

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "interface.Name", of a method or an error. */
static bool is_qualified_name(const char *text)
{
	const char *dot = NULL, *p = text;

	if (!is_letter(*p))
		return false;
	for (; *p; p++) {
		if (*p == '.') {
			if (p[-1] == '.')
				return false;
			dot = p;
		} else if (!is_letter(*p) && !is_digit(*p) && *p != '-') {
			return false;
		}
	}
	return dot && dot[1] >= 'A' && dot[1] <= 'Z' && p - text <= VARLINK_METHOD_MAX;
}

/* A message is an object with these fields. -EBADMSG for whatever is wrong with it. */
static int read_message(const char *frame, size_t length, const struct json_field *fields, size_t count, void *out,
			json_t **ret_root, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	int r;

	if (length > VARLINK_MESSAGE_MAX)
		return problem_set(problem, EBADMSG, "message is longer than %u bytes", VARLINK_MESSAGE_MAX);
	r = json_read(frame, length, &root, problem);
	if (r < 0)
		return r;
	if (!json_is_object(root))
		return problem_set(problem, EBADMSG, "message is not an object");
	r = json_fields(root, fields, count, out, NULL, problem);
	if (r < 0)
		return -EBADMSG;
	*ret_root = TAKE_PTR(root);
	return 0;
}

void varlink_call_finish(struct varlink_call *call)
{
	json_decref(call->root);
	*call = (struct varlink_call){0};
}

int varlink_call_read(const char *frame, size_t length, struct varlink_call *ret, struct problem *problem)
{
	static const struct json_field fields[] = {
		{"method", JSON_FIELD_STRING, offsetof(struct varlink_call, method), JSON_FIELD_REQUIRED},
		{"parameters", JSON_FIELD_OBJECT, offsetof(struct varlink_call, parameters), JSON_FIELD_NULLABLE},
		{"more", JSON_FIELD_BOOL, offsetof(struct varlink_call, more), JSON_FIELD_NULLABLE},
		{"oneway", JSON_FIELD_BOOL, offsetof(struct varlink_call, oneway), JSON_FIELD_NULLABLE},
		{"upgrade", JSON_FIELD_BOOL, offsetof(struct varlink_call, upgrade), JSON_FIELD_NULLABLE},
	};
	_cleanup_(varlink_call_finish) struct varlink_call call = {0};
	int r;

	r = read_message(frame, length, fields, ARRAY_LEN(fields), &call, &call.root, problem);
	if (r < 0)
		return r;
	if (!is_qualified_name(call.method))
		return problem_set(problem, EBADMSG, "field 'method' is not the name of a method");
	if (call.more + call.oneway + call.upgrade > 1)
		return problem_set(problem, EBADMSG, "only one of 'more', 'oneway' and 'upgrade' may be set");
	*ret = call;
	call.root = NULL;
	return 0;
}

void varlink_reply_finish(struct varlink_reply *reply)
{
	json_decref(reply->root);
	*reply = (struct varlink_reply){0};
}

int varlink_reply_read(const char *frame, size_t length, struct varlink_reply *ret, struct problem *problem)
{
	static const struct json_field fields[] = {
		{"error", JSON_FIELD_STRING, offsetof(struct varlink_reply, error), JSON_FIELD_NULLABLE},
		{"parameters", JSON_FIELD_OBJECT, offsetof(struct varlink_reply, parameters), JSON_FIELD_NULLABLE},
		{"continues", JSON_FIELD_BOOL, offsetof(struct varlink_reply, continues), JSON_FIELD_NULLABLE},
	};
	_cleanup_(varlink_reply_finish) struct varlink_reply reply = {0};
	int r;

	r = read_message(frame, length, fields, ARRAY_LEN(fields), &reply, &reply.root, problem);
	if (r < 0)
		return r;
	if (reply.error && !is_qualified_name(reply.error))
		return problem_set(problem, EBADMSG, "field 'error' is not the name of an error");
	if (reply.error && reply.continues)
		return problem_set(problem, EBADMSG, "an error cannot continue");
	*ret = reply;
	reply.root = NULL;
	return 0;
}

int varlink_frame_next(const struct buffer *received, size_t *scanned, size_t *ret_length)
{
	/* No further than a frame may reach: what comes after it is the next one's. */
	size_t end = MIN_OF(received->length, (size_t)VARLINK_MESSAGE_MAX + 1);
	const char *nul = NULL;

	if (*scanned < end)
		nul = memchr(received->data + *scanned, '\0', end - *scanned);
	if (nul) {
		*scanned = (size_t)(nul - received->data);
		*ret_length = (size_t)(nul - received->data);
		return 1;
	}
	*scanned = end;
	return end > VARLINK_MESSAGE_MAX ? -EMSGSIZE : 0;
}

static void begin(struct varlink_writer *w, struct buffer *out)
{
	w->json = json_writer(out);
	w->start = out->length;
	json_begin(&w->json, NULL, '{');
}

void varlink_call_begin(struct varlink_writer *w, struct buffer *out, const char *method, bool more, bool oneway)
{
	begin(w, out);
	json_put_string(&w->json, "method", method);
	if (more)
		json_put_bool(&w->json, "more", true);
	if (oneway)
		json_put_bool(&w->json, "oneway", true);
	json_begin(&w->json, "parameters", '{');
}

void varlink_reply_begin(struct varlink_writer *w, struct buffer *out)
{
	begin(w, out);
	json_begin(&w->json, "parameters", '{');
}

void varlink_error_begin(struct varlink_writer *w, struct buffer *out, const char *error)
{
	begin(w, out);
	json_put_string(&w->json, "error", error);
	json_begin(&w->json, "parameters", '{');
}

int varlink_end(struct varlink_writer *w, bool continues)
{
	struct buffer *out = w->json.buffer;
	int r;

	json_end(&w->json, '}');
	if (continues)
		json_put_bool(&w->json, "continues", true);
	json_end(&w->json, '}');
	r = buffer_add_char(out, '\0');
	if (r == 0 && out->length - w->start > VARLINK_MESSAGE_MAX + 1)
		r = -EMSGSIZE;
	if (r < 0) {
		/* Taken back whole: half a message would be read together with the next one. */
		if (out->wipe && out->length > w->start)
			secret_wipe(out->data + w->start, out->length - w->start);
		out->length = w->start;
		out->failed = false;
	}
	return r;
}
