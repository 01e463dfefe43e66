/* SPDX-License-Identifier: MIT
 *
 * Gives events their place. Whoever holds the lock of a log's row is its sequencer just then: the thread of any
 * replica, or a request that wants to read. One transaction takes what is in the inbox into entries, tiles and tree,
 * and signs the checkpoint, so there is no checkpoint of what is not there, and nothing in the tree twice.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/app.h"
#include "control_plane/audit/internal.h"

/* Events and bytes in one transaction; a row is taken whole, and has up to some thousand events. */
#define EVENTS_AT_ONCE 4096
#define BYTES_AT_ONCE 8388608
#define ROWS_AT_ONCE 2048
#define LOGS_AT_ONCE 32U /* in one transaction */
/* For one who reads. Hosts can send faster than anybody can sequence, and who reads holds a worker meanwhile. */
#define READER_USEC (3 * USEC_PER_SEC)
#define RETRIES 3U /* of whose first rounds these may be lost */
/* Between the beginnings of two rounds: what comes meanwhile goes together. With the transaction itself well below the
 * second in which a checkpoint has to be there. */
#define PACE_USEC (150 * USEC_PER_MSEC)
#define LOOK_USEC (500 * USEC_PER_MSEC) /* for what other replicas took in and did not get to */
#define REST_USEC (2 * USEC_PER_SEC)    /* after a failure: of the database, or for the log that cannot go on */
#define PARTITIONS_USEC (24 * 3600 * USEC_PER_SEC)
#define PARTITIONS_AGAIN_USEC (60 * USEC_PER_SEC)

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

struct turn {
	struct app *app;
	struct db_tx *tx;
	const char *log_id;
	uint64_t trust_version, count;
	int64_t waited_usec;
	char at[64]; /* as PostgreSQL writes it */
	struct tlog_frontier frontier;
	bool more;
};

/* ---- the log's row --------------------------------------------------------------------------------------------------
 */

#define LOCK_SQL                                                                                                       \
	"SELECT l.size, l.hashes, greatest(clock_timestamp(), l.sequenced_at), coalesce((SELECT f.trust_version FROM " \
	"control.feeds f WHERE f.tenant_id = $1), 0) FROM control.audit_logs l WHERE l.tenant_id = $1 FOR UPDATE OF l"

/* 0; 1: somebody else is at it. */
static int lock_row(struct turn *turn, bool wait)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	uint32_t count = 0;
	int r;

	r = wait ? db_run(turn->tx, &rows, LOCK_SQL, turn->log_id)
		 : db_run(turn->tx, &rows, LOCK_SQL " SKIP LOCKED", turn->log_id);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		_cleanup_(db_rows_freep) struct db_rows *made = NULL;

		r = db_run(turn->tx, &made,
			   "INSERT INTO control.audit_logs (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING",
			   turn->log_id);
		if (r < 0)
			return r;
		/* It was there, and locked. */
		if (db_affected(made) == 0 && !wait)
			return 1;
		db_rows_free(TAKE_PTR(rows));
		r = db_run(turn->tx, &rows, LOCK_SQL, turn->log_id);
		if (r < 0 || db_row_count(rows) == 0)
			return r < 0 ? r : -EAGAIN;
	}
	turn->frontier.size = (uint64_t)db_i64(rows, 0, 0);
	r = hashes_from_rows(rows, 0, 1, turn->frontier.hashes, TLOG_PROOF_MAX, &count);
	if (r < 0 || count != tlog_frontier_count(turn->frontier.size)) {
		log_error("audit log of %s: its row is damaged", *turn->log_id ? turn->log_id : "the platform");
		return r < 0 ? r : -EIO;
	}
	(void)snprintf(turn->at, sizeof(turn->at), "%s", db_text(rows, 0, 2));
	turn->trust_version = (uint64_t)db_i64(rows, 0, 3);
	return 0;
}

static int store_row(struct turn *turn, const char *note)
{
	_cleanup_(freep) char *hashes =
		db_hex(turn->frontier.hashes, tlog_frontier_count(turn->frontier.size) * sizeof(struct tlog_hash));
	char size[24];
	int r;

	if (!hashes)
		return -ENOMEM;
	(void)snprintf(size, sizeof(size), "%" PRIu64, turn->frontier.size);
	r = db_later(turn->tx,
		     "UPDATE control.audit_logs SET size = $2::bigint, hashes = $3, sequenced_at = $4::timestamptz, "
		     "checkpoint_size = CASE WHEN $5::text IS NULL THEN checkpoint_size ELSE $2::bigint END, "
		     "checkpoint = coalesce($5::text, checkpoint) WHERE tenant_id = $1",
		     turn->log_id, size, hashes, turn->at, note);
	/* For the record one a minute is enough: each follows from those before, and whoever was shown another one has
	 * it. */
	if (r == 0 && note)
		r = db_later(
			turn->tx,
			"INSERT INTO control.audit_checkpoints (tenant_id, size, note) SELECT $1, $2::bigint, $3 WHERE "
			"coalesce((SELECT c.issued FROM control.audit_checkpoints c WHERE c.tenant_id = $1 ORDER BY "
			"c.size DESC, c.issued DESC LIMIT 1) < clock_timestamp() - interval '1 minute', true)",
			turn->log_id, size, note);
	return r;
}

/* ---- one turn -------------------------------------------------------------------------------------------------------
 */

/* By size and number: `before` is what stands before a row, so the first one is always taken. */
#define INBOX_SQL                                                                                                      \
	"SELECT id, host_id, host_name, convert_from(records, 'UTF8'), "                                               \
	"(extract(epoch FROM clock_timestamp() - at) * 1000000)::bigint FROM (SELECT id, at, host_id, host_name, "     \
	"records, sum(count) OVER w - count AS before, sum(octet_length(records)) OVER w - octet_length(records) "     \
	"AS bytes FROM control.audit_inbox WHERE tenant_id = $1 WINDOW w AS (ORDER BY id) ORDER BY id LIMIT " TEXT_OF( \
		ROWS_AT_ONCE) ") AS i WHERE before < " TEXT_OF(EVENTS_AT_ONCE) " AND bytes < " TEXT_OF(BYTES_AT_ONCE) " ORDER BY id"

static int take_inbox(struct turn *turn, struct entry_batch *batch)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer ids = BUFFER_INIT;
	const char *array;
	size_t bytes = 0;
	int r = db_run(turn->tx, &rows, INBOX_SQL, turn->log_id);

	if (r < 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		(void)buffer_printf(&ids, "%c%s", i == 0 ? '{' : ',', db_text(rows, i, 0));
		turn->waited_usec = MAX_OF(turn->waited_usec, db_i64(rows, i, 4));
		bytes += strlen(db_text(rows, i, 3));
		r = entry_batch_add(batch, db_text(rows, i, 1), db_text(rows, i, 2), db_text(rows, i, 3));
	}
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	(void)buffer_add_char(&ids, '}');
	array = buffer_text(&ids);
	if (!array)
		return -ENOMEM;
	turn->more = entry_batch_count(batch) >= EVENTS_AT_ONCE || bytes >= BYTES_AT_ONCE ||
		     db_row_count(rows) >= ROWS_AT_ONCE;
	return db_later(turn->tx, "DELETE FROM control.audit_inbox WHERE tenant_id = $1 AND id = ANY($2::bigint[])",
			turn->log_id, array);
}

static int add_to_tree(struct turn *turn, const struct entry_batch *batch)
{
	const struct tlog_hash *hashes = entry_batch_hashes(batch);
	uint32_t count = entry_batch_count(batch);
	int r = tiles_add(turn->tx, turn->log_id, turn->frontier.size, hashes, count);

	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = tlog_frontier_add(&turn->frontier, &hashes[i]);
	return r;
}

/* 0; 1: somebody else is at it. */
static int take_turn(struct turn *turn, bool wait)
{
	_cleanup_(entry_batch_freep) struct entry_batch *batch = NULL;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	int r = db_switch_tenant(turn->tx, turn->log_id);

	if (r == 0)
		r = lock_row(turn, wait);
	if (r == 0)
		r = entry_batch_new(turn->frontier.size, &batch);
	if (r == 0)
		r = take_inbox(turn, batch);
	if (r != 0 || entry_batch_count(batch) == 0)
		return r;
	turn->count = entry_batch_count(batch);
	r = add_to_tree(turn, batch);
	if (r == 0)
		r = entry_batch_insert(batch, turn->tx, turn->log_id, turn->at);
	if (r == 0)
		r = checkpoint_sign(turn->app, turn->tx, turn->log_id, turn->trust_version, &turn->frontier, &note);
	if (r == -ENOKEY) {
		/* A tenant that is gone, or whose keys this program's seal key does not open: in the tree all the same.
		 */
		log_warning("audit log of %s: there is no key that signs its checkpoints", turn->log_id);
		return store_row(turn, NULL);
	}
	if (r < 0)
		return r;
	return buffer_text(&note) ? store_row(turn, buffer_text(&note)) : -ENOMEM;
}

/* ---- several logs in one transaction --------------------------------------------------------------------------------
 */

static int make_partitions(struct app *app)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, NULL, "SELECT control.audit_make_partitions()");
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* `ids` in order, so that no two wait for each other. *ret_more: there is more in an inbox. Where somebody else was at
 * it and did not get to the newest, the next look finds it. */
static int take_turns(struct app *app, const char (*ids)[LEAF_ID_MAX], uint32_t count, bool wait, bool *ret_more)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	uint64_t events = 0, checkpoints = 0;
	int64_t waited = 0;
	bool more = false;
	int r = db_begin(app->db, &scope, &tx);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		struct turn turn = {.app = app, .tx = tx, .log_id = ids[i]};

		r = take_turn(&turn, wait);
		more = more || turn.more;
		r = MIN_OF(r, 0);
		events += turn.count;
		checkpoints += turn.count > 0;
		waited = MAX_OF(waited, turn.waited_usec);
	}
	if (r == 0 && events > 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		return r;
	*ret_more = more;
	if (events > 0 && app->audit_log) {
		atomic_fetch_add(&app->audit_log->counts.sequenced, events);
		atomic_fetch_add(&app->audit_log->counts.checkpoints, checkpoints);
		atomic_store(&app->audit_log->counts.wait_usec, (uint64_t)waited);
	}
	return 0;
}

static int sequence(struct app *app, const char (*ids)[LEAF_ID_MAX], uint32_t count, bool wait, bool *ret_more)
{
	int r = take_turns(app, ids, count, wait, ret_more);

	/* The month has ended, and nobody made the next one's partition. */
	if (r == -EINVAL && make_partitions(app) == 0)
		r = take_turns(app, ids, count, wait, ret_more);
	return r;
}

int sequence_in(struct app *app, struct db_tx *tx, const char *log_id)
{
	struct turn turn = {.more = true};
	uint64_t events = 0;
	int r = 0;

	while (r == 0 && turn.more) {
		turn = (struct turn){.app = app, .tx = tx, .log_id = log_id};
		r = take_turn(&turn, true);
		events += turn.count;
	}
	if (r == 0 && app->audit_log)
		atomic_fetch_add(&app->audit_log->counts.sequenced, events);
	return r;
}

static int is_waiting(struct app *app, const char *log_id, bool *ret)
{
	const struct db_scope scope = {.tenant_id = log_id, .platform = !*log_id, .once = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT EXISTS (SELECT FROM control.audit_inbox WHERE tenant_id = $1)", log_id);
	if (r == 0)
		*ret = db_bool(rows, 0, 0);
	return r;
}

int sequence_now(struct app *app, const char *log_id)
{
	char ids[1][LEAF_ID_MAX];
	uint64_t until = clock_boottime_usec() + READER_USEC;
	bool more = true;
	int r;

	if (strlen(log_id) >= sizeof(ids[0]))
		return -EINVAL;
	memcpy(ids[0], log_id, strlen(log_id) + 1);
	r = is_waiting(app, log_id, &more);
	for (unsigned i = 0; r == 0 && more && clock_boottime_usec() < until; i++) {
		r = sequence(app, ids, 1, true, &more);
		if (r == -EAGAIN && i < RETRIES) {
			r = 0;
			more = true;
		}
	}
	return r;
}

/* ---- the thread -----------------------------------------------------------------------------------------------------
 */

struct waiting {
	char (*ids)[LEAF_ID_MAX];
	uint32_t count, room;
};

static int add_waiting(struct waiting *waiting, const char *id)
{
	if (strlen(id) >= sizeof(waiting->ids[0]))
		return -EINVAL;
	if (waiting->count == waiting->room) {
		uint32_t room = MAX_OF(2 * waiting->room, 64U);
		void *ids = realloc(waiting->ids, room * sizeof(waiting->ids[0]));

		if (!ids)
			return -ENOMEM;
		waiting->ids = ids;
		waiting->room = room;
	}
	memcpy(waiting->ids[waiting->count++], id, strlen(id) + 1);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void sort_once(struct waiting *waiting)
{
	uint32_t kept = 0;

	if (waiting->count == 0)
		return;
	qsort(waiting->ids, waiting->count, sizeof(waiting->ids[0]), compare);
	for (uint32_t i = 0; i < waiting->count; i++)
		if (kept == 0 || strcmp(waiting->ids[kept - 1], waiting->ids[i]) != 0)
			memmove(waiting->ids[kept++], waiting->ids[i], sizeof(waiting->ids[0]));
	waiting->count = kept;
}

static int look(struct audit_log *log, struct waiting *waiting)
{
	const struct db_scope scope = {.once = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_begin(log->app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT control.audit_waiting()");
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = add_waiting(waiting, db_text(rows, i, 0));
	return r;
}

/* What was named since, and after a time what the database has. What is found there is also there for others: a log's
 * row is skipped where somebody is at it. */
static void wait_for_some(struct audit_log *log, struct waiting *waiting, uint64_t *look_due, uint64_t earliest)
{
	bool due;
	int r = 0;

	(void)pthread_mutex_lock(&log->lock);
	while (!atomic_load(&log->stopping)) {
		uint64_t now = clock_boottime_usec();
		uint64_t until = log->named_count > 0 || log->look || waiting->count > 0 ? earliest : *look_due;
		struct timespec time;

		if (now >= until)
			break;
		(void)clock_gettime(CLOCK_MONOTONIC, &time);
		time.tv_nsec += (long)(MIN_OF(until - now, 500 * USEC_PER_MSEC) * 1000);
		time.tv_sec += time.tv_nsec / 1000000000L;
		time.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&log->wake, &log->lock, &time);
	}
	for (uint32_t i = 0; r == 0 && i < log->named_count; i++)
		r = add_waiting(waiting, log->named[i]);
	log->named_count = 0;
	due = log->look || r < 0 || clock_boottime_usec() >= *look_due;
	log->look = false;
	(void)pthread_mutex_unlock(&log->lock);
	if (due) {
		r = look(log, waiting);
		*look_due = clock_boottime_usec() + LOOK_USEC;
	}
	sort_once(waiting);
}

/* What is about the database, and not about one log. */
static bool is_transient(int result)
{
	return result == -EAGAIN || result == -EBUSY;
}

/* One transaction for many; where it fails each log by itself. One that cannot go on is put aside, so that it holds up
 * no other. */
static int run_some(struct audit_log *log, const char (*ids)[LEAF_ID_MAX], uint32_t count, struct waiting *again,
		    struct waiting *aside)
{
	bool more = false;
	int r = sequence(log->app, ids, count, false, &more);

	if (r < 0 && count > 1 && r != -EBUSY) {
		int first = 0;

		for (uint32_t i = 0; i < count; i++) {
			int one = run_some(log, ids + i, 1, again, aside);

			first = is_transient(first) || one == 0 ? first : one;
		}
		return first;
	}
	if (r < 0 && !is_transient(r) && add_waiting(aside, ids[0]) == 0)
		return r;
	for (uint32_t i = 0; i < count && (r < 0 || more); i++)
		(void)add_waiting(again, ids[i]);
	return r;
}

/* Those that are put aside are not asked about, whoever names them. */
static void leave_out(struct waiting *waiting, struct waiting *aside)
{
	uint32_t kept = 0;

	sort_once(aside);
	for (uint32_t i = 0; i < waiting->count && aside->count > 0; i++)
		if (!bsearch(waiting->ids[i], aside->ids, aside->count, sizeof(aside->ids[0]), compare))
			memmove(waiting->ids[kept++], waiting->ids[i], sizeof(waiting->ids[0]));
	waiting->count = aside->count > 0 ? kept : waiting->count;
}

static void *run(void *argument)
{
	struct audit_log *log = argument;
	struct waiting waiting = {0}, again = {0}, aside = {0}, done;
	uint64_t look_due = 0, earliest = 0, partitions_due = 0, aside_due = 0;
	bool lost = false;

	while (!atomic_load(&log->stopping)) {
		uint64_t began;
		int r = 0;

		/* Well ahead of the month's end; where it fails, the months that there are last for a while. */
		if (clock_boottime_usec() >= partitions_due) {
			r = make_partitions(log->app);
			if (r < 0)
				log_warning("the audit log's partitions cannot be made now: %s", strerror(-r));
			partitions_due = clock_boottime_usec() + (r < 0 ? PARTITIONS_AGAIN_USEC : PARTITIONS_USEC);
			r = 0;
		}
		wait_for_some(log, &waiting, &look_due, earliest);
		began = clock_boottime_usec();
		if (began >= aside_due) {
			aside.count = 0;
			aside_due = began + REST_USEC;
		}
		leave_out(&waiting, &aside);
		for (uint32_t i = 0; i < waiting.count && !atomic_load(&log->stopping); i += LOGS_AT_ONCE) {
			int one =
				run_some(log, waiting.ids + i, MIN_OF(waiting.count - i, LOGS_AT_ONCE), &again, &aside);

			r = one == -EBUSY || r == 0 ? one : r;
		}
		if (r < 0) {
			atomic_fetch_add(&log->counts.failures, 1);
			if (!lost && r != -EAGAIN)
				log_warning("audit events wait for their place: %s", strerror(-r));
		}
		lost = r == -EBUSY;
		earliest = began + (lost ? REST_USEC : r == 0 && again.count > 0 ? 0 : PACE_USEC);
		done = waiting;
		done.count = 0;
		waiting = again;
		again = done;
	}
	free(waiting.ids);
	free(again.ids);
	free(aside.ids);
	return NULL;
}

int sequencer_start(struct audit_log *log)
{
	int r = -pthread_create(&log->thread, NULL, run, log);

	log->running = r == 0;
	return r;
}

void sequencer_stop(struct audit_log *log)
{
	if (!log->running)
		return;
	(void)pthread_mutex_lock(&log->lock);
	atomic_store(&log->stopping, true);
	(void)pthread_cond_signal(&log->wake);
	(void)pthread_mutex_unlock(&log->lock);
	(void)pthread_join(log->thread, NULL);
	log->running = false;
}
