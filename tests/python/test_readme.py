# SPDX-License-Identifier: MIT
"""The README tells the truth: its examples are the tested ones, its commands run, its links lead somewhere."""

import pathlib
import re
import shlex
import subprocess

import live_agent
import pytest

ROOT = live_agent.ROOT
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_c_example_is_the_one_that_is_compiled_and_tested():
    (example,) = blocks("c")
    assert example.strip() in (ROOT / "docs/examples/gate.c").read_text()


def test_the_python_example_runs_up_to_the_agent():
    (example,) = blocks("python")
    code = "import sys; sys.path.insert(0, sys.argv[1])\n" + example
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, ROOT / "lib/python"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("no:", "nobody could decide:"))


def test_the_commands_make_a_directory_from_nothing(tmp_path):
    agent = live_agent.binary()
    if agent is None:
        pytest.fail("no tenantctl was built: make")
    commands = re.findall(r"^    (tenantctl directory [^\n#]+)", README, re.M)
    assert len(commands) >= 8
    file = tmp_path / "directory.yaml"
    key = None
    for command in commands:
        words = shlex.split(command.replace("key_…", key or "key_…"))
        done = subprocess.run(
            [agent.with_name("tenantctl"), *words[1:], "--file", file], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        if words[2] == "add-key":
            key = "key_" + done.stdout.split("_")[2]
    assert "revoked" in file.read_text()


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_manual_pages_that_it_names_exist():
    named = re.findall(r"`([a-z_.]+)\((\d)\)`", README)
    assert named
    for name, section in named:
        assert pathlib.Path(ROOT, "docs/man", f"{name}.{section}").exists(), name
