# SPDX-License-Identifier: MIT
"""The package of tenant-control on a host of its own: from its installation to its end, in this order."""
import re
import shutil
import threading

import pytest

from hostlib import fleet as fleets, rootfs

CONFIG = "/etc/tenant-control/control.yaml.d/50-test.yaml"
UNIT = "tenant-control.service"


@pytest.fixture(scope="module")
def alone(new_fleet):
    """A control plane without hosts."""
    return new_fleet(workers=()).boot()


def doctor(fleet):
    return fleet.control.run("tenant-control", "doctor", check=False)


def main_pid(host):
    return host.run("systemctl", "show", "-P", "MainPID", UNIT).out.strip()


def test_installed_and_not_set_up(alone):
    host = alone.control
    alone.start_database()
    host.install(rootfs.packages(control_plane=True))
    assert host.run("systemctl", "is-failed", UNIT, check=False).out.strip() != "failed"
    assert host.run("id", "-un", "tenant-control").out.strip() == "tenant-control"
    for words in (("doctor",), ("user", "list", "--tenant", "acme"), ("migrate", "--check"), ("serve", "--check-config")):
        result = host.run("tenant-control", *words, check=False)
        assert result.code not in (0, 139, 134) and "url" in result.out + result.err, result
    refused = host.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "tenant-control", "doctor", check=False)
    assert refused.code != 0
    host.run("test", "!", "-e", "/etc/tenant-control/seal.key")


def test_init_and_again(alone):
    result = alone.set_up()
    assert fleets.OPERATOR_PASSWORD not in result.out
    assert alone.control.run("systemctl", "is-enabled", UNIT).out.strip() == "enabled"
    sums = alone.control.sh("sha256sum /etc/tenant-control/seal.key /etc/tenant-control/tls.* /etc/tenant-control/control.yaml.d/*").out
    again = alone.control.run("tenant-control", "init", "--url", fleets.URL, "--operator", fleets.OPERATOR,
                              "--password-file", "/root/operator-password", check=False)
    assert again.code == 0, again
    assert alone.control.sh("sha256sum /etc/tenant-control/seal.key /etc/tenant-control/tls.* "
                            "/etc/tenant-control/control.yaml.d/*").out == sums
    assert alone.call("GET", "/readyz").status == 200
    assert alone.operator_call("GET", "/v1/tenants").body["items"] == []


def test_sandbox(alone, capsys):
    host = alone.control
    last = host.run("systemd-analyze", "security", "--no-pager", UNIT).out.splitlines()[-1]
    score = float(re.search(r"([\d.]+) (OK|SAFE)", last)[1])
    with capsys.disabled():
        print(f"\n   systemd-analyze security: {score}", end=" ", flush=True)
    assert score < 2.5, last
    host.run("systemd-analyze", "verify", "--man=no", UNIT)
    status = dict(li.split(":\t", 1) for li in host.read(f"/proc/{main_pid(host)}/status").splitlines() if ":\t" in li)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and status["Uid"].split()[0] != "0"
    assert status["CapEff"].strip() == f"{1 << 10:016x}"  # CAP_NET_BIND_SERVICE
    for path, expected in (("/etc/tenant-control/seal.key", "root:tenant-control 640"),
                           ("/etc/tenant-control/tls.key", "root:tenant-control 640"),
                           ("/etc/tenant-control/control.yaml", "root:root 644")):
        assert host.run("stat", "-c", "%U:%G %a", path).out.strip() == expected, path
    listing = host.run("dpkg", "-L", "tenant-control").out
    for page in ("tenant-control.8", "tenant-control.yaml.5"):
        assert f"/{page}.gz" in listing, page


def test_healthy(alone):
    alone.operator_call("POST", "/v1/tenants", {"slug": "acme", "name": "Acme"})
    result = doctor(alone)
    assert result.code == 0 and "broken" not in result.out and "warning" not in result.out, result


BROKEN = {
    "seal key that all can read": ("chmod 0644 /etc/tenant-control/seal.key", "chmod 0640 /etc/tenant-control/seal.key",
                                   2, "everybody can read it"),
    "another seal key": ("cp -a /etc/tenant-control/seal.key /root/; head -c 32 /dev/urandom > /etc/tenant-control/seal.key",
                         "cat /root/seal.key > /etc/tenant-control/seal.key; rm /root/seal.key", 2, "key"),
    "no seal key": ("mv /etc/tenant-control/seal.key /root/", "mv /root/seal.key /etc/tenant-control/", 2, "seal"),
    "no database": ("systemctl stop postgresql@15-main.service", "systemctl start postgresql@15-main.service", 2,
                    "cannot be reached"),
    "a role that may too much": ("cd /; runuser -u postgres -- psql -qc 'ALTER ROLE \"tenant-control\" BYPASSRLS'",
                                 "cd /; runuser -u postgres -- psql -qc 'ALTER ROLE \"tenant-control\" NOBYPASSRLS'", 2,
                                 "row-level security"),
    "row-level security that is off": (
        "cd /; runuser -u postgres -- psql -qd tenant-control -c 'ALTER TABLE control.users NO FORCE ROW LEVEL SECURITY'",
        "cd /; runuser -u postgres -- psql -qd tenant-control -c 'ALTER TABLE control.users FORCE ROW LEVEL SECURITY'", 2,
        "not forced on"),
    "fsync that is off": ("cd /; runuser -u postgres -- psql -qc 'ALTER SYSTEM SET fsync = off' -c 'SELECT pg_reload_conf()'",
                          "cd /; runuser -u postgres -- psql -qc 'ALTER SYSTEM RESET fsync' -c 'SELECT pg_reload_conf()'",
                          2, "durab"),
    "a key of another certificate": (
        "cp -a /etc/tenant-control/tls.key /root/; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
        "> /etc/tenant-control/tls.key", "cat /root/tls.key > /etc/tenant-control/tls.key; rm /root/tls.key", 2,
        "do not belong together"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_doctor(alone, what):
    spoil, mend, code, words = BROKEN[what]
    alone.control.sh(spoil)
    try:
        result = alone.control.wait_until(lambda: (r := doctor(alone)).code != 0 and r, 5)
    finally:
        alone.control.sh(mend)
    assert result and result.code == code and words in result.out, result
    assert alone.control.wait_until(lambda: doctor(alone).code == 0, 10), doctor(alone)


@pytest.mark.parametrize("text,place,words", [
    ("feed:\n  head: 1s\n  colour: red\n", "3:3", "colour"),
    ("feed:\n  head: 0s\n", "2:9", "span"),
    ("listen:\n  port: 70000\n", "2:9", "port"),
    ("url: http://control.fleet.test\n", "1:6", "http://"),
    ("tokens: {access: 1s}\n", "1:18", "span"),
    ("log_level: loud\nlog_level: info\n", "", "log_level"),
    ("listen: [1,\n", "", "50-test.yaml"),
], ids=["unknown", "zero", "port", "http", "range", "twice", "syntax"])
def test_mistakes_in_the_configuration(alone, text, place, words):
    host = alone.control
    host.write(CONFIG, text)
    try:
        result = host.run("tenant-control", "serve", "--check-config", check=False)
        assert result.code in (1, 2) and words in result.err, result
        assert re.search(rf"50-test\.yaml:{place or '[0-9]+:[0-9]+'}: ", result.err), result
        # The unit does not come up with it, and says so.
        result = host.run("systemctl", "reload", UNIT, check=False)
        assert alone.call("GET", "/healthz").status == 200
    finally:
        host.run("rm", CONFIG)
    assert host.run("tenant-control", "serve", "--check-config").code == 0


def test_configuration_that_others_can_write(alone):
    host = alone.control
    host.write(CONFIG, "log_level: info\n", 0o666)
    try:
        result = host.run("tenant-control", "serve", "--check-config", check=False)
        assert result.code != 0 and "50-test.yaml" in result.err, result
    finally:
        host.run("rm", CONFIG)


def upgraded(tmp_path):
    """The same package with a higher version."""
    (deb,) = rootfs.packages(control_plane=True)
    folder = tmp_path / deb.stem
    rootfs.run("dpkg-deb", "-R", str(deb), str(folder))
    control = folder / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)$", r"\1+upgrade1", control.read_text(), flags=re.M))
    target = tmp_path / f"{deb.stem}+upgrade1.deb"
    rootfs.run("dpkg-deb", "-b", "--root-owner-group", "-Znone", str(folder), str(target))
    shutil.rmtree(folder)
    return target


def test_upgrade_while_people_write(alone, tmp_path):
    """What was acknowledged is there; nothing but a short absence is seen."""
    host = alone.control
    host.sh("echo '# mine' >> /etc/tenant-control/control.yaml")
    pid, made, odd, ending = main_pid(host), [], [], threading.Event()

    def write():
        n = 0
        while not ending.is_set():
            n += 1
            try:
                answer = alone.call("POST", "/v1/tenants/acme/users", {"login": f"u{n}"}, alone.operator, timeout=10)
            except OSError:
                ending.wait(0.02)
                continue
            if answer.status == 201:
                made.append(f"u{n}")
            elif answer.status != 503:
                odd.append(answer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert host.wait_until(lambda: len(made) > 5)
        host.install([upgraded(tmp_path)])
        count = len(made)
        assert host.wait_until(lambda: len(made) > count + 5)
    finally:
        ending.set()
        thread.join(30)
    assert not odd, odd[:3]
    assert "+upgrade1" in host.run("dpkg-query", "-W", "tenant-control").out
    assert main_pid(host) not in (pid, "0")
    assert "# mine" in host.read("/etc/tenant-control/control.yaml")
    there = [u["login"] for u in alone.operator_call("GET", "/v1/tenants/acme/users?limit=1000").body["items"]]
    assert set(made) <= set(there)
    assert doctor(alone).code == 0


def test_reload_takes_another_certificate(alone):
    host = alone.control
    host.sh(f"cd /etc/tenant-control && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
            f"-subj /CN={fleets.NAME} -addext subjectAltName=DNS:{fleets.NAME} -keyout /root/new.key -out /root/new.crt "
            "2>/dev/null && cat /root/new.key > tls.key && cat /root/new.crt > tls.crt")
    pid = main_pid(host)
    host.run("systemctl", "reload", UNIT)
    alone.certificate = host.read(fleets.CERTIFICATE)
    assert alone.call("GET", "/readyz").status == 200 and main_pid(host) == pid


def test_remove_and_purge_and_back(alone):
    host = alone.control
    host.sh("apt-get remove -y tenant-control", timeout=120)
    with pytest.raises(OSError):
        alone.call("GET", "/healthz")
    host.run("test", "-s", "/etc/tenant-control/seal.key")
    host.install(rootfs.packages(control_plane=True))
    host.run("systemctl", "start", UNIT)
    assert host.wait_until(lambda: doctor(alone).code == 0), doctor(alone)
    assert alone.operator_call("GET", "/v1/tenants/acme").status == 200

    out = host.sh("apt-get purge -y tenant-control 2>&1", timeout=120).out
    # The database stays, and with it the key that opens it; everything else goes.
    assert "seal.key was kept" in out
    assert host.sh("find /etc/tenant-control").out.split() == ["/etc/tenant-control", "/etc/tenant-control/seal.key"]
    assert host.run("systemctl", "is-system-running", check=False).out.strip() == "running"
    assert "tenant-control" in host.sh("cd /; runuser -u postgres -- psql -Atlq").out
