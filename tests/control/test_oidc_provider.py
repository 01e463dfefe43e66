# SPDX-License-Identifier: MIT
"""The control plane as an OpenID provider: discovery, the device grant from its beginning to the ID token, and who is
refused on the way."""
import pytest

from conftest import PASSWORD
from controllib.provider import Browser, begin, part, poll


@pytest.fixture
def provided(tenant):
    """A tenant whose people sign in here."""
    tenant.provider = tenant.operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    return tenant


@pytest.fixture
def browser(control, server):
    made = Browser(control, server.client)
    yield made
    made.client.close()


def test_somebody_signs_in(provided, browser, server, control):
    ann, client = provided.user("ann"), server.client
    begun = begin(client, provided, nonce="n-0S6_WzA2Mj")
    assert begun.status == 200, begun
    codes = begun.json
    assert codes["verification_uri"] == f"{control.url}/device"
    assert codes["verification_uri_complete"] == f"{control.url}/device?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    waiting = poll(client, provided, codes["device_code"])
    assert (waiting.status, waiting.json["error"]) == (400, "authorization_pending")
    page = browser.decide(codes["user_code"], ann.email, PASSWORD)
    assert page.status == 200 and "Approved" in page.text, page.answer
    control.cluster.psql("UPDATE control.device_grants SET polled_at = polled_at - interval '5 seconds'", database=control.database)
    answer = poll(client, provided, codes["device_code"])
    assert answer.status == 200, answer
    claims = part(answer.json["id_token"], 1)
    assert (claims["iss"], claims["aud"], claims["sub"], claims["tenant"]) == (control.url, provided.id, ann.id, provided.id)
