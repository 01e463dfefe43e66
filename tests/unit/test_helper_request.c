/* SPDX-License-Identifier: MIT
 *
 * What the root helper takes for a request, by its bytes alone.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "helper/check.h"
#include "records/records.h"

#define UID 1879048210U

static struct helper_request request_of(enum helper_verb verb)
{
	struct helper_request request = {.magic = HELPER_MAGIC, .verb = verb, .uid = UID};

	if (verb == HELPER_HANG_UP_SESSION || verb == HELPER_KILL_SESSION)
		strcpy(request.scope, "12");
	if (verb == HELPER_TELL)
		strcpy(request.text, "good bye");
	return request;
}

static void assert_refused(const struct helper_request *request, int result, const char *why)
{
	const char *said = "";

	assert_result(request_check(request, &said), result);
	assert_string_equal(said, why);
}

static void each_verb_is_taken(void **state)
{
	(void)state;
	for (uint32_t verb = HELPER_TELL; verb <= HELPER_KILL_USER; verb++) {
		struct helper_request request = request_of(verb);
		const char *why;

		assert_result(request_check(&request, &why), 0);
		assert_string_not_equal(request_verb_word(verb), "unknown");
		request.magic++;
		assert_refused(&request, -EINVAL, "malformed");
	}
}

static void other_verbs_are_refused(void **state)
{
	static const uint32_t verbs[] = {0, HELPER_KILL_USER + 1, 77, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct helper_request request = request_of(verbs[i]);

		assert_refused(&request, -EINVAL, "malformed");
		assert_string_equal(request_verb_word(verbs[i]), "unknown");
	}
}

static void only_the_tenants_ids_are_anybody(void **state)
{
	static const uint32_t others[] = {
		0,
		1,
		999,
		1000,
		65534,
		MANAGED_ID_FIRST - 1,
		60000,
		0x28000000,
		MANAGED_ID_TENANT_LAST + 1,
		/* The host's own groups, and what the helper's children hide behind. */
		MANAGED_ID_LAST,
		MANAGED_ID_LAST + 1,
		UINT32_MAX,
		0x80000000,
	};

	(void)state;
	for (uint32_t verb = HELPER_TELL; verb <= HELPER_KILL_USER; verb++) {
		struct helper_request request = request_of(verb);
		const char *why;

		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			request.uid = others[i];
			assert_refused(&request, -EPERM, "uid-out-of-range");
		}
		request.uid = MANAGED_ID_FIRST;
		assert_result(request_check(&request, &why), 0);
		request.uid = MANAGED_ID_TENANT_LAST;
		assert_result(request_check(&request, &why), 0);
	}
}

static void a_leader_is_a_process_and_not_the_first(void **state)
{
	static const int32_t others[] = {1, -1, -2, INT32_MIN};
	struct helper_request request = request_of(HELPER_KILL_SESSION);
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		request.leader = others[i];
		assert_refused(&request, -EINVAL, "bad-leader");
	}
	request.leader = 0;
	request.scope[0] = '\0';
	assert_refused(&request, -EINVAL, "no-session");
	request.leader = 2;
	assert_result(request_check(&request, &why), 0);
}

static void scopes_are_letters_and_digits(void **state)
{
	static const char *const others[] = {"..", ".", "/", "1/..", "1.scope", "a b", "-1", "c1\n", "\xc3\xbc", "*"};
	struct helper_request request = request_of(HELPER_KILL_SESSION);
	struct helper_request user = request_of(HELPER_KILL_USER);
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		strcpy(request.scope, others[i]);
		assert_refused(&request, -EINVAL, "bad-scope");
		user.keep_count = 1;
		strcpy(user.keep[0], others[i]);
		assert_refused(&user, -EINVAL, "bad-keep");
	}
	memset(request.scope, '1', sizeof(request.scope)); /* without an end */
	assert_refused(&request, -EINVAL, "bad-scope");
	request.scope[sizeof(request.scope) - 1] = '\0';
	assert_result(request_check(&request, &why), 0);
	memset(user.keep[0], '1', sizeof(user.keep[0]));
	assert_refused(&user, -EINVAL, "bad-keep");
	memset(user.keep[0], 0, sizeof(user.keep[0]));
	assert_refused(&user, -EINVAL, "bad-keep");
	user.keep_count = HELPER_KEEP_MAX + 1;
	assert_refused(&user, -EINVAL, "bad-keep");
	user.keep_count = UINT32_MAX;
	assert_refused(&user, -EINVAL, "bad-keep");
}

static void a_user_s_end_names_no_session_and_a_session_s_keeps_nothing(void **state)
{
	struct helper_request request = request_of(HELPER_HANG_UP_USER);

	(void)state;
	request.leader = 55;
	assert_refused(&request, -EINVAL, "session-and-user");
	request = request_of(HELPER_KILL_USER);
	strcpy(request.scope, "1");
	assert_refused(&request, -EINVAL, "session-and-user");
	request = request_of(HELPER_KILL_SESSION);
	request.keep_count = 1;
	strcpy(request.keep[0], "2");
	assert_refused(&request, -EINVAL, "bad-keep");
}

static void text_is_text(void **state)
{
	static const char *const others[] = {"a\nb", "a\x1b[2J", "\a", "\x7f", "\xc2\x9b[m", "\xff", "\xe2\x80\xae"};
	struct helper_request request = request_of(HELPER_TELL);
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		strcpy(request.text, others[i]);
		assert_refused(&request, -EINVAL, "bad-text");
	}
	memset(request.text, 'x', sizeof(request.text)); /* without an end */
	assert_refused(&request, -EINVAL, "bad-text");
	request.text[sizeof(request.text) - 1] = '\0';
	assert_result(request_check(&request, &why), 0);
	request.text[0] = '\0';
	assert_refused(&request, -EINVAL, "bad-text");
	request.verb = HELPER_HANG_UP_USER; /* there it may be left out */
	assert_result(request_check(&request, &why), 0);
}

static void what_is_kept_is_found_by_its_whole_name(void **state)
{
	struct helper_request request = {.keep_count = 2, .keep = {"1", "c22", "3"}};

	(void)state;
	assert_true(request_keeps(&request, "1"));
	assert_true(request_keeps(&request, "c22"));
	assert_false(request_keeps(&request, "3"));
	assert_false(request_keeps(&request, "c2"));
	assert_false(request_keeps(&request, "11"));
	assert_false(request_keeps(&request, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verb_is_taken),
		cmocka_unit_test(other_verbs_are_refused),
		cmocka_unit_test(only_the_tenants_ids_are_anybody),
		cmocka_unit_test(a_leader_is_a_process_and_not_the_first),
		cmocka_unit_test(scopes_are_letters_and_digits),
		cmocka_unit_test(a_user_s_end_names_no_session_and_a_session_s_keeps_nothing),
		cmocka_unit_test(text_is_text),
		cmocka_unit_test(what_is_kept_is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
