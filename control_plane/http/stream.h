/* SPDX-License-Identifier: MIT
 *
 * An answer without an end: what a handler leaves in response.stream, and how the server asks it for bytes. The
 * handler's side is the first member of a struct of its own:
 *
 *     struct feed_stream { struct stream stream; … };
 *     static const struct stream_class class = {.open = …, .read = …, .close = …};
 *     request->response.stream = &mine->stream;  status 200 and content_type as in other answers
 *
 * All three are called on a thread of the I/O loop and must not block: no database, no waiting for a lock that is held
 * for long. A waiting stream costs no thread. The request (its arena, its principal) is gone after the handler: a
 * stream copies what it needs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream_transport; /* the connection, http/stream.c */
struct stream;

struct stream_class {
	/* Once, before the first read. From here to `close` stream_wake may be called, from any thread. */
	void (*open)(struct stream *stream, struct stream_transport *transport);
	/* Copies up to `size` bytes: how many; 0: nothing now, ask again after stream_wake; STREAM_END: that was all.
	 */
	ssize_t (*read)(struct stream *stream, char *data, size_t size);
	/* The last call, also without `open`: the connection is gone or the stream has ended. Frees it. */
	void (*close)(struct stream *stream);
};
#define STREAM_END (-1)

struct stream {
	const struct stream_class *class;
};

/* There is something to read. Cheap, never blocks for long; any thread, any number of times. */
void stream_wake(struct stream_transport *transport);
