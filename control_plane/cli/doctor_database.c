/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "control_plane/cli/doctor.h"

#define SERVER_LEAST 150000
#define CLOCK_WARN_USEC 1000000
#define CLOCK_BROKEN_USEC 5000000

/* What one row says; NULL after a finding. */
static struct db_rows *ask(struct doctor *doctor, struct db_tx *tx, const char *what, const char *sql)
{
	struct db_rows *rows = NULL;
	int result = db_query(tx, &rows, sql, 0, NULL);

	if (result == 0 && db_row_count(rows) == 1)
		return rows;
	doctor_say(doctor, FINDING_BROKEN, what, "the database does not say: %s",
		   strerror(result < 0 ? -result : ENODATA));
	db_rows_free(rows);
	return NULL;
}

static bool is_private(const char *text)
{
	static const char *const blocks[] = {"127.0.0.0/8",    "10.0.0.0/8",     "172.16.0.0/12",
					     "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
					     "::1/128",        "fc00::/7",       "fe80::/10"};
	struct in6_addr address;
	struct cidr block;

	if (parse_address(text, &address) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (parse_cidr(blocks[i], &block) == 0 && cidr_contains(&block, &address))
			return true;
	return false;
}

static void look_at_way(struct doctor *doctor, struct db_tx *tx)
{
	_cleanup_(db_rows_freep) struct db_rows *rows =
		ask(doctor, tx, "database",
		    "SELECT host(inet_server_addr()), coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = "
		    "pg_backend_pid()), false), "
		    "current_setting('server_version'), current_setting('server_version_num')");
	const char *address;
	bool tls;

	if (!rows)
		return;
	address = db_text(rows, 0, 0);
	tls = db_bool(rows, 0, 1);
	if (db_is_null(rows, 0, 0))
		doctor_say(doctor, FINDING_OK, "database", "reached by a UNIX socket");
	else if (!is_private(address))
		doctor_say(doctor, FINDING_WARNING, "database",
			   "%s is not a private address: nobody else should reach it", address);
	else
		doctor_say(doctor, FINDING_OK, "database", "reached at the private address %s", address);
	if (!db_is_null(rows, 0, 0))
		doctor_say(doctor, tls ? FINDING_OK : FINDING_BROKEN, "database tls", "%s",
			   tls ? "the connection is encrypted"
			       : "what goes over the network is not encrypted (sslmode=verify-full)");
	doctor_say(doctor, db_i64(rows, 0, 3) >= SERVER_LEAST ? FINDING_OK : FINDING_BROKEN, "postgresql",
		   "version %s%s", db_text(rows, 0, 2),
		   db_i64(rows, 0, 3) >= SERVER_LEAST ? "" : "; 15 is the oldest that will do");
}

static void look_at_role(struct doctor *doctor, struct db_tx *tx)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = ask(
		doctor, tx, "role",
		"SELECT rolname, rolsuper, rolbypassrls, rolcreaterole OR rolcreatedb OR rolreplication, "
		"(SELECT count(*) FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid "
		"AND d.deptype = 'o'), "
		"(SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) FROM pg_roles r "
		"WHERE rolname = current_user");

	if (!rows)
		return;
	if (db_bool(rows, 0, 1) || db_bool(rows, 0, 2))
		doctor_say(doctor, FINDING_BROKEN, "role",
			   "%s passes row-level security by: tenants are not kept apart", db_text(rows, 0, 0));
	else if (db_bool(rows, 0, 3) || db_i64(rows, 0, 5) > 0)
		doctor_say(doctor, FINDING_BROKEN, "role", "%s may more than it needs, or become somebody else",
			   db_text(rows, 0, 0));
	else if (db_i64(rows, 0, 4) > 0)
		doctor_say(doctor, FINDING_BROKEN, "role", "%s owns something in the database, so it can change it",
			   db_text(rows, 0, 0));
	else
		doctor_say(doctor, FINDING_OK, "role", "%s owns nothing and is bound by row-level security",
			   db_text(rows, 0, 0));
}

static void look_at_tables(struct doctor *doctor, struct db_tx *tx)
{
	_cleanup_(db_rows_freep) struct db_rows *rows =
		ask(doctor, tx, "tables",
		    "SELECT count(*), coalesce(string_agg(c.relname, ', ' ORDER BY c.relname) FILTER (WHERE NOT "
		    "(relrowsecurity AND "
		    "relforcerowsecurity)), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
		    "WHERE n.nspname = 'control' AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations'");

	if (!rows)
		return;
	if (db_text(rows, 0, 1)[0])
		doctor_say(doctor, FINDING_BROKEN, "tables", "row-level security is not forced on: %s",
			   db_text(rows, 0, 1));
	else
		doctor_say(doctor, FINDING_OK, "tables", "row-level security is forced on all %s", db_text(rows, 0, 0));
}

static void look_at_clock(struct doctor *doctor, struct db_tx *tx)
{
	uint64_t before = clock_realtime_usec(), after;
	_cleanup_(db_rows_freep) struct db_rows *rows =
		ask(doctor, tx, "clock", "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
	int64_t apart;

	after = clock_realtime_usec();
	if (!rows)
		return;
	apart = db_i64(rows, 0, 0) - (int64_t)(before + (after - before) / 2);
	if (apart < 0)
		apart = -apart;
	doctor_say(doctor,
		   apart > CLOCK_BROKEN_USEC ? FINDING_BROKEN
		   : apart > CLOCK_WARN_USEC ? FINDING_WARNING
					     : FINDING_OK,
		   "clock", "%lld ms from the database's", (long long)(apart / 1000));
}

static void look_at_durability(struct doctor *doctor, struct db_tx *tx)
{
	_cleanup_(db_rows_freep) struct db_rows *rows =
		ask(doctor, tx, "durability",
		    "SELECT current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AND "
		    "current_setting('synchronous_commit') <> 'off', "
		    "(SELECT count(*) FROM pg_stat_replication), current_setting('synchronous_standby_names')");

	if (!rows)
		return;
	if (!db_bool(rows, 0, 0))
		doctor_say(doctor, FINDING_BROKEN, "durability",
			   "fsync, full_page_writes or synchronous_commit is off: a crash loses what was acknowledged");
	else
		doctor_say(doctor, FINDING_OK, "durability", "what is acknowledged is on disk");
	if (db_i64(rows, 0, 1) == 0)
		doctor_say(doctor, FINDING_OK, "replication", "no standby is connected");
	else if (!db_text(rows, 0, 2)[0])
		doctor_say(doctor, FINDING_WARNING, "replication",
			   "%s standby, none of them synchronous: a failover may lose revisions, and needs new epochs "
			   "then",
			   db_text(rows, 0, 1));
	else
		doctor_say(doctor, FINDING_OK, "replication", "%s standby, synchronous: %s", db_text(rows, 0, 1),
			   db_text(rows, 0, 2));
}

void doctor_database(struct doctor *doctor, struct app *app)
{
	static void (*const looks[])(struct doctor *, struct db_tx *) = {look_at_way, look_at_role, look_at_tables,
									 look_at_clock, look_at_durability};
	static const struct db_scope scope = {.read_only = true};
	struct problem problem = {0};
	char text[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX + 64];

	if (db_check(app->db, &problem) < 0)
		doctor_say(doctor, FINDING_BROKEN, "schema", "%s", problem_render(&problem, text, sizeof(text)));
	else
		doctor_say(doctor, FINDING_OK, "schema", "as this program knows it");
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
		int result = db_begin(app->db, &scope, &tx);

		if (result < 0) {
			doctor_say(doctor, FINDING_BROKEN, "database", "cannot be reached: %s", strerror(-result));
			return;
		}
		looks[i](doctor, tx);
	}
}
