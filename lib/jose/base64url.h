/* SPDX-License-Identifier: MIT
 *
 * base64url without padding (RFC 4648, section 5; RFC 7515): one text for each value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Digits of so many bytes. */
#define BASE64URL_CHARS(bytes) (((bytes)*4 + 2) / 3)

bool base64url_is_digit(char c);
void base64url_encode(const void *data, size_t length, char *out); /* holds BASE64URL_CHARS(length) and a NUL */
/* -EINVAL: another character, padding, a length that cannot be, bits past the last byte. -ENOSPC. */
int base64url_decode(const char *text, size_t length, void *out, size_t size, size_t *ret_length);
