/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "feed/follow_internal.h"

#define PIECE_BYTES ((size_t)256 * 1024)
#define BLOB_IDLE_MS 30000U
#define NO_TIMEOUT UINT32_MAX
#define TRUSTS_KEPT_BYTES ((size_t)32 * NOTE_BYTES_MAX)
#define REFRESH_PAUSE_USEC (600 * USEC_PER_SEC)
#define MEND_PAUSE_USEC (60 * USEC_PER_SEC) /* doubled with each failure, up to the one above */
#define NO_ROOM_USEC (15 * USEC_PER_SEC)

/* The newest note of what is kept. */
static bool is_newest_trust(const struct follow *follow, const char *note, size_t length)
{
	const char *kept, *newest = NULL;
	size_t at = 0, kept_length, newest_length = 0;

	while (feed_state_file_next_trust(&follow->kept, &at, &kept, &kept_length)) {
		newest = kept;
		newest_length = kept_length;
	}
	return newest && newest_length == length && memcmp(newest, note, length) == 0;
}

/* Old ones are only needed for notes of their time; those that are kept are of ours. */
static void forget_old_trusts(struct follow *follow)
{
	const char *note;
	size_t at = 0, length;

	while (follow->kept.trusts.length > TRUSTS_KEPT_BYTES &&
	       feed_state_file_next_trust(&follow->kept, &at, &note, &length)) {
		buffer_consume(&follow->kept.trusts, at);
		at = 0;
	}
}

enum feed_fault follow_take_trust(struct follow *follow, const char *note, size_t length, struct problem *problem)
{
	struct feed_trust trust;
	enum feed_fault fault;

	if (is_newest_trust(follow, note, length))
		return FEED_FINE;
	fault = feed_trust_read(note, length, &follow->trust, &trust, problem);
	if (fault != FEED_FINE)
		return fault;
	if (feed_state_file_add_trust(&follow->kept, note, length) < 0) {
		(void)problem_set(problem, ENOMEM, "out of memory");
		return FEED_TOO_LARGE;
	}
	forget_old_trusts(follow);
	follow->trust = trust;
	if (follow->next && follow->next->snapshot.epoch != trust.epoch) {
		follow_drop_next(follow);
		follow->resync = true;
	}
	if (follow->line && follow->line->snapshot.epoch != trust.epoch)
		follow->resync = true;
	(void)follow_save(follow);
	return FEED_FINE;
}

static void on_trust(void *context, const struct http_answer *answer)
{
	struct follow *follow = context;
	struct problem problem = {0};
	enum feed_fault fault;

	follow->transfer = NULL;
	if (answer->fault == HTTP_FINE && answer->status == 404) {
		/* There is none after ours: once at once, and then as after any failure, whoever speaks of newer ones.
		 */
		follow->walk = false;
		follow_connect_in(follow, follow->no_trust ? backoff_next(&follow->backoff, -1) : 0);
		follow->no_trust = true;
		return;
	}
	if (answer->fault != HTTP_FINE || answer->status != 200) {
		follow_failed(follow, answer);
		return;
	}
	follow->no_trust = false;
	follow->last_contact = clock_realtime_sec();
	fault = follow_take_trust(follow, answer->body, answer->length, &problem);
	if (fault != FEED_FINE) {
		follow->walk = false;
		follow_refused(follow, fault, &problem);
		return;
	}
	if (follow->resync && follow->line && follow->state != FEED_QUARANTINE)
		follow_set_state(follow, FEED_RESYNC);
	follow_connect_in(follow, 0);
}

void follow_fetch_trust(struct follow *follow)
{
	char url[FOLLOW_URL_MAX];

	if (follow_url(follow, url, "trust/%" PRIu64, follow->trust.version + 1) < 0)
		return;
	follow_request(follow, &(struct http_request){.url = url, .limit = NOTE_BYTES_MAX, .done = on_trust});
}

/* The disk does not take a snapshot. The line in force goes on by its stream, if it can. */
static void no_room(struct follow *follow, int error)
{
	bool goes_on = follow->line && !follow->resync;
	char text[FEED_PROBLEM_MAX];

	(void)snprintf(text, sizeof(text), "cannot keep the snapshot: %s", strerrordesc_np(-error));
	if (strcmp(follow->problem, text) != 0)
		log_error("feed %s: %s", follow->tenant_id, text);
	follow_drop_next(follow);
	follow->refresh = false;
	follow_note_problem(follow, "disk", text);
	if (!goes_on)
		follow_lose_connection(follow);
	follow_connect_in(follow, goes_on ? 0 : NO_ROOM_USEC + backoff_jitter(NO_ROOM_USEC));
	follow_changed(follow);
}

static int seal_piece(struct follow *follow)
{
	int r = follow->piece.length > 0 ? feed_store_add_piece(follow->store, follow->piece.data, follow->piece.length)
					 : 0;

	buffer_clear(&follow->piece);
	return r;
}

static int on_blob_data(void *context, const char *data, size_t length)
{
	struct follow *follow = context;
	struct follow_refusal *refusal = &follow->refusal;

	refusal->fault = feed_line_add(follow->next, data, length, &refusal->problem);
	if (refusal->fault == FEED_FINE && buffer_add(&follow->piece, data, length) < 0) {
		(void)problem_set(&refusal->problem, ENOMEM, "out of memory");
		refusal->fault = FEED_TOO_LARGE;
	}
	if (refusal->fault == FEED_FINE && follow->piece.length >= PIECE_BYTES)
		refusal->disk = seal_piece(follow);
	return refusal->fault == FEED_FINE ? refusal->disk : -EBADMSG;
}

static void on_blob(void *context, const struct http_answer *answer)
{
	struct follow *follow = context;
	struct problem problem = {0};
	enum feed_fault fault;
	int r;

	follow->transfer = NULL;
	if (follow->refusal.disk < 0) {
		no_room(follow, follow->refusal.disk);
		return;
	}
	if (follow->refusal.fault != FEED_FINE) {
		problem = follow->refusal.problem;
		follow_refused(follow, follow->refusal.fault, &problem);
		return;
	}
	if (answer->fault != HTTP_FINE || answer->status != 200) {
		follow_drop_next(follow);
		follow_failed(follow, answer);
		return;
	}
	fault = feed_line_end(follow->next, &problem);
	if (fault == FEED_FINE) {
		r = seal_piece(follow);
		if (r == 0)
			r = feed_store_sync_snapshot(follow->store);
		if (r < 0)
			no_room(follow, r);
		else
			follow_connect_in(follow, 0);
		return;
	}
	if (fault == FEED_BAD_RECORD)
		follow_refuse_ack(follow, follow->next->revision, &problem);
	follow_refused(follow, fault, &problem);
}

static void fetch_blob(struct follow *follow)
{
	char url[FOLLOW_URL_MAX], hex[2 * SHA256_BYTES + 1];

	text_to_hex(follow->next->snapshot.sha256, SHA256_BYTES, hex);
	if (follow_url(follow, url, "blobs/%s", hex) < 0)
		return;
	follow_request(follow, &(struct http_request){.url = url,
						      .limit = follow->next->snapshot.bytes,
						      .timeout_ms = NO_TIMEOUT,
						      .idle_timeout_ms = BLOB_IDLE_MS,
						      .data = on_blob_data,
						      .done = on_blob});
	if (!follow->transfer)
		follow_drop_next(follow);
}

/* Is a snapshot of use, and none that contradicts what we have? 1: no use. */
static int judge_snapshot(struct follow *follow, const struct feed_snapshot *snapshot, enum feed_fault *ret,
			  struct problem *problem)
{
	const struct feed_head *head = follow->has_head ? &follow->head : NULL;

	*ret = FEED_FINE;
	if (head && head->epoch == snapshot->epoch && head->revision == snapshot->revision &&
	    memcmp(head->chain, snapshot->chain, SHA256_BYTES) != 0) {
		(void)problem_set(problem, EBADMSG, "the snapshot of revision %" PRIu64 " has another chain",
				  snapshot->revision);
		*ret = FEED_FORK;
		return 0;
	}
	return follow->line && !follow->resync && !follow->gap && snapshot->epoch == follow->line->snapshot.epoch &&
	       snapshot->revision <= follow->line->snapshot.revision;
}

static void on_snapshot(void *context, const struct http_answer *answer)
{
	struct follow *follow = context;
	struct feed_snapshot snapshot;
	struct problem problem = {0};
	enum feed_fault fault;
	int r;

	follow->transfer = NULL;
	if (answer->fault != HTTP_FINE || answer->status != 200) {
		follow->refresh = false;
		follow_failed(follow, answer);
		return;
	}
	follow->last_contact = clock_realtime_sec();
	fault = feed_snapshot_read(answer->body, answer->length, &follow->trust, clock_realtime_sec(), &snapshot,
				   &problem);
	if (fault == FEED_FINE)
		fault = feed_line_fits(snapshot.records, follow->max_records, &problem);
	r = fault == FEED_FINE ? judge_snapshot(follow, &snapshot, &fault, &problem) : 0;
	follow->no_refresh_before = clock_boottime_usec() + REFRESH_PAUSE_USEC;
	if (follow->gap) {
		follow->mend_pause = MIN_OF(MAX_OF(2 * follow->mend_pause, MEND_PAUSE_USEC), REFRESH_PAUSE_USEC);
		follow->no_mend_before = clock_boottime_usec() + follow->mend_pause;
	}
	if (fault != FEED_FINE) {
		follow->refresh = false;
		follow_refused(follow, fault, &problem);
		return;
	}
	if (r > 0) {
		follow->refresh = false;
		follow_connect_in(follow, 0);
		return;
	}
	r = feed_line_new(follow->tenant_id, &snapshot, answer->body, answer->length, &follow->next);
	if (r < 0) {
		(void)problem_set(&problem, -r, "cannot begin with the snapshot: %s", strerrordesc_np(-r));
		follow_refused(follow, FEED_TOO_LARGE, &problem);
		return;
	}
	follow->next->generation = follow->generation + 1;
	r = feed_store_begin(follow->store, follow->next->generation, snapshot.bytes);
	if (r < 0)
		no_room(follow, r);
	else
		fetch_blob(follow);
}

void follow_fetch_snapshot(struct follow *follow)
{
	char url[FOLLOW_URL_MAX];

	if (follow_url(follow, url, "snapshot") < 0)
		return;
	follow_request(follow, &(struct http_request){.url = url, .limit = NOTE_BYTES_MAX, .done = on_snapshot});
}
