/* SPDX-License-Identifier: MIT
 *
 * The owner of /proc/PID is the process's effective uid, also where it may not be looked into. What has become root's
 * by sudo is not found so; it is in the scope of a session, and ends with that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "reaper/internal.h"

#define SLICE 256U /* processes */
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
		if (*recent == st.st_uid)
			continue;
		*recent = st.st_uid;
		found(context, st.st_uid);
	}
	return true;
}
