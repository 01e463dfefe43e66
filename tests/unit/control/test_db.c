/* SPDX-License-Identifier: MIT
 *
 * Transactions against a real server: what they see, and what their errors mean.
 */
#include "../unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "control_plane/db/db.h"
#include "db_rig.h"

static const struct db_scope none = {0}, platform = {.platform = true}, tenant_a = {.tenant_id = TENANT_A},
			     tenant_b = {.tenant_id = TENANT_B}, reading = {.tenant_id = TENANT_A, .read_only = true};

/* ---- what is well ---- */
static void test_scope_shows_one_tenant_and_none_without(void **state)
{
	static const struct {
		const struct db_scope *scope;
		const char *seen;
	} cases[] = {{&none, ""}, {&tenant_a, TENANT_A}, {&tenant_b, TENANT_B}, {&platform, TENANT_A "," TENANT_B}};
	struct db *db = db_rig_pool(1, 1000, 5000); /* one connection: nothing is left over from the scope before */

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct db_tx *tx = db_rig_begin(db, cases[i % ARRAY_LEN(cases)].scope);
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
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &none);
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
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);

	for (int i = 0; i < 50; i++)
		assert_result(db_later(tx,
				       "INSERT INTO roles (tenant_id, name, kind, actions) VALUES ($1, 'r' || $2, "
				       "'tenant', '{}')",
				       TENANT_A, (char[]){(char)('0' + i / 10), (char)('0' + i % 10), '\0'}),
			      0);
	assert_result(db_commit(tx), 0);
	tx = db_rig_begin(db, &tenant_a);
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
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);
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
	tx = db_rig_begin(db, &tenant_a);
	assert_result(db_want(tx, gone, "SELECT 1"), 0);
	free(gone);
	db_rollback(tx);
	gone = calloc(1, sizeof(struct db_rows *));
	assert_non_null(gone);
	tx = db_rig_begin(db, &tenant_a);
	assert_result(db_want(tx, gone, "SELECT 1"), 0);
	free(gone);
	assert_result(db_commit(tx), 0);
	assert_int_equal(db_counts(db).lost, 0);
	db_destroy(db);
}

static void test_rollback_leaves_nothing(void **state)
{
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);

	assert_result(db_rig_insert(tx, "prj_000000000000roll", "roll", "1879048300"), 0);
	assert_result(db_later(tx, "SELECT 1/0"), 0); /* and the queue's errors are of no interest */
	db_rollback(tx);
	assert_int_equal(db_rig_count("roll"), 0);
	db_rollback(db_rig_begin(db, &tenant_a)); /* nothing was sent */
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
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);
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
	struct db *db = db_rig_pool(2, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);

	assert_result(db_rig_insert(tx, "prj_0000000000000dup", "dup", "1879048301"), 0);
	assert_result(db_commit(tx), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct db_rows *rows = NULL;

		tx = db_rig_begin(db, &tenant_a);
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
		tx = db_rig_begin(db, &tenant_a);
		assert_result(db_queue(tx, cases[i].sql, 0, NULL), 0);
		assert_result(db_run(tx, &rows, "SELECT 1"), cases[i].result);
		db_rollback(tx);
		tx = db_rig_begin(db, &tenant_a);
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

		cluster_sql(&db_rig_cluster, "SELECT count(*) FROM control.roles WHERE name = 'never'", left,
			    sizeof(left));
		assert_string_equal(left, "0");
	}
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void test_a_reader_cannot_write(void **state)
{
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = db_rig_begin(db, &reading);

	assert_result(db_rig_insert(tx, "prj_0000000000000ro0", "ro", "1879048302"), -EIO);
	db_rollback(tx);
	assert_int_equal(db_counts(db).lost, 0);
	db_destroy(db);
}

static void test_once_is_a_transaction_in_one_batch(void **state)
{
	static const struct db_scope once = {.tenant_id = TENANT_A, .once = true},
				     both = {.once = true, .one_snapshot = true};
	struct db *db = db_rig_pool(1, 1000, 5000);
	struct db_tx *tx = NULL;
	struct db_rows *rows = NULL;

	assert_result(db_begin(db, &both, &tx), -EINVAL);
	/* Its scope is there for all of the batch, and gone with it. */
	tx = db_rig_begin(db, &once);
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
	tx = db_rig_begin(db, &none);
	assert_result(db_run(tx, &rows, "SELECT count(*), current_setting('transaction_read_only') FROM tenants"), 0);
	assert_string_equal(db_text(rows, 0, 0), "0");
	assert_string_equal(db_text(rows, 0, 1), "off");
	db_rows_free(rows);
	db_rollback(tx);
	/* Neither a write nor an error leaves anything behind, nor does one that was never run. */
	tx = db_rig_begin(db, &once);
	assert_result(db_rig_insert(tx, "prj_0000000000000099", "once", "1879048298"), -EIO);
	db_rollback(tx);
	tx = db_rig_begin(db, &once);
	assert_result(db_run(tx, NULL, "SELECT 1 / 0"), -EINVAL);
	assert_result(db_commit(tx), -EINVAL);
	tx = db_rig_begin(db, &once);
	assert_result(db_later(tx, "SELECT set_config('control.tenant', '" TENANT_B "', true)"), 0);
	db_rollback(tx);
	tx = db_rig_begin(db, &once);
	assert_result(db_run(tx, &rows, "SELECT id FROM tenants"), 0);
	assert_string_equal(db_text(rows, 0, 0), TENANT_A);
	db_rows_free(rows);
	assert_result(db_commit(tx), 0);
	assert_int_equal(db_rig_count("once"), 0);
	assert_int_equal(db_counts(db).lost, 0);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void test_a_slow_statement_is_stopped(void **state)
{
	struct db *db = db_rig_pool(1, 1000, 100);
	struct db_tx *tx = db_rig_begin(db, &none);

	assert_result(db_run(tx, NULL, "SELECT pg_sleep(30)"), -EBUSY);
	db_rollback(tx);
	assert_int_equal(db_counts(db).timeouts, 1);
	db_destroy(db);
}

static void *update_other_way(void *context)
{
	struct db *db = context;
	struct db_tx *tx = db_rig_begin(db, &platform);
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
	struct db *db = db_rig_pool(2, 1000, 10000);
	struct db_tx *tx = db_rig_begin(db, &platform);
	pthread_t thread;
	void *other = NULL;
	int result;

	assert_result(db_run(tx, NULL, "UPDATE tenants SET name = 'y' WHERE id = $1", TENANT_A), 0);
	assert_int_equal(pthread_create(&thread, NULL, update_other_way, db), 0);
	/* The other one has its row as soon as this one may not lock it. */
	for (;;) {
		char taken[8];

		cluster_sql(&db_rig_cluster,
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
	struct db *db = db_rig_pool(2, 50, 5000);
	struct db_tx *one = db_rig_begin(db, &none), *two = db_rig_begin(db, &none), *three = NULL;

	assert_result(db_begin(db, &none, &three), -EBUSY);
	assert_int_equal(db_counts(db).busy, 2);
	db_rollback(one);
	three = db_rig_begin(db, &none);
	db_rollback(two);
	db_rollback(three);
	assert_int_equal(db_counts(db).busy, 0);
	db_destroy(db);
}

static void *take_turns(void *context)
{
	struct db *db = context;

	for (int i = 0; i < 200; i++) {
		struct db_tx *tx = db_rig_begin(db, i % 2 ? &tenant_a : &tenant_b);
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
	struct db *db = db_rig_pool(2, 10000, 5000);
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
	};

	return cmocka_run_group_tests(tests, db_rig_set_up, db_rig_tear_down);
}
