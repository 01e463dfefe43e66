# SPDX-License-Identifier: MIT
"""Hosts as operators see them: which tenants they serve, taking them out of service, enrolment tokens."""
import json

import pytest

ANY = {"If-Match": "*"}


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


class Host:
    def __init__(self, control, operator, name, *tenants):
        self.id, self.name, self.path = f"hst_{name:0>16}", name, f"/v1/hosts/hst_{name:0>16}"
        control.cluster.psql(
            f"INSERT INTO control.hosts (id, name, jwk, kid, last_seen) VALUES ('{self.id}', '{name}', '{{}}', 'kid-{name}', now())"
        )
        for tenant in tenants:
            operator.must("PUT", f"{self.path}/tenants/{tenant.slug}")


def feed_record(control, tenant, record):
    return control.cluster.psql(f"SELECT body FROM control.feed_records WHERE tenant_id = '{tenant.id}' AND id = '{record}'")


def test_tenants_see_hosts_that_serve_them(control, operator, tenant, new_tenant):
    other = new_tenant("hosts-other")
    mine = Host(control, operator, f"m{tenant.slug}", tenant, other)
    Host(control, operator, f"o{tenant.slug}", other)
    seen = tenant.owner.must("GET", f"{tenant.path}/hosts")["items"]
    assert [h["id"] for h in seen] == [mine.id]
    # Not who else is there.
    assert other.id not in json.dumps(seen)
    assert operator.must("GET", mine.path)["tenants"] == sorted([tenant.id, other.id])
    for path in ("/v1/hosts", mine.path):
        refused(tenant.owner.get(path), 403)


def test_serving_and_withdrawing(control, operator, tenant):
    host = Host(control, operator, f"s{tenant.slug}")
    refused(operator.put(f"{host.path}/tenants/nobody"), 404)
    refused(operator.put(f"/v1/hosts/hst_0000000000000000/tenants/{tenant.slug}"), 404)
    refused(operator.delete(f"{host.path}/tenants/{tenant.slug}"), 404)
    assert operator.put(f"{host.path}/tenants/{tenant.slug}").status == 200
    assert operator.put(f"{host.path}/tenants/{tenant.slug}").status == 200
    assert operator.delete(f"{host.path}/tenants/{tenant.slug}").json["tenants"] == []


def test_names(control, operator, tenant):
    one, two = Host(control, operator, f"n1{tenant.slug}"), Host(control, operator, f"n2{tenant.slug}")
    assert [h["id"] for h in operator.must("GET", f"/v1/hosts?name={two.name}")["items"]] == [two.id]
    assert operator.must("GET", "/v1/hosts?name=nobody")["items"] == []
    refused(operator.patch(one.path, {"name": "a b"}, headers=ANY), 400, "name")
    refused(operator.patch(one.path, {"name": two.name}, headers=ANY), 409)
    refused(operator.patch(one.path, {"name": "x"}), 428)
    refused(operator.patch(one.path, {"name": "x"}, headers={"If-Match": '"99"'}), 412)
    assert operator.patch(one.path, {"name": f"n3{tenant.slug}"}, headers=ANY).json["name"] == f"n3{tenant.slug}"


@pytest.mark.parametrize("more", [0, 3])
def test_disabling_tells_every_tenant(control, operator, tenant, new_tenant, more):
    tenants = [tenant, *(new_tenant(f"{tenant.slug}-{n}") for n in range(more))]
    host = Host(control, operator, f"d{tenant.slug}", *tenants)
    refused(operator.delete(host.path), 409)
    refused(operator.post(f"{host.path}/disable", {"reason": 5}), 400, "reason")
    done = operator.must("POST", f"{host.path}/disable", {"reason": "stolen"})
    assert done["disabled_at"] > 0
    # A disabled host is none to be waited for: what is counted are the others.
    assert done["acks"]["acknowledged"] == 0
    for one in tenants:
        body = json.loads(feed_record(control, one, host.id))
        assert body == {"of": "host", "at": done["disabled_at"], "reason": "stolen"}
        revision = control.cluster.psql(f"SELECT revision FROM control.feeds WHERE tenant_id = '{one.id}'")
        delta = json.loads(control.cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{one.id}' AND revision = {revision}"))
        assert [(op["op"], op["kind"], op["id"]) for op in delta["ops"]] == [("revoke", "host", host.id)]
    refused(operator.post(f"{host.path}/disable", {}), 409)
    refused(operator.put(f"{host.path}/tenants/{tenant.slug}"), 409)
    refused(operator.delete(f"{host.path}/tenants/{tenant.slug}"), 409)
    back = operator.must("POST", f"{host.path}/enable")
    assert "disabled_at" not in back and "kid" not in back
    for one in tenants:
        assert feed_record(control, one, host.id) == ""
    refused(operator.post(f"{host.path}/enable"), 409)
    operator.must("POST", f"{host.path}/disable", {})
    assert operator.delete(host.path).status == 204
    refused(operator.get(host.path), 404)


def test_a_host_of_nobody(control, operator, tenant):
    host = Host(control, operator, f"z{tenant.slug}")
    done = operator.must("POST", f"{host.path}/disable?wait=5", {})
    assert done["acks"]["hosts"] == 0
    operator.must("POST", f"{host.path}/enable")


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "tenants"),
        ({"tenants": []}, "tenants"),
        ({"tenants": ["nobody"]}, "tenants"),
        ({"tenants": "TENANT"}, "tenants"),
        ({"tenants": ["TENANT", "TENANT"]}, "tenants"),
        ({"tenants": ["TENANT"], "uses": 0}, "uses"),
        ({"tenants": ["TENANT"], "uses": 10001}, "uses"),
        ({"tenants": ["TENANT"], "lifetime": 0}, "lifetime"),
        ({"tenants": ["TENANT"], "lifetime": 31 * 86400}, "lifetime"),
        ({"tenants": ["TENANT"], "host_name": "a*b"}, "host_name"),
        ({"tenants": ["TENANT"], "verifier": "x"}, "verifier"),
    ],
)
def test_what_is_no_enrolment_token(operator, tenant, body, field):
    body = json.loads(json.dumps(body).replace("TENANT", tenant.slug))
    refused(operator.post("/v1/enrolment-tokens", body), 400, field)


def test_enrolment_tokens(control, operator, tenant):
    made = operator.must("POST", "/v1/enrolment-tokens", {"tenants": [tenant.slug], "uses": 3, "host_name": "gpu*"})
    assert made["token"].startswith(f"tnt_et_{made['id']}_") and made["tenants"] == [tenant.id]
    listed = [t for t in operator.must("GET", "/v1/enrolment-tokens?limit=1000")["items"] if t["id"] == made["id"]]
    assert len(listed) == 1 and "token" not in listed[0] and "verifier" not in listed[0]
    assert made["token"][24:] not in control.cluster.psql("SELECT t::text FROM control.enrolment_tokens t UNION ALL SELECT e::text FROM control.audit_entries e UNION ALL SELECT convert_from(w.records, 'UTF8') FROM control.audit_inbox w")
    refused(tenant.owner.post("/v1/enrolment-tokens", {"tenants": [tenant.slug]}), 403)
    assert operator.delete(f"/v1/enrolment-tokens/{made['id']}").status == 204
    refused(operator.delete(f"/v1/enrolment-tokens/{made['id']}"), 404)
