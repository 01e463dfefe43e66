/* SPDX-License-Identifier: MIT
 *
 * Single sign-on in the conversation: prompts, held answers, ends.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "sso_fixture.h"

static void assert_ends_with(const char *text, const char *end)
{
	assert_true(strlen(text) >= strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void approved_while_an_answer_is_held(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_origin origin = from_ssh("alice");
	struct login_verdict verdict;
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(fake.started, 1);
	assert_string_equal(fake.idp, "idp_staff");
	reply = answer(token, "");
	assert_int_equal(reply.step, LOGIN_PENDING);
	now += 3 * SECOND;
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_string_equal(reply.token, token);
	assert_int_equal(reply.delay_usec, 0);
	assert_int_equal(heard.count, 0); /* the account stage writes the yes */
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.credential, "sso:idp_staff");
	assert_string_equal(verdict.key_id, "");
	assert_string_equal(verdict.role, "owner");
	assert_int_equal(heard.kind, AUDIT_LOGIN_ALLOWED);
	assert_string_equal(heard.credential, "sso:idp_staff");
	assert_int_equal(fake.remembered_count, 0); /* it is listed */
	assert_int_equal(fake.cancelled, 0);        /* over by itself */
	assert_int_equal(login_flow_waiting(book), 0);
}

static void approved_before_enter(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_false(sso_done(&alice, &reply)); /* nobody waits */
	assert_int_equal(sso_account("alice", token), REASON_LOGIN_EXPIRED);
	reply = answer(token, "\r\n");
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(sso_account("alice", token), REASON_ALLOWED);
	assert_false(sso_tick(&reply));
}

static void the_first_prompt_tells_the_choice(void **state)
{
	static const struct {
		const char *user, *prompt;
	} table[] = {
		{"alice", "API key (Enter for single sign-on): "},
		{"gone", "API key (Enter for single sign-on): "}, /* suspended: nobody learns that here */
		{"bert", "API key (Enter for single sign-on): "},
		{"bot", "API key: "}, /* a service account has nobody to approve */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = from_ssh(table[i].user);

		assert_string_equal(start(&origin).text, table[i].prompt);
	}
	login_book_set_sso(book, NULL);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = from_ssh(table[i].user);
		struct login_reply reply = start(&origin);

		assert_string_equal(reply.text, "API key: ");
		reply = answer(reply.token, "");
		assert_int_equal(reply.step, LOGIN_DENIED);
		assert_int_equal(reply.reason, REASON_SSO_NOT_OFFERED);
	}
	assert_int_equal(fake.started, 0);
	assert_int_equal(heard.count, 0);
}

static void a_service_account_has_no_single_sign_on(void **state)
{
	struct login_origin origin = from_ssh("bot");
	struct login_reply reply = start(&origin);

	reply = answer(reply.token, "");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_SSO_NOT_OFFERED);
	assert_int_equal(fake.started, 0);
}

static void keys_go_on_working(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply = start(&origin);

	reply = answer(reply.token, "oops");
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_false(reply.echo);
	assert_ends_with(reply.text, "\nAPI key (Enter for single sign-on): ");
	reply = answer(reply.token, alices.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(fake.started, 0);
	/* A wrong key first, then Enter. */
	reply = start(&origin);
	reply = answer(reply.token, "oops");
	reply = answer(reply.token, "");
	assert_int_equal(reply.step, LOGIN_PENDING);
	assert_int_equal(fake.started, 1);
}

static void still_waiting(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(answer(token, "").step, LOGIN_PENDING);
		assert_in_range(login_next_tick(book), 1, now + 25 * SECOND);
		now += 25 * SECOND - 1;
		assert_false(sso_tick(&reply));
		now += 1;
		assert_true(sso_tick(&reply));
		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_true(reply.echo);
		assert_string_equal(reply.token, token);
		assert_non_null(strstr(reply.text, "Still waiting"));
		assert_non_null(strstr(reply.text, "https://staff.example/device\n"));
		assert_non_null(strstr(reply.text, "WDJB-MJHT"));
		assert_null(strstr(reply.text, "\xe2\x96\x88")); /* the picture was shown once */
		assert_ends_with(reply.text, "hen press Enter: ");
		assert_false(sso_tick(&reply));
	}
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(fake.started, 1);
}

static void the_prompt(void **state)
{
	static const struct {
		const char *qr;
		enum qr_form usual;
		bool blocks, signs;
	} table[] = {
		{NULL, QR_FORM_UTF8, true, false},   {"", QR_FORM_ASCII, false, true},
		{"", QR_FORM_OFF, false, false},     {"utf8", QR_FORM_OFF, true, false},
		{"ascii", QR_FORM_OFF, false, true}, {"off", QR_FORM_UTF8, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		static const char first[] =
			"To sign in with Staff, open\n  https://staff.example/device\nand enter the "
			"code  WDJB-MJHT\n";
		struct login_origin origin = from_ssh("alice");
		struct login_reply reply;
		unsigned lines = 0;

		now += 60 * SECOND;
		sso.qr = table[i].usual;
		origin.qr = table[i].qr;
		reply = start(&origin);
		assert_int_equal(answer(reply.token, "").step, LOGIN_PENDING);
		assert_true(sso_code(&reply));
		assert_true(text_starts(reply.text, first));
		assert_ends_with(reply.text, "\nApprove the sign-in there, then press Enter: ");
		assert_int_equal(strstr(reply.text, "\xe2\x96\x88") != NULL, table[i].blocks);
		assert_int_equal(strstr(reply.text, "##") != NULL, table[i].signs);
		/* Nothing of it is secret, and nothing that is secret is in it. */
		assert_null(strstr(reply.text, "secret"));
		for (const char *at = reply.text; (at = strchr(at, '\n')); at++)
			lines++;
		if (table[i].blocks)
			assert_in_range(lines, 20, 23); /* one screen */
		login_cancel_owner(book, OWNER, now);
	}
}

static void a_slow_provider(void **state)
{
	struct login_reply reply = sso_begin("alice");
	char token[LOGIN_TOKEN_CHARS + 1];

	assert_int_equal(reply.step, LOGIN_PENDING);
	assert_string_equal(reply.token, "");
	now += 25 * SECOND;
	assert_true(sso_tick(&reply));
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_true(reply.echo);
	assert_string_equal(reply.text, "Staff has not answered yet. Press Enter to go on waiting: ");
	memcpy(token, reply.token, sizeof(token));
	/* It comes while the person reads: the next Enter shows it at once. */
	assert_false(sso_code(&reply));
	reply = answer(token, "");
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_true(text_starts(reply.text, "To sign in with Staff, open\n"));
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
}

static void a_provider_that_never_answers(void **state)
{
	struct login_reply reply = sso_begin("alice");

	now += 25 * SECOND;
	assert_true(sso_tick(&reply));
	now += 274 * SECOND;
	reply = answer(reply.token, "");
	assert_int_equal(reply.step, LOGIN_PENDING);
	now += SECOND;
	assert_true(sso_tick(&reply)); /* five minutes since it began */
	assert_int_equal(reply.step, LOGIN_BROKEN);
	assert_int_equal(reply.reason, REASON_SSO_UNREACHABLE);
	assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	assert_int_equal(fake.cancelled, 1);
	assert_int_equal(fake.cancelled_flow, fake.flow);
	assert_false(sso_tick(&reply));
}

static void nobody_approves(void **state)
{
	static const uint32_t timeouts[] = {0, 30, 1800};
	static const unsigned seconds[] = {300, 30, 600}; /* the provider's ten minutes are the longest */

	for (unsigned held = 0; held < 2; held++)
		for (size_t i = 0; i < ARRAY_LEN(timeouts); i++) {
			char token[LOGIN_TOKEN_CHARS + 1];
			struct login_reply reply;
			unsigned cancelled = fake.cancelled;

			sso.timeout_sec = timeouts[i];
			sso_to_code("alice", token);
			now += (seconds[i] - 1) * SECOND;
			assert_false(sso_tick(&reply));
			if (held)
				assert_int_equal(answer(token, "").step, LOGIN_PENDING);
			now += SECOND;
			heard.reason = REASON_ALLOWED;
			assert_int_equal(sso_tick(&reply), held);
			assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
			assert_int_equal(heard.reason, REASON_SSO_EXPIRED);
			assert_string_equal(heard.credential, "sso:idp_staff");
			assert_int_equal(fake.cancelled, cancelled + 1);
			if (!held) {
				now += 119 * SECOND;
				login_tick(book, now);
				reply = answer(token, "");
			}
			assert_int_equal(reply.step, LOGIN_DENIED);
			assert_int_equal(reply.reason, REASON_SSO_EXPIRED);
			assert_string_equal(reply.text, reason_text(REASON_SSO_EXPIRED));
			assert_false(reply.final);
			assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
			assert_int_equal(login_flow_waiting(book), 0);
			now += 3600 * SECOND;
		}
	assert_int_equal(login_next_tick(book), 0);
}

/* Nobody comes for what became of it: it is not kept for ever. */
static void nobody_comes_back(void **state)
{
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	now += 421 * SECOND;
	assert_false(sso_tick(&reply));
	login_tick(book, now);
	assert_int_equal(login_next_tick(book), 0);
	assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
}

/* Without the ticks an answer alone sees that the time is over. */
static void an_answer_after_the_end(void **state)
{
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	now += 301 * SECOND;
	reply = answer(token, "");
	assert_int_equal(reply.reason, REASON_SSO_EXPIRED);
	assert_int_equal(fake.cancelled, 1);
}

static void each_end_has_its_sentence(void **state)
{
	static const struct {
		enum flow_end end;
		enum login_step step;
		enum reason reason;
		enum audit_kind kind;
	} table[] = {
		{FLOW_DENIED, LOGIN_DENIED, REASON_SSO_DENIED, AUDIT_LOGIN_DENIED},
		{FLOW_EXPIRED, LOGIN_DENIED, REASON_SSO_EXPIRED, AUDIT_LOGIN_DENIED},
		{FLOW_BAD_TOKEN, LOGIN_DENIED, REASON_SSO_TOKEN_REFUSED, AUDIT_LOGIN_DENIED},
		{FLOW_REFUSED, LOGIN_BROKEN, REASON_SSO_REFUSED, AUDIT_LOGIN_BROKEN},
		{FLOW_UNREACHABLE, LOGIN_BROKEN, REASON_SSO_UNREACHABLE, AUDIT_LOGIN_BROKEN},
		{FLOW_END_COUNT, LOGIN_BROKEN, REASON_SSO_UNREACHABLE, AUDIT_LOGIN_BROKEN},
	};

	/* When it happens: before there is a code, while the person reads, while an answer is held. */
	for (unsigned when = 0; when < 3; when++)
		for (size_t i = 0; i < ARRAY_LEN(table); i++) {
			struct flow_result result = sso_ended(table[i].end, "what precisely");
			char token[LOGIN_TOKEN_CHARS + 1];
			struct login_reply reply;
			unsigned before;

			now += 60 * SECOND;
			result.token = TOKEN_OTHER_AUDIENCE;
			reply = sso_begin("alice");
			assert_int_equal(reply.step, LOGIN_PENDING);
			if (when > 0) {
				assert_true(sso_code(&reply));
				memcpy(token, reply.token, sizeof(token));
			}
			if (when == 2)
				assert_int_equal(answer(token, "").step, LOGIN_PENDING);
			before = heard.count;
			assert_int_equal(sso_done(&result, &reply), when != 1);
			assert_int_equal(heard.count, before + 1); /* as it happens, also when nobody comes back */
			assert_int_equal(heard.kind, table[i].kind);
			assert_int_equal(heard.reason, table[i].reason);
			assert_string_equal(heard.credential, "sso:idp_staff");
			if (when == 1)
				reply = answer(token, "");
			assert_int_equal(heard.count, before + 1);
			assert_int_equal(reply.step, table[i].step);
			assert_int_equal(reply.reason, table[i].reason);
			assert_string_equal(reply.text, reason_text(table[i].reason));
			assert_false(reply.final);
			assert_string_equal(reply.token, "");
			assert_int_equal(reply.delay_usec, 0); /* nobody guessed */
			if (when > 0)
				assert_int_equal(sso_account("alice", token), REASON_LOGIN_EXPIRED);
		}
	assert_non_null(strstr(buffer_text(&heard.all), "TENANT_DETAIL=other-audience: what precisely\n"));
	assert_int_equal(fake.cancelled, 0);
	{ /* None of that was a failed attempt. */
		struct login_origin origin = from_ssh("alice");
		struct login_reply reply = start(&origin);

		reply = answer(reply.token, alices.text);
		assert_int_equal(reply.step, LOGIN_ALLOWED);
		assert_int_equal(reply.delay_usec, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SSO_TEST(approved_while_an_answer_is_held),
		SSO_TEST(approved_before_enter),
		SSO_TEST(the_first_prompt_tells_the_choice),
		SSO_TEST(a_service_account_has_no_single_sign_on),
		SSO_TEST(keys_go_on_working),
		SSO_TEST(still_waiting),
		SSO_TEST(the_prompt),
		SSO_TEST(a_slow_provider),
		SSO_TEST(a_provider_that_never_answers),
		SSO_TEST(nobody_approves),
		SSO_TEST(nobody_comes_back),
		SSO_TEST(an_answer_after_the_end),
		SSO_TEST(each_end_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
