# SPDX-License-Identifier: MIT
"""Agent, control plane and PostgreSQL die at random, again and again, while events are written: whatever somebody was told
is written stands in the log afterwards, once, and the log is one tree. AUDIT_KILLS says how often (30)."""
import collections
import http.client
import json
import os
import random
import time

import pytest
from controllib.agent import Agent, AgentGone
from controllib.client import Client
from controllib.program import Drain
from controllib.trail import export
from test_restart import kill_database

KILLS = int(os.environ.get("AUDIT_KILLS", "30"))
SEED = int(os.environ.get("AUDIT_SEED", "0")) or random.randrange(1 << 32)


class Emitter:
    """A local service: an event counts when the agent answered."""

    def __init__(self, agent, name):
        self.agent, self.name, self.line = agent, name, None
        self.count, self.acknowledged = 0, []

    def step(self):
        self.count += 1
        action = f"{self.name}.e{self.count}"
        try:
            self.line = self.line or self.agent.connect()
            self.line.call("Emit", action=action, outcome="success")
            self.acknowledged.append(action)
            time.sleep(KILLS / 50000)  # so that a long run does not drown in events
        except AgentGone:
            if self.line:
                self.line.close()
            self.line = None
            time.sleep(0.01)


class Writer:
    """Somebody who changes something by API: it counts when the answer said so."""

    def __init__(self, control, path, token):
        self.control, self.path, self.token = control, path, token
        self.count, self.acknowledged = 0, []

    def step(self):
        self.count += 1
        client = Client(self.control.port, self.control.ca, self.token)
        try:
            answer = client.post(f"{self.path}/projects", {"slug": f"p{self.count}"})
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(0.02)
            return
        if answer.status == 201:
            self.acknowledged.append(answer.json["id"])
        else:
            time.sleep(0.02)


@pytest.fixture
def fleet(new_control, tmp_path):
    control = new_control("kills")
    control.init()
    operator = control.serve().client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = operator.must("POST", "/v1/tenants", {"slug": "acme"})["id"]
    agent = Agent(tmp_path / "agent", control).start()
    agent.enrol(control, operator, [tenant])
    yield control, operator, tenant, agent
    agent.stop()


def restart_server(control):
    old = control.servers.pop()
    old.kill()
    old.stop()
    for _ in range(3):  # while PostgreSQL recovers it may not start
        try:
            return control.serve()
        except RuntimeError:
            time.sleep(0.5)
    return control.serve()


def is_sent(status):
    """The control plane is a consumer of the spool, and there is nothing that it has not acknowledged."""
    waiting = [one["waiting"] for one in status["audit"].get("consumers", ()) if one["name"] == "control-plane"]
    return waiting == [0]


def test_nothing_that_was_acknowledged_is_lost_or_twice(fleet):
    control, operator, tenant, agent = fleet
    dice = random.Random(SEED)
    emitters = [Emitter(agent, f"svc{n}") for n in range(3)]
    writer = Writer(control, f"/v1/tenants/{tenant}", operator.token)
    drains = [Drain(one.step) for one in (*emitters, writer)]
    killed = collections.Counter()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.02, 0.2))
        what = dice.choices(("agent", "server", "database"), (6, 3, 1))[0]
        killed[what] += 1
        if what == "agent":
            agent.kill()
            agent.start()
        elif what == "server":
            restart_server(control)
        else:
            kill_database(control.cluster)
            control.cluster.start()
    for drain in drains:
        drain.finish()
    told = [action for one in emitters for action in one.acknowledged]
    print(f"seed {SEED}: {dict(killed)}, {len(told)} events and {len(writer.acknowledged)} changes acknowledged")
    assert len(told) > KILLS and writer.acknowledged, "hardly anything happened between the kills"

    agent.await_status("all is sent", is_sent, 120)
    client = control.servers[-1].client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    platform, own = export(client, "/v1"), export(client, f"/v1/tenants/{tenant}")
    ids = collections.Counter(leaf["metadata"]["uid"] for leaf in platform + own)
    assert [ident for ident, count in ids.items() if count > 1] == []

    actions = collections.Counter(leaf.get("api", {}).get("operation") for leaf in platform + own)
    assert [action for action in told if actions[action] != 1] == []
    text = collections.Counter()
    for leaf in own:
        if leaf["metadata"]["event_code"] == "project.create":
            text[json.dumps(leaf)] += 1
    for project in writer.acknowledged:
        assert sum(project in leaf for leaf in text) == 1, f"{project} was made, and the log does not say so once"

    # The host's chain, put together from both logs: no hole, no fork.
    chain = {leaf["unmapped"]["seq"]: leaf for leaf in platform + own if "seq" in leaf["unmapped"]}
    assert len({leaf["unmapped"]["chain"] for leaf in chain.values()}) == 1
    assert sorted(chain) == list(range(1, len(chain) + 1))
