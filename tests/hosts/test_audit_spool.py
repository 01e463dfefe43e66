# SPDX-License-Identifier: MIT
"""Events are on disk before anybody hears what was decided, also when agent or disk fail; and where they cannot be,
operators have it their way: people are let in and the gap is told, or they are not. Root and local accounts always get in."""
import json
import re
import shutil
import subprocess
import threading
import time

import pytest

from hostlib import client

SPOOL = "/var/lib/tenantd/audit"
CONFIG = "/etc/tenantd/agent.yaml.d/50-audit.yaml"


def status(host):
    return json.loads(host.run("tenantctl", "status", "--json", check=False).out or "{}")


def agent_runs(host):
    return host.run("tenantctl", "status", check=False).code in (0, 1)


def main_pid(host):
    return host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()


def restart(host, audit=""):
    """With this section `audit` of agent.yaml."""
    host.write(CONFIG, f"audit: {{{audit}}}\n")
    host.run("systemctl", "restart", "tenantd.service")
    assert host.wait_until(lambda: agent_runs(host), 15)


def kill_agent(host):
    before = main_pid(host)
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert host.wait_until(lambda: main_pid(host) not in ("0", before) and agent_runs(host), 15)


def kept(host, after=None):
    """(chain, number, kind, entry) of each event of the journal that was kept, in the journal's order."""
    found = []
    for entry in host.journal(after=after, SYSLOG_IDENTIFIER="tenantd"):
        uid = json.loads(entry.get("OCSF", "{}")).get("metadata", {}).get("uid", "")
        match = re.fullmatch(r"([0-9A-Za-z]{16})-([0-9]+)", uid)
        if match:
            found.append((match[1], int(match[2]), entry["TENANTD_EVENT"], entry))
    return found


def is_kept(entry):
    return re.search(r'"uid":"[0-9A-Za-z]{16}-[0-9]+"', entry.get("OCSF", "")) is not None


def kinds(events):
    return [kind for _, _, kind, _ in events]


def whole(events):
    """One chain, every number once and none left out."""
    assert len({chain for chain, _, _, _ in events}) == 1, events
    numbers = [number for _, number, _, _ in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
    return events


def root_and_local_come_in(host, world):
    for user, key in (("local1", world.local_key), ("root", world.root_key)):
        started = time.monotonic()
        assert client.ssh(host, user, method="key", key=key).code == 0
        assert time.monotonic() - started < 5
    assert host.run("su", "-s", "/bin/sh", "nobody", "-c", "id -un").out.strip() == "nobody"


class Disk:
    """The agent's state on a file system of its own, which can be filled."""

    def __init__(self, host, size="24M"):
        self.host = host
        host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
        host.sh(f"mount -t tmpfs -o size={size},mode=0700,uid=tenantd,gid=tenantd audit-disk /var/lib/tenantd")

    def fill(self):
        self.host.sh("head -c 1G /dev/zero > /var/lib/tenantd/filler 2>/dev/null; true")

    def free(self):
        self.host.sh("rm -f /var/lib/tenantd/filler")

    def end(self):
        self.host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
        self.host.sh("umount /var/lib/tenantd")
        self.host.run("systemctl", "start", "tenantd.socket", "tenantd.service")


@pytest.fixture
def disk(host):
    made = Disk(host)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _usual(host):
    yield
    host.sh(f"rm -f {CONFIG}; systemctl reset-failed; systemctl start tenantd.socket; systemctl restart tenantd.service",
            check=False)
    assert host.wait_until(lambda: status(host).get("state") == "ready", 20), status(host)


class Strace:
    """Traces the agent, and does to its system calls what `inject` says."""

    def __init__(self, host, *calls, inject=None, output="/run/strace"):
        self.host, self.output = host, output
        argv = ["strace", "-f", "-tt", "-s", "64", "-o", output, "-p", main_pid(host), "-e", "trace=" + ",".join(calls)]
        if inject:
            argv += ["-e", "inject=" + inject]
        self.child = client.spawn(host.command(*argv))
        assert self.child.expect("attached", timeout=10) == 0

    def end(self):
        self.child.sendintr()
        self.child.wait()
        return self.host.read(self.output)


# ---- durable before the answer


@pytest.mark.parametrize("method, credential", [("Authorize", "secret"), ("OpenSession", "ssh_key")])
def test_the_answer_that_lets_somebody_in_leaves_after_its_events_are_on_disk(host, world, method, credential):
    """By API key the account stage's; by SSH key the session's, where sshd first names it."""
    restart(host)
    trace = Strace(host, "fdatasync", "recvfrom", "sendto")
    try:
        how = {"secret": world.alice.secret} if credential == "secret" else {"method": "key", "key": world.alice.ssh_key}
        assert client.ssh(host, "alice", **how).code == 0
    finally:
        lines = trace.end().splitlines()
    asked = next(i for i, line in enumerate(lines) if f"Agent.{method}" in line)
    answer = next(i for i, line in enumerate(lines) if i > asked and "sendto(" in line and "parameters" in line)
    synced = [i for i, line in enumerate(lines) if re.search(r"fdatasync(\(| resumed>).* = 0", line)]
    assert any(asked < i < answer for i in synced), lines[asked:answer + 1]


def test_a_slow_disk_holds_the_answer_back_and_nobody_else(host, world):
    restart(host)
    trace = Strace(host, "fdatasync", inject="fdatasync:delay_enter=1500000")
    try:
        started = time.monotonic()
        asked = []
        login = client.ssh(host, "alice", secret=world.alice.secret,
                           at_prompt=lambda: asked.append(host.run("tenantctl", "status", check=False).code))
        took = time.monotonic() - started
        began = time.monotonic()
        assert host.run("getent", "passwd", "alice").code == 0 and agent_runs(host)
        assert time.monotonic() - began < 1.5
        root_and_local_come_in(host, world)
    finally:
        trace.end()
    assert login.code == 0 and asked == [0], (login, asked)
    assert took > 1.5, took  # one group at the least


def test_relaxed_waits_for_nothing(host, world):
    restart(host, "durability: relaxed")
    trace = Strace(host, "fdatasync", inject="fdatasync:delay_enter=3000000")
    try:
        started = time.monotonic()
        assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
        assert time.monotonic() - started < 3
    finally:
        trace.end()


def test_killed_right_after_the_answer(host, world):
    """What was answered is there afterwards: its number is not given out again, and nothing is missing before it."""
    restart(host)
    mark = host.cursor()
    for _ in range(3):
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
        kill_agent(host)
    events = whole(kept(host, after=mark))
    assert kinds(events).count("login-allowed") == 3 and kinds(events).count("agent-started") == 3


def test_killed_again_and_again_while_people_sign_in(host, world):
    restart(host)
    mark = host.cursor()
    stop = threading.Event()

    def killer():
        while not stop.wait(0.7):
            host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service", check=False)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        answered = sum(client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0 for _ in range(6))
    finally:
        stop.set()
        thread.join()
    assert host.wait_until(lambda: agent_runs(host), 15)
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    events = kept(host, after=mark)
    assert len({chain for chain, _, _, _ in events}) == 1
    # An event may be in the journal and, killed in between, neither on disk nor answered: its number comes again. Those
    # that somebody was answered for are there for good.
    numbers = {}
    for _, number, kind, entry in events:
        numbers[number] = kind
    assert list(numbers.values()).count("login-allowed") >= answered + 1
    assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))
    assert "audit-damaged" not in kinds(events)


# ---- a full disk


def test_full_disk_that_drops_lets_people_in_and_tells_of_the_gap(host, world, disk):
    restart(host, "spool: {size: 16M, when_full: drop}")
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    disk.fill()
    mark = host.cursor()
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    assert host.wait_until(lambda: status(host)["audit"].get("problem"), 10), status(host)
    for _ in range(2):
        started = time.monotonic()
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
        assert time.monotonic() - started < 4
    root_and_local_come_in(host, world)
    state = status(host)
    assert state["state"] == "degraded" and "audit" in state["problem"], state
    assert state["audit"]["dropped"] > 0, state
    assert len(host.journal(after=mark, TENANTD_EVENT="login-allowed")) == 3  # the journal has them all
    assert host.journal(after=mark, TENANTD_EVENT="audit-broken")
    findings = host.run("tenantctl", "doctor", check=False).out
    assert "the spool takes no events" in findings, findings
    disk.free()
    assert host.wait_until(lambda: not status(host)["audit"].get("problem") and status(host)["state"] == "ready", 30), \
        status(host)
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    events = whole(kept(host, after=mark))
    gaps = [int(entry["TENANT_COUNT"]) for _, _, kind, entry in events if kind == "audit-gap"]
    everything = host.journal(after=mark, SYSLOG_IDENTIFIER="tenantd")
    unkept = [e["TENANTD_EVENT"] for e in everything if "TENANTD_EVENT" in e and not is_kept(e)]
    assert sum(gaps) == len(unkept) > 0, (gaps, unkept)
    assert sum(gaps) == status(host)["audit"]["dropped"]
    # What has room again comes after the gap, and never before it.
    last_unkept = max(i for i, e in enumerate(everything) if "TENANTD_EVENT" in e and not is_kept(e))
    after = [e["TENANTD_EVENT"] for e in everything[last_unkept:] if is_kept(e)]
    assert after[0] == "audit-gap", after


def test_full_disk_that_refuses_lets_in_root_and_local_people_alone(host, world, disk):
    restart(host, "spool: {size: 16M, when_full: refuse}")
    held = client.Held(host, "olivia", world.olivia.ssh_key)
    try:
        disk.fill()
        # The first one finds out; whatever became of that one, it was not let in without a record.
        client.ssh(host, "alice", method="key", key=world.alice.ssh_key)
        assert host.wait_until(lambda: status(host)["audit"].get("problem"), 10), status(host)
        mark = host.cursor()
        login = client.ssh(host, "alice", secret=world.alice.secret)
        assert not login.allowed and "not denied" in login.text and "record" in login.text, login
        assert not client.ssh(host, "alice", method="key", key=world.alice.ssh_key).allowed
        sudo = client.on_console(host, ["setpriv", "--reuid=olivia", "--regid=olivia", "--init-groups", "--reset-env",
                                        "sudo", "-k", "id"], world.olivia.secret)
        assert sudo.code != 0 and "uid=0" not in sudo.text, sudo
        reasons = {e.get("TENANT_REASON") for e in host.journal(after=mark, TENANTD_EVENT="login-broken")}
        assert reasons == {"audit-full"}, reasons
        root_and_local_come_in(host, world)
        assert held.alive()  # who is in stays
        assert host.run("su", "alice", "-c", "id -un").out.strip() == "alice"  # root needs nobody's leave
    finally:
        held.close()
        disk.free()
    assert host.wait_until(lambda: client.ssh(host, "alice", secret=world.alice.secret).code == 0, 30), status(host)


def test_a_disk_that_hangs_and_drop(host, world):
    """After five seconds nobody waits any more, and all is said when it is back."""
    restart(host)
    trace = Strace(host, "fdatasync", inject="fdatasync:delay_enter=14000000:when=1")
    try:
        started = time.monotonic()
        assert client.ssh(host, "alice", secret=world.alice.secret, timeout=40).code == 0
        assert 4 < time.monotonic() - started < 13
        assert status(host)["state"] == "degraded" and status(host)["audit"]["stuck"]
        assert client.ssh(host, "vera", secret=world.vera.secret).code != 0  # a no is a no
        assert host.wait_until(lambda: status(host)["state"] == "ready", 20), status(host)
    finally:
        trace.end()


def test_a_disk_that_hangs_and_refuse(host, world):
    restart(host, "spool: {when_full: refuse}")
    trace = Strace(host, "fdatasync", inject="fdatasync:delay_enter=14000000:when=1")
    try:
        login = client.ssh(host, "alice", secret=world.alice.secret, timeout=40)
        assert not login.allowed and "not denied" in login.text, login
        root_and_local_come_in(host, world)
        assert host.wait_until(lambda: status(host)["state"] == "ready", 20), status(host)
    finally:
        trace.end()
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0


FLOOD = """
import json, socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect("/run/tenantd/agent.sock")
peer.settimeout(30)
call = json.dumps({"method": "io.tenantd.Agent.Emit", "parameters": {"action": "flood", "outcome": "success",
                   "message": "m" * 900, "data": {"text": "d" * 6000}}}).encode() + b"\\0"
for _ in range(int(sys.argv[1])):
    peer.sendall(call)
    answer = b""
    while not answer.endswith(b"\\0"):
        answer += peer.recv(4096) or b"\\0"
    assert b"error" not in answer, answer
"""


def test_a_sink_that_is_never_there_fills_the_spool_and_no_more(host, world):
    """Nothing is thrown away that a sink still wants, the spool keeps to its size, and giving up the sink is the cure."""
    sink = "sinks: [{name: siem, kind: otlp, url: 'http://127.0.0.1:9/v1/logs'}]"
    restart(host, f"spool: {{size: 16M, when_full: refuse}}, {sink}")
    host.write("/tmp/flood.py", FLOOD)
    held = status(host)["audit"]
    assert [c["name"] for c in held["consumers"]] == ["sink:siem"], held
    for _ in range(20):
        host.run("python3", "/tmp/flood.py", "200", timeout=120)
        if status(host)["audit"].get("problem"):
            break
    state = status(host)
    assert "full" in state["audit"]["problem"] and "siem" in state["audit"]["problem"], state
    assert int(host.sh(f"du -sb {SPOOL} | cut -f 1").out) <= 17 << 20
    assert state["audit"]["oldest"] <= held["last"] + 1, (held, state)  # from the first that the sink did not get
    login = client.ssh(host, "alice", secret=world.alice.secret)
    assert not login.allowed and "record" in login.text, login
    root_and_local_come_in(host, world)
    before = state["audit"]["last"]
    host.run("systemctl", "restart", "tenantd.service")  # it is as full as before
    assert host.wait_until(lambda: agent_runs(host), 15)
    assert not client.ssh(host, "alice", secret=world.alice.secret).allowed
    host.write(CONFIG, "audit: {spool: {size: 16M, when_full: refuse}}\n")
    host.run("tenantctl", "reload")
    assert host.wait_until(lambda: client.ssh(host, "alice", secret=world.alice.secret).code == 0, 20), status(host)
    assert status(host)["audit"]["last"] > before


# ---- what lies on disk


def newest_segment(host):
    """The agent writes to this one: <generation>-<chain>-<number>."""
    names = re.findall(r"^[0-9]{6}-[0-9A-Za-z]{16}-[0-9]{20}$", host.run("ls", SPOOL).out, re.M)
    return max(names)


def test_torn_tail_is_cut_and_said(host, world):
    restart(host)
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    last = status(host)["audit"]["last"]
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "tenantd.service")
    mark = host.cursor()
    segment = newest_segment(host)
    host.sh(f"head -c 100 {SPOOL}/{segment} >> {SPOOL}/{segment}")  # a write that the crash cut off
    host.sh("systemctl kill --kill-whom=main --signal=SIGKILL tenantd.service")
    assert host.wait_until(lambda: agent_runs(host), 15)
    events = whole(kept(host, after=mark))
    assert events[0][1] == last + 1 and "audit-repaired" in kinds(events), events
    assert status(host)["state"] == "ready"


def test_damage_in_the_middle_is_kept_aside_and_critical(host, world):
    restart(host)
    for _ in range(3):
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    last = status(host)["audit"]["last"]
    host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    mark = host.cursor()
    segment = newest_segment(host)
    size = int(host.sh(f"stat -c %s {SPOOL}/{segment}").out)
    host.sh(f"printf 'XXXX' | dd of={SPOOL}/{segment} bs=1 seek={size // 2} conv=notrunc 2>/dev/null")
    host.run("systemctl", "start", "tenantd.socket", "tenantd.service")
    assert host.wait_until(lambda: agent_runs(host), 15)
    events = kept(host, after=mark)
    damaged = [entry for _, _, kind, entry in events if kind == "audit-damaged"]
    assert damaged and int(damaged[0]["PRIORITY"]) <= 2, events
    assert int(damaged[0]["TENANT_COUNT"]) >= 1
    assert host.sh(f"ls {SPOOL}").out.count(".damaged") >= 1
    assert min(number for _, number, _, _ in events) > last  # no number is given out twice
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0


def test_a_spool_of_another_key_begins_a_new_chain(host, world):
    restart(host)
    before = status(host)["audit"]["chain"]
    mark = host.cursor()
    host.sh("cp -p /etc/tenantd/seal.key /root/seal.key; head -c 32 /dev/urandom > /etc/tenantd/seal.key")
    try:
        host.run("systemctl", "restart", "tenantd.service")
        assert host.wait_until(lambda: agent_runs(host), 15)
        state = status(host)
        assert state["audit"]["chain"] not in ("", before), state
        assert "audit-chain-began" in kinds(kept(host, after=mark))
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    finally:
        host.sh("mv /root/seal.key /etc/tenantd/seal.key; systemctl restart tenantd.service")


CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The wall clock, a day ago. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec -= 86400;
	return result;
}
"""
CLOCK_DROPIN = "/run/systemd/system/tenantd.service.d/clock.conf"


def test_a_clock_that_was_set_back_breaks_no_chain(host, world, tmp_path):
    restart(host)
    mark = host.cursor()
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    shutil.copy(tmp_path / "clock.so", host.root / "usr/lib/clock.so")
    host.write(CLOCK_DROPIN, "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/clock.so\n")
    try:
        host.sh("systemctl daemon-reload; systemctl restart tenantd.service")
        assert host.wait_until(lambda: agent_runs(host), 15)
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    finally:
        host.sh(f"rm {CLOCK_DROPIN}; systemctl daemon-reload; systemctl restart tenantd.service")
    assert host.wait_until(lambda: agent_runs(host), 15)
    events = whole(kept(host, after=mark))
    times = [json.loads(entry["OCSF"])["time"] for _, _, _, entry in events]
    assert min(times) < max(times) - 80000000  # a day, in milliseconds: it was another clock
    assert not {"audit-damaged", "audit-gap", "audit-chain-began"} & set(kinds(events)), kinds(events)
    assert status(host)["state"] == "ready"


def test_without_a_sealing_key_the_journal_has_everything(host, world):
    host.sh("mv /etc/tenantd/seal.key /root/seal.key")
    try:
        restart(host)
        mark = host.cursor()
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
        assert host.journal(after=mark, TENANTD_EVENT="login-allowed") and not kept(host, after=mark)
        state = status(host)
        assert state["state"] == "degraded" and "sealing key" in state["problem"], state
        assert state["audit"]["spool"] is False
        restart(host, "spool: {when_full: refuse}")  # who wants records of everything lets nobody in without them
        login = client.ssh(host, "alice", secret=world.alice.secret)
        assert not login.allowed and "record" in login.text, login
        root_and_local_come_in(host, world)
    finally:
        host.sh("mv /root/seal.key /etc/tenantd/seal.key; systemctl restart tenantd.service")


def test_the_agent_cannot_write_its_folder(host, world):
    restart(host)
    host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    host.sh(f"mv {SPOOL} /root/spool; echo nonsense > {SPOOL}")
    try:
        host.run("systemctl", "start", "tenantd.socket", "tenantd.service")
        assert host.wait_until(lambda: agent_runs(host), 15)
        state = status(host)
        assert state["state"] == "degraded" and state["audit"]["spool"] is False, state
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    finally:
        host.sh(f"rm -rf {SPOOL}; mv /root/spool {SPOOL}; systemctl restart tenantd.service")


def test_nobody_but_the_agent_reads_the_spool(host):
    listing = host.sh(f"stat -c '%U %a' {SPOOL} {SPOOL}/*").out.split("\n")
    for line in filter(None, listing):
        owner, mode = line.split()
        assert owner == "tenantd" and mode in ("700", "600"), listing
    assert host.sh(f"grep -r -a -l alice {SPOOL}; true").out == ""  # sealed


def test_events_survive_a_change_of_policy_by_reload(host, world):
    restart(host)
    mark = host.cursor()
    for section in ("durability: each", "durability: relaxed", "spool: {size: 64M, when_full: refuse}", ""):
        host.write(CONFIG, f"audit: {{{section}}}\n")
        host.run("tenantctl", "reload")
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    host.run("systemctl", "restart", "tenantd.service")
    assert host.wait_until(lambda: agent_runs(host), 15)
    whole(kept(host, after=mark))
    host.write(CONFIG, "audit: {durability: never}\n")
    assert host.run("tenantctl", "reload", check=False).code != 0
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
