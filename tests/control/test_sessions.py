# SPDX-License-Identifier: MIT
"""Who sees which sessions, and a tenant's limits of them."""
import json

from controllib.sessions import ABSENT, listed, refused


def test_who_sees_which(people, tenant, new_tenant, operator, reporter):
    everybody = people.all
    for role in ("owner", "admin"):
        assert set(listed(tenant.user(f"t-{role}", role).client(), tenant)) == everybody
    for role in ("viewer", "analyst", None):
        client = tenant.user(f"t-{role}", role).client()
        assert listed(client, tenant) == {}
        refused(client.get(f"{tenant.path}/sessions/{people.a['id']}"), 404)
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"], people.b["id"]}
    assert set(listed(people.bob.client(), tenant)) == {people.b["id"], people.s["id"], people.n["id"]}
    refused(people.bob.client().get(f"{tenant.path}/sessions/{people.a['id']}"), 404)
    assert people.bob.client().must("GET", f"{tenant.path}/sessions/{people.b['id']}")["login"] == "bob"
    stranger = new_tenant(f"{tenant.slug}-x")
    refused(stranger.owner.get(f"{tenant.path}/sessions"), 404)
    refused(stranger.owner.get(f"{stranger.path}/sessions/{people.a['id']}"), 404)
    refused(reporter.host.client.get(f"{tenant.path}/sessions"), 404)
    assert operator.as_(None).get(f"{tenant.path}/sessions").status == 401


def test_operators_look_and_support_ends_nothing(people, tenant, operator, server, control):
    made = operator.must("POST", "/v1/operators", {"email": f"s@{tenant.slug}.example"})
    operator.must("PUT", f"/v1/operators/{made['id']}/password", {"password": control.PASSWORD})
    client = server.client
    client.token = client.sign_in(made["email"], control.PASSWORD)
    refused(client.get(f"{tenant.path}/sessions"), 404)
    operator.must("POST", f"/v1/operators/{made['id']}/grants", {"role": "support", "tenant": tenant.id})
    assert set(listed(client, tenant)) == people.all
    refused(client.post(f"{tenant.path}/sessions/{people.a['id']}/end", {}), 403)
    refused(client.post(f"{tenant.path}/sessions/end", {"all": True}), 403)


def test_a_role_of_the_tenants_own_that_looks_after_sessions(people, tenant, operator):
    operator.must("POST", f"{tenant.path}/roles", {"name": "warden", "kind": "project", "actions": ["project.view", "session.manage"]})
    operator.must("PUT", f"{tenant.path}/projects/speech/members/{people.carl.id}", {"role": "warden"})
    assert set(listed(people.carl.client(), tenant)) == {people.s["id"]}
    assert people.carl.client().post(f"{tenant.path}/sessions/{people.s['id']}/end", {}).status == 200
    refused(people.carl.client().post(f"{tenant.path}/sessions/{people.b['id']}/end", {}), 404)


def test_a_project_that_may_not_be_used_from_here_shows_nothing(people, tenant, operator):
    operator.must("PATCH", f"{tenant.path}/projects/vision", {"allow_from": ["192.0.2.0/24"]}, headers={"If-Match": "*"})
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"]}
    refused(people.alice.client().post(f"{tenant.path}/sessions/end", {"project": "vision"}), 403)
    operator.must("PATCH", f"{tenant.path}/projects/vision", {"allow_from": ["127.0.0.0/8"]}, headers={"If-Match": "*"})
    assert set(listed(people.alice.client(), tenant)) == {people.a["id"], people.b["id"]}


def test_limited_keys(people, tenant, server):
    admin = tenant.user("adam", "admin")
    path = f"{tenant.path}/sessions"

    def get(token):
        return server.client.request("GET", path, token=token)

    fitting = admin.key(actions=["session.manage"])["secret"]
    assert len(get(fitting).json["items"]) == 4
    refused(get(admin.key(actions=["key.manage"])["secret"]), 403)
    refused(get(admin.key(projects=[people.vision["id"]])["secret"]), 403)
    refused(get(admin.key(services=["sshd"])["secret"]), 403)
    # A key for sessions is no key for keys.
    refused(server.client.request("GET", f"{tenant.path}/keys", token=fitting), 403)
    assert server.client.request("POST", f"{path}/{people.a['id']}/end", {}, token=fitting).status == 200


def test_filters_and_pages(people, tenant, reporter):
    owner = tenant.owner

    def found(query):
        return set(listed(owner, tenant, query))

    assert found("?user=bob") == found(f"?user={people.bob.id}") == {people.b["id"], people.s["id"], people.n["id"]}
    assert found("?project=vision") == found(f"?project={people.vision['id']}") == {people.a["id"], people.b["id"]}
    assert found(f"?host={reporter.host.name}") == found(f"?host={reporter.host.id}") == people.all
    assert found("?user=bob&project=vision") == {people.b["id"]}
    assert found("?state=left-behind") == {people.s["id"]}
    for query in ("?user=nobody", "?project=none", "?host=none", "?state=unknown", "?user=alice&project=speech"):
        assert found(query) == set()
    refused(owner.get(f"{tenant.path}/sessions?state=x"), 400, "state")
    refused(owner.get(f"{tenant.path}/sessions?limit=0"), 400, "limit")
    pages, cursor = [], ""
    while cursor is not None:
        page = owner.must("GET", f"{tenant.path}/sessions?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next"]
    assert [len(page) for page in pages] == [3, 1] and sum(pages, []) == sorted(people.all)


def test_a_policy_of_sessions(tenant, control):
    client = tenant.owner

    def patch(rules):
        return client.patch(tenant.path, {"policy": {"sessions": rules}}, headers={"If-Match": "*"})

    rules = {"max_per_user": 3, "max_per_tenant": 50, "over": "end-oldest", "max_age": 43200, "idle": 1800, "warn": 60, "grace": 0,
             "end_outside_hours": True, "end_with_key": True}  # fmt: skip
    assert patch(rules).json["policy"]["sessions"] == rules
    body = json.loads(control.cluster.psql(f"SELECT body FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND kind = 0"))
    assert body["sessions"] == rules
    for bad in (
        {"max_per_user": 0},
        {"max_per_user": -1},
        {"max_per_user": "3"},
        {"max_age": "12h"},
        {"idle": 0},
        {"grace": 301},
        {"over": "never"},
        {"end_with_key": 1},
        {"max": 5},  # a host's own
        [],
    ):
        assert patch(bad).status == 400, bad
    assert client.must("GET", tenant.path)["policy"]["sessions"] == rules
    refused(client.patch(tenant.path, {"policy": {"max_sessions_per_user": 3}}, headers={"If-Match": "*"}), 400, "policy")


def test_the_command_line(people, tenant, control, reporter):
    def run(*arguments, **more):
        return control.run("session", *arguments, "--tenant", tenant.slug, **more)

    lines = run("list").stdout.splitlines()
    assert len(lines) == 5 and lines[0].split()[0] == "id" and sum("bob" in line for line in lines) == 3
    assert len(run("list", "--user", "alice").stdout.splitlines()) == 2
    assert {item["id"] for item in json.loads(run("list", "--state", "left-behind", "--json").stdout)} == {people.s["id"]}
    assert json.loads(run("show", people.a["id"], "--json").stdout)["login"] == "alice"
    assert run("show", ABSENT, check=False).returncode == 3
    done = run("end", people.a["id"], "--reason", "maintenance").stdout
    assert "0 of 1 hosts have taken it in" in done and "0 of 1 sessions are gone" in done
    assert json.loads(run("end", "--user", "bob", "--json").stdout)["sessions"]["asked"] == 3
    assert json.loads(run("end", "--project", "vision", "--host", reporter.host.name, "--json").stdout)["sessions"]["asked"] == 2
    assert json.loads(run("end", "--all", "--json").stdout)["sessions"]["asked"] == 4
    for wrong in (["end"], ["end", "--all", "--user", "bob"], ["end", people.a["id"], "--user", "bob"], ["end", people.a["id"], "--all"]):
        assert run(*wrong, check=False).returncode in (1, 2), wrong
