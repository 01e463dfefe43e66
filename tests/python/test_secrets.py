# SPDX-License-Identifier: MIT
"""Secrets planted in a run are found in no log, core, environment, argument or file.

A real agent is shown keys, passwords and tokens in every way that a caller can think of, and then everything that it
wrote, keeps or shows is searched for them. The searches are tried on things that must be found, too."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
from live_agent import Key, LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="signing somebody in is root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]

ORIGIN = {"user": "alice", "service": "sshd", "source": "192.0.2.1", "terminal": "ssh"}


class Planted:
    """The secrets of one run. What is looked for is the part that nobody could guess."""

    def __init__(self):
        self.good = Key("usr_alice")
        self.revoked = Key("usr_alice", ", revoked: {at: 2026-01-02T00:00:00Z, reason: lost}")
        self.unknown = Key("usr_alice")
        self.misplaced = Key("usr_alice")  # written into the directory file by mistake
        self.password = "pass-" + os.urandom(16).hex()
        self.name = "typed-at-the-wrong-prompt-" + os.urandom(4).hex()
        self.token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0." + os.urandom(24).hex()

    def in_the_file(self):
        return {"a misplaced key": self.misplaced.secret}

    def needles(self):
        """What came by the socket."""
        return {
            "a good key": self.good.secret,
            "a revoked key": self.revoked.secret,
            "an unknown key": self.unknown.secret,
            "a password": self.password,
            "a password typed as a name": self.name,
            "a token": self.token.rsplit(".", 1)[1],
        }


def found(haystack, needles):
    """Which of them are in these bytes: as they are, or as JSON and shells would quote them, or cut in the middle."""
    names = []
    for name, needle in needles.items():
        plain = needle.encode()
        forms = [plain, plain.hex().encode(), needle.encode("utf-16-le"), plain[: len(plain) // 2]]
        if any(form in haystack for form in forms):
            names.append(name)
    return names


def drive(agent, planted):
    """Every door a secret can come in by, open or shut."""
    # A whole sign-in.
    connection = agent.connect()
    reply = connection.ask("Login", **ORIGIN)
    assert reply["step"] == "prompt", reply
    token = reply["login"]
    reply = connection.ask("Answer", login=token, text=planted.good.text)
    assert reply["step"] == "allowed", reply
    reply = connection.ask("Authorize", **ORIGIN, login=token)
    assert reply["decision"]["decision"] == "allowed", reply
    leader = subprocess.Popen(["sleep", "300"])
    reply = connection.ask("OpenSession", **ORIGIN, login=token, leader=leader.pid)
    assert "session" in reply, reply
    connection.close()
    # Wrong answers, each from elsewhere so that nobody has to wait.
    wrong = [planted.revoked.text, planted.unknown.text, planted.password, planted.token, planted.good.text[:-3]]
    for i, text in enumerate(wrong):
        connection = agent.connect()
        reply = connection.ask("Login", **{**ORIGIN, "source": f"198.51.100.{i}"})
        reply = connection.ask("Answer", login=reply["login"], text=text)
        assert reply["step"] in ("prompt", "denied"), reply
        assert not found(json.dumps(reply).encode(), planted.needles())
        connection.close()
    # Local services.
    connection = agent.connect()
    for i, text in enumerate([planted.good.text, *wrong]):
        reply = connection.ask("VerifyCredential", credential=text, service="mlflow", source=f"203.0.113.{i}")
        assert "decision" in reply, reply
        assert not found(json.dumps(reply).encode(), planted.needles())
    wanted = {"project": "acme/vision", "action": "model.deploy"}
    reply = connection.ask("VerifyCredential", credential=planted.good.text, **wanted)
    assert reply["decision"]["decision"] == "allowed", reply
    # Where a secret has no business: as a name, in a field of another type, in an unknown field, as a login.
    connection.ask("Login", user=planted.name, service="login")
    connection.ask("Answer", login=planted.password, text=planted.good.text)
    connection.ask("Answer", login=7, text=planted.good.text)
    connection.ask("VerifyCredential", credential=[planted.good.text])
    connection.ask("VerifyCredential", credential=planted.good.text, secret=planted.password)
    connection.ask("VerifyCredential", credential=planted.good.text, project=7)
    connection.ask("CloseSession", session=planted.password)
    connection.close()
    # Messages that are no messages.
    for raw in [
        b'{"method":"io.tenantd.Agent.VerifyCredential","parameters":{"credential":"%s"' % planted.good.text.encode(),
        b'{"method":"io.tenantd.Agent.Answer","parameters":{"login":"x","text":"%s",}}\0' % planted.good.text.encode(),
        b'{"method":"io.tenantd.Agent.Answer","parameters":{"text":"%s","text":"%s"}}\0'
        % (planted.good.text.encode(), planted.password.encode()),
        b"%s\0" % planted.password.encode(),
        b'{"method":"%s"}\0' % planted.password.encode(),
    ]:
        connection = agent.connect()
        connection.send(raw)
        connection.socket.settimeout(1)
        try:
            connection.receive()
        except (OSError, ValueError):
            pass
        connection.close()
    # A large one, in pieces, cut off in the middle.
    connection = agent.connect()
    opening = b'{"method":"io.tenantd.Agent.Answer","parameters":{"text":"'
    connection.send(opening + planted.good.text.encode() + b" " * 20000)
    time.sleep(0.1)
    connection.close()
    # The operator writes the key itself where its verifier belongs, and in places that are none, and then mends it.
    connection = agent.connect()
    key = planted.misplaced
    right = key.record
    for key.record in (
        re.sub("'sha256:[0-9a-f]*'", f"'{key.text}'", right),
        re.sub("label: test", f"label: test, {key.text}: yes", right),
        re.sub("id: key_[^,]*", f"id: {key.text}", right),
        re.sub("user: usr_alice", f"user: {key.text}", right),
        re.sub("user: usr_alice", f"user: usr_alice, successor: {key.text}", right),
        re.sub("created: [^,}]*", f"created: {key.text}", right),
        f"  - {key.text}\n",
        f"  {key.text}: [\n",
    ):
        agent.write_directory([key])
        assert connection.ask("Reload") == "io.tenantd.Agent.ReloadFailed"
        agent.problems.append(json.dumps(connection.ask("Status")))
    agent.write_directory([planted.good])
    assert "changed" in connection.ask("Reload")
    connection.close()
    # The delayed answers are out, and the connections' ends are seen.
    time.sleep(1)
    connection = agent.connect()
    connection.ask("Status")
    connection.close()
    leader.kill()
    leader.wait()
    time.sleep(0.2)


@pytest.fixture(scope="module")
def planted():
    return Planted()


@pytest.fixture(scope="module")
def agent(tmp_path_factory, planted):
    made = LiveAgent(tmp_path_factory.mktemp("agent"), [planted.good, planted.revoked], padding=70000)
    made.problems = []  # what Status said of the directory, each time it did not load
    drive(made, planted)
    yield made
    made.stop()


def proc(agent, name):
    return pathlib.Path(f"/proc/{agent.process.pid}/{name}").read_bytes()


def test_the_search_finds_what_is_there(planted, tmp_path):
    """On a process that is careless with each of them."""
    needles = planted.needles()
    assert found(b"x" + planted.good.text.encode() + b"y", needles) == ["a good key"]
    assert found(json.dumps({"t": planted.password}).encode(), needles) == ["a password"]
    assert found(planted.password.encode().hex().encode(), needles) == ["a password"]
    assert found(planted.unknown.text[:50].encode(), needles) == ["an unknown key"]
    assert found(b"nothing of the kind", needles) == []
    careless = "import sys, time; held = sys.stdin.readline(); print('ready', flush=True); time.sleep(60)"
    held = subprocess.Popen(
        [sys.executable, "-c", careless],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        held.stdin.write(planted.good.text + "\n")
        held.stdin.flush()
        assert held.stdout.readline() == "ready\n"

        class Careless:
            process = held

        assert "a good key" in found(LiveAgent.memory(Careless), needles)
    finally:
        held.kill()
        held.wait()


def test_the_run_left_traces(agent, planted):
    """Else the other tests would look at nothing."""
    journal = b"\n".join(agent.entries)
    assert agent.process.poll() is None
    assert planted.good.public.encode() in journal  # the public part names the key
    assert planted.unknown.public.encode() in journal
    assert b"TENANTD_EVENT=login-allowed" in journal
    assert b"TENANTD_EVENT=session-opened" in journal
    assert b"TENANTD_EVENT=key-refused" in journal
    assert b"TENANT_CREDENTIAL=password" in journal
    assert b"TENANTD_EVENT=directory-refused" in journal
    assert planted.good.public.encode() in agent.memory()
    assert (agent.folder / "run" / "nss.map").stat().st_size > 0
    assert any((agent.folder / "state").iterdir())  # the directory's compiled form


def test_no_log(agent, planted):
    needles = {**planted.needles(), **planted.in_the_file()}
    assert found(b"\n".join(agent.entries), needles) == []
    assert found(agent.log.read_bytes(), needles) == []
    assert agent.problems
    assert found("\n".join(agent.problems).encode(), needles) == []


def test_no_file(agent, planted):
    looked = 0
    for path in agent.folder.rglob("*"):
        if path.is_file():
            looked += 1
            assert found(path.read_bytes(), {**planted.needles(), **planted.in_the_file()}) == [], path
    assert looked >= 5
    for path in pathlib.Path("/tmp").glob("*tenantd*"):
        if path.is_file():
            assert found(path.read_bytes(), planted.needles()) == [], path


def test_no_argument_and_no_environment(agent, planted):
    assert b"tenantd" in proc(agent, "cmdline")
    assert found(proc(agent, "cmdline"), planted.needles()) == []
    assert found(proc(agent, "environ"), planted.needles()) == []
    assert found(proc(agent, "comm"), planted.needles()) == []


def test_no_memory(agent, planted):
    """Once a call is over no copy is left, neither on a stack nor in what was freed."""
    assert found(agent.memory(), planted.needles()) == []


def test_no_core(tmp_path, planted):
    """The kernel writes none, whatever becomes of the process."""
    dying = LiveAgent(tmp_path, [planted.good])
    try:
        limits = proc(dying, "limits").decode()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        connection = dying.connect()
        login = connection.ask("Login", **ORIGIN)["login"]
        connection.ask("Answer", login=login, text=planted.good.text)
        os.kill(dying.process.pid, signal.SIGSEGV)
        _, status = os.waitpid(dying.process.pid, 0)
        assert os.WIFSIGNALED(status)
        assert not os.WCOREDUMP(status)
        dying.process.returncode = -signal.SIGSEGV
    finally:
        dying.stop()


def test_nobody_may_look_into_it(agent):
    """Not dumpable: of its own uid, too, nobody may trace it or read its memory (files of /proc are root's)."""
    status = proc(agent, "status").decode()
    assert "TracerPid:\t0" in status
    # Of a dumpable process of uid 65534 the files are 65534's; here root runs it, so the flag itself is asked for.
    code = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(0 if libc.ptrace(16, %d, 0, 0) == -1 else 1)\n" % agent.process.pid
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
