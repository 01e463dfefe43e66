# SPDX-License-Identifier: MIT
"""Joining a control plane, on worker-3, which serves nobody before and after each test."""
import json
import re
import subprocess

import pytest

from hostlib import client, fleet as fleets
from hostlib.tenancy import feed, status
from hostlib.world import ApiKey

DROPIN = "/etc/tenantd/agent.yaml.d/60-test.yaml"


def new_token(fleet, tenants=("acme",), host_name="worker-3", **more):
    body = {"tenants": list(tenants), **({"host_name": host_name} if host_name else {}), **more}
    return fleet.operator_call("POST", "/v1/enrolment-tokens", body)


def enroll(host, token, url=fleets.URL, *words):
    return host.run("tenantctl", "enroll", url, "-", *words, input=token + "\n", check=False)


@pytest.fixture
def spare(fleet, tenancy):
    """worker-3, enrolled nowhere."""
    host = fleet.workers[2]
    host.run("tenantctl", "unenroll")
    mark = host.cursor()
    yield host
    host.run("tenantctl", "unenroll", check=False)
    tenancy.leave(host)
    if host.run("test", "-e", DROPIN, check=False).code == 0:
        host.run("rm", DROPIN)
        host.run("systemctl", "restart", "tenantd.service")
    assert not re.search(r"tnt_et_\w{30,}", host.journal_text(after=mark))


def configure(host, text):
    host.write(DROPIN, text)
    host.run("systemctl", "restart", "tenantd.service")


def refused(host, result, words):
    """It says why, changes nothing, and the audit has it."""
    assert result.code == 1, result
    assert words in result.err and result.out == "", result
    after = status(host)
    assert after["enrolment"]["state"] == "unenrolled" and after["feeds"] == [], after
    entry = host.wait_until(lambda: host.journal(TENANT_CHANGE="refused", TENANTD_EVENT="host-enrolled"))
    assert entry, host.journal_text()[-2000:]


def test_enrolment_and_again(fleet, tenancy, spare):
    token = new_token(fleet)
    result = enroll(spare, token["token"])
    assert result.code == 0 and "enrolled as hst_" in result.out, result
    assert spare.wait_until(lambda: tenancy.live(spare, 1)), status(spare)
    files = spare.sh("cd /var/lib/tenantd && find . -name host.identity -exec sha256sum {} +").out
    assert files
    # Again, with the token that is used by now, and with one that is good: neither is asked for.
    other = new_token(fleet)
    for text in (token["token"], other["token"]):
        again = enroll(spare, text)
        assert again.code == 0 and again.out == result.out, again
    assert spare.sh("cd /var/lib/tenantd && find . -name host.identity -exec sha256sum {} +").out == files
    left = fleet.operator_call("GET", "/v1/enrolment-tokens").body["items"]
    assert [t["uses_left"] for t in left if t["id"] == other["id"]] == [1]
    host = fleet.operator_call("GET", "/v1/hosts/worker-3").body
    assert host["tenants"] == [tenancy.ids["acme"]], host
    # Having left, it comes back once the control plane has forgotten the key it had, and by no used token.
    spare.run("tenantctl", "unenroll")
    refused(spare, enroll(spare, other["token"]), "remove it first")
    tenancy.leave(spare)
    refused(spare, enroll(spare, token["token"]), "token")
    result = enroll(spare, other["token"])
    assert result.code == 0, result


def test_what_is_kept_is_for_root_and_sealed(fleet, tenancy, spare):
    token = new_token(fleet)["token"]
    assert enroll(spare, token).code == 0
    assert spare.wait_until(lambda: tenancy.live(spare, 1)), status(spare)
    # A private key's marks in DER and PEM, the tenant's people, the token.
    for needle in (token, "PRIVATE KEY", "acme"):
        found = spare.run("grep", "-rlaF", "--devices=skip", needle, "/var/lib/tenantd", "/run/tenantd", "/etc/tenantd", "/var/log",
                          check=False).out.split()
        assert not [f for f in found if needle == token or "/var/lib/tenantd" in f], (needle, found)
    listing = spare.sh("find /var/lib/tenantd -printf '%p %u %m\\n'").out.splitlines()
    assert all(line.endswith((" tenantd 600", " tenantd 700")) for line in listing), listing


def test_token_is_in_no_list_of_processes(fleet, spare):
    token = new_token(fleet)["token"]
    watch = subprocess.Popen(spare.command("sh", "-c", "while [ ! -e /tmp/stop-ps ]; do "
                             "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; done"), stdout=subprocess.PIPE)
    try:
        assert enroll(spare, token).code == 0
    finally:
        spare.sh("touch /tmp/stop-ps")
        seen = watch.communicate(timeout=30)[0]
        spare.sh("rm /tmp/stop-ps")
    assert b"tenantctl" in seen and token.encode() not in seen


def test_tokens_that_do_not_count(fleet, tenancy, spare):
    good = new_token(fleet, uses=1)["token"]
    assert enroll(spare, good).code == 0
    spare.run("tenantctl", "unenroll")
    tenancy.leave(spare)
    refused(spare, enroll(spare, good), "token")

    deleted = new_token(fleet)
    fleet.operator_call("DELETE", f"/v1/enrolment-tokens/{deleted['id']}")
    refused(spare, enroll(spare, deleted["token"]), "token")

    refused(spare, enroll(spare, new_token(fleet, host_name="worker-9")["token"]), "token")

    expired = new_token(fleet, lifetime=1)["token"]
    spare.run("sleep", "2.1")
    refused(spare, enroll(spare, expired), "token")

    # As long and with the right sum, but nobody's; then one digit wrong.
    refused(spare, enroll(spare, ApiKey("et").text), "token")
    refused(spare, enroll(spare, good[:-1] + ("x" if good[-1] != "x" else "y")), "mistyped")
    refused(spare, enroll(spare, ApiKey("pk").text), "not an enrolment token")


def test_usage_and_rights(fleet, spare):
    assert spare.run("tenantctl", "enroll", fleets.URL, check=False).code == 2
    assert spare.run("tenantctl", "enroll", fleets.URL, "-", check=False, input="").code == 2
    token = new_token(fleet)["token"]
    result = spare.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "tenantctl", "enroll",
                       fleets.URL, "-", input=token + "\n", check=False)
    assert result.code in (1, 3) and status(spare)["enrolment"]["state"] == "unenrolled", result
    spare.run("systemctl", "stop", "tenantd.service", "tenantd.socket", "tenantd-userdb.socket")
    assert enroll(spare, token).code == 3
    spare.run("systemctl", "start", "tenantd.socket", "tenantd-userdb.socket", "tenantd.service")


def test_not_the_control_plane(fleet, spare, tmp_path):
    """Each time with a token that is good, and is good still at the end."""
    token = new_token(fleet)["token"]
    refused(spare, enroll(spare, token, fleets.URL.replace("https", "http")), "https")
    # The certificate is for the name alone.
    spare.sh(f"echo '{fleet.control.address} other.fleet.test' >> /etc/hosts")
    refused(spare, enroll(spare, token, f"https://other.fleet.test:{fleets.PORT}"), "certificate")
    refused(spare, enroll(spare, token, f"https://nowhere.fleet.test:{fleets.PORT}"), "nowhere.fleet.test")
    refused(spare, enroll(spare, token, f"https://{fleets.NAME}:9"), "connect")
    refused(spare, enroll(spare, token, f"https://{fleets.NAME}:22"), "control plane")

    pin = "sha256//" + "A" * 43 + "="
    configure(spare, f"control_plane:\n  ca_file: {fleets.CA}\n  pin: {pin}\n")
    refused(spare, enroll(spare, token), "pin")

    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=other", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "other.pem")],
                   check=True, capture_output=True)
    spare.write("/etc/tenantd/other.pem", (tmp_path / "other.pem").read_text())
    configure(spare, "control_plane:\n  ca_file: /etc/tenantd/other.pem\n")
    refused(spare, enroll(spare, token), "certificate")

    # A proxy that is not there.
    configure(spare, f"control_plane:\n  ca_file: {fleets.CA}\n  proxy: http://127.0.0.1:9\n")
    refused(spare, enroll(spare, token), "proxy")

    right = fleet.control.sh("openssl x509 -in /etc/tenant-control/tls.crt -pubkey -noout | openssl pkey -pubin -outform DER "
                             "| openssl dgst -sha256 -binary | base64").out.strip()
    configure(spare, f"control_plane:\n  ca_file: {fleets.CA}\n  pin: sha256//{right}\n")
    result = enroll(spare, token)
    assert result.code == 0, result


def test_failed_enrolment_elsewhere_leaves_what_works(fleet, tenancy, spare):
    tenancy.join(spare, "acme")
    person = tenancy.person()
    for url in (f"https://nowhere.fleet.test:{fleets.PORT}", f"https://{fleets.NAME}:9"):
        result = enroll(spare, new_token(fleet)["token"], url)
        assert result.code == 1, result
        assert tenancy.live(spare, 1), status(spare)
    login = client.ssh(spare, person.login, "id -un", secret=person.secret)
    assert login.code == 0, login
    # It goes on following.
    before = feed(spare, "acme")["revision"]
    tenancy.person()
    assert spare.wait_until(lambda: feed(spare, "acme")["revision"] > before)
    spare.run("tenantctl", "unenroll")
    assert not client.ssh(spare, person.login, secret=person.secret).allowed
    assert status(spare)["feeds"] == []


def test_json(fleet, spare):
    bad = enroll(spare, "nonsense", fleets.URL, "--json")
    assert bad.code == 1 and "error" in json.loads(bad.out)
    good = enroll(spare, new_token(fleet)["token"], fleets.URL, "--json")
    assert good.code == 0 and json.loads(good.out)["host"].startswith("hst_")
