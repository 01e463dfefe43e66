/* SPDX-License-Identifier: MIT
 *
 * Answers that wait for the audit. A server in this process, stepped by hand, over a spool whose disk is this test:
 * every event is appended, and durable when the test says so.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "login_fixture.h"
#include "server/internal.h"
#include "server_fixture.h"
#include "spool/spool.h"

#define CLIENTS 600
#define EMIT                                                                                                      \
	"{\"method\":\"io.tenantd.Agent.Emit\",\"parameters\":{\"action\":\"job.start\",\"outcome\":\"success\"}" \
	"%s}"
#define STATUS "{\"method\":\"io.tenantd.Agent.Status\"}"

static struct server *server;
static struct parts parts;
static struct config *config;
static sd_event *event;
static int clients[CLIENTS];
static unsigned client_count;
static uint64_t durable, later; /* later: how far the clock was put forward */
static char spool_problem[64], sessions[96];

/* ---- the spool, and the clock ----------------------------------------------------------------------------- */

uint64_t __wrap_spool_last(const struct spool *spool);
uint64_t __wrap_spool_durable(const struct spool *spool);
void __wrap_spool_state(struct spool *spool, struct spool_state *ret);
uint64_t __real_clock_boottime_usec(void);
uint64_t __wrap_clock_boottime_usec(void);

uint64_t __wrap_spool_last(const struct spool *spool)
{
	assert_non_null(spool);
	return heard.count;
}

uint64_t __wrap_spool_durable(const struct spool *spool)
{
	assert_non_null(spool);
	return durable;
}

void __wrap_spool_state(struct spool *spool, struct spool_state *ret)
{
	assert_non_null(spool);
	*ret = (struct spool_state){.chain = "0123456789abcdef",
				    .last = heard.count,
				    .durable = durable,
				    .oldest = 1,
				    .bytes = 3 << 20,
				    .max_bytes = 1 << 30,
				    .dropped = 2,
				    .consumers = 1};
	strcpy(ret->consumer[0].name, "control-plane");
	ret->consumer[0].waiting = 17;
	strcpy(ret->problem, spool_problem);
}

uint64_t __wrap_clock_boottime_usec(void)
{
	return __real_clock_boottime_usec() + later;
}

/* ---- the rig ---------------------------------------------------------------------------------------------- */

static void nothing(void *context)
{
	(void)context;
}

static void forget_end(void *context, uint64_t tag)
{
	(void)context;
	(void)tag;
}

static int begin(void **state, const char *yaml)
{
	struct problem problem = {0};

	if (geteuid() != 0) {
		print_message("this test needs root: only root may sign people in\n");
		skip();
	}
	assert_int_equal(setup(state), 0);
	assert_int_equal(config_parse("agent.yaml", yaml, strlen(yaml), &config, &problem), 0);
	assert_true(sd_event_new(&event) >= 0);
	parts = (struct parts){.config = config,
			       .directory = d,
			       .logins = book,
			       .audit = audit,
			       .spool = (struct spool *)&durable,
			       .state = AGENT_READY,
			       .forget_end = forget_end,
			       .after_work = nothing};
	strcpy(sessions, "/tmp/tenantd-test-XXXXXX");
	assert_non_null(mkdtemp(sessions));
	assert_int_equal(session_table_create(event, sessions, NULL, &parts.sessions), 0);
	assert_int_equal(server_create(event, &parts, &server), 0);
	client_count = 0;
	durable = heard.count;
	later = 0;
	spool_problem[0] = '\0';
	return 0;
}

static int begin_drop(void **state)
{
	return begin(state, "limits: {connections: 2000}\n");
}

static int begin_refuse(void **state)
{
	return begin(state, "audit: {spool: {when_full: refuse}}\n");
}

static int end(void **state)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	server_destroy(server);
	session_table_destroy(parts.sessions);
	rmdir(sessions);
	sd_event_unref(event);
	config_free(config);
	return teardown(state);
}
#define DROP(function) cmocka_unit_test_setup_teardown(function, begin_drop, end)
#define REFUSE(function) cmocka_unit_test_setup_teardown(function, begin_refuse, end)

static void work(void)
{
	for (int i = 0; i < 6; i++)
		assert_int_equal(server_step(server, 0), 0);
	now = clock_boottime_usec();
}

static int open_client(void)
{
	int pair[2];

	assert_true(client_count < CLIENTS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(fcntl(pair[1], F_SETFL, O_NONBLOCK) >= 0);
	assert_int_equal(server_add_connection(server, pair[1], SERVER_AGENT), 0);
	clients[client_count++] = pair[0];
	return pair[0];
}

static void hang_up(int fd)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i] == fd)
			clients[i] = -1;
	close(fd);
}

static void expect_answer(int fd)
{
	assert_string_equal(error_of(client_take(fd)), "");
}

static void say(int fd, const char *text)
{
	client_call(fd, text);
	work();
}

static void emit(int fd)
{
	char text[256];

	snprintf(text, sizeof(text), EMIT, "");
	say(fd, text);
}

/* The disk has everything that was written so far, or all but the newest. */
static void sync_all(void)
{
	durable = heard.count;
	server_audit_durable(server, durable);
	work();
}

static void pass(uint64_t usec)
{
	later += usec;
	work();
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

static void an_answer_leaves_when_its_event_is_on_disk(void **state)
{
	int one = open_client(), other = open_client();

	(void)state;
	emit(one);
	assert_int_equal(heard.count, durable + 1);
	assert_false(client_has_news(one));
	say(other, STATUS); /* others are served meanwhile */
	expect_answer(other);
	assert_false(client_has_news(one));
	sync_all();
	expect_answer(one);
	emit(one);
	assert_false(client_has_news(one));
	sync_all();
	expect_answer(one);
}

static void a_call_that_writes_nothing_waits_for_nothing(void **state)
{
	int one = open_client(), other = open_client();

	(void)state;
	emit(one);
	for (int i = 0; i < 3; i++) {
		say(other, STATUS);
		expect_answer(other);
	}
	sync_all();
	expect_answer(one);
}

static void what_is_on_disk_by_then_waits_for_nothing(void **state)
{
	int fd = open_client();

	(void)state;
	durable = UINT64_MAX; /* as `relaxed` says it */
	emit(fd);
	expect_answer(fd);
}

static void without_a_spool_nothing_waits(void **state)
{
	int fd = open_client();

	(void)state;
	parts.spool = NULL;
	emit(fd);
	expect_answer(fd);
}

static void only_those_leave_whose_events_are_on_disk(void **state)
{
	int first = open_client(), second = open_client(), third = open_client();

	(void)state;
	emit(first);
	emit(second);
	emit(third);
	server_audit_durable(server, ++durable);
	work();
	expect_answer(first);
	assert_false(client_has_news(second) || client_has_news(third));
	server_audit_durable(server, ++durable);
	work();
	expect_answer(second);
	assert_false(client_has_news(third));
	sync_all();
	expect_answer(third);
}

static void calls_behind_it_come_in_their_order(void **state)
{
	int fd = open_client();
	unsigned before = heard.count;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, "");
	client_call(fd, text);
	client_call(fd, STATUS);
	client_call(fd, text);
	client_call(fd, STATUS);
	work();
	assert_false(client_has_news(fd));
	assert_int_equal(heard.count, before + 1); /* none of them runs before the first is answered */
	sync_all();
	expect_answer(fd);
	assert_int_equal(heard.count, before + 2);
	assert_false(client_has_news(fd)); /* the status leaves with what was asked right after it */
	sync_all();
	for (int i = 0; i < 3; i++)
		expect_answer(fd);
	assert_false(client_has_news(fd));
}

/* An answer that is delayed, and has an event. */
static void answer_wrong(int fd)
{
	json_t *reply;
	char text[512];

	say(fd, "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\","
		"\"source\":\"192.0.2.1\"}}");
	reply = client_take(fd);
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"wrong\"}}",
		 member_text(reply, "login"));
	json_decref(reply);
	say(fd, text);
	assert_false(client_has_news(fd));
}

static void a_delayed_answer_waits_for_both(void **state)
{
	int fd = open_client();
	json_t *reply;

	(void)state;
	for (int late = 0; late < 2; late++) {
		answer_wrong(fd);
		if (late) { /* first the disk, then the delay; or the other way round */
			sync_all();
			assert_false(client_has_news(fd));
			pass(60 * SECOND);
		} else {
			pass(4 * SECOND);
			assert_false(client_has_news(fd));
			sync_all();
		}
		reply = client_take(fd);
		assert_string_equal(member_text(reply, "step"), "prompt");
		json_decref(reply);
		hang_up(fd);
		work();
		fd = open_client();
	}
}

static void an_answer_that_comes_later_waits_as_well(void **state)
{
	int fd = open_client(), other = open_client();

	(void)state;
	parts.reload = nothing;
	say(fd, "{\"method\":\"io.tenantd.Agent.Reload\"}");
	emit(other); /* stands for what the reload writes */
	server_reload_done(server, true, NULL);
	work();
	assert_false(client_has_news(fd) || client_has_news(other));
	sync_all();
	expect_answer(fd);
	expect_answer(other);
}

static void nobody_waits_for_a_call_without_an_answer(void **state)
{
	int fd = open_client();
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, ",\"oneway\":true");
	say(fd, text);
	say(fd, STATUS);
	expect_answer(fd);
}

/* ---- hanging up --------------------------------------------------------------------------------------------- */

static void calls_of_somebody_who_hung_up_are_carried_out(void **state)
{
	int fd = open_client();
	unsigned before = heard.count;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), EMIT, "");
	for (int i = 0; i < 7; i++)
		client_call(fd, text);
	hang_up(fd);
	for (int i = 0; i < 5; i++)
		work();
	assert_int_equal(heard.count, before + 7);
	assert_int_equal(server_counts(server).connections, 0);
	sync_all();
}

static void who_sends_no_more_still_hears(void **state)
{
	int fd = open_client();

	(void)state;
	emit(fd);
	shutdown(fd, SHUT_WR);
	work();
	assert_false(client_has_news(fd));
	sync_all();
	expect_answer(fd);
	assert_null(client_receive(fd, 1000));
	assert_int_equal(server_counts(server).connections, 0);
}

static void hundreds_wait_and_some_of_them_leave(void **state)
{
	int all[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = open_client();
		emit(all[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i += 3)
		hang_up(all[i]);
	work();
	for (size_t i = 0; i < ARRAY_LEN(all) / 64 + 1; i++)
		work();
	sync_all();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (i % 3)
			expect_answer(all[i]);
}

/* ---- a disk that takes nothing ------------------------------------------------------------------------------ */

static void nobody_waits_for_ever(void **state)
{
	int one = open_client(), other = open_client(), status = open_client();
	json_t *reply;

	(void)state;
	emit(one);
	pass(4 * SECOND);
	emit(other);
	assert_false(client_has_news(one));
	pass(2 * SECOND);
	expect_answer(one); /* and the other one is not kept for its five seconds */
	expect_answer(other);
	emit(one);
	expect_answer(one);
	say(status, STATUS);
	reply = client_take(status);
	assert_string_equal(member_text(reply, "state"), "degraded");
	assert_true(
		json_is_true(json_object_get(json_object_get(json_object_get(reply, "parameters"), "audit"), "stuck")));
	json_decref(reply);
	sync_all(); /* it is back */
	emit(one);
	assert_false(client_has_news(one));
	sync_all();
	expect_answer(one);
	say(status, STATUS);
	reply = client_take(status);
	assert_string_equal(member_text(reply, "state"), "ready");
	json_decref(reply);
}

static void a_spool_that_says_it_is_broken_is_not_waited_for(void **state)
{
	int one = open_client(), other = open_client();

	(void)state;
	emit(one);
	server_audit_broken(server);
	assert_true(server_audit_is_stuck(server));
	work();
	expect_answer(one);
	emit(other);
	expect_answer(other);
	sync_all();
	assert_false(server_audit_is_stuck(server));
	server_audit_broken(server);
	server_audit_whole(server);
	assert_false(server_audit_is_stuck(server));
	emit(one);
	assert_false(client_has_news(one));
	sync_all();
	expect_answer(one);
}

static void numbers_that_begin_anew_leave_nobody_waiting(void **state)
{
	int one = open_client(), other = open_client();

	(void)state;
	emit(one);
	server_audit_anew(server);
	work();
	expect_answer(one);
	emit(other); /* and the next one waits as ever */
	assert_false(client_has_news(other));
	sync_all();
	expect_answer(other);
}

static void numbers_that_begin_anew_leave_no_delayed_answer_waiting(void **state)
{
	int fd = open_client();
	json_t *reply;

	answer_wrong(fd);
	sync_all();
	server_audit_anew(server);
	durable = 0; /* of the new ones */
	assert_false(client_has_news(fd));
	pass(4 * SECOND);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "step"), "prompt");
	json_decref(reply);
}

static void what_was_not_on_disk_when_numbers_begin_anew_lets_nobody_in(void **state)
{
	int fd = open_client();
	json_t *reply;

	answer_wrong(fd);
	server_audit_anew(server);
	durable = 0;
	assert_false(client_has_news(fd));
	pass(4 * SECOND);
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "reason"), "audit-full");
	json_decref(reply);
}

static const char authorize_alice[] =
	"{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"alice\",\"service\":\"cron\"}}";

static void drop_lets_in_what_was_decided(void **state)
{
	int fd = open_client();
	json_t *reply;

	(void)state;
	say(fd, authorize_alice);
	assert_false(client_has_news(fd));
	server_audit_broken(server);
	work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	json_decref(reply);
}

static void refuse_lets_nobody_in(void **state)
{
	int waiting = open_client(), next = open_client();
	json_t *reply;

	(void)state;
	say(waiting, authorize_alice);
	assert_false(client_has_news(waiting));
	pass(6 * SECOND);
	reply = client_take(waiting);
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	assert_string_equal(member_text(reply, "decision.reason"), "audit-full");
	assert_null(json_object_get(json_object_get(reply, "parameters"), "tenant"));
	json_decref(reply);
	say(next, authorize_alice); /* nor those who come then */
	reply = client_take(next);
	assert_string_equal(member_text(reply, "decision.reason"), "audit-full");
	json_decref(reply);
	sync_all();
	say(next, authorize_alice);
	sync_all();
	reply = client_take(next);
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	json_decref(reply);
}

static void refuse_takes_back_a_step(void **state)
{
	int fd = open_client();
	json_t *reply;
	char text[512];

	(void)state;
	say(fd, "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\"}}");
	reply = client_take(fd);
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}}",
		 member_text(reply, "login"), alices.text);
	json_decref(reply);
	say(fd, text);
	assert_false(client_has_news(fd));
	server_audit_broken(server);
	work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "step"), "broken");
	assert_string_equal(member_text(reply, "reason"), "audit-full");
	assert_string_equal(member_text(reply, "login"), ""); /* what would open the session */
	json_decref(reply);
}

static void refuse_answers_all_else(void **state)
{
	int fd = open_client();

	(void)state;
	emit(fd);
	server_audit_broken(server);
	work();
	expect_answer(fd);
	say(fd, STATUS);
	expect_answer(fd);
}

static void a_no_stays_a_no_or_becomes_broken_but_never_a_yes(void **state)
{
	int fd = open_client();
	json_t *reply;

	(void)state;
	say(fd, "{\"method\":\"io.tenantd.Agent.Authorize\",\"parameters\":{\"user\":\"gone\",\"service\":\"cron\"}}");
	server_audit_broken(server);
	work();
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	json_decref(reply);
}

/* ---- status ------------------------------------------------------------------------------------------------- */

static void status_and_metrics_tell(void **state)
{
	int fd = open_client();
	json_t *reply, *of;
	const char *text;

	(void)state;
	strcpy(spool_problem, "No space left on device");
	say(fd, STATUS);
	reply = client_take(fd);
	of = json_object_get(json_object_get(reply, "parameters"), "audit");
	assert_true(json_is_true(json_object_get(of, "spool")));
	assert_string_equal(json_string_value(json_object_get(of, "problem")), spool_problem);
	assert_string_equal(json_string_value(json_object_get(of, "durability")), "group");
	assert_int_equal(json_integer_value(json_object_get(of, "dropped")), 2);
	json_decref(reply);
	say(fd, "{\"method\":\"io.tenantd.Agent.Metrics\"}");
	reply = client_take(fd);
	text = member_text(reply, "text");
	assert_non_null(strstr(text, "tenantd_audit_spool_ready 0\n"));
	assert_non_null(strstr(text, "tenantd_audit_dropped_total 2\n"));
	assert_non_null(strstr(text, "tenantd_audit_spool_bytes 3145728\n"));
	assert_non_null(strstr(text, "tenantd_audit_waiting{consumer=\"control-plane\"} 17\n"));
	json_decref(reply);
	parts.spool = NULL;
	say(fd, STATUS);
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
		DROP(an_answer_that_comes_later_waits_as_well),
		DROP(nobody_waits_for_a_call_without_an_answer),
		DROP(calls_of_somebody_who_hung_up_are_carried_out),
		DROP(who_sends_no_more_still_hears),
		DROP(hundreds_wait_and_some_of_them_leave),
		DROP(nobody_waits_for_ever),
		DROP(a_spool_that_says_it_is_broken_is_not_waited_for),
		DROP(numbers_that_begin_anew_leave_nobody_waiting),
		REFUSE(numbers_that_begin_anew_leave_no_delayed_answer_waiting),
		REFUSE(what_was_not_on_disk_when_numbers_begin_anew_lets_nobody_in),
		DROP(drop_lets_in_what_was_decided),
		REFUSE(refuse_lets_nobody_in),
		REFUSE(refuse_takes_back_a_step),
		REFUSE(refuse_answers_all_else),
		REFUSE(a_no_stays_a_no_or_becomes_broken_but_never_a_yes),
		DROP(status_and_metrics_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
