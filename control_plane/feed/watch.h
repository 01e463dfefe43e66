/* SPDX-License-Identifier: MIT
 *
 * The thread that keeps channels up: it hears of other replicas' revisions (NOTIFY, and a poll every second that stands
 * behind it), has heads renewed, ends streams that are due.
 */
#pragma once

#include "control_plane/feed/channels.h"

#define FEED_NOTIFY_CHANNEL "control_feed"

int watch_create(struct publisher *publisher, struct watch **ret);
void watch_destroy(struct watch *watch); /* takes NULL; waits for its thread */
/* Some channel is stale, or a head is due: look now. Any thread. */
void watch_kick(struct watch *watch);

/* heads.c: signs and stores the heads of those that are older than head_sec, and puts them into their channels. A row
 * that somebody else holds is left to them. */
int heads_renew(struct publisher *publisher, struct slot *const *slots, uint32_t count);
