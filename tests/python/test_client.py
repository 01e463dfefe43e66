# SPDX-License-Identifier: MIT
"""The Python client against a scripted agent: what is a decision, what is a breakage, and nothing between."""

import json
import os
import threading
import time

import pytest
import tenantd
from fake_agent import ALLOWED, DENIED, HANG_UP, PRINCIPAL, STALL, decision


def test_allowed(agent, client):
    agent.say("VerifyCredential", ALLOWED)
    answer = client.verify("k\"ey", project="acme/vision", action="dataset.write", source="10.0.0.1")
    assert answer
    assert answer.allowed and answer.principal.user == "alice" and answer.principal.uid == 1879048200
    assert answer.key_id == "key_1" and answer.actions == ("project.view",)
    assert agent.asked("VerifyCredential") == [
        {"credential": "k\"ey", "project": "acme/vision", "action": "dataset.write", "source": "10.0.0.1"}
    ]


def test_denied_is_false_and_raises_at_the_gate(agent, client):
    agent.say("VerifyCredential", DENIED)
    agent.say("CheckAccess", DENIED)
    assert not client.verify("key", "acme/vision", "dataset.write")
    assert not client.check("acme/vision", "dataset.write", user="alice")
    with pytest.raises(tenantd.Denied) as denied:
        client.require_project("key", "acme/vision", "dataset.write")
    assert denied.value.reason == "role-too-low"
    assert str(denied.value) == "Your role is too low."
    assert not isinstance(denied.value, tenantd.Broken)


def test_broken_is_no_denial():
    assert not issubclass(tenantd.Broken, tenantd.Denied)
    assert not issubclass(tenantd.Denied, tenantd.Broken)


FULL = json.dumps(ALLOWED).encode()


@pytest.mark.parametrize(
    "reply",
    [
        STALL,
        HANG_UP,
        [FULL[:40], HANG_UP],
        FULL[:40],
        b"\xff{]\0",
        b"\0",
        b"[]\0",
        b"null\0",
        b"{}\0",
        b"x" * 200000,
        b'{"parameters":[]}\0',
        b'{"parameters":{"decision":{"decision":"denied","reason":"r","message":"m"},'
        b'"decision":{"decision":"allowed","reason":"r","message":"m"}}}\0',
        b'{"parameters":{"decision":NaN}}\0',
        b"[" * 100000 + b"\0",
        {"parameters": {}},
        {"parameters": {"decision": "allowed", "principal": PRINCIPAL}},
        decision("broken"),
        decision("Allowed", principal=PRINCIPAL),
        decision("", principal=PRINCIPAL),
        decision("allowed"),
        decision("allowed", principal=None),
        decision("allowed", principal={}),
        decision("allowed", principal=dict(PRINCIPAL, uid=True)),
        decision("allowed", principal=dict(PRINCIPAL, uid="0")),
        decision("allowed", principal=dict(PRINCIPAL, uid=2**32 - 1)),
        decision("allowed", principal=dict(PRINCIPAL, kind="robot")),
        decision("allowed", principal=PRINCIPAL, actions="all"),
        decision("allowed", principal=PRINCIPAL, actions=[1]),
        dict(ALLOWED, continues=True),
        dict(ALLOWED, error="io.example.Else"),
        {"error": "io.tenantd.Agent.Broken", "parameters": {"problem": "no directory"}},
        {"error": "io.tenantd.Agent.TooMany", "parameters": {}},
        {"error": "org.varlink.service.MethodNotFound", "parameters": {}},
        {"error": 5},
    ],
)
def test_no_breakage_is_an_answer(agent, client, reply):
    agent.say("VerifyCredential", reply)
    with pytest.raises(tenantd.Broken):
        client.verify("key", "acme/vision", "project.view")


def test_other_errors(agent, client):
    agent.say("VerifyCredential", {"error": "org.varlink.service.PermissionDenied", "parameters": {}})
    agent.say("WhoAmI", {"error": "io.tenantd.Agent.NotFound", "parameters": {"what": "user"}})
    agent.say("CheckAccess", {"error": "org.varlink.service.InvalidParameter", "parameters": {"parameter": "uid"}})
    with pytest.raises(tenantd.NotPermitted):
        client.verify("key")
    with pytest.raises(tenantd.NotFound, match="user"):
        client.whoami()
    with pytest.raises(ValueError, match="uid"):
        client.check("p", "a", uid=-1)
    # An error reply is an answer: the connection is kept.
    assert agent.connections == 1


def test_arguments(agent, client):
    with pytest.raises(ValueError):
        client.verify("key", action="dataset.write")
    with pytest.raises(ValueError):
        client.verify("key", project="", action="dataset.write")
    with pytest.raises(ValueError):
        client.check("", "dataset.write")
    with pytest.raises(ValueError):
        client.check("p", "")
    with pytest.raises(ValueError):
        client.require_project("key", "", "dataset.write")
    with pytest.raises(ValueError):
        client.check("p", "a", user="alice", uid=5)
    with pytest.raises(ValueError):
        client.emit("a.b", data=["x"])
    with pytest.raises(ValueError):
        client.verify("\ud800")
    with pytest.raises(ValueError):
        client.verify("k" * 70000)
    with pytest.raises(ValueError):
        tenantd.Client(timeout=0)
    assert agent.calls == []


def test_no_agent():
    with pytest.raises(tenantd.Broken, match="/nonexistent/agent.sock"):
        tenantd.Client("/nonexistent/agent.sock").whoami()


def test_deadline_is_for_the_whole_call(agent, client):
    agent.say("WhoAmI", STALL)
    before = time.monotonic()
    with pytest.raises(tenantd.Broken):
        client.whoami()
    assert 0.35 < time.monotonic() - before < 2


def test_a_late_answer_is_dropped(agent, client):
    agent.say("VerifyCredential", STALL, DENIED)
    with pytest.raises(tenantd.Broken):
        client.verify("key")
    assert not client.verify("key")
    assert agent.connections == 2


def test_unasked_words_are_not_believed(agent, client):
    agent.say("VerifyCredential", [DENIED, ALLOWED], DENIED)
    assert not client.verify("key")
    time.sleep(0.05)
    assert not client.verify("key")


def test_reconnects_but_sends_events_once(agent, client):
    agent.say("VerifyCredential", ALLOWED)
    agent.say("Emit", {"parameters": {}}, HANG_UP)
    assert client.verify("key")
    agent.cut()
    assert client.verify("key")
    client.emit("a.b", data={"n": 1}, user="alice")
    with pytest.raises(tenantd.Broken):
        client.emit("a.b", success=False)
    assert agent.asked("Emit") == [
        {"user": "alice", "data": {"n": 1}, "action": "a.b", "outcome": "success"},
        {"action": "a.b", "outcome": "failure"},
    ]


def test_fork_makes_its_own_connection(agent, client):
    agent.say("VerifyCredential", ALLOWED)
    assert client.verify("key")
    child = os.fork()
    if child == 0:
        os._exit(0 if client.verify("key") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert agent.connections == 2
    assert client.verify("key")
    assert agent.connections == 2


def test_threads_share_a_client(agent):
    agent.say("VerifyCredential", ALLOWED)
    client = tenantd.Client(agent.path, timeout=20)
    good = []

    def ask():
        for _ in range(50):
            good.append(client.verify("key").principal.user == "alice")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 200
    assert agent.connections == 1


def test_whoami(agent, client):
    agent.say(
        "WhoAmI",
        {
            "parameters": {
                "principal": PRINCIPAL,
                "memberships": [{"tenant": "acme", "project": "vision", "project_id": "prj_vision", "role": "editor"}],
                "new": 1,
            }
        },
    )
    identity = client.whoami()
    assert identity.principal.user_id == "usr_alice"
    assert identity.memberships == (tenantd.Membership("acme", "editor", "vision", "prj_vision"),)


def test_one_time_codes(agent, client):
    given = {"code": "7K3M-Q2XW-9TBD", "user": "alice", "service": "hub", "expires_in": 120}
    agent.say("Code", decision("allowed", "allowed", "", **given))
    code = client.code(service="hub")
    assert (code.code, code.user, code.service, code.expires_in) == ("7K3M-Q2XW-9TBD", "alice", "hub", 120)
    assert "7K3M" not in repr(code)
    assert agent.asked("Code") == [{"service": "hub"}]
    agent.say("Code", decision("denied", "not-permitted", "No."))
    with pytest.raises(tenantd.Denied) as denial:
        client.code("edith")
    assert denial.value.reason == "not-permitted"
    # A yes without a code, a no with one, and nobody's decision.
    for bad in (
        decision("allowed"),
        decision("allowed", **dict(given, code="")),
        decision("allowed", **dict(given, expires_in="x")),
        decision("denied", **given),
        decision("broken"),
        {"parameters": given},
    ):
        agent.say("Code", bad)
        with pytest.raises(tenantd.Broken):
            client.code()
    # Asked twice, the second would end the first.
    agent.say("Code", HANG_UP)
    before = len(agent.asked("Code"))
    with pytest.raises(tenantd.Broken):
        client.code()
    assert len(agent.asked("Code")) == before + 1


SESSION = {
    "session": "s",
    "state": "open",
    "user": "alice",
    "user_id": "usr_alice",
    "uid": 1879048200,
    "tenant": "acme",
    "service": "sshd",
    "leader": 4,
    "opened": 9,
}


def test_sessions_in_parts(agent, client):
    agent.say(
        "Sessions",
        [
            {"parameters": {"sessions": [SESSION, SESSION]}, "continues": True},
            {"parameters": {"sessions": [dict(SESSION, session="last")]}},
        ],
    )
    assert [session.session for session in client.sessions("alice")] == ["s", "s", "last"]
    assert agent.calls[0]["more"] is True
    agent.say("Sessions", [{"parameters": {"sessions": [SESSION]}, "continues": True}, HANG_UP])
    with pytest.raises(tenantd.Broken):
        client.sessions()
    agent.say("Sessions", {"parameters": {"sessions": [{}]}})
    with pytest.raises(tenantd.Broken):
        client.sessions()


def test_why_a_session_ends(agent, client):
    ending = {"event": "session-ending", "user": "alice", "session": "s", "cause": "key-revoked"}
    agent.say("Subscribe", [event("ready"), {"parameters": ending, "continues": True}])
    with client.subscribe() as events:
        heard = events.next(2)
    assert heard.event == "session-ending" and heard.session == "s" and heard.cause == "key-revoked"


def test_an_operator_is_no_service(agent, client):
    looking_in = dict(PRINCIPAL, kind="operator", operator="olga@example.org", grant="grt_1")
    agent.say("WhoAmI", {"parameters": {"principal": looking_in, "memberships": []}})
    principal = client.whoami().principal
    assert principal.is_operator and not principal.is_service
    assert principal.operator == "olga@example.org" and principal.grant == "grt_1"


def test_what_a_session_says(agent, client):
    more = {"state": "ending", "cause": "grant-ended", "operator": "olga@example.org", "grant": "grt_1", "idle": 90}
    agent.say("Sessions", {"parameters": {"sessions": [SESSION, SESSION | more]}})
    plain, looking_in = client.sessions(project="acme/vision")
    assert agent.asked("Sessions") == [{"project": "acme/vision", "idle": True}]
    assert plain.state == "open" and plain.cause is None and plain.idle is None
    assert looking_in.cause == "grant-ended" and looking_in.operator == "olga@example.org" and looking_in.idle == 90
    for wrong in ({"state": None}, {"idle": "long"}, {"leader": None}):
        agent.say("Sessions", {"parameters": {"sessions": [SESSION | wrong]}})
        with pytest.raises(tenantd.Broken):
            client.sessions()


def test_sessions_are_ended(agent, client):
    agent.say("EndSession", {"parameters": {"asked": 1, "gone": 0}})
    begun = client.end_session("s", reason="told so")
    assert not begun.done and agent.asked("EndSession") == [{"session": "s", "reason": "told so"}]
    agent.say("EndSessions", {"parameters": {"asked": 3, "gone": 3}})
    assert client.end_sessions(project="acme/vision", wait=5).done
    assert client.end_sessions(user="", project="acme/vision").asked == 3  # an empty name is said, and names nobody
    assert agent.asked("EndSessions") == [{"project": "acme/vision", "wait": 5}, {"user": "", "project": "acme/vision"}]


def test_sessions_are_not_ended_by_mistake(agent, client):
    with pytest.raises(ValueError):
        client.end_sessions()
    with pytest.raises(ValueError):
        client.end_session("s", wait=601)
    assert not agent.asked("EndSession") and not agent.asked("EndSessions")
    agent.say("EndSession", {"error": "io.tenantd.Agent.NotFound", "parameters": {"what": "session"}})
    with pytest.raises(tenantd.NotFound):
        client.end_session("s")
    agent.say("EndSession", {"error": "io.tenantd.Agent.Broken", "parameters": {"problem": "no helper"}})
    with pytest.raises(tenantd.Broken):
        client.end_session("s")
    for wrong in ({}, {"asked": 1, "gone": 2}, {"asked": True, "gone": 0}):
        agent.say("EndSession", {"parameters": wrong})
        with pytest.raises(tenantd.Broken):
            client.end_session("s")
    agent.say("EndSession", HANG_UP)
    before = len(agent.asked("EndSession"))
    with pytest.raises(tenantd.Broken):
        client.end_session("s")
    assert len(agent.asked("EndSession")) == before + 1  # never sent twice


def test_waiting_takes_longer_than_other_calls(agent, client):
    agent.say("EndSession", STALL)
    started = time.monotonic()
    with pytest.raises(tenantd.Broken):
        client.end_session("s", wait=1)
    assert 1.2 < time.monotonic() - started < 5


def event(name):
    return {"parameters": {"event": name, "user": "alice", "generation": 7}, "continues": True}


def test_subscribe(agent, client):
    agent.say("Subscribe", [event("ready"), event("key-revoked"), event("role-changed")])
    with client.subscribe() as subscription:
        assert subscription.next(1) == tenantd.Event("key-revoked", user="alice", generation=7)
        assert subscription.next(0.2).event == "role-changed"
        assert subscription.next(0.1) is None
        assert subscription.next(0) is None
        agent.cut()
        with pytest.raises(tenantd.Broken):
            subscription.next(1)
        with pytest.raises(tenantd.Broken):
            subscription.next(1)


@pytest.mark.parametrize(
    "reply", [STALL, HANG_UP, event("key-revoked"), {"parameters": {"event": "ready"}}, b"\xff\0", {"error": "x.Y"}]
)
def test_subscriptions_that_do_not_begin(agent, client, reply):
    agent.say("Subscribe", reply)
    with pytest.raises(tenantd.Broken):
        client.subscribe()
