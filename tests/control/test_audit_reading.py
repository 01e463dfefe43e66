# SPDX-License-Identifier: MIT
"""The audit log as its readers have it: filters and pages, that reading is itself an event, exports that hold without the
control plane, and people who are erased from it while every proof stays."""
import base64
import hashlib
import ipaddress
import json
import pathlib
import re
import time

import pytest
from controllib.trail import Chain, inclusion_root, leaf_hash, node_hash, tree_hash

def refused(answer, status):
    assert answer.status == status and answer.headers["Content-Type"] == "application/problem+json", answer


ID = re.compile(r"^evt_[0-9A-Za-z]{16}$")


def events(client, path, **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return client.must("GET", f"{path}/events?{words}")["items"]


def export(client, path, query=""):
    """The lines of an export, held against what an export is."""
    answer = client.get(f"{path}/audit/export{query}")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson", answer
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    header, entries, end = lines[0], lines[1:-1], lines[-1]
    assert header["export"] == "tenantd-audit/v1" and end == {"end": True, "entries": len(entries)}
    return header, entries


def checkpoint(header):
    origin, size, root = header["checkpoint"].split("\n")[:3]
    assert origin == header["origin"]
    return int(size), base64.b64decode(root)


def commitment(part):
    text = b"tenantd-audit-personal/v1\n" + bytes.fromhex(part["salt"]) + part["patch"].encode()
    return hashlib.sha256(text).hexdigest()


def holds(header, entries):
    """Every entry is where the checkpoint says, and its personal data are what it was bound to."""
    size, root = checkpoint(header)
    for entry in entries:
        leaf = leaf_hash(entry["leaf"].encode())
        proof = [base64.b64decode(one) for one in entry["proof"]]
        assert inclusion_root(entry["index"], size, leaf, proof) == root, entry["index"]
        bound = json.loads(entry["leaf"])["unmapped"].get("personal", [])
        assert [one["person"] for one in bound] == [one["person"] for one in entry["personal"]]
        for one, part in zip(bound, entry["personal"]):
            assert part.get("erased") is True or commitment(part) == one["commitment"]


def root_of(entries):
    return tree_hash([leaf_hash(entry["leaf"].encode()) for entry in entries])


def merge(target, patch):
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            inner = target.get(name)
            target[name] = merge(inner if isinstance(inner, dict) else {}, value)
        else:
            target[name] = value
    return target


@pytest.fixture
def busy(tenant):
    """A tenant in which things have happened."""
    tenant.me = tenant.owner
    tenant.project("web")
    tenant.alice = tenant.user("alice")
    tenant.me.must("PUT", f"{tenant.path}/projects/web/members/alice", {"role": "editor"})
    tenant.me.must("POST", f"{tenant.path}/users/alice/suspend", {"reason": "left with the keys of the lab"})
    return tenant


def test_what_an_event_looks_like(busy):
    event = events(busy.me, busy.path, kind="member.put", limit=1)[0]
    assert ID.match(event["id"]) and event["outcome"] == "success" and event["class"] == 3005
    assert event["data"] == {"role": "editor", "before": ""} and event["project"].startswith("prj_")
    assert event["target"] == f"{busy.alice.id}/{event['project']}" and event["source"] == "127.0.0.1"
    assert abs(event["at"] - time.time()) < 60 and event["logged_at"] >= event["at"] - 1
    whole = event["event"]
    assert whole["metadata"]["uid"] == event["id"] and whole["metadata"]["event_code"] == "member.put"
    assert whole["metadata"]["tenant_uid"] == busy.id and whole["type_uid"] == 300501
    assert whole["user"]["uid"] == busy.alice.id and whole["privileges"] == ["editor"]
    assert whole["actor"]["user"]["uid"] == event["actor"] and whole["actor"]["user"]["name"]


def test_people_are_ids_in_what_stays_for_ever(control, busy):
    """Neither a name nor an address nor what somebody typed is in a leaf, nor anywhere in the database in the clear."""
    header, entries = export(busy.me, busy.path)
    leaves = "\n".join(entry["leaf"] for entry in entries)
    assert busy.alice.id in leaves
    for word in ("alice", "@", "127.0.0.1", "left with the keys"):
        assert word not in leaves
    said = "\n".join(part.get("patch", "") for entry in entries for part in entry["personal"])
    for word in ("alice", "127.0.0.1", "left with the keys"):
        assert word in said
    for table in ("audit_entries", "audit_personal", "audit_inbox", "audit_person_keys"):
        found = control.cluster.psql(f"SELECT string_agg(encode(convert_to(t::text, 'UTF8'), 'escape'), '') FROM control.{table} t "
                                     f"WHERE tenant_id = '{busy.id}'")  # fmt: skip
        assert "left with the keys" not in found and b"left with the keys".hex() not in found


def test_filters(busy):
    owner, path = busy.me, busy.path
    every = events(owner, path, limit=1000)
    assert len(every) > 4
    assert {e["kind"] for e in events(owner, path, kind="user.create")} == {"user.create"}
    actor = next(e["actor"] for e in every if e["kind"] == "user.suspend")
    assert {e["actor"] for e in events(owner, path, actor=actor, limit=1000)} == {actor}
    assert {e["class"] for e in events(owner, path, **{"class": 3005})} == {3005}
    project = next(e["project"] for e in every if e["project"])
    assert {e["project"] for e in events(owner, path, project=project)} == {project}
    one = every[2]
    assert [e["index"] for e in events(owner, path, id=one["id"])] == [one["index"]]
    about = events(owner, path, person=busy.alice.id, limit=1000)
    assert about and all(busy.alice.id in json.dumps(e["event"]["unmapped"]["personal"]) for e in about)
    assert len(about) < len(every)
    assert events(owner, path, outcome="failure", kind="user.create") == []
    middle = int(one["at"] * 1000)
    before, after = events(owner, path, until=middle, limit=1000), events(owner, path, since=middle, limit=1000)
    assert all(e["at"] * 1000 < middle for e in before) and all(round(e["at"] * 1000) >= middle for e in after)
    assert {e["id"] for e in before} | {e["id"] for e in after} >= {e["id"] for e in every}
    assert events(owner, path, since="2001-01-01T00:00:00Z", until="2002-01-01") == []
    assert events(owner, path, host="hst_0000000000000000") == []
    for wrong in ("since=yesterday", "until=-5", "class=x", "class=0", "outcome=maybe", "order=up", "limit=0", "cursor=x", "cursor=-1"):
        refused(owner.get(f"{path}/events?{wrong}"), 400)
    # What looks like SQL is a text like any other.
    for text in ("'%20OR%20true%20--", "%25", "%00x"):
        answer = owner.get(f"{path}/events?kind={text}")
        assert answer.status == 400 or answer.json["items"] == []


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages(busy, order):
    owner, path = busy.me, f"{busy.path}/events?order={order}&actor={busy.operator.must('GET', '/v1/me')['id']}"
    whole = owner.must("GET", f"{path}&limit=1000")["items"]
    found, cursor = [], ""
    while cursor is not None:
        page = owner.must("GET", f"{path}&limit=2{cursor and '&cursor=' + cursor}")
        assert len(page["items"]) == 2 or not page.get("next")
        found += page["items"]
        cursor = page.get("next")
    assert [e["index"] for e in found] == [e["index"] for e in whole]
    assert [e["index"] for e in whole] == sorted((e["index"] for e in whole), reverse=order == "newest")


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_of_the_largest_entries_end_early(busy, new_host, order):
    """Whoever fills a log with them does not fill the memory of who shows it. None is left out."""
    host, chain, done = new_host(f"big-{busy.slug}", busy), Chain(), 0
    for _ in range(4):
        for _ in range(110):
            chain.event(busy.id, host_id=host.id, reason="x" * 15000)
        answer = host.client.post("/v1/hosts/self/audit", chain.request(done + 1, group_size=55), headers={"Content-Type": "application/octet-stream"})
        assert answer.status == 200, answer
        done = chain.last
    path, cursor, found = f"{busy.path}/events?order={order}&host={host.id}&limit=1000", "", []
    while cursor is not None:
        answer = busy.me.get(f"{path}{cursor and '&cursor=' + cursor}")
        assert answer.status == 200 and len(answer.body) < 5 << 20
        assert answer.json["items"]
        found += [item["index"] for item in answer.json["items"]]
        cursor = answer.json.get("next")
    assert len(found) == len(set(found)) == 440 and found == sorted(found, reverse=order == "newest")
    page = events(busy.me, busy.path, order=order, host=host.id, limit=100)
    assert [e["index"] for e in page] == found[:100]


def test_reading_is_an_event_once_a_minute(busy):
    reader = busy.user("reader", "owner")
    client = reader.client()
    for _ in range(3):
        seen = client.must("GET", f"{busy.path}/events?kind=user.create")["items"]
        assert {e["kind"] for e in seen} == {"user.create"}
    views = events(busy.me, busy.path, kind="audit.view", actor=reader.id)
    assert len(views) == 1 and views[0]["data"]["filter"] == {"kind": "user.create"} and views[0]["target"] == busy.id
    # Another question is another event.
    client.must("GET", f"{busy.path}/events?actor={busy.alice.id}")
    assert len(events(busy.me, busy.path, kind="audit.view", actor=reader.id, limit=5)) == 2
    # Operators are seen by those into whose log they look.
    operator = busy.operator.must("GET", "/v1/me")["id"]
    busy.operator.must("GET", f"{busy.path}/events?limit=1")
    assert events(busy.me, busy.path, kind="audit.view", actor=operator)
    # Who was refused has read nothing.
    before = len(events(busy.me, busy.path, kind="audit.view", limit=1000))
    refused(busy.user("viewer", "viewer").client().get(f"{busy.path}/events?limit=7"), 403)
    assert len(events(busy.me, busy.path, kind="audit.view", limit=1000)) - before <= 1


def test_leaves_by_tiles_are_read_too(busy):
    """Who takes the leaves by tile is seen as well; hashes are nobody's business."""
    reader = busy.user("miner", "owner")
    client = reader.client()
    assert client.get(f"{busy.path}/audit/tile/0/000.p/1").status == 200
    assert events(busy.me, busy.path, kind="audit.view", actor=reader.id) == []
    assert client.get(f"{busy.path}/audit/tile/entries/000.p/2").status == 200
    assert len(events(busy.me, busy.path, kind="audit.view", actor=reader.id, limit=9)) == 1


def test_what_hosts_tell_is_read_with_the_rest(busy, new_host):
    """A host's events have their host, and the same fields; filters and erasure are about them, too."""
    host, chain = new_host(f"gpu-{busy.slug}", busy), Chain()
    one = chain.event(busy.id, busy.alice.id, "alice", "login-denied", failure=True, host_id=host.id, reason="role-too-low")
    chain.event(busy.id, busy.alice.id, "alice", "session-opened", host_id=host.id)
    answer = host.client.post("/v1/hosts/self/audit", chain.request(), headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 200, answer
    found = events(busy.me, busy.path, host=host.id)
    assert [e["kind"] for e in found] == ["session-opened", "login-denied"]
    event = found[1]
    assert event["id"] == one and event["host"] == host.id and event["host_name"] == f"gpu-{busy.slug}"
    assert event["outcome"] == "failure" and event["actor"] == busy.alice.id and event["class"] == 3002
    assert event["event"]["user"] == {"uid": busy.alice.id, "name": "alice"} and event["event"]["unmapped"]["reason"] == "role-too-low"
    assert {e["id"] for e in events(busy.me, busy.path, outcome="failure", kind="login-denied")} == {one}
    assert one in {e["id"] for e in events(busy.me, busy.path, actor=busy.alice.id, limit=1000)}
    assert busy.me.delete(f"{busy.path}/audit/persons/{busy.alice.id}").status == 204
    event = events(busy.me, busy.path, id=one)[0]
    assert event["event"]["user"] == {"uid": busy.alice.id} and event["erased"] == [busy.alice.id]
    header, entries = export(busy.me, busy.path)
    holds(header, entries)


def test_an_export_holds_by_itself(busy):
    header, entries = export(busy.me, busy.path)
    size, root = checkpoint(header)
    assert header["from"] == 0 and header["to"] == size == len(entries) and header["frontier"] == {"size": 0, "hashes": []}
    assert header["origin"].endswith(f"/audit/{busy.id}") and header["keys"]
    holds(header, entries)
    assert root_of(entries) == root
    exported = [e for e in events(busy.me, busy.path, kind="audit.export")]
    assert len(exported) == 1


def test_parts_of_the_log(busy):
    _, whole = export(busy.me, busy.path)
    header, part = export(busy.me, busy.path, "?from=3&to=5")
    assert [entry["index"] for entry in part] == [3, 4] and header["frontier"]["size"] == 3
    assert [entry["leaf"] for entry in part] == [entry["leaf"] for entry in whole[3:5]]
    leaves = [leaf_hash(entry["leaf"].encode()) for entry in whole[:3]]
    assert header["frontier"]["hashes"] == [node_hash(leaves[0], leaves[1]).hex(), leaves[2].hex()]
    holds(header, part)
    header, part = export(busy.me, busy.path, "?kind=user.create")
    assert part and {json.loads(entry["leaf"])["metadata"]["event_code"] for entry in part} == {"user.create"}
    holds(header, part)
    _, none = export(busy.me, busy.path, "?from=2&to=2")
    assert none == []
    for wrong in ("from=5&to=3", "from=-1", "to=99999999", "from=99999999", "from=x", f"from={2**63}", f"to={2**64}"):
        refused(busy.me.get(f"{busy.path}/audit/export?{wrong}"), 400)


def test_changed_exports_do_not_hold(busy):
    """The check that these tests use sees what is wrong."""
    header, entries = export(busy.me, busy.path)
    entry = next(e for e in entries if e["personal"] and "patch" in e["personal"][0])
    for change in (
        lambda e: e.update(leaf=e["leaf"].replace("Success", "Failure")),
        lambda e: e.update(index=e["index"] ^ 1),
        lambda e: e["personal"][0].update(patch=e["personal"][0]["patch"] + " "),
        lambda e: e["personal"][0].update(salt="00" * 32),
        lambda e: e.update(proof=e["proof"][1:]),
    ):
        other = json.loads(json.dumps(entry))
        change(other)
        with pytest.raises(AssertionError):
            holds(header, [other])


def test_an_export_of_many(busy):
    """Longer than what is read at once, and by a reader who leaves in the middle."""
    for n in range(150):
        busy.me.must("PATCH", f"{busy.path}/projects/web", {"allow_from": ["127.0.0.0/8", f"10.0.{n}.0/24"]}, headers={"If-Match": "*"})
        if n % 50 == 0:
            busy.me.must("POST", f"{busy.path}/users/alice/resume")
            busy.me.must("POST", f"{busy.path}/users/alice/suspend", {"reason": "x" * 100})
    for n in range(140):
        busy.me.must("PATCH", f"{busy.path}/projects/web", {"allow_from": []}, headers={"If-Match": "*"})
    header, entries = export(busy.me, busy.path)
    assert len(entries) > 290
    holds(header, entries)
    assert root_of(entries) == checkpoint(header)[1]


def test_who_reads_slowly_keeps_nobody_else_from_their_log(busy, new_host, new_tenant):
    """Exports that nobody takes in: two of one log have a place, and other logs have theirs."""
    host, chain = new_host(f"big-{busy.slug}", busy), Chain()
    done = 0
    for _ in range(5):
        for _ in range(120):
            chain.event(busy.id, host_id=host.id, reason="x" * 14000)
        answer = host.client.post("/v1/hosts/self/audit", chain.request(done + 1, group_size=60), headers={"Content-Type": "application/octet-stream"})
        assert answer.status == 200, answer
        done = chain.last
    slow = []
    try:
        for n in range(3):
            one = busy.me.as_(busy.me.token)
            one.connection = one._connect()
            one.connection.request("GET", f"{busy.path}/audit/export?from={n}", headers={"Authorization": f"Bearer {one.token}"})
            slow.append((one, one.connection.getresponse()))
        assert [answer.status for _, answer in slow] == [200, 200, 429]
        other = new_tenant("hasty")
        header, entries = export(other.owner, other.path)
        holds(header, entries)
        # Whoever goes makes room.
        slow[0][1].close()
        slow[0][0].close()
        ends = time.monotonic() + 30
        while (answer := busy.me.get(f"{busy.path}/audit/export?from=3&to=4")).status == 429 and time.monotonic() < ends:
            time.sleep(0.2)
        assert answer.status == 200
    finally:
        for one, answer in slow:
            answer.close()
            one.close()


def test_erasure(control, busy):
    """The key goes, and with it patches and salts; leaves and proofs stay, and an event says so."""
    header, before = export(busy.me, busy.path)
    mine = [e for e in before if any(p["person"] == busy.alice.id for p in e["personal"])]
    assert mine and any("left with the keys" in json.dumps(e["personal"]) for e in mine)
    path = f"{busy.path}/audit/persons/{busy.alice.id}"
    assert busy.me.delete(path).status == 204
    header, after = export(busy.me, busy.path)
    holds(header, after)
    assert [e["leaf"] for e in after[: len(before)]] == [e["leaf"] for e in before]
    for entry in after[: len(before)]:
        for part in entry["personal"]:
            assert (part["person"] == busy.alice.id) == ("erased" in part), part
            assert set(part) == ({"person", "erased"} if "erased" in part else {"person", "salt", "patch"})
    text = json.dumps(after)
    assert "left with the keys" not in text
    found = events(busy.me, busy.path, kind="user.suspend")[0]
    assert found["erased"] == [busy.alice.id] and "reason" not in found["data"] and found["target"] == busy.alice.id
    assert control.cluster.psql(f"SELECT count(*) FROM control.audit_person_keys WHERE person = '{busy.alice.id}'").strip() == "0"
    said = events(busy.me, busy.path, kind="person.erase")
    assert [e["target"] for e in said] == [busy.alice.id] and "alice" not in json.dumps(said)
    # Once more there is nothing, and what comes later is readable again.
    refused(busy.me.delete(path), 404)
    busy.me.must("POST", f"{busy.path}/users/alice/resume")
    busy.me.must("POST", f"{busy.path}/users/alice/suspend", {"reason": "a second time"})
    newest = events(busy.me, busy.path, kind="user.suspend", limit=2)
    assert newest[0]["data"]["reason"] == "a second time" and "erased" not in newest[0]
    assert newest[1]["erased"] == [busy.alice.id]


def test_who_erases(busy, tenant):
    path = f"{busy.path}/audit/persons"
    for name in ("usr_0000000000000000", "usr_x", "alice", "%2e", "prj_0000000000000000", "x" * 100, "usr_'--"):
        refused(busy.me.delete(f"{path}/{name}"), 404)
    client = busy.user("analyst", "analyst").client()
    refused(client.delete(f"{path}/{busy.alice.id}"), 403)
    refused(busy.me.delete(f"/v1/audit/persons/{busy.alice.id}"), 403)
    assert "erased" not in events(busy.me, busy.path, kind="user.suspend")[0]
    # Of another tenant's log it is another key.
    refused(busy.operator.delete(f"/v1/audit/persons/{busy.alice.id}"), 404)
    assert busy.me.delete(f"{path}/{busy.alice.id}", headers={"Idempotency-Key": "once"}).status == 204
    assert busy.me.delete(f"{path}/{busy.alice.id}", headers={"Idempotency-Key": "once"}).status == 204
    assert len(events(busy.me, busy.path, kind="person.erase")) == 1


def test_a_changed_row_is_not_shown(control, busy):
    """Whoever can write to the database can take personal data away, but not put others there."""
    one = events(busy.me, busy.path, kind="user.suspend")[0]
    where = f"tenant_id = '{busy.id}' AND idx = {one['index']}"
    other = control.cluster.psql(f"SELECT sealed FROM control.audit_personal WHERE tenant_id = '{busy.id}' AND person = "
                                 f"'{busy.alice.id}' AND idx <> {one['index']} LIMIT 1").strip()  # fmt: skip
    control.cluster.psql(f"SET session_replication_role = replica; UPDATE control.audit_personal SET sealed = '{other}' WHERE {where} "
                         f"AND person = '{busy.alice.id}'")  # fmt: skip
    found = events(busy.me, busy.path, id=one["id"])[0]
    assert "reason" not in found["data"] and found["erased"] == [busy.alice.id]
    header, entries = export(busy.me, busy.path)
    holds(header, entries)


def test_hostile_texts(busy):
    """Whatever somebody types is in the log as what it is, and nothing that a terminal would obey."""
    for text in ("\u202egnp.exe", "a\tb", "\u0085next", "\x7f", "'; DROP TABLE x; --", "{\"a\":1}", "\\u0000", "\U0001f600"):
        busy.me.post(f"{busy.path}/users/alice/resume", {})
        answer = busy.me.post(f"{busy.path}/users/alice/suspend", {"reason": text})
        assert answer.status in (200, 400), answer
    header, entries = export(busy.me, busy.path)
    holds(header, entries)
    for entry in entries:
        for part in [entry["leaf"]] + [p.get("patch", "{}") for p in entry["personal"]]:
            texts = json.dumps(json.loads(part), ensure_ascii=False)
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", texts.replace("\\u", "")), part


def test_the_patches_make_the_event(busy):
    one = events(busy.me, busy.path, kind="user.suspend")[0]
    _, entries = export(busy.me, busy.path, f"?id={one['id']}")
    event = json.loads(entries[0]["leaf"])
    for part in entries[0]["personal"]:
        event = merge(event, json.loads(part["patch"]))
    assert event == one["event"]


# ---- what OCSF says ----------------------------------------------------------------------------------------------------

OCSF = json.loads((pathlib.Path(__file__).parents[1] / "unit/data/ocsf.json").read_text())
PLAIN = {"string": str, "integer": int, "boolean": bool}


def faults(value, rule, where):
    """What is wrong with a value, by a rule such as "object:user[] !" or "integer 0 1 99 !"."""
    kind, *allowed = [word for word in rule.split() if word != "!"]
    if kind.endswith("[]"):
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [fault for one in value for fault in faults(one, kind[:-2], where)]
    if kind == "ip":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return [f"{where}: {value!r} is no address"]
        return []
    if kind == "any" or kind == "object:object":
        return []
    if kind.startswith("object:"):
        found = OCSF["objects"].get(kind[7:])
        if found is None or not isinstance(value, dict):
            return [f"{where}: not to be there, or no object"]
        return members(value, found["attributes"], found.get("at_least_one"), where)
    if not isinstance(value, PLAIN[kind]) or (kind == "integer" and isinstance(value, bool)) or value == "":
        return [f"{where}: {value!r} is no {kind}"]
    return [f"{where}: {value!r} is none of {allowed}"] if allowed and str(value) not in allowed else []


def members(value, attributes, one_of, where):
    wrong = [f"{where}.{name} is not there" for name, rule in attributes.items() if rule.endswith("!") and name not in value]
    if one_of and not set(one_of) & set(value):
        wrong.append(f"{where}: none of {one_of}")
    for name, inner in value.items():
        wrong += faults(inner, attributes[name], f"{where}.{name}") if name in attributes else [f"{where}.{name} is not OCSF's"]
    return wrong


def check(event):
    found = OCSF["classes"].get(str(event.get("class_uid")))
    if not found:
        return ["no class of ours"]
    wrong = members(event, {**OCSF["all"], **found["attributes"]}, found.get("at_least_one"), event["metadata"].get("event_code"))
    if (event["category_uid"], event["type_uid"]) != (found["category"], event["class_uid"] * 100 + event["activity_id"]):
        wrong.append("category or type")
    if (event["class_name"], event["status"]) != (found["name"], {1: "Success", 2: "Failure"}[event["status_id"]]):
        wrong.append("names")
    return wrong


def test_every_event_is_one_of_ocsf(control, server, busy):
    """By itself and with its personal data, of all kinds that this control plane has written so far."""
    client = server.client
    for name in ("nobody@example.org", busy.alice.email):
        client.post("/v1/sign-in", {"tenant": busy.slug, "email": name, "password": "not the password 11"})
    client.post("/v1/enrol", {"token": "tnt_et_0000000000000000_" + "0" * 43, "name": "gpu1", "key": {}})
    busy.me.must("POST", "/v1/sign-out")
    busy.me = busy.owner
    operator, path = busy.operator, busy.path
    key = busy.alice.key()
    operator.must("POST", f"{path}/keys/{key['id']}/rotate", {"grace": 60})
    operator.must("POST", f"{path}/keys/{key['id']}/revoke", {"reason": "lost"})
    operator.must("POST", f"{path}/roles", {"name": "lab", "kind": "project", "actions": ["gpu.reserve"]})
    operator.must("POST", f"{path}/connectors", {"name": "c", "kind": "s3"})
    operator.must("POST", f"{path}/identity-providers", {"kind": "tenantd"})
    operator.must("DELETE", f"{path}/projects/web/members/alice", headers={"If-Match": "*"})
    operator.must("POST", f"{path}/sessions/end", {"user": busy.alice.id})
    refused(busy.user("viewer", "viewer").client().post(f"{path}/keys", {"user": busy.alice.id}), 403)
    export(busy.me, path)
    seen = set()
    for where, reader in ((path, busy.me), ("/v1", operator)):
        for event in export_events(reader, where, "?from=0"):
            for whole in event:
                assert check(whole) == [], whole
            seen.add(event[0]["metadata"]["event_code"])
    assert len(seen) > 15 and {"member.put", "key.revoke", "sign-in", "sign-out", "operator.create", "audit.export"} <= seen, seen


def export_events(client, path, query=""):
    """Each event as leaf and with its personal data."""
    _, entries = export(client, path, query)
    for entry in entries:
        leaf = json.loads(entry["leaf"])
        if leaf["metadata"]["uid"].startswith("evt_"):
            whole = json.loads(entry["leaf"])
            for part in entry["personal"]:
                whole = merge(whole, json.loads(part.get("patch", "{}")))
            yield leaf, whole


def test_the_check_sees_what_is_wrong(busy):
    leaf = next(leaf for leaf, _ in export_events(busy.me, busy.path) if leaf["class_uid"] == 3005)
    assert check(leaf) == []
    for change in (
        {"class_uid": 1}, {"user": {}}, {"privileges": "x"}, {"severity_id": 7}, {"more": 1}, {"time": "now"}, {"type_uid": 1},
        {"metadata": {"version": "1.3.0"}}, {"src_endpoint": {"ip": "here"}}, {"status": "Good"}, {"activity_id": 50},
    ):  # fmt: skip
        assert check({**leaf, **change}) != [], change
