/* SPDX-License-Identifier: MIT
 *
 * A step of a sign-in as the reply to Login and Answer, at once or later.
 */
#pragma once

#include "login/login.h"
#include "server/connection.h"

/* `now_usec` 0: a delay that the reply asks for is left out. 0 or -errno. */
int login_reply_put(struct connection *connection, const struct login_reply *reply, uint64_t now_usec);
/* Nobody can decide: a reason of the broken kind. */
int login_reply_cannot(struct connection *connection, enum reason reason);
