/* SPDX-License-Identifier: MIT
 *
 * Keys with a scope where the account stage never hears of them, and consoles that are none.
 */
#include <stdio.h>
#include <string.h>

#include "login_fixture.h"
#include "unit.h"

static struct login_origin from_hub(const char *service, const char *terminal)
{
	struct login_origin origin = from_ssh("alice");

	origin.service = service;
	origin.source = "";
	origin.terminal = terminal;
	return origin;
}

/* JupyterHub's account stage has a PAM handle of its own, so it knows no login: what the key itself forbids must be
 * refused where the key is shown. */
static void scope_counts_where_the_key_is_shown(void **state)
{
	static const struct {
		const char *scopes, *service, *source, *terminal;
		enum reason reason;
	} table[] = {
		{"", "jupyterhub", "", "", REASON_ALLOWED},
		{"scopes: {services: [jupyterhub]}", "jupyterhub", "", "", REASON_ALLOWED},
		{"scopes: {actions: [host.login]}", "jupyterhub", "", "", REASON_ALLOWED},
		{"scopes: {services: [mlflow]}", "jupyterhub", "", "", REASON_KEY_SCOPE_SERVICE},
		{"scopes: {services: [jupyterhub]}", "cockpit", "", "", REASON_KEY_SCOPE_SERVICE},
		{"scopes: {actions: [project.view]}", "jupyterhub", "", "", REASON_KEY_SCOPE_ACTION},
		{"scopes: {from: [192.0.2.0/24]}", "jupyterhub", "", "", REASON_KEY_SCOPE_SOURCE},
		{"scopes: {from: [192.0.2.0/24]}", "jupyterhub", "192.0.2.7", "", REASON_ALLOWED},
		{"scopes: {from: [192.0.2.0/24]}", "jupyterhub", "198.51.100.7", "", REASON_KEY_SCOPE_SOURCE},
		/* A list of a key's own counts at the console, too. */
		{"scopes: {from: [192.0.2.0/24]}", "login", "", "tty1", REASON_KEY_SCOPE_SOURCE},
		{"scopes: {services: [sshd]}", "login", "", "tty1", REASON_KEY_SCOPE_SERVICE},
		{"scopes: {services: [login]}", "login", "", "tty1", REASON_ALLOWED},
		/* sshd brings the login to the account stage, which says it there. */
		{"scopes: {services: [mlflow]}", "sshd", "192.0.2.1", "ssh", REASON_ALLOWED},
		/* What a key limits there is its owner's right to become somebody: the account stage's matter. */
		{"scopes: {services: [mlflow]}", "su", "", "pts/1", REASON_ALLOWED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_alice", "scoped", table[i].scopes);
		struct login_origin origin = from_hub(table[i].service, table[i].terminal);
		struct login_reply reply;

		directory_unref(d);
		d = load(key.yaml);
		origin.source = table[i].source;
		reply = start(&origin);
		assert_int_equal(reply.step, LOGIN_PROMPT);
		reply = answer(reply.token, key.text);
		if (reply.reason != table[i].reason ||
		    (reply.step == LOGIN_ALLOWED) != (reply.reason == REASON_ALLOWED))
			fail_msg("%s by %s from '%s': %s", table[i].scopes, table[i].service, table[i].source,
				 reason_word(reply.reason));
		if (reply.step == LOGIN_ALLOWED)
			continue;
		assert_int_equal(reply.step, LOGIN_DENIED);
		assert_true(reply.final);
		assert_string_equal(reply.text, reason_text(table[i].reason));
		assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
		assert_int_equal(heard.reason, table[i].reason);
		assert_non_null(strstr(heard.credential, key.id));
	}
}

/* It was the right key: nobody guesses, and nobody waits. */
static void out_of_scope_is_no_failed_attempt(void **state)
{
	struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_alice", "scoped", "scopes: {services: [mlflow]}");
	struct login_origin console = from_hub("login", "tty1");

	directory_unref(d);
	d = load(key.yaml);
	for (int i = 0; i < 50; i++) {
		struct login_reply reply = start(&console);

		assert_int_equal(reply.step, LOGIN_PROMPT);
		assert_int_equal(answer(reply.token, key.text).reason, REASON_KEY_SCOPE_SERVICE);
	}
}

/* JupyterHub's own choice of a PAM service is "login", for visitors from anywhere. */
static void a_console_has_a_terminal(void **state)
{
	static const char *const consoles[] = {"login", "gdm-password", "lightdm", "sddm"};
	static const char vision[] = "slug: vision, gid: 1879048193";
	const char *end = strstr(fixture_yaml, vision) + strlen(vision);
	char before[4096];

	assert_in_range(end - fixture_yaml, 1, sizeof(before) - 1);
	snprintf(before, sizeof(before), "%.*s", (int)(end - fixture_yaml), fixture_yaml);
	directory_unref(d);
	d = fixture_join("gpu-1", before, ", allow_from: [192.0.2.0/24]", end, "keys:\n", alices.yaml, NULL);
	for (size_t i = 0; i < ARRAY_LEN(consoles); i++) {
		struct login_origin hub = from_hub(consoles[i], ""), console = from_hub(consoles[i], "tty1");

		assert_int_equal(authorize(&console, "", "").reason, REASON_ALLOWED);
		assert_int_equal(authorize(&hub, "", "").reason, REASON_SOURCE_NOT_ALLOWED);
		hub.source = "198.51.100.1";
		assert_int_equal(authorize(&hub, "", "").reason, REASON_SOURCE_NOT_ALLOWED);
		hub.source = "192.0.2.1";
		assert_int_equal(authorize(&hub, "", "").reason, REASON_ALLOWED);
	}
}

static void wrong_guesses_at_a_hub_that_says_login_lock_nobody_out(void **state)
{
	struct login_origin hub = from_hub("login", ""), console = from_hub("login", "tty1");

	for (int i = 0; i < 50; i++) {
		struct login_reply reply = start(&hub);
		char text[32];

		assert_int_equal(reply.step, LOGIN_PROMPT);
		snprintf(text, sizeof(text), "guess %d", i);
		(void)answer(reply.token, text);
	}
	assert_int_equal(start(&hub).step, LOGIN_PROMPT);
	assert_int_equal(start(&console).step, LOGIN_PROMPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scope_counts_where_the_key_is_shown),
		TEST(out_of_scope_is_no_failed_attempt),
		TEST(a_console_has_a_terminal),
		TEST(wrong_guesses_at_a_hub_that_says_login_lock_nobody_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
