# SPDX-License-Identifier: MIT
"""Access tokens: keys and their rotation, revocation, lifetime, and what hosts are told."""
import json
import subprocess
import time

from conftest import PASSWORD, Tenant
from controllib.client import claims
from controllib.jose import Key


def header(token):
    return claims("x." + token.split(".")[0] + ".x")


def feed_records(cluster, control, tenant, kind):
    rows = cluster.psql(
        f"SELECT id || ' ' || body FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND kind = {kind}",
        database=control.database,
    )
    return {line.split(" ", 1)[0]: json.loads(line.split(" ", 1)[1]) for line in rows.splitlines()}


def await_that(what, seconds=40):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_jwks_is_what_verifies(server, tenant, tmp_path):
    answer = server.client.get("/.well-known/jwks.json")
    assert answer.status == 200 and "max-age" in answer.headers["Cache-Control"]
    keys = {key["kid"]: key for key in answer.json["keys"]}
    assert all(key["kty"] == "EC" and key["alg"] == "ES256" and "d" not in key for key in keys.values())
    token = tenant.user("alice").client().token
    assert header(token) == {"alg": "ES256", "typ": "at+jwt", "kid": header(token)["kid"]}
    key = keys[header(token)["kid"]]

    # By the openssl program, from what the JWKS says and nothing else.
    def decode(text):
        import base64

        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def der_number(number):
        number = number.lstrip(b"\0")
        number = (b"\0" if number[0] & 0x80 else b"") + number
        return bytes([2, len(number)]) + number

    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    (tmp_path / "key.der").write_bytes(prefix + b"\x04" + decode(key["x"]) + decode(key["y"]))
    signed, signature = token.rsplit(".", 1)
    raw = decode(signature)
    pair = der_number(raw[:32]) + der_number(raw[32:])
    (tmp_path / "signature").write_bytes(bytes([0x30, len(pair)]) + pair)
    verify = ["openssl", "dgst", "-sha256", "-verify", tmp_path / "key.der", "-keyform", "DER", "-signature",
              tmp_path / "signature"]  # fmt: skip
    assert subprocess.run(verify, input=signed.encode(), capture_output=True, check=False).returncode == 0
    assert subprocess.run(verify, input=signed.encode() + b"x", capture_output=True, check=False).returncode != 0


def test_tokens_that_somebody_else_signed(server, tenant, control):
    user = tenant.user("alice", "owner")
    good = user.client().token
    said, kid = claims(good), header(good)["kid"]
    key = Key()
    for forged in (
        key.sign(said, typ="at+jwt"),
        key.sign(said, typ="at+jwt", kid=kid),
        key.sign(said, typ="at+jwt", kid=kid, jwk=key.jwk),
        key.sign(said, typ="at+jwt", kid=kid, alg="none"),
        key.sign(said, typ="at+jwt", kid="../../../dev/null"),
    ):
        assert server.client.request("GET", "/v1/me", token=forged).status == 401
    assert server.client.request("GET", "/v1/me", token=good).status == 200


def test_tokens_of_another_installation(server, plain):
    """Another issuer and other keys, whatever its operators are called."""
    client = plain.servers[0].client
    token = client.sign_in(plain.OPERATOR, plain.PASSWORD)
    assert client.request("GET", "/v1/me", token=token).status == 200
    assert server.client.request("GET", "/v1/me", token=token).status == 401


def test_one_token_is_revoked(tenant, new_tenant, cluster, control):
    user, admin, viewer = tenant.user("alice", "viewer"), tenant.user("adam", "admin"), tenant.user("vera", "viewer")
    first, second = user.client(), user.client()
    path = f"{tenant.path}/tokens/{claims(first.token)['jti']}/revoke"
    stranger = new_tenant(f"{tenant.slug}-s").user("stranger", "owner")
    assert stranger.client().post(path, {}).status == 404
    assert viewer.client().post(path, {}).status == 403
    assert admin.client().post(path, {"reason": "x" * 201}).status == 400
    assert admin.client().post(path, {"reason": "line\nbreak"}).status == 400
    assert admin.client().post(f"{tenant.path}/tokens/{'x' * 100}/revoke", {}).status == 404
    assert first.get("/v1/me").status == 200
    answer = admin.client().post(path, {"reason": "laptop lost"})
    assert answer.status == 200 and answer.json["acks"]["revision"] > 0
    assert first.get("/v1/me").status == 401
    assert second.get("/v1/me").status == 200
    record = feed_records(cluster, control, tenant, 7)[claims(first.token)["jti"]]
    assert record["of"] == "token" and record["reason"] == "laptop lost"
    assert record["until"] >= claims(first.token)["exp"]
    assert admin.client().post(path, {}).status == 200  # again is no harm
    # One tenant's word about a token's id ends nobody else's token.
    stranger.client().must("POST", f"/v1/tenants/{stranger.tenant.id}/tokens/{claims(second.token)['jti']}/revoke", {})
    assert second.get("/v1/me").status == 200


def test_hosts_learn_the_keys(server, tenant, cluster, control):
    keys = {key["kid"]: key for key in server.client.get("/.well-known/jwks.json").json["keys"]}
    await_that(lambda: set(feed_records(cluster, control, tenant, 6)) == set(keys))
    for kid, record in feed_records(cluster, control, tenant, 6).items():
        assert (record["x"], record["y"]) == (keys[kid]["x"], keys[kid]["y"])
        assert record["issuer"] == control.url
        assert record["not_after"] > time.time() + 29 * 86400


def test_rotation_keeps_old_tokens_good_until_they_end(new_control):
    control = new_control("rotation")
    control.init()
    cluster = control.cluster
    client = control.serve().client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = Tenant(client, "acme")
    old = tenant.user("alice", "viewer").client()
    old_kid = header(old.token)["kid"]

    def kids():
        return [key["kid"] for key in client.must("GET", "/.well-known/jwks.json")["keys"]]

    def sign_in():
        return client.as_(None).must(
            "POST", "/v1/sign-in", {"tenant": "acme", "email": "alice@acme.example", "password": PASSWORD}
        )["access_token"]

    def restart():
        control.stop()
        again = control.serve().client
        client.close()
        client.port = old.port = again.port
        old.close()

    # Half a day before its end: the next one is there, for everybody to see, and does not sign yet.
    now = int(time.time())
    cluster.psql(f"UPDATE control.token_keys SET signs_until = {now} + 43200", database=control.database)
    restart()
    await_that(lambda: len(kids()) == 2)
    assert header(sign_in())["kid"] == old_kid
    await_that(lambda: set(feed_records(cluster, control, tenant, 6)) == set(kids()))
    # Its time is over: the next one signs, and tokens of the old one are good.
    cluster.psql(
        f"UPDATE control.token_keys SET signs_from = signs_from - 43300, signs_until = signs_until - 43300",
        database=control.database,
    )
    restart()
    new = sign_in()
    assert header(new)["kid"] != old_kid
    assert old.get("/v1/me").status == 200
    assert client.request("GET", "/v1/me", token=new).status == 200
    # And nothing of the old one is good, once no token of it can be in force.
    cluster.psql(f"UPDATE control.token_keys SET verifies_until = 1 WHERE kid = '{old_kid}'", database=control.database)
    restart()
    await_that(lambda: old_kid not in kids())
    assert old.get("/v1/me").status == 401
    await_that(lambda: old_kid not in feed_records(cluster, control, tenant, 6))
    assert client.request("GET", "/v1/me", token=new).status == 200


def test_private_halves_are_sealed(cluster, control, server):
    rows = cluster.psql("SELECT encode(sealed, 'escape') FROM control.token_keys", database=control.database)
    assert rows.startswith("TNTSEAL1")
    assert '"d"' not in cluster.psql("SELECT jwk FROM control.token_keys", database=control.database)


def test_lifetime_from_the_environment(control, tenant, server):
    user = tenant.user("alice", "viewer")
    other = control.serve(another_port=True, ACCESS_TOKEN_LIFETIME="60")
    try:
        body = {"tenant": tenant.slug, "email": user.email, "password": user.password}
        answer = other.client.must("POST", "/v1/sign-in", body)
        said = claims(answer["access_token"])
        assert answer["expires_in"] == said["exp"] - said["iat"] == 60
        # Good at every replica, whatever that one would have given.
        assert server.client.request("GET", "/v1/me", token=answer["access_token"]).status == 200
    finally:
        other.stop()
        control.servers.remove(other)
