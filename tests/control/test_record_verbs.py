# SPDX-License-Identifier: MIT
"""The command line about records: the same gate, the same events; help, tables, JSON and exit statuses."""
import json
import pathlib
import re
import shlex

import pytest

NOUNS = ["tenant", "user", "project", "member", "key", "role", "host-rule", "connector", "provider", "host", "operator", "impersonation", "event"]


@pytest.mark.parametrize("noun", NOUNS)
def test_help_teaches(control, noun):
    done = control.run(noun, "--help")
    assert f"{noun} list" in done.stdout and "Exit status" in done.stdout
    done = control.run(noun, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(
    "words,says",
    [
        (("user", "lsit"), "did you mean 'list'"),
        (("user", "list"), "--tenant"),
        (("user", "add", "--tenant", "x"), "LOGIN"),
        (("user", "add", "a", "b", "--tenant", "x"), "too much"),
        (("user", "add", "a", "--tenent", "x"), "did you mean '--tenant'"),
        (("user", "add", "a", "--tenant"), "a value is missing"),
        (("key", "add", "a", "--tenant", "x", "--not-after", "soon"), "no value"),
        (("tenant", "add", "x", "--ids", "many"), "no value"),
        (("tenant", "set", "x", "--policy", "{"), "no value"),
        (("connector", "add", "c", "--tenant", "x", "--secret", "token"), "no value"),
    ],
)
def test_wrong_usage(control, words, says):
    done = control.run(*words, check=False)
    assert done.returncode == 2 and says in done.stderr, done
    assert done.stdout == ""


def test_a_life(control, tmp_path, operator):
    run = lambda *words: control.run(*words)  # noqa: E731
    as_json = lambda *words: json.loads(control.run(*words, "--json").stdout)  # noqa: E731
    tenant = as_json("tenant", "add", "verbs", "--name", "Verbs & Co")
    assert tenant["slug"] == "verbs"
    assert "verbs" in run("tenant", "list").stdout
    where = ("--tenant", "verbs")
    user = as_json("user", "add", "ann", *where, "--email", "ann@verbs.example", "--ssh-key", "")
    run("project", "add", "vision", *where)
    run("member", "add", "ann", "owner", *where)
    run("member", "add", "ann", "editor", *where, "--project", "vision")
    assert "editor" in run("member", "list", *where, "--project", "vision").stdout
    assert "vision" not in run("member", "list", *where).stdout
    rule = as_json("host-rule", "add", "gpu-*", *where, "--project", "vision", "--login", "owner,editor", "--sudo", "owner")
    project = as_json("project", "show", "vision", *where)["id"]
    assert rule["serves"] == [{"project": project, "login": ["owner", "editor"], "sudo": ["owner"]}]
    key = as_json("key", "add", "ann", *where, "--label", "ci", "--not-after", "90d", "--action", "project.view,dataset.write")
    assert key["actions"] == ["project.view", "dataset.write"] and key["secret"].startswith("tnt_pk_")
    rotated = control.run("key", "rotate", key["id"], *where, "--grace", "7d")
    assert "secret: tnt_pk_" in rotated.stdout and "not shown again" in rotated.stderr
    assert "0 of 0 hosts" in run("key", "revoke", key["id"], *where, "--reason", "lost").stdout
    secret = tmp_path / "token"
    secret.write_text("hush-hush\n")
    made = control.run("connector", "add", "s3", *where, "--kind", "s3", "--settings", '{"bucket":"b"}', "--secret", f"token={secret}")
    assert "hush" not in made.stdout + made.stderr and '"set":true' in made.stdout
    run("tenant", "set", "verbs", "--policy", '{"sessions": {"max_per_user": 2}}')
    assert as_json("tenant", "show", "verbs")["policy"] == {"sessions": {"max_per_user": 2}}
    run("tenant", "suspend", "verbs"), run("tenant", "resume", "verbs")
    events = as_json("event", "list", *where)
    assert {"key.revoke", "key.rotate", "member.put", "tenant.suspend"} <= {e["kind"] for e in events}
    assert {e["actor"] for e in events} == {"local"} and {e["source"] for e in events} == {"local"}
    # What the API refuses, the command line refuses.
    for words, status, says in (
        (("user", "show", "nobody", *where), 3, "no such thing"),
        (("user", "show", "ann", "--tenant", "nobody"), 3, "no such thing"),
        (("user", "add", "ann", *where), 1, "taken"),
        (("user", "add", "root", *where), 1, "login"),
        (("member", "remove", "ann", *where), 1, "owner"),
        (("user", "remove", user["id"], *where), 1, "owner"),
        (("tenant", "remove", "verbs"), 1, "suspend"),
    ):
        done = control.run(*words, check=False)
        assert done.returncode == status and says in done.stderr.lower(), done
    operator_made = as_json("operator", "add", "new@ops.example")
    run("operator", "grant", "new@ops.example", "support", "--reason", "on call", "--not-after", "1d")
    assert "on call" in run("operator", "grants", operator_made["id"]).stdout
    token = as_json("host", "add-token", "--tenant", "verbs", "--uses", "2")
    assert token["uses_left"] == 2 and token["id"] in run("host", "tokens").stdout
    run("host", "remove-token", token["id"])
    assert run("host", "list").returncode == 0 and run("host", "list", *where).returncode == 0


def test_long_lists_are_whole(control, operator):
    tenant = operator.must("POST", "/v1/tenants", {"slug": "longlist"})
    control.cluster.psql(
        "INSERT INTO control.users (id, tenant_id, login, uid) SELECT 'usr_' || lpad(n::text, 16, '0'), "
        f"'{tenant['id']}', 'u' || n, 2000000000 + n FROM generate_series(1, 2500) n"
    )
    assert len(json.loads(control.run("user", "list", "--tenant", "longlist", "--json").stdout)) == 2500


def test_nothing_obeys_a_terminal(control, operator):
    tenant = operator.must("POST", "/v1/tenants", {"slug": "escapes"})
    control.cluster.psql(f"UPDATE control.tenants SET name = E'a\\x1b[2Jb' WHERE id = '{tenant['id']}'")
    done = control.run("tenant", "show", "escapes")
    assert "\x1b" not in done.stdout and "\\x1b" in done.stdout.lower()


def test_the_commands_of_the_readme(control, tmp_path):
    """From an empty control plane to a revoked key and a log that verifies, as the README tells it."""
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    commands = re.findall(r"^    tenant-control ((?!init)[^#\n]+)", readme, re.M)
    assert len(commands) >= 8
    names = {"acme": "readme"}
    for command in commands:
        for name, meant in names.items():
            command = command.replace(name, meant)
        command, _, into = command.partition(" > ")
        done = control.run(
            *(str(tmp_path / word) if word.endswith((".ndjson", ".checkpoint")) else word for word in shlex.split(command))
        )
        if into:
            (tmp_path / into.strip()).write_text(done.stdout)
        if command.startswith("key add"):
            names["key_…"] = re.search(r"key_\w{16}", done.stdout)[0]
        if command.startswith("host add-token"):
            assert "tnt_et_" in done.stdout
        if command.startswith("key revoke"):
            assert "0 of 0 hosts" in done.stdout
            revoked = names.pop("key_…")
        if command.startswith("audit search"):
            newest = json.loads(control.run("audit", "events", "--tenant", "readme", "--json").stdout.splitlines()[0])
            assert newest["kind"]
            names["EVENT"] = newest["id"]
            names["usr_…"] = json.loads(control.run("user", "show", "alice", "--tenant", "readme", "--json").stdout)["id"]
            (tmp_path / "kept.checkpoint").write_text(control.run("audit", "checkpoint", "--tenant", "readme").stdout)
        if command.startswith("audit verify"):
            assert "none is missing" in done.stdout
    assert revoked and "EVENT" in names
