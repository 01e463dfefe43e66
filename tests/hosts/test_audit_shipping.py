# SPDX-License-Identifier: MIT
"""A host's events on their way to others: Debian's rsyslog over TLS on another machine, and systemd-journal-remote. All
of them arrive, whoever dies; no sign-in waits for any of it."""
import json
import re
import time

import pytest

from hostlib import client, machine, networks, rootfs
from hostlib.world import World

PACKAGES = ["rsyslog", "rsyslog-gnutls", "systemd-journal-remote"]
LOGS = "logs.fleet.test"
CONFIG = "/etc/tenantd/agent.yaml.d/60-sinks.yaml"
CA = "/etc/tenantd/logs.pem"
TAKEN = "/var/log/taken"
RSYSLOG = f"""
global(maxMessageSize="128k" net.enableDNS="off" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="/etc/logs.crt"
	defaultNetstreamDriverCertFile="/etc/logs.crt" defaultNetstreamDriverKeyFile="/etc/logs.key")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="all" type="list") {{
	property(name="hostname") constant(value=" ") property(name="app-name") constant(value=" ")
	property(name="msgid") constant(value=" ") property(name="msg") constant(value="\\n")
}}
input(type="imtcp" port="6514" supportOctetCountedFraming="on" ruleset="in")
ruleset(name="in" queue.type="Direct") {{ action(type="omfile" file="{TAKEN}" template="all" flushOnTXEnd="on") }}
"""
# Many events by one service, as fast as they are taken.
EMIT = """
import sys, tenantd
client = tenantd.Client()
for n in range(int(sys.argv[1])):
    client.emit("test.shipped", message=f"number {n}")
"""


class Place:
    """The host, and the one that gathers logs."""

    def __init__(self, folder):
        self.network = networks.Network()
        self.layer = rootfs.layer("logs", PACKAGES, masked=("rsyslog.service", "syslog.socket", "systemd-journal-remote.socket"))
        self.worker = machine.Machine("worker-1", network=self.network, number=2, layers=[self.layer])
        self.logs = machine.Machine("logs", network=self.network, number=9, layers=[self.layer])
        for host in (self.worker, self.logs):
            host.start()
        for host in (self.worker, self.logs):
            host.wait_until_up()
        self.world = self.worker.world = World(folder)
        self.world.local_accounts(self.worker)
        self.worker.install()
        self.world.write(self.worker)
        self.logs.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=logs "
                     f"-addext subjectAltName=DNS:{LOGS} -keyout /etc/logs.key -out /etc/logs.crt 2>&1")
        self.logs.write("/etc/rsyslog-test.conf", RSYSLOG)
        self.worker.sh(f"echo '{self.logs.address} {LOGS}' >> /etc/hosts")
        self.worker.write(CA, self.logs.read("/etc/logs.crt"))
        self.start_rsyslog()

    def start_rsyslog(self):
        self.logs.run("systemd-run", "--quiet", "--unit=receiver", "rsyslogd", "-n", "-f", "/etc/rsyslog-test.conf", "-i",
                      "/run/receiver.pid")
        assert self.logs.wait_until(lambda: ":6514" in self.logs.run("ss", "-ltn").out)

    def stop_rsyslog(self, signal="SIGKILL"):
        self.logs.run("systemctl", "kill", "--kill-whom=all", f"--signal={signal}", "receiver.service", check=False)
        self.logs.wait_until(lambda: self.logs.run("systemctl", "is-active", "receiver.service", check=False).code != 0)
        self.logs.run("systemctl", "reset-failed", "receiver.service", check=False)

    def sink(self, more=""):
        self.worker.write(CONFIG, f"audit:\n  sinks:\n  - {{name: siem, kind: syslog, host: {LOGS}, ca_file: {CA}{more}}}\n")
        self.worker.run("tenantctl", "reload")

    def taken(self):
        """(host, program, kind, event) of each message that was taken whole."""
        found = []
        for line in self.logs.sh(f"cat {TAKEN} 2>/dev/null; true", timeout=60).out.splitlines():
            words = line.split(" ", 3)
            try:
                found.append((*words[:3], json.loads(words[3])))
            except (IndexError, ValueError):
                pass
        return found

    def ids(self):
        return [event["metadata"]["uid"] for _, _, _, event in self.taken()]

    def kept(self):
        """The events of the journal that were kept, by id."""
        found = {}
        for entry in self.worker.journal(SYSLOG_IDENTIFIER="tenantd"):
            event = json.loads(entry.get("OCSF", "{}"))
            uid = event.get("metadata", {}).get("uid", "")
            if re.fullmatch(r"[0-9A-Za-z]{16}-[0-9]+", uid):
                found[uid] = (entry, event)
        return found

    def all_arrived(self, seconds=30):
        wanted = set(self.kept())
        self.worker.wait_until(lambda: wanted <= set(self.ids()), seconds)
        return wanted - set(self.ids())

    def state(self):
        audit = json.loads(self.worker.run("tenantctl", "status", "--json", check=False).out)["audit"]
        return {sink["name"]: sink for sink in audit["sinks"]}

    def emit(self, count):
        self.worker.run("python3", "-c", EMIT, str(count), timeout=120)

    def close(self):
        for host in (self.worker, self.logs):
            host.close()
        self.network.close()


@pytest.fixture(scope="module")
def place(keys_folder):
    made = Place(keys_folder)
    yield made
    made.close()


def test_what_the_journal_has_arrives(place):
    place.sink()
    assert client.ssh(place.worker, "alice", secret=place.world.alice.secret).code == 0
    assert client.ssh(place.worker, "vera", secret=place.world.vera.secret).code != 0
    assert place.all_arrived() == set()
    kept = place.kept()
    arrived = {event["metadata"]["uid"]: (host, program, kind, event) for host, program, kind, event in place.taken()}
    assert {"login-allowed", "login-denied", "agent-started"} <= {kind for _, _, kind, _ in arrived.values()}
    for uid, (entry, event) in kept.items():
        assert arrived[uid] == ("worker-1", "tenantd", entry["TENANTD_EVENT"], event), "not what the journal says"
    allowed = [event for _, _, kind, event in arrived.values() if kind == "login-allowed"][0]
    assert "alice" in json.dumps(allowed), "personal data go along"
    assert place.state()["siem"]["sent"] >= len(kept) and place.state()["siem"]["failures"] == 0


def test_nothing_is_lost_when_agent_and_receiver_are_killed(place):
    for number in range(4):
        place.emit(150)
        if number % 2:
            place.stop_rsyslog()
        else:
            place.worker.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
            assert place.worker.wait_until(lambda: place.worker.run("tenantctl", "status", check=False).code in (0, 1), 15)
        place.emit(50)
        if number % 2:
            place.start_rsyslog()
    assert place.all_arrived(60) == set()
    emitted = [event for _, _, _, event in place.taken() if "number" in json.dumps(event)]
    assert len({event["metadata"]["uid"] for event in emitted}) >= 800
    order = [uid for uid in dict.fromkeys(place.ids())]
    numbers = [int(uid.split("-")[1]) for uid in order]
    assert numbers == sorted(numbers), "first arrivals are in order"


def test_no_sign_in_waits_for_a_receiver_that_is_gone(place):
    place.network.cut(9)
    try:
        place.emit(20)
        for _ in range(2):
            started = time.monotonic()
            assert client.ssh(place.worker, "alice", secret=place.world.alice.secret).code == 0
            assert time.monotonic() - started < 5
        assert place.worker.wait_until(lambda: place.state()["siem"]["failures"] > 0, 30)
        assert place.state()["siem"]["problem"]
        assert "siem" in place.worker.run("tenantctl", "status", check=False).out
    finally:
        place.network.cut(9, lost=False)
    assert place.all_arrived(60) == set()
    assert place.worker.wait_until(lambda: place.state()["siem"]["failures"] == 0, 20)


def test_who_does_not_prove_who_it_is_gets_nothing(place):
    before = len(place.ids())
    place.worker.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other "
                    f"-keyout /dev/null -out {CA} 2>/dev/null && chmod 644 {CA}")
    place.emit(5)
    assert place.worker.wait_until(lambda: place.state()["siem"]["failures"] > 0, 20)
    assert "does not prove who it is" in place.state()["siem"]["problem"]
    assert len(place.ids()) == before
    place.worker.write(CA, place.logs.read("/etc/logs.crt"))
    assert place.all_arrived(60) == set()


def test_a_sink_comes_and_goes_with_a_reload(place):
    place.worker.sh(f"rm -f {CONFIG} && tenantctl reload")
    assert place.state() == {}
    place.emit(5)
    time.sleep(2)
    missing = place.all_arrived(0)
    assert len(missing) >= 5
    # It begins with what is still there: of so few events, all.
    place.sink(", batch: 2")
    assert place.all_arrived() == set()


def test_a_wrong_sink_is_refused_with_its_place(place):
    place.worker.write(CONFIG, "audit:\n  sinks:\n  - {name: siem, kind: syslog, hots: x}\n")
    done = place.worker.run("tenantctl", "reload", check=False)
    assert done.code != 0
    assert "60-sinks.yaml:3" in done.out + done.err + place.worker.journal_text()[-3000:]
    assert place.state() != {}, "the last good ones stay"
    place.sink()


def test_journal_remote_takes_the_journal_as_it_is(place):
    place.logs.sh("mkdir -p /var/log/journal/remote && systemd-run --quiet --unit=remote "
                  "/lib/systemd/systemd-journal-remote --listen-http=19532 --output=/var/log/journal/remote/ --split-mode=host")
    assert place.logs.wait_until(lambda: ":19532" in place.logs.run("ss", "-ltn").out)
    place.worker.sh(f"systemd-run --quiet --unit=upload /lib/systemd/systemd-journal-upload --url=http://{LOGS}:19532")
    assert client.ssh(place.worker, "alice", secret=place.world.alice.secret).code == 0
    kept = place.kept()
    assert kept

    def there():
        out = place.logs.sh("journalctl -q -o json --all -D /var/log/journal/remote SYSLOG_IDENTIFIER=tenantd 2>/dev/null; true",
                            timeout=60).out  # fmt: skip
        entries = [json.loads(line) for line in out.splitlines()]
        return {json.loads(e["OCSF"])["metadata"]["uid"]: e for e in entries if e.get("OCSF")}

    assert place.logs.wait_until(lambda: set(kept) <= set(there()), 30), set(kept) - set(there())
    remote = there()
    for uid, (entry, _) in kept.items():
        for name in entry:
            if name.startswith(("TENANT", "OCSF", "MESSAGE")):
                assert remote[uid][name] == entry[name], name
