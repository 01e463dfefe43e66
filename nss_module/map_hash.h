/* SPDX-License-Identifier: MIT
 *
 * The reader's half of hash and checksum; the rules are in tenant/nss_map.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tenant/nss_map.h"

static inline uint64_t map_load64(const void *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint32_t map_load32(const void *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t map_mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t low = al * bl, mid = ah * bl + (low >> 32), cross = al * bh + (uint32_t)mid;

	return ((cross << 32) | (uint32_t)low) ^ (ah * bh + (mid >> 32) + (cross >> 32));
#endif
}

static inline uint64_t map_hash_id(uint64_t seed, uint32_t id)
{
	return map_mix(id ^ seed, NSS_MAP_K1);
}

/* length: 1 … NSS_MAP_NAME_MAX */
static inline uint64_t map_hash_name(uint64_t seed, const char *name, size_t length)
{
	uint64_t state = seed, a, b;
	size_t left = length;

	for (; left > 16; left -= 16, name += 16)
		state = map_mix(map_load64(name) ^ NSS_MAP_K1, map_load64(name + 8) ^ state);
	if (left >= 8) {
		a = map_load64(name);
		b = map_load64(name + left - 8);
	} else if (left >= 4) {
		a = map_load32(name);
		b = map_load32(name + left - 4);
	} else {
		a = (uint8_t)name[0] | (uint64_t)(uint8_t)name[left / 2] << 8 | (uint64_t)(uint8_t)name[left - 1] << 16;
		b = 0;
	}
	return map_mix(map_mix(a ^ NSS_MAP_K1, b ^ state), NSS_MAP_K2 ^ length);
}

static inline uint64_t map_first_bucket(uint64_t hash, uint64_t count)
{
	return ((uint32_t)hash * count) >> 32;
}

static inline uint16_t map_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

uint64_t map_sum_words(const void *words, size_t size, uint64_t number); /* size: a multiple of 64 */
