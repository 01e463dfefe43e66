# SPDX-License-Identifier: MIT
"""A small HTTP client: one connection, JSON in and out, and nothing hidden: status, headers and bytes as they came."""
import base64
import http.client
import json
import ssl

from .description import description


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # http.client.HTTPMessage: names in any case
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class Client:
    def __init__(self, port, ca=None, token=None, host="127.0.0.1", server_name="localhost", timeout=30):
        self.port, self.ca, self.token, self.host = port, ca, token, host
        self.server_name, self.timeout = server_name, timeout
        self.connection = None

    def _connect(self):
        if self.ca:
            context = ssl.create_default_context(cafile=self.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            # The name is checked against the certificate's, whatever address is connected to.
            context.check_hostname = False
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        connection.connect()
        return connection

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def as_(self, token):
        """The same server, as somebody else, on a connection of its own."""
        return Client(self.port, self.ca, token, self.host, self.server_name, self.timeout)

    def request(self, method, path, body=None, headers=None, token=None):
        """`body`: anything for JSON, or bytes as they are."""
        sent = dict(headers or {})
        if token or self.token:
            sent.setdefault("Authorization", f"Bearer {token or self.token}")
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        for attempt in (1, 2):
            reused = self.connection is not None
            if not reused:
                self.connection = self._connect()
            try:
                self.connection.request(method, path, body=body, headers=sent)
                response = self.connection.getresponse()
                answer = Answer(response.status, response.headers, response.read())
                if response.will_close:
                    self.close()
                # Whatever a test is about: the answer is as docs/openapi.yaml says.
                description().check(method, path, answer.status, answer.headers, answer.body)
                return answer
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                # A kept connection may have been closed by the server meanwhile; a new one has no such excuse.
                self.close()
                if not reused or attempt == 2:
                    raise
        raise AssertionError("not reached")

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.request("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def must(self, method, path, body=None, **more):
        """The JSON of a 2xx answer (None without a body); anything else fails the test."""
        answer = self.request(method, path, body, **more)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer}"
        return answer.json if answer.body else None

    def sign_in(self, email, password, tenant=None):
        """An access token: of a tenant's user (by the tenant's slug), or an operator."""
        if tenant:
            answer = self.must("POST", "/v1/sign-in", {"email": email, "password": password, "tenant": tenant})
        else:
            answer = self.must("POST", "/v1/operators/sign-in", {"email": email, "password": password})
        return answer["access_token"]


def claims(token):
    """What a token says, unverified."""
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
