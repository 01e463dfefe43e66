/* SPDX-License-Identifier: MIT
 *
 * The pool. A connection that is taken out was looked at first; one that broke is thrown away and a new one made in its
 * place. While the database is away one thread at a time tries, ever more seldom, and the others wait for it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"
#include "control_plane/db/internal.h"
#include "control_plane/db/migrate.h"

#define USEC_MSEC 1000ULL
#define BACKOFF_FIRST_MS 50U
/* With its jitter less than what a request waits (app.c): nobody waits in vain for a database that is back. */
#define BACKOFF_MAX_MS 1000U

void pool_count(uint64_t *counter) // NOLINT(readability-non-const-parameter): it is counted up
{
	(void)__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

int db_create(const struct db_options *options, struct db **ret)
{
	char *fault = NULL;
	PQconninfoOption *parsed = PQconninfoParse(options->dsn, &fault);
	pthread_condattr_t attributes;
	struct db *db;

	PQfreemem(fault);
	if (!parsed)
		return -EINVAL;
	PQconninfoFree(parsed);
	if (options->connections == 0)
		return -EINVAL;
	db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	db->options = *options;
	db->dsn = strdup(options->dsn);
	if (!db->dsn) {
		free(db);
		return -ENOMEM;
	}
	db->options.dsn = db->dsn;
	/* These fail for want of memory only, which Linux's do not need. */
	(void)pthread_mutex_init(&db->mutex, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* CLOCK_BOOTTIME is not to be had here */
	(void)pthread_cond_init(&db->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	*ret = db;
	return 0;
}

void db_destroy(struct db *db)
{
	if (!db)
		return;
	while (db->idle) {
		struct connection *connection = db->idle;

		db->idle = connection->next;
		connection_free(connection);
	}
	(void)pthread_cond_destroy(&db->changed);
	(void)pthread_mutex_destroy(&db->mutex);
	secret_free_heap(db->dsn); /* it may hold a password */
	free(db);
}

static uint64_t monotonic_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

static void wait_until(struct db *db, uint64_t usec)
{
	struct timespec end = {.tv_sec = (time_t)(usec / 1000000U), .tv_nsec = (long)(usec % 1000000U) * 1000};

	(void)pthread_cond_timedwait(&db->changed, &db->mutex, &end);
}

/* Half of it and up to as much again, so that replicas do not come back together. */
static uint64_t jittered_usec(uint32_t ms)
{
	uint16_t random = 0;

	(void)random_bytes(&random, sizeof(random));
	return ms * USEC_MSEC / 2 + ms * USEC_MSEC * random / UINT16_MAX;
}

/* Under the mutex, which is open meanwhile. NULL: not this time. */
static struct connection *make_one(struct db *db)
{
	struct connection *made = NULL;
	struct problem problem = {0};
	int result;

	db->open++;
	db->connecting = true;
	(void)pthread_mutex_unlock(&db->mutex);
	result = connection_new(db, &made, &problem);
	(void)pthread_mutex_lock(&db->mutex);
	db->connecting = false;
	if (result == 0) {
		if (db->backoff_ms > 0)
			log_notice("database: reached again");
		db->backoff_ms = 0;
	} else {
		db->open--;
		if (db->backoff_ms == 0)
			log_problem(LOG_WARNING, "database", &problem);
		db->backoff_ms = db->backoff_ms == 0 ? BACKOFF_FIRST_MS : MIN_OF(2 * db->backoff_ms, BACKOFF_MAX_MS);
		db->next_attempt = monotonic_usec() + jittered_usec(db->backoff_ms);
	}
	(void)pthread_cond_broadcast(&db->changed);
	return made;
}

/* Under the mutex. While all is well connections are made side by side; while it is not, one at a time. */
static bool may_make_one(const struct db *db, uint64_t now)
{
	if (db->open >= db->options.connections)
		return false;
	return db->backoff_ms == 0 || (!db->connecting && now >= db->next_attempt);
}

static void discard(struct db *db, struct connection *connection)
{
	pool_count(&db->counts.lost);
	connection_free(connection);
	(void)pthread_mutex_lock(&db->mutex);
	db->open--;
	(void)pthread_cond_signal(&db->changed);
	(void)pthread_mutex_unlock(&db->mutex);
}

int pool_take(struct db *db, struct connection **ret)
{
	uint64_t end = monotonic_usec() + db->options.wait_ms * USEC_MSEC;
	struct connection *taken = NULL;

	(void)pthread_mutex_lock(&db->mutex);
	while (!taken) {
		uint64_t now = monotonic_usec(), until = end;

		if (db->idle) {
			struct connection *idle = db->idle;

			db->idle = idle->next;
			(void)pthread_mutex_unlock(&db->mutex);
			if (connection_is_healthy(idle))
				taken = idle;
			else
				discard(db, idle);
			(void)pthread_mutex_lock(&db->mutex);
			continue;
		}
		if (may_make_one(db, now)) {
			taken = make_one(db);
			if (taken)
				break;
		}
		if (now >= end)
			break;
		if (db->open < db->options.connections && !db->connecting && db->next_attempt < until)
			until = db->next_attempt;
		wait_until(db, until);
	}
	(void)pthread_mutex_unlock(&db->mutex);
	if (!taken) {
		pool_count(&db->counts.timeouts);
		return -EBUSY;
	}
	taken->next = NULL;
	*ret = taken;
	return 0;
}

void pool_give(struct db *db, struct connection *connection)
{
	if (connection->lost || connection->expected_count > 0 || PQtransactionStatus(connection->pg) != PQTRANS_IDLE) {
		discard(db, connection);
		return;
	}
	(void)pthread_mutex_lock(&db->mutex);
	connection->next = db->idle; /* the last one in is the first one out: its memory is warm */
	db->idle = connection;
	(void)pthread_cond_signal(&db->changed);
	(void)pthread_mutex_unlock(&db->mutex);
}

struct db_counts db_counts(struct db *db)
{
	struct db_counts counts = {
		.transactions = __atomic_load_n(&db->counts.transactions, __ATOMIC_RELAXED),
		.retries = __atomic_load_n(&db->counts.retries, __ATOMIC_RELAXED),
		.lost = __atomic_load_n(&db->counts.lost, __ATOMIC_RELAXED),
		.timeouts = __atomic_load_n(&db->counts.timeouts, __ATOMIC_RELAXED),
	};
	uint32_t idle = 0;

	(void)pthread_mutex_lock(&db->mutex);
	for (const struct connection *connection = db->idle; connection; connection = connection->next)
		idle++;
	counts.open = db->open;
	counts.busy = db->open - idle;
	(void)pthread_mutex_unlock(&db->mutex);
	return counts;
}

int db_check(struct db *db, struct problem *problem)
{
	static const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int result = db_begin(db, &scope, &tx);

	if (result == 0)
		result = db_run(tx, &rows, "SELECT name FROM migrations ORDER BY name DESC LIMIT 1");
	if (result < 0) {
		(void)problem_set(problem, EIO, "the database does not answer as it should: %s", strerror(-result));
		problem_remedy(problem, "`tenant-control doctor` says more");
		return result;
	}
	if (db_row_count(rows) == 1 && strcmp(db_text(rows, 0, 0), migrate_newest()) == 0)
		return 0;
	(void)problem_set(problem, ESTALE, "the database's schema is of %s, this program's is of %s",
			  db_row_count(rows) == 1 ? db_text(rows, 0, 0) : "nobody", migrate_newest());
	problem_remedy(problem, "run `tenant-control migrate`, or install the program that belongs to it");
	return -ESTALE;
}
