/* SPDX-License-Identifier: MIT
 *
 * The spool as the loop's thread has it: made, appended to, ended.
 */
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "spool/internal.h"
#include "thread/mailbox.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_CHARS 32U
/* How long the loop waits for what an older chain still has to write before the next one begins. */
#define DRAIN_USEC (2 * USEC_PER_SEC)

static int read_boot_id(char out[BOOT_ID_CHARS + 1])
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	unsigned have = 0;
	int r = file_read(AT_FDCWD, BOOT_ID_PATH, 64, FILE_TRUST_ANY, 0, &text, NULL);

	if (r < 0)
		return r;
	for (size_t i = 0; i < text.length && have < BOOT_ID_CHARS; i++)
		if (text.data[i] != '-' && text.data[i] != '\n')
			out[have++] = text.data[i];
	out[have] = '\0';
	return have == BOOT_ID_CHARS ? 0 : -EIO;
}

/* ---- the loop is told --------------------------------------------------------------------------- */
static void tell_durable(struct spool *spool)
{
	uint64_t sequence;

	pthread_mutex_lock(&spool->lock);
	sequence = spool->chain->durable.sequence;
	pthread_mutex_unlock(&spool->lock);
	if (sequence <= spool->told_durable)
		return;
	spool->told_durable = sequence;
	if (spool->hooks.durable)
		spool->hooks.durable(spool->hooks.context, sequence);
}

/* Whoever waits for a number of the old chain has to have its answer before numbers begin anew. */
static void adopt_upcoming(struct spool *spool)
{
	uint64_t until = spool_monotonic_usec() + DRAIN_USEC;
	struct timespec at = {
		.tv_sec = (time_t)(until / USEC_PER_SEC),
		.tv_nsec = (long)(until % USEC_PER_SEC * 1000),
	};
	struct spool_chain **last = &spool->chains;

	pthread_mutex_lock(&spool->lock);
	if (!spool->upcoming) {
		pthread_mutex_unlock(&spool->lock);
		return;
	}
	while (spool->queue && !spool->broken) {
		spool->hurry = true;
		pthread_cond_signal(&spool->work);
		if (pthread_cond_timedwait(&spool->drained, &spool->lock, &at) != 0)
			break;
	}
	pthread_mutex_unlock(&spool->lock);
	tell_durable(spool);

	pthread_mutex_lock(&spool->lock);
	while (*last)
		last = &(*last)->next;
	*last = spool->chain = TAKE_PTR(spool->upcoming);
	segment_insert(spool, TAKE_PTR(spool->upcoming_segment));
	spool->told_durable = 0;
	finding_add(spool, SPOOL_CHAIN_BEGAN, 0, 0, "%s", spool->upcoming_why);
	consumers_advance(spool);
	readers_wake(spool);
	pthread_mutex_unlock(&spool->lock);
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct spool *spool = context;
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	tell_durable(spool);
	adopt_upcoming(spool);
	finding_dispatch(spool);
	return 0;
}

/* ---- beginning and end -------------------------------------------------------------------------- */
static int init_locks(struct spool *spool)
{
	pthread_condattr_t attributes;
	int r;

	pthread_mutex_init(&spool->lock, NULL);
	pthread_mutex_init(&spool->check_lock, NULL);
	pthread_mutex_init(&spool->consumer_lock, NULL);
	r = pthread_condattr_init(&attributes);
	if (r == 0) {
		(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		pthread_cond_init(&spool->work, &attributes);
		pthread_cond_init(&spool->drained, &attributes);
		pthread_condattr_destroy(&attributes);
	}
	return -r;
}

static struct spool *allocate(const struct spool_options *options, const struct spool_hooks *hooks)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	if (!spool)
		return NULL;
	spool->loop_fd = spool->dirfd = spool->writing.fd = -1;
	spool->writing.content.wipe = true;
	spool->queue_last = &spool->queue;
	spool->findings_last = &spool->findings;
	spool->seal_key = *options->seal_key;
	spool->max_bytes = options->max_bytes;
	spool->durability = options->durability;
	spool->when_full = options->when_full;
	if (hooks)
		spool->hooks = *hooks;
	if (init_locks(spool) < 0) {
		free(spool);
		return NULL;
	}
	return spool;
}

int spool_create(sd_event *event, const struct spool_options *options, const struct spool_hooks *hooks,
		 struct spool **ret, struct problem *problem)
{
	_cleanup_(spool_destroyp) struct spool *spool = NULL;
	int r;

	if (!options->seal_key)
		return problem_set(problem, ENOKEY, "there is no sealing key, and nothing is written down without one");
	spool = allocate(options, hooks);
	if (!spool)
		return problem_set(problem, ENOMEM, "out of memory");
	r = read_boot_id(spool->boot);
	if (r < 0)
		return problem_set(problem, -r, "%s cannot be read: %s", BOOT_ID_PATH, strerror(-r));
	spool->loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spool->loop_fd < 0)
		return problem_set(problem, errno, "no eventfd: %s", strerror(errno));
	r = directory_open(spool, options->directory, problem);
	if (r == 0)
		r = start_scan(spool, problem);
	if (r < 0)
		return r;
	spool->told_durable = spool->chain->durable.sequence;
	if (event) {
		spool->event = sd_event_ref(event);
		r = sd_event_add_io(event, &spool->source, spool->loop_fd, EPOLLIN, on_news, spool);
		if (r < 0)
			return problem_set(problem, -r, "the loop takes nothing more: %s", strerror(-r));
		(void)sd_event_source_set_description(spool->source, "audit-spool");
	}
	r = thread_start(&spool->thread, writer_run, spool);
	if (r < 0)
		return problem_set(problem, -r, "no thread: %s", strerror(-r));
	spool->started = true;
	*ret = TAKE_PTR(spool);
	return 0;
}

static void free_chains(struct spool_chain *chain)
{
	while (chain) {
		struct spool_chain *next = chain->next;

		chain_free(chain);
		chain = next;
	}
}

static void free_lists(struct spool *spool)
{
	while (spool->segments) {
		struct segment *next = spool->segments->next;

		free(spool->segments);
		spool->segments = next;
	}
	while (spool->queue) {
		struct batch *next = spool->queue->next;

		buffer_finish(&spool->queue->body);
		free(spool->queue);
		spool->queue = next;
	}
	while (spool->findings) {
		struct finding *next = spool->findings->next;

		free(spool->findings);
		spool->findings = next;
	}
	aside_free(spool->asides);
	free(spool->upcoming_segment);
}

void spool_destroy(struct spool *spool)
{
	if (!spool)
		return;
	if (spool->started) {
		pthread_mutex_lock(&spool->lock);
		spool->stopping = true;
		pthread_cond_signal(&spool->work);
		pthread_mutex_unlock(&spool->lock);
		(void)pthread_join(spool->thread, NULL);
	}
	sd_event_source_disable_unref(spool->source);
	sd_event_unref(spool->event);
	writing_finish(&spool->writing);
	free_lists(spool);
	free_chains(spool->chains);
	chain_free(spool->upcoming);
	if (spool->loop_fd >= 0)
		(void)close(spool->loop_fd);
	if (spool->dirfd >= 0)
		(void)close(spool->dirfd);
	pthread_cond_destroy(&spool->work);
	pthread_cond_destroy(&spool->drained);
	pthread_mutex_destroy(&spool->lock);
	pthread_mutex_destroy(&spool->check_lock);
	pthread_mutex_destroy(&spool->consumer_lock);
	secret_wipe(&spool->seal_key, sizeof(spool->seal_key));
	free(spool);
}

void spool_set_policy(struct spool *spool, uint64_t max_bytes, enum spool_durability durability,
		      enum spool_when_full when_full)
{
	pthread_mutex_lock(&spool->lock);
	spool->max_bytes = max_bytes;
	spool->durability = durability;
	spool->when_full = when_full;
	(void)room_review(spool, RECORD_ROOM);
	pthread_cond_signal(&spool->work);
	pthread_mutex_unlock(&spool->lock);
}

/* ---- appending ---------------------------------------------------------------------------------- */
int spool_next(struct spool *spool, struct leaf_link *ret)
{
	const struct chain_head *head = &spool->chain->appended;
	bool room;

	pthread_mutex_lock(&spool->lock);
	room = room_review(spool, RECORD_ROOM);
	if (!room) {
		int64_t now = clock_realtime_sec();

		if (spool->dropped_untold == 0)
			spool->dropped_first = now;
		spool->dropped_last = now;
		spool->dropped++;
		spool->dropped_untold++;
	}
	pthread_mutex_unlock(&spool->lock);
	if (!room)
		return -ENOSPC;
	memcpy(ret->chain, spool->chain->id, sizeof(ret->chain));
	memcpy(ret->boot, spool->boot, sizeof(ret->boot));
	ret->sequence = head->sequence + 1;
	memcpy(ret->prev, head->hash.bytes, sizeof(ret->prev));
	return 0;
}

/* The batch that gathers; a new one where there is none, or it is full. */
static struct batch *gathering(struct spool *spool, size_t more)
{
	struct batch *batch = NULL;

	if (spool->queue && spool->durability != SPOOL_EACH) {
		batch = spool->queue;
		while (batch->next)
			batch = batch->next;
	}
	if (batch && !batch->writing && batch->chain == spool->chain && batch->count < GROUP_RECORDS_MAX &&
	    batch->body.length + more <= GROUP_BYTES_MAX)
		return batch;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return NULL;
	batch->chain = spool->chain;
	batch->prev = spool->chain->appended.hash;
	batch->first = spool->chain->appended.sequence + 1;
	batch->since_usec = spool_monotonic_usec();
	batch->body.wipe = true;
	return batch;
}

static int add_record(struct spool *spool, const char *leaf, size_t leaf_length, const char *personal,
		      size_t personal_length, const struct tlog_hash *hash)
{
	size_t more = leaf_length + personal_length + 2;
	struct batch *batch = gathering(spool, more);
	char *at;

	if (!batch)
		return -ENOMEM;
	at = buffer_reserve(&batch->body, more);
	if (!at) {
		batch->body.failed = false;
		if (batch->count == 0) {
			buffer_finish(&batch->body);
			free(batch);
		}
		return -ENOMEM;
	}
	memcpy(at, leaf, leaf_length);
	at[leaf_length] = '\n';
	memcpy(at + leaf_length + 1, personal, personal_length);
	at[more - 1] = '\n';
	batch->body.length += more;
	spool->queue_bytes += more;
	if (batch->count++ == 0) {
		*spool->queue_last = batch;
		spool->queue_last = &batch->next;
		spool->queue_bytes += BATCH_MORE;
	}
	batch->head = *hash;
	spool->chain->appended.sequence++;
	spool->chain->appended.hash = *hash;
	return 0;
}

int spool_append(struct spool *spool, const char *leaf, size_t leaf_length, const char *personal,
		 size_t personal_length)
{
	struct tlog_hash hash;
	int r;

	if (leaf_length == 0 || leaf_length > LEAF_BYTES_MAX || personal_length == 0 ||
	    personal_length > RECORD_BYTES_MAX - LEAF_BYTES_MAX - 2 || memchr(leaf, '\n', leaf_length) ||
	    memchr(personal, '\n', personal_length))
		return -EINVAL;
	r = tlog_leaf_hash(leaf, leaf_length, &hash);
	if (r < 0)
		return r;
	pthread_mutex_lock(&spool->lock);
	r = add_record(spool, leaf, leaf_length, personal, personal_length, &hash);
	pthread_cond_signal(&spool->work);
	pthread_mutex_unlock(&spool->lock);
	return r;
}

uint64_t spool_last(const struct spool *spool)
{
	return spool->chain->appended.sequence;
}
