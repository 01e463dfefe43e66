/* SPDX-License-Identifier: MIT */
#include "helper/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "helper/check.h"

#define DEPTH_MAX 16U
#define TEXT_MAX (8U * 1024U * 1024U) /* half a million processes */

/* Where the second version is mounted: alone, or beside the first. */
static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

static int read_all(int folder, const char *name, struct buffer *ret)
{
	_cleanup_(closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char piece[8192];
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, piece, sizeof(piece))) > 0 && ret->length < TEXT_MAX)
		(void)buffer_add(ret, piece, (size_t)got);
	if (got < 0)
		return errno == ENODEV ? -ENOENT : -errno; /* the cgroup went while it was read */
	return buffer_text(ret) ? 0 : -ENOMEM;
}

struct cgroup_place cgroup_place_parse(const char *text, uint32_t uid)
{
	struct cgroup_place place = {.kind = CGROUP_ELSEWHERE};
	const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::"), *end, *at;
	char prefix[64], manager[64];
	size_t length;

	if (!line)
		return place;
	line += *line == '\n' ? 4 : 3;
	end = strchrnul(line, '\n');
	length = (size_t)snprintf(prefix, sizeof(prefix), "/user.slice/user-%u.slice", uid);
	if (strncmp(line, prefix, length) != 0 || (line[length] != '/' && line + length != end))
		return place;
	place.kind = CGROUP_OTHER;
	at = line + length;
	if (at == end)
		return place;
	at++;
	length = (size_t)snprintf(manager, sizeof(manager), "user@%u.service/init.scope", uid);
	if (strncmp(at, manager, length) == 0 && at + length == end) {
		place.kind = CGROUP_MANAGER;
	} else if (strncmp(at, "session-", 8) == 0) {
		length = strcspn(at + 8, ".\n");
		if (length > 0 && length < sizeof(place.scope) && strncmp(at + 8 + length, ".scope", 6) == 0 &&
		    (at[8 + length + 6] == '/' || at + 8 + length + 6 == end)) {
			memcpy(place.scope, at + 8, length);
			place.kind = CGROUP_SESSION;
		}
	}
	if (place.kind == CGROUP_SESSION && !request_is_scope(place.scope))
		place = (struct cgroup_place){.kind = CGROUP_OTHER};
	return place;
}

int cgroup_place_of(pid_t pid, uint32_t uid, struct cgroup_place *ret)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = read_all(AT_FDCWD, path, &text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	*ret = cgroup_place_parse(buffer_text(&text), uid);
	return 0;
}

static int open_root(void)
{
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		_cleanup_(closep) int fd = open(roots[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct statfs kind;

		if (fd >= 0 && fstatfs(fd, &kind) == 0 && kind.f_type == CGROUP2_SUPER_MAGIC)
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

/* Of the mount that the file is on; 0: the kernel does not say (before 5.8). */
static uint64_t mount_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return 0;
	return st.stx_mnt_id;
}

/* Step by step: openat2(2), which does this at once, is not there where RestrictSUIDSGID= holds. */
int cgroup_open_below(int folder, const char *name)
{
	_cleanup_(closep) int fd = -1;

	if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return -EXDEV;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Something else was mounted over it. */
	if (mount_of(fd) != mount_of(folder))
		return -EXDEV;
	return TAKE_FD(fd);
}

int cgroup_open(uint32_t uid, const char *scope)
{
	_cleanup_(closep) int root = open_root(), users = -1, slice = -1;
	char name[64];

	if (root < 0)
		return root;
	users = cgroup_open_below(root, "user.slice");
	if (users < 0)
		return users;
	snprintf(name, sizeof(name), "user-%u.slice", uid);
	slice = cgroup_open_below(users, name);
	if (slice < 0 || !scope)
		return TAKE_FD(slice);
	snprintf(name, sizeof(name), "session-%s.scope", scope);
	return cgroup_open_below(slice, name);
}

int cgroup_each_folder(int slice, cgroup_folder_fn call, void *context)
{
	int again = openat(slice, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;
	int result;

	if (!folder) {
		result = -errno;
		if (again >= 0)
			close(again);
		return result;
	}
	while ((entry = readdir(folder)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    !call(context, slice, entry->d_name))
			break;
	closedir(folder);
	return 0;
}

struct walk {
	cgroup_process_fn call;
	void *context;
	unsigned depth;
};

static int walk_processes(const struct walk *walk, int folder);

static bool walk_below(void *context, int parent, const char *name)
{
	const struct walk *walk = context;
	_cleanup_(closep) int fd = cgroup_open_below(parent, name);

	/* What is gone below it is no matter. */
	if (fd >= 0)
		(void)walk_processes(walk, fd);
	return true;
}

static int walk_processes(const struct walk *walk, int folder)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct walk below = *walk;
	int result = read_all(folder, "cgroup.procs", &text);

	/* Not supported: its processes are those of the threaded cgroup around it, and read there. */
	if (result < 0 && result != -EOPNOTSUPP)
		return result;
	for (const char *at = result < 0 ? NULL : buffer_text(&text); at && *at;) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 1) /* 0: one of a PID namespace that we do not see into */
			walk->call(walk->context, (pid_t)pid);
		at = end + (*end == '\n');
	}
	if (++below.depth <= DEPTH_MAX)
		(void)cgroup_each_folder(folder, walk_below, &below);
	return 0;
}

int cgroup_each_process(int folder, cgroup_process_fn call, void *context)
{
	return walk_processes(&(struct walk){.call = call, .context = context}, folder);
}

int cgroup_kill(int folder)
{
	_cleanup_(closep) int fd = openat(folder, "cgroup.kill", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (write(fd, "1", 1) != 1)
		return errno == ENODEV ? -ENOENT : -errno;
	return 0;
}

int cgroup_watch(int folder)
{
	int fd = openat(folder, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

bool cgroup_watch_is_populated(int watch)
{
	char text[256];
	ssize_t got = pread(watch, text, sizeof(text) - 1, 0);

	if (got < 0)
		return errno != ENODEV; /* it went */
	text[got] = '\0';
	return strstr(text, "populated 0\n") == NULL;
}

bool cgroup_is_populated(int folder)
{
	_cleanup_(closep) int watch = cgroup_watch(folder);

	return watch < 0 ? watch != -ENOENT && watch != -ENODEV : cgroup_watch_is_populated(watch);
}
