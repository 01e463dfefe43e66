/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/row.h"

#include <errno.h>
#include <string.h>

int feed_row_read(const struct db_rows *rows, uint32_t row, struct feed_row *ret)
{
	const char *tenant_id = db_text(rows, row, 0), *origin = db_text(rows, row, 1);
	_cleanup_(freep) uint8_t *chain = NULL;
	size_t length;
	int r;

	if (strlen(tenant_id) >= sizeof(ret->tenant_id) || strlen(origin) >= sizeof(ret->origin))
		return -EINVAL;
	r = db_bytes(rows, row, 5, &chain, &length);
	if (r < 0)
		return r;
	if (length != SHA256_BYTES)
		return -EINVAL;
	*ret = (struct feed_row){
		.epoch = (uint64_t)db_i64(rows, row, 2),
		.revision = (uint64_t)db_i64(rows, row, 3),
		.trust_version = (uint64_t)db_i64(rows, row, 4),
		.head_issued = db_i64(rows, row, 6),
	};
	memcpy(ret->tenant_id, tenant_id, strlen(tenant_id));
	memcpy(ret->origin, origin, strlen(origin));
	memcpy(ret->chain, chain, SHA256_BYTES);
	return 0;
}

int feed_row_lock(struct db_tx *tx, const char *tenant_id, struct feed_row *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT " FEED_ROW_COLUMNS " FROM feeds WHERE tenant_id = $1 FOR UPDATE", tenant_id);

	if (r < 0)
		return r;
	return db_row_count(rows) == 0 ? -ENOENT : feed_row_read(rows, 0, ret);
}

int feed_row_get(struct db_tx *tx, const char *tenant_id, struct feed_row *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT " FEED_ROW_COLUMNS " FROM feeds WHERE tenant_id = $1", tenant_id);

	if (r < 0)
		return r;
	return db_row_count(rows) == 0 ? -ENOENT : feed_row_read(rows, 0, ret);
}

int feed_row_sign_head(struct keyring *keyring, const struct feed_signers *signers, const struct feed_row *row,
		       int64_t now, uint32_t stale_sec, struct buffer *ret)
{
	/* Clocks of replicas differ: time in heads stands still rather than going back. */
	int64_t issued = MAX_OF(now, row->head_issued);
	struct feed_head head = {
		.epoch = row->epoch,
		.revision = row->revision,
		.issued = issued,
		.expires = issued + (int64_t)stale_sec,
	};
	int r;

	memcpy(head.origin, row->origin, sizeof(head.origin));
	memcpy(head.chain, row->chain, sizeof(head.chain));
	r = feed_head_write(&head, ret);
	return r < 0 ? r : keyring_sign(keyring, signers, ret);
}
