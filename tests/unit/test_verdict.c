/* SPDX-License-Identifier: MIT
 *
 * What the directory says about sessions that are open: by state, so each case is one picture and one session.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "directory_fixture.h"
#include "login/sso.h"
#include "picture_feed.h"
#include "reaper/verdict.h"

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define ALICE 1879048210U
#define OLGA 1879048211U
#define KEY "key_0123456789abcdef"

static const char yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_acme, slug: acme, gid: 1879048192, ids: {first: 1879048192, count: 65536, next: 1879048300}}\n"
	"  - {id: ten_beta, slug: beta, gid: 1879113728, ids: {first: 1879113728, count: 65536, next: 1879113828}}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1879048193}\n"
	"  - {id: prj_speech, tenant: ten_acme, slug: speech, gid: 1879048197}\n"
	"users:\n"
	"  - id: usr_alice\n"
	"    tenant: ten_acme\n"
	"    login: alice\n"
	"    uid: 1879048210\n"
	"    ssh_keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs\"]\n"
	"    identities: [{issuer: https://login.acme.example, subject: a1}]\n"
	"    status: active\n"
	"  - {id: usr_olga, tenant: ten_acme, login: olga, uid: 1879048211, kind: operator}\n"
	"members:\n"
	"  - {user: usr_alice, project: prj_vision, role: owner}\n"
	"  - {user: usr_alice, project: prj_speech, role: editor}\n"
	"  - {user: usr_olga, project: prj_vision, role: viewer}\n"
	"keys:\n"
	"  - id: key_0123456789abcdef\n"
	"    user: usr_alice\n"
	"    verifier: \"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
	"    not_after: 2027-06-01\n"
	"hosts:\n"
	"  - name: gpu-*\n"
	"    serves:\n"
	"      - {project: prj_vision, login: [owner, editor]}\n"
	"      - {project: prj_speech, login: [owner, editor]}\n"
	"providers:\n"
	"  - {id: idp_staff, tenant: ten_acme, kind: oidc, name: Staff, issuer: https://login.acme.example, client_id: "
	"c, "
	"token_audience: hosts}\n"
	"grants:\n"
	"  - {id: grt_a, tenant: ten_acme, user: usr_olga, operator_name: olga@p.example, reason: ticket, not_before: "
	"2027-01-15T07:00:00Z, not_after: 2027-01-15T09:00:00Z}\n";

/* A session of alice's, as the table has it; the fields may be replaced. */
static char alice_id[] = "usr_alice", alice_login[] = "alice", acme[] = "acme", vision[] = "vision", owner[] = "owner",
	    sshd[] = "sshd", acme_id[] = "ten_acme", vision_id[] = "prj_vision", none[] = "none", empty[] = "",
	    by_key[] = "api-key:" KEY, olga_id[] = "usr_olga", grant_a[] = "grt_a";

static struct session session_by(char *credential)
{
	return (struct session){
		.id = "0123456789abcdef",
		.user_id = alice_id,
		.login = alice_login,
		.tenant = acme,
		.project = vision,
		.role = owner,
		.service = sshd,
		.source = empty,
		.terminal = empty,
		.credential = credential,
		.tenant_id = acme_id,
		.project_id = vision_id,
		.provider = empty,
		.grant_id = empty,
		.operator= empty,
		.uid = ALICE,
		.leader = 1,
		.opened = NOW - 600,
		.sign_in = {.at = 1},
	};
}

static struct session operator_session(void)
{
	struct session session = session_by(none);

	session.user_id = olga_id;
	session.grant_id = grant_a;
	session.uid = OLGA;
	return session;
}

static struct verdict_world world_of(const struct directory *d)
{
	return (struct verdict_world){.directory = d, .host_id = "", .now = NOW};
}

/* The cause that the sample gives with one piece of it replaced. */
static enum end_cause cause_with(const struct session *session, const char *from, const char *to)
{
	_cleanup_(freep) char *text = from ? replaced(yaml, from, to) : strdup(yaml);
	struct directory *d = build_text(text);
	const struct verdict_world world = world_of(d);
	const struct verdict verdict = verdict_session(&world, session);

	assert_non_null(verdict.detail);
	assert_false(verdict.unknown && verdict.cause != END_NONE);
	directory_unref(d);
	return verdict.cause;
}

static const char member_vision[] = "  - {user: usr_alice, project: prj_vision, role: owner}\n",
		  member_speech[] = "  - {user: usr_alice, project: prj_speech, role: editor}\n";

/* ---- the person ---------------------------------------------------------------------------------------------- */

static void what_stands_goes_on(void **state)
{
	struct session session = session_by(by_key);

	(void)state;
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
	session = operator_session();
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
}

static void what_changes_about_the_person_ends_it(void **state)
{
	static const struct {
		const char *from, *to;
		enum end_cause cause;
	} cases[] = {
		{"    status: active\n", "    status: suspended\n    status_reason: left\n", END_USER_SUSPENDED},
		{"slug: acme, ", "slug: acme, status: suspended, ", END_TENANT_SUSPENDED},
		{"    uid: 1879048210\n", "    uid: 1879048220\n", END_USER_REMOVED},
		{"    status: active\n", "    sessions_valid_from: 2027-01-15T07:59:00Z\n", END_SIGN_INS_ENDED},
		{"name: gpu-*", "name: cpu-*", END_ROLE_LOST},
		{"prj_vision, login: [owner, editor]", "prj_vision, login: [editor]", END_PROJECT_LOST},
		{"slug: acme, ", "slug: ac-me, ", END_NONE}, /* names carry no right, and take none away */
		{"login: alice\n", "login: alicia\n", END_NONE},
	};
	const struct session session = session_by(by_key);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum end_cause cause = cause_with(&session, cases[i].from, cases[i].to);

		if (cause != cases[i].cause)
			fail_msg("%s: %s", cases[i].to, end_cause_word(cause));
	}
}

static void a_suspension_s_reason_is_told(void **state)
{
	_cleanup_(freep) char *text =
		replaced(yaml, "status: active\n", "status: suspended\n    status_reason: left\n");
	struct directory *d = build_text(text);
	const struct verdict_world world = world_of(d);
	const struct session session = session_by(by_key);

	(void)state;
	assert_string_equal(verdict_session(&world, &session).detail, "left");
	directory_unref(d);
}

static void one_project_lost_or_the_last_one(void **state)
{
	_cleanup_(freep) char *without = replaced(yaml, member_vision, "");
	_cleanup_(freep) char *without_both = replaced(without, member_speech, "");
	struct session session = session_by(by_key);
	struct directory *d = build_text(without);
	struct verdict_world world = world_of(d);

	(void)state;
	assert_int_equal(verdict_session(&world, &session).cause, END_PROJECT_LOST);
	session.project_id = (char *)(uintptr_t) "prj_speech";
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	/* What an older agent opened has names alone. */
	session.project_id = empty;
	assert_int_equal(verdict_session(&world, &session).cause, END_PROJECT_LOST);
	session.tenant_id = empty;
	assert_int_equal(verdict_session(&world, &session).cause, END_PROJECT_LOST);
	session.project = empty; /* in none: any will do */
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	directory_unref(d);
	d = build_text(without_both);
	world = world_of(d);
	session = session_by(by_key);
	assert_int_equal(verdict_session(&world, &session).cause, END_ROLE_LOST);
	assert_int_equal(verdict_user(&world, ALICE).cause, END_ROLE_LOST);
	directory_unref(d);
}

static void hours_and_networks_are_about_coming_in(void **state)
{
	const struct session session = session_by(by_key);

	(void)state;
	assert_int_equal(cause_with(&session, "slug: acme, ", "slug: acme, allow_from: [192.0.2.0/24], "), END_NONE);
	assert_int_equal(
		cause_with(&session, "slug: acme, ", "slug: acme, policy: {login_hours: [\"sat 01:00-02:00\"]}, "),
		END_NONE);
	assert_int_equal(cause_with(&session, "prj_vision, login: [owner, editor]",
				    "prj_vision, login: [owner, editor], services: [cron]"),
			 END_NONE);
}

static void sign_ins_end_by_the_picture_s_number_and_not_by_a_clock(void **state)
{
	static const char moved[] = "    sessions_valid_from: 2027-01-15T08:00:00Z\n"; /* NOW */
	struct session session = session_by(by_key);

	(void)state;
	/* The host's clock is behind: it opened after that, by the number that it saw. */
	session.sign_in.valid_from = NOW;
	session.opened = NOW - 100;
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_NONE);
	session.sign_in.valid_from = NOW - 1;
	session.opened = NOW + 100; /* or ahead */
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_SIGN_INS_ENDED);
	/* Nor where it began without a proof (cron, a service): it may be of the very second in which they were ended.
	 */
	session.sign_in.at = 0;
	session.valid_from = NOW;
	session.opened = NOW - 1;
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_NONE);
	session.valid_from = NOW - 1;
	session.opened = NOW + 100;
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_SIGN_INS_ENDED);
	/* Where nobody wrote the number down, the clock has to do. */
	session.valid_from = -1;
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_NONE);
	session.opened = NOW - 1;
	assert_int_equal(cause_with(&session, "    status: active\n", moved), END_SIGN_INS_ENDED);
}

static void an_operator_is_here_by_a_grant(void **state)
{
	static const char line[] = "grants:\n";
	_cleanup_(freep) char *without = strdup(yaml);
	struct session session = operator_session();
	struct directory *d = build_text(yaml);
	struct verdict_world world = world_of(d);

	(void)state;
	*strstr(without, line) = '\0';
	world.now = NOW + 3599;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	assert_int_equal(verdict_user(&world, OLGA).cause, END_NONE);
	world.now = NOW + 3600; /* not_after is the first moment without */
	assert_int_equal(verdict_session(&world, &session).cause, END_GRANT_ENDED);
	assert_int_equal(verdict_user(&world, OLGA).cause, END_GRANT_ENDED);
	world.now = NOW - 3601;
	assert_int_equal(verdict_user(&world, OLGA).cause, END_GRANT_ENDED);
	world.now = NOW;
	/* Another grant than it was opened by: what its events say holds no more. */
	session.grant_id = (char *)(uintptr_t) "grt_old";
	assert_int_equal(verdict_session(&world, &session).cause, END_GRANT_ENDED);
	assert_int_equal(verdict_user(&world, OLGA).cause, END_NONE);
	directory_unref(d);
	d = build_text(without);
	world = world_of(d);
	session = operator_session();
	assert_int_equal(verdict_session(&world, &session).cause, END_GRANT_ENDED);
	directory_unref(d);
}

/* ---- the credential -------------------------------------------------------------------------------------------- */

static void a_key_that_is_taken_away_ends_its_sessions(void **state)
{
	static char other[] = "api-key:key_00000000000000ff", code[] = "code:abc",
		    ssh[] = "ssh-key:SHA256:nobody/knows/this/one", unreadable[] = "ssh-key:unreadable";
	static const char not_after[] = "    not_after: 2027-06-01\n";
	static const char revoked[] = "    revoked: {at: 2027-01-15T07:00:00Z, reason: lost}\n";
	struct session session = session_by(by_key);

	(void)state;
	assert_int_equal(cause_with(&session, not_after, revoked), END_KEY_REVOKED);
	/* That its time is over is the limits' matter. */
	assert_int_equal(cause_with(&session, "not_after: 2027-06-01", "not_after: 2027-01-01"), END_NONE);
	session.credential = other;
	assert_int_equal(cause_with(&session, NULL, NULL), END_KEY_REVOKED);
	/* A code goes on as what it came from, and where that was nothing, as nothing. */
	session.credential = code;
	assert_int_equal(cause_with(&session, not_after, revoked), END_NONE);
	(void)snprintf(session.sign_in.credential, sizeof(session.sign_in.credential), "%s", by_key);
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
	assert_int_equal(cause_with(&session, not_after, revoked), END_KEY_REVOKED);
	session.credential = ssh;
	assert_int_equal(cause_with(&session, NULL, NULL), END_KEY_REVOKED);
	session.credential = unreadable;
	assert_int_equal(cause_with(&session, NULL, NULL), END_KEY_REVOKED);
	assert_int_equal(cause_with(&session, "slug: acme, ", "slug: acme, policy: {ssh_keys: any}, "), END_NONE);
	session.credential = none;
	assert_int_equal(cause_with(&session, not_after, revoked), END_NONE);
}

static void sudo_s_and_a_service_manager_s_are_others(void **state)
{
	static char sudo[] = "sudo", manager[] = "systemd-user", su[] = "su", others[] = "api-key:key_00000000000000ff";
	struct session session = session_by(others);

	(void)state;
	session.service = sudo;
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
	session.service = manager;
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
	session.service = su; /* there it was the target's own */
	assert_int_equal(cause_with(&session, NULL, NULL), END_KEY_REVOKED);
	session = session_by(none);
	session.service = su; /* and in no project of theirs */
	assert_int_equal(cause_with(&session, member_vision, ""), END_NONE);
	assert_int_equal(cause_with(&session, "    status: active\n", "    status: suspended\n"), END_USER_SUSPENDED);
}

static const char *remembers_nobody(void *context, const char *user_id, const char *issuer)
{
	return NULL;
}

static void a_provider_that_is_taken_away_ends_what_it_opened(void **state)
{
	static char sso[] = "sso:idp_staff", gone[] = "sso:idp_gone", token[] = "token:jti-1", staff[] = "idp_staff",
		    idp_gone[] = "idp_gone";
	static const struct login_sso hooks = {.remembered = remembers_nobody};
	_cleanup_(freep) char *unbound =
		replaced(yaml, "    identities: [{issuer: https://login.acme.example, subject: a1}]\n", "");
	struct session session = session_by(sso);
	struct login_book *book = NULL;
	struct audit *audit = NULL;
	struct directory *d = build_text(unbound), *full = build_text(yaml);
	struct verdict_world world = world_of(d);

	(void)state;
	assert_result(audit_create("gpu-1", &audit), 0);
	assert_result(login_book_create(audit, &book), 0);
	/* Single sign-on is off here, so whom a first sign-in bound nobody remembers. */
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	world.book = book;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	login_book_set_sso(book, &hooks);
	assert_int_equal(verdict_session(&world, &session).cause, END_IDENTITY_REMOVED);
	session.credential = token;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE); /* the control plane's own */
	session.provider = staff;
	assert_int_equal(verdict_session(&world, &session).cause, END_IDENTITY_REMOVED);
	world.directory = full;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	session.provider = idp_gone;
	assert_int_equal(verdict_session(&world, &session).cause, END_TOKEN_REVOKED);
	world.book = NULL;
	assert_int_equal(verdict_session(&world, &session).cause, END_TOKEN_REVOKED);
	session = session_by(gone);
	assert_int_equal(verdict_session(&world, &session).cause, END_IDENTITY_REMOVED);
	directory_unref(d);
	directory_unref(full);
	login_book_destroy(book);
	audit_destroy(audit);
}

/* ---- feeds: orders, and who is missing ------------------------------------------------------------------------------
 */

static struct directory *with_feed(const char *lines)
{
	struct feed_picture *feed = feed_of("ten_f", "fern", 9, "fred frida");
	struct unit *const *units = NULL;
	struct problem problem = {0};
	struct directory *files = build_text(yaml), *d = NULL;
	uint32_t count = 0;

	assert_result(
		feed_lines(feed, false,
			   "put host hst_1 1 {\"name\":\"gpu-1\",\"serves\":[{\"project\":\"prj_fern\",\"login\":["
			   "\"editor\"]}]}\n",
			   &problem),
		0);
	if (*lines && feed_lines(feed, false, lines, &problem) != 0)
		fail_msg("%s", problem.text);
	feed_picture_units(feed, &units, &count);
	assert_result(directory_join(files, units, count, "gpu-1", NULL, &d, NULL, &problem), 0);
	directory_unref(files);
	feed_picture_free(feed);
	return d;
}

static char fred[] = "usr_fern_fred", fern_id[] = "ten_f", fern[] = "fern", prj_fern[] = "prj_fern", mainp[] = "main";

static struct session feed_session(void)
{
	struct session session = session_by(none);

	session.user_id = fred;
	session.tenant_id = fern_id;
	session.tenant = fern;
	session.project_id = prj_fern;
	session.project = mainp;
	session.uid = FEED_BLOCK(9) + 10;
	session.orders_known = 1790000000;
	return session;
}

static enum end_cause cause_of_order(const char *lines, const char *host_id)
{
	struct directory *d = with_feed(lines);
	struct verdict_world world = world_of(d);
	const struct session session = feed_session();
	enum end_cause cause;

	world.host_id = host_id;
	cause = verdict_session(&world, &session).cause;
	directory_unref(d);
	return cause;
}

static void orders_end_what_they_name(void **state)
{
	static const struct {
		const char *line;
		enum end_cause cause;
	} cases[] = {
		{"", END_NONE},
		{"revoke revocation 0123456789abcdef 1 {\"of\":\"session\",\"at\":1}\n", END_ORDERED},
		{"revoke revocation 0123456789abcdee 1 {\"of\":\"session\",\"at\":1}\n", END_NONE},
		{"revoke revocation 0123456789abcdef 1 {\"of\":\"token\",\"at\":1}\n", END_NONE},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001}\n", END_ORDERED},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000000}\n", END_NONE}, /* known before */
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"user\":\"usr_fern_fred\"}\n",
		 END_ORDERED},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"user\":\"usr_fern_frida\"}\n",
		 END_NONE},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"project\":\"prj_fern\"}\n",
		 END_ORDERED},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"project\":\"prj_else\"}\n",
		 END_NONE},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"host\":\"hst_9\"}\n", END_ORDERED},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"host\":\"hst_8\"}\n", END_NONE},
		{"revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"host\":\"hst_9\",\"user\":"
		 "\"usr_fern_frida\"}\n",
		 END_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum end_cause cause = cause_of_order(cases[i].line, "hst_9");

		if (cause != cases[i].cause)
			fail_msg("%s: %s", cases[i].line, end_cause_word(cause));
	}
	/* A host without an id is no host that an order names. */
	assert_int_equal(
		cause_of_order("revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001,\"host\":\"hst_9\"}\n",
			       ""),
		END_NONE);
}

static void an_order_names_no_service_manager_but_by_its_id(void **state)
{
	static char manager[] = "systemd-user", sudo[] = "sudo", su[] = "su-l";
	struct directory *d = with_feed("revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001}\n");
	struct directory *by_id = with_feed("revoke revocation 0123456789abcdef 1 {\"of\":\"session\",\"at\":1}\n");
	struct verdict_world world = world_of(d);
	struct session session = feed_session();

	(void)state;
	session.service = manager;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	session.service = sudo;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	world.directory = by_id;
	assert_int_equal(verdict_session(&world, &session).cause, END_ORDERED);
	/* What somebody became by su in a session of another's would outlive the end of all that is theirs. */
	world.directory = d;
	session.service = su;
	assert_int_equal(verdict_session(&world, &session).cause, END_ORDERED);
	directory_unref(d);
	directory_unref(by_id);
}

/* Another tenant's feed has no say in these people's sessions. */
static void an_order_reaches_its_own_tenant_alone(void **state)
{
	struct directory *d = with_feed("revoke revocation rvk_1 1 {\"of\":\"sessions\",\"at\":1790000001}\n"
					"revoke revocation 0123456789abcdef 1 {\"of\":\"session\",\"at\":1}\n");
	const struct verdict_world world = world_of(d);
	const struct session session = session_by(by_key);

	(void)state;
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	directory_unref(d);
}

static const char *pending;
static bool is_pending(void *context, const char *tenant_id)
{
	return pending && (!*tenant_id || text_equal(pending, tenant_id));
}

static void a_tenant_that_is_gone_or_only_not_here_yet(void **state)
{
	struct directory *d = build_text(yaml);
	struct verdict_world world = world_of(d);
	struct session session = feed_session();
	struct verdict verdict;

	(void)state;
	world.tenant_pending = is_pending;
	pending = NULL;
	assert_int_equal(verdict_session(&world, &session).cause, END_TENANT_GONE);
	assert_int_equal(verdict_user(&world, session.uid).cause, END_USER_REMOVED);
	world.host_disabled = true;
	assert_int_equal(verdict_session(&world, &session).cause, END_HOST_DISABLED);
	assert_int_equal(verdict_user(&world, session.uid).cause, END_HOST_DISABLED);
	world.host_disabled = false;
	pending = "ten_other";
	assert_int_equal(verdict_session(&world, &session).cause, END_TENANT_GONE);
	/* Whose uid it was nobody can say while anything is missing. */
	verdict = verdict_user(&world, session.uid);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	pending = "ten_f";
	verdict = verdict_session(&world, &session);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	world.host_disabled = true;
	verdict = verdict_session(&world, &session);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	world.host_disabled = false;
	/* An older agent's, of whose tenant nobody knows the id. */
	session.tenant_id = empty;
	verdict = verdict_session(&world, &session);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	pending = NULL;
	assert_int_equal(verdict_session(&world, &session).cause, END_TENANT_GONE);
	/* What is there is judged, whatever else is missing. */
	pending = "ten_acme";
	session = session_by(by_key);
	assert_int_equal(cause_with(&session, NULL, NULL), END_NONE);
	pending = NULL;
	directory_unref(d);
}

static void a_disabled_host_ends_what_feeds_brought_and_not_the_files_people(void **state)
{
	struct directory *d = with_feed("");
	struct verdict_world world = world_of(d);
	const struct session of_feed = feed_session(), of_file = session_by(by_key);

	(void)state;
	assert_int_equal(verdict_session(&world, &of_feed).cause, END_NONE);
	world.host_disabled = true;
	assert_int_equal(verdict_session(&world, &of_feed).cause, END_HOST_DISABLED);
	assert_int_equal(verdict_user(&world, of_feed.uid).cause, END_HOST_DISABLED);
	assert_int_equal(verdict_session(&world, &of_file).cause, END_NONE);
	assert_int_equal(verdict_user(&world, ALICE).cause, END_NONE);
	directory_unref(d);
}

/* Two sources claim a login: neither is served, and nobody's session ends by it. */
static void what_two_sources_claim_ends_nothing(void **state)
{
	struct feed_picture *feed = feed_of("ten_f", "fern", 9, "alice");
	struct unit *const *units = NULL;
	struct directory *files = build_text(yaml), *d = NULL;
	struct session session = session_by(by_key);
	struct problem problem = {0};
	struct verdict_world world;
	struct verdict verdict;
	uint32_t count = 0;

	(void)state;
	feed_picture_units(feed, &units, &count);
	assert_result(directory_join(files, units, count, "gpu-1", NULL, &d, NULL, &problem), 0);
	assert_null(directory_user(d, "usr_alice"));
	world = world_of(d);
	verdict = verdict_session(&world, &session);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	verdict = verdict_user(&world, ALICE);
	assert_true(verdict.cause == END_NONE && verdict.unknown);
	/* But a feed that claims what is another's does not keep alive whom that one removed. */
	verdict = verdict_user(&world, ALICE + 50);
	assert_true(verdict.cause == END_USER_REMOVED && !verdict.unknown);
	directory_unref(d);
	directory_unref(files);
	feed_picture_free(feed);
}

static void without_a_picture_nobody_knows(void **state)
{
	const struct verdict_world world = {.host_id = "", .now = NOW, .host_disabled = true};
	const struct session session = session_by(by_key);

	(void)state;
	assert_true(verdict_session(&world, &session).unknown);
	assert_int_equal(verdict_session(&world, &session).cause, END_NONE);
	assert_true(verdict_user(&world, ALICE).unknown);
}

static void uids_of_others_are_never_judged(void **state)
{
	static const uint32_t uids[] = {0,
					1,
					1000,
					65534,
					MANAGED_ID_FIRST - 1,
					HOST_USERS_GID,
					HOST_SUDO_GID,
					MANAGED_ID_TENANT_LAST + 1,
					UINT32_MAX,
					UINT32_MAX - 1};
	struct directory *d = build_text(yaml);
	const struct verdict_world world = world_of(d);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		assert_int_equal(verdict_user(&world, uids[i]).cause, END_NONE);
	assert_int_equal(verdict_user(&world, MANAGED_ID_TENANT_LAST).cause, END_USER_REMOVED);
	assert_int_equal(verdict_user(&world, ALICE).cause, END_NONE);
	directory_unref(d);
}

static void who_signed_in_and_who_did_not(void **state)
{
	static char cron[] = "cron", su[] = "su", manager[] = "systemd-user", login[] = "login";
	struct session session = session_by(by_key);

	(void)state;
	assert_true(verdict_is_sign_in(&session));
	session.service = login;
	assert_true(verdict_is_sign_in(&session));
	session.service = su;
	assert_false(verdict_is_sign_in(&session));
	assert_false(verdict_is_own(&session));
	session = session_by(none);
	session.service = cron;
	assert_false(verdict_is_sign_in(&session));
	assert_true(verdict_is_own(&session));
	session.service = manager;
	assert_false(verdict_is_own(&session));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_goes_on),
		cmocka_unit_test(what_changes_about_the_person_ends_it),
		cmocka_unit_test(a_suspension_s_reason_is_told),
		cmocka_unit_test(one_project_lost_or_the_last_one),
		cmocka_unit_test(hours_and_networks_are_about_coming_in),
		cmocka_unit_test(sign_ins_end_by_the_picture_s_number_and_not_by_a_clock),
		cmocka_unit_test(an_operator_is_here_by_a_grant),
		cmocka_unit_test(a_key_that_is_taken_away_ends_its_sessions),
		cmocka_unit_test(sudo_s_and_a_service_manager_s_are_others),
		cmocka_unit_test(a_provider_that_is_taken_away_ends_what_it_opened),
		cmocka_unit_test(orders_end_what_they_name),
		cmocka_unit_test(an_order_names_no_service_manager_but_by_its_id),
		cmocka_unit_test(an_order_reaches_its_own_tenant_alone),
		cmocka_unit_test(a_tenant_that_is_gone_or_only_not_here_yet),
		cmocka_unit_test(a_disabled_host_ends_what_feeds_brought_and_not_the_files_people),
		cmocka_unit_test(what_two_sources_claim_ends_nothing),
		cmocka_unit_test(without_a_picture_nobody_knows),
		cmocka_unit_test(uids_of_others_are_never_judged),
		cmocka_unit_test(who_signed_in_and_who_did_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
