# SPDX-License-Identifier: MIT
"""A real tenantd for tests: its own files, its own journal (a socket that collects what is sent), no host."""

import hashlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# The agent's own mount namespace: /run/systemd/journal is ours there, and nothing of the machine is touched.
ENTER = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"
"""


def binary():
    """The agent as `make` built it last, without sanitizers (they keep copies of everything)."""
    build = pathlib.Path(os.environ.get("TENANTD_BUILD", ROOT / "build"))
    found = [p for p in build.glob("*/tenantd") if "address" not in p.parent.name]
    return max(found, key=lambda p: p.stat().st_mtime) if found else None


def base62(number, count):
    digits = ""
    for _ in range(count):
        number, rest = divmod(number, 62)
        digits = DIGITS[rest] + digits
    return digits


class Key:
    """An API key, and the secret part that must turn up nowhere."""

    def __init__(self, user, more=""):
        self.public = base62(int.from_bytes(os.urandom(16), "big"), 16)
        self.secret = base62(int.from_bytes(os.urandom(32), "big"), 43)
        body = f"tnt_pk_{self.public}_{self.secret}"
        self.text = body + base62(zlib.crc32(body.encode()), 6)
        self.id = "key_" + self.public
        verifier = hashlib.sha256(self.text.encode()).hexdigest()
        self.record = (
            f"  - {{id: {self.id}, user: {user}, label: test, verifier: 'sha256:{verifier}', "
            f"created: 2026-01-01T00:00:00Z{more}}}\n"
        )


DIRECTORY = """version: 1
tenants:
  - {id: ten_acme, slug: acme, name: Acme, gid: 1879048192, ids: {first: 1879048192, count: 256, next: 1879048220}}
projects:
  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1879048193}
users:
  - {id: usr_alice, tenant: ten_acme, login: alice, uid: 1879048200}
members:
  - {user: usr_alice, project: prj_vision, role: owner}
hosts:
  - name: '*'
    serves: [{project: prj_vision}]
"""


class Connection:
    """One varlink connection; `ask` returns parameters, or the error's name."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        while b"\0" not in self.rest:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.rest += got
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        call = {"method": "io.tenantd.Agent." + method, "parameters": parameters}
        self.send(json.dumps(call).encode() + b"\0")
        reply = self.receive()
        return reply.get("error") or reply.get("parameters", {})

    def close(self):
        self.socket.close()


class LiveAgent:
    def __init__(self, folder, keys, log_level="debug", padding=0, directory=None):
        self.folder = pathlib.Path(folder)
        self.directory = directory or DIRECTORY
        self.padding = "# a line that says nothing\n" * (padding // 27)  # files of some size rest compiled, too
        self.journal_folder = self.folder / "journal"
        for name in ("run", "state", "journal"):
            (self.folder / name).mkdir(mode=0o700)
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.journal.bind(str(self.journal_folder / "socket"))
        self.journal.settimeout(0.2)
        self.entries = []
        self.hung = False  # a journald that is there and reads nothing
        self.stopping = False
        self.collector = threading.Thread(target=self._collect, daemon=True)
        self.collector.start()
        (self.folder / "seal.key").write_bytes(os.urandom(32))
        (self.folder / "seal.key").chmod(0o600)
        self.write_directory(keys)
        self.socket_path = str(self.folder / "agent.sock")
        config = self.folder / "agent.yaml"
        config.write_text(
            f"host_name: test-host\nlog_level: {log_level}\n"
            f"directory: {{path: {self.folder}/directory.yaml}}\n"
            f"feeds: {{import: {self.folder}/feeds}}\n"
            f"paths: {{state: {self.folder}/state, run: {self.folder}/run, map: {self.folder}/run/nss.map, "
            f"seal_key: {self.folder}/seal.key, agent_socket: {self.socket_path}, "
            f"userdb_socket: {self.folder}/userdb.sock}}\n"
        )
        self.log = self.folder / "stderr"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", ENTER, self.journal_folder, binary(), "--config", config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                Connection(self.socket_path).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the agent did not start: " + self.log.read_text()) from None
                time.sleep(0.02)

    def write_directory(self, keys):
        path = self.folder / "directory.yaml"
        new = path.with_suffix(".new")
        new.write_text(self.directory + ("keys:\n" if keys else "") + "".join(key.record for key in keys) + self.padding)
        new.chmod(0o640)
        new.replace(path)

    def _collect(self):
        while not self.stopping:
            if self.hung:
                time.sleep(0.01)
                continue
            try:
                self.entries.append(self.journal.recv(1 << 20))
            except TimeoutError:
                pass

    def connect(self):
        return Connection(self.socket_path)

    def memory(self):
        """Everything in the agent's writable memory: what a core file could hold, and more."""
        pieces = []
        with open(f"/proc/{self.process.pid}/maps") as maps, open(f"/proc/{self.process.pid}/mem", "rb") as mem:
            for line in maps:
                span, modes = line.split()[:2]
                if not modes.startswith("rw"):
                    continue
                start, end = (int(part, 16) for part in span.split("-"))
                try:
                    mem.seek(start)
                    pieces.append(mem.read(end - start))
                except OSError:  # [vvar] and the like
                    continue
        return b"\n".join(pieces)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        time.sleep(0.1)
        self.stopping = True
        self.collector.join()
        self.journal.close()
