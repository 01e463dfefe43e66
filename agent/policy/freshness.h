/* SPDX-License-Identifier: MIT
 *
 * How old the word of a tenant's control plane is. A tenant that no entry names comes from a file and is always
 * fresh.
 */
#pragma once

#include <stdint.h>

struct freshness_entry {
	const char *tenant_id;
	uint64_t fresh_until; /* CLOCK_BOOTTIME, microseconds */
};
struct freshness {
	const struct freshness_entry *entries;
	uint32_t count;
};
enum freshness_answer {
	FRESHNESS_FRESH,
	FRESHNESS_STALE, /* past the head's end, inside the tenant's offline limit: its stale_roles count */
	FRESHNESS_GONE,  /* past that, too: nobody */
};
/* `now`: CLOCK_BOOTTIME, microseconds. `offline_sec`: the tenant's. `freshness` NULL: all come from files. */
enum freshness_answer freshness_of(const struct freshness *freshness, const char *tenant_id, uint32_t offline_sec,
				   uint64_t now);
