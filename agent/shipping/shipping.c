/* SPDX-License-Identifier: MIT
 *
 * One thread for each sink: reads what is durable, sends it, waits, moves its place.
 */
#include "shipping/shipping.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "shipping/batch.h"
#include "thread/mailbox.h"

#define CONSUMER_PREFIX "sink:"
#define READ_BYTES (512U * 1024)
#define SETTLE_IDLE_MS 1000 /* nothing new for so long: what was sent is settled */
#define SETTLE_USEC (5 * USEC_PER_SEC)
#define SETTLE_EVENTS 16384U          /* at the latest */
#define TELL_USEC (60 * USEC_PER_SEC) /* between two words about one sink's dead letters */
#define DEAD_LETTER_KIND "audit-dead-letter"

struct shipper {
	struct shipping *shipping;
	struct ship_options options;
	struct sink *sink;
	struct spool_reader *reader;
	pthread_t thread;
	bool started;
	int stop_fd;
	/* The thread's own: */
	uint64_t position; /* what comes next; the reader's place is where all is settled */
	uint64_t unsettled_events, unsettled_since, told_usec, untold;
	/* For others, under the lock: */
	pthread_mutex_t lock;
	struct shipping_state state;
};
struct shipping {
	struct arena arena;
	struct shipping_hooks hooks;
	const char *host_name;
	struct shipper shippers[SHIP_SINKS_MAX];
	uint32_t count;
	struct mailbox news;
	sd_event_source *news_source;
};
/* To the loop: a sink has dead letters. */
struct dead_note {
	struct letter letter;
	char sink[SHIP_NAME_MAX];
	uint64_t count;
	char why[256];
};

/* ---- on a sink's thread ---------------------------------------------------------------------------- */

enum rested { REST_END, REST_OVER, REST_NEWS };

/* Up to so long (-1: for ever), or until there is something new to read, where that is wanted. */
static enum rested rest(struct shipper *shipper, bool for_news, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = shipper->stop_fd, .events = POLLIN},
				{.fd = for_news ? spool_reader_fd(shipper->reader) : -1, .events = POLLIN}};

	(void)poll(fds, 2, timeout_ms);
	if (fds[0].revents)
		return REST_END;
	if (!fds[1].revents)
		return REST_OVER;
	spool_reader_rest(shipper->reader);
	return REST_NEWS;
}

static void remember_failure(struct shipper *shipper, const struct problem *problem)
{
	char text[sizeof(shipper->state.problem)];
	bool first;

	(void)problem_render(problem, text, sizeof(text));
	pthread_mutex_lock(&shipper->lock);
	first = shipper->state.failures++ == 0;
	memcpy(shipper->state.problem, text, sizeof(text));
	pthread_mutex_unlock(&shipper->lock);
	if (first)
		log_warning("events do not get to the sink %s for now: %s", shipper->options.name, text);
}

/* All before the position is there. */
static void remember_taken(struct shipper *shipper)
{
	bool was_failing;

	if (spool_acknowledge(shipper->reader, shipper->position) < 0)
		log_warning("the sink %s: its place cannot be kept, some events will be sent twice",
			    shipper->options.name);
	else
		shipper->position = spool_reader_next(shipper->reader); /* another chain begins anew */
	shipper->unsettled_events = 0;
	pthread_mutex_lock(&shipper->lock);
	was_failing = shipper->state.failures > 0;
	shipper->state.failures = 0;
	shipper->state.next = shipper->position;
	shipper->state.taken_at = clock_realtime_sec();
	pthread_mutex_unlock(&shipper->lock);
	if (was_failing)
		log_notice("events get to the sink %s again", shipper->options.name);
}

/* Some were refused for good. That no sink takes the word about it is told nobody, or it would have no end. */
static void remember_dead(struct shipper *shipper, uint32_t dead, bool about_dead, const struct problem *problem)
{
	uint64_t now = clock_boottime_usec();
	struct dead_note *note;

	pthread_mutex_lock(&shipper->lock);
	shipper->state.dead += dead;
	(void)problem_render(problem, shipper->state.problem, sizeof(shipper->state.problem));
	pthread_mutex_unlock(&shipper->lock);
	if (about_dead)
		return;
	shipper->untold += dead;
	if (shipper->told_usec != 0 && now < shipper->told_usec + TELL_USEC)
		return;
	note = calloc(1, sizeof(*note));
	if (!note)
		return;
	(void)snprintf(note->sink, sizeof(note->sink), "%s", shipper->options.name);
	(void)problem_render(problem, note->why, sizeof(note->why));
	note->count = shipper->untold;
	shipper->untold = 0;
	shipper->told_usec = now;
	mailbox_put(&shipper->shipping->news, &note->letter);
}

static enum ship_outcome settle(struct shipper *shipper, uint32_t *ret_wait_ms, struct problem *problem)
{
	enum ship_outcome outcome = sink_settle(shipper->sink, ret_wait_ms, problem);

	if (outcome == SHIP_TAKEN)
		remember_taken(shipper);
	return outcome;
}

static bool is_all_about_dead(const struct ship_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!text_equal(events[i].kind, DEAD_LETTER_KIND))
			return false;
	return true;
}

/* How many of these make one sending. */
static uint32_t piece_of(const struct shipper *shipper, const struct ship_event *events, uint32_t count)
{
	uint32_t most = MIN_OF(count, shipper->options.batch), piece = 0;
	size_t bytes = 0;

	while (piece < most && (piece == 0 || bytes + events[piece].ocsf_length <= SHIP_BATCH_BYTES))
		bytes += events[piece++].ocsf_length;
	return piece;
}

static enum ship_outcome send_batch(struct shipper *shipper, const struct batch *batch, uint32_t *ret_wait_ms,
				    struct problem *problem)
{
	for (uint32_t done = 0, piece; done < batch->count; done += piece) {
		const struct ship_event *events = batch->events + done;
		uint32_t dead = 0;

		piece = piece_of(shipper, events, batch->count - done);
		if (sink_send_all(shipper->sink, events, piece, &dead, ret_wait_ms, problem) == SHIP_LATER)
			return SHIP_LATER;
		if (dead > 0)
			remember_dead(shipper, dead, is_all_about_dead(events, piece), problem);
		pthread_mutex_lock(&shipper->lock);
		shipper->state.sent += piece - MIN_OF(dead, piece);
		pthread_mutex_unlock(&shipper->lock);
	}
	return SHIP_TAKEN;
}

/* What was read is sent; the position moves behind it. */
static enum ship_outcome send_read(struct shipper *shipper, const struct buffer *groups, uint64_t next,
				   uint32_t *ret_wait_ms, struct problem *problem)
{
	_cleanup_(batch_finish) struct batch batch = {0};
	int result = batch_read(&batch, groups->data, groups->length, shipper->shipping->host_name);
	enum ship_outcome outcome;

	if (result == -ENOMEM) {
		(void)problem_set(problem, ENOMEM, "out of memory");
		return SHIP_LATER;
	}
	if (result < 0) /* those that could be read are sent */
		log_error("the spool gave groups that cannot be read, before sequence %llu", (unsigned long long)next);
	outcome = send_batch(shipper, &batch, ret_wait_ms, problem);
	if (outcome != SHIP_TAKEN)
		return outcome;
	if (!sink_unsettled(shipper->sink)) {
		shipper->position = next;
		remember_taken(shipper);
		return SHIP_TAKEN;
	}
	if (shipper->unsettled_events == 0)
		shipper->unsettled_since = clock_boottime_usec();
	shipper->unsettled_events += batch.count;
	shipper->position = next;
	if (shipper->unsettled_events >= SETTLE_EVENTS ||
	    clock_boottime_usec() >= shipper->unsettled_since + SETTLE_USEC)
		return settle(shipper, ret_wait_ms, problem);
	return SHIP_TAKEN;
}

/* There is nothing to read. What was sent is settled when that stays so. */
static enum rested wait_for_news(struct shipper *shipper, enum ship_outcome *ret, uint32_t *ret_wait_ms,
				 struct problem *problem)
{
	bool unsettled = sink_unsettled(shipper->sink);
	enum rested rested = rest(shipper, true, unsettled ? SETTLE_IDLE_MS : -1);

	if (rested == REST_OVER && unsettled)
		*ret = settle(shipper, ret_wait_ms, problem);
	return rested;
}

/* What is next was freed or damaged, which the spool has told of: goes on behind it. */
static enum ship_outcome skip_gap(struct shipper *shipper, uint64_t next, uint32_t *ret_wait_ms,
				  struct problem *problem)
{
	if (sink_unsettled(shipper->sink))
		return settle(shipper, ret_wait_ms, problem);
	if (next > shipper->position && spool_acknowledge(shipper->reader, next) == 0)
		return SHIP_TAKEN;
	(void)problem_set(problem, ENOENT, "the spool has nothing after a gap");
	return SHIP_LATER;
}

/* One step. False: it is time to end. */
static bool step(struct shipper *shipper)
{
	_cleanup_(buffer_finish) struct buffer groups = {.wipe = true};
	struct problem problem = {0};
	uint64_t next;
	uint32_t wait_ms = 0;
	enum ship_outcome outcome = SHIP_TAKEN;
	int result;

	/* The reader may have gone on to another chain, whose sequences are others. */
	if (!sink_unsettled(shipper->sink))
		shipper->position = spool_reader_next(shipper->reader);
	next = shipper->position;
	result = spool_read(shipper->reader, shipper->position, READ_BYTES, &groups, &next);
	if (result == -ENOENT) {
		outcome = skip_gap(shipper, next, &wait_ms, &problem);
	} else if (result == 0) {
		outcome = send_read(shipper, &groups, next, &wait_ms, &problem);
	} else if (result == 1) {
		if (wait_for_news(shipper, &outcome, &wait_ms, &problem) == REST_END)
			return false;
	} else {
		(void)problem_set(&problem, -result, "the spool cannot be read: %s", strerror(-result));
		outcome = SHIP_LATER;
	}
	if (rest(shipper, false, 0) == REST_END)
		return false;
	if (outcome == SHIP_TAKEN)
		return true;
	/* From where all is settled, once more. */
	remember_failure(shipper, &problem);
	shipper->position = spool_reader_next(shipper->reader);
	shipper->unsettled_events = 0;
	return rest(shipper, false, (int)ship_pause_ms(shipper->state.failures, wait_ms)) != REST_END;
}

static void *run(void *argument)
{
	struct shipper *shipper = argument;

	while (step(shipper))
		;
	return NULL;
}

/* ---- on the loop's thread --------------------------------------------------------------------------- */

static void note_free(struct letter *letter)
{
	free((struct dead_note *)letter); /* it stands first */
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct shipping *shipping = context;
	struct letter *next;

	for (struct letter *letter = mailbox_take(&shipping->news); letter; letter = next) {
		const struct dead_note *note = (struct dead_note *)letter;

		next = letter->next;
		if (shipping->hooks.dead)
			shipping->hooks.dead(shipping->hooks.context, note->sink, note->count, note->why);
		note_free(letter);
	}
	return 0;
}

static int keep(struct shipping *shipping, const char *text, const char **ret)
{
	*ret = text ? arena_strndup(&shipping->arena, text, strlen(text)) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int copy_options(struct shipping *shipping, const struct ship_options *from, struct ship_options *to)
{
	*to = *from;
	if (keep(shipping, from->name, &to->name) < 0 || keep(shipping, from->url, &to->url) < 0 ||
	    keep(shipping, from->host, &to->host) < 0 || keep(shipping, from->path, &to->path) < 0 ||
	    keep(shipping, from->ca_file, &to->ca_file) < 0 || keep(shipping, from->cert_file, &to->cert_file) < 0 ||
	    keep(shipping, from->key_file, &to->key_file) < 0 || keep(shipping, from->token_file, &to->token_file) < 0)
		return -ENOMEM;
	return 0;
}

static int start(struct shipping *shipping, struct spool *spool, const struct ship_options *options)
{
	struct shipper *shipper = &shipping->shippers[shipping->count];
	char consumer[SPOOL_NAME_MAX];
	int result;

	pthread_mutex_init(&shipper->lock, NULL);
	shipping->count++; /* from here on it is cleaned up */
	shipper->shipping = shipping;
	shipper->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shipper->stop_fd < 0)
		return -errno;
	result = copy_options(shipping, options, &shipper->options);
	if (result == 0)
		result = sink_new(&shipper->options, "tenantd", TENANTD_VERSION, &shipper->sink);
	(void)snprintf(consumer, sizeof(consumer), CONSUMER_PREFIX "%s", options->name);
	if (result == 0)
		result = spool_reader_open(spool, consumer, &shipper->reader);
	if (result < 0)
		return result;
	shipper->position = spool_reader_next(shipper->reader);
	(void)snprintf(shipper->state.name, sizeof(shipper->state.name), "%s", options->name);
	shipper->state.kind = options->kind == SHIP_OTLP ? "otlp" : "syslog";
	shipper->state.next = shipper->position;
	result = thread_start(&shipper->thread, run, shipper);
	shipper->started = result == 0;
	return result;
}

/* Those of sinks that nobody wants any more. */
static void drop_old_consumers(struct spool *spool, const struct ship_list *sinks)
{
	struct spool_state state;

	spool_state(spool, &state);
	for (uint32_t i = 0; i < state.consumers; i++) {
		const char *name = state.consumer[i].name;
		bool wanted = !text_starts(name, CONSUMER_PREFIX);

		for (uint32_t k = 0; !wanted && k < sinks->count; k++)
			wanted = sinks->items[k].events &&
				 text_equal(name + strlen(CONSUMER_PREFIX), sinks->items[k].name);
		if (wanted)
			continue;
		log_notice("nothing is kept any more for %s, which is no sink now", name);
		(void)spool_reader_drop(spool, name);
	}
}

int shipping_create(sd_event *event, struct spool *spool, const struct ship_list *sinks, const char *host_name,
		    const struct shipping_hooks *hooks, struct shipping **ret, struct problem *problem)
{
	_cleanup_(shipping_destroyp) struct shipping *shipping = calloc(1, sizeof(*shipping));
	int result;

	if (!shipping)
		return -ENOMEM;
	arena_init(&shipping->arena);
	shipping->hooks = *hooks;
	result = keep(shipping, host_name, &shipping->host_name);
	if (result == 0)
		result = mailbox_open(&shipping->news);
	if (result == 0)
		result = sd_event_add_io(event, &shipping->news_source, shipping->news.fd, EPOLLIN, on_news, shipping);
	if (result < 0)
		return problem_set(problem, -result, "%s", strerror(-result));
	drop_old_consumers(spool, sinks);
	for (uint32_t i = 0; i < sinks->count && shipping->count < SHIP_SINKS_MAX; i++) {
		if (!sinks->items[i].events)
			continue;
		result = start(shipping, spool, &sinks->items[i]);
		if (result < 0)
			return problem_set(problem, -result, "the sink %s: %s", sinks->items[i].name,
					   strerror(-result));
	}
	*ret = TAKE_PTR(shipping);
	return 0;
}

void shipping_destroy(struct shipping *shipping)
{
	const uint64_t one = 1;

	if (!shipping)
		return;
	for (uint32_t i = 0; i < shipping->count; i++)
		if (shipping->shippers[i].started) {
			while (write(shipping->shippers[i].stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
				;
			sink_stop(shipping->shippers[i].sink);
		}
	for (uint32_t i = 0; i < shipping->count; i++) {
		struct shipper *shipper = &shipping->shippers[i];

		if (shipper->started)
			pthread_join(shipper->thread, NULL);
		sink_free(shipper->sink);
		spool_reader_close(shipper->reader);
		if (shipper->stop_fd >= 0)
			close(shipper->stop_fd);
		pthread_mutex_destroy(&shipper->lock);
	}
	sd_event_source_disable_unref(shipping->news_source);
	mailbox_close(&shipping->news, note_free);
	arena_finish(&shipping->arena);
	free(shipping);
}

static bool is_same(const struct ship_options *a, const struct ship_options *b)
{
	return text_equal(a->name, b->name) && a->kind == b->kind && text_equal(a->url, b->url) &&
	       text_equal(a->host, b->host) && a->port == b->port && text_equal(a->path, b->path) &&
	       text_equal(a->ca_file, b->ca_file) && text_equal(a->cert_file, b->cert_file) &&
	       text_equal(a->key_file, b->key_file) && text_equal(a->token_file, b->token_file) &&
	       a->events == b->events && a->checkpoints == b->checkpoints && a->batch == b->batch &&
	       a->timeout_ms == b->timeout_ms;
}

bool shipping_is(const struct shipping *shipping, const struct ship_list *sinks)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sinks->count; i++) {
		if (!sinks->items[i].events)
			continue;
		if (count == shipping->count || !is_same(&shipping->shippers[count].options, &sinks->items[i]))
			return false;
		count++;
	}
	return count == shipping->count;
}

uint32_t shipping_state(struct shipping *shipping, struct shipping_state *ret, uint32_t size)
{
	uint32_t count = shipping ? MIN_OF(shipping->count, size) : 0;

	for (uint32_t i = 0; i < count; i++) {
		pthread_mutex_lock(&shipping->shippers[i].lock);
		ret[i] = shipping->shippers[i].state;
		pthread_mutex_unlock(&shipping->shippers[i].lock);
	}
	return count;
}
