# SPDX-License-Identifier: MIT
"""Operators of the platform and their grants."""
import itertools
import time

import pytest

ANY = {"If-Match": "*"}
PASSWORD = "an operator's password 42"
_number = itertools.count(1)


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


class Operator:
    def __init__(self, root, *grants):
        self.email = f"op{next(_number)}@ops.example"
        self.id = root.must("POST", "/v1/operators", {"email": self.email, "password": PASSWORD})["id"]
        self.path = f"/v1/operators/{self.id}"
        for grant in grants:
            root.must("POST", f"{self.path}/grants", grant)
        self.client = root.as_(None)
        self.client.token = self.client.sign_in(self.email, PASSWORD)


@pytest.mark.parametrize("body,field", [({}, "email"), ({"email": "x"}, "email"), ({"email": "a@b.example", "name": "a\n"}, "name"), ({"email": "a@b.example", "role": "admin"}, "role")])
def test_what_is_no_operator(operator, body, field):
    refused(operator.post("/v1/operators", body), 400, field)


def test_addresses_are_unique(operator):
    one = Operator(operator)
    refused(operator.post("/v1/operators", {"email": one.email.upper()}), 409)


def test_without_a_grant_nothing(operator, tenant):
    client = Operator(operator).client
    for path in ("/v1/tenants", "/v1/hosts", "/v1/operators", "/v1/events", "/v1/enrolment-tokens"):
        refused(client.get(path), 403)
    refused(client.get(tenant.path), 404)


def test_support_reads(operator, tenant):
    client = Operator(operator, {"role": "support"}).client
    for path in ("/v1/tenants", "/v1/hosts", "/v1/operators", "/v1/events", tenant.path, f"{tenant.path}/users", f"{tenant.path}/keys"):
        assert client.get(path).status == 200, path
    refused(client.post("/v1/tenants", {"slug": "x"}), 403)
    refused(client.patch(tenant.path, {"name": "x"}, headers=ANY), 403)
    refused(client.post(f"{tenant.path}/keys", {"user": "x"}), 403)
    refused(client.post("/v1/operators", {"email": "x@y.example"}), 403)


def test_hosts_only(operator, tenant):
    client = Operator(operator, {"role": "hosts"}).client
    assert client.get("/v1/hosts").status == 200
    assert client.post("/v1/enrolment-tokens", {"tenants": [tenant.slug]}).status == 201
    refused(client.get(tenant.path), 404)
    refused(client.get(f"{tenant.path}/users"), 404)
    refused(client.get("/v1/operators"), 403)
    refused(client.post("/v1/tenants", {"slug": "x"}), 403)


def test_a_grant_in_one_tenant(operator, tenant, new_tenant):
    other = new_tenant("grants-other")
    client = Operator(operator, {"role": "admin", "tenant": tenant.slug}).client
    assert client.post(f"{tenant.path}/users", {"login": "ann"}).status == 201
    refused(client.get(other.path), 404)
    refused(client.post(f"{other.path}/users", {"login": "ann"}), 404)
    assert [t["id"] for t in client.must("GET", "/v1/tenants")["items"]] == [tenant.id]
    for method, path, body in (
        ("POST", "/v1/tenants", {"slug": "x"}), ("GET", "/v1/hosts", None), ("GET", "/v1/events", None),
        ("POST", "/v1/operators", {"email": "x@y.example"}), ("DELETE", tenant.path, None),
    ):  # fmt: skip
        refused(client.request(method, path, body), 403)


@pytest.mark.parametrize("body,field", [({}, "role"), ({"role": "root"}, "role"), ({"role": "admin", "tenant": "nobody"}, "tenant"), ({"role": "admin", "not_after": 5}, "not_after"), ({"role": "admin", "reason": "a\nb"}, "reason")])
def test_what_is_no_grant(operator, body, field):
    refused(operator.post(f"{Operator(operator).path}/grants", body), 400, field)


def test_nobody_changes_what_they_may_do(operator):
    one = Operator(operator, {"role": "admin"})
    refused(one.client.post(f"{one.path}/grants", {"role": "hosts"}), 403)
    refused(one.client.patch(one.path, {"status": "suspended"}, headers=ANY), 403)
    refused(one.client.delete(one.path), 403)
    assert one.client.patch(one.path, {"name": "Myself"}, headers=ANY).status == 200
    grant = operator.must("GET", f"{one.path}/grants")["items"][0]
    refused(one.client.delete(f"{one.path}/grants/{grant['id']}"), 403)


def test_grants_end(operator, control, tenant):
    one = Operator(operator, {"role": "admin", "not_after": int(time.time()) + 3600})
    refused(operator.post(f"{one.path}/grants", {"role": "admin"}), 409)
    assert one.client.get(tenant.path).status == 200
    control.cluster.psql(f"UPDATE control.operator_grants SET not_after = {int(time.time())} WHERE operator_id = '{one.id}'")
    refused(one.client.get(tenant.path), 404)
    refused(one.client.get("/v1/tenants"), 403)
    two = Operator(operator, {"role": "admin"})
    grant = operator.must("GET", f"{two.path}/grants")["items"][0]
    refused(operator.delete(f"{one.path}/grants/{grant['id']}"), 404)
    assert operator.delete(f"{two.path}/grants/{grant['id']}").status == 204
    refused(two.client.get(tenant.path), 404)


def test_suspending(operator, tenant):
    one = Operator(operator, {"role": "admin"})
    refused(operator.patch(one.path, {"status": "gone"}, headers=ANY), 400, "status")
    assert operator.patch(one.path, {"status": "suspended"}, headers=ANY).json["status"] == "suspended"
    assert one.client.get(tenant.path).status in (401, 404)
    assert operator.delete(one.path).status == 204
    refused(operator.get(one.path), 404)


def test_events_of_the_platform(operator):
    one = Operator(operator, {"role": "admin"})
    kinds = [(e["kind"], e["target"]) for e in operator.must("GET", "/v1/events?limit=20")["items"]]
    assert ("operator.create", one.id) in kinds and ("grant.create", one.id) in kinds
