# SPDX-License-Identifier: MIT
"""What the manual pages list is what there is: reasons, methods, configuration keys, verbs."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def page(name):
    return (ROOT / "docs" / "man" / name).read_text().replace("\\-", "-").replace("\\fR", "").replace("\\fB", "")


def test_every_reason_is_explained():
    source = (ROOT / "agent/policy/reasons.c").read_text()
    words = re.findall(r'\[REASON_\w+\]\s*=\s*\{\s*"([a-z-]+)"', source)
    assert len(words) > 25
    manual = page("tenantd.8")
    assert [word for word in words if not re.search(rf"^{word}\t", manual, re.M)] == []


def test_every_method_is_listed():
    interface = (ROOT / "docs/io.tenantd.Agent.varlink").read_text()
    methods = re.findall(r"^method (\w+)", interface, re.M)
    assert len(methods) > 12
    assert [m for m in methods if not re.search(rf"\b{m}\b", page("tenantd.8"))] == []


def test_every_key_is_explained_and_shipped():
    source = (ROOT / "agent/config.c").read_text()
    keys = re.findall(r'^\tSETTING(?:_RANGE|_GROUP)?\("(\w+)"', source, re.M)
    assert len(keys) > 12
    shipped = (ROOT / "conf/agent.yaml").read_text()
    for key in keys:
        assert re.search(rf"^#? *{key}:", shipped, re.M), key
        assert re.search(rf"\b{key}\b", page("agent.yaml.5")), key


def test_shipped_configuration_only_shows_defaults():
    text = (ROOT / "conf/agent.yaml").read_text()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []


def test_every_verb_is_listed():
    manual = page("tenantctl.1")
    for name in ("main.c", "directory.c"):
        verbs = re.findall(r'^\t\{"([a-z-]+)", \w+, "', (ROOT / "agent/ctl" / name).read_text(), re.M)
        assert len(verbs) > 5
        assert [verb for verb in verbs if not re.search(rf"\b{verb}\b", manual)] == []


def test_every_key_of_the_directory_is_explained():
    manual = page("directory.yaml.5")
    for name in ("yaml_load.c", "yaml_load_sso.c"):
        source = (ROOT / "agent/directory" / name).read_text()
        keys = re.findall(r'\.name = "(\w+)"', source)
        assert len(keys) > 20
        assert [key for key in keys if not re.search(rf"\b{key}\b", manual)] == []


def test_the_feed_page_has_every_field():
    rows = (ROOT / "docs/feed.md").read_text()
    for name in ("record_json.c", "record_json_sso.c", "record_json_tokens.c"):
        fields = re.findall(r"\bFIELD\(\w+_body, (\w+),", (ROOT / "lib/records" / name).read_text())
        assert len(fields) >= 8
        assert [field for field in fields if f"`{field}`" not in rows] == []


def test_every_key_of_the_control_plane_is_explained_and_shipped():
    source = (ROOT / "control_plane/config.c").read_text()
    keys = re.findall(r'^\tSETTING(?:_RANGE|_GROUP)?\("(\w+)"', source, re.M)
    assert len(keys) > 20
    shipped = (ROOT / "conf/control.yaml").read_text()
    for key in keys:
        assert re.search(rf"^# *{key}:", shipped, re.M), key
        assert re.search(rf"\b{key}\b", page("tenant-control.yaml.5")), key
    assert [line for line in shipped.splitlines() if line and not line.startswith("#")] == []


def test_every_verb_of_the_control_plane_is_listed():
    manual = page("tenant-control.8")
    verbs = []
    for source in (ROOT / "control_plane/cli").glob("*.c"):
        for table in re.findall(r"struct verb \w+\[\] = \{(.*?)^\};", source.read_text(), re.M | re.S):
            verbs += re.findall(r'^\t\{"([a-z-]+)"', table, re.M)
    assert len(verbs) > 5
    assert [verb for verb in verbs if not re.search(rf"\b{verb}\b", manual)] == []
