/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/feed/at_rest.h"
#include "control_plane/feed/snapshots.h"
#include "control_plane/http/stream.h"

#define PART_BYTES (1024U * 1024) /* read at a time */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct blob *blobs; /* those that somebody reads */
/* One loads, the others wait: so a fleet that starts at once costs one copy. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static struct blob *find(const char *tenant_id, const char *sha256)
{
	struct blob *blob;

	(void)pthread_mutex_lock(&lock);
	for (blob = blobs; blob; blob = blob->next)
		if (strcmp(blob->sha256, sha256) == 0 && strcmp(blob->tenant_id, tenant_id) == 0)
			break;
	if (blob)
		blob->references++;
	(void)pthread_mutex_unlock(&lock);
	return blob;
}

static void blob_free(struct blob *blob)
{
	free(blob->bytes);
	free(blob);
}

static int read_part(struct db_tx *tx, struct blob *blob, size_t done)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(freep) uint8_t *part = NULL;
	char from[24], count[24];
	size_t length;
	int r;

	(void)snprintf(from, sizeof(from), "%zu", done + 1);
	(void)snprintf(count, sizeof(count), "%u", PART_BYTES);
	r = db_run(tx, &rows,
		   "SELECT substring(bytes FROM $3::int FOR $4::int) FROM feed_snapshots "
		   "WHERE tenant_id = $1 AND sha256 = $2",
		   blob->tenant_id, blob->sha256, from, count);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return -ENOENT;
	r = db_bytes(rows, 0, 0, &part, &length);
	if (r < 0)
		return r;
	if (length != MIN_OF(blob->length - done, (size_t)PART_BYTES))
		return -EIO;
	memcpy(blob->bytes + done, part, length);
	return 0;
}

/* In place of what was read, where it rests sealed. */
static int open_blob(const struct seal_key *key, struct blob *blob)
{
	_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT;
	int r = at_rest_open(key, blob->tenant_id, blob->bytes, blob->length, &plain);

	if (r != 0)
		return MIN_OF(r, 0);
	free(blob->bytes);
	blob->length = plain.length;
	blob->bytes = (uint8_t *)TAKE_PTR(plain.data);
	return 0;
}

static int load(const struct seal_key *key, struct db_tx *tx, const char *tenant_id, const char *sha256,
		struct blob **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct blob *blob;
	int r = db_run(tx, &rows, "SELECT length(bytes) FROM feed_snapshots WHERE tenant_id = $1 AND sha256 = $2",
		       tenant_id, sha256);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return -ENOENT;
	blob = calloc(1, sizeof(*blob));
	if (!blob)
		return -ENOMEM;
	blob->references = 1;
	blob->length = (size_t)db_i64(rows, 0, 0);
	(void)snprintf(blob->tenant_id, sizeof(blob->tenant_id), "%s", tenant_id);
	(void)snprintf(blob->sha256, sizeof(blob->sha256), "%s", sha256);
	blob->bytes = malloc(blob->length + 1);
	r = blob->bytes ? 0 : -ENOMEM;
	for (size_t done = 0; r == 0 && done < blob->length; done += PART_BYTES)
		r = read_part(tx, blob, done);
	if (r == 0)
		r = open_blob(key, blob);
	if (r < 0) {
		blob_free(blob);
		return r;
	}
	(void)pthread_mutex_lock(&lock);
	blob->next = blobs;
	blobs = blob;
	(void)pthread_mutex_unlock(&lock);
	*ret = blob;
	return 0;
}

int blob_get(const struct seal_key *key, struct db_tx *tx, const char *tenant_id, const char *sha256, struct blob **ret)
{
	int r = 0;

	*ret = find(tenant_id, sha256);
	if (*ret)
		return 0;
	(void)pthread_mutex_lock(&loading);
	*ret = find(tenant_id, sha256);
	if (!*ret)
		r = load(key, tx, tenant_id, sha256, ret);
	(void)pthread_mutex_unlock(&loading);
	return r;
}

void blob_put(struct blob *blob)
{
	bool last;

	if (!blob)
		return;
	(void)pthread_mutex_lock(&lock);
	last = --blob->references == 0;
	for (struct blob **at = &blobs; last && *at; at = &(*at)->next)
		if (*at == blob) {
			*at = blob->next;
			break;
		}
	(void)pthread_mutex_unlock(&lock);
	if (last)
		blob_free(blob);
}

struct download {
	struct stream stream;
	struct blob *blob;
	size_t next, end;
};

static void opened(struct stream *stream, struct stream_transport *transport)
{
}

static ssize_t read_some(struct stream *stream, char *data, size_t size)
{
	struct download *d = (struct download *)(void *)stream;
	size_t part = MIN_OF(size, d->end - d->next);

	if (part == 0)
		return STREAM_END;
	memcpy(data, d->blob->bytes + d->next, part);
	d->next += part;
	return (ssize_t)part;
}

static void closed(struct stream *stream)
{
	struct download *d = (struct download *)(void *)stream;

	blob_put(d->blob);
	free(d);
}

static const struct stream_class download_class = {.open = opened, .read = read_some, .close = closed};

struct stream *blob_stream(struct blob *blob, size_t first, size_t last)
{
	struct download *d = calloc(1, sizeof(*d));

	if (!d) {
		blob_put(blob);
		return NULL;
	}
	*d = (struct download){.stream.class = &download_class, .blob = blob, .next = first, .end = last + 1};
	return &d->stream;
}
