/* SPDX-License-Identifier: MIT
 *
 * A hostile local user on the socket: too large, too slow, half open, too many, in somebody else's name.
 * Meanwhile another client's calls are timed: it must not notice.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "server_fixture.h"

#define ALICE 1879048210U
#define HOSTILE 4242U
#define SLOWEST_MSEC \
	2000 /* of the other client's calls: a busy machine has hiccups, a stall lasts until a limit ends it */
#define MANY 1000U

static struct server_fixture fixture;

static int start(void **state)
{
	struct rlimit files = {8192, 8192};

	(void)state;
	setrlimit(RLIMIT_NOFILE, &files);
	server_fixture_start(&fixture, fixture_yaml,
			     "limits: {connections: 512, connections_per_user: 64}\nenumerate: true\n");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_fixture_stop(&fixture);
	return 0;
}

static double now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The honest client: the slowest of its calls, in milliseconds. */
static double slowest_call(int fd, unsigned calls)
{
	double slowest = 0;

	for (unsigned i = 0; i < calls; i++) {
		double before = now_msec(), took;
		json_t *reply;

		client_call(fd,
			    "{\"method\":\"io.tenantd.Agent.CheckAccess\",\"parameters\":{\"project\":\"acme/vision\","
			    "\"action\":\"dataset.write\"}}");
		reply = client_receive(fd, 5000);
		assert_string_equal(member_text(reply, "decision.decision"), "allowed");
		json_decref(reply);
		took = now_msec() - before;
		if (took > slowest)
			slowest = took;
	}
	return slowest;
}

static void expect_undisturbed(int honest)
{
	double slowest = slowest_call(honest, 200);

	if (slowest > SLOWEST_MSEC)
		fail_msg("another client waited %.1f ms", slowest);
}

/* Reads until the server closes; false when it does not within the time. */
static bool is_closed_within(int fd, int milliseconds)
{
	double end = now_msec() + milliseconds;
	char data[4096];

	while (now_msec() < end) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&wait, 1, (int)(end - now_msec()) + 1) <= 0)
			return false;
		got = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return true;
	}
	return false;
}

static void oversized_messages_end_the_connection(void **state)
{
	int honest = client_connect(fixture.agent_path, ALICE), fd = client_connect(fixture.agent_path, HOSTILE);
	char *data = malloc(200000);

	(void)state;
	memset(data, 'a', 200000);
	client_send(fd, data, 200000);
	assert_true(is_closed_within(fd, 3000));
	close(fd);
	/* Just below the limit and ended is read, and found to be nonsense. */
	fd = client_connect(fixture.agent_path, HOSTILE);
	data[60000] = '\0';
	client_send(fd, data, 60001);
	assert_true(is_closed_within(fd, 3000));
	close(fd);
	free(data);
	expect_undisturbed(honest);
	close(honest);
}

static void nonsense_ends_the_connection(void **state)
{
	static const char *const messages[] = {
		"",
		"{}",
		"[]",
		"null",
		"7",
		"{\"method\":7}",
		"{\"method\":\"x\"}",
		"{\"method\":\"a.B\",\"method\":\"a.B\"}",
		"{\"method\":\"io.tenantd.Agent.Status\",\"surprise\":1}",
		"{\"method\":\"io.tenantd.Agent.Status\",\"parameters\":[]}",
		"{\"method\":\"io.tenantd.Agent.Status\",\"more\":\"yes\"}",
		"{\"method\":\"io.tenantd.Agent.Status\"}x",
		"{\"method\":\"io.tenantd.Agent.Status\",\"parameters\":{\"a\":\"\xff\"}}",
		"{\"method\":\"io.tenantd.Agent.Status\",\"parameters\":{\"a\":\"\\u0000\"}}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		int fd = client_connect(fixture.agent_path, HOSTILE);

		client_call(fd, messages[i]);
		if (!is_closed_within(fd, 3000))
			fail_msg("\"%s\" was not the end", messages[i]);
		close(fd);
	}
}

static void slow_senders_run_out_of_time(void **state)
{
	int honest = client_connect(fixture.agent_path, ALICE), fds[32];
	double begin = now_msec();
	unsigned open = ARRAY_LEN(fds);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = client_connect(fixture.agent_path, HOSTILE);
	/* A byte now and then does not buy more time. */
	while (open > 0 && now_msec() - begin < 9000) {
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			char byte;

			if (fds[i] < 0)
				continue;
			client_send(fds[i], "{", 1);
			if (recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != 0)) {
				close(fds[i]);
				fds[i] = -1;
				open--;
			}
			errno = 0;
		}
		expect_undisturbed(honest);
		usleep(200000);
	}
	assert_int_equal(open, 0);
	assert_true(now_msec() - begin > 4000);
	/* Whoever is merely quiet may stay. */
	expect_undisturbed(honest);
	close(honest);
}

static void who_does_not_read_is_not_read_from(void **state)
{
	static const char call[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
				   "{\"interface\":\"io.tenantd.Agent\"}}";
	int honest = client_connect(fixture.agent_path, ALICE), fds[16];
	char many[sizeof(call) * 200];

	(void)state;
	for (size_t i = 0; i < 200; i++)
		memcpy(many + i * sizeof(call), call, sizeof(call));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(fixture.agent_path, HOSTILE);
		/* 200 answers of several kilobytes, none of which is fetched. */
		(void)!send(fds[i], many, sizeof(many), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	expect_undisturbed(honest);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct pollfd wait = {.fd = fds[i], .events = 0};

		/* Dropped once it has not taken a byte for ten seconds. */
		assert_true(poll(&wait, 1, 13000) > 0);
		assert_true(wait.revents & POLLHUP);
		close(fds[i]);
	}
	expect_undisturbed(honest);
	close(honest);
}

static int try_connect(uint32_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(address.sun_path, fixture.agent_path, sizeof(address.sun_path) - 1);
	assert_int_equal(seteuid(uid), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static void a_thousand_connections_keep_nobody_out(void **state)
{
	int honest = client_connect(fixture.agent_path, ALICE), *fds = calloc(MANY, sizeof(int));
	unsigned held = 0;
	json_t *reply;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		fds[i] = try_connect(HOSTILE);
		if (i % 50 == 0)
			expect_undisturbed(honest);
	}
	usleep(200000);
	for (unsigned i = 0; i < MANY; i++) {
		char text[256];
		ssize_t got = recv(fds[i], text, sizeof(text) - 1, MSG_DONTWAIT);

		if (got < 0) {
			held++;
			continue;
		}
		text[got] = '\0';
		assert_non_null(strstr(text, "io.tenantd.Agent.TooMany"));
	}
	assert_int_equal(held, 64);
	/* Many uids together (a range of subordinate ids) fill the open share, and neither root's nor a service's. */
	for (unsigned uid = 5000; uid < 5012; uid++)
		for (unsigned i = 0; i < 64; i++)
			close(fds[uid % 10 * 64 + i]), fds[uid % 10 * 64 + i] = try_connect(uid);
	usleep(100000);
	expect_undisturbed(honest);
	reply = call_as(&fixture, 0, "Status", "{}");
	assert_string_equal(member_text(reply, "state"), "ready");
	json_decref(reply);
	reply = call_as(&fixture, SERVER_SERVICE_UID, "Status", "{}");
	assert_string_equal(member_text(reply, "state"), "ready");
	json_decref(reply);
	/* sshd goes on asking for keys. */
	reply = call_as(&fixture, SERVER_KEYS_UID, "SshKeys", "{\"user\":\"alice\"}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "keys")), 1);
	json_decref(reply);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	free(fds);
	usleep(200000);
	/* All is as before. */
	expect_error(&fixture, HOSTILE, "Status", "{}", "");
	expect_undisturbed(honest);
	close(honest);
}

static void calls_by_the_thousand_delay_nobody(void **state)
{
	static const char call[] = "{\"method\":\"io.tenantd.Agent.WhoAmI\"}";
	int honest = client_connect(fixture.agent_path, ALICE), fds[60];
	char many[sizeof(call) * 1000];
	char drain[65536];

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(many + i * sizeof(call), call, sizeof(call));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = client_connect(fixture.agent_path, HOSTILE);
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			(void)!send(fds[i], many, sizeof(many), MSG_DONTWAIT | MSG_NOSIGNAL);
			while (recv(fds[i], drain, sizeof(drain), MSG_DONTWAIT) > 0)
				;
		}
		if (slowest_call(honest, 20) > SLOWEST_MSEC)
			fail_msg("another client waited too long");
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	close(honest);
}

static void nobody_is_somebody_else(void **state)
{
	int fd = client_connect(fixture.agent_path, HOSTILE);
	json_t *reply;

	(void)state;
	/* What a message says about its sender means nothing; credentials sent along are not looked at. */
	client_call(fd, "{\"method\":\"io.tenantd.Agent.WhoAmI\",\"parameters\":{\"uid\":1879048210}}");
	assert_string_equal(error_of(client_receive(fd, 3000)), "org.varlink.service.InvalidParameter");
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Reload\",\"parameters\":{},\"uid\":0}");
	assert_null(client_receive(fd, 3000));
	close(fd);
	reply = call_as(&fixture, HOSTILE, "Sessions", "{\"user\":\"alice\"}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(reply, "parameters"), "sessions")), 0);
	json_decref(reply);
}

static void refused_calls_cannot_flood_the_audit(void **state)
{
	int fd = client_connect(fixture.agent_path, HOSTILE);
	unsigned before = audit_lines(&fixture, "MESSAGE="), after;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		client_call(fd, "{\"method\":\"io.tenantd.Agent.Reload\"}");
		json_decref(client_receive(fd, 3000));
		client_call(fd, "{\"method\":\"io.tenantd.Agent.CheckAccess\",\"parameters\":{\"project\":\"x\","
				"\"action\":\"y\"}}");
		json_decref(client_receive(fd, 3000));
	}
	after = audit_lines(&fixture, "MESSAGE=");
	assert_true(after - before < 40);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oversized_messages_end_the_connection),
		cmocka_unit_test(nonsense_ends_the_connection),
		cmocka_unit_test(slow_senders_run_out_of_time),
		cmocka_unit_test(who_does_not_read_is_not_read_from),
		cmocka_unit_test(a_thousand_connections_keep_nobody_out),
		cmocka_unit_test(calls_by_the_thousand_delay_nobody),
		cmocka_unit_test(nobody_is_somebody_else),
		cmocka_unit_test(refused_calls_cannot_flood_the_audit),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
