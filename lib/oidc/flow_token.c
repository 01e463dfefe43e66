/* SPDX-License-Identifier: MIT
 *
 * What came of it: an ID token, checked with the issuer's keys, or GitHub's word about who asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "oidc/flow_internal.h"

#define KEYS_USEC \
	(90 * USEC_PER_SEC) /* to wait for keys once there is a token: longer than the bound between fetches */
#define USER_USEC (30 * USEC_PER_SEC) /* for GitHub to say who it is */

static void proven(struct oidc_flow *flow, struct flow_result *result)
{
	result->end = FLOW_PROVEN;
	flow_end(flow, result);
}

/* ---- an ID token ----------------------------------------------------------------------------------------------- */

static void bad_token(struct oidc_flow *flow, enum token_fault fault, enum jws_fault jws)
{
	struct flow_result result = {.end = FLOW_BAD_TOKEN, .token = fault, .jws = jws};

	snprintf(result.detail, sizeof(result.detail), "the ID token: %s",
		 fault == TOKEN_SIGNED_BADLY ? jws_fault_sentence(jws) : token_fault_sentence(fault));
	flow_say(flow, FLOW_STEP_TOKEN, false, "%s", result.detail);
	flow_end(flow, &result);
}

/* May newer keys say otherwise? Those that were asked for when the token was there already have the last word. */
static bool newer_keys_may_help(const struct oidc_flow *flow, enum token_fault fault, enum jws_fault jws)
{
	struct jws_claimed claimed;

	if (fault != TOKEN_SIGNED_BADLY || flow->issuer->key_set.got >= flow->token_at)
		return false;
	if (jws == JWS_UNKNOWN_KEY)
		return true;
	/* A token that names no key, after the only one was replaced. */
	return (jws == JWS_BAD_SIGNATURE || jws == JWS_OTHER_KEY || jws == JWS_NO_KID) &&
	       jws_peek(flow->id_token, strlen(flow->id_token), &claimed) == 0 && !claimed.kid[0];
}

/* 0: they are good to use; -EAGAIN: not yet. */
static int keys_for(const struct oidc_issuer *issuer, uint64_t now)
{
	if (!issuer->keys || !document_is_usable(&issuer->key_set, now))
		return -EAGAIN;
	/* Old ones only while no newer ones are to be had. */
	return document_is_fresh(&issuer->key_set, now) || issuer->key_set.failures ? 0 : -EAGAIN;
}

static void wait_for_keys(struct oidc_flow *flow, uint64_t now)
{
	struct oidc_issuer *issuer = flow->issuer;

	flow->seen = issuer->key_set.news;
	flow->due = FLOW_NEVER;
	issuer_settle(issuer, now);
	if (now >= flow->deadline)
		flow_fail(flow, FLOW_UNREACHABLE, "the provider's keys: %.200s",
			  issuer->key_set.problem[0] ? issuer->key_set.problem : http_fault_text(HTTP_TIMED_OUT));
	else
		cache_touch(flow->cache, flow->deadline);
}

void flow_check(struct oidc_flow *flow, uint64_t now)
{
	struct oidc_issuer *issuer = flow->issuer;
	struct flow_result result = {0};
	struct id_token_rules rules = {
		.idp = &flow->client->record,
		.keys = issuer->keys,
		.nonce = flow->secrets.nonce,
		.access_token = flow->access_token,
		.now = clock_realtime_sec(),
	};
	enum token_fault fault;
	enum jws_fault jws = JWS_FINE;

	if (flow->due == FLOW_NEVER && flow->seen == issuer->key_set.news && now < flow->deadline) {
		cache_touch(flow->cache, flow->deadline);
		return; /* nothing new about them */
	}
	if (!issuer->endpoints || keys_for(issuer, now) < 0) {
		wait_for_keys(flow, now);
		return;
	}
	rules.algorithms = issuer->endpoints->algorithms;
	fault = id_token_check(flow->id_token, strlen(flow->id_token), &rules, &result.identity, &jws);
	if (fault == TOKEN_FINE) {
		flow_say(flow, FLOW_STEP_TOKEN, true, "%s", result.identity.subject);
		proven(flow, &result);
	} else if (newer_keys_may_help(flow, fault, jws)) {
		issuer->unknown_kid = true;
		wait_for_keys(flow, now);
	} else {
		bad_token(flow, fault, jws);
	}
}

/* ---- GitHub ------------------------------------------------------------------------------------------------------ */

static void take_user(struct oidc_flow *flow, const char *emails, size_t emails_length)
{
	struct flow_result result = {0};
	struct problem problem = {0};

	if (github_user_parse(flow->user, flow->user_length, emails, emails_length, flow->issuer->name,
			      &result.identity, &problem) < 0) {
		flow_say(flow, FLOW_STEP_USER, false, "%s", problem.text);
		flow_fail(flow, FLOW_UNREACHABLE, "the user API: %.200s", problem.text);
		return;
	}
	flow_say(flow, FLOW_STEP_USER, true, "%s", result.identity.subject);
	proven(flow, &result);
}

static void on_user(void *context, const struct http_answer *answer)
{
	struct oidc_flow *flow = context;
	uint64_t now = flow_answered(flow);
	bool emails = flow->state == FLOW_EMAILS;

	switch (answer_use(answer, flow->problem, sizeof(flow->problem))) {
	case ANSWER_AGAIN:
		flow_say(flow, FLOW_STEP_USER, false, "%s", flow->problem);
		flow_again(flow, answer, now);
		return;
	case ANSWER_USELESS:
		flow_say(flow, FLOW_STEP_USER, false, "%s", flow->problem);
		flow_fail(flow, FLOW_UNREACHABLE, "the user API: %s", flow->problem);
		return;
	case ANSWER_READ:
		break;
	}
	if (emails) {
		/* Without the right to read them nothing is verified: the binding says so. */
		take_user(flow, answer->status == 200 ? answer->body : NULL,
			  answer->status == 200 ? answer->length : 0);
		return;
	}
	if (answer->status != 200) {
		flow_say(flow, FLOW_STEP_USER, false, "it answers with status %u", answer->status);
		flow_fail(flow, FLOW_UNREACHABLE, "the user API: it answers with status %u", answer->status);
		return;
	}
	flow->user = malloc(answer->length + 1);
	if (!flow->user) {
		snprintf(flow->problem, sizeof(flow->problem), "out of memory");
		flow_again(flow, NULL, now);
		return;
	}
	memcpy(flow->user, answer->body, answer->length);
	flow->user[answer->length] = '\0';
	flow->user_length = answer->length;
	/* Addresses matter to a first sign-in alone, and only where it may bind. */
	if (flow->client->record.bind != IDP_BIND_VERIFIED_EMAIL || !flow->issuer->endpoints->emails[0]) {
		take_user(flow, NULL, 0);
		return;
	}
	flow->state = FLOW_EMAILS;
	flow->failures = 0;
	flow->due = now;
	cache_touch(flow->cache, now);
}

void flow_ask_user(struct oidc_flow *flow, uint64_t now)
{
	const struct oidc_endpoints *endpoints = flow->issuer->endpoints;

	flow_ask(flow,
		 &(struct http_request){.url = flow->state == FLOW_EMAILS ? endpoints->emails : endpoints->user,
					.bearer = flow->access_token,
					.done = on_user},
		 now);
}

/* ---- both ----------------------------------------------------------------------------------------------------------
 */

void flow_take_tokens(struct oidc_flow *flow, const struct token_answer *answer, uint64_t now)
{
	bool github = flow->issuer->kind == IDP_GITHUB;
	const char *missing = github ? "access token" : "ID token";

	secret_free_heap(TAKE_PTR(flow->device_code));
	flow->failures = 0;
	flow->problem[0] = '\0';
	flow->token_at = flow->due = now;
	if (!(github ? answer->access_token : answer->id_token)[0]) {
		flow_say(flow, FLOW_STEP_TOKEN, false, "no %s came", missing);
		flow_fail(flow, FLOW_REFUSED, "no %s came%s", missing,
			  github ? "" : "; the scopes of the client have to contain openid");
		return;
	}
	flow->access_token = strdup(answer->access_token);
	flow->id_token = strdup(github ? "" : answer->id_token);
	if (!flow->access_token || !flow->id_token) {
		flow_fail(flow, FLOW_UNREACHABLE, "out of memory");
		return;
	}
	if (github) {
		flow->state = FLOW_USER;
		flow->deadline = now + USER_USEC;
		cache_touch(flow->cache, now);
		return;
	}
	flow->state = FLOW_CHECKS;
	flow->deadline = now + KEYS_USEC;
	flow_check(flow, now);
}
