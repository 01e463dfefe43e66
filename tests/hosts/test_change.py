# SPDX-License-Identifier: MIT
"""Changes are in force at once: by tenantctl, by hand, all or nothing."""
import time

from hostlib import client


def test_revoked_key_is_refused_at_once(host, fresh_directory):
    person = fresh_directory.tom
    assert client.ssh(host, "tom", secret=person.secret).code == 0
    host.run("tenantctl", "directory", "revoke-key", person.key.id, "--reason", "lost laptop")
    host.run("tenantctl", "reload")
    mark = host.cursor()
    assert not client.ssh(host, "tom", secret=person.secret).allowed
    assert host.journal(TENANTD_EVENT="login-denied", after=mark)[0]["TENANT_REASON"] == "key-revoked"


def test_suspended_user_is_refused_at_once_by_every_way(host, fresh_directory):
    person = fresh_directory.uma
    host.run("tenantctl", "directory", "suspend-user", "uma", "--reason", "left")
    host.run("tenantctl", "reload")
    assert not client.ssh(host, "uma", method="key", key=person.ssh_key).allowed
    assert not client.ssh(host, "uma", secret=person.secret).allowed
    # Files keep their owner.
    assert host.run("getent", "passwd", "uma").out.startswith("uma:")


def test_edit_by_hand_is_picked_up_without_being_told(host, fresh_directory):
    world = fresh_directory
    world.vera.role = "editor"
    try:
        host.write("/etc/tenantd/directory.yaml", world.directory(), 0o640, "root:tenantd")
        assert host.wait_until(lambda: "acme-vision-editor" in host.run("id", "-Gn", "vera").out, 5)
        assert client.ssh(host, "vera", secret=world.vera.secret).code == 0
    finally:
        world.vera.role = "viewer"


def test_drop_in_adds_a_person(host, fresh_directory):
    host.write("/etc/tenantd/directory.yaml.d/10-more.yaml", f"""version: 1
users:
  - {{id: usr_nina, tenant: ten_acme, login: nina, uid: {fresh_directory.alice.uid + 40}, kind: person,
     name: Nina Example}}
""", 0o640, "root:tenantd")
    try:
        assert host.wait_until(lambda: host.run("getent", "passwd", "nina", check=False).code == 0, 5)
    finally:
        host.sh("rm /etc/tenantd/directory.yaml.d/10-more.yaml")
    assert host.wait_until(lambda: host.run("getent", "passwd", "nina", check=False).code == 2, 5)


def test_broken_edit_names_its_place_and_changes_nothing(host, fresh_directory):
    text = fresh_directory.directory().replace("login: alice", "logn: alice")
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    line = 1 + text.splitlines().index("    logn: alice")
    result = host.run("tenantctl", "reload", check=False)
    assert result.code != 0 and f"directory.yaml:{line}:" in result.err + result.out and "login" in result.err, result
    check = host.run("tenantctl", "directory", "check", check=False)
    assert check.code == 1 and f":{line}:" in check.out + check.err, check
    assert host.run("getent", "passwd", "alice").code == 0
    assert client.ssh(host, "alice", secret=fresh_directory.alice.secret).code == 0
    assert host.run("tenantctl", "status", check=False).out.find("degraded") >= 0
    assert host.journal(TENANTD_EVENT="directory-refused")


def test_restart_with_a_broken_file(host, fresh_directory):
    """A killed agent comes back with the last good directory, says so, and takes the mended file by itself."""
    host.write("/etc/tenantd/directory.yaml", "version: 1\nusers: [", 0o640, "root:tenantd")
    host.run("systemctl", "kill", "--signal=KILL", "tenantd.service")
    host.run("systemctl", "restart", "tenantd.service")
    assert host.run("getent", "passwd", "alice").code == 0
    assert client.ssh(host, "alice", secret=fresh_directory.alice.secret).allowed
    status = host.run("tenantctl", "status", check=False)
    assert status.code == 1 and "directory.yaml:3" in status.out, status
    assert host.journal(TENANTD_EVENT="directory-refused")
    host.write("/etc/tenantd/directory.yaml", fresh_directory.directory(), 0o640, "root:tenantd")
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0, 5)
    assert client.ssh(host, "alice", secret=fresh_directory.alice.secret).allowed


def test_restart_without_a_file(host, fresh_directory):
    """Who takes the file away and restarts wants no directory: sign-in says broken (not denied), names stay."""
    host.run("rm", "/etc/tenantd/directory.yaml")
    host.run("systemctl", "restart", "tenantd.service")
    assert host.run("getent", "passwd", "alice").code == 0
    login = client.ssh(host, "alice", secret=fresh_directory.alice.secret)
    assert not login.allowed and "not denied" in login.text, login
    host.write("/etc/tenantd/directory.yaml", fresh_directory.directory(), 0o640, "root:tenantd")
    assert host.wait_until(lambda: client.ssh(host, "alice", secret=fresh_directory.alice.secret).allowed, 5)


def test_change_is_seen_soon(host, fresh_directory):
    """The time from the file's rename to the new group, in a loop of getent (a process each: milliseconds)."""
    world = fresh_directory
    world.vera.role = "owner"
    try:
        host.write("/tmp/new.yaml", world.directory(), 0o640, "root:tenantd")
        host.sh("mv /tmp/new.yaml /etc/tenantd/directory.yaml")
        started = time.monotonic()
        assert host.wait_until(lambda: "acme-vision-owner" in host.run("id", "-Gn", "vera").out, 5)
        assert time.monotonic() - started < 1.5
    finally:
        world.vera.role = "viewer"
