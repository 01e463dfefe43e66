# SPDX-License-Identifier: MIT
"""Measures the audit log of a real tenant-control on a real PostgreSQL, all on this machine, and prints rows of a Markdown
table. Hosts send what they have as fast as they get receipts; the log is through when a checkpoint covers the last event.
The floor, in the same run, is PostgreSQL alone: the same leaves, COPYed into a table with the same columns and indices, a
transaction for each of as many as the sequencer takes.

Then proofs: a log of ten million entries, whose tiles are written directly (all leaves are the same there, so what the
root has to be is known), and one event more that comes by the API. Each proof is verified.
"""
import base64
import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/control"))

from controllib import program  # noqa: E402
from controllib.cluster import Cluster  # noqa: E402
from controllib.host import Host  # noqa: E402
from controllib.trail import Chain, inclusion_root, leaf_hash, node_hash  # noqa: E402

SETTINGS = "limits:\n  per_source: 0\n  per_principal: 0\ntokens:\n  host: 60min\n  access: 60min\n"
EVENTS = 60000
HOSTS = 4
TENANTS = 2
GROUP = 600  # events, of about 1.2 KB each: a group has at most 1 MiB
MANY = 10_000_000
PROOFS = 300
BATCH = 4096  # of the floor


def row(what, value, note=""):
    print(f"| {what} | {value} | {note} |", flush=True)


class Sender(threading.Thread):
    """A host that has everything ready, and sends a group as soon as the one before has its receipt."""

    def __init__(self, host, bodies):
        super().__init__()
        self.host, self.bodies, self.spans, self.refused = host, bodies, [], None

    def run(self):
        for body in self.bodies:
            began = time.monotonic()
            answer = self.host.client.post(
                "/v1/hosts/self/audit", body, headers={"Content-Type": "application/octet-stream"}
            )
            if answer.status != 200:
                self.refused = answer
                return
            self.spans.append(time.monotonic() - began)


def cpu(pids):
    """Seconds of processor time of these, and of what they have waited for."""
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except FileNotFoundError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def processes(control, cluster):
    """Ids of the program, and of its PostgreSQL: others on this machine do not count."""
    parent = cluster.server.pid
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [control.servers[-1].process.pid], [parent, *map(int, children)]


def prepare(tenants, people, count):
    chain = Chain()
    for number in range(count):
        which = number % len(tenants)
        chain.event(tenants[which], person=people[which][number % len(people[which])], name="Alice Example",
                    service="sshd", terminal="pts/1", padding="x" * 420)  # fmt: skip
    bodies = [chain.request(first=first, last=min(first + GROUP - 1, count), group_size=GROUP) for first in range(1, count + 1, GROUP)]
    return chain, bodies


def floor(cluster, chain, count):
    """The same leaves, by COPY: events a second."""
    cluster.psql(
        "CREATE TABLE floor (tenant_id text, idx bigint, at timestamptz, event_id text, hash bytea, time timestamptz, kind text,"
        " class_uid int, activity_id int, severity_id smallint, outcome smallint, actor text, project_id text, host_id text,"
        " host_name text, leaf text, PRIMARY KEY (tenant_id, idx, at)); CREATE INDEX ON floor (tenant_id, event_id);"
        " CREATE INDEX ON floor (tenant_id, actor, idx); CREATE INDEX ON floor (tenant_id, kind, idx);"
        " CREATE INDEX ON floor (tenant_id, host_id, idx)"
    )
    script = []
    for first in range(0, count, BATCH):
        script.append("COPY floor FROM stdin;")
        for number, (leaf, _, hash_) in enumerate(chain.history[first : first + BATCH], first):
            text = leaf.replace("\\", "\\\\")
            script.append(
                f"ten_0000000000000000\t{number}\t2026-11-22 10:00:00+00\t{chain.id}-{number}\t\\\\x{hash_.hex()}\t2026-11-22 10:00:00+00"
                f"\tlogin-allowed\t3002\t1\t1\t1\tusr_0000000000000000\t\thst_0000000000000000\tworker\t{text}"
            )
        script.append("\\.")
    text = "\n".join(script) + "\n"
    began = time.monotonic()
    cluster.psql(text)
    return count / (time.monotonic() - began)


def flood(control, cluster, operator, count):
    tenants, people = [], []
    for number in range(TENANTS):
        tenant = operator.must("POST", "/v1/tenants", {"slug": f"bench{number}", "name": "Bench"})
        tenants.append(tenant["id"])
        people.append(
            [operator.must("POST", f"/v1/tenants/{tenant['id']}/users", {"login": f"user{number}x{n}"})["id"] for n in range(20)]
        )
    senders = []
    for number in range(HOSTS):
        with tempfile.TemporaryDirectory() as folder:
            host = Host(operator, tenants, f"bench{number}", folder)
            host.sign_in(control.url)
        host.client = host.client.as_(host.client.token)
        chain, bodies = prepare(tenants, people, count // HOSTS)
        senders.append((Sender(host, bodies), chain))
    size = sum(len(leaf) + len(personal) for leaf, personal, _ in senders[0][1].history) / len(senders[0][1].history)
    total = sum(chain.last for _, chain in senders)
    at_floor = floor(cluster, senders[0][1], min(senders[0][1].last, 4 * BATCH))
    # What the tenants' own making left in their logs does not count.
    logs = "','".join(tenants)
    before = int(cluster.psql(f"SELECT coalesce(sum(size), 0) FROM control.audit_logs WHERE tenant_id IN ('{logs}')"))
    waiting = int(cluster.psql(f"SELECT coalesce(sum(count), 0) FROM control.audit_inbox WHERE tenant_id IN ('{logs}')"))
    servers, databases = processes(control, cluster)
    used = cpu(servers), cpu(databases)
    began = time.monotonic()
    for sender, _ in senders:
        sender.start()
    for sender, _ in senders:
        sender.join()
    accepted = time.monotonic() - began
    refused = [sender.refused for sender, _ in senders if sender.refused]
    assert not refused, refused
    while True:
        done = cluster.psql(
            f"SELECT coalesce(sum(checkpoint_size), 0) FROM control.audit_logs WHERE tenant_id IN ('{logs}')"
        )
        if int(done) >= before + waiting + total:
            break
        time.sleep(0.05)
    through = time.monotonic() - began
    used = cpu(servers) - used[0], cpu(databases) - used[1]
    spans = sorted(span for sender, _ in senders for span in sender.spans)
    row("events", total, f"{size:.0f} bytes each with personal data; {HOSTS} hosts, {TENANTS} tenants")
    row("accepted, events/s", f"{total / accepted:.0f}", f"a request of {GROUP}: median {statistics.median(spans) * 1000:.0f} ms")
    row("accepted, sequenced and provable, events/s", f"{total / through:.0f}", "the last one has a checkpoint")
    row("PostgreSQL alone (COPY), events/s", f"{at_floor:.0f}", f"{at_floor * through / total:.1f} times as many")
    row("processor time of an event", f"{(used[0] + used[1]) / total * 1e6:.0f} us", f"the program {used[0] / total * 1e6:.0f}, PostgreSQL {used[1] / total * 1e6:.0f}")
    return tenants, senders


def uniform(leaf):
    """Roots of whole subtrees of that leaf alone, by their height."""
    roots = [leaf]
    while len(roots) < 40:
        roots.append(node_hash(roots[-1], roots[-1]))
    return roots


def fill(cluster, tenant_id, leaf, size):
    """A log of `size` entries that are all alike: its tiles, its frontier, and the entries that are not in a tile yet."""
    roots, left, level = uniform(leaf), size, 0
    sql = ["SET session_replication_role = replica;"]
    while left >= 256:
        hashes, root = (roots[8 * level] * 256).hex(), roots[8 * level + 8].hex()
        sql.append(
            f"INSERT INTO control.audit_tiles SELECT '{tenant_id}', {level}, n, '\\x{root}', '\\x{hashes}' FROM"
            f" generate_series(0, {left // 256 - 1}) AS n;"
        )
        left, level = left // 256, level + 1
    frontier = b"".join(roots[bit] for bit in range(61, -1, -1) if bit < 40 and size >> bit & 1)
    sql.append(
        f"INSERT INTO control.audit_logs (tenant_id, size, hashes) VALUES ('{tenant_id}', {size}, '\\x{frontier.hex()}')"
        " ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size, hashes = excluded.hashes;"
    )
    sql.append(
        "INSERT INTO control.audit_entries (tenant_id, idx, at, event_id, hash, time, kind, class_uid, activity_id, severity_id,"
        f" outcome, actor, project_id, host_id, host_name, leaf) SELECT '{tenant_id}', n, now(), 'filled-' || n, '\\x{leaf.hex()}',"
        f" now(), 'filled', 3002, 1, 1, 1, '', '', '', '', 'x' FROM (SELECT generate_series({size - size % 256}, {size - 1}) AS n UNION"
        f" SELECT (n * 33331::bigint) % {size} FROM generate_series(1, {PROOFS}) AS n) AS i;"
    )
    cluster.psql("\n".join(sql))


def prove(control, cluster, operator):
    tenant = operator.must("POST", "/v1/tenants", {"slug": "huge", "name": "Huge"})["id"]
    cluster.psql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant}'")
    while cluster.psql(f"SELECT count(*) FROM control.audit_inbox WHERE tenant_id = '{tenant}'") != "0":
        time.sleep(0.05)
    cluster.psql(
        "SET session_replication_role = replica;"
        f"DELETE FROM control.audit_entries WHERE tenant_id = '{tenant}';"
        f"UPDATE control.audit_logs SET size = 0, checkpoint_size = 0, checkpoint = '' WHERE tenant_id = '{tenant}'"
    )
    leaf = leaf_hash("x")
    fill(cluster, tenant, leaf, MANY - 1)
    with tempfile.TemporaryDirectory() as folder:
        host = Host(operator, [tenant], "huge", folder)
        host.sign_in(control.url)
    chain = Chain()
    last = chain.event(tenant)
    answer = host.client.post("/v1/hosts/self/audit", chain.request(), headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 200, answer
    path = f"/v1/tenants/{tenant}/audit/proofs"
    while operator.get(f"{path}/inclusion?id={last}").status != 200:
        time.sleep(0.05)
    size = operator.must("GET", f"{path}/inclusion?id={last}")["size"]
    root = base64.b64decode(operator.get(f"/v1/tenants/{tenant}/audit/checkpoint").body.decode().splitlines()[2])
    spans = {"inclusion": [], "consistency": []}
    for number in range(1, PROOFS + 1):
        index = number * 33331 % (MANY - 1)
        began = time.monotonic()
        answer = operator.get(f"{path}/inclusion?index={index}")
        spans["inclusion"].append(time.monotonic() - began)
        said = json.loads(answer.body)
        proof = [base64.b64decode(part) for part in said["proof"]]
        assert inclusion_root(index, size, bytes.fromhex(said["leaf_hash"]), proof) == root
        began = time.monotonic()
        answer = operator.get(f"{path}/consistency?from={index + 1}")
        spans["consistency"].append(time.monotonic() - began)
        assert answer.status == 200
    for kind, seen in spans.items():
        seen.sort()
        row(f"{kind} proof in {size} entries, by the API", f"{statistics.median(seen) * 1000:.1f} ms",
            f"99 of 100 in {seen[len(seen) * 99 // 100] * 1000:.1f} ms")  # fmt: skip


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    cluster = Cluster("audit-bench").start()
    control = program.Control(cluster.folder / "control", cluster, settings=SETTINGS)
    try:
        control.init()
        server = control.serve()
        operator = server.client
        operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
        print("| | | |\n|---|---|---|")
        flood(control, cluster, operator, count)
        prove(control, cluster, operator)
    finally:
        control.stop()
        cluster.remove()


if __name__ == "__main__":
    main()
