/* SPDX-License-Identifier: MIT
 *
 * Processes by pid and start time.
 */
#include "session/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"

#define STAT_MAX 1024 /* the line is under 400 bytes: 52 numbers and a name of at most 64 */

int process_start(pid_t pid, uint64_t *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[32], line[STAT_MAX], *at, *end;
	unsigned long long start;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	got = read(fd, line, sizeof(line) - 1);
	if (got <= 0)
		return got < 0 ? -errno : -ESRCH;
	line[got] = '\0';
	/* The name, field 2, may hold anything, also ')' and spaces: what follows starts after the last one. */
	at = strrchr(line, ')');
	if (!at || at[1] != ' ')
		return -EPROTO;
	at += 2;
	if (*at == 'Z' || *at == 'X' || *at == 'x')
		return -ESRCH;
	for (int field = 3; field < 22; field++) {
		at = strchr(at, ' ');
		if (!at)
			return -EPROTO;
		at++;
	}
	errno = 0;
	start = strtoull(at, &end, 10);
	if (errno || end == at || *end != ' ' || start == 0)
		return -EPROTO;
	*ret = start;
	return 0;
}

int process_open(pid_t pid, uint64_t start)
{
	_cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t now;
	int r;

	if (fd < 0)
		return -errno;
	/* Looked at after the descriptor is held: had the process died before, the start would differ. */
	r = process_start(pid, &now);
	if (r < 0)
		return r;
	if (now != start)
		return -ESRCH;
	return TAKE_FD(fd);
}
