# SPDX-License-Identifier: MIT
"""A log as others verify it: checkpoints, tiles and proofs against a tree that the test computes itself; who may ask; and
that nobody changes what is there."""
import base64
import json
import random
import struct
import time

import pytest

from conftest import Tenant
from controllib.host import Host
from controllib.trail import Chain, Checkpoint, consistent, inclusion_root, leaf_hash, renamed, tree_hash
from test_audit_accept import checkpoint_key, entries, must, post, wait_for

EVENTS = 530  # two whole tiles and a part of a third


@pytest.fixture(scope="module")
def sql(control):
    return lambda text, **more: control.cluster.psql(text, database=control.database, **more)


class Log:
    """A tenant with EVENTS events of a host and some of its own, and its tree."""

    def __init__(self, tenant, host, sql):
        self.tenant, self.host, self.chain = tenant, host, Chain()
        for _ in range(EVENTS):
            self.chain.event(tenant.id)
        must(host, self.chain)
        self.client = tenant.owner
        assert wait_for(lambda: sql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant.id}'") == "0")
        rows = entries(sql, tenant.id)
        self.leaves = [row[4] for row in rows]
        self.hashes = [leaf_hash(leaf) for leaf in self.leaves]
        self.size, self.path = len(rows), f"{tenant.path}/audit"
        self.key = checkpoint_key(tenant, host)

    def get(self, path):
        return self.client.get(f"{self.path}/{path}")


@pytest.fixture(scope="module")
def log(control, operator, sql, tmp_path_factory):
    tenant = Tenant(operator, "treelog")
    host = Host(operator, [tenant.id], "h-treelog", tmp_path_factory.mktemp("host"))
    host.sign_in(control.url)
    return Log(tenant, host, sql)


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_the_checkpoint_is_of_the_tree(log):
    answer = log.get("checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    head = Checkpoint(answer.body.decode(), log.key)
    assert head.size == log.size and head.root == tree_hash(log.hashes)
    assert head.origin == f"{log.host.authority.split('+')[0]}/audit/{log.tenant.id}"


def test_neither_signature_stands_for_the_other(log):
    note = log.get("checkpoint").body.decode()
    feed_key = renamed(log.key, log.key.split("+")[0].replace("/audit/", "/feed/"))
    with pytest.raises(AssertionError):
        Checkpoint(note, feed_key)


def roots(log, level):
    """The hashes of a tile level: of whole subtrees of 256^level leaves."""
    span = 256**level
    return [tree_hash(log.hashes[i * span : (i + 1) * span]) for i in range(log.size // span)]


def test_tiles_are_those_of_the_tree(log):
    for level in (0, 1):
        hashes = roots(log, level)
        for n in range(len(hashes) // 256 + 1):
            part = hashes[256 * n : 256 * n + 256]
            if len(part) == 256:
                answer = log.get(f"tile/{level}/{n:03}")
                assert answer.status == 200 and answer.body == b"".join(part)
                assert "immutable" in answer.headers["cache-control"]
            for width in {1, 2, len(part) // 2, len(part)} - {0, 256}:
                answer = log.get(f"tile/{level}/{n:03}.p/{width}")
                assert answer.status == 200 and answer.body == b"".join(part[:width]), (level, n, width)


def test_entries_are_the_leaves(log):
    for name, part in (("000", log.leaves[:256]), ("001", log.leaves[256:512]), ("002.p/9", log.leaves[512:521])):
        answer = log.get(f"tile/entries/{name}")
        assert answer.status == 200
        rest, seen = answer.body, []
        while rest:
            (length,) = struct.unpack(">H", rest[:2])
            seen.append(rest[2 : 2 + length].decode())
            rest = rest[2 + length :]
        assert seen == part


def test_every_kind_of_inclusion_proof(log):
    chosen = random.Random(1)
    sizes = [1, 2, 3, 255, 256, 257, 511, 512, 513, log.size - 1, log.size] + [chosen.randint(1, log.size) for _ in range(30)]
    for size in sizes:
        root = tree_hash(log.hashes[:size])
        for index in {0, size - 1, size // 2, chosen.randrange(size)}:
            said = log.client.must("GET", f"{log.path}/proofs/inclusion?index={index}&size={size}")
            assert (said["index"], said["size"]) == (index, size) and said["leaf_hash"] == log.hashes[index].hex()
            proof = [base64.b64decode(part) for part in said["proof"]]
            assert inclusion_root(index, size, log.hashes[index], proof) == root, (index, size)
            # It comes along where it is of that size; who reads leaves by tile has made the log grow.
            assert said["checkpoint"] is None or Checkpoint(said["checkpoint"], log.key).size == size
    said = log.client.must("GET", f"{log.path}/proofs/inclusion?index=0")
    assert Checkpoint(said["checkpoint"], log.key).size == said["size"] >= log.size


def test_every_kind_of_consistency_proof(log):
    chosen = random.Random(2)
    pairs = [(0, log.size), (1, 1), (1, 2), (255, 256), (256, 512), (256, 513), (511, 530), (log.size, log.size), (0, 0)]
    pairs += [tuple(sorted((chosen.randint(0, log.size), chosen.randint(1, log.size)))) for _ in range(60)]
    for old, new in pairs:
        said = log.client.must("GET", f"{log.path}/proofs/consistency?from={old}&to={new}")
        proof = [base64.b64decode(part) for part in said["proof"]]
        assert consistent(old, tree_hash(log.hashes[:old]), new, tree_hash(log.hashes[:new]), proof), (old, new)
        if 0 < old < new:
            assert not consistent(old, b"\x00" * 32, new, tree_hash(log.hashes[:new]), proof)


def test_the_tree_grows_through_its_tiles(log, tenant, new_host, sql):
    """One event at a time over the border of a tile: each checkpoint follows from the one before."""
    host, chain = new_host("h-grows", tenant), Chain()
    key, client = checkpoint_key(tenant, host), tenant.owner
    for _ in range(250):
        chain.event(tenant.id)
    must(host, chain)
    last = None
    for number in range(251, 270):
        chain.event(tenant.id)
        must(host, chain, first=number)
        assert wait_for(lambda: client.get(f"{tenant.path}/audit/proofs/inclusion?id={chain.id}-{number}").status == 200)
        head = Checkpoint(client.get(f"{tenant.path}/audit/checkpoint").body.decode(), key)
        if last:
            said = client.must("GET", f"{tenant.path}/audit/proofs/consistency?from={last.size}&to={head.size}")
            proof = [base64.b64decode(part) for part in said["proof"]]
            assert consistent(last.size, last.root, head.size, head.root, proof)
        last = head
    assert last.root == tree_hash([bytes.fromhex(row[3]) for row in entries(sql, tenant.id)][: last.size])


def test_the_platforms_log(log, operator, sql):
    log.chain.event("")
    must(log.host, log.chain, first=log.chain.last)
    one = f"{log.chain.id}-{log.chain.last}"
    assert wait_for(lambda: operator.get(f"/v1/audit/proofs/inclusion?id={one}").status == 200)
    authority = log.host.authority
    key = renamed(authority, f"{authority.split('+')[0]}/audit/platform")
    said = operator.must("GET", f"/v1/audit/proofs/inclusion?id={one}")
    head = Checkpoint(said["checkpoint"], key)
    proof = [base64.b64decode(part) for part in said["proof"]]
    assert inclusion_root(said["index"], head.size, log.chain.history[-1][2], proof) == head.root
    with pytest.raises(AssertionError):
        Checkpoint(said["checkpoint"], authority)  # not under its own name
    assert operator.get("/v1/audit/tile/0/000.p/1").status == 200
    assert operator.get(f"/v1/audit/proofs/consistency?from=1&to={head.size}").status == 200


# ---- what it does not say --------------------------------------------------------------------------------------------

NO_TILES = [
    "0/000/", "0", "0/", "0/0", "0/00", "0/0000", "0/1000", "0/00a", "0/-01", "0/+01", "0/ 01", "0/003", "0/001.p/256", "0/001.p/0",
    "0/001.p/", "0/001.p", "0/001.p/01", "0/001.q/1", "0/001.p/1/", "0/002", "0/002.p/255", "1/000", "1/000.p/3", "1/001.p/1", "2/000.p/1",
    "7/000.p/1", "8/000", "00/000", "-1/000", "a/000", "entries/002", "entries/002.p/200", "entries/9", "ENTRIES/000", "0/x000/000",
    "0/x000/x001/000", "0/x001/000", "0/y001/000", "0/x999/x999/x999/x999/x999/x999/x999/999", "0/x001x002/000", "data/000",
]  # fmt: skip


@pytest.mark.parametrize("path", NO_TILES)
def test_no_such_tile(log, path):
    # An empty part is no path at all.
    assert log.client.get(f"{log.path}/tile/{path.replace(' ', '%20')}").status == (400 if path.endswith("/") else 404)


BAD_PROOFS = {
    "proofs/inclusion": 400,
    "proofs/inclusion?index=1&id=x": 400,
    "proofs/inclusion?index=": 400,
    "proofs/inclusion?index=-1": 400,
    "proofs/inclusion?index=x": 400,
    "proofs/inclusion?index=1&size=99999999": 400,
    "proofs/inclusion?index=1&size=9999999999999999999999": 400,
    "proofs/inclusion?index=5&size=5": 404,
    "proofs/inclusion?index=0&size=0": 404,
    "proofs/inclusion?index=99999999": 404,
    "proofs/inclusion?id=nothing-1": 404,
    "proofs/inclusion?id=": 404,
    "proofs/inclusion?id='; DROP TABLE x; --": 404,
    "proofs/consistency?from=5&to=4": 400,
    "proofs/consistency?from=x": 400,
    "proofs/consistency?to=99999999": 400,
    "proofs/consistency?from=99999999": 400,
}


@pytest.mark.parametrize("path", BAD_PROOFS)
def test_no_such_proof(log, path):
    assert log.get(path.replace(" ", "%20").replace("'", "%27")).status == BAD_PROOFS[path]


def test_an_event_of_another_tenant_is_not_there(log, tenant):
    one = f"{log.chain.id}-1"
    assert tenant.owner.get(f"{tenant.path}/audit/proofs/inclusion?id={one}").status == 404
    assert tenant.owner.get(f"{log.path}/proofs/inclusion?id={one}").status in (403, 404)
    for path in ("checkpoint", "tile/0/000", "tile/entries/000", "proofs/consistency"):
        assert tenant.owner.get(f"{log.path}/{path}").status in (403, 404), path
        assert log.client.get(f"/v1/audit/{path}").status == 403, path


def test_who_may_ask(log, operator):
    for path in ("checkpoint", "tile/0/000", "tile/entries/000", "proofs/inclusion?index=0", "proofs/consistency"):
        assert operator.as_(None).get(f"{log.path}/{path}").status == 401, path
        assert log.tenant.user(f"v{abs(hash(path)) % 10**6}", "viewer").client().get(f"{log.path}/{path}").status == 403, path
        assert log.host.client.get(f"{log.path}/{path}").status in (401, 403, 404), path
        assert operator.get(f"{log.path}/{path}").status == 200, path
        assert log.client.post(f"{log.path}/{path}", {}).status == 405, path


# ---- that nobody changes it ------------------------------------------------------------------------------------------

TABLES = ["audit_entries", "audit_tiles", "audit_checkpoints", "audit_personal", "audit_edges", "audit_frontiers"]


@pytest.mark.parametrize("table", TABLES)
def test_neither_the_service_nor_the_owner_changes_a_row(log, control, sql, table):
    scope = f"SELECT set_config('control.tenant', '{log.tenant.id}', false);"
    for words in (f"UPDATE control.{table} SET tenant_id = tenant_id", f"DELETE FROM control.{table}", f"TRUNCATE control.{table}"):
        done = control.cluster.psql(scope + words, user="tenant-control", database=control.database, check=False)
        assert done.returncode != 0 and "permission denied" in done.stderr, done
        done = sql(words, check=False)  # as the superuser
        assert done.returncode != 0 and "never changed or deleted" in done.stderr, done


def test_a_log_can_only_grow(log, control, sql):
    scope = f"SELECT set_config('control.tenant', '{log.tenant.id}', false);"
    for words in ("size = size - 1", "checkpoint_size = 0", "tenant_id = 'ten_0000000000000000'"):
        statement = f"{scope} UPDATE control.audit_logs SET {words} WHERE tenant_id = '{log.tenant.id}'"
        done = control.cluster.psql(statement, user="tenant-control", database=control.database, check=False)
        assert done.returncode != 0, words
    assert sql("DELETE FROM control.audit_logs", check=False).returncode != 0


def test_partitions_are_out_of_the_services_reach(log, control, sql):
    names = sql(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
        "WHERE p.relname IN ('audit_entries', 'audit_personal')"
    ).split()
    assert len(names) == 8  # this month and the next three, of both
    for name in names:
        for words in (f"SELECT FROM control.{name}", f"DELETE FROM control.{name}", f"INSERT INTO control.{name} DEFAULT VALUES"):
            done = control.cluster.psql(words, user="tenant-control", database=control.database, check=False)
            assert done.returncode != 0 and "permission denied" in done.stderr, done
        assert "never changed" in sql(f"DELETE FROM control.{name}", check=False).stderr
    assert sql("SELECT control.audit_make_partitions()") == "0"


# ---- several at it ---------------------------------------------------------------------------------------------------


def test_two_replicas_make_one_tree(control, server, operator, tenant, new_host, sql):
    second, client = control.serve(another_port=True), tenant.owner
    try:
        hosts = [new_host("h-first", tenant), new_host("h-second", tenant)]
        other = second.client
        other.token = hosts[1].client.token
        hosts[1].client = other
        chains = [Chain(), Chain()]
        for number in range(40):
            for host, chain in zip(hosts, chains):
                chain.event(tenant.id)
                must(host, chain, first=number + 1)
        assert wait_for(lambda: sql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant.id}'") == "0")
        rows = entries(sql, tenant.id)
        assert [row[0] for row in rows] == list(range(len(rows)))
        for chain in chains:
            assert [row[1] for row in rows if row[1].startswith(chain.id)] == [f"{chain.id}-{n}" for n in range(1, 41)]
        head = Checkpoint(client.get(f"{tenant.path}/audit/checkpoint").body.decode(), checkpoint_key(tenant, hosts[0]))
        assert head.size == len(rows) and head.root == tree_hash([bytes.fromhex(row[3]) for row in rows])
    finally:
        second.stop()


def test_what_is_left_in_the_inbox_is_found_by_the_next_start(new_control, tmp_path):
    """And by another replica: nobody has to be told of it. The month's partition is made anew where it is not there."""
    control = new_control("left")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = Tenant(operator, "left")
    host, chain = Host(operator, [tenant.id], "h-left", tmp_path), Chain()
    host.sign_in(control.url)
    sql = control.cluster.psql
    month = sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
    # The clock of the database went past the last partition, as it were.
    sql(
        f"ALTER TABLE control.audit_entries DETACH PARTITION control.audit_entries_{month};"
        f"ALTER TABLE control.audit_entries_{month} RENAME TO elsewhere"
    )
    for _ in range(3):
        chain.event(tenant.id)
    must(host, chain)
    assert wait_for(lambda: sql(f"SELECT count(*) FROM control.audit_entries WHERE event_id LIKE '{chain.id}-%'") == "3")
    server.kill()
    sql(
        "INSERT INTO control.audit_inbox (tenant_id, host_id, host_name, count, records) SELECT tenant_id, 'hst_x', 'x', 1,"
        f" convert_to(leaf || E'\\n\\n', 'UTF8') FROM control.audit_entries WHERE event_id = '{chain.id}-1'"
    )
    control.serve()
    assert wait_for(lambda: sql(f"SELECT count(*) FROM control.audit_entries WHERE event_id LIKE '{chain.id}-%'") == "4")
    assert json.loads(sql("SELECT to_json(array_agg(size = checkpoint_size)) FROM control.audit_logs")) == [True, True]


def test_who_reads_waits_for_no_backlog_without_an_end(new_control, tmp_path):
    """A host sends faster than anybody can sequence. That its tenant reads keeps no worker for minutes."""
    control = new_control("backlog")
    control.init()
    operator = control.serve().client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant, other = Tenant(operator, "backlog"), Tenant(operator, "beside")
    host, chain = Host(operator, [tenant.id, other.id], "h-backlog", tmp_path), Chain()
    host.sign_in(control.url)
    chain.event(tenant.id)
    must(host, chain)
    sql = control.cluster.psql
    assert wait_for(lambda: sql("SELECT count(*) FROM control.audit_inbox") == "0")
    sql(
        "INSERT INTO control.audit_inbox (tenant_id, host_id, count, records) SELECT tenant_id, host_id, 1000, "
        "convert_to(repeat(leaf || E'\\n\\n', 1000), 'UTF8') FROM control.audit_entries, generate_series(1, 250) "
        f"WHERE event_id = '{chain.id}-1'"
    )
    operator.timeout, began = 120, time.monotonic()
    assert operator.get(f"{tenant.path}/events?limit=1").status == 200
    assert time.monotonic() - began < 8
    assert operator.get(f"{other.path}/events?limit=1").status == 200
    assert time.monotonic() - began < 10
    sizes = f"SELECT count(*) FROM control.audit_entries WHERE event_id = '{chain.id}-1'"
    # Half a minute's work, of which the rest is left: it goes on.
    before = int(sql(sizes))
    assert before < 250001 and wait_for(lambda: int(sql(sizes)) > before, 30)


def test_a_log_that_cannot_go_on_holds_up_no_other(new_control, tmp_path):
    """The row of one is damaged. The others' checkpoints come as fast as ever, and its own when it is whole again."""
    control = new_control("stuck")
    control.init()
    operator = control.serve().client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    stuck, well = (Tenant(operator, slug) for slug in ("stuck", "well"))
    host, chain = Host(operator, [stuck.id, well.id], "h-stuck", tmp_path), Chain()
    host.sign_in(control.url)
    sql = control.cluster.psql
    count = f"SELECT count(*) FROM control.audit_entries WHERE event_id LIKE '{chain.id}-%' AND tenant_id = "
    chain.event(stuck.id)
    must(host, chain)
    assert wait_for(lambda: sql(f"{count}'{stuck.id}'") == "1")
    hashes = sql(f"SELECT hashes FROM control.audit_logs WHERE tenant_id = '{stuck.id}'")
    sql(f"UPDATE control.audit_logs SET hashes = '' WHERE tenant_id = '{stuck.id}'")
    spans = []
    for number in range(8):
        chain.event(stuck.id)
        chain.event(well.id)
        must(host, chain, first=2 * number + 2)
        began = time.monotonic()
        assert wait_for(lambda: sql(f"{count}'{well.id}'") == str(number + 1))
        spans.append(time.monotonic() - began)
        time.sleep(0.3)
    assert sorted(spans)[len(spans) // 2] < 1.0, spans
    assert sql(f"{count}'{stuck.id}'") == "1"
    sql(f"UPDATE control.audit_logs SET hashes = '{hashes}' WHERE tenant_id = '{stuck.id}'")
    assert wait_for(lambda: sql(f"{count}'{stuck.id}'") == "9")


def test_the_end_of_a_server_in_the_middle_loses_and_doubles_nothing(new_control, tmp_path):
    control = new_control("ends")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = Tenant(operator, "ends")
    host, chain = Host(operator, [tenant.id], "h-ends", tmp_path), Chain()
    host.sign_in(control.url)
    key, sql, known = checkpoint_key(tenant, host), control.cluster.psql, 0
    for round_ in range(4):
        for _ in range(300):
            chain.event(tenant.id)
        known = must(host, chain, first=known + 1).next - 1
        time.sleep(0.02 * round_)
        server.kill()
        server = control.serve()
        host.client = host.client.as_(host.client.token)
        operator = operator.as_(operator.token)
        assert post(host, chain.request(first=max(known - 50, 1))).json["next"] == known + 1
    assert wait_for(lambda: sql("SELECT count(*) FROM control.audit_inbox") == "0")
    rows = json.loads(sql(
        "SELECT json_agg(json_build_array(event_id, encode(hash, 'hex')) ORDER BY idx) FROM control.audit_entries WHERE tenant_id = "
        f"'{tenant.id}'"
    ))  # fmt: skip
    assert [row[0] for row in rows if row[0].startswith(chain.id)] == [f"{chain.id}-{n}" for n in range(1, 1201)]
    head = Checkpoint(operator.get(f"{tenant.path}/audit/checkpoint").body.decode(), key)
    assert head.size == len(rows) and head.root == tree_hash([bytes.fromhex(row[1]) for row in rows])
