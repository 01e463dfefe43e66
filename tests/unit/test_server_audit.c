/* SPDX-License-Identifier: MIT
 *
 * Answers that wait for the audit: when they leave, in which order, and who waits for nothing.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "server_audit_rig.h"

#define STATUS "{\"method\":\"io.tenantd.Agent.Status\"}"

static void nothing(void *context)
{
	(void)context;
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

static void an_answer_leaves_when_its_event_is_on_disk(void **state)
{
	int one = rig_client(), other = rig_client();

	(void)state;
	rig_emit(one);
	assert_int_equal(heard.count, rig.durable + 1);
	assert_false(client_has_news(one));
	rig_say(other, STATUS); /* others are served meanwhile */
	rig_expect_answer(other);
	assert_false(client_has_news(one));
	rig_sync();
	rig_expect_answer(one);
	rig_emit(one);
	assert_false(client_has_news(one));
	rig_sync();
	rig_expect_answer(one);
}

static void a_call_that_writes_nothing_waits_for_nothing(void **state)
{
	int one = rig_client(), other = rig_client();

	(void)state;
	rig_emit(one);
	for (int i = 0; i < 3; i++) {
		rig_say(other, STATUS);
		rig_expect_answer(other);
	}
	rig_sync();
	rig_expect_answer(one);
}

static void what_is_on_disk_by_then_waits_for_nothing(void **state)
{
	int fd = rig_client();

	(void)state;
	rig.durable = UINT64_MAX; /* as `relaxed` says it */
	rig_emit(fd);
	rig_expect_answer(fd);
}

static void without_a_spool_nothing_waits(void **state)
{
	int fd = rig_client();

	(void)state;
	rig.parts.spool = NULL;
	rig_emit(fd);
	rig_expect_answer(fd);
}

static void only_those_leave_whose_events_are_on_disk(void **state)
{
	int first = rig_client(), second = rig_client(), third = rig_client();

	(void)state;
	rig_emit(first);
	rig_emit(second);
	rig_emit(third);
	server_audit_durable(rig.server, ++rig.durable);
	rig_work();
	rig_expect_answer(first);
	assert_false(client_has_news(second) || client_has_news(third));
	server_audit_durable(rig.server, ++rig.durable);
	rig_work();
	rig_expect_answer(second);
	assert_false(client_has_news(third));
	rig_sync();
	rig_expect_answer(third);
}

static void calls_behind_it_come_in_their_order(void **state)
{
	int fd = rig_client();
	unsigned before = heard.count;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, "");
	client_call(fd, text);
	client_call(fd, STATUS);
	client_call(fd, text);
	client_call(fd, STATUS);
	rig_work();
	assert_false(client_has_news(fd));
	assert_int_equal(heard.count, before + 1); /* none of them runs before the first is answered */
	rig_sync();
	rig_expect_answer(fd);
	assert_int_equal(heard.count, before + 2);
	assert_false(client_has_news(fd)); /* the status leaves with what was asked right after it */
	rig_sync();
	for (int i = 0; i < 3; i++)
		rig_expect_answer(fd);
	assert_false(client_has_news(fd));
}

static void a_delayed_answer_waits_for_both(void **state)
{
	int fd = rig_client();
	json_t *reply;

	(void)state;
	for (int late = 0; late < 2; late++) {
		rig_answer_wrong(fd);
		if (late) { /* first the disk, then the delay; or the other way round */
			rig_sync();
			assert_false(client_has_news(fd));
			rig_pass(60 * SECOND);
		} else {
			rig_pass(4 * SECOND);
			assert_false(client_has_news(fd));
			rig_sync();
		}
		reply = client_take(fd);
		assert_string_equal(member_text(reply, "step"), "prompt");
		json_decref(reply);
		rig_hang_up(fd);
		rig_work();
		fd = rig_client();
	}
}

/* That its owner may come in is on disk before: that the session is open needs nobody to wait. */
static void a_session_opens_without_another_wait(void **state)
{
	int fd = rig_client();
	json_t *reply;
	char text[512];

	(void)state;
	rig_say(fd,
		"{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"alice\",\"service\":\"cron\"}}");
	assert_false(client_has_news(fd));
	rig_sync();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.OpenSession\",\"parameters\":{\"user\":\"alice\",\"service\":\"cron\","
		 "\"login\":\"%s\",\"leader\":%d}}",
		 member_text(reply, "login"), (int)getpid());
	json_decref(reply);
	rig_say(fd, text);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	assert_true(rig.durable < heard.count);
	json_decref(reply);
}

static void an_answer_that_comes_later_waits_as_well(void **state)
{
	int fd = rig_client(), other = rig_client();

	(void)state;
	rig.parts.reload = nothing;
	rig_say(fd, "{\"method\":\"io.tenantd.Agent.Reload\"}");
	rig_emit(other); /* stands for what the reload writes */
	server_reload_done(rig.server, true, NULL);
	rig_work();
	assert_false(client_has_news(fd) || client_has_news(other));
	rig_sync();
	rig_expect_answer(fd);
	rig_expect_answer(other);
}

static void nobody_waits_for_a_call_without_an_answer(void **state)
{
	int fd = rig_client();
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, ",\"oneway\":true");
	rig_say(fd, text);
	rig_say(fd, STATUS);
	rig_expect_answer(fd);
}

/* ---- hanging up --------------------------------------------------------------------------------------------- */

static void calls_of_somebody_who_hung_up_are_carried_out(void **state)
{
	int fd = rig_client();
	unsigned before = heard.count;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, "");
	for (int i = 0; i < 7; i++)
		client_call(fd, text);
	rig_hang_up(fd);
	for (int i = 0; i < 5; i++)
		rig_work();
	assert_int_equal(heard.count, before + 7);
	assert_int_equal(server_counts(rig.server).connections, 0);
	rig_sync();
}

static void who_sends_no_more_still_hears(void **state)
{
	int fd = rig_client();

	(void)state;
	rig_emit(fd);
	shutdown(fd, SHUT_WR);
	rig_work();
	assert_false(client_has_news(fd));
	rig_sync();
	rig_expect_answer(fd);
	assert_null(client_receive(fd, 1000));
	assert_int_equal(server_counts(rig.server).connections, 0);
}

static void hundreds_wait_and_some_of_them_leave(void **state)
{
	int all[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = rig_client();
		rig_emit(all[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i += 3)
		rig_hang_up(all[i]);
	rig_work();
	for (size_t i = 0; i < ARRAY_LEN(all) / 64 + 1; i++)
		rig_work();
	rig_sync();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (i % 3)
			rig_expect_answer(all[i]);
}

/* ---- status ------------------------------------------------------------------------------------------------- */

static void status_and_metrics_tell(void **state)
{
	int fd = rig_client();
	json_t *reply, *of;
	const char *text;

	(void)state;
	strcpy(rig.spool_problem, "No space left on device");
	rig_say(fd, STATUS);
	reply = client_take(fd);
	of = json_object_get(json_object_get(reply, "parameters"), "audit");
	assert_true(json_is_true(json_object_get(of, "spool")));
	assert_string_equal(json_string_value(json_object_get(of, "problem")), rig.spool_problem);
	assert_string_equal(json_string_value(json_object_get(of, "durability")), "group");
	assert_int_equal(json_integer_value(json_object_get(of, "dropped")), 2);
	json_decref(reply);
	rig_say(fd, "{\"method\":\"io.tenantd.Agent.Metrics\"}");
	reply = client_take(fd);
	text = member_text(reply, "text");
	assert_non_null(strstr(text, "tenantd_audit_spool_ready 0\n"));
	assert_non_null(strstr(text, "tenantd_audit_dropped_total 2\n"));
	assert_non_null(strstr(text, "tenantd_audit_spool_bytes 3145728\n"));
	assert_non_null(strstr(text, "tenantd_audit_waiting{consumer=\"control-plane\"} 17\n"));
	json_decref(reply);
	rig.parts.spool = NULL;
	rig_say(fd, STATUS);
	reply = client_take(fd);
	of = json_object_get(json_object_get(reply, "parameters"), "audit");
	assert_true(json_is_false(json_object_get(of, "spool")));
	assert_null(json_object_get(of, "chain"));
	json_decref(reply);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DROP(an_answer_leaves_when_its_event_is_on_disk),
		DROP(a_call_that_writes_nothing_waits_for_nothing),
		DROP(what_is_on_disk_by_then_waits_for_nothing),
		DROP(without_a_spool_nothing_waits),
		DROP(only_those_leave_whose_events_are_on_disk),
		DROP(calls_behind_it_come_in_their_order),
		DROP(a_delayed_answer_waits_for_both),
		DROP(a_session_opens_without_another_wait),
		DROP(an_answer_that_comes_later_waits_as_well),
		DROP(nobody_waits_for_a_call_without_an_answer),
		DROP(calls_of_somebody_who_hung_up_are_carried_out),
		DROP(who_sends_no_more_still_hears),
		DROP(hundreds_wait_and_some_of_them_leave),
		DROP(status_and_metrics_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
