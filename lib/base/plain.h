/* SPDX-License-Identifier: MIT
 *
 * Plain text: bytes that stand in a JSON string as they are and that nobody has to judge, which is ASCII without
 * controls, the quote and the backslash. Nearly all of what we read and write is nothing else.
 */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

#define PLAIN_EACH(byte) ((byte)*0x0101010101010101ULL)

/* The top bit of the lowest byte that is not plain; what stands in the bytes above it means nothing. */
static inline uint64_t plain_stop(uint64_t word)
{
	uint64_t quote = word ^ PLAIN_EACH('"'), backslash = word ^ PLAIN_EACH('\\');

	return (((word - PLAIN_EACH(0x20)) | (quote - PLAIN_EACH(1)) | (backslash - PLAIN_EACH(1))) & ~word &
		PLAIN_EACH(0x80)) |
	       (word & PLAIN_EACH(0x80));
}

/* How many bytes from the start are plain. */
static inline _unused_ size_t plain_length(const char *text, size_t length)
{
	size_t at = 0;

	for (; length - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word, stop;

		memcpy(&word, text + at, sizeof(word));
		stop = plain_stop(le64toh(word));
		if (stop)
			return at + (size_t)__builtin_ctzll(stop) / 8;
	}
	for (; at < length; at++) {
		unsigned char c = (unsigned char)text[at];

		if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
			break;
	}
	return at;
}
