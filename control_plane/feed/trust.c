/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/trust.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control_plane/feed/at_rest.h"
#include "records/record_json.h"

#define COPY_AT_ONCE "2000" /* records that are read at a time for a new epoch */

int feed_origin(const char *authority, const char *tenant_id, char *out)
{
	int length = snprintf(out, FEED_ORIGIN_MAX, "%s/feed/%s", authority, tenant_id);

	return length > 0 && length < (int)FEED_ORIGIN_MAX && feed_origin_valid(out) ? 0 : -EINVAL;
}

/* Writes version row->trust_version of the trust document, listing `listed` and signed by them. */
static int store_trust(struct publisher *p, struct db_tx *tx, const struct feed_row *row,
		       const struct feed_signers *listed, const struct feed_signers *signers)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust trust = {
		.version = row->trust_version,
		.epoch = row->epoch,
		.issued = clock_realtime_sec(),
		.key_count = listed->count,
	};
	char version[24];
	const char *text;
	int r;

	memcpy(trust.origin, row->origin, sizeof(trust.origin));
	memcpy(trust.keys, listed->keys, listed->count * sizeof(trust.keys[0]));
	r = feed_trust_write(&trust, &note);
	if (r == 0)
		r = keyring_sign(p->keyring, signers, &note);
	text = r == 0 ? buffer_text(&note) : NULL;
	if (r < 0 || !text)
		return r < 0 ? r : -ENOMEM;
	(void)snprintf(version, sizeof(version), "%" PRIu64, row->trust_version);
	return db_later(tx, "INSERT INTO feed_trust (tenant_id, version, note) VALUES ($1, $2, $3)", row->tenant_id,
			version, text);
}

static int add_key(struct publisher *p, struct db_tx *tx, const struct feed_row *row, struct feed_signers *signers)
{
	_cleanup_(buffer_finish) struct buffer stored = BUFFER_INIT;
	_cleanup_(freep) char *hex = NULL;
	char vkey[NOTE_VKEY_MAX];
	int r;

	if (signers->count >= FEED_KEYS_MAX)
		return -EALREADY;
	r = p->signer->class->make(p->signer, row->origin, &signers->keys[signers->count], &stored);
	if (r == 0)
		r = note_key_render(&signers->keys[signers->count], vkey);
	if (r < 0)
		return r;
	hex = db_hex(stored.data, stored.length);
	if (!hex)
		return -ENOMEM;
	signers->count++;
	return db_later(tx, "INSERT INTO feed_keys (tenant_id, vkey, sealed, signs) VALUES ($1, $2, $3, true)",
			row->tenant_id, vkey, hex);
}

int feed_create(struct db_tx *tx, struct app *app, const char *tenant_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer head = BUFFER_INIT;
	_cleanup_(freep) char *chain = NULL;
	struct feed_row row = {.epoch = 1, .trust_version = 1};
	struct feed_signers signers = {0};
	int r = db_switch_tenant(tx, tenant_id);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT authority FROM platform");
	if (r < 0)
		return r;
	if (strlen(tenant_id) >= sizeof(row.tenant_id) || db_row_count(rows) == 0)
		return -EINVAL;
	memcpy(row.tenant_id, tenant_id, strlen(tenant_id));
	r = feed_origin(db_text(rows, 0, 0), tenant_id, row.origin);
	if (r == 0)
		r = feed_chain_start(row.origin, row.epoch, row.chain);
	chain = r == 0 ? db_hex(row.chain, sizeof(row.chain)) : NULL;
	if (r < 0 || !chain)
		return r < 0 ? r : -ENOMEM;
	r = db_later(tx,
		     "INSERT INTO feeds (tenant_id, origin, epoch, revision, chain, head, head_issued, trust_version) "
		     "VALUES ($1, $2, 1, 0, $3, '', 0, 1)",
		     tenant_id, row.origin, chain);
	if (r == 0)
		r = add_key(app->publisher, tx, &row, &signers);
	if (r == 0)
		r = store_trust(app->publisher, tx, &row, &signers, &signers);
	return r < 0 ? r : revision_store_row(app->publisher, tx, &signers, &row, &head);
}

/* The next version: what it lists and who signs it, and a head that those who have it can check. */
static int next_version(struct publisher *p, struct db_tx *tx, struct feed_row *row, const struct feed_signers *listed,
			const struct feed_signers *signers)
{
	_cleanup_(buffer_finish) struct buffer head = BUFFER_INIT;
	int r;

	row->trust_version++;
	r = store_trust(p, tx, row, listed, signers);
	return r < 0 ? r : revision_store_row(p, tx, listed, row, &head);
}

int trust_rotate(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, bool finish,
		 uint64_t *ret_version)
{
	struct feed_signers signers = {0};
	struct feed_row row;
	int r = feed_row_lock(tx, tenant_id, &row);

	if (r == 0)
		r = keyring_get(publisher->keyring, tx, tenant_id, row.trust_version, &signers);
	if (r < 0)
		return r;
	if (finish == (signers.count == 1))
		return -EALREADY;
	if (finish) {
		char vkey[NOTE_VKEY_MAX];

		/* The newest stays. It stands in the version before, too, so its signature is enough. */
		signers.keys[0] = signers.keys[signers.count - 1];
		signers.count = 1;
		r = note_key_render(&signers.keys[0], vkey);
		if (r == 0)
			r = db_later(tx, "DELETE FROM feed_keys WHERE tenant_id = $1 AND vkey <> $2", tenant_id, vkey);
	} else {
		r = add_key(publisher, tx, &row, &signers);
	}
	if (r == 0)
		r = next_version(publisher, tx, &row, &signers, &signers);
	if (r == 0)
		*ret_version = row.trust_version;
	return r;
}

static int copy_records(struct revision_writer *writer)
{
	char kind[24] = "-1";
	_cleanup_(freep) char *id = strdup("");
	uint32_t count;

	if (!id)
		return -ENOMEM;
	do {
		_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
		int r = db_run(writer->tx, &rows,
			       "SELECT kind, id, version, body FROM feed_records WHERE tenant_id = $1 "
			       "AND (kind, id) > ($2::smallint, $3) ORDER BY kind, id LIMIT " COPY_AT_ONCE,
			       writer->row.tenant_id, kind, id);

		if (r < 0)
			return r;
		count = db_row_count(rows);
		for (uint32_t i = 0; i < count; i++) {
			_cleanup_(buffer_finish) struct buffer room = BUFFER_INIT;
			size_t length;
			const char *body = at_rest_open_text(&writer->publisher->app->seal_key, writer->row.tenant_id,
							     db_text(rows, i, 3), &room, &length);

			if (!body)
				return -EBADMSG;
			r = revision_add(writer, DELTA_PUT, record_kind_word((enum record_kind)db_i64(rows, i, 0)),
					 db_text(rows, i, 1), (uint64_t)db_i64(rows, i, 2), body, length);
			if (r < 0)
				return r;
		}
		if (count > 0) {
			(void)snprintf(kind, sizeof(kind), "%s", db_text(rows, count - 1, 0));
			free(id);
			id = strdup(db_text(rows, count - 1, 1));
			if (!id)
				return -ENOMEM;
		}
	} while (count > 0);
	return 0;
}

int trust_new_epoch(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, struct feed_row *ret)
{
	_cleanup_(revision_finish) struct revision_writer writer = {0};
	_cleanup_(buffer_finish) struct buffer head = BUFFER_INIT;
	int64_t issued, expires;
	int r = revision_begin(publisher, tx, tenant_id, &writer);

	if (r < 0)
		return r;
	writer.row.epoch++;
	writer.row.revision = 0;
	writer.row.trust_version++;
	r = feed_chain_start(writer.row.origin, writer.row.epoch, writer.row.chain);
	if (r == 0)
		r = store_trust(publisher, tx, &writer.row, &writer.signers, &writer.signers);
	/* Nothing of the epoch before is of use to anybody: its deltas, snapshots and acknowledgements go. */
	if (r == 0)
		r = db_later(tx, "DELETE FROM feed_deltas WHERE tenant_id = $1", tenant_id);
	if (r == 0)
		r = db_later(tx, "DELETE FROM feed_snapshots WHERE tenant_id = $1", tenant_id);
	if (r == 0)
		r = db_later(tx, "DELETE FROM feed_acks WHERE tenant_id = $1", tenant_id);
	if (r == 0)
		r = copy_records(&writer);
	if (r == 0)
		r = revision_end(&writer, &head, &issued, &expires);
	if (r == 0)
		*ret = writer.row;
	return r;
}
