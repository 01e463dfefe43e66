# SPDX-License-Identifier: MIT
"""Single sign-on with identity providers that other people wrote (oidc-provider from npm, glewlwyd from Debian), a
real ssh at a terminal, and a browser in which somebody approves."""
import base64
import json
import re

import pytest

from hostlib import browser as browsers
from hostlib import client, machine, networks, providers, sso
from hostlib.sso import Conversation

APPROVALS = {"login-allowed", "identity-bound"}


class Site:
    """A host, its providers and a browser on one network. What takes long is begun early, and looked at in the end."""

    def __init__(self, folder):
        self.network = networks.Network()
        self.host = machine.Machine("worker-1", network=self.network)
        self.peers = providers.Peers(self.network)
        self.browser = None
        self.crowd = iter(sso.CROWD)
        try:
            self.host.start()
            people = sso.accounts()
            self.accounts = providers.OidcProvider(self.peers, people).start()
            self.glewlwyd = providers.Glewlwyd(self.peers, people).start()
            self.rotating = providers.OidcProvider(self.peers, people, "rotating.peer.test", 8445).start()
            self.gone = providers.OidcProvider(self.peers, people, "gone.peer.test", 8446)
            self.browser = browsers.Browser(self.network, self.peers.names, self.peers.pins)
            self.host.wait_until_up()
            self.host.install()
            self.world = sso.SsoWorld(folder, self.accounts, self.glewlwyd,
                                      {"rotating": self.rotating, "gone": self.gone})
            self.world.local_accounts(self.host)
            self.peers.introduce(self.host)
            self.world.write(self.host)
            self.begin()
        except BaseException:
            self.close()
            raise

    def somebody(self):
        return next(self.crowd)

    def begin(self):
        # Keys that are replaced right after they were fetched: they are not fetched again before a minute is over.
        early, late = self.somebody(), self.somebody()
        first = Conversation.ssh(self.host, early).begin("rotating")
        first.approved_by(self.browser, self.rotating, early).enter()
        login = first.finish()
        assert login.code == 0, login
        self.rotating.new_keys()
        self.rotating.restart()
        self.rotated = Conversation.ssh(self.host, late).begin("rotating")
        self.rotated.approved_by(self.browser, self.rotating, late).enter()
        # Nobody approves this one for longer than an answer is held, and nobody answers that one.
        self.patient_one = self.somebody()
        self.patient = Conversation.ssh(self.host, self.patient_one).begin("glewlwyd").enter()
        self.unanswered = Conversation.ssh(self.host, self.somebody()).choose("gone")
        self.tried = Conversation.console(self.host, "tenantctl", "sso", "test", "idp_gone")

    def close(self):
        if self.browser:
            self.browser.close()
        self.host.close()
        self.peers.close()
        self.network.close()


@pytest.fixture(scope="module")
def site(keys_folder, tmp_path_factory):
    made = Site(keys_folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def host(site):
    return site.host


@pytest.fixture(scope="module")
def world(site):
    return site.world


@pytest.fixture
def fresh(site):
    """For tests that change the directory: the first one comes back afterwards."""
    yield site.world
    site.world.more = {"accounts": "", "glewlwyd": ""}
    site.world.tenant = ""
    site.world.write(site.host)


@pytest.fixture
def events(host):
    mark = host.cursor()

    def found(*kinds):
        return [e for e in host.journal(after=mark, SYSLOG_IDENTIFIER="tenantd") if e.get("TENANTD_EVENT") in kinds]

    return found


def ssh(site, user, provider=None, **kwargs):
    """As far as the prompt that waits."""
    return Conversation.ssh(site.host, user, **kwargs).begin(provider)


def refused(login, reason, events):
    assert not login.allowed, login
    found = [e["TENANT_REASON"] for e in events("login-denied", "login-broken", "privilege-denied", "privilege-broken")]
    assert found == [reason], (found, login)
    assert not events(*APPROVALS)


def access_token(site, login, form=()):
    """What a program of theirs has from oidc-provider, by the same kind of sign-in."""
    secret = providers.quote(providers.CLIENT_SECRET, safe="")
    headers = {"Authorization": "Basic " + base64.b64encode(f"{providers.CLIENT}:{secret}".encode()).decode()}
    status, _, device = site.accounts.call("POST", "/device/auth", headers=headers, form={
        "client_id": providers.CLIENT, "scope": "openid email", **dict(form)})
    assert status == 200, device
    site.accounts.approve(site.browser, device["verification_uri"], device["user_code"], login)
    status, _, answer = site.accounts.call("POST", "/token", headers=headers, form={
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device["device_code"], **dict(form)})
    assert status == 200, answer
    return answer


# --- into a shell


@pytest.mark.parametrize("provider", ["accounts", "glewlwyd"])
def test_from_the_name_to_a_shell(site, events, provider):
    talk = ssh(site, "alice", provider)
    assert talk.address.startswith(f"https://{getattr(site, provider).host}:")
    assert re.search("[▀▄█]{10}", talk.picture), talk.picture
    login = talk.approved_by(site.browser, getattr(site, provider), "alice").enter().finish()
    assert login.code == 0 and re.search(r"^alice\r?$", login.text, re.M) and "acme-vision-editor" in login.text, login
    [event] = events("login-allowed")
    assert event["TENANT_CREDENTIAL"] == f"sso:idp_{provider}"
    assert not events("identity-bound")


def test_enter_takes_the_preferred_provider(site):
    who = site.somebody()
    talk = Conversation.ssh(site.host, who)
    talk.begin()
    assert talk.address.startswith(site.accounts.base)
    talk.hang_up()


def test_approved_while_the_answer_is_held(site):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd").enter()
    login = talk.approved_by(site.browser, site.glewlwyd, who).finish()
    assert login.code == 0, login


def test_the_code_is_the_persons_own(site):
    """Two people at two prompts: each approval lets in whom it is for, and nobody else."""
    one, other = ssh(site, "alice", "glewlwyd"), ssh(site, "olivia", "glewlwyd")
    assert one.code != other.code
    other.approved_by(site.browser, site.glewlwyd, "olivia").enter()
    login = other.finish()
    assert login.code == 0 and re.search(r"^olivia\r?$", login.text, re.M), login
    one.approved_by(site.browser, site.glewlwyd, "alice").enter()
    assert one.finish().code == 0


def test_session_says_how_it_began(site, host):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd", command="tenantctl sessions --json; tenantctl whoami")
    login = talk.approved_by(site.browser, site.glewlwyd, who).enter().finish()
    assert '"sso:idp_glewlwyd"' in login.text, login


def test_one_time_code_of_such_a_session_is_good_at_a_hidden_prompt(site, host):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd", command="tenantctl code")
    login = talk.approved_by(site.browser, site.glewlwyd, who).enter().finish()
    code = re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", login.text)
    assert login.code == 0 and code, login
    login = client.ssh(host, who, "id -un", secret=code[0])
    assert login.code == 0 and who in login.text, login
    assert not client.ssh(host, who, "id -un", secret=code[0]).allowed


# --- who it is


def test_first_sign_in_binds_a_verified_address(site, host, world, events):
    login = ssh(site, "olivia", "accounts").approved_by(site.browser, site.accounts, "olivia").enter().finish()
    assert login.code == 0, login
    [event] = events("identity-bound")
    subject = site.accounts.people["olivia"].subject
    assert event["TENANT_USER"] == "olivia" and subject in event["TENANT_DETAIL"]
    listed = json.loads(host.run("tenantctl", "sso", "bindings", "--json").out)["bindings"]
    assert ("olivia", site.accounts.issuer, subject) in [(b["user"], b["issuer"], b["subject"]) for b in listed]
    login = ssh(site, "olivia", "accounts").approved_by(site.browser, site.accounts, "olivia").enter().finish()
    assert login.code == 0, login
    assert len(events("identity-bound")) == 1


def test_somebody_else_approves(site, events):
    table = [
        ("alice", "olivia", "sso-other-person"),  # somebody else of the directory
        ("ed30", "mallory", "sso-other-person"),  # somebody whom nobody knows: ed30 has another subject there
        ("rob", "mallory", "sso-not-bound"),
        ("tom", "tom", "sso-not-bound"),  # not verified
        ("uma", "uma", "sso-not-bound"),  # not the address that the directory has
    ]
    talks = [ssh(site, user, "accounts").approved_by(site.browser, site.accounts, who).enter() for user, who, _ in table]
    for talk in talks:
        login = talk.finish()
        assert not login.allowed, login
    found = {(e["TENANT_USER"], e["TENANT_REASON"]) for e in events("login-denied")}
    assert found == {(user, reason) for user, _, reason in table}
    assert not events(*APPROVALS)


def test_same_address_at_a_provider_that_binds_nobody(site, events):
    """rob's address is verified there, and that provider may not say who is who."""
    talk = ssh(site, "rob", "glewlwyd").approved_by(site.browser, site.glewlwyd, "rob").enter()
    refused(talk.finish(), "sso-not-bound", events)


def test_role_still_decides(site, host):
    """vera's role does not sign in here, whoever she proves to be."""
    account = providers.Account("vera", "vera-sub")
    site.accounts.people["vera"] = account
    site.world.addresses["vera"] = account.email
    site.world.write(host)
    site.accounts.restart()
    login = ssh(site, "vera", "accounts").approved_by(site.browser, site.accounts, "vera").enter().finish()
    assert not login.allowed and "role" in login.text, login


# --- what was begun at first: before other tests change that provider


def test_still_waiting(site):
    talk = site.patient
    first = talk.code
    talk.pending()
    assert "Still waiting" in talk.login.text and talk.code == first, talk.login
    login = talk.approved_by(site.browser, site.glewlwyd, site.patient_one).enter().finish()
    assert login.code == 0, login


# --- no


def test_denied_at_the_provider(site, events):
    who = site.somebody()
    talk = ssh(site, who, "accounts").approved_by(site.browser, site.accounts, who, allow=False).enter()
    login = talk.finish()
    assert "You were not denied" not in login.text
    refused(login, "sso-denied", events)


def test_a_key_at_the_visible_prompt_counts_for_nothing(site, world, events):
    who = site.somebody()
    key = world.alice.secret
    talk = ssh(site, who, "glewlwyd").enter(key).pending()
    assert "read on the screen" in talk.login.text, talk.login
    for _ in range(2):
        talk.enter(key)
        if talk.login.text.count("read on the screen") < 2:
            talk.pending()
    assert not talk.finish().allowed
    assert not events(*APPROVALS)


def test_suspended_while_the_person_approves(site, host, fresh, events):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd")
    text = fresh.directory().replace(f"name: {who.capitalize()} Example\n    status: active",
                                     f"name: {who.capitalize()} Example\n    status: suspended\n    status_reason: on leave")
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    login = talk.approved_by(site.browser, site.glewlwyd, who).enter().finish()
    refused(login, "user-suspended", events)


def test_provider_taken_away_while_the_person_approves(site, host, fresh, events):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd")
    text = fresh.directory().replace("  - {id: idp_glewlwyd,", "  - {id: idp_other,")
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    login = talk.approved_by(site.browser, site.glewlwyd, who).enter().finish()
    assert not login.allowed and not events(*APPROVALS), login


@pytest.mark.parametrize("field, allowed", [("amr: [password]", True), ("amr: [hwk]", False), ("acr: [gold]", False),
                                            ("max_age: 1h", True)])
def test_what_the_tenant_asks_of_the_provider(site, host, fresh, events, field, allowed):
    who = site.somebody()
    fresh.more["glewlwyd"] = ", " + field
    fresh.write(host)
    login = ssh(site, who, "glewlwyd").approved_by(site.browser, site.glewlwyd, who).enter().finish()
    if allowed:
        assert login.code == 0, login
    else:
        refused(login, "sso-token-refused", events)


def test_wrong_client_secret_is_no_denial(site, host, fresh, events):
    who = site.somebody()
    text = fresh.directory().replace("client_secret: \"the secret", "client_secret: \"not the secret")
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    for provider in ("accounts", "glewlwyd"):
        login = Conversation.ssh(host, who).choose(provider).finish()
        assert not login.allowed and "You were not denied" in login.text, login
    assert {e["TENANT_REASON"] for e in events("login-broken")} == {"sso-refused"}


def test_a_tenant_without_a_provider_offers_none(site, host, world):
    talk = Conversation.ssh(host, "gina")
    talk.first()
    assert "single sign-on" not in talk.login.text
    login = talk.enter().finish()
    assert not login.allowed, login


def test_services_have_no_browser(site, host):
    talk = Conversation.ssh(host, "bot").first()
    assert "single sign-on" not in talk.login.text
    talk.hang_up()


def test_password_programs_do_not_hang(site, host):
    """sshd's password method has one answer for everything, and shows nothing."""
    login = client.ssh(host, "alice", method="password", secret="", timeout=20)
    assert login.code == 255, login


def test_hanging_up_cancels(site, host):
    who = site.somebody()
    def waiting():
        return int(re.search(r"^tenantd_sso_waiting (\d+)$", host.run("tenantctl", "metrics").out, re.M)[1])

    before = waiting()
    talk = ssh(site, who, "glewlwyd")
    assert waiting() == before + 1
    talk.hang_up()
    assert host.wait_until(lambda: waiting() == before)


# --- providers that come and go


def test_provider_restarted_while_the_person_approves(site):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd").enter()
    site.glewlwyd.restart()
    login = talk.approved_by(site.browser, site.glewlwyd, who).finish()
    assert login.code == 0, login


def test_provider_that_forgot_the_code(site, events):
    who = site.somebody()
    talk = ssh(site, who, "accounts").enter()
    site.accounts.restart()
    login = talk.finish()
    assert not login.allowed and not events(*APPROVALS), login
    assert [e["TENANT_REASON"] for e in events("login-denied", "login-broken")] in (["sso-refused"], ["sso-expired"])


def test_provider_stalls_for_a_while(site):
    who = site.somebody()
    talk = ssh(site, who, "glewlwyd").approved_by(site.browser, site.glewlwyd, who)
    site.glewlwyd.freeze()
    try:
        talk.enter()
        # Somebody with a key does not wait for anybody's provider.
        login = client.ssh(site.host, "tom", "id -un", secret=site.world.tom.secret)
        assert login.code == 0, login
    finally:
        site.glewlwyd.freeze(False)
    assert talk.finish().code == 0


# --- other ways in


def test_sudo(site, host, world, events):
    talk = Conversation.ssh(host, "olivia", "sudo -k id -un", method="key", key=world.olivia.ssh_key, tty=True)
    talk.begin("glewlwyd")
    login = talk.approved_by(site.browser, site.glewlwyd, "olivia").enter().finish()
    assert login.code == 0 and re.search(r"root\r?$", login.text, re.M), login
    [event] = events("privilege-allowed")
    assert event["TENANT_CREDENTIAL"] == "sso:idp_glewlwyd"


def test_sudo_is_not_for_editors_whoever_they_prove_to_be(site, host, world):
    talk = Conversation.ssh(host, "alice", "sudo -k id -un", method="key", key=world.alice.ssh_key, tty=True)
    talk.begin("glewlwyd")
    login = talk.approved_by(site.browser, site.glewlwyd, "alice").enter().finish()
    assert login.code != 0 and not re.search(r"root\r?$", login.text, re.M), login


def test_su(site, host, world):
    talk = Conversation.ssh(host, "alice", "su olivia -c 'id -un'", method="key", key=world.alice.ssh_key, tty=True)
    talk.begin("glewlwyd")
    login = talk.approved_by(site.browser, site.glewlwyd, "olivia").enter().finish()
    assert login.code == 0 and re.search(r"olivia\r?$", login.text, re.M), login


def test_console(site, host):
    talk = Conversation.console(host, "login", "alice")
    talk.begin("glewlwyd").approved_by(site.browser, site.glewlwyd, "alice").enter()
    talk.child.expect(r"alice@worker-1:~\$ ", timeout=20)
    talk.hang_up()


def test_keys_work_as_ever(site, host, world):
    assert client.ssh(host, "alice", secret=world.alice.secret).code == 0
    assert client.ssh(host, "alice", method="key", key=world.alice.ssh_key).code == 0


# --- tried by an operator


def try_it(site, provider, *words, who=None, allow=True):
    """`tenantctl sso test` as root of the host: (exit status, what it says)."""
    talk = Conversation.console(site.host, "tenantctl", "sso", "test", *words)
    if who:
        talk.child.expect(r"Open (\S+) and type the code (\S+)\r", timeout=20)
        talk.address, talk.code = talk.child.match[1], talk.child.match[2]
        more = {} if allow else {"allow": False}
        talk.approved_by(site.browser, provider, who, **more)
    login = talk.finish()
    return login.code, login.text


@pytest.mark.parametrize("name", ["accounts", "glewlwyd"])
def test_operator_tries_a_provider(site, name):
    provider = getattr(site, name)
    code, text = try_it(site, provider, f"idp_{name}", "--user", "alice", who="alice")
    assert code == 0, text
    assert provider.people["alice"].subject in text and "alice@acme.example (verified" in text, text


def test_operator_learns_what_is_wrong(site, host):
    code, text = try_it(site, site.glewlwyd, "idp_glewlwyd", "--user", "alice", who="olivia")
    assert code == 1 and "olivia" in text, text
    code, text = try_it(site, site.accounts, "idp_accounts", "--user", "alice", who="alice", allow=False)
    assert code == 1 and "declined" in text, text
    code, text = try_it(site, site.accounts, site.accounts.issuer, "--client-id", "nobody-of-theirs")
    assert code == 1 and "what to do" in text, text
    code, text = try_it(site, site.accounts, site.accounts.issuer + "/elsewhere", "--client-id", "public")
    assert code != 0 and "what to do" in text, text


# --- access tokens of a provider


def test_access_token_is_a_credential(site, host):
    token = access_token(site, "alice", {"resource": providers.RESOURCE})["access_token"]
    shown = host.wait_until(lambda: verified(host, token, 0), 20)
    assert shown, host.run("tenantctl", "verify", input=token + "\n", check=False)
    assert "alice" in shown.out
    login = client.ssh(host, "alice", "id -un", secret=token)
    assert login.code == 0 and "alice" in login.text, login
    assert not client.ssh(host, "olivia", "id -un", secret=token).allowed


def verified(host, token, code):
    done = host.run("tenantctl", "verify", input=token + "\n", check=False)
    return done if done.code == code else None


def test_what_is_no_access_token_for_us(site, host):
    answer = access_token(site, "alice")
    for text in (answer["id_token"], answer["access_token"]):
        assert host.wait_until(lambda text=text: verified(host, text, 1), 20), text
    good = access_token(site, "alice", {"resource": providers.RESOURCE})["access_token"]
    head, body, mark = good.split(".")
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"248289761001", b"00u-Olivia.1"))
    for text in (f"{head}.{body}.{mark[:-4]}AAAA", f"{head}.{changed.decode().rstrip('=')}.{mark}", f"{head}.{body}."):
        assert host.wait_until(lambda text=text: verified(host, text, 1), 20), text


# --- what was begun at first


def test_keys_replaced_at_the_provider(site):
    login = site.rotated.finish(90, patient=True)
    assert login.code == 0 and re.search(r"^ed..\r?$", login.text, re.M), login


def test_provider_that_is_not_there_is_no_denial(site):
    login = site.unanswered.finish()
    assert not login.allowed and "cannot be reached" in login.text and "declined" not in login.text, login
    tried = site.tried.finish()
    assert tried.code == 3 and "what to do" in tried.text, tried


def test_bound_is_bound(site, host, world, events):
    """Another subject of the provider with her verified address (it was given to somebody new there) is not she, also
    after a restart of the agent."""
    host.run("systemctl", "restart", "tenantd.service")
    account = site.accounts.people["mallory"]
    account.email = "olivia@acme.example"
    site.accounts.restart()
    try:
        talk = ssh(site, "olivia", "accounts").approved_by(site.browser, site.accounts, "mallory").enter()
        refused(talk.finish(), "sso-other-person", events)
    finally:
        account.email = "mallory@acme.example"
        site.accounts.restart()
    host.run("tenantctl", "sso", "unbind", "olivia")
    listed = json.loads(host.run("tenantctl", "sso", "bindings", "--json").out)["bindings"]
    assert "olivia" not in [b["user"] for b in listed]


def test_unbinding_ends_what_the_identity_opened(site, host, world, events):
    """And not what the same person began with something else."""
    working = "echo at-work-$((1+1)); exec sleep 300"
    by_key = Conversation.ssh(host, "olivia", working, method="key", key=world.olivia.ssh_key, tty=True)
    try:
        by_key.child.expect("at-work-2", timeout=30)
        talk = ssh(site, "olivia", "accounts", command=working, tty=True)
        talk.approved_by(site.browser, site.accounts, "olivia").enter().child.expect("at-work-2", timeout=30)
        host.run("tenantctl", "sso", "unbind", "olivia")
        login = talk.finish(15)
        assert login.code != 0 and "single sign-on that opened it was taken away" in login.text, login
        [event] = events("session-ending")
        assert (event["TENANT_USER"], event["TENANT_CAUSE"]) == ("olivia", "identity-removed"), event
        assert by_key.child.isalive()
    finally:
        by_key.hang_up()


def test_no_secret_is_anywhere(site, host, world):
    journal = host.journal_text()
    assert providers.CLIENT_SECRET not in journal
    assert not re.search(r"eyJ[A-Za-z0-9_-]{20,}\.", journal)
    for secret in world.secrets():
        assert secret[-43:] not in journal
