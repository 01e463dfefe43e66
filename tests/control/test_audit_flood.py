# SPDX-License-Identifier: MIT
"""A host that was offline for a day, written by a second hand (controllib/trail.py): everything arrives once, in one tree,
and what is said about it holds."""
import collections
import json
import os
import socket

from controllib.agent import Agent
from controllib.trail import Chain, Receipt, export
from test_audit_kills import is_sent

DAY = 20000
REQUEST = 1000  # events in one request
QUEUED = int(os.environ.get("AUDIT_QUEUED", "5000"))  # that a real agent keeps while there is no control plane


def send(host, chain, first, last):
    return host.client.post(
        "/v1/hosts/self/audit", chain.request(first, last, group_size=250), headers={"Content-Type": "application/octet-stream"}
    )


def test_a_day_of_events_at_once(host, tenant, operator):
    chain = Chain()
    people = [f"usr_{'day':0>15}{n}" for n in range(3)]
    for n in range(DAY):
        chain.event(tenant.id if n % 4 else "", people[n % 3], name=f"person {n % 3}", failure=n % 7 == 0)
    for first in range(1, DAY + 1, REQUEST):
        answer = send(host, chain, first, first + REQUEST - 1)
        assert answer.status == 200, answer
        receipt = Receipt(answer.json["receipt"], host.authority)
        assert (receipt.host, receipt.chain, receipt.next) == (host.id, chain.id, first + REQUEST)
        assert receipt.head == chain.hash_at(first + REQUEST - 1)
        # A request whose answer was lost comes once more.
        if first % (4 * REQUEST) == 1:
            assert send(host, chain, first, first + REQUEST - 1).json["next"] == first + REQUEST

    own = export(operator, f"/v1/tenants/{tenant.id}")
    platform = [leaf for leaf in export(operator, "/v1") if leaf["unmapped"].get("chain") == chain.id]
    mine = [leaf for leaf in own if leaf["unmapped"].get("chain") == chain.id]
    ids = collections.Counter(leaf["metadata"]["uid"] for leaf in mine + platform)
    assert ids == {f"{chain.id}-{n}": 1 for n in range(1, DAY + 1)}
    assert {leaf["metadata"].get("tenant_uid") for leaf in platform} == {None}
    assert len(platform) == DAY // 4
    assert [leaf["unmapped"]["seq"] for leaf in mine] == sorted(leaf["unmapped"]["seq"] for leaf in mine)


def emit_many(path, count):
    """Events of a local service, fifty calls at a time; each was answered."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        for first in range(0, count, 50):
            calls = [
                {"method": "io.tenantd.Agent.Emit", "parameters": {"action": f"day.e{n}", "outcome": "success"}}
                for n in range(first, min(first + 50, count))
            ]
            peer.sendall(b"".join(json.dumps(call).encode() + b"\0" for call in calls))
            answers = b""
            while answers.count(b"\0") < len(calls):
                answers += peer.recv(65536)
            assert b'"error"' not in answers, answers


def test_what_an_agent_kept_for_a_day_arrives_once(new_control, tmp_path):
    control = new_control("day")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = operator.must("POST", "/v1/tenants", {"slug": "acme"})["id"]
    agent = Agent(tmp_path / "agent", control).start()
    try:
        agent.enrol(control, operator, [tenant])
        agent.await_status("the beginning is sent", is_sent)
        control.stop()
        emit_many(agent.socket, QUEUED)
        waiting = agent.call("Status")["audit"]["consumers"][0]["waiting"]
        assert waiting >= QUEUED
        agent.kill()  # what is on disk is there afterwards
        agent.start()
        control.serve()
        agent.await_status("all is sent", is_sent, 180)
    finally:
        agent.stop()
    client = control.servers[-1].client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    actions = collections.Counter(leaf.get("api", {}).get("operation") for leaf in export(client, "/v1"))
    assert [n for n in range(QUEUED) if actions[f"day.e{n}"] != 1] == []
