/* SPDX-License-Identifier: MIT */
#include "server/timers.h"

#include <errno.h>
#include <stdlib.h>

void timers_finish(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

int timers_reserve(struct timers *timers, size_t objects)
{
	struct timer **grown;
	size_t capacity = timers->capacity ? timers->capacity : 16;

	if (objects <= timers->capacity)
		return 0;
	while (capacity < objects)
		capacity *= 2;
	grown = realloc(timers->heap, capacity * sizeof(struct timer *));
	if (!grown)
		return -ENOMEM;
	timers->heap = grown;
	timers->capacity = capacity;
	return 0;
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place + 1;
}

static void sift_up(struct timers *timers, size_t place)
{
	struct timer *timer = timers->heap[place];

	while (place > 0 && timers->heap[(place - 1) / 2]->when > timer->when) {
		put(timers, place, timers->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(timers, place, timer);
}

static void sift_down(struct timers *timers, size_t place)
{
	struct timer *timer = timers->heap[place];

	for (size_t child; (child = 2 * place + 1) < timers->count; place = child) {
		if (child + 1 < timers->count && timers->heap[child + 1]->when < timers->heap[child]->when)
			child++;
		if (timers->heap[child]->when >= timer->when)
			break;
		put(timers, place, timers->heap[child]);
	}
	put(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t when)
{
	if (timer->when == when && (timer->place || !when))
		return;
	timer->when = when;
	if (!timer->place) {
		put(timers, timers->count++, timer);
		sift_up(timers, timers->count - 1);
		return;
	}
	if (!when) {
		size_t place = timer->place - 1;
		struct timer *last = timers->heap[--timers->count];

		timer->place = 0;
		if (last == timer)
			return;
		put(timers, place, last);
		sift_up(timers, place);
		sift_down(timers, last->place - 1);
		return;
	}
	sift_up(timers, timer->place - 1);
	sift_down(timers, timer->place - 1);
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count ? timers->heap[0] : NULL;
}
