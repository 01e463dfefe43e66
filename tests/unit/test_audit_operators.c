/* SPDX-License-Identifier: MIT
 *
 * Operators who look in: every event about their account names them, the grant and why, beside the account's own name;
 * nobody else's does.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/session_event.h"
#include "audit/user_event.h"
#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"
#include "fixture.h"
#include "login/book.h"
#include "json/json_read.h"

/* olga's grant is in force, petra's is over, oskar has none; otto has one that names him by id alone. Alice is no
 * operator. */
static const char people[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_a, slug: acme, gid: 1879048192, ids: {first: 1879048192, count: 256, next: 1879048300}}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_a, slug: vision, gid: 1879048193}\n"
	"users:\n"
	"  - {id: usr_alice, tenant: ten_a, login: alice, uid: 1879048210}\n"
	"  - {id: usr_olga, tenant: ten_a, login: olga, uid: 1879048211, kind: operator}\n"
	"  - {id: usr_oskar, tenant: ten_a, login: oskar, uid: 1879048212, kind: operator}\n"
	"  - {id: usr_otto, tenant: ten_a, login: otto, uid: 1879048213, kind: operator}\n"
	"  - {id: usr_petra, tenant: ten_a, login: petra, uid: 1879048214, kind: operator}\n"
	"members:\n"
	"  - {user: usr_olga, project: prj_vision, role: viewer}\n"
	"grants:\n"
	"  - {id: grt_olga, tenant: ten_a, user: usr_olga, operator_id: opr_1, operator_name: olga@ops.example, "
	"reason: "
	"'ticket 4711: the disk is full', not_after: 2027-01-15T09:00:00Z}\n"
	"  - {id: grt_otto, tenant: ten_a, user: usr_otto, operator_id: opr_2, reason: r, not_after: "
	"2027-01-15T09:00:00Z}\n"
	"  - {id: grt_petra, tenant: ten_a, user: usr_petra, operator_id: opr_3, operator_name: petra@ops.example, "
	"reason: yesterday, not_after: 2027-01-14T09:00:00Z}\n"
	"hosts:\n"
	"  - {name: gpu-1, serves: [{project: prj_vision}]}\n";

static struct audit *audit;
static struct buffer heard;

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	buffer_clear(&heard);
	buffer_add(&heard, fields, length);
}

static uint64_t clock_now(void)
{
	return 1;
}

static int setup(void **state)
{
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, clock_now);
	return 0;
}

static int teardown(void **state)
{
	audit_destroy(audit);
	buffer_finish(&heard);
	return 0;
}

/* The line is there, from its beginning to its end. */
static bool says(const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	return strstr(buffer_text(&heard), wanted) != NULL;
}

static bool names(const char *field)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\n%s=", field);
	return strstr(buffer_text(&heard), wanted) != NULL;
}

static json_t *unmapped(void)
{
	const char *text = strstr(buffer_text(&heard), "\nOCSF=") + strlen("\nOCSF=");
	struct problem problem = {0};
	json_t *object = NULL, *inner;

	if (json_read(text, strcspn(text, "\n"), &object, &problem) < 0)
		fail_msg("%s", problem.text);
	inner = json_incref(json_object_get(object, "unmapped"));
	json_decref(object);
	return inner;
}

static void every_kind_names_both(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", people);

	for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
		struct audit_event event = {.kind = kind};
		json_t *rest;

		audit_about_user(&event, d, directory_user(d, "usr_olga"));
		audit_write(audit, &event);
		assert_true(says("TENANT_USER=olga"));
		assert_true(says("TENANT_UID=1879048211"));
		assert_true(says("TENANT=acme"));
		assert_true(says("TENANT_OPERATOR=olga@ops.example"));
		assert_true(says("TENANT_GRANT=grt_olga"));
		assert_true(says("TENANT_GRANT_REASON=ticket 4711: the disk is full"));
		assert_non_null(strstr(buffer_text(&heard), "olga, who is the operator olga@ops.example, of acme"));
		rest = unmapped();
		assert_string_equal(json_string_value(json_object_get(rest, "operator")), "olga@ops.example");
		assert_string_equal(json_string_value(json_object_get(rest, "grant")), "grt_olga");
		assert_string_equal(json_string_value(json_object_get(rest, "grant_reason")),
				    "ticket 4711: the disk is full");
		json_decref(rest);
	}
}

static void a_grant_that_is_over_is_named_too(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", people);
	struct audit_event event = {.kind = AUDIT_LOGIN_DENIED, .reason = REASON_GRANT_ENDED};

	audit_about_user(&event, d, directory_user(d, "usr_petra"));
	audit_write(audit, &event);
	assert_true(says("TENANT_OPERATOR=petra@ops.example"));
	assert_true(says("TENANT_GRANT=grt_petra"));
	assert_true(says("TENANT_REASON=grant-ended"));
}

static void who_is_known_by_id_alone(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", people);
	struct audit_event event = {.kind = AUDIT_LOGIN_ALLOWED};

	audit_about_user(&event, d, directory_user(d, "usr_otto"));
	audit_write(audit, &event);
	assert_true(says("TENANT_OPERATOR=opr_2"));
}

static void nobody_elses_event_does(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", people);
	static const char *const others[] = {"usr_alice", "usr_oskar", "usr_nobody"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct audit_event event = {.kind = AUDIT_LOGIN_ALLOWED};

		audit_about_user(&event, d, directory_user(d, others[i]));
		audit_write(audit, &event);
		assert_false(names("TENANT_OPERATOR"));
		assert_false(names("TENANT_GRANT"));
		assert_false(names("TENANT_GRANT_REASON"));
		assert_null(strstr(buffer_text(&heard), "operator"));
	}
	audit_about_user(&(struct audit_event){0}, NULL, NULL);
}

static void sign_ins(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", people);
	const struct login_origin origin = {.user = "olga", .service = "sshd", .source = "192.0.2.1", .terminal = ""};
	struct audit_event event = login_event(d, &origin, directory_user_by_login(d, "olga"));

	audit_write(audit, &event);
	assert_true(says("TENANT_OPERATOR=olga@ops.example"));
	assert_true(says("TENANT_SERVICE=sshd"));
	event = login_event(d, &origin, NULL);
	audit_write(audit, &event);
	assert_true(says("TENANT_USER=olga"));
	assert_false(names("TENANT_OPERATOR"));
}

/* Its grant may be gone from every directory by now. */
static void sessions_remember(void **state)
{
	char text[] = "x", name[] = "olga@ops.example", grant[] = "grt_olga", reason[] = "ticket 4711", none[] = "";
	struct session session = {
		.id = "0123456789abcdef",
		.user_id = text,
		.login = text,
		.tenant = text,
		.project = text,
		.role = text,
		.service = text,
		.operator= name,
		.grant_id = grant,
		.grant_reason = reason,
	};
	static const enum audit_kind kinds[] = {AUDIT_SESSION_OPENED, AUDIT_SESSION_ENDING, AUDIT_SESSION_CLOSED};
	struct audit_event event;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		event = session_event(kinds[i], &session);
		audit_write(audit, &event);
		assert_true(says("TENANT_OPERATOR=olga@ops.example"));
		assert_true(says("TENANT_GRANT=grt_olga"));
		assert_true(says("TENANT_GRANT_REASON=ticket 4711"));
	}
	session.operator= session.grant_id = session.grant_reason = none;
	event = session_event(AUDIT_SESSION_OPENED, &session);
	audit_write(audit, &event);
	assert_false(names("TENANT_OPERATOR"));
	assert_null(strstr(buffer_text(&heard), "operator"));
}

static void hostile_names(void **state)
{
	static const char *const hostile[] = {"eve\nTENANT_GRANT=mine", "eve\033[2J", "eve\342\200\256gro", "eve\xff"};

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct audit_event event = {
			.kind = AUDIT_LOGIN_ALLOWED,
			.user = "olga",
			.operator_name = hostile[i],
			.grant = hostile[i],
			.grant_reason = hostile[i],
		};

		audit_write(audit, &event);
		for (const char *at = buffer_text(&heard); *at; at = strchr(at, '\n') + 1)
			if (!text_is_printable(at, strcspn(at, "\n")))
				fail_msg("%zu: %.*s", i, (int)strcspn(at, "\n"), at);
		assert_false(says("TENANT_GRANT=mine"));
		json_decref(unmapped());
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_kind_names_both),
		TEST(a_grant_that_is_over_is_named_too),
		TEST(who_is_known_by_id_alone),
		TEST(nobody_elses_event_does),
		TEST(sign_ins),
		TEST(sessions_remember),
		TEST(hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
