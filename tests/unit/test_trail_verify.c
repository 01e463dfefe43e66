/* SPDX-License-Identifier: MIT
 *
 * Files of exports and checkpoints against each other: what programs exit with, and which file is to blame.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "trail/verify.h"
#include "trail_fixture.h"
#include "json/json_read.h"

static char folder[] = "/tmp/test-trail-verify-XXXXXX";

static int make_folder(void **state)
{
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(names[i]);
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void put(const char *name, const struct buffer *text)
{
	assert_result(file_replace(AT_FDCWD, name, text->data ? text->data : "", text->length, 0600, NULL), 0);
}

static void put_text(const char *name, const char *text)
{
	assert_result(file_replace(AT_FDCWD, name, text, strlen(text), 0600, NULL), 0);
}

static void put_export(const char *name, const struct trail_log *log)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	trail_export(log, &text);
	put(name, &text);
}

/* Notes of these sizes, as somebody appended them; sizes end with UINT64_MAX. */
static void put_notes(const char *name, const struct trail_log *log, const uint64_t *sizes)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	for (; *sizes != UINT64_MAX; sizes++) {
		_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

		trail_checkpoint(log, *sizes, &note);
		assert_result(buffer_add(&text, note.data, note.length), 0);
		if (*sizes % 2 == 0)
			assert_result(buffer_add_char(&text, '\n'), 0);
	}
	put(name, &text);
}

static void vkey_of(const struct note_key *key, char out[NOTE_VKEY_MAX])
{
	assert_result(note_key_render(key, out), 0);
}

/* The verdict of files "a", "b" …, so many as the text has letters; by the log's key unless `own`. */
static int verify(const char *names, bool own, struct verify_report *ret)
{
	static char name[8][2]; /* what the report names, after this call */
	char vkey[NOTE_VKEY_MAX];
	const char *keys[] = {vkey}, *files[8];
	struct verify_options options = {.files = files, .keys = keys, .key_count = own ? 0 : 1};
	struct note_key key = trail_log_key();
	struct problem problem = {0};
	int verdict;

	vkey_of(&key, vkey);
	for (; *names; names++) {
		name[options.file_count][0] = *names;
		name[options.file_count][1] = '\0';
		files[options.file_count] = name[options.file_count];
		options.file_count++;
	}
	assert_result(verify_files(&options, ret, &problem), 0);
	verdict = (int)ret->verdict;
	return verdict;
}

static int verdict_of(const char *names, bool own)
{
	_cleanup_(verify_report_finish) struct verify_report report = {0};

	return verify(names, own, &report);
}

static void all_holds(void **state)
{
	struct trail_log log = {.size = 40}, old = {.size = 40, .at = 20}, part = {.size = 40, .from = 18, .to = 30};
	_cleanup_(verify_report_finish) struct verify_report report = {0};

	put_export("a", &log);
	put_export("b", &old);
	put_export("c", &part);
	put_notes("d", &log, (const uint64_t[]){0, 3, 22, 40, UINT64_MAX});
	put_notes("e", &log, (const uint64_t[]){7, UINT64_MAX});
	assert_int_equal(verify("abcde", false, &report), VERIFY_HOLDS);
	assert_int_equal(report.count, 8);
	for (size_t i = 0; i < report.count; i++) {
		assert_result(report.items[i].result, 0);
		assert_int_equal(report.items[i].export, i >= 5);
		assert_false(report.items[i].summary.own_keys);
	}
	assert_int_equal(report.items[5].summary.kept, 7); /* five notes, two exports */
	assert_int_equal(report.items[5].summary.compared, 7);
	assert_int_equal(report.items[6].summary.compared, 3); /* 0, 3, 7 */
	assert_int_equal(report.items[7].summary.compared, 5); /* 0, 20, 22, 40 twice */
	assert_int_equal(verdict_of("abcde", true), VERIFY_HOLDS);
	/* Checkpoints alone: with a key. */
	assert_int_equal(verdict_of("de", false), VERIFY_HOLDS);
	assert_int_equal(verdict_of("de", true), VERIFY_UNREADABLE);
}

static void rewritten(void **state)
{
	struct trail_log before = {.size = 40}, after = {.size = 40, .changed = 17};
	_cleanup_(verify_report_finish) struct verify_report report = {0};

	put_export("a", &after);
	put_notes("b", &before, (const uint64_t[]){5, 17, UINT64_MAX});
	assert_int_equal(verdict_of("ab", false), VERIFY_HOLDS);
	put_notes("b", &before, (const uint64_t[]){5, 17, 18, UINT64_MAX});
	assert_int_equal(verify("ba", false, &report), VERIFY_FALSE);
	assert_int_equal(report.count, 4);
	assert_result(report.items[2].result, 0);
	assert_string_equal(report.items[3].file, "a");
	assert_result(report.items[3].result, -EBADMSG);
	assert_non_null(strstr(report.items[3].problem.text, "it was rewritten"));
	assert_int_equal(verdict_of("ab", true), VERIFY_FALSE);
	/* The older export alone tells it too, by its checkpoint. */
	before.at = 30;
	put_export("c", &before);
	assert_int_equal(verdict_of("ac", false), VERIFY_FALSE);
	assert_int_equal(verdict_of("ac", true), VERIFY_FALSE);
	assert_int_equal(verdict_of("c", false), VERIFY_HOLDS);
}

/* Two heads, shown to two keepers: nothing but their notes is there. */
static void two_heads(void **state)
{
	struct trail_log one = {.size = 40}, other = {.size = 40, .changed = 17};
	_cleanup_(verify_report_finish) struct verify_report report = {0};

	put_notes("a", &one, (const uint64_t[]){10, 30, UINT64_MAX});
	put_notes("b", &other, (const uint64_t[]){10, 31, UINT64_MAX});
	assert_int_equal(verdict_of("ab", false), VERIFY_HOLDS);
	put_notes("b", &other, (const uint64_t[]){10, 30, UINT64_MAX});
	assert_int_equal(verify("ab", false, &report), VERIFY_FALSE);
	assert_result(report.items[0].result, 0);
	assert_result(report.items[1].result, -EBADMSG);
	assert_result(report.items[2].result, 0);
	assert_result(report.items[3].result, -EBADMSG);
	assert_non_null(strstr(report.items[1].problem.text, "b has another root"));
	assert_non_null(strstr(report.items[3].problem.text, "two histories"));
}

static void to_blame(void **state)
{
	struct trail_log log = {.size = 9};
	struct signer forger = signer_of(TRAIL_ORIGIN, 1),
		      platform = signer_of("control.example.org/audit/platform", 9);
	static const char
		text[] = TRAIL_ORIGIN "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
		theirs[] = "control.example.org/audit/platform\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	_cleanup_(verify_report_finish) struct verify_report report = {0};
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, of_platform = BUFFER_INIT;

	put_export("a", &log);
	/* A checkpoint by another key is to blame itself; to those who know no key it may be one of yesterday's. */
	assert_result(buffer_add_text(&note, text), 0);
	feed_sign(&note, &forger, NULL);
	put("b", &note);
	assert_int_equal(verify("ab", false, &report), VERIFY_FALSE);
	assert_result(report.items[0].result, -EBADMSG);
	assert_result(report.items[1].result, 0);
	assert_int_equal(verdict_of("ab", true), VERIFY_UNREADABLE);
	/* Another log's disturbs nobody, but nobody has its key. */
	assert_result(buffer_add_text(&of_platform, theirs), 0);
	feed_sign(&of_platform, &platform, NULL);
	put("c", &of_platform);
	assert_int_equal(verdict_of("ac", false), VERIFY_UNREADABLE);
	assert_int_equal(verdict_of("ac", true), VERIFY_UNREADABLE);
	/* What is false counts more than what nobody could look at. */
	assert_int_equal(verdict_of("abc", false), VERIFY_FALSE);
}

static void what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"x",
		"{",
		"{}",
		"{}\n",
		"[]",
		"null\n",
		"origin\n1\nroot\n",
		"origin\n1\nroot\n\n",
		"origin\n1\nroot\n\nsignature\n",
		"a b\n1\nroot\n\n\xE2\x80\x94 a AAAAAAA=\n",
		"\xE2\x80\x94 a AAAAAAA=\n",
		"origin\n1\nroot\n\n\xE2\x80\x94 a AAAAAAA=",
		"\n\n\n\xE2\x80\x94 a AAAAAAA=\n",
	};
	struct trail_log log = {.size = 9};

	put_export("a", &log);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put_text("b", bad[i]);
		if (verdict_of("b", false) != VERIFY_FALSE || verdict_of("ab", false) != VERIFY_FALSE)
			fail_msg("row %zu", i);
	}
	(void)unlink("b");
	assert_int_equal(verdict_of("ab", false), VERIFY_UNREADABLE);
	assert_result(mkdir("b", 0700), 0);
	assert_int_equal(verdict_of("ab", false), VERIFY_UNREADABLE);
	assert_result(rmdir("b"), 0);
}

static void lines_without_end(void **state)
{
	static char line[3 * EXPORT_LINE_MAX];
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	memset(line, 'x', sizeof(line));
	assert_result(buffer_add(&text, line, sizeof(line)), 0);
	put("a", &text);
	assert_int_equal(verdict_of("a", false), VERIFY_FALSE);
	line[0] = '{';
	buffer_clear(&text);
	assert_result(buffer_add(&text, line, sizeof(line)), 0);
	put("a", &text);
	assert_int_equal(verdict_of("a", false), VERIFY_FALSE);
	/* After a good first line. */
	buffer_clear(&text);
	trail_export(&(struct trail_log){.size = 2}, &text);
	text.length -= 5;
	assert_result(buffer_add(&text, line, sizeof(line)), 0);
	put("a", &text);
	assert_int_equal(verdict_of("a", false), VERIFY_FALSE);
}

static void options_that_make_no_sense(void **state)
{
	static const char *many[VERIFY_FILES_MAX + 1], *const twice[] = {"-", "-"}, *const one[] = {"a"},
							      *const bad_keys[] = {"key"};
	const struct verify_options table[] = {
		{.files = one, .file_count = 0},
		{.files = many, .file_count = VERIFY_FILES_MAX + 1},
		{.files = twice, .file_count = 2},
		{.files = one, .file_count = 1, .keys = bad_keys, .key_count = 1},
		{.files = one, .file_count = 1, .keys = many, .key_count = EXPORT_KEYS_MAX + 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "a";
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct verify_report report = {.count = 42};
		struct problem problem = {0};

		assert_result(verify_files(&table[i], &report, &problem), -EINVAL);
		assert_string_not_equal(problem.text, "");
		assert_int_equal(report.count, 42);
	}
}

static void another_origin(void **state)
{
	const char *const files[] = {"a", "b"};
	struct verify_options options = {
		.files = files, .file_count = 2, .origin = "control.example.org/audit/platform"};
	_cleanup_(verify_report_finish) struct verify_report report = {0}, fine = {0};
	struct trail_log log = {.size = 9};

	put_export("a", &log);
	put_notes("b", &log, (const uint64_t[]){3, UINT64_MAX});
	assert_result(verify_files(&options, &report, NULL), 0);
	assert_int_equal(report.verdict, VERIFY_FALSE);
	assert_result(report.items[0].result, -EBADMSG);
	assert_result(report.items[1].result, -EBADMSG);
	options.origin = TRAIL_ORIGIN;
	assert_result(verify_files(&options, &fine, NULL), 0);
	assert_int_equal(fine.verdict, VERIFY_HOLDS);
}

static void what_is_printed(void **state)
{
	struct trail_log log = {.size = 9, .erased = 1};
	_cleanup_(verify_report_finish) struct verify_report report = {0};
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, err = BUFFER_INIT, json = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *value = NULL;

	put_export("a", &log);
	put_notes("b", &log, (const uint64_t[]){3, UINT64_MAX});
	put_text("c", "nothing");
	assert_int_equal(verify("abc", true, &report), VERIFY_FALSE);
	assert_result(verify_print(&report, &out, &err), 0);
	assert_string_equal(buffer_text(&out),
			    "b: " TRAIL_ORIGIN ": a checkpoint at 3\n"
			    "a: " TRAIL_ORIGIN
			    ": 9 entries of 0 to 9 in the log of 9; none is missing, and they make up the root; "
			    "personal data erased: 3; kept checkpoints that agree: 1\n");
	assert_string_equal(buffer_text(&err),
			    "c: does not hold: checkpoint 1 of the file is none, and this is no export either\n"
			    "by the keys that the exports themselves name: with --key by those that you know\n");
	assert_result(verify_print_json(&report, &json), 0);
	assert_result(json_read(json.data, json.length, &value, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(value, "verdict")), "does-not-hold");
	assert_int_equal(json_array_size(json_object_get(value, "files")), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_holds),
		cmocka_unit_test(rewritten),
		cmocka_unit_test(two_heads),
		cmocka_unit_test(to_blame),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(lines_without_end),
		cmocka_unit_test(options_that_make_no_sense),
		cmocka_unit_test(another_origin),
		cmocka_unit_test(what_is_printed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
