/* SPDX-License-Identifier: MIT */
#include "json/json_write.h"

#include <string.h>

#include "base/plain.h"
#include "base/utf8.h"

#define NUMBER_MAX_CHARS 20 /* of 64 bits, with sign */

struct json_writer json_writer(struct buffer *buffer)
{
	return (struct json_writer){.buffer = buffer};
}

/* Makes room for comma, key, colon and `more` bytes of value; writes all but the value and returns where
 * that goes. The caller sets the length by `finish`. */
static char *start(struct json_writer *w, const char *key, size_t more)
{
	size_t key_length = key ? strlen(key) : 0;
	char *p = buffer_reserve(w->buffer, (w->comma ? 1 : 0) + (key ? key_length + 3 : 0) + more);

	if (!p)
		return NULL;
	if (w->comma)
		*p++ = ',';
	if (key) {
		*p++ = '"';
		memcpy(p, key, key_length);
		p += key_length;
		*p++ = '"';
		*p++ = ':';
	}
	return p;
}

static void finish(struct json_writer *w, const char *end)
{
	w->buffer->length = (size_t)(end - w->buffer->data);
	w->comma = true;
}

static void put_literal(struct json_writer *w, const char *key, const char *text, size_t length)
{
	char *p = start(w, key, length);

	if (!p)
		return;
	memcpy(p, text, length);
	finish(w, p + length);
}

void json_begin(struct json_writer *w, const char *key, char open)
{
	put_literal(w, key, &open, 1);
	w->comma = false;
}

void json_end(struct json_writer *w, char close)
{
	(void)buffer_add_char(w->buffer, close);
	w->comma = true;
}

/* Goes into a string as it is? What is not: quotes, backslashes, controls, and all that needs to be checked
 * as UTF-8. */
static inline bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static char *escape_control(char *p, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[] = "btn?fr"; /* 8 to 13 */

	*p++ = '\\';
	if (c == '"' || c == '\\') {
		*p++ = (char)c;
	} else if (c >= 8 && c <= 13 && c != 11) {
		*p++ = letters[c - 8];
	} else {
		memcpy(p, "u00", 3);
		p[3] = digits[c >> 4];
		p[4] = digits[c & 15];
		p += 5;
	}
	return p;
}

/* Bytes that put_escaped will write. Counted exactly, so that text which fits below a buffer's limit is never
 * refused. */
static size_t escaped_length(const char *value, size_t length)
{
	size_t total = 0;

	while (length > 0) {
		unsigned char c = (unsigned char)*value;
		size_t n = 1;

		if (is_plain(c)) {
			total++;
		} else if (c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11)) {
			total += 2;
		} else if (c < 0x80) {
			total += 6;
		} else {
			n = utf8_next(value, length, NULL);
			total += n > 0 ? n : 3;
			n = n > 0 ? n : 1;
		}
		value += n;
		length -= n;
	}
	return total;
}

/* The rest of a string from its first character that is not plain. */
static char *put_escaped(char *p, const char *value, size_t length)
{
	while (length > 0) {
		unsigned char c = (unsigned char)*value;
		size_t n;

		if (is_plain(c)) {
			*p++ = (char)c;
			n = 1;
		} else if (c < 0x80) {
			p = escape_control(p, c);
			n = 1;
		} else {
			n = utf8_next(value, length, NULL);
			if (n > 0) {
				memcpy(p, value, n);
				p += n;
			} else {
				memcpy(p, "\xEF\xBF\xBD", 3); /* U+FFFD */
				p += 3;
				n = 1;
			}
		}
		value += n;
		length -= n;
	}
	return p;
}

void json_put_string_n(struct json_writer *w, const char *key, const char *value, size_t length)
{
	size_t plain = plain_length(value, length), rest;
	char *p;

	rest = plain < length ? escaped_length(value + plain, length - plain) : 0;
	p = start(w, key, 1 + plain + rest + 1);
	if (!p)
		return;
	*p++ = '"';
	if (plain > 0)
		memcpy(p, value, plain);
	p += plain;
	if (plain < length)
		p = put_escaped(p, value + plain, length - plain);
	*p++ = '"';
	finish(w, p);
}

void json_put_string(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_put_string_n(w, key, value, strlen(value));
	else
		json_put_null(w, key);
}

void json_put_string_if(struct json_writer *w, const char *key, const char *value)
{
	if (value && value[0])
		json_put_string_n(w, key, value, strlen(value));
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	if (value)
		put_literal(w, key, "true", 4);
	else
		put_literal(w, key, "false", 5);
}

static void put_number(struct json_writer *w, const char *key, bool negative, uint64_t value)
{
	char digits[NUMBER_MAX_CHARS], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	if (negative)
		*--p = '-';
	put_literal(w, key, p, (size_t)(digits + sizeof(digits) - p));
}

void json_put_u64(struct json_writer *w, const char *key, uint64_t value)
{
	put_number(w, key, false, value);
}

void json_put_i64(struct json_writer *w, const char *key, int64_t value)
{
	put_number(w, key, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_put_null(struct json_writer *w, const char *key)
{
	put_literal(w, key, "null", 4);
}

void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t length)
{
	put_literal(w, key, json, length);
}
