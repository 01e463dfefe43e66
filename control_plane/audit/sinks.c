/* SPDX-License-Identifier: MIT
 *
 * One thread for each sink, which goes round the logs that have something for it.
 */
#include "control_plane/audit/sinks.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/app.h"
#include "control_plane/audit/event.h"
#include "control_plane/audit/reading.h"
#include "control_plane/audit/sink_cursor.h"
#include "control_plane/http/metrics.h"
#include "crypto/api_key.h"
#include "ship/ship.h"

#define LOOK_MS 500      /* between two looks for something new */
#define LOGS_AT_ONCE 64U /* of one round, behind which what was sent is settled */
#define TELL_USEC (60 * USEC_PER_SEC)
#define DEAD_LETTER_KIND "audit.dead-letter"
#define HOST_DEAD_LETTER_KIND "audit-dead-letter"

struct shipper {
	struct app *app;
	const struct ship_options *options;
	struct sink *sink;
	char holder[SINK_HOLDER_CHARS + 1];
	pthread_t thread;
	bool started;
	int stop_fd;
	uint64_t untold, told_usec;
	_Atomic uint64_t sent, dead, failures; /* failures: in a row */
	_Atomic int64_t taken_at;
};
struct sinks {
	struct shipper shippers[SHIP_SINKS_MAX];
	uint32_t count;
};
/* Logs whose events were sent and may not be there yet. */
struct pending {
	struct sink_cursor cursors[LOGS_AT_ONCE];
	uint32_t count;
};

/* ---- what is sent at once ---------------------------------------------------------------------------- */

struct batch {
	struct ship_event *events; /* their texts are malloc'd, but for `tenant` */
	uint32_t count, capacity;
	size_t bytes;
	const char *log_id, *own_name;
	uint64_t next;
	bool about_dead; /* all of it is about dead letters */
};

static void batch_finish(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++) {
		free((char *)(uintptr_t)batch->events[i].id);
		free((char *)(uintptr_t)batch->events[i].kind);
		free((char *)(uintptr_t)batch->events[i].host);
		free((char *)(uintptr_t)batch->events[i].ocsf);
	}
	free(batch->events);
}

/* 1: no more at once. */
static int add_row(void *context, const struct audit_row *row)
{
	struct batch *batch = context;
	struct ship_event *event = &batch->events[batch->count];

	*event = (struct ship_event){
		.id = strdup(row->event_id),
		.kind = strdup(row->kind),
		.host = strdup(row->host_name[0] ? row->host_name : batch->own_name),
		.tenant = batch->log_id,
		.severity = row->severity_id,
		.time_ms = row->time_ms,
		.ocsf = row->event ? json_dumps(row->event, JSON_COMPACT) : strdup(row->leaf),
	};
	batch->count++;
	if (!event->id || !event->kind || !event->host || !event->ocsf)
		return -ENOMEM;
	event->ocsf_length = strlen(event->ocsf);
	batch->bytes += event->ocsf_length;
	batch->next = row->index + 1;
	if (strcmp(row->kind, DEAD_LETTER_KIND) != 0 && strcmp(row->kind, HOST_DEAD_LETTER_KIND) != 0)
		batch->about_dead = false;
	return batch->count == batch->capacity || batch->bytes >= SHIP_BATCH_BYTES;
}

/* Claims a log and reads what comes next in it. 0; 1: another replica has it. */
static int read_log(struct shipper *shipper, struct sink_cursor *cursor, struct batch *batch, char **ret_note,
		    uint64_t *ret_note_size)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct audit_filter filter = {0};
	int r = db_begin(shipper->app->db, &scope, &tx);

	if (r == 0)
		r = sink_cursor_claim(tx, shipper->options->name, shipper->holder, cursor);
	if (r != 0)
		return r;
	if (shipper->options->events && cursor->next < cursor->size) {
		filter.from = batch->next = MAX_OF(cursor->next, cursor->first);
		filter.to = cursor->size;
		r = audit_read(shipper->app, tx, cursor->log_id, &filter, batch->capacity, add_row, batch);
		/* They went with their partition between the two looks. */
		if (r == 0 && batch->count == 0)
			batch->next = cursor->size;
	}
	if (r >= 0 && shipper->options->checkpoints) {
		r = db_run(tx, &rows, "SELECT checkpoint, checkpoint_size FROM control.audit_logs WHERE tenant_id = $1",
			   cursor->log_id);
		if (r == 0 && db_row_count(rows) == 1 && (uint64_t)db_i64(rows, 0, 1) > cursor->checkpoint_size) {
			*ret_note = strdup(db_text(rows, 0, 0));
			*ret_note_size = (uint64_t)db_i64(rows, 0, 1);
			r = *ret_note ? 0 : -ENOMEM;
		}
	}
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* ---- dead letters ------------------------------------------------------------------------------------- */

/* A peer may quote in its answer what it did not take, and with it people's data: that is beside the leaf. */
static int write_dead(struct shipper *shipper, uint64_t count, const char *answer)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(json_decrefp) json_t *data = json_pack("{s:I, s:s}", "count", (json_int_t)count, "answer", answer);
	const struct control_event event = {
		.log_id = "",
		.kind = DEAD_LETTER_KIND,
		.failure = true,
		.actor = "local",
		.target = shipper->options->name,
		.data = data,
	};
	int r = data ? db_begin(shipper->app->db, &scope, &tx) : -ENOMEM;

	if (r == 0)
		r = control_event_put(shipper->app, tx, &event);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* Told once a minute at most, and not about the word itself, or it would have no end. */
static void tell_dead(struct shipper *shipper, uint32_t dead, bool about_dead, const struct problem *problem)
{
	uint64_t now = clock_boottime_usec();
	char why[320];

	atomic_fetch_add(&shipper->dead, dead);
	if (about_dead)
		return;
	shipper->untold += dead;
	if (shipper->told_usec != 0 && now < shipper->told_usec + TELL_USEC)
		return;
	(void)problem_render(problem, why, sizeof(why));
	log_warning("the sink %s will never take %llu events: %s", shipper->options->name,
		    (unsigned long long)shipper->untold, why);
	if (write_dead(shipper, shipper->untold, why) == 0) {
		audit_log_wake(shipper->app, "");
		shipper->untold = 0;
	}
	shipper->told_usec = now;
}

/* ---- a round ------------------------------------------------------------------------------------------- */

static enum ship_outcome send_events(struct shipper *shipper, const struct batch *batch, struct sink_cursor *cursor,
				     uint32_t *ret_wait_ms, struct problem *problem)
{
	uint32_t dead = 0;

	if (batch->count > 0 &&
	    sink_send_all(shipper->sink, batch->events, batch->count, &dead, ret_wait_ms, problem) == SHIP_LATER)
		return SHIP_LATER;
	if (dead > 0)
		tell_dead(shipper, dead, batch->about_dead, problem);
	cursor->next = MAX_OF(cursor->next, batch->next);
	cursor->dead += dead;
	cursor->sent += batch->count - MIN_OF(dead, batch->count);
	return SHIP_TAKEN;
}

static void store(struct shipper *shipper, const struct sink_cursor *cursors, uint32_t count, const char *error)
{
	int r = sink_cursors_store(shipper->app, shipper->options->name, shipper->holder, cursors, count, error);

	if (r < 0)
		log_warning("the place of the sink %s cannot be kept, some events will be sent twice: %s",
			    shipper->options->name, strerror(-r));
	if (r < 0 || error[0])
		return;
	for (uint32_t i = 0; i < count; i++)
		atomic_fetch_add(&shipper->sent, cursors[i].sent);
	atomic_store(&shipper->taken_at, clock_realtime_sec());
}

/* One log. *ret_more: it has more. */
static enum ship_outcome ship_log(struct shipper *shipper, const char *log_id, struct pending *pending, bool *ret_more,
				  uint32_t *ret_wait_ms, struct problem *problem)
{
	const struct ship_options *options = shipper->options;
	struct batch batch = {.log_id = log_id, .own_name = shipper->app->config->authority, .about_dead = true};
	struct sink_cursor *cursor = &pending->cursors[pending->count];
	_cleanup_(freep) char *note = NULL;
	enum ship_outcome outcome = SHIP_TAKEN;
	char origin[CHECKPOINT_ORIGIN_MAX];
	uint64_t note_size = 0;
	int r;

	*cursor = (struct sink_cursor){0};
	(void)snprintf(cursor->log_id, sizeof(cursor->log_id), "%s", log_id);
	batch.capacity = options->batch;
	batch.events = calloc(batch.capacity, sizeof(*batch.events));
	r = batch.events ? read_log(shipper, cursor, &batch, &note, &note_size) : -ENOMEM;
	if (r == 0)
		r = log_origin(shipper->app, log_id, origin);
	if (r == 0) {
		pending->count++;
		outcome = send_events(shipper, &batch, cursor, ret_wait_ms, problem);
		*ret_more |= options->events && cursor->next < cursor->size;
	} else if (r < 0) {
		(void)problem_set(problem, -r, "the log cannot be read: %s", strerror(-r));
		outcome = SHIP_LATER;
	}
	batch_finish(&batch);
	if (r == 0 && outcome == SHIP_TAKEN && note) {
		outcome = sink_send_checkpoint(shipper->sink, origin, note, strlen(note), ret_wait_ms, problem);
		if (outcome == SHIP_TAKEN)
			cursor->checkpoint_size = note_size;
		else if (outcome == SHIP_REJECTED) /* it is no dead letter: the next one says all that it said */
			outcome = SHIP_LATER;
	}
	return outcome;
}

/* False: it is time to end. */
static bool rest(const struct shipper *shipper, int timeout_ms)
{
	struct pollfd fd = {.fd = shipper->stop_fd, .events = POLLIN};

	return poll(&fd, 1, timeout_ms) <= 0;
}

/* What was sent and is not known to be there is forgotten: it will be sent again. */
static void fail_pending(struct shipper *shipper, struct pending *pending, const struct problem *problem)
{
	char why[320];

	(void)problem_render(problem, why, sizeof(why));
	for (uint32_t i = 0; i < pending->count; i++) {
		struct sink_cursor *cursor = &pending->cursors[i];

		cursor->next = cursor->checkpoint_size = cursor->sent = cursor->dead = 0; /* they only grow */
	}
	store(shipper, pending->cursors, pending->count, why);
	if (atomic_fetch_add(&shipper->failures, 1) == 0 && rest(shipper, 0))
		log_warning("events do not get to the sink %s for now: %s", shipper->options->name, why);
}

/* One round over the logs. *ret_more: there is more at once. */
static enum ship_outcome go_round(struct shipper *shipper, struct pending *pending, bool *ret_more,
				  uint32_t *ret_wait_ms, struct problem *problem)
{
	const struct ship_options *options = shipper->options;
	char ids[LOGS_AT_ONCE][LEAF_ID_MAX];
	enum ship_outcome outcome = SHIP_TAKEN;
	uint32_t count = 0;
	int r = sink_logs_waiting(shipper->app, options->name, shipper->holder, options->events, options->checkpoints,
				  ids, LOGS_AT_ONCE, &count);

	if (r < 0) {
		(void)problem_set(problem, -r, "the logs cannot be read: %s", strerror(-r));
		return SHIP_LATER;
	}
	*ret_more = count == LOGS_AT_ONCE;
	for (uint32_t i = 0; outcome == SHIP_TAKEN && i < count; i++) {
		outcome = ship_log(shipper, ids[i], pending, ret_more, ret_wait_ms, problem);
		/* Since something failed each log stands by itself: what the sink cannot stand is in one of them, and
		 * the others are not to blame. */
		if (outcome == SHIP_TAKEN && atomic_load(&shipper->failures) > 0)
			outcome = sink_settle(shipper->sink, ret_wait_ms, problem);
		if (outcome == SHIP_TAKEN && !sink_unsettled(shipper->sink)) {
			store(shipper, pending->cursors, pending->count, "");
			pending->count = 0;
		}
	}
	if (outcome == SHIP_TAKEN)
		outcome = sink_settle(shipper->sink, ret_wait_ms, problem);
	return outcome;
}

static void *run(void *argument)
{
	struct shipper *shipper = argument;
	uint32_t pause_ms = 0;

	while (rest(shipper, (int)pause_ms)) {
		struct pending pending = {0};
		struct problem problem = {0};
		uint32_t wait_ms = 0;
		bool more = false;

		if (go_round(shipper, &pending, &more, &wait_ms, &problem) == SHIP_TAKEN) {
			store(shipper, pending.cursors, pending.count, "");
			if (atomic_exchange(&shipper->failures, 0) > 0)
				log_notice("events get to the sink %s again", shipper->options->name);
			pause_ms = more ? 0 : LOOK_MS;
			continue;
		}
		fail_pending(shipper, &pending, &problem);
		pause_ms =
			ship_pause_ms((uint32_t)MIN_OF(atomic_load(&shipper->failures), (uint64_t)UINT32_MAX), wait_ms);
	}
	return NULL;
}

/* ---- all of them ---------------------------------------------------------------------------------------- */

static void collect(void *context, struct buffer *out)
{
	static const struct {
		const char *name, *help;
		enum metric_type type;
	} families[] = {
		{"audit_sink_sent", "Events that a sink has taken from this replica.", METRIC_COUNTER},
		{"audit_sink_dead_letters", "Events that a sink will never take.", METRIC_COUNTER},
		{"audit_sink_failures", "Failed attempts in a row.", METRIC_GAUGE},
		{"audit_sink_taken_timestamp_seconds", "When a sink took something last; 0: not yet.", METRIC_GAUGE},
	};
	struct sinks *sinks = context;

	for (size_t k = 0; k < ARRAY_LEN(families); k++) {
		metrics_begin(out, families[k].name, families[k].type, families[k].help);
		for (uint32_t i = 0; i < sinks->count; i++) {
			const struct shipper *s = &sinks->shippers[i];
			const double values[] = {(double)atomic_load(&s->sent), (double)atomic_load(&s->dead),
						 (double)atomic_load(&s->failures), (double)atomic_load(&s->taken_at)};

			metrics_sample(out, families[k].name, families[k].type, "sink", s->options->name, values[k]);
		}
	}
}

/* A thread that gets no signals. */
static int start_thread(struct shipper *shipper)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&shipper->thread, NULL, run, shipper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	shipper->started = code == 0;
	return -code;
}

static int start(struct sinks *sinks, struct app *app, const struct ship_options *options)
{
	struct shipper *shipper = &sinks->shippers[sinks->count];
	int r;

	sinks->count++; /* from here on it is cleaned up */
	shipper->app = app;
	shipper->options = options;
	shipper->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shipper->stop_fd < 0)
		return -errno;
	r = base62_random(shipper->holder, SINK_HOLDER_CHARS);
	if (r == 0)
		r = sink_new(options, "tenant-control", TENANTD_VERSION, &shipper->sink);
	return r < 0 ? r : start_thread(shipper);
}

int sinks_start(struct app *app, struct sinks **ret, struct problem *problem)
{
	const struct ship_list *list = &app->config->sinks;
	_cleanup_(sinks_stopp) struct sinks *sinks = NULL;
	int r = 0;

	*ret = NULL;
	if (list->count == 0)
		return 0;
	sinks = calloc(1, sizeof(*sinks));
	if (!sinks)
		return problem_set(problem, ENOMEM, "out of memory");
	for (uint32_t i = 0; r == 0 && i < list->count; i++)
		r = start(sinks, app, &list->items[i]);
	if (r == 0)
		r = metrics_register(app->metrics, collect, sinks);
	if (r < 0)
		return problem_set(problem, -r, "the audit log's sinks cannot start: %s", strerror(-r));
	*ret = TAKE_PTR(sinks);
	return 0;
}

void sinks_stop(struct sinks *sinks)
{
	const uint64_t one = 1;

	if (!sinks)
		return;
	for (uint32_t i = 0; i < sinks->count; i++)
		if (sinks->shippers[i].started) {
			while (write(sinks->shippers[i].stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
				;
			sink_stop(sinks->shippers[i].sink);
		}
	for (uint32_t i = 0; i < sinks->count; i++) {
		struct shipper *shipper = &sinks->shippers[i];

		if (shipper->started)
			pthread_join(shipper->thread, NULL);
		sink_free(shipper->sink);
		if (shipper->stop_fd >= 0)
			close(shipper->stop_fd);
	}
	free(sinks);
}
