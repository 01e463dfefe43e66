# SPDX-License-Identifier: MIT
"""The control plane of a fleet as an identity provider: its page, and a browser that knows it."""
import tempfile

from . import browser, fleet
from .authority import key_pin


def browser_for(made, *more):
    """A browser on the fleet's network that reaches the control plane, and trusts its certificate."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as certificate:
        certificate.write(made.certificate)
        certificate.flush()
        pin = key_pin(certificate.name)
    return browser.Browser(made.network, {fleet.NAME: made.control.address}, [pin, *more])


def offer(made, tenant, **fields):
    """The tenant's people may sign in on hosts by the control plane's page."""
    return made.operator_call("POST", f"/v1/tenants/{tenant}/identity-providers", {"kind": "tenantd", **fields})


def approve(chromium, address, code, email, password, allow=True, picture=None):
    """What a person does with what the prompt says: what the page says in the end. `picture(name)`: where a picture of
    each page goes."""
    shoot = (lambda name: chromium.picture(picture(name))) if picture else (lambda name: None)
    chromium.forget()
    chromium.open(address)
    chromium.type("#code", code)
    shoot("code")
    chromium.click("form button")
    chromium.seen("#email", ".alert")
    if not chromium.has("#email"):
        return chromium.text()
    chromium.type("#email", email)
    chromium.type("#password", password)
    shoot("before")
    chromium.click(f"button[value={'approve' if allow else 'deny'}]")
    chromium.seen("p[role=status]", ".alert")
    shoot("after")
    return chromium.text()
