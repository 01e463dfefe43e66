# SPDX-License-Identifier: MIT
"""init, migrate and doctor: from nothing to a control plane, again and again, and what they refuse."""
import json
import os
import re
import subprocess

import pytest

from controllib.program import environment


@pytest.fixture(scope="module")
def ready(cluster, tmp_path_factory):
    """A control plane that nothing serves."""
    from controllib.program import Control

    made = Control(cluster.folder / "setup", cluster, database="setup")
    made.init()
    yield made
    made.stop()


def doctor(control, **more):
    done = control.run("doctor", "--json", check=False, **more)
    report = json.loads(done.stdout)
    found = {}
    for check in report["checks"]:
        found.setdefault(check["check"], []).append((check["status"], check["text"]))
    return done.returncode, report["status"], found


def wrong(found):
    return {name: lines for name, lines in found.items() if any(status != "ok" for status, _ in lines)}


def test_init_says_each_step_and_again_that_it_found_it(cluster):
    from controllib.program import Control

    control = Control(cluster.folder / "again", cluster, database="again")
    first = control.init().stdout
    for line in ("database again: made", "applying 0001_schema", "seal key", "operator root@example.org: made"):
        assert line in first, first
    assert control.PASSWORD not in first
    key = (control.folder / "seal.key").read_bytes()
    assert len(key) == 32
    second = control.init().stdout
    for line in ("role tenant-control: found", "database again: found", "schema: up to date", "operators: found"):
        assert line in second, second
    assert "made" not in second and "applying" not in second
    assert (control.folder / "seal.key").read_bytes() == key
    assert (control.folder / "seal.key").stat().st_mode & 0o7777 == 0o640


def test_init_from_nothing_but_a_url(cluster, tmp_path):
    """As on a new machine: no configuration, the database's administrator by the unix account, a certificate made."""
    from controllib.program import find_program

    folder = cluster.folder / "from-url"
    folder.mkdir()
    config = folder / "control.yaml"
    config.write_text(
        f"database:\n  connection: \"{cluster.dsn(database='from-url')}\"\npaths:\n  seal_key: {folder}/seal.key\n"
    )
    tls = folder / "control.yaml.d" / "10-tls.yaml"
    tls.parent.mkdir()
    tls.write_text(f"tls:\n  certificate: {folder}/tls.crt\n  key: {folder}/tls.key\n")
    command = [str(find_program()), "init", "--config", str(config), "--url", "https://control.test:8443", "--no-operator"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    written = (folder / "control.yaml.d" / "00-init.yaml").read_text()
    assert "url: 'https://control.test:8443'" in written and "port: 8443" in written
    shown = subprocess.run(
        ["openssl", "x509", "-in", folder / "tls.crt", "-noout", "-text", "-checkhost", "control.test"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "does match certificate" in shown and "CA:FALSE" in shown and "prime256v1" in shown
    assert (folder / "tls.key").stat().st_mode & 0o7777 == 0o640
    # Another URL is not written over the first.
    other = subprocess.run([*command[:5], "https://other.test", "--no-operator"], capture_output=True, text=True,
                           env=environment(), check=False, timeout=60)  # fmt: skip
    assert other.returncode == 1 and "the configuration says url: https://control.test:8443" in other.stderr


def test_a_lost_seal_key_is_not_made_anew(ready):
    ready.serve().stop()  # now there are keys in the database
    key = ready.folder / "seal.key"
    kept = key.read_bytes()
    key.unlink()
    try:
        done = ready.run("init", "--admin-dsn", ready.cluster.admin_dsn, "--no-operator", check=False)
        assert done.returncode == 1
        assert "holds secrets sealed by it" in done.stderr
        assert not key.exists()
    finally:
        key.write_bytes(kept)
        key.chmod(0o640)


@pytest.mark.parametrize(
    "arguments, code, text",
    [
        (["init", "--ulr", "https://x.test"], 2, "did you mean '--url'"),
        (["init", "--url"], 2, "--url needs a value"),
        (["init", "--tls-key", "/x"], 2, "belong together"),
        (["init", "--url", "https://x.test/path' evil: 'yes"], 1, "--url is not an address"),
        (["init", "--admin-dsn", "host=/nowhere user=postgres"], 1, "cannot be reached"),
        (["init", "--admin-dsn", "nonsense=1"], 1, "cannot be read"),
        (["migrate", "--chekc"], 2, "did you mean '--check'"),
        (["doctor", "now"], 3, "not known"),
    ],
)
def test_wrong_command_lines(ready, arguments, code, text):
    done = ready.run(*arguments, check=False)
    assert done.returncode == code, done
    assert text in done.stderr
    assert not (ready.folder / "control.yaml.d").exists()


def test_the_service_role_cannot_set_up(ready):
    done = ready.run("init", "--admin-dsn", ready.cluster.dsn(database="setup"), "--no-operator", check=False)
    assert done.returncode == 1 and "must have admin option" in done.stderr
    done = ready.run("migrate", "--admin-dsn", ready.cluster.dsn(database="setup"), check=False)
    assert done.returncode == 1


def test_a_weak_password_leaves_no_operator(cluster):
    from controllib.program import Control

    control = Control(cluster.folder / "weak", cluster, database="weak")
    done = control.run("init", "--admin-dsn", cluster.admin_dsn, "--operator", "a@b.example", "--password-file", "-",
                       input="letmein\n", check=False)  # fmt: skip
    assert done.returncode == 1 and "password" in done.stderr and "letmein" not in done.stderr
    assert cluster.psql("SELECT count(*) FROM control.operators", database="weak") == "0"


def test_migrate_check_and_apply(ready):
    assert "up to date" in ready.run("migrate", "--check", "--admin-dsn", ready.cluster.admin_dsn).stdout
    ready.cluster.psql("CREATE DATABASE empty OWNER tenant_control_owner", database="postgres")
    text = ready.config_path.read_text()
    ready.config_path.write_text(text.replace("dbname=setup", "dbname=empty"))
    try:
        done = ready.run("migrate", "--check", check=False)
        assert done.returncode == 1 and "to be applied: 0001_schema" in done.stdout
        # By the unix account postgres, as root does it.
        assert "applying 0001_schema" in ready.run("migrate").stdout
        assert "up to date" in ready.run("migrate").stdout
    finally:
        ready.config_path.write_text(text)


def test_doctor_is_content(ready):
    code, status, found = doctor(ready)
    # The test's certificate ends tomorrow, its unix account need not exist.
    assert set(wrong(found)) <= {"certificate", "account"}, found
    assert status == "warning" and code == 1
    for check in ("database", "postgresql", "role", "tables", "clock", "durability", "feed keys", "schema", "seal key"):
        assert check in found, found
    text = ready.run("doctor", check=False).stdout
    assert re.search(r"^ok +role +tenant-control owns nothing", text, re.M)


@pytest.mark.parametrize(
    "breaking, mending, check, text",
    [
        ('ALTER ROLE "tenant-control" BYPASSRLS', 'ALTER ROLE "tenant-control" NOBYPASSRLS', "role", "passes row-level"),
        ('ALTER ROLE "tenant-control" SUPERUSER', 'ALTER ROLE "tenant-control" NOSUPERUSER', "role", "passes row-level"),
        ('ALTER ROLE "tenant-control" CREATEDB', 'ALTER ROLE "tenant-control" NOCREATEDB', "role", "more than it needs"),
        ('GRANT tenant_control_owner TO "tenant-control"', 'REVOKE tenant_control_owner FROM "tenant-control"', "role",
         "become somebody else"),
        ('CREATE TABLE public.own (x int); ALTER TABLE public.own OWNER TO "tenant-control"', "DROP TABLE public.own",
         "role", "owns something"),
        ("ALTER TABLE control.users NO FORCE ROW LEVEL SECURITY", "ALTER TABLE control.users FORCE ROW LEVEL SECURITY",
         "tables", "not forced on: users"),
        ("ALTER TABLE control.users DISABLE ROW LEVEL SECURITY", "ALTER TABLE control.users ENABLE ROW LEVEL SECURITY",
         "tables", "not forced on: users"),
        ("INSERT INTO control.migrations (name, sha256) VALUES ('9999_x', '')",
         "DELETE FROM control.migrations WHERE name = '9999_x'", "schema", "9999_x"),
    ],
)  # fmt: skip
def test_doctor_finds_a_broken_database(ready, breaking, mending, check, text):
    ready.cluster.psql(breaking, database="setup")
    try:
        code, status, found = doctor(ready)
    finally:
        ready.cluster.psql(mending, database="setup")
    assert (code, status) == (2, "broken")
    assert any(state == "broken" and text in line for state, line in found[check]), found


@pytest.mark.parametrize(
    "name, mode, check, text",
    [
        ("seal.key", 0o644, "seal key", "everybody can read it"),
        ("seal.key", 0o660, "seal key", "others than root can change it"),
        ("tls.key", 0o644, "tls key", "everybody can read it"),
        ("internal.secret", 0o604, "internal", "everybody can read it"),
    ],
)
def test_doctor_finds_open_files(ready, name, mode, check, text):
    path = ready.folder / name
    os.chmod(path, mode)
    try:
        code, _, found = doctor(ready)
    finally:
        os.chmod(path, 0o640)
    assert code == 2
    assert any(state == "broken" and text in line for state, line in found[check]), found


def test_doctor_finds_a_wrong_seal_key(ready):
    """Another key of the right length: it opens none of the feeds' keys."""
    ready.run("tenant", "add", "sealed")
    key = ready.folder / "seal.key"
    kept = key.read_bytes()
    assert doctor(ready)[2]["feed keys"][0][0] == "ok"
    key.write_bytes(bytes(32))
    try:
        code, _, found = doctor(ready)
    finally:
        key.write_bytes(kept)
    assert code == 2
    assert found["feed keys"][0][0] == "broken", found


def test_doctor_when_the_database_is_away(new_control):
    control = new_control("away")
    control.init(operator=False)
    control.cluster.stop()
    code, _, found = doctor(control)
    assert code == 2
    assert any(state == "broken" and "cannot be reached" in line for state, line in found["database"]), found


def test_doctor_cannot_look_without_a_configuration(ready):
    done = subprocess.run([str(ready.program), "doctor", "--config", "/nowhere.yaml"], capture_output=True, text=True,
                          env=environment(), check=False)  # fmt: skip
    assert done.returncode == 3 and "/nowhere.yaml" in done.stderr


def test_a_configuration_whose_workers_could_wait_for_each_other(ready):
    ready.write_config(settings="limits: {workers: 16}\n")
    done = ready.run("serve", "--check-config", check=False)
    ready.write_config()
    assert done.returncode != 0 and "database.connections is above limits.workers" in done.stderr
