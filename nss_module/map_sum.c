/* SPDX-License-Identifier: MIT */
#include "map_hash.h"

#define LANES 8

uint64_t map_sum_words(const void *words, size_t size, uint64_t number)
{
	const uint8_t *at = words;
	uint64_t lane[LANES], sum = 0;

	for (unsigned i = 0; i < LANES; i++)
		lane[i] = (NSS_MAP_K1 * (i + 1)) ^ number;
	for (size_t done = 0; done < size; done += LANES * sizeof(uint64_t)) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < LANES; i++) {
			lane[i] = (lane[i] ^ map_load64(at + done + i * sizeof(uint64_t))) * NSS_MAP_K2;
			lane[i] ^= lane[i] >> 29;
		}
	}
	for (unsigned i = 0; i < LANES; i++)
		sum = map_mix(sum ^ lane[i], NSS_MAP_K1 ^ i);
	return sum ? sum : 1;
}
