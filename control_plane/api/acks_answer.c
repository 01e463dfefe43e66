/* SPDX-License-Identifier: MIT */
#include "control_plane/api/acks_answer.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "control_plane/app.h"
#include "control_plane/feed/acks.h"
#include "control_plane/feed/change.h"
#include "json/json_read.h"

#define WAIT_MOST_SEC 30U
#define POLL_MS 20U
#define POLL_MORE_MS 100U /* what comes after the acknowledgements takes longer */

struct wait {
	uint64_t deadline; /* CLOCK_BOOTTIME, microseconds */
	const struct acks_target *targets;
	size_t count;
	const struct acks_more *more; /* NULL: nothing */
};

static int count_target(struct db_tx *tx, const struct acks_target *target, struct ack_counts *sum)
{
	struct ack_counts counts;
	int r = acks_count(tx, target->tenant_id, change_revision(target->change), &counts);

	if (r < 0)
		return r;
	sum->hosts += counts.hosts;
	sum->acknowledged += counts.acknowledged;
	sum->refused += counts.refused;
	sum->away += counts.away;
	return 0;
}

static json_t *render(const struct acks_target *targets, size_t count, const struct ack_counts *counts)
{
	/* Revisions are each feed's own: with several there is no one number to say. */
	return acks_render(count == 1 ? change_revision(targets[0].change) : 0, counts);
}

/* A transaction for each tenant, since each is seen by itself. */
static int count_after_commit(struct app *app, const struct wait *wait, struct ack_counts *sum)
{
	for (size_t i = 0; i < wait->count; i++) {
		_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
		const struct db_scope scope = {.tenant_id = wait->targets[i].tenant_id, .read_only = true};
		int r = db_begin(app->db, &scope, &tx);

		if (r == 0)
			r = count_target(tx, &wait->targets[i], sum);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What came of it besides, once all that will acknowledge have. 1: not all yet. */
static int look_further(struct request *request, const struct wait *wait, json_t *answer)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	const struct db_scope scope = {.tenant_id = wait->targets[0].tenant_id, .read_only = true};
	int r = db_begin(request->app->db, &scope, &tx);

	return r < 0 ? r : wait->more->look(request, tx, wait->more->context, answer);
}

static int ask_again(struct request *request)
{
	const struct wait *wait = request->again_context;
	const struct buffer *answer = &request->response.body;
	_cleanup_(json_decrefp) json_t *body = NULL;
	struct ack_counts counts = {0};
	struct problem problem = {0};
	bool over = clock_boottime_usec() >= wait->deadline;
	/* The change is made: a database that cannot be asked right now is no reason to say otherwise. */
	int r = count_after_commit(request->app, wait, &counts);

	if (r < 0)
		return over ? 0 : 1;
	if (counts.acknowledged + counts.refused < counts.hosts && !over)
		return 1;
	r = json_read(answer->data, answer->length, &body, &problem);
	if (r == 0 && wait->more) {
		request->again_ms = POLL_MORE_MS;
		r = look_further(request, wait, body);
		if (r != 0 && !over)
			return 1;
	}
	if (r >= 0 && json_object_set_new(body, "acks", render(wait->targets, wait->count, &counts)) == 0)
		respond_json(request, request->response.status, TAKE_PTR(body));
	return 0;
}

static int answer(struct request *request, unsigned status, uint64_t version, json_t *view,
		  const struct acks_target *targets, size_t count, const struct acks_more *more)
{
	_cleanup_(json_decrefp) json_t *own = view;
	const char *wait_text = request_query(request, "wait");
	struct ack_counts counts = {0};
	struct problem problem = {0};
	uint32_t seconds = 0;
	struct wait *wait;
	int r, pending = 0;

	if (wait_text && (parse_u32(wait_text, &seconds) < 0 || seconds > WAIT_MOST_SEC))
		return respond_invalid(request, "wait", "seconds, at most %u", WAIT_MOST_SEC);
	if (request->change) {
		r = change_publish(request->change, request->app, request->tx, &problem);
		if (r == -EINVAL)
			log_problem(LOG_ERR, "a change that no host would take", &problem);
		if (r == -EMSGSIZE && *problem.text)
			return respond_problem(request, PROBLEM_CONFLICT, "%s", problem.text);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++) {
		if (!request->tenant_id) { /* one after the other, each in its own scope */
			r = db_switch_tenant(request->tx, targets[i].tenant_id);
			if (r < 0)
				return r;
		}
		r = count_target(request->tx, &targets[i], &counts);
		if (r < 0)
			return r;
	}
	if (json_object_set_new(own, "acks", render(targets, count, &counts)) < 0)
		return -ENOMEM;
	if (more) {
		pending = more->look(request, request->tx, more->context, own);
		if (pending < 0)
			return pending;
	}
	if (seconds > 0 && (pending > 0 || counts.acknowledged + counts.refused < counts.hosts)) {
		wait = arena_alloc(&request->arena, sizeof(*wait));
		if (!wait)
			return -ENOMEM;
		wait->deadline = clock_boottime_usec() + seconds * USEC_PER_SEC;
		wait->targets = targets;
		wait->count = count;
		wait->more = more;
		request->again = ask_again;
		request->again_ms = POLL_MS;
		request->again_context = wait;
	}
	return respond_record(request, status, version, TAKE_PTR(own));
}

int acks_answer_many(struct request *request, unsigned status, uint64_t version, json_t *view,
		     const struct acks_target *targets, size_t count)
{
	return answer(request, status, version, view, targets, count, NULL);
}

int acks_answer_more(struct request *request, unsigned status, uint64_t version, json_t *view,
		     const struct acks_more *more)
{
	struct acks_target *target = arena_alloc(&request->arena, sizeof(*target));

	if (!target || !request->change) {
		json_decref(view);
		return -ENOMEM;
	}
	*target = (struct acks_target){.tenant_id = request->tenant_id, .change = request->change};
	return answer(request, status, version, view, target, 1, more);
}

int acks_answer(struct request *request, unsigned status, uint64_t version, json_t *view)
{
	return acks_answer_more(request, status, version, view, NULL);
}
