/* SPDX-License-Identifier: MIT
 *
 * What ends before its time, as revocations in the tenant's feed: access tokens, sessions.
 */
#pragma once

#include "control_plane/http/request.h"

/* Remembers it until the token would have ended by itself, and tells the hosts of the request's tenant (none: an
 * operator's token, which no host takes). Again is no harm. 0, or -errno. */
int revocations_put(struct request *request, const char *token_id, int64_t expires, const char *reason);

/* The feed's row, locked as it will be for the change: who reads the feed's records after this sees the newest. Queued.
 * 0, or -errno. */
int revocations_lock(struct request *request);
/* Puts one into the request's change; `body` is taken. 0, or -errno. */
int revocations_publish(struct request *request, const char *id, json_t *body);
