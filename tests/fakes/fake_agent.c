/* SPDX-License-Identifier: MIT */
#include "fake_agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64U
#define LINES_MAX 64U
#define CALLS_MAX 4096U
#define MESSAGE_MAX (256U * 1024U)

struct line {
	char method[32];
	enum fake_how how;
	char *text;
};

struct peer {
	int fd; /* -1: free */
	char *received;
	size_t length;
};

struct fake_agent {
	pthread_t thread;
	pthread_mutex_t lock; /* over everything below */
	char folder[32], path[64];
	int listener, wake;
	bool stop;
	struct peer peers[CONNECTIONS_MAX];
	struct line lines[LINES_MAX];
	size_t line_count;
	char *calls[CALLS_MAX];
	size_t call_count;
	unsigned accepted;
};

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			(void)fprintf(stderr, "fake agent: %s\n", #condition); \
			abort();                                               \
		}                                                              \
	} while (0)

static void hang_up(struct peer *peer)
{
	if (peer->fd >= 0) {
		/* The other thread's poll holds the socket open for a moment after a mere close. */
		(void)shutdown(peer->fd, SHUT_RDWR);
		close(peer->fd);
	}
	free(peer->received);
	*peer = (struct peer){.fd = -1};
}

static bool is_call_of(const char *call, const char *method)
{
	char pattern[64];

	(void)snprintf(pattern, sizeof(pattern), "io.tenantd.Agent.%s\"", method);
	return strstr(call, pattern) != NULL;
}

static unsigned count_calls(const struct fake_agent *agent, const char *method)
{
	unsigned count = 0;

	for (size_t i = 0; i < agent->call_count; i++)
		count += is_call_of(agent->calls[i], method);
	return count;
}

/* The line for this call, which is counted already. */
static const struct line *line_for(const struct fake_agent *agent, const char *call)
{
	const struct line *found = NULL;
	unsigned nth = 0;

	for (size_t i = 0; i < agent->line_count; i++)
		if (is_call_of(call, agent->lines[i].method)) {
			found = &agent->lines[i];
			if (++nth == count_calls(agent, found->method))
				break;
		}
	return found;
}

static void send_bytes(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		length -= (size_t)n;
	}
}

static void send_lines(int fd, const char *text)
{
	char *copy = strdup(text);

	MUST(copy);
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = '\0';
	send_bytes(fd, copy, strlen(text) + 1);
	free(copy);
}

static void flood(int fd)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; sent < MESSAGE_MAX; sent += sizeof(block))
		send_bytes(fd, block, sizeof(block));
}

static void act(struct peer *peer, const struct line *line)
{
	if (!line) {
		send_lines(peer->fd,
			   "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"x\"}}");
		return;
	}
	switch (line->how) {
	case FAKE_LATE:
		sleep(3);
		send_lines(peer->fd, line->text);
		break;
	case FAKE_REPLY:
		send_lines(peer->fd, line->text);
		break;
	case FAKE_HALF:
		send_bytes(peer->fd, line->text, strlen(line->text) / 2);
		hang_up(peer);
		break;
	case FAKE_DRIBBLE:
		send_bytes(peer->fd, line->text, strlen(line->text) / 2);
		break;
	case FAKE_GARBAGE:
		send_bytes(peer->fd, "\xff{]\"\x01\0", 6);
		break;
	case FAKE_FLOOD:
		flood(peer->fd);
		break;
	case FAKE_HANG_UP:
		hang_up(peer);
		break;
	case FAKE_STALL:
		break;
	}
}

static void serve(struct fake_agent *agent, struct peer *peer)
{
	ssize_t n;
	char *end;

	peer->received = realloc(peer->received, peer->length + 65536);
	MUST(peer->received);
	n = recv(peer->fd, peer->received + peer->length, 65535, 0);
	if (n <= 0) {
		hang_up(peer);
		return;
	}
	peer->length += (size_t)n;
	MUST(peer->length < MESSAGE_MAX);
	while (peer->fd >= 0 && peer->length > 0 && (end = memchr(peer->received, '\0', peer->length))) {
		char *call = strdup(peer->received);
		size_t used = (size_t)(end - peer->received) + 1;

		MUST(call && agent->call_count < CALLS_MAX);
		agent->calls[agent->call_count++] = call;
		peer->length -= used;
		memmove(peer->received, peer->received + used, peer->length);
		act(peer, line_for(agent, call));
	}
}

static void accept_peer(struct fake_agent *agent)
{
	int fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (agent->peers[i].fd < 0) {
			agent->peers[i].fd = fd;
			agent->accepted++;
			return;
		}
	close(fd);
}

static void *run(void *context)
{
	struct fake_agent *agent = context;

	for (;;) {
		struct pollfd fds[CONNECTIONS_MAX + 2] = {
			{.fd = agent->listener, .events = POLLIN},
			{.fd = agent->wake, .events = POLLIN},
		};

		pthread_mutex_lock(&agent->lock);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			fds[i + 2] = (struct pollfd){.fd = agent->peers[i].fd, .events = POLLIN};
		pthread_mutex_unlock(&agent->lock);
		if (poll(fds, CONNECTIONS_MAX + 2, -1) < 0 && errno != EINTR)
			abort();
		pthread_mutex_lock(&agent->lock);
		if (agent->stop) {
			pthread_mutex_unlock(&agent->lock);
			return NULL;
		}
		if (fds[1].revents) {
			eventfd_t value;

			(void)eventfd_read(agent->wake, &value);
		}
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			if (fds[i + 2].revents && agent->peers[i].fd == fds[i + 2].fd)
				serve(agent, &agent->peers[i]);
		if (fds[0].revents)
			accept_peer(agent);
		pthread_mutex_unlock(&agent->lock);
	}
}

struct fake_agent *fake_agent_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fake_agent *agent = calloc(1, sizeof(*agent));

	MUST(agent);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		agent->peers[i].fd = -1;
	(void)snprintf(agent->folder, sizeof(agent->folder), "/tmp/fake-agent-XXXXXX");
	MUST(mkdtemp(agent->folder));
	(void)snprintf(agent->path, sizeof(agent->path), "%s/agent.sock", agent->folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(agent->listener >= 0);
	MUST(bind(agent->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(listen(agent->listener, 64) == 0);
	agent->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(agent->wake >= 0);
	MUST(pthread_mutex_init(&agent->lock, NULL) == 0);
	MUST(pthread_create(&agent->thread, NULL, run, agent) == 0);
	return agent;
}

static void forget(struct fake_agent *agent)
{
	for (size_t i = 0; i < agent->line_count; i++)
		free(agent->lines[i].text);
	for (size_t i = 0; i < agent->call_count; i++)
		free(agent->calls[i]);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		hang_up(&agent->peers[i]);
	agent->line_count = 0;
	agent->call_count = 0;
	agent->accepted = 0;
}

void fake_agent_stop(struct fake_agent *agent)
{
	if (!agent)
		return;
	pthread_mutex_lock(&agent->lock);
	agent->stop = true;
	pthread_mutex_unlock(&agent->lock);
	(void)eventfd_write(agent->wake, 1);
	pthread_join(agent->thread, NULL);
	forget(agent);
	close(agent->listener);
	close(agent->wake);
	(void)unlink(agent->path);
	(void)rmdir(agent->folder);
	pthread_mutex_destroy(&agent->lock);
	free(agent);
}

const char *fake_agent_path(const struct fake_agent *agent)
{
	return agent->path;
}

void fake_agent_say(struct fake_agent *agent, const char *method, enum fake_how how, const char *text)
{
	struct line *line;

	pthread_mutex_lock(&agent->lock);
	MUST(agent->line_count < LINES_MAX);
	line = &agent->lines[agent->line_count++];
	(void)snprintf(line->method, sizeof(line->method), "%s", method);
	line->how = how;
	line->text = strdup(text ? text : "{}");
	MUST(line->text);
	pthread_mutex_unlock(&agent->lock);
}

void fake_agent_reset(struct fake_agent *agent)
{
	pthread_mutex_lock(&agent->lock);
	forget(agent);
	pthread_mutex_unlock(&agent->lock);
	(void)eventfd_write(agent->wake, 1);
}

void fake_agent_cut(struct fake_agent *agent)
{
	pthread_mutex_lock(&agent->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		hang_up(&agent->peers[i]);
	pthread_mutex_unlock(&agent->lock);
	(void)eventfd_write(agent->wake, 1);
}

unsigned fake_agent_connections(struct fake_agent *agent)
{
	unsigned count;

	pthread_mutex_lock(&agent->lock);
	count = agent->accepted;
	pthread_mutex_unlock(&agent->lock);
	return count;
}

unsigned fake_agent_open(struct fake_agent *agent)
{
	unsigned count = 0;

	pthread_mutex_lock(&agent->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		count += agent->peers[i].fd >= 0;
	pthread_mutex_unlock(&agent->lock);
	return count;
}

unsigned fake_agent_calls(struct fake_agent *agent, const char *method)
{
	unsigned count;

	pthread_mutex_lock(&agent->lock);
	count = count_calls(agent, method);
	pthread_mutex_unlock(&agent->lock);
	return count;
}

const char *fake_agent_call(struct fake_agent *agent, const char *method, unsigned n)
{
	const char *found = NULL;

	pthread_mutex_lock(&agent->lock);
	for (size_t i = 0; i < agent->call_count && !found; i++)
		if (is_call_of(agent->calls[i], method) && n-- == 0)
			found = agent->calls[i];
	pthread_mutex_unlock(&agent->lock);
	return found;
}
