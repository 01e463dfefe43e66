/* SPDX-License-Identifier: MIT
 *
 * OTLP/HTTP, and checkpoints by POST: one request, its answer is the word about it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/secret_file.h"
#include "base/text.h"
#include "ship/sink.h"
#include "json/json_write.h"

#define TOKEN_BYTES_MAX 8192U
#define ANSWER_BYTES_MAX (64U * 1024)
#define SLICE_MS 200U /* how soon a wish to end is seen */

/* What came of one request. */
struct reply {
	bool done;
	enum ship_outcome outcome;
	uint64_t rejected;
	uint32_t wait_ms;
	struct problem *problem;
	bool otlp;
};

static void on_done(void *context, const struct http_answer *answer)
{
	struct reply *reply = context;
	char text[256];

	reply->done = true;
	reply->outcome = SHIP_LATER;
	reply->wait_ms = answer->retry_after > 0 ? (uint32_t)MIN_OF(answer->retry_after, (int64_t)3600) * 1000 : 0;
	if (answer->fault != HTTP_FINE) {
		(void)problem_set(reply->problem, EIO, "%s: %s", http_fault_text(answer->fault), answer->error);
		return;
	}
	if (answer->status / 100 == 2) {
		reply->outcome = SHIP_TAKEN;
		if (!reply->otlp)
			return;
		reply->rejected = ship_otlp_rejected(answer->body, answer->length, text, sizeof(text));
		if (reply->rejected > 0)
			(void)problem_set(reply->problem, EBADMSG, "it did not take %llu of them: %s",
					  (unsigned long long)reply->rejected, text);
		return;
	}
	(void)text_escape(answer->body, MIN_OF(answer->length, sizeof(text) / 4 - 1), text, sizeof(text));
	(void)problem_set(reply->problem, EIO, "it answers %u%s%s", answer->status, text[0] ? ": " : "", text);
	/* About these bytes. Everything else is about who we are, where they went, or the state of things there. */
	if (answer->status == 400 || answer->status == 413 || answer->status == 422)
		reply->outcome = SHIP_REJECTED;
}

static int read_token(const struct sink *sink, struct buffer *ret, struct problem *problem)
{
	const struct ship_options *options = sink->options;
	const struct secret_place place = {.path = options->token_file, .group = sink->service};
	int result;

	if (!options->token_file)
		return 0;
	result = secret_read(&place, TOKEN_BYTES_MAX, ret, problem);
	if (result == -ENOENT) {
		problem_at(problem, options->token_file, 0, 0);
		return problem_set(problem, ENOENT, "%s", strerror(ENOENT));
	}
	while (result == 0 && ret->length > 0 &&
	       (ret->data[ret->length - 1] == '\n' || ret->data[ret->length - 1] == '\r'))
		ret->length--;
	if (result == 0 && !text_is_printable(buffer_text(ret) ? ret->data : "", ret->length)) {
		problem_at(problem, options->token_file, 0, 0);
		return problem_set(problem, EINVAL, "not a token");
	}
	return result;
}

static int client_of(struct sink *sink, struct problem *problem)
{
	const struct http_options options = {
		.ca_file = sink->options->ca_file,
		.cert_file = sink->options->cert_file,
		.key_file = sink->options->key_file,
		.connect_timeout_ms = sink->timeout_ms,
		.allow_plain = true,
		.accept_tls12 = true,
	};
	int result = sink->http ? 0 : http_create(&options, NULL, &sink->http);

	return result < 0 ? problem_set(problem, -result, "%s", strerror(-result)) : 0;
}

static enum ship_outcome post(struct sink *sink, const char *type, const struct buffer *body, struct reply *reply)
{
	_cleanup_(buffer_finish) struct buffer token = {.wipe = true};
	struct http_request request = {
		.method = "POST",
		.url = sink->options->url,
		.content_type = type,
		.body = body->data,
		.body_length = body->length,
		.limit = ANSWER_BYTES_MAX,
		.timeout_ms = sink->timeout_ms,
		.done = on_done,
		.context = reply,
	};
	struct http_transfer *transfer = NULL;
	uint64_t due = clock_boottime_usec() + sink->timeout_ms * USEC_PER_MSEC;
	int result = body->failed ? problem_set(reply->problem, ENOMEM, "out of memory") : 0;

	if (result == 0)
		result = client_of(sink, reply->problem);
	if (result == 0)
		result = read_token(sink, &token, reply->problem);
	if (result < 0)
		return SHIP_LATER;
	request.bearer = token.length ? buffer_text(&token) : NULL;
	result = http_start(sink->http, &request, &transfer);
	if (result < 0) {
		(void)problem_set(reply->problem, -result, "%s", strerror(-result));
		return SHIP_LATER;
	}
	while (!reply->done && !sink_stopped(sink) && clock_boottime_usec() < due + USEC_PER_SEC)
		(void)http_wait(sink->http, SLICE_MS);
	if (!reply->done) {
		http_cancel(transfer);
		(void)problem_set(reply->problem, ECANCELED, "it was ended");
		return SHIP_LATER;
	}
	return reply->outcome;
}

static enum ship_outcome post_otlp(struct sink *sink, const struct buffer *body, uint32_t *ret_rejected,
				   uint32_t *ret_wait_ms, struct problem *problem)
{
	struct reply reply = {.problem = problem, .otlp = true};
	enum ship_outcome outcome = post(sink, "application/json", body, &reply);

	*ret_rejected = (uint32_t)MIN_OF(reply.rejected, (uint64_t)UINT32_MAX);
	*ret_wait_ms = reply.wait_ms;
	return outcome;
}

enum ship_outcome sink_otlp_send(struct sink *sink, const struct ship_event *events, uint32_t count,
				 uint32_t *ret_rejected, uint32_t *ret_wait_ms, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer body = {.wipe = true};

	(void)ship_otlp_write(events, count, sink->service, sink->version, &body);
	return post_otlp(sink, &body, ret_rejected, ret_wait_ms, problem);
}

enum ship_outcome sink_otlp_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       uint32_t *ret_wait_ms, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT, text = BUFFER_INIT;
	struct json_writer w = json_writer(&text);
	struct ship_event event = {.id = "", .kind = "checkpoint", .tenant = "", .severity = 1};
	uint32_t rejected;

	json_begin(&w, NULL, '{');
	json_put_string(&w, "origin", origin);
	json_put_string_n(&w, "note", note, length);
	json_end(&w, '}');
	event.time_ms = (int64_t)(clock_realtime_usec() / USEC_PER_MSEC);
	event.ocsf = text.data;
	event.ocsf_length = text.length;
	if (text.failed)
		return SHIP_LATER;
	(void)ship_otlp_write(&event, 1, sink->service, sink->version, &body);
	return post_otlp(sink, &body, &rejected, ret_wait_ms, problem);
}

enum ship_outcome sink_http_checkpoint(struct sink *sink, const char *note, size_t length, uint32_t *ret_wait_ms,
				       struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	struct reply reply = {.problem = problem};
	enum ship_outcome outcome;

	(void)buffer_add(&body, note, length);
	outcome = post(sink, "text/plain; charset=utf-8", &body, &reply);
	*ret_wait_ms = reply.wait_ms;
	return outcome;
}
