# SPDX-License-Identifier: MIT
"""tenant-control audit, and what it does as the database's owner: windows, and months that go while the rest still holds."""
import json

import pytest
from controllib.trail import inclusion_root, leaf_hash, tree_hash
from test_audit_reading import checkpoint, export, holds

import conftest


@pytest.fixture
def own(new_control, cluster):
    made = new_control("retention", cluster=cluster, tls=False, database="retention", settings="limits: {per_source: 0}\n")
    made.init()
    yield made
    cluster.psql("DROP DATABASE retention WITH (FORCE)", database="postgres")


@pytest.fixture
def alone(own):
    """A tenant on a control plane of its own."""
    server = own.serve()
    client = server.client
    client.token = client.sign_in(own.OPERATOR, own.PASSWORD)
    made = conftest.Tenant(client, "web")
    made.control, made.server = own, server
    made.me = made.owner
    return made


def run(control, *words, check=True):
    return control.run("audit", *words, check=check)


def sql(control, text):
    return control.cluster.psql(text, database=control.database).strip()


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_reading(alone):
    found = lines(run(alone.control, "search", "--tenant", "web", "--kind", "user.create", "--json"))
    assert found and {e["kind"] for e in found} == {"user.create"}
    # By whom: the command line.
    views = lines(run(alone.control, "events", "--tenant", alone.id, "--kind=audit.view", "--json"))
    assert views[0]["actor"] == "local" and views[0]["event"]["src_endpoint"]["svc_name"] == "command-line"
    table = run(alone.control, "tail", "--limit", "3").stdout.splitlines()
    assert len(table) == 4 and table[0].split()[:3] == ["at", "kind", "outcome"]
    one = found[0]["id"]
    proof = json.loads(run(alone.control, "proof", one, "--tenant", "web").stdout)
    header = {"checkpoint": run(alone.control, "checkpoint", "--tenant", "web").stdout, "origin": "x"}
    assert header["checkpoint"].splitlines()[0].endswith(f"/audit/{alone.id}")
    assert proof["index"] == found[0]["index"] and proof["leaf_hash"]


def test_wrong_words(alone):
    for words in (["even"], ["events", "--knd", "x"], ["events", "--kind"], ["proof"], ["erase"], ["erase", "a/b"],
                  ["retention", "--personal", "0"], ["retention", "--personal", "x"], ["retention", "--entries", "99999999"],
                  ["events", "--tenant", "a/b"], ["export", "extra"], []):  # fmt: skip
        done = run(alone.control, *words, check=False)
        assert done.returncode == 2 and done.stderr, words
    for words in (["events", "--tenant", "nobody"], ["proof", "evt_0000000000000000"], ["erase", "usr_0000000000000000"],
                  ["events", "--class", "x"], ["export", "--from", "99999999"]):  # fmt: skip
        done = run(alone.control, *words, check=False)
        assert done.returncode == 1 and done.stderr and not done.stdout, words
    assert "events|search" in run(alone.control, "--help").stdout or "audit events" in run(alone.control, "--help").stdout


def test_an_export_of_what_a_deleted_tenant_left(alone):
    control = alone.control
    for words in (["events", "--log", alone.id], ["export", "--log", "a/b"], ["export", "--log", alone.id, "--tenant", "web"], ["export", "--log"]):
        assert run(control, *words, check=False).returncode == 2, words
    assert run(control, "export", "--log", alone.id, check=False).returncode == 1  # there is the tenant
    alone.operator.must("PATCH", alone.path, {"suspended": True}, headers={"If-Match": "*"})
    assert alone.operator.delete(alone.path).status == 204
    header, *entries, end = lines(run(control, "export", "--log", alone.id))
    assert end["entries"] == len(entries) == header["to"]
    holds(header, entries)


def test_an_export_by_the_command_line(alone):
    texts = run(alone.control, "export", "--tenant", "web").stdout.splitlines()
    header, *entries, end = map(json.loads, texts)
    assert end == {"end": True, "entries": len(entries)} and header["to"] == len(entries)
    holds(header, entries)
    part = lines(run(alone.control, "export", "--tenant", "web", "--from", "1", "--to", "3"))
    assert [e["index"] for e in part[1:-1]] == [1, 2]


def test_erasing(alone):
    alice = alone.user("alice")
    assert "gone" in run(alone.control, "erase", alice.id, "--tenant", "web").stdout
    assert run(alone.control, "erase", alice.id, "--tenant", "web", check=False).returncode == 1
    _, entries = export(alone.me, alone.path)
    assert all("erased" in p for e in entries for p in e["personal"] if p["person"] == alice.id)
    assert json.loads(entries[-1]["leaf"])["metadata"]["event_code"] == "person.erase"
    assert json.loads(entries[-1]["leaf"])["actor"]["user"]["uid"] == "local"


def age(control, count, month="2020-01"):
    """The first entries of every log as if they had come long ago."""
    sql(control, "SET session_replication_role = replica; SET ROLE tenant_control_owner; "
        + "".join(
            f"CREATE TABLE control.{parent}_2020_01 PARTITION OF control.{parent} FOR VALUES FROM ('{month}-01 00:00:00+00') "
            f"TO ('{month}-28 00:00:00+00');" for parent in ("audit_entries", "audit_personal"))
        + "RESET ROLE; "
        + "".join(f"UPDATE control.{parent} SET at = '{month}-15' WHERE idx < {count};" for parent in ("audit_entries", "audit_personal")))


def months(control, parent):
    return sql(control, f"SELECT count(*) FROM pg_inherits WHERE inhparent = 'control.{parent}'::regclass")


def test_windows_are_the_owners(alone):
    shown = json.loads(run(alone.control, "retention", "--json").stdout)
    assert shown == {"personal_days": None, "entries_days": None}
    admin = ["--admin-dsn", alone.control.cluster.admin_dsn]
    done = json.loads(run(alone.control, "retention", "--personal", "30", "--json", *admin).stdout)
    assert done == {"personal_days": 30, "entries_days": None}
    done = json.loads(run(alone.control, "retention", "--entries=365", "--json", *admin).stdout)
    assert done == {"personal_days": 30, "entries_days": 365}
    done = run(alone.control, "retention", "--personal", "forever", *admin).stdout
    assert done.splitlines() == ["personal data: for ever", "entries: 365 days"]
    said = lines(run(alone.control, "events", "--kind", "audit.retention", "--json"))
    assert [e["data"] for e in said] == [
        {"personal_days": None, "entries_days": 365}, {"personal_days": 30, "entries_days": 365}, {"personal_days": 30, "entries_days": None},
    ]  # fmt: skip
    # Nothing is old, so nothing goes.
    before = months(alone.control, "audit_entries")
    done = json.loads(run(alone.control, "retention", "--now", "--json").stdout)
    assert (done["entries_months"], done["personal_months"]) == (0, 0) and months(alone.control, "audit_entries") == before


def test_the_service_cannot_make_anything_go(alone):
    """By the service's own role: windows, months, and what is asked for while a tree is not recorded."""
    export(alone.me, alone.path)
    age(alone.control, 3)
    for text in (
        "UPDATE control.audit_retention SET entries_days = 1",
        "DROP TABLE control.audit_entries_2020_01",
        "ALTER TABLE control.audit_entries DETACH PARTITION control.audit_entries_2020_01",
        "TRUNCATE control.audit_entries_2020_01",
        "DELETE FROM control.audit_entries_2020_01",
        "SELECT control.audit_unrecorded_before(now())",
    ):
        scope = "SET LOCAL control.platform = 'on'; "
        with pytest.raises(AssertionError):
            alone.control.cluster.psql(f"BEGIN; {scope}{text}; COMMIT", user="tenant-control", database=alone.control.database)
    alone.control.cluster.psql("BEGIN; SET LOCAL control.platform = 'on'; SELECT control.audit_drop_old(); COMMIT", user="tenant-control",
                               database=alone.control.database)  # fmt: skip
    assert sql(alone.control, "SELECT count(*) > 0 FROM control.audit_entries_2020_01") == "t"
    sql(alone.control, "UPDATE control.audit_retention SET entries_days = 365")
    with pytest.raises(AssertionError, match="not recorded"):
        alone.control.cluster.psql("BEGIN; SET LOCAL control.platform = 'on'; SELECT control.audit_drop_old(); COMMIT", user="tenant-control",
                                   database=alone.control.database)  # fmt: skip


def test_personal_data_go_first(alone):
    alice = alone.user("alice")
    header, before = export(alone.me, alone.path)
    age(alone.control, len(before))
    sql(alone.control, "UPDATE control.audit_retention SET personal_days = 30")
    done = json.loads(run(alone.control, "retention", "--now", "--json").stdout)
    assert (done["entries_months"], done["personal_months"]) == (0, 1)
    header, after = export(alone.me, alone.path)
    holds(header, after)
    assert [e["leaf"] for e in after[: len(before)]] == [e["leaf"] for e in before]
    assert all("erased" in part for e in after[: len(before)] for part in e["personal"])
    assert alice.id in "".join(e["leaf"] for e in after) and "alice" not in "".join(json.dumps(e["personal"]) for e in after)
    # Personal data that come later are there.
    assert any("patch" in part for e in after[len(before) :] for part in e["personal"])


def test_personal_data_go_whatever_becomes_of_the_entries(alone):
    """The row of one log is damaged, so its tree cannot be recorded, and no entries go. Names go all the same."""
    alone.user("alice")
    _, before = export(alone.me, alone.path)
    age(alone.control, len(before))
    there = "SELECT to_regclass('control.audit_entries_2020_01') IS NOT NULL, to_regclass('control.audit_personal_2020_01') IS NOT NULL"
    assert sql(alone.control, there) == "t|t"
    sql(alone.control, f"UPDATE control.audit_logs SET hashes = '' WHERE tenant_id = '{alone.id}'")
    sql(alone.control, "UPDATE control.audit_retention SET personal_days = 30, entries_days = 365")
    assert run(alone.control, "retention", "--now", check=False).returncode != 0
    assert sql(alone.control, there) == "t|f"


def test_what_a_deleted_tenant_left_goes_as_well(alone):
    """All of a log that grows no more: what went is told in the platform's, and the end still holds."""
    control, operator = alone.control, alone.operator
    operator.must("PATCH", alone.path, {"suspended": True}, headers={"If-Match": "*"})
    assert operator.delete(alone.path).status == 204
    header, *whole, _ = lines(run(control, "export", "--log", alone.id))
    # Of the platform's log nothing, so that its own drop is not in the way.
    age(control, 0)
    sql(control, "".join(f"SET session_replication_role = replica; UPDATE control.{parent} SET at = '2020-01-15' WHERE tenant_id = '{alone.id}';"
                         for parent in ("audit_entries", "audit_personal")))  # fmt: skip
    sql(control, "UPDATE control.audit_retention SET entries_days = 365")
    done = json.loads(run(control, "retention", "--now", "--json").stdout)
    assert (done["entries_months"], done["personal_months"]) == (1, 1)
    (said,) = lines(run(control, "search", "--kind", "audit.drop", "--json"))
    assert said["target"] == alone.id and said["data"] == {"from": 0, "to": len(whole), "tenant": alone.id}
    assert run(control, "export", "--log", alone.id, check=False).returncode == 1  # it has no first entries any more
    again, end = lines(run(control, "export", "--log", alone.id, "--from", str(len(whole))))
    assert again["checkpoint"] == header["checkpoint"] and again["frontier"]["size"] == len(whole) and end["entries"] == 0
    assert sql(control, f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{alone.id}'") == "0"


@pytest.mark.parametrize("count", [3, 256, 300])
def test_old_entries_go_and_the_rest_holds(alone, count):
    """Whole tiles and parts of one: the tree stays, and everything after what went is verifiable from the frontier on."""
    alone.project("web")
    for n in range(count):
        alone.me.must("PATCH", f"{alone.path}/projects/web", {"allow_from": ["127.0.0.0/8"] * (n % 2)}, headers={"If-Match": "*"})
    header, whole = export(alone.me, alone.path)
    size, _ = checkpoint(header)
    assert size > count
    age(alone.control, count)
    sql(alone.control, "UPDATE control.audit_retention SET entries_days = 365")
    done = json.loads(run(alone.control, "retention", "--now", "--json").stdout)
    assert (done["entries_months"], done["personal_months"]) == (1, 1)
    assert sql(alone.control, f"SELECT min(idx) FROM control.audit_entries WHERE tenant_id = '{alone.id}'") == str(count)
    root = tree_hash([leaf_hash(e["leaf"].encode()) for e in whole[:count]])
    recorded = sql(alone.control, f"SELECT size, encode(root, 'hex') FROM control.audit_frontiers WHERE tenant_id = '{alone.id}'")
    assert recorded == f"{count}|{root.hex()}"
    answer = alone.me.get(f"{alone.path}/audit/export")
    assert answer.status == 400 and answer.json["field"] == "from", answer
    header, rest = export(alone.me, alone.path, f"?from={count}")
    assert header["frontier"]["size"] == count and rest[0]["leaf"] == whole[count]["leaf"]
    holds(header, rest)
    # New events join the same tree: what was there before is in it.
    new, new_root = checkpoint(header)
    leaves = [leaf_hash(e["leaf"].encode()) for e in whole[:count] + rest]
    assert len(leaves) == new > size and tree_hash(leaves) == new_root
    said = lines(run(alone.control, "search", "--tenant", "web", "--kind", "audit.drop", "--json"))
    assert [(e["data"], e["actor"]) for e in said] == [({"from": 0, "to": count}, "")]
    # Once more: nothing is left to go.
    done = json.loads(run(alone.control, "retention", "--now", "--json").stdout)
    assert (done["entries_months"], done["personal_months"]) == (0, 0)
    assert inclusion_root(0, 1, leaves[0], []) == leaves[0]
