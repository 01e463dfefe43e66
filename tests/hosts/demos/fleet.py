# SPDX-License-Identifier: MIT
"""A fleet: a control plane on PostgreSQL, two hosts, a tenant on each and one on both."""
import base64
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "control"))

from controllib import trail  # noqa: E402
from hostlib import approval_page, client, fleet, rootfs
from hostlib.sso import Conversation

from . import stage
from .live import Terminal
from .stage import expect, headline, show

WORKERS = ("gpu-1", "gpu-2")
PICTURES = rootfs.BUILD / "demo"
PASSWORD = "paint the Server green 7"


class Fleet(stage.Demo):
    def __init__(self, keep):
        super().__init__(keep)
        self.fleet = fleet.Fleet(WORKERS, survive=keep)
        self.hosts = [*self.fleet.workers, self.fleet.control]
        self.gpu1, self.gpu2 = self.fleet.workers
        self.open_folder()
        self.ids = {}
        self.key_ids = {}

    def api(self, method, path, body=None, expect_status=(200, 201, 204), secret=None, hide=None):
        """A call as an operator; `secret` names a member of the answer that is not for the screen, `hide` one of the
        call."""
        sent = {**body, hide: "…"} if hide else body
        print(f"   > {method} {path}" + (f"  {json.dumps(sent, ensure_ascii=False)}" if body else ""), flush=True)
        answer = self.fleet.operator_call(method, path, body, expect=expect_status)
        if answer.body:
            hidden = {**answer.body, **({secret: answer[secret][:24] + "…(shown once; hidden here)"} if secret else {})}
            text = json.dumps(hidden)
            show(f"{answer.status} {text if len(text) < 240 else text[:240] + '…'}")
        else:
            show(str(answer.status))
        return answer

    # --- the steps

    def install(self):
        headline(f"a control plane: PostgreSQL and tenant-control on a stock Debian {rootfs.SUITE}")
        print("   control# apt-get install ./tenant-control_*.deb; tenant-control init; systemctl enable --now tenant-control")
        show(self.fleet.install_control().out)
        expect("it is ready", self.fleet.call("GET", "/readyz").status == 200)
        headline("two hosts, with the packages and the control plane's certificate")
        for host in self.fleet.workers:
            self.fleet.install_worker(host)
            expect(f"the agent runs on {host.name}",
                   host.run("systemctl", "is-active", "tenantd.service", check=False).code == 0)

    def add_tenants(self):
        headline("three tenants: acme for gpu-1, globex for gpu-2, initech for both")
        for tenant, project in (("acme", "vision"), ("globex", "delta"), ("initech", "reports")):
            self.ids[tenant] = self.api("POST", "/v1/tenants", {"slug": tenant, "name": tenant.capitalize()})["id"]
            self.ids[project] = self.api("POST", f"/v1/tenants/{tenant}/projects", {"slug": project})["id"]
            self.api("POST", f"/v1/tenants/{tenant}/host-rules", {"name": "gpu-*", "serves": [
                {"project": self.ids[project], "login": ["owner", "editor"], "sudo": ["owner"]}]})

    def add_people(self):
        headline("people, their roles, and an API key each")
        for user, tenant, project, role in (("alice", "acme", "vision", "editor"), ("olivia", "acme", "vision", "owner"),
                                            ("gina", "globex", "delta", "editor"), ("ines", "initech", "reports", "editor")):
            _, public = client.keypair(self.folder, user)
            self.ids[user] = self.api("POST", f"/v1/tenants/{tenant}/users", {
                "login": user, "name": f"{user.capitalize()} Example", "email": f"{user}@{tenant}.example",
                "ssh_keys": [public]})["id"]
            self.api("PUT", f"/v1/tenants/{tenant}/projects/{project}/members/{user}", {"role": role})
            key = self.api("POST", f"/v1/tenants/{tenant}/keys", {"user": self.ids[user], "label": "laptop"}, secret="secret")
            self.keys[user], self.key_ids[user] = key["secret"], key["id"]

    def enroll(self):
        headline("the hosts enrol: each makes a key of its own and follows the feeds of its tenants")
        for host, tenants in ((self.gpu1, ("acme", "initech")), (self.gpu2, ("globex", "initech"))):
            token = self.api("POST", "/v1/enrolment-tokens", {"tenants": list(tenants), "host_name": host.name},
                             secret="token")["token"]
            print(f"   {host.name}# tenantctl enroll {fleet.URL} -")
            result = host.run("tenantctl", "enroll", fleet.URL, "-", input=token + "\n", check=False)
            show(result.out + result.err)
            expect("enrolled", result.code == 0, result)
            live = host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0)
            show(host.run("tenantctl", "status", check=False).out)
            expect("all of its feeds are live", live)

    def sign_in(self):
        headline("alice of acme signs in on gpu-1 with her API key")
        login = self.login(self.gpu1, "alice", "id; env | grep ^TENANT | sort", self.keys["alice"])
        expect("she is let in, with the groups of her role", login.code == 0 and "acme-vision-editor" in login.text, login)
        headline("... and not on gpu-2, which does not serve acme")
        login = self.login(self.gpu2, "alice", "id", self.keys["alice"])
        expect("refused", not login.allowed, login)
        headline("ines of initech, which both serve")
        for host in self.fleet.workers:
            login = self.login(host, "ines", "id -un", ssh_key=client.keypair(self.folder, "ines")[0])
            expect(f"she is let in on {host.name}", login.code == 0, login)

    def end_session(self):
        headline("olivia works on gpu-1; her session is ended by API while she looks on")
        key = client.keypair(self.folder, "olivia")[0]
        terminal = Terminal(self.gpu1, "olivia", key)
        terminal.shell.run("nohup sleep 86400 >/dev/null 2>&1 & "
                           "systemd-run --user --quiet --unit=training sleep 86400")
        terminal.type("for epoch in $(seq 1000); do echo \"epoch $epoch: loss 0.$((9000 / epoch))\"; sleep 0.5; done")
        terminal.watch(2)
        print("   meanwhile, an administrator:", flush=True)
        found = []
        self.gpu1.wait_until(lambda: found.extend(
            one for one in self.fleet.operator_call("GET", "/v1/tenants/acme/sessions?user=olivia&state=open")["items"]
            if one.get("service") == "sshd") or found)
        self.api("GET", "/v1/tenants/acme/sessions?user=olivia")
        started = time.monotonic()
        answer = self.api("POST", f"/v1/tenants/acme/sessions/{found[0]['id']}/end?wait=20",
                          {"reason": "gpu-1 is needed for a demonstration"})
        print(f"   after {(time.monotonic() - started) * 1000:.0f} ms", flush=True)
        terminal.watch(10, until_over=True)
        expect("she was told why, and the session is over",
               terminal.over and "gpu-1 is needed for a demonstration" in terminal.text, terminal.text)
        expect("the control plane knows that it is gone", answer["sessions"] == {"asked": 1, "gone": 1, "away": 0}, answer)

        def sleeps():
            return self.gpu1.run("pgrep", "-u", "olivia", "-a", "sleep", check=False).out

        left = sleeps()
        expect("what nohup would have kept is gone with it; her job in the service manager is not", left.count("86400") == 1, left)
        terminal.close()
        login = self.login(self.gpu1, "olivia", "id -un", ssh_key=key)
        expect("she may sign in again: an end is no lock", login.code == 0, login)
        headline("olivia is suspended: nothing of hers goes on, in sessions or outside")
        terminal = Terminal(self.gpu1, "olivia", key)
        terminal.watch(0.5)
        self.api("POST", "/v1/tenants/acme/users/olivia/suspend?wait=20", {"reason": "until the audit is over"})
        terminal.watch(10, until_over=True)
        expect("her new session is over, too", terminal.over and "until the audit is over" in terminal.text, terminal.text)
        gone = self.gpu1.wait_until(lambda: self.gpu1.run("pgrep", "-u", "olivia", check=False).code != 0)
        expect("no process of hers is left on gpu-1", gone, self.gpu1.run("ps", "-fu", "olivia", check=False).out)
        terminal.close()
        entries = self.gpu1.journal(SYSLOG_IDENTIFIER="tenantd", TENANTD_EVENT="session-ending")
        show("\n".join(entry["MESSAGE"] for entry in entries))
        expect("the journal knows why", {"ordered", "user-suspended"} <= {entry.get("TENANT_CAUSE") for entry in entries}, entries)
        self.api("POST", "/v1/tenants/acme/users/olivia/resume?wait=20")

    def audit_trail(self):
        headline("alice's sign-in is in acme's log, and nobody can take it out again")
        found = []
        self.fleet.control.wait_until(lambda: found.extend(self.fleet.operator_call(
            "GET", f"/v1/tenants/acme/events?kind=login-allowed&actor={self.ids['alice']}")["items"]) or found)
        event = found[-1]["id"]
        print(f"   control# tenant-control audit proof {event} --tenant acme --json")
        proof = json.loads(self.fleet.control.run("tenant-control", "audit", "proof", event, "--tenant", "acme", "--json").out)
        show("\n".join([f"entry {proof['index']} of {proof['size']}, leaf {proof['leaf_hash']}", "leads by",
                        *(f"  {one}" for one in proof["proof"]), "to the root of", *proof["checkpoint"].splitlines()]))
        leaf, path = bytes.fromhex(proof["leaf_hash"]), [base64.b64decode(one) for one in proof["proof"]]
        root = base64.b64decode(proof["checkpoint"].splitlines()[2])
        expect("it does", trail.inclusion_root(proof["index"], proof["size"], leaf, path) == root, proof)
        print("   control# tenant-control audit export --tenant acme >acme.ndjson")
        export = self.fleet.control.run("tenant-control", "audit", "export", "--tenant", "acme").out
        print("   gpu-1# tenantctl audit verify acme.ndjson")
        self.gpu1.run("tee", "/root/acme.ndjson", input=export)
        verified = self.gpu1.run("tenantctl", "audit", "verify", "/root/acme.ndjson", check=False)
        show(verified.out + verified.err)
        expect("the whole export verifies on another machine, offline", verified.code == 0, verified)
        print("   ... and with one word of one event changed")
        self.gpu1.run("tee", "/root/acme.ndjson", input=export.replace("login-allowed", "login-refused", 1))
        verified = self.gpu1.run("tenantctl", "audit", "verify", "/root/acme.ndjson", check=False)
        show(verified.out + verified.err)
        expect("it does not", verified.code == 1, verified)

    def single_sign_on(self):
        headline("alice signs in without a key: an address and a code at the prompt, and her approval in a browser")
        print("   acme's people may approve on the control plane's own page; another provider would be added the same way")
        self.api("PUT", f"/v1/tenants/acme/users/{self.ids['alice']}/password?wait=10", {"password": PASSWORD},
                 hide="password")
        self.api("POST", "/v1/tenants/acme/identity-providers?wait=10", {"kind": "tenantd", "name": "the fleet"})
        print("   $ ssh alice@gpu-1 'id -un; tenantctl whoami'", flush=True)
        talk = Conversation.ssh(self.gpu1, "alice", "id -un; tenantctl whoami")
        talk.first().enter().pending()
        show(talk.readable())
        expect("she is told where to go and what to type, and shown a picture for her phone",
               talk.address.startswith(fleet.URL) and "\u2588" in talk.login.text, talk.login)
        PICTURES.mkdir(parents=True, exist_ok=True)
        print("   a browser on the same network opens that address (headless Chromium; what it shows is in build/demo):")
        chromium = approval_page.browser_for(self.fleet)
        try:
            text = approval_page.approve(chromium, talk.address, talk.code, "alice@acme.example", PASSWORD,
                                         picture=lambda name: PICTURES / f"sign-in-{name}.png")
        finally:
            chromium.close()
        for name, what in (("code", "she types the code from the prompt"), ("before", "what it is for, and who she is"),
                           ("after", "it is approved")):
            print(f"   {PICTURES}/sign-in-{name}.png: {what}")
        show(text)
        print("   she presses Enter:")
        login = talk.enter().finish()
        show(talk.readable(last=True))
        expect("she is in", login.code == 0 and "alice" in login.text, login)
        entry = self.gpu1.journal(SYSLOG_IDENTIFIER="tenantd", TENANTD_EVENT="login-allowed")[-1]
        show(entry["MESSAGE"])
        expect("and the journal says how", entry["TENANT_CREDENTIAL"].startswith("sso:"), entry)

    def revoke(self):
        headline("ines lost her laptop: her keys go, on every host, and the API waits until the hosts have said so")
        started = time.monotonic()
        answer = self.api("POST", f"/v1/tenants/initech/keys/{self.key_ids['ines']}/revoke?wait=10",
                          {"reason": "laptop lost"})
        print(f"   after {(time.monotonic() - started) * 1000:.0f} ms")
        expect("both hosts have acknowledged", answer["acks"]["acknowledged"] == 2, answer)
        for host in self.fleet.workers:
            login = self.login(host, "ines", "id", self.keys["ines"])
            expect(f"refused on {host.name}", not login.allowed, login)
        headline("alice moves to another project: her role goes")
        self.api("DELETE", "/v1/tenants/acme/projects/vision/members/alice?wait=10")
        login = self.login(self.gpu1, "alice", "id", self.keys["alice"])
        expect("refused", not login.allowed, login)

    def away(self):
        headline("the control plane goes away; the hosts go on with what they know")
        print("   control# systemctl stop tenant-control")
        self.fleet.control.run("systemctl", "stop", "tenant-control.service")
        login = self.login(self.gpu1, "olivia", "id -un", ssh_key=client.keypair(self.folder, "olivia")[0])
        expect("olivia signs in", login.code == 0, login)
        self.gpu1.run("systemctl", "restart", "tenantd.service")
        login = self.login(self.gpu1, "olivia", "id -un", ssh_key=client.keypair(self.folder, "olivia")[0])
        expect("... also after a restart of the agent, from what it keeps sealed", login.code == 0, login)
        print("   control# systemctl start tenant-control")
        self.fleet.control.run("systemctl", "start", "tenant-control.service")
        for host in self.fleet.workers:
            back = host.wait_until(lambda host=host: "reconnect" not in host.run("tenantctl", "status", check=False).out, 60)
            expect(f"{host.name} is back by itself", back, host.run("tenantctl", "status", check=False).out)

    def disable(self):
        headline("gpu-2 is taken out of service")
        host = self.api("GET", "/v1/hosts?name=gpu-2")["items"][0]
        self.api("POST", f"/v1/hosts/{host['id']}/disable?wait=10", {"reason": "returned to the vendor"})
        gone = self.gpu2.wait_until(lambda: " 0 people" in self.gpu2.run("tenantctl", "status", check=False).out)
        show(self.gpu2.run("tenantctl", "status", check=False).out)
        expect("it has wiped its key and everything it knew", gone)
        login = self.login(self.gpu2, "gina", "id", self.keys["gina"])
        expect("and lets nobody of a tenant in", not login.allowed, login)

    def run(self):
        self.fleet.boot()
        print(f"   {', '.join(host.name for host in self.hosts)} are up")
        for step in (self.install, self.add_tenants, self.add_people, self.enroll, self.sign_in, self.end_session,
                     self.audit_trail, self.single_sign_on, self.revoke, self.away, self.disable):
            step()

    def say_how_to_try(self):
        headline("the fleet goes on running. Try it:")
        print(f"""
   tests/hosts/demo.sh --ssh olivia@gpu-1      sign in by ssh
   tests/hosts/demo.sh --root control          a root shell on the control plane: tenant-control user list acme, …
   tests/hosts/demo.sh --root gpu-1            … or on a host: tenantctl status, journalctl -t tenantd -x
   tests/hosts/demo.sh --stop                  ends it and removes everything

   The operator is {fleet.OPERATOR}, password "{fleet.OPERATOR_PASSWORD}".
""")
