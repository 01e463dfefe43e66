/* SPDX-License-Identifier: MIT
 *
 * The client against peers that behave badly: each a forked process on a socket of its own.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "varlink/varlink_client.h"

#define SHORT (200 * USEC_PER_MSEC)
#define LONG (10 * USEC_PER_SEC)
/* What a busy machine may add. */
#define SLACK (2 * USEC_PER_SEC)

static char path[64];
static pid_t peer = -1;

static int listen_at(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(path, sizeof(path), "/tmp/test-varlink-client.%d", (int)getpid());
	strcpy(address.sun_path, path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, backlog) < 0)
		fail_msg("cannot listen: %m");
	return fd;
}

/* Reads one frame; its length without NUL, or -1 at the end of the stream. */
static ssize_t read_frame(int fd, char *frame, size_t size)
{
	size_t length = 0;

	while (length < size && read(fd, frame + length, 1) == 1)
		if (frame[length++] == '\0')
			return (ssize_t)length - 1;
	return -1;
}

static void start_peer(void (*behave)(int fd))
{
	int fd = listen_at(8);

	peer = fork();
	assert_true(peer >= 0);
	if (peer == 0) {
		int connection = accept(fd, NULL, NULL);

		(void)alarm(60);
		behave(connection);
		_exit(0);
	}
	close(fd);
}

static int end_peer(void **state)
{
	if (peer > 0) {
		(void)kill(peer, SIGKILL);
		(void)waitpid(peer, NULL, 0);
	}
	peer = -1;
	return unlink(path) < 0 && errno != ENOENT ? -1 : 0;
}

static struct varlink_client *connect_to_peer(void)
{
	struct varlink_client *client = NULL;

	assert_result(varlink_client_connect(path, LONG, &client), 0);
	assert_non_null(client);
	return client;
}

static int call(struct varlink_client *client, uint64_t timeout, struct varlink_reply *ret)
{
	struct varlink_writer w;

	varlink_call_begin(&w, varlink_client_outgoing(client), "a.B", false, false);
	json_put_string(&w.json, "text", "hello");
	assert_result(varlink_end(&w, false), 0);
	return varlink_client_exchange(client, timeout, ret);
}

/* After a failure nothing works any more, and at once. */
static void assert_dead(struct varlink_client *client)
{
	struct varlink_reply reply = {.error = "untouched"};

	assert_result(call(client, LONG, &reply), -ENOTCONN);
	assert_result(varlink_client_next(client, LONG, &reply), -ENOTCONN);
	assert_string_equal(reply.error, "untouched");
}

static void assert_took(uint64_t start, uint64_t least)
{
	uint64_t took = clock_boottime_usec() - start;

	assert_true(took >= least);
	assert_true(took < least + SLACK);
}

static void say(int fd, const char *text)
{
	(void)fd_write_all(fd, text, strlen(text) + 1);
}

static void answers_three(int fd)
{
	char frame[1000];

	for (int i = 0; i < 3 && read_frame(fd, frame, sizeof(frame)) >= 0; i++)
		say(fd, strstr(frame, "\"method\":\"a.B\",\"parameters\":{\"text\":\"hello\"}")
				? "{\"parameters\":{\"ok\":true}}"
				: "{\"error\":\"a.Wrong\"}");
}

static void exchanges(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;

	start_peer(answers_three);
	client = connect_to_peer();
	assert_true((fcntl(varlink_client_fd(client), F_GETFD) & FD_CLOEXEC) != 0);
	for (int i = 0; i < 3; i++) {
		struct varlink_reply reply;

		/* Changing times are set anew each time. */
		assert_result(call(client, LONG + (uint64_t)i, &reply), 0);
		assert_null(reply.error);
		assert_true(json_is_true(json_object_get(reply.parameters, "ok")));
		varlink_reply_finish(&reply);
	}
	/* The peer has gone; no SIGPIPE, only an error. */
	{
		struct varlink_reply reply;

		assert_int_equal(waitpid(peer, NULL, 0), peer);
		peer = -1;
		assert_result(call(client, LONG, &reply), -ECONNRESET);
	}
	assert_dead(client);
}

static void answers_by_single_bytes(int fd)
{
	static const char text[] = "{\"parameters\":{\"a\":1}}";
	char frame[1000];

	(void)read_frame(fd, frame, sizeof(frame));
	for (size_t i = 0; i < sizeof(text); i++) {
		(void)fd_write_all(fd, text + i, 1);
		(void)usleep(1000);
	}
	(void)pause();
}

static void reads_in_pieces(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;

	start_peer(answers_by_single_bytes);
	client = connect_to_peer();
	assert_result(call(client, LONG, &reply), 0);
	assert_int_equal(json_integer_value(json_object_get(reply.parameters, "a")), 1);
	varlink_reply_finish(&reply);
}

static void answers_many_at_once(int fd)
{
	static const char text[] = "{\"parameters\":{\"n\":0},\"continues\":true}\0"
				   "{\"parameters\":{\"n\":1},\"continues\":true}\0"
				   "{\"parameters\":{\"n\":2}}";
	char frame[1000];

	(void)read_frame(fd, frame, sizeof(frame));
	(void)fd_write_all(fd, text, sizeof(text));
	(void)pause();
}

static void more_replies(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;
	uint64_t start;

	start_peer(answers_many_at_once);
	client = connect_to_peer();
	for (int i = 0; i < 3; i++) {
		assert_result(i == 0 ? call(client, LONG, &reply) : varlink_client_next(client, LONG, &reply), 0);
		assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), i);
		assert_int_equal(reply.continues, i < 2);
		varlink_reply_finish(&reply);
	}
	start = clock_boottime_usec();
	assert_result(varlink_client_next(client, SHORT, &reply), -ETIMEDOUT);
	assert_took(start, SHORT);
	assert_dead(client);
}

/* A leftover answer would pass for the answer to the next question. */
static void unasked_answer(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;

	start_peer(answers_many_at_once);
	client = connect_to_peer();
	assert_result(call(client, LONG, &reply), 0);
	varlink_reply_finish(&reply);
	assert_result(call(client, LONG, &reply), -EBADMSG);
	assert_dead(client);
}

static void says_nothing(int fd)
{
	(void)pause();
}

static void stalls(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply = {.error = "untouched"};
	uint64_t start;

	start_peer(says_nothing);
	client = connect_to_peer();
	start = clock_boottime_usec();
	assert_result(call(client, SHORT, &reply), -ETIMEDOUT);
	assert_took(start, SHORT);
	assert_string_equal(reply.error, "untouched");
	assert_dead(client);
}

static void no_time_at_all(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL, *none = NULL;
	struct varlink_reply reply;
	uint64_t start = clock_boottime_usec();

	start_peer(says_nothing);
	client = connect_to_peer();
	assert_result(call(client, 0, &reply), -ETIMEDOUT);
	assert_result(varlink_client_connect(path, 0, &none), -ETIMEDOUT);
	assert_took(start, 0);
	assert_null(none);
}

static void dribbles(int fd)
{
	/* Always a byte before the socket's own timeout, and never an end. */
	for (;;) {
		(void)fd_write_all(fd, "{", 1);
		(void)usleep(20 * 1000);
	}
}

static void dribbling_gains_no_time(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;
	uint64_t start;

	start_peer(dribbles);
	client = connect_to_peer();
	start = clock_boottime_usec();
	assert_result(call(client, SHORT, &reply), -ETIMEDOUT);
	assert_took(start, SHORT);
	assert_dead(client);
}

/* The request does not fit into the socket, and nobody reads it. */
static void peer_does_not_read(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;
	struct varlink_writer w;
	static char large[60000];
	uint64_t start;
	int size = 4096;

	start_peer(says_nothing);
	client = connect_to_peer();
	memset(large, 'x', sizeof(large));
	assert_int_equal(setsockopt(varlink_client_fd(client), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	varlink_call_begin(&w, varlink_client_outgoing(client), "a.B", false, false);
	json_put_string_n(&w.json, "text", large, sizeof(large));
	assert_result(varlink_end(&w, false), 0);
	start = clock_boottime_usec();
	assert_result(varlink_client_exchange(client, SHORT, &reply), -ETIMEDOUT);
	assert_took(start, SHORT);
	assert_dead(client);
}

static void reads_slowly(int fd)
{
	static char frame[70000];
	ssize_t length;

	(void)usleep(100 * 1000);
	length = read_frame(fd, frame, sizeof(frame));
	say(fd, length > 60000 ? "{}" : "{\"error\":\"a.Short\"}");
	(void)pause();
}

static void large_request(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;
	struct varlink_writer w;
	static char large[60000];
	int size = 4096;

	start_peer(reads_slowly);
	client = connect_to_peer();
	memset(large, 'x', sizeof(large));
	assert_int_equal(setsockopt(varlink_client_fd(client), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	varlink_call_begin(&w, varlink_client_outgoing(client), "a.B", false, false);
	json_put_string_n(&w.json, "text", large, sizeof(large));
	assert_result(varlink_end(&w, false), 0);
	assert_result(varlink_client_exchange(client, LONG, &reply), 0);
	assert_null(reply.error);
	varlink_reply_finish(&reply);
}

static void answers_without_end(int fd)
{
	static char large[VARLINK_MESSAGE_MAX + 100];

	memset(large, 'x', sizeof(large));
	(void)fd_write_all(fd, large, sizeof(large));
	(void)pause();
}

static void answers_nonsense(int fd)
{
	say(fd, "hello");
	(void)pause();
}

static void answers_half(int fd)
{
	char frame[1000];

	(void)read_frame(fd, frame, sizeof(frame));
	(void)fd_write_all(fd, "{\"parameters\":{}}", 17); /* no NUL */
}

static void answers_with_error(int fd)
{
	char frame[1000];

	(void)read_frame(fd, frame, sizeof(frame));
	say(fd, "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"a.B\"}}");
	(void)pause();
}

static void bad_answers(void **state)
{
	static const struct {
		void (*behave)(int fd);
		int result;
	} table[] = {
		{answers_without_end, -EBADMSG},
		{answers_nonsense, -EBADMSG},
		{answers_half, -ECONNRESET},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
		struct varlink_reply reply = {.error = "untouched"};

		start_peer(table[i].behave);
		client = connect_to_peer();
		assert_result(call(client, LONG, &reply), table[i].result);
		assert_string_equal(reply.error, "untouched");
		assert_dead(client);
		assert_int_equal(end_peer(state), 0);
	}
}

static void error_is_an_answer(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;

	start_peer(answers_with_error);
	client = connect_to_peer();
	assert_result(call(client, LONG, &reply), 0);
	assert_string_equal(reply.error, VARLINK_ERROR_METHOD_NOT_FOUND);
	varlink_reply_finish(&reply);
}

static void interrupted(int signal_number)
{
}

/* A host program's timer must not shorten or break the exchange. */
static void signals_do_not_matter(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	const struct sigaction action = {.sa_handler = interrupted};
	struct sigaction before;
	struct varlink_reply reply;
	uint64_t start;

	start_peer(says_nothing);
	client = connect_to_peer();
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	(void)ualarm(20000, 20000);
	start = clock_boottime_usec();
	assert_result(call(client, SHORT, &reply), -ETIMEDOUT);
	(void)ualarm(0, 0);
	(void)sigaction(SIGALRM, &before, NULL);
	assert_took(start, SHORT);
}

static void nothing_to_send(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply;

	start_peer(answers_three);
	client = connect_to_peer();
	assert_result(varlink_client_exchange(client, LONG, &reply), -EINVAL);
	assert_result(call(client, LONG, &reply), 0); /* and it still works */
	varlink_reply_finish(&reply);
}

static void connecting(void **state)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	char long_path[200];
	int fd;

	assert_result(varlink_client_connect("", LONG, &client), -EINVAL);
	assert_result(varlink_client_connect("/nonexistent/socket", LONG, &client), -ENOENT);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_result(varlink_client_connect(long_path, LONG, &client), -ENAMETOOLONG);
	fd = listen_at(1);
	close(fd);
	assert_result(varlink_client_connect(path, LONG, &client), -ECONNREFUSED);
	assert_null(client);
	varlink_client_destroy(NULL);
}

/* Nobody accepts, and the queue is full: as with an agent that hangs. */
static void full_backlog(void **state)
{
	struct varlink_client *clients[16] = {NULL};
	int fd = listen_at(0), r = 0;
	uint64_t start = 0;
	size_t n;

	for (n = 0; n < ARRAY_LEN(clients) && r == 0; n++) {
		start = clock_boottime_usec();
		r = varlink_client_connect(path, SHORT, &clients[n]);
	}
	assert_result(r, -ETIMEDOUT);
	assert_took(start, SHORT);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		varlink_client_destroy(clients[i]);
	close(fd);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void leaks_no_descriptor(void **state)
{
	unsigned before = open_descriptors();

	for (int i = 0; i < 5; i++) {
		struct varlink_client *client = NULL;

		assert_result(varlink_client_connect("/nonexistent/socket", LONG, &client), -ENOENT);
		start_peer(says_nothing);
		client = connect_to_peer();
		varlink_client_destroy(client);
		assert_int_equal(end_peer(state), 0);
	}
	assert_int_equal(open_descriptors(), before);
}

#define with_peer(f) cmocka_unit_test_teardown(f, end_peer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_peer(exchanges),
		with_peer(reads_in_pieces),
		with_peer(more_replies),
		with_peer(unasked_answer),
		with_peer(stalls),
		with_peer(no_time_at_all),
		with_peer(dribbling_gains_no_time),
		with_peer(peer_does_not_read),
		with_peer(large_request),
		with_peer(bad_answers),
		with_peer(error_is_an_answer),
		with_peer(signals_do_not_matter),
		with_peer(nothing_to_send),
		with_peer(connecting),
		with_peer(full_backlog),
		with_peer(leaks_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
