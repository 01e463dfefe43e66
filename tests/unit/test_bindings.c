/* SPDX-License-Identifier: MIT
 *
 * Identities that first sign-ins bound: what is kept, what is never bound twice, and what a file that is damaged, gone,
 * or cannot be written leaves behind.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "directory_fixture.h"
#include "picture_feed.h"
#include "sso/bindings.h"

#define ISSUER "https://login.example.org"

static char folder[64], path[96];
static const struct seal_key key = {.bytes = {1, 2, 3}}, other_key = {.bytes = {9}};

static int setup(void **state)
{
	strcpy(folder, "/tmp/test-bindings-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sso-bindings", folder);
	return 0;
}

static int teardown(void **state)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' || entry->d_name[1] == 's')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(folder);
	return 0;
}

static struct bindings *open_with(const struct seal_key *seal_key, int expected)
{
	struct bindings *bindings = NULL;
	struct problem problem = {0};

	assert_result(bindings_open(path, seal_key, &bindings, &problem), expected);
	assert_int_equal(problem.text[0] != '\0', expected != 0);
	assert_non_null(bindings);
	return bindings;
}

static int add(struct bindings *bindings, const char *user, const char *issuer, const char *subject)
{
	return bindings_add(bindings, &(struct binding_entry){"ten_acme", user, issuer, subject, 1800000000});
}

static unsigned count_of(const struct bindings *bindings)
{
	uint32_t cursor = 0;
	unsigned count = 0;

	while (bindings_next(bindings, &cursor))
		count++;
	return count;
}

static void test_what_is_bound_is_kept(void **state)
{
	struct bindings *b = open_with(&key, 0);
	const struct binding_entry *entry;
	uint32_t cursor = 0;
	struct stat st;

	assert_null(bindings_subject(b, "usr_a", ISSUER));
	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	assert_result(add(b, "usr_b", ISSUER, "sub-b"), 0);
	assert_result(add(b, "usr_a", "https://other.example", "sub-a"), 0);
	bindings_close(b);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	b = open_with(&key, 0);
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "sub-a");
	assert_string_equal(bindings_subject(b, "usr_b", ISSUER), "sub-b");
	assert_null(bindings_subject(b, "usr_b", "https://other.example"));
	assert_null(bindings_subject(b, "usr_a", ISSUER "/"));
	assert_null(bindings_subject(b, "usr", ISSUER));
	assert_string_equal(bindings_user(b, "ten_acme", ISSUER, "sub-a"), "usr_a");
	assert_null(bindings_user(b, "ten_beta", ISSUER, "sub-a"));
	assert_null(bindings_user(b, "ten_acme", ISSUER, "SUB-A"));
	entry = bindings_next(b, &cursor);
	assert_non_null(entry);
	assert_string_equal(entry->tenant_id, "ten_acme");
	assert_true(entry->at == 1800000000);
	assert_int_equal(count_of(b), 3);
	bindings_close(b);
}

static void test_nothing_is_bound_twice(void **state)
{
	struct bindings *b = open_with(&key, 0);

	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	assert_result(add(b, "usr_a", ISSUER, "sub-other"), -EEXIST);
	assert_result(add(b, "usr_b", ISSUER, "sub-a"), -EEXIST);
	assert_result(add(b, "usr_a", ISSUER, "sub-a"), -EEXIST);
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "sub-a");
	/* In another tenant an issuer's subject may be another user. */
	assert_result(bindings_add(b, &(struct binding_entry){"ten_beta", "usr_c", ISSUER, "sub-a", 1}), 0);
	assert_int_equal(count_of(b), 2);
	bindings_close(b);
}

static void test_texts_that_cannot_be(void **state)
{
	struct bindings *b = open_with(&key, 0);
	char longer[600];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_result(add(b, "", ISSUER, "sub"), -EINVAL);
	assert_result(add(b, "usr_a", "", "sub"), -EINVAL);
	assert_result(add(b, "usr_a", ISSUER, ""), -EINVAL);
	assert_result(add(b, "usr_a", ISSUER, "a\nb"), -EINVAL);
	assert_result(add(b, "usr_a", ISSUER, "\xff"), -EINVAL);
	assert_result(add(b, "usr_a", ISSUER, longer), -EINVAL);
	assert_int_equal(access(path, F_OK), -1);
	/* What JSON has to escape comes back as it was. */
	assert_result(add(b, "usr_a", ISSUER, "a\"\\/{}é"), 0);
	bindings_close(b);
	b = open_with(&key, 0);
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "a\"\\/{}é");
	bindings_close(b);
}

static void test_removing(void **state)
{
	struct bindings *b = open_with(&key, 0);
	uint32_t count = 77;

	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	assert_result(add(b, "usr_b", ISSUER, "sub-b"), 0);
	assert_result(add(b, "usr_a", "https://other.example", "sub-x"), 0);
	assert_result(bindings_remove(b, "usr_c", "", &count), 0);
	assert_int_equal(count, 0);
	assert_result(bindings_remove(b, "usr_a", "https://third.example", &count), 0);
	assert_int_equal(count, 0);
	assert_result(bindings_remove(b, "usr_a", ISSUER, &count), 0);
	assert_int_equal(count, 1);
	assert_null(bindings_subject(b, "usr_a", ISSUER));
	assert_null(bindings_user(b, "ten_acme", ISSUER, "sub-a"));
	assert_string_equal(bindings_subject(b, "usr_b", ISSUER), "sub-b");
	assert_string_equal(bindings_user(b, "ten_acme", ISSUER, "sub-b"), "usr_b");
	assert_string_equal(bindings_subject(b, "usr_a", "https://other.example"), "sub-x");
	bindings_close(b);
	b = open_with(&key, 0);
	assert_int_equal(count_of(b), 2);
	/* Free for somebody else, and the user for another identity. */
	assert_result(add(b, "usr_c", ISSUER, "sub-a"), 0);
	assert_result(add(b, "usr_a", ISSUER, "sub-new"), 0);
	assert_result(bindings_remove(b, "usr_a", "", &count), 0);
	assert_int_equal(count, 2);
	bindings_close(b);
}

static void test_without_a_sealing_key(void **state)
{
	struct bindings *b = open_with(NULL, 0);
	uint32_t count;

	assert_result(add(b, "usr_a", ISSUER, "sub-a"), -EROFS);
	assert_result(bindings_remove(b, "usr_a", "", &count), -EROFS);
	assert_null(bindings_subject(b, "usr_a", ISSUER));
	assert_int_equal(access(path, F_OK), -1);
	bindings_close(b);
	/* It had one before. */
	b = open_with(&key, 0);
	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	bindings_close(b);
	b = open_with(NULL, BINDINGS_UNREADABLE);
	assert_null(bindings_subject(b, "usr_a", ISSUER));
	bindings_close(b);
}

/* Nothing is bound, nothing can be, and nothing is lost. */
static void expect_shut(const struct seal_key *seal_key)
{
	struct bindings *b = open_with(seal_key, BINDINGS_UNREADABLE);
	uint32_t count;

	assert_int_equal(count_of(b), 0);
	assert_null(bindings_subject(b, "usr_a", ISSUER));
	assert_result(add(b, "usr_a", ISSUER, "sub-thief"), -EROFS);
	assert_result(add(b, "usr_new", ISSUER, "sub-new"), -EROFS);
	assert_result(bindings_remove(b, "usr_a", "", &count), -EROFS);
	bindings_close(b);
	/* Also for the agent that is started next. */
	b = open_with(seal_key, BINDINGS_UNREADABLE);
	assert_result(add(b, "usr_a", ISSUER, "sub-thief"), -EROFS);
	bindings_close(b);
}

static void test_a_damaged_file(void **state)
{
	_cleanup_(buffer_finish) struct buffer good = BUFFER_INIT;
	struct bindings *b = open_with(&key, 0);

	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	bindings_close(b);
	expect_shut(&other_key);
	assert_result(file_read(AT_FDCWD, path, 65536, FILE_TRUST_OWNER, geteuid(), &good, NULL), 0);
	for (size_t at = 0; at < good.length; at += 7) {
		good.data[at] = (char)(good.data[at] ^ 0x20);
		assert_result(file_replace(AT_FDCWD, path, good.data, good.length, 0600, NULL), 0);
		expect_shut(&key);
		good.data[at] = (char)(good.data[at] ^ 0x20);
	}
	for (size_t length = 0; length < good.length; length += 11) {
		assert_result(file_replace(AT_FDCWD, path, good.data, length, 0600, NULL), 0);
		expect_shut(&key);
	}
	/* Others may write it, or it is none. */
	assert_result(file_replace(AT_FDCWD, path, good.data, good.length, 0666, NULL), 0);
	expect_shut(&key);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_shut(&key);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	expect_shut(&key);
	assert_int_equal(unlink(path), 0);
	/* It is whole again, or was taken away. */
	assert_result(file_replace(AT_FDCWD, path, good.data, good.length, 0600, NULL), 0);
	b = open_with(&key, 0);
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "sub-a");
	bindings_close(b);
	assert_int_equal(unlink(path), 0);
	b = open_with(&key, 0);
	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	bindings_close(b);
}

static void store(const char *text)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;

	assert_result(seal(&key, "sso-bindings", text, strlen(text), &sealed), 0);
	assert_result(file_replace(AT_FDCWD, path, sealed.data, sealed.length, 0600, NULL), 0);
}

static void test_content_that_cannot_be(void **state)
{
#define LINE(user, subject)                                                                               \
	"{\"tenant\":\"ten_acme\",\"user\":\"" user "\",\"issuer\":\"" ISSUER "\",\"subject\":\"" subject \
	"\",\"at\":1}\n"
	const struct {
		const char *text;
	} texts[] = {
		{""},
		{"{\"bindings\":2}\n"},
		{"{\"bindings\":1}"},
		{"{\"bindings\":1}\nx\n"},
		{"{\"bindings\":1}\n{}\n"},
		{"{\"bindings\":1}\n" LINE("usr_a", "s") LINE("usr_a", "t")},
		{"{\"bindings\":1}\n" LINE("usr_a", "s") LINE("usr_b", "s")},
		{"{\"bindings\":1}\n" LINE("usr_a", "")},
		{"{\"bindings\":1}\n{\"tenant\":\"ten_acme\",\"user\":\"usr_a\",\"issuer\":\"i\",\"subject\":\"s\","
		 "\"at\":1,\"more\":1}\n"},
	};
	struct bindings *b;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		store(texts[i].text);
		expect_shut(&key);
	}
	store("{\"bindings\":1}\n" LINE("usr_a", "s") LINE("usr_b", "t"));
	b = open_with(&key, 0);
	assert_int_equal(count_of(b), 2);
	bindings_close(b);
}

static void test_a_disk_that_does_not_take_it(void **state)
{
	struct bindings *b = open_with(&key, 0);
	const struct rlimit none = {.rlim_cur = 16, .rlim_max = RLIM_INFINITY};
	struct rlimit before;
	uint32_t count;

	assert_result(add(b, "usr_a", ISSUER, "sub-a"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_result(add(b, "usr_b", ISSUER, "sub-b"), -EFBIG);
	assert_result(bindings_remove(b, "usr_a", "", &count), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	/* As if nothing had been asked, in memory and on disk. */
	assert_null(bindings_subject(b, "usr_b", ISSUER));
	assert_null(bindings_user(b, "ten_acme", ISSUER, "sub-b"));
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "sub-a");
	assert_result(add(b, "usr_b", ISSUER, "sub-c"), 0);
	bindings_close(b);
	b = open_with(&key, 0);
	assert_string_equal(bindings_subject(b, "usr_a", ISSUER), "sub-a");
	assert_string_equal(bindings_subject(b, "usr_b", ISSUER), "sub-c");
	bindings_close(b);
	/* A folder that is gone. */
	b = open_with(&key, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_result(add(b, "usr_c", ISSUER, "sub-d"), -ENOENT);
	assert_null(bindings_subject(b, "usr_c", ISSUER));
	bindings_close(b);
	assert_int_equal(mkdir(folder, 0700), 0);
}

/* Killed at any moment: what is on disk is what was there before or after, and what was confirmed is there. */
static void test_killed_while_it_writes(void **state)
{
	for (unsigned round = 0; round < 30; round++) {
		int pipes[2], status;
		unsigned confirmed = 0;
		char byte, user[32];
		struct bindings *b;
		pid_t child;

		(void)unlink(path);
		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct bindings *mine = NULL;
			struct problem problem = {0};

			if (bindings_open(path, &key, &mine, &problem) != 0)
				_exit(1);
			for (unsigned i = 0;; i++) {
				snprintf(user, sizeof(user), "usr_%u", i);
				if (add(mine, user, ISSUER, user) < 0 || write(pipes[1], "x", 1) != 1)
					_exit(1);
			}
		}
		close(pipes[1]);
		while (confirmed <= round && read(pipes[0], &byte, 1) == 1)
			confirmed++;
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (read(pipes[0], &byte, 1) == 1)
			confirmed++;
		close(pipes[0]);
		b = open_with(&key, 0);
		assert_true(count_of(b) == confirmed || count_of(b) == confirmed + 1);
		for (unsigned i = 0; i < confirmed; i++) {
			snprintf(user, sizeof(user), "usr_%u", i);
			assert_string_equal(bindings_subject(b, user, ISSUER), user);
		}
		bindings_close(b);
	}
}

/* ---- people who go --------------------------------------------------------------------------------------------- */

static void remember(struct bindings *b, const char *tenant, const char *user)
{
	assert_result(bindings_add(b, &(struct binding_entry){tenant, user, ISSUER, user, 1}), 0);
}

static void test_people_who_are_gone_lose_theirs(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = build_text(sample_directory);
	struct bindings *b = open_with(&key, 0);

	remember(b, "ten_acme", "usr_alice");
	remember(b, "ten_acme", "usr_gone");
	remember(b, "ten_acme", "usr_carol"); /* who is at beta now */
	remember(b, "ten_away", "usr_other"); /* a feed that is not there */
	assert_result(bindings_sweep(b, d), 0);
	assert_int_equal(count_of(b), 2);
	assert_non_null(bindings_subject(b, "usr_alice", ISSUER));
	assert_non_null(bindings_subject(b, "usr_other", ISSUER));
	bindings_close(b);
	b = open_with(&key, 0);
	assert_int_equal(count_of(b), 2);
	assert_result(bindings_sweep(b, d), 0);
	assert_int_equal(count_of(b), 2);
	bindings_close(b);
}

/* Whoever claims somebody else's id, so that neither is served, frees no identity by that. */
static void test_a_contradiction_takes_nothing_away(void **state)
{
	struct feed_picture *feed = feed_of("ten_evil", "evil", 40, "x");
	_cleanup_(directory_unrefp) struct directory *files = build_text(sample_directory), *d = NULL;
	struct bindings *b = open_with(&key, 0);
	struct problem problem = {0};
	struct unit *const *units;
	uint32_t count;

	assert_result(
		feed_lines(feed, false, "put user usr_alice 1 {\"login\":\"thief\",\"uid\":1879703600}\n", &problem),
		0);
	feed_picture_units(feed, &units, &count);
	assert_result(directory_join(files, units, count, "gpu-1", NULL, &d, NULL, &problem), 0);
	assert_null(directory_user(d, "usr_alice"));
	remember(b, "ten_acme", "usr_alice");
	assert_result(bindings_sweep(b, d), 0);
	assert_non_null(bindings_subject(b, "usr_alice", ISSUER));
	bindings_close(b);
	feed_picture_free(feed);
}

static void test_many(void **state)
{
	struct bindings *b;
	struct buffer text = BUFFER_INIT, sealed = BUFFER_INIT;
	uint32_t count;
	char user[32];

	buffer_add_text(&text, "{\"bindings\":1}\n");
	for (unsigned i = 0; i < 20000; i++)
		buffer_printf(&text,
			      "{\"tenant\":\"ten_acme\",\"user\":\"usr_%u\",\"issuer\":\"" ISSUER
			      "\",\"subject\":\"s%u\",\"at\":1}\n",
			      i, i);
	assert_result(seal(&key, "sso-bindings", text.data, text.length, &sealed), 0);
	assert_result(file_replace(AT_FDCWD, path, sealed.data, sealed.length, 0600, NULL), 0);
	b = open_with(&key, 0);
	assert_int_equal(count_of(b), 20000);
	for (unsigned i = 0; i < 20000; i += 997) {
		snprintf(user, sizeof(user), "usr_%u", i);
		assert_string_equal(bindings_subject(b, user, ISSUER) + 1, user + 4);
		assert_result(bindings_remove(b, user, "", &count), 0);
		assert_int_equal(count, 1);
	}
	assert_int_equal(count_of(b), 20000 - 21);
	assert_string_equal(bindings_user(b, "ten_acme", ISSUER, "s19999"), "usr_19999");
	bindings_close(b);
	buffer_finish(&text);
	buffer_finish(&sealed);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_bound_is_kept),
		TEST(test_nothing_is_bound_twice),
		TEST(test_texts_that_cannot_be),
		TEST(test_removing),
		TEST(test_without_a_sealing_key),
		TEST(test_a_damaged_file),
		TEST(test_content_that_cannot_be),
		TEST(test_a_disk_that_does_not_take_it),
		TEST(test_killed_while_it_writes),
		TEST(test_people_who_are_gone_lose_theirs),
		TEST(test_a_contradiction_takes_nothing_away),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
