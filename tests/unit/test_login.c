/* SPDX-License-Identifier: MIT
 *
 * Whole sign-ins: conversation, account stage, and what changes between the two.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"
#include "fixture.h"
#include "login/login.h"

#define SECOND USEC_PER_SEC
#define OWNER 7
#define SSH_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs"

static struct audit *audit;
static struct login_book *book;
static struct directory *d;
static struct fixture_key alices, ediths, bots, expired, revoked;
static uint64_t now;
static int64_t today;

/* What the audit said last, and everything it ever said. */
static struct {
	unsigned count;
	enum audit_kind kind;
	enum reason reason;
	char credential[96], user[64], target[64];
	struct buffer all;
} heard;

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	heard.count++;
	heard.kind = event->kind;
	heard.reason = event->reason;
	snprintf(heard.credential, sizeof(heard.credential), "%s", event->credential ? event->credential : "");
	snprintf(heard.user, sizeof(heard.user), "%s", event->user ? event->user : "");
	snprintf(heard.target, sizeof(heard.target), "%s", event->target_user ? event->target_user : "");
	buffer_add(&heard.all, fields, length);
}

static uint64_t clock_now(void)
{
	return now;
}

static struct directory *load(const char *alices_key)
{
	return fixture_join("gpu-1", fixture_yaml, "keys:\n", alices_key, ediths.yaml, bots.yaml, expired.yaml,
			    revoked.yaml, NULL);
}

static int setup(void **state)
{
	alices = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", "");
	ediths = fixture_key(API_KEY_PERSON, "usr_edith", "laptop", "");
	bots = fixture_key(API_KEY_PERSON, "usr_bot", "wrong kind", "");
	expired = fixture_key(API_KEY_PERSON, "usr_alice", "old", "not_after: 2027-01-01");
	revoked = fixture_key(API_KEY_PERSON, "usr_alice", "lost", "revoked: {at: 2027-01-01T00:00:00Z, reason: lost}");
	d = load(alices.yaml);
	now = 5000 * SECOND;
	today = FIXTURE_NOW;
	memset(&heard, 0, sizeof(heard));
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, clock_now);
	assert_result(login_book_create(audit, &book), 0);
	return 0;
}

static int teardown(void **state)
{
	login_book_destroy(book);
	audit_destroy(audit);
	directory_unref(d);
	buffer_finish(&heard.all);
	return 0;
}

static struct login_origin from_ssh(const char *user)
{
	return (struct login_origin){
		.user = user, .service = "sshd", .source = "192.0.2.1", .terminal = "ssh", .requesting_user = ""};
}

static struct login_reply start(const struct login_origin *origin)
{
	struct login_reply reply;

	login_start(book, d, origin, OWNER, now, today, &reply);
	return reply;
}

static struct login_reply answer(const char *token, const char *text)
{
	struct login_reply reply;

	login_answer(book, d, token, OWNER, text, strlen(text), now, today, &reply);
	return reply;
}

static struct login_verdict authorize(const struct login_origin *origin, const char *token, const char *ssh)
{
	struct login_authorize request = {.origin = *origin, .token = token, .ssh_auth_info = ssh};
	struct login_verdict verdict;

	login_authorize(book, d, &request, now, today, &verdict);
	return verdict;
}

static void sign_in(const char *user, const char *key, char token[LOGIN_TOKEN_CHARS + 1])
{
	struct login_origin origin = from_ssh(user);
	struct login_reply reply = start(&origin);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	reply = answer(reply.token, key);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	memcpy(token, reply.token, LOGIN_TOKEN_CHARS + 1);
}

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
		{"", REASON_CREDENTIAL_UNSUPPORTED, REASON_CREDENTIAL_UNSUPPORTED, NULL},
		{"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", REASON_CREDENTIAL_UNSUPPORTED,
		 REASON_CREDENTIAL_UNSUPPORTED, NULL},
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

static void a_stranger_at_su_uses_up_nobodys_chances(void **state)
{
	struct login_origin su = {
		.user = "alice", .service = "su", .source = "", .terminal = "pts/1", .requesting_user = "bob"};
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

/* What becomes of a login whose ground is taken away between auth, account and session. */
static void revoked_in_between(void **state)
{
	struct login_origin alice = from_ssh("alice");
	char token[LOGIN_TOKEN_CHARS + 1], yaml[2048];
	struct fixture_key other = fixture_key(API_KEY_PERSON, "usr_alice", "other", "");

	sign_in("alice", alices.text, token);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);

	snprintf(yaml, sizeof(yaml), "%s    revoked: {at: 2027-01-15T08:00:00Z, reason: stolen}\n", alices.yaml);
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);
	assert_int_equal(heard.reason, REASON_KEY_REVOKED);
	assert_true(text_starts(heard.credential, "api-key:"));

	directory_unref(d);
	d = load(""); /* gone altogether */
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);

	/* Another secret under its id. */
	snprintf(yaml, sizeof(yaml),
		 "  - id: %s\n    user: usr_alice\n    label: z\n    verifier: \"%.71s\"\n    created: "
		 "2026-11-21T08:00:00Z\n",
		 alices.id, strstr(other.yaml, "sha256:"));
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);

	/* Another owner of it. */
	snprintf(yaml, sizeof(yaml),
		 "  - id: %s\n    user: usr_edith\n    label: z\n    verifier: \"%.71s\"\n    created: "
		 "2026-11-21T08:00:00Z\n",
		 alices.id, strstr(alices.yaml, "sha256:"));
	directory_unref(d);
	d = load(yaml);
	assert_int_not_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);

	/* Expired while the person read the message of the day. */
	snprintf(yaml, sizeof(yaml), "%s    not_after: 2027-01-15T08:00:10Z\n", alices.yaml);
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	today += 10;
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_EXPIRED);
}

static void sessions_cut_in_between(void **state)
{
	struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_moved", "laptop", "");
	struct login_origin moved = from_ssh("moved");
	char token[LOGIN_TOKEN_CHARS + 1];

	directory_unref(d);
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", key.yaml, NULL); /* valid from today + 30 s */
	sign_in("moved", key.text, token);
	today += 60;
	assert_int_equal(authorize(&moved, token, "").reason, REASON_CREDENTIAL_STALE);
	sign_in("moved", key.text, token);
	assert_int_equal(authorize(&moved, token, "").reason, REASON_ALLOWED);
}

static void the_reason_is_told_after_the_proof(void **state)
{
	struct fixture_key victors = fixture_key(API_KEY_PERSON, "usr_victor", "laptop", "");
	struct fixture_key gones = fixture_key(API_KEY_PERSON, "usr_gone", "laptop", "");
	struct fixture_key limited = fixture_key(API_KEY_PERSON, "usr_alice", "limited",
						 "scopes: {services: [mlflow]}\nnot_after: 2027-01-18");
	struct login_origin origin;
	struct login_verdict verdict;
	char token[LOGIN_TOKEN_CHARS + 1];

	directory_unref(d);
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", victors.yaml, gones.yaml, limited.yaml, NULL);
	sign_in("victor", victors.text, token);
	origin = from_ssh("victor");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ROLE_TOO_LOW);
	assert_string_equal(verdict.message,
			    "your role (viewer) in the project acme/vision does not allow signing in on this "
			    "host; ask a project owner");
	assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
	sign_in("gone", gones.text, token);
	origin = from_ssh("gone");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_USER_SUSPENDED);
	assert_non_null(strstr(verdict.message, "suspended"));
	sign_in("alice", limited.text, token);
	origin = from_ssh("alice");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_KEY_SCOPE_SERVICE);
	assert_string_equal(verdict.warning, ""); /* a denial has no warning */
}

static void keys_that_end_soon(void **state)
{
	struct fixture_key ending =
		fixture_key(API_KEY_PERSON, "usr_alice", "ending", "not_after: 2027-01-18T08:00:00Z");
	struct login_origin origin = from_ssh("alice");
	struct login_verdict verdict;
	char token[LOGIN_TOKEN_CHARS + 1];

	directory_unref(d);
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", ending.yaml, NULL);
	sign_in("alice", ending.text, token);
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_true(text_starts(verdict.warning, "this key ends in 3 days"));
}

static void ssh_keys(void **state)
{
	static const struct {
		const char *user, *info;
		enum reason reason;
	} table[] = {
		{"alice", "publickey " SSH_KEY, REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\n", REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\nkeyboard-interactive/pam\n", REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\npublickey ssh-rsa AAAAB3NzaC1yc2E=\n", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-rsa AAAAB3NzaC1yc2E=\npublickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs",
		 REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYW",
		 REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-ed25519", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "hostbased " SSH_KEY, REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "gssapi-with-mic alice@EXAMPLE", REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "password", REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "", REASON_CREDENTIAL_UNSUPPORTED}, /* sshd, and no proof at all */
		{"alice", "publickeys " SSH_KEY, REASON_CREDENTIAL_UNSUPPORTED},
		{"edith", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED}, /* alice's */
		{"bert", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
		{"mallory", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = from_ssh(table[i].user);
		struct login_verdict verdict = authorize(&origin, "", table[i].info);

		if (verdict.reason != table[i].reason)
			fail_msg("%s, \"%s\": %s", table[i].user, table[i].info, reason_word(verdict.reason));
		assert_int_equal(heard.reason, table[i].reason);
	}
}

static void ssh_fingerprints(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_verdict verdict = authorize(&origin, "", "publickey " SSH_KEY);

	/* ssh-keygen -lf says the same of this key. */
	assert_string_equal(verdict.credential, "ssh-key:SHA256:6WH5wbToADvZNXTqNoaIZgUsocOG+VBiw+9LiqKhTWM");
	assert_string_equal(verdict.role, "owner");
	verdict = authorize(&origin, "", "publickey ssh-ed25519 !!!");
	assert_string_equal(verdict.credential, "ssh-key:unreadable");
}

static void ssh_keys_of_sshd(void **state)
{
	struct login_origin origin = from_ssh("xavier");
	struct login_verdict verdict;

	directory_unref(d);
	d = fixture_join(
		"gpu-1",
		"version: 1\n"
		"tenants:\n"
		"  - {id: ten_x, slug: xx, name: X, gid: 1879048192, ids: {first: 1879048192, count: 256, next: "
		"1879048202}, policy: {ssh_keys: any}}\n"
		"projects:\n  - {id: prj_x, tenant: ten_x, slug: px, gid: 1879048193}\n"
		"users:\n  - {id: usr_x, tenant: ten_x, login: xavier, uid: 1879048200}\n"
		"members:\n  - {user: usr_x, project: prj_x, role: owner}\n"
		"hosts:\n  - name: \"*\"\n    serves: [{project: prj_x}]\n",
		NULL);
	verdict = authorize(&origin, "", "publickey " SSH_KEY);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(authorize(&origin, "", "hostbased " SSH_KEY).reason, REASON_CREDENTIAL_UNSUPPORTED);
	assert_int_equal(authorize(&origin, "", "").reason, REASON_CREDENTIAL_UNSUPPORTED);
}

/* Which right is asked, of whom, for each service. */
static void services(void **state)
{
	static const struct {
		const char *service, *user, *requesting, *source;
		enum reason reason;
		enum audit_kind kind;
		const char *audit_user, *audit_target;
	} table[] = {
		{"cron", "edith", "", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"cron", "victor", "", "", REASON_ROLE_TOO_LOW, AUDIT_LOGIN_DENIED, "victor", ""},
		{"cron", "gone", "", "", REASON_USER_SUSPENDED, AUDIT_LOGIN_DENIED, "gone", ""},
		{"login", "edith", "LOGIN", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"jupyterhub", "edith", "", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"jupyterhub", "mallory", "", "", REASON_NOT_A_MEMBER, AUDIT_LOGIN_DENIED, "mallory", ""},
		/* sudo asks for the requesting person's right. */
		{"sudo", "alice", "alice", "gpu-1", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "root"},
		{"sudo", "edith", "edith", "gpu-1", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "root"},
		{"sudo", "edith", "", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "root"},
		{"sudo", "alice", "edith", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "alice"},
		{"sudo", "edith", "alice", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "edith"},
		{"sudo-i", "gone", "gone", "", REASON_USER_SUSPENDED, AUDIT_PRIVILEGE_DENIED, "gone", "root"},
		{"polkit-1", "edith", "", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, NULL, NULL},
		/* su asks whether the target may be here; root needs nobody's leave. */
		{"su", "edith", "alice", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "edith"},
		{"su", "victor", "alice", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "alice", "victor"},
		{"su", "victor", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "victor"},
		{"su-l", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "gone"},
		{"runuser", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "gone"},
		{"sudo", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, NULL, NULL},
		{"sudo", "gone", "localadmin", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, NULL, NULL},
		{"su", "gone", "localadmin", "", REASON_USER_SUSPENDED, AUDIT_PRIVILEGE_DENIED, "localadmin", "gone"},
		/* Elsewhere a requesting user is only what a client says. */
		{"sshd", "victor", "root", "192.0.2.1", REASON_CREDENTIAL_UNSUPPORTED, AUDIT_LOGIN_DENIED, "victor",
		 ""},
		{"login", "victor", "root", "", REASON_ROLE_TOO_LOW, AUDIT_LOGIN_DENIED, "victor", ""},
		{"rlogin", "gone", "root", "192.0.2.1", REASON_USER_SUSPENDED, AUDIT_LOGIN_DENIED, "gone", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = {.user = table[i].user,
					      .service = table[i].service,
					      .source = table[i].source,
					      .terminal = "",
					      .requesting_user = table[i].requesting};
		struct login_verdict verdict = authorize(&origin, "", "");

		if (verdict.reason != table[i].reason || heard.kind != table[i].kind)
			fail_msg("%s, %s by %s: %s, event %s", table[i].service, table[i].user, table[i].requesting,
				 reason_word(verdict.reason), audit_kind_word(heard.kind));
		assert_string_equal(verdict.user->login, table[i].user);
		if (table[i].audit_user) {
			assert_string_equal(heard.user, table[i].audit_user);
			assert_string_equal(heard.target, table[i].audit_target);
		}
	}
}

static void quiet_stages(void **state)
{
	struct login_origin manager = {
		.user = "edith", .service = "systemd-user", .source = "", .terminal = "", .requesting_user = ""};
	struct login_authorize again = {.origin = manager, .token = "", .ssh_auth_info = "", .again = true};
	struct login_verdict verdict;

	assert_int_equal(authorize(&manager, "", "").reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 0);
	manager.user = "gone";
	assert_int_equal(authorize(&manager, "", "").reason, REASON_USER_SUSPENDED);
	assert_int_equal(heard.count, 1);
	again.origin.service = "cron";
	login_authorize(book, d, &again, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 1);
	again.origin.user = "gone";
	login_authorize(book, d, &again, now, today, &verdict);
	assert_int_equal(heard.count, 2); /* a no is always written */
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_right_key_signs_in),
		TEST(pasted_with_line_end_and_spaces),
		TEST(every_wrong_answer),
		TEST(three_attempts),
		TEST(the_same_answer_again_is_one_attempt),
		TEST(a_second_answer_may_be_right),
		TEST(not_ours),
		TEST(tokens_are_bound),
		TEST(time_goes_by),
		TEST(the_caller_hangs_up),
		TEST(the_book_is_bounded),
		TEST(too_many_attempts),
		TEST(a_stranger_at_su_uses_up_nobodys_chances),
		TEST(revoked_in_between),
		TEST(sessions_cut_in_between),
		TEST(the_reason_is_told_after_the_proof),
		TEST(keys_that_end_soon),
		TEST(ssh_keys),
		TEST(ssh_fingerprints),
		TEST(ssh_keys_of_sshd),
		TEST(services),
		TEST(quiet_stages),
		TEST(without_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
