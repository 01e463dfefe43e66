# SPDX-License-Identifier: MIT
"""The demo: one throwaway host, two tenants, real ssh. Each step says what it expects and checks it."""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from hostlib import client, machine, namespaces, rootfs  # noqa: E402
from hostlib.world import ApiKey  # noqa: E402

NAME = "gpu-1"
HERE = pathlib.Path(__file__).resolve().parent
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
    def __init__(self, keep):
        self.host = machine.Machine(NAME, survive=keep)
        # Keys of the demo's people; for a kept host they stay beside it.
        self.folder = self.host.folder / "keys" if keep else pathlib.Path(tempfile.mkdtemp(prefix="tenantd-demo-"))
        self.folder.mkdir(exist_ok=True)
        self.keys = {}
        self.key_ids = {}

    def ctl(self, *words, quiet=False):
        print("   # tenantctl " + shlex.join(words), flush=True)
        result = self.host.run("tenantctl", *words, check=False)
        if result.code != 0:
            show(result.out + result.err, "   ! ")
            raise SystemExit(f"tenantctl failed with exit status {result.code}")
        if not quiet:
            show(result.out)
        return result.out

    def add_key(self, user, *options):
        out = self.ctl("directory", "add-key", user, "--label", "laptop", *options, quiet=True)
        self.keys[user] = re.search(r"tnt_[ps]k_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}", out)[0]
        self.key_ids[user] = "key_" + self.keys[user].split("_")[2]
        show(out.replace(self.keys[user], self.keys[user][:24] + "…(shown once; hidden here)"))

    def login(self, user, command, secret=None, ssh_key=None, tty=False):
        how = f"-i {ssh_key.name} " if ssh_key else ""
        print(f"   $ ssh {how}{'-t ' if tty else ''}{user}@{NAME} {shlex.quote(command)}", flush=True)
        login = client.ssh(self.host, user, command, method="key" if ssh_key else "keyboard-interactive",
                           secret=secret, key=ssh_key, tty=tty)
        show("\n".join(line for line in login.text.replace("\r", "").splitlines()
                       if line.strip() and "Permanently added" not in line))
        return login

    # --- the steps

    def install(self):
        headline(f"installing the packages on {NAME}, a stock Debian {rootfs.SUITE}")
        started = time.monotonic()
        self.host.install()
        for deb in rootfs.packages():
            print(f"   {deb.name}")
        print(f"   installed in {time.monotonic() - started:.1f} s")
        expect("sshd accepts its configuration", self.host.run("sshd", "-t", check=False).code == 0)
        expect("the agent runs", self.host.run("systemctl", "is-active", "tenantd.service", check=False).code == 0)

    def write_directory(self):
        headline("two tenants: acme with the project vision, which this host serves, and globex, which it does not")
        self.ctl("directory", "init")
        self.ctl("directory", "add-tenant", "acme", "--name", "Acme Robotics")
        self.ctl("directory", "add-tenant", "globex", "--name", "Globex")
        self.ctl("directory", "add-project", "acme/vision")
        self.ctl("directory", "add-project", "globex/delta")
        for user, tenant, project, role in (("alice", "acme", "vision", "editor"), ("olivia", "acme", "vision", "owner"),
                                            ("vera", "acme", "vision", "viewer"), ("gina", "globex", "delta", "owner")):
            private, public = client.keypair(self.folder, user)
            self.host.write(f"/root/{user}.pub", public + "\n")
            self.ctl("directory", "add-user", user, "--tenant", tenant, "--name", f"{user.capitalize()} Example",
                     "--ssh-key", f"/root/{user}.pub")
            self.ctl("directory", "add-member", user, f"{tenant}/{project}", role)
        self.ctl("directory", "add-host", NAME, "acme/vision", "--login", "owner,editor", "--sudo", "owner")
        for user in ("alice", "olivia", "vera", "gina"):
            self.add_key(user)
        self.ctl("directory", "check")
        self.ctl("reload")

    def sign_in(self):
        headline("alice, editor of acme/vision, signs in with her API key")
        login = self.login("alice", "id; env | grep ^TENANT | sort", self.keys["alice"])
        expect("she is let in", login.code == 0, login)
        expect("with the groups of her role", "acme-vision-editor" in login.text and "vision-owner" not in login.text)
        expect("and knows where she is", "TENANT=acme" in login.text and "TENANT_ROLE=editor" in login.text)

        headline("... and with her SSH key, which the directory names")
        login = self.login("alice", "id -un", ssh_key=client.keypair(self.folder, "alice")[0])
        expect("she is let in", login.code == 0, login)

        headline("vera, viewer: this host lets owners and editors in")
        login = self.login("vera", "id", ssh_key=client.keypair(self.folder, "vera")[0])
        expect("she is refused, and told that it is her role", not login.allowed and "role" in login.text, login)

        headline("somebody tries alice's name with a key that nobody has")
        login = self.login("alice", "id", ApiKey().text)
        expect("refused", not login.allowed, login)

        headline("gina, owner of a project of globex, which this host does not serve")
        login = self.login("gina", "id", self.keys["gina"])
        expect("refused", not login.allowed, login)

    def sudo(self):
        headline("olivia, owner of the project, becomes root (sudo asks for her API key)")
        login = self.login("olivia", "sudo id", self.keys["olivia"], tty=True)
        expect("she is root", login.code == 0 and "uid=0(root)" in login.text, login)
        headline("alice, editor, may not")
        login = self.login("alice", "sudo -k id", self.keys["alice"], tty=True)
        expect("refused", "uid=0" not in login.text, login)

    def revoke(self):
        headline("alice lost her laptop: her key is revoked")
        self.ctl("directory", "revoke-key", self.key_ids["alice"], "--reason", "laptop lost")
        self.ctl("reload")
        login = self.login("alice", "id", self.keys["alice"])
        expect("the key is refused from now on", not login.allowed, login)

    def others(self):
        headline("the host's own people, with the agent stopped")
        private, public = client.keypair(self.folder, "root")
        self.host.sh("install -d -m 0700 /root/.ssh")
        self.host.write("/root/.ssh/authorized_keys", public + "\n", 0o600)
        units = ("tenantd.socket", "tenantd.service")
        print("   # systemctl stop " + " ".join(units))
        self.host.run("systemctl", "stop", *units)
        login = self.login("root", "id -un", ssh_key=private)
        expect("root signs in as ever", login.code == 0, login)
        expect("people keep their names (one memory-mapped file; nobody is asked)",
               self.host.run("getent", "passwd", "alice", check=False).code == 0)
        login = self.login("olivia", "id", self.keys["olivia"])
        expect("members are told that sign-in is broken, not that they were denied",
               not login.allowed and "You were not denied" in login.text, login)
        print("   # systemctl start " + " ".join(units))
        self.host.run("systemctl", "start", *units)

    def journal(self):
        headline("what the journal knows")
        print("   # journalctl -t tenantd")
        entries = [e for e in self.host.journal(SYSLOG_IDENTIFIER="tenantd") if e.get("TENANTD_EVENT")]
        wanted = ("login-allowed", "login-denied", "privilege-allowed", "privilege-denied")
        for entry in entries:
            if entry["TENANTD_EVENT"] in wanted:
                show(f"{entry['TENANTD_EVENT']:<17} {entry['MESSAGE']}")
        seen = {e["TENANTD_EVENT"] for e in entries}
        expect("every kind of outcome above", set(wanted) <= seen, seen)
        reasons = {e.get("TENANT_REASON") for e in entries}
        expect("and why", {"role-too-low", "key-revoked"} <= reasons, reasons)
        text = json.dumps(self.host.journal())
        expect("no key is in the journal", not any(key[-49:] in text for key in self.keys.values()))
        headline("one of them explained: journalctl -x")
        show(self.host.run("journalctl", "-x", "-q", "--no-pager", "-n", "1", "TENANTD_EVENT=login-denied").out)

    def run(self):
        self.host.boot()
        print(f"   {NAME} is up: systemd, journald, logind and sshd of its own, at {self.host.address}")
        for step in (self.install, self.write_directory, self.sign_in, self.sudo, self.revoke, self.others,
                     self.journal):
            step()

    def keep(self):
        """Writes down what --ssh, --root and --stop need."""
        container = (self.host.folder / "container").read_text()
        (self.host.folder / "owner").write_text(container)
        state = {"leader": self.host.leader, "client": self.host.client.pid, "cable": self.host.cable.pid,
                 "keys": self.keys, "folder": str(self.folder)}
        path = self.host.folder / "kept.json"
        path.write_text(json.dumps(state))
        path.chmod(0o600)
        headline(f"{NAME} goes on running. Try it:")
        print(f"""
   tests/hosts/demo.sh --ssh olivia      sign in by ssh; asks for her API key:
                                         {self.keys['olivia']}
   tests/hosts/demo.sh --ssh alice       with her SSH key (her API key was revoked)
   tests/hosts/demo.sh --root            a root shell on the host: tenantctl status, journalctl -t tenantd -x, …
   tests/hosts/demo.sh --stop            ends it and removes everything
""")


def kept():
    for path in (rootfs.HOSTS / "run").glob("*/kept.json"):
        return path.parent, json.loads(path.read_text())
    raise SystemExit("no host was left running: make demo KEEP=1")


def enter(state):
    return ["nsenter", f"--target={state['leader']}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root",
            "--wd", "--"]


def main():
    parser = argparse.ArgumentParser(prog="demo.sh")
    parser.add_argument("--keep", action="store_true", help="leave the host running")
    parser.add_argument("--ssh", metavar="USER", help="sign in on the host that was left running")
    parser.add_argument("--root", action="store_true", help="a root shell on it")
    parser.add_argument("--stop", action="store_true", help="end it")
    options = parser.parse_args()
    if options.ssh:
        folder, state = kept()
        argv = ["nsenter", f"--net=/proc/{state['client']}/ns/net", "ssh", "-F", "/dev/null",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        if options.ssh in ("alice", "root"):
            argv += ["-o", "IdentitiesOnly=yes", "-i", f"{state['folder']}/ssh-{options.ssh}"]
        else:
            argv += ["-o", "PreferredAuthentications=keyboard-interactive"]
        os.execvp(argv[0], [*argv, f"{options.ssh}@{machine.INSIDE}.2"])
    if options.root:
        folder, state = kept()
        argv = [*enter(state), "env", "-i", "TERM=" + os.environ.get("TERM", "dumb"), "HOME=/root",
                "PATH=" + machine.ENVIRONMENT["PATH"], "bash", "-l"]
        os.execvp(argv[0], argv)
    if options.stop:
        folder, state = kept()
        machine.end_kept(folder, (state["client"], state["cable"]))
        return

    started = time.monotonic()
    machine.sweep()
    if options.keep and list((rootfs.HOSTS / "run").glob("*/kept.json")):
        raise SystemExit("a host is running already: tests/hosts/demo.sh --stop")
    namespaces.private_mounts()
    headline(f"booting {NAME}")
    rootfs.base()
    demo = Demo(options.keep)
    done = False
    try:
        demo.run()
        done = True
    finally:
        if options.keep and done and not failures:
            demo.keep()
        else:
            if not done:
                show(demo.host.journal_text() if demo.host.leader else "", "   journal: ")
            demo.host.close()
            if not options.keep:
                subprocess.run(["rm", "-rf", str(demo.folder)])
    print(f"\n{'all of it as expected' if not failures else f'{len(failures)} not as expected'}, "
          f"in {time.monotonic() - started:.0f} s")
    sys.exit(1 if failures else 0)


main()
