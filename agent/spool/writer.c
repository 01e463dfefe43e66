/* SPDX-License-Identifier: MIT
 *
 * The writer: makes one group durable with one write and one sync, while the next one gathers. What the disk refuses
 * is tried again every second and whenever there is room again: an event that has its number keeps it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/internal.h"

#define RETRY_USEC USEC_PER_SEC
#define RELAXED_USEC USEC_PER_SEC
#define RELAXED_BYTES (512U * 1024)
#define KEPT_BYTES ((size_t)128 * 1024) /* of memory, when a flood is over */

uint64_t spool_monotonic_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

static void close_file(struct writing *writing)
{
	if (writing->fd >= 0)
		(void)close(writing->fd);
	writing->fd = -1;
	writing->chain = NULL;
}

void writing_finish(struct writing *writing)
{
	close_file(writing);
	buffer_finish(&writing->content);
	buffer_finish(&writing->chain_block);
}

/* ---- one group ---------------------------------------------------------------------------------- */
/* The group as it will stand in the segment, not sealed yet. */
static int compose(struct buffer *content, struct batch *batch)
{
	struct group group = {.first = batch->first, .count = batch->count, .prev = batch->prev, .head = batch->head};

	memcpy(group.chain, batch->chain->id, sizeof(group.chain));
	group.bytes = (uint32_t)batch->body.length;
	buffer_clear(content);
	(void)buffer_add(content, batch->prev.bytes, SHA256_BYTES);
	(void)buffer_add(content, batch->head.bytes, SHA256_BYTES);
	if (content->failed || !buffer_text(&batch->body))
		return -ENOMEM;
	return group_write(&group, &batch->chain->key, batch->chain->secret, batch->body.data, content);
}

/* The segment that the chain's last group is in, as it was left. */
static int open_last(struct spool *spool, struct spool_chain *chain)
{
	struct writing *writing = &spool->writing;
	const struct segment *segment;
	char name[SEGMENT_NAME_MAX];

	pthread_mutex_lock(&spool->lock);
	segment = segment_of(spool, chain, TLOG_SIZE_MAX);
	if (segment) {
		segment_name_of(segment, name);
		writing->first = segment->first;
		writing->size = segment->size;
	}
	pthread_mutex_unlock(&spool->lock);
	if (!segment)
		return -ENOENT;
	writing->fd = openat(spool->dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (writing->fd < 0)
		return -errno;
	/* It may have been mended, and be another file than the folder on disk says. */
	if (fsync(spool->dirfd) < 0) {
		int r = -errno;

		close_file(writing);
		return r;
	}
	writing->chain = chain;
	return 0;
}

/* A new file that begins with this group. */
static int begin_file(struct spool *spool, const struct batch *batch)
{
	struct writing *writing = &spool->writing;
	struct segment_name parts = {.generation = batch->chain->generation, .first = batch->first};
	char name[SEGMENT_NAME_MAX];
	int r;

	close_file(writing);
	r = chain_block(&spool->seal_key, batch->chain, batch->first, &batch->prev, &writing->chain_block);
	if (r < 0)
		return r;
	memcpy(parts.chain, batch->chain->id, sizeof(parts.chain));
	segment_name_write(&parts, name);
	/* What is left of an attempt that failed, if that could not be removed; nothing in it was ever durable. */
	(void)unlinkat(spool->dirfd, name, 0);
	writing->fd = openat(spool->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writing->fd < 0)
		return -errno;
	writing->chain = batch->chain;
	writing->first = batch->first;
	writing->size = 0;
	return 0;
}

static void abandon_file(struct spool *spool)
{
	struct writing *writing = &spool->writing;
	struct segment_name parts = {.generation = writing->chain->generation, .first = writing->first};
	char name[SEGMENT_NAME_MAX];

	memcpy(parts.chain, writing->chain->id, sizeof(parts.chain));
	segment_name_write(&parts, name);
	(void)unlinkat(spool->dirfd, name, 0);
	close_file(writing);
}

static int write_all(int fd, struct iovec *parts, int count, uint64_t offset)
{
	while (count > 0) {
		ssize_t n = pwritev(fd, parts, count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		offset += (uint64_t)n;
		while (count > 0 && (size_t)n >= parts->iov_len) {
			n -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* Writes and syncs what is composed. *what: the step that failed. */
static int put_group(struct spool *spool, const struct batch *batch, bool fresh, const char **what)
{
	struct writing *writing = &spool->writing;
	struct block block = {.kind = BLOCK_GROUP, .first = batch->first, .count = batch->count};
	size_t before = fresh ? writing->chain_block.length : 0;
	struct block_place place = {
		.key = &spool->seal_key,
		.chain = batch->chain->id,
		.segment = writing->first,
		.offset = writing->size + before,
	};
	struct iovec parts[2];
	int r;

	*what = "sealing";
	r = block_seal(&place, &block, &writing->content);
	if (r < 0)
		return r;
	pthread_mutex_lock(&spool->lock);
	room_make(spool, before + writing->content.length);
	pthread_mutex_unlock(&spool->lock);
	parts[0] = (struct iovec){writing->chain_block.data, before};
	parts[1] = (struct iovec){writing->content.data, writing->content.length};
	*what = "writing";
	r = fresh ? write_all(writing->fd, parts, 2, 0) : write_all(writing->fd, parts + 1, 1, writing->size);
	if (r < 0)
		return r;
	*what = "syncing";
	if (fdatasync(writing->fd) < 0 || (fresh && fsync(spool->dirfd) < 0)) {
		/* The kernel may have forgotten what it could not write: it is written anew, elsewhere. */
		r = -errno;
		writing->roll = true;
		return r;
	}
	writing->size += before + writing->content.length;
	writing->roll = false;
	return 0;
}

/* The file has its name, and all that was written to it. Who took it away or cut it short would otherwise have what
 * comes now as well, and we would go on to say that it is on disk. */
static bool is_there(const struct writing *writing)
{
	struct stat st;

	return fstat(writing->fd, &st) == 0 && st.st_nlink > 0 && (uint64_t)st.st_size >= writing->size;
}

/* What is written to is another file afterwards, or the same one mended. */
static void look_at_own(struct spool *spool)
{
	struct writing *writing = &spool->writing;
	const struct spool_chain *chain = writing->chain;
	struct segment *segment;

	pthread_mutex_lock(&spool->lock);
	segment = segment_find(spool, chain, writing->first);
	if (segment) {
		segment->checked = false;
		segment->suspect = true;
	}
	pthread_mutex_unlock(&spool->lock);
	mend_suspects(spool);
	pthread_mutex_lock(&spool->lock);
	segment = segment_find(spool, chain, writing->first);
	writing->roll = writing->roll || (segment && !segment->checked);
	pthread_mutex_unlock(&spool->lock);
	close_file(writing);
}

static int write_batch(struct spool *spool, struct batch *batch, bool *ret_fresh, const char **what)
{
	struct writing *writing = &spool->writing;
	uint64_t most;
	bool fresh;
	int r = 0;

	*what = "opening";
	if (writing->fd >= 0 && writing->chain != batch->chain)
		close_file(writing);
	if (writing->fd >= 0 && !writing->roll && !is_there(writing))
		look_at_own(spool);
	if (writing->fd < 0 && !writing->roll)
		r = open_last(spool, batch->chain);
	if (r < 0 && r != -ENOENT)
		return r;
	pthread_mutex_lock(&spool->lock);
	most = room_segment_bytes(spool);
	pthread_mutex_unlock(&spool->lock);
	/* A file of the chain that holds no group yet takes the first one, whatever its size. */
	fresh = writing->fd < 0 || writing->roll || (writing->size >= most && writing->first != batch->first);
	if (fresh && writing->fd >= 0 && writing->first == batch->first && writing->chain == batch->chain) {
		/* What is in doubt is this very file. It begins with the same group again. */
		close_file(writing);
	}
	if (fresh) {
		r = begin_file(spool, batch);
		if (r < 0) {
			writing->roll = true;
			return r;
		}
	}
	r = compose(&writing->content, batch);
	if (r == 0)
		r = put_group(spool, batch, fresh, what);
	if (r < 0) {
		if (fresh) {
			writing->roll = true;
			abandon_file(spool);
		} else if (ftruncate(writing->fd, (off_t)writing->size) < 0) {
			writing->roll = true;
		}
	}
	*ret_fresh = fresh;
	return r;
}

/* ---- the queue ---------------------------------------------------------------------------------- */
static void pop(struct spool *spool, struct batch *batch)
{
	spool->queue = batch->next;
	if (!spool->queue)
		spool->queue_last = &spool->queue;
	spool->queue_bytes -= batch->body.length + BATCH_MORE;
	buffer_finish(&batch->body);
	free(batch);
}

/* The segment that is written to is as large now. `spare` becomes a new one. */
static void count_segment(struct spool *spool, const struct batch *batch, bool fresh, struct segment **spare)
{
	const struct writing *writing = &spool->writing;
	struct segment *segment = segment_find(spool, batch->chain, writing->first);

	if (fresh && !segment) {
		segment = TAKE_PTR(*spare);
		segment->chain = batch->chain;
		segment->first = writing->first;
		segment->size = writing->size;
		segment->checked = true;
		segment_insert(spool, segment);
		return;
	}
	if (fresh)
		segment->edition++;
	spool->bytes += writing->size - segment->size;
	segment->size = writing->size;
	segment->checked = segment->checked || fresh;
}

static void failed(struct spool *spool, const char *what, int error)
{
	spool->broken = true;
	spool->retry_usec = spool_monotonic_usec() + RETRY_USEC;
	(void)snprintf(spool->broken_why, sizeof(spool->broken_why), "%s: %s", what, strerror(-error));
	(void)room_review(spool, RECORD_ROOM);
	pthread_cond_broadcast(&spool->drained);
}

/* Lock held; let go while writing. */
static int write_next(struct spool *spool)
{
	struct batch *batch = spool->queue;
	struct segment *spare = calloc(1, sizeof(*spare));
	const char *what = "memory";
	uint64_t before, after;
	bool fresh = false;
	int r = -ENOMEM;

	batch->writing = true;
	pthread_mutex_unlock(&spool->lock);
	before = spool_monotonic_usec();
	if (spare)
		r = write_batch(spool, batch, &fresh, &what);
	after = spool_monotonic_usec();
	pthread_mutex_lock(&spool->lock);
	if (r < 0) {
		failed(spool, what, r);
		free(spare);
		return r;
	}
	count_segment(spool, batch, fresh, &spare);
	free(spare);
	batch->chain->durable.sequence = batch->first + batch->count - 1;
	batch->chain->durable.hash = batch->head;
	batch->chain->readable = batch->chain->durable;
	spool->groups++;
	spool->syncs += fresh ? 2 : 1;
	spool->sync_usec += after - before;
	spool->broken = false;
	pop(spool, batch);
	(void)room_review(spool, RECORD_ROOM);
	spool_wake_loop(spool);
	readers_wake(spool);
	if (!spool->queue) {
		/* All of it is wiped for each group. */
		if (spool->writing.content.capacity > KEPT_BYTES)
			buffer_finish(&spool->writing.content);
		spool->hurry = false;
		pthread_cond_broadcast(&spool->drained);
	}
	if (fresh)
		room_free(spool);
	return 0;
}

/* When the first of the queue is due; 0: now. */
static uint64_t due(const struct spool *spool)
{
	uint64_t at = 0;

	if (spool->stopping)
		return 0;
	if (spool->broken)
		return spool->retry_usec;
	if (spool->durability == SPOOL_RELAXED && !spool->hurry && spool->queue_bytes < RELAXED_BYTES)
		at = spool->queue->since_usec + RELAXED_USEC;
	return at;
}

static void wait_until(struct spool *spool, uint64_t usec)
{
	struct timespec at = {
		.tv_sec = (time_t)(usec / USEC_PER_SEC),
		.tv_nsec = (long)(usec % USEC_PER_SEC * 1000),
	};

	(void)pthread_cond_timedwait(&spool->work, &spool->lock, &at);
}

/* An old segment that nobody looked at yet. Lock held; let go meanwhile. False: there is none. */
static bool look_through_one(struct spool *spool, uint32_t *generation, uint64_t *first)
{
	struct segment *segment = spool->segments;

	/* One that could not be mended is not tried over and over: only what is behind the last one. */
	while (segment && (segment->checked || !segment_after(segment) || segment->chain->generation < *generation ||
			   (segment->chain->generation == *generation && segment->first <= *first)))
		segment = segment->next;
	if (!segment)
		return false;
	*generation = segment->chain->generation;
	*first = segment->first;
	pthread_mutex_unlock(&spool->lock);
	(void)mend_check(spool, *generation, *first);
	pthread_mutex_lock(&spool->lock);
	return true;
}

/* Lock held; let go meanwhile. */
static void look_through_suspects(struct spool *spool)
{
	pthread_mutex_unlock(&spool->lock);
	mend_suspects(spool);
	close_file(&spool->writing); /* it may be another one now */
	pthread_mutex_lock(&spool->lock);
}

void *writer_run(void *context)
{
	struct spool *spool = context;
	uint32_t generation = 0;
	uint64_t first = 0;

	pthread_mutex_lock(&spool->lock);
	for (;;) {
		if (segment_suspect(spool) && !spool->stopping)
			look_through_suspects(spool);
		if (spool->queue) {
			uint64_t at = due(spool);

			if (at > 0 && at > spool_monotonic_usec()) {
				wait_until(spool, at);
				continue;
			}
			if (write_next(spool) < 0 && spool->stopping)
				break;
			continue;
		}
		if (spool->stopping)
			break;
		if (!look_through_one(spool, &generation, &first))
			pthread_cond_wait(&spool->work, &spool->lock);
	}
	pthread_mutex_unlock(&spool->lock);
	return NULL;
}
