# SPDX-License-Identifier: MIT
"""Tenants: who may make and change them, and what a tenant's own people cannot do to it."""
import pytest

ANY = {"If-Match": "*"}


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer
    return answer.json


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "slug"),
        ({"slug": "Upper"}, "slug"),
        ({"slug": "-dash"}, "slug"),
        ({"slug": "a" * 25}, "slug"),
        ({"slug": "12345"}, "slug"),
        ({"slug": 5}, "slug"),
        ({"slug": "good", "ids": 15}, "ids"),
        ({"slug": "good", "ids": 16777217}, "ids"),
        ({"slug": "good", "ids": -1}, "ids"),
        ({"slug": "good", "allow_from": ["10.0.0.1/8"]}, "allow_from"),
        ({"slug": "good", "allow_from": "10.0.0.0/8"}, "allow_from"),
        ({"slug": "good", "name": "a\u202eb"}, "name"),
        ({"slug": "good", "policy": {"gid": 5}}, "policy"),
        ({"slug": "good", "policy": {"ids": {"first": 1}}}, "policy"),
        ({"slug": "good", "policy": {"ssh_keys": "all"}}, "ssh_keys"),
        ({"slug": "good", "policy": {"login_hours": ["always"]}}, "login_hours"),
        ({"slug": "good", "id": "ten_0000000000000000"}, "id"),
    ],
)
def test_what_is_no_tenant(operator, body, field):
    refused(operator.post("/v1/tenants", body), 400, field)
    assert "good" not in [t["slug"] for t in operator.must("GET", "/v1/tenants?limit=1000")["items"]]


def test_a_slug_is_taken_once(operator, tenant):
    refused(operator.post("/v1/tenants", {"slug": tenant.slug}), 409)


def test_blocks_do_not_overlap(operator, new_tenant):
    blocks = sorted((t["ids"]["first"], t["ids"]["count"]) for t in
                    (operator.must("GET", new_tenant(f"block{i}").path) for i in range(3)))  # fmt: skip
    for (first, count), (after, _) in zip(blocks, blocks[1:]):
        assert first + count <= after


def test_owner_changes_what_is_theirs(tenant):
    owner = tenant.owner
    before = owner.get(tenant.path)
    refused(owner.patch(tenant.path, {"name": "New"}), 428)
    refused(owner.patch(tenant.path, {"name": "New"}, headers={"If-Match": '"1000"'}), 412)
    after = owner.patch(tenant.path, {"name": "New", "policy": {"sessions": {"max_per_user": 3}}}, headers={"If-Match": before.headers["ETag"]})
    assert after.json["name"] == "New" and after.json["policy"] == {"sessions": {"max_per_user": 3}}
    refused(owner.patch(tenant.path, {"name": "Newer"}, headers={"If-Match": before.headers["ETag"]}), 412)
    for field in ({"slug": "other"}, {"gid": 5}, {"region": "us"}, {"ids": 5}):
        refused(owner.patch(tenant.path, field, headers=ANY), 400, next(iter(field)))
    refused(owner.patch(tenant.path, {"suspended": True}, headers=ANY), 403)
    refused(owner.delete(tenant.path), 403)


def test_suspended_tenant_lets_nobody_in(operator, tenant):
    owner = tenant.owner
    refused(operator.delete(tenant.path), 409)
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    assert owner.get(tenant.path).status in (401, 403)
    operator.must("PATCH", tenant.path, {"suspended": False}, headers=ANY)
    assert owner.get(tenant.path).status == 200


def test_address_list_of_the_tenant(operator, tenant):
    owner = tenant.owner
    operator.must("PATCH", tenant.path, {"allow_from": ["192.0.2.0/24"]}, headers=ANY)
    refused(owner.get(tenant.path), 403)
    # The platform's operators are not the tenant's people, and can put it right.
    operator.must("PATCH", tenant.path, {"allow_from": []}, headers=ANY)
    assert owner.get(tenant.path).status == 200


def test_delete_takes_everything_along(operator, control, tenant):
    user = tenant.user("gone", "owner")
    user.key()
    tenant.project("gone")
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    assert operator.delete(tenant.path).status == 204
    refused(operator.get(tenant.path), 404)
    for table in ("users", "projects", "members", "api_keys", "feeds", "feed_deltas", "feed_records", "feed_keys"):
        assert control.cluster.psql(f"SELECT count(*) FROM control.{table} WHERE tenant_id = '{tenant.id}'") == "0", table


def test_who_deletes_a_tenant_is_in_the_platforms_log(operator, control, tenant):
    """The tenant's own has ended (test_audit_ending.py), and nobody is left in it who could not be erased."""
    tenant.user("gone").key()
    operator.must("PATCH", tenant.path, {"suspended": True}, headers=ANY)
    names = f"SELECT count(*) FROM control.audit_person_keys WHERE tenant_id = '{tenant.id}'"
    assert control.cluster.psql(names) != "0"
    head = operator.get(f"{tenant.path}/events?limit=1").json["items"][0]["index"]
    assert operator.delete(tenant.path).status == 204
    (said,) = operator.get("/v1/events?kind=tenant.delete&limit=1").json["items"]
    assert said["target"] == tenant.id and said["actor"].startswith("opr_")
    proof = operator.get(f"/v1/audit/proofs/inclusion?id={said['id']}")
    assert proof.status == 200 and proof.json["checkpoint"]
    assert control.cluster.psql(names) == "0"
    sizes = f"SELECT size >= {head} AND checkpoint <> '' FROM control.audit_logs WHERE tenant_id = '{tenant.id}'"
    assert control.cluster.psql(sizes) == "t"  # it stays


def test_id_block_runs_out(operator):
    made = operator.must("POST", "/v1/tenants", {"slug": "tiny", "ids": 16})
    path = f"/v1/tenants/{made['id']}"
    for number in range(3):
        operator.must("POST", f"{path}/projects", {"slug": f"p{number}"})
    for number in range(3):
        operator.must("POST", f"{path}/users", {"login": f"u{number}"})
    refused(operator.post(f"{path}/users", {"login": "one-more"}), 409)
    # A number that was given once is not given again.
    operator.must("DELETE", f"{path}/users/u2")
    refused(operator.post(f"{path}/users", {"login": "one-more"}), 409)
