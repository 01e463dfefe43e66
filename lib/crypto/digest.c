/* SPDX-License-Identifier: MIT */
#include "crypto/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static const char base64_digits[64] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};

/* Fetched once: looking the algorithm up takes locks, and longer than hashing a key. */
static EVP_MD *sha256_algorithm;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int sha256(const void *data, size_t length, uint8_t out[SHA256_BYTES])
{
	unsigned size = SHA256_BYTES;

	if (pthread_once(&sha256_once, fetch_sha256) != 0 || !sha256_algorithm)
		return -EIO;
	/* A pointer even for nothing: NULL means something else to some providers. */
	if (EVP_Digest(length > 0 ? data : "", length, out, &size, sha256_algorithm, NULL) != 1 || size != SHA256_BYTES)
		return -EIO;
	return 0;
}

char *base64_encode(const void *data, size_t length)
{
	const uint8_t *in = data;
	char *out, *p;

	if (length > SIZE_MAX / 2)
		return NULL;
	out = malloc((length + 2) / 3 * 4 + 1);
	if (!out)
		return NULL;
	p = out;
	for (; length >= 3; length -= 3, in += 3) {
		*p++ = base64_digits[in[0] >> 2];
		*p++ = base64_digits[(in[0] & 3) << 4 | in[1] >> 4];
		*p++ = base64_digits[(in[1] & 15) << 2 | in[2] >> 6];
		*p++ = base64_digits[in[2] & 63];
	}
	if (length > 0) {
		unsigned second = length > 1 ? in[1] : 0;

		*p++ = base64_digits[in[0] >> 2];
		*p++ = base64_digits[(in[0] & 3) << 4 | second >> 4];
		*p++ = (char)(length > 1 ? base64_digits[(second & 15) << 2] : '=');
		*p++ = '=';
	}
	*p = '\0';
	return out;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int base64_decode(const char *text, void *out, size_t size, size_t *ret_length)
{
	size_t length = strlen(text), padding = 0, digits, bytes;
	uint8_t *p = out;

	if (length % 4 != 0)
		return -EINVAL;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	digits = length - padding;
	for (size_t i = 0; i < digits; i++)
		if (base64_value(text[i]) < 0)
			return -EINVAL;
	/* Bits past the last byte must be zero: one text for each value. */
	if ((padding == 1 && (base64_value(text[digits - 1]) & 3) != 0) ||
	    (padding == 2 && (base64_value(text[digits - 1]) & 15) != 0))
		return -EINVAL;
	bytes = length / 4 * 3 - padding;
	if (bytes > size)
		return -ENOSPC;
	for (size_t i = 0, n = 0; n < bytes; i += 4) {
		uint32_t group = 0;

		for (size_t j = 0; j < 4; j++)
			group = group << 6 | (i + j < digits ? (uint32_t)base64_value(text[i + j]) : 0);
		for (int shift = 16; shift >= 0 && n < bytes; shift -= 8)
			p[n++] = (uint8_t)(group >> shift);
	}
	*ret_length = bytes;
	return 0;
}
