/* SPDX-License-Identifier: MIT
 *
 * The conversation of a sign-in: prompts, answers, attempts, tokens, time.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "login_fixture.h"

static void a_right_key_signs_in(void **state)
{
	struct login_origin origin = from_ssh("alice");
	char token[LOGIN_TOKEN_CHARS + 1];
	struct login_verdict verdict;

	sign_in("alice", alices.text, token);
	assert_int_equal(heard.kind, AUDIT_KEY_USED);
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.user->id, "usr_alice");
	assert_ptr_equal(verdict.subject, verdict.user);
	assert_string_equal(verdict.project->slug, "vision");
	assert_string_equal(verdict.tenant->slug, "acme");
	assert_string_equal(verdict.role, "owner");
	assert_string_equal(verdict.key_id, alices.id);
	assert_true(text_starts(verdict.credential, "api-key:key_"));
	assert_string_equal(verdict.message, "");
	assert_string_equal(verdict.warning, "");
	assert_int_equal(heard.kind, AUDIT_LOGIN_ALLOWED);
}

static void pasted_with_line_end_and_spaces(void **state)
{
	char token[LOGIN_TOKEN_CHARS + 1], text[128];

	snprintf(text, sizeof(text), " \t%s\r\n", alices.text);
	sign_in("alice", text, token);
}

/* Each answer, what the caller is told, and what the audit knows. */
static void every_wrong_answer(void **state)
{
	struct fixture_key strange = fixture_key(API_KEY_PERSON, "usr_alice", "never stored", "");
	char cut[96], wrong[96];
	const struct {
		const char *answer;
		enum reason told, known;
		const char *text;
	} table[] = {
		{strange.text, REASON_KEY_WRONG, REASON_KEY_UNKNOWN, "The key was not accepted."},
		{wrong, REASON_KEY_WRONG, REASON_KEY_WRONG, "The key was not accepted."},
		{ediths.text, REASON_KEY_WRONG, REASON_KEY_OTHER_USER, "The key was not accepted."},
		{bots.text, REASON_KEY_WRONG, REASON_KEY_WRONG, "The key was not accepted."},
		{expired.text, REASON_KEY_WRONG, REASON_KEY_EXPIRED, "The key was not accepted."},
		{revoked.text, REASON_KEY_WRONG, REASON_KEY_REVOKED, "The key was not accepted."},
		{cut, REASON_KEY_MALFORMED, REASON_KEY_MALFORMED, NULL},
		{"tnt_pk_", REASON_KEY_MALFORMED, REASON_KEY_MALFORMED, NULL},
		{"correct horse battery staple", REASON_CREDENTIAL_UNSUPPORTED, REASON_CREDENTIAL_UNSUPPORTED, NULL},
		{"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", REASON_TOKEN_WRONG, REASON_TOKEN_WRONG,
		 "The access token was not accepted."},
		{"\b\n\r\177INCORRECT", REASON_CREDENTIAL_UNSUPPORTED, REASON_CREDENTIAL_UNSUPPORTED, NULL},
	};
	struct fixture_key other = fixture_key(API_KEY_PERSON, "usr_alice", "x", "");

	snprintf(cut, sizeof(cut), "%.40s", alices.text);
	/* Alice's key with another's secret: a record of hers under the other's verifier makes the secret wrong. */
	snprintf(wrong, sizeof(wrong), "%s", other.text);
	{
		char yaml[2048];
		const char *verifier = strstr(alices.yaml, "sha256:");

		snprintf(yaml, sizeof(yaml),
			 "  - id: %s\n    user: usr_alice\n    label: y\n    verifier: \"%.71s\"\n    created: "
			 "2026-11-21T08:00:00Z\n%s",
			 other.id, verifier, alices.yaml);
		directory_unref(d);
		d = load(yaml);
	}
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = from_ssh("alice");
		struct login_reply reply;

		now += 7200 * SECOND; /* the throttle forgets */
		reply = start(&origin);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_false(reply.echo);
		assert_string_equal(reply.text, "API key: ");
		reply = answer(reply.token, table[i].answer);
		if (reply.step != LOGIN_PROMPT || reply.reason != table[i].told || heard.reason != table[i].known)
			fail_msg("%zu: step %d, told %s, audit %s", i, (int)reply.step, reason_word(reply.reason),
				 reason_word(heard.reason));
		assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
		assert_string_equal(heard.user, "alice");
		assert_true(reply.delay_usec >= 500 * USEC_PER_MSEC);
		if (table[i].text) {
			char text[128];

			snprintf(text, sizeof(text), "%s\nAPI key: ", table[i].text);
			assert_string_equal(reply.text, text);
		}
		/* What was typed is shown to nobody, and the log does not have it. */
		if (strlen(table[i].answer) > 4) {
			assert_null(strstr(reply.text, table[i].answer));
			assert_null(strstr(buffer_text(&heard.all), table[i].answer));
		}
	}
	assert_null(strstr(buffer_text(&heard.all), "battery"));
	assert_null(strstr(buffer_text(&heard.all), "eyJ"));
	assert_null(strstr(buffer_text(&heard.all), strrchr(strange.text, '_')));
}

/* Enter where there is no single sign-on: no credential, no failed attempt, and nothing for the audit. */
static void nothing_typed(void **state)
{
	static const char *const nothing[] = {"", " ", "\t\r\n"};

	for (unsigned i = 0; i < 30; i++) {
		struct login_origin origin = from_ssh("alice");
		struct login_reply reply = start(&origin);
		unsigned before = heard.count;

		reply = answer(reply.token, nothing[i % ARRAY_LEN(nothing)]);
		assert_int_equal(reply.step, LOGIN_DENIED);
		assert_int_equal(reply.reason, REASON_SSO_NOT_OFFERED);
		assert_false(reply.final);
		assert_true(reply.delay_usec >= SECOND);
		assert_string_equal(reply.text, reason_text(REASON_SSO_NOT_OFFERED));
		assert_int_equal(heard.count, before);
	}
}

static void three_attempts(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply = start(&origin);
	char token[LOGIN_TOKEN_CHARS + 1];

	memcpy(token, reply.token, sizeof(token));
	assert_int_equal(answer(token, "one").step, LOGIN_PROMPT);
	assert_int_equal(answer(token, "two").step, LOGIN_PROMPT);
	reply = answer(token, "three");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_true(reply.final);
	assert_string_equal(reply.token, "");
	reply = answer(token, alices.text); /* over is over */
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_LOGIN_EXPIRED);
}

static void the_same_answer_again_is_one_attempt(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply = start(&origin);
	unsigned before;

	reply = answer(reply.token, "stored password");
	before = heard.count;
	reply = answer(reply.token, "stored password");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_false(reply.final); /* the program may ask its person anew */
	assert_int_equal(heard.count, before);
}

static void a_second_answer_may_be_right(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply = start(&origin);

	reply = answer(reply.token, "oops");
	reply = answer(reply.token, alices.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_ALLOWED);
}

static void not_ours(void **state)
{
	static const char *const names[] = {"root", "nobody-here", "", "ALICE", "alice ", "alice\n", "usr_alice"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct login_origin origin = from_ssh(names[i]);
		struct login_reply reply = start(&origin);
		struct login_verdict verdict = authorize(&origin, "", "");

		assert_int_equal(reply.step, LOGIN_DENIED);
		assert_true(reply.unknown_user);
		assert_true(verdict.unknown_user);
		assert_int_not_equal(verdict.reason, REASON_ALLOWED);
		assert_null(verdict.user);
	}
}

static void tokens_are_bound(void **state)
{
	struct login_origin alice = from_ssh("alice"), edith = from_ssh("edith");
	struct login_origin console = alice;
	char token[LOGIN_TOKEN_CHARS + 1], bad[LOGIN_TOKEN_CHARS + 1];
	struct login_reply reply;

	/* Unfinished: for its owner alone, and for no account stage. */
	reply = start(&alice);
	memcpy(token, reply.token, sizeof(token));
	login_answer(book, d, token, OWNER + 1, alices.text, strlen(alices.text), now, today, &reply);
	assert_int_equal(reply.reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_LOGIN_EXPIRED);
	/* Finished: for its user and service alone. */
	sign_in("alice", alices.text, token);
	assert_int_equal(authorize(&edith, token, "").reason, REASON_LOGIN_EXPIRED);
	console.service = "login";
	assert_int_equal(authorize(&console, token, "").reason, REASON_LOGIN_EXPIRED);
	memcpy(bad, token, sizeof(bad));
	bad[5] = bad[5] == 'A' ? 'B' : 'A';
	assert_int_equal(authorize(&alice, bad, "").reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(authorize(&alice, "x", "").reason, REASON_LOGIN_EXPIRED);
	/* A public key beside it does not mend a wrong token. */
	assert_int_equal(authorize(&alice, bad, "publickey " SSH_KEY).reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(answer(token, alices.text).reason, REASON_LOGIN_EXPIRED); /* finished */
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	login_forget(book, token);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_LOGIN_EXPIRED);
}

static void time_goes_by(void **state)
{
	struct login_origin alice = from_ssh("alice");
	char token[LOGIN_TOKEN_CHARS + 1];
	struct login_reply reply;

	assert_int_equal(login_next_tick(book), 0);
	reply = start(&alice);
	assert_int_equal(login_next_tick(book), now + 120 * SECOND);
	now += 121 * SECOND;
	assert_int_equal(answer(reply.token, alices.text).reason, REASON_LOGIN_EXPIRED);
	login_tick(book, now);
	assert_int_equal(login_next_tick(book), 0);

	sign_in("alice", alices.text, token);
	now += 599 * SECOND;
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	now += 2 * SECOND;
	assert_int_equal(authorize(&alice, token, "").reason, REASON_LOGIN_EXPIRED);
	login_tick(book, now);
	assert_int_equal(login_next_tick(book), 0); /* nothing left that would wake anybody */
}

static void the_caller_hangs_up(void **state)
{
	struct login_origin alice = from_ssh("alice");
	char finished[LOGIN_TOKEN_CHARS + 1];
	struct login_reply open = start(&alice);

	sign_in("alice", alices.text, finished);
	login_cancel_owner(book, OWNER + 1, now);
	assert_int_equal(answer(open.token, "x").step, LOGIN_PROMPT);
	login_cancel_owner(book, OWNER, now);
	assert_int_equal(answer(open.token, alices.text).reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(authorize(&alice, finished, "").reason, REASON_ALLOWED);
}

/* The system runs the program as somebody else than the directory means: no key is even asked for. */
static void another_uid_is_another_person(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_reply reply;

	alice.uid = 1879048211;
	reply = start(&alice);
	assert_int_equal(reply.step, LOGIN_BROKEN);
	assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	assert_non_null(strstr(buffer_text(&heard.all),
			       "TENANT_DETAIL=the system gives alice the uid 1879048211, the directory 1879048210\n"));
	alice.uid = 1879048210;
	reply = start(&alice);
	assert_int_equal(answer(reply.token, alices.text).step, LOGIN_ALLOWED);
}

static void the_book_is_bounded(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct login_reply first = start(&alice), reply;

	for (int i = 0; i < 10000; i++) {
		now++;
		reply = start(&alice);
		assert_int_equal(reply.step, LOGIN_PROMPT);
	}
	assert_int_equal(answer(first.token, alices.text).reason, REASON_LOGIN_EXPIRED); /* the oldest went */
	assert_int_equal(answer(reply.token, alices.text).step, LOGIN_ALLOWED);
}

/* sudo in a loop, where the tenant wants no proof: each is a sign-in that is finished and never fetched. */
static void who_fills_the_book_loses_their_own(void **state)
{
	const struct login_shortcut nothing = {0};
	struct login_origin edith = from_ssh("edith"), hub = from_ssh("alice"), local = from_ssh("alice");
	struct login_reply typing, done, waiting, last = {0};

	local.service = "sudo";
	local.requesting_user = "alice";
	local.shortcut = &nothing;
	hub.service = "jupyterhub";
	hub.source = "";
	sign_in("edith", ediths.text, done.token); /* and is on the way to the session */
	typing = start(&edith);
	waiting = start(&hub);
	for (int i = 0; i < 10000; i++) {
		now++;
		last = start(&local);
		assert_int_equal(last.step, LOGIN_ALLOWED);
	}
	assert_int_equal(answer(typing.token, ediths.text).step, LOGIN_ALLOWED);
	assert_int_equal(answer(waiting.token, alices.text).step, LOGIN_ALLOWED);
	assert_int_equal(authorize(&edith, done.token, "").reason, REASON_ALLOWED);
	assert_int_equal(last.step, LOGIN_ALLOWED);
}

static void too_many_attempts(void **state)
{
	struct login_origin here = from_ssh("alice"), there = here;
	struct login_reply early = start(&here), reply;
	char text[32];

	there.source = "198.51.100.7";
	for (int i = 0; i < 4; i++) {
		reply = start(&here);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		snprintf(text, sizeof(text), "guess %d", i);
		answer(reply.token, text);
	}
	reply = start(&here);
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
	assert_true(reply.final);
	assert_string_equal(reply.text, "Too many attempts; wait 2 seconds and try again.");
	assert_int_equal(heard.reason, REASON_TOO_MANY_ATTEMPTS);
	/* A conversation that began before does not slip through, not even with the right key. */
	reply = answer(early.token, alices.text);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
	/* Alice elsewhere is let in, and soon. */
	reply = start(&there);
	reply = answer(reply.token, alices.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_in_range(reply.delay_usec, 0, 1500 * USEC_PER_MSEC);
	now += 3 * SECOND;
	reply = start(&here);
	assert_int_equal(answer(reply.token, alices.text).step, LOGIN_ALLOWED);
}

/* A hub's web form: all visitors come from nowhere, so nobody of them can make anybody wait. */
static void visitors_of_a_hub_lock_nobody_out(void **state)
{
	struct login_origin visitor = from_ssh("alice"), edith, console;
	struct login_reply reply;
	char text[32];

	visitor.service = "jupyterhub";
	visitor.source = visitor.terminal = "";
	edith = visitor;
	edith.user = "edith";
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "guess %d", i);
		reply = start(&visitor);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		reply = answer(reply.token, text);
		assert_int_equal(reply.step, LOGIN_PROMPT);
	}
	assert_in_range(reply.delay_usec, 1, 1500 * USEC_PER_MSEC); /* late, and no more than that */
	reply = start(&edith);
	assert_int_equal(answer(reply.token, ediths.text).step, LOGIN_ALLOWED);
	reply = start(&visitor);
	reply = answer(reply.token, alices.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_in_range(reply.delay_usec, 0, 1500 * USEC_PER_MSEC);
	/* A terminal that such a service gives is its own word and no place, either. */
	visitor.terminal = "hub";
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "other %d", i);
		reply = start(&visitor);
		answer(reply.token, text);
	}
	assert_int_equal(start(&visitor).step, LOGIN_PROMPT);
	/* Who sits at the machine itself still waits alone. */
	console = visitor;
	console.service = "login";
	console.terminal = "tty1";
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "third %d", i);
		reply = start(&console);
		answer(reply.token, text);
	}
	assert_int_equal(start(&console).reason, REASON_TOO_MANY_ATTEMPTS);
}

static void a_stranger_at_su_uses_up_nobodys_chances(void **state)
{
	struct login_origin su = {.user = "alice",
				  .service = "su",
				  .source = "",
				  .terminal = "pts/1",
				  .requesting_user = "bob",
				  .uid = LOGIN_UID_UNSAID,
				  .requesting_uid = LOGIN_UID_UNSAID};
	struct login_origin sudo = su;
	struct login_reply reply;
	char text[32];

	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "guess %d", i);
		reply = start(&su);
		if (reply.step == LOGIN_PROMPT)
			answer(reply.token, text);
	}
	assert_int_equal(start(&su).reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(heard.kind, AUDIT_PRIVILEGE_DENIED);
	sudo.service = "sudo";
	sudo.requesting_user = "alice";
	sudo.source = "gpu-1"; /* sudo gives the host's own name, which says nothing */
	reply = start(&sudo);
	assert_int_equal(answer(reply.token, alices.text).step, LOGIN_ALLOWED);
}

/* sshd's account stage comes before the key is named: what else is known is decided, and the key at the
 * session stage, which is also where a yes is written. */
static void sshd_names_the_key_late(void **state)
{
	struct login_authorize session = {.origin = from_ssh("alice"), .token = "", .ssh_auth_info = "", .again = true};
	struct login_origin victor = from_ssh("victor");
	struct login_verdict verdict = authorize(&session.origin, "", "");

	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 0);
	assert_int_equal(authorize(&victor, "", "").reason, REASON_ROLE_TOO_LOW);
	assert_int_equal(heard.count, 1);
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_CREDENTIAL_UNSUPPORTED);
	session.ssh_auth_info =
		"publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_SSH_KEY_NOT_REGISTERED);
	assert_int_equal(heard.count, 3);
	session.ssh_auth_info = "publickey " SSH_KEY;
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.kind, AUDIT_LOGIN_ALLOWED);
	assert_int_equal(heard.count, 4);
}

static void without_a_directory(void **state)
{
	struct login_origin alice = from_ssh("alice");
	struct directory *had = d;

	d = NULL;
	assert_int_equal(start(&alice).step, LOGIN_BROKEN);
	assert_int_equal(answer("x", "y").step, LOGIN_BROKEN);
	assert_int_equal(authorize(&alice, "", "").reason, REASON_BROKEN);
	d = had;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_right_key_signs_in),
		TEST(pasted_with_line_end_and_spaces),
		TEST(every_wrong_answer),
		TEST(nothing_typed),
		TEST(three_attempts),
		TEST(the_same_answer_again_is_one_attempt),
		TEST(a_second_answer_may_be_right),
		TEST(not_ours),
		TEST(tokens_are_bound),
		TEST(time_goes_by),
		TEST(the_caller_hangs_up),
		TEST(another_uid_is_another_person),
		TEST(the_book_is_bounded),
		TEST(who_fills_the_book_loses_their_own),
		TEST(too_many_attempts),
		TEST(visitors_of_a_hub_lock_nobody_out),
		TEST(a_stranger_at_su_uses_up_nobodys_chances),
		TEST(sshd_names_the_key_late),
		TEST(without_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
