/* SPDX-License-Identifier: MIT */
#include "map_writer/map_hash.h"

#include <string.h>

#define LANES 8

static uint64_t mix(uint64_t a, uint64_t b)
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

static uint64_t word_at(const void *p, size_t size)
{
	uint32_t half;
	uint64_t word;

	if (size == sizeof(half)) {
		memcpy(&half, p, sizeof(half));
		return half;
	}
	memcpy(&word, p, sizeof(word));
	return word;
}

uint64_t map_writer_hash_id(uint64_t seed, uint32_t id)
{
	return mix(id ^ seed, NSS_MAP_K1);
}

uint64_t map_writer_hash_name(uint64_t seed, const char *name, size_t length)
{
	uint64_t state = seed, a, b = 0;
	size_t left = length;

	for (; left > 16; left -= 16, name += 16)
		state = mix(word_at(name, 8) ^ NSS_MAP_K1, word_at(name + 8, 8) ^ state);
	if (left >= 4) {
		size_t part = left >= 8 ? 8 : 4;

		a = word_at(name, part);
		b = word_at(name + left - part, part);
	} else
		a = (uint8_t)name[0] | (uint64_t)(uint8_t)name[left / 2] << 8 | (uint64_t)(uint8_t)name[left - 1] << 16;
	return mix(mix(a ^ NSS_MAP_K1, b ^ state), NSS_MAP_K2 ^ length);
}

uint64_t map_writer_sum(const void *words, size_t size, uint64_t number)
{
	const uint8_t *at = words;
	uint64_t lane[LANES], sum = 0;

	for (unsigned i = 0; i < LANES; i++)
		lane[i] = (NSS_MAP_K1 * (i + 1)) ^ number;
	for (size_t done = 0; done < size; done += LANES * sizeof(uint64_t)) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < LANES; i++) {
			lane[i] = (lane[i] ^ word_at(at + done + i * sizeof(uint64_t), 8)) * NSS_MAP_K2;
			lane[i] ^= lane[i] >> 29;
		}
	}
	for (unsigned i = 0; i < LANES; i++)
		sum = mix(sum ^ lane[i], NSS_MAP_K1 ^ i);
	return sum ? sum : 1;
}
