# SPDX-License-Identifier: MIT
"""Every route and everybody who may knock: own tenant and another's, each role, operators with each grant, nobody. What
is expected stands here as a table; that no route is missing from it is checked against the API's description."""
import itertools
import re

import pytest

from test_operators import Operator
from test_hosts import Host

T = "/v1/tenants/{tenant}"
P = T + "/projects/{project}"

# Who is let in by what a route asks for. Everybody else is refused.
OWNER, ADMIN, ANALYST, VIEWER = "owner", "adam", "analyst", "viewer"
P_OWNER, P_EDITOR, P_VIEWER, PLAIN = "p-owner", "p-editor", "p-viewer", "plain"
USERS = {OWNER, ADMIN, ANALYST, VIEWER, P_OWNER, P_EDITOR, P_VIEWER, PLAIN}
STRANGERS = {"other-owner", "op-hosts", "op-other"}
OPERATORS = {"op-admin", "op-support", "op-here", "op-hosts", "op-other", "op-none"}

READERS, WRITERS = {"op-admin", "op-support", "op-here"}, {"op-admin", "op-here"}
VIEW = {OWNER, ADMIN, ANALYST, VIEWER} | READERS
MANAGE = {OWNER, ADMIN} | WRITERS
AUDIT = {OWNER, ADMIN, ANALYST} | READERS
SELF = USERS | READERS
SELF_WRITE = USERS | WRITERS
IN_PROJECT = VIEW | {P_OWNER, P_EDITOR, P_VIEWER}
MEMBERS = {OWNER, ADMIN, P_OWNER} | WRITERS
PROJECT_DELETE = {OWNER, P_OWNER} | WRITERS
KEYS_OF_OTHERS = {OWNER, ADMIN}
SESSIONS = {OWNER, ADMIN, P_OWNER}
PLATFORM, PLATFORM_READ = {"op-admin"}, {"op-admin", "op-support"}
HOSTS, HOSTS_READ = {"op-admin", "op-hosts"}, {"op-admin", "op-hosts", "op-support"}

STALE = {"If-Match": '"999999"'}
# (method, path): who passes the gate, and a request that goes no further than that: what it answers then.
# The {user} and {key} are a person's without any role.
ROUTES = {
    ("GET", "/v1/tenants"): ({"op-admin", "op-support", "op-hosts", "op-here", "op-other"}, None, 200),
    ("POST", "/v1/tenants"): (PLATFORM, {}, 400),
    ("GET", T): (SELF, None, 200),
    ("PATCH", T): (MANAGE, {}, 412),
    ("DELETE", T): (PLATFORM, None, 412),
    ("GET", T + "/feed"): (HOSTS_READ, None, 200),
    ("POST", T + "/feed/keys"): (PLATFORM, {"finish": 5}, 400),
    ("POST", T + "/feed/epochs"): (PLATFORM, None, 200),
    ("GET", T + "/users"): (VIEW, None, 200),
    ("POST", T + "/users"): (MANAGE, {}, 400),
    ("GET", T + "/users/{user}"): (VIEW, None, 200),
    ("PATCH", T + "/users/{user}"): (MANAGE, {}, 412),
    ("DELETE", T + "/users/{user}"): (MANAGE, None, 412),
    ("POST", T + "/users/{user}/suspend"): (MANAGE, {}, 412),
    ("POST", T + "/users/{user}/resume"): (MANAGE, None, 412),
    ("PUT", T + "/users/{user}/password"): (MANAGE, {}, 400),
    ("GET", T + "/users/{user}/memberships"): (VIEW, None, 200),
    ("GET", T + "/members"): (VIEW, None, 200),
    ("GET", T + "/members/{member}"): (VIEW, None, 200),
    ("PUT", T + "/members/{user}"): (MANAGE, {}, 400),
    ("DELETE", T + "/members/{member}"): (MANAGE, None, 412),
    ("GET", T + "/projects"): (SELF, None, 200),
    ("POST", T + "/projects"): (MANAGE, {}, 400),
    ("GET", P): (IN_PROJECT, None, 200),
    ("PATCH", P): (MEMBERS, {}, 412),
    ("DELETE", P): (PROJECT_DELETE, None, 412),
    ("GET", P + "/members"): (IN_PROJECT, None, 200),
    ("GET", P + "/members/{project_member}"): (IN_PROJECT, None, 200),
    ("PUT", P + "/members/{user}"): (MEMBERS, {}, 400),
    ("DELETE", P + "/members/{project_member}"): (MEMBERS, None, 412),
    ("GET", T + "/roles"): (VIEW, None, 200),
    ("POST", T + "/roles"): (MANAGE, {}, 400),
    ("GET", T + "/roles/{role}"): (VIEW, None, 200),
    ("PATCH", T + "/roles/{role}"): (MANAGE, {}, 412),
    ("DELETE", T + "/roles/{role}"): (MANAGE, None, 412),
    ("GET", T + "/keys"): (SELF, None, 200),
    ("POST", T + "/keys"): (SELF_WRITE, {"label": 5}, 400),
    # Others' keys: only for who looks after keys; for the rest of the tenant they do not exist.
    ("GET", T + "/keys/{key}"): (KEYS_OF_OTHERS | READERS, None, 200),
    ("PATCH", T + "/keys/{key}"): (KEYS_OF_OTHERS | WRITERS, {"label": "x"}, 412),
    ("POST", T + "/keys/{key}/rotate"): (KEYS_OF_OTHERS | WRITERS, {"grace": -1}, 400),
    ("POST", T + "/keys/{revoked}/revoke"): (KEYS_OF_OTHERS | WRITERS, {}, 409),
    ("GET", T + "/sessions"): (SELF, None, 200),
    ("POST", T + "/sessions/end"): (SELF_WRITE, {}, 400),
    # Of somebody in the project.
    ("GET", T + "/sessions/{session}"): (SESSIONS | READERS, None, 200),
    ("POST", T + "/sessions/{session}/end"): (SESSIONS | WRITERS, {}, 200),
    ("GET", T + "/host-rules"): (VIEW, None, 200),
    ("POST", T + "/host-rules"): (MANAGE, {}, 400),
    ("GET", T + "/host-rules/{rule}"): (VIEW, None, 200),
    ("PATCH", T + "/host-rules/{rule}"): (MANAGE, {}, 412),
    ("DELETE", T + "/host-rules/{rule}"): (MANAGE, None, 412),
    ("GET", T + "/connectors"): (MANAGE | READERS, None, 200),
    ("POST", T + "/connectors"): (MANAGE, {}, 400),
    ("GET", T + "/connectors/{connector}"): (MANAGE | READERS, None, 200),
    ("PATCH", T + "/connectors/{connector}"): (MANAGE, {}, 412),
    ("DELETE", T + "/connectors/{connector}"): (MANAGE, None, 412),
    ("GET", T + "/identity-providers"): (MANAGE | READERS, None, 200),
    ("POST", T + "/identity-providers"): (MANAGE, {}, 400),
    ("GET", T + "/identity-providers/{provider}"): (MANAGE | READERS, None, 200),
    # Whoever may write one can come as anybody.
    ("PATCH", T + "/identity-providers/{provider}"): ({OWNER} | WRITERS, {}, 412),
    ("DELETE", T + "/identity-providers/{provider}"): (MANAGE, None, 412),
    ("GET", T + "/hosts"): (VIEW, None, 200),
    ("GET", T + "/impersonations"): (AUDIT, None, 200),
    ("DELETE", T + "/impersonations/{grant}"): (MANAGE, None, 404),
    ("GET", T + "/events"): (AUDIT, None, 200),
    ("GET", T + "/audit/checkpoint"): (AUDIT, None, 200),
    ("GET", T + "/audit/tile/{path}"): (AUDIT, None, 404),
    ("GET", T + "/audit/proofs/inclusion"): (AUDIT, None, 400),
    ("GET", T + "/audit/proofs/consistency"): (AUDIT, None, 200),
    ("GET", T + "/audit/witnesses"): (AUDIT, None, 200),
    ("GET", T + "/audit/export"): (AUDIT, None, 200),
    ("DELETE", T + "/audit/persons/{person}"): (MANAGE, None, 404),
    ("GET", "/v1/events"): (PLATFORM_READ, None, 200),
    ("GET", "/v1/audit/checkpoint"): (PLATFORM_READ, None, 200),
    ("GET", "/v1/audit/tile/{path}"): (PLATFORM_READ, None, 404),
    ("GET", "/v1/audit/proofs/inclusion"): (PLATFORM_READ, None, 400),
    ("GET", "/v1/audit/proofs/consistency"): (PLATFORM_READ, None, 200),
    ("GET", "/v1/audit/witnesses"): (PLATFORM_READ, None, 200),
    ("GET", "/v1/audit/export"): (PLATFORM_READ, None, 200),
    ("GET", "/v1/audit/logs/{log}/export"): (PLATFORM_READ, None, 404),
    ("DELETE", "/v1/audit/persons/{person}"): (PLATFORM, None, 404),
    ("GET", "/v1/hosts"): (HOSTS_READ, None, 200),
    ("GET", "/v1/hosts/{host}"): (HOSTS_READ, None, 200),
    ("PATCH", "/v1/hosts/{host}"): (HOSTS, {"name": "x"}, 412),
    ("DELETE", "/v1/hosts/{host}"): (HOSTS, None, 412),
    ("POST", "/v1/hosts/{host}/disable"): (HOSTS, {"reason": 5}, 400),
    ("POST", "/v1/hosts/{host}/enable"): (HOSTS, None, 409),
    ("PUT", "/v1/hosts/{disabled}/tenants/{tenant}"): (HOSTS, None, 409),
    ("DELETE", "/v1/hosts/{disabled}/tenants/{tenant}"): (HOSTS, None, 409),
    ("GET", "/v1/enrolment-tokens"): (HOSTS_READ, None, 200),
    ("POST", "/v1/enrolment-tokens"): (HOSTS, {}, 400),
    ("DELETE", "/v1/enrolment-tokens/{token}"): (HOSTS, None, 404),
    ("GET", "/v1/operators"): (PLATFORM_READ, None, 200),
    ("POST", "/v1/operators"): (PLATFORM, {}, 400),
    ("GET", "/v1/operators/{operator}"): (PLATFORM_READ, None, 200),
    ("PATCH", "/v1/operators/{operator}"): (PLATFORM, {}, 412),
    ("DELETE", "/v1/operators/{operator}"): (PLATFORM, None, 412),
    ("PUT", "/v1/operators/{operator}/password"): (PLATFORM, {}, 400),
    ("GET", "/v1/operators/{operator}/grants"): (PLATFORM_READ, None, 200),
    ("POST", "/v1/operators/{operator}/grants"): (PLATFORM, {}, 400),
    ("DELETE", "/v1/operators/{operator}/grants/{grant}"): (PLATFORM, None, 404),
}
# Hosts' own routes, sign-in and what is public: tested where they are (test_sign_in, test_feed …).
ELSEWHERE = re.compile(r"^/(healthz|readyz|metrics|openapi\.yaml|internal/.*|oauth2/.*|device|\.well-known/.*|v1/(feeds/.*|enrol|hosts/(token|self.*)|sign-.*|token.*|tokens.*|password|introspect|operators/sign-in|jwks.*|me.*|self.*|tenants/\{tenant\}/tokens.*))$")


@pytest.fixture(scope="module")
def world(control, operator):
    import conftest

    here, other = conftest.Tenant(operator, "matrix"), conftest.Tenant(operator, "matrix-other")
    clients, users = {}, {}
    for login in sorted(USERS):
        role = {OWNER: "owner", ADMIN: "admin", ANALYST: "analyst", VIEWER: "viewer"}.get(login)
        users[login] = here.user(login, role)
        clients[login] = users[login].client()
    project = here.project("p")
    for login, role in ((P_OWNER, "owner"), (P_EDITOR, "editor"), (P_VIEWER, "viewer")):
        operator.must("PUT", f"{here.path}/projects/p/members/{login}", {"role": role})
    clients["other-owner"] = other.owner
    for name, grants in (
        ("op-admin", [{"role": "admin"}]), ("op-support", [{"role": "support"}]), ("op-hosts", [{"role": "hosts"}]),
        ("op-here", [{"role": "admin", "tenant": here.id}]), ("op-other", [{"role": "admin", "tenant": other.id}]), ("op-none", []),
    ):  # fmt: skip
        clients[name] = Operator(operator, *grants).client
    target = here.user("target")
    key, revoked = target.key(), target.key()
    operator.must("POST", f"{here.path}/keys/{revoked['id']}/revoke", {})
    host, disabled = Host(control, operator, "matrixup", here), Host(control, operator, "matrixdown", here)
    operator.must("POST", f"{disabled.path}/disable", {})
    someone = Operator(operator)
    names = {
        "tenant": here.id, "project": project["id"], "user": target.id, "member": users[VIEWER].id,
        "project_member": users[P_VIEWER].id, "key": key["id"], "revoked": revoked["id"], "role": "made",
        "host": host.id, "disabled": disabled.id, "token": "0000000000000000", "operator": someone.id, "grant": "grt_0000000000000000",
    }  # fmt: skip
    operator.must("POST", f"{here.path}/roles", {"name": "made", "kind": "project", "actions": ["gpu.reserve"]})
    rule = {"name": "gpu*", "serves": [{"project": project["id"]}]}
    names["rule"] = operator.must("POST", f"{here.path}/host-rules", rule)["id"]
    names["connector"] = operator.must("POST", f"{here.path}/connectors", {"name": "c", "kind": "s3"})["id"]
    names["provider"] = operator.must("POST", f"{here.path}/identity-providers", {"kind": "tenantd"})["id"]
    names["session"] = "5e55105e55105e55"
    names["person"], names["path"], names["log"] = "usr_0000000000000000", "0/x999/999", "ten_0000000000000000"
    control.cluster.psql(
        f"INSERT INTO control.session_reports VALUES ('{here.id}', '{host.id}', 'matrixup', '{names['session']}', 1, true);"
        "INSERT INTO control.sessions (tenant_id, id, host_id, list, user_id, project_id, opened, state) VALUES "
        f"('{here.id}', '{names['session']}', '{host.id}', '{names['session']}', '{target.id}', '{project['id']}', 1, 'open')"
    )
    return clients, names, here, other


def expected(method, path, who, passes, status):
    """What the answer is to be: a set of statuses."""
    if who in passes:
        return {status}
    if not path.startswith(T) or (method, path) == ("DELETE", T) or path.startswith(T + "/feed"):
        return {403}  # for operators alone, whatever is asked for
    if who in STRANGERS or who == "op-none":
        return {404}
    if ("/keys/" in path or "/sessions/" in path) and who in USERS:
        return {404}  # not theirs
    if path.startswith(P) and who == PLAIN:
        return {404}  # a project in which they have nothing
    return {403}


@pytest.mark.parametrize("method,path", ROUTES, ids=lambda part: part)
def test_pair_by_pair(world, method, path):
    clients, names, _, _ = world
    passes, body, status = ROUTES[method, path]
    target, wrong = path.format(**names), []
    for who, client in clients.items():
        got = client.request(method, target, body, headers=STALE if method != "GET" else None)
        if got.status not in expected(method, path, who, passes, status):
            wrong.append(f"{who}: {got.status}, not {expected(method, path, who, passes, status)}: {got.body[:120]}")
    nobody = clients[OWNER].as_(None)
    got = nobody.request(method, target, body)
    if got.status not in (401, 429):
        wrong.append(f"nobody: {got.status}")
    got = clients[OWNER].as_("tnt_pk_0000000000000000_" + "0" * 49).request(method, target, body)
    if got.status not in (401, 429):
        wrong.append(f"a made-up key: {got.status}")
    nobody.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method,path", [r for r in ROUTES if r[1].startswith(T + "/") and "{" in r[1][len(T) :] and "{role}" not in r[1]], ids=lambda part: part)
def test_records_of_one_tenant_under_anothers_name(world, method, path):
    """The ids are right and the caller is an owner, but of another tenant. (Roles have names, which each tenant may use.)"""
    clients, names, _, other = world
    _, body, _ = ROUTES[method, path]
    target = path.format(**{**names, "tenant": other.id})
    got = clients["other-owner"].request(method, target, body, headers=STALE if method != "GET" else None)
    # A body that is no good is found first where there is one: then nothing was looked for.
    assert got.status == 404 or (got.status == 400 and body is not None), got
    assert names["user"].encode() not in got.body


def test_no_route_is_missing(operator):
    text = operator.get("/openapi.yaml").body.decode()
    described, path = set(), None
    for line in text.split("components:\n")[0].splitlines():
        if found := re.match(r"  (/\S*):$", line):
            path = found[1]
        elif path and (found := re.match(r"    (get|put|post|patch|delete):$", line)):
            described.add((found[1].upper(), path))
    # The table names some parameters by what they stand for.
    plain = {"member": "user", "project_member": "user", "revoked": "key", "disabled": "host"}
    table = {(m, re.sub(r"\{(\w+)\}", lambda f: "{" + plain.get(f[1], f[1]) + "}", p)) for m, p in ROUTES}
    mine = {(m, p) for m, p in described if not ELSEWHERE.match(p)}
    assert mine - table == set(), "described, but not in the table"
    assert table - mine == set(), "in the table, but not described"


def test_the_table_has_both_answers():
    """Nobody passes everywhere and every route refuses somebody: the table itself cannot be all yes."""
    everybody = USERS | STRANGERS | OPERATORS
    for passes, _, _ in ROUTES.values():
        assert passes and everybody - passes
    assert len(list(itertools.product(ROUTES, everybody))) > 900
