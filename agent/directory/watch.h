/* SPDX-License-Identifier: MIT
 *
 * Hears by inotify when the directory's files may have changed: the folder of directory.yaml and the
 * drop-in folder, which may come and go. Not thread-safe.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

struct watch;

/* Never fails for want of inotify: then fd is -1 and the owner has to look by himself now and then. */
int watch_new(const char *path, struct watch **ret);
void watch_free(struct watch *watch); /* takes NULL */
DEFINE_CLEANUP(struct watch, watch_free)

int watch_fd(const struct watch *watch); /* to poll for reading; -1: none */
/* Is everything heard? False: some folder is not there or cannot be watched. */
bool watch_complete(const struct watch *watch);

enum watch_news {
	WATCH_NOTHING, /* other files */
	WATCH_LATER,   /* a file appeared that is perhaps still being written */
	WATCH_NOW,     /* a change is complete */
};
/* Reads what came (never blocks) and watches folders that appeared. */
enum watch_news watch_read(struct watch *watch);
/* Tries again to watch folders that are not yet; true when one was won. */
bool watch_renew(struct watch *watch);
