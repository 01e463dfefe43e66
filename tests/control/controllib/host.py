# SPDX-License-Identifier: MIT
"""A host as the control plane sees one: it enrols, gets tokens, reads feeds. It checks by itself what it reads (chains
and signatures, with openssl and nothing of ours), so the tests do not believe the code that they test."""
import base64
import hashlib
import http.client
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.parse


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def _raw_signature(der):
    """ECDSA's two numbers as JOSE has them, from their DER form."""
    first = 4 + der[3]
    r, s = der[4:first], der[first + 2 : first + 2 + der[first + 1]]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (r, s))


class Key:
    """A P-256 key in a file."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "host.pem"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.path))
        point = _openssl("ec", "-in", str(self.path), "-pubout", "-outform", "DER")[-64:]
        self.jwk = {"crv": "P-256", "kty": "EC", "x": _b64(point[:32]), "y": _b64(point[32:])}
        # RFC 7638: members in this order, without spaces.
        self.kid = _b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":")).encode()).digest())

    def sign(self, header, payload):
        text = ".".join(_b64(json.dumps(part).encode()) for part in (header, payload))
        der = _openssl("dgst", "-sha256", "-sign", str(self.path), data=text.encode())
        return f"{text}.{_b64(_raw_signature(der))}"


class Note:
    """A signed note: its lines, and which of `keys` (vkeys) signed it. A bad signature by one of them is an error."""

    def __init__(self, text, keys):
        end = text.rindex("\n\n") + 1
        self.text, self.lines = text[:end], text[:end].splitlines()
        self.signers = set()
        for line in text[end + 1 :].splitlines():
            dash, name, blob = line.split(" ")
            assert dash == "—"
            blob = base64.b64decode(blob, validate=True)
            for key in keys:
                if key.split("+")[0] == name and bytes.fromhex(key.split("+")[1]) == blob[:4]:
                    verify(key, self.text.encode(), blob[4:])
                    self.signers.add(key)
        assert self.signers, f"nobody we know signed:\n{text}"

    def __getitem__(self, word):
        return next(line.split(" ", 1)[1] for line in self.lines[2:] if line.startswith(word + " "))


_seen = set()


def verify(vkey, data, signature):
    """One Ed25519 signature, by openssl. What was checked once is not checked again."""
    if (vkey, data, signature) in _seen:
        return
    name, key_id, blob = vkey.split("+", 2)
    public = base64.b64decode(blob)
    assert public[0] == 1 and hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex() == key_id
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "key": bytes.fromhex("302a300506032b6570032100") + public[1:],
            "data": data,
            "signature": signature,
        }
        for file, content in files.items():
            (pathlib.Path(folder) / file).write_bytes(content)
        _openssl(
            "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", f"{folder}/key", "-in", f"{folder}/data",
            "-sigfile", f"{folder}/signature",
        )  # fmt: skip
    _seen.add((vkey, data, signature))


def trust_keys(note):
    return [line.split(" ", 1)[1] for line in note.splitlines() if line.startswith("key ")]


def chain_start(origin, epoch):
    return hashlib.sha256(f"tenantd-feed-chain/v1\n{origin}\n{epoch}\n".encode()).digest()


def chain_add(chain, delta):
    return hashlib.sha256(chain + hashlib.sha256(delta).digest()).digest()


class Events:
    """An open stream. next() is (event, id, data); None at its end. TimeoutError when nothing comes."""

    def __init__(self, client, path, timeout):
        self.connection = client.as_(client.token)
        self.connection.timeout = timeout
        http_connection = self.connection._connect()  # pylint: disable=protected-access
        self.connection.connection = http_connection
        http_connection.request("GET", path, headers={"Authorization": f"Bearer {client.token}"})
        self.response = http_connection.getresponse()
        self.status = self.response.status

    def next(self):
        event, ident, data = "message", "", []
        while True:
            try:
                line = self.response.readline()
            except (http.client.IncompleteRead, ConnectionResetError):
                return None
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if line == "" and data:
                return event, ident, "\n".join(data)
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("id: "):
                ident = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line:
                raise AssertionError(f"not an event: {line!r}")

    def close(self):
        self.connection.close()


class Feed:
    """One tenant's feed as a host follows it: every delta and head is checked."""

    def __init__(self, host, tenant_id):
        self.host, self.path = host, f"/v1/feeds/{tenant_id}"
        self.trust_text = next(t["trust"] for t in host.tenants if t["id"] == tenant_id)
        self.origin = next(t["origin"] for t in host.tenants if t["id"] == tenant_id)
        self.keys = trust_keys(self.trust_text)
        trust = Note(self.trust_text, self.keys)
        assert trust.lines[:2] == ["tenantd-feed-trust/v1", self.origin] and trust.signers == set(self.keys)
        self.epoch = int(trust["epoch"])
        self.start_at_zero()

    def start_at_zero(self):
        self.revision, self.chain = 0, chain_start(self.origin, self.epoch)
        self.head, self.deltas, self.pending = None, [], []

    def take_snapshot(self):
        """The newest: its bytes, checked against its note."""
        answer = self.host.client.get(f"{self.path}/snapshot")
        assert answer.status == 200, answer
        note = Note(answer.body.decode(), self.keys)
        blob = self.host.client.get(f"{self.path}/blobs/{note['sha256']}")
        assert blob.status == 200 and hashlib.sha256(blob.body).hexdigest() == note["sha256"]
        assert len(blob.body) == int(note["bytes"])
        self.revision, self.chain = int(note["revision"]), bytes.fromhex(note["chain"])
        self.epoch, self.pending = int(note["epoch"]), []
        return note, blob.body

    def events(self, timeout=10, once=None, client=None):
        path = f"{self.path}/events?epoch={self.epoch}&after={self.revision}"
        return Events(client or self.host.client, path + (f"&once={once}" if once else ""), timeout)

    def take(self, event):
        """One event; True for a head."""
        kind, ident, data = event
        if kind == "delta":
            delta = json.loads(data)
            assert delta["feed"] == self.origin and delta["epoch"] == self.epoch
            assert (delta["prev"], delta["rev"]) == (self.revision, self.revision + 1)
            assert ident == f"{self.epoch}.{delta['rev']}" and delta["ops"]
            self.revision, self.chain = delta["rev"], chain_add(self.chain, data.encode())
            self.deltas.append(data)
            return False
        assert kind == "head", kind
        head = Note(data + "\n", self.keys)
        assert head.lines[:2] == ["tenantd-feed-head/v1", self.origin]
        assert (int(head["epoch"]), int(head["revision"])) == (self.epoch, self.revision)
        assert head["chain"] == self.chain.hex()
        self.head = head
        return True

    def follow(self, stream, upto=None):
        """Until a head of `upto` (or the first one)."""
        while True:
            event = stream.next()
            assert event is not None, "the stream ended"
            if self.take(event) and (upto is None or self.revision >= upto):
                return

    def ack(self, outcome="applied", **more):
        body = {"epoch": self.epoch, "revision": self.revision, "outcome": outcome, **more}
        return self.host.client.post(f"{self.path}/acks", body)


def check_assignment(answer, host_id, authority):
    """The note of an answer about tenants: signed by that key, about that host, and saying what the answer says."""
    note = Note(answer["assignment"], [authority])
    assert note.lines[:3] == ["tenantd-host-assignment/v1", authority.split("+")[0], f"host {host_id}"], note.text
    words = [line.split(" ")[0] for line in note.lines[2:]]
    assert words == ["host", "version", "issued"] + ["tenant"] * len(answer["tenants"]), note.text
    said = [f"tenant {t['id']} {hashlib.sha256(t['trust'].encode()).hexdigest()}" for t in answer["tenants"]]
    assert note.lines[5:] == sorted(said), note.text
    return int(note["version"])


class Host:
    def __init__(self, operator, tenant_ids, name, folder):
        self.key, self.name = Key(folder), name
        token = operator.must("POST", "/v1/enrolment-tokens", {"tenants": tenant_ids, "uses": 1})
        self.client = operator.as_(None)
        made = self.client.must("POST", "/v1/enrol", {"token": token["token"], "name": name, "key": self.key.jwk})
        self.id, self.tenants, self.authority = made["host"], made["tenants"], made["authority"]
        self.version = check_assignment(made, self.id, self.authority)

    def sign_in(self, url, client=None):
        client = client or self.client
        now = int(time.time())
        claims = {"iss": self.id, "sub": self.id, "aud": f"{url}/v1/hosts/token", "iat": now, "exp": now + 30}
        claims["jti"] = base64.b32encode(hashlib.sha256(str(time.time_ns()).encode()).digest()[:10]).decode()
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.key.sign({"alg": "ES256", "typ": "JWT", "kid": self.key.kid}, claims),
        }
        answer = client.post(
            "/v1/hosts/token",
            urllib.parse.urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 200, answer
        client.token = answer.json["access_token"]
        return client

    def served(self):
        """What hosts/self says, checked; the version of its note."""
        answer = self.client.must("GET", "/v1/hosts/self")
        assert "authority" not in answer
        return answer, check_assignment(answer, self.id, self.authority)

    def feed(self, tenant_id):
        return Feed(self, tenant_id)
