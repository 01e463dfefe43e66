/* SPDX-License-Identifier: MIT
 *
 * Member lists of a finished map, and changing them. A list is shared by the groups of a family: names in
 * order of role, highest first, so that each group's members are the list's beginning.
 */
#pragma once

#include "map_writer/map_image.h"

/* Adds the name to the groups gid … gid + level. -EXFULL: start anew; -ENOENT: no such group. */
int map_list_add(struct map_image *image, uint32_t gid, uint32_t level, const char *name);
/* Takes it out again; `level` as it was added. -ENOENT. */
int map_list_remove(struct map_image *image, uint32_t gid, uint32_t level, const char *name);
