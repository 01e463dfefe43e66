/* SPDX-License-Identifier: MIT
 *
 * What of a feed rests sealed in the database, and what stands there as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "control_plane/feed/at_rest.h"

#define TENANT "ten_AAAAAAAAAAAAAAAA"
#define OTHER "ten_BBBBBBBBBBBBBBBB"
#define TEXT "{\"client_secret\":\"planted\"}"

static const struct seal_key key = {{7}}, other_key = {{8}};

static void texts_come_back(void **state)
{
	_cleanup_(buffer_finish) struct buffer stored = BUFFER_INIT, room = BUFFER_INIT;
	const char *text;
	size_t length = 0;

	assert_result(at_rest_seal_text(&key, TENANT, TEXT, strlen(TEXT), &stored), 0);
	assert_null(strstr(buffer_text(&stored), "planted"));
	text = at_rest_open_text(&key, TENANT, buffer_text(&stored), &room, &length);
	assert_non_null(text);
	assert_string_equal(text, TEXT);
	assert_int_equal(length, strlen(TEXT));
	/* What never was sealed is what it is. */
	text = at_rest_open_text(&key, TENANT, TEXT, &room, &length);
	assert_string_equal(text, TEXT);
	assert_int_equal(length, strlen(TEXT));
}

static void texts_are_for_their_tenant(void **state)
{
	static const char *const bad[] = {"sealed:", "sealed:x", "sealed:AAAA", "sealed:VE5UU0VBTDE=", "sealed:e30="};
	_cleanup_(buffer_finish) struct buffer stored = BUFFER_INIT, room = BUFFER_INIT;
	size_t last;

	assert_result(at_rest_seal_text(&key, TENANT, TEXT, strlen(TEXT), &stored), 0);
	assert_null(at_rest_open_text(&key, OTHER, buffer_text(&stored), &room, NULL));
	assert_null(at_rest_open_text(&other_key, TENANT, buffer_text(&stored), &room, NULL));
	last = stored.length - 6;
	stored.data[last] = stored.data[last] == 'A' ? 'B' : 'A';
	assert_null(at_rest_open_text(&key, TENANT, buffer_text(&stored), &room, NULL));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(at_rest_open_text(&key, TENANT, bad[i], &room, NULL));
}

static void bytes_come_back(void **state)
{
	static const char zstd[] = "\x28\xB5\x2F\xFD and more";
	_cleanup_(buffer_finish) struct buffer bytes = BUFFER_INIT, plain = BUFFER_INIT;

	assert_result(buffer_add(&bytes, zstd, sizeof(zstd)), 0);
	assert_result(at_rest_open(&key, TENANT, bytes.data, bytes.length, &plain), 1);
	assert_result(at_rest_open(&key, TENANT, "", 0, &plain), 1);
	assert_result(at_rest_seal(&key, TENANT, &bytes), 0);
	assert_result(at_rest_open(&key, OTHER, bytes.data, bytes.length, &plain), -EBADMSG);
	buffer_clear(&plain);
	assert_result(at_rest_open(&key, TENANT, bytes.data, bytes.length, &plain), 0);
	assert_int_equal(plain.length, sizeof(zstd));
	assert_memory_equal(plain.data, zstd, sizeof(zstd));
	bytes.data[bytes.length - 1] ^= 1;
	assert_result(at_rest_open(&key, TENANT, bytes.data, bytes.length, &plain), -EBADMSG);
}

static void only_providers_are_secret(void **state)
{
	assert_true(at_rest_is_secret("idp"));
	assert_false(at_rest_is_secret("user"));
	assert_false(at_rest_is_secret("tenant"));
	assert_false(at_rest_is_secret(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back),
		cmocka_unit_test(texts_are_for_their_tenant),
		cmocka_unit_test(bytes_come_back),
		cmocka_unit_test(only_providers_are_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
