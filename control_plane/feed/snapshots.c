/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/snapshots.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/config.h"
#include "control_plane/feed/at_rest.h"
#include "feed/snapshot.h"
#include "records/record_json.h"

/* How far the newest may be behind before there is another. Half of what a channel takes of old deltas, so whoever
 * has read a snapshot can go on from it. */
#define BEHIND_DELTAS "1000"
#define BEHIND_BYTES "4194304"
#define KEEP_SNAPSHOTS "2"
#define KEEP_SNAPSHOT "1 hour" /* whoever has read its note shall find its bytes */
#define SWEEP_SEC 600U         /* every tenant is looked at about so often */

struct wanted {
	struct wanted *next;
	char tenant_id[64];
};
struct makers {
	struct publisher *publisher;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct wanted *first; /* not yet begun */
	bool stop;
};

int snapshot_find(struct db_tx *tx, const char *tenant_id, bool must, char **ret_note)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows,
		       "SELECT s.note, d.deltas > " BEHIND_DELTAS " OR d.bytes > " BEHIND_BYTES " FROM feeds f "
		       "JOIN feed_snapshots s ON s.tenant_id = f.tenant_id AND s.epoch = f.epoch, LATERAL ("
		       "SELECT count(*) AS deltas, coalesce(sum(octet_length(bytes)), 0) AS bytes FROM feed_deltas d "
		       "WHERE d.tenant_id = f.tenant_id AND d.epoch = f.epoch AND d.revision > s.revision) d "
		       "WHERE f.tenant_id = $1 ORDER BY s.revision DESC LIMIT 1",
		       tenant_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0 || (must && db_bool(rows, 0, 1)))
		return -ENOENT;
	*ret_note = strdup(db_text(rows, 0, 0));
	return *ret_note ? 0 : -ENOMEM;
}

/* ---- making ----------------------------------------------------------------------------------------- */

struct writing {
	struct snapshot_writer *writer;
	const struct seal_key *key;
	const char *tenant_id;
	bool secret; /* what was written must not be read from the database */
};

static int write_record(void *context, const struct db_rows *rows)
{
	struct writing *w = context;
	_cleanup_(buffer_finish) struct buffer room = BUFFER_INIT;
	const char *kind = record_kind_word((enum record_kind)db_i64(rows, 0, 0));
	size_t length;
	const char *body = at_rest_open_text(w->key, w->tenant_id, db_text(rows, 0, 3), &room, &length);

	if (!body)
		return -EBADMSG;
	w->secret |= at_rest_is_secret(kind);
	return snapshot_writer_add(w->writer, kind, db_text(rows, 0, 1), (uint64_t)db_i64(rows, 0, 2), body, length);
}

static int write_records(struct publisher *publisher, struct db_tx *tx, const struct feed_row *row,
			 struct feed_snapshot *note, struct buffer *bytes, bool *ret_secret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct writing writing = {.key = &publisher->app->seal_key, .tenant_id = row->tenant_id};
	struct snapshot_writer *writer = NULL;
	int r = db_run(tx, &rows, "SELECT count(*) FROM feed_records WHERE tenant_id = $1", row->tenant_id);

	if (r < 0)
		return r;
	memcpy(note->origin, row->origin, sizeof(note->origin));
	memcpy(note->chain, row->chain, sizeof(note->chain));
	note->epoch = row->epoch;
	note->revision = row->revision;
	note->records = (uint64_t)db_i64(rows, 0, 0);
	note->issued = clock_realtime_sec();
	r = snapshot_writer_new(note, bytes, &writer);
	writing.writer = writer;
	if (r == 0)
		r = db_each(tx, write_record, &writing,
			    "SELECT kind, id, version, body FROM feed_records WHERE tenant_id = $1 ORDER BY kind, id",
			    1, (const char *const[]){row->tenant_id});
	if (r == 0)
		r = snapshot_writer_end(writer);
	snapshot_writer_free(writer);
	*ret_secret = writing.secret;
	return r;
}

static int store(struct publisher *publisher, struct db_tx *tx, const struct feed_row *row,
		 const struct feed_snapshot *snapshot, const struct buffer *bytes)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	_cleanup_(freep) char *hex = NULL;
	struct feed_signers signers;
	char sha256[2 * SHA256_BYTES + 1], epoch[24], revision[24];
	const char *text;
	int r = keyring_get(publisher->keyring, tx, row->tenant_id, row->trust_version, &signers);

	if (r == 0)
		r = feed_snapshot_write(snapshot, &note);
	if (r == 0)
		r = keyring_sign(publisher->keyring, &signers, &note);
	text = r == 0 ? buffer_text(&note) : NULL;
	hex = text ? db_hex(bytes->data, bytes->length) : NULL;
	if (!hex)
		return r < 0 ? r : -ENOMEM;
	text_to_hex(snapshot->sha256, SHA256_BYTES, sha256);
	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, row->epoch);
	(void)snprintf(revision, sizeof(revision), "%" PRIu64, row->revision);
	/* The same revision made twice: the first one's note is as good. */
	return db_run(tx, NULL,
		      "INSERT INTO feed_snapshots (tenant_id, sha256, epoch, revision, note, bytes) "
		      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, sha256) DO NOTHING",
		      row->tenant_id, sha256, epoch, revision, text, hex);
}

int snapshot_make(struct publisher *publisher, const char *tenant_id)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .one_snapshot = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer bytes = BUFFER_INIT;
	struct feed_snapshot note = {0};
	struct feed_row row;
	bool secret = false;
	int r = db_begin(publisher->app->db, &scope, &tx);

	if (r == 0)
		r = db_later(tx, "SET LOCAL statement_timeout = 0");
	if (r == 0)
		r = db_run(tx, &rows, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", tenant_id);
	if (r < 0)
		return r;
	if (!db_bool(rows, 0, 0))
		return -EBUSY;
	r = feed_row_get(tx, tenant_id, &row);
	if (r == 0)
		r = write_records(publisher, tx, &row, &note, &bytes, &secret);
	if (r == 0 && secret)
		r = at_rest_seal(&publisher->app->seal_key, tenant_id, &bytes);
	if (r == 0)
		r = store(publisher, tx, &row, &note, &bytes);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r == 0)
		atomic_fetch_add(&publisher->counts.snapshots, 1);
	return r;
}

int snapshot_prune(struct publisher *publisher, const char *tenant_id)
{
	const struct db_scope scope = {.tenant_id = tenant_id};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	char keep[24];
	int r = db_begin(publisher->app->db, &scope, &tx);

	(void)snprintf(keep, sizeof(keep), "%" PRIu32, publisher->app->config->keep_deltas_sec);
	if (r == 0)
		r = db_later(tx,
			     "DELETE FROM feed_snapshots WHERE tenant_id = $1 "
			     "AND created_at < now() - interval '" KEEP_SNAPSHOT "' AND sha256 NOT IN "
			     "(SELECT s.sha256 FROM feed_snapshots s JOIN feeds f USING (tenant_id, epoch) "
			     "WHERE s.tenant_id = $1 ORDER BY s.revision DESC LIMIT " KEEP_SNAPSHOTS ")",
			     tenant_id);
	/* Whoever starts from any snapshot that is kept finds every delta after it. */
	if (r == 0)
		r = db_run(tx, NULL,
			   "DELETE FROM feed_deltas d USING feeds f WHERE d.tenant_id = $1 AND f.tenant_id = $1 "
			   "AND d.created_at < now() - make_interval(secs => $2::int) AND (d.epoch < f.epoch OR "
			   "d.revision <= (SELECT min(s.revision) FROM feed_snapshots s "
			   "WHERE s.tenant_id = $1 AND s.epoch = f.epoch))",
			   tenant_id, keep);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* ---- the thread --------------------------------------------------------------------------------------- */

void makers_want(struct makers *makers, const char *tenant_id)
{
	struct wanted *wanted, **at;

	if (!makers || strlen(tenant_id) >= sizeof(wanted->tenant_id))
		return;
	(void)pthread_mutex_lock(&makers->lock);
	for (at = &makers->first; *at && strcmp((*at)->tenant_id, tenant_id) != 0;)
		at = &(*at)->next;
	if (!*at) {
		wanted = calloc(1, sizeof(*wanted));
		if (wanted) {
			memcpy(wanted->tenant_id, tenant_id, strlen(tenant_id));
			*at = wanted;
			(void)pthread_cond_signal(&makers->more);
		}
	}
	(void)pthread_mutex_unlock(&makers->lock);
}

/* Is there one that is new enough? */
static int look(struct publisher *publisher, const char *tenant_id)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(freep) char *note = NULL;
	int r = db_begin(publisher->app->db, &scope, &tx);

	return r < 0 ? r : snapshot_find(tx, tenant_id, true, &note);
}

static void make(struct publisher *publisher, const char *tenant_id)
{
	/* While this one waited somebody else may have made it. */
	int r = look(publisher, tenant_id);

	if (r == -ENOENT)
		r = snapshot_make(publisher, tenant_id);
	if (r < 0 && r != -EBUSY && r != -ENOENT)
		log_warning("no snapshot of %s could be made: %s", tenant_id, strerror(-r));
}

static int list_tenants(struct publisher *publisher, struct db_rows **ret)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(publisher->app->db, &scope, &tx);

	return r < 0 ? r : db_run(tx, ret, "SELECT id FROM tenants ORDER BY id");
}

/* Waits until there is something to do, or until then. True: stop. */
static bool wait_until(struct makers *m, uint64_t until, struct wanted **ret)
{
	struct timespec at = {.tv_sec = (time_t)(until / USEC_PER_SEC), .tv_nsec = (long)(until % USEC_PER_SEC) * 1000};
	bool stop;

	(void)pthread_mutex_lock(&m->lock);
	while (!m->stop && !m->first)
		if (pthread_cond_clockwait(&m->more, &m->lock, CLOCK_MONOTONIC, &at) == ETIMEDOUT)
			break;
	*ret = m->first;
	if (m->first)
		m->first = m->first->next;
	stop = m->stop;
	(void)pthread_mutex_unlock(&m->lock);
	return stop;
}

static uint64_t monotonic_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* Replicas do the same work at other times; what one has done the other finds done. */
static uint64_t sweep_time(void)
{
	uint32_t random = 0;

	(void)random_bytes(&random, sizeof(random));
	return monotonic_usec() + (SWEEP_SEC / 2 + random % SWEEP_SEC) * USEC_PER_SEC;
}

static void *run(void *argument)
{
	struct makers *m = argument;
	uint64_t next_sweep = sweep_time();
	struct db_rows *tenants = NULL;
	uint32_t swept = 0;
	struct wanted *wanted;

	/* Between two tenants of a sweep whoever waits for a snapshot comes first. */
	while (!wait_until(m, tenants ? 0 : next_sweep, &wanted)) {
		if (wanted) {
			make(m->publisher, wanted->tenant_id);
			free(wanted);
		} else if (!tenants) {
			if (list_tenants(m->publisher, &tenants) < 0)
				next_sweep = sweep_time();
			swept = 0;
		} else if (swept < db_row_count(tenants)) {
			const char *tenant_id = db_text(tenants, swept++, 0);

			make(m->publisher, tenant_id);
			(void)snapshot_prune(m->publisher, tenant_id);
		} else {
			db_rows_free(TAKE_PTR(tenants));
			next_sweep = sweep_time();
		}
	}
	free(wanted);
	db_rows_free(tenants);
	return NULL;
}

int makers_create(struct publisher *publisher, struct makers **ret)
{
	struct makers *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->publisher = publisher;
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_cond_init(&m->more, NULL);
	r = -pthread_create(&m->thread, NULL, run, m);
	if (r < 0) {
		(void)pthread_cond_destroy(&m->more);
		(void)pthread_mutex_destroy(&m->lock);
		free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void makers_destroy(struct makers *makers)
{
	if (!makers)
		return;
	(void)pthread_mutex_lock(&makers->lock);
	makers->stop = true;
	(void)pthread_cond_signal(&makers->more);
	(void)pthread_mutex_unlock(&makers->lock);
	(void)pthread_join(makers->thread, NULL);
	while (makers->first) {
		struct wanted *next = makers->first->next;

		free(makers->first);
		makers->first = next;
	}
	(void)pthread_cond_destroy(&makers->more);
	(void)pthread_mutex_destroy(&makers->lock);
	free(makers);
}
