/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/channels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "control_plane/feed/at_rest.h"

#define IDLE_USEC (120 * USEC_PER_SEC) /* between two polls of a host without a stream */

struct channels {
	const struct seal_key *key;
	pthread_mutex_t lock;
	struct hash_index index;
	struct slot **slots;
	uint32_t count, room;
	_Atomic uint64_t bytes;
};

int channels_create(const struct seal_key *key, struct channels **ret)
{
	struct channels *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (hash_index_init(&c->index, 16) < 0) {
		free(c);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&c->lock, NULL);
	c->key = key;
	*ret = c;
	return 0;
}

static void slot_free(struct slot *slot)
{
	channel_unref(slot->channel);
	(void)pthread_mutex_destroy(&slot->load);
	free(slot);
}

void channels_destroy(struct channels *channels)
{
	if (!channels)
		return;
	for (uint32_t i = 0; i < channels->count; i++)
		slot_free(channels->slots[i]);
	free(channels->slots);
	hash_index_finish(&channels->index);
	(void)pthread_mutex_destroy(&channels->lock);
	free(channels);
}

/* Locked. */
static struct slot *find(struct channels *c, const char *tenant_id)
{
	uint32_t cursor = 0, i;

	while (hash_index_next(&c->index, hash_text(tenant_id), &cursor, &i))
		if (strcmp(channel_tenant(c->slots[i]->channel), tenant_id) == 0)
			return c->slots[i];
	return NULL;
}

/* Locked. */
static struct slot *add(struct channels *c, const char *tenant_id)
{
	struct slot *slot;

	if (c->count == c->room) {
		uint32_t room = MAX_OF(2 * c->room, 64U);
		struct slot **slots = realloc(c->slots, room * sizeof(struct slot *));

		if (!slots)
			return NULL;
		c->slots = slots;
		c->room = room;
	}
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	if (channel_new(tenant_id, &c->bytes, &slot->channel) < 0 ||
	    hash_index_put(&c->index, hash_text(tenant_id), c->count) < 0) {
		channel_unref(slot->channel);
		free(slot);
		return NULL;
	}
	(void)pthread_mutex_init(&slot->load, NULL);
	slot->key = c->key;
	slot->idle_since = clock_boottime_usec();
	c->slots[c->count++] = slot;
	return slot;
}

struct slot *channels_get(struct channels *channels, const char *tenant_id)
{
	struct slot *slot;

	(void)pthread_mutex_lock(&channels->lock);
	slot = find(channels, tenant_id);
	if (!slot)
		slot = add(channels, tenant_id);
	if (slot)
		slot->references++;
	(void)pthread_mutex_unlock(&channels->lock);
	return slot;
}

struct slot *channels_find(struct channels *channels, const char *tenant_id)
{
	struct slot *slot;

	(void)pthread_mutex_lock(&channels->lock);
	slot = find(channels, tenant_id);
	if (slot)
		slot->references++;
	(void)pthread_mutex_unlock(&channels->lock);
	return slot;
}

void channels_put(struct channels *channels, struct slot *slot)
{
	if (!slot)
		return;
	(void)pthread_mutex_lock(&channels->lock);
	slot->references--;
	(void)pthread_mutex_unlock(&channels->lock);
}

int channels_list(struct channels *channels, struct slot ***ret, uint32_t *ret_count)
{
	struct slot **list = NULL;
	int r = 0;

	(void)pthread_mutex_lock(&channels->lock);
	list = calloc(channels->count + 1, sizeof(struct slot *));
	if (list) {
		*ret_count = channels->count;
		for (uint32_t i = 0; i < channels->count; i++) {
			list[i] = channels->slots[i];
			list[i]->references++;
		}
		*ret = list;
	} else {
		r = -ENOMEM;
	}
	(void)pthread_mutex_unlock(&channels->lock);
	return r;
}

/* Locked. The last one takes the place of the one that goes. */
static void drop(struct channels *c, uint32_t i)
{
	struct slot *slot = c->slots[i], *last = c->slots[c->count - 1];

	(void)hash_index_remove(&c->index, hash_text(channel_tenant(slot->channel)), i);
	if (last != slot) {
		uint64_t hash = hash_text(channel_tenant(last->channel));

		(void)hash_index_remove(&c->index, hash, c->count - 1);
		(void)hash_index_put(&c->index, hash, i); /* one was just taken out: there is room */
		c->slots[i] = last;
	}
	c->count--;
	slot_free(slot);
}

void channels_sweep(struct channels *channels, uint64_t now)
{
	(void)pthread_mutex_lock(&channels->lock);
	for (uint32_t i = channels->count; i-- > 0;) {
		struct slot *slot = channels->slots[i];

		if (slot->references > 0 || channel_view(slot->channel).readers > 0)
			slot->idle_since = 0;
		else if (slot->idle_since == 0)
			slot->idle_since = now;
		else if (now - slot->idle_since > IDLE_USEC)
			drop(channels, i);
	}
	(void)pthread_mutex_unlock(&channels->lock);
}

uint64_t channels_bytes(const struct channels *channels)
{
	return atomic_load(&channels->bytes);
}

/* ---- from the database ---------------------------------------------------------------------------- */

struct filling {
	struct channel *channel;
	const struct seal_key *key;
	uint64_t epoch;
	bool before;
	uint32_t count;
};

static int fill(void *context, const struct db_rows *rows)
{
	struct filling *f = context;
	uint64_t revision = (uint64_t)db_i64(rows, 0, 0);
	_cleanup_(buffer_finish) struct buffer room = BUFFER_INIT;
	size_t length;
	const char *bytes = at_rest_open_text(f->key, channel_tenant(f->channel), db_text(rows, 0, 1), &room, &length);

	if (!bytes)
		return -EBADMSG;
	f->count++;
	return f->before ? channel_prepend(f->channel, f->epoch, revision, bytes, length)
			 : channel_append(f->channel, f->epoch, revision, bytes, length);
}

static int catch_up(struct slot *slot, struct db_tx *tx, const struct feed_row *row, uint64_t have)
{
	struct filling filling = {.channel = slot->channel, .key = slot->key, .epoch = row->epoch};
	char epoch[24], after[24], upto[24];
	int r;

	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, row->epoch);
	(void)snprintf(after, sizeof(after), "%" PRIu64, have);
	(void)snprintf(upto, sizeof(upto), "%" PRIu64, row->revision);
	r = db_each(tx, fill, &filling,
		    "SELECT revision, bytes FROM feed_deltas WHERE tenant_id = $1 AND epoch = $2 AND revision > $3 "
		    "AND revision <= $4 ORDER BY revision",
		    4, (const char *const[]){row->tenant_id, epoch, after, upto});
	if (r == -ESTALE || (r == 0 && channel_view(slot->channel).revision < row->revision)) {
		/* Some are gone already: who reads here starts again from a snapshot. */
		channel_reset(slot->channel, row->epoch, row->revision);
		return 0;
	}
	return r;
}

static int refresh_trust(struct slot *slot, struct db_tx *tx, const struct feed_row *row, uint64_t have)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char version[24];
	int r;

	if (have == 0)
		return channel_trust(slot->channel, row->trust_version, NULL, 0);
	/* Hosts go from one version to the next, and fetch those between by themselves. */
	(void)snprintf(version, sizeof(version), "%" PRIu64, row->trust_version);
	r = db_run(tx, &rows, "SELECT note FROM feed_trust WHERE tenant_id = $1 AND version = $2", row->tenant_id,
		   version);
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	return channel_trust(slot->channel, row->trust_version, db_text(rows, 0, 0), strlen(db_text(rows, 0, 0)));
}

static int refresh(struct slot *slot, struct db_tx *tx, uint32_t stale_sec, bool *ret_news)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct channel_view view = channel_view(slot->channel);
	struct feed_row row;
	const char *head;
	int r = db_run(tx, &rows, "SELECT " FEED_ROW_COLUMNS ", head FROM feeds WHERE tenant_id = $1", view.tenant_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return -ENOENT;
	r = feed_row_read(rows, 0, &row);
	if (r < 0)
		return r;
	*ret_news = !view.loaded || row.epoch != view.epoch || row.revision > view.revision ||
		    row.head_issued > view.head_issued || row.trust_version > view.trust_version;
	if (row.trust_version > view.trust_version)
		r = refresh_trust(slot, tx, &row, view.trust_version);
	if (r == 0 && (!view.loaded || row.epoch != view.epoch))
		channel_reset(slot->channel, row.epoch, row.revision);
	else if (r == 0 && row.revision > view.revision)
		r = catch_up(slot, tx, &row, view.revision);
	if (r < 0)
		return r;
	head = db_text(rows, 0, 7);
	r = channel_head(slot->channel, row.epoch, row.revision, row.head_issued, row.head_issued + (int64_t)stale_sec,
			 head, strlen(head));
	return r == -ESTALE ? 0 : r;
}

bool slot_is_current(struct slot *slot, uint64_t epoch, uint64_t revision)
{
	struct channel_view view = channel_view(slot->channel);

	return view.loaded && !atomic_load(&slot->stale) && view.epoch == epoch && view.revision >= revision;
}

int slot_refresh(struct slot *slot, struct db_tx *tx, uint32_t stale_sec, uint64_t epoch, uint64_t revision,
		 bool *ret_news)
{
	int r = 0;

	*ret_news = false;
	(void)pthread_mutex_lock(&slot->load);
	if (!slot_is_current(slot, epoch, revision)) {
		/* Before reading: what is announced from here on makes it stale again. */
		atomic_store(&slot->stale, false);
		r = refresh(slot, tx, stale_sec, ret_news);
		if (r < 0)
			atomic_store(&slot->stale, true);
	}
	(void)pthread_mutex_unlock(&slot->load);
	return r;
}

int slot_extend(struct slot *slot, struct db_tx *tx, uint64_t epoch, uint64_t after)
{
	struct filling filling = {.channel = slot->channel, .key = slot->key, .epoch = epoch, .before = true};
	struct channel_view view;
	int r = 0;

	(void)pthread_mutex_lock(&slot->load);
	view = channel_view(slot->channel);
	if (view.epoch != epoch || after > view.revision) {
		r = -ESTALE;
	} else if (after + 1 < view.first) {
		char epoch_text[24], first[24], after_text[24];

		(void)snprintf(epoch_text, sizeof(epoch_text), "%" PRIu64, epoch);
		(void)snprintf(first, sizeof(first), "%" PRIu64, view.first);
		(void)snprintf(after_text, sizeof(after_text), "%" PRIu64, after);
		r = db_each(tx, fill, &filling,
			    "SELECT revision, bytes FROM feed_deltas WHERE tenant_id = $1 AND epoch = $2 "
			    "AND revision < $3 AND revision > $4 ORDER BY revision DESC",
			    4, (const char *const[]){view.tenant_id, epoch_text, first, after_text});
		if (r == -ENOSPC || (r == 0 && channel_view(slot->channel).first > after + 1))
			r = -ESTALE;
	}
	(void)pthread_mutex_unlock(&slot->load);
	return r;
}
