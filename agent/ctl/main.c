/* SPDX-License-Identifier: MIT
 *
 * tenantctl: what an operator types, and what fleet configuration management runs. One const table says
 * which verbs there are; each lives in a file of its own name.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

static const struct ctl_verb verbs[] = {
	{"directory", ctl_directory, "check, show and edit the directory file"},
};

static const char intro[] =
	"Look after tenantd on this host: who may sign in, with which keys, and who is.\n"
	"\n"
	"Exit codes: 0 fine; 1 denied, not found, or a check found something; 2 wrong usage;\n"
	"3 broken (the agent or a file cannot be reached). `--json` gives machines one JSON value.\n"
	"\n"
	"Examples:\n"
	"  tenantctl directory check\n"
	"  tenantctl directory add-user alice --tenant acme\n"
	"  tenantctl directory add-key alice --label laptop\n";

int main(int argc, char **argv)
{
	struct ctl ctl = {.file = CTL_DEFAULT_DIRECTORY, .socket = CTL_DEFAULT_SOCKET};

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("tenantctl %s\n", TENANTD_VERSION);
		return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
	}
	return ctl_dispatch(&ctl, "tenantctl", intro, verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}
