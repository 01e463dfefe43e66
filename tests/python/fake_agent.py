# SPDX-License-Identifier: MIT
"""An agent that says what the test wrote down. A reply is a dict (sent as one message), bytes (sent as they
are), a list of those, or one of the strings below; the last of a method's replies stays."""

import json
import os
import shutil
import socket
import tempfile
import threading

STALL = "stall"
HANG_UP = "hang up"


def decision(word, reason="because", message="Because so.", **more):
    return {"parameters": {"decision": {"decision": word, "reason": reason, "message": message}, **more}}


PRINCIPAL = {
    "user": "alice",
    "user_id": "usr_alice",
    "uid": 1879048200,
    "kind": "person",
    "tenant": "acme",
    "tenant_id": "ten_acme",
    "project": "vision",
    "project_id": "prj_vision",
    "role": "editor",
}
ALLOWED = decision("allowed", "allowed", "", principal=PRINCIPAL, key_id="key_1", actions=["project.view"])
DENIED = decision("denied", "role-too-low", "Your role is too low.", principal=PRINCIPAL)


class FakeAgent:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fake-agent-")
        self.path = os.path.join(self.folder, "agent.sock")
        self.script = {}
        self.calls = []
        self.connections = 0
        self._peers = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, method, *replies):
        self.script[method] = list(replies)

    def asked(self, method):
        return [call["parameters"] for call in self.calls if call["method"] == f"io.tenantd.Agent.{method}"]

    def cut(self):
        with self._lock:
            for peer in self._peers:
                try:
                    peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self._peers.clear()

    def stop(self):
        self._listener.close()
        self.cut()
        shutil.rmtree(self.folder)

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._peers.append(peer)
                self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        received = b""
        with peer:
            while True:
                try:
                    data = peer.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                received += data
                while b"\0" in received:
                    frame, _, received = received.partition(b"\0")
                    call = json.loads(frame)
                    self.calls.append(call)
                    replies = self.script.get(call["method"].rpartition(".")[2])
                    if not replies:
                        reply = {"error": "org.varlink.service.MethodNotFound", "parameters": {}}
                    else:
                        reply = replies.pop(0) if len(replies) > 1 else replies[0]
                    if not self._say(peer, reply):
                        return

    def _say(self, peer, reply):
        for part in reply if isinstance(reply, list) else [reply]:
            if part == HANG_UP:
                return False
            if part == STALL:
                continue
            data = part if isinstance(part, bytes) else json.dumps(part).encode() + b"\0"
            try:
                peer.sendall(data)
            except OSError:
                return False
        return True
