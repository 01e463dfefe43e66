# SPDX-License-Identifier: MIT
"""What both demos stand on: each step says what it does and what it expects, and checks it."""
import json
import os
import pathlib
import shlex
import tempfile

from hostlib import client, machine, namespaces, rootfs

failures = []


def headline(text):
    print(f"\n== {text}", flush=True)


def show(text, indent="   | "):
    for line in text.replace("\r", "").rstrip().splitlines():
        print(indent + line, flush=True)


def expect(what, holds, evidence=""):
    print(f"   {'ok' if holds else 'NOT SO'}: {what}", flush=True)
    if not holds:
        failures.append(what)
        show(str(evidence), "   ! ")


class Demo:
    """Hosts are in self.hosts, the first one is who --ssh and --root mean by default."""

    def __init__(self, keep):
        self.hosts = []
        self.keys = {}
        # Keys of the demo's people; for hosts that are kept they stay beside the first.
        self.folder = None
        self.keep = keep

    def open_folder(self):
        self.folder = self.hosts[0].folder / "keys" if self.keep else pathlib.Path(tempfile.mkdtemp(prefix="tenantd-demo-"))
        self.folder.mkdir(exist_ok=True)

    def command(self, host, *words, quiet=False, check=True):
        print(f"   {host.name}# " + shlex.join(words), flush=True)
        result = host.run(*words, check=False)
        if check and result.code != 0:
            show(result.out + result.err, "   ! ")
            raise SystemExit(f"{words[0]} failed with exit status {result.code}")
        if not quiet:
            show(result.out + ("" if check else result.err))
        return result

    def login(self, host, user, command, secret=None, ssh_key=None, tty=False):
        how = f"-i {ssh_key.name} " if ssh_key else ""
        print(f"   $ ssh {how}{'-t ' if tty else ''}{user}@{host.name} {shlex.quote(command)}", flush=True)
        login = client.ssh(host, user, command, method="key" if ssh_key else "keyboard-interactive",
                           secret=secret, key=ssh_key, tty=tty)
        show("\n".join(line for line in login.text.replace("\r", "").splitlines()
                       if line.strip() and "Permanently added" not in line))
        return login

    def write_down(self):
        """What --ssh, --root and --stop need of hosts that go on running."""
        for host in self.hosts:
            (host.folder / "owner").write_text((host.folder / "container").read_text())
        state = {
            "hosts": {host.name: {"folder": str(host.folder), "leader": host.leader, "cable": host.cable.pid,
                                  "address": host.address} for host in self.hosts},
            "client": self.hosts[0].client.pid, "keys": self.keys, "folder": str(self.folder),
        }
        path = self.hosts[0].folder / "kept.json"
        path.write_text(json.dumps(state))
        path.chmod(0o600)

    def close(self):
        for host in self.hosts:
            host.close()
        if self.folder and not self.keep:
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()


# --- hosts that were left running


def kept():
    for path in (rootfs.HOSTS / "run").glob("*/kept.json"):
        return json.loads(path.read_text())
    raise SystemExit("no host was left running: make demo KEEP=1")


def _host(state, name):
    if not name:
        return next(iter(state["hosts"].values()))
    if name not in state["hosts"]:
        raise SystemExit(f"there is no host {name}, only {', '.join(state['hosts'])}")
    return state["hosts"][name]


def kept_ssh(who):
    user, _, name = who.partition("@")
    state = kept()
    argv = ["nsenter", f"--net=/proc/{state['client']}/ns/net", "ssh", "-F", "/dev/null",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    private = pathlib.Path(state["folder"]) / f"ssh-{user}"
    if private.exists():
        argv += ["-i", str(private)]
    argv += ["-o", "IdentitiesOnly=yes"]
    os.execvp(argv[0], [*argv, f"{user}@{_host(state, name)['address']}"])


def kept_root(name):
    host = _host(kept(), name)
    argv = ["nsenter", f"--target={host['leader']}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root",
            "--wd", "--", "env", "-i", "TERM=" + os.environ.get("TERM", "dumb"), "HOME=/root",
            "PATH=" + machine.ENVIRONMENT["PATH"], "bash", "-l"]
    os.execvp(argv[0], argv)


def kept_stop():
    state = kept()
    for host in list(state["hosts"].values())[::-1]:
        machine.end_kept(pathlib.Path(host["folder"]), (host["cable"],))
    namespaces.end(state["client"])
