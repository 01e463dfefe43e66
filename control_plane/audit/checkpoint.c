/* SPDX-License-Identifier: MIT
 *
 * Who signs for a log: a tenant's by the keys of its feed, the platform's by the authority's key, both under the log's
 * origin as their name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/app.h"
#include "control_plane/audit/internal.h"
#include "control_plane/feed/assignment.h"
#include "control_plane/feed/internal.h"
#include "json/json_read.h"

/* ---- the authority's key --------------------------------------------------------------------------------------------
 */

static int load_or_make(struct app *app, struct db_tx *tx, struct note_key *ret)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *own = NULL;
	int r = tx ? assignment_authority(app->publisher, tx, ret) : 1;

	if (r != 1)
		return r;
	/* A transaction of its own: what signs must be there whatever becomes of the caller's. */
	r = db_begin(app->db, &scope, &own);
	if (r == 0)
		r = assignment_make_authority(app->publisher, own, ret);
	return r < 0 ? r : db_commit(TAKE_PTR(own));
}

int authority_key(struct app *app, struct db_tx *tx, struct note_key *ret)
{
	struct audit_log *log = app->audit_log;
	struct note_key key = {0};
	int r;

	if (!log)
		return load_or_make(app, tx, ret);
	(void)pthread_mutex_lock(&log->lock);
	key = log->authority;
	(void)pthread_mutex_unlock(&log->lock);
	if (!*key.name) {
		r = load_or_make(app, tx, &key);
		if (r < 0)
			return r;
		(void)pthread_mutex_lock(&log->lock);
		log->authority = key;
		(void)pthread_mutex_unlock(&log->lock);
	}
	*ret = key;
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------------------------------
 */

int log_origin(struct app *app, const char *log_id, char ret[CHECKPOINT_ORIGIN_MAX])
{
	struct note_key authority;
	int r = authority_key(app, NULL, &authority), length;

	if (r < 0)
		return r;
	length = snprintf(ret, CHECKPOINT_ORIGIN_MAX, "%s/audit/%s", authority.name, *log_id ? log_id : "platform");
	return length > 0 && (size_t)length < CHECKPOINT_ORIGIN_MAX ? 0 : -EINVAL;
}

/* The keys that sign this log now, under its origin. */
static int signers(struct app *app, struct db_tx *tx, const char *log_id, uint64_t trust_version, const char *origin,
		   struct feed_signers *ret)
{
	int r = 0;

	*ret = (struct feed_signers){0};
	if (!*log_id) {
		ret->count = 1;
		r = authority_key(app, NULL, &ret->keys[0]);
	} else if (trust_version == 0) {
		r = -ENOKEY;
	} else {
		r = keyring_get(app->publisher->keyring, tx, log_id, trust_version, ret);
	}
	for (uint32_t i = 0; r == 0 && i < ret->count; i++) {
		struct note_key key = ret->keys[i];

		r = note_key_init(&ret->keys[i], origin, key.public);
	}
	return r;
}

static int trust_version_of(struct db_tx *tx, const char *log_id, uint64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	*ret = 0;
	if (!*log_id)
		return 0;
	r = db_run(tx, &rows, "SELECT trust_version FROM control.feeds WHERE tenant_id = $1", log_id);
	if (r == 0 && db_row_count(rows) > 0)
		*ret = (uint64_t)db_i64(rows, 0, 0);
	return r;
}

/* Of a log that has ended. 0; 1: it has not. */
static int kept_keys(struct db_tx *tx, const char *log_id, json_t **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct problem problem = {0};
	const char *text;
	int r = db_run(tx, &rows,
		       "SELECT ended_keys FROM control.audit_logs WHERE tenant_id = $1 AND ended_keys IS NOT NULL",
		       log_id);

	if (r < 0 || db_row_count(rows) == 0)
		return r < 0 ? r : 1;
	text = db_text(rows, 0, 0);
	r = json_read(text, strlen(text), ret, &problem);
	return r == -EBADMSG ? -EIO : r;
}

int log_keys(struct app *app, struct db_tx *tx, const char *log_id, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *keys = json_array();
	char origin[CHECKPOINT_ORIGIN_MAX], vkey[NOTE_VKEY_MAX];
	struct feed_signers who;
	uint64_t version;
	int r = log_origin(app, log_id, origin);

	if (r == 0)
		r = trust_version_of(tx, log_id, &version);
	if (r == 0 && *log_id && version == 0) {
		r = kept_keys(tx, log_id, ret);
		if (r <= 0)
			return r;
		r = -ENOKEY;
	}
	if (r == 0)
		r = signers(app, tx, log_id, version, origin, &who);
	for (uint32_t i = 0; r == 0 && i < who.count; i++) {
		r = note_key_render(&who.keys[i], vkey);
		if (r == 0 && json_array_append_new(keys, json_string(vkey)) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		*ret = TAKE_PTR(keys);
	return r;
}

/* ---- the checkpoint -------------------------------------------------------------------------------------------------
 */

int checkpoint_sign(struct app *app, struct db_tx *tx, const char *log_id, uint64_t trust_version,
		    const struct tlog_frontier *frontier, struct buffer *ret)
{
	struct checkpoint checkpoint = {.size = frontier->size};
	struct feed_signers who;
	int r = log_origin(app, log_id, checkpoint.origin);

	if (r == 0)
		r = signers(app, tx, log_id, trust_version, checkpoint.origin, &who);
	if (r == 0)
		r = tlog_frontier_root(frontier, &checkpoint.root);
	if (r == 0)
		r = checkpoint_write(&checkpoint, ret);
	return r == 0 ? keyring_sign(app->publisher->keyring, &who, ret) : r;
}
