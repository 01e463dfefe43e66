/* SPDX-License-Identifier: MIT
 *
 * A feed's row in the database, and the head that belongs to it.
 */
#pragma once

#include "control_plane/feed/keys.h"

struct feed_row {
	char tenant_id[64];
	char origin[FEED_ORIGIN_MAX];
	uint64_t epoch, revision, trust_version;
	uint8_t chain[SHA256_BYTES];
	int64_t head_issued;
};
/* The columns, in the order that feed_row_read takes them. */
#define FEED_ROW_COLUMNS "tenant_id, origin, epoch, revision, trust_version, chain, head_issued"
int feed_row_read(const struct db_rows *rows, uint32_t row, struct feed_row *ret);
/* Locks the row until the transaction ends: revisions are taken one after the other. -ENOENT: there is no such feed.
 */
int feed_row_lock(struct db_tx *tx, const char *tenant_id, struct feed_row *ret);
/* The same without the lock. */
int feed_row_get(struct db_tx *tx, const char *tenant_id, struct feed_row *ret);

/* The head of this row at `now`, signed. The same row, keys and time give the same bytes, whoever signs. */
int feed_row_sign_head(struct keyring *keyring, const struct feed_signers *signers, const struct feed_row *row,
		       int64_t now, uint32_t stale_sec, struct buffer *ret);
