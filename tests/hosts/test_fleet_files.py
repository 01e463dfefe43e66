# SPDX-License-Identifier: MIT
"""A feed as files, for worker-3, which has no control plane."""
import json
import shutil

import pytest

from hostlib import client
from hostlib.tenancy import feed, status, verify

FOLDER = "/etc/tenantd/feeds/acme"


def export(fleet, name, *words):
    """As files on the control plane's host; the path as it is seen from here."""
    fleet.control.run("rm", "-rf", f"/root/{name}")
    fleet.control.run("tenant-control", "export", "acme", f"/root/{name}", *words)
    return fleet.control.root / "root" / name


@pytest.fixture
def offline(fleet, tenancy):
    """A host that only gets what is copied: drop(folder) does, as configuration management would."""
    host = fleet.workers[2]
    host.run("tenantctl", "unenroll")
    host.network.cut(host.number)

    def drop(source):
        target = host.root / FOLDER[1:]
        host.run("rm", "-rf", FOLDER)
        shutil.copytree(source, target)
        host.sh(f"chown -R root:tenantd {FOLDER}; chmod 0750 {FOLDER}; chmod 0640 {FOLDER}/*")
        return host.run("tenantctl", "reload", check=False)

    host.drop = drop
    yield host
    host.run("rm", "-rf", "/etc/tenantd/feeds/acme")
    host.run("systemctl", "stop", "tenantd.service")
    host.sh("rm -rf /var/lib/tenantd/*")
    host.run("systemctl", "start", "tenantd.service")
    host.network.cut(host.number, lost=False)


def signs_in(host, person):
    """On its console: no cable leads there."""
    login = client.on_console(host, ["login", person.login], secret=person.secret, answers=[(r"\$ $", "id -un; exit")])
    return person.login in login.text.replace(f"{host.name} login", "").split("Last login")[-1] and "$" in login.text


def test_life_of_a_feed_as_files(fleet, tenancy, offline):
    host = offline
    first = tenancy.person("fred")
    old = export(fleet, "export-1")
    second = tenancy.person("sara")
    first.revoke_key()
    new = export(fleet, "export-2")

    # The first one: there is neither a directory file nor a control plane, and reload says when it is in force.
    result = host.drop(old)
    assert result.code == 0, result
    assert tenancy.live(host, 1), status(host)
    assert feed(host, "acme")["from_file"]
    assert verify(host, first.secret, "--project", "acme/vision").code == 0
    assert verify(host, second.secret).code == 1
    assert signs_in(host, first)
    assert host.run("id", "-Gn", first.login).out.split()[-1:] and "acme-vision-editor" in host.run("id", "-Gn", first.login).out

    # A newer one takes its place by a reload.
    assert host.drop(new).code == 0
    assert host.wait_until(lambda: verify(host, second.secret).code == 0), status(host)
    assert verify(host, first.secret).code == 1
    revision = feed(host, "acme")["revision"]

    # An older one is refused, whatever happens, and after a restart, too.
    mark = host.cursor()
    result = host.drop(old)
    assert result.code == 1 and "last good one" in result.err, result
    for _ in range(2):
        found = host.wait_until(lambda: feed(host, "acme") and feed(host, "acme").get("problem") and feed(host, "acme"))
        assert found and found["fault"] == "import" and found["revision"] == revision, status(host)
        assert host.run("tenantctl", "status", check=False).code == 1
        assert verify(host, first.secret).code == 1 and verify(host, second.secret).code == 0
        host.run("systemctl", "restart", "tenantd.service")
    assert [e for e in host.journal(after=mark) if e.get("TENANTD_EVENT") in ("feed-refused", "feed-quarantined")
            and e.get("TENANT_CHANGE") == "rollback"]

    # The newest again: all is well.
    assert host.drop(new).code == 0
    assert host.wait_until(lambda: tenancy.live(host, 1)), status(host)
    assert host.run("tenantctl", "status").code == 0


def replace(path, old, new):
    data = path.read_bytes()
    assert old in data, (path, old)
    path.write_bytes(data.replace(old, new, 1))


@pytest.mark.parametrize("name,change,fault", [
    ("head", lambda p: replace(p, b"expires 2", b"expires 3"), {"bad-signature"}),
    ("head", lambda p: replace(p, b"revision ", b"revision 9"), {"bad-signature"}),
    ("head", lambda p: p.write_bytes(p.read_bytes().split(b"\n\n")[0] + b"\n\n"), {"malformed", "unsigned"}),
    ("snapshot", lambda p: replace(p, b"records ", b"records 1"), {"bad-signature"}),
    ("snapshot.zst", lambda p: p.write_bytes(p.read_bytes()[:-1] + b"\0"), {"bad-digest", "malformed"}),
    ("snapshot.zst", lambda p: p.write_bytes(p.read_bytes()[:-9]), {"too-large", "bad-digest", "malformed"}),
    ("trust.1", lambda p: replace(p, b"epoch 1", b"epoch 2"), {"bad-signature"}),
    ("snapshot.zst", lambda p: p.unlink(), None),
], ids=["expiry", "revision", "stripped", "records", "byte", "short", "trust", "missing"])
def test_tampered_export(fleet, tenancy, offline, name, change, fault):
    host = offline
    person = tenancy.person("theo")
    good = export(fleet, "export-good")
    assert host.drop(good).code == 0
    assert host.wait_until(lambda: tenancy.live(host, 1)), status(host)
    last = tenancy.person("thea")
    bad = export(fleet, "export-bad")
    change(bad / name)
    assert host.drop(bad).code == 1
    found = host.wait_until(lambda: feed(host, "acme") and feed(host, "acme").get("problem") and feed(host, "acme"))
    assert found and (fault is None or found["fault"] in fault), status(host)
    # The last good one stays; by hand the same is found.
    assert verify(host, person.secret).code == 0 and verify(host, last.secret).code == 1
    if fault:
        result = host.run("tenantctl", "feed", "verify", FOLDER, check=False)
        assert result.code == 1, result
        assert any(word in result.out for word in (*fault, "bad-digest")), result


def test_verify_on_the_host(fleet, tenancy, offline):
    host = offline
    tenancy.person("vic")
    host.drop(export(fleet, "export-1"))
    result = host.run("tenantctl", "feed", "verify", FOLDER, "--json")
    assert result.code == 0 and json.loads(result.out), result
    files = host.sh(f"ls {FOLDER}").out.split()
    assert {"trust.1", "head", "snapshot", "snapshot.zst"} <= set(files)
    table = host.run("tenantctl", "feed", "verify", *(f"{FOLDER}/{f}" for f in files)).out
    assert "fine" in table
    later = host.run("tenantctl", "feed", "verify", FOLDER, "--now", "2030-01-01T00:00:00Z", check=False)
    assert later.code == 1 and "expired" in later.out, later


def test_folder_that_the_agent_cannot_read(fleet, tenancy, offline):
    host = offline
    person = tenancy.person("pia")
    host.drop(export(fleet, "export-1"))
    assert verify(host, person.secret).code == 0
    host.run("chown", "root:root", f"{FOLDER}/head")
    result = host.run("tenantctl", "reload", check=False)
    assert result.code == 1 and "Permission denied" in result.err, result
    host.run("chown", "root:tenantd", f"{FOLDER}/head")
    assert host.run("tenantctl", "reload").code == 0
    assert verify(host, person.secret).code == 0


def test_folder_that_others_can_write(fleet, tenancy, offline):
    host = offline
    person = tenancy.person("paul")
    source = export(fleet, "export-1")
    host.drop(source)
    assert host.wait_until(lambda: verify(host, person.secret).code == 0)
    host.run("chmod", "0777", FOLDER)
    host.run("tenantctl", "reload", check=False)
    assert host.wait_until(lambda: host.run("tenantctl", "status", check=False).code == 1), status(host)
    assert "trusted" in host.run("tenantctl", "status", check=False).out or "writable" in \
        host.run("tenantctl", "status", check=False).out
    host.run("chmod", "0755", FOLDER)
    assert host.run("tenantctl", "reload", check=False).code == 0
    assert host.wait_until(lambda: tenancy.live(host, 1)), status(host)


def test_export_says_how_long(fleet, tenancy, offline):
    host = offline
    host.drop(export(fleet, "export-1", "--valid-for", "1"))
    head = host.read(f"{FOLDER}/head").splitlines()
    issued, expires = ([line for line in head if line.startswith(word)][0].split()[1] for word in ("issued", "expires"))
    assert expires[11:] == issued[11:] and expires > issued
    unknown = fleet.control.run("tenant-control", "export", "nobody", "/root/none", check=False)
    assert unknown.code == 1 and "nobody" in unknown.err, unknown
    assert fleet.control.run("tenant-control", "export", "acme", "/root/none", "--valid-for", "0", check=False).code == 2
