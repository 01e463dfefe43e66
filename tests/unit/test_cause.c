/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <ctype.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "reaper/cause.h"
#include "session/session.h"

static void every_cause_has_a_word_and_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (int cause = END_NONE + 1; cause < END_CAUSE_COUNT; cause++) {
		const char *word = end_cause_word((enum end_cause)cause);

		assert_true(*word);
		assert_true(*end_cause_text((enum end_cause)cause));
		/* A session's state file has room for it. */
		assert_true(strlen(word) < sizeof(((struct session *)NULL)->ending_cause));
		for (const char *at = word; *at; at++)
			assert_true(islower((unsigned char)*at) || *at == '-');
		assert_int_equal(end_cause_from_word(word), cause);
		for (int other = END_NONE + 1; other < cause; other++)
			assert_string_not_equal(end_cause_word((enum end_cause)other), word);
	}
}

static void what_is_no_cause_says_nothing(void **state)
{
	(void)state;
	assert_string_equal(end_cause_word(END_NONE), "");
	assert_string_equal(end_cause_word(END_CAUSE_COUNT), "");
	assert_string_equal(end_cause_text((enum end_cause) - 1), "");
	assert_int_equal(end_cause_from_word(""), END_NONE);
	assert_int_equal(end_cause_from_word("Asked"), END_NONE);
	assert_int_equal(end_cause_from_word("asked "), END_NONE);
	assert_int_equal(end_cause_from_word("of-a-later-release"), END_NONE);
	assert_int_equal(end_cause_from_word(NULL), END_NONE);
	assert_false(end_cause_is_of_user(END_CAUSE_COUNT));
	assert_false(end_cause_is_of_user(END_NONE));
}

static void reaches_are_as_the_page_says(void **state)
{
	static const enum end_cause of_user[] = {END_SIGN_INS_ENDED, END_ROLE_LOST,        END_USER_SUSPENDED,
						 END_USER_REMOVED,   END_TENANT_SUSPENDED, END_TENANT_GONE,
						 END_HOST_DISABLED,  END_GRANT_ENDED};
	static const enum end_cause of_credential[] = {END_KEY_REVOKED, END_TOKEN_REVOKED, END_IDENTITY_REMOVED};
	unsigned users = 0, credentials = 0;

	(void)state;
	for (int cause = END_NONE; cause < END_CAUSE_COUNT; cause++) {
		users += end_cause_is_of_user((enum end_cause)cause);
		credentials += end_cause_is_of_credential((enum end_cause)cause);
		assert_false(end_cause_is_of_user((enum end_cause)cause) &&
			     end_cause_is_of_credential((enum end_cause)cause));
	}
	assert_int_equal(users, ARRAY_LEN(of_user));
	assert_int_equal(credentials, ARRAY_LEN(of_credential));
	for (size_t i = 0; i < ARRAY_LEN(of_user); i++)
		assert_true(end_cause_is_of_user(of_user[i]) && end_cause_is_of_directory(of_user[i]));
	for (size_t i = 0; i < ARRAY_LEN(of_credential); i++)
		assert_true(end_cause_is_of_credential(of_credential[i]));
	/* Wishes and limits are nothing that the directory takes back. */
	assert_false(end_cause_is_of_directory(END_ASKED));
	assert_false(end_cause_is_of_directory(END_TOO_MANY));
	assert_false(end_cause_is_of_directory(END_IDLE));
	assert_true(end_cause_is_of_directory(END_ORDERED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_has_a_word_and_a_sentence_of_its_own),
		cmocka_unit_test(what_is_no_cause_says_nothing),
		cmocka_unit_test(reaches_are_as_the_page_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
