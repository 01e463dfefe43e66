# SPDX-License-Identifier: MIT
"""The control plane as an OpenID provider: discovery, the device grant from its beginning to the ID token, and who is
refused on the way. The page itself is test_device_page.py's."""
import base64
import hashlib
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import PASSWORD, Tenant
from controllib.host import Host
from controllib.provider import GRANT, Browser, Page, begin, challenge, encode, part, poll, post

ANY = {"If-Match": "*"}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
COLUMNS = "polled_at = polled_at - interval '1 minute'"


@pytest.fixture(scope="module")
def control(cluster):
    from controllib.program import Control

    made = Control(cluster.folder / "provider", cluster, database="provider", settings="limits:\n  per_source: 100000\n")
    made.init()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(control):
    return control.serve()


@pytest.fixture(scope="module")
def operator(control, server):
    client = server.client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    yield client
    client.close()


@pytest.fixture
def provided(tenant):
    """A tenant whose people sign in here."""
    tenant.operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    return tenant


@pytest.fixture
def client(server):
    made = server.client
    yield made
    made.close()


@pytest.fixture
def browser(control, server):
    made = Browser(control, server.client)
    yield made
    made.client.close()


@pytest.fixture
def sql(control, cluster):
    return lambda text: cluster.psql(text, database=control.database)


@pytest.fixture
def later(sql):
    """As if the client had waited between its polls."""
    return lambda: sql(f"UPDATE control.device_grants SET {COLUMNS}")


def refused(answer, error, status=400):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["error"] == error, answer
    assert set(answer.json) == {"error", "error_description"}


def verify(server, token):
    """By the published keys, with openssl and nothing of ours."""
    head, claims, signature = token.split(".")
    keys = {key["kid"]: key for key in server.client.get("/.well-known/jwks.json").json["keys"]}
    decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    key, raw = keys[part(token, 0)["kid"]], decode(signature)
    der = b""
    for number in (raw[:32], raw[32:]):
        number = number.lstrip(b"\0")
        number = b"\0" + number if number[0] & 0x80 else number
        der += b"\x02" + bytes([len(number)]) + number
    point = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04" + decode(key["x"]) + decode(key["y"])
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", point), ("signature", b"\x30" + bytes([len(der)]) + der)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", f"{folder}/key", "-keyform", "DER", "-signature", f"{folder}/signature"],
            input=f"{head}.{claims}".encode(), check=True, capture_output=True,
        )  # fmt: skip
    return part(token, 1)


def signed_in(server, browser, tenant, user, later, **fields):
    """All of it: the token endpoint's answer."""
    codes = begin(server.client, tenant, **fields).json
    page = browser.decide(codes["user_code"], user.email, PASSWORD)
    assert page.status == 200 and "Approved" in page.text, page.answer
    later()
    answer = poll(server.client, tenant, codes["device_code"])
    assert answer.status == 200, answer
    return answer


# ---- discovery -------------------------------------------------------------------------------------------------------


def test_discovery(client, control):
    answer = client.get("/.well-known/openid-configuration")
    said, url = answer.json, control.url
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert said["issuer"] == url
    assert said["device_authorization_endpoint"] == f"{url}/oauth2/device_authorization"
    assert said["token_endpoint"] == f"{url}/oauth2/token"
    assert said["jwks_uri"] == f"{url}/.well-known/jwks.json" and said["userinfo_endpoint"] == f"{url}/oauth2/userinfo"
    assert said["grant_types_supported"] == [GRANT]
    assert said["id_token_signing_alg_values_supported"] == ["ES256"]
    assert said["token_endpoint_auth_methods_supported"] == ["none"]
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert "authorization_endpoint" not in said and said["response_types_supported"] == []


# ---- the whole of it ---------------------------------------------------------------------------------------------------


def test_somebody_signs_in(provided, client, browser, server, control, later):
    ann = provided.user("ann")
    provided.operator.must("PATCH", f"{provided.path}/users/{ann.id}", {"name": "Ann Example"}, headers=ANY)
    begun = begin(client, provided, nonce="n-0S6_WzA2Mj")
    assert begun.status == 200 and begun.headers["Cache-Control"] == "no-store"
    codes = begun.json
    assert codes["verification_uri"] == f"{control.url}/device"
    assert codes["verification_uri_complete"] == f"{control.url}/device?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    refused(poll(client, provided, codes["device_code"]), "authorization_pending")
    before = int(time.time())
    page = browser.decide(codes["user_code"], ann.email.upper(), PASSWORD)
    assert page.status == 200 and "Approved" in page.text, page.answer
    later()
    answer = poll(client, provided, codes["device_code"])
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store", answer
    said = answer.json
    assert (said["token_type"], said["expires_in"], said["scope"]) == ("Bearer", 300, "openid profile email")
    assert part(said["id_token"], 0)["typ"] == "JWT" and part(said["id_token"], 0)["alg"] == "ES256"
    claims = verify(server, said["id_token"])
    assert before <= claims["iat"] <= time.time() + 1 and claims["exp"] - claims["iat"] == 300
    assert before <= claims["auth_time"] <= claims["iat"]
    half = hashlib.sha256(said["access_token"].encode()).digest()[:16]
    assert claims.pop("at_hash") == base64.urlsafe_b64encode(half).decode().rstrip("=")
    assert len(claims.pop("jti")) == 22
    for name in ("iat", "exp", "auth_time"):
        del claims[name]
    assert claims == {
        "iss": control.url, "aud": provided.id, "sub": ann.id, "tenant": provided.id, "amr": ["pwd"], "nonce": "n-0S6_WzA2Mj",
        "email": ann.email, "email_verified": False, "name": "Ann Example", "preferred_username": "ann",
    }  # fmt: skip
    # What the access token is good for, and all that it is good for.
    about = client.get("/oauth2/userinfo", token=said["access_token"])
    assert about.json == {"sub": ann.id, "tenant": provided.id, "name": "Ann Example", "preferred_username": "ann",
                          "email": ann.email, "email_verified": False}  # fmt: skip


def test_scopes(provided, client, browser, server, later):
    ann = provided.user("ann")
    said = signed_in(server, browser, provided, ann, later, scope="openid").json
    assert said["scope"] == "openid"
    assert not {"email", "name", "preferred_username", "nonce"} & set(part(said["id_token"], 1))
    assert client.get("/oauth2/userinfo", token=said["access_token"]).json == {"sub": ann.id, "tenant": provided.id}
    said = signed_in(server, browser, provided, ann, later, scope="something email openid email").json
    assert said["scope"] == "openid email" and part(said["id_token"], 1)["email"] == ann.email


def test_tokens_are_good_for_nothing_else(provided, client, browser, server, later):
    """A host that is given them by its people can do nothing in their name."""
    owner = provided.user("root1", "owner")
    said = signed_in(server, browser, provided, owner, later).json
    for token in (said["access_token"], said["id_token"]):
        for path in ("/v1/me", provided.path, f"{provided.path}/users", "/v1/feeds/" + provided.id + "/snapshot"):
            assert client.get(path, token=token).status == 401, path
        asked = provided.operator.as_(provided.user(f"svc{token[-3:].lower().strip('-_')}x", "owner").key()["secret"])
        told = asked.post("/v1/introspect", {"credential": token})
        assert told.status in (400, 403) or told.json.get("active") is not True, told
    # And those of the API are none of UserInfo's.
    for token in (owner.client().token, owner.key()["secret"], said["id_token"], "", "x", "a.b.c"):
        answer = client.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
        refused(answer, "invalid_token", 401)
    refused(client.get("/oauth2/userinfo"), "invalid_token", 401)
    refused(client.get("/oauth2/userinfo", headers={"Authorization": "Basic eDp5"}), "invalid_token", 401)


def test_userinfo_ends_with_the_sessions(provided, client, browser, server, later):
    ann = provided.user("ann")
    token = signed_in(server, browser, provided, ann, later).json["access_token"]
    assert client.get("/oauth2/userinfo", token=token).status == 200
    provided.operator.must("POST", f"{provided.path}/users/{ann.id}/suspend", {})
    refused(client.get("/oauth2/userinfo", token=token), "invalid_token", 401)
    provided.operator.must("POST", f"{provided.path}/users/{ann.id}/resume")
    refused(client.get("/oauth2/userinfo", token=token), "invalid_token", 401)


def test_events(provided, browser, server, later):
    ann = provided.user("ann")
    said = signed_in(server, browser, provided, ann, later).json
    events = provided.operator.must("GET", f"{provided.path}/events?limit=3")["items"]
    assert [event["kind"] for event in events[:2]] == ["device.sign-in", "device.approve"]
    assert all(event["actor"] == ann.id and event["outcome"] == "success" for event in events[:2])
    assert events[0]["data"]["token"] == part(said["id_token"], 1)["jti"]
    assert events[1]["credential"] == "password" and events[1]["data"]["asked_from"] == "127.0.0.1"
    text = str(events)
    assert said["access_token"] not in text and said["id_token"] not in text


# ---- beginning ---------------------------------------------------------------------------------------------------------


def test_only_tenants_that_want_it(tenant, client):
    refused(begin(client, tenant), "unauthorized_client")
    other = tenant.operator.must(
        "POST", f"{tenant.path}/identity-providers", {"kind": "oidc", "issuer": "https://login.example", "client_id": "x"}
    )
    refused(begin(client, tenant), "unauthorized_client")
    own = tenant.operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    assert begin(client, tenant).status == 200
    tenant.operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    refused(begin(client, tenant), "unauthorized_client")
    tenant.operator.must("PATCH", tenant.path, {"suspended": False}, headers=ANY)
    tenant.operator.must("DELETE", f"{tenant.path}/identity-providers/{own['id']}")
    refused(begin(client, tenant), "unauthorized_client")
    assert other["kind"] == "oidc"


@pytest.mark.parametrize(
    "fields,error,status",
    [
        ({"client_id": None}, "invalid_request", 400),
        ({"client_id": ""}, "invalid_request", 400),
        ({"client_id": "ten_0000000000000000"}, "invalid_client", 401),
        ({"client_id": "ten_' OR true --"}, "invalid_client", 401),
        ({"client_id": "usr_0000000000000000"}, "invalid_client", 401),
        ({"client_id": "acme"}, "invalid_client", 401),
        ({"scope": None}, "invalid_scope", 400),
        ({"scope": "email profile"}, "invalid_scope", 400),
        ({"scope": "openid2"}, "invalid_scope", 400),
        ({"scope": "openid " + "x" * 300}, "invalid_scope", 400),
        ({"nonce": "x" * 129}, "invalid_request", 400),
        ({"code_challenge": challenge(VERIFIER)}, "invalid_request", 400),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request", 400),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request", 400),
        ({"code_challenge": "+" * 43, "code_challenge_method": "S256"}, "invalid_request", 400),
        ({"code_challenge_method": "S256"}, "invalid_request", 400),
    ],
)
def test_wrong_beginnings(provided, client, fields, error, status):
    refused(begin(client, provided, **fields), error, status)


@pytest.mark.parametrize(
    "body",
    [
        b"client_id=%zz&scope=openid",
        b"client_id=a%00b&scope=openid",
        b"client_id=a%0Ab&scope=openid",
        b"client_id=%ff&scope=openid",
        b"client_id&scope=openid",
        b"=x&scope=openid",
        b"scope=openid&&client_id=x",
        b"scope=openid&scope=openid",
        b"&".join(b"p%d=1" % number for number in range(40)),
        b'{"client_id": "x"}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("path", ["/oauth2/device_authorization", "/oauth2/token"])
def test_forms_that_are_none(client, path, body):
    refused(post(client, path, body), "invalid_request")


@pytest.mark.parametrize("path", ["/oauth2/device_authorization", "/oauth2/token"])
def test_forms_of_another_type(provided, client, path):
    body = encode({"client_id": provided.id, "scope": "openid"})
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=latin1"):
        refused(client.post(path, body, headers={"Content-Type": kind}), "invalid_request")
    # What a client says twice could be read in two ways; what nobody knows is passed over.
    refused(post(client, path, [("client_id", provided.id), ("client_id", provided.id), ("scope", "openid")]), "invalid_request")
    assert begin(client, provided, resource="https://x.example", empty="").status == 200
    assert post(client, "/oauth2/device_authorization", {"client_id": provided.id, "scope": "openid"},
                **{"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}).status == 200  # fmt: skip


def test_codes_are_codes(provided, client, sql):
    codes = [begin(client, provided).json for _ in range(50)]
    assert len({one["user_code"] for one in codes}) == len({one["device_code"] for one in codes}) == 50
    letters = "".join(one["user_code"].replace("-", "") for one in codes)
    assert len(set(letters)) == 20
    # Nothing of them stands in the database.
    text = sql("SELECT string_agg(g::text, ' ') FROM control.device_grants g")
    for one in codes:
        assert one["device_code"] not in text and one["user_code"].replace("-", "") not in text
        for code in (one["device_code"], one["user_code"], one["user_code"].replace("-", "")):
            assert hashlib.sha256(code.encode()).hexdigest() not in text or code == one["device_code"]


def test_only_so_many_wait(provided, client, operator, control, sql, tmp_path):
    host = Host(operator, [provided.id], f"gpu-{provided.slug}", tmp_path)
    host.sign_in(control.url)
    fill = (
        "INSERT INTO control.device_grants (id, tenant_id, device_code, user_code, scope, source, source_block, expires_at, "
        "interval_sec) SELECT 'dgr_' || substr(md5(n || '{0}'), 1, 16), '{1}', sha256(('d{0}' || n)::bytea), "
        "sha256(('u{0}' || n)::bytea), 'openid', '{0}', '{0}', now() + interval '1 minute', 5 FROM generate_series(1, {2}) n"
    )
    sql(fill.format("::ffff:127.0.0.1", provided.id, 249))
    assert begin(client, provided).status == 200
    answer = begin(client, provided)
    refused(answer, "temporarily_unavailable", 429)
    assert int(answer.headers["Retry-After"]) > 0
    # A host that proves to be one is not kept out by others.
    assert begin(host.client, provided).status == 200
    # Anybody may deny, so that makes no room: rows and events would grow without end.
    sql("UPDATE control.device_grants SET state = 'denied' WHERE source_block = '::ffff:127.0.0.1'")
    refused(begin(client, provided), "temporarily_unavailable", 429)
    # Those that somebody approved, or that are over, do not count.
    sql("UPDATE control.device_grants SET state = 'used' WHERE source_block = '::ffff:127.0.0.1'")
    assert begin(client, provided).status == 200
    sql(fill.format("192.0.2.1", provided.id, 999))
    refused(begin(client, provided), "temporarily_unavailable", 429)
    sql("UPDATE control.device_grants SET expires_at = now() - interval '2 hours' WHERE source = '192.0.2.1'")
    assert begin(client, provided).status == 200
    assert sql(f"SELECT count(*) FROM control.device_grants WHERE source = '192.0.2.1' AND tenant_id = '{provided.id}'") == "0"


def test_a_host_is_named(provided, client, browser, operator, server, control, tmp_path, new_tenant):
    ann, host = provided.user("ann"), Host(operator, [provided.id], f"node-{provided.slug}", tmp_path)
    host.sign_in(control.url)
    code = begin(host.client, provided).json["user_code"]
    assert host.name in browser.enter(code).text
    # Not where the token is no host's, and no name where it does not serve the tenant.
    for token in (ann.client().token, ann.key()["secret"], "nonsense", operator.token):
        refused(begin(server.client.as_(token), provided), "invalid_client", 401)
    refused(post(client, "/oauth2/device_authorization", {"client_id": provided.id, "scope": "openid"}, Authorization="Basic eDp5"),
            "invalid_client", 401)  # fmt: skip
    other = new_tenant(f"{provided.slug}-x")
    operator.must("POST", f"{other.path}/identity-providers", {"kind": "tenantd"})
    code = begin(host.client, other).json["user_code"]
    assert host.name not in browser.enter(code).text


# ---- polling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields,error,status",
    [
        ({"grant_type": None}, "invalid_request", 400),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", 400),
        ({"client_id": None}, "invalid_request", 400),
        ({"device_code": None}, "invalid_request", 400),
        ({"device_code": ""}, "invalid_request", 400),
        ({"client_id": "acme"}, "invalid_client", 401),
        ({"client_id": "ten_0000000000000000"}, "invalid_grant", 400),
        ({"device_code": "x" * 43}, "invalid_grant", 400),
        ({"device_code": "' OR true --"}, "invalid_grant", 400),
        ({"code_verifier": "short"}, "invalid_request", 400),
        ({"code_verifier": "x" * 129}, "invalid_request", 400),
        ({"code_verifier": "!" * 50}, "invalid_request", 400),
        ({"code_verifier": VERIFIER}, "invalid_grant", 400),
    ],
)
def test_wrong_polls(provided, client, fields, error, status):
    code = begin(client, provided).json["device_code"]
    refused(poll(client, provided, code, **fields), error, status)
    # Nothing of it counted as a poll.
    refused(poll(client, provided, code), "authorization_pending")


def test_a_client_has_no_secret(provided, client):
    code = begin(client, provided).json["device_code"]
    answer = post(client, "/oauth2/token", {"grant_type": GRANT, "client_id": provided.id, "device_code": code}, Authorization="Basic eDp5")
    refused(answer, "invalid_client", 401)
    assert answer.headers["WWW-Authenticate"]


def test_the_user_code_is_no_device_code(provided, client):
    codes = begin(client, provided).json
    refused(poll(client, provided, codes["user_code"]), "invalid_grant")


def test_another_tenants_client_gets_nothing(provided, client, browser, new_tenant, later):
    ann, other = provided.user("ann"), new_tenant(f"{provided.slug}-b")
    other.operator.must("POST", f"{other.path}/identity-providers", {"kind": "tenantd"})
    codes = begin(client, provided).json
    refused(poll(client, other, codes["device_code"]), "invalid_grant")
    browser.decide(codes["user_code"], ann.email, PASSWORD)
    refused(poll(client, other, codes["device_code"]), "invalid_grant")
    later()
    assert poll(client, provided, codes["device_code"]).status == 200


def test_slow_down_is_counted_in_the_database(provided, client, control, sql):
    code = begin(client, provided).json["device_code"]
    replica = control.serve(another_port=True)
    try:
        refused(poll(client, provided, code), "authorization_pending")
        refused(poll(replica.client, provided, code), "slow_down")
        refused(poll(client, provided, code), "slow_down")
        interval = lambda: sql(f"SELECT interval_sec FROM control.device_grants WHERE tenant_id = '{provided.id}'")  # noqa: E731
        assert interval() == "15"
        # It holds from then on: ten seconds are too few now, fifteen are enough.
        sql("UPDATE control.device_grants SET polled_at = clock_timestamp() - interval '10 seconds'")
        refused(poll(client, provided, code), "slow_down")
        assert interval() == "20"
        sql("UPDATE control.device_grants SET polled_at = clock_timestamp() - interval '20 seconds'")
        refused(poll(replica.client, provided, code), "authorization_pending")
        for _ in range(20):
            refused(poll(client, provided, code), "slow_down")
        assert interval() == "60"
    finally:
        control.servers.remove(replica)
        replica.stop()


def test_polls_that_wait_hold_nobody_back(new_control, cluster):
    """A host with many people waiting polls more often than a source may ask for other things."""
    control = new_control("busy", cluster, database="busy", settings="limits:\n  per_source: 20\n")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = Tenant(operator, "busy")
    operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    codes = [begin(server.client, tenant).json["device_code"] for _ in range(5)]
    begun = begin(server.client, tenant).json
    for number in range(60):
        cluster.psql(f"UPDATE control.device_grants SET {COLUMNS}", database="busy")
        refused(poll(server.client, tenant, codes[number % 5]), "authorization_pending")
    # What is over may be asked about as calmly, too; nobody keeps the database busy with a code that they denied.
    browser = Browser(control, server.client)
    browser.open()
    fields = {"user_code": begun["user_code"], "form": browser.page.fields["form"]}
    form = Page(post(browser.client, "/device", fields)).fields["form"]
    assert "Denied" in Page(post(browser.client, "/device", {"form": form, "decision": "deny"})).text
    for _ in range(30):
        cluster.psql(f"UPDATE control.device_grants SET {COLUMNS}", database="busy")
        refused(poll(server.client, tenant, begun["device_code"]), "access_denied")
    statuses = [poll(server.client, tenant, begun["device_code"]).status for _ in range(40)]
    assert statuses[-1] == 429, statuses
    server = control.serve(another_port=True)  # with buckets that are full
    # Guesses are another matter, and polls without a pause.
    statuses = [poll(server.client, tenant, "x" * 43 if number % 2 else codes[0]).status for number in range(40)]
    assert statuses[:15] == [400] * 15 and statuses[-1] == 429
    refused(poll(server.client, tenant, "x" * 43), "temporarily_unavailable", 429)


def test_pkce(provided, client, browser, later):
    ann = provided.user("ann")
    fields = {"code_challenge": challenge(VERIFIER), "code_challenge_method": "S256"}
    codes = begin(client, provided, **fields).json
    device = codes["device_code"]
    refused(poll(client, provided, device), "invalid_grant")
    refused(poll(client, provided, device, code_verifier=VERIFIER[:-1] + "x"), "invalid_grant")
    refused(poll(client, provided, device, code_verifier=challenge(VERIFIER)), "invalid_grant")
    # Whoever has only the device code does not even slow the client down.
    refused(poll(client, provided, device, code_verifier=VERIFIER), "authorization_pending")
    refused(poll(client, provided, device), "invalid_grant")
    browser.decide(codes["user_code"], ann.email, PASSWORD)
    later()
    refused(poll(client, provided, device), "invalid_grant")
    refused(poll(client, provided, device, code_verifier="y" * 43), "invalid_grant")
    assert poll(client, provided, device, code_verifier=VERIFIER).status == 200


def test_once(provided, client, server, browser, later):
    ann = provided.user("ann")
    codes = begin(client, provided).json
    browser.decide(codes["user_code"], ann.email, PASSWORD)
    later()
    answers, gate = [], threading.Barrier(8)

    def ask():
        own = server.client
        gate.wait()
        answers.append(poll(own, provided, codes["device_code"]))
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + [400] * 7
    assert {answer.json["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
    later()
    refused(poll(client, provided, codes["device_code"]), "invalid_grant")
    # Nor is it approved again.
    assert browser.enter(codes["user_code"]).status == 400


def test_denied(provided, client, browser, later):
    codes = begin(client, provided).json
    page = browser.decide(codes["user_code"], decision="deny")
    assert page.status == 200 and "Denied" in page.text
    for _ in range(2):
        later()
        refused(poll(client, provided, codes["device_code"]), "access_denied")
    events = provided.operator.must("GET", f"{provided.path}/events?kind=device.deny")["items"]
    assert len(events) == 1 and events[0]["actor"] == ""


def test_expired(provided, client, browser, sql):
    ann = provided.user("ann")
    codes, approved = begin(client, provided).json, begin(client, provided).json
    browser.decide(approved["user_code"], ann.email, PASSWORD)
    page = browser.enter(codes["user_code"])
    sql("UPDATE control.device_grants SET expires_at = now(), polled_at = NULL")
    refused(poll(client, provided, codes["device_code"]), "expired_token")
    # What was approved and never fetched is over, too.
    refused(poll(client, provided, approved["device_code"]), "expired_token")
    assert browser.send(email=ann.email, password=PASSWORD, decision="approve").status == 409
    assert page.status == 200 and browser.enter(codes["user_code"]).status == 400


@pytest.mark.parametrize("what", ["suspended", "resumed", "removed", "password", "tenant", "service"])
def test_who_approved_must_still_be_who_they_were(provided, client, browser, sql, later, what):
    ann, operator, path = provided.user("ann"), provided.operator, provided.path
    codes = begin(client, provided).json
    assert "Approved" in browser.decide(codes["user_code"], ann.email, PASSWORD).text
    if what in ("suspended", "resumed"):
        operator.must("POST", f"{path}/users/{ann.id}/suspend", {})
    if what == "resumed":
        operator.must("POST", f"{path}/users/{ann.id}/resume")
    if what == "removed":
        operator.must("DELETE", f"{path}/users/{ann.id}")
    if what == "password":
        operator.must("PUT", f"{path}/users/{ann.id}/password", {"password": "another sentence of hers 1"})
    if what == "tenant":
        operator.must("PATCH", path, {"suspended": True}, headers=ANY)
    if what == "service":
        sql(f"UPDATE control.users SET kind = 'service' WHERE id = '{ann.id}'")
    later()
    refused(poll(client, provided, codes["device_code"]), "access_denied")


def test_it_ends_with_the_provider(provided, client, browser, later):
    """An owner who ends sign-ins by password ends those that wait, too."""
    ann, path = provided.user("ann"), f"{provided.path}/identity-providers"
    approved, waiting = begin(client, provided).json, begin(client, provided).json
    assert "Approved" in browser.decide(approved["user_code"], ann.email, PASSWORD).text
    page = browser.enter(waiting["user_code"])
    for one in provided.operator.must("GET", path)["items"]:
        provided.operator.must("DELETE", f"{path}/{one['id']}")
    later()
    refused(poll(client, provided, approved["device_code"]), "access_denied")
    assert page.status == 200
    assert browser.send(email=ann.email, password=PASSWORD, decision="approve").status == 409
    assert browser.enter(waiting["user_code"]).status == 400


def test_right_after_a_new_password(provided, client, browser, later, server):
    """The end of all sessions reaches to the end of its second; what is approved in it counts from the next."""
    ann = provided.user("ann")
    other = "another sentence of hers 1"
    for _ in range(3):
        provided.operator.must("PUT", f"{provided.path}/users/{ann.id}/password", {"password": other})
        codes = begin(client, provided).json
        assert "Approved" in browser.decide(codes["user_code"], ann.email, other).text
        later()
        answer = poll(client, provided, codes["device_code"])
        assert answer.status == 200, answer
        claims = verify(server, answer.json["id_token"])
        valid = provided.operator.must("GET", f"{provided.path}/users/{ann.id}")["sessions_valid_from"]
        assert claims["iat"] >= valid and claims["auth_time"] >= valid
        assert client.get("/oauth2/userinfo", token=answer.json["access_token"]).status == 200


def test_what_is_over_is_swept(provided, client, sql):
    begin(client, provided)
    sql(f"UPDATE control.device_grants SET expires_at = now() - interval '2 hours' WHERE tenant_id = '{provided.id}'")
    begin(client, provided)
    assert sql(f"SELECT count(*) FROM control.device_grants WHERE tenant_id = '{provided.id}'") == "1"


def test_metrics(provided, client, control, browser, later, server):
    def counted():
        text = client.get("/metrics", token=control.internal_secret).body.decode()
        return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.startswith("tenant_control_device")}

    before = counted()
    signed_in(server, browser, provided, provided.user("ann"), later)
    browser.decide(begin(client, provided).json["user_code"], decision="deny")
    code = begin(client, provided).json
    poll(client, provided, code["device_code"])
    poll(client, provided, code["device_code"])
    browser.enter("BBBB-BBBB")
    browser.decide(code["user_code"], "nobody@x.example", "wrong")
    after = counted()
    grew = {name.removeprefix("tenant_control_"): after[name] - before[name] for name in after if after[name] != before[name]}
    assert grew == {
        "device_grants_begun_total": 3, "device_grants_approved_total": 1, "device_grants_denied_total": 1,
        "device_grants_redeemed_total": 1, "device_grants_slowed_total": 1, "device_page_wrong_codes_total": 1,
        "device_page_wrong_passwords_total": 1,
    }  # fmt: skip
