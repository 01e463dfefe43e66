/* SPDX-License-Identifier: MIT */
#include "map_find.h"

/* Four tags; the first one lowest, whatever the byte order. */
static inline uint64_t load_lanes(const uint8_t *at)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return map_load64(at);
#else
	uint16_t lanes[4];

	memcpy(lanes, at, sizeof(lanes));
	return lanes[0] | (uint64_t)lanes[1] << 16 | (uint64_t)lanes[2] << 32 | (uint64_t)lanes[3] << 48;
#endif
}

/* Lanes of 16 bits that equal the tag, as their upper bits. */
static inline uint64_t lanes_equal(uint64_t word, uint64_t tags)
{
	uint64_t x = word ^ tags, low = 0x7fff7fff7fff7fffULL;

	return ~(((x & low) + low) | x | low);
}

/* Reads the record at `offset` bytes into the records. */
static inline bool read_record(const struct map_view *view, uint64_t offset, struct map_record *ret)
{
	uint64_t at = view->slot->records_offset + offset, head_size;
	const uint8_t *bytes = map_bytes(view, at, NSS_MAP_UNIT);

	if (__builtin_expect(!bytes || offset >= view->slot->records_size, 0))
		return false;
	memcpy(&ret->head, bytes, sizeof(ret->head));
	/* The rest lies in the same block, which map_bytes has looked at. */
	if (__builtin_expect(!ret->head.units || ret->head.units > (NSS_MAP_BLOCK - at % NSS_MAP_BLOCK) / NSS_MAP_UNIT,
			     0))
		return false;
	ret->end = bytes + (uint64_t)ret->head.units * NSS_MAP_UNIT;
	if (ret->head.kind == NSS_MAP_PERSON) {
		head_size = sizeof(ret->person);
		memcpy((uint8_t *)&ret->person + sizeof(ret->head), bytes + sizeof(ret->head),
		       sizeof(ret->person) - sizeof(ret->head));
	} else if (ret->head.kind == NSS_MAP_GROUP) {
		head_size = sizeof(ret->group);
		if (ret->head.units * NSS_MAP_UNIT < head_size)
			return false;
		memcpy((uint8_t *)&ret->group + sizeof(ret->head), bytes + sizeof(ret->head),
		       sizeof(ret->group) - sizeof(ret->head));
	} else
		return ret->head.kind == NSS_MAP_HOLE;
	ret->text = bytes + head_size;
	return ret->head.name_length > 0 && ret->head.name_length < (uint64_t)(ret->end - ret->text) &&
	       ret->head.id >= NSS_MAP_ID_FIRST && ret->head.id <= NSS_MAP_ID_LAST;
}

/* Names are short, mostly under 16 bytes: two overlapping words beat a call of memcmp. */
static inline bool same_name(const uint8_t *text, const char *name, size_t length)
{
	if (length >= 8 && length <= 16)
		return !((map_load64(text) ^ map_load64(name)) |
			 (map_load64(text + length - 8) ^ map_load64(name + length - 8)));
	if (length >= 4 && length < 8)
		return !((map_load32(text) ^ map_load32(name)) |
			 (map_load32(text + length - 4) ^ map_load32(name + length - 4)));
	return memcmp(text, name, length) == 0;
}

/* `name` NULL: by id. */
static inline enum map_answer find(const struct map_view *view, uint64_t section, uint64_t buckets, uint64_t hash,
				   const char *name, size_t length, uint32_t id, struct map_record *ret)
{
	uint64_t bucket = map_first_bucket(hash, buckets), tags = map_tag(hash) * 0x0001000100010001ULL;

	for (unsigned probe = 0; probe < NSS_MAP_PROBES_MAX; probe++) {
		const uint8_t *at = map_bytes(view, section + bucket * sizeof(struct nss_map_bucket),
					      sizeof(struct nss_map_bucket));
		uint64_t last, hits;

		if (__builtin_expect(!at, 0))
			return MAP_BROKEN;
		last = load_lanes(at + 16); /* two tags, then overflow */
		hits = lanes_equal(load_lanes(at), tags) >> 15 | lanes_equal(load_lanes(at + 8), tags) >> 14 |
		       (lanes_equal(last, tags) & 0x80008000U) >> 13;
		for (; hits; hits &= hits - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(hits), slot = bit % 16 * 4 + bit / 16;
			uint32_t record = map_load32(at + offsetof(struct nss_map_bucket, records) + 4 * slot);

			if (__builtin_expect(!read_record(view, (uint64_t)record * NSS_MAP_UNIT, ret) ||
						     ret->head.kind == NSS_MAP_HOLE,
					     0))
				return MAP_BROKEN;
			if (name ? ret->head.name_length == length && same_name(ret->text, name, length)
				 : ret->head.id == id)
				return MAP_FOUND;
		}
		if (!(uint16_t)(last >> 32))
			return MAP_MISSING;
		if (++bucket == buckets)
			bucket = 0;
	}
	return MAP_MISSING;
}

enum map_answer map_find_name(const struct map_view *view, const char *name, struct map_record *ret)
{
	size_t length = strnlen(name, NSS_MAP_NAME_MAX + 1);

	if (length == 0 || length > NSS_MAP_NAME_MAX)
		return MAP_MISSING;
	return find(view, view->slot->names_offset, view->slot->names_buckets,
		    map_hash_name(view->slot->seed, name, length), name, length, 0, ret);
}

enum map_answer map_find_id(const struct map_view *view, uint32_t id, struct map_record *ret)
{
	return find(view, view->slot->ids_offset, view->slot->ids_buckets, map_hash_id(view->slot->seed, id), NULL, 0,
		    id, ret);
}

enum map_answer map_next_record(const struct map_view *view, uint64_t *cursor, struct map_record *ret)
{
	/* Every block starts with a record: walk from there to the cursor. */
	uint64_t wanted = *cursor, at = wanted - wanted % NSS_MAP_BLOCK;

	while (at < view->slot->records_used) {
		if (!read_record(view, at, ret))
			return MAP_BROKEN;
		if (at >= wanted && ret->head.kind != NSS_MAP_HOLE) {
			*cursor = at + (uint64_t)ret->head.units * NSS_MAP_UNIT;
			return MAP_FOUND;
		}
		at += (uint64_t)ret->head.units * NSS_MAP_UNIT;
	}
	return MAP_MISSING;
}

const uint8_t *map_members(const struct map_view *view, const struct nss_map_group *group)
{
	uint64_t offset = (uint64_t)group->list * NSS_MAP_UNIT;

	if (offset > view->slot->members_size || group->member_bytes > view->slot->members_size - offset)
		return NULL;
	return map_bytes(view, view->slot->members_offset + offset, group->member_bytes);
}
