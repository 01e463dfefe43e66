/* SPDX-License-Identifier: MIT
 *
 * Hears of it when somebody sets the clock: a timer of the hour of the day, in a time that nobody lives to see, which
 * the kernel cancels then.
 */
#include <errno.h>
#include <sys/timerfd.h>

#include "reaper/internal.h"

struct clock_watcher {
	void (*set)(void *context);
	void *context;
};

static int arm(int fd)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX / 2}};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ? -errno : 0;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct clock_watcher *watcher = userdata;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return 0; /* else it says ECANCELED */
	if (arm(fd) < 0)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	watcher->set(watcher->context);
	return 0;
}

int clock_watch(sd_event *event, void (*set)(void *context), void *context, sd_event_source **ret)
{
	_cleanup_(closep) int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	struct clock_watcher *watcher;
	sd_event_source *source = NULL;
	int r = fd < 0 ? -errno : arm(fd);

	if (r < 0)
		return r;
	watcher = malloc(sizeof(*watcher));
	if (!watcher)
		return -ENOMEM;
	*watcher = (struct clock_watcher){set, context};
	r = sd_event_add_io(event, &source, fd, EPOLLIN, on_ready, watcher);
	if (r < 0) {
		free(watcher);
		return r;
	}
	(void)sd_event_source_set_destroy_callback(source, free);
	r = sd_event_source_set_io_fd_own(source, true);
	if (r < 0) {
		sd_event_source_disable_unref(source);
		return r;
	}
	fd = -1;
	*ret = source;
	return 0;
}
