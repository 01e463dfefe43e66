/* SPDX-License-Identifier: MIT */
#include "tlog/tile.h"

#include <errno.h>
#include <string.h>

#define TILE_HEIGHT 8U /* levels of the tree in one tile */

unsigned tlog_tile_width(uint64_t size, unsigned level, uint64_t n)
{
	uint64_t hashes, whole;

	if (level >= TLOG_TILE_LEVELS)
		return 0;
	hashes = size >> (TILE_HEIGHT * level);
	whole = hashes / TLOG_TILE_WIDTH;
	if (n < whole)
		return TLOG_TILE_WIDTH;
	return n == whole ? (unsigned)(hashes % TLOG_TILE_WIDTH) : 0;
}

void tlog_tile_range(unsigned level, uint64_t index, unsigned *ret_first, unsigned *ret_count)
{
	unsigned height = level % TILE_HEIGHT;

	*ret_first = (unsigned)(index << height) % TLOG_TILE_WIDTH;
	*ret_count = 1U << height;
}

struct tlog_tile tlog_tile_of(unsigned level, uint64_t index)
{
	unsigned first, count;

	tlog_tile_range(level, index, &first, &count);
	return (struct tlog_tile){
		.level = level / TILE_HEIGHT,
		.n = (index << level % TILE_HEIGHT) / TLOG_TILE_WIDTH,
		.width = first + count,
	};
}

int tlog_tile_root(const struct tlog_hash *hashes, unsigned count, struct tlog_hash *ret)
{
	struct tlog_hash row[TLOG_TILE_WIDTH];
	int r;

	if (count == 0 || count > TLOG_TILE_WIDTH || (count & (count - 1)) != 0)
		return -EINVAL;
	memcpy(row, hashes, count * sizeof(row[0]));
	for (; count > 1; count /= 2)
		for (unsigned i = 0; i < count / 2; i++) {
			r = tlog_node_hash(&row[2 * i], &row[2 * i + 1], &row[i]);
			if (r < 0)
				return r;
		}
	*ret = row[0];
	return 0;
}
