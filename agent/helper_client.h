/* SPDX-License-Identifier: MIT
 *
 * Asks the root helper to do something (helper/request.h). Never waits: the answer comes by the event loop, and what
 * cannot be asked at once because much is under way is kept and asked later, in order.
 *
 * A helper that is killed, or gone, in the middle of it answers as well: with an error, after which the same may be
 * asked again.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "helper/request.h"

/* `result`: that of the helper_answer; or why there is none: -ENOENT, -ECONNREFUSED (there is no helper), -ECONNRESET
 * (it went away), -ETIMEDOUT. Never called before helper_client_call has returned; may call helper_client_call itself.
 */
typedef void (*helper_done_fn)(void *context, uint64_t tag, int result);

struct helper_client;
int helper_client_create(sd_event *event, helper_done_fn done, void *context, struct helper_client **ret);
void helper_client_destroy(struct helper_client *client); /* takes NULL; nothing is called any more */
/* Where it listens, in place of HELPER_SOCKET; for tests. -ENAMETOOLONG. */
int helper_client_set_socket(struct helper_client *client, const char *path);

/* Copies the request; `magic` is filled in here. 0: `done` follows, once, with `tag`. Negative: it does not: -ENOENT,
 * -ECONNREFUSED: there is no helper; -ENOBUFS: more than HELPER_QUEUE_MAX are waiting. */
#define HELPER_QUEUE_MAX 16384U
int helper_client_call(struct helper_client *client, const struct helper_request *request, uint64_t tag);
