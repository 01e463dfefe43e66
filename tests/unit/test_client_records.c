/* SPDX-License-Identifier: MIT
 *
 * libtenant against a scripted agent: people, sessions, events, subscriptions, and the sign-in relay's rules.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "../fakes/fake_agent.h"
#include "base/clock.h"
#include "base/macros.h"
#include "tenant/login.h"

#define PERSON                                                                                                 \
	"\"principal\":{\"user\":\"alice\",\"user_id\":\"usr_alice\",\"uid\":1879048200,\"kind\":\"service\"," \
	"\"tenant\":\"acme\",\"tenant_id\":\"ten_acme\"}"
#define YES "{\"decision\":\"allowed\",\"reason\":\"allowed\",\"message\":\"\"}"
#define NO "{\"decision\":\"denied\",\"reason\":\"not-permitted\",\"message\":\"no\"}"
#define SESSION(id)                                                                                                   \
	"{\"session\":\"" id "\",\"state\":\"open\",\"user\":\"alice\",\"user_id\":\"usr_alice\",\"uid\":1879048200," \
	"\"tenant\":\"acme\",\"service\":\"sshd\","                                                                   \
	"\"leader\":42,\"opened\":7}"
#define ENDING "{\"continues\":true,\"parameters\":{\"event\":\"session-ending\",\"session\":\"s\",\"cause\":\"idle\"}}"
#define EVENT(name) "{\"continues\":true,\"parameters\":{\"event\":\"" name "\",\"user\":\"alice\",\"generation\":9}}"
#define PROMPT "{\"parameters\":{\"step\":\"prompt\",\"login\":\"tok1\",\"text\":\"API key: \",\"echo\":false}}"

static struct fake_agent *agent;
static struct tenant *tenant;

static int set_up(void **state)
{
	fake_agent_reset(agent);
	tenant_free(tenant);
	tenant = NULL;
	assert_result(tenant_new(fake_agent_path(agent), &tenant), 0);
	tenant_set_timeout(tenant, 300);
	return 0;
}

static int start(void **state)
{
	agent = fake_agent_start();
	return 0;
}

static int stop(void **state)
{
	tenant_free(tenant);
	fake_agent_stop(agent);
	return 0;
}

static void whoami(void **state)
{
	struct tenant_identity *identity = NULL;

	fake_agent_say(agent, "WhoAmI", FAKE_REPLY,
		       "{\"parameters\":{" PERSON ",\"memberships\":[{\"tenant\":\"acme\",\"project\":\"vision\","
		       "\"project_id\":\"prj_vision\",\"role\":\"editor\"},{\"tenant\":\"acme\",\"role\":\"admin\"}],"
		       "\"something_new\":[1]}}");
	assert_result(tenant_whoami(tenant, &identity), 0);
	assert_string_equal(identity->user, "alice");
	assert_int_equal(identity->uid, 1879048200);
	assert_true(identity->is_service);
	assert_int_equal(identity->membership_count, 2);
	assert_string_equal(identity->memberships[0].project_id, "prj_vision");
	assert_null(identity->memberships[1].project);
	assert_string_equal(identity->memberships[1].role, "admin");
	assert_null(identity->operator_name);
	tenant_identity_free(identity);
}

static void an_operator_is_no_service(void **state)
{
	struct tenant_identity *identity = NULL;

	(void)state;
	fake_agent_say(agent, "WhoAmI", FAKE_REPLY,
		       "{\"parameters\":{\"principal\":{\"user\":\"op\",\"user_id\":\"usr_op\",\"uid\":1879048201,"
		       "\"kind\":\"operator\",\"tenant\":\"acme\",\"tenant_id\":\"ten_acme\",\"operator\":\"olga@"
		       "example.org\","
		       "\"grant\":\"grt_1\"},\"memberships\":[]}}");
	assert_result(tenant_whoami(tenant, &identity), 0);
	assert_false(identity->is_service);
	assert_string_equal(identity->operator_name, "olga@example.org");
	assert_string_equal(identity->grant_id, "grt_1");
	tenant_identity_free(identity);
}

static void one_time_codes(void **state)
{
	static const char *const bad[] = {
		"{\"parameters\":{}}",
		"{\"parameters\":{\"decision\":" YES "}}", /* a yes without a code */
		"{\"parameters\":{\"decision\":" YES
		",\"code\":\"\",\"user\":\"a\",\"expires_in\":9}}",                        /* or an empty one */
		"{\"parameters\":{\"decision\":" YES ",\"code\":\"X\",\"expires_in\":9}}", /* for nobody */
		"{\"parameters\":{\"decision\":" YES ",\"code\":\"X\",\"user\":\"a\"}}",   /* for ever */
		"{\"parameters\":{\"decision\":" YES ",\"code\":7,\"user\":\"a\",\"expires_in\":9}}",
		"{\"parameters\":{\"decision\":" NO
		",\"code\":\"X\",\"user\":\"a\",\"expires_in\":9}}", /* a no with one */
	};
	struct tenant_code *code = NULL;

	fake_agent_say(agent, "Code", FAKE_REPLY,
		       "{\"parameters\":{\"decision\":" YES ",\"code\":\"7K3M-Q2XW-9TBD\",\"user\":\"alice\","
		       "\"service\":\"hub\",\"expires_in\":120}}");
	assert_result(tenant_code(tenant, NULL, "hub", &code), 0);
	assert_int_equal(code->decision, TENANT_ALLOWED);
	assert_string_equal(code->code, "7K3M-Q2XW-9TBD");
	assert_string_equal(code->user, "alice");
	assert_string_equal(code->service, "hub");
	assert_int_equal(code->expires_in, 120);
	tenant_code_free(code);
	fake_agent_reset(agent);
	fake_agent_say(agent, "Code", FAKE_REPLY, "{\"parameters\":{\"decision\":" NO "}}");
	assert_result(tenant_code(tenant, "edith", NULL, &code), 0);
	assert_int_equal(code->decision, TENANT_DENIED);
	assert_null(code->code);
	tenant_code_free(code);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		code = NULL;
		fake_agent_reset(agent);
		fake_agent_say(agent, "Code", FAKE_REPLY, bad[i]);
		assert_result(tenant_code(tenant, NULL, NULL, &code), -EPROTO);
		assert_null(code);
	}
	tenant_code_free(NULL);
	assert_result(tenant_code(NULL, NULL, NULL, &code), -EINVAL);
}

static void malformed_people_are_refused(void **state)
{
	static const char *const replies[] = {
		"{\"parameters\":{\"memberships\":[]}}",
		"{\"parameters\":{" PERSON "}}",
		"{\"parameters\":{" PERSON ",\"memberships\":{}}}",
		"{\"parameters\":{" PERSON ",\"memberships\":[1]}}",
		"{\"parameters\":{" PERSON ",\"memberships\":[{\"tenant\":\"acme\"}]}}",
		"{\"parameters\":{\"principal\":{\"user\":\"a\",\"user_id\":\"b\",\"uid\":-1,\"kind\":\"person\","
		"\"tenant\":\"t\","
		"\"tenant_id\":\"i\"},\"memberships\":[]}}",
		"{\"parameters\":{\"principal\":{\"user\":\"a\",\"user_id\":\"b\",\"uid\":4294967295,\"kind\":"
		"\"person\","
		"\"tenant\":\"t\",\"tenant_id\":\"i\"},\"memberships\":[]}}",
		"{\"parameters\":{\"principal\":{\"user\":\"a\",\"user_id\":\"b\",\"uid\":1,\"kind\":\"robot\","
		"\"tenant\":\"t\","
		"\"tenant_id\":\"i\"},\"memberships\":[]}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct tenant_identity *identity = NULL;

		set_up(state);
		fake_agent_say(agent, "WhoAmI", FAKE_REPLY, replies[i]);
		assert_result(tenant_whoami(tenant, &identity), -EPROTO);
		assert_null(identity);
	}
}

static void sessions_in_one_and_in_several_replies(void **state)
{
	struct tenant_sessions *sessions = NULL;

	fake_agent_say(agent, "Sessions", FAKE_REPLY, "{\"parameters\":{\"sessions\":[]}}");
	fake_agent_say(agent, "Sessions", FAKE_REPLY,
		       "{\"parameters\":{\"sessions\":[" SESSION("a") "," SESSION(
			       "b") "]},\"continues\":true}\n"
				    "{\"parameters\":{\"sessions\":[" SESSION(
					    "c") "]},\"continues\":true}\n"
						 "{\"parameters\":{\"sessions\":[" SESSION("d") "]}}");
	assert_result(tenant_sessions(tenant, NULL, &sessions), 0);
	assert_int_equal(sessions->count, 0);
	tenant_sessions_free(sessions);
	assert_result(tenant_sessions(tenant, "alice", &sessions), 0);
	assert_int_equal(sessions->count, 4);
	for (size_t i = 0; i < 4; i++) {
		const char id[2] = {(char)('a' + i), '\0'};

		assert_string_equal(sessions->items[i].id, id);
		assert_int_equal(sessions->items[i].leader, 42);
		assert_int_equal(sessions->items[i].opened, 7);
		assert_null(sessions->items[i].source);
	}
	tenant_sessions_free(sessions);
	assert_null(strstr(fake_agent_call(agent, "Sessions", 0), "user"));
	assert_non_null(strstr(fake_agent_call(agent, "Sessions", 1), "\"user\":\"alice\""));
	assert_int_equal(fake_agent_connections(agent), 1);
}

static void half_a_list_is_no_list(void **state)
{
	static const char *const replies[] = {
		"{\"parameters\":{\"sessions\":[" SESSION("a") "]},\"continues\":true}",
		"{\"parameters\":{\"sessions\":[" SESSION(
			"a") "]},\"continues\":true}\n{\"error\":\"io.tenantd.Agent.Broken\"}",
		"{\"parameters\":{\"sessions\":[" SESSION("a") "]},\"continues\":true}\n{\"parameters\":{}}",
		"{\"parameters\":{\"sessions\":[{}]}}",
		"{\"parameters\":{\"sessions\":[{\"session\":\"s\",\"user\":\"a\",\"user_id\":\"u\",\"uid\":1,"
		"\"tenant\":\"t\","
		"\"service\":\"x\",\"leader\":1,\"opened\":1}]}}", /* in no state */
		"{\"parameters\":{\"sessions\":[{\"session\":\"s\",\"state\":\"open\",\"user\":\"a\",\"user_id\":\"u\","
		"\"uid\":1,"
		"\"tenant\":\"t\",\"service\":\"x\",\"leader\":1,\"opened\":1,\"idle\":-2}]}}",
		"{\"parameters\":{}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct tenant_sessions *sessions = NULL;

		set_up(state);
		fake_agent_say(agent, "Sessions", FAKE_REPLY, replies[i]);
		assert_result(tenant_sessions(tenant, NULL, &sessions), i == 0 ? -ETIMEDOUT : -EPROTO);
		assert_null(sessions);
	}
}

static void a_session_says_what_it_is(void **state)
{
	struct tenant_sessions *sessions = NULL;

	(void)state;
	fake_agent_say(
		agent, "Sessions", FAKE_REPLY,
		"{\"parameters\":{\"sessions\":[" SESSION(
			"a") ",{\"session\":\"b\",\"state\":\"ending\",\"cause\":\"grant-ended\",\"user\":\"op\","
			     "\"user_id\":\"usr_op\",\"uid\":1879048201,\"tenant\":\"acme\",\"tenant_id\":\"ten_acme\","
			     "\"service\":\"sshd\",\"leader\":0,\"opened\":7,\"operator\":\"olga@example.org\","
			     "\"grant\":\"grt_1\",\"scope\":\"17\",\"tty\":\"pts/3\",\"idle\":90}]}}");
	assert_result(tenant_sessions_of(tenant, NULL, "acme/vision", &sessions), 0);
	assert_non_null(strstr(fake_agent_call(agent, "Sessions", 0), "\"project\":\"acme/vision\""));
	assert_int_equal(sessions->count, 2);
	assert_string_equal(sessions->items[0].state, "open");
	assert_null(sessions->items[0].cause);
	assert_int_equal(sessions->items[0].idle, -1);
	assert_string_equal(sessions->items[1].state, "ending");
	assert_string_equal(sessions->items[1].cause, "grant-ended");
	assert_string_equal(sessions->items[1].operator_name, "olga@example.org");
	assert_string_equal(sessions->items[1].grant_id, "grt_1");
	assert_string_equal(sessions->items[1].tty, "pts/3");
	assert_int_equal(sessions->items[1].idle, 90);
	assert_int_equal(sessions->items[1].leader, 0);
	tenant_sessions_free(sessions);
}

#define ENDED(asked, gone) "{\"parameters\":{\"asked\":" asked ",\"gone\":" gone "}}"

static void sessions_are_ended(void **state)
{
	size_t count = 99;

	(void)state;
	fake_agent_say(agent, "EndSession", FAKE_REPLY, ENDED("1", "0"));
	assert_result(tenant_end_session(tenant, "a", "told so", 0), 0); /* it has begun, and nothing else was asked */
	assert_non_null(strstr(fake_agent_call(agent, "EndSession", 0), "{\"session\":\"a\",\"reason\":\"told so\"}"));
	assert_result(tenant_end_session(tenant, "a", NULL, 3), -EINPROGRESS);
	assert_non_null(strstr(fake_agent_call(agent, "EndSession", 1), "{\"session\":\"a\",\"wait\":3}"));
	assert_non_null(strstr(tenant_error(tenant), "1 of 1"));
	fake_agent_say(agent, "EndSessions", FAKE_REPLY, ENDED("4", "4"));
	assert_result(tenant_end_sessions(tenant, "alice", NULL, NULL, 3, &count), 0);
	assert_int_equal(count, 4);
	assert_result(tenant_end_sessions(tenant, NULL, "acme/vision", NULL, 0, NULL), 0);
	assert_non_null(strstr(fake_agent_call(agent, "EndSessions", 1), "{\"project\":\"acme/vision\"}"));
	/* An empty name is said: left out, it would mean everybody. */
	assert_result(tenant_end_sessions(tenant, "", "acme/vision", NULL, 0, NULL), 0);
	assert_non_null(strstr(fake_agent_call(agent, "EndSessions", 2), "\"user\":\"\""));
}

static void sessions_are_not_ended_by_mistake(void **state)
{
	static const struct {
		const char *reply;
		int result;
	} answers[] = {
		{"{\"error\":\"io.tenantd.Agent.NotFound\",\"parameters\":{\"what\":\"sessions\"}}", -ENODATA},
		{"{\"error\":\"io.tenantd.Agent.Broken\",\"parameters\":{\"problem\":\"no helper\"}}", -EIO},
		{"{\"error\":\"org.varlink.service.PermissionDenied\"}", -EACCES},
		{"{\"parameters\":{}}", -EPROTO},
		{ENDED("1", "2"), -EPROTO}, /* more gone than there were */
		{ENDED("-1", "0"), -EPROTO},
	};
	size_t count = 99;

	assert_result(tenant_end_session(tenant, NULL, NULL, 0), -EINVAL);
	assert_result(tenant_end_session(NULL, "a", NULL, 0), -EINVAL);
	assert_result(tenant_end_sessions(tenant, NULL, NULL, NULL, 0, &count), -EINVAL);
	assert_result(tenant_end_session(tenant, "a", NULL, 601), -EINVAL);
	assert_int_equal(fake_agent_calls(agent, "EndSession") + fake_agent_calls(agent, "EndSessions"), 0);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		set_up(state);
		fake_agent_say(agent, "EndSessions", FAKE_REPLY, answers[i].reply);
		assert_result(tenant_end_sessions(tenant, "alice", NULL, NULL, 1, &count), answers[i].result);
		assert_int_equal(count, 99);
	}
	/* Sent a second time, it could end what was begun in between. */
	set_up(state);
	fake_agent_say(agent, "EndSession", FAKE_HANG_UP, NULL);
	assert_result(tenant_end_session(tenant, "a", NULL, 0), -ECONNRESET);
	assert_int_equal(fake_agent_calls(agent, "EndSession"), 1);
}

static void emits(void **state)
{
	fake_agent_say(agent, "Emit", FAKE_REPLY, "{}");
	assert_result(tenant_emit(tenant, "dataset.write", 1, "alice", NULL, "said \"x\"", "{\"bytes\": 5}"), 0);
	assert_non_null(
		strstr(fake_agent_call(agent, "Emit", 0),
		       "{\"action\":\"dataset.write\",\"outcome\":\"success\",\"user\":\"alice\",\"message\":\"said "
		       "\\\"x\\\"\",\"data\":{\"bytes\": 5}}"));
	assert_result(tenant_emit(tenant, "dataset.write", 0, NULL, NULL, NULL, NULL), 0);
	assert_non_null(strstr(fake_agent_call(agent, "Emit", 1), "\"failure\""));
}

/* What is put into the call as it is must not be able to end it. */
static void data_must_be_one_object(void **state)
{
	static const char *const data[] = {
		"", "[]", "1", "{", "{}}", "{},\"action\":\"x\"", "{\"a\":1,\"a\":2}", "{} {}", "null", "\xff"};

	fake_agent_say(agent, "Emit", FAKE_REPLY, "{}");
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		assert_result(tenant_emit(tenant, "a.b", 1, NULL, NULL, NULL, data[i]), -EINVAL);
	assert_result(tenant_emit(tenant, "a.b", 2, NULL, NULL, NULL, NULL), -EINVAL);
	assert_result(tenant_emit(tenant, NULL, 1, NULL, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(fake_agent_calls(agent, "Emit"), 0);
}

/* What may have happened must not happen twice. */
static void an_event_is_not_sent_twice(void **state)
{
	fake_agent_say(agent, "Emit", FAKE_REPLY, "{}");
	fake_agent_say(agent, "Emit", FAKE_HANG_UP, NULL);
	assert_result(tenant_emit(tenant, "a.b", 1, NULL, NULL, NULL, NULL), 0);
	assert_result(tenant_emit(tenant, "a.b", 1, NULL, NULL, NULL, NULL), -ECONNRESET);
	assert_int_equal(fake_agent_calls(agent, "Emit"), 2);
}

static void subscribes(void **state)
{
	const struct tenant_event *event = NULL;
	struct tenant_subscription *s = NULL;
	uint64_t before;

	/* The first two events come in one write with "ready", so no poll would show them. */
	fake_agent_say(agent, "Subscribe", FAKE_REPLY,
		       EVENT("ready") "\n" EVENT("key-revoked") "\n" EVENT("role-changed") "\n" ENDING);
	assert_result(tenant_subscribe(tenant, &s), 0);
	assert_true(tenant_subscription_fd(s) >= 0);
	assert_non_null(strstr(fake_agent_call(agent, "Subscribe", 0), "\"more\":true"));
	assert_result(tenant_subscription_next(s, 0, &event), 0);
	assert_string_equal(event->event, "key-revoked");
	assert_string_equal(event->user, "alice");
	assert_int_equal(event->generation, 9);
	assert_null(event->session);
	assert_result(tenant_subscription_next(s, 0, &event), 0);
	assert_string_equal(event->event, "role-changed");
	assert_null(event->cause);
	assert_result(tenant_subscription_next(s, 0, &event), 0);
	assert_string_equal(event->event, "session-ending");
	assert_string_equal(event->cause, "idle");
	before = clock_boottime_usec();
	assert_result(tenant_subscription_next(s, 100, &event), -ETIMEDOUT);
	assert_true(clock_boottime_usec() - before >= 95 * USEC_PER_MSEC);
	/* A wait that ended is no end of the subscription. */
	assert_result(tenant_subscription_next(s, 0, &event), -ETIMEDOUT);
	assert_string_equal(event->event, "session-ending");
	fake_agent_cut(agent);
	assert_result(tenant_subscription_next(s, 1000, &event), -ECONNRESET);
	tenant_subscription_free(s);
	tenant_subscription_free(NULL);
}

static void subscriptions_that_do_not_begin(void **state)
{
	static const struct {
		enum fake_how how;
		const char *text;
		int error;
	} cases[] = {
		{FAKE_STALL, NULL, -ETIMEDOUT},
		{FAKE_HANG_UP, NULL, -ECONNRESET},
		{FAKE_GARBAGE, NULL, -EPROTO},
		{FAKE_REPLY, EVENT("key-revoked"), -EPROTO},
		{FAKE_REPLY, "{\"parameters\":{\"event\":\"ready\"}}", -EPROTO},
		{FAKE_REPLY, "{\"error\":\"io.tenantd.Agent.TooMany\",\"parameters\":{\"limit\":\"8\"}}", -EBUSY},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tenant_subscription *s = NULL;

		set_up(state);
		fake_agent_say(agent, "Subscribe", cases[i].how, cases[i].text);
		assert_result(tenant_subscribe(tenant, &s), cases[i].error);
		assert_null(s);
		assert_string_not_equal(tenant_error(tenant), "");
	}
}

/* A key that was typed goes to the agent that asked for it, and to no other. */
static void answers_stay_on_their_connection(void **state)
{
	const struct tenant_origin origin = {.user = "alice", .service = "sshd"};
	struct tenant_login *login = NULL, *next = NULL;

	assert_result(tenant_login_answer(tenant, "tok1", "key", &next), -ENOTCONN);
	fake_agent_say(agent, "Login", FAKE_REPLY, PROMPT);
	assert_result(tenant_login_start(tenant, &origin, &login), 0);
	assert_int_equal(login->step, TENANT_LOGIN_PROMPT);
	assert_string_equal(login->login, "tok1");
	assert_false(login->echo);
	fake_agent_cut(agent);
	assert_result(tenant_login_answer(tenant, login->login, "key", &next), -ENOTCONN);
	assert_int_equal(fake_agent_calls(agent, "Answer"), 0);
	assert_int_equal(fake_agent_connections(agent), 1);
	tenant_login_free(login);
}

static void how_pictures_are_drawn(void **state)
{
	static const char *const wrong[] = {"UTF8", "utf8 ", "none", "a form that is much longer than any"};
	const struct tenant_origin origin = {.user = "alice", .service = "sshd"};
	struct tenant_login *login = NULL;

	fake_agent_say(agent, "Login", FAKE_REPLY, PROMPT);
	assert_result(tenant_login_start(tenant, &origin, &login), 0);
	tenant_login_free(login);
	assert_null(strstr(fake_agent_call(agent, "Login", 0), "qr"));
	assert_result(tenant_set_qr(NULL, "off"), -EINVAL);
	assert_result(tenant_set_qr(tenant, "ascii"), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_result(tenant_set_qr(tenant, wrong[i]), -EINVAL);
	assert_result(tenant_login_start(tenant, &origin, &login), 0);
	tenant_login_free(login);
	assert_non_null(strstr(fake_agent_call(agent, "Login", 1), "\"qr\":\"ascii\""));
	assert_result(tenant_set_qr(tenant, NULL), 0);
	assert_result(tenant_login_start(tenant, &origin, &login), 0);
	tenant_login_free(login);
	assert_null(strstr(fake_agent_call(agent, "Login", 2), "qr"));
}

static void sessions_are_not_opened_twice(void **state)
{
	const struct tenant_origin origin = {.user = "alice", .service = "sshd"}, nobody = {.service = "sshd"};
	struct tenant_grant *grant = NULL;

	fake_agent_say(agent, "CloseSession", FAKE_REPLY, "{}");
	fake_agent_say(agent, "OpenSession", FAKE_HANG_UP, NULL);
	assert_result(tenant_close_session(tenant, "s"), 0);
	assert_result(tenant_open_session(tenant, &origin, NULL, 0, &grant), -ECONNRESET);
	assert_int_equal(fake_agent_calls(agent, "OpenSession"), 1);
	assert_result(tenant_open_session(tenant, &nobody, NULL, 0, &grant), -EINVAL);
	assert_result(tenant_open_session(tenant, &origin, NULL, -1, &grant), -EINVAL);
	assert_null(grant);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(whoami, set_up),
		cmocka_unit_test_setup(an_operator_is_no_service, set_up),
		cmocka_unit_test_setup(one_time_codes, set_up),
		cmocka_unit_test_setup(malformed_people_are_refused, set_up),
		cmocka_unit_test_setup(sessions_in_one_and_in_several_replies, set_up),
		cmocka_unit_test_setup(half_a_list_is_no_list, set_up),
		cmocka_unit_test_setup(a_session_says_what_it_is, set_up),
		cmocka_unit_test_setup(sessions_are_ended, set_up),
		cmocka_unit_test_setup(sessions_are_not_ended_by_mistake, set_up),
		cmocka_unit_test_setup(emits, set_up),
		cmocka_unit_test_setup(data_must_be_one_object, set_up),
		cmocka_unit_test_setup(an_event_is_not_sent_twice, set_up),
		cmocka_unit_test_setup(subscribes, set_up),
		cmocka_unit_test_setup(subscriptions_that_do_not_begin, set_up),
		cmocka_unit_test_setup(answers_stay_on_their_connection, set_up),
		cmocka_unit_test_setup(how_pictures_are_drawn, set_up),
		cmocka_unit_test_setup(sessions_are_not_opened_twice, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
