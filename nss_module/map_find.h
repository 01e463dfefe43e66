/* SPDX-License-Identifier: MIT
 *
 * Finding records. What is found is where the record lies, checked (map_check.c) when its block was first
 * used. Its owner could still change it under us, so callers load lengths once and hold them against
 * `room`; within that nothing can fault.
 */
#pragma once

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

/* Four tags; the first one lowest, whatever the byte order. */
static inline uint64_t map_load_lanes(const uint8_t *at)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return map_load64(at);
#else
	uint16_t lanes[4];

	memcpy(lanes, at, sizeof(lanes));
	return lanes[0] | (uint64_t)lanes[1] << 16 | (uint64_t)lanes[2] << 32 | (uint64_t)lanes[3] << 48;
#endif
}

/* Lanes of 16 bits that are zero, as their upper bits. */
static inline uint64_t map_zero_lanes(uint64_t x)
{
	uint64_t low = 0x7fff7fff7fff7fffULL;

	return ~(((x & low) + low) | x | low);
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

/* Walks one index. `name` NULL: by id. Always inlined: the callers differ in constants only. */
static inline __attribute__((always_inline)) enum map_answer map_find(const struct map_view *view, uint64_t section,
								      uint64_t buckets, uint64_t hash, const char *name,
								      size_t length, uint32_t id,
								      struct map_record *ret)
{
	const struct map_slot *slot = view->slot;
	uint64_t bucket = map_first_bucket(hash, buckets), tags = map_tag(hash) * 0x0001000100010001ULL;

	for (unsigned probe = 0; probe < NSS_MAP_PROBES_MAX; probe++) {
		const uint8_t *at = map_block_bytes(view, section + bucket * sizeof(struct nss_map_bucket));
		uint64_t last, hits;

		if (__builtin_expect(!at, 0))
			return MAP_BROKEN;
		last = map_load_lanes(at + 16); /* two tags, then overflow */
		hits = map_zero_lanes(map_load_lanes(at) ^ tags) >> 15 |
		       map_zero_lanes(map_load_lanes(at + 8) ^ tags) >> 14 |
		       (map_zero_lanes(last ^ tags) & 0x80008000U) >> 13;
		for (; hits; hits &= hits - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(hits), lane = bit % 16 * 4 + bit / 16;
			uint64_t offset =
				(uint64_t)map_load32(at + offsetof(struct nss_map_bucket, records) + 4 * lane) *
				NSS_MAP_UNIT;
			const uint8_t *record = map_block_bytes(view, slot->records_offset + offset);

			if (__builtin_expect(!record || offset >= slot->records_size || record[0] < NSS_MAP_PERSON, 0))
				return MAP_BROKEN;
			ret->at = record;
			ret->room = NSS_MAP_BLOCK - (uint32_t)offset % NSS_MAP_BLOCK;
			if (name ? record[1] == length && ret->room > NSS_MAP_UNIT + length &&
					    map_same_name(record + NSS_MAP_UNIT, name, length)
				 : map_load32(record + offsetof(struct nss_map_record, id)) == id)
				return MAP_FOUND;
		}
		if (__builtin_expect(!(uint16_t)(last >> 32), 1))
			return MAP_MISSING;
		if (++bucket == buckets)
			bucket = 0;
	}
	return MAP_MISSING;
}

static inline enum map_answer map_find_name(const struct map_view *view, const char *name, struct map_record *ret)
{
	size_t length = strlen(name);

	if (__builtin_expect(length - 1 >= NSS_MAP_NAME_MAX, 0))
		return MAP_MISSING;
	return map_find(view, view->slot->names_offset, view->slot->names_buckets,
			map_hash_name(view->slot->seed, name, length), name, length, 0, ret);
}

static inline enum map_answer map_find_id(const struct map_view *view, uint32_t id, struct map_record *ret)
{
	return map_find(view, view->slot->ids_offset, view->slot->ids_buckets, map_hash_id(view->slot->seed, id), NULL,
			0, id, ret);
}

static inline enum map_answer map_find_person(const struct map_view *view, const char *name, struct map_record *ret)
{
	enum map_answer found = map_find_name(view, name, ret);

	return found == MAP_FOUND && map_kind(ret) != NSS_MAP_PERSON ? MAP_MISSING : found;
}

/* The next person (`people`) or person or group at or after *cursor (bytes into the records), which moves
 * past it. A cursor from another map goes to the next record's start. */
enum map_answer map_next_record(const struct map_view *view, bool people, uint64_t *cursor, struct map_record *ret);
