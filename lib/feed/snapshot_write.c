/* SPDX-License-Identifier: MIT
 *
 * zstd wants to know a frame's content size before its first byte, and we know it after the last record. So the
 * frame is begun without, and its header replaced at the end by one that states the size (RFC 8878, section 3.1.1.1).
 */
#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/macros.h"
#include "feed/internal.h"
#include "feed/snapshot.h"
#include "json/json_write.h"

#define LEVEL 3
#define WINDOW_LOG 20 /* 1 MiB: what a reader needs of memory */
#define MAGIC_BYTES 4U
#define BEGUN_HEADER_BYTES (MAGIC_BYTES + 2)                 /* descriptor, window */
#define HEADER_BYTES (BEGUN_HEADER_BYTES + sizeof(uint64_t)) /* and the size */
#define DESCRIPTOR_CHECKSUM 0x04
#define DESCRIPTOR_SIZE_8 0xC0 /* the content size takes eight bytes */

struct snapshot_writer {
	struct feed_snapshot *note;
	struct buffer *out;
	size_t start; /* where in `out` the frame begins; HEADER_BYTES later what zstd wrote */
	ZSTD_CStream *stream;
	struct buffer line;
	uint64_t plain, records;
	int kind; /* of the last record; -1: none yet */
	char id[FEED_RECORD_ID_MAX];
	bool failed;
};

void snapshot_writer_free(struct snapshot_writer *writer)
{
	if (!writer)
		return;
	(void)ZSTD_freeCStream(writer->stream);
	buffer_finish(&writer->line);
	free(writer);
}
DEFINE_CLEANUP(struct snapshot_writer, snapshot_writer_free)

/* Compresses what `line` holds. `end`: and ends the frame. */
static int compress(struct snapshot_writer *writer, ZSTD_EndDirective mode)
{
	ZSTD_inBuffer in = {.src = writer->line.data, .size = writer->line.length};
	size_t rest;

	if (writer->line.failed)
		return -ENOMEM;
	writer->plain += writer->line.length;
	do {
		ZSTD_outBuffer to = {.size = ZSTD_CStreamOutSize()};

		to.dst = buffer_reserve(writer->out, to.size);
		if (!to.dst)
			return -ENOMEM;
		rest = ZSTD_compressStream2(writer->stream, &to, &in, mode);
		if (ZSTD_isError(rest))
			return -EIO;
		writer->out->length += to.pos;
	} while (in.pos < in.size || (mode == ZSTD_e_end && rest > 0));
	buffer_clear(&writer->line);
	return 0;
}

int snapshot_writer_new(struct feed_snapshot *note, struct buffer *out, struct snapshot_writer **ret)
{
	_cleanup_(snapshot_writer_freep) struct snapshot_writer *writer = calloc(1, sizeof(*writer));
	static const char gap[HEADER_BYTES - BEGUN_HEADER_BYTES];
	struct json_writer w;
	int r;

	if (!writer)
		return -ENOMEM;
	writer->note = note;
	writer->out = out;
	writer->start = out->length;
	writer->kind = -1;
	writer->stream = ZSTD_createCStream();
	if (!writer->stream)
		return -ENOMEM;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(writer->stream, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(writer->stream, ZSTD_c_windowLog, WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(writer->stream, ZSTD_c_checksumFlag, 1)))
		return -EIO;
	r = buffer_add(out, gap, sizeof(gap));
	if (r < 0)
		return r;
	w = json_writer(&writer->line);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "feed", note->origin);
	json_put_u64(&w, "epoch", note->epoch);
	json_put_u64(&w, "revision", note->revision);
	json_put_u64(&w, "records", note->records);
	json_end(&w, '}');
	(void)buffer_add_char(&writer->line, '\n');
	r = compress(writer, ZSTD_e_continue);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(writer);
	return 0;
}

static int add(struct snapshot_writer *writer, const char *kind_word, const char *id, uint64_t version,
	       const char *body, size_t body_length)
{
	struct json_writer w = json_writer(&writer->line);
	enum record_kind kind;

	if (record_kind_parse(kind_word, &kind) < 0 || !feed_record_id_is_plain(id) || version == 0 ||
	    memchr(body, '\n', body_length))
		return -EINVAL;
	/* A reader would refuse what is not in order. */
	if ((int)kind < writer->kind || ((int)kind == writer->kind && strcmp(id, writer->id) <= 0))
		return -EINVAL;
	writer->kind = (int)kind;
	memcpy(writer->id, id, strlen(id) + 1);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "kind", kind_word);
	json_put_string(&w, "id", id);
	json_put_u64(&w, "ver", version);
	json_put_raw(&w, "body", body, body_length);
	json_end(&w, '}');
	if (writer->line.length > SNAPSHOT_LINE_MAX)
		return -EMSGSIZE;
	(void)buffer_add_char(&writer->line, '\n');
	writer->records++;
	return compress(writer, ZSTD_e_continue);
}

int snapshot_writer_add(struct snapshot_writer *writer, const char *kind, const char *id, uint64_t version,
			const char *body, size_t body_length)
{
	int r = writer->failed ? -EINVAL : add(writer, kind, id, version, body, body_length);

	writer->failed = r < 0;
	return r;
}

/* The header that zstd began with, and the content size behind it, in the room that was left before it. */
static int state_size(const struct snapshot_writer *writer)
{
	uint8_t *header = (uint8_t *)writer->out->data + writer->start;
	const uint8_t *begun = header + HEADER_BYTES - BEGUN_HEADER_BYTES;

	if (begun[MAGIC_BYTES] != DESCRIPTOR_CHECKSUM)
		return -EIO; /* another form of header than every zstd so far writes for these settings */
	memmove(header, begun, BEGUN_HEADER_BYTES);
	header[MAGIC_BYTES] |= DESCRIPTOR_SIZE_8;
	for (unsigned i = 0; i < sizeof(uint64_t); i++)
		header[BEGUN_HEADER_BYTES + i] = (uint8_t)(writer->plain >> 8 * i);
	return 0;
}

int snapshot_writer_end(struct snapshot_writer *writer)
{
	struct feed_snapshot *note = writer->note;
	int r;

	if (writer->failed || writer->records != note->records)
		return -EINVAL;
	r = compress(writer, ZSTD_e_end);
	if (r < 0)
		return r;
	r = state_size(writer);
	if (r < 0)
		return r;
	note->bytes = writer->out->length - writer->start;
	note->plain = writer->plain;
	r = sha256(writer->out->data + writer->start, note->bytes, note->sha256);
	if (r < 0)
		return r;
	return snapshot_limits(note, NULL) == FEED_FINE ? 0 : -EMSGSIZE;
}
