# SPDX-License-Identifier: MIT
"""People and groups in the whole system: getent, systemd's user database, files' owners; whatever the agent does."""
import re
import time

import pytest
from hostlib import client

UNITS = ("tenantd.socket", "tenantd-userdb.socket", "tenantd.service")


def test_passwd(host, world):
    line = f"alice:x:{world.alice.uid}:{world.alice.uid}:Alice Example:/home/alice:/bin/bash\n"
    assert host.run("getent", "passwd", "alice").out == line
    assert host.run("getent", "passwd", str(world.alice.uid)).out == line


def test_groups(host, world):
    out = host.run("getent", "group", "acme-vision-owner").out.strip().split(":")
    assert out[0] == "acme-vision-owner" and set(out[3].split(",")) == {"olivia", "simon"}
    assert host.run("getent", "group", "alice").out.startswith(f"alice:x:{world.alice.uid}:")
    assert "olivia" in host.run("getent", "group", "tenant-sudo").out


def test_shadow_is_locked_and_for_root_only(host):
    fields = host.run("getent", "shadow", "alice").out.split(":")
    assert fields[0] == "alice" and fields[1][0] in "!*"


@pytest.mark.parametrize("database,key", [("passwd", "nobodyhere"), ("passwd", "2130706400"), ("group", "acme-x"),
                                          ("group", "1879200000")])
def test_a_miss_is_a_miss(host, database, key):
    assert host.run("getent", database, key, check=False).code == 2


def test_the_agent_is_not_needed(host):
    """Stopped, and hung: the same answers, and no slower."""
    for before, after in (("systemctl stop " + " ".join(UNITS), "systemctl start tenantd.socket tenantd.service"),
                          ("systemctl kill --kill-whom=main --signal=SIGSTOP tenantd.service",
                           "systemctl kill --kill-whom=main --signal=SIGCONT tenantd.service")):
        host.sh(before)
        try:
            started = time.monotonic()
            assert host.run("getent", "-s", "tenant", "passwd", "alice").code == 0
            assert host.run("getent", "passwd", "alice").code == 0
            assert "acme-vision-editor" in host.run("id", "-Gn", "alice").out
            assert host.run("getent", "passwd", "local1").code == 0
            assert time.monotonic() - started < 2
        finally:
            host.sh(after)


def test_a_miss_does_not_wait_for_a_stopped_agent(host):
    host.run("systemctl", "stop", *UNITS)
    try:
        started = time.monotonic()
        assert host.run("getent", "passwd", "nobodyhere", check=False).code == 2
        assert time.monotonic() - started < 1
    finally:
        host.run("systemctl", "start", "tenantd.socket", "tenantd.service")


@pytest.fixture(scope="module")
def userdb(host):
    """systemd's user database shows our people only when the admin wants it."""
    assert host.run("userdbctl", "user", "alice", "--with-nss=no", check=False).code != 0
    host.run("systemctl", "enable", "--now", "tenantd-userdb.service")
    yield
    host.run("systemctl", "disable", "--now", "tenantd-userdb.service")
    assert host.run("userdbctl", "user", "alice", "--with-nss=no", check=False).code != 0


def test_userdbctl(host, world, userdb):
    out = host.run("userdbctl", "user", "alice", "--output=json").out
    assert '"io.tenantd"' in out or "io.tenantd" in out
    out = host.run("userdbctl", "user", "alice").out
    assert str(world.alice.uid) in out and "/home/alice" in out
    assert "alice" in host.run("userdbctl", "users-in-group", "acme-vision-editor").out
    assert "acme-vision" in host.run("userdbctl", "groups-of-user", "alice").out
    assert host.run("userdbctl", "user", "nobodyhere", check=False).code != 0


def test_systemds_own_module_sees_the_same_people(host, world, userdb):
    ours = host.run("getent", "-s", "tenant", "passwd", "alice").out
    assert host.run("getent", "-s", "systemd", "passwd", "alice").out == ours
    ours = host.run("getent", "-s", "tenant", "group", "acme-vision").out.split(":")[:3]
    assert host.run("getent", "-s", "systemd", "group", "acme-vision").out.split(":")[:3] == ours


def test_the_user_database_never_waits_for_an_agent_that_starts_or_stopped(host, world, userdb):
    for verb in ("restart", "stop", "start"):
        started = time.monotonic()
        host.run("systemctl", verb, "tenantd.service")
        assert host.run("getent", "-s", "systemd", "passwd", "nobodyhere", check=False).code == 2
        assert host.run("id", "local1").code == 0
        assert time.monotonic() - started < 3, verb
    assert host.wait_until(lambda: host.run("userdbctl", "user", "alice", "--with-nss=no", check=False).code == 0, 3)
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert host.wait_until(lambda: host.run("userdbctl", "user", "alice", "--with-nss=no", check=False).code == 0, 5)


def test_no_enumeration_unless_asked_for(host):
    assert "alice" not in host.run("getent", "passwd").out
    host.write("/etc/tenantd/agent.yaml.d/10-enumerate.yaml", "enumerate: true\n")
    try:
        host.run("systemctl", "restart", "tenantd.service")
        assert "alice" in host.run("getent", "-s", "tenant", "passwd").out
    finally:
        host.sh("rm /etc/tenantd/agent.yaml.d/10-enumerate.yaml")
        host.run("systemctl", "restart", "tenantd.service")


def test_a_map_that_others_may_write_is_refused(host):
    host.sh("chmod 666 /run/tenantd/nss.map")
    try:
        assert host.run("getent", "passwd", "alice", "-s", "tenant", check=False).code == 2
        assert host.run("getent", "passwd", "local1").code == 0
    finally:
        host.sh("chmod 644 /run/tenantd/nss.map")
    assert host.run("getent", "passwd", "alice").code == 0


def test_no_system_call_for_a_lookup(host):
    """After the first look-up has mapped the file, ten thousand more ask the kernel nothing."""
    host.write("/tmp/look.py", "import pwd, os\npwd.getpwnam('alice')\nos.write(2, b'from-here\\n')\n"
               "for _ in range(10000):\n    pwd.getpwuid(%d)\nos.write(2, b'to-here\\n')\n" % (0x70000000 + 16))
    trace = host.sh("sed -i 's/^passwd:.*/passwd: tenant files systemd/' /etc/nsswitch.conf; "
                    "strace -o /tmp/trace python3 /tmp/look.py; "
                    "sed -i 's/^passwd:.*/passwd:         files tenant systemd/' /etc/nsswitch.conf; cat /tmp/trace").out
    between = trace.split("from-here", 1)[1].split("to-here", 1)[0].splitlines()[1:-1]
    # glibc itself looks at nsswitch.conf's time for each look-up, and for nscd after each hundredth.
    asked = [line for line in between if not re.match(
        r'newfstatat\(.*nsswitch|socket\(AF_UNIX|connect\(.*nscd|close\(|brk|mmap|munmap', line)]
    assert not asked, asked[:20]


def test_a_name_brings_nobody_into_another_uid(host, world):
    """A local entry before ours (or an older map) gives alice's name another's uid: alice's right is not theirs."""
    before = host.run("cat", "/etc/passwd").out
    line = f"alice:x:{world.olivia.uid}:{world.olivia.uid}::/home/olivia:/bin/bash"
    host.sh(f"echo '{line}' >> /etc/passwd")
    try:
        mark = host.cursor()
        for login in (client.ssh(host, "alice", "id -u", secret=world.alice.secret),
                      client.ssh(host, "alice", "id -u", method="key", key=world.alice.ssh_key)):
            assert not login.allowed and str(world.olivia.uid) not in login.text, login
        events = host.journal(TENANTD_EVENT="login-broken", after=mark)
        assert len(events) >= 2, events
        for event in events:
            assert event["TENANT_DETAIL"] == (f"the system gives alice the uid {world.olivia.uid}, "
                                              f"the directory {world.alice.uid}")
    finally:
        host.sh("sed -i '/^alice:/d' /etc/passwd")
    assert host.run("cat", "/etc/passwd").out == before
    login = client.ssh(host, "alice", "id -u", secret=world.alice.secret)
    assert login.allowed and str(world.alice.uid) in login.text, login
