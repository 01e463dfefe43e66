/* SPDX-License-Identifier: MIT
 *
 * What the control plane hears of sessions: all of them once, then what changed, and nothing lost or told twice
 * whatever becomes of a request.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "feed/session_line.h"
#include "feeds_rig.h"
#include "session/session.h"
#include "unit.h"
#include "json/json_read.h"

#define POST "POST /v1/feeds/" ACME "/sessions"
#define USER "usr_0123456789abcdef"
#define BODY_SIZE 262144U

/* A session as the table has it; `number` becomes its id. */
static struct session session(unsigned number)
{
	static char tenant[] = ACME, user[] = USER, project[] = "prj_0123456789abcdef", login[] = "alice",
		    role[] = "editor", service[] = "sshd", source[] = "192.0.2.7", terminal[] = "pts/1",
		    credential[] = "api-key:key_0123456789abcdef", empty[] = "", slug[] = "acme";
	struct session made = {
		.user_id = user,
		.login = login,
		.tenant = slug,
		.tenant_id = tenant,
		.project = slug,
		.project_id = project,
		.role = role,
		.service = service,
		.source = source,
		.terminal = terminal,
		.credential = credential,
		.provider = empty,
		.grant_id = empty,
		.operator= empty,
		.opened = 1700000000,
	};

	(void)snprintf(made.id, sizeof(made.id), "%016u", number);
	return made;
}

static void tell(const struct rig *rig, unsigned number)
{
	struct session made = session(number);

	feeds_session(rig->feeds, &made);
}

static void tell_ending(const struct rig *rig, unsigned number, const char *cause)
{
	struct session made = session(number);

	made.ending = 1;
	(void)snprintf(made.ending_cause, sizeof(made.ending_cause), "%s", cause);
	feeds_session(rig->feeds, &made);
}

static void tell_gone(const struct rig *rig, unsigned number)
{
	struct session made = session(number);

	feeds_session_gone(rig->feeds, &made);
}

static unsigned posts(const struct rig *rig)
{
	return fake_control_count(rig->control, POST);
}

/* The newest report, when there are so many. */
static json_t *report(const struct rig *rig, unsigned wanted)
{
	static char body[BODY_SIZE];
	struct problem problem = {0};
	json_t *json = NULL;

	fake_control_wait(rig->control, POST, wanted);
	assert_int_equal(posts(rig), wanted);
	fake_control_body(rig->control, POST, body, sizeof(body));
	assert_int_equal(json_read(body, strlen(body), &json, &problem), 0);
	return json;
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* The line of this session; NULL: it is not in the report. */
static const json_t *line_of(const json_t *json, unsigned number)
{
	const json_t *sessions = json_object_get(json, "sessions");
	char id[SESSION_ID_CHARS + 1];

	(void)snprintf(id, sizeof(id), "%016u", number);
	for (size_t i = 0; i < json_array_size(sessions); i++)
		if (strcmp(text_of(json_array_get(sessions, i), "id"), id) == 0)
			return json_array_get(sessions, i);
	return NULL;
}

static size_t size_of(const json_t *json, const char *name)
{
	return json_array_size(json_object_get(json, name));
}

static bool is_complete(const json_t *json)
{
	assert_true(json_is_boolean(json_object_get(json, "complete")));
	return json_is_true(json_object_get(json, "complete"));
}

static json_int_t part_of(const json_t *json)
{
	return json_integer_value(json_object_get(json, "part"));
}

/* Long enough for a report that should not come. */
static void nothing_more(const struct rig *rig, unsigned so_far)
{
	uint64_t end = clock_boottime_usec() + 900 * USEC_PER_MSEC;

	while (clock_boottime_usec() < end)
		assert_int_equal(sd_event_run(rig->event, 50 * USEC_PER_MSEC) >= 0, 1);
	assert_int_equal(posts(rig), so_far);
}

static void test_all_of_them_once_and_then_what_changed(void **state)
{
	_cleanup_(json_decrefp) json_t *first = NULL, *second = NULL, *third = NULL;
	struct rig *rig = *state;
	const json_t *line;

	tell(rig, 1);
	tell(rig, 2);
	(void)rig_enroll_acme(rig);
	first = report(rig, 1);
	assert_int_equal(part_of(first), 1);
	assert_true(is_complete(first));
	assert_int_equal(size_of(first, "sessions"), 2);
	line = line_of(first, 1);
	assert_non_null(line);
	assert_string_equal(text_of(line, "user"), USER);
	assert_string_equal(text_of(line, "project"), "prj_0123456789abcdef");
	assert_string_equal(text_of(line, "state"), "open");
	assert_string_equal(text_of(line, "source"), "192.0.2.7");
	assert_string_equal(text_of(line, "credential"), "api-key:key_0123456789abcdef");
	assert_null(json_object_get(line, "grant"));
	assert_null(json_object_get(line, "cause"));

	tell_ending(rig, 2, "key-revoked");
	second = report(rig, 2);
	assert_string_equal(text_of(second, "list"), text_of(first, "list"));
	assert_int_equal(part_of(second), 2);
	assert_true(is_complete(second));
	assert_int_equal(size_of(second, "sessions"), 1);
	assert_string_equal(text_of(line_of(second, 2), "state"), "ending");
	assert_string_equal(text_of(line_of(second, 2), "cause"), "key-revoked");

	tell_gone(rig, 2);
	third = report(rig, 3);
	assert_int_equal(size_of(third, "sessions"), 0);
	assert_int_equal(size_of(third, "gone"), 1);
	/* What is as it was told is not told again. */
	tell(rig, 1);
	nothing_more(rig, 3);
}

static void test_a_host_without_sessions_says_so(void **state)
{
	_cleanup_(json_decrefp) json_t *first = NULL;
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	first = report(rig, 1);
	assert_true(is_complete(first));
	assert_int_equal(size_of(first, "sessions"), 0);
}

static void test_a_change_among_a_thousand_costs_a_line(void **state)
{
	_cleanup_(json_decrefp) json_t *last = NULL, *change = NULL;
	char body[2048];
	struct rig *rig = *state;

	for (unsigned i = 0; i < 1000; i++)
		tell(rig, i);
	(void)rig_enroll_acme(rig);
	last = report(rig, 5);
	assert_int_equal(part_of(last), 5);
	assert_true(is_complete(last));
	tell_ending(rig, 500, "idle");
	change = report(rig, 6);
	fake_control_body(rig->control, POST, body, sizeof(body));
	assert_true(strlen(body) < 512);
	assert_non_null(line_of(change, 500));
	assert_int_equal(size_of(change, "sessions"), 1);
}

static void test_changes_that_come_together_go_together(void **state)
{
	_cleanup_(json_decrefp) json_t *change = NULL;
	struct rig *rig = *state;

	tell(rig, 1);
	(void)rig_enroll_acme(rig);
	json_decref(report(rig, 1));
	for (unsigned i = 2; i < 100; i++)
		tell(rig, i);
	tell_ending(rig, 1, "asked");
	tell_gone(rig, 1);
	tell_gone(rig, 2); /* nobody had heard of it */
	change = report(rig, 2);
	assert_int_equal(size_of(change, "sessions"), 97);
	assert_null(line_of(change, 2));
	assert_int_equal(size_of(change, "gone"), 1);
	nothing_more(rig, 2);
}

static void test_a_lost_answer_has_the_same_bytes_sent_again(void **state)
{
	static char sent[4096], again[4096];
	_cleanup_(json_decrefp) json_t *next = NULL;
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	json_decref(report(rig, 1));
	fake_control_answer(rig->control, POST, 1, 0, NULL, NULL, 0);
	tell(rig, 1);
	fake_control_wait(rig->control, POST, 2);
	fake_control_body(rig->control, POST, sent, sizeof(sent));
	tell_ending(rig, 1, "asked");
	tell(rig, 2);
	fake_control_wait(rig->control, POST, 3);
	fake_control_body(rig->control, POST, again, sizeof(again));
	if (posts(rig) == 3)
		assert_string_equal(sent, again);
	next = report(rig, 4);
	assert_int_equal(part_of(next), 3);
	assert_string_equal(text_of(line_of(next, 1), "state"), "ending");
	assert_non_null(line_of(next, 2));
}

static void test_a_conflict_begins_the_list_anew(void **state)
{
	_cleanup_(json_decrefp) json_t *first = NULL, *anew = NULL;
	struct rig *rig = *state;

	tell(rig, 1);
	tell(rig, 2);
	(void)rig_enroll_acme(rig);
	first = report(rig, 1);
	fake_control_answer(rig->control, POST, 1, 409, NULL, "{}", 2);
	tell_gone(rig, 2);
	tell(rig, 3);
	anew = report(rig, 3);
	assert_string_not_equal(text_of(anew, "list"), text_of(first, "list"));
	assert_int_equal(part_of(anew), 1);
	assert_true(is_complete(anew));
	assert_int_equal(size_of(anew, "sessions"), 2);
	assert_int_equal(size_of(anew, "gone"), 0);
	assert_non_null(line_of(anew, 1));
	assert_non_null(line_of(anew, 3));
}

static void test_what_is_refused_as_it_stands_is_not_hammered(void **state)
{
	struct rig *rig = *state;

	fake_control_answer(rig->control, POST, -1, 400, NULL, "{}", 2);
	tell(rig, 1);
	(void)rig_enroll_acme(rig);
	fake_control_wait(rig->control, POST, 1);
	tell(rig, 2);
	nothing_more(rig, 1);
}

static void test_a_token_that_is_refused_is_replaced(void **state)
{
	_cleanup_(json_decrefp) json_t *next = NULL;
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	json_decref(report(rig, 1));
	fake_control_answer(rig->control, POST, 1, 401, NULL, "{}", 2);
	tell(rig, 1);
	next = report(rig, 3);
	assert_int_equal(part_of(next), 2);
	assert_non_null(line_of(next, 1));
}

static void test_nobody_hears_of_tenants_that_this_host_does_not_serve(void **state)
{
	struct session made = session(1);
	char beta[] = BETA, person[] = "alice", none[] = "";
	struct rig *rig = *state;

	(void)rig_enroll_acme(rig);
	json_decref(report(rig, 1));
	made.tenant_id = beta;
	feeds_session(rig->feeds, &made);
	/* Of a file: its people may be called anything. */
	made = session(2);
	made.user_id = person;
	feeds_session(rig->feeds, &made);
	made = session(3);
	made.tenant_id = none;
	feeds_session(rig->feeds, &made);
	nothing_more(rig, 1);
	assert_int_equal(fake_control_count(rig->control, "POST /v1/feeds/" BETA "/sessions"), 0);
	/* From now on it serves it. */
	(void)fake_control_add_feed(rig->control, BETA, "beta", BLOCK + 1024);
	feeds_retry(rig->feeds);
	fake_control_wait(rig->control, "POST /v1/feeds/" BETA "/sessions", 1);
}

static void test_what_people_can_make_up_is_made_harmless(void **state)
{
	struct session made = session(1);
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *json = NULL;
	char terminal[] = "pts/1\x1b[2J\n", service[300], project[] = "vision", source[] = "\xff\xfe";
	struct problem problem = {0};

	memset(service, 'x', sizeof(service));
	service[sizeof(service) - 1] = '\0';
	made.terminal = terminal;
	made.service = service;
	made.project_id = project;
	made.source = source;
	made.left_behind = true;
	(void)snprintf(made.ending_cause, sizeof(made.ending_cause), "not ending");
	assert_int_equal(session_line_write(&made, &line), 1);
	assert_int_equal(json_read(line.data, line.length, &json, &problem), 0);
	assert_string_equal(text_of(json, "terminal"), "pts/1\\x1b[2J\\x0a");
	assert_string_equal(text_of(json, "source"), "\\xff\\xfe");
	assert_true(strlen(text_of(json, "service")) <= 128);
	assert_null(json_object_get(json, "project"));
	assert_string_equal(text_of(json, "state"), "left-behind");
	assert_null(json_object_get(json, "cause"));
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		RIGGED(test_all_of_them_once_and_then_what_changed),
		RIGGED(test_a_host_without_sessions_says_so),
		RIGGED(test_a_change_among_a_thousand_costs_a_line),
		RIGGED(test_changes_that_come_together_go_together),
		RIGGED(test_a_lost_answer_has_the_same_bytes_sent_again),
		RIGGED(test_a_conflict_begins_the_list_anew),
		RIGGED(test_what_is_refused_as_it_stands_is_not_hammered),
		RIGGED(test_a_token_that_is_refused_is_replaced),
		RIGGED(test_nobody_hears_of_tenants_that_this_host_does_not_serve),
		cmocka_unit_test(test_what_people_can_make_up_is_made_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
