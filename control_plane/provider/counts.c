/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/counts.h"

#include <stdatomic.h>

#include "control_plane/http/metrics.h"

static atomic_uint_fast64_t counts[PROVIDER_EVENT_COUNT];

static const struct {
	const char *name, *help;
} families[PROVIDER_EVENT_COUNT] = {
	[PROVIDER_BEGUN] = {"device_grants_begun", "Sign-ins by a code that were begun."},
	[PROVIDER_APPROVED] = {"device_grants_approved", "Sign-ins by a code that somebody approved."},
	[PROVIDER_DENIED] = {"device_grants_denied", "Sign-ins by a code that somebody denied."},
	[PROVIDER_TOKENS] = {"device_grants_redeemed", "Sign-ins by a code whose tokens were given out."},
	[PROVIDER_SLOW_DOWNS] = {"device_grants_slowed", "Polls that came too often."},
	[PROVIDER_WRONG_CODES] = {"device_page_wrong_codes", "Codes that were typed and that nobody waits under."},
	[PROVIDER_WRONG_PASSWORDS] = {"device_page_wrong_passwords", "Refused e-mail addresses and passwords there."},
};

void provider_count(enum provider_event event)
{
	atomic_fetch_add(&counts[event], 1);
}

static void collect(void *context, struct buffer *out)
{
	for (unsigned i = 0; i < PROVIDER_EVENT_COUNT; i++)
		metrics_put(out, families[i].name, METRIC_COUNTER, families[i].help, (double)atomic_load(&counts[i]));
}

int provider_metrics(struct metrics *metrics)
{
	return metrics_register(metrics, collect, 0);
}
