/* SPDX-License-Identifier: MIT */
#include "control_plane/http/limiter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define SETS 16384U /* × 4 × 16 bytes: 1 MiB */
#define WAYS 4U
#define LOCKS 64U
#define SECONDS_PER_MINUTE 60U
#define CODES_PER_MINUTE 600U

/* Tokens are counted in microseconds of refill, so that nothing is rounded: a full bucket holds a minute. */
#define FULL_USEC (SECONDS_PER_MINUTE * USEC_PER_SEC)

struct bucket {
	uint64_t hash; /* 0: free */
	/* When it was, or will be, empty with no more requests: "level" is now - empty_at, at most FULL_USEC. */
	uint64_t empty_at;
};

struct limiter {
	uint64_t cost_usec[LIMIT_KIND_COUNT]; /* of one request; 0: without limit */
	pthread_mutex_t locks[LOCKS];
	struct bucket buckets[SETS][WAYS];
};

int limiter_create(uint32_t per_source, uint32_t per_principal, struct limiter **ret)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));

	if (!limiter)
		return -ENOMEM;
	limiter->cost_usec[LIMIT_SOURCE] = per_source ? FULL_USEC / per_source : 0;
	limiter->cost_usec[LIMIT_FAILURES] = limiter->cost_usec[LIMIT_SOURCE];
	limiter->cost_usec[LIMIT_CODES] = FULL_USEC / CODES_PER_MINUTE;
	limiter->cost_usec[LIMIT_PRINCIPAL] = per_principal ? FULL_USEC / per_principal : 0;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&limiter->locks[i], NULL);
	*ret = limiter;
	return 0;
}

void limiter_destroy(struct limiter *limiter)
{
	if (!limiter)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&limiter->locks[i]);
	free(limiter);
}

/* The key's bucket; else a free one or the fullest, made new: a full bucket says nothing that a new one does not. */
static struct bucket *find(struct bucket set[WAYS], uint64_t hash, uint64_t now)
{
	struct bucket *fullest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].hash == 0 || (fullest->hash != 0 && set[i].empty_at < fullest->empty_at))
			fullest = &set[i];
	}
	fullest->hash = hash;
	fullest->empty_at = now - MIN_OF(now, FULL_USEC);
	return fullest;
}

static uint32_t use(struct limiter *limiter, enum limit_kind kind, const char *key, uint64_t now, bool take)
{
	uint64_t cost = limiter->cost_usec[kind], hash = hash_text(key) + kind, level;
	uint32_t wait = 0;
	pthread_mutex_t *lock;
	struct bucket *bucket;

	if (cost == 0)
		return 0;
	hash = hash ? hash : 1;
	lock = &limiter->locks[hash % LOCKS];
	/* FULL_USEC before the clock's beginning must be a time, too. */
	now += FULL_USEC;
	pthread_mutex_lock(lock);
	bucket = find(limiter->buckets[hash % SETS], hash, now);
	level = now > bucket->empty_at ? MIN_OF(now - bucket->empty_at, FULL_USEC) : 0;
	if (level < cost)
		wait = (uint32_t)((cost - level + USEC_PER_SEC - 1) / USEC_PER_SEC);
	else if (take)
		bucket->empty_at = now - level + cost;
	pthread_mutex_unlock(lock);
	return wait;
}

uint32_t limiter_take(struct limiter *limiter, enum limit_kind kind, const char *key, uint64_t now_usec)
{
	return use(limiter, kind, key, now_usec, true);
}

uint32_t limiter_ask(struct limiter *limiter, enum limit_kind kind, const char *key, uint64_t now_usec)
{
	return use(limiter, kind, key, now_usec, false);
}

const char *limiter_source_key(const struct in6_addr *address, char *out)
{
	struct in6_addr part = *address;

	if (!IN6_IS_ADDR_V4MAPPED(&part))
		memset(part.s6_addr + 8, 0, 8);
	if (!inet_ntop(AF_INET6, &part, out, INET6_ADDRSTRLEN))
		out[0] = '\0';
	return out;
}
