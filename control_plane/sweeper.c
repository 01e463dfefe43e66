/* SPDX-License-Identifier: MIT */
#include "control_plane/sweeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/refusals.h"
#include "control_plane/api/sessions.h"
#include "control_plane/app.h"
#include "control_plane/audit/retention.h"
#include "control_plane/http/idempotency.h"
#include "control_plane/provider/grants.h"

/* The platform's own rows that have ended by themselves. A tenant's revocations go with its feed (auth/token_feed.c).
 */
static int sweep_platform(struct app *app)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_later(tx, "DELETE FROM control.sign_in_delays WHERE forget_at < clock_timestamp()");
	if (r == 0)
		r = db_later(tx, "DELETE FROM control.host_assertions WHERE until < extract(epoch FROM now())");
	if (r == 0)
		r = db_later(tx, "DELETE FROM control.token_revocations WHERE tenant_id = '' AND "
				 "until < extract(epoch FROM now())");
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

static int sweep_audit(struct app *app)
{
	return audit_retire(app, NULL);
}

static const struct task {
	const char *name;
	unsigned first_sec, every_sec; /* a replica that is often started anew sweeps, too */
	int (*run)(struct app *app);
} tasks[] = {
	{"idempotency", 60, 3600, idempotency_sweep},   {"device grants", 90, 3600, grants_sweep},
	{"sessions", 6, 3600, sessions_sweep},          {"platform", 4, 600, sweep_platform},
	{"impersonations", 4, 10, impersonation_sweep}, {"refusals", 30, 30, refusals_write},
	{"audit log", 1800, 43200, sweep_audit},
};

struct sweeper {
	struct app *app;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	uint64_t due_usec[ARRAY_LEN(tasks)];
};

/* Replicas that were started together do not sweep together. */
static uint64_t next_due(unsigned span_sec, uint64_t now)
{
	uint32_t random = 0;
	uint64_t span = span_sec * USEC_PER_SEC;

	(void)random_bytes(&random, sizeof(random));
	return now + span / 2 + span / 2 * (random % 1024) / 1024;
}

/* Until `due` or the end. The condition's clock does not count suspended time: then a task is late once. */
static void wait_until(struct sweeper *sweeper, uint64_t due)
{
	uint64_t now = clock_boottime_usec(), span = due > now ? due - now : 0;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(span / USEC_PER_SEC) + 1;
	(void)pthread_cond_timedwait(&sweeper->wake, &sweeper->lock, &until);
}

static void *sweep(void *context)
{
	struct sweeper *sweeper = context;

	pthread_mutex_lock(&sweeper->lock);
	while (!sweeper->stopping) {
		uint64_t first = UINT64_MAX;

		for (size_t i = 0; i < ARRAY_LEN(tasks) && !sweeper->stopping; i++) {
			if (sweeper->due_usec[i] <= clock_boottime_usec()) {
				int result;

				pthread_mutex_unlock(&sweeper->lock);
				result = tasks[i].run(sweeper->app);
				if (result < 0)
					log_warning("sweeping %s: %s", tasks[i].name, strerror(-result));
				pthread_mutex_lock(&sweeper->lock);
				sweeper->due_usec[i] = next_due(tasks[i].every_sec, clock_boottime_usec());
			}
			first = MIN_OF(first, sweeper->due_usec[i]);
		}
		if (!sweeper->stopping)
			wait_until(sweeper, first);
	}
	pthread_mutex_unlock(&sweeper->lock);
	return NULL;
}

int sweeper_start(struct app *app, struct sweeper **ret)
{
	struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
	pthread_condattr_t attributes;
	int result;

	if (!sweeper)
		return -ENOMEM;
	sweeper->app = app;
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		sweeper->due_usec[i] = next_due(tasks[i].first_sec, clock_boottime_usec());
	pthread_mutex_init(&sweeper->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sweeper->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	result = pthread_create(&sweeper->thread, NULL, sweep, sweeper);
	if (result) {
		pthread_cond_destroy(&sweeper->wake);
		pthread_mutex_destroy(&sweeper->lock);
		free(sweeper);
		return -result;
	}
	*ret = sweeper;
	return 0;
}

void sweeper_stop(struct sweeper *sweeper)
{
	if (!sweeper)
		return;
	pthread_mutex_lock(&sweeper->lock);
	sweeper->stopping = true;
	pthread_cond_signal(&sweeper->wake);
	pthread_mutex_unlock(&sweeper->lock);
	pthread_join(sweeper->thread, NULL);
	(void)refusals_write(sweeper->app); /* what nobody would write any more */
	pthread_cond_destroy(&sweeper->wake);
	pthread_mutex_destroy(&sweeper->lock);
	free(sweeper);
}
