# SPDX-License-Identifier: MIT
"""500 people wait for their identity provider: what that costs a real tenantd in memory, and a key login in time.

The provider is real HTTPS on loopback in a process of its own, and nobody approves. Each waiting person is a connection
as the PAM module holds one: Login, Enter, and the answer with address and code. Memory is what is the agent's alone
(anonymous pages; code of libraries is everybody's). The rows "alone" are of the same agent in the same run, before anybody
waits and after everybody left.
"""

import hashlib
import json
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

from agent_process import FIRST, Agent, receive

PEOPLE = 600
WAITING = int(sys.argv[1]) if sys.argv[1:] else 500
INTERVAL = 5
BURST = 200  # sign-ins that a host takes at once, and then one in so many seconds (agent/login/flow_limits.c)
PAUSE = 0.055
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def row(what, text, budget=None):
    print(f"| {what} | {text} | {budget or '–'} |", flush=True)


def base62(number, digits):
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def key():
    body = f"tnt_pk_{0:016}_{0:043}"
    return body + base62(zlib.crc32(body.encode()), 6)


def directory(issuer):
    yield (
        "version: 1\ntenants:\n"
        f"  - {{id: ten_0, slug: t0, gid: {FIRST}, ids: {{first: {FIRST}, count: 65536, next: {FIRST + 65000}}}}}\n"
        f"projects:\n  - {{id: prj_0, tenant: ten_0, slug: p0, gid: {FIRST + 1}}}\n"
        "providers:\n"
        f"  - {{id: idp_0, tenant: ten_0, kind: oidc, name: Bench, issuer: '{issuer}', client_id: bench}}\n"
        "users:\n"
    )
    for i in range(PEOPLE):
        yield f"  - {{id: usr_{i}, tenant: ten_0, login: u{i:04}, uid: {FIRST + 100 + i}}}\n"
    yield "members:\n"
    for i in range(PEOPLE):
        yield f"  - {{user: usr_{i}, project: prj_0, role: editor}}\n"
    verifier = hashlib.sha256(key().encode()).hexdigest()
    yield f"keys:\n  - {{id: key_{0:016}, user: usr_0, label: laptop, verifier: 'sha256:{verifier}', created: 2026-01-01}}\n"
    yield "hosts:\n  - name: '*'\n    serves:\n      - {project: prj_0}\n"


def call(peer, method, **parameters):
    peer.sendall(json.dumps({"method": "io.tenantd.Agent." + method, "parameters": parameters}).encode() + b"\0")
    answer = json.loads(receive(peer))
    if "error" in answer:
        sys.exit(f"bench_sso: {method}: {answer}")
    return answer["parameters"]


def own_memory(agent):
    """Megabytes."""
    text = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) / 1024


def connect(agent):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(60)
    peer.connect(agent.socket)
    return peer


def source(number):
    return f"10.1.{number // 200}.{number % 200 + 1}"


def key_logins(agent, count):
    """Microseconds of each: connect, Login, Answer with the key."""
    times = []
    for i in range(count):
        before = time.perf_counter()
        peer = connect(agent)
        login = call(peer, "Login", user="u0000", service="sshd", source="10.0.0.1")
        answer = call(peer, "Answer", login=login["login"], text=key())
        times.append((time.perf_counter() - before) * 1e6)
        if answer["step"] != "allowed":
            sys.exit(f"bench_sso: the key was not taken: {answer}")
        peer.close()
        time.sleep(0.005)
    return times


def say_times(what, times):
    ordered = sorted(times)
    row(what, f"median {statistics.median(ordered):.0f} µs, 99th of a hundred {ordered[len(ordered) * 99 // 100]:.0f} µs")


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", folder / "tls.key", "-out", folder / "tls.pem"],
        check=True,
        capture_output=True,
    )


def measure(folder):
    certificate(folder)
    provider = subprocess.Popen(
        [sys.executable, pathlib.Path(__file__).with_name("sso_provider.py"), folder / "tls.pem", folder / "tls.key", str(INTERVAL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        issuer = f"https://127.0.0.1:{provider.stdout.readline().strip()}"

        def polls():
            provider.stdin.write("\n")
            provider.stdin.flush()
            return int(provider.stdout.readline())

        agent = Agent(folder)
        (folder / "directory.yaml").write_text("".join(directory(issuer)))
        (folder / "directory.yaml").chmod(0o640)
        settings = (folder / "agent.yaml").read_text()
        idle = {}
        for enabled in ("false", "true"):
            (folder / "agent.yaml").write_text(settings + f"sso: {{enabled: {enabled}, ca_file: {folder}/tls.pem, proxy: none, timeout: 15min}}\n")
            agent.start()
            time.sleep(2)
            idle[enabled] = own_memory(agent)
            if enabled == "false":
                agent.stop()
        row("memory of its own, single sign-on turned off; on and unused", f"{idle['false']:.1f} MB; {idle['true']:.1f} MB")

        key_logins(agent, 200)
        alone = key_logins(agent, 1500)
        # With what is kept of the sign-ins so far: for ten minutes, until their sessions are opened.
        base = own_memory(agent)
        peers = [connect(agent) for _ in range(WAITING)]
        logins = [
            call(peer, "Login", user=f"u{i % PEOPLE:04}", service="sshd", source=source(i))["login"] for i, peer in enumerate(peers)
        ]
        prompted = own_memory(agent)
        waits = []
        for i, (peer, login) in enumerate(zip(peers, logins)):
            if i >= BURST:
                time.sleep(PAUSE)
            before = time.monotonic()
            answer = call(peer, "Answer", login=login, text="")
            waits.append((time.monotonic() - before) * 1000)
            if "WDJB-MJHT" not in answer.get("text", ""):
                sys.exit(f"bench_sso: no address and code came: {answer}")
        time.sleep(4 * INTERVAL)
        waiting = own_memory(agent)
        first, began = polls(), time.monotonic()
        beside = key_logins(agent, 1500)
        rate = (polls() - first) / (time.monotonic() - began)
        crowded = own_memory(agent)
        for peer in peers:
            peer.close()
        time.sleep(2)
        left = own_memory(agent)
        after = key_logins(agent, 1500)
        row("Enter to address and code, on loopback", f"median {statistics.median(waits):.1f} ms, longest {max(waits):.1f} ms")
        row(f"memory that {WAITING} connections at a first prompt add", f"{prompted - base:.1f} MB")
        row(f"memory that {WAITING} people who wait for their provider add, connections and all", f"{waiting - base:.1f} MB", "< 4 MB")
        row("what goes when they go", f"{crowded - left:.1f} MB")
        row("polls a second meanwhile", f"{rate:.0f}")
        say_times("key login alone, before", alone)
        say_times(f"key login beside {WAITING} who wait", beside)
        say_times("key login alone, after", after)
        agent.stop()
    finally:
        provider.kill()
        provider.wait()


print("| what | measured | budget |\n|---|---|---|")
with tempfile.TemporaryDirectory(prefix="tenantd-bench-") as name:
    measure(pathlib.Path(name))
