# SPDX-License-Identifier: MIT
"""The control plane as the identity provider of a fleet's hosts: a person without a key signs in at a prompt, and
approves with e-mail and password on its page, in a browser."""
import re

import pytest

from hostlib import approval_page
from hostlib.sso import FIRST, Conversation
from hostlib.tenancy import PASSWORD, Tenancy, status

WAIT = 20


@pytest.fixture(scope="module")
def tenancy(new_fleet, keys_folder):
    fleet = new_fleet(workers=("worker-1",)).boot()
    fleet.install()
    made = Tenancy(fleet, keys_folder).make()
    made.join(fleet.workers[0], "acme", "globex")
    fleet.operator_call("POST", f"/v1/tenants/acme/identity-providers?wait={WAIT}", {"kind": "tenantd"})
    return made


@pytest.fixture(scope="module")
def host(tenancy):
    return tenancy.fleet.workers[0]


@pytest.fixture(scope="module")
def browser(tenancy):
    made = approval_page.browser_for(tenancy.fleet)
    yield made
    made.close()


@pytest.fixture
def events(host):
    mark = host.cursor()

    def found(*kinds):
        return [e for e in host.journal(after=mark, SYSLOG_IDENTIFIER="tenantd") if e.get("TENANTD_EVENT") in kinds]

    return found


def prompt(host, person, **kwargs):
    talk = Conversation.ssh(host, person.login, **kwargs).first()
    assert "single sign-on" in talk.login.text, talk.login
    return talk.enter().pending()


def approve(browser, talk, person, **kwargs):
    return approval_page.approve(browser, talk.address, talk.code, person.email, kwargs.pop("password", PASSWORD), **kwargs)


def test_from_the_name_to_a_shell(tenancy, host, browser, events):
    person = tenancy.person(password=True)
    talk = prompt(host, person)
    assert talk.address.startswith("https://control.fleet.test:8443/device"), talk.login
    approve(browser, talk, person)
    login = talk.enter().finish()
    assert login.code == 0 and re.search(rf"^{person.login}\r?$", login.text, re.M), login
    [event] = events("login-allowed")
    assert event["TENANT_CREDENTIAL"].startswith("sso:") and event["TENANT_USER"] == person.login
    assert not events("identity-bound")


def test_the_page_names_the_host_that_asks(tenancy, host, browser):
    person = tenancy.person(password=True)
    talk = prompt(host, person)
    browser.forget()
    browser.open(talk.address)
    browser.type("#code", talk.code)
    browser.click("form button")
    browser.seen("#email")
    assert re.search(r"Host\s+" + re.escape(host.name), browser.text()), browser.text()


def test_somebody_else_of_the_tenant_approves(tenancy, host, browser, events):
    person, other = tenancy.person(password=True), tenancy.person(password=True)
    talk = prompt(host, person)
    approve(browser, talk, other)
    login = talk.enter().finish()
    assert not login.allowed, login
    assert [e["TENANT_REASON"] for e in events("login-denied")] == ["sso-other-person"]


def test_nobody_of_another_tenant_can_approve(tenancy, host, browser):
    person = tenancy.person(password=True)
    stranger = tenancy.person(tenant="globex", password=True)
    talk = prompt(host, person)
    approve(browser, talk, stranger)
    assert browser.has(".alert"), browser.text()
    talk.hang_up()


def test_wrong_password_and_then_the_right_one(tenancy, host, browser):
    person = tenancy.person(password=True)
    talk = prompt(host, person)
    approve(browser, talk, person, password="not it at all 5")
    assert browser.has(".alert"), browser.text()
    approve(browser, talk, person)
    assert talk.enter().finish().code == 0


def test_denied_on_the_page(tenancy, host, browser, events):
    person = tenancy.person(password=True)
    talk = prompt(host, person)
    approve(browser, talk, person, allow=False)
    login = talk.enter().finish()
    assert not login.allowed and "You were not denied" not in login.text, login
    assert [e["TENANT_REASON"] for e in events("login-denied")] == ["sso-denied"]


def test_role_still_decides(tenancy, host, browser):
    person = tenancy.person(role="viewer", password=True)
    talk = prompt(host, person)
    approve(browser, talk, person)
    login = talk.enter().finish()
    assert not login.allowed and "role" in login.text, login


def test_new_password_ends_what_was_approved_before(tenancy, host, browser):
    """Somebody approved with a stolen password; the person sets another one before the sign-in goes on."""
    person = tenancy.person(password=True)
    talk = prompt(host, person)
    approve(browser, talk, person)
    person.set_password("another long Password 6")
    login = talk.enter().finish()
    assert not login.allowed, login


def test_sudo(tenancy, host, browser, events):
    person = tenancy.person(role="owner", password=True)
    talk = Conversation.ssh(host, person.login, "sudo -k id -un", method="key", key=person.ssh_key, tty=True)
    talk.first().enter().pending()
    approve(browser, talk, person)
    login = talk.enter().finish()
    assert login.code == 0 and re.search(r"root\r?$", login.text, re.M), login


def test_a_tenant_without_it(tenancy, host):
    person = tenancy.person(tenant="globex")
    talk = Conversation.ssh(host, person.login).first()
    assert "single sign-on" not in talk.login.text
    talk.hang_up()


def test_control_plane_away_is_no_denial(tenancy, host, browser):
    """The last one: the control plane does not come back."""
    person = tenancy.person(password=True)
    tenancy.fleet.control.run("systemctl", "stop", "tenant-control.service")
    talk = Conversation.ssh(host, person.login).first().enter()
    login = talk.finish(40)
    assert not login.allowed and "cannot be reached" in login.text and "You were not denied" in login.text, login
    assert status(host)["state"] in ("ready", "degraded")
    # A key of theirs is still good.
    talk = Conversation.ssh(host, person.login)
    talk.expect(FIRST)
    assert talk.enter(person.secret).finish().code == 0
