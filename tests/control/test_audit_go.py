# SPDX-License-Identifier: MIT
"""The audit log in the eyes of somebody else's program: Go's own packages for transparency logs (golang.org/x/mod/sumdb,
as Debian has them) check checkpoints, tiles, proofs and exports of a control plane as built, and refuse what was
changed. tests/peers/tlog is the program."""
import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from controllib.trail import BASE62, SigningKey, leaf_hash, renamed, sha256, tree_hash

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOPATH = "/usr/share/gocode"
EVENTS = 600  # two whole tiles, and a part of a third one

HOLDS, DOES_NOT_HOLD, NOT_ASKED = 0, 1, 2


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """go(*words): the exit status and all that was said."""
    folder = tmp_path_factory.mktemp("go")
    program = folder / "tlog"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GOCACHE": str(folder / "cache"),
        "GO111MODULE": "off", "GOPATH": GOPATH, "GOFLAGS": "", "GOPROXY": "off",
    }  # fmt: skip
    subprocess.run(["go", "build", "-o", program, "."], cwd=ROOT / "tests/peers/tlog", env=environment, check=True, timeout=300)

    def run(*words):
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stdout + done.stderr

    yield run
    shutil.rmtree(folder / "cache", ignore_errors=True)


class Log:
    """A tenant's log as files: its checkpoint, an export, and the leaves and proofs of single entries."""

    def __init__(self, client, path, folder):
        self.client, self.path, self.folder = client, path, folder
        folder.mkdir(exist_ok=True)
        self.export = folder / "export.ndjson"
        self.export.write_bytes(self.get("export"))
        lines = [json.loads(line) for line in self.export.read_text().splitlines()]
        self.header, self.entries = lines[0], lines[1:-1]
        self.key = self.header["keys"][0]
        self.note = self.file("checkpoint", self.header["checkpoint"])
        self.size = int(self.header["checkpoint"].split("\n")[1])

    def get(self, name):
        answer = self.client.get(f"{self.path}/audit/{name}")
        assert answer.status == 200, answer
        return answer.body

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def record(self, index, name="one"):
        """Leaf and proof as files."""
        proof = json.loads(self.get(f"proofs/inclusion?index={index}&size={self.size}"))["proof"]
        return self.file(f"{name}.leaf", self.entries[index]["leaf"]), self.file(f"{name}.proof", json.dumps(proof))

    def root(self, size):
        return tree_hash([leaf_hash(entry["leaf"].encode()) for entry in self.entries[:size]]).hex()

    def tree(self, size, name="tree"):
        return self.file(f"{name}.proof", self.proof_from(size))

    def proof_from(self, size):
        return json.dumps(json.loads(self.get(f"proofs/consistency?from={size}&to={self.size}"))["proof"])


@pytest.fixture(scope="module")
def log(operator, tmp_path_factory):
    """With some hundred events: projects come and go."""
    made = operator.must("POST", "/v1/tenants", {"slug": "go", "name": "Go"})
    path = f"/v1/tenants/{made['id']}"
    for number in range(EVENTS // 2):
        project = operator.must("POST", f"{path}/projects", {"slug": f"p{number}"})
        operator.must("DELETE", f"{path}/projects/{project['id']}")
    operator.must("GET", f"{path}/events?limit=1")
    return Log(operator, path, tmp_path_factory.mktemp("log"))


def changed(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_checkpoint(go, log, operator):
    code, text = go("-key", log.key, "checkpoint", log.note)
    assert code == HOLDS and text.split() == [log.header["origin"], str(log.size), log.root(log.size)]
    assert log.size >= EVENTS
    # The platform's, by the authority's key.
    platform = Log(operator, "/v1", log.folder / "platform")
    assert go("-key", platform.key, "checkpoint", platform.note)[0] == HOLDS
    assert platform.header["origin"].endswith("/audit/platform")
    assert go("-key", platform.key, "export", platform.export)[0] == HOLDS
    assert go("-key", log.key, "checkpoint", platform.note)[0] == DOES_NOT_HOLD


def test_checkpoint_refused(go, log):
    note = log.note.read_bytes()
    signature = note.rindex(b" ") + 10
    for place in (0, note.index(b"\n") + 1, note.index(b"\n", note.index(b"\n") + 1) + 1, signature):
        bad = log.file("bad-checkpoint", changed(note, place))
        assert go("-key", log.key, "checkpoint", bad)[0] == DOES_NOT_HOLD, place
    # Another key of the same name, the same key under another name, no key at all.
    forger = SigningKey(log.header["origin"])
    assert go("-key", forger.vkey, "checkpoint", log.note)[0] == DOES_NOT_HOLD
    text = log.header["checkpoint"].split("\n\n")[0] + "\n"
    assert go("-key", log.key, "checkpoint", log.file("forged", forger.note(text)))[0] == DOES_NOT_HOLD
    assert go("-key", "nothing", "checkpoint", log.note)[0] == NOT_ASKED


def test_feed_key_is_another(go, log):
    """The feed's signature says nothing of the log, though the key is the same: the names, and with them the ids, differ."""
    feed = log.header["origin"].replace("/audit/", "/feed/")
    assert go("-key", renamed(log.key, feed), "checkpoint", log.note)[0] == DOES_NOT_HOLD


def test_cosignature(go, tmp_path):
    """A note that lib/tlog cosigned (the key is of RFC 8032), with the log's own signature."""
    origin, public = "control.example.org/audit/ten_8fJ2kQpL0aZx4TyB", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    data = (ROOT / "tests/fuzz/corpus/checkpoint/cosigned").read_bytes()[1:]

    def vkey(kind):
        blob = bytes([kind]) + bytes.fromhex(public)
        key_id = sha256(origin.encode(), b"\n", blob)[:4].hex()
        return f"{origin}+{key_id}+{base64.b64encode(blob).decode()}"

    def cosigned(text):
        note = tmp_path / "note"
        note.write_bytes(text)
        return go("-key", vkey(1), "cosigned", note, vkey(4))[0]

    assert cosigned(data) == HOLDS
    lines = data.splitlines(keepends=True)
    assert cosigned(b"".join(lines[:-1])) == DOES_NOT_HOLD
    assert cosigned(b"".join([*lines[:1], b"2\n", *lines[2:]])) == DOES_NOT_HOLD
    for place in (len(data) - 3, len(data) - 80, data.rindex(b" ") + 12):
        assert cosigned(changed(data, place)) == DOES_NOT_HOLD, place


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, -1])
def test_record(go, log, index):
    index %= log.size
    leaf, proof = log.record(index)
    assert go("-key", log.key, "record", log.note, index, leaf, proof)[0] == HOLDS


def test_record_refused(go, log):
    leaf, proof = log.record(300)
    other_leaf, other_proof = log.record(301, "other")

    def refused(index, leaf_file, proof_file):
        return go("-key", log.key, "record", log.note, index, leaf_file, proof_file)[0] == DOES_NOT_HOLD

    data, hashes = leaf.read_bytes(), json.loads(proof.read_text())
    for place in (0, len(data) // 2, len(data) - 1):
        assert refused(300, log.file("changed.leaf", changed(data, place)), proof)
    assert refused(300, log.file("longer.leaf", data + b"\n"), proof)
    assert refused(300, log.file("empty.leaf", b""), proof)
    for index in (0, 299, 301, 300 + 256, log.size - 1, log.size, -1):
        assert refused(index, leaf, proof), index
    assert refused(300, other_leaf, proof) and refused(300, leaf, other_proof) and refused(301, leaf, other_proof)
    for place in range(len(hashes)):
        flipped = base64.b64encode(changed(base64.b64decode(hashes[place]), 7)).decode()
        assert refused(300, leaf, log.file("flipped.proof", json.dumps(hashes[:place] + [flipped] + hashes[place + 1 :])))
        assert refused(300, leaf, log.file("shorter.proof", json.dumps(hashes[:place] + hashes[place + 1 :])))
    assert refused(300, leaf, log.file("longer.proof", json.dumps(hashes + hashes[:1])))
    assert refused(300, leaf, log.file("empty.proof", "[]"))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 513, -1, 0])
def test_tree(go, log, size):
    size = size + log.size if size <= 0 else size
    assert go("-key", log.key, "tree", log.note, size, log.root(size), log.tree(size))[0] == HOLDS


def test_tree_refused(go, log):
    proof = log.tree(300)
    hashes = json.loads(proof.read_text())

    def refused(size, root, proof_file):
        return go("-key", log.key, "tree", log.note, size, root, proof_file)[0] == DOES_NOT_HOLD

    assert refused(300, log.root(301), proof) and refused(301, log.root(300), proof) and refused(301, log.root(301), proof)
    assert refused(300, changed(bytes.fromhex(log.root(300)), 0).hex(), proof)
    assert refused(log.size + 1, log.root(log.size), proof)
    for place in range(len(hashes)):
        flipped = base64.b64encode(changed(base64.b64decode(hashes[place]), 31)).decode()
        assert refused(300, log.root(300), log.file("bad.proof", json.dumps(hashes[:place] + [flipped] + hashes[place + 1 :])))
    assert refused(300, log.root(300), log.file("bad.proof", json.dumps(hashes[:-1])))
    # A history in which one entry was another one: no proof leads from it to the log of now.
    lie = tree_hash([leaf_hash(b"{}" if number == 17 else entry["leaf"].encode()) for number, entry in enumerate(log.entries[:300])])
    assert refused(300, lie.hex(), proof)


def test_export(go, log):
    code, text = go("-key", log.key, "export", log.export)
    assert code == HOLDS and text.startswith(f"{log.size} entries")
    lines = log.export.read_text().splitlines(keepends=True)
    for name, bad in {
        "missing": lines[:5] + lines[6:],
        "cut": lines[:-1],
        "changed": [*lines[:9], lines[9].replace("project", "Project", 1), *lines[10:]],
        "moved": [*lines[:9], lines[9].replace('"index":8', '"index":9', 1), *lines[10:]],
    }.items():
        assert go("-key", log.key, "export", log.file(f"{name}.ndjson", "".join(bad)))[0] == DOES_NOT_HOLD, name


def test_all_of_it_from_the_server(go, log, control, operator):
    """Every leaf and every tile by C2SP's paths, and hundreds of proofs, each the very one that Go makes of the tiles."""
    token = log.file("token", operator.token)
    words = ["-key", log.key, "-ca", control.ca, "-token", token]
    code, text = go(*words, "log", f"{control.url}{log.path}/audit")
    assert code == HOLDS, text
    assert int(text.split()[1]) >= log.size
    # By another log's key, without a token, of a log that is not there.
    assert go(*words[2:], "-key", SigningKey(log.header["origin"]).vkey, "log", f"{control.url}{log.path}/audit")[0] == DOES_NOT_HOLD
    assert go(*words[:4], "log", f"{control.url}{log.path}/audit")[0] == NOT_ASKED
    nobody = "".join(BASE62[:16])
    assert go(*words, "log", f"{control.url}/v1/tenants/ten_{nobody}/audit")[0] == NOT_ASKED


def test_tiles_as_files(go, log):
    """What somebody copied of a log by its paths holds by itself, and a byte changed in it does not."""
    copy = log.folder / "copy"
    names = ["tile/0/000", "tile/0/001", f"tile/0/002.p/{log.size - 512}", "tile/1/000.p/2",
             "tile/entries/000", "tile/entries/001", f"tile/entries/002.p/{log.size - 512}"]  # fmt: skip
    assert 512 < log.size < 768
    for name in names:
        log.file(f"copy/{name}", log.get(name))
    log.file("copy/checkpoint", log.header["checkpoint"])
    code, text = go("-key", log.key, "log", copy)
    assert code == HOLDS, text
    for name in names:
        good = (copy / name).read_bytes()
        for place in (len(good) // 2, len(good) - 1):
            (copy / name).write_bytes(changed(good, place))
            assert go("-key", log.key, "log", copy)[0] == DOES_NOT_HOLD, name
        (copy / name).write_bytes(good[:-32])
        assert go("-key", log.key, "log", copy)[0] == DOES_NOT_HOLD, name
        (copy / name).write_bytes(good)
    assert go("-key", log.key, "log", copy)[0] == HOLDS


def test_tiles_that_are_not_there(log):
    for name in ("tile/0/002", "tile/0/003", f"tile/0/002.p/{log.size - 512 + 40}", "tile/1/000", "tile/2/000.p/1",
                 "tile/8/000", "tile/0/x000/000", "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/entries/003"):  # fmt: skip
        assert log.client.get(f"{log.path}/audit/{name}").status == 404, name


@pytest.fixture(scope="module")
def verify(control):
    """tenant-control audit verify: the exit status, and what it says as an object."""

    def run(*words, stdin=None):
        done = subprocess.run([control.program, "audit", "verify", "--json", *map(str, words)],
                              input=stdin, capture_output=True, text=True, check=False)  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    return run


def test_our_own_verifiers(verify, log, control):
    """tenant-control audit verify says the same, and of what was changed as well."""
    code, found = verify(log.export, log.note, "--key", log.key)
    note, export = found["files"]
    assert code == 0 and note["verdict"] == export["verdict"] == "holds", found
    assert (export["entries"], export["complete"], export["compared"], export["own_keys"]) == (log.size, True, 1, False)
    lines = log.export.read_text().splitlines(keepends=True)
    bad = log.file("ours.ndjson", "".join([*lines[:9], lines[9].replace("project", "Project", 1), *lines[10:]]))
    code, found = verify(bad, log.note, "--key", log.key)
    assert code == 1 and [one["verdict"] for one in found["files"]] == ["holds", "does-not-hold"], found
    assert found["files"][1]["problem"]["line"] == 10
    assert verify(log.export, "--key", SigningKey(log.header["origin"]).vkey)[0] == 1
    assert verify(log.folder / "nowhere")[0] == 2
    # From a pipe, as the export comes.
    code, found = verify("-", log.note, "--key", log.key, stdin=control.run("audit", "export", "--tenant", "go").stdout)
    assert code == 0 and [(one["kind"], one.get("compared")) for one in found["files"]] == [("checkpoint", None), ("export", 1)]


def test_parts(go, verify, log):
    """From any entry on, by the tree before it; and filtered, where what is left out is not missed."""
    for query, complete in ((f"from=300&to={log.size}", True), ("from=255&to=513", True), (f"from={log.size}&to={log.size}", True),
                            ("kind=project.create", False)):  # fmt: skip
        part = log.file("part.ndjson", log.get(f"export?{query}"))
        entries = [json.loads(line) for line in part.read_text().splitlines()[1:-1]]
        header = json.loads(part.read_text().splitlines()[0])
        kept = log.file("kept", header["checkpoint"])
        code, found = verify(part, kept, "--key", log.key)
        assert code == 0 and found["files"][1]["complete"] is complete, (query, found)
        assert found["files"][1]["entries"] == len(entries) and found["files"][1]["compared"] == 1
        assert go("-key", log.key, "export", part)[0] == HOLDS
    assert entries, "no project was made"


def test_erased(go, verify, operator, new_tenant, tmp_path):
    """Somebody is erased: leaves, proofs, tiles and the checkpoints from before hold as they did."""
    tenant = new_tenant("goerase")
    person = tenant.user("alice", "owner")
    person.client().must("GET", f"{tenant.path}/events?limit=1")
    before = Log(operator, tenant.path, tmp_path / "before")
    assert any(part["person"] == person.id and "patch" in part for entry in before.entries for part in entry["personal"])
    operator.must("DELETE", f"{tenant.path}/audit/persons/{person.id}")
    after = Log(operator, tenant.path, tmp_path / "after")
    erased = [part for entry in after.entries for part in entry["personal"] if part["person"] == person.id]
    assert erased and not any("patch" in part or "salt" in part for part in erased[:1])
    assert [entry["leaf"] for entry in after.entries[: before.size]] == [entry["leaf"] for entry in before.entries]
    code, found = verify(after.export, before.note, before.export, "--key", after.key)
    assert code == 0 and all(one["verdict"] == "holds" for one in found["files"]), found
    assert {one["file"]: one.get("erased", 0) > 0 for one in found["files"]} == {
        str(before.note): False, str(before.export): False, str(after.export): True}  # fmt: skip
    assert go("-key", after.key, "export", after.export)[0] == HOLDS
    assert go("-key", after.key, "tree", after.note, before.size, before.root(before.size), after.tree(before.size))[0] == HOLDS
