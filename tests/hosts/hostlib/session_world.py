# SPDX-License-Identifier: MIT
"""A directory as data, for tests about sessions: each takes people, and where it must a tenant, of its own, changes what
it likes, and puts nothing back.

    acme    vision, lab    both served: owners and editors sign in, owners may sudo
    globex  delta          as acme
"""
import contextlib
import datetime
import itertools
import json

from . import client
from .shells import Bystanders
from .world import FIRST, LOCAL_PASSWORD, ROOT_PASSWORD, ApiKey

BLOCK = 65536
FIRST_PERSON = 100
SUBIDS = 0x28000000
SUBIDS_EACH = 65536
PEOPLE_WITH_SUBIDS = 288
GRACE = "1s"
PATH = "/etc/tenantd/directory.yaml"


def moment(seconds=0):
    """So many seconds from now."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Person:
    """`user`: the record, `roles`: project → role, `keys`: records of keys. What is changed here counts from the next
    World.write() on."""

    def __init__(self, world, tenant, login, uid, roles):
        self.world, self.tenant, self.login, self.uid, self.roles = world, tenant, login, uid, dict(roles)
        self.ssh_key, self.ssh_line = client.keypair(world.folder, login)
        self.user = {"id": f"usr_{login}", "tenant": f"ten_{tenant}", "login": login, "uid": uid,
                     "name": f"{login.capitalize()} Example", "ssh_keys": [self.ssh_line]}
        self.keys = []
        self.secret = self.add_key()

    @property
    def id(self):
        return self.user["id"]

    def add_key(self, **more):
        """Another API key; its text. Its record is self.keys[-1]."""
        key = ApiKey()
        self.keys.append({"id": key.id, "user": self.id, "label": "laptop", "verifier": key.verifier,
                          "created": "2025-11-01T00:00:00Z", **more})
        return key.text

    def another_ssh_key(self, name):
        """The private file; its line is the last of the record's."""
        private, line = client.keypair(self.world.folder, f"{self.login}-{name}")
        self.user["ssh_keys"].append(line)
        return private

    def suspend(self, reason="on leave"):
        self.user.update(status="suspended", status_reason=reason)

    def owns(self, uid):
        """Theirs, or one of their subordinate ids."""
        tenant, number = divmod(self.uid - FIRST, BLOCK)
        first = SUBIDS + (tenant * PEOPLE_WITH_SUBIDS + number) * SUBIDS_EACH
        return uid == self.uid or first <= uid < first + SUBIDS_EACH


class SessionWorld:
    def __init__(self, folder, sessions=None):
        """`sessions`: policy.sessions of tenants that say nothing else."""
        self.folder = folder
        self.sessions = {"grace": GRACE} if sessions is None else sessions
        self.hosts = []
        self.tenants, self.projects, self.people = {}, {}, {}
        self.unserved = set()  # projects that hosts do not serve
        self.host_name = "worker-*"
        self._numbers = itertools.count(1)
        self._blocks = itertools.count()
        self.local_key, self.local_line = client.keypair(folder, "local1")
        self.root_key, self.root_line = client.keypair(folder, "root")
        self.tenant("acme", "vision", "lab")
        self.tenant("globex", "delta")

    def tenant(self, slug, *projects, sessions=None):
        """Another one, and its record."""
        first = FIRST + next(self._blocks) * BLOCK
        self.tenants[slug] = {"id": f"ten_{slug}", "slug": slug, "gid": first,
                              "ids": {"first": first, "count": BLOCK, "next": first + 1000},
                              "policy": {"sessions": dict(self.sessions if sessions is None else sessions)}}
        for number, project in enumerate(projects):
            self.projects[project] = {"id": f"prj_{project}", "tenant": f"ten_{slug}", "slug": project,
                                      "gid": first + 1 + 4 * number}
        return self.tenants[slug]

    def person(self, base="person", tenant="acme", write=True, **roles):
        """Somebody new: person("kim", vision="editor")."""
        number = next(self._numbers)
        project = next(p["slug"] for p in self.projects.values() if p["tenant"] == f"ten_{tenant}")
        made = Person(self, tenant, f"{base}{number}", self.tenants[tenant]["gid"] + FIRST_PERSON + number,
                      roles or {project: "editor"})
        self.people[made.login] = made
        if write:
            self.write()
        return made

    def directory(self):
        people = self.people.values()
        return {
            "version": 1, "tenants": list(self.tenants.values()), "projects": list(self.projects.values()),
            "users": [p.user for p in people],
            "members": [{"user": p.id, "project": f"prj_{project}", "role": role}
                        for p in people for project, role in p.roles.items()],
            "keys": [key for p in people for key in p.keys],
            "hosts": [{"name": self.host_name, "serves": [
                {"project": project["id"], "login": ["owner", "editor"], "sudo": ["owner"]}
                for slug, project in self.projects.items() if slug not in self.unserved]}],
        }

    def text(self):
        """In YAML's flow style, a record a line."""
        lines = []
        for name, value in self.directory().items():
            if isinstance(value, list):
                lines += [f"{name}:", *(f"  - {_flow(record)}" for record in value)] if value else [f"{name}: []"]
            else:
                lines.append(f"{name}: {value}")
        return "\n".join(lines) + "\n"

    def write(self):
        """In force on all hosts of this world when it returns."""
        for host in self.hosts:
            host.write(PATH, self.text(), 0o640, "root:tenantd")
            host.run("tenantctl", "reload")

    def set_up(self, host):
        """Packages, local accounts, and the directory."""
        host.sh(f"useradd -m -s /bin/bash -G sudo local1 && echo 'local1:{LOCAL_PASSWORD}' | chpasswd && "
                f"echo 'root:{ROOT_PASSWORD}' | chpasswd && "
                "install -d -m 0700 /root/.ssh && install -d -m 0700 -o local1 -g local1 /home/local1/.ssh")
        host.write("/root/.ssh/authorized_keys", self.root_line + "\n", 0o600)
        host.write("/home/local1/.ssh/authorized_keys", self.local_line + "\n", 0o600, "local1:local1")
        host.install()
        self.hosts.append(host)
        self.write()
        return host


@contextlib.contextmanager
def watched(folder, host, *quiet):
    """A world on one host, that is booted for it, with bystanders: root's, local1's, and those of `quiet`, each
    (name, tenant, project, role)."""
    bystanders = None
    host.boot()
    try:
        world = SessionWorld(folder)
        world.host = world.set_up(host)
        people = [world.person(name, tenant, **{project: role}) for name, tenant, project, role in quiet]
        world.bystanders = bystanders = Bystanders(host, world, people)
        yield world
    finally:
        if bystanders:
            bystanders.close()
        host.close()


def _flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (value[:1].isdigit() or ":" in value or "," in value or " " in value):
        # Times and durations are written plain, as people do; whatever YAML could take for something else, quoted.
        return value if _is_plain(value) else json.dumps(value)
    return str(value)


def _is_plain(value):
    return value.isalnum() or (value.endswith("Z") and value[4:5] == "-" and value[10:11] == "T")
