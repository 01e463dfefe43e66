/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/receipt.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control_plane/audit/internal.h"
#include "control_plane/feed/internal.h"

int receipt_make(struct app *app, struct db_tx *tx, const char *host_id, const char *chain,
		 const struct chain_head *head, struct buffer *ret)
{
	struct receipt receipt = {.head = *head, .issued = clock_realtime_sec()};
	struct note_key key;
	int r = authority_key(app, tx, &key);

	if (r < 0)
		return r;
	(void)snprintf(receipt.authority, sizeof(receipt.authority), "%s", key.name);
	(void)snprintf(receipt.host_id, sizeof(receipt.host_id), "%s", host_id);
	(void)snprintf(receipt.chain, sizeof(receipt.chain), "%s", chain);
	r = receipt_write(&receipt, ret);
	return r == 0 ? signer_sign_note(app->publisher->signer, &key, ret) : r;
}
