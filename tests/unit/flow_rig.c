/* SPDX-License-Identifier: MIT */
#include "flow_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FASTER 20U

struct flow_rig rig;
uint64_t clock_ahead;

uint64_t __real_clock_boottime_usec(void);
uint64_t __wrap_clock_boottime_usec(void);
uint64_t __wrap_clock_boottime_usec(void)
{
	return __real_clock_boottime_usec() + clock_ahead;
}

int __real_http_start(struct http *http, const struct http_request *request, struct http_transfer **ret);
int __wrap_http_start(struct http *http, const struct http_request *request, struct http_transfer **ret);
int __wrap_http_start(struct http *http, const struct http_request *request, struct http_transfer **ret)
{
	struct http_request faster = *request;

	faster.timeout_ms /= FASTER;
	return __real_http_start(http, &faster, ret);
}

static void on_prompt(void *context, const struct device_answer *answer)
{
	struct flow_seen *seen = context;

	seen->prompts++;
	seen->prompt = *answer;
}

static void on_done(void *context, const struct flow_result *result)
{
	struct flow_seen *seen = context;

	seen->ends++;
	seen->result = *result;
	seen->ended_at = clock_boottime_usec();
}

static void on_step(void *context, enum flow_step step, bool good, const char *what)
{
	static const char *const words[] = {
		[FLOW_STEP_DISCOVERY] = "discovery", [FLOW_STEP_KEYS] = "keys",   [FLOW_STEP_DEVICE] = "device",
		[FLOW_STEP_POLL] = "poll",           [FLOW_STEP_TOKEN] = "token", [FLOW_STEP_USER] = "user",
	};
	struct flow_seen *seen = context;
	size_t used = strlen(seen->steps);

	snprintf(seen->steps + used, sizeof(seen->steps) - used, "%c%s %s\n", good ? '+' : '-', words[step], what);
}

static void on_keys(void *context, enum idp_kind kind, const char *issuer, struct jwks *set, unsigned algorithms,
		    uint64_t got)
{
	assert_int_equal(kind, rig.idp.kind);
	assert_true(got > 0 && got <= clock_boottime_usec());
	assert_string_equal(issuer, rig.idp.issuer);
	assert_true(jwks_count(set) > 0);
	assert_int_equal(algorithms, JWS_RS256 | JWS_ES256);
	rig.key_sets++;
}

void flow_http(const struct http_options *options)
{
	oidc_cache_destroy(rig.cache);
	http_destroy(rig.http);
	assert_int_equal(http_create(options, NULL, &rig.http), 0);
	assert_int_equal(oidc_cache_create(rig.http, options->allow_plain, &rig.cache), 0);
	oidc_cache_on_keys(rig.cache, on_keys, NULL);
}

void flow_client(void)
{
	oidc_client_unref(rig.client);
	rig.client = oidc_client_new(&rig.idp);
	assert_non_null(rig.client);
}

int flow_setup(void **state)
{
	rig = (struct flow_rig){0};
	rig.provider = fake_provider_start(NULL, NULL);
	rig.idp = (struct idp_record){
		.id = "idp_1",
		.tenant_id = "ten_1",
		.name = "Fake",
		.issuer = fake_provider_issuer(rig.provider),
		.kind = IDP_OIDC,
		.client_id = FAKE_CLIENT,
		.client_secret = "",
		.client_key = "",
		.hosted_domain = "",
		.token_audience = "",
	};
	flow_http(&(struct http_options){.allow_plain = true, .accept_tls12 = true, .proxy = ""});
	flow_client();
	return 0;
}

int flow_teardown(void **state)
{
	oidc_cache_destroy(rig.cache);
	http_destroy(rig.http);
	oidc_client_unref(rig.client);
	fake_provider_stop(rig.provider);
	return 0;
}

struct oidc_flow *flow_begin(struct flow_seen *seen)
{
	const struct flow_hooks hooks = {on_prompt, on_done, on_step, seen};
	struct oidc_flow *flow = NULL;

	*seen = (struct flow_seen){0};
	assert_int_equal(oidc_flow_start(rig.cache, rig.client, clock_boottime_usec(), &hooks, &flow), 0);
	assert_int_equal(seen->ends + seen->prompts, 0); /* never from within */
	return flow;
}

void flow_turn(uint64_t end)
{
	uint64_t now = clock_boottime_usec(), next = oidc_cache_next(rig.cache);

	if (next <= now) {
		oidc_cache_tick(rig.cache, now);
		return;
	}
	/* Nothing under way: on to what is due next. */
	if (http_wait(rig.http, 1) == 0) {
		next = oidc_cache_next(rig.cache);
		now = clock_boottime_usec();
		next = next < end ? next : end;
		if (next > now)
			clock_ahead += next - now;
	}
}

struct flow_seen flow_whole(unsigned seconds)
{
	struct flow_seen seen;

	(void)flow_begin(&seen);
	assert_true(flow_run(seen.ends > 0, seconds));
	assert_int_equal(seen.ends, 1);
	return seen;
}

bool flow_said(const struct flow_seen *seen, const char *text)
{
	return strstr(seen->steps, text) != NULL;
}
