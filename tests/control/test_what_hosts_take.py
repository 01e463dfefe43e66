# SPDX-License-Identifier: MIT
"""No request may bring a feed into a state that hosts refuse (agent/directory/check_records.c, groups.c, part.c): then
nothing reaches them any more, revocations neither."""
import json

import pytest

ANY = {"If-Match": "*"}


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


def test_two_rules_for_one_project(operator, tenant):
    project = tenant.project("web")["id"]
    rules = f"{tenant.path}/host-rules"
    twice = [{"project": project}, {"project": project, "login": ["viewer"]}]
    refused(operator.post(rules, {"name": "a-*", "serves": twice}), 400, "serves")
    made = operator.must("POST", rules, {"name": "a-*", "serves": twice[:1]})
    refused(operator.patch(f"{rules}/{made['id']}", {"serves": twice}, headers=ANY), 400, "serves")


def test_host_rules_whose_names_differ_in_case(operator, tenant):
    project = tenant.project("web")["id"]
    rules = f"{tenant.path}/host-rules"
    operator.must("POST", rules, {"name": "web-*", "serves": [{"project": project}]})
    refused(operator.post(rules, {"name": "WEB-*", "serves": [{"project": project}]}), 409)
    other = operator.must("POST", rules, {"name": "db-*", "serves": []})
    refused(operator.patch(f"{rules}/{other['id']}", {"name": "Web-*"}, headers=ANY), 409)
    assert operator.patch(f"{rules}/{other['id']}", {"name": "DB-*"}, headers=ANY).status == 200


@pytest.mark.parametrize("level", ["", "-viewer", "-editor", "-owner"])
def test_a_login_that_is_a_group(operator, tenant, level):
    tenant.project("web")
    refused(operator.post(f"{tenant.path}/users", {"login": f"{tenant.slug}-web{level}"}), 409)
    refused(operator.post(f"{tenant.path}/users", {"login": tenant.slug}), 409)
    refused(operator.post(f"{tenant.path}/users", {"login": "tenant-users"}), 409)
    refused(operator.post(f"{tenant.path}/users", {"login": "tenant-sudo"}), 409)


@pytest.mark.parametrize("level", ["", "-viewer", "-editor", "-owner"])
def test_a_project_whose_group_is_a_login(operator, tenant, level):
    operator.must("POST", f"{tenant.path}/users", {"login": f"{tenant.slug}-web{level}"})
    refused(operator.post(f"{tenant.path}/projects", {"slug": "web"}), 409)
    other = tenant.project("other")
    refused(operator.patch(f"{tenant.path}/projects/{other['id']}", {"slug": "web"}, headers=ANY), 409)


def test_projects_whose_groups_are_the_same(operator, tenant):
    tenant.project("web")
    for slug in ("web-viewer", "web-editor", "web-owner"):
        refused(operator.post(f"{tenant.path}/projects", {"slug": slug}), 409)
    other = tenant.project("db-owner")
    refused(operator.post(f"{tenant.path}/projects", {"slug": "db"}), 409)
    refused(operator.patch(f"{tenant.path}/projects/{other['id']}", {"slug": "web-owner"}, headers=ANY), 409)
    # Its own names are in nobody's way.
    assert operator.patch(f"{tenant.path}/projects/{other['id']}", {"slug": "db"}, headers=ANY).status == 200
    assert operator.patch(f"{tenant.path}/projects/{other['id']}", {"slug": "db-viewer"}, headers=ANY).status == 200


@pytest.mark.parametrize("slug", ["sudo", "docker", "admin", "systemd-x", "tenant-sudo", "tenant-users"])
def test_a_tenant_whose_group_is_the_systems(operator, slug):
    refused(operator.post("/v1/tenants", {"slug": slug}), 400, "slug")


def test_a_project_whose_group_is_the_systems(operator, new_tenant):
    tenant = new_tenant("www")
    refused(operator.post(f"{tenant.path}/projects", {"slug": "data"}), 400, "slug")
    other = tenant.project("dat")
    refused(operator.patch(f"{tenant.path}/projects/{other['id']}", {"slug": "data"}, headers=ANY), 400, "slug")


def test_an_action_that_keys_name_stays(operator, tenant):
    roles = f"{tenant.path}/roles"
    role = {"name": "reader", "kind": "tenant", "actions": ["report.read", "report.send"]}
    operator.must("POST", roles, role)
    ann = tenant.user("ann")
    key = ann.client().must("POST", f"{tenant.path}/keys", {"actions": ["report.read"]})
    refused(operator.patch(f"{roles}/reader", {"actions": ["report.send"]}, headers=ANY), 409)
    refused(operator.delete(f"{roles}/reader", headers=ANY), 409)
    # An action that another role gives, too, may leave this one.
    assert operator.patch(f"{roles}/reader", {"actions": ["report.read"]}, headers=ANY).status == 200
    operator.must("POST", roles, {"name": "second", "kind": "project", "actions": ["report.read"]})
    assert operator.delete(f"{roles}/reader", headers=ANY).status in (200, 204)
    refused(operator.delete(f"{roles}/second", headers=ANY), 409)
    # Revoked keys are still in the feed.
    operator.must("POST", f"{tenant.path}/keys/{key['id']}/revoke", {})
    refused(operator.delete(f"{roles}/second", headers=ANY), 409)


def test_a_token_that_is_revoked_again(control, operator, tenant):
    """Hosts refuse a version that does not follow on the one that they have."""
    token = "A" * 22
    for version, reason in enumerate(("lost", "again", "and again"), 1):
        assert operator.post(f"{tenant.path}/tokens/{token}/revoke", {"reason": reason}).status == 200
        rows = control.cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' ORDER BY revision")
        found = [op for row in rows.splitlines() for op in json.loads(row)["ops"] if op["id"] == token]
        assert [op["ver"] for op in found] == list(range(1, version + 1)), found


def test_only_tokens_are_revoked_as_tokens(operator, tenant):
    """A host's revocation has its id in the same place."""
    for name in ("hst_0000000000000000", "usr_0000000000000000", "x", "A" * 23):
        refused(operator.post(f"{tenant.path}/tokens/{name}/revoke", {}), 404)


def test_more_memberships_of_one_user_than_a_host_holds(operator, control, cluster, tenant):
    user, project = tenant.user("ann"), tenant.project("web")["id"]
    cluster.psql(
        "INSERT INTO control.members (tenant_id, user_id, project_id, role) SELECT "
        f"'{tenant.id}', '{user.id}', 'prj_' || lpad(n::text, 16, '0'), 'viewer' FROM generate_series(1, 2999) n",
        database=control.database,
    )
    path = f"{tenant.path}/projects/{project}/members/{user.id}"
    assert operator.put(path, {"role": "viewer"}).status == 201
    refused(operator.put(f"{tenant.path}/members/{user.id}", {"role": "viewer"}), 409)
    assert operator.put(path, {"role": "editor"}).status == 200
    assert operator.delete(path).status == 200
    assert operator.put(f"{tenant.path}/members/{user.id}", {"role": "viewer"}).status == 201


def test_a_tenant_that_is_larger_than_a_line_of_its_feed(operator, tenant):
    roles = f"{tenant.path}/roles"

    def role(name):
        return {"name": name, "kind": "tenant", "actions": [f"things.{name}-{n:04}-{'x' * 30}" for n in range(400)]}

    for name in ("a", "b", "c"):
        answer = operator.post(roles, role(name))
        assert answer.status == 201, answer
    answer = operator.post(roles, role("d"))
    refused(answer, 409)
    assert "61440 bytes" in answer.json["detail"] and "Location" not in answer.headers
    refused(operator.get(f"{roles}/d"), 404)
    assert operator.post(roles, {**role("d"), "actions": ["things.d"]}).status == 201
    refused(operator.patch(f"{roles}/d", {"actions": role("d")["actions"]}, headers=ANY), 409)
