# SPDX-License-Identifier: MIT
"""A certificate authority for the test networks, and certificates of it."""
import base64
import hashlib
import pathlib
import subprocess

_LIFE = ["-days", "2"]


def _openssl(*argv, **kwargs):
    return subprocess.run(["openssl", *argv], check=True, stdin=subprocess.DEVNULL, capture_output=True, **kwargs).stdout


def key_pin(certificate):
    """The digest of the public key in a PEM file, as browsers pin them."""
    public = _openssl("x509", "-in", str(certificate), "-noout", "-pubkey")
    der = base64.b64decode(b"".join(public.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key, self.certificate = self.folder / "ca.key", self.folder / "ca.pem"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *_LIFE,
                 "-subj", "/CN=Test networks", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign", "-keyout", str(self.key), "-out", str(self.certificate))

    def issue(self, name):
        """(key, certificate) for one name."""
        key, request, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(request))
        _openssl("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self.key), *_LIFE,
                 "-CAcreateserial", "-copy_extensions", "copy", "-out", str(made))
        return key, made

    def trust(self, host):
        """The host believes in it from now on, as in any authority of the system."""
        host.write("/usr/local/share/ca-certificates/test-networks.crt", self.certificate.read_text())
        host.run("update-ca-certificates")
