/* SPDX-License-Identifier: MIT
 *
 * The map as a look-up sees it. A look-up is:
 *
 *	struct map_view view;
 *	unsigned tries = MAP_TRIES;
 *	do {
 *		if (!map_enter(&view))
 *			… unavailable
 *		… read through the view, copying what is wanted into memory of one's own, and check the copy
 *	} while (!map_unchanged(&view) && --tries);
 *
 * Between the two calls the mapping can be replaced under the reader's feet: then every byte may change
 * from one load to the next, but stays readable, and map_unchanged says so. The file's owner could do the
 * same to a published file. So: load once, check what was loaded, and use that.
 *
 * No system call, no lock, no allocation as long as the map in use is not superseded.
 */
#pragma once

#include <endian.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "map_hash.h"

#define MAP_TRIES 8 /* each one lost to a map published meanwhile */

struct map_slot {
	/* Written once, before the slot is first used. */
	const uint8_t *base;
	uint64_t limit; /* readable bytes from base, whatever is mapped there */
	uint8_t *tags;  /* for each block: the tag of the view that checked it */
	/* Of the map in the slot, checked against limit when it was mapped; a late reader may see the next one's. */
	uint64_t seed;
	uint64_t names_offset, names_buckets;
	uint64_t ids_offset, ids_buckets;
	uint64_t records_offset, records_size, records_used;
	uint64_t members_offset, members_size;
	uint64_t sums_offset;
	uint64_t mapped; /* bytes of the file in the slot */
	uint32_t flags;
};

struct map_view {
	const struct map_slot *slot;
	uint64_t stamp;
};

/* The slot in use and a number that no two maps of this process share: number << 8 | slot. 0: none yet. */
extern _Atomic uint64_t map_current;
#define MAP_SLOTS 64U /* a power of two below 1 << MAP_STAMP_SHIFT */
#define MAP_STAMP_SHIFT 8
extern struct map_slot map_slots[MAP_SLOTS];

/* The slow path: there is no map yet, or a newer one. Returns the stamp to use, 0 for none. */
uint64_t map_refresh(uint64_t stamp);
bool map_check_block(const struct map_slot *slot, uint64_t block, uint8_t tag);

static inline const struct nss_map_header *map_header(const struct map_slot *slot)
{
	return (const struct nss_map_header *)(const void *)slot->base;
}

static inline bool map_enter(struct map_view *view)
{
	uint64_t stamp = atomic_load_explicit(&map_current, memory_order_acquire);

	if (__builtin_expect(
		    !stamp || __atomic_load_n(&map_header(&map_slots[stamp % MAP_SLOTS])->superseded, __ATOMIC_ACQUIRE),
		    0)) {
		stamp = map_refresh(stamp);
		if (!stamp)
			return false;
	}
	view->slot = &map_slots[stamp % MAP_SLOTS];
	view->stamp = stamp;
	return true;
}

static inline bool map_unchanged(const struct map_view *view)
{
	atomic_thread_fence(memory_order_acquire);
	return __builtin_expect(atomic_load_explicit(&map_current, memory_order_relaxed) == view->stamp, 1);
}

/* What lies at the offset, up to the end of its block, after a look at the block; NULL: out of bounds, or unfit. */
static inline const uint8_t *map_block_bytes(const struct map_view *view, uint64_t offset)
{
	const struct map_slot *slot = view->slot;
	uint8_t tag = (uint8_t)(view->stamp >> MAP_STAMP_SHIFT);

	if (__builtin_expect(offset >= slot->limit, 0))
		return NULL;
	if (__builtin_expect(__atomic_load_n(&slot->tags[offset / NSS_MAP_BLOCK], __ATOMIC_ACQUIRE) != tag, 0) &&
	    !map_check_block(slot, offset / NSS_MAP_BLOCK, tag))
		return NULL;
	return slot->base + offset;
}

/* Bytes that may span blocks; size > 0. */
const uint8_t *map_many_bytes(const struct map_view *view, uint64_t offset, uint64_t size);
static inline const uint8_t *map_long_bytes(const struct map_view *view, uint64_t offset, uint64_t size)
{
	if (__builtin_expect(offset / NSS_MAP_BLOCK != (offset + size - 1) / NSS_MAP_BLOCK, 0))
		return map_many_bytes(view, offset, size);
	return map_block_bytes(view, offset);
}

/* Runs in a person's record: gid of the first, from NSS_MAP_ID_FIRST, and how many more. */
static inline uint32_t map_run_first(const uint8_t *runs, size_t i)
{
	return le32toh(map_load32(runs + i * sizeof(nss_map_run))) >> 4;
}

static inline uint32_t map_run_more(const uint8_t *runs, size_t i)
{
	return runs[i * sizeof(nss_map_run)] & 15;
}
