/* SPDX-License-Identifier: MIT */
#include "json/json_flat.h"

#include <string.h>

#include "base/macros.h"
#include "base/plain.h"
#include "base/utf8.h"

#define DIGITS_MAX 18 /* so many fit into 63 bits, whichever they are */

/* All of these return what follows, or NULL when it is nothing for us. */

/* `p` stands after the quote that opens it. */
static char *read_string(char *p, const char *end, char **ret, uint32_t *ret_length)
{
	char *start = p;

	for (;;) {
		size_t n;

		p += plain_length(p, (size_t)(end - p));
		if (p == end)
			return NULL;
		if (*p == '"')
			break;
		n = (unsigned char)*p >= 0x80 ? utf8_next(p, (size_t)(end - p), NULL) : 0;
		if (n == 0)
			return NULL;
		p += n;
	}
	if ((size_t)(p - start) > UINT32_MAX)
		return NULL;
	*ret = start;
	*ret_length = (uint32_t)(p - start);
	return p + 1;
}

static char *read_number(char *p, const char *end, int64_t *ret)
{
	const char *start = p;
	int64_t number = 0;

	while (p < end && *p >= '0' && *p <= '9') {
		if (p - start == DIGITS_MAX)
			return NULL;
		number = number * 10 + (*p++ - '0');
	}
	if (*start == '0' && p - start > 1)
		return NULL;
	*ret = number;
	return p;
}

static char *read_word(char *p, const char *end, const char *word, size_t length)
{
	return (size_t)(end - p) >= length && memcmp(p, word, length) == 0 ? p + length : NULL;
}

static char *read_object(char *p, const char *end, struct json_flat_object *object, struct json_flat_object *inner);

static char *read_value(char *p, const char *end, struct json_flat_member *member, struct json_flat_object *inner)
{
	if (p == end)
		return NULL;
	switch (*p) {
	case '"':
		member->type = JSON_STRING;
		return read_string(p + 1, end, &member->text, &member->text_length);
	case 't':
		member->type = JSON_TRUE;
		return read_word(p, end, "true", 4);
	case 'f':
		member->type = JSON_FALSE;
		return read_word(p, end, "false", 5);
	case '{':
		if (!inner)
			return NULL;
		member->type = JSON_OBJECT;
		member->object = inner;
		return read_object(p + 1, end, inner, NULL);
	default:
		member->type = JSON_INTEGER;
		return *p >= '0' && *p <= '9' ? read_number(p, end, &member->number) : NULL;
	}
}

static bool occurs(const struct json_flat_object *object, const struct json_flat_member *member)
{
	for (uint32_t i = 0; i < object->count; i++)
		if (object->members[i].name_length == member->name_length &&
		    memcmp(object->members[i].name, member->name, member->name_length) == 0)
			return true;
	return false;
}

/* `p` stands after the brace that opens it. `inner` is for the object in it; NULL: it may have none. */
static char *read_object(char *p, const char *end, struct json_flat_object *object, struct json_flat_object *inner)
{
	object->count = 0;
	if (p < end && *p == '}')
		return p + 1;
	while (p < end && *p == '"' && object->count < JSON_FLAT_MEMBERS_MAX) {
		struct json_flat_member *member = &object->members[object->count];

		member->object = NULL;
		p = read_string(p + 1, end, &member->name, &member->name_length);
		if (!p || p == end || *p != ':' || occurs(object, member))
			return NULL;
		p = read_value(p + 1, end, member, inner);
		if (!p || p == end)
			return NULL;
		if (member->object)
			inner = NULL;
		object->count++;
		if (*p == '}')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
	return NULL;
}

static void end_strings(const struct json_flat_object *object)
{
	for (uint32_t i = 0; i < object->count; i++) {
		const struct json_flat_member *member = &object->members[i];

		member->name[member->name_length] = '\0';
		if (member->type == JSON_STRING)
			member->text[member->text_length] = '\0';
	}
}

bool json_flat_read(char *text, size_t length, struct json_flat *ret)
{
	const char *end = text + length;

	ret->inner.count = 0;
	if (length == 0 || *text != '{' || read_object(text + 1, end, &ret->outer, &ret->inner) != end)
		return false;
	end_strings(&ret->outer);
	end_strings(&ret->inner);
	return true;
}
