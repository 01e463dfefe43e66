/* SPDX-License-Identifier: MIT
 *
 * One-time codes: the text, the table, and what one is worth in a conversation.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "login/book.h"
#include "login/codes.h"
#include "login_fixture.h"

#define LIFETIME (120 * SECOND)

static void many_spellings_are_one_code(void **state)
{
	static const char *const same[] = {"0123456789AB", "0123-4567-89AB", "oi23-4567-89ab", " OL23 4567 89aB ",
					   "0-1-2-3-4-5-6-7-8-9-A-B"};
	static const char *const none[] = {"",
					   "0123456789A",
					   "0123456789ABC",
					   "0123-4567-89AU", /* no U in this alphabet */
					   "0123_4567_89AB",
					   "0123-4567-89A\xc3\x84",
					   "tnt_pk_0123456789"};
	char digits[CODE_DIGITS + 1];

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_true(code_has_shape(same[i], strlen(same[i])));
		assert_true(code_normalise(same[i], strlen(same[i]), digits));
		assert_string_equal(digits, "0123456789AB");
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (code_has_shape(none[i], strlen(none[i])))
			fail_msg("%s is no code", none[i]);
	assert_false(code_has_shape("0123\0-4567-89AB", 15));
}

static void codes_are_random_and_readable(void **state)
{
	char digits[CODE_DIGITS + 1], text[CODE_TEXT_SIZE], before[CODE_TEXT_SIZE] = "";
	unsigned seen[256] = {0}, different = 0;

	for (unsigned i = 0; i < 2000; i++) {
		assert_result(code_random(digits, text), 0);
		assert_int_equal(strlen(text), 14);
		assert_int_equal(text[4], '-');
		assert_int_equal(text[9], '-');
		assert_true(code_has_shape(text, strlen(text)));
		assert_string_not_equal(text, before);
		memcpy(before, text, sizeof(before));
		for (const char *c = digits; *c; c++)
			different += seen[(unsigned char)*c]++ == 0;
	}
	assert_int_equal(different, 32);
	assert_null(strpbrk(text, "ILOU"));
}

static const struct user_record *user(const char *login)
{
	return directory_user_by_login(d, login);
}

static struct code_made make(const char *login, const char *service)
{
	struct code_made made;

	assert_result(codes_make(login_book_codes(book), user(login), service, "", now + LIFETIME, now, &made), 0);
	return made;
}

static enum code_outcome use(const char *login, const char *service, const char *text)
{
	struct code_used used = {0};

	return codes_use(login_book_codes(book), user(login), service, text, strlen(text), now, &used);
}

static void good_once(void **state)
{
	struct code_made made = make("alice", "");

	assert_true(text_starts(made.name, "code:"));
	assert_int_equal(use("alice", "sshd", made.text), CODE_RIGHT);
	assert_int_equal(use("alice", "sshd", made.text), CODE_NONE);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
}

static void nobody_uses_up_what_they_cannot_use(void **state)
{
	struct code_made made = make("alice", "jupyterhub"), other = make("edith", "");

	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(use("edith", "jupyterhub", made.text), CODE_NONE);         /* somebody else's name */
		assert_int_equal(use("alice", "sshd", made.text), CODE_OTHER_SERVICE);      /* another place */
		assert_int_equal(use("alice", "jupyterhub", other.text), CODE_NONE);        /* somebody else's code */
		assert_int_equal(use("alice", "jupyterhub", "0000-0000-0000"), CODE_NONE);  /* a guess */
		assert_int_equal(use("victor", "jupyterhub", "0000-0000-0000"), CODE_NONE); /* who has none */
	}
	assert_int_equal(use("alice", "jupyterhub", made.text), CODE_RIGHT);
	assert_int_equal(use("edith", "anything", other.text), CODE_RIGHT);
}

static void a_new_one_ends_the_old(void **state)
{
	struct code_made first = make("alice", ""), second = make("alice", "");

	assert_int_equal(codes_count(login_book_codes(book)), 1);
	assert_int_equal(use("alice", "sshd", first.text), CODE_NONE);
	assert_int_equal(use("alice", "sshd", second.text), CODE_RIGHT);
}

static void ends_by_the_boot_clock(void **state)
{
	struct code_made made = make("alice", "");

	assert_int_equal(login_next_tick(book), now + LIFETIME);
	today += 86400 * 365; /* the wall clock says nothing */
	now += LIFETIME - 1;
	assert_int_equal(use("alice", "sshd", made.text), CODE_RIGHT);
	made = make("alice", "");
	now += LIFETIME;
	assert_int_equal(use("alice", "sshd", made.text), CODE_TOO_OLD);
	made = make("alice", "");
	make("edith", "");
	now += LIFETIME;
	login_tick(book, now);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
	assert_int_equal(login_next_tick(book), 0);
	assert_int_equal(use("alice", "sshd", made.text), CODE_NONE);
}

static void bounded_and_nobody_elses_gives_way(void **state)
{
	struct codes *codes = login_book_codes(book);
	struct user_record somebody = *user("alice");
	struct code_made first, made;
	char id[32];

	for (unsigned i = 0; i < CODES_MAX; i++) {
		snprintf(id, sizeof(id), "usr_%u", i);
		somebody.id = id;
		assert_result(codes_make(codes, &somebody, "", "", now + LIFETIME + i, now, &made), 0);
		if (i == 0)
			first = made;
	}
	assert_result(codes_make(codes, user("alice"), "", "", now + LIFETIME, now, &made), -ENOSPC);
	/* Who has one may still have another in its place. */
	assert_result(codes_make(codes, &somebody, "", "", now + LIFETIME, now, &made), 0);
	somebody.id = "usr_0";
	assert_int_equal(
		codes_use(codes, &somebody, "sshd", first.text, strlen(first.text), now, &(struct code_used){0}),
		CODE_RIGHT);
	assert_result(codes_make(codes, user("alice"), "", "", now + LIFETIME, now, &made), 0);
}

static void ends_with_the_persons_sign_ins(void **state)
{
	struct user_record later = *user("alice");
	struct code_made made = make("alice", "");

	later.sessions_valid_from++;
	assert_int_equal(codes_use(login_book_codes(book), &later, "sshd", made.text, strlen(made.text), now,
				   &(struct code_used){0}),
			 CODE_ENDED);
	assert_int_equal(use("alice", "sshd", made.text), CODE_NONE);
	made = make("alice", "");
	login_drop_code(book, "usr_edith");
	assert_int_equal(codes_count(login_book_codes(book)), 1);
	login_drop_code(book, "usr_alice");
	assert_int_equal(use("alice", "sshd", made.text), CODE_NONE);
}

/* ---- in a conversation ------------------------------------------------------------------------------ */

static struct login_origin at(const char *service, const char *login)
{
	struct login_origin origin = from_ssh(login);

	origin.service = service;
	return origin;
}

static struct login_reply type_in(const char *service, const char *login, const char *text)
{
	struct login_origin origin = at(service, login);
	struct login_reply reply = start(&origin);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	return answer(reply.token, text);
}

static void signs_in(void **state)
{
	struct login_origin origin = at("jupyterhub", "alice");
	struct code_made made = make("alice", "");
	struct login_verdict verdict;
	struct login_reply reply;

	reply = type_in("jupyterhub", "alice", made.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(heard.kind, AUDIT_CODE_USED);
	assert_string_equal(heard.credential, made.name);
	verdict = authorize(&origin, reply.token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.credential, made.name);
	assert_string_equal(verdict.key_id, "");
	/* Neither the code nor half of it is written anywhere. */
	assert_null(strstr(buffer_text(&heard.all), made.text));
	assert_null(strstr(buffer_text(&heard.all), made.text + 5));
}

/* Both conversations were there before either answered. */
static void of_two_at_once_one_gets_in(void **state)
{
	struct login_origin origin = at("sshd", "alice");
	struct code_made made = make("alice", "");
	struct login_reply first = start(&origin), second = start(&origin);

	assert_int_equal(answer(first.token, made.text).step, LOGIN_ALLOWED);
	second = answer(second.token, made.text);
	assert_int_equal(second.step, LOGIN_PROMPT);
	assert_int_equal(second.reason, REASON_CODE_WRONG);
}

static void wrong_ones_are_told_and_counted(void **state)
{
	struct code_made made = make("alice", "jupyterhub");
	struct login_reply reply = type_in("sshd", "alice", made.text);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_int_equal(reply.reason, REASON_CODE_WRONG);
	assert_non_null(strstr(reply.text, "The code was not accepted."));
	assert_true(reply.delay_usec > 0);
	assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
	assert_int_equal(heard.reason, REASON_CODE_WRONG);
	assert_string_equal(heard.credential, made.name); /* the audit knows which, and why */
	assert_non_null(strstr(buffer_text(&heard.all), "the code is for another service"));
	/* And the person is told the same about one that nobody ever had. */
	now += 7200 * SECOND;
	assert_string_equal(type_in("sshd", "alice", "0000-0000-0000").text, reply.text);
	assert_string_equal(heard.credential, "code");
}

static void guesses_wait_like_those_of_keys(void **state)
{
	struct login_origin origin = at("sshd", "alice");
	struct code_made made = make("alice", "");
	struct login_reply reply;
	unsigned tries = 0;
	char guess[16];

	do {
		reply = start(&origin);
		if (reply.step != LOGIN_PROMPT)
			break;
		snprintf(guess, sizeof(guess), "0000-0000-%04u", tries);
		reply = answer(reply.token, guess);
	} while (reply.reason != REASON_TOO_MANY_ATTEMPTS && ++tries < 50);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
	/* At another address the right one is still good. */
	origin.source = "198.51.100.7";
	reply = start(&origin);
	assert_int_equal(answer(reply.token, made.text).step, LOGIN_ALLOWED);
}

static void sudo_takes_none_and_uses_none_up(void **state)
{
	static const char *const services[] = {"sudo", "sudo-i", "polkit-1"};
	struct code_made made = make("alice", "");

	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct login_reply reply;

		now += 10 * SECOND;
		reply = type_in(services[i], "alice", made.text);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_int_equal(reply.reason, REASON_CREDENTIAL_UNSUPPORTED);
		assert_non_null(strstr(reply.text, "sudo"));
	}
	assert_int_equal(type_in("sshd", "alice", made.text).step, LOGIN_ALLOWED);
}

/* ---- who gets one ----------------------------------------------------------------------------------- */

static int64_t session_valid_from;  /* of the session that asks */
static const char *session_user_id; /* NULL: of who asks */

static struct code_verdict ask(const char *login, const char *service, const char *session_credential)
{
	struct code_request request = {
		.user = user(login),
		.service = service,
		.lifetime_usec = LIFETIME,
		.caller_uid = user(login)->uid,
		.caller_pid = 99,
		.session_credential = session_credential,
		.session_user_id = session_user_id ? session_user_id : user(login)->id,
		.session_valid_from = session_valid_from,
		.trusted = !session_credential,
	};
	struct code_verdict verdict;

	login_make_code(book, d, &request, now, today, &verdict);
	return verdict;
}

static const char *by_key(const struct fixture_key *key)
{
	static char name[64];

	snprintf(name, sizeof(name), "api-key:%s", key->id);
	return name;
}

static void from_within_a_session(void **state)
{
	struct code_verdict verdict = ask("alice", "", by_key(&alices));
	struct login_origin origin = at("jupyterhub", "alice");
	struct login_verdict allowed;
	struct login_reply reply;

	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.kind, AUDIT_CODE_MADE);
	assert_string_equal(heard.credential, verdict.made.name);
	reply = type_in("jupyterhub", "alice", verdict.made.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	allowed = authorize(&origin, reply.token, "");
	assert_int_equal(allowed.reason, REASON_ALLOWED);
	assert_string_equal(allowed.key_id, alices.id);       /* it goes on as that key */
	assert_string_equal(allowed.origin, by_key(&alices)); /* and the session ends with it */
}

static void who_gets_none(void **state)
{
	char name[64];
	const struct {
		const char *credential;
		enum reason reason;
	} table[] = {
		{"", REASON_NOT_PERMITTED},
		{"none", REASON_NOT_PERMITTED},
		{"code:Ab3dE9xZ", REASON_NOT_PERMITTED},
		{"password", REASON_NOT_PERMITTED},
		{"recent:api-key:key_x", REASON_NOT_PERMITTED},
		{"api-key:key_never", REASON_KEY_REVOKED},
		{"ssh-key:SHA256:AAAA", REASON_SSH_KEY_NOT_REGISTERED},
		{name, REASON_KEY_REVOKED},
	};

	snprintf(name, sizeof(name), "%s", by_key(&revoked));
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct code_verdict verdict = ask("alice", "", table[i].credential);

		if (verdict.reason != table[i].reason || verdict.made.text[0] || !verdict.message[0])
			fail_msg("%s: %s", table[i].credential, reason_word(verdict.reason));
		assert_int_equal(heard.kind, AUDIT_CODE_REFUSED);
	}
	/* Somebody else's key in their session's name. */
	snprintf(name, sizeof(name), "%s", by_key(&ediths));
	assert_int_equal(ask("alice", "", name).reason, REASON_KEY_REVOKED);
	snprintf(name, sizeof(name), "%s", by_key(&expired));
	assert_int_equal(ask("alice", "", name).reason, REASON_KEY_EXPIRED);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
}

/* All of a person's sign-ins were ended; a session of before, which still runs, makes no way back in. */
static void not_from_a_session_whose_sign_in_was_ended(void **state)
{
	char *yaml, *at;

	directory_unref(d);
	assert_true(asprintf(&yaml, "%skeys:\n%s", fixture_yaml, alices.yaml) > 0);
	at = strstr(yaml, "    uid: 1879048210\n");
	assert_non_null(at);
	*at = '\0';
	d = fixture_join("gpu-1", yaml, "    sessions_valid_from: 2027-01-15T08:00:30Z\n    uid: 1879048210\n",
			 at + strlen("    uid: 1879048210\n"), NULL);
	free(yaml);
	session_valid_from = user("alice")->sessions_valid_from - 1;
	assert_int_equal(ask("alice", "", by_key(&alices)).reason, REASON_CREDENTIAL_STALE);
	assert_int_equal(heard.kind, AUDIT_CODE_REFUSED);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
	/* One of afterwards, and whom nobody asks for a session. */
	session_valid_from = user("alice")->sessions_valid_from;
	assert_int_equal(ask("alice", "", by_key(&alices)).reason, REASON_ALLOWED);
	session_valid_from = 0;
	assert_int_equal(ask("alice", "", NULL).reason, REASON_ALLOWED);
}

/* A uid that was given to somebody else, while a session of who had it goes on. */
static void not_from_a_session_of_who_had_the_uid(void **state)
{
	session_user_id = "usr_alice_of_before";
	assert_int_equal(ask("alice", "", "token:abc").reason, REASON_NOT_PERMITTED);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
	session_user_id = NULL;
	assert_int_equal(ask("alice", "", "token:abc").reason, REASON_ALLOWED);
}

static void not_for_whom_policy_refuses(void **state)
{
	assert_int_equal(ask("gone", "", NULL).reason, REASON_USER_SUSPENDED);
	assert_int_equal(ask("sam", "", NULL).reason, REASON_NOT_A_MEMBER); /* of nothing that is here */
	assert_int_equal(ask("alice", "sudo", NULL).reason, REASON_CREDENTIAL_UNSUPPORTED);
	assert_int_equal(heard.kind, AUDIT_CODE_REFUSED);
	assert_int_equal(codes_count(login_book_codes(book)), 0);
}

static void ends_with_the_key_it_came_from(void **state)
{
	struct code_verdict verdict = ask("alice", "", by_key(&alices));
	struct login_reply reply;

	directory_unref(d);
	d = load(""); /* her key is gone */
	reply = type_in("jupyterhub", "alice", verdict.made.text);
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_int_equal(reply.reason, REASON_CODE_WRONG);
	assert_non_null(strstr(buffer_text(&heard.all), "what the code was made by"));
}

/* What a code came from may end between the stages, too. */
static void ends_with_the_ssh_key_it_came_from(void **state)
{
	static const char line[] = "    ssh_keys: [\"" SSH_KEY " laptop\"]\n";
	struct login_origin ssh = from_ssh("alice"), hub = at("jupyterhub", "alice");
	struct login_authorize session = {
		.origin = ssh, .token = "", .ssh_auth_info = "publickey " SSH_KEY, .again = true};
	struct login_verdict allowed;
	struct login_reply reply;
	char *at_line, *yaml;

	login_authorize(book, d, &session, now, today, &allowed);
	assert_int_equal(allowed.reason, REASON_ALLOWED);
	reply = type_in("jupyterhub", "alice", ask("alice", "", allowed.credential).made.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(authorize(&hub, reply.token, "").reason, REASON_ALLOWED);
	at_line = strstr(fixture_yaml, line);
	assert_non_null(at_line);
	assert_true(asprintf(&yaml, "%.*s%skeys:\n%s", (int)(at_line - fixture_yaml), fixture_yaml,
			     at_line + strlen(line), alices.yaml) > 0);
	directory_unref(d);
	d = fixture_join("gpu-1", yaml, NULL);
	free(yaml);
	assert_int_equal(authorize(&hub, reply.token, "").reason, REASON_SSH_KEY_NOT_REGISTERED);
}

static void has_the_scope_of_its_key(void **state)
{
	struct fixture_key scoped = fixture_key(API_KEY_PERSON, "usr_alice", "scoped", "scopes: {services: [sshd]}");
	struct login_origin ssh = at("sshd", "alice");
	struct code_verdict verdict;
	struct login_reply reply;

	directory_unref(d);
	d = load(scoped.yaml);
	verdict = ask("alice", "", by_key(&scoped));
	reply = type_in("jupyterhub", "alice", verdict.made.text);
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_KEY_SCOPE_SERVICE);
	verdict = ask("alice", "", by_key(&scoped));
	reply = type_in("sshd", "alice", verdict.made.text);
	assert_int_equal(authorize(&ssh, reply.token, "").reason, REASON_ALLOWED);
}

static void services_are_told_no_without_a_look(void **state)
{
	struct code_made made = make("alice", "");
	struct credential_check check = {.credential = made.text,
					 .length = strlen(made.text),
					 .project = "",
					 .action = "",
					 .service = "hub",
					 .source = "",
					 .caller_uid = 990,
					 .trusted = true};
	struct credential_verdict verdict;

	credential_verify(book, d, &check, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_CREDENTIAL_UNSUPPORTED);
	assert_non_null(strstr(verdict.message, "one-time"));
	assert_null(verdict.user);
	assert_int_equal(use("alice", "sshd", made.text), CODE_RIGHT); /* nothing was used up */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_spellings_are_one_code),
		cmocka_unit_test(codes_are_random_and_readable),
		TEST(good_once),
		TEST(nobody_uses_up_what_they_cannot_use),
		TEST(a_new_one_ends_the_old),
		TEST(ends_by_the_boot_clock),
		TEST(bounded_and_nobody_elses_gives_way),
		TEST(ends_with_the_persons_sign_ins),
		TEST(signs_in),
		TEST(of_two_at_once_one_gets_in),
		TEST(wrong_ones_are_told_and_counted),
		TEST(guesses_wait_like_those_of_keys),
		TEST(sudo_takes_none_and_uses_none_up),
		TEST(from_within_a_session),
		TEST(who_gets_none),
		TEST(not_from_a_session_whose_sign_in_was_ended),
		TEST(not_from_a_session_of_who_had_the_uid),
		TEST(not_for_whom_policy_refuses),
		TEST(ends_with_the_key_it_came_from),
		TEST(ends_with_the_ssh_key_it_came_from),
		TEST(has_the_scope_of_its_key),
		TEST(services_are_told_no_without_a_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
