# SPDX-License-Identifier: MIT
"""JupyterHub as Debian ships it, with the PAM authenticator that it brings, used in a real browser: once with nothing
set up, once as docs/examples/jupyterhub says."""
import json
import re

import pytest

from hostlib import browser as browsers
from hostlib import client, jupyterhub
from hostlib.world import LOCAL_PASSWORD, World

REFUSED = "Invalid username or password"
EVENTS = {"login-allowed", "login-denied"}


@pytest.fixture(scope="module")
def host(keys_folder):
    made = jupyterhub.boot()
    try:
        made.world = World(keys_folder)
        made.world.local_accounts(made)
        made.install()
        made.world.write(made)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def world(host):
    return host.world


@pytest.fixture(scope="module")
def browser(host):
    made = browsers.Browser(host.network)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stock(host):
    hub = jupyterhub.Hub(host)
    hub.stock()
    return hub


@pytest.fixture(scope="module")
def hub(host, stock):
    """As the example says; the tests of the stock one come first."""
    hub = jupyterhub.Hub(host)
    hub.example()
    return hub


@pytest.fixture
def events(host):
    mark = host.cursor()

    def found(event):
        return [e for e in host.journal(after=mark, SYSLOG_IDENTIFIER="tenantd", TENANTD_EVENT=event)]

    return found


def code_for(world, host, login, *words):
    """A one-time code, as its owner gets it: in a session of their own."""
    person = getattr(world, login)
    done = client.ssh(host, login, " ".join(["tenantctl", "code", *words]), method="key", key=person.ssh_key)
    found = re.search(r"^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}\s*$", done.text, re.M)
    assert done.code == 0 and found, done
    return found[0].strip()


# --- nothing set up: PAM service "login", JupyterHub's own


def test_stock_hub_takes_an_api_key(stock, world, browser, events):
    assert stock.sign_in(browser, "alice", world.alice.secret) is True
    assert [e["TENANT_SERVICE"] for e in events("login-allowed")] == ["login"]


def test_stock_hub_takes_no_wrong_key(stock, world, browser, events):
    assert stock.sign_in(browser, "alice", world.wrong) == REFUSED
    assert [e["TENANT_REASON"] for e in events("login-denied")] == ["key-unknown"]


def test_stock_hub_is_no_console(stock, host, world, browser, events):
    """Whoever comes by the service of the console without a terminal may sit anywhere: an allowlist refuses them."""
    assert stock.sign_in(browser, "nadia", world.nadia.secret) == REFUSED
    text = world.directory().replace("policy: {ssh_keys: directory,",
                                     "allow_from: [10.77.0.0/24]\n    policy: {ssh_keys: directory,", 1)
    assert "allow_from" in text
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    try:
        assert stock.sign_in(browser, "alice", world.alice.secret) == REFUSED
        assert events("login-denied")[-1]["TENANT_REASON"] == "source-not-allowed"
    finally:
        world.write(host)
    assert stock.sign_in(browser, "alice", world.alice.secret) is True


def test_local_people_use_the_hub_as_ever(stock, browser):
    assert stock.sign_in(browser, "local1", LOCAL_PASSWORD) is True
    assert stock.sign_in(browser, "local1", "wrong") == REFUSED


# --- as docs/examples/jupyterhub says


def test_api_key_is_accepted(hub, world, browser, events):
    assert hub.sign_in(browser, "alice", world.alice.secret) is True
    assert [e["TENANT_SERVICE"] for e in events("login-allowed")] == ["jupyterhub"]


def test_spawned_server_has_the_groups_of_the_role(hub, host, world, browser):
    assert hub.sign_in(browser, "alice", world.alice.secret) is True
    hub.server(browser, "alice")
    shown = hub.in_terminal(browser, "alice", "id -Gn; id -u; pwd; umask; stat -c %U:%a .")
    lines = [line.strip() for line in shown.splitlines()]
    groups = next(line for line in lines if line.startswith("alice ")).split()
    assert set(groups) == {"alice", "acme", "acme-vision", "acme-vision-viewer", "acme-vision-editor", "tenant-users"}
    assert set(groups) == set(host.run("id", "-Gn", "alice").out.split())
    assert {str(world.alice.uid), "/home/alice", "0077", "alice:700"} <= set(lines), shown


def test_owner_has_groups_that_an_editor_has_not(hub, world, browser):
    assert hub.sign_in(browser, "olivia", world.olivia.secret) is True
    hub.server(browser, "olivia")
    shown = hub.in_terminal(browser, "olivia", "id -Gn")
    assert "acme-vision-owner" in shown and "globex" not in shown


@pytest.mark.parametrize("login, secret, reason", [
    ("alice", "wrong", "key-unknown"),
    ("alice", "olivia", "key-other-user"),
    ("sam", "sam", "user-suspended"),
    ("vera", "vera", "role-too-low"),
    ("gina", "gina", "not-a-member"),
    ("rita", "rita", "key-revoked"),
    ("nadia", "nadia", "key-scope-source"),
])
def test_refused_and_audited(hub, world, browser, events, login, secret, reason):
    secret = world.wrong if secret == "wrong" else getattr(world, secret).secret
    assert hub.sign_in(browser, login, secret) == REFUSED
    assert reason in [e["TENANT_REASON"] for e in events("login-denied")]
    assert not events("login-allowed")


def test_nobody_is_called_that(hub, world, browser, events):
    assert hub.sign_in(browser, "nobody-of-ours", world.alice.secret) == REFUSED


def test_host_rule_names_services(hub, host, world, browser, events):
    text = world.directory().replace("sudo: [owner]}", "sudo: [owner], services: [sshd]}")
    assert "services: [sshd]" in text
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    try:
        assert hub.sign_in(browser, "alice", world.alice.secret) == REFUSED
        assert "service-not-allowed" in [e["TENANT_REASON"] for e in events("login-denied")]
    finally:
        world.write(host)


def test_one_time_code_is_good_once(hub, host, world, browser, events):
    code = code_for(world, host, "alice", "--service", "jupyterhub")
    assert hub.sign_in(browser, "alice", code) is True
    assert hub.sign_in(browser, "alice", code) == REFUSED
    assert "code-wrong" in [e["TENANT_REASON"] for e in events("login-denied")]


def test_one_time_code_as_people_type_it(hub, host, world, browser):
    code = code_for(world, host, "alice")
    assert hub.sign_in(browser, "alice", code.lower().replace("-", "")) is True


def test_one_time_code_is_for_one_person_and_one_service(hub, host, world, browser, events):
    other = code_for(world, host, "alice", "--service", "sshd")
    assert hub.sign_in(browser, "alice", other) == REFUSED
    mine = code_for(world, host, "alice", "--service", "jupyterhub")
    assert hub.sign_in(browser, "olivia", mine) == REFUSED
    assert {"code-wrong"} == {e["TENANT_REASON"] for e in events("login-denied")}
    # Nobody who could not use it has used it up.
    assert hub.sign_in(browser, "alice", mine) is True


def test_agent_away_is_no_denial_and_lets_nobody_in(hub, host, world, browser):
    units = ("tenantd.socket", "tenantd.service")
    mark = host.cursor()
    host.run("systemctl", "stop", *units)
    try:
        assert hub.sign_in(browser, "alice", world.alice.secret) == REFUSED
    finally:
        host.run("systemctl", "start", *units)
    log = host.journal_text(after=mark)
    assert re.search(r"pam_tenant\(jupyterhub:\w+\): .*(broken|not running|cannot)", log), log
    assert hub.sign_in(browser, "alice", world.alice.secret) is True


def test_server_of_somebody_who_lost_the_right_is_stopped(hub, host, world, browser):
    assert hub.sign_in(browser, "alice", world.alice.secret) is True
    hub.server(browser, "alice")
    running = f"pgrep -u {world.alice.uid} -f singleuser"
    assert host.sh(running, check=False).code == 0
    text = world.directory().replace("name: Alice Example\n    status: active",
                                     "name: Alice Example\n    status: suspended\n    status_reason: on leave")
    assert "on leave" in text
    host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
    host.run("tenantctl", "reload")
    try:
        assert host.wait_until(lambda: host.sh(running, check=False).code != 0, 20), hub.log()
        assert hub.sign_in(browser, "alice", world.alice.secret) == REFUSED
    finally:
        world.write(host)


def test_server_ends_with_its_person_though_the_hub_does_nothing(hub, host, world, browser, events):
    """Nobody opened a session for it and the hub's own watcher is away: the agent ends what runs as the person."""
    hub.example("c.JupyterHub.services = []", "c.JupyterHub.load_roles = []")
    try:
        assert hub.sign_in(browser, "olivia", world.olivia.secret) is True
        hub.server(browser, "olivia")
        hub.in_terminal(browser, "olivia", "(trap '' HUP TERM; setsid -f sleep 7654321 >/dev/null 2>&1 </dev/null)")
        assert hub.sign_in(browser, "alice", world.alice.secret) is True
        hub.server(browser, "alice")
        text = world.directory().replace("name: Olivia Example\n    status: active",
                                         "name: Olivia Example\n    status: suspended\n    status_reason: on leave")
        assert "on leave" in text
        host.write("/etc/tenantd/directory.yaml", text, 0o640, "root:tenantd")
        host.run("tenantctl", "reload")
        # A dead server is the hub's to bury, which looks every half minute.
        gone = host.wait_until(lambda: host.sh(f"ps -o stat= -u {world.olivia.uid} | grep -qv ^Z", check=False).code != 0, 20)
        assert gone, host.sh(f"ps -fu {world.olivia.uid}", check=False).out + hub.log()
        assert [e["TENANT_CAUSE"] for e in events("session-ending")] == ["user-suspended"]
        # The hub itself, and other people's servers, go on.
        assert hub.answers() and host.sh(f"pgrep -u {world.alice.uid} -f singleuser", check=False).code == 0
    finally:
        world.write(host)
        hub.example()


def test_hub_registers_no_sessions_of_its_own_process(hub, host, world, browser):
    """With sessions opened by the hub, which is not how the example has it: leader=none keeps the hub out of them."""
    hub.example("c.PAMAuthenticator.open_sessions = True")
    try:
        assert hub.sign_in(browser, "alice", world.alice.secret) is True
        hub.server(browser, "alice")
        listed = json.loads(host.run("tenantctl", "sessions", "--json").out)["sessions"]
        assert not [one for one in listed if one["service"] == "jupyterhub"], listed
    finally:
        hub.example()
