#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An identity provider that does what a test tells it: when it answers, what it says of whom, and what it saw of each
sign-in. For what a real one (hostlib/providers.py) cannot be made to do at the right moment."""
import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

from hostlib import providers

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class FakeProvider(providers.Provider):
    """The tests' half: it runs in the network of the providers, and is told things over HTTPS."""

    def __init__(self, peers, host="fake.peer.test", port=8450):
        super().__init__(peers, host, port, ())
        self.issuer = self.base

    def start(self):
        settings = {"issuer": self.issuer, "port": self.port, "key": str(self.key), "certificate": str(self.certificate),
                    "folder": str(self.folder)}
        path = self.folder / "settings.json"
        path.write_text(json.dumps(settings))
        return self._spawn("env", f"PYTHONPATH={pathlib.Path(__file__).parents[1]}", sys.executable, "-B", __file__,
                           str(path))

    def tell(self, **settings):
        """expires_in, interval; stall: seconds before an address is given; refuse: an OAuth error instead of one."""
        assert self.call("POST", "/control/settings", settings)[0] == 200

    def flows(self):
        return self.call("GET", "/control/flows")[2]

    def flow(self, user_code):
        return next(f for f in self.flows() if f["user_code"] == user_code)

    def decide(self, user_code, state="approved", **claims):
        """What the person does: "approved" as whom the claims say, "denied", "expired"."""
        assert self.call("POST", "/control/decide", {"user_code": user_code, "state": state, "claims": claims})[0] == 200

    def is_forgotten(self, user_code, seconds=6):
        """Nobody asks about this sign-in any more."""
        before = self.flow(user_code)["polls"]
        time.sleep(seconds)
        return self.flow(user_code)["polls"] == before


# --- the program


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*argv, **kwargs):
    return subprocess.run(["openssl", *argv], check=True, capture_output=True, **kwargs).stdout


class _State:
    def __init__(self, settings):
        self.settings = settings
        self.lock = threading.Lock()
        self.flows = {}
        self.knobs = {"expires_in": 600, "interval": 1, "stall": 0, "refuse": None}
        self.key = settings["folder"] + "/sign.pem"
        if not pathlib.Path(self.key).exists():  # it is the same one after a restart
            _openssl("genrsa", "-out", self.key, "2048")
        modulus = _openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwks = {"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "e": "AQAB",
                               "n": _base64url(bytes.fromhex(modulus))}]}

    def token(self, flow):
        now = int(time.time())
        claims = {"iss": self.settings["issuer"], "aud": flow["client_id"], "iat": now, "exp": now + 300,
                  **({"nonce": flow["nonce"]} if flow["nonce"] else {}), **flow["claims"]}
        body = ".".join(_base64url(json.dumps(part).encode())
                        for part in ({"alg": "RS256", "kid": "one", "typ": "JWT"}, claims))
        signature = _openssl("dgst", "-sha256", "-sign", self.key, input=body.encode())
        return body + "." + _base64url(signature)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        state, issuer = self.server.state, self.server.state.settings["issuer"]
        if self.path == "/.well-known/openid-configuration":
            self._send(200, {
                "issuer": issuer, "device_authorization_endpoint": f"{issuer}/device", "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys", "authorization_endpoint": f"{issuer}/authorize",
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "grant_types_supported": [DEVICE_GRANT], "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["none"]})
        elif self.path == "/keys":
            self._send(200, state.jwks)
        elif self.path == "/control/flows":
            with state.lock:
                self._send(200, list(state.flows.values()))
        else:
            self._send(404, {})

    def do_POST(self):
        state = self.server.state
        text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path.startswith("/control/"):
            body = json.loads(text)
            with state.lock:
                if self.path == "/control/settings":
                    state.knobs.update(body)
                else:
                    flow = next(f for f in state.flows.values() if f["user_code"] == body["user_code"])
                    flow.update(state=body["state"], claims=body["claims"])
            self._send(200, {})
            return
        form = dict(urllib.parse.parse_qsl(text))
        if self.path == "/device":
            self._device(state, form)
        elif self.path == "/token":
            self._token(state, form)
        else:
            self._send(404, {})

    def _device(self, state, form):
        time.sleep(state.knobs["stall"])
        if state.knobs["refuse"]:
            self._send(401, {"error": state.knobs["refuse"], "error_description": "as the test wants it"})
            return
        with state.lock:
            number = len(state.flows) + 1
            code = f"FAKE-{number:04}"
            state.flows[f"device-{number}"] = {
                "user_code": code, "client_id": form.get("client_id"), "nonce": form.get("nonce"), "polls": 0,
                "state": "pending", "claims": {}}
        address = state.settings["issuer"] + "/approve"
        self._send(200, {"device_code": f"device-{number}", "user_code": code, "verification_uri": address,
                         "verification_uri_complete": f"{address}?code={code}",
                         "expires_in": state.knobs["expires_in"], "interval": state.knobs["interval"]})

    def _token(self, state, form):
        with state.lock:
            flow = state.flows.get(form.get("device_code"))
            if not flow or form.get("grant_type") != DEVICE_GRANT or form.get("client_id") != flow["client_id"]:
                self._send(400, {"error": "invalid_grant"})
                return
            flow["polls"] += 1
            now = flow["state"]
        errors = {"pending": "authorization_pending", "denied": "access_denied", "expired": "expired_token",
                  "used": "invalid_grant"}
        if now in errors:
            self._send(400, {"error": errors[now]})
            return
        token = state.token(flow)
        with state.lock:
            flow["state"] = "used"
        self._send(200, {"access_token": "not-looked-at", "token_type": "Bearer", "expires_in": 300, "id_token": token})


def main():
    settings = json.loads(pathlib.Path(sys.argv[1]).read_text())
    server = http.server.ThreadingHTTPServer(("0.0.0.0", settings["port"]), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["certificate"], settings["key"])
    # The handshake belongs to the connection's own thread: one that stalls is nobody else's matter.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.state = _State(settings)
    server.serve_forever()


if __name__ == "__main__":
    main()
