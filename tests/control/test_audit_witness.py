# SPDX-License-Identifier: MIT
"""Hosts as witnesses: what they are shown of a log verifies, from whatever they saw last; whose events they may ask about;
which cosignatures are kept. Trees, notes and chains are those of controllib.trail, which knows nothing of ours."""
import base64
import time

import pytest

from controllib.trail import Chain, Checkpoint, SigningKey, consistent, inclusion_root, renamed, sha256


def post(host, body):
    answer = host.client.post("/v1/hosts/self/audit", body, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 200, answer
    return answer.json


def authority(host):
    return host.authority.split("+")[0]


def key_of(host, tenant=None):
    if not tenant:
        return renamed(host.authority, f"{authority(host)}/audit/platform")
    trust = next(t["trust"] for t in host.served()[0]["tenants"] if t["id"] == tenant.id)
    key = next(line.split(" ", 1)[1] for line in trust.splitlines() if line.startswith("key "))
    return renamed(key, f"{authority(host)}/audit/{tenant.id}")


def path_of(tenant=None):
    return f"/v1/feeds/{tenant.id}/audit/witness" if tenant else "/v1/hosts/self/audit/witness"


class Shown:
    """An answer, with its checkpoint verified."""

    def __init__(self, answer, key):
        assert answer.status == 200, answer
        self.json = answer.json
        self.checkpoint = Checkpoint(answer.json["checkpoint"], key)
        self.consistency = [base64.b64decode(one) for one in answer.json["consistency"]]
        self.inclusion = answer.json.get("inclusion", "not asked")

    def follows(self, before):
        return consistent(before.size, before.root, self.checkpoint.size, self.checkpoint.root, self.consistency)

    def has(self, leaf):
        proof = [base64.b64decode(one) for one in self.inclusion["proof"]]
        return inclusion_root(self.inclusion["index"], self.checkpoint.size, leaf, proof) == self.checkpoint.root


def show(host, tenant=None, query=""):
    """Of a log that is new, too: its first checkpoint comes within a second."""
    end = time.monotonic() + 5
    while True:
        answer = host.client.get(path_of(tenant) + query)
        if answer.status != 404 or time.monotonic() > end:
            return Shown(answer, key_of(host, tenant))
        time.sleep(0.05)


def wait_for_event(host, tenant, event_id):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        shown = show(host, tenant, f"?id={event_id}")
        if shown.inclusion:
            return shown
        time.sleep(0.05)
    raise AssertionError("the event is not in the log")


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def witness(new_host, tenant):
    return new_host(f"witness-{tenant.slug}", tenant)


def cosignature(key, checkpoint, when=None, message=None):
    """C2SP tlog-cosignature v1, by the page alone."""
    when = when or int(time.time())
    text = checkpoint.note[: checkpoint.note.rindex("\n\n") + 1]
    signed = message or f"cosignature/v1\ntime {when}\n{text}"
    key_id = sha256(key.name.encode(), b"\n\x04", key.public[1:])[:4]
    return f"— {key.name} {base64.b64encode(key_id + when.to_bytes(8, 'big') + key.sign(signed.encode())).decode()}"


def witness_key(host, chain):
    key = SigningKey(f"{authority(host)}/witness/{host.id}")
    key.secret, key.public = chain.key.secret, chain.key.public
    return key


def hand_in(host, tenant, size, line):
    return host.client.post(path_of(tenant), {"size": size, "line": line})


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_one_answer_has_checkpoint_consistency_and_the_event(witness, tenant, chain):
    first = chain.event(tenant_id=tenant.id, host_id=witness.id)
    post(witness, chain.request())
    before = wait_for_event(witness, tenant, first)
    assert before.has(chain.hash_at(1))
    for _ in range(300):
        last = chain.event(tenant_id=tenant.id, host_id=witness.id)
    post(witness, chain.request(first=2))
    wait_for_event(witness, tenant, last)
    now = show(witness, tenant, f"?from={before.checkpoint.size}&id={last}")
    assert now.checkpoint.size >= before.checkpoint.size + 300
    assert now.consistency and now.follows(before.checkpoint)
    assert now.has(chain.hash_at(chain.last))
    # By its number, too: that is how a host asks again.
    again = show(witness, tenant, f"?from={before.checkpoint.size}&index={now.inclusion['index']}")
    assert again.has(chain.hash_at(chain.last))


def test_from_every_size_it_follows(witness, tenant, chain):
    last = chain.event(tenant_id=tenant.id)
    for _ in range(20):
        last = chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    now = wait_for_event(witness, tenant, last)
    seen = []
    for size in range(1, now.checkpoint.size + 1):
        shown = show(witness, tenant, f"?from={size}")
        seen.append((size, shown))
        assert shown.inclusion == "not asked"
    # What the proofs say of old roots has to fit one another: a wrong one is none.
    size, shown = seen[3]
    assert not consistent(size, b"\0" * 32, shown.checkpoint.size, shown.checkpoint.root, shown.consistency)
    assert shown.consistency


def test_the_platforms_log_is_signed_by_the_authority(witness):
    shown = show(witness)
    assert shown.checkpoint.size > 0 and shown.checkpoint.origin == f"{authority(witness)}/audit/platform"
    before = shown.checkpoint
    assert show(witness, None, f"?from={before.size}").follows(before)


def test_who_has_seen_more_is_told_what_there_is(witness, tenant, chain):
    chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    now = show(witness, tenant)
    shown = show(witness, tenant, f"?from={now.checkpoint.size + 1000000}")
    assert shown.checkpoint.size < now.checkpoint.size + 1000000 and shown.consistency == []


def test_an_event_that_is_not_there_is_said_to_be_not_there(witness, tenant, chain):
    chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    assert show(witness, tenant, f"?id={chain.id}-2").inclusion is None
    assert show(witness, tenant, "?index=100000000").inclusion is None


def test_a_host_asks_about_events_of_its_own(witness, new_host, tenant, chain):
    event = chain.event(tenant_id=tenant.id, host_id=witness.id)
    post(witness, chain.request())
    wait_for_event(witness, tenant, event)
    other = new_host(f"other-{tenant.slug}", tenant)
    assert show(other, tenant, f"?id={event}").inclusion is None


def test_only_hosts_that_serve_the_tenant_are_shown_its_log(witness, new_tenant, new_host, tenant):
    beta = new_tenant("beta-witness")
    stranger = new_host(f"stranger-{tenant.slug}", beta)
    for client, status in ((stranger.client, 404), (tenant.owner, 403), (witness.client.as_(None), 401)):
        assert client.get(path_of(tenant)).status == status
    assert tenant.owner.get(path_of()).status == 403


@pytest.mark.parametrize("query", ["from=-1", "from=x", "from=18446744073709551616", "index=-1", "index=1e3", "from=1&from=2"])
def test_numbers_that_are_none_are_refused(witness, query):
    assert witness.client.get(f"{path_of()}?{query}").status == 400


# ---- what is cosigned ------------------------------------------------------------------------------------------------


def kept(tenant, host):
    items = tenant.owner.must("GET", f"{tenant.path}/audit/witnesses")["items"]
    return next((item for item in items if item["host"] == host.id), None)


def test_a_cosignature_is_kept_for_those_who_read_the_log(witness, tenant, chain):
    chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    shown = show(witness, tenant).checkpoint
    line = cosignature(witness_key(witness, chain), shown)
    assert hand_in(witness, tenant, shown.size, line).status == 204
    item = kept(tenant, witness)
    assert (item["line"], item["size"]) == (line, shown.size)
    name, key_id, key = item["key"].split("+", 2)
    assert name == f"{authority(witness)}/witness/{witness.id}" and base64.b64decode(key)[0] == 4
    assert key_id == base64.b64decode(line.split(" ")[2])[:4].hex()
    # Of the platform's log as well, by itself.
    platform = show(witness).checkpoint
    assert hand_in(witness, None, platform.size, cosignature(witness_key(witness, chain), platform)).status == 204
    assert kept(tenant, witness)["line"] == line


def test_an_older_one_does_not_take_the_place_of_a_newer(witness, tenant, chain):
    event = chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    old = wait_for_event(witness, tenant, event).checkpoint
    event = chain.event(tenant_id=tenant.id)
    post(witness, chain.request(first=2))
    new = wait_for_event(witness, tenant, event).checkpoint
    assert new.size > old.size
    key = witness_key(witness, chain)
    assert hand_in(witness, tenant, new.size, cosignature(key, new)).status == 204
    assert hand_in(witness, tenant, old.size, cosignature(key, old)).status == 204
    assert kept(tenant, witness)["size"] == new.size


def test_what_is_no_cosignature_of_that_checkpoint_is_refused(witness, new_host, tenant, chain):
    event = chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    shown = wait_for_event(witness, tenant, event).checkpoint
    key, stranger = witness_key(witness, chain), Chain()
    other = new_host(f"other-{tenant.slug}", tenant)
    good = cosignature(key, shown)
    blob = bytearray(base64.b64decode(good.split(" ")[2]))
    blob[20] ^= 1
    torn = " ".join(good.split(" ")[:2] + [base64.b64encode(bytes(blob)).decode()])
    bad = [
        (shown.size, torn),
        (shown.size + 1, good),  # of another size
        (shown.size, cosignature(witness_key(witness, stranger), shown)),  # by a key that no chain of this host has
        (shown.size, cosignature(witness_key(other, chain), shown)),  # in another host's name
        (shown.size, cosignature(key, shown, message="cosignature/v1\ntime 1\nanother text\n")),
        (shown.size, key.line(shown.note).strip()),  # a signature, and no cosignature
        (shown.size, ""),
        (shown.size, "— x y"),
        (shown.size, good + "\n" + good),
        (shown.size, "x" * 2000),
    ]
    for size, line in bad:
        assert hand_in(witness, tenant, size, line).status == 400, line
    assert hand_in(other, tenant, shown.size, good).status == 400  # somebody else's
    assert kept(tenant, witness) is None and kept(tenant, other) is None


def test_a_host_without_a_chain_cosigns_nothing(witness, tenant, chain):
    shown = show(witness).checkpoint
    assert hand_in(witness, None, shown.size, cosignature(witness_key(witness, chain), shown)).status == 400


def test_readers_of_one_tenant_see_no_other_tenants_witnesses(witness, tenant, new_tenant, chain, operator):
    chain.event(tenant_id=tenant.id)
    post(witness, chain.request())
    shown = show(witness, tenant).checkpoint
    assert hand_in(witness, tenant, shown.size, cosignature(witness_key(witness, chain), shown)).status == 204
    beta = new_tenant("beta-readers")
    assert beta.owner.must("GET", f"{beta.path}/audit/witnesses")["items"] == []
    assert beta.owner.get(f"{tenant.path}/audit/witnesses").status == 404
    assert tenant.owner.get("/v1/audit/witnesses").status == 403
    viewer = tenant.user("viewer", "viewer").client()
    assert viewer.get(f"{tenant.path}/audit/witnesses").status == 403
    assert all(item["size"] > 0 for item in operator.must("GET", "/v1/audit/witnesses")["items"])
