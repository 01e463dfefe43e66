# SPDX-License-Identifier: MIT
"""API keys: what they are limited to, how they are rotated, and their end."""
import time

import pytest

ANY = {"If-Match": "*"}
NOW = int(time.time())


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer
    return answer.json


@pytest.mark.parametrize(
    "body,field",
    [
        ({"user": "nobody"}, None),
        ({"label": "x\n"}, "label"),
        ({"projects": ["prj_0000000000000000"]}, "projects"),
        ({"projects": "all"}, "projects"),
        ({"actions": ["dataset.wirte"]}, "actions"),
        ({"actions": ["host.reboot"]}, "actions"),
        ({"from": ["10.0.0.1/8"]}, "from"),
        ({"services": ["a b"]}, "services"),
        ({"not_after": -1}, "not_after"),
        ({"not_before": NOW + 100, "not_after": NOW + 50}, None),
        ({"verifier": "sha256:00"}, "verifier"),
        ({"id": "key_0000000000000000"}, "id"),
    ],
)
def test_what_is_no_key(operator, tenant, body, field):
    tenant.user("ann")
    answer = operator.post(f"{tenant.path}/keys", {"user": "ann", **body})
    refused(answer, 404 if body.get("user") == "nobody" else 400, field)
    assert operator.must("GET", f"{tenant.path}/keys")["items"] == []


def test_an_operators_own_key_is_none(operator, tenant):
    refused(operator.post(f"{tenant.path}/keys", {}), 400, "user")


def test_the_secret_is_shown_once(operator, control, tenant):
    key = tenant.user("ann", "viewer").key()
    secret = key["secret"]
    assert secret.startswith("tnt_pk_") and key["id"][4:] in secret
    service = operator.must("POST", f"{tenant.path}/users", {"login": "robot", "kind": "service"})
    assert operator.must("POST", f"{tenant.path}/keys", {"user": service["id"]})["secret"].startswith("tnt_sk_")
    for path in (f"{tenant.path}/keys", f"{tenant.path}/keys/{key['id']}", f"{tenant.path}/events"):
        body = operator.get(path).body
        assert secret[30:].encode() not in body and b"verifier" not in body
    for table in ("api_keys", "audit_entries", "audit_personal", "audit_person_keys", "feed_deltas", "feed_records", "idempotency"):
        assert secret[24:] not in control.cluster.psql(f"SELECT t::text FROM control.{table} t"), table
    client = operator.as_(secret)
    assert client.get(tenant.path).status == 200
    for wrong in (secret[:-1] + ("0" if secret[-1] != "0" else "1"), secret[:-6], secret.replace("tnt_pk", "tnt_sk")):
        assert operator.as_(wrong).get(tenant.path).status == 401


def test_people_look_after_their_own(operator, tenant):
    ann, bob = tenant.user("ann"), tenant.user("bob")
    theirs = bob.key()
    client = ann.client()
    mine = client.must("POST", f"{tenant.path}/keys", {"label": "mine"})
    assert mine["user"] == ann.id
    assert [k["id"] for k in client.must("GET", f"{tenant.path}/keys")["items"]] == [mine["id"]]
    refused(client.get(f"{tenant.path}/keys?user=bob"), 403)
    refused(client.post(f"{tenant.path}/keys", {"user": "bob"}), 403)
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"label": "x"}), ("POST", "/rotate", {}), ("POST", "/revoke", {}),
    ):  # fmt: skip
        refused(client.request(method, f"{tenant.path}/keys/{theirs['id']}{path}", body, headers=ANY), 404)
    assert client.post(f"{tenant.path}/keys/{mine['id']}/revoke", {}).status == 200


def test_others_keys_do_not_exist(operator, tenant, new_tenant):
    other = new_tenant("keys-other")
    theirs = other.user("ann").key()
    owner = tenant.owner
    refused(owner.get(f"{tenant.path}/keys/{theirs['id']}"), 404)
    refused(owner.post(f"{tenant.path}/keys/{theirs['id']}/revoke", {}), 404)
    refused(owner.get(f"{other.path}/keys/{theirs['id']}"), 404)
    assert operator.as_(theirs["secret"]).get(tenant.path).status == 404


# ---- scopes ----


def test_a_key_does_what_it_is_for(operator, tenant):
    one, two = tenant.project("one"), tenant.project("two")
    owner = tenant.user("boss", "owner")
    limited = operator.as_(owner.key(projects=[one["id"]])["secret"])
    assert limited.get(f"{tenant.path}/projects/{one['id']}").status == 200
    refused(limited.get(f"{tenant.path}/projects/{two['id']}"), 403)
    for path in ("", "/users", "/projects", "/keys", "/events", "/members"):
        refused(limited.get(tenant.path + path), 403)
    reader = operator.as_(owner.key(actions=["project.view"])["secret"])
    assert reader.get(f"{tenant.path}/users").status == 200
    refused(reader.post(f"{tenant.path}/users", {"login": "x"}), 403)
    refused(reader.get(f"{tenant.path}/events"), 403)
    refused(reader.get(f"{tenant.path}/keys"), 403)
    refused(operator.as_(owner.key(services=["jupyterhub"])["secret"]).get(tenant.path), 403)
    assert operator.as_(owner.key(services=["tenant-control"])["secret"]).get(tenant.path).status == 200
    refused(operator.as_(owner.key(**{"from": ["192.0.2.0/24"]})["secret"]).get(tenant.path), 403)
    assert operator.as_(owner.key(**{"from": ["127.0.0.0/8"]})["secret"]).get(tenant.path).status == 200
    assert operator.as_(owner.key(not_before=int(time.time()) + 3600)["secret"]).get(tenant.path).status == 401


def test_a_limited_key_makes_no_wider_one(operator, tenant):
    owner = tenant.user("boss", "owner")
    end = int(time.time()) + 3600
    limits = {"actions": ["key.manage", "project.view"], "from": ["127.0.0.0/8"], "services": ["tenant-control"], "not_after": end}
    client = operator.as_(owner.key(**limits)["secret"])
    keys = f"{tenant.path}/keys"
    for wider in ({"actions": []}, {"actions": ["key.manage", "tenant.manage"]}, {"from": []}, {"from": ["0.0.0.0/0"]},
                  {"services": []}, {"services": ["tenant-control", "x"]}, {"not_after": 0}, {"not_after": end + 1}):  # fmt: skip
        refused(client.post(keys, {"user": "boss", **limits, **wider}), 403)
    narrower = {"actions": ["project.view"], "from": ["127.0.0.1/32"], "not_after": end - 10}
    assert client.post(keys, {"user": "boss", **limits, **narrower}).status == 201


# ---- rotation ----


def test_rotation(operator, tenant):
    old = tenant.user("ann", "viewer").key(label="ci", actions=["project.view"])
    path = f"{tenant.path}/keys/{old['id']}"
    for bad in ({"grace": -1}, {"grace": 90 * 86400 + 1}, {"grace": "7d"}, {"not_after": 5}):
        refused(operator.post(f"{path}/rotate", bad), 400)
    new = operator.must("POST", f"{path}/rotate", {"grace": 60})
    assert new["label"] == "ci" and new["actions"] == ["project.view"] and new["id"] != old["id"]
    before = operator.must("GET", path)
    assert before["successor"] == new["id"] and abs(before["not_after"] - time.time() - 60) < 5
    for secret in (old["secret"], new["secret"]):
        assert operator.as_(secret).get(tenant.path + "/users").status == 200
    refused(operator.post(f"{path}/rotate", {}), 409)
    # Without grace the old one ends at once.
    newer = operator.must("POST", f"{tenant.path}/keys/{new['id']}/rotate", {})
    assert operator.as_(new["secret"]).get(tenant.path + "/users").status == 401
    assert operator.as_(newer["secret"]).get(tenant.path + "/users").status == 200


def test_a_retried_rotation_gives_the_same_key(operator, tenant):
    old = tenant.user("ann").key()
    path, once = f"{tenant.path}/keys/{old['id']}/rotate", {"Idempotency-Key": "rotate-1"}
    first = operator.post(path, {"grace": 60}, headers=once)
    again = operator.post(path, {"grace": 60}, headers=once)
    assert first.status == again.status == 201 and first.json["secret"] == again.json["secret"]
    assert len(operator.must("GET", f"{tenant.path}/keys")["items"]) == 2
    refused(operator.post(path, {"grace": 61}, headers=once), 422)


# ---- revocation ----


def test_revocation(operator, control, tenant):
    key = tenant.user("ann", "viewer").key()
    path = f"{tenant.path}/keys/{key['id']}"
    refused(operator.post(f"{path}/revoke", {"reason": "a\nb"}), 400)
    refused(operator.post(f"{path}/revoke?wait=31", {}), 400, "wait")
    refused(operator.post(f"{path}/revoke?wait=x", {}), 400, "wait")
    assert operator.as_(key["secret"]).get(tenant.path).status == 200
    done = operator.must("POST", f"{path}/revoke", {"reason": "lost"})
    assert done["revoked_reason"] == "lost" and done["acks"]["hosts"] == 0
    assert operator.as_(key["secret"]).get(tenant.path).status == 401
    delta = control.cluster.psql(f"SELECT bytes FROM control.feed_deltas WHERE tenant_id = '{tenant.id}' AND revision = {done['acks']['revision']}")
    assert '"op":"revoke"' in delta and key["id"] in delta and "lost" in delta
    refused(operator.post(f"{path}/revoke", {}), 409)
    refused(operator.post(f"{path}/rotate", {}), 409)


def put_host(control, tenant, name, seen="now()"):
    host = f"hst_{name:0>16}"
    control.cluster.psql(
        f"INSERT INTO control.hosts (id, name, jwk, kid, last_seen) VALUES ('{host}', '{name}', '{{}}', 'kid-{name}', {seen});"
        f"INSERT INTO control.host_tenants VALUES ('{host}', '{tenant.id}')"
    )
    return host


def acknowledge(control, tenant, host, revision):
    control.cluster.psql(
        f"INSERT INTO control.feed_acks (tenant_id, host_id, epoch, revision) VALUES ('{tenant.id}', '{host}', 1, {revision}) "
        "ON CONFLICT (tenant_id, host_id) DO UPDATE SET revision = excluded.revision"
    )


def test_waiting_for_hosts(operator, control, tenant):
    here = put_host(control, tenant, f"wait1{tenant.slug}")
    put_host(control, tenant, f"wait2{tenant.slug}", "now() - interval '1 day'")
    user = tenant.user("ann")
    one, two, three = user.key(), user.key(), user.key()
    done = operator.must("POST", f"{tenant.path}/keys/{one['id']}/revoke", {})
    assert {k: done["acks"][k] for k in ("hosts", "acknowledged", "away")} == {"hosts": 1, "acknowledged": 0, "away": 1}
    start = time.monotonic()
    done = operator.must("POST", f"{tenant.path}/keys/{two['id']}/revoke?wait=1", {})
    assert done["acks"]["acknowledged"] == 0 and 0.9 < time.monotonic() - start < 5
    acknowledge(control, tenant, here, done["acks"]["revision"] + 1)
    start = time.monotonic()
    done = operator.must("POST", f"{tenant.path}/keys/{three['id']}/revoke?wait=20", {})
    assert done["acks"]["acknowledged"] == done["acks"]["hosts"] == 1 and time.monotonic() - start < 10
