# SPDX-License-Identifier: MIT
"""The audit log as docs/audit-log.md describes it, written a second time from that page alone: hosts' chains, groups,
receipts, the Merkle tree and its proofs, checkpoints. The tests check with it what the programs say, and flood them."""
import base64
import hashlib
import json
import os
import random
import secrets
import string
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def base62(count):
    return "".join(secrets.choice(BASE62) for _ in range(count))


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- signed notes ----------------------------------------------------------------------------------------------------


class SigningKey:
    """An Ed25519 key under a name."""

    def __init__(self, name, seed=None):
        self.name = name
        self.secret = ed25519.Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        raw = self.secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = b"\x01" + raw
        self.id = sha256(name.encode(), b"\n", self.public)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(self.public).decode()}"

    def sign(self, data):
        return self.secret.sign(data)

    def note(self, text):
        assert text.endswith("\n")
        return f"{text}\n{self.line(text)}"

    def line(self, text):
        return f"— {self.name} {base64.b64encode(self.id + self.sign(text.encode())).decode()}\n"


def note_text(note, vkey):
    """The text of a note that this key signed; AssertionError: it did not."""
    end = note.rindex("\n\n") + 1
    name, key_id, public = vkey.split("+", 2)
    public = base64.b64decode(public)
    for line in note[end + 1 :].splitlines():
        _, who, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if who == name and blob[:4].hex() == key_id:
            try:
                ed25519.Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], note[:end].encode())
            except InvalidSignature:
                raise AssertionError("the signature does not verify") from None
            return note[:end]
    raise AssertionError(f"{name} did not sign")


def renamed(vkey, name):
    """The same key under another name."""
    public = base64.b64decode(vkey.split("+", 2)[2])
    key_id = sha256(name.encode(), b"\n", public)[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(public).decode()}"


# ---- the tree --------------------------------------------------------------------------------------------------------


def leaf_hash(leaf):
    return sha256(b"\x00", leaf if isinstance(leaf, bytes) else leaf.encode())


def node_hash(left, right):
    return sha256(b"\x01", left, right)


def _split(size):
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def tree_hash(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    half = _split(len(hashes))
    return node_hash(tree_hash(hashes[:half]), tree_hash(hashes[half:]))


def inclusion_proof(index, hashes):
    if len(hashes) <= 1:
        return []
    half = _split(len(hashes))
    if index < half:
        return inclusion_proof(index, hashes[:half]) + [tree_hash(hashes[half:])]
    return inclusion_proof(index - half, hashes[half:]) + [tree_hash(hashes[:half])]


def inclusion_root(index, size, leaf, proof):
    """What root the proof leads to (RFC 9162, 2.1.3.2); AssertionError: it has not the form."""
    assert index < size
    at, last, result = index, size - 1, leaf
    for hash_ in proof:
        assert last > 0
        if at & 1 or at == last:
            result = node_hash(hash_, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, hash_)
        at, last = at >> 1, last >> 1
    assert last == 0
    return result


def consistent(old_size, old_root, new_size, new_root, proof):
    """Does the proof show that the old tree is the beginning of the new one (RFC 9162, 2.1.4.2)?"""
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof
    if not proof:
        return False
    proof = list(proof)
    if old_size & (old_size - 1) == 0:
        proof.insert(0, old_root)
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = proof[0]
    for hash_ in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, hash_)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


class Checkpoint:
    """A log's checkpoint, verified."""

    def __init__(self, note, vkey):
        lines = note_text(note, vkey).splitlines()
        self.note, self.origin, self.size = note, lines[0], int(lines[1])
        self.root = base64.b64decode(lines[2], validate=True)
        assert str(self.size) == lines[1] and len(self.root) == 32
        assert vkey.split("+")[0] == self.origin


# ---- a host's chain --------------------------------------------------------------------------------------------------


class Chain:
    """A host's chain: makes events and groups of them. `history` has every record, in order."""

    def __init__(self):
        self.id = base62(16)
        self.key = SigningKey(f"tenantd-audit/{self.id}")
        self.boot = secrets.token_hex(16)
        self.start = sha256(b"tenantd-audit-chain/v1\n", self.key.vkey.encode(), b"\n")
        self.history = []  # (leaf, personal line, hash)

    @property
    def last(self):
        return len(self.history)

    def hash_at(self, sequence):
        return self.history[sequence - 1][2] if sequence else self.start

    def event(self, tenant_id="", person=None, name="somebody", kind="login-allowed", failure=False, host_id=None, **more):
        """Adds an event, and returns its id."""
        sequence = self.last + 1
        leaf = {
            "class_uid": 3002, "category_uid": 3, "activity_id": 1, "type_uid": 300201, "severity_id": 1,
            "status_id": 2 if failure else 1, "time": int(time.time() * 1000),
            "metadata": {"version": "1.3.0", "product": {"name": "tenantd", "vendor_name": "tenantd"},
                         "uid": f"{self.id}-{sequence}", "event_code": kind, "sequence": sequence},
            "device": {"type_id": 1, "hostname": "worker"},
            "user": {"uid": person or "-"},
            "service": {"name": "sshd"},
            "unmapped": {"chain": self.id, "boot": self.boot, "seq": sequence, "prev": self.hash_at(self.last).hex(), **more},
        }  # fmt: skip
        if tenant_id:
            leaf["metadata"]["tenant_uid"] = tenant_id
        if host_id:
            leaf["device"]["uid"] = host_id
        personal = []
        if person:
            salt, patch = os.urandom(32), json.dumps({"user": {"name": name}})
            commitment = sha256(b"tenantd-audit-personal/v1\n", salt, patch.encode()).hex()
            leaf["unmapped"]["personal"] = [{"person": person, "commitment": commitment}]
            personal = [{"person": person, "salt": salt.hex(), "patch": patch}]
        self.add(json.dumps(leaf, separators=(",", ":")), json.dumps(personal, separators=(",", ":")))
        return leaf["metadata"]["uid"]

    def add(self, leaf, personal="[]"):
        self.history.append((leaf, personal, leaf_hash(leaf)))

    def group(self, first, count, key=None, **changes):
        records = self.history[first - 1 : first - 1 + count]
        body = "".join(f"{leaf}\n{personal}\n" for leaf, personal, _ in records)
        says = {
            "chain": self.id, "first": first, "count": len(records), "prev": self.hash_at(first - 1).hex(),
            "head": records[-1][2].hex(), "bytes": len(body.encode()), **changes,
        }  # fmt: skip
        text = "tenantd-audit-group/v1\n" + "".join(f"{word} {value}\n" for word, value in says.items())
        note = (key or self.key).note(text)
        return f"group {len(note.encode())} {len(body.encode())}\n{note}{body}"

    def request(self, first=1, last=None, group_size=100, at=None):
        """The body of POST /v1/hosts/self/audit for these events."""
        last = self.last if last is None else last
        at = at or (self.last, self.hash_at(self.last))
        groups = "".join(
            self.group(begin, min(group_size, last - begin + 1)) for begin in range(first, last + 1, group_size)
        )
        return f"chain {self.key.vkey}\nat {at[0]} {at[1].hex()}\n{groups}".encode()


class Receipt:
    """What the control plane acknowledged, verified by the authority's key."""

    def __init__(self, note, authority_vkey):
        lines = note_text(note, authority_vkey).splitlines()
        assert lines[0] == "tenantd-audit-receipt/v1" and lines[1] == authority_vkey.split("+")[0]
        words = dict(line.split(" ", 1) for line in lines[2:])
        assert set(words) == {"host", "chain", "next", "head", "issued"}
        self.host, self.chain = words["host"], words["chain"]
        self.next, self.head = int(words["next"]), bytes.fromhex(words["head"])


# ---- exports ---------------------------------------------------------------------------------------------------------


def export(client, path):
    """The log, checked as whoever gets the file would: every leaf, every proof, the root. Leaves in order."""
    client.timeout = 120
    answer = client.get(f"{path}/audit/export")
    assert answer.status == 200, answer
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    head, entries, end = lines[0], lines[1:-1], lines[-1]
    assert end == {"end": True, "entries": len(entries)}
    checkpoint = Checkpoint(head["checkpoint"], head["keys"][0])
    hashes = [leaf_hash(entry["leaf"]) for entry in entries]
    assert [entry["index"] for entry in entries] == list(range(checkpoint.size))
    assert tree_hash(hashes) == checkpoint.root
    for entry in random.sample(entries, min(50, len(entries))):
        proof = [base64.b64decode(one) for one in entry["proof"]]
        assert inclusion_root(entry["index"], checkpoint.size, hashes[entry["index"]], proof) == checkpoint.root
    return [json.loads(entry["leaf"]) for entry in entries]
