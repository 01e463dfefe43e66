/* SPDX-License-Identifier: MIT
 *
 * Code over a real socket: for whom, from where, how often.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "fixture.h"
#include "server_fixture.h"

#define ALICE 1879048210U
#define EDITH 1879048211U
#define GONE 1879048218U
#define STRANGER 4242U
#define DENIED "org.varlink.service.PermissionDenied"
#define INVALID "org.varlink.service.InvalidParameter"
#define NOT_FOUND "io.tenantd.Agent.NotFound"
#define TOO_MANY "io.tenantd.Agent.TooMany"

static struct server_fixture fixture;
static struct fixture_key alice_key;

static int start(void **state)
{
	char *yaml;

	alice_key = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", "");
	assert_true(asprintf(&yaml, "%skeys:\n%s", fixture_yaml, alice_key.yaml) > 0);
	server_fixture_start(&fixture, yaml, "");
	free(yaml);
	return 0;
}

static int stop(void **state)
{
	server_fixture_stop(&fixture);
	return 0;
}

static int start_again(void **state)
{
	stop(state);
	return start(state);
}

/* Signs alice in by `text` and opens her session, led by this process. */
static json_t *sign_in_at(const char *service, const char *text)
{
	int fd = client_connect(fixture.agent_path, 0);
	char call[512];
	json_t *reply;

	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"%s\"}}",
		 service);
	client_call(fd, call);
	reply = client_receive(fd, 5000);
	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}}",
		 member_text(reply, "login"), text);
	json_decref(reply);
	client_call(fd, call);
	reply = client_receive(fd, 60000);
	if (strcmp(member_text(reply, "step"), "allowed") != 0) {
		close(fd);
		return reply;
	}
	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.OpenSession\",\"parameters\":{\"user\":\"alice\",\"service\":\"%s\","
		 "\"login\":\"%s\",\"leader\":%d}}",
		 service, member_text(reply, "login"), (int)getpid());
	json_decref(reply);
	client_call(fd, call);
	reply = client_receive(fd, 5000);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	close(fd);
	return reply;
}

static json_t *sign_in(const char *text)
{
	return sign_in_at("hub", text);
}

static void close_session(json_t *opened)
{
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "{\"session\":\"%s\"}", member_text(opened, "session"));
	expect_error(&fixture, 0, "CloseSession", parameters, "");
	json_decref(opened);
}

static void expect_decision(uint32_t uid, const char *parameters, const char *decision, const char *reason)
{
	json_t *reply = call_as(&fixture, uid, "Code", parameters);

	if (strcmp(member_text(reply, "decision.decision"), decision) != 0 ||
	    strcmp(member_text(reply, "decision.reason"), reason) != 0)
		fail_msg("%s: %s", parameters, json_dumps(reply, 0));
	assert_int_equal(*member_text(reply, "code") != '\0', strcmp(decision, "allowed") == 0);
	json_decref(reply);
}

static void nobody_gets_somebody_elses(void **state)
{
	expect_error(&fixture, EDITH, "Code", "{\"user\":\"alice\"}", DENIED);
	expect_error(&fixture, EDITH, "Code", "{\"user\":\"nobody-here\"}", DENIED); /* who exists is not told */
	expect_error(&fixture, STRANGER, "Code", "{}", DENIED);
	expect_error(&fixture, STRANGER, "Code", "{\"user\":\"alice\"}", DENIED);
	/* Other rights are other rights. */
	expect_error(&fixture, SERVER_SERVICE_UID, "Code", "{\"user\":\"alice\"}", DENIED);
	assert_true(audit_lines(&fixture, "somebody else's sign-in code") > 0);
}

static void parameters_are_checked(void **state)
{
	expect_error(&fixture, 0, "Code", "{\"user\":\"nobody-here\"}", NOT_FOUND);
	expect_error(&fixture, 0, "Code", "{}", NOT_FOUND); /* root is nobody's user */
	expect_error(&fixture, 0, "Code", "{\"user\":\"alice\",\"service\":\"../x\"}", INVALID);
	expect_error(&fixture, 0, "Code", "{\"user\":\"alice\",\"service\":\"a b\"}", INVALID);
	expect_error(&fixture, 0, "Code", "{\"user\":\"alice\",\"lifetime\":3600}", INVALID);
	expect_error(&fixture, 0, "Code", "{\"user\":7}", INVALID);
}

static void root_and_named_services_for_anybody(void **state)
{
	json_t *reply = call_as(&fixture, 0, "Code", "{\"user\":\"alice\",\"service\":\"hub\"}");

	assert_int_equal(strlen(member_text(reply, "code")), 14);
	assert_string_equal(member_text(reply, "user"), "alice");
	assert_string_equal(member_text(reply, "service"), "hub");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "expires_in")), 120);
	assert_int_equal(audit_lines(&fixture, member_text(reply, "code")), 0);
	close_session(sign_in(member_text(reply, "code")));
	json_decref(reply);
	expect_decision(SERVER_PORTAL_UID, "{\"user\":\"edith\"}", "allowed", "allowed");
	expect_decision(SERVER_PORTAL_UID, "{\"user\":\"gone\"}", "denied", "user-suspended");
	expect_decision(0, "{\"user\":\"edith\",\"service\":\"sudo\"}", "denied", "credential-unsupported");
	assert_true(audit_lines(&fixture, "TENANTD_EVENT=code-made") >= 2);
	assert_true(audit_lines(&fixture, "TENANTD_EVENT=code-used") == 1);
}

static void oneself_from_within_a_session(void **state)
{
	json_t *opened, *reply;

	expect_decision(ALICE, "{}", "denied", "not-permitted"); /* no session: it may be anything that runs as her */
	opened = sign_in(alice_key.text);
	expect_decision(ALICE, "{}", "allowed", "allowed");
	expect_decision(ALICE, "{\"user\":\"alice\",\"service\":\"hub\"}", "allowed", "allowed");
	expect_decision(EDITH, "{}", "denied", "not-permitted"); /* it is not hers */
	reply = call_as(&fixture, ALICE, "Code", "{}");
	close_session(opened);
	/* What came of a code makes no more of them. */
	opened = sign_in(member_text(reply, "code"));
	json_decref(reply);
	expect_decision(ALICE, "{}", "denied", "not-permitted");
	close_session(opened);
}

/* Between the wish to end it and the end of its last process there are seconds. */
static void none_from_a_session_that_is_being_ended(void **state)
{
	json_t *opened = sign_in_at("stuck", alice_key.text);
	int fd = client_connect(fixture.agent_path, 0);
	char call[256];

	expect_decision(ALICE, "{}", "allowed", "allowed");
	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.EndSession\",\"parameters\":{\"session\":\"%s\"},\"oneway\":true}",
		 member_text(opened, "session"));
	client_call(fd, call);
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Status\"}"); /* the one before was carried out */
	json_decref(client_receive(fd, 5000));
	close(fd);
	expect_decision(ALICE, "{}", "denied", "not-permitted");
	close_session(opened);
}

static void not_too_often(void **state)
{
	json_t *opened = sign_in(alice_key.text);
	unsigned refused = 0;

	for (unsigned i = 0; i < 10; i++) {
		json_t *reply = call_as(&fixture, ALICE, "Code", "{}");

		refused += text_equal(json_string_value(json_object_get(reply, "error")), TOO_MANY);
		json_decref(reply);
	}
	assert_true(refused >= 5);
	for (unsigned i = 0; i < 20; i++) /* who signs many people in is not slowed down */
		expect_decision(0, "{\"user\":\"alice\"}", "allowed", "allowed");
	close_session(opened);
}

static void services_cannot_check_one(void **state)
{
	json_t *made = call_as(&fixture, 0, "Code", "{\"user\":\"alice\"}"), *reply;
	char parameters[128];

	snprintf(parameters, sizeof(parameters), "{\"credential\":\"%s\"}", member_text(made, "code"));
	for (uint32_t uid = SERVER_SERVICE_UID; uid; uid = uid == SERVER_SERVICE_UID ? EDITH : 0) {
		reply = call_as(&fixture, uid, "VerifyCredential", parameters);
		assert_string_equal(member_text(reply, "decision.reason"), "credential-unsupported");
		assert_non_null(strstr(member_text(reply, "decision.message"), "one-time codes"));
		assert_string_equal(member_text(reply, "principal.user"), "");
		json_decref(reply);
	}
	close_session(sign_in(member_text(made, "code")));
	json_decref(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_somebody_elses),
		cmocka_unit_test(parameters_are_checked),
		cmocka_unit_test(root_and_named_services_for_anybody),
		cmocka_unit_test(oneself_from_within_a_session),
		cmocka_unit_test_setup(none_from_a_session_that_is_being_ended, start_again),
		cmocka_unit_test(not_too_often),
		cmocka_unit_test(services_cannot_check_one),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
