# SPDX-License-Identifier: MIT
"""tenant-control as built: its command line, and servers that end with the test."""
import os
import pathlib
import signal
import socket
import subprocess
import threading

from .client import Client

ROOT = pathlib.Path(__file__).resolve().parents[3]
READY_SECONDS = 30


def find_program():
    """The newest build with warnings as errors, or the one that CONTROL_PROGRAM names."""
    named = os.environ.get("CONTROL_PROGRAM")
    if named:
        return pathlib.Path(named)
    build = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
    for variant in ("gcc-dev", "gcc"):
        if (build / variant / "tenant-control").exists():
            return build / variant / "tenant-control"
    raise RuntimeError(f"no tenant-control in {build}: make, or set CONTROL_PROGRAM")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment():
    """Nothing of the caller's that the program listens to."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("ASAN_", "UBSAN_", "TSAN_"))}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **kept}


class Server:
    """A `serve` that said READY=1. log() is what it wrote; stop() gives its exit status."""

    def __init__(self, control, port, extra_environment=None):
        self.control, self.port = control, port
        self.log_path = control.folder / f"serve-{port}.log"
        notify_path = str(control.folder / f"notify-{port}")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o777)
        env = {**environment(), "NOTIFY_SOCKET": notify_path, **(extra_environment or {})}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(control.program), "serve", "--config", str(control.config_path)],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._await_ready()
        finally:
            os.unlink(notify_path)

    def _await_ready(self):
        self.notify.settimeout(0.2)
        for _ in range(READY_SECONDS * 5):
            try:
                if "READY=1" in self.notify.recv(4096).decode().split("\n"):
                    return
            except TimeoutError:
                pass
            if self.process.poll() is not None:
                break
        self.process.kill()
        self.process.wait()
        raise RuntimeError(f"tenant-control does not serve:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def client(self):
        """A new one, signed in as nobody."""
        return Client(self.port, self.control.ca)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self.notify.close()
        return self.process.returncode


class Control:
    """A configuration and what `tenant-control init` made of it, on a cluster. Set `config` texts before init()."""

    OPERATOR = "root@example.org"
    PASSWORD = "correct horse battery staple 7"

    def __init__(self, folder, cluster, tls=True, database="control", settings=""):
        self.folder, self.cluster, self.program = pathlib.Path(folder), cluster, find_program()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database, self.settings, self.tls = database, settings, tls
        self.port = free_port()
        self.config_path = self.folder / "control.yaml"
        self.ca = str(self.folder / "tls.crt") if tls else None
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.servers = []
        if tls:
            self._make_certificate()
        self.write_config()

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        os.chmod(self.folder / "tls.key", 0o640)

    def write_config(self, port=None, settings=None):
        """Written anew, for another port or other settings (YAML text)."""
        tls = f"tls:\n  certificate: {self.folder}/tls.crt\n  key: {self.folder}/tls.key\n" if self.tls else ""
        self.config_path.write_text(
            f"url: {self.url}\n"
            f"listen:\n  address: 127.0.0.1\n  port: {port or self.port}\n{tls}"
            f"database:\n  connection: \"{self.cluster.dsn(database=self.database)}\"\n"
            f"paths:\n  seal_key: {self.folder}/seal.key\n  internal_secret: {self.folder}/internal.secret\n"
            f"{self.settings if settings is None else settings}"
        )
        secret = self.folder / "internal.secret"
        if not secret.exists():
            secret.write_text("0123456789abcdef0123456789abcdef\n")
            secret.chmod(0o640)

    @property
    def internal_secret(self):
        return (self.folder / "internal.secret").read_text().strip()

    def run(self, *arguments, input=None, check=True, env=None):
        """tenant-control VERB … with this configuration."""
        done = subprocess.run(
            [str(self.program), arguments[0], "--config", str(self.config_path), *map(str, arguments[1:])],
            input=input, capture_output=True, text=True, env={**environment(), **(env or {})}, check=False, timeout=120,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"tenant-control {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def init(self, *more, operator=True):
        who = ("--operator", self.OPERATOR, "--password-file", "-") if operator else ("--no-operator",)
        return self.run("init", "--admin-dsn", self.cluster.admin_dsn, *who, *more, input=self.PASSWORD + "\n")

    def serve(self, another_port=False, **environment_variables):
        """Another replica with another_port=True: the same database and keys."""
        port = self.port
        if another_port:
            port = free_port()
            self.write_config(port)
        server = Server(self, port, environment_variables)
        if another_port:
            self.write_config()
        self.servers.append(server)
        return server

    def stop(self):
        while self.servers:
            self.servers.pop().stop()


class Drain(threading.Thread):
    """Calls something over and over beside the test; errors are kept for it."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.ending, self.error, self.count = call, threading.Event(), None, 0
        self.start()

    def run(self):
        try:
            while not self.ending.is_set():
                self.call()
                self.count += 1
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def finish(self):
        self.ending.set()
        self.join()
        if self.error:
            raise self.error
        return self.count
