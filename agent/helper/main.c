/* SPDX-License-Identifier: MIT
 *
 * tenantd-helper: the one thing that tenantd's agent cannot do as its own user, done as root: end a session.
 * Started by its socket, gone when nothing was asked for a while. Takes packets from the user tenantd alone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "accounts.h"
#include "base/log.h"
#include "helper/end_session.h"

#define AGENT_ACCOUNT "tenantd"
#define IDLE_MSEC 30000
#define PACKET_SECONDS 2
#define WORKERS_MAX 64U

static unsigned workers;

static void reap(void)
{
	while (workers > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		workers--;
}

/* Each session is ended by a process of its own: one takes seconds, and the next must not wait. */
static int start_worker(const struct helper_request *request)
{
	pid_t pid;
	int result;

	if (workers >= WORKERS_MAX)
		return -EBUSY;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		workers++;
		return 0;
	}
	result = end_session_run(request);
	if (result < 0)
		log_error("the session of process %d (uid %u) was not ended: %s", request->leader, request->uid,
			  strerror(-result));
	else
		log_notice("ended the session of process %d (uid %u)", request->leader, request->uid);
	_exit(result < 0);
}

static int handle(int fd)
{
	struct timeval limit = {.tv_sec = PACKET_SECONDS};
	struct helper_request request;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	uint32_t agent;
	ssize_t got;
	int result;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	result = account_uid("/etc/passwd", AGENT_ACCOUNT, &agent);
	if (result < 0)
		return result;
	if (peer.uid != agent || agent == 0) {
		log_warning("uid %u may not ask for anything", peer.uid);
		return -EPERM;
	}
	got = recv(fd, &request, sizeof(request), MSG_TRUNC);
	if (got < 0)
		return -errno;
	if (got != sizeof(request))
		return -EINVAL;
	result = end_session_check(&request);
	if (result < 0)
		return result;
	return start_worker(&request);
}

static void serve(int listener)
{
	struct helper_answer answer;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	answer.result = handle(fd);
	(void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

int main(int argc, char **argv)
{
	struct pollfd wait = {.fd = SD_LISTEN_FDS_START, .events = POLLIN};

	if (argc > 1) {
		printf("tenantd-helper %s\n\nEnds sessions for tenantd, as root. systemd starts it when " HELPER_SOCKET
		       " is used.\n",
		       TENANTD_VERSION);
		return 0;
	}
	log_init("tenantd-helper", LOG_INFO);
	if (sd_listen_fds(1) != 1 || sd_is_socket_unix(wait.fd, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		log_error("one listening socket is expected from systemd (tenantd-helper.socket)");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int ready = poll(&wait, 1, IDLE_MSEC);

		reap();
		if (ready > 0)
			serve(wait.fd);
		else if (ready == 0 && workers == 0)
			return 0;
		else if (ready < 0 && errno != EINTR)
			return 1;
	}
}
