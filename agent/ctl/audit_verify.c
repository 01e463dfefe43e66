/* SPDX-License-Identifier: MIT
 *
 * tenantctl audit verify: what somebody keeps of audit logs, checked without asking anybody.
 */
#include <errno.h>
#include <stdio.h>

#include "ctl/audit.h"
#include "trail/verify.h"

#define UNREADABLE 2 /* as a usage error: a script wants to know whether it holds or not */

static int conclude(const struct ctl *ctl, const struct verify_report *report)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, err = BUFFER_INIT;

	if (ctl->json) {
		if (verify_print_json(report, &out) < 0 || ctl_print_json(&out) != CTL_OK)
			return UNREADABLE;
	} else {
		if (verify_print(report, &out, &err) < 0)
			return UNREADABLE;
		if (out.length > 0)
			(void)fwrite(out.data, 1, out.length, stdout);
		if (fflush(stdout) != 0)
			return UNREADABLE;
		if (err.length > 0)
			(void)fwrite(err.data, 1, err.length, stderr);
	}
	return (int)report->verdict;
}

int audit_verify_verb(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(ctl_list_finish) struct ctl_list keys = {0};
	_cleanup_(verify_report_finish) struct verify_report report = {0};
	struct verify_options what = {0};
	const struct ctl_option options[] = {
		{.name = "key",
		 .metavar = "VKEY",
		 .help = "a key of the log; several where it has several",
		 .list = &keys},
		{.name = "origin", .metavar = "ORIGIN", .help = "only this log will do", .value = &what.origin},
	};
	const struct ctl_command command = {
		.name = "audit verify",
		.usage = "FILE… [--key VKEY]… [--origin ORIGIN]",
		.text = "Checks exports of audit logs (as \"tenant-control audit export\" or the API give them) and\n"
			"checkpoints that somebody kept, each by itself and against each other. Asks nobody. \"-\" is\n"
			"standard input. Without --key the keys count that the exports name.\n"
			"\n"
			"Exit code 0: all of it holds; 1: something does not; 2: it could not be checked.\n"
			"\n"
			"Example:\n"
			"  tenantctl audit verify export.ndjson checkpoints/* --key \"$(cat log.vkey)\"\n",
		.options = options,
		.option_count = ARRAY_LEN(options),
		.min = 1,
		.max = VERIFY_FILES_MAX,
	};
	struct problem problem = {0};
	int count, r, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	what.files = (const char *const *)argv;
	what.file_count = (size_t)count;
	what.keys = keys.items;
	what.key_count = keys.count;
	r = verify_files(&what, &report, &problem);
	if (r == -EINVAL)
		return ctl_fail_problem(ctl, CTL_USAGE, &problem);
	if (r < 0)
		return ctl_fail(ctl, UNREADABLE, "out of memory");
	return conclude(ctl, &report);
}
