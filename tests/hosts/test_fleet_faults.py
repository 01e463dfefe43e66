# SPDX-License-Identifier: MIT
"""Cables, the database, the server and the agent fail. Hosts go on with what they know for as long as their tenants'
policy says, and what was revoked never comes back."""
import contextlib
import http.client
import re
import threading
import time

import pytest

from hostlib import client, fleet as fleets
from hostlib.tenancy import WAIT, Stopwatch, feed, status, taken_in, verify

SECRET = "a-secret-of-the-tests-for-metrics-0123456789"
STALE_SECONDS = 10


def snapshots_sent(fleet):
    """How many snapshots the server has given out."""
    answer = fleet.call("GET", "/metrics", token=SECRET)
    assert answer.status == 200, answer
    counts = re.findall(rb'http_requests_total\{[^}]*blobs/\{sha256\}[^}]*status="2xx"\} (\d+)', answer.body)
    return sum(map(int, counts))


def ready(fleet):
    try:
        return fleet.call("GET", "/readyz", timeout=5).status == 200
    except OSError:
        return False


def trouble(host):
    """What the host says of the way to its control plane: of the feed, or, before that, of its access token."""
    return feed(host, "acme").get("problem") or status(host)["enrolment"].get("problem", "")


def all_live(fleet, tenancy):
    return all(tenancy.live(h, len(tenancy.served[h.name])) for h in fleet.workers if h.name in tenancy.served)


@pytest.fixture(scope="module")
def quick(fleet, tenancy):
    """Heads that end soon, so that what is stale need not be waited for; and metrics."""
    control = fleet.control
    control.write("/etc/tenant-control/internal", SECRET + "\n", 0o640, "root:tenant-control")
    control.write("/etc/tenant-control/control.yaml.d/50-test.yaml",
                  f"feed:\n  head: 1s\n  stale: {STALE_SECONDS}s\npaths:\n  internal_secret: /etc/tenant-control/internal\n")
    control.run("systemctl", "restart", "tenant-control.service")
    fleet.operator_call("PATCH", "/v1/tenants/acme", {"policy": {"stale": {"offline": 600, "roles": ["owner"]}}},
                        headers={"If-Match": "*"})
    assert control.wait_until(lambda: all_live(fleet, tenancy), 30), [status(h) for h in fleet.workers]
    yield fleet
    control.run("rm", "/etc/tenant-control/control.yaml.d/50-test.yaml")
    control.run("systemctl", "restart", "tenant-control.service")


@pytest.fixture(autouse=True)
def _live_again(quick, fleet, tenancy):
    yield
    assert fleet.control.wait_until(lambda: ready(fleet) and all_live(fleet, tenancy), 60), \
        [status(h) for h in fleet.workers]


@contextlib.contextmanager
def cut(host):
    """Its cable carries nothing: connections stay open, half of them."""
    host.network.cut(host.number)
    try:
        yield
    finally:
        host.network.cut(host.number, lost=False)


def test_cut_cable_and_what_stale_means(fleet, tenancy, quick, capsys):
    host = fleet.workers[0]
    owner, editor = tenancy.person("olga", role="owner"), tenancy.person("edda")
    sent = snapshots_sent(fleet)
    mark = host.cursor()
    with cut(host):
        # Nothing was heard, and nothing is denied yet.
        assert verify(host, editor.secret).code == 0
        # The other host goes on, and the API says who is missing.
        answer = fleet.operator_call("PUT", f"{editor.membership}?wait=1", {"role": "viewer"})
        assert (answer["acks"]["hosts"], answer["acks"]["acknowledged"]) == (2, 1), answer
        assert host.wait_until(lambda: feed(host, "acme")["stale"], STALE_SECONDS + 10), status(host)
        assert host.run("tenantctl", "status", check=False).code == 1
        assert host.wait_until(lambda: "stale" in host.run("tenantctl", "status", check=False).out), status(host)

        login = client.on_console(host, ["login", owner.login], secret=owner.secret, answers=[(r"\$ $", "exit")])
        assert verify(host, owner.secret, "--project", "acme/vision").code == 0, login
        result = verify(host, editor.secret, "--project", "acme/vision", "--json")
        assert result.code == 3 and '"broken"' in result.out, result
        login = client.on_console(host, ["login", editor.login], secret=editor.secret)
        assert "You were not denied" in login.text.replace("\r", ""), login
        entries = host.wait_until(lambda: host.journal(after=mark, TENANT_STALE="1", TENANT_USER=owner.login))
        assert "login-allowed" in {e["TENANTD_EVENT"] for e in entries}, host.journal_text(after=mark)
    watch = Stopwatch()
    assert host.wait_until(lambda: feed(host, "acme")["state"] == "live" and not feed(host, "acme")["stale"], 30), \
        status(host)
    with capsys.disabled():
        print(f"\n   live {watch.ms / 1000:.1f} s after the cable was mended", end=" ", flush=True)
    assert host.wait_until(lambda: verify(host, editor.secret, "--project", "acme/vision", "--action", "host.login").code == 1)
    assert snapshots_sent(fleet) == sent


def test_cut_while_many_changes_come(fleet, tenancy, quick):
    host = fleet.workers[0]
    people = [tenancy.person("cara") for _ in range(3)]
    sent = snapshots_sent(fleet)
    with cut(host):
        for person in people:
            fleet.operator_call("POST", f"/v1/tenants/acme/keys/{person.key_id}/revoke", {"reason": "lost"})
        assert host.wait_until(lambda: feed(host, "acme")["stale"], STALE_SECONDS + 10)
    assert host.wait_until(lambda: tenancy.live(host, 1), 30), status(host)
    assert host.wait_until(lambda: all(verify(host, person.secret).code == 1 for person in people))
    assert snapshots_sent(fleet) == sent


def test_offline_limit(fleet, tenancy, quick):
    """Past it nobody of the tenant is let in; local people are."""
    call, host = fleet.operator_call, fleet.workers[1]
    owner = tenancy.person("omar", tenant="globex", role="owner")
    taken_in(call("PATCH", f"/v1/tenants/globex?wait={WAIT}", {"policy": {"stale": {"offline": 2, "roles": ["owner"]}}},
                  headers={"If-Match": "*"}), 1)
    assert verify(host, owner.secret, "--project", "globex/delta").code == 0
    with cut(host):
        assert host.wait_until(lambda: feed(host, "globex")["stale"], STALE_SECONDS + 10)
        assert host.wait_until(lambda: verify(host, owner.secret, "--project", "globex/delta").code == 3, 15)
        assert host.run("su", "-s", "/bin/sh", "nobody", "-c", "id -un").out.strip() == "nobody"


class Writer:
    """Makes and revokes keys all the time; remembers which revocations were acknowledged."""

    def __init__(self, fleet, person):
        self.fleet, self.person = fleet, person
        self.revoked, self.errors, self.ending = [], [], threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _call(self, *words):
        while not self.ending.is_set():
            try:
                answer = self.fleet.call("POST", *words, token=self.fleet.operator, timeout=15)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
                continue
            if answer.status in (200, 201):
                return answer
            if answer.status != 503:
                self.errors.append(answer)
            time.sleep(0.1)
        return None

    def _run(self):
        while not self.ending.is_set():
            key = self._call("/v1/tenants/acme/keys", {"user": self.person.id, "label": "again"})
            if key and self._call(f"/v1/tenants/acme/keys/{key['id']}/revoke", {"reason": "again"}):
                self.revoked.append(key["secret"])

    def more(self, count, seconds=60):
        """Waits until so many more revocations were acknowledged."""
        goal, deadline = len(self.revoked) + count, time.monotonic() + seconds
        while len(self.revoked) < goal:
            assert time.monotonic() < deadline and self.thread.is_alive(), (len(self.revoked), self.errors)
            time.sleep(0.02)

    def finish(self):
        self.ending.set()
        self.thread.join(60)
        assert not self.errors, self.errors[:3]
        return self.revoked


@pytest.fixture
def writer(fleet, tenancy):
    made = Writer(fleet, tenancy.person("wim"))
    yield made
    made.ending.set()
    made.thread.join(60)


def all_refused(fleet, secrets):
    for host in fleet.workers[:2]:
        for secret in secrets:
            assert host.wait_until(lambda: verify(host, secret).code == 1, 30), (host.name, status(host))


def test_database_restarted_and_killed_while_people_write(fleet, tenancy, quick, writer):
    control = fleet.control
    pid = control.run("systemctl", "show", "-P", "MainPID", "tenant-control.service").out
    writer.more(3)
    control.run("systemctl", "restart", "postgresql@15-main.service")
    writer.more(3)
    for _ in range(2):
        control.sh("kill -9 $(head -1 /var/lib/postgresql/15/main/postmaster.pid)")
        assert control.wait_until(lambda: control.run("systemctl", "is-active", "postgresql@15-main.service",
                                                      check=False).code != 0, 20)
        control.run("systemctl", "start", "postgresql@15-main.service")
        writer.more(3)
    all_refused(fleet, writer.finish())
    assert control.run("systemctl", "show", "-P", "MainPID", "tenant-control.service").out == pid
    assert control.run("tenant-control", "doctor", check=False).code == 0


def test_killed_agent_never_brings_a_revoked_key_back(fleet, tenancy, quick, writer):
    host = fleet.workers[0]
    known = []
    for round_number in range(10):
        writer.more(1)
        host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service", check=False)
        # What was seen to be refused here is refused by every agent after that.
        for secret in known[-3:]:
            assert host.wait_until(lambda: verify(host, secret).code != 3, 20)
            assert verify(host, secret).code == 1, round_number
        secret = writer.revoked[-1]
        if host.wait_until(lambda: verify(host, secret).code == 1, 20):
            known.append(secret)
        host.run("systemctl", "reset-failed", "tenantd.service", check=False)
    assert len(known) == 10
    revoked = writer.finish()
    all_refused(fleet, revoked[-5:])
    for secret in known:
        assert verify(host, secret).code == 1


def test_full_disk(fleet, tenancy, quick):
    """Nothing can be kept: what is revoked is in force, the feed goes on, and the agent says how it is."""
    host = fleet.workers[0]
    person, other, third = (tenancy.person(name) for name in ("fred", "fanny", "fia"))
    # Room for what there is, what takes its place, and some more: how much that is depends on the tests before.
    host.sh("""
        set -e
        systemctl stop tenantd.service
        cp -a /var/lib/tenantd /root/tenantd.kept
        mount -t tmpfs -o size=$(($(du -sk /root/tenantd.kept | cut -f 1) * 3 + 256))k,mode=0700 tmpfs /var/lib/tenantd
        chown tenantd:tenantd /var/lib/tenantd
        cp -a /root/tenantd.kept/. /var/lib/tenantd/
        systemctl start tenantd.service""")
    try:
        assert host.wait_until(lambda: tenancy.live(host, 1), 30), status(host)
        host.sh("dd if=/dev/zero of=/var/lib/tenantd/fill bs=4k 2>/dev/null; true")
        # By the API's word alone: a host that could not keep it has not taken it in.
        fleet.operator_call("POST", f"/v1/tenants/acme/keys/{person.key_id}/revoke?wait=2", {"reason": "lost"})
        assert host.wait_until(lambda: verify(host, person.secret).code == 1), status(host)
        assert not client.ssh(host, person.login, secret=person.secret).allowed
        assert client.ssh(host, other.login, secret=other.secret).code == 0
        assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 1), status(host)
        words = host.run("tenantctl", "status", check=False).out
        assert "space" in words, words
        # Longer than a head lasts: the feed has not been left alone with the disk.
        time.sleep(STALE_SECONDS + 2)
        assert (feed(host, "acme")["state"], feed(host, "acme")["stale"]) == ("live", False), status(host)
        fleet.operator_call("POST", f"/v1/tenants/acme/keys/{third.key_id}/revoke", {"reason": "lost"})
        assert host.wait_until(lambda: verify(host, third.secret).code == 1), status(host)
        host.sh("rm /var/lib/tenantd/fill")
        assert host.wait_until(lambda: tenancy.live(host, 1)), status(host)
        assert host.run("tenantctl", "status", check=False).code == 0
        tenancy.person("flo")  # which all hosts acknowledge again
        host.run("systemctl", "restart", "tenantd.service")
        assert verify(host, third.secret).code == 1, status(host)
    finally:
        host.sh("systemctl stop tenantd.service; umount /var/lib/tenantd; rm -rf /root/tenantd.kept; systemctl start tenantd.service")
    assert host.wait_until(lambda: tenancy.live(host, 1), 40), status(host)
    for revoked in (person, third):
        assert host.wait_until(lambda: verify(host, revoked.secret).code == 1), status(host)


def test_killed_server(fleet, tenancy, quick, writer):
    control = fleet.control
    sent = snapshots_sent(fleet)
    for _ in range(3):
        writer.more(2)
        control.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenant-control.service")
    writer.more(2)
    control.run("systemctl", "restart", "tenant-control.service")
    writer.more(2)
    all_refused(fleet, writer.finish())
    assert fleet.control.wait_until(lambda: all_live(fleet, tenancy), 30)
    # The counters began anew with the process; what is asked for now is what the hosts came back with.
    assert snapshots_sent(fleet) <= sent


def test_restarted_agent_while_the_control_plane_is_away(fleet, tenancy, quick):
    host = fleet.workers[0]
    good, lost = tenancy.person("gero", role="owner"), tenancy.person("lena", role="owner")
    lost.revoke_key()
    fleet.control.run("systemctl", "stop", "tenant-control.service")
    try:
        for _ in range(2):
            host.run("systemctl", "restart", "tenantd.service")
            assert verify(host, good.secret, "--project", "acme/vision").code == 0, status(host)
            assert verify(host, lost.secret, "--project", "acme/vision").code == 1
            assert client.ssh(host, good.login, secret=good.secret).code == 0
        assert feed(host, "acme")["state"] in ("reconnect", "stale")
        assert host.wait_until(lambda: trouble(host)), status(host)
        host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
        host.run("systemctl", "start", "tenantd.service")
        assert verify(host, lost.secret, "--project", "acme/vision").code == 1
        assert verify(host, good.secret, "--project", "acme/vision").code == 0
    finally:
        fleet.control.run("systemctl", "start", "tenant-control.service")


@pytest.mark.parametrize("how", ["proxy", "names"])
def test_way_to_the_control_plane_is_gone(fleet, tenancy, quick, how):
    host = fleet.workers[0]
    person = tenancy.person("wanda", role="owner")
    if how == "proxy":
        host.write("/etc/systemd/system/tenantd.service.d/50-test.conf",
                   "[Service]\nEnvironment=https_proxy=http://127.0.0.1:9\n")
    else:
        host.sh(f"sed 's/ {fleets.NAME}/ not-it/' /etc/hosts > /root/hosts && cat /root/hosts > /etc/hosts")
    host.sh("systemctl daemon-reload; systemctl restart tenantd.service")
    try:
        assert host.wait_until(lambda: trouble(host)), status(host)
        assert ("proxy" if how == "proxy" else "resolve") in trouble(host).lower(), trouble(host)
        assert verify(host, person.secret, "--project", "acme/vision").code == 0
    finally:
        host.sh("rm -f /etc/systemd/system/tenantd.service.d/50-test.conf; "
                f"sed 's/ not-it/ {fleets.NAME}/' /etc/hosts > /root/hosts && cat /root/hosts > /etc/hosts; "
                "systemctl daemon-reload" + ("; systemctl restart tenantd.service" if how == "proxy" else ""))
    assert host.wait_until(lambda: tenancy.live(host, 1), 40), status(host)
