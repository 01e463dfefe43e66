/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

#define CHANNEL_BYTES_MAX (16U * 1024 * 1024)    /* of one tenant's deltas */
#define CHANNEL_BYTES_CROWDED (1U * 1024 * 1024) /* … when all together have more than: */
#define CHANNELS_BYTES_MAX (256ULL * 1024 * 1024)
#define CHANNEL_DELTAS_MAX 65536U
#define WAKE_AT_ONCE 64U /* readers woken under one hold of the lock */
/* A head with less life than this, or than a third of its own, is not sent: it is being renewed. */
#define HEAD_LEFT_SEC 10

struct channel {
	_Atomic uint32_t references;
	char tenant_id[64];
	pthread_mutex_t lock;
	_Atomic uint64_t *total;
	bool loaded;
	uint64_t epoch, revision;
	struct frame **deltas; /* of revisions revision - count + 1 … revision, as a ring */
	uint32_t start, count, room;
	size_t bytes;
	struct frame *head, *trust;
	uint64_t head_serial, head_revision;
	int64_t head_issued, head_expires;
	uint64_t trust_version;
	uint32_t trust_serial;
	struct channel_reader **readers;
	uint32_t reader_count, reader_room;
};

struct frame *frame_new(const char *event, const char *id, const char *text, size_t length)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	const char *end = text + length;
	struct frame *frame;

	if (id)
		(void)buffer_printf(&out, "id: %s\n", id);
	(void)buffer_printf(&out, "event: %s\n", event);
	if (length > 0 && end[-1] == '\n')
		end--;
	for (const char *line = text, *stop; line <= end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		(void)buffer_add_text(&out, "data: ");
		(void)buffer_add(&out, line, (size_t)(stop - line));
		(void)buffer_add_char(&out, '\n');
	}
	(void)buffer_add_char(&out, '\n');
	if (out.failed || out.length > UINT32_MAX)
		return NULL;
	frame = malloc(sizeof(*frame) + out.length);
	if (!frame)
		return NULL;
	atomic_init(&frame->references, 1);
	frame->length = (uint32_t)out.length;
	memcpy(frame->bytes, out.data, out.length);
	return frame;
}

struct frame *frame_ref(struct frame *frame)
{
	atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
	return frame;
}

void frame_unref(struct frame *frame)
{
	if (frame && atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1)
		free(frame);
}

int channel_new(const char *tenant_id, _Atomic uint64_t *total, struct channel **ret)
{
	struct channel *c;

	if (strlen(tenant_id) >= sizeof(c->tenant_id))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	atomic_init(&c->references, 1);
	memcpy(c->tenant_id, tenant_id, strlen(tenant_id));
	(void)pthread_mutex_init(&c->lock, NULL);
	c->total = total;
	*ret = c;
	return 0;
}

struct channel *channel_ref(struct channel *channel)
{
	atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
	return channel;
}

/* Locked. Entry `i` counted from the oldest. */
static struct frame **delta_at(struct channel *c, uint32_t i)
{
	return &c->deltas[(c->start + i) % c->room];
}

static void account(struct channel *c, int64_t bytes)
{
	c->bytes += (size_t)bytes;
	atomic_fetch_add_explicit(c->total, (uint64_t)bytes, memory_order_relaxed);
}

static void drop_oldest(struct channel *c)
{
	struct frame **oldest = delta_at(c, 0);

	account(c, -(int64_t)(*oldest)->length);
	frame_unref(TAKE_PTR(*oldest));
	c->start = (c->start + 1) % c->room;
	c->count--;
}

static void drop_all(struct channel *c)
{
	while (c->count > 0)
		drop_oldest(c);
	frame_unref(TAKE_PTR(c->head));
	c->head_issued = 0;
}

void channel_unref(struct channel *channel)
{
	if (!channel || atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) != 1)
		return;
	drop_all(channel);
	frame_unref(channel->trust);
	free(channel->deltas);
	free(channel->readers);
	(void)pthread_mutex_destroy(&channel->lock);
	free(channel);
}

struct channel_view channel_view(struct channel *channel)
{
	struct channel_view view;

	(void)pthread_mutex_lock(&channel->lock);
	view = (struct channel_view){
		.tenant_id = channel->tenant_id,
		.epoch = channel->epoch,
		.revision = channel->revision,
		.first = channel->revision - channel->count + 1,
		.head_issued = channel->head_issued,
		.trust_version = channel->trust_version,
		.readers = channel->reader_count,
		.loaded = channel->loaded,
	};
	(void)pthread_mutex_unlock(&channel->lock);
	return view;
}

const char *channel_tenant(const struct channel *channel)
{
	return channel->tenant_id;
}

void channel_reset(struct channel *channel, uint64_t epoch, uint64_t revision)
{
	(void)pthread_mutex_lock(&channel->lock);
	drop_all(channel);
	channel->epoch = epoch;
	channel->revision = revision;
	channel->loaded = true;
	(void)pthread_mutex_unlock(&channel->lock);
}

/* Locked. */
static int make_room(struct channel *c)
{
	uint32_t room = MAX_OF(2 * c->room, 16U);
	struct frame **deltas;

	if (c->count < c->room)
		return 0;
	deltas = calloc(room, sizeof(struct frame *));
	if (!deltas)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->count; i++)
		deltas[i] = *delta_at(c, i);
	free(c->deltas);
	c->deltas = deltas;
	c->room = room;
	c->start = 0;
	return 0;
}

static size_t bytes_allowed(const struct channel *c)
{
	return atomic_load_explicit(c->total, memory_order_relaxed) > CHANNELS_BYTES_MAX ? CHANNEL_BYTES_CROWDED
											 : CHANNEL_BYTES_MAX;
}

static struct frame *delta_frame(uint64_t epoch, uint64_t revision, const char *delta, size_t length)
{
	char id[48];

	(void)snprintf(id, sizeof(id), "%llu.%llu", (unsigned long long)epoch, (unsigned long long)revision);
	return frame_new("delta", id, delta, length);
}

int channel_append(struct channel *channel, uint64_t epoch, uint64_t revision, const char *delta, size_t length)
{
	struct frame *frame = delta_frame(epoch, revision, delta, length);
	int r = 0;

	if (!frame)
		return -ENOMEM;
	(void)pthread_mutex_lock(&channel->lock);
	if (!channel->loaded || epoch != channel->epoch || revision > channel->revision + 1)
		r = -ESTALE;
	else if (revision == channel->revision + 1)
		r = make_room(channel);
	if (r == 0 && revision == channel->revision + 1) {
		account(channel, frame->length);
		*delta_at(channel, channel->count++) = TAKE_PTR(frame);
		channel->revision = revision;
		while (channel->count > 1 &&
		       (channel->bytes > bytes_allowed(channel) || channel->count > CHANNEL_DELTAS_MAX))
			drop_oldest(channel);
	}
	(void)pthread_mutex_unlock(&channel->lock);
	frame_unref(frame);
	return r;
}

int channel_prepend(struct channel *channel, uint64_t epoch, uint64_t revision, const char *delta, size_t length)
{
	struct frame *frame = delta_frame(epoch, revision, delta, length);
	uint64_t first;
	int r = 0;

	if (!frame)
		return -ENOMEM;
	(void)pthread_mutex_lock(&channel->lock);
	first = channel->revision - channel->count + 1;
	if (!channel->loaded || epoch != channel->epoch || revision + 1 < first)
		r = -ESTALE;
	/* Half is left for what comes, so that what was just read is not dropped by the next change. */
	else if (channel->bytes + frame->length > bytes_allowed(channel) / 2 ||
		 channel->count >= CHANNEL_DELTAS_MAX / 2)
		r = -ENOSPC;
	else if (revision + 1 == first)
		r = make_room(channel);
	if (r == 0 && revision + 1 == first) {
		account(channel, frame->length);
		channel->start = (channel->start + channel->room - 1) % channel->room;
		channel->count++;
		*delta_at(channel, 0) = TAKE_PTR(frame);
	}
	(void)pthread_mutex_unlock(&channel->lock);
	frame_unref(frame);
	return r;
}

int channel_head(struct channel *channel, uint64_t epoch, uint64_t revision, int64_t issued, int64_t expires,
		 const char *note, size_t length)
{
	struct frame *frame = frame_new("head", NULL, note, length), *old = NULL;
	int r = -ESTALE;

	if (!frame)
		return -ENOMEM;
	(void)pthread_mutex_lock(&channel->lock);
	/* A head of the revision before may still be there, made in the same second. */
	if (channel->loaded && epoch == channel->epoch && revision == channel->revision &&
	    (!channel->head || revision != channel->head_revision || issued > channel->head_issued ||
	     (issued == channel->head_issued && (frame->length != channel->head->length ||
						 memcmp(frame->bytes, channel->head->bytes, frame->length) != 0)))) {
		old = channel->head;
		channel->head = TAKE_PTR(frame);
		channel->head_issued = issued;
		channel->head_revision = revision;
		channel->head_expires = expires;
		channel->head_serial++;
		r = 0;
	}
	(void)pthread_mutex_unlock(&channel->lock);
	frame_unref(frame);
	frame_unref(old);
	return r;
}

int channel_trust(struct channel *channel, uint64_t version, const char *note, size_t length)
{
	struct frame *frame = NULL, *old = NULL;

	if (note) {
		frame = frame_new("trust", NULL, note, length);
		if (!frame)
			return -ENOMEM;
	}
	(void)pthread_mutex_lock(&channel->lock);
	if (version > channel->trust_version) {
		old = channel->trust;
		channel->trust = TAKE_PTR(frame);
		if (channel->trust)
			channel->trust_serial++;
		channel->trust_version = version;
	}
	(void)pthread_mutex_unlock(&channel->lock);
	frame_unref(frame);
	frame_unref(old);
	return 0;
}

void channel_wake(struct channel *channel)
{
	uint32_t left;

	(void)pthread_mutex_lock(&channel->lock);
	left = channel->reader_count;
	while (left > 0) {
		for (uint32_t i = 0; i < WAKE_AT_ONCE && left > 0; i++) {
			left--;
			channel->readers[left]->wake(channel->readers[left]);
		}
		/* From the end: whoever leaves meanwhile has its place taken by one that was woken already. */
		(void)pthread_mutex_unlock(&channel->lock);
		(void)pthread_mutex_lock(&channel->lock);
		left = MIN_OF(left, channel->reader_count);
	}
	(void)pthread_mutex_unlock(&channel->lock);
}

int channel_attach(struct channel *channel, struct channel_reader *reader)
{
	int r = 0;

	(void)pthread_mutex_lock(&channel->lock);
	if (!channel->loaded || reader->epoch != channel->epoch || reader->at > channel->revision ||
	    reader->at + channel->count < channel->revision) {
		r = -ESTALE;
	} else if (channel->reader_count == channel->reader_room) {
		uint32_t room = MAX_OF(2 * channel->reader_room, 16U);
		struct channel_reader **readers = realloc(channel->readers, room * sizeof(struct channel_reader *));

		if (readers) {
			channel->readers = readers;
			channel->reader_room = room;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		reader->slot = channel->reader_count;
		reader->trust_serial = channel->trust_serial;
		reader->channel = channel_ref(channel);
		reader->attached = true;
		channel->readers[channel->reader_count++] = reader;
	}
	(void)pthread_mutex_unlock(&channel->lock);
	return r;
}

void channel_detach(struct channel_reader *reader)
{
	struct channel *c = reader->channel;

	if (!reader->attached)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->readers[reader->slot] = c->readers[--c->reader_count];
	c->readers[reader->slot]->slot = reader->slot;
	reader->attached = false;
	(void)pthread_mutex_unlock(&c->lock);
	reader->channel = NULL;
	channel_unref(c);
}

static bool head_is_old(const struct channel *c, int64_t now)
{
	return c->head_expires - MIN_OF(HEAD_LEFT_SEC, (c->head_expires - c->head_issued) / 3) < now;
}

/* Locked. Is there something for it? */
static struct frame *choose(struct channel *c, struct channel_reader *reader, int64_t now, bool *head)
{
	if (reader->trust_serial != c->trust_serial) {
		reader->trust_serial = c->trust_serial;
		return c->trust;
	}
	if (reader->at < c->revision) {
		reader->at++;
		reader->quiet = false;
		return *delta_at(c, (uint32_t)(reader->at - (c->revision - c->count + 1)));
	}
	if (reader->quiet || !c->head || c->head_revision != c->revision || reader->head_serial == c->head_serial ||
	    head_is_old(c, now))
		return NULL;
	reader->head_serial = c->head_serial;
	*head = true;
	return c->head;
}

int channel_next(struct channel_reader *reader, int64_t now, struct frame **ret, bool *ret_head)
{
	struct channel *c = reader->channel;
	struct frame *frame;
	int r = 0;

	*ret = NULL;
	*ret_head = false;
	(void)pthread_mutex_lock(&c->lock);
	/* A new epoch comes with a trust document that says so: who is cut for it has heard why. */
	if (reader->cut ||
	    (reader->trust_serial == c->trust_serial &&
	     (reader->epoch != c->epoch || reader->at > c->revision || reader->at + c->count < c->revision))) {
		r = -ESTALE;
	} else {
		frame = choose(c, reader, now, ret_head);
		if (frame)
			*ret = frame_ref(frame);
		reader->behind_usec = 0;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

void channel_lock(struct channel *channel)
{
	(void)pthread_mutex_lock(&channel->lock);
}

void channel_unlock(struct channel *channel)
{
	(void)pthread_mutex_unlock(&channel->lock);
}

void channel_each(struct channel *channel, void (*look)(struct channel_reader *reader, void *context), void *context)
{
	(void)pthread_mutex_lock(&channel->lock);
	for (uint32_t i = 0; i < channel->reader_count; i++)
		look(channel->readers[i], context);
	(void)pthread_mutex_unlock(&channel->lock);
}
