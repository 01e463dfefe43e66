/* SPDX-License-Identifier: MIT
 *
 * One connection a request: the helper may be replaced between any two, and an answer belongs to what it came on.
 */
#include "helper_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

#define UNDER_WAY_MAX 48U /* below the helper's own number of jobs, so that one agent never meets its limit */
#define ANSWER_USEC (15 * USEC_PER_SEC) /* longer than the helper tries */
#define AGAIN_USEC (20 * USEC_PER_MSEC) /* its queue of connections was full */

struct asked {
	struct helper_client *client;
	sd_event_source *io, *timer;
	int fd; /* -1: free */
	uint64_t tag;
};

struct waiting {
	struct waiting *next;
	uint64_t tag;
	struct helper_request request;
};

struct helper_client {
	sd_event *event;
	helper_done_fn done;
	void *context;
	struct sockaddr_un address;
	struct asked asked[UNDER_WAY_MAX];
	struct waiting *first, **end;
	uint32_t waiting;
	sd_event_source *pump; /* asks for those who wait, from the event loop */
};

int helper_client_create(sd_event *event, helper_done_fn done, void *context, struct helper_client **ret)
{
	struct helper_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->event = sd_event_ref(event);
	client->done = done;
	client->context = context;
	client->address = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = HELPER_SOCKET};
	client->end = &client->first;
	for (size_t i = 0; i < UNDER_WAY_MAX; i++)
		client->asked[i] = (struct asked){.client = client, .fd = -1};
	*ret = client;
	return 0;
}

int helper_client_set_socket(struct helper_client *client, const char *path)
{
	size_t length = strlen(path);

	if (length >= sizeof(client->address.sun_path))
		return -ENAMETOOLONG;
	memcpy(client->address.sun_path, path, length + 1);
	return 0;
}

static void forget(struct asked *asked)
{
	asked->io = sd_event_source_disable_unref(asked->io);
	asked->timer = sd_event_source_disable_unref(asked->timer);
	if (asked->fd >= 0)
		close(TAKE_FD(asked->fd));
}

static struct waiting *take_first(struct helper_client *client)
{
	struct waiting *first = client->first;

	client->first = first->next;
	if (!client->first)
		client->end = &client->first;
	client->waiting--;
	return first;
}

void helper_client_destroy(struct helper_client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < UNDER_WAY_MAX; i++)
		forget(&client->asked[i]);
	while (client->first)
		free(take_first(client));
	sd_event_source_disable_unref(client->pump);
	sd_event_unref(client->event);
	free(client);
}

static int on_pump(sd_event_source *source, uint64_t usec, void *userdata);

static int pump_in(struct helper_client *client, uint64_t delay_usec)
{
	int r;

	if (!client->pump)
		return sd_event_add_time_relative(client->event, &client->pump, CLOCK_BOOTTIME, delay_usec, 1, on_pump,
						  client);
	r = sd_event_source_set_time_relative(client->pump, delay_usec);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(client->pump, SD_EVENT_ONESHOT);
}

static void finish(struct asked *asked, int result)
{
	uint64_t tag = asked->tag;
	struct helper_client *client = asked->client;

	forget(asked);
	/* By the loop: whoever is told here may ask for more, and comes behind those who wait. */
	if (client->first)
		(void)pump_in(client, 0);
	client->done(client->context, tag, result);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct helper_answer answer;
	ssize_t got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		finish(userdata, -ECONNRESET);
	else
		finish(userdata, got == sizeof(answer) && answer.result <= 0 ? answer.result : -EPROTO);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	finish(userdata, -ETIMEDOUT);
	return 0;
}

/* -EAGAIN: the helper takes no more connections just now. */
static int ask(struct asked *asked, const struct helper_request *request, uint64_t tag)
{
	struct helper_client *client = asked->client;
	int result = 0;

	asked->tag = tag;
	asked->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (asked->fd < 0)
		return -errno;
	if (connect(asked->fd, (const struct sockaddr *)&client->address, sizeof(client->address)) < 0)
		result = -errno;
	else if (send(asked->fd, request, sizeof(*request), MSG_NOSIGNAL) < 0)
		result = errno == EAGAIN ? -EIO : -errno;
	if (result >= 0)
		result = sd_event_add_io(client->event, &asked->io, asked->fd, EPOLLIN, on_answer, asked);
	if (result >= 0)
		result = sd_event_add_time_relative(client->event, &asked->timer, CLOCK_BOOTTIME, ANSWER_USEC,
						    USEC_PER_SEC, on_timeout, asked);
	if (result < 0)
		forget(asked);
	return result;
}

static struct asked *free_place(struct helper_client *client)
{
	for (size_t i = 0; i < UNDER_WAY_MAX; i++)
		if (client->asked[i].fd < 0)
			return &client->asked[i];
	return NULL;
}

static int on_pump(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct helper_client *client = userdata;
	struct asked *place;

	while (client->first && (place = free_place(client))) {
		struct waiting *next = client->first;
		int result = ask(place, &next->request, next->tag);
		uint64_t tag = next->tag;

		if (result == -EAGAIN)
			return pump_in(client, AGAIN_USEC);
		free(take_first(client));
		if (result < 0)
			client->done(client->context, tag, result);
	}
	return 0;
}

static int keep(struct helper_client *client, const struct helper_request *request, uint64_t tag)
{
	struct waiting *new;

	if (client->waiting >= HELPER_QUEUE_MAX)
		return -ENOBUFS;
	new = malloc(sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct waiting){.tag = tag, .request = *request};
	*client->end = new;
	client->end = &new->next;
	client->waiting++;
	return 0;
}

int helper_client_call(struct helper_client *client, const struct helper_request *request, uint64_t tag)
{
	struct helper_request sent = *request;
	struct asked *place = client->first ? NULL : free_place(client);
	int result;

	sent.magic = HELPER_MAGIC;
	if (place) {
		result = ask(place, &sent, tag);
		if (result != -EAGAIN)
			return result;
		result = pump_in(client, AGAIN_USEC);
		if (result < 0)
			return result;
	}
	return keep(client, &sent, tag);
}
