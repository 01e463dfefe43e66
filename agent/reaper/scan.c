/* SPDX-License-Identifier: MIT
 *
 * The owner of /proc/PID is the process's effective uid, also where it may not be looked into. What has become root's
 * by sudo is not found so; it is in the scope of a session, and ends with that.
 *
 * What runs in a container that root started is left out: its uids are that container's matter (it may be a host like
 * this one). One that a person made is theirs: whoever had made it may be gone, and it goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "reaper/internal.h"

#define SLICE 256U /* processes */
#define STATUS_MAX 4096U
#define ANCESTORS_MAX 128U
#define RECENT 64U /* uids that were told lately: most processes are of a few people */

struct scan {
	DIR *dir;
	uint32_t recent[RECENT];
};

int scan_begin(struct scan **ret)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int r;

	if (!scan)
		return -ENOMEM;
	scan->dir = opendir("/proc");
	if (!scan->dir) {
		r = -errno;
		free(scan);
		return r;
	}
	*ret = scan;
	return 0;
}

void scan_end(struct scan *scan)
{
	if (!scan)
		return;
	closedir(scan->dir);
	free(scan);
}

struct seen {
	uint32_t uid;
	pid_t parent;
	bool below;    /* in a process namespace below ours … */
	bool is_first; /* … as its first, which all that lose their parent there become children of */
};

/* 0; -ESRCH: it is gone. "NSpid:" has a number for each namespace that the process is in, from ours on. */
static int read_status(const struct scan *scan, pid_t pid, struct seen *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[32], text[STATUS_MAX], *end;
	const char *line;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%d/status", (int)pid);
	fd = openat(dirfd(scan->dir), path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return -ESRCH;
	text[length] = '\0';
	*ret = (struct seen){0};
	line = strstr(text, "\nPPid:\t");
	if (line)
		ret->parent = (pid_t)strtol(line + strlen("\nPPid:\t"), NULL, 10);
	line = strstr(text, "\nUid:\t");
	if (line)
		ret->uid = (uint32_t)strtoul(line + strlen("\nUid:\t"), NULL, 10);
	line = strstr(text, "\nNSpid:\t");
	if (!line)
		return 0; /* a kernel without namespaces */
	(void)strtol(line + strlen("\nNSpid:\t"), &end, 10);
	ret->below = *end == '\t';
	ret->is_first = ret->below && strtol(end, &end, 10) == 1;
	return 0;
}

/* In the host's own user namespace all numbers are those that they seem: whoever is in another process namespace there
 * was put in it by root. */
static bool has_own_ids(const struct scan *scan, pid_t pid)
{
	enum { INSIDE, OUTSIDE, COUNT, NUMBERS };
	_cleanup_(closep) int fd = -1;
	char path[32], text[128];
	unsigned long numbers[NUMBERS];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%d/uid_map", (int)pid);
	fd = openat(dirfd(scan->dir), path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return false;
	text[length] = '\0';
	if (!parse_numbers(text, numbers, NUMBERS))
		return true; /* nobody has filled it in */
	return numbers[INSIDE] != 0 || numbers[OUTSIDE] != 0 || numbers[COUNT] != UINT32_MAX;
}

/* Is it root's container? The first process of the outermost namespace tells: a person can make one, but only with user
 * ids of its own, and as themselves. */
static bool is_in_container(const struct scan *scan, pid_t pid, uint32_t uid)
{
	struct seen seen;

	for (unsigned i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (read_status(scan, pid, &seen) < 0)
			return true; /* it is gone */
		if (!seen.below)
			return false; /* somebody of the host's own went in */
		if (seen.is_first)
			return seen.uid != uid || !has_own_ids(scan, pid);
		pid = seen.parent;
	}
	return true;
}

bool scan_slice(struct scan *scan, scan_fn found, void *context)
{
	for (unsigned i = 0; i < SLICE;) {
		const struct dirent *entry = readdir(scan->dir);
		struct stat st;
		uint32_t *recent;

		if (!entry)
			return false;
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		i++;
		if (fstatat(dirfd(scan->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* it is gone */
		if (st.st_uid < MANAGED_ID_FIRST || st.st_uid > MANAGED_ID_TENANT_LAST)
			continue;
		recent = &scan->recent[st.st_uid % RECENT];
		if (*recent == st.st_uid || is_in_container(scan, (pid_t)strtol(entry->d_name, NULL, 10), st.st_uid))
			continue;
		*recent = st.st_uid;
		found(context, st.st_uid);
	}
	return true;
}
