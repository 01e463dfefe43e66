/* SPDX-License-Identifier: MIT
 *
 * What a delta's operations and a snapshot's lines have in common.
 */
#pragma once

#include "base/text.h"
#include "feed/feed.h"
#include "records/record_json.h"

#define FEED_RECORD_ID_MAX (2 * ID_MAX_BYTES + 2) /* two ids, a slash, NUL */

/* Short and printable, so that it can stand in any message; its form for the kind is record_id_valid's matter. */
static inline bool feed_record_id_is_plain(const char *id)
{
	const char *p = id;

	while (*p > ' ' && *p <= '~')
		p++;
	return p > id && *p == '\0' && p - id < FEED_RECORD_ID_MAX;
}
