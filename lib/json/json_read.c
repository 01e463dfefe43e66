/* SPDX-License-Identifier: MIT */
#include "json/json_read.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

/* The quote that ends the string whose first byte is at `p`; NULL when there is none. */
static const char *end_of_string(const char *p, const char *end)
{
	const char *start = p;

	for (;;) {
		const char *quote = memchr(p, '"', (size_t)(end - p)), *back = quote;

		if (!quote)
			return NULL;
		while (back > start && back[-1] == '\\')
			back--;
		if (((quote - back) & 1) == 0)
			return quote;
		p = quote + 1;
		start = p; /* what was before belongs to an escape that is over */
	}
}

/* Refuses the text for the byte at `at`. */
static int refuse_at(const char *data, const char *at, const char *why, struct problem *problem)
{
	unsigned line = 1, column = 1;

	for (const char *p = data; p < at; p++) {
		line += *p == '\n';
		column = *p == '\n' ? 1 : column + (((unsigned char)*p & 0xC0) != 0x80); /* in characters */
	}
	problem_at(problem, NULL, line, column);
	return problem_set(problem, EBADMSG, "%s", why);
}

/* Counted before jansson builds anything, so that deep nesting costs neither memory nor stack. */
static int check_depth(const char *data, size_t length, struct problem *problem)
{
	const char *end = data + length;
	unsigned depth = 0;

	for (const char *p = data; p < end; p++) {
		switch (*p) {
		case '"':
			p = end_of_string(p + 1, end);
			if (!p)
				return 0; /* the parser tells where */
			break;
		case '{':
		case '[':
			if (++depth > JSON_DEPTH_MAX)
				return refuse_at(data, p, "nested too deep", problem);
			break;
		case '}':
		case ']':
			if (depth > 0)
				depth--;
			break;
		default:
			break;
		}
	}
	return 0;
}

/* Our own words: jansson's quote the text next to the fault, which may be a secret. */
static const char *describe(enum json_error_code code)
{
	switch ((int)code) {
	case json_error_premature_end_of_input:
		return "JSON ends too early";
	case json_error_end_of_input_expected:
		return "something follows the JSON value";
	case json_error_invalid_utf8:
		return "not valid UTF-8";
	case json_error_duplicate_key:
		return "a key occurs twice in one object";
	case json_error_numeric_overflow:
		return "a number is too large";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string contains a NUL character";
	case json_error_stack_overflow:
		return "nested too deep";
	default:
		return "not valid JSON";
	}
}

int json_read(const char *data, size_t length, json_t **ret, struct problem *problem)
{
	const char *nul = length > 0 ? memchr(data, '\0', length) : NULL;
	json_error_t error;
	json_t *root;
	int r;

	if (nul) /* jansson 2.14 overlooks one after a number */
		return refuse_at(data, nul, "not valid JSON", problem);
	r = check_depth(data, length, problem);
	if (r < 0)
		return r;
	root = json_loadb(data, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		problem_at(problem, NULL, (unsigned)MAX_OF(error.line, 1), (unsigned)MAX_OF(error.column, 1));
		return problem_set(problem, EBADMSG, "%s", describe(json_error_code(&error)));
	}
	*ret = root;
	return 0;
}
