# SPDX-License-Identifier: MIT
"""Limits of sessions: how many, how long, how long idle, at what hours; said before, and the stricter of tenant and host
counts. Each test has a tenant of its own."""
import datetime
import itertools

import pytest

from hostlib import client, routes
from hostlib.session_world import moment, watched
from hostlib.shells import Events, Shell, number, of_person, processes, sessions, sleeping

LIMITS = "/etc/tenantd/agent.yaml.d/70-sessions.yaml"
_slugs = (f"firm{n}" for n in itertools.count(1))


@pytest.fixture(scope="module")
def world(keys_folder):
    with watched(keys_folder, routes.machine_with("worker-1")) as world:  # the host's limits are for everybody else
        yield world
        world.bystanders.unharmed()


@pytest.fixture
def host(world):
    return world.host


@pytest.fixture
def events(host):
    return Events(host)


@pytest.fixture
def host_limits(host):
    """What agent.yaml says, until the test is over."""
    def say(text):
        host.write(LIMITS, text)
        host.run("systemctl", "restart", "tenantd.service")

    yield say
    host.run("rm", "-f", LIMITS)
    host.run("systemctl", "restart", "tenantd.service")


def firm(world, *names, **rules):
    """People of a tenant with these rules of sessions."""
    slug = next(_slugs)
    world.tenant(slug, f"{slug}work", sessions={"grace": "1s", **rules})
    people = [world.person(name, slug, write=False) for name in names]
    world.write()
    return people if len(people) > 1 else people[0]


def shell(host, person, **how):
    return Shell(host, person.login, **(how or {"key": person.ssh_key}))


def reasons(events, user):
    return [e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_USER=user.login, TENANT_SERVICE="sshd")]


# --- how many


def test_one_too_many_of_a_person_is_refused_and_told(world, host, events):
    person, other = firm(world, "ada", "ari", max_per_user=2)
    with shell(host, person) as first, shell(host, person, secret=person.secret) as second:
        for how in ({"method": "key", "key": person.ssh_key}, {"secret": person.secret}):
            login = client.ssh(host, person.login, **how)
            assert not login.allowed and "2 sessions" in login.text, login
        assert client.ssh(host, other.login, method="key", key=other.ssh_key).code == 0
        # Within a session is no other session.
        assert "within" in first.run(f"su {person.login} -c 'echo within' </dev/null; systemctl --user is-system-running "
                                     ">/dev/null; echo within")
        assert second.alive()
    assert host.wait_until(lambda: not sessions(host, person.login, service="sshd"))
    assert client.ssh(host, person.login, method="key", key=person.ssh_key).code == 0


def test_what_was_killed_or_left_behind_has_no_seat(world, host):
    person = firm(world, "bert", max_per_user=1)
    for way in ("KILL", None):
        one, n = shell(host, person), number()
        one.run(f"(trap '' HUP; setsid -f sleep {n}) >/dev/null 2>&1 </dev/null")
        assert not client.ssh(host, person.login, method="key", key=person.ssh_key).allowed
        if way:
            [session] = [s for s in sessions(host, person.login, service="sshd") if s["state"] == "open"]
            host.run("kill", f"-{way}", str(session["leader"]))
        one.close()
        assert host.wait_until(lambda: not [s for s in sessions(host, person.login) if s["state"] == "open" and
                                            s["service"] == "sshd"]), sessions(host, person.login)
        assert sleeping(host, n)
        assert client.ssh(host, person.login, method="key", key=person.ssh_key).code == 0


def test_the_oldest_gives_way(world, host, events):
    person = firm(world, "cleo", max_per_user=2, over="end-oldest")
    oldest = shell(host, person)
    host.run("sleep", "1.1")
    second = shell(host, person)
    with shell(host, person) as third:
        assert oldest.is_over() and "newer" in oldest.text, oldest
        assert second.alive() and third.alive()
    assert reasons(events, person) == ["too-many"]
    second.close()


def test_one_too_many_of_a_tenant(world, host):
    one, other, third = firm(world, "dan", "dee", "dot", max_per_tenant=2)
    with shell(host, one), shell(host, other):
        login = client.ssh(host, third.login, method="key", key=third.ssh_key)
        assert not login.allowed and "sessions" in login.text, login
    assert host.wait_until(lambda: client.ssh(host, third.login, method="key", key=third.ssh_key).code == 0, 5)


def test_one_too_many_of_a_host_and_the_stricter_counts(world, host, host_limits):
    one, other = firm(world, "eli", "eve", max_per_user=3)
    taken = len([s for s in sessions(host) if s["service"] == "sshd" and s["state"] == "open"])
    host_limits(f"sessions:\n  max: {taken + 2}\n  max_per_user: 1\n")
    with shell(host, one):
        login = client.ssh(host, one.login, method="key", key=one.ssh_key)
        assert not login.allowed, login
        with shell(host, other):
            stranger = firm(world, "eda")
            login = client.ssh(host, stranger.login, method="key", key=stranger.ssh_key)
            assert not login.allowed and "sessions" in login.text, login
            # Nobody counts root and the host's own people.
            assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0
            assert client.ssh(host, "root", method="key", key=world.root_key).code == 0


# --- how long


def test_too_old_and_said_before(world, host, events):
    person, other = firm(world, "fay", "fox", max_age="8s", warn="6s")
    one, n = shell(host, person), number()
    one.run(f"setsid -f sleep {n} >/dev/null 2>&1 </dev/null")
    assert one.said(r"(?i)end.*(second|minute|at \d|soon|UTC)", 6), one
    assert sleeping(host, n)
    with shell(host, other) as later:
        assert one.is_over(20) and "as long as a session may" in one.text, one
        assert later.alive()
    assert host.wait_until(lambda: not sleeping(host, n))
    assert reasons(events, person) == ["too-old"]


def test_age_counts_over_a_restart_of_the_agent(world, host, events):
    person = firm(world, "gil", max_age="4s", warn="0s")
    one = shell(host, person)
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert one.alive()
    assert one.is_over(10) and reasons(events, person) == ["too-old"]


def test_a_limit_that_comes_later_counts_for_who_is_in(world, host, events):
    person = firm(world, "hal")
    one = shell(host, person)
    host.run("sleep", "2")
    world.tenants[person.tenant]["policy"]["sessions"].update(max_age="1s", warn="0s")
    world.write()
    assert one.is_over() and reasons(events, person) == ["too-old"]


def test_idle_at_the_terminal(world, host, events):
    """Who presses keys stays; output is no key."""
    person = firm(world, "ida", idle="4s", warn="0s")
    busy, idle = shell(host, person), shell(host, person)
    idle.send("while :; do echo tick; sleep 0.5; done")
    for _ in range(6):
        host.run("sleep", "1")
        assert busy.alive()
    assert idle.is_over(6) and "nobody has used it" in idle.text, idle
    assert busy.alive()
    assert reasons(events, person) == ["idle"]
    assert busy.is_over(12), busy


def test_host_wants_less_idle_time_than_the_tenant(world, host, events, host_limits):
    person = firm(world, "ivo", idle="1h", warn="0s")
    host_limits("sessions:\n  idle: 2s\n  grace: 1s\n")
    one = shell(host, person)
    assert one.is_over(10) and reasons(events, person) == ["idle"]


# --- hours


def hours(away):
    """An hour that begins so many hours from now, as login_hours wants it."""
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=away)
    return f"{start:%H}:00-{(start + datetime.timedelta(hours=1)):%H}:00"


def test_hours_are_over(world, host, events):
    stays, goes = firm(world, "jan"), firm(world, "joy", end_outside_hours=True)
    shells = shell(host, stays), shell(host, goes)
    for person in (stays, goes):
        world.tenants[person.tenant]["policy"]["login_hours"] = [hours(5)]
    world.write()
    assert shells[1].is_over() and "hours" in shells[1].text, shells[1]
    assert reasons(events, goes) == ["outside-hours"]
    # Without that rule, hours are about signing in.
    assert shells[0].alive() and not reasons(events, stays)
    assert not client.ssh(host, stays.login, method="key", key=stays.ssh_key).allowed
    shells[0].close()


def test_hours_of_the_host(world, host, host_limits):
    person = firm(world, "kay")
    host_limits(f"sessions:\n  hours: [\"{hours(5)}\"]\n")
    login = client.ssh(host, person.login, method="key", key=person.ssh_key)
    assert not login.allowed and "hours" in login.text, login
    assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0


# --- the key's own end


def test_a_key_that_expires(world, host, events):
    stays, goes = firm(world, "liv"), firm(world, "lou", end_with_key=True, warn="0s")
    secrets = [person.add_key(not_after=moment(5)) for person in (stays, goes)]
    world.write()
    shells = [shell(host, person, secret=secret) for person, secret in zip((stays, goes), secrets)]
    assert shells[1].is_over(12) and "key" in shells[1].text, shells[1]
    assert reasons(events, goes) == ["key-expired"]
    host.run("sleep", "0.5")
    assert shells[0].alive() and not reasons(events, stays)
    shells[0].close()


# --- between asking and killing


def test_grace(world, host, events):
    """A program that wants to write down its work gets the time for it, and no more."""
    person = firm(world, "max", grace="4s")
    one, n = shell(host, person), number()
    host.write(f"/tmp/saves-{n}", "#!/bin/sh\ntrap 'sleep 1; echo saved > ~/saved; exit' HUP\n"
               f"sleep {n} & while :; do wait; done\n", 0o755)
    host.write(f"/tmp/stays-{n}", f"#!/bin/sh\ntrap '' HUP TERM\nexec sleep {n}9\n", 0o755)
    one.run(f"setsid -f /tmp/saves-{n} >/dev/null 2>&1 </dev/null; setsid -f /tmp/stays-{n} >/dev/null 2>&1 </dev/null")
    person.suspend()
    world.write()
    host.run("sleep", "2")
    assert host.run("cat", f"/home/{person.login}/saved").out == "saved\n"
    assert sleeping(host, int(f"{n}9")), processes(host)
    assert host.wait_until(lambda: not of_person(host, person), 6), of_person(host, person)
