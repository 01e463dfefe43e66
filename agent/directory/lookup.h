/* SPDX-License-Identifier: MIT
 *
 * A look-up table that is built once: from keyed hashes to record numbers, four bytes a slot (eight bits
 * of tag, 24 of number), a little over one slot a record. Smaller than struct hash_index, which can grow.
 * The caller compares the records and never puts equal keys in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define LOOKUP_VALUES_MAX 0xfffffeU

struct lookup {
	uint32_t *slots; /* 0: free */
	uint32_t size;
};

static inline int lookup_init(struct lookup *lookup, uint32_t count)
{
	uint32_t size = count + count / 5 * 2 + 8; /* seven tenths full at most */

	lookup->slots = calloc(size, sizeof(*lookup->slots));
	lookup->size = lookup->slots ? size : 0;
	return lookup->slots ? 0 : -1;
}

static inline void lookup_finish(struct lookup *lookup)
{
	free(lookup->slots);
	*lookup = (struct lookup){0};
}

static inline uint32_t lookup_home(const struct lookup *lookup, uint64_t hash)
{
	return (uint32_t)(((hash >> 32) * lookup->size) >> 32);
}

/* Walks the candidates for this hash: start with *cursor = 0; false at the end. */
static inline bool lookup_next(const struct lookup *lookup, uint64_t hash, uint32_t *cursor, uint32_t *ret_value)
{
	uint32_t at;

	if (lookup->size == 0)
		return false;
	at = lookup_home(lookup, hash) + *cursor;
	if (at >= lookup->size)
		at -= lookup->size;
	for (uint32_t slot; (slot = lookup->slots[at]) != 0;) {
		++*cursor;
		if (slot >> 24 == (hash & 0xff)) {
			*ret_value = (slot & 0xffffff) - 1;
			return true;
		}
		if (++at == lookup->size)
			at = 0;
	}
	return false;
}

static inline void lookup_put(struct lookup *lookup, uint64_t hash, uint32_t value)
{
	uint32_t at = lookup_home(lookup, hash);

	while (lookup->slots[at] != 0)
		if (++at == lookup->size)
			at = 0;
	lookup->slots[at] = (uint32_t)(hash & 0xff) << 24 | (value + 1);
}
