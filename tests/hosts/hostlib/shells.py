# SPDX-License-Identifier: MIT
"""People at work: shells by ssh that stay, what runs as whom, and those who must never notice anything."""
import itertools
import json
import re

import pexpect

from . import client

PROMPT = "at-your-service> "
_numbers = itertools.count(7_000_001)


def number():
    """For a `sleep` that nobody else runs."""
    return next(_numbers)


class Shell:
    """A live shell on a terminal, by ssh."""

    def __init__(self, host, user, key=None, secret=None, seconds=20):
        self.host, self.user = host, user
        self.argv = client._argv(host, user, None, "key" if key else "keyboard-interactive", key, None, True, ())
        self.child = client.spawn(self.argv)
        self.text = ""
        if secret is not None:
            assert self._expect(client.PROMPT, pexpect.EOF, pexpect.TIMEOUT, seconds=seconds) == 0, self
            self.child.sendline(secret)
        # Whatever greeting and prompt come first: these lines are echoed, and answered.
        self.child.sendline("stty -echo; PS1=; PS2=; bind 'set enable-bracketed-paste off'; echo at-your-'service>'")
        assert self._expect(re.escape(PROMPT.strip()) + "\r?\n", pexpect.EOF, pexpect.TIMEOUT, seconds=seconds) == 0, self

    def __repr__(self):
        return f"ssh {self.user}@{self.host.name}, from the end:\n{self.text[-1500:]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _expect(self, *patterns, seconds=10):
        which = self.child.expect(list(patterns), timeout=seconds)
        self.text += self.child.before or ""
        if isinstance(self.child.after, str):
            self.text += self.child.after
        return which

    def run(self, command, seconds=20):
        """What it prints."""
        mark = f"done-{number()}"
        self.child.sendline(f"{command}\necho {mark[:5]}''{mark[5:]}")
        which = self.child.expect([mark, pexpect.EOF, pexpect.TIMEOUT], timeout=seconds)
        self.text += self.child.before or ""
        assert which == 0, f"no end of {command}:\n{self}"
        self.text += mark
        return self.child.before.replace("\r", "").strip()

    def send(self, text):
        self.child.sendline(text)

    def alive(self):
        """Does it still answer?"""
        try:
            self.run("true", 5)
            return True
        except (AssertionError, OSError):
            return False

    def is_over(self, seconds=15):
        """Has ssh come to its end? All that was said until then is in `text`."""
        over = self._expect(pexpect.EOF, pexpect.TIMEOUT, seconds=seconds) == 0
        if over:
            self.child.close(force=True)
        return over

    def said(self, pattern, seconds=10):
        """Has it been said on the terminal, since the last time somebody looked?"""
        return self._expect(pattern, pexpect.EOF, pexpect.TIMEOUT, seconds=seconds) == 0

    def close(self):
        self.child.close(force=True)


def sessions(host, user=None, **fields):
    """As root sees them; `user` by login."""
    listed = json.loads(host.run("tenantctl", "sessions", "--json").out)["sessions"]
    return [s for s in listed if (user is None or s["user"] == user) and all(s.get(k) == v for k, v in fields.items())]


def processes(host):
    """(pid, uid, command line) of all that live; zombies do not."""
    found = []
    for line in host.run("ps", "-e", "-o", "pid=,uid=,stat=,args=", "-ww").out.splitlines():
        pid, uid, state, args = line.split(None, 3)
        if not state.startswith("Z"):
            found.append((int(pid), int(uid), args))
    return found


def of_person(host, person):
    return [one for one in processes(host) if person.owns(one[1])]


def sleeping(host, *numbers):
    """Those of the numbers whose `sleep` runs, whoever runs it."""
    running = " ".join(args + " " for _, _, args in processes(host))
    return {n for n in numbers if re.search(rf"\bsleep {n}\b", running)}


def all_gone(host, person, seconds=10):
    """Nothing runs as them, or as one of their subordinate ids: true, or what still does."""
    host.wait_until(lambda: not of_person(host, person), seconds)
    return of_person(host, person) or True


class Events:
    """What the agent wrote to the journal from here on."""

    def __init__(self, host):
        self.host = host
        self.mark = host.cursor()

    def of(self, event, **fields):
        return [e for e in self.host.journal(after=self.mark, TENANTD_EVENT=event) if
                all(e.get(name) == value for name, value in fields.items())]


class Bystanders:
    """Root, an account of the host's own, and people of tenants with whom nothing is wrong: each has a shell and
    something that outlives shells. Nothing that a test does may end any of it."""

    def __init__(self, host, world, people):
        self.host = host
        self.shells = [Shell(host, "root", world.root_key), Shell(host, "local1", world.local_key)]
        self.shells += [Shell(host, person.login, person.ssh_key) for person in people]
        self.numbers = [number() for _ in self.shells]
        for shell, n in zip(self.shells, self.numbers):
            shell.run(f"setsid -f nohup sleep {n} >/dev/null 2>&1 </dev/null")
        for n in (number(), number()):
            # A service and a job of local1's, in the groups where tenants' people have theirs.
            self.numbers.append(n)
        host.sh(f"systemd-run -q --uid=local1 sleep {self.numbers[-1]}; "
                f"runuser -u local1 -- setsid -f sleep {self.numbers[-2]} </dev/null >/dev/null 2>&1")

    def unharmed(self):
        missing = set(self.numbers) - sleeping(self.host, *self.numbers)
        assert not missing, (missing, processes(self.host))
        for shell in self.shells:
            assert shell.alive(), shell

    def close(self):
        for shell in self.shells:
            shell.close()
