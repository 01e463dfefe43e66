/* SPDX-License-Identifier: MIT */
#include "control_plane/db/retention.h"

#include <errno.h>
#include <string.h>

#include "control_plane/db/internal.h"

#define SET_SQL                                                                                                  \
	"UPDATE control.audit_retention SET personal_days = CASE WHEN $1::text IS NULL THEN personal_days ELSE " \
	"nullif($1::text, '')::integer END, entries_days = CASE WHEN $2::text IS NULL THEN entries_days ELSE "   \
	"nullif($2::text, '')::integer END"

static int run(PGconn *pg, const char *sql, int count, const char *const *values, struct problem *problem)
{
	PGresult *result = PQexecParams(pg, sql, count, NULL, values, NULL, NULL, 0);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	int r = 0;

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		r = problem_set(problem, EIO, "%s", text ? text : "the connection was lost");
	else if (count > 0 && strcmp(PQcmdTuples(result), "1") != 0)
		r = problem_set(problem, EIO, "the windows have no row");
	PQclear(result);
	return r;
}

int retention_set(const char *dsn, const char *personal_days, const char *entries_days, struct problem *problem)
{
	const char *const values[] = {personal_days, entries_days};
	PGconn *pg = connection_open(dsn, problem);
	int r;

	if (!pg)
		return -EIO;
	r = run(pg, "SET ROLE tenant_control_owner", 0, NULL, problem);
	if (r == 0)
		r = run(pg, SET_SQL, 2, values, problem);
	PQfinish(pg);
	return r;
}
