# SPDX-License-Identifier: MIT
"""Measures a real tenantd with directories of several sizes and prints rows of a Markdown table.

"In force" is when a subscriber hears "directory-changed", which the agent says after the map for NSS has been
published. Idle wake-ups are what strace sees of all its threads in a minute, with systemd's watchdog set.
"""

import hashlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from agent_process import FIRST, Agent

TENANT_PEOPLE = 50000
BLOCK = 65536
BUDGETS = {
    ("ready", 100000): "≤ 500 ms",
    ("memory", 1000): "≤ 8 MB",
    ("memory", 100000): "≤ 64 MB",
    ("one", 100000): "≤ 20 ms",
    ("file", 100000): "≤ 3 s",
    ("idle", 1000): "watchdog only",
}

# One wake-up for sd_notify: the timer, a socket with room for the notice, the next timer.
NOTICE_CALLS = set(
    "restart_syscall epoll_wait read socket getsockopt setsockopt getuid geteuid getgid getegid sendmsg close timerfd_settime".split()
)


def row(size, what, text, unit_budget):
    print(f"| {what}, {size:,} people | {text} | {unit_budget or '–'} |", flush=True)


def directory(people, changed=False):
    """As YAML. `changed`: one person has another name."""
    tenants = range((people + TENANT_PEOPLE - 1) // TENANT_PEOPLE)
    yield "version: 1\ntenants:\n"
    for t in tenants:
        start = FIRST + t * BLOCK
        yield f"  - {{id: ten_{t}, slug: t{t}, name: Tenant {t}, gid: {start}, ids: {{first: {start}, count: {BLOCK}, next: {start + 65000}}}}}\n"
    yield "projects:\n"
    for t in tenants:
        for p in range(10):
            yield f"  - {{id: prj_{t}_{p}, tenant: ten_{t}, slug: p{p}, gid: {FIRST + t * BLOCK + 1 + 4 * p}}}\n"
    yield "users:\n"
    for i in range(people):
        t, n = divmod(i, TENANT_PEOPLE)
        name = "Changed" if changed and i == 0 else f"Person {i}"
        yield f"  - {{id: usr_{i}, tenant: ten_{t}, login: u{i:07}, uid: {FIRST + t * BLOCK + 100 + n}, name: {name}}}\n"
    yield "members:\n"
    for i in range(people):
        t = i // TENANT_PEOPLE
        yield f"  - {{user: usr_{i}, project: prj_{t}_{i % 10}, role: editor}}\n"
    yield "keys:\n"
    for i in range(0, people, 10):
        verifier = hashlib.sha256(str(i).encode()).hexdigest()
        yield f"  - {{id: key_{i:016}, user: usr_{i}, label: laptop, verifier: 'sha256:{verifier}', created: 2026-01-01}}\n"
    yield "hosts:\n  - name: '*'\n    serves:\n"
    for t in tenants:
        yield f"      - {{project: prj_{t}_0}}\n"


def drop_in(people, name):
    start = FIRST + 4000 * BLOCK
    return (
        f"version: 1\ntenants:\n  - {{id: ten_drop, slug: drop, name: Drop, gid: {start}, "
        f"ids: {{first: {start}, count: 256, next: {start + 10}}}}}\n"
        f"users:\n  - {{id: usr_drop, tenant: ten_drop, login: dropper, uid: {start + 1}, name: {name}}}\n"
    )


def replace(path, pieces):
    new = path.with_suffix(".new")
    with open(new, "w") as file:
        file.writelines(pieces)
    new.chmod(0o640)
    return new


def idle_calls(agent):
    """System calls of all threads in a minute."""
    time.sleep(2)
    trace = agent.folder / "trace"
    strace = subprocess.Popen(["strace", "-f", "-q", "-o", trace, "-p", str(agent.process.pid)])
    time.sleep(61)
    strace.terminate()
    strace.wait()
    # Those that returned: who sleeps through the minute has not woken up.
    lines = [line for line in trace.read_text().splitlines() if re.search(r"\) += ", line)]
    return [re.search(r"^\d+\s+(?:<\.\.\. )?(\w+)", line)[1] for line in lines]


def measure(people):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tenantd-bench-"))
    try:
        agent = Agent(folder)
        os.rename(replace(folder / "directory.yaml", directory(people)), folder / "directory.yaml")
        first = agent.start()
        assert agent.status()["users"] == people
        agent.stop()
        starts = []
        for _ in range(3):
            starts.append(agent.start())
            time.sleep(1)
            memory = agent.memory()
            agent.stop()
        row(people, "start to ready, from YAML", f"{first:.0f} ms", None)
        row(people, "start to ready, from the compiled form", f"{statistics.median(starts):.0f} ms", BUDGETS.get(("ready", people)))
        row(people, "resident memory after the start", f"{memory:.1f} MB", BUDGETS.get(("memory", people)))
        agent.start()
        target = folder / "directory.yaml.d" / "drop.yaml"
        times = []
        for i in range(6):
            times.append(agent.change(replace(folder / "drop", [drop_in(people, f"Name {i}")]), target))
        row(people, "one person in a drop-in, rename to in force", f"{statistics.median(times[1:]):.1f} ms", BUDGETS.get(("one", people)))
        new = replace(folder / "directory.yaml", directory(people, changed=True))
        row(people, "one person in the whole file, rename to in force", f"{agent.change(new, folder / 'directory.yaml') / 1000:.2f} s", BUDGETS.get(("file", people)))
        time.sleep(3)
        row(people, "resident memory after the changes", f"{agent.memory():.1f} MB", None)
        if people <= 1000 and shutil.which("strace"):
            calls = idle_calls(agent)
            others = sorted(set(calls) - NOTICE_CALLS)
            text = f"{calls.count('sendmsg')} watchdog notices ({len(calls)} system calls), " + ("also " + ", ".join(others) if others else "nothing else")
            row(people, "an idle minute under strace", text, BUDGETS.get(("idle", people)))
        agent.stop()
    finally:
        shutil.rmtree(folder)


print("| what | measured | budget |\n|---|---|---|")
for size in [int(argument) for argument in sys.argv[1:]] or [1000, 100000, 1000000]:
    measure(size)
