/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../fakes/fake_control_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "feed/delta.h"
#include "feed/snapshot.h"
#include "records/record_json.h"

#define EXPECT(call) assert_int_equal((call), 0)

static void sign(struct fake_feed *feed, struct buffer *note)
{
	EXPECT(note_sign(note, &feed->key, feed->secret));
}

static void keep(struct fake_text *text, const struct buffer *from)
{
	free(text->data);
	text->data = malloc(from->length + 1);
	assert_non_null(text->data);
	memcpy(text->data, from->data, from->length);
	text->length = from->length;
	text->data[from->length] = '\0';
}

static void sign_head(struct fake_feed *feed)
{
	feed->head.issued = clock_realtime_sec();
	feed->head.expires = feed->head.issued + feed->lifetime;
	buffer_clear(&feed->head_note);
	EXPECT(feed_head_write(&feed->head, &feed->head_note));
	sign(feed, &feed->head_note);
	feed->head_serial++;
}

static void keep_trust(struct fake_feed *feed, const struct note_key *older, const uint8_t *older_secret)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	feed->trust.issued = clock_realtime_sec();
	EXPECT(feed_trust_write(&feed->trust, &note));
	sign(feed, &note);
	if (older)
		EXPECT(note_sign(&note, older, older_secret));
	assert_true(feed->trust.version < 16);
	keep(&feed->trusts[feed->trust.version], &note);
}

static struct fake_record *find_record(struct fake_feed *feed, const char *kind, const char *id)
{
	for (unsigned i = 0; i < feed->record_count; i++)
		if (strcmp(feed->records[i].kind, kind) == 0 && strcmp(feed->records[i].id, id) == 0)
			return &feed->records[i];
	return NULL;
}

static void free_record(struct fake_record *record)
{
	free(record->kind);
	free(record->id);
	free(record->body);
	*record = (struct fake_record){0};
}

static void begin_ops(struct fake_feed *feed)
{
	if (!feed->ops_begun)
		delta_write_begin(&feed->ops, feed->origin, feed->head.epoch, feed->head.revision,
				  feed->head.revision + 1);
	feed->ops_begun = true;
}

void fake_feed_put(struct fake_feed *feed, const char *kind, const char *id, uint64_t version, const char *body)
{
	struct fake_record *record;

	fake_lock(feed->control);
	begin_ops(feed);
	record = find_record(feed, kind, id);
	delta_write_add(&feed->ops, body ? DELTA_PUT : DELTA_DEL, kind, id, version, body, body ? strlen(body) : 0);
	if (!record && body) {
		assert_true(feed->record_count < FAKE_RECORDS);
		record = &feed->records[feed->record_count++];
		record->kind = strdup(kind);
		record->id = strdup(id);
	}
	if (record && body) {
		free(record->body);
		record->body = strdup(body);
		record->version = version;
	} else if (record) {
		free_record(record);
		*record = feed->records[--feed->record_count];
		feed->records[feed->record_count] = (struct fake_record){0};
	}
	fake_unlock(feed->control);
}

void fake_feed_revoke(struct fake_feed *feed, const char *kind, const char *id, uint64_t version, const char *body)
{
	fake_lock(feed->control);
	begin_ops(feed);
	delta_write_add(&feed->ops, DELTA_REVOKE, kind, id, version, body, strlen(body));
	fake_unlock(feed->control);
}

static void commit(struct fake_feed *feed)
{
	uint64_t revision = feed->head.revision + 1;

	begin_ops(feed);
	delta_write_end(&feed->ops);
	assert_false(feed->ops.failed);
	assert_true(revision < FAKE_TEXTS);
	keep(&feed->deltas[revision], &feed->ops);
	EXPECT(feed_chain_add(feed->head.chain, feed->ops.data, feed->ops.length));
	feed->head.revision = revision;
	buffer_clear(&feed->ops);
	feed->ops_begun = false;
	sign_head(feed);
}

void fake_feed_commit(struct fake_feed *feed)
{
	fake_lock(feed->control);
	commit(feed);
	fake_unlock(feed->control);
}

void fake_feed_renew(struct fake_feed *feed)
{
	fake_lock(feed->control);
	sign_head(feed);
	fake_unlock(feed->control);
}

void fake_feed_set_lifetime(struct fake_feed *feed, int64_t seconds)
{
	fake_lock(feed->control);
	feed->lifetime = seconds;
	fake_unlock(feed->control);
}

static int by_order(const void *a, const void *b)
{
	const struct fake_record *left = a, *right = b;
	enum record_kind left_kind, right_kind;

	EXPECT(record_kind_parse(left->kind, &left_kind));
	EXPECT(record_kind_parse(right->kind, &right_kind));
	return left_kind != right_kind ? (left_kind > right_kind) - (left_kind < right_kind)
				       : strcmp(left->id, right->id);
}

static void make_snapshot(struct fake_feed *feed)
{
	struct feed_snapshot note = {
		.epoch = feed->head.epoch,
		.revision = feed->head.revision,
		.records = feed->record_count,
		.issued = clock_realtime_sec(),
	};
	struct snapshot_writer *writer;

	snprintf(note.origin, sizeof(note.origin), "%s", feed->origin);
	memcpy(note.chain, feed->head.chain, sizeof(note.chain));
	buffer_clear(&feed->snapshot);
	EXPECT(snapshot_writer_new(&note, &feed->snapshot, &writer));
	qsort(feed->records, feed->record_count, sizeof(feed->records[0]), by_order);
	for (unsigned i = 0; i < feed->record_count; i++)
		EXPECT(snapshot_writer_add(writer, feed->records[i].kind, feed->records[i].id, feed->records[i].version,
					   feed->records[i].body, strlen(feed->records[i].body)));
	EXPECT(snapshot_writer_end(writer));
	snapshot_writer_free(writer);
	buffer_clear(&feed->snapshot_note);
	EXPECT(feed_snapshot_write(&note, &feed->snapshot_note));
	sign(feed, &feed->snapshot_note);
}

void fake_feed_make_snapshot(struct fake_feed *feed)
{
	fake_lock(feed->control);
	make_snapshot(feed);
	fake_unlock(feed->control);
}

void fake_feed_forget_deltas(struct fake_feed *feed)
{
	fake_lock(feed->control);
	feed->first_delta = feed->head.revision + 1;
	fake_unlock(feed->control);
}

static void new_key(struct fake_feed *feed)
{
	uint8_t public[ED25519_PUBLIC_BYTES];

	EXPECT(ed25519_make(feed->secret, public));
	EXPECT(note_key_init(&feed->key, feed->origin, public));
	feed->trust.keys[0] = feed->key;
	feed->trust.key_count = 1;
}

static void queue_event(struct fake_feed *feed, const char *event, const char *data)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	buffer_printf(&text, "event: %s\n", event);
	for (const char *line = data; *line;) {
		size_t length = strcspn(line, "\n");

		buffer_printf(&text, "data: %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
	buffer_add_char(&text, '\n');
	assert_true(feed->sent_count < 64);
	keep(&feed->sent[feed->sent_count++], &text);
}

void fake_feed_send(struct fake_feed *feed, const char *event, const char *data)
{
	fake_lock(feed->control);
	queue_event(feed, event, data);
	fake_unlock(feed->control);
}

void fake_feed_rotate_key(struct fake_feed *feed)
{
	struct note_key older = feed->key;
	uint8_t older_secret[ED25519_SECRET_BYTES];

	fake_lock(feed->control);
	memcpy(older_secret, feed->secret, sizeof(older_secret));
	new_key(feed);
	feed->trust.version++;
	keep_trust(feed, &older, older_secret);
	make_snapshot(feed);
	queue_event(feed, "trust", feed->trusts[feed->trust.version].data);
	sign_head(feed);
	fake_unlock(feed->control);
}

void fake_feed_new_epoch(struct fake_feed *feed)
{
	fake_lock(feed->control);
	feed->trust.version++;
	feed->trust.epoch++;
	keep_trust(feed, NULL, NULL);
	feed->head.epoch = feed->trust.epoch;
	feed->head.revision = 0;
	EXPECT(feed_chain_start(feed->origin, feed->head.epoch, feed->head.chain));
	feed->first_delta = 1;
	make_snapshot(feed);
	sign_head(feed);
	feed->generation++;
	fake_unlock(feed->control);
}

void fake_feed_end_streams(struct fake_feed *feed)
{
	fake_lock(feed->control);
	feed->generation++;
	fake_unlock(feed->control);
}

void fake_feed_set_silent(struct fake_feed *feed, bool silent)
{
	fake_lock(feed->control);
	feed->silent = silent;
	fake_unlock(feed->control);
}

const char *fake_feed_origin(const struct fake_feed *feed)
{
	return feed->origin;
}

static void copy(struct fake_feed *feed, struct buffer *out, const void *data, size_t length)
{
	EXPECT(buffer_add(out, data, length));
}

void fake_feed_trust(struct fake_feed *feed, struct buffer *out)
{
	fake_lock(feed->control);
	copy(feed, out, feed->trusts[feed->trust.version].data, feed->trusts[feed->trust.version].length);
	fake_unlock(feed->control);
}

void fake_feed_head(struct fake_feed *feed, struct buffer *out)
{
	fake_lock(feed->control);
	copy(feed, out, feed->head_note.data, feed->head_note.length);
	fake_unlock(feed->control);
}

void fake_feed_snapshot(struct fake_feed *feed, struct buffer *note, struct buffer *bytes)
{
	fake_lock(feed->control);
	copy(feed, note, feed->snapshot_note.data, feed->snapshot_note.length);
	copy(feed, bytes, feed->snapshot.data, feed->snapshot.length);
	fake_unlock(feed->control);
}

void fake_feed_current(struct fake_feed *feed, struct feed_head *out)
{
	fake_lock(feed->control);
	*out = feed->head;
	fake_unlock(feed->control);
}

uint64_t fake_feed_revision(struct fake_feed *feed)
{
	struct feed_head head;

	fake_feed_current(feed, &head);
	return head.revision;
}

void fake_feed_sign_head(struct fake_feed *feed, const struct feed_head *head, struct buffer *out)
{
	EXPECT(feed_head_write(head, out));
	sign(feed, out);
}

static void write_file(const char *folder, const char *name, const void *data, size_t length)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	EXPECT(file_replace(AT_FDCWD, path, length ? data : "", length, 0644, NULL));
}

void fake_feed_export(struct fake_feed *feed, const char *folder)
{
	_cleanup_(buffer_finish) struct buffer deltas = BUFFER_INIT;
	struct feed_snapshot note;
	struct problem problem = {0};
	char name[32];

	(void)mkdir(folder, 0755);
	fake_lock(feed->control);
	for (uint64_t version = 1; version <= feed->trust.version; version++) {
		snprintf(name, sizeof(name), "trust.%llu", (unsigned long long)version);
		write_file(folder, name, feed->trusts[version].data, feed->trusts[version].length);
	}
	EXPECT(feed_snapshot_read(feed->snapshot_note.data, feed->snapshot_note.length, &feed->trust, 0, &note,
				  &problem));
	for (uint64_t revision = note.revision + 1; revision <= feed->head.revision; revision++) {
		buffer_add(&deltas, feed->deltas[revision].data, feed->deltas[revision].length);
		buffer_add_char(&deltas, '\n');
	}
	write_file(folder, "snapshot", feed->snapshot_note.data, feed->snapshot_note.length);
	write_file(folder, "snapshot.zst", feed->snapshot.data, feed->snapshot.length);
	write_file(folder, "deltas", deltas.data, deltas.length);
	write_file(folder, "head", feed->head_note.data, feed->head_note.length);
	fake_unlock(feed->control);
}

struct fake_feed *fake_control_add_feed(struct fake_control *control, const char *tenant_id, const char *slug,
					uint32_t first_id)
{
	struct fake_feed *feed = calloc(1, sizeof(*feed));
	char body[256];

	assert_non_null(feed);
	feed->control = control;
	feed->lifetime = 300;
	feed->first_delta = 1;
	snprintf(feed->tenant_id, sizeof(feed->tenant_id), "%s", tenant_id);
	snprintf(feed->slug, sizeof(feed->slug), "%s", slug);
	snprintf(feed->origin, sizeof(feed->origin), "control.test/feed/%s", tenant_id);
	new_key(feed);
	snprintf(feed->trust.origin, sizeof(feed->trust.origin), "%s", feed->origin);
	feed->trust.version = feed->trust.epoch = feed->head.epoch = 1;
	keep_trust(feed, NULL, NULL);
	snprintf(feed->head.origin, sizeof(feed->head.origin), "%s", feed->origin);
	EXPECT(feed_chain_start(feed->origin, 1, feed->head.chain));
	snprintf(body, sizeof(body), "{\"slug\":\"%s\",\"gid\":%u,\"ids\":{\"first\":%u,\"count\":1000,\"next\":%u}}",
		 slug, first_id, first_id, first_id + 500);
	fake_feed_put(feed, "tenant", tenant_id, 1, body);
	commit(feed);
	make_snapshot(feed);
	fake_lock(control);
	assert_true(control->feed_count < FAKE_FEEDS);
	control->feeds[control->feed_count++] = feed;
	fake_unlock(control);
	return feed;
}

void fake_feed_free(struct fake_feed *feed)
{
	for (unsigned i = 0; i < ARRAY_LEN(feed->trusts); i++)
		free(feed->trusts[i].data);
	for (unsigned i = 0; i < FAKE_TEXTS; i++)
		free(feed->deltas[i].data);
	for (unsigned i = 0; i < feed->sent_count; i++)
		free(feed->sent[i].data);
	for (unsigned i = 0; i < feed->record_count; i++)
		free_record(&feed->records[i]);
	buffer_finish(&feed->head_note);
	buffer_finish(&feed->snapshot_note);
	buffer_finish(&feed->snapshot);
	buffer_finish(&feed->ops);
	free(feed);
}
