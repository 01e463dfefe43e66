# SPDX-License-Identifier: MIT
"""The gate: nothing behind it runs without the agent's yes."""

import asyncio
import io
import json

import pytest
import tenantd
from fake_agent import ALLOWED, DENIED, STALL


@pytest.fixture
def ran():
    return []


def call_wsgi(application, **environ):
    answers = []
    environ = {"wsgi.errors": io.StringIO(), **environ}
    body = b"".join(application(environ, lambda status, headers: answers.append((status, dict(headers)))))
    return answers[0][0], answers[0][1], body, environ["wsgi.errors"].getvalue()


def test_functions(agent, client, ran):
    @tenantd.require("dataset.write", project="acme/vision", client=client, service="uploads")
    def upload(token, path, *, answer):
        ran.append((path, answer.principal.user))
        return 5

    agent.say("VerifyCredential", ALLOWED)
    assert upload("key", "a.csv") == 5
    assert upload(path="b.csv", token="key") == 5
    assert ran == [("a.csv", "alice"), ("b.csv", "alice")]
    assert agent.asked("VerifyCredential")[0] == {
        "credential": "key",
        "project": "acme/vision",
        "action": "dataset.write",
        "service": "uploads",
    }
    agent.say("VerifyCredential", DENIED)
    with pytest.raises(tenantd.Denied):
        upload("key", "c.csv")
    agent.say("VerifyCredential", STALL)
    with pytest.raises(tenantd.Broken):
        upload("key", "c.csv")
    for token in (None, "", b"key", 5):
        with pytest.raises(tenantd.Denied):
            upload(token, "c.csv")
    with pytest.raises(TypeError):
        upload("key", "c.csv", answer="mine")
    assert len(ran) == 2
    assert upload.__name__ == "upload"


def test_project_of_the_arguments_and_named_credential(agent, client):
    @tenantd.require("project.view", project=lambda where, key: f"acme/{where}", credential="key", client=client)
    def view(where, key):
        return where

    agent.say("VerifyCredential", ALLOWED)
    assert view("vision", "k") == "vision"
    assert agent.asked("VerifyCredential")[0]["project"] == "acme/vision"


def test_mistakes_show_when_decorating(client):
    with pytest.raises(TypeError):

        @tenantd.require("project.view", project="p", client=client)
        def no_token(key):
            pass

    with pytest.raises(ValueError):
        tenantd.require("", project="p")
    with pytest.raises(ValueError):
        tenantd.require("project.view", project="")


def test_coroutines(agent, client, ran):
    @tenantd.require("project.view", project="p", client=client)
    async def view(token):
        ran.append(token)

    agent.say("VerifyCredential", DENIED, ALLOWED)
    with pytest.raises(tenantd.Denied):
        asyncio.run(view("key"))
    assert ran == []
    asyncio.run(view("key"))
    assert ran == ["key"]


def test_wsgi(agent, client, ran):
    @tenantd.require("dataset.write", project=lambda environ: environ["app.project"], client=client)
    def application(environ, start_response):
        ran.append(environ["tenantd.answer"].principal.user)
        start_response("200 OK", [])
        return [b"fine"]

    where = {"app.project": "acme/vision", "REMOTE_ADDR": "10.0.0.9"}
    agent.say("VerifyCredential", ALLOWED)
    assert call_wsgi(application, HTTP_AUTHORIZATION="Bearer key", **where)[0] == "200 OK"
    assert agent.asked("VerifyCredential")[0] == {
        "credential": "key",
        "project": "acme/vision",
        "action": "dataset.write",
        "source": "10.0.0.9",
    }
    assert ran == ["alice"]

    for header in ("", "Bearer", "Bearer ", "Basic key", "key"):
        status, headers, body, _ = call_wsgi(application, HTTP_AUTHORIZATION=header, **where)
        assert status == "401 Unauthorized"
        assert headers["WWW-Authenticate"] == "Bearer"
        assert headers["Content-Type"] == "application/problem+json"

    agent.say("VerifyCredential", DENIED)
    status, _, body, _ = call_wsgi(application, HTTP_AUTHORIZATION="bearer key", **where)
    assert status == "403 Forbidden"
    assert json.loads(body)["reason"] == "role-too-low"

    agent.say("VerifyCredential", STALL)
    status, _, body, errors = call_wsgi(application, HTTP_AUTHORIZATION="Bearer key", **where)
    assert status == "503 Service Unavailable"
    assert json.loads(body)["reason"] == "broken"
    assert "tenantd:" in errors

    status, _, _, _ = call_wsgi(application, HTTP_AUTHORIZATION="Bearer " + "k" * 70000, **where)
    assert status == "403 Forbidden"
    # What came before the gate under the answer's name is gone.
    status, *_ = call_wsgi(application, **{"tenantd.answer": ALLOWED}, **where)
    assert status == "401 Unauthorized"
    assert ran == ["alice"]
