# SPDX-License-Identifier: MIT
"""ES256 for tests by the openssl program, so that nothing of what is tested vouches for itself: keys as hosts make them,
and tokens that say whatever a test wants."""
import base64
import json
import pathlib
import secrets
import subprocess
import tempfile


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A P-256 key: .jwk is its public half, sign(claims) a token."""

    def __init__(self, curve="P-256"):
        self.folder = tempfile.TemporaryDirectory(prefix="jose-")
        self.path = pathlib.Path(self.folder.name) / "key.pem"
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", self.path)
        der = self._openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        self.x, self.y = der[-64:-32], der[-32:]
        self.jwk = {"kty": "EC", "crv": curve, "x": encode(self.x), "y": encode(self.y)}
        thumb = json.dumps({k: self.jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()
        self.kid = encode(self._openssl("dgst", "-sha256", "-binary", input=thumb))

    @staticmethod
    def _openssl(*arguments, input=None):
        return subprocess.run(["openssl", *map(str, arguments)], input=input, capture_output=True, check=True).stdout

    def sign(self, claims, **header):
        head = {"alg": "ES256", "typ": "JWT", "kid": self.kid, **header}
        text = ".".join(
            encode(part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode())
            for part in ({name: value for name, value in head.items() if value is not None}, claims)
        )
        der = self._openssl("dgst", "-sha256", "-sign", self.path, input=text.encode())
        at, raw = 2, b""
        for _ in range(2):
            length = der[at + 1]
            raw += int.from_bytes(der[at + 2 : at + 2 + length], "big").to_bytes(32, "big")
            at += 2 + length
        return text + "." + encode(raw)


def assertion(key, host, url, now, header=None, **changes):
    """A host's assertion (RFC 7523); a change of None leaves the claim out."""
    claims = {
        "iss": host, "sub": host, "aud": f"{url}/v1/hosts/token", "jti": secrets.token_hex(12),
        "iat": int(now), "exp": int(now) + 60, **changes,
    }  # fmt: skip
    return key.sign({name: value for name, value in claims.items() if value is not None}, **(header or {}))
