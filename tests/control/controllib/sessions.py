# SPDX-License-Identifier: MIT
"""Sessions as an agent reports them, for the tests of what becomes of them."""
import secrets
import time

ABSENT = "zzzzzzzzzzzzzzzz"


def refused(answer, status, field=None):
    assert answer.status == status, answer
    if field:
        assert answer.json["field"] == field, answer


def new_id():
    return secrets.token_hex(8)


class Reporter:
    """A host that tells of its sessions in one tenant, as an agent does."""

    def __init__(self, host, tenant_id):
        self.host, self.path = host, f"/v1/feeds/{tenant_id}/sessions"
        self.begin()

    def begin(self):
        self.list, self.part = new_id(), 0

    def body(self, *sessions, gone=(), complete=True):
        body = {"list": self.list, "part": self.part + 1, "complete": complete}
        if sessions:
            body["sessions"] = list(sessions)
        if gone:
            body["gone"] = list(gone)
        return body

    def send(self, body):
        return self.host.client.post(self.path, body)

    def say(self, *sessions, **more):
        answer = self.send(self.body(*sessions, **more))
        if answer.status == 200:
            self.part += 1
        return answer

    def must(self, *sessions, **more):
        answer = self.say(*sessions, **more)
        assert answer.status == 200 and answer.json == {"left_out": 0}, answer


def session(user, **more):
    return {"id": new_id(), "user": user.id, "opened": int(time.time()) - 60, "state": "open", "service": "sshd", **more}


def listed(client, tenant, query=""):
    return {item["id"]: item for item in client.must("GET", f"{tenant.path}/sessions{query}")["items"]}
