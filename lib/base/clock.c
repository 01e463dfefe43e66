/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

/* The clocks asked for always exist on the kernels that we run on, so there is nothing to fail. */
static uint64_t now_usec(clockid_t clock)
{
	struct timespec ts = {0};

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boottime_usec(void)
{
	return now_usec(CLOCK_BOOTTIME);
}

int64_t clock_realtime_sec(void)
{
	return (int64_t)(now_usec(CLOCK_REALTIME) / USEC_PER_SEC);
}

uint64_t clock_realtime_usec(void)
{
	return now_usec(CLOCK_REALTIME);
}
