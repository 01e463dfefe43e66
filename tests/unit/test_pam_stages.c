/* SPDX-License-Identifier: MIT
 *
 * The table: every stage × everybody who may be meant × every way the agent may be. What it shows is that
 * nobody of ours gets in without the agent's yes, and that nobody else ever depends on the agent.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../fakes/fake_agent.h"
#include "../fakes/pam/pam_host.h"
#include "base/macros.h"

#define PROMPT "{\"parameters\":{\"step\":\"prompt\",\"login\":\"tok1\",\"text\":\"API key: \",\"echo\":false}}"
#define IN "{\"parameters\":{\"step\":\"allowed\",\"login\":\"tok1\"}}"
#define OUT "{\"parameters\":{\"step\":\"denied\",\"text\":\"No such key.\",\"reason\":\"key-wrong\"}}"
#define OUT_FINAL "{\"parameters\":{\"step\":\"denied\",\"text\":\"Enough.\",\"reason\":\"key-wrong\",\"final\":true}}"
#define LOST "{\"parameters\":{\"step\":\"broken\",\"text\":\"No directory.\",\"reason\":\"broken\"}}"
#define GRANT(word) "\"decision\":{\"decision\":\"" word "\",\"reason\":\"r\",\"message\":\"Because so.\"}"
#define YES "{\"parameters\":{" GRANT("allowed") ",\"session\":\"s1\",\"environment\":[\"TENANT=acme\"]}}"
#define NO "{\"parameters\":{" GRANT("denied") "}}"
#define DUNNO "{\"parameters\":{" GRANT("broken") "}}"
#define ERROR(name) "{\"error\":\"" name "\",\"parameters\":{}}"

enum stage { AUTH, SETCRED, ACCOUNT, OPEN, CLOSE, PASSWORD, STAGES };
static const char *const stage_names[STAGES] = {"auth", "setcred", "account", "open", "close", "password"};

/* How the agent is: the same for every call, but for the sign-in's second half. */
struct weather {
	const char *name;
	enum fake_how how;
	const char *login, *answer, *grant; /* NULL: nothing written down */
	bool absent;
	int code[STAGES]; /* for one of ours */
	bool denied;      /* the person must hear a denial, not a breakage */
};

#define WHEN_BROKEN                                                                                                    \
	{                                                                                                              \
		PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS, PAM_AUTHINFO_UNAVAIL, PAM_SESSION_ERR, PAM_SUCCESS, PAM_PERM_DENIED \
	}
#define WHEN_DENIED(auth)                                                                         \
	{                                                                                         \
		auth, PAM_SUCCESS, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_SUCCESS, PAM_PERM_DENIED \
	}

static const struct weather weathers[] = {
	{"up and allowing",
	 FAKE_REPLY,
	 PROMPT,
	 IN,
	 YES,
	 false,
	 {PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_PERM_DENIED},
	 false},
	{"up and denying", FAKE_REPLY, PROMPT, OUT, NO, false, WHEN_DENIED(PAM_AUTH_ERR), true},
	{"denying for good", FAKE_REPLY, PROMPT, OUT_FINAL, NO, false, WHEN_DENIED(PAM_MAXTRIES), true},
	{"denying at once", FAKE_REPLY, OUT_FINAL, NULL, NO, false, WHEN_DENIED(PAM_MAXTRIES), true},
	{"refusing the program", FAKE_REPLY, ERROR("org.varlink.service.PermissionDenied"), NULL,
	 ERROR("org.varlink.service.PermissionDenied"), false, WHEN_DENIED(PAM_AUTH_ERR), true},
	{"unable to decide", FAKE_REPLY, PROMPT, LOST, DUNNO, false, WHEN_BROKEN, false},
	{"unable at once", FAKE_REPLY, LOST, NULL, DUNNO, false, WHEN_BROKEN, false},
	{"absent", FAKE_REPLY, NULL, NULL, NULL, true, WHEN_BROKEN, false},
	{"stalling", FAKE_STALL, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"hanging up", FAKE_HANG_UP, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"hanging up in the middle", FAKE_HALF, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"stopping in the middle", FAKE_DRIBBLE, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"talking nonsense", FAKE_GARBAGE, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"talking without end", FAKE_FLOOD, PROMPT, IN, YES, false, WHEN_BROKEN, false},
	{"of another kind", FAKE_REPLY, NULL, NULL, NULL, false, WHEN_BROKEN, false},
	{"saying that it is broken", FAKE_REPLY, ERROR("io.tenantd.Agent.Broken"), NULL,
	 ERROR("io.tenantd.Agent.Broken"), false, WHEN_BROKEN, false},
	{"too busy", FAKE_REPLY, ERROR("io.tenantd.Agent.TooMany"), NULL, ERROR("io.tenantd.Agent.TooMany"), false,
	 WHEN_BROKEN, false},
	{"answering emptily", FAKE_REPLY, "{}", NULL, "{}", false, WHEN_BROKEN, false},
	{"allowing nobody by name", FAKE_REPLY, "{\"parameters\":{\"step\":\"allowed\"}}", NULL,
	 "{\"parameters\":{\"decision\":{\"decision\":\"allowed\"}}}", false, WHEN_BROKEN, false},
	{"using a new word", FAKE_REPLY, "{\"parameters\":{\"step\":\"Allowed\",\"login\":\"t\"}}", NULL,
	 "{\"parameters\":{" GRANT("ALLOWED") "}}", false, WHEN_BROKEN, false},
	{"a prompt without text", FAKE_REPLY, "{\"parameters\":{\"step\":\"prompt\",\"login\":\"t\"}}", NULL,
	 "{\"parameters\":{\"step\":\"allowed\"}}", false, WHEN_BROKEN, false},
	{"an overlong token", FAKE_REPLY,
	 "{\"parameters\":{\"step\":\"allowed\",\"login\":"
	 "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}}",
	 NULL, DUNNO, false, WHEN_BROKEN, false},
};

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
	host.answers[0] = "tnt_pk_key";
	host.fail_messages = false;
	pam_people = (struct pam_people){.alice = true};
	(void)snprintf(host.arguments, sizeof(host.arguments), "socket=%s timeout=1", fake_agent_path(agent));
	return 0;
}

static void make_weather(const struct weather *w)
{
	fake_agent_reset(agent);
	if (w->absent)
		(void)snprintf(host.arguments, sizeof(host.arguments), "socket=/nonexistent/agent.sock timeout=1");
	else
		(void)snprintf(host.arguments, sizeof(host.arguments), "socket=%s timeout=1", fake_agent_path(agent));
	if (w->login)
		fake_agent_say(agent, "Login", w->how, w->login);
	if (w->answer)
		fake_agent_say(agent, "Answer", w->how, w->answer);
	if (w->grant) {
		fake_agent_say(agent, "Authorize", w->how, w->grant);
		fake_agent_say(agent, "OpenSession", w->how, w->grant);
		fake_agent_say(agent, "CloseSession", w->how, w->grant);
	}
}

static int run(pam_handle_t *pamh, enum stage stage, int flags)
{
	switch (stage) {
	case AUTH:
		return pam_authenticate(pamh, flags);
	case SETCRED:
		return pam_setcred(pamh, PAM_ESTABLISH_CRED | flags);
	case ACCOUNT:
		return pam_acct_mgmt(pamh, flags);
	case OPEN:
		return pam_open_session(pamh, flags);
	case CLOSE:
		return pam_close_session(pamh, flags);
	case PASSWORD:
		return pam_chauthtok(pamh, flags);
	case STAGES:
		break;
	}
	return -1;
}

static void expect(const char *weather, const char *user, enum stage stage, int got, int expected)
{
	if (got != expected)
		print_error("%s, %s, agent %s: %d instead of %d; said: %s\n", stage_names[stage], user, weather, got,
			    expected, host.said);
	assert_int_equal(got, expected);
}

static void ours_depend_on_the_agent(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(weathers); i++)
		for (int stage = 0; stage < STAGES; stage++) {
			const struct weather *w = &weathers[i];
			pam_handle_t *pamh;
			int r;

			make_weather(w);
			pamh = pam_host_start(&host, "test", "alice");
			r = run(pamh, (enum stage)stage, 0);
			expect(w->name, "alice", (enum stage)stage, r, w->code[stage]);
			assert_int_not_equal(r, PAM_IGNORE);
			if (r != PAM_SUCCESS && stage != PASSWORD) {
				bool sounds_broken = strstr(host.said, "not denied") != NULL;

				if (sounds_broken == w->denied)
					print_error("%s, agent %s: %s\n", stage_names[stage], w->name, host.said);
				assert_true(host.said[0] == 'E');
				assert_int_equal(sounds_broken, !w->denied);
			}
			if (stage == AUTH && r != PAM_SUCCESS)
				assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
			assert_int_equal(pam_end(pamh, r), PAM_SUCCESS);
		}
}

/* The agent fails only after it has asked: the second half of a sign-in. */
static void answers_can_be_lost_too(void **state)
{
	static const enum fake_how hows[] = {FAKE_STALL,   FAKE_HANG_UP, FAKE_HALF,
					     FAKE_DRIBBLE, FAKE_GARBAGE, FAKE_FLOOD};

	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		pam_handle_t *pamh;
		int r;

		fake_agent_reset(agent);
		fake_agent_say(agent, "Login", FAKE_REPLY, PROMPT);
		fake_agent_say(agent, "Answer", hows[i], IN);
		pamh = pam_host_start(&host, "test", "alice");
		r = pam_authenticate(pamh, 0);
		assert_int_equal(r, PAM_AUTHINFO_UNAVAIL);
		assert_null(pam_getenv(pamh, "TENANTD_LOGIN"));
		/* The key was given once and to one connection only. */
		assert_int_equal(fake_agent_calls(agent, "Answer"), 1);
		assert_int_equal(fake_agent_connections(agent), 1);
		pam_end(pamh, r);
	}
}

/* Root, local people, nobody, and ids just outside the range: never asked about, never told anything. */
static void others_never_do(void **state)
{
	static const char *const people[] = {"root", "local", "nobody-such", "absent", "below", "above"};

	for (size_t i = 0; i < ARRAY_LEN(weathers); i++)
		for (size_t p = 0; p < ARRAY_LEN(people); p++)
			for (int stage = 0; stage < STAGES; stage++) {
				pam_handle_t *pamh;
				int r;

				make_weather(&weathers[i]);
				pamh = pam_host_start(&host, "test", people[p]);
				r = run(pamh, (enum stage)stage, 0);
				expect(weathers[i].name, people[p], (enum stage)stage, r, PAM_USER_UNKNOWN);
				assert_string_equal(host.said, "");
				assert_int_equal(host.prompts, 0);
				assert_int_equal(fake_agent_connections(agent), 0);
				pam_end(pamh, r);
			}
}

/* A wrong line in pam.d keeps ours out, says so, and touches nobody else. */
static void wrong_arguments(void **state)
{
	static const char *const wrong[] = {
		"sockte=/x",
		"socket=",
		"socket=relative",
		"timeout=0",
		"timeout=301",
		"timeout=-1",
		"timeout=1s",
		"timeout=",
		"debug=1",
		"QUIET",
		"leader=hub",
		"leader=",
		"prompt=",
		"nullok",
		"\xff\x1b[31m",
		"timeout=99999999999999999999",
		"use_first_pass try_first_pass",
	};
	static const char *const people[] = {"root", "local", "nobody-such"};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		for (int stage = 0; stage < STAGES; stage++) {
			pam_handle_t *pamh;
			int r;

			(void)snprintf(host.arguments, sizeof(host.arguments), "%s", wrong[i]);
			pamh = pam_host_start(&host, "test", "alice");
			r = run(pamh, (enum stage)stage, 0);
			expect(wrong[i], "alice", (enum stage)stage, r, stage == CLOSE ? PAM_SUCCESS : PAM_SERVICE_ERR);
			if (stage != CLOSE)
				assert_non_null(strstr(host.said, "misconfigured"));
			pam_end(pamh, r);
			for (size_t p = 0; p < ARRAY_LEN(people); p++) {
				pamh = pam_host_start(&host, "test", people[p]);
				r = run(pamh, (enum stage)stage, 0);
				expect(wrong[i], people[p], (enum stage)stage, r, PAM_USER_UNKNOWN);
				pam_end(pamh, r);
			}
		}
}

/* The user database fails: it could be one of ours. */
static void unclear_people_are_not_let_in(void **state)
{
	static const int codes[STAGES] = {PAM_AUTHINFO_UNAVAIL, PAM_CRED_UNAVAIL, PAM_AUTHINFO_UNAVAIL,
					  PAM_SESSION_ERR,      PAM_SUCCESS,      PAM_TRY_AGAIN};

	for (int stage = 0; stage < STAGES; stage++) {
		pam_handle_t *pamh = pam_host_start(&host, "test", "failing");
		int r = run(pamh, (enum stage)stage, 0);

		expect("up", "failing", (enum stage)stage, r, codes[stage]);
		assert_int_equal(fake_agent_connections(agent), 0);
		pam_end(pamh, r);
	}
}

static void the_ranges_ends_are_ours(void **state)
{
	static const char *const people[] = {"lowest", "highest", "long"};

	fake_agent_say(agent, "Authorize", FAKE_REPLY, NO);
	for (size_t i = 0; i < ARRAY_LEN(people); i++) {
		pam_handle_t *pamh = pam_host_start(&host, "test", people[i]);
		int r = pam_acct_mgmt(pamh, 0);

		expect("denying", people[i], ACCOUNT, r, PAM_PERM_DENIED);
		pam_end(pamh, r);
	}
}

static void silence_is_kept(void **state)
{
	fake_agent_say(agent, "Authorize", FAKE_REPLY, NO);
	for (int way = 0; way < 2; way++) {
		pam_handle_t *pamh;

		if (way == 1)
			(void)snprintf(host.arguments, sizeof(host.arguments), "socket=%s quiet",
				       fake_agent_path(agent));
		pamh = pam_host_start(&host, "test", "alice");
		assert_int_equal(pam_acct_mgmt(pamh, way == 0 ? PAM_SILENT : 0), PAM_PERM_DENIED);
		assert_int_equal(pam_chauthtok(pamh, way == 0 ? PAM_SILENT : 0), PAM_PERM_DENIED);
		assert_string_equal(host.said, "");
		pam_end(pamh, PAM_PERM_DENIED);
	}
}

/* systemd's conversation refuses everything: what needs no answer must work all the same. */
static void messages_are_best_effort(void **state)
{
	pam_handle_t *pamh;

	fake_agent_say(agent, "Authorize", FAKE_REPLY, "{\"parameters\":{" GRANT("allowed") ",\"warning\":\"soon\"}}");
	host.fail_messages = true;
	pamh = pam_host_start(&host, "test", "alice");
	assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
	pam_end(pamh, PAM_SUCCESS);
}

/* Root's own su and sudo go on without the agent; nothing else does, and a denial stays a denial. */
static void root_goes_on_without_the_agent(void **state)
{
	static const struct {
		const char *service, *requesting;
		uid_t uid;
		bool passes;
	} cases[] = {
		{"su", "root", 0, true},     {"su-l", "root", 0, true},   {"sudo", "root", 0, true},
		{"sudo-i", "root", 0, true}, {"su", "root", 1000, false}, {"su", "local", 0, false},
		{"su", NULL, 0, false},      {"su", "rooty", 0, false},   {"sshd", "root", 0, false},
		{"test", "root", 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int denied = 0; denied < 2; denied++) {
			pam_handle_t *pamh;
			bool passes = cases[i].passes && !denied;

			fake_agent_reset(agent);
			fake_agent_say(agent, "Authorize", FAKE_REPLY, denied ? NO : DUNNO);
			fake_agent_say(agent, "OpenSession", FAKE_REPLY, denied ? NO : DUNNO);
			fake_agent_say(agent, "Login", FAKE_REPLY, LOST);
			pamh = pam_host_start(&host, cases[i].service, "alice");
			pam_people.caller = cases[i].uid;
			assert_int_equal(pam_set_item(pamh, PAM_RUSER, cases[i].requesting), PAM_SUCCESS);
			assert_int_equal(pam_acct_mgmt(pamh, 0) == PAM_SUCCESS, passes);
			assert_int_equal(pam_open_session(pamh, 0) == PAM_SUCCESS, passes);
			assert_int_equal(pam_authenticate(pamh, 0), PAM_AUTHINFO_UNAVAIL);
			pam_people.caller = 0;
			pam_end(pamh, PAM_SUCCESS);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ours_depend_on_the_agent, set_up),
		cmocka_unit_test_setup(answers_can_be_lost_too, set_up),
		cmocka_unit_test_setup(others_never_do, set_up),
		cmocka_unit_test_setup(wrong_arguments, set_up),
		cmocka_unit_test_setup(unclear_people_are_not_let_in, set_up),
		cmocka_unit_test_setup(the_ranges_ends_are_ours, set_up),
		cmocka_unit_test_setup(silence_is_kept, set_up),
		cmocka_unit_test_setup(messages_are_best_effort, set_up),
		cmocka_unit_test_setup(root_goes_on_without_the_agent, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
