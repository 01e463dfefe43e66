/* SPDX-License-Identifier: MIT
 *
 * Sends to journald by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of
 * "NAME=value" lines. sd_journal_sendv does the same on a blocking socket without a timeout, so a hung
 * journald would hang whoever waits for the agent; this sender gives up soon, and at once while it is hung.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "audit/internal.h"
#include "base/macros.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define WAIT_USEC 50000
#define SEND_BUFFER (1024 * 1024)

struct journal {
	int fd;
	bool hung; /* the last one timed out: do not wait for the next */
};

int journal_open(struct journal **ret)
{
	struct timeval wait = {.tv_usec = WAIT_USEC};
	int size = SEND_BUFFER;
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal->fd < 0) {
		free(journal);
		return -errno;
	}
	/* Best effort, both: the default buffer holds our largest event, and MSG_DONTWAIT is there besides. */
	(void)setsockopt(journal->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(journal->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	*ret = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	close(journal->fd);
	free(journal);
}

int journal_send(struct journal *journal, const char *fields, size_t length)
{
	/* Not connected: a journald that was restarted is found again by its path. */
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
	int flags = MSG_NOSIGNAL | (journal->hung ? MSG_DONTWAIT : 0);
	ssize_t sent;

	do
		sent = sendto(journal->fd, fields, length, flags, (const struct sockaddr *)&address, sizeof(address));
	while (sent < 0 && errno == EINTR);
	journal->hung = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	return sent < 0 ? -errno : 0;
}
