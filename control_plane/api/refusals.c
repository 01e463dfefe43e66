/* SPDX-License-Identifier: MIT */
#include "control_plane/api/refusals.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/app.h"
#include "control_plane/audit/event.h"
#include "control_plane/http/limiter.h"

/* Of one span between two writes. What does not fit is counted without saying what it was. */
#define KINDS_MAX 1024U
#define WORD_SIZE 64U
#define ACTOR_SIZE 256U /* a host's name */

struct counted {
	uint64_t hash;
	uint32_t count;
	char tenant_id[WORD_SIZE], kind[WORD_SIZE], target[WORD_SIZE], reason[WORD_SIZE], token[WORD_SIZE];
	char source[INET6_ADDRSTRLEN], request_id[WORD_SIZE], actor[ACTOR_SIZE];
};

static struct {
	pthread_mutex_t lock;
	struct counted *items; /* KINDS_MAX; NULL: none since the last write */
	uint32_t count, others;
} refusals = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void copy(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text ? text : "");
}

static void describe(struct request *request, const struct refusal *refusal, struct counted *ret)
{
	char key[sizeof(ret->tenant_id) + sizeof(ret->kind) + sizeof(ret->target) + sizeof(ret->reason) +
		 sizeof(ret->source)];

	*ret = (struct counted){.count = 1};
	copy(ret->tenant_id, sizeof(ret->tenant_id), refusal->tenant_id);
	copy(ret->kind, sizeof(ret->kind), refusal->kind);
	copy(ret->target, sizeof(ret->target), refusal->target);
	copy(ret->reason, sizeof(ret->reason), refusal->reason);
	copy(ret->actor, sizeof(ret->actor), refusal->actor);
	copy(ret->token, sizeof(ret->token), refusal->token);
	copy(ret->request_id, sizeof(ret->request_id), request->id);
	(void)limiter_source_key(&request->source, ret->source);
	(void)snprintf(key, sizeof(key), "%s\n%s\n%s\n%s\n%s", ret->tenant_id, ret->kind, ret->target, ret->reason,
		       ret->source);
	ret->hash = hash_text(key);
}

static void take(const struct counted *one)
{
	if (!refusals.items)
		refusals.items = calloc(KINDS_MAX, sizeof(*refusals.items));
	for (uint32_t i = 0; refusals.items && i < refusals.count; i++) {
		if (refusals.items[i].hash == one->hash) {
			refusals.items[i].count++;
			return;
		}
	}
	if (refusals.items && refusals.count < KINDS_MAX)
		refusals.items[refusals.count++] = *one;
	else
		refusals.others++;
}

void refusals_count(struct request *request, const struct refusal *refusal)
{
	struct counted one;

	if (!request->app->sweeper) {
		event_failure(request, refusal->tenant_id, refusal->actor, refusal->kind, refusal->target,
			      json_pack("{s:s, s:s*}", "reason", refusal->reason, "token", refusal->token));
		return;
	}
	describe(request, refusal, &one);
	pthread_mutex_lock(&refusals.lock);
	take(&one);
	pthread_mutex_unlock(&refusals.lock);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */
static int write_one(struct app *app, struct db_tx *tx, const struct counted *one)
{
	_cleanup_(json_decrefp) json_t *data = json_pack("{s:I}", "count", (json_int_t)one->count);
	const struct control_event event = {
		.log_id = one->tenant_id,
		.kind = one->kind,
		.failure = true,
		.actor = one->actor,
		.source = one->source,
		.request_id = one->request_id,
		.target = one->target,
		.data = data,
	};
	int r = *one->tenant_id ? db_switch_tenant(tx, one->tenant_id) : 0;

	if (!data || (*one->reason && json_object_set_new(data, "reason", json_string(one->reason)) < 0) ||
	    (*one->token && json_object_set_new(data, "token", json_string(one->token)) < 0))
		return -ENOMEM;
	return r < 0 ? r : control_event_put_late(app, tx, &event);
}

int refusals_write(struct app *app)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(freep) struct counted *items = NULL;
	struct counted others = {.kind = "refusals.other"};
	uint32_t count;
	int r;

	pthread_mutex_lock(&refusals.lock);
	items = TAKE_PTR(refusals.items);
	count = refusals.count;
	others.count = refusals.others;
	refusals.count = refusals.others = 0;
	pthread_mutex_unlock(&refusals.lock);
	if (count == 0 && others.count == 0)
		return 0;
	r = db_begin(app->db, &scope, &tx);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = write_one(app, tx, &items[i]);
	if (r == 0 && others.count > 0)
		r = write_one(app, tx, &others);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		log_warning("%u kinds of refusals could not be written to the events", count);
	return r;
}
