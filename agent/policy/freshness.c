/* SPDX-License-Identifier: MIT */
#include "policy/freshness.h"

#include <string.h>

#include "base/clock.h"

enum freshness_answer freshness_of(const struct freshness *freshness, const char *tenant_id, bool from_feed,
				   uint32_t offline_sec, uint64_t now)
{
	for (uint32_t i = 0; freshness && i < freshness->count; i++) {
		const struct freshness_entry *entry = &freshness->entries[i];

		if (strcmp(entry->tenant_id, tenant_id) != 0)
			continue;
		if (now < entry->fresh_until)
			return FRESHNESS_FRESH;
		return now - entry->fresh_until < offline_sec * USEC_PER_SEC ? FRESHNESS_STALE : FRESHNESS_GONE;
	}
	return from_feed ? FRESHNESS_GONE : FRESHNESS_FRESH;
}
