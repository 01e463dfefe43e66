# SPDX-License-Identifier: MIT
"""One throwaway host, two tenants, real ssh, and no control plane."""
import json
import re
import time

from hostlib import client, machine, rootfs
from hostlib.world import ApiKey

from . import stage
from .stage import expect, headline, show

NAME = "gpu-1"


class OneHost(stage.Demo):
    def __init__(self, keep):
        super().__init__(keep)
        self.host = machine.Machine(NAME, survive=keep)
        self.hosts = [self.host]
        self.open_folder()
        self.key_ids = {}

    def ctl(self, *words, quiet=False):
        return self.command(self.host, "tenantctl", *words, quiet=quiet).out

    def add_key(self, user, *options):
        out = self.ctl("directory", "add-key", user, "--label", "laptop", *options, quiet=True)
        self.keys[user] = re.search(r"tnt_[ps]k_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}", out)[0]
        self.key_ids[user] = "key_" + self.keys[user].split("_")[2]
        show(out.replace(self.keys[user], self.keys[user][:24] + "…(shown once; hidden here)"))

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
        login = self.login(self.host, "alice", "id; env | grep ^TENANT | sort", self.keys["alice"])
        expect("she is let in", login.code == 0, login)
        expect("with the groups of her role", "acme-vision-editor" in login.text and "vision-owner" not in login.text)
        expect("and knows where she is", "TENANT=acme" in login.text and "TENANT_ROLE=editor" in login.text)

        headline("... and with her SSH key, which the directory names")
        login = self.login(self.host, "alice", "id -un", ssh_key=client.keypair(self.folder, "alice")[0])
        expect("she is let in", login.code == 0, login)

        headline("vera, viewer: this host lets owners and editors in")
        login = self.login(self.host, "vera", "id", ssh_key=client.keypair(self.folder, "vera")[0])
        expect("she is refused, and told that it is her role", not login.allowed and "role" in login.text, login)

        headline("somebody tries alice's name with a key that nobody has")
        login = self.login(self.host, "alice", "id", ApiKey().text)
        expect("refused", not login.allowed, login)

        headline("gina, owner of a project of globex, which this host does not serve")
        login = self.login(self.host, "gina", "id", self.keys["gina"])
        expect("refused", not login.allowed, login)

    def sudo(self):
        headline("olivia, owner of the project, becomes root (sudo asks for her API key)")
        login = self.login(self.host, "olivia", "sudo id", self.keys["olivia"], tty=True)
        expect("she is root", login.code == 0 and "uid=0(root)" in login.text, login)
        headline("alice, editor, may not")
        login = self.login(self.host, "alice", "sudo -k id", self.keys["alice"], tty=True)
        expect("refused", "uid=0" not in login.text, login)

    def revoke(self):
        headline("alice lost her laptop: her key is revoked")
        self.ctl("directory", "revoke-key", self.key_ids["alice"], "--reason", "laptop lost")
        self.ctl("reload")
        login = self.login(self.host, "alice", "id", self.keys["alice"])
        expect("the key is refused from now on", not login.allowed, login)

    def others(self):
        headline("the host's own people, with the agent stopped")
        private, public = client.keypair(self.folder, "root")
        self.host.sh("install -d -m 0700 /root/.ssh")
        self.host.write("/root/.ssh/authorized_keys", public + "\n", 0o600)
        units = ("tenantd.socket", "tenantd.service")
        print(f"   {NAME}# systemctl stop " + " ".join(units))
        self.host.run("systemctl", "stop", *units)
        login = self.login(self.host, "root", "id -un", ssh_key=private)
        expect("root signs in as ever", login.code == 0, login)
        expect("people keep their names (one memory-mapped file; nobody is asked)",
               self.host.run("getent", "passwd", "alice", check=False).code == 0)
        login = self.login(self.host, "olivia", "id", self.keys["olivia"])
        expect("members are told that sign-in is broken, not that they were denied",
               not login.allowed and "You were not denied" in login.text, login)
        print(f"   {NAME}# systemctl start " + " ".join(units))
        self.host.run("systemctl", "start", *units)

    def journal(self):
        headline("what the journal knows")
        print(f"   {NAME}# journalctl -t tenantd")
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

    def say_how_to_try(self):
        headline(f"{NAME} goes on running. Try it:")
        print(f"""
   tests/hosts/demo.sh --ssh olivia      sign in by ssh with her SSH key (with `-o PubkeyAuthentication=no` it asks
                                         for her API key: {self.keys['olivia']})
   tests/hosts/demo.sh --root            a root shell on the host: tenantctl status, journalctl -t tenantd -x, …
   tests/hosts/demo.sh --stop            ends it and removes everything
""")
