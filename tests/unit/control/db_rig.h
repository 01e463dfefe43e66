/* SPDX-License-Identifier: MIT
 *
 * A database with two tenants, and what tests of transactions do with it.
 */
#pragma once

#include <stdint.h>

#include "cluster.h"
#include "control_plane/db/db.h"

#define TENANT_A "ten_AAAAAAAAAAAAAAAA"
#define TENANT_B "ten_BBBBBBBBBBBBBBBB"

extern struct cluster db_rig_cluster;

struct db *db_rig_pool(uint32_t connections, uint32_t wait_ms, uint32_t statement_ms);
/* Fails the test when there is none. */
struct db_tx *db_rig_begin(struct db *db, const struct db_scope *scope);
/* A project of tenant A, by its own transaction. */
int db_rig_insert(struct db_tx *tx, const char *id, const char *slug, const char *gid);
/* The server's process that serves the transaction, and its end. */
void db_rig_process(struct db_tx *tx, char out[16]);
void db_rig_kill(const char *pid);
int64_t db_rig_count(const char *slug); /* projects that were committed */
int db_rig_set_up(void **state);
int db_rig_tear_down(void **state);
