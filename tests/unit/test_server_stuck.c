/* SPDX-License-Identifier: MIT
 *
 * Answers that wait for the audit, and a disk that takes nothing: after a while nobody waits, and who is let in then is
 * for the policy to say.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server_audit_rig.h"

#define STATUS "{\"method\":\"io.tenantd.Agent.Status\"}"

/* ---- a disk that takes nothing ------------------------------------------------------------------------------ */

static void nobody_waits_for_ever(void **state)
{
	int one = rig_client(), other = rig_client(), status = rig_client();
	json_t *reply;

	(void)state;
	rig_emit(one);
	rig_pass(4 * SECOND);
	rig_emit(other);
	assert_false(client_has_news(one));
	rig_pass(2 * SECOND);
	rig_expect_answer(one); /* and the other one is not kept for its five seconds */
	rig_expect_answer(other);
	rig_emit(one);
	rig_expect_answer(one);
	rig_say(status, STATUS);
	reply = client_take(status);
	assert_string_equal(member_text(reply, "state"), "degraded");
	assert_true(
		json_is_true(json_object_get(json_object_get(json_object_get(reply, "parameters"), "audit"), "stuck")));
	json_decref(reply);
	rig_sync(); /* it is back */
	rig_emit(one);
	assert_false(client_has_news(one));
	rig_sync();
	rig_expect_answer(one);
	rig_say(status, STATUS);
	reply = client_take(status);
	assert_string_equal(member_text(reply, "state"), "ready");
	json_decref(reply);
}

static void a_spool_that_says_it_is_broken_is_not_waited_for(void **state)
{
	int one = rig_client(), other = rig_client();

	(void)state;
	rig_emit(one);
	server_audit_broken(rig.server);
	assert_true(server_audit_is_stuck(rig.server));
	rig_work();
	rig_expect_answer(one);
	rig_emit(other);
	rig_expect_answer(other);
	rig_sync();
	assert_false(server_audit_is_stuck(rig.server));
	server_audit_broken(rig.server);
	server_audit_whole(rig.server);
	assert_false(server_audit_is_stuck(rig.server));
	rig_emit(one);
	assert_false(client_has_news(one));
	rig_sync();
	rig_expect_answer(one);
}

static void numbers_that_begin_anew_leave_nobody_waiting(void **state)
{
	int one = rig_client(), other = rig_client();

	(void)state;
	rig_emit(one);
	server_audit_anew(rig.server);
	rig_work();
	rig_expect_answer(one);
	rig_emit(other); /* and the next one waits as ever */
	assert_false(client_has_news(other));
	rig_sync();
	rig_expect_answer(other);
}

static void numbers_that_begin_anew_leave_no_delayed_answer_waiting(void **state)
{
	int fd = rig_client();
	json_t *reply;

	rig_answer_wrong(fd);
	rig_sync();
	server_audit_anew(rig.server);
	rig.durable = 0; /* of the new ones */
	assert_false(client_has_news(fd));
	rig_pass(4 * SECOND);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "step"), "prompt");
	json_decref(reply);
}

static void what_was_not_on_disk_when_numbers_begin_anew_lets_nobody_in(void **state)
{
	int fd = rig_client();
	json_t *reply;

	rig_answer_wrong(fd);
	server_audit_anew(rig.server);
	rig.durable = 0;
	assert_false(client_has_news(fd));
	rig_pass(4 * SECOND);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "reason"), "audit-full");
	json_decref(reply);
}

static const char authorize_alice[] =
	"{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"alice\",\"service\":\"cron\"}}";

static void drop_lets_in_what_was_decided(void **state)
{
	int fd = rig_client();
	json_t *reply;

	(void)state;
	rig_say(fd, authorize_alice);
	assert_false(client_has_news(fd));
	server_audit_broken(rig.server);
	rig_work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	json_decref(reply);
}

static void refuse_lets_nobody_in(void **state)
{
	int waiting = rig_client(), next = rig_client();
	json_t *reply;

	(void)state;
	rig_say(waiting, authorize_alice);
	assert_false(client_has_news(waiting));
	rig_pass(6 * SECOND);
	reply = client_take(waiting);
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	assert_string_equal(member_text(reply, "decision.reason"), "audit-full");
	assert_null(json_object_get(json_object_get(reply, "parameters"), "tenant"));
	json_decref(reply);
	rig_say(next, authorize_alice); /* nor those who come then */
	reply = client_take(next);
	assert_string_equal(member_text(reply, "decision.reason"), "audit-full");
	json_decref(reply);
	rig_sync();
	rig_say(next, authorize_alice);
	rig_sync();
	reply = client_take(next);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	json_decref(reply);
}

/* A right key is answered at once; what it leads to waits for what was written by then. */
static void expect_right_key(int fd, char *login, size_t size)
{
	json_t *reply;
	char text[512];

	rig_say(fd, "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\"}}");
	reply = client_take(fd);
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}}",
		 member_text(reply, "login"), alices.text);
	json_decref(reply);
	rig_say(fd, text);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "step"), "allowed");
	snprintf(login, size, "%s", member_text(reply, "login"));
	json_decref(reply);
	assert_true(rig.durable < heard.count);
}

static void expect_taken_back(int fd, const char *text)
{
	json_t *reply;

	rig_say(fd, text);
	assert_false(client_has_news(fd));
	server_audit_broken(rig.server);
	rig_work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	assert_string_equal(member_text(reply, "decision.reason"), "audit-full");
	json_decref(reply);
}

static void a_right_key_waits_with_what_lets_its_owner_in(void **state)
{
	int fd = rig_client();
	char login[128], text[512];

	(void)state;
	expect_right_key(fd, login, sizeof(login));
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\","
		 "\"login\":\"%s\"}}",
		 login);
	expect_taken_back(fd, text);
}

static void a_program_that_leaves_authorize_out_waits_for_its_session(void **state)
{
	int fd = rig_client();
	char login[128], text[512];

	(void)state;
	expect_right_key(fd, login, sizeof(login));
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.OpenSession\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\","
		 "\"login\":\"%s\",\"leader\":%d}}",
		 login, (int)getpid());
	expect_taken_back(fd, text);
}

static void refuse_answers_all_else(void **state)
{
	int fd = rig_client();

	(void)state;
	rig_emit(fd);
	server_audit_broken(rig.server);
	rig_work();
	rig_expect_answer(fd);
	rig_say(fd, STATUS);
	rig_expect_answer(fd);
}

static void a_no_stays_a_no_or_becomes_broken_but_never_a_yes(void **state)
{
	int fd = rig_client();
	json_t *reply;

	(void)state;
	rig_say(fd,
		"{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"gone\",\"service\":\"cron\"}}");
	server_audit_broken(rig.server);
	rig_work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DROP(nobody_waits_for_ever),
		DROP(a_spool_that_says_it_is_broken_is_not_waited_for),
		DROP(numbers_that_begin_anew_leave_nobody_waiting),
		REFUSE(numbers_that_begin_anew_leave_no_delayed_answer_waiting),
		REFUSE(what_was_not_on_disk_when_numbers_begin_anew_lets_nobody_in),
		DROP(drop_lets_in_what_was_decided),
		REFUSE(refuse_lets_nobody_in),
		REFUSE(a_right_key_waits_with_what_lets_its_owner_in),
		REFUSE(a_program_that_leaves_authorize_out_waits_for_its_session),
		REFUSE(refuse_answers_all_else),
		REFUSE(a_no_stays_a_no_or_becomes_broken_but_never_a_yes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
