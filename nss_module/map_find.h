/* SPDX-License-Identifier: MIT
 *
 * Finding records. The answers are where a record lies and a private copy of its head, so that a record
 * that changes afterwards misleads nobody.
 */
#pragma once

#include "map_reader.h"

enum map_answer {
	MAP_BROKEN = -1, /* the map contradicts itself */
	MAP_MISSING = 0,
	MAP_FOUND = 1,
};

struct map_record {
	union {
		struct nss_map_record head;
		struct nss_map_person person;
		struct nss_map_group group;
	};
	const uint8_t *text; /* follows the head; the record's bytes up to `end` are readable */
	const uint8_t *end;
};

enum map_answer map_find_name(const struct map_view *view, const char *name, struct map_record *ret);
enum map_answer map_find_id(const struct map_view *view, uint32_t id, struct map_record *ret);
/* The next person or group at or after *cursor (bytes into the records), which moves past it. A cursor from
 * another map is moved to the next record's start. */
enum map_answer map_next_record(const struct map_view *view, uint64_t *cursor, struct map_record *ret);
/* The member list of a group: `member_bytes` at the result, NULL when the map contradicts itself. */
const uint8_t *map_members(const struct map_view *view, const struct nss_map_group *group);
