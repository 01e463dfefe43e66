/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "control_plane/config.h"
#include "control_plane/feed/at_rest.h"
#include "control_plane/feed/internal.h"

#define OPERATION_ROOM 256U /* what stands around a body in a delta, and the delta's own beginning and end */

int revision_begin(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, struct revision_writer *ret)
{
	int r;

	*ret = (struct revision_writer){.publisher = publisher, .tx = tx};
	r = feed_row_lock(tx, tenant_id, &ret->row);
	return r < 0 ? r : keyring_get(publisher->keyring, tx, tenant_id, ret->row.trust_version, &ret->signers);
}

void revision_finish(struct revision_writer *writer)
{
	for (uint32_t i = 0; i < writer->count; i++)
		buffer_finish(&writer->deltas[i]);
	free(writer->deltas);
	*writer = (struct revision_writer){0};
}

/* Ends the open delta: it has its place in the chain from here on. */
static int close_delta(struct revision_writer *w)
{
	struct buffer *delta = &w->deltas[w->count - 1];
	char epoch[24], revision[24];
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	const char *text;
	int r;

	delta_write_end(delta);
	text = buffer_text(delta);
	if (!text)
		return -ENOMEM;
	w->ops = 0;
	w->row.revision++;
	r = feed_chain_add(w->row.chain, delta->data, delta->length);
	if (r == 0 && w->secret) {
		r = at_rest_seal_text(&w->publisher->app->seal_key, w->row.tenant_id, text, delta->length, &sealed);
		text = buffer_text(&sealed);
	}
	if (r < 0 || !text)
		return r < 0 ? r : -ENOMEM;
	w->secret = false;
	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, w->row.epoch);
	(void)snprintf(revision, sizeof(revision), "%" PRIu64, w->row.revision);
	return db_later(w->tx, "INSERT INTO feed_deltas (tenant_id, epoch, revision, bytes) VALUES ($1, $2, $3, $4)",
			w->row.tenant_id, epoch, revision, text);
}

static int open_delta(struct revision_writer *w)
{
	struct buffer *deltas = realloc(w->deltas, (w->count + 1) * sizeof(*deltas));

	if (!deltas)
		return -ENOMEM;
	w->deltas = deltas;
	w->deltas[w->count] = (struct buffer)BUFFER_INIT;
	delta_write_begin(&w->deltas[w->count++], w->row.origin, w->row.epoch, w->row.revision, w->row.revision + 1);
	return 0;
}

int revision_add(struct revision_writer *writer, enum delta_op op, const char *kind, const char *id, uint64_t version,
		 const char *body, size_t length)
{
	int r = 0;

	if (writer->ops > 0 &&
	    writer->deltas[writer->count - 1].length + length + (size_t)OPERATION_ROOM * 2 > FEED_DELTA_BYTES_MAX)
		r = close_delta(writer);
	if (r == 0 && writer->ops == 0)
		r = open_delta(writer);
	if (r < 0)
		return r;
	delta_write_add(&writer->deltas[writer->count - 1], op, kind, id, version, body, length);
	writer->ops++;
	writer->secret |= body && at_rest_is_secret(kind);
	return writer->deltas[writer->count - 1].failed ? -ENOMEM : 0;
}

int revision_store_row(struct publisher *publisher, struct db_tx *tx, const struct feed_signers *signers,
		       struct feed_row *row, struct buffer *ret_head)
{
	char epoch[24], revision[24], version[24], issued[24];
	_cleanup_(freep) char *chain = db_hex(row->chain, sizeof(row->chain));
	const char *head;
	int r;

	if (!chain)
		return -ENOMEM;
	row->head_issued = MAX_OF(clock_realtime_sec(), row->head_issued);
	r = feed_row_sign_head(publisher->keyring, signers, row, row->head_issued, publisher->app->config->stale_sec,
			       ret_head);
	if (r < 0)
		return r;
	head = buffer_text(ret_head);
	if (!head)
		return -ENOMEM;
	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, row->epoch);
	(void)snprintf(revision, sizeof(revision), "%" PRIu64, row->revision);
	(void)snprintf(version, sizeof(version), "%" PRIu64, row->trust_version);
	(void)snprintf(issued, sizeof(issued), "%" PRId64, row->head_issued);
	return db_later(tx,
			"UPDATE feeds SET epoch = $2, revision = $3, chain = $4, head = $5, head_issued = $6, "
			"trust_version = $7 WHERE tenant_id = $1",
			row->tenant_id, epoch, revision, chain, head, issued, version);
}

int revision_end(struct revision_writer *writer, struct buffer *ret_head, int64_t *ret_issued, int64_t *ret_expires)
{
	int r = writer->ops > 0 ? close_delta(writer) : 0;

	if (r == 0)
		r = revision_store_row(writer->publisher, writer->tx, &writer->signers, &writer->row, ret_head);
	if (r == 0) {
		*ret_issued = writer->row.head_issued;
		*ret_expires = writer->row.head_issued + (int64_t)writer->publisher->app->config->stale_sec;
	}
	return r;
}
