/* SPDX-License-Identifier: MIT
 *
 * The built tenantctl on files of audit logs: exit codes, and which file is named. What holds and what does not is in
 * test_trail_export.c and test_trail_verify.c.
 */
#include "unit.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "program_fixture.h"
#include "trail_fixture.h"
#include "json/json_read.h"

static char tenantctl[PATH_MAX], folder[] = "/tmp/test-ctl-audit-verify-XXXXXX", vkey[NOTE_VKEY_MAX];

/* Runs `tenantctl audit verify WORDS…` with that file as standard input; gives its exit code and output. */
static int run(const char *words, const char *input, char *out, size_t size)
{
	char copy[1024], *argv[24] = {tenantctl, (char *)(uintptr_t) "audit", (char *)(uintptr_t) "verify"};
	char *save = NULL;
	unsigned n = 3;

	(void)snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(word, "KEY") == 0 ? vkey : word;
	return program_run(argv, NULL, input, out, size);
}

static void assert_run(const char *words, const char *input, int code, const char *part)
{
	char out[8192];
	int got = run(words, input, out, sizeof(out));

	if (got != code || !strstr(out, part))
		fail_msg("%s: %d\n%s", words, got, out);
}

static void put(const char *name, const struct buffer *text)
{
	assert_result(file_replace(AT_FDCWD, name, text->data, text->length, 0600, NULL), 0);
}

static int make_files(void **state)
{
	struct trail_log log = {.size = 20}, other = {.size = 20, .changed = 7};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, note = BUFFER_INIT, fork_note = BUFFER_INIT;
	struct note_key key = trail_log_key();
	ssize_t length = readlink("/proc/self/exe", tenantctl, sizeof(tenantctl) - 1);
	char program[PATH_MAX];

	if (length < 0)
		return -1;
	tenantctl[length] = '\0';
	/* …/tests/unit/NAME: what was built with it is two folders up. */
	(void)snprintf(program, sizeof(program), "%s", tenantctl);
	(void)snprintf(tenantctl, sizeof(tenantctl), "%.*s/tenantctl", PATH_MAX - 16,
		       dirname(dirname(dirname(program))));
	if (note_key_render(&key, vkey) < 0 || !mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	trail_export(&log, &text);
	put("export", &text);
	text.length -= 3;
	put("cut", &text);
	trail_checkpoint(&log, 12, &note);
	put("note", &note);
	trail_checkpoint(&other, 12, &fork_note);
	put("fork", &fork_note);
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = {"export", "cut", "note", "fork"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(names[i]);
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void codes(void **state)
{
	assert_run("export", NULL, 0, "none is missing, and they make up the root");
	assert_run("export", NULL, 0, "by the keys that the exports themselves name");
	assert_run("export note --key KEY", NULL, 0, "kept checkpoints that agree: 1");
	assert_run("- note", "export", 0, "kept checkpoints that agree: 1");
	assert_run("export -", "note", 0, "kept checkpoints that agree: 1");
	assert_run("note --key KEY", NULL, 0, "a checkpoint at 12");
	assert_run("cut --key KEY", NULL, 1, "cut: does not hold: line 22");
	assert_run("export fork", NULL, 1, "export: does not hold: line 13: the log had another root");
	assert_run("note fork --key KEY", NULL, 1, "fork: does not hold: note has another root");
	assert_run("export --origin other.example.org", NULL, 1, "does not hold");
	assert_run("note", NULL, 2, "give its key with --key");
	assert_run("nowhere", NULL, 2, "No such file");
	assert_run("export nowhere", NULL, 2, "No such file");
	assert_run(".", NULL, 2, "Is a directory");
	assert_run("-", NULL, 1, "there is nothing in it");
	assert_run("- -", "export", 2, "standard input can be read once");
	assert_run("", NULL, 2, "too few arguments");
	assert_run("export --key x", NULL, 2, "this is no key of a log");
	assert_run("export --keys x", NULL, 2, "--key");
	assert_run("--help", NULL, 0, "Exit code 0");
}

static void objects(void **state)
{
	static const struct {
		const char *words, *verdict;
		int code;
	} table[] = {
		{"export note --json", "holds", 0},
		{"export fork --json", "does-not-hold", 1},
		{"note --json", "not-checked", 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *value = NULL;
		char out[8192];

		assert_int_equal(run(table[i].words, NULL, out, sizeof(out)), table[i].code);
		assert_result(json_read(out, strlen(out), &value, NULL), 0);
		assert_string_equal(json_string_value(json_object_get(value, "verdict")), table[i].verdict);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes),
		cmocka_unit_test(objects),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
