/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/macros.h"
#include "base/secret.h"
#include "crypto/digest_stream.h"
#include "feed/internal.h"
#include "feed/snapshot.h"
#include "json/json_read.h"

#define BYTES_MAX (512ULL * 1024 * 1024)
#define PLAIN_MAX (4ULL * 1024 * 1024 * 1024)
#define RATIO_MAX 200U
#define WINDOW_LOG_MAX 24 /* 16 MiB */
#define RECORDS_MAX 5000000ULL

#define HEADER_BYTES_MAX 18U /* of a zstd frame */
#define ZSTD_MAGIC 0xFD2FB528U
#define DESCRIPTOR_AT 4
#define DESCRIPTOR_CHECKSUM 0x04

struct snapshot_reader {
	struct feed_snapshot note;
	snapshot_record_fn record;
	void *context;
	ZSTD_DStream *stream;
	struct sha256_stream *digest;
	char *plain;        /* what was inflated last: ZSTD_DStreamOutSize() bytes */
	struct buffer line; /* one that goes on in what comes next */
	uint8_t header[HEADER_BYTES_MAX];
	size_t header_length;
	bool header_seen, frame_ended;
	uint64_t bytes, inflated, lines;
	int kind; /* of the last record; -1: none yet */
	char id[FEED_RECORD_ID_MAX];
};

static enum feed_fault _printf_(3, 4) refuse(enum feed_fault fault, struct problem *problem, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)problem_set(problem, EBADMSG, "%s", text);
	return fault;
}

enum feed_fault snapshot_limits(const struct feed_snapshot *note, struct problem *problem)
{
	if (note->bytes > BYTES_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the snapshot has %" PRIu64 " bytes; at most %llu are taken",
			      note->bytes, BYTES_MAX);
	if (note->plain > PLAIN_MAX)
		return refuse(FEED_TOO_LARGE, problem,
			      "the snapshot has %" PRIu64 " bytes uncompressed; at most %llu are taken", note->plain,
			      PLAIN_MAX);
	if (note->plain / RATIO_MAX > note->bytes)
		return refuse(FEED_TOO_LARGE, problem, "the snapshot grows to more than %u times its size", RATIO_MAX);
	if (note->records > RECORDS_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the snapshot has %" PRIu64 " records; at most %llu are taken",
			      note->records, RECORDS_MAX);
	return FEED_FINE;
}

void snapshot_reader_free(struct snapshot_reader *reader)
{
	if (!reader)
		return;
	(void)ZSTD_freeDStream(reader->stream);
	sha256_stream_free(reader->digest);
	buffer_finish(&reader->line);
	secret_free_block(reader->plain);
	free(reader);
}
DEFINE_CLEANUP(struct snapshot_reader, snapshot_reader_free)

int snapshot_reader_new(const struct feed_snapshot *note, snapshot_record_fn record, void *context,
			struct snapshot_reader **ret)
{
	_cleanup_(snapshot_reader_freep) struct snapshot_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->note = *note;
	reader->record = record;
	reader->context = context;
	reader->kind = -1;
	reader->line.limit = SNAPSHOT_LINE_MAX;
	reader->line.wipe = true; /* a provider's secret may stand in it, as in what is inflated */
	reader->stream = ZSTD_createDStream();
	reader->plain = malloc(ZSTD_DStreamOutSize());
	if (!reader->stream || !reader->plain)
		return -ENOMEM;
	if (ZSTD_isError(ZSTD_DCtx_setParameter(reader->stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		return -EIO;
	r = sha256_stream_new(&reader->digest);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(reader);
	return 0;
}

struct raw_header {
	const char *feed;
	uint64_t epoch, revision, records;
};

static const struct json_field header_fields[] = {
	{"feed", JSON_FIELD_STRING, offsetof(struct raw_header, feed), JSON_FIELD_REQUIRED},
	{"epoch", JSON_FIELD_U64, offsetof(struct raw_header, epoch), JSON_FIELD_REQUIRED},
	{"revision", JSON_FIELD_U64, offsetof(struct raw_header, revision), JSON_FIELD_REQUIRED},
	{"records", JSON_FIELD_U64, offsetof(struct raw_header, records), JSON_FIELD_REQUIRED},
};

/* The first line says again what the note says. */
static enum feed_fault read_header(const struct feed_snapshot *note, struct json_view json, struct problem *problem)
{
	struct raw_header header = {0};
	const char *field;

	if (json_view_fields(json, header_fields, ARRAY_LEN(header_fields), &header, &field, problem) < 0)
		return FEED_MALFORMED;
	if (strcmp(header.feed, note->origin) != 0)
		return refuse(FEED_OTHER_ORIGIN, problem, "the snapshot is of feed %s, not of %s", header.feed,
			      note->origin);
	if (header.epoch != note->epoch)
		return refuse(FEED_OTHER_EPOCH, problem, "the snapshot is of another epoch than its note");
	if (header.revision != note->revision || header.records != note->records)
		return refuse(FEED_MALFORMED, problem, "the snapshot's first line is not what its note says");
	return FEED_FINE;
}

struct raw_record {
	const char *kind, *id;
	uint64_t ver;
	struct json_view body;
};

static const struct json_field record_fields[] = {
	{"kind", JSON_FIELD_STRING, offsetof(struct raw_record, kind), JSON_FIELD_REQUIRED},
	{"id", JSON_FIELD_STRING, offsetof(struct raw_record, id), JSON_FIELD_REQUIRED},
	{"ver", JSON_FIELD_U64, offsetof(struct raw_record, ver), JSON_FIELD_REQUIRED},
	{"body", JSON_FIELD_VIEW, offsetof(struct raw_record, body), JSON_FIELD_REQUIRED},
};

static enum feed_fault read_record(struct snapshot_reader *reader, struct json_view json, struct problem *problem)
{
	struct raw_record raw = {0};
	enum record_kind kind;
	const char *field;
	int r;

	if (json_view_fields(json, record_fields, ARRAY_LEN(record_fields), &raw, &field, problem) < 0)
		return FEED_MALFORMED;
	if (record_kind_parse(raw.kind, &kind) < 0)
		return refuse(FEED_MALFORMED, problem, "records of kind '%s' are not known", raw.kind);
	if (!feed_record_id_is_plain(raw.id) || raw.ver == 0)
		return refuse(FEED_MALFORMED, problem, "a record of kind '%s' has no right id or version", raw.kind);
	if ((int)kind < reader->kind || ((int)kind == reader->kind && strcmp(raw.id, reader->id) <= 0))
		return refuse(FEED_MALFORMED, problem, "record %s is not in its place", raw.id);
	reader->kind = (int)kind;
	memcpy(reader->id, raw.id, strlen(raw.id) + 1);
	r = reader->record(reader->context, kind, raw.id, raw.ver, raw.body, problem);
	if (r == -ENOMEM)
		return refuse(FEED_TOO_LARGE, problem, "out of memory");
	return r == 0 ? FEED_FINE : FEED_BAD_RECORD;
}

/* The line is written into. */
static enum feed_fault read_line(struct snapshot_reader *reader, char *line, size_t length, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *tree = NULL;
	struct json_view json = {0};
	struct json_flat flat;
	enum feed_fault fault;
	int r = 0;

	if (length > SNAPSHOT_LINE_MAX)
		return refuse(FEED_TOO_LARGE, problem, "line %" PRIu64 " of the snapshot is too long",
			      reader->lines + 1);
	if (reader->lines > reader->note.records)
		return refuse(FEED_MALFORMED, problem, "the snapshot has more records than its note says");
	if (memchr(line, '\r', length))
		return refuse(FEED_MALFORMED, problem, "a line of the snapshot has a carriage return");
	if (json_flat_read(line, length, &flat)) {
		json.flat = &flat.outer;
	} else {
		r = json_read(line, length, &tree, problem);
		json.tree = tree;
	}
	if (r == -ENOMEM)
		return refuse(FEED_TOO_LARGE, problem, "out of memory");
	if (r < 0)
		fault = FEED_MALFORMED;
	else if (reader->lines == 0)
		fault = read_header(&reader->note, json, problem);
	else
		fault = read_record(reader, json, problem);
	/* The place within the line says little without the line. */
	if (fault != FEED_FINE)
		problem_at(problem, NULL, (unsigned)(reader->lines + 1), 0);
	reader->lines++;
	return fault;
}

/* Inflated bytes: whole lines are read where they are, the rest waits in `line`. */
static enum feed_fault add_plain(struct snapshot_reader *reader, char *data, size_t length, struct problem *problem)
{
	const char *end = data + length;

	while (data < end) {
		char *stop = memchr(data, '\n', (size_t)(end - data));
		size_t part = (size_t)((stop ? stop : end) - data);
		enum feed_fault fault;

		if (!stop || reader->line.length > 0) {
			int r = buffer_add(&reader->line, data, part);

			if (r == -EMSGSIZE)
				return refuse(FEED_TOO_LARGE, problem, "line %" PRIu64 " of the snapshot is too long",
					      reader->lines + 1);
			if (r < 0)
				return refuse(FEED_TOO_LARGE, problem, "out of memory");
		}
		if (!stop)
			return FEED_FINE;
		fault = reader->line.length > 0 ? read_line(reader, reader->line.data, reader->line.length, problem)
						: read_line(reader, data, part, problem);
		if (fault != FEED_FINE)
			return fault;
		if (reader->line.length > 0)
			buffer_clear(&reader->line);
		data = stop + 1;
	}
	return FEED_FINE;
}

/* The frame's own header, before anything is inflated. Gathered here since it may come in pieces. */
static enum feed_fault check_header(struct snapshot_reader *reader, struct problem *problem)
{
	const uint8_t *header = reader->header;
	uint32_t magic =
		(uint32_t)header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 24;
	unsigned long long size;

	if (magic != ZSTD_MAGIC)
		return refuse(FEED_MALFORMED, problem, "the snapshot is not a zstd frame");
	if (!(header[DESCRIPTOR_AT] & DESCRIPTOR_CHECKSUM))
		return refuse(FEED_MALFORMED, problem, "the snapshot's frame has no checksum");
	size = ZSTD_getFrameContentSize(header, reader->header_length);
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return refuse(FEED_MALFORMED, problem, "the snapshot's frame does not state its size");
	if (size > reader->note.plain)
		return refuse(FEED_TOO_LARGE, problem, "the snapshot's frame states more bytes than its note");
	if (size < reader->note.plain)
		return refuse(FEED_MALFORMED, problem, "the snapshot's frame states fewer bytes than its note");
	reader->header_seen = true;
	return FEED_FINE;
}

static enum feed_fault inflate(struct snapshot_reader *reader, const void *data, size_t length, struct problem *problem)
{
	ZSTD_inBuffer in = {.src = data, .size = length};
	bool full = false;

	while (in.pos < in.size || full) {
		ZSTD_outBuffer out = {.dst = reader->plain, .size = ZSTD_DStreamOutSize()};
		enum feed_fault fault;
		size_t rest;

		if (reader->frame_ended)
			return refuse(FEED_MALFORMED, problem, "something follows the snapshot's frame");
		rest = ZSTD_decompressStream(reader->stream, &out, &in);
		if (ZSTD_isError(rest)) {
			if (ZSTD_getErrorCode(rest) == ZSTD_error_frameParameter_windowTooLarge)
				return refuse(FEED_TOO_LARGE, problem, "the snapshot's window is too large");
			return refuse(FEED_MALFORMED, problem, "the snapshot cannot be inflated: %s",
				      ZSTD_getErrorName(rest));
		}
		reader->inflated += out.pos;
		if (reader->inflated > reader->note.plain)
			return refuse(FEED_TOO_LARGE, problem, "the snapshot has more in it than its note says");
		fault = add_plain(reader, reader->plain, out.pos, problem);
		if (fault != FEED_FINE)
			return fault;
		reader->frame_ended = rest == 0;
		full = out.pos == out.size && !reader->frame_ended;
	}
	return FEED_FINE;
}

enum feed_fault snapshot_reader_add(struct snapshot_reader *reader, const void *data, size_t length,
				    struct problem *problem)
{
	const uint8_t *bytes = data;
	enum feed_fault fault;
	size_t part;

	reader->bytes += length;
	if (reader->bytes > reader->note.bytes)
		return refuse(FEED_TOO_LARGE, problem, "the snapshot is longer than its note says");
	if (length == 0)
		return FEED_FINE;
	if (sha256_stream_add(reader->digest, data, length) < 0)
		return refuse(FEED_BAD_DIGEST, problem, "the snapshot cannot be hashed");
	if (reader->header_seen)
		return inflate(reader, data, length, problem);
	part = MIN_OF(length, sizeof(reader->header) - reader->header_length);
	memcpy(reader->header + reader->header_length, bytes, part);
	reader->header_length += part;
	/* No frame with lines and a checksum in it is shorter than the longest header. */
	if (reader->header_length < sizeof(reader->header))
		return FEED_FINE;
	fault = check_header(reader, problem);
	if (fault == FEED_FINE)
		fault = inflate(reader, reader->header, reader->header_length, problem);
	if (fault == FEED_FINE)
		fault = inflate(reader, bytes + part, length - part, problem);
	return fault;
}

enum feed_fault snapshot_reader_end(struct snapshot_reader *reader, struct problem *problem)
{
	uint8_t digest[SHA256_BYTES];

	if (sha256_stream_end(reader->digest, digest) < 0)
		return refuse(FEED_BAD_DIGEST, problem, "the snapshot cannot be hashed");
	if (reader->bytes < reader->note.bytes)
		return refuse(FEED_MALFORMED, problem, "the snapshot ends too early");
	if (memcmp(digest, reader->note.sha256, SHA256_BYTES) != 0)
		return refuse(FEED_BAD_DIGEST, problem, "the snapshot's bytes are not those of its note");
	if (!reader->frame_ended || reader->inflated != reader->note.plain || reader->line.length > 0 ||
	    reader->lines != reader->note.records + 1)
		return refuse(FEED_MALFORMED, problem, "the snapshot ends too early");
	return FEED_FINE;
}
