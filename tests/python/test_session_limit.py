# SPDX-License-Identifier: MIT
"""A tenant's limit of sessions: counted from processes that live, so nothing that died takes up a place."""

import os
import subprocess
import time

import pytest
from live_agent import DIRECTORY, LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="opening sessions is root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]

LIMITED = DIRECTORY.replace("name: Acme,", "name: Acme, policy: {sessions: {max_per_user: 2}},")


@pytest.fixture
def agent(tmp_path):
    assert LIMITED != DIRECTORY
    made = LiveAgent(tmp_path, [], directory=LIMITED)
    yield made
    made.stop()


@pytest.fixture
def leaders():
    made = [subprocess.Popen(["sleep", "300"]) for _ in range(3)]
    yield made
    for process in made:
        process.kill()
        process.wait()


def open_session(connection, leader, service="login"):
    return connection.ask("OpenSession", user="alice", service=service, leader=leader.pid)


def test_the_one_too_many(agent, leaders):
    connection = agent.connect()
    for leader in leaders[:2]:
        assert open_session(connection, leader)["decision"]["decision"] == "allowed"
    refused = open_session(connection, leaders[2])
    assert refused["decision"]["decision"] == "denied"
    assert refused["decision"]["reason"] == "too-many-sessions"
    assert "session" not in refused
    time.sleep(0.3)
    assert b"TENANT_REASON=too-many-sessions" in b"".join(agent.entries)
    # The person's service manager and becoming somebody else are no sessions of their own.
    assert open_session(connection, leaders[2], "systemd-user")["decision"]["decision"] == "allowed"
    assert connection.ask("OpenSession", user="alice", service="su", requesting_user="root", leader=leaders[2].pid)[
        "decision"
    ]["decision"] == "allowed"
    # Killed, not closed: its place is free at once.
    leaders[0].kill()
    leaders[0].wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        reply = open_session(connection, leaders[2])
        if reply["decision"]["decision"] == "allowed":
            break
        time.sleep(0.02)
    assert reply["decision"]["decision"] == "allowed", reply
