/* SPDX-License-Identifier: MIT
 *
 * The owner of /proc/PID is the process's effective uid, also where it may not be looked into. What has become root's
 * by sudo is not found so; it is in the scope of a session, and ends with that.
 *
 * What runs in a process namespace of its own is left out: the uids of a container that root started are that
 * container's matter (it may be a host like this one), and a person's own container has processes of theirs around it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reaper/internal.h"

#define SLICE 256U /* processes */
#define STATUS_MAX 4096U
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

/* "NSpid:" has a number for each namespace that the process is in, from ours on. */
static bool is_in_container(const struct scan *scan, const char *pid)
{
	_cleanup_(closep) int fd = -1;
	char path[32], text[STATUS_MAX];
	const char *line;
	ssize_t length;

	if ((size_t)snprintf(path, sizeof(path), "%s/status", pid) >= sizeof(path))
		return true;
	fd = openat(dirfd(scan->dir), path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return true; /* it is gone */
	text[length] = '\0';
	line = strstr(text, "\nNSpid:\t");
	if (!line)
		return false; /* a kernel without namespaces */
	line += strlen("\nNSpid:\t");
	return memchr(line, '\t', strcspn(line, "\n")) != NULL;
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
		if (*recent == st.st_uid || is_in_container(scan, entry->d_name))
			continue;
		*recent = st.st_uid;
		found(context, st.st_uid);
	}
	return true;
}
