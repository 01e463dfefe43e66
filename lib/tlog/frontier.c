/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "tlog/tlog.h"

unsigned tlog_frontier_count(uint64_t size)
{
	return (unsigned)__builtin_popcountll(size);
}

int tlog_frontier_add(struct tlog_frontier *frontier, const struct tlog_hash *leaf)
{
	struct tlog_hash hash = *leaf;
	unsigned count = tlog_frontier_count(frontier->size);
	int r;

	if (frontier->size >= TLOG_SIZE_MAX)
		return -EFBIG;
	/* As with a carry when one is added: two subtrees of a size become one. Nothing is written before all of it
	 * went well. */
	for (uint64_t size = frontier->size; size & 1; size >>= 1) {
		r = tlog_node_hash(&frontier->hashes[--count], &hash, &hash);
		if (r < 0)
			return r;
	}
	frontier->hashes[count] = hash;
	frontier->size++;
	return 0;
}

int tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *ret)
{
	unsigned count = tlog_frontier_count(frontier->size);
	struct tlog_hash hash;
	int r;

	if (frontier->size > TLOG_SIZE_MAX)
		return -EINVAL;
	if (count == 0)
		return sha256(NULL, 0, ret->bytes);
	hash = frontier->hashes[--count];
	while (count > 0) {
		r = tlog_node_hash(&frontier->hashes[--count], &hash, &hash);
		if (r < 0)
			return r;
	}
	*ret = hash;
	return 0;
}
