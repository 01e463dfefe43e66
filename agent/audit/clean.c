/* SPDX-License-Identifier: MIT
 *
 * What came from outside is made harmless once, before anything is written: then the journal's fields, the leaf and the
 * personal data say the same, and whoever reads any of them can show it in a terminal.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/internal.h"
#include "base/macros.h"
#include "base/text.h"
#include "json/json_read.h"

#define DATA_JSON_MAX 8192U /* of a service's own object */
#define DATA_DEPTH_MAX 16U
#define TEXT_MAX 1024U

/* What text_escape lets pass and a terminal or a reader can still be deceived by (writing direction, line
 * separators) makes the whole value plain ASCII. */
static void escape(const char *value, char *out, size_t size)
{
	size_t used = 0;

	text_escape(value, strlen(value), out, size);
	if (text_is_printable(out, strlen(out)))
		return;
	for (const unsigned char *at = (const unsigned char *)value; *at && used + 5 < size; at++)
		if (*at >= ' ' && *at < 0x7f)
			out[used++] = (char)*at;
		else
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", *at);
	out[used] = '\0';
}

static bool is_clean(const char *value, size_t most)
{
	size_t length = strnlen(value, most);

	/* A key that somebody put into a text loses its secret part. */
	return length < most && text_is_printable(value, length) && !strstr(value, "tnt_");
}

/* A copy, with `most` bytes at the very most, the NUL among them. */
static char *clean_copy(const char *value, size_t most)
{
	char out[TEXT_MAX];
	size_t length = strnlen(value, most);
	char *copy;

	if (length >= most) {
		length = most - 1;
		while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80)
			length--; /* not within a character */
	}
	copy = strndup(value, length);
	if (!copy)
		return NULL;
	text_hide_keys(copy);
	escape(copy, out, MIN_OF(most, sizeof(out)));
	free(copy);
	return strdup(out);
}

static const char **string_of(struct audit_event *event, size_t offset)
{
	return (const char **)(void *)((char *)event + offset);
}

int audit_clean_event(const struct audit_event *event, size_t most, struct audit_clean *ret)
{
	ret->event = *event;
	ret->copies = calloc(audit_string_count, sizeof(*ret->copies));
	if (!ret->copies)
		return -ENOMEM;
	for (size_t i = 0; i < audit_string_count; i++) {
		const char **value = string_of(&ret->event, audit_strings[i].offset);

		if (!*value || is_clean(*value, most))
			continue;
		ret->copies[i] = clean_copy(*value, most);
		if (!ret->copies[i])
			return -ENOMEM;
		*value = ret->copies[i];
	}
	ret->data_json = event->data_json ? audit_clean_object(event->data_json) : NULL;
	ret->event.data_json = ret->data_json;
	return 0;
}

void audit_clean_finish(struct audit_clean *clean)
{
	for (size_t i = 0; clean->copies && i < audit_string_count; i++)
		free(clean->copies[i]);
	free(clean->copies);
	free(clean->data_json);
	*clean = (struct audit_clean){0};
}

/* ---- objects ------------------------------------------------------------------------------------------------------
 */

static char *clean_text(const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	_cleanup_(freep) char *copy = strdup(text);
	char *out = malloc(size);

	if (!copy || !out) {
		free(out);
		return NULL;
	}
	text_hide_keys(copy);
	escape(copy, out, size);
	return out;
}

static json_t *clean_string(const char *text)
{
	_cleanup_(freep) char *out = clean_text(text);

	return out ? json_string(out) : NULL;
}

static json_t *clean_value(json_t *value, unsigned depth);

static json_t *clean_object(json_t *object, unsigned depth)
{
	json_t *out = json_object(), *value;
	const char *key;

	json_object_foreach(object, key, value)
	{
		_cleanup_(freep) char *name = clean_text(key);

		/* In a merge patch null takes away: there it says what leaving it out says here. */
		if (json_is_null(value))
			continue;
		if (!name || json_object_set_new(out, name, clean_value(value, depth)) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static json_t *clean_array(json_t *array, unsigned depth)
{
	json_t *out = json_array(), *value;
	size_t i;

	json_array_foreach(array, i, value) if (json_array_append_new(out, clean_value(value, depth)) < 0)
	{
		json_decref(out);
		return NULL;
	}
	return out;
}

/* A new reference; NULL: no memory, or too deep. Functions of jansson refuse NULL as a value and as a container. */
static json_t *clean_value(json_t *value, unsigned depth)
{
	if (depth == 0)
		return NULL;
	if (json_is_string(value))
		return clean_string(json_string_value(value));
	if (json_is_object(value))
		return clean_object(value, depth - 1);
	if (json_is_array(value))
		return clean_array(value, depth - 1);
	return json_incref(value);
}

char *audit_clean_object(const char *json)
{
	_cleanup_(json_decrefp) json_t *object = NULL, *clean = NULL;
	struct problem problem = {0};
	size_t length = strnlen(json, DATA_JSON_MAX + 1);
	char *text;

	if (length > DATA_JSON_MAX || json_read(json, length, &object, &problem) < 0 || !json_is_object(object))
		return NULL;
	clean = clean_value(object, DATA_DEPTH_MAX);
	text = clean ? json_dumps(clean, JSON_COMPACT) : NULL;
	if (text && (strlen(text) > DATA_JSON_MAX || !text_is_printable(text, strlen(text)))) {
		free(text);
		text = NULL;
	}
	return text;
}
