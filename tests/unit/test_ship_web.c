/* SPDX-License-Identifier: MIT
 *
 * Sinks that are spoken to by HTTP: what each answer means, and how the one event that is to blame is found.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "directory_fixture.h"
#include "ship_fixture.h"
#include "unit.h"

static enum ship_outcome send_one(struct sink *sink, const char *id, struct problem *problem)
{
	const struct ship_event event = ship_fixture_event(id);
	uint32_t rejected, wait_ms;

	return sink_send(sink, &event, 1, &rejected, &wait_ms, problem);
}

/* ---- OTLP and HTTP --------------------------------------------------------------------------------- */

/* What the collector does, and what it saw. */
static struct {
	unsigned status;
	const char *body, *retry_after, *poison, *authorization;
	struct buffer got;
	unsigned requests, bytes_answered;
	char content_type[64];
} web;

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *length, void **state)
{
	const char *authorization, *type;
	struct MHD_Response *response;
	unsigned status = web.status;
	enum MHD_Result result;
	char *large;

	if (!*state) {
		*state = &web;
		buffer_clear(&web.got);
		return MHD_YES;
	}
	if (*length) {
		buffer_add(&web.got, data, *length);
		*length = 0;
		return MHD_YES;
	}
	web.requests++;
	type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
	(void)snprintf(web.content_type, sizeof(web.content_type), "%s", type ? type : "");
	authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
	if (web.authorization && (!authorization || strcmp(authorization, web.authorization) != 0))
		status = 401;
	if (web.poison && strstr(buffer_text(&web.got), web.poison))
		status = 400;
	if (web.bytes_answered) {
		large = malloc(web.bytes_answered);
		memset(large, ' ', web.bytes_answered);
		response = MHD_create_response_from_buffer(web.bytes_answered, large, MHD_RESPMEM_MUST_FREE);
	} else {
		response = MHD_create_response_from_buffer(strlen(web.body), (void *)(uintptr_t)web.body,
							   MHD_RESPMEM_MUST_COPY);
	}
	if (web.retry_after)
		MHD_add_response_header(response, "Retry-After", web.retry_after);
	if (status == 302)
		MHD_add_response_header(response, "Location", "/elsewhere");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Daemon *daemon_;
static char url[64];

static int start_web(void **state)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memset(&web, 0, sizeof(web));
	web.status = 200;
	web.body = "{}";
	daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
				   &loopback, MHD_OPTION_END);
	assert_non_null(daemon_);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/logs",
		       MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port);
	return 0;
}

static int stop_web(void **state)
{
	MHD_stop_daemon(daemon_);
	buffer_finish(&web.got);
	return 0;
}

static struct ship_options otlp_options(void)
{
	return (struct ship_options){
		.name = "otlp", .kind = SHIP_OTLP, .url = url, .events = true, .batch = 512, .timeout_ms = 2000};
}

static void answers_mean_what_they_mean(void **state)
{
	static const struct {
		unsigned status;
		const char *body, *retry_after;
		enum ship_outcome outcome;
		uint32_t rejected, wait_ms;
	} rows[] = {
		{200, "{}", NULL, SHIP_TAKEN, 0, 0},
		{200, "", NULL, SHIP_TAKEN, 0, 0},
		{202, "what?", NULL, SHIP_TAKEN, 0, 0},
		{200, "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"no\"}}", NULL, SHIP_TAKEN,
		 1, 0},
		{302, "", NULL, SHIP_LATER, 0, 0},
		{400, "bad", NULL, SHIP_REJECTED, 0, 0},
		{401, "", NULL, SHIP_LATER, 0, 0},
		{403, "", NULL, SHIP_LATER, 0, 0},
		{404, "", NULL, SHIP_LATER, 0, 0},
		{413, "", NULL, SHIP_REJECTED, 0, 0},
		{415, "", NULL, SHIP_LATER, 0, 0},
		{422, "", NULL, SHIP_REJECTED, 0, 0},
		{429, "", "7", SHIP_LATER, 0, 7000},
		{500, "", NULL, SHIP_LATER, 0, 0},
		{502, "", NULL, SHIP_LATER, 0, 0},
		{503, "", "999999999", SHIP_LATER, 0, 3600000},
		{504, "", "soon", SHIP_LATER, 0, 0},
	};
	const struct ship_options options = otlp_options();
	const struct ship_event event = ship_fixture_event("one");
	_cleanup_(sink_freep) struct sink *sink = NULL;

	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t rejected = 99, wait_ms = 99;
		struct problem problem = {0};
		enum ship_outcome outcome;

		web.status = rows[i].status;
		web.body = rows[i].body;
		web.retry_after = rows[i].retry_after;
		outcome = sink_send(sink, &event, 1, &rejected, &wait_ms, &problem);
		if (outcome != rows[i].outcome || rejected != rows[i].rejected || wait_ms != rows[i].wait_ms)
			fail_msg("%u: outcome %d, rejected %u, wait %u", rows[i].status, outcome, rejected, wait_ms);
		assert_true((outcome == SHIP_TAKEN && rejected == 0) == (problem.text[0] == '\0'));
	}
	assert_int_equal(web.requests, ARRAY_LEN(rows));
	assert_string_equal(web.content_type, "application/json");
	assert_false(sink_unsettled(sink));
}

static void a_huge_answer_is_no_answer(void **state)
{
	const struct ship_options options = otlp_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct problem problem = {0};

	web.bytes_answered = 1024 * 1024;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
}

static void an_answer_for_a_terminal_is_escaped(void **state)
{
	const struct ship_options options = otlp_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct problem problem = {0};

	web.status = 500;
	web.body = "\x1b[2J\nrm -rf";
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
	assert_null(strchr(problem.text, '\x1b'));
	assert_null(strchr(problem.text, '\n'));
	assert_non_null(strstr(problem.text, "500"));
}

static void the_one_that_is_to_blame_is_found(void **state)
{
	enum { COUNT = 100 };
	const struct ship_options options = otlp_options();
	struct ship_event events[COUNT];
	char ids[COUNT][8];
	unsigned before;

	for (unsigned i = 0; i < COUNT; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "i%03u", i);
		events[i] = ship_fixture_event(ids[i]);
	}
	for (unsigned bad = 0; bad <= COUNT; bad += 10) {
		_cleanup_(sink_freep) struct sink *sink = NULL;
		struct problem problem = {0};
		uint32_t dead = 0, wait_ms;

		web.poison = bad < COUNT ? ids[bad] : NULL;
		before = web.requests;
		assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
		assert_int_equal(sink_send_all(sink, events, COUNT, &dead, &wait_ms, &problem), SHIP_TAKEN);
		assert_int_equal(dead, bad < COUNT ? 1 : 0);
		assert_true(web.requests - before <= (bad < COUNT ? 60 : 1));
	}
	/* All of them. */
	web.poison = "i0";
	{
		_cleanup_(sink_freep) struct sink *sink = NULL;
		struct problem problem = {0};
		uint32_t dead = 0, wait_ms;

		assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
		assert_int_equal(sink_send_all(sink, events, COUNT, &dead, &wait_ms, &problem), SHIP_TAKEN);
		assert_int_equal(dead, COUNT);
	}
}

static void later_in_the_middle_is_later_for_all(void **state)
{
	const struct ship_options options = otlp_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	const struct ship_event events[2] = {ship_fixture_event("one"), ship_fixture_event("two")};
	struct problem problem = {0};
	uint32_t dead = 77, wait_ms;

	web.status = 503;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(sink_send_all(sink, events, 2, &dead, &wait_ms, &problem), SHIP_LATER);
	assert_int_equal(dead, 77);
}

static void a_token_is_read_each_time_and_kept_from_others(void **state)
{
	char *folder = make_folder(), path[128];
	struct ship_options options = otlp_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct problem problem = {0};

	(void)snprintf(path, sizeof(path), "%s/token", folder);
	options.token_file = path;
	web.authorization = "Bearer abc";
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
	assert_int_equal(web.requests, 0);
	assert_result(file_replace(AT_FDCWD, path, "other\n", 6, 0640, NULL), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
	assert_int_equal(web.requests, 1);
	assert_result(file_replace(AT_FDCWD, path, "abc\n", 4, 0640, NULL), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_TAKEN);
	/* A line end in it would be a header of its own. */
	assert_result(file_replace(AT_FDCWD, path, "abc\r\nX: y", 9, 0640, NULL), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
	assert_result(file_replace(AT_FDCWD, path, "abc\n", 4, 0640, NULL), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(send_one(sink, "one", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "others can read"));
	assert_int_equal(web.requests, 2);
	remove_folder(folder);
}

static void checkpoints_go_by_post_as_they_are(void **state)
{
	static const char note[] = "a.example/audit/ten_1\n7\nAAAA\n\n\xe2\x80\x94 k sig\n";
	struct ship_options options = otlp_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	const struct ship_event event = ship_fixture_event("one");
	struct problem problem = {0};
	uint32_t wait_ms, rejected;

	options.kind = SHIP_HTTP;
	assert_result(sink_new(&options, "tenant-control", "1", &sink), 0);
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/ten_1", note, strlen(note), &wait_ms, &problem),
			 SHIP_TAKEN);
	assert_string_equal(buffer_text(&web.got), note);
	assert_string_equal(web.content_type, "text/plain; charset=utf-8");
	web.status = 503;
	web.retry_after = "2";
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/ten_1", note, strlen(note), &wait_ms, &problem),
			 SHIP_LATER);
	assert_int_equal(wait_ms, 2000);
	/* Events have no place there. */
	assert_int_equal(sink_send(sink, &event, 1, &rejected, &wait_ms, &problem), SHIP_LATER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_mean_what_they_mean, start_web, stop_web),
		cmocka_unit_test_setup_teardown(a_huge_answer_is_no_answer, start_web, stop_web),
		cmocka_unit_test_setup_teardown(an_answer_for_a_terminal_is_escaped, start_web, stop_web),
		cmocka_unit_test_setup_teardown(the_one_that_is_to_blame_is_found, start_web, stop_web),
		cmocka_unit_test_setup_teardown(later_in_the_middle_is_later_for_all, start_web, stop_web),
		cmocka_unit_test_setup_teardown(a_token_is_read_each_time_and_kept_from_others, start_web, stop_web),
		cmocka_unit_test_setup_teardown(checkpoints_go_by_post_as_they_are, start_web, stop_web),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
