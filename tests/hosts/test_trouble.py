# SPDX-License-Identifier: MIT
"""Things go wrong: full file systems, a hung or dying agent, hostile callers, guessing. The last good state answers,
local people and root notice nothing."""
import threading
import time

import pytest

from hostlib import client, networks
from hostlib.world import LOCAL_PASSWORD


def main_pid(host):
    return host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()


def agent_runs(host):
    return host.run("tenantctl", "status", check=False).code == 0


def local_and_root_come_in(host, world):
    for user, key in (("local1", world.local_key), ("root", world.root_key)):
        started = time.monotonic()
        assert client.ssh(host, user, method="key", key=key).code == 0
        assert time.monotonic() - started < 5


@pytest.fixture(autouse=True)
def _healthy(host):
    yield
    host.sh("systemctl kill --kill-whom=main --signal=SIGCONT tenantd.service; systemctl reset-failed; "
            "systemctl start tenantd.socket tenantd.service", check=False)
    assert host.wait_until(lambda: agent_runs(host), 20)


def test_module_that_cannot_be_loaded_locks_out_nobody_but_our_people(host, world):
    host.sh("mv /usr/lib/*/libtenant.so.1 /root/")
    try:
        assert host.run("su", "-s", "/bin/sh", "nobody", "-c", "id -un").out.strip() == "nobody"
        local_and_root_come_in(host, world)
        assert client.ssh(host, "local1", method="password", secret=LOCAL_PASSWORD).code == 0
        host.sh(f"echo 'local1:{LOCAL_PASSWORD}' | chpasswd")
        assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code != 0
        assert client.ssh(host, "alice", secret=world.alice.secret).code != 0
        assert host.run("su", "alice", "-c", "id -un", check=False).code != 0
    finally:
        host.sh("mv /root/libtenant.so.1 /usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || "
                "echo $(uname -m)-linux-gnu)/")
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0


def test_killed_agent_comes_back_by_itself(host):
    before = main_pid(host)
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert host.wait_until(lambda: main_pid(host) not in ("0", before) and agent_runs(host), 10)


def test_sigkill_again_and_again_during_logins(host, world):
    """Each attempt either comes in or fails as broken; afterwards all is as it was."""
    stop = threading.Event()

    def killer():
        while not stop.wait(0.6):
            host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service", check=False)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        codes = [client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code for _ in range(6)]
        local_and_root_come_in(host, world)
        assert host.run("getent", "passwd", "alice").code == 0
    finally:
        stop.set()
        thread.join()
    assert set(codes) <= {0, 254, 255}
    assert host.wait_until(lambda: agent_runs(host), 10)
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0


def test_hung_agent(host, world):
    """SIGSTOP: tenants' people get an answer that says broken, soon; everybody else notices nothing."""
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "tenantd.service")
    local_and_root_come_in(host, world)
    started = time.monotonic()
    login = client.ssh(host, "alice", secret=world.alice.secret)
    assert not login.allowed and time.monotonic() - started < 25, login


def test_watchdog_ends_a_hang(host):
    before = main_pid(host)
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "tenantd.service")
    assert host.wait_until(lambda: main_pid(host) not in ("0", before) and agent_runs(host), 60)


def test_full_run(host, fresh_directory):
    """No room for a new map: the published one stays whole, and the change comes when there is room."""
    world = fresh_directory
    host.sh("mount -o remount,size=16M /run; head -c 64M /dev/zero > /run/filler 2>/dev/null; true")
    assert int(host.sh("df --output=avail /run | tail -n 1").out) == 0
    try:
        world.vera.role = "editor"
        host.write("/etc/tenantd/directory.yaml", world.directory(), 0o640, "root:tenantd")
        host.run("tenantctl", "reload", check=False)
        assert host.run("getent", "passwd", "alice").code == 0
        assert client.ssh(host, "root", method="key", key=world.root_key).code == 0
    finally:
        world.vera.role = "viewer"
        host.sh("rm -f /run/filler; mount -o remount,size=20% /run")
    world.write(host)
    assert host.run("getent", "passwd", "vera").code == 0


def test_a_thousand_connections_of_one_local_user(host, world):
    """Held open by somebody local, silent and half-open: others are served as before."""
    host.write("/tmp/hog.py", """
import socket, time, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = []
for i in range(1000):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    try:
        s.connect("/run/tenantd/agent.sock")
        s.send(b'{"method":"io.tenantd.Agent.Status"')
        held.append(s)
    except OSError:
        s.close()
print(len(held), flush=True)
time.sleep(20)
""", 0o644)
    import subprocess
    hog = subprocess.Popen(host.command("setpriv", "--reuid=local1", "--regid=local1", "--clear-groups", "python3",
                                        "/tmp/hog.py"), stdout=subprocess.PIPE, text=True)
    try:
        hog.stdout.readline()
        started = time.monotonic()
        assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
        assert agent_runs(host) and time.monotonic() - started < 5
    finally:
        hog.kill()
        hog.wait()


HOLD = """
import socket, time
held = []
for _ in range(400):
    try:
        held.append(socket.create_connection(("{address}", 22), 5))
    except OSError:
        pass
print("held", flush=True)
time.sleep(120)
"""


def test_connections_of_one_address_keep_nobody_else_out(host, world):
    """Who signs nobody in may stay for minutes, since an approval takes them."""
    child = client.spawn(host.client.command("/usr/bin/python3", "-c", HOLD.format(address=host.address)))
    try:
        assert child.expect("held", timeout=60) == 0
        for _ in range(3):
            elsewhere = client.ssh(host, "local1", method="key", key=world.local_key, source=f"{networks.OUTSIDE}.1")
            assert elsewhere.code == 0, elsewhere
    finally:
        child.close(force=True)
    assert host.wait_until(lambda: client.ssh(host, "local1", method="key", key=world.local_key).code == 0, 20)


def test_guessing_is_slowed_down_and_ends_the_conversation(host, world):
    """Wrong keys for rob: each answer later than the one before; another person is not held up; a restart is
    how this test is undone."""
    times = []
    for _ in range(4):
        started = time.monotonic()
        assert not client.ssh(host, "rob", secret=world.wrong).allowed
        times.append(time.monotonic() - started)
    assert times[-1] > times[0] + 0.5, times
    started = time.monotonic()
    assert client.ssh(host, "tom", secret=world.tom.secret, source="192.0.2.1").code == 0
    assert time.monotonic() - started < 3
    host.run("systemctl", "restart", "tenantd.service")


def test_an_agent_that_cannot_start_holds_up_nobody(host, world):
    """A crash loop: logins of others go on, the socket survives, and the host heals when the cause is gone."""
    host.write("/etc/tenantd/agent.yaml.d/99-wrong.yaml", "nonsense: 1\n")
    try:
        host.run("systemctl", "restart", "tenantd.service", check=False)
        local_and_root_come_in(host, world)
        login = client.ssh(host, "alice", secret=world.alice.secret)
        assert not login.allowed, login
        assert host.run("getent", "passwd", "alice").code == 0
    finally:
        host.sh("rm /etc/tenantd/agent.yaml.d/99-wrong.yaml")
    assert host.wait_until(lambda: agent_runs(host), 15), host.run("systemctl", "status", "tenantd*", check=False)
