# SPDX-License-Identifier: MIT
"""The agent and a journald that hangs, is gone, and comes back: nobody waits, and what was lost is counted."""

import os
import re
import socket
import time

import pytest
from live_agent import LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="signing somebody in is root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]

MANY = 1500  # more than the journal's socket holds (net.unix.max_dgram_qlen)


@pytest.fixture
def agent(tmp_path):
    made = LiveAgent(tmp_path, [])
    yield made
    made.stop()


def sign_in(connection, count):
    """Each writes one event. Returns the seconds of the slowest and of all."""
    slowest, started = 0, time.monotonic()
    for _ in range(count):
        before = time.monotonic()
        reply = connection.ask("Authorize", user="alice", service="cron")
        assert reply["decision"]["decision"] == "allowed", reply
        slowest = max(slowest, time.monotonic() - before)
    return slowest, time.monotonic() - started


def lost(connection):
    return connection.ask("Status")["audit_lost"]


def heard_at_once(agent, connection):
    """The next event gets through: how many does it say were lost?"""
    agent.entries.clear()
    sign_in(connection, 1)
    time.sleep(0.5)
    said = re.findall(rb"^TENANTD_LOST=(\d+)$", b"\n".join(agent.entries), re.MULTILINE)
    return int(said[0]) if said else 0


def test_nothing_is_lost_with_a_journal_that_reads(agent):
    connection = agent.connect()
    sign_in(connection, MANY)
    time.sleep(0.5)
    assert lost(connection) == 0
    assert b"".join(agent.entries).count(b"TENANTD_EVENT=login-allowed") == MANY


def test_hanging(agent):
    connection = agent.connect()
    agent.hung = True
    time.sleep(0.3)
    slowest, everything = sign_in(connection, MANY)
    assert slowest < 0.5  # one wait of 50 ms, on a machine that may be busy
    assert everything < 10
    missing = lost(connection)
    assert missing > 0
    agent.hung = False
    time.sleep(1)
    assert heard_at_once(agent, connection) == missing
    assert heard_at_once(agent, connection) == 0
    assert lost(connection) == missing


def test_gone_and_back(agent):
    connection = agent.connect()
    agent.hung = True
    time.sleep(0.3)
    path = str(agent.journal_folder / "socket")
    old = agent.journal
    os.unlink(path)
    slowest, _ = sign_in(connection, 10)
    assert slowest < 0.5
    assert lost(connection) == 10
    new = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    new.bind(path)
    new.settimeout(0.2)
    agent.journal = new
    agent.hung = False
    old.close()
    assert heard_at_once(agent, connection) == 10
