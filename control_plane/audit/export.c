/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/audit/frontier.h"
#include "crypto/note.h"
#include "tlog/tile.h"

#define ENTRIES_AT_ONCE 64U /* of up to 80 KiB each, with their personal data */
#define TILES_KEPT 64U      /* two paths of eight levels, and what the entries of one piece lie in */
#define HASH_BASE64 48U

struct kept_tile {
	struct tlog_tile tile;
	uint64_t used; /* counts up; 0: free */
	struct tlog_hash hashes[TLOG_TILE_WIDTH];
};
struct export
{
	struct app *app;
	char log_id[LEAF_ID_MAX];
	struct arena texts;
	struct audit_filter filter;
	json_t *header; /* until it is written */
	uint64_t size;  /* of the checkpoint */
	uint64_t next, to, entries;
	bool filtered;
	uint64_t clock; /* of the tiles' use */
	struct kept_tile *tiles;
	/* While a piece is made. */
	struct db_tx *tx;
	struct buffer *lines;
};

void export_free(struct export *export)
{
	if (!export)
		return;
	json_decref(export->header);
	arena_finish(&export->texts);
	free(export->tiles);
	free(export);
}

/* ---- the header -----------------------------------------------------------------------------------------------------
 */

static json_t *frontier_json(const struct tlog_frontier *frontier)
{
	json_t *hashes = json_array();
	char hex[2 * SHA256_BYTES + 1];

	for (unsigned i = 0; i < tlog_frontier_count(frontier->size); i++) {
		text_to_hex(frontier->hashes[i].bytes, SHA256_BYTES, hex);
		(void)json_array_append_new(hashes, json_string(hex));
	}
	return json_pack("{s:I, s:o}", "size", (json_int_t)frontier->size, "hashes", hashes);
}

static int make_header(struct export *export, struct db_tx *tx, const struct log_head *head)
{
	_cleanup_(json_decrefp) json_t *keys = NULL;
	char origin[CHECKPOINT_ORIGIN_MAX];
	struct tlog_frontier frontier;
	int r = log_origin(export->app, export->log_id, origin);

	if (r == 0)
		r = log_keys(export->app, tx, export->log_id, &keys);
	if (r == 0)
		r = log_frontier(tx, export->log_id, export->next, head, &frontier);
	if (r < 0)
		return r;
	export->header = json_pack("{s:s, s:s, s:O, s:s, s:I, s:I, s:o}", "export", "tenantd-audit/v1", "origin",
				   origin, "keys", keys, "checkpoint", head->note, "from", (json_int_t) export->next,
				   "to", (json_int_t) export->to, "frontier", frontier_json(&frontier));
	return export->header ? 0 : -ENOMEM;
}

/* ---- beginning ------------------------------------------------------------------------------------------------------
 */

static int copy_text(struct export *export, const char **text)
{
	if (!*text)
		return 0;
	*text = arena_strndup(&export->texts, *text, strlen(*text));
	export->filtered = true;
	return *text ? 0 : -ENOMEM;
}

static int copy_filter(struct export *export, const struct audit_filter *filter)
{
	struct audit_filter *own = &export->filter;

	*own = *filter;
	own->newest_first = false;
	export->filtered = own->since_ms > 0 || own->until_ms > 0 || own->class_uid || own->outcome;
	return copy_text(export, &own->actor) < 0 || copy_text(export, &own->project_id) < 0 ||
			       copy_text(export, &own->host_id) < 0 || copy_text(export, &own->kind) < 0 ||
			       copy_text(export, &own->event_id) < 0 || copy_text(export, &own->person) < 0
		       ? -ENOMEM
		       : 0;
}

static int first_kept(struct db_tx *tx, const char *log_id, uint64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT first_idx FROM control.audit_logs WHERE tenant_id = $1", log_id);

	*ret = r == 0 && db_row_count(rows) > 0 ? (uint64_t)db_i64(rows, 0, 0) : 0;
	return r;
}

int export_new(struct app *app, struct db_tx *tx, const char *log_id, const struct audit_filter *filter,
	       struct export **ret, uint64_t *ret_first, uint64_t *ret_size)
{
	_cleanup_(export_freep) struct export *export = calloc(1, sizeof(*export));
	_cleanup_(log_head_finish) struct log_head head = {0};
	int r;

	if (!export || strlen(log_id) >= sizeof(export->log_id))
		return export ? -EINVAL : -ENOMEM;
	export->app = app;
	(void)snprintf(export->log_id, sizeof(export->log_id), "%s", log_id);
	export->tiles = calloc(TILES_KEPT, sizeof(*export->tiles));
	if (!export->tiles)
		return -ENOMEM;
	r = copy_filter(export, filter);
	if (r == 0)
		r = log_head_load(tx, log_id, &head);
	if (r == 0 && !head.note)
		r = -ENODATA;
	if (r == 0)
		r = first_kept(tx, log_id, ret_first);
	if (r < 0)
		return r;
	export->size = head.signed_size;
	export->next = filter->from;
	export->to = filter->to > 0 ? filter->to : head.signed_size;
	*ret_size = head.signed_size;
	if (export->to > export->size || export->next > export->to || export->next < *ret_first)
		return -ERANGE;
	r = make_header(export, tx, &head);
	if (r == 0)
		*ret = TAKE_PTR(export);
	return r;
}

/* ---- proofs ---------------------------------------------------------------------------------------------------------
 * Entries next to each other need nearly the same tiles: those used last are kept.
 */

static int tile_of(struct export *export, const struct tlog_tile *wanted, struct kept_tile **ret)
{
	struct kept_tile *oldest = &export->tiles[0];
	int r;

	for (unsigned i = 0; i < TILES_KEPT; i++) {
		struct kept_tile *one = &export->tiles[i];

		if (one->used > 0 && one->tile.level == wanted->level && one->tile.n == wanted->n) {
			one->used = ++export->clock;
			*ret = one;
			return 0;
		}
		if (one->used < oldest->used)
			oldest = one;
	}
	oldest->used = 0;
	oldest->tile = *wanted;
	oldest->tile.width = tlog_tile_width(export->size, wanted->level, wanted->n);
	r = log_tile(export->tx, export->log_id, &oldest->tile, oldest->hashes);
	if (r < 0)
		return r;
	oldest->used = ++export->clock;
	*ret = oldest;
	return 0;
}

static int node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	struct export *export = context;
	const struct tlog_tile wanted = tlog_tile_of(level, index);
	struct kept_tile *tile;
	unsigned first, count;
	int r = tile_of(export, &wanted, &tile);

	if (r < 0)
		return r;
	tlog_tile_range(level, index, &first, &count);
	if (first + count > tile->tile.width)
		return -EIO;
	return tlog_tile_root(tile->hashes + first, count, ret);
}

/* ---- entries --------------------------------------------------------------------------------------------------------
 */

static json_t *personal_of(const struct audit_row *row, uint32_t part)
{
	char salt[2 * SALT_BYTES + 1];

	for (uint32_t i = 0; i < row->personal.count; i++) {
		if (row->parts[i] != part)
			continue;
		text_to_hex(row->personal.items[i].salt, SALT_BYTES, salt);
		return json_pack("{s:s, s:s, s:s}", "person", row->personal.items[i].person, "salt", salt, "patch",
				 row->personal.items[i].patch);
	}
	return NULL;
}

/* In the leaf's order, those that are gone in their place. */
static json_t *all_personal(const struct audit_row *row)
{
	uint32_t erased = 0, count = row->personal.count + row->erased_count;
	json_t *list = json_array();

	for (uint32_t part = 0; part < count; part++) {
		json_t *item = personal_of(row, part);

		if (!item && erased < row->erased_count)
			item = json_pack("{s:s, s:b}", "person", row->erased[erased++], "erased", 1);
		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *proof_json(const struct tlog_proof *proof)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < proof->count; i++) {
		_cleanup_(freep) char *text = base64_encode(proof->hashes[i].bytes, SHA256_BYTES);

		if (!text || json_array_append_new(list, json_string(text)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int add_line(struct buffer *lines, json_t *line)
{
	_cleanup_(json_decrefp) json_t *own = line;
	_cleanup_(freep) char *text = own ? json_dumps(own, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	(void)buffer_add_text(lines, text);
	return buffer_add_char(lines, '\n');
}

/* Rows come first, then their proofs: reading them must not be disturbed. */
struct piece {
	json_t *rows;
	uint64_t last;
	uint32_t count;
};

static int take_row(void *context, const struct audit_row *row)
{
	struct piece *piece = context;
	json_t *line = json_pack("{s:I, s:s, s:o}", "index", (json_int_t)row->index, "leaf", row->leaf, "personal",
				 all_personal(row));

	piece->last = row->index;
	piece->count++;
	return json_array_append_new(piece->rows, line) < 0 ? -ENOMEM : 0;
}

static int add_entries(struct export *export, const struct piece *piece)
{
	size_t i;
	json_t *line;

	json_array_foreach(piece->rows, i, line)
	{
		uint64_t index = (uint64_t)json_integer_value(json_object_get(line, "index"));
		struct tlog_proof proof;
		int r;

		/* None may be missing that nobody filtered out. */
		if (!export->filtered && index != export->next + i)
			return -EIO;
		r = tlog_prove_inclusion(index, export->size, node, export, &proof);
		if (r < 0)
			return r;
		if (json_object_set_new(line, "proof", proof_json(&proof)) < 0)
			return -ENOMEM;
		r = add_line(export->lines, json_incref(line));
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_piece(struct export *export)
{
	_cleanup_(json_decrefp) json_t *rows = json_array();
	struct piece piece = {.rows = rows};
	uint64_t end = export->filtered ? export->to : MIN_OF(export->to, export->next + ENTRIES_AT_ONCE);
	int r;

	export->filter.from = export->next;
	export->filter.to = end;
	r = rows ? audit_read(export->app, export->tx, export->log_id, &export->filter, ENTRIES_AT_ONCE, take_row,
			      &piece)
		 : -ENOMEM;
	if (r == 0)
		r = add_entries(export, &piece);
	if (r == 0 && !export->filtered && piece.count != end - export->next)
		r = -EIO;
	if (r < 0)
		return r;
	export->entries += piece.count;
	export->next = piece.count == ENTRIES_AT_ONCE ? piece.last + 1 : end;
	return 0;
}

/* A piece whose transaction was lost is made again: nothing of it was given out yet. */
static int one_piece(struct export *export, struct buffer *lines)
{
	const struct db_scope scope = {
		.tenant_id = *export->log_id ? export->log_id : NULL, .platform = !*export->log_id, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(export->app->db, &scope, &tx);

	export->tx = tx;
	export->lines = lines;
	if (r == 0)
		r = add_piece(export);
	export->tx = NULL;
	export->lines = NULL;
	return r;
}

int export_next(struct export *export, struct buffer *lines)
{
	size_t before = lines->length;
	int r;

	if (export->header) {
		r = add_line(lines, TAKE_PTR(export->header));
		return r;
	}
	if (export->next == export->to) {
		r = add_line(lines, json_pack("{s:b, s:I}", "end", 1, "entries", (json_int_t) export->entries));
		return r < 0 ? r : 1;
	}
	r = one_piece(export, lines);
	for (unsigned i = 0; i < 2 && r == -EAGAIN; i++) {
		lines->length = before;
		r = one_piece(export, lines);
	}
	return r;
}
