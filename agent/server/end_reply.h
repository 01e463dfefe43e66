/* SPDX-License-Identifier: MIT
 *
 * The reply to EndSession and EndSessions, at once or when what was waited for is gone.
 */
#pragma once

#include "server/connection.h"

/* Of what the connection's `ends` say; nobody waits any more. 0 or -errno. */
int end_reply_put(struct connection *connection);
