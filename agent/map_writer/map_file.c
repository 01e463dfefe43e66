/* SPDX-License-Identifier: MIT */
#include "map_writer/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tenant/nss_map.h"

#define MAP_MODE 0644 /* everybody reads, only we write */

/* Name of the file beside the published one, in the same directory. */
static int beside(const char *path, char out[PATH_MAX])
{
	const char *name = strrchr(path, '/');
	int n;

	name = name ? name + 1 : path;
	n = snprintf(out, PATH_MAX, "%.*s.%s.new", (int)(name - path), path, name);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void unmap(struct map_file *file)
{
	if (file->base)
		munmap(file->base, file->size);
	file->base = NULL;
}

void map_file_finish(struct map_file *file)
{
	unmap(file);
	if (file->fd >= 0)
		close(file->fd);
	*file = (struct map_file)MAP_FILE_INIT;
}

void map_file_discard(const char *path, struct map_file *file)
{
	char fresh[PATH_MAX];

	if (beside(path, fresh) == 0)
		unlink(fresh);
	map_file_finish(file);
}

static int open_new(const char *path, struct map_file *ret)
{
	char fresh[PATH_MAX];
	int r, fd;

	r = beside(path, fresh);
	if (r < 0)
		return r;
	unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MAP_MODE);
	if (fd < 0)
		return -errno;
	*ret = (struct map_file){.fd = fd};
	if (fchmod(fd, MAP_MODE) < 0) /* whatever the umask is */
		return -errno;
	return 0;
}

static int map_whole(struct map_file *file, size_t size, int flags)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, file->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	file->base = base;
	file->size = size;
	return 0;
}

int map_file_create(const char *path, uint64_t size, struct map_file *ret)
{
	struct map_file file = MAP_FILE_INIT;
	int r;

	r = open_new(path, &file);
	if (r == 0)
		r = -posix_fallocate(file.fd, 0, (off_t)size);
	if (r == 0)
		r = map_whole(&file, size, MAP_POPULATE); /* all of it is written */
	if (r < 0) {
		map_file_discard(path, &file);
		return r;
	}
	*ret = file;
	return 0;
}

/* Within the kernel: the old pages are not mapped here, and a full disk is an error and no signal. */
static int copy_whole(int from, size_t size, int to)
{
	off_t done = 0;

	while ((size_t)done < size) {
		ssize_t n = sendfile(to, from, &done, size - (size_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
	}
	return 0;
}

int map_file_copy(const char *path, const struct map_file *old, struct map_file *ret)
{
	struct map_file file = MAP_FILE_INIT;
	struct stat st;
	int r;

	if (fstat(old->fd, &st) < 0)
		return -errno;
	r = open_new(path, &file);
	if (r == 0)
		r = copy_whole(old->fd, (size_t)st.st_size, file.fd);
	if (r == 0)
		r = map_whole(&file, (size_t)st.st_size, 0);
	if (r < 0) {
		map_file_discard(path, &file);
		return r;
	}
	*ret = file;
	return 0;
}

/* Sets one field of the live header through a mapping, so that readers see all of it or nothing. */
static int set_live(int fd, bool superseded, const int64_t *not_after)
{
	struct nss_map_header *header;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < NSS_MAP_BLOCK)
		return -EINVAL;
	header = mmap(NULL, NSS_MAP_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return -errno;
	if (header->magic == NSS_MAP_MAGIC) {
		if (not_after)
			__atomic_store_n(&header->not_after, *not_after, __ATOMIC_RELEASE);
		if (superseded)
			__atomic_store_n(&header->superseded, 1, __ATOMIC_RELEASE);
	}
	munmap(header, NSS_MAP_BLOCK);
	return 0;
}

int map_file_extend(const struct map_file *file, int64_t not_after)
{
	return set_live(file->fd, false, &not_after);
}

/* Marks the file and takes its name away. */
static void retire(const char *path)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0) {
		(void)set_live(fd, true, NULL); /* what is no map has no readers */
		close(fd);
	}
	unlink(path);
}

void map_file_recover(const char *path)
{
	char fresh[PATH_MAX];

	if (beside(path, fresh) == 0)
		retire(fresh);
}

/* Without the exchange: readers would keep the old file if we were killed between the two steps. */
static int replace(const char *path, const char *fresh)
{
	_cleanup_(closep) int old = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (rename(fresh, path) < 0)
		return -errno;
	if (old >= 0)
		(void)set_live(old, true, NULL);
	return 0;
}

int map_file_publish(const char *path, struct map_file *file)
{
	char fresh[PATH_MAX];
	int r;

	unmap(file);
	r = beside(path, fresh);
	if (r < 0)
		return r;
	if (fsync(file->fd) < 0)
		return -errno;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
		retire(fresh);
		return 0;
	}
	if (errno == ENOENT) /* the first one */
		return rename(fresh, path) < 0 ? -errno : 0;
	if (errno == EINVAL || errno == ENOSYS) /* a file system that cannot exchange */
		return replace(path, fresh);
	return -errno;
}
