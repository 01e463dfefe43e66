# SPDX-License-Identifier: MIT
"""What hosts may say about sessions on them, and what not."""
import json
import time

import pytest

from controllib.sessions import ABSENT, Reporter, listed, refused, session


def test_a_list_and_what_changes(reporter, tenant, host):
    alice, project = tenant.user("alice"), tenant.project("vision")
    first = session(alice, project=project["id"], role="editor", source="192.0.2.7", terminal="pts/1", credential="api-key:key_0123456789abcdef")
    second = session(alice, service="cron")
    reporter.must(first, second)
    seen = listed(tenant.owner, tenant)
    assert set(seen) == {first["id"], second["id"]}
    one = seen[first["id"]]
    assert (one["login"], one["project_slug"], one["host"], one["host_name"]) == ("alice", "vision", host.id, host.name)
    assert one["state"] == "open" and one["opened_at"] == first["opened"] and "because" not in one
    assert {name: one[name] for name in ("role", "source", "terminal", "credential")} == {
        name: first[name] for name in ("role", "source", "terminal", "credential")
    }
    reporter.must({**first, "state": "ending", "cause": "key-revoked"}, gone=[second["id"]])
    seen = listed(tenant.owner, tenant)
    assert set(seen) == {first["id"]} and (seen[first["id"]]["state"], seen[first["id"]]["cause"]) == ("ending", "key-revoked")
    reporter.must()  # only that the host is there
    reporter.must(gone=[first["id"], ABSENT])
    assert listed(tenant.owner, tenant) == {}


def test_a_list_takes_the_place_of_the_one_before_only_when_it_is_whole(reporter, tenant):
    alice = tenant.user("alice")
    old, kept, new = session(alice), session(alice), session(alice)
    reporter.must(old, kept)
    reporter.begin()
    reporter.must(new, complete=False)
    assert set(listed(tenant.owner, tenant)) == {old["id"], kept["id"], new["id"]}
    reporter.must(kept)
    assert set(listed(tenant.owner, tenant)) == {kept["id"], new["id"]}
    refused(reporter.say(complete=False), 400, "complete")


def test_parts_that_do_not_follow(reporter, tenant):
    alice = tenant.user("alice")
    first, second = session(alice), session(alice)
    reporter.part = 1
    refused(reporter.say(first), 409)  # nothing is here yet
    reporter.part = 0
    reporter.must(first)
    lost = reporter.body(second)
    assert reporter.send(lost).json == {"left_out": 0}
    # The answer did not come: it is sent again, and a late copy changes nothing either.
    assert reporter.send(lost).status == 200
    reporter.part = 2
    reporter.must(gone=[second["id"]])
    assert reporter.send(lost).status == 200
    assert set(listed(tenant.owner, tenant)) == {first["id"]}
    reporter.part = 5
    refused(reporter.say(second), 409)
    stale = Reporter(reporter.host, tenant.id)
    stale.part = 1
    refused(stale.say(second), 409)  # of a list that never began
    assert set(listed(tenant.owner, tenant)) == {first["id"]}


BAD_LINES = [
    {"id": "short"},
    {"id": "has space 123456"},
    {"id": 5},
    {"user": "usr_"},
    {"user": "alice"},
    {"user": "ten_0123456789abcdef"},
    {"project": "vision"},
    {"state": "fine"},
    {"state": None},
    {"cause": "two words"},
    {"opened": -1},
    {"opened": "now"},
    {"opened": 2**64},
    {"source": "192.0.2.1\n"},
    {"source": "\u202e1.2.0.291"},
    {"terminal": "pts/1\u001b[2J"},
    {"service": "x" * 129},
    {"credential": "\x00"},
    {"operator": "\u0085"},
    {"login": "root"},
    {"ordered": 0},
]


@pytest.mark.parametrize("more", BAD_LINES, ids=lambda more: json.dumps(more))
def test_lines_that_no_agent_writes(reporter, tenant, more):
    good = session(tenant.user("alice"))
    answer = reporter.say(good, {**session(tenant.user("bob")), **more})
    assert answer.status == 400, answer
    # All of it is refused, and what was there before stands.
    assert listed(tenant.owner, tenant) == {}
    reporter.must(good)


BAD_REPORTS = [
    ({"list": "x"}, "list"),
    ({"list": "0123456789abcde/"}, "list"),
    ({"part": 0}, "part"),
    ({"part": 2**60}, "part"),
    ({"part": "1"}, "part"),
    ({"complete": 1}, "complete"),
    ({"sessions": {}}, "sessions"),
    ({"sessions": ["x"]}, "sessions"),
    ({"gone": ["x"]}, "gone"),
    ({"gone": [5]}, "gone"),
    ({"gone": [f"{n:016}" for n in range(2001)]}, "gone"),
    ({"host": "hst_0123456789abcdef"}, "host"),
]


@pytest.mark.parametrize("more, field", BAD_REPORTS, ids=lambda value: json.dumps(value)[:60])
def test_reports_that_no_agent_writes(reporter, tenant, more, field):
    refused(reporter.send({**reporter.body(), **more}), 400, field)
    assert reporter.host.client.post(reporter.path, b"[]", headers={"Content-Type": "application/json"}).status == 400


def test_twice_in_one_report(reporter, tenant):
    one = session(tenant.user("alice"))
    refused(reporter.say(one, {**one, "state": "ending"}), 400, "sessions")
    refused(reporter.say(one, gone=[one["id"]]), 400, "gone")
    refused(reporter.say(gone=[one["id"], one["id"]]), 400, "gone")


def test_reports_have_a_size(reporter, tenant):
    alice = tenant.user("alice")
    refused(reporter.say(*(session(alice) for _ in range(501))), 400, "sessions")
    many = [session(alice, source="2001:db8::1234", credential="x" * 128) for _ in range(500)]
    reporter.must(*many)
    assert len(listed(tenant.owner, tenant, "?limit=1000")) == 500
    # More than a host can have is not kept, however many lists it begins.
    for _ in range(40):
        answer = reporter.say(*(session(alice) for _ in range(500)))
        if answer.status != 200:
            break
    refused(answer, 409)
    assert len(listed(tenant.owner, tenant, "?limit=1000")) == 1000


def test_a_host_speaks_only_for_tenants_that_it_serves(new_host, reporter, tenant, new_tenant):
    other = new_tenant(f"{tenant.slug}-o")
    stranger = Reporter(reporter.host, other.id)
    refused(stranger.say(session(other.user("olga"))), 404)
    assert listed(tenant.operator, other) == {}
    # People and programs are no hosts.
    for client in (tenant.owner, tenant.operator):
        refused(client.post(reporter.path, reporter.body()), 403)
    assert reporter.host.client.as_(None).post(reporter.path, reporter.body()).status == 401
    # Taken away from it, it has nothing more to say.
    tenant.operator.must("DELETE", f"/v1/hosts/{reporter.host.id}/tenants/{tenant.slug}")
    refused(reporter.say(), 404)


def test_people_and_projects_of_others_are_left_out(new_host, tenant, new_tenant):
    other = new_tenant(f"{tenant.slug}-o")
    host = new_host(f"both-{tenant.slug}", tenant, other)
    alice, olga, theirs = tenant.user("alice"), other.user("olga"), other.project("theirs")
    mine = Reporter(host, tenant.id)
    good, foreign = session(alice, project=theirs["id"]), session(olga)
    answer = mine.say(good, foreign, {**session(alice), "user": "usr_0123456789abcdef"})
    assert answer.status == 200 and answer.json == {"left_out": 2}
    seen = listed(tenant.owner, tenant)
    # Hers is there, without a project: there is none of that id here.
    assert set(seen) == {good["id"]} and "project" not in seen[good["id"]]
    assert olga.id not in json.dumps(seen) and theirs["id"] not in json.dumps(seen)
    assert listed(tenant.operator, other) == {}


def test_nobody_takes_over_the_session_of_another_host(new_host, reporter, tenant):
    alice, bob = tenant.user("alice"), tenant.user("bob")
    mine = session(alice)
    reporter.must(mine)
    thief = Reporter(new_host(f"thief-{tenant.slug}", tenant), tenant.id)
    assert thief.say({**mine, "state": "ending", "user": bob.id}).json == {"left_out": 1}
    assert thief.say(mine).json == {"left_out": 1}
    thief.must(gone=[mine["id"]])
    # Not even its own host makes it somebody else's.
    assert reporter.say({**mine, "user": bob.id}).json == {"left_out": 1}
    seen = listed(tenant.owner, tenant)[mine["id"]]
    assert (seen["host"], seen["user"], seen["state"]) == (reporter.host.id, alice.id, "open")


def test_a_session_outlives_its_user_and_project(reporter, tenant, operator):
    alice, project = tenant.user("alice"), tenant.project("vision")
    one = session(alice, project=project["id"])
    reporter.must(one)
    operator.must("DELETE", f"{tenant.path}/projects/{project['id']}", headers={"If-Match": "*"})
    operator.must("DELETE", f"{tenant.path}/users/{alice.id}", headers={"If-Match": "*"})
    reporter.begin()
    reporter.must({**one, "state": "ending", "cause": "user-removed"})
    seen = listed(operator, tenant)[one["id"]]
    assert (seen["user"], seen["project"], seen["state"]) == (alice.id, project["id"], "ending")
    assert "login" not in seen and "project_slug" not in seen
    assert reporter.say(session(alice)).json == {"left_out": 1}  # but none of hers begins any more


def test_what_is_said_of_hosts_that_are_gone(reporter, tenant, operator, control):
    one = session(tenant.user("alice"))
    reporter.must(one)

    def state():
        seen = listed(operator, tenant)[one["id"]]
        return seen["state"], seen.get("last_state"), seen.get("because")

    def age(span):
        for table, column in (("hosts", "last_seen"), ("feed_acks", "at"), ("session_reports", "at")):
            of = "id" if table == "hosts" else "host_id"
            control.cluster.psql(f"UPDATE control.{table} SET {column} = now() - interval '{span}' WHERE {of} = '{reporter.host.id}'")

    assert state() == ("open", None, None)
    age("9 minutes")
    assert state() == ("open", None, None)
    age("11 minutes")
    assert state() == ("unknown", "open", "host-away")
    assert set(listed(operator, tenant, "?state=unknown")) == {one["id"]} and listed(operator, tenant, "?state=open") == {}
    reporter.must()
    assert state() == ("open", None, None)
    operator.must("POST", f"/v1/hosts/{reporter.host.id}/disable", {})
    assert state() == ("unknown", "open", "host-disabled")
    refused(reporter.say(), 403)
    operator.must("DELETE", f"/v1/hosts/{reporter.host.id}", headers={"If-Match": "*"})
    assert state() == ("unknown", "open", "host-removed")


def test_what_nobody_says_any_more_is_forgotten(reporter, tenant, new_host, control, operator):
    old, young = session(tenant.user("alice")), session(tenant.user("bob"))
    reporter.must(old)
    Reporter(new_host(f"young-{tenant.slug}", tenant), tenant.id).must(young)
    for host, span in ((reporter.host.id, "8 days"), (listed(operator, tenant)[young["id"]]["host"], "6 days")):
        control.cluster.psql(f"UPDATE control.session_reports SET at = now() - interval '{span}' WHERE host_id = '{host}'")
    replica = control.serve(another_port=True)  # each one sweeps soon after its start
    try:
        end = time.monotonic() + 15
        while old["id"] in listed(operator, tenant) and time.monotonic() < end:
            time.sleep(0.2)
    finally:
        replica.stop()
        control.servers.remove(replica)
    assert set(listed(operator, tenant)) == {young["id"]}
    # The host comes back, and begins with a list.
    refused(reporter.say(), 409)
    reporter.begin()
    reporter.must(old)
