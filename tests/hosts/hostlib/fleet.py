# SPDX-License-Identifier: MIT
"""A fleet: a control plane's host with PostgreSQL, and hosts that are enrolled there, on one network."""
import concurrent.futures
import contextlib
import http.client
import json
import ssl

from . import machine, networks, rootfs

NAME = "control.fleet.test"
PORT = 8443
URL = f"https://{NAME}:{PORT}"
CA = "/etc/tenantd/control-plane.pem"
CERTIFICATE = "/etc/tenant-control/tls.crt"
CONTROL_NUMBER = 10
OPERATOR = "ops@fleet.test"
OPERATOR_PASSWORD = "correct horse battery staple"


class Answer:
    def __init__(self, what, status, headers, body):
        self.what, self.status, self.headers, self.body = what, status, headers, body

    def __repr__(self):
        return f"{self.what}: {self.status} {self.body}"

    def __getitem__(self, name):
        return self.body[name]


class Fleet:
    def __init__(self, workers=("worker-1", "worker-2"), survive=False):
        self.network = networks.Network(survive)
        self.control = machine.Machine("control", survive, self.network, CONTROL_NUMBER)
        self.workers = [machine.Machine(name, survive, self.network, CONTROL_NUMBER + 1 + i)
                        for i, name in enumerate(workers)]
        self.certificate = None
        self.operator = None

    @property
    def machines(self):
        return [self.control, *self.workers]

    def boot(self):
        for host in self.machines:
            host.start()
        for host in self.machines:
            host.wait_until_up()
        return self

    def close(self):
        for host in self.machines:
            host.close()
        self.network.close()

    # --- the control plane

    def install(self):
        """All of it, at the same time where one need not wait for another."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            workers = [pool.submit(host.install) for host in self.workers]
            self.install_control()
            for future in workers:
                future.result()
        for host in self.workers:
            self.tell_worker(host)

    def start_database(self):
        # The cluster took its port while the image was made, beside whatever ran on that machine.
        self.control.sh("systemctl unmask postgresql.service postgresql@.service && "
                        "pg_conftool $(pg_lsclusters -h | cut -d ' ' -f 1,2) set port 5432 && "
                        "systemctl start postgresql.service")

    def set_up(self):
        """`tenant-control init`, and the service."""
        host = self.control
        host.sh(f"echo '127.0.0.1 {NAME}' >> /etc/hosts")
        host.write("/root/operator-password", OPERATOR_PASSWORD + "\n", 0o600)
        result = host.run("tenant-control", "init", "--url", URL, "--operator", OPERATOR, "--password-file",
                          "/root/operator-password", check=False)
        if result.code != 0:
            raise machine.CommandFailed(f"{result}\n{host.journal_text()[-1500:]}")
        host.run("systemctl", "enable", "--now", "tenant-control.service")
        self.certificate = host.read(CERTIFICATE)
        return result

    def install_control(self):
        self.start_database()
        self.control.install(rootfs.packages(control_plane=True))
        return self.set_up()

    def tell_worker(self, host):
        """Where its control plane is, and by which certificate."""
        host.sh(f"grep -q {NAME} /etc/hosts || echo '{self.control.address} {NAME}' >> /etc/hosts")
        host.write(CA, self.certificate)
        host.write("/etc/tenantd/agent.yaml.d/50-control-plane.yaml", f"control_plane:\n  ca_file: {CA}\n")
        host.run("systemctl", "restart", "tenantd.service")

    def install_worker(self, host):
        host.install()
        self.tell_worker(host)

    def control_cli(self, *words, check=True):
        """`tenant-control … --json` on the control plane's host, as its root."""
        result = self.control.run("tenant-control", *words, "--json", check=check)
        return json.loads(result.out) if result.out.strip() else result

    def enroll(self, host, *tenants):
        token = self.operator_call("POST", "/v1/enrolment-tokens", {"tenants": list(tenants), "host_name": host.name})
        return host.run("tenantctl", "enroll", URL, "-", input=token["token"] + "\n", check=False)

    # --- the API, as its users see it

    def call(self, method, path, body=None, token=None, headers=(), timeout=40):
        trust = ssl.create_default_context(cadata=self.certificate)
        trust.minimum_version = ssl.TLSVersion.TLSv1_3
        plain = self.network.connect(self.control.address, PORT)
        with contextlib.closing(http.client.HTTPSConnection(NAME, PORT, timeout=timeout)) as connection:
            connection.sock = trust.wrap_socket(plain, server_hostname=NAME)
            connection.sock.settimeout(timeout)
            send = {"Accept": "application/json", **dict(headers)}
            if token:
                send["Authorization"] = f"Bearer {token}"
            if body is not None:
                send["Content-Type"] = "application/json"
            connection.request(method, path, json.dumps(body) if body is not None else None, send)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return Answer(f"{method} {path}", answer.status, answer.headers, json.loads(text) if "json" in kind else text)

    def operator_call(self, method, path, body=None, expect=(200, 201, 202, 204), **kwargs):
        if not self.operator:
            answer = self.call("POST", "/v1/operators/sign-in", {"email": OPERATOR, "password": OPERATOR_PASSWORD})
            assert answer.status == 200, answer
            self.operator = answer["access_token"]
        answer = self.call(method, path, body, self.operator, **kwargs)
        assert answer.status in expect, answer
        return answer
