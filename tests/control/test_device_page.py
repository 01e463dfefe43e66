# SPDX-License-Identifier: MIT
"""The page on which people approve a sign-in, as a browser without JavaScript has it."""
import base64
import hashlib
import re

import pytest

from conftest import PASSWORD, Tenant
from controllib.program import Control
from controllib.provider import Browser, Page, begin, encode, poll, post

ANY = {"If-Match": "*"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


@pytest.fixture(scope="module")
def control(cluster):
    made = Control(cluster.folder / "page", cluster, database="page", settings="limits:\n  per_source: 100000\n")
    made.init()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(control):
    return control.serve()


@pytest.fixture(scope="module")
def operator(control, server):
    client = server.client
    client.token = client.sign_in(control.OPERATOR, control.PASSWORD)
    yield client
    client.close()


@pytest.fixture
def provided(tenant, sql):
    tenant.operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    yield tenant
    sql("DELETE FROM control.sign_in_delays")


@pytest.fixture
def client(server):
    made = server.client
    yield made
    made.close()


@pytest.fixture
def browser(control, server):
    made = Browser(control, server.client)
    yield made
    made.client.close()


@pytest.fixture
def sql(control, cluster):
    return lambda text: cluster.psql(text, database=control.database)


@pytest.fixture
def code(provided, client):
    return begin(client, provided).json["user_code"]


def pending(provided, sql):
    return sql(f"SELECT count(*) FROM control.device_grants WHERE tenant_id = '{provided.id}' AND state = 'pending'") == "1"


# ---- how it is sent -----------------------------------------------------------------------------------------------------


def safe(page):
    """Nothing that runs, loads or goes elsewhere, whatever is on the page."""
    headers = page.answer.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'" and re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert "script-src" not in policy
    assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Set-Cookie" not in headers and "Access-Control-Allow-Origin" not in headers
    assert not set(page.tags) & {"script", "iframe", "img", "link", "object", "embed", "base"}
    assert not [name for name in page.attributes if name.startswith("on") or name in ("src", "style", "autofocus")]
    assert set(page.links) <= {"/device"}


def test_every_answer_is_safe(provided, client, browser, code, sql):
    ann = provided.user("ann")
    pages = [
        browser.open(),
        browser.open("?user_code=" + code),
        browser.send(user_code="nonsense"),
        browser.enter("BBBB-BBBB"),
        browser.enter(code),
        browser.send(email=ann.email, password="wrong", decision="approve"),
        browser.send(email="", password="", decision="approve"),
        browser.send(email=ann.email, password=PASSWORD, decision="nothing"),
        browser.send(headers={"Origin": "https://evil.example"}, decision="deny"),
    ]
    browser.enter(code)
    pages += [browser.send(email=ann.email, password=PASSWORD, decision="approve")]
    pages += [Page(post(client, "/device", b"form=%zz")), Page(client.post("/device", b"{}", headers={"Content-Type": "application/json"}))]
    assert [page.status for page in pages] == [200, 200, 400, 400, 200, 403, 400, 400, 403, 200, 400, 415]
    for page in pages:
        safe(page)
        # Of use to those who hear it, too.
        assert page.answer.body.decode().count("<h1>") == 1 and '<html lang="en">' in page.answer.body.decode()


def test_the_style_is_the_one_that_is_allowed(browser):
    answer = browser.open().answer
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "url(" not in style and "@import" not in style


def test_fields_have_labels(browser, code):
    for page in (browser.open(), browser.enter(code)):
        text = page.answer.body.decode()
        for name in re.findall(r'<input (?:class="code" )?id="(\w+)"', text):
            assert f'<label for="{name}">' in text


# ---- the code -----------------------------------------------------------------------------------------------------------


def test_a_link_fills_in_and_sends_nothing(provided, browser, code, sql):
    page = browser.open("?user_code=" + code)
    assert page.fields["user_code"] == code and "script" not in page.tags
    assert "email" not in page.fields and provided.slug not in page.text
    assert pending(provided, sql)
    for wrong in ("?user_code=" + "x" * 100, "?user_code=%3Cscript%3E", "?user_code=", "?other=1"):
        assert browser.open(wrong).fields["user_code"] == ""


@pytest.mark.parametrize(
    "change",
    [str.lower, str.upper, lambda c: c.replace("-", ""), lambda c: " ".join(c), lambda c: f"--{c.lower()}  ", lambda c: c.replace("-", " - ")],
)
def test_case_and_dashes_do_not_matter(browser, code, change):
    page = browser.enter(change(code))
    assert page.status == 200 and code in page.text


@pytest.mark.parametrize("typed", ["", "BBBB", "BBBB-BBBBB", "AAAA-AAAA", "BBBB_BBBB", "1234-5678", "ßBBB-BBBB", "BBBB-BBB'", "x" * 5000])
def test_what_is_no_code(browser, typed):
    page = browser.enter(typed)
    assert page.status == 400 and "eight letters" in page.alert


def test_a_decided_code_is_none(provided, browser, code):
    browser.decide(code, decision="deny")
    page = browser.enter(code)
    assert page.status == 400 and "Nobody waits" in page.alert and provided.slug not in page.text


def test_a_suspended_tenants_code_is_none(provided, browser, code):
    provided.operator.must("PATCH", provided.path, {"suspended": True}, headers=ANY)
    assert browser.enter(code).status == 400


def test_guessing_codes_is_held_back(provided, browser, code, sql):
    for number in range(10):
        assert browser.enter("BBBB-BBB" + "BCDFGHJKLM"[number]).status == 400, number
    page = browser.enter(code)  # the right one has to wait, too
    assert page.status == 429 and int(page.answer.headers["Retry-After"]) >= 1
    safe(page)
    assert provided.slug not in page.text
    # Going on makes it longer, and the database's clock is what counts.
    waits = []
    for _ in range(3):
        sql("UPDATE control.sign_in_delays SET not_before = now() - interval '1 second'")
        assert browser.enter("BBBB-BBBB").status == 400
        waits.append(int(browser.enter(code).answer.headers["Retry-After"]))
    assert waits[0] < waits[1] < waits[2]
    sql("UPDATE control.sign_in_delays SET not_before = now() - interval '1 second'")
    assert browser.enter(code).status == 200
    # What is not even of the form asks nobody, and is no guess.
    sql("DELETE FROM control.sign_in_delays")
    for _ in range(30):
        assert browser.enter("AAAA-AAAA").status == 400
    assert browser.enter(code).status == 200


def test_all_guesses_together_are_held_back(new_control, cluster):
    """From however many sources; but whoever has not guessed before is let in: else a few hundred addresses, which one
    line at home may have, keep everybody out."""
    control = new_control("guess", cluster, tls=False, database="guess", settings="trusted_proxies: [127.0.0.0/8]\nlimits:\n  per_source: 100000\n")
    control.init()
    server = control.serve()
    operator = server.client
    operator.token = operator.sign_in(control.OPERATOR, control.PASSWORD)
    tenant = Tenant(operator, "guess")
    operator.must("POST", f"{tenant.path}/identity-providers", {"kind": "tenantd"})
    code = begin(server.client, tenant).json["user_code"]
    browser = Browser(control, server.client)
    browser.open()
    letters, statuses = "BCDFGHJKLMNPQRSTVWXZ", []

    def enter(code, source):
        fields = {"form": browser.page.fields["form"], "user_code": code}
        return post(browser.client, "/device", fields, **{"X-Forwarded-For": source}).status

    for number in range(1000):
        guess = "BBBBB" + letters[number // 400] + letters[number // 20 % 20] + letters[number % 20]
        statuses.append(enter(guess, f"10.1.1.{number % 200}"))
    assert set(statuses[:600]) == {400}  # three each
    assert statuses[600:].count(429) > 150
    # Those have no better luck with a right one now; it is not taken as a wrong one of theirs.
    assert enter(code, "10.1.1.1") == 429
    assert enter("BBBB-BBBB", "10.9.9.9") == 400
    assert enter(code, "10.9.9.9") == 200


# ---- forms --------------------------------------------------------------------------------------------------------------


def test_forms_are_our_own(provided, browser, code, sql, control, cluster, new_control):
    ann = provided.user("ann")
    decision = dict(browser.enter(code).fields)
    first = dict(browser.open().fields)
    typed = {"email": ann.email, "password": PASSWORD, "decision": "approve", "user_code": code}

    def send(form, headers=None):
        told = {"Origin": control.url, **(headers or {})}
        return Page(post(browser.client, "/device", {**typed, "form": form}, **{k: v for k, v in told.items() if v}))

    good = decision["form"]
    wrong = ["", "x", good[:-1], good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), good + "A", good[::-1], "A" * 5000, "é"]
    for form in wrong:
        page = send(form)
        assert page.status == 400 and "not one of ours" in page.alert, form
    # The first step's form does not do for the second: it only leads there.
    page = send(first["form"])
    assert page.status == 200 and "Approve this sign-in?" in page.text
    assert pending(provided, sql)
    # Another control plane's.
    other = new_control("other", cluster, tls=False, database="other")
    other.init()
    theirs = Browser(other, other.serve().client).open().fields["form"]
    assert send(theirs).status == 400
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": control.url + ".evil.example"},
        {"Origin": control.url.replace("https", "http")}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ):  # fmt: skip
        page = send(good, headers)
        assert page.status == 403 and pending(provided, sql), headers
    assert send(good, {"Origin": None}).status == 200
    assert not pending(provided, sql)


def test_an_origin_has_no_usual_port(new_control, cluster):
    """Browsers leave it out, whatever the configuration says; else nobody could approve anything."""
    control = new_control("usual", cluster, database="usual", settings="limits:\n  per_source: 100000\n")
    control.url = "https://localhost:443"
    control.write_config()
    control.init()
    browser = Browser(control, control.serve().client)
    for origin, status in (("https://localhost", 400), ("https://localhost:4430", 403), ("https://localhost:44", 403),
                           ("http://localhost", 403), ("https://localhos", 403), ("", 403), ("null", 403)):  # fmt: skip
        browser.open()
        assert browser.send(headers={"Origin": origin}, user_code="BBBB-BBBB").status == status, origin


def test_a_form_speaks_of_one_code(provided, client, browser, sql, server):
    """Whatever code stands beside it."""
    ann = provided.user("ann")
    mine, other = begin(client, provided).json, begin(client, provided).json
    browser.enter(mine["user_code"])
    assert "Approved" in browser.send(email=ann.email, password=PASSWORD, decision="approve", user_code=other["user_code"]).text
    sql("UPDATE control.device_grants SET polled_at = NULL")
    assert poll(client, provided, mine["device_code"]).status == 200
    assert poll(client, provided, other["device_code"]).json["error"] == "authorization_pending"


def test_a_used_form_decides_nothing(provided, browser, code, client):
    ann = provided.user("ann")
    browser.enter(code)
    used = dict(browser.page.fields)
    browser.send(decision="deny")
    typed = {**used, "email": ann.email, "password": PASSWORD, "decision": "approve"}
    assert post(browser.client, "/device", typed).status == 409
    # Nor for another sign-in that waits meanwhile.
    begin(client, provided)
    assert post(browser.client, "/device", typed).status == 409


def test_a_form_field_twice_is_refused(browser, code):
    browser.enter(code)
    form = browser.page.fields["form"]
    for pairs in ([("form", form), ("form", form)], [("form", form), ("decision", "deny"), ("decision", "approve")]):
        assert post(browser.client, "/device", encode(pairs)).status == 400


# ---- who approves -------------------------------------------------------------------------------------------------------


def test_one_answer_for_whatever_is_wrong(provided, browser, code, new_tenant, sql):
    ann, sue, other = provided.user("ann"), provided.user("sue"), new_tenant(f"{provided.slug}-b")
    bob = other.user("bob")
    provided.operator.must("POST", f"{provided.path}/users/{sue.id}/suspend", {})
    provided.operator.must("POST", f"{provided.path}/users", {"login": "nopass", "email": "nopass@x.example"})
    provided.operator.must("POST", f"{provided.path}/users", {"login": "robot", "kind": "service", "email": "robot@x.example"})
    alerts = set()
    for email, password in [
        (ann.email, "wrong"), (ann.email, PASSWORD + " "), ("nobody@x.example", PASSWORD), (sue.email, PASSWORD),
        (bob.email, PASSWORD), ("nopass@x.example", PASSWORD), ("robot@x.example", PASSWORD), ("root@example.org", "correct horse battery staple 7"),
        ("%", PASSWORD), ("' OR true --", PASSWORD), (ann.login, PASSWORD),
    ]:  # fmt: skip
        sql("DELETE FROM control.sign_in_delays")
        page = browser.decide(code, email, password)
        assert page.status == 403, (email, page.answer)
        alerts.add(page.alert)
        assert page.fields["email"] == email and page.fields["password"] == ""
        assert PASSWORD not in page.answer.body.decode() and pending(provided, sql)
    assert len(alerts) == 1
    # Right after that it is still the same sign-in, with the form that is there.
    sql("DELETE FROM control.sign_in_delays")
    assert "Approved" in browser.send(email=ann.email, password=PASSWORD, decision="approve").text


def test_passwords_wait_as_at_sign_in(provided, browser, code, client, sql):
    """The same count, whichever way somebody guesses."""
    ann = provided.user("ann")
    browser.decide(code, ann.email, "wrong")
    assert browser.send(email=ann.email, password="wrong", decision="approve").status == 403
    body = {"tenant": provided.slug, "email": ann.email, "password": "wrong"}
    assert client.post("/v1/sign-in", body).status == 401
    page = browser.send(email=ann.email, password=PASSWORD, decision="approve")
    assert page.status == 429 and int(page.answer.headers["Retry-After"]) >= 1 and pending(provided, sql)
    safe(page)
    assert client.post("/v1/sign-in", {**body, "password": PASSWORD}).status == 429
    events = [event["kind"] for event in provided.operator.must("GET", f"{provided.path}/events")["items"]]
    assert "device.approve" not in events


def test_only_from_where_the_tenant_allows(provided, browser, code, sql):
    ann = provided.user("ann")
    provided.operator.must("PATCH", provided.path, {"allow_from": ["192.0.2.0/24"]}, headers=ANY)
    page = browser.decide(code, ann.email, PASSWORD)
    assert page.status == 403 and "address" in page.text and pending(provided, sql)
    failed = provided.operator.must("GET", f"{provided.path}/events?kind=device.approve")["items"]
    assert failed[0]["outcome"] == "failure" and failed[0]["data"] == {"reason": "source"}
    provided.operator.must("PATCH", provided.path, {"allow_from": ["127.0.0.0/8"]}, headers=ANY)
    assert "Approved" in browser.decide(code, ann.email, PASSWORD).text


def test_whoever_is_first_decides(provided, control, server, code):
    ann, bob = provided.user("ann"), provided.user("bob")
    browsers = [Browser(control, server.client) for _ in range(3)]
    for one in browsers:
        one.enter(code)
    assert "Approved" in browsers[0].send(email=ann.email, password=PASSWORD, decision="approve").text
    for typed in ({"email": bob.email, "password": PASSWORD, "decision": "approve"}, {"decision": "deny"}):
        page = browsers[1].send(**typed)
        assert page.status == 409 and "over" in page.text
        browsers[1].page = browsers[2].page


# ---- what is shown ------------------------------------------------------------------------------------------------------


def test_everything_is_escaped(provided, browser, code, sql):
    ann = provided.user("ann")
    name = "Ännchen & <b>Söhne</b> \"'`"
    provided.operator.must("PATCH", provided.path, {"name": name}, headers=ANY)
    page = browser.enter(code)
    assert name in page.text and "b" not in page.tags
    # What no API lets in, and stands in the database all the same.
    sql(f"UPDATE control.device_grants SET source = $x${HOSTILE}$x$, host = $x${HOSTILE}$x$ WHERE tenant_id = '{provided.id}'")
    page = browser.send(email=HOSTILE, password="x", decision="approve")
    safe(page)
    assert page.text.count(HOSTILE) == 2 and page.fields["email"] == HOSTILE
    for typed in (HOSTILE[:24], "\"><script>", "'--"):
        page = browser.enter(typed)
        safe(page)
        assert page.status == 400 and page.fields["user_code"] == typed
    # Control characters are in no form.
    browser.open()
    assert post(browser.client, "/device", b"form=a&user_code=a%1b%5b2J").status == 400
    assert ann.email not in page.text


def test_what_is_approved_is_said(provided, browser, code):
    page = browser.enter(code)
    for part in (f"Tenant {provided.slug}", "127.0.0.1", "ago", code, "Approve only if you started it yourself"):
        assert part in page.text, part
    assert page.buttons == [("decision", "approve"), ("decision", "deny")]


def test_no_secret_reaches_the_log(provided, browser, code, server):
    ann = provided.user("ann")
    browser.decide(code, ann.email, "planted-secret-71ab")
    browser.open("?user_code=" + code)
    log = server.log()
    assert "planted-secret-71ab" not in log and code not in log and code.replace("-", "") not in log


def test_other_methods_and_paths(client):
    assert client.put("/device", {}).status == 405
    assert client.get("/device/").status in (400, 404)
    assert client.get("/oauth2/token").status == 405 and client.get("/oauth2/device_authorization").status == 405
