/* SPDX-License-Identifier: MIT
 *
 * Writing tiles: one for each 256 hashes of a level, when the last of them is there. What is not whole yet is not kept:
 * it is the newest leaves, and the roots of the tiles below.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_plane/audit/internal.h"
#include "control_plane/feed/pg_array.h"
#include "tlog/tile.h"

int hashes_from_rows(const struct db_rows *rows, uint32_t row, unsigned column, struct tlog_hash *ret, uint32_t most,
		     uint32_t *ret_count)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t length = 0;
	int r = 0;

	if (!db_is_null(rows, row, column))
		r = db_bytes(rows, row, column, &bytes, &length);
	if (r < 0)
		return r;
	if (length % sizeof(ret->bytes) != 0 || length / sizeof(ret->bytes) > most)
		return -EBADMSG;
	if (length > 0)
		memcpy(ret, bytes, length);
	*ret_count = (uint32_t)(length / sizeof(ret->bytes));
	return 0;
}

/* The hashes of a level that stand in its last, partial tile: `count` from `first` on. */
static int load_edge(struct db_tx *tx, const char *log_id, unsigned level, uint64_t first, uint32_t count,
		     struct tlog_hash *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char below[16], from[24], to[24];
	uint32_t got = 0;
	int r;

	(void)snprintf(below, sizeof(below), "%u", level - 1);
	(void)snprintf(from, sizeof(from), "%" PRIu64, first);
	(void)snprintf(to, sizeof(to), "%" PRIu64, first + count);
	if (level == 0)
		r = db_run(tx, &rows, AUDIT_LEAF_HASHES_SQL, log_id, from, to);
	else
		r = db_run(tx, &rows, AUDIT_ROOTS_SQL, log_id, below, from, to);
	if (r == 0)
		r = hashes_from_rows(rows, 0, 0, ret, count, &got);
	return r < 0 || got == count ? r : -EBADMSG;
}

static int insert(struct db_tx *tx, const char *log_id, unsigned level, uint64_t first, const struct tlog_hash *hashes,
		  const struct tlog_hash *roots, uint32_t count)
{
	_cleanup_(freep) char *all = db_hex(hashes, (size_t)count * TLOG_TILE_WIDTH * sizeof(*hashes));
	_cleanup_(freep) char *tops = db_hex(roots, count * sizeof(*roots));
	char level_text[16], from[24], last[24];

	if (!all || !tops)
		return -ENOMEM;
	(void)snprintf(level_text, sizeof(level_text), "%u", level);
	(void)snprintf(from, sizeof(from), "%" PRIu64, first);
	(void)snprintf(last, sizeof(last), "%" PRIu32, count - 1);
	return db_later(tx,
			"INSERT INTO control.audit_tiles (tenant_id, level, n, root, hashes) "
			"SELECT $1, $2::smallint, $3::bigint + i, substring($5::bytea FROM i * 32 + 1 FOR 32), "
			"substring($6::bytea FROM i * 8192 + 1 FOR 8192) FROM generate_series(0, $4::int) AS i",
			log_id, level_text, from, last, tops, all);
}

/* One level: `edge` hashes before them, `count` new ones. What becomes whole goes to the database, and its roots to
 * the next level. */
static int add_level(struct db_tx *tx, const char *log_id, unsigned level, uint64_t first, struct tlog_hash *hashes,
		     uint32_t whole, struct tlog_hash *ret_roots)
{
	for (uint32_t i = 0; i < whole; i++) {
		int r = tlog_tile_root(hashes + (size_t)i * TLOG_TILE_WIDTH, TLOG_TILE_WIDTH, &ret_roots[i]);

		if (r < 0)
			return r;
	}
	return insert(tx, log_id, level, first, hashes, ret_roots, whole);
}

int tiles_add(struct db_tx *tx, const char *log_id, uint64_t size, const struct tlog_hash *leaves, uint32_t count)
{
	_cleanup_(freep) struct tlog_hash *news = malloc(MAX_OF(count, 1U) * sizeof(*news));
	uint64_t before = size;
	uint32_t added = count;

	if (!news)
		return -ENOMEM;
	memcpy(news, leaves, count * sizeof(*news));
	for (unsigned level = 0; level < TLOG_TILE_LEVELS && added > 0; level++) {
		uint32_t edge = (uint32_t)(before % TLOG_TILE_WIDTH), whole = (edge + added) / TLOG_TILE_WIDTH;
		_cleanup_(freep) struct tlog_hash *all = NULL, *roots = NULL;
		int r = 0;

		if (whole == 0)
			return 0;
		all = malloc(((size_t)edge + added) * sizeof(*all));
		roots = malloc(whole * sizeof(*roots));
		if (!all || !roots)
			return -ENOMEM;
		if (edge > 0)
			r = load_edge(tx, log_id, level, before - edge, edge, all);
		memcpy(all + edge, news, added * sizeof(*all));
		if (r == 0)
			r = add_level(tx, log_id, level, before / TLOG_TILE_WIDTH, all, whole, roots);
		if (r < 0)
			return r;
		before /= TLOG_TILE_WIDTH;
		added = whole;
		memcpy(news, roots, whole * sizeof(*news));
	}
	return 0;
}
