# SPDX-License-Identifier: MIT
"""Feeds when things break: servers killed in the middle of writes, databases that restart, replicas that do not hear of
one another, clients that do not read, a fleet that comes back at once."""
import asyncio
import json
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from controllib.host import Feed, Host, chain_add, chain_start


class Fleet:
    """A control plane of the test's own, with one tenant and one host."""

    def __init__(self, new_control, folder, name, **options):
        self.control = new_control(name, tls=False, **options)
        self.control.init()
        self.server = self.control.serve()
        self.operator = self.server.client
        self.operator.token = self.operator.sign_in(self.control.OPERATOR, self.control.PASSWORD)
        self.tenant = self.operator.must("POST", "/v1/tenants", {"slug": "acme"})
        self.path = f"/v1/tenants/{self.tenant['id']}"
        self.host = Host(self.operator, [self.tenant["id"]], "h1", folder)
        self.host.sign_in(self.control.url)
        self.feed = Feed(self.host, self.tenant["id"])

    def user(self, login, client=None):
        return (client or self.operator).must("POST", f"{self.path}/users", {"login": login})

    def at(self, server):
        """The operator and the host, at another replica."""
        operator, host = server.client, server.client
        operator.token, host.token = self.operator.token, self.host.client.token
        return operator, host

    def psql(self, sql):
        return self.control.cluster.psql(sql)


@pytest.fixture
def new_fleet(new_control, tmp_path):
    return lambda name="faults", **options: Fleet(new_control, tmp_path, name, **options)


def check_whole_chain(fleet):
    """Every delta in the database, from the first on, against the row and what records there are."""
    rows = fleet.psql("SELECT revision, bytes FROM control.feed_deltas ORDER BY revision").splitlines()
    chain, records, revision = chain_start(fleet.feed.origin, 1), {}, 0
    for row in rows:
        number, text = row.split("|", 1)
        delta = json.loads(text)
        revision += 1
        assert int(number) == delta["rev"] == delta["prev"] + 1 == revision, "a gap"
        chain = chain_add(chain, text.encode())
        for operation in delta["ops"]:
            if operation["op"] == "put":
                records[operation["id"]] = operation["ver"]
            elif operation["op"] == "del":
                records.pop(operation["id"], None)
            else:
                records[operation["id"]] = operation["ver"]
    assert fleet.psql("SELECT revision, encode(chain, 'hex') FROM control.feeds") == f"{revision}|{chain.hex()}"
    stored = fleet.psql("SELECT id, version FROM control.feed_records").splitlines()
    assert {line.split("|")[0]: int(line.split("|")[1]) for line in stored} == records
    return revision


def check_feed(fleet, client=None):
    """A host that starts at nothing takes every delta and a head that covers them."""
    feed = Feed(fleet.host, fleet.tenant["id"])
    stream = feed.events(client=client)
    assert stream.status == 200
    feed.follow(stream)
    stream.close()
    return feed


class Writer(threading.Thread):
    """Makes users as fast as it can, and remembers those that it was told of. What fails it tries no more."""

    def __init__(self, fleet, number):
        super().__init__(daemon=True)
        self.fleet, self.number = fleet, number
        self.told, self.ending, self.server = [], threading.Event(), None
        self.start()

    def run(self):
        count = 0
        while not self.ending.is_set():
            count += 1
            try:
                client = self.fleet.server.client
                client.token = self.fleet.operator.token
                while not self.ending.is_set():
                    count += 1
                    answer = client.post(f"{self.fleet.path}/users", {"login": f"w{self.number}x{count}"})
                    if answer.status == 201:
                        self.told.append(answer.json["login"])
            except (OSError, EOFError, ValueError, subprocess.SubprocessError) as _:
                time.sleep(0.01)
            except Exception as error:  # pylint: disable=broad-except
                if type(error).__module__ != "http.client":
                    raise

    def finish(self):
        self.ending.set()
        self.join(60)
        assert not self.is_alive()


def test_killed_in_the_middle_of_writes(new_fleet):
    """kill -9 at random moments: what was acknowledged is there, revisions have no gap, the chain fits."""
    fleet = new_fleet()
    dice = random.Random(7)
    writers = [Writer(fleet, i) for i in range(3)]
    for _ in range(8):
        time.sleep(dice.uniform(0.15, 0.6))
        fleet.server.kill()
        fleet.server = fleet.control.serve()
    time.sleep(0.3)
    for writer in writers:
        writer.finish()
    told = [login for writer in writers for login in writer.told]
    assert len(told) > 50
    logins = set(fleet.psql("SELECT login FROM control.users").splitlines())
    assert set(told) <= logins
    revision = check_whole_chain(fleet)
    _, client = fleet.at(fleet.server)
    feed = check_feed(fleet, client)
    assert feed.revision == revision
    said = {op["body"]["login"] for d in feed.deltas for op in json.loads(d)["ops"] if op["kind"] == "user"}
    assert said == logins


def test_database_killed_in_the_middle_of_writes(new_fleet):
    fleet = new_fleet("dbkill")
    writers = [Writer(fleet, i) for i in range(2)]
    for _ in range(3):
        time.sleep(0.5)
        fleet.control.cluster.restart(signal.SIGQUIT)
    time.sleep(0.5)
    for writer in writers:
        writer.finish()
    told = [login for writer in writers for login in writer.told]
    assert len(told) > 20 and fleet.server.process.poll() is None
    assert set(told) <= set(fleet.psql("SELECT login FROM control.users").splitlines())
    assert check_feed(fleet).revision == check_whole_chain(fleet)


def test_stream_goes_on_after_the_database_restarted(new_fleet):
    fleet = new_fleet("restart")
    stream = fleet.feed.events(timeout=20)
    fleet.feed.follow(stream)
    fleet.control.cluster.restart(signal.SIGQUIT)
    end = time.monotonic() + 15
    while fleet.operator.post(f"{fleet.path}/users", {"login": "ada"}).status != 201:
        assert time.monotonic() < end
    fleet.feed.follow(stream, fleet.feed.revision + 1)
    stream.close()


def test_two_replicas(new_fleet):
    """Written here, read there, both ways, with the same bytes and within moments."""
    fleet = new_fleet("two")
    second = fleet.control.serve(another_port=True)
    operator2, host2 = fleet.at(second)
    feed2 = Feed(fleet.host, fleet.tenant["id"])
    stream1, stream2 = fleet.feed.events(), feed2.events(client=host2)
    fleet.feed.follow(stream1)
    feed2.follow(stream2)
    spans = []
    for i in range(10):
        start = time.monotonic()
        fleet.user(f"u{i}", operator2 if i % 2 else None)
        fleet.feed.follow(stream1, fleet.feed.revision + 1)
        feed2.follow(stream2, fleet.feed.revision)
        spans.append(time.monotonic() - start)
    assert fleet.feed.deltas == feed2.deltas and fleet.feed.chain == feed2.chain
    assert sorted(spans)[5] < 0.5, spans
    stream1.close()
    stream2.close()


def test_lost_notifications(new_fleet):
    """When no word comes from the other replica, the poll sees it within a second or so."""
    fleet = new_fleet("deaf")
    second = fleet.control.serve(another_port=True)
    _, host2 = fleet.at(second)
    feed2 = Feed(fleet.host, fleet.tenant["id"])
    stream = feed2.events(client=host2)
    feed2.follow(stream)
    fleet.psql("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC")
    start = time.monotonic()
    fleet.user("ada")
    feed2.follow(stream, feed2.revision + 1)
    assert time.monotonic() - start < 4
    stream.close()


def test_drain(new_fleet):
    """SIGTERM: every stream is told to come back, at times that differ; new ones are sent away."""
    fleet = new_fleet("drain")
    streams = [fleet.feed.events() for _ in range(12)]
    for stream in streams:
        assert stream.next()[0] == "head" or stream.next()
    fleet.server.process.send_signal(signal.SIGTERM)
    waits = []
    for stream in streams:
        while (event := stream.next()) is not None:
            if event[0] == "drain":
                waits.append(int(event[2]))
    assert len(waits) == 12 and len(set(waits)) > 6 and all(0 <= w <= 30000 for w in waits)
    assert fleet.server.process.wait(30) == 0


def test_too_many_streams(new_fleet):
    fleet = new_fleet("many", settings="limits:\n  streams: 3\nfeed:\n  head: 1s\n")
    streams = [fleet.feed.events() for _ in range(3)]
    waits = set()
    for _ in range(8):
        answer = fleet.host.client.get(f"{fleet.feed.path}/events?epoch=1&after=0")
        assert answer.status == 503
        waits.add(int(answer.headers["Retry-After"]))
    assert len(waits) > 2 and min(waits) > 0
    # A closed connection is noticed when the next heads cannot be sent.
    streams[0].close()
    end = time.monotonic() + 10
    while (stream := fleet.feed.events()).status != 200:
        assert time.monotonic() < end
        stream.close()
    for stream in [stream, *streams[1:]]:
        stream.close()


def test_a_client_that_does_not_read(new_fleet):
    """Others get everything all the same."""
    fleet = new_fleet("slow")
    with socket.create_connection(("127.0.0.1", fleet.server.port)) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(
            f"GET {fleet.feed.path}/events?epoch=1&after=0 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {fleet.host.client.token}\r\n\r\n".encode()
        )
        stream = fleet.feed.events()
        fleet.feed.follow(stream)
        for i in range(40):
            fleet.user(f"u{i}")
        fleet.feed.follow(stream, fleet.operator.must("GET", f"{fleet.path}/feed")["revision"])
        assert fleet.feed.revision >= 40
        stream.close()


def test_a_fleet_comes_back_at_once(new_fleet):
    """1000 hosts reconnect in the same moment: all resume, none needs a snapshot, and the deltas are read once."""
    fleet = new_fleet("storm", settings="limits:\n  per_principal: 1000000\n")
    for i in range(20):
        fleet.user(f"u{i}")
    fleet.server.stop()
    fleet.server = fleet.control.serve()
    fleet.control.servers = [fleet.server]
    asked = (
        f"GET {fleet.feed.path}/events?epoch=1&after=5 HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {fleet.host.client.token}\r\n\r\n"
    ).encode()
    read = "SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname = 'feed_deltas'"

    async def one(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(asked)
        got = b""
        while b"event: head" not in got or not got.rstrip(b"\r\n0").endswith(b"="):
            part = await asyncio.wait_for(reader.read(65536), 30)
            if not part:
                break
            got += part
            if got.startswith(b"HTTP/1.1 503"):
                break
        writer.close()
        return got

    async def all_of_them():
        return await asyncio.gather(*(one(fleet.server.port) for _ in range(1000)))

    before = int(fleet.psql("SELECT pg_stat_force_next_flush();" + read).split()[-1])
    start = time.monotonic()
    answers = asyncio.run(all_of_them())
    span = time.monotonic() - start
    statuses = [a.split(b" ", 2)[1] for a in answers]
    assert statuses.count(b"200") == 1000, {s: statuses.count(s) for s in set(statuses)}
    assert len({a[a.index(b"id: ") :].count(b"event: delta") for a in answers}) == 1
    time.sleep(1.2)  # the database's own statistics come once a second
    after = int(fleet.psql(read))
    assert after - before < 200, f"deltas were read {after - before} times"
    assert span < 20
    print(f"1000 streams resumed in {span:.2f} s")
