/* SPDX-License-Identifier: MIT
 *
 * Finding records. What is found is where the record lies, checked (map_check.c) when its block was first
 * used. Its owner could still change it under us, so callers load lengths once and hold them against
 * `room`; within that nothing can fault.
 */
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "map_reader.h"

enum map_answer {
	MAP_BROKEN = -1, /* the map contradicts itself */
	MAP_MISSING = 0,
	MAP_FOUND = 1,
};

struct map_record {
	const uint8_t *at;
	uint32_t room; /* bytes from there to the end of its block */
};

static inline uint8_t map_kind(const struct map_record *record)
{
	return record->at[0];
}

/* The slots of the bucket that have the tag, as bits; and whether keys passed by. */
static inline uint32_t map_slots_with(const uint8_t *bucket, uint16_t tag)
{
#ifdef __SSE2__
	__m128i wanted = _mm_set1_epi16((short)tag);
	__m128i low = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)bucket), wanted);
	__m128i high = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)(bucket + 16)), wanted);

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high)) & ((1U << NSS_MAP_SLOTS) - 1);
#else
	uint16_t tags[NSS_MAP_SLOTS];
	uint32_t bits = 0;

	memcpy(tags, bucket, sizeof(tags));
	for (unsigned i = 0; i < NSS_MAP_SLOTS; i++)
		bits |= (uint32_t)(tags[i] == tag) << i;
	return bits;
#endif
}

static inline bool map_has_overflow(const uint8_t *bucket)
{
	uint16_t overflow;

	memcpy(&overflow, bucket + offsetof(struct nss_map_bucket, overflow), sizeof(overflow));
	return overflow != 0;
}

/* Where a slot's record is, in bytes from the start of the records. */
static inline uint64_t map_slot_record(const uint8_t *bucket, unsigned slot)
{
	return (uint64_t)map_load32(bucket + offsetof(struct nss_map_bucket, records) + sizeof(uint32_t) * slot) *
	       NSS_MAP_UNIT;
}

/* Names are short, mostly under 16 bytes: two overlapping words beat a call of memcmp. */
static inline bool map_same_name(const uint8_t *text, const char *name, size_t length)
{
	if (__builtin_expect(length >= 8 && length <= 16, 1))
		return !((map_load64(text) ^ map_load64(name)) |
			 (map_load64(text + length - 8) ^ map_load64(name + length - 8)));
	if (length >= 4 && length < 8)
		return !((map_load32(text) ^ map_load32(name)) |
			 (map_load32(text + length - 4) ^ map_load32(name + length - 4)));
	return memcmp(text, name, length) == 0;
}

/* What is looked for: a name with its length, or (name NULL) an id; and its hash. */
struct map_key {
	const char *name;
	size_t length;
	uint32_t id;
	uint64_t hash;
};

static inline bool map_has_key(const struct map_record *record, const struct map_key *key)
{
	if (!key->name)
		return map_load32(record->at + offsetof(struct nss_map_record, id)) == key->id;
	return record->at[1] == key->length && record->room > NSS_MAP_UNIT + key->length &&
	       map_same_name(record->at + NSS_MAP_UNIT, key->name, key->length);
}

/* The key of a name; false: longer than any. `name` stays the caller's. */
static inline bool map_name_key(const struct map_view *view, const char *name, struct map_key *ret)
{
	size_t length = strlen(name);

	if (__builtin_expect(length - 1 >= NSS_MAP_NAME_MAX, 0))
		return false;
	*ret = (struct map_key){name, length, 0, map_hash_name(view->slot->seed, name, length)};
	return true;
}

static inline struct map_key map_id_key(const struct map_view *view, uint32_t id)
{
	return (struct map_key){NULL, 0, id, map_hash_id(view->slot->seed, id)};
}

/* The search in full. */
enum map_answer map_find_name(const struct map_view *view, const char *name, struct map_record *ret);
enum map_answer map_find_id(const struct map_view *view, uint32_t id, struct map_record *ret);
enum map_answer map_find_person(const struct map_view *view, const char *name, struct map_record *ret);

/* The search as it nearly always goes: the map current, blocks checked before, the key in its first bucket
 * or in none. Straight-line code: nothing is called and nothing repeated, so that everything stays in
 * registers. MAP_BROKEN: do it in full. */
static inline __attribute__((always_inline)) bool map_enter_fast(struct map_view *view)
{
	uint64_t stamp = atomic_load_explicit(&map_current, memory_order_acquire);

	view->slot = &map_slots[stamp % MAP_SLOTS];
	view->stamp = stamp;
	return __builtin_expect(stamp && !__atomic_load_n(&map_header(view->slot)->superseded, __ATOMIC_ACQUIRE), 1);
}

static inline __attribute__((always_inline)) bool map_block_is_checked(const struct map_view *view, uint64_t offset)
{
	return __builtin_expect(offset < view->slot->limit &&
					__atomic_load_n(&view->slot->tags[offset / NSS_MAP_BLOCK], __ATOMIC_ACQUIRE) ==
						(uint8_t)(view->stamp >> MAP_STAMP_SHIFT),
				1);
}

static inline __attribute__((always_inline)) enum map_answer map_find_fast(const struct map_view *view,
									   uint64_t section, uint64_t buckets,
									   const struct map_key *key,
									   struct map_record *ret)
{
	const struct map_slot *slot = view->slot;
	uint64_t at = section + map_first_bucket(key->hash, buckets) * sizeof(struct nss_map_bucket), offset;
	const uint8_t *bucket = slot->base + at;
	uint32_t hits;

	if (!map_block_is_checked(view, at))
		return MAP_BROKEN;
	hits = map_slots_with(bucket, map_tag(key->hash));
	if (!hits)
		return __builtin_expect(map_has_overflow(bucket), 0) ? MAP_BROKEN : MAP_MISSING;
	offset = map_slot_record(bucket, (unsigned)__builtin_ctz(hits));
	at = slot->records_offset + offset;
	if (!map_block_is_checked(view, at) || __builtin_expect(offset >= slot->records_size, 0))
		return MAP_BROKEN;
	ret->at = slot->base + at;
	ret->room = NSS_MAP_BLOCK - (uint32_t)offset % NSS_MAP_BLOCK;
	return __builtin_expect(map_has_key(ret, key) && map_kind(ret) >= NSS_MAP_PERSON, 1) ? MAP_FOUND : MAP_BROKEN;
}

/* The next person (`people`) or person or group at or after *cursor (bytes into the records), which moves
 * past it. A cursor from another map goes to the next record's start. */
enum map_answer map_next_record(const struct map_view *view, bool people, uint64_t *cursor, struct map_record *ret);
