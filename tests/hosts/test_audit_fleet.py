# SPDX-License-Identifier: MIT
"""A fleet and its audit log: what happens on a host is in the log soon, or when the control plane is there again, once; a
host that was set back, and a control plane that was, are found out, and nobody is kept out of their shell for it."""
import json
import re
import time
import urllib.parse

import pytest

from hostlib import client
from hostlib.shells import Shell
from hostlib.tenancy import Tenancy, status

SECONDS = 20
STATE = "/var/lib/tenantd"


@pytest.fixture(scope="module")
def tenancy(new_fleet, keys_folder):
    """Two hosts of acme, which look at the logs each second."""
    fleet = new_fleet(workers=("worker-1", "worker-2")).boot()
    fleet.install()
    made = Tenancy(fleet, keys_folder).make()
    for host in fleet.workers:
        host.write("/etc/tenantd/agent.yaml.d/60-audit.yaml", "audit: {witness: 1s}\n")
        host.run("systemctl", "restart", "tenantd.service")
        made.join(host, "acme")
    return made


@pytest.fixture(scope="module")
def fleet(tenancy):
    return tenancy.fleet


@pytest.fixture(scope="module")
def person(tenancy):
    return tenancy.person("ada")


def sign_in(host, person):
    assert client.ssh(host, person.login, method="key", key=person.ssh_key).code == 0


def entries(fleet, path="/v1/tenants/acme", **filters):
    """All of a log that fits, newest first."""
    found, cursor = [], None
    while True:
        query = {"limit": 1000, **filters, **({"cursor": cursor} if cursor else {})}
        answer = fleet.operator_call("GET", f"{path}/events?{urllib.parse.urlencode(query)}")
        found += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    return found


def wrote(host, after=None, **fields):
    """Events of the journal that were kept for the log: id to entry."""
    found = {}
    for entry in host.journal(after=after, SYSLOG_IDENTIFIER="tenantd", **fields):
        uid = json.loads(entry.get("OCSF", "{}")).get("metadata", {}).get("uid", "")
        if re.fullmatch(r"[0-9A-Za-z]{16}-[0-9]+", uid):
            found[uid] = entry
    return found


def logged(fleet):
    """Ids of both logs, as often as they are there."""
    return [item["id"] for item in entries(fleet) + entries(fleet, "/v1")]


def delivered(host):
    """The control plane has a receipt for all that the host wrote."""
    return [one["waiting"] for one in status(host)["audit"]["consumers"] if one["name"] == "control-plane"] == [0]


def all_arrive(fleet, host, after=None, seconds=SECONDS):
    """Every event that this host wrote is in a log, once."""
    wanted = set(wrote(host, after))

    def missing():
        have = logged(fleet)
        return wanted - set(have) or {uid for uid in wanted if have.count(uid) != 1}

    assert fleet.control.wait_until(lambda: not missing(), seconds), missing()
    return wanted


METRICS = """
import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/tenantd/agent.sock")
s.sendall(b'{"method":"io.tenantd.Agent.Metrics"}\\0')
said = b""
while not said.endswith(b"\\0"):
    said += s.recv(65536)
print(json.loads(said[:-1])["parameters"]["text"])
"""


def metric(host, name):
    text = host.run("python3", "-c", METRICS).out
    return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


# --- what goes well


def test_a_sign_in_is_in_the_tenants_log_within_two_seconds(fleet, person):
    host = fleet.workers[0]
    after = host.cursor()
    sign_in(host, person)
    began = time.monotonic()

    def there():
        return [item for item in entries(fleet, kind="login-allowed", actor=person.id) if item["host_name"] == "worker-1"]

    assert host.wait_until(there, 5)
    took = time.monotonic() - began
    [found] = there()
    assert found["id"] in wrote(host, after, TENANTD_EVENT="login-allowed")
    assert found["logged_at"] - found["at"] < 2 and took < 2.5, (found["logged_at"] - found["at"], took)
    assert found["event"]["user"]["name"] == person.login  # the reader sees whole events


def test_everything_that_both_hosts_wrote_is_in_a_log_once(fleet, person):
    for host in fleet.workers:
        sign_in(host, person)
        all_arrive(fleet, host)


def test_hosts_cosign_what_they_see(fleet):
    def both():
        for path in ("/v1/tenants/acme", "/v1"):
            items = fleet.operator_call("GET", f"{path}/audit/witnesses")["items"]
            if len(items) < 2:
                return False
        return True

    assert fleet.control.wait_until(both, SECONDS)
    witness = status(fleet.workers[0])["audit"]["witness"]
    assert witness["logs"] == 2 and witness["forked"] == 0 and witness["cosigned"] > 0


# --- the control plane is away


def test_what_happens_while_the_control_plane_is_away_arrives_afterwards_once(fleet, person):
    host = fleet.workers[0]
    all_arrive(fleet, host)
    after = host.cursor()
    fleet.control.run("systemctl", "stop", "tenant-control.service")
    try:
        for _ in range(3):
            sign_in(host, person)
        host.run("systemctl", "restart", "tenantd.service")  # what waits is on disk
        assert host.wait_until(lambda: status(host).get("state") in ("ready", "degraded"), SECONDS)
        sign_in(host, person)
        assert len(wrote(host, after)) > 8
    finally:
        fleet.control.run("systemctl", "start", "tenant-control.service")
    assert len(all_arrive(fleet, host, after, 60)) > 8
    assert host.wait_until(lambda: delivered(host), SECONDS)


# --- a host that was set back


def test_a_host_whose_spool_is_from_a_backup_is_found_out_and_goes_on(fleet, person):
    host = fleet.workers[0]
    all_arrive(fleet, host)
    host.sh(f"systemctl stop tenantd.service && cp -a {STATE}/audit /root/audit.backup && systemctl start tenantd.service")
    assert host.wait_until(lambda: status(host).get("state") == "ready", SECONDS)
    sign_in(host, person)
    all_arrive(fleet, host)
    after = host.cursor()
    host.sh(f"systemctl stop tenantd.service && rm -rf {STATE}/audit && cp -a /root/audit.backup {STATE}/audit && "
            "systemctl start tenantd.service")
    assert host.wait_until(lambda: wrote(host, after, TENANTD_EVENT="audit-forked"), SECONDS)
    [[uid, event]] = wrote(host, after, TENANTD_EVENT="audit-forked").items()
    old, new = event["TENANT_RECORD_ID"], uid.split("-")[0]
    assert old != new and event["PRIORITY"] == "2"
    assert "are in the journal alone" in event["TENANT_DETAIL"]  # what the old chain has and the control plane cannot take
    assert fleet.control.wait_until(lambda: any(item["id"] == uid for item in entries(fleet, "/v1")), SECONDS)
    assert host.wait_until(lambda: status(host)["audit"]["chain"] == new, SECONDS)
    # People sign in all the while, and what they do arrives in the new chain.
    begun = host.cursor()
    sign_in(host, person)
    arrived = all_arrive(fleet, host, begun)
    assert arrived and all(one.startswith(new) for one in arrived)
    assert entries(fleet, "/v1", kind="host-history-forked") or entries(fleet, "/v1", kind="audit-forked")


# --- a control plane that was set back, or shows two logs


class Copies:
    """Databases of the control plane, exchanged under it."""

    def __init__(self, fleet):
        self.control = fleet.control

    def sql(self, *statements):
        for statement in statements:
            self.control.run("runuser", "-u", "postgres", "--", "psql", "-v", "ON_ERROR_STOP=1", "-qc", statement)

    def names(self):
        listed = self.control.run("runuser", "-u", "postgres", "--", "psql", "-Atc",
                                  "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' AND datname <> 'postgres'")
        return listed.out.split()

    def exchange(self, *statements):
        """While the service is stopped."""
        self.control.run("systemctl", "stop", "tenant-control.service")
        try:
            self.sql(*statements)
        finally:
            self.control.run("systemctl", "start", "tenant-control.service")


def test_a_control_plane_that_shows_another_log_is_found_out_by_every_witness(fleet, person):
    hosts, copies = fleet.workers, Copies(fleet)
    [name] = copies.names()
    begun = [host.cursor() for host in hosts]
    copies.exchange(f'CREATE DATABASE hostile TEMPLATE "{name}"')
    # The true one goes on, and both have seen it.
    for host, after in zip(hosts, begun):
        sign_in(host, person)
        all_arrive(fleet, host, after, 60)
    seen = entries(fleet)[0]["index"]
    marks = [host.cursor() for host in hosts]
    assert all(metric(host, "tenantd_audit_log_forked") == 0 for host in hosts)
    time.sleep(3)
    copies.exchange(f'ALTER DATABASE "{name}" RENAME TO honest', f'ALTER DATABASE hostile RENAME TO "{name}"')
    try:
        for host, mark in zip(hosts, marks):
            assert host.wait_until(lambda h=host, m=mark: h.journal(after=m, TENANTD_EVENT="audit-log-forked"), 60)
            event = host.journal(after=mark, TENANTD_EVENT="audit-log-forked")[0]
            assert event["PRIORITY"] == "2" and event["TENANT_RECORD_KIND"] == "audit-log"
            assert event["TENANT_CHANGE"] in ("shrunk", "unproved", "rewritten", "event-missing"), event
            evidence = json.loads(event["TENANT_DATA"])
            assert evidence["kept"][0] == evidence["shown"][0] == event["TENANT_RECORD_ID"]
            assert host.wait_until(lambda h=host: metric(h, "tenantd_audit_log_forked") >= 1, SECONDS)
            assert status(host)["audit"]["witness"]["forked"] >= 1
            sign_in(host, person)  # nobody is kept out for it
        # What had a receipt and is gone there comes again, or is said to be missing.
        assert hosts[0].wait_until(lambda: hosts[0].journal(after=marks[0], TENANT_CHANGE="audit-rollback"), 60)
        assert hosts[0].wait_until(lambda: delivered(hosts[0]), 60)
    finally:
        copies.exchange(f'ALTER DATABASE "{name}" RENAME TO hostile', f'ALTER DATABASE honest RENAME TO "{name}"')
    # The true one again: people sign in, and that there were two stays said.
    assert entries(fleet)[0]["index"] >= seen
    for host in hosts:
        shell = Shell(host, person.login, key=person.ssh_key)
        shell.close()
        assert status(host)["audit"]["witness"]["forked"] >= 1
