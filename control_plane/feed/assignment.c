/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/assignment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/feed/internal.h"

static bool says(const struct feed_assignment *note, const struct feed_assignment *wanted)
{
	if (strcmp(note->host_id, wanted->host_id) != 0 || note->tenant_count != wanted->tenant_count)
		return false;
	for (uint32_t i = 0; i < note->tenant_count; i++)
		if (strcmp(note->tenants[i].tenant_id, wanted->tenants[i].tenant_id) != 0 ||
		    memcmp(note->tenants[i].trust, wanted->tenants[i].trust, SHA256_BYTES) != 0)
			return false;
	return true;
}

/* 0; 1: there is none, or it says something else. *ret_version: of the kept one. */
static int look(struct db_tx *tx, const struct feed_assignment *wanted, struct assignment_note *ret,
		uint64_t *ret_version)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct feed_assignment kept;
	struct note_key key;
	const char *note, *vkey;
	int r = db_run(tx, &rows,
		       "SELECT h.assignment_version, h.assignment, p.authority_key FROM control.hosts h, "
		       "control.platform p WHERE h.id = $1",
		       wanted->host_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) != 1)
		return -ENOENT;
	*ret_version = (uint64_t)db_i64(rows, 0, 0);
	note = db_text(rows, 0, 1);
	vkey = db_text(rows, 0, 2);
	if (!*note || note_key_parse(vkey, strlen(vkey), &key) < 0 || strlen(vkey) >= sizeof(ret->authority) ||
	    feed_assignment_read(note, strlen(note), &key, &kept, &(struct problem){0}) != FEED_FINE ||
	    kept.version != *ret_version || !says(&kept, wanted))
		return 1;
	memcpy(ret->authority, vkey, strlen(vkey) + 1);
	return buffer_add_text(&ret->note, note);
}

int assignment_kept(struct publisher *publisher, struct db_tx *tx, const struct feed_assignment *wanted,
		    struct assignment_note *ret)
{
	uint64_t version;

	return look(tx, wanted, ret, &version);
}

int assignment_lock(struct db_tx *tx, const char *host_id)
{
	return db_run(tx, NULL, "SELECT FROM control.hosts WHERE id = $1 FOR UPDATE", host_id);
}

static int make_key(struct publisher *p, struct db_tx *tx, const char *authority, struct note_key *ret)
{
	_cleanup_(buffer_finish) struct buffer stored = BUFFER_INIT;
	_cleanup_(freep) char *hex = NULL;
	char vkey[NOTE_VKEY_MAX];
	int r = p->signer->class->make(p->signer, authority, ret, &stored);

	if (r == 0)
		r = note_key_render(ret, vkey);
	if (r < 0)
		return r;
	hex = db_hex(stored.data, stored.length);
	if (!hex)
		return -ENOMEM;
	return db_later(tx, "UPDATE control.platform SET authority_key = $1, authority_sealed = $2", vkey, hex);
}

/* Columns: authority, its key, the sealed half. */
static int load_key(struct publisher *p, const struct db_rows *rows, struct note_key *ret)
{
	_cleanup_(freep) uint8_t *stored = NULL;
	const char *vkey = db_text(rows, 0, 1);
	size_t length = 0;
	int r = note_key_parse(vkey, strlen(vkey), ret);
	if (r == 0)
		r = db_bytes(rows, 0, 2, &stored, &length);
	if (r == 0)
		r = p->signer->class->load(p->signer, ret, stored, length);
	if (r == -EBADMSG || r == -EINVAL) {
		log_error("the authority key %s cannot be opened with this seal key", vkey);
		return -ENOKEY;
	}
	return r;
}

int assignment_authority(struct publisher *publisher, struct db_tx *tx, struct note_key *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT authority, authority_key, authority_sealed FROM control.platform");

	if (r < 0)
		return r;
	return db_row_count(rows) == 1 && *db_text(rows, 0, 1) ? load_key(publisher, rows, ret) : 1;
}

/* Once for the platform: the row's lock says who makes it. */
int assignment_make_authority(struct publisher *p, struct db_tx *tx, struct note_key *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT authority, authority_key, authority_sealed FROM control.platform FOR UPDATE");

	if (r < 0)
		return r;
	if (db_row_count(rows) != 1)
		return -EINVAL;
	return *db_text(rows, 0, 1) ? load_key(p, rows, ret) : make_key(p, tx, db_text(rows, 0, 0), ret);
}

int assignment_disabled(struct publisher *publisher, struct db_tx *tx, const char *host_id, const char *kid,
			struct buffer *ret)
{
	struct feed_disabled disabled = {.issued = clock_realtime_sec()};
	struct note_key key;
	int r = assignment_authority(publisher, tx, &key);

	if (r != 0)
		return r;
	if (strlen(key.name) >= sizeof(disabled.authority) || strlen(host_id) >= sizeof(disabled.host_id) ||
	    strlen(kid) >= sizeof(disabled.key))
		return -EINVAL;
	memcpy(disabled.authority, key.name, strlen(key.name) + 1);
	memcpy(disabled.host_id, host_id, strlen(host_id) + 1);
	memcpy(disabled.key, kid, strlen(kid) + 1);
	r = feed_disabled_write(&disabled, ret);
	return r == 0 ? signer_sign_note(publisher->signer, &key, ret) : r;
}

int assignment_renew(struct publisher *publisher, struct db_tx *tx, const struct feed_assignment *wanted,
		     struct assignment_note *ret)
{
	struct feed_assignment next = *wanted;
	struct note_key key;
	char version[24];
	uint64_t last;
	const char *text;
	int r = look(tx, wanted, ret, &last);

	if (r == 1)
		r = assignment_make_authority(publisher, tx, &key);
	else
		return r;
	if (r == 0)
		r = note_key_render(&key, ret->authority);
	if (r < 0)
		return r;
	if (strlen(key.name) >= sizeof(next.authority))
		return -EINVAL;
	memcpy(next.authority, key.name, strlen(key.name) + 1);
	next.issued = clock_realtime_sec();
	/* By the clock, so that a database that comes back from a backup does not count what hosts have seen. */
	next.version = MAX_OF(last + 1, (uint64_t)next.issued);
	r = feed_assignment_write(&next, &ret->note);
	if (r == 0)
		r = signer_sign_note(publisher->signer, &key, &ret->note);
	text = r == 0 ? buffer_text(&ret->note) : NULL;
	if (r < 0 || !text)
		return r < 0 ? r : -ENOMEM;
	(void)snprintf(version, sizeof(version), "%" PRIu64, next.version);
	return db_later(tx, "UPDATE control.hosts SET assignment_version = $2::bigint, assignment = $3 WHERE id = $1",
			wanted->host_id, version, text);
}
