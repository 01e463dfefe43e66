# SPDX-License-Identifier: MIT
"""What the agent knows of sessions, held against what the kernel and logind show: on a host with cgroups of the second
version alone, and on one that has them beside the first."""
import json
import re

import pytest

from hostlib import client, machine
from hostlib.session_world import SessionWorld
from hostlib.shells import Shell, number, sleeping


@pytest.fixture(scope="module", params=["alone", "beside the first"])
def world(request, keys_folder):
    host = machine.Machine("worker-1", unified=request.param == "alone").boot()
    try:
        world = SessionWorld(keys_folder)
        world.host = world.set_up(host)
        world.one = world.person()
        yield world
    finally:
        host.close()


@pytest.fixture
def host(world):
    return world.host


def state_files(host, login):
    """What the agent would find again after a restart."""
    texts = host.sh("for f in /run/tenantd/sessions/*.json; do [ ! -e $f ] || { cat $f; echo; }; done").out
    return [s for s in map(json.loads, texts.splitlines()) if s["login"] == login]


def one_file(host, login, **fields):
    """The one with these values, once there is one."""
    def look():
        found = [s for s in state_files(host, login) if all(s[k] == v for k, v in fields.items())]
        return found[0] if len(found) == 1 else None
    found = host.wait_until(look, 5)
    assert found, state_files(host, login)
    return found


def ssh_session(host, login):
    """sshd's, with its scope known."""
    assert host.wait_until(lambda: any(s["scope"] for s in state_files(host, login) if s["service"] == "sshd"), 5), \
        state_files(host, login)
    return one_file(host, login, service="sshd")


def nothing_left(host, login):
    assert host.wait_until(lambda: not [s for s in state_files(host, login) if s["service"] != "systemd-user"], 5), \
        state_files(host, login)


def test_the_scope_is_the_one_that_the_kernel_shows(host, world):
    with Shell(host, world.one.login, world.one.ssh_key):
        session = ssh_session(host, world.one.login)
        path = f"/user.slice/user-{world.one.uid}.slice/session-{session['scope']}.scope"
        assert f"0::{path}\n" in host.read(f"/proc/{session['leader']}/cgroup")
        shown = host.run("loginctl", "show-session", session["scope"], "-p", "Leader", "-p", "User").out
        assert set(shown.split()) == {f"Leader={session['leader']}", f"User={world.one.uid}"}
        root = "/sys/fs/cgroup"
        if host.run("test", "-d", f"{root}/unified/user.slice", check=False).code == 0:
            root += "/unified"
        assert session["scope_inode"] == int(host.run("stat", "-c", "%i", root + path).out)
        assert not session["left_behind"]
        # The user's service manager has none of its own.
        assert all(not s["scope"] for s in state_files(host, world.one.login) if s["service"] == "systemd-user")
    nothing_left(host, world.one.login)


def test_many_sessions_have_each_their_own(host, world):
    shells = [Shell(host, world.one.login, world.one.ssh_key) for _ in range(5)]
    try:
        def scopes():
            return {s["scope"] for s in state_files(host, world.one.login) if s["scope"]}
        assert host.wait_until(lambda: len(scopes()) == 5, 5), state_files(host, world.one.login)
    finally:
        for shell in shells:
            shell.close()
    nothing_left(host, world.one.login)


def test_sessions_too_short_to_leave_anything(host, world):
    for _ in range(3):
        assert client.ssh(host, world.one.login, "true", method="key", key=world.one.ssh_key).code == 0
    nothing_left(host, world.one.login)


def test_what_is_left_behind_is_known_until_it_is_gone(host, world):
    sleep = number()
    with Shell(host, world.one.login, world.one.ssh_key) as shell:
        shell.run(f"setsid -f nohup sleep {sleep} >/dev/null 2>&1 </dev/null")
        scope = ssh_session(host, world.one.login)["scope"]
    assert one_file(host, world.one.login, left_behind=True)["scope"] == scope
    host.run("pkill", "-f", f"sleep {sleep}")
    nothing_left(host, world.one.login)


def test_also_of_a_command_that_was_over_at_once(host, world):
    sleep = number()
    login = client.ssh(host, world.one.login, f"setsid -f nohup sleep {sleep} >/dev/null 2>&1 </dev/null", method="key",
                       key=world.one.ssh_key)
    assert login.code == 0
    assert one_file(host, world.one.login, left_behind=True)["scope"]
    host.run("pkill", "-f", f"sleep {sleep}")
    nothing_left(host, world.one.login)


def test_the_next_agent_finds_both_kinds_again(host, world):
    before, while_away = number(), number()
    shells = [Shell(host, world.one.login, world.one.ssh_key) for _ in range(3)]
    try:
        for shell, sleep in zip(shells, (before, while_away)):
            shell.run(f"setsid -f nohup sleep {sleep} >/dev/null 2>&1 </dev/null")
        shells[0].close()
        one_file(host, world.one.login, left_behind=True)
        host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
        shells[1].close()
        # Its leader is gone, and nobody was there to see it.
        assert host.wait_until(lambda: host.run("pgrep", "-fc", rf"sshd: {world.one.login} \[priv\]",
                                                check=False).out.strip() == "1", 5)
        host.run("systemctl", "start", "tenantd.socket", "tenantd.service")
        assert host.wait_until(lambda: sorted(s["left_behind"] for s in state_files(host, world.one.login)
                                              if s["service"] == "sshd") == [False, True, True], 5)
        assert sleeping(host, before, while_away) == {before, while_away} and shells[2].alive()
        host.run("pkill", "-f", f"sleep ({before}|{while_away})")
    finally:
        for shell in shells:
            shell.close()
    nothing_left(host, world.one.login)


def test_su_has_the_scope_only_that_logind_gave_to_it(host, world):
    # From a service: a session of its own, with a name of the other kind.
    sleep = number()
    host.sh(f"systemd-run -q su - {world.one.login} -c 'exec sleep {sleep}'")
    session = one_file(host, world.one.login, service="su-l")
    assert host.wait_until(lambda: one_file(host, world.one.login, service="su-l")["scope"], 5), session
    assert re.match(r"^c?\d+$", one_file(host, world.one.login, service="su-l")["scope"])
    host.run("pkill", "-f", f"sleep {sleep}")
    nothing_left(host, world.one.login)
    # Within somebody else's: none.
    with Shell(host, "root", world.root_key) as shell:
        shell.send(f"su - {world.one.login} -c 'exec sleep {sleep}'")
        session = one_file(host, world.one.login, service="su-l")
        assert host.wait_until(lambda: sleeping(host, sleep), 5)
        assert state_files(host, world.one.login) and one_file(host, world.one.login, service="su-l")["scope"] == ""
        host.run("pkill", "-f", f"sleep {sleep}")
    nothing_left(host, world.one.login)


def test_logind_is_restarted_in_between(host, world):
    with Shell(host, world.one.login, world.one.ssh_key) as first:
        scope = ssh_session(host, world.one.login)["scope"]
        host.run("systemctl", "restart", "systemd-logind.service")
        assert ssh_session(host, world.one.login)["scope"] == scope and first.alive()
        with Shell(host, world.one.login, world.one.ssh_key):
            assert host.wait_until(lambda: len({s["scope"] for s in state_files(host, world.one.login)
                                                if s["service"] == "sshd" and s["scope"]}) == 2, 5)
    nothing_left(host, world.one.login)
