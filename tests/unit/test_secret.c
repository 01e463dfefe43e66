/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

static void wipes(void **state)
{
	char text[8] = "secret!";

	secret_wipe(text, 3);
	assert_memory_equal(text, "\0\0\0ret!", 8);
	secret_wipe(NULL, 0);
	secret_wipe(NULL, 5);
	secret_free_heap(NULL);
	secret_free_heap(strdup("secret"));
	secret_free_block(NULL);
	secret_free_block(calloc(3, 5)); /* more than a text */
}

/* The line of /proc/self/smaps that tells the flags of the mapping that holds `p`. */
static bool mapping_has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool inside = false, found = false;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)p >= start && (uintptr_t)p < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	(void)fclose(f);
	return found;
}

/* Not under AddressSanitizer, which makes mlock do nothing, nor where the limit forbids it. */
static bool mlock_works(void)
{
	static char page[8192];
	bool works = mlock(page, sizeof(page)) == 0 && mapping_has_flag(page + 4096, " lo");

	(void)munlock(page, sizeof(page));
	return works;
}

static void copies(void **state)
{
	static char large[100000];
	char *secret = secret_dup("tnt_pk_abcdef", 6), *empty = secret_dup(NULL, 0), *big;

	assert_string_equal(secret, "tnt_pk");
	assert_string_equal(empty, "");
	assert_true(mapping_has_flag(secret, " dd")); /* not in core dumps */
	if (mlock_works())
		assert_true(mapping_has_flag(secret, " lo")); /* not swapped */
	secret_free(secret);
	secret_free(empty);
	secret_free(NULL);
	memset(large, 'x', sizeof(large));
	big = secret_dup(large, sizeof(large));
	assert_non_null(big);
	assert_int_equal(strlen(big), sizeof(large));
	secret_free(big);
	assert_null(secret_dup("x", SIZE_MAX));
	{
		_cleanup_(secret_freep) char *cleaned = secret_dup("x", 1);
		_cleanup_(secret_free_heapp) char *heap = strdup("x");

		assert_non_null(cleaned);
		assert_non_null(heap);
	}
	secret_free_heap(NULL);
}

static void compares(void **state)
{
	assert_true(secret_equal("abc", "abc", 3));
	assert_true(secret_equal("abc", "abd", 2));
	assert_true(secret_equal("a", "b", 0));
	assert_false(secret_equal("abc", "abd", 3));
	assert_false(secret_equal("xbc", "abc", 3));
	assert_false(secret_equal("\x00", "\x80", 1));
}

static void hardens(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit;

		secret_process_harden();
		_exit(prctl(PR_GET_DUMPABLE) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0
														: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void random_is_random(void **state)
{
	unsigned char a[600] = {0}, b[600] = {0};
	unsigned zeros = 0;

	assert_result(random_bytes(a, sizeof(a)), 0);
	assert_result(random_bytes(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 30); /* filled to the end */
	assert_result(random_bytes(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wipes),   cmocka_unit_test(copies),           cmocka_unit_test(compares),
		cmocka_unit_test(hardens), cmocka_unit_test(random_is_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
