/* SPDX-License-Identifier: MIT
 *
 * Keys of access tokens in tenants' feeds: new ones are put, old ones and revocations that have had their time are
 * taken out.
 */
#pragma once

#include "control_plane/auth/token_keys_internal.h"

struct change;

void token_feed_put(struct app *app, const struct token_key_public *key, struct change *change);
/* Every tenant, in order of their ids. A tenant whose feed is in order costs one read. 0; -ECANCELED: `stop` said so.
 */
int token_feed_pass(struct app *app, const struct token_key_public *keys, uint32_t count, int64_t now,
		    bool (*stop)(void *context), void *context);
