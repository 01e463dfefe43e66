# SPDX-License-Identifier: MIT
"""What an operator sees of the events with tenantctl audit, and what others can make them see: nothing."""
import json
import subprocess

import pytest

from hostlib import client


def as_user(user, *argv):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", *argv]


def search(host, *filters):
    """(exit code, OCSF objects)"""
    host.run("journalctl", "--sync")
    done = host.run("tenantctl", "audit", "search", "--json", *filters, check=False)
    return done.code, json.loads(done.out)


def kinds(events):
    return [event["metadata"]["event_code"] for event in events]


@pytest.fixture(scope="module")
def signed_in(host, world):
    """Somebody signed in, and somebody did not."""
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
    assert client.ssh(host, "vera", method="key", key=world.vera.ssh_key).code != 0
    host.wait_until(lambda: "session-closed" in kinds(search(host, "--user", "alice")[1]), 10)


def test_by_person_kind_and_outcome(host, signed_in):
    code, events = search(host, "--user", "alice", "--kind", "login-allowed,session-opened")
    assert code == 0 and set(kinds(events)) == {"login-allowed", "session-opened"}
    assert all((event.get("user") or event["actor"]["user"])["name"] == "alice" for event in events)
    code, events = search(host, "--user", "vera", "--outcome", "failure")
    assert code == 0 and set(kinds(events)) == {"login-denied"}
    assert all(event["status_code"] == "role-too-low" for event in events)
    assert search(host, "--user", "vera", "--kind", "login-allowed") == (1, [])
    assert search(host, "--user", "alice", "--since", "2030-01-01") == (1, [])


def test_the_events_of_a_session_by_its_id_and_an_event_by_its_own(host, signed_in):
    opened = [event for event in search(host, "--user", "alice", "--kind", "session-opened")[1]
              if event["actor"]["app_name"] == "sshd"][-1]
    code, events = search(host, "--session", opened["session"]["uid"])
    assert code == 0 and kinds(events)[0] == "session-opened" and "session-closed" in kinds(events)
    assert search(host, "--id", opened["metadata"]["uid"]) == (0, [opened])


def test_every_event_names_its_place_in_the_chain(host, signed_in):
    events = [event for event in search(host)[1] if "unmapped" in event and "chain" in event["unmapped"]]
    assert events
    for event in events:
        assert event["metadata"]["uid"] == f"{event['unmapped']['chain']}-{event['unmapped']['seq']}"
    numbers = [event["unmapped"]["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_for_people(host, signed_in):
    out = host.run("tenantctl", "audit", "search", "--user", "alice").out
    assert out.startswith("TIME") and "login-allowed" in out and "acme/vision" in out
    last = host.run("tenantctl", "audit", "tail", "--lines", "1").out.splitlines()
    assert len(last) == 2
    nothing = host.run("tenantctl", "audit", "search", "--user", "mallory", check=False)
    assert nothing.code == 1 and "No such events." in nothing.out


def test_following_shows_what_comes_as_it_comes(host, world, signed_in):
    follow = subprocess.Popen(host.command("tenantctl", "audit", "tail", "--follow", "--json", "--user", "alice", "--lines", "1"),
                              stdout=subprocess.PIPE, text=True)
    try:
        before = json.loads(follow.stdout.readline())
        assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
        seen = []
        while "session-opened" not in seen:
            event = json.loads(follow.stdout.readline())
            assert event["metadata"]["uid"] != before["metadata"]["uid"]
            seen.append(event["metadata"]["event_code"])
        assert "login-allowed" in seen
    finally:
        follow.kill()
        follow.wait()


def test_others_see_what_the_journal_lets_them(host, world, signed_in):
    done = host.run(*as_user("local1", "tenantctl", "audit", "search", "--user", "alice"), check=False)
    assert done.code == 1 and "login-allowed" not in done.out
    assert "the groups adm and systemd-journal" in done.err + done.out
    host.run("gpasswd", "--add", "local1", "systemd-journal")
    try:
        done = host.run(*as_user("local1", "tenantctl", "audit", "search", "--user", "alice"))
        assert "login-allowed" in done.out
    finally:
        host.run("gpasswd", "--delete", "local1", "systemd-journal")


def test_what_somebody_else_writes_is_no_event(host, signed_in):
    entry = ("SYSLOG_IDENTIFIER=tenantd\\nTENANTD_EVENT=login-allowed\\nTENANT_USER=forged\\n"
             "_SYSTEMD_UNIT=tenantd.service\\nMESSAGE=Sign-in allowed: forged\\n")
    for user in ("local1", "alice"):
        host.run(*as_user(user, "sh", "-c", f"printf '{entry}' | logger --journald"))
    assert host.journal(TENANT_USER="forged", SYSLOG_IDENTIFIER="tenantd")
    assert search(host, "--user", "forged") == (1, [])


def test_status_says_that_all_is_kept(host):
    status = host.run("tenantctl", "audit", "status")
    assert "chain:" in status.out and "answers wait for: group" in status.out
    state = json.loads(host.run("tenantctl", "audit", "status", "--json").out)
    assert state["spool"] and state["last"] >= state["durable"] > 0 and not state["dropped"]
    refused = host.run(*as_user("local1", "tenantctl", "audit", "status"), check=False)
    assert refused.code == 3 and "root" in refused.err


def test_what_makes_no_sense_is_said(host):
    done = host.run("tenantctl", "audit", "search", "--kind", "login-alowed", check=False)
    assert done.code == 2 and "login-allowed" in done.err
