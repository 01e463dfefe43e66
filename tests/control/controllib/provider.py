# SPDX-License-Identifier: MIT
"""The control plane as a provider, from both ends: a client that polls, and a person with a browser without JavaScript."""
import base64
import hashlib
import html.parser
import json
import urllib.parse

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def encode(fields):
    return urllib.parse.urlencode(fields).encode()


def post(client, path, fields, **headers):
    """`fields`: a dict or a list of pairs; the body as it is when it is bytes."""
    body = fields if isinstance(fields, bytes) else encode(fields)
    return client.post(path, body, headers={**FORM, **headers})


def begin(client, tenant, **fields):
    wanted = {"client_id": tenant.id, "scope": "openid email profile", **fields}
    return post(client, "/oauth2/device_authorization", {k: v for k, v in wanted.items() if v is not None})


def poll(client, tenant, code, **fields):
    wanted = {"grant_type": GRANT, "client_id": tenant.id, "device_code": code, **fields}
    return post(client, "/oauth2/token", {k: v for k, v in wanted.items() if v is not None})


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def part(token, number):
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Page(html.parser.HTMLParser):
    """What a page holds: its text, forms' fields and buttons, and every tag and attribute that there is."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.status = answer, answer.status
        self.text, self.fields, self.tags, self.attributes, self.links, self.buttons = "", {}, [], [], [], []
        self._skip = False
        self.alert, self._in_alert = "", False
        self.feed(answer.body.decode())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        self._skip = tag == "style"
        self._in_alert = attrs.get("role") == "alert"
        if tag == "input":
            self.fields[attrs["name"]] = attrs.get("value", "")
        if tag == "button" and "name" in attrs:
            self.buttons.append((attrs["name"], attrs["value"]))
        if tag == "a":
            self.links.append(attrs["href"])

    def handle_endtag(self, tag):
        self._skip = self._in_alert = False

    def handle_data(self, data):
        if not self._skip:
            self.text += data
        if self._in_alert:
            self.alert += data


class Browser:
    """A person's: sends what the page's form holds, and what they typed."""

    def __init__(self, control, client):
        self.client, self.url, self.page = client.as_(None), control.url, None

    def open(self, query=""):
        self.page = Page(self.client.get("/device" + query))
        return self.page

    def send(self, headers=None, **typed):
        fields = {**self.page.fields, **typed}
        told = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        answer = post(self.client, "/device", fields, **{k: v for k, v in told.items() if v is not None})
        self.page = Page(answer)
        return self.page

    def enter(self, code):
        self.open()
        return self.send(user_code=code)

    def decide(self, code, email="", password="", decision="approve"):
        page = self.enter(code)
        assert page.status == 200, page.answer
        return self.send(email=email, password=password, decision=decision)
