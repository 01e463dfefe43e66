# SPDX-License-Identifier: MIT
"""Where events go: Debian's rsyslog over TLS, and a collector that takes OTLP's JSON strictly."""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
RECORD_KEYS = {
    "timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "eventName", "body", "attributes",
    "droppedAttributesCount", "flags",
}  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder, name="sink", hosts=("DNS:localhost", "IP:127.0.0.1")):
    """A self-signed one: key and certificate."""
    folder = pathlib.Path(folder)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(hosts)}",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    os.chmod(folder / f"{name}.key", 0o644)
    return folder / f"{name}.key", folder / f"{name}.crt"


def until(true, seconds=20, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(step)
    return true()


# ---- OTLP -----------------------------------------------------------------------------------------------------------


def value_of(value, where="body"):
    """An AnyValue of the protobuf's JSON: exactly one member, numbers of 64 bits as strings."""
    assert isinstance(value, dict) and len(value) <= 1, (where, value)
    if not value:
        return None
    ((kind, inner),) = value.items()
    if kind == "stringValue":
        assert isinstance(inner, str), (where, value)
        return inner
    if kind == "boolValue":
        assert isinstance(inner, bool), (where, value)
        return inner
    if kind == "intValue":
        assert isinstance(inner, str) and NUMBER.match(inner) and -(2**63) <= int(inner) < 2**63, (where, value)
        return int(inner)
    if kind == "doubleValue":
        assert isinstance(inner, (int, float)) and not isinstance(inner, bool), (where, value)
        return float(inner)
    if kind == "arrayValue":
        assert set(inner) == {"values"}, (where, value)
        return [value_of(item, f"{where}[]") for item in inner["values"]]
    assert kind == "kvlistValue" and set(inner) == {"values"}, (where, value)
    return pairs_of(inner["values"], where)


def pairs_of(pairs, where):
    made = {}
    for pair in pairs:
        assert set(pair) == {"key", "value"} and isinstance(pair["key"], str) and pair["key"] not in made, (where, pair)
        made[pair["key"]] = value_of(pair["value"], f"{where}.{pair['key']}")
    return made


def record_of(record):
    """One LogRecord, checked; what is of interest in it."""
    assert set(record) <= RECORD_KEYS, record
    assert "traceId" not in record and "spanId" not in record
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        assert isinstance(record[name], str) and NUMBER.match(record[name]) and 0 < int(record[name]) < 2**64, record
    number = record["severityNumber"]
    assert isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 24, record
    assert isinstance(record["eventName"], str) and record["eventName"]
    return {
        "id": pairs_of(record["attributes"], "attributes").get("log.record.uid"),
        "attributes": pairs_of(record["attributes"], "attributes"),
        "kind": record["eventName"],
        "time": int(record["timeUnixNano"]),
        "severity": number,
        "body": value_of(record["body"]),
    }


def records_of(request):
    """All of an ExportLogsServiceRequest."""
    assert set(request) == {"resourceLogs"}, request
    found = []
    for resource in request["resourceLogs"]:
        assert set(resource) == {"resource", "scopeLogs"}, resource
        attributes = pairs_of(resource["resource"]["attributes"], "resource")
        for scope in resource["scopeLogs"]:
            assert set(scope) == {"scope", "logRecords"}, scope
            assert set(scope["scope"]) == {"name", "version"}
            found += [{**record_of(record), "resource": attributes} for record in scope["logRecords"]]
    return found


class Collector:
    """OTLP/HTTP over TLS. `answer(records)` gives status, headers, body; None: takes them."""

    def __init__(self, folder, token=None):
        self.key, self.certificate = make_certificate(folder, "collector")
        self.token, self.answer = token, None
        self.records, self.requests, self.errors, self.notes = [], [], [], []
        self.port = free_port()
        self.server = None
        self.start()

    @property
    def url(self):
        return f"https://localhost:{self.port}/v1/logs"

    def start(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                status, headers, body = collector.take(self)
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.path != "/v1/logs":
            self.notes.append((request.path, request.headers.get("Content-Type"), body.decode()))
            return 200, {}, b""
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, b"who are you?"
        try:
            assert request.headers["Content-Type"] == "application/json", request.headers["Content-Type"]
            records = records_of(json.loads(body))
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
            return 400, {}, b"not OTLP"
        self.requests.append(len(records))
        answer = self.answer(records) if self.answer else None
        if answer is None:
            self.records += records
            return 200, {"Content-Type": "application/json"}, b"{}"
        return answer

    def ids(self):
        return [record["id"] for record in self.records]


# ---- rsyslog --------------------------------------------------------------------------------------------------------

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="128k" net.enableDNS="off"
	defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{ca}"
	defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="{auth}" maxSessions="100")
template(name="all" type="list") {{
	property(name="pri") constant(value=" ")
	property(name="timestamp" dateFormat="rfc3339") constant(value=" ")
	property(name="hostname") constant(value=" ")
	property(name="app-name") constant(value=" ")
	property(name="msgid") constant(value=" ")
	property(name="structured-data") constant(value=" ")
	property(name="msg") constant(value="\\n")
}}
input(type="imtcp" port="{port}" address="127.0.0.1" supportOctetCountedFraming="on" ruleset="in")
ruleset(name="in" queue.type="Direct") {{ action(type="omfile" file="{out}" template="all" asyncWriting="off" flushOnTXEnd="on") }}
"""
LINE = re.compile(r"(?P<pri>\d+) (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<msgid>\S+) "
                  r"\[tenantd@32473(?P<data>( \w+=\"(?:[^\"\\\]]|\\.)*\")*)\] ?(?P<msg>.*)\Z")  # fmt: skip


class Rsyslog:
    """rsyslogd of its own: what it took is in `messages()`, each line taken apart."""

    def __init__(self, folder, client_certificate=None):
        self.folder = pathlib.Path(folder)
        self.key, self.certificate = make_certificate(folder, "rsyslog")
        self.port, self.out, self.process = free_port(), self.folder / "taken.log", None
        self.config = self.folder / "rsyslog.conf"
        self.config.write_text(
            CONFIG.format(
                folder=self.folder, ca=client_certificate or self.certificate, certificate=self.certificate, key=self.key,
                port=self.port, out=self.out, auth="x509/certvalid" if client_certificate else "anon",
            )
        )  # fmt: skip
        self.start()

    def start(self):
        (self.folder / "pid").unlink(missing_ok=True)
        with open(self.folder / "rsyslogd.log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("rsyslogd") or "/usr/sbin/rsyslogd", "-n", "-f", str(self.config), "-i", str(self.folder / "pid")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        if not until(answers, 10):
            raise RuntimeError(f"rsyslogd does not listen:\n{(self.folder / 'rsyslogd.log').read_text()}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def messages(self):
        """What it wrote; one that a kill cut off in the middle is left out."""
        if not self.out.exists():
            return []
        found = []
        for line in self.out.read_text(errors="replace").split("\n"):
            match = LINE.match(line)
            if not match:
                continue
            data = dict(re.findall(r'(\w+)="((?:[^"\\\]]|\\.)*)"', match["data"]))
            try:
                event = json.loads(match["msg"])
            except ValueError:
                continue
            found.append({**match.groupdict(), "data": data, "event": event})
        return found

    def ids(self):
        return [message["data"].get("id") for message in self.messages()]
