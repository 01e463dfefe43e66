/* SPDX-License-Identifier: MIT
 *
 * Every method over a real socket: the right caller, the wrong one, wrong parameters.
 */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "server_fixture.h"

#define ALICE 1879048210U
#define EDITH 1879048211U
#define VICTOR 1879048212U
#define STRANGER 4242U
#define DENIED "org.varlink.service.PermissionDenied"
#define INVALID "org.varlink.service.InvalidParameter"

static struct server_fixture fixture, empty;
static struct fixture_key alice_key, bot_key, adam_key;

static int start(void **state)
{
	char *yaml;

	(void)state;
	alice_key = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", "");
	bot_key = fixture_key(API_KEY_SERVICE, "usr_bot", "ci",
			      "scopes: {actions: [dataset.write], projects: [prj_vision]}\n");
	adam_key = fixture_key(API_KEY_PERSON, "usr_adam", "desk", "");
	assert_true(asprintf(&yaml, "%skeys:\n%s%s%s", fixture_yaml, alice_key.yaml, bot_key.yaml, adam_key.yaml) > 0);
	server_fixture_start(&fixture, yaml, "");
	server_fixture_start(&empty, NULL, "");
	free(yaml);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_fixture_stop(&fixture);
	server_fixture_stop(&empty);
	return 0;
}

static void only_root_may_sign_people_in(void **state)
{
	static const struct {
		const char *method, *parameters;
	} calls[] = {
		{"Login", "{\"user\":\"alice\",\"service\":\"sshd\"}"},
		{"Answer", "{\"login\":\"x\",\"text\":\"y\"}"},
		{"Authorize", "{\"user\":\"alice\",\"service\":\"sshd\"}"},
		{"OpenSession", "{\"user\":\"alice\",\"service\":\"sshd\"}"},
		{"CloseSession", "{\"session\":\"x\"}"},
		{"Reload", "{}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		expect_error(&fixture, ALICE, calls[i].method, calls[i].parameters, DENIED);
		expect_error(&fixture, STRANGER, calls[i].method, calls[i].parameters, DENIED);
		expect_error(&fixture, SERVER_SERVICE_UID, calls[i].method, calls[i].parameters, DENIED);
		expect_error(&fixture, 0, calls[i].method, "{\"surprise\":1}", INVALID);
	}
	assert_true(audit_lines(&fixture, "call-refused") > 0);
}

static void only_named_services_may_emit_and_measure(void **state)
{
	const char *event =
		"{\"action\":\"notebook.start\",\"outcome\":\"success\",\"user\":\"alice\",\"data\":{\"gpu\":2}}";

	(void)state;
	expect_error(&fixture, ALICE, "Emit", event, DENIED);
	expect_error(&fixture, SERVER_MUTE_UID, "Emit", event, DENIED);
	expect_error(&fixture, SERVER_SERVICE_UID, "Emit", event, "");
	expect_error(&fixture, 0, "Emit", event, "");
	assert_true(audit_lines(&fixture, "notebook.start") > 0);
	expect_error(&fixture, 0, "Emit", "{\"action\":\"a b\",\"outcome\":\"success\"}", INVALID);
	expect_error(&fixture, 0, "Emit", "{\"action\":\"a\",\"outcome\":\"perhaps\"}", INVALID);
	expect_error(&fixture, 0, "Emit", "{\"action\":\"a\",\"outcome\":\"success\",\"message\":\"two\\nlines\"}",
		     INVALID);
	expect_error(&fixture, 0, "Emit", "{\"action\":\"a\",\"outcome\":\"success\",\"data\":[]}", INVALID);
	expect_error(&fixture, ALICE, "Metrics", "{}", DENIED);
	expect_error(&fixture, SERVER_MUTE_UID, "Metrics", "{}", "");
}

static void access_is_asked_about_oneself_only(void **state)
{
	const char *about_alice = "{\"user\":\"alice\",\"project\":\"acme/vision\",\"action\":\"dataset.write\"}";
	const char *about_nobody =
		"{\"user\":\"nobody-here\",\"project\":\"acme/vision\",\"action\":\"dataset.write\"}";
	json_t *reply;

	(void)state;
	expect_error(&fixture, ALICE, "CheckAccess", about_alice, "");
	expect_error(&fixture, 0, "CheckAccess", about_alice, "");
	expect_error(&fixture, SERVER_SERVICE_UID, "CheckAccess", about_alice, "");
	/* Whether somebody exists is not told, either. */
	expect_error(&fixture, EDITH, "CheckAccess", about_alice, DENIED);
	expect_error(&fixture, EDITH, "CheckAccess", about_nobody, DENIED);
	expect_error(&fixture, SERVER_MUTE_UID, "CheckAccess", about_alice, DENIED);
	expect_error(&fixture, STRANGER, "CheckAccess",
		     "{\"uid\":1879048210,\"project\":\"acme/vision\",\"action\":\"a\"}", DENIED);
	expect_error(&fixture, 0, "CheckAccess", "{\"uid\":1,\"user\":\"alice\",\"project\":\"p\",\"action\":\"a\"}",
		     INVALID);
	expect_error(&fixture, 0, "CheckAccess", "{\"uid\":-1,\"project\":\"p\",\"action\":\"a\"}", INVALID);
	expect_error(&fixture, 0, "CheckAccess", "{\"user\":\"alice\",\"project\":\"p\"}", INVALID);

	reply = call_as(&fixture, VICTOR, "CheckAccess", "{\"project\":\"acme/vision\",\"action\":\"dataset.write\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "denied");
	assert_string_equal(member_text(reply, "decision.reason"), "role-too-low");
	assert_string_equal(member_text(reply, "principal.role"), "viewer");
	json_decref(reply);
	reply = call_as(&fixture, STRANGER, "CheckAccess", "{\"project\":\"acme/vision\",\"action\":\"project.view\"}");
	assert_string_equal(member_text(reply, "decision.reason"), "unknown-user");
	json_decref(reply);
	reply = call_as(&fixture, 0, "CheckAccess",
			"{\"user\":\"alice\",\"project\":\"beta/radar\",\"action\":\"project.view\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "denied");
	json_decref(reply);
	/* Somebody who is refused anyway learns no more of another tenant's projects than whoever is not. */
	for (unsigned i = 0; i < 6; i++) {
		static const char *const projects[] = {"beta/radar", "prj_radar", "beta/nothing"};
		char parameters[128];

		snprintf(parameters, sizeof(parameters),
			 "{\"user\":\"%s\",\"project\":\"%s\",\"action\":\"project.view\"}", i % 2 ? "gone" : "alice",
			 projects[i / 2]);
		reply = call_as(&fixture, 0, "CheckAccess", parameters);
		assert_string_equal(member_text(reply, "decision.reason"), "unknown-project");
		json_decref(reply);
	}
}

static json_t *verify(uint32_t uid, const char *credential, const char *more)
{
	char *parameters;
	json_t *reply;

	assert_true(asprintf(&parameters, "{\"credential\":\"%s\"%s}", credential, more) > 0);
	reply = call_as(&fixture, uid, "VerifyCredential", parameters);
	free(parameters);
	return reply;
}

static void credentials_are_verified_for_those_who_may(void **state)
{
	json_t *reply =
		verify(SERVER_SERVICE_UID, alice_key.text, ",\"project\":\"acme/vision\",\"action\":\"dataset.write\"");
	char wrong[sizeof(alice_key.text)], *actions;

	(void)state;
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	assert_string_equal(member_text(reply, "principal.user"), "alice");
	assert_string_equal(member_text(reply, "principal.role"), "owner");
	assert_string_equal(member_text(reply, "key_id"), alice_key.id);
	assert_true(json_array_size(json_object_get(json_object_get(reply, "parameters"), "actions")) > 3);
	json_decref(reply);

	/* A key with a scope may what both its owner and its scope allow. */
	reply = verify(0, bot_key.text, ",\"project\":\"acme/vision\",\"action\":\"dataset.write\"");
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "actions")), 1);
	json_decref(reply);
	reply = verify(0, bot_key.text, ",\"project\":\"acme/vision\",\"action\":\"experiment.run\"");
	assert_string_equal(member_text(reply, "decision.reason"), "key-scope-action");
	json_decref(reply);

	/* A role in the tenant gives its own actions in a project, and none of those that a project's role would. */
	reply = verify(0, adam_key.text, ",\"project\":\"acme/vision\",\"action\":\"member.manage\"");
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	actions = json_dumps(json_object_get(json_object_get(reply, "parameters"), "actions"), JSON_COMPACT);
	assert_non_null(actions);
	assert_non_null(strstr(actions, "\"member.manage\""));
	assert_null(strstr(actions, "host."));
	assert_null(strstr(actions, "dataset.write"));
	free(actions);
	json_decref(reply);

	/* Anybody about their own, nobody about others'. */
	assert_string_equal(error_of(verify(ALICE, alice_key.text, "")), "");
	assert_string_equal(error_of(verify(EDITH, alice_key.text, "")), DENIED);
	assert_string_equal(error_of(verify(SERVER_MUTE_UID, alice_key.text, "")), DENIED);
	strcpy(wrong, alice_key.text);
	wrong[30] = wrong[30] == 'a' ? 'b' : 'a';
	reply = verify(0, wrong, "");
	assert_string_equal(member_text(reply, "decision.decision"), "denied");
	assert_string_equal(member_text(reply, "principal.user"), "");
	json_decref(reply);
	expect_error(&fixture, 0, "VerifyCredential", "{\"credential\":7}", INVALID);
	expect_error(&fixture, 0, "VerifyCredential", "{}", INVALID);
	assert_int_equal(audit_lines(&fixture, alice_key.text + 30), 0);
}

/* Anybody may ask, and invent a new key, service and address each time: the audit sums it up by their uid. */
static void a_local_user_cannot_flood_the_audit(void **state)
{
	unsigned before = audit_lines(&fixture, "TENANTD_EVENT=");
	int fd = client_connect(fixture.agent_path, EDITH);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct fixture_key strange = fixture_key(API_KEY_PERSON, "usr_alice", "x", "");
		char text[512];

		snprintf(text, sizeof(text),
			 "{\"method\":\"io.tenantd.Agent.VerifyCredential\",\"parameters\":{\"credential\":\"%s\","
			 "\"service\":\"s%u\",\"source\":\"10.0.%u.%u\"}}",
			 i % 2 ? strange.text : alice_key.text, i, i / 256, i % 256);
		client_call(fd, text);
		json_decref(client_receive(fd, 5000));
	}
	close(fd);
	assert_in_range(audit_lines(&fixture, "TENANTD_EVENT=") - before, 0, 3);
	/* And their own key, which works, is one event. */
	before = audit_lines(&fixture, "TENANTD_EVENT=");
	fd = client_connect(fixture.agent_path, ALICE);
	for (unsigned i = 0; i < 300; i++) {
		char text[512];
		json_t *reply;

		snprintf(text, sizeof(text),
			 "{\"method\":\"io.tenantd.Agent.VerifyCredential\",\"parameters\":{\"credential\":\"%s\","
			 "\"service\":\"s%u\",\"source\":\"10.0.%u.%u\"}}",
			 alice_key.text, i, i / 256, i % 256);
		client_call(fd, text);
		reply = client_receive(fd, 5000);
		assert_string_equal(member_text(reply, "decision.decision"), "allowed");
		json_decref(reply);
	}
	close(fd);
	assert_in_range(audit_lines(&fixture, "TENANTD_EVENT=") - before, 0, 1);
	assert_int_equal(audit_lines(&fixture, "TENANT_SERVICE=s299"), 0);
}

static void people_see_themselves(void **state)
{
	json_t *reply = call_as(&fixture, ALICE, "WhoAmI", "{}");

	(void)state;
	assert_string_equal(member_text(reply, "principal.user_id"), "usr_alice");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "memberships")), 1);
	json_decref(reply);
	expect_error(&fixture, STRANGER, "WhoAmI", "{}", "io.tenantd.Agent.NotFound");
	expect_error(&fixture, ALICE, "WhoAmI", "{\"user\":\"edith\"}", INVALID);

	expect_error(&fixture, ALICE, "SshKeys", "{\"user\":\"alice\"}", "");
	expect_error(&fixture, 0, "SshKeys", "{\"user\":\"alice\"}", "");
	expect_error(&fixture, EDITH, "SshKeys", "{\"user\":\"alice\"}", DENIED);
	expect_error(&fixture, EDITH, "SshKeys", "{\"user\":\"nobody-here\"}", DENIED);
	reply = call_as(&fixture, 0, "SshKeys", "{\"user\":\"nobody-here\"}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "keys")), 0);
	json_decref(reply);
}

static void status_leaves_details_to_root(void **state)
{
	json_t *reply = call_as(&fixture, 0, "Status", "{}");

	(void)state;
	assert_string_equal(member_text(reply, "state"), "ready");
	assert_non_null(json_object_get(json_object_get(reply, "parameters"), "connections"));
	json_decref(reply);
	reply = call_as(&fixture, ALICE, "Status", "{}");
	assert_null(json_object_get(json_object_get(reply, "parameters"), "connections"));
	assert_null(json_object_get(json_object_get(reply, "parameters"), "audit_lost"));
	json_decref(reply);
}

static void a_login_goes_from_prompt_to_session(void **state)
{
	int fd = client_connect(fixture.agent_path, 0);
	char *text, login[64];
	json_t *reply, *parameters;

	(void)state;
	client_call(fd,
		    "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\","
		    "\"source\":\"192.0.2.7\",\"terminal\":null}}");
	reply = client_receive(fd, 5000);
	assert_string_equal(member_text(reply, "step"), "prompt");
	assert_false(json_boolean_value(json_object_get(json_object_get(reply, "parameters"), "echo")));
	snprintf(login, sizeof(login), "%s", member_text(reply, "login"));
	json_decref(reply);

	/* Another connection cannot answer for this one. */
	assert_true(asprintf(&text, "{\"login\":\"%s\",\"text\":\"%s\"}", login, alice_key.text) > 0);
	reply = call_as(&fixture, 0, "Answer", text);
	assert_string_equal(member_text(reply, "step"), "denied");
	json_decref(reply);
	free(text);

	assert_true(
		asprintf(&text,
			 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}}",
			 login, alice_key.text) > 0);
	client_call(fd, text);
	free(text);
	reply = client_receive(fd, 5000);
	assert_string_equal(member_text(reply, "step"), "allowed");
	snprintf(login, sizeof(login), "%s", member_text(reply, "login"));
	json_decref(reply);
	close(fd);

	/* Later stages come from other processes. */
	assert_true(asprintf(&text,
			     "{\"user\":\"alice\",\"service\":\"sshd\",\"source\":\"192.0.2.7\",\"login\":\"%s\"}",
			     login) > 0);
	reply = call_as(&fixture, 0, "Authorize", text);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	assert_string_equal(member_text(reply, "project"), "vision");
	json_decref(reply);
	reply = call_as(&fixture, 0, "OpenSession", text);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	parameters = json_object_get(reply, "parameters");
	assert_int_equal(json_array_size(json_object_get(parameters, "environment")), 3);
	snprintf(login, sizeof(login), "%s", member_text(reply, "session"));
	json_decref(reply);
	free(text);

	reply = call_as(&fixture, ALICE, "Sessions", "{}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "sessions")), 1);
	json_decref(reply);
	assert_true(asprintf(&text, "{\"session\":\"%s\"}", login) > 0);
	expect_error(&fixture, EDITH, "EndSession", text, "io.tenantd.Agent.NotFound");
	expect_error(&fixture, SERVER_SERVICE_UID, "EndSession", text, "io.tenantd.Agent.NotFound");
	expect_error(&fixture, ALICE, "EndSession", text, "io.tenantd.Agent.Broken"); /* there is no helper */
	expect_error(&fixture, 0, "EndSession", "{\"session\":\"nothing\"}", "io.tenantd.Agent.NotFound");
	free(text);
	reply = call_as(&fixture, EDITH, "Sessions", "{\"user\":\"alice\"}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "sessions")), 0);
	json_decref(reply);
	assert_true(asprintf(&text, "{\"session\":\"%s\"}", login) > 0);
	expect_error(&fixture, 0, "CloseSession", text, "");
	expect_error(&fixture, 0, "CloseSession", text, ""); /* gone is what was asked for */
	free(text);
	expect_error(&fixture, 0, "OpenSession", "{\"user\":\"alice\",\"service\":\"cron\",\"leader\":2147483647}",
		     INVALID);
}

static void the_systems_uid_must_be_the_directorys(void **state)
{
	static const char *const uids[] = {"1879048210", "null", "1879048211", "0", "1000"};
	unsigned before = audit_lines(&fixture, "TENANT_DETAIL=the system gives alice the uid ");
	char parameters[128];
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
		bool right = i < 2;

		snprintf(parameters, sizeof(parameters), "{\"user\":\"alice\",\"service\":\"cron\",\"uid\":%s}",
			 uids[i]);
		reply = call_as(&fixture, 0, "Login", parameters);
		assert_string_equal(member_text(reply, "step"), right ? "prompt" : "broken");
		json_decref(reply);
		reply = call_as(&fixture, 0, "Authorize", parameters);
		assert_string_equal(member_text(reply, "decision.decision"), right ? "allowed" : "broken");
		assert_string_equal(member_text(reply, "tenant"), right ? "acme" : "");
		json_decref(reply);
		reply = call_as(&fixture, 0, "OpenSession", parameters);
		assert_string_equal(member_text(reply, "decision.decision"), right ? "allowed" : "broken");
		if (!right)
			assert_string_equal(member_text(reply, "session"), "");
		else if (member_text(reply, "session")[0]) {
			snprintf(parameters, sizeof(parameters), "{\"session\":\"%s\"}", member_text(reply, "session"));
			expect_error(&fixture, 0, "CloseSession", parameters, "");
		}
		json_decref(reply);
	}
	assert_int_equal(audit_lines(&fixture, "TENANT_DETAIL=the system gives alice the uid ") - before, 9);
	expect_error(&fixture, 0, "Authorize", "{\"user\":\"alice\",\"service\":\"cron\",\"uid\":-1}", INVALID);
	expect_error(&fixture, 0, "Login", "{\"user\":\"alice\",\"service\":\"cron\",\"uid\":4294967296}", INVALID);
}

static json_t *open_for(const char *user, const char *service, const char *requesting, pid_t leader)
{
	char parameters[192];

	snprintf(parameters, sizeof(parameters),
		 "{\"user\":\"%s\",\"service\":\"%s\",\"requesting_user\":\"%s\",\"leader\":%d}", user, service,
		 requesting, (int)leader);
	return call_as(&fixture, 0, "OpenSession", parameters);
}

static void expect_opened(const char *user, const char *service, const char *requesting, pid_t leader,
			  const char *reason)
{
	json_t *reply = open_for(user, service, requesting, leader);

	if (strcmp(member_text(reply, "decision.reason"), reason) != 0)
		fail_msg("%s by %s: %s", user, service, json_dumps(reply, 0));
	json_decref(reply);
}

/* The host's places are everybody's: no policy limits these people, and none may take them all. */
static void nobody_takes_all_sessions(void **state)
{
	pid_t leader = fork();
	json_t *reply;
	size_t left = 1;

	(void)state;
	if (leader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	for (unsigned i = 0; i < 1024; i++)
		expect_opened("alice", i % 2 ? "cron" : "su", "edith", leader, "allowed");
	reply = open_for("alice", "cron", "", leader);
	assert_string_equal(member_text(reply, "decision.decision"), "denied");
	assert_string_equal(member_text(reply, "decision.reason"), "too-many-sessions");
	assert_non_null(strstr(member_text(reply, "decision.message"), "1024 sessions"));
	json_decref(reply);
	expect_opened("alice", "su", "edith", leader, "too-many-sessions");
	expect_opened("alice", "systemd-user", "", leader, "too-many-sessions");
	assert_true(audit_lines(&fixture, "TENANTD_EVENT=privilege-denied") > 0);
	/* Others have their places; root comes in as anybody. */
	expect_opened("edith", "cron", "", leader, "allowed");
	expect_opened("alice", "su", "root", leader, "allowed");
	kill(leader, SIGKILL);
	waitpid(leader, NULL, 0);
	for (unsigned i = 0; i < 100 && left > 0; i++) {
		usleep(50000);
		reply = call_as(&fixture, 0, "Status", "{}");
		left = (size_t)json_integer_value(json_object_get(json_object_get(reply, "parameters"), "sessions"));
		json_decref(reply);
	}
	assert_int_equal(left, 0);
}

static void a_wrong_answer_comes_late(void **state)
{
	int fd = client_connect(fixture.agent_path, 0);
	json_t *reply;
	char *text;
	struct timespec before, after;
	long milliseconds;

	(void)state;
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"edith\",\"service\":"
			"\"sshd\",\"source\":"
			"\"192.0.2.9\"}}");
	reply = client_receive(fd, 5000);
	assert_true(
		asprintf(&text,
			 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}}",
			 member_text(reply, "login"), alice_key.text) > 0);
	json_decref(reply);
	clock_gettime(CLOCK_MONOTONIC, &before);
	client_call(fd, text);
	free(text);
	reply = client_receive(fd, 30000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_string_not_equal(member_text(reply, "step"), "allowed");
	json_decref(reply);
	milliseconds = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
	assert_true(milliseconds >= 100);
	close(fd);
}

static void without_a_directory_all_is_broken(void **state)
{
	json_t *reply = call_as(&empty, 0, "Authorize", "{\"user\":\"alice\",\"service\":\"sshd\"}");

	(void)state;
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
	reply = call_as(&empty, 0, "Login", "{\"user\":\"alice\",\"service\":\"sshd\"}");
	assert_string_equal(member_text(reply, "step"), "broken");
	json_decref(reply);
	reply = call_as(&empty, 0, "OpenSession", "{\"user\":\"alice\",\"service\":\"sshd\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
	reply = call_as(&empty, 0, "VerifyCredential", "{\"credential\":\"x\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
	reply = call_as(&empty, 0, "CheckAccess", "{\"user\":\"alice\",\"project\":\"p\",\"action\":\"a\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
	reply = call_as(&empty, 0, "Status", "{}");
	assert_string_equal(member_text(reply, "state"), "broken");
	json_decref(reply);
	expect_error(&empty, ALICE, "WhoAmI", "{}", "io.tenantd.Agent.Broken");
	expect_error(&empty, 0, "SshKeys", "{\"user\":\"alice\"}", "io.tenantd.Agent.Broken");
	/* Whose it is nobody can tell; root needs no roles. */
	expect_error(&empty, ALICE, "EndSession", "{\"session\":\"x\"}", "io.tenantd.Agent.Broken");
	expect_error(&empty, ALICE, "EndSessions", "{\"project\":\"acme/vision\"}", "io.tenantd.Agent.Broken");
	expect_error(&empty, 0, "EndSession", "{\"session\":\"x\"}", "io.tenantd.Agent.NotFound");
	expect_error(&empty, ALICE, "Sessions", "{}", "");
	expect_error(&empty, ALICE, "SshKeys", "{\"user\":\"alice\"}", DENIED);
	expect_error(&empty, 0, "io.systemd.UserDatabase.GetUserRecord", "{\"uid\":1,\"service\":\"io.tenantd\"}",
		     "io.systemd.UserDatabase.ServiceNotAvailable");
}

static void events_reach_whom_they_concern(void **state)
{
	int alice = client_connect(fixture.agent_path, ALICE), edith = client_connect(fixture.agent_path, EDITH);
	int hub = client_connect(fixture.agent_path, SERVER_SERVICE_UID);
	const char *subscribe = "{\"method\":\"io.tenantd.Agent.Subscribe\",\"parameters\":{},\"more\":true}";
	const int all[] = {alice, edith, hub};
	struct timespec pause = {.tv_nsec = 300000000};
	char byte;

	(void)state;
	expect_error(&fixture, 0, "Subscribe", "{}", "org.varlink.service.ExpectedMore");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		json_t *reply;

		client_call(all[i], subscribe);
		reply = client_receive(all[i], 5000);
		assert_string_equal(member_text(reply, "event"), "ready");
		assert_true(json_boolean_value(json_object_get(reply, "continues")));
		json_decref(reply);
	}
	kill(fixture.child, SIGUSR1);
	for (size_t i = 0; i < ARRAY_LEN(all); i += 2) {
		json_t *reply = client_receive(all[i], 5000);

		assert_string_equal(member_text(reply, "event"), "user-changed");
		assert_string_equal(member_text(reply, "user"), "alice");
		json_decref(reply);
	}
	nanosleep(&pause, NULL);
	assert_int_equal(recv(edith, &byte, 1, MSG_DONTWAIT), -1);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close(all[i]);
}

static void a_slow_subscriber_is_told_that_it_missed_something(void **state)
{
	int fd = client_connect(fixture.agent_path, SERVER_SERVICE_UID);
	unsigned events = 0;
	json_t *reply;

	(void)state;
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Subscribe\",\"parameters\":{},\"more\":true}");
	json_decref(client_receive(fd, 5000));
	kill(fixture.child, SIGUSR2); /* 5 000 events, more than may wait */
	usleep(300000);
	while ((reply = client_receive(fd, 5000))) {
		const char *error = json_string_value(json_object_get(reply, "error"));

		events += error == NULL;
		if (error)
			assert_string_equal(error, "io.tenantd.Agent.TooMany");
		json_decref(reply);
		if (error)
			break;
	}
	assert_non_null(reply);
	assert_true(events > 100 && events < 5000);
	close(fd);
}

static void messages_may_come_in_pieces_and_several_at_once(void **state)
{
	static const char call[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	int fd = client_connect(fixture.agent_path, STRANGER);
	char many[sizeof(call) * 40];
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < sizeof(call); i++) {
		client_send(fd, call + i, 1);
		usleep(500);
	}
	reply = client_receive(fd, 5000);
	assert_string_equal(member_text(reply, "product"), "tenantd");
	json_decref(reply);
	for (size_t i = 0; i < 40; i++)
		memcpy(many + i * sizeof(call), call, sizeof(call));
	client_send(fd, many, sizeof(many));
	shutdown(fd, SHUT_WR); /* half closed: what was asked is answered all the same */
	for (size_t i = 0; i < 40; i++) {
		reply = client_receive(fd, 5000);
		assert_non_null(reply);
		json_decref(reply);
	}
	assert_null(client_receive(fd, 5000));
	close(fd);
}

static void what_does_not_exist_is_said_to(void **state)
{
	int fd = client_connect(fixture.agent_path, 0);

	(void)state;
	expect_error(&fixture, 0, "EndEverything", "{}", "org.varlink.service.MethodNotFound");
	expect_error(&fixture, 0, "org.example.Other.Call", "{}", "org.varlink.service.InterfaceNotFound");
	expect_error(&fixture, 0, "org.varlink.service.GetInterfaceDescription", "{\"interface\":\"org.example\"}",
		     "org.varlink.service.InterfaceNotFound");
	/* The user database is on its own socket. */
	client_call(
		fd,
		"{\"method\":\"io.systemd.UserDatabase.GetUserRecord\",\"parameters\":{\"service\":\"io.tenantd\"}}");
	assert_string_equal(error_of(client_receive(fd, 5000)), "org.varlink.service.InterfaceNotFound");
	/* One-way calls are carried out and not answered. */
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Status\",\"oneway\":true}");
	client_call(fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	assert_string_equal(error_of(client_receive(fd, 5000)), "");
	close(fd);
}

static void reload_is_answered_when_it_is_done(void **state)
{
	json_t *reply = call_as(&fixture, 0, "Reload", "{}");

	(void)state;
	assert_true(json_boolean_value(json_object_get(json_object_get(reply, "parameters"), "changed")));
	json_decref(reply);
}

/* Each wish takes a worker of the helper and is written down: one is enough. */
static void sessions_are_ended_once(void **state)
{
	json_t *reply = call_as(&fixture, 0, "OpenSession", "{\"user\":\"alice\",\"service\":\"stuck\"}");
	char *once, *asked;
	int fd;

	(void)state;
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	assert_true(asprintf(&once,
			     "{\"method\":\"io.tenantd.Agent.EndSession\",\"oneway\":true,\"parameters\":"
			     "{\"session\":\"%s\"}}",
			     member_text(reply, "session")) > 0);
	assert_true(asprintf(&asked, "{\"session\":\"%s\"}", member_text(reply, "session")) > 0);
	json_decref(reply);
	fd = client_connect(fixture.agent_path, ALICE);
	for (unsigned i = 0; i < 50; i++)
		client_call(fd, once);
	client_call(fd, "{\"method\":\"io.tenantd.Agent.WhoAmI\"}");
	json_decref(client_receive(fd, 5000));
	close(fd);
	expect_error(&fixture, ALICE, "EndSession", asked, "");
	assert_int_equal(audit_lines(&fixture, "TENANT_ACTION=session.end"), 1);
	expect_error(&fixture, 0, "EndSession", asked, "");
	assert_int_equal(audit_lines(&fixture, "TENANT_ACTION=session.end"), 1);
	expect_error(&fixture, 0, "CloseSession", asked, "");
	free(once);
	free(asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_may_sign_people_in),
		cmocka_unit_test(only_named_services_may_emit_and_measure),
		cmocka_unit_test(access_is_asked_about_oneself_only),
		cmocka_unit_test(credentials_are_verified_for_those_who_may),
		cmocka_unit_test(a_local_user_cannot_flood_the_audit),
		cmocka_unit_test(people_see_themselves),
		cmocka_unit_test(status_leaves_details_to_root),
		cmocka_unit_test(a_login_goes_from_prompt_to_session),
		cmocka_unit_test(sessions_are_ended_once),
		cmocka_unit_test(the_systems_uid_must_be_the_directorys),
		cmocka_unit_test(nobody_takes_all_sessions),
		cmocka_unit_test(a_wrong_answer_comes_late),
		cmocka_unit_test(without_a_directory_all_is_broken),
		cmocka_unit_test(events_reach_whom_they_concern),
		cmocka_unit_test(a_slow_subscriber_is_told_that_it_missed_something),
		cmocka_unit_test(messages_may_come_in_pieces_and_several_at_once),
		cmocka_unit_test(what_does_not_exist_is_said_to),
		cmocka_unit_test(reload_is_answered_when_it_is_done),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
