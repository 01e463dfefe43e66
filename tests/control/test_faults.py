# SPDX-License-Identifier: MIT
"""The database and the program die while people write. What was acknowledged is there afterwards, a request that was run
again did its work once, and the feed has no gaps."""
import http.client
import itertools
import signal
import threading

import pytest

WRITERS = 4


class Writers:
    """Threads that make users, one after the other, and note what the API acknowledged."""

    def __init__(self, client_of, tenant_path):
        self.client_of, self.path = client_of, tenant_path
        self.acknowledged, self.refused, self.unknown, self.broken = [], 0, 0, []
        self.ending, self.lock = threading.Event(), threading.Lock()
        self.numbers = itertools.count(1)
        self.progress = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _write(self):
        client = self.client_of()
        while not self.ending.is_set():
            login = f"u{next(self.numbers)}"
            try:
                answer = client.post(f"{self.path}/users", {"login": login}, headers={"Idempotency-Key": f"key-{login}"})
            except (OSError, http.client.HTTPException):
                client.close()
                client = self.client_of()
                continue
            with self.lock:
                if answer.status == 201:
                    self.acknowledged.append(login)
                elif answer.status == 503 and answer.headers.get("Retry-After"):
                    self.refused += 1
                elif answer.status == 500:
                    self.unknown += 1
                else:
                    self.broken.append(repr(answer))
            if answer.status == 201:
                self.progress.release()

    def await_more(self, count):
        for _ in range(count):
            assert self.progress.acquire(timeout=60), (len(self.acknowledged), self.refused, self.broken[:3])

    def finish(self, crashes=0):
        """Cut off in COMMIT by a crash, nobody may be left to ask what came of it: at most one for each writer then."""
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.broken, self.broken[:5]
        assert self.unknown <= crashes * WRITERS


def check_feed(control, tenant_id, acknowledged):
    """Every acknowledged user is a row and a record of the feed; revisions and the chain have no gaps."""
    psql = control.cluster.psql
    there = set(psql(f"SELECT login FROM control.users WHERE tenant_id = '{tenant_id}'").splitlines())
    lost = set(acknowledged) - there
    assert not lost, f"acknowledged and lost: {sorted(lost)[:10]}"
    assert len(acknowledged) == len(set(acknowledged))
    assert psql(
        "SELECT count(*) FROM control.users u WHERE NOT EXISTS (SELECT FROM control.feed_records r WHERE "
        "r.tenant_id = u.tenant_id AND r.id = u.id)"
    ) == "0"
    assert psql(
        f"SELECT f.revision = count(d.*) AND f.revision = max(d.revision) AND min(d.revision) = 1 FROM control.feeds f "
        f"JOIN control.feed_deltas d USING (tenant_id, epoch) WHERE f.tenant_id = '{tenant_id}' GROUP BY f.revision"
    ) == "t"


@pytest.fixture
def running(new_control):
    control = new_control("faults")
    control.init()
    control.serve()
    client = control.servers[0].client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = client.must("POST", "/v1/tenants", {"slug": "acme"})["id"]
    return control, client, tenant


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
def test_database_dies_while_people_write(running, how):
    control, client, tenant = running
    server = control.servers[0]
    writers = Writers(lambda: client.as_(client.token), f"/v1/tenants/{tenant}")
    for _ in range(3):
        writers.await_more(30)
        control.cluster.restart(how)
    writers.await_more(30)
    writers.finish(crashes=3 if how == signal.SIGQUIT else 0)
    assert server.process.poll() is None, server.log()
    check_feed(control, tenant, writers.acknowledged)


def test_server_processes_die_while_people_write(running):
    """Single connections are lost at any point of a transaction, COMMIT included."""
    control, client, tenant = running
    writers = Writers(lambda: client.as_(client.token), f"/v1/tenants/{tenant}")
    for _ in range(40):
        writers.await_more(3)
        control.cluster.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenant-control' AND state <> 'idle'"
        )
    writers.await_more(10)
    writers.finish()
    check_feed(control, tenant, writers.acknowledged)


def test_the_program_dies_while_people_write(running):
    control, client, tenant = running
    writers = Writers(lambda: client.as_(client.token), f"/v1/tenants/{tenant}")
    for _ in range(3):
        writers.await_more(20)
        control.servers.pop().kill()
        control.serve()
    writers.await_more(20)
    writers.finish()
    check_feed(control, tenant, writers.acknowledged)


def test_without_a_database_it_says_so_and_lives(running):
    control, client, _ = running
    server = control.servers[0]
    control.cluster.stop()
    assert client.get("/readyz").status == 503
    assert client.get("/healthz").status == 200
    answer = client.get("/v1/tenants")
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    control.cluster.start()
    answer = client.get("/v1/tenants")
    assert answer.status == 200
    assert client.get("/readyz").status == 200
    assert server.process.poll() is None
