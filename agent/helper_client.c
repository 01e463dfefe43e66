/* SPDX-License-Identifier: MIT */
#include "helper_client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "helper/request.h"

#define ASKED_MAX 64
#define ANSWER_USEC (10 * USEC_PER_SEC)

struct asked {
	struct helper_client *client;
	sd_event_source *io, *timer;
	int fd; /* -1: free */
	uint64_t tag;
};

struct helper_client {
	sd_event *event;
	helper_done_fn done;
	void *context;
	struct asked asked[ASKED_MAX];
};

int helper_client_create(sd_event *event, helper_done_fn done, void *context, struct helper_client **ret)
{
	struct helper_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->event = sd_event_ref(event);
	client->done = done;
	client->context = context;
	for (size_t i = 0; i < ASKED_MAX; i++)
		client->asked[i] = (struct asked){.client = client, .fd = -1};
	*ret = client;
	return 0;
}

static void forget(struct asked *asked)
{
	asked->io = sd_event_source_disable_unref(asked->io);
	asked->timer = sd_event_source_disable_unref(asked->timer);
	if (asked->fd >= 0)
		close(TAKE_FD(asked->fd));
}

void helper_client_destroy(struct helper_client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < ASKED_MAX; i++)
		forget(&client->asked[i]);
	sd_event_unref(client->event);
	free(client);
}

static void finish(struct asked *asked, int result)
{
	uint64_t tag = asked->tag;
	struct helper_client *client = asked->client;

	forget(asked);
	client->done(client->context, tag, result);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct helper_answer answer;
	ssize_t got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return 0;
	finish(userdata, got == sizeof(answer) && answer.result <= 0 ? answer.result : -EPROTO);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	finish(userdata, -ETIMEDOUT);
	return 0;
}

int helper_client_end_session(struct helper_client *client, pid_t leader, uint64_t leader_start, uint32_t uid,
			      uint64_t tag)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = HELPER_SOCKET};
	const struct helper_request request = {
		.magic = HELPER_MAGIC,
		.verb = HELPER_KILL_SESSION,
		.leader = leader,
		.uid = uid,
		.leader_start = leader_start,
	};
	struct asked *asked = client->asked;
	int result = 0;

	while (asked < client->asked + ASKED_MAX && asked->fd >= 0)
		asked++;
	if (asked == client->asked + ASKED_MAX)
		return -EBUSY;
	asked->tag = tag;
	asked->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (asked->fd < 0)
		return -errno;
	if (connect(asked->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(asked->fd, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		result = errno ? -errno : -EIO;
	if (result >= 0)
		result = sd_event_add_io(client->event, &asked->io, asked->fd, EPOLLIN, on_answer, asked);
	if (result >= 0)
		result = sd_event_add_time(client->event, &asked->timer, CLOCK_BOOTTIME,
					   clock_boottime_usec() + ANSWER_USEC, USEC_PER_SEC, on_timeout, asked);
	if (result < 0)
		forget(asked);
	return result;
}
