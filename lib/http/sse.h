/* SPDX-License-Identifier: MIT
 *
 * Server-sent events (WHATWG HTML, section 9.2), read as they come.
 */
#pragma once

#include <stddef.h>

#include "base/buffer.h"

#define SSE_EVENT_BYTES_MAX (5U * 1024 * 1024)

struct sse_event {
	const char *name; /* "message" when not said */
	const char *id;   /* "" when not said */
	const char *data; /* lines joined by newlines, NUL-terminated past its end */
	size_t length;
};
struct sse_reader {
	struct buffer line, data, id, name;
	int (*event)(void *context, const struct sse_event *event); /* negative stops */
	void *context;
	bool last_was_cr, has_data, started;
};
void sse_reader_init(struct sse_reader *reader, int (*event)(void *, const struct sse_event *), void *context);
void sse_reader_finish(struct sse_reader *reader);
/* 0; what the callback said; -EMSGSIZE: an event over the limit; -ENOMEM. */
int sse_reader_add(struct sse_reader *reader, const char *data, size_t length);
