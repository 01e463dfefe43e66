# SPDX-License-Identifier: MIT
"""From key to shell: real `ssh host true`, in turns, on two booted hosts of the same Debian.

One has our packages, the other has not: that is the floor, since with the packages our module stands before pam_unix
for local accounts, too (a row of its own). Each round runs every kind of sign-in once, forwards or backwards, and
what counts is the difference within a round. Cryptography, cables and commands are the same for all.

A local password costs as little as pam_unix can make it (MD5), or its hash would pay for what we do. Everybody has a
session open meanwhile, so that nobody's sign-in has to start a `systemd --user`.

The second table says where the time goes, by sshd's own lines in the journal (LogLevel VERBOSE, rounds of their own).
"""

import ctypes
import math
import os
import pathlib
import pty
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/hosts"))

from hostlib import client, machine, namespaces, networks, rootfs  # noqa: E402
from hostlib.world import LOCAL_PASSWORD, World  # noqa: E402

ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 60
STAGE_ROUNDS = max(3, ROUNDS // 4)
WARM_UP = 5
BUDGET_MS = 5.0
PAUSE = 0.03  # what a host still does after the last one (closing its session) is not the next one's
PROMPT = re.compile(rb"(?:API key|Password): ?$")
SECONDS_MAX = 20

libc = ctypes.CDLL(None, use_errno=True)


def too_late(number, frame):
    sys.exit(f"bench_ssh: ssh took more than {SECONDS_MAX} s")


signal.signal(signal.SIGALRM, too_late)


class Kind:
    """One way in. `floor`: what it is compared with."""

    def __init__(self, text, host, user, key=None, secret=None, floor=None, budget=False):
        self.text, self.host, self.secret, self.floor, self.budget = text, host, secret, floor, budget
        options = ["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentityAgent=none"]
        # The default exchange takes tens of milliseconds of processor more on each side, which only blurs differences.
        options += ["-o", "KexAlgorithms=curve25519-sha256"]
        if key:
            options += ["-o", "PreferredAuthentications=publickey", "-o", "IdentitiesOnly=yes", "-i", str(key)]
        else:
            options += ["-o", "PreferredAuthentications=keyboard-interactive", "-o", "PubkeyAuthentication=no"]
        self.argv = ["ssh", *options, f"{user}@{host.address}", "true"]
        self.times = []

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def fast(self):
        """What one in ten is faster than: nearly what it takes when nothing else wants the processors."""
        return statistics.quantiles(self.times, n=10)[0]

    def differences(self):
        return [mine - floor for mine, floor in zip(self.times, self.floor.times)]


def sign_in(kind, namespace):
    """Milliseconds from starting ssh to its end. It has a terminal, at which the secret is typed without delay."""
    began = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        libc.setns(namespace, namespaces.CLONE_NEWNET)
        os.execve("/usr/bin/ssh", kind.argv, {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    said, asked = b"", 0
    signal.alarm(SECONDS_MAX)
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # EIO: ssh has closed it
            more = b""
        if not more:
            break
        said += more
        if PROMPT.search(said):
            asked += 1
            said = b""
            os.write(terminal, (kind.secret or "").encode() + b"\n")
    _, status = os.waitpid(child, 0)
    took = (time.perf_counter() - began) * 1000
    signal.alarm(0)
    os.close(terminal)
    if status != 0 or asked != bool(kind.secret):
        sys.exit(f"bench_ssh: {kind.text}: status {status}, {asked} prompts: {said.decode(errors='replace')}")
    return took


def all_kinds(kinds, namespace, rounds, keep):
    for number in range(rounds):
        for kind in kinds if number % 2 else kinds[::-1]:
            took = sign_in(kind, namespace)
            if keep:
                kind.times.append(took)
            time.sleep(PAUSE)


def cheap_hash(password):
    return subprocess.run(["openssl", "passwd", "-1", "-stdin"], input=password, capture_output=True, text=True, check=True).stdout.strip()


def set_up(host, world):
    world.local_accounts(host)
    host.run("usermod", "-p", cheap_hash(LOCAL_PASSWORD), "local1")
    host.write("/etc/ssh/sshd_config.d/10-bench.conf", "KbdInteractiveAuthentication yes\n")


def log_level(host, level):
    host.write("/etc/ssh/sshd_config.d/10-bench.conf", f"KbdInteractiveAuthentication yes\nLogLevel {level}\n")
    host.run("systemctl", "reload", "ssh.service")
    time.sleep(0.5)


# --- where the time goes

MARKS = (
    ("connected", re.compile(r"Connection from ")),
    # The first of each: a key is known, and then its signature is asked for; or the prompt is on its way.
    ("asked", re.compile(r"Postponed (?:publickey|keyboard-interactive) for ")),
    ("accepted", re.compile(r"Accepted (?:publickey|keyboard-interactive/pam) for ")),
    # By the process that ran the session stage, after it.
    ("opened", re.compile(r"User child is on pid ")),
)


def stages(host, after):
    """Of each sign-in: milliseconds between one mark and the next."""
    seen = {}
    for entry in host.journal(after=after, SYSLOG_IDENTIFIER="sshd"):
        for name, pattern in MARKS:
            if pattern.search(entry["MESSAGE"]):
                seen.setdefault(entry["_PID"], {}).setdefault(name, int(entry["_SOURCE_REALTIME_TIMESTAMP"]) / 1000)
    names = [name for name, _ in MARKS]
    return [[marks[b] - marks[a] for a, b in zip(names, names[1:])] for marks in seen.values() if len(marks) == len(names)]


def say_stages(kinds, namespace):
    print("\n| by stage, medians | connection → key known, or prompt | → let in (signature or answer, account) | → session open |")
    print("|---|---|---|---|")
    for kind in kinds:
        mark = kind.host.cursor()
        all_kinds([kind], namespace, STAGE_ROUNDS, keep=False)
        seen = stages(kind.host, mark)
        if not seen:
            sys.exit("bench_ssh: sshd's lines were not found in the journal:\n" + kind.host.journal_text(mark))
        print(f"| {kind.text} | " + " | ".join(f"{statistics.median(column):.1f} ms" for column in zip(*seen)) + " |", flush=True)


# --- all of it


def verdict(middle, doubt):
    """Other work on the machine makes differences of tens of milliseconds: a median that may as well lie on the other
    side of the budget says nothing."""
    if middle + doubt < BUDGET_MS:
        return "met"
    return "missed" if middle - doubt >= BUDGET_MS else "cannot be said"


def say_differences(kinds):
    print("| ssh host true | median | more than on the host without tenantd, median of pairs | of the fast tenths | budget | |")
    print("|---|---|---|---|---|---|")
    for kind in kinds:
        if not kind.floor:
            print(f"| {kind.text} | {kind.median:.1f} ms | – | – | – | |")
            continue
        low, middle, high = statistics.quantiles(kind.differences(), n=4)
        doubt = 1.57 * (high - low) / math.sqrt(ROUNDS)  # as the notches of a box plot: some 95 %
        told = f"{kind.median:.1f} ms | {middle:+.1f} ± {doubt:.1f} ms | {kind.fast - kind.floor.fast:+.1f} ms"
        print(f"| {kind.text} | {told} | {'< 5 ms' if kind.budget else '–'} | {verdict(middle, doubt) if kind.budget else ''} |")
        print(f"ssh\t{kind.text}\tadds\t{middle:.3f}\tms\t{doubt:.3f}", file=sys.stderr)
    sys.stdout.flush()


def measure(folder):
    network = networks.Network()
    plain = machine.Machine("plain", network=network, number=2)
    worker = machine.Machine("worker-1", network=network, number=3)
    relaxed = machine.Machine("worker-2", network=network, number=4)
    hosts = (plain, worker, relaxed)
    held = []
    try:
        world = World(folder)
        for host in hosts:
            host.start()
        for host in hosts:
            host.wait_until_up()
            set_up(host, world)
        # No answer of this one waits for the disk.
        relaxed.write("/etc/tenantd/agent.yaml.d/50-audit.yaml", "audit: {durability: relaxed}\n")
        for host in (worker, relaxed):
            host.install()
            world.write(host)
        for host in hosts:
            host.run("systemctl", "restart", "ssh.service")
        by_key = Kind("local account, SSH key, no tenantd", plain, "local1", key=world.local_key)
        by_word = Kind("local account, password, no tenantd", plain, "local1", secret=LOCAL_PASSWORD)
        kinds = [
            by_key,
            Kind("local account, SSH key", worker, "local1", key=world.local_key, floor=by_key),
            Kind("tenant's person, SSH key", worker, "uma", key=world.uma.ssh_key, floor=by_key, budget=True),
            Kind("tenant's person, SSH key, audit relaxed", relaxed, "uma", key=world.uma.ssh_key, floor=by_key),
            by_word,
            Kind("local account, password", worker, "local1", secret=LOCAL_PASSWORD, floor=by_word),
            Kind("tenant's person, API key", worker, "alice", secret=world.alice.secret, floor=by_word, budget=True),
            Kind("tenant's person, API key, audit relaxed", relaxed, "alice", secret=world.alice.secret, floor=by_word),
        ]
        held = [client.Held(plain, "local1", world.local_key), client.Held(worker, "local1", world.local_key)]
        held += [client.Held(host, person.login, person.ssh_key) for host in (worker, relaxed) for person in (world.uma, world.alice)]
        namespace = os.open(network.client.path, os.O_RDONLY | os.O_CLOEXEC)
        all_kinds(kinds, namespace, WARM_UP, keep=False)
        all_kinds(kinds, namespace, ROUNDS, keep=True)
        say_differences(kinds)
        for host in hosts:
            log_level(host, "VERBOSE")
        say_stages(kinds, namespace)
    finally:
        for one in held:
            one.close()
        for host in hosts[::-1]:
            host.close()
        network.close()


if os.geteuid() != 0:
    sys.exit("bench_ssh: it boots containers: run it as root")
rootfs.HOSTS.mkdir(parents=True, exist_ok=True)
machine.sweep()
namespaces.private_mounts()
with tempfile.TemporaryDirectory(prefix="tenantd-bench-ssh-") as name:
    measure(pathlib.Path(name))
