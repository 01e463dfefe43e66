# SPDX-License-Identifier: MIT
"""The API's description says what the program answers to, all of it and nothing more; and the checker that holds every
answer against it sees what is wrong."""
import json
import re

import pytest
import yaml

from controllib.description import METHODS, PATH, Mismatch, Schemas, description

ROUTE_SECURITY = {"public": [[]], "internal": [["internal"]]}


def routes(control):
    return json.loads(control.run("routes", "--json").stdout)


def test_every_route_is_described_and_nothing_else(control):
    program = {(route["method"], route["path"]) for route in routes(control)}
    described = description().operations()
    assert sorted(program - described) == [], "routes that docs/openapi.yaml does not describe"
    assert sorted(described - program) == [], "described, but the program has no such route"


def test_the_description_says_who_may_ask(control):
    for route in routes(control):
        operation = description().find(route["method"], route["path"])
        if operation is None:
            continue
        security = [list(one) for one in operation.get("security", [{"bearer": []}])] or [[]]
        assert security == ROUTE_SECURITY.get(route["access"], [["bearer"]]), route


def test_the_list_names_who_may_take_a_route(control):
    words = {route["path"]: route["access"] for route in routes(control)}
    assert {words[path] for path in ("/v1/hosts/self", "/v1/feeds/{tenant}/events")} == {"host"}
    assert {words[path] for path in ("/metrics", "/internal/replica")} == {"internal"}
    assert words["/v1/introspect"] == "service" and words["/v1/me"] == "self" and words["/healthz"] == "public"
    listed = [tuple(line.split()[:3]) for line in control.run("routes").stdout.splitlines()]
    assert listed == [(route["method"], route["path"], route["access"]) for route in routes(control)]


def test_the_description_is_whole():
    """Every reference leads somewhere, parameters of paths are those of the path, names of operations are their own."""
    document, schemas, names = description().document, description().schemas, []

    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                schemas.resolve(node)
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(document)
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            names.append(operation["operationId"])
            assert "default" in operation["responses"], f"{method} {path}: errors are not described"
            declared = [schemas.resolve(one) for one in item.get("parameters", []) + operation.get("parameters", [])]
            in_path = {one["name"] for one in declared if one["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path)), f"{method} {path}: {in_path}"
    assert len(names) == len(set(names))


def test_the_program_serves_the_description(plain):
    from controllib.client import Client

    answer = Client(plain.port).get("/openapi.yaml")
    assert answer.body == PATH.read_bytes()
    assert answer.headers["Content-Type"] == "application/yaml"


def test_every_problem_is_described():
    """The enumeration of problem types is the table in the program."""
    source = (PATH.parents[1] / "control_plane" / "http" / "problems.c").read_text()
    names = re.findall(r"\[PROBLEM_\w+\] =\s*{\s*\"([a-z-]+)\"", source)
    described = description().document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert sorted(described) == sorted(f"urn:tenantd:problem:{name}" for name in names)


REFUSED = [
    ({"type": "integer"}, True),
    ({"type": "integer"}, "1"),
    ({"type": "integer"}, 1.5),
    ({"type": ["string", "null"]}, 1),
    ({"const": 1}, True),
    ({"enum": ["a"]}, "b"),
    ({"type": "object", "required": ["a"]}, {}),
    ({"properties": {"a": {"type": "string"}}}, {"a": 1}),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}),
    ({"additionalProperties": {"type": "string"}}, {"b": 1}),
    ({"items": {"type": "string"}}, ["a", 1]),
    ({"minItems": 1}, []),
    ({"maxItems": 1}, [1, 2]),
    ({"uniqueItems": True}, [1, 1]),
    ({"minLength": 2}, "a"),
    ({"maxLength": 1}, "ab"),
    ({"pattern": "^a$"}, "b"),
    ({"minimum": 1}, 0),
    ({"maximum": 1}, 2),
    ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "a"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1),
    ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 1),
    ({"$ref": "#/x"}, 1),
    (False, 1),
]


@pytest.mark.parametrize("schema, value", REFUSED, ids=str)
def test_the_checker_refuses(schema, value):
    with pytest.raises(Mismatch):
        Schemas({"x": {"type": "string"}}).check(value, schema)


def test_the_checker_knows_what_it_does_not_know():
    with pytest.raises(ValueError):
        Schemas({}).check(1, {"multipleOf": 2})
    with pytest.raises(ValueError):
        Schemas({}).resolve({"$ref": "other.yaml#/x"})


def test_the_checker_takes_what_is_right():
    schema = yaml.safe_load(
        "type: object\nrequired: [a]\nadditionalProperties: false\nproperties:\n"
        "  a: {type: array, items: {oneOf: [{type: integer, minimum: 1}, {type: 'null'}]}}\n"
    )
    Schemas({}).check({"a": [1, None, 3]}, schema)


def test_an_answer_that_is_not_as_described_fails_its_test():
    headers = {"Content-Type": "application/json"}
    description().check("GET", "/healthz?x=1", 200, headers, b'{"status":"ok"}')
    for status, media, body in (
        (200, "application/json", b'{"status":"bad"}'),
        (200, "application/json", b'{"status":"ok","more":1}'),
        (200, "text/html", b"ok"),
        (201, "application/json", b'{"status":"ok"}'),
        (500, "application/problem+json", b'{"title":"x"}'),
    ):
        with pytest.raises(Mismatch):
            description().check("GET", "/healthz", status, {"Content-Type": media}, body)
