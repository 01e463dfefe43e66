/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"

static void appends(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;

	assert_string_equal(buffer_text(&b), "");
	assert_result(buffer_add(&b, "ab", 2), 0);
	assert_result(buffer_add(&b, NULL, 0), 0);
	assert_result(buffer_add_char(&b, 'c'), 0);
	assert_result(buffer_add_text(&b, ""), 0);
	assert_result(buffer_add_text(&b, "de"), 0);
	assert_result(buffer_printf(&b, "%d-%s", 7, "x"), 0);
	assert_string_equal(buffer_text(&b), "abcde7-x");
	assert_int_equal(b.length, 8);
}

static void grows_over_every_boundary(void **state)
{
	for (size_t size = 0; size < 1100; size++) {
		_cleanup_(buffer_finish) struct buffer b = {.wipe = size % 2 != 0};

		for (size_t i = 0; i < size; i++)
			assert_result(buffer_add_char(&b, (char)('a' + i % 26)), 0);
		assert_int_equal(b.length, size);
		assert_int_equal(strlen(buffer_text(&b)), size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(b.data[i], 'a' + i % 26);
	}
}

static void long_printf(void **state)
{
	for (int width = 0; width < 1100; width += 51) {
		_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;

		assert_result(buffer_add_text(&b, "<"), 0);
		assert_result(buffer_printf(&b, "%*d", width, 5), 0);
		assert_result(buffer_add_text(&b, ">"), 0);
		assert_int_equal(b.length, (size_t)(width > 1 ? width : 1) + 2);
		assert_string_equal(buffer_text(&b) + b.length - 2, "5>");
	}
}

static void limit_is_exact(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = {.limit = 10};

	assert_result(buffer_add(&b, "0123456789", 10), 0);
	assert_false(b.failed);
	assert_string_equal(buffer_text(&b), "0123456789");
	assert_result(buffer_add_char(&b, 'x'), -EMSGSIZE);
	assert_true(b.failed);
	assert_int_equal(b.length, 10);
	assert_null(buffer_text(&b));
	buffer_clear(&b);
	assert_false(b.failed);
	assert_result(buffer_printf(&b, "%s", "0123456789"), 0);
	buffer_clear(&b);
	assert_result(buffer_printf(&b, "%s", "0123456789a"), -EMSGSIZE);
	assert_int_equal(b.length, 0);
	buffer_clear(&b);
	assert_non_null(buffer_reserve(&b, 10));
	assert_null(buffer_reserve(&b, 11));
}

/* A hole in the middle of a run of appends would go unnoticed. */
static void nothing_after_failure(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = {.limit = 4};

	assert_result(buffer_add_text(&b, "abc"), 0);
	assert_result(buffer_add_text(&b, "def"), -EMSGSIZE);
	assert_result(buffer_add_char(&b, 'g'), -EMSGSIZE);
	assert_result(buffer_printf(&b, "h"), -EMSGSIZE);
	assert_null(buffer_reserve(&b, 0));
	assert_int_equal(b.length, 3);
	assert_memory_equal(b.data, "abc", 3);
}

static void absurd_sizes(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;

	assert_null(buffer_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	buffer_clear(&b);
	assert_result(buffer_add_text(&b, "x"), 0);
	assert_null(buffer_reserve(&b, PTRDIFF_MAX));
	buffer_clear(&b);
	assert_result(buffer_add_text(&b, "y"), 0);
}

static void consumes(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = {.wipe = true};

	buffer_consume(&b, 0);
	buffer_consume(&b, 5);
	assert_result(buffer_add_text(&b, "0123456789"), 0);
	buffer_consume(&b, 4);
	assert_string_equal(buffer_text(&b), "456789");
	assert_memory_equal(b.data + 7, "\0\0\0", 3); /* what moved away was wiped */
	buffer_consume(&b, 100);
	assert_int_equal(b.length, 0);
	assert_string_equal(buffer_text(&b), "");
}

static void finish_and_reuse(void **state)
{
	struct buffer b = {.limit = 3};

	assert_result(buffer_add_text(&b, "abcd"), -EMSGSIZE);
	buffer_finish(&b);
	assert_result(buffer_add_text(&b, "abc"), 0);
	buffer_finish(&b);
	buffer_finish(&b);
	assert_null(b.data);
}

static void arena_records(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 100, 4000, 4096, 70000, 300000, 3000000};
	struct arena arena;
	char *copy, *earlier[64];

	arena_init(&arena);
	arena_finish(&arena);
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			unsigned char *p = arena_alloc(&arena, sizes[i]);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 8, 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(p[j], 0);
			memset(p, 0xFF, sizes[i]); /* would show in the next record, were they to overlap */
		}
	for (size_t i = 0; i < 64; i++) {
		earlier[i] =
			arena_strndup(&arena, "0123456789012345678901234567890123456789012345678901234567890123", i);
		assert_non_null(earlier[i]);
	}
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(strlen(earlier[i]), i);
	copy = arena_strndup(&arena, NULL, 0);
	assert_string_equal(copy, "");
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, PTRDIFF_MAX));
	assert_null(arena_strndup(&arena, "x", SIZE_MAX));
	assert_true(arena.total > 3 * 3000000);
	arena_finish(&arena);
	assert_int_equal(arena.total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends),
		cmocka_unit_test(grows_over_every_boundary),
		cmocka_unit_test(long_printf),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(nothing_after_failure),
		cmocka_unit_test(absurd_sizes),
		cmocka_unit_test(consumes),
		cmocka_unit_test(finish_and_reuse),
		cmocka_unit_test(arena_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
