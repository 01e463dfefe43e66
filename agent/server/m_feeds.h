/* SPDX-License-Identifier: MIT
 *
 * How enrolment and feeds are, for Status and Metrics.
 */
#pragma once

#include "base/buffer.h"
#include "server/parts.h"
#include "json/json_write.h"

void put_feeds(struct json_writer *w, const struct parts *parts, uint64_t now_usec, int64_t realtime);
void gauge_feeds(struct buffer *out, const struct parts *parts, uint64_t now_usec);
/* By the clock: the feed's own state may say so a moment later. */
bool any_feed_is_stale(const struct parts *parts, uint64_t now_usec);
