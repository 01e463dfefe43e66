/* SPDX-License-Identifier: MIT
 *
 * UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/* Length in bytes (1..4) of the character at `text`, which has `length` bytes; 0 when they do not begin
 * with a whole valid one. The character goes to *ret (may be NULL). */
static inline _unused_ size_t utf8_next(const char *text, size_t length, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xBF;
	size_t size;
	uint32_t c;

	if (length == 0)
		return 0;
	if (p[0] < 0x80) {
		if (ret)
			*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xC2 && p[0] <= 0xDF) {
		size = 2;
		c = p[0] & 0x1FU;
	} else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		size = 3;
		c = p[0] & 0x0FU;
		/* The second byte alone tells overlong forms and surrogates. */
		if (p[0] == 0xE0)
			low = 0xA0;
		if (p[0] == 0xED)
			high = 0x9F;
	} else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		size = 4;
		c = p[0] & 0x07U;
		if (p[0] == 0xF0)
			low = 0x90;
		if (p[0] == 0xF4)
			high = 0x8F;
	} else {
		return 0;
	}
	if (length < size || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xC0U) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3FU);
	}
	if (ret)
		*ret = c;
	return size;
}
