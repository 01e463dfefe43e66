# SPDX-License-Identifier: MIT
"""What ends a session: each cause, by a change of the directory, with a live shell that is told why; and what ends none."""
import json
import re

import pytest

from hostlib import client, machine
from hostlib.session_world import PATH, moment, watched
from hostlib.shells import Events, Shell, all_gone, number, processes, sessions, sleeping
from hostlib.world import LOCAL_PASSWORD


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
def events(host):
    return Events(host)


def at_work(host, person, **how):
    """A shell with something in the foreground that wants to go on for long, and something that ignores SIGHUP."""
    shell = Shell(host, person.login, **(how or {"key": person.ssh_key}))
    shell.stays = number()
    shell.run(f"(trap '' HUP; setsid -f nohup sleep {shell.stays}) >/dev/null 2>&1 </dev/null")
    return shell


def ended(host, shell, events, cause, *words):
    """It is over, was told why, nothing of it is left, and the journal names the cause, once."""
    assert shell.is_over(), (shell, sessions(host))
    for word in words:
        assert re.search(word, shell.text), shell
    assert host.wait_until(lambda: not sleeping(host, shell.stays)), processes(host)
    assert host.wait_until(lambda: not sessions(host, shell.user, service="sshd")), sessions(host, shell.user)
    found = [e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_USER=shell.user, TENANT_SERVICE="sshd")]
    assert found == [cause], found


# --- of one session


def test_api_key_revoked(world, host, events):
    person = world.person("kim")
    by_key, by_ssh = at_work(host, person, secret=person.secret), at_work(host, person)
    person.keys[0]["revoked"] = {"at": moment(), "reason": "laptop lost"}
    world.write()
    assert by_key.is_over() and "laptop lost" in by_key.text, by_key
    assert host.wait_until(lambda: not sleeping(host, by_key.stays)), processes(host)
    assert [e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")] == ["key-revoked"]
    assert by_ssh.alive() and sleeping(host, by_ssh.stays)
    by_ssh.close()


def test_api_key_gone_from_the_directory(world, host, events):
    person = world.person("kai")
    shell = at_work(host, person, secret=person.secret)
    person.keys.clear()
    world.write()
    ended(host, shell, events, "key-revoked")


def test_ssh_key_gone_from_the_directory(world, host, events):
    person = world.person("kate")
    second = person.another_ssh_key("desktop")
    world.write()
    kept = at_work(host, person, key=second)
    lost = at_work(host, person)
    person.user["ssh_keys"].remove(person.ssh_line)
    world.write()
    assert lost.is_over() and host.wait_until(lambda: not sleeping(host, lost.stays)), lost
    assert [e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")] == ["key-revoked"]
    assert kept.alive() and sleeping(host, kept.stays)
    kept.close()


def test_project_lost(world, host, events):
    person = world.person("pia", vision="editor", lab="editor")
    shell = at_work(host, person)
    del person.roles["vision"]
    world.write()
    ended(host, shell, events, "project-lost", "role in its project")


# --- of everything that runs as the user


def test_role_lost(world, host, events):
    person = world.person("rob")
    shell = at_work(host, person)
    person.roles["vision"] = "viewer"
    world.write()
    ended(host, shell, events, "role-lost")
    assert all_gone(host, person) is True


def test_user_suspended(world, host, events):
    person = world.person("sam")
    shells = [at_work(host, person), at_work(host, person, secret=person.secret)]
    person.suspend("on parental leave")
    world.write()
    for shell in shells:
        assert shell.is_over() and "on parental leave" in shell.text, shell
    assert all_gone(host, person) is True
    assert [e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")] == ["user-suspended"] * 2


def test_user_removed(world, host, events):
    person = world.person("sue")
    shell = at_work(host, person)
    del world.people[person.login]
    world.write()
    ended(host, shell, events, "user-removed")
    assert all_gone(host, person) is True


def test_tenant_suspended(world, host, events):
    tenant = world.tenant("initech", "reports")
    person = world.person("tina", "initech")
    shell = at_work(host, person)
    tenant["status"] = "suspended"
    world.write()
    ended(host, shell, events, "tenant-suspended")
    assert all_gone(host, person) is True


def test_tenant_gone(world, host, events):
    world.tenant("hooli", "nucleus")
    people = [world.person("tom", "hooli"), world.person("tess", "hooli")]
    shells = [at_work(host, person) for person in people]
    for thing in (world.tenants.pop("hooli"), world.projects.pop("nucleus"), *(world.people.pop(p.login) for p in people)):
        assert thing
    world.write()
    for shell, person in zip(shells, people):
        ended(host, shell, events, "tenant-gone")
        assert all_gone(host, person) is True


def test_host_serves_the_tenant_no_more(world, host, events):
    world.tenant("pied", "piper")
    person = world.person("tara", "pied")
    shell = at_work(host, person)
    world.unserved.add("piper")
    world.write()
    ended(host, shell, events, "role-lost")
    assert all_gone(host, person) is True


def test_sign_ins_ended(world, host, events):
    """All that began before the moment ends; what begins later stands."""
    person = world.person("vic")
    before = at_work(host, person)
    host.run("sleep", "1.1")
    person.user["sessions_valid_from"] = moment()
    world.write()
    ended(host, before, events, "sign-ins-ended")
    after = at_work(host, person)
    host.run("tenantctl", "reload")
    world.write()
    assert after.alive() and sleeping(host, after.stays)
    after.close()


def test_sign_ins_ended_after_who_had_signed_in_logged_out(world, host, events):
    """No session tells of it: a service manager that lingers, and a process in namespaces of its own."""
    person = world.person("zoe")
    world.write()
    lingers, hides = number(), number()
    host.run("loginctl", "enable-linger", person.login)
    done = client.command_as(host, person.login, f"systemd-run --user -q sleep {lingers}; "
                             f"systemd-run --user -q unshare -Urpf sleep {hides}", key=person.ssh_key)
    assert done.code == 0, done
    assert host.wait_until(lambda: sleeping(host, lingers, hides) and not sessions(host, person.login, service="sshd"))
    host.run("sleep", "1.1")
    person.user["sessions_valid_from"] = moment()
    world.write()
    assert all_gone(host, person) is True, all_gone(host, person, 0)
    assert {e["TENANT_CAUSE"] for e in events.of("session-ending") if e.get("TENANT_UID") == str(person.uid)} <= {"sign-ins-ended"}


# --- by those who ask for it


def end(host, uid, *words):
    return host.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "tenantctl", "sessions", "end", *words,
                    check=False)


def only_session(host, person):
    [session] = sessions(host, person.login, service="sshd")
    return session["session"]


def test_asked_for_by_its_owner(world, host, events):
    person = world.person("abe")
    shell = at_work(host, person)
    assert end(host, person.uid, only_session(host, person)).code == 0
    ended(host, shell, events, "asked")


def test_asked_for_by_an_owner_of_the_project(world, host, events):
    person, owner, stranger = world.person("ann"), world.person("otis", vision="owner"), world.person("ole", lab="owner")
    editor = world.person("edda", vision="editor")
    shell = at_work(host, person)
    session = only_session(host, person)
    nobody = end(host, owner.uid, "0000000000000000")
    for other in (stranger, editor, world.person("gita", "globex", delta="owner")):
        refused = end(host, other.uid, session)
        assert refused.code == 1, refused
        # No more than if there were none.
        assert refused.err.replace(session, "…") == nobody.err.replace("0000000000000000", "…"), (refused, nobody)
    assert shell.alive() and not events.of("session-ending")
    assert end(host, owner.uid, session, "--reason", "maintenance tonight").code == 0
    ended(host, shell, events, "asked", "maintenance tonight")
    [event] = events.of("session-ending", TENANT_USER=person.login, TENANT_SERVICE="sshd")
    assert owner.login in json.dumps(event), event


def test_asked_for_by_root_and_waited_for(world, host, events):
    person = world.person("art")
    shell = at_work(host, person)
    done = host.run("tenantctl", "sessions", "end", "--user", person.login, "--wait", "10", "--reason", "told so")
    assert not sleeping(host, shell.stays), done
    ended(host, shell, events, "asked", "told so")


def test_a_local_account_ends_nothing(world, host):
    person = world.person("alf")
    shell = at_work(host, person)
    uid = host.run("id", "-u", "local1").out.strip()
    for words in ((only_session(host, person),), ("--user", person.login), ("--tenant", "acme"), ("--project", "acme/vision")):
        assert end(host, uid, *words).code == 1, words
    assert shell.alive()
    shell.close()


# --- what ends nothing


def test_a_directory_that_does_not_load(world, host):
    person = world.person("ben")
    shell = at_work(host, person)
    host.write(PATH, world.text() + "nonsense: [", 0o640, "root:tenantd")
    assert host.run("tenantctl", "reload", check=False).code == 1
    host.run("systemctl", "restart", "tenantd.service")
    assert shell.alive() and sleeping(host, shell.stays)
    world.write()
    assert shell.alive()
    shell.close()


def test_changes_of_other_things(world, host):
    person = world.person("bo", vision="editor")
    shell = at_work(host, person)
    person.user["name"] = "Bo Another-Name"
    person.roles["vision"] = "owner"
    person.add_key()
    world.write()
    host.run("systemctl", "restart", "tenantd.service")
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0)
    assert shell.alive() and sleeping(host, shell.stays)
    shell.close()


def test_login_that_gets_another_name(world, host):
    """Ids count: a renamed person goes on, and is ended under the old session's id."""
    person = world.person("old")
    shell = at_work(host, person)
    person.user["login"] = person.login.replace("old", "new")
    world.write()
    assert shell.alive() and sleeping(host, shell.stays)
    person.suspend()
    world.write()
    assert shell.is_over() and all_gone(host, person) is True, shell


def test_local_account_within_a_session(world, host):
    """`su` to an account of the host's own is part of the session, whose scope ends; that account's own are not."""
    person = world.person("leo")
    shell = at_work(host, person)
    inner = number()
    shell.send("su local1 -c 'id -un; setsid -f sleep %d >/dev/null 2>&1 </dev/null'" % inner)
    assert shell.said("assword: ?")
    shell.send(LOCAL_PASSWORD)
    assert host.wait_until(lambda: sleeping(host, inner)), shell
    person.suspend()
    world.write()
    assert shell.is_over() and host.wait_until(lambda: not sleeping(host, inner)), processes(host)
