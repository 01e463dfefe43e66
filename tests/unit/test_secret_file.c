/* SPDX-License-Identifier: MIT
 *
 * Which secret is read, and which is not: one that others can read, a long one, none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret_file.h"
#include "unit.h"

static char folder[] = "/tmp/test-secret-file-XXXXXX", path[64];

static int set_up(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int tear_down(void **state)
{
	char credential[96];

	snprintf(credential, sizeof(credential), "%s/key", folder);
	(void)unlink(credential);
	(void)unlink(path);
	return rmdir(folder);
}

static void put(const char *where, const char *text, mode_t mode)
{
	assert_int_equal(file_replace(AT_FDCWD, where, text, strlen(text), mode, NULL), 0);
	assert_int_equal(chmod(where, mode), 0);
}

static void assert_read(const char *credentials, const char *file, int expected, const char *text)
{
	_cleanup_(buffer_finish) struct buffer buffer = {.wipe = true};
	const struct secret_place place = {credentials, "key", file, "somebody"};
	struct problem problem = {0};

	assert_int_equal(secret_read(&place, 8, &buffer, &problem), expected);
	if (expected == 0) {
		assert_int_equal(buffer.length, strlen(text));
		assert_memory_equal(buffer.data, text, buffer.length);
	} else {
		assert_string_equal(problem.text, text);
	}
}

static void test_file(void **state)
{
	assert_read(NULL, NULL, -ENOENT, "");
	assert_read(NULL, path, -ENOENT, "");
	put(path, "12345678", 0640);
	assert_read(NULL, path, 0, "12345678");
	put(path, "123456789", 0640);
	assert_read(NULL, path, -EFBIG, "longer than such a secret is");
}

static void test_others_can_read_or_change_it(void **state)
{
	static const mode_t modes[] = {0644, 0641, 0642, 0660};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		put(path, "12345678", modes[i]);
		assert_read(NULL, path, -EPERM, "others can read or change this secret");
	}
}

static void test_credential_comes_first(void **state)
{
	char credential[96];

	put(path, "file", 0600);
	assert_read(folder, path, 0, "file");
	snprintf(credential, sizeof(credential), "%s/key", folder);
	/* Its folder is the service manager's, who sees to who can read it. */
	put(credential, "manager", 0444);
	assert_read(folder, path, 0, "manager");
	/* A broken one is not passed over. */
	put(credential, "much too long", 0400);
	assert_read(folder, path, -EFBIG, "longer than such a secret is");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_others_can_read_or_change_it),
		cmocka_unit_test(test_credential_comes_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
