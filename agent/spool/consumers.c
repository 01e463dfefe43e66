/* SPDX-License-Identifier: MIT
 *
 * Consumers: who wants what is written here, and how far each of them is. Kept in one sealed file; nothing is freed
 * that this file does not say everybody has.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "spool/internal.h"

#define PURPOSE "audit-consumers"
#define HEAD "tenantd-audit-consumers/v1\n"
#define FILE_MAX 16384U

bool consumer_has(const struct consumer *consumer, const struct segment *segment)
{
	if (consumer->kept_generation != segment->chain->generation)
		return consumer->kept_generation > segment->chain->generation;
	return consumer->kept_next > segment_last(segment);
}

bool chain_is_written(const struct spool *spool, const struct spool_chain *chain)
{
	for (const struct batch *batch = spool->queue; batch; batch = batch->next)
		if (batch->chain == chain)
			return true;
	return chain == spool->chain;
}

static uint64_t first_of(const struct spool *spool, const struct spool_chain *chain)
{
	for (const struct segment *segment = spool->segments; segment; segment = segment->next)
		if (segment->chain == chain)
			return segment->first;
	return 1;
}

static void advance(struct spool *spool, struct consumer *consumer)
{
	for (;;) {
		const struct spool_chain *chain = chain_find(spool, consumer->generation);

		if (!chain || !chain->next || consumer->next <= chain->readable.sequence ||
		    chain_is_written(spool, chain))
			return;
		consumer->generation = chain->next->generation;
		consumer->next = first_of(spool, chain->next);
	}
}

void consumers_advance(struct spool *spool)
{
	for (uint32_t i = 0; i < spool->consumer_count; i++)
		advance(spool, &spool->consumers[i]);
}

static int read_line(struct spool *spool, char *line)
{
	struct consumer *consumer = &spool->consumers[spool->consumer_count];
	char *next = strchr(line, ' '), *name = next ? strchr(next + 1, ' ') : NULL;

	if (!name || spool->consumer_count == SPOOL_CONSUMERS_MAX || strlen(name + 1) >= SPOOL_NAME_MAX)
		return -EBADMSG;
	*next++ = *name++ = '\0';
	*consumer = (struct consumer){0};
	if (parse_u32(line, &consumer->generation) < 0 || parse_u64(next, &consumer->next) < 0 || consumer->next == 0 ||
	    consumer->next > TLOG_SIZE_MAX || name[0] == '\0')
		return -EBADMSG;
	(void)snprintf(consumer->name, sizeof(consumer->name), "%s", name);
	consumer->kept_generation = consumer->generation;
	consumer->kept_next = consumer->next;
	spool->consumer_count++;
	return 0;
}

int consumers_load(struct spool *spool)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, plain = BUFFER_INIT;
	char *line, *rest;
	int r;

	r = file_read(spool->dirfd, SPOOL_CONSUMERS_NAME, FILE_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = unseal(&spool->seal_key, PURPOSE, sealed.data, sealed.length, &plain);
	if (r == 0 && !buffer_text(&plain))
		r = -ENOMEM;
	if (r == 0 && (strlen(plain.data) != plain.length || strncmp(plain.data, HEAD, strlen(HEAD)) != 0))
		r = -EBADMSG;
	if (r == 0) {
		line = strtok_r(plain.data + strlen(HEAD), "\n", &rest);
		for (; line && r == 0; line = strtok_r(NULL, "\n", &rest))
			r = read_line(spool, line);
	}
	if (r == -EBADMSG || r == -EPERM || r == -EFBIG || r == -EINVAL || r == -ELOOP || r == -EIO) {
		/* They come again, and get what is here once more: at least once is what they were promised. */
		spool->consumer_count = 0;
		finding_add(spool, SPOOL_REPAIRED, 0, sealed.length,
			    "who has read how far does not open any more: what is here is sent once more");
		r = mend_put_aside(spool, SPOOL_CONSUMERS_NAME, sealed.length);
	}
	return r;
}

int consumers_save(struct spool *spool)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct consumer kept[SPOOL_CONSUMERS_MAX];
	uint32_t count;
	int r;

	pthread_mutex_lock(&spool->consumer_lock);
	pthread_mutex_lock(&spool->lock);
	count = spool->consumer_count;
	memcpy(kept, spool->consumers, sizeof(kept));
	pthread_mutex_unlock(&spool->lock);

	(void)buffer_add_text(&text, HEAD);
	for (uint32_t i = 0; i < count; i++)
		(void)buffer_printf(&text, "%" PRIu32 " %" PRIu64 " %s\n", kept[i].generation, kept[i].next,
				    kept[i].name);
	r = text.failed ? -ENOMEM : seal_in_place(&spool->seal_key, PURPOSE, &text);
	if (r == 0)
		r = file_replace(spool->dirfd, SPOOL_CONSUMERS_NAME, text.data, text.length, 0600, NULL);
	if (r == 0) {
		pthread_mutex_lock(&spool->lock);
		for (uint32_t i = 0; i < count; i++)
			for (uint32_t j = 0; j < spool->consumer_count; j++)
				if (strcmp(kept[i].name, spool->consumers[j].name) == 0) {
					spool->consumers[j].kept_generation = kept[i].generation;
					spool->consumers[j].kept_next = kept[i].next;
				}
		pthread_mutex_unlock(&spool->lock);
	}
	pthread_mutex_unlock(&spool->consumer_lock);
	return r;
}
