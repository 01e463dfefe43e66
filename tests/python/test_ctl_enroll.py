# SPDX-License-Identifier: MIT
"""tenantctl enroll, unenroll, and status about feeds, with a live agent that has no control plane to reach."""

import json
import os

import pytest
from live_agent import DIGITS, LiveAgent, base62, binary
from test_ctl_agent import ctl
from zlib import crc32

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="root alone may enrol"),
    pytest.mark.skipif(binary() is None, reason="the agent is not built: run make"),
]


def token():
    body = "tnt_et_" + DIGITS[7] * 16 + "_" + base62(int.from_bytes(os.urandom(32), "big"), 43)
    return body + base62(crc32(body.encode()), 6)


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    made = LiveAgent(tmp_path_factory.mktemp("agent"), [])
    yield made
    made.stop()


def test_a_host_without_control_plane_is_ready(agent):
    code, out, _ = ctl(agent, "status", "--json")
    status = json.loads(out)
    assert code == 0 and status["state"] == "ready"
    assert status["enrolment"] == {"state": "unenrolled"}
    assert status["feeds"] == [] and status["conflicts"] == []
    assert "control:" not in ctl(agent, "status")[1]


def test_what_is_no_url_or_token_is_refused(agent):
    for url, text, words in [
        ("http://127.0.0.1:1", token(), "https"),
        ("nonsense", token(), "URL"),
        ("https://127.0.0.1:1", "nonsense", "not an enrolment token"),
        ("https://127.0.0.1:1", token()[:-1], "token"),
        ("https://127.0.0.1:1", token()[:-1] + "!", "token"),
    ]:
        code, out, err = ctl(agent, "enroll", url, text)
        assert code == 1 and words in err and out == "", err
        assert text not in err
    assert ctl(agent, "enroll", "https://127.0.0.1:1")[0] == 2
    assert ctl(agent, "enroll", "https://127.0.0.1:1", "-", stdin="")[0] == 2
    assert ctl(None, "enroll", "https://127.0.0.1:1", token())[0] == 3


def test_a_control_plane_that_is_away_changes_nothing(agent):
    text = token()
    code, _, err = ctl(agent, "enroll", "https://127.0.0.1:1", "-", stdin=text + "\n")
    assert code == 1 and text not in err
    code, out, _ = ctl(agent, "enroll", "--json", "https://127.0.0.1:1", "-", stdin=text)
    assert code == 1 and "error" in json.loads(out) and text not in out
    status = json.loads(ctl(agent, "status", "--json")[1])
    assert status["state"] == "ready" and status["enrolment"]["state"] == "unenrolled"


def test_leaving_what_was_never_joined_is_fine(agent):
    assert ctl(agent, "unenroll")[0] == 0
    assert ctl(agent, "status")[0] == 0
