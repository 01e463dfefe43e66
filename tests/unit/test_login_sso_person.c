/* SPDX-License-Identifier: MIT
 *
 * Single sign-on in the conversation: who it turned out to be, and what changes while it waits and after it.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "sso_fixture.h"

/* ---- who it is ------------------------------------------------------------------------------------- */

static void somebody_else(void **state)
{
	static const struct {
		const char *user, *issuer, *subject, *email;
		enum reason reason;
		const char *word;
	} table[] = {
		/* the account of another user, and the same subject elsewhere */
		{"edith", STAFF_ISSUER, "sub-alice", "edith@acme.example", REASON_SSO_OTHER_PERSON, "other-identity"},
		{"alice", "https://evil.example", "sub-alice", "alice@acme.example", REASON_SSO_OTHER_PERSON,
		 "other-identity"},
		/* a second subject with the right address */
		{"alice", STAFF_ISSUER, "sub-mallory", "alice@acme.example", REASON_SSO_OTHER_PERSON, "taken"},
		{"edith", STAFF_ISSUER, "sub-x", "mallory@acme.example", REASON_SSO_NOT_BOUND, "other-address"},
		{"edith", STAFF_ISSUER, "sub-x", "", REASON_SSO_NOT_BOUND, "not-verified"},
		{"ann", STAFF_ISSUER, "sub-x", "ann@elsewhere.example", REASON_SSO_NOT_BOUND, "other-domain"},
		{"victor", STAFF_ISSUER, "sub-x", "victor@acme.example", REASON_SSO_NOT_BOUND, "other-address"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct flow_result result = sso_proven(table[i].issuer, table[i].subject, table[i].email);
		char token[LOGIN_TOKEN_CHARS + 1], text[256];
		struct login_reply reply;

		now += 7200 * SECOND;
		sso_to_code(table[i].user, token);
		assert_int_equal(answer(token, "").step, LOGIN_PENDING);
		assert_true(sso_done(&result, &reply));
		if (reply.reason != table[i].reason)
			fail_msg("%zu: %s", i, reason_word(reply.reason));
		assert_int_equal(reply.step, LOGIN_DENIED);
		assert_true(reply.delay_usec >= 500 * USEC_PER_MSEC); /* a failed attempt */
		assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
		assert_int_equal(heard.reason, table[i].reason);
		snprintf(text, sizeof(text), "TENANT_DETAIL=%s: issuer %s subject %s\n", table[i].word, table[i].issuer,
			 table[i].subject);
		if (!strstr(buffer_text(&heard.all), text))
			fail_msg("not in the audit: %s", text);
		assert_int_equal(sso_account(table[i].user, token), REASON_LOGIN_EXPIRED);
		assert_int_equal(fake.remembered_count, 0);
	}
}

static void somebody_else_again_and_again(void **state)
{
	struct flow_result result = sso_proven(STAFF_ISSUER, "sub-mallory", "mallory@acme.example");
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	for (int i = 0; i < 4; i++) {
		sso_to_code("alice", token);
		assert_int_equal(answer(token, "").step, LOGIN_PENDING);
		assert_true(sso_done(&result, &reply));
	}
	reply = start(&origin);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
}

static void the_first_time_binds(void **state)
{
	struct flow_result first = sso_proven(STAFF_ISSUER, "sub-edith", "Edith@ACME.example");
	struct flow_result second = sso_proven(STAFF_ISSUER, "sub-other", "edith@acme.example");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("edith", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	assert_true(sso_done(&first, &reply));
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(fake.remembered_count, 1);
	assert_string_equal(fake.bound[0].user, "usr_edith");
	assert_string_equal(fake.bound[0].issuer, STAFF_ISSUER);
	assert_string_equal(fake.bound[0].subject, "sub-edith");
	assert_int_equal(heard.kind, AUDIT_IDENTITY_BOUND);
	assert_string_equal(heard.credential, "sso:idp_staff");
	assert_non_null(strstr(buffer_text(&heard.all), "TENANT_DETAIL=issuer " STAFF_ISSUER " subject sub-edith\n"));
	assert_int_equal(sso_account("edith", token), REASON_ALLOWED);
	/* The same person again: no second binding. */
	sso_to_code("edith", token);
	assert_false(sso_done(&first, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
	assert_int_equal(fake.remembered_count, 1);
	/* Another one with the same address. */
	sso_to_code("edith", token);
	assert_false(sso_done(&second, &reply));
	assert_int_equal(answer(token, "").reason, REASON_SSO_OTHER_PERSON);
	/* And the identity is nobody else's, whatever their address. */
	sso_reload("mallory@acme.example", "edith2@acme.example");
	snprintf(first.identity.email, sizeof(first.identity.email), "edith2@acme.example");
	sso_to_code("mallory", token);
	assert_false(sso_done(&first, &reply));
	assert_int_equal(answer(token, "").reason, REASON_SSO_OTHER_PERSON);
	assert_int_equal(fake.remembered_count, 1);
}

/* It is bound before anybody is let in, and only if they press Enter. */
static void nothing_is_bound_for_who_went_away(void **state)
{
	struct flow_result first = sso_proven(STAFF_ISSUER, "sub-edith", "edith@acme.example");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("edith", token);
	assert_false(sso_done(&first, &reply));
	login_cancel_owner(book, OWNER, now);
	assert_int_equal(fake.remembered_count, 0);
	assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
}

static void what_cannot_be_kept_lets_nobody_in(void **state)
{
	static const struct {
		int result;
		enum login_step step;
		enum reason reason;
	} table[] = {
		{-30 /* EROFS */, LOGIN_BROKEN, REASON_BROKEN},
		{-28 /* ENOSPC */, LOGIN_BROKEN, REASON_BROKEN},
		{-17 /* EEXIST */, LOGIN_DENIED, REASON_SSO_NOT_BOUND},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct flow_result first = sso_proven(STAFF_ISSUER, "sub-edith", "edith@acme.example");
		struct login_reply reply;
		char token[LOGIN_TOKEN_CHARS + 1];

		fake.remember_result = table[i].result;
		sso_to_code("edith", token);
		assert_false(sso_done(&first, &reply));
		reply = answer(token, "");
		assert_int_equal(reply.step, table[i].step);
		assert_int_equal(reply.reason, table[i].reason);
		assert_int_equal(heard.reason, table[i].reason);
		assert_int_equal(sso_account("edith", token), REASON_LOGIN_EXPIRED);
	}
}

/* Suspended people read the same as others until they are proven; then they are told, and nothing is bound. */
static void suspended_people(void **state)
{
	struct flow_result first = sso_proven(STAFF_ISSUER, "sub-gone", "gone@acme.example");
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply, other;
	char token[LOGIN_TOKEN_CHARS + 1];

	reply = sso_begin("gone");
	assert_int_equal(reply.step, LOGIN_PENDING);
	assert_true(sso_code(&reply));
	other = sso_begin("alice");
	assert_true(sso_code(&other));
	assert_string_equal(reply.text, other.text);
	memcpy(token, reply.token, sizeof(token));
	reply = sso_begin("gone");
	assert_true(sso_code(&reply));
	memcpy(token, reply.token, sizeof(token));
	assert_false(sso_done(&first, &reply));
	reply = answer(token, "");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_USER_SUSPENDED);
	assert_int_equal(fake.remembered_count, 0);
	/* One whose identity is listed is told by the account stage, as with keys. */
	sso_reload("    login: alice\n", "    login: alice\n    status: suspended\n");
	sso_to_code("alice", token);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
	assert_int_equal(sso_account("alice", token), REASON_USER_SUSPENDED);
}

/* ---- what changes meanwhile ------------------------------------------------------------------------- */

static void the_picture_is_replaced_while_waiting(void **state)
{
	static const struct {
		const char *from, *to;
		enum login_step step;
		enum reason reason;
	} table[] = {
		/* the provider's record: another client, another issuer's name, gone */
		{"client_id: hosts, bind", "client_id: others, bind", LOGIN_DENIED, REASON_LOGIN_EXPIRED},
		{"domains: [acme.example]", "domains: [acme.example, gmail.com]", LOGIN_DENIED, REASON_LOGIN_EXPIRED},
		{"id: idp_staff,", "id: idp_new,", LOGIN_DENIED, REASON_LOGIN_EXPIRED},
		/* the identity: taken off, another's by now */
		{"sub-alice", "sub-later", LOGIN_DENIED, REASON_SSO_OTHER_PERSON},
		{"    identities: [{issuer: https://staff.example, subject: sub-alice}]\n", "", LOGIN_DENIED,
		 REASON_SSO_NOT_BOUND},
		{"login: edith,", "login: edith, identities: [{issuer: https://staff.example, subject: sub-edith}],",
		 LOGIN_ALLOWED, REASON_ALLOWED},
	};

	for (unsigned held = 0; held < 2; held++)
		for (size_t i = 0; i < ARRAY_LEN(table); i++) {
			struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
			struct login_reply reply;
			char token[LOGIN_TOKEN_CHARS + 1];

			teardown(state);
			sso_setup(state);
			sso_to_code("alice", token);
			if (held) {
				assert_int_equal(answer(token, "").step, LOGIN_PENDING);
				sso_reload(table[i].from, table[i].to);
				assert_true(sso_done(&alice, &reply));
			} else { /* after the approval, before Enter */
				assert_false(sso_done(&alice, &reply));
				sso_reload(table[i].from, table[i].to);
				reply = answer(token, "");
			}
			if (reply.step != table[i].step || reply.reason != table[i].reason)
				fail_msg("%zu: step %d, %s", i, (int)reply.step, reason_word(reply.reason));
		}
}

/* The thread ends what was begun by a record that changed; that is nobody's refusal. */
static void the_thread_ends_flows_of_a_record_that_changed(void **state)
{
	struct flow_result ended = sso_ended(FLOW_REFUSED, "the client is gone");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	sso_reload("client_id: hosts, bind", "client_id: others, bind");
	assert_true(sso_done(&ended, &reply));
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_LOGIN_EXPIRED);
}

static void the_person_is_gone(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	directory_unref(d);
	d = fixture_load("gpu-1", "version: 1\n");
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(heard.reason, REASON_UNKNOWN_USER);
	assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
}

static void the_directory_is_gone(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	sso_no_directory();
	now += 25 * SECOND;
	assert_true(sso_tick(&reply)); /* "still waiting", without a word of the directory */
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_int_equal(answer(token, "").step, LOGIN_BROKEN);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_BROKEN);
}

static void a_held_answer_without_a_directory(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	sso_no_directory();
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_BROKEN);
	/* The first code comes to a host that has none any more. */
	sso_reload("acme.example", "acme.example");
	assert_int_equal(sso_begin("alice").step, LOGIN_PENDING);
	sso_no_directory();
	assert_true(sso_code(&reply));
	assert_int_equal(reply.step, LOGIN_PROMPT);
	now += 301 * SECOND;
	assert_false(sso_tick(&reply));
}

static void switched_off_while_waiting(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1], finished[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", finished);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(finished, "").step, LOGIN_ALLOWED);
	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	login_book_set_sso(book, NULL);
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_SSO_NOT_OFFERED);
	assert_int_equal(sso_account("alice", finished), REASON_LOGIN_EXPIRED);
	login_book_set_sso(book, &sso);
	assert_int_equal(sso_account("alice", finished), REASON_ALLOWED);
	sso_to_code("alice", token);
	login_book_set_sso(book, NULL);
	assert_int_equal(answer(token, "").reason, REASON_SSO_NOT_OFFERED);
	login_cancel_owner(book, OWNER, now);
}

static void later_stages_look_again(void **state)
{
	static const struct {
		const char *from, *to;
		enum reason reason;
	} table[] = {
		{"client_id: hosts, bind", "client_id: others, bind", REASON_LOGIN_EXPIRED},
		{"bind: verified_email, ", "", REASON_LOGIN_EXPIRED},
		{"id: idp_staff,", "id: idp_new,", REASON_LOGIN_EXPIRED},
		{"sub-alice", "sub-later", REASON_LOGIN_EXPIRED},
		{"    login: alice\n", "    login: alice\n    status: suspended\n", REASON_USER_SUSPENDED},
		{"    login: alice\n", "    login: alice\n    sessions_valid_from: 2027-01-15T08:00:30Z\n",
		 REASON_CREDENTIAL_STALE},
		{"name: Beta Works", "name: Beta Words", REASON_ALLOWED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
		struct login_reply reply;
		char token[LOGIN_TOKEN_CHARS + 1];
		enum reason reason;

		teardown(state);
		sso_setup(state);
		sso_to_code("alice", token);
		assert_false(sso_done(&alice, &reply));
		assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
		assert_int_equal(sso_account("alice", token), REASON_ALLOWED);
		sso_reload(table[i].from, table[i].to);
		reason = sso_account("alice", token);
		if (reason != table[i].reason)
			fail_msg("%zu: %s", i, reason_word(reason));
	}
}

/* What a first sign-in bound is taken away: the sign-in by it is over. */
static void an_identity_that_is_unbound(void **state)
{
	struct flow_result first = sso_proven(STAFF_ISSUER, "sub-edith", "edith@acme.example");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("edith", token);
	assert_false(sso_done(&first, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
	assert_int_equal(sso_account("edith", token), REASON_ALLOWED);
	fake.remembered_count = 0;
	assert_int_equal(sso_account("edith", token), REASON_LOGIN_EXPIRED);
}

/* An approval from before the person's sign-ins were ended does not outlive that, whenever it arrives. */
static void sign_ins_ended_while_waiting(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct flow_result edith = sso_proven(STAFF_ISSUER, "sub-edith", "edith@acme.example");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1], ediths_token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("edith", ediths_token);
	assert_false(sso_done(&edith, &reply));
	sso_to_code("alice", token);
	sso_reload("    login: alice\n", "    login: alice\n    sessions_valid_from: 2027-01-15T08:00:30Z\n");
	sso_reload("login: edith,", "login: edith, sessions_valid_from: 2027-01-15T08:00:30Z,");
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
	assert_int_equal(sso_account("alice", token), REASON_CREDENTIAL_STALE);
	reply = answer(ediths_token, "");
	assert_int_equal(reply.reason, REASON_CREDENTIAL_STALE);
	assert_int_equal(fake.remembered_count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SSO_TEST(somebody_else),
		SSO_TEST(somebody_else_again_and_again),
		SSO_TEST(the_first_time_binds),
		SSO_TEST(nothing_is_bound_for_who_went_away),
		SSO_TEST(what_cannot_be_kept_lets_nobody_in),
		SSO_TEST(suspended_people),
		SSO_TEST(the_picture_is_replaced_while_waiting),
		SSO_TEST(the_thread_ends_flows_of_a_record_that_changed),
		SSO_TEST(the_person_is_gone),
		SSO_TEST(the_directory_is_gone),
		SSO_TEST(a_held_answer_without_a_directory),
		SSO_TEST(switched_off_while_waiting),
		SSO_TEST(later_stages_look_again),
		SSO_TEST(an_identity_that_is_unbound),
		SSO_TEST(sign_ins_ended_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
