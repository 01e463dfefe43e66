# SPDX-License-Identifier: MIT
"""The journal knows who signed in, who did not and why; and never a secret."""
import json

import pytest

from hostlib import client, networks

EVENTS = {
    "login-allowed": "a449604e638b43d598e882c347976330",
    "login-denied": "51aeb95271234311b6f54cb11593b61e",
    "session-opened": "3122922975a74e4f986c031852261b0c",
    "session-closed": "0853753d377646f99fd506d0275c54f9",
    "privilege-allowed": "7ab9ac6655cf4466a8fedc171d1deeb3",
    "privilege-denied": "e75e81982f6e47ff94bc601dceaae2db",
    "key-used": "c993f706c2c845f289e88116ec15229e",
    "call-refused": "f47c2108f52340b7841ab6e82d8b16cd",
    "directory-changed": "e5a2af8c849a46208e6550f5deccfe8c",
    "directory-refused": "6d90cbb25dd9419dafe225500704de61",
    "agent-started": "6a437224e26040d59521703ad6772f0e",
    "agent-stopped": "bf27b0ca3cb84dbc9952e37568095b0f",
}


def as_user(user, *argv):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", *argv]


@pytest.fixture(scope="module")
def eventful(host, world):
    """Does one of everything, and gives the journal's entries of it by event."""
    mark = host.cursor()
    host.run("systemctl", "restart", "tenantd.service")
    client.ssh(host, "alice", secret=world.alice.secret)
    client.ssh(host, "alice", secret=world.wrong)
    client.ssh(host, "vera", method="key", key=world.vera.ssh_key)
    client.on_console(host, as_user("olivia", "sudo", "-k", "id"), world.olivia.secret)
    client.on_console(host, as_user("alice", "sudo", "-k", "id"), world.alice.secret)
    host.run(*as_user("local1", "tenantctl", "ssh-keys", "alice"), check=False)
    host.write("/etc/tenantd/directory.yaml", "version: 2\n", 0o640, "root:tenantd")
    host.run("tenantctl", "reload", check=False)
    world.vera.role = "editor"
    world.write(host)
    world.vera.role = "viewer"
    world.write(host)
    host.run("systemctl", "stop", "tenantd.service")
    host.run("systemctl", "start", "tenantd.service")
    found = {}
    for entry in host.journal(SYSLOG_IDENTIFIER="tenantd", after=mark):
        found.setdefault(entry.get("TENANTD_EVENT"), []).append(entry)
    return found


@pytest.mark.parametrize("event", EVENTS)
def test_event(host, eventful, event):
    assert event in eventful, sorted(k for k in eventful if k)
    for entry in eventful[event]:
        assert entry["MESSAGE_ID"] == EVENTS[event]
        assert entry["_SYSTEMD_UNIT"] == "tenantd.service"
        ocsf = json.loads(entry["OCSF"])
        assert ocsf["class_uid"] and ocsf["time"] and ocsf["metadata"]["product"]
        assert ocsf["type_uid"] == ocsf["class_uid"] * 100 + ocsf["activity_id"]


@pytest.mark.parametrize("event", EVENTS)
def test_catalog_explains_it(host, eventful, event):
    text = host.run("journalctl", "-x", "-q", "--no-pager", "-n", "1", f"MESSAGE_ID={EVENTS[event]}").out
    assert "Defined-By: tenantd" in text, text


def test_who_from_where_and_why(host, eventful):
    allowed = eventful["login-allowed"][0]
    assert (allowed["TENANT_USER"], allowed["TENANT"], allowed["TENANT_ROLE"]) == ("alice", "acme", "editor")
    assert allowed["TENANT_SOURCE"] == f"{networks.INSIDE}.1" and allowed["TENANT_SERVICE"] == "sshd"
    assert allowed["TENANT_CREDENTIAL"].startswith("api-key:")
    reasons = {e["TENANT_USER"]: e["TENANT_REASON"] for e in eventful["login-denied"]}
    assert reasons["alice"] == "key-unknown" and reasons["vera"] == "role-too-low", reasons


def test_an_ssh_key_is_named_by_its_fingerprint(host, world):
    mark = host.cursor()
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0
    assert host.journal(TENANTD_EVENT="login-allowed", after=mark)[0]["TENANT_CREDENTIAL"].startswith("ssh-key:SHA256:")


# (lastlog is sparse: half a terabyte of nothing, by uid.)
SEARCH = ("find /etc /var /run /tmp /home /root -type f -not -name lastlog -print0 2>/dev/null |"
          "xargs -0 grep -l -a -F -f /dev/shm/patterns 2>/dev/null;"
          "for p in /proc/[0-9]*; do grep -a -l -F -f /dev/shm/patterns $p/environ $p/cmdline 2>/dev/null; done;"
          "journalctl --sync; journalctl -q -o export --all | grep -a -o -m 1 -F -f /dev/shm/patterns;"
          "find / -xdev -name 'core*' -type f -size +100k -not -path '/usr/*' 2>/dev/null; rm /dev/shm/patterns; true")


def search(host, secrets):
    host.write("/dev/shm/patterns", "".join(secret[-49:] + "\n" for secret in secrets), 0o600)
    return host.sh(SEARCH).out.split()


def test_secrets_are_found_nowhere(host, world):
    """After everything above: not in the journal, a file, an environment or an argument list. A session and a
    sign-in stand open meanwhile."""
    held = client.Held(host, "alice", world.alice.ssh_key)
    found = []
    login = client.ssh(host, "alice", "true", secret=world.alice.secret,
                       at_prompt=lambda: found.append(search(host, world.secrets())))
    assert login.code == 0
    found.append(search(host, world.secrets()))
    held.close()
    assert found == [[], []], found


def test_the_search_for_secrets_finds_them(host, world):
    key = world.alice.secret
    host.write("/var/tmp/leak", key)
    host.run("systemd-cat", "-t", "leak", "echo", "oops " + key)
    try:
        found = search(host, [key])
        assert "/var/tmp/leak" in found and key[-49:] in found and any("/var/log/journal/" in f for f in found), found
    finally:
        host.sh("rm /var/tmp/leak; journalctl -q --rotate; journalctl -q --vacuum-time=1s", check=False)


def test_no_core_file_of_the_agent(host):
    pid = host.run("systemctl", "show", "-P", "MainPID", "tenantd.service").out.strip()
    limits = host.run("cat", f"/proc/{pid}/limits").out
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]
