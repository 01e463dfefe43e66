# SPDX-License-Identifier: MIT
"""tenantctl doctor on a real host: nothing is wrong on one as the packages leave it, and each thing that is broken is
found, named, and comes with what to do."""
import contextlib
import json
import shlex

import pytest


def doctor(host, *words):
    done = host.run("tenantctl", "doctor", "--json", *words, check=False)
    report = json.loads(done.out)
    assert done.err == ""
    assert done.code == (1 if report["status"] == "problem" else 0), done
    for check in report["checks"]:
        assert check["status"] == "ok" or check.get("remedy") or check["status"] == "warning", check
    return report


def problems(report):
    return [f"{c['check']}: {c['text']}" for c in report["checks"] if c["status"] == "problem"]


def found(host, check, piece, status="problem", words=()):
    report = doctor(host, *words)
    hits = [c for c in report["checks"] if c["check"] == check and c["status"] == status and piece in c["text"]]
    assert hits, json.dumps(report, indent=1)
    assert hits[0].get("remedy")
    return report


@contextlib.contextmanager
def changed(host, path, old, new):
    """The file with `old` replaced, and as it was afterwards."""
    quoted = shlex.quote(path)
    before = host.read(path)
    assert old in before, before
    host.sh(f"cp -a {quoted} /root/kept")
    host.sh(f"cat > {quoted}", input=before.replace(old, new))
    try:
        yield
    finally:
        host.sh(f"mv -f /root/kept {quoted}")


@contextlib.contextmanager
def done_and_undone(host, do, undo):
    host.sh(do)
    try:
        yield
    finally:
        host.sh(undo)


def test_a_host_as_the_packages_leave_it_is_well(host):
    report = doctor(host)
    assert problems(report) == []
    seen = {c["check"] for c in report["checks"]}
    assert {"agent", "map", "nsswitch", "sshd", "pam", "sudo", "files", "seal key", "helper", "clock"} <= seen
    texts = " ".join(c["text"] for c in report["checks"])
    for service in ("sshd", "login", "su", "sudo", "cron"):
        assert f"{service} asks pam_tenant.so, whose refusal is the last word" in texts
    table = host.run("tenantctl", "doctor").out
    assert "\n0 problems, " in table
    assert "alice" in host.run("tenantctl", "doctor", "--user", "alice").out


def test_only_root_may_look(host):
    done = host.inside("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "tenantctl", "doctor",
                       check=False)
    assert done.code == 3
    assert "as root" in done.err
    assert host.run("tenantctl", "doctor", "--user", "-C", check=False).code == 2
    assert host.run("tenantctl", "doctor", "--usr", "alice", check=False).code == 2


@pytest.mark.parametrize("old, new, status, piece", [
    ("KbdInteractiveAuthentication yes", "KbdInteractiveAuthentication no", "problem",
     "KbdInteractiveAuthentication is off"),
    ("Match Group tenant-users", "Match Group somebody-else", "problem", "KbdInteractiveAuthentication is off"),
    ("LoginGraceTime 7m", "LoginGraceTime 2m", "problem", "sshd hangs up after 120 seconds"),
    ("MaxStartups 100:30:300", "MaxStartups 10:30:100", "warning", "MaxStartups"),
    ("AuthorizedKeysFile none", "AuthorizedKeysFile .ssh/authorized_keys", "warning", "from .ssh/authorized_keys"),
    ("tenantd-ssh-keys %u", "tenantd-helper %u", "warning", "SSH keys of the directory sign nobody in"),
    ("LoginGraceTime 7m", "NoSuchKeyword 7m", "problem", "its configuration cannot be read"),
])
def test_sshd(host, old, new, status, piece):
    with changed(host, "/etc/ssh/sshd_config.d/50-tenantd.conf", old, new):
        found(host, "sshd", piece, status)
    assert problems(doctor(host)) == []


def test_sshd_without_pam(host):
    with changed(host, "/etc/ssh/sshd_config", "UsePAM yes", "UsePAM no"):
        found(host, "sshd", "UsePAM is not on")


def test_the_profile_was_taken_out(host):
    with done_and_undone(host, "pam-auth-update --package --remove tenant", "pam-auth-update --package --enable tenant"):
        report = found(host, "pam", "sshd: pam_tenant.so is not in its auth stack")
        assert any("su: pam_tenant.so is not in its account stack" in p for p in problems(report))
    assert problems(doctor(host)) == []


@pytest.mark.parametrize("path, old, new, piece", [
    ("/etc/pam.d/common-account", "default=die]\tpam_tenant.so", "default=ignore]\tpam_tenant.so",
     "a refusal by pam_tenant.so is not the last word"),
    ("/etc/pam.d/common-auth", "auth\t[success", "auth\tsufficient\tpam_localuser.so\nauth\t[success",
     "pam_localuser.so lets people in before pam_tenant.so is asked"),
    ("/etc/pam.d/sshd", "@include common-account", "account required pam_unix.so",
     "sshd: pam_tenant.so is not in its account stack"),
    ("/etc/pam.d/common-session", "pam_tenant.so", "pam_permit.so", "is not in its session stack"),
])
def test_pam(host, path, old, new, piece):
    text = host.read(path)
    # What pam-auth-update writes between is its own business.
    if old not in text:
        old = old.replace("\t", " ")
    with changed(host, path, old if old in text else text.splitlines()[0], new):
        found(host, "pam", piece)


@pytest.mark.parametrize("old, new, status, piece", [
    (" tenant", "", "warning", "names systemd and not tenant"),
    (" tenant", "", "problem", "this host does not know"),
    ("passwd:         files tenant systemd", "passwd: files", "problem", "passwd does not name tenant"),
    ("files tenant", "tenant files", "warning", "before the local files"),
    ("files tenant", "files [NOTFOUND=return] tenant", "problem", "ends the search before tenant is asked"),
])
def test_nsswitch(host, old, new, status, piece):
    with changed(host, "/etc/nsswitch.conf", old, new):
        found(host, "nsswitch", piece, status)


def test_somebody_whom_the_host_does_not_know(host):
    found(host, "nsswitch", "this host does not know nobodyhere", words=("--user", "nobodyhere"))


def test_agent_away(host):
    with done_and_undone(host, "systemctl stop tenantd.socket tenantd.service",
                         "systemctl start tenantd.socket tenantd.service"):
        found(host, "agent", "the agent does not answer")
    assert host.wait_until(lambda: problems(doctor(host)) == [], 20)


def test_a_directory_that_does_not_load(host):
    with changed(host, "/etc/tenantd/directory.yaml", "version: 1", "version: 1\nperson: []"):
        host.run("tenantctl", "reload", check=False)
        found(host, "agent", "degraded")
    host.run("tenantctl", "reload")
    assert problems(doctor(host)) == []


def test_helper_away(host):
    with done_and_undone(host, "systemctl stop tenantd-helper.socket tenantd-helper.service",
                         "systemctl start tenantd-helper.socket"):
        found(host, "helper", "nobody listens")
    assert problems(doctor(host)) == []


def test_map_that_is_none(host):
    with done_and_undone(host, "systemctl stop tenantd.socket tenantd.service; cp -a /run/tenantd/nss.map /root/map; "
                         "head -c 100000 /dev/zero > /run/tenantd/nss.map",
                         "mv -f /root/map /run/tenantd/nss.map; systemctl start tenantd.socket tenantd.service"):
        found(host, "map", "is not a map that NSS reads")
    assert host.wait_until(lambda: problems(doctor(host)) == [], 20)


def test_sudo(host):
    with done_and_undone(host, "mv /etc/sudoers.d/tenantd /root/", "mv /root/tenantd /etc/sudoers.d/"):
        found(host, "sudo", "is not there")
    with done_and_undone(host, "chmod 0666 /etc/sudoers.d/tenantd", "chmod 0440 /etc/sudoers.d/tenantd"):
        found(host, "sudo", "is not root's alone to write")
    with changed(host, "/etc/sudoers.d/tenantd", "timestamp_timeout=0", "timestamp_timeout=15"):
        found(host, "sudo", "sudo's own tickets", "warning")
    with changed(host, "/etc/sudoers", "@includedir", "#@includedir"):
        found(host, "sudo", "does not read /etc/sudoers.d")


def test_files_that_others_read_or_write(host):
    with done_and_undone(host, "chmod o+r /etc/tenantd/seal.key", "chmod o-r /etc/tenantd/seal.key"):
        found(host, "files", "everybody may read /etc/tenantd/seal.key")
    with done_and_undone(host, "chmod o+r /etc/tenantd/directory.yaml", "chmod o-r /etc/tenantd/directory.yaml"):
        found(host, "files", "everybody may read /etc/tenantd/directory.yaml")
    with done_and_undone(host, "touch /etc/tenantd/directory.yaml.d/.x; chmod g+w /etc/tenantd/directory.yaml.d",
                         "rm /etc/tenantd/directory.yaml.d/.x; chmod g-w /etc/tenantd/directory.yaml.d"):
        found(host, "files", "others than its owner may write /etc/tenantd/directory.yaml.d")


def test_seal_key_gone(host):
    with done_and_undone(host, "mv /etc/tenantd/seal.key /root/", "mv /root/seal.key /etc/tenantd/"):
        found(host, "seal key", "there is none", "warning")


def test_providers_are_tried_only_when_asked_to(host):
    """One that cannot be reached from a host without a network."""
    host.run("tenantctl", "directory", "add-provider", "acme", "oidc", "--issuer", "https://login.acme.invalid",
             "--client-id", "hosts", "--id", "idp_away")
    try:
        host.run("tenantctl", "reload")
        assert problems(doctor(host)) == []
        report = found(host, "provider", "login.acme.invalid (idp_away)", words=("--online",))
        assert [c["check"] for c in report["checks"] if c["status"] == "problem"] == ["provider"]
        listed = json.loads(host.run("tenantctl", "sso", "providers", "--json").out)["providers"]
        assert [p["id"] for p in listed] == ["idp_away"]
        assert not listed[0]["from_feed"]
        done = host.run("tenantctl", "sso", "test", "idp_away", check=False)
        assert done.code == 3
        assert "a proxy (sso.proxy), a firewall" in done.out
    finally:
        host.run("tenantctl", "directory", "remove-provider", "idp_away")
        host.run("tenantctl", "reload")


def test_bindings_are_listed_and_forgotten(host):
    assert json.loads(host.run("tenantctl", "sso", "bindings", "--json").out) == {"bindings": []}
    assert host.run("tenantctl", "sso", "unbind", "alice", check=False).code == 1
