# SPDX-License-Identifier: MIT
"""Two tenants and the people the tests sign in as.

    acme    vision   served by worker-*: owners and editors sign in, owners may sudo
            lab      not served here
    globex  delta    not served here

Keys are made here, from the format's description and not by the code under test.
"""
import hashlib
import os
import zlib

from . import networks
from .client import keypair

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FIRST = 0x70000000

LOCAL_PASSWORD = "a-local-Password-4"
ROOT_PASSWORD = "the-root-Password-7"


def _base62(number, digits):
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, 62)
        text = BASE62[rest] + text
    return text


class ApiKey:
    """tnt_<kind>_<16 digits of id>_<43 digits of secret><6 digits of CRC-32>"""

    def __init__(self, kind="pk"):
        self.public = _base62(int.from_bytes(os.urandom(16), "big"), 16)
        body = f"tnt_{kind}_{self.public}_" + _base62(int.from_bytes(os.urandom(32), "big"), 43)
        self.text = body + _base62(zlib.crc32(body.encode()), 6)
        self.id = "key_" + self.public
        self.verifier = "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


class Person:
    def __init__(self, world, login, number, tenant, project, role, kind="person", status="active", **key):
        self.login, self.tenant, self.project, self.role = login, tenant, project, role
        self.uid = (FIRST if tenant == "acme" else FIRST + 65536) + number
        self.kind, self.status = kind, status
        self.key = ApiKey("sk" if kind == "service" else "pk")
        self.key_fields = key
        self.ssh_key, self.ssh_line = keypair(world.folder, login)
        self.ssh_lines = [self.ssh_line]

    @property
    def id(self):
        return "usr_" + self.login

    @property
    def secret(self):
        return self.key.text


class World:
    def __init__(self, folder):
        self.folder = folder
        self.people = {}
        self.extra_keys = ""
        inside = f"{{from: [{networks.INSIDE}.0/24]}}"
        for login, number, tenant, project, role, more in (
                ("alice", 16, "acme", "vision", "editor", {}),
                ("olivia", 17, "acme", "vision", "owner", {}),
                ("vera", 18, "acme", "vision", "viewer", {}),
                ("gina", 16, "globex", "delta", "owner", {}),
                ("lars", 19, "acme", "lab", "owner", {}),
                ("sam", 20, "acme", "vision", "editor", {"status": "suspended"}),
                ("rita", 21, "acme", "vision", "editor",
                 {"revoked": "{at: 2026-01-01T00:00:00Z, reason: lost laptop}"}),
                ("eddie", 22, "acme", "vision", "editor", {"not_after": "2026-01-01T00:00:00Z"}),
                ("nadia", 23, "acme", "vision", "editor", {"scopes": inside}),
                ("bot", 24, "acme", "vision", "editor", {"kind": "service"}),
                ("simon", 25, "acme", "vision", "owner", {"scopes": "{actions: [host.login]}"}),
                ("tom", 26, "acme", "vision", "editor", {}),
                ("uma", 27, "acme", "vision", "editor", {}),
                ("rob", 28, "acme", "vision", "editor", {})):
            self.people[login] = Person(self, login, number, tenant, project, role, **more)
        self.wrong = ApiKey().text
        self.local_key, self.local_line = keypair(folder, "local1")
        self.root_key, self.root_line = keypair(folder, "root")

    def __getattr__(self, name):
        try:
            return self.__dict__["people"][name]
        except KeyError:
            raise AttributeError(name) from None

    def secrets(self):
        """Everything that must be found nowhere."""
        return [p.secret for p in self.people.values()] + [self.wrong]

    def directory(self):
        """/etc/tenantd/directory.yaml"""
        lines = f"""
version: 1
tenants:
  - id: ten_acme
    slug: acme
    name: Acme Robotics
    region: eu
    gid: {FIRST}
    ids: {{first: {FIRST}, count: 65536, next: {FIRST + 100}}}
    policy: {{ssh_keys: directory, sessions: {{max_per_user: 10}}}}
  - id: ten_globex
    slug: globex
    name: Globex
    region: eu
    gid: {FIRST + 65536}
    ids: {{first: {FIRST + 65536}, count: 65536, next: {FIRST + 65536 + 100}}}
projects:
  - {{id: prj_vision, tenant: ten_acme, slug: vision, gid: {FIRST + 1}}}
  - {{id: prj_lab, tenant: ten_acme, slug: lab, gid: {FIRST + 5}}}
  - {{id: prj_delta, tenant: ten_globex, slug: delta, gid: {FIRST + 65536 + 1}}}
users:""".lstrip().splitlines()
        for p in self.people.values():
            lines += [f"  - id: {p.id}", f"    tenant: ten_{p.tenant}", f"    login: {p.login}", f"    uid: {p.uid}",
                      f"    kind: {p.kind}", f"    name: {p.login.capitalize()} Example", f"    status: {p.status}"]
            if p.status == "suspended":
                lines += ["    status_reason: on leave"]
            if p.ssh_lines:
                lines += ["    ssh_keys:"] + [f'      - "{line}"' for line in p.ssh_lines]
        lines += ["members:"]
        for p in self.people.values():
            if p.project:
                lines += [f"  - {{user: {p.id}, project: prj_{p.project}, role: {p.role}}}"]
        lines += ["keys:"]
        for p in self.people.values():
            lines += [f"  - id: {p.key.id}", f"    user: {p.id}", "    label: laptop",
                      f'    verifier: "{p.key.verifier}"', "    created: 2025-11-01T00:00:00Z"]
            lines += [f"    {name}: {value}" for name, value in p.key_fields.items()]
        if self.extra_keys:
            lines += [self.extra_keys.rstrip()]
        lines += ["hosts:", "  - name: worker-*", "    serves:",
                  "      - {project: prj_vision, login: [owner, editor], sudo: [owner]}"]
        return "\n".join(lines) + "\n"

    def write(self, host):
        """Puts the directory in force on the host, and waits until it is."""
        host.write("/etc/tenantd/directory.yaml", self.directory(), 0o640, "root:tenantd")
        host.run("tenantctl", "reload")

    def local_accounts(self, host):
        """Accounts of the host itself, which must never notice any of this."""
        host.sh(f"useradd -m -s /bin/bash -G sudo local1 && echo 'local1:{LOCAL_PASSWORD}' | chpasswd && "
                f"echo 'root:{ROOT_PASSWORD}' | chpasswd && "
                "install -d -m 0700 /root/.ssh && install -d -m 0700 -o local1 -g local1 /home/local1/.ssh")
        host.write("/root/.ssh/authorized_keys", self.root_line + "\n", 0o600)
        host.write("/home/local1/.ssh/authorized_keys", self.local_line + "\n", 0o600, "local1:local1")
