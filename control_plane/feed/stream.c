/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/config.h"
#include "control_plane/feed/watch.h"

#define BEHIND_USEC (60 * USEC_PER_SEC) /* so long a stream may leave what is there unread */
#define DRAIN_SPREAD_MIN_MS 1000U
#define DRAIN_SPREAD_MAX_MS 30000U
#define DRAIN_MS_PER_STREAM 2U
#define RETRY_AFTER_MIN_SEC 3U
#define RETRY_AFTER_SPREAD_SEC 27U

struct feed_stream {
	struct stream stream;
	struct channel_reader reader;
	struct publisher *publisher;
	struct stream_transport *transport; /* under the channel's lock */
	struct frame *frame;                /* on its way out */
	char host_id[ID_MAX_BYTES + 1];
	uint32_t offset;
	bool once, ending, missed;
	_Atomic bool expired;
	uint64_t deadline;
};

static struct feed_stream *from_stream(struct stream *stream)
{
	return (struct feed_stream *)(void *)stream;
}

static struct feed_stream *from_reader(struct channel_reader *reader)
{
	return (struct feed_stream *)(void *)((char *)reader - offsetof(struct feed_stream, reader));
}

static uint32_t random_below(uint32_t limit)
{
	uint32_t value = 0;

	(void)random_bytes(&value, sizeof(value));
	return value % limit;
}

static uint32_t spread_ms(const struct publisher *publisher)
{
	uint64_t streams = atomic_load(&publisher->streams);

	return (uint32_t)MIN_OF(DRAIN_SPREAD_MIN_MS + DRAIN_MS_PER_STREAM * streams, (uint64_t)DRAIN_SPREAD_MAX_MS);
}

uint32_t feed_retry_after(const struct publisher *publisher)
{
	return RETRY_AFTER_MIN_SEC + random_below(RETRY_AFTER_SPREAD_SEC);
}

/* With the channel's lock held. */
static void wake(struct channel_reader *reader)
{
	struct feed_stream *s = from_reader(reader);

	if (reader->behind_usec == 0)
		reader->behind_usec = clock_boottime_usec();
	if (s->transport)
		stream_wake(s->transport);
}

static void opened(struct stream *stream, struct stream_transport *transport)
{
	struct feed_stream *s = from_stream(stream);

	channel_lock(s->reader.channel);
	s->transport = transport;
	channel_unlock(s->reader.channel);
}

/* The next thing to send into s->frame. 0: nothing now; 1; STREAM_END. */
static int next_frame(struct feed_stream *s)
{
	bool head;
	int r;

	if (s->ending)
		return STREAM_END;
	if (atomic_load(&s->publisher->draining)) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u", random_below(spread_ms(s->publisher)));
		s->frame = frame_new("drain", NULL, text, strlen(text));
		s->ending = true;
		return s->frame ? 1 : STREAM_END;
	}
	if (atomic_load(&s->expired))
		s->reader.quiet = false;
	r = channel_next(&s->reader, clock_realtime_sec(), &s->frame, &head);
	if (r < 0) {
		atomic_fetch_add(&s->publisher->counts.cut, 1);
		return STREAM_END;
	}
	if (!s->frame)
		return atomic_load(&s->expired) ? STREAM_END : 0;
	if (s->once && head)
		s->ending = true;
	return 1;
}

static ssize_t read_some(struct stream *stream, char *data, size_t size)
{
	struct feed_stream *s = from_stream(stream);
	size_t done = 0;

	while (done < size) {
		size_t part;

		if (!s->frame) {
			int r = next_frame(s);

			if (r == STREAM_END && done == 0)
				return STREAM_END;
			if (r <= 0)
				break;
			s->offset = 0;
		}
		part = MIN_OF(size - done, (size_t)(s->frame->length - s->offset));
		memcpy(data + done, s->frame->bytes + s->offset, part);
		done += part;
		s->offset += (uint32_t)part;
		if (s->offset == s->frame->length)
			frame_unref(TAKE_PTR(s->frame));
	}
	return (ssize_t)done;
}

static void closed(struct stream *stream)
{
	struct feed_stream *s = from_stream(stream);

	if (s->reader.attached)
		channel_detach(&s->reader);
	frame_unref(s->frame);
	atomic_fetch_sub(&s->publisher->streams, 1);
	free(s);
}

static const struct stream_class feed_stream_class = {.open = opened, .read = read_some, .close = closed};

/* The channel as new as the poll keeps it, and back to where the stream begins. */
static int prepare(struct publisher *publisher, struct slot *slot, struct db_tx *tx,
		   const struct stream_options *options)
{
	bool news;
	int r = 0;

	/* One that is loaded is kept up by announcements and the poll. Whoever has seen more than it comes from another
	 * replica that was quicker. */
	if (!slot_is_current(slot, options->epoch, options->after)) {
		r = slot_refresh(slot, tx, publisher->app->config->stale_sec, options->epoch, options->after, &news);
		if (r == 0 && news)
			channel_wake(slot->channel);
	}
	return r < 0 ? r : slot_extend(slot, tx, options->epoch, options->after);
}

static int attach(struct publisher *publisher, struct slot *slot, struct db_tx *tx,
		  const struct stream_options *options, struct feed_stream *s)
{
	int r = prepare(publisher, slot, tx, options);

	if (r < 0)
		return r;
	s->reader.epoch = options->epoch;
	s->reader.at = options->after;
	s->reader.quiet = options->once_sec > 0;
	s->reader.wake = wake;
	s->once = options->once_sec > 0;
	s->deadline = s->once ? clock_boottime_usec() + options->once_sec * USEC_PER_SEC : 0;
	return channel_attach(slot->channel, &s->reader);
}

int feed_stream_new(struct publisher *publisher, struct db_tx *tx, const char *tenant_id,
		    const struct stream_options *options, struct stream **ret)
{
	struct feed_stream *s;
	struct slot *slot;
	int r;

	if (!publisher->channels || atomic_load(&publisher->draining))
		return -ESHUTDOWN;
	if (atomic_fetch_add(&publisher->streams, 1) >= publisher->app->config->streams) {
		atomic_fetch_sub(&publisher->streams, 1);
		atomic_fetch_add(&publisher->counts.refused, 1);
		return -EMFILE;
	}
	s = calloc(1, sizeof(*s));
	slot = channels_get(publisher->channels, tenant_id);
	r = s && slot ? attach(publisher, slot, tx, options, s) : -ENOMEM;
	if (r == 0) {
		s->stream.class = &feed_stream_class;
		s->publisher = publisher;
		(void)snprintf(s->host_id, sizeof(s->host_id), "%s", options->host_id);
		atomic_fetch_add(&publisher->counts.opened, 1);
		/* Its head may be at its end: nobody renews what nobody reads. */
		if (channel_view(slot->channel).head_issued + (int64_t)publisher->app->config->head_sec <=
		    clock_realtime_sec())
			watch_kick(publisher->watch);
		*ret = &s->stream;
	} else {
		if (r == -ESTALE)
			atomic_fetch_add(&publisher->counts.gaps, 1);
		atomic_fetch_sub(&publisher->streams, 1);
		free(s);
	}
	channels_put(publisher->channels, slot);
	return r;
}

static void tick(struct channel_reader *reader, void *context)
{
	struct feed_stream *s = from_reader(reader);
	uint64_t now = *(const uint64_t *)context;
	bool expired = s->once && now >= s->deadline && !atomic_load(&s->expired);

	if (expired)
		atomic_store(&s->expired, true);
	else if (!reader->cut && reader->behind_usec > 0 && now > reader->behind_usec + BEHIND_USEC)
		reader->cut = true;
	else
		return;
	if (s->transport)
		stream_wake(s->transport);
}

void feed_streams_tick(struct publisher *publisher, struct slot *slot, uint64_t now)
{
	channel_each(slot->channel, tick, &now);
}

static bool is_among(const struct db_rows *hosts, const char *id)
{
	uint32_t low = 0, high = db_row_count(hosts);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(db_text(hosts, middle, 0), id);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void check(struct channel_reader *reader, void *context)
{
	struct feed_stream *s = from_reader(reader);
	bool missed = s->missed;

	s->missed = !is_among(context, s->host_id);
	if (!missed || !s->missed || reader->cut)
		return;
	reader->cut = true;
	if (s->transport)
		stream_wake(s->transport);
}

void feed_streams_check(struct slot *slot, const struct db_rows *hosts)
{
	channel_each(slot->channel, check, (void *)(uintptr_t)hosts);
}
