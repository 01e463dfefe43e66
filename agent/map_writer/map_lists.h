/* SPDX-License-Identifier: MIT
 *
 * Member lists of a finished map, and changing them. A list is shared by the groups of a family: operators, then
 * names in order of role, highest first, so that each group's members follow each other.
 */
#pragma once

#include "map_writer/map_people.h"

/* Adds the name to the groups of a person's run. -EXFULL: start anew; -ENOENT: no such group. */
int map_list_add(struct map_image *image, nss_map_run run, const char *name);
/* Takes it out again; `run` as it was added. -ENOENT. */
int map_list_remove(struct map_image *image, nss_map_run run, const char *name);
