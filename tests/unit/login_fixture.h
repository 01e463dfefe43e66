/* SPDX-License-Identifier: MIT
 *
 * A login book over the fixture's directory, an audit that is listened to, and short words for the stages.
 */
#pragma once

#include "audit/audit.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "fixture.h"
#include "login/login.h"

#define SECOND USEC_PER_SEC
#define OWNER 7
#define SSH_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs"

extern struct audit *audit;
extern struct login_book *book;
extern struct directory *d;
/* Of alice, edith and the service account (a person's key there); two more of alice's. */
extern struct fixture_key alices, ediths, bots, expired, revoked;
extern uint64_t now;
extern int64_t today;

/* What the audit said last, and everything it ever said. */
struct heard {
	unsigned count;
	enum audit_kind kind;
	enum reason reason;
	char credential[96], user[64], target[64];
	struct buffer all;
};
extern struct heard heard;

int setup(void **state);
int teardown(void **state);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* The directory with these records instead of alice's good key. */
struct directory *load(const char *alices_key);
struct login_origin from_ssh(const char *user);
struct login_reply start(const struct login_origin *origin);
struct login_reply answer(const char *token, const char *text);
struct login_verdict authorize(const struct login_origin *origin, const char *token, const char *ssh);
/* By ssh with a key that is right. */
void sign_in(const char *user, const char *key, char token[LOGIN_TOKEN_CHARS + 1]);
