/* SPDX-License-Identifier: MIT
 *
 * Snapshots. The first byte says how many records the note promises and, by its highest bit, whether what follows is
 * a frame, or lines that are made one here. The note is always right about bytes and hash, so that nothing stops at
 * those; memory and records stay within what it promises.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/macros.h"
#include "feed/snapshot.h"
#include "fuzz.h"

#define LINES 0x80

static int count_record(void *context, enum record_kind kind, const char *id, uint64_t version, struct json_view body,
			struct problem *problem)
{
	(void)kind;
	(void)problem;
	FUZZ_CHECK(id[0] != '\0' && version > 0 && (body.flat || json_is_object(body.tree)));
	++*(uint64_t *)context;
	return 0;
}

static void read_frame(struct feed_snapshot *note, const char *frame, size_t size)
{
	enum feed_fault faults[2];

	FUZZ_CHECK(sha256(frame, size, note->sha256) == 0);
	note->bytes = size;
	if (snapshot_limits(note, NULL) != FEED_FINE)
		return;
	/* Whole, and in small pieces: the same. */
	for (unsigned pass = 0; pass < 2; pass++) {
		size_t step = pass == 0 ? MAX_OF(size, (size_t)1) : 7;
		enum feed_fault fault = FEED_FINE;
		struct problem problem = {0};
		struct snapshot_reader *reader;
		uint64_t records = 0;

		FUZZ_CHECK(snapshot_reader_new(note, count_record, &records, &reader) == 0);
		for (size_t at = 0; fault == FEED_FINE && at < size; at += step)
			fault = snapshot_reader_add(reader, frame + at, MIN_OF(step, size - at), &problem);
		if (fault == FEED_FINE)
			fault = snapshot_reader_end(reader, &problem);
		snapshot_reader_free(reader);
		FUZZ_CHECK((fault == FEED_FINE) == (problem.text[0] == '\0'));
		FUZZ_CHECK(records <= note->records);
		FUZZ_CHECK(fault != FEED_FINE || records == note->records);
		faults[pass] = fault;
	}
	FUZZ_CHECK((faults[0] == FEED_FINE) == (faults[1] == FEED_FINE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed_snapshot note = {.origin = "a/feed/b", .epoch = 1, .revision = 42};
	unsigned long long plain;
	ZSTD_CCtx *context;
	size_t room, length;
	char *frame;

	if (size < 1)
		return 0;
	note.records = data[0] & ~LINES;
	if (!(data[0] & LINES)) {
		plain = ZSTD_getFrameContentSize(data + 1, size - 1);
		note.plain = plain == ZSTD_CONTENTSIZE_UNKNOWN || plain == ZSTD_CONTENTSIZE_ERROR ? size : plain;
		read_frame(&note, (const char *)data + 1, size - 1);
		return 0;
	}
	room = ZSTD_compressBound(size - 1);
	frame = malloc(room);
	context = ZSTD_createCCtx();
	FUZZ_CHECK(frame && context);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	length = ZSTD_compress2(context, frame, room, data + 1, size - 1);
	FUZZ_CHECK(!ZSTD_isError(length));
	note.plain = size - 1;
	read_frame(&note, frame, length);
	ZSTD_freeCCtx(context);
	free(frame);
	return 0;
}
