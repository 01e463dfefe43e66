/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Decimal digits at *text, moved past; no leading zero. */
static int take_number(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	/* 010 is eight to some readers and ten to others. */
	if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
			/* Too large only if it is a number to its end; that is for the caller to see. */
			while (*p >= '0' && *p <= '9')
				p++;
			*text = p;
			return -ERANGE;
		}
	*text = p;
	*ret = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	int r;

	r = take_number(&text, &value);
	if (r == -EINVAL || *text != '\0')
		return -EINVAL;
	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

const char *parse_numbers(const char *text, unsigned long *numbers, unsigned count)
{
	char *end;

	for (unsigned i = 0; i < count; i++) {
		numbers[i] = strtoul(text, &end, 10);
		if (end == text)
			return NULL;
		text = end;
	}
	return text;
}

int parse_u32(const char *text, uint32_t *ret)
{
	uint64_t value = 0;
	int r;

	r = parse_u64(text, &value);
	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int parse_bool(const char *text, bool *ret)
{
	if (strcmp(text, "true") == 0)
		*ret = true;
	else if (strcmp(text, "false") == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

struct unit {
	const char *suffix;
	uint64_t factor;
};

static int parse_with_unit(const char *text, const struct unit *units, size_t count, bool bare, uint64_t *ret)
{
	uint64_t value = 0;
	int r;

	r = take_number(&text, &value);
	if (r == -EINVAL)
		return r;
	if (*text == '\0') {
		if (r == 0 && !bare && value != 0)
			return -EINVAL;
		if (r < 0)
			return bare ? r : -EINVAL;
		*ret = value;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, units[i].suffix) == 0) {
			if (r < 0 || __builtin_mul_overflow(value, units[i].factor, &value))
				return -ERANGE;
			*ret = value;
			return 0;
		}
	return -EINVAL;
}

int parse_duration(const char *text, uint64_t *ret_seconds)
{
	static const struct unit units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};

	return parse_with_unit(text, units, ARRAY_LEN(units), false, ret_seconds);
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"K", 1ULL << 10}, {"M", 1ULL << 20}, {"G", 1ULL << 30}};

	return parse_with_unit(text, units, ARRAY_LEN(units), true, ret_bytes);
}
