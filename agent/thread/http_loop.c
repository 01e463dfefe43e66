/* SPDX-License-Identifier: MIT */
#include "thread/http_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

struct watched {
	struct watched *next;
	sd_event_source *source;
	int fd;
};
struct http_loop {
	sd_event *event;
	sd_event_source *timer;
	struct http *http;
	struct watched *watched; /* a handful: connections under way */
};

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	const struct http_loop *loop = context;

	http_on_fd(loop->http, fd, revents);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	const struct http_loop *loop = context;

	http_on_timer(loop->http);
	return 0;
}

static int watch(void *context, int fd, uint32_t events)
{
	struct http_loop *loop = context;
	struct watched **at = &loop->watched, *watched;
	int r;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	watched = *at;
	if (events == 0) {
		if (watched) {
			*at = watched->next;
			sd_event_source_disable_unref(watched->source);
			free(watched);
		}
		return 0;
	}
	if (watched)
		return sd_event_source_set_io_events(watched->source, events);
	watched = calloc(1, sizeof(*watched));
	if (!watched)
		return -ENOMEM;
	r = sd_event_add_io(loop->event, &watched->source, fd, events, on_io, loop);
	if (r < 0) {
		free(watched);
		return r;
	}
	watched->fd = fd;
	watched->next = loop->watched;
	loop->watched = watched;
	return 0;
}

static int set_timer(void *context, uint64_t delay_ms)
{
	const struct http_loop *loop = context;
	int r;

	if (delay_ms == UINT64_MAX)
		return sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF);
	r = sd_event_source_set_time(loop->timer, clock_boottime_usec() + delay_ms * USEC_PER_MSEC);
	return r < 0 ? r : sd_event_source_set_enabled(loop->timer, SD_EVENT_ONESHOT);
}

int http_loop_new(sd_event *event, const struct http_options *options, struct http_loop **ret)
{
	_cleanup_(http_loop_freep) struct http_loop *loop = calloc(1, sizeof(*loop));
	const struct http_hooks hooks = {.watch = watch, .timer = set_timer, .context = loop};
	int r;

	if (!loop)
		return -ENOMEM;
	loop->event = sd_event_ref(event);
	r = sd_event_add_time(event, &loop->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, loop);
	if (r >= 0)
		r = sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = http_create(options, &hooks, &loop->http);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(loop);
	return 0;
}

void http_loop_free(struct http_loop *loop)
{
	if (!loop)
		return;
	http_destroy(loop->http); /* stops watching all */
	sd_event_source_disable_unref(loop->timer);
	sd_event_unref(loop->event);
	free(loop);
}

struct http *http_loop_client(struct http_loop *loop)
{
	return loop->http;
}
