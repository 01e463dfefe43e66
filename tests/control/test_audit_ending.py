# SPDX-License-Identifier: MIT
"""A tenant that is deleted: its log ends under a last checkpoint that the platform's log quotes, its people's personal
data go, and what comes too late is the platform's."""
import json
import threading
import time

import pytest
from controllib.trail import Chain, leaf_hash, tree_hash
from test_audit_reading import checkpoint, export, holds

ANY = {"If-Match": "*"}
WAIT_SECONDS = 60


def export_ended(client, log, query=""):
    answer = client.get(f"/v1/audit/logs/{log}/export{query}")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson", answer
    header, *entries, end = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert end == {"end": True, "entries": len(entries)}
    return header, entries


def delete(operator, tenant):
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    assert operator.delete(tenant.path).status == 204
    (said,) = operator.must("GET", f"/v1/events?kind=tenant.delete&actor={operator.must('GET', '/v1/me')['id']}&limit=1")["items"]
    assert said["target"] == tenant.id
    return said


@pytest.fixture
def sql(control):
    return lambda text: control.cluster.psql(text, database=control.database).strip()


def send(host, chain):
    return host.client.post("/v1/hosts/self/audit", chain.request(), headers={"Content-Type": "application/octet-stream"})


def test_the_log_ends_with_a_checkpoint_that_the_platform_quotes(operator, tenant, sql):
    tenant.alice = tenant.user("alice", "owner")
    before, _ = export(operator, tenant.path)
    said = delete(operator, tenant)
    data = said["data"]
    header, entries = export_ended(operator, tenant.id)
    assert data["slug"] == tenant.slug and data["size"] == data["signed_size"] == len(entries) == header["to"]
    assert header["checkpoint"].rstrip("\n").split("\n") == data["checkpoint"]
    assert header["keys"] == data["keys"] == before["keys"] and header["origin"] == before["origin"]
    size, root = checkpoint(header)
    assert size == len(entries) and root.hex() == data["root"]
    assert tree_hash([leaf_hash(entry["leaf"].encode()) for entry in entries]) == root
    holds(header, entries)
    last = json.loads(entries[-1]["leaf"])
    assert last["metadata"]["event_code"] == "tenant.delete" and last["actor"]["user"]["uid"] == said["actor"]
    assert sql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant.id}'") == "0"
    part = export_ended(operator, tenant.id, "?kind=user.create")
    assert part[1] and len(part[1]) < len(entries)
    holds(*part)
    # Who takes it along is seen where operators look.
    (view,) = operator.must("GET", "/v1/events?kind=audit.export&limit=1")["items"]
    assert view["target"] == tenant.id


def test_its_people_are_gone_from_it_and_from_the_platforms(server, operator, tenant, sql):
    alice = tenant.user("alice", "owner")
    refused = alice.client().get("/v1/events")
    assert refused.status == 403
    sql(f"INSERT INTO control.audit_person_keys (tenant_id, person, sealed) VALUES ('', '{alice.id}', 'x') ON CONFLICT DO NOTHING")
    delete(operator, tenant)
    assert sql(f"SELECT count(*) FROM control.audit_person_keys WHERE tenant_id = '{tenant.id}' OR person = '{alice.id}'") == "0"
    # Who deleted it is no person of the tenant's, and is known.
    (said,) = operator.must("GET", "/v1/events?kind=tenant.delete&limit=1")["items"]
    assert "erased" not in said and said["source"] == "127.0.0.1"
    _, entries = export_ended(operator, tenant.id)
    parts = [part for entry in entries for part in entry["personal"]]
    assert parts and all(set(part) == {"person", "erased"} for part in parts)


def test_a_log_is_asked_for_this_way_when_its_tenant_is_gone_and_by_operators(operator, tenant, new_tenant):
    other = new_tenant("still-here")
    path = f"/v1/audit/logs/{tenant.id}/export"
    for name in (tenant.id, tenant.slug, "ten_0000000000000000", "platform", "%2e%2e", "ten_'--", "usr_0000000000000000", "x" * 200):
        answer = operator.get(f"/v1/audit/logs/{name}/export")
        assert answer.status == 404, (name, answer)
    owner = tenant.owner
    delete(operator, tenant)
    assert operator.get(path).status == 200
    assert other.owner.get(path).status == 403 and owner.get(path).status in (401, 403)
    assert operator.as_(None).get(path).status == 401
    assert operator.get(f"{path}?from=999999").status == 400
    # As a tenant it is not there.
    assert operator.get(f"{tenant.path}/audit/export").status == 404


def test_nothing_comes_after_the_end(control, operator, tenant, new_host, sql):
    """Neither by a host that has not heard of it, nor by whoever can write to the table."""
    alice = tenant.user("alice")
    host, chain = new_host("late-host", tenant), Chain()
    chain.event(tenant.id, alice.id, "alice", "login-allowed", host_id=host.id)
    assert send(host, chain).status == 200
    said = delete(operator, tenant)
    late = chain.event(tenant.id, alice.id, "alice", "session-closed", host_id=host.id)
    assert send(host, chain).status == 200
    (found,) = operator.must("GET", f"/v1/events?id={late}")["items"]
    assert found["host"] == host.id and found["event"]["metadata"]["tenant_uid"] == tenant.id
    _, entries = export_ended(operator, tenant.id)
    assert len(entries) == said["data"]["size"]
    row = f"UPDATE control.audit_logs SET %s WHERE tenant_id = '{tenant.id}'"
    for change in ("size = size + 1", "ended_at = NULL", "ended_keys = '[]'", "checkpoint = 'x'"):
        with pytest.raises(Exception, match="has ended"):
            sql(row % change)


def test_refusals_that_were_counted_go_to_the_platform(operator, tenant, new_tenant):
    """They are written together, some time later: one tenant that is gone by then takes nobody else's along."""
    other = new_tenant("others-refusals")
    for one in (tenant, other):
        one.alice = one.user("alice")
        operator.as_(None).post("/v1/sign-in", {"tenant": one.slug, "email": f"alice@{one.slug}.example", "password": "not the password 11"})
    delete(operator, tenant)

    def found(path):
        return operator.must("GET", f"{path}/events?kind=sign-in&outcome=failure&limit=100")["items"]

    ends = time.monotonic() + WAIT_SECONDS
    while not found(other.path) and time.monotonic() < ends:
        time.sleep(0.3)
    assert found(other.path)
    (late,) = [e for e in found("/v1") if e["target"] == tenant.alice.id]
    assert late["data"]["tenant"] == tenant.id and late["data"]["reason"]


def test_whoever_writes_meanwhile_is_in_or_is_not(operator, tenant):
    """Requests of the tenant, while it is deleted: no event is left over, and none is behind the last checkpoint."""
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    answers = []

    def write():
        client = operator.as_(operator.token)
        while True:
            answer = client.patch(tenant.path, {"name": "again"}, headers=ANY)
            answers.append(answer.status)
            if answer.status != 200:
                return

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while answers.count(200) < 8:
        time.sleep(0.01)
    assert operator.delete(tenant.path).status == 204
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 404}, set(answers)
    header, entries = export_ended(operator, tenant.id)
    assert json.loads(entries[-1]["leaf"])["metadata"]["event_code"] == "tenant.delete"
    assert sum(json.loads(e["leaf"])["metadata"]["event_code"] == "tenant.change" for e in entries) == answers.count(200)
    (said,) = operator.must("GET", "/v1/events?kind=tenant.delete&limit=1")["items"]
    assert said["target"] == tenant.id and checkpoint(header)[1].hex() == said["data"]["root"]
