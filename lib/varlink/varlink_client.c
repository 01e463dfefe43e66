/* SPDX-License-Identifier: MIT
 *
 * The socket blocks, and its own timeouts (SO_RCVTIMEO, SO_SNDTIMEO) end the waiting: an exchange that goes
 * well costs two system calls, no poll. Those timeouts count from each call, so after everything that was
 * short of a whole message the time that is left is set anew; a peer that dribbles gains nothing.
 */
#include "varlink/varlink_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"

#define READ_AT_ONCE ((size_t)4096)
/* Longer waits than this are as good as endless, and would overflow. */
#define TIMEOUT_MAX_USEC (UINT64_C(86400) * 365 * USEC_PER_SEC)

struct varlink_client {
	int fd;
	bool broken;
	uint64_t receive_timeout; /* as the socket has them; 0: never set */
	uint64_t send_timeout;
	struct buffer outgoing;
	struct buffer received;
	size_t scanned;
};

static uint64_t deadline_in(uint64_t timeout_usec)
{
	return clock_boottime_usec() + MIN_OF(timeout_usec, TIMEOUT_MAX_USEC);
}

static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = clock_boottime_usec();

	return now < deadline ? deadline - now : 0;
}

/* `*current` is what the socket has already. 0 would mean "for ever" to the kernel. */
static int set_timeout(int fd, int option, uint64_t usec, uint64_t *current)
{
	struct timeval tv;

	usec = MIN_OF(usec, TIMEOUT_MAX_USEC);
	if (usec == 0)
		return -ETIMEDOUT;
	if (usec == *current)
		return 0;
	tv.tv_sec = (time_t)(usec / USEC_PER_SEC);
	tv.tv_usec = (suseconds_t)(usec % USEC_PER_SEC);
	if (setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) < 0)
		return -errno;
	*current = usec;
	return 0;
}

static int connect_within(struct varlink_client *client, const struct sockaddr_un *address, uint64_t deadline)
{
	for (;;) {
		/* A full backlog is what connecting to a local socket waits for: a send timeout ends that. */
		int r = set_timeout(client->fd, SO_SNDTIMEO, time_left(deadline), &client->send_timeout);

		if (r < 0)
			return r;
		if (connect(client->fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

int varlink_client_connect(const char *path, uint64_t timeout_usec, struct varlink_client **ret)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	int r;

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	/* Passwords and keys go out, tokens come in. */
	client->outgoing.wipe = true;
	client->received.wipe = true;
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	r = connect_within(client, &address, deadline_in(timeout_usec));
	if (r < 0)
		return r;
	*ret = TAKE_PTR(client);
	return 0;
}

void varlink_client_destroy(struct varlink_client *client)
{
	if (!client)
		return;
	closep(&client->fd);
	varlink_client_abandon(client);
}

void varlink_client_abandon(struct varlink_client *client)
{
	if (!client)
		return;
	buffer_finish(&client->outgoing);
	buffer_finish(&client->received);
	free(client);
}

int varlink_client_fd(const struct varlink_client *client)
{
	return client->fd;
}

struct buffer *varlink_client_outgoing(struct varlink_client *client)
{
	return &client->outgoing;
}

/* 1 when it had to wait. */
static int send_all(struct varlink_client *client, uint64_t deadline)
{
	const char *p = client->outgoing.data;
	size_t rest = client->outgoing.length;
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

	while (rest > 0) {
		ssize_t n = send(client->fd, p, rest, flags);

		if (n > 0) {
			p += n;
			rest -= (size_t)n;
		} else if (errno == EPIPE) {
			return -ECONNRESET;
		} else if (errno != EINTR && errno != EAGAIN) {
			return -errno;
		}
		if (rest > 0) {
			/* Does not fit into the socket at once, which is rare: wait from here on. */
			int r = set_timeout(client->fd, SO_SNDTIMEO, time_left(deadline), &client->send_timeout);

			if (r < 0)
				return r;
			flags = MSG_NOSIGNAL;
		}
	}
	return (flags & MSG_DONTWAIT) == 0;
}

/* Waits for one whole frame; *ret_length without its NUL. `timeout` is what is left of the time now. */
static int receive_frame(struct varlink_client *client, uint64_t timeout, uint64_t deadline, size_t *ret_length)
{
	for (;;) {
		char *room;
		ssize_t n;
		int r;

		r = varlink_frame_next(&client->received, &client->scanned, ret_length);
		if (r < 0)
			return -EBADMSG;
		if (r > 0)
			return 0;
		room = buffer_reserve(&client->received, READ_AT_ONCE);
		if (!room)
			return -ENOMEM;
		r = set_timeout(client->fd, SO_RCVTIMEO, timeout, &client->receive_timeout);
		if (r < 0)
			return r;
		n = recv(client->fd, room, READ_AT_ONCE, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			client->received.length += (size_t)n;
		timeout = time_left(deadline);
	}
}

static int receive_reply(struct varlink_client *client, uint64_t timeout, uint64_t deadline, struct varlink_reply *ret)
{
	size_t length;
	int r;

	r = receive_frame(client, timeout, deadline, &length);
	if (r < 0)
		return r;
	r = varlink_reply_read(client->received.data, length, ret, NULL);
	buffer_consume(&client->received, length + 1);
	client->scanned = 0;
	return r;
}

/* The stream's position is unknown after any failure. */
static int settle(struct varlink_client *client, int r)
{
	if (r < 0) {
		client->broken = true;
		buffer_clear(&client->received);
		client->scanned = 0;
	}
	buffer_clear(&client->outgoing);
	return r;
}

int varlink_client_exchange(struct varlink_client *client, uint64_t timeout_usec, struct varlink_reply *ret)
{
	uint64_t deadline;
	int r;

	if (client->broken)
		return -ENOTCONN;
	if (client->outgoing.length == 0 || client->outgoing.failed) {
		buffer_clear(&client->outgoing);
		return -EINVAL;
	}
	/* An answer to nothing would be taken for the answer to this call. */
	if (client->received.length > 0)
		return settle(client, -EBADMSG);
	deadline = deadline_in(timeout_usec);
	r = send_all(client, deadline);
	if (r >= 0)
		r = receive_reply(client, r > 0 ? time_left(deadline) : timeout_usec, deadline, ret);
	return settle(client, r);
}

int varlink_client_next(struct varlink_client *client, uint64_t timeout_usec, struct varlink_reply *ret)
{
	if (client->broken)
		return -ENOTCONN;
	return settle(client, receive_reply(client, timeout_usec, deadline_in(timeout_usec), ret));
}

bool varlink_client_has_frame(const struct varlink_client *client)
{
	size_t scanned = client->scanned, length;

	/* A frame that is too long will not get longer by waiting: it is there to be refused. */
	return varlink_frame_next(&client->received, &scanned, &length) != 0;
}
