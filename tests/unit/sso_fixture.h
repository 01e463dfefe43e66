/* SPDX-License-Identifier: MIT
 *
 * Single sign-on over the login fixture: tenants with providers, and hooks that write down what was asked of them.
 *
 * Acme trusts one provider, "Staff" (idp_staff), which binds by verified addresses of acme.example; Beta trusts two,
 * "Beta login" (idp_beta, preferred) and "Another" (idp_other). Alice's identity at Staff is listed ("sub-alice");
 * edith and mallory have addresses; ann's address is of another domain.
 */
#pragma once

#include "login/sso.h"
#include "login_fixture.h"

#define STAFF_ISSUER "https://staff.example"
#define BETA_ISSUER "https://beta.example"

struct sso_fake {
	int start_result, remember_result; /* what the hooks give */
	unsigned started, cancelled, remembered_count;
	uint64_t flow;           /* begun last */
	uint64_t cancelled_flow; /* ended last */
	char idp[64];
	struct {
		char user[48], issuer[64], subject[64];
	} bound[8];
};
extern struct sso_fake fake;
extern struct login_sso sso;

int sso_setup(void **state);
#define SSO_TEST(function) cmocka_unit_test_setup_teardown(function, sso_setup, teardown)

/* The directory again, with `from` replaced by `to` in its text (must be there). */
void sso_reload(const char *from, const char *to);
void sso_no_directory(void); /* and none at all; teardown copes */
/* Enter at the first prompt of ssh: the flow has begun, and the answer is held. */
struct login_reply sso_begin(const char *user);
/* The provider gives a code; true: somebody waited. */
bool sso_code(struct login_reply *ret);
bool sso_done(const struct flow_result *result, struct login_reply *ret);
/* Time has passed; true: somebody waited, and nobody else. */
bool sso_tick(struct login_reply *ret);
/* What the provider says of somebody. */
struct flow_result sso_proven(const char *issuer, const char *subject, const char *email);
struct flow_result sso_ended(enum flow_end end, const char *detail);
/* Up to the visible prompt with the code. */
void sso_to_code(const char *user, char token[LOGIN_TOKEN_CHARS + 1]);
/* The account stage of ssh by a token. */
enum reason sso_account(const char *user, const char *token);
