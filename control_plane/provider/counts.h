/* SPDX-License-Identifier: MIT
 *
 * What the provider counts, for /metrics. Any thread.
 */
#pragma once

enum provider_event {
	PROVIDER_BEGUN,
	PROVIDER_APPROVED,
	PROVIDER_DENIED,
	PROVIDER_TOKENS,     /* given out */
	PROVIDER_SLOW_DOWNS, /* polls that came too often */
	PROVIDER_WRONG_CODES,
	PROVIDER_WRONG_PASSWORDS,
	PROVIDER_EVENT_COUNT,
};
void provider_count(enum provider_event event);
struct metrics;
int provider_metrics(struct metrics *metrics); /* 0, -ENOSPC */
