/* SPDX-License-Identifier: MIT
 *
 * Deltas wait in follow->run until the head that covers them. A proxy that gathers a stream's bytes before it passes
 * them on makes streams end without a head: after some of these we poll, and try a stream again now and then.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "feed/follow_internal.h"

#define SILENCE_USEC (45 * USEC_PER_SEC) /* three renewals of the head */
#define NO_TIMEOUT UINT32_MAX
#define NO_LIMIT UINT64_MAX
#define POLL_SEC 25U
#define POLL_FOR_HEAD_SEC 1U /* while we are not live: a head is wanted, whether or not there is news */
#define FRUITLESS_MAX 3U
#define POLLS_MAX 50U                      /* then a stream is tried again */
#define POLL_LEAST_USEC (5 * USEC_PER_SEC) /* an answer without news before that: not what was asked for */
#define DRAIN_MAX_MS 300000U
#define AGAIN_USEC USEC_PER_SEC /* spreads those who were sent away together */

uint64_t follow_stream_deadline(const struct follow *follow)
{
	return follow->last_byte + SILENCE_USEC;
}

static int take_drain(struct follow *follow, const char *text)
{
	uint32_t ms;

	if (parse_u32(text, &ms) < 0)
		return -EBADMSG;
	follow->drain = MIN_OF(ms, DRAIN_MAX_MS);
	return -ESHUTDOWN;
}

/* Notes lose their last newline on the way. */
static enum feed_fault take_note(struct follow *follow, const struct sse_event *event, bool is_head,
				 struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	(void)buffer_add(&note, event->data, event->length);
	(void)buffer_add_char(&note, '\n');
	if (note.failed) {
		(void)problem_set(problem, ENOMEM, "out of memory");
		return FEED_TOO_LARGE;
	}
	return is_head ? follow_take_head(follow, note.data, note.length, false, problem)
		       : follow_take_trust(follow, note.data, note.length, problem);
}

static int on_event(void *context, const struct sse_event *event)
{
	struct follow *follow = context;
	struct follow_refusal *refusal = &follow->refusal;

	if (strcmp(event->name, "drain") == 0)
		return take_drain(follow, event->data);
	if (strcmp(event->name, "delta") == 0)
		refusal->fault = feed_run_add(&follow->run, event->data, event->length, &refusal->problem);
	else if (strcmp(event->name, "head") == 0)
		refusal->fault = take_note(follow, event, true, &refusal->problem);
	else if (strcmp(event->name, "trust") == 0)
		refusal->fault = take_note(follow, event, false, &refusal->problem);
	/* A trust document further on than the next: those between are fetched one by one. */
	if (refusal->fault == FEED_GAP && strcmp(event->name, "trust") == 0) {
		refusal->fault = FEED_FINE;
		follow->walk = true;
	}
	if (refusal->fault != FEED_FINE)
		return -EBADMSG;
	/* What is believed now, or whether we are in service, is another than when this stream began. */
	if (follow->walk || follow->state == FEED_DISABLED || ((follow->resync || follow->refresh) && !follow->next))
		return -ECANCELED;
	return 0;
}

static int on_data(void *context, const char *data, size_t length)
{
	struct follow *follow = context;

	int r;

	follow->last_byte = clock_boottime_usec();
	follow->busy = true;
	r = sse_reader_add(&follow->sse, data, length);
	follow->busy = false;
	if (r == -EMSGSIZE) {
		follow->refusal.fault = FEED_TOO_LARGE;
		(void)problem_set(&follow->refusal.problem, EMSGSIZE, "an event of the stream is too large");
	}
	return r;
}

/* The deltas from here on are not kept any more, or the epoch is another. */
static void take_gap(struct follow *follow)
{
	bool again = follow->next != NULL;

	follow_drop_next(follow);
	/* Another epoch would be in a newer trust document. */
	if (!follow->walked)
		follow->walk = follow->walked = true;
	follow->resync = true;
	if (follow->line && follow->state != FEED_QUARANTINE)
		follow_set_state(follow, FEED_RESYNC);
	/* A snapshot that is too old itself: the next one may take a while. */
	follow_connect_in(follow, again ? backoff_next(&follow->backoff, -1) : 0);
	follow_changed(follow);
}

static void end_poll(struct follow *follow)
{
	bool early = clock_boottime_usec() - follow->opened_at < POLL_LEAST_USEC;

	if (++follow->polls >= POLLS_MAX) {
		follow->polling = false;
		follow->fruitless = FRUITLESS_MAX - 1;
	}
	if (!follow->news && early)
		follow_connect_in(follow, backoff_next(&follow->backoff, -1));
	else
		follow_connect_in(follow, 0);
}

/* Somebody was there: what did not get through to anybody says nothing of what streams come through. */
static bool was_answered(enum http_fault fault)
{
	return fault == HTTP_FINE || fault == HTTP_CUT || fault == HTTP_OTHER;
}

/* The stream ended, by the control plane or on the way. */
static void end_stream(struct follow *follow, const struct http_answer *answer)
{
	struct http_answer cut = *answer;

	if (follow->drain >= 0) {
		uint64_t wait = (uint64_t)follow->drain * USEC_PER_MSEC + backoff_jitter(AGAIN_USEC);

		follow->drain = -1;
		if (follow->state == FEED_LIVE)
			follow_set_state(follow, FEED_RECONNECT);
		follow_connect_in(follow, wait);
		follow_changed(follow);
		return;
	}
	follow->fruitless = follow->heard ? 0 : follow->fruitless + was_answered(answer->fault);
	if (follow->fruitless >= FRUITLESS_MAX) {
		follow->polling = true;
		follow->polls = 0;
	}
	if (answer->fault == HTTP_FINE) {
		cut.fault = HTTP_CUT;
		cut.error = "the stream was ended";
	}
	follow_failed(follow, &cut);
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct follow *follow = context;
	struct problem problem = follow->refusal.problem;

	follow->transfer = NULL;
	follow->streaming = false;
	sse_reader_finish(&follow->sse);
	feed_run_clear(&follow->run);
	if (follow->wipe_due)
		follow_wipe(follow);
	if (follow->state == FEED_DISABLED || follow->state == FEED_UNENROLLED)
		return;
	if (follow->refusal.fault != FEED_FINE) {
		follow_refused(follow, follow->refusal.fault, &problem);
	} else if (answer->fault == HTTP_STOPPED && follow->drain < 0 &&
		   (follow->walk || follow->resync || follow->refresh)) {
		if (follow->resync) {
			follow_drop_next(follow);
			if (follow->state != FEED_QUARANTINE && follow->line)
				follow_set_state(follow, FEED_RESYNC);
		}
		follow_connect_in(follow, 0);
	} else if (answer->fault == HTTP_FINE && answer->status == 410) {
		take_gap(follow);
	} else if (answer->fault == HTTP_FINE && answer->status != 200) {
		follow_failed(follow, answer);
	} else if (answer->fault == HTTP_FINE && follow->polling) {
		end_poll(follow);
	} else {
		end_stream(follow, answer);
	}
}

void follow_stream(struct follow *follow)
{
	const struct feed_line *line = follow->next ? follow->next : follow->line;
	char url[FOLLOW_URL_MAX];
	int r;

	feed_run_clear(&follow->run);
	r = follow_url(follow, url, "events?epoch=%" PRIu64 "&after=%" PRIu64, line->snapshot.epoch, line->revision);
	if (r == 0 && follow->polling)
		r = follow_url(follow, url, "events?epoch=%" PRIu64 "&after=%" PRIu64 "&once=%u", line->snapshot.epoch,
			       line->revision,
			       follow->state == FEED_LIVE && !follow->next ? POLL_SEC : POLL_FOR_HEAD_SEC);
	if (r < 0)
		return;
	sse_reader_init(&follow->sse, on_event, follow);
	follow->heard = follow->news = false;
	follow->drain = -1;
	follow->opened_at = follow->last_byte = clock_boottime_usec();
	follow_request(follow, &(struct http_request){.url = url,
						      .accept = "text/event-stream",
						      .limit = NO_LIMIT,
						      .timeout_ms = NO_TIMEOUT,
						      .data = on_data,
						      .done = on_done});
	if (!follow->transfer) {
		sse_reader_finish(&follow->sse);
		return;
	}
	follow->streaming = true;
	follow_connect_in(follow, SILENCE_USEC); /* the timer watches for silence now */
}
