/* SPDX-License-Identifier: MIT
 *
 * The host's access token where another thread than the one that gets it may take a copy: single sign-on shows it to
 * the same control plane, so that whoever approves a sign-in there is told which host asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct host_token;
struct host_token *host_token_new(void);        /* NULL: no memory */
void host_token_free(struct host_token *token); /* takes NULL; when nobody else has it any more */
/* By the thread that gets it. `url`: the control plane that gave it. NULL `text`: there is none now. */
void host_token_set(struct host_token *token, const char *url, const char *text, uint64_t good_until);
/* By any thread. True: a good one that this very control plane gave was added to `ret` (wiping). */
bool host_token_get(struct host_token *token, const char *url, struct buffer *ret);
