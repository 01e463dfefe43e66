# SPDX-License-Identifier: MIT
"""Identity providers that other people wrote, in the test network: oidc-provider (npm) and glewlwyd (Debian). Each
knows the same people, by subjects and addresses that never change."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import ssl
import subprocess
import tempfile
import time
from urllib.parse import quote

from . import namespaces, networks, rootfs
from .authority import Authority, key_pin

NUMBER = 40  # their place in the network
SOURCE = rootfs.SOURCE / "tests/peers"
MODULES = rootfs.BUILD / "peers"
GLEWLWYD = ("glewlwyd", "dbconfig-sqlite3")
START_SECONDS = 20
CLIENT = "tenantd"
CLIENT_SECRET = "the secret of a test client, 7%&+="
RESOURCE = "https://fleet.test/api"


class Account:
    """Somebody at a provider."""

    def __init__(self, login, subject, email=None, verified=True, **claims):
        self.login, self.subject, self.verified, self.claims = login, subject, verified, claims
        self.email = email or f"{login}@acme.example"
        self.password = f"{login}'s Password 9"
        self.name = f"{login.capitalize()} Example"


class Peers:
    """A place in the network for providers: a cable, an authority, and a folder."""

    def __init__(self, network):
        self.network = network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenantd-peers-"))
        self.authority = Authority(self.folder)
        self.cable = network.plug_in(NUMBER)
        self.address = networks.addresses(NUMBER)[0]
        self.providers = []

    @property
    def names(self):
        return {provider.host: self.address for provider in self.providers}

    @property
    def pins(self):
        return [key_pin(provider.certificate) for provider in self.providers]

    def introduce(self, host):
        """The host knows their names, and trusts their authority."""
        for name, address in self.names.items():
            host.sh(f"grep -q ' {name}$' /etc/hosts || echo '{address} {name}' >> /etc/hosts")
        self.authority.trust(host)

    def close(self):
        for provider in self.providers:
            provider.close()
        self.cable.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Provider:
    def __init__(self, peers, host, port, people):
        self.peers, self.host, self.port = peers, host, port
        self.people = {account.login: account for account in people}
        self.key, self.certificate = peers.authority.issue(host)
        self.folder = peers.folder / host
        self.folder.mkdir()
        self._process = None
        peers.providers.append(self)

    @property
    def base(self):
        return f"https://{self.host}:{self.port}"

    def _spawn(self, *argv):
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                self.peers.cable.command(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=namespaces.die_with_parent,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "NODE_ENV": "production"})
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.peers.network.connect(self.peers.address, self.port, 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{self.host} did not start:\n{self.log()}") from None
                time.sleep(0.05)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def stop(self):
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self, frozen=True):
        """It takes connections, and answers nothing (until frozen=False)."""
        os.kill(self._process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def close(self):
        self.stop()

    def call(self, method, path, body=None, headers=(), form=None):
        """(status, headers, what came), as a client outside would see it."""
        trust = ssl.create_default_context(cafile=str(self.peers.authority.certificate))
        plain = self.peers.network.connect(self.peers.address, self.port)
        with contextlib.closing(http.client.HTTPSConnection(self.host, self.port)) as connection:
            connection.sock = trust.wrap_socket(plain, server_hostname=self.host)
            connection.sock.settimeout(START_SECONDS)
            send = dict(headers)
            data = None
            if form is not None:
                data = "&".join(f"{k}={_quote(v)}" for k, v in form.items())
                send["Content-Type"] = "application/x-www-form-urlencoded"
            elif body is not None:
                data = json.dumps(body)
                send["Content-Type"] = "application/json"
            connection.request(method, path, data, send)
            answer = connection.getresponse()
            text = answer.read()
            with contextlib.suppress(ValueError):
                text = json.loads(text)
            return answer.status, answer.headers, text


def _quote(text):
    return quote(text, safe="")


class OidcProvider(Provider):
    """oidc-provider. What it knows of sign-ins under way is in its memory: a restart forgets them."""

    def __init__(self, peers, people, host="accounts.peer.test", port=8443, **settings):
        super().__init__(peers, host, port, people)
        self.issuer = self.base
        self.settings = settings
        self.clients = [
            {"client_id": CLIENT, "client_name": "the machines of acme", "client_secret": CLIENT_SECRET,
             "token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "ES256"},
            {"client_id": "public", "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "RS256"},
            {"client_id": "other", "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256"},
        ]
        self.keys = None

    def new_keys(self):
        """Other signing keys, from the next start on."""
        make = ("const { generateKeyPairSync: make, randomUUID: id } = require('crypto');"
                "const key = (kind, options, alg) => ({ ...make(kind, options).privateKey.export({ format: 'jwk' }),"
                " kid: id(), alg, use: 'sig' });"
                "console.log(JSON.stringify({ keys: [key('ec', { namedCurve: 'P-256' }, 'ES256'),"
                " key('rsa', { modulusLength: 2048 }, 'RS256')] }))")
        done = subprocess.run(["node", "-e", make], check=True, capture_output=True, text=True)
        self.keys = json.loads(done.stdout)

    def start(self):
        if not self.keys:
            self.new_keys()
        path = self.folder / "settings.json"
        path.write_text(json.dumps({
            "issuer": self.issuer, "port": self.port, "modules": str(MODULES), "tls_key": str(self.key),
            "tls_certificate": str(self.certificate), "keys": self.keys, "resources": [RESOURCE],
            "clients": [{"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
                         "response_types": [], "redirect_uris": [], **client} for client in self.clients],
            "people": [{"login": a.login, "password": a.password, "subject": a.subject, "email": a.email,
                        "email_verified": a.verified, "name": a.name, "claims": a.claims}
                       for a in self.people.values()],
            **self.settings}))
        return self._spawn("node", str(SOURCE / "oidc_provider.mjs"), str(path))

    def approve(self, browser, address, code, login, allow=True, picture=None):
        """What a person does with what the prompt says. `picture(name)`: where a picture of each page goes."""
        shoot = (lambda name: browser.picture(picture(name))) if picture else (lambda name: None)
        account = self.people[login]
        browser.forget()
        browser.open(address)
        browser.type("input[name=user_code]", code)
        shoot("code")
        browser.click("#go-on")
        browser.seen("#confirm")
        assert browser.text("#code").replace("-", "") == code.replace("-", ""), browser.text()
        browser.click("#confirm")
        browser.type("input[name=login]", account.login)
        browser.type("input[name=password]", account.password)
        shoot("sign-in")
        browser.click("#sign-in")
        browser.seen("#allow", "#done")
        if browser.has("#allow"):
            shoot("allow")
            browser.click("#allow" if allow else "#deny")
        browser.seen("#done" if allow else "#refused")
        shoot("done")


class Glewlwyd(Provider):
    """glewlwyd, with its data in a file: a restart forgets nothing. (It takes secrets in an Authorization header as they
    are, and not as RFC 6749 has them, 2.3.1; so ours comes in the form.)"""

    PLUGIN = "oidc"

    def __init__(self, peers, people, host="glewlwyd.peer.test", port=8444):
        super().__init__(peers, host, port, people)
        self.issuer = f"{self.base}/api/{self.PLUGIN}"
        self.root = self.folder / "root"
        rootfs.overlay([rootfs.layer("glewlwyd", GLEWLWYD), rootfs.base()], self.folder / "upper", self.folder / "work",
                       self.root)
        for name, path in (("tls.key", self.key), ("tls.pem", self.certificate)):
            (self.root / "etc/glewlwyd" / name).write_text(path.read_text())
        self._straighten()
        sql = (self.root / "usr/share/dbconfig-common/data/glewlwyd/install/sqlite3").read_text()
        with contextlib.closing(sqlite3.connect(self.root / "var/lib/peer.db")) as database:
            database.executescript(sql)
            database.executemany("INSERT INTO gpo_subject_identifier (gposi_plugin_name, gposi_username, gposi_sub) "
                                 "VALUES (?, ?, ?)", [(self.PLUGIN, a.login, a.subject) for a in people])
            database.commit()
        self._cookie = None
        self._made = False
        (self.root / "etc/glewlwyd/peer.conf").write_text(f'''
port={self.port}
external_url="{self.base}"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp/"
log_mode="console"
log_level="INFO"
cookie_secure=1
cookie_same_site="lax"
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
use_secure_connection=true
secure_connection_key_file="/etc/glewlwyd/tls.key"
secure_connection_pem_file="/etc/glewlwyd/tls.pem"
hash_algorithm="SHA512"
database = {{ type = "sqlite3"; path = "/var/lib/peer.db"; }};
static_files_mime_types = (
  {{ extension = ".html"; mime_type = "text/html"; }}, {{ extension = ".css"; mime_type = "text/css"; }},
  {{ extension = ".js"; mime_type = "application/javascript"; }}, {{ extension = ".json"; mime_type = "application/json"; }},
  {{ extension = ".png"; mime_type = "image/png"; }}, {{ extension = ".woff2"; mime_type = "font/woff2"; }}
);
''')

    def _straighten(self):
        """Its pages are links to other packages' files, which it does not follow; one leads to a folder."""
        pages = self.root / "usr/share/glewlwyd/webapp"
        for link in [path for path in pages.rglob("*") if path.is_symlink()]:
            target = os.readlink(link)
            found = self.root / target.lstrip("/") if target.startswith("/") else link.parent / target
            link.unlink()
            if found.is_dir():
                found = found / link.name
            if found.is_file():
                shutil.copy(found, link)

    def start(self):
        self._spawn("chroot", str(self.root), "glewlwyd", "--config-file=/etc/glewlwyd/peer.conf")
        if not self._made:
            self._set_up()
            self._made = True
        return self

    def _admin(self, method, path, body=None):
        status, headers, answer = self.call(method, f"/api/{path}", body, {"Cookie": self._cookie or ""})
        assert status == 200, (path, status, answer, self.log())
        return headers, answer

    def _set_up(self):
        headers, _ = self._admin("POST", "auth/", {"username": "admin", "password": "password"})
        self._cookie = headers["Set-Cookie"].split(";")[0]
        # Scopes without a further question after the password.
        for scope in ("email", "profile"):
            self._admin("POST", "scope/", {"name": scope, "display_name": scope, "password_required": True,
                                           "password_max_age": 0, "scheme": {}})
        self._admin("PUT", "scope/openid", {"name": "openid", "display_name": "who you are", "password_required": True,
                                            "password_max_age": 0, "scheme": {}})
        for module, options in (("user", {"email-verified": {"multiple": False, "read": True, "write": True}}),):
            _, instance = self._admin("GET", f"mod/{module}/database")
            instance["parameters"]["data-format"].update(options)
            self._admin("PUT", f"mod/{module}/database", instance)
            self._admin("PUT", f"mod/{module}/database/reset")
        key = self.folder / "sign.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout"], check=True, capture_output=True,
                                text=True).stdout
        self._admin("POST", "mod/plugin/", {
            "module": "oidc", "name": self.PLUGIN, "display_name": "OpenID Connect", "parameters": {
                "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": key.read_text(), "cert": public,
                "access-token-duration": 600, "refresh-token-duration": 3600, "code-duration": 600,
                "refresh-token-rolling": False, "allow-non-oidc": False, "auth-type-code-enabled": False,
                "auth-type-token-enabled": False, "auth-type-id-token-enabled": True, "auth-type-none-enabled": False,
                "auth-type-password-enabled": False, "auth-type-client-enabled": False,
                "auth-type-device-enabled": True, "auth-type-refresh-enabled": True,
                "device-authorization-expiration": 600, "device-authorization-interval": 1,
                "subject-type": "public", "name-claim": "mandatory", "email-claim": "mandatory",
                "scope-claim": "no", "jwks-show": True,
                "claims": [{"name": "email_verified", "user-property": "email-verified", "type": "boolean",
                            "boolean-value-true": "1", "boolean-value-false": "0", "mandatory": True,
                            "on-demand": False}]}})
        self._admin("POST", "client/", {
            "client_id": CLIENT, "name": "the machines of acme", "confidential": True, "client_secret": CLIENT_SECRET,
            "authorization_type": ["device_authorization", "refresh_token"], "enabled": True,
            "token_endpoint_auth_method": ["client_secret_post"], "scope": ["openid"], "redirect_uri": []})
        for account in self.people.values():
            self._admin("POST", "user/", {
                "username": account.login, "name": account.name, "email": account.email, "password": account.password,
                "email-verified": "1" if account.verified else "0", "enabled": True,
                "scope": ["openid", "email", "profile", "g_profile"]})

    def approve(self, browser, address, code, login, picture=None):
        """As OidcProvider.approve; it has no button for "no"."""
        shoot = (lambda name: browser.picture(picture(name))) if picture else (lambda name: None)
        account = self.people[login]
        browser.forget()
        browser.open(address)
        browser.type("input[placeholder='X1Y2-A3B4']", code)
        shoot("code")
        browser.click("button.btn-primary")
        browser.type("#username", account.login)
        browser.type("#password", account.password)
        shoot("sign-in")
        browser.click("#loginbut")
        browser.seen(".card-footer .btn-success")
        # What it was granted once it is not asked again.
        if browser.has(".carousel-item.active .list-group"):
            shoot("allow")
            browser.click(".carousel-item.active button.btn-primary")
        browser.click(".card-footer .btn-success:not([disabled])")
        browser.wait_for_url("prompt=deviceComplete")
        shoot("done")

    def close(self):
        self.stop()
        subprocess.run(["umount", str(self.root)], stderr=subprocess.DEVNULL)
