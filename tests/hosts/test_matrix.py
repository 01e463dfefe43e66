# SPDX-License-Identifier: MIT
"""Every way in × everybody × every state of the agent.

The expectations are written down as a table and not computed. Each cell is a word:
    in       signed in
    out      refused, and told why: somebody decided no
    broken   refused, and told that nobody could decide
    -        does not apply
"""
import time

import pytest

from hostlib import client, machine

WAYS = ("ssh-keyboard-interactive", "ssh-password", "ssh-key", "su", "sudo", "login", "cron")

# Who:
#   right         alice, editor of the project that the host serves (for sudo: olivia, its owner)
#   wrong-role    vera, viewer (for sudo: alice, who may sign in but not become root)
#   wrong-key     alice with a key that nobody has; ssh-key: with an SSH key that is not hers
#   other-tenant  gina, owner of a project of a tenant that this host does not serve
#   unknown       nobody knows this name
#   local         an account of the host itself
#   root
PEOPLE = ("right", "wrong-role", "wrong-key", "other-tenant", "unknown", "local", "root")

UP = {
    #                            right  wrong-role wrong-key other-tenant unknown local  root
    "ssh-keyboard-interactive": ("in",  "out",     "out",    "out",       "out",  "out", "out"),
    "ssh-password":             ("in",  "out",     "out",    "out",       "out",  "in",  "out"),
    "ssh-key":                  ("in",  "out",     "out",    "out",       "out",  "in",  "in"),
    "su":                       ("in",  "out",     "out",    "out",       "out",  "in",  "in"),
    "sudo":                     ("in",  "out",     "out",    "-",         "-",    "in",  "in"),
    "login":                    ("in",  "out",     "out",    "out",       "out",  "in",  "in"),
    "cron":                     ("in",  "out",     "-",      "out",       "-",    "in",  "in"),
}
# (root by password over ssh is refused by Debian's PermitRootLogin prohibit-password, and local accounts by
# keyboard-interactive by Debian's KbdInteractiveAuthentication no, with or without us.)

STOPPED = {
    "ssh-keyboard-interactive": ("broken", "broken", "broken", "broken", "out", "out", "out"),
    "ssh-password":             ("broken", "broken", "broken", "broken", "out", "in", "out"),
    "ssh-key":                  ("broken", "broken", "broken", "broken", "out", "in", "in"),
    "su":                       ("broken", "broken", "broken", "broken", "out", "in", "in"),
    "sudo":                     ("broken", "broken", "broken", "-",      "-",   "in", "in"),
    "login":                    ("broken", "broken", "broken", "broken", "out", "in", "in"),
    "cron":                     ("broken", "broken", "-",      "broken", "-",   "in", "in"),
}

# A directory that does not load: the last good one stays in force, so nothing changes for anybody.
DIRECTORY_BROKEN = UP

# SIGKILL while the person types: this attempt is lost, and says so. Ways without typing find the agent again,
# because systemd holds its socket; and sudo asks a second time by itself.
KILLED = {
    "ssh-keyboard-interactive": ("broken", "broken", "broken", "broken", "out", "out", "out"),
    "ssh-password":             ("in",     "out",    "out",    "out",    "out", "in", "out"),
    "ssh-key":                  ("in",     "out",    "out",    "out",    "out", "in", "in"),
    "su":                       ("broken", "broken", "broken", "broken", "out", "in", "in"),
    "sudo":                     ("in",     "broken", "broken", "-",      "-",   "in", "in"),
    "login":                    ("broken", "broken", "broken", "broken", "out", "in", "in"),
    "cron":                     ("in",     "out",    "-",      "out",    "-",   "in", "in"),
}

STATES = {"up": UP, "stopped": STOPPED, "killed": KILLED, "directory-broken": DIRECTORY_BROKEN}

UNITS = ("tenantd.socket", "tenantd-userdb.socket", "tenantd.service")
MARK = "let-in-here"


def kill_agent(host):
    host.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "tenantd.service", check=False)


@pytest.fixture(scope="module", autouse=True)
def _no_pause(host):
    """The three seconds that Debian's login waits after a refusal say nothing here, and there are many."""
    host.sh("cp -a /etc/pam.d/login /root/pam-login; sed -i 's/delay=3000000/delay=0/' /etc/pam.d/login; "
            "! cmp -s /root/pam-login /etc/pam.d/login")
    yield
    host.sh("mv /root/pam-login /etc/pam.d/login")


@pytest.fixture(scope="module", params=list(STATES))
def state(request, host, world):
    """Puts the host into one state for all tests of it."""
    if request.param == "stopped":
        host.run("systemctl", "stop", *UNITS)
    elif request.param == "directory-broken":
        host.write("/etc/tenantd/directory.yaml", world.directory() + "userz: [\n", 0o640, "root:tenantd")
        assert host.run("tenantctl", "reload", check=False).code != 0
    yield request.param
    host.run("systemctl", "start", "tenantd.socket", "tenantd.service")
    world.write(host)


@pytest.fixture(scope="module")
def cron_ran(host, world, state):
    """Who of them cron ran a job for: the crontabs of all, started at once by a restart of cron (@reboot)."""
    names = ("alice", "vera", "gina", "local1", "root")
    host.sh("rm -f /run/crond.reboot /tmp/cron-*; mkdir -p /var/spool/cron/crontabs")
    for name in names:
        host.write(f"/var/spool/cron/crontabs/{name}", f"@reboot touch /tmp/cron-{name}\n", 0o600, f"{name}:crontab")
    mark = host.cursor()
    if state == "killed":
        kill_agent(host)
    host.run("systemctl", "restart", "cron.service")

    def ran(name):
        return host.run("test", "-e", f"/tmp/cron-{name}", check=False).code == 0

    assert host.wait_until(lambda: ran("root") and ran("local1"), 20), host.journal_text(after=mark)
    time.sleep(1.5)
    result = {name: ran(name) for name in names}
    said = {name: complaint(host, mark, name) for name in names}
    host.sh("rm -f /var/spool/cron/crontabs/*; systemctl restart cron.service")
    return {name: "in" if result[name] else said[name] for name in names}


def complaint(host, mark, user, text=""):
    """Refused: by a decision, or because there was none? From what was said and what the journal has."""
    entries = host.journal(after=mark)
    said = text + "\n".join(str(e.get("MESSAGE", "")) for e in entries)
    # The module's word for it, and the exit status by which AuthorizedKeysCommand tells it to sshd.
    if "cannot decide" in said or "tenantd-ssh-keys " in said and "failed, status 3" in said:
        return "broken"
    return "out"


def as_user(user, *argv):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", *argv]


def attempt(host, world, way, who, state):
    """Tries it; gives the terminal's text and whether it worked."""
    killer = (lambda: kill_agent(host)) if state == "killed" else None
    person = {"right": world.alice, "wrong-role": world.vera, "wrong-key": world.alice,
              "other-tenant": world.gina}.get(who)
    secret = world.wrong if who == "wrong-key" else person.secret if person else None
    name = person.login if person else {"unknown": "nobodyhere", "local": "local1", "root": "root"}[who]
    if not person:
        secret = {"unknown": world.alice.secret, "local": world_password("local"), "root": world_password("root")}[who]

    if way in ("ssh-keyboard-interactive", "ssh-password"):
        if way == "ssh-password" and killer:
            killer()
        login = client.ssh(host, name, f"echo {MARK}", method=way.removeprefix("ssh-"), secret=secret,
                           at_prompt=killer if way != "ssh-password" else None)
    elif way == "ssh-key":
        if killer:
            killer()
        key = {"right": world.alice.ssh_key, "wrong-key": world.gina.ssh_key, "local": world.local_key,
               "root": world.root_key}.get(who) or (person.ssh_key if person else world.alice.ssh_key)
        login = client.ssh(host, name, f"echo {MARK}", method="key", key=key)
    elif way == "su":
        login = client.on_console(host, as_user("local1", "su", "-", name, "-c", f"echo {MARK}"), secret,
                                  at_prompt=killer)
    elif way == "sudo":
        actor = {"right": "olivia", "wrong-role": "alice", "wrong-key": "olivia"}.get(who, name)
        if person and who != "wrong-key":
            secret = getattr(world, actor).secret
        login = client.on_console(host, as_user(actor, "sudo", "-k", "echo", MARK), secret, at_prompt=killer)
    elif way == "login":
        login = client.on_console(host, ["login", name], secret, answers=[(r"[$#] $", f"echo {MARK[:6]}''{MARK[6:]}; exit")],
                                  at_prompt=killer)
    return login, MARK in login.text


def world_password(who):
    from hostlib import world
    return world.LOCAL_PASSWORD if who == "local" else world.ROOT_PASSWORD


CELLS = [(way, who) for way in WAYS for who in PEOPLE if UP[way][PEOPLE.index(who)] != "-"]


@pytest.mark.parametrize("way,who", CELLS, ids=[f"{way}-{who}" for way, who in CELLS])
def test_matrix(host, world, state, way, who, request):
    expected = STATES[state][way][PEOPLE.index(who)]
    if way == "cron":
        name = {"right": "alice", "wrong-role": "vera", "other-tenant": "gina", "local": "local1", "root": "root"}[who]
        assert request.getfixturevalue("cron_ran")[name] == expected
        return
    if state != "stopped":
        host.run("systemctl", "start", "tenantd.service")
    host.run("systemctl", "start", "ssh.service")
    mark = host.cursor()
    login, got_in = attempt(host, world, way, who, state)
    outcome = "in" if got_in else complaint(host, mark, who, login.text)
    assert outcome == expected, f"{login!r}\n{host.journal_text(after=mark)}"
    # A wrong key several times over slows the person down; that is another test's subject.
    if state == "up" and expected == "out" and who == "wrong-key":
        host.run("systemctl", "restart", "tenantd.service")
