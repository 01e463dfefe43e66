# SPDX-License-Identifier: MIT
"""The root helper under its own unit: what powers it has, in what order a session of sshd's ends by it, that it finds
whoever lingers, and that many ends at once are quick. (Who may ask it for what: test_session_faults.py.)"""
import json
import struct
import subprocess
import textwrap

import pytest

from hostlib import machine
from hostlib.session_world import watched
from hostlib.shells import Shell, all_gone, number, of_person, sessions, sleeping

TELL, HANG_UP_SESSION, KILL_SESSION, HANG_UP_USER, KILL_USER = range(1, 6)

# Asks for all at once, as the agent's account, and says what the answers were and how long the last took.
ASK = textwrap.dedent("""
    import json, os, pwd, socket, struct, sys, time
    account = pwd.getpwnam("tenantd")
    os.setgroups([]); os.setgid(account.pw_gid); os.setuid(account.pw_uid)
    packets, peers, started = [bytes.fromhex(line) for line in sys.stdin.read().split()], [], time.monotonic()
    for packet in packets:
        peers.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        peers[-1].settimeout(20)
        peers[-1].connect("/run/tenantd-helper.sock")
        peers[-1].send(packet)
    results = [struct.unpack("=iI", peer.recv(64))[0] for peer in peers]
    print(json.dumps([results, time.monotonic() - started]))
    """)


# Asks once, as root, whom it refuses in as many bytes.
WAIT_FOR_ANSWER = textwrap.dedent("""
    import socket
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect("/run/tenantd-helper.sock")
    peer.send(b"x")
    print(len(peer.recv(64)))
    """)


def request(verb, uid, leader=0, start=0, terminal=0, scope="", text=""):
    packed = struct.pack("=IIIiQII", 0x746E6468, verb, uid, leader, start, terminal, 0)
    return packed + scope.encode().ljust(32, b"\0") + bytes(64 * 32) + text.encode().ljust(512, b"\0")


def ask(host, *packets):
    """The results, and the seconds until the last."""
    return json.loads(host.run("python3", "-c", ASK, input="\n".join(p.hex() for p in packets)).out)


@pytest.fixture(scope="module")
def world(keys_folder):
    with watched(keys_folder, machine.Machine("worker-1"), ("quin", "acme", "vision", "owner")) as world:
        yield world


@pytest.fixture
def host(world):
    yield world.host
    world.bystanders.unharmed()


def test_it_has_three_powers_and_no_others(world, host):
    """It answers, so it is running: what the kernel says of it then."""
    assert ask(host, request(KILL_SESSION, world.person("nora").uid, scope="999"))[0] == [-3]
    pid = host.run("systemctl", "show", "-P", "MainPID", "tenantd-helper.service").out.strip()
    status = dict(line.split(":\t", 1) for line in host.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
    kill, setgid, setuid = 1 << 5, 1 << 6, 1 << 7
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[name], 16) == kill | setgid | setuid, (name, status[name])
    assert int(status["CapAmb"], 16) == 0 and int(status["CapInh"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    libraries = {line.split("/")[-1] for line in host.read(f"/proc/{pid}/maps").splitlines() if ".so" in line}
    assert all(name.startswith(("libc.so", "ld-linux")) for name in libraries), libraries
    # Of what it could write to, cgroups and lingering are all there is.
    for path in ("/etc/x", "/var/x", "/run/x", "/root/x", "/home/x", "/var/lib/tenantd/x", "/usr/x"):
        there = host.run("nsenter", f"--target={pid}", "--mount", "touch", path, check=False)
        assert there.code != 0, path


def test_a_session_of_sshds_ends_in_order(world, host):
    """What is said last arrives, sshd closes what it opened, and logind has nothing left of it."""
    person = world.person("oda")
    world.write()
    shell = Shell(host, person.login, person.ssh_key)
    [session] = sessions(host, person.login, service="sshd")
    name = shell.run("tty")
    device = int(host.run("stat", "-c", "%r", name).out)
    start = int(host.read(f"/proc/{session['leader']}/stat").rsplit(")", 1)[1].split()[19])
    mark = host.cursor()
    packet = request(HANG_UP_SESSION, person.uid, session["leader"], start, device, text="Grüße: it ends here")
    assert ask(host, packet)[0] == [0]
    assert shell.is_over() and "it ends here" in shell.text, shell
    closed = f"session closed for user {person.login}"
    assert host.wait_until(lambda: closed in host.journal_text(after=mark)), host.journal_text(after=mark)
    assert host.wait_until(lambda: not sessions(host, person.login, service="sshd"))


def test_who_lingers_does_so_no_more(world, host):
    person, other = world.person("pia"), world.person("rob")
    world.write()
    for one in (person, other):
        host.run("loginctl", "enable-linger", one.login)
        assert host.wait_until(lambda: of_person(host, one)), one.login
    with Shell(host, person.login, person.ssh_key) as shell:
        stays = number()
        shell.run(f"systemd-run --user -q -p Restart=always sleep {stays}")
        assert host.wait_until(lambda: sleeping(host, stays))
    assert ask(host, request(KILL_USER, person.uid))[0] == [0]
    assert all_gone(host, person) is True, of_person(host, person)
    assert host.run("ls", "/var/lib/systemd/linger").out.split() == [other.login]
    host.run("sleep", "2")
    assert not of_person(host, person) and of_person(host, other)
    # logind has forgotten them as well.
    assert host.wait_until(lambda: host.run("loginctl", "user-status", person.login, check=False).code != 0, 15)
    host.run("loginctl", "disable-linger", other.login)


def test_one_that_ends_at_once_does_not_shut_its_socket(world, host):
    """However often it is started in vain: it works as soon as what was wrong is mended."""
    drop_in = "/etc/systemd/system/tenantd-helper.service.d/broken.conf"
    pid = host.run("systemctl", "show", "-P", "MainPID", "tenantd-helper.service").out.strip()
    host.write(drop_in, "[Service]\nExecStart=\nExecStart=/bin/false\n")
    host.sh(f"systemctl daemon-reload; systemctl stop tenantd-helper.service; while kill -0 {pid} 2>&-; do :; done")
    waits = subprocess.Popen(host.command("python3", "-c", WAIT_FOR_ANSWER), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True)
    try:
        # More often than systemd takes by itself.
        assert host.wait_until(lambda: host.journal_text().count("tenantd-helper.service: Failed with result") > 40), (
            host.run("systemctl", "status", "tenantd-helper.socket", check=False))
    finally:
        host.sh(f"rm {drop_in}; systemctl daemon-reload")
    out, _ = waits.communicate(timeout=30)
    assert waits.returncode == 0 and out.strip() == "8", out
    assert ask(host, request(KILL_SESSION, world.person("nora").uid, scope="999"))[0] == [-3]


def test_many_at_once(world, host):
    """200 people at once, one of them somewhere on the host, with root's and others' processes between them."""
    people = [world.person("tess") for _ in range(200)]
    script = "; ".join(f"setpriv --reuid={p.uid} --regid={p.uid} --clear-groups setsid -f sleep 77" for p in people[:60])
    host.sh(f"({script}) </dev/null >/dev/null 2>&1")
    results, seconds = ask(host, *(request(KILL_USER, p.uid) for p in people))
    assert results == [0] * 200
    assert seconds < 5, seconds
    assert not sleeping(host, 77)
