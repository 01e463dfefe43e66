/* SPDX-License-Identifier: MIT
 *
 * How old the word of a tenant's control plane is. A tenant of the files is always fresh. One whose records came by a
 * feed that no entry names any more has nobody who vouches for them.
 */
#pragma once

#include <stdbool.h>
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
/* `now`: CLOCK_BOOTTIME, microseconds. `offline_sec`: the tenant's. `freshness` NULL: there are no feeds. `from_feed`:
 * where the records of the picture in force come from (directory_from_feed). */
enum freshness_answer freshness_of(const struct freshness *freshness, const char *tenant_id, bool from_feed,
				   uint32_t offline_sec, uint64_t now);
