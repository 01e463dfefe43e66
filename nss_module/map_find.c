/* SPDX-License-Identifier: MIT */
#include "map_find.h"

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
