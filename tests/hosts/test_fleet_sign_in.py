# SPDX-License-Identifier: MIT
"""Signing in on enrolled hosts with what the control plane gave."""
import json

import pytest

from hostlib import client
from hostlib.tenancy import PASSWORD, verify


@pytest.fixture(scope="module")
def editor(tenancy):
    return tenancy.person("erin", password=True)


@pytest.fixture(scope="module")
def owner(tenancy):
    return tenancy.person("otto", role="owner")


@pytest.fixture(scope="module")
def stranger(tenancy):
    """Of globex, which worker-1 does not serve."""
    return tenancy.person("gerd", tenant="globex", password=True)


def test_by_api_key_ssh_key_and_access_token(fleet, editor):
    for host in fleet.workers[:2]:
        for how in ({"secret": editor.secret}, {"method": "key", "key": editor.ssh_key},
                    {"secret": editor.sign_in()}, {"method": "password", "secret": editor.sign_in()}):
            login = client.ssh(host, editor.login, "id; env", **how)
            assert login.code == 0, login
            assert "acme-vision-editor" in login.text and "acme-vision-owner" not in login.text, login
            assert f"TENANT_USER={editor.login}" in login.text or "TENANT" in login.text, login
    ids = {host.run("id", editor.login).out for host in fleet.workers[:2]}
    assert len(ids) == 1, ids


def test_wrong_secrets(fleet, tenancy, editor):
    host = fleet.workers[0]
    other = tenancy.person("else", password=True)
    # Their password is for the control plane alone; what is somebody else's is nobody's here.
    # (Each refusal is answered later than the one before.)
    for secret in (PASSWORD, other.secret, other.sign_in(), editor.sign_in()[:-2] + "AA"):
        login = client.ssh(host, editor.login, secret=secret)
        assert not login.allowed, login


def test_sudo_by_role(fleet, editor, owner):
    host = fleet.workers[1]
    login = client.ssh(host, owner.login, "sudo id -u", secret=owner.secret, tty=True)
    assert login.code == 0 and "\n0" in login.text.replace("\r", ""), login
    login = client.ssh(host, editor.login, "sudo id -u", secret=editor.secret, tty=True)
    assert login.code != 0 and login.allowed, login


def test_two_tenants_on_one_host(fleet, editor, stranger):
    host = fleet.workers[1]
    for person, group in ((editor, "acme-vision-editor"), (stranger, "globex-delta-editor")):
        login = client.ssh(host, person.login, "id -Gn; ls -d /home/*/*/ 2>/dev/null; cat ~/../*/.bashrc", secret=person.secret)
        assert login.allowed and group in login.text, login
    groups = {person.login: set(host.run("id", "-Gn", person.login).out.split()) for person in (editor, stranger)}
    assert groups[editor.login] & groups[stranger.login] == {"tenant-users"}, groups


def test_person_of_a_tenant_that_is_not_served_here(fleet, stranger):
    host, serving = fleet.workers[:2]
    assert client.ssh(serving, stranger.login, secret=stranger.secret).code == 0
    assert host.run("id", stranger.login, check=False).code == 1
    for how in ({"secret": stranger.secret}, {"method": "key", "key": stranger.ssh_key}, {"secret": stranger.sign_in()}):
        assert not client.ssh(host, stranger.login, **how).allowed
    assert verify(host, stranger.secret).code == 1
    assert verify(host, stranger.sign_in()).code == 1
    # Its name is in no file of the feed that this host follows.
    assert stranger.login not in host.run("tenantctl", "metrics").out


def test_verify(fleet, editor):
    for host in fleet.workers[:2]:
        for secret in (editor.secret, editor.sign_in()):
            result = verify(host, secret, "--project", "acme/vision", "--json")
            answer = json.loads(result.out)
            assert result.code == 0 and answer["decision"]["decision"] == "allowed", result
            assert (answer["principal"]["user_id"], answer["principal"]["role"]) == (editor.id, "editor"), answer
            assert answer["principal"]["tenant"] == "acme", answer
        assert verify(host, editor.secret, "--project", "globex/delta").code == 1
        assert verify(host, editor.secret, "--project", "acme/vision", "--action", "project.manage").code == 1


def test_a_key_for_another_project_or_source_alone(fleet, tenancy):
    host = fleet.workers[0]
    person = tenancy.person("nora")
    narrow = person.add_key(**{"from": ["198.51.100.0/24"]})["secret"]
    tenancy.fleet.operator_call("PUT", f"{person.membership}?wait=20", {"role": "editor"})
    assert not client.ssh(host, person.login, secret=narrow).allowed


def test_secrets_are_in_no_log(fleet, editor, owner):
    token = editor.sign_in()
    for host in fleet.workers[:2]:
        assert client.ssh(host, editor.login, secret=token).code == 0
    for host in fleet.machines:
        text = host.journal_text()
        for secret in (editor.secret, owner.secret, token, PASSWORD, fleet.operator):
            assert secret not in text, host.name
