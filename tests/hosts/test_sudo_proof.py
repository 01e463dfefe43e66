# SPDX-License-Identifier: MIT
"""What sudo asks for, on a real host: real sudo in real terminals, by each of a tenant's policies."""
import json
import re

import pexpect
import pytest

from hostlib import client, machine, rootfs
from hostlib.world import World

ASKED = re.compile(r"API key[^\r\n]*: $")
PLAIN = ("PS1='$ ' PROMPT_COMMAND= exec bash --norc --noprofile --noediting -i",)


class Shell:
    """A person's shell in a terminal, which this file types at."""

    count = 0

    def __init__(self, argv, secret=None):
        self.child = client.spawn(argv)
        self.secret = secret
        if secret:
            assert self.child.expect([client.PROMPT, pexpect.EOF, pexpect.TIMEOUT], timeout=20) == 0, self.child.before
            self.child.sendline(secret)
        self.run("true")

    @classmethod
    def ssh(cls, host, user, key=None, secret=None, options=()):
        method = "key" if key else "keyboard-interactive"
        return cls(client._argv(host, user, PLAIN[0], method, key, None, True, options), secret)

    def start(self, line):
        """Types a line; the mark of its end is not in what is echoed."""
        Shell.count += 1
        self.mark = f"end-{Shell.count}-"
        self.child.sendline(f"{line}; echo end-''{Shell.count}-$?.")

    def finish(self, timeout=20):
        """Waits for its end: (exit status, what it printed)."""
        which = self.child.expect([re.escape(self.mark) + r"(\d+)\.", pexpect.EOF, pexpect.TIMEOUT], timeout=timeout)
        assert which == 0, self.child.before
        return int(self.child.match.group(1)), self.child.before

    def run(self, line):
        self.start(line)
        return self.finish()

    def asked(self, line, secret=None):
        """Runs it: was a credential asked for? Which is then `secret`, or Ctrl-C."""
        self.start(line)
        which = self.child.expect([ASKED, re.escape(self.mark) + r"(\d+)\.", pexpect.EOF, pexpect.TIMEOUT], timeout=20)
        assert which in (0, 1), self.child.before
        if which == 1:
            assert int(self.child.match.group(1)) == 0, self.child.before
            return False
        if secret:
            self.child.sendline(secret)
        else:
            self.child.sendintr()
        code, text = self.finish(40)
        assert (code == 0) == bool(secret), text
        return True

    def close(self):
        self.child.close(force=True)


@pytest.fixture(scope="module")
def host(keys_folder):
    made = machine.Machine("worker-8", layers=[rootfs.layer("tmux", ["tmux"])]).boot()
    try:
        made.world = World(keys_folder)
        made.world.local_accounts(made)
        made.install()
        yield made
    finally:
        made.close()


@pytest.fixture
def policy(host):
    """Sets acme's; the first one is none at all."""
    def put(text):
        directory = host.world.directory().replace("    slug: acme\n", f"    slug: acme\n    {text}\n" if text else
                                                   "    slug: acme\n", 1)
        host.write("/etc/tenantd/directory.yaml", directory, 0o640, "root:tenantd")
        host.run("tenantctl", "reload")
    put("")
    yield put


@pytest.fixture
def olivia(host, policy):
    return host.world.olivia


@pytest.fixture
def shells():
    made = []

    def make(*args, **kwargs):
        made.append(Shell.ssh(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


RECENT = "sudo: {proof: recent, within: 10min}"


def test_always_is_what_there_is_without_a_word(host, olivia, shells):
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert shell.asked("sudo id -u", olivia.secret)
    assert shell.asked("sudo id -u", olivia.secret)  # sudo's own tickets stand in front of nothing
    assert shell.run("sudo -n id -u")[0] != 0


def test_none_asks_nobody_and_gives_no_right(host, policy, olivia, shells):
    policy("sudo: {proof: none}")
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert not shell.asked("sudo -k; sudo id -u")
    assert client.ssh(host, "olivia", "sudo -n id -u", method="key", key=olivia.ssh_key).code == 0  # no terminal
    assert client.ssh(host, "alice", "sudo -n id -u", method="key", key=host.world.alice.ssh_key).code != 0
    # A key that is not for sudo was not used here: the right is the person's.
    assert client.ssh(host, "simon", "sudo -n id -u", method="key", key=host.world.simon.ssh_key).code == 0


def test_a_recent_sign_in_is_enough_at_its_terminal(host, policy, olivia, shells):
    policy(RECENT)
    mark = host.cursor()
    first = shells(host, "olivia", secret=olivia.secret)
    assert not first.asked("sudo id -u")
    assert not first.asked("sudo -k; sudo id -u")  # sudo has nothing to forget
    assert first.run("sudo -n id -u")[0] == 0
    [event, *_] = host.journal(after=mark, SYSLOG_IDENTIFIER="tenantd", TENANTD_EVENT="privilege-allowed")
    assert event["TENANT_CREDENTIAL"] == f"recent:api-key:{olivia.key.id}"
    assert not shells(host, "olivia", key=olivia.ssh_key).asked("sudo id -u")  # by an SSH key as well


def test_each_terminal_has_its_own_proofs(host, policy, olivia, shells):
    policy(RECENT)
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert not shell.asked("sudo id -u")
    # One that a program opened for itself, in the same session: it asks, and then knows.
    shell.start("script -qc 'bash --norc --noprofile --noediting -i' /dev/null")
    shell.run("true")
    assert shell.asked("sudo id -u", olivia.secret)
    assert not shell.asked("sudo id -u")
    shell.child.sendline("exit")
    # The next one may get the same number, and none of its proofs.
    shell.start("script -qc 'bash --norc --noprofile --noediting -i' /dev/null")
    shell.run("true")
    assert shell.asked("sudo id -u")


def test_two_terminals_of_one_connection(host, policy, olivia, shells, tmp_path):
    """ssh's ControlMaster: one sign-in, which was at one of them."""
    policy(RECENT)
    control = ["ControlMaster=auto", f"ControlPath={tmp_path}/control", "ControlPersist=no"]
    first = shells(host, "olivia", key=olivia.ssh_key, options=control)
    second = shells(host, "olivia", key=olivia.ssh_key, options=control)
    assert not first.asked("sudo id -u")
    assert second.asked("sudo id -u")
    assert not first.asked("sudo id -u")
    assert second.asked("sudo id -u", olivia.secret)
    assert not second.asked("sudo id -u")


def test_tmux_asks_in_each_of_its_panes(host, policy, olivia, shells):
    policy(RECENT)
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert not shell.asked("sudo id -u")
    run = "tmux -L t -f /dev/null"
    assert shell.run(f"export TMUX_TMPDIR=$HOME; {run} new-session -d -x 200 -y 50 bash --norc --noprofile -i")[0] == 0

    def pane(line, text, pane=0):
        shell.run(f"{run} send-keys -t {pane} '{line}' Enter")
        return host.wait_until(lambda: text in shell.run(f"{run} capture-pane -p -t {pane}")[1], 15)

    assert pane("clear; sudo echo to-''be-root", "API key")
    shell.run(f"{run} send-keys -t 0 C-c")
    # Its server is a daemon by now; its session is known by the scope all the same, and what is proven there counts.
    assert pane("clear; sudo echo to-''be-root", "API key")
    shell.run(f"{run} send-keys -t 0 -l '{olivia.secret}'; {run} send-keys -t 0 Enter")
    assert host.wait_until(lambda: "to-be-root" in shell.run(f"{run} capture-pane -p -t 0")[1], 15)
    assert pane("clear; sudo echo again-''root", "again-root")
    shell.run(f"{run} kill-server")
    assert not shell.asked("sudo id -u")


def test_where_nothing_is_clear_it_asks(host, policy, olivia, shells):
    policy(RECENT)
    # Without a terminal.
    assert client.ssh(host, "olivia", "sudo -n id -u", method="key", key=olivia.ssh_key).code != 0
    # A process that nobody signed in for.
    assert host.run("setpriv", f"--reuid={olivia.uid}", f"--regid={olivia.uid}", "--init-groups", "sudo", "-n", "id",
                    check=False).code != 0
    # The service manager's, beside a session.
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert not shell.asked("sudo id -u")
    code, text = shell.run("export XDG_RUNTIME_DIR=/run/user/$(id -u); "
                           "systemd-run --user --wait --pipe --quiet sudo -n id -u")
    assert code != 0, text
    # A shell within su, though it is the same person.
    shell.start("su olivia")
    assert shell.child.expect([ASKED, pexpect.EOF, pexpect.TIMEOUT], timeout=20) == 0
    shell.child.sendline(olivia.secret)
    shell.run("true")
    assert shell.asked("sudo id -u")


def test_another_persons_session_lends_nothing(host, policy, olivia, shells):
    policy(RECENT)
    shell = shells(host, "alice", key=host.world.alice.ssh_key)
    shell.start("su olivia")
    assert shell.child.expect([ASKED, pexpect.EOF, pexpect.TIMEOUT], timeout=20) == 0
    shell.child.sendline(olivia.secret)
    shell.run("true")
    assert shell.asked("sudo id -u", olivia.secret)
    assert shell.asked("sudo id -u")


def test_proofs_outlive_the_agent(host, policy, olivia, shells):
    policy(RECENT)
    first = shells(host, "olivia", key=olivia.ssh_key)
    second = shells(host, "olivia", key=olivia.ssh_key)
    assert not first.asked("sudo id -u")
    host.run("systemctl", "restart", "tenantd")
    assert not first.asked("sudo id -u")
    assert not second.asked("sudo id -u")
    # Where they are kept nobody but the agent writes, or reads.
    assert first.run("cat /run/tenantd/sessions/*")[0] != 0
    assert host.run("stat", "-c", "%U %a", "/run/tenantd/sessions").out.strip() == "tenantd 700"


def forget_the_sign_in(host):
    """Of olivia's one session."""
    # The wall clock has no say in it, and the state of the agent is what it is: made older, as a minute would.
    [session] = [s for s in json.loads(host.run("tenantctl", "sessions", "--json").out)["sessions"]
                 if s["user"] == "olivia" and s["service"] == "sshd"]
    path = f"/run/tenantd/sessions/{session['session']}.json"
    host.run("systemctl", "stop", "tenantd.service", "tenantd.socket")
    state = json.loads(host.run("cat", path).out)
    state["sign_in"]["at"] -= 61_000_000
    host.write(path, json.dumps(state), 0o600, "tenantd:tenantd")
    host.run("systemctl", "start", "tenantd.socket", "tenantd.service")


def test_a_proof_grows_old(host, policy, olivia, shells):
    policy("sudo: {proof: recent, within: 1min}")
    shell = shells(host, "olivia", key=olivia.ssh_key)
    assert not shell.asked("sudo id -u")
    forget_the_sign_in(host)
    assert shell.asked("sudo id -u", olivia.secret)
    assert not shell.asked("sudo id -u")


def test_a_revoked_key_proves_nothing_more(host, policy, olivia, shells):
    """In a session that goes on: what the key itself opened, ends."""
    minute = "sudo: {proof: recent, within: 1min}"
    policy(minute)
    shell = shells(host, "olivia", key=olivia.ssh_key)
    forget_the_sign_in(host)
    assert shell.asked("sudo id -u", olivia.secret)
    assert not shell.asked("sudo id -u")
    kept = olivia.key_fields
    olivia.key_fields = {**kept, "revoked": "{at: 2026-01-01T00:00:00Z, reason: lost laptop}"}
    try:
        policy(minute)
        assert shell.asked("sudo id -u")
    finally:
        olivia.key_fields = kept
    policy(minute)
    assert not shell.asked("sudo id -u")


def test_codes_are_no_proof(host, policy, olivia, shells):
    policy(RECENT)
    made = client.ssh(host, "olivia", "tenantctl code", method="key", key=olivia.ssh_key)
    code = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", made.text).group()
    shell = shells(host, "olivia", secret=code.lower())
    assert shell.asked("sudo id -u")
    status, text = shell.run("tenantctl code")
    assert status == 1 and "began with a one-time code" in text
    # And sudo takes none.
    other = shells(host, "olivia", key=olivia.ssh_key)
    policy("")
    code = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", other.run("tenantctl code")[1]).group()
    other.start("sudo id -u")
    assert other.child.expect([ASKED, pexpect.TIMEOUT], timeout=20) == 0
    other.child.sendline(code)
    assert other.child.expect(["do not prove anything to sudo", pexpect.TIMEOUT], timeout=20) == 0
    assert other.child.expect([ASKED, pexpect.TIMEOUT], timeout=20) == 0
    other.child.sendintr()
    other.finish(40)
