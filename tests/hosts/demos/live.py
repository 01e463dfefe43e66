# SPDX-License-Identifier: MIT
"""Somebody's terminal, shown while it lives and when it ends."""
import re
import time

import pexpect

from hostlib.shells import Shell

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")


class Terminal:
    def __init__(self, host, user, ssh_key):
        print(f"   $ ssh -i {ssh_key.name} {user}@{host.name}        (a terminal of its own: what {user} sees stands behind “{user}:”)",
              flush=True)
        self.user = user
        self.shell = Shell(host, user, ssh_key)
        self.text, self._line, self.over = "", "", False

    def type(self, command):
        self._say(f"$ {command}")
        self.shell.send(command)

    def _say(self, line):
        print(f"   {self.user}: {line}", flush=True)

    def watch(self, seconds, until_over=False):
        """Shows what comes in this time, line by line as it comes; until_over: only as long as it lives."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (self.over and until_over):
            try:
                more = self.shell.child.read_nonblocking(4096, 0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                self.over = True
                break
            self.text += more
            *lines, self._line = (self._line + more).replace("\r", "\n").split("\n")
            for line in lines:
                if CONTROLS.sub("", line).strip():
                    self._say(CONTROLS.sub("", line))
        return self

    def close(self):
        self.shell.close()
