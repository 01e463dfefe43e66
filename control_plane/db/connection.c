/* SPDX-License-Identifier: MIT
 *
 * One connection: how it is made, its prepared statements, sending and waiting, and what its errors mean.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/db/internal.h"

/* Client's limit beyond the server's own: the server is asked first to give up. */
#define GRACE_MS 5000U

static void notice(void *context, const char *text)
{
	log_debug("database: %.*s", (int)strcspn(text, "\n"), text);
}

/* In one round trip. Times and bytes come as this program reads them, whatever the server's own configuration. */
static const char settings_sql[] =
	"SELECT set_config('search_path', 'control, pg_temp', false), set_config('row_security', 'on', false), "
	"set_config('default_transaction_isolation', 'read committed', false), set_config('bytea_output', 'hex', "
	"false), "
	"set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false), "
	"set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false), set_config('jit', 'off', false), "
	"set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false), "
	"set_config('idle_in_transaction_session_timeout', '30s', false), " SERVER_SINCE_SQL;

static void set_connect_problem(const PGconn *pg, struct problem *problem)
{
	const char *text = pg ? PQerrorMessage(pg) : "out of memory";

	(void)problem_set(problem, EIO, "the database cannot be reached: %.*s", (int)strcspn(text, "\n"), text);
}

PGconn *connection_open(const char *dsn, struct problem *problem)
{
	/* What comes before the connection string is a default, what comes after it is a must. */
	const char *const names[] = {"connect_timeout",           "target_session_attrs",
				     "keepalives_idle",           "keepalives_interval",
				     "keepalives_count",          "tcp_user_timeout",
				     "fallback_application_name", "dbname",
				     "client_encoding",           NULL};
	const char *const values[] = {"3", "read-write", "10", "5", "3", "20000", "tenant-control", dsn, "UTF8", NULL};
	PGconn *pg = PQconnectdbParams(names, values, 1);

	if (!pg || PQstatus(pg) != CONNECTION_OK) {
		set_connect_problem(pg, problem);
		PQfinish(pg);
		return NULL;
	}
	(void)PQsetNoticeProcessor(pg, notice, NULL);
	return pg;
}

static bool apply_settings(PGconn *pg, uint32_t statement_ms, char since[SERVER_SINCE_SIZE], struct problem *problem)
{
	char limit[16];
	const char *const values[] = {limit};
	PGresult *result;
	bool done;

	(void)snprintf(limit, sizeof(limit), "%u", statement_ms);
	result = PQexecParams(pg, settings_sql, 1, NULL, values, NULL, NULL, 0);
	done = PQresultStatus(result) == PGRES_TUPLES_OK;
	if (done)
		(void)snprintf(since, SERVER_SINCE_SIZE, "%s", PQgetvalue(result, 0, PQnfields(result) - 1));
	PQclear(result);
	if (!done || PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1) {
		set_connect_problem(pg, problem);
		return false;
	}
	return true;
}

int connection_new(const struct db *db, struct connection **ret, struct problem *problem)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	const char *host;

	if (!connection)
		return -ENOMEM;
	connection->pg = connection_open(db->dsn, problem);
	if (!connection->pg || !apply_settings(connection->pg, db->options.statement_ms, connection->since, problem)) {
		connection_free(connection);
		return -EIO;
	}
	host = PQhost(connection->pg);
	connection->local = host && host[0] == '/';
	connection->wait_ms = db->options.statement_ms == 0 ? 0 : db->options.statement_ms + GRACE_MS;
	*ret = connection;
	return 0;
}

void connection_free(struct connection *connection)
{
	if (!connection)
		return;
	PQfinish(connection->pg);
	for (uint32_t i = 0; i < STATEMENT_BUCKETS; i++)
		while (connection->statements[i]) {
			struct statement *statement = connection->statements[i];

			connection->statements[i] = statement->next;
			free(statement->sql);
			free(statement);
		}
	free(connection->expected);
	free(connection);
}

/* A server that ended has told so: its last words and the end of the stream lie in the socket. */
bool connection_is_healthy(struct connection *connection)
{
	if (connection->lost || connection->expected_count > 0)
		return false;
	for (;;) {
		struct pollfd fd = {.fd = PQsocket(connection->pg), .events = POLLIN};

		if (PQstatus(connection->pg) != CONNECTION_OK || fd.fd < 0)
			return false;
		if (poll(&fd, 1, 0) <= 0)
			return PQtransactionStatus(connection->pg) == PQTRANS_IDLE;
		if (PQconsumeInput(connection->pg) != 1)
			return false;
		(void)PQisBusy(connection->pg); /* takes in notices */
	}
}

/* ---- statements ---- */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a: the texts are our own */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash;
}

/* NULL: out of memory, or there are too many: such a one is sent as it is. */
static struct statement *find_statement(struct connection *connection, const char *sql)
{
	uint64_t hash = hash_text(sql);
	struct statement **bucket = &connection->statements[hash % STATEMENT_BUCKETS], *statement;

	for (statement = *bucket; statement; statement = statement->next)
		if (statement->hash == hash && strcmp(statement->sql, sql) == 0)
			return statement;
	if (connection->statement_count >= STATEMENTS_MAX)
		return NULL;
	statement = calloc(1, sizeof(*statement));
	if (!statement)
		return NULL;
	statement->sql = strdup(sql);
	if (!statement->sql) {
		free(statement);
		return NULL;
	}
	statement->hash = hash;
	(void)snprintf(statement->name, sizeof(statement->name), "s%u", connection->statement_count++);
	statement->next = *bucket;
	*bucket = statement;
	return statement;
}

/* Room for a statement and its preparation. */
static int expect_room(struct connection *connection)
{
	struct expected *grown;
	size_t room;

	if (connection->expected_room - connection->expected_count >= 2)
		return 0;
	room = connection->expected_room == 0 ? 16 : 2 * connection->expected_room;
	grown = reallocarray(connection->expected, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	connection->expected = grown;
	connection->expected_room = room;
	return 0;
}

static int mark_lost(struct connection *connection)
{
	connection->lost = true;
	return -EAGAIN;
}

int connection_send(struct connection *connection, enum expected_kind kind, const char *sql, unsigned count,
		    const char *const *values)
{
	struct statement *statement = find_statement(connection, sql);
	int result = expect_room(connection), sent;

	if (result < 0)
		return result;
	if (statement && statement->state == STATEMENT_NEW) {
		if (PQsendPrepare(connection->pg, statement->name, sql, 0, NULL) != 1)
			return mark_lost(connection);
		statement->state = STATEMENT_SENT;
		connection->expected[connection->expected_count++] =
			(struct expected){.kind = EXPECT_PREPARED, .statement = statement};
	}
	if (statement)
		sent = PQsendQueryPrepared(connection->pg, statement->name, (int)count, values, NULL, NULL, 0);
	else
		sent = PQsendQueryParams(connection->pg, sql, (int)count, NULL, values, NULL, NULL, 0);
	if (sent != 1)
		return mark_lost(connection);
	connection->expected[connection->expected_count++] = (struct expected){.kind = kind};
	return 0;
}

int connection_sync(struct connection *connection)
{
	return PQpipelineSync(connection->pg) == 1 ? 0 : mark_lost(connection);
}

/* Until something comes, or (events POLLOUT) can be sent. */
static int wait_for(struct connection *connection, short events)
{
	uint64_t end = clock_boottime_usec() + connection->wait_ms * USEC_PER_MSEC;

	for (;;) {
		struct pollfd fd = {.fd = PQsocket(connection->pg), .events = (short)(POLLIN | events)};
		uint64_t now = clock_boottime_usec();
		int timeout = connection->wait_ms == 0 ? -1 : now >= end ? 0 : (int)((end - now) / USEC_PER_MSEC + 1);
		int n = poll(&fd, 1, timeout);

		if (n > 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0) {
			connection->silent = true;
			log_warning("database: no answer within %u ms, the connection is given up",
				    connection->wait_ms);
		}
		return mark_lost(connection);
	}
}

int connection_flush(struct connection *connection)
{
	for (;;) {
		int left = PQflush(connection->pg), result;

		if (left == 0)
			return 0;
		/* The server may be waiting for us to read before it reads on. What it said last is still there to
		 * read when it is gone: the results tell. */
		if (left < 0)
			return 0;
		result = wait_for(connection, POLLOUT);
		if (result < 0)
			return result;
		if (PQconsumeInput(connection->pg) != 1)
			return 0;
	}
}

int connection_result(struct connection *connection, PGresult **ret)
{
	while (PQisBusy(connection->pg)) {
		int result;

		if (PQstatus(connection->pg) != CONNECTION_OK)
			break;
		result = wait_for(connection, 0);
		if (result < 0)
			return result;
		if (PQconsumeInput(connection->pg) != 1)
			break;
	}
	*ret = PQgetResult(connection->pg);
	if (!*ret && PQstatus(connection->pg) != CONNECTION_OK)
		return mark_lost(connection);
	return 0;
}

/* ---- errors ---- */
static const struct {
	const char *state; /* SQLSTATE, or the beginning of it */
	int result;
	bool lost; /* the connection is of no more use */
} meanings[] = {
	{"40001", -EAGAIN, false},                           /* serialization_failure */
	{"40P01", -EAGAIN, false},                           /* deadlock_detected */
	{"57P", -EAGAIN, true},                              /* the server, or this backend, is being shut down */
	{"08", -EAGAIN, true},                               /* connection exceptions */
	{"25P03", -EAGAIN, true},                            /* idle_in_transaction_session_timeout */
	{"25P04", -EAGAIN, true},  {"25006", -EAGAIN, true}, /* the server became a standby */
	{"0A000", -EAGAIN, true},                            /* a cached plan's result changed: the schema did */
	{"26000", -EAGAIN, true},                            /* the prepared statement is gone */
	{"23505", -EEXIST, false},                           /* unique_violation */
	{"23P01", -EEXIST, false},                           /* exclusion_violation */
	{"23503", -ENOENT, false},                           /* foreign_key_violation */
	{"23", -EINVAL, false},                              /* other constraints */
	{"22", -EINVAL, false},                              /* data exceptions */
	{"57014", -EBUSY, false},                            /* statement_timeout */
	{"55P03", -EBUSY, false},                            /* lock_timeout */
	{"53", -EBUSY, false},                               /* out of something */
};

int connection_classify(struct connection *connection, const PGresult *result, bool read_only)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (!state) /* libpq's own words: the connection broke */
		return mark_lost(connection);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) != 0)
			continue;
		/* Somebody wrote in a transaction that was declared not to. */
		if (read_only && strcmp(state, "25006") == 0)
			break;
		connection->lost = connection->lost || meanings[i].lost;
		return meanings[i].result;
	}
	log_error("database: %s (SQLSTATE %s)", text ? text : "an error without words", state);
	return -EIO;
}
