/* SPDX-License-Identifier: MIT */
#include "feed/enrol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "json/json_write.h"

struct enrol {
	struct http_transfer *transfer;
	struct host_identity identity;
	enrol_fn done;
	void *context;
};

int enrol_url(const char *url, bool allow_plain, char *out, size_t size, struct problem *problem)
{
	size_t length = strlen(url);
	int r = http_url_check(url, allow_plain, problem);

	if (r < 0)
		return r;
	while (length > 0 && url[length - 1] == '/')
		length--;
	if (length >= size || strpbrk(url, "?#\\\"") || !text_is_printable(url, strlen(url))) {
		problem_remedy(problem, "give the control plane's address alone, as https://host");
		return problem_set(problem, EINVAL, "this URL is too long, or has more than an address and a path");
	}
	memcpy(out, url, length);
	out[length] = '\0';
	return 0;
}

int enrol_token_check(const char *token, struct problem *problem)
{
	struct api_key_parts parts;
	int r = api_key_parse(token, strlen(token), &parts);

	if (r == -EBADMSG) {
		problem_remedy(problem, "copy it whole, from tnt_et_ to its last character");
		return problem_set(problem, EINVAL, "the enrolment token was mistyped or cut");
	}
	if (r < 0 || parts.kind != API_KEY_ENROLMENT) {
		problem_remedy(problem, "make one with `tenant-control host token`");
		return problem_set(problem, EINVAL, "this is not an enrolment token");
	}
	return 0;
}

static void end(struct enrol *enrol, int result, const struct assignments *assignments, const struct problem *problem)
{
	enrol->done(enrol->context, result, result == 0 ? &enrol->identity : NULL, assignments, problem);
	enrol_free(enrol);
}

static int take(struct enrol *enrol, const struct http_answer *answer, struct assignments *assignments,
		struct problem *problem)
{
	struct feed_assignment note;
	int r;

	if (answer->fault != HTTP_FINE)
		return problem_set(problem, EHOSTUNREACH, "the control plane: %s (%s)", http_fault_text(answer->fault),
				   answer->error);
	if (answer->status != 201 && answer->status != 200) {
		assignments_refusal(answer->status, answer->body, answer->length, problem);
		return -EACCES;
	}
	r = assignments_read(answer->body, answer->length, "host", assignments, problem);
	if (r < 0)
		return r;
	if (strlen(assignments->host_id) >= sizeof(enrol->identity.host_id))
		return problem_set(problem, EBADMSG,
				   "the control plane's answer cannot be used: the host id is too long");
	/* Whoever answers here is the authority from now on: TLS, and a pin where there is one, say who that is. */
	if (!assignments->authority || strlen(assignments->authority) >= sizeof(enrol->identity.authority))
		return problem_set(problem, EBADMSG,
				   "the control plane's answer cannot be used: it has no authority key");
	if (assignments_verify(assignments, assignments->authority, assignments->host_id, &note, problem) < 0)
		return -EBADMSG;
	snprintf(enrol->identity.authority, sizeof(enrol->identity.authority), "%s", assignments->authority);
	enrol->identity.assignment_version = note.version;
	memcpy(enrol->identity.assignment_digest, note.digest, sizeof(note.digest));
	snprintf(enrol->identity.host_id, sizeof(enrol->identity.host_id), "%s", assignments->host_id);
	for (uint32_t i = 0; i < assignments->count; i++)
		snprintf(enrol->identity.tenants[i], FEED_TENANT_ID_MAX, "%s", assignments->tenants[i].tenant_id);
	enrol->identity.tenant_count = assignments->count;
	return 0;
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct enrol *enrol = context;
	struct assignments assignments = {0};
	struct problem problem = {0};
	int r;

	enrol->transfer = NULL;
	r = take(enrol, answer, &assignments, &problem);
	end(enrol, r, &assignments, r < 0 ? &problem : NULL);
	assignments_finish(&assignments);
}

static int write_body(const struct enrol *enrol, const char *token, const char *host_name, struct buffer *body)
{
	_cleanup_(json_decrefp) json_t *key = jwt_key_render(&enrol->identity.key.public);
	struct json_writer w = json_writer(body);
	char *text = key ? json_dumps(key, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "token", token);
	json_put_string(&w, "name", host_name);
	json_put_raw(&w, "key", text, strlen(text));
	json_put_string(&w, "version", TENANTD_VERSION);
	json_end(&w, '}');
	free(text);
	return body->failed ? -ENOMEM : 0;
}

int enrol_start(struct http *http, const char *url, const char *token, const char *host_name, enrol_fn done,
		void *context, struct enrol **ret)
{
	_cleanup_(buffer_finish) struct buffer body = {.wipe = true};
	struct enrol *enrol = calloc(1, sizeof(*enrol));
	struct http_request request = {
		.method = "POST",
		.accept = "application/json",
		.limit = 8U * 1024 * 1024, /* each tenant brings a trust document */
		.done = on_done,
		.context = enrol,
	};
	char target[600];
	int r;

	if (!enrol)
		return -ENOMEM;
	enrol->done = done;
	enrol->context = context;
	snprintf(enrol->identity.url, sizeof(enrol->identity.url), "%s", url);
	snprintf(target, sizeof(target), "%s/v1/enrol", url);
	r = jwt_key_make(&enrol->identity.key);
	if (r == 0)
		r = write_body(enrol, token, host_name, &body);
	request.url = target;
	request.body = body.data;
	request.body_length = body.length;
	if (r == 0)
		r = http_start(http, &request, &enrol->transfer);
	if (r < 0) {
		enrol_free(enrol);
		return r;
	}
	*ret = enrol;
	return 0;
}

void enrol_free(struct enrol *enrol)
{
	if (!enrol)
		return;
	http_cancel(enrol->transfer);
	host_identity_finish(&enrol->identity);
	free(enrol);
}
