# SPDX-License-Identifier: MIT
"""Ending sessions by orders in the feed: who may, which they are, and what is waited for."""
import json
import threading
import time

from controllib.sessions import ABSENT, listed, new_id, refused


def feed_record(control, tenant, record):
    text = control.cluster.psql(f"SELECT body FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND kind = 7 AND id = '{record}'")
    return json.loads(text) if text else None


def test_one_session_is_ended_by_an_order_in_the_feed(people, tenant, host, reporter, control):
    feed = host.feed(tenant.id)
    feed.take_snapshot()
    before = int(time.time())
    done = tenant.owner.must("POST", f"{tenant.path}/sessions/{people.a['id']}/end", {"reason": "shift is over"})
    assert (done["id"], done["login"], done["state"]) == (people.a["id"], "alice", "open")
    assert done["sessions"] == {"asked": 1, "gone": 0, "away": 0} and done["acks"]["hosts"] == 1
    order = feed_record(control, tenant, people.a["id"])
    assert order == {"of": "session", "at": done["ordered_at"], "until": done["ordered_at"] + 30 * 86400, "reason": "shift is over"}
    assert order["at"] >= before
    stream = feed.events()
    feed.follow(stream, done["acks"]["revision"])
    ops = json.loads(feed.deltas[-1])["ops"]
    assert [(op["op"], op["kind"], op["id"]) for op in ops] == [("revoke", "session", people.a["id"])]
    stream.close()
    assert listed(tenant.owner, tenant)[people.a["id"]]["ordered_at"] == order["at"]
    event = tenant.owner.must("GET", f"{tenant.path}/events?kind=session.end")["items"][0]
    assert event["target"] == people.a["id"] and event["data"]["user"] == people.alice.id
    assert event["data"]["reason"] == "shift is over" and event["data"]["sessions"] == 1
    # It is still there: once more is another order, which hosts do not take for the old one.
    again = tenant.owner.must("POST", f"{tenant.path}/sessions/{people.a['id']}/end", {})
    assert again["acks"]["revision"] > done["acks"]["revision"] and again["ordered_at"] > done["ordered_at"]
    assert "reason" not in feed_record(control, tenant, people.a["id"])


def test_who_ends_which(people, tenant, new_tenant):
    bob, alice = people.bob.client(), people.alice.client()
    for client in (bob, tenant.user("vera", "viewer").client()):
        refused(client.post(f"{tenant.path}/sessions/{people.a['id']}/end", {}), 404)
    refused(alice.post(f"{tenant.path}/sessions/{people.s['id']}/end", {}), 404)
    refused(tenant.owner.post(f"{tenant.path}/sessions/{ABSENT}/end", {}), 404)
    stranger = new_tenant(f"{tenant.slug}-x").user("x", "owner").client()
    refused(stranger.post(f"{tenant.path}/sessions/{people.a['id']}/end", {}), 404)
    refused(stranger.post(f"{tenant.path}/sessions/end", {"all": True}), 404)
    assert alice.post(f"{tenant.path}/sessions/{people.b['id']}/end", {}).status == 200  # of her project
    assert bob.post(f"{tenant.path}/sessions/{people.s['id']}/end", {}).status == 200  # his own
    refused(alice.post(f"{tenant.path}/sessions/{people.a['id']}/end", {"reason": "x" * 201}), 400, "reason")
    refused(alice.post(f"{tenant.path}/sessions/{people.a['id']}/end", {"reason": "a\nb"}), 400, "reason")
    refused(alice.post(f"{tenant.path}/sessions/{people.a['id']}/end", {"wait": 5}), 400)
    refused(alice.post(f"{tenant.path}/sessions/{people.a['id']}/end?wait=31", {}), 400, "wait")


def test_whose_sessions_are_ended(people, tenant, control, reporter):
    path = f"{tenant.path}/sessions/end"
    owner, alice, bob, carl = tenant.owner, people.alice.client(), people.bob.client(), people.carl.client()

    def order(client, **form):
        done = client.must("POST", path, form)
        record = feed_record(control, tenant, done["id"])
        assert done["id"].startswith("end_") and record["of"] == "sessions" and record["at"] == done["ordered_at"]
        return {name: record[name] for name in ("user", "project", "host") if name in record}, done["sessions"]["asked"]

    vision, host = people.vision["id"], reporter.host
    assert order(owner, all=True) == ({}, 4)
    assert order(owner, user="bob") == ({"user": people.bob.id}, 3)
    assert order(owner, project="vision") == ({"project": vision}, 2)
    assert order(owner, host=host.name, user=people.alice.id) == ({"host": host.id, "user": people.alice.id}, 1)
    assert order(alice, project="vision") == ({"project": vision}, 2)
    assert order(alice, project="vision", user="bob") == ({"project": vision, "user": people.bob.id}, 1)
    assert order(bob, user="bob") == ({"user": people.bob.id}, 3)
    assert order(bob, user=people.bob.id, project="speech") == ({"user": people.bob.id, "project": people.speech["id"]}, 1)
    assert order(carl, user="carl") == ({"user": people.carl.id}, 0)

    for client, form, status in (
        (alice, {"all": True}, 403),
        (alice, {"user": "bob"}, 403),
        (alice, {"user": "nobody"}, 403),  # who is there is not said
        (alice, {"host": host.name}, 403),
        (alice, {"project": "speech"}, 404),
        (alice, {"project": "none"}, 404),
        (bob, {"project": "vision"}, 403),
        (bob, {"project": "speech", "user": "alice"}, 403),
        (carl, {"user": "carl", "project": "speech"}, 404),
        (owner, {"user": "nobody"}, 404),
        (owner, {"project": "none"}, 404),
        (owner, {"host": "none"}, 404),
        (owner, {}, 400),
        (owner, {"all": False}, 400),
        (owner, {"all": True, "user": "bob"}, 400),
        (owner, {"all": "yes"}, 400),
        (owner, {"users": ["bob"]}, 400),
    ):
        refused(client.post(path, form), status)


def test_orders_of_one_second_are_told_apart(people, tenant):
    """A host knows by an order's time alone whether a session began before it."""
    orders = [tenant.owner.must("POST", f"{tenant.path}/sessions/end", {"user": "bob"})["ordered_at"] for _ in range(4)]
    assert orders == sorted(set(orders))


def test_the_same_order_again_takes_the_place_of_the_one_before(people, tenant, host, control):
    """Whoever ends their own sessions all day long does not fill the feed and its hosts."""
    path, bob = f"{tenant.path}/sessions/end", people.bob.client()
    forms = [{"user": "bob"}, {"user": "bob", "project": "vision"}, {"user": "bob", "host": host.id}]
    first = [bob.must("POST", path, {**form, "reason": "one"}) for form in forms]
    by_owner = tenant.owner.must("POST", path, {"user": "bob", "reason": "two"})
    again = [bob.must("POST", path, form) for form in 3 * forms]
    assert {by_owner["id"]} | {done["id"] for done in again} == {done["id"] for done in first} and len({done["id"] for done in first}) == 3
    assert len({done["ordered_at"] for done in first + [by_owner] + again}) == 13
    count = "SELECT count(*) FROM control.feed_records WHERE tenant_id = '{}' AND kind = 7"
    assert control.cluster.psql(count.format(tenant.id)).strip() == "3"
    newest = feed_record(control, tenant, again[-1]["id"])
    assert newest["at"] == again[-1]["ordered_at"] and newest["until"] == newest["at"] + 30 * 86400 and "reason" not in newest
    rows = control.cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' ORDER BY revision")
    ops = [op for row in rows.splitlines() for op in json.loads(row)["ops"] if op["id"] == again[-1]["id"]]
    assert [op["ver"] for op in ops] == list(range(1, 5)) and {op["op"] for op in ops} == {"revoke"}
    # Those about others stand beside them.
    assert tenant.owner.must("POST", path, {"all": True})["id"] not in {done["id"] for done in first}
    assert tenant.owner.must("POST", path, {"user": "alice"})["id"] not in {done["id"] for done in first}


def test_a_stranger_as_selector(people, tenant, new_tenant, new_host):
    """Ids of another tenant name nothing here."""
    other = new_tenant(f"{tenant.slug}-y")
    olga, theirs = other.user("olga"), other.project("theirs")
    hidden = new_host(f"hidden-{tenant.slug}", other)
    path = f"{tenant.path}/sessions/end"
    refused(tenant.owner.post(path, {"project": theirs["id"]}), 404)
    refused(tenant.owner.post(path, {"host": hidden.id}), 404)
    refused(tenant.owner.post(path, {"host": hidden.name}), 404)
    done = tenant.owner.must("POST", path, {"user": olga.id})
    assert done["sessions"]["asked"] == 0


def test_waiting_until_they_are_gone(people, tenant, host, reporter):
    feed = host.feed(tenant.id)
    feed.take_snapshot()
    stream = feed.events()
    answers = []
    client = tenant.owner
    asking = threading.Thread(
        target=lambda: answers.append((client.must("POST", f"{tenant.path}/sessions/end?wait=20", {"user": "bob"}), time.monotonic()))
    )
    asking.start()
    while not any("\"sessions\"" in delta for delta in feed.deltas):
        feed.take(stream.next())
    feed.follow(stream)
    assert feed.ack().status == 204
    time.sleep(0.3)
    reporter.must({**people.b, "state": "ending", "cause": "ordered"}, gone=[people.s["id"]])
    time.sleep(0.3)
    assert not answers  # all hosts know; not all of them are gone
    gone = time.monotonic()
    reporter.must(gone=[people.b["id"], people.n["id"]])
    asking.join()
    stream.close()
    done, when = answers[0]
    assert done["sessions"] == {"asked": 3, "gone": 3, "away": 0} and done["acks"]["acknowledged"] == 1
    assert when - gone < 1
    assert set(listed(tenant.owner, tenant)) == {people.a["id"]}


def test_waiting_ends_with_its_time_and_not_for_hosts_that_are_away(people, tenant, control, host):
    started = time.monotonic()
    done = tenant.owner.must("POST", f"{tenant.path}/sessions/end?wait=1", {"all": True})
    assert 0.9 < time.monotonic() - started < 5 and done["sessions"] == {"asked": 4, "gone": 0, "away": 0}
    for table, column in (("hosts", "last_seen"), ("session_reports", "at")):
        of = "id" if table == "hosts" else "host_id"
        control.cluster.psql(f"UPDATE control.{table} SET {column} = now() - interval '1 hour' WHERE {of} = '{host.id}'")
    started = time.monotonic()
    done = tenant.owner.must("POST", f"{tenant.path}/sessions/end?wait=20", {"all": True})
    assert time.monotonic() - started < 5 and done["sessions"] == {"asked": 4, "gone": 0, "away": 4}
    assert done["acks"]["hosts"] == 0 and done["acks"]["away"] == 1


def test_an_order_once_under_its_key(people, tenant):
    path, headers = f"{tenant.path}/sessions/end", {"Idempotency-Key": new_id()}
    client = tenant.owner
    first = client.post(path, {"user": "bob"}, headers=headers)
    again = client.post(path, {"user": "bob"}, headers=headers)
    assert again.json == first.json and again.headers["Idempotency-Replayed"] == "true"
