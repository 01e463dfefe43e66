# SPDX-License-Identifier: MIT
"""An operator's account and grant in a directory file: what the running agent makes of them, and of their end."""

import os
import subprocess
import time

import pytest
from live_agent import LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="opening sessions is root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]


@pytest.fixture
def agent(tmp_path):
    made = LiveAgent(tmp_path, [])
    yield made
    made.stop()


@pytest.fixture
def leader():
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def directory(agent, *words, refused=False):
    """tenantctl directory … on the agent's file."""
    ran = subprocess.run(
        [binary().parent / "tenantctl", "directory", *words, "--file", agent.folder / "directory.yaml"],
        capture_output=True,
        text=True,
    )
    assert (ran.returncode != 0) == refused, ran.stderr
    return ran.stderr


def ask(agent, method, **what):
    connection = agent.connect()
    try:
        return connection.ask(method, user="olga", **what)
    finally:
        connection.close()


def sign_in(agent, leader, service="login"):
    return ask(agent, "OpenSession", service=service, leader=leader.pid)


def becomes(agent, leader, reason, within=10):
    deadline = time.monotonic() + within
    while (got := sign_in(agent, leader))["decision"]["reason"] != reason:
        assert time.monotonic() < deadline, f"{got} and not {reason}"
        time.sleep(0.1)
    return got


def make_account(agent, leader):
    directory(agent, "add-user", "olga", "--tenant", "acme", "--operator")
    directory(agent, "add-member", "olga", "acme/vision", "viewer")
    assert "nothing else" in directory(agent, "add-member", "olga", "acme", "admin", refused=True)
    becomes(agent, leader, "grant-ended")


def test_only_while_the_grant_lasts(agent, leader):
    make_account(agent, leader)
    directory(agent, "add-grant", "olga", "--operator", "o@p.example", "--for", "4s", "--reason", "ticket 4711")
    allowed = becomes(agent, leader, "allowed", within=3)
    assert "TENANT_ROLE=viewer" in allowed["environment"]
    # The rule's roles are owner and editor; root is nobody's by looking in.
    for action in ("host.sudo", "dataset.write", "member.manage", "session.manage"):
        asked = ask(agent, "CheckAccess", project="acme/vision", action=action)
        assert (asked["decision"]["decision"], asked["decision"]["reason"]) == ("denied", "role-too-low"), asked
    assert ask(agent, "CheckAccess", project="acme/vision", action="project.view")["decision"]["decision"] == "allowed"
    # Nobody touches the file: time alone ends it.
    refused = becomes(agent, leader, "grant-ended")
    assert refused["decision"]["decision"] == "denied" and "session" not in refused
    for service in ("cron", "systemd-user", "login"):
        assert sign_in(agent, leader, service)["decision"]["reason"] == "grant-ended"


def test_taken_back(agent, leader):
    make_account(agent, leader)
    directory(agent, "add-grant", "olga", "--operator", "o@p.example", "--for", "1h", "--reason", "ticket 4711")
    becomes(agent, leader, "allowed")
    directory(agent, "remove-grant", "olga")
    becomes(agent, leader, "grant-ended")
