/* SPDX-License-Identifier: MIT
 *
 * A copy of a published map brought up to date for a few people, in proportion to them.
 */
#pragma once

#include "map_writer/map_file.h"
#include "map_writer/map_people.h"

/* `file` is a copy of `before`'s map; exactly the people with `uids` (in any order, also twice) may differ in `d`, and
 * no group came or went. Finishes the file (but does not publish it), or discards it. -EXFULL: the map's room for
 * changes is used up, build anew. `person` is room to work in. */
int map_patch(const char *path, struct map_file *file, const struct directory *d, const struct map_options *options,
	      uint64_t generation, const uint32_t *uids, uint32_t count, struct map_person *person);
