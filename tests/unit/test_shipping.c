/* SPDX-License-Identifier: MIT
 *
 * From a real spool to sinks: everything once at least, in order, over restarts and peers that break off; places that
 * are kept; what nobody wants any more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fakes/fake_syslog.h"
#include "base/clock.h"
#include "base/text.h"
#include "shipping/batch.h"
#include "shipping/shipping.h"
#include "spool_fixture.h"
#include "unit.h"

static struct fake_syslog fake;
static struct shipping *shipping;
static uint64_t dead_told, events_made;
static char dead_why[256], dead_sink[64];

/* An event as the agent writes them. */
static void append(const char *kind)
{
	char leaf[2048], personal[512], prev[65], salt[65], commitment[65];
	static const char patch[] = "{\"user\":{\"name\":\"alice\"}}";
	uint8_t salt_bytes[SALT_BYTES] = {1, 2, 3}, hash[SHA256_BYTES];
	struct leaf_link link;
	int r;

	assert_result(spool_next(world.spool, &link), 0);
	text_to_hex(link.prev, sizeof(link.prev), prev);
	text_to_hex(salt_bytes, sizeof(salt_bytes), salt);
	assert_result(personal_commitment(salt_bytes, patch, strlen(patch), hash), 0);
	text_to_hex(hash, sizeof(hash), commitment);
	(void)snprintf(leaf, sizeof(leaf),
		       "{\"class_uid\":3002,\"category_uid\":3,\"activity_id\":1,\"type_uid\":300201,\"severity_id\":1,"
		       "\"status_id\":1,\"time\":1700000000123,\"user\":{\"uid\":\"usr_alice\"},\"metadata\":{\"uid\":"
		       "\"%s-%" PRIu64 "\",\"event_code\":\"%s\",\"tenant_uid\":\"ten_acme\",\"version\":\"1.3.0\"},"
		       "\"unmapped\":{\"chain\":\"%s\","
		       "\"boot\":\"%s\",\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"personal\":[{\"person\":\"usr_alice\","
		       "\"commitment\":\"%s\"}]}}",
		       link.chain, link.sequence, kind, link.chain, link.boot, link.sequence, prev, commitment);
	(void)snprintf(personal, sizeof(personal),
		       "[{\"person\":\"usr_alice\",\"salt\":\"%s\",\"patch\":\"{\\\"user\\\":{\\\"name\\\":"
		       "\\\"alice\\\"}}\"}]",
		       salt);
	r = spool_append(world.spool, leaf, strlen(leaf), personal, strlen(personal));
	assert_result(r, 0);
	events_made++;
}

static void append_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		append("login-allowed");
}

static void on_dead(void *context, const char *sink, uint64_t count, const char *why)
{
	dead_told += count;
	(void)snprintf(dead_why, sizeof(dead_why), "%s", why);
	(void)snprintf(dead_sink, sizeof(dead_sink), "%s", sink);
}

static void start(const struct ship_options *sinks, uint32_t count)
{
	struct ship_options copies[SHIP_SINKS_MAX];
	const struct ship_list list = {.items = copies, .count = count};
	const struct shipping_hooks hooks = {.dead = on_dead};
	struct problem problem = {0};

	if (count > 0)
		memcpy(copies, sinks, count * sizeof(*copies));
	if (shipping_create(world.event, world.spool, &list, "gpu-1", &hooks, &shipping, &problem) < 0)
		fail_msg("%s", problem.text);
	assert_true(shipping_is(shipping, &list));
}

static void stop(void)
{
	shipping_destroy(shipping);
	shipping = NULL;
}

static struct ship_options syslog_sink(void)
{
	return (struct ship_options){.name = "logs",
				     .kind = SHIP_SYSLOG,
				     .host = "127.0.0.1",
				     .port = fake.port,
				     .ca_file = fake.ca_path,
				     .events = true,
				     .batch = 100,
				     .timeout_ms = 2000};
}

static struct shipping_state state_of(void)
{
	struct shipping_state states[SHIP_SINKS_MAX];

	assert_int_equal(shipping_state(shipping, states, SHIP_SINKS_MAX), 1);
	return states[0];
}

/* Until the sink has everything up to there; 20 s at most. */
static void wait_for(uint64_t next)
{
	for (unsigned i = 0; i < 2000 && state_of().next < next; i++) {
		spool_world_turn();
		usleep(10000);
	}
	if (state_of().next < next)
		fail_msg("the sink stands at %" PRIu64 ": %s", state_of().next, state_of().problem);
	spool_world_turn();
}

static uint32_t arrivals(uint64_t sequence)
{
	char mark[64];
	struct spool_state spool;

	spool_state(world.spool, &spool);
	(void)snprintf(mark, sizeof(mark), "id=\"%s-%" PRIu64 "\"", spool.chain, sequence);
	return fake_syslog_count(&fake, mark);
}

static void expect_all(uint64_t from, uint64_t to, bool once)
{
	for (uint64_t i = from; i <= to; i++) {
		uint32_t count = arrivals(i);

		if (count == 0 || (once && count > 1))
			fail_msg("event %" PRIu64 " came %u times", i, count);
	}
}

static int set_up(void **state)
{
	dead_told = events_made = 0;
	fake_syslog_start(&fake, "127.0.0.1");
	spool_world_make();
	spool_world_start();
	return 0;
}

static int tear_down(void **state)
{
	stop();
	spool_world_end();
	fake_syslog_stop(&fake);
	return 0;
}

static void what_is_durable_arrives_once_and_merged(void **state)
{
	struct ship_options sink = syslog_sink();

	append_many(250);
	start(&sink, 1);
	wait_for(251);
	append_many(5);
	wait_for(256);
	expect_all(1, 255, true);
	assert_int_equal(fake_syslog_count(&fake, "\"name\":\"alice\""), 255);
	assert_int_equal(fake_syslog_count(&fake, "tenant=\"ten_acme\""), 255);
	assert_int_equal(fake_syslog_count(&fake, " gpu-1 tenantd - login-allowed "), 255);
	assert_int_equal(state_of().sent, 255);
	assert_int_equal(state_of().dead, 0);
	assert_int_equal(state_of().failures, 0);
	assert_true(state_of().taken_at > 0);
	assert_string_equal(state_of().kind, "syslog");
}

static void a_restart_goes_on_where_it_was(void **state)
{
	struct ship_options sink = syslog_sink();

	append_many(50);
	start(&sink, 1);
	wait_for(51);
	stop();
	append_many(20);
	spool_world_wait();
	spool_world_stop();
	spool_world_start();
	fake_syslog_forget(&fake);
	start(&sink, 1);
	wait_for(71);
	expect_all(51, 70, true);
	assert_int_equal(arrivals(50), 0);
}

static void a_peer_that_breaks_off_gets_it_again(void **state)
{
	struct ship_options sink = syslog_sink();

	append_many(100);
	fake.manner = FAKE_SYSLOG_RESETS;
	fake.limit = 20000;
	start(&sink, 1);
	for (unsigned i = 0; i < 500 && state_of().failures == 0; i++)
		usleep(10000);
	assert_true(state_of().failures > 0);
	assert_int_equal(state_of().next, 1);
	assert_true(state_of().problem[0] != '\0');
	fake.manner = FAKE_SYSLOG_GOOD;
	wait_for(101);
	expect_all(1, 100, false);
	assert_int_equal(state_of().failures, 0);
}

static void ending_does_not_wait_for_a_peer(void **state)
{
	struct ship_options sink = syslog_sink();
	uint64_t started;

	fake.manner = FAKE_SYSLOG_SILENT;
	sink.timeout_ms = 30000;
	append_many(10);
	start(&sink, 1);
	usleep(300000);
	started = clock_boottime_usec();
	stop();
	assert_true(clock_boottime_usec() - started < 2 * USEC_PER_SEC);
}

static void another_chain_goes_out_as_well(void **state)
{
	struct ship_options sink = syslog_sink();

	append_many(30);
	start(&sink, 1);
	wait_for(31);
	assert_result(spool_begin_chain(world.spool, "a test"), 0);
	for (unsigned i = 0; i < 300 && spool_last(world.spool) != 0; i++) {
		spool_world_turn();
		usleep(10000);
	}
	append_many(7);
	for (unsigned i = 0; i < 2000 && fake_syslog_count(&fake, "login-allowed [") < 37; i++) {
		spool_world_turn();
		usleep(10000);
	}
	assert_int_equal(fake_syslog_count(&fake, "login-allowed ["), 37);
	wait_for(8);
	expect_all(1, 7, true);
}

static void what_was_damaged_holds_up_nothing(void **state)
{
	struct ship_options sink = syslog_sink();
	char path[512];
	FILE *file;

	for (unsigned i = 0; i < 3; i++) { /* each a group of its own */
		append_many(10);
		spool_world_wait();
	}
	(void)snprintf(path, sizeof(path), "%s", spool_world_segment(0));
	spool_world_stop();
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, 400, SEEK_SET), 0);
	assert_int_not_equal(fputc(0x55, file), EOF);
	assert_int_equal(fclose(file), 0);
	spool_world_start();
	assert_true(world.found[SPOOL_DAMAGED] > 0);
	append_many(5);
	start(&sink, 1);
	wait_for(36);
	expect_all(31, 35, true);
	/* How many were in the first group is a matter of time. */
	assert_true(world.first[SPOOL_DAMAGED] == 1 && world.count[SPOOL_DAMAGED] <= 30);
	for (uint64_t i = 1; i <= 30 - world.count[SPOOL_DAMAGED]; i++)
		assert_true(arrivals(world.count[SPOOL_DAMAGED] + i) == 1);
}

static void nothing_is_kept_for_a_sink_that_is_no_more(void **state)
{
	struct ship_options sink = syslog_sink();
	struct spool_state spool;

	append_many(3);
	start(&sink, 1);
	wait_for(4);
	spool_state(world.spool, &spool);
	assert_int_equal(spool.consumers, 1);
	assert_string_equal(spool.consumer[0].name, "sink:logs");
	stop();
	sink.name = "other";
	start(&sink, 1);
	spool_state(world.spool, &spool);
	assert_int_equal(spool.consumers, 1);
	assert_string_equal(spool.consumer[0].name, "sink:other");
	stop();
	start(NULL, 0);
	spool_state(world.spool, &spool);
	assert_int_equal(spool.consumers, 0);
}

static void other_options_are_another_list(void **state)
{
	struct ship_options one = syslog_sink(), two;
	const struct ship_list none = {0};

	start(&one, 1);
	for (unsigned i = 0; i < 5; i++) {
		struct ship_list list = {.items = &two, .count = 1};

		two = one;
		if (i == 0)
			two.port++;
		else if (i == 1)
			two.ca_file = NULL;
		else if (i == 2)
			two.batch = 7;
		else if (i == 3)
			two.token_file = "/x";
		assert_int_equal(shipping_is(shipping, &list), i == 4);
	}
	assert_false(shipping_is(shipping, &none));
}

/* ---- dead letters ---------------------------------------------------------------------------------- */

static _Atomic unsigned web_requests;

static enum MHD_Result refuse_poison(void *context, struct MHD_Connection *connection, const char *url,
				     const char *method, const char *version, const char *data, size_t *length,
				     void **state)
{
	static struct buffer got;
	struct MHD_Response *response;
	enum MHD_Result result;
	unsigned status;

	if (!*state) {
		*state = &got;
		buffer_finish(&got);
		return MHD_YES;
	}
	if (*length) {
		buffer_add(&got, data, *length);
		*length = 0;
		return MHD_YES;
	}
	web_requests++;
	status = strstr(buffer_text(&got), "poison") || strstr(got.data, "audit-dead-letter") ? 400 : 200;
	buffer_finish(&got);
	response = MHD_create_response_from_buffer(2, (void *)(uintptr_t) "{}", MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static void dead_letters_are_counted_told_and_hold_up_nothing(void **state)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ship_options sink = {.name = "otlp", .kind = SHIP_OTLP, .events = true, .batch = 64, .timeout_ms = 2000};
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, refuse_poison,
						     NULL, MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_END);
	char url[64];

	assert_non_null(daemon);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/logs",
		       MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	sink.url = url;
	append_many(20);
	append("poison");
	append_many(20);
	start(&sink, 1);
	wait_for(42);
	assert_int_equal(state_of().sent, 40);
	assert_int_equal(state_of().dead, 1);
	assert_int_equal(dead_told, 1);
	assert_string_equal(dead_sink, "otlp");
	assert_non_null(strstr(dead_why, "400"));
	/* One that follows within the minute is counted, not told; and the word about dead letters never is. */
	append("poison");
	wait_for(43);
	append("audit-dead-letter");
	wait_for(44);
	assert_int_equal(state_of().dead, 3);
	assert_int_equal(dead_told, 1);
	stop();
	MHD_stop_daemon(daemon);
}

/* ---- groups that cannot be -------------------------------------------------------------------------- */

static void broken_groups_are_refused(void **state)
{
	static const char *const texts[] = {
		"x",
		"group ",
		"group 1 1\n",
		"group 0 99999999999999999999\nx",
		"group 1 2 3\nxxxxxx",
		"group 0 2\n{}",
		"group 0 3\n{}\n",
		"group 0 4\n{}\n\n\n",
		"group -1 2\n{}",
		"group 4294967295 4294967295\nx",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(batch_finish) struct batch batch = {0};
		int r = batch_read(&batch, texts[i], strlen(texts[i]), "h");

		if (r != -EBADMSG)
			fail_msg("%s: %d", texts[i], r);
	}
}

static void a_leaf_that_is_none_goes_out_as_it_is(void **state)
{
	static const char text[] = "group 2 9\nxx{\"a\":\n[]\n";
	_cleanup_(batch_finish) struct batch batch = {0};

	assert_result(batch_read(&batch, text, strlen(text), "h"), 0);
	assert_int_equal(batch.count, 1);
	assert_string_equal(batch.events[0].kind, "malformed");
	assert_string_equal(batch.events[0].ocsf, "{\"a\":");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_durable_arrives_once_and_merged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_goes_on_where_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_peer_that_breaks_off_gets_it_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ending_does_not_wait_for_a_peer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_chain_goes_out_as_well, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_damaged_holds_up_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_kept_for_a_sink_that_is_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_options_are_another_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dead_letters_are_counted_told_and_hold_up_nothing, set_up, tear_down),
		cmocka_unit_test(broken_groups_are_refused),
		cmocka_unit_test(a_leaf_that_is_none_goes_out_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
