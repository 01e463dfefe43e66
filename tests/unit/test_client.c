/* SPDX-License-Identifier: MIT
 *
 * libtenant against a scripted agent: what is a decision, what is a breakage, and that nothing else is 0.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fakes/fake_agent.h"
#include "base/clock.h"
#include "base/macros.h"
#include "tenant/client.h"

#define PRINCIPAL                                                                                              \
	"\"principal\":{\"user\":\"alice\",\"user_id\":\"usr_alice\",\"uid\":1879048200,\"kind\":\"person\","  \
	"\"tenant\":\"acme\",\"tenant_id\":\"ten_acme\",\"project\":\"vision\",\"project_id\":\"prj_vision\"," \
	"\"role\":\"editor\"}"
#define DECISION(word, reason) \
	"\"decision\":{\"decision\":\"" word "\",\"reason\":\"" reason "\",\"message\":\"because.\"}"
#define REPLY(parameters) "{\"parameters\":{" parameters "}}"
#define ALLOWED                                                                                                   \
	REPLY(DECISION("allowed", "allowed") "," PRINCIPAL ",\"key_id\":\"key_1\",\"actions\":[\"project.view\"," \
					     "\"dataset.write\"],\"warning\":\"soon\"")
#define DENIED REPLY(DECISION("denied", "role-too-low") "," PRINCIPAL)
#define BROKEN REPLY(DECISION("broken", "broken"))
#define ERROR(name) "{\"error\":\"" name "\",\"parameters\":{}}"

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

static void says_allowed(void **state)
{
	struct tenant_answer *answer = NULL;

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	assert_result(tenant_verify(tenant, "k\"ey", "acme/vision", "dataset.write", "api", "10.0.0.1", &answer), 0);
	assert_int_equal(answer->decision, TENANT_ALLOWED);
	assert_string_equal(answer->user, "alice");
	assert_string_equal(answer->user_id, "usr_alice");
	assert_int_equal(answer->uid, 1879048200);
	assert_false(answer->is_service);
	assert_string_equal(answer->tenant, "acme");
	assert_string_equal(answer->project, "vision");
	assert_string_equal(answer->project_id, "prj_vision");
	assert_string_equal(answer->role, "editor");
	assert_string_equal(answer->key_id, "key_1");
	assert_string_equal(answer->warning, "soon");
	assert_string_equal(answer->actions[0], "project.view");
	assert_string_equal(answer->actions[1], "dataset.write");
	assert_null(answer->actions[2]);
	assert_string_equal(tenant_error(tenant), "");
	tenant_answer_free(answer);
	assert_non_null(strstr(fake_agent_call(agent, "VerifyCredential", 0),
			       "\"parameters\":{\"credential\":\"k\\\"ey\",\"project\":\"acme/vision\",\"action\":"
			       "\"dataset.write\",\"service\":\"api\",\"source\":\"10.0.0.1\"}"));
}

static void says_denied_and_broken(void **state)
{
	struct tenant_answer *answer = NULL;

	fake_agent_say(agent, "CheckAccess", FAKE_REPLY, DENIED);
	fake_agent_say(agent, "CheckAccess", FAKE_REPLY, BROKEN);
	assert_result(tenant_check(tenant, 1879048200, "prj_vision", "dataset.write", &answer), 0);
	assert_int_equal(answer->decision, TENANT_DENIED);
	assert_string_equal(answer->reason, "role-too-low");
	assert_string_equal(answer->message, "because.");
	tenant_answer_free(answer);
	assert_result(tenant_check_user(tenant, "alice", "prj_vision", "dataset.write", &answer), 0);
	assert_int_equal(answer->decision, TENANT_BROKEN);
	assert_null(answer->user);
	assert_int_equal(answer->uid, (uid_t)-1);
	tenant_answer_free(answer);
	assert_non_null(strstr(fake_agent_call(agent, "CheckAccess", 0), "\"uid\":1879048200"));
	assert_non_null(strstr(fake_agent_call(agent, "CheckAccess", 1), "\"user\":\"alice\""));
	assert_null(strstr(fake_agent_call(agent, "CheckAccess", 1), "uid"));
}

static void gate_opens_only_for_allowed(void **state)
{
	struct tenant_answer *answer = NULL;

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, DENIED);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, BROKEN);
	fake_agent_say(agent, "VerifyCredential", FAKE_HANG_UP, NULL);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	assert_result(tenant_require_project(tenant, "key", "acme/vision", "dataset.write", &answer), -EPERM);
	assert_string_equal(tenant_error(tenant), "because.");
	assert_result(tenant_require_project(tenant, "key", "acme/vision", "dataset.write", &answer), -EIO);
	/* Over a connection of before, so it is asked again. */
	assert_result(tenant_require_project(tenant, "key", "acme/vision", "dataset.write", NULL), 0);
	assert_null(answer);
	assert_result(tenant_require_project(tenant, "key", "acme/vision", "dataset.write", &answer), 0);
	assert_string_equal(answer->user, "alice");
	tenant_answer_free(answer);
	assert_result(tenant_require_project(tenant, "key", NULL, "dataset.write", NULL), -EINVAL);
	assert_result(tenant_require_project(tenant, "key", "acme/vision", "", NULL), -EINVAL);
	assert_result(tenant_require_project(tenant, NULL, "acme/vision", "dataset.write", NULL), -EINVAL);
	assert_result(tenant_verify(tenant, "key", NULL, "dataset.write", NULL, NULL, &answer), -EINVAL);
}

/* Everything that can come back and is no decision, with what it must become. */
static void no_breakage_is_an_answer(void **state)
{
	static const struct {
		enum fake_how how;
		const char *text;
		int error;
	} cases[] = {
		{FAKE_STALL, NULL, -ETIMEDOUT},
		{FAKE_DRIBBLE, ALLOWED, -ETIMEDOUT},
		{FAKE_HANG_UP, NULL, -ECONNRESET},
		{FAKE_HALF, ALLOWED, -ECONNRESET},
		{FAKE_GARBAGE, NULL, -EPROTO},
		{FAKE_FLOOD, NULL, -EPROTO},
		{FAKE_REPLY, "{}", -EPROTO},
		{FAKE_REPLY, "[]", -EPROTO},
		{FAKE_REPLY, "", -EPROTO},
		{FAKE_REPLY, REPLY(""), -EPROTO},
		{FAKE_REPLY, REPLY("\"decision\":\"allowed\"," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY("\"decision\":{\"decision\":\"allowed\"}," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("Allowed", "allowed") "," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("", "allowed") "," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("allowed", "allowed")), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("allowed", "allowed") ",\"principal\":null"), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("allowed", "allowed") ",\"principal\":{}"), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("allowed", "allowed") ",\"actions\":\"all\"," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("allowed", "allowed") ",\"actions\":[1]," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, REPLY(DECISION("denied", "x") "," DECISION("allowed", "x") "," PRINCIPAL), -EPROTO},
		{FAKE_REPLY, "{\"continues\":true,\"parameters\":{" DECISION("allowed", "x") "," PRINCIPAL "}}",
		 -EPROTO},
		{FAKE_REPLY, ERROR("org.varlink.service.PermissionDenied"), -EACCES},
		{FAKE_REPLY, ERROR("org.varlink.service.InvalidParameter"), -EINVAL},
		{FAKE_REPLY, ERROR("org.varlink.service.MethodNotFound"), -EOPNOTSUPP},
		{FAKE_REPLY, ERROR("org.varlink.service.InterfaceNotFound"), -EOPNOTSUPP},
		{FAKE_REPLY, ERROR("io.tenantd.Agent.NotFound"), -ENODATA},
		{FAKE_REPLY, ERROR("io.tenantd.Agent.Broken"), -EIO},
		{FAKE_REPLY, ERROR("io.tenantd.Agent.TooMany"), -EBUSY},
		{FAKE_REPLY, ERROR("io.example.Else"), -EPROTO},
		/* An error with the looks of an answer stays an error. */
		{FAKE_REPLY,
		 "{\"error\":\"io.example.Else\",\"parameters\":{" DECISION("allowed", "x") "," PRINCIPAL "}}",
		 -EPROTO},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char place = 0; /* never read: only its address tells that nothing was written */
		struct tenant_answer *untouched = (struct tenant_answer *)(void *)&place, *answer = untouched;
		int r;

		set_up(state);
		tenant_set_timeout(tenant, 150);
		fake_agent_say(agent, "VerifyCredential", cases[i].how, cases[i].text);
		r = tenant_verify(tenant, "key", "acme/vision", "project.view", NULL, NULL, &answer);
		if (r != cases[i].error)
			print_error("case %zu: %s\n", i, cases[i].text ? cases[i].text : "-");
		assert_result(r, cases[i].error);
		assert_ptr_equal(answer, untouched);
		assert_string_not_equal(tenant_error(tenant), "");
	}
}

static void no_agent_is_a_breakage(void **state)
{
	struct tenant_identity *identity = NULL;
	struct tenant *other;

	assert_result(tenant_new("/nonexistent/agent.sock", &other), 0);
	assert_result(tenant_whoami(other, &identity), -ENOENT);
	assert_non_null(strstr(tenant_error(other), "/nonexistent/agent.sock"));
	assert_string_equal(tenant_error(tenant), ""); /* another handle's words */
	tenant_free(other);
	assert_result(tenant_new("relative", &other), -EINVAL);
	assert_result(tenant_new("/x", NULL), -EINVAL);
	tenant_free(NULL);
}

static void deadline_holds(void **state)
{
	struct tenant_identity *identity = NULL;
	uint64_t before = clock_boottime_usec(), took;

	fake_agent_say(agent, "WhoAmI", FAKE_STALL, NULL);
	assert_result(tenant_whoami(tenant, &identity), -ETIMEDOUT);
	took = clock_boottime_usec() - before;
	assert_true(took >= 290 * USEC_PER_MSEC && took < 2 * USEC_PER_SEC);
}

/* The answer that comes too late must not become the answer to the next question. */
static void late_answer_is_dropped(void **state)
{
	struct tenant_answer *answer = NULL;

	fake_agent_say(agent, "VerifyCredential", FAKE_STALL, NULL);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, DENIED);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), -ETIMEDOUT);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	assert_int_equal(answer->decision, TENANT_DENIED);
	tenant_answer_free(answer);
	assert_int_equal(fake_agent_connections(agent), 2);
}

static void unasked_words_are_not_believed(void **state)
{
	struct tenant_answer *answer = NULL;

	/* Two replies to one call: the second waits in the socket for the next question. */
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, DENIED "\n" ALLOWED);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, DENIED);
	for (int i = 0; i < 2; i++) {
		int r = tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer);

		assert_true(r == 0 || r == -EPROTO);
		if (r == 0) {
			assert_int_equal(answer->decision, TENANT_DENIED);
			tenant_answer_free(answer);
		}
	}
}

static void reconnects(void **state)
{
	struct tenant_answer *answer = NULL;

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	for (int i = 0; i < 3; i++) {
		assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
		tenant_answer_free(answer);
	}
	assert_int_equal(fake_agent_connections(agent), 1);
	fake_agent_cut(agent);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	assert_int_equal(fake_agent_connections(agent), 2);
}

/* A program closed our descriptor and opened its own file under the number. */
static void stolen_descriptor_is_left_alone(void **state)
{
	struct tenant_answer *answer = NULL;
	int pair[2];
	char byte;

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	assert_result(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* The handle's is the one whose peer is the agent's path. */
	for (int i = 3; i < 256; i++) {
		struct sockaddr_un address;
		socklen_t size = sizeof(address);

		if (i == pair[0] || i == pair[1] || getpeername(i, (struct sockaddr *)&address, &size) < 0 ||
		    size <= sizeof(sa_family_t) || strcmp(address.sun_path, fake_agent_path(agent)) != 0)
			continue;
		assert_int_equal(dup2(pair[0], i), i);
		close(pair[0]);
		pair[0] = i;
		break;
	}
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	/* Still open, and nothing was written to it. */
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

static void fork_makes_a_new_connection(void **state)
{
	struct tenant_answer *answer = NULL;
	int status;
	pid_t child;

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int r = tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer);

		_exit(r == 0 && answer->decision == TENANT_ALLOWED ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(fake_agent_connections(agent), 2);
	/* The parent's still stands. */
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	assert_int_equal(fake_agent_connections(agent), 2);
}

static void *ask_often(void *context)
{
	size_t *good = context;

	for (int i = 0; i < 200; i++) {
		struct tenant_answer *answer = NULL;

		if (tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer) == 0)
			*good += answer->decision == TENANT_ALLOWED && strcmp(answer->user, "alice") == 0;
		tenant_answer_free(answer);
	}
	return NULL;
}

static void threads_share_a_handle(void **state)
{
	pthread_t threads[4];
	size_t good[4] = {0};

	tenant_set_timeout(tenant, 10000);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_result(pthread_create(&threads[i], NULL, ask_often, &good[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(good[i], 200);
	}
	assert_int_equal(fake_agent_connections(agent), 1);
}

static void arguments_too_long_are_refused(void **state)
{
	static char credential[100000];
	struct tenant_answer *answer = NULL;

	memset(credential, 'k', sizeof(credential) - 1);
	assert_result(tenant_verify(tenant, credential, NULL, NULL, NULL, NULL, &answer), -EMSGSIZE);
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, ALLOWED);
	assert_result(tenant_verify(tenant, "key", NULL, NULL, NULL, NULL, &answer), 0);
	tenant_answer_free(answer);
	assert_int_equal(fake_agent_calls(agent, "VerifyCredential"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_allowed, set_up),
		cmocka_unit_test_setup(says_denied_and_broken, set_up),
		cmocka_unit_test_setup(gate_opens_only_for_allowed, set_up),
		cmocka_unit_test_setup(no_breakage_is_an_answer, set_up),
		cmocka_unit_test_setup(no_agent_is_a_breakage, set_up),
		cmocka_unit_test_setup(deadline_holds, set_up),
		cmocka_unit_test_setup(late_answer_is_dropped, set_up),
		cmocka_unit_test_setup(unasked_words_are_not_believed, set_up),
		cmocka_unit_test_setup(reconnects, set_up),
		cmocka_unit_test_setup(stolen_descriptor_is_left_alone, set_up),
		cmocka_unit_test_setup(fork_makes_a_new_connection, set_up),
		cmocka_unit_test_setup(threads_share_a_handle, set_up),
		cmocka_unit_test_setup(arguments_too_long_are_refused, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
