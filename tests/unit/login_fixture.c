/* SPDX-License-Identifier: MIT */
#include "login_fixture.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

struct audit *audit;
struct login_book *book;
struct directory *d;
struct fixture_key alices, ediths, bots, expired, revoked;
uint64_t now;
int64_t today;

struct heard heard;

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

struct directory *load(const char *alices_key)
{
	return fixture_join("gpu-1", fixture_yaml, "keys:\n", alices_key, ediths.yaml, bots.yaml, expired.yaml,
			    revoked.yaml, NULL);
}

int setup(void **state)
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

int teardown(void **state)
{
	login_book_destroy(book);
	audit_destroy(audit);
	directory_unref(d);
	buffer_finish(&heard.all);
	return 0;
}

struct login_origin from_ssh(const char *user)
{
	return (struct login_origin){.user = user,
				     .service = "sshd",
				     .source = "192.0.2.1",
				     .terminal = "ssh",
				     .requesting_user = "",
				     .uid = LOGIN_UID_UNSAID,
				     .requesting_uid = LOGIN_UID_UNSAID};
}

struct login_reply start(const struct login_origin *origin)
{
	struct login_reply reply;

	login_start(book, d, origin, OWNER, now, today, &reply);
	return reply;
}

struct login_reply answer(const char *token, const char *text)
{
	struct login_reply reply;

	login_answer(book, d, token, OWNER, text, strlen(text), now, today, &reply);
	return reply;
}

struct login_verdict authorize(const struct login_origin *origin, const char *token, const char *ssh)
{
	struct login_authorize request = {.origin = *origin, .token = token, .ssh_auth_info = ssh};
	struct login_verdict verdict;

	login_authorize(book, d, &request, now, today, &verdict);
	return verdict;
}

void sign_in(const char *user, const char *key, char token[LOGIN_TOKEN_CHARS + 1])
{
	struct login_origin origin = from_ssh(user);
	struct login_reply reply = start(&origin);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	reply = answer(reply.token, key);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	memcpy(token, reply.token, LOGIN_TOKEN_CHARS + 1);
}
