/* SPDX-License-Identifier: MIT
 *
 * The state machine (docs/design.md, "The feed"). There is at most one transfer beside that of an acknowledgement, and
 * one timer: it begins the next connection, or ends a stream on which nothing came for too long.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "directory/unit.h"
#include "feed/follow_internal.h"

#define TIMER_ACCURACY_USEC (50 * USEC_PER_MSEC)

void follow_changed(struct follow *follow)
{
	follow->hooks->changed(follow->hooks->context, follow);
}

void follow_note_problem(struct follow *follow, const char *fault, const char *text)
{
	(void)snprintf(follow->fault, sizeof(follow->fault), "%s", fault);
	(void)snprintf(follow->problem, sizeof(follow->problem), "%s", text);
}

void follow_set_state(struct follow *follow, enum feed_state state)
{
	if (follow->state == state)
		return;
	log_debug("feed %s: %s", follow->tenant_id, feed_state_word(state));
	follow->state = state;
}

static void enable_at(sd_event_source *source, uint64_t usec)
{
	if (sd_event_source_set_time(source, usec) < 0 || sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0)
		log_error("cannot set a feed's timer");
}

void follow_connect_in(struct follow *follow, uint64_t usec)
{
	if (follow->http && follow->started && follow->state != FEED_DISABLED)
		enable_at(follow->timer, clock_boottime_usec() + usec);
}

/* Nothing but time makes a feed stale. States that say more stay. */
void follow_watch_freshness(struct follow *follow)
{
	if (follow->has_head && follow->fresh_until > clock_boottime_usec()) {
		enable_at(follow->stale_timer, follow->fresh_until);
		return;
	}
	if (follow->has_head && follow->line && (follow->state == FEED_LIVE || follow->state == FEED_RECONNECT))
		follow_set_state(follow, FEED_STALE);
}

static int on_stale(sd_event_source *source, uint64_t usec, void *context)
{
	struct follow *follow = context;

	(void)source;
	(void)usec;
	follow_watch_freshness(follow);
	follow_changed(follow);
	return 0;
}

void follow_drop_next(struct follow *follow)
{
	if (follow->next)
		feed_store_abandon(follow->store, follow->next->generation);
	feed_line_free(TAKE_PTR(follow->next));
	feed_run_clear(&follow->run);
	buffer_clear(&follow->piece);
}

void follow_lose_connection(struct follow *follow)
{
	if (follow->state == FEED_LIVE)
		follow_set_state(follow, FEED_RECONNECT);
	follow_watch_freshness(follow);
}

static bool is_hostile(enum feed_fault fault)
{
	return fault == FEED_UNSIGNED || fault == FEED_BAD_SIGNATURE || fault == FEED_OTHER_ORIGIN ||
	       fault == FEED_OTHER_EPOCH || fault == FEED_ROLLBACK || fault == FEED_FORK;
}

static bool needs_snapshot(enum feed_fault fault)
{
	return fault == FEED_GAP || fault == FEED_OTHER_CHAIN || fault == FEED_BAD_DIGEST || fault == FEED_BAD_RECORD;
}

/* One line of audit for each new thing, not one for each try. */
static void audit(struct follow *follow, bool critical, enum feed_fault fault, const char *text)
{
	if (strcmp(follow->fault, feed_fault_word(fault)) != 0 || strcmp(follow->problem, text) != 0)
		follow->hooks->audit(follow->hooks->context, critical, follow->tenant_id, feed_fault_word(fault), text);
}

void follow_refused(struct follow *follow, enum feed_fault fault, const struct problem *problem)
{
	char text[FEED_PROBLEM_MAX];

	(void)problem_render(problem, text, sizeof(text));
	follow_drop_next(follow);
	follow->refresh = false; /* the line is good without */
	/* Signed by keys that we do not know yet: there may be a newer trust document. */
	if ((fault == FEED_UNSIGNED || fault == FEED_OTHER_EPOCH) && follow->http && !follow->walked) {
		follow->walk = follow->walked = true;
		follow_lose_connection(follow);
		follow_connect_in(follow, 0);
		return;
	}
	follow->walked = false;
	audit(follow, is_hostile(fault), fault, text);
	follow_note_problem(follow, feed_fault_word(fault), text);
	if (is_hostile(fault))
		follow_set_state(follow, FEED_QUARANTINE);
	if (needs_snapshot(fault)) {
		follow->resync = true;
		if (follow->line && follow->state != FEED_QUARANTINE)
			follow_set_state(follow, FEED_RESYNC);
	}
	follow_lose_connection(follow);
	follow_connect_in(follow, backoff_next(&follow->backoff, -1));
	follow_changed(follow);
}

static const char *http_word(const struct http_answer *answer)
{
	static const char *const words[] = {
		[HTTP_FINE] = "status",       [HTTP_NO_NAME] = "no-name",     [HTTP_NO_ROUTE] = "no-route",
		[HTTP_NO_PROXY] = "no-proxy", [HTTP_BAD_PEER] = "bad-peer",   [HTTP_TIMED_OUT] = "timeout",
		[HTTP_CUT] = "cut",           [HTTP_TOO_LARGE] = "too-large", [HTTP_STOPPED] = "stopped",
		[HTTP_OTHER] = "network",
	};

	return words[answer->fault];
}

void follow_failed(struct follow *follow, const struct http_answer *answer)
{
	char text[FEED_PROBLEM_MAX];

	follow->walked = false;
	follow->refresh = false; /* the line is good without */
	if (answer->fault == HTTP_FINE && answer->status == 401) {
		follow->waiting = true;
		follow_lose_connection(follow);
		follow_changed(follow);
		follow->hooks->rejected(follow->hooks->context);
		return;
	}
	if (answer->fault == HTTP_FINE)
		(void)snprintf(text, sizeof(text), "the control plane answered with status %u", answer->status);
	else
		(void)snprintf(text, sizeof(text), "%s", answer->error ? answer->error : "");
	follow_note_problem(follow, http_word(answer), text);
	follow_lose_connection(follow);
	follow_connect_in(follow, backoff_next(&follow->backoff, answer->retry_after));
	follow_changed(follow);
}

int follow_url(const struct follow *follow, char out[FOLLOW_URL_MAX], const char *format, ...)
{
	int start = snprintf(out, FOLLOW_URL_MAX, "%s/v1/feeds/%s/", follow->url, follow->tenant_id), more;
	va_list ap;

	if (start < 0 || start >= (int)FOLLOW_URL_MAX)
		return -ENAMETOOLONG;
	va_start(ap, format);
	more = vsnprintf(out + start, FOLLOW_URL_MAX - (size_t)start, format, ap);
	va_end(ap);
	return more < 0 || start + more >= (int)FOLLOW_URL_MAX ? -ENAMETOOLONG : 0;
}

void follow_request(struct follow *follow, const struct http_request *request)
{
	struct http_request full = *request;
	int r;

	full.bearer = follow->hooks->bearer(follow->hooks->context);
	if (!full.bearer) {
		follow->waiting = true;
		follow_lose_connection(follow);
		return;
	}
	full.method = full.method ? full.method : "GET";
	full.context = follow;
	follow->refusal = (struct follow_refusal){0};
	r = http_start(follow->http, &full, &follow->transfer);
	if (r < 0) {
		follow_note_problem(follow, "network", strerrordesc_np(-r));
		follow_lose_connection(follow);
		follow_connect_in(follow, backoff_next(&follow->backoff, -1));
	}
}

/* What is needed next. */
static void proceed(struct follow *follow)
{
	follow->waiting = false;
	if (!follow->has_trust || follow->state == FEED_DISABLED || follow->transfer)
		return;
	if (follow->walk)
		follow_fetch_trust(follow);
	else if (!follow->next && (!follow->line || follow->resync || follow->refresh))
		follow_fetch_snapshot(follow);
	else
		follow_stream(follow);
}

void follow_break_off(struct follow *follow)
{
	if (!follow->transfer)
		return;
	http_cancel(TAKE_PTR(follow->transfer));
	if (follow->streaming)
		sse_reader_finish(&follow->sse);
	follow->streaming = false;
	follow_drop_next(follow);
	follow_lose_connection(follow);
	follow_connect_in(follow, 0);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct follow *follow = context;
	struct http_answer silence = {.fault = HTTP_TIMED_OUT, .retry_after = -1, .error = "nothing came any more"};

	(void)source;
	(void)usec;
	if (!follow->streaming) {
		proceed(follow);
		return 0;
	}
	/* A stream that is half open, or a machine that slept: bytes would have come. */
	if (follow_stream_deadline(follow) > clock_boottime_usec()) {
		enable_at(follow->timer, follow_stream_deadline(follow));
		return 0;
	}
	http_cancel(TAKE_PTR(follow->transfer));
	follow->streaming = false;
	sse_reader_finish(&follow->sse);
	follow->fruitless += !follow->heard;
	feed_run_clear(&follow->run);
	follow_failed(follow, &silence);
	return 0;
}

static int add_timer(struct follow *follow, sd_event_time_handler_t handler, sd_event_source **ret)
{
	int r = sd_event_add_time(follow->event, ret, CLOCK_BOOTTIME, UINT64_MAX, TIMER_ACCURACY_USEC, handler, follow);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

DEFINE_CLEANUP(struct follow, follow_free)

int follow_create(const struct follow_options *options, struct follow **ret)
{
	_cleanup_(follow_freep) struct follow *follow = calloc(1, sizeof(*follow));
	int r;

	if (!follow)
		return -ENOMEM;
	follow->event = options->event;
	follow->http = options->http;
	follow->hooks = options->hooks;
	follow->first_delay = options->first_delay_usec;
	follow->max_records = options->max_records;
	follow->from_file = !options->http;
	follow->drain = -1;
	follow->url = strdup(options->url ? options->url : "");
	follow->tenant_id = strdup(options->tenant_id);
	follow->host_id = strdup(options->host_id ? options->host_id : "");
	if (!follow->url || !follow->tenant_id || !follow->host_id)
		return -ENOMEM;
	r = feed_store_open(options->directory, options->seal_key, &follow->store);
	if (r == 0)
		r = add_timer(follow, on_timer, &follow->timer);
	if (r == 0)
		r = add_timer(follow, on_stale, &follow->stale_timer);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(follow);
	return 0;
}

static void stop(struct follow *follow)
{
	http_cancel(TAKE_PTR(follow->transfer));
	http_cancel(TAKE_PTR(follow->ack));
	if (follow->streaming)
		sse_reader_finish(&follow->sse);
	follow->streaming = false;
	if (follow->timer)
		(void)sd_event_source_set_enabled(follow->timer, SD_EVENT_OFF);
	if (follow->stale_timer)
		(void)sd_event_source_set_enabled(follow->stale_timer, SD_EVENT_OFF);
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	stop(follow);
	(void)sd_event_source_disable_unref(follow->timer);
	(void)sd_event_source_disable_unref(follow->stale_timer);
	feed_line_free(follow->line);
	feed_line_free(follow->next);
	feed_run_finish(&follow->run);
	buffer_finish(&follow->piece);
	feed_state_file_finish(&follow->kept);
	feed_store_close(follow->store);
	free(follow->url);
	free(follow->tenant_id);
	free(follow->host_id);
	free(follow);
}

int follow_set_trust(struct follow *follow, const char *note, size_t length, struct problem *problem)
{
	struct feed_trust trust;
	int r;

	if (follow->has_trust)
		return 0;
	if (feed_trust_read(note, length, NULL, &trust, problem) != FEED_FINE)
		return -EBADMSG;
	r = feed_state_file_add_trust(&follow->kept, note, length);
	if (r < 0)
		return r;
	follow->trust = trust;
	follow->has_trust = true;
	follow_set_state(follow, FEED_BOOTSTRAP);
	return follow_save(follow);
}

void follow_start(struct follow *follow)
{
	follow->started = true;
	follow_watch_freshness(follow);
	follow_connect_in(follow, follow->first_delay);
}

void follow_wake(struct follow *follow)
{
	if (!follow->started || follow->transfer)
		return;
	if (follow->waiting || follow->state != FEED_LIVE)
		follow_connect_in(follow, 0);
	if (follow->ack_due)
		follow_send_ack(follow);
}

void follow_wipe(struct follow *follow)
{
	int r;

	follow->wipe_due = follow->busy;
	if (follow->busy)
		return;
	stop(follow);
	follow_drop_next(follow);
	feed_line_free(TAKE_PTR(follow->line));
	feed_state_file_finish(&follow->kept);
	follow->kept = (struct feed_state_file){0};
	follow->has_trust = follow->has_head = follow->ack_due = false;
	follow->fresh_until = 0;
	if (follow->state != FEED_DISABLED)
		follow_set_state(follow, FEED_UNENROLLED);
	r = feed_store_wipe(follow->store);
	if (r < 0)
		log_error("cannot remove what was kept of feed %s: %s", follow->tenant_id, strerrordesc_np(-r));
}

void follow_retire(struct follow *follow)
{
	int r;

	stop(follow);
	follow_drop_next(follow);
	feed_line_free(TAKE_PTR(follow->line));
	if (!follow->has_trust) /* nothing, or what could not be read and says more than nothing */
		return;
	buffer_clear(&follow->kept.snapshot);
	follow->kept.generation = follow->generation += 2; /* past what was being written, too */
	r = follow_save(follow);
	if (r < 0)
		log_error("cannot remove the records of feed %s: %s", follow->tenant_id, strerrordesc_np(-r));
}

const struct feed_trust *follow_trust(const struct follow *follow)
{
	return follow->has_trust ? &follow->trust : NULL;
}

const struct feed_picture *follow_picture(const struct follow *follow)
{
	return follow->line ? follow->line->picture : NULL;
}

void follow_view(const struct follow *follow, struct feed_view *ret)
{
	struct unit *const *units = NULL;
	uint32_t count = 0;

	*ret = (struct feed_view){.state = follow->state,
				  .epoch = follow->head.epoch,
				  .revision = follow->head.revision,
				  .head_issued = follow->head.issued,
				  .head_expires = follow->head.expires,
				  .fresh_until = follow->fresh_until,
				  .last_contact = follow->last_contact,
				  .from_file = follow->from_file,
				  .unsaved = follow->unsaved != 0};
	(void)snprintf(ret->tenant_id, sizeof(ret->tenant_id), "%s", follow->tenant_id);
	(void)snprintf(ret->origin, sizeof(ret->origin), "%s", follow->trust.origin);
	(void)snprintf(ret->problem, sizeof(ret->problem), "%s", follow->problem);
	(void)snprintf(ret->fault, sizeof(ret->fault), "%s", follow->fault);
	if (follow->line)
		feed_picture_units(follow->line->picture, &units, &count);
	for (uint32_t i = 0; i < count; i++)
		if (units[i]->records.tenant_count > 0)
			(void)snprintf(ret->slug, sizeof(ret->slug), "%s", units[i]->records.tenants[0].slug);
}
