/* SPDX-License-Identifier: MIT */
#include "jose/base64url.h"

#include <errno.h>
#include <stdint.h>

static const char digits[64] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
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
