/* SPDX-License-Identifier: MIT
 *
 * GitHub's word about who somebody is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc/answers.h"
#include "oidc/id_token.h"
#include "unit.h"

#define SITE "https://github.com"

static int parse(const char *user, const char *emails, struct oidc_identity *ret, struct problem *problem)
{
	return github_user_parse(user, strlen(user), emails, emails ? strlen(emails) : 0, SITE, ret, problem);
}

static void good_user(void **state)
{
	struct oidc_identity who;
	struct problem problem = {0};

	assert_result(parse("{\"login\":\"octocat\",\"id\":583231,\"type\":\"User\",\"name\":\"The Octocat\","
			    "\"email\":\"public@evil.example\",\"site_admin\":false}",
			    "[{\"email\":\"octo@acme.example\",\"primary\":true,\"verified\":true,\"visibility\":null},"
			    "{\"email\":\"other@acme.example\",\"primary\":false,\"verified\":true}]",
			    &who, &problem),
		      0);
	assert_string_equal(who.issuer, SITE);
	assert_string_equal(who.subject, "583231");
	assert_string_equal(who.name, "octocat");
	assert_string_equal(who.email, "octo@acme.example");
	assert_true(who.email_verified);
	assert_int_equal(who.expires, 0);
	/* Without the list: the address on the profile is what somebody wrote there. */
	assert_result(
		parse("{\"id\":583231,\"type\":\"User\",\"email\":\"public@acme.example\"}", NULL, &who, &problem), 0);
	assert_string_equal(who.email, "");
	assert_false(who.email_verified);
	assert_string_equal(who.name, "");
	assert_result(parse("{\"id\":9223372036854775807,\"type\":\"User\"}", NULL, &who, &problem), 0);
	assert_string_equal(who.subject, "9223372036854775807");
	assert_result(parse("{\"id\":1,\"type\":\"User\",\"login\":\"a\\u001b[2J\"}", NULL, &who, &problem), 0);
	assert_string_equal(who.name, "");
}

static void wrong_users(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{"", "cannot be read"},
		{"null", "cannot be read"},
		{"[]", "cannot be read"},
		{"{\"id\":1,\"id\":2,\"type\":\"User\"}", "cannot be read"},
		{"{\"id\":1,\"\\u0069d\":2,\"type\":\"User\"}", "cannot be read"},
		{"{\"id\":9223372036854775808,\"type\":\"User\"}", "cannot be read"},
		{"{}", "no number"},
		{"{\"type\":\"User\"}", "no number"},
		{"{\"login\":\"octocat\",\"type\":\"User\"}", "no number"},
		{"{\"id\":null,\"type\":\"User\"}", "no number"},
		{"{\"id\":\"583231\",\"type\":\"User\"}", "no number"},
		{"{\"id\":583231.0,\"type\":\"User\"}", "no number"},
		{"{\"id\":0,\"type\":\"User\"}", "no number"},
		{"{\"id\":-1,\"type\":\"User\"}", "no number"},
		{"{\"id\":true,\"type\":\"User\"}", "no number"},
		{"{\"id\":[1],\"type\":\"User\"}", "no number"},
		{"{\"id\":1}", "no person"},
		{"{\"id\":1,\"type\":\"Organization\"}", "no person"},
		{"{\"id\":1,\"type\":\"Bot\"}", "no person"},
		{"{\"id\":1,\"type\":\"user\"}", "no person"},
		{"{\"id\":1,\"type\":1}", "no person"},
		{"{\"message\":\"Bad credentials\"}", "no number"},
	};
	static char large[OIDC_ANSWER_MAX + 2];
	struct oidc_identity who = {.subject = "untouched"};
	struct problem problem;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		problem = (struct problem){0};
		assert_result(parse(table[i].text, NULL, &who, &problem), -EINVAL);
		if (!strstr(problem.text, table[i].reason))
			fail_msg("%s: %s", table[i].text, problem.text);
		assert_string_equal(who.subject, "untouched");
	}
	memset(large, ' ', sizeof(large) - 1);
	memcpy(large, "{\"id\":1,\"type\":\"User\"}", 22);
	assert_result(github_user_parse(large, OIDC_ANSWER_MAX + 1, NULL, 0, SITE, &who, &problem), -EINVAL);
	assert_result(github_user_parse(large, OIDC_ANSWER_MAX, NULL, 0, SITE, &who, &problem), 0);
	memset(large, 'a', 600);
	large[512] = '\0';
	assert_result(github_user_parse("{\"id\":1,\"type\":\"User\"}", 22, NULL, 0, large, &who, &problem), -EINVAL);
	large[511] = '\0';
	assert_result(github_user_parse("{\"id\":1,\"type\":\"User\"}", 22, NULL, 0, large, &who, &problem), 0);
}

/* Which address, and whether it counts as verified. */
static void emails(void **state)
{
	static const struct {
		const char *text, *email;
		bool verified;
	} table[] = {
		{"[]", "", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":true,\"verified\":true}]", "a@acme.example", true},
		{"[{\"email\":\"a@acme.example\",\"primary\":true,\"verified\":false}]", "a@acme.example", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":true}]", "a@acme.example", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":true,\"verified\":\"true\"}]", "a@acme.example", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":true,\"verified\":1}]", "a@acme.example", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":false,\"verified\":true}]", "", false},
		{"[{\"email\":\"a@acme.example\",\"primary\":\"true\",\"verified\":true}]", "", false},
		{"[{\"email\":\"a@acme.example\",\"verified\":true}]", "", false},
		/* One is verified, and another is the primary one. */
		{"[{\"email\":\"a@acme.example\",\"primary\":false,\"verified\":true},"
		 "{\"email\":\"b@acme.example\",\"primary\":true,\"verified\":false}]",
		 "b@acme.example", false},
		/* Two that are primary. */
		{"[{\"email\":\"a@acme.example\",\"primary\":true,\"verified\":true},"
		 "{\"email\":\"b@acme.example\",\"primary\":true,\"verified\":true}]",
		 "", false},
		{"[{\"email\":\"\",\"primary\":true,\"verified\":true},"
		 "{\"email\":\"b@acme.example\",\"primary\":true,\"verified\":true}]",
		 "", false},
		/* What is no plain address. */
		{"[{\"email\":\"a@b@acme.example\",\"primary\":true,\"verified\":true}]", "", false},
		{"[{\"email\":\"\\u0430@acme.example\",\"primary\":true,\"verified\":true}]", "", false},
		{"[{\"email\":\"a\\n@acme.example\",\"primary\":true,\"verified\":true}]", "", false},
		{"[{\"email\":[\"a@acme.example\"],\"primary\":true,\"verified\":true}]", "", false},
		{"[{\"primary\":true,\"verified\":true}]", "", false},
		{"[null,1,\"a@acme.example\",[]]", "", false},
	};
	static const char *const bad[] = {"", "{}", "null", "[",
					  "[{\"email\":\"a@acme.example\",\"primary\":false,\"primary\":true}]"};
	struct oidc_identity who;
	struct problem problem = {0};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_result(parse("{\"id\":1,\"type\":\"User\"}", table[i].text, &who, &problem), 0);
		if (strcmp(who.email, table[i].email) != 0 || who.email_verified != table[i].verified)
			fail_msg("%s: \"%s\", %d", table[i].text, who.email, who.email_verified);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_result(parse("{\"id\":1,\"type\":\"User\"}", bad[i], &who, &problem), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_user),
		cmocka_unit_test(wrong_users),
		cmocka_unit_test(emails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
