/* SPDX-License-Identifier: MIT */
#include "feed/backoff.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/secret.h"

#define LEAST_USEC (1 * USEC_PER_SEC)
#define MOST_USEC (300 * USEC_PER_SEC)
#define DOUBLINGS_MAX 16U

uint64_t backoff_jitter(uint64_t usec)
{
	uint64_t random = 0;

	/* Without randomness hosts may come together: better than not at all. */
	(void)random_bytes(&random, sizeof(random));
	return random % (usec + 1);
}

uint64_t backoff_next(struct backoff *backoff, int64_t retry_after)
{
	uint64_t bound = MIN_OF(LEAST_USEC << MIN_OF(backoff->failures, DOUBLINGS_MAX), MOST_USEC);

	backoff->failures++;
	if (retry_after >= 0) /* all were told the same second */
		return (uint64_t)retry_after * USEC_PER_SEC + backoff_jitter(bound);
	return backoff_jitter(bound);
}
