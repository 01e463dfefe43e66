/* SPDX-License-Identifier: MIT
 *
 * Transactions against a real server: what they see, what their errors mean, and what is left of them when the server,
 * its process or the connection dies.
 */
#include "../unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cluster.h"
#include "control_plane/db/db.h"

#define TENANT_A "ten_AAAAAAAAAAAAAAAA"
#define TENANT_B "ten_BBBBBBBBBBBBBBBB"

static struct cluster cluster;
static const struct db_scope none = {0}, platform = {.platform = true}, tenant_a = {.tenant_id = TENANT_A},
			     tenant_b = {.tenant_id = TENANT_B}, reading = {.tenant_id = TENANT_A, .read_only = true};

static struct db *open_pool(uint32_t connections, uint32_t wait_ms, uint32_t statement_ms)
{
	struct db_options options = {
		.dsn = cluster.service,
		.connections = connections,
		.wait_ms = wait_ms,
		.statement_ms = statement_ms,
	};
	struct db *db = NULL;

	assert_result(db_create(&options, &db), 0);
	return db;
}

static struct db_tx *begin(struct db *db, const struct db_scope *scope)
{
	struct db_tx *tx = NULL;

	assert_result(db_begin(db, scope, &tx), 0);
	return tx;
}

static int insert_project(struct db_tx *tx, const char *id, const char *slug, const char *gid)
{
	return db_run(tx, NULL, "INSERT INTO projects (id, tenant_id, slug, gid) VALUES ($1, $2, $3, $4)", id, TENANT_A,
		      slug, gid);
}

static void process_id(struct db_tx *tx, char out[16])
{
	struct db_rows *rows = NULL;

	assert_result(db_run(tx, &rows, "SELECT pg_backend_pid()"), 0);
	(void)snprintf(out, 16, "%s", db_text(rows, 0, 0));
	db_rows_free(rows);
}

static int64_t count_projects(const char *slug)
{
	char sql[128], out[32];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM control.projects WHERE slug = '%s'", slug);
	cluster_sql(&cluster, sql, out, sizeof(out));
	return strtoll(out, NULL, 10);
}

static void kill_process(const char *pid)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%s, 5000)", pid);
	cluster_sql(&cluster, sql, NULL, 0);
}

static int setup(void **state)
{
	cluster_start(&cluster);
	cluster_sql(&cluster,
		    "INSERT INTO control.tenants (id, slug, gid, id_first, id_count, id_next) VALUES "
		    "('" TENANT_A "', 'a', 1879048192, 1879048192, 65536, 1879048200), "
		    "('" TENANT_B "', 'b', 1879113728, 1879113728, 65536, 1879113736)",
		    NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	cluster_stop(&cluster);
	return 0;
}

/* ---- what is well ---- */
static void test_scope_shows_one_tenant_and_none_without(void **state)
{
	static const struct {
		const struct db_scope *scope;
		const char *seen;
	} cases[] = {{&none, ""}, {&tenant_a, TENANT_A}, {&tenant_b, TENANT_B}, {&platform, TENANT_A "," TENANT_B}};
	struct db *db = open_pool(1, 1000, 5000); /* one connection: nothing is left over from the scope before */

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct db_tx *tx = begin(db, cases[i % ARRAY_LEN(cases)].scope);
		struct db_rows *rows = NULL;

		assert_result(db_run(tx, &rows, "SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM tenants"),
			      0);
		assert_string_equal(db_text(rows, 0, 0), cases[i % ARRAY_LEN(cases)].seen);
		db_rows_free(rows);
		assert_result(db_commit(tx), 0);
	}
	assert_int_equal(db_counts(db).open, 1);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void test_values_come_back_as_they_were(void **state)
{
	static const uint8_t bytes[] = {0, 1, 0xff, '\\', '\''};
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &none);
	_cleanup_(freep) char *hex = db_hex(bytes, sizeof(bytes));
	_cleanup_(freep) uint8_t *back = NULL;
	struct db_rows *rows = NULL;
	size_t length = 0;

	assert_result(db_run(tx, &rows,
			     "SELECT $1::text, $2::bytea, $3::text, $4::bigint, $5::boolean, '2026-01-02'::date",
			     "o'brien; --", hex, NULL, "-9007199254740993", "true"),
		      0);
	assert_string_equal(db_text(rows, 0, 0), "o'brien; --");
	assert_result(db_bytes(rows, 0, 1, &back, &length), 0);
	assert_int_equal(length, sizeof(bytes));
	assert_memory_equal(back, bytes, length);
	assert_true(db_is_null(rows, 0, 2));
	assert_string_equal(db_text(rows, 0, 2), "");
	assert_true(db_i64(rows, 0, 3) == -9007199254740993);
	assert_true(db_bool(rows, 0, 4));
	assert_string_equal(db_text(rows, 0, 5), "2026-01-02");
	db_rows_free(rows);
	db_rollback(tx);
	db_destroy(db);
}

static void test_queued_statements_go_with_the_commit(void **state)
{
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);

	for (int i = 0; i < 50; i++)
		assert_result(db_later(tx,
				       "INSERT INTO roles (tenant_id, name, kind, actions) VALUES ($1, 'r' || $2, "
				       "'tenant', '{}')",
				       TENANT_A, (char[]){(char)('0' + i / 10), (char)('0' + i % 10), '\0'}),
			      0);
	assert_result(db_commit(tx), 0);
	tx = begin(db, &tenant_a);
	{
		struct db_rows *rows = NULL;

		assert_result(db_run(tx, &rows, "DELETE FROM roles"), 0);
		assert_int_equal(db_affected(rows), 50);
		db_rows_free(rows);
	}
	assert_result(db_commit(tx), 0);
	db_destroy(db);
}

static void test_wanted_rows_come_with_the_next_answer(void **state)
{
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);
	struct db_rows *first = NULL, *second = NULL, *rows = NULL, **gone = calloc(1, sizeof(struct db_rows *));

	assert_non_null(gone);
	assert_result(db_want(tx, &first, "SELECT $1::text", "one"), 0);
	assert_result(db_want(tx, &second, "SELECT id FROM tenants WHERE id = $1", TENANT_B), 0);
	assert_null(first);
	assert_result(db_run(tx, &rows, "SELECT 'three'"), 0);
	assert_string_equal(db_text(first, 0, 0), "one");
	assert_int_equal(db_row_count(second), 0);
	assert_string_equal(db_text(rows, 0, 0), "three");
	db_rows_free(first);
	db_rows_free(second);
	db_rows_free(rows);
	/* What was said before an error is there; the failed one and those after it are not. */
	assert_result(db_want(tx, &first, "SELECT 'before'"), 0);
	assert_result(db_want(tx, &second, "SELECT 1 / ($1::int)", "0"), 0);
	assert_result(db_run(tx, &rows, "SELECT 'after'"), -EINVAL);
	assert_string_equal(db_text(first, 0, 0), "before");
	assert_null(second);
	assert_null(rows);
	db_rows_free(first);
	db_rollback(tx);
	/* Nobody is written to who has gone meanwhile. */
	tx = begin(db, &tenant_a);
	assert_result(db_want(tx, gone, "SELECT 1"), 0);
	free(gone);
	db_rollback(tx);
	gone = calloc(1, sizeof(struct db_rows *));
	assert_non_null(gone);
	tx = begin(db, &tenant_a);
	assert_result(db_want(tx, gone, "SELECT 1"), 0);
	free(gone);
	assert_result(db_commit(tx), 0);
	assert_int_equal(db_counts(db).lost, 0);
	db_destroy(db);
}

static void test_rollback_leaves_nothing(void **state)
{
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);

	assert_result(insert_project(tx, "prj_000000000000roll", "roll", "1879048300"), 0);
	assert_result(db_later(tx, "SELECT 1/0"), 0); /* and the queue's errors are of no interest */
	db_rollback(tx);
	assert_int_equal(count_projects("roll"), 0);
	db_rollback(begin(db, &tenant_a)); /* nothing was sent */
	assert_int_equal(db_counts(db).open, 1);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

struct walk {
	int64_t seen, stop_at;
};

static int walk_row(void *context, const struct db_rows *rows)
{
	struct walk *walk = context;

	assert_int_equal(db_row_count(rows), 1);
	assert_true(db_i64(rows, 0, 0) == ++walk->seen);
	return walk->seen == walk->stop_at ? 7 : 0;
}

static void test_each_row_in_order_and_stopping(void **state)
{
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);
	struct walk all = {0}, some = {.stop_at = 10};
	const char *const values[] = {"20000"};
	struct db_rows *rows = NULL;

	assert_result(db_each(tx, walk_row, &all, "SELECT generate_series(1, $1::int)", 1, values), 0);
	assert_true(all.seen == 20000);
	assert_result(db_each(tx, walk_row, &some, "SELECT generate_series(1, $1::int)", 1, values), 7);
	assert_true(some.seen == 10);
	assert_result(db_run(tx, &rows, "SELECT 1"), 0); /* still good */
	db_rows_free(rows);
	assert_result(db_each(tx, walk_row, &(struct walk){0},
			      "SELECT x + 0 / (3 - x) FROM (VALUES (1), (2), (3)) v (x)", 0, NULL),
		      -EINVAL);
	db_rollback(tx);
	db_destroy(db);
}

/* ---- errors ---- */
static void test_what_errors_mean(void **state)
{
	static const struct {
		const char *sql;
		int result;
		const char *constraint;
	} cases[] = {
		{"INSERT INTO projects (id, tenant_id, slug, gid) SELECT id, tenant_id, 'dup2', 1 FROM projects WHERE "
		 "slug = 'dup'",
		 -EEXIST, "projects_pkey"},
		{"INSERT INTO members (tenant_id, user_id, role) VALUES ('" TENANT_A "', 'usr_nobody', 'x')", -ENOENT,
		 "members_tenant_id_user_id_fkey"},
		{"INSERT INTO projects (id, tenant_id, slug, gid) VALUES ('wrong', '" TENANT_A "', 'w', 2)", -EINVAL,
		 "projects_id_check"},
		{"INSERT INTO projects (id, tenant_id, gid) VALUES ('prj_0000000000000nul', '" TENANT_A "', 2)",
		 -EINVAL, ""},
		{"SELECT 'x'::int", -EINVAL, ""},
		{"SELECT nowhere", -EIO, ""},
		{"SELECT 1; SELECT 2", -EIO, ""}, /* one statement at a time */
		/* The row of another tenant: row-level security refuses. */
		{"INSERT INTO projects (id, tenant_id, slug, gid) VALUES ('prj_00000000000other', '" TENANT_B
		 "', 'w', 2)",
		 -EIO, ""},
		{"CREATE TABLE control.mine (x int)", -EIO, ""},
		{"SELECT pg_terminate_backend(pg_backend_pid())", -EAGAIN, ""},
	};
	struct db *db = open_pool(2, 1000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);

	assert_result(insert_project(tx, "prj_0000000000000dup", "dup", "1879048301"), 0);
	assert_result(db_commit(tx), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct db_rows *rows = NULL;

		tx = begin(db, &tenant_a);
		assert_result(db_query(tx, &rows, cases[i].sql, 0, NULL), cases[i].result);
		assert_null(rows);
		assert_string_equal(db_constraint(tx), cases[i].constraint);
		/* It says the same until it is ended, and commits nothing. */
		assert_result(db_run(tx, &rows, "SELECT 1"), cases[i].result);
		assert_result(db_later(tx, "SELECT 1"), cases[i].result);
		assert_result(db_commit(tx), cases[i].result);
		/* The same of a queued one, told by what ends the batch. */
		if (cases[i].result == -EAGAIN)
			continue;
		tx = begin(db, &tenant_a);
		assert_result(db_queue(tx, cases[i].sql, 0, NULL), 0);
		assert_result(db_run(tx, &rows, "SELECT 1"), cases[i].result);
		db_rollback(tx);
		tx = begin(db, &tenant_a);
		assert_result(db_queue(tx, cases[i].sql, 0, NULL), 0);
		assert_result(db_later(tx,
				       "INSERT INTO roles (tenant_id, name, kind, actions) VALUES ($1, 'never', "
				       "'tenant', '{}')",
				       TENANT_A),
			      0);
		assert_result(db_commit(tx), cases[i].result);
	}
	{
		char left[8];

		cluster_sql(&cluster, "SELECT count(*) FROM control.roles WHERE name = 'never'", left, sizeof(left));
		assert_string_equal(left, "0");
	}
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void test_a_reader_cannot_write(void **state)
{
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = begin(db, &reading);

	assert_result(insert_project(tx, "prj_0000000000000ro0", "ro", "1879048302"), -EIO);
	db_rollback(tx);
	assert_int_equal(db_counts(db).lost, 0);
	db_destroy(db);
}

static void test_once_is_a_transaction_in_one_batch(void **state)
{
	static const struct db_scope once = {.tenant_id = TENANT_A, .once = true},
				     both = {.once = true, .one_snapshot = true};
	struct db *db = open_pool(1, 1000, 5000);
	struct db_tx *tx = NULL;
	struct db_rows *rows = NULL;

	assert_result(db_begin(db, &both, &tx), -EINVAL);
	/* Its scope is there for all of the batch, and gone with it. */
	tx = begin(db, &once);
	assert_result(db_later(tx, "SELECT set_config('control.platform', 'on', true)"), 0);
	assert_result(db_run(tx, &rows,
			     "SELECT string_agg(id, ',' ORDER BY id), current_setting('transaction_read_only') "
			     "FROM tenants"),
		      0);
	assert_string_equal(db_text(rows, 0, 0), TENANT_A "," TENANT_B);
	assert_string_equal(db_text(rows, 0, 1), "on");
	db_rows_free(rows);
	assert_result(db_run(tx, &rows, "SELECT 1"), -EINVAL);
	assert_result(db_later(tx, "SELECT 1"), -EINVAL);
	db_rollback(tx);
	tx = begin(db, &none);
	assert_result(db_run(tx, &rows, "SELECT count(*), current_setting('transaction_read_only') FROM tenants"), 0);
	assert_string_equal(db_text(rows, 0, 0), "0");
	assert_string_equal(db_text(rows, 0, 1), "off");
	db_rows_free(rows);
	db_rollback(tx);
	/* Neither a write nor an error leaves anything behind, nor does one that was never run. */
	tx = begin(db, &once);
	assert_result(insert_project(tx, "prj_0000000000000099", "once", "1879048298"), -EIO);
	db_rollback(tx);
	tx = begin(db, &once);
	assert_result(db_run(tx, NULL, "SELECT 1 / 0"), -EINVAL);
	assert_result(db_commit(tx), -EINVAL);
	tx = begin(db, &once);
	assert_result(db_later(tx, "SELECT set_config('control.tenant', '" TENANT_B "', true)"), 0);
	db_rollback(tx);
	tx = begin(db, &once);
	assert_result(db_run(tx, &rows, "SELECT id FROM tenants"), 0);
	assert_string_equal(db_text(rows, 0, 0), TENANT_A);
	db_rows_free(rows);
	assert_result(db_commit(tx), 0);
	assert_int_equal(count_projects("once"), 0);
	assert_int_equal(db_counts(db).lost, 0);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void test_a_slow_statement_is_stopped(void **state)
{
	struct db *db = open_pool(1, 1000, 100);
	struct db_tx *tx = begin(db, &none);

	assert_result(db_run(tx, NULL, "SELECT pg_sleep(30)"), -EBUSY);
	db_rollback(tx);
	assert_int_equal(db_counts(db).timeouts, 1);
	db_destroy(db);
}

static void *update_other_way(void *context)
{
	struct db *db = context;
	struct db_tx *tx = begin(db, &platform);
	int result = db_run(tx, NULL, "UPDATE tenants SET name = 'x' WHERE id = $1", TENANT_B);

	if (result == 0)
		result = db_run(tx, NULL, "SELECT pg_advisory_unlock_all(), pg_sleep(0.2)");
	if (result == 0)
		result = db_run(tx, NULL, "UPDATE tenants SET name = 'x' WHERE id = $1", TENANT_A);
	if (result == 0)
		result = db_commit(TAKE_PTR(tx));
	else
		db_rollback(tx);
	return (void *)(intptr_t)result;
}

static void test_a_deadlock_is_told_to_one(void **state)
{
	struct db *db = open_pool(2, 1000, 10000);
	struct db_tx *tx = begin(db, &platform);
	pthread_t thread;
	void *other = NULL;
	int result;

	assert_result(db_run(tx, NULL, "UPDATE tenants SET name = 'y' WHERE id = $1", TENANT_A), 0);
	assert_int_equal(pthread_create(&thread, NULL, update_other_way, db), 0);
	/* The other one has its row as soon as this one may not lock it. */
	for (;;) {
		char taken[8];

		cluster_sql(&cluster,
			    "SELECT count(*) FROM (SELECT 1 FROM control.tenants WHERE id = '" TENANT_B
			    "' FOR UPDATE SKIP LOCKED) s",
			    taken, sizeof(taken));
		if (strcmp(taken, "0") == 0)
			break;
	}
	result = db_run(tx, NULL, "UPDATE tenants SET name = 'y' WHERE id = $1", TENANT_B);
	db_rollback(tx);
	(void)pthread_join(thread, &other);
	assert_true((result == 0) != ((intptr_t)other == 0));
	assert_int_equal(result == 0 ? (intptr_t)other : result, -EAGAIN);
	db_destroy(db);
}

/* ---- the pool ---- */
static void test_exhausted_pool_says_busy_and_recovers(void **state)
{
	struct db *db = open_pool(2, 50, 5000);
	struct db_tx *one = begin(db, &none), *two = begin(db, &none), *three = NULL;

	assert_result(db_begin(db, &none, &three), -EBUSY);
	assert_int_equal(db_counts(db).busy, 2);
	db_rollback(one);
	three = begin(db, &none);
	db_rollback(two);
	db_rollback(three);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void *take_turns(void *context)
{
	struct db *db = context;

	for (int i = 0; i < 200; i++) {
		struct db_tx *tx = begin(db, i % 2 ? &tenant_a : &tenant_b);
		struct db_rows *rows = NULL;

		assert_result(db_run(tx, &rows, "SELECT id FROM tenants"), 0);
		assert_int_equal(db_row_count(rows), 1);
		assert_string_equal(db_text(rows, 0, 0), i % 2 ? TENANT_A : TENANT_B);
		db_rows_free(rows);
		assert_result(db_commit(tx), 0);
	}
	return NULL;
}

static void test_threads_share_few_connections(void **state)
{
	struct db *db = open_pool(2, 10000, 5000);
	pthread_t threads[8];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_turns, db), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		(void)pthread_join(threads[i], NULL);
	assert_true(db_counts(db).open <= 2);
	assert_int_equal(db_counts(db).transactions, 8 * 200);
	db_destroy(db);
}

static void test_wrong_options_are_refused(void **state)
{
	struct db_options nonsense = {.dsn = "host=/x nonsense=1", .connections = 1};
	struct db_options nothing = {.dsn = "", .connections = 0};
	struct db *db = NULL;

	assert_result(db_create(&nonsense, &db), -EINVAL);
	assert_result(db_create(&nothing, &db), -EINVAL);
	assert_null(db);
}

/* ---- deaths ---- */
static void test_killed_between_statements_is_to_be_run_again(void **state)
{
	struct db *db = open_pool(1, 5000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);
	char pid[16];

	assert_result(insert_project(tx, "prj_0000000000000kil", "kil", "1879048303"), 0);
	process_id(tx, pid);
	kill_process(pid);
	assert_result(db_run(tx, NULL, "SELECT 1"), -EAGAIN);
	assert_result(db_commit(tx), -EAGAIN);
	assert_int_equal(count_projects("kil"), 0);
	/* And again, on the connection that takes the place. */
	tx = begin(db, &tenant_a);
	assert_result(insert_project(tx, "prj_0000000000000kil", "kil", "1879048303"), 0);
	assert_result(db_commit(tx), 0);
	assert_int_equal(count_projects("kil"), 1);
	assert_int_equal(db_counts(db).open, 1);
	db_destroy(db);
}

static void test_killed_before_commit_is_to_be_run_again(void **state)
{
	struct db *db = open_pool(1, 5000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);
	char pid[16];

	process_id(tx, pid);
	assert_result(insert_project(tx, "prj_0000000000000kic", "kic", "1879048304"),
		      0); /* its id was not asked for yet */
	kill_process(pid);
	assert_result(db_commit(tx), -EAGAIN);
	assert_int_equal(count_projects("kic"), 0);
	db_destroy(db);
}

static void test_killed_while_idle_is_not_noticed(void **state)
{
	struct db *db = open_pool(1, 5000, 5000);
	struct db_tx *tx = begin(db, &tenant_a);
	char pid[16];

	process_id(tx, pid);
	assert_result(db_commit(tx), 0);
	kill_process(pid);
	tx = begin(db, &tenant_a);
	assert_result(db_run(tx, NULL, "SELECT 1"), 0);
	assert_result(db_commit(tx), 0);
	assert_int_equal(db_counts(db).lost, 1);
	db_destroy(db);
}

/* A check at the end of the transaction that waits for a lock that the test holds: so COMMIT is under way, for as long
 * as the test wants. */
static const char slow_commit[] =
	"CREATE TABLE control.slow (x int); GRANT INSERT ON control.slow TO \"tenant-control\"; "
	"CREATE FUNCTION control.wait() RETURNS trigger LANGUAGE plpgsql AS "
	"$$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$; "
	"CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON control.slow DEFERRABLE INITIALLY DEFERRED "
	"FOR EACH ROW EXECUTE FUNCTION control.wait()";

struct committing {
	struct db_tx *tx;
	int result;
};

static void *commit_slowly(void *context)
{
	struct committing *committing = context;

	committing->result = db_commit(committing->tx);
	return NULL;
}

static void await_sql(const char *sql)
{
	static const struct timespec pause = {.tv_nsec = 2000000};
	char out[8] = "";

	while (strcmp(out, "t") != 0) {
		cluster_sql(&cluster, sql, out, sizeof(out));
		(void)nanosleep(&pause, NULL);
	}
}

static void test_killed_in_commit_before_it_happened(void **state)
{
	struct db *db = open_pool(2, 5000, 10000), *holder = open_pool(1, 5000, 10000);
	struct db_tx *lock = begin(holder, &none);
	struct committing committing = {.tx = begin(db, &tenant_a)};
	pthread_t thread;
	char pid[16];

	cluster_sql(&cluster, slow_commit, NULL, 0);
	assert_result(db_run(lock, NULL, "SELECT pg_advisory_lock(4711)"), 0);
	process_id(committing.tx, pid);
	assert_result(db_run(committing.tx, NULL, "INSERT INTO slow VALUES (1)"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	await_sql("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
	kill_process(pid);
	(void)pthread_join(thread, NULL);
	assert_result(committing.result, -EAGAIN);
	db_rollback(lock);
	{
		char left[8];

		cluster_sql(&cluster, "SELECT count(*) FROM control.slow", left, sizeof(left));
		assert_string_equal(left, "0");
	}
	db_destroy(db);
	db_destroy(holder);
}

/* The server process hangs past the client's patience, and would commit later: it is ended, and the outcome known. */
static void test_silent_in_commit_is_resolved(void **state)
{
	struct db *db = open_pool(2, 5000, 1), *holder = open_pool(1, 5000, 20000);
	struct db_tx *lock = begin(holder, &none);
	struct committing committing = {.tx = begin(db, &tenant_a)};
	struct db_rows *rows = NULL;
	pthread_t thread;
	char left[8];

	assert_result(db_run(lock, NULL, "SELECT pg_advisory_lock(4711)"), 0);
	assert_result(db_run(committing.tx, NULL,
			     "SELECT set_config('statement_timeout', '0', true), "
			     "set_config('lock_timeout', '0', true)"),
		      0);
	assert_result(db_run(committing.tx, NULL, "INSERT INTO slow VALUES (2)"), 0);
	assert_result(db_run(committing.tx, &rows, "SELECT 1"), 0); /* now its id is known */
	db_rows_free(rows);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	(void)pthread_join(thread, NULL);
	assert_result(committing.result, -EAGAIN);
	db_rollback(lock);
	cluster_sql(&cluster, "SELECT count(*) FROM control.slow", left, sizeof(left));
	assert_string_equal(left, "0");
	db_destroy(db);
	db_destroy(holder);
}

/* COMMIT happened, but its answer never came: the process ended while it waited for a standby. */
static void test_killed_in_commit_after_it_happened(void **state)
{
	struct db *db = open_pool(2, 5000, 20000);
	struct committing committing = {.tx = begin(db, &tenant_a)};
	pthread_t thread;
	char pid[16], sql[160];

	cluster_sql(&cluster, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", NULL, 0);
	cluster_sql(&cluster, "SELECT pg_reload_conf()", NULL, 0);
	await_sql("SELECT current_setting('synchronous_standby_names') = 'nobody'");
	process_id(committing.tx, pid);
	assert_result(insert_project(committing.tx, "prj_0000000000000syn", "syn", "1879048305"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	(void)snprintf(sql, sizeof(sql), "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s", pid);
	await_sql(sql);
	kill_process(pid);
	(void)pthread_join(thread, NULL);
	assert_result(committing.result, 0);
	assert_int_equal(count_projects("syn"), 1);
	cluster_sql(&cluster, "ALTER SYSTEM RESET synchronous_standby_names", NULL, 0);
	cluster_sql(&cluster, "SELECT pg_reload_conf()", NULL, 0);
	db_destroy(db);
}

static void test_restarted_server_costs_one_try(void **state)
{
	for (int hard = 0; hard < 2; hard++) {
		struct db *db = open_pool(3, 20000, 5000);
		struct db_tx *open = begin(db, &tenant_a), *idle = begin(db, &tenant_b);
		struct db_rows *rows = NULL;

		assert_result(db_run(open, NULL, "SELECT 1"), 0);
		assert_result(db_run(idle, NULL, "SELECT 1"), 0);
		assert_result(db_commit(idle), 0);
		cluster_restart(&cluster, hard == 1);
		assert_result(db_run(open, NULL, "SELECT 1"), -EAGAIN);
		db_rollback(open);
		open = begin(db, &tenant_a);
		assert_result(db_run(open, &rows, "SELECT id FROM tenants"), 0);
		assert_string_equal(db_text(rows, 0, 0), TENANT_A);
		db_rows_free(rows);
		assert_result(db_commit(open), 0);
		db_destroy(db);
	}
}

/* The server crashes in COMMIT before anything of the transaction is on its disk, and gives the same id to the next
 * one, which commits: that is no answer for the first. */
static void test_an_id_that_is_given_twice_is_not_believed(void **state)
{
	struct db *db = open_pool(2, 20000, 20000), *holder = open_pool(1, 5000, 20000);
	struct db_tx *lock;
	struct committing committing;
	pthread_t thread;
	char left[8];

	cluster_sql(&cluster, "ALTER SYSTEM SET wal_writer_delay = '10s'", NULL, 0);
	cluster_restart(&cluster, false);
	lock = begin(holder, &none);
	assert_result(db_run(lock, NULL, "SELECT pg_advisory_lock(4711)"), 0);
	cluster_sql(&cluster, "CHECKPOINT", NULL, 0);
	committing.tx = begin(db, &tenant_a);
	assert_result(db_run(committing.tx, NULL, "INSERT INTO slow VALUES (3)"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	await_sql("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
	cluster_down(&cluster, true);
	cluster_up(&cluster);
	cluster_sql(&cluster, "DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
		    NULL, 0);
	(void)pthread_join(thread, NULL);
	assert_true(committing.result == -EIO || committing.result == -EAGAIN);
	cluster_sql(&cluster, "SELECT count(*) FROM control.slow WHERE x = 3", left, sizeof(left));
	assert_string_equal(left, "0");
	cluster_sql(&cluster, "ALTER SYSTEM RESET wal_writer_delay", NULL, 0);
	db_rollback(lock);
	db_destroy(db);
	db_destroy(holder);
}

static void test_absent_server_is_waited_for_and_then_said(void **state)
{
	struct db *db = open_pool(2, 300, 5000);
	struct db_tx *tx = NULL;
	struct problem problem = {0};

	assert_result(db_check(db, &problem), 0);
	cluster_down(&cluster, false);
	assert_result(db_begin(db, &none, &tx), -EBUSY);
	assert_true(db_check(db, &problem) < 0);
	assert_non_null(strstr(problem.remedy, "tenant-control doctor"));
	cluster_up(&cluster);
	db_destroy(db);
	db = open_pool(2, 20000, 5000);
	assert_result(db_check(db, &problem), 0);
	db_destroy(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scope_shows_one_tenant_and_none_without),
		cmocka_unit_test(test_values_come_back_as_they_were),
		cmocka_unit_test(test_queued_statements_go_with_the_commit),
		cmocka_unit_test(test_wanted_rows_come_with_the_next_answer),
		cmocka_unit_test(test_rollback_leaves_nothing),
		cmocka_unit_test(test_each_row_in_order_and_stopping),
		cmocka_unit_test(test_what_errors_mean),
		cmocka_unit_test(test_a_reader_cannot_write),
		cmocka_unit_test(test_once_is_a_transaction_in_one_batch),
		cmocka_unit_test(test_a_slow_statement_is_stopped),
		cmocka_unit_test(test_a_deadlock_is_told_to_one),
		cmocka_unit_test(test_exhausted_pool_says_busy_and_recovers),
		cmocka_unit_test(test_threads_share_few_connections),
		cmocka_unit_test(test_wrong_options_are_refused),
		cmocka_unit_test(test_killed_between_statements_is_to_be_run_again),
		cmocka_unit_test(test_killed_before_commit_is_to_be_run_again),
		cmocka_unit_test(test_killed_while_idle_is_not_noticed),
		cmocka_unit_test(test_killed_in_commit_before_it_happened),
		cmocka_unit_test(test_silent_in_commit_is_resolved),
		cmocka_unit_test(test_killed_in_commit_after_it_happened),
		cmocka_unit_test(test_restarted_server_costs_one_try),
		cmocka_unit_test(test_an_id_that_is_given_twice_is_not_believed),
		cmocka_unit_test(test_absent_server_is_waited_for_and_then_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
