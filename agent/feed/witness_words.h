/* SPDX-License-Identifier: MIT
 *
 * What a witness goes by and what it says: keys under the names of logs, cosignatures, evidence.
 */
#pragma once

#include "base/buffer.h"
#include "feed/feed.h"
#include "spool/spool.h"
#include "tlog/checkpoint.h"

/* "<authority>/audit/<tenant id>", and the feed's keys under that name. 0, -EINVAL. */
int witness_tenant_keys(const struct feed_trust *trust, struct note_key ret[FEED_KEYS_MAX], uint32_t *ret_count,
			char ret_origin[CHECKPOINT_ORIGIN_MAX]);
/* The same of the platform's log. */
int witness_platform_key(const struct note_key *authority, struct note_key ret[FEED_KEYS_MAX], uint32_t *ret_count,
			 char ret_origin[CHECKPOINT_ORIGIN_MAX]);
/* {"kept":[lines],"shown":[lines]}: either may be NULL. What is too long for an event is cut. */
void witness_write_evidence(struct buffer *out, const char *kept, const char *shown, size_t shown_length);
/* {"size":…,"line":"…"}: by the chain's key, as "<authority>/witness/<host id>". */
int witness_write_cosignature(struct buffer *out, struct spool *spool, const char *authority, const char *host_id,
			      const char *note, uint64_t size);
