# SPDX-License-Identifier: MIT
"""Signing in from outside, as a person would: the real ssh, with a terminal that this file types at."""
import os
import pathlib
import re
import shlex
import subprocess
import time

import pexpect

from . import namespaces, networks

LOGIN_SECONDS = 30
# What a prompt of ours or of the host's own looks like: anything that ends in a colon, hidden or not.
PROMPT = re.compile(r"(?:^|[\r\n])([^\r\n]*(?:API key|[Pp]assword|PIN)[^\r\n]*:) ?$")


class Login:
    """How an attempt went. `code` is ssh's exit status: 255 when nobody was let in, 254 (sshd's own) when the session
    was refused."""

    def __init__(self, argv):
        self.argv, self.code, self.prompts, self.text = argv, None, [], ""

    @property
    def allowed(self):
        return self.code is not None and self.code not in (254, 255)

    def __repr__(self):
        return f"{' '.join(map(str, self.argv))}: exit status {self.code}, prompts {self.prompts}\n{self.text}"


def keypair(folder, name):
    """An SSH key of its own for `name`: (private file, public line). Made once a run."""
    path = pathlib.Path(folder) / f"ssh-{name}"
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path, path.with_suffix(".pub").read_text().strip()


def _argv(host, user, command, method, key, source, tty, options):
    argv = ["ssh", "-F", "/dev/null", "-p", "22", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=INFO", "-o", "NumberOfPasswordPrompts=1",
            "-o", "IdentityAgent=none", "-o", "ConnectTimeout=10"]
    argv += {
        "keyboard-interactive": ["-o", "PreferredAuthentications=keyboard-interactive", "-o", "PubkeyAuthentication=no"],
        "password": ["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"],
        "key": ["-o", "PreferredAuthentications=publickey", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-i", str(key)],
        "default": ["-o", "PubkeyAuthentication=no"],
    }[method]
    if source:
        argv += ["-b", source]
    if tty:
        argv += ["-tt"]
    for option in options:
        argv += ["-o", option]
    address = host.address if not source or source.startswith(networks.INSIDE) else host.outside
    if source and ":" in source:
        address = host.address6
    argv += [f"{user}@{address}"]
    if command is not None:
        argv += [command]
    return host.client.command(*argv)


def ssh(host, user, command="true", method="keyboard-interactive", secret=None, key=None, source=None, tty=False,
        options=(), at_prompt=None, answers=(), timeout=LOGIN_SECONDS):
    """One attempt. `secret` answers each hidden prompt of the sign-in; `answers` are (pattern, text) pairs for
    what the command asks later (a function instead of a text is called); `at_prompt` is called when the first
    prompt stands, before it is answered."""
    argv = _argv(host, user, command, method, key, source, tty, options)
    login = Login(argv)
    child = spawn(argv, timeout)
    run_dialogue(child, login, secret, at_prompt, answers, timeout)
    return login


def spawn(argv, timeout=LOGIN_SECONDS):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    return pexpect.spawn(argv[0], list(argv[1:]), env=environment, timeout=timeout, encoding="utf-8",
                         codec_errors="replace", echo=False, preexec_fn=namespaces.die_with_parent,
                         dimensions=(50, 250))


def run_dialogue(child, login, secret, at_prompt, answers, timeout):
    deadline = time.monotonic() + timeout
    patterns = [PROMPT, *(re.compile(p) for p, _ in answers), pexpect.EOF]
    while True:
        try:
            which = child.expect(patterns, timeout=max(0.1, deadline - time.monotonic()))
        except pexpect.TIMEOUT:
            login.text += (child.before or "") + "\n[timed out]"
            child.close(force=True)
            login.code = None
            return
        login.text += child.before or ""
        if which == len(patterns) - 1:
            break
        login.text += child.after
        if which == 0:
            login.prompts.append(child.match.group(1).strip())
            if at_prompt:
                at_prompt()
                at_prompt = None
            child.sendline(secret if secret is not None else "")
        elif answers[which - 1][1] is None:
            break
        elif callable(answers[which - 1][1]):
            answers[which - 1][1]()
        else:
            child.sendline(answers[which - 1][1])
    child.close(force=True)
    login.code = child.exitstatus if child.exitstatus is not None else 255


def command_as(host, user, command, secret=None, key=None, method="key", **kwargs):
    return ssh(host, user, command, method=method, secret=secret, key=key, **kwargs)


def on_console(host, argv, secret=None, answers=(), at_prompt=None, timeout=LOGIN_SECONDS):
    """A program on a terminal of the host itself (login, su, sudo), as root unless argv changes that. login(1)
    asks for the next name after a refusal; that ends it here."""
    line = " ".join(shlex.quote(a) for a in argv)
    full = host.command("script", "-qec", line, "/dev/null")
    login = Login(full)
    child = spawn(full, timeout)
    run_dialogue(child, login, secret, at_prompt, [*answers, (rf"{host.name} login: $", None)], timeout)
    return login


class Held:
    """A live ssh session: what happens to it while the host changes underneath."""

    def __init__(self, host, user, key, source=None, first="true"):
        self.argv = _argv(host, user, first + "; echo held-session; exec cat", "key", key, source, False, ())
        self.child = spawn(self.argv)
        if self.child.expect(["held-session", pexpect.EOF, pexpect.TIMEOUT], timeout=20) != 0:
            raise AssertionError(f"the session did not start:\n{self.child.before}")

    def alive(self):
        """Does it still answer?"""
        mark = f"mark-{time.monotonic_ns()}"
        try:
            self.child.sendline(mark)
            return self.child.expect([mark, pexpect.EOF, pexpect.TIMEOUT], timeout=5) == 0
        except OSError:
            return False

    def close(self):
        self.child.close(force=True)
