/* SPDX-License-Identifier: MIT */
#include "control_plane/db/setup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "control_plane/db/conninfo.h"
#include "control_plane/db/internal.h"
#include "control_plane/db/migrate.h"

#define LINE_SIZE 256

struct setup {
	PGconn *pg;
	void (*say)(const char *line);
	struct problem *problem;
};

static int refused(const struct setup *setup, const char *what, const PGresult *result)
{
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	return problem_set(setup->problem, EIO, "%s: %s", what, text ? text : "the connection was lost");
}

/* 1: the first field is true. The value, where there is one, is $1. */
static int ask(const struct setup *setup, const char *sql, const char *value)
{
	const char *const values[] = {value};
	PGresult *result = PQexecParams(setup->pg, sql, value ? 1 : 0, NULL, values, NULL, NULL, 0);
	int answer;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		answer = refused(setup, "asking the database", result);
	else
		answer = PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	PQclear(result);
	return answer;
}

static int run(const struct setup *setup, const char *sql)
{
	PGresult *result = PQexec(setup->pg, sql);
	int code = 0;

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		code = refused(setup, sql, result);
	PQclear(result);
	return code;
}

/* `sql` with %I's place taken by the quoted name: names cannot be parameters. */
static int run_on(const struct setup *setup, const char *before, const char *name, const char *after)
{
	_cleanup_(buffer_finish) struct buffer sql = BUFFER_INIT;
	char *quoted = PQescapeIdentifier(setup->pg, name, strlen(name));

	if (!quoted)
		return problem_set(setup->problem, ENOMEM, "out of memory");
	(void)buffer_printf(&sql, "%s%s%s", before, quoted, after);
	PQfreemem(quoted);
	return buffer_text(&sql) ? run(setup, sql.data) : problem_set(setup->problem, ENOMEM, "out of memory");
}

static void _printf_(2, 3) say(const struct setup *setup, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	setup->say(line);
}

/* The wanted attributes, in the order of pg_roles below. */
static const struct role {
	const char *name, *create, *purpose;
	bool login;
} roles[] = {
	{"tenant_control_owner", "NOLOGIN", "owns the schema", false},
	{"tenant_control_lookup", "NOLOGIN", "owns the look-ups across tenants", false},
	{SETUP_SERVICE_ROLE, "LOGIN", "the service", true},
};

static int make_role(const struct setup *setup, const struct role *role)
{
	int there = ask(setup, "SELECT true FROM pg_roles WHERE rolname = $1", role->name), fine;
	char attributes[128];

	if (there < 0)
		return there;
	(void)snprintf(attributes, sizeof(attributes),
		       " WITH %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS", role->create);
	if (!there) {
		say(setup, "role %s: made (%s)", role->name, role->purpose);
		/* Attributes that only a superuser may name are left out: these are the defaults. */
		return run_on(setup, "CREATE ROLE ", role->name, role->login ? " LOGIN" : " NOLOGIN");
	}
	fine = ask(
		setup,
		role->login
			? "SELECT rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR "
			  "rolbypassrls) FROM pg_roles WHERE rolname = $1"
			: "SELECT NOT (rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR "
			  "rolbypassrls) FROM pg_roles WHERE rolname = $1",
		role->name);
	if (fine < 0)
		return fine;
	if (fine) {
		say(setup, "role %s: found", role->name);
		return 0;
	}
	say(setup, "role %s: found with other powers, which are taken from it", role->name);
	return run_on(setup, "ALTER ROLE ", role->name, attributes);
}

/* The owner hands the look-ups over to their own role, and whoever runs migrations becomes the owner. */
static int make_memberships(const struct setup *setup)
{
	int result = run(setup, "GRANT tenant_control_lookup TO tenant_control_owner");
	int may;

	if (result < 0)
		return result;
	may = ask(setup, "SELECT pg_has_role(current_user, 'tenant_control_owner', 'MEMBER')", NULL);
	if (may < 0)
		return may;
	return may ? 0 : run(setup, "GRANT tenant_control_owner TO CURRENT_USER");
}

static int make_database(const struct setup *setup, const char *database)
{
	int there = ask(setup, "SELECT true FROM pg_database WHERE datname = $1", database), result;

	if (there < 0)
		return there;
	if (there) {
		say(setup, "database %s: found", database);
	} else {
		say(setup, "database %s: made", database);
		result = run_on(setup, "CREATE DATABASE ", database,
				" OWNER tenant_control_owner TEMPLATE template0 ENCODING 'UTF8'");
		if (result < 0)
			return result;
	}
	result = run_on(setup, "REVOKE ALL ON DATABASE ", database, " FROM PUBLIC");
	if (result == 0)
		result = run_on(setup, "GRANT CREATE ON DATABASE ", database, " TO tenant_control_owner");
	if (result == 0)
		result = run_on(setup, "GRANT CONNECT ON DATABASE ", database, " TO \"" SETUP_SERVICE_ROLE "\"");
	return result;
}

static void say_migration(void *context, const char *name)
{
	say(context, "schema: applying %s", name);
}

/* As the service's own role: row-level security hides the rows from everybody else but superusers. */
static int find_sealed(struct setup *setup, bool *ret)
{
	int member = ask(setup, "SELECT pg_has_role(current_user, '" SETUP_SERVICE_ROLE "', 'MEMBER')", NULL);
	int sealed = member;

	if (member == 0)
		sealed = run(setup, "GRANT \"" SETUP_SERVICE_ROLE "\" TO CURRENT_USER");
	if (sealed >= 0)
		sealed = run(setup, "SET ROLE \"" SETUP_SERVICE_ROLE "\"");
	if (sealed >= 0)
		sealed = run(setup, "SET control.platform = 'on'");
	if (sealed >= 0)
		sealed = ask(setup, "SELECT EXISTS (SELECT FROM control.token_keys)", NULL);
	if (sealed >= 0 && member == 0 &&
	    (run(setup, "RESET ROLE") < 0 || run(setup, "REVOKE \"" SETUP_SERVICE_ROLE "\" FROM CURRENT_USER") < 0))
		return -EIO;
	*ret = sealed == 1;
	return sealed < 0 ? sealed : 0;
}

int setup_database(const char *dsn, const char *database, void (*say_line)(const char *line), bool *ret_sealed,
		   struct problem *problem)
{
	const struct conninfo_part part = {"dbname", database};
	struct setup setup = {.say = say_line, .problem = problem};
	_cleanup_(freep) char *own = NULL;
	int result = conninfo_change(dsn, &part, 1, &own);

	if (result < 0)
		return problem_set(problem, EINVAL, "the database's connection string cannot be read");
	setup.pg = connection_open(dsn, problem);
	if (!setup.pg)
		return -EIO;
	for (size_t i = 0; i < ARRAY_LEN(roles) && result == 0; i++)
		result = make_role(&setup, &roles[i]);
	if (result == 0)
		result = make_memberships(&setup);
	if (result == 0)
		result = make_database(&setup, database);
	PQfinish(TAKE_PTR(setup.pg));
	if (result == 0)
		result = migrate(own, false, say_migration, &setup, problem);
	if (result == 0)
		setup.say("schema: up to date");
	if (result == 0)
		setup.pg = connection_open(own, problem);
	if (!setup.pg)
		return result < 0 ? result : -EIO;
	result = find_sealed(&setup, ret_sealed);
	PQfinish(setup.pg);
	return result;
}
