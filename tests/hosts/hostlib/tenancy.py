# SPDX-License-Identifier: MIT
"""Tenants of a fleet and their people, made by the API as an operator makes them.

    acme    vision   served by all hosts: owners and editors sign in, owners may sudo
    globex  delta    as acme, on worker-2 alone
"""
import itertools
import json
import time

from .client import keypair

PASSWORD = "a long enough Password 5"
SERVES = {"login": ["owner", "editor"], "sudo": ["owner"]}
# Hosts answer within a second; the rest is for a machine that has much else to do.
WAIT = 20

_numbers = itertools.count(1)


def taken_in(answer, hosts):
    """The change was acknowledged by all hosts that are to."""
    acks = answer["acks"]
    assert (acks["hosts"], acks["acknowledged"], acks["refused"]) == (hosts, hosts, 0), answer
    return answer


class Person:
    def __init__(self, tenancy, tenant, role, login):
        self.tenancy, self.tenant, self.login = tenancy, tenant, login
        self.email = f"{login}@{tenant}.example"
        self.ssh_key, public = keypair(tenancy.folder, login)
        call, path = tenancy.fleet.operator_call, f"/v1/tenants/{tenant}"
        self.id = call("POST", f"{path}/users", {"login": login, "name": f"{login.capitalize()} Example",
                                                 "email": self.email, "ssh_keys": [public]})["id"]
        self.path = f"{path}/users/{self.id}"
        self.add_key()
        self.set_role(role)

    def add_key(self, **more):
        key = self.tenancy.fleet.operator_call("POST", f"/v1/tenants/{self.tenant}/keys",
                                               {"user": self.id, "label": "laptop", **more})
        self.key_id, self.secret = key["id"], key["secret"]
        return key

    @property
    def membership(self):
        return f"/v1/tenants/{self.tenant}/projects/{self.tenancy.project(self.tenant)}/members/{self.login}"

    def set_role(self, role):
        taken_in(self.tenancy.fleet.operator_call("PUT", f"{self.membership}?wait={WAIT}", {"role": role}),
                 self.tenancy.hosts(self.tenant))

    def set_password(self, password=PASSWORD):
        return taken_in(self.tenancy.fleet.operator_call("PUT", f"{self.path}/password?wait={WAIT}",
                                                         {"password": password}), self.tenancy.hosts(self.tenant))

    def sign_in(self, password=PASSWORD):
        """An access token, by e-mail and password."""
        answer = self.tenancy.fleet.call("POST", "/v1/sign-in", {"tenant": self.tenant, "email": self.email,
                                                                 "password": password})
        assert answer.status == 200, answer
        return answer["access_token"]

    def revoke_key(self, key=None):
        return taken_in(self.tenancy.fleet.operator_call(
            "POST", f"/v1/tenants/{self.tenant}/keys/{key or self.key_id}/revoke?wait={WAIT}", {"reason": "laptop lost"}),
            self.tenancy.hosts(self.tenant))


class Tenancy:
    """`served`: which hosts serve which tenants."""

    def __init__(self, fleet, folder):
        self.fleet, self.folder = fleet, folder
        self.ids = {}
        self.served = {}

    def project(self, tenant):
        return {"acme": "vision", "globex": "delta"}[tenant]

    def hosts(self, tenant):
        return sum(tenant in tenants for tenants in self.served.values())

    def make(self):
        call = self.fleet.operator_call
        for tenant in ("acme", "globex"):
            project = self.project(tenant)
            self.ids[tenant] = call("POST", "/v1/tenants", {"slug": tenant, "name": tenant.capitalize()})["id"]
            self.ids[project] = call("POST", f"/v1/tenants/{tenant}/projects", {"slug": project})["id"]
            call("POST", f"/v1/tenants/{tenant}/host-rules",
                 {"name": "worker-*", "serves": [{"project": self.ids[project], **SERVES}]})
        return self

    def join(self, host, *tenants):
        """Enrols it, and waits until it follows its feeds."""
        result = self.fleet.enroll(host, *tenants)
        assert result.code == 0, result
        self.served[host.name] = tenants
        assert host.wait_until(lambda: self.live(host, len(tenants))), status(host)

    def leave(self, host):
        """The control plane forgets it, if it knows it."""
        self.served.pop(host.name, None)
        call = self.fleet.operator_call
        if call("GET", f"/v1/hosts/{host.name}", expect=(200, 404)).status == 200:
            call("POST", f"/v1/hosts/{host.name}/disable", {"reason": "the test is over"})
            call("DELETE", f"/v1/hosts/{host.name}", headers={"If-Match": "*"})

    @staticmethod
    def live(host, feeds):
        answer = status(host)
        return answer["state"] == "ready" and [f["state"] for f in answer["feeds"]] == ["live"] * feeds and answer

    def person(self, base="person", tenant="acme", role="editor", password=False):
        """Somebody new, whom all hosts of the tenant know by now."""
        made = Person(self, tenant, role, f"{base}{next(_numbers)}")
        if password:
            made.set_password()
        return made


# --- what a host says

def status(host):
    """`tenantctl status --json`."""
    return json.loads(host.run("tenantctl", "status", "--json", check=False).out)


def feed(host, slug):
    """How the host says that this tenant's feed is."""
    return next((f for f in status(host)["feeds"] if f.get("slug") == slug), None)


def verify(host, secret, *words):
    """`tenantctl verify`: the exit status (0 allowed, 1 denied, 3 broken) and what it prints."""
    return host.run("tenantctl", "verify", *words, input=secret + "\n", check=False)


class Stopwatch:
    def __init__(self):
        self.started = time.monotonic()

    @property
    def ms(self):
        return (time.monotonic() - self.started) * 1000
