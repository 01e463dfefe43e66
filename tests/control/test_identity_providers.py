# SPDX-License-Identifier: MIT
"""Identity providers of tenants, who users are there, and what sudo wants to see: the API, its limits, and what hosts are
told."""
import base64
import hashlib
import json
import subprocess
import tempfile

import pytest

from controllib.host import Host
from controllib.jose import Key

ANY = {"If-Match": "*"}
GOOGLE = {"kind": "google", "client_id": "123.apps.googleusercontent.com", "client_secret": "planted-secret-a1b2"}
OIDC = {"kind": "oidc", "issuer": "https://login.example.com", "client_id": "hosts"}
ISSUER = "https://login.example.com"


@pytest.fixture
def providers(tenant):
    return f"{tenant.path}/identity-providers"


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


def fed(control, cluster, tenant, kind, ident=None):
    """What the feed says of a kind's records, as a host hears it that follows it from its beginning: version and body."""
    host = getattr(tenant, "listener", None)
    if not host:
        with tempfile.TemporaryDirectory() as folder:
            tenant.listener = host = Host(tenant.operator, [tenant.id], f"listens-{tenant.slug}", folder)
            host.sign_in(control.url)
    feed = host.feed(tenant.id)
    stream = feed.events()
    feed.follow(stream, int(cluster.psql(f"SELECT revision FROM control.feeds WHERE tenant_id = '{tenant.id}'", database=control.database)))
    stream.close()
    found = {}
    for op in (op for delta in feed.deltas for op in json.loads(delta)["ops"] if op["kind"] == kind):
        if op["op"] == "put":
            found[op["id"]] = (op["ver"], op["body"])
        else:
            found.pop(op["id"])
    return found[ident] if ident else found


IDP, USER, TENANT = "idp", "user", "tenant"


# ---- providers -----------------------------------------------------------------------------------------------------------


def test_a_life(operator, tenant, providers, control, cluster):
    made = operator.must("POST", providers, {**OIDC, "scopes": ["openid", "email"], "domains": ["example.com"], "bind": "verified_email"})
    assert made == {
        "id": made["id"], "version": 1, "created_at": made["created_at"], "name": "login.example.com", "kind": "oidc",
        "issuer": ISSUER, "client_id": "hosts", "client_auth": "none", "scopes": ["openid", "email"], "domains": ["example.com"],
        "bind": "verified_email", "client_secret_set": False, "client_key_set": False,
    }  # fmt: skip
    path = f"{providers}/{made['id']}"
    assert made["id"].startswith("idp_") and operator.must("GET", path) == made
    assert operator.must("GET", providers)["items"] == [made]
    changed = operator.must("PATCH", path, {"name": "Example", "client_id": "other", "max_age": 3600, "scopes": []}, headers=ANY)
    assert (changed["name"], changed["client_id"], changed["max_age"], changed["version"]) == ("Example", "other", 3600, 2)
    assert "scopes" not in changed and changed["domains"] == ["example.com"]
    version, body = fed(control, cluster, tenant, IDP, made["id"])
    assert version == 2 and body == {
        "name": "Example", "kind": "oidc", "issuer": ISSUER, "client_id": "other", "client_auth": "none",
        "domains": ["example.com"], "bind": "verified_email", "max_age": 3600,
    }  # fmt: skip
    assert operator.must("PATCH", path, {"max_age": 0}, headers=ANY).get("max_age") is None
    assert operator.delete(path).status == 204
    refused(operator.get(path), 404)
    assert fed(control, cluster, tenant, IDP) == {}
    kinds = [event["kind"] for event in operator.must("GET", f"{tenant.path}/events?limit=4")["items"]]
    assert kinds == ["identity-provider.delete", "identity-provider.change", "identity-provider.change", "identity-provider.create"]


def test_kinds_have_things_in_advance(operator, tenant, providers, control):
    own = operator.must("POST", providers, {"kind": "tenantd"})
    assert (own["issuer"], own["client_id"], own["client_auth"]) == (control.url, tenant.id, "none")
    google = operator.must("POST", providers, {"kind": "google", "client_id": "x"})
    assert (google["name"], google["issuer"]) == ("Google", "https://accounts.google.com")
    github = operator.must("POST", providers, {"kind": "github", "client_id": "x", "client_secret": "y"})
    assert (github["name"], github["issuer"], github["client_auth"]) == ("GitHub", "https://github.com", "client_secret_post")
    refused(operator.post(providers, {"kind": "tenantd", "issuer": "https://elsewhere.example"}), 400, "issuer")
    refused(operator.post(providers, {"kind": "tenantd", "client_id": "ten_0000000000000000"}), 400, "client_id")


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "kind"),
        ({"kind": "saml", "issuer": ISSUER, "client_id": "x"}, "kind"),
        ({"kind": "oidc", "client_id": "x"}, "issuer"),
        ({"kind": "oidc", "issuer": ISSUER}, "client_id"),
        ({**OIDC, "issuer": "http://login.example.com"}, None),
        ({**OIDC, "issuer": "https://login.example.com?x=1"}, None),
        ({**OIDC, "issuer": "https://log\u0007in.example.com"}, None),
        ({**OIDC, "client_id": "a\u0007b"}, None),
        ({**OIDC, "client_auth": "magic"}, "client_auth"),
        ({**OIDC, "client_auth": "client_secret_basic"}, None),
        ({**OIDC, "client_auth": "none", "client_secret": "x"}, None),
        ({**OIDC, "client_auth": "private_key_jwt"}, None),
        ({**OIDC, "client_key": "{}"}, "client_key"),
        ({**OIDC, "client_key": "no key"}, "client_key"),
        ({**OIDC, "bind": "email"}, "bind"),
        ({**OIDC, "bind": "verified_email"}, None),
        ({**OIDC, "domains": ["not a domain"]}, "domains"),
        ({**OIDC, "scopes": ["email"]}, None),
        ({**OIDC, "scopes": "openid"}, "scopes"),
        ({**OIDC, "max_age": -1}, "max_age"),
        ({**OIDC, "max_age": 10**9}, None),
        ({**OIDC, "preferred": "yes"}, "preferred"),
        ({**OIDC, "name": "a\nb"}, "name"),
        ({**OIDC, "token_audience": "hosts"}, None),
        ({**OIDC, "id": "idp_0000000000000000"}, "id"),
        ({"kind": "microsoft", "client_id": "x", "issuer": "https://login.microsoftonline.com/common/v2.0"}, None),
        ({"kind": "github", "client_id": "x", "acr": ["x"]}, None),
    ],
)
def test_what_is_refused(operator, providers, control, cluster, tenant, body, field):
    refused(operator.post(providers, body), 400, field)
    assert fed(control, cluster, tenant, IDP) == {} and operator.must("GET", providers)["items"] == []


def test_kind_and_issuer_are_for_ever(operator, providers):
    made = operator.must("POST", providers, OIDC)
    for change in ({"kind": "google"}, {"issuer": "https://other.example"}, {"id": "x"}):
        refused(operator.patch(f"{providers}/{made['id']}", change, headers=ANY), 400)


def test_a_name_once(operator, providers, new_tenant, tenant):
    operator.must("POST", providers, OIDC)
    refused(operator.post(providers, {**OIDC, "client_id": "again"}), 409)
    operator.must("POST", providers, {**OIDC, "client_id": "again", "name": "Again"})
    other = new_tenant(f"{tenant.slug}-b")
    operator.must("POST", f"{other.path}/identity-providers", OIDC)


def test_sixteen_at_most(operator, providers):
    for number in range(16):
        operator.must("POST", providers, {**OIDC, "name": f"n{number}"})
    refused(operator.post(providers, {**OIDC, "name": "one more"}), 409)


def test_one_is_preferred(operator, providers, tenant, control, cluster):
    first = operator.must("POST", providers, {**GOOGLE, "preferred": True})
    second = operator.must("POST", providers, {**OIDC, "preferred": True})
    assert second["preferred"] is True and "preferred" not in operator.must("GET", f"{providers}/{first['id']}")
    said = fed(control, cluster, tenant, IDP)
    assert [name for name, (_, body) in said.items() if body.get("preferred")] == [second["id"]]
    # The one that gave way has its secret still.
    assert said[first["id"]][1]["client_secret"] == GOOGLE["client_secret"] and said[first["id"]][0] == 2
    operator.must("PATCH", f"{providers}/{first['id']}", {"preferred": True}, headers=ANY)
    said = fed(control, cluster, tenant, IDP)
    assert [name for name, (_, body) in said.items() if body.get("preferred")] == [first["id"]]
    operator.must("PATCH", f"{providers}/{first['id']}", {"preferred": False}, headers=ANY)
    assert not [name for name, (_, body) in fed(control, cluster, tenant, IDP).items() if body.get("preferred")]


def test_conditions_and_keys(operator, providers):
    headers = {"Idempotency-Key": "provider-1"}
    made = operator.request("POST", providers, OIDC, headers=headers)
    again = operator.request("POST", providers, OIDC, headers=headers)
    assert again.json == made.json and again.headers["Idempotency-Replayed"] == "true"
    path, tag = f"{providers}/{made.json['id']}", made.headers["ETag"]
    assert operator.get(path, headers={"If-None-Match": tag}).status == 304
    refused(operator.patch(path, {"name": "x"}), 428)
    refused(operator.patch(path, {"name": "x"}, headers={"If-Match": '"9"'}), 412)
    assert operator.patch(path, {"name": "x"}, headers={"If-Match": tag}).status == 200
    refused(operator.delete(path, headers={"If-Match": tag}), 412)
    assert len(operator.must("GET", providers)["items"]) == 1


# ---- secrets -------------------------------------------------------------------------------------------------------------


def private_jwk():
    key = Key()
    text = subprocess.run(["openssl", "ec", "-in", key.path, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    digits = "".join(text.split("priv:")[1].split("pub:")[0].split()).replace(":", "")
    d = base64.urlsafe_b64encode(int(digits, 16).to_bytes(32, "big")).decode().rstrip("=")
    return json.dumps({**key.jwk, "d": d}), d


def test_secrets_go_to_hosts_and_never_come_back(operator, tenant, providers, control, cluster, server):
    jwk, d = private_jwk()
    google = operator.must("POST", providers, GOOGLE)
    signed = operator.must("POST", providers, {**OIDC, "client_key": jwk})
    assert (google["client_secret_set"], google["client_auth"]) == (True, "client_secret_basic")
    assert (signed["client_key_set"], signed["client_auth"]) == (True, "private_key_jwt")
    answers = [
        operator.get(providers), operator.get(f"{providers}/{google['id']}"), operator.get(f"{providers}/{signed['id']}"),
        operator.patch(f"{providers}/{google['id']}", {"name": "G"}, headers=ANY), operator.get(f"{tenant.path}/events"),
        operator.post(providers, {**GOOGLE, "name": "bad", "client_auth": "none"}),
        operator.post(providers, {**OIDC, "name": "bad", "client_key": jwk.replace("P-256", "P-257")}),
    ]  # fmt: skip
    for answer in answers:
        assert GOOGLE["client_secret"] not in answer.body.decode() and d not in answer.body.decode(), answer
    said = fed(control, cluster, tenant, IDP)
    assert said[google["id"]][1]["client_secret"] == GOOGLE["client_secret"]
    assert json.loads(said[signed["id"]][1]["client_key"])["d"] == d
    assert GOOGLE["client_secret"] not in server.log()
    # Another one, and none.
    path = f"{providers}/{google['id']}"
    operator.must("PATCH", path, {"client_secret": "another-one"}, headers=ANY)
    assert fed(control, cluster, tenant, IDP, google["id"])[1]["client_secret"] == "another-one"
    refused(operator.patch(path, {"client_secret": ""}, headers=ANY), 400)
    gone = operator.must("PATCH", path, {"client_secret": "", "client_auth": "none"}, headers=ANY)
    assert gone["client_secret_set"] is False
    assert "client_secret" not in fed(control, cluster, tenant, IDP, google["id"])[1]


def test_nothing_of_them_is_in_the_database(operator, tenant, providers, control, cluster, tmp_path):
    """Wherever hosts get them from: a backup alone opens nothing."""
    jwk, d = private_jwk()
    google = operator.must("POST", providers, GOOGLE)
    operator.must("POST", providers, {**OIDC, "client_key": jwk})
    control.run("export", tenant.id, str(tmp_path / "out"))  # makes a snapshot
    host = Host(operator, [tenant.id], f"reads-{tenant.slug}", tmp_path)
    host.sign_in(control.url)
    note, snapshot = host.feed(tenant.id).take_snapshot()
    lines = subprocess.run(["zstd", "-dc"], input=snapshot, capture_output=True, check=True).stdout.decode()
    assert GOOGLE["client_secret"] in lines and d in lines
    assert (tmp_path / "out" / "snapshot.zst").read_bytes() == snapshot
    tables = cluster.psql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'control'::regnamespace", database=control.database)
    everything = "".join(cluster.psql(f"SELECT t::text FROM control.{table} t", database=control.database) for table in tables.split())
    assert google["id"] in everything
    for secret in (GOOGLE["client_secret"], d):
        for form in (secret, secret.encode().hex(), base64.b64encode(secret.encode()).decode()[:-4]):
            assert form not in everything
    # Compressed it is not to be read either: no snapshot rests as hosts are given it.
    stored = cluster.psql(f"SELECT bytes FROM control.feed_snapshots WHERE tenant_id = '{tenant.id}'", database=control.database)
    assert stored and all(line.startswith("\\x" + b"TNTSEAL1".hex()) for line in stored.splitlines())
    # A new epoch opens and seals them anew.
    control.run("feed", "new-epoch", tenant.id)
    assert "planted-secret" not in cluster.psql("SELECT bytes FROM control.feed_deltas", database=control.database)


@pytest.mark.parametrize("what", ["secret", "password"])
def test_what_is_kept_for_a_repeated_request_guesses_nothing(operator, tenant, providers, control, cluster, what):
    """A digest that anybody can compute, of a body with a password in it, would be a much weaker hash of the password."""
    user = tenant.user("pia")
    method, path, body = {
        "secret": ("POST", providers, {**GOOGLE, "name": "repeated"}),
        "password": ("PUT", f"{tenant.path}/users/{user.id}/password", {"password": "a sentence to be guessed"}),
    }[what]
    same, raw = {"Idempotency-Key": f"again-{what}"}, json.dumps(body).encode()
    first = operator.request(method, path, raw, headers={**same, "Content-Type": "application/json"})
    assert first.status in (200, 201), first
    again = operator.request(method, path, raw, headers={**same, "Content-Type": "application/json"})
    assert again.status == first.status and again.headers["Idempotency-Replayed"] == "true"
    refused(operator.request(method, path, raw[:-1] + b" }", headers={**same, "Content-Type": "application/json"}), 422)
    kept = cluster.psql(f"SELECT fingerprint FROM control.idempotency WHERE key = 'again-{what}'", database=control.database)
    plain = b"\0".join([method.encode(), path.encode(), b"{}", raw])
    assert kept.startswith("\\x") and hashlib.sha256(plain).hexdigest() not in kept


def test_a_secret_that_was_moved_opens_nothing(operator, providers, control, cluster):
    """Sealed for its tenant and record: who writes to the database cannot use one provider's secret for another."""
    one = operator.must("POST", providers, GOOGLE)
    two = operator.must("POST", providers, {**GOOGLE, "name": "two", "client_secret": "its own"})
    cluster.psql(
        f"UPDATE control.identity_providers SET sealed = (SELECT sealed FROM control.identity_providers WHERE id = '{one['id']}') "
        f"WHERE id = '{two['id']}'",
        database=control.database,
    )
    refused(operator.patch(f"{providers}/{two['id']}", {"name": "three"}, headers=ANY), 500)


def test_hosts_hear_of_it(operator, tenant, providers, control, tmp_path):
    host = Host(operator, [tenant.id], f"hears-{tenant.slug}", tmp_path)
    host.sign_in(control.url)
    feed = host.feed(tenant.id)
    made = operator.must("POST", providers, {**GOOGLE, "preferred": True})
    stream = feed.events()
    feed.follow(stream, upto=2)
    stream.close()
    puts = [op for delta in feed.deltas for op in json.loads(delta)["ops"] if op["kind"] == "idp"]
    assert [(op["op"], op["id"], op["ver"]) for op in puts] == [("put", made["id"], 1)]
    assert puts[0]["body"]["client_secret"] == GOOGLE["client_secret"]


# ---- who may -------------------------------------------------------------------------------------------------------------


def test_who_may(operator, tenant, providers):
    """Whoever says where people come from can come as anybody."""
    owner, admin = tenant.owner, tenant.user("adam", "admin").client()
    viewer, nobody = tenant.user("vic", "viewer").client(), tenant.user("ned").client()
    made = owner.must("POST", providers, OIDC)
    path = f"{providers}/{made['id']}"
    assert admin.get(providers).status == admin.get(path).status == 200
    refused(admin.post(providers, {**OIDC, "name": "mine"}), 403)
    refused(admin.patch(path, {"client_id": "mine"}, headers=ANY), 403)
    for client in (viewer, nobody):
        for answer in (client.get(providers), client.get(path), client.post(providers, OIDC), client.delete(path),
                       client.patch(path, {"name": "x"}, headers=ANY)):  # fmt: skip
            refused(answer, 403)
    # Nor with a key that is made for less.
    owning = tenant.user("olga", "owner")
    limited = operator.as_(owning.key(actions=["tenant.manage"])["secret"])
    refused(limited.post(providers, {**OIDC, "name": "mine"}), 403)
    refused(limited.delete(path), 403)
    assert operator.as_(owning.key()["secret"]).patch(path, {"name": "ours"}, headers=ANY).status == 200
    # Taking one away gives nobody anything.
    assert admin.delete(path).status == 204


def test_another_tenants_is_not_there(operator, tenant, providers, new_tenant):
    made = operator.must("POST", providers, OIDC)
    other = new_tenant(f"{tenant.slug}-b")
    for path in (f"{other.path}/identity-providers/{made['id']}", f"{providers}/{made['id']}"):
        for answer in (other.owner.get(path), other.owner.patch(path, {"name": "x"}, headers=ANY), other.owner.delete(path)):
            refused(answer, 404)
    refused(other.owner.get(providers), 404)
    assert operator.must("GET", f"{other.path}/identity-providers")["items"] == []


# ---- identities ------------------------------------------------------------------------------------------------------------


def identity(subject, issuer=ISSUER):
    return {"issuer": issuer, "subject": subject}


def test_identities(operator, tenant, control, cluster):
    ann = tenant.user("ann", "viewer")
    path = f"{tenant.path}/users/{ann.id}"
    before = operator.must("GET", path)
    client = ann.client()
    two = [identity("1001"), identity("00u1", "https://accounts.google.com")]
    changed = operator.must("PATCH", path, {"identities": two}, headers=ANY)
    assert changed["identities"] == sorted(two, key=lambda one: one["issuer"])
    # It moves nothing else, and ends nothing.
    assert {**changed, "version": before["version"]} == {**before, "identities": changed["identities"]}
    assert client.get("/v1/me").status == 200
    version, body = fed(control, cluster, tenant, USER, ann.id)
    assert (version, body["identities"]) == (changed["version"], changed["identities"])
    # What is not said stays; what is said are all.
    assert operator.must("PATCH", path, {"name": "Ann"}, headers=ANY)["identities"] == changed["identities"]
    assert operator.must("PATCH", path, {"identities": [identity("1001")]}, headers=ANY)["identities"] == [identity("1001")]
    assert "identities" not in operator.must("PATCH", path, {"identities": []}, headers=ANY)
    assert "identities" not in fed(control, cluster, tenant, USER, ann.id)[1]
    events = operator.must("GET", f"{tenant.path}/events?kind=user.identities")["items"]
    assert [event["data"]["after"] for event in events] == [[], [identity("1001")], two]
    assert events[0]["data"]["before"] == [identity("1001")] and events[0]["target"] == ann.id
    made = operator.must("POST", f"{tenant.path}/users", {"login": "bob", "identities": [identity("1002")]})
    assert made["identities"] == [identity("1002")]
    assert fed(control, cluster, tenant, USER, made["id"])[1]["identities"] == [identity("1002")]
    assert operator.must("GET", f"{tenant.path}/users?login=bob")["items"][0]["identities"] == [identity("1002")]


def test_an_identity_is_one_users(operator, tenant, new_tenant, control, cluster):
    ann, bob = tenant.user("ann"), tenant.user("bob")
    where = f"{tenant.path}/users/"
    operator.must("PATCH", where + ann.id, {"identities": [identity("1")]}, headers=ANY)
    refused(operator.patch(where + bob.id, {"identities": [identity("2"), identity("1")]}, headers=ANY), 409)
    refused(operator.post(f"{tenant.path}/users", {"login": "carl", "identities": [identity("1")]}), 409)
    refused(operator.get(where + "carl"), 404)
    assert "identities" not in operator.must("GET", where + bob.id)
    # Another subject's letters, another issuer, another tenant: others.
    operator.must("PATCH", where + bob.id, {"identities": [identity("1", ISSUER + "/"), identity("1 ".strip() + "a"), identity("A")]}, headers=ANY)
    other = new_tenant(f"{tenant.slug}-b")
    carl = other.user("carl")
    operator.must("PATCH", f"{other.path}/users/{carl.id}", {"identities": [identity("1")]}, headers=ANY)
    # Free again with its user.
    operator.must("DELETE", where + ann.id)
    operator.must("PATCH", where + bob.id, {"identities": [identity("1")]}, headers=ANY)
    count = cluster.psql(f"SELECT count(*) FROM control.user_identities WHERE tenant_id = '{tenant.id}'", database=control.database)
    assert count == "1"


@pytest.mark.parametrize(
    "identities",
    [
        "x", [1], ["x"], [{}], [{"issuer": ISSUER}], [{"subject": "1"}], [{**identity("1"), "more": 1}],
        [identity(1)], [identity("")], [identity("x" * 256)], [identity("a\u0007")], [identity("1", "http://login.example.com")],
        [identity("1", "login.example.com")], [identity("1", "https://x.example/?q")], [identity(str(n)) for n in range(17)], None,
    ],
)  # fmt: skip
def test_identities_that_are_none(operator, tenant, identities):
    ann = tenant.user("ann")
    refused(operator.patch(f"{tenant.path}/users/{ann.id}", {"identities": identities}, headers=ANY), 400)
    assert "identities" not in operator.must("GET", f"{tenant.path}/users/{ann.id}")


def test_twice_the_same_is_refused(operator, tenant):
    ann = tenant.user("ann")
    refused(operator.patch(f"{tenant.path}/users/{ann.id}", {"identities": [identity("1"), identity("1")]}, headers=ANY), 409)


def test_service_accounts_have_none(operator, tenant):
    refused(operator.post(f"{tenant.path}/users", {"login": "bot", "kind": "service", "identities": [identity("1")]}), 400, "identities")
    bot = operator.must("POST", f"{tenant.path}/users", {"login": "bot", "kind": "service"})
    refused(operator.patch(f"{tenant.path}/users/{bot['id']}", {"identities": [identity("1")]}, headers=ANY), 400, "identities")


def test_who_may_say_who_somebody_is(operator, tenant):
    """Whoever gives somebody an identity of their own signs in as them."""
    owner, admin = tenant.user("olga", "owner"), tenant.user("adam", "admin")
    mine = {"identities": [identity("adams-own")]}
    refused(admin.client().patch(f"{tenant.path}/users/{owner.id}", mine, headers=ANY), 403)
    assert admin.client().patch(f"{tenant.path}/users/{admin.id}", mine, headers=ANY).status == 200
    viewer = tenant.user("vic", "viewer")
    refused(viewer.client().patch(f"{tenant.path}/users/{viewer.id}", mine, headers=ANY), 403)


# ---- sudo ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sudo", [{"proof": "none"}, {"proof": "always"}, {"proof": "recent"}, {"proof": "recent", "within": 600}])
def test_sudo(operator, tenant, control, cluster, sudo):
    changed = operator.must("PATCH", tenant.path, {"policy": {"sudo": sudo}}, headers=ANY)
    assert changed["policy"] == {"sudo": sudo}
    assert fed(control, cluster, tenant, TENANT, tenant.id)[1]["sudo"] == sudo


@pytest.mark.parametrize(
    "sudo", [{}, "none", {"proof": "never"}, {"proof": "recent", "within": 0}, {"proof": "recent", "within": "15m"},
             {"proof": "recent", "within": 10**7}, {"proof": "none", "more": 1}]
)  # fmt: skip
def test_sudo_policies_that_are_none(operator, tenant, sudo):
    refused(operator.patch(tenant.path, {"policy": {"sudo": sudo}}, headers=ANY), 400)
    assert operator.must("GET", tenant.path)["policy"] == {}


# ---- the command line --------------------------------------------------------------------------------------------------------


def test_verbs(control, operator, tenant, tmp_path, cluster):
    where = ("--tenant", tenant.slug)
    as_json = lambda *words, **more: json.loads(control.run(*words, *where, "--json", **more).stdout)  # noqa: E731
    secret, jwk = tmp_path / "secret", tmp_path / "key.json"
    secret.write_text(GOOGLE["client_secret"] + "\nmore\n")
    text, d = private_jwk()
    jwk.write_text(json.dumps(json.loads(text), indent=2) + "\n")
    for file in (tmp_path, secret, jwk):
        file.chmod(0o755)
    own = as_json("provider", "add", "tenantd")
    assert own["issuer"] == control.url
    google = as_json("provider", "add", "google", "--client-id", "x", "--client-secret-file", secret, "--max-age", "8h",
                     "--domain", "a.example,b.example", "--bind", "verified_email")  # fmt: skip
    assert google["client_secret_set"] and google["max_age"] == 28800 and google["domains"] == ["a.example", "b.example"]
    assert fed(control, cluster, tenant, IDP, google["id"])[1]["client_secret"] == GOOGLE["client_secret"]
    as_json("provider", "set", google["id"], "--client-secret-file", "-", input="from standard input\n")
    assert fed(control, cluster, tenant, IDP, google["id"])[1]["client_secret"] == "from standard input"
    signed = as_json("provider", "add", "oidc", "--issuer", ISSUER, "--client-id", "x", "--client-key-file", jwk)
    assert signed["client_auth"] == "private_key_jwt"
    assert json.loads(fed(control, cluster, tenant, IDP, signed["id"])[1]["client_key"])["d"] == d
    assert as_json("provider", "prefer", own["id"])["preferred"] is True
    listed = control.run("provider", "list", *where).stdout
    assert ISSUER in listed and "true" in listed and GOOGLE["client_secret"] not in listed
    shown = control.run("provider", "show", google["id"], *where).stdout
    assert "client_secret_set" in shown and "standard input" not in shown
    control.run("provider", "remove", signed["id"], *where)
    assert control.run("provider", "show", signed["id"], *where, check=False).returncode == 3
    tenant.user("ann")
    ann = as_json("user", "set", "ann", "--identity", f"{ISSUER}=a=b", "--identity", "https://accounts.google.com=10")
    assert ann["identities"] == [identity("10", "https://accounts.google.com"), identity("a=b")]
    assert "identities" not in as_json("user", "set", "ann", "--identity", "")
    assert as_json("user", "add", "bob", "--identity", f"{ISSUER}=7")["identities"] == [identity("7")]
    assert json.loads(control.run("tenant", "set", tenant.slug, "--policy", '{"sudo": {"proof": "recent"}}', "--json").stdout)["policy"]["sudo"]


@pytest.mark.parametrize(
    "words",
    [
        ("provider", "add", "oidc", "--client-secret", "typed"),
        ("provider", "add", "google", "--client-id", "x", "--client-secret-file", "/nonexistent"),
        ("provider", "add", "google", "--client-id", "x", "--client-key-file", "/etc/hostname"),
        ("user", "set", "ann", "--identity", "nothing"),
        ("user", "set", "ann", "--identity", "=1"),
        ("user", "set", "ann", "--identity", ISSUER + "="),
    ],
)
def test_wrong_usage(control, words):
    done = control.run(*words, "--tenant", "acme", check=False)
    assert done.returncode == 2 and done.stdout == "", done
