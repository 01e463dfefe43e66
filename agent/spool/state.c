/* SPDX-License-Identifier: MIT
 *
 * How the spool is, what its chain says of itself, and what is signed in its name.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "spool/internal.h"

#define ADMIT_MOST (1024U * 1024)

uint64_t spool_durable(const struct spool *spool)
{
	struct spool *locked = (struct spool *)(uintptr_t)spool;
	uint64_t sequence;

	pthread_mutex_lock(&locked->lock);
	sequence =
		spool->durability == SPOOL_RELAXED ? spool->chain->appended.sequence : spool->chain->durable.sequence;
	pthread_mutex_unlock(&locked->lock);
	return sequence;
}

bool spool_admits(struct spool *spool)
{
	bool admits;

	pthread_mutex_lock(&spool->lock);
	/* More than one record: what a sign-in writes has to fit to its end. */
	admits = spool->when_full != SPOOL_REFUSE ||
		 (room_review(spool, RECORD_ROOM) &&
		  room_for(spool,
			   MIN_OF(MAX_OF(spool->max_bytes / 16, (uint64_t)2 * RECORD_ROOM), (uint64_t)ADMIT_MOST)));
	pthread_mutex_unlock(&spool->lock);
	return admits;
}

void spool_head(struct spool *spool, struct note_key *ret_key, struct chain_head *ret)
{
	pthread_mutex_lock(&spool->lock);
	*ret_key = spool->chain->key;
	*ret = spool->chain->durable;
	pthread_mutex_unlock(&spool->lock);
}

int spool_sign(struct spool *spool, const void *data, size_t length, uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	uint8_t secret[ED25519_SECRET_BYTES];
	int r;

	pthread_mutex_lock(&spool->lock);
	memcpy(secret, spool->chain->secret, sizeof(secret));
	pthread_mutex_unlock(&spool->lock);
	r = ed25519_sign(secret, data, length, signature);
	secret_wipe(secret, sizeof(secret));
	return r;
}

static uint32_t newest_generation(const struct spool *spool)
{
	uint32_t generation = spool->chain->generation;

	for (const struct spool_chain *chain = spool->chains; chain; chain = chain->next)
		generation = MAX_OF(generation, chain->generation);
	for (uint32_t i = 0; i < spool->consumer_count; i++)
		generation = MAX_OF(generation, spool->consumers[i].generation);
	return generation;
}

int spool_begin_chain(struct spool *spool, const char *why)
{
	struct spool_chain *chain = NULL;
	struct segment *segment = NULL;
	uint32_t generation;
	bool under_way;
	int r = 0;

	/* One at a time, and not while a segment is mended. */
	pthread_mutex_lock(&spool->check_lock);
	pthread_mutex_lock(&spool->lock);
	under_way = spool->upcoming != NULL;
	generation = newest_generation(spool) + 1;
	pthread_mutex_unlock(&spool->lock);
	if (!under_way)
		r = chain_create(spool, generation, &chain, &segment);
	if (r == 0 && !under_way) {
		pthread_mutex_lock(&spool->lock);
		spool->upcoming = chain;
		spool->upcoming_segment = segment;
		(void)text_escape(why, strlen(why), spool->upcoming_why, sizeof(spool->upcoming_why));
		spool_wake_loop(spool);
		pthread_mutex_unlock(&spool->lock);
	}
	pthread_mutex_unlock(&spool->check_lock);
	return r;
}

static uint64_t oldest_of(const struct spool *spool)
{
	for (const struct segment *segment = spool->segments; segment; segment = segment->next)
		if (segment->chain == spool->chain)
			return segment->first;
	return 0;
}

/* What is missing between two groups counts as if it were there. */
static uint64_t waiting_for(const struct spool *spool, const struct consumer *consumer)
{
	uint64_t waiting = 0;

	for (const struct spool_chain *chain = spool->chains; chain; chain = chain->next) {
		uint64_t next = chain->generation == consumer->generation ? consumer->next : 1;

		if (chain->generation >= consumer->generation && chain->durable.sequence >= next)
			waiting += chain->durable.sequence - next + 1;
	}
	return waiting;
}

void spool_state(struct spool *spool, struct spool_state *ret)
{
	struct spool_state state = {0};

	pthread_mutex_lock(&spool->lock);
	memcpy(state.chain, spool->chain->id, sizeof(state.chain));
	state.last = spool->chain->appended.sequence;
	state.durable = spool->chain->durable.sequence;
	state.oldest = oldest_of(spool);
	state.bytes = spool->bytes;
	state.max_bytes = spool->max_bytes;
	for (const struct segment *segment = spool->segments; segment; segment = segment->next)
		state.segments++;
	state.groups = spool->groups;
	state.syncs = spool->syncs;
	state.sync_usec = spool->sync_usec;
	state.dropped = spool->dropped;
	state.dropped_untold = spool->dropped_untold;
	state.dropped_first = spool->dropped_first;
	state.dropped_last = spool->dropped_last;
	state.consumers = spool->consumer_count;
	for (uint32_t i = 0; i < spool->consumer_count; i++) {
		memcpy(state.consumer[i].name, spool->consumers[i].name, SPOOL_NAME_MAX);
		state.consumer[i].next = spool->consumers[i].next;
		state.consumer[i].waiting = waiting_for(spool, &spool->consumers[i]);
	}
	memcpy(state.problem, spool->problem, sizeof(state.problem));
	pthread_mutex_unlock(&spool->lock);
	*ret = state;
}

void spool_gap_told(struct spool *spool, uint64_t count)
{
	pthread_mutex_lock(&spool->lock);
	spool->dropped_untold -= MIN_OF(count, spool->dropped_untold);
	pthread_mutex_unlock(&spool->lock);
}
