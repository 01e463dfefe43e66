/* SPDX-License-Identifier: MIT
 *
 * Tiles of a log (c2sp.org/tlog-tiles): 256 hashes of one level, eight levels of the tree apart. Tile (level, n) holds
 * the roots of the subtrees of 256^level leaves from n * 256 on; a partial one the first `width` of them.
 */
#pragma once

#include "tlog/tlog.h"

#define TLOG_TILE_WIDTH 256U
#define TLOG_TILE_LEVELS 8U /* 256^8 is more than any log has */

struct tlog_tile {
	unsigned level;
	uint64_t n;
	unsigned width; /* 1 to 256 */
};
/* How many of that tile's hashes a log of this size has: 0 to 256. */
unsigned tlog_tile_width(uint64_t size, unsigned level, uint64_t n);
/* The whole subtree (level, index) of tlog_node_fn lies in this tile … */
struct tlog_tile tlog_tile_of(unsigned level, uint64_t index);
/* … and is made of these hashes of it: from `*ret_first`, as many as a power of two. */
void tlog_tile_range(unsigned level, uint64_t index, unsigned *ret_first, unsigned *ret_count);
/* The root of `count` hashes, a power of two up to 256. */
int tlog_tile_root(const struct tlog_hash *hashes, unsigned count, struct tlog_hash *ret);
