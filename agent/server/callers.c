/* SPDX-License-Identifier: MIT */
#include "server/callers.h"

#include <stdlib.h>

#include "server/limits.h"

bool bucket_take(struct bucket *bucket, unsigned burst, uint64_t every_usec, uint64_t now_usec)
{
	uint64_t from = bucket->full_at > now_usec ? bucket->full_at : now_usec;

	if (from - now_usec > (burst - 1) * every_usec)
		return false;
	bucket->full_at = from + every_usec;
	return true;
}

void callers_finish(struct callers *callers)
{
	for (unsigned i = 0; i < CALLER_CHAINS; i++) {
		for (struct caller *caller = callers->chains[i], *next; caller; caller = next) {
			next = caller->next;
			free(caller);
		}
	}
	*callers = (struct callers){0};
}

static void forget_idle(struct callers *callers, uint64_t now_usec)
{
	for (unsigned i = 0; i < CALLER_CHAINS; i++) {
		for (struct caller **at = &callers->chains[i]; *at;) {
			struct caller *caller = *at;

			if (caller->connections || caller->refused.bucket.full_at > now_usec ||
			    caller->denied.bucket.full_at > now_usec || caller->codes.full_at > now_usec) {
				at = &caller->next;
				continue;
			}
			*at = caller->next;
			free(caller);
			callers->count--;
		}
	}
}

struct caller *callers_get(struct callers *callers, uint32_t uid, uint64_t now_usec)
{
	struct caller **chain = &callers->chains[hash_u32(uid) % CALLER_CHAINS];
	struct caller *caller;

	for (caller = *chain; caller; caller = caller->next)
		if (caller->uid == uid)
			return caller;
	if (callers->count >= UIDS_REMEMBERED && callers->count >= callers->sweep_at) {
		forget_idle(callers, now_usec);
		callers->sweep_at = 2 * callers->count;
	}
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return NULL;
	caller->uid = uid;
	caller->next = *chain;
	*chain = caller;
	callers->count++;
	return caller;
}

bool callers_report(struct callers *callers, struct report *report, uint64_t now_usec, uint64_t *ret_count)
{
	report->count++;
	if (!bucket_take(&report->bucket, REFUSED_BURST, REFUSED_EVERY_USEC, now_usec) ||
	    !bucket_take(&callers->reports, REFUSED_ALL_BURST, REFUSED_ALL_EVERY_USEC, now_usec))
		return false;
	*ret_count = report->count;
	report->count = 0;
	return true;
}
