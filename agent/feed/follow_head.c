/* SPDX-License-Identifier: MIT
 *
 * A head brings what came before it into force: verify, commit the picture, hand it out, write it to disk, and only
 * then acknowledge.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "feed/follow_internal.h"
#include "json/json_write.h"

#define LIFETIME_MOST (12 * 3600) /* of a head: what feed.stale may say at most, and less than any export lasts */
#define SAVE_RENEWALS_USEC (60 * USEC_PER_SEC)
#define REFRESH_DELTAS 10000U
#define REFRESH_BYTES (32ULL * 1024 * 1024)
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

static void read_boot_id(char out[BOOT_ID_BYTES + 1])
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	out[0] = '\0';
	if (file_read(AT_FDCWD, BOOT_ID_PATH, 2 * BOOT_ID_BYTES, FILE_TRUST_ANY, 0, &text, NULL) == 0 &&
	    text.length >= BOOT_ID_BYTES) {
		memcpy(out, text.data, BOOT_ID_BYTES);
		out[BOOT_ID_BYTES] = '\0';
	}
}

int follow_save(struct follow *follow)
{
	int r;

	/* Without its head a state has forgotten how far it was. */
	if (follow->has_head && follow->kept.head.length == 0)
		return -ENOMEM;
	if (follow->line) {
		follow->kept.generation = follow->line->generation;
		buffer_clear(&follow->kept.snapshot);
		r = buffer_add(&follow->kept.snapshot, follow->line->snapshot_note.data,
			       follow->line->snapshot_note.length);
		if (r < 0)
			return r;
	}
	follow->kept.fresh_until = follow->fresh_until;
	read_boot_id(follow->kept.boot_id);
	r = feed_store_save(follow->store, &follow->kept);
	if (r == 0)
		follow->saved_at = clock_boottime_usec();
	return r;
}

/* The deltas first: a head on disk never speaks of what is not there. */
static int keep(struct follow *follow, uint32_t count)
{
	struct feed_line *line = follow->line;
	uint64_t end = line->deltas_end;
	int r = 0;

	if (follow->gap)
		return -ENOTRECOVERABLE;
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = feed_store_add_delta(follow->store, line->generation, end, follow->run.deltas[i].data,
					 follow->run.deltas[i].length, &end);
	if (r == 0 && count > 0)
		r = feed_store_sync_deltas(follow->store, line->generation);
	follow->gap = r < 0;
	if (r < 0)
		return r;
	/* Until a head is saved that covers them they count for nothing, and the next head is as good. */
	line->deltas_end = end;
	return follow_save(follow);
}

static void on_ack(void *context, const struct http_answer *answer)
{
	struct follow *follow = context;

	follow->ack = NULL;
	/* Another try with the next head. */
	if (answer->fault != HTTP_FINE || answer->status / 100 != 2)
		follow->ack_due = true;
	else if (follow->ack_due)
		follow_send_ack(follow);
}

void follow_send_ack(struct follow *follow)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	struct json_writer w = json_writer(&body);
	char url[FOLLOW_URL_MAX];
	const char *bearer;

	/* Never before it is on disk. */
	if (!follow->ack_due || !follow->ack_ready || (follow->unsaved && !follow->ack_error[0]) || follow->ack ||
	    !follow->http || follow_url(follow, url, "acks") < 0)
		return;
	bearer = follow->hooks->bearer(follow->hooks->context);
	if (!bearer)
		return;
	json_begin(&w, NULL, '{');
	json_put_u64(&w, "epoch", follow->ack_epoch);
	json_put_u64(&w, "revision", follow->ack_revision);
	json_put_string(&w, "outcome", follow->ack_error[0] ? "refused" : "applied");
	json_put_string_if(&w, "error", follow->ack_error);
	json_end(&w, '}');
	if (body.failed || http_start(follow->http,
				      &(struct http_request){.method = "POST",
							     .url = url,
							     .bearer = bearer,
							     .content_type = "application/json",
							     .body = body.data,
							     .body_length = body.length,
							     .done = on_ack,
							     .context = follow},
				      &follow->ack) < 0)
		return;
	follow->ack_due = false;
}

void follow_refuse_ack(struct follow *follow, uint64_t revision, const struct problem *problem)
{
	follow->ack_epoch = follow->trust.epoch;
	follow->ack_revision = revision;
	(void)problem_render(problem, follow->ack_error, sizeof(follow->ack_error));
	follow->ack_due = follow->ack_ready = true;
	follow_send_ack(follow);
}

void follow_applied(struct follow *follow, const struct problem *problem)
{
	if (!follow->line)
		return;
	follow->ack_error[0] = '\0';
	if (problem) {
		(void)problem_render(problem, follow->ack_error, sizeof(follow->ack_error));
		follow_note_problem(follow, "refused", follow->ack_error);
	}
	follow->ack_ready = true;
	follow_send_ack(follow);
}

static void disable(struct follow *follow, const struct revocation_record *revocation)
{
	char reason[FEED_PROBLEM_MAX];

	(void)snprintf(reason, sizeof(reason), "%s", revocation->reason[0] ? revocation->reason : "no reason given");
	follow_set_state(follow, FEED_DISABLED);
	follow_note_problem(follow, "disabled", reason);
	follow->hooks->audit(follow->hooks->context, true, follow->tenant_id, "disabled", reason);
	/* Not from inside a transfer's own callback: that one ends by itself. */
	follow->hooks->disabled(follow->hooks->context, reason);
}

/* It is at least so late: since a head was issued as much time went by as since it came. So a clock that somebody sets
 * back over and over makes no row of heads, kept back and handed over one by one, count for ever. The control plane's
 * own clock may have been wrong by as much as heads may be ahead of ours. */
static int64_t follow_now(const struct follow *follow)
{
	int64_t now = clock_realtime_sec();

	if (!follow->has_head)
		return now;
	return MAX_OF(now, follow->ahead + (int64_t)(clock_boottime_usec() / USEC_PER_SEC) - FEED_FUTURE_SEC);
}

void follow_note_time(struct follow *follow, const struct feed_head *head)
{
	int64_t ahead = head->issued - (int64_t)(clock_boottime_usec() / USEC_PER_SEC);

	follow->ahead = follow->has_head ? MAX_OF(follow->ahead, ahead) : ahead;
}

static void remember_head(struct follow *follow, const struct feed_head *head, const char *note, size_t length)
{
	bool same = follow->has_head && head->epoch == follow->head.epoch && head->revision == follow->head.revision;
	int64_t now = follow_now(follow);

	/* A renewal that is older than the last one lengthens nothing. */
	if (same && head->issued <= follow->head.issued)
		return;
	follow_note_time(follow, head);
	follow->head = *head;
	follow->has_head = true;
	follow->fresh_until = follow_fresh_until(head, clock_boottime_usec(), now);
	/* When this finds no memory there is none, and follow_save refuses. */
	buffer_clear(&follow->kept.head);
	(void)buffer_add(&follow->kept.head, note, length);
}

static void take_effect(struct follow *follow, bool changed, uint32_t count)
{
	const struct revocation_record *revocation =
		feed_picture_host_revocation(follow->line->picture, follow->host_id);
	bool was_live = follow->state == FEED_LIVE;
	char text[FEED_PROBLEM_MAX];
	int r = 0;

	if (revocation) {
		disable(follow, revocation);
		return;
	}
	follow_set_state(follow, FEED_LIVE);
	follow_note_problem(follow, "", "");
	follow_watch_freshness(follow);
	if (changed) {
		follow->ack_epoch = follow->head.epoch;
		follow->ack_revision = follow->head.revision;
		follow->ack_due = true;
		follow->ack_ready = false;
	}
	follow_changed(follow);
	if (changed || !was_live || follow->unsaved || clock_boottime_usec() - follow->saved_at >= SAVE_RENEWALS_USEC)
		r = keep(follow, count);
	if (r == 0) {
		if (follow->unsaved)
			log_info("feed %s is on disk again", follow->tenant_id);
		follow->unsaved = 0;
		return;
	}
	if (!follow->unsaved)
		log_error("cannot keep feed %s on disk: %s", follow->tenant_id, strerrordesc_np(-r));
	if (!follow->unsaved || !follow->gap)
		follow->unsaved = -r;
	(void)snprintf(text, sizeof(text), "what came last could not be written to disk: %s",
		       strerrordesc_np(follow->unsaved));
	follow_note_problem(follow, "disk", text);
}

/* Would a newer snapshot do, and is it time to ask for one? The disk is asked first: while it is full the control plane
 * has no part in it, and the stream goes on. */
static bool needs_refresh(struct follow *follow)
{
	const struct feed_line *line = follow->line;
	uint64_t now = clock_boottime_usec();

	if (!follow->http)
		return false;
	if (follow->gap)
		return now >= follow->no_mend_before && feed_store_has_room(follow->store, follow->generation + 1,
									    line->snapshot.bytes + line->delta_bytes);
	return (line->delta_count >= REFRESH_DELTAS || line->delta_bytes >= REFRESH_BYTES) &&
	       now >= follow->no_refresh_before;
}

/* A head that export made for a folder lasts for months. Over the network, where a new one comes every few seconds,
 * it would keep alive what was revoked since. */
static enum feed_fault judge_lifetime(const struct feed_head *head, struct problem *problem)
{
	if (head->expires - head->issued <= LIFETIME_MOST)
		return FEED_FINE;
	(void)problem_set(problem, EBADMSG, "the head lasts longer than one that comes over the network may");
	return FEED_FUTURE;
}

enum feed_fault follow_take_head(struct follow *follow, const char *note, size_t length, bool from_folder,
				 struct problem *problem)
{
	struct feed_line *target = follow->next ? follow->next : follow->line;
	const struct feed_head *bound = follow->has_head ? &follow->head : NULL;
	bool changed, swap = follow->next != NULL;
	enum feed_fault fault;
	struct feed_head head;
	uint32_t count = 0;

	fault = feed_head_read(note, length, &follow->trust, follow_now(follow), &head, problem);
	/* A head of an epoch that ended binds nobody in the next one. */
	if (fault == FEED_FINE && bound && bound->epoch == head.epoch)
		fault = feed_head_follows(bound, &head, problem);
	if (fault == FEED_FINE && !from_folder)
		fault = judge_lifetime(&head, problem);
	if (fault == FEED_FINE) {
		target->max_records = follow->max_records;
		fault = feed_line_apply(target, &follow->run, &head, bound, &count, problem);
	}
	if (fault == FEED_BAD_RECORD)
		follow_refuse_ack(follow, head.revision, problem);
	if (fault != FEED_FINE)
		return fault;
	/* After a refusal only something newer shows that all is well again. */
	if (follow->state == FEED_QUARANTINE && bound && bound->epoch == head.epoch &&
	    bound->revision == head.revision && head.issued <= bound->issued)
		return FEED_FINE;
	changed = swap || count > 0;
	/* What was said before, once more, is no news. */
	if (changed || !bound || head.issued > bound->issued) {
		follow->news = true;
		follow->no_trust = false;
	}
	if (swap) {
		feed_line_free(follow->line);
		follow->line = TAKE_PTR(follow->next);
		follow->generation = follow->line->generation;
		follow->resync = follow->refresh = follow->gap = false;
		follow->mend_pause = 0;
	}
	remember_head(follow, &head, note, length);
	follow->heard = true;
	follow->walked = false;
	follow->backoff.failures = 0;
	follow->last_contact = clock_realtime_sec();
	take_effect(follow, changed, count);
	if (follow->state == FEED_DISABLED)
		return FEED_FINE;
	feed_run_drop(&follow->run, count);
	if (needs_refresh(follow))
		follow->refresh = true;
	follow_send_ack(follow);
	return FEED_FINE;
}
