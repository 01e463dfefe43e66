/* SPDX-License-Identifier: MIT
 *
 * Answers that are held: the server's half. A server in this process, stepped by hand, with the login book and the
 * hooks of the fixture behind it.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "server/internal.h"
#include "server_fixture.h"
#include "sso_fixture.h"

#define CLIENTS 1100

static struct server *server;
static struct parts parts;
static struct config *config;
static sd_event *event;
static int clients[CLIENTS];
static unsigned client_count;

static void nothing(void *context)
{
	(void)context;
}

static int open_server(void **state)
{
	static const char text[] = "limits: {connections: 2000}\n";
	struct problem problem = {0};

	if (geteuid() != 0) {
		print_message("this test needs root: only root may sign people in\n");
		skip();
	}
	assert_int_equal(sso_setup(state), 0);
	assert_int_equal(config_parse("agent.yaml", text, strlen(text), &config, &problem), 0);
	assert_true(sd_event_new(&event) >= 0);
	parts = (struct parts){.config = config,
			       .directory = d,
			       .logins = book,
			       .audit = audit,
			       .state = AGENT_READY,
			       .after_work = nothing};
	assert_int_equal(server_create(event, &parts, &server), 0);
	client_count = 0;
	return 0;
}

static int close_server(void **state)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	server_destroy(server);
	sd_event_unref(event);
	config_free(config);
	return teardown(state);
}

static void work(void)
{
	for (int i = 0; i < 6; i++)
		assert_int_equal(server_step(server, 0), 0);
	now = clock_boottime_usec();
	parts.directory = d;
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

static json_t *call(int fd, const char *text)
{
	client_call(fd, text);
	work();
	return client_take(fd);
}

static void send_answer(int fd, const char *login, const char *text, const char *flags)
{
	char *json;

	assert_true(asprintf(&json,
			     "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"%s\"}"
			     "%s}",
			     login, text, flags) > 0);
	client_call(fd, json);
	free(json);
	work();
}

#define LOGIN_ALICE                                                                                                    \
	"{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\",\"source\":\"" \
	"192.0.2.1\"}}"

static void expect_step(json_t *reply, const char *step, const char *reason)
{
	if (strcmp(member_text(reply, "step"), step) != 0)
		fail_msg("%s", json_dumps(reply, 0));
	assert_string_equal(member_text(reply, "reason"), reason);
	json_decref(reply);
}

/* Login and Enter: the answer is held. */
static void begin(int fd, char login[LOGIN_TOKEN_CHARS + 1])
{
	json_t *reply = call(fd, LOGIN_ALICE);

	assert_string_equal(member_text(reply, "text"), "API key (Enter for single sign-on): ");
	snprintf(login, LOGIN_TOKEN_CHARS + 1, "%s", member_text(reply, "login"));
	json_decref(reply);
	send_answer(fd, login, "", "");
	assert_false(client_has_news(fd));
}

/* As the agent does when the thread has news. */
static bool forward(bool waited, const struct login_reply *reply, uint64_t owner)
{
	if (waited)
		server_login_reply(server, owner, reply);
	work();
	return waited;
}

static bool code_comes(void)
{
	struct device_answer device = {
		.user_code = "WDJB-MJHT", .uri = "https://staff.example/device", .expires_in = 600};
	struct login_reply reply;
	uint64_t owner = 0;
	bool waited = login_flow_prompt(book, d, fake.flow, &device, now, &reply, &owner);

	return forward(waited, &reply, owner);
}

static bool end_comes(const struct flow_result *result)
{
	struct login_reply reply;
	uint64_t owner = 0;
	bool waited = login_flow_done(book, d, fake.flow, result, now, today, &reply, &owner);

	return forward(waited, &reply, owner);
}

static void begin_and_see_the_code(int fd, char login[LOGIN_TOKEN_CHARS + 1])
{
	json_t *reply;

	begin(fd, login);
	assert_true(code_comes());
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "step"), "prompt");
	assert_true(json_is_true(json_object_get(json_object_get(reply, "parameters"), "echo")));
	assert_non_null(strstr(member_text(reply, "text"), "WDJB-MJHT"));
	assert_string_equal(member_text(reply, "login"), login);
	json_decref(reply);
}

static void an_answer_comes_when_it_is_there(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client();
	json_t *reply;

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	assert_false(client_has_news(fd));
	assert_true(end_comes(&alice));
	reply = client_take(fd);
	assert_string_equal(member_text(reply, "login"), login);
	expect_step(reply, "allowed", "allowed");
	assert_int_equal(fake.cancelled, 0);
}

static void the_connection_ends_meanwhile(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];

	for (unsigned when = 0; when < 3; when++) {
		int fd = open_client();

		if (when == 0)
			begin(fd, login);
		else
			begin_and_see_the_code(fd, login);
		if (when == 2)
			send_answer(fd, login, "", "");
		assert_int_equal(fake.cancelled, when);
		close(fd);
		clients[client_count - 1] = -1;
		work();
		assert_int_equal(fake.cancelled, when + 1);
		assert_int_equal(fake.cancelled_flow, fake.flow);
		assert_false(end_comes(&alice));
		assert_int_equal(server_counts(server).connections, 0);
	}
}

/* Half of a hang-up: nothing more is said, but an answer is waited for. */
static void the_client_stops_talking(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client();

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	shutdown(fd, SHUT_WR);
	work();
	if (fake.cancelled == 0) {
		assert_true(end_comes(&alice));
		expect_step(client_take(fd), "allowed", "allowed");
	}
	work();
	assert_int_equal(server_counts(server).connections, 0);
}

static void nothing_is_read_while_an_answer_is_held(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	uint64_t calls;
	int fd = open_client();

	begin_and_see_the_code(fd, login);
	calls = server_counts(server).calls;
	/* Three answers and a question in one go: one is held, the others have to wait. */
	for (unsigned i = 0; i < 3; i++)
		send_answer(fd, login, "", "");
	client_call(fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	work();
	assert_int_equal(server_counts(server).calls, calls + 1);
	assert_false(client_has_news(fd));
	assert_true(end_comes(&alice));
	expect_step(client_take(fd), "allowed", "allowed");
	expect_step(client_take(fd), "denied", "login-expired"); /* over is over */
	expect_step(client_take(fd), "denied", "login-expired");
	json_decref(client_take(fd)); /* the question */
	assert_false(client_has_news(fd));
}

static void replies_for_nobody_go_nowhere(void **state)
{
	struct login_reply reply = {.step = LOGIN_ALLOWED, .token = "x"};
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client(), other = open_client();

	begin_and_see_the_code(fd, login); /* nothing is held */
	for (uint64_t owner = 0; owner < 10; owner++)
		server_login_reply(server, owner, &reply);
	work();
	assert_false(client_has_news(fd));
	assert_false(client_has_news(other));
	/* A call that waits for something else is not answered by it. */
	client_call(other, "{\"method\":\"io.tenantd.Agent.Subscribe\",\"more\":true}");
	work();
	json_decref(client_take(other));
	for (uint64_t owner = 0; owner < 10; owner++)
		server_login_reply(server, owner, &reply);
	work();
	assert_false(client_has_news(other));
}

/* Somebody else's token on another connection, while its answer is held. */
static void two_connections_with_one_token(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client(), thief = open_client();

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	send_answer(thief, login, "", "");
	expect_step(client_take(thief), "denied", "login-expired");
	close(thief);
	clients[1] = -1;
	work();
	assert_int_equal(fake.cancelled, 0);
	assert_true(end_comes(&alice));
	expect_step(client_take(fd), "allowed", "allowed");
}

/* The book always says something in time. If it did not, the server does. */
static void nobody_is_held_for_ever(void **state)
{
	char login[LOGIN_TOKEN_CHARS + 1];
	struct connection *connection;
	int fd = open_client();
	json_t *reply;

	begin(fd, login);
	connection = server->connections;
	assert_int_equal(connection->hold, HOLD_LOGIN);
	assert_in_range(connection->timer.when, now + 20 * SECOND, now + 29 * SECOND);
	connection_expired(connection);
	work();
	reply = client_take(fd);
	assert_true(json_is_true(json_object_get(json_object_get(reply, "parameters"), "final")));
	expect_step(reply, "broken", "broken");
	/* What comes now is for nobody. */
	(void)code_comes();
	assert_false(client_has_news(fd));
}

static void still_waiting(void **state)
{
	char login[LOGIN_TOKEN_CHARS + 1];
	struct login_reply reply;
	int fd = open_client();
	uint64_t owner;
	json_t *said;

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	assert_true(login_flow_tick(book, d, now + 26 * SECOND, &reply, &owner));
	assert_true(forward(true, &reply, owner));
	assert_false(login_flow_tick(book, d, now + 26 * SECOND, &reply, &owner));
	said = client_take(fd);
	assert_non_null(strstr(member_text(said, "text"), "Still waiting"));
	expect_step(said, "prompt", "");
}

/* Somebody else approved: the denial comes late, as a wrong key's does. */
static void a_denial_is_held_back(void **state)
{
	struct flow_result mallory = sso_proven(STAFF_ISSUER, "sub-mallory", "mallory@acme.example");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client();

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	assert_true(end_comes(&mallory));
	assert_false(client_has_news(fd));
	assert_int_equal(server->connections->hold, HOLD_DELAY);
	usleep(600000);
	work();
	expect_step(client_take(fd), "denied", "sso-other-person");
}

/* Nobody reads an answer to a one-way call; the sign-in goes on. */
static void one_way(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client();

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", ",\"oneway\":true");
	(void)end_comes(&alice);
	assert_false(client_has_news(fd));
	json_decref(call(fd, "{\"method\":\"org.varlink.service.GetInfo\"}")); /* the connection works */
}

static void how_pictures_are_drawn(void **state)
{
	static const struct {
		const char *qr, *text;
	} table[] = {{"\"utf8\"", "\xe2\x96\x88"}, {"\"ascii\"", "##"}, {"\"off\"", NULL}, {"null", "\xe2\x96\x88"}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int fd = open_client();
		char login[LOGIN_TOKEN_CHARS + 1], text[256];
		json_t *reply;

		snprintf(text, sizeof(text),
			 "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"su\","
			 "\"qr\":"
			 "%s}}",
			 table[i].qr);
		reply = call(fd, text);
		snprintf(login, sizeof(login), "%s", member_text(reply, "login"));
		json_decref(reply);
		send_answer(fd, login, "", "");
		assert_true(code_comes());
		reply = client_take(fd);
		assert_int_equal(!!strstr(member_text(reply, "text"), "\xe2\x96\x88") ||
					 !!strstr(member_text(reply, "text"), "##"),
				 table[i].text != NULL);
		if (table[i].text)
			assert_non_null(strstr(member_text(reply, "text"), table[i].text));
		json_decref(reply);
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const wrong[] = {"\"UTF8\"", "\"utf8 \"", "7"};
		char text[256];
		json_t *reply;

		snprintf(text, sizeof(text),
			 "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"su\","
			 "\"qr\":"
			 "%s}}",
			 wrong[i]);
		reply = call(open_client(), text);
		assert_string_equal(member_text(reply, "parameter"), "qr");
		assert_string_equal(error_of(reply), "org.varlink.service.InvalidParameter");
	}
}

static void the_directory_goes_away(void **state)
{
	struct flow_result alice = sso_proven(STAFF_ISSUER, "sub-alice", "");
	char login[LOGIN_TOKEN_CHARS + 1];
	int fd = open_client();

	begin_and_see_the_code(fd, login);
	send_answer(fd, login, "", "");
	sso_no_directory();
	assert_true(end_comes(&alice));
	expect_step(client_take(fd), "broken", "broken");
	expect_step(call(fd, LOGIN_ALICE), "broken", "broken");
}

/* The agent stops with answers held: whoever waited sees the end of the connection. */
static void the_agent_stops(void **state)
{
	char login[LOGIN_TOKEN_CHARS + 1], byte;
	int fd = open_client();

	begin(fd, login);
	server_destroy(server);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(fake.cancelled, 1);
	assert_int_equal(server_create(event, &parts, &server), 0);
}

/* People who wait cost the server little memory, and somebody with a key no time. */
static void many_wait(void **state)
{
	static const char *const users[] = {"alice", "edith", "victor", "ann", "mallory",
					    "sam",   "adam",  "moved",  "gone"};
	unsigned waiting = 0;
	char login[LOGIN_TOKEN_CHARS + 1], key[256];
	uint64_t began;
	json_t *reply;
	int fd;

	for (unsigned i = 0; i < 250; i++) { /* as many as begin in one burst */
		char text[256];

		fd = open_client();
		snprintf(text, sizeof(text),
			 "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"%s\",\"service\":\"sshd\","
			 "\"source\":\"10.0.%u.1\"}}",
			 users[i % ARRAY_LEN(users)], i);
		reply = call(fd, text);
		snprintf(login, sizeof(login), "%s", member_text(reply, "login"));
		json_decref(reply);
		send_answer(fd, login, "", "");
		waiting += !client_has_news(fd);
		assert_true(code_comes());
		json_decref(client_take(fd));
		send_answer(fd, login, "", "");
	}
	assert_int_equal(waiting, 250);
	for (struct connection *c = server->connections; c; c = c->next) {
		assert_int_equal(c->hold, HOLD_LOGIN);
		assert_int_equal(c->in.capacity + c->out.capacity, 0);
	}
	fd = open_client();
	reply = call(fd, LOGIN_ALICE);
	snprintf(login, sizeof(login), "%s", member_text(reply, "login"));
	json_decref(reply);
	snprintf(key, sizeof(key), "%s", alices.text);
	began = clock_boottime_usec();
	send_answer(fd, login, key, "");
	assert_in_range(clock_boottime_usec() - began, 0, SECOND / 5);
	expect_step(client_take(fd), "allowed", "allowed");
	for (unsigned i = 0; i < 250; i++) {
		close(clients[i]);
		clients[i] = -1;
	}
	for (unsigned i = 0; i < 10; i++)
		work();
	assert_int_equal(fake.cancelled, 250);
	assert_int_equal(server_counts(server).connections, 1);
}

#define SERVER_TEST(function) cmocka_unit_test_setup_teardown(function, open_server, close_server)

/* Each su is a connection of root's, and those are as many as the host's. Whoever starts them is one person. */
static void one_person_at_su_leaves_room_for_others(void **state)
{
	static const char su[] =
		"{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":"
		"\"su\",\"terminal\":\"/dev/pts/%u\",\"requesting_user\":\"%s\"}}";
	unsigned prompts = 0, denied = 0;
	uint32_t before;
	char text[256];

	for (unsigned i = 0; i < 600; i++) {
		json_t *reply;

		snprintf(text, sizeof(text), su, i, "mallory");
		reply = call(open_client(), text);
		prompts += strcmp(member_text(reply, "step"), "prompt") == 0;
		denied += strcmp(member_text(reply, "reason"), "too-many-attempts") == 0;
		json_decref(reply);
	}
	assert_in_range(prompts, 100, 300);
	assert_int_equal(denied, 600 - prompts);
	/* The time of an unfinished sign-in goes by, and its su still stands there. */
	before = heard.count;
	now += 200 * SECOND;
	login_tick(book, now);
	snprintf(text, sizeof(text), su, 1, "mallory");
	expect_step(call(open_client(), text), "denied", "too-many-attempts");
	assert_in_range(heard.count - before, 0, 1);
	/* Others, and from elsewhere. */
	snprintf(text, sizeof(text), su, 1, "edith");
	expect_step(call(open_client(), text), "prompt", "");
	expect_step(call(open_client(), LOGIN_ALICE), "prompt", "");
	/* And they again, as soon as theirs end. */
	close(clients[0]);
	clients[0] = -1;
	work();
	snprintf(text, sizeof(text), su, 1, "mallory");
	expect_step(call(open_client(), text), "prompt", "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SERVER_TEST(an_answer_comes_when_it_is_there),
		SERVER_TEST(the_connection_ends_meanwhile),
		SERVER_TEST(the_client_stops_talking),
		SERVER_TEST(nothing_is_read_while_an_answer_is_held),
		SERVER_TEST(replies_for_nobody_go_nowhere),
		SERVER_TEST(two_connections_with_one_token),
		SERVER_TEST(nobody_is_held_for_ever),
		SERVER_TEST(still_waiting),
		SERVER_TEST(a_denial_is_held_back),
		SERVER_TEST(one_way),
		SERVER_TEST(how_pictures_are_drawn),
		SERVER_TEST(the_directory_goes_away),
		SERVER_TEST(the_agent_stops),
		SERVER_TEST(many_wait),
		SERVER_TEST(one_person_at_su_leaves_room_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
