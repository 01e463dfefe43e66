/* SPDX-License-Identifier: MIT
 *
 * Rules of sessions, orders to end them and operators' grants from the feed's JSON; and of two rules the stricter.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "record_fixture.h"

#define SESSIONS(fields) TENANT_WITH("\"sessions\":{" fields "}")
#define GRANT(more) "{\"user\":\"usr_o\"," more "\"reason\":\"4711\",\"not_after\":9}"

static void test_sessions(void **state)
{
	const struct session_rules usual = session_rules_default();
	union any_record record;
	struct problem problem = {0};
	struct arena arena;

	arena_init(&arena);
	assert_result(read_record(&arena, RECORD_TENANT, TENANT, TENANT_WITH("\"name\":\"A\""), &record, &problem), 0);
	assert_true(session_rules_equal(&record.tenant.sessions, &usual));
	assert_result(
		read_record(&arena, RECORD_TENANT, TENANT,
			    SESSIONS("\"max_per_user\":1,\"max_per_tenant\":2,\"over\":\"end-oldest\",\"max_age\":3,"
				     "\"idle\":4,\"warn\":0,\"grace\":300,\"end_outside_hours\":true,"
				     "\"end_with_key\":true"),
			    &record, &problem),
		0);
	assert_true(
		session_rules_equal(&record.tenant.sessions,
				    &(struct session_rules){1, 2, 3, 4, 0, 300, SESSION_OVER_END_OLDEST, true, true}));
	assert_result(read_record(&arena, RECORD_REVOCATION, "Zk3", "{\"of\":\"session\",\"at\":5,\"until\":6}",
				  &record, &problem),
		      0);
	assert_int_equal(record.revocation.of, REVOCATION_SESSION);
	assert_string_equal(record.revocation.user_id, "");
	assert_result(
		read_record(
			&arena, RECORD_REVOCATION, "ord-1",
			"{\"of\":\"sessions\",\"at\":5,\"user\":\"usr_a\",\"project\":\"prj_a\",\"host\":\"hst_a\"}",
			&record, &problem),
		0);
	assert_int_equal(record.revocation.of, REVOCATION_SESSIONS);
	assert_string_equal(record.revocation.user_id, "usr_a");
	assert_string_equal(record.revocation.project_id, "prj_a");
	assert_string_equal(record.revocation.host_id, "hst_a");
	assert_result(read_record(&arena, RECORD_USER, "usr_o", USER_WITH("\"kind\":\"operator\""), &record, &problem),
		      0);
	assert_int_equal(record.user.kind, USER_OPERATOR);
	assert_result(read_record(&arena, RECORD_GRANT, "grt_a",
				  GRANT("\"operator_name\":\"o@p.example\","
					"\"operator_id\":\"opr_1\",\"not_before\":8,"),
				  &record, &problem),
		      0);
	assert_string_equal(record.grant.tenant_id, TENANT);
	assert_string_equal(record.grant.user_id, "usr_o");
	assert_string_equal(record.grant.operator_id, "opr_1");
	assert_string_equal(record.grant.operator_name, "o@p.example");
	assert_string_equal(record.grant.reason, "4711");
	assert_int_equal(record.grant.not_before, 8);
	assert_int_equal(record.grant.not_after, 9);
	arena_finish(&arena);
}

static void test_refusals(void **state)
{
	static const struct record_refusal refusals[] = {
		{RECORD_REVOCATION, "t1", "{\"of\":\"token\",\"at\":1,\"user\":\"usr_a\"}",
		 "\"user\" is not asked for here"},
		{RECORD_REVOCATION, "h1", "{\"of\":\"host\",\"at\":1,\"host\":\"h1\"}",
		 "\"host\" is not asked for here"},
		{RECORD_REVOCATION, "s1", "{\"of\":\"session\",\"at\":1,\"project\":\"\"}",
		 "\"project\" is not asked for here"},
		{RECORD_REVOCATION, "s1", "{\"of\":\"sessions\",\"at\":1,\"project\":\"acme/vision\"}", "not an id"},
		{RECORD_REVOCATION, "s1", "{\"of\":\"sessions\",\"at\":1,\"user\":\"\"}", "not an id"},
		{RECORD_REVOCATION, "s1", "{\"of\":\"sessions\"}", "'at' is missing"},
		{RECORD_REVOCATION, "s/1", "{\"of\":\"session\",\"at\":1}", "\"id\" is not of the form"},

		{RECORD_TENANT, TENANT, TENANT_WITH("\"max_sessions_per_user\":3"),
		 "'max_sessions_per_user' is not known"},
		{RECORD_TENANT, TENANT, TENANT_WITH("\"sessions\":3"), "'sessions' must be"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max\":3"), "'max' is not known"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_per_user\":0"), "\"max_per_user\" is no limit"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_per_tenant\":0"), "\"max_per_tenant\" is no limit"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_age\":0"), "\"max_age\" is no limit"},
		{RECORD_TENANT, TENANT, SESSIONS("\"idle\":0"), "\"idle\" is no limit"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_per_user\":-1"), "'max_per_user' must be a whole number"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_age\":\"12h\""), "'max_age' must be a whole number"},
		{RECORD_TENANT, TENANT, SESSIONS("\"max_age\":31622401"), "\"max_age\" of sessions is too long"},
		{RECORD_TENANT, TENANT, SESSIONS("\"idle\":31622401"), "\"idle\" of sessions is too long"},
		{RECORD_TENANT, TENANT, SESSIONS("\"warn\":86401"), "\"warn\" of sessions is too long"},
		{RECORD_TENANT, TENANT, SESSIONS("\"grace\":301"), "\"grace\" of sessions is too long"},
		{RECORD_TENANT, TENANT, SESSIONS("\"over\":\"end_oldest\""), "none of the words"},
		{RECORD_TENANT, TENANT, SESSIONS("\"end_with_key\":1"), "true or false"},

		{RECORD_USER, "usr_o", USER_WITH("\"kind\":\"admin\""), "none of the words"},
		{RECORD_GRANT, "grt-a", GRANT("\"operator_id\":\"opr_1\","), "\"id\" is not of the form"},
		{RECORD_GRANT, "grt_a", GRANT(""), "the grant names no operator"},
		{RECORD_GRANT, "grt_a", GRANT("\"operator_id\":\"o@p.example\","), "\"operator_id\" is not an id"},
		{RECORD_GRANT, "grt_a", GRANT("\"operator_id\":\"opr_1\",\"role\":\"owner\","), "'role' is not known"},
		{RECORD_GRANT, "grt_a", GRANT("\"operator_id\":\"opr_1\",\"not_before\":9,"),
		 "ends (not_after) before it begins"},
		{RECORD_GRANT, "grt_a", GRANT("\"operator_name\":\"a\\u0007\","), "invisible characters"},
		{RECORD_GRANT, "grt_a",
		 "{\"user\":\"usr_o\",\"operator_id\":\"opr_1\",\"reason\":\"\",\"not_after\":9}",
		 "the grant gives no reason"},
		{RECORD_GRANT, "grt_a", "{\"user\":\"usr_o\",\"operator_id\":\"opr_1\",\"not_after\":9}",
		 "'reason' is missing"},
		{RECORD_GRANT, "grt_a", "{\"user\":\"usr_o\",\"operator_id\":\"opr_1\",\"reason\":\"x\"}",
		 "'not_after' is missing"},
		{RECORD_GRANT, "grt_a",
		 "{\"user\":\"usr_o\",\"operator_id\":\"opr_1\",\"reason\":\"x\",\"not_after\":0}", "not after 1970"},
		{RECORD_GRANT, "grt_a", "{\"operator_id\":\"opr_1\",\"reason\":\"x\",\"not_after\":9}",
		 "'user' is missing"},

	};

	check_refusals(refusals, ARRAY_LEN(refusals));
}

static void test_stricter(void **state)
{
	const struct session_rules none = session_rules_default();
	const struct session_rules tenant = {.max_per_user = 4,
					     .max_age_sec = 3600,
					     .idle_sec = 60,
					     .warn_sec = 10,
					     .grace_sec = 30,
					     .over = SESSION_OVER_END_OLDEST,
					     .end_with_key = true};
	const struct session_rules host = {.max_per_user = 9,
					   .max_per_tenant = 7,
					   .max_age_sec = 1800,
					   .warn_sec = 20,
					   .grace_sec = 0,
					   .over = SESSION_OVER_END_OLDEST,
					   .end_outside_hours = true};
	const struct session_rules both = {4, 7, 1800, 60, 20, 0, SESSION_OVER_END_OLDEST, true, true};
	struct session_rules got = session_rules_stricter(&tenant, &host),
			     other = session_rules_stricter(&host, &tenant);

	assert_true(session_rules_equal(&got, &both));
	assert_true(session_rules_equal(&other, &both));
	got = session_rules_stricter(&none, &none);
	assert_true(session_rules_equal(&got, &none));
	got = session_rules_stricter(&tenant, &none);
	assert_int_equal(got.over, SESSION_OVER_END_OLDEST); /* none limits no number, so it has no say */
	assert_int_equal(got.grace_sec, SESSION_GRACE_DEFAULT_SEC);
	assert_int_equal(got.warn_sec, SESSION_WARN_DEFAULT_SEC);
	assert_false(session_rules_equal(&got, &tenant));
	got = session_rules_stricter(&tenant, &(struct session_rules){.max_per_tenant = 100});
	assert_int_equal(got.over, SESSION_OVER_DENY);
	got = session_rules_stricter(&(struct session_rules){.max_per_user = 100}, &tenant);
	assert_int_equal(got.over, SESSION_OVER_DENY);
	got = session_rules_stricter(&none, &(struct session_rules){.max_per_user = 1});
	assert_int_equal(got.over, SESSION_OVER_DENY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_stricter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
