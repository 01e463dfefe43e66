# SPDX-License-Identifier: MIT
"""People and service accounts."""
import pytest

ANY = {"If-Match": "*"}


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "login"),
        ({"login": "root"}, "login"),
        ({"login": "-x"}, "login"),
        ({"login": "a b"}, "login"),
        ({"login": "x\ny"}, "login"),
        ({"login": "a" * 33}, "login"),
        ({"login": "ann", "kind": "robot"}, None),
        ({"login": "ann", "name": "a:b"}, "name"),
        ({"login": "ann", "email": "nobody"}, "email"),
        ({"login": "ann", "home": "../etc"}, "home"),
        ({"login": "ann", "shell": "bash"}, "shell"),
        ({"login": "ann", "ssh_keys": ["ssh-ed25519 AAAA"]}, "ssh_keys"),
        ({"login": "ann", "ssh_keys": [5]}, "ssh_keys"),
        ({"login": "ann", "uid": 0}, "uid"),
        ({"login": "ann", "status": "active"}, "status"),
    ],
)
def test_what_is_no_user(tenant, operator, body, field):
    refused(operator.post(f"{tenant.path}/users", body), 400, field)
    assert operator.must("GET", f"{tenant.path}/users")["items"] == []


def test_names_and_addresses_are_unique_in_the_tenant(operator, tenant, new_tenant):
    users = f"{tenant.path}/users"
    operator.must("POST", users, {"login": "ann", "email": "Ann@example.org"})
    refused(operator.post(users, {"login": "ann"}), 409)
    refused(operator.post(users, {"login": "ann2", "email": "ann@EXAMPLE.org"}), 409)
    other = new_tenant("unique-other")
    operator.must("POST", f"{other.path}/users", {"login": "ann", "email": "ann@example.org"})


def test_uids_are_never_given_twice(operator, tenant):
    first = operator.must("POST", f"{tenant.path}/users", {"login": "ann"})
    operator.must("DELETE", f"{tenant.path}/users/ann")
    second = operator.must("POST", f"{tenant.path}/users", {"login": "ann"})
    assert second["uid"] > first["uid"] and second["id"] != first["id"]


def test_a_login_that_looks_like_an_id(operator, tenant):
    ann = operator.must("POST", f"{tenant.path}/users", {"login": "ann"})
    # As long as a login name may be, it can be spelled like ann's id.
    operator.must("POST", f"{tenant.path}/users", {"login": ann["id"]})
    assert operator.must("GET", f"{tenant.path}/users/{ann['id']}")["login"] == "ann"


def test_lists(operator, tenant):
    users = f"{tenant.path}/users"
    for number in range(5):
        operator.must("POST", users, {"login": f"u{number}", "kind": "service" if number == 3 else "person", "email": f"u{number}@x.example"})
    seen, cursor = [], ""
    while cursor is not None:
        page = operator.must("GET", f"{users}?limit=2&cursor={cursor}")
        assert len(page["items"]) <= 2
        seen += [u["login"] for u in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == [f"u{n}" for n in range(5)]
    assert [u["login"] for u in operator.must("GET", f"{users}?login=u1")["items"]] == ["u1"]
    assert [u["login"] for u in operator.must("GET", f"{users}?email=U2@x.example")["items"]] == ["u2"]
    assert [u["login"] for u in operator.must("GET", f"{users}?kind=service")["items"]] == ["u3"]
    for bad in ("limit=0", "limit=1001", "limit=x", "limit=1&limit=2"):
        refused(operator.get(f"{users}?{bad}"), 400)


def test_patch(operator, tenant):
    ann = tenant.user("ann")
    path = f"{tenant.path}/users/ann"
    for field in ("login", "kind", "uid", "status", "password"):
        refused(operator.patch(path, {field: "x"}, headers=ANY), 400, field)
    refused(operator.patch(path, {"name": "A"}), 428)
    done = operator.must("PATCH", path, {"name": "Ann", "shell": "/bin/sh", "email": ""}, headers=ANY)
    assert done["name"] == "Ann" and done["shell"] == "/bin/sh" and "email" not in done
    assert operator.must("GET", f"{tenant.path}/users/{ann.id}")["name"] == "Ann"


def test_suspending_ends_sessions(operator, tenant):
    ann = tenant.user("ann", "viewer")
    client = ann.client()
    key = ann.key()
    assert client.get(tenant.path).status == 200
    done = operator.must("POST", f"{tenant.path}/users/ann/suspend", {"reason": "left"})
    assert done["status"] == "suspended" and done["acks"]["hosts"] == 0 and done["acks"]["revision"] > 0
    assert client.get(tenant.path).status in (401, 403)
    assert operator.as_(key["secret"]).get(tenant.path).status in (401, 403)
    assert operator.must("POST", f"{tenant.path}/users/ann/resume")["status"] == "active"
    # What was ended stays ended; the key, which was never taken back, works again.
    assert client.get(tenant.path).status in (401, 403)
    assert operator.as_(key["secret"]).get(tenant.path).status == 200


def test_a_tenant_keeps_an_owner(operator, tenant):
    owner = tenant.owner
    one = tenant._owner
    refused(owner.put(f"{tenant.path}/members/{one.id}", {"role": "admin"}), 409)
    refused(owner.delete(f"{tenant.path}/members/{one.id}"), 409)
    refused(owner.post(f"{tenant.path}/users/{one.id}/suspend", {}), 409)
    refused(operator.delete(f"{tenant.path}/users/{one.id}"), 409)
    two = tenant.user("two", "owner")
    operator.must("POST", f"{tenant.path}/users/two/suspend", {})
    # One who is suspended is none to keep.
    refused(operator.delete(f"{tenant.path}/members/{one.id}"), 409)
    operator.must("POST", f"{tenant.path}/users/two/resume")
    assert operator.delete(f"{tenant.path}/members/{one.id}").status == 200
    refused(operator.delete(f"{tenant.path}/members/{two.id}"), 409)


def test_nobody_acts_on_those_above_them(tenant):
    owner = tenant.owner
    top = tenant._owner
    admin = tenant.user("adam", "admin").client()
    for answer in (
        admin.post(f"{tenant.path}/users/{top.id}/suspend", {}),
        admin.delete(f"{tenant.path}/users/{top.id}"),
        admin.patch(f"{tenant.path}/users/{top.id}", {"email": "me@example.org"}, headers=ANY),
        admin.put(f"{tenant.path}/users/{top.id}/password", {"password": "a long enough password 43"}),
        admin.delete(f"{tenant.path}/members/{top.id}"),
        admin.put(f"{tenant.path}/members/{top.id}", {"role": "viewer"}),
        admin.post(f"{tenant.path}/keys", {"user": top.id}),
    ):
        refused(answer, 403)
    events = owner.must("GET", f"{tenant.path}/events?kind=permission.refused")["items"]
    assert len(events) == 7 and {e["outcome"] for e in events} == {"failure"} and {e["target"] for e in events} == {top.id}


def test_nobody_deletes_themselves(tenant):
    owner = tenant.owner
    tenant.user("two", "owner")
    refused(owner.delete(f"{tenant.path}/users/{tenant._owner.id}"), 409)


def test_deleting_takes_keys_and_roles_out_of_the_feed(operator, control, tenant):
    ann = tenant.user("ann", "viewer")
    project = tenant.project("vision")
    operator.must("PUT", f"{tenant.path}/projects/vision/members/ann", {"role": "owner"})
    key = ann.key()
    done = operator.must("DELETE", f"{tenant.path}/users/ann")
    delta = control.cluster.psql(
        f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' AND revision = {done['acks']['revision']}"
    )
    for gone in (ann.id, f"{ann.id}/", f"{ann.id}/{project['id']}", key["id"]):
        assert f'"op":"del"' in delta and f'"id":"{gone}"' in delta, gone
    left = control.cluster.psql(f"SELECT count(*) FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND id LIKE '{ann.id}%'")
    assert left == "0"
