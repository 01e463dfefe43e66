# SPDX-License-Identifier: MIT
"""An operator of the platform looks into a tenant's host: as themselves, with a viewer's eyes and nobody's hands, for as
long as the grant lasts, and every event says so."""
import itertools
import time

import pytest

from hostlib import client
from hostlib.shells import Events, Shell, number, processes, sessions, sleeping
from hostlib.tenancy import WAIT, Tenancy, taken_in

REASON = "ticket 4711: training does not start"
VISION, SHARED = "/srv/vision", "/srv/shared"
SECONDS = 15
_number = itertools.count(1)


@pytest.fixture(scope="module")
def tenancy(new_fleet, keys_folder):
    """One host, which serves acme. Its own people share a folder there, by the groups of their roles."""
    fleet = new_fleet(workers=("worker-1",)).boot()
    fleet.install()
    made = Tenancy(fleet, keys_folder).make()
    fleet.operator_call("PATCH", "/v1/tenants/acme", {"policy": {"sessions": {"grace": 1}}}, headers={"If-Match": "*"})
    made.join(fleet.workers[0], "acme")
    # The host lets no viewers of the tenant's own in: an operator with a grant it does. What it says of sudo is not theirs.
    rule = fleet.operator_call("GET", "/v1/tenants/acme/host-rules")["items"][0]
    serves = [{"project": made.ids["vision"], "login": ["owner", "editor"], "sudo": ["owner", "editor", "viewer"]}]
    fleet.operator_call("PATCH", f"/v1/tenants/acme/host-rules/{rule['id']}", {"serves": serves}, headers={"If-Match": "*"})
    return made


@pytest.fixture(scope="module")
def fleet(tenancy):
    return tenancy.fleet


@pytest.fixture(scope="module")
def host(fleet, tenancy):
    worker = fleet.workers[0]
    tenancy.person("eva")  # the host has the groups by now
    worker.sh(
        f"install -d -m 0750 -g acme-vision-viewer {VISION} {VISION}/results && "
        f"install -d -m 2770 -g acme-vision-editor {VISION}/drafts && "
        f"echo accuracy=0.9 > {VISION}/results/run-1 && chgrp acme-vision-viewer {VISION}/results/run-1 && chmod 0640 {VISION}/results/run-1 && "
        f"echo weights > {VISION}/drafts/model && chmod 0660 {VISION}/drafts/model && "
        f"install -d -m 2770 -g acme-vision {SHARED}/members && install -d -m 2770 -g acme {SHARED}/tenant && "
        f"echo token > {VISION}/results/secret && chgrp acme-vision-owner {VISION}/results/secret && chmod 0640 {VISION}/results/secret"
    )
    return worker


class Operator:
    """Somebody of the platform, with an SSH key."""

    def __init__(self, tenancy, name):
        self.tenancy, self.call = tenancy, tenancy.fleet.operator_call
        self.email = f"{name}@platform.example"
        self.ssh_key, line = client.keypair(tenancy.folder, f"operator-{name}")
        made = self.call("POST", "/v1/operators", {"email": self.email, "name": f"{name.capitalize()} Ops", "ssh_keys": [line]})
        self.id, self.path = made["id"], f"/v1/operators/{made['id']}"
        self.login, self.grant = f"op-{name}-acme", None

    def let_in(self, seconds=3600, **more):
        """Every host knows when it returns."""
        body = {"role": "impersonate", "tenant": "acme", "reason": REASON, "not_after": int(time.time()) + seconds, **more}
        self.grant = taken_in(self.call("POST", f"{self.path}/grants?wait={WAIT}", body), self.tenancy.hosts("acme"))["id"]
        return self

    def take_back(self):
        return taken_in(self.call("DELETE", f"{self.path}/grants/{self.grant}?wait={WAIT}"), self.tenancy.hosts("acme"))

    def names(self):
        """What each event about them says."""
        return {"TENANT_USER": self.login, "TENANT_OPERATOR": self.email, "TENANT_GRANT": self.grant, "TENANT_GRANT_REASON": REASON}

    def ssh(self, host, command="true", **how):
        return client.ssh(host, self.login, command, method="key", key=how.pop("key", self.ssh_key), **how)


@pytest.fixture
def operator(tenancy):
    return Operator(tenancy, f"jane{next(_number)}")


def at_work(host, operator):
    """A shell, and something that it leaves running."""
    shell = Shell(host, operator.login, operator.ssh_key)
    shell.stays = number()
    shell.run(f"(trap '' HUP; setsid -f nohup sleep {shell.stays}) >/dev/null 2>&1 </dev/null")
    assert sleeping(host, shell.stays), shell
    return shell


def is_gone(shell, said):
    """All that they ran, and they were told why."""
    assert shell.is_over(SECONDS), (shell, sessions(shell.host, shell.user))
    assert said in shell.text, shell
    assert shell.host.wait_until(lambda: not sleeping(shell.host, shell.stays)), processes(shell.host)


def uid_of(host, operator):
    return int(host.run("id", "-u", operator.login).out)


def nothing_runs(host, uid):
    assert host.wait_until(lambda: not [p for p in processes(host) if p[1] == uid], SECONDS), processes(host)


# ---- with a grant --------------------------------------------------------------------------------------------------------


def test_who_they_are(host, operator):
    operator.let_in()
    with Shell(host, operator.login, operator.ssh_key) as shell:
        assert shell.run("id -un") == operator.login
        assert set(shell.run("id -Gn").split()) == {operator.login, "acme-vision-viewer", "tenant-users"}
        assert shell.run("echo $TENANT/$TENANT_PROJECT as $TENANT_ROLE by $TENANT_GRANT") == f"acme/vision as viewer by {operator.grant}"
        said = shell.run("tenantctl whoami")
        assert operator.email in said and operator.grant in said, said


def test_they_read_what_viewers_read_and_write_nothing(host, operator):
    operator.let_in()
    with Shell(host, operator.login, operator.ssh_key) as shell:
        assert shell.run(f"cat {VISION}/results/run-1") == "accuracy=0.9"
        assert "run-1" in shell.run(f"ls {VISION}/results")
        before = host.sh(f"find {VISION} -type f -exec sha256sum {{}} + | sort; ls -lR {VISION}").out
        for attempt in (
            f"echo worse > {VISION}/results/run-1", f"echo worse >> {VISION}/results/run-1", f"touch {VISION}/results/new",
            f"rm -f {VISION}/results/run-1", f"mv {VISION}/results/run-1 {VISION}/results/run-2", f"mkdir {VISION}/new",
            f"truncate -s 0 {VISION}/results/run-1", f"chmod 0666 {VISION}/results/run-1", f"ln {VISION}/results/run-1 {VISION}/results/ln",
            f"sed -i s/9/1/ {VISION}/results/run-1", f"cat {VISION}/drafts/model", f"echo x > {VISION}/drafts/model", f"ls {VISION}/drafts",
            f"touch {VISION}/drafts/new", f"cat {VISION}/results/secret", "cat /etc/shadow", "echo x > /etc/motd", "ls /root",
            f"setsid -w sg acme-vision-editor 'touch {VISION}/drafts/new' </dev/null 2>&1",
            f"chgrp acme-vision-editor {VISION}/results/run-1", f"ls {SHARED}/members", f"ls {SHARED}/tenant",
            f"setsid -w sg acme-vision 'touch {SHARED}/members/new' </dev/null 2>&1",
            f"setsid -w sg acme 'touch {SHARED}/tenant/new' </dev/null 2>&1",
        ):  # fmt: skip
            said = shell.run(f"{attempt} >/dev/null && echo it-worked || echo it-did-not")
            assert said.endswith("it-did-not"), (attempt, said)
        assert host.sh(f"find {VISION} -type f -exec sha256sum {{}} + | sort; ls -lR {VISION}").out == before


def test_what_all_members_share_is_not_theirs(host, tenancy, operator):
    """A member of the tenant's own writes there: it is the groups that refuse the operator."""
    operator.let_in()
    for group in ("acme", "acme-vision"):
        assert operator.login not in host.run("getent", "group", group).out, group
    assert operator.login in host.run("getent", "group", "acme-vision-viewer").out.strip().split(":")[3].split(",")
    editor = tenancy.person("elsa")
    for folder in ("members", "tenant"):
        assert client.ssh(host, editor.login, f"touch {SHARED}/{folder}/hers", secret=editor.secret).code == 0
        refused = operator.ssh(host, f"touch {SHARED}/{folder}/theirs")
        assert refused.code != 0 and "Permission denied" in refused.text, refused
        assert host.sh(f"ls {SHARED}/{folder}").out.split() == ["hers"]


def test_never_sudo(host, operator):
    """The host's rules name the role that they have; it is none of theirs."""
    operator.let_in()
    events = Events(host)
    with Shell(host, operator.login, operator.ssh_key) as shell:
        for command in ("sudo -n true", "sudo -n -u root id", "sudo -n -l", "sudo -n -s true", "sudo -n -u nobody true"):
            said = shell.run(f"{command} && echo it-worked || echo it-did-not")
            assert said.endswith("it-did-not") and "uid=0" not in said, (command, said)
        # On a terminal, with something to say at the prompt.
        shell.send("sudo id")
        assert shell.said("API key"), shell
        shell.send("whatever")
        assert shell.said("API key"), shell  # once more
        shell.child.sendintr()
        assert shell.alive() and "uid=0" not in shell.text, shell
        # And as somebody else, by what they do not know.
        assert shell.run("setsid -w su - root -c id </dev/null 2>/dev/null | head -1") == ""
    assert "tenant-sudo" not in host.run("id", "-Gn", operator.login).out
    assert not events.of("privilege-allowed")
    denied = events.of("privilege-denied", TENANT_USER=operator.login)
    for event in denied:
        assert operator.names().items() <= event.items(), event


def test_named_projects(host, fleet, operator, tenancy):
    """Of a project that the grant does not name they have nothing."""
    other = fleet.operator_call("POST", "/v1/tenants/acme/projects", {"slug": "other"})["id"]
    try:
        operator.let_in(projects=["other"])
        login = operator.ssh(host)
        assert not login.allowed, login  # nothing of theirs is served here
        operator.take_back()
        operator.let_in(projects=["vision"])
        groups = operator.ssh(host, "id -Gn").text.split()
        assert "acme-vision-viewer" in groups and "acme-other-viewer" not in groups, groups
    finally:
        fleet.operator_call("DELETE", f"/v1/tenants/acme/projects/{other}", headers={"If-Match": "*"})


def test_every_event_names_both(host, tenancy, operator):
    person, events = tenancy.person("ina"), Events(host)
    operator.let_in()
    assert operator.ssh(host).code == 0
    assert host.wait_until(lambda: events.of("session-closed", TENANT_USER=operator.login, TENANT_SERVICE="sshd"))
    (granted,) = events.of("directory-changed", TENANT_RECORD_KIND="grant", TENANT_RECORD_ID=operator.grant)
    found = [granted]
    for kind in ("login-allowed", "session-opened", "session-closed"):
        (event,) = events.of(kind, TENANT_USER=operator.login, TENANT_SERVICE="sshd")
        found.append(event)
    for event in found:
        assert operator.names().items() <= event.items(), event
        assert f'"operator":"{operator.email}"' in event["OCSF"] and f'"grant":"{operator.grant}"' in event["OCSF"], event
        assert operator.email in event["MESSAGE"] and operator.login in event["MESSAGE"], event
    # And of nobody else.
    assert client.ssh(host, person.login, method="key", key=person.ssh_key).code == 0
    others = [e for e in host.journal(after=events.mark) if e.get("TENANT_USER") == person.login]
    assert others and not [e for e in others if "TENANT_OPERATOR" in e or "TENANT_GRANT" in e], others
    assert {e["TENANT_USER"] for e in host.journal(after=events.mark, TENANT_GRANT=operator.grant)} == {operator.login}


def test_their_sessions_say_so(host, fleet, operator):
    operator.let_in()
    with Shell(host, operator.login, operator.ssh_key):
        (one,) = sessions(host, operator.login, service="sshd")
        assert (one["operator"], one["grant"], one["role"]) == (operator.email, operator.grant, "viewer"), one

        def reported():
            listed = fleet.operator_call("GET", f"/v1/tenants/acme/sessions?user={operator.login}")["items"]
            return [(s["operator"], s["grant"]) for s in listed if s["service"] == "sshd"] == [(operator.email, operator.grant)]

        assert host.wait_until(reported, SECONDS), "the control plane does not know"


# ---- without -------------------------------------------------------------------------------------------------------------


def refused(host, operator, **how):
    events = Events(host)
    login = operator.ssh(host, **how)
    assert not login.allowed, login
    assert not events.of("login-allowed") and not events.of("session-opened")
    return login


def test_taken_back(host, operator):
    operator.let_in()
    uid = uid_of(host, operator)
    shell, events = at_work(host, operator), Events(host)
    operator.take_back()
    is_gone(shell, "grant")
    nothing_runs(host, uid)
    ending = events.of("session-ending", TENANT_USER=operator.login)
    assert ending and {e["TENANT_CAUSE"] for e in ending} == {"grant-ended"}, ending
    for event in ending + events.of("session-closed", TENANT_USER=operator.login):
        if "TENANT_SESSION" in event:
            assert operator.names().items() <= event.items(), event
    refused(host, operator)
    # The name stays, for what has its number; nobody is behind it.
    assert host.run("id", "-un", str(uid)).out.strip() == operator.login
    assert host.run("tenantctl", "ssh-keys", operator.login, check=False).out.strip() == ""
    # Again: the same account.
    operator.let_in()
    assert operator.ssh(host).code == 0 and uid_of(host, operator) == uid


def test_over(host, fleet, operator):
    """By the host's own clock: the control plane is away, and its clean-up does not come."""
    operator.let_in(seconds=6)
    until = time.time() + 6
    uid = uid_of(host, operator)
    shell, events = at_work(host, operator), Events(host)
    fleet.control.run("systemctl", "stop", "tenant-control.service")
    try:
        assert shell.alive(), shell
        is_gone(shell, "grant")
        assert -2 < time.time() - until < SECONDS
        nothing_runs(host, uid)
        ending = events.of("session-ending", TENANT_USER=operator.login)
        assert {e["TENANT_CAUSE"] for e in ending} == {"grant-ended"}, ending
        for event in ending:
            assert operator.names().items() <= event.items(), event
        mark = Events(host)
        refused(host, operator)
        (denied,) = mark.of("login-denied", TENANT_USER=operator.login)
        assert denied["TENANT_REASON"] == "grant-ended" and operator.names().items() <= denied.items(), denied
    finally:
        fleet.control.run("systemctl", "start", "tenant-control.service")
        fleet.operator = None
    assert host.wait_until(lambda: not [g for g in fleet.operator_call("GET", f"{operator.path}/grants")["items"]], 30)
    refused(host, operator)


def test_shown_out_by_the_tenant(host, fleet, tenancy, operator):
    owner = tenancy.person("olive", password=True)
    fleet.operator_call("PUT", f"/v1/tenants/acme/members/{owner.login}", {"role": "owner"})
    token = owner.sign_in()
    operator.let_in()
    shell = at_work(host, operator)
    listed = [i for i in fleet.call("GET", "/v1/tenants/acme/impersonations", token=token)["items"] if i["login"] == operator.login]
    assert [(i["operator_name"], i["reason"]) for i in listed] == [(operator.email, REASON)]
    taken_in(fleet.call("DELETE", f"/v1/tenants/acme/impersonations/{operator.grant}?wait={WAIT}", token=token), tenancy.hosts("acme"))
    is_gone(shell, "grant")
    refused(host, operator)
    said = {e["kind"]: e["data"] for e in fleet.call("GET", "/v1/tenants/acme/events?limit=50", token=token)["items"] if e["target"] == operator.grant}
    assert said["impersonation.begin"]["reason"] == REASON and said["impersonation.end"]["why"] == "shown-out", said


def test_operators_who_are_suspended(host, fleet, operator):
    operator.let_in()
    shell = at_work(host, operator)
    fleet.operator_call("PATCH", operator.path, {"status": "suspended"}, headers={"If-Match": "*"})
    is_gone(shell, "grant")
    refused(host, operator)


def test_operators_who_are_removed(host, fleet, operator):
    operator.let_in()
    uid, shell = uid_of(host, operator), at_work(host, operator)
    fleet.operator_call("DELETE", operator.path, headers={"If-Match": "*"})
    is_gone(shell, "")
    nothing_runs(host, uid)
    refused(host, operator)
    assert host.wait_until(lambda: host.run("id", operator.login, check=False).code != 0)


def test_another_key(host, fleet, tenancy, operator):
    """The operator's key was lost: what was opened with it ends, and the new one lets them in."""
    operator.let_in()
    shell = at_work(host, operator)
    private, line = client.keypair(tenancy.folder, f"{operator.login}-new")
    fleet.operator_call("PATCH", operator.path, {"ssh_keys": [line]}, headers={"If-Match": "*"})
    assert shell.is_over(SECONDS), shell
    refused(host, operator)
    assert operator.ssh(host, key=private).code == 0


def test_nobody_else_comes_in_their_place(host, tenancy, operator):
    """The tenant's own people, with all that they have; and no API key is the account's."""
    operator.let_in()
    person = tenancy.person("mallory", role="owner")
    assert not operator.ssh(host, key=person.ssh_key).allowed
    assert not client.ssh(host, operator.login, secret=person.secret).allowed
    answer = tenancy.fleet.operator_call("POST", "/v1/tenants/acme/keys", {"user": operator.login}, expect=(409,))
    assert "operator" in answer["detail"]
