/* SPDX-License-Identifier: MIT
 *
 * YAML as a stream of events, with everything refused that a configuration has no use for: other
 * encodings than UTF-8, control characters, anchors, aliases, tags, directives, several documents, depth.
 * Bytes are checked before libyaml sees them, so every complaint knows its line and column.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <yaml.h>

#include "base/problem.h"
#include "crypto/digest_stream.h"

#define YAML_BYTES_MAX (256ULL * 1024 * 1024)
#define YAML_DEPTH_MAX 10U
#define YAML_SCALAR_MAX 16384U
#define YAML_BLOCK_BYTES 65536U

/* Like read(2): bytes, 0 at the end, or -errno. */
typedef ssize_t (*yaml_source_fn)(void *context, void *data, size_t size);

struct yaml_reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one, while `live` */
	bool live;
	struct problem *problem;
	const char *name;
	unsigned depth;
	int error; /* of the source: told in `problem` already when -EINVAL */

	yaml_source_fn source;
	void *context;
	struct sha256_stream *hash;
	uint64_t bytes, limit; /* read so far; at most */
	unsigned line, column; /* of the next byte to check, 1-based */
	bool ended;
	size_t start, checked, end; /* in block: handed out up to start; checked up to checked; filled up to end */
	char block[YAML_BLOCK_BYTES];
};

/* `hash` may be NULL. 0 or -ENOMEM. */
int yaml_reader_init(struct yaml_reader *reader, const char *name, yaml_source_fn source, void *context,
		     struct sha256_stream *hash, struct problem *problem);
void yaml_reader_finish(struct yaml_reader *reader);
/* Moves on to the next event. 0; -EINVAL with the problem; other errors are the source's. */
int yaml_reader_next(struct yaml_reader *reader);
/* Moves past the start of stream and document. */
int yaml_reader_begin(struct yaml_reader *reader);
/* After the document's value: nothing else may come. */
int yaml_reader_end(struct yaml_reader *reader);
/* Complains about the current event. Returns -EINVAL. */
int yaml_reader_fail(struct yaml_reader *reader, const char *remedy, const char *format, ...) _printf_(3, 4);
int yaml_reader_fail_at(struct yaml_reader *reader, yaml_mark_t mark, const char *remedy, const char *format, ...)
	_printf_(4, 5);
/* What the current event is, for messages: "a list". */
const char *yaml_reader_what(const struct yaml_reader *reader);

/* Overwrites the current event's scalar, a secret that was kept elsewhere. (All that was read is wiped at the end.) */
void yaml_reader_wipe(struct yaml_reader *reader);

/* The current event's scalar. */
static inline const char *yaml_scalar(const struct yaml_reader *reader)
{
	return (const char *)reader->event.data.scalar.value;
}
static inline size_t yaml_scalar_length(const struct yaml_reader *reader)
{
	return reader->event.data.scalar.length;
}
/* Written without quotes, and one of YAML's words for nothing? */
bool yaml_scalar_is_null(const struct yaml_reader *reader);
bool yaml_scalar_is_plain(const struct yaml_reader *reader);
