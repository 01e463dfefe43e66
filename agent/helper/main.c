/* SPDX-License-Identifier: MIT
 *
 * tenantd-helper: the one thing that tenantd's agent cannot do as its own user, done as root: tell people that their
 * session ends, and end it. Started by its socket, gone when nothing was asked for a while. Takes packets from the user
 * tenantd alone.
 *
 * It is small on purpose: the C library and nothing else is loaded, no configuration is read, nothing is kept in mind
 * between two requests, and what reaches a person's processes outside of their own control groups is done with that
 * person's rights (as_user.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounts.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/parse.h"
#include "helper/as_user.h"
#include "helper/check.h"
#include "helper/refusal.h"
#include "helper/worker.h"

#define AGENT_ACCOUNT "tenantd"
#define LISTENER 3 /* systemd hands descriptors over from here on */
#define IDLE_MSEC 30000
#define PACKET_SECONDS 1
#define WORKER_SECONDS 30 /* a worker that hangs is ended, and the agent asks again */

static pid_t workers[AS_USER_SLOTS]; /* 0: the slot is free */

static void reap(void)
{
	pid_t ended;

	while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
		for (unsigned i = 0; i < AS_USER_SLOTS; i++)
			if (workers[i] == ended)
				workers[i] = 0;
}

static int free_slot(void)
{
	for (unsigned i = 0; i < AS_USER_SLOTS; i++)
		if (workers[i] == 0)
			return (int)i;
	return -1;
}

static bool is_idle(void)
{
	for (unsigned i = 0; i < AS_USER_SLOTS; i++)
		if (workers[i])
			return false;
	return true;
}

/* Who it is, and what is wanted. 0, or what the answer is. */
static int receive(int fd, struct job *job)
{
	struct timeval limit = {.tv_sec = PACKET_SECONDS};
	socklen_t length = sizeof(job->peer);
	const char *why = NULL;
	uint32_t agent;
	ssize_t got;
	int result;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &job->peer, &length) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	result = account_uid("/etc/passwd", AGENT_ACCOUNT, &agent);
	if (result < 0)
		return result;
	if (job->peer.uid != agent || agent == 0) {
		refusal_log(&job->peer, NULL, "not-the-agent");
		/* Unread, it would take our answer with it. */
		(void)recv(fd, &job->request, sizeof(job->request), MSG_DONTWAIT);
		return -EPERM;
	}
	got = recv(fd, &job->request, sizeof(job->request), MSG_TRUNC);
	if (got < 0)
		return -errno;
	if (got == 0) /* it went again */
		return -ECONNRESET;
	if (got != sizeof(job->request)) {
		refusal_log(&job->peer, NULL, "malformed");
		return -EINVAL;
	}
	result = request_check(&job->request, &why);
	if (result == 0) {
		/* An account of the host's own is never ended, wherever its uid lies. */
		result = account_has_uid("/etc/passwd", job->request.uid);
		if (result > 0) {
			result = -EPERM;
			why = "local-account";
		}
	}
	if (why)
		refusal_log(&job->peer, &job->request, why);
	return result;
}

/* What has come until now, so that a worker takes many at once when many are asked. */
static size_t gather(struct job *jobs)
{
	size_t count = 0;
	int fd;

	while (count < BATCH_MAX && (fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct helper_answer answer = {.result = receive(fd, &jobs[count])};

		if (answer.result == 0) {
			jobs[count++].fd = fd;
			continue;
		}
		(void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	return count;
}

static void serve(unsigned slot)
{
	static struct job jobs[BATCH_MAX];
	size_t count = gather(jobs);
	pid_t pid;

	if (count == 0)
		return;
	pid = fork();
	if (pid == 0) {
		close(LISTENER);
		signal(SIGCHLD, SIG_DFL);
		alarm(WORKER_SECONDS);
		worker_run(jobs, count, slot);
		_exit(0);
	}
	if (pid > 0)
		workers[slot] = pid;
	for (size_t i = 0; i < count; i++) {
		const struct helper_answer answer = {.result = -EAGAIN};

		if (pid < 0)
			(void)!send(jobs[i].fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(jobs[i].fd);
	}
}

/* The socket that systemd listens on for us, and only that one. */
static bool take_listener(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint32_t number;
	int kind = 0, listens = 0;
	socklen_t length = sizeof(int);

	if (!pid || !count || parse_u32(pid, &number) < 0 || (pid_t)number != getpid() || strcmp(count, "1") != 0)
		return false;
	return getsockopt(LISTENER, SOL_SOCKET, SO_TYPE, &kind, &length) == 0 && kind == SOCK_SEQPACKET &&
	       getsockopt(LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens &&
	       fcntl(LISTENER, F_SETFD, FD_CLOEXEC) == 0 && fcntl(LISTENER, F_SETFL, O_NONBLOCK) == 0;
}

static void on_child(_unused_ int number)
{
	/* poll() returns, and the loop reaps. */
}

int main(int argc, _unused_ char **argv)
{
	struct pollfd wait = {.fd = LISTENER, .events = POLLIN};
	sigset_t child, before;

	if (argc > 1) {
		printf("tenantd-helper %s\n\nEnds sessions for tenantd, as root. systemd starts it when " HELPER_SOCKET
		       " is used.\n",
		       TENANTD_VERSION);
		return 0;
	}
	log_init("tenantd-helper", LOG_INFO);
	if (!take_listener()) {
		log_error("one listening socket is expected from systemd (tenantd-helper.socket)");
		return 1;
	}
	(void)prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child}, NULL);
	/* Let in by ppoll alone: a worker that ends just before it would be seen late otherwise. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	for (;;) {
		const struct timespec idle = {.tv_sec = IDLE_MSEC / 1000};
		int slot, ready;

		reap();
		slot = free_slot();
		/* All are busy: those who ask wait in the socket's queue. */
		ready = ppoll(&wait, slot < 0 ? 0 : 1, &idle, &before);
		if (ready > 0)
			serve((unsigned)slot);
		else if (ready == 0 && is_idle())
			return 0;
		else if (ready < 0 && errno != EINTR)
			return 1;
	}
}
