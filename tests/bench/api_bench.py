# SPDX-License-Identifier: MIT
"""Measures a real tenant-control on a real PostgreSQL, all on this machine, and prints rows of a Markdown table:
key verification (introspection) and record writes a second, with few tenants and with many. The load is wrk's; the floors,
in the same run, are wrk on /healthz (HTTP alone) and pgbench with one look-up or one durable insert (PostgreSQL alone).

Beside each rate stands the CPU time that a request took of the program, of PostgreSQL and of wrk together: it says the
same on a machine that has other things to do.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/control"))

from controllib import program  # noqa: E402
from controllib.cluster import Cluster  # noqa: E402
from controllib.host import Host  # noqa: E402

SETTINGS = "limits:\n  per_source: 0\n  per_principal: 0\ntokens:\n  host: 60min\n  access: 60min\n"
SECONDS = 5
ROUNDS = 3
CONNECTIONS = 16
FEW = 10  # tenants
KEYS = 200  # that are asked about
TENANTS_OF_A_HOST = 64  # at most, as an assignment has them
SPREAD = 1000  # tenants that are written to, at most
MAKERS = 8  # tenants are made by so many at a time

ASK = """
local bodies, headers, n = %(bodies)s, %(headers)s, 0
request = function()
  n = n + 1
  return wrk.format("POST", "/v1/introspect", headers, bodies[n %% #bodies + 1])
end
"""
WRITE = """
local paths, headers, n = %(paths)s, %(headers)s, 0
request = function()
  n = n + 1
  return wrk.format("POST", paths[n %% #paths + 1], headers,
    string.format('{"login":"%(prefix)s%%d","name":"Bench"}', n))
end
"""
DONE = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def lua(value):
    """A list or table of texts as Lua has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(k)}] = {json.dumps(v)}" for k, v in value.items()) + "}"
    return "{" + ", ".join(json.dumps(v) for v in value) + "}"


def _stat(pid):
    """(parent, seconds of CPU) of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load:
    def __init__(self, server, cluster, folder):
        self.port, self.folder, self.parents = server.port, pathlib.Path(folder), (server.process.pid, cluster.server.pid)

    def cpu(self):
        """Seconds of the program, PostgreSQL's processes, and wrk."""
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = own.ru_utime + own.ru_stime
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and (int(name) in self.parents or _stat(name)[0] == self.parents[1]):
                    total += _stat(name)[1]
            except OSError:
                pass  # it has ended
        return total

    def run(self, script):
        """(requests a second, p50 in ms, p99 in ms, microseconds of CPU for each)"""
        path = self.folder / "load.lua"
        path.write_text(script + DONE)
        before = self.cpu()
        out = subprocess.run(
            ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "-s", str(path), f"http://127.0.0.1:{self.port}/healthz"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        requests, usec, errors, p50, p99 = map(int, re.search(r"RESULT (.*)", out)[1].split())
        if errors:
            raise SystemExit(f"control_api: {errors} requests failed:\n{out}")
        return requests / (usec / 1e6), p50 / 1000, p99 / 1000, (self.cpu() - before) * 1e6 / requests


def pgbench(cluster, script, folder):
    path = pathlib.Path(folder) / "floor.sql"
    path.write_text(script)
    path.chmod(0o644)
    os.chmod(folder, 0o755)
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    out = subprocess.run(
        [programs[-1], "-n", "-M", "prepared", "-c", "8", "-j", "1", "-T", str(SECONDS), "-f", path,
         "-h", cluster.folder, "-U", "postgres", "control"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return float(re.search(r"tps = ([0-9.]+)", out)[1])


class World:
    def __init__(self, cluster, folder):
        self.own = threading.local()
        self.control = program.Control(cluster.folder / "control", cluster, tls=False, settings=SETTINGS)
        self.control.init()
        self.server = self.control.serve()
        self.operator = self.server.client
        self.operator.token = self.operator.sign_in(self.control.OPERATOR, self.control.PASSWORD)
        self.folder, self.tenants, self.keys, self.written = folder, [], [], 0
        self.load = Load(self.server, cluster, folder)

    def grow(self, count):
        """So many tenants, and keys of users in as many of them as there are keys."""
        with concurrent.futures.ThreadPoolExecutor(MAKERS) as makers:
            self.tenants += makers.map(self.add_tenant, range(len(self.tenants), count))
            asked = self.tenants[:: max(1, -(-count // TENANTS_OF_A_HOST))]
            self.keys = list(makers.map(self.add_key, (asked[i % len(asked)] for i in range(KEYS)), range(KEYS)))
        self.host = Host(self.operator, asked, f"h{count}", pathlib.Path(self.folder))
        self.host.sign_in(self.control.url)

    def client(self):
        """One for each thread: a connection is nobody else's."""
        if not hasattr(self.own, "client"):
            self.own.client = self.server.client
            self.own.client.token = self.operator.token
        return self.own.client

    def add_tenant(self, number):
        return self.client().must("POST", "/v1/tenants", {"slug": f"t{number}"})["id"]

    def add_key(self, tenant, number):
        client, path = self.client(), f"/v1/tenants/{tenant}"
        user = client.must("POST", f"{path}/users", {"login": f"k{len(self.tenants)}x{number}"})["id"]
        client.must("PUT", f"{path}/members/{user}", {"role": "analyst"})
        return client.must("POST", f"{path}/keys", {"user": user, "label": "bench"})["secret"]

    def ask(self):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.host.client.token}"}
        bodies = [json.dumps({"token": key}) for key in self.keys]
        for key in self.keys:
            answer = self.host.client.must("POST", "/v1/introspect", {"token": key})
            assert answer["active"], answer
        return self.load.run(ASK % {"bodies": lua(bodies), "headers": lua(headers)})

    def write(self):
        self.written += 1
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.operator.token}"}
        paths = [f"/v1/tenants/{tenant}/users" for tenant in self.tenants[:: max(1, len(self.tenants) // SPREAD)]]
        return self.load.run(WRITE % {"paths": lua(paths), "headers": lua(headers), "prefix": f"w{self.written}x"})


def memory(pid):
    """What the process has for itself, in KiB."""
    return int(re.search(r"^Pss: +([0-9]+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def row(what, value, budget="–"):
    print(f"| {what} | {value} | {budget} |", flush=True)


def rate(rounds):
    best = statistics.median(r[0] for r in rounds)
    return (
        f"{best:,.0f}/s (p50 {statistics.median(r[1] for r in rounds):.2f} ms, p99 {max(r[2] for r in rounds):.1f} ms, "
        f"CPU {statistics.median(r[3] for r in rounds):.0f} µs)"
    )


def main():
    sizes = [int(size) for size in sys.argv[1:]] or [FEW, 1000, 10000]
    cluster = Cluster("bench-api", shared_buffers="256MB", max_wal_size="2GB").start()
    world = None
    try:
        with tempfile.TemporaryDirectory() as folder:
            world = World(cluster, folder)
            print("| what | measured | budget |\n|---|---|---|")
            world.grow(sizes[0])
            key = cluster.psql("SELECT id FROM control.api_keys LIMIT 1")
            cluster.psql("CREATE TABLE public.floor (id bigserial PRIMARY KEY, body text)")
            row("floor: /healthz, 16 connections", rate([world.load.run("") for _ in range(ROUNDS)]))
            row("floor: PostgreSQL alone, a look-up by id",
                f"{pgbench(cluster, f'SELECT control.tenant_of_key({chr(39)}{key}{chr(39)});', folder):,.0f}/s")
            row("floor: PostgreSQL alone, a durable insert",
                f"{pgbench(cluster, 'INSERT INTO public.floor (body) VALUES (repeat(chr(65), 400));', folder):,.0f}/s")
            for size in sizes:
                if size != sizes[0]:
                    world.grow(size)
                cluster.psql("ANALYZE")
                world.ask(), world.write()  # statements are prepared and planned once a connection
                row(f"key verification, {size:,} tenants", rate([world.ask() for _ in range(ROUNDS)]), "≥ 5,000/s")
                row(f"record writes, {size:,} tenants", rate([world.write() for _ in range(ROUNDS)]), "≥ 1,000/s")
                row(f"program's memory, {size:,} tenants", f"{memory(world.server.process.pid) / 1024:.0f} MiB")
    finally:
        if world:
            world.control.stop()
        cluster.remove()


main()
