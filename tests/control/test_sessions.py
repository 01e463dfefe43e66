# SPDX-License-Identifier: MIT
"""Sessions on hosts: what hosts may say about them and what not, who sees them, who ends them, and what is waited for."""
import json
import secrets
import threading
import time

import pytest

from controllib.host import Host

ABSENT = "zzzzzzzzzzzzzzzz"


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


def new_id():
    return secrets.token_hex(8)


class Reporter:
    """A host that tells of its sessions in one tenant, as an agent does."""

    def __init__(self, host, tenant_id):
        self.host, self.path = host, f"/v1/feeds/{tenant_id}/sessions"
        self.begin()

    def begin(self):
        self.list, self.part = new_id(), 0

    def body(self, *sessions, gone=(), complete=True):
        body = {"list": self.list, "part": self.part + 1, "complete": complete}
        if sessions:
            body["sessions"] = list(sessions)
        if gone:
            body["gone"] = list(gone)
        return body

    def send(self, body):
        return self.host.client.post(self.path, body)

    def say(self, *sessions, **more):
        answer = self.send(self.body(*sessions, **more))
        if answer.status == 200:
            self.part += 1
        return answer

    def must(self, *sessions, **more):
        answer = self.say(*sessions, **more)
        assert answer.status == 200 and answer.json == {"left_out": 0}, answer


def session(user, **more):
    return {"id": new_id(), "user": user.id, "opened": int(time.time()) - 60, "state": "open", "service": "sshd", **more}


@pytest.fixture
def new_host(control, operator, tmp_path):
    def make(name, *tenants):
        host = Host(operator, [tenant.id for tenant in tenants], name, tmp_path)
        host.sign_in(control.url)
        return host

    return make


@pytest.fixture
def host(new_host, tenant):
    return new_host(f"h-{tenant.slug}", tenant)


@pytest.fixture
def reporter(host, tenant):
    return Reporter(host, tenant.id)


def listed(client, tenant, query=""):
    return {item["id"]: item for item in client.must("GET", f"{tenant.path}/sessions{query}")["items"]}


# ---- what hosts say ---------------------------------------------------------------------------------------------------


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


# ---- who sees them ----------------------------------------------------------------------------------------------------


@pytest.fixture
def people(tenant, reporter, operator):
    """Sessions of two people in two projects, and who may see what of them."""

    class People:
        alice, bob, carl = tenant.user("alice"), tenant.user("bob"), tenant.user("carl")
        vision, speech = tenant.project("vision"), tenant.project("speech")

    for user, project, role in ((People.alice, "vision", "owner"), (People.bob, "vision", "editor"), (People.bob, "speech", "editor")):
        operator.must("PUT", f"{tenant.path}/projects/{project}/members/{user.id}", {"role": role})
    People.a = session(People.alice, project=People.vision["id"], source="192.0.2.1")
    People.b = session(People.bob, project=People.vision["id"])
    People.s = session(People.bob, project=People.speech["id"], state="left-behind")
    People.n = session(People.bob, service="cron")
    reporter.must(People.a, People.b, People.s, People.n)
    People.all = {People.a["id"], People.b["id"], People.s["id"], People.n["id"]}
    return People


def test_who_sees_which(people, tenant, new_tenant, operator, reporter):
    everybody = people.all
    for role in ("owner", "admin"):
        assert set(listed(tenant.user(f"t-{role}", role).client(), tenant)) == everybody
    for role in ("viewer", "analyst", None):
        client = tenant.user(f"t-{role}", role).client()
        assert listed(client, tenant) == {}
        refused(client.get(f"{tenant.path}/sessions/{people.a['id']}"), 404)
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"], people.b["id"]}
    assert set(listed(people.bob.client(), tenant)) == {people.b["id"], people.s["id"], people.n["id"]}
    refused(people.bob.client().get(f"{tenant.path}/sessions/{people.a['id']}"), 404)
    assert people.bob.client().must("GET", f"{tenant.path}/sessions/{people.b['id']}")["login"] == "bob"
    stranger = new_tenant(f"{tenant.slug}-x")
    refused(stranger.owner.get(f"{tenant.path}/sessions"), 404)
    refused(stranger.owner.get(f"{stranger.path}/sessions/{people.a['id']}"), 404)
    refused(reporter.host.client.get(f"{tenant.path}/sessions"), 404)
    assert operator.as_(None).get(f"{tenant.path}/sessions").status == 401


def test_operators_look_and_support_ends_nothing(people, tenant, operator, server, control):
    made = operator.must("POST", "/v1/operators", {"email": f"s@{tenant.slug}.example"})
    operator.must("PUT", f"/v1/operators/{made['id']}/password", {"password": control.PASSWORD})
    client = server.client
    client.token = client.sign_in(made["email"], control.PASSWORD)
    refused(client.get(f"{tenant.path}/sessions"), 404)
    operator.must("POST", f"/v1/operators/{made['id']}/grants", {"role": "support", "tenant": tenant.id})
    assert set(listed(client, tenant)) == people.all
    refused(client.post(f"{tenant.path}/sessions/{people.a['id']}/end", {}), 403)
    refused(client.post(f"{tenant.path}/sessions/end", {"all": True}), 403)


def test_a_role_of_the_tenants_own_that_looks_after_sessions(people, tenant, operator):
    operator.must("POST", f"{tenant.path}/roles", {"name": "warden", "kind": "project", "actions": ["project.view", "session.manage"]})
    operator.must("PUT", f"{tenant.path}/projects/speech/members/{people.carl.id}", {"role": "warden"})
    assert set(listed(people.carl.client(), tenant)) == {people.s["id"]}
    assert people.carl.client().post(f"{tenant.path}/sessions/{people.s['id']}/end", {}).status == 200
    refused(people.carl.client().post(f"{tenant.path}/sessions/{people.b['id']}/end", {}), 404)


def test_a_project_that_may_not_be_used_from_here_shows_nothing(people, tenant, operator):
    operator.must("PATCH", f"{tenant.path}/projects/vision", {"allow_from": ["192.0.2.0/24"]}, headers={"If-Match": "*"})
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"]}
    refused(people.alice.client().post(f"{tenant.path}/sessions/end", {"project": "vision"}), 403)
    operator.must("PATCH", f"{tenant.path}/projects/vision", {"allow_from": ["127.0.0.0/8"]}, headers={"If-Match": "*"})
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"], people.b["id"]}


def test_limited_keys(people, tenant, server):
    admin = tenant.user("adam", "admin")
    path = f"{tenant.path}/sessions"

    def get(token):
        return server.client.request("GET", path, token=token)

    fitting = admin.key(actions=["session.manage"])["secret"]
    assert len(get(fitting).json["items"]) == 4
    refused(get(admin.key(actions=["key.manage"])["secret"]), 403)
    refused(get(admin.key(projects=[people.vision["id"]])["secret"]), 403)
    refused(get(admin.key(services=["sshd"])["secret"]), 403)
    # A key for sessions is no key for keys.
    refused(server.client.request("GET", f"{tenant.path}/keys", token=fitting), 403)
    assert server.client.request("POST", f"{path}/{people.a['id']}/end", {}, token=fitting).status == 200


def test_filters_and_pages(people, tenant, reporter):
    owner = tenant.owner

    def found(query):
        return set(listed(owner, tenant, query))

    assert found("?user=bob") == found(f"?user={people.bob.id}") == {people.b["id"], people.s["id"], people.n["id"]}
    assert found("?project=vision") == found(f"?project={people.vision['id']}") == {people.a["id"], people.b["id"]}
    assert found(f"?host={reporter.host.name}") == found(f"?host={reporter.host.id}") == people.all
    assert found("?user=bob&project=vision") == {people.b["id"]}
    assert found("?state=left-behind") == {people.s["id"]}
    for query in ("?user=nobody", "?project=none", "?host=none", "?state=unknown", "?user=alice&project=speech"):
        assert found(query) == set()
    refused(owner.get(f"{tenant.path}/sessions?state=x"), 400, "state")
    refused(owner.get(f"{tenant.path}/sessions?limit=0"), 400, "limit")
    pages, cursor = [], ""
    while cursor is not None:
        page = owner.must("GET", f"{tenant.path}/sessions?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next"]
    assert [len(page) for page in pages] == [3, 1] and sum(pages, []) == sorted(people.all)


# ---- ending them ------------------------------------------------------------------------------------------------------


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


# ---- the rest ---------------------------------------------------------------------------------------------------------


def test_a_policy_of_sessions(tenant, control):
    client = tenant.owner

    def patch(rules):
        return client.patch(tenant.path, {"policy": {"sessions": rules}}, headers={"If-Match": "*"})

    rules = {"max_per_user": 3, "max_per_tenant": 50, "over": "end-oldest", "max_age": 43200, "idle": 1800, "warn": 60, "grace": 0,
             "end_outside_hours": True, "end_with_key": True}  # fmt: skip
    assert patch(rules).json["policy"]["sessions"] == rules
    body = json.loads(control.cluster.psql(f"SELECT body FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND kind = 0"))
    assert body["sessions"] == rules
    for bad in (
        {"max_per_user": 0},
        {"max_per_user": -1},
        {"max_per_user": "3"},
        {"max_age": "12h"},
        {"idle": 0},
        {"grace": 301},
        {"over": "never"},
        {"end_with_key": 1},
        {"max": 5},  # a host's own
        [],
    ):
        assert patch(bad).status == 400, bad
    assert client.must("GET", tenant.path)["policy"]["sessions"] == rules
    refused(client.patch(tenant.path, {"policy": {"max_sessions_per_user": 3}}, headers={"If-Match": "*"}), 400, "policy")


def test_the_command_line(people, tenant, control, reporter):
    def run(*arguments, **more):
        return control.run("session", *arguments, "--tenant", tenant.slug, **more)

    lines = run("list").stdout.splitlines()
    assert len(lines) == 5 and lines[0].split()[0] == "id" and sum("bob" in line for line in lines) == 3
    assert len(run("list", "--user", "alice").stdout.splitlines()) == 2
    assert {item["id"] for item in json.loads(run("list", "--state", "left-behind", "--json").stdout)} == {people.s["id"]}
    assert json.loads(run("show", people.a["id"], "--json").stdout)["login"] == "alice"
    assert run("show", ABSENT, check=False).returncode == 3
    done = run("end", people.a["id"], "--reason", "maintenance").stdout
    assert "0 of 1 hosts have taken it in" in done and "0 of 1 sessions are gone" in done
    assert json.loads(run("end", "--user", "bob", "--json").stdout)["sessions"]["asked"] == 3
    assert json.loads(run("end", "--project", "vision", "--host", reporter.host.name, "--json").stdout)["sessions"]["asked"] == 2
    assert json.loads(run("end", "--all", "--json").stdout)["sessions"]["asked"] == 4
    for wrong in (["end"], ["end", "--all", "--user", "bob"], ["end", people.a["id"], "--user", "bob"], ["end", people.a["id"], "--all"]):
        assert run(*wrong, check=False).returncode in (1, 2), wrong
