/* SPDX-License-Identifier: MIT
 *
 * Proofs from stored tiles. An algorithm of lib/tlog is run twice: once to hear which subtrees it needs, and again with
 * these at hand. In between the tiles are fetched, all in one round trip: a proof for any size costs about the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_plane/app.h"
#include "control_plane/audit/internal.h"
#include "tlog/tile.h"

#define TILES_MAX 24U /* two paths through eight levels, and a right edge */

struct fetched {
	struct tlog_tile tile; /* as wide as the stored tree has it */
	struct tlog_hash hashes[TLOG_TILE_WIDTH];
};
struct tiles {
	uint64_t size; /* sequenced */
	uint32_t count;
	struct fetched *items; /* TILES_MAX */
};

void log_head_finish(struct log_head *head)
{
	free(head->note);
	*head = (struct log_head){0};
}

int log_head_load(struct db_tx *tx, const char *log_id, struct log_head *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct log_head head = {0};
	uint32_t count = 0;
	int r = db_run(tx, &rows,
		       "SELECT size, hashes, checkpoint_size, checkpoint FROM control.audit_logs WHERE tenant_id = $1",
		       log_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) > 0) {
		head.frontier.size = (uint64_t)db_i64(rows, 0, 0);
		head.signed_size = (uint64_t)db_i64(rows, 0, 2);
		r = hashes_from_rows(rows, 0, 1, head.frontier.hashes, TLOG_PROOF_MAX, &count);
		if (r == 0 && count != tlog_frontier_count(head.frontier.size))
			r = -EIO;
		if (r == 0 && *db_text(rows, 0, 3)) {
			head.note = strdup(db_text(rows, 0, 3));
			r = head.note ? 0 : -ENOMEM;
		}
	}
	if (r == 0)
		*ret = head;
	return r == -EBADMSG ? -EIO : r;
}

/* ---- which ----------------------------------------------------------------------------------------------------------
 */

static struct fetched *find(const struct tiles *tiles, const struct tlog_tile *tile)
{
	for (uint32_t i = 0; i < tiles->count; i++)
		if (tiles->items[i].tile.level == tile->level && tiles->items[i].tile.n == tile->n)
			return &tiles->items[i];
	return NULL;
}

static int note_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	struct tiles *tiles = context;
	struct tlog_tile tile = tlog_tile_of(level, index);

	memset(ret, 0, sizeof(*ret));
	if (find(tiles, &tile))
		return 0;
	if (tiles->count == TILES_MAX)
		return -EIO;
	tile.width = tlog_tile_width(tiles->size, tile.level, tile.n);
	if (tile.width == 0)
		return -EINVAL;
	tiles->items[tiles->count++].tile = tile;
	return 0;
}

static int node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	const struct tiles *tiles = context;
	const struct tlog_tile tile = tlog_tile_of(level, index);
	const struct fetched *item = find(tiles, &tile);
	unsigned first, count;

	tlog_tile_range(level, index, &first, &count);
	if (!item || first + count > item->tile.width)
		return -EIO;
	return tlog_tile_root(item->hashes + first, count, ret);
}

/* ---- from where -----------------------------------------------------------------------------------------------------
 */

static int want(struct db_tx *tx, const char *log_id, const struct tlog_tile *tile, struct db_rows **ret)
{
	uint64_t first = tile->n * TLOG_TILE_WIDTH;
	char level[16], n[24], from[24], to[24];

	(void)snprintf(from, sizeof(from), "%" PRIu64, first);
	(void)snprintf(to, sizeof(to), "%" PRIu64, first + tile->width);
	if (tile->width == TLOG_TILE_WIDTH) {
		(void)snprintf(level, sizeof(level), "%u", tile->level);
		(void)snprintf(n, sizeof(n), "%" PRIu64, tile->n);
		return db_want(tx, ret,
			       "SELECT hashes FROM control.audit_tiles WHERE tenant_id = $1 AND level = $2::smallint "
			       "AND n = $3::bigint",
			       log_id, level, n);
	}
	if (tile->level == 0)
		return db_want(tx, ret, AUDIT_LEAF_HASHES_SQL, log_id, from, to);
	(void)snprintf(level, sizeof(level), "%u", tile->level - 1);
	return db_want(tx, ret, AUDIT_ROOTS_SQL, log_id, level, from, to);
}

static int fetch(struct db_tx *tx, const char *log_id, struct tiles *tiles)
{
	struct db_rows *rows[TILES_MAX] = {NULL};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < tiles->count; i++)
		r = want(tx, log_id, &tiles->items[i].tile, &rows[i]);
	/* What is wanted comes with the next one that is run. */
	if (r == 0 && tiles->count > 0)
		r = db_run(tx, NULL, "SELECT 1");
	for (uint32_t i = 0; r == 0 && i < tiles->count; i++) {
		uint32_t got = 0;

		if (db_row_count(rows[i]) == 1)
			r = hashes_from_rows(rows[i], 0, 0, tiles->items[i].hashes, TLOG_TILE_WIDTH, &got);
		if (r == 0 && got != tiles->items[i].tile.width)
			r = -EIO;
	}
	for (uint32_t i = 0; i < tiles->count; i++)
		db_rows_free(rows[i]);
	return r == -EBADMSG ? -EIO : r;
}

static int begin(struct db_tx *tx, const char *log_id, struct tiles *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT size FROM control.audit_logs WHERE tenant_id = $1", log_id);

	if (r < 0)
		return r;
	ret->size = db_row_count(rows) > 0 ? (uint64_t)db_i64(rows, 0, 0) : 0;
	ret->items = calloc(TILES_MAX, sizeof(*ret->items));
	return ret->items ? 0 : -ENOMEM;
}

/* ---- what is asked for ----------------------------------------------------------------------------------------------
 */

int log_prove_inclusion(struct db_tx *tx, const char *log_id, uint64_t index, uint64_t size, struct tlog_proof *ret)
{
	_cleanup_(freep) struct fetched *items = NULL;
	struct tiles tiles = {0};
	int r = begin(tx, log_id, &tiles);

	items = tiles.items;
	if (r == 0 && (size > tiles.size || index >= size))
		r = -EINVAL;
	if (r == 0)
		r = tlog_prove_inclusion(index, size, note_node, &tiles, ret);
	if (r == 0)
		r = fetch(tx, log_id, &tiles);
	return r < 0 ? r : tlog_prove_inclusion(index, size, node, &tiles, ret);
}

int log_prove_consistency(struct db_tx *tx, const char *log_id, uint64_t from, uint64_t to, struct tlog_proof *ret)
{
	_cleanup_(freep) struct fetched *items = NULL;
	struct tiles tiles = {0};
	int r = begin(tx, log_id, &tiles);

	items = tiles.items;
	if (r == 0 && (to > tiles.size || from > to))
		r = -EINVAL;
	if (r == 0)
		r = tlog_prove_consistency(from, to, note_node, &tiles, ret);
	if (r == 0)
		r = fetch(tx, log_id, &tiles);
	return r < 0 ? r : tlog_prove_consistency(from, to, node, &tiles, ret);
}

int log_root(struct db_tx *tx, const char *log_id, uint64_t size, struct tlog_hash *ret)
{
	_cleanup_(freep) struct fetched *items = NULL;
	struct tiles tiles = {0};
	int r = begin(tx, log_id, &tiles);

	items = tiles.items;
	if (r == 0 && size > tiles.size)
		r = -EINVAL;
	if (r == 0)
		r = tlog_root(size, note_node, &tiles, ret);
	if (r == 0)
		r = fetch(tx, log_id, &tiles);
	return r < 0 ? r : tlog_root(size, node, &tiles, ret);
}

int log_tile(struct db_tx *tx, const char *log_id, const struct tlog_tile *tile, struct tlog_hash *ret)
{
	_cleanup_(freep) struct fetched *items = NULL;
	struct tiles tiles = {0};
	unsigned width;
	int r = begin(tx, log_id, &tiles);

	items = tiles.items;
	if (r < 0)
		return r;
	width = tlog_tile_width(tiles.size, tile->level, tile->n);
	if (tile->width == 0 || tile->width > width)
		return -EINVAL;
	/* As wide as it is stored: a narrower one is its beginning. */
	items[0].tile = (struct tlog_tile){tile->level, tile->n, width};
	tiles.count = 1;
	r = fetch(tx, log_id, &tiles);
	if (r == 0)
		memcpy(ret, items[0].hashes, tile->width * sizeof(*ret));
	return r;
}
