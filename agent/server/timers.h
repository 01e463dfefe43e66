/* SPDX-License-Identifier: MIT
 *
 * Deadlines of many objects: a binary heap of those that have one, so the server arms a single timer and
 * only while somebody waits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t when; /* boot time, microseconds; 0: none */
	size_t place;  /* in the heap + 1; 0: not in it */
};

struct timers {
	struct timer **heap;
	size_t count, capacity;
};

void timers_finish(struct timers *timers);
/* Room for one more object that may have a deadline. 0 or -ENOMEM; after that timers_set cannot fail. */
int timers_reserve(struct timers *timers, size_t objects);
void timers_set(struct timers *timers, struct timer *timer, uint64_t when); /* 0: no deadline */
/* The next deadline; NULL for none. */
struct timer *timers_first(const struct timers *timers);
