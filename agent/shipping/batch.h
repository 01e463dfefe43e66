/* SPDX-License-Identifier: MIT
 *
 * Groups of the spool as events for a sink: leaf and personal data merged.
 */
#pragma once

#include "ship/ship.h"
#include "trail/leaf.h"

struct batch_texts {
	char id[LEAF_ID_MAX], kind[LEAF_KIND_MAX], tenant[LEAF_ID_MAX];
};
struct batch {
	struct ship_event *events;
	struct batch_texts *texts; /* what the events point to, and their `ocsf`, which is malloc'd */
	uint32_t count, capacity;
	size_t bytes;
};
void batch_finish(struct batch *batch);
/* Adds all events of groups as spool_read gives them. `host` is borrowed. 0, -ENOMEM; -EBADMSG: not of the form. A
 * record that is none goes out as it is. */
int batch_read(struct batch *batch, const char *data, size_t length, const char *host);
