# SPDX-License-Identifier: MIT
"""What a session is: groups, environment, home, registration, and that local people see none of it."""
import json

import pytest

from hostlib import client


def test_groups_and_environment(host, world):
    login = client.ssh(host, "alice", "id -un; id -gn; id -Gn; env", secret=world.alice.secret)
    assert login.code == 0, login
    lines = login.text.replace("\r", "").splitlines()
    at = lines.index("alice")
    assert lines[at + 1] == "alice"
    assert set(lines[at + 2].split()) == {"alice", "acme", "acme-vision", "acme-vision-viewer", "acme-vision-editor",
                                          "tenant-users"}
    environment = dict(line.split("=", 1) for line in lines[at + 3:] if "=" in line)
    assert environment["TENANT"] == "acme"
    assert environment["TENANT_PROJECT"].endswith("vision")
    assert environment["TENANT_ROLE"] == "editor"
    assert environment["HOME"] == "/home/alice" and environment["USER"] == "alice"
    assert "TENANTD_LOGIN" not in environment
    assert world.alice.secret not in login.text


def test_the_prompt_says_what_is_asked_for(host, world):
    login = client.ssh(host, "alice", secret=world.alice.secret)
    assert login.prompts == ["(alice@10.77.0.2) API key:"], login


def test_home_is_made_and_private(host, world):
    assert client.ssh(host, "tom", "true", method="key", key=world.tom.ssh_key).code == 0
    assert host.run("stat", "-c", "%U %G %a", "/home/tom").out.strip() == "tom tom 700"


def test_owner_is_in_the_groups_of_all_roles_and_of_sudo(host, world):
    groups = set(host.run("id", "-Gn", "olivia").out.split())
    assert groups == {"olivia", "acme", "acme-vision", "acme-vision-viewer", "acme-vision-editor", "acme-vision-owner",
                      "tenant-users", "tenant-sudo"}


def sessions(host, user, service="sshd"):
    listed = json.loads(host.run("tenantctl", "sessions", "--json").out)["sessions"]
    for session in listed:
        session.pop("idle", None)  # seconds, from one look to the next
    return [s for s in listed if (s["user"], s["service"]) == (user, service)]


def test_session_is_registered_and_forgotten(host, world):
    held = client.Held(host, "uma", world.uma.ssh_key)
    [session] = sessions(host, "uma")
    assert (session["tenant"], session["project"], session["role"]) == ("acme", "vision", "editor")
    assert session["source"] == "10.77.0.1" and session["credential"].startswith("ssh-key:SHA256:")
    assert host.run("ps", "-o", "args=", "-p", str(session["leader"])).out.startswith("sshd: uma")
    logind = host.run("loginctl", "list-sessions", "--no-legend").out
    assert any(" uma " in line for line in logind.splitlines()), logind
    held.close()
    assert host.wait_until(lambda: not sessions(host, "uma"), 5)


def test_session_ends_with_its_leader_and_not_by_pams_word(host, world):
    held = client.Held(host, "uma", world.uma.ssh_key)
    [session] = sessions(host, "uma")
    host.run("kill", "-KILL", str(session["leader"]))
    # What the leader started is still there, and counts no more.
    assert host.wait_until(lambda: [(s["state"], s["leader"]) for s in sessions(host, "uma")] == [("left-behind", 0)], 5)
    held.close()
    assert host.wait_until(lambda: not sessions(host, "uma"), 5)


def test_session_of_many_stubborn_processes_ends(host, world):
    many = "trap '' HUP; i=0; while [ $i -lt 2500 ]; do sleep 1000 & i=$((i+1)); done"
    held = client.Held(host, "uma", world.uma.ssh_key, first=many)
    other = client.Held(host, "alice", world.alice.ssh_key)
    [session] = sessions(host, "uma")
    host.run("setpriv", f"--reuid={world.uma.uid}", "--clear-groups", "tenantctl", "sessions", "end",
             session["session"])
    # Somebody else's is none of hers.
    assert host.run("setpriv", f"--reuid={world.uma.uid}", "--clear-groups", "tenantctl", "sessions", "end",
                    sessions(host, "alice")[0]["session"], check=False).code == 1
    assert host.wait_until(lambda: not sessions(host, "uma"), 20)
    assert host.wait_until(lambda: host.run("pgrep", "-u", str(world.uma.uid), "sleep", check=False).code == 1, 20)
    assert other.alive()
    held.close()
    other.close()


def test_sessions_are_found_again_by_the_next_agent(host, world):
    held = client.Held(host, "uma", world.uma.ssh_key)
    before = sessions(host, "uma")
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0, 10)
    assert sessions(host, "uma") == before and held.alive()
    held.close()
    assert host.wait_until(lambda: not sessions(host, "uma"), 5)


def test_service_account_signs_in(host, world):
    login = client.ssh(host, "bot", "id -un", secret=world.bot.secret)
    assert login.code == 0 and "bot" in login.text, login


def test_key_of_somebody_else(host, world):
    login = client.ssh(host, "tom", secret=world.uma.secret)
    assert not login.allowed, login


def test_expired_and_revoked_keys(host, world):
    for person in (world.eddie, world.rita):
        mark = host.cursor()
        login = client.ssh(host, person.login, secret=person.secret)
        assert not login.allowed, login
        denied = host.journal(TENANTD_EVENT="login-denied", after=mark)
        assert denied and denied[0]["TENANT_REASON"] in ("key-expired", "key-revoked"), denied


def test_suspended_person_is_told(host, world):
    login = client.ssh(host, "sam", secret=world.sam.secret)
    assert not login.allowed and "suspended" in login.text, login
    # Whoever cannot prove to be him is not told.
    login = client.ssh(host, "sam", secret=world.wrong)
    assert not login.allowed and "suspended" not in login.text, login
    assert not client.ssh(host, "sam", method="key", key=world.sam.ssh_key).allowed


def test_scope_by_source_address(host, world):
    assert client.ssh(host, "nadia", secret=world.nadia.secret, source="10.77.0.1").code == 0
    mark = host.cursor()
    assert not client.ssh(host, "nadia", secret=world.nadia.secret, source="192.0.2.1").allowed
    assert host.journal(TENANTD_EVENT="login-denied", after=mark)[0]["TENANT_SOURCE"] == "192.0.2.1"


def test_over_ipv6(host, world):
    login = client.ssh(host, "uma", "echo $SSH_CONNECTION", method="key", key=world.uma.ssh_key, source="fd77::1")
    assert login.code == 0 and "fd77::1" in login.text, login


def test_viewer_reads_why(host, world):
    login = client.ssh(host, "vera", method="key", key=world.vera.ssh_key)
    assert not login.allowed and "role" in login.text, login


def test_local_people_notice_nothing(host, world):
    for user, key in (("local1", world.local_key), ("root", world.root_key)):
        login = client.ssh(host, user, "env", method="key", key=key)
        assert login.code == 0 and "TENANT" not in login.text, login


# --- AuthorizedKeysCommand: the program that sshd is given, and the verb that does the same

KEYS_COMMANDS = pytest.mark.parametrize("command", [("/usr/lib/tenantd/tenantd-ssh-keys",), ("tenantctl", "ssh-keys")],
                                        ids=("program", "verb"))


def as_account(account, *command):
    return ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", *command]


@KEYS_COMMANDS
def test_authorized_keys_command(host, world, command):
    said = host.run(*as_account("tenantd-keys", *command, "alice")).out
    assert said.split()[:2] == world.alice.ssh_line.split()[:2]


@KEYS_COMMANDS
def test_authorized_keys_command_is_silent_about_local_people(host, world, command):
    for name in ("root", "local1", "nobodyhere", "../../etc", ""):
        result = host.run(*command, name, check=False)
        assert result.out == "" and result.code == 0, result


@KEYS_COMMANDS
def test_others_may_not_ask_for_keys(host, world, command):
    result = host.run(*as_account("local1", *command, "alice"), check=False)
    assert result.code == 1 and "ssh-ed25519" not in result.out, result


@KEYS_COMMANDS
def test_authorized_keys_command_without_an_agent_is_broken_and_silent(host, world, command):
    host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    try:
        result = host.run(*command, "alice", check=False)
        assert result.out == "" and result.code == 3, result
        assert host.run(*command, "root").out == ""
    finally:
        host.run("systemctl", "start", "tenantd.socket", "tenantd.service")


def test_the_program_takes_a_name_and_nothing_else(host, world):
    for words in ((), ("alice", "uma")):
        result = host.run("/usr/lib/tenantd/tenantd-ssh-keys", *words, check=False)
        assert result.out == "" and result.code == 2, result


def test_keys_that_somebody_wrote_into_his_home_do_not_count(host, world):
    host.sh(f"install -d -m 0700 -o rob -g rob /home/rob /home/rob/.ssh; "
            f"echo '{world.local_line}' > /home/rob/.ssh/authorized_keys; chown rob: /home/rob/.ssh/authorized_keys")
    login = client.ssh(host, "rob", method="key", key=world.local_key)
    assert not login.allowed and "Permission denied" in login.text, login
    # Where sshd is told to read such files, the session stage still knows which keys are the directory's.
    dropin = "/etc/ssh/sshd_config.d/50-tenantd.conf"
    host.sh(f"sed -i.kept 's/AuthorizedKeysFile none//' {dropin} && systemctl reload ssh.service")
    try:
        mark = host.cursor()
        login = client.ssh(host, "rob", method="key", key=world.local_key)
        assert not login.allowed, login
    finally:
        host.sh(f"mv {dropin}.kept {dropin} && systemctl reload ssh.service")
    denied = host.journal(TENANTD_EVENT="login-denied", after=mark)
    assert denied[0]["TENANT_REASON"] == "ssh-key-not-registered", denied


# --- sudo

def sudo(host, user, secret, *argv):
    return client.on_console(host, ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env",
                                    "sudo", "-k", *argv], secret)


def test_sudo_by_the_owner(host, world):
    login = sudo(host, "olivia", world.olivia.secret, "id", "-u")
    assert login.code == 0 and "0" in login.text.split(), login


def test_sudo_over_ssh_with_a_terminal(host, world):
    login = client.ssh(host, "olivia", "sudo -k id -un", secret=world.olivia.secret, tty=True)
    assert login.code == 0 and "root" in login.text.split(), login
    assert len(login.prompts) == 2, login


def test_no_sudo_for_a_key_without_that_scope(host, world):
    login = sudo(host, "simon", world.simon.secret, "id", "-u")
    assert login.code != 0, login


def test_no_sudo_without_a_credential(host, world):
    result = host.run("setpriv", "--reuid=olivia", "--regid=olivia", "--init-groups", "sudo", "-n", "id", check=False)
    assert result.code != 0


def test_sudo_right_ends_with_the_role(host, fresh_directory):
    world = fresh_directory
    world.olivia.role = "editor"
    try:
        world.write(host)
        assert "tenant-sudo" not in host.run("id", "-Gn", "olivia").out
        assert sudo(host, "olivia", world.olivia.secret, "id", "-u").code != 0
    finally:
        world.olivia.role = "owner"
