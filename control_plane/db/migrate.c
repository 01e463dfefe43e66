/* SPDX-License-Identifier: MIT */
#include "control_plane/db/migrate.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/db/internal.h"
#include "crypto/digest.h"

/* Anything but this number would do: two programs that migrate one database wait for each other by it. */
#define LOCK_SQL "SELECT pg_advisory_lock(7166353311)"

static const struct migration {
	const char *name, *sql;
} migrations[] = {
#include "migrations.h"
};

const char *migrate_newest(void)
{
	return migrations[ARRAY_LEN(migrations) - 1].name;
}

/* Statements without parameters; several in one text are one transaction. */
static int execute(PGconn *pg, const char *sql, const char *what, struct problem *problem)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	int code = 0;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		code = problem_set(problem, EIO, "%s: %s", what, text ? text : "the connection was lost");
	PQclear(result);
	return code;
}

static int digest(const struct migration *migration, char out[2 * SHA256_BYTES + 1])
{
	uint8_t hash[SHA256_BYTES];
	int result = sha256(migration->sql, strlen(migration->sql), hash);

	text_to_hex(hash, sizeof(hash), out);
	return result;
}

/* Holds what was applied against what is compiled in: a beginning of it, unchanged. */
static int compare(const PGresult *applied, struct problem *problem)
{
	for (int i = 0; i < PQntuples(applied); i++) {
		const char *name = PQgetvalue(applied, i, 0);
		char hash[2 * SHA256_BYTES + 1];

		if ((size_t)i >= ARRAY_LEN(migrations) || strcmp(name, migrations[i].name) != 0) {
			(void)problem_set(problem, ESTALE,
					  "the database has the migration %s, which this program does not know", name);
			problem_remedy(problem, "install the version of tenant-control that the database belongs to");
			return -ESTALE;
		}
		if (digest(&migrations[i], hash) < 0)
			return problem_set(problem, EIO, "the migration %s cannot be hashed", name);
		if (strcmp(PQgetvalue(applied, i, 1), hash) != 0)
			return problem_set(problem, ESTALE, "the migration %s is not the one that was applied", name);
	}
	return 0;
}

static int count_applied(PGconn *pg, size_t *ret, struct problem *problem)
{
	PGresult *result = PQexec(pg, "SELECT to_regclass('control.migrations') IS NOT NULL");
	bool there;
	int code;

	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		PQclear(result);
		return problem_set(problem, EIO, "the database does not say which migrations it has");
	}
	there = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	PQclear(result);
	*ret = 0;
	if (!there)
		return 0;
	result = PQexec(pg, "SELECT name, sha256 FROM control.migrations ORDER BY name");
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		code = problem_set(problem, EIO, "control.migrations cannot be read");
	else
		code = compare(result, problem);
	*ret = (size_t)PQntuples(result);
	PQclear(result);
	return code;
}

static int apply(PGconn *pg, const struct migration *migration, struct problem *problem)
{
	char hash[2 * SHA256_BYTES + 1];
	const char *const values[] = {migration->name, hash};
	PGresult *result;
	bool done;
	int code;

	if (digest(migration, hash) < 0)
		return problem_set(problem, EIO, "the migration %s cannot be hashed", migration->name);
	code = execute(pg, "BEGIN; SET LOCAL search_path TO control, pg_temp", "BEGIN", problem);
	if (code == 0)
		code = execute(pg, migration->sql, migration->name, problem);
	if (code == 0) {
		result = PQexecParams(pg, "INSERT INTO control.migrations (name, sha256) VALUES ($1, $2)", 2, NULL,
				      values, NULL, NULL, 0);
		done = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
		if (!done)
			code = problem_set(problem, EIO, "%s: it cannot be remembered", migration->name);
	}
	/* The connection's end is the transaction's, where it is left open. */
	return code == 0 ? execute(pg, "COMMIT", migration->name, problem) : code;
}

static int migrate_all(PGconn *pg, bool check, void (*report)(void *context, const char *name), void *context,
		       struct problem *problem)
{
	size_t applied = 0;
	int result;

	if (!check) {
		result = execute(pg, "SET ROLE tenant_control_owner", "SET ROLE tenant_control_owner", problem);
		if (result < 0) {
			problem_remedy(problem, "`tenant-control init` makes the roles");
			return result;
		}
		result = execute(pg, LOCK_SQL, "waiting for another migration", problem);
		if (result < 0)
			return result;
	}
	result = count_applied(pg, &applied, problem);
	for (size_t i = applied; result == 0 && i < ARRAY_LEN(migrations); i++) {
		report(context, migrations[i].name);
		if (!check)
			result = apply(pg, &migrations[i], problem);
	}
	return result;
}

int migrate(const char *dsn, bool check, void (*report)(void *context, const char *name), void *context,
	    struct problem *problem)
{
	PGconn *pg = connection_open(dsn, problem);
	int result = -EIO;

	if (pg)
		result = migrate_all(pg, check, report, context, problem);
	PQfinish(pg);
	return result;
}
