/* SPDX-License-Identifier: MIT
 *
 * Asks the root helper to end a session. Never waits: the answer comes by the event loop.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* `result`: 0, the helper is at it; negative: why not (-ENOENT, -ECONNREFUSED: there is no helper). */
typedef void (*helper_done_fn)(void *context, uint64_t tag, int result);

struct helper_client;
int helper_client_create(sd_event *event, helper_done_fn done, void *context, struct helper_client **ret);
void helper_client_destroy(struct helper_client *client); /* takes NULL; nothing is called any more */
/* 0: `done` follows, with `tag`. Negative: it does not. -EBUSY: too many at once. */
int helper_client_end_session(struct helper_client *client, pid_t leader, uint64_t leader_start, uint32_t uid,
			      uint64_t tag);
