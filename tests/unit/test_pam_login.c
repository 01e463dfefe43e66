/* SPDX-License-Identifier: MIT
 *
 * One sign-in from prompt to closed session: what the person sees, what the agent is told, what stays behind.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../fakes/fake_agent.h"
#include "../fakes/pam/pam_host.h"
#include "base/macros.h"

#define PROMPT_TEXT(text) \
	"{\"parameters\":{\"step\":\"prompt\",\"login\":\"tok1\",\"text\":\"" text "\",\"echo\":false}}"
#define PROMPT PROMPT_TEXT("API key: ")
#define IN "{\"parameters\":{\"step\":\"allowed\",\"login\":\"tok1\"}}"
#define OUT "{\"parameters\":{\"step\":\"denied\",\"text\":\"No such key.\",\"reason\":\"key-wrong\"}}"
#define GRANT "\"decision\":{\"decision\":\"allowed\",\"reason\":\"allowed\",\"message\":\"\"}"
#define YES "{\"parameters\":{" GRANT ",\"tenant\":\"acme\",\"project\":\"vision\",\"role\":\"editor\"}}"
#define OPENED                                                                                                        \
	"{\"parameters\":{" GRANT ",\"session\":\"ses1\",\"environment\":[\"TENANT=acme\",\"TENANT_PROJECT=vision\"," \
	"\"TENANT_ROLE=editor\",\"TENANT_GRANT=grt_1\",\"LD_PRELOAD=/x\",\"TENANTX=1\",\"PATH=/"                      \
	"x\",\"TENANT\",\"TENANT_ROLE=a\\u001bb\"]}}"

static struct fake_agent *agent;
static struct pam_host host;

static int start(void **state)
{
	agent = fake_agent_start();
	pam_host_init(&host);
	return 0;
}

static int stop(void **state)
{
	pam_host_finish(&host);
	fake_agent_stop(agent);
	return 0;
}

static int set_up(void **state)
{
	fake_agent_reset(agent);
	memset(host.answers, 0, sizeof(host.answers));
	host.fail_messages = false;
	pam_people = (struct pam_people){.alice = true};
	(void)snprintf(host.arguments, sizeof(host.arguments), "socket=%s timeout=2", fake_agent_path(agent));
	fake_agent_say(agent, "Login", FAKE_REPLY, PROMPT);
	fake_agent_say(agent, "Authorize", FAKE_REPLY, YES);
	fake_agent_say(agent, "OpenSession", FAKE_REPLY, OPENED);
	fake_agent_say(agent, "CloseSession", FAKE_REPLY, "{}");
	return 0;
}

static void add_arguments(const char *more)
{
	size_t length = strlen(host.arguments);

	(void)snprintf(host.arguments + length, sizeof(host.arguments) - length, " %s", more);
}

static void assert_asked(const char *method, unsigned n, const char *text)
{
	const char *call = fake_agent_call(agent, method, n);

	assert_non_null(call);
	if (!strstr(call, text))
		print_error("%s: %s is not in %s\n", method, text, call);
	assert_non_null(strstr(call, text));
}

static void from_prompt_to_close(void **state)
{
	const void *user = NULL;
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.answers[0] = "tnt_pk_key";
	pamh = pam_host_start(&host, "sshd", "alice");
	pam_set_item(pamh, PAM_RHOST, "10.1.2.3");
	pam_set_item(pamh, PAM_TTY, "ssh");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
	assert_string_equal(host.prompt, "API key: ");
	assert_int_equal(host.style, PAM_PROMPT_ECHO_OFF);
	assert_int_equal(host.prompts, 1);
	assert_asked("Login", 0,
		     "\"user\":\"alice\",\"service\":\"sshd\",\"source\":\"10.1.2.3\",\"terminal\":\"ssh\"");
	assert_asked("Login", 0, "\"uid\":1879048197");
	assert_null(strstr(fake_agent_call(agent, "Login", 0), "requesting_uid"));
	assert_asked("Answer", 0, "\"login\":\"tok1\",\"text\":\"tnt_pk_key\"");
	assert_string_equal(pam_getenv(pamh, "TENANTD_LOGIN"), "tok1:alice");

	pam_putenv(pamh, "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA");
	assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
	assert_asked("Authorize", 0, "\"login\":\"tok1\"");
	assert_asked("Authorize", 0, "\"uid\":1879048197");
	assert_asked("Authorize", 0, "\"ssh_auth_info\":\"publickey ssh-ed25519 AAAA\"");
	assert_int_equal(pam_setcred(pamh, PAM_ESTABLISH_CRED), PAM_SUCCESS);

	assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
	assert_asked("OpenSession", 0, "\"login\":\"tok1\"");
	assert_asked("OpenSession", 0, "\"uid\":1879048197");
	assert_null(strstr(fake_agent_call(agent, "OpenSession", 0), "leader"));
	assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
	assert_string_equal(pam_getenv(pamh, "TENANT"), "acme");
	assert_string_equal(pam_getenv(pamh, "TENANT_PROJECT"), "vision");
	assert_string_equal(pam_getenv(pamh, "TENANT_ROLE"), "editor");
	assert_string_equal(pam_getenv(pamh, "TENANT_GRANT"), "grt_1");
	assert_null(pam_getenv(pamh, "LD_PRELOAD"));
	assert_null(pam_getenv(pamh, "PATH"));
	assert_null(pam_getenv(pamh, "TENANTX"));
	/* One connection up to here, none while the session lasts. */
	assert_int_equal(fake_agent_connections(agent), 1);
	for (int i = 0; i < 100 && fake_agent_open(agent) > 0; i++)
		usleep(10000);
	assert_int_equal(fake_agent_open(agent), 0);

	assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
	assert_asked("CloseSession", 0, "\"session\":\"ses1\"");
	assert_int_equal(pam_get_item(pamh, PAM_USER, &user), PAM_SUCCESS);
	assert_string_equal(user, "alice");
	assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
	assert_string_equal(host.said, "");
}

/* The stages of one login in processes of their own (sshd): only the environment goes along. */
static void stages_need_nothing_but_the_environment(void **state)
{
	pam_handle_t *pamh = pam_host_start(&host, "sshd", "alice");

	assert_int_equal(pam_putenv(pamh, "TENANTD_LOGIN=tok9:alice"), PAM_SUCCESS);
	assert_int_equal(pam_setcred(pamh, PAM_ESTABLISH_CRED), PAM_SUCCESS);
	assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
	assert_asked("OpenSession", 0, "\"login\":\"tok9\"");
	pam_end(pamh, PAM_SUCCESS);
	/* Closing without what open_session has kept says nothing and harms nothing. */
	pamh = pam_host_start(&host, "sshd", "alice");
	assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
	assert_int_equal(fake_agent_calls(agent, "CloseSession"), 0);
	pam_end(pamh, PAM_SUCCESS);
}

static void another_try_within_one_conversation(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, PROMPT_TEXT("Not accepted.\\nAPI key: "));
	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.answers[0] = "first";
	host.answers[1] = "second";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
	assert_string_equal(host.prompt, "Not accepted.\nAPI key: ");
	assert_int_equal(fake_agent_calls(agent, "Login"), 1);
	assert_asked("Answer", 1, "second");
	pam_end(pamh, PAM_SUCCESS);
}

/* An agent that never stops asking is stopped. */
static void prompts_are_bounded(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, PROMPT);
	for (size_t i = 0; i < PAM_HOST_ANSWERS; i++)
		host.answers[i] = "again";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_MAXTRIES);
	assert_int_equal(host.prompts, 8);
	pam_end(pamh, PAM_MAXTRIES);
}

static void what_is_no_credential_stays_here(void **state)
{
	static char too_long[600];
	static const char *const answers[] = {"\b\n\r\177INCORRECT", "key\n", "\x1b[A", "\x7f", too_long};

	memset(too_long, 'k', sizeof(too_long) - 1);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		pam_handle_t *pamh;

		host.answers[0] = answers[i];
		pamh = pam_host_start(&host, "test", "alice");
		assert_int_equal(pam_authenticate(pamh, 0), PAM_AUTH_ERR);
		assert_int_equal(fake_agent_calls(agent, "Answer"), 0);
		assert_true(host.delay_usec >= 1000000);
		pam_end(pamh, PAM_AUTH_ERR);
	}
}

static void a_lost_conversation_is_no_denial(void **state)
{
	pam_handle_t *pamh = pam_host_start(&host, "test", "alice");

	assert_int_equal(pam_authenticate(pamh, 0), PAM_CONV_ERR);
	assert_int_equal(fake_agent_calls(agent, "Answer"), 0);
	pam_end(pamh, PAM_CONV_ERR);
}

static void terminals_are_safe_from_the_agent(void **state)
{
	pam_handle_t *pamh;

	fake_agent_reset(agent);
	fake_agent_say(agent, "Login", FAKE_REPLY,
		       PROMPT_TEXT("\\u001b[2JKey\\u0007\\r\\u0085\\u009b\\u007f of \\u00e9ric\\nhere: "));
	fake_agent_say(agent, "Answer", FAKE_REPLY, OUT);
	host.answers[0] = "x";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_AUTH_ERR);
	assert_string_equal(host.prompt, "[2JKey of \xc3\xa9ric\nhere: ");
	assert_string_equal(host.said, "ENo such key.\n");
	pam_end(pamh, PAM_AUTH_ERR);
}

static void long_texts_are_cut_between_characters(void **state)
{
	char reply[4096] = "{\"parameters\":{\"step\":\"prompt\",\"login\":\"t\",\"echo\":false,\"text\":\"x";
	pam_handle_t *pamh;

	for (int i = 0; i < 600; i++)
		strcat(reply, "\xc3\xa9");
	strcat(reply, "\"}}");
	fake_agent_reset(agent);
	fake_agent_say(agent, "Login", FAKE_REPLY, reply);
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_CONV_ERR);
	assert_true(strlen(host.prompt) < PAM_MAX_MSG_SIZE && strlen(host.prompt) % 2 == 1);
	assert_int_equal((unsigned char)host.prompt[strlen(host.prompt) - 1], 0xa9);
	pam_end(pamh, PAM_CONV_ERR);
}

static void prompt_argument(void **state)
{
	pam_handle_t *pamh;

	add_arguments("[prompt=Acme key: ]");
	fake_agent_say(agent, "Answer", FAKE_REPLY, PROMPT);
	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.answers[0] = "a";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_CONV_ERR);
	/* The agent's next words are its own. */
	assert_string_equal(host.prompt, "API key: ");
	pam_end(pamh, PAM_CONV_ERR);
	pamh = pam_host_start(&host, "test", "alice");
	host.answers[0] = NULL;
	assert_int_equal(pam_authenticate(pamh, 0), PAM_CONV_ERR);
	assert_string_equal(host.prompt, "Acme key: ");
	pam_end(pamh, PAM_CONV_ERR);
}

static void first_pass_without_one(void **state)
{
	pam_handle_t *pamh;

	add_arguments("use_first_pass");
	host.answers[0] = "typed";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_AUTH_ERR);
	assert_int_equal(host.prompts, 0);
	assert_int_equal(fake_agent_calls(agent, "Answer"), 0);
	pam_end(pamh, PAM_AUTH_ERR);
}

static void warning_and_denial_are_told(void **state)
{
	pam_handle_t *pamh;

	fake_agent_reset(agent);
	fake_agent_say(agent, "Authorize", FAKE_REPLY, "{\"parameters\":{" GRANT ",\"warning\":\"Ends in 3 days.\"}}");
	fake_agent_say(
		agent, "Authorize", FAKE_REPLY,
		"{\"parameters\":{\"decision\":{\"decision\":\"denied\",\"reason\":\"role-too-low\",\"message\":\"Your "
		"role is too low.\"}}}");
	pamh = pam_host_start(&host, "sudo", "alice");
	pam_set_item(pamh, PAM_RUSER, "alice");
	assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
	assert_string_equal(host.said, "IEnds in 3 days.\n");
	assert_asked("Authorize", 0,
		     "\"service\":\"sudo\",\"requesting_user\":\"alice\",\"uid\":1879048197,"
		     "\"requesting_uid\":1879048197");
	/* The session stage decides anew and warns anew; the person hears it once. */
	fake_agent_say(agent, "OpenSession", FAKE_REPLY,
		       "{\"parameters\":{" GRANT ",\"session\":\"s\",\"warning\":\"Ends in 3 days.\"}}");
	assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
	assert_string_equal(host.said, "IEnds in 3 days.\n");
	host.said[0] = '\0';
	assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_PERM_DENIED);
	assert_string_equal(host.said, "EYour role is too low.\n");
	pam_end(pamh, PAM_PERM_DENIED);
}

/* The agent hears which uid the system gives to the name of who asks; where that cannot be known nobody decides. */
static void who_asks_has_a_uid_too(void **state)
{
	static const struct {
		const char *requesting, *asked;
		int result;
	} table[] = {
		{"local", "\"requesting_uid\":1000", PAM_SUCCESS},
		{"alice", "\"requesting_uid\":1879048197", PAM_SUCCESS},
		{"long", "\"requesting_uid\":1879048198", PAM_SUCCESS},
		{"absent", NULL, PAM_SUCCESS},
		{"root", NULL, PAM_SUCCESS},
		{"failing", NULL, PAM_AUTHINFO_UNAVAIL},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		pam_handle_t *pamh;

		set_up(state);
		pamh = pam_host_start(&host, "sudo", "alice");
		pam_set_item(pamh, PAM_RUSER, table[i].requesting);
		assert_int_equal(pam_acct_mgmt(pamh, 0), table[i].result);
		if (table[i].asked)
			assert_asked("Authorize", 0, table[i].asked);
		else if (table[i].result == PAM_SUCCESS)
			assert_null(strstr(fake_agent_call(agent, "Authorize", 0), "requesting_uid"));
		else
			assert_null(fake_agent_call(agent, "Authorize", 0));
		pam_end(pamh, PAM_SUCCESS);
	}
}

/* sudo signs in the one who asks and opens the session of root, or of somebody else. */
static void sudo_leaves_no_login_behind(void **state)
{
	static const char *const targets[] = {"root", "local", "long"};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		pam_handle_t *pamh;
		int r;

		set_up(state);
		fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
		host.answers[0] = "key";
		pamh = pam_host_start(&host, "sudo", "alice");
		pam_set_item(pamh, PAM_RUSER, "alice");
		assert_int_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
		assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
		assert_int_equal(pam_set_item(pamh, PAM_USER, targets[i]), PAM_SUCCESS);
		r = pam_open_session(pamh, 0);
		assert_int_equal(r, strcmp(targets[i], "long") == 0 ? PAM_SUCCESS : PAM_USER_UNKNOWN);
		assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
		/* alice's sign-in proves nothing about the other one. */
		if (r == PAM_SUCCESS)
			assert_null(strstr(fake_agent_call(agent, "OpenSession", 0), "tok1"));
		else
			assert_null(pam_getenv(pamh, "TENANT"));
		for (int n = 0; n < 100 && fake_agent_open(agent) > 0; n++)
			usleep(10000);
		assert_int_equal(fake_agent_open(agent), 0);
		pam_end(pamh, PAM_SUCCESS);
	}
}

static void a_refused_session_leaves_no_login_either(void **state)
{
	pam_handle_t *pamh;

	fake_agent_reset(agent);
	pamh = pam_host_start(&host, "test", "alice");
	pam_putenv(pamh, "TENANTD_LOGIN=tok1:alice");
	assert_int_equal(pam_open_session(pamh, 0), PAM_SESSION_ERR);
	assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
	pam_end(pamh, PAM_SESSION_ERR);
	/* Nor does a line that is wrong. */
	add_arguments("wrong");
	pamh = pam_host_start(&host, "test", "alice");
	pam_putenv(pamh, "TENANTD_LOGIN=tok1:alice");
	assert_int_equal(pam_open_session(pamh, 0), PAM_SERVICE_ERR);
	assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
	pam_end(pamh, PAM_SERVICE_ERR);
}

static void hubs_are_no_leaders(void **state)
{
	static const struct {
		const char *service, *argument;
		bool registered;
	} cases[] = {
		{"jupyterhub-lab", "", false},
		{"jupyterhub-lab", "leader=caller", true},
		{"test", "leader=none", false},
		{"test", "leader=caller", true},
		{"test", "", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pam_handle_t *pamh;

		set_up(state);
		add_arguments(cases[i].argument);
		pamh = pam_host_start(&host, cases[i].service, "alice");
		assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
		assert_int_equal(fake_agent_calls(agent, "OpenSession"), cases[i].registered);
		assert_int_equal(fake_agent_calls(agent, "Authorize"), !cases[i].registered);
		assert_string_equal(pam_getenv(pamh, "TENANT"), "acme");
		assert_string_equal(pam_getenv(pamh, "TENANT_PROJECT"), "vision");
		assert_string_equal(pam_getenv(pamh, "TENANT_ROLE"), "editor");
		assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
		assert_int_equal(fake_agent_calls(agent, "CloseSession"), cases[i].registered);
		pam_end(pamh, PAM_SUCCESS);
	}
}

/* Removed from the directory while signed in: the agent still hears of the end. */
static void somebody_who_left_can_still_close(void **state)
{
	pam_handle_t *pamh = pam_host_start(&host, "test", "alice");

	assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
	pam_people.alice = false;
	assert_int_equal(pam_close_session(pamh, 0), PAM_USER_UNKNOWN);
	assert_asked("CloseSession", 0, "ses1");
	pam_end(pamh, PAM_SUCCESS);
}

static void agents_that_restart_in_between(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.answers[0] = "key";
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
	fake_agent_cut(agent);
	assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
	fake_agent_cut(agent);
	assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
	assert_int_equal(fake_agent_calls(agent, "OpenSession"), 1);
	pam_end(pamh, PAM_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(from_prompt_to_close, set_up),
		cmocka_unit_test_setup(stages_need_nothing_but_the_environment, set_up),
		cmocka_unit_test_setup(another_try_within_one_conversation, set_up),
		cmocka_unit_test_setup(prompts_are_bounded, set_up),
		cmocka_unit_test_setup(what_is_no_credential_stays_here, set_up),
		cmocka_unit_test_setup(a_lost_conversation_is_no_denial, set_up),
		cmocka_unit_test_setup(terminals_are_safe_from_the_agent, set_up),
		cmocka_unit_test_setup(long_texts_are_cut_between_characters, set_up),
		cmocka_unit_test_setup(prompt_argument, set_up),
		cmocka_unit_test_setup(first_pass_without_one, set_up),
		cmocka_unit_test_setup(warning_and_denial_are_told, set_up),
		cmocka_unit_test_setup(who_asks_has_a_uid_too, set_up),
		cmocka_unit_test_setup(sudo_leaves_no_login_behind, set_up),
		cmocka_unit_test_setup(a_refused_session_leaves_no_login_either, set_up),
		cmocka_unit_test_setup(hubs_are_no_leaders, set_up),
		cmocka_unit_test_setup(somebody_who_left_can_still_close, set_up),
		cmocka_unit_test_setup(agents_that_restart_in_between, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
