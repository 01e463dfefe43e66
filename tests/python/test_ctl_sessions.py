# SPDX-License-Identifier: MIT
"""tenantctl sessions: exit codes for configuration management, tables for people, one JSON value for machines."""

import json
import os
import pathlib
import subprocess
import time

import pytest
from live_agent import DIRECTORY, LiveAgent, binary

pytestmark = pytest.mark.skipif(binary() is None, reason="the agent is not built: run make")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="opening sessions is root's alone")

OPEN = {
    "session": "AAAABBBBCCCCDDDD",
    "state": "open",
    "user": "alice",
    "user_id": "usr_alice",
    "uid": 1879048200,
    "tenant": "acme",
    "tenant_id": "ten_acme",
    "project": "vision",
    "project_id": "prj_vision",
    "role": "owner",
    "service": "sshd",
    "source": "192.0.2.7",
    "terminal": "ssh",
    "credential": "api-key:key_1",
    "leader": 4711,
    "opened": 1800000000,
    "tty": "pts/3",
    "idle": 150,
}
LOOKING_IN = {
    "session": "EEEEFFFFGGGGHHHH",
    "state": "ending",
    "cause": "grant-ended",
    "user": "op-olga",
    "user_id": "usr_op",
    "uid": 1879048201,
    "tenant": "acme",
    "service": "sshd",
    "operator": "olga@example.org\x1b[2J",
    "grant": "grt_1",
    "scope": "17",
    "leader": 0,
    "opened": 1800000000,
}
NOT_FOUND = {"error": "io.tenantd.Agent.NotFound", "parameters": {"what": "session"}}


def ended(asked, gone, **more):
    return {"parameters": {"asked": asked, "gone": gone, **more}}


def ctl(path, *words):
    """Exit code, standard output, standard error."""
    done = subprocess.run(
        [binary().parent / "tenantctl", "sessions", *words, "--socket", path], capture_output=True, text=True, timeout=30
    )
    return done.returncode, done.stdout, done.stderr


def test_lists_are_tables(agent):
    agent.say(
        "Sessions",
        [{"parameters": {"sessions": [OPEN]}, "continues": True}, {"parameters": {"sessions": [LOOKING_IN]}}],
    )
    for words in ((), ("list",), ("--user", "alice"), ("list", "--project", "acme/vision", "--tenant", "acme")):
        code, out, err = ctl(agent.path, *words)
        assert (code, err) == (0, "")
        title, first, second, _, count = out.splitlines()
        assert title.split() == "SESSION USER PROJECT ROLE SERVICE FROM TTY STATE IDLE SINCE".split()
        assert first.split()[:8] == "AAAABBBBCCCCDDDD alice acme/vision owner sshd 192.0.2.7 pts/3 open".split()
        assert "2 minutes" in first and "ending (grant-ended)" in second and count == "2 sessions."
    assert agent.asked("Sessions") == [
        {"idle": True},
        {"idle": True},
        {"idle": True, "user": "alice"},
        {"idle": True, "tenant": "acme", "project": "acme/vision"},
    ]
    assert json.loads(ctl(agent.path, "--json")[1]) == {"sessions": [OPEN, LOOKING_IN]}
    agent.say("Sessions", {"parameters": {"sessions": []}})
    assert ctl(agent.path)[:2] == (0, "No sessions.\n")
    assert ctl(agent.path, "list", "everything")[0] == 2


def test_one_is_shown(agent):
    agent.say("Sessions", {"parameters": {"sessions": [LOOKING_IN]}})
    code, out, _ = ctl(agent.path, "show", LOOKING_IN["session"])
    assert code == 0 and "State: ending (grant-ended)" in out and "Operator: olga@example.org" in out
    assert "(grt_1)" in out and "\x1b" not in out and "Leader" not in out
    assert json.loads(ctl(agent.path, "show", LOOKING_IN["session"], "--json")[1]) == LOOKING_IN
    agent.say("Sessions", {"parameters": {"sessions": []}})
    assert ctl(agent.path, "show", "0000")[0] == 1
    assert ctl(agent.path, "show", "")[0] == 1
    assert agent.asked("Sessions")[-1]["session"] == ""  # left out, it would be somebody's
    assert ctl(agent.path, "show")[0] == 2


def test_ending_one(agent):
    agent.say("EndSession", ended(1, 0))
    code, out, err = ctl(agent.path, "end", "AAAA", "--reason", "told so")
    assert (code, out, err) == (0, "1 session is being ended.\n", "")
    assert agent.asked("EndSession") == [{"session": "AAAA", "reason": "told so"}]
    # Not gone in time: what was asked for is not so.
    code, out, _ = ctl(agent.path, "end", "AAAA", "--wait", "1")
    assert code == 1 and "0 of 1" in out and agent.asked("EndSession")[-1]["wait"] == 1
    agent.say("EndSession", ended(1, 1))
    assert ctl(agent.path, "end", "AAAA", "--wait", "1")[:2] == (0, "1 session has ended.\n")
    agent.say("EndSession", ended(1, 0, problem="Device or resource busy"))
    code, _, err = ctl(agent.path, "end", "AAAA", "--wait", "1")
    assert code == 1 and "busy" in err
    agent.say("EndSession", NOT_FOUND)
    code, out, err = ctl(agent.path, "end", "AAAA")
    assert code == 1 and out == "" and "AAAA" in err
    agent.say("EndSession", {"error": "io.tenantd.Agent.Broken", "parameters": {"problem": "no helper"}})
    assert ctl(agent.path, "end", "AAAA")[0] == 3
    assert ctl("/nonexistent/agent.sock", "end", "AAAA")[0] == 3


def test_ending_several(agent):
    # All are asked before any is waited for; one that is gone when its turn comes is gone.
    agent.say("EndSession", ended(1, 0), ended(1, 0), ended(1, 1), NOT_FOUND)
    code, out, err = ctl(agent.path, "end", "A", "B", "--wait", "5")
    assert (code, out, err) == (0, "2 sessions have ended.\n", "")
    asked = agent.asked("EndSession")
    assert [(a["session"], "wait" in a) for a in asked] == [("A", False), ("B", False), ("A", True), ("B", True)]
    # One that there is not keeps none of the others from it.
    agent.say("EndSession", NOT_FOUND, ended(1, 0))
    code, out, _ = ctl(agent.path, "end", "A", "B", "--json")
    assert code == 1 and json.loads(out) == {"asked": 1, "gone": 0, "missing": ["A"]}


def test_ending_all_that_fit(agent):
    agent.say("EndSessions", ended(3, 3))
    assert ctl(agent.path, "end", "--user", "alice", "--wait", "5")[:2] == (0, "3 sessions have ended.\n")
    assert ctl(agent.path, "end", "--project", "acme/vision", "--tenant", "acme", "--json")[0] == 0
    assert ctl(agent.path, "end", "--all")[0] == 0
    # An empty variable in a script is no name, and never everybody's.
    assert ctl(agent.path, "end", "--user", "", "--project", "acme/vision")[0] == 0
    assert agent.asked("EndSessions") == [
        {"user": "alice", "wait": 5},
        {"tenant": "acme", "project": "acme/vision"},
        {"all": True},
        {"user": "", "project": "acme/vision"},
    ]
    agent.say("EndSessions", ended(0, 0))
    assert ctl(agent.path, "end", "--user", "alice", "--wait", "5")[:2] == (0, "No sessions.\n")
    agent.say("EndSessions", NOT_FOUND)
    code, out, err = ctl(agent.path, "end", "--user", "alice", "--json")
    assert code == 1 and "error" in json.loads(out) and err == ""


def test_what_makes_no_sense_ends_nothing(agent):
    agent.say("EndSession", ended(1, 1))
    agent.say("EndSessions", ended(1, 1))
    for words in (
        (),
        ("A", "--user", "alice"),
        ("--all", "--user", "alice"),
        ("A", "--wait", "601"),
        ("A", "--wait", "-1"),
        ("A", "--wait", "soon"),
        ("A", "--everybody"),
    ):
        assert ctl(agent.path, "end", *words)[0] == 2, words
    assert ctl(agent.path, "stop", "A")[0] == 2
    assert not agent.calls


def test_help_says_all(agent):
    for words in (("--help",), ("list", "--help"), ("show", "--help"), ("end", "--help")):
        code, out, _ = ctl(agent.path, *words)
        assert code == 0 and "usage: tenantctl sessions" in out
    assert not agent.calls


def completed(line):
    """What bash offers after this line."""
    script = pathlib.Path(__file__).resolve().parents[2] / "conf" / "bash-completion" / "tenantctl"
    words = line.split(" ")
    done = subprocess.run(
        ["bash", "-c", f'. {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tenantctl; echo "${{COMPREPLY[@]}}"', "x", *words],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": f"{binary().parent}:{os.environ['PATH']}"},
    )
    return set(done.stdout.split())


def test_completion_knows_the_verbs():
    assert {"list", "show", "end"} <= completed("tenantctl sessions ")
    assert {"--user", "--project", "--tenant", "--json"} <= completed("tenantctl sessions --")
    assert {"--wait", "--reason", "--all"} <= completed("tenantctl sessions end --")
    assert "--wait" not in completed("tenantctl sessions list --")


@pytest.fixture
def live(tmp_path):
    made = LiveAgent(tmp_path, [], directory=DIRECTORY)
    yield made
    made.stop()


@as_root
def test_a_live_agent_lists_and_is_told_to_end(live):
    leader = subprocess.Popen(["sleep", "300"])
    try:
        connection = live.connect()
        opened = connection.ask("OpenSession", user="alice", service="login", leader=leader.pid)
        assert opened["decision"]["decision"] == "allowed"
        [session] = json.loads(ctl(live.socket_path, "--json")[1])["sessions"]
        assert session["session"] == opened["session"] and session["leader"] == leader.pid
        assert session["tenant_id"] == "ten_acme" and session["project_id"] == "prj_vision" and session["state"] == "open"
        assert json.loads(ctl(live.socket_path, "show", session["session"], "--json")[1]) == session
        assert json.loads(ctl(live.socket_path, "--user", "bob", "--json")[1]) == {"sessions": []}
        assert ctl(live.socket_path, "end", "--user", "bob")[0] == 1
        # Nobody else is told anything, and a stranger ends nothing.
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary().parent / "tenantctl", "sessions"]
        seen = subprocess.run([*stranger, "--json", "--socket", live.socket_path], capture_output=True, text=True)
        if seen.returncode == 0:  # the build may lie where others do not come
            assert json.loads(seen.stdout) == {"sessions": []}
    finally:
        leader.kill()
        leader.wait()
    deadline = time.monotonic() + 5
    while json.loads(ctl(live.socket_path, "--json")[1])["sessions"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
