/* SPDX-License-Identifier: MIT
 *
 * Writes JSON text straight into a buffer: compact, keys in the order given, strings escaped (input
 * that is not UTF-8 has its bad bytes replaced by U+FFFD, so what comes out is always valid).
 * Nesting is the caller's; commas are ours. Errors collect in buffer->failed.
 *
 *     struct json_writer w = json_writer(&buffer);
 *     json_begin(&w, NULL, '{');
 *     json_put_string(&w, "name", "alice");
 *     json_end(&w, '}');
 *
 * `key` is NULL inside arrays and for the outermost value. Keys are literals: not escaped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct json_writer {
	struct buffer *buffer;
	bool comma; /* one is due before the next value */
};

struct json_writer json_writer(struct buffer *buffer);
void json_begin(struct json_writer *w, const char *key, char open);              /* '{' or '[' */
void json_end(struct json_writer *w, char close);                                /* '}' or ']' */
void json_put_string(struct json_writer *w, const char *key, const char *value); /* NULL: writes null */
void json_put_string_n(struct json_writer *w, const char *key, const char *value, size_t length);
/* Leaves the member out when value is NULL or "". */
void json_put_string_if(struct json_writer *w, const char *key, const char *value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_u64(struct json_writer *w, const char *key, uint64_t value);
void json_put_i64(struct json_writer *w, const char *key, int64_t value);
void json_put_null(struct json_writer *w, const char *key);
/* Text that is JSON already. */
void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t length);
