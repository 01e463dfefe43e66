/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/token_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 2048U /* a power of two */
#define WAYS 4U    /* what falls into one set pushes out the oldest there */

struct entry {
	uint64_t generation; /* another than the cache's: free */
	uint8_t digest[SHA256_BYTES];
	struct cached_token token;
};
struct token_cache {
	pthread_mutex_t lock;
	uint64_t generation; /* from 1 on */
	struct entry entries[SETS][WAYS];
	uint8_t oldest[SETS];
};

int token_cache_create(struct token_cache **ret)
{
	struct token_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	(void)pthread_mutex_init(&cache->lock, NULL);
	cache->generation = 1;
	*ret = cache;
	return 0;
}

void token_cache_destroy(struct token_cache *cache)
{
	if (!cache)
		return;
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Whoever has no signed token cannot put one here, so nobody chooses sets. */
static uint32_t set_of(const uint8_t digest[SHA256_BYTES])
{
	return (digest[0] | (uint32_t)digest[1] << 8) % SETS;
}

uint64_t token_cache_generation(struct token_cache *cache)
{
	uint64_t generation;

	(void)pthread_mutex_lock(&cache->lock);
	generation = cache->generation;
	(void)pthread_mutex_unlock(&cache->lock);
	return generation;
}

/* Locked. NULL: it is not there. */
static struct entry *find(struct token_cache *cache, const uint8_t digest[SHA256_BYTES])
{
	struct entry *set = cache->entries[set_of(digest)];

	for (uint32_t i = 0; i < WAYS; i++)
		if (set[i].generation == cache->generation && memcmp(set[i].digest, digest, SHA256_BYTES) == 0)
			return &set[i];
	return NULL;
}

void token_cache_put(struct token_cache *cache, uint64_t generation, const uint8_t digest[SHA256_BYTES],
		     const struct cached_token *token)
{
	uint32_t set = set_of(digest);

	(void)pthread_mutex_lock(&cache->lock);
	if (generation == cache->generation && !find(cache, digest)) {
		struct entry *entry = &cache->entries[set][cache->oldest[set]];

		cache->oldest[set] = (uint8_t)((cache->oldest[set] + 1U) % WAYS);
		entry->generation = generation;
		memcpy(entry->digest, digest, SHA256_BYTES);
		entry->token = *token;
	}
	(void)pthread_mutex_unlock(&cache->lock);
}

bool token_cache_find(struct token_cache *cache, const uint8_t digest[SHA256_BYTES], struct cached_token *ret)
{
	const struct entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = find(cache, digest);
	if (entry)
		*ret = entry->token;
	(void)pthread_mutex_unlock(&cache->lock);
	return entry != NULL;
}

void token_cache_clear(struct token_cache *cache)
{
	(void)pthread_mutex_lock(&cache->lock);
	cache->generation++;
	(void)pthread_mutex_unlock(&cache->lock);
}
