# SPDX-License-Identifier: MIT
"""A fleet of one host: what a session costs when it opens, what a thousand cost that do nothing, and how long it takes
from the control plane's change to the last process gone, beside two hundred that are live.

Opening: pam_open_session by a stack of nothing but our module, and by one of pam_permit, in turns; alone and beside the
idle ones, so that the difference is all that tenantd adds. Idle: CPU time of all of the agent's threads, by the
scheduler's own count, while a thousand sessions with logind scopes do nothing.

Ending: a person is suspended by API. The clock starts before the request (its TLS connection is in it) and stops when
the kernel says that the last process in the person's slice is gone; grace is 0. All is on this one machine: control
plane, database, host, and the ssh clients.

    sessions_bench.py [ROUNDS [LIVE [IDLE]]]
"""
import concurrent.futures
import json
import os
import pathlib
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/hosts"))

from hostlib import client, machine, namespaces, rootfs, tenancy  # noqa: E402
from hostlib.fleet import Fleet  # noqa: E402

ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 60
LIVE = int(sys.argv[2]) if sys.argv[2:] else 200
IDLE = int(sys.argv[3]) if sys.argv[3:] else 1000
IDLE_PEOPLE = 10
IDLE_SECONDS = 60
OPENINGS = 400
GONE_SECONDS = 30
OPEN_BUDGET_MS, IDLE_BUDGET, END_BUDGET_MS = 1.0, 0.1, 1000.0
SCRIPT = "/root/pam_sessions.py"
STACKS = {
    "bench-floor": "account required pam_permit.so\nsession required pam_permit.so\n",
    "bench-tenant": "account required pam_tenant.so\nsession required pam_tenant.so\n",
    "bench-whole": "@include common-account\n@include common-session\n",
}


def row(what, text, budget=None, met=None, value=None, unit=""):
    verdict = "" if met is None else "met" if met else "missed"
    print(f"| {what} | {text} | {budget or '–'} | {verdict} |", flush=True)
    if value is not None:
        print(f"sessions\t{what}\t\t{value:.3f}\t{unit}", file=sys.stderr)


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class People:
    def __init__(self, fleet, folder):
        self.fleet, self.folder = fleet, folder
        self.made = 0

    def more(self, count):
        """Editors of acme/vision, who sign in by SSH key."""
        call = self.fleet.operator_call
        made = []
        for _ in range(count):
            login = f"p{self.made:04}"
            self.made += 1
            key, public = client.keypair(self.folder, login)
            user = call("POST", "/v1/tenants/acme/users", {"login": login, "name": login, "ssh_keys": [public]})
            call("PUT", f"/v1/tenants/acme/projects/vision/members/{login}", {"role": "editor"})
            made.append((login, user["uid"], user["id"], key))
        return made


# --- what one costs


def opening(host, login, beside):
    lines = host.inside("python3", SCRIPT, "time", str(OPENINGS), login, "bench-floor", "bench-tenant", timeout=300).out
    pairs = [[int(word) / 1e6 for word in line.split()] for line in lines.splitlines()]
    added = [ours - floor for floor, ours in pairs]
    middle, late = statistics.median(added), quantile(added, 0.99)
    row(f"pam_open_session, more than with pam_permit, {beside}", f"median {middle:.2f} ms, p99 {late:.2f} ms",
        f"< {OPEN_BUDGET_MS:.0f} ms", middle < OPEN_BUDGET_MS, middle, "ms")


# --- what a thousand cost


def agent_pid(host):
    """As it is called here, outside the host."""
    inner = host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if text.startswith("Name:\ttenantd\n") and any(
                line.startswith("NSpid:") and line.split()[-1] == inner for line in text.splitlines()):
            return int(path.parent.name)
    sys.exit("bench_sessions: the agent was not found")


def cpu_seconds(pid):
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def sessions(host):
    return json.loads(host.run("tenantctl", "sessions", "--json").out)["sessions"]


def idle(host, pid):
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100


def open_idle(host, people):
    host.run("systemd-run", "--quiet", "--unit=bench-idle", "-p", "TasksMax=infinity", "--", "python3", SCRIPT, "open",
             "bench-whole", str(IDLE), *(login for login, *_ in people))
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        now = sum(s["service"] == "bench-whole" for s in sessions(host))
        if now == IDLE:
            return
        if host.run("systemctl", "is-active", "bench-idle.service", check=False).code != 0:
            break
        time.sleep(0.5)
    sys.exit(f"bench_sessions: {now} of {IDLE} sessions were opened:\n" + host.journal_text()[-3000:])


# --- how soon one is gone


def ssh(host, login, key):
    argv = host.client.command(
        "ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-o", "KexAlgorithms=curve25519-sha256", "-i", str(key),
        f"{login}@{host.address}", "trap '' HUP; echo in; sleep 100000 & wait")
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
    said = process.stdout.readline()
    if said != "in\n":
        sys.exit(f"bench_sessions: {login} did not get in: {said}")
    return process


def sign_in(host, people):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda one: ssh(host, one[0], one[3]), people))


PLACE = re.compile(r"/user-(18\d{8})\.slice/(session-\w+\.scope)?")


def running(scopes):
    """Pids, as they are called here: by person, or those in scopes of sessions by scope."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
        try:
            place = PLACE.search(path.read_text())
        except OSError:
            continue
        if place and (place[2] or not scopes):
            found.setdefault(place[2] if scopes else int(place[1]), []).append(int(path.parent.name))
    return found


class Watch:
    """Until processes are gone, by the kernel's word."""

    def __init__(self, groups):
        self.poll = select.epoll()
        self.owner = {}
        self.left = {uid: len(pids) for uid, pids in groups.items()}
        self.gone = {}
        for uid, pids in groups.items():
            for pid in pids:
                descriptor = os.pidfd_open(pid)
                self.owner[descriptor] = uid
                self.poll.register(descriptor, select.EPOLLIN)

    def wait(self):
        deadline = time.monotonic() + GONE_SECONDS
        while self.owner and time.monotonic() < deadline:
            for descriptor, _ in self.poll.poll(1.0):
                uid = self.owner.pop(descriptor)
                self.poll.unregister(descriptor)
                os.close(descriptor)
                self.left[uid] -= 1
                if self.left[uid] == 0:
                    self.gone[uid] = time.monotonic()
        if self.owner:
            sys.exit(f"bench_sessions: {len(self.owner)} processes are still there after {GONE_SECONDS} s")
        self.poll.close()


def suspend(fleet, user):
    return fleet.operator_call("POST", f"/v1/tenants/acme/users/{user}/suspend", {"reason": "bench"})


def one_by_one(fleet, people):
    times = []
    groups = running(scopes=False)
    for login, uid, user, _ in people:
        watch = Watch({uid: groups[uid]})
        began = time.monotonic()
        suspend(fleet, user)
        watch.wait()
        times.append((watch.gone[uid] - began) * 1000)
        time.sleep(0.1)
    middle, late = statistics.median(times), quantile(times, 0.99)
    row(f"one of {LIVE} live sessions' people suspended by API: request → last process gone, {len(times)} times",
        f"median {middle:.0f} ms, p99 {late:.0f} ms, longest {max(times):.0f} ms", f"p99 < {END_BUDGET_MS:.0f} ms",
        late < END_BUDGET_MS, late, "ms")


def all_at_once(what, change, scopes=False):
    watch = Watch(running(scopes))
    began = time.monotonic()
    change()
    answered = (time.monotonic() - began) * 1000
    watch.wait()
    times = [(at - began) * 1000 for at in watch.gone.values()]
    late = quantile(times, 0.99)
    row(f"{what}, {len(times)} live sessions at once: request → each one's last process gone",
        f"median {statistics.median(times):.0f} ms, p99 {late:.0f} ms, last {max(times):.0f} ms (answered after {answered:.0f} ms)",
        *((f"p99 < {END_BUDGET_MS:.0f} ms", late < END_BUDGET_MS) if len(times) <= LIVE + ROUNDS else (None, None)), late, "ms")


def measure(folder):
    fleet = Fleet(workers=("worker-1",))
    host = fleet.workers[0]
    clients = []
    try:
        fleet.boot().install()
        made = tenancy.Tenancy(fleet, folder).make()
        fleet.operator_call("PATCH", "/v1/tenants/acme", {"policy": {"sessions": {"grace": 0}}}, headers={"If-Match": "*"})
        made.join(host, "acme")
        for name, text in STACKS.items():
            host.write(f"/etc/pam.d/{name}", text)
        host.write(SCRIPT, (ROOT / "tests/bench/pam_sessions.py").read_text())
        people = People(fleet, folder)
        idlers = people.more(IDLE_PEOPLE)
        host.wait_until(lambda: host.run("id", idlers[-1][0], check=False).code == 0)
        pid = agent_pid(host)
        print("| what | measured | budget | |\n|---|---|---|---|")
        opening(host, idlers[0][0], "no other session")
        quiet = idle(host, pid)
        empty = resident_mb(pid)
        open_idle(host, idlers)
        opening(host, idlers[0][0], f"{IDLE} others")
        time.sleep(2)
        busy = idle(host, pid)
        row(f"agent, {IDLE_SECONDS} s of {IDLE} sessions that do nothing", f"{busy:.4f} % of a processor ({quiet:.4f} % with none)",
            f"< {IDLE_BUDGET} %", busy < IDLE_BUDGET, busy, "%")
        row(f"agent, resident with {IDLE} sessions", f"{resident_mb(pid):.1f} MB ({empty:.1f} MB with none)")
        all_at_once("`sessions/end` of all", lambda: fleet.operator_call("POST", "/v1/tenants/acme/sessions/end", {"all": True}),
                    scopes=True)
        live, extra = people.more(LIVE), people.more(ROUNDS)
        host.wait_until(lambda: host.run("id", extra[-1][0], check=False).code == 0)
        clients = sign_in(host, live + extra)
        time.sleep(3)
        one_by_one(fleet, extra)
        all_at_once("the tenant suspended", lambda: fleet.operator_call("PATCH", "/v1/tenants/acme", {"suspended": True},
                                                                               headers={"If-Match": "*"}))
    finally:
        for one in clients:
            one.kill()
        fleet.close()


if os.geteuid() != 0:
    sys.exit("bench_sessions: it boots containers: run it as root")
rootfs.HOSTS.mkdir(parents=True, exist_ok=True)
machine.sweep()
namespaces.private_mounts()
with tempfile.TemporaryDirectory(prefix="tenantd-bench-sessions-") as name:
    measure(pathlib.Path(name))
