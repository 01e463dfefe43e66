/* SPDX-License-Identifier: MIT
 *
 * Tokens whose signatures were found good: what is found again, and what is not.
 */
#include "../unit.h"

#include <string.h>

#include "control_plane/auth/token_cache.h"

static struct cached_token token(unsigned number)
{
	struct cached_token made = {.kind = ACCESS_USER, .issued = number, .expires = number + 60};

	(void)snprintf(made.id, sizeof(made.id), "jti%u", number);
	(void)snprintf(made.subject, sizeof(made.subject), "usr_%u", number);
	return made;
}

static void digest_of(unsigned number, uint8_t out[SHA256_BYTES])
{
	assert_result(sha256(&number, sizeof(number), out), 0);
}

static void test_the_same_token_alone_is_found(void **state)
{
	struct token_cache *cache = NULL;
	struct cached_token put = token(1), found;
	uint8_t digest[SHA256_BYTES], other[SHA256_BYTES];

	assert_result(token_cache_create(&cache), 0);
	digest_of(1, digest);
	memcpy(other, digest, sizeof(other));
	other[SHA256_BYTES - 1] ^= 1; /* of the same set */
	assert_false(token_cache_find(cache, digest, &found));
	token_cache_put(cache, token_cache_generation(cache), digest, &put);
	assert_true(token_cache_find(cache, digest, &found));
	assert_string_equal(found.id, "jti1");
	assert_string_equal(found.subject, "usr_1");
	assert_string_equal(found.tenant_id, "");
	assert_int_equal(found.expires, 61);
	assert_false(token_cache_find(cache, other, &found));
	token_cache_destroy(cache);
}

static void test_no_token_outlives_its_keys(void **state)
{
	struct token_cache *cache = NULL;
	struct cached_token put = token(1), found;
	uint8_t digest[SHA256_BYTES];
	uint64_t before;

	assert_result(token_cache_create(&cache), 0);
	digest_of(1, digest);
	before = token_cache_generation(cache);
	token_cache_put(cache, before, digest, &put);
	token_cache_clear(cache);
	assert_false(token_cache_find(cache, digest, &found));
	/* Nor does one that was being verified while they were read anew. */
	token_cache_put(cache, before, digest, &put);
	assert_false(token_cache_find(cache, digest, &found));
	token_cache_put(cache, token_cache_generation(cache), digest, &put);
	assert_true(token_cache_find(cache, digest, &found));
	token_cache_destroy(cache);
}

static void test_a_full_set_gives_up_its_oldest(void **state)
{
	struct token_cache *cache = NULL;
	struct cached_token found;
	uint8_t digest[SHA256_BYTES];
	unsigned kept = 0;

	assert_result(token_cache_create(&cache), 0);
	digest_of(0, digest);
	for (unsigned i = 0; i < 100; i++) { /* all of one set */
		struct cached_token put = token(i);

		digest[SHA256_BYTES - 1] = (uint8_t)i;
		token_cache_put(cache, token_cache_generation(cache), digest, &put);
		assert_true(token_cache_find(cache, digest, &found));
		assert_int_equal(found.issued, i);
	}
	for (unsigned i = 0; i < 100; i++) {
		digest[SHA256_BYTES - 1] = (uint8_t)i;
		if (token_cache_find(cache, digest, &found)) {
			assert_true(i >= 96);
			kept++;
		}
	}
	assert_int_equal(kept, 4);
	token_cache_destroy(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_token_alone_is_found),
		cmocka_unit_test(test_no_token_outlives_its_keys),
		cmocka_unit_test(test_a_full_set_gives_up_its_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
