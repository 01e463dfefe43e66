/* SPDX-License-Identifier: MIT
 *
 * SHA-256 and CRC-32 (the reflected 0xEDB88320 of RFC 1952). Errors are OpenSSL's own: -EIO.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

int sha256(const void *data, size_t length, uint8_t out[SHA256_BYTES]);
uint32_t crc32_ieee(const void *data, size_t length);
/* Standard base64 without newlines, of `length` bytes; malloc'd, NULL when out of memory. */
char *base64_encode(const void *data, size_t length);
int base64_decode(const char *text, void *out, size_t size, size_t *ret_length); /* strict; -EINVAL, -ENOSPC */
