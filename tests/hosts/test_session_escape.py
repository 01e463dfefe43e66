# SPDX-License-Identifier: MIT
"""What a person started in whatever way ends with their last right, and nothing of it begins anew: on a host with both
kinds of cgroups, and on one with the second kind alone."""
import shlex

import pytest

from hostlib import client, routes
from hostlib.session_world import SessionWorld
from hostlib.shells import (Bystanders, Events, Shell, all_gone, number, of_person, processes, sessions, sleeping)

# A process that is never the same one for long: whoever kills one at a time is late.
RUNNER = ("import os, signal\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n"
          "while True:\n    if os.fork(): os._exit(0)\n")


@pytest.fixture(scope="module")
def everything(keys_folder):
    """Both hosts with one directory, and bystanders on each."""
    hosts = {"both": routes.machine_with("worker-1"), "unified": routes.machine_with("worker-2", unified=True)}
    bystanders = {}
    try:
        world = SessionWorld(keys_folder)
        for host in hosts.values():
            host.start()
        for host in hosts.values():
            host.wait_until_up()
            routes.prepare(world.set_up(host))
        quiet = [world.person("quin", vision="owner"), world.person("gus", "globex")]
        for name, host in hosts.items():
            bystanders[name] = Bystanders(host, world, quiet)
        yield world, hosts, bystanders
    finally:
        for one in bystanders.values():
            one.close()
        for host in hosts.values():
            host.close()


@pytest.fixture
def world(everything):
    return everything[0]


@pytest.fixture(params=["both", "unified"])
def host(everything, request):
    """One of the two; after each test those who must not notice are looked at."""
    _, hosts, bystanders = everything
    yield hosts[request.param]
    bystanders[request.param].unharmed()


def test_all_of_it_ends_with_the_person(host, world):
    person = world.person("kim")
    shell = Shell(host, person.login, person.ssh_key)
    shell.send(f"sleep {number()}")
    taken = routes.take_all(host, person)
    assert any(uid != person.uid for _, uid, _ in of_person(host, person)), "nothing runs as a subordinate id"
    # Due at once, when somebody runs it.
    host.run("systemctl", "stop", "atd.service")
    later = number()
    try:
        done = client.command_as(host, person.login, f"echo 'sleep {later}' | at now", key=person.ssh_key)
        assert done.code == 0, done
        events = Events(host)
        person.suspend()
        world.write()
        assert all_gone(host, person) is True, (all_gone(host, person, 0), routes.still_there(host, taken))
        assert shell.is_over() and "on leave" in shell.text, shell
    finally:
        host.run("systemctl", "start", "atd.service")
    assert not sessions(host, person.login)
    assert events.of("session-ending")
    assert "Linger=yes" not in host.run("loginctl", "show-user", person.login, check=False).out
    assert person.login not in host.run("ls", "/var/lib/systemd/linger").out.split()
    # What was to begin later.
    routes.start_cron_again(host)
    started = host.run("systemctl", "start", f"user@{person.uid}.service", check=False)
    assert started.code != 0, started
    services = {"cron", "atd", "systemd-user"}
    assert host.wait_until(lambda: services <= {e["TENANT_SERVICE"] for e in events.of("login-denied")}), (
        events.of("login-denied"))
    assert all_gone(host, person, 0) is True and not sleeping(host, later)


def test_all_of_it_ends_though_no_agent_saw_the_change(host, world):
    person = world.person("kurt", vision="owner")
    taken = routes.take_all(host, person)
    units = ("tenantd.socket", "tenantd.service")
    host.run("systemctl", "stop", *units)
    try:
        person.roles["vision"] = "viewer"
        for one in world.hosts:
            if one is not host:
                continue
            one.write("/etc/tenantd/directory.yaml", world.text(), 0o640, "root:tenantd")
    finally:
        host.run("systemctl", "start", *units)
    assert all_gone(host, person) is True, (all_gone(host, person, 0), routes.still_there(host, taken))


def test_what_was_left_behind_ends_with_its_key(host, world):
    """Logged out long ago; the key that opened it is taken away, and no session of theirs is left that stands."""
    person = world.person("lena")
    taken = routes.take_all(host, person)
    assert host.wait_until(lambda: [s for s in sessions(host, person.login, service="sshd")
                                    if s["state"] == "left-behind"]), sessions(host, person.login)
    person.user["ssh_keys"].clear()
    world.write()
    assert all_gone(host, person) is True, (all_gone(host, person, 0), routes.still_there(host, taken))


def test_with_a_session_that_stands_the_rest_goes_on(host, world):
    """Nobody can say by which of two keys something came into the service manager."""
    person = world.person("mona")
    shell = Shell(host, person.login, secret=person.secret)
    inside, outside, stands = number(), number(), number()
    other = client.command_as(host, person.login, f"setsid -f sleep {inside} >/dev/null 2>&1 </dev/null; "
                              f"systemd-run --user -q sleep {outside}", key=person.ssh_key)
    assert other.code == 0, other
    shell.run(f"setsid -f sleep {stands} >/dev/null 2>&1 </dev/null")
    assert sleeping(host, inside, outside, stands) == {inside, outside, stands}
    person.user["ssh_keys"].clear()
    world.write()
    assert host.wait_until(lambda: not sleeping(host, inside)), processes(host)
    assert sleeping(host, outside, stands) == {outside, stands}
    assert shell.alive()
    # Now the other one, too.
    person.keys[0]["revoked"] = {"at": "2026-01-01T00:00:00Z", "reason": "lost as well"}
    world.write()
    assert all_gone(host, person) is True, all_gone(host, person, 0)
    assert shell.is_over() and "lost as well" in shell.text, shell


def test_what_became_root_by_sudo_ends_with_the_session(host, world):
    person = world.person("nora", vision="owner")
    as_root = number()
    login = client.ssh(host, person.login, f"sudo -k sh -c 'setsid -f sleep {as_root} </dev/null >/dev/null 2>&1'",
                       method="key", key=person.ssh_key, secret=person.secret, tty=True)
    assert login.code == 0, login
    assert [uid for _, uid, args in processes(host) if f"sleep {as_root}" in args] == [0]
    person.suspend()
    world.write()
    assert host.wait_until(lambda: not sleeping(host, as_root)), processes(host)


def test_what_forks_all_the_time(host, world):
    """In the session, in the service manager, and by at, where it shares a cgroup with the system's own."""
    person = world.person("otto")
    runner = f"setsid -f python3 -c {shlex.quote(RUNNER)}"
    host.write(f"/tmp/runner-{person.login}", runner + " >/dev/null 2>&1 </dev/null\n")
    run = f"sh /tmp/runner-{person.login}"
    done = client.command_as(host, person.login, f"{run}; echo '{run}' | at now; systemd-run --user -q {run}",
                             key=person.ssh_key)
    assert done.code == 0, done

    def runners():
        return [one for one in of_person(host, person) if "signal.SIG_IGN" in one[2]]

    assert host.wait_until(lambda: len(runners()) >= 2), of_person(host, person)
    person.suspend()
    world.write()
    # A single look may miss the only one there is.
    assert host.wait_until(lambda: not any(of_person(host, person) for _ in range(10)), 20), of_person(host, person)


def test_project_lost_ends_its_sessions_and_nothing_else(host, world):
    person = world.person("pia", vision="editor", lab="editor")
    shell = Shell(host, person.login, person.ssh_key)
    assert shell.run("echo $TENANT_PROJECT") == "vision"
    outside = number()
    shell.run(f"systemd-run --user -q sleep {outside}")
    del person.roles["vision"]
    world.write()
    assert shell.is_over() and "role in its project" in shell.text, shell
    assert sleeping(host, outside) == {outside}
    with Shell(host, person.login, person.ssh_key) as again:
        assert again.run("echo $TENANT_PROJECT") == "lab"
