/* SPDX-License-Identifier: MIT
 *
 * Sinks against peers that take, refuse, hang, break off and lie: what counts as taken, what is to be sent again, what
 * never will be.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fakes/fake_syslog.h"
#include "base/clock.h"
#include "base/file.h"
#include "directory_fixture.h"
#include "ship_fixture.h"
#include "unit.h"

static uint64_t msec_since(uint64_t started)
{
	return (clock_boottime_usec() - started) / USEC_PER_MSEC;
}

/* ---- syslog ---------------------------------------------------------------------------------------- */

static struct fake_syslog fake;

static int start_fake(void **state)
{
	fake_syslog_start(&fake, "127.0.0.1");
	return 0;
}

static int stop_fake(void **state)
{
	fake_syslog_stop(&fake);
	return 0;
}

static struct ship_options syslog_options(void)
{
	return (struct ship_options){.name = "logs",
				     .kind = SHIP_SYSLOG,
				     .host = "127.0.0.1",
				     .port = fake.port,
				     .ca_file = fake.ca_path,
				     .events = true,
				     .batch = 512,
				     .timeout_ms = 1000};
}

static enum ship_outcome send_one(struct sink *sink, const char *id, struct problem *problem)
{
	const struct ship_event event = ship_fixture_event(id);
	uint32_t rejected, wait_ms;

	return sink_send(sink, &event, 1, &rejected, &wait_ms, problem);
}

static enum ship_outcome settle(struct sink *sink, struct problem *problem)
{
	uint32_t wait_ms;

	return sink_settle(sink, &wait_ms, problem);
}

static void what_is_settled_was_read(void **state)
{
	const struct ship_options options = syslog_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct problem problem = {0};

	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_false(sink_unsettled(sink));
	assert_int_equal(settle(sink, &problem), SHIP_TAKEN);
	assert_int_equal(fake.connections, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send_one(sink, "first", &problem), SHIP_TAKEN);
		assert_int_equal(send_one(sink, "second", &problem), SHIP_TAKEN);
		assert_true(sink_unsettled(sink));
		assert_int_equal(settle(sink, &problem), SHIP_TAKEN);
		assert_false(sink_unsettled(sink));
		/* Without a wait: that is what settling says. */
		assert_int_equal(fake_syslog_count(&fake, "id=\"first\""), i + 1);
		assert_int_equal(fake_syslog_count(&fake, "id=\"second\""), i + 1);
		assert_int_equal(fake.connections, i + 1);
	}
	assert_non_null(buffer_text(&fake.taken));
	assert_ptr_equal(strstr(fake.taken.data, " <110>1 2023-11-14T22:13:20.123Z gpu-1 tenantd - login-denied "),
			 fake.taken.data + strspn(fake.taken.data, "0123456789"));
}

static void a_large_batch_arrives_whole(void **state)
{
	enum { COUNT = 4096, BYTES = 8000 };
	const struct ship_options options = syslog_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	_cleanup_(freep) struct ship_event *events = calloc(COUNT, sizeof(*events));
	_cleanup_(freep) char *body = malloc(BYTES + 1);
	struct problem problem = {0};
	uint32_t rejected, wait_ms;

	memset(body, 'x', BYTES);
	body[BYTES] = '\0';
	for (unsigned i = 0; i < COUNT; i++) {
		events[i] = ship_fixture_event(i + 1 == COUNT ? "last" : "other");
		events[i].ocsf = body;
		events[i].ocsf_length = BYTES;
	}
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(sink_send(sink, events, COUNT, &rejected, &wait_ms, &problem), SHIP_TAKEN);
	assert_int_equal(settle(sink, &problem), SHIP_TAKEN);
	assert_int_equal(fake_syslog_count(&fake, "id=\"other\""), COUNT - 1);
	assert_true(fake_syslog_has(&fake, "id=\"last\""));
	assert_true(fake.taken.length > (size_t)COUNT * BYTES);
}

static void who_does_not_read_to_the_end_has_nothing(void **state)
{
	static const struct {
		enum fake_syslog_manner manner;
		uint32_t limit;
		const char *says;
	} rows[] = {
		{FAKE_SYSLOG_RESETS, 0, "connection"},
		{FAKE_SYSLOG_RESETS, 40, "connection"},
		{FAKE_SYSLOG_LEAVES, 40, "connection"},
		{FAKE_SYSLOG_BABBLES, 0, "talks where it should listen"},
		{FAKE_SYSLOG_FLOODS, 0, "talks where it should listen"},
	};
	const struct ship_options options = syslog_options();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(sink_freep) struct sink *sink = NULL;
		struct problem problem = {0};
		enum ship_outcome outcome;

		fake.manner = rows[i].manner;
		fake.limit = rows[i].limit;
		assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
		outcome = send_one(sink, "first", &problem);
		usleep(50000);
		if (outcome == SHIP_TAKEN)
			outcome = send_one(sink, "second", &problem);
		if (outcome == SHIP_TAKEN)
			outcome = settle(sink, &problem);
		assert_int_equal(outcome, SHIP_LATER);
		assert_false(sink_unsettled(sink));
		if (!strstr(problem.text, rows[i].says))
			fail_msg("%zu: %s", i, problem.text);
		fake.manner = FAKE_SYSLOG_GOOD;
		assert_int_equal(send_one(sink, "again", &problem), SHIP_TAKEN);
		assert_int_equal(settle(sink, &problem), SHIP_TAKEN);
	}
}

static void who_never_ends_has_nothing(void **state)
{
	const struct ship_options options = syslog_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct problem problem = {0};

	fake.manner = FAKE_SYSLOG_NEVER_ENDS;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_TAKEN);
	assert_int_equal(settle(sink, &problem), SHIP_LATER);
	assert_string_equal(problem.text, "127.0.0.1 does not answer in time");
}

/* It ends as if it had read all, while most is still on its way. */
static void who_turns_away_before_the_end_has_nothing(void **state)
{
	enum { COUNT = 32, BYTES = 8000 };
	const struct ship_options options = syslog_options();
	_cleanup_(sink_freep) struct sink *sink = NULL;
	_cleanup_(freep) char *body = malloc(BYTES + 1);
	struct ship_event events[COUNT];
	struct problem problem = {0};
	uint32_t rejected, wait_ms;

	memset(body, 'x', BYTES);
	body[BYTES] = '\0';
	for (unsigned i = 0; i < COUNT; i++) {
		events[i] = ship_fixture_event("other");
		events[i].ocsf = body;
		events[i].ocsf_length = BYTES;
	}
	fake.manner = FAKE_SYSLOG_TURNS_AWAY;
	fake.limit = 40;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(sink_send(sink, events, COUNT, &rejected, &wait_ms, &problem), SHIP_TAKEN);
	assert_int_equal(settle(sink, &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "connection"));
	assert_true(fake_syslog_count(&fake, "other") < COUNT);
}

static void who_does_not_prove_who_it_is_gets_nothing(void **state)
{
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct ship_options options = syslog_options();
	struct fake_syslog named;
	struct problem problem = {0};

	/* By an authority that is not the configured one. */
	options.ca_file = "/etc/ssl/certs/ca-certificates.crt";
	if (access(options.ca_file, R_OK) < 0)
		options.ca_file = NULL;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "does not prove who it is"));
	sink_free(sink);
	sink = NULL;

	/* By another name, and another address. */
	fake_syslog_start(&named, "logs.example.org");
	options = syslog_options();
	options.port = named.port;
	options.ca_file = named.ca_path;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "does not prove who it is"));
	sink_free(sink);
	sink = NULL;
	options.host = "localhost";
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "does not prove who it is"));
	assert_int_equal(named.taken.length, 0);
	fake_syslog_stop(&named);
	assert_int_equal(fake.taken.length, 0);
}

static void what_speaks_no_good_tls_gets_nothing(void **state)
{
	static const enum fake_syslog_manner manners[] = {FAKE_SYSLOG_PLAIN, FAKE_SYSLOG_OLD, FAKE_SYSLOG_SILENT};
	const struct ship_options options = syslog_options();

	for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
		_cleanup_(sink_freep) struct sink *sink = NULL;
		struct problem problem = {0};
		uint64_t started = clock_boottime_usec();

		fake.manner = manners[i];
		assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
		assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
		assert_true(problem.text[0] != '\0');
		assert_true(msec_since(started) < 3000);
	}
	assert_int_equal(fake.taken.length, 0);
}

static void nobody_there_is_later(void **state)
{
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct ship_options options = syslog_options();
	struct problem problem = {0};

	options.port = 1;
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_true(problem.text[0] != '\0');
}

static void files_that_are_not_there_are_named(void **state)
{
	_cleanup_(sink_freep) struct sink *sink = NULL;
	struct ship_options options = syslog_options();
	struct problem problem = {0};

	options.ca_file = "/nonexistent/ca";
	assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "/nonexistent/ca"));
	options = syslog_options();
	options.cert_file = options.key_file = "/nonexistent/crt";
	assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	assert_non_null(strstr(problem.text, "/nonexistent/crt"));
	assert_int_equal(fake.connections, 0);
}

static void *stop_soon(void *sink)
{
	usleep(100000);
	sink_stop(sink);
	return NULL;
}

static void stopping_interrupts_everything(void **state)
{
	struct ship_options options = syslog_options();

	options.timeout_ms = 20000;
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_(sink_freep) struct sink *sink = NULL;
		struct problem problem = {0};
		uint64_t started = clock_boottime_usec();
		pthread_t thread;

		fake.manner = FAKE_SYSLOG_SILENT;
		options.host =
			i == 1 ? "192.0.2.1" : "127.0.0.1"; /* nobody answers there, or the network is not there */
		if (i == 2) {
			options.kind = SHIP_OTLP;
			options.url = "https://192.0.2.1/v1/logs";
		}
		assert_result(sink_new(&options, "tenantd", "1", &sink), 0);
		assert_int_equal(pthread_create(&thread, NULL, stop_soon, sink), 0);
		assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
		assert_true(msec_since(started) < 2000);
		pthread_join(thread, NULL);
		assert_int_equal(send_one(sink, "first", &problem), SHIP_LATER);
	}
}

/* ---- checkpoints ----------------------------------------------------------------------------------- */

static void checkpoints_replace_a_file_for_each_log(void **state)
{
	char *folder = make_folder();
	const struct ship_options options = {
		.name = "keep", .kind = SHIP_FILE, .path = folder, .checkpoints = true, .timeout_ms = 1000};
	_cleanup_(sink_freep) struct sink *sink = NULL;
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct problem problem = {0};
	char path[256];
	struct stat st;
	uint32_t wait_ms;

	assert_result(sink_new(&options, "tenant-control", "1", &sink), 0);
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/ten_1", "old\n", 4, &wait_ms, &problem),
			 SHIP_TAKEN);
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/ten_1", "new\n", 4, &wait_ms, &problem),
			 SHIP_TAKEN);
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/platform", "p\n", 2, &wait_ms, &problem),
			 SHIP_TAKEN);
	(void)snprintf(path, sizeof(path), "%s/ten_1.checkpoint", folder);
	assert_result(file_read(AT_FDCWD, path, 100, FILE_TRUST_ANY, 0, &text, &st), 0);
	assert_string_equal(buffer_text(&text), "new\n");
	assert_int_equal(st.st_mode & 0777, 0644);
	/* Its folder is gone. */
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/platform.checkpoint", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(sink_send_checkpoint(sink, "a.example/audit/ten_1", "x\n", 2, &wait_ms, &problem), SHIP_LATER);
	free(folder);
}

static void a_log_cannot_name_another_file(void **state)
{
	static const char *const origins[] = {"", "a/", "a/..", "a/.", "..", "a/b c", "a/b.c", "a/\x1b", "a/\xc3\xa4"};
	char *folder = make_folder();
	const struct ship_options options = {
		.name = "keep", .kind = SHIP_FILE, .path = folder, .checkpoints = true, .timeout_ms = 1000};
	_cleanup_(sink_freep) struct sink *sink = NULL;

	assert_result(sink_new(&options, "tenant-control", "1", &sink), 0);
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		struct problem problem = {0};
		uint32_t wait_ms;

		assert_int_equal(sink_send_checkpoint(sink, origins[i], "x\n", 2, &wait_ms, &problem), SHIP_LATER);
	}
	assert_int_equal(rmdir(folder), 0); /* it is empty */
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_settled_was_read, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(a_large_batch_arrives_whole, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(who_does_not_read_to_the_end_has_nothing, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(who_never_ends_has_nothing, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(who_turns_away_before_the_end_has_nothing, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(who_does_not_prove_who_it_is_gets_nothing, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(what_speaks_no_good_tls_gets_nothing, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(nobody_there_is_later, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(files_that_are_not_there_are_named, start_fake, stop_fake),
		cmocka_unit_test_setup_teardown(stopping_interrupts_everything, start_fake, stop_fake),
		cmocka_unit_test(checkpoints_replace_a_file_for_each_log),
		cmocka_unit_test(a_log_cannot_name_another_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
