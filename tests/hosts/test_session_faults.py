# SPDX-License-Identifier: MIT
"""Ending sessions when something is wrong: the agent or its helper killed half way, no logind, no D-Bus; and those who
ask the helper for what it must refuse."""
import struct
import textwrap

import pytest

from hostlib import client, machine
from hostlib.session_world import SessionWorld, watched
from hostlib.shells import Events, Shell, all_gone, number, of_person, processes, sessions, sleeping

SOCKET = "/run/tenantd-helper.sock"
MAGIC = 0x746E6468
TELL, HANG_UP_SESSION, KILL_SESSION, HANG_UP_USER, KILL_USER = range(1, 6)
KEEP_MAX, SCOPE_MAX, TEXT_MAX = 64, 32, 512


@pytest.fixture(scope="module")
def world(keys_folder):
    with watched(keys_folder, machine.Machine("worker-1"), ("quin", "acme", "vision", "owner"),
                 ("gus", "globex", "delta", "editor")) as world:
        yield world


@pytest.fixture
def host(world):
    yield world.host
    world.bystanders.unharmed()


@pytest.fixture
def slow(world):
    """A tenant whose sessions are given time, so that something can happen meanwhile."""
    if "slow" not in world.tenants:
        world.tenant("slow", "patience", sessions={"grace": "3s"})
    return "slow"


def stubborn(host, person):
    shell = Shell(host, person.login, person.ssh_key)
    shell.stays = number()
    shell.run(f"(trap '' HUP TERM; setsid -f sleep {shell.stays}) >/dev/null 2>&1 </dev/null")
    return shell


def kill_agent(host):
    """Where one is running just now."""
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service", check=False)


# --- killed half way


def test_agent_killed_between_asking_and_killing(world, host, slow):
    person = world.person("ada", slow)
    shell = stubborn(host, person)
    events = Events(host)
    person.suspend()
    world.write()
    assert host.wait_until(lambda: [s for s in sessions(host, person.login) if s["state"] == "ending"]), sessions(host)
    kill_agent(host)
    assert sleeping(host, shell.stays)
    assert all_gone(host, person) is True, of_person(host, person)
    assert shell.is_over()
    # One end, one event.
    assert len(events.of("session-ending", TENANT_USER=person.login, TENANT_SERVICE="sshd")) == 1


def test_agent_killed_and_the_right_is_back(world, host, slow):
    """What was begun is gone on with, as the one at the terminal was told; a new sign-in is none of it."""
    person = world.person("ben", slow)
    shell = stubborn(host, person)
    session = sessions(host, person.login, service="sshd")[0]["session"]
    host.run("tenantctl", "sessions", "end", session)
    assert host.wait_until(lambda: [s for s in sessions(host, person.login) if s["state"] == "ending"]), sessions(host)
    kill_agent(host)
    assert host.wait_until(lambda: client.ssh(host, person.login, method="key", key=person.ssh_key).code == 0)
    with Shell(host, person.login, person.ssh_key) as other:
        assert host.wait_until(lambda: not sleeping(host, shell.stays)), sessions(host)
        assert other.alive()
    assert shell.is_over()


def test_agent_killed_again_and_again(world, host, slow):
    people = [world.person("cora", slow) for _ in range(3)]
    shells = [stubborn(host, person) for person in people]
    for person in people:
        person.suspend()
    world.write()
    for _ in range(4):
        kill_agent(host)
        host.run("sleep", "0.7")
        host.run("systemctl", "reset-failed", "tenantd.service")
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0)
    for person, shell in zip(people, shells):
        assert all_gone(host, person, 15) is True, of_person(host, person)
        assert shell.is_over()


def test_helper_killed_half_way(world, host, slow):
    person = world.person("dina", slow)
    shell = stubborn(host, person)
    person.suspend()
    world.write()
    for _ in range(8):
        host.sh("pkill -KILL -x tenantd-helper", check=False)
        host.run("sleep", "0.5")
    assert all_gone(host, person, 15) is True, of_person(host, person)
    assert shell.is_over()


def test_helper_that_cannot_be_reached_is_asked_again(world, host):
    person = world.person("emil")
    shell = stubborn(host, person)
    host.run("systemctl", "stop", "tenantd-helper.socket", "tenantd-helper.service")
    try:
        person.suspend()
        world.write()
        # Refused at once all the same.
        assert not client.ssh(host, person.login, method="key", key=person.ssh_key).allowed
        host.run("sleep", "1")
        assert sleeping(host, shell.stays)
    finally:
        host.run("systemctl", "start", "tenantd-helper.socket")
    assert all_gone(host, person, 20) is True, (of_person(host, person), host.run("tenantctl", "status", check=False))
    assert shell.is_over()


# --- who may ask the helper, and for what


def request(verb, uid, leader=0, start=0, terminal=0, scope="", keep=(), text="", magic=MAGIC):
    packed = struct.pack("=IIIiQII", magic, verb, uid, leader, start, terminal, len(keep))
    packed += scope.encode().ljust(SCOPE_MAX, b"\0")
    packed += b"".join(one.encode().ljust(SCOPE_MAX, b"\0") for one in keep).ljust(KEEP_MAX * SCOPE_MAX, b"\0")
    return packed + text.encode().ljust(TEXT_MAX, b"\0")


ASK = textwrap.dedent("""
    import os, socket, struct, sys
    if sys.argv[1] != "root":
        import pwd
        account = pwd.getpwnam(sys.argv[1])
        os.setgroups([]); os.setgid(account.pw_gid); os.setuid(account.pw_uid)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.settimeout(10)
    try:
        peer.connect("%s")
        peer.send(bytes.fromhex(sys.argv[2]))
        answer = peer.recv(64)
    except OSError as error:
        print(type(error).__name__)
    else:
        print(struct.unpack("=iI", answer)[0] if len(answer) == 8 else "hung up")
    """ % SOCKET)


def ask(host, packet, account="tenantd"):
    """What the helper says to this account: a number, or in words why there is none."""
    return host.run("python3", "-c", ASK, account, packet.hex()).out.strip()


def start_of(host, pid):
    return int(host.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[19])


def uid_of(host, login):
    return int(host.run("id", "-u", login).out)


def refusals(events):
    return events.of("helper-refused") or [e for e in events.host.journal(after=events.mark, SYSLOG_IDENTIFIER="tenantd-helper")
                                           if int(e["PRIORITY"]) <= 4]


def test_nobody_but_the_agent_is_heard(world, host):
    person = world.person("fred")
    shell = stubborn(host, person)
    [session] = sessions(host, person.login, service="sshd")
    events = Events(host)
    for verb in (HANG_UP_SESSION, KILL_SESSION, HANG_UP_USER, KILL_USER, TELL):
        packet = request(verb, person.uid, session["leader"], start_of(host, session["leader"]), text="psst")
        for account in (person.login, "local1", "tenantd-keys", "nobody"):
            assert ask(host, packet, account) == "PermissionError"
        assert ask(host, packet, "root") not in ("0",), verb
    assert shell.alive() and sleeping(host, shell.stays)
    assert refusals(events), host.journal_text(after=events.mark)
    shell.close()


def leader_of(host, login):
    """A process of theirs, and when it started: what the helper would be pointed at."""
    pid = int(host.run("pgrep", "-o", "-u", login).out)
    return pid, start_of(host, pid)


def test_ids_that_are_not_managed_are_refused(world, host):
    """Asked by the agent's own account, as if somebody had taken it over."""
    sudoer = uid_of(host, "local1")
    events = Events(host)
    for uid, login in ((0, "root"), (sudoer, "local1"), (uid_of(host, "tenantd"), "tenantd"), (65534, None),
                       (0x6fffffff, None), (0x7fffffff, None), (0xffffffff, None)):
        leader, start = leader_of(host, login) if login else (0, 0)
        for verb in (HANG_UP_SESSION, KILL_SESSION, HANG_UP_USER, KILL_USER, TELL):
            said = ask(host, request(verb, uid, leader, start, text="psst"))
            assert said.startswith("-"), (uid, verb, said)
    assert refusals(events), host.journal_text(after=events.mark)
    assert not events.of("session-ending")


def test_a_leader_that_is_somebody_elses_is_refused(world, host):
    person, other = world.person("gina"), world.person("hugo")
    shell = stubborn(host, other)
    [session] = sessions(host, other.login, service="sshd")
    logind = host.run("loginctl", "list-sessions", "--no-legend").out
    scopes = {line.split()[2]: line.split()[0] for line in logind.splitlines()}
    events = Events(host)
    victims = [(session["leader"], start_of(host, session["leader"])), leader_of(host, "root"), leader_of(host, "local1"),
               (1, start_of(host, 1)), (int(host.run("pgrep", "-o", "-x", "sshd").out), None)]
    for leader, start in victims:
        start = start_of(host, leader) if start is None else start
        for verb in (HANG_UP_SESSION, KILL_SESSION):
            assert ask(host, request(verb, person.uid, leader, start)) != "0", (leader, verb)
    for login in (other.login, "local1", "root"):
        for verb in (HANG_UP_SESSION, KILL_SESSION):
            assert ask(host, request(verb, person.uid, scope=scopes[login])) != "0", (login, verb)
    # A number that somebody else's process has by now.
    for verb in (HANG_UP_SESSION, KILL_SESSION):
        assert ask(host, request(verb, other.uid, session["leader"], start_of(host, session["leader"]) - 1)) != "0"
    # Names that are paths.
    for scope in ("../../../system.slice/ssh.service", "1.scope/../../user-0.slice/session-" + scopes["root"], "a/b", "*"):
        assert ask(host, request(KILL_SESSION, person.uid, scope=scope[:31])).startswith("-"), scope
    assert shell.alive() and sleeping(host, shell.stays)
    assert refusals(events), host.journal_text(after=events.mark)
    shell.close()


def test_packets_that_are_none(world, host):
    person = world.person("ines")
    shell = stubborn(host, person)
    good = request(KILL_USER, person.uid)
    for packet in (b"", b"\0", good[:-1], good + b"\0", request(0, person.uid), request(6, person.uid),
                   request(KILL_USER, person.uid, magic=1), good[:32] + b"\xff" * (len(good) - 32),
                   good[:28] + struct.pack("=I", KEEP_MAX + 1) + good[32:]):
        said = ask(host, packet)
        assert said != "0", (packet[:32], said)
    assert sleeping(host, shell.stays)
    assert ask(host, good) == "0"
    assert all_gone(host, person) is True


def test_telling_reaches_the_persons_own_terminal_alone(world, host):
    person = world.person("jana")
    shell = Shell(host, person.login, person.ssh_key)
    terminals = {"root": world.bystanders.shells[0], "local1": world.bystanders.shells[1]}
    for who, other in terminals.items():
        name = other.run("tty")
        device = int(host.run("stat", "-c", "%Hr %Lr", name).out.split()[0]) << 8 | int(
            host.run("stat", "-c", "%Lr", name).out)
        ask(host, request(TELL, person.uid, terminal=device, text="psst-psst"))
        assert "psst-psst" not in other.run("true"), who
    for text in ("bell\a", "escape\x1b[2J", "two\nlines", "c1\u009b2J"):
        assert ask(host, request(TELL, person.uid, text=text)).startswith("-"), text
    shell.close()


# --- a host without


def test_without_logind(keys_folder):
    """A minimal system: no scope, so what descends from the leader is what a session is; what left it ends with the
    person."""
    host = machine.Machine("worker-4")
    try:
        for unit in ("systemd-logind.service", "dbus-org.freedesktop.login1.service"):
            link = host.root / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        host.boot()
        world = SessionWorld(keys_folder)
        world.set_up(host)
        person, quiet = world.person("kim"), world.person("kay")
        kept, local = Shell(host, quiet.login, quiet.ssh_key), Shell(host, "local1", world.local_key)
        shells = [stubborn(host, person) for _ in range(2)]
        assert all(not s.get("scope") for s in sessions(host)), sessions(host)
        for shell in shells:
            shell.send(f"sleep {shell.stays}1")
        assert host.wait_until(lambda: len(sleeping(host, *(int(f"{s.stays}1") for s in shells))) == 2), processes(host)
        host.run("tenantctl", "sessions", "end", sessions(host, person.login, service="sshd")[0]["session"])
        assert host.wait_until(lambda: len(sleeping(host, *(int(f"{s.stays}1") for s in shells))) == 1), processes(host)
        person.suspend()
        world.write()
        assert all_gone(host, person) is True, of_person(host, person)
        assert all(shell.is_over() for shell in shells)
        assert kept.alive() and local.alive()
        for shell in (kept, local):
            shell.close()
    finally:
        host.close()


def test_without_dbus(world, host):
    """Sign-in, list and end as ever; nothing waits for a bus that does not answer."""
    people = [world.person("lara"), world.person("lars")]
    before = stubborn(host, people[0])
    host.run("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        login = client.ssh(host, people[1].login, "true", method="key", key=people[1].ssh_key, timeout=60)
        assert login.code == 0, login
        started = host.run("sh", "-c", "date +%s%N; tenantctl sessions --json >/dev/null; date +%s%N").out.split()
        assert int(started[1]) - int(started[0]) < 1e9
        people[0].suspend()
        world.write()
        assert all_gone(host, people[0]) is True, of_person(host, people[0])
        assert before.is_over()
    finally:
        host.run("systemctl", "start", "dbus.socket", "dbus.service")
        host.run("systemctl", "restart", "systemd-logind.service")


def test_a_bus_that_hangs(world, host):
    person = world.person("mia")
    shell = stubborn(host, person)
    host.run("systemctl", "kill", "--signal=STOP", "dbus.service", "systemd-logind.service")
    try:
        person.suspend()
        world.write()
        assert all_gone(host, person) is True, of_person(host, person)
        assert shell.is_over()
        assert host.run("tenantctl", "status", check=False).code == 0
    finally:
        host.run("systemctl", "kill", "--signal=CONT", "dbus.service", "systemd-logind.service")


def test_disk_full_where_sessions_are_kept(world, host):
    """Nothing of it can be written down, and it ends all the same."""
    person = world.person("noel")
    shell = stubborn(host, person)
    size = int(host.run("df", "--output=size", "-B1K", "/run").out.split()[-1])
    host.run("mount", "-o", "remount,size=8M", "/run")
    host.sh("head -c 9M /dev/zero > /run/filler 2>/dev/null; true")
    assert host.sh("echo x > /run/more", check=False).code != 0
    try:
        person.suspend()
        world.write()
        assert all_gone(host, person) is True, of_person(host, person)
        assert shell.is_over()
    finally:
        host.run("rm", "-f", "/run/filler", "/run/more")
        host.run("mount", "-o", f"remount,size={size}K", "/run")
        host.run("tenantctl", "reload")
