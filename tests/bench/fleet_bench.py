#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures the control plane's feed with a swarm of hosts on loopback, and prints a Markdown table.

    fleet_bench.py OBJECTS [HOSTS [ROUNDS]]

A PostgreSQL and a tenant-control of its own; the hosts are tests/bench/swarm/feed_swarm, one process. Each round revokes
a key by API: from before the request is sent until hosts have the signed head (p50, p99, all). One stream in 50 checks
signatures and chain. The floor is one host alone in the same run."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "control"))

import controllib.program as program  # noqa: E402
from controllib.cluster import Cluster  # noqa: E402
from controllib.host import Host  # noqa: E402

OBJECTS = pathlib.Path(sys.argv[1]).resolve()
HOSTS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
SAMPLE = 50
SETTINGS = "limits:\n  per_principal: 10000000\n  per_source: 1000000\n  streams: 20000\n"


def memory(pid):
    """What the process has for itself, in KiB."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss")


class Swarm:
    def __init__(self, world, count, sample):
        arguments = [world.server.port, count, sample, world.host.client.token, world.feed_path, world.revision(), world.trust]
        self.process = subprocess.Popen(
            [OBJECTS / "tests/bench/swarm/feed_swarm", *map(str, arguments), *(["tls"] if world.control.tls else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.connected = json.loads(self.process.stdout.readline() or '{"connected": 0}')

    def round(self, world):
        """Microseconds from before the request until p50, p99 and all have it."""
        self.process.stdin.write(f"{world.revision() + 1}\n")
        self.process.stdin.flush()
        time.sleep(0.05)
        start = time.monotonic_ns() // 1000
        world.revoke()
        answer = json.loads(self.process.stdout.readline())
        return {**answer, **{name: answer[name] - start for name in ("p50", "p99", "max")}}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class World:
    def __init__(self, cluster, name, tls, folder):
        self.control = program.Control(cluster.folder / name, cluster, tls=tls, database=name, settings=SETTINGS)
        self.control.init()
        self.serve()
        self.operator.token = self.operator.sign_in(self.control.OPERATOR, self.control.PASSWORD)
        tenant = self.operator.must("POST", "/v1/tenants", {"slug": "acme"})
        self.path, self.feed_path = f"/v1/tenants/{tenant['id']}", f"/v1/feeds/{tenant['id']}"
        user = self.operator.must("POST", f"{self.path}/users", {"login": "ada"})["id"]
        fields = {"user": user, "label": "bench"}
        self.keys = [self.operator.must("POST", f"{self.path}/keys", fields)["id"] for _ in range(3 * ROUNDS)]
        self.host = Host(self.operator, [tenant["id"]], "h1", folder)
        self.host.sign_in(self.control.url)
        self.trust = folder / f"trust-{name}"
        self.trust.write_text(self.host.tenants[0]["trust"])

    def serve(self):
        self.server = self.control.serve()
        token = getattr(self, "operator", None) and self.operator.token
        self.operator = self.server.client
        self.operator.token = token

    def restart(self):
        self.server.kill()
        self.serve()

    def revision(self):
        return self.operator.must("GET", f"{self.path}/feed")["revision"]

    def revoke(self):
        self.operator.must("POST", f"{self.path}/keys/{self.keys.pop()}/revoke", {"reason": "bench"})


def measure(world, what):
    alone = Swarm(world, 1, 1)
    rounds = [alone.round(world) for _ in range(ROUNDS)]
    alone.end()
    yield f"{what}, 1 host (floor): commit to host, p50 / p99", spans(rounds)
    before = memory(world.server.process.pid)
    swarm = Swarm(world, HOSTS, SAMPLE)
    if swarm.connected["connected"] != HOSTS:
        yield f"{what}, {HOSTS} hosts", f"only {swarm.connected}"
        return
    yield f"{what}, {HOSTS} hosts: all connected and with a head", f"{swarm.connected['usec'] / 1e6:.1f} s"
    after = memory(world.server.process.pid)
    yield f"{what}, {HOSTS} hosts: server's memory a connection", f"{(after - before) / HOSTS:.1f} KB"
    rounds = [swarm.round(world) for _ in range(ROUNDS)]
    yield f"{what}, {HOSTS} hosts: request to every host, p50 / p99", spans(rounds)
    worst = max(r["max"] for r in rounds)
    yield f"{what}, {HOSTS} hosts: the last host in the worst of {ROUNDS} rounds", f"{worst / 1000:.0f} ms"
    yield f"{what}, {HOSTS} hosts: heads verified in the sample", str(rounds[-1]["verified"])
    assert rounds[-1]["gone"] == 0
    swarm.end()
    world.restart()
    swarm = Swarm(world, 1000, SAMPLE)
    yield f"{what}, 1000 hosts after a restart, all at once", f"{swarm.connected['usec'] / 1e6:.2f} s, {swarm.connected['refused']} refused"
    swarm.end()


def spans(rounds):
    p50 = sorted(r["p50"] for r in rounds)[len(rounds) // 2]
    p99 = max(r["p99"] for r in rounds)
    return f"{p50 / 1000:.1f} / {p99 / 1000:.1f} ms"


def main():
    program.find_program = lambda: OBJECTS / "tenant-control"
    cluster = Cluster("bench", shared_buffers="128MB").start()
    worlds = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            print("| what | measured |\n|---|---|")
            for name, tls in (("plain", False), ("tls", True)):
                place = pathlib.Path(folder) / name
                place.mkdir()
                worlds.append(World(cluster, name, tls, place))
                for what, value in measure(worlds[-1], name):
                    print(f"| {what} | {value} |", flush=True)
                worlds[-1].control.stop()
    finally:
        for world in worlds:
            world.control.stop()
        cluster.remove()


if __name__ == "__main__":
    main()
