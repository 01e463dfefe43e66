/* SPDX-License-Identifier: MIT */
#include "audit/keep.h"

#include <stdio.h>

static int next(void *context, struct leaf_link *ret)
{
	return spool_next(context, ret);
}

static int append(void *context, const char *leaf, size_t leaf_length, const char *personal, size_t personal_length)
{
	return spool_append(context, leaf, leaf_length, personal, personal_length);
}

static void told(void *context, uint64_t count)
{
	spool_gap_told(context, count);
}

void audit_keep_in(struct audit *audit, struct spool *spool)
{
	const struct audit_store store = {.next = next, .append = append, .told = told, .context = spool};

	audit_set_store(audit, spool ? &store : NULL);
}

void audit_found(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail)
{
	static const enum audit_kind kinds[] = {
		[SPOOL_CHAIN_BEGAN] = AUDIT_CHAIN_BEGAN, [SPOOL_REPAIRED] = AUDIT_REPAIRED,
		[SPOOL_DAMAGED] = AUDIT_DAMAGED,         [SPOOL_BROKEN] = AUDIT_SPOOL_BROKEN,
		[SPOOL_WHOLE] = AUDIT_SPOOL_BROKEN,      [SPOOL_OVERWRITTEN] = AUDIT_OVERWRITTEN,
	};
	char text[512];
	struct audit_event event = {.record_kind = "audit-chain", .detail = text, .count = count};

	_Static_assert(ARRAY_LEN(kinds) == SPOOL_FINDING_COUNT, "a kind for each finding");
	if ((unsigned)finding >= SPOOL_FINDING_COUNT)
		return;
	if (!detail)
		detail = "";
	event.kind = kinds[finding];
	if (finding == SPOOL_BROKEN || finding == SPOOL_WHOLE)
		event.change = finding == SPOOL_BROKEN ? "broken" : "whole";
	if (finding == SPOOL_BROKEN || finding == SPOOL_DAMAGED)
		event.reason = REASON_BROKEN;
	event.failure = finding == SPOOL_BROKEN;
	if (first > 0)
		(void)snprintf(text, sizeof(text), "%s%sfrom %llu on", detail, *detail ? ", " : "",
			       (unsigned long long)first);
	else
		(void)snprintf(text, sizeof(text), "%s", detail);
	audit_write(context, &event);
}
