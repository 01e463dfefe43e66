/* SPDX-License-Identifier: MIT */
#include "server/request.h"

#include <errno.h>
#include <string.h>

#include "base/plain.h"

#define DIGITS_MAX 18 /* any number of so many fits 64 bits */

static char *skip_space(char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* After the opening quote: the closing one, or NULL when there is anything before it that the JSON library
 * has to judge. */
static char *end_of_string(char *p, const char *end)
{
	p += plain_length(p, (size_t)(end - p));
	return p < end && *p == '"' ? p : NULL;
}

static char *read_word(char *p, const char *end, const char *word, size_t length)
{
	return (size_t)(end - p) >= length && memcmp(p, word, length) == 0 ? p + length : NULL;
}

static char *read_number(char *p, const char *end, int64_t *ret)
{
	bool negative = p < end && *p == '-';
	int64_t number = 0;
	char *first;

	p += negative;
	first = p;
	while (p < end && *p >= '0' && *p <= '9' && p - first < DIGITS_MAX)
		number = number * 10 + (*p++ - '0');
	/* No digits, a leading zero, more digits, a fraction or an exponent: not for us. */
	if (p == first || (*first == '0' && p - first > 1) || p == end || (*p >= '0' && *p <= '9') || *p == '.' ||
	    *p == 'e' || *p == 'E' || (negative && number == 0))
		return NULL;
	*ret = negative ? -number : number;
	return p;
}

/* A scalar; returns what follows it, or NULL. */
static char *read_value(char *p, const char *end, struct request_member *member)
{
	char *close;

	if (p == end)
		return NULL;
	switch (*p) {
	case '"':
		close = end_of_string(p + 1, end);
		if (!close)
			return NULL;
		member->type = REQUEST_STRING;
		member->text = p + 1;
		member->length = (size_t)(close - p - 1);
		return close + 1;
	case 't':
		member->type = REQUEST_TRUE;
		return read_word(p, end, "true", 4);
	case 'f':
		member->type = REQUEST_FALSE;
		return read_word(p, end, "false", 5);
	case 'n':
		member->type = REQUEST_NULL;
		return read_word(p, end, "null", 4);
	default:
		member->type = REQUEST_INTEGER;
		return read_number(p, end, &member->number);
	}
}

/* `"key" :`; returns what follows, or NULL. */
static char *read_key(char *p, const char *end, struct request_member *member)
{
	char *close;

	if (p == end || *p != '"')
		return NULL;
	close = end_of_string(p + 1, end);
	if (!close)
		return NULL;
	member->key = p + 1;
	member->key_length = (size_t)(close - p - 1);
	p = skip_space(close + 1, end);
	return p < end && *p == ':' ? skip_space(p + 1, end) : NULL;
}

static bool same_key(const struct request_member *a, const struct request_member *b)
{
	return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

/* After a member: past the comma (more = true) or the closing brace; NULL for anything else. */
static char *read_separator(char *p, const char *end, bool *ret_more)
{
	p = skip_space(p, end);
	if (p == end || (*p != ',' && *p != '}'))
		return NULL;
	*ret_more = *p == ',';
	return *ret_more ? skip_space(p + 1, end) : p + 1;
}

/* `{…}` of scalars. */
static char *read_parameters(char *p, const char *end, struct request *ret)
{
	bool more = true;

	p = skip_space(p + 1, end);
	if (p < end && *p == '}')
		return p + 1;
	while (more) {
		struct request_member *member = &ret->members[ret->count];

		if (ret->count == REQUEST_MEMBERS_MAX)
			return NULL;
		p = read_key(p, end, member);
		if (p)
			p = read_value(p, end, member);
		if (p)
			p = read_separator(p, end, &more);
		if (!p)
			return NULL;
		for (uint32_t i = 0; i < ret->count; i++)
			if (same_key(&ret->members[i], member))
				return NULL;
		ret->count++;
	}
	return p;
}

static bool is_key(const struct request_member *member, const char *name)
{
	return member->key_length == strlen(name) && memcmp(member->key, name, member->key_length) == 0;
}

static bool take_flag(const struct request_member *member, bool *flag)
{
	if (member->type != REQUEST_TRUE && member->type != REQUEST_FALSE)
		return false;
	*flag = member->type == REQUEST_TRUE;
	return true;
}

/* The method's form, so that a strange one gets the other reader's error. */
static bool is_method(const char *text, size_t length)
{
	size_t dot = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (c == '.' && i > 0 && text[i - 1] != '.')
			dot = i;
		else if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '-')))
			return false;
	}
	return dot > 0 && dot + 1 < length && text[dot + 1] >= 'A' && text[dot + 1] <= 'Z' && length <= 128;
}

bool request_read(char *frame, size_t length, struct request *ret)
{
	const char *end = frame + length;
	char *p = skip_space(frame, end), *method = NULL;
	bool parameters = false, has_more = false, has_oneway = false, more = true;
	size_t method_length = 0;

	ret->method = NULL;
	ret->more = ret->oneway = false;
	ret->count = 0;
	if (p == end || *p != '{')
		return false;
	p = skip_space(p + 1, end);
	while (more) {
		struct request_member member;

		p = read_key(p, end, &member);
		if (!p)
			return false;
		if (is_key(&member, "parameters") && !parameters && p < end && *p == '{') {
			parameters = true;
			p = read_parameters(p, end, ret);
		} else {
			p = read_value(p, end, &member);
			if (!p)
				return false;
			if (is_key(&member, "method") && !method && member.type == REQUEST_STRING) {
				method = member.text;
				method_length = member.length;
			} else if (is_key(&member, "more") && !has_more && take_flag(&member, &ret->more)) {
				has_more = true;
			} else if (is_key(&member, "oneway") && !has_oneway && take_flag(&member, &ret->oneway)) {
				has_oneway = true;
			} else {
				return false;
			}
		}
		if (p)
			p = read_separator(p, end, &more);
		if (!p)
			return false;
	}
	if (skip_space(p, end) != end || !method || !is_method(method, method_length) || (ret->more && ret->oneway))
		return false;

	/* It is ours: now the strings may end where their quotes stood. */
	method[method_length] = '\0';
	ret->method = method;
	for (uint32_t i = 0; i < ret->count; i++) {
		struct request_member *member = &ret->members[i];

		member->key[member->key_length] = '\0';
		if (member->type == REQUEST_STRING)
			member->text[member->length] = '\0';
	}
	return true;
}

/* 0, or -EINVAL when the value is not of the field's type. */
static int store(const struct request_member *member, const struct json_field *field, void *out)
{
	void *target = (char *)out + field->offset;
	int64_t number = member->number;

	switch (field->type) {
	case JSON_FIELD_STRING:
		if (member->type != REQUEST_STRING)
			return -EINVAL;
		*(const char **)target = member->text;
		return 0;
	case JSON_FIELD_BOOL:
		return take_flag(member, target) ? 0 : -EINVAL;
	case JSON_FIELD_U32:
		if (member->type != REQUEST_INTEGER || number < 0 || number > UINT32_MAX)
			return -EINVAL;
		*(uint32_t *)target = (uint32_t)number;
		return 0;
	case JSON_FIELD_U64:
		if (member->type != REQUEST_INTEGER || number < 0)
			return -EINVAL;
		*(uint64_t *)target = (uint64_t)number;
		return 0;
	case JSON_FIELD_I64:
		if (member->type != REQUEST_INTEGER)
			return -EINVAL;
		*(int64_t *)target = number;
		return 0;
	case JSON_FIELD_OBJECT:
	case JSON_FIELD_ARRAY:
	case JSON_FIELD_STRINGS:
	case JSON_FIELD_VIEW:
		break; /* a scalar is none of these */
	}
	return -EINVAL;
}

int request_fields(const struct request *request, const struct json_field *fields, size_t count, void *out,
		   const char **ret_field)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < request->count; i++) {
		const struct request_member *member = &request->members[i];
		size_t f = 0;

		while (f < count && strcmp(fields[f].name, member->key) != 0)
			f++;
		if (f == count) {
			*ret_field = member->key;
			return -EINVAL;
		}
		if (member->type == REQUEST_NULL && fields[f].flags & JSON_FIELD_NULLABLE)
			continue;
		if (store(member, &fields[f], out) < 0) {
			*ret_field = fields[f].name;
			return -EINVAL;
		}
		seen |= 1U << f;
	}
	for (size_t f = 0; f < count; f++) {
		if (fields[f].flags & JSON_FIELD_REQUIRED && !(seen & 1U << f)) {
			*ret_field = fields[f].name;
			return -EINVAL;
		}
	}
	return 0;
}
