/* SPDX-License-Identifier: MIT
 *
 * Transactions against a real server: what is left of them when the server, its process or the connection
 * dies.
 */
#include "../unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cluster.h"
#include "control_plane/db/db.h"
#include "db_rig.h"

static const struct db_scope none = {0}, tenant_a = {.tenant_id = TENANT_A}, tenant_b = {.tenant_id = TENANT_B};

static void test_killed_between_statements_is_to_be_run_again(void **state)
{
	struct db *db = db_rig_pool(1, 5000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);
	char pid[16];

	assert_result(db_rig_insert(tx, "prj_0000000000000kil", "kil", "1879048303"), 0);
	db_rig_process(tx, pid);
	db_rig_kill(pid);
	assert_result(db_run(tx, NULL, "SELECT 1"), -EAGAIN);
	assert_result(db_commit(tx), -EAGAIN);
	assert_int_equal(db_rig_count("kil"), 0);
	/* And again, on the connection that takes the place. */
	tx = db_rig_begin(db, &tenant_a);
	assert_result(db_rig_insert(tx, "prj_0000000000000kil", "kil", "1879048303"), 0);
	assert_result(db_commit(tx), 0);
	assert_int_equal(db_rig_count("kil"), 1);
	assert_int_equal(db_counts(db).open, 1);
	db_destroy(db);
}

static void test_killed_before_commit_is_to_be_run_again(void **state)
{
	struct db *db = db_rig_pool(1, 5000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);
	char pid[16];

	db_rig_process(tx, pid);
	assert_result(db_rig_insert(tx, "prj_0000000000000kic", "kic", "1879048304"),
		      0); /* its id was not asked for yet */
	db_rig_kill(pid);
	assert_result(db_commit(tx), -EAGAIN);
	assert_int_equal(db_rig_count("kic"), 0);
	db_destroy(db);
}

static void test_killed_while_idle_is_not_noticed(void **state)
{
	struct db *db = db_rig_pool(1, 5000, 5000);
	struct db_tx *tx = db_rig_begin(db, &tenant_a);
	char pid[16];

	db_rig_process(tx, pid);
	assert_result(db_commit(tx), 0);
	db_rig_kill(pid);
	tx = db_rig_begin(db, &tenant_a);
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
		cluster_sql(&db_rig_cluster, sql, out, sizeof(out));
		(void)nanosleep(&pause, NULL);
	}
}

static void test_killed_in_commit_before_it_happened(void **state)
{
	struct db *db = db_rig_pool(2, 5000, 10000), *holder = db_rig_pool(1, 5000, 10000);
	struct db_tx *lock = db_rig_begin(holder, &none);
	struct committing committing = {.tx = db_rig_begin(db, &tenant_a)};
	pthread_t thread;
	char pid[16];

	cluster_sql(&db_rig_cluster, slow_commit, NULL, 0);
	assert_result(db_run(lock, NULL, "SELECT pg_advisory_lock(4711)"), 0);
	db_rig_process(committing.tx, pid);
	assert_result(db_run(committing.tx, NULL, "INSERT INTO slow VALUES (1)"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	await_sql("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
	db_rig_kill(pid);
	(void)pthread_join(thread, NULL);
	assert_result(committing.result, -EAGAIN);
	db_rollback(lock);
	{
		char left[8];

		cluster_sql(&db_rig_cluster, "SELECT count(*) FROM control.slow", left, sizeof(left));
		assert_string_equal(left, "0");
	}
	db_destroy(db);
	db_destroy(holder);
}

/* The server process hangs past the client's patience, and would commit later: it is ended, and the outcome known. */
static void test_silent_in_commit_is_resolved(void **state)
{
	struct db *db = db_rig_pool(2, 5000, 1), *holder = db_rig_pool(1, 5000, 20000);
	struct db_tx *lock = db_rig_begin(holder, &none);
	struct committing committing = {.tx = db_rig_begin(db, &tenant_a)};
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
	cluster_sql(&db_rig_cluster, "SELECT count(*) FROM control.slow", left, sizeof(left));
	assert_string_equal(left, "0");
	db_destroy(db);
	db_destroy(holder);
}

/* COMMIT happened, but its answer never came: the process ended while it waited for a standby. */
static void test_killed_in_commit_after_it_happened(void **state)
{
	struct db *db = db_rig_pool(2, 5000, 20000);
	struct committing committing = {.tx = db_rig_begin(db, &tenant_a)};
	pthread_t thread;
	char pid[16], sql[160];

	cluster_sql(&db_rig_cluster, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", NULL, 0);
	cluster_sql(&db_rig_cluster, "SELECT pg_reload_conf()", NULL, 0);
	await_sql("SELECT current_setting('synchronous_standby_names') = 'nobody'");
	db_rig_process(committing.tx, pid);
	assert_result(db_rig_insert(committing.tx, "prj_0000000000000syn", "syn", "1879048305"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	(void)snprintf(sql, sizeof(sql), "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s", pid);
	await_sql(sql);
	db_rig_kill(pid);
	(void)pthread_join(thread, NULL);
	assert_result(committing.result, 0);
	assert_int_equal(db_rig_count("syn"), 1);
	cluster_sql(&db_rig_cluster, "ALTER SYSTEM RESET synchronous_standby_names", NULL, 0);
	cluster_sql(&db_rig_cluster, "SELECT pg_reload_conf()", NULL, 0);
	db_destroy(db);
}

static void test_restarted_server_costs_one_try(void **state)
{
	for (int hard = 0; hard < 2; hard++) {
		struct db *db = db_rig_pool(3, 20000, 5000);
		struct db_tx *open = db_rig_begin(db, &tenant_a), *idle = db_rig_begin(db, &tenant_b);
		struct db_rows *rows = NULL;

		assert_result(db_run(open, NULL, "SELECT 1"), 0);
		assert_result(db_run(idle, NULL, "SELECT 1"), 0);
		assert_result(db_commit(idle), 0);
		cluster_restart(&db_rig_cluster, hard == 1);
		assert_result(db_run(open, NULL, "SELECT 1"), -EAGAIN);
		db_rollback(open);
		open = db_rig_begin(db, &tenant_a);
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
	struct db *db = db_rig_pool(2, 20000, 20000), *holder = db_rig_pool(1, 5000, 20000);
	struct db_tx *lock;
	struct committing committing;
	pthread_t thread;
	char left[8];

	cluster_sql(&db_rig_cluster, "ALTER SYSTEM SET wal_writer_delay = '10s'", NULL, 0);
	cluster_restart(&db_rig_cluster, false);
	lock = db_rig_begin(holder, &none);
	assert_result(db_run(lock, NULL, "SELECT pg_advisory_lock(4711)"), 0);
	cluster_sql(&db_rig_cluster, "CHECKPOINT", NULL, 0);
	committing.tx = db_rig_begin(db, &tenant_a);
	assert_result(db_run(committing.tx, NULL, "INSERT INTO slow VALUES (3)"), 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_slowly, &committing), 0);
	await_sql("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
	cluster_down(&db_rig_cluster, true);
	cluster_up(&db_rig_cluster);
	cluster_sql(&db_rig_cluster,
		    "DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$", NULL, 0);
	(void)pthread_join(thread, NULL);
	assert_true(committing.result == -EIO || committing.result == -EAGAIN);
	cluster_sql(&db_rig_cluster, "SELECT count(*) FROM control.slow WHERE x = 3", left, sizeof(left));
	assert_string_equal(left, "0");
	cluster_sql(&db_rig_cluster, "ALTER SYSTEM RESET wal_writer_delay", NULL, 0);
	db_rollback(lock);
	db_destroy(db);
	db_destroy(holder);
}

static void test_absent_server_is_waited_for_and_then_said(void **state)
{
	struct db *db = db_rig_pool(2, 300, 5000);
	struct db_tx *tx = NULL;
	struct problem problem = {0};

	assert_result(db_check(db, &problem), 0);
	cluster_down(&db_rig_cluster, false);
	assert_result(db_begin(db, &none, &tx), -EBUSY);
	assert_true(db_check(db, &problem) < 0);
	assert_non_null(strstr(problem.remedy, "tenant-control doctor"));
	cluster_up(&db_rig_cluster);
	db_destroy(db);
	db = db_rig_pool(2, 20000, 5000);
	assert_result(db_check(db, &problem), 0);
	db_destroy(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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

	return cmocka_run_group_tests(tests, db_rig_set_up, db_rig_tear_down);
}
