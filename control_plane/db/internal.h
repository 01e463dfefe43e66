/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share: the pool, its connections, and what is on its way in each of them.
 *
 * Every connection is always in libpq's pipeline mode and never blocks in libpq: what waits is connection_result(),
 * with a limit, so a server that hangs costs a connection and not a thread.
 */
#pragma once

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control_plane/db/db.h"

#define STATEMENT_BUCKETS 256U
#define STATEMENTS_MAX 1024U
#define XID_TEXT_SIZE 24
/* Since when the server has its statistics. It throws them away when it recovers from a crash, and only then (or when
 * somebody resets them): the same text means that nothing was forgotten in between. */
#define SERVER_SINCE_SQL "(SELECT extract(epoch FROM stats_reset)::text FROM pg_stat_wal)"
#define SERVER_SINCE_SIZE 32

/* A statement as one connection knows it. */
struct statement {
	char *sql;
	uint64_t hash;
	char name[16];
	enum { STATEMENT_NEW, STATEMENT_SENT, STATEMENT_PREPARED } state;
	struct statement *next;
};

enum expected_kind { EXPECT_PREPARED, EXPECT_DONE, EXPECT_XID, EXPECT_ROWS };
/* An answer that the server owes us, in order. */
struct expected {
	enum expected_kind kind;
	struct statement *statement; /* EXPECT_PREPARED */
	struct db_rows **rows;       /* where its rows are wanted; NULL */
};

struct connection {
	PGconn *pg;
	bool local;                    /* by a UNIX socket: what the server wrote before it died is there to read */
	bool lost;                     /* of no more use */
	bool silent;                   /* lost because nothing came in time: the server may go on */
	uint32_t wait_ms;              /* for a sign of life; 0: for ever */
	char since[SERVER_SINCE_SIZE]; /* SERVER_SINCE_SQL, when it was made */
	struct statement *statements[STATEMENT_BUCKETS];
	uint32_t statement_count;
	struct expected *expected;
	size_t expected_count, expected_room;
	struct connection *next; /* in the pool's list of idle ones */
};

struct db {
	char *dsn;
	struct db_options options;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* one became idle, or may be made */
	struct connection *idle;
	uint32_t open; /* also those that are being made */
	bool connecting;
	uint32_t backoff_ms;     /* 0: the last attempt succeeded */
	uint64_t next_attempt;   /* µs of CLOCK_MONOTONIC */
	struct db_counts counts; /* atomically */
};

struct db_rows {
	PGresult *result;
};

/* ---- connection.c ---- */
/* A connection with our settings. NULL: none could be made; `problem` says why. */
PGconn *connection_open(const char *dsn, struct problem *problem);
int connection_new(const struct db *db, struct connection **ret, struct problem *problem);
void connection_free(struct connection *connection); /* takes NULL */
bool connection_is_healthy(struct connection *connection);
/* Puts a statement into the pipeline, preparing it first where this connection does not know it. 0, -ENOMEM, -EAGAIN.
 */
int connection_send(struct connection *connection, enum expected_kind kind, const char *sql, unsigned count,
		    const char *const *values);
/* The end of a batch: the server answers to all of it. */
int connection_sync(struct connection *connection);
/* Sends what is in the buffers, taking in what comes meanwhile. 0 or -EAGAIN (lost). */
int connection_flush(struct connection *connection);
/* The next result, or NULL where one statement's end. -EAGAIN: lost. */
int connection_result(struct connection *connection, PGresult **ret);
/* What an error of the server means for the caller (see db.h). */
int connection_classify(struct connection *connection, const PGresult *result, bool read_only);

/* ---- pool.c ---- */
int pool_take(struct db *db, struct connection **ret);
void pool_give(struct db *db, struct connection *connection);
void pool_count(uint64_t *counter);

/* ---- rows.c ---- */
int rows_new(PGresult *result, struct db_rows **ret); /* takes the result */
