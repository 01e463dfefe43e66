/* SPDX-License-Identifier: MIT
 *
 * Answers of device authorization endpoints. What is in them goes to a terminal, so each text is held against what may
 * be there, and one that does not fit makes the whole answer bad.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "oidc/answer_text.h"
#include "oidc/answers.h"
#include "oidc/url.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

#define INTERVAL_DEFAULT 5
#define INTERVAL_MAX 60
#define EXPIRY_MAX 3600

static int read_code(const json_t *answer, const char *name, char *ret, size_t size, bool space,
		     struct problem *problem)
{
	const json_t *value = json_object_get(answer, name);
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) >= size || !answer_text_is_ascii(text, space))
		return problem_set(problem, EINVAL,
				   "the provider's answer has no \"%s\", or one that cannot be shown or sent", name);
	memcpy(ret, text, json_string_length(value) + 1);
	return 0;
}

static int read_uri(const json_t *value, const char *name, char *ret, size_t size, struct problem *problem)
{
	const char *text = json_string_value(value);

	if (!text || !oidc_url_is_good(text, size, false))
		return problem_set(problem, EINVAL,
				   "\"%s\" of the provider's answer is not an https address of at most %zu characters",
				   name, size - 1);
	memcpy(ret, text, json_string_length(value) + 1);
	return 0;
}

static int read_uris(const json_t *answer, struct device_answer *ret, struct problem *problem)
{
	const json_t *uri = json_object_get(answer, "verification_uri"),
		     *complete = json_object_get(answer, "verification_uri_complete");
	int r;

	if (!uri)
		uri = json_object_get(answer, "verification_url"); /* Google's, and drafts' */
	if (!complete)
		complete = json_object_get(answer, "verification_url_complete");
	r = read_uri(uri, "verification_uri", ret->uri, sizeof(ret->uri), problem);
	if (r == 0 && complete && !json_is_null(complete))
		r = read_uri(complete, "verification_uri_complete", ret->uri_complete, sizeof(ret->uri_complete),
			     problem);
	return r;
}

static int read_times(const json_t *answer, struct device_answer *ret, struct problem *problem)
{
	const json_t *expires = json_object_get(answer, "expires_in"), *interval = json_object_get(answer, "interval");

	if (!json_is_integer(expires) || json_integer_value(expires) <= 0)
		return problem_set(problem, EINVAL, "\"expires_in\" of the provider's answer is no number of seconds");
	ret->expires_in = (uint32_t)MIN_OF(json_integer_value(expires), (json_int_t)EXPIRY_MAX);
	ret->interval = INTERVAL_DEFAULT;
	if (!interval || json_is_null(interval))
		return 0;
	/* Asking sooner than it wants would only be refused, and nobody waits longer than this at a prompt. */
	if (!json_is_integer(interval) || json_integer_value(interval) < 0 ||
	    json_integer_value(interval) > INTERVAL_MAX)
		return problem_set(problem, EINVAL,
				   "\"interval\" of the provider's answer is no number of seconds from 0 to %d",
				   INTERVAL_MAX);
	ret->interval = (uint32_t)MAX_OF(json_integer_value(interval), (json_int_t)1);
	return 0;
}

static int read_answer(const json_t *answer, struct device_answer *ret, struct problem *problem)
{
	int r = read_code(answer, "device_code", ret->device_code, sizeof(ret->device_code), false, problem);

	if (r == 0)
		r = read_code(answer, "user_code", ret->user_code, sizeof(ret->user_code), true, problem);
	if (r == 0)
		r = read_uris(answer, ret, problem);
	if (r == 0)
		r = read_times(answer, ret, problem);
	return r;
}

int device_answer_parse(unsigned status, const char *text, size_t length, struct device_answer *ret,
			struct problem *problem)
{
	_cleanup_(json_forget) json_t *answer = NULL;
	struct device_answer found = {0};
	char word[64], description[256];
	int r;

	if (length > OIDC_ANSWER_MAX)
		return problem_set(problem, EINVAL, "the provider's answer is larger than %u bytes", OIDC_ANSWER_MAX);
	if (json_read(text, length, &answer, &(struct problem){0}) < 0 || !json_is_object(answer))
		return problem_set(problem, EINVAL, "the provider answered with status %u and no JSON object", status);
	/* GitHub says no with 200, others with 400 or 401. */
	if (status < 500 && status != 429 && answer_error(answer, word, sizeof(word), description, sizeof(description)))
		return problem_set(problem, EACCES, "the provider refuses this client: %s%s%s", word,
				   description[0] ? ": " : "", description);
	if (status != 200)
		return problem_set(problem, EINVAL, "the provider answered with status %u", status);
	r = read_answer(answer, &found, problem);
	if (r == 0)
		*ret = found;
	secret_wipe(&found, sizeof(found));
	return r;
}
