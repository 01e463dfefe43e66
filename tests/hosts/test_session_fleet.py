# SPDX-License-Identifier: MIT
"""What the control plane sees of sessions on its hosts, what it ends there, and that nothing of it is taken for more than
it says."""
import base64
import json
import re

import pytest

from hostlib import client
from hostlib.shells import Events, Shell, number, processes, sessions, sleeping
from hostlib.tenancy import WAIT, Tenancy, status, taken_in

SECONDS = 15


@pytest.fixture(scope="module")
def tenancy(new_fleet, keys_folder):
    """acme on both hosts, globex on the second alone; one second between asking and killing."""
    fleet = new_fleet(workers=("worker-1", "worker-2")).boot()
    fleet.install()
    made = Tenancy(fleet, keys_folder).make()
    for tenant in ("acme", "globex"):
        fleet.operator_call("PATCH", f"/v1/tenants/{tenant}", {"policy": {"sessions": {"grace": 1}}},
                            headers={"If-Match": "*"})
    made.join(fleet.workers[0], "acme")
    made.join(fleet.workers[1], "acme", "globex")
    return made


@pytest.fixture(scope="module")
def fleet(tenancy):
    return tenancy.fleet


@pytest.fixture(scope="module")
def hosts(fleet):
    return fleet.workers


@pytest.fixture(scope="module", autouse=True)
def bystanders(hosts, tenancy):
    """Somebody on each host with whom nothing is wrong, from the first test to the last."""
    person, other = tenancy.person("quin"), tenancy.person("gus", tenant="globex")
    shells = [at_work(host, person) for host in hosts] + [at_work(hosts[1], other)]
    yield shells
    for shell in shells:
        shell.close()


def at_work(host, person, **how):
    shell = Shell(host, person.login, **(how or {"key": person.ssh_key}))
    shell.stays = number()
    shell.run(f"(trap '' HUP; setsid -f sleep {shell.stays}) >/dev/null 2>&1 </dev/null")
    return shell


def kill_sleep(shell):
    shell.host.run("pkill", "-KILL", "-x", "-f", f"sleep {shell.stays}")


def is_gone(shell, *words):
    assert shell.is_over(SECONDS), (shell, sessions(shell.host, shell.user))
    for word in words:
        assert re.search(word, shell.text), shell
    assert shell.host.wait_until(lambda: not sleeping(shell.host, shell.stays)), processes(shell.host)


def stands(shell):
    assert shell.alive() and sleeping(shell.host, shell.stays), shell


def causes(events, person):
    return {e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_USER=person.login)}


def listed(fleet, tenant="acme", query="", token=None):
    path = f"/v1/tenants/{tenant}/sessions?limit=1000{query}"
    answer = fleet.call("GET", path, token=token) if token else fleet.operator_call("GET", path)
    return [one for one in answer["items"] if one.get("service") == "sshd"]


def reported(fleet, person, count, **fields):
    """The control plane knows so many sessions of theirs; they."""
    def there():
        found = [one for one in listed(fleet, person.tenant, f"&user={person.login}")
                 if all(one.get(k) == v for k, v in fields.items())]
        return found if len(found) == count else None

    found = fleet.control.wait_until(there, SECONDS)
    assert found is not None and len(found) == count, listed(fleet, person.tenant)
    return found


def end(fleet, form, tenant="acme", token=None, wait=WAIT):
    path = f"/v1/tenants/{tenant}/sessions/end?wait={wait}"
    return fleet.call("POST", path, form, token=token) if token else fleet.operator_call("POST", path, form)


def gone_all(answer, at_least):
    """Service managers of the people are sessions, too."""
    told = answer["sessions"]
    assert told["gone"] == told["asked"] >= at_least and told["away"] == 0, answer


# --- what it sees


def test_who_is_where(fleet, tenancy, hosts):
    person, other = tenancy.person("ada", role="owner"), tenancy.person("gil", tenant="globex")
    shells = [at_work(host, person) for host in hosts] + [at_work(hosts[1], other, secret=other.secret)]
    found = reported(fleet, person, 2, state="open")
    assert {one["host_name"] for one in found} == {"worker-1", "worker-2"}
    assert {(one["login"], one["project_slug"], one["role"], one["source"]) for one in found} == {
        (person.login, "vision", "owner", "10.77.0.1")}
    assert all(one["credential"].startswith("ssh-key:SHA256:") for one in found), found
    [theirs] = reported(fleet, other, 1)
    assert theirs["credential"] == f"api-key:{other.key_id}"
    # Each tenant's apart.
    assert other.login not in json.dumps(listed(fleet, "acme")) and person.login not in json.dumps(listed(fleet, "globex"))
    assert other.secret not in json.dumps(listed(fleet, "globex"))
    # A session that is left behind, and one that is gone.
    shells[0].close()
    reported(fleet, person, 1, state="left-behind")
    kill_sleep(shells[0])
    reported(fleet, person, 1)
    for shell in shells[1:]:
        shell.close()
        kill_sleep(shell)
    reported(fleet, person, 0)
    reported(fleet, other, 0)


def test_list_is_right_after_the_agent_was_away(fleet, tenancy, hosts):
    person = tenancy.person("abel")
    stays, goes = at_work(hosts[0], person), at_work(hosts[0], person)
    reported(fleet, person, 2)
    hosts[0].run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    goes.close()
    kill_sleep(goes)
    hosts[0].run("systemctl", "start", "tenantd.socket", "tenantd.service")
    reported(fleet, person, 1)
    stands(stays)
    stays.close()


# --- what it ends


def test_one_session(fleet, tenancy, hosts):
    person = tenancy.person("bea")
    one, same_host, other_host = at_work(hosts[0], person), at_work(hosts[0], person), at_work(hosts[1], person)
    found = reported(fleet, person, 3)
    events = Events(hosts[0])
    first = min((s for s in found if s["host_name"] == "worker-1"), key=lambda s: (s["opened_at"], s["id"]))
    answer = fleet.operator_call("POST", f"/v1/tenants/acme/sessions/{first['id']}/end?wait={WAIT}", {"reason": "shift is over"})
    assert answer["sessions"] == {"asked": 1, "gone": 1, "away": 0}, answer
    taken_in(answer, 2)
    [local] = [s for s in sessions(hosts[0], person.login, service="sshd")]
    ended, kept = (same_host, one) if local["session"] != first["id"] and not sleeping(hosts[0], same_host.stays) else (one, same_host)
    is_gone(ended, "shift is over")
    stands(kept)
    stands(other_host)
    assert causes(events, person) == {"ordered"}
    again = fleet.operator_call("POST", f"/v1/tenants/acme/sessions/{first['id']}/end", {}, expect=(404,))
    assert again.status == 404
    for shell in (kept, other_host):
        shell.close()


def test_all_of_a_user_and_nothing_that_begins_later(fleet, tenancy, hosts):
    person = tenancy.person("cleo")
    before = [at_work(host, person) for host in hosts]
    reported(fleet, person, 2)
    answer = end(fleet, {"user": person.login, "reason": "please sign in again"})
    gone_all(answer, 2)
    for shell in before:
        is_gone(shell, "please sign in again")
    after = [at_work(host, person) for host in hosts]
    # The order stands in the feed; it is about what was there.
    hosts[0].run("systemctl", "restart", "tenantd.service")
    hosts[1].run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service")
    for host in hosts:
        assert host.wait_until(lambda host=host: status(host)["state"] == "ready", 20)
    tenancy.person("clea")
    for shell in after:
        stands(shell)
        shell.close()


def test_all_of_a_host_and_of_a_project(fleet, tenancy, hosts, bystanders):
    person = tenancy.person("dot", tenant="globex")
    one = at_work(hosts[1], person)
    reported(fleet, person, 1)
    # Another tenant's host, or project, is none of theirs.
    call = fleet.operator_call
    for form in ({"host": "worker-1"}, {"project": "vision"}):
        call("POST", "/v1/tenants/globex/sessions/end", form, expect=(404,))
    stands(one)
    stands(bystanders[0])
    answer = end(fleet, {"project": "delta", "host": "worker-2"}, "globex")
    gone_all(answer, 2)
    is_gone(one)
    is_gone(bystanders.pop())  # gus of globex; acme's are not asked
    for shell in bystanders:
        stands(shell)


def test_who_may(fleet, tenancy, hosts):
    person, colleague = tenancy.person("eli", password=True), tenancy.person("eve", password=True)
    owner = tenancy.person("eda", role="owner", password=True)
    shells = [at_work(hosts[0], one) for one in (person, colleague)]
    [mine], [theirs] = reported(fleet, person, 1), reported(fleet, colleague, 1)
    token = person.sign_in()
    assert {one["id"] for one in listed(fleet, token=token)} == {mine["id"]}
    refused = fleet.call("POST", f"/v1/tenants/acme/sessions/{theirs['id']}/end", {}, token=token)
    assert refused.status == 404, refused
    assert end(fleet, {"all": True}, token=token).status == 403
    answer = fleet.call("POST", f"/v1/tenants/acme/sessions/{mine['id']}/end?wait={WAIT}", {}, token=token)
    assert answer.status == 200 and answer["sessions"]["gone"] == 1, answer
    is_gone(shells[0])
    stands(shells[1])
    answer = end(fleet, {"project": "vision", "user": colleague.login}, token=owner.sign_in())
    assert answer.status == 200, answer
    gone_all(answer, 1)
    is_gone(shells[1])


# --- what ends with a right


def test_key_revoked(fleet, tenancy, hosts):
    person = tenancy.person("fay")
    by_key, by_ssh = at_work(hosts[0], person, secret=person.secret), at_work(hosts[0], person)
    events = Events(hosts[0])
    person.revoke_key()
    is_gone(by_key, "laptop lost")
    stands(by_ssh)
    assert causes(events, person) == {"key-revoked"}
    by_ssh.close()


def test_token_revoked(fleet, tenancy, hosts):
    person = tenancy.person("tess", password=True)
    token = person.sign_in()
    shells = [at_work(hosts[0], person, secret=token), at_work(hosts[0], person)]
    events = Events(hosts[0])
    body = token.split(".")[1]
    jti = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"]
    taken_in(fleet.operator_call("POST", f"/v1/tenants/acme/tokens/{jti}/revoke?wait={WAIT}", {}), 2)
    is_gone(shells[0], "token")
    stands(shells[1])
    assert causes(events, person) == {"token-revoked"}
    shells[1].close()


def test_new_password_ends_what_came_by_the_old_one(fleet, tenancy, hosts):
    person = tenancy.person("hal", password=True)
    shell = at_work(hosts[1], person, secret=person.sign_in())
    hosts[1].run("sleep", "1.1")
    events = Events(hosts[1])
    person.set_password("quite another Password 6")
    is_gone(shell)
    assert causes(events, person) == {"sign-ins-ended"}


def test_role_lost_on_all_hosts(fleet, tenancy, hosts):
    person = tenancy.person("ida")
    shells = [at_work(host, person) for host in hosts]
    events = [Events(host) for host in hosts]
    fleet.operator_call("DELETE", f"{person.membership}?wait={WAIT}")
    for shell, event in zip(shells, events):
        is_gone(shell)
        assert causes(event, person) == {"role-lost"}


def test_removed_user(fleet, tenancy, hosts):
    person = tenancy.person("joe")
    shell = at_work(hosts[0], person)
    events = Events(hosts[0])
    fleet.operator_call("DELETE", f"{person.path}?wait={WAIT}", headers={"If-Match": "*"})
    is_gone(shell)
    assert {e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")} == {"user-removed"}


# --- what ends nothing


def test_a_control_plane_that_is_away(fleet, tenancy, hosts):
    person = tenancy.person("kim")
    shell = at_work(hosts[0], person)
    fleet.control.run("systemctl", "stop", "tenant-control.service")
    try:
        hosts[0].run("systemctl", "restart", "tenantd.service")
        stands(shell)
        assert client.ssh(hosts[0], person.login, method="key", key=person.ssh_key).code == 0
    finally:
        fleet.control.run("systemctl", "start", "tenant-control.service")
    assert hosts[0].wait_until(lambda: tenancy.live(hosts[0], 1), 40), status(hosts[0])
    stands(shell)
    shell.close()


def test_a_feed_that_cannot_be_read(fleet, tenancy, hosts):
    """All that was kept is damaged and nothing comes: nobody signs in, and nobody who is in is sent away."""
    person = tenancy.person("lea")
    shell = at_work(hosts[0], person)
    fleet.control.run("systemctl", "stop", "tenant-control.service")
    try:
        hosts[0].run("systemctl", "stop", "tenantd.socket", "tenantd.service")
        hosts[0].sh("find /var/lib/tenantd -path '*feed*' -type f ! -name state -exec sh -c 'printf damaged | dd of=$0 conv=notrunc bs=1 "
                    "seek=40 2>/dev/null' {} ';'")
        hosts[0].run("systemctl", "start", "tenantd.socket", "tenantd.service")
        assert not client.ssh(hosts[0], person.login, method="key", key=person.ssh_key).allowed
        hosts[0].run("sleep", "1")
        stands(shell)
    finally:
        fleet.control.run("systemctl", "start", "tenant-control.service")
    assert hosts[0].wait_until(lambda: tenancy.live(hosts[0], 1), 60), status(hosts[0])
    stands(shell)
    shell.close()


def test_a_name_that_a_file_claims_too(fleet, tenancy, hosts):
    """Served to neither, so nobody comes in; whose the session is nobody doubts who can wait."""
    person = tenancy.person("mia")
    shell = at_work(hosts[0], person)
    first = 0x7f000000
    hosts[0].write("/etc/tenantd/directory.yaml", "version: 1\ntenants:\n"
                   f"  - {{id: ten_files, slug: files, gid: {first}, ids: {{first: {first}, count: 256, next: {first + 20}}}}}\n"
                   f"users:\n  - {{id: usr_files, tenant: ten_files, login: {person.login}, uid: {first + 10}, name: Files}}\n",
                   0o640, "root:tenantd")
    try:
        hosts[0].run("tenantctl", "reload")
        assert status(hosts[0])["conflicts"], status(hosts[0])
        assert not client.ssh(hosts[0], person.login, method="key", key=person.ssh_key).allowed
        stands(shell)
    finally:
        hosts[0].run("rm", "/etc/tenantd/directory.yaml")
        hosts[0].run("tenantctl", "reload", check=False)
    stands(shell)
    shell.close()


# --- hosts that go; these come last


def test_order_for_a_host_that_was_away(fleet, tenancy, hosts):
    person = tenancy.person("noa")
    shells = [at_work(host, person) for host in hosts]
    reported(fleet, person, 2)
    hosts[0].run("systemctl", "stop", "tenantd.socket", "tenantd.service")
    end(fleet, {"user": person.login, "reason": "everywhere"}, wait=1)
    is_gone(shells[1], "everywhere")
    stands(shells[0])
    hosts[0].run("systemctl", "start", "tenantd.socket", "tenantd.service")
    is_gone(shells[0], "everywhere")
    reported(fleet, person, 0)


def test_host_that_leaves(fleet, tenancy, hosts, keys_folder):
    person, other = tenancy.person("ole"), tenancy.person("ora", tenant="globex")
    shells = [at_work(hosts[1], person), at_work(hosts[1], other)]
    events = Events(hosts[1])
    hosts[1].run("tenantctl", "unenroll")
    for shell, one in zip(shells, (person, other)):
        is_gone(shell)
    assert {e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")} == {"tenant-gone"}
    tenancy.leave(hosts[1])


def test_disabled_host(fleet, tenancy, hosts, bystanders, keys_folder):
    host = hosts[0]
    root_key, root_line = client.keypair(keys_folder, "root")
    host.sh("install -d -m 0700 /root/.ssh")
    host.write("/root/.ssh/authorized_keys", root_line + "\n", 0o600)
    person = tenancy.person("pam")
    shell, root = at_work(host, person), Shell(host, "root", root_key)
    reported(fleet, person, 1)
    events = Events(host)
    fleet.operator_call("POST", f"/v1/hosts/{host.name}/disable?wait={WAIT}", {"reason": "back to the vendor"})
    is_gone(shell)
    is_gone(bystanders.pop(0))
    assert {e["TENANT_CAUSE"] for e in events.of("session-ending", TENANT_SERVICE="sshd")} == {"host-disabled"}
    assert root.alive()
    root.close()
    # What it said last is no news any more.
    assert {one["state"] for one in listed(fleet, "acme", "&host=worker-1")} <= {"unknown"}
