# SPDX-License-Identifier: MIT
"""A real tenantd in a folder of its own, for benches."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST = 0x70000000


def binary():
    build = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
    found = [p for p in build.glob("*/tenantd") if "address" not in p.parent.name]
    if not found:
        sys.exit("build first (make)")
    return max(found, key=lambda p: p.stat().st_mtime)


class Agent:
    def __init__(self, folder):
        self.folder = folder
        for name in ("run", "state", "directory.yaml.d"):
            (folder / name).mkdir()
        (folder / "seal.key").write_bytes(os.urandom(32))
        (folder / "seal.key").chmod(0o600)
        self.socket = str(folder / "agent.sock")
        (folder / "agent.yaml").write_text(
            f"host_name: bench\nlog_level: error\ndirectory: {{path: {folder}/directory.yaml}}\n"
            f"paths: {{state: {folder}/state, run: {folder}/run, map: {folder}/run/nss.map, "
            f"seal_key: {folder}/seal.key, agent_socket: {self.socket}, userdb_socket: {folder}/userdb.sock}}\n"
        )
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.settimeout(600)
        self.ready = threading.Event()
        threading.Thread(target=self.read_notices, daemon=True).start()

    def read_notices(self):
        """All of them, as systemd would: an agent whose notices nobody reads waits for room in the socket."""
        while True:
            try:
                notice = self.notify.recv(4096)
            except TimeoutError:
                continue
            if b"READY=1" in notice:
                self.ready.set()

    def start(self):
        """Milliseconds to READY=1."""
        environment = os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "30000000"}
        before = time.monotonic()
        self.ready.clear()
        self.process = subprocess.Popen([binary(), "--config", self.folder / "agent.yaml"], env=environment)
        if not self.ready.wait(600):
            raise RuntimeError("the agent did not get ready")
        return (time.monotonic() - before) * 1000

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
                print("the agent does not end:", task.name, (task / "syscall").read_text(), file=sys.stderr)
            self.process.kill()
            raise

    def call(self, method, more=False):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(600)
        peer.connect(self.socket)
        peer.sendall(json.dumps({"method": "io.tenantd.Agent." + method, "more": more}).encode() + b"\0")
        return peer

    def status(self):
        return json.loads(receive(self.call("Status")))["parameters"]

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def change(self, new, target):
        """Milliseconds from the rename to its being in force."""
        events = self.call("Subscribe", more=True)
        receive(events)
        before = time.monotonic()
        os.rename(new, target)
        while b'"directory-changed"' not in receive(events):
            pass
        return (time.monotonic() - before) * 1000


def receive(peer):
    message = b""
    while not message.endswith(b"\0"):
        byte = peer.recv(1)
        if not byte:
            sys.exit("the agent went away")
        message += byte
    return message[:-1]
