# SPDX-License-Identifier: MIT
"""Where the log's events go besides: a real rsyslog over TLS, a strict OTLP collector, checkpoints for outside keepers. At
least once, in order, whoever is killed; what is refused for good is counted and holds up nothing."""
import json
import random
import re
import socket
import ssl
import struct
import threading
import time

import pytest

from controllib.program import Drain
from controllib.sinks import Collector, Rsyslog, make_certificate, until


def sinks(*lines):
    return "audit:\n  sinks:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def syslog(rsyslog, more=""):
    return f"name: logs, kind: syslog, host: localhost, port: {rsyslog.port}, ca_file: {rsyslog.certificate}{more}"


def otlp(collector, more=""):
    return f"name: otlp, kind: otlp, url: '{collector.url}', ca_file: {collector.certificate}{more}"


@pytest.fixture
def rsyslog(tmp_path):
    made = Rsyslog(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def collector(tmp_path):
    made = Collector(tmp_path)
    yield made
    made.stop()


class World:
    """A control plane with these sinks, and a tenant in it."""

    def __init__(self, new_control, settings):
        self.control = new_control("sinks", settings=settings)
        self.control.init()
        self.server = self.control.serve()
        self.sign_in()
        self.tenant = self.operator.must("POST", "/v1/tenants", {"slug": "acme"})["id"]
        self.count = 0

    def sign_in(self):
        self.operator = self.server.client
        self.operator.token = self.operator.sign_in(self.control.OPERATOR, self.control.PASSWORD)

    def act(self, times=1):
        """Makes events: projects, each once."""
        for _ in range(times):
            self.count += 1
            self.operator.must("POST", f"/v1/tenants/{self.tenant}/projects", {"slug": f"p{self.count}"})

    def psql(self, sql):
        return self.control.cluster.psql(sql, database=self.control.database).split()

    def logged(self, log=None):
        """Ids of all events, in the order of each log."""
        where = "" if log is None else f" WHERE tenant_id = '{log}'"
        return self.psql(f"SELECT event_id FROM control.audit_entries{where} ORDER BY tenant_id, idx")

    def metric(self, name, sink):
        text = self.server.client.get("/metrics", token=self.control.internal_secret).body.decode()
        found = re.search(rf'^tenant_control_{name}{{sink="{sink}"}} (\S+)$', text, re.M)
        return float(found[1]) if found else None


def settled(world, ids, seconds=20):
    """All that was accepted has its place and is there, and nothing that is not."""
    assert until(lambda: world.psql("SELECT count(*) FROM control.audit_inbox") == ["0"])
    assert until(lambda: set(world.logged()) <= set(ids()), seconds), set(world.logged()) - set(ids())
    assert set(ids()) <= set(world.logged()) | {None}


def in_order(ids, order):
    """First arrivals are in the log's order."""
    first = list(dict.fromkeys(i for i in ids if i in set(order)))
    return first == [i for i in order if i in set(first)]


# ---- what arrives ---------------------------------------------------------------------------------------------------


def test_rsyslog_gets_every_event_of_every_log(new_control, rsyslog):
    world = World(new_control, sinks(syslog(rsyslog)))
    world.act(5)
    settled(world, rsyslog.ids)
    messages = {m["data"]["id"]: m for m in rsyslog.messages()}
    created = [m for m in messages.values() if m["msgid"] == "project.create"]
    assert len(created) == 5
    for message in created:
        assert message["app"] == "tenant-control" and message["data"]["tenant"] == world.tenant
        assert int(message["pri"]) // 8 == 13, "the audit facility"
        assert message["event"]["metadata"]["uid"] == message["data"]["id"]
        assert message["event"]["class_uid"] == 3004
    assert any("tenant" not in m["data"] for m in messages.values()), "the platform's own log"
    assert in_order(rsyslog.ids(), world.logged(world.tenant))


def test_personal_data_go_along(new_control, rsyslog):
    world = World(new_control, sinks(syslog(rsyslog)))
    world.operator.must("POST", f"/v1/tenants/{world.tenant}/users", {"login": "alice", "name": "Alice Ünal"})
    settled(world, rsyslog.ids)
    events = [m["event"] for m in rsyslog.messages()]
    assert world.control.OPERATOR in json.dumps(events, ensure_ascii=False)


def test_a_collector_gets_what_otlp_is(new_control, collector):
    world = World(new_control, sinks(otlp(collector)))
    world.act(5)
    settled(world, collector.ids)
    assert collector.errors == []
    by_id = {r["id"]: r for r in collector.records}
    assert len(by_id) == len(collector.records), "nothing twice where nothing went wrong"
    for record in by_id.values():
        assert record["resource"]["service.name"] == "tenant-control"
        assert record["body"]["metadata"]["uid"] == record["id"]
        assert record["body"]["metadata"]["event_code"] == record["kind"]
        assert abs(record["time"] - record["body"]["time"] * 10**6) == 0
    assert {r["attributes"].get("tenantd.tenant") for r in by_id.values()} == {None, world.tenant}
    assert world.metric("audit_sink_sent_total", "otlp") == len(by_id)
    assert world.metric("audit_sink_failures", "otlp") == 0


def test_checkpoints_go_to_outside_keepers(new_control, rsyslog, collector, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    web = f"name: web, kind: http, url: 'https://localhost:{collector.port}/keep', ca_file: {collector.certificate}"
    world = World(
        new_control,
        sinks(f"name: disk, kind: file, path: {kept}", web, syslog(rsyslog, ", events: false, checkpoints: true")),
    )
    world.act(2)

    def size():
        return int(world.psql(f"SELECT checkpoint_size FROM control.audit_logs WHERE tenant_id = '{world.tenant}'")[0])

    path = kept / f"{world.tenant}.checkpoint"
    assert until(lambda: path.exists() and int(path.read_text().split("\n")[1]) == size())
    note = path.read_text()
    assert note.split("\n")[0] == f"localhost/audit/{world.tenant}"
    assert (kept / "platform.checkpoint").exists()
    assert until(lambda: any(body == note for _, _, body in collector.notes))
    assert until(lambda: any(m["event"].get("note") == note for m in rsyslog.messages() if m["msgid"] == "checkpoint"))
    assert all(m["msgid"] == "checkpoint" for m in rsyslog.messages()), "events were not wanted"


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_nothing_is_lost_when_rsyslog_is_killed(new_control, rsyslog):
    world = World(new_control, sinks(syslog(rsyslog)))
    writing = Drain(world.act)
    chance = random.Random(6)
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 1.5))
        rsyslog.kill()
        time.sleep(chance.uniform(0, 0.5))
        rsyslog.start()
    writing.finish()
    settled(world, rsyslog.ids, 60)


def test_nothing_is_lost_when_the_server_is_killed(new_control, rsyslog, collector):
    world = World(new_control, sinks(syslog(rsyslog), otlp(collector)))
    chance = random.Random(7)
    for _ in range(3):
        world.act(chance.randint(5, 30))
        time.sleep(chance.uniform(0, 1))
        world.server.kill()
        world.server = world.control.serve()
        world.sign_in()
    world.act(3)
    # What the killed one held is free after a minute.
    settled(world, rsyslog.ids, 90)
    settled(world, collector.ids, 90)


def test_a_sink_that_is_away_holds_up_no_other(new_control, rsyslog, collector):
    collector.stop()
    world = World(new_control, sinks(syslog(rsyslog), otlp(collector)))
    world.act(3)
    settled(world, rsyslog.ids)
    assert until(lambda: world.metric("audit_sink_failures", "otlp") > 0)
    assert "events do not get to the sink otlp" in world.server.log()
    collector.start()
    settled(world, collector.ids, 60)
    assert until(lambda: world.metric("audit_sink_failures", "otlp") == 0)
    assert "events get to the sink otlp again" in world.server.log()


def test_the_wrong_certificate_gets_nothing(new_control, rsyslog, collector, tmp_path):
    _, other = make_certificate(tmp_path, "other")
    world = World(
        new_control,
        sinks(
            f"name: logs, kind: syslog, host: localhost, port: {rsyslog.port}, ca_file: {other}",
            f"name: otlp, kind: otlp, url: '{collector.url}', ca_file: {other}",
        ),
    )
    world.act(2)
    for sink in ("logs", "otlp"):
        assert until(lambda s=sink: (world.metric("audit_sink_failures", s) or 0) > 0)
        assert world.metric("audit_sink_sent_total", sink) == 0
    assert rsyslog.messages() == [] and collector.records == []
    assert "does not prove who it is" in world.server.log()


def test_a_client_certificate_is_shown(new_control, collector, tmp_path):
    key, certificate = make_certificate(tmp_path, "client")
    (tmp_path / "r").mkdir()
    strict = Rsyslog(tmp_path / "r", client_certificate=certificate)
    try:
        world = World(new_control, sinks(syslog(strict, f", cert_file: {certificate}, key_file: {key}")))
        world.act(2)
        settled(world, strict.ids)
    finally:
        strict.stop()


def test_a_token_is_shown_and_read_anew(new_control, collector, tmp_path):
    token = tmp_path / "token"
    token.write_text("old\n")
    token.chmod(0o640)
    collector.token = "new-token"
    world = World(new_control, sinks(otlp(collector, f", token_file: {token}")))
    world.act(1)
    assert until(lambda: (world.metric("audit_sink_failures", "otlp") or 0) > 0)
    assert collector.records == [], "401 is no reason to give events up"
    token.write_text("new-token\n")
    settled(world, collector.ids, 60)


def test_a_dead_letter_holds_up_nothing_and_is_told(new_control, collector):
    def answer(records):
        return (400, {}, b"not this one\x1b[2J") if any(bad in json.dumps(r["body"]) for r in records) else None

    bad = "prj_nobody"
    collector.answer = answer
    world = World(new_control, sinks(otlp(collector)))
    world.act(2)
    bad = world.operator.must("POST", f"/v1/tenants/{world.tenant}/projects", {"slug": "bad"})["id"]
    world.act(4)
    assert until(lambda: world.psql("SELECT count(*) FROM control.audit_inbox") == ["0"])
    dead = world.psql(f"SELECT event_id FROM control.audit_entries WHERE leaf LIKE '%{bad}%'")
    assert until(lambda: set(world.logged(world.tenant)) - set(collector.ids()) == set(dead))
    assert until(lambda: world.metric("audit_sink_dead_letters_total", "otlp") == len(dead))
    assert until(lambda: [r for r in collector.records if r["kind"] == "audit.dead-letter"])
    told = [r for r in collector.records if r["kind"] == "audit.dead-letter"]
    assert len(told) == 1 and "\x1b" not in json.dumps(told[0]["body"])
    # Its answer, which may quote people's data, can be erased.
    assert "not this one" in json.dumps(told[0]["body"])
    assert world.psql("SELECT count(*) FROM control.audit_entries WHERE leaf LIKE '%not this one%'") == ["0"]
    assert len(dead) == 1
    assert world.psql("SELECT sum(dead) FROM control.audit_cursors WHERE sink = 'otlp'") == ["1"]


def test_a_partial_success_is_counted_and_not_sent_again(new_control, collector):
    def answer(records):
        collector.records += records
        return 200, {}, json.dumps({"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "one"}}).encode()

    collector.answer = answer
    world = World(new_control, sinks(otlp(collector)))
    world.act(1)
    settled(world, collector.ids)
    collector.answer = None
    world.act(2)
    settled(world, collector.ids)
    assert len(collector.ids()) == len(set(collector.ids()))
    assert world.metric("audit_sink_dead_letters_total", "otlp") >= 1


class Fussy:
    """A receiver of syslog that breaks off the connection where it does not like a message."""

    def __init__(self, folder, dislikes):
        key, self.certificate = make_certificate(folder, "fussy")
        self.dislikes, self.broken = dislikes, 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            try:
                with self.context.wrap_socket(connection, server_side=True) as stream:
                    self.read(stream)
            except OSError:
                pass

    def read(self, stream):
        taken = b""
        while piece := stream.recv(65536):
            taken += piece
            if self.dislikes in taken:
                self.broken += 1
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


def test_what_a_sink_cannot_stand_in_one_log_does_not_hold_up_the_others(new_control, tmp_path):
    fussy = Fussy(tmp_path, b"unbearable")
    world = World(new_control, sinks(syslog(fussy)))
    left = "SELECT size - coalesce(next, 0) FROM control.audit_logs l LEFT JOIN control.audit_cursors USING (tenant_id)"
    world.operator.must("POST", f"/v1/tenants/{world.tenant}/projects", {"slug": "unbearable"})
    assert until(lambda: fussy.broken > 1)
    world.sign_in()
    assert until(lambda: world.psql("SELECT count(*) FROM control.audit_inbox") == ["0"])
    assert until(lambda: world.psql(f"{left} WHERE l.tenant_id = ''") == ["0"], 60)  # the pauses grow
    assert world.psql(f"{left} WHERE l.tenant_id = '{world.tenant}'") != ["0"]


def test_who_says_later_is_obeyed(new_control, collector):
    times = []

    def answer(records):
        times.append(time.monotonic())
        return (429, {"Retry-After": "3"}, b"slowly") if len(times) == 1 else None

    collector.answer = answer
    world = World(new_control, sinks(otlp(collector)))
    settled(world, collector.ids, 30)
    assert times[1] - times[0] >= 3
    assert len(collector.ids()) == len(set(collector.ids()))


def test_two_replicas_send_each_event_once(new_control, collector):
    world = World(new_control, sinks(otlp(collector)))
    world.control.serve(another_port=True)
    for _ in range(10):
        world.act(5)
        time.sleep(0.2)
    settled(world, collector.ids, 30)
    ids = collector.ids()
    assert len(ids) == len(set(ids)), "both were at it"
    assert in_order(ids, world.logged(world.tenant))


def test_what_a_slow_sink_took_counts_though_another_replica_has_its_log_by_then(new_control, collector):
    world = World(new_control, sinks(otlp(collector)))
    settled(world, collector.ids)
    where = f"WHERE sink = 'otlp' AND tenant_id = '{world.tenant}'"

    def answer(records):
        world.psql(
            "UPDATE control.audit_cursors SET holder = 'another', "
            f"held_until = clock_timestamp() + interval '1 hour' {where}"
        )

    collector.answer = answer
    world.act(1)
    left = f"(SELECT size FROM control.audit_logs WHERE tenant_id = '{world.tenant}') - next"
    assert until(lambda: world.psql("SELECT count(*) FROM control.audit_inbox") == ["0"])
    assert until(lambda: world.psql(f"SELECT holder, {left} FROM control.audit_cursors {where}") == ["another|0"])


def test_a_sink_that_comes_later_gets_all_from_the_beginning(new_control, collector):
    world = World(new_control, "")
    world.act(3)
    assert until(lambda: len(world.logged(world.tenant)) >= 3)
    world.control.stop()
    world.control.settings = sinks(otlp(collector))
    world.control.write_config()
    world.server = world.control.serve()
    settled(world, collector.ids)


def test_it_ends_at_once_whatever_the_sinks_do(new_control, collector):
    def answer(records):
        time.sleep(8)

    collector.answer = answer
    world = World(new_control, sinks(otlp(collector), "name: far, kind: syslog, host: 192.0.2.1"))
    world.act(1)
    time.sleep(2)
    started = time.monotonic()
    assert world.server.stop() == 0
    assert time.monotonic() - started < 4
