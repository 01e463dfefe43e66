/* SPDX-License-Identifier: MIT
 *
 * Readers: each has a place in what is durable, and what it has not acknowledged stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/text.h"
#include "spool/internal.h"

#define MENDS_MAX 3U
#define KEPT_BYTES ((size_t)128 * 1024) /* of memory, between readings */

struct consumer *consumer_of(const struct spool_reader *reader)
{
	struct spool *spool = reader->spool;

	for (uint32_t i = 0; i < spool->consumer_count; i++)
		if (spool->consumers[i].reader == reader)
			return &spool->consumers[i];
	return NULL;
}

static void wake(const struct spool_reader *reader)
{
	uint64_t one = 1;

	while (write(reader->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void readers_wake(const struct spool *spool)
{
	for (uint32_t i = 0; i < spool->consumer_count; i++)
		if (spool->consumers[i].reader)
			wake(spool->consumers[i].reader);
}

static struct consumer *find_consumer(struct spool *spool, const char *name)
{
	for (uint32_t i = 0; i < spool->consumer_count; i++)
		if (strcmp(spool->consumers[i].name, name) == 0)
			return &spool->consumers[i];
	return NULL;
}

/* ---- opening and closing ------------------------------------------------------------------------ */
static int take_place(struct spool *spool, const char *name, struct spool_reader *reader, bool *ret_new)
{
	struct consumer *consumer = find_consumer(spool, name);
	const struct segment *oldest = spool->segments;

	*ret_new = !consumer;
	if (consumer && consumer->reader)
		return -EBUSY;
	if (!consumer) {
		if (spool->consumer_count == SPOOL_CONSUMERS_MAX)
			return -ENOSPC;
		consumer = &spool->consumers[spool->consumer_count++];
		*consumer = (struct consumer){0};
		(void)snprintf(consumer->name, sizeof(consumer->name), "%s", name);
		/* Somebody may have taken every file away. */
		consumer->generation = oldest ? oldest->chain->generation : spool->chain->generation;
		consumer->next = oldest ? oldest->first : spool->chain->durable.sequence + 1;
		consumer->kept_generation = consumer->generation;
		consumer->kept_next = consumer->next;
	}
	consumer->reader = reader;
	return 0;
}

static void forget(struct spool *spool, struct consumer *consumer)
{
	*consumer = spool->consumers[--spool->consumer_count];
	spool->consumers[spool->consumer_count] = (struct consumer){0};
}

int spool_reader_open(struct spool *spool, const char *name, struct spool_reader **ret)
{
	struct spool_reader *reader;
	bool fresh = false;
	int r;

	if (name[0] == '\0' || strlen(name) >= SPOOL_NAME_MAX || !text_is_printable(name, strlen(name)))
		return -EINVAL;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->spool = spool;
	reader->file = -1;
	reader->content.wipe = true;
	reader->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reader->fd < 0) {
		free(reader);
		return -errno;
	}
	pthread_mutex_lock(&spool->lock);
	r = take_place(spool, name, reader, &fresh);
	pthread_mutex_unlock(&spool->lock);
	if (r == 0 && fresh) {
		r = consumers_save(spool);
		if (r < 0) {
			pthread_mutex_lock(&spool->lock);
			forget(spool, consumer_of(reader));
			pthread_mutex_unlock(&spool->lock);
		}
	}
	if (r < 0) {
		(void)close(reader->fd);
		free(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void spool_reader_close(struct spool_reader *reader)
{
	struct consumer *consumer;

	if (!reader)
		return;
	pthread_mutex_lock(&reader->spool->lock);
	consumer = consumer_of(reader);
	if (consumer)
		consumer->reader = NULL;
	pthread_mutex_unlock(&reader->spool->lock);
	(void)close(reader->fd);
	if (reader->file >= 0)
		(void)close(reader->file);
	buffer_finish(&reader->content);
	free(reader);
}

int spool_reader_drop(struct spool *spool, const char *name)
{
	struct consumer *consumer;
	int r = 0;

	pthread_mutex_lock(&spool->lock);
	consumer = find_consumer(spool, name);
	if (!consumer)
		r = -ENOENT;
	else if (consumer->reader)
		r = -EBUSY;
	else
		forget(spool, consumer);
	pthread_mutex_unlock(&spool->lock);
	if (r < 0)
		return r;
	r = consumers_save(spool);
	pthread_mutex_lock(&spool->lock);
	room_free(spool);
	pthread_cond_signal(&spool->work);
	pthread_mutex_unlock(&spool->lock);
	return r;
}

/* ---- where it is -------------------------------------------------------------------------------- */
int spool_reader_fd(const struct spool_reader *reader)
{
	return reader->fd;
}

void spool_reader_rest(struct spool_reader *reader)
{
	uint64_t count;

	while (read(reader->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

uint64_t spool_reader_next(const struct spool_reader *reader)
{
	const struct consumer *consumer;
	uint64_t next;

	pthread_mutex_lock(&reader->spool->lock);
	consumer = consumer_of(reader);
	next = consumer ? consumer->next : 0;
	pthread_mutex_unlock(&reader->spool->lock);
	return next;
}

/* The chain that it reads; NULL: it was dropped. */
static const struct spool_chain *chain_of(const struct spool_reader *reader)
{
	const struct consumer *consumer = consumer_of(reader);

	return consumer ? chain_find(reader->spool, consumer->generation) : NULL;
}

/* Of what is missing at its end nobody knows the hash any more; where nothing is added to it, that is its end. */
static const struct chain_head *end_of(const struct spool *spool, const struct spool_chain *chain)
{
	return chain_is_written(spool, chain) ? &chain->durable : &chain->readable;
}

void spool_reader_head(struct spool_reader *reader, struct note_key *ret_key, struct chain_head *ret)
{
	static const uint8_t lost[ED25519_PUBLIC_BYTES];
	const struct spool_chain *chain;

	pthread_mutex_lock(&reader->spool->lock);
	chain = chain_of(reader);
	if (!chain)
		chain = reader->spool->chain;
	if (chain->has_key)
		*ret_key = chain->key;
	else
		(void)chain_key_init(ret_key, chain->id, lost);
	*ret = *end_of(reader->spool, chain);
	pthread_mutex_unlock(&reader->spool->lock);
}

/* Keeps the new places on disk, then frees. */
static int keep_places(struct spool *spool)
{
	int r = consumers_save(spool);

	pthread_mutex_lock(&spool->lock);
	room_free(spool);
	if (!spool->full)
		pthread_cond_signal(&spool->work);
	pthread_mutex_unlock(&spool->lock);
	return r;
}

int spool_acknowledge(struct spool_reader *reader, uint64_t next)
{
	struct spool *spool = reader->spool;
	const struct spool_chain *chain;
	struct consumer *consumer;
	bool moved = false;
	int r = 0;

	pthread_mutex_lock(&spool->lock);
	consumer = consumer_of(reader);
	chain = chain_of(reader);
	if (!consumer || !chain || next == 0 || next > chain->durable.sequence + 1)
		r = -EINVAL;
	if (r == 0 && next > consumer->next) {
		uint32_t generation = consumer->generation;

		consumer->next = next;
		consumers_advance(spool);
		moved = true;
		if (consumer->generation != generation)
			wake(reader);
	}
	pthread_mutex_unlock(&spool->lock);
	return moved ? keep_places(spool) : r;
}

/* ---- reading ------------------------------------------------------------------------------------ */
/* What is to be read of one segment. */
struct stretch {
	struct segment_name parts;
	uint64_t size; /* durable bytes */
	uint64_t next; /* after it */
	bool last;     /* nothing durable behind it */
	bool checked;
	uint32_t edition;
};

/* The segment that holds `from`. 0; 1: nothing durable is there yet; -ENOENT with the oldest. */
static int locate(struct spool_reader *reader, uint64_t from, struct stretch *ret, uint64_t *ret_oldest)
{
	struct spool *spool = reader->spool;
	const struct spool_chain *chain;
	const struct segment *segment;
	int r = 0;

	pthread_mutex_lock(&spool->lock);
	chain = chain_of(reader);
	segment = chain ? segment_of(spool, chain, from) : NULL;
	if (!consumer_of(reader) || from == 0) {
		r = -EINVAL;
	} else if (!chain || from > end_of(spool, chain)->sequence) {
		r = 1;
	} else if (!segment) {
		for (segment = spool->segments; segment && segment->chain != chain;)
			segment = segment->next;
		r = -ENOENT;
		*ret_oldest = segment ? segment->first : chain->durable.sequence + 1;
	} else {
		ret->parts = (struct segment_name){.generation = chain->generation, .first = segment->first};
		memcpy(ret->parts.chain, chain->id, sizeof(chain->id));
		ret->size = segment->size;
		ret->next = segment_last(segment) + 1;
		ret->last = !segment_after(segment);
		ret->checked = segment->checked;
		ret->edition = segment->edition;
	}
	pthread_mutex_unlock(&spool->lock);
	return r;
}

static int open_stretch(struct spool_reader *reader, const struct stretch *stretch)
{
	char name[SEGMENT_NAME_MAX];

	if (reader->file >= 0 && reader->generation == stretch->parts.generation &&
	    reader->first == stretch->parts.first && reader->edition == stretch->edition)
		return 0;
	if (reader->file >= 0)
		(void)close(reader->file);
	segment_name_write(&stretch->parts, name);
	reader->file = openat(reader->spool->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (reader->file < 0)
		return -errno;
	reader->generation = stretch->parts.generation;
	reader->first = stretch->parts.first;
	reader->edition = stretch->edition;
	reader->sequence = stretch->parts.first;
	reader->offset = 0;
	return 0;
}

/* One reading: what was asked for, and what was found. */
struct reading {
	uint64_t next; /* wanted */
	size_t start, max_bytes;
	struct buffer *out;
	bool over; /* enough, or nothing may follow */
	int result;
};

static bool is_enough(const struct reading *reading, const struct block *block)
{
	size_t have = reading->out->length - reading->start;

	return have > 0 && have + block->length > reading->max_bytes;
}

/* The block that holds what is wanted, or what comes behind it. -EBADMSG: it does not open. */
static int take_block(struct spool_reader *reader, const struct stretch *stretch, const struct block *look,
		      struct reading *reading)
{
	struct block_place place = {
		.key = &reader->spool->seal_key,
		.chain = stretch->parts.chain,
		.segment = stretch->parts.first,
		.offset = reader->offset,
	};
	bool empty = reading->out->length == reading->start;
	struct block block;
	int r;

	if (is_enough(reading, look)) {
		reading->over = true;
		return 0;
	}
	r = block_load(reader->file, &place, stretch->size, &block, &reader->content);
	if (r != 0)
		return r == 1 ? -EBADMSG : r;
	if (block.kind == BLOCK_HOLE || block.first > reading->next) {
		/* What was read so far comes first; the hole is told of when it is asked for. */
		reading->over = true;
		if (empty) {
			reading->next = block.kind == BLOCK_HOLE ? block.first + block.count : block.first;
			reading->result = -ENOENT;
		}
		return 0;
	}
	if (buffer_add(reading->out, reader->content.data + BLOCK_LINK_BYTES,
		       reader->content.length - BLOCK_LINK_BYTES) < 0)
		return -ENOMEM;
	reading->next = block.first + block.count;
	reader->offset += block_size(&block);
	reader->sequence = reading->next;
	return 0;
}

static int read_stretch(struct spool_reader *reader, const struct stretch *stretch, struct reading *reading)
{
	int r = open_stretch(reader, stretch);

	if (r < 0)
		return r;
	if (reader->sequence > reading->next) {
		reader->sequence = stretch->parts.first;
		reader->offset = 0;
	}
	while (!reading->over && reader->offset < stretch->size && reading->next < stretch->next) {
		struct block block;

		r = block_look(reader->file, reader->offset, stretch->size, &block);
		if (r != 0)
			return r == 1 ? -EBADMSG : r;
		if (block.kind == BLOCK_CHAIN || block.first + block.count <= reading->next) {
			reader->offset += block_size(&block);
			if (block.kind != BLOCK_CHAIN)
				reader->sequence = block.first + block.count;
			continue;
		}
		r = take_block(reader, stretch, &block, reading);
		if (r < 0)
			return r;
	}
	if (!reading->over && reading->next < stretch->next)
		return -EBADMSG; /* it ends before its time */
	return 0;
}

/* It does not open, or nobody looked yet: looked through, and mended. */
static int have_it_mended(struct spool_reader *reader, const struct stretch *stretch, bool damaged)
{
	struct spool *spool = reader->spool;
	int r;

	if (reader->file >= 0)
		(void)close(reader->file);
	reader->file = -1;
	if (damaged) {
		const struct spool_chain *chain;
		struct segment *segment;

		pthread_mutex_lock(&spool->lock);
		chain = chain_find(spool, stretch->parts.generation);
		segment = chain ? segment_find(spool, chain, stretch->parts.first) : NULL;
		if (segment)
			segment->checked = false;
		pthread_mutex_unlock(&spool->lock);
	}
	/* One that is not in the list any more is found to be another. */
	r = mend_check(spool, stretch->parts.generation, stretch->parts.first);
	return r == -ENOENT ? 0 : r;
}

static int read_on(struct spool_reader *reader, struct reading *reading)
{
	unsigned mends = 0;

	while (!reading->over) {
		struct stretch stretch;
		uint64_t oldest = 0;
		bool empty = reading->out->length == reading->start;
		int r = locate(reader, reading->next, &stretch, &oldest);

		if (r == -ENOENT && empty)
			reading->next = oldest;
		if (r != 0)
			return empty ? r : 0;
		r = 0;
		if (stretch.checked || stretch.last)
			r = read_stretch(reader, &stretch, reading);
		else
			r = have_it_mended(reader, &stretch, false);
		if (r == -EBADMSG || r == -ENOENT)
			r = ++mends > MENDS_MAX ? -EIO : have_it_mended(reader, &stretch, true);
		if (r < 0)
			return r == -ENOMEM ? r : -EIO;
	}
	return reading->result;
}

int spool_read(struct spool_reader *reader, uint64_t from, size_t max_bytes, struct buffer *ret, uint64_t *ret_next)
{
	struct reading reading = {.next = from, .start = ret->length, .max_bytes = max_bytes, .out = ret};
	int r = read_on(reader, &reading);

	if (reader->content.capacity > KEPT_BYTES)
		buffer_finish(&reader->content);
	/* What was read before something failed is whole, and worth having. */
	if (r < 0 && r != -ENOENT && r != -EINVAL && ret->length > reading.start && !ret->failed)
		r = 0;
	if (r < 0 && ret->failed) {
		ret->length = reading.start;
		ret->failed = false;
	}
	if (r == 0 || r == -ENOENT)
		*ret_next = reading.next;
	return r;
}
