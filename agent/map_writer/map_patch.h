/* SPDX-License-Identifier: MIT
 *
 * A published map brought up to date for a few people: one copy, and changes in proportion to them.
 */
#pragma once

#include "map_writer/map_file.h"
#include "map_writer/map_people.h"

/* `old` holds `before`'s map; exactly the people with `uids` (in any order, also twice) may differ in `d`, and
 * no group came or went. Leaves the finished file (not yet published) in ret_file. -EXFULL: the
 * map's room for changes is used up, build anew. `person` is room to work in. */
int map_patch(const char *path, const struct map_file *old, const struct directory *d,
	      const struct map_options *options, uint64_t generation, const uint32_t *uids, uint32_t count,
	      struct map_person *person, struct map_file *ret_file);
