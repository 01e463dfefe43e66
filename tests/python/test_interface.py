# SPDX-License-Identifier: MIT
"""The interface text against a live agent: introspection serves exactly it, every method exists, and each reply and
error is of the types that it promises."""

import os
import pathlib

import pytest
from live_agent import Key, LiveAgent, binary
from varlink_text import Interface

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="most methods are root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "io.tenantd.Agent.varlink").read_text()
AGENT = Interface(TEXT)


@pytest.fixture(scope="module")
def key():
    return Key("usr_alice")


@pytest.fixture(scope="module")
def agent(tmp_path_factory, key):
    made = LiveAgent(tmp_path_factory.mktemp("agent"), [key])
    yield made
    made.stop()


@pytest.fixture
def connection(agent):
    made = agent.connect()
    yield made
    made.close()


def call(connection, method, parameters=None, more=False):
    """The reply's parameters, checked; or the error's name, checked too."""
    import json

    message = {"method": "io.tenantd.Agent." + method, "parameters": parameters or {}}
    if more:
        message["more"] = True
    connection.send(json.dumps(message).encode() + b"\0")
    reply = connection.receive()
    assert set(reply) <= {"parameters", "error", "continues"}
    name = reply.get("error")
    if name is None:
        fault = AGENT.fault(reply["parameters"], AGENT.methods[method][1], method)
        assert fault is None, f"{fault} in {reply}"
        return reply["parameters"]
    if name.startswith(AGENT.name + "."):
        fault = AGENT.fault(reply["parameters"], AGENT.errors[name.removeprefix(AGENT.name + ".")], name)
        assert fault is None, f"{fault} in {reply}"
    return name


def test_introspection_serves_the_text(connection):
    import json

    def service(method, **parameters):
        message = {"method": "org.varlink.service." + method, "parameters": parameters}
        connection.send(json.dumps(message).encode() + b"\0")
        return connection.receive()["parameters"]

    info = service("GetInfo")
    assert {"io.tenantd.Agent", "org.varlink.service"} <= set(info["interfaces"])
    assert service("GetInterfaceDescription", interface="io.tenantd.Agent")["description"] == TEXT
    for name in info["interfaces"]:
        assert Interface(service("GetInterfaceDescription", interface=name)["description"]).name == name


def test_every_method_of_the_text_exists(connection):
    for method in AGENT.methods:
        answer = call(connection, method, {"no_such_parameter": 1})
        assert answer == "org.varlink.service.InvalidParameter", f"{method}: {answer}"


def test_every_parameter_is_taken_as_its_type(agent):
    wrong = {"string": 7, "int": "7", "bool": "x", "object": "x"}
    for method, (parameters, _) in AGENT.methods.items():
        for name, kind in parameters.items():
            kind = kind[1] if isinstance(kind, tuple) and kind[0] == "?" else kind
            if isinstance(kind, tuple):  # an enumeration
                bad = "no-such-word"
            else:
                bad = wrong[kind]
            others = {n: "x" if k == "string" else 1 for n, k in parameters.items() if k in ("string", "int")}
            if "outcome" in parameters:
                others["outcome"] = "success"
            connection = agent.connect()
            answer = call(connection, method, others | {name: bad})
            assert answer == "org.varlink.service.InvalidParameter", f"{method}({name}={bad!r}): {answer}"
            connection.close()


def test_a_sign_in_and_everything_after_it(connection, key):
    step = call(connection, "Login", {"user": "alice", "service": "sshd", "source": "192.0.2.1", "terminal": None})
    assert step["step"] == "prompt"
    step = call(connection, "Answer", {"login": step["login"], "text": key.text})
    assert step["step"] == "allowed"
    who = {"user": "alice", "service": "sshd", "source": "192.0.2.1", "login": step["login"]}
    assert call(connection, "Authorize", who)["decision"]["decision"] == "allowed"
    opened = call(connection, "OpenSession", who | {"leader": os.getpid()})
    assert "TENANT=acme" in opened["environment"]
    sessions = call(connection, "Sessions", {"user": "alice"})["sessions"]
    assert [s["session"] for s in sessions] == [opened["session"]]
    assert call(connection, "Sessions", more=True)["sessions"] == sessions
    assert call(connection, "CloseSession", {"session": opened["session"]}) == {}
    assert call(connection, "Sessions")["sessions"] == []


def test_refusals_have_the_promised_form(connection):
    assert call(connection, "Login", {"user": "nobody", "service": "sshd"})["reason"] == "unknown-user"
    assert call(connection, "Answer", {"login": "x", "text": "y"})["step"] == "denied"
    assert call(connection, "Authorize", {"user": "nobody", "service": "sshd"})["decision"]["reason"] == "unknown-user"
    assert call(connection, "OpenSession", {"user": "nobody", "service": "sshd"})["decision"]["decision"] == "denied"
    assert call(connection, "WhoAmI") == "io.tenantd.Agent.NotFound"
    assert call(connection, "Subscribe") == "org.varlink.service.ExpectedMore"
    wrong = Key("usr_alice")
    assert call(connection, "VerifyCredential", {"credential": wrong.text})["decision"]["decision"] == "denied"
    assert call(connection, "VerifyCredential", {"credential": "é\n"})["decision"]["decision"] == "denied"


def test_questions_of_services(connection, key):
    asked = {"credential": key.text, "project": "acme/vision", "action": "dataset.write", "source": "192.0.2.1"}
    answer = call(connection, "VerifyCredential", asked)
    assert answer["decision"]["decision"] == "allowed" and "dataset.write" in answer["actions"]
    for who in ({"user": "alice"}, {"uid": 1879048200}):
        answer = call(connection, "CheckAccess", who | {"project": "prj_vision", "action": "host.login"})
        assert answer["decision"]["decision"] == "allowed"
    answer = call(connection, "CheckAccess", {"project": "acme/vision", "action": "project.view"})
    assert answer["decision"]["reason"] == "unknown-user"  # root is nobody here
    assert call(connection, "SshKeys", {"user": "alice"}) == {"keys": []}
    event = {"action": "notebook.start", "outcome": "failure", "user": "alice", "data": {"gpu": [0, 1]}}
    assert call(connection, "Emit", event) == {}
    status = call(connection, "Status")
    assert status["state"] == "ready" and status["users"] == 1 and status["map_published"]
    assert call(connection, "Metrics")["text"].endswith("# EOF\n")
    assert call(connection, "Reload") == {"changed": False}


def test_events_follow_a_change(agent, connection, key):
    before = agent.connect()
    assert call(connection, "Subscribe", more=True)["event"] == "ready"
    second = Key("usr_alice")
    agent.write_directory([key, second])
    assert call(before, "Reload") in ({"changed": True}, {"changed": False})
    events = []
    while not events or events[-1]["event"] != "directory-changed":
        reply = connection.receive()
        fault = AGENT.fault(reply["parameters"], AGENT.methods["Subscribe"][1], "Subscribe")
        assert fault is None and reply["continues"]
        events.append(reply["parameters"])
    assert {"event": "key-changed", "user": "alice", "key_id": second.id}.items() <= events[0].items()
    before.close()
