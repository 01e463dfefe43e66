/* SPDX-License-Identifier: MIT */
#include "http/sse.h"

#include <errno.h>
#include <string.h>

void sse_reader_init(struct sse_reader *reader, int (*event)(void *, const struct sse_event *), void *context)
{
	*reader = (struct sse_reader){.event = event, .context = context};
	reader->line.limit = reader->data.limit = SSE_EVENT_BYTES_MAX;
	reader->id.limit = reader->name.limit = SSE_EVENT_BYTES_MAX;
}

void sse_reader_finish(struct sse_reader *reader)
{
	reader->line.wipe = reader->data.wipe = true; /* whatever came last */
	buffer_finish(&reader->line);
	buffer_finish(&reader->data);
	buffer_finish(&reader->id);
	buffer_finish(&reader->name);
}

static int set(struct buffer *field, const char *value, size_t length)
{
	buffer_clear(field);
	return buffer_add(field, value, length);
}

/* An empty line: what was gathered is one event, unless there was no data. */
static int dispatch(struct sse_reader *reader)
{
	struct sse_event event;
	int result = 0;

	if (reader->has_data) {
		reader->data.length--; /* the newline after the last line */
		event.data = buffer_text(&reader->data);
		event.length = reader->data.length;
		event.name = reader->name.length ? buffer_text(&reader->name) : "message";
		event.id = buffer_text(&reader->id);
		if (!event.data || !event.name || !event.id)
			return -ENOMEM;
		result = reader->event(reader->context, &event);
	}
	buffer_clear(&reader->data);
	buffer_clear(&reader->name);
	buffer_clear(&reader->id);
	reader->has_data = false;
	return result;
}

static bool is(const char *field, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(field, name, length) == 0;
}

static int take_line(struct sse_reader *reader, const char *line, size_t length)
{
	const char *colon, *value;
	size_t field, value_length;
	int result;

	if (!reader->started) {
		reader->started = true;
		if (length >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
			line += 3;
			length -= 3;
		}
	}
	if (length == 0)
		return dispatch(reader);
	colon = memchr(line, ':', length);
	field = colon ? (size_t)(colon - line) : length;
	value = colon ? colon + 1 : line + length;
	value_length = (size_t)(line + length - value);
	if (value_length > 0 && value[0] == ' ') {
		value++;
		value_length--;
	}
	if (is(line, field, "data")) {
		reader->has_data = true;
		result = buffer_add(&reader->data, value, value_length);
		return result < 0 ? result : buffer_add_char(&reader->data, '\n');
	}
	if (is(line, field, "event"))
		return set(&reader->name, value, value_length);
	if (is(line, field, "id") && !memchr(value, '\0', value_length))
		return set(&reader->id, value, value_length);
	return 0; /* a comment (no name before the colon), "retry", or a field of another time */
}

/* The next line end at or after `data`; NULL: none. */
static const char *line_end(const char *data, size_t length)
{
	const char *lf = memchr(data, '\n', length);
	const char *cr = memchr(data, '\r', lf ? (size_t)(lf - data) : length);

	return cr ? cr : lf;
}

int sse_reader_add(struct sse_reader *reader, const char *data, size_t length)
{
	while (length > 0) {
		const char *end;
		size_t part;
		int result;

		if (reader->last_was_cr && *data == '\n') {
			reader->last_was_cr = false;
			data++;
			length--;
			continue;
		}
		reader->last_was_cr = false;
		end = line_end(data, length);
		part = end ? (size_t)(end - data) : length;
		if (!end)
			return buffer_add(&reader->line, data, part);
		if (reader->line.length == 0) { /* whole in this piece: no copy */
			result = take_line(reader, data, part);
		} else {
			result = buffer_add(&reader->line, data, part);
			if (result == 0)
				result = take_line(reader, reader->line.data, reader->line.length);
			buffer_clear(&reader->line);
		}
		if (result < 0)
			return result;
		reader->last_was_cr = *end == '\r';
		data = end + 1;
		length -= part + 1;
	}
	return 0;
}
