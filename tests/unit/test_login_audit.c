/* SPDX-License-Identifier: MIT
 *
 * What cannot be written down lets nobody in, where the operator wants it so: every stage of a sign-in, and never root
 * or a local account.
 */
#include "unit.h"

#include <string.h>

#include "login_fixture.h"

static bool room;
static unsigned asked;

static bool admits(void *context)
{
	assert_ptr_equal(context, &room);
	asked++;
	return room;
}

static void fill(void)
{
	room = false;
	login_book_set_admission(book, admits, &room);
}

static void a_sign_in_does_not_begin(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_reply reply;

	(void)state;
	fill();
	reply = start(&alice);
	assert_int_equal(reply.step, LOGIN_BROKEN);
	assert_int_equal(reply.reason, REASON_AUDIT_FULL);
	assert_true(reply.final);
	assert_string_equal(reply.text, reason_text(REASON_AUDIT_FULL));
	assert_string_equal(reply.token, "");
	assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	assert_int_equal(heard.reason, REASON_AUDIT_FULL);
	room = true;
	assert_int_equal(start(&alice).step, LOGIN_PROMPT);
}

static void a_right_key_does_not_help(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_reply prompt = start(&alice), reply;

	(void)state;
	fill();
	reply = answer(prompt.token, alices.text);
	assert_int_equal(reply.step, LOGIN_BROKEN);
	assert_int_equal(reply.reason, REASON_AUDIT_FULL);
	/* That sign-in is over: room in the meantime does not bring it back. */
	room = true;
	assert_int_equal(answer(prompt.token, alices.text).reason, REASON_LOGIN_EXPIRED);
}

static void nor_a_wrong_one_a_guess_more(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_reply prompt = start(&alice);

	(void)state;
	fill();
	assert_int_equal(answer(prompt.token, ediths.text).reason, REASON_AUDIT_FULL);
	assert_int_equal(heard.reason, REASON_AUDIT_FULL); /* nothing about the key */
}

static void account_and_session_are_asked_again(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_authorize again = {.origin = alice, .token = "", .ssh_auth_info = "", .again = true};
	char token[LOGIN_TOKEN_CHARS + 1];
	struct login_verdict verdict;

	(void)state;
	sign_in("alice", alices.text, token);
	fill();
	verdict = authorize(&alice, token, "");
	assert_int_equal(verdict.reason, REASON_AUDIT_FULL);
	assert_false(verdict.unknown_user);
	assert_string_equal(verdict.message, reason_text(REASON_AUDIT_FULL));
	assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	again.token = token;
	login_authorize(book, d, &again, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_AUDIT_FULL);
	room = true; /* and the sign-in itself stands */
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
}

static void sudo_and_cron_are_too(void **state)
{
	struct login_origin edith = from_ssh("edith");

	(void)state;
	fill();
	edith.service = "cron";
	edith.source = "";
	assert_int_equal(authorize(&edith, "", "").reason, REASON_AUDIT_FULL);
	edith.service = "sudo";
	edith.requesting_user = "edith";
	assert_int_equal(authorize(&edith, "", "").reason, REASON_AUDIT_FULL);
	edith.service = "systemd-user";
	assert_int_equal(authorize(&edith, "", "").reason, REASON_AUDIT_FULL);
}

static void root_and_local_accounts_are_never_asked(void **state)
{
	struct login_origin root = from_ssh("alice"), local = from_ssh("local1"), becomes = from_ssh("alice");

	(void)state;
	fill();
	root.service = "su";
	root.requesting_user = "root";
	assert_int_equal(authorize(&root, "", "").reason, REASON_ALLOWED);
	assert_true(start(&local).unknown_user);
	assert_true(authorize(&local, "", "").unknown_user);
	becomes.service = "sudo"; /* let by the local sudoers, which are not ours to judge */
	becomes.requesting_user = "local1";
	assert_int_equal(authorize(&becomes, "", "").reason, REASON_ALLOWED);
	assert_int_equal(asked, 0);
}

static void a_mistaken_name_is_told_first(void **state)
{
	struct login_origin alice = from_ssh("alice");

	(void)state;
	fill();
	alice.uid = 1000;
	assert_int_equal(start(&alice).reason, REASON_BROKEN);
	assert_int_equal(authorize(&alice, "", "").reason, REASON_BROKEN);
}

static int begin(void **state)
{
	asked = 0;
	room = true;
	return setup(state);
}
#define ROOM_TEST(function) cmocka_unit_test_setup_teardown(function, begin, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ROOM_TEST(a_sign_in_does_not_begin),      ROOM_TEST(a_right_key_does_not_help),
		ROOM_TEST(nor_a_wrong_one_a_guess_more),  ROOM_TEST(account_and_session_are_asked_again),
		ROOM_TEST(sudo_and_cron_are_too),         ROOM_TEST(root_and_local_accounts_are_never_asked),
		ROOM_TEST(a_mistaken_name_is_told_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
