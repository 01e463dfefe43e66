/* SPDX-License-Identifier: MIT
 *
 * Nothing comes into the inbox of a tenant that is not there (inbox_put holds it until the commit), so what is
 * sequenced here is all, and the last checkpoint stays the last.
 */
#include "control_plane/audit/ending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/audit/internal.h"

/* As lines: in a leaf there are no line ends. */
static json_t *lines_of(const char *note)
{
	json_t *lines = json_array();

	while (note && *note) {
		size_t length = strcspn(note, "\n");

		if (json_array_append_new(lines, json_stringn(note, length)) < 0) {
			json_decref(lines);
			return NULL;
		}
		note += length + (note[length] == '\n');
	}
	return lines;
}

static int erase_all(struct db_tx *tx, const char *log_id)
{
	/* Of the platform's log those who are its people today: who is named in the tenant's log is named by hosts. */
	int r = db_later(tx,
			 "DELETE FROM control.audit_person_keys WHERE tenant_id = '' AND person IN (SELECT u.id FROM "
			 "control.users u WHERE u.tenant_id = $1)",
			 log_id);

	return r < 0 ? r : db_later(tx, "DELETE FROM control.audit_person_keys WHERE tenant_id = $1", log_id);
}

/* The keys by which the log is verified from now on. None where nobody could sign it any more. */
static int keep_keys(struct app *app, struct db_tx *tx, const char *log_id, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *keys = NULL;
	_cleanup_(freep) char *text = NULL;
	int r = log_keys(app, tx, log_id, &keys);

	if (r == -ENOKEY) {
		keys = json_array();
		r = 0;
	}
	if (r < 0)
		return r;
	text = keys ? json_dumps(keys, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	r = db_later(tx,
		     "UPDATE control.audit_logs SET ended_at = clock_timestamp(), ended_keys = $2::jsonb WHERE "
		     "tenant_id = $1",
		     log_id, text);
	if (r == 0)
		*ret = TAKE_PTR(keys);
	return r;
}

static int tell(const struct log_head *head, json_t *keys, json_t **ret)
{
	char hex[2 * SHA256_BYTES + 1];
	struct tlog_hash root;
	int r = tlog_frontier_root(&head->frontier, &root);

	if (r < 0)
		return r;
	text_to_hex(root.bytes, sizeof(root.bytes), hex);
	*ret = json_pack("{s:I, s:s, s:I, s:o, s:O}", "size", (json_int_t)head->frontier.size, "root", hex,
			 "signed_size", (json_int_t)head->signed_size, "checkpoint", lines_of(head->note), "keys",
			 keys);
	return *ret ? 0 : -ENOMEM;
}

int log_end(struct app *app, struct db_tx *tx, const char *log_id, json_t **ret)
{
	_cleanup_(log_head_finish) struct log_head head = {0};
	_cleanup_(json_decrefp) json_t *keys = NULL;
	int r = db_run(tx, NULL, "SELECT pg_advisory_xact_lock(" AUDIT_END_LOCK ", hashtext($1))", log_id);

	if (r == 0)
		r = sequence_in(app, tx, log_id);

	if (r == 0)
		r = erase_all(tx, log_id);
	if (r == 0)
		r = keep_keys(app, tx, log_id, &keys);
	if (r == 0)
		r = log_head_load(tx, log_id, &head);
	return r < 0 ? r : tell(&head, keys, ret);
}

int log_has_ended(struct db_tx *tx, const char *log_id, bool *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT ended_at IS NOT NULL FROM control.audit_logs WHERE tenant_id = $1", log_id);

	*ret = r == 0 && db_row_count(rows) > 0 && db_bool(rows, 0, 0);
	return r;
}
