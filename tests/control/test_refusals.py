# SPDX-License-Identifier: MIT
"""What those leave behind who have proved nothing: refusals are counted and written together, nothing grows with them,
and nobody else is held back by them."""
import concurrent.futures
import itertools
import json
import time

import pytest

from controllib.jose import Key

WAIT_SECONDS = 30
ROUNDS = 20
_number = itertools.count(1)


@pytest.fixture
def own(new_control, cluster):
    """A control plane whose database nobody else writes to."""
    name = f"refusals{next(_number)}"
    made = new_control(name, cluster=cluster, tls=False, database=name, settings="limits: {per_source: 0}\n")
    made.init()
    return made


def sql(control, text):
    return control.cluster.psql(text, database=control.database).strip()


def failures(control):
    """What the platform's log says was refused."""
    lines = control.run("audit", "search", "--outcome", "failure", "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def try_it(server, email, password="not the password 11"):
    return server.client.post("/v1/operators/sign-in", {"email": email, "password": password})


def test_passwords_that_were_not_looked_at_do_not_count(own):
    """Only a few are hashed at once. Whoever is sent away for that has not guessed."""
    server = own.serve()
    for _ in range(ROUNDS):
        sql(own, "DELETE FROM control.sign_in_delays")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: try_it(server, f"nobody{n}@example.org"), range(16)))
        assert {answer.status for answer in answers} <= {401, 503}, answers
        for answer in answers:
            assert answer.status == 401 or int(answer.headers["Retry-After"]) > 0, answer
        busy = sum(answer.status == 503 for answer in answers)
        # One for each account, one for the source.
        assert sql(own, "SELECT sum(failures) FROM control.sign_in_delays") == str(2 * (16 - busy))
        if busy:
            return
    pytest.fail("nobody was sent away")


def test_known_and_unknown_people_leave_the_same_work(own):
    """Nothing is written while they wait for the answer: a statement more would say who is known."""
    server = own.serve()

    for email in ("nobody@example.org", own.OPERATOR, "somebody@example.org", own.OPERATOR):
        assert try_it(server, email).status == 401
    assert failures(own) == []
    server.stop()
    found = sorted((e["data"]["reason"], e["data"]["count"], e["target"] != "") for e in failures(own))
    assert found == [("password", 2, True), ("unknown", 2, False)]


def test_events_do_not_grow_with_refusals(own):
    server = own.serve()
    client, key = server.client, Key().jwk
    client.token = client.sign_in(own.OPERATOR, own.PASSWORD)
    tenant = client.must("POST", "/v1/tenants", {"slug": "web", "name": "web"})["id"]
    token = client.must("POST", "/v1/enrolment-tokens", {"tenants": [tenant]})["token"]
    sql(own, "DELETE FROM control.enrolment_tokens")
    stranger = server.client
    for n in range(300):
        answer = stranger.post("/v1/enrol", {"token": token, "name": f"host{n}", "key": key})
        assert answer.status == 403, answer
    server.stop()
    found = [e["data"]["count"] for e in failures(own) if e["kind"] == "host.enrol"]
    count, refused = len(found), sum(found)
    # Once in each span between two writes, and at the end.
    assert refused == 300 and count <= 5


def test_the_platforms_rows_end(own):
    gone = {
        "sign_in_delays": "(subject, failures, not_before, forget_at) VALUES ('\\x01', 9, now(), now() - interval '1 s')",
        "token_revocations": "(tenant_id, jti, at, until) VALUES ('', 'old', 1, 2)",
    }
    kept = {
        "sign_in_delays": "(subject, failures, not_before, forget_at) VALUES ('\\x02', 9, now(), now() + interval '1 h')",
        "token_revocations": "(tenant_id, jti, at, until) VALUES ('', 'new', 1, extract(epoch FROM now()) + 3600)",
    }
    for rows in (gone, kept):
        for table, values in rows.items():
            sql(own, f"INSERT INTO control.{table} {values}")
    own.serve()
    end = time.monotonic() + WAIT_SECONDS
    left = None
    while left != ["1", "1"]:
        assert time.monotonic() < end, left
        left = [sql(own, f"SELECT count(*) FROM control.{table}") for table in gone]
        time.sleep(0.1)
