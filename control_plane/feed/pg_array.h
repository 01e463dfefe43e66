/* SPDX-License-Identifier: MIT
 *
 * PostgreSQL's text form of arrays, for statements that take many rows as one parameter.
 */
#pragma once

#include "base/buffer.h"

/* {"…","…"}: add as many as there are, then end. Errors collect in buffer->failed. */
void pg_array_add(struct buffer *array, const char *text);
void pg_array_add_u64(struct buffer *array, uint64_t value);
/* The whole, NUL-terminated; NULL: out of memory. */
const char *pg_array_end(struct buffer *array);
