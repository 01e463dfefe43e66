/* SPDX-License-Identifier: MIT
 *
 * Bindings and Unbind over the socket: what first sign-ins bound is listed, and taken away, by root alone; and what was
 * opened by it is looked at again.
 */
#include "unit.h"

#include <string.h>

#include "fixture.h"
#include "server_fixture.h"

#define AGENT "io.tenantd.Agent."
#define EDITH 1879048211U
#define UNBOUND "CREDENTIALS CHANGED"

static struct server_fixture fixture;

static int start(void **state)
{
	(void)state;
	server_fixture_start(&fixture, fixture_yaml, "");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_fixture_stop(&fixture);
	return 0;
}

static size_t bound(const char *parameters, const char *subject)
{
	json_t *reply = call_as(&fixture, 0, AGENT "Bindings", parameters);
	json_t *list = json_object_get(json_object_get(reply, "parameters"), "bindings");
	size_t count = json_array_size(list);

	assert_true(json_is_array(list));
	if (count && subject)
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "subject")), subject);
	json_decref(reply);
	return count;
}

static void only_root_lists_and_unbinds(void **state)
{
	(void)state;
	expect_error(&fixture, EDITH, AGENT "Bindings", "{}", "org.varlink.service.PermissionDenied");
	expect_error(&fixture, EDITH, AGENT "Unbind", "{\"user\":\"edith\"}", "org.varlink.service.PermissionDenied");
	expect_error(&fixture, SERVER_SERVICE_UID, AGENT "Unbind", "{\"user\":\"edith\"}",
		     "org.varlink.service.PermissionDenied");
	assert_int_equal(bound("{}", NULL), 2);
	assert_int_equal(bound("{\"user\":\"edith\"}", "sub-e"), 1);
	assert_int_equal(bound("{\"user\":\"usr_left\"}", "sub-l"), 1);
	assert_int_equal(bound("{\"user\":\"alice\"}", NULL), 0);
	assert_int_equal(audit_lines(&fixture, UNBOUND), 0);
}

static void what_was_not_bound_changes_nothing(void **state)
{
	(void)state;
	expect_error(&fixture, 0, AGENT "Unbind", "{\"user\":\"alice\"}", AGENT "NotFound");
	expect_error(&fixture, 0, AGENT "Unbind", "{\"user\":\"edith\",\"issuer\":\"https://other.example\"}",
		     AGENT "NotFound");
	expect_error(&fixture, 0, AGENT "Unbind", "{}", "org.varlink.service.InvalidParameter");
	assert_int_equal(bound("{}", NULL), 2);
	assert_int_equal(audit_lines(&fixture, UNBOUND), 0);
}

static void what_is_unbound_is_looked_at_again(void **state)
{
	static const char *const unbound[] = {"{\"user\":\"edith\",\"issuer\":\"" SERVER_ISSUER "\"}",
					      "{\"user\":\"usr_left\"}"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(unbound); i++) {
		json_t *reply = call_as(&fixture, 0, AGENT "Unbind", unbound[i]);

		assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "removed")),
				 1);
		json_decref(reply);
		assert_int_equal(audit_lines(&fixture, UNBOUND), i + 1);
		assert_int_equal(bound("{}", NULL), 1 - i);
		expect_error(&fixture, 0, AGENT "Unbind", unbound[i], AGENT "NotFound");
		assert_int_equal(audit_lines(&fixture, UNBOUND), i + 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_lists_and_unbinds),
		cmocka_unit_test(what_was_not_bound_changes_nothing),
		cmocka_unit_test(what_is_unbound_is_looked_at_again),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
