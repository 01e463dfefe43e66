/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/pg_array.h"

#include <inttypes.h>
#include <string.h>

void pg_array_add(struct buffer *array, const char *text)
{
	(void)buffer_add_text(array, array->length == 0 ? "{\"" : ",\"");
	while (*text) {
		size_t plain = strcspn(text, "\"\\");

		(void)buffer_add(array, text, plain);
		text += plain;
		if (*text) {
			(void)buffer_add_char(array, '\\');
			(void)buffer_add_char(array, *text++);
		}
	}
	(void)buffer_add_char(array, '"');
}

void pg_array_add_u64(struct buffer *array, uint64_t value)
{
	(void)buffer_printf(array, "%c%" PRIu64, array->length == 0 ? '{' : ',', value);
}

const char *pg_array_end(struct buffer *array)
{
	(void)buffer_add_text(array, array->length == 0 ? "{}" : "}");
	return buffer_text(array);
}
