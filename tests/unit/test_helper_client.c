/* SPDX-License-Identifier: MIT
 *
 * How the agent asks the root helper: many at once, one that dies half way, none at all.
 */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper_client.h"

#define MANY 200U
#define HELD_MAX 256U

static struct {
	sd_event *event;
	struct helper_client *client;
	char folder[64], path[96];
	int listener, held[HELD_MAX];
	size_t held_count, held_most;
	uint64_t tags[512];
	int results[512];
	size_t answers;
	unsigned again; /* calls that an answer makes */
	bool calling;
} world;

static void done(void *context, uint64_t tag, int result)
{
	assert_ptr_equal(context, &world);
	assert_false(world.calling);
	assert_true(world.answers < ARRAY_LEN(world.tags));
	world.tags[world.answers] = tag;
	world.results[world.answers++] = result;
	if (world.again > 0) {
		world.again--;
		assert_result(helper_client_call(world.client, &(struct helper_request){.uid = 7}, 1000 + world.again),
			      0);
	}
}

static void listen_for(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, world.path);
	unlink(world.path);
	world.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(world.listener >= 0);
	assert_int_equal(bind(world.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(world.listener, backlog), 0);
}

static void stop_listening(void)
{
	if (world.listener >= 0)
		close(TAKE_FD(world.listener));
}

static int set_up(void **state)
{
	memset(&world, 0, sizeof(world));
	world.listener = -1;
	strcpy(world.folder, "/tmp/helper-client-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	snprintf(world.path, sizeof(world.path), "%s/socket", world.folder);
	assert_true(sd_event_new(&world.event) >= 0);
	assert_int_equal(helper_client_create(world.event, done, &world, &world.client), 0);
	assert_int_equal(helper_client_set_socket(world.client, world.path), 0);
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < world.held_count; i++)
		close(world.held[i]);
	stop_listening();
	helper_client_destroy(world.client);
	sd_event_unref(world.event);
	unlink(world.path);
	rmdir(world.folder);
	(void)state;
	return 0;
}

static void run_loop(void)
{
	while (sd_event_run(world.event, 1000) > 0)
		;
}

static void take_connections(void)
{
	int fd;

	while (world.held_count < HELD_MAX && (fd = accept4(world.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		world.held[world.held_count++] = fd;
	world.held_most = MAX_OF(world.held_most, world.held_count);
}

/* Answers the oldest connection with this, and gives what was asked. */
static struct helper_request answer_first(int32_t result)
{
	struct helper_request request;
	const struct helper_answer answer = {.result = result};

	assert_true(world.held_count > 0);
	assert_int_equal(recv(world.held[0], &request, sizeof(request), 0), sizeof(request));
	assert_int_equal(send(world.held[0], &answer, sizeof(answer), 0), sizeof(answer));
	close(world.held[0]);
	memmove(world.held, world.held + 1, --world.held_count * sizeof(world.held[0]));
	return request;
}

static int call(uint64_t tag)
{
	struct helper_request request = {.verb = HELPER_TELL, .uid = (uint32_t)tag, .scope = "c1", .text = "good bye"};
	int result;

	world.calling = true;
	result = helper_client_call(world.client, &request, tag);
	world.calling = false;
	return result;
}

static void an_answer_comes_with_its_tag(void **state)
{
	struct helper_request got;

	listen_for(16);
	assert_result(call(41), 0);
	assert_result(call(42), 0);
	take_connections();
	got = answer_first(-EBUSY);
	assert_int_equal(got.magic, HELPER_MAGIC);
	assert_int_equal(got.verb, HELPER_TELL);
	assert_int_equal(got.uid, 41);
	assert_string_equal(got.scope, "c1");
	assert_string_equal(got.text, "good bye");
	answer_first(0);
	run_loop();
	assert_int_equal(world.answers, 2);
	for (size_t i = 0; i < 2; i++)
		assert_result(world.results[i], world.tags[i] == 41 ? -EBUSY : 0);
	(void)state;
}

/* A few at a time, in order, and the helper's queue of connections may be short. */
static void ask_many(int backlog)
{
	uint32_t next = 0;

	listen_for(backlog);
	for (uint64_t tag = 0; tag < MANY; tag++)
		assert_result(call(tag), 0);
	for (unsigned round = 0; world.answers < MANY && round < 2000; round++) {
		take_connections();
		while (world.held_count > 0)
			assert_int_equal(answer_first(0).uid, next++);
		sd_event_run(world.event, 30000);
	}
	assert_int_equal(world.answers, MANY);
	assert_true(world.held_most <= 64);
}

static void many_at_once_wait_their_turn(void **state)
{
	ask_many(256);
	(void)state;
}

static void a_short_queue_of_connections_loses_nobody(void **state)
{
	ask_many(2);
	assert_true(world.held_most <= 4);
	(void)state;
}

static void a_helper_that_goes_away_is_an_error_and_the_next_is_asked(void **state)
{
	listen_for(16);
	assert_result(call(1), 0);
	assert_result(call(2), 0);
	stop_listening(); /* with what waited there */
	run_loop();
	assert_int_equal(world.answers, 2);
	assert_result(world.results[0], -ECONNRESET);
	assert_result(world.results[1], -ECONNRESET);
	assert_result(call(3), -ECONNREFUSED);
	unlink(world.path);
	assert_result(call(4), -ENOENT);
	listen_for(16);
	assert_result(call(5), 0);
	take_connections();
	answer_first(0);
	run_loop();
	assert_int_equal(world.answers, 3);
	assert_int_equal(world.tags[2], 5);
	assert_result(world.results[2], 0);
	(void)state;
}

static void whoever_waits_when_the_helper_goes_is_told_too(void **state)
{
	listen_for(256);
	for (uint64_t tag = 0; tag < MANY; tag++)
		assert_result(call(tag), 0);
	stop_listening();
	unlink(world.path);
	run_loop();
	assert_int_equal(world.answers, MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_true(world.results[i] == -ECONNRESET || world.results[i] == -ENOENT);
	(void)state;
}

static void answers_that_are_none_are_errors(void **state)
{
	static const struct helper_answer lie = {.result = 5};

	listen_for(16);
	assert_result(call(1), 0);
	assert_result(call(2), 0);
	take_connections();
	assert_int_equal(send(world.held[0], "x", 1, 0), 1);
	assert_int_equal(send(world.held[1], &lie, sizeof(lie), 0), sizeof(lie));
	run_loop();
	assert_int_equal(world.answers, 2);
	assert_result(world.results[0], -EPROTO);
	assert_result(world.results[1], -EPROTO);
	(void)state;
}

static void an_answer_may_ask_again(void **state)
{
	listen_for(16);
	world.again = 3;
	assert_result(call(1), 0);
	for (unsigned round = 0; world.answers < 4 && round < 100; round++) {
		take_connections();
		while (world.held_count > 0)
			answer_first(0);
		sd_event_run(world.event, 10000);
	}
	assert_int_equal(world.answers, 4);
	(void)state;
}

static void a_client_that_is_gone_calls_nobody(void **state)
{
	listen_for(256);
	for (uint64_t tag = 0; tag < MANY; tag++)
		assert_result(call(tag), 0);
	helper_client_destroy(world.client);
	world.client = NULL;
	take_connections();
	run_loop();
	assert_int_equal(world.answers, 0);
	(void)state;
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_result(helper_client_set_socket(world.client, path), -ENAMETOOLONG);
	(void)state;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_with_its_tag),
		TEST(many_at_once_wait_their_turn),
		TEST(a_short_queue_of_connections_loses_nobody),
		TEST(a_helper_that_goes_away_is_an_error_and_the_next_is_asked),
		TEST(whoever_waits_when_the_helper_goes_is_told_too),
		TEST(answers_that_are_none_are_errors),
		TEST(an_answer_may_ask_again),
		TEST(a_client_that_is_gone_calls_nobody),
		TEST(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
