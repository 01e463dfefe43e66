/* SPDX-License-Identifier: MIT
 *
 * One host's stream of events (GET events, docs/feed.md). It formats nothing: it hands out the channel's frames.
 */
#pragma once

#include "control_plane/feed/channels.h"
#include "control_plane/http/stream.h"

struct stream_options {
	uint64_t epoch, after;
	uint32_t once_sec;   /* long polling; 0: a stream without an end */
	const char *host_id; /* whose it is */
};
/* `tx` of the tenant's scope. 0; -ESTALE: a gap, the snapshot is needed; -EMFILE: over the limit; -ESHUTDOWN: draining;
 * -ENOENT: no such feed; or what the database said. */
int feed_stream_new(struct publisher *publisher, struct db_tx *tx, const char *tenant_id,
		    const struct stream_options *options, struct stream **ret);
/* Ends what has waited long enough, and who does not read. */
void feed_streams_tick(struct publisher *publisher, struct slot *slot, uint64_t now);
/* Ends the streams of hosts that have no business with this feed any more. `hosts`: the ids of those that have, in the
 * order of their bytes. Twice in a row it has to be so: meanwhile a host that was disabled hears why. */
void feed_streams_check(struct slot *slot, const struct db_rows *hosts);
/* Seconds, at random: so that those who were refused do not come back together. */
uint32_t feed_retry_after(const struct publisher *publisher);
