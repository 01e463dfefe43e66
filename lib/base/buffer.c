/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

#define CAPACITY_MIN ((size_t)256)

void buffer_finish(struct buffer *buffer)
{
	if (buffer->wipe)
		secret_wipe(buffer->data, buffer->capacity);
	free(buffer->data);
	buffer->data = NULL;
	buffer->length = 0;
	buffer->capacity = 0;
	buffer->failed = false;
}

void buffer_clear(struct buffer *buffer)
{
	/* All of it, not only up to length: a reservation may have been written and then not counted. */
	if (buffer->wipe)
		secret_wipe(buffer->data, buffer->capacity);
	buffer->length = 0;
	buffer->failed = false;
}

/* Capacity for at least `need` bytes and a NUL. */
static int grow(struct buffer *buffer, size_t need)
{
	size_t capacity = MAX_OF(buffer->capacity, CAPACITY_MIN);
	char *data;

	while (capacity <= need)
		capacity *= 2;
	if (buffer->wipe) {
		/* realloc would leave a copy of the secret behind. */
		data = malloc(capacity);
		if (!data)
			return -ENOMEM;
		if (buffer->length > 0)
			memcpy(data, buffer->data, buffer->length);
		secret_wipe(buffer->data, buffer->capacity);
		free(buffer->data);
	} else {
		data = realloc(buffer->data, capacity);
		if (!data)
			return -ENOMEM;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

static int make_room(struct buffer *buffer, size_t more)
{
	int r = 0;

	if (buffer->failed)
		return buffer->limit > 0 ? -EMSGSIZE : -ENOMEM;
	if (buffer->limit > 0 && (buffer->length > buffer->limit || more > buffer->limit - buffer->length))
		r = -EMSGSIZE;
	else if (more > (size_t)(PTRDIFF_MAX / 2) - buffer->length)
		r = -ENOMEM;
	else if (!buffer->data || buffer->capacity - buffer->length <= more)
		r = grow(buffer, buffer->length + more);
	if (r < 0)
		buffer->failed = true;
	return r;
}

char *buffer_reserve_slow(struct buffer *buffer, size_t more)
{
	if (make_room(buffer, more) < 0)
		return NULL;
	return buffer->data + buffer->length;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
	size_t rest;

	count = MIN_OF(count, buffer->length);
	if (count == 0)
		return;
	rest = buffer->length - count;
	if (rest > 0)
		memmove(buffer->data, buffer->data + count, rest);
	if (buffer->wipe)
		secret_wipe(buffer->data + rest, count);
	buffer->length = rest;
}

int buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	int r = make_room(buffer, length);

	if (r < 0)
		return r;
	if (length > 0)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return 0;
}

int buffer_add_text(struct buffer *buffer, const char *text)
{
	return buffer_add(buffer, text, strlen(text));
}

int buffer_add_char(struct buffer *buffer, char c)
{
	int r = make_room(buffer, 1);

	if (r < 0)
		return r;
	buffer->data[buffer->length++] = c;
	return 0;
}

int buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list ap;
	size_t room;
	int r, n;

	r = make_room(buffer, 0);
	if (r < 0)
		return r;
	room = buffer->capacity - buffer->length;
	va_start(ap, format);
	n = vsnprintf(buffer->data + buffer->length, room, format, ap);
	va_end(ap);
	if (n < 0) {
		buffer->failed = true;
		return -ENOMEM;
	}
	/* The limit counts even where the memory would do. */
	r = make_room(buffer, (size_t)n);
	if (r < 0)
		return r;
	if ((size_t)n >= room) {
		va_start(ap, format);
		n = vsnprintf(buffer->data + buffer->length, buffer->capacity - buffer->length, format, ap);
		va_end(ap);
	}
	buffer->length += (size_t)n;
	return 0;
}

const char *buffer_text(struct buffer *buffer)
{
	if (make_room(buffer, 0) < 0)
		return NULL;
	buffer->data[buffer->length] = '\0';
	return buffer->data;
}
