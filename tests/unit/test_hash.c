/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/macros.h"

/* Written a second time, byte by byte, to compare with. */
static uint64_t reference_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = v[1] << 13 | v[1] >> 51;
	v[3] = v[3] << 16 | v[3] >> 48;
	v[1] ^= v[0];
	v[3] ^= v[2];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[1];
	v[0] += v[3];
	v[1] = v[1] << 17 | v[1] >> 47;
	v[3] = v[3] << 21 | v[3] >> 43;
	v[1] ^= v[2];
	v[3] ^= v[0];
	v[2] = v[2] << 32 | v[2] >> 32;
	return v[0];
}

static uint64_t siphash_reference(const uint8_t key[16], const uint8_t *data, size_t length)
{
	uint64_t k[2] = {0}, v[4], sum = 0;

	for (size_t i = 0; i < 16; i++)
		k[i / 8] |= (uint64_t)key[i] << (i % 8 * 8);
	v[0] = k[0] ^ 0x736f6d6570736575;
	v[1] = k[1] ^ 0x646f72616e646f6d;
	v[2] = k[0] ^ 0x6c7967656e657261;
	v[3] = k[1] ^ 0x7465646279746573;
	for (size_t block = 0; block <= length / 8; block++) {
		uint64_t word = 0;

		for (size_t i = 0; i < 8; i++) {
			size_t at = block * 8 + i;

			if (at < length)
				word |= (uint64_t)data[at] << (i * 8);
		}
		if (block == length / 8)
			word |= (uint64_t)(length & 255) << 56;
		v[3] ^= word;
		(void)reference_round(v);
		v[0] ^= word;
	}
	v[2] ^= 255;
	for (int i = 0; i < 3; i++)
		(void)reference_round(v);
	for (int i = 0; i < 4; i++)
		sum ^= v[i];
	return sum;
}

static void siphash(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t data[300], bytes[16];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	/* SipHash-1-3 of the bytes 0, 1, 2 … under the key 00 01 … 0f, as other implementations test it. */
	assert_int_equal(hash_sip13(key, data, 0), 0xabac0158050fc4dc);
	assert_int_equal(hash_sip13(key, data, 1), 0xc9f49bf37d57ca93);
	assert_int_equal(hash_sip13(key, data, 2), 0x82cb9b024dc7d44d);
	for (size_t length = 0; length <= sizeof(data); length++) {
		/* A copy of exactly this size: reading past the end would show. */
		uint8_t *copy = malloc(length ? length : 1);

		assert_non_null(copy);
		memcpy(copy, data, length);
		assert_int_equal(hash_sip13(key, copy, length), siphash_reference(bytes, data, length));
		free(copy);
	}
}

static void *hash_in_thread(void *arg)
{
	*(uint64_t *)arg = hash_text("alice");
	return NULL;
}

static void one_key_for_all_threads(void **state)
{
	pthread_t threads[8];
	uint64_t hashes[8];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, &hashes[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(hashes[i], hash_bytes("alice", 5));
	assert_int_not_equal(hash_text("alice"), hash_text("alicf"));
	assert_int_not_equal(hash_u32(1), hash_u32(2));
	assert_int_equal(hash_u32(7), hash_u32(7));
	/* Drawn, not built in: under a key of zeros the sum would be this one. */
	assert_int_not_equal(hash_text("alice"), hash_sip13((const uint64_t[2]){0, 0}, "alice", 5));
}

static size_t count_of(const struct hash_index *index, uint64_t hash, uint32_t value)
{
	uint32_t cursor = 0, found;
	size_t count = 0;

	while (hash_index_next(index, hash, &cursor, &found))
		count += found == value;
	return count;
}

static void index_empty(void **state)
{
	struct hash_index index = {0}, copy;
	uint32_t cursor = 0, value = 42;

	assert_false(hash_index_next(&index, 1, &cursor, &value));
	assert_false(hash_index_remove(&index, 1, 1));
	assert_result(hash_index_copy(&copy, &index), 0);
	assert_result(hash_index_put(&copy, 5, 6), 0); /* grows from nothing */
	assert_int_equal(count_of(&copy, 5, 6), 1);
	hash_index_finish(&copy);
	hash_index_finish(&index);
	assert_result(hash_index_init(&index, 0), 0);
	assert_false(hash_index_next(&index, 1, &cursor, &value));
	assert_int_equal(value, 42);
	assert_result(hash_index_put(&index, 1, UINT32_MAX), -EINVAL);
	assert_result(hash_index_put(&index, 1, UINT32_MAX - 1), 0);
	assert_int_equal(count_of(&index, 1, UINT32_MAX - 1), 1);
	hash_index_finish(&index);
	hash_index_finish(&index);
}

static void index_keeps_duplicates(void **state)
{
	struct hash_index index;

	assert_result(hash_index_init(&index, 4), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_result(hash_index_put(&index, UINT64_C(7) << 40, i / 2), 0);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(count_of(&index, UINT64_C(7) << 40, i), 2);
	assert_true(hash_index_remove(&index, UINT64_C(7) << 40, 3));
	assert_int_equal(count_of(&index, UINT64_C(7) << 40, 3), 1);
	assert_true(hash_index_remove(&index, UINT64_C(7) << 40, 3));
	assert_false(hash_index_remove(&index, UINT64_C(7) << 40, 3));
	assert_int_equal(count_of(&index, UINT64_C(7) << 40, 4), 2);
	hash_index_finish(&index);
}

/* Random puts and removals against a plain table. `bits` leaves so few different hashes that runs collide,
 * wrap around the end and overlap. */
static void index_against_model(unsigned bits, unsigned seed)
{
	enum { KEYS = 400 };
	struct hash_index index, copy;
	bool present[KEYS] = {false};
	unsigned random = seed;
	uint64_t hashes[KEYS];

	for (uint32_t i = 0; i < KEYS; i++)
		hashes[i] = (hash_u32(i) >> (64 - bits)) << 32 | UINT64_C(0xFFFFFFF0) << 32;
	assert_result(hash_index_init(&index, 8), 0);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (random = random * 1103515245 + 12345) / 65536 % KEYS;

		if (present[i])
			assert_true(hash_index_remove(&index, hashes[i], i));
		else
			assert_result(hash_index_put(&index, hashes[i], i), 0);
		present[i] = !present[i];
		if (step % 500 != 0)
			continue;
		assert_result(hash_index_copy(&copy, &index), 0);
		for (uint32_t j = 0; j < KEYS; j++) {
			assert_int_equal(count_of(&index, hashes[j], j), present[j]);
			assert_int_equal(count_of(&copy, hashes[j], j), present[j]);
		}
		hash_index_finish(&copy);
	}
	hash_index_finish(&index);
}

static void index_model(void **state)
{
	for (unsigned seed = 1; seed <= 3; seed++) {
		index_against_model(1, seed);
		index_against_model(4, seed);
		index_against_model(10, seed);
		index_against_model(32, seed);
	}
}

static void index_large(void **state)
{
	struct hash_index index;

	assert_result(hash_index_init(&index, 10), 0);
	for (uint32_t i = 0; i < 200000; i++)
		assert_result(hash_index_put(&index, hash_u32(i), i), 0);
	for (uint32_t i = 0; i < 200000; i++)
		assert_int_equal(count_of(&index, hash_u32(i), i), 1);
	assert_int_equal(index.used, 200000);
	hash_index_finish(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash),     cmocka_unit_test(one_key_for_all_threads),
		cmocka_unit_test(index_empty), cmocka_unit_test(index_keeps_duplicates),
		cmocka_unit_test(index_model), cmocka_unit_test(index_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
