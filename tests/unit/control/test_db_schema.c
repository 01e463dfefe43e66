/* SPDX-License-Identifier: MIT
 *
 * The schema's migrations, and wake-ups, against a real server.
 */
#include "../unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "control_plane/db/db.h"
#include "control_plane/db/migrate.h"

static struct cluster cluster;

static struct db *open_pool(void)
{
	struct db_options options = {.dsn = cluster.service, .connections = 1, .wait_ms = 1000, .statement_ms = 5000};
	struct db *db = NULL;

	assert_result(db_create(&options, &db), 0);
	return db;
}

static int setup(void **state)
{
	cluster_start(&cluster);
	return 0;
}

static int teardown(void **state)
{
	cluster_stop(&cluster);
	return 0;
}

/* ---- schema ---- */
static void count_report(void *context, const char *name)
{
	unsigned *count = context;

	(*count)++;
	assert_non_null(name);
}

static void test_migrations_run_once_and_stand_fast(void **state)
{
	struct db *db = open_pool();
	struct problem problem = {0};
	unsigned count = 0;

	assert_result(migrate(cluster.admin, false, count_report, &count, &problem), 0);
	assert_result(migrate(cluster.service, true, count_report, &count, &problem), 0);
	assert_int_equal(count, 0);
	/* The service's own role changes no schema. */
	assert_true(migrate(cluster.service, false, count_report, &count, &problem) < 0);
	/* A migration that was changed afterwards, and one of a newer program. */
	cluster_sql(&cluster, "UPDATE control.migrations SET sha256 = 'x' || sha256 WHERE name LIKE '0001%'", NULL, 0);
	assert_result(migrate(cluster.admin, false, count_report, &count, &problem), -ESTALE);
	assert_non_null(strstr(problem.text, "not the one that was applied"));
	cluster_sql(&cluster, "UPDATE control.migrations SET sha256 = substr(sha256, 2) WHERE name LIKE '0001%'", NULL,
		    0);
	cluster_sql(&cluster, "INSERT INTO control.migrations (name, sha256) VALUES ('9999_future', '')", NULL, 0);
	assert_result(migrate(cluster.admin, false, count_report, &count, &problem), -ESTALE);
	assert_non_null(strstr(problem.text, "9999_future"));
	assert_result(db_check(db, &problem), -ESTALE);
	cluster_sql(&cluster, "DELETE FROM control.migrations WHERE name = '9999_future'", NULL, 0);
	assert_result(db_check(db, &problem), 0);
	assert_int_equal(count, 0);
	db_destroy(db);
}

/* ---- wake-ups ---- */
static void hear(void *context, const char *payload)
{
	char *heard = context;

	(void)snprintf(heard + strlen(heard), 64 - strlen(heard), "%s;", payload);
}

static int listen_once(struct db_listener *listener, char *heard)
{
	struct pollfd fd = {.fd = db_listener_fd(listener), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	return db_listener_read(listener, hear, heard);
}

static void test_notifications_and_a_lost_listener(void **state)
{
	struct db *db = open_pool();
	struct db_listener *listener = NULL;
	char heard[64] = "";
	int fd, result;

	assert_result(db_listen(db, "control_feed", &listener), 0);
	fd = db_listener_fd(listener);
	cluster_sql(
		&cluster,
		"SELECT pg_notify('control_feed', 'one'), pg_notify('control_feed', 'two'), pg_notify('else', 'no')",
		NULL, 0);
	while (strcmp(heard, "one;two;") != 0)
		assert_result(listen_once(listener, heard), 0);
	cluster_sql(&cluster, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
		    NULL, 0);
	/* Lost, and then made anew: each time it is said that something may have been missed. */
	for (int lost = 0; lost < 2; lost += result == -EAGAIN)
		result = listen_once(listener, heard);
	assert_int_equal(db_listener_fd(listener), fd);
	heard[0] = '\0';
	cluster_sql(&cluster, "SELECT pg_notify('control_feed', 'three')", NULL, 0);
	while (strcmp(heard, "three;") != 0)
		assert_result(listen_once(listener, heard), 0);
	db_listener_free(listener);
	db_destroy(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations_run_once_and_stand_fast),
		cmocka_unit_test(test_notifications_and_a_lost_listener),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
