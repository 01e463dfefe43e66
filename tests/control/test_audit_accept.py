# SPDX-License-Identifier: MIT
"""Hosts' events come in: what is taken, once; what is refused; what is told as another history. Chains, groups, receipts
and trees are those of controllib.trail, which knows nothing of ours."""
import base64
import json
import ssl
import threading
import time

import pytest

from controllib.trail import Chain, Checkpoint, Receipt, SigningKey, inclusion_root, leaf_hash, renamed, tree_hash

CRITICAL = 5


@pytest.fixture
def chain():
    return Chain()


def post(host, body):
    return host.client.post("/v1/hosts/self/audit", body, headers={"Content-Type": "application/octet-stream"})


def must(host, chain, **options):
    """Sends these; the receipt, held against the chain."""
    answer = post(host, chain.request(**options))
    assert answer.status == 200, answer
    receipt = Receipt(answer.json["receipt"], host.authority)
    assert (receipt.host, receipt.chain) == (host.id, chain.id)
    assert (receipt.next, receipt.head.hex()) == (answer.json["next"], answer.json["head"])
    assert receipt.head == chain.hash_at(receipt.next - 1)
    return receipt


def checkpoint_key(tenant, host):
    """The tenant's log's key, from the trust document that hosts have."""
    trust = next(t["trust"] for t in host.served()[0]["tenants"] if t["id"] == tenant.id)
    key = next(line.split(" ", 1)[1] for line in trust.splitlines() if line.startswith("key "))
    return renamed(key, f"{host.authority.split('+')[0]}/audit/{tenant.id}")


def checkpoint(tenant, host, client=None):
    answer = (client or tenant.owner).get(f"{tenant.path}/audit/checkpoint")
    return Checkpoint(answer.body.decode(), checkpoint_key(tenant, host)) if answer.status == 200 else None


def wait_for(what, seconds=5):
    end = time.monotonic() + seconds
    while True:
        seen = what()
        if seen or time.monotonic() > end:
            return seen
        time.sleep(0.05)


def included(tenant, host, event_id):
    """Waits until a proof says so, checks it, and gives the index; None: it does not come."""
    path = f"{tenant.path}/audit/proofs/inclusion?id={event_id}"
    answer = wait_for(lambda: (lambda a: a if a.status == 200 else None)(tenant.owner.get(path)))
    if not answer:
        return None
    said = answer.json
    head = Checkpoint(said["checkpoint"], checkpoint_key(tenant, host))
    proof = [base64.b64decode(part) for part in said["proof"]]
    assert said["size"] == head.size
    assert inclusion_root(said["index"], head.size, bytes.fromhex(said["leaf_hash"]), proof) == head.root
    return said["index"]


def entries(cluster_sql, log_id):
    """(index, event id, kind, hash, leaf) of all of a log, as the database has them."""
    rows = cluster_sql(
        "SELECT coalesce(json_agg(json_build_array(idx, event_id, kind, encode(hash, 'hex'), leaf) ORDER BY idx), '[]') "
        f"FROM control.audit_entries WHERE tenant_id = '{log_id}'"
    )
    return json.loads(rows)


@pytest.fixture
def sql(control):
    return lambda text: control.cluster.psql(text, database=control.database)


@pytest.fixture
def told(sql, host):
    """What the platform's log has about this host, of one kind, without personal data."""

    def of_kind(kind):
        def look():
            return [
                json.loads(leaf)["unmapped"]["data"]
                for _, _, one, _, leaf in entries(sql, "")
                if one == kind and host.id in leaf
            ]

        wait_for(lambda: sql("SELECT count(*) FROM control.audit_inbox") == "0")
        return look()

    return of_kind


# ---- what is taken ---------------------------------------------------------------------------------------------------


def test_events_get_their_place_and_a_proof(host, tenant, chain, sql):
    person = tenant.user("alice").id
    ids = [chain.event(tenant.id, person=person, name="Alice Example") for _ in range(5)]
    receipt = must(host, chain)
    assert receipt.next == 6
    places = [included(tenant, host, one) for one in ids]
    assert places == sorted(places) and None not in places
    rows = {row[1]: row for row in entries(sql, tenant.id)}
    for number, one in enumerate(ids):
        assert rows[one][3] == chain.history[number][2].hex() and rows[one][4] == chain.history[number][0]


def test_the_checkpoint_is_the_tree_of_all_entries(host, tenant, chain, sql):
    client = tenant.owner  # whose making is in the log, too
    for round_ in range(4):
        for _ in range(150):
            chain.event(tenant.id)
        must(host, chain, first=round_ * 150 + 1)
        wait_for(lambda: sql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant.id}'") == "0")
        head = checkpoint(tenant, host, client)
        rows = entries(sql, tenant.id)
        assert [row[0] for row in rows] == list(range(len(rows)))
        assert all(bytes.fromhex(row[3]) == leaf_hash(row[4]) for row in rows)
        assert head.size == len(rows) and head.root == tree_hash([bytes.fromhex(row[3]) for row in rows])


def test_the_checkpoint_is_there_within_a_second(host, tenant, chain):
    client, key, spans = tenant.owner, checkpoint_key(tenant, host), []
    for number in range(5):
        one = chain.event(tenant.id)
        must(host, chain, first=number + 1)
        began = time.monotonic()
        while client.get(f"{tenant.path}/audit/proofs/inclusion?id={one}").status != 200:
            assert time.monotonic() < began + 5
            time.sleep(0.02)
        spans.append(time.monotonic() - began)
        Checkpoint(client.get(f"{tenant.path}/audit/checkpoint").body.decode(), key)
    # The machine may have other things to do; what is promised is about the log.
    assert sorted(spans)[len(spans) // 2] < 1.0 and max(spans) < 3.0, spans


def test_the_same_once_more_has_no_effect(host, tenant, chain, sql):
    for _ in range(10):
        chain.event(tenant.id)
    first = must(host, chain)
    again = must(host, chain)
    assert (first.next, first.head) == (again.next, again.head)
    part = must(host, chain, first=3, last=7)  # an old request that comes late
    assert part.next == 11
    chain.event(tenant.id)
    assert must(host, chain, first=6, group_size=3).next == 12  # what is known and what is new in one request
    assert included(tenant, host, f"{chain.id}-11") is not None
    assert len([row for row in entries(sql, tenant.id) if row[1].startswith(chain.id)]) == 11


def test_a_request_that_is_sent_at_once_many_times_counts_once(host, tenant, chain, sql, control):
    for _ in range(50):
        chain.event(tenant.id)
    body, answers = chain.request(), []

    def send():
        client = host.client.as_(host.client.token)
        answers.append(client.post("/v1/hosts/self/audit", body, headers={"Content-Type": "application/octet-stream"}))
        client.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status for a in answers] == [200] * 8, answers
    assert included(tenant, host, f"{chain.id}-50") is not None
    assert len([row for row in entries(sql, tenant.id) if row[1].startswith(chain.id)]) == 50


def test_nothing_at_all_is_in_order(host, chain):
    assert must(host, chain).next == 1
    chain.event()
    assert must(host, chain, first=2).next == 1  # it only says how far it is
    assert must(host, chain).next == 2


def test_events_of_the_platform_and_of_tenants_that_the_host_does_not_serve(host, tenant, new_tenant, chain, sql):
    other = new_tenant("elsewhere")
    ids = [chain.event(""), chain.event(other.id), chain.event("ten_0000000000000000"), chain.event(tenant.id)]
    must(host, chain)
    assert included(tenant, host, ids[3]) is not None
    wait_for(lambda: len([row for row in entries(sql, "") if row[1] in ids]) == 3)
    assert [row[1] for row in entries(sql, "") if row[1].startswith(chain.id)] == ids[:3]
    assert not [row for row in entries(sql, other.id) if row[1] in ids]


def test_personal_data_never_rest_in_the_clear(host, tenant, chain, sql):
    person, name = tenant.user("bob").id, "Robert Planted-Secret"
    one = chain.event(tenant.id, person=person, name=name)
    must(host, chain)
    index = included(tenant, host, one)
    sealed = sql(
        f"SELECT person, encode(sealed, 'escape') FROM control.audit_personal WHERE tenant_id = '{tenant.id}' AND idx = {index}"
    )
    assert person in sealed and "Planted" not in sealed
    assert "Planted" not in sql(f"SELECT string_agg(leaf, '') FROM control.audit_entries WHERE tenant_id = '{tenant.id}'")


def test_a_new_chain_is_written_down(host, chain, told):
    chain.event()
    must(host, chain)
    assert [data["chain"] for data in told("host-chain-began")] == [chain.id]


# ---- what is not in order --------------------------------------------------------------------------------------------


def broken(leaf, **changes):
    """The leaf with members of `unmapped` (or `metadata`) changed."""
    made = json.loads(leaf)
    for name, value in changes.items():
        part = "metadata" if name in ("uid", "event_code") else "unmapped"
        made[part][name] = value
        if value is None:
            del made[part][name]
    return json.dumps(made, separators=(",", ":"))


BAD_LEAVES = {
    "not JSON": (lambda c, leaf: "hello \\o/", "not-a-leaf"),
    "empty": (lambda c, leaf: "", "not-a-leaf"),
    "twice the same name": (lambda c, leaf: leaf[:-1] + ',"time":1}', "not-a-leaf"),
    "control characters": (lambda c, leaf: leaf.replace("worker", "wor\x1b[31mker"), "not-a-leaf"),
    "too large": (lambda c, leaf: broken(leaf, blob="x" * 17000), "not-a-leaf"),
    "not UTF-8": (lambda c, leaf: leaf.replace("worker", "wor\udcffker"), "not-a-leaf"),
    "another id": (lambda c, leaf: broken(leaf, uid=f"{c.id}-77"), "not-a-leaf"),
    "another chain": (lambda c, leaf: broken(leaf, chain="A" * 16, uid=f"{'A' * 16}-2"), "not-of-this-chain"),
    "another number": (lambda c, leaf: broken(leaf, seq=77, uid=f"{c.id}-77"), "another-number"),
    "no link": (lambda c, leaf: broken(leaf, chain=None, boot=None, seq=None, prev=None, uid="evt_0123456789abcdef"), "not-of-this-chain"),
    "another one before": (lambda c, leaf: broken(leaf, prev="00" * 32), "does-not-follow"),
    "another host": (lambda c, leaf: leaf.replace('"hostname"', '"uid":"hst_0123456789abcdef","hostname"'), "names-another-host"),
}


class BytesChain(Chain):
    """A chain whose bytes need not be text."""

    def group(self, first, count, key=None, **changes):
        records = self.history[first - 1 : first - 1 + count]
        body = b"".join(to_bytes(leaf) + b"\n" + to_bytes(personal) + b"\n" for leaf, personal, _ in records)
        says = {
            "chain": self.id, "first": first, "count": len(records), "prev": self.hash_at(first - 1).hex(),
            "head": records[-1][2].hex(), "bytes": len(body), **changes,
        }  # fmt: skip
        note = (key or self.key).note("tenantd-audit-group/v1\n" + "".join(f"{word} {value}\n" for word, value in says.items()))
        return f"group {len(note.encode())} {len(body)}\n".encode() + note.encode() + body

    def request(self, first=1, last=None, group_size=100, at=None, missing=None):
        last = self.last if last is None else last
        at = at or (self.last, self.hash_at(self.last))
        groups = b"".join(self.group(begin, min(group_size, last - begin + 1)) for begin in range(first, last + 1, group_size))
        more = f"missing {missing[0]} {missing[1]}\n" if missing else ""
        return f"chain {self.key.vkey}\nat {at[0]} {at[1].hex()}\n{more}".encode() + groups

    def add(self, leaf, personal="[]"):
        self.history.append((leaf, personal, leaf_hash(to_bytes(leaf))))


def to_bytes(text):
    return text.encode(errors="surrogateescape")


@pytest.mark.parametrize("name", BAD_LEAVES)
def test_one_bad_event_holds_up_none_behind_it(host, tenant, told, name):
    chain, (spoil, why) = BytesChain(), BAD_LEAVES[name]
    chain.event(tenant.id)
    chain.event(tenant.id)
    leaf, personal, _ = chain.history.pop()
    chain.add(spoil(chain, leaf), personal)
    chain.event(tenant.id)
    assert must(host, chain).next == 4
    assert included(tenant, host, f"{chain.id}-1") is not None and included(tenant, host, f"{chain.id}-3") is not None
    assert tenant.owner.get(f"{tenant.path}/audit/proofs/inclusion?id={chain.id}-2").status == 404
    data = told("host-event-malformed")
    assert [(d["chain"], d["sequence"], d["hash"], d["why"]) for d in data] == [(chain.id, 2, chain.hash_at(2).hex(), why)]
    assert "quote" not in data[0]  # beside the leaf


@pytest.mark.parametrize("personal", ["", "{}", "[{}]", "[1]", '[{"person":"usr_0123456789abcdef","salt":"00","patch":"{}"}]'])
def test_personal_data_that_are_not_what_the_leaf_says(host, tenant, told, personal):
    chain = BytesChain()
    one = chain.event(tenant.id, person="usr_0123456789abcdef")
    leaf, _, _ = chain.history.pop()
    chain.add(leaf, personal)
    must(host, chain)
    assert included(tenant, host, one) is not None  # the event itself is
    assert [d["why"] for d in told("host-event-malformed")] == ["not-what-the-leaf-says"]


def test_a_flood_of_bad_events_is_counted(host, tenant, told, sql):
    """Each is a few bytes, and what is told of it is some thousand."""
    chain = BytesChain()
    for _ in range(3000):
        chain.add("x")
    one = chain.event(tenant.id)
    assert must(host, chain).next == 3002
    assert included(tenant, host, one) is not None
    data = told("host-event-malformed")
    each, rest = data[:-1], data[-1]
    assert [d["sequence"] for d in each] == list(range(1, 33))
    assert rest == {"chain": chain.id, "first": 33, "last": 3000, "count": 2968, "why": "too-many"}
    assert must(host, chain).next == 3002
    assert len(told("host-event-malformed")) == 33


def test_what_is_missing_is_said(host, tenant, told):
    chain = BytesChain()
    for _ in range(9):
        chain.event(tenant.id)
    must(host, chain, first=1, last=3)
    answer = post(host, chain.request(first=7))
    assert answer.status == 409 and answer.json["next"] == 4 and answer.json["forked"] is False
    assert answer.json["head"] == chain.hash_at(3).hex()
    for wrong in ((3, 6), (5, 6), (4, 5), (4, 7)):
        assert post(host, chain.request(first=7, missing=wrong)).status in (400, 409)
    answer = post(host, chain.request(first=7, missing=(4, 6)))
    assert answer.status == 200 and answer.json["next"] == 10
    assert included(tenant, host, f"{chain.id}-9") is not None
    assert [(d["first"], d["last"]) for d in told("host-events-missing")] == [(4, 6)]


# ---- another history -------------------------------------------------------------------------------------------------


def fork(chain, keep):
    """A chain of the same key that has the first `keep` events in common."""
    other = Chain()
    other.id, other.key, other.boot, other.start = chain.id, chain.key, chain.boot, chain.start
    other.history = chain.history[:keep]
    return other


def refused_as_fork(answer, chain, known):
    assert answer.status == 409 and answer.headers["content-type"] == "application/problem+json", answer
    assert (answer.json["next"], answer.json["head"], answer.json["forked"]) == (known + 1, chain.hash_at(known).hex(), True)


def test_a_host_that_rewrites_what_it_has_sent(host, tenant, chain, told, sql):
    for _ in range(6):
        chain.event(tenant.id)
    must(host, chain)
    other = fork(chain, 4)
    for _ in range(4):
        other.event(tenant.id, kind="nothing-happened")
    refused_as_fork(post(host, other.request()), chain, 6)
    data = told("host-history-forked")
    assert [(d["chain"], d["next"], d["at"]) for d in data] == [(chain.id, 7, 8)]
    assert sql(f"SELECT DISTINCT severity_id FROM control.audit_entries WHERE kind = 'host-history-forked' AND host_id = '{host.id}'") in (
        "", str(CRITICAL),
    )  # fmt: skip
    # Nothing more of this chain, neither of the one nor of the other; told once.
    chain.event(tenant.id)
    refused_as_fork(post(host, chain.request(first=7)), chain, 6)
    refused_as_fork(post(host, other.request(first=7)), chain, 6)
    assert len(told("host-history-forked")) == 1
    assert not [row for row in entries(sql, tenant.id) if row[2] == "nothing-happened"]
    fresh = Chain()
    fresh.event(tenant.id)
    assert must(host, fresh).next == 2


def test_a_host_that_rewrites_what_it_has_only_announced(host, tenant, chain, told):
    for _ in range(9):
        chain.event(tenant.id)
    assert must(host, chain, last=3).next == 4  # it says that it is at 9
    other = fork(chain, 3)
    for _ in range(8):
        other.event(tenant.id)
    refused_as_fork(post(host, other.request(first=4)), chain, 3)
    assert len(told("host-history-forked")) == 1


def test_the_first_announcement_binds_until_it_has_come(host, tenant, chain):
    for _ in range(9):
        chain.event(tenant.id)
    must(host, chain, last=3)
    other = fork(chain, 3)
    for _ in range(20):
        other.event(tenant.id)
    # Another, longer one does not take its place.
    assert post(host, other.request(first=4, last=5)).status == 200
    refused_as_fork(post(host, other.request(first=6)), other, 5)


def test_a_host_that_was_set_back(host, tenant, chain, told):
    for _ in range(8):
        chain.event(tenant.id)
    must(host, chain)
    assert included(tenant, host, f"{chain.id}-8") is not None
    other = fork(chain, 5)
    other.event(tenant.id, kind="after-the-restore")
    refused_as_fork(post(host, other.request(first=6)), chain, 8)
    assert len(told("host-history-forked")) == 1


def test_a_late_copy_of_an_old_request_is_no_fork(host, tenant, chain, told):
    for _ in range(4):
        chain.event(tenant.id)
    old = chain.request()
    must(host, chain)
    for _ in range(4):
        chain.event(tenant.id)
    must(host, chain, first=5)
    assert included(tenant, host, f"{chain.id}-8") is not None
    answer = post(host, old)
    assert answer.status == 200 and answer.json["next"] == 9
    assert told("host-history-forked") == []


def test_a_chain_belongs_to_one_host_and_one_key(host, tenant, new_host, chain, told):
    chain.event(tenant.id)
    must(host, chain)
    twin = new_host("twin", tenant)
    answer = post(twin, chain.request())
    assert answer.status == 409 and answer.json["forked"] is True
    thief = fork(chain, 0)
    thief.key = SigningKey(chain.key.name)
    thief.start = b"\x00" * 32
    answer = post(host, thief.request())
    assert answer.status == 409 and answer.json["forked"] is True
    assert len(told("host-history-forked")) == 1
    chain.event(tenant.id)
    assert must(host, chain, first=2).next == 3  # it goes on all the same


def test_a_machine_that_is_enrolled_anew_goes_on_with_its_chain(operator, tenant, new_host, chain, told, sql):
    before = new_host("before", tenant)
    for _ in range(3):
        chain.event(tenant.id)
    must(before, chain)
    after = new_host("after", tenant)
    chain.event(tenant.id)
    assert post(after, chain.request()).json["forked"] is True  # as long as both are there
    operator.must("POST", f"/v1/hosts/{before.id}/disable", {})
    thief = fork(chain, 0)
    thief.key = SigningKey(chain.key.name)
    thief.start = chain.start
    assert post(after, thief.request()).json["forked"] is True
    hello = post(after, chain.request(first=5))  # anybody may know the chain's key
    assert hello.status == 409 and (hello.json["next"], hello.json["forked"]) == (4, False)
    assert sql(f"SELECT host_id FROM control.audit_chains WHERE chain = '{chain.id}'") == before.id
    assert must(after, chain, first=4).next == 5
    assert included(tenant, after, f"{chain.id}-4") is not None
    chain.event(tenant.id)
    assert must(after, chain, first=5).next == 6
    began = [json.loads(row[4])["unmapped"] for row in entries(sql, "") if row[2] == "host-chain-began" and chain.id in row[4]]
    assert [(b["target"], b["data"].get("host"), b["data"]["first"]) for b in began] == [(before.id, None, 1), (after.id, before.id, 4)]


def test_a_machine_that_is_enrolled_anew_with_another_history(operator, tenant, new_host, chain, sql):
    before = new_host("before-it", tenant)
    for _ in range(3):
        chain.event(tenant.id)
    must(before, chain)
    operator.must("POST", f"/v1/hosts/{before.id}/disable", {})
    after, other = new_host("after-it", tenant), fork(chain, 2)
    other.event(tenant.id, kind="rewritten")
    other.event(tenant.id)
    refused_as_fork(post(after, other.request()), chain, 3)
    refused_as_fork(post(after, chain.request()), chain, 3)
    wait_for(lambda: sql("SELECT count(*) FROM control.audit_inbox") == "0")
    assert len([row for row in entries(sql, "") if row[2] == "host-history-forked" and chain.id in row[4]]) == 1


# ---- what is no request ----------------------------------------------------------------------------------------------


def sealed(made, key=None, **changes):
    """All of the chain as one group whose note says something else."""
    group, says = made.group(1, made.last), {}
    note, rest = group.split("\n", 1)[1].split("\n\n", 1)
    body = rest.split("\n", 1)[1]
    says = dict(line.split(" ", 1) for line in note.splitlines()[1:])
    says.update({word: str(value) for word, value in changes.items()})
    note = (key or made.key).note("tenantd-audit-group/v1\n" + "".join(f"{word} {value}\n" for word, value in says.items()))
    head = f"chain {made.key.vkey}\nat {made.last} {made.hash_at(made.last).hex()}\n"
    return f"{head}group {len(note.encode())} {len(body.encode())}\n{note}{body}".encode()


def other_key(chain):
    return sealed(chain, key=SigningKey(chain.key.name))


BAD_REQUESTS = {
    "empty": lambda c: b"",
    "no chain": lambda c: c.request().split(b"\n", 1)[1],
    "no at": lambda c: f"chain {c.key.vkey}\n".encode(),
    "a key that is no chain's": lambda c: c.request().replace(c.key.vkey.encode(), SigningKey("somebody").vkey.encode(), 1),
    "a key id that is not the key's": lambda c: c.request().replace(c.key.vkey.split("+")[1].encode(), b"00000000", 1),
    "at without a hash": lambda c: f"chain {c.key.vkey}\nat 4\n".encode(),
    "at of a hash in capitals": lambda c: f"chain {c.key.vkey}\nat 4 {c.hash_at(4).hex().upper()}\n".encode(),
    "at with a leading zero": lambda c: c.request().replace(b"\nat 4", b"\nat 04", 1),
    "at behind the events": lambda c: c.request(at=(3, c.hash_at(3))),
    "at of another hash": lambda c: c.request(at=(4, b"\x11" * 32)),
    "something before the groups": lambda c: c.request().replace(b"\ngroup", b"\nnothing\ngroup", 1),
    "cut off in a note": lambda c: c.request()[:400],
    "cut off in a body": lambda c: c.request()[:-5],
    "something behind": lambda c: c.request() + b"\n",
    "another one's signature": other_key,
    "another chain in the note": lambda c: sealed(c, chain="B" * 16),
    "more than it has": lambda c: sealed(c, count=5),
    "fewer than it has": lambda c: sealed(c, count=3),
    "none": lambda c: sealed(c, count=0),
    "too many": lambda c: sealed(c, count=5000),
    "another head": lambda c: sealed(c, head="00" * 32),
    "another beginning": lambda c: sealed(c, prev="00" * 32),
    "another length": lambda c: sealed(c, bytes=7),
    "a changed event": lambda c: c.request().replace(b'"sshd"', b'"sshx"', 1),
    "a line too many in the note": lambda c: sealed(c, more="1"),
    "groups in another order": lambda c: c.request(last=0) + (c.group(3, 2) + c.group(1, 2)).encode(),
    "a group twice": lambda c: c.request(last=0) + (c.group(1, 2) + c.group(1, 2)).encode(),
    "a group left out": lambda c: c.request(last=0) + (c.group(1, 1) + c.group(3, 2)).encode(),
    "missing without groups": lambda c: c.request(last=0) + b"missing 1 2\n",
    "missing that ends before it begins": lambda c: c.request(last=0) + b"missing 2 1\n" + c.group(2, 3).encode(),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_what_is_no_request_changes_nothing(host, tenant, chain, sql, name):
    for _ in range(4):
        chain.event(tenant.id)
    body = BAD_REQUESTS[name](chain)
    if name == "a changed event" and body.count(b"sshx") != 1:
        pytest.fail("nothing was changed")
    answer = post(host, body)
    # An event in the middle that was changed has the right head behind it: it is taken as what it is, one that another
    # does not follow on.
    assert answer.status == (200 if name == "a changed event" else 400), answer
    if answer.status == 400:
        assert sql(f"SELECT count(*) FROM control.audit_chains WHERE host_id = '{host.id}'") == "0"
        assert must(host, chain).next == 5


def test_who_may_send(host, tenant, chain, operator):
    chain.event(tenant.id)
    body = chain.request()
    path, kind = "/v1/hosts/self/audit", {"Content-Type": "application/octet-stream"}
    assert operator.as_(None).post(path, body, headers=kind).status == 401
    assert operator.post(path, body, headers=kind).status in (401, 403)
    assert tenant.owner.post(path, body, headers=kind).status in (401, 403)
    assert host.client.get(path).status == 405


def test_a_request_of_two_mebibytes_and_one_that_is_larger(host, tenant):
    chain = Chain()
    while sum(len(leaf) + 40 for leaf, _, _ in chain.history) < 2 * 1024 * 1024 - 200_000:
        chain.event(tenant.id, blob="x" * 8000)
    assert must(host, chain).next == chain.last + 1
    large = Chain()
    while sum(len(leaf) + 40 for leaf, _, _ in large.history) < 2 * 1024 * 1024 + 10_000:
        large.event(tenant.id, blob="x" * 8000)
    try:
        assert post(host, large.request()).status == 413
    except (ConnectionError, ssl.SSLEOFError):
        pass  # it said so and hung up, while the rest was still on its way
    assert must(host, large, last=0).next == 1
