# SPDX-License-Identifier: MIT
"""Hostile HTTP: what stands between two readings of one request, what is too much, too slow or too old; and what every
answer has."""
import concurrent.futures
import contextlib
import re
import signal
import socket
import ssl
import time

import pytest

from controllib.client import Client

GET = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = "POST /v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


def exchange(port, data, half_close=False, timeout=20):
    """Everything that the server says until it closes; it has to close."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            peer.sendall(data.encode("latin-1"))
            if half_close:
                peer.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := peer.recv(65536):
                answer += part
    return answer


def statuses(answer):
    # Only where an answer begins: bodies may quote a status line.
    return [int(status) for status in STATUS.findall(answer)]


REFUSED_AND_CLOSED = {
    "length and chunks": (POST + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + "\r\n", 400),
    "chunks and length": (POST + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + GET + "\r\n", 400),
    "two lengths": (POST + "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + GET + "\r\n", 400),
    "two equal lengths": (POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a list of lengths": (POST + "Content-Length: 2, 2\r\n\r\n{}", 400),
    "a signed length": (POST + "Content-Length: +2\r\n\r\n{}", 400),
    "a negative length": (POST + "Content-Length: -1\r\n\r\n{}", 400),
    "a length in hex": (POST + "Content-Length: 0x2\r\n\r\n{}", 400),
    "an endless length": (POST + "Content-Length: 99999999999999999999\r\n\r\n{}", 413),
    "a large length": (POST + "Content-Length: 1048577\r\n\r\n{}", 413),
    "two encodings": (POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "an unknown encoding": (POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "a list of encodings": (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded header": (POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "a header hidden by folding": (GET + "X: a\r\n Content-Length: 10\r\n\r\n", 400),
    "a header behind CR": (GET + "X: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
    "lines that end in LF": ("GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "one line that ends in LF": (GET + "X: a\nY: b\r\n\r\n", 400),
    "LF made up for": (GET + "X: a\nY:  b\r\n\r\n", 400),
    "NUL made up for": (GET + "X:a\0\0\r\nY:b\r\nZ:c\r\n\r\n", 400),
    "NUL in the last header": (GET + "X:a\0\r\n\r\n", 400),
    "two spaces in the request line": ("GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "an empty line before": ("\r\n" + GET + "Connection: close\r\n\r\n", 200),
    "NUL in the path": ("GET /healthz\0/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "NUL in a header": (GET + "X: a\0b\r\n\r\n", 400),
    "NUL in a credential": (GET + "Authorization: Bearer a\0b\r\n\r\n", 400),
    "NUL in a header's name": (GET + "X\0Y: a\r\n\r\n", 400),
    "a header without a name": (GET + ": a\r\n\r\n", 400),
    "a header without a colon": (GET + "abc\r\n\r\n", 400),
    "no Host": ("GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (GET + "Host: other\r\n\r\n", 400),
    "a Host that is none": ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "two Authorizations": (GET + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
    "two content types": (POST + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400),
    "HTTP/1.0": ("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/1.2": ("GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/2 in the clear": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": ("GET /healthz\r\n\r\n", 400),
    "an expectation": (GET + "Expect: a-miracle\r\n\r\n", 400),
    "a compressed body": (POST + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    "120 headers": (GET + "".join(f"X-{i}: a\r\n" for i in range(120)) + "\r\n", 400),
    "2000 headers": (GET + "".join(f"X-{i}: a\r\n" for i in range(2000)) + "\r\n", 431),
    "a large header": (GET + "X: " + "a" * 9000 + "\r\n\r\n", 400),
    "a huge header": (GET + "X: " + "a" * 40000 + "\r\n\r\n", 431),
    "a huge path": ("GET /" + "a" * 40000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a negative chunk": (CHUNKED + "-1\r\nab\r\n0\r\n\r\n", 400),
    "an endless chunk": (CHUNKED + "FFFFFFFFFFFFFFFFF\r\nab\r\n0\r\n\r\n", 413),
    "a chunk that is no number": (CHUNKED + "zz\r\nab\r\n0\r\n\r\n", 400),
    "a chunk in C's hex": (CHUNKED + "0x2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED + "2\r\n{}X0\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", REFUSED_AND_CLOSED)
def test_ambiguous_and_broken_requests_end_the_connection(plain, name):
    """One answer, the one that is expected, and then the end: what stands behind is never a request of its own."""
    data, status = REFUSED_AND_CLOSED[name]
    answer = exchange(plain.port, data)
    assert statuses(answer)[:1] == [status]
    assert status == 200 or b'"status":"ok"' not in answer


def test_headers_may_have_any_space_around_them(plain):
    for odd in ("X:a", "X:   a", "X:\ta", "X:", "X: ", "X: a ", "X: \xe4"):
        answer = exchange(plain.port, GET + odd + "\r\nConnection: close\r\n\r\n")
        assert statuses(answer) == [200], odd


TARGETS = {
    "/../healthz": 400,
    "/v1/..": 400,
    "//healthz": 400,
    "/healthz/": 400,
    "/healthz%00": 404,
    "/health%7A": 404,
    "/healthz%2F": 404,
    "/HEALTHZ": 404,
    "/healthz?a=1&a=2": 400,
    "/healthz?a=%00": 400,
    "/healthz?a=%FF": 400,
    "/healthz?a=%": 400,
    "/healthz?&": 400,
    "/healthz#a": 400,
    "/healthz\\": 400,
    "http://localhost/healthz": 400,
    "*": 400,
    "/" + "a" * 5000: 414,
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:30])
def test_a_path_has_one_spelling(plain, target):
    answer = exchange(plain.port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [TARGETS[target]]


def test_a_space_in_the_target_is_not_served(plain):
    assert b"ok" not in exchange(plain.port, "GET /healthz /x HTTP/1.1\r\nHost: localhost\r\n\r\n")


BODIES = {
    b'{"email":"a","email":"b"}': 400,
    b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}": 400,
    b'{"a":"\\u0000"}': 400,
    b'{"a":"\xff"}': 400,
    b"{} {}": 400,
    b"[]": 400,
    b"": 400,
    b'{"no_such_field":1}': 400,
    b'{"email":1,"password":"x"}': 400,
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:20])
def test_bodies_are_strict(server, body):
    answer = server.client.post("/v1/sign-in", body, headers={"Content-Type": "application/json"})
    assert answer.status == BODIES[body]
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("media", ["text/plain", "application/jsonx", "application/json; charset=latin-1", "", None])
def test_a_body_says_what_it_is(server, media):
    headers = {} if media is None else {"Content-Type": media}
    assert server.client.post("/v1/sign-in", b"{}", headers=headers).status == 415


def test_a_large_body_in_chunks_is_refused(plain):
    chunk = "10000\r\n" + "a" * 65536 + "\r\n"
    assert statuses(exchange(plain.port, CHUNKED + chunk * 20 + "0\r\n\r\n")) == [413]


def test_pipelined_requests_are_answered_in_order(plain):
    first = GET + "X-Request-Id: first-one\r\n\r\n"
    second = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: second-one\r\n\r\n"
    last = GET + "X-Request-Id: last-one\r\nConnection: close\r\n\r\n"
    answer = exchange(plain.port, first + second + last)
    assert re.findall(rb"X-Request-Id: ([a-z-]+)", answer) == [b"first-one", b"second-one", b"last-one"]


def test_a_half_closed_peer_gets_its_answer(plain):
    answer = exchange(plain.port, GET + "Connection: close\r\n\r\n", half_close=True)
    assert statuses(answer) == [200]


def test_methods(plain):
    client = Client(plain.port)
    head = client.request("HEAD", "/healthz")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "15")
    options = client.request("OPTIONS", "/healthz", headers={"Origin": "https://evil.example"})
    assert (options.status, options.headers["Allow"]) == (204, "OPTIONS, GET")
    assert not [name for name in options.headers if name.lower().startswith("access-control-")]
    assert client.post("/healthz").headers["Allow"] == "GET"
    for method in ("TRACE", "PROPFIND", "get", "X"):
        assert client.request(method, "/healthz").status == 405
    # Whoever has no secret learns nothing about the paths that need one.
    assert client.request("OPTIONS", "/metrics").status == 404
    assert client.post("/metrics").status == 404


def test_every_answer_has_its_headers(server):
    client = server.client
    for path in ("/healthz", "/v1/none", "/v1/tenants"):
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert re.fullmatch("[A-Za-z0-9]{22}", answer.headers["X-Request-Id"])


def test_request_ids_come_back_when_they_are_well_formed(plain):
    client = Client(plain.port)
    for given in ("abcdefgh", "A-b_9" * 6):
        assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
    for given in ("short", "a" * 33, "has space", "slash/slash", "quote\"quote"):
        assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] != given
    assert client.get("/v1/none", headers={"X-Request-Id": "mine-mine"}).json["request_id"] == "mine-mine"


def test_metrics_need_the_secret(plain):
    client = Client(plain.port)
    there = client.get("/metrics", token=plain.internal_secret)
    assert there.status == 200 and there.body.endswith(b"# EOF\n")
    assert b'tenant_control_http_requests_total{method="GET",route="/metrics"' in client.get(
        "/metrics", token=plain.internal_secret
    ).body
    absent = client.get("/v1/none")
    for token in (None, "wrong", plain.internal_secret[:-1], plain.internal_secret + "0", plain.internal_secret.upper()):
        for path in ("/metrics", "/internal/replica"):
            refused = client.get(path, token=token)
            assert refused.status == 404
            assert {**refused.json, "request_id": ""} == {**absent.json, "request_id": ""}
    replica = client.must("GET", "/internal/replica", token=plain.internal_secret)
    assert replica["database"]["ready"] and replica["database"]["connections"] > 0 and not replica["draining"]


def test_internal_routes_are_not_there_without_a_secret(new_control, cluster):
    control = new_control("no-secret", cluster=cluster, tls=False, database="nosecret")
    text = control.config_path.read_text()
    control.config_path.write_text("".join(line for line in text.splitlines(True) if "internal_secret" not in line))
    control.init()
    client = control.serve().client
    for token in (None, "", control.internal_secret):
        for path in ("/metrics", "/internal/replica", "/internal/anything"):
            assert client.get(path, token=token).status == 404


def tls_context(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    return context


def handshake(port, context):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        with context.wrap_socket(peer, server_hostname="localhost") as secure:
            return secure.version(), secure.getpeercert(True)


def test_only_tls_1_3(server):
    assert handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_3))[0] == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_2))


def test_plain_http_to_the_tls_port_says_nothing(server):
    assert b"HTTP" not in exchange(server.port, GET + "\r\n")


def await_line(server, text, seconds=20):
    """Logs are written in a moment of their own."""
    end = time.monotonic() + seconds
    while text not in server.log():
        assert time.monotonic() < end, server.log()
        time.sleep(0.01)


def test_sighup_takes_a_new_certificate_and_keeps_the_old_when_it_is_bad(cluster, new_control):
    control = new_control("reload", cluster=cluster, database="reload")
    control.init(operator=False)
    server = control.serve()
    before = handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_3))[1]
    control._make_certificate()  # pylint: disable=protected-access
    assert handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_3))[1] == before
    server.process.send_signal(signal.SIGHUP)
    await_line(server, "the certificate was read again")
    after = handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_3))[1]
    assert after != before
    (control.folder / "tls.crt").write_text("not a certificate\n")
    server.process.send_signal(signal.SIGHUP)
    await_line(server, "the certificate stays as it was")
    assert handshake(server.port, tls_context(ssl.TLSVersion.TLSv1_3))[1] == after


def test_slow_headers_and_bodies_are_cut(plain):
    """A byte now and then keeps no connection: headers have 20 s, a body 30 s."""

    def drip(first):
        with socket.create_connection(("127.0.0.1", plain.port), timeout=60) as peer:
            begun = time.monotonic()
            peer.sendall(first.encode())
            peer.settimeout(1)
            while time.monotonic() - begun < 50:
                try:
                    peer.sendall(b"a")
                    if not peer.recv(1000):
                        break
                except TimeoutError:
                    continue
                except (ConnectionResetError, BrokenPipeError):
                    break
            return time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        nothing = pool.submit(drip, "G")
        headers = pool.submit(drip, GET + "X: ")
        body = pool.submit(drip, POST + "Content-Length: 1000\r\n\r\n")
        assert nothing.result() < 25
        assert headers.result() < 45
        assert 15 < body.result() < 45


def test_sources_behind_a_trusted_proxy_are_told_apart(cluster, new_control):
    control = new_control(
        "proxy", cluster=cluster, tls=False, database="proxy",
        settings="trusted_proxies: [127.0.0.0/8]\nlimits: {per_source: 3}\n",
    )  # fmt: skip
    control.init(operator=False)
    client = control.serve().client
    for _ in range(3):
        assert client.get("/openapi.yaml", headers={"X-Forwarded-For": "192.0.2.1"}).status == 200
    refused = client.get("/openapi.yaml", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.1"})
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json["type"] == "urn:tenantd:problem:too-many-requests"
    assert client.get("/openapi.yaml", headers={"X-Forwarded-For": "192.0.2.2"}).status == 200
    # Liveness is never refused.
    assert client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.1"}).status == 200


def test_forwarded_sources_of_strangers_are_not_believed(cluster, new_control):
    control = new_control(
        "noproxy", cluster=cluster, tls=False, database="noproxy", settings="limits: {per_source: 3}\n"
    )
    control.init(operator=False)
    client = control.serve().client
    seen = [client.get("/openapi.yaml", headers={"X-Forwarded-For": f"192.0.2.{i}"}).status for i in range(4)]
    assert seen == [200, 200, 200, 429]


def test_refused_credentials_hold_their_source_back(cluster, new_control):
    control = new_control(
        "failures", cluster=cluster, tls=False, database="failures", settings="limits: {per_source: 3}\n"
    )
    control.init(operator=False)
    client = control.serve().client
    seen = [client.get("/v1/tenants", token=f"wrong{i}").status for i in range(5)]
    assert seen == [401, 401, 401, 429, 429]


def test_sigterm_finishes_what_runs_and_ends(cluster, new_control):
    control = new_control("drain", cluster=cluster, tls=False, database="drain")
    control.init(operator=False)
    server = control.serve()
    client = server.client
    assert client.get("/readyz").status == 200
    # A request that has begun and whose body comes late keeps the server; it is finished, and the connection ends.
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as late:
        late.sendall((POST + "Content-Length: 2\r\n\r\n").encode())
        ready = Client(server.port)
        assert ready.get("/readyz").status == 200
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await_line(server, "draining")
        answer = ready.get("/readyz")
        assert answer.status == 503 and answer.headers["Connection"] == "close"
        late.sendall(b"{}")
        assert statuses(late.recv(65536)) == [400]
        assert server.process.wait(15) == 0
    assert time.monotonic() - begun < 10
    with pytest.raises(ConnectionRefusedError):
        Client(server.port).get("/healthz")


# ---- Idempotency-Key, ETag, pages ----------------------------------------------------------------------------------


def test_a_write_under_one_key_happens_once(operator, tenant):
    key = {"Idempotency-Key": "one"}
    path = f"{tenant.path}/projects"
    first = operator.post(path, {"slug": "once"}, headers=key)
    again = operator.post(path, {"slug": "once"}, headers=key)
    assert first.status == again.status == 201
    assert first.json == again.json
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    assert [p["slug"] for p in operator.get(path).json["items"]] == ["once"]


def test_a_key_belongs_to_one_request(operator, tenant):
    key = {"Idempotency-Key": "two"}
    assert operator.post(f"{tenant.path}/projects", {"slug": "a"}, headers=key).status == 201
    for method, path, body in (
        ("POST", f"{tenant.path}/projects", {"slug": "b"}),
        ("POST", f"{tenant.path}/projects?x=1", {"slug": "a"}),
        ("POST", f"{tenant.path}/users", {"slug": "a"}),
    ):
        answer = operator.request(method, path, body, headers=key)
        assert answer.status == 422, (path, answer)
        assert answer.json["type"] == "urn:tenantd:problem:idempotency-mismatch"


def test_keys_are_a_principals_own(operator, tenant):
    key = {"Idempotency-Key": "three"}
    assert operator.post(f"{tenant.path}/projects", {"slug": "a"}, headers=key).status == 201
    assert tenant.owner.post(f"{tenant.path}/projects", {"slug": "b"}, headers=key).status == 201


def test_what_was_refused_may_be_tried_again(operator, tenant):
    key = {"Idempotency-Key": "four"}
    assert operator.post(f"{tenant.path}/projects", {"slug": "Not A Slug"}, headers=key).status == 400
    assert operator.post(f"{tenant.path}/projects", {"slug": "slug"}, headers=key).status == 201


def test_the_same_request_at_the_same_time_happens_once(operator, tenant):
    path = f"{tenant.path}/projects"

    def send(_):
        client = operator.as_(operator.token)
        return client.post(path, {"slug": "race"}, headers={"Idempotency-Key": "race"})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert {answer.status for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status == 201]
    assert len({answer.json["id"] for answer in made}) == 1
    assert len([answer for answer in made if "Idempotency-Replayed" not in answer.headers]) == 1
    for answer in answers:
        if answer.status == 409:
            assert answer.headers["Retry-After"] == "1"
    assert len(operator.get(path).json["items"]) == 1


@pytest.mark.parametrize("key", ["", "a" * 129, "caf\xe9\x85"], ids=["empty", "long", "latin"])
def test_keys_are_judged(operator, tenant, key):
    answer = operator.post(f"{tenant.path}/projects", {"slug": "s"}, headers={"Idempotency-Key": key})
    assert answer.status == 400


def test_kept_answers_are_sealed(control, operator, tenant):
    user = tenant.user("sealed")
    made = operator.post(
        f"{tenant.path}/keys", {"user": user.id, "label": "sealed"}, headers={"Idempotency-Key": "secret-key"}
    )
    assert made.status == 201
    secret = re.search(rb"tnt_pk_[0-9A-Za-z_]+", made.body).group()
    again = operator.post(
        f"{tenant.path}/keys", {"user": user.id, "label": "sealed"}, headers={"Idempotency-Key": "secret-key"}
    )
    assert secret in again.body
    kept = control.cluster.psql("SELECT encode(sealed, 'escape') FROM control.idempotency")
    assert kept and secret.decode() not in kept


def test_a_key_is_forgotten_after_a_day(control, operator, tenant):
    key, path = {"Idempotency-Key": "a-day"}, f"{tenant.path}/projects"
    assert operator.post(path, {"slug": "today"}, headers=key).status == 201
    control.cluster.psql(
        f"UPDATE control.idempotency SET created_at = now() - interval '25 hours' WHERE tenant_id = '{tenant.id}'"
    )
    assert operator.post(path, {"slug": "tomorrow"}, headers=key).status == 201
    assert operator.post(path, {"slug": "today"}, headers=key).status == 422


def test_a_change_says_which_version_it_is_of(operator, tenant):
    made = operator.post(f"{tenant.path}/projects", {"slug": "etag"})
    path, tag = f"{tenant.path}/projects/{made.json['id']}", made.headers["ETag"]
    change = {"allow_from": ["192.0.2.0/24"]}
    assert operator.get(path).headers["ETag"] == tag
    assert operator.get(path, headers={"If-None-Match": tag}).status == 304
    assert operator.patch(path, change).status == 428
    for bad in ('"999"', tag.strip('"'), "W/" + tag, ""):
        assert operator.patch(path, change, headers={"If-Match": bad}).status == 412, bad
    changed = operator.patch(path, change, headers={"If-Match": tag})
    assert changed.status == 200 and changed.headers["ETag"] != tag
    assert operator.patch(path, change, headers={"If-Match": tag}).status == 412
    assert operator.get(path, headers={"If-None-Match": tag}).status == 200


def test_pages_have_everything_once(operator, tenant):
    made = {operator.must("POST", f"{tenant.path}/projects", {"slug": f"p{i}"})["id"] for i in range(7)}
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = operator.get(f"{tenant.path}/projects?limit=3" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [project["id"] for project in page["items"]]
        cursor, pages = page["next"], pages + 1
        assert pages < 10
    assert len(seen) == len(made) and set(seen) == made and pages == 3
    for query in ("limit=0", "limit=1001", "limit=x", "limit=", "cursor=%00", "limit=1&limit=2", "cursor=" + "a" * 300):
        assert operator.get(f"{tenant.path}/projects?{query}").status == 400, query
