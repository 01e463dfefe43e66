/* SPDX-License-Identifier: MIT
 *
 * What issuers said of themselves: discovery documents and key sets, each fetched by one request at a time whoever
 * needs it, kept for an hour, and used for up to a day while nothing newer can be had.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "oidc/flow_internal.h"

#define FRESH_USEC (3600 * USEC_PER_SEC)
#define USABLE_USEC (24 * 3600 * USEC_PER_SEC)
#define REFETCH_USEC (60 * USEC_PER_SEC) /* for a key that is not there: no more often */
#define AGAIN_USEC USEC_PER_SEC          /* after a failure, doubling … */
#define AGAIN_MOST_USEC (60 * USEC_PER_SEC)
#define AGAIN_DOUBLINGS 6U
#define RETRY_AFTER_MOST 600
#define FORGET_USEC USABLE_USEC /* an issuer that nobody asked about */
#define DOCUMENT_MS 10000U

void cache_touch(struct oidc_cache *cache, uint64_t when)
{
	cache->next = MIN_OF(cache->next, when);
}

bool document_is_usable(const struct document *document, uint64_t now)
{
	return document->got && now < document->got + USABLE_USEC;
}

bool document_is_fresh(const struct document *document, uint64_t now)
{
	return document->got && now < document->got + FRESH_USEC;
}

/* When it is to be asked for. */
static uint64_t document_due(const struct document *document, bool soon)
{
	uint64_t due;

	if (document->transfer)
		return FLOW_NEVER;
	due = document->got ? document->got + FRESH_USEC : 0;
	if (soon)
		due = MIN_OF(due, document->tried ? document->tried + REFETCH_USEC : 0);
	return MAX_OF(due, document->due);
}

static void tell_flows(const struct oidc_issuer *issuer, enum flow_step step, bool good, const char *what)
{
	for (struct oidc_flow *flow = issuer->cache->first; flow; flow = flow->next)
		if (flow->issuer == issuer)
			flow_say(flow, step, good, "%s", what);
}

static void document_came(struct oidc_issuer *issuer, struct document *document, uint64_t now)
{
	document->got = document->tried;
	document->due = 0;
	document->failures = 0;
	document->news++;
	document->wrong = false;
	document->problem[0] = '\0';
	cache_touch(issuer->cache, now);
}

/* What is kept stays. */
static void document_failed(struct oidc_issuer *issuer, struct document *document, const struct http_answer *answer,
			    bool wrong, uint64_t now)
{
	uint64_t wait = AGAIN_USEC << MIN_OF(document->failures, AGAIN_DOUBLINGS);

	wait = MIN_OF(wait, AGAIN_MOST_USEC);
	if (answer && answer->retry_after > 0)
		wait = MAX_OF(wait, (uint64_t)MIN_OF(answer->retry_after, (int64_t)RETRY_AFTER_MOST) * USEC_PER_SEC);
	document->failures++;
	document->news++;
	document->wrong = wrong;
	document->due = now + wait;
	cache_touch(issuer->cache, now);
	tell_flows(issuer, document == &issuer->discovery ? FLOW_STEP_DISCOVERY : FLOW_STEP_KEYS, false,
		   document->problem);
}

static void note_problem(struct document *document, const struct problem *problem)
{
	problem_render(problem, document->problem, sizeof(document->problem));
}

/* True: the answer can be read. */
static bool document_answered(struct oidc_issuer *issuer, struct document *document, const struct http_answer *answer,
			      uint64_t now)
{
	enum answer_use use = answer_use(answer, document->problem, sizeof(document->problem));

	document->transfer = NULL;
	if (use == ANSWER_READ && answer->status != 200) {
		snprintf(document->problem, sizeof(document->problem), "it answers with status %u", answer->status);
		use = ANSWER_USELESS;
	}
	if (use == ANSWER_READ)
		return true;
	/* Another certificate than it should have is no outage that passes while somebody waits for a prompt. */
	document_failed(issuer, document, answer, use == ANSWER_USELESS || answer->fault == HTTP_BAD_PEER, now);
	return false;
}

static void on_discovery(void *context, const struct http_answer *answer)
{
	struct oidc_issuer *issuer = context;
	uint64_t now = clock_boottime_usec();
	_cleanup_(oidc_client_unrefp) struct oidc_client *asker = TAKE_PTR(issuer->asker);
	struct oidc_endpoints *endpoints;
	struct problem problem = {0};

	if (!document_answered(issuer, &issuer->discovery, answer, now))
		return;
	endpoints = calloc(1, sizeof(*endpoints));
	if (!endpoints || oidc_endpoints_known(&asker->record, issuer->cache->allow_plain, endpoints, &problem) < 0 ||
	    oidc_endpoints_parse(&asker->record, answer->body, answer->length, issuer->cache->allow_plain, endpoints,
				 &problem) < 0) {
		if (!problem.text[0])
			problem_set(&problem, ENOMEM, "out of memory");
		note_problem(&issuer->discovery, &problem);
		free(endpoints);
		document_failed(issuer, &issuer->discovery, answer, true, now);
		return;
	}
	/* Keys of another place are other keys. */
	if (issuer->endpoints && strcmp(issuer->endpoints->keys, endpoints->keys) != 0) {
		http_cancel(issuer->key_set.transfer);
		issuer->key_set = (struct document){.news = issuer->key_set.news + 1};
	}
	free(issuer->endpoints);
	issuer->endpoints = endpoints;
	document_came(issuer, &issuer->discovery, now);
	tell_flows(issuer, FLOW_STEP_DISCOVERY, true, endpoints->discovery);
	issuer_settle(issuer, now); /* the keys, while the person is shown an address */
}

static void tell_keys(const struct oidc_issuer *issuer)
{
	const struct oidc_cache *cache = issuer->cache;

	if (cache->on_keys)
		cache->on_keys(cache->on_keys_context, issuer->kind, issuer->name, issuer->keys,
			       issuer->endpoints->algorithms, issuer->key_set.got);
}

static void on_key_set(void *context, const struct http_answer *answer)
{
	struct oidc_issuer *issuer = context;
	uint64_t now = clock_boottime_usec();
	struct problem problem = {0};
	struct jwks *keys = NULL;
	char what[80];

	if (!document_answered(issuer, &issuer->key_set, answer, now))
		return;
	if (jwks_parse(answer->body, answer->length, &keys, &problem) < 0) {
		if (!problem.text[0])
			problem_set(&problem, ENOMEM, "out of memory");
		note_problem(&issuer->key_set, &problem);
		document_failed(issuer, &issuer->key_set, answer, true, now);
		return;
	}
	jwks_unref(issuer->keys);
	issuer->keys = keys;
	issuer->unknown_kid = false;
	document_came(issuer, &issuer->key_set, now);
	snprintf(what, sizeof(what), "%u keys that can be used", jwks_count(keys));
	tell_flows(issuer, FLOW_STEP_KEYS, true, what);
	tell_keys(issuer);
}

static void fetch(struct oidc_issuer *issuer, struct document *document, const char *url, uint64_t limit,
		  void (*done)(void *, const struct http_answer *), uint64_t now)
{
	const struct http_request request = {
		.url = url,
		.accept = "application/json",
		.limit = limit,
		.timeout_ms = DOCUMENT_MS,
		.done = done,
		.context = issuer,
	};
	int r;

	document->tried = now;
	r = http_start(issuer_http(issuer), &request, &document->transfer);
	if (r < 0) {
		document->transfer = NULL;
		snprintf(document->problem, sizeof(document->problem), "it cannot be asked for: %s",
			 strerrordesc_np(-r));
		document_failed(issuer, document, NULL, r == -EINVAL, now);
	}
}

/* Somebody as whom it can be asked. */
static struct oidc_client *some_client(const struct oidc_issuer *issuer)
{
	if (issuer->wanted)
		return issuer->wanted;
	for (struct oidc_flow *flow = issuer->cache->first; flow; flow = flow->next)
		if (flow->issuer == issuer)
			return flow->client;
	return NULL;
}

static void fetch_discovery(struct oidc_issuer *issuer, uint64_t now)
{
	struct oidc_client *client = some_client(issuer);
	struct oidc_endpoints known;
	struct problem problem = {0};

	if (!client)
		return;
	if (oidc_endpoints_known(&client->record, issuer->cache->allow_plain, &known, &problem) < 0) {
		issuer->discovery.tried = now;
		note_problem(&issuer->discovery, &problem);
		document_failed(issuer, &issuer->discovery, NULL, true, now);
		return;
	}
	issuer->asker = oidc_client_ref(client);
	fetch(issuer, &issuer->discovery, known.discovery, OIDC_DOCUMENT_MAX, on_discovery, now);
	if (!issuer->discovery.transfer) {
		oidc_client_unref(issuer->asker);
		issuer->asker = NULL;
	}
}

void issuer_settle(struct oidc_issuer *issuer, uint64_t now)
{
	if (issuer->flows == 0 && !issuer->wanted)
		return;
	issuer->used = now;
	if (issuer->kind == IDP_GITHUB)
		return;
	if (document_due(&issuer->discovery, false) <= now)
		fetch_discovery(issuer, now);
	if (issuer->endpoints && issuer->endpoints->keys[0] &&
	    document_due(&issuer->key_set, issuer->unknown_kid) <= now)
		fetch(issuer, &issuer->key_set, issuer->endpoints->keys, JWKS_BYTES_MAX, on_key_set, now);
	cache_touch(issuer->cache, document_due(&issuer->discovery, false));
	if (issuer->endpoints && issuer->endpoints->keys[0])
		cache_touch(issuer->cache, document_due(&issuer->key_set, issuer->unknown_kid));
}

/* ---- the set of them ----------------------------------------------------------------------------------------- */

static void issuer_free(struct oidc_issuer *issuer)
{
	http_cancel(issuer->discovery.transfer);
	http_cancel(issuer->key_set.transfer);
	oidc_client_unref(issuer->wanted);
	oidc_client_unref(issuer->asker);
	jwks_unref(issuer->keys);
	free(issuer->endpoints);
	free(issuer->name);
	free(issuer);
}

int issuer_of(struct oidc_cache *cache, const struct idp_record *idp, struct oidc_issuer **ret, struct problem *problem)
{
	struct oidc_issuer *issuer;
	int r = 0;

	for (issuer = cache->issuers; issuer; issuer = issuer->next) {
		if (issuer->kind == idp->kind && text_equal(issuer->name, idp->issuer)) {
			*ret = issuer;
			return 0;
		}
	}
	issuer = calloc(1, sizeof(*issuer));
	if (!issuer)
		return -ENOMEM;
	issuer->cache = cache;
	issuer->kind = idp->kind;
	issuer->name = strdup(idp->issuer);
	if (!issuer->name)
		r = -ENOMEM;
	if (r == 0 && idp->kind == IDP_GITHUB) {
		issuer->endpoints = calloc(1, sizeof(*issuer->endpoints));
		r = issuer->endpoints ? oidc_endpoints_known(idp, cache->allow_plain, issuer->endpoints, problem)
				      : -ENOMEM;
	}
	if (r < 0) {
		issuer_free(issuer);
		return r;
	}
	issuer->next = cache->issuers;
	cache->issuers = issuer;
	*ret = issuer;
	return 0;
}

static void settle_issuers(struct oidc_cache *cache, uint64_t now)
{
	for (struct oidc_issuer **at = &cache->issuers, *issuer; (issuer = *at);) {
		if (issuer->flows == 0 && !issuer->wanted && now >= issuer->used + FORGET_USEC) {
			*at = issuer->next;
			issuer_free(issuer);
			continue;
		}
		issuer_settle(issuer, now);
		at = &issuer->next;
	}
}

int oidc_cache_create(struct http *http, bool allow_plain, struct oidc_cache **ret)
{
	struct oidc_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->http = http;
	cache->allow_plain = allow_plain;
	cache->next = FLOW_NEVER;
	*ret = cache;
	return 0;
}

void oidc_cache_set_control_plane(struct oidc_cache *cache, struct http *http, oidc_proof_fn proof, void *context)
{
	cache->control_plane = http;
	cache->proof = proof;
	cache->proof_context = context;
}

struct http *issuer_http(const struct oidc_issuer *issuer)
{
	const struct oidc_cache *cache = issuer->cache;

	return issuer->kind == IDP_TENANTD && cache->control_plane ? cache->control_plane : cache->http;
}

void oidc_cache_destroy(struct oidc_cache *cache)
{
	if (!cache)
		return;
	while (cache->issuers) {
		struct oidc_issuer *issuer = cache->issuers;

		cache->issuers = issuer->next;
		issuer_free(issuer);
	}
	free(cache);
}

void oidc_cache_on_keys(struct oidc_cache *cache, oidc_keys_fn keys, void *context)
{
	cache->on_keys = keys;
	cache->on_keys_context = context;
}

void oidc_cache_want(struct oidc_cache *cache, struct oidc_client *client, bool unknown_kid, uint64_t now_usec)
{
	struct problem problem = {0};
	struct oidc_issuer *issuer;
	struct oidc_client *old;

	if (issuer_of(cache, &client->record, &issuer, &problem) < 0)
		return;
	old = issuer->wanted;
	issuer->wanted = oidc_client_ref(client);
	oidc_client_unref(old);
	issuer->unknown_kid |= unknown_kid;
	/* A sign-in may have brought them, and then they are not asked for before they are old. */
	if (!unknown_kid && issuer->keys && issuer->endpoints && document_is_usable(&issuer->key_set, now_usec))
		tell_keys(issuer);
	issuer_settle(issuer, now_usec);
}

void oidc_cache_want_none(struct oidc_cache *cache)
{
	for (struct oidc_issuer *issuer = cache->issuers; issuer; issuer = issuer->next) {
		oidc_client_unref(issuer->wanted);
		issuer->wanted = NULL;
	}
}

static bool is_of_any(const struct oidc_issuer *issuer, struct oidc_client *const *clients, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (clients[i]->record.kind == issuer->kind && text_equal(clients[i]->record.issuer, issuer->name))
			return true;
	return false;
}

void oidc_cache_keep(struct oidc_cache *cache, struct oidc_client *const *clients, uint32_t count)
{
	for (struct oidc_issuer **at = &cache->issuers, *issuer; (issuer = *at);) {
		if (issuer->flows > 0 || is_of_any(issuer, clients, count)) {
			at = &issuer->next;
			continue;
		}
		*at = issuer->next;
		issuer_free(issuer);
	}
}

uint64_t oidc_cache_next(const struct oidc_cache *cache)
{
	return cache->next;
}

void oidc_cache_tick(struct oidc_cache *cache, uint64_t now_usec)
{
	if (cache->next > now_usec)
		return;
	cache->next = FLOW_NEVER;
	settle_issuers(cache, now_usec);
	flows_settle(cache, now_usec);
}
