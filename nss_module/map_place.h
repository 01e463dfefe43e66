/* SPDX-License-Identifier: MIT
 *
 * Where the map is. The product's place is fixed; tests link one of their own instead of map_place.c.
 */
#pragma once

struct map_place {
	const char *parent;    /* root's own directory: who may make entries here is trusted */
	const char *directory; /* the agent's, made by root in parent */
	const char *file;
	unsigned retry_msec; /* between looks for a map that is missing or unfit */
};
const struct map_place *map_place(void);
