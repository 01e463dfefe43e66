# SPDX-License-Identifier: MIT
"""Tests of tenant-control as built, against a PostgreSQL that they start themselves.

    control   session: a control plane with TLS that serves, an operator and nothing else
    server    session: its server; server.client is a new client
    operator  session: a client signed in as the first operator, who may do everything
    tenant    a new tenant for each test: .id, .slug, .owner (a client signed in as its owner), .user(login, role)
    plain     session: another one without TLS
    host, new_host(name, tenant, …), reporter    enrolled in the tenant; and how it tells of sessions
    people   users in two projects, and their sessions on that host
    new_control(name, **options)   one of the test's own, for tests that stop, break or configure it
"""
import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from controllib.cluster import Cluster  # noqa: E402
from controllib.host import Host  # noqa: E402
from controllib.program import Control  # noqa: E402
from controllib.sessions import Reporter, session  # noqa: E402

PASSWORD = "seven green kettles sing 42"
_number = itertools.count(1)


@pytest.fixture(scope="session")
def cluster():
    made = Cluster().start()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def control(cluster):
    made = Control(cluster.folder / "control", cluster)
    made.init()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def server(control):
    return control.serve()


@pytest.fixture(scope="session")
def plain(cluster):
    made = Control(cluster.folder / "plain", cluster, tls=False, database="plain")
    made.init()
    made.serve()
    yield made
    made.stop()


@pytest.fixture
def new_control(tmp_path_factory):
    """A control plane on a cluster of its own; nothing was run yet. End with the test."""
    made = []

    def make(name="own", cluster=None, **options):
        own = None if cluster else Cluster(name).start()
        one = Control((cluster or own).folder / f"control-{name}", cluster or own, **options)
        made.append((one, own))
        return one

    yield make
    for one, own in reversed(made):
        one.stop()
        if own:
            own.remove()


@pytest.fixture(scope="session")
def operator(control, server):
    client = server.client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    yield client
    client.close()


class Tenant:
    def __init__(self, operator, slug):
        self.operator, self.slug = operator, slug
        made = operator.must("POST", "/v1/tenants", {"slug": slug, "name": f"Tenant {slug}"})
        self.id = made["id"]
        self.path = f"/v1/tenants/{self.id}"
        self._owner = None

    def user(self, login, role=None, password=PASSWORD):
        """A new user: .record, and client() signed in."""
        return User(self, login, role, password)

    @property
    def owner(self):
        if not self._owner:
            self._owner = self.user("owner", "owner")
        return self._owner.client()

    def project(self, slug):
        return self.operator.must("POST", f"{self.path}/projects", {"slug": slug})


class User:
    def __init__(self, tenant, login, role, password):
        self.tenant, self.login, self.password = tenant, login, password
        self.email = f"{login}@{tenant.slug}.example"
        self.record = tenant.operator.must("POST", f"{tenant.path}/users", {"login": login, "email": self.email})
        self.id = self.record["id"]
        tenant.operator.must("PUT", f"{tenant.path}/users/{self.id}/password", {"password": password})
        if role:
            tenant.operator.must("PUT", f"{tenant.path}/members/{self.id}", {"role": role})

    def client(self):
        made = self.tenant.operator.as_(None)
        made.token = made.sign_in(self.email, self.password, self.tenant.slug)
        return made

    def key(self, **fields):
        """A new API key: its record, with the secret."""
        return self.tenant.operator.must("POST", f"{self.tenant.path}/keys", {"user": self.id, "label": "test", **fields})


@pytest.fixture
def tenant(operator):
    return Tenant(operator, f"t{next(_number)}")


@pytest.fixture
def new_tenant(operator):
    """For tests with several: new_tenant("slug")."""
    return lambda slug: Tenant(operator, slug)


@pytest.fixture
def new_host(control, operator, tmp_path):
    """new_host("name", tenant, …): enrolled, signed in."""

    def make(name, *tenants):
        host = Host(operator, [tenant.id for tenant in tenants], name, tmp_path)
        host.sign_in(control.url)
        return host

    return make


@pytest.fixture
def host(new_host, tenant):
    return new_host(f"h-{tenant.slug}", tenant)


@pytest.fixture
def reporter(host, tenant):
    return Reporter(host, tenant.id)


@pytest.fixture
def people(tenant, reporter, operator):
    """Sessions of two people in two projects, and who may see what of them."""

    class People:
        alice, bob, carl = tenant.user("alice"), tenant.user("bob"), tenant.user("carl")
        vision, speech = tenant.project("vision"), tenant.project("speech")

    for user, project, role in ((People.alice, "vision", "owner"), (People.bob, "vision", "editor"), (People.bob, "speech", "editor")):
        operator.must("PUT", f"{tenant.path}/projects/{project}/members/{user.id}", {"role": role})
    People.a = session(People.alice, project=People.vision["id"], source="192.0.2.1")
    People.b = session(People.bob, project=People.vision["id"])
    People.s = session(People.bob, project=People.speech["id"], state="left-behind")
    People.n = session(People.bob, service="cron")
    reporter.must(People.a, People.b, People.s, People.n)
    People.all = {People.a["id"], People.b["id"], People.s["id"], People.n["id"]}
    return People


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    control = item.funcargs.get("control") if hasattr(item, "funcargs") else None
    if report.failed and control:
        for server in control.servers:
            report.sections.append((f"log of port {server.port}", "\n".join(server.log().splitlines()[-60:])))
