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


def test_every_cause_is_explained():
    source = (ROOT / "agent/reaper/cause.c").read_text()
    rows = re.findall(r'\[END_\w+\] = \{"([a-z-]+)",\s*"([^"]+)"', source)
    assert len(rows) == len(re.findall(r"^\t\[END_\w+\]", source, re.M)) - 1  # END_NONE has no words
    manual, contract = page("tenantd.8"), (ROOT / "docs/sessions.md").read_text()
    assert [word for word, text in rows if f"\n{word}\tT{{\n{text}\n" not in manual] == []
    assert [word for word, _ in rows if f"`{word}`" not in contract] == []


def test_every_event_is_listed_and_in_the_catalogue():
    events = (ROOT / "docs/audit-events.md").read_text()
    catalogue = (ROOT / "conf/tenantd.catalog").read_text()
    kinds = re.findall(r'\[AUDIT_\w+\] = \{\s*"([a-z-]+)",\s*"([0-9a-f]{32})"', (ROOT / "agent/audit/kinds.c").read_text())
    assert len(kinds) > 25
    for word, number in kinds:
        assert re.search(rf"^\| `{word}` \|.*`{number}` \|$", events, re.M), word
        assert f"-- {number}\n" in catalogue, word
    fields = re.findall(r'\{"(TENANT_\w+)", AT', (ROOT / "agent/audit/audit.c").read_text())
    assert len(fields) > 15
    assert [field for field in fields if f"`{field}`" not in events] == []


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
    for name, least in {"main.c": 10, "directory.c": 10, "sessions.c": 3, "sso.c": 3}.items():
        verbs = re.findall(r'^\t\{"([a-z-]+)", \w+, "', (ROOT / "agent/ctl" / name).read_text(), re.M)
        assert len(verbs) >= least, name
        assert [verb for verb in verbs if not re.search(rf"\b{verb}\b", manual)] == []


def test_every_key_of_the_directory_is_explained():
    manual = page("directory.yaml.5")
    for source in (ROOT / "agent/directory").glob("yaml_load*.c"):
        keys = re.findall(r'\.name = "(\w+)"', source.read_text())
        assert len(keys) > 15, source
        assert [key for key in keys if not re.search(rf"\b{key}\b", manual)] == []


def test_the_feed_page_has_every_field():
    rows = (ROOT / "docs/feed.md").read_text()
    for source in (ROOT / "lib/records").glob("record_json*.c"):
        fields = re.findall(r"\bFIELD\(\w+_body, (\w+),", source.read_text())
        assert len(fields) >= 8, source
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
