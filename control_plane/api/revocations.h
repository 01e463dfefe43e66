/* SPDX-License-Identifier: MIT
 *
 * Access tokens that end before their time.
 */
#pragma once

#include "control_plane/http/request.h"

/* Remembers it until the token would have ended by itself, and tells the hosts of the request's tenant (none: an
 * operator's token, which no host takes). Again is no harm. 0, or -errno. */
int revocations_put(struct request *request, const char *token_id, int64_t expires, const char *reason);
