/* SPDX-License-Identifier: MIT
 *
 * A parser of our own that builds jansson's values. jansson's takes the text a byte at a time through a callback
 * and copies every token twice, which is most of what answering a request costs; this one reads each string in
 * place and allocates only what the values keep. Both accept the same texts and give equal values, which
 * tests/fuzz/fuzz_json.c holds against each other; numbers with a fraction or exponent are left to jansson.
 */
#include "json/json_read.h"

#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"

struct parser {
	const char *p; /* next byte; after a failure the byte that was wrong */
	const char *end;
	const char *fault; /* what is wrong, in our words: never a piece of the text, which may be a secret */
	int error;         /* EBADMSG or ENOMEM once it failed */
};

/* The bytes of a string: in the text itself, or decoded. */
struct string {
	const char *data;
	size_t length;
	char *owned; /* NULL while it needs no decoding */
	size_t room; /* bytes there */
};

static json_t *parse_value(struct parser *s, unsigned depth);

/* What needed decoding may be a secret, like all else in a message. */
static void string_finish(struct string *string)
{
	secret_wipe(string->owned, string->room);
	free(string->owned);
}

static int fail(struct parser *s, const char *fault)
{
	s->fault = fault;
	s->error = EBADMSG;
	return -EBADMSG;
}

static int fail_memory(struct parser *s)
{
	s->error = ENOMEM;
	return -ENOMEM;
}

/* At a byte that cannot stand here, or at the end. */
static int fail_here(struct parser *s)
{
	return fail(s, s->p == s->end ? "JSON ends too early" : "not valid JSON");
}

static void skip_space(struct parser *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits. */
static int take_unit(struct parser *s, const char *end, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++, s->p++) {
		int digit = s->p < end ? hex_value(*s->p) : -1;

		if (digit < 0)
			return fail(s, "an escape in a string is not valid");
		value = value << 4 | (uint32_t)digit;
	}
	*ret = value;
	return 0;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xC0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xE0 | c >> 12);
		} else {
			*out++ = (char)(0xF0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3F));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
	}
	*out++ = (char)(0x80 | (c & 0x3F));
	return out;
}

/* What follows "\u". */
static int take_code(struct parser *s, const char *end, uint32_t *ret)
{
	uint32_t high, low;

	if (take_unit(s, end, &high) < 0)
		return -EBADMSG;
	if (high == 0)
		return fail(s, "a string contains a NUL character");
	if (high >= 0xD800 && high <= 0xDFFF) {
		if (high > 0xDBFF || end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return fail(s, "half of a surrogate pair");
		s->p += 2;
		if (take_unit(s, end, &low) < 0)
			return -EBADMSG;
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(s, "half of a surrogate pair");
		high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
	}
	*ret = high;
	return 0;
}

/* From the string's first byte to its end, which is known and valid but for its escapes. */
static int decode(struct parser *s, const char *end, struct string *ret)
{
	/* No escape is shorter than what it stands for. */
	char *out;

	ret->room = (size_t)(end - s->p) + 1;
	out = malloc(ret->room);
	if (!out)
		return fail_memory(s);
	ret->owned = out;
	while (s->p < end) {
		static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
		const char *which;
		uint32_t code;

		if (*s->p != '\\') {
			*out++ = *s->p++;
			continue;
		}
		s->p++;
		if (*s->p == 'u') {
			s->p++;
			if (take_code(s, end, &code) < 0)
				return -EBADMSG;
			out = put_utf8(out, code);
			continue;
		}
		which = memchr(plain, *s->p, sizeof(plain) - 1);
		if (!which)
			return fail(s, "an escape in a string is not valid");
		*out++ = meaning[which - plain];
		s->p++;
	}
	ret->data = ret->owned;
	ret->length = (size_t)(out - ret->owned);
	return 0;
}

/* Past the opening quote; leaves past the closing one. */
static int take_string(struct parser *s, struct string *ret)
{
	const char *start = s->p, *p = start, *end = s->end;
	bool escapes = false;

	for (;;) {
		unsigned char c;

		while (p < end && (c = (unsigned char)*p, c >= 0x20 && c < 0x80 && c != '"' && c != '\\'))
			p++;
		s->p = p;
		if (p == end)
			return fail_here(s);
		c = (unsigned char)*p;
		if (c == '"')
			break;
		if (c == '\\') {
			/* Whatever is escaped, it does not end the string. Decoding judges it. */
			escapes = true;
			if (end - p < 2)
				return fail(s, "JSON ends too early");
			p++;
			if ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
				p++;
		} else if (c < 0x20) {
			return fail(s, "a control character in a string");
		} else {
			size_t n = utf8_next(p, (size_t)(end - p), NULL);

			if (n == 0)
				return fail(s, "not valid UTF-8");
			p += n;
		}
	}
	*ret = (struct string){.data = start, .length = (size_t)(p - start)};
	if (escapes) {
		s->p = start;
		if (decode(s, p, ret) < 0)
			return -s->error;
	}
	s->p = p + 1;
	return 0;
}

static json_t *parse_string(struct parser *s)
{
	_cleanup_(string_finish) struct string string = {0};
	json_t *value;

	s->p++;
	if (take_string(s, &string) < 0)
		return NULL;
	value = json_stringn_nocheck(string.data, string.length);
	if (!value)
		(void)fail_memory(s);
	return value;
}

/* One "key": value, into `object`. */
static int parse_member(struct parser *s, json_t *object, unsigned depth)
{
	_cleanup_(string_finish) struct string key = {0};
	size_t before = json_object_size(object);
	const char *at;
	json_t *value;

	skip_space(s);
	at = s->p;
	if (s->p == s->end || *s->p != '"')
		return fail_here(s);
	s->p++;
	if (take_string(s, &key) < 0)
		return -s->error;
	skip_space(s);
	if (s->p == s->end || *s->p != ':')
		return fail_here(s);
	s->p++;
	value = parse_value(s, depth);
	if (!value)
		return -s->error;
	if (json_object_setn_new_nocheck(object, key.data, key.length, value) < 0)
		return fail_memory(s);
	/* It replaced a value: asking beforehand would hash every key twice. */
	if (json_object_size(object) == before) {
		s->p = at;
		return fail(s, "a key occurs twice in one object");
	}
	return 0;
}

static int parse_item(struct parser *s, json_t *array, unsigned depth)
{
	json_t *value = parse_value(s, depth);

	if (!value)
		return -s->error;
	return json_array_append_new(array, value) < 0 ? fail_memory(s) : 0;
}

/* An object or a list, from its bracket. */
static json_t *parse_container(struct parser *s, unsigned depth)
{
	bool is_object = *s->p == '{';
	char close = is_object ? '}' : ']';
	_cleanup_(json_decrefp) json_t *container = NULL;

	if (depth >= JSON_DEPTH_MAX) {
		(void)fail(s, "nested too deep");
		return NULL;
	}
	container = is_object ? json_object() : json_array();
	if (!container) {
		(void)fail_memory(s);
		return NULL;
	}
	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == close) {
		s->p++;
		return TAKE_PTR(container);
	}
	for (;;) {
		if ((is_object ? parse_member(s, container, depth + 1) : parse_item(s, container, depth + 1)) < 0)
			return NULL;
		skip_space(s);
		if (s->p < s->end && *s->p == close) {
			s->p++;
			return TAKE_PTR(container);
		}
		if (s->p == s->end || *s->p != ',') {
			(void)fail_here(s);
			return NULL;
		}
		s->p++;
	}
}

static bool is_digit(const struct parser *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* The rest of a number that is no integer; jansson reads it whatever the locale. */
static json_t *parse_real(struct parser *s, const char *start)
{
	json_error_t error;
	json_t *value;

	while (is_digit(s) || (s->p < s->end && memchr("+-.eE", *s->p, 5)))
		s->p++;
	value = json_loadb(start, (size_t)(s->p - start), JSON_DECODE_ANY, &error);
	if (!value) {
		s->p = start;
		if (json_error_code(&error) == json_error_out_of_memory)
			(void)fail_memory(s);
		else
			(void)fail(s, json_error_code(&error) == json_error_numeric_overflow ? "a number is too large"
											     : "not valid JSON");
	}
	return value;
}

static json_t *parse_number(struct parser *s)
{
	const char *start = s->p;
	bool negative = *s->p == '-', fits = true;
	json_int_t number = 0;
	json_t *value;

	s->p += negative;
	if (!is_digit(s)) {
		(void)fail_here(s);
		return NULL;
	}
	if (*s->p == '0') {
		s->p++;
		if (is_digit(s)) {
			(void)fail_here(s);
			return NULL;
		}
	}
	/* Counted downwards: there is one negative number more than positive ones. */
	for (; is_digit(s); s->p++)
		fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
		       !__builtin_sub_overflow(number, *s->p - '0', &number);
	if (s->p < s->end && (*s->p == '.' || *s->p == 'e' || *s->p == 'E'))
		return parse_real(s, start);
	if (!fits || (!negative && __builtin_sub_overflow(0, number, &number))) {
		s->p = start;
		(void)fail(s, "a number is too large");
		return NULL;
	}
	value = json_integer(number);
	if (!value)
		(void)fail_memory(s);
	return value;
}

static json_t *parse_word(struct parser *s)
{
	static const struct {
		const char *text;
		size_t length;
		json_t *(*make)(void);
	} words[] = {{"true", 4, json_true}, {"false", 5, json_false}, {"null", 4, json_null}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if ((size_t)(s->end - s->p) >= words[i].length && memcmp(s->p, words[i].text, words[i].length) == 0) {
			s->p += words[i].length;
			return words[i].make();
		}
	(void)fail(s, "not valid JSON");
	return NULL;
}

static json_t *parse_value(struct parser *s, unsigned depth)
{
	skip_space(s);
	if (s->p == s->end) {
		(void)fail_here(s);
		return NULL;
	}
	switch (*s->p) {
	case '"':
		return parse_string(s);
	case '{':
	case '[':
		return parse_container(s, depth);
	case 't':
	case 'f':
	case 'n':
		return parse_word(s);
	default:
		return parse_number(s);
	}
}

/* Lines and characters are counted only when somebody wants to know. */
static void tell_place(const struct parser *s, const char *data, struct problem *problem)
{
	unsigned line = 1, column = 1;

	for (const char *p = data; p < s->p; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xC0) != 0x80) {
			column++;
		}
	}
	problem_at(problem, NULL, line, column);
}

int json_read(const char *data, size_t length, json_t **ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct parser s = {.p = data, .end = data + length};

	root = parse_value(&s, 0);
	if (root) {
		skip_space(&s);
		if (s.p == s.end) {
			*ret = TAKE_PTR(root);
			return 0;
		}
		(void)fail(&s, "something follows the JSON value");
	}
	if (s.error == ENOMEM)
		return -ENOMEM;
	if (problem)
		tell_place(&s, data, problem);
	return problem_set(problem, EBADMSG, "%s", s.fault);
}
