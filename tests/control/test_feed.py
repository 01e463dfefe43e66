# SPDX-License-Identifier: MIT
"""Feeds as hosts see them: bootstrap, events, resume, long polling, acknowledgements, who may read what, keys and
epochs, files."""
import itertools
import json
import subprocess
import time

import pytest

from controllib.host import Host, Note, trust_keys
from controllib.program import find_program

_number = itertools.count(1)


@pytest.fixture
def new_host(operator, control, tmp_path_factory):
    def make(*tenants):
        host = Host(operator, [t.id for t in tenants], f"host{next(_number)}", tmp_path_factory.mktemp("host"))
        host.sign_in(control.url)
        return host

    return make


@pytest.fixture
def host(new_host, tenant):
    return new_host(tenant)


@pytest.fixture
def feed(host, tenant):
    return host.feed(tenant.id)


def tenantctl(*arguments):
    program = find_program().parent / "tenantctl"
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=False)


def test_bootstrap(feed, tenant):
    tenant.user("ada", "analyst")
    note, blob = feed.take_snapshot()
    assert note.lines[:2] == ["tenantd-feed-snapshot/v1", feed.origin]
    assert blob[:4] == b"\x28\xb5\x2f\xfd"
    stream = feed.events()
    assert stream.status == 200 and stream.response.getheader("Content-Type") == "text/event-stream"
    feed.follow(stream)
    assert feed.head["chain"] == feed.chain.hex()
    stream.close()


def test_chain_from_zero(feed, tenant):
    """What the snapshot's chain says is what the deltas from the beginning give."""
    for i in range(5):
        tenant.user(f"u{i}", "viewer")
    with_deltas = feed.events()
    feed.follow(with_deltas)
    with_deltas.close()
    revision, chain = feed.revision, feed.chain
    assert revision > 5
    note, _ = feed.take_snapshot()
    assert (int(note["revision"]), note["chain"]) == (revision, chain.hex())


def test_change_arrives_at_once(feed, tenant):
    user = tenant.user("ada", "analyst")
    key = user.key()
    stream = feed.events()
    feed.follow(stream)
    start = time.monotonic()
    tenant.operator.must("POST", f"{tenant.path}/keys/{key['id']}/revoke", {"reason": "lost"})
    feed.follow(stream, feed.revision + 1)
    assert time.monotonic() - start < 0.5
    (operation,) = json.loads(feed.deltas[-1])["ops"]
    assert (operation["op"], operation["kind"], operation["id"]) == ("revoke", "key", key["id"])
    assert operation["body"]["reason"] == "lost" and set(operation["body"]) == {"at", "reason"}
    stream.close()


def test_everybody_gets_the_same_bytes(new_host, tenant):
    texts = []
    feeds = [new_host(tenant).feed(tenant.id) for _ in range(3)]
    streams = [feed.events() for feed in feeds]
    tenant.user("ada", "viewer")
    revision = tenant.operator.must("GET", f"{tenant.path}/feed")["revision"]
    for feed, stream in zip(feeds, streams):
        feed.follow(stream, revision)
        texts.append((feed.deltas, feed.head.text))
        stream.close()
    assert texts[0] == texts[1] == texts[2]


def test_resume_sends_what_is_missing_and_no_more(feed, tenant):
    stream = feed.events()
    feed.follow(stream)
    stream.close()
    have = feed.revision
    tenant.user("ada")
    tenant.user("bob")
    stream = feed.events()
    feed.follow(stream)
    assert [json.loads(d)["rev"] for d in feed.deltas if json.loads(d)["rev"] > have][0] == have + 1
    assert feed.revision == tenant.operator.must("GET", f"{tenant.path}/feed")["revision"]
    stream.close()


@pytest.mark.parametrize(
    "query, status",
    [
        ("epoch=2&after=0", 410),
        ("epoch=1&after=999999", 410),
        ("epoch=1", 422),
        ("after=1", 422),
        ("epoch=1&after=-1", 422),
        ("epoch=1&after=x", 422),
        ("epoch=1&after=0&once=0", 422),
        ("epoch=1&after=0&once=61", 422),
        ("epoch=99999999999999999999&after=0", 422),
    ],
)
def test_refused_queries(feed, query, status):
    answer = feed.host.client.get(f"{feed.path}/events?{query}")
    assert answer.status in ((status, 400) if status == 422 else (status,)), answer
    if status == 410:
        assert answer.json["type"].endswith("feed-gap")


def test_long_polling(feed, tenant):
    stream = feed.events()
    feed.follow(stream)
    stream.close()
    start = time.monotonic()
    stream = feed.events(once=1)
    feed.follow(stream)  # nothing new: a head at its end, all the same
    assert stream.next() is None and 0.9 < time.monotonic() - start < 4
    stream = feed.events(once=25)
    before = feed.revision
    tenant.user("ada")
    feed.follow(stream)
    assert feed.revision > before and stream.next() is None


def test_a_poll_ends_with_a_head_also_where_heads_are_short(new_control, tmp_path):
    """Hosts behind a proxy that holds streams back live on these: without a head they would be stale."""
    control = new_control("polls", settings="feed:\n  head: 1s\n  stale: 10s\n")
    control.init()
    client = control.serve().client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = client.must("POST", "/v1/tenants", {"slug": "acme"})
    host = Host(client, [tenant["id"]], "h1", tmp_path)
    host.sign_in(control.url)
    feed = host.feed(tenant["id"])
    feed.follow(feed.events())
    for _ in range(3):
        stream = feed.events(once=2)
        feed.follow(stream)
        assert stream.next() is None


def test_heads_are_renewed(new_control, tmp_path):
    control = new_control("heads", settings="feed:\n  head: 1s\n")
    control.init()
    client = control.serve().client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = client.must("POST", "/v1/tenants", {"slug": "acme"})
    host = Host(client, [tenant["id"]], "h1", tmp_path)
    host.sign_in(control.url)
    feed = host.feed(tenant["id"])
    stream = feed.events()
    issued = []
    for _ in range(3):
        feed.follow(stream)
        issued.append(feed.head["issued"])
    assert issued == sorted(set(issued))
    stream.close()


def test_another_tenants_host_finds_nothing(new_host, new_tenant, tenant):
    other = new_tenant(f"other{next(_number)}")
    host = new_host(other)
    for path in ("trust", "trust/1", "snapshot", "events?epoch=1&after=0", "blobs/" + "0" * 64):
        answer = host.client.get(f"/v1/feeds/{tenant.id}/{path}")
        assert answer.status == 404, (path, answer)
    body = {"epoch": 1, "revision": 0, "outcome": "applied"}
    assert host.client.post(f"/v1/feeds/{tenant.id}/acks", body).status == 404


def test_only_hosts_read_feeds(feed, tenant):
    for client in (tenant.owner, tenant.operator, tenant.operator.as_(None)):
        for path in ("trust", "snapshot", "events?epoch=1&after=0"):
            assert client.get(f"{feed.path}/{path}").status in (401, 403, 404)


def test_a_blob_of_another_tenant_is_not_there(new_host, new_tenant, tenant):
    other = new_tenant(f"other{next(_number)}")
    note, _ = new_host(other).feed(other.id).take_snapshot()
    assert new_host(tenant).client.get(f"/v1/feeds/{tenant.id}/blobs/{note['sha256']}").status == 404


def test_blobs(feed):
    note, blob = feed.take_snapshot()
    client, path = feed.host.client, f"{feed.path}/blobs/{note['sha256']}"
    whole = client.get(path)
    tag = whole.headers["ETag"]
    assert "immutable" in whole.headers["Cache-Control"] and note["sha256"] in tag
    assert client.get(path, headers={"If-None-Match": tag}).status == 304
    part = client.get(path, headers={"Range": "bytes=4-11"})
    assert part.status == 206 and part.body == blob[4:12]
    assert part.headers["Content-Range"] == f"bytes 4-11/{len(blob)}"
    assert client.get(path, headers={"Range": "bytes=4-"}).body == blob[4:]
    assert client.get(path, headers={"Range": "bytes=-5"}).body == blob[-5:]
    past = client.get(path, headers={"Range": f"bytes={len(blob)}-"})
    assert past.status == 416 and past.headers["Content-Range"] == f"bytes */{len(blob)}"
    for strange in ("bytes=x-1", "bytes=5-4", "lines=1-2", "bytes=0-1,3-4", "bytes=-"):
        assert client.get(path, headers={"Range": strange}).body == blob, strange
    for wrong in ("0" * 64, "x" * 64, "0" * 63):
        assert client.get(f"{feed.path}/blobs/{wrong}").status == 404


def test_acknowledgements(new_host, tenant):
    """Revoking says how many hosts there are and waits for them."""
    feeds = [new_host(tenant).feed(tenant.id) for _ in range(2)]
    key = tenant.user("ada", "viewer").key()
    streams = [feed.events() for feed in feeds]
    for feed, stream in zip(feeds, streams):
        feed.follow(stream, tenant.operator.must("GET", f"{tenant.path}/feed")["revision"])
        assert feed.ack().status == 204
    answer = tenant.operator.must("POST", f"{tenant.path}/keys/{key['id']}/revoke", {})
    assert answer["acks"]["hosts"] == 2 and answer["acks"]["acknowledged"] == 0
    second = tenant.user("bob").key()
    waiting = tenant.operator.as_(tenant.operator.token)
    connection = waiting._connect()  # pylint: disable=protected-access
    body = json.dumps({}).encode()
    connection.request(
        "POST", f"{tenant.path}/keys/{second['id']}/revoke?wait=20", body=body,
        headers={"Authorization": f"Bearer {tenant.operator.token}", "Content-Type": "application/json"},
    )  # fmt: skip
    start = time.monotonic()
    for feed, stream in zip(feeds, streams):
        while not feed.deltas or second["id"] not in feed.deltas[-1] or '"revoke"' not in feed.deltas[-1]:
            feed.follow(stream)
        assert feed.ack().status == 204
        stream.close()
    done = json.loads(connection.getresponse().read())
    assert done["acks"]["acknowledged"] == 2 and time.monotonic() - start < 5
    connection.close()


def test_refused_acknowledgements(feed, tenant):
    assert feed.ack("refused", error="no such project").status == 204
    for body, status in (
        ({"epoch": 1, "revision": 10**6, "outcome": "applied"}, 409),
        ({"epoch": 9, "revision": 0, "outcome": "applied"}, 409),
        ({"epoch": 1, "revision": 0, "outcome": "maybe"}, 400),
        ({"epoch": 1, "revision": 0}, 400),
        ({"epoch": 1, "revision": 0, "outcome": "applied", "error": "x"}, 400),
        ({"epoch": 1, "revision": 0, "outcome": "refused", "error": "a\nb"}, 400),
        ({"epoch": 1, "revision": 0, "outcome": "applied", "more": 1}, 400),
    ):
        answer = feed.host.client.post(f"{feed.path}/acks", body)
        assert answer.status in ((400, 422) if status == 400 else (status,)), (body, answer)


def test_acknowledgements_never_go_back(feed, tenant, cluster):
    tenant.user("ada")
    stream = feed.events()
    feed.follow(stream)
    stream.close()
    assert feed.revision > 1
    assert feed.ack().status == 204
    newest, feed.revision = feed.revision, 1
    assert feed.ack().status == 204

    def stored():
        return cluster.psql(f"SELECT revision FROM control.feed_acks WHERE host_id = '{feed.host.id}'")

    end = time.monotonic() + 5
    while stored() == "" and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.15)  # the second one, had it been written by itself
    assert stored() == str(newest)


def test_new_keys(feed, tenant, control):
    """Overlap, then the old one is dropped; a host that follows never loses the feed, one that was away catches up."""
    stream = feed.events(timeout=15)
    feed.follow(stream)
    first = tenant.operator.must("POST", f"{tenant.path}/feed/keys", {})["trust_version"]
    assert first == 2
    assert tenant.operator.post(f"{tenant.path}/feed/keys", {}).status == 409
    while True:
        kind, _, data = stream.next()
        if kind == "trust":
            break
        feed.take((kind, _, data))
    trust = Note(data + "\n", feed.keys)  # signed by the old one
    keys = trust_keys(data)
    assert len(keys) == 2 and set(feed.keys) < set(keys) and trust["version"] == "2"
    assert Note(data + "\n", keys).signers == set(keys)
    old, feed.keys = feed.keys, keys
    feed.follow(stream, feed.revision)
    assert feed.head.signers == set(keys)
    control.run("feed", "rotate-key", tenant.slug, "--finish")
    newest = feed.host.client.get(f"{feed.path}/trust").body.decode()
    last = trust_keys(newest)
    assert len(last) == 1 and last[0] not in old
    assert Note(newest, keys)["version"] == "3"
    stream.close()
    # From version 1 alone, one after the other:
    known = old
    for version in (2, 3):
        note = Note(feed.host.client.get(f"{feed.path}/trust/{version}").body.decode(), known)
        known = trust_keys(note.text)
    assert known == last
    assert tenant.operator.post(f"{tenant.path}/feed/keys", {"finish": True}).status == 409
    assert feed.host.client.get(f"{feed.path}/trust/4").status == 404
    feed.keys = last
    tenant.user("ada")
    stream = feed.events()
    feed.follow(stream, feed.revision + 1)
    stream.close()


def test_new_epoch(feed, tenant, control):
    tenant.user("ada", "viewer")
    stream = feed.events(timeout=15)
    feed.follow(stream)
    shown = json.loads(control.run("feed", "new-epoch", tenant.id, "--json").stdout)
    assert shown["epoch"] == 2
    kinds = []
    while (event := stream.next()) is not None:
        kinds.append(event[0])
    assert "trust" in kinds and "delta" not in kinds  # told why, then cut
    assert feed.host.client.get(f"{feed.path}/events?epoch=1&after={feed.revision}").status == 410
    trust = Note(feed.host.client.get(f"{feed.path}/trust").body.decode(), feed.keys)
    feed.epoch = int(trust["epoch"])
    feed.start_at_zero()
    stream = feed.events()
    feed.follow(stream)
    assert feed.revision == shown["revision"] > 0
    note, _ = feed.take_snapshot()
    assert note["chain"] == feed.head["chain"] and note["epoch"] == "2"
    tenant.user("bob")
    feed.follow(stream, feed.revision + 1)
    stream.close()


def test_commands_refuse_what_is_not_there(control, tenant):
    for arguments in (("feed", "show", "nobody"), ("feed", "rotate-key", "ten_0000000000000000"), ("export", "nobody", "/tmp/x")):
        assert control.run(*arguments, check=False).returncode == 1, arguments
    for arguments in (("feed",), ("feed", "shaw", "x"), ("feed", "show", "a/b"), ("export", tenant.slug), ("export", tenant.slug, "/tmp/x", "--valid-for", "0")):
        assert control.run(*arguments, check=False).returncode == 2, arguments
    assert "revision" in control.run("feed", "show", tenant.slug).stdout


def test_export(tenant, control, tmp_path):
    tenant.user("ada", "viewer")
    folder = tmp_path / "feed"
    control.run("export", tenant.slug, folder, "--valid-for", "30")
    names = {f.name for f in folder.iterdir()}
    assert names == {"trust.1", "snapshot", "snapshot.zst", "head"}
    keys = trust_keys((folder / "trust.1").read_text())
    note, head = (Note((folder / name).read_text(), keys) for name in ("snapshot", "head"))
    assert (head["revision"], head["chain"]) == (note["revision"], note["chain"])
    done = tenantctl("feed", "verify", folder)
    assert done.returncode == 0, done
    # Again, over what is there.
    tenant.user("bob")
    (folder / "deltas").write_text("of another time")
    control.run("export", tenant.id, folder)
    assert {f.name for f in folder.iterdir()} == names
    assert tenantctl("feed", "verify", folder).returncode == 0
    raw = bytearray((folder / "snapshot.zst").read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / "snapshot.zst").write_bytes(raw)
    assert tenantctl("feed", "verify", folder).returncode != 0


def test_deltas_that_are_pruned_are_a_gap(feed, tenant, cluster):
    """They go only once a snapshot stands for them; a host that is older takes that."""
    for i in range(3):
        tenant.user(f"u{i}")
    feed.take_snapshot()
    cluster.psql(f"DELETE FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' AND revision <= 2")
    assert feed.host.client.get(f"{feed.path}/events?epoch=1&after=0").status == 410
    stream = feed.events()
    feed.follow(stream)
    stream.close()


def test_metrics(feed, control, server):
    stream = feed.events()
    feed.follow(stream)
    text = server.client.get("/metrics", token=control.internal_secret).body.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("tenant_control_feed"))
    assert float(values["tenant_control_feed_streams"]) >= 1, text
    stream.close()
