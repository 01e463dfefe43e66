/* SPDX-License-Identifier: MIT
 *
 * The spool's directory: ours alone, for one agent at a time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "spool/internal.h"

void found_finish(struct found_list *list)
{
	free(list->items);
	*list = (struct found_list){0};
}

/* What is durable in it is durable when its own name is; who made it may not have come that far. */
static int keep_name(const struct spool *spool)
{
	_cleanup_(closep) int parent = openat(spool->dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return parent < 0 || fsync(parent) < 0 ? -errno : 0;
}

int directory_open(struct spool *spool, const char *path, struct problem *problem)
{
	struct stat st;
	int r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return problem_set(problem, errno, "%s cannot be made: %s", path, strerror(errno));
	spool->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (spool->dirfd < 0 || fstat(spool->dirfd, &st) < 0)
		return problem_set(problem, errno, "%s cannot be opened: %s", path, strerror(errno));
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		problem_remedy(problem, "chown and chmod 0700 it, or take it away");
		return problem_set(problem, EPERM, "%s belongs to others, or others can write to it", path);
	}
	if (flock(spool->dirfd, LOCK_EX | LOCK_NB) < 0)
		return problem_set(problem, errno == EWOULDBLOCK ? EBUSY : errno, "%s is in use by another agent",
				   path);
	r = keep_name(spool);
	return r < 0 ? problem_set(problem, -r, "%s cannot be kept: %s", path, strerror(-r)) : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static int by_place(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->parts.generation != y->parts.generation)
		return x->parts.generation < y->parts.generation ? -1 : 1;
	return compare(a, b);
}

static int add(struct found_list *list, const struct segment_name *parts, uint64_t size)
{
	struct found *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = (struct found){.parts = *parts, .size = size};
	segment_name_write(parts, items[list->count].name);
	list->count++;
	return 0;
}

/* What file_replace and mending leave behind when they are killed. */
static bool is_temporary(const char *name)
{
	return text_starts(name, "." SPOOL_KEY_NAME ".") || text_starts(name, "." SPOOL_CONSUMERS_NAME ".") ||
	       text_starts(name, SPOOL_TEMPORARY);
}

static int take(struct spool *spool, const char *name, struct found_list *list)
{
	struct segment_name parts;
	struct stat st;

	if (is_temporary(name)) {
		(void)unlinkat(spool->dirfd, name, 0);
		return 0;
	}
	if (fstatat(spool->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (strstr(name, SEGMENT_DAMAGED)) {
		(void)aside_add(spool, name, (uint64_t)st.st_size);
		return 0;
	}
	return segment_name_read(name, &parts) < 0 ? 0 : add(list, &parts, (uint64_t)st.st_size);
}

int directory_list(struct spool *spool, struct found_list *ret)
{
	int fd = openat(spool->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(directory);
		if (!entry) {
			r = -errno;
			break;
		}
		r = take(spool, entry->d_name, ret);
		if (r < 0)
			break;
	}
	(void)closedir(directory);
	if (r == 0 && ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_place);
	return r;
}
