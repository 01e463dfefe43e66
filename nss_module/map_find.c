/* SPDX-License-Identifier: MIT */
#include "map_find.h"

static enum map_answer find(const struct map_view *view, uint64_t section, uint64_t buckets, const struct map_key *key,
			    struct map_record *ret)
{
	uint64_t bucket = map_first_bucket(key->hash, buckets);

	for (unsigned probe = 0; probe < NSS_MAP_PROBES_MAX; probe++) {
		const uint8_t *at = map_block_bytes(view, section + bucket * sizeof(struct nss_map_bucket));
		uint32_t hits;

		if (!at)
			return MAP_BROKEN;
		for (hits = map_slots_with(at, map_tag(key->hash)); hits; hits &= hits - 1) {
			uint64_t offset = map_slot_record(at, (unsigned)__builtin_ctz(hits));

			ret->at = map_block_bytes(view, view->slot->records_offset + offset);
			ret->room = NSS_MAP_BLOCK - (uint32_t)offset % NSS_MAP_BLOCK;
			if (!ret->at || offset >= view->slot->records_size || map_kind(ret) < NSS_MAP_PERSON)
				return MAP_BROKEN;
			if (map_has_key(ret, key))
				return MAP_FOUND;
		}
		if (!map_has_overflow(at))
			return MAP_MISSING;
		if (++bucket == buckets)
			bucket = 0;
	}
	return MAP_MISSING;
}

enum map_answer map_find_name(const struct map_view *view, const char *name, struct map_record *ret)
{
	struct map_key key;

	if (!map_name_key(view, name, &key))
		return MAP_MISSING;
	return find(view, view->slot->names_offset, view->slot->names_buckets, &key, ret);
}

enum map_answer map_find_id(const struct map_view *view, uint32_t id, struct map_record *ret)
{
	struct map_key key = map_id_key(view, id);

	return find(view, view->slot->ids_offset, view->slot->ids_buckets, &key, ret);
}

enum map_answer map_find_person(const struct map_view *view, const char *name, struct map_record *ret)
{
	enum map_answer found = map_find_name(view, name, ret);

	return found == MAP_FOUND && map_kind(ret) != NSS_MAP_PERSON ? MAP_MISSING : found;
}

enum map_answer map_next_record(const struct map_view *view, bool people, uint64_t *cursor, struct map_record *ret)
{
	/* Every block starts with a record: walk from there to the cursor. */
	uint64_t wanted = *cursor, at = wanted - wanted % NSS_MAP_BLOCK;

	while (at < view->slot->records_used && at < view->slot->records_size) {
		const uint8_t *record = map_block_bytes(view, view->slot->records_offset + at);
		struct nss_map_record head;

		if (!record)
			return MAP_BROKEN;
		memcpy(&head, record, sizeof(head));
		if (head.units == 0)
			return MAP_BROKEN;
		if (at >= wanted && head.kind != NSS_MAP_HOLE && (!people || head.kind == NSS_MAP_PERSON)) {
			*cursor = at + (uint64_t)head.units * NSS_MAP_UNIT;
			ret->at = record;
			ret->room = NSS_MAP_BLOCK - (uint32_t)at % NSS_MAP_BLOCK;
			return MAP_FOUND;
		}
		at += (uint64_t)head.units * NSS_MAP_UNIT;
	}
	return MAP_MISSING;
}
