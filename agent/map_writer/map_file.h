/* SPDX-License-Identifier: MIT
 *
 * Files on the way to being the published map.
 *
 * A new map is written beside the published one and takes its name by an exchange of the two, so that
 * at every instant one of the two names leads to the old file until it has been marked as superseded.
 * Whoever is killed in between leaves a file that map_file_recover marks at the next start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct map_file {
	int fd;
	void *base; /* NULL: not mapped */
	size_t size;
};
#define MAP_FILE_INIT    \
	{                \
		.fd = -1 \
	}
void map_file_finish(struct map_file *file);

/* An empty new file beside `path`, of this size with all of its room allocated, and mapped. -ENOSPC … */
int map_file_create(const char *path, uint64_t size, struct map_file *ret);
/* The same as a copy of a published file. */
int map_file_copy(const char *path, const struct map_file *old, struct map_file *ret);
/* Unmaps, syncs, and gives the file its name; the file that had it is marked. The descriptor stays. */
int map_file_publish(const char *path, struct map_file *file);
void map_file_discard(const char *path, struct map_file *file); /* after create or copy */
/* Marks and removes what an earlier process left unfinished. */
void map_file_recover(const char *path);
/* Sets a published file's not_after. */
int map_file_extend(const struct map_file *file, int64_t not_after);
