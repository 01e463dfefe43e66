/* SPDX-License-Identifier: MIT
 *
 * Single sign-on as the PAM module relays it: visible prompts, answers that come late, programs that cannot show them,
 * and who gives up first.
 */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fakes/fake_agent.h"
#include "../fakes/pam/pam_host.h"
#include "base/macros.h"

#define FIRST                                                                                                     \
	"{\"parameters\":{\"step\":\"prompt\",\"login\":\"tok1\",\"text\":\"API key (Enter for single sign-on): " \
	"\",\"echo\":false}}"
#define VISIBLE(text) "{\"parameters\":{\"step\":\"prompt\",\"login\":\"tok1\",\"text\":\"" text "\",\"echo\":true}}"
#define CODE VISIBLE("Open\\n  https://x.example\\nand enter the code  AB\\nThen press Enter: ")
#define IN "{\"parameters\":{\"step\":\"allowed\",\"login\":\"tok1\"}}"

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
	host.always = NULL;
	host.hidden_only = host.earlier_module = host.fail_messages = false;
	pam_people = (struct pam_people){.alice = true};
	(void)snprintf(host.arguments, sizeof(host.arguments), "socket=%s timeout=2", fake_agent_path(agent));
	fake_agent_say(agent, "Login", FAKE_REPLY, FIRST);
	return 0;
}

static void add_arguments(const char *more)
{
	size_t length = strlen(host.arguments);

	(void)snprintf(host.arguments + length, sizeof(host.arguments) - length, " %s", more);
}

static int authenticate(pam_handle_t **ret)
{
	*ret = pam_host_start(&host, "test", "alice");
	return pam_authenticate(*ret, 0);
}

static int authenticate_once(void)
{
	pam_handle_t *pamh;
	int r = authenticate(&pamh);

	pam_end(pamh, r);
	return r;
}

static void all_closed(void)
{
	for (int i = 0; i < 300 && fake_agent_open(agent) > 0; i++)
		usleep(10000);
	assert_int_equal(fake_agent_open(agent), 0);
}

static void enter_and_enter(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.always = "";
	assert_int_equal(authenticate(&pamh), PAM_SUCCESS);
	assert_int_equal(host.prompts, 2);
	assert_int_equal(host.style, PAM_PROMPT_ECHO_ON);
	assert_string_equal(host.prompt, "Open\n  https://x.example\nand enter the code  AB\nThen press Enter: ");
	assert_non_null(strstr(fake_agent_call(agent, "Answer", 0), "\"login\":\"tok1\",\"text\":\"\""));
	assert_non_null(strstr(fake_agent_call(agent, "Answer", 1), "\"login\":\"tok1\",\"text\":\"\""));
	assert_null(strstr(fake_agent_call(agent, "Login", 0), "qr"));
	assert_string_equal(pam_getenv(pamh, "TENANTD_LOGIN"), "tok1:alice");
	assert_string_equal(host.said, "");
	assert_int_equal(host.delay_usec, 0);
	pam_end(pamh, PAM_SUCCESS);
}

/* A picture is more than PAM's usual message; hidden prompts and messages keep to that. */
static void long_prompts(void **state)
{
	static char reply[32768], picture[20000];

	for (size_t i = 0; i < 2000; i++)
		strcat(picture, i % 60 == 59 ? "\\n" : "\xe2\x96\x88");
	(void)snprintf(reply, sizeof(reply), VISIBLE("%s\\u001b[2JEnd: "), picture);
	fake_agent_say(agent, "Answer", FAKE_REPLY, reply);
	host.answers[0] = "";
	assert_int_equal(authenticate_once(), PAM_CONV_ERR);
	assert_int_equal(strlen(host.prompt), 2000 / 60 + (2000 - 2000 / 60) * 3 + strlen("[2JEnd: "));
	assert_string_equal(host.prompt + strlen(host.prompt) - 8, "[2JEnd: ");
	/* Longer than anybody's picture: cut, between characters. */
	memset(picture, 0, sizeof(picture));
	for (size_t i = 0; i < 6000; i++)
		strcat(picture, "\xe2\x96\x88");
	(void)snprintf(reply, sizeof(reply), VISIBLE("%s"), picture);
	set_up(state);
	fake_agent_say(agent, "Answer", FAKE_REPLY, reply);
	host.answers[0] = "";
	assert_int_equal(authenticate_once(), PAM_CONV_ERR);
	assert_in_range(strlen(host.prompt), 16384 - 4, 16383);
	assert_int_equal(strlen(host.prompt) % 3, 0);
}

static void the_agent_holds_an_answer(void **state)
{
	/* Longer than timeout= says: that is for agents that check a key. */
	fake_agent_say(agent, "Answer", FAKE_LATE, CODE);
	fake_agent_say(agent, "Answer", FAKE_LATE, IN);
	host.always = "";
	assert_int_equal(authenticate_once(), PAM_SUCCESS);
	set_up(state);
	fake_agent_say(agent, "Answer", FAKE_LATE, IN);
	host.always = "some key";
	assert_int_equal(authenticate_once(), PAM_AUTHINFO_UNAVAIL);
	assert_non_null(strstr(host.said, "You were not denied"));
}

static void rounds_of_still_waiting(void **state)
{
	fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
	for (int i = 0; i < 40; i++)
		fake_agent_say(agent, "Answer", FAKE_REPLY, VISIBLE("Still waiting. Then press Enter: "));
	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.always = "";
	assert_int_equal(authenticate_once(), PAM_SUCCESS);
	assert_int_equal(host.prompts, 42);
}

/* An agent that never comes to an end, and a program that answers at once. */
static void prompts_end(void **state)
{
	fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
	host.always = "";
	assert_int_equal(authenticate_once(), PAM_MAXTRIES);
	assert_in_range(host.prompts, 100, 1000);
	set_up(state);
	fake_agent_say(agent, "Answer", FAKE_REPLY, FIRST); /* hidden ones sooner */
	host.always = "";
	assert_int_equal(authenticate_once(), PAM_MAXTRIES);
	assert_int_equal(host.prompts, 8);
}

/* PasswordAuthentication of sshd, JupyterHub: one hidden answer is all they have. */
static void a_program_without_visible_prompts(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
	host.always = "";
	host.hidden_only = true;
	assert_int_equal(authenticate(&pamh), PAM_CONV_ERR);
	assert_int_equal(host.prompts, 2);
	assert_int_equal(host.said[0], 'E');
	assert_non_null(strstr(host.said, "tenantctl code"));
	assert_non_null(strstr(host.said, "API key"));
	assert_int_equal(fake_agent_calls(agent, "Answer"), 1); /* nothing was typed for the person */
	assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
	pam_end(pamh, PAM_CONV_ERR);
	all_closed(); /* so the agent ends the sign-in */
	/* A lost conversation at the first prompt says nothing of the kind. */
	host.always = NULL;
	host.said[0] = '\0';
	assert_int_equal(authenticate_once(), PAM_CONV_ERR);
	assert_string_equal(host.said, "");
}

static void earlier_answers(void **state)
{
	static const struct {
		const char *argument, *earlier;
		int result;
		unsigned answers, prompts;
		const char *text;
	} table[] = {
		/* Enter at another module's prompt asks for nothing. */
		{"use_first_pass", "", PAM_AUTH_ERR, 0, 0, NULL},
		{"use_first_pass", "key", PAM_SUCCESS, 1, 0, "\"key\""},
		{"try_first_pass", "", PAM_SUCCESS, 1, 1, "\"typed\""},
		{"try_first_pass", "key", PAM_SUCCESS, 1, 0, "\"key\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		set_up(state);
		add_arguments(table[i].argument);
		host.earlier_module = true;
		host.answers[0] = table[i].earlier;
		host.always = "typed";
		fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
		assert_int_equal(authenticate_once(), table[i].result);
		assert_int_equal(fake_agent_calls(agent, "Answer"), table[i].answers);
		assert_int_equal(host.prompts, 1 + table[i].prompts);
		if (table[i].text)
			assert_non_null(strstr(fake_agent_call(agent, "Answer", 0), table[i].text));
	}
}

static void what_was_typed_earlier_is_for_hidden_prompts(void **state)
{
	add_arguments("try_first_pass");
	fake_agent_reset(agent);
	fake_agent_say(agent, "Login", FAKE_REPLY, CODE);
	fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
	host.earlier_module = true;
	host.answers[0] = "key";
	host.always = "";
	assert_int_equal(authenticate_once(), PAM_SUCCESS);
	assert_int_equal(host.prompts, 2);
	assert_null(strstr(fake_agent_call(agent, "Answer", 0), "key\""));
}

static void the_picture_argument(void **state)
{
	static const struct {
		const char *argument, *said;
		int result;
	} table[] = {
		{"qr=utf8", "\"qr\":\"utf8\"", PAM_SUCCESS}, {"qr=ascii", "\"qr\":\"ascii\"", PAM_SUCCESS},
		{"qr=off", "\"qr\":\"off\"", PAM_SUCCESS},   {"qr=", NULL, PAM_SERVICE_ERR},
		{"qr=UTF8", NULL, PAM_SERVICE_ERR},          {"qr", NULL, PAM_SERVICE_ERR},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		set_up(state);
		add_arguments(table[i].argument);
		fake_agent_say(agent, "Answer", FAKE_REPLY, IN);
		host.always = "";
		assert_int_equal(authenticate_once(), table[i].result);
		assert_int_equal(fake_agent_calls(agent, "Login"), table[i].said != NULL);
		if (table[i].said)
			assert_non_null(strstr(fake_agent_call(agent, "Login", 0), table[i].said));
	}
}

/* Each in the agent's words; what nobody decided never sounds like a denial. */
static void ends(void **state)
{
	static const struct {
		const char *reply;
		int result;
		const char *said;
	} table[] = {
		{"{\"parameters\":{\"step\":\"denied\",\"text\":\"the sign-in was "
		 "declined\",\"reason\":\"sso-denied\"}}",
		 PAM_AUTH_ERR, "Ethe sign-in was declined\n"},
		{"{\"parameters\":{\"step\":\"denied\",\"text\":\"nobody approved\",\"reason\":\"sso-expired\"}}",
		 PAM_AUTH_ERR, "Enobody approved\n"},
		{"{\"parameters\":{\"step\":\"broken\",\"text\":\"your identity provider cannot be "
		 "reached\",\"reason\":"
		 "\"sso-unreachable\"}}",
		 PAM_AUTHINFO_UNAVAIL, "EYou were not denied: your identity provider cannot be reached\n"},
		{"{\"parameters\":{\"step\":\"pending\"}}", PAM_AUTHINFO_UNAVAIL, NULL},
		{"{\"parameters\":{\"step\":\"prompt\",\"text\":\"x\",\"echo\":true}}", PAM_AUTHINFO_UNAVAIL, NULL},
		{"{\"parameters\":{\"step\":\"prompt\",\"login\":\"t\",\"text\":\"x\",\"echo\":1}}",
		 PAM_AUTHINFO_UNAVAIL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		set_up(state);
		fake_agent_say(agent, "Answer", FAKE_REPLY, table[i].reply);
		host.always = "";
		assert_int_equal(authenticate_once(), table[i].result);
		if (table[i].said)
			assert_string_equal(host.said, table[i].said);
		else
			assert_non_null(strstr(host.said, "You were not denied"));
		all_closed();
	}
}

static void the_agent_goes_away_while_it_holds_an_answer(void **state)
{
	static const enum fake_how how[] = {FAKE_HANG_UP, FAKE_HALF, FAKE_GARBAGE, FAKE_FLOOD};

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		set_up(state);
		fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
		fake_agent_say(agent, "Answer", how[i], IN);
		host.always = "";
		assert_int_equal(authenticate_once(), PAM_AUTHINFO_UNAVAIL);
		assert_non_null(strstr(host.said, "You were not denied"));
		/* It is not started over behind the person's back. */
		assert_int_equal(fake_agent_calls(agent, "Login"), 1);
		assert_int_equal(fake_agent_calls(agent, "Answer"), 2);
	}
}

static void junk_at_a_visible_prompt_stays_here(void **state)
{
	static char too_long[600];
	const char *const answers[] = {"\b\n\r\177INCORRECT", "\x1b[A", too_long};

	memset(too_long, 'k', sizeof(too_long) - 1);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		set_up(state);
		fake_agent_say(agent, "Answer", FAKE_REPLY, CODE);
		host.answers[0] = "";
		host.answers[1] = answers[i];
		assert_int_equal(authenticate_once(), PAM_AUTH_ERR);
		assert_int_equal(fake_agent_calls(agent, "Answer"), 1);
		all_closed();
	}
}

/* sshd ends the process that asks when its client hangs up. */
static void the_program_is_killed_while_an_answer_is_held(void **state)
{
	pid_t child;
	int status;

	fake_agent_say(agent, "Answer", FAKE_STALL, "");
	host.always = "";
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(authenticate_once());
	for (int i = 0; i < 500 && fake_agent_calls(agent, "Answer") == 0; i++)
		usleep(10000);
	assert_int_equal(fake_agent_calls(agent, "Answer"), 1);
	assert_int_equal(fake_agent_open(agent), 1);
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	all_closed();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(enter_and_enter, set_up),
		cmocka_unit_test_setup(long_prompts, set_up),
		cmocka_unit_test_setup(the_agent_holds_an_answer, set_up),
		cmocka_unit_test_setup(rounds_of_still_waiting, set_up),
		cmocka_unit_test_setup(prompts_end, set_up),
		cmocka_unit_test_setup(a_program_without_visible_prompts, set_up),
		cmocka_unit_test_setup(earlier_answers, set_up),
		cmocka_unit_test_setup(what_was_typed_earlier_is_for_hidden_prompts, set_up),
		cmocka_unit_test_setup(the_picture_argument, set_up),
		cmocka_unit_test_setup(ends, set_up),
		cmocka_unit_test_setup(the_agent_goes_away_while_it_holds_an_answer, set_up),
		cmocka_unit_test_setup(junk_at_a_visible_prompt_stays_here, set_up),
		cmocka_unit_test_setup(the_program_is_killed_while_an_answer_is_held, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
