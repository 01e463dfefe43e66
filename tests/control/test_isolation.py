# SPDX-License-Identifier: MIT
"""SQL as the service's own role. Whatever is said in one tenant's scope, nothing of another tenant is read or touched.

The tables come from the database's own catalog, and rows are made for each of them by the types of its columns: a new
table is tested without anybody remembering it, and one without forced row-level security fails."""
import itertools
import re
import subprocess

import pytest

from controllib.program import Control

A, B = "ten_AAAAAAAAAAAAAAAA", "ten_BBBBBBBBBBBBBBBB"
TENANTS = {A: 1879048192, B: 1880096768}
# Not of tenants: everybody who may connect may know which migrations were applied.
OPEN_TABLES = {"migrations"}
LOOKUPS = {"tenant_of_key", "tenant_of_slug", "tenant_of_user_code", "feed_revisions", "names_elsewhere", "names_twice",
           "audit_waiting", "audit_unsent", "audit_ends_before", "audit_unrecorded_before"}  # fmt: skip
# What the service may only ask the owner for: months of the audit log that come and go.
OF_OWNER = {"audit_make_partitions", "audit_entries_end", "audit_drop_old", "audit_drop_personal"}


@pytest.fixture(scope="module")
def database(cluster):
    made = Control(cluster.folder / "isolation", cluster, tls=False, database="isolation")
    made.init(operator=False)
    catalog = Catalog(cluster)
    catalog.fill()
    yield catalog
    made.stop()


class Catalog:
    def __init__(self, cluster):
        self.cluster = cluster
        rows = self.admin(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON "
            "n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
            "AND c.relkind IN ('r', 'p', 'f', 'm', 'v') AND NOT c.relispartition ORDER BY 1"
        )
        self.tables = {row[0]: row[1:] for row in rows}
        self.columns = {name: self._columns(name) for name in self.tables}
        # By the column that names the tenant; the list of tenants names itself.
        self.key = {
            name: "tenant_id" if "tenant_id" in self.columns[name] else "id" if name == "tenants" else None
            for name in self.tables
        }

    def admin(self, sql):
        text = self.cluster.psql(sql, database="isolation")
        return [tuple(line.split("|")) for line in text.splitlines()]

    def of_tenants(self):
        return [name for name, key in self.key.items() if key]

    def of_platform(self):
        return [name for name, key in self.key.items() if not key and name not in OPEN_TABLES]

    def _columns(self, table):
        found = {}
        for name, kind, needed in self.admin(
            f"SELECT attname, format_type(atttypid, NULL), attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute "
            f"WHERE attrelid = 'control.{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ):
            checks = self.admin(
                f"SELECT replace(pg_get_constraintdef(oid), '|', '!') FROM pg_constraint WHERE conrelid = "
                f"'control.{table}'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) ~ '\\m{name}\\M'"
            )
            found[name] = (kind, needed == "t", " ".join(check[0] for check in checks))
        return found

    def value(self, table, column, tenant, number):
        """Something that the column takes, as an SQL expression."""
        kind, _, check = self.columns[table][column]
        first = TENANTS[tenant]
        if column == self.key[table]:
            return f"'{tenant}'"
        if table == "tenants" and column in ("gid", "id_first", "id_next", "id_count"):
            return "65536" if column == "id_count" else str(first)
        if kind == "text":
            prefix = re.search(r"\^(\w*_|)\[", check)
            word = re.search(r"'(\w+)'::text", check)
            if prefix:
                return f"'{prefix[1]}' || substr(md5('{table}{column}{tenant}{number}'), 1, 16)"
            return f"'{word[1]}'" if word else f"'{column}-{tenant}-{number}'"
        bound = re.search(r">= (\d+)", check)
        return {
            "bytea": f"sha256('{tenant}{number}')",
            "jsonb": "'{}'",
            "text[]": "'{}'",
            "boolean": "true",
            "timestamp with time zone": "now()",
            "smallint": "1",
        }.get(kind, bound[1] if bound else str(first + 100 + number))

    def insert(self, table, tenant, number, only_needed=True):
        names = [n for n, (kind, needed, _) in self.columns[table].items()
                 if needed or not only_needed or n == self.key[table] or kind.startswith("timestamp")]  # fmt: skip
        values = ", ".join(self.value(table, name, tenant, number) for name in names)
        return f"INSERT INTO control.{table} ({', '.join(names)}) VALUES ({values})"

    def fill(self):
        """Three rows of each tenant in each of their tables, and one in each of the platform's."""
        lines = ["SET session_replication_role = replica"]  # references may dangle: nobody follows them here
        for table in self.of_tenants():
            for tenant in TENANTS:
                for number in range(1 if table in ("tenants", "feeds", "audit_logs") else 3):
                    lines.append(self.insert(table, tenant, number))
        for table in self.of_platform():
            if self.admin(f"SELECT count(*) FROM control.{table}") == [("0",)]:
                lines.append(self.insert(table, A, 0))
        lines.append("ANALYZE")
        self.admin(";\n".join(lines))

    def fingerprint(self, table, tenant=None):
        where = f"WHERE {self.key[table]} = '{tenant}'" if tenant else ""
        return self.admin(f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM control.{table} t {where}")

    def say(self, statements, tenant=None, platform=False):
        """Each statement in a transaction of its own, as the service; what it printed, or its ERROR, by its name."""
        script = []
        for name, sql in statements.items():
            script += [f"\\echo ## {name}", "BEGIN;"]
            if tenant:
                script.append(f"SET LOCAL control.tenant = '{tenant}';")
            if platform:
                script.append("SET LOCAL control.platform = 'on';")
            script += [f"{sql};", "COMMIT;"]
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-d", self.cluster.dsn(database="isolation"), "-f", "-"],
            input="\n".join(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/",
        )  # fmt: skip
        said = {}
        for part in done.stdout.split("## ")[1:]:
            name, _, text = part.partition("\n")
            said[name] = re.sub(r"psql:<stdin>:\d+: ", "", text).strip()
        assert set(said) == set(statements), done.stdout
        return said


def test_every_table_forces_row_level_security(database):
    assert len(database.tables) > 20
    loose = {n for n, (enabled, forced) in database.tables.items() if (enabled, forced) != ("t", "t")}
    assert loose == OPEN_TABLES
    # A row of a tenant is marked as one; nothing else has the service's permissive "true".
    assert not database.admin(
        "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'control' AND roles <> '{tenant-control}' "
        "AND NOT (roles = '{tenant_control_lookup}' AND cmd = 'SELECT') "
        "AND NOT (roles = '{tenant_control_owner}' AND tablename = 'audit_retention')"
    )
    assert not database.admin(
        "SELECT tablename FROM pg_policies WHERE schemaname = 'control' AND '{tenant-control}' = roles "
        "AND qual !~ 'current_tenant|on_platform'"
    )


def test_the_service_role_is_nobody(database):
    assert database.admin(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = 'tenant-control'"
    ) == [("f", "f", "f", "f", "f")]
    assert not database.admin("SELECT roleid::regrole FROM pg_auth_members WHERE member = '\"tenant-control\"'::regrole")
    assert not database.admin(
        "SELECT classid::regclass FROM pg_shdepend WHERE refobjid = '\"tenant-control\"'::regrole AND deptype = 'o'"
    )


def test_only_the_known_functions_run_as_somebody_else(database):
    rows = database.admin(
        "SELECT proname, proowner::regrole, proconfig::text, has_function_privilege('public', p.oid, 'EXECUTE') "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE prosecdef AND n.nspname NOT IN ('pg_catalog')"
    )
    assert {row[0] for row in rows} == LOOKUPS | OF_OWNER
    for name, owner, settings, public in rows:
        assert (owner, public) == ("tenant_control_owner" if name in OF_OWNER else "tenant_control_lookup", "f")
        assert "search_path=control, pg_temp" in settings
    # The look-ups' owner reads these columns and no others.
    assert set(
        database.admin(
            "SELECT table_name, column_name FROM information_schema.column_privileges WHERE grantee = 'tenant_control_lookup'"
        )
    ) <= {("api_keys", "id"), ("api_keys", "tenant_id"), ("tenants", "id"), ("tenants", "slug"), ("feeds", "tenant_id"),
          ("feeds", "epoch"), ("feeds", "revision"), ("feeds", "head_issued"), ("feeds", "trust_version"),
          ("users", "tenant_id"), ("users", "login"), ("projects", "tenant_id"), ("projects", "slug"),
          ("host_tenants", "host_id"), ("host_tenants", "tenant_id"), ("host_tenants", "shared"),
          ("device_grants", "tenant_id"), ("device_grants", "user_code"), ("audit_inbox", "tenant_id"),
          ("audit_entries", "tenant_id"), ("audit_entries", "idx"), ("audit_entries", "at"),
          ("audit_frontiers", "tenant_id"), ("audit_frontiers", "size"),
          ("audit_logs", "tenant_id"), ("audit_logs", "size"), ("audit_logs", "checkpoint_size"), ("audit_cursors",
          "sink"), ("audit_cursors", "tenant_id"), ("audit_cursors", "next"), ("audit_cursors", "checkpoint_size"),
          ("audit_cursors", "holder"), ("audit_cursors", "held_until"), ("audit_cursors", "at")}  # fmt: skip


def hostile(database, table, mine, other):
    """Statements in the scope of `mine`, and what is right for each: rows that it may print, or an error."""
    key, full = database.key[table], f"control.{table}"
    columns = list(database.columns[table])
    plain = next((c for c in columns if c != key and database.columns[table][c][0] == "text"), key)
    read = {
        "all": f"SELECT count(*) FROM {full} WHERE {key} <> '{mine}'",
        "named": f"SELECT count(*) FROM {full} WHERE {key} = '{other}'",
        "or": f"SELECT count(*) FROM {full} WHERE ({key} = '{mine}' OR true) AND {key} = '{other}'",
        "join": f"SELECT count(*) FROM {full} a JOIN {full} b ON a.{key} <> b.{key}",
        "outer join": f"SELECT count(*) FROM {full} a FULL JOIN {full} b ON a.{key} = b.{key} "
        f"WHERE '{other}' IN (a.{key}, b.{key})",
        "lateral": f"SELECT count(*) FROM (VALUES ('{other}')) v (t), LATERAL (SELECT FROM {full} WHERE {key} = v.t) s",
        "with": f"WITH w AS MATERIALIZED (SELECT * FROM {full}) SELECT count(*) FROM w WHERE {key} = '{other}'",
        "union": f"SELECT count(*) FROM (SELECT {key} FROM {full} UNION ALL SELECT {key} FROM {full}) u WHERE {key} = '{other}'",
        "exists": f"SELECT count(*) FROM (SELECT) s WHERE EXISTS (SELECT FROM {full} WHERE {key} = '{other}')",
        "sample": f"SELECT count(*) FROM {full} TABLESAMPLE SYSTEM (100) WHERE {key} = '{other}'",
        "lock": f"SELECT count(*) FROM (SELECT {key} FROM {full} WHERE {key} = '{other}' FOR KEY SHARE) s",
        "whole row": f"SELECT count(*) FROM {full} t WHERE t::text LIKE '%{other}%'",
        "division": f"SELECT count(*) FROM {full} WHERE 1 / (CASE WHEN {key} = '{other}' THEN 0 ELSE 1 END) <> 1",
        "cast": f"SELECT count(*) FROM {full} WHERE (CASE WHEN {key} = '{other}' THEN {plain}::text || 'x' ELSE '1' END)::text = ''",
        "to_xml": f"SELECT count(*) FROM regexp_matches(query_to_xml('SELECT * FROM {full}', true, false, '')::text, '{other}')",
        "statistics": f"SELECT count(*) FROM pg_stats WHERE schemaname = 'control' AND tablename = '{table}'",
        "prepared": f"PREPARE p AS SELECT count(*) FROM {full} WHERE {key} = '{other}'; EXECUTE p; DEALLOCATE p",
        "cursor": f"DECLARE c CURSOR FOR SELECT {key} FROM {full} WHERE {key} = '{other}'; FETCH ALL FROM c",
        "hold": f"DECLARE h CURSOR WITH HOLD FOR SELECT {key} FROM {full} WHERE {key} = '{other}'; FETCH ALL FROM h; CLOSE h",
        "copy": f"COPY (SELECT {key} FROM {full} WHERE {key} = '{other}') TO STDOUT",
        "block": f"DO $$ BEGIN IF EXISTS (SELECT FROM {full} WHERE {key} = '{other}') THEN RAISE NOTICE 'leak'; END IF; END $$",
    }
    write = {
        "update": f"UPDATE {full} SET {key} = {key} WHERE {key} = '{other}' RETURNING 'leak'",
        "update from": f"UPDATE {full} a SET {key} = a.{key} FROM {full} b WHERE b.{key} = '{other}' RETURNING 'leak'",
        "give away": f"UPDATE {full} SET {key} = '{other}' WHERE {key} = '{mine}' RETURNING 'leak'",
        "delete": f"DELETE FROM {full} WHERE {key} = '{other}' RETURNING 'leak'",
        "delete using": f"DELETE FROM {full} a USING {full} b WHERE b.{key} = '{other}' RETURNING 'leak'",
        "merge": f"MERGE INTO {full} t USING (VALUES ('{other}')) v (k) ON t.{key} = v.k WHEN MATCHED THEN DELETE",
    }
    refuse = {
        "insert": database.insert(table, other, 77),
        "row security": f"SET LOCAL row_security = off; SELECT {key} FROM {full}",
        "copy out of the table": f"SET LOCAL row_security = off; COPY {full} TO STDOUT",
        "truncate": f"TRUNCATE {full}",
        "disable": f"ALTER TABLE {full} DISABLE ROW LEVEL SECURITY",
        "no force": f"ALTER TABLE {full} NO FORCE ROW LEVEL SECURITY",
        "policy": f"CREATE POLICY mine ON {full} USING (true)",
        "view": f"CREATE VIEW control.v AS SELECT * FROM {full}",
        "temporary": f"CREATE TEMP TABLE t AS SELECT * FROM {full}",
        "trigger": f"CREATE TRIGGER t BEFORE INSERT ON {full} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "rule": f"CREATE RULE r AS ON SELECT TO {full} DO INSTEAD SELECT 1",
        "child": f"CREATE TABLE public.child () INHERITS ({full})",
        "drop": f"DROP TABLE {full}",
        "grant": f"GRANT ALL ON {full} TO PUBLIC",
        "copy into the table": f"COPY {full} FROM PROGRAM 'true'",
    }
    return read, write, refuse


def pairs():
    return itertools.permutations(TENANTS, 2)


def test_no_statement_reads_or_touches_another_tenant(database):
    tables = database.of_tenants()
    assert len(tables) > 15
    for table, (mine, other) in itertools.product(tables, pairs()):
        before = database.fingerprint(table)
        assert database.fingerprint(table, other)[0][0] != "0", f"{table} has no row of {other}: this would prove nothing"
        read, write, refuse = hostile(database, table, mine, other)
        said = database.say({**read, **write, **refuse}, tenant=mine)
        for name in read:
            # An error of permission is as good as an empty answer; any other may come from another tenant's row.
            assert said[name] in ("", "0") or "permission denied" in said[name], f"{table}: {name}: {said[name]}"
        for name in write:
            refused = re.match("ERROR:  (permission denied|new row violates row-level security|the log of .* can only grow)", said[name])
            assert said[name] == "" or refused, f"{table}: {name}: {said[name]}"
        for name in refuse:
            assert said[name].startswith(("ERROR:", "WARNING:  no privileges were granted")), f"{table}: {name}: {said[name]}"
        assert database.fingerprint(table) == before, f"{table}: rows changed"


def test_taking_over_by_conflict_is_refused(database):
    """INSERT … ON CONFLICT DO UPDATE on a row of somebody else."""
    for table, (mine, other) in itertools.product(database.of_tenants(), pairs()):
        keys = database.admin(
            f"SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            f"AND a.attnum = ANY (i.indkey) WHERE i.indrelid = 'control.{table}'::regclass AND i.indisunique AND i.indpred IS NULL "
            f"AND i.indexprs IS NULL GROUP BY i.indexrelid"
        )
        for (key,) in keys:
            columns = key.split(",")
            if database.key[table] in columns:
                continue  # another tenant's row is another key
            before = database.fingerprint(table, other)
            taken = {c: database.admin(f"SELECT quote_literal({c}) FROM control.{table} WHERE {database.key[table]} = '{other}' LIMIT 1")
                     for c in columns}  # fmt: skip
            needed = [n for n, (_, wanted, _) in database.columns[table].items() if wanted]
            values = ", ".join(taken[n][0][0] if n in taken else database.value(table, n, mine, 88) for n in needed)
            sql = (f"INSERT INTO control.{table} ({', '.join(needed)}) VALUES ({values}) ON CONFLICT ({key}) "
                   f"DO UPDATE SET {database.key[table]} = '{mine}' RETURNING 'leak'")  # fmt: skip
            assert database.say({"take": sql}, tenant=mine)["take"].startswith("ERROR:"), f"{table}: {sql}"
            assert database.fingerprint(table, other) == before


def test_without_a_scope_nothing_is_there(database):
    everything = {t: f"SELECT count(*) FROM control.{t}" for t in database.of_tenants() + database.of_platform()}
    for name, said in database.say(everything).items():
        assert said == "0" or "permission denied" in said, f"{name}: {said}"
    for wrong in ("", "ten_nobody", "%", "' OR true --"):
        said = database.say(everything, tenant=wrong.replace("'", "''"))
        assert all(text == "0" for text in said.values()), (wrong, said)


def test_a_tenant_does_not_see_the_platform(database):
    said = database.say({t: f"SELECT count(*) FROM control.{t}" for t in database.of_platform()}, tenant=A)
    said.pop("hosts")  # those that serve the tenant
    assert set(said.values()) == {"0"}
    # A host of another tenant only.
    database.admin(
        "SET session_replication_role = replica; DELETE FROM control.host_tenants; INSERT INTO control.host_tenants "
        f"SELECT id, '{B}' FROM control.hosts"
    )
    assert database.say({"hosts": "SELECT count(*) FROM control.hosts"}, tenant=A)["hosts"] == "0"
    assert database.say({"hosts": "SELECT count(*) FROM control.hosts"}, tenant=B)["hosts"] != "0"


def test_the_platform_does_not_see_tenants_people(database):
    own = ("tenants", "host_tenants", "operator_grants", "operator_accounts")
    private = [t for t in database.of_tenants() if t not in own]
    said = database.say(
        {t: f"SELECT count(*) FROM control.{t} WHERE {database.key[t]} <> ''" for t in private}, platform=True
    )
    assert {name: text for name, text in said.items() if text != "0"} == {}


def test_events_are_never_changed(database):
    said = database.say(
        {
            "update": "UPDATE control.audit_entries SET kind = 'nothing'",
            "delete": "DELETE FROM control.audit_entries",
            "truncate": "TRUNCATE control.audit_entries",
            "personal": "UPDATE control.audit_personal SET sealed = ''",
            "tiles": "DELETE FROM control.audit_tiles",
            "checkpoints": "UPDATE control.audit_checkpoints SET note = ''",
            "frontiers": "DELETE FROM control.audit_frontiers",
            "log": "DELETE FROM control.audit_logs",
            "shrink": "UPDATE control.audit_logs SET size = size - 1",
            "windows": "UPDATE control.audit_retention SET entries_days = 1",
            "trigger": "ALTER TABLE control.audit_entries DISABLE TRIGGER for_ever",
            "drop": "DROP TABLE control.audit_entries",
            "inbox": "UPDATE control.audit_inbox SET records = ''",
        },
        tenant=A,
    )
    assert all(text.startswith("ERROR:") for text in said.values()), said


def test_nobody_else_can_be_become(database):
    said = database.say(
        {
            "owner": "SET ROLE tenant_control_owner",
            "lookup": "SET ROLE tenant_control_lookup",
            "superuser": "SET ROLE postgres",
            "session": "SET SESSION AUTHORIZATION postgres",
            "member": 'GRANT tenant_control_owner TO "tenant-control"',
            "bypass": 'ALTER ROLE "tenant-control" BYPASSRLS',
            "definer": "CREATE FUNCTION control.f() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::text'",
            "public": "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "temporary": "CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "replace": "CREATE OR REPLACE FUNCTION control.current_tenant() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
            "extension": "CREATE EXTENSION dblink",
            "schema": "CREATE SCHEMA mine",
            "file": "SELECT pg_read_file('PG_VERSION')",
            "folder": "SELECT pg_ls_dir('.')",
            "program": "COPY (SELECT 1) TO PROGRAM 'cat'",
            "configuration": "ALTER SYSTEM SET log_statement = 'all'",
            "authid": "SELECT rolpassword FROM pg_authid",
            "large object": "SELECT lo_import('/etc/passwd')",
            "catalog": "DELETE FROM pg_policy",
            "statistics": "SELECT stavalues1 FROM pg_statistic",
            "listen in": "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
            "subscription": "CREATE PUBLICATION p FOR ALL TABLES",
        },
        tenant=A,
    )
    assert all(text.startswith("ERROR:") for text in said.values()), said
