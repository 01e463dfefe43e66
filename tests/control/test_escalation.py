# SPDX-License-Identifier: MIT
"""Nobody comes by more than they have: with limited API keys, in projects, with what a disabled host had."""
import itertools
import time

import pytest

from controllib.host import Host

NOW = int(time.time())
ANY = {"If-Match": "*"}
_number = itertools.count(1)


def refused(answer, status):
    assert answer.status == status, answer


@pytest.fixture
def new_host(operator, control, tmp_path_factory):
    def make(tenants, name=None):
        name = name or f"climber{next(_number)}"
        return Host(operator, [t.id for t in tenants], name, tmp_path_factory.mktemp("host"))

    return make


@pytest.mark.parametrize(
    "limit",
    [
        {"actions": ["key.manage"]},
        {"services": ["tenant-control"]},
        {"from": ["127.0.0.0/8"]},
        {"not_after": NOW + 3600},
    ],
)
def test_a_limited_key_rotates_none_that_may_more(operator, tenant, limit):
    ann = tenant.user("ann", "owner")
    wide, narrow = ann.key(), ann.key(**limit)
    client = operator.as_(narrow["secret"])
    refused(client.post(f"{tenant.path}/keys/{wide['id']}/rotate", {}), 403)
    equal = ann.key(**limit)
    answer = client.post(f"{tenant.path}/keys/{equal['id']}/rotate", {"not_after": limit["not_after"]} if "not_after" in limit else {})
    assert answer.status == 201, answer
    assert client.post(f"{tenant.path}/keys/{narrow['id']}/rotate", {}).status == 201


def test_a_key_that_ends_does_not_give_itself_more_time(operator, tenant):
    key = tenant.user("ann", "viewer").key(not_after=int(time.time()) + 600)
    path = f"{tenant.path}/keys/{key['id']}/rotate"
    client = operator.as_(key["secret"])
    refused(client.post(path, {"not_after": int(time.time()) + 86400}), 403)
    assert client.post(path, {}).json["not_after"] <= int(time.time()) + 601


def test_a_key_that_has_not_begun_has_no_successor_that_has(operator, tenant):
    begins = int(time.time()) + 3600
    key = tenant.user("ann", "viewer").key(not_before=begins)
    made = operator.must("POST", f"{tenant.path}/keys/{key['id']}/rotate", {"grace": 7200})
    assert made["not_before"] == begins
    refused(operator.as_(made["secret"]).get(tenant.path), 401)


def test_answers_are_not_given_again_to_a_limited_key(operator, tenant):
    ann = tenant.user("ann", "owner")
    same = {"Idempotency-Key": "the-first"}
    ann.client().must("POST", f"{tenant.path}/keys", {"label": "wide"}, headers=same)
    narrow = operator.as_(ann.key(actions=["key.manage"])["secret"])
    refused(narrow.post(f"{tenant.path}/keys", {"label": "wide"}, headers=same), 403)


@pytest.mark.parametrize("limit", [{"actions": ["tenant.manage"]}, {"not_after": NOW + 3600}, {"from": ["127.0.0.0/8"]}])
def test_a_limited_key_sets_no_passwords(operator, tenant, limit):
    ann, bob = tenant.user("ann", "owner"), tenant.user("bob")
    client = operator.as_(ann.key(**limit)["secret"])
    for user in (ann, bob):
        refused(client.put(f"{tenant.path}/users/{user.id}/password", {"password": "somebody else's sentence"}), 403)
    assert operator.as_(ann.key()["secret"]).put(f"{tenant.path}/users/{bob.id}/password", {"password": "a new sentence of his"}).status == 200


@pytest.mark.parametrize("limit", [{"actions": ["tenant.manage"]}, {"not_after": NOW + 3600}, {"from": ["127.0.0.0/8"]}])
@pytest.mark.parametrize(
    "field, value",
    [
        ("identities", [{"issuer": "https://login.example", "subject": "whoever-holds-the-key"}]),
        ("ssh_keys", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvoM0zPWzKXbXbBGnbnZ4vGbXjwWvZ4c6Zq3Xl6CkXw x"]),
        ("email", "whoever-holds-the-key@login.example"),
    ],
)
def test_a_limited_key_gives_nobody_another_way_in(operator, tenant, limit, field, value):
    """Whoever signs in by these has all that the user has, from anywhere and for ever."""
    ann, bob = tenant.user("ann", "owner"), tenant.user("bob")
    client = operator.as_(ann.key(**limit)["secret"])
    for user in (ann, bob):
        before = operator.must("GET", f"{tenant.path}/users/{user.id}")
        refused(client.patch(f"{tenant.path}/users/{user.id}", {field: value}, headers=ANY), 403)
        assert operator.must("GET", f"{tenant.path}/users/{user.id}") == before
    assert client.patch(f"{tenant.path}/users/{bob.id}", {"name": "Bob"}, headers=ANY).status == 200
    assert operator.as_(ann.key()["secret"]).patch(f"{tenant.path}/users/{bob.id}", {field: value}, headers=ANY).status == 200


@pytest.mark.parametrize("limit", [{"actions": ["tenant.manage", "member.manage"]}, {"not_after": NOW + 3600}, {"from": ["127.0.0.0/8"]}])
@pytest.mark.parametrize(
    "field, value",
    [
        ("identities", [{"issuer": "https://login.example", "subject": "whoever-holds-the-key"}]),
        ("ssh_keys", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvoM0zPWzKXbXbBGnbnZ4vGbXjwWvZ4c6Zq3Xl6CkXw x"]),
        ("password", "a sentence of the thief's"),
    ],
)
def test_a_limited_key_makes_no_second_self(operator, tenant, limit, field, value):
    """A new user with a way in that has no limit, and then a role."""
    client = operator.as_(tenant.user("ann", "owner").key(**limit)["secret"])
    eve = {"login": f"eve{next(_number)}", "email": "eve@login.example"}
    refused(client.post(f"{tenant.path}/users", {**eve, field: value}), 403)
    assert operator.get(f"{tenant.path}/users/{eve['login']}").status == 404
    assert client.post(f"{tenant.path}/users", eve).status == 201


def test_a_limited_key_gives_no_role_that_may_more(operator, tenant):
    ann, bob = tenant.user("ann", "owner"), tenant.user("bob")
    client = operator.as_(ann.key(actions=["tenant.manage", "project.view"])["secret"])
    for role in ("owner", "admin", "analyst"):
        refused(client.put(f"{tenant.path}/members/{bob.id}", {"role": role}), 403)
    assert client.put(f"{tenant.path}/members/{bob.id}", {"role": "viewer"}).status == 201


def test_nobody_takes_a_role_in_a_project_that_they_could_not_give(operator, tenant):
    members = f"{tenant.path}/projects/{tenant.project('web')['id']}/members"
    helper = {"name": "helper", "kind": "project", "actions": ["member.manage", "project.view", "host.login"]}
    operator.must("POST", f"{tenant.path}/roles", helper)
    ann, bob, eve = tenant.user("ann"), tenant.user("bob"), tenant.user("eve")
    operator.must("PUT", f"{members}/{ann.id}", {"role": "owner"})
    operator.must("PUT", f"{members}/{bob.id}", {"role": "helper"})
    operator.must("PUT", f"{members}/{eve.id}", {"role": "helper"})
    client = bob.client()
    refused(client.put(f"{members}/{ann.id}", {"role": "helper"}), 403)
    refused(client.delete(f"{members}/{ann.id}"), 403)
    assert client.delete(f"{members}/{eve.id}").status == 200
    assert client.delete(f"{members}/{bob.id}").status == 200
    assert ann.client().put(f"{members}/{eve.id}", {"role": "editor"}).status == 201


def test_tokens_of_a_host_end_when_it_is_disabled(operator, control, tenant, new_host):
    host = new_host([tenant])
    before = host.sign_in(control.url)
    operator.must("POST", f"/v1/hosts/{host.id}/disable", {})
    refused(before.get("/v1/hosts/self"), 403)
    operator.must("POST", f"/v1/hosts/{host.id}/enable")
    for path in ("/v1/hosts/self", f"/v1/feeds/{tenant.id}/trust", f"/v1/feeds/{tenant.id}/snapshot"):
        refused(before.get(path), 401)
    again = new_host([tenant], host.name)
    assert again.id == host.id
    refused(before.get("/v1/hosts/self"), 401)
    assert again.sign_in(control.url).get("/v1/hosts/self").status == 200


def test_a_host_that_waits_is_not_taken_over_with_another_tenants_token(operator, tenant, new_tenant, new_host):
    host, other = new_host([tenant]), new_tenant(f"{tenant.slug}-other")
    operator.must("POST", f"/v1/hosts/{host.id}/disable", {})
    operator.must("POST", f"/v1/hosts/{host.id}/enable")
    with pytest.raises(AssertionError, match="403"):
        new_host([other], host.name)
    assert new_host([other, tenant], host.name).id == host.id


@pytest.mark.parametrize("how", ["disabled", "withdrawn"])
def test_a_stream_ends_with_its_host(operator, control, tenant, new_host, how):
    """It was let in when the stream began. One that stays is not disturbed."""
    host, other = new_host([tenant]), new_host([tenant])
    streams = []
    for one in (host, other):
        one.sign_in(control.url)
        feed = one.feed(tenant.id)
        feed.take_snapshot()
        streams.append(feed.events(timeout=30))
    if how == "disabled":
        operator.must("POST", f"/v1/hosts/{host.id}/disable", {"reason": "stolen"})
    else:
        operator.must("DELETE", f"/v1/hosts/{host.id}/tenants/{tenant.id}")
    seen = []
    while (event := streams[0].next()) is not None:
        seen.append(event)
    # It hears why first.
    assert any(host.id in str(event) for event in seen) == (how == "disabled")
    key = tenant.user("ann").key()
    while key["id"] not in str(streams[1].next()):
        pass
    streams[1].close()


def test_who_makes_keys_does_not_come_by_a_projects_rights(operator, tenant):
    """A key, a password or SSH keys of somebody else: with them one is that person, also in their projects."""
    keys, members = f"{tenant.path}/keys", f"{tenant.path}/projects/{tenant.project('web')['id']}/members"
    for role in ({"name": "issuer", "actions": ["key.manage"]}, {"name": "desk", "actions": ["key.manage", "tenant.manage"]}):
        operator.must("POST", f"{tenant.path}/roles", {**role, "kind": "tenant"})
    ann, bob, eve = tenant.user("ann"), tenant.user("bob", "issuer"), tenant.user("eve", "desk")
    operator.must("PUT", f"{members}/{ann.id}", {"role": "owner"})
    hers = ann.key()["id"]
    for client in (bob.client(), eve.client()):
        refused(client.post(keys, {"user": ann.id, "label": "mine"}), 403)
        refused(client.post(f"{keys}/{hers}/rotate", {}), 403)
        # What gives nothing is not refused.
        assert client.patch(f"{keys}/{hers}", {"label": "seen"}, headers=ANY).status == 200
    refused(eve.client().put(f"{tenant.path}/users/{ann.id}/password", {"password": "somebody else's sentence"}), 403)
    refused(eve.client().patch(f"{tenant.path}/users/{ann.id}", {"email": "eve@x.example"}, headers=ANY), 403)
    # A role in the project that covers hers, or one that gives such roles all over the tenant.
    operator.must("PUT", f"{members}/{bob.id}", {"role": "viewer"})
    refused(bob.client().post(keys, {"user": ann.id, "label": "mine"}), 403)
    operator.must("PUT", f"{members}/{bob.id}", {"role": "owner"})
    assert bob.client().post(keys, {"user": ann.id, "label": "mine"}).status == 201
    assert tenant.user("zoe", "admin").client().post(f"{keys}/{hers}/rotate", {}).status == 201
