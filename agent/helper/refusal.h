/* SPDX-License-Identifier: MIT
 *
 * What was refused goes to the journal, as an event of its own that says who asked.
 */
#pragma once

#include <sys/socket.h>

#include "helper/request.h"

/* `request` may be NULL: nothing was read of it. `why`: a word. */
void refusal_log(const struct ucred *peer, const struct helper_request *request, const char *why);
