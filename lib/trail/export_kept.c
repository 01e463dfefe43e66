/* SPDX-License-Identifier: MIT
 *
 * Checkpoints that others kept, beside an export.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "trail/export_internal.h"

#define KEPT_AT_FIRST 16U

int kept_read(struct export_check *check, struct kept *kept, struct problem *problem)
{
	return checkpoint_read(kept->note, kept->length, check->origin, check->keys, check->key_count,
			       &kept->checkpoint, problem);
}

int export_check_keep(struct export_check *check, const char *note, size_t length, struct problem *problem)
{
	struct kept kept = {.note = note, .length = length};
	char origin[CHECKPOINT_ORIGIN_MAX];
	int r;

	if (check->stage != EXPORT_HEADER || check->line > 0)
		return -EINVAL;
	if (checkpoint_origin(note, length, origin) < 0)
		return problem_set(problem, EBADMSG, "this is no checkpoint");
	if (check->origin[0] != '\0' && strcmp(origin, check->origin) != 0)
		return problem_set(problem, EREMCHG, "this is a checkpoint of %s, not of %s", origin, check->origin);
	if (check->origin[0] != '\0' && !check->own_keys) {
		r = kept_read(check, &kept, problem);
		if (r < 0)
			return r;
	}
	if (check->kept_count == check->kept_capacity) {
		uint32_t capacity = MAX_OF(2 * check->kept_capacity, KEPT_AT_FIRST);
		struct kept *more;

		if (capacity > KEPT_MAX)
			return problem_set(problem, EMSGSIZE, "more than %u checkpoints beside one export", KEPT_MAX);
		more = realloc(check->kept, capacity * sizeof(*more));
		if (!more)
			return -ENOMEM;
		check->kept = more;
		check->kept_capacity = capacity;
	}
	check->kept[check->kept_count++] = kept;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct kept *left = a, *right = b;

	return (left->checkpoint.size > right->checkpoint.size) - (left->checkpoint.size < right->checkpoint.size);
}

static int forked(uint64_t size, struct problem *problem)
{
	return problem_set(problem, EBADMSG,
			   "two checkpoints of size %" PRIu64 " with different roots: the log has two histories", size);
}

int kept_compare(struct export_check *check, struct problem *problem)
{
	if (check->kept_count > 1)
		qsort(check->kept, check->kept_count, sizeof(check->kept[0]), by_size);
	for (uint32_t i = 0; i < check->kept_count; i++) {
		struct kept *kept = &check->kept[i];

		if (i > 0 && kept->checkpoint.size == kept[-1].checkpoint.size &&
		    !tlog_hash_equal(&kept->checkpoint.root, &kept[-1].checkpoint.root))
			return forked(kept->checkpoint.size, problem);
		if (kept->checkpoint.size == check->checkpoint.size) {
			if (!tlog_hash_equal(&kept->checkpoint.root, &check->checkpoint.root))
				return forked(kept->checkpoint.size, problem);
			kept->compared = true;
		}
		/* Every log begins with nothing. */
		if (kept->checkpoint.size == 0)
			kept->compared = true;
	}
	return 0;
}

int kept_hold(struct export_check *check, const struct tlog_frontier *frontier, struct problem *problem)
{
	uint32_t low = 0, high = check->kept_count;
	struct tlog_hash root;
	int r;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (check->kept[middle].checkpoint.size < frontier->size)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == check->kept_count || check->kept[low].checkpoint.size != frontier->size || check->kept[low].compared)
		return 0;
	r = tlog_frontier_root(frontier, &root);
	if (r < 0)
		return r;
	if (!tlog_hash_equal(&root, &check->kept[low].checkpoint.root))
		return problem_set(problem, EBADMSG,
				   "the log had another root at size %" PRIu64
				   " than the checkpoint says that was kept: it was rewritten",
				   frontier->size);
	for (; low < check->kept_count && check->kept[low].checkpoint.size == frontier->size; low++)
		check->kept[low].compared = true;
	return 0;
}
