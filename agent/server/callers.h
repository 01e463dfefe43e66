/* SPDX-License-Identifier: MIT
 *
 * What each uid holds at the moment, and how loudly its refused calls may sound in the audit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

/* So many at once, then one in so long. */
struct bucket {
	uint64_t full_at; /* boot time at which it is full again */
};
/* Takes one; false: none is left. */
bool bucket_take(struct bucket *bucket, unsigned burst, uint64_t every_usec, uint64_t now_usec);

/* What happened since it was last written down. */
struct report {
	struct bucket bucket;
	uint64_t count;
};

struct caller {
	uint32_t uid;
	uint32_t connections, subscriptions;
	struct report refused, denied; /* calls that may not be made; questions answered with no */
	struct bucket codes;           /* one-time codes that it asked for */
	struct caller *next;
};

#define CALLER_CHAINS 256
struct callers {
	struct caller *chains[CALLER_CHAINS];
	uint32_t count, sweep_at;
	struct bucket reports; /* all together */
};

void callers_finish(struct callers *callers);
/* The entry of this uid, made when there is none; NULL when out of memory. Stays valid while it has a
 * connection. */
struct caller *callers_get(struct callers *callers, uint32_t uid, uint64_t now_usec);
/* Counts one. May it be written down now? Then *ret_count says how many it stands for. */
bool callers_report(struct callers *callers, struct report *report, uint64_t now_usec, uint64_t *ret_count);
