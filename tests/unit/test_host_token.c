/* SPDX-License-Identifier: MIT
 *
 * The host's own access token, with a clock, timers and a control plane that the test plays: nothing waits.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "feed/token.h"
#include "unit.h"

#define ANSWER "{\"access_token\":\"at\",\"expires_in\":3600}"

static uint64_t boot_now = 1000 * USEC_PER_SEC;

uint64_t clock_boottime_usec(void)
{
	return boot_now;
}

int64_t clock_realtime_sec(void)
{
	return 1800000000;
}

uint64_t clock_realtime_usec(void)
{
	return 1800000000 * USEC_PER_SEC;
}

struct sd_event_source {
	sd_event_time_handler_t handler;
	void *context;
	uint64_t at;
	bool on;
};
static struct sd_event_source timer;

int sd_event_add_time(sd_event *e, sd_event_source **s, clockid_t clock, uint64_t usec, uint64_t accuracy,
		      sd_event_time_handler_t callback, void *userdata)
{
	timer = (struct sd_event_source){callback, userdata, usec, true};
	*s = &timer;
	return 0;
}

int sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	source->at = usec;
	return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
	source->on = enabled != SD_EVENT_OFF;
	return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
	if (source)
		source->on = false;
	return NULL;
}

struct http_transfer {
	struct http_request request;
	bool open;
};
static struct http_transfer current;
static unsigned asked;

int http_start(struct http *http, const struct http_request *request, struct http_transfer **ret)
{
	assert_false(current.open);
	current = (struct http_transfer){*request, true};
	*ret = &current;
	asked++;
	return 0;
}

void http_cancel(struct http_transfer *transfer)
{
	if (transfer)
		transfer->open = false;
}

const char *http_fault_text(enum http_fault fault)
{
	return "";
}

static void answer(unsigned status, const char *body)
{
	struct http_request request = current.request;
	const struct http_answer answer = {
		.status = status, .body = body, .length = strlen(body), .retry_after = -1, .error = ""};

	assert_true(current.open);
	current.open = false;
	request.done(request.context, &answer);
}

/* When the timer asks, and that it does. */
static uint64_t wait_for_request(void)
{
	uint64_t waited = timer.at > boot_now ? timer.at - boot_now : 0;

	assert_true(timer.on);
	assert_false(current.open);
	boot_now += waited;
	timer.on = false;
	timer.handler(&timer, timer.at, timer.context);
	assert_true(current.open);
	return waited;
}

static unsigned ready, failed;

static void on_ready(void *context)
{
	ready++;
}

static void on_failed(void *context, const char *fault, const struct problem *problem)
{
	failed++;
}

static struct host_identity identity = {.url = "https://control.example.org", .host_id = "hst_0000000000000001"};

static struct host_token *shared;

static struct token *token_of(void)
{
	const struct token_hooks hooks = {.ready = on_ready, .failed = on_failed, .shared = shared};
	struct token *token;

	ready = failed = asked = 0;
	assert_int_equal(jwt_key_make(&identity.key), 0);
	assert_int_equal(token_new(NULL, NULL, &identity, &hooks, &token), 0);
	answer(200, ANSWER);
	assert_string_equal(token_text(token), "at");
	assert_int_equal(ready, 1);
	return token;
}

/* The token endpoint gives, and all else refuses what it gave: never in a loop. `lived`: how long each one lasted. */
static void refused_over_and_over(uint64_t lived)
{
	struct token *token = token_of();
	uint64_t start = boot_now, longest = 0;
	unsigned count = 0;

	while (boot_now - start < 6 * 3600 * USEC_PER_SEC) {
		uint64_t waited;

		boot_now += lived;
		token_rejected(token);
		token_rejected(token); /* by another feed */
		assert_null(token_text(token));
		waited = wait_for_request();
		if (count > 0)
			assert_true(waited >= USEC_PER_SEC);
		longest = MAX_OF(longest, waited);
		count++;
		answer(200, ANSWER);
	}
	/* 6 h by waits of 150 s on the average are 144; an even row of such luck that it becomes 250 does not happen.
	 */
	if (count > 250)
		fail_msg("%u tokens in six hours", count);
	assert_true(longest > 100 * USEC_PER_SEC);
	assert_true(longest <= 301 * USEC_PER_SEC);
	token_free(token);
}

static void test_refused_at_once(void **state)
{
	refused_over_and_over(0);
}

static void test_refused_after_a_while(void **state)
{
	refused_over_and_over(2 * USEC_PER_SEC);
}

static bool lies_there(const char *url)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	bool there = host_token_get(shared, url, &text);

	if (there)
		assert_string_equal(buffer_text(&text), "at");
	else
		assert_int_equal(text.length, 0);
	return there;
}

/* What lies there for other threads is as good as what is here, and is for the control plane that gave it. */
static void test_shared_as_long_as_it_is_good(void **state)
{
	struct token *token;

	shared = host_token_new();
	assert_false(lies_there(identity.url));
	token = token_of();
	assert_true(lies_there(identity.url));
	assert_false(lies_there("https://control.example.org/"));
	assert_false(lies_there("https://evil.example"));
	assert_false(lies_there(""));
	token_rejected(token);
	assert_false(lies_there(identity.url));
	(void)wait_for_request();
	assert_false(lies_there(identity.url));
	answer(200, ANSWER);
	assert_true(lies_there(identity.url));
	boot_now += 86400 * USEC_PER_SEC;
	assert_null(token_text(token));
	assert_false(lies_there(identity.url));
	token_free(token);
	token = token_of();
	assert_true(lies_there(identity.url));
	token_free(token); /* unenrolled, or out of service */
	assert_false(lies_there(identity.url));
	host_token_free(shared);
	host_token_free(NULL);
	shared = NULL;
}

/* One that ended early is replaced soon, however often that was so in weeks. */
static void test_first_refusal_is_soon(void **state)
{
	struct token *token = token_of();

	for (unsigned i = 0; i < 50; i++) {
		boot_now += 301 * USEC_PER_SEC;
		token_rejected(token);
		assert_true(wait_for_request() <= USEC_PER_SEC);
		answer(200, ANSWER);
	}
	token_free(token);
}

/* Time in which there was no token is no time in which none was refused. */
static void test_endpoint_down_between(void **state)
{
	struct token *token = token_of();

	for (unsigned i = 0; i < 20; i++) {
		token_rejected(token);
		(void)wait_for_request();
		for (unsigned k = 0; k < 10; k++) {
			answer(503, "");
			(void)wait_for_request();
		}
		answer(200, ANSWER);
	}
	token_rejected(token);
	assert_true(wait_for_request() >= USEC_PER_SEC);
	assert_int_equal(failed, 200);
	token_free(token);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_at_once),
		cmocka_unit_test(test_refused_after_a_while),
		cmocka_unit_test(test_shared_as_long_as_it_is_good),
		cmocka_unit_test(test_first_refusal_is_soon),
		cmocka_unit_test(test_endpoint_down_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
