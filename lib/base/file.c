/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define TEMPORARY_TRIES 16
#define LOCK_POLL_NSEC (20L * 1000 * 1000)
#define READ_AT_ONCE ((size_t)64 * 1024)

static bool is_trusted(const struct stat *st, uid_t owner)
{
	return (st->st_uid == 0 || st->st_uid == owner) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int read_all(int fd, size_t limit, size_t expected, struct buffer *ret)
{
	size_t start = ret->length;

	/* One byte more than expected: the read that finds the end needs no second growth. */
	size_t step = MIN_OF(expected, limit) + 1;

	for (;;) {
		size_t have = ret->length - start;
		char *room;
		ssize_t n;

		if (have > limit)
			return -EFBIG;
		step = MIN_OF(step, limit - have + 1);
		room = buffer_reserve(ret, step);
		if (!room)
			return ret->limit > 0 ? -EFBIG : -ENOMEM;
		n = read(fd, room, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		ret->length += (size_t)n;
		step = (size_t)n < step ? step - (size_t)n : READ_AT_ONCE;
	}
}

int file_read(int dirfd, const char *path, size_t limit, enum file_trust trust, uid_t owner, struct buffer *ret,
	      struct stat *ret_stat)
{
	/* Not blocking: a FIFO in the file's place must not hang us before fstat tells what it is. */
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	_cleanup_(closep) int fd = -1;
	size_t start = ret->length;
	bool was_failed = ret->failed;
	struct stat st;
	int r;

	if (trust == FILE_TRUST_OWNER)
		flags |= O_NOFOLLOW;
	fd = openat(dirfd, path, flags);
	if (fd < 0)
		return -errno;
	/* Judged by the descriptor that is read, so nobody can swap the file in between. */
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (trust == FILE_TRUST_OWNER && !is_trusted(&st, owner))
		return -EPERM;
	if (st.st_size > 0 && (uintmax_t)st.st_size > limit)
		return -EFBIG;
	r = read_all(fd, limit, st.st_size > 0 ? (size_t)st.st_size : 0, ret);
	if (r < 0) {
		if (ret->wipe && ret->length > start)
			secret_wipe(ret->data + start, ret->length - start);
		ret->length = start;
		ret->failed = was_failed;
		return r;
	}
	if (ret_stat)
		*ret_stat = st;
	return 0;
}

int fd_write_all(int fd, const void *data, size_t length)
{
	const char *p = data;

	while (length > 0) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* a regular file or pipe never does this; do not spin if one does */
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Splits into the folder's descriptor and the last component. */
static int open_parent(int dirfd, const char *path, int *ret_fd, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[4096];
	int fd;

	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (!slash) {
		strcpy(folder, ".");
	} else {
		size_t length = slash == path ? 1 : (size_t)(slash - path);

		if (length >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, length);
		folder[length] = '\0';
	}
	fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	*ret_name = name;
	return 0;
}

/* Hidden and without the suffix of the file, so readers of `*.yaml` folders never pick it up. */
static int create_temporary(int folder, const char *name, char *out, size_t size, int *ret_fd)
{
	for (int i = 0; i < TEMPORARY_TRIES; i++) {
		uint64_t number;
		int r, fd;

		r = random_bytes(&number, sizeof(number));
		if (r < 0)
			return r;
		(void)snprintf(out, size, ".%.200s.%016llx", name, (unsigned long long)number);
		fd = openat(folder, out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int fill_temporary(int fd, const void *data, size_t length, mode_t mode, const struct stat *like)
{
	struct stat st;
	int r;

	r = fd_write_all(fd, data, length);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Owner first: chown drops the set-id bits. Only when different, so that an owner without
	 * privileges can rewrite a file of its own. */
	if (like && (st.st_uid != like->st_uid || st.st_gid != like->st_gid) &&
	    fchown(fd, like->st_uid, like->st_gid) < 0)
		return -errno;
	if (fchmod(fd, (like ? like->st_mode : mode) & 07777) < 0)
		return -errno;
	if (fsync(fd) < 0)
		return -errno;
	return 0;
}

int file_replace(int dirfd, const char *path, const void *data, size_t length, mode_t mode, const struct stat *like)
{
	_cleanup_(closep) int folder = -1, fd = -1;
	char temporary[256];
	const char *name;
	int r;

	r = open_parent(dirfd, path, &folder, &name);
	if (r < 0)
		return r;
	r = create_temporary(folder, name, temporary, sizeof(temporary), &fd);
	if (r < 0)
		return r;
	r = fill_temporary(fd, data, length, mode, like);
	/* close tells of write errors on network file systems. */
	if (close(TAKE_FD(fd)) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	if (r == 0 && renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(folder, temporary, 0);
		return r;
	}
	if (fsync(folder) < 0)
		return -errno;
	return 0;
}

int file_lock(const char *path, unsigned seconds)
{
	uint64_t deadline = clock_boottime_usec() + seconds * USEC_PER_SEC;
	const struct timespec pause = {.tv_nsec = LOCK_POLL_NSEC};

	for (;;) {
		_cleanup_(closep) int fd = -1;
		struct stat held, named;

		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
		if (fd < 0)
			return -errno;
		if (fstat(fd, &held) < 0)
			return -errno;
		if (!S_ISREG(held.st_mode))
			return -EINVAL;
		while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK && errno != EINTR)
				return -errno;
			if (clock_boottime_usec() >= deadline)
				return -EWOULDBLOCK;
			(void)nanosleep(&pause, NULL);
		}
		/* A lock on a file that was removed meanwhile keeps nobody out. */
		if (lstat(path, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino)
			return TAKE_FD(fd);
		if (clock_boottime_usec() >= deadline)
			return -EWOULDBLOCK;
	}
}
