# SPDX-License-Identifier: MIT
"""Signing in by single sign-on: a directory that knows the providers of hostlib/providers.py, and the conversation at
a terminal, step by step, so that tests can do things in between."""
import re
import shlex
import time

import pexpect

from . import client, providers
from .world import Person, World

WAIT = 30
FIRST = re.compile(r"API key(?: \(Enter for single sign-on\))?: ?$")
CHOICE = re.compile(r"Number \(Enter for 1\): ?$")
PENDING = re.compile(r"open\s+(https://\S+)\s+and enter the code  (\S+)\s(.*)press Enter: ?$", re.S | re.I)
# What may come next; the end is one of them.
NEXT = [FIRST, CHOICE, PENDING, pexpect.EOF]


# Editors whom each provider and the directory know, for tests that want somebody who has not signed in just now: how
# often one person may begin is limited.
CROWD = [f"ed{number:02}" for number in range(1, 31)]


def accounts():
    """The same people at each provider. mallory is in no directory."""
    account = providers.Account
    return [account("alice", "248289761001"), account("olivia", "00u-Olivia.17|x"),
            *(account(login, f"crowd-{login}") for login in CROWD),
            account("tom", "tom-sub", verified=False), account("uma", "uma-sub", email="uma@elsewhere.example"),
            account("rob", "rob-sub"), account("mallory", "mallory-sub", email="mallory@acme.example")]


class SsoWorld(World):
    """The world of hostlib/world.py where acme has two providers, of which "accounts" is the one for Enter.

    alice   her identity at each is listed, as are those of the crowd
    olivia  listed at glewlwyd; at accounts her first sign-in binds her, as the tenant lets a verified address do
    tom     may be bound, and the providers have not verified his address
    uma     may be bound, and her address there is none of the tenant's
    """

    def __init__(self, folder, accounts_provider, glewlwyd, others):
        super().__init__(folder)
        self.accounts, self.glewlwyd = accounts_provider, glewlwyd
        for number, login in enumerate(CROWD):
            self.people[login] = Person(self, login, 40 + number, "acme", "vision", "editor")
        self.everywhere = [accounts_provider, glewlwyd, *others.values()]
        self.identities = {"alice": self.everywhere, "olivia": [glewlwyd], **dict.fromkeys(CROWD, self.everywhere)}
        self.addresses = {login: f"{login}@acme.example" for login in ("alice", "olivia", "tom", "uma", "rob")}
        self.more = {"accounts": "", "glewlwyd": ""}  # further fields of the providers' records
        self.others = others  # further providers of acme: name → an OidcProvider
        self.tenant = ""  # further fields of acme

    def providers(self):
        secret = providers.CLIENT_SECRET
        lines = ["providers:"]
        for name, provider, auth, fields in (
                ("accounts", self.accounts, "client_secret_basic",
                 f"bind: verified_email, domains: [acme.example], preferred: true, token_audience: {providers.RESOURCE}"),
                ("glewlwyd", self.glewlwyd, "client_secret_post", "bind: listed")):
            lines += [f"  - {{id: idp_{name}, tenant: ten_acme, name: The {name}, kind: oidc, issuer: \"{provider.issuer}\","
                      f" client_id: {providers.CLIENT}, client_auth: {auth}, client_secret: \"{secret}\", "
                      f"{fields}{self.more[name]}}}"]
        lines += [f"  - {{id: idp_{name}, tenant: ten_acme, name: The {name}, kind: oidc, issuer: \"{provider.issuer}\","
                  f" client_id: public}}" for name, provider in self.others.items()]
        return "\n".join(lines) + "\n"

    def directory(self):
        text = super().directory()
        for login in {**self.addresses, **self.identities}:
            address = self.addresses.get(login)
            known = "".join(f'      - {{issuer: "{p.issuer}", subject: "{p.people[login].subject}"}}\n'
                            for p in self.identities.get(login, ()))
            text = text.replace(f"    login: {login}\n", f"    login: {login}\n" + (f"    email: {address}\n" if address else "")
                                + (f"    identities:\n{known}" if known else ""))
        if self.tenant:
            text = text.replace("    slug: acme\n", f"    slug: acme\n{self.tenant}")
        return text + self.providers()


class Conversation:
    """What is said at a terminal, and what is answered."""

    def __init__(self, argv):
        self.login = client.Login(argv)
        self.child = client.spawn(argv, WAIT)
        self.address = self.code = self.picture = None
        self.answered = 0

    @classmethod
    def console(cls, host, *argv):
        """A program on a terminal of the host itself, run by root."""
        return cls(host.command("script", "-qec", shlex.join(argv), "/dev/null"))

    @classmethod
    def ssh(cls, host, user, command="id -un; id -Gn", method="keyboard-interactive", **kwargs):
        return cls(client._argv(host, user, command, method, kwargs.pop("key", None), kwargs.pop("source", None),
                                kwargs.pop("tty", False), kwargs.pop("options", ())))

    def expect(self, wanted, seconds=WAIT):
        """Waits for it; anything else that stands and waits is a failure."""
        which = self.child.expect(NEXT, timeout=seconds)
        self.login.text += (self.child.before or "") + (self.child.after if which < len(NEXT) - 1 else "")
        assert NEXT[which] is wanted, f"another thing came than {getattr(wanted, 'pattern', wanted)}:\n{self.login.text}"
        return self.child.match

    def first(self):
        self.expect(FIRST)
        return self

    def enter(self, text=""):
        self.answered = len(self.login.text)
        self.child.sendline(text)
        return self

    def pending(self, seconds=WAIT):
        """The prompt with address and code."""
        found = self.expect(PENDING, seconds)
        self.address, self.code, self.picture = found[1], found[2], found[3]
        return self

    def choose(self, provider):
        """From the name to the provider's answer. `provider`: by its name; None: Enter, for the preferred one."""
        self.first().enter()
        self.expect(CHOICE)
        number = re.search(rf"^ *(\d+)  The {provider}\r?$", self.login.text, re.M)
        assert number or not provider, self.login.text
        return self.enter(number[1] if number else "")

    def begin(self, provider=None, seconds=WAIT):
        """As choose, to the prompt that waits."""
        return self.choose(provider).pending(seconds)

    def approved_by(self, browser, provider, login, **kwargs):
        provider.approve(browser, self.address, self.code, login, **kwargs)
        return self

    def finish(self, seconds=WAIT, patient=False):
        """The end, whatever it is: a client.Login. `patient`: Enter whenever it says that it still waits."""
        deadline = time.monotonic() + seconds
        while True:
            which = self.child.expect([PENDING, pexpect.EOF] if patient else [pexpect.EOF],
                                      timeout=max(1, deadline - time.monotonic()))
            self.login.text += self.child.before or ""
            if not patient or which == 1:
                break
            self.login.text += self.child.after
            self.enter()
        self.child.close(force=True)
        self.login.code = self.child.exitstatus if self.child.exitstatus is not None else 255
        return self.login

    def readable(self, last=False):
        """What was said so far, or since the last answer, without ssh's own chatter."""
        text = self.login.text[self.answered:] if last else self.login.text
        return "\n".join(line for line in text.replace("\r", "").splitlines()
                         if line.strip() and "Permanently added" not in line)

    def hang_up(self):
        self.child.close(force=True)
