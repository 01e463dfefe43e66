# SPDX-License-Identifier: MIT
"""Introspection: who may ask, about whom, and that the answers are the matrix's."""
import time

import pytest

from controllib.client import claims
from test_enrol import Host, Key, enrol, new_token

INACTIVE = {"active": False}


def ask(client, token, **question):
    answer = client.post("/v1/introspect", {"token": token, **question})
    assert answer.status == 200, answer
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


@pytest.fixture
def service(tenant):
    """A service account that may ask, signed in by its key."""
    operator = tenant.operator
    made = operator.must("POST", f"{tenant.path}/users", {"login": "gateway", "kind": "service"})
    operator.must("POST", f"{tenant.path}/roles", {"name": "asker", "kind": "tenant", "actions": ["token.introspect"]})
    operator.must("PUT", f"{tenant.path}/members/{made['id']}", {"role": "asker"})
    key = operator.must("POST", f"{tenant.path}/keys", {"user": made["id"], "label": "gateway"})
    return operator.as_(key["secret"])


@pytest.fixture
def host(server, control, operator, tenant):
    key, name = Key(), f"asker-{tenant.slug}"
    return Host(server, control, key, enrol(server, new_token(operator, tenant)["token"], name, key).json, name).client()


def test_who_may_not_ask(tenant, server, operator):
    user = tenant.user("alice", "owner")
    token = user.client().token
    assert server.client.post("/v1/introspect", {"token": token}).status == 401
    assert user.client().post("/v1/introspect", {"token": token}).status == 403  # a person, whatever the role
    assert operator.post("/v1/introspect", {"token": token}).status == 403
    made = operator.must("POST", f"{tenant.path}/users", {"login": "robot", "kind": "service"})
    key = operator.must("POST", f"{tenant.path}/keys", {"user": made["id"], "label": "x"})
    assert operator.as_(key["secret"]).post("/v1/introspect", {"token": token}).status == 403


def test_a_service_that_is_limited(tenant, service):
    token = tenant.user("alice").client().token
    me = service.must("GET", "/v1/me")["id"]
    for scope in ({"actions": ["dataset.write"]}, {"services": ["jupyter"]}, {"from": ["192.0.2.0/24"]}):
        key = tenant.operator.must("POST", f"{tenant.path}/keys", {"user": me, "label": "limited", **scope})
        assert service.as_(key["secret"]).post("/v1/introspect", {"token": token}).status == 403, scope


def test_tokens_and_keys(tenant, service, host):
    user = tenant.user("alice", "analyst")
    token, key = user.client().token, user.key()
    for asker in (service, host):
        answer = ask(asker, token)
        assert answer["active"] and answer["sub"] == user.id and answer["username"] == "alice"
        assert (answer["tenant"], answer["kind"], answer["tenant_role"]) == (tenant.id, "person", "analyst")
        assert answer["exp"] == claims(token)["exp"]
        assert answer["credential"] == f"token:{claims(token)['jti']}"
        assert "decision" not in answer
        answer = ask(asker, key["secret"])
        assert answer["active"] and answer["sub"] == user.id and answer["credential"] == f"api-key:{key['id']}"


def test_what_is_not_active(tenant, service, host, operator, cluster, control):
    user = tenant.user("alice", "viewer")
    client, key = user.client(), user.key()
    secret = key["secret"]
    wrong = ["", "x", "a.b.c", secret[:-1], secret + "A", secret.replace("tnt_pk_", "tnt_sk_"), client.token + "x",
             client.token.rsplit(".", 1)[0] + ".", operator.token, host.token, new_token(operator, tenant)["token"]]  # fmt: skip
    for asker in (service, host):
        for token in wrong:
            assert ask(asker, token) == INACTIVE, token
    # Revoked, suspended, signed out: from the next question on.
    assert ask(service, secret)["active"]
    operator.must("POST", f"{tenant.path}/keys/{key['id']}/revoke", {"reason": "lost"})
    assert ask(service, secret) == INACTIVE and ask(host, secret) == INACTIVE
    other = user.client()
    assert ask(service, other.token)["active"]
    other.post("/v1/sign-out")
    assert ask(service, other.token) == INACTIVE
    assert ask(service, client.token)["active"]
    operator.must("POST", f"{tenant.path}/users/{user.id}/suspend", {"reason": "left"})
    assert ask(service, client.token) == INACTIVE and ask(host, client.token) == INACTIVE
    expired = tenant.user("bob").key()
    cluster.psql(
        f"UPDATE control.api_keys SET not_after = {int(time.time())} WHERE id = '{expired['id']}'",
        database=control.database,
    )
    assert ask(service, expired["secret"]) == INACTIVE


def test_other_tenants_are_nobodys_business(tenant, new_tenant, service, host):
    stranger = new_tenant(f"{tenant.slug}-o").user("stranger", "owner")
    token, key = stranger.client().token, stranger.key()["secret"]
    for asker in (service, host):
        assert ask(asker, token) == INACTIVE
        assert ask(asker, key) == INACTIVE
        assert ask(asker, key, project="any", action="project.view") == INACTIVE


def test_decisions_are_the_matrix(tenant, new_tenant, service, host):
    operator = tenant.operator
    project = tenant.project("vision")
    tenant.project("speech")
    elsewhere = new_tenant(f"{tenant.slug}-p").project("their")
    keys = {}
    for role in ("owner", "editor", "viewer"):
        user = tenant.user(f"p-{role}")
        operator.must("PUT", f"{tenant.path}/projects/{project['id']}/members/{user.id}", {"role": role})
        keys[role] = user.key()["secret"]
    keys["tenant-admin"] = tenant.user("boss", "admin").key()["secret"]
    keys["nobody"] = tenant.user("nadia").key()["secret"]
    table = [
        ("owner", "vision", "member.manage", "allowed"),
        ("editor", "vision", "member.manage", "role-too-low"),
        ("editor", "vision", "dataset.write", "allowed"),
        ("editor", project["id"], "dataset.write", "allowed"),
        ("viewer", "vision", "dataset.write", "role-too-low"),
        ("viewer", "vision", "project.view", "allowed"),
        ("viewer", "vision", None, "allowed"),
        ("viewer", "speech", "project.view", "not-a-member"),
        ("viewer", "speech", None, "not-a-member"),
        ("viewer", "no-such-project", "project.view", "unknown-project"),
        ("owner", elsewhere["id"], "project.view", "unknown-project"),
        ("owner", "vision", "no.such.action", "role-too-low"),
        ("owner", "vision", "host.login", "not-permitted"),
        ("owner", None, "tenant.manage", "not-a-member"),
        ("tenant-admin", None, "tenant.manage", "allowed"),
        ("tenant-admin", "speech", "member.manage", "allowed"),
        ("tenant-admin", "speech", "dataset.write", "role-too-low"),
        ("nobody", "vision", "project.view", "not-a-member"),
    ]
    for who, where, action, reason in table:
        question = {name: value for name, value in (("project", where), ("action", action)) if value}
        for asker in (service, host):
            answer = ask(asker, keys[who], **question)
            assert answer["active"]
            told = (answer["decision"], answer["reason"])
            assert told == ("allow" if reason == "allowed" else "deny", reason), (who, where, action)


def test_scopes_of_keys(tenant, service):
    operator = tenant.operator
    project, other = tenant.project("vision"), tenant.project("speech")
    user = tenant.user("alice")
    for one in (project, other):
        operator.must("PUT", f"{tenant.path}/projects/{one['id']}/members/{user.id}", {"role": "editor"})
    key = user.key(projects=[project["id"]], actions=["dataset.write"], services=["store"], **{"from": ["192.0.2.0/24"]})
    good = {"project": "vision", "action": "dataset.write", "service": "store", "source": "192.0.2.7"}
    for change, reason in [
        ({}, "allowed"),
        ({"project": "speech"}, "key-scope-project"),
        ({"action": "model.deploy"}, "key-scope-action"),
        ({"service": "other"}, "key-scope-service"),
        ({"service": None}, "key-scope-service"),
        ({"source": "198.51.100.1"}, "key-scope-source"),
        ({"source": None}, "key-scope-source"),
        ({"source": "::ffff:192.0.2.7"}, "allowed"),
    ]:
        question = {name: value for name, value in {**good, **change}.items() if value}
        assert ask(service, key["secret"], **question)["reason"] == reason, change


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": 7},
        {"token": "x", "more": 1},
        {"token": "x", "source": "nowhere"},
        {"token": "x", "source": "192.0.2.0/24"},
        {"token": "x", "action": "no action"},
    ],
)
def test_malformed(service, body):
    assert service.post("/v1/introspect", body).status == 400
