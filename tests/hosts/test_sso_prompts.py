# SPDX-License-Identifier: MIT
"""Single sign-on at the prompts of real programs (ssh, sudo, su, login), with a provider that does what each test wants
at the moment it wants it. What other people's providers say is in test_sso_providers.py."""
import re
import time

import pexpect
import pytest

from hostlib import machine, networks, providers, rootfs
from hostlib.client import ssh
from hostlib.fake_provider import FakeProvider
from hostlib.sso import FIRST, PENDING, Conversation
from hostlib.world import World

NOT_DENIED = "You were not denied"


class PromptWorld(World):
    """The world of hostlib/world.py; acme trusts one provider, which lists everybody as sub-<login>, but for those of
    `unlisted`: their verified address may bind them."""

    unlisted = ("tom", "uma")

    def __init__(self, folder, provider):
        super().__init__(folder)
        self.provider = provider
        self.more = ""  # further fields of the provider's record

    def directory(self):
        text = super().directory()
        for login, person in self.people.items():
            if person.tenant != "acme" or person.kind == "service":
                continue
            known = "" if login in self.unlisted else (
                f'    identities: [{{issuer: "{self.provider.issuer}", subject: sub-{login}}}]\n')
            text = text.replace(f"    login: {login}\n",
                                f"    login: {login}\n    email: {login}@acme.example\n{known}")
        return text + (f'providers:\n  - {{id: idp_fake, tenant: ten_acme, name: The fake, kind: oidc, issuer: '
                       f'"{self.provider.issuer}", client_id: hosts, bind: verified_email, domains: [acme.example]'
                       f'{self.more}}}\n')


class Site:
    def __init__(self, folder):
        self.network = networks.Network()
        self.host = machine.Machine("worker-1", network=self.network)
        self.peers = providers.Peers(self.network)
        try:
            self.host.start()
            self.provider = FakeProvider(self.peers).start()
            self.host.wait_until_up()
            self.host.install()
            self.world = PromptWorld(folder, self.provider)
            self.world.local_accounts(self.host)
            self.peers.introduce(self.host)
            self.world.write(self.host)
            self.host.run("systemctl", "restart", "tenantd")  # it reads the system's authorities anew
        except BaseException:
            self.close()
            raise

    def close(self):
        self.peers.close()
        self.host.close()
        self.network.close()

    def events(self, mark, **fields):
        return self.host.journal(after=mark, **{"SYSLOG_IDENTIFIER": "tenantd", **fields})


@pytest.fixture(scope="module")
def site(keys_folder):
    made = Site(keys_folder)
    yield made
    made.close()


@pytest.fixture
def host(site):
    yield site.host
    site.provider.tell(expires_in=600, interval=1, stall=0, refuse=None)


@pytest.fixture
def provider(site):
    return site.provider


def approve(provider, talk, login, **claims):
    provider.decide(talk.code, **{"sub": f"sub-{login}", **claims})
    return talk


def sign_in(host, provider, login, **kwargs):
    talk = Conversation.ssh(host, login, **kwargs).first().enter().pending()
    approve(provider, talk, login).enter()
    return talk.finish()


# --- ssh

def test_ssh(site, host, provider):
    mark = host.cursor()
    talk = Conversation.ssh(host, "alice").first().enter().pending()
    assert talk.address == f"{provider.issuer}/approve"
    assert "█" in talk.picture and "To sign in with The fake, open" in talk.login.text
    assert talk.login.text.index(talk.code) < talk.login.text.index("█")  # the address and the code come first
    approve(provider, talk, "alice").enter()
    login = talk.finish()
    assert login.code == 0 and "alice\r\n" in login.text, login
    allowed = site.events(mark, TENANTD_EVENT="login-allowed")
    assert [e["TENANT_CREDENTIAL"] for e in allowed] == ["sso:idp_fake"], allowed
    opened = site.events(mark, TENANTD_EVENT="session-opened", TENANT_SERVICE="sshd")
    assert [e["TENANT_CREDENTIAL"] for e in opened] == ["sso:idp_fake"], opened
    assert not site.events(mark, TENANTD_EVENT="identity-bound")


def test_the_answer_comes_when_somebody_approves(host, provider):
    """Enter first, the approval afterwards: nobody has to press anything again."""
    talk = Conversation.ssh(host, "olivia").first().enter().pending().enter()
    with pytest.raises(pexpect.TIMEOUT):
        talk.expect(PENDING, seconds=4)
    began = time.monotonic()
    approve(provider, talk, "olivia")
    login = talk.finish()
    assert login.code == 0 and time.monotonic() - began < 5, login


def test_still_waiting(host, provider):
    """An answer is not held for ever: with one more Enter it goes on, with the same code."""
    talk = Conversation.ssh(host, "alice").first().enter().pending()
    code = talk.code
    talk.enter().pending(seconds=40)
    assert "Still waiting" in talk.login.text and talk.code == code and "█" not in talk.picture
    approve(provider, talk, "alice").enter()
    assert talk.finish().code == 0


def test_a_key_goes_on_working(site, host):
    login = ssh(host, "alice", secret=site.world.alice.secret)
    assert login.allowed, login
    assert "Enter for single sign-on" in login.prompts[0]


def test_a_key_at_the_visible_prompt(site, host, provider):
    mark = host.cursor()
    talk = Conversation.ssh(host, "alice").first().enter().pending()
    talk.enter(site.world.alice.secret).pending()
    assert "have it replaced" in talk.login.text
    assert site.world.alice.secret not in talk.login.text.split("press Enter: ")[-1]
    approve(provider, talk, "alice").enter()
    assert talk.finish().code == 0
    assert site.world.alice.secret not in host.journal_text(after=mark)


def test_somebody_says_no(site, host, provider):
    mark = host.cursor()
    talk = Conversation.ssh(host, "alice").first().enter().pending().enter()
    provider.decide(talk.code, "denied")
    login = talk.finish()
    assert login.code == 255 and "declined" in login.text and NOT_DENIED not in login.text, login
    denied = site.events(mark, TENANTD_EVENT="login-denied")
    assert [e["TENANT_REASON"] for e in denied] == ["sso-denied"], denied
    assert ssh(host, "alice", secret=site.world.alice.secret).allowed  # no failed attempt


def test_nobody_approves_in_time(site, host, provider):
    provider.tell(expires_in=6)
    mark = host.cursor()
    talk = Conversation.ssh(host, "olivia").first().enter().pending().enter()
    login = talk.finish()
    assert login.code == 255 and "in time" in login.text, login
    assert [e["TENANT_REASON"] for e in site.events(mark, TENANTD_EVENT="login-denied")] == ["sso-expired"]


@pytest.mark.parametrize("held", [False, True])
def test_the_person_hangs_up(site, host, provider, held):
    talk = Conversation.ssh(host, "lars" if held else "olivia").first().enter().pending()
    if held:
        talk.enter()
        time.sleep(1)
    assert not provider.is_forgotten(talk.code, 3)
    talk.hang_up()
    # sshd looks at its client again when PAM has spoken: that is why answers are held for 25 seconds and no longer.
    assert host.wait_until(lambda: provider.is_forgotten(talk.code, 3), 40 if held else 10)
    # Whoever approves now lets nobody in.
    mark = host.cursor()
    approve(provider, talk, "olivia")
    time.sleep(2)
    assert not site.events(mark, TENANTD_EVENT="login-allowed")


def test_somebody_else_approves(site, host, provider):
    """Each with an identity that is not the user's."""
    for subject, claims, reason in (
            ("sub-olivia", {}, "sso-other-person"),
            ("sub-unknown", {"email": "alice@acme.example", "email_verified": True}, "sso-other-person"),
    ):
        mark = host.cursor()
        talk = Conversation.ssh(host, "alice").first().enter().pending().enter()
        approve(provider, talk, "x", sub=subject, **claims)
        login = talk.finish()
        assert login.code == 255, login
        denied = site.events(mark, TENANTD_EVENT="login-denied")
        assert [e["TENANT_REASON"] for e in denied] == [reason], denied
        assert subject in denied[0]["TENANT_DETAIL"]
    time.sleep(3)


def test_the_first_time(site, host, provider):
    """A verified address binds once, and only who approved first is that user from then on."""
    mark = host.cursor()
    talk = Conversation.ssh(host, "tom").first().enter().pending()
    approve(provider, talk, "tom", email="tom@acme.example", email_verified=True).enter()
    assert talk.finish().code == 0
    bound = site.events(mark, TENANTD_EVENT="identity-bound")
    assert len(bound) == 1 and "sub-tom" in bound[0]["TENANT_DETAIL"] and bound[0]["TENANT_USER"] == "tom", bound
    host.run("systemctl", "restart", "tenantd")  # it is on disk
    mark = host.cursor()
    talk = Conversation.ssh(host, "tom").first().enter().pending()
    approve(provider, talk, "x", sub="sub-thief", email="tom@acme.example", email_verified=True).enter()
    assert talk.finish().code == 255
    assert [e["TENANT_REASON"] for e in site.events(mark, TENANTD_EVENT="login-denied")] == ["sso-other-person"]
    assert sign_in(host, provider, "tom").code == 0


@pytest.mark.parametrize("email, verified", [("uma@acme.example", False), ("uma@acme.example", "true"),
                                             ("uma@elsewhere.example", True), ("olivia@acme.example", True)])
def test_addresses_that_bind_nobody(site, host, provider, email, verified):
    mark = host.cursor()
    talk = Conversation.ssh(host, "uma", source=f"{networks.OUTSIDE}.1").first().enter().pending()
    approve(provider, talk, "uma", email=email, email_verified=verified).enter()
    login = talk.finish()
    assert login.code == 255 and "does not belong to your account" in login.text, login
    assert not site.events(mark, TENANTD_EVENT="identity-bound")
    time.sleep(3)  # failed attempts make wait


def test_suspended_people_see_what_others_see(site, host, provider):
    texts = []
    for login in ("sam", "rob"):
        talk = Conversation.ssh(host, login).first().enter().pending()
        texts.append(re.sub(r"FAKE-\d+|\?code=\S*|[█▀▄ ]+\r?\n|\(\w+@", "", talk.login.text))
        if login == "sam":
            approve(provider, talk, login).enter()
            ended = talk.finish()
            assert ended.code == 255 and "suspended" in ended.text, ended
        talk.hang_up()
    assert texts[0] == texts[1]


def test_the_agent_is_killed_while_somebody_waits(site, host, provider):
    talk = Conversation.ssh(host, "alice", source=f"{networks.OUTSIDE}.1").first().enter().pending().enter()
    time.sleep(1)
    host.run("systemctl", "kill", "-s", "KILL", "tenantd")
    login = talk.finish()
    assert login.code == 255 and NOT_DENIED in login.text, login
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 0)
    approve(provider, talk, "alice")  # for nobody
    assert sign_in(host, provider, "alice", source=f"{networks.OUTSIDE}.1").code == 0


def test_the_directory_changes_while_somebody_waits(site, host, provider):
    try:
        talk = Conversation.ssh(host, "rob").first().enter().pending()
        site.world.more = ", max_age: 1h"
        site.world.write(host)
        approve(provider, talk, "rob").enter()
        login = talk.finish()
        assert login.code == 255, login
        talk = Conversation.ssh(host, "rob").first().enter().pending()
        site.world.people["rob"].status = "suspended"
        site.world.write(host)
        approve(provider, talk, "rob", auth_time=int(time.time())).enter()
        login = talk.finish()
        assert login.code == 255 and "suspended" in login.text, login
    finally:
        site.world.more = ""
        site.world.people["rob"].status = "active"
        site.world.write(host)


def test_a_provider_that_is_away(site, host, provider):
    provider.stop()
    try:
        mark = host.cursor()
        talk = Conversation.ssh(host, "olivia", source=f"{networks.OUTSIDE}.1").first().enter()
        login = talk.finish(60)
        assert login.code == 255 and NOT_DENIED in login.text and "identity provider" in login.text, login
        assert [e["TENANT_REASON"] for e in site.events(mark, TENANTD_EVENT="login-broken")] == ["sso-unreachable"]
        assert ssh(host, "olivia", secret=site.world.olivia.secret).allowed
    finally:
        provider.start()


def test_a_provider_that_is_slow(host, provider):
    """Slower than an answer is held: the person is told and goes on waiting."""
    provider.tell(stall=8)
    talk = Conversation.ssh(host, "alice", source=f"{networks.OUTSIDE}.1").first().enter().pending(seconds=40)
    approve(provider, talk, "alice").enter()
    assert talk.finish().code == 0


def test_a_program_with_one_hidden_question(site, host, provider):
    """PasswordAuthentication: a key works, and nothing typed is no way in. (An empty password does not come as far as
    PAM unless the host permits it; then ssh tries it by itself, too, before it asks.)"""
    host.sh("printf 'PasswordAuthentication yes\\nPermitEmptyPasswords yes\\n' > /etc/ssh/sshd_config.d/10-test.conf && "
            "systemctl reload ssh")
    try:
        assert ssh(host, "alice", method="password", secret=site.world.alice.secret).allowed
        mark, before = host.cursor(), len(provider.flows())
        login = ssh(host, "alice", method="password", secret="")
        assert not login.allowed, login
        text = host.journal_text(after=mark)
        assert "does not show the prompt of single sign-on" in text, text
        begun = provider.flows()[before:]
        assert len(begun) in (1, 2)
        assert host.wait_until(lambda: provider.is_forgotten(begun[-1]["user_code"], 3), 10)
    finally:
        host.sh("rm /etc/ssh/sshd_config.d/10-test.conf && systemctl reload ssh")


def test_pictures_of_other_kinds(host, provider):
    host.write("/etc/tenantd/agent.yaml.d/qr.yaml", "sso: {qr: ascii}\n")
    host.run("tenantctl", "reload")
    try:
        talk = Conversation.ssh(host, "olivia").first().enter().pending()
        assert "##" in talk.picture and "█" not in talk.picture
        talk.hang_up()
        # A program's own line says something else.
        host.sh("sed -i 's/pam_tenant.so/& qr=off/' /etc/pam.d/common-auth")
        talk = Conversation.ssh(host, "olivia").first().enter().pending()
        assert "##" not in talk.picture and "█" not in talk.picture
        talk.hang_up()
    finally:
        host.sh("sed -i 's/pam_tenant.so qr=off/pam_tenant.so/' /etc/pam.d/common-auth && "
                "rm /etc/tenantd/agent.yaml.d/qr.yaml")
        host.run("tenantctl", "reload")


# --- programs of the host itself

def test_sudo(site, host, provider):
    talk = Conversation.ssh(host, "olivia", "sudo id -u", method="key", key=site.world.olivia.ssh_key, tty=True)
    talk.first().enter().pending()
    assert "█" in talk.picture
    approve(provider, talk, "olivia").enter()
    login = talk.finish()
    assert login.code == 0 and re.search(r"\b0\r$", login.text, re.M), login
    # An approval by somebody else gives nobody root.
    mark = host.cursor()
    talk = Conversation.ssh(host, "olivia", "sudo id -u", method="key", key=site.world.olivia.ssh_key, tty=True)
    talk.first().enter().pending().enter()
    approve(provider, talk, "alice")
    assert host.wait_until(lambda: site.events(mark, TENANTD_EVENT="privilege-denied"), 10)
    talk.hang_up()
    assert [e["TENANT_REASON"] for e in site.events(mark, TENANTD_EVENT="privilege-denied")] == ["sso-other-person"]


def test_su(site, host, provider):
    talk = Conversation.ssh(host, "alice", "su -s /bin/sh olivia -c 'id -un'", method="key",
                            key=site.world.alice.ssh_key, tty=True)
    talk.first().enter().pending()
    approve(provider, talk, "olivia").enter()
    login = talk.finish()
    assert login.code == 0 and "olivia\r\n" in login.text, login


def on_console(host, name):
    """login(1) on a terminal of its own, up to its first prompt of ours."""
    talk = Conversation.console(host, "login", name)
    return talk.first()


def test_console(site, host, provider):
    mark = host.cursor()
    talk = on_console(host, "alice").enter().pending()
    assert "█" in talk.picture
    approve(provider, talk, "alice").enter()
    talk.child.expect(r"\$ $", timeout=20)
    talk.child.sendline("id -un; exit")
    login = talk.finish()
    assert "alice" in login.text, login
    allowed = site.events(mark, TENANTD_EVENT="login-allowed")
    assert [(e["TENANT_SERVICE"], e["TENANT_CREDENTIAL"]) for e in allowed] == [("login", "sso:idp_fake")], allowed


def test_login_gives_up(site, host, provider):
    """login(1) has a time of its own: what it leaves behind ends at the provider too."""
    host.sh("sed -i 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 8/' /etc/login.defs")
    try:
        talk = on_console(host, "olivia").enter().pending().enter()
        login = talk.finish(40)
        assert "timed out" in login.text, login
        assert host.wait_until(lambda: provider.is_forgotten(talk.code, 3), 15)
    finally:
        host.sh("sed -i 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 60/' /etc/login.defs")


# --- another OpenSSH

def test_openssh_10(site, provider):
    """Client and server of a later Debian: the same prompts, once and in order."""
    newer = rootfs.layer("openssh-10", ["openssh-server", "openssh-client", "openssh-sftp-server"],
                         archive="bookworm-backports")
    host = machine.Machine("worker-2", network=site.network, number=3, layers=[newer])
    try:
        host.start()
        host.wait_until_up()
        assert "OpenSSH_10" in host.run("ssh", "-V").err
        host.install()
        site.world.local_accounts(host)
        site.peers.introduce(host)
        site.world.write(host)
        host.run("systemctl", "restart", "tenantd")
        client = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                  "PreferredAuthentications=keyboard-interactive"]
        # The new client to the new server, the old client to the new server, the new client to the old server.
        for talk in (Conversation.console(host, *client, "rob@127.0.0.1", "id -un"),
                     Conversation.ssh(host, "rob"),
                     Conversation.console(host, *client, f"rob@{site.host.address}", "id -un")):
            talk.first().enter().pending()
            assert "█" in talk.picture and talk.login.text.count("API key") == 1, talk.login
            talk.enter()
            time.sleep(1)
            approve(provider, talk, "rob")
            login = talk.finish()
            assert login.code == 0 and "rob\r\n" in login.text, login
        talk = Conversation.ssh(host, "rob").first().enter().pending()
        talk.hang_up()
        assert host.wait_until(lambda: provider.is_forgotten(talk.code, 3), 10)
    finally:
        host.close()


# --- limits

def test_few_wait_at_once(host, provider):
    """The fifth sign-in of one person from one place is turned away, and keys are not concerned."""
    waiting = [Conversation.ssh(host, "lars").first().enter().pending() for _ in range(4)]
    try:
        login = Conversation.ssh(host, "lars").first().enter().finish()
        assert login.code == 255 and "Too many sign-ins wait" in login.text, login
    finally:
        for talk in waiting:
            talk.hang_up()


def test_sshd_waits_long_enough(host):
    """Of what the packages set: an approval may take five minutes."""
    seconds = {li.split()[0]: li.split()[1] for li in host.run("sshd", "-T").out.splitlines() if " " in li}
    assert int(seconds["logingracetime"]) >= 300 + 60
