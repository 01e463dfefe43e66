/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "control_plane/app.h"
#include "control_plane/audit/internal.h"
#include "control_plane/http/metrics.h"

static void collect(void *context, struct buffer *out)
{
	struct audit_log *log = context;
	const struct {
		const char *name, *help;
		const _Atomic uint64_t *count;
	} counters[] = {
		{"audit_accepted", "Events of hosts that were taken into the inbox here.", &log->counts.accepted},
		{"audit_repeated", "Events of hosts that were here before, sent once more.", &log->counts.repeated},
		{"audit_malformed", "Events of hosts that were not in order.", &log->counts.malformed},
		{"audit_missing", "Events that hosts said they do not have any more.", &log->counts.missing},
		{"audit_chain_forks", "Hosts that came with another history of themselves.", &log->counts.forks},
		{"audit_sequenced", "Events that got their place in a log here.", &log->counts.sequenced},
		{"audit_checkpoints", "Checkpoints signed here.", &log->counts.checkpoints},
		{"audit_sequencer_failures", "Rounds of the sequencer that failed.", &log->counts.failures},
	};

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		metrics_put(out, counters[i].name, METRIC_COUNTER, counters[i].help,
			    (double)atomic_load(counters[i].count));
	metrics_put(out, "audit_wait_seconds", METRIC_GAUGE,
		    "The newest round: from the arrival of its oldest event to the checkpoint.",
		    (double)atomic_load(&log->counts.wait_usec) / (double)USEC_PER_SEC);
}

int audit_log_create(struct app *app, bool serving, struct audit_log **ret, struct problem *problem)
{
	_cleanup_(audit_log_destroyp) struct audit_log *log = calloc(1, sizeof(*log));
	pthread_condattr_t attributes;
	int r = 0;

	if (!log)
		return problem_set(problem, ENOMEM, "out of memory");
	log->app = app;
	(void)pthread_mutex_init(&log->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&log->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	/* The thread finds its log there. */
	*ret = log;
	if (serving)
		r = metrics_register(app->metrics, collect, log);
	if (r == 0 && serving)
		r = sequencer_start(log);
	if (r < 0) {
		*ret = NULL;
		return problem_set(problem, -r, "the audit log's sequencer cannot start: %s", strerror(-r));
	}
	log = NULL;
	return 0;
}

void audit_log_destroy(struct audit_log *log)
{
	if (!log)
		return;
	sequencer_stop(log);
	(void)pthread_cond_destroy(&log->wake);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

void audit_log_wake(struct app *app, const char *log_id)
{
	struct audit_log *log = app->audit_log;
	uint32_t i = 0;

	if (!log)
		return;
	(void)pthread_mutex_lock(&log->lock);
	while (i < log->named_count && strcmp(log->named[i], log_id) != 0)
		i++;
	if (i == AUDIT_NAMED_MAX || strlen(log_id) >= LEAF_ID_MAX)
		log->look = true;
	else if (i == log->named_count)
		memcpy(log->named[log->named_count++], log_id, strlen(log_id) + 1);
	(void)pthread_cond_signal(&log->wake);
	(void)pthread_mutex_unlock(&log->lock);
}
