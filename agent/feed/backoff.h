/* SPDX-License-Identifier: MIT
 *
 * How long to wait before trying again: anything up to a bound that doubles from 1 s to 5 min (full jitter), so that
 * hosts which lost the control plane together do not come back together.
 */
#pragma once

#include <stdint.h>

struct backoff {
	unsigned failures; /* 0 after a success: the owner's to reset */
};
/* Microseconds. `retry_after`: what the server asked for, in seconds; -1: nothing. Counts one failure. */
uint64_t backoff_next(struct backoff *backoff, int64_t retry_after);
/* Anything from 0 to `usec`. */
uint64_t backoff_jitter(uint64_t usec);
