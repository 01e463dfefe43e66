# SPDX-License-Identifier: MIT
"""Installing, upgrading, removing, purging: what the packages do to a host, and that they undo it."""
import re
import shutil
import subprocess

import pytest

from hostlib import client, namespaces, rootfs
from hostlib.world import World

OURS = "tenantd libpam-tenant libnss-tenant libtenant1 libtenant-dev python3-tenantd"
# What dpkg, adduser and ucf rewrite for themselves, as they do for any package.
BACKUPS = re.compile(r"^/etc/(passwd-|group-|shadow-|gshadow-|subuid-|subgid-|ld\.so\.cache|mtab|\.pwd\.lock)$")


def etc(host):
    """Every file below /etc with its owner, mode and content's hash."""
    out = host.sh("cd / && find /etc -type d -printf 'd %p %u %g %m\\n' -o -type l -printf 'l %p %l\\n' && "
                  "find /etc -type f -printf '%p %u %g %m ' -exec sha256sum {} ';' | sed 's/  .*//'").out
    listing = {}
    for line in out.splitlines():
        fields = line.split()
        path = fields[1] if fields[0] in "dl" else fields[0]
        if not BACKUPS.match(path):
            listing[path] = line
    return listing


def difference(before, after):
    return sorted(f"{before.get(p)} -> {after.get(p)}" for p in before.keys() | after.keys()
                  if before.get(p) != after.get(p))


# --- as installed (on the host that all tests share)

def test_sshd_configuration(host):
    host.run("sshd", "-t")

    def effective(user):
        return host.run("sshd", "-T", "-C", f"user={user},host=client,addr=192.0.2.1").out.splitlines()

    ours = effective("alice")
    # The two that sshd takes for all or nobody: whoever waits for an approval has the time, and room beside others.
    for line in ("kbdinteractiveauthentication yes", "usepam yes", "authorizedkeyscommanduser tenantd-keys",
                 "logingracetime 420", "maxstartups 100:30:300",
                 "authorizedkeyscommand /usr/lib/tenantd/tenantd-ssh-keys %u", "authorizedkeysfile none"):
        assert line in ours, line
    # What the host decided for its own accounts stays in force.
    for user in ("local1", "root", "nobodyhere"):
        theirs = effective(user)
        for line in ("kbdinteractiveauthentication no", "authorizedkeyscommand none",
                     "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2"):
            assert line in theirs, (user, line)


def test_pam_stack_as_packaged(host):
    auth = [line.split() for line in host.read("/etc/pam.d/common-auth").splitlines() if "pam_" in line]
    assert "pam_tenant.so" in auth[0][-1] or "pam_tenant.so" in " ".join(auth[0])
    for stage in ("auth", "account", "password", "session", "session-noninteractive"):
        text = host.read(f"/etc/pam.d/common-{stage}")
        line = [li for li in text.splitlines() if "pam_tenant.so" in li and not li.startswith("#")]
        assert len(line) == 1, text
        # A denial ends the stack, and nothing but user_unknown lets the next module decide; where the module cannot be
        # loaded local accounts go on, and in account a guard stops everybody else.
        control = re.search(r"\[(.*)\]", line[0])[1].split()
        # (In session it also skips pam_mkhomedir, which is for our people alone.)
        unknown = "user_unknown=1" if stage.startswith("session") else "user_unknown=ignore"
        assert "default=die" in control and unknown in control, line
        passes = [c.split("=")[0] for c in control if c.endswith("=ignore")]
        assert set(passes) <= {"user_unknown", "module_unknown"}, line
    account = [li for li in host.read("/etc/pam.d/common-account").splitlines() if li and not li.startswith("#")]
    assert re.match(r"account\s+\[success=die default=ignore\]\s+pam_succeed_if.so quiet uid >= 1879048192 uid <= 2147483646$", account[1])


def test_local_passwords_change_as_before(host):
    host.run("useradd", "-m", "changer")
    try:
        host.sh("echo changer:First-pass-1 | chpasswd")
        host.sh("printf 'Second-pass-2\nSecond-pass-2\n' | passwd changer")
        host.sh("printf 'Second-pass-2\nThird-pass-3x\nThird-pass-3x\n' | setpriv --reuid changer --regid changer "
                "--init-groups passwd")
        shadow = host.run("getent", "shadow", "changer").out.split(":")[1]
        assert shadow.startswith("$y$")
    finally:
        host.run("userdel", "-r", "changer", check=False)


def test_local_accounts_get_no_home_from_us(host):
    host.run("su", "-s", "/bin/sh", "nobody", "-c", "true")
    host.run("test", "!", "-e", "/nonexistent")


def test_nsswitch(host):
    text = host.read("/etc/nsswitch.conf")
    for database in ("passwd", "group", "shadow"):
        assert re.search(rf"^{database}:\s+files tenant systemd$", text, re.M), text
    assert not re.search(r"^(gshadow|subid):.*tenant", text, re.M)


def test_owners_and_modes(host):
    for path, expected in (("/etc/tenantd/seal.key", "root:tenantd 640"), ("/etc/sudoers.d/tenantd", "root:root 440"),
                           ("/etc/tenantd/directory.yaml.d", "root:tenantd 750"), ("/var/lib/tenantd", "tenantd:tenantd 700"),
                           ("/run/tenantd", "tenantd:tenantd 755"), ("/run/tenantd/agent.sock", "root:root 666"),
                           ("/run/tenantd/nss.map", "tenantd:tenantd 644")):
        assert host.run("stat", "-c", "%U:%G %a", path).out.strip() == expected, path
    assert host.run("stat", "-c", "%s", "/etc/tenantd/seal.key").out.strip() == "32"
    host.run("visudo", "-c")


def test_units_are_well(host):
    assert host.run("systemctl", "is-system-running", check=False).out.strip() == "running", \
        host.run("systemctl", "--failed").out
    host.run("systemd-analyze", "verify", "--man=no", "tenantd.service", "tenantd.socket", "tenantd-userdb.socket")
    exposure = host.run("systemd-analyze", "security", "--no-pager", "tenantd.service").out.splitlines()[-1]
    assert float(re.search(r"([\d.]+) (OK|SAFE)", exposure)[1]) < 2.0, exposure
    waits = host.run("systemctl", "show", "-P", "Before", "tenantd.service").out.split()
    assert not set(waits) & {"ssh.service", "sysinit.target", "basic.target", "network.target"}, waits


def test_agent_has_no_rights(host):
    pid = host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()
    status = dict(line.split(":\t", 1) for line in host.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
    assert status["CapEff"].strip() == status["CapBnd"].strip() == "0000000000000000"
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["Uid"].split()[0] != "0"


def test_dependencies_of_what_gets_loaded_everywhere(host):
    needed = host.sh("ldd /usr/lib/*/libnss_tenant.so.2").out
    assert not re.search(r"jansson|crypto|systemd|yaml", needed), needed


def test_bash_completion_and_manual_pages_are_there(host):
    host.run("test", "-s", "/usr/share/bash-completion/completions/tenantctl")
    listing = host.run("dpkg", "-L", *OURS.split()).out
    for page in ("tenantd.8", "tenantctl.1", "agent.yaml.5", "directory.yaml.5", "pam_tenant.8", "libnss_tenant.8"):
        assert f"/{page}.gz" in listing, page


# --- their whole life (on hosts of their own)

def test_remove_and_purge_restore_what_was_there(machines, tmp_path):
    host = machines("worker-3")
    world = World(tmp_path)
    world.local_accounts(host)
    before = etc(host)
    pristine_sshd = host.run("sshd", "-T").out
    host.install()
    world.write(host)
    installed = etc(host)
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0

    host.sh(f"apt-get remove -y {OURS}", timeout=120)
    assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0
    assert client.ssh(host, "root", method="key", key=world.root_key).code == 0
    assert not client.ssh(host, "alice", secret=world.alice.secret).allowed
    assert host.run("sshd", "-T").out == pristine_sshd
    for path in ("/etc/nsswitch.conf", "/etc/pam.d/common-auth", "/etc/pam.d/common-account",
                 "/etc/pam.d/common-session", "/etc/pam.d/common-session-noninteractive", "/etc/pam.d/common-password"):
        assert etc(host)[path] == before[path], path
    assert host.run("systemctl", "is-system-running", check=False).out.strip() == "running"
    assert not host.sh("pgrep -x tenantd", check=False).out

    host.install()
    assert difference(installed, etc(host)) == []
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0

    host.sh(f"apt-get purge -y {OURS}", timeout=120)
    assert difference(before, etc(host)) == []
    assert host.run("sh", "-c", "ls -d /var/lib/tenantd /run/tenantd /run/systemd/userdb/io.tenantd", check=False).out == ""
    assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0


def newer(tmp_path):
    """The same packages with a higher version, as an upgrade brings them."""
    made = []
    for deb in rootfs.packages():
        folder = tmp_path / deb.stem
        rootfs.run("dpkg-deb", "-R", str(deb), str(folder))
        control = folder / "DEBIAN/control"
        text = control.read_text()
        version = re.search(r"^Version: (.*)$", text, re.M)[1]
        control.write_text(text.replace(version, version + "+upgrade1"))
        target = tmp_path / deb.name.replace(version, version + "+upgrade1")
        rootfs.run("dpkg-deb", "-b", "--root-owner-group", "-Znone", str(folder), str(target))
        shutil.rmtree(folder)
        made.append(target)
    return made


def test_upgrade_keeps_sessions_names_and_settings(host, world, tmp_path):
    before = etc(host)
    pid = host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()
    held = client.Held(host, "tom", world.tom.ssh_key)
    # Somebody looks a name up all the time, and somebody asks the agent.
    watch = subprocess.Popen(host.command("sh", "-c", """
        while [ ! -e /tmp/stop-watch ]; do
            getent passwd tom >/dev/null || echo no-name
            [ "$(id -Gn tom | wc -w)" -gt 2 ] || echo no-groups
        done"""), stdout=subprocess.PIPE, text=True, preexec_fn=namespaces.die_with_parent)
    try:
        host.install(newer(tmp_path))
    finally:
        host.sh("touch /tmp/stop-watch")
        missed = watch.communicate(timeout=30)[0]
        host.sh("rm /tmp/stop-watch")
    assert missed == ""
    assert "+upgrade1" in host.run("dpkg-query", "-W", "tenantd").out
    assert host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip() not in (pid, "0")
    assert held.alive()
    assert "tom" in host.run("tenantctl", "sessions", "--json").out
    held.close()
    assert difference(before, etc(host)) == []
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0


def test_an_admins_changes_survive(machines, tmp_path):
    host = machines("worker-4")
    host.install()
    host.sh("echo '# mine' >> /etc/ssh/sshd_config.d/50-tenantd.conf; echo '# mine' >> /etc/tenantd/agent.yaml")
    key = host.run("sha256sum", "/etc/tenantd/seal.key").out
    host.install(newer(tmp_path))
    assert "# mine" in host.read("/etc/ssh/sshd_config.d/50-tenantd.conf")
    assert "# mine" in host.read("/etc/tenantd/agent.yaml")
    assert host.run("sha256sum", "/etc/tenantd/seal.key").out == key
    host.sh("apt-get remove -y tenantd", timeout=120)
    assert "tenantctl" not in host.run("sshd", "-T").out
    host.install()
    assert "# mine" in host.read("/etc/ssh/sshd_config.d/50-tenantd.conf")
    # An admin who deleted the drop-in does not get it back.
    host.sh("rm /etc/ssh/sshd_config.d/50-tenantd.conf")
    host.install(newer(tmp_path))
    assert host.run("test", "-e", "/etc/ssh/sshd_config.d/50-tenantd.conf", check=False).code == 1


def test_agent_removed_from_under_the_modules(machines, tmp_path):
    """Only tenantd goes; libnss-tenant and libpam-tenant stay: names stay, tenants' people are refused as broken,
    local people and root come in; also after a boot, where there is no map any more."""
    host = machines("worker-5")
    world = World(tmp_path)
    world.local_accounts(host)
    host.install()
    world.write(host)
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
    host.sh("apt-get remove -y tenantd", timeout=120)
    assert host.run("getent", "passwd", "alice").code == 0
    login = client.ssh(host, "alice", secret=world.alice.secret, method="password")
    assert not login.allowed
    assert "cannot decide about alice" in host.journal_text()
    for _ in range(2):
        assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0
        assert client.ssh(host, "root", method="key", key=world.root_key).code == 0
        host.reboot()
    assert host.run("getent", "passwd", "local1").code == 0


def test_boot(machines, tmp_path):
    """A host with the packages boots, in whatever state they are; the agent holds nothing up."""
    host = machines("worker-6")
    world = World(tmp_path)
    world.local_accounts(host)
    host.install()
    world.write(host)
    host.reboot()
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
    chain = host.run("systemd-analyze", "critical-chain", "--no-pager", "ssh.service").out
    assert "tenantd.service" not in chain
    # An agent that never comes up, and one that is not there at all.
    for spoil in ("rm /usr/sbin/tenantd; printf '#!/bin/sh\\nexit 1\\n' > /usr/sbin/tenantd; chmod 755 /usr/sbin/tenantd", "rm /usr/sbin/tenantd"):
        host.sh(spoil)
        host.reboot()
        assert client.ssh(host, "local1", method="key", key=world.local_key).code == 0
        assert client.ssh(host, "root", method="key", key=world.root_key).code == 0
        assert not client.ssh(host, "alice", method="key", key=world.alice.ssh_key).allowed
        assert host.run("getent", "passwd", "local1").code == 0
