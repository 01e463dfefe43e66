/* SPDX-License-Identifier: MIT */
#include "feed/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "feed/assignment.h"
#include "feed/backoff.h"
#include "json/json_read.h"

#define ASSERTION_SEC 60
#define TOKEN_BYTES_MAX 8192U
#define EXPIRES_LEAST 1
#define EXPIRES_MOST 86400
#define REJECTED_PAUSE_USEC (1 * USEC_PER_SEC) /* between two tokens that are refused in a row, at the least */
#define CALM_USEC (300 * USEC_PER_SEC)         /* without a refusal: the next one is a first one again */
#define CLOCK_TELL_SEC 30                      /* from this difference on a wrong clock is the likely cause */

struct token {
	sd_event *event;
	struct http *http;
	const struct host_identity *identity;
	struct token_hooks hooks;
	sd_event_source *timer;
	struct http_transfer *transfer;
	struct backoff backoff; /* of the asking */
	struct backoff
		rejected; /* of tokens that were given and then refused: success of the asking says nothing there */
	struct buffer text;
	uint64_t good_until; /* CLOCK_BOOTTIME */
	uint64_t calm_since; /* the first token after the last refusal; 0: none yet */
	char url[600];
};

static int on_time(sd_event_source *source, uint64_t usec, void *context);

static void ask_after(struct token *token, uint64_t usec)
{
	if (sd_event_source_set_time(token->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(token->timer, SD_EVENT_ONESHOT);
}

static void drop(struct token *token)
{
	if (token->text.data)
		secret_wipe(token->text.data, token->text.length);
	buffer_clear(&token->text);
	token->good_until = 0;
	if (token->hooks.shared)
		host_token_set(token->hooks.shared, "", NULL, 0);
}

static void fail(struct token *token, const char *fault, int64_t retry_after, const struct problem *problem)
{
	ask_after(token, backoff_next(&token->backoff, retry_after));
	if (!token_text(token))
		token->hooks.failed(token->hooks.context, fault, problem);
}

/* 0, or -EBADMSG. */
static int take(struct token *token, const struct http_answer *answer)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	json_t *text, *expires;
	json_int_t seconds;

	if (json_read(answer->body, answer->length, &json, &(struct problem){0}) < 0)
		return -EBADMSG;
	text = json_object_get(json, "access_token");
	expires = json_object_get(json, "expires_in");
	seconds = json_integer_value(expires);
	if (!json_is_string(text) || !json_string_length(text) || json_string_length(text) > TOKEN_BYTES_MAX ||
	    strpbrk(json_string_value(text), "\r\n \t") || !json_is_integer(expires) || seconds < EXPIRES_LEAST)
		return -EBADMSG;
	drop(token);
	if (buffer_add_text(&token->text, json_string_value(text)) < 0 || !buffer_text(&token->text))
		return -ENOMEM;
	seconds = MIN_OF(seconds, EXPIRES_MOST);
	token->good_until = clock_boottime_usec() + (uint64_t)seconds * USEC_PER_SEC;
	if (token->hooks.shared)
		host_token_set(token->hooks.shared, token->identity->url, token->text.data, token->good_until);
	if (token->calm_since == 0)
		token->calm_since = clock_boottime_usec();
	token->backoff.failures = 0;
	/* Some time between six and eight tenths, so that hosts which began together do not renew together. */
	ask_after(token,
		  (uint64_t)seconds * USEC_PER_SEC / 10 * 6 + backoff_jitter((uint64_t)seconds * USEC_PER_SEC / 5));
	return 0;
}

/* A bare refusal is the word of whoever ends TLS, and takes away no more than the token. */
static bool is_disabled(struct token *token, const struct http_answer *answer, struct problem *problem)
{
	struct feed_disabled disabled;
	char when[TIME_TEXT_SIZE], reason[128];

	if (answer->status != 403 ||
	    assignments_disabled(token->identity, answer->body, answer->length, &disabled, problem) < 0)
		return false;
	drop(token);
	snprintf(reason, sizeof(reason), "the control plane's authority says so, in a note of %s",
		 format_time(disabled.issued, when));
	token->hooks.disabled(token->hooks.context, reason);
	return true;
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct token *token = context;
	struct problem problem = {0};
	int64_t difference;

	token->transfer = NULL;
	if (answer->fault != HTTP_FINE) {
		problem_set(&problem, EHOSTUNREACH, "the control plane: %s (%s)", http_fault_text(answer->fault),
			    answer->error);
		fail(token, "network", -1, &problem);
		return;
	}
	if (answer->status == 200) {
		if (take(token, answer) == 0) {
			token->hooks.ready(token->hooks.context);
			return;
		}
		problem_set(&problem, EBADMSG, "the control plane's answer holds no access token");
		fail(token, "malformed", -1, &problem);
		return;
	}
	if (is_disabled(token, answer, &problem))
		return;
	if (!problem.text[0])
		assignments_refusal(answer->status, answer->body, answer->length, &problem);
	difference = answer->date ? answer->date - clock_realtime_sec() : 0;
	if (llabs(difference) >= CLOCK_TELL_SEC)
		problem_remedy(&problem, "this host's clock is %lld seconds %s the control plane's",
			       (long long)llabs(difference), difference > 0 ? "behind" : "ahead of");
	fail(token, answer->status >= 500 || answer->status == 429 ? "unavailable" : "refused", answer->retry_after,
	     &problem);
}

static int add_assertion(const struct token *token, struct buffer *body)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	const struct host_identity *identity = token->identity;
	int64_t now = clock_realtime_sec();
	char id[25];

	if (base62_random(id, sizeof(id) - 1) < 0)
		return -EIO;
	claims = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I}", "iss", identity->host_id, "sub", identity->host_id, "aud",
			   token->url, "jti", id, "iat", (json_int_t)now, "exp", (json_int_t)now + ASSERTION_SEC);
	return claims ? jwt_sign(&identity->key, "JWT", claims, body) : -ENOMEM;
}

static void ask(struct token *token)
{
	_cleanup_(buffer_finish) struct buffer body = {.wipe = true};
	struct http_request request = {
		.method = "POST",
		.url = token->url,
		.content_type = "application/x-www-form-urlencoded",
		.accept = "application/json",
		.done = on_done,
		.context = token,
	};
	struct problem problem = {0};
	int r;

	if (token->transfer)
		return;
	buffer_add_text(&body, "grant_type=client_credentials&client_assertion_type="
			       "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=");
	r = add_assertion(token, &body);
	if (r == 0 && body.failed)
		r = -ENOMEM;
	request.body = body.data;
	request.body_length = body.length;
	if (r == 0)
		r = http_start(token->http, &request, &token->transfer);
	if (r < 0) {
		problem_set(&problem, -r, "cannot ask for an access token: %s", strerror(-r));
		fail(token, "internal", -1, &problem);
	}
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	ask(context);
	return 0;
}

int token_new(sd_event *event, struct http *http, const struct host_identity *identity, const struct token_hooks *hooks,
	      struct token **ret)
{
	struct token *token = calloc(1, sizeof(*token));
	int r;

	if (!token)
		return -ENOMEM;
	token->event = sd_event_ref(event);
	token->http = http;
	token->identity = identity;
	token->hooks = *hooks;
	token->text.wipe = true;
	snprintf(token->url, sizeof(token->url), "%s/v1/hosts/token", identity->url);
	r = sd_event_add_time(event, &token->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, token);
	if (r < 0) {
		token_free(token);
		return r;
	}
	ask(token);
	if (token->transfer) /* else a timer was set to try again */
		(void)sd_event_source_set_enabled(token->timer, SD_EVENT_OFF);
	*ret = token;
	return 0;
}

void token_free(struct token *token)
{
	if (!token)
		return;
	http_cancel(token->transfer);
	sd_event_source_disable_unref(token->timer);
	sd_event_unref(token->event);
	drop(token);
	buffer_finish(&token->text);
	free(token);
}

const char *token_text(const struct token *token)
{
	return token && token->text.length && clock_boottime_usec() < token->good_until ? token->text.data : NULL;
}

void token_retry(struct token *token)
{
	if (!token_text(token))
		ask(token);
}

void token_rejected(struct token *token)
{
	uint64_t wait = 0;

	if (token->transfer || token->text.length == 0) /* another one is on its way, or waited for */
		return;
	drop(token);
	if (clock_boottime_usec() - token->calm_since >= CALM_USEC)
		token->rejected.failures = 0;
	token->calm_since = 0;
	if (token->rejected.failures > 0)
		wait = REJECTED_PAUSE_USEC;
	ask_after(token, wait + backoff_next(&token->rejected, -1));
}
