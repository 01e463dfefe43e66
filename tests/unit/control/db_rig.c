/* SPDX-License-Identifier: MIT */
#include "db_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

struct cluster db_rig_cluster;

struct db *db_rig_pool(uint32_t connections, uint32_t wait_ms, uint32_t statement_ms)
{
	struct db_options options = {
		.dsn = db_rig_cluster.service,
		.connections = connections,
		.wait_ms = wait_ms,
		.statement_ms = statement_ms,
	};
	struct db *db = NULL;

	assert_result(db_create(&options, &db), 0);
	return db;
}

struct db_tx *db_rig_begin(struct db *db, const struct db_scope *scope)
{
	struct db_tx *tx = NULL;

	assert_result(db_begin(db, scope, &tx), 0);
	return tx;
}

int db_rig_insert(struct db_tx *tx, const char *id, const char *slug, const char *gid)
{
	return db_run(tx, NULL, "INSERT INTO projects (id, tenant_id, slug, gid) VALUES ($1, $2, $3, $4)", id, TENANT_A,
		      slug, gid);
}

void db_rig_process(struct db_tx *tx, char out[16])
{
	struct db_rows *rows = NULL;

	assert_result(db_run(tx, &rows, "SELECT pg_backend_pid()"), 0);
	(void)snprintf(out, 16, "%s", db_text(rows, 0, 0));
	db_rows_free(rows);
}

int64_t db_rig_count(const char *slug)
{
	char sql[128], out[32];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM control.projects WHERE slug = '%s'", slug);
	cluster_sql(&db_rig_cluster, sql, out, sizeof(out));
	return strtoll(out, NULL, 10);
}

void db_rig_kill(const char *pid)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%s, 5000)", pid);
	cluster_sql(&db_rig_cluster, sql, NULL, 0);
}

int db_rig_set_up(void **state)
{
	cluster_start(&db_rig_cluster);
	cluster_sql(&db_rig_cluster,
		    "INSERT INTO control.tenants (id, slug, gid, id_first, id_count, id_next) VALUES "
		    "('" TENANT_A "', 'a', 1879048192, 1879048192, 65536, 1879048200), "
		    "('" TENANT_B "', 'b', 1879113728, 1879113728, 65536, 1879113736)",
		    NULL, 0);
	return 0;
}

int db_rig_tear_down(void **state)
{
	cluster_stop(&db_rig_cluster);
	return 0;
}
