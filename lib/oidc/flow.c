/* SPDX-License-Identifier: MIT
 *
 * One sign-in: begins, asks for a code, polls. An outage while somebody waits is sat out until the code expires; one
 * before there is a code, when the person sees nothing yet, is told soon.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "oidc/flow_internal.h"

#define BEGIN_USEC (20 * USEC_PER_SEC) /* from the beginning to the code */
#define REQUEST_MS 10000U
#define ISSUER_REQUESTS_MAX 10U /* of one issuer's sign-ins at once: connections are what costs memory */
#define SLOW_DOWN_SEC 5U
#define INTERVAL_MOST_SEC 120U
#define AGAIN_USEC USEC_PER_SEC /* after a request that failed, doubling … */
#define AGAIN_MOST_USEC (30 * USEC_PER_SEC)
#define DOUBLINGS_MAX 6U

/* ---- words --------------------------------------------------------------------------------------------------- */

void flow_say(const struct oidc_flow *flow, enum flow_step step, bool good, const char *format, ...)
{
	char what[512];
	va_list args;

	if (!flow->hooks.step)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	flow->hooks.step(flow->hooks.context, step, good, what);
}

enum answer_use answer_use(const struct http_answer *answer, char *problem, size_t size)
{
	char error[128];

	switch (answer->fault) {
	case HTTP_FINE:
		break;
	case HTTP_TOO_LARGE:
	case HTTP_STOPPED:
		snprintf(problem, size, "%s", http_fault_text(answer->fault));
		return ANSWER_USELESS;
	case HTTP_NO_NAME:
	case HTTP_NO_ROUTE:
	case HTTP_NO_PROXY:
	case HTTP_BAD_PEER:
	case HTTP_TIMED_OUT:
	case HTTP_CUT:
	case HTTP_OTHER:
		text_escape(answer->error, strlen(answer->error), error, sizeof(error));
		snprintf(problem, size, "%s%s%s%s", http_fault_text(answer->fault), error[0] ? " (" : "", error,
			 error[0] ? ")" : "");
		return ANSWER_AGAIN;
	}
	if (answer->status >= 300 && answer->status < 400) {
		snprintf(problem, size, "it answers with a redirect (%u), and those are not followed", answer->status);
		return ANSWER_USELESS;
	}
	if (answer->status == 429 || answer->status >= 500) {
		snprintf(problem, size, "it answers with status %u", answer->status);
		return ANSWER_AGAIN;
	}
	return ANSWER_READ;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void unlink_flow(struct oidc_flow *flow)
{
	struct oidc_cache *cache = flow->cache;

	if (cache->cursor == flow)
		cache->cursor = flow->next;
	if (flow->previous)
		flow->previous->next = flow->next;
	else
		cache->first = flow->next;
	if (flow->next)
		flow->next->previous = flow->previous;
	else
		cache->last = flow->previous;
	flow->previous = flow->next = NULL;
}

static void append_flow(struct oidc_flow *flow)
{
	struct oidc_cache *cache = flow->cache;

	flow->previous = cache->last;
	flow->next = NULL;
	if (cache->last)
		cache->last->next = flow;
	else
		cache->first = flow;
	cache->last = flow;
}

static void flow_free(struct oidc_flow *flow)
{
	secret_free_heap(flow->device_code);
	secret_free_heap(flow->id_token);
	secret_free_heap(flow->access_token);
	free(flow->user);
	secret_wipe(&flow->secrets, sizeof(flow->secrets));
	oidc_client_unref(flow->client);
	free(flow);
}

static void drop_transfer(struct oidc_flow *flow)
{
	if (!flow->transfer)
		return;
	http_cancel(TAKE_PTR(flow->transfer));
	flow->issuer->busy--;
	cache_touch(flow->cache, 0); /* somebody may wait for its turn */
}

int oidc_flow_start(struct oidc_cache *cache, struct oidc_client *client, uint64_t now_usec,
		    const struct flow_hooks *hooks, struct oidc_flow **ret)
{
	struct problem problem = {0};
	struct oidc_flow *flow = calloc(1, sizeof(*flow));
	int r;

	if (!flow)
		return -ENOMEM;
	r = issuer_of(cache, &client->record, &flow->issuer, &problem);
	if (r < 0) {
		free(flow);
		return r;
	}
	flow->cache = cache;
	flow->client = oidc_client_ref(client);
	flow->hooks = *hooks;
	flow->state = FLOW_BEGINS;
	flow->deadline = now_usec + BEGIN_USEC;
	flow->issuer->flows++;
	flow->issuer->used = now_usec;
	append_flow(flow);
	cache_touch(cache, now_usec);
	*ret = flow;
	return 0;
}

void oidc_flow_cancel(struct oidc_flow *flow)
{
	if (!flow)
		return;
	drop_transfer(flow);
	unlink_flow(flow);
	flow->issuer->flows--;
	flow_free(flow);
}

void flow_end(struct oidc_flow *flow, struct flow_result *result)
{
	void (*done)(void *, const struct flow_result *) = flow->hooks.done;
	void *context = flow->hooks.context;

	oidc_flow_cancel(flow);
	done(context, result);
	secret_wipe(result, sizeof(*result)); /* names and addresses are nobody else's */
}

void flow_fail(struct oidc_flow *flow, enum flow_end end, const char *format, ...)
{
	struct flow_result result = {.end = end};
	va_list args;

	va_start(args, format);
	vsnprintf(result.detail, sizeof(result.detail), format, args);
	va_end(args);
	flow_end(flow, &result);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

bool flow_may_ask(const struct oidc_flow *flow)
{
	return flow->issuer->busy < ISSUER_REQUESTS_MAX;
}

void flow_ask(struct oidc_flow *flow, struct http_request *request, uint64_t now)
{
	int r;

	request->accept = "application/json";
	request->limit = OIDC_ANSWER_MAX;
	request->timeout_ms = REQUEST_MS;
	request->context = flow;
	r = http_start(issuer_http(flow->issuer), request, &flow->transfer);
	if (r < 0) {
		flow->transfer = NULL;
		snprintf(flow->problem, sizeof(flow->problem), "it cannot be asked: %s", strerrordesc_np(-r));
		flow_again(flow, NULL, now);
		return;
	}
	flow->issuer->busy++;
	/* Behind all who have not asked yet. */
	unlink_flow(flow);
	append_flow(flow);
	cache_touch(flow->cache, flow->deadline);
}

uint64_t flow_answered(struct oidc_flow *flow)
{
	flow->transfer = NULL;
	flow->issuer->busy--;
	cache_touch(flow->cache, 0);
	return clock_boottime_usec();
}

void flow_again(struct oidc_flow *flow, const struct http_answer *answer, uint64_t now)
{
	uint64_t wait = MIN_OF(AGAIN_USEC << MIN_OF(flow->failures, DOUBLINGS_MAX), AGAIN_MOST_USEC);

	/* RFC 8628, 3.5: who gets no answer asks less often. */
	if (flow->state == FLOW_POLLS)
		wait = MAX_OF(MIN_OF((uint64_t)flow->interval << MIN_OF(flow->failures + 1, DOUBLINGS_MAX),
				     AGAIN_MOST_USEC / USEC_PER_SEC),
			      (uint64_t)flow->interval) *
		       USEC_PER_SEC;
	if (answer && answer->retry_after > 0)
		wait = MAX_OF(wait, (uint64_t)answer->retry_after * USEC_PER_SEC);
	flow->failures++;
	flow->due = now + wait;
	cache_touch(flow->cache, MIN_OF(flow->due, flow->deadline));
}

/* ---- a code ---------------------------------------------------------------------------------------------------- */

static void on_device(void *context, const struct http_answer *answer)
{
	struct oidc_flow *flow = context;
	uint64_t now = flow_answered(flow);
	struct device_answer device = {0};
	struct problem problem = {0};
	int r;

	switch (answer_use(answer, flow->problem, sizeof(flow->problem))) {
	case ANSWER_AGAIN:
		flow_say(flow, FLOW_STEP_DEVICE, false, "%s", flow->problem);
		if (answer->fault == HTTP_BAD_PEER)
			flow_fail(flow, FLOW_UNREACHABLE, "the device endpoint: %s", flow->problem);
		else
			flow_again(flow, answer, now);
		return;
	case ANSWER_USELESS:
		flow_say(flow, FLOW_STEP_DEVICE, false, "%s", flow->problem);
		flow_fail(flow, FLOW_UNREACHABLE, "the device endpoint: %s", flow->problem);
		return;
	case ANSWER_READ:
		break;
	}
	if (answer->status == 401 && flow->showed_proof) {
		flow->showed_proof = false;
		flow->no_proof = true;
		flow->due = now;
		cache_touch(flow->cache, now);
		return;
	}
	r = device_answer_parse(answer->status, answer->body, answer->length, &device, &problem);
	if (r == 0) {
		flow->device_code = strdup(device.device_code);
		r = flow->device_code ? 0 : problem_set(&problem, ENOMEM, "out of memory");
	}
	secret_wipe(device.device_code, sizeof(device.device_code));
	if (r < 0) {
		char what[512];

		problem_render(&problem, what, sizeof(what));
		flow_say(flow, FLOW_STEP_DEVICE, false, "%s", what);
		flow_fail(flow, r == -EACCES ? FLOW_REFUSED : FLOW_UNREACHABLE, "the device endpoint: %.200s", what);
		return;
	}
	flow->state = FLOW_POLLS;
	flow->failures = 0;
	flow->interval = MAX_OF(device.interval, 1U);
	flow->deadline = now + device.expires_in * USEC_PER_SEC;
	flow->due = now + flow->interval * USEC_PER_SEC;
	cache_touch(flow->cache, MIN_OF(flow->due, flow->deadline));
	flow_say(flow, FLOW_STEP_DEVICE, true, "a code for %u seconds, to be asked about every %u", device.expires_in,
		 flow->interval);
	flow->hooks.prompt(flow->hooks.context, &device);
}

/* Which host asks, for the control plane's page. It counts there for more than this, so it is shown to nobody but who
 * gave it: an issuer that is asked as the control plane, at an address of its own. */
static bool put_proof(const struct oidc_flow *flow, struct buffer *ret)
{
	const struct oidc_issuer *issuer = flow->issuer;
	const struct oidc_cache *cache = flow->cache;
	size_t length = strlen(issuer->name);

	return issuer->kind == IDP_TENANTD && cache->control_plane && cache->proof && !flow->no_proof &&
	       strncmp(issuer->endpoints->device, issuer->name, length) == 0 &&
	       issuer->endpoints->device[length] == '/' && cache->proof(cache->proof_context, issuer->name, ret) &&
	       buffer_text(ret);
}

static void ask_for_code(struct oidc_flow *flow, uint64_t now)
{
	_cleanup_(buffer_finish) struct buffer proof = {.wipe = true};
	const struct oidc_endpoints *endpoints = flow->issuer->endpoints;
	struct oidc_form form = {0};
	struct problem problem = {0};
	int r = oidc_secrets_make(endpoints, &flow->secrets);

	if (r == 0)
		r = oidc_device_form(flow->client, endpoints, &flow->secrets, clock_realtime_sec(), &form, &problem);
	if (r == -EINVAL) {
		char what[512];

		problem_render(&problem, what, sizeof(what));
		flow_say(flow, FLOW_STEP_DEVICE, false, "%s", what);
		flow_fail(flow, FLOW_REFUSED, "%.200s", what);
	} else if (r < 0) {
		snprintf(flow->problem, sizeof(flow->problem), "it cannot be asked: %s", strerrordesc_np(-r));
		flow_again(flow, NULL, now);
	} else {
		flow->showed_proof = !form.authorization.length && put_proof(flow, &proof);
		flow_ask(flow,
			 &(struct http_request){
				 .method = "POST",
				 .url = endpoints->device,
				 .bearer = flow->showed_proof ? proof.data : NULL,
				 .authorization = form.authorization.length ? buffer_text(&form.authorization) : NULL,
				 .content_type = "application/x-www-form-urlencoded",
				 .body = buffer_text(&form.body),
				 .body_length = form.body.length,
				 .done = on_device},
			 now);
	}
	oidc_form_finish(&form);
}

/* ---- polls ----------------------------------------------------------------------------------------------------- */

/* Nobody said no and nobody could be asked: then it is not known whether the person approved. */
static void code_is_over(struct oidc_flow *flow)
{
	if (flow->failures)
		flow_fail(flow, FLOW_UNREACHABLE, "the token endpoint, until the code expired: %s", flow->problem);
	else
		flow_fail(flow, FLOW_EXPIRED, "nobody approved in time");
}

static void poll_later(struct oidc_flow *flow, uint64_t now)
{
	flow->failures = 0;
	flow->due = now + flow->interval * USEC_PER_SEC;
	cache_touch(flow->cache, MIN_OF(flow->due, flow->deadline));
}

static void take_poll(struct oidc_flow *flow, const struct http_answer *http, const struct token_answer *answer,
		      uint64_t now)
{
	/* What the provider said is text that was checked by whoever read it. */
	const char *word = answer->error, *about = answer->description;

	switch (answer->outcome) {
	case TOKEN_GRANTED:
		flow_say(flow, FLOW_STEP_POLL, true, "approved");
		flow_take_tokens(flow, answer, now);
		return;
	case TOKEN_PENDING:
		flow_say(flow, FLOW_STEP_POLL, true, "not yet");
		poll_later(flow, now);
		return;
	case TOKEN_SLOW_DOWN:
		flow->interval = MIN_OF(flow->interval + SLOW_DOWN_SEC, INTERVAL_MOST_SEC);
		flow_say(flow, FLOW_STEP_POLL, true, "asked too often: every %u seconds from now on", flow->interval);
		poll_later(flow, now);
		return;
	case TOKEN_DENIED:
		flow_say(flow, FLOW_STEP_POLL, false, "the person said no");
		flow_fail(flow, FLOW_DENIED, "%.60s%s%.180s", word, about[0] ? ": " : "", about);
		return;
	case TOKEN_EXPIRED:
		flow_say(flow, FLOW_STEP_POLL, false, "the code expired");
		flow_fail(flow, FLOW_EXPIRED, "%.60s%s%.180s", word, about[0] ? ": " : "", about);
		return;
	case TOKEN_REFUSED:
		flow_say(flow, FLOW_STEP_POLL, false, "%.60s%s%.180s", word, about[0] ? ": " : "", about);
		flow_fail(flow, FLOW_REFUSED, "the token endpoint: %.60s%s%.160s", word, about[0] ? ": " : "", about);
		return;
	case TOKEN_AGAIN:
		snprintf(flow->problem, sizeof(flow->problem), "it answers with status %u", http->status);
		flow_say(flow, FLOW_STEP_POLL, false, "%s", flow->problem);
		flow_again(flow, http, now);
		return;
	case TOKEN_UNREADABLE:
		break;
	}
	flow_say(flow, FLOW_STEP_POLL, false, "status %u, and not what a token endpoint says", http->status);
	flow_fail(flow, FLOW_UNREACHABLE, "the token endpoint: status %u, and not what one says", http->status);
}

static void on_poll(void *context, const struct http_answer *http)
{
	struct oidc_flow *flow = context;
	uint64_t now = flow_answered(flow);
	struct token_answer *answer;

	switch (answer_use(http, flow->problem, sizeof(flow->problem))) {
	case ANSWER_AGAIN:
		flow_say(flow, FLOW_STEP_POLL, false, "%s", flow->problem);
		flow_again(flow, http, now);
		return;
	case ANSWER_USELESS:
		flow_say(flow, FLOW_STEP_POLL, false, "%s", flow->problem);
		flow_fail(flow, FLOW_UNREACHABLE, "the token endpoint: %s", flow->problem);
		return;
	case ANSWER_READ:
		break;
	}
	answer = calloc(1, sizeof(*answer));
	if (!answer) {
		/* It may have been the only answer with the token in it, but who asks again hears so. */
		snprintf(flow->problem, sizeof(flow->problem), "out of memory");
		flow_again(flow, NULL, now);
		return;
	}
	token_answer_parse(http->status, http->body, http->length, answer);
	take_poll(flow, http, answer, now);
	secret_wipe(answer, sizeof(*answer));
	free(answer);
}

static void poll_now(struct oidc_flow *flow, uint64_t now)
{
	const struct oidc_endpoints *endpoints = flow->issuer->endpoints;
	struct oidc_form form = {0};
	struct problem problem = {0};
	int r = oidc_token_form(flow->client, endpoints, &flow->secrets, flow->device_code, clock_realtime_sec(), &form,
				&problem);

	if (r < 0) {
		snprintf(flow->problem, sizeof(flow->problem), "it cannot be asked: %.130s",
			 problem.text[0] ? problem.text : strerrordesc_np(-r));
		flow_again(flow, NULL, now);
	} else {
		flow_ask(flow,
			 &(struct http_request){
				 .method = "POST",
				 .url = endpoints->token,
				 .authorization = form.authorization.length ? buffer_text(&form.authorization) : NULL,
				 .content_type = "application/x-www-form-urlencoded",
				 .body = buffer_text(&form.body),
				 .body_length = form.body.length,
				 .done = on_poll},
			 now);
	}
	oidc_form_finish(&form);
}

/* ---- what is due ----------------------------------------------------------------------------------------------- */

/* True: it has what asking needs. */
static bool begin(struct oidc_flow *flow, uint64_t now)
{
	const struct oidc_issuer *issuer = flow->issuer;
	const struct document *discovery = &issuer->discovery;

	if (issuer->kind == IDP_GITHUB || (issuer->endpoints && document_is_usable(discovery, now))) {
		flow->state = FLOW_DEVICE;
		flow->due = now;
		return true;
	}
	if (discovery->wrong && !discovery->transfer)
		flow_fail(flow, FLOW_UNREACHABLE, "the discovery document: %.200s", discovery->problem);
	else if (now >= flow->deadline)
		flow_fail(flow, FLOW_UNREACHABLE, "the discovery document: %.200s",
			  discovery->problem[0] ? discovery->problem : http_fault_text(HTTP_TIMED_OUT));
	else
		cache_touch(flow->cache, flow->deadline);
	return false;
}

/* False: over, or not due, or it is not its turn. */
static bool is_to_ask(struct oidc_flow *flow, uint64_t now)
{
	if (now >= flow->deadline) {
		drop_transfer(flow);
		if (flow->state == FLOW_POLLS)
			code_is_over(flow);
		else
			flow_fail(flow, FLOW_UNREACHABLE, "%s: %s",
				  flow->state == FLOW_DEVICE ? "the device endpoint" : "the user API",
				  flow->problem[0] ? flow->problem : http_fault_text(HTTP_TIMED_OUT));
		return false;
	}
	cache_touch(flow->cache, flow->deadline);
	if (flow->transfer)
		return false;
	if (flow->due <= now)
		return flow_may_ask(flow); /* whoever ends makes room and has us look again */
	cache_touch(flow->cache, flow->due);
	return false;
}

static void settle_flow(struct oidc_flow *flow, uint64_t now)
{
	if (flow->state == FLOW_BEGINS && !begin(flow, now))
		return;
	if (flow->state == FLOW_CHECKS) {
		flow_check(flow, now);
		return;
	}
	if (!is_to_ask(flow, now))
		return;
	if (flow->state == FLOW_DEVICE)
		ask_for_code(flow, now);
	else if (flow->state == FLOW_POLLS)
		poll_now(flow, now);
	else
		flow_ask_user(flow, now);
}

void flows_settle(struct oidc_cache *cache, uint64_t now)
{
	struct oidc_flow *flow;

	for (cache->cursor = cache->first; (flow = cache->cursor);) {
		cache->cursor = flow->next;
		settle_flow(flow, now);
	}
}
