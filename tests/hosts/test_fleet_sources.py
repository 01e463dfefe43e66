# SPDX-License-Identifier: MIT
"""A file beside a feed, on worker-1: each serves its own, and what both claim is served by neither."""
import pytest

from hostlib import client
from hostlib.tenancy import WAIT, status, taken_in, verify

FIRST = 0x78000000
FILE = "/etc/tenantd/directory.yaml"


class LocalTenant:
    """The file's own tenant. Its people sign in by ssh key."""

    def __init__(self, folder):
        self.ssh_key, self.line = client.keypair(folder, "filed")
        self.slug, self.users, self.rule, self.uids = "filed", ["fay"], "worker-*", {}

    def text(self):
        lines = f"""version: 1
tenants:
  - id: ten_filed
    slug: {self.slug}
    name: Filed
    region: eu
    gid: {FIRST}
    ids: {{first: {FIRST}, count: 65536, next: {FIRST + 1000}}}
projects:
  - {{id: prj_filed, tenant: ten_filed, slug: paper, gid: {FIRST + 1}}}
users:""".splitlines()
        for i, login in enumerate(self.users):
            lines += [f"  - id: usr_{login}", "    tenant: ten_filed", f"    login: {login}",
                      f"    uid: {FIRST + 16 + i}", f'    ssh_keys: ["{self.line}"]']
        lines += ["members:"] + [f"  - {{user: usr_{u}, project: prj_filed, role: editor}}" for u in self.users]
        lines += ["hosts:", f"  - name: {self.rule}", "    serves:",
                  "      - {project: prj_filed, login: [editor], sudo: []}"]
        return "\n".join(lines) + "\n"


@pytest.fixture
def filed(fleet, tenancy, keys_folder):
    host, tenant = fleet.workers[0], LocalTenant(keys_folder)

    def put(**changes):
        for name, value in changes.items():
            setattr(tenant, name, value)
        host.write(FILE, tenant.text(), 0o640, "root:tenantd")
        host.run("tenantctl", "reload")
        return tenant

    yield put
    # A file that was there and is gone is a mistake; one that says nothing is not.
    host.write(FILE, "version: 1\n", 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    assert host.wait_until(lambda: tenancy.live(host, 1)), status(host)


def comes_in(host, user, key):
    return client.ssh(host, user, "id -un", method="key", key=key).code == 0


def conflicts(host):
    return status(host)["conflicts"]


def test_file_beside_a_feed(fleet, tenancy, filed):
    host, tenant, person = fleet.workers[0], filed(), tenancy.person("bea")
    assert comes_in(host, "fay", tenant.ssh_key)
    assert comes_in(host, person.login, person.ssh_key)
    assert conflicts(host) == [] and host.run("tenantctl", "status").code == 0
    assert status(host)["tenants"] == 2
    # A change in the one leaves the other alone.
    filed(users=["fay", "finn"])
    assert comes_in(host, "finn", tenant.ssh_key) and comes_in(host, person.login, person.ssh_key)
    person.revoke_key()
    assert verify(host, person.secret).code == 1 and comes_in(host, "finn", tenant.ssh_key)


def test_login_claimed_by_both(fleet, tenancy, filed):
    host, person = fleet.workers[0], tenancy.person("clara")
    mark = host.cursor()
    tenant = filed(users=["fay", person.login])
    found = host.wait_until(lambda: conflicts(host))
    assert [(c["kind"], c["claim"]) for c in found] == [("name", person.login)], found
    assert any("acme" in s or tenancy.ids["acme"] in s for s in found[0]["sources"]) and len(found[0]["sources"]) == 2, found
    words = host.run("tenantctl", "status", check=False)
    assert words.code == 1 and person.login in words.out and "claimed" in words.out, words
    for how in ({"method": "key", "key": tenant.ssh_key}, {"method": "key", "key": person.ssh_key}, {"secret": person.secret}):
        assert not client.ssh(host, person.login, **how).allowed
    assert host.run("getent", "passwd", person.login, check=False).code == 2
    assert verify(host, person.secret).code != 0
    # Everybody else of both is served.
    assert comes_in(host, "fay", tenant.ssh_key)
    entries = host.journal(after=mark, TENANTD_EVENT="name-conflict")
    assert entries and entries[0]["TENANT_RECORD_ID"] == person.login, entries
    # The other host has no such file.
    assert verify(fleet.workers[1], person.secret).code == 0

    filed(users=["fay"])
    assert host.wait_until(lambda: conflicts(host) == [])
    assert comes_in(host, person.login, person.ssh_key) and verify(host, person.secret).code == 0
    assert host.run("tenantctl", "status").code == 0


def test_login_that_the_feed_claims_later(fleet, tenancy, filed):
    host = fleet.workers[0]
    tenant = filed(users=["late"])
    assert comes_in(host, "late", tenant.ssh_key)
    made = fleet.operator_call("POST", "/v1/tenants/acme/users", {"login": "late"})
    try:
        assert host.wait_until(lambda: conflicts(host)), status(host)
        assert not comes_in(host, "late", tenant.ssh_key)
    finally:
        fleet.operator_call("DELETE", f"/v1/tenants/acme/users/{made['id']}?wait={WAIT}", headers={"If-Match": "*"})
    assert host.wait_until(lambda: conflicts(host) == [])
    assert comes_in(host, "late", tenant.ssh_key)


def test_slug_claimed_by_both(fleet, tenancy, filed):
    host, person = fleet.workers[0], tenancy.person("sven")
    tenant = filed(slug="acme")
    assert host.wait_until(lambda: conflicts(host)), status(host)
    assert "acme" in host.run("tenantctl", "status", check=False).out
    for user, key in (("fay", tenant.ssh_key), (person.login, person.ssh_key)):
        assert not comes_in(host, user, key)
    filed(slug="filed")
    assert host.wait_until(lambda: conflicts(host) == [])
    for user, key in (("fay", tenant.ssh_key), (person.login, person.ssh_key)):
        assert comes_in(host, user, key)


def test_broken_file_takes_no_feed_down(fleet, tenancy, filed):
    host, person = fleet.workers[0], tenancy.person("bjarne")
    tenant = filed()
    host.sh(f"echo 'nonsense: [' >> {FILE}")
    assert host.run("tenantctl", "reload", check=False).code == 1
    assert host.run("tenantctl", "status", check=False).code == 1
    assert comes_in(host, "fay", tenant.ssh_key) and comes_in(host, person.login, person.ssh_key)
    # Nor does one that cannot be read when the agent starts.
    host.run("systemctl", "restart", "tenantd.service")
    person.revoke_key()
    assert verify(host, person.secret).code == 1
    assert comes_in(host, person.login, person.ssh_key)


def test_rules_of_a_tenant_are_its_own(fleet, tenancy, filed):
    """Of a tenant's rules the one with the longest fitting name holds; what others say of the same host stays."""
    call, host, tenant = fleet.operator_call, fleet.workers[1], filed()
    host.write(FILE, tenant.text(), 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    viewer, other = tenancy.person("vito", role="viewer"), tenancy.person("gwen", tenant="globex")
    assert not client.ssh(host, viewer.login, secret=viewer.secret).allowed
    rule = call("POST", "/v1/tenants/acme/host-rules", {"name": host.name, "serves": [
        {"project": tenancy.ids["vision"], "login": ["viewer"]}]})
    try:
        editor = tenancy.person("edwin")
        assert client.ssh(host, viewer.login, secret=viewer.secret).code == 0
        assert not client.ssh(host, editor.login, secret=editor.secret).allowed
        assert client.ssh(host, other.login, secret=other.secret).code == 0
        assert comes_in(host, "fay", tenant.ssh_key)
        assert not client.ssh(fleet.workers[0], viewer.login, secret=viewer.secret).allowed
    finally:
        call("DELETE", f"/v1/tenants/acme/host-rules/{rule['id']}", headers={"If-Match": "*"})
    tenancy.person("after")
    assert not client.ssh(host, viewer.login, secret=viewer.secret).allowed
    assert client.ssh(host, editor.login, secret=editor.secret).code == 0
    host.write(FILE, "version: 1\n", 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
