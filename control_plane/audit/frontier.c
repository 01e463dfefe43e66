/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/frontier.h"

#include <errno.h>

/* The whole subtrees before an index are what the proof consists of that its leaf is the last of a tree: the smallest
 * first. */
int log_frontier(struct db_tx *tx, const char *log_id, uint64_t size, const struct log_head *head,
		 struct tlog_frontier *ret)
{
	struct tlog_proof proof;
	int r;

	if (size == head->frontier.size) {
		*ret = head->frontier;
		return 0;
	}
	if (size == 0) {
		*ret = (struct tlog_frontier){0};
		return 0;
	}
	r = log_prove_inclusion(tx, log_id, size, size + 1, &proof);
	if (r == 0 && proof.count != tlog_frontier_count(size))
		r = -EIO;
	if (r < 0)
		return r;
	*ret = (struct tlog_frontier){.size = size};
	for (unsigned i = 0; i < proof.count; i++)
		ret->hashes[i] = proof.hashes[proof.count - 1 - i];
	return 0;
}
