# SPDX-License-Identifier: MIT
"""Hosts for the tests. One host serves most of them, since a boot and an installation cost seconds; tests
that change a host for good boot their own."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from hostlib import fleet as fleets  # noqa: E402
from hostlib import machine, namespaces, rootfs  # noqa: E402
from hostlib.tenancy import Tenancy  # noqa: E402
from hostlib.world import World  # noqa: E402

_machines = []


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("host tests boot containers: run them as root", 2)
    rootfs.HOSTS.mkdir(parents=True, exist_ok=True)
    machine.sweep()
    namespaces.private_mounts()


def pytest_sessionfinish(session):
    while _machines:
        _machines.pop().close()


def new_machine(name):
    host = machine.Machine(name)
    _machines.append(host)
    return host


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def host(keys_folder):
    """worker-1, with the packages installed and the two tenants of hostlib/world.py."""
    started = new_machine("worker-1").boot()
    started.world = World(keys_folder)
    started.world.local_accounts(started)
    started.install()
    started.world.write(started)
    return started


@pytest.fixture(scope="session")
def world(host):
    return host.world


@pytest.fixture
def fresh_directory(host):
    """For tests that change the directory: the first one comes back afterwards."""
    yield host.world
    host.world.write(host)


@pytest.fixture(scope="session")
def new_fleet():
    """Makes fleets that end with the run."""
    made = []

    def make(**kwargs):
        made.append(fleets.Fleet(**kwargs))
        _machines.extend(made[-1].machines)
        return made[-1]

    yield make
    for one in made:
        for host in one.machines:
            _machines.remove(host)
        one.close()


@pytest.fixture(scope="session")
def fleet(new_fleet):
    """A control plane and three hosts that are enrolled nowhere yet."""
    made = new_fleet(workers=("worker-1", "worker-2", "worker-3")).boot()
    made.install()
    return made


@pytest.fixture(scope="session")
def tenancy(fleet, keys_folder):
    """The fleet with the two tenants of hostlib/tenancy.py: worker-1 serves acme, worker-2 acme and globex,
    worker-3 nobody."""
    made = Tenancy(fleet, keys_folder).make()
    made.join(fleet.workers[0], "acme")
    made.join(fleet.workers[1], "acme", "globex")
    return made


@pytest.fixture
def machines():
    """Boots further hosts: machines("worker-2"). They end with the test."""
    made = []

    def make(name):
        made.append(new_machine(name).boot())
        return made[-1]

    yield make
    for one in made:
        _machines.remove(one)
        one.close()


@pytest.fixture(autouse=True)
def _mark(request):
    """Remembers where each host's journal stood, for the report of a failure."""
    request.node.marks = {}
    for one in _machines:
        if one.leader:
            try:
                request.node.marks[one.name] = one.cursor()
            except Exception:  # the host is down: the test will say so better
                pass
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    marks = getattr(item, "marks", {})
    for one in _machines:
        if one.leader:
            try:
                text = one.journal_text(after=marks.get(one.name))
            except Exception as error:
                text = repr(error)
            report.sections.append((f"journal of {one.name}", "\n".join(text.splitlines()[-200:])))
