/* SPDX-License-Identifier: MIT
 *
 * The two halves of hash and checksum, writer and reader, are one; and they are good for something.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "../../nss_module/map_hash.h"
#include "map_writer/map_hash.h"

static void both_sides_agree(void **state)
{
	char name[NSS_MAP_NAME_MAX];
	_Alignas(64) uint8_t block[NSS_MAP_BLOCK];

	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = (char)('a' + i * 7 % 26);
	for (size_t length = 1; length <= sizeof(name); length++)
		for (uint64_t seed = 0; seed < 5; seed++)
			assert_true(map_hash_name(seed * NSS_MAP_K2, name, length) ==
				    map_writer_hash_name(seed * NSS_MAP_K2, name, length));
	for (uint32_t id = 0x70000000U; id < 0x70001000U; id += 37)
		assert_true(map_hash_id(id * NSS_MAP_K1, id) == map_writer_hash_id(id * NSS_MAP_K1, id));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 31);
	for (uint64_t number = 0; number < 5; number++)
		assert_true(map_sum_words(block, sizeof(block), number) ==
			    map_writer_sum(block, sizeof(block), number));
	assert_true(map_sum_words(block, 64, 0) == map_writer_sum(block, 64, 0));
}

static void names_spread(void **state)
{
	enum { NAMES = 60000, BUCKETS = 10000 };
	static uint16_t load[BUCKETS];
	unsigned most = 0;

	for (unsigned seed = 1; seed <= 3; seed++) {
		memset(load, 0, sizeof(load));
		for (unsigned i = 0; i < NAMES; i++) {
			char name[32];
			int n = snprintf(name, sizeof(name), seed == 2 ? "u%07u" : "person.%u", i);

			load[map_first_bucket(map_hash_name(seed * NSS_MAP_K1, name, (size_t)n), BUCKETS)]++;
		}
		for (unsigned i = 0; i < BUCKETS; i++)
			most = load[i] > most ? load[i] : most;
	}
	assert_in_range(most, 6, 24); /* 6 on average; 24 of them is out of all reason */
}

/* A change of length, of any byte, and of the seed all change the hash. */
static void everything_counts(void **state)
{
	char name[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01";

	for (size_t length = 1; length <= NSS_MAP_NAME_MAX; length++) {
		uint64_t plain = map_hash_name(1, name, length);

		assert_true(plain != map_hash_name(2, name, length));
		if (length > 1)
			assert_true(plain != map_hash_name(1, name, length - 1));
		for (size_t i = 0; i < length; i++) {
			name[i] ^= 1;
			assert_true(plain != map_hash_name(1, name, length));
			name[i] ^= 1;
		}
	}
}

static void sums_find_damage(void **state)
{
	_Alignas(64) static uint8_t block[NSS_MAP_BLOCK];
	uint64_t plain = map_sum_words(block, sizeof(block), 7);

	assert_true(plain != 0);
	assert_true(plain != map_sum_words(block, sizeof(block), 8)); /* another place in the file */
	for (size_t bit = 0; bit < 8 * sizeof(block); bit += 13) {
		block[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_true(plain != map_sum_words(block, sizeof(block), 7));
		/* The highest bits of two words of one lane do not cancel out. */
		block[(bit / 8 + 64) % sizeof(block)] ^= (uint8_t)(1U << bit % 8);
		assert_true(plain != map_sum_words(block, sizeof(block), 7));
		memset(block, 0, sizeof(block));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(names_spread),
		cmocka_unit_test(everything_counts),
		cmocka_unit_test(sums_find_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
