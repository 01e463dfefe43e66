/* SPDX-License-Identifier: MIT
 *
 * Single sign-on in the conversation, as an attacker or a strange program uses it: choices, what is typed where it does
 * not belong, others' connections and numbers, limits, hundreds of people at once.
 */
#include "unit.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "login/book.h"
#include "sso_fixture.h"

static struct login_reply answer_as(uint64_t owner, const char *token, const char *text)
{
	struct login_reply reply;

	login_answer(book, d, token, owner, text, strlen(text), now, today, &reply);
	return reply;
}

static struct login_reply start_as(uint64_t owner, const char *user, const char *source)
{
	struct login_origin origin = from_ssh(user);
	struct login_reply reply;

	origin.source = source;
	login_start(book, d, &origin, owner, now, today, &reply);
	return reply;
}

/* Enter at the first prompt, from that place. */
static struct login_reply begin_from(uint64_t owner, const char *user, const char *source)
{
	struct login_reply reply = start_as(owner, user, source);

	return reply.step == LOGIN_PROMPT ? answer_as(owner, reply.token, "") : reply;
}

/* ---- several providers ------------------------------------------------------------------------------ */

#define LIST "Sign in with\n   1  Beta login\n   2  Another\nNumber (Enter for 1): "

static void several_providers(void **state)
{
	static const struct {
		const char *typed, *idp;
	} table[] = {{"", "idp_beta"}, {" 1\n", "idp_beta"}, {"2", "idp_other"}, {"02", "idp_other"}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_reply reply = sso_begin("bert");

		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_true(reply.echo);
		assert_string_equal(reply.text, LIST);
		assert_int_equal(fake.started, i);
		reply = answer(reply.token, table[i].typed);
		assert_int_equal(reply.step, LOGIN_PENDING);
		assert_string_equal(fake.idp, table[i].idp);
		login_cancel_owner(book, OWNER, now);
		now += 60 * SECOND;
	}
}

static void no_number_of_the_list(void **state)
{
	static const char *const typed[] = {"3",          "0",   "-1",  "1x", "x", "99999999999999999999",
					    "4294967297", "1 2", "\xc2"};

	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		struct login_reply reply = sso_begin("bert");

		reply = answer(reply.token, typed[i]);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_true(reply.echo);
		assert_non_null(strstr(reply.text, LIST));
		assert_false(text_starts(reply.text, LIST)); /* a word about it stands before */
		assert_int_equal(answer(reply.token, "1").step, LOGIN_PENDING);
		login_cancel_owner(book, OWNER, now);
		now += 60 * SECOND;
	}
	assert_int_equal(heard.count, 0);
}

static void the_list_changes_before_the_answer(void **state)
{
	struct login_reply reply = sso_begin("bert");

	sso_reload("name: Beta login", "name: Zeta");
	sso_reload("client_id: hosts, preferred: true", "client_id: hosts");
	reply = answer(reply.token, "1"); /* which was the other one */
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_string_equal(reply.text,
			    "The list has changed.\nSign in with\n   1  Another\n   2  Zeta\nNumber (Enter for 1): ");
	assert_int_equal(fake.started, 0);
}

static void all_providers_go(void **state)
{
	struct login_reply reply = sso_begin("bert");

	sso_reload("tenant: ten_beta, name: Another", "tenant: ten_acme, name: Another");
	sso_reload("tenant: ten_beta, name: Beta login", "tenant: ten_acme, name: Beta login");
	reply = answer(reply.token, "1");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_SSO_NOT_OFFERED);
}

static void another_tenants_provider_is_none_of_theirs(void **state)
{
	struct flow_result result = sso_proven(BETA_ISSUER, "7", "bert@beta.example");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	/* Beta's issuer says it for a sign-in by Acme's provider. */
	sso_to_code("alice", token);
	assert_false(sso_done(&result, &reply));
	assert_int_equal(answer(token, "").reason, REASON_SSO_OTHER_PERSON);
	/* The record moves to another tenant while somebody waits. */
	sso_to_code("alice", token);
	result = sso_proven(STAFF_ISSUER, "sub-alice", "");
	assert_false(sso_done(&result, &reply));
	sso_reload("id: idp_staff, tenant: ten_acme", "id: idp_staff, tenant: ten_beta");
	assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
}

/* ---- what does not belong there --------------------------------------------------------------------- */

static void a_key_at_a_visible_prompt(void **state)
{
	static const char jwt[] = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
	const char *const typed[] = {alices.text, jwt, "hello", "yes", "WDJB-MJHT"};

	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		struct login_reply reply;
		char token[LOGIN_TOKEN_CHARS + 1];

		sso_to_code("alice", token);
		reply = answer(token, typed[i]);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_true(reply.echo);
		assert_non_null(strstr(reply.text, "could be read on the screen"));
		assert_int_equal(strstr(reply.text, "have it replaced") != NULL, i < 2);
		assert_null(strstr(reply.text, alices.text));
		/* It goes on, and Enter is an answer. */
		assert_int_equal(answer(token, "").step, LOGIN_PENDING);
		login_cancel_owner(book, OWNER, now);
		now += 60 * SECOND;
	}
	assert_int_equal(heard.count, 0);
	assert_null(buffer_text(&heard.all) && strstr(buffer_text(&heard.all), alices.text) ? "" : NULL);
}

/* A program that gives its stored key to every prompt does not spin. */
static void one_answer_to_everything(void **state)
{
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, alices.text).step, LOGIN_PROMPT);
	assert_int_equal(answer(token, alices.text).step, LOGIN_PROMPT);
	reply = answer(token, alices.text);
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(fake.cancelled, 1);
	assert_int_equal(answer(token, "").reason, REASON_LOGIN_EXPIRED);
	/* At the list as well. */
	reply = sso_begin("bert");
	memcpy(token, reply.token, sizeof(token));
	assert_int_equal(answer(token, alices.text).step, LOGIN_PROMPT);
	assert_int_equal(answer(token, alices.text).step, LOGIN_PROMPT);
	assert_int_equal(answer(token, alices.text).step, LOGIN_DENIED);
}

/* A key is no answer even when the approval has come, and the approval still counts. */
static void a_key_after_the_approval(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, ediths.text).step, LOGIN_PROMPT);
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
}

/* ---- others' connections, tokens and numbers ----------------------------------------------------------- */

static void two_connections_with_one_token(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	assert_int_equal(answer_as(OWNER + 1, token, "").reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(answer_as(OWNER + 1, token, alices.text).reason, REASON_LOGIN_EXPIRED);
	login_cancel_owner(book, OWNER + 1, now);
	assert_int_equal(fake.cancelled, 0);
	assert_true(sso_done(&alice, &reply)); /* sso_done looks whose it is */
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(answer_as(OWNER + 1, token, "").reason, REASON_LOGIN_EXPIRED);
}

/* The server reads no second answer while one is held; what if? */
static void an_answer_while_one_is_held(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	now += 10 * SECOND;
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	assert_int_equal(answer(token, "x").step, LOGIN_PROMPT);
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(fake.started, 1);
}

static void the_person_hangs_up(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];
	uint64_t first;

	/* While the provider is asked, while the code is read, while an answer is held. */
	for (unsigned when = 0; when < 3; when++) {
		reply = sso_begin("alice");
		if (when > 0)
			assert_true(sso_code(&reply));
		memcpy(token, reply.token, sizeof(token));
		if (when > 1)
			assert_int_equal(answer(token, "").step, LOGIN_PENDING);
		first = fake.flow;
		login_cancel_owner(book, OWNER, now);
		assert_int_equal(fake.cancelled, when + 1);
		assert_int_equal(fake.cancelled_flow, first);
		/* What was on its way comes too late, for this one and for whoever has its place now. */
		assert_false(sso_code(&reply));
		assert_false(sso_done(&alice, &reply));
		assert_int_equal(sso_begin("mallory").step, LOGIN_PENDING);
		assert_int_not_equal(fake.flow, first);
		fake.flow = first;
		assert_false(sso_code(&reply));
		assert_false(sso_done(&alice, &reply));
		login_cancel_owner(book, OWNER, now);
		fake.cancelled = when + 1;
		assert_int_equal(login_flow_waiting(book), 0);
		now += 60 * SECOND;
	}
	assert_int_equal(heard.count, 0);
}

/* A finished sign-in outlives its connection, as one by key does. */
static void hanging_up_afterwards(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_origin origin = from_ssh("alice"), console = origin;
	struct login_origin edith = from_ssh("edith");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];

	sso_to_code("alice", token);
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
	login_cancel_owner(book, OWNER, now);
	assert_int_equal(fake.cancelled, 0);
	console.service = "login";
	assert_int_equal(authorize(&console, token, "").reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(authorize(&edith, token, "").reason, REASON_LOGIN_EXPIRED);
	assert_int_equal(authorize(&origin, token, "").reason, REASON_ALLOWED);
	now += 601 * SECOND;
	assert_int_equal(authorize(&origin, token, "").reason, REASON_LOGIN_EXPIRED);
}

static void numbers_that_are_nobodys(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_origin origin = from_ssh("edith");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1];
	uint64_t real;

	(void)start(&origin); /* one that waits for a key has no number */
	sso_to_code("alice", token);
	real = fake.flow;
	for (uint64_t i = 0; i < 3 * LOGINS_MAX; i++) {
		fake.flow = i == real ? 0 : i;
		assert_false(sso_code(&reply));
		assert_false(sso_done(&alice, &reply));
	}
	fake.flow = UINT64_MAX;
	assert_false(sso_done(&alice, &reply));
	fake.flow = real + LOGINS_MAX; /* its place, another time */
	assert_false(sso_done(&alice, &reply));
	fake.flow = real;
	assert_false(sso_code(&reply)); /* a second code */
	assert_false(sso_done(&alice, &reply));
	alice.end = FLOW_DENIED; /* a second end */
	assert_false(sso_done(&alice, &reply));
	assert_int_equal(answer(token, "").step, LOGIN_ALLOWED);
}

/* A code that comes after the end (the thread is not asked in between) changes nothing. */
static void a_code_after_the_end(void **state)
{
	struct flow_result denied = sso_ended(FLOW_DENIED, "");
	struct login_reply reply;

	assert_int_equal(sso_begin("alice").step, LOGIN_PENDING);
	assert_true(sso_done(&denied, &reply));
	assert_int_equal(reply.reason, REASON_SSO_DENIED);
	assert_false(sso_code(&reply));
}

/* ---- limits ------------------------------------------------------------------------------------------------ */

static void few_wait_for_one_person_at_one_place(void **state)
{
	struct login_reply reply;
	unsigned before;

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(begin_from(100 + i, "alice", "192.0.2.1").step, LOGIN_PENDING);
	before = heard.count;
	reply = begin_from(104, "alice", "192.0.2.1");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
	assert_false(reply.final);
	assert_string_equal(reply.token, "");
	assert_int_equal(fake.started, 4);
	assert_int_equal(heard.count, before + 1);
	assert_int_equal(begin_from(105, "alice", "192.0.2.1").reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(heard.count, before + 1); /* a flood is written once in ten seconds */
	/* Alice elsewhere, others here, and keys are not concerned. */
	assert_int_equal(begin_from(106, "alice", "198.51.100.7").step, LOGIN_PENDING);
	assert_int_equal(begin_from(107, "edith", "192.0.2.1").step, LOGIN_PENDING);
	reply = start_as(108, "alice", "192.0.2.1");
	assert_int_equal(answer_as(108, reply.token, alices.text).step, LOGIN_ALLOWED);
	/* One goes away: there is room. */
	login_cancel_owner(book, 100, now);
	assert_int_equal(begin_from(109, "alice", "192.0.2.1").step, LOGIN_PENDING);
}

static void few_wait_at_one_place(void **state)
{
	static const char *const users[] = {"alice", "edith", "victor", "ann", "mallory"};

	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(begin_from(100 + i, users[i / 4], "192.0.2.1").step, LOGIN_PENDING);
	assert_int_equal(begin_from(200, "mallory", "192.0.2.1").reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(begin_from(201, "mallory", "192.0.2.2").step, LOGIN_PENDING);
	/* IPv6 by network. */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(begin_from(300 + i, users[i / 4], i % 2 ? "2001:db8::1" : "2001:db8::2").step,
				 LOGIN_PENDING);
	assert_int_equal(begin_from(400, "mallory", "2001:db8::3").reason, REASON_TOO_MANY_ATTEMPTS);
}

static void an_attack_from_many_places(void **state)
{
	char source[32];

	for (unsigned i = 0; i < 64; i++) {
		snprintf(source, sizeof(source), "192.0.2.%u", i);
		assert_int_equal(begin_from(100 + i, "alice", source).step, LOGIN_PENDING);
	}
	assert_int_equal(begin_from(200, "alice", "198.51.100.7").reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(begin_from(201, "edith", "198.51.100.7").step, LOGIN_PENDING);
}

static void the_host_has_room_for_so_many(void **state)
{
	sso.max_waiting = 3;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(begin_from(100 + i, "alice", "192.0.2.1").step, LOGIN_PENDING);
	assert_int_equal(begin_from(200, "edith", "198.51.100.7").reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(heard.reason, REASON_TOO_MANY_ATTEMPTS);
	sso.max_waiting = 4; /* agent.yaml was read again */
	assert_int_equal(begin_from(201, "edith", "198.51.100.7").step, LOGIN_PENDING);
}

/* Begin, hang up, begin: each is a request to the provider. */
static void beginnings_are_counted(void **state)
{
	unsigned begun = 0;

	for (unsigned i = 0; i < 1000; i++) {
		begun += begin_from(100 + i, "alice", "192.0.2.1").step == LOGIN_PENDING;
		login_cancel_owner(book, 100 + i, now);
		now += SECOND / 10;
	}
	assert_in_range(begun, 8, 8 + 100 / 15 + 1);
	assert_int_equal(fake.started, begun);
	assert_int_equal(fake.cancelled, begun);
	/* Alice at her own place is let begin. */
	assert_int_equal(begin_from(5000, "alice", "198.51.100.7").step, LOGIN_PENDING);
	now += 120 * SECOND;
	assert_int_equal(begin_from(5001, "alice", "192.0.2.1").step, LOGIN_PENDING);
}

static void the_thread_takes_no_more(void **state)
{
	struct login_reply reply;

	fake.start_result = -11; /* EAGAIN */
	reply = begin_from(100, "alice", "192.0.2.1");
	assert_int_equal(reply.step, LOGIN_DENIED);
	assert_int_equal(reply.reason, REASON_TOO_MANY_ATTEMPTS);
	fake.start_result = -12; /* ENOMEM */
	reply = begin_from(101, "alice", "192.0.2.1");
	assert_int_equal(reply.step, LOGIN_BROKEN);
	assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
	assert_int_equal(fake.cancelled, 0); /* it never began */
	assert_int_equal(login_flow_waiting(book), 0);
	fake.start_result = 0;
	assert_int_equal(begin_from(102, "alice", "192.0.2.1").step, LOGIN_PENDING);
}

/* Failed keys make wait here as everywhere. */
static void throttled_people_do_not_begin(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_reply early = start(&origin), reply;
	char guess[16];

	for (int i = 0; i < 4; i++) {
		snprintf(guess, sizeof(guess), "guess %d", i);
		reply = start(&origin);
		answer(reply.token, guess);
	}
	assert_int_equal(answer(early.token, "").reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(fake.started, 0);
}

/* … and end nobody's waiting: whoever guesses at the same address has no say in that. */
static void others_guesses_end_no_waiting(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	struct login_origin origin = from_ssh("alice");
	struct login_reply reply;
	char token[LOGIN_TOKEN_CHARS + 1], guess[16];

	sso_to_code("alice", token);
	for (int i = 0; i < 4; i++) {
		snprintf(guess, sizeof(guess), "guess %d", i);
		reply = start(&origin);
		answer(reply.token, guess);
	}
	assert_int_equal(start(&origin).reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(answer(token, "").step, LOGIN_PENDING);
	assert_true(sso_done(&alice, &reply));
	assert_int_equal(reply.step, LOGIN_ALLOWED);
}

/* A web form that tells no address, asked by a robot: the provider hears little of it. */
static void a_form_without_an_address(void **state)
{
	static const char *const users[] = {"alice", "edith", "victor", "ann", "mallory", "sam", "adam", "moved"};
	unsigned begun = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct login_origin origin = from_ssh(users[i % ARRAY_LEN(users)]);
		struct login_reply reply;

		origin.service = "jupyterhub";
		origin.source = origin.terminal = "";
		reply = start(&origin);
		begun += answer(reply.token, "").step == LOGIN_PENDING;
		login_cancel_owner(book, OWNER, now);
		now += SECOND / 10;
	}
	assert_in_range(begun, 1, 64 + 100);
	assert_int_equal(fake.started, begun);
	assert_int_equal(sso_begin("alice").step, LOGIN_PENDING); /* by ssh as ever */
}

/* ---- many ---------------------------------------------------------------------------------------------------- */

#define MANY 1000U

/* From a network of its own each; the beginnings spread over a minute. */
static void begin_many(unsigned count)
{
	static const char *const users[] = {"alice", "edith", "victor", "ann", "mallory",
					    "sam",   "adam",  "moved",  "gone"};
	struct login_reply reply;
	char source[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(source, sizeof(source), "10.%u.%u.1", i / 256, i % 256);
		reply = begin_from(1000 + i, users[i % ARRAY_LEN(users)], source);
		if (reply.step != LOGIN_PENDING)
			return;
		now += 60 * USEC_PER_MSEC;
	}
}

static void hundreds_wait_at_once(void **state)
{
	struct login_reply *reply = calloc(1, sizeof(*reply));
	struct device_answer device = {.user_code = "WDJB-MJHT",
				       .uri = "https://staff.example/device",
				       .uri_complete = "https://staff.example/device?user_code=WDJB-MJHT",
				       .expires_in = 300};
	size_t before = mallinfo2().uordblks, bytes;
	unsigned prompts = 0, ends = 0;
	uint64_t whose, first;

	assert_non_null(reply);
	/* 64 for each user is the limit of all together here: nine users. */
	begin_many(9 * 64);
	assert_int_equal(login_flow_waiting(book), 9 * 64);
	first = fake.flow & (LOGINS_MAX - 1);
	(void)first;
	for (unsigned slot = 0; slot < LOGINS_MAX; slot++)
		for (uint64_t counter = 1; counter <= 9 * 64; counter++)
			if (login_flow_prompt(book, d, counter << 12 | slot, &device, now, reply, &whose))
				prompts++;
	assert_int_equal(prompts, 9 * 64);
	bytes = (mallinfo2().uordblks - before) / (9 * 64);
	if (bytes > 3000)
		fail_msg("%zu bytes for each sign-in that waits", bytes);
	/* All of them end at the same moment; somebody with a key does not notice. */
	now += 300 * SECOND;
	*reply = start_as(7, "alice", "192.0.2.1");
	assert_int_equal(answer_as(7, reply->token, alices.text).step, LOGIN_ALLOWED);
	while (login_flow_tick(book, d, now, reply, &whose))
		ends++;
	assert_int_equal(ends, 0); /* none was held */
	assert_int_equal(login_flow_waiting(book), 0);
	assert_int_equal(fake.cancelled, 9 * 64);
	free(reply);
}

static void all_held_answers_come(void **state)
{
	unsigned held = 0, seen = 0;
	struct login_reply *reply = calloc(1, sizeof(*reply));
	static bool replied[2000];
	uint64_t whose;

	assert_non_null(reply);
	memset(replied, 0, sizeof(replied));
	begin_many(9 * 64); /* each answer is held for the provider */
	now += 25 * SECOND;
	while (login_flow_tick(book, d, now, reply, &whose)) {
		assert_int_equal(reply->step, LOGIN_PROMPT);
		assert_in_range(whose, 1000, 1000 + 9 * 64 - 1);
		assert_false(replied[whose]);
		replied[whose] = true;
		held++;
		if (seen++ % 7 == 0) { /* one hangs up in the middle of it */
			login_cancel_owner(book, whose, now);
		}
	}
	assert_int_equal(held, 9 * 64);
	assert_int_equal(login_flow_waiting(book), 9 * 64 - (held + 6) / 7);
	free(reply);
}

/* What goes because its time is over, or the book is full, leaves no flow running. */
static void the_book_is_full(void **state)
{
	struct login_reply reply;

	assert_int_equal(begin_from(50, "alice", "192.0.2.1").step, LOGIN_PENDING);
	for (unsigned i = 0; i < LOGINS_MAX + 10; i++) {
		now += i > LOGINS_MAX - 5 ? 500 * SECOND : 0;
		reply = start_as(100 + i, "edith", "192.0.2.2");
		assert_int_equal(reply.step, LOGIN_PROMPT);
	}
	assert_int_equal(fake.cancelled, 1);
	assert_int_equal(login_flow_waiting(book), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SSO_TEST(several_providers),
		SSO_TEST(no_number_of_the_list),
		SSO_TEST(the_list_changes_before_the_answer),
		SSO_TEST(all_providers_go),
		SSO_TEST(another_tenants_provider_is_none_of_theirs),
		SSO_TEST(a_key_at_a_visible_prompt),
		SSO_TEST(one_answer_to_everything),
		SSO_TEST(a_key_after_the_approval),
		SSO_TEST(two_connections_with_one_token),
		SSO_TEST(an_answer_while_one_is_held),
		SSO_TEST(the_person_hangs_up),
		SSO_TEST(hanging_up_afterwards),
		SSO_TEST(numbers_that_are_nobodys),
		SSO_TEST(a_code_after_the_end),
		SSO_TEST(few_wait_for_one_person_at_one_place),
		SSO_TEST(few_wait_at_one_place),
		SSO_TEST(an_attack_from_many_places),
		SSO_TEST(the_host_has_room_for_so_many),
		SSO_TEST(beginnings_are_counted),
		SSO_TEST(the_thread_takes_no_more),
		SSO_TEST(throttled_people_do_not_begin),
		SSO_TEST(others_guesses_end_no_waiting),
		SSO_TEST(a_form_without_an_address),
		SSO_TEST(hundreds_wait_at_once),
		SSO_TEST(all_held_answers_come),
		SSO_TEST(the_book_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
