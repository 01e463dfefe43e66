/* SPDX-License-Identifier: MIT */
#include "trim.h"

#include <malloc.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define TRIM_AFTER_USEC (2 * USEC_PER_SEC)
#define TRIM_ACCURACY_USEC USEC_PER_SEC

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	malloc_trim(0);
	return 0;
}

int trim_create(sd_event *event, sd_event_source **ret)
{
	int r = sd_event_add_time(event, ret, CLOCK_BOOTTIME, 0, TRIM_ACCURACY_USEC, on_time, NULL);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

void trim_soon(sd_event_source *source)
{
	int on = SD_EVENT_OFF;

	if (sd_event_source_get_enabled(source, &on) > 0)
		return; /* one is due */
	if (sd_event_source_set_time(source, clock_boottime_usec() + TRIM_AFTER_USEC) < 0 ||
	    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0)
		log_error("cannot set a time to give memory back");
}
