/* SPDX-License-Identifier: MIT
 *
 * The built `tenantctl sso test` at a provider: what it says of each end, its exit codes, whom it would let in, and
 * that secrets are in nothing that it says.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../fakes/fake_provider.h"
#include "base/buffer.h"
#include "directory_fixture.h"
#include "jws_fixture.h"
#include "program_fixture.h"

#define WORDS_MAX 24

static char tenantctl[PATH_MAX];
static char *folder, directory[96], secret[96], out[65536];
static struct fake_provider *provider;

static int set_up(void **state)
{
	folder = make_folder();
	snprintf(directory, sizeof(directory), "%s/directory.yaml", folder);
	snprintf(secret, sizeof(secret), "%s/secret", folder);
	write_file(secret, "hunter2-secret\n");
	provider = fake_provider_start(NULL, NULL);
	fake_provider_set_code(provider, 300, 1);
	return 0;
}

static int tear_down(void **state)
{
	fake_provider_stop(provider);
	remove_folder(folder);
	return 0;
}

/* `tenantctl sso test WORDS…`, without an agent; all that it says goes to `out`. */
static int _printf_(1, 2) run(const char *format, ...)
{
	char words[1024], *argv[WORDS_MAX + 16] = {tenantctl, (char *)(uintptr_t) "sso", (char *)(uintptr_t) "test"},
					    *save = NULL;
	static const char *const more[] = {"--plain-http",        "--proxy", "none", "--socket",
					   "/nowhere/agent.sock", "--file"};
	unsigned n = 3;
	va_list args;
	int code;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		argv[n++] = (char *)(uintptr_t)more[i];
	argv[n++] = directory;
	code = program_run(argv, NULL, NULL, out, sizeof(out));
	assert_null(strstr(out, "hunter2"));
	assert_null(strstr(out, "device-secret"));
	return code;
}

static void said(int code, int wanted, const char *piece)
{
	if (code != wanted || !strstr(out, piece))
		fail_msg("exit %d instead of %d, or \"%s\" is not in:\n%s", code, wanted, piece, out);
}

static const char *issuer(void)
{
	return fake_provider_issuer(provider);
}

static void test_signs_in(void **state)
{
	int code;

	fake_provider_decide(provider, FAKE_APPROVED);
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	said(code, 0, "Open https://login.example.org/device and type the code WDJB-MJHT\n");
	said(code, 0, "\nsigned in\n");
	said(code, 0, "\nsubject    sub-alice\n");
	said(code, 0, "\ne-mail     alice@acme.example (verified)\n");
	code = run("%s --client-id " FAKE_CLIENT " --json", issuer());
	said(code, 0, "\"end\":\"proven\"");
	said(code, 0, "\"subject\":\"sub-alice\",\"email\":\"alice@acme.example\",\"email_verified\":true");
	said(code, 0, "{\"step\":\"discovery\",\"ok\":true");
	said(code, 0, "Open https://login.example.org/device"); /* on standard error, for the person */
}

static void test_secret_is_sent_and_not_said(void **state)
{
	char last[8192];

	fake_provider_decide(provider, FAKE_APPROVED);
	said(run("%s --client-id " FAKE_CLIENT " --secret-file %s --client-auth client_secret_post", issuer(), secret),
	     0, "signed in");
	fake_provider_last(provider, "/token", last, sizeof(last));
	assert_non_null(strstr(last, "client_secret=hunter2-secret"));
	said(run("%s --client-id " FAKE_CLIENT " --client-auth client_secret_post", issuer()), 2, "give --secret-file");
}

/* Each end has its exit code, its sentence and its advice. */
static void test_failures(void **state)
{
	int code;

	fake_provider_decide(provider, FAKE_DENIED);
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	said(code, 1, "\nthe sign-in was declined at the provider\n");
	said(code, 1, "what to do: somebody pressed \"no\"");
	fake_provider_decide(provider, FAKE_EXPIRED_TOKEN);
	said(run("%s --client-id " FAKE_CLIENT, issuer()), 1, "nobody approved in time");

	fake_provider_decide(provider, FAKE_APPROVED);
	fake_provider_set_claims(provider, "{\"aud\":\"another\"}");
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	said(code, 1, "\nwhat the provider sent does not hold: ");
	said(code, 1, "compare client_id with the provider's console");
	code = run("%s --client-id " FAKE_CLIENT " --json", issuer());
	said(code, 1, "\"end\":\"bad-token\"");
	said(code, 1, "\"fault\":\"other-audience\"");
	assert_null(strstr(out, "\"identity\""));
	fake_provider_set_claims(provider, "{}");
	said(run("%s --client-id " FAKE_CLIENT " --amr mfa", issuer()), 1, "such as a second factor");
	fake_provider_set_clock(provider, -7200);
	said(run("%s --client-id " FAKE_CLIENT, issuer()), 1, "timedatectl");
	fake_provider_set_clock(provider, 0);

	fake_provider_answer(provider, "/device", 1, 401, NULL, "{\"error\":\"invalid_client\"}", FAKE_BODY_WHOLE);
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	said(code, 1, "the provider does not accept this client");
	said(code, 1, "grant type \"device authorization\"");
	said(code, 1, "invalid_client");
	/* What it says does not reach the terminal as it is. */
	fake_provider_answer(provider, "/device", 1, 400, NULL,
			     "{\"error\":\"invalid_request\",\"error_description\":\"a\\u001b[2Jb\"}", FAKE_BODY_WHOLE);
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	assert_true(code == 1 || code == 3);
	assert_null(strchr(out, '\033'));

	fake_provider_answer(provider, "/.well-known/openid-configuration", -1, 404, NULL, "{}", FAKE_BODY_WHOLE);
	said(run("%s --client-id " FAKE_CLIENT, issuer()), 3, "is the issuer right");
	fake_provider_die(provider);
	code = run("%s --client-id " FAKE_CLIENT, issuer());
	said(code, 3, "\nthe provider cannot be reached");
	said(code, 3, "a proxy (sso.proxy), a firewall");
}

static void test_command_lines(void **state)
{
	said(run("%s", issuer()), 2, "give --client-id");
	said(run("%s --client-id c --user alice", issuer()), 2, "--user needs a provider's id");
	said(run("http://i.example --client-id c"), 2, "not an https URL");
	said(run("%s --client-id c --kind okta", issuer()), 2, "\"kind\" is none of the words");
	said(run("%s --client-id c --qr big", issuer()), 2, "--qr is utf8, ascii or off");
	said(run("%s --client-id c --secret-file /nowhere", issuer()), 3, "/nowhere: ");
	said(run("%s --client-id c --secret-file %s --key-file %s", issuer(), secret, secret), 2,
	     "either a secret or a key");
	said(run("%s --client-id c --config /nowhere", issuer()), 3, "/nowhere");
	said(run("idp_none"), 3, "the agent does not answer"); /* which may know it from a feed */
}

/* Whom a provider of the directory would let in. */
static void test_users(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	int code;

	buffer_printf(
		&text,
		"version: 1\ntenants:\n  - {id: ten_a, slug: a, gid: 1879048192, ids: {first: 1879048192, count: "
		"100, next: 1879048290}}\nusers:\n"
		"  - {id: usr_alice, tenant: ten_a, login: alice, uid: 1879048200, identities: [{issuer: \"%s\", "
		"subject: sub-alice}]}\n"
		"  - {id: usr_bob, tenant: ten_a, login: bob, uid: 1879048201}\n"
		"  - {id: usr_carol, tenant: ten_a, login: carol, uid: 1879048202, email: alice@acme.example}\n"
		"providers:\n  - {id: idp_a, tenant: ten_a, kind: oidc, issuer: \"%s\", client_id: " FAKE_CLIENT
		", client_auth: client_secret_basic, client_secret: hunter2-secret, bind: verified_email, domains: "
		"[acme.example]}\n",
		issuer(), issuer());
	write_file(directory, buffer_text(&text));
	fake_provider_decide(provider, FAKE_APPROVED);
	code = run("idp_a --user alice");
	said(code, 0, "alice is let in");
	said(code, 0, "(listed)");
	said(code, 0, "what first sign-ins bound is not known");
	code = run("idp_a --user bob --json");
	said(code, 1, "\"allowed\":false,\"binding\":\"other-identity\",\"owner\":\"alice\"");
	said(run("idp_a --user nobody"), 1, "there is no user \"nobody\"");
	fake_provider_set_claims(provider, "{\"sub\":\"sub-carol\"}");
	said(run("idp_a --user carol"), 0, "carol would be let in, and the identity bound");
	said(run("idp_a --user bob"), 1, "the address is not the one in the user's record");
	said(run("idp_a --user alice"), 1, "(taken)");
	fake_provider_set_claims(provider, "{\"sub\":\"sub-carol\",\"email_verified\":\"true\"}");
	code = run("idp_a --user carol");
	said(code, 1, "carol is not let in: the provider does not say that the address is verified");
	said(code, 1, "tenantctl directory bind");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_signs_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_secret_is_sent_and_not_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_command_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
	};
	char self[PATH_MAX];

	assert_non_null(realpath(argv[0], self));
	snprintf(tenantctl, sizeof(tenantctl), "%.*s/../../tenantctl", (int)(sizeof(tenantctl) - 32), dirname(self));
	return cmocka_run_group_tests(tests, jws_set_up, jws_tear_down);
}
