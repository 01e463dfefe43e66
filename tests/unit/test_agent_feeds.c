/* SPDX-License-Identifier: MIT
 *
 * The built agent with a control plane, over its socket: from enrolment to a revoked key, and the start after that. It
 * runs in a mount namespace of its own, where there is no journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fakes/fake_control.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "crypto/seal.h"
#include "unit.h"
#include "varlink/varlink_client.h"

#define WAIT_USEC (20 * USEC_PER_SEC)
#define CALL_USEC (20 * USEC_PER_SEC)
#define ACME "ten_acme0000000000"
#define ALICE "usr_alice00000000000"
#define VISION "prj_vision0000000000"

static char program[512]; /* the built tenantd */

struct rig {
	char folder[64], socket[96], config[96], key[API_KEY_TEXT_CHARS + 1], key_id[64];
	struct fake_tls tls;
	struct fake_control *control;
	struct fake_feed *feed;
	pid_t agent;
};

static void write_text(const struct rig *rig, const char *name, const void *data, size_t length)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", rig->folder, name);
	assert_int_equal(file_replace(AT_FDCWD, path, data, length, 0600, NULL), 0);
}

static struct varlink_client *connect_agent(const struct rig *rig)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;
	struct varlink_client *client = NULL;

	while (varlink_client_connect(rig->socket, CALL_USEC, &client) < 0) {
		assert_int_equal(waitpid(rig->agent, NULL, WNOHANG), 0);
		assert_true(clock_boottime_usec() < end);
		nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	}
	return client;
}

static void start(struct rig *rig)
{
	rig->agent = fork();
	assert_true(rig->agent >= 0);
	if (rig->agent == 0) {
		execlp("unshare", "unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run && exec \"$@\"", "sh",
		       program, "--config", rig->config, (char *)NULL);
		_exit(127);
	}
	varlink_client_destroy(connect_agent(rig));
}

static void stop(struct rig *rig)
{
	int status;

	assert_int_equal(kill(rig->agent, SIGTERM), 0);
	assert_int_equal(waitpid(rig->agent, &status, 0), rig->agent);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig->agent = 0;
}

/* One call; the caller decrefs. An error reply's name is in *ret_error ("": none). */
static json_t *ask(const struct rig *rig, const char *method, const char *a, const char *a_value, const char *b,
		   const char *b_value, char error[96])
{
	struct varlink_client *client = connect_agent(rig);
	struct varlink_reply reply = {0};
	struct varlink_writer writer;
	char name[96];
	json_t *parameters;

	snprintf(name, sizeof(name), "io.tenantd.Agent.%s", method);
	varlink_call_begin(&writer, varlink_client_outgoing(client), name, false, false);
	if (a)
		json_put_string(&writer.json, a, a_value);
	if (b)
		json_put_string(&writer.json, b, b_value);
	assert_true(varlink_end(&writer, false) >= 0);
	assert_true(varlink_client_exchange(client, CALL_USEC, &reply) >= 0);
	snprintf(error, 96, "%s", reply.error ? reply.error : "");
	parameters = json_deep_copy(reply.parameters);
	varlink_reply_finish(&reply);
	varlink_client_destroy(client);
	return parameters;
}

/* The reason that VerifyCredential gives for the key. */
static void verify(const struct rig *rig, char reason[64])
{
	char error[96];
	json_t *reply = ask(rig, "VerifyCredential", "credential", rig->key, NULL, NULL, error);
	const char *text = json_string_value(json_object_get(json_object_get(reply, "decision"), "reason"));

	assert_string_equal(error, "");
	snprintf(reason, 64, "%s", text ? text : "?");
	json_decref(reply);
}

static void wait_for_reason(const struct rig *rig, const char *wanted)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;
	char reason[64];

	for (verify(rig, reason); !text_equal(reason, wanted); verify(rig, reason))
		if (clock_boottime_usec() > end)
			fail_msg("VerifyCredential says '%s', never '%s'", reason, wanted);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char text[1024], id[API_KEY_ID_CHARS + 1];
	uint8_t seal[SEAL_KEY_BYTES];

	assert_non_null(rig);
	snprintf(rig->folder, sizeof(rig->folder), "/tmp/test-agent-feeds-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->socket, sizeof(rig->socket), "%s/agent.sock", rig->folder);
	snprintf(rig->config, sizeof(rig->config), "%s/agent.yaml", rig->folder);
	fake_tls_make("127.0.0.1", &rig->tls);
	write_text(rig, "ca.pem", rig->tls.certificate, strlen(rig->tls.certificate));
	memset(seal, 5, sizeof(seal));
	write_text(rig, "seal.key", seal, sizeof(seal));
	snprintf(text, sizeof(text), "%s/state", rig->folder);
	assert_int_equal(mkdir(text, 0700), 0);
	snprintf(text, sizeof(text),
		 "host_name: gpu-1\ndirectory: {path: %1$s/directory.yaml}\nfeeds: {import: %1$s/feeds}\n"
		 "control_plane: {ca_file: %1$s/ca.pem, pin: '%2$s', proxy: none}\n"
		 "paths: {state: %1$s/state, run: %1$s, map: %1$s/nss.map, seal_key: %1$s/seal.key, "
		 "agent_socket: %1$s/agent.sock, userdb_socket: %1$s/userdb.sock}\n",
		 rig->folder, rig->tls.pin);
	write_text(rig, "agent.yaml", text, strlen(text));
	rig->control = fake_control_start_tls(&rig->tls);
	rig->feed = fake_control_add_feed(rig->control, ACME, "acme", 0x70010000U);
	assert_int_equal(api_key_make(API_KEY_PERSON, rig->key, id), 0);
	snprintf(rig->key_id, sizeof(rig->key_id), "key_%s", id);
	start(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	char command[128];

	if (rig->agent)
		stop(rig);
	fake_control_stop(rig->control);
	fake_tls_finish(&rig->tls);
	snprintf(command, sizeof(command), "rm -rf %s", rig->folder);
	assert_int_equal(system(command), 0);
	free(rig);
	return 0;
}

static void publish_alice(struct rig *rig)
{
	uint8_t digest[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1], body[512];

	fake_feed_put(rig->feed, "project", VISION, 1, "{\"slug\":\"vision\",\"gid\":1879113744}");
	fake_feed_put(rig->feed, "user", ALICE, 1, "{\"login\":\"alice\",\"uid\":1879113729}");
	fake_feed_put(rig->feed, "member", ALICE "/" VISION, 1,
		      "{\"user\":\"" ALICE "\",\"project\":\"" VISION "\",\"role\":\"owner\"}");
	assert_int_equal(api_key_verifier(rig->key, strlen(rig->key), digest), 0);
	text_to_hex(digest, sizeof(digest), hex);
	snprintf(body, sizeof(body),
		 "{\"user\":\"" ALICE "\",\"label\":\"laptop\",\"verifier\":\"sha256:%s\",\"created\":1790000000}",
		 hex);
	fake_feed_put(rig->feed, "key", rig->key_id, 1, body);
	fake_feed_commit(rig->feed);
}

static void enroll(const struct rig *rig)
{
	char error[96];
	json_t *reply = ask(rig, "Enroll", "url", fake_control_url(rig->control), "token",
			    fake_control_token(rig->control), error);

	assert_string_equal(error, "");
	assert_string_equal(json_string_value(json_object_get(reply, "host")), fake_control_host_id(rig->control));
	json_decref(reply);
}

static void test_from_enrolment_to_revocation(void **state)
{
	struct rig *rig = *state;
	char error[96], text[64], map[96];
	json_t *reply;

	publish_alice(rig);
	enroll(rig);
	wait_for_reason(rig, "allowed");
	reply = ask(rig, "Status", NULL, NULL, NULL, NULL, error);
	assert_string_equal(json_string_value(json_object_get(reply, "state")), "ready");
	assert_int_equal(json_array_size(json_object_get(reply, "feeds")), 1);
	json_decref(reply);
	/* Names are there, too: a host with feeds needs no directory file. */
	snprintf(map, sizeof(map), "%s/nss.map", rig->folder);
	assert_int_equal(access(map, R_OK), 0);

	fake_feed_revoke(rig->feed, "key", rig->key_id, 2, "{\"at\":1790000001,\"reason\":\"lost\"}");
	fake_feed_commit(rig->feed);
	wait_for_reason(rig, "key-revoked");

	/* And it stays so, at a start without a control plane. */
	stop(rig);
	fake_control_answer(rig->control, "", -1, 503, NULL, "", 0);
	start(rig);
	verify(rig, text);
	assert_string_equal(text, "key-revoked");
}

static void test_disabled_and_left(void **state)
{
	struct rig *rig = *state;
	char error[96];
	json_t *reply;

	publish_alice(rig);
	enroll(rig);
	wait_for_reason(rig, "allowed");
	reply = ask(rig, "Unenroll", NULL, NULL, NULL, NULL, error);
	assert_string_equal(error, "");
	json_decref(reply);
	wait_for_reason(rig, "key-unknown");

	enroll(rig);
	wait_for_reason(rig, "allowed");
	fake_feed_put(rig->feed, "revocation", fake_control_host_id(rig->control), 1,
		      "{\"of\":\"host\",\"at\":1790000000,\"reason\":\"stolen\"}");
	fake_feed_commit(rig->feed);
	wait_for_reason(rig, "key-unknown");
	reply = ask(rig, "Status", NULL, NULL, NULL, NULL, error);
	assert_string_equal(json_string_value(json_object_get(json_object_get(reply, "enrolment"), "state")),
			    "disabled");
	assert_string_equal(json_string_value(json_object_get(reply, "state")), "degraded");
	json_decref(reply);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_enrolment_to_revocation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disabled_and_left, set_up, tear_down),
	};
	const char *slash = strrchr(argv[0], '/');

	snprintf(program, sizeof(program), "%.*s/../../tenantd", slash ? (int)(slash - argv[0]) : 1,
		 slash ? argv[0] : ".");
	if (geteuid() != 0) {
		print_message("skipped: needs root for a mount namespace\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
