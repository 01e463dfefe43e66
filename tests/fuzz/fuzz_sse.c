/* SPDX-License-Identifier: MIT
 *
 * Server-sent events: whatever the bytes and however they are cut, the events are the same. The first byte says where
 * to cut.
 */
#include <string.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "http/sse.h"

static int note(void *context, const struct sse_event *event)
{
	struct buffer *seen = context;

	FUZZ_CHECK(strlen(event->data) <= event->length && event->data[event->length] == '\0');
	buffer_printf(seen, "%s|%s|", event->name, event->id);
	buffer_add(seen, event->data, event->length);
	return buffer_add_char(seen, '\n');
}

static void read_in_pieces(const char *data, size_t length, size_t piece, struct buffer *seen)
{
	struct sse_reader reader;

	sse_reader_init(&reader, note, seen);
	for (size_t at = 0; at < length; at += piece)
		FUZZ_CHECK(sse_reader_add(&reader, data + at, MIN_OF(piece, length - at)) == 0);
	sse_reader_finish(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buffer_finish) struct buffer whole = BUFFER_INIT, cut = BUFFER_INIT;

	if (size < 2)
		return 0;
	read_in_pieces((const char *)data + 1, size - 1, size, &whole);
	read_in_pieces((const char *)data + 1, size - 1, data[0] % 17 + 1U, &cut);
	FUZZ_CHECK(whole.length == cut.length && (whole.length == 0 || memcmp(whole.data, cut.data, cut.length) == 0));
	return 0;
}
