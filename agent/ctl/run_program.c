/* SPDX-License-Identifier: MIT
 *
 * A program and what it prints, without a shell, with nothing of our environment, and not for longer than it may take.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/doctor.h"

#define OUTPUT_MAX 262144U

static int start(const char *path, const char *const *argv, int out, int err, pid_t *ret)
{
	static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret, path, &actions, NULL, (char *const *)(uintptr_t)argv,
				(char *const *)(uintptr_t)environment);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* False at its end. */
static bool take(int fd, struct buffer *ret)
{
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n > 0 && ret->length < OUTPUT_MAX)
		buffer_add(ret, piece, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static int collect(int out_fd, int err_fd, unsigned seconds, struct buffer *out, struct buffer *err)
{
	struct pollfd fds[] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
	uint64_t deadline = clock_boottime_usec() + seconds * USEC_PER_SEC;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now = clock_boottime_usec();
		int n = now >= deadline ? 0 : poll(fds, 2, (int)((deadline - now) / USEC_PER_MSEC) + 1);

		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[0].revents && !take(out_fd, out))
			fds[0].fd = -1;
		if (n > 0 && fds[1].revents && !take(err_fd, err))
			fds[1].fd = -1;
	}
	return 0;
}

int run_program(const char *path, const char *const *argv, unsigned seconds, struct buffer *out, struct buffer *err,
		int *ret_status)
{
	_cleanup_(closep) int out_read = -1, out_write = -1, err_read = -1, err_write = -1;
	int out_fds[2], err_fds[2], status = 0, r;
	pid_t pid;

	if (pipe2(out_fds, O_CLOEXEC) < 0)
		return -errno;
	out_read = out_fds[0];
	out_write = out_fds[1];
	if (pipe2(err_fds, O_CLOEXEC) < 0)
		return -errno;
	err_read = err_fds[0];
	err_write = err_fds[1];
	r = start(path, argv, out_write, err_write, &pid);
	if (r < 0)
		return r;
	close(TAKE_FD(out_write));
	close(TAKE_FD(err_write));
	r = collect(out_read, err_read, seconds, out, err);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && (!buffer_text(out) || !buffer_text(err)))
		r = -ENOMEM;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	return r;
}
