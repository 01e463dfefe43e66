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

/* Counted as in proc(5). */
enum { FIELD_PARENT = 4, FIELD_SESSION = 6, FIELD_TERMINAL = 7, FIELD_START = 22 };

/* The number at `*at`, which is moved to the next field. */
static int next_number(char **at, long long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(*at, &end, 10);
	if (errno || end == *at || (*end != ' ' && *end != '\n'))
		return -EPROTO;
	*at = end + 1;
	return 0;
}

int process_stat(pid_t pid, struct process_stat *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[32], line[STAT_MAX], *at;
	long long fields[FIELD_START + 1] = {0};
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
	if (!*at || at[1] != ' ')
		return -EPROTO;
	at += 2;
	for (int field = FIELD_PARENT; field <= FIELD_START; field++) {
		/* Some of those between are larger than a signed number holds; nobody wants them. */
		if (field > FIELD_TERMINAL && field < FIELD_START) {
			at = strchr(at, ' ');
			if (!at)
				return -EPROTO;
			at++;
		} else if (next_number(&at, &fields[field]) < 0) {
			return -EPROTO;
		}
	}
	if (fields[FIELD_START] <= 0 || fields[FIELD_PARENT] < 0 || fields[FIELD_SESSION] < 0)
		return -EPROTO;
	*ret = (struct process_stat){
		.parent = (pid_t)fields[FIELD_PARENT],
		.session = (pid_t)fields[FIELD_SESSION],
		.terminal = (uint32_t)fields[FIELD_TERMINAL],
		.start = (uint64_t)fields[FIELD_START],
	};
	return 0;
}

int process_start(pid_t pid, uint64_t *ret)
{
	struct process_stat stat;
	int r = process_stat(pid, &stat);

	if (r < 0)
		return r;
	*ret = stat.start;
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
