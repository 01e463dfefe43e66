/* SPDX-License-Identifier: MIT
 *
 * The word on which a host may forget: how much of its chain is in the log.
 */
#pragma once

#include "base/buffer.h"
#include "control_plane/app.h"
#include "control_plane/db/db.h"
#include "trail/chain.h"

/* Signed by the authority's key. `tx` in platform scope. Give it away after the commit alone. */
int receipt_make(struct app *app, struct db_tx *tx, const char *host_id, const char *chain,
		 const struct chain_head *head, struct buffer *ret);
