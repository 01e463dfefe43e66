/* SPDX-License-Identifier: MIT */
#include "jose/base64url.h"

#include <errno.h>
#include <stdint.h>

static const char digits[64] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

/* One more than what a digit stands for; 0: no digit. Above 127 there are none. */
static const uint8_t values[256] = {
	0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
	0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  53, 54, 55, 56,
	57, 58, 59, 60, 61, 62, 0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  64, 0,  27, 28, 29, 30, 31, 32, 33,
	34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0,
};

static int value_of(char c)
{
	return values[(unsigned char)c] - 1;
}

bool base64url_is_digit(char c)
{
	return value_of(c) >= 0;
}

void base64url_encode(const void *data, size_t length, char *out)
{
	const uint8_t *in = data;
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | in[i];
		for (count += 8; count >= 6; count -= 6)
			*out++ = digits[bits >> (count - 6) & 63];
	}
	if (count > 0)
		*out++ = digits[bits << (6 - count) & 63];
	*out = '\0';
}

int base64url_decode(const char *text, size_t length, void *out, size_t size, size_t *ret_length)
{
	uint8_t *p = out;
	uint32_t bits = 0;
	unsigned count = 0;
	size_t bytes = length / 4 * 3 + length % 4 * 3 / 4;

	if (length % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (value_of(text[i]) < 0)
			return -EINVAL;
	if (length % 4 != 0 && (value_of(text[length - 1]) & (length % 4 == 2 ? 15 : 3)) != 0)
		return -EINVAL;
	if (bytes > size)
		return -ENOSPC;
	for (size_t i = 0; i < length; i++) {
		bits = bits << 6 | (uint32_t)value_of(text[i]);
		count += 6;
		if (count >= 8) {
			count -= 8;
			*p++ = (uint8_t)(bits >> count);
		}
	}
	*ret_length = bytes;
	return 0;
}
