/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/config.h"
#include "control_plane/feed/watch.h"

#define BATCH 64U /* feeds whose heads are renewed in one transaction */

struct renewal {
	struct slot *slot;
	uint64_t epoch, revision;
	int64_t issued;
	struct buffer head;
};

/* *ret: there is a head to store; its UPDATE is queued. A publisher or another replica at the row is not waited for. */
static int renew_one(struct publisher *publisher, struct db_tx *tx, struct slot *slot, struct renewal *ret)
{
	const struct config *config = publisher->app->config;
	const char *tenant_id = channel_tenant(slot->channel);
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct feed_signers signers;
	struct feed_row row;
	char due[24], issued[24];
	const char *text;
	int r;

	(void)snprintf(due, sizeof(due), "%" PRId64, clock_realtime_sec() - (int64_t)config->head_sec);
	r = db_switch_tenant(tx, tenant_id);
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT " FEED_ROW_COLUMNS
			   " FROM feeds WHERE tenant_id = $1 AND head_issued <= $2 FOR UPDATE SKIP LOCKED",
			   tenant_id, due);
	if (r < 0)
		return r;
	/* What is not ours to renew has been, or is being, changed elsewhere: look. */
	if (db_row_count(rows) == 0) {
		atomic_store(&slot->stale, true);
		return 0;
	}
	r = feed_row_read(rows, 0, &row);
	if (r == 0)
		r = keyring_get(publisher->keyring, tx, tenant_id, row.trust_version, &signers);
	if (r == -ENOKEY)
		return 0; /* said by the keyring; the other feeds shall have theirs */
	row.head_issued = MAX_OF(clock_realtime_sec(), row.head_issued);
	if (r == 0)
		r = feed_row_sign_head(publisher->keyring, &signers, &row, row.head_issued, config->stale_sec,
				       &ret->head);
	if (r < 0)
		return r;
	text = buffer_text(&ret->head);
	if (!text)
		return -ENOMEM;
	ret->slot = slot;
	ret->epoch = row.epoch;
	ret->revision = row.revision;
	ret->issued = row.head_issued;
	(void)snprintf(issued, sizeof(issued), "%" PRId64, row.head_issued);
	return db_later(tx, "UPDATE feeds SET head = $2, head_issued = $3 WHERE tenant_id = $1", tenant_id, text,
			issued);
}

static int renew_batch(struct publisher *publisher, struct slot *const *slots, uint32_t count, struct renewal *renewals)
{
	const struct db_scope scope = {0};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(publisher->app->db, &scope, &tx);

	/* A renewal that a crash takes back is renewed again: nothing waits for the disk. */
	if (r == 0)
		r = db_later(tx, "SET LOCAL synchronous_commit = off");
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = renew_one(publisher, tx, slots[i], &renewals[i]);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

static void hand_out(struct publisher *publisher, const struct renewal *renewal)
{
	int64_t expires = renewal->issued + (int64_t)publisher->app->config->stale_sec;
	int r;

	atomic_fetch_add(&publisher->counts.heads, 1);
	r = channel_head(renewal->slot->channel, renewal->epoch, renewal->revision, renewal->issued, expires,
			 renewal->head.data, renewal->head.length);
	if (r < 0)
		atomic_store(&renewal->slot->stale, true);
	else
		channel_wake(renewal->slot->channel);
}

int heads_renew(struct publisher *publisher, struct slot *const *slots, uint32_t count)
{
	int r = 0;

	for (uint32_t done = 0; r == 0 && done < count; done += BATCH) {
		struct renewal renewals[BATCH] = {0};
		uint32_t some = MIN_OF(count - done, BATCH);

		r = renew_batch(publisher, slots + done, some, renewals);
		for (uint32_t i = 0; i < some; i++) {
			if (r == 0 && renewals[i].slot)
				hand_out(publisher, &renewals[i]);
			buffer_finish(&renewals[i].head);
		}
	}
	return r;
}
