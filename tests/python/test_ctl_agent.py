# SPDX-License-Identifier: MIT
"""tenantctl's verbs that ask the agent: exit codes, words, JSON."""

import json
import os
import subprocess

import pytest
from live_agent import Key, LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="some verbs are root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]


@pytest.fixture(scope="module")
def key():
    return Key("usr_alice")


@pytest.fixture(scope="module")
def agent(tmp_path_factory, key):
    made = LiveAgent(tmp_path_factory.mktemp("agent"), [key])
    yield made
    made.stop()


def ctl(agent, *words, stdin=""):
    """Exit code, standard output, standard error."""
    path = agent.socket_path if agent else "/nonexistent/agent.sock"
    done = subprocess.run(
        [binary().parent / "tenantctl", *words, "--socket", path], input=stdin, capture_output=True, text=True, timeout=20
    )
    return done.returncode, done.stdout, done.stderr


def test_status_is_for_monitoring(agent):
    code, out, _ = ctl(agent, "status")
    assert code == 0 and "ready" in out
    code, out, _ = ctl(agent, "status", "--json")
    assert code == 0 and json.loads(out)["state"] == "ready"
    code, out, err = ctl(None, "status")
    assert code == 3 and not out and "does not answer" in err
    code, out, err = ctl(None, "status", "--json")
    assert code == 3 and "error" in json.loads(out) and not err


def test_check(agent):
    assert ctl(agent, "check", "alice", "acme/vision", "dataset.write")[0] == 0
    assert ctl(agent, "check", "--uid", "1879048200", "acme/vision", "dataset.write")[0] == 0
    code, out, _ = ctl(agent, "check", "alice", "acme/nothing", "dataset.write")
    assert code == 1 and "unknown-project" in out
    assert ctl(agent, "check", "alice", "acme/vision")[0] == 1  # about "you": root is nobody here
    assert ctl(agent, "check", "acme/vision")[0] == 2
    assert ctl(agent, "check", "--uid", "x", "acme/vision", "a")[0] == 2
    assert ctl(None, "check", "alice", "acme/vision", "a")[0] == 3


def test_a_key_comes_from_standard_input_only(agent, key):
    code, out, _ = ctl(agent, "verify", "--project", "acme/vision", stdin=key.text + "\n")
    assert code == 0 and "alice" in out and key.secret not in out
    code, out, _ = ctl(agent, "verify", "--json", stdin=key.text)
    assert code == 0 and json.loads(out)["key_id"] == key.id
    assert ctl(agent, "verify", stdin=Key("usr_alice").text)[0] == 1
    assert ctl(agent, "verify", stdin="")[0] == 2
    assert ctl(agent, "verify", key.text, stdin="")[0] == 2
    assert ctl(None, "verify", stdin=key.text)[0] == 3


def test_code(agent):
    code, out, err = ctl(agent, "code", "--user", "alice", "--service", "hub")
    assert code == 0 and len(out.strip()) == 14 and out.count("-") == 2, out
    assert "alice" in err and "hub" in err and out.strip() not in err
    answer = json.loads(ctl(agent, "code", "--user", "alice", "--json")[1])
    assert answer["user"] == "alice" and answer["expires_in"] == 120 and "service" not in answer
    assert ctl(agent, "code")[0] == 1  # for "you": root is nobody here
    assert ctl(agent, "code", "--user", "nobody-here")[0] == 1
    code, out, _ = ctl(agent, "code", "--user", "alice", "--service", "sudo")
    assert code == 1 and "sudo" in out
    code, out, _ = ctl(agent, "code", "--user", "alice", "--service", "sudo", "--json")
    assert code == 1 and json.loads(out)["decision"]["decision"] == "denied"
    assert ctl(agent, "code", "--user", "alice", "--service", "../x")[0] == 2
    assert ctl(agent, "code", "alice")[0] == 2
    assert ctl(None, "code")[0] == 3


def test_ssh_keys_are_quiet(agent):
    assert ctl(agent, "ssh-keys", "root") == (0, "", "")
    assert ctl(agent, "ssh-keys", "no-such-user") == (0, "", "")
    assert ctl(agent, "ssh-keys", "../../etc") == (0, "", "")
    assert ctl(None, "ssh-keys", "alice")[0:2] == (3, "")


def test_the_rest_answers(agent):
    assert ctl(agent, "whoami")[0] == 1
    assert ctl(agent, "sessions")[0] == 0
    assert json.loads(ctl(agent, "sessions", "--json")[1]) == {"sessions": []}
    assert ctl(agent, "sessions", "end", "nothing")[0] == 1
    assert ctl(agent, "sessions", "stop", "nothing")[0] == 2
    assert ctl(agent, "metrics")[1].endswith("# EOF\n")


def test_reload_tells_how_it_went(agent):
    assert ctl(agent, "reload")[0] == 0
    path = agent.folder / "directory.yaml"
    good = path.read_text()
    path.write_text(good.replace("members:", "membres:"))
    code, _, err = ctl(agent, "reload")
    assert code == 1 and "membres" in err and 'did you mean "members"' in err
    code, out, _ = ctl(agent, "status")
    assert code == 1 and "degraded" in out and "membres" in out
    path.write_text(good)
    assert ctl(agent, "reload")[0] == 0
    assert ctl(agent, "status")[0] == 0
