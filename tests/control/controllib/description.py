# SPDX-License-Identifier: MIT
"""docs/openapi.yaml, and whether an answer is as it says. Every answer that a test's client gets is held against it.

Only the words of JSON Schema that the description uses are known; another one is an error, so that none is passed over.
"""
import functools
import json
import pathlib
import re

import yaml

PATH = pathlib.Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
ABOUT = {"description", "title", "default", "examples", "example", "format", "readOnly", "writeOnly", "deprecated"}
METHODS = ("get", "post", "put", "patch", "delete")
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


class Mismatch(AssertionError):
    pass


def _fail(where, text):
    raise Mismatch(f"{where or 'the value'}: {text}")


def _same(a, b):
    return type(a) is type(b) and a == b


class Schemas:
    """`check(value, schema)` raises Mismatch. `root` is what references are resolved in."""

    def __init__(self, root):
        self.root = root

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            if len(node) > 1:
                raise ValueError(f"a reference stands alone: {node}")
            target = self.root
            if not node["$ref"].startswith("#/"):
                raise ValueError(f"not a reference of ours: {node['$ref']}")
            for part in node["$ref"][2:].split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def check(self, value, schema, where=""):
        schema = self.resolve(schema)
        if schema is True or schema == {}:
            return
        if schema is False:
            _fail(where, "nothing is allowed here")
        for word, rule in schema.items():
            if word in ABOUT:
                continue
            handler = getattr(self, f"_on_{word}", None)
            if handler is None:
                raise ValueError(f"{where}: the word '{word}' is not known to this checker")
            handler(value, rule, schema, where)

    def _on_type(self, value, rule, schema, where):
        kinds = rule if isinstance(rule, list) else [rule]
        if not any(TYPES[kind](value) for kind in kinds):
            _fail(where, f"{value!r} is not of type {rule}")

    def _on_enum(self, value, rule, schema, where):
        if not any(_same(value, one) for one in rule):
            _fail(where, f"{value!r} is none of {rule}")

    def _on_const(self, value, rule, schema, where):
        if not _same(value, rule):
            _fail(where, f"{value!r} is not {rule!r}")

    def _on_properties(self, value, rule, schema, where):
        if isinstance(value, dict):
            for name, inner in rule.items():
                if name in value:
                    self.check(value[name], inner, f"{where}.{name}")

    def _on_required(self, value, rule, schema, where):
        if isinstance(value, dict) and (missing := [name for name in rule if name not in value]):
            _fail(where, f"{missing} missing")

    def _on_additionalProperties(self, value, rule, schema, where):
        if isinstance(value, dict):
            for name in value.keys() - schema.get("properties", {}).keys():
                if rule is False:
                    _fail(where, f"'{name}' is not described")
                self.check(value[name], rule, f"{where}.{name}")

    def _on_items(self, value, rule, schema, where):
        if isinstance(value, list):
            for number, item in enumerate(value):
                self.check(item, rule, f"{where}[{number}]")

    def _on_minItems(self, value, rule, schema, where):
        if isinstance(value, list) and len(value) < rule:
            _fail(where, f"fewer than {rule} items")

    def _on_maxItems(self, value, rule, schema, where):
        if isinstance(value, list) and len(value) > rule:
            _fail(where, f"more than {rule} items")

    def _on_uniqueItems(self, value, rule, schema, where):
        if rule and isinstance(value, list) and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            _fail(where, "an item is there twice")

    def _on_minLength(self, value, rule, schema, where):
        if isinstance(value, str) and len(value) < rule:
            _fail(where, f"shorter than {rule}")

    def _on_maxLength(self, value, rule, schema, where):
        if isinstance(value, str) and len(value) > rule:
            _fail(where, f"longer than {rule}")

    def _on_pattern(self, value, rule, schema, where):
        if isinstance(value, str) and not re.search(rule, value):
            _fail(where, f"{value!r} does not match {rule}")

    def _on_minimum(self, value, rule, schema, where):
        if TYPES["number"](value) and value < rule:
            _fail(where, f"{value} is below {rule}")

    def _on_maximum(self, value, rule, schema, where):
        if TYPES["number"](value) and value > rule:
            _fail(where, f"{value} is above {rule}")

    def _on_allOf(self, value, rule, schema, where):
        for inner in rule:
            self.check(value, inner, where)

    def _matching(self, value, rule, where):
        faults = []
        for inner in rule:
            try:
                self.check(value, inner, where)
                faults.append(None)
            except Mismatch as fault:
                faults.append(str(fault))
        return faults

    def _on_anyOf(self, value, rule, schema, where):
        faults = self._matching(value, rule, where)
        if None not in faults:
            _fail(where, f"matches none: {faults}")

    def _on_oneOf(self, value, rule, schema, where):
        faults = self._matching(value, rule, where)
        if faults.count(None) != 1:
            _fail(where, f"matches {faults.count(None)} of {len(faults)}: {faults}")


class Description:
    def __init__(self, document):
        self.document = document
        self.schemas = Schemas(document)
        self.paths = [(self._pattern(path), path, item) for path, item in document["paths"].items()]
        # "/hosts/self" stands above "/hosts/{host}".
        self.paths.sort(key=lambda entry: [part.startswith("{") for part in entry[1].split("/")])

    @staticmethod
    def _pattern(path):
        kinds = {"{path}": ".+"}  # what is left, with its "/"
        parts = [kinds.get(part) or ("[^/]+" if part.startswith("{") else re.escape(part)) for part in path.split("/")]
        return re.compile("/".join(parts))

    def operations(self):
        return {(method.upper(), path) for _, path, item in self.paths for method in METHODS if method in item}

    def find(self, method, target):
        path = target.partition("?")[0]
        for pattern, _, item in self.paths:
            if pattern.fullmatch(path) and method.lower() in item:
                return item[method.lower()]
        return None

    def check(self, method, target, status, headers, body):
        """An answer to a request. Routes that are not described are test_openapi.py's business."""
        operation = self.find("GET" if method == "HEAD" else method, target)
        if operation is None or status in (405, 429, 503) and "default" not in operation["responses"]:
            return
        where = f"{method} {target} {status}"
        response = operation["responses"].get(str(status)) or operation["responses"].get("default")
        if response is None or (status < 400 and str(status) not in operation["responses"]):
            _fail(where, "no such answer is described")
        response = self.schemas.resolve(response)
        for name, header in response.get("headers", {}).items():
            if name in headers:
                schema = self.schemas.resolve(self.schemas.resolve(header)["schema"])
                value = headers[name]
                self.schemas.check(int(value) if schema.get("type") == "integer" else value, schema, f"{where} {name}")
        content = response.get("content")
        if not content:
            if body:
                _fail(where, f"a body where none is described: {body[:200]!r}")
            return
        if method == "HEAD":
            return
        media = (headers["Content-Type"] or "").partition(";")[0]
        if media not in content:
            _fail(where, f"{media} is none of {list(content)}")
        if media.endswith(("/json", "+json")):
            self.schemas.check(json.loads(body), content[media].get("schema", {}), where)


@functools.lru_cache(maxsize=1)
def description():
    return Description(yaml.safe_load(PATH.read_text(encoding="utf-8")))
