/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/acks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control_plane/feed/internal.h"
#include "control_plane/feed/pg_array.h"

#define COLLECT_MSEC 50U
#define PENDING_MAX 100000U
#define BATCH 2000U /* in one statement */
#define ATTEMPTS 3U

struct acks {
	struct publisher *publisher;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct ack *pending;
	uint32_t count, room;
	bool stop;
};

int acks_count(struct db_tx *tx, const char *tenant_id, uint64_t revision, struct ack_counts *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char text[24];
	int r;

	(void)snprintf(text, sizeof(text), "%" PRIu64, revision);
	/* An acknowledgement says that a host is there as well as its reports do. */
	r = db_run(tx, &rows,
		   "WITH h AS (SELECT a.revision, a.refused_revision, a.epoch = f.epoch AS current, "
		   "greatest(h.last_seen, a.at) > now() - interval '10 min' AS here "
		   "FROM host_tenants t JOIN hosts h ON h.id = t.host_id JOIN feeds f ON f.tenant_id = t.tenant_id "
		   "LEFT JOIN feed_acks a ON a.tenant_id = t.tenant_id AND a.host_id = t.host_id "
		   "WHERE t.tenant_id = $1 AND h.disabled_at = 0) "
		   "SELECT count(*) FILTER (WHERE here), count(*) FILTER (WHERE here AND current AND revision >= $2), "
		   "count(*) FILTER (WHERE here AND current AND revision < $2 AND refused_revision >= $2), "
		   "count(*) FILTER (WHERE here IS NOT TRUE) FROM h",
		   tenant_id, text);
	if (r < 0)
		return r;
	*ret = (struct ack_counts){
		.hosts = (uint32_t)db_i64(rows, 0, 0),
		.acknowledged = (uint32_t)db_i64(rows, 0, 1),
		.refused = (uint32_t)db_i64(rows, 0, 2),
		.away = (uint32_t)db_i64(rows, 0, 3),
	};
	return 0;
}

json_t *acks_render(uint64_t revision, const struct ack_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "revision", (json_int_t)revision, "hosts",
			 (json_int_t)counts->hosts, "acknowledged", (json_int_t)counts->acknowledged, "refused",
			 (json_int_t)counts->refused, "away", (json_int_t)counts->away);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static int by_host(const void *a, const void *b)
{
	const struct ack *one = a, *other = b;
	int order = strcmp(one->tenant_id, other->tenant_id);

	if (order == 0)
		order = strcmp(one->host_id, other->host_id);
	/* The newest epoch first: others are dropped. */
	if (order == 0)
		order = (one->epoch < other->epoch) - (one->epoch > other->epoch);
	return order;
}

/* One statement for acks of one tenant, each of another host, in the order of hosts: two replicas that write at once
 * wait for one another and never in a ring. */
static int write_some(struct db *db, const struct ack *acks, uint32_t count)
{
	const struct db_scope scope = {.tenant_id = acks[0].tenant_id};
	_cleanup_(buffer_finish) struct buffer hosts = BUFFER_INIT, epochs = BUFFER_INIT, revisions = BUFFER_INIT,
					       refused = BUFFER_INIT, errors = BUFFER_INIT;
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	const char *h, *e, *v, *f, *t;
	int r;

	for (uint32_t i = 0; i < count; i++) {
		pg_array_add(&hosts, acks[i].host_id);
		pg_array_add_u64(&epochs, acks[i].epoch);
		pg_array_add_u64(&revisions, acks[i].revision);
		pg_array_add_u64(&refused, acks[i].refused);
		pg_array_add(&errors, acks[i].error);
	}
	h = pg_array_end(&hosts);
	e = pg_array_end(&epochs);
	v = pg_array_end(&revisions);
	f = pg_array_end(&refused);
	t = pg_array_end(&errors);
	if (!h || !e || !v || !f || !t)
		return -ENOMEM;
	r = db_begin(db, &scope, &tx);
	/* Never back within an epoch; a new epoch starts again. */
	if (r == 0)
		r = db_run(
			tx, NULL,
			"INSERT INTO feed_acks AS a (tenant_id, host_id, epoch, revision, refused_revision, error) "
			"SELECT $1, t.h, t.e, t.v, t.f, t.x FROM unnest($2::text[], $3::bigint[], $4::bigint[], "
			"$5::bigint[], $6::text[]) AS t(h, e, v, f, x) "
			"JOIN host_tenants s ON s.tenant_id = $1 AND s.host_id = t.h ORDER BY t.h "
			"ON CONFLICT (tenant_id, host_id) DO UPDATE SET epoch = excluded.epoch, at = now(), "
			"revision = CASE WHEN a.epoch = excluded.epoch THEN greatest(a.revision, excluded.revision) "
			"ELSE excluded.revision END, refused_revision = CASE WHEN a.epoch = excluded.epoch THEN "
			"greatest(a.refused_revision, excluded.refused_revision) ELSE excluded.refused_revision END, "
			"error = CASE WHEN excluded.refused_revision > 0 OR excluded.revision >= a.revision "
			"THEN excluded.error ELSE a.error END WHERE excluded.epoch >= a.epoch",
			acks[0].tenant_id, h, e, v, f, t);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* Sorted. What a host has said of its newest epoch, in one. */
static uint32_t merge(struct ack *acks, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct ack *last = kept > 0 ? &acks[kept - 1] : NULL;

		if (!last || strcmp(last->host_id, acks[i].host_id) != 0 ||
		    strcmp(last->tenant_id, acks[i].tenant_id) != 0) {
			acks[kept++] = acks[i];
			continue;
		}
		if (acks[i].epoch != last->epoch)
			continue;
		if (MAX_OF(acks[i].revision, acks[i].refused) >= MAX_OF(last->revision, last->refused))
			memcpy(last->error, acks[i].error, sizeof(last->error));
		last->revision = MAX_OF(last->revision, acks[i].revision);
		last->refused = MAX_OF(last->refused, acks[i].refused);
	}
	return kept;
}

static void write_all(struct acks *a, struct ack *acks, uint32_t count)
{
	if (count == 0)
		return;
	qsort(acks, count, sizeof(*acks), by_host);
	count = merge(acks, count);
	for (uint32_t start = 0, end; start < count; start = end) {
		int r = -EAGAIN;

		for (end = start + 1;
		     end < count && end - start < BATCH && strcmp(acks[end].tenant_id, acks[start].tenant_id) == 0;)
			end++;
		for (unsigned i = 0; i < ATTEMPTS && r == -EAGAIN; i++)
			r = write_some(a->publisher->app->db, acks + start, end - start);
		if (r < 0)
			log_warning("%u acknowledgements of %s were not written: %s", end - start,
				    acks[start].tenant_id, strerror(-r));
		else
			atomic_fetch_add(&a->publisher->counts.acks, end - start);
	}
}

static void *run(void *argument)
{
	static const struct timespec span = {.tv_nsec = COLLECT_MSEC * 1000000L};
	struct acks *a = argument;
	bool stop;

	do {
		struct ack *acks;
		uint32_t count;

		(void)pthread_mutex_lock(&a->lock);
		while (!a->stop && a->count == 0)
			(void)pthread_cond_wait(&a->more, &a->lock);
		stop = a->stop;
		(void)pthread_mutex_unlock(&a->lock);
		if (!stop)
			(void)nanosleep(&span, NULL);
		(void)pthread_mutex_lock(&a->lock);
		acks = TAKE_PTR(a->pending);
		count = a->count;
		a->count = a->room = 0;
		(void)pthread_mutex_unlock(&a->lock);
		write_all(a, acks, count);
		free(acks);
	} while (!stop);
	return NULL;
}

int acks_create(struct publisher *publisher, struct acks **ret)
{
	struct acks *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->publisher = publisher;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->more, NULL);
	r = -pthread_create(&a->thread, NULL, run, a);
	if (r < 0) {
		(void)pthread_cond_destroy(&a->more);
		(void)pthread_mutex_destroy(&a->lock);
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void acks_destroy(struct acks *acks)
{
	if (!acks)
		return;
	(void)pthread_mutex_lock(&acks->lock);
	acks->stop = true;
	(void)pthread_cond_signal(&acks->more);
	(void)pthread_mutex_unlock(&acks->lock);
	(void)pthread_join(acks->thread, NULL);
	(void)pthread_cond_destroy(&acks->more);
	(void)pthread_mutex_destroy(&acks->lock);
	free(acks->pending);
	free(acks);
}

int acks_add(struct acks *acks, const struct ack *ack)
{
	int r = 0;

	(void)pthread_mutex_lock(&acks->lock);
	if (acks->count >= PENDING_MAX) {
		r = -EBUSY;
	} else if (acks->count == acks->room) {
		uint32_t room = MAX_OF(2 * acks->room, 64U);
		struct ack *pending = realloc(acks->pending, room * sizeof(*pending));

		if (pending) {
			acks->pending = pending;
			acks->room = room;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0)
		acks->pending[acks->count++] = *ack;
	(void)pthread_cond_signal(&acks->more);
	(void)pthread_mutex_unlock(&acks->lock);
	return r;
}
