/* SPDX-License-Identifier: MIT */
#include "session/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/macros.h"

#define ALONE "/sys/fs/cgroup"
#define BESIDE_THE_FIRST "/sys/fs/cgroup/unified"
#define CGROUP_MAX 4096

bool scope_name_is_valid(const char *name)
{
	size_t length = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return length > 0 && length < SESSION_SCOPE_SIZE && !name[length];
}

static const char *root(void)
{
	static const char *found; /* mounts of a running host stay */
	struct statfs fs;

	if (!found)
		found = statfs(ALONE, &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC ? BESIDE_THE_FIRST : ALONE;
	return found;
}

void scope_slice_path(uint32_t uid, char out[SCOPE_PATH_SIZE])
{
	(void)snprintf(out, SCOPE_PATH_SIZE, "%s/user.slice/user-%u.slice", root(), uid);
}

void scope_path(uint32_t uid, const char *name, const char *file, char out[SCOPE_PATH_SIZE])
{
	(void)snprintf(out, SCOPE_PATH_SIZE, "%s/user.slice/user-%u.slice/session-%s.scope%s%s", root(), uid, name,
		       *file ? "/" : "", file);
}

/* What fits of a small file of the kernel's, with a NUL. */
static int read_start(int dirfd, const char *path, char *out, size_t size)
{
	_cleanup_(closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);

	if (got < 0)
		return -errno;
	out[got] = '\0';
	return 0;
}

int scope_of_process(pid_t pid, uint32_t uid, char ret[SESSION_SCOPE_SIZE])
{
	char path[64], text[CGROUP_MAX], *line;
	size_t length;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = read_start(AT_FDCWD, path, text, sizeof(text));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return -ENOENT;
	line += *line == '\n' ? 4 : 3;
	length = (size_t)snprintf(path, sizeof(path), "/user.slice/user-%u.slice/session-", uid);
	if (strncmp(line, path, length) != 0)
		return -ENOENT;
	line += length;
	length = strcspn(line, ".");
	/* What follows is the end or something below; anything else (" (deleted)") is no scope that there is. */
	if (length >= SESSION_SCOPE_SIZE || strncmp(line + length, ".scope", 6) != 0 || !line[length + 6] ||
	    !strchr("/\n", line[length + 6]))
		return -ENOENT;
	line[length] = '\0';
	if (!scope_name_is_valid(line))
		return -ENOENT;
	memcpy(ret, line, length + 1);
	return 0;
}

/* The folder, if it is that very one. */
static int open_scope(uint32_t uid, const char *name, uint64_t inode)
{
	_cleanup_(closep) int fd = -1;
	char path[SCOPE_PATH_SIZE];
	struct stat st;

	scope_path(uid, name, "", path);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_ino == inode ? TAKE_FD(fd) : -ENOENT;
}

int scope_identify(uint32_t uid, const char *name, uint64_t *ret_inode)
{
	char path[SCOPE_PATH_SIZE];
	struct stat st;

	scope_path(uid, name, "", path);
	if (stat(path, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	return 0;
}

/* Of a cgroup that is being removed the kernel says the one or the other. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV;
}

static int read_populated(int folder)
{
	char text[256];
	int r = read_start(folder, "cgroup.events", text, sizeof(text));

	if (r < 0)
		return r;
	return strncmp(text, "populated 1", 11) == 0 || strstr(text, "\npopulated 1");
}

int scope_is_populated(uint32_t uid, const char *name, uint64_t inode)
{
	_cleanup_(closep) int folder = open_scope(uid, name, inode);
	int r = folder < 0 ? folder : read_populated(folder);

	return is_gone(r) ? 0 : r;
}

int scope_has_others(uint32_t uid, const char *name, uint64_t inode, pid_t but)
{
	_cleanup_(closep) int folder = open_scope(uid, name, inode);
	char text[CGROUP_MAX], only[16];
	int r = folder < 0 ? folder : read_populated(folder);

	if (r <= 0)
		return is_gone(r) ? 0 : r;
	r = read_start(folder, "cgroup.procs", text, sizeof(text));
	if (r < 0)
		return is_gone(r) ? 0 : r;
	(void)snprintf(only, sizeof(only), "%d\n", (int)but);
	if (strcmp(text, only) != 0)
		return 1; /* others; or none but below it, where `but` is not alone for all that is known */
	r = read_start(folder, "cgroup.stat", text, sizeof(text));
	if (r < 0)
		return is_gone(r) ? 0 : r;
	return strncmp(text, "nr_descendants 0\n", 17) != 0;
}
