# SPDX-License-Identifier: MIT
"""Projects, members, roles and host rules."""
import pytest

ANY = {"If-Match": "*"}


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


@pytest.mark.parametrize("body,field", [({}, "slug"), ({"slug": "A"}, "slug"), ({"slug": "ok", "allow_from": ["x"]}, "allow_from"), ({"slug": "ok", "gid": 1}, "gid")])
def test_what_is_no_project(operator, tenant, body, field):
    refused(operator.post(f"{tenant.path}/projects", body), 400, field)


def test_gids_come_in_fours(operator, tenant):
    one, two = tenant.project("one"), tenant.project("two")
    assert two["gid"] == one["gid"] + 4
    refused(operator.post(f"{tenant.path}/projects", {"slug": "one"}), 409)
    refused(operator.patch(f"{tenant.path}/projects/two", {"slug": "one"}, headers=ANY), 409)


def test_others_projects_do_not_exist(operator, tenant, new_tenant):
    other = new_tenant("proj-other")
    theirs = other.project("secret")
    owner = tenant.owner
    for method, path in (
        ("GET", f"{other.path}/projects/{theirs['id']}"),
        ("GET", f"{tenant.path}/projects/{theirs['id']}"),
        ("GET", f"{tenant.path}/projects/{theirs['id']}/members"),
        ("DELETE", f"{tenant.path}/projects/{theirs['id']}"),
    ):
        refused(owner.request(method, path), 404)
    refused(owner.put(f"{tenant.path}/projects/{theirs['id']}/members/{tenant._owner.id}", {"role": "owner"}), 404)


def test_who_has_no_role_sees_only_their_projects(operator, tenant):
    mine, other = tenant.project("mine"), tenant.project("other")
    ann = tenant.user("ann")
    operator.must("PUT", f"{tenant.path}/projects/mine/members/ann", {"role": "viewer"})
    client = ann.client()
    assert [p["id"] for p in client.must("GET", f"{tenant.path}/projects")["items"]] == [mine["id"]]
    refused(client.get(f"{tenant.path}/projects/{other['id']}"), 404)
    refused(client.get(f"{tenant.path}/projects/mine/members/{ann.id}x"), 404)
    refused(client.get(f"{tenant.path}/users"), 403)


# ---- roles that are given ----


def test_what_roles_there_are(operator, tenant):
    ann = tenant.user("ann")
    tenant.project("p")
    for path in (f"{tenant.path}/members/ann", f"{tenant.path}/projects/p/members/ann"):
        for role in ("", "root", "editor " if "projects" in path else "editor", "a b"):
            refused(operator.put(path, {"role": role}), 400, "role")
        refused(operator.put(path, {}), 400, "role")
    refused(operator.put(f"{tenant.path}/members/nobody", {"role": "viewer"}), 404)
    assert operator.must("GET", f"{tenant.path}/users/{ann.id}/memberships")["items"] == []


def test_nobody_raises_themselves(operator, tenant):
    tenant.project("p")
    admin = tenant.user("adam", "admin")
    client = admin.client()
    refused(client.put(f"{tenant.path}/members/{admin.id}", {"role": "owner"}), 403)
    # Nor into a project: what they may do there is for others to say.
    refused(client.put(f"{tenant.path}/projects/p/members/{admin.id}", {"role": "owner"}), 403)
    refused(client.put(f"{tenant.path}/projects/p/members/{admin.id}", {"role": "viewer"}), 403)
    refused(client.put(f"{tenant.path}/members/{tenant.user('bob').id}", {"role": "owner"}), 403)
    assert client.put(f"{tenant.path}/members/bob", {"role": "admin"}).status == 201
    # Down is allowed.
    assert client.put(f"{tenant.path}/members/{admin.id}", {"role": "viewer"}).status == 200
    refused(client.put(f"{tenant.path}/members/{admin.id}", {"role": "admin"}), 403)


def test_a_projects_owner_gives_roles_there_only(operator, tenant):
    tenant.project("p"), tenant.project("q")
    ann, bob = tenant.user("ann"), tenant.user("bob")
    operator.must("PUT", f"{tenant.path}/projects/p/members/ann", {"role": "owner"})
    operator.must("POST", f"{tenant.path}/roles", {"name": "special", "kind": "project", "actions": ["gpu.reserve"]})
    client = ann.client()
    assert client.put(f"{tenant.path}/projects/p/members/{bob.id}", {"role": "editor"}).status == 201
    refused(client.put(f"{tenant.path}/projects/p/members/{bob.id}", {"role": "special"}), 403)
    refused(client.put(f"{tenant.path}/projects/q/members/{bob.id}", {"role": "viewer"}), 404)
    refused(client.put(f"{tenant.path}/members/{bob.id}", {"role": "viewer"}), 403)
    refused(bob.client().put(f"{tenant.path}/projects/p/members/{bob.id}", {"role": "owner"}), 403)


def test_members_and_if_match(operator, tenant):
    tenant.user("ann")
    path = f"{tenant.path}/members/ann"
    first = operator.put(path, {"role": "viewer"})
    assert first.status == 201 and first.json["acks"]["revision"] > 0
    refused(operator.put(path, {"role": "admin"}, headers={"If-Match": '"7"'}), 412)
    assert operator.put(path, {"role": "admin"}, headers={"If-Match": first.headers["ETag"]}).status == 200
    refused(operator.delete(path, headers={"If-Match": first.headers["ETag"]}), 412)
    assert operator.delete(path).status == 200
    refused(operator.delete(path), 404)
    refused(operator.get(path), 404)


# ---- roles of the tenant's own ----


@pytest.mark.parametrize(
    "body,status,field",
    [
        ({"name": "owner", "kind": "project", "actions": ["project.view"]}, 409, None),
        ({"name": "a b", "kind": "project", "actions": ["project.view"]}, 400, "name"),
        ({"name": "x", "kind": "host", "actions": ["project.view"]}, 400, None),
        ({"name": "x", "kind": "project", "actions": ["a b"]}, 400, "actions"),
        ({"name": "x", "kind": "project", "actions": ["dataset.wirte"]}, 400, "actions"),
        ({"name": "x", "kind": "project", "actions": ["host.reboot"]}, 400, "actions"),
        ({"name": "x", "kind": "tenant", "actions": ["host.login"]}, 400, "actions"),
        ({"name": "x", "kind": "project", "actions": ["project.view"], "groups": "root"}, 400, "groups"),
    ],
)
def test_what_is_no_role(operator, tenant, body, status, field):
    refused(operator.post(f"{tenant.path}/roles", body), status, field)


def test_nobody_writes_themselves_a_role(operator, tenant):
    tenant.project("p")
    admin = tenant.user("adam", "admin").client()
    refused(admin.post(f"{tenant.path}/roles", {"name": "big", "kind": "tenant", "actions": ["project.delete"]}), 403)
    operator.must("POST", f"{tenant.path}/roles", {"name": "keeper", "kind": "tenant", "actions": ["tenant.manage", "member.manage"]})
    operator.must("POST", f"{tenant.path}/roles", {"name": "worker", "kind": "project", "actions": ["project.view"]})
    keeper = tenant.user("keeper", "keeper")
    operator.must("PUT", f"{tenant.path}/projects/p/members/keeper", {"role": "worker"})
    client = keeper.client()
    refused(client.patch(f"{tenant.path}/roles/keeper", {"actions": ["tenant.manage", "project.delete"]}, headers=ANY), 403)
    refused(client.patch(f"{tenant.path}/roles/worker", {"actions": ["host.sudo"]}, headers=ANY), 403)
    refused(client.put(f"{tenant.path}/members/{tenant.user('bob').id}", {"role": "admin"}), 403)


def test_a_role_in_use_stays(operator, tenant):
    project = tenant.project("p")
    tenant.user("ann")
    operator.must("POST", f"{tenant.path}/roles", {"name": "runner", "kind": "project", "actions": ["experiment.run"]})
    operator.must("PUT", f"{tenant.path}/projects/p/members/ann", {"role": "runner"})
    refused(operator.delete(f"{tenant.path}/roles/runner"), 409)
    operator.must("DELETE", f"{tenant.path}/projects/p/members/ann")
    rule = operator.must("POST", f"{tenant.path}/host-rules", {"name": "gpu*", "serves": [{"project": project["id"], "login": ["runner"]}]})
    refused(operator.delete(f"{tenant.path}/roles/runner"), 409)
    refused(operator.delete(f"{tenant.path}/projects/p"), 409)
    operator.must("DELETE", f"{tenant.path}/host-rules/{rule['id']}")
    operator.must("PATCH", tenant.path, {"policy": {"stale": {"offline": 60, "roles": ["runner"]}}}, headers=ANY)
    refused(operator.delete(f"{tenant.path}/roles/runner"), 409)
    operator.must("PATCH", tenant.path, {"policy": {}}, headers=ANY)
    assert operator.delete(f"{tenant.path}/roles/runner").status == 204


def test_host_rules_refer_to_what_is_there(operator, tenant, new_tenant):
    project, theirs = tenant.project("p"), new_tenant("rules-other").project("p")
    rules = f"{tenant.path}/host-rules"
    refused(operator.post(rules, {"name": "a b", "serves": [{"project": project["id"]}]}), 400, "name")
    refused(operator.post(rules, {"name": "gpu", "serves": [{"project": theirs["id"]}]}), 400, "project")
    refused(operator.post(rules, {"name": "gpu", "serves": [{}]}), 400)
    refused(operator.post(rules, {"name": "gpu", "serves": ["x"]}), 400)
    refused(operator.post(rules, {"name": "gpu", "serves": [{"project": project["id"], "login": ["nobody"]}]}), 400)
    refused(operator.post(rules, {"name": "gpu", "serves": [{"project": project["id"], "root": True}]}), 400)
    refused(operator.post(rules, {"name": "gpu", "serves": [{"project": "q"}]}), 400, "project")
    refused(operator.post(rules, {"name": "gpu", "serves": [{"project": theirs["id"]}, {"project": "p"}]}), 400, "project")
    assert operator.must("GET", rules)["items"] == []


def test_a_host_rule_may_say_slugs_and_keeps_ids(operator, tenant):
    ids = {slug: tenant.project(slug)["id"] for slug in ("p", "q", "r")}
    serves = [{"project": "q", "login": ["owner"]}, {"project": ids["p"]}]
    rule = operator.must("POST", f"{tenant.path}/host-rules", {"name": "gpu*", "serves": serves})
    assert [s["project"] for s in rule["serves"]] == [ids["q"], ids["p"]] and rule["serves"][0]["login"] == ["owner"]
    answer = operator.patch(f"{tenant.path}/host-rules/{rule['id']}", {"serves": [{"project": "r"}]}, headers={"If-Match": "*"})
    assert answer.status == 200 and answer.json["serves"] == [{"project": ids["r"]}], answer


def test_deleting_a_project(operator, control, tenant):
    gone, stays = tenant.project("gone"), tenant.project("stays")
    ann = tenant.user("ann")
    operator.must("PUT", f"{tenant.path}/projects/gone/members/ann", {"role": "owner"})
    only, both, free = ann.key(projects=[gone["id"]]), ann.key(projects=[gone["id"], stays["id"]]), ann.key()
    operator.must("DELETE", f"{tenant.path}/projects/gone")
    # A key that was for this project alone must not become one for all.
    refused(operator.get(f"{tenant.path}/keys/{only['id']}"), 404)
    assert operator.must("GET", f"{tenant.path}/keys/{both['id']}")["projects"] == [stays["id"]]
    assert "projects" not in operator.must("GET", f"{tenant.path}/keys/{free['id']}")
    assert operator.must("GET", f"{tenant.path}/users/ann/memberships")["items"] == []
    left = control.cluster.psql(f"SELECT count(*) FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND body LIKE '%{gone['id']}%'")
    assert left == "0"


# ---- connectors ----


def test_secrets_go_in_and_never_come_out(operator, control, tenant):
    path = f"{tenant.path}/connectors"
    for body in ({"name": "s 3", "kind": "s3"}, {"name": "s3", "kind": "s3", "secrets": {"token": 5}}, {"name": "s3", "kind": "s3", "secrets": {"a b": "x"}}):
        refused(operator.post(path, body), 400)
    made = operator.post(path, {"name": "s3", "kind": "s3", "config": {"bucket": "b"}, "secrets": {"token": "hush-hush-1", "other": "hush-hush-2"}})
    assert made.status == 201 and made.json["secrets"] == {"token": {"set": True}, "other": {"set": True}}
    one = f"{path}/{made.json['id']}"
    changed = operator.patch(one, {"secrets": {"other": None, "third": "hush-hush-3"}}, headers=ANY)
    assert changed.json["secrets"] == {"token": {"set": True}, "third": {"set": True}}
    for answer in (made, changed, operator.get(one), operator.get(path), operator.get(f"{tenant.path}/events")):
        assert b"hush" not in answer.body
    dump = control.cluster.psql("SELECT c::text FROM control.connectors c UNION ALL SELECT e::text FROM control.audit_entries e UNION ALL SELECT convert_from(w.records, 'UTF8') FROM control.audit_inbox w UNION ALL SELECT i::text FROM control.idempotency i")
    assert "hush" not in dump and "s3" in dump
    # Sealed for this record: moved to another one they are of no use.
    viewer = tenant.user("viewer", "viewer").client()
    refused(viewer.get(path), 403)
    assert operator.delete(one).status == 204
