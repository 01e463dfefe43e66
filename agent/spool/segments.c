/* SPDX-License-Identifier: MIT
 *
 * The list of segments: by chain, then by first sequence.
 */
#include <string.h>

#include "spool/internal.h"

void segment_name_of(const struct segment *segment, char out[SEGMENT_NAME_MAX])
{
	struct segment_name name = {.generation = segment->chain->generation, .first = segment->first};

	memcpy(name.chain, segment->chain->id, sizeof(name.chain));
	segment_name_write(&name, out);
}

static bool is_before(const struct segment *a, const struct segment *b)
{
	if (a->chain != b->chain)
		return a->chain->generation < b->chain->generation;
	return a->first < b->first;
}

void segment_insert(struct spool *spool, struct segment *segment)
{
	struct segment **at = &spool->segments;

	while (*at && is_before(*at, segment))
		at = &(*at)->next;
	segment->next = *at;
	*at = segment;
	spool->bytes += segment->size;
}

struct segment *segment_detach(struct spool *spool, struct segment *segment)
{
	struct segment **at = &spool->segments;

	while (*at != segment)
		at = &(*at)->next;
	*at = segment->next;
	spool->bytes -= segment->size;
	return segment;
}

struct segment *segment_find(const struct spool *spool, const struct spool_chain *chain, uint64_t first)
{
	struct segment *segment = spool->segments;

	while (segment && (segment->chain != chain || segment->first != first))
		segment = segment->next;
	return segment;
}

struct segment *segment_of(const struct spool *spool, const struct spool_chain *chain, uint64_t sequence)
{
	struct segment *found = NULL;

	for (struct segment *segment = spool->segments; segment; segment = segment->next)
		if (segment->chain == chain && segment->first <= sequence)
			found = segment;
	return found;
}

struct segment *segment_after(const struct segment *segment)
{
	return segment->next && segment->next->chain == segment->chain ? segment->next : NULL;
}

struct segment *segment_suspect(const struct spool *spool)
{
	struct segment *segment = spool->segments;

	while (segment && !segment->suspect)
		segment = segment->next;
	return segment;
}

uint64_t segment_last(const struct segment *segment)
{
	const struct segment *after = segment_after(segment);

	return after ? after->first - 1 : segment->chain->durable.sequence;
}

bool segment_is_newest(const struct spool *spool, const struct segment *segment)
{
	/* What an older chain still has to write goes into the last segment of that. */
	return !segment_after(segment) && (segment->chain == spool->chain || spool->queue);
}
