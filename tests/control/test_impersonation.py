# SPDX-License-Identifier: MIT
"""Operators who look into a tenant: by a grant with a reason and an end, in an account that nobody else has a hand on,
and the tenant sees all of it."""
import json
import subprocess
import time

import pytest

from controllib.host import Host
from controllib.program import find_program
from test_identity_providers import fed
from test_operators import Operator

ANY = {"If-Match": "*"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFVN3J3bYZDIvzVGxKE7OVWA5EtgvxSD6b3KpJFDMnMc jane@laptop"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZpVKx9hGx9hGx9hGx9hGx9hGx9hGx9hGx9hGx9hGx9 jane@new"


def soon(seconds=3600):
    return int(time.time()) + seconds


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer
    return answer.json.get("detail", "")


class Jane(Operator):
    """An operator who may look in, and nothing else."""

    def __init__(self, root, email=None, key=KEY):
        super().__init__(root)
        self.root = root
        changes = {"ssh_keys": [key], "name": "Jane Doe", **({"email": email} if email else {})}
        root.must("PATCH", self.path, changes, headers=ANY)
        self.email = email or self.email

    def wanted(self, tenant, **more):
        return {"role": "impersonate", "tenant": tenant.slug, "reason": "ticket 4711", "not_after": soon(), **more}

    def let_into(self, tenant, **more):
        return self.root.must("POST", f"{self.path}/grants", self.wanted(tenant, **more))


@pytest.fixture
def jane(operator):
    return Jane(operator)


@pytest.fixture
def records(control, cluster):
    """What the feed says of grants, of operators' accounts and of members of projects, as a host that follows it from its
    beginning has it: records(tenant, "grant")."""

    def found(tenant, kind):
        said = {i: body for i, (_, body) in fed(control, cluster, tenant, kind).items()}
        kept = {"user": lambda body: body["kind"] == "operator", "member": lambda body: "project" in body}
        return {i: body for i, body in said.items() if kept.get(kind, bool)(body)}

    return found


def events(client, tenant, kind):
    return client.must("GET", f"{tenant.path}/events?kind={kind}")["items"]


# ---- what a grant needs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change,field",
    [
        ({"tenant": None}, "tenant"), ({"tenant": "nobody"}, "tenant"), ({"reason": None}, "reason"), ({"reason": ""}, "reason"),
        ({"reason": "a\nb"}, "reason"), ({"reason": "x" * 1000}, "reason"), ({"not_after": None}, "not_after"),
        ({"not_after": 0}, "not_after"), ({"not_after": 5}, "not_after"), ({"projects": "web"}, "projects"),
        ({"projects": ["nothing"]}, "projects"), ({"projects": ["web", "web"]}, "projects"), ({"project": "web"}, "project"),
    ],
)  # fmt: skip
def test_what_is_no_grant(operator, jane, tenant, records, change, field):
    tenant.project("web")
    body = {name: value for name, value in {**jane.wanted(tenant), **change}.items() if value is not None}
    refused(operator.post(f"{jane.path}/grants", body), 400, field)
    assert not records(tenant, "grant") and not records(tenant, "user")


def test_nobody_looks_in_for_long(operator, jane, tenant):
    refused(operator.post(f"{jane.path}/grants", jane.wanted(tenant, not_after=soon(86400 + 60))), 400, "not_after")
    jane.let_into(tenant, not_after=soon(86400 - 60))


def test_how_long_is_said_in_the_configuration(new_control):
    control = new_control("shortly", settings="operators: {impersonation: 2min}\n")
    control.init()
    root = control.serve().client
    root.token = root.sign_in(control.OPERATOR, control.PASSWORD)
    root.must("POST", "/v1/tenants", {"slug": "acme"})
    one = root.must("POST", "/v1/operators", {"email": "jane@ops.example"})
    wanted = {"role": "impersonate", "tenant": "acme", "reason": "x", "not_after": soon(180)}
    refused(root.post(f"/v1/operators/{one['id']}/grants", wanted), 400, "not_after")
    assert root.post(f"/v1/operators/{one['id']}/grants", {**wanted, "not_after": soon(100)}).status == 201


def test_projects_are_for_looking_in_only(operator, jane, tenant):
    tenant.project("web")
    refused(operator.post(f"{jane.path}/grants", {"role": "support", "tenant": tenant.slug, "projects": ["web"]}), 400, "projects")


def test_who_may_let_in(operator, jane, tenant):
    """Nobody themselves; nobody whose grant is for this tenant alone, or to read; nobody of the tenant."""
    everywhere = Jane(operator)
    operator.must("POST", f"{everywhere.path}/grants", {"role": "admin"})
    refused(everywhere.client.post(f"{everywhere.path}/grants", everywhere.wanted(tenant)), 403)
    everywhere.client.must("POST", f"{jane.path}/grants", jane.wanted(tenant))
    for grant in ({"role": "admin", "tenant": tenant.slug}, {"role": "support"}, {"role": "hosts"}):
        refused(Operator(operator, grant).client.post(f"{jane.path}/grants", jane.wanted(tenant)), 403)
    refused(tenant.owner.post(f"{jane.path}/grants", jane.wanted(tenant)), 403)


def test_looking_in_gives_nothing_in_the_api(operator, jane, tenant):
    grant = jane.let_into(tenant)
    for method, path, body in (
        ("GET", tenant.path, None), ("GET", f"{tenant.path}/users", None), ("GET", f"{tenant.path}/events", None),
        ("POST", f"{tenant.path}/users", {"login": "x"}), ("GET", f"{tenant.path}/impersonations", None),
        ("DELETE", f"{tenant.path}/impersonations/{grant['id']}", None),
    ):  # fmt: skip
        refused(jane.client.request(method, path, body), 404)
    refused(jane.client.get("/v1/tenants"), 403)


def test_a_suspended_operator_is_not_let_in(operator, jane, tenant):
    operator.must("PATCH", jane.path, {"status": "suspended"}, headers=ANY)
    refused(operator.post(f"{jane.path}/grants", jane.wanted(tenant)), 409)


@pytest.mark.parametrize("keys", [["no key"], [KEY, 5], [f'command="sh" {KEY}'], [KEY] * 17, "x"])
def test_what_is_no_ssh_key_of_an_operator(operator, jane, keys):
    refused(operator.patch(jane.path, {"ssh_keys": keys}, headers=ANY), 400, "ssh_keys")
    refused(operator.post("/v1/operators", {"email": "keys@ops.example", "ssh_keys": keys}), 400, "ssh_keys")


# ---- what hosts hear -------------------------------------------------------------------------------------------------------


def test_what_hosts_hear(operator, jane, tenant, records):
    web, lab = tenant.project("web")["id"], tenant.project("lab")["id"]
    grant = jane.let_into(tenant)
    assert grant == {
        "id": grant["id"], "operator": jane.id, "role": "impersonate", "tenant": tenant.id, "reason": "ticket 4711",
        "not_after": grant["not_after"], "login": f"op-{jane.email.split('@')[0]}-{tenant.slug}",
        "created_at": grant["created_at"], "acks": grant["acks"],
    }  # fmt: skip
    (user_id, user), = records(tenant, "user").items()
    record = operator.must("GET", tenant.path)
    first = record["ids"]["first"]
    assert user == {
        "login": grant["login"], "kind": "operator", "uid": user["uid"], "name": "Jane Doe", "status": "active", "ssh_keys": [KEY],
    }  # fmt: skip
    assert first < user["uid"] < record["ids"]["next"] <= first + record["ids"]["count"]
    assert sorted(records(tenant, "member").values(), key=lambda m: m["project"]) == [
        {"user": user_id, "project": project, "role": "viewer"} for project in sorted([web, lab])
    ]
    assert records(tenant, "grant") == {
        grant["id"]: {"user": user_id, "operator_id": jane.id, "operator_name": jane.email, "reason": "ticket 4711", "not_after": grant["not_after"]}
    }


def test_all_of_it_is_one_revision(operator, jane, tenant, cluster, control):
    """No host ever sees keys without the grant, nor the grant without its end."""
    tenant.project("web")
    revision = f"SELECT revision FROM control.feeds WHERE tenant_id = '{tenant.id}'"
    before = int(cluster.psql(revision, database=control.database))
    grant = jane.let_into(tenant)
    assert int(cluster.psql(revision, database=control.database)) == before + 1
    operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")
    assert int(cluster.psql(revision, database=control.database)) == before + 2


def test_hosts_take_it(operator, jane, tenant, control, tmp_path):
    """By the agent's own reader: with the grant, and after it."""
    tenant.project("web")
    grant = jane.let_into(tenant)
    tenantctl = find_program().parent / "tenantctl"
    for name in ("during", "after"):
        control.run("export", tenant.slug, str(tmp_path / name))
        done = subprocess.run([tenantctl, "feed", "verify", tmp_path / name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        if name == "during":
            operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")


def test_named_projects_only(operator, jane, tenant, records):
    web = tenant.project("web")["id"]
    tenant.project("lab")
    grant = jane.let_into(tenant, projects=["web"])
    assert grant["projects"] == [web]
    assert [m["project"] for m in records(tenant, "member").values()] == [web]
    tenant.project("later")
    assert [m["project"] for m in records(tenant, "member").values()] == [web]
    # The last one that it was for goes: it is for none, and not for all.
    operator.must("DELETE", f"{tenant.path}/projects/web", headers=ANY)
    tenant.project("latest")
    assert not records(tenant, "member")


def test_a_project_that_comes_later(jane, tenant, records):
    jane.let_into(tenant)
    web = tenant.project("web")["id"]
    assert [(m["project"], m["role"]) for m in records(tenant, "member").values()] == [(web, "viewer")]


def test_another_tenants_project_is_none(operator, jane, tenant, new_tenant):
    other = new_tenant(f"{tenant.slug}-other")
    theirs = other.project("web")["id"]
    refused(operator.post(f"{jane.path}/grants", jane.wanted(tenant, projects=[theirs])), 400, "projects")


def test_the_answer_counts_hosts(operator, jane, tenant, control, tmp_path):
    Host(operator, [tenant.id], f"counted-{tenant.slug}", tmp_path).sign_in(control.url)
    grant = jane.let_into(tenant)
    assert (grant["acks"]["hosts"], grant["acks"]["acknowledged"]) == (1, 0) and grant["acks"]["revision"] > 0
    gone = operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")
    assert gone["id"] == grant["id"] and gone["acks"]["hosts"] == 1 and gone["acks"]["revision"] == grant["acks"]["revision"] + 1
    refused(operator.post(f"{jane.path}/grants?wait=99", jane.wanted(tenant)), 400, "wait")
    # The same after a wait, when all that the handler had is gone.
    waited = operator.must("POST", f"{jane.path}/grants?wait=1", jane.wanted(tenant))
    assert (waited["acks"]["hosts"], waited["acks"]["acknowledged"]) == (1, 0)
    gone = operator.must("DELETE", f"{jane.path}/grants/{waited['id']}?wait=1")
    assert (gone["acks"]["hosts"], gone["acks"]["acknowledged"]) == (1, 0)


# ---- how it ends -----------------------------------------------------------------------------------------------------------


def nobody_looks_in(tenant, records):
    """What is left of it: an account without keys, memberships and grant."""
    (user,) = records(tenant, "user").values()
    assert "ssh_keys" not in user
    assert not records(tenant, "grant") and not records(tenant, "member")
    assert tenant.operator.must("GET", f"{tenant.path}/impersonations")["items"] == []
    return user


def test_taken_back(operator, jane, tenant, records):
    tenant.project("web")
    grant = jane.let_into(tenant)
    refused(operator.post(f"{jane.path}/grants", jane.wanted(tenant)), 409)
    user = records(tenant, "user")
    operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")
    left = nobody_looks_in(tenant, records)
    refused(operator.delete(f"{jane.path}/grants/{grant['id']}"), 404)
    # Again: the same account, with the number that its files have.
    again = jane.let_into(tenant, reason="ticket 4712")
    assert records(tenant, "user") == user and again["login"] == left["login"] == grant["login"]
    assert [g["reason"] for g in records(tenant, "grant").values()] == ["ticket 4712"]
    assert len(records(tenant, "member")) == 1


def test_shown_out_by_the_tenant(operator, jane, tenant, new_tenant, records):
    grant = jane.let_into(tenant)
    path = f"{tenant.path}/impersonations/{grant['id']}"
    other = new_tenant(f"{tenant.slug}-other")
    refused(other.owner.delete(f"{other.path}/impersonations/{grant['id']}"), 404)
    refused(other.owner.delete(path), 404)
    refused(tenant.user("val", "viewer").client().delete(path), 403)
    refused(tenant.user("ann", "analyst").client().delete(path), 403)
    assert len(records(tenant, "grant")) == 1
    gone = tenant.owner.must("DELETE", path)
    assert gone["id"] == grant["id"] and gone["acks"]["revision"] > 0
    nobody_looks_in(tenant, records)
    assert operator.must("GET", f"{jane.path}/grants")["items"] == []
    refused(tenant.owner.delete(path), 404)


def test_a_tenant_ends_no_other_grants(operator, tenant):
    one = Operator(operator, {"role": "admin", "tenant": tenant.slug})
    grant = operator.must("GET", f"{one.path}/grants")["items"][0]
    refused(tenant.owner.delete(f"{tenant.path}/impersonations/{grant['id']}"), 404)
    assert tenant.owner.must("GET", f"{tenant.path}/impersonations")["items"] == []
    assert one.client.get(tenant.path).status == 200


def end_now(cluster, control, grant):
    cluster.psql(f"UPDATE control.operator_grants SET not_after = {int(time.time())} WHERE id = '{grant['id']}'", database=control.database)


def test_over(jane, tenant, control, cluster, records):
    """Its time is over: hosts know by themselves, and the feed loses it within a minute."""
    tenant.project("web")
    grant = jane.let_into(tenant)
    end_now(cluster, control, grant)
    assert tenant.operator.must("GET", f"{tenant.path}/impersonations")["items"] == []
    deadline = time.monotonic() + 90
    while records(tenant, "grant"):
        assert time.monotonic() < deadline, "nobody swept"
        time.sleep(1)
    nobody_looks_in(tenant, records)
    assert [e["data"]["why"] for e in events(tenant.owner, tenant, "impersonation.end")] == ["expired"]
    expired = [e for e in tenant.operator.must("GET", "/v1/events?kind=grant.expire")["items"] if e["data"]["grant"] == grant["id"]]
    assert len(expired) == 1 and expired[0]["target"] == jane.id and expired[0]["actor"] == ""


def test_over_and_not_swept_yet(jane, tenant, control, cluster, records):
    tenant.project("web")
    grant = jane.let_into(tenant)
    end_now(cluster, control, grant)
    again = jane.let_into(tenant, reason="once more")
    assert set(records(tenant, "grant")) == {again["id"]} and again["login"] == grant["login"]
    assert len(records(tenant, "member")) == 1
    assert [e["data"]["why"] for e in events(tenant.owner, tenant, "impersonation.end")] == ["expired"]
    tenant.project("lab")  # and nobody takes part by the grant that is over
    assert len(records(tenant, "member")) == 2


def test_versions_only_grow(jane, tenant, control, cluster):
    """A host refuses a version that does not follow on the one it has, and with it everything that the feed says."""
    tenant.project("web")
    for _ in range(3):
        grant = jane.let_into(tenant, reason="again")
        tenant.project(f"p{grant['id'][-6:].lower()}")
        end_now(cluster, control, grant)  # not swept: what ends and what begins is one change
    jane.let_into(tenant)
    have = {}
    rows = cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' ORDER BY revision", database=control.database)
    for op in (op for delta in rows.splitlines() for op in json.loads(delta)["ops"]):
        record = (op["kind"], op["id"])
        assert op["ver"] > have.get(record, 0), op
        have[record] = op["ver"]
        if op["op"] == "del":
            del have[record]


def test_suspended_operators_are_out_everywhere(operator, jane, tenant, new_tenant, records):
    other = new_tenant(f"{tenant.slug}-other")
    for one in (tenant, other):
        one.project("web")
        jane.let_into(one)
    operator.must("PATCH", jane.path, {"status": "suspended"}, headers=ANY)
    for one in (tenant, other):
        nobody_looks_in(one, records)
        assert [e["data"]["why"] for e in events(one.owner, one, "impersonation.end")] == ["suspended"]
    operator.must("PATCH", jane.path, {"status": "active"}, headers=ANY)
    for one in (tenant, other):
        nobody_looks_in(one, records)
    jane.let_into(tenant)


def test_operators_who_are_removed(operator, jane, tenant, new_tenant, records):
    other = new_tenant(f"{tenant.slug}-other")
    grant = jane.let_into(tenant)
    jane.root.must("DELETE", f"{jane.path}/grants/{jane.let_into(other)['id']}")
    assert operator.delete(jane.path, headers=ANY).status == 204
    for one in (tenant, other):
        assert not records(one, "user") and not records(one, "grant")
    assert [e["data"]["why"] for e in events(tenant.owner, tenant, "impersonation.end")] == ["removed"]
    # Its number and its name are nobody else's afterwards.
    again = Jane(operator, jane.email).let_into(tenant)
    assert again["login"] == grant["login"] and len(records(tenant, "user")) == 1


def test_tenants_that_are_removed(operator, jane, tenant):
    jane.let_into(tenant)
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    assert operator.delete(tenant.path, headers=ANY).status == 204
    assert operator.must("GET", f"{jane.path}/grants")["items"] == []
    assert operator.delete(jane.path, headers=ANY).status == 204


def test_what_changes_with_the_operator(operator, jane, tenant, new_tenant, records):
    other = new_tenant(f"{tenant.slug}-other")
    jane.let_into(tenant)
    operator.must("DELETE", f"{jane.path}/grants/{jane.let_into(other)['id']}")
    operator.must("PATCH", jane.path, {"ssh_keys": [OTHER_KEY], "email": f"new-{jane.email}", "name": "Jane Roe"}, headers=ANY)
    (user,) = records(tenant, "user").values()
    assert (user["ssh_keys"], user["name"]) == ([OTHER_KEY], "Jane Roe")
    assert [g["operator_name"] for g in records(tenant, "grant").values()] == [f"new-{jane.email}"]
    nobody_looks_in(other, records)  # keys do not come back where there is no grant
    operator.must("PATCH", jane.path, {"ssh_keys": []}, headers=ANY)
    (user,) = records(tenant, "user").values()
    assert "ssh_keys" not in user


# ---- the account is nobody else's -----------------------------------------------------------------------------------------


def test_nobody_lays_hands_on_the_account(operator, jane, tenant, records):
    """Whoever could set a key, a password or a role there would be the operator."""
    tenant.project("web")
    login = jane.let_into(tenant)["login"]
    user = f"{tenant.path}/users/{login}"
    before = (records(tenant, "user"), records(tenant, "member"))
    seen = tenant.owner.must("GET", user)
    assert (seen["kind"], seen["name"]) == ("operator", "Jane Doe") and "email" not in seen
    assert [m["role"] for m in tenant.owner.must("GET", f"{user}/memberships")["items"]] == ["viewer"]
    for client in (tenant.owner, operator):
        for method, path, body in (
            ("PATCH", user, {"ssh_keys": [OTHER_KEY]}), ("PATCH", user, {"email": "me@x.example"}),
            ("PATCH", user, {"identities": [{"issuer": "https://idp.example", "subject": "1"}]}),
            ("PUT", f"{user}/password", {"password": "a password of twenty 42"}), ("POST", f"{tenant.path}/keys", {"user": login}),
            ("POST", f"{user}/suspend", {}), ("POST", f"{user}/resume", None), ("DELETE", user, None),
            ("PUT", f"{tenant.path}/members/{login}", {"role": "owner"}),
            ("PUT", f"{tenant.path}/projects/web/members/{login}", {"role": "owner"}),
            ("PUT", f"{tenant.path}/projects/web/members/{login}", {"role": "viewer"}),
            ("DELETE", f"{tenant.path}/projects/web/members/{login}", None),
        ):  # fmt: skip
            says = refused(client.request(method, path, body, headers=ANY), 409)
            assert "operator" in says, (method, path, says)
    assert (records(tenant, "user"), records(tenant, "member")) == before and not records(tenant, "key")


def test_nobody_makes_such_an_account(operator, tenant):
    for client in (tenant.owner, operator):
        refused(client.post(f"{tenant.path}/users", {"login": "op-me", "kind": "operator"}), 400, "kind")
        refused(client.post(f"{tenant.path}/users", {"login": "op-me", "kind": "root"}), 400, "kind")


# ---- names -----------------------------------------------------------------------------------------------------------------


def test_login_names(operator, tenant, records):
    """They say whose they are; what people have is left alone, and no two are the same."""
    operator.must("POST", f"{tenant.path}/users", {"login": f"op-kim2-{tenant.slug}"})
    number = tenant.slug  # e-mail addresses are unique
    logins = [
        Jane(operator, email).let_into(tenant)["login"]
        for email in (f"Kim@{number}a.example", f"k-i_m@{number}b.example", f"+@{number}c.example", f"{'l' * 60}@{number}d.example")
    ]
    assert logins[:3] == [f"op-{name}-{tenant.slug}" for name in ("kim", "kim3", "operator")]
    assert logins[3].startswith("op-lll") and logins[3].endswith(f"-{tenant.slug}") and len(logins[3]) == 32
    assert sorted(u["login"] for u in records(tenant, "user").values()) == sorted(logins)
    refused(operator.post(f"{tenant.path}/users", {"login": logins[0]}), 409)


@pytest.mark.parametrize("email", ["ki:m@{}.example", "k" * 200 + "@{}.example", "=k\"'%s`@{}.example", "kím@{}.example"])
def test_addresses_that_are_no_names(operator, tenant, records, email):
    """Without a name of theirs, the account is called by the address, in a field of passwd."""
    jane = Jane(operator, email.format(tenant.slug))
    for name, wanted in (("", jane.email.replace(":", "_")), ("Kim", "Kim"), ("", jane.email.replace(":", "_"))):
        operator.must("PATCH", jane.path, {"name": name}, headers=ANY)
        if not records(tenant, "grant"):
            jane.let_into(tenant)
        assert [user["name"] for user in records(tenant, "user").values()] == [wanted]
        assert [grant["operator_name"] for grant in records(tenant, "grant").values()] == [jane.email]


def test_the_longest_slug(operator, new_tenant):
    tenant = new_tenant("a" + "b" * 15)
    login = Jane(operator, "wilhelmina@ops.example").let_into(tenant)["login"]
    assert login == f"op-wilhelmina-{tenant.slug}" and len(login) <= 32


def test_one_operator_in_tenants_that_share_a_host(operator, jane, tenant, new_tenant, tmp_path):
    """In either order: looking in before they come together on a host, and after."""
    other, third = new_tenant(f"{tenant.slug}-x"), new_tenant(f"{tenant.slug}-y")
    first = {jane.let_into(one)["login"] for one in (tenant, other)}
    Host(operator, [tenant.id, other.id, third.id], f"shares-{tenant.slug}", tmp_path)
    assert len(first | {jane.let_into(third)["login"]}) == 3


def test_a_name_that_is_taken_beside(operator, jane, tenant, new_tenant, tmp_path):
    other = new_tenant(f"{tenant.slug}-x")
    Host(operator, [tenant.id, other.id], f"beside-{tenant.slug}", tmp_path)
    local = jane.email.split("@")[0]
    operator.must("POST", f"{other.path}/users", {"login": f"op-{local}-{tenant.slug}"})
    assert jane.let_into(tenant)["login"] == f"op-{local}2-{tenant.slug}"


# ---- what is written down ----------------------------------------------------------------------------------------------------


def test_the_tenant_reads_who_and_why(operator, jane, tenant, new_tenant):
    web = tenant.project("web")["id"]
    grant = jane.let_into(tenant, projects=["web"])
    user = operator.must("GET", f"{tenant.path}/users/{grant['login']}")["id"]
    (seen,) = tenant.owner.must("GET", f"{tenant.path}/impersonations")["items"]
    assert seen == {
        "id": grant["id"], "operator": jane.id, "operator_name": jane.email, "user": user, "login": grant["login"],
        "reason": "ticket 4711", "projects": [web], "not_after": grant["not_after"], "created_at": grant["created_at"],
    }  # fmt: skip
    (begun,) = events(tenant.owner, tenant, "impersonation.begin")
    assert begun["target"] == grant["id"] and begun["outcome"] == "success"
    assert begun["data"] == {
        "operator": jane.id, "operator_name": jane.email, "user": user, "login": grant["login"], "reason": "ticket 4711",
        "not_after": grant["not_after"], "projects": [web],
    }  # fmt: skip
    operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")
    (ended,) = events(tenant.owner, tenant, "impersonation.end")
    assert ended["target"] == grant["id"]
    assert ended["data"] == {"operator": jane.id, "operator_name": jane.email, "user": user, "login": grant["login"], "why": "withdrawn"}
    assert ended["actor"] == begun["actor"] != ""
    refused(tenant.user("val", "viewer").client().get(f"{tenant.path}/impersonations"), 403)
    other = new_tenant(f"{tenant.slug}-other")
    assert other.owner.must("GET", f"{other.path}/impersonations")["items"] == []
    refused(other.owner.get(f"{tenant.path}/impersonations"), 404)
    assert "impersonation" not in json.dumps(other.owner.must("GET", f"{other.path}/events"))


def test_the_platform_reads_it_too(operator, jane, tenant):
    grant = jane.let_into(tenant)
    operator.must("DELETE", f"{jane.path}/grants/{grant['id']}")
    said = [(e["kind"], e["data"]["role"]) for e in operator.must("GET", "/v1/events?limit=50")["items"] if e["data"].get("grant") == grant["id"]]
    assert said == [("grant.delete", "impersonate"), ("grant.create", "impersonate")]


# ---- the same by command -----------------------------------------------------------------------------------------------------


def test_by_command(control, operator, tenant, records):
    email = f"cli@{tenant.slug}.example"
    control.run("operator", "add", email, "--ssh-key", KEY)
    wrong = control.run("operator", "grant", email, "impersonate", "--tenant", tenant.slug, "--not-after", "2h", check=False)
    assert wrong.returncode == 1 and "reason" in wrong.stderr
    control.run("operator", "grant", email, "impersonate", "--tenant", tenant.slug, "--reason", "disk is full", "--not-after", "2h")
    listed = control.run("impersonation", "list", "--tenant", tenant.slug).stdout
    assert email in listed and "disk is full" in listed
    (grant,) = records(tenant, "grant")
    assert "disk is full" in control.run("operator", "grants", email).stdout
    control.run("operator", "set", email, "--ssh-key", OTHER_KEY)
    assert [u["ssh_keys"] for u in records(tenant, "user").values()] == [[OTHER_KEY]]
    control.run("impersonation", "end", grant, "--tenant", tenant.slug)
    nobody_looks_in(tenant, records)
    assert control.run("impersonation", "end", grant, "--tenant", tenant.slug, check=False).returncode == 3
    control.run("operator", "grant", email, "impersonate", "--tenant", tenant.slug, "--reason", "again", "--not-after", "2h")
    (grant,) = records(tenant, "grant")
    control.run("operator", "revoke", email, grant)
    nobody_looks_in(tenant, records)
