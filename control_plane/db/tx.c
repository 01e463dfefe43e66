/* SPDX-License-Identifier: MIT
 *
 * Transactions. Statements go into the connection's pipeline; db_run, db_each and db_commit end a batch and read every
 * answer that is owed.
 *
 * When the connection breaks while COMMIT is under way, nobody can tell from here whether it happened. The server can,
 * if it is asked by the transaction's id. That id costs a small statement, so it is asked for only once something was
 * written, and it has to be known here before COMMIT is on its way: see ask_for_xid().
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control_plane/db/internal.h"

#define RESOLVE_USEC (10 * USEC_PER_SEC)
#define RESOLVE_PAUSE_NSEC 50000000L
#define CONSTRAINT_SIZE 64

struct db_tx {
	struct db *db;
	struct connection *connection;
	char tenant_id[ID_MAX_BYTES + 1];
	bool platform, read_only, one_snapshot, once;
	bool begun;   /* BEGIN was sent; of `once`: the scope was */
	bool ran;     /* a batch of it was sent */
	bool wrote;   /* the server said so of a statement */
	bool xid_due; /* it is asked for */
	char xid[XID_TEXT_SIZE];
	int failure; /* the first one */
	char constraint[CONSTRAINT_SIZE];
};

int db_begin(struct db *db, const struct db_scope *scope, struct db_tx **ret)
{
	struct db_tx *tx;
	int result;

	if ((scope->tenant_id && strlen(scope->tenant_id) > ID_MAX_BYTES) || (scope->once && scope->one_snapshot))
		return -EINVAL;
	tx = calloc(1, sizeof(*tx));
	if (!tx)
		return -ENOMEM;
	result = pool_take(db, &tx->connection);
	if (result < 0) {
		free(tx);
		return result;
	}
	tx->db = db;
	(void)snprintf(tx->tenant_id, sizeof(tx->tenant_id), "%s", scope->tenant_id ? scope->tenant_id : "");
	tx->platform = scope->platform;
	tx->once = scope->once;
	tx->read_only = scope->read_only || scope->once;
	tx->one_snapshot = scope->one_snapshot;
	pool_count(&db->counts.transactions);
	*ret = tx;
	return 0;
}

static int fail(struct db_tx *tx, int result)
{
	if (result < 0 && tx->failure == 0) {
		tx->failure = result;
		if (result == -EAGAIN)
			pool_count(&tx->db->counts.retries);
		else if (result == -EBUSY)
			pool_count(&tx->db->counts.timeouts);
	}
	return tx->failure;
}

static const char *begin_text(const struct db_tx *tx)
{
	if (tx->one_snapshot)
		return tx->read_only ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
				     : "BEGIN ISOLATION LEVEL REPEATABLE READ";
	return tx->read_only ? "BEGIN READ ONLY" : "BEGIN";
}

static int begin(struct db_tx *tx)
{
	const char *const values[] = {tx->tenant_id, tx->platform ? "on" : "off"};
	int result;

	if (tx->begun)
		return 0;
	tx->begun = true;
	/* What stands between two marks of the pipeline is a transaction by itself, so what is set "local" holds for
	 * all of it and no longer. */
	if (tx->once)
		return connection_send(tx->connection, EXPECT_DONE,
				       "SELECT set_config('control.tenant', $1, true), set_config('control.platform', "
				       "$2, true), set_config('transaction_read_only', 'on', true)",
				       2, values);
	result = connection_send(tx->connection, EXPECT_DONE, begin_text(tx), 0, NULL);
	if (result < 0)
		return result;
	return connection_send(
		tx->connection, EXPECT_DONE,
		"SELECT set_config('control.tenant', $1, true), set_config('control.platform', $2, true)", 2, values);
}

static int ask_for_xid(struct db_tx *tx)
{
	if (tx->xid_due || tx->read_only)
		return 0;
	tx->xid_due = true;
	return connection_send(tx->connection, EXPECT_XID, "SELECT pg_current_xact_id_if_assigned()", 0, NULL);
}

int db_queue(struct db_tx *tx, const char *sql, unsigned count, const char *const *values)
{
	int result = tx->once && tx->ran ? -EINVAL : tx->failure;

	if (result == 0)
		result = begin(tx);
	if (result == 0)
		result = connection_send(tx->connection, EXPECT_DONE, sql, count, values);
	return fail(tx, result);
}

int db_want_query(struct db_tx *tx, struct db_rows **ret, const char *sql, unsigned count, const char *const *values)
{
	struct connection *connection = tx->connection;
	int result = db_queue(tx, sql, count, values);

	*ret = NULL;
	if (result == 0)
		connection->expected[connection->expected_count - 1].rows = ret;
	return result;
}

/* Whoever wanted rows may be gone by now. */
static void forget_wants(struct connection *connection)
{
	for (size_t i = 0; i < connection->expected_count; i++)
		connection->expected[i].rows = NULL;
}

int db_switch_tenant(struct db_tx *tx, const char *tenant_id)
{
	int result = tx->once || strlen(tenant_id) > ID_MAX_BYTES ? -EINVAL : tx->failure;

	if (result == 0 && strcmp(tx->tenant_id, tenant_id) == 0)
		return 0;
	if (result == 0)
		result = db_later(tx, "SELECT set_config('control.tenant', $1, true)", tenant_id);
	if (fail(tx, result) < 0)
		return tx->failure;
	(void)snprintf(tx->tenant_id, sizeof(tx->tenant_id), "%s", tenant_id);
	return 0;
}

/* ---- answers ---- */
static void take_error(struct db_tx *tx, const PGresult *answer)
{
	int result = connection_classify(tx->connection, answer, tx->read_only);
	const char *constraint = PQresultErrorField(answer, PG_DIAG_CONSTRAINT_NAME);

	if (tx->failure == 0)
		(void)snprintf(tx->constraint, sizeof(tx->constraint), "%s", constraint ? constraint : "");
	(void)fail(tx, result);
}

static bool tag_writes(const char *tag)
{
	return text_starts(tag, "INSERT") || text_starts(tag, "UPDATE") || text_starts(tag, "DELETE") ||
	       text_starts(tag, "MERGE");
}

/* What one statement says, up to its end. `ret` (may be NULL) takes its result where it succeeded. */
static int take_answer(struct db_tx *tx, const struct expected *expected, PGresult **ret)
{
	bool done = false;

	for (;;) {
		PGresult *answer = NULL;
		ExecStatusType status;
		int result = connection_result(tx->connection, &answer);

		if (result < 0)
			return fail(tx, result);
		if (!answer)
			break;
		status = PQresultStatus(answer);
		if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
			done = true;
			tx->wrote = tx->wrote || tag_writes(PQcmdStatus(answer));
			if (expected->kind == EXPECT_XID && PQntuples(answer) == 1)
				(void)snprintf(tx->xid, sizeof(tx->xid), "%s", PQgetvalue(answer, 0, 0));
			if (ret && !*ret)
				*ret = TAKE_PTR(answer);
		} else if (status != PGRES_PIPELINE_ABORTED) {
			take_error(tx, answer);
		}
		PQclear(answer);
	}
	if (expected->kind == EXPECT_PREPARED)
		expected->statement->state = done ? STATEMENT_PREPARED : STATEMENT_NEW;
	return tx->failure;
}

/* Everything owed but the last answer where `but` is 1. The first failure is kept; the others follow from it. */
static void take_answers(struct db_tx *tx, size_t but)
{
	struct connection *connection = tx->connection;

	for (size_t i = 0; i + but < connection->expected_count && !connection->lost; i++) {
		struct db_rows **rows = connection->expected[i].rows;
		PGresult *answer = NULL;

		(void)take_answer(tx, &connection->expected[i], rows ? &answer : NULL);
		if (answer)
			(void)fail(tx, rows_new(answer, rows));
	}
	if (connection->lost)
		return;
	if (but > 0)
		connection->expected[0] = connection->expected[connection->expected_count - 1];
	connection->expected_count = but;
}

/* The mark that ends a batch. */
static void take_sync(struct db_tx *tx)
{
	unsigned nothing = 0; /* in a row: more than the ends of statements would be nobody's mark to wait for */

	while (!tx->connection->lost) {
		PGresult *answer = NULL;
		bool end;

		if (fail(tx, connection_result(tx->connection, &answer)) < 0 && tx->connection->lost)
			return;
		end = answer && PQresultStatus(answer) == PGRES_PIPELINE_SYNC;
		if (answer && !end && PQresultStatus(answer) == PGRES_FATAL_ERROR)
			take_error(tx, answer);
		PQclear(answer);
		if (end)
			return;
		nothing = answer ? 0 : nothing + 1;
		if (nothing > 2)
			tx->connection->lost = true;
	}
}

/* Sends one wanted statement and all that waits before it, and reads the answers up to the wanted one. */
static int run(struct db_tx *tx, const char *sql, unsigned count, const char *const *values)
{
	struct connection *connection = tx->connection;
	int result = tx->failure;

	if (result == 0 && tx->once && tx->ran)
		result = -EINVAL;
	tx->ran = true;
	if (result == 0)
		result = begin(tx);
	if (result == 0 && tx->wrote)
		result = ask_for_xid(tx);
	if (result == 0)
		result = connection_send(connection, EXPECT_ROWS, sql, count, values);
	if (result == 0)
		result = connection_sync(connection);
	if (result == 0)
		result = connection_flush(connection);
	if (fail(tx, result) < 0)
		return tx->failure;
	take_answers(tx, 1);
	return connection->lost ? fail(tx, -EAGAIN) : 0;
}

int db_query(struct db_tx *tx, struct db_rows **ret, const char *sql, unsigned count, const char *const *values)
{
	PGresult *answer = NULL;
	int result = run(tx, sql, count, values);

	if (ret)
		*ret = NULL;
	if (result < 0)
		return result;
	(void)take_answer(tx, &tx->connection->expected[0], &answer);
	tx->connection->expected_count = 0;
	take_sync(tx);
	if (tx->failure < 0 || !ret) {
		PQclear(answer);
		return tx->failure;
	}
	return answer ? fail(tx, rows_new(answer, ret)) : fail(tx, -EIO);
}

int db_each(struct db_tx *tx, int (*row)(void *context, const struct db_rows *rows), void *context, const char *sql,
	    unsigned count, const char *const *values)
{
	int stopped = 0, result = run(tx, sql, count, values);

	if (result < 0)
		return result;
	if (tx->failure == 0 && PQsetSingleRowMode(tx->connection->pg) != 1)
		return fail(tx, -EIO);
	for (;;) {
		PGresult *answer = NULL;

		if (fail(tx, connection_result(tx->connection, &answer)) < 0 && tx->connection->lost)
			break;
		if (!answer)
			break;
		if (PQresultStatus(answer) == PGRES_SINGLE_TUPLE) {
			const struct db_rows rows = {.result = answer};

			if (stopped == 0)
				stopped = row(context, &rows);
		} else if (PQresultStatus(answer) == PGRES_FATAL_ERROR) {
			take_error(tx, answer);
		}
		PQclear(answer);
	}
	tx->connection->expected_count = 0;
	take_sync(tx);
	return tx->failure < 0 ? tx->failure : stopped;
}

const char *db_constraint(const struct db_tx *tx)
{
	return tx->constraint;
}

/* ---- the end ---- */
static void end(struct db_tx *tx)
{
	if (tx->connection)
		pool_give(tx->db, tx->connection);
	free(tx);
}

static void send_rollback(struct db_tx *tx)
{
	struct connection *connection = tx->connection;

	if (connection_send(connection, EXPECT_DONE, "ROLLBACK", 0, NULL) < 0 || connection_sync(connection) < 0 ||
	    connection_flush(connection) < 0)
		return;
	take_answers(tx, 0);
	take_sync(tx);
}

void db_rollback(struct db_tx *tx)
{
	struct connection *connection;

	if (!tx)
		return;
	connection = tx->connection;
	forget_wants(connection);
	/* What was queued and never sent goes along: the server forgets it all. */
	if (tx->begun && !(tx->once && tx->ran) && !connection->lost) {
		send_rollback(tx);
		/* A statement of the queue failed, and the server passed over ROLLBACK with the rest of the batch. */
		if (!connection->lost && PQtransactionStatus(connection->pg) == PQTRANS_INERROR)
			send_rollback(tx);
	}
	end(tx);
}

/* 1: committed, 0: not; -EIO: nobody says. A server that crashed gives ids a second time when nothing of the first
 * transaction had reached its disk: then "committed" may be said of another one. */
static int ask_outcome(struct db *db, const char *xid, const char *pid, const char *since)
{
	static const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *status;
	int result = db_begin(db, &scope, &tx);

	/* A server process that did not notice that we are gone might commit later on: it is ended. */
	if (result == 0)
		result = db_run(tx, &rows,
				"SELECT pg_xact_status($1::xid8), (SELECT count(pg_terminate_backend(pid)) FROM "
				"pg_stat_activity "
				"WHERE pid = $2::int AND backend_xid = ($1::xid8)::xid), " SERVER_SINCE_SQL,
				xid, pid);
	if (result == -EAGAIN || result == -EBUSY)
		return -EAGAIN;
	if (result == -EINVAL)
		return 0; /* an id of the future: the server has forgotten the one that had it */
	if (result < 0)
		return -EIO;
	status = db_text(rows, 0, 0);
	if (strcmp(status, "committed") == 0)
		return *since && strcmp(db_text(rows, 0, 2), since) == 0 ? 1 : -EIO;
	if (strcmp(status, "aborted") == 0)
		return 0;
	return strcmp(status, "in progress") == 0 ? -EAGAIN : -EIO;
}

static int resolve(struct db *db, const char *xid, int backend, const char *since)
{
	static const struct timespec pause = {.tv_nsec = RESOLVE_PAUSE_NSEC};
	uint64_t until = clock_boottime_usec() + RESOLVE_USEC;
	char pid[16];
	int outcome;

	(void)snprintf(pid, sizeof(pid), "%d", backend);
	while ((outcome = ask_outcome(db, xid, pid, since)) == -EAGAIN && clock_boottime_usec() < until)
		(void)nanosleep(&pause, NULL);
	if (outcome < 0) {
		log_error("database: whether transaction %s committed cannot be found out", xid);
		return -EIO;
	}
	log_notice("database: the connection was lost in COMMIT; transaction %s %s", xid,
		   outcome == 1 ? "committed" : "did not commit");
	return outcome == 1 ? 0 : -EAGAIN;
}

/* Before COMMIT: 0 when the id is here or on its way ahead of COMMIT's answer. */
static int learn_xid(struct db_tx *tx)
{
	struct connection *connection = tx->connection;
	int result;

	if (tx->read_only || tx->xid[0])
		return 0;
	tx->xid_due = false; /* the answer before may have been "none yet" */
	result = ask_for_xid(tx);
	if (result < 0)
		return fail(tx, result);
	/* On this machine what the server wrote before it died can still be read, so it is enough that it writes the id
	 * before it commits. On a network the answer has to be seen first. */
	if (connection->local)
		return PQsendFlushRequest(connection->pg) == 1 ? 0 : fail(tx, -EAGAIN);
	result = connection_sync(connection);
	if (result == 0)
		result = connection_flush(connection);
	if (fail(tx, result) < 0)
		return tx->failure;
	take_answers(tx, 0);
	take_sync(tx);
	return tx->failure;
}

int db_commit(struct db_tx *tx)
{
	struct connection *connection = tx->connection;
	struct expected last = {.kind = EXPECT_DONE};
	PGresult *answer = NULL;
	struct db *db = tx->db;
	char xid[XID_TEXT_SIZE], since[SERVER_SINCE_SIZE];
	bool committed = false, unknown = false;
	int result, backend;

	forget_wants(connection);
	if (tx->failure < 0 || !tx->begun || tx->once || learn_xid(tx) < 0) {
		result = tx->failure;
		db_rollback(tx);
		return result;
	}
	result = connection_send(connection, EXPECT_DONE, "COMMIT", 0, NULL);
	if (result == 0)
		result = connection_sync(connection);
	/* From here on the server may have it, whatever is said to us. */
	if (result == 0)
		result = connection_flush(connection);
	if (fail(tx, result) == 0) {
		take_answers(tx, 1);
		if (!connection->lost) {
			last = connection->expected[0];
			(void)take_answer(tx, &last, &answer);
			connection->expected_count = 0;
			committed = answer && strcmp(PQcmdStatus(answer), "COMMIT") == 0;
			PQclear(answer);
			take_sync(tx);
		}
	}
	result = tx->failure;
	backend = PQbackendPID(connection->pg);
	memcpy(xid, tx->xid, sizeof(xid));
	memcpy(since, connection->since, sizeof(since));
	unknown = connection->lost && !committed && !tx->read_only;
	if (unknown && !xid[0] && connection->silent && connection->local) {
		log_error("database: no answer to COMMIT, and the transaction's id is not known");
		result = -EIO;
	}
	if (!committed && !connection->lost) { /* an error of a queued statement, or of a check at the end */
		db_rollback(tx);
		return result < 0 ? result : -EIO;
	}
	end(tx);
	if (committed)
		return 0;
	if (unknown && xid[0])
		return resolve(db, xid, backend, since);
	return result < 0 ? result : -EAGAIN;
}
