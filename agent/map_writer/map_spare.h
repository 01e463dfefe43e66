/* SPDX-License-Identifier: MIT
 *
 * The next map's copy of the published one, made ahead of time by a thread, so that a small change is published at the
 * cost of the change. It lies under the name that map_file.h gives to files on their way, and is swept up like those.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "map_writer/map_file.h"

struct map_spare {
	pthread_t thread;
	bool running;
	const char *path;
	struct map_file from; /* borrowed: stays open until the spare is taken or dropped */
	struct map_file old;  /* to be closed: the last reference frees the whole file */
	struct map_file copy;
};

void map_spare_init(struct map_spare *spare);
/* Begins to copy `published`, and closes `old`, which becomes ours. Small files are not worth it. */
void map_spare_start(struct map_spare *spare, const char *path, const struct map_file *published, struct map_file *old);
/* Waits. 0 and the copy; -ENOENT: there is none. */
int map_spare_take(struct map_spare *spare, struct map_file *ret);
void map_spare_drop(struct map_spare *spare);
