/* SPDX-License-Identifier: MIT
 *
 * Whom an event is said to be about: the right ids in every place where somebody is named, since by them it goes into a
 * tenant's log, is found there, and is erased.
 */
#include "unit.h"

#include "audit/session_event.h"
#include "audit/user_event.h"
#include "directory_fixture.h"

static struct directory *d;

static int setup(void **state)
{
	d = build_text(sample_directory);
	return 0;
}

static int teardown(void **state)
{
	directory_unref(d);
	return 0;
}

static const struct user_record *person(const char *login)
{
	const struct user_record *user = directory_user_by_login(d, login);

	assert_non_null(user);
	return user;
}

static void a_user_brings_the_tenant_along(void **state)
{
	const struct user_record *alice = person("alice");
	struct audit_event event = {.kind = AUDIT_LOGIN_ALLOWED};

	audit_about_user(&event, d, alice);
	assert_string_equal(event.user_id, alice->id);
	assert_string_equal(event.tenant_id, alice->tenant_id);
	assert_string_equal(event.tenant, "acme");
	assert_int_equal(event.uid, alice->uid);
}

/* The one asked about is somebody else: nothing of theirs stays in the event as the asker's. */
static void whoever_asks_to_become_another(void **state)
{
	const struct user_record *alice = person("alice"), *bob = person("bob");
	struct audit_event event = {.kind = AUDIT_PRIVILEGE_DENIED};

	audit_about_user(&event, d, bob);
	audit_asked_by(&event, d, "alice");
	assert_string_equal(event.user, "alice");
	assert_string_equal(event.user_id, alice->id);
	assert_int_equal(event.uid, alice->uid);
	assert_string_equal(event.tenant_id, bob->tenant_id);
	audit_about_user(&event, d, bob);
	audit_asked_by(&event, d, "root"); /* a local account */
	assert_string_equal(event.user, "root");
	assert_null(event.user_id);
	assert_false(event.has_uid);
	audit_asked_by(&event, NULL, "alice");
	assert_null(event.user_id);
}

static void whoever_calls(void **state)
{
	const struct user_record *alice = person("alice");
	struct audit_event event = {.kind = AUDIT_CALL_REFUSED};

	audit_about_caller(&event, d, alice->uid, 17);
	assert_string_equal(event.caller_user_id, alice->id);
	assert_int_equal(event.caller_pid, 17);
	assert_true(event.has_caller);
	audit_about_caller(&event, d, 0, 18); /* root is nobody of the directory */
	assert_null(event.caller_user_id);
	assert_int_equal(event.caller_uid, 0);
	audit_about_caller(&event, NULL, alice->uid, 19);
	assert_null(event.caller_user_id);
	assert_null(event.user);
}

static void a_project_and_none(void **state)
{
	struct audit_event event = {.kind = AUDIT_LOGIN_ALLOWED, .project = "stale", .project_id = "prj_stale"};
	const struct project_record project = {.id = "prj_vision", .slug = "vision"};

	audit_about_project(&event, &project);
	assert_string_equal(event.project, "vision");
	assert_string_equal(event.project_id, "prj_vision");
	audit_about_project(&event, NULL);
	assert_null(event.project);
	assert_null(event.project_id);
}

static void a_session_says_whose_it_is_by_ids(void **state)
{
	const struct session session = {.id = "0123456789abcdef",
					.user_id = (char *)(uintptr_t) "usr_alice",
					.tenant_id = (char *)(uintptr_t) "ten_acme",
					.project_id = (char *)(uintptr_t) "prj_vision",
					.login = (char *)(uintptr_t) "alice"};
	struct audit_event event = session_event(AUDIT_SESSION_OPENED, &session);

	assert_string_equal(event.user_id, "usr_alice");
	assert_string_equal(event.tenant_id, "ten_acme");
	assert_string_equal(event.project_id, "prj_vision");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_brings_the_tenant_along),
		cmocka_unit_test(whoever_asks_to_become_another),
		cmocka_unit_test(whoever_calls),
		cmocka_unit_test(a_project_and_none),
		cmocka_unit_test(a_session_says_whose_it_is_by_ids),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
