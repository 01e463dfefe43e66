# SPDX-License-Identifier: MIT
"""The database dies in the middle of writes, again and again: what was acknowledged is there, revisions have no gaps, and
the server itself goes on."""
import http.client
import json
import os
import signal
import time


from controllib.program import Drain


class Writer:
    def __init__(self, server, path, name):
        self.client, self.path, self.name = server.client, path, name
        self.count, self.acknowledged, self.refused, self.unknown = 0, [], 0, 0
        self.drain = None

    def step(self):
        self.count += 1
        login = f"{self.name}{self.count}"
        try:
            answer = self.client.post(f"{self.path}/users", {"login": login})
        except (OSError, http.client.HTTPException) as error:
            raise AssertionError(f"the server went away: {error!r}") from error
        if answer.status == 201:
            self.acknowledged.append((answer.json["id"], answer.json["uid"], login))
        elif answer.status == 500:
            # Cut off in the middle of a commit, and nobody left to ask whether it happened: neither yes nor "try again".
            self.unknown += 1
        else:
            # What failed may be tried again; nothing else is said of it.
            assert answer.status == 503 and "Retry-After" in answer.headers, answer
            self.refused += 1


def kill_database(cluster):
    """As a machine does that loses its power: every process at once, without a word."""
    parent = cluster.server.pid
    children = [int(pid) for pid in open(f"/proc/{parent}/task/{parent}/children", encoding="ascii").read().split()]
    for pid in [parent, *children]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    cluster.server.wait()
    cluster.server = None
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in children) and time.monotonic() < end:
        time.sleep(0.01)


def test_killed_in_the_middle_of_writes(new_control):
    control = new_control("restart")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenants = [operator.must("POST", "/v1/tenants", {"slug": f"t{n}"}) for n in range(2)]
    writers = [Writer(server, f"/v1/tenants/{tenants[n % 2]['id']}", f"w{n}-") for n in range(4)]
    for writer in writers:
        writer.client.token = operator.token
        writer.drain = Drain(writer.step)
    for _ in range(4):
        before = sum(len(w.acknowledged) for w in writers)
        end = time.monotonic() + 30
        while sum(len(w.acknowledged) for w in writers) < before + 40 and time.monotonic() < end:
            time.sleep(0.01)
        assert sum(len(w.acknowledged) for w in writers) >= before + 40, "writes do not come back after a restart"
        kill_database(control.cluster)
        control.cluster.start()
    for writer in writers:
        writer.drain.finish()
    assert server.process.poll() is None
    assert sum(w.unknown for w in writers) <= 4 * len(writers), "at most the one that each writer had under way at each kill"
    acknowledged = [one for w in writers for one in w.acknowledged]
    there = set(control.cluster.psql("SELECT id FROM control.users").split())
    assert [one for one in acknowledged if one[0] not in there] == []
    assert len({uid for _, uid, _ in acknowledged}) == len(acknowledged), "a uid was given twice"
    for tenant in tenants:
        rows = control.cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant['id']}' ORDER BY revision").splitlines()
        deltas = [json.loads(row) for row in rows]
        assert [d["rev"] for d in deltas] == list(range(1, len(deltas) + 1))
        assert control.cluster.psql(f"SELECT revision FROM control.feeds WHERE tenant_id = '{tenant['id']}'") == str(len(deltas))
        published = {op["id"] for d in deltas for op in d["ops"] if op["kind"] == "user"}
        users = set(control.cluster.psql(f"SELECT id FROM control.users WHERE tenant_id = '{tenant['id']}'").split())
        assert published == users, "the feed and the records are not the same"
    assert operator.get("/v1/tenants").status == 200
