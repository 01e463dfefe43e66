# SPDX-License-Identifier: MIT
"""Signing in and out, passwords, delays, access tokens as their owners see them."""
import time

import pytest

from conftest import PASSWORD
from controllib.client import claims

OTHER = "quite another sentence 43"


@pytest.fixture
def forget_delays(control, cluster):
    yield lambda: cluster.psql("DELETE FROM control.sign_in_delays", database=control.database)
    cluster.psql("DELETE FROM control.sign_in_delays", database=control.database)


def sign_in(client, email, password, tenant):
    return client.as_(None).post("/v1/sign-in", {"tenant": tenant, "email": email, "password": password})


def test_the_answer_and_its_token(tenant, control):
    user = tenant.user("alice", "viewer")
    answer = sign_in(tenant.operator, user.email, PASSWORD, tenant.slug)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 900
    said = claims(answer.json["access_token"])
    assert said["iss"] == said["aud"] == control.url
    assert (said["sub"], said["tenant"], said["kind"]) == (user.id, tenant.id, "user")
    assert said["exp"] - said["iat"] == 900
    me = tenant.operator.as_(answer.json["access_token"]).must("GET", "/v1/me")
    assert (me["kind"], me["id"], me["tenant"], me["role"]) == ("user", user.id, tenant.id, "viewer")
    # Every sign-in gives a token of its own.
    again = sign_in(tenant.operator, user.email.upper(), PASSWORD, tenant.slug)
    assert claims(again.json["access_token"])["jti"] != said["jti"]


def test_every_wrong_sign_in_gets_one_answer(tenant, new_tenant, forget_delays):
    user = tenant.user("alice")
    other = new_tenant(f"{tenant.slug}-b")
    suspended = tenant.user("sue")
    tenant.operator.must("POST", f"{tenant.path}/users/{suspended.id}/suspend", {"reason": "test"})
    tenant.operator.must("POST", f"{tenant.path}/users", {"login": "nopass", "email": "nopass@x.example"})
    wrong = [
        (user.email, OTHER, tenant.slug),
        (user.email, PASSWORD + " ", tenant.slug),
        (user.email, "", tenant.slug),
        (user.email, "x" * 5000, tenant.slug),
        (user.email, PASSWORD, other.slug),
        (user.email, PASSWORD, "nobody-of-this-name"),
        ("nobody@x.example", PASSWORD, tenant.slug),
        ("nopass@x.example", "", tenant.slug),
        ("nopass@x.example", PASSWORD, tenant.slug),
        ("", PASSWORD, tenant.slug),
        ("%", PASSWORD, tenant.slug),
        (suspended.email, PASSWORD, tenant.slug),
        (suspended.email, OTHER, tenant.slug),
    ]
    details = set()
    for email, password, slug in wrong:
        forget_delays()
        answer = sign_in(tenant.operator, email, password, slug)
        assert answer.status == 401, (email, slug, answer)
        details.add(answer.json["detail"])
    assert len(details) == 1
    tenant.operator.must("PATCH", tenant.path, {"suspended": True}, headers={"If-Match": "*"})
    assert sign_in(tenant.operator, user.email, PASSWORD, tenant.slug).status == 401
    tenant.operator.must("PATCH", tenant.path, {"suspended": False}, headers={"If-Match": "*"})
    assert sign_in(tenant.operator, user.email, PASSWORD, tenant.slug).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tenant": "a", "email": "b@c.d"},
        {"tenant": "a", "password": "x"},
        {"email": "b@c.d", "password": "x"},
        {"tenant": "a", "email": "b@c.d", "password": "x", "more": 1},
        {"tenant": "A B", "email": "b@c.d", "password": "x"},
        {"tenant": "a", "email": "x" * 300, "password": "x"},
        {"tenant": "a", "email": "b\u0007@c.d", "password": "x"},
        {"tenant": ["a"], "email": "b@c.d", "password": "x"},
        {"tenant": "a", "email": None, "password": "x"},
    ],
)
def test_malformed(server, body):
    answer = server.client.post("/v1/sign-in", body)
    assert answer.status == 400, answer


def test_the_body_is_never_an_answer(tenant):
    answer = sign_in(tenant.operator, "who@x.example", "planted-secret-5f3a", tenant.slug)
    assert b"planted-secret-5f3a" not in answer.body


def test_delays_grow_and_end_with_a_success(tenant, control, cluster, forget_delays):
    user = tenant.user("alice")
    for _ in range(3):
        assert sign_in(tenant.operator, user.email, OTHER, tenant.slug).status == 401
    waits = []
    for _ in range(4):
        answer = sign_in(tenant.operator, user.email, PASSWORD, tenant.slug)  # the right one has to wait, too
        assert answer.status == 429, answer
        waits.append(int(answer.headers["Retry-After"]))
        # Instead of waiting: the database's clock is what counts.
        cluster.psql("UPDATE control.sign_in_delays SET not_before = now() - interval '1 second'", database=control.database)
        assert sign_in(tenant.operator, user.email, OTHER, tenant.slug).status == 401
    assert waits == [1, 2, 4, 8]
    # Another account is not held back by this one.
    other = tenant.user("bob")
    assert sign_in(tenant.operator, other.email, PASSWORD, tenant.slug).status == 200
    cluster.psql("UPDATE control.sign_in_delays SET not_before = now() - interval '1 second'", database=control.database)
    assert sign_in(tenant.operator, user.email, PASSWORD, tenant.slug).status == 200
    for _ in range(3):
        assert sign_in(tenant.operator, user.email, OTHER, tenant.slug).status == 401
    assert sign_in(tenant.operator, user.email, PASSWORD, tenant.slug).status == 429


def test_delays_never_exceed_a_quarter_of_an_hour(tenant, control, cluster, forget_delays):
    user = tenant.user("alice")
    for _ in range(3):
        sign_in(tenant.operator, user.email, OTHER, tenant.slug)
    cluster.psql(
        "UPDATE control.sign_in_delays SET failures = 1000000, not_before = now() - interval '1 second'",
        database=control.database,
    )
    assert sign_in(tenant.operator, user.email, OTHER, tenant.slug).status == 401
    answer = sign_in(tenant.operator, user.email, PASSWORD, tenant.slug)
    assert answer.status == 429 and 890 <= int(answer.headers["Retry-After"]) <= 900


def test_unknown_accounts_are_delayed_like_known_ones(tenant, control, cluster, forget_delays):
    for _ in range(3):
        assert sign_in(tenant.operator, "ghost@x.example", OTHER, tenant.slug).status == 401
    assert sign_in(tenant.operator, "ghost@x.example", OTHER, tenant.slug).status == 429
    # And the table says nothing about anybody.
    assert "ghost" not in cluster.psql("SELECT * FROM control.sign_in_delays", database=control.database)


def test_unknown_accounts_cost_the_same_work(tenant, control, cluster, forget_delays):
    user = tenant.user("alice")

    def seconds(email):
        best = []
        for _ in range(5):
            forget_delays()
            start = time.monotonic()
            assert sign_in(tenant.operator, email, OTHER, tenant.slug).status == 401
            best.append(time.monotonic() - start)
        return min(best)

    known, unknown = seconds(user.email), seconds("ghost@x.example")
    assert known > 0.01 and unknown > known * 0.6, (known, unknown)


def test_nobody_learns_a_suspended_users_password(tenant, forget_delays):
    """Were the failures forgotten after a right one, the next attempt would tell that it was right."""
    user = tenant.user("sue")
    tenant.operator.must("POST", f"{tenant.path}/users/{user.id}/suspend", {"reason": "test"})
    for third in (OTHER, PASSWORD):
        forget_delays()
        said = [sign_in(tenant.operator, user.email, password, tenant.slug).status for password in (OTHER, OTHER, third, OTHER)]
        assert said == [401, 401, 401, 429], third


def test_sign_out_ends_this_token_and_no_other(tenant):
    user = tenant.user("alice", "viewer")
    first, second = user.client(), user.client()
    assert first.post("/v1/sign-out").status == 204
    assert first.get("/v1/me").status == 401
    assert second.get("/v1/me").status == 200
    assert user.client().get("/v1/me").status == 200


def test_an_api_key_does_not_sign_out(tenant):
    user = tenant.user("alice", "owner")
    key = user.key()
    assert tenant.operator.as_(key["secret"]).post("/v1/sign-out").status == 400


def test_a_new_password_ends_all_tokens(tenant):
    user = tenant.user("alice", "viewer")
    first, second = user.client(), user.client()
    answer = first.post("/v1/password", {"current": PASSWORD, "new": OTHER})
    assert answer.status == 200, answer
    assert answer.json["acks"]["revision"] > 0
    assert first.get("/v1/me").status == 401
    assert second.get("/v1/me").status == 401
    assert sign_in(tenant.operator, user.email, PASSWORD, tenant.slug).status == 401
    # A new sign-in holds at once, though seconds are all that tokens tell.
    user.password = OTHER
    assert user.client().get("/v1/me").status == 200
    # On hosts as well, which compare what token and record say, however often the password changes in a second.
    for password in (PASSWORD, OTHER, PASSWORD):
        tenant.operator.must("PUT", f"/v1/tenants/{tenant.id}/users/{user.id}/password", {"password": password})
        token = sign_in(tenant.operator, user.email, password, tenant.slug).json["access_token"]
        record = tenant.operator.must("GET", f"/v1/tenants/{tenant.id}/users/{user.id}")
        assert claims(token)["iat"] >= record["sessions_valid_from"]


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * 257, "elevenchars", "aaaaaaaaaaaaaaaaaaaa", "tab\tin the middle", "nul\u0000in the middle"],
)
def test_passwords_that_nobody_may_have(tenant, password):
    user = tenant.user("alice")
    client = user.client()
    answer = client.post("/v1/password", {"current": PASSWORD, "new": password})
    assert answer.status == 400, answer
    assert client.get("/v1/me").status == 200


def test_ones_own_name_is_no_password(tenant):
    user = tenant.user("a-rather-long-login")
    client = user.client()
    for password in (user.email, user.email.upper(), "A-Rather-Long-Login"):
        answer = client.post("/v1/password", {"current": PASSWORD, "new": password})
        assert answer.status == 400, answer


def test_the_present_password_is_asked_for_and_guesses_are_delayed(tenant, control, cluster, forget_delays):
    user = tenant.user("alice")
    client = user.client()
    for _ in range(3):
        assert client.post("/v1/password", {"current": OTHER, "new": OTHER}).status == 400
    assert client.post("/v1/password", {"current": PASSWORD, "new": OTHER}).status == 429


def test_an_admin_sets_a_password(tenant, new_tenant):
    admin, user, owner = tenant.user("adam", "admin"), tenant.user("alice", "viewer"), tenant.user("olga", "owner")
    before = user.client()
    client = admin.client()
    path = f"{tenant.path}/users/{user.id}/password"
    assert user.client().put(path, {"password": OTHER}).status == 403
    assert client.put(f"{tenant.path}/users/{owner.id}/password", {"password": OTHER}).status == 403
    assert client.put(f"{tenant.path}/users/usr_0000000000000000/password", {"password": OTHER}).status == 404
    other = new_tenant(f"{tenant.slug}-c").user("stranger", "owner")
    assert other.client().put(path, {"password": OTHER}).status == 404
    assert client.put(path, {"password": "short"}).status == 400
    assert before.get("/v1/me").status == 200
    assert client.put(path, {"password": OTHER}).status == 200
    assert before.get("/v1/me").status == 401
    user.password = OTHER
    assert user.client().get("/v1/me").status == 200


def test_operators_sign_in_apart_from_users(tenant, server, control, operator):
    client = server.client
    user = tenant.user("alice", "owner")
    assert client.post("/v1/operators/sign-in", {"email": user.email, "password": PASSWORD}).status == 401
    assert sign_in(client, control.OPERATOR, control.PASSWORD, tenant.slug).status == 401
    said = claims(client.sign_in(control.OPERATOR, control.PASSWORD))
    assert said["kind"] == "operator" and "tenant" not in said
    me = operator.must("GET", "/v1/me")
    assert me["kind"] == "operator" and "tenant" not in me


def test_a_suspended_user_is_out_at_once(tenant):
    user = tenant.user("alice", "viewer")
    client = user.client()
    tenant.operator.must("POST", f"{tenant.path}/users/{user.id}/suspend", {"reason": "left"})
    assert client.get("/v1/me").status == 401


def test_what_is_no_credential(server, operator):
    token = operator.token
    header, payload, signature = token.split(".")
    wrong = [
        "Basic cm9vdDpyb290",
        "Bearer",
        "Bearer ",
        f"Bearer  {token}",
        f"Bearer {token} x",
        f"Bearer {token}.",
        f"Bearer {header}.{payload}.",
        f"Bearer {header}.{payload}.{signature[:-2]}AA",
        f"Bearer {header}.{payload[:-4]}AAAA.{signature}",
        "Bearer tnt_pk_0123456789abcdef",
        "Bearer tnt_et_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0YBtz5",
        "Token " + token,
    ]
    for header in wrong:
        answer = server.client.request("GET", "/v1/me", headers={"Authorization": header})
        assert answer.status == 401, header
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert server.client.get("/v1/me").status == 401
