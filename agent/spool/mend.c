/* SPDX-License-Identifier: MIT
 *
 * Segments that are damaged: what opens of them is written anew, with holes where events are missing, and the file as
 * it was is kept aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/internal.h"

#define ASIDE_TRIES 100U
#define ASIDE_NAME_MAX (SEGMENT_NAME_MAX + 32U)

/* Another name for the file, or the file itself moved to it. */
static int keep_aside(const struct spool *spool, const char *name, bool move, char out[ASIDE_NAME_MAX])
{
	for (unsigned i = 0; i < ASIDE_TRIES; i++) {
		int r;

		if (i == 0)
			(void)snprintf(out, ASIDE_NAME_MAX, "%s" SEGMENT_DAMAGED, name);
		else
			(void)snprintf(out, ASIDE_NAME_MAX, "%s" SEGMENT_DAMAGED ".%u", name, i);
		r = move ? renameat2(spool->dirfd, name, spool->dirfd, out, RENAME_NOREPLACE)
			 : linkat(spool->dirfd, name, spool->dirfd, out, 0);
		if (r == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int mend_put_aside(struct spool *spool, const char *name, uint64_t size)
{
	char aside[ASIDE_NAME_MAX];
	int r = keep_aside(spool, name, true, aside);

	if (r < 0)
		return r;
	(void)aside_add(spool, aside, size);
	return 0;
}

struct copy {
	const struct spool *spool;
	struct segment_name name;
	int fd;
	uint64_t size;
};

static int put_block(struct copy *copy, const struct block *block, struct buffer *content)
{
	struct block_place place = {
		.key = &copy->spool->seal_key,
		.chain = copy->name.chain,
		.segment = copy->name.first,
		.offset = copy->size,
	};
	int r = block_seal(&place, block, content);

	if (r == 0)
		r = fd_write_all(copy->fd, content->data, content->length);
	copy->size += content->length;
	return r;
}

static int copy_block(void *context, const struct block *block, struct buffer *content)
{
	return put_block(context, block, content);
}

static int copy_hole(void *context, uint64_t first, uint64_t count)
{
	while (count > 0) {
		uint32_t some = (uint32_t)MIN_OF(count, (uint64_t)UINT32_MAX);
		struct block block = {.kind = BLOCK_HOLE, .first = first, .count = some};
		_cleanup_(buffer_finish) struct buffer nothing = BUFFER_INIT;
		int r = put_block(context, &block, &nothing);

		if (r < 0)
			return r;
		first += some;
		count -= some;
	}
	return 0;
}

static int copy_segment(struct copy *copy, const struct spool_chain *chain, const struct segment_walk *walk)
{
	struct segment_walk again = {
		.key = walk->key,
		.name = walk->name,
		.fd = walk->fd,
		.size = walk->size,
		.next_first = walk->next_first,
		.block = copy_block,
		.missing = copy_hole,
		.context = copy,
	};
	_cleanup_(buffer_finish) struct buffer first = BUFFER_INIT;
	struct tlog_hash prev;
	bool prev_known = false;
	int r;

	/* What its chain block said before the first group; when that is lost, nobody knows it any more. */
	if (walk->opened && walk->vkey[0] != '\0') {
		struct segment_walk look = {.key = walk->key, .name = walk->name, .fd = walk->fd, .size = walk->size};

		r = segment_look(&look);
		if (r < 0)
			return r;
		prev_known = look.head_known;
		prev = look.head;
	}
	r = chain_block(walk->key, chain, walk->name.first, prev_known ? &prev : NULL, &first);
	if (r == 0)
		r = fd_write_all(copy->fd, first.data, first.length);
	if (r < 0)
		return r;
	copy->size = first.length;
	r = segment_walk(&again);
	if (r == 0 && fsync(copy->fd) < 0)
		r = -errno;
	return r;
}

int mend_rewrite(struct spool *spool, const struct spool_chain *chain, struct segment_walk *walk, uint64_t *ret_size)
{
	struct copy copy = {.spool = spool, .name = walk->name, .fd = -1};
	char name[SEGMENT_NAME_MAX], temporary[ASIDE_NAME_MAX], aside[ASIDE_NAME_MAX];
	int r;

	segment_name_write(&walk->name, name);
	(void)snprintf(temporary, sizeof(temporary), SPOOL_TEMPORARY "%s", name);
	(void)unlinkat(spool->dirfd, temporary, 0);
	copy.fd = openat(spool->dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy.fd < 0)
		return -errno;
	r = copy_segment(&copy, chain, walk);
	(void)close(copy.fd);
	/* Two names, then one of them for the new file: at no time is there none. */
	if (r == 0)
		r = keep_aside(spool, name, false, aside);
	if (r == 0 && renameat(spool->dirfd, temporary, spool->dirfd, name) < 0) {
		r = -errno;
		(void)unlinkat(spool->dirfd, aside, 0);
	}
	if (r < 0) {
		(void)unlinkat(spool->dirfd, temporary, 0);
		return r;
	}
	(void)fsync(spool->dirfd); /* when it does not last, the same is found and mended once more */
	pthread_mutex_lock(&spool->lock);
	(void)aside_add(spool, aside, walk->size);
	pthread_mutex_unlock(&spool->lock);
	*ret_size = copy.size;
	return 0;
}

/* What is known of the segment, by name: the list may change while it is walked. */
static struct segment *look_up(const struct spool *spool, uint32_t generation, uint64_t first)
{
	const struct spool_chain *chain = chain_find(spool, generation);

	return chain ? segment_find(spool, chain, first) : NULL;
}

/* Somebody took the file away. What was in it is a hole behind the segment before, or tells of itself. Lock held. */
static int forget_gone(struct spool *spool, uint32_t generation, uint64_t first)
{
	struct segment *segment = look_up(spool, generation, first), *before;
	struct spool_chain *chain;
	uint64_t last;

	if (!segment)
		return -ENOENT; /* everybody had it */
	chain = segment->chain;
	last = segment_last(segment);
	free(segment_detach(spool, segment));
	before = segment_of(spool, chain, first);
	if (before) {
		before->checked = false;
		before->suspect = true;
		pthread_cond_signal(&spool->work);
	} else if (last >= first) {
		finding_add(spool, SPOOL_DAMAGED, first, last - first + 1, "a file of chain %s is gone", chain->id);
		if (last == chain->durable.sequence)
			chain->readable.sequence = first - 1;
	}
	readers_wake(spool);
	return 0;
}

static int check(struct spool *spool, uint32_t generation, uint64_t first, bool by_writer)
{
	struct segment_walk walk = {.key = &spool->seal_key};
	char name[SEGMENT_NAME_MAX];
	_cleanup_(closep) int fd = -1;
	struct spool_chain *chain;
	struct segment *segment;
	uint64_t size;
	int r;

	pthread_mutex_lock(&spool->lock);
	segment = look_up(spool, generation, first);
	if (!segment || segment->checked) {
		pthread_mutex_unlock(&spool->lock);
		return segment ? 0 : -ENOENT;
	}
	chain = segment->chain;
	/* What is at a chain's end changes where others are, so not while one of them reads. */
	if (!by_writer && !segment_after(segment)) {
		segment->suspect = true;
		pthread_cond_signal(&spool->work);
		pthread_mutex_unlock(&spool->lock);
		return -EBUSY;
	}
	segment_name_of(segment, name);
	(void)segment_name_read(name, &walk.name);
	walk.size = segment->size;
	/* Nothing is added meanwhile, so that is how far it has to go. */
	walk.next_first = segment_last(segment) + 1;
	pthread_mutex_unlock(&spool->lock);

	walk.fd = fd = openat(spool->dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		pthread_mutex_lock(&spool->lock);
		r = forget_gone(spool, generation, first);
		pthread_mutex_unlock(&spool->lock);
		return r;
	}
	if (fd < 0)
		return -errno;
	r = segment_walk(&walk);
	if (r < 0)
		return r;
	size = walk.size;
	if (walk.damages == 0 && walk.superseded > 0) {
		/* Written once more in the next segment, after a sync that failed: nothing is missing. */
		if (ftruncate(walk.fd, (off_t)walk.end) < 0)
			return -errno;
		size = walk.end;
	} else if (walk.damages > 0) {
		r = mend_rewrite(spool, chain, &walk, &size);
		if (r < 0)
			return r;
	}
	pthread_mutex_lock(&spool->lock);
	if (walk.damages > 0)
		finding_add(spool, SPOOL_DAMAGED, walk.lost_first, walk.lost, "%s%s", name, SEGMENT_DAMAGED);
	segment = look_up(spool, generation, first);
	if (segment) {
		spool->bytes += size - segment->size;
		segment->edition += size != segment->size || walk.damages > 0;
		segment->size = size;
		segment->checked = true;
		if (!segment_after(segment) && walk.whole <= chain->durable.sequence)
			chain->readable = (struct chain_head){.sequence = walk.whole - 1, .hash = walk.head};
	}
	pthread_mutex_unlock(&spool->lock);
	return 0;
}

int mend_check(struct spool *spool, uint32_t generation, uint64_t first)
{
	int r;

	pthread_mutex_lock(&spool->check_lock);
	r = check(spool, generation, first, false);
	pthread_mutex_unlock(&spool->check_lock);
	return r;
}

void mend_suspects(struct spool *spool)
{
	for (;;) {
		struct segment *segment;
		uint32_t generation = 0;
		uint64_t first = 0;

		pthread_mutex_lock(&spool->lock);
		segment = segment_suspect(spool);
		if (segment) {
			/* What cannot be mended now is asked for again. */
			segment->suspect = false;
			generation = segment->chain->generation;
			first = segment->first;
		}
		pthread_mutex_unlock(&spool->lock);
		if (!segment)
			return;
		pthread_mutex_lock(&spool->check_lock);
		(void)check(spool, generation, first, true);
		pthread_mutex_unlock(&spool->check_lock);
		pthread_mutex_lock(&spool->lock);
		consumers_advance(spool);
		readers_wake(spool);
		pthread_mutex_unlock(&spool->lock);
	}
}
