/* SPDX-License-Identifier: MIT
 *
 * What a program says on stderr, and problems as text.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char said[8192];
static int memory = -1, real_stderr = -1;

static int redirect(void **state)
{
	memory = memfd_create("stderr", MFD_CLOEXEC);
	real_stderr = dup(STDERR_FILENO);
	return memory < 0 || real_stderr < 0 || dup2(memory, STDERR_FILENO) < 0 ? -1 : 0;
}

static int restore(void **state)
{
	(void)dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(memory);
	return unsetenv("JOURNAL_STREAM");
}

/* What was written since the last call. */
static const char *output(void)
{
	ssize_t n = pread(memory, said, sizeof(said) - 1, 0);

	assert_true(n >= 0);
	said[n] = '\0';
	assert_int_equal(ftruncate(memory, 0), 0);
	assert_int_equal(lseek(memory, 0, SEEK_SET), 0);
	return said;
}

static void plain(void **state)
{
	log_init("prog", LOG_INFO);
	log_error("no %s: %d", "luck", 7);
	assert_string_equal(output(), "prog: no luck: 7\n");
	log_info("told");
	assert_string_equal(output(), "prog: told\n");
	log_debug("not told");
	assert_string_equal(output(), "");
	log_set_level(LOG_DEBUG);
	log_debug("now");
	assert_string_equal(output(), "prog: now\n");
	log_set_level(LOG_ERR);
	log_warning("hidden");
	assert_string_equal(output(), "");
}

static void one_line_always(void **state)
{
	char large[5000];

	log_init("prog", LOG_INFO);
	log_notice("user %s", "eve\nprog: all is well\x1B[0m");
	assert_string_equal(output(), "prog: user eve\\x0aprog: all is well\\x1b[0m\n");
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	log_notice("%s", large);
	(void)output();
	assert_int_equal(strlen(said), strlen("prog: ") + 2047 + 1); /* cut, and not sooner */
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	errno = ENOENT;
	log_error("%m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(output(), "prog: No such file or directory\n");
}

static void journal(void **state)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init("prog", LOG_DEBUG);
	log_error("a");
	log_warning("b");
	log_debug("c");
	assert_string_equal(output(), "<3>a\n<4>b\n<7>c\n");
	/* stderr was redirected: the stream that the variable names is another one. */
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init("prog", LOG_DEBUG);
	log_error("a");
	assert_string_equal(output(), "prog: a\n");
	assert_int_equal(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
	log_init("prog", LOG_DEBUG);
	log_error("a");
	assert_string_equal(output(), "prog: a\n");
}

static void problems(void **state)
{
	struct problem p = {0};
	char out[1400], small[8], large[3000];

	assert_result(problem_set(&p, EINVAL, "bad %s", "word"), -EINVAL);
	assert_string_equal(problem_render(&p, out, sizeof(out)), "bad word");
	problem_remedy(&p, "try %d", 5);
	assert_string_equal(problem_render(&p, out, sizeof(out)), "bad word (try 5)");
	problem_at(&p, NULL, 3, 0);
	assert_string_equal(problem_render(&p, out, sizeof(out)), "line 3: bad word (try 5)");
	problem_at(&p, "/etc/x.yaml", 3, 9);
	assert_string_equal(problem_render(&p, out, sizeof(out)), "/etc/x.yaml:3:9: bad word (try 5)");
	problem_at(&p, NULL, 0, 0);
	assert_string_equal(problem_render(&p, out, sizeof(out)), "/etc/x.yaml: bad word (try 5)");
	assert_string_equal(problem_render(&p, small, sizeof(small)), "/etc/x.");
	assert_result(problem_set(&p, EBADMSG, "%s", "a\nb\x1B\xFF"), -EBADMSG);
	assert_string_equal(p.text, "a\\x0ab\\x1b\\xff");
	memset(large, 'y', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	(void)problem_set(&p, EINVAL, "%s", large);
	assert_int_equal(strlen(p.text), PROBLEM_TEXT_MAX - 1);
	problem_at(&p, large, 1, 1);
	problem_remedy(&p, "%s", large);
	assert_true(strlen(problem_render(&p, out, sizeof(out))) < sizeof(out));
	/* Callers that do not care give NULL. */
	assert_result(problem_set(NULL, EINVAL, "x"), -EINVAL);
	problem_at(NULL, "x", 1, 1);
	problem_remedy(NULL, "x");

	log_init("prog", LOG_INFO);
	p = (struct problem){.file = "f", .line = 1, .text = "t", .remedy = "r"};
	log_problem(LOG_ERR, "cannot start", &p);
	assert_string_equal(output(), "prog: cannot start: f:1: t (r)\n");
}

#define with_stderr(f) cmocka_unit_test_setup_teardown(f, redirect, restore)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_stderr(plain),
		with_stderr(one_line_always),
		with_stderr(journal),
		with_stderr(problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
