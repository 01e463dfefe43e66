# SPDX-License-Identifier: MIT
"""Answers that wait for the disk, of a real tenantd with each kind of durability.

Two calls: Authorize of somebody whom cron runs something for, which writes an event each time, and VerifyCredential of a
key that a service shows again and again, which writes one and then counts. One client, and many that ask again as soon as
they are answered: nobody should wait for more than the write under way and their own, so the many get through much more
than one after the other would, and wait for no more than two writes.

The floor is what the same disk takes for one bare write of 1200 bytes and fdatasync, measured before, between and after.
"""

import json
import os
import pathlib
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time

from agent_process import FIRST, Agent

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hosts"))

from hostlib.world import ApiKey  # noqa: E402

SECONDS = float(sys.argv[1]) if sys.argv[1:] else 3.0
CLIENTS = 32
FLOOR_WRITES = 300
RECORD = os.urandom(1200)
# Beside the sources, since /tmp may be memory, which has nothing to wait for.
PLACE = pathlib.Path(os.environ.get("BENCH_DISK", "/var/tmp"))

KEY = ApiKey()


def directory():
    return (
        "version: 1\ntenants:\n"
        f"  - {{id: ten_a, slug: acme, name: Acme, gid: {FIRST}, ids: {{first: {FIRST}, count: 65536, next: {FIRST + 100}}}}}\n"
        f"projects:\n  - {{id: prj_a, tenant: ten_a, slug: vision, gid: {FIRST + 1}}}\n"
        f"users:\n  - {{id: usr_a, tenant: ten_a, login: alice, uid: {FIRST + 16}}}\n"
        "members:\n  - {user: usr_a, project: prj_a, role: editor}\n"
        f"keys:\n  - {{id: {KEY.id}, user: usr_a, label: laptop, verifier: '{KEY.verifier}', created: 2026-01-01}}\n"
        "hosts:\n  - {name: '*', serves: [{project: prj_a}]}\n"
    )


def message(method, **parameters):
    return json.dumps({"method": "io.tenantd.Agent." + method, "parameters": parameters}).encode() + b"\0"


CALLS = {
    "Authorize (writes an event)": (message("Authorize", user="alice", service="cron"), b'"allowed"'),
    "VerifyCredential (counts)": (message("VerifyCredential", credential=KEY.text), b'"allowed"'),
}


class Client(threading.Thread):
    def __init__(self, path, call, wanted, until):
        super().__init__()
        self.call, self.wanted, self.until, self.times, self.problem = call, wanted, until, [], None
        self.peer = socket.socket(socket.AF_UNIX)
        self.peer.settimeout(30)
        self.peer.connect(path)

    def run(self):
        while time.monotonic() < self.until:
            began = time.perf_counter()
            self.peer.sendall(self.call)
            answer = b""
            while not answer.endswith(b"\0"):
                answer += self.peer.recv(65536) or b"\0"
            self.times.append((time.perf_counter() - began) * 1e6)
            if self.wanted not in answer:
                self.problem = answer
                return


def load(agent, call, wanted, clients, seconds):
    """(calls a second, median, 99th of a hundred) in microseconds."""
    until = time.monotonic() + seconds
    running = [Client(agent.socket, call, wanted, until) for _ in range(clients)]
    for one in running:
        one.start()
    for one in running:
        one.join()
        if one.problem:
            sys.exit(f"bench_audit_hold: {one.problem[:300]}")
    times = sorted(t for one in running for t in one.times)
    return len(times) / seconds, statistics.median(times), times[len(times) * 99 // 100]


def floor(folder):
    """Microseconds of one write and fdatasync."""
    times = []
    with open(folder / "floor", "wb", buffering=0) as file:
        for _ in range(FLOOR_WRITES):
            began = time.perf_counter()
            file.write(RECORD)
            os.fdatasync(file)
            times.append((time.perf_counter() - began) * 1e6)
    (folder / "floor").unlink()
    return statistics.median(times)


def measure(durability, floors):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tenantd-bench-", dir=PLACE))
    try:
        agent = Agent(folder)
        with open(folder / "agent.yaml", "a") as file:
            file.write(f"audit: {{durability: {durability}}}\n")
        (folder / "directory.yaml").write_text(directory())
        (folder / "directory.yaml").chmod(0o640)
        agent.start()
        for text, (call, wanted) in CALLS.items():
            load(agent, call, wanted, 1, 0.2)
            for clients in (1, CLIENTS):
                floors.append(floor(folder))
                yield text, clients, *load(agent, call, wanted, clients, SECONDS)
        floors.append(floor(folder))
        state = agent.status()["audit"]
        if state["last"] != state["durable"] and durability != "relaxed" or state["dropped"]:
            sys.exit(f"bench_audit_hold: {state}")
        agent.stop()
    finally:
        shutil.rmtree(folder)


print("| call | durability | clients | calls a second | median | 99 of 100 within | of the disk's one write |")
print("|---|---|---|---|---|---|---|")
floors = []
rows = [(durability, *row) for durability in ("relaxed", "group", "each") for row in measure(durability, floors)]
disk = statistics.median(floors)
for durability, text, clients, rate, median, late in rows:
    print(f"| {text} | {durability} | {clients} | {rate:,.0f} | {median:,.0f} µs | {late:,.0f} µs | {median / disk:.2f} × |")
    print(f"audit_hold\t{text.split()[0]}\t{durability}\t{clients}\t{median:.1f}\tus\t{rate:.0f}", file=sys.stderr)
print(f"| bare write of {len(RECORD)} bytes and fdatasync | – | 1 | {1e6 / disk:,.0f} | {disk:,.0f} µs | | 1 × |")
