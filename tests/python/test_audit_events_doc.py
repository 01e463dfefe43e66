# SPDX-License-Identifier: MIT
"""docs/audit-events.md has every kind of event that is written, on hosts and in the control plane, with its class and the
MESSAGE_ID by which the journal explains it; and none that is not."""
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
DOC = (ROOT / "docs/audit-events.md").read_text()
WORD = re.compile(r"`([a-z.-]+)`")
CLASSES = {"ACCOUNT_CHANGE": 3001, "AUTHENTICATION": 3002, "AUTHORIZE_SESSION": 3003, "ENTITY_MANAGEMENT": 3004,
           "USER_ACCESS": 3005, "APPLICATION_LIFECYCLE": 6002, "API_ACTIVITY": 6003}  # fmt: skip


def rows(head):
    """The cells of a table, by the words in its head."""
    lines = DOC[DOC.index(head) :].split("\n\n")[0].splitlines()
    assert len(lines) > 3 and set(lines[1]) <= set("|- ")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell):
    """`.change` after `role.create` is `role.change`."""
    found = []
    for word in WORD.findall(cell):
        found.append(found[-1].rsplit(".", 1)[0] + word if word.startswith(".") else word)
    return found


def test_events_of_hosts():
    source = (ROOT / "agent/audit/kinds.c").read_text()
    pattern = r'\[AUDIT_\w+\] = \{"([a-z-]+)", "([0-9a-f]{32})", "[^"]+",\s*LOG_\w+, OCSF_(\w+),'
    kinds = {word: (ident, CLASSES[group]) for word, ident, group in re.findall(pattern, source)}
    assert len(kinds) == len(re.findall(r"^\t\[AUDIT_", source, re.M)) > 30
    told = {}
    for cells in rows("| TENANTD_EVENT | written when | its fields | OCSF class, activity | MESSAGE_ID |"):
        (word,) = words(cells[0])
        assert word not in told, word
        told[word] = cells
    assert set(told) == set(kinds)
    for word, (ident, group) in kinds.items():
        assert told[word][4] == f"`{ident}`", word
        assert str(group) in told[word][3], (word, group)


def test_events_of_the_control_plane():
    source = (ROOT / "control_plane/audit/kinds.c").read_text()
    table = source[source.index("kinds[] = {") : source.index("};", source.index("kinds[] = {"))]
    kinds = {word: CLASSES[group] for word, group in re.findall(r'\{"([a-z.-]+)",\s*OCSF_(\w+),', table)}
    assert len(kinds) == table.count("{\"") > 60 and list(kinds) == sorted(kinds)  # looked for by halves
    told = {}
    for cells in rows("| event_code | written when | target | `data` | OCSF class, activity |"):
        for word in words(cells[0]):
            assert word not in told, word
            told[word] = cells[4]
    assert set(told) == set(kinds)
    for word, group in kinds.items():
        assert str(group) in told[word], (word, group)


def test_what_is_written_is_a_kind():
    """Whatever the control plane's own code calls an event is in the table: else it would be one of no class."""
    source = (ROOT / "control_plane/audit/kinds.c").read_text()
    kinds = set(re.findall(r'\{"([a-z.-]+)",\s*OCSF_', source))
    written = set()
    for path in (ROOT / "control_plane").rglob("*.c"):
        text = path.read_text()
        for call in re.findall(r"\b(?:event_write|event_failure|events_put|tell|tell_of|audit_view_tell\w*)\(([^;]*);", text):
            written |= {word for word in re.findall(r'"([a-z-]+\.[a-z.-]+|host-[a-z-]+)"', call)}
        written |= set(re.findall(r'\.kind = "([a-z-]+\.[a-z.-]+)"', text))
    assert len(written) > 40 and written <= kinds, sorted(written - kinds)
