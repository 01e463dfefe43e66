/* SPDX-License-Identifier: MIT
 *
 * tenant-control audit verify: exports and checkpoints that somebody kept, checked offline. Reads no configuration and
 * knows no database: whoever doubts the control plane may run it anywhere.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/cli/audit.h"
#include "trail/verify.h"

static const char help[] =
	"tenant-control audit verify FILE … [--key VKEY] … [--origin ORIGIN] [--json]\n\n"
	"Checks exports of audit logs and checkpoints that somebody kept, each by itself and against each other. Asks\n"
	"nobody. \"-\" is standard input. Without --key the keys count that the exports name.\n"
	"Exit status 0: all of it holds; 1: something does not; 2: it could not be checked.\n";

/* "--word VALUE", "--word=VALUE": 1: taken; 0: another word; CLI_USAGE. */
static int take_value(const char *word, int argc, char **argv, int *i, const char **ret)
{
	size_t length = strlen(word);

	if (strncmp(argv[*i], word, length) != 0 || (argv[*i][length] != '\0' && argv[*i][length] != '='))
		return 0;
	if (argv[*i][length] == '=') {
		*ret = argv[*i] + length + 1;
	} else if (*i + 1 >= argc) {
		fprintf(stderr, "tenant-control audit verify: %s needs a value\n", word);
		return CLI_USAGE;
	} else {
		*ret = argv[++*i];
	}
	return 1;
}

/* What stays of argv are the files. */
static int read_words(int argc, char **argv, const char **keys, struct verify_options *ret)
{
	static const char *const known[] = {"--key", "--origin", "--json", "--help"};
	bool options = true;
	int files = 0;

	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		int taken = 0;

		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options)
			taken = take_value("--key", argc, argv, &i, &value);
		if (taken == 1 && ret->key_count == EXPORT_KEYS_MAX) {
			fprintf(stderr, "tenant-control audit verify: more than %u keys\n", EXPORT_KEYS_MAX);
			return CLI_USAGE;
		}
		if (taken == 1)
			keys[ret->key_count++] = value;
		else if (options && taken == 0)
			taken = take_value("--origin", argc, argv, &i, &ret->origin);
		if (taken == CLI_USAGE)
			return CLI_USAGE;
		if (taken == 1)
			continue;
		if (options && argv[i][0] == '-' && argv[i][1] != '\0')
			return cli_unknown("audit verify", argv[i], known, ARRAY_LEN(known));
		argv[files++] = argv[i];
	}
	ret->files = (const char *const *)argv;
	ret->file_count = (size_t)files;
	ret->keys = keys;
	return 0;
}

static int print(const struct verify_report *report, bool json)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
	int r = json ? verify_print_json(report, &out) : verify_print(report, &out, &err);

	if (r == 0 && json)
		r = buffer_add_char(&out, '\n');
	if (r < 0 || (out.length > 0 && fwrite(out.data, 1, out.length, stdout) != out.length) || fflush(stdout) != 0)
		return VERIFY_UNREADABLE;
	if (err.length > 0)
		(void)fwrite(err.data, 1, err.length, stderr);
	return (int)report->verdict;
}

int audit_verb_verify(int argc, char **argv)
{
	_cleanup_(verify_report_finish) struct verify_report report = {0};
	const char *keys[EXPORT_KEYS_MAX];
	struct verify_options what = {0};
	struct problem problem = {0};
	struct cli_options options;
	int status, r;

	status = cli_options(&argc, argv, &options);
	if (status == 0 && options.help) {
		fputs(help, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	if (status == 0)
		status = read_words(argc, argv, keys, &what);
	if (status != 0)
		return status;
	r = verify_files(&what, &report, &problem);
	if (r == -EINVAL) {
		fprintf(stderr, "tenant-control audit verify: %s\n", problem.text);
		return CLI_USAGE;
	}
	if (r < 0) {
		fputs("tenant-control audit verify: out of memory\n", stderr);
		return VERIFY_UNREADABLE;
	}
	return print(&report, options.json);
}
