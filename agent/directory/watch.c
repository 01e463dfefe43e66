/* SPDX-License-Identifier: MIT */
#include "directory/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "directory/files.h"

/* A rename and the close of a writer are complete changes. IN_CREATE tells of hard links and folders,
 * but also of files that are yet to be written. IN_ATTRIB: trust may have been lost or won. */
#define CHANGES (IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_CREATE | IN_ATTRIB)
#define EVENT_BYTES (64 * (sizeof(struct inotify_event) + 256))

struct watch {
	int fd;
	char *folder, *name, *drop_in_path, *drop_in_name;
	int folder_watch, drop_in_watch; /* -1: not there */
	bool drop_in_refused;            /* it is there but cannot be watched */
};

bool watch_renew(struct watch *watch)
{
	int folder = watch->folder_watch, drop_in = watch->drop_in_watch;

	if (watch->fd < 0)
		return false;
	if (folder < 0)
		watch->folder_watch = inotify_add_watch(watch->fd, watch->folder, CHANGES | IN_ONLYDIR | IN_MOVE_SELF);
	if (drop_in < 0) {
		watch->drop_in_watch =
			inotify_add_watch(watch->fd, watch->drop_in_path, CHANGES | IN_ONLYDIR | IN_MOVE_SELF);
		watch->drop_in_refused = watch->drop_in_watch < 0 && errno != ENOENT && errno != ENOTDIR;
	}
	return folder != watch->folder_watch || drop_in != watch->drop_in_watch;
}

int watch_new(const char *path, struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
	const char *slash = strrchr(path, '/');

	if (!watch)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->folder_watch = watch->drop_in_watch = -1;
	watch->folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	watch->name = strdup(slash ? slash + 1 : path);
	if (asprintf(&watch->drop_in_path, "%s.d", path) < 0)
		watch->drop_in_path = NULL;
	if (!watch->folder || !watch->name || !watch->drop_in_path)
		return -ENOMEM;
	slash = strrchr(watch->drop_in_path, '/');
	watch->drop_in_name = strdup(slash ? slash + 1 : watch->drop_in_path);
	if (!watch->drop_in_name)
		return -ENOMEM;
	watch_renew(watch);
	*ret = TAKE_PTR(watch);
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch->folder);
	free(watch->name);
	free(watch->drop_in_path);
	free(watch->drop_in_name);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

bool watch_complete(const struct watch *watch)
{
	/* The drop-in folder need not be there: its coming is heard in the other one. */
	return watch->fd >= 0 && watch->folder_watch >= 0 && !watch->drop_in_refused;
}

static enum watch_news judge(struct watch *watch, const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";
	bool drop_in = event->wd == watch->drop_in_watch;

	if (event->mask & IN_Q_OVERFLOW)
		return WATCH_NOW;
	if (event->wd != watch->folder_watch && !drop_in)
		return WATCH_NOTHING; /* late news of a folder let go */
	if (event->mask & (IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF)) {
		/* The folder that had this name is gone; another may have it now. */
		if (event->mask & IN_MOVE_SELF)
			inotify_rm_watch(watch->fd, event->wd);
		*(drop_in ? &watch->drop_in_watch : &watch->folder_watch) = -1;
		watch_renew(watch);
		return WATCH_NOW;
	}
	if (!*name)
		return event->mask & IN_ATTRIB ? WATCH_NOW : WATCH_NOTHING; /* the folder's own mode */
	if (drop_in) {
		if (!directory_files_is_drop_in(name))
			return WATCH_NOTHING;
	} else if (strcmp(name, watch->drop_in_name) == 0) {
		watch_renew(watch);
		return WATCH_NOW;
	} else if (strcmp(name, watch->name) != 0) {
		return WATCH_NOTHING;
	}
	return event->mask & IN_CREATE ? WATCH_LATER : WATCH_NOW;
}

enum watch_news watch_read(struct watch *watch)
{
	_Alignas(struct inotify_event) char events[EVENT_BYTES];
	enum watch_news news = WATCH_NOTHING;

	for (;;) {
		ssize_t n = read(watch->fd, events, sizeof(events));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return news;
		for (const char *p = events; p < events + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(const void *)p;

			news = MAX_OF(news, judge(watch, event));
			p += sizeof(*event) + event->len;
		}
	}
}
