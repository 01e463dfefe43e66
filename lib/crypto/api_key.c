/* SPDX-License-Identifier: MIT */
#include "crypto/api_key.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"

#define PREFIX_CHARS 7 /* tnt_pk_ */
#define RANDOM_BYTES 32

static const char base62_digits[62] = {"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"};
static const char *const prefixes[] = {
	[API_KEY_PERSON] = "tnt_pk_", [API_KEY_SERVICE] = "tnt_sk_", [API_KEY_ENROLMENT] = "tnt_et_"};

static bool is_base62(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= 'a' && text[i] <= 'z')))
			return false;
	return true;
}

/* CRC-32 of all before, as six digits, most significant first. */
static void checksum(const char *text, char out[API_KEY_CHECK_CHARS])
{
	uint32_t crc = crc32_ieee(text, API_KEY_TEXT_CHARS - API_KEY_CHECK_CHARS);

	for (size_t i = API_KEY_CHECK_CHARS; i > 0; i--) {
		out[i - 1] = base62_digits[crc % 62];
		crc /= 62;
	}
}

static int find_prefix(const char *text, size_t length, enum api_key_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (length >= PREFIX_CHARS && memcmp(text, prefixes[i], PREFIX_CHARS) == 0) {
			*ret = (enum api_key_kind)i;
			return 0;
		}
	return -EINVAL;
}

bool api_key_has_shape(const char *text, size_t length)
{
	enum api_key_kind kind;

	return find_prefix(text, length, &kind) == 0;
}

int api_key_parse(const char *text, size_t length, struct api_key_parts *ret)
{
	const char *id = text + PREFIX_CHARS, *secret = id + API_KEY_ID_CHARS + 1;
	char check[API_KEY_CHECK_CHARS];
	enum api_key_kind kind;

	if (length != API_KEY_TEXT_CHARS || find_prefix(text, length, &kind) < 0)
		return -EINVAL;
	if (!is_base62(id, API_KEY_ID_CHARS) || id[API_KEY_ID_CHARS] != '_' ||
	    !is_base62(secret, API_KEY_SECRET_CHARS + API_KEY_CHECK_CHARS))
		return -EINVAL;
	checksum(text, check);
	if (!secret_equal(check, secret + API_KEY_SECRET_CHARS, sizeof(check)))
		return -EBADMSG;
	ret->kind = kind;
	memcpy(ret->id, id, API_KEY_ID_CHARS);
	ret->id[API_KEY_ID_CHARS] = '\0';
	return 0;
}

/* The number in `bytes` (big-endian, destroyed) as digits: 62^43 is just above 2^256. */
static void put_number(uint8_t bytes[RANDOM_BYTES], char *out)
{
	for (size_t i = API_KEY_SECRET_CHARS; i > 0; i--) {
		unsigned rest = 0;

		for (size_t j = 0; j < RANDOM_BYTES; j++) {
			rest = rest << 8 | bytes[j];
			bytes[j] = (uint8_t)(rest / 62);
			rest %= 62;
		}
		out[i - 1] = base62_digits[rest];
	}
}

int api_key_make_with_id(enum api_key_kind kind, const char *id, char *out)
{
	uint8_t random[RANDOM_BYTES];
	char *p = out;
	int r;

	if ((unsigned)kind >= ARRAY_LEN(prefixes) || strlen(id) != API_KEY_ID_CHARS || !is_base62(id, API_KEY_ID_CHARS))
		return -EINVAL;
	r = random_bytes(random, sizeof(random));
	if (r < 0)
		return r;
	memcpy(p, prefixes[kind], PREFIX_CHARS);
	p += PREFIX_CHARS;
	memcpy(p, id, API_KEY_ID_CHARS);
	p += API_KEY_ID_CHARS;
	*p++ = '_';
	put_number(random, p);
	secret_wipe(random, sizeof(random));
	p += API_KEY_SECRET_CHARS;
	checksum(out, p);
	p[API_KEY_CHECK_CHARS] = '\0';
	return 0;
}

int api_key_make(enum api_key_kind kind, char *out, char id_out[API_KEY_ID_CHARS + 1])
{
	char id[API_KEY_ID_CHARS + 1];
	int r = base62_random(id, API_KEY_ID_CHARS);

	if (r == 0)
		r = api_key_make_with_id(kind, id, out);
	if (r < 0)
		return r;
	memcpy(id_out, id, sizeof(id));
	return 0;
}

int api_key_verifier(const char *text, size_t length, uint8_t out[SHA256_BYTES])
{
	return sha256(text, length, out);
}

int base62_random(char *out, size_t count)
{
	uint8_t pool[64];
	size_t have = 0;

	for (size_t i = 0; i < count;) {
		int r;

		if (have == 0) {
			r = random_bytes(pool, sizeof(pool));
			if (r < 0)
				return r;
			have = sizeof(pool);
		}
		/* 248 is the largest multiple of 62 in a byte: what is above would favour the first digits. */
		if (pool[--have] < 248)
			out[i++] = base62_digits[pool[have] % 62];
	}
	out[count] = '\0';
	secret_wipe(pool, sizeof(pool));
	return 0;
}
