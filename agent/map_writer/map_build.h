/* SPDX-License-Identifier: MIT
 *
 * A map of a whole directory, written into a new file in two passes: the first counts, the second writes.
 */
#pragma once

#include "map_writer/map_file.h"
#include "map_writer/map_people.h"

/* Leaves the finished file (not yet published) in ret_file. `person` is room to work in. */
int map_build(const char *path, const struct directory *d, const struct map_options *options, uint64_t generation,
	      struct map_person *person, struct map_file *ret_file);
