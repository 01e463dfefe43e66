/* SPDX-License-Identifier: MIT
 *
 * The compiled form: the same records come back, and anything else than what was written is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "directory/compiled.h"
#include "directory_fixture.h"

static const struct seal_key key = {.bytes = {1, 2, 3}}, other_key = {.bytes = {1, 2, 4}};

static void assert_same_unit(const struct unit *a, const struct unit *b)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		uint32_t count = records_count(&a->records, kind);

		assert_int_equal(count, records_count(&b->records, kind));
		for (uint32_t i = 0; i < count; i++) {
			assert_true(
				record_equal(kind, records_at(&a->records, kind, i), records_at(&b->records, kind, i)));
			assert_int_equal(unit_place(a, kind, i).line, unit_place(b, kind, i).line);
			assert_int_equal(unit_place(a, kind, i).column, unit_place(b, kind, i).column);
		}
	}
	assert_memory_equal(a->source_hash, b->source_hash, SHA256_BYTES);
	assert_int_equal(a->source_bytes, b->source_bytes);
}

static void test_round_trip(void **state)
{
	static const char *const texts[] = {sample_directory, operators_directory, "version: 1\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT, again = BUFFER_INIT;
		struct unit *unit = load_text("f", texts[i]), *back = NULL;

		assert_result(compiled_write(unit, &form), 0);
		assert_result(compiled_read("f", unit->source_hash, form.data, form.length, &back), 0);
		assert_same_unit(unit, back);
		assert_string_equal(unit_name(back), "f");
		/* What came from a form can be written as one, too. */
		assert_result(compiled_write(back, &again), 0);
		unit_unref(unit);
		assert_result(compiled_read("f", back->source_hash, again.data, again.length, &unit), 0);
		assert_same_unit(unit, back);
		unit_unref(unit);
		unit_unref(back);
	}
}

static void test_cut_and_longer(void **state)
{
	_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT;
	struct unit *unit = load_text("f", sample_directory), *back = NULL;

	assert_result(compiled_write(unit, &form), 0);
	for (size_t length = 0; length < form.length; length++) {
		/* A copy of just that size, so that a sanitizer sees reads past it. */
		char *copy = malloc(length ? length : 1);

		memcpy(copy, form.data, length);
		assert_result(compiled_read("f", unit->source_hash, copy, length, &back), -EBADMSG);
		free(copy);
	}
	buffer_add_char(&form, '\0');
	assert_result(compiled_read("f", unit->source_hash, form.data, form.length, &back), -EBADMSG);
	assert_null(back);
	unit_unref(unit);
}

/* Every byte changed in several ways: refused, or still a unit whose every text can be read. */
static void damage(const char *text)
{
	static const unsigned char flips[] = {0x01, 0x80, 0xff};
	_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT;
	struct unit *unit = load_text("f", text);

	assert_result(compiled_write(unit, &form), 0);
	for (size_t at = 0; at < form.length; at++)
		for (size_t i = 0; i < ARRAY_LEN(flips); i++) {
			struct unit *back = NULL;
			int r;

			form.data[at] = (char)((unsigned char)form.data[at] ^ flips[i]);
			r = compiled_read("f", unit->source_hash, form.data, form.length, &back);
			if (r == 0) {
				for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
					for (uint32_t n = 0; n < records_count(&back->records, kind); n++)
						record_equal(kind, records_at(&back->records, kind, n),
							     records_at(&back->records, kind, n));
				unit_unref(back);
			} else {
				assert_result(r, -EBADMSG);
				assert_null(back);
			}
			form.data[at] = (char)((unsigned char)form.data[at] ^ flips[i]);
		}
	unit_unref(unit);
}

static void test_damaged(void **state)
{
	damage(sample_directory);
	damage(operators_directory);
}

static void test_other_source_and_format(void **state)
{
	_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT;
	struct unit *unit = load_text("f", sample_directory), *back = NULL;
	uint8_t hash[SHA256_BYTES];

	memcpy(hash, unit->source_hash, sizeof(hash));
	hash[31] ^= 1;
	assert_result(compiled_write(unit, &form), 0);
	assert_result(compiled_read("f", hash, form.data, form.length, &back), -EBADMSG);
	form.data[7]++; /* the format's number */
	assert_result(compiled_read("f", unit->source_hash, form.data, form.length, &back), -EBADMSG);
	form.data[7]--;
	form.data[8]++; /* the release that made it */
	assert_result(compiled_read("f", unit->source_hash, form.data, form.length, &back), -EBADMSG);
	unit_unref(unit);
}

static void test_sealed_files(void **state)
{
	char *folder = make_folder();
	struct unit *unit = load_text("f", sample_directory), *old = load_text("f", "version: 1\n"), *back = NULL;
	_cleanup_(freep) char *foreign = NULL;
	struct stat st;

	assert_result(compiled_load(folder, &key, "f", unit->source_hash, &back), -ENOENT);
	assert_result(compiled_store(folder, &key, unit), 0);
	assert_result(compiled_store(folder, &key, old), 0);
	assert_result(compiled_load(folder, &key, "f", unit->source_hash, &back), 0);
	assert_same_unit(unit, back);
	unit_unref(back);
	back = NULL;
	assert_result(compiled_load(folder, &other_key, "f", unit->source_hash, &back), -EBADMSG);
	assert_null(back);

	assert_true(asprintf(&foreign, "%s/directory-notes.cache", folder) > 0);
	write_file(foreign, "not ours");
	compiled_sweep(folder, &unit, 1);
	assert_result(compiled_load(folder, &key, "f", old->source_hash, &back), -ENOENT);
	assert_result(compiled_load(folder, &key, "f", unit->source_hash, &back), 0);
	unit_unref(back);
	assert_int_equal(stat(foreign, &st), 0);

	compiled_sweep(folder, NULL, 0);
	assert_result(compiled_load(folder, &key, "f", unit->source_hash, &back), -ENOENT);
	assert_result(compiled_store("/nonexistent", &key, unit), -ENOENT);
	compiled_sweep("/nonexistent", NULL, 0);
	unit_unref(unit);
	unit_unref(old);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_cut_and_longer),
		cmocka_unit_test(test_damaged),      cmocka_unit_test(test_other_source_and_format),
		cmocka_unit_test(test_sealed_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
