# SPDX-License-Identifier: MIT
"""A real tenantd in a folder of its own, enrolled at a control plane under test. Its helper and its journal are those of
this machine, or none: what is tested here is what it keeps and sends."""
import json
import os
import pathlib
import socket
import subprocess
import time

from .program import environment, find_program

READY_SECONDS = 30


class AgentGone(Exception):
    """No answer came: whether it did what it was asked for is not known."""


class Agent:
    def __init__(self, folder, control, settings=""):
        self.folder, self.program = pathlib.Path(folder), find_program().parent / "tenantd"
        for name in ("run", "state", "feeds"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "seal.key").write_bytes(os.urandom(32))
        (self.folder / "seal.key").chmod(0o600)
        self.socket = str(self.folder / "agent.sock")
        (self.folder / "agent.yaml").write_text(
            f"host_name: worker\nlog_level: info\ndirectory: {{path: {folder}/directory.yaml}}\n"
            f"paths: {{state: {folder}/state, run: {folder}/run, map: {folder}/run/nss.map, "
            f"seal_key: {folder}/seal.key, agent_socket: {self.socket}, userdb_socket: {folder}/userdb.sock}}\n"
            f"control_plane: {{ca_file: {control.ca}}}\n{settings}"
        )
        self.process = None

    def start(self):
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.folder / "log", "ab") as log:
            notify.bind(str(path))
            notify.settimeout(READY_SECONDS)
            self.process = subprocess.Popen(
                [self.program, "--config", self.folder / "agent.yaml"],
                env={**environment(), "NOTIFY_SOCKET": str(path)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            while b"READY=1" not in notify.recv(4096):
                pass
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def connect(self, timeout=30):
        return Line(self.socket, timeout)

    def call(self, method, timeout=30, **parameters):
        line = self.connect(timeout)
        try:
            return line.call(method, **parameters)
        finally:
            line.close()

    def enrol(self, control, operator, tenant_ids):
        token = operator.must("POST", "/v1/enrolment-tokens", {"tenants": tenant_ids, "uses": 1})["token"]
        return self.call("Enroll", timeout=60, url=control.url, token=token)["host"]

    def await_status(self, what, wanted, seconds=30):
        """Until `wanted(status)`; AssertionError says what the status was."""
        end = time.monotonic() + seconds
        while True:
            try:
                status = self.call("Status")
                if wanted(status):
                    return status
            except AgentGone as gone:
                status = gone
            assert time.monotonic() < end, f"{what}: {status}\n{self.log()[-3000:]}"
            time.sleep(0.05)


class Line:
    """One connection to the agent."""

    def __init__(self, path, timeout):
        self.peer = socket.socket(socket.AF_UNIX)
        self.peer.settimeout(timeout)
        try:
            self.peer.connect(path)
        except OSError as error:
            self.peer.close()
            raise AgentGone(str(error)) from error

    def call(self, method, **parameters):
        message = json.dumps({"method": f"io.tenantd.Agent.{method}", "parameters": parameters}).encode() + b"\0"
        try:
            self.peer.sendall(message)
            answer = b""
            while not answer.endswith(b"\0"):
                piece = self.peer.recv(65536)
                if not piece:
                    raise AgentGone("hung up")
                answer += piece
        except OSError as error:
            raise AgentGone(str(error)) from error
        answer = json.loads(answer[:-1])
        if "error" in answer:
            raise AssertionError(f"{method}: {answer}")
        return answer["parameters"]

    def close(self):
        self.peer.close()
