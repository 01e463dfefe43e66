/* SPDX-License-Identifier: MIT
 *
 * PostgreSQL on libpq: a pool of connections with health checks, and transactions that set their scope first, so that
 * row-level security shows one tenant and no other. All values go as parameters; statements are literals and are
 * prepared once a connection.
 *
 * Blocking: called on worker threads. A pool is thread-safe, a transaction belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/problem.h"

struct db;
struct db_options {
	const char *dsn;       /* libpq's connection string */
	uint32_t connections;  /* at most */
	uint32_t wait_ms;      /* for a free one */
	uint32_t statement_ms; /* statement_timeout */
};
int db_create(const struct db_options *options, struct db **ret);
void db_destroy(struct db *db); /* takes NULL; all transactions have ended */
DEFINE_CLEANUP(struct db, db_destroy)
/* Can the database be asked, and is its schema ours? 0, or -errno with the problem. */
int db_check(struct db *db, struct problem *problem);
struct db_counts {
	uint32_t open, busy;
	uint64_t transactions, retries, lost, timeouts;
};
struct db_counts db_counts(struct db *db);

struct db_scope {
	const char *tenant_id; /* NULL: none, so no tenant's row is visible */
	bool platform;         /* operators' and hosts' own tables (control.platform) */
	bool read_only;
	bool one_snapshot; /* all statements see the same moment (repeatable read) */
	/* Read-only, and over with its first db_run: that, what was queued before it and the scope travel together, in
	 * one round trip without BEGIN and COMMIT. A second db_run is -EINVAL. */
	bool once;
};
struct db_tx;
/* Negative results of all below:
 *   -EAGAIN   connection lost, deadlock, serialization: end the transaction and run it again from its beginning
 *   -EEXIST   unique violation        -ENOENT  foreign key        -EINVAL  check constraint, bad value
 *   -EBUSY    no connection was to be had, or a statement not done, in time
 *   -EIO      anything else (logged, with its SQLSTATE)
 * db_constraint() then names the constraint. After the first of them a transaction can only be ended; until then it
 * says the same again. Nothing is sent by db_begin: BEGIN and the scope go with the first statement. Names of tables
 * need no schema. */
int db_begin(struct db *db, const struct db_scope *scope, struct db_tx **ret);
/* From here on the transaction is in another tenant's scope. Queued; nothing where it is in that one. Never in one that
 * is `once`. */
int db_switch_tenant(struct db_tx *tx, const char *tenant_id);
/* Every tenant in turn, in one transaction that is in its scope and the platform's; commits it at the end. Non-zero of
 * `each` ends it, and is returned. */
int db_each_tenant(struct db *db, int (*each)(void *context, struct db_tx *tx, const char *tenant_id), void *context);
/* 0, or: -EAGAIN it certainly did not commit. An unknown outcome (connection lost in the middle of COMMIT) is found out
 * by pg_xact_status on another connection; when that cannot be asked, or the server crashed meanwhile and may have
 * given the transaction's id a second time: -EIO. */
int db_commit(struct db_tx *tx);
void db_rollback(struct db_tx *tx); /* takes NULL; ends it. db_commit ends it, too */
DEFINE_CLEANUP(struct db_tx, db_rollback)
const char *db_constraint(const struct db_tx *tx);

/* Parameters and fields are text; bytes as "\x…" hex (db_hex). NULL is NULL. */
struct db_rows;
int db_query(struct db_tx *tx, struct db_rows **ret, const char *sql, unsigned count, const char *const *values);
/* db_run(tx, &rows, "SELECT … $1", id)    `ret` may be NULL: rows are not wanted. */
#define db_run(tx, ret, sql, ...)                                                                  \
	db_query(tx, ret, sql, sizeof((const char *[]){NULL, ##__VA_ARGS__}) / sizeof(char *) - 1, \
		 ((const char *[]){NULL, ##__VA_ARGS__}) + 1)
/* Queued and sent with the next db_run or db_commit in one round trip (libpq's pipeline); its error comes from there.
 */
int db_queue(struct db_tx *tx, const char *sql, unsigned count, const char *const *values);
#define db_later(tx, sql, ...)                                                                \
	db_queue(tx, sql, sizeof((const char *[]){NULL, ##__VA_ARGS__}) / sizeof(char *) - 1, \
		 ((const char *[]){NULL, ##__VA_ARGS__}) + 1)
/* Queued like db_queue; its rows come with the next db_query, which has to follow in the same function (*ret is NULL
 * until then, and stays NULL where that fails). Saves a round trip where the answers do not make the questions. */
int db_want_query(struct db_tx *tx, struct db_rows **ret, const char *sql, unsigned count, const char *const *values);
#define db_want(tx, ret, sql, ...)                                                                      \
	db_want_query(tx, ret, sql, sizeof((const char *[]){NULL, ##__VA_ARGS__}) / sizeof(char *) - 1, \
		      ((const char *[]){NULL, ##__VA_ARGS__}) + 1)

uint32_t db_row_count(const struct db_rows *rows);
uint64_t db_affected(const struct db_rows *rows);
/* "" for NULL; see db_is_null. Borrowed from rows. */
const char *db_text(const struct db_rows *rows, uint32_t row, unsigned column);
bool db_is_null(const struct db_rows *rows, uint32_t row, unsigned column);
int64_t db_i64(const struct db_rows *rows, uint32_t row, unsigned column);
bool db_bool(const struct db_rows *rows, uint32_t row, unsigned column);
/* A bytea's bytes, malloc'd (never NULL unless out of memory). */
int db_bytes(const struct db_rows *rows, uint32_t row, unsigned column, uint8_t **ret, size_t *ret_length);
void db_rows_free(struct db_rows *rows); /* takes NULL */
DEFINE_CLEANUP(struct db_rows, db_rows_free)
/* "\x…", malloc'd; NULL: out of memory. */
char *db_hex(const void *data, size_t length);
/* Many rows without holding them all: one at a time, in order. `row` non-zero stops and is returned; the transaction is
 * still good then. `row` must not use it. */
int db_each(struct db_tx *tx, int (*row)(void *context, const struct db_rows *rows), void *context, const char *sql,
	    unsigned count, const char *const *values);

/* A connection of its own that LISTENs, for wake-ups; poll its descriptor, which stays the same. Belongs to one thread,
 * and outlives its pool no more than a transaction does. */
struct db_listener;
int db_listen(struct db *db, const char *channel, struct db_listener **ret);
int db_listener_fd(const struct db_listener *listener);
/* Takes in what came: `payload` for each notification. -EAGAIN: the connection was lost and is being made anew. */
int db_listener_read(struct db_listener *listener, void (*notified)(void *context, const char *payload), void *context);
void db_listener_free(struct db_listener *listener); /* takes NULL */
DEFINE_CLEANUP(struct db_listener, db_listener_free)
