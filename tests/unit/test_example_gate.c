/* SPDX-License-Identifier: MIT
 *
 * The example that the README shows: compiled as it is, and run against a scripted agent.
 */
#include "unit.h"

#include "../fakes/fake_agent.h"

int gate(int argc, char **argv);
#define main gate
#include "../../docs/examples/gate.c" /* NOLINT(bugprone-suspicious-include): that very file is what is tested */
#undef main

#define REPLY(word)                                                                                                    \
	"{\"parameters\":{\"decision\":{\"decision\":\"" word "\",\"reason\":\"r\",\"message\":\"m\"},\"principal\":{" \
	"\"user\":\"alice\",\"user_id\":\"u\",\"uid\":1879048200,\"kind\":\"person\",\"tenant\":\"acme\",\"tenant_"    \
	"id\":"                                                                                                        \
	"\"t\",\"role\":\"editor\"}}}"

static struct fake_agent *agent;

static int run_gate(const char *socket, const char *input)
{
	static char name[] = "gate", project[] = "acme/vision", action[] = "dataset.write";
	char path[128], *argv[] = {name, project, action, path, NULL};
	FILE *file = tmpfile();

	(void)snprintf(path, sizeof(path), "%s", socket);
	assert_non_null(file);
	assert_true(fputs(input, file) >= 0);
	rewind(file);
	stdin = file;
	return gate(4, argv);
}

static void exit_status_tells(void **state)
{
	const char *path = fake_agent_path(agent);

	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, REPLY("allowed"));
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, REPLY("denied"));
	fake_agent_say(agent, "VerifyCredential", FAKE_REPLY, REPLY("broken"));
	fake_agent_say(agent, "VerifyCredential", FAKE_HANG_UP, NULL);
	assert_int_equal(run_gate(path, "tnt_pk_key\n"), 0);
	assert_non_null(strstr(fake_agent_call(agent, "VerifyCredential", 0),
			       "\"credential\":\"tnt_pk_key\",\"project\":"
			       "\"acme/vision\",\"action\":\"dataset.write\""));
	assert_int_equal(run_gate(path, "tnt_pk_key"), 1);
	assert_int_equal(run_gate(path, "tnt_pk_key"), 3);
	assert_int_equal(run_gate(path, "tnt_pk_key"), 3);
	assert_int_equal(run_gate("/nonexistent/agent.sock", "tnt_pk_key"), 3);
	assert_int_equal(run_gate(path, ""), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(exit_status_tells)};
	int failed;

	agent = fake_agent_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_agent_stop(agent);
	return failed;
}
