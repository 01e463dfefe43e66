/* SPDX-License-Identifier: MIT
 *
 * Room: what may still be written, what goes when all have it, and what goes when nobody wants it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/internal.h"

#define SEGMENT_BYTES_LEAST 65536U
#define SEGMENT_BYTES_MOST (8U * 1024 * 1024)
#define SEGMENTS_LEAST 16U /* so that freeing comes in small steps */
/* How much there has to be again, so that not every single event opens and closes a gap. */
#define RESUME_LEAST (2U * RECORD_ROOM)
#define RESUME_PART 32U

uint64_t room_segment_bytes(const struct spool *spool)
{
	uint64_t bytes = spool->max_bytes / SEGMENTS_LEAST;

	return MIN_OF(MAX_OF(bytes, (uint64_t)SEGMENT_BYTES_LEAST), (uint64_t)SEGMENT_BYTES_MOST);
}

static uint64_t aside_bytes(const struct spool *spool)
{
	uint64_t bytes = 0;

	for (const struct aside *aside = spool->asides; aside; aside = aside->next)
		bytes += aside->size;
	return bytes;
}

bool room_for(const struct spool *spool, uint64_t more)
{
	/* The oldest goes when nobody wants it, and what was put aside before anything else. */
	uint64_t kept = spool->consumer_count > 0 ? spool->bytes - aside_bytes(spool) : spool->max_bytes / 2;

	return spool->queue_bytes + more <= QUEUE_BYTES_MAX && kept + spool->queue_bytes + more <= spool->max_bytes;
}

static void say_full(struct spool *spool)
{
	const struct consumer *slowest = NULL;

	for (uint32_t i = 0; i < spool->consumer_count; i++) {
		const struct consumer *consumer = &spool->consumers[i];

		if (!slowest || consumer->generation < slowest->generation ||
		    (consumer->generation == slowest->generation && consumer->next < slowest->next))
			slowest = consumer;
	}
	if (spool->queue_bytes + RECORD_ROOM > QUEUE_BYTES_MAX || !slowest)
		(void)snprintf(spool->problem, sizeof(spool->problem), "full: the disk is slower than what is written");
	else
		(void)snprintf(spool->problem, sizeof(spool->problem),
			       "full: all %llu bytes wait for \"%s\", which has everything before %llu",
			       (unsigned long long)spool->max_bytes, slowest->name, (unsigned long long)slowest->next);
}

bool room_review(struct spool *spool, uint64_t more)
{
	uint64_t resume = spool->max_bytes / RESUME_PART;

	resume = MIN_OF(MAX_OF(resume, (uint64_t)RESUME_LEAST), spool->max_bytes / 4);
	spool->full = !room_for(spool, spool->full ? MAX_OF(more, resume) : more);
	if (spool->broken)
		(void)snprintf(spool->problem, sizeof(spool->problem), "%s", spool->broken_why);
	else if (spool->full)
		say_full(spool);
	else
		spool->problem[0] = '\0';
	if ((spool->broken || spool->full) != spool->trouble) {
		spool->trouble = !spool->trouble;
		finding_add(spool, spool->trouble ? SPOOL_BROKEN : SPOOL_WHOLE, 0, 0, "%s", spool->problem);
	}
	return !spool->trouble;
}

static void remove_file(struct spool *spool, const char *name)
{
	pthread_mutex_unlock(&spool->lock);
	/* One that cannot be removed is found again at the next start. */
	(void)unlinkat(spool->dirfd, name, 0);
	pthread_mutex_lock(&spool->lock);
}

static bool is_wanted(const struct spool *spool, const struct segment *segment)
{
	for (uint32_t i = 0; i < spool->consumer_count; i++)
		if (!consumer_has(&spool->consumers[i], segment))
			return true;
	return spool->consumer_count == 0;
}

void room_free(struct spool *spool)
{
	struct segment *segment;

	while ((segment = spool->segments) && !segment_is_newest(spool, segment) && !is_wanted(spool, segment)) {
		char name[SEGMENT_NAME_MAX];

		segment_name_of(segment, name);
		free(segment_detach(spool, segment));
		remove_file(spool, name);
		spool->retry_usec = 0;
	}
	(void)room_review(spool, RECORD_ROOM);
}

void aside_free(struct aside *aside)
{
	while (aside) {
		struct aside *next = aside->next;

		free(aside);
		aside = next;
	}
}

int aside_add(struct spool *spool, const char *name, uint64_t size)
{
	struct aside *aside = calloc(1, sizeof(*aside)), **at = &spool->asides;

	if (!aside || strlen(name) >= sizeof(aside->name)) {
		free(aside);
		return -1; /* not counted, and not removed when there is no room */
	}
	(void)snprintf(aside->name, sizeof(aside->name), "%s", name);
	aside->size = size;
	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	aside->next = *at;
	*at = aside;
	spool->bytes += size;
	return 0;
}

void room_make(struct spool *spool, uint64_t more)
{
	while (spool->asides && spool->bytes + more > spool->max_bytes) {
		struct aside *aside = spool->asides;

		spool->asides = aside->next;
		spool->bytes -= aside->size;
		remove_file(spool, aside->name);
		free(aside);
	}
	while (spool->consumer_count == 0 && spool->bytes + more > spool->max_bytes) {
		struct segment *segment = spool->segments;
		char name[SEGMENT_NAME_MAX];

		if (!segment || segment_is_newest(spool, segment))
			return;
		if (!spool->overwritten)
			finding_add(spool, SPOOL_OVERWRITTEN, segment->first,
				    segment_last(segment) - segment->first + 1, "nobody fetches what is written here");
		spool->overwritten = true;
		segment_name_of(segment, name);
		free(segment_detach(spool, segment));
		remove_file(spool, name);
	}
}
