# SPDX-License-Identifier: MIT
"""What is taken away at the control plane is refused on all hosts at once; each test prints how long it took."""
import base64
import contextlib
import json
import subprocess
import threading

import pytest

from hostlib import client, namespaces
from hostlib.tenancy import WAIT, Stopwatch, status, taken_in, verify


@contextlib.contextmanager
def watching(host):
    """`tenantctl watch` as it runs; gives a function that reads the next events until one fits."""
    process = subprocess.Popen(host.command("tenantctl", "watch", "--json"), stdout=subprocess.PIPE, text=True,
                               preexec_fn=namespaces.die_with_parent)
    try:
        assert json.loads(process.stdout.readline())["event"] == "ready"

        def until(event, **fields):
            killer = threading.Timer(20, process.kill)
            killer.start()
            seen = []
            for line in process.stdout:
                seen.append(json.loads(line))
                if seen[-1]["event"] == event and all(seen[-1].get(k) == v for k, v in fields.items()):
                    killer.cancel()
                    return seen[-1]
            raise AssertionError(f"no {event} {fields} in {seen}")

        yield until
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def said(capsys):
    def say(what, watch):
        with capsys.disabled():
            print(f"\n   {what}: acknowledged by all hosts after {watch.ms:.0f} ms", end=" ", flush=True)
    return say


def served(fleet, tenancy, tenant="acme"):
    return [host for host in fleet.workers if tenant in tenancy.served.get(host.name, ())]


def refused_everywhere(fleet, tenancy, person, *secrets, ssh=True):
    """At once: nothing is waited for here."""
    for host in served(fleet, tenancy, person.tenant):
        for secret in secrets:
            result = verify(host, secret)
            assert result.code == 1, (host.name, result)
    for host in served(fleet, tenancy, person.tenant) if ssh else ():
        for secret in secrets:
            login = client.ssh(host, person.login, secret=secret)
            assert not login.allowed, (host.name, login)


def good_everywhere(fleet, tenancy, person, *secrets):
    for host in served(fleet, tenancy, person.tenant):
        for secret in secrets:
            result = verify(host, secret)
            assert result.code == 0, (host.name, result)


def test_key(fleet, tenancy, said):
    person = tenancy.person("kim")
    good_everywhere(fleet, tenancy, person, person.secret)
    with watching(fleet.workers[0]) as until:
        watch = Stopwatch()
        person.revoke_key()
        said("key revoked", watch)
        refused_everywhere(fleet, tenancy, person, person.secret)
        until("key-revoked", key_id=person.key_id)
    # The person is fine, and so is another key of theirs.
    assert client.ssh(fleet.workers[0], person.login, method="key", key=person.ssh_key).code == 0
    again = person.add_key()
    person.set_role("owner")
    good_everywhere(fleet, tenancy, person, again["secret"])


def test_key_many_times(fleet, tenancy, capsys):
    """The span from before the call to the answer that all hosts have it; TLS set-up is in it."""
    person = tenancy.person("max")
    spans = []
    for _ in range(20):
        key = person.add_key()
        watch = Stopwatch()
        person.revoke_key(key["id"])
        spans.append(watch.ms)
        assert verify(fleet.workers[0], key["secret"]).code == 1
    spans.sort()
    with capsys.disabled():
        print(f"\n   20 keys revoked: until all hosts had it, median {spans[10]:.0f} ms, longest {spans[-1]:.0f} ms",
              end=" ", flush=True)
    assert spans[10] < 1000


def test_rotated_key(fleet, tenancy):
    person = tenancy.person("rolf")
    call = fleet.operator_call
    successor = call("POST", f"/v1/tenants/acme/keys/{person.key_id}/rotate", {"grace": 3600})
    person.set_role("owner")
    good_everywhere(fleet, tenancy, person, person.secret, successor["secret"])
    call("POST", f"/v1/tenants/acme/keys/{successor['id']}/rotate", {})
    person.set_role("editor")
    refused_everywhere(fleet, tenancy, person, successor["secret"], ssh=False)


def test_suspended_person(fleet, tenancy, said):
    person = tenancy.person("susi", password=True)
    token = person.sign_in()
    with watching(fleet.workers[0]) as until:
        watch = Stopwatch()
        taken_in(fleet.operator_call("POST", f"{person.path}/suspend?wait={WAIT}", {"reason": "on leave"}), 2)
        said("person suspended", watch)
        refused_everywhere(fleet, tenancy, person, person.secret, token)
        until("user-suspended", user_id=person.id)
    assert not client.ssh(fleet.workers[0], person.login, method="key", key=person.ssh_key).allowed
    assert fleet.call("POST", "/v1/sign-in", {"tenant": "acme", "email": person.email,
                                              "password": "a long enough Password 5"}).status == 401
    fleet.operator_call("POST", f"{person.path}/resume")
    host = fleet.workers[0]
    assert host.wait_until(lambda: verify(host, person.secret).code == 0)
    # What was signed before the suspension stays ended.
    assert verify(host, token).code == 1


def test_role_taken_away(fleet, tenancy, said):
    person = tenancy.person("rosa")
    host = fleet.workers[0]
    assert client.ssh(host, person.login, secret=person.secret).code == 0
    with watching(host) as until:
        watch = Stopwatch()
        taken_in(fleet.operator_call("DELETE", f"{person.membership}?wait={WAIT}"), 2)
        said("role taken away", watch)
        for how in ({"secret": person.secret}, {"method": "key", "key": person.ssh_key}):
            assert not client.ssh(host, person.login, **how).allowed
        assert verify(host, person.secret, "--project", "acme/vision").code == 1
        until("role-changed", user_id=person.id)


def test_changed_password_ends_tokens(fleet, tenancy, said):
    person = tenancy.person("petra", password=True)
    tokens = [person.sign_in(), person.sign_in()]
    good_everywhere(fleet, tenancy, person, *tokens, person.secret)
    # Times are whole seconds: what is signed in the second of the change could be either.
    fleet.control.run("sleep", "1.1")
    watch = Stopwatch()
    answer = fleet.call("POST", f"/v1/password?wait={WAIT}",
                        {"current": "a long enough Password 5", "new": "quite another Password 6"}, tokens[0])
    assert answer.status == 200, answer
    taken_in(answer, 2)
    said("password changed", watch)
    refused_everywhere(fleet, tenancy, person, *tokens)
    good_everywhere(fleet, tenancy, person, person.secret)
    fleet.control.run("sleep", "1.1")
    good_everywhere(fleet, tenancy, person, person.sign_in("quite another Password 6"))


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_one_token(fleet, tenancy, said):
    person = tenancy.person("tina", password=True)
    lost, kept = person.sign_in(), person.sign_in()
    good_everywhere(fleet, tenancy, person, lost, kept)
    watch = Stopwatch()
    taken_in(fleet.operator_call("POST", f"/v1/tenants/acme/tokens/{claims(lost)['jti']}/revoke?wait={WAIT}", {}), 2)
    said("token revoked", watch)
    refused_everywhere(fleet, tenancy, person, lost)
    good_everywhere(fleet, tenancy, person, kept)


def test_suspended_tenant(fleet, tenancy, said):
    person = tenancy.person("gabi", tenant="globex", password=True)
    other = tenancy.person("anna")
    token = person.sign_in()
    host = fleet.workers[1]
    good_everywhere(fleet, tenancy, person, person.secret, token)
    watch = Stopwatch()
    call = fleet.operator_call
    taken_in(call("PATCH", f"/v1/tenants/globex?wait={WAIT}", {"suspended": True}, headers={"If-Match": "*"}), 1)
    said("tenant suspended", watch)
    refused_everywhere(fleet, tenancy, person, person.secret, token)
    assert not client.ssh(host, person.login, method="key", key=person.ssh_key).allowed
    assert client.ssh(host, other.login, secret=other.secret).code == 0
    taken_in(call("PATCH", f"/v1/tenants/globex?wait={WAIT}", {"suspended": False}, headers={"If-Match": "*"}), 1)
    assert client.ssh(host, person.login, secret=person.secret).code == 0


def test_disabled_host(fleet, tenancy, keys_folder, said):
    host = fleet.workers[2]
    root_key, root_line = client.keypair(keys_folder, "root")
    local_key, local_line = client.keypair(keys_folder, "local1")
    host.sh("id local1 2>/dev/null || useradd -m -s /bin/bash local1; install -d -m 0700 /root/.ssh; "
            "install -d -m 0700 -o local1 -g local1 /home/local1/.ssh")
    host.write("/root/.ssh/authorized_keys", root_line + "\n", 0o600)
    host.write("/home/local1/.ssh/authorized_keys", local_line + "\n", 0o600, "local1:local1")
    tenancy.join(host, "acme", "globex")
    people = [tenancy.person("dora"), tenancy.person("dirk", tenant="globex")]
    for person in people:
        assert client.ssh(host, person.login, secret=person.secret).code == 0
    mark = host.cursor()
    watch = Stopwatch()
    answer = fleet.operator_call("POST", f"/v1/hosts/{host.name}/disable?wait={WAIT}", {"reason": "back to the vendor"})
    said("host disabled", watch)
    assert answer["acks"]["refused"] == 0 and answer["acks"]["acknowledged"] == answer["acks"]["hosts"], answer

    def holds():
        assert status(host)["enrolment"]["state"] == "disabled", status(host)
        assert "back to the vendor" in host.run("tenantctl", "status", check=False).out
        for person in people:
            for how in ({"secret": person.secret}, {"method": "key", "key": person.ssh_key}):
                assert not client.ssh(host, person.login, **how).allowed
            assert verify(host, person.secret).code != 0
        for user, key in (("root", root_key), ("local1", local_key)):
            assert client.ssh(host, user, method="key", key=key).code == 0

    assert host.wait_until(lambda: status(host)["enrolment"]["state"] == "disabled")
    holds()
    entries = host.journal(after=mark, TENANTD_EVENT="host-disabled")
    assert [e["PRIORITY"] for e in entries] == ["2"], entries
    assert "back to the vendor" in entries[0]["TENANT_DETAIL"]
    kept = host.sh("find /var/lib/tenantd -type f").out.split()
    assert not [path for path in kept if "feed" in path], kept
    host.reboot()
    holds()
    # Somebody else's host goes on; this one comes back only after it was enabled, by a new token.
    assert verify(fleet.workers[1], people[0].secret).code == 0
    assert fleet.enroll(host, "acme").code == 1
    fleet.operator_call("POST", f"/v1/hosts/{host.name}/enable")
    tenancy.served.pop(host.name)
    tenancy.join(host, "acme", "globex")
    assert host.wait_until(lambda: verify(host, people[0].secret).code == 0), status(host)
    host.run("tenantctl", "unenroll")
    tenancy.leave(host)


def test_host_that_was_away_when_it_was_disabled(fleet, tenancy):
    host = fleet.workers[2]
    tenancy.join(host, "acme", "globex")
    people = [tenancy.person("dana"), tenancy.person("dino", tenant="globex")]
    for person in people:
        assert client.ssh(host, person.login, secret=person.secret).code == 0
    host.run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    fleet.operator_call("POST", f"/v1/hosts/{host.name}/disable", {"reason": "never came back"})
    mark = host.cursor()
    host.run("systemctl", "start", "tenantd.socket", "tenantd.service")
    # It gets no token, so no feed says it: the refusal itself does, by the authority's signature.
    assert host.wait_until(lambda: status(host)["enrolment"]["state"] == "disabled", 20), status(host)
    for person in people:
        assert not client.ssh(host, person.login, secret=person.secret).allowed
        assert verify(host, person.secret).code != 0
    entries = host.journal(after=mark, TENANTD_EVENT="host-disabled")
    assert [e["PRIORITY"] for e in entries] == ["2"] and "authority" in entries[0]["TENANT_DETAIL"], entries
    kept = host.sh("find /var/lib/tenantd -type f").out.split()
    assert not [path for path in kept if "feed" in path], kept
    fleet.operator_call("POST", f"/v1/hosts/{host.name}/enable")
    tenancy.served.pop(host.name)
    tenancy.join(host, "acme", "globex")
    host.run("systemctl", "restart", "tenantd")
    assert host.wait_until(lambda: tenancy.live(host, 2)), status(host)
    assert client.ssh(host, people[0].login, secret=people[0].secret).code == 0
    host.run("tenantctl", "unenroll")
    tenancy.leave(host)
