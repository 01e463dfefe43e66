# SPDX-License-Identifier: MIT
"""How a host comes to be one and proves that it is: enrolment, assertions, tokens. Refusals first."""
import concurrent.futures
import time
import urllib.parse

import pytest

from controllib.client import claims
from controllib.host import Note, check_assignment
from controllib.jose import Key, assertion

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_names = iter(f"gpu-{number}" for number in range(1000))


class Host:
    def __init__(self, server, control, key, answer, name):
        self.server, self.control, self.key, self.name = server, control, key, name
        self.id, self.tenants = answer["host"], answer["tenants"]
        self.authority = answer["authority"]
        self.version = check_assignment(answer, self.id, self.authority)

    def assertion(self, key=None, header=None, now=None, **changes):
        return assertion(key or self.key, self.id, self.control.url, now or time.time(), header, **changes)

    def ask(self, text=None, **form):
        return ask(self.server.client, text or self.assertion(), **form)

    def client(self):
        made = self.server.client
        made.token = self.ask().json["access_token"]
        return made


def ask(client, text, **form):
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": text, **form}
    body = urllib.parse.urlencode({name: value for name, value in form.items() if value is not None})
    return client.post("/v1/hosts/token", body.encode(), headers=FORM)


def new_token(operator, tenant, **fields):
    return operator.must("POST", "/v1/enrolment-tokens", {"tenants": [tenant.id], **fields})


def enrol(server, token, name, key, **more):
    return server.client.post("/v1/enrol", {"token": token, "name": name, "key": key.jwk, **more})


@pytest.fixture(scope="module", name="key")
def module_key():
    return Key()


@pytest.fixture
def host(server, control, operator, tenant):
    key, name = Key(), next(_names)
    answer = enrol(server, new_token(operator, tenant)["token"], name, key, version="1.0")
    assert answer.status == 201, answer
    return Host(server, control, key, answer.json, name)


# ---- enrolment ----------------------------------------------------------------------------------------------------------


def test_wrong_enrolment_tokens(server, operator, tenant, key, cluster, control):
    made = new_token(operator, tenant)
    good, id_ = made["token"], made["id"]
    api_key = tenant.user("alice", "owner").key()["secret"]
    for wrong, status in [
        ("", 400),
        ("tnt_et_", 400),
        (good[:-1], 400),
        (good + "A", 400),
        (good[:-1] + ("A" if good[-1] != "A" else "B"), 400),  # the checksum
        (good.replace("tnt_et_", "tnt_pk_"), 400),
        (api_key, 400),
        (good.lower(), 400),
    ]:
        answer = enrol(server, wrong, next(_names), key)
        assert answer.status == status, (wrong, answer)
        assert good[30:] not in answer.body.decode()
    # One that was never made, with a right checksum: made elsewhere, and deleted.
    gone = new_token(operator, tenant)
    operator.must("DELETE", f"/v1/enrolment-tokens/{gone['id']}")
    assert enrol(server, gone["token"], next(_names), key).status == 403
    # One that has expired.
    cluster.psql(f"UPDATE control.enrolment_tokens SET expires_at = 1 WHERE id = '{id_}'", database=control.database)
    assert enrol(server, good, next(_names), key).status == 403
    # Another secret under the same id.
    cluster.psql(
        f"UPDATE control.enrolment_tokens SET expires_at = 4000000000, verifier = decode(repeat('00', 32), 'hex') "
        f"WHERE id = '{id_}'",
        database=control.database,
    )
    assert enrol(server, good, next(_names), key).status == 403


def test_wrong_names_and_keys(server, operator, tenant, key):
    token = new_token(operator, tenant)["token"]
    for name in ("", "-gpu", ".gpu", "gpu 1", "gpu/1", "gpu\n1", "g" * 254, "gpü"):
        assert enrol(server, token, name, key).status == 400, name
    for change in [
        {"crv": "P-384"},
        {"kty": "RSA"},
        {"x": key.jwk["y"]},
        {"x": ""},
        {"y": None},
        {"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"},
        {"x5u": "https://evil.example"},
    ]:
        jwk = {**key.jwk, **change}
        body = {"token": token, "name": next(_names), "key": {n: v for n, v in jwk.items() if v is not None}}
        answer = server.client.post("/v1/enrol", body)
        assert answer.status == 400, (change, answer)
        assert "jpsQ" not in answer.body.decode()
    for body in ({}, {"token": token}, {"token": token, "name": "a", "key": "text"}, {"token": token, "name": "a",
                 "key": key.jwk, "more": 1}):  # fmt: skip
        assert server.client.post("/v1/enrol", body).status == 400
    assert enrol(server, token, next(_names), key).status == 201  # none of these has used it up


def test_a_token_for_names(server, operator, tenant):
    key = Key()
    token = new_token(operator, tenant, host_name="rack7-*")["token"]
    assert enrol(server, token, next(_names), key).status == 403
    assert enrol(server, token, "rack7-a", key).status == 201


def test_enrolment_answers_and_answers_again(server, operator, tenant, control):
    key, name = Key(), next(_names)
    token = new_token(operator, tenant)["token"]
    first = enrol(server, token, name, key, version="1.0")
    assert first.status == 201
    assert first.json["name"] == name and first.json["host"].startswith("hst_")
    (served,) = first.json["tenants"]
    assert (served["id"], served["slug"]) == (tenant.id, tenant.slug)
    assert served["origin"].endswith(f"/feed/{tenant.id}")
    assert served["trust"].startswith("tenantd-feed-trust/v1\n")
    # The answer was lost: the same host asks again, though the token is used up.
    again = enrol(server, token, name, key)
    assert again.status == 201 and again.json == first.json
    # Nobody else gets in by it.
    assert enrol(server, token, next(_names), Key()).status == 403
    assert enrol(server, token, name, Key()).status == 409
    assert enrol(server, token, next(_names), key).status == 409
    hosts = [one for one in operator.must("GET", "/v1/hosts?limit=1000")["items"] if one["name"] == name]
    assert [one["id"] for one in hosts] == [first.json["host"]]


def test_one_use_is_one_host_however_many_come_at_once(server, operator, tenant):
    token = new_token(operator, tenant)["token"]
    some = [(next(_names), Key()) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda one: enrol(server, token, *one).status, some))
    assert statuses == [201] + [403] * 5


def test_another_token_adds_its_tenants(server, operator, tenant, new_tenant):
    key, name = Key(), next(_names)
    other = new_tenant(f"{tenant.slug}-x")
    first = enrol(server, new_token(operator, tenant)["token"], name, key).json
    second = enrol(server, new_token(operator, other)["token"], name, key).json
    assert second["host"] == first["host"]
    assert {one["id"] for one in second["tenants"]} == {tenant.id, other.id}


# ---- assertions ---------------------------------------------------------------------------------------------------------


def test_the_token_and_what_it_opens(host, control, operator):
    answer = host.ask()
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 300
    said = claims(answer.json["access_token"])
    assert (said["sub"], said["kind"], said["iss"]) == (host.id, "host", control.url)
    client = host.client()
    own = client.must("GET", "/v1/hosts/self")
    assert (own["id"], own["name"], own["disabled"]) == (host.id, host.name, False)
    assert own["tenants"] == host.tenants
    status = {"version": "1.0", "feeds": [{"origin": host.tenants[0]["origin"], "revision": 3}], "clock": 1790000000}
    assert client.put("/v1/hosts/self/status", status).status == 204
    assert client.put("/v1/hosts/self/status", {**status, "version": "x" * 65}).status == 400
    assert client.put("/v1/hosts/self/status", {**status, "more": 1}).status == 400
    assert client.put("/v1/hosts/self/status", {**status, "feeds": ["x" * 20000]}).status == 400
    # A host's token is a host's: it opens nothing of people's or operators'.
    for path in ("/v1/me", "/v1/hosts", "/v1/tenants", f"/v1/tenants/{host.tenants[0]['id']}/users"):
        assert client.get(path).status in (403, 404), path
    # And nobody else's token opens a host's.
    assert operator.get("/v1/hosts/self").status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example/v1/hosts/token"},
        {"aud": None},
        {"aud": ["https://localhost/v1/hosts/token"]},
        {"iss": "hst_0000000000000000"},
        {"iss": None},
        {"sub": "hst_0000000000000000"},
        {"sub": None},
        {"sub": "hst_' OR '1'='1"},
        {"jti": None},
        {"jti": ""},
        {"exp": None},
        {"iat": None},
        {"iat": -120, "exp": -60},
        {"iat": 31 + 5, "exp": 60},
        {"iat": 0, "exp": 61},
        {"iat": 0, "exp": 86400},
        {"iat": 0, "exp": 0},
    ],
)
def test_wrong_assertions(host, changes):
    now = int(time.time())
    told = {name: now + value if name in ("iat", "exp") and value is not None else value for name, value in changes.items()}
    answer = host.ask(host.assertion(**told))
    assert answer.status == 401, answer
    assert answer.json["error"] == "invalid_client"


def test_assertions_of_the_wrong_kind(host, operator, key, control):
    for header in ({"typ": "at+jwt"}, {"typ": None}, {"alg": "none"}, {"alg": "HS256"}, {"kid": key.kid}, {"kid": None},
                   {"crit": ["exp"]}, {"jwk": key.jwk}):  # fmt: skip
        assert host.ask(host.assertion(header=header)).status == 401, header
    assert host.ask(host.assertion(key=key)).status == 401
    good = host.assertion()
    assert host.ask(good.rsplit(".", 1)[0] + ".").status == 401
    for text in ("", "x", "a.b.c", operator.token, good + "."):
        assert ask(host.server.client, text).status == 401, text
    # The audience is the token endpoint, so an assertion is no access token …
    client = host.server.client
    assert client.request("GET", "/v1/hosts/self", token=good).status == 401
    # … and an access token is no assertion.
    assert host.ask(host.client().token).status == 401


def test_wrong_forms(host):
    assert host.ask(grant_type="password").json["error"] == "unsupported_grant_type"
    assert host.ask(client_assertion_type="urn:other").json["error"] == "invalid_request"
    assert host.ask(grant_type=None).json["error"] == "invalid_request"
    assert host.ask(client_id="hst_0000000000000000").status == 401
    assert host.ask(client_id=host.id).status == 200
    answer = host.server.client.post("/v1/hosts/token", {"grant_type": "client_credentials"})
    assert answer.status == 415


def test_an_assertion_is_taken_once(host, control, server):
    text = host.assertion()
    assert host.ask(text).status == 200
    for _ in range(3):
        answer = host.ask(text)
        assert answer.status == 401 and "before" in answer.json["error_description"]
    # Not by another replica either.
    other = control.serve(another_port=True)
    assert ask(other.client, text).status == 401
    assert ask(other.client, host.assertion()).status == 200
    other.stop()
    control.servers.remove(other)


def test_clocks_that_differ_a_little(host):
    now = time.time()
    assert host.ask(host.assertion(now=now + 25)).status == 200
    assert host.ask(host.assertion(now=now - 85)).status == 200
    assert host.ask(host.assertion(now=now + 40)).status == 401
    assert host.ask(host.assertion(now=now - 95)).status == 401


def test_a_disabled_host(host, operator, tenant):
    client = host.client()
    operator.must("POST", f"/v1/hosts/{host.id}/disable", {"reason": "stolen"})
    answer = host.ask()
    assert answer.status == 403 and answer.headers["Content-Type"] == "application/problem+json"
    # The platform's key says so, of this host and the key that it has: nobody can say it again of the next one.
    note = Note(answer.json["note"], [host.authority])
    assert note.lines[:4] == ["tenantd-host-disabled/v1", host.authority.split("+")[0], f"host {host.id}", f"key {host.key.kid}"]
    assert len(note.lines) == 5 and note["issued"].endswith("Z")
    assert client.get("/v1/hosts/self").status == 403
    # Only whoever has its key is told.
    other = host.ask(host.assertion(key=Key()))
    assert other.status == 401 and "note" not in other.json
    token = new_token(operator, tenant)["token"]
    assert enrol(host.server, token, host.name, host.key).status == 403
    # Enabled again it is the same host, but the key that it had is good for nothing: it has to enrol anew.
    operator.must("POST", f"/v1/hosts/{host.id}/enable")
    assert host.ask().status == 401
    host.key = Key()
    answer = enrol(host.server, token, host.name, host.key)
    assert answer.status == 201 and answer.json["host"] == host.id
    assert host.ask().status == 200


# ---- what a host serves, signed


def served(host, client):
    answer = client.must("GET", "/v1/hosts/self")
    assert "authority" not in answer
    return answer, check_assignment(answer, host.id, host.authority)


def test_the_note_stays_as_long_as_it_is_so(host):
    client = host.client()
    first, version = served(host, client)
    again, _ = served(host, client)
    assert first["assignment"] == again["assignment"] and version == host.version


def test_the_note_is_new_with_each_change(host, operator, tenant, new_tenant):
    client, other = host.client(), new_tenant("note-other")
    versions = [host.version]

    def is_newer(*ids):
        answer, version = served(host, client)
        assert [t["id"] for t in answer["tenants"]] == sorted(ids) and version > versions[-1]
        versions.append(version)
        return answer

    operator.must("PUT", f"/v1/hosts/{host.id}/tenants/{other.id}")
    is_newer(tenant.id, other.id)
    # Other keys: the note says by which trust document one begins now.
    operator.must("POST", f"/v1/tenants/{other.id}/feed/keys", {})
    is_newer(tenant.id, other.id)
    operator.must("POST", f"/v1/tenants/{other.id}/feed/epochs")
    is_newer(tenant.id, other.id)
    operator.must("DELETE", f"/v1/hosts/{host.id}/tenants/{other.id}")
    is_newer(tenant.id)
    operator.must("DELETE", f"/v1/hosts/{host.id}/tenants/{tenant.id}")
    assert is_newer()["tenants"] == []


def test_one_authority_key_for_all_hosts(host, server, operator, tenant):
    other = enrol(server, new_token(operator, tenant)["token"], next(_names), Key())
    assert other.json["authority"] == host.authority
    with pytest.raises(AssertionError):
        check_assignment(other.json, host.id, host.authority)
    forged = other.json["assignment"].replace("\nversion ", "\nversion 1")
    with pytest.raises(Exception):
        check_assignment({**other.json, "assignment": forged}, other.json["host"], host.authority)


def test_asked_at_once_there_is_one_note(host, operator, new_tenant):
    token = host.client().token
    for number in range(3):
        operator.must("PUT", f"/v1/hosts/{host.id}/tenants/{new_tenant(f'note-{number}').id}")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: host.server.client.get("/v1/hosts/self", token=token).json, range(6)))
        assert len({answer["assignment"] for answer in answers}) == 1
        check_assignment(answers[0], host.id, host.authority)
