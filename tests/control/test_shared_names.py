# SPDX-License-Identifier: MIT
"""Names of Unix users and groups are one space on a host, whichever tenants it serves: a name that one of them has is
refused to those beside it, and tenants that have one in common are not put together."""
import itertools
import re
import threading

import pytest

from controllib.cluster import Cluster
from controllib.host import Host, Key

_number = itertools.count(1)


@pytest.fixture
def pair(new_tenant, operator, tmp_path_factory):
    """Two tenants on a host of theirs; slug "b" is the beginning of slug "b-x"."""

    class Pair:
        def __init__(self):
            self.number = next(_number)
            self.a = new_tenant(f"pa{self.number}")
            self.b = new_tenant(f"pa{self.number}-x")
            self.host = None

        def share(self):
            self.host = Host(operator, [self.a.id, self.b.id], f"shared-{self.number}", tmp_path_factory.mktemp("host"))

    return Pair()


def user(tenant, login, client=None):
    return (client or tenant.operator).request("POST", f"{tenant.path}/users", {"login": login})


def project(tenant, slug, client=None):
    return (client or tenant.operator).request("POST", f"{tenant.path}/projects", {"slug": slug})


def refused(answer, *words):
    assert answer.status == 409, answer
    assert answer.json["type"] == "urn:tenantd:problem:conflict"
    for word in words:
        assert word in answer.json["detail"], answer
    return answer.json["detail"]


# Two claims of one name, by the first tenant (slug s) and by the second (slug s-x), and the name.
CLAIMS = {
    "login and login": (("user", "bob"), ("user", "bob"), "bob"),
    "project and project": (("project", "x-vision"), ("project", "vision"), "{s}-x-vision"),
    "project's level and project": (("project", "x-vision"), ("project", "vision-owner"), "{s}-x-vision-owner"),
    "project and project's level": (("project", "x-vision-viewer"), ("project", "vision"), "{s}-x-vision-viewer"),
    "login and project": (("user", "{s}-x-vision"), ("project", "vision"), "{s}-x-vision"),
    "login and project's level": (("user", "{s}-x-vision-editor"), ("project", "vision"), "{s}-x-vision-editor"),
    "project and login": (("project", "lab"), ("user", "{s}-lab"), "{s}-lab"),
    "project's level and login": (("project", "lab"), ("user", "{s}-lab-viewer"), "{s}-lab-viewer"),
}
# A tenant's slug is there before everything else.
WITH_SLUGS = {
    "login and slug": ("a", ("user", "{s}-x"), "{s}-x"),
    "slug and login": ("b", ("user", "{s}"), "{s}"),
    "project and slug": ("a", ("project", "x"), "{s}-x"),
}


def claim(tenant, kind, text, slug):
    return {"user": user, "project": project}[kind](tenant, text.format(s=slug))


@pytest.mark.parametrize("turned", (False, True))
@pytest.mark.parametrize("name", CLAIMS)
def test_a_name_of_the_tenant_beside_is_refused(pair, name, turned):
    first, second, taken = CLAIMS[name]
    pair.share()
    order = [(pair.a, first), (pair.b, second)]
    if turned:
        order.reverse()
    (one, what), (other, same) = order
    assert claim(one, *what, pair.a.slug).status == 201
    refused(claim(other, *same, pair.a.slug), f'"{taken.format(s=pair.a.slug)}"', f"({one.slug})")
    # What is no such name goes on.
    assert user(other, "carol").status == 201 and project(other, "else").status == 201


@pytest.mark.parametrize("name", WITH_SLUGS)
def test_the_slug_of_the_tenant_beside_is_refused(pair, name):
    who, what, taken = WITH_SLUGS[name]
    pair.share()
    refused(claim(getattr(pair, who), *what, pair.a.slug), f'"{taken.format(s=pair.a.slug)}"')


def test_a_project_is_not_renamed_to_a_name_of_the_tenant_beside(pair, operator):
    pair.share()
    assert user(pair.b, f"{pair.a.slug}-lab-owner").status == 201
    made = project(pair.a, "other").json
    path = f"{pair.a.path}/projects/{made['id']}"
    refused(operator.request("PATCH", path, {"slug": "lab"}, headers={"If-Match": "*"}), f'"{pair.a.slug}-lab-owner"')
    operator.must("PATCH", path, {"slug": "labs"}, headers={"If-Match": "*"})


def test_tenants_people_are_not_told_whose_it_is(pair):
    admin = pair.a.owner
    assert user(pair.b, "bob").status == 201
    pair.share()
    text = refused(user(pair.a, "bob", admin), '"bob"', "another tenant on a host")
    assert pair.b.slug not in text and pair.b.id not in text
    assert pair.b.slug in refused(user(pair.a, "bob"), '"bob"')


@pytest.mark.parametrize("name", [*CLAIMS, *WITH_SLUGS])
def test_tenants_that_share_no_host_have_names_as_they_like_and_are_not_put_together(pair, operator, tmp_path, name):
    if name in CLAIMS:
        first, second, taken = CLAIMS[name]
        claims = [(pair.a, first), (pair.b, second)]
    else:
        who, what, taken = WITH_SLUGS[name]
        claims = [(getattr(pair, who), what)]
    # Both have hosts, and not the same.
    host = Host(operator, [pair.a.id], f"own-{pair.number}", tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    Host(operator, [pair.b.id], f"other-{pair.number}", other)
    late = operator.must("POST", "/v1/enrolment-tokens", {"tenants": [pair.a.id, pair.b.id], "uses": 2})
    for tenant, what in claims:
        assert claim(tenant, *what, pair.a.slug).status == 201
    words = (f'"{taken.format(s=pair.a.slug)}"', f"{pair.a.slug} and {pair.b.slug}")
    refused(operator.request("PUT", f"/v1/hosts/{host.id}/tenants/{pair.b.id}"), *words)
    refused(operator.request("POST", "/v1/enrolment-tokens", {"tenants": [pair.b.id, pair.a.slug]}), *words)
    # A token of before: the host is told the name and not the tenants, the operator both.
    third = tmp_path / "third"
    third.mkdir()
    body = {"token": late["token"], "name": f"late-{pair.number}", "key": Key(third).jwk}
    text = refused(operator.as_(None).request("POST", "/v1/enrol", body), words[0], "two tenants")
    assert pair.b.slug not in text.replace(words[0], "")
    event = operator.must("GET", "/v1/events?limit=1000")["items"]
    event = next(e for e in event if e["kind"] == "host.enrol" and e["actor"] == f"late-{pair.number}")
    assert event["outcome"] == "failure" and event["data"]["tenants"] == [pair.a.slug, pair.b.slug]
    # Nothing of it stayed: no host, no use taken, the first host as it was.
    assert operator.must("GET", f"/v1/hosts?name=late-{pair.number}")["items"] == []
    token = next(t for t in operator.must("GET", "/v1/enrolment-tokens?limit=1000")["items"] if t["id"] == late["id"])
    assert token["uses_left"] == 2
    assert operator.must("GET", f"/v1/hosts/{host.id}")["tenants"] == [pair.a.id]


def test_after_the_name_is_given_up_they_come_together_and_apart(pair, operator, tmp_path):
    host = Host(operator, [pair.a.id], f"again-{pair.number}", tmp_path)
    put = f"/v1/hosts/{host.id}/tenants/{pair.b.id}"
    bob = user(pair.a, "bob").json
    assert user(pair.b, "bob").status == 201
    refused(operator.request("PUT", put), '"bob"')
    operator.must("DELETE", f"{pair.a.path}/users/{bob['id']}", headers={"If-Match": "*"})
    operator.must("PUT", put)
    operator.must("PUT", put)
    refused(user(pair.a, "bob"), '"bob"')
    operator.must("DELETE", put)
    assert user(pair.a, "bob").status == 201
    refused(operator.request("PUT", put), '"bob"')


def test_a_third_tenant_is_held_against_all_of_the_host(pair, operator, new_tenant):
    pair.share()
    third = new_tenant(f"third{pair.number}")
    assert user(pair.b, "erin").status == 201 and user(third, "erin").status == 201
    refused(operator.request("PUT", f"/v1/hosts/{pair.host.id}/tenants/{third.id}"), '"erin"', pair.b.slug, third.slug)


def together(*calls):
    """All at the same moment; their answers."""
    answers, start = [None] * len(calls), threading.Barrier(len(calls))

    def run(index, call):
        start.wait()
        answers[index] = call()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_writers_one_gets_the_name(pair, operator):
    pair.share()
    one, other = operator.as_(operator.token), operator.as_(operator.token)
    for turn in range(25):
        login = f"{pair.a.slug}-x-p{turn}-viewer"
        answers = together(lambda: project(pair.b, f"p{turn}", one), lambda: user(pair.a, login, other))  # pylint: disable=W0640
        assert sorted(a.status for a in answers) == [201, 409], (turn, answers)
        answers = together(lambda: user(pair.b, f"u{turn}", one), lambda: user(pair.a, f"u{turn}", other))  # pylint: disable=W0640
        assert sorted(a.status for a in answers) == [201, 409], (turn, answers)


def test_a_name_and_a_host_at_once_do_not_both_come(pair, operator, tmp_path):
    host = Host(operator, [pair.a.id], f"race-{pair.number}", tmp_path)
    put = f"/v1/hosts/{host.id}/tenants/{pair.b.id}"
    clients = [operator.as_(operator.token) for _ in range(2)]
    for turn in range(25):
        # The one that is there already, and the one that comes, in turn.
        has, gets = (pair.b, pair.a) if turn % 2 else (pair.a, pair.b)
        assert user(has, f"r{turn}").status == 201
        answers = together(lambda: clients[0].request("PUT", put), lambda: user(gets, f"r{turn}", clients[1]))  # pylint: disable=W0640
        served, named = (a.status for a in answers)
        assert (served, named) in ((200, 409), (409, 201)), (turn, answers)
        if served == 200:
            operator.must("DELETE", put)
        else:
            operator.must("DELETE", f"{gets.path}/users/{answers[1].json['id']}", headers={"If-Match": "*"})


def test_a_name_and_an_enrolment_at_once_do_not_both_come(pair, operator, tmp_path):
    token = operator.must("POST", "/v1/enrolment-tokens", {"tenants": [pair.a.id, pair.b.id], "uses": 100})
    clients = [operator.as_(None), operator.as_(operator.token)]
    for turn in range(15):
        assert user(pair.b, f"e{turn}").status == 201
        folder = tmp_path / str(turn)
        folder.mkdir()
        body = {"token": token["token"], "name": f"enrols-{pair.number}-{turn}", "key": Key(folder).jwk}
        answers = together(lambda: clients[0].request("POST", "/v1/enrol", body), lambda: user(pair.a, f"e{turn}", clients[1]))  # pylint: disable=W0640
        assert tuple(a.status for a in answers) in ((201, 409), (409, 201)), (turn, answers)
        if answers[0].status == 201:
            host = f"/v1/hosts/{answers[0].json['host']}"
            operator.must("POST", f"{host}/disable", {"reason": "the test is over"})
            operator.must("DELETE", host, headers={"If-Match": "*"})
        else:
            operator.must("DELETE", f"{pair.a.path}/users/{answers[1].json['id']}", headers={"If-Match": "*"})


def test_a_writer_waits_for_whoever_has_the_name_in_hand(pair, operator, cluster):
    """Between the look and the commit of another: the lock is held here in its stead."""
    pair.share()
    number = cluster.psql("SELECT hashtext('waiting')")
    locks = f"FROM pg_locks WHERE locktype = 'advisory' AND classid = 1852796257 AND objid::int8 = ({number}::int8 & 4294967295)"
    said = []
    holder = threading.Thread(target=lambda: said.append(cluster.psql(
        f"BEGIN; SELECT pg_advisory_xact_lock(1852796257, {number}); DO $$ BEGIN FOR i IN 1..1000 LOOP "
        f"IF EXISTS (SELECT {locks} AND NOT granted) THEN RETURN; END IF; PERFORM pg_sleep(0.01); END LOOP; "
        "RAISE EXCEPTION 'nobody waits'; END $$; COMMIT", check=False)))  # fmt: skip
    holder.start()
    while cluster.psql(f"SELECT count(*) {locks}") == "0" and holder.is_alive():
        pass
    answer = user(pair.a, "waiting")
    holder.join()
    assert said[0].returncode == 0, said[0].stderr
    assert answer.status == 201


def test_the_look_across_says_nothing_outside_its_scope(pair, cluster):
    pair.share()
    assert user(pair.b, "bob").status == 201

    def ask(sql, tenant="", platform="off"):
        return cluster.psql(
            f"BEGIN; SET LOCAL control.tenant = '{tenant}'; SET LOCAL control.platform = '{platform}'; {sql}; COMMIT",
            user="tenant-control",
        )

    elsewhere = "SELECT name, slug FROM control.names_elsewhere(ARRAY['bob', 'ann'])"
    twice = f"SELECT count(*) FROM control.names_twice(ARRAY['{pair.a.id}', '{pair.b.id}'], '{pair.host.id}')"
    assert ask(elsewhere, pair.a.id) == f"bob|{pair.b.slug}"
    assert ask(elsewhere, pair.b.id) == ask(elsewhere) == ask(elsewhere, platform="on") == ""
    cluster.psql(f"INSERT INTO control.users (id, tenant_id, login, uid) "
                 f"SELECT 'usr_' || left(md5('{pair.a.id}'), 16), id, 'bob', id_next + 9 FROM control.tenants WHERE id = '{pair.a.id}'")  # fmt: skip
    assert ask(twice, platform="on") == "1"
    assert ask(twice, pair.a.id) == ask(twice) == "0"


def test_indices(new_control, tmp_path):
    """What the functions ask is answered by index among many tenants, hosts and people; auto_explain sees into them."""
    settings = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
                "auto_explain.log_nested_statements": "on"}  # fmt: skip
    cluster = Cluster("names", **settings)
    cluster.start()
    control = new_control("names", cluster=cluster)
    try:
        control.init()
        cluster.psql("""
            SET session_replication_role = replica;
            INSERT INTO control.tenants (id, slug, gid, id_first, id_count, id_next) SELECT 'ten_' || lpad(i::text, 16, '0'),
                't' || i, f, f, 16, f + 5 FROM generate_series(1, 10000) i, LATERAL (SELECT 2000000000 + i * 16 AS f) s;
            INSERT INTO control.users (id, tenant_id, login, uid) SELECT 'usr_' || lpad((t.gid + u)::text, 16, '0'), t.id, 'u' || u, t.gid + u
                FROM control.tenants t, generate_series(1, 3) u;
            INSERT INTO control.projects (id, tenant_id, slug, gid) SELECT 'prj_' || lpad(t.gid::text, 16, '0'), t.id, 'p', t.gid + 4
                FROM control.tenants t;
            INSERT INTO control.hosts (id, name, jwk, kid) SELECT 'hst_' || lpad(i::text, 16, '0'), 'h' || i, '{}', 'k' || i
                FROM generate_series(1, 10000) i;
            INSERT INTO control.host_tenants (host_id, tenant_id) SELECT 'hst_' || lpad(i::text, 16, '0'), 'ten_' || lpad(i::text, 16, '0')
                FROM generate_series(1, 10000) i;
            ANALYZE""")
        server = control.serve()
        client = server.client
        client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
        made = [client.must("POST", "/v1/tenants", {"slug": slug}) for slug in ("one", "two")]
        log = cluster.folder / "log"

        def plans(mark):
            text = log.read_text(errors="replace")[mark:]
            return [p for p in re.split(r"(?=duration: )", text) if "Query Text:" in p]

        bare = log.stat().st_size
        client.must("POST", f"/v1/tenants/{made[0]['id']}/users", {"login": "alone"})
        assert not [p for p in plans(bare) if "WITH beside" in p], "a tenant without company looks at its neighbours"
        Host(client, [m["id"] for m in made], "both", tmp_path)
        mark = log.stat().st_size
        for number in range(8):  # past the fifth the plan may be a generic one
            client.must("POST", f"/v1/tenants/{made[0]['id']}/users", {"login": f"u{number}"})
            client.must("POST", f"/v1/tenants/{made[0]['id']}/projects", {"slug": f"p{number}"})
        refused(client.request("PUT", f"/v1/hosts/both/tenants/ten_{3:016}"), '"u1"')
        seen = [p for p in plans(mark) if "WITH beside" in p or "WITH claims" in p or "h.shared" in p]
        assert len(seen) >= 30
        bad = [p[:3000] for p in seen if re.search(r"Seq Scan on (users|projects|tenants|hosts|host_tenants)\b", p)]
        assert not bad, bad[0]
    finally:
        control.stop()
        cluster.remove()
