/* SPDX-License-Identifier: MIT
 *
 * A feed from files: those that were kept, and folders as `tenant-control export` writes them. Both are verified as if
 * they had just come.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "feed/folder.h"
#include "feed/follow_internal.h"

/* Until when a head counts. A clock that was set back makes no head last longer than it was issued for. */
uint64_t follow_fresh_until(const struct feed_head *head, uint64_t boot_now, int64_t now)
{
	int64_t left = MIN_OF(head->expires - now, head->expires - head->issued);

	return left > 0 ? boot_now + (uint64_t)left * USEC_PER_SEC : boot_now;
}

/* The note was signed under one of the trust documents that are kept: `ret_trust` says under which. */
static enum feed_fault read_kept_notes(const struct feed_state_file *kept, struct feed_trust *ret_newest,
				       struct feed_head *head, struct feed_snapshot *snapshot, struct problem *problem)
{
	enum feed_fault fault, head_fault = FEED_UNSIGNED, snapshot_fault = FEED_UNSIGNED;
	struct feed_trust trust, before;
	const char *note;
	size_t at = 0, length;
	bool first = true;

	while (feed_state_file_next_trust(kept, &at, &note, &length)) {
		fault = feed_trust_read(note, length, first ? NULL : &before, &trust, problem);
		if (fault != FEED_FINE)
			return fault;
		first = false;
		before = trust;
		if (head_fault != FEED_FINE && kept->head.length > 0)
			head_fault = feed_head_read(kept->head.data, kept->head.length, &trust, 0, head, problem);
		if (snapshot_fault != FEED_FINE && kept->snapshot.length > 0)
			snapshot_fault = feed_snapshot_read(kept->snapshot.data, kept->snapshot.length, &trust, 0,
							    snapshot, problem);
	}
	if (first || at != kept->trusts.length) {
		(void)problem_set(problem, EBADMSG, "there is no trust document");
		return FEED_MALFORMED;
	}
	*ret_newest = trust;
	if (kept->head.length > 0 && head_fault != FEED_FINE)
		return head_fault;
	return kept->snapshot.length > 0 ? snapshot_fault : FEED_FINE;
}

struct loading {
	struct feed_line *line;
	struct feed_run run;
	uint64_t until; /* the head's revision */
	enum feed_fault fault;
	struct problem *problem;
};

static int on_snapshot_piece(void *context, const char *data, size_t length, uint64_t end)
{
	struct loading *loading = context;

	(void)end;
	loading->fault = feed_line_add(loading->line, data, length, loading->problem);
	return loading->fault == FEED_FINE ? 0 : -EBADMSG;
}

/* What lies past the head was never in force. 1 stops. */
static int on_delta_piece(void *context, const char *data, size_t length, uint64_t end)
{
	struct loading *loading = context;

	if (loading->line->revision + loading->run.count >= loading->until)
		return 1;
	loading->fault = feed_run_add(&loading->run, data, length, loading->problem);
	loading->line->deltas_end = end;
	return loading->fault == FEED_FINE ? 0 : -EBADMSG;
}

static enum feed_fault load_line(struct follow *follow, const struct feed_snapshot *snapshot,
				 const struct feed_head *head, struct feed_line **ret, struct problem *problem)
{
	_cleanup_(feed_line_freep) struct feed_line *line = NULL;
	struct loading loading = {.until = head->revision, .problem = problem};
	uint32_t count;
	int r;

	r = feed_line_new(follow->tenant_id, snapshot, follow->kept.snapshot.data, follow->kept.snapshot.length, &line);
	if (r == 0) {
		loading.line = line;
		line->generation = follow->kept.generation;
		r = feed_store_read_snapshot(follow->store, line->generation, on_snapshot_piece, &loading);
	}
	if (r == 0)
		loading.fault = feed_line_end(line, problem);
	if (r == 0 && loading.fault == FEED_FINE)
		r = feed_store_read_deltas(follow->store, line->generation, on_delta_piece, &loading);
	if (loading.fault == FEED_FINE && r < 0) {
		(void)problem_set(problem, -r, "cannot read what was kept: %s", strerrordesc_np(-r));
		loading.fault = FEED_BAD_DIGEST;
	}
	if (loading.fault == FEED_FINE)
		loading.fault = feed_line_apply(line, &loading.run, head, NULL, &count, problem);
	feed_run_finish(&loading.run);
	if (loading.fault == FEED_FINE)
		*ret = TAKE_PTR(line);
	return loading.fault;
}

/* Of this boot: what was worked out then still holds, whatever the clock says now. */
static void restore_freshness(struct follow *follow, const struct feed_head *head)
{
	_cleanup_(buffer_finish) struct buffer boot_id = BUFFER_INIT;
	uint64_t until = follow_fresh_until(head, clock_boottime_usec(), clock_realtime_sec());

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 2 * BOOT_ID_BYTES, FILE_TRUST_ANY, 0, &boot_id,
		      NULL) == 0 &&
	    boot_id.length >= BOOT_ID_BYTES && memcmp(boot_id.data, follow->kept.boot_id, BOOT_ID_BYTES) == 0)
		until = MIN_OF(until, follow->kept.fresh_until);
	follow->fresh_until = until;
}

static int quarantine(struct follow *follow, enum feed_fault fault, const struct problem *problem)
{
	char text[FEED_PROBLEM_MAX];

	(void)problem_render(problem, text, sizeof(text));
	follow_set_state(follow, FEED_QUARANTINE);
	follow_note_problem(follow, feed_fault_word(fault), text);
	follow->hooks->audit(follow->hooks->context, true, follow->tenant_id, feed_fault_word(fault), text);
	return -EBADMSG;
}

/* Of trust and bound nothing is left, so nothing that comes over the network can be judged any more. */
static void tell_remedy(const struct follow *follow, struct problem *problem)
{
	if (!follow->from_file)
		problem_remedy(problem, "enrol this host anew: tenantctl unenroll, then tenantctl enroll");
}

int follow_load(struct follow *follow, struct problem *problem)
{
	struct feed_snapshot snapshot;
	struct feed_trust trust;
	struct feed_head head;
	struct problem unread = {0};
	enum feed_fault fault;
	int r;

	problem = problem ? problem : &unread;
	r = feed_store_load(follow->store, &follow->kept);
	if (r == -EBADMSG) {
		(void)problem_set(problem, EBADMSG, "what was kept of the feed is damaged");
		tell_remedy(follow, problem);
		return quarantine(follow, FEED_BAD_DIGEST, problem);
	}
	if (r < 0)
		return r;
	follow->generation = follow->kept.generation;
	feed_store_abandon(follow->store, follow->generation + 1); /* a writer that was killed */
	fault = read_kept_notes(&follow->kept, &trust, &head, &snapshot, problem);
	if (fault != FEED_FINE) {
		feed_state_file_finish(&follow->kept);
		tell_remedy(follow, problem);
		return quarantine(follow, fault, problem);
	}
	/* These hold even when the records are damaged: what is fetched anew may not be older. */
	follow->trust = trust;
	follow->has_trust = true;
	follow_set_state(follow, FEED_BOOTSTRAP);
	if (follow->kept.head.length == 0)
		return 0;
	follow->head = head;
	follow_note_time(follow, &head);
	follow->has_head = true;
	restore_freshness(follow, &head);      /* the same head again would not say it anew */
	if (follow->kept.snapshot.length == 0) /* retired */
		return 0;
	fault = load_line(follow, &snapshot, &head, &follow->line, problem);
	if (fault != FEED_FINE)
		return quarantine(follow, fault, problem);
	follow_set_state(follow, follow->from_file ? FEED_LIVE : FEED_RECONNECT);
	if (head.epoch != trust.epoch) {
		follow->resync = true;
		follow_set_state(follow, FEED_RESYNC);
	}
	follow_watch_freshness(follow);
	return 0;
}

/* A copy of the folder's snapshot and deltas into what is kept. */
static int keep_folder(struct follow *follow, struct feed_folder *folder)
{
	int r = feed_store_begin(follow->store, folder->line->generation, folder->frame.length);

	for (size_t at = 0; r == 0 && at < folder->frame.length;) {
		size_t part = MIN_OF(folder->frame.length - at, (size_t)256 * 1024);

		r = feed_store_add_piece(follow->store, folder->frame.data + at, part);
		at += part;
	}
	return r == 0 ? feed_store_sync_snapshot(follow->store) : r;
}

static enum feed_fault import_trusts(struct follow *follow, const struct feed_folder *folder, struct problem *problem)
{
	enum feed_fault fault = FEED_FINE;

	for (uint32_t i = 0; fault == FEED_FINE && i < folder->trust_count; i++) {
		const struct buffer *note = &folder->trusts[i];
		struct feed_trust trust;

		if (!follow->has_trust) {
			if (follow_set_trust(follow, note->data, note->length, problem) < 0)
				fault = FEED_MALFORMED;
			continue;
		}
		/* Those up to ours are known; the folder was checked to be one chain. */
		if (feed_trust_read(note->data, note->length, NULL, &trust, NULL) == FEED_FINE &&
		    strcmp(trust.origin, follow->trust.origin) == 0 && trust.version < follow->trust.version)
			continue;
		fault = follow_take_trust(follow, note->data, note->length, problem);
	}
	return fault;
}

static bool is_kept_trust(const struct follow *follow, const struct buffer *note)
{
	const char *kept;
	size_t at = 0, length;

	while (feed_state_file_next_trust(&follow->kept, &at, &kept, &length))
		if (length == note->length && memcmp(kept, note->data, length) == 0)
			return true;
	return false;
}

/* A folder that was in order once, and that what we have has overtaken: nobody tampered, somebody left it there. It is
 * signed by whom we believed then, since its newest trust document is one of ours and all else was read by that. */
static bool is_overtaken(struct follow *follow, struct feed_folder *folder)
{
	const struct feed_head *have = &follow->head, *head = &folder->head;
	bool older = head->epoch < have->epoch || (head->epoch == have->epoch && head->revision < have->revision);
	bool same = head->epoch == have->epoch && head->revision == have->revision && head->issued <= have->issued &&
		    memcmp(head->chain, have->chain, SHA256_BYTES) == 0;
	struct problem unread = {0};
	uint32_t count;

	if (!follow->has_head || !is_kept_trust(follow, &folder->trusts[folder->trust_count - 1]))
		return false;
	/* By files alone the same once more may be what mends the records on disk. */
	if (!older && (!same || !follow->line || follow->from_file))
		return false;
	return feed_line_apply(folder->line, &folder->run, head, NULL, &count, &unread) == FEED_FINE;
}

/* Beside a feed that is followed by network it is simply not needed. Where files are all there is somebody should know
 * that what he put there does not count. */
static enum feed_fault pass_over(struct follow *follow, const char *path, const struct feed_folder *folder,
				 struct problem *problem)
{
	char text[FEED_PROBLEM_MAX];
	enum feed_fault fault;

	if (!follow->from_file) {
		log_info("%s is not needed: the feed of tenant %s is at revision %" PRIu64 " already", path,
			 follow->tenant_id, follow->head.revision);
		return FEED_FINE;
	}
	fault = feed_head_follows(&follow->head, &folder->head, problem);
	(void)problem_render(problem, text, sizeof(text));
	follow->hooks->audit(follow->hooks->context, false, follow->tenant_id, feed_fault_word(fault), text);
	return fault;
}

enum feed_fault follow_import(struct follow *follow, const char *path, struct problem *problem)
{
	struct feed_folder folder = {.max_records = follow->max_records};
	struct problem unread = {0};
	enum feed_fault fault;
	int r;

	problem = problem ? problem : &unread;
	fault = feed_folder_read(path, follow->tenant_id, &folder, problem);
	if (fault == FEED_FINE && is_overtaken(follow, &folder)) {
		fault = pass_over(follow, path, &folder, problem);
		goto finish;
	}
	if (fault == FEED_FINE)
		fault = import_trusts(follow, &folder, problem);
	if (fault == FEED_FINE && follow->has_head && follow->kept.head.length == folder.head_note.length &&
	    memcmp(follow->kept.head.data, folder.head_note.data, folder.head_note.length) == 0 && follow->line) {
		/* The very one that we have: what lay there meanwhile is no matter any more. */
		if (follow->state == FEED_QUARANTINE)
			follow_set_state(follow, FEED_LIVE);
		follow_note_problem(follow, "", "");
		follow_watch_freshness(follow);
		follow_changed(follow);
		goto finish;
	}
	/* What is under way would go on in the folder's line, or write over it. */
	follow_break_off(follow);
	follow_drop_next(follow);
	if (fault == FEED_FINE) {
		folder.line->generation = follow->generation + 1;
		r = keep_folder(follow, &folder);
		if (r < 0) {
			feed_store_abandon(follow->store, folder.line->generation);
			(void)problem_set(problem, -r, "cannot keep the feed: %s", strerrordesc_np(-r));
			fault = FEED_TOO_LARGE;
		}
	}
	if (fault == FEED_FINE) {
		follow->next = TAKE_PTR(folder.line);
		for (uint32_t i = 0; fault == FEED_FINE && i < folder.run.count; i++)
			fault = feed_run_add(&follow->run, folder.run.deltas[i].data, folder.run.deltas[i].length,
					     problem);
		if (fault == FEED_FINE)
			fault = follow_take_head(follow, folder.head_note.data, folder.head_note.length, true, problem);
	}
	if (fault != FEED_FINE)
		follow_refused(follow, fault, problem);
finish:
	feed_folder_finish(&folder);
	return fault;
}
