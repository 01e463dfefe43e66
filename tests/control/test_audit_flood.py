# SPDX-License-Identifier: MIT
"""A host that was offline for a day, written by a second hand (controllib/trail.py): everything arrives once, in one tree,
and what is said about it holds."""
import collections

from controllib.trail import Chain, Receipt, export

DAY = 20000
REQUEST = 1000  # events in one request


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
