# SPDX-License-Identifier: MIT
"""The secrets of identity providers: they are in the agent's memory while the directory has them and not a moment
longer, and never in its logs, files and answers."""

import json
import os
import pathlib
import subprocess
import time

import pytest
from live_agent import DIRECTORY, Key, LiveAgent, binary

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="asking about providers is root's alone"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]


def new_secret():
    return "GOCSPX-" + os.urandom(20).hex()


def coordinate():
    import base64

    return base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


class Planted:
    def __init__(self):
        self.first, self.second, self.refused = new_secret(), new_secret(), new_secret()
        self.key_part = coordinate()
        self.key = json.dumps({"kty": "EC", "crv": "P-256", "x": coordinate(), "y": coordinate(), "d": self.key_part})


def provider(secret, more="client_auth: client_secret_post"):
    return (
        "providers:\n  - {id: idp_a, tenant: ten_acme, kind: oidc, issuer: https://login.acme.invalid, client_id: hosts, "
        f"{more}, client_secret: {secret}}}\n"
    )


def with_key(key):
    return (
        "providers:\n  - {id: idp_a, tenant: ten_acme, kind: oidc, issuer: https://login.acme.invalid, client_id: hosts, "
        f"client_auth: private_key_jwt, client_key: '{key}'}}\n"
    )


def forms(secret):
    text = secret.encode()
    return [text, text.hex().encode(), text[: len(text) // 2], text[len(text) // 2 :]]


def holds(haystack, *secrets):
    return [secret for secret in secrets if any(form in haystack for form in forms(secret))]


def put(agent, text, key, works=True):
    agent.directory = DIRECTORY + text
    agent.write_directory([key])
    connection = agent.connect()
    answer = connection.ask("Reload")
    assert ("changed" in answer) if works else (answer == "io.tenantd.Agent.ReloadFailed"), answer
    for method in ("Status", "Providers"):
        agent.answers.append(json.dumps(connection.ask(method)))
    connection.close()


def memory_without(agent, *secrets):
    """Soon: who held the picture before lets go of it in its own time."""
    deadline = time.monotonic() + 5
    while True:
        memory = agent.memory()
        if not holds(memory, *secrets) or time.monotonic() > deadline:
            return memory
        time.sleep(0.1)


@pytest.fixture(scope="module")
def planted():
    return Planted()


@pytest.fixture(scope="module")
def agent(tmp_path_factory, planted):
    key = Key("usr_alice")
    made = LiveAgent(tmp_path_factory.mktemp("agent"), [key], padding=70000)
    made.answers, made.memories = [], {}
    put(made, provider(planted.first), key)
    made.memories["with the first"] = made.memory()
    for bad in ("client_auth: none", "client_auth: client_secret_post, bind: verified_email", "client_aut: none",
                f"client_auth: client_secret_post, client_key: {planted.refused}"):
        put(made, provider(planted.refused, bad), key, works=False)
    put(made, provider(planted.second), key)
    made.memories["with the second"] = memory_without(made, planted.first, planted.refused)
    put(made, with_key(planted.key), key)
    made.memories["with a key"] = memory_without(made, planted.first, planted.second)
    put(made, "", key)
    made.memories["with none"] = memory_without(made, planted.key_part)
    yield made
    made.stop()


def test_it_is_there_while_it_is_needed(agent, planted):
    """Else the other tests would look for nothing."""
    assert holds(agent.memories["with the first"], planted.first)
    assert holds(agent.memories["with the second"], planted.second)
    assert holds(agent.memories["with a key"], planted.key_part)
    assert any("idp_a" in answer for answer in agent.answers)


def test_no_memory_afterwards(agent, planted):
    everything = planted.first, planted.second, planted.refused, planted.key_part
    assert holds(agent.memories["with the second"], planted.first, planted.refused) == []
    assert holds(agent.memories["with a key"], planted.first, planted.second, planted.refused) == []
    assert holds(agent.memories["with none"], *everything) == []


def test_no_log_and_no_answer(agent, planted):
    everything = planted.first, planted.second, planted.refused, planted.key_part
    assert holds(b"\n".join(agent.entries), *everything) == []
    assert holds(agent.log.read_bytes(), *everything) == []
    assert holds("\n".join(agent.answers).encode(), *everything) == []
    assert b"idp_a" in b"\n".join(agent.entries)  # that something changed is said


def test_no_file(agent, planted):
    for path in agent.folder.rglob("*"):
        if path.is_file():
            assert holds(path.read_bytes(), planted.first, planted.second, planted.refused, planted.key_part) == [], path


def test_no_verb_shows_it(agent, planted, tmp_path):
    ctl = pathlib.Path(binary()).with_name("tenantctl")
    file = tmp_path / "directory.yaml"
    file.write_text(DIRECTORY + provider(planted.first))
    for words in (["directory", "show", "providers"], ["directory", "show", "identities"], ["directory", "check"],
                  ["directory", "set-provider", "idp_a", "--amr", "mfa"], ["directory", "remove-provider", "idp_a"]):
        for json_too in ([], ["--json"]):
            done = subprocess.run([ctl, *words, *json_too, "--file", file], capture_output=True, timeout=30)
            assert done.returncode == 0, done
            assert holds(done.stdout + done.stderr, planted.first) == []
