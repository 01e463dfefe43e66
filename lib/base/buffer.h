/* SPDX-License-Identifier: MIT
 *
 * A growing byte buffer. After a failed append (out of memory, or past `limit`) the buffer stays
 * as it was and `failed` stays set, so a run of appends is checked once at its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct buffer {
	char *data;
	size_t length;
	size_t capacity;
	size_t limit; /* 0: none */
	bool failed;
	bool wipe; /* contents are secret: wiped when moved or freed */
};

#define BUFFER_INIT \
	{           \
		0   \
	}
void buffer_finish(struct buffer *buffer); /* frees; usable again afterwards */
/* Forgets the content, keeps the memory, clears `failed`. */
void buffer_clear(struct buffer *buffer);
/* Makes room for `more` bytes past length and returns where to write them; NULL on failure. */
char *buffer_reserve_slow(struct buffer *buffer, size_t more);
static inline _unused_ char *buffer_reserve(struct buffer *buffer, size_t more)
{
	/* Most of the time there is room. Neither sum can overflow: length and limit are in memory. */
	if (!buffer->failed && buffer->capacity - buffer->length > more &&
	    (buffer->limit == 0 || buffer->length + more <= buffer->limit))
		return buffer->data + buffer->length;
	return buffer_reserve_slow(buffer, more);
}
/* Drops the first `count` bytes. */
void buffer_consume(struct buffer *buffer, size_t count);
int buffer_add(struct buffer *buffer, const void *data, size_t length); /* 0, -ENOMEM, -EMSGSIZE */
int buffer_add_text(struct buffer *buffer, const char *text);
int buffer_add_char(struct buffer *buffer, char c);
int buffer_printf(struct buffer *buffer, const char *format, ...) _printf_(2, 3);
/* A terminating NUL past the end that does not count in length; NULL when `failed`. */
const char *buffer_text(struct buffer *buffer);
