/* SPDX-License-Identifier: MIT
 *
 * tenantctl: what an operator types, and what fleet configuration management runs. One const table says
 * which verbs there are; each lives in a file of its own name.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/verbs.h"

static const struct ctl_verb verbs[] = {
	{"status", ctl_status, "how the agent is"},
	{"doctor", ctl_doctor, "what is wrong on this host, and what to do"},
	{"sessions", ctl_sessions, "who is signed in; end their sessions"},
	{"audit", ctl_audit, "what happened here, and whether logs were changed"},
	{"code", ctl_code, "a code that signs somebody in once"},
	{"whoami", ctl_whoami, "who you are, and your roles"},
	{"check", ctl_check, "may somebody do something in a project?"},
	{"verify", ctl_verify, "whose API key is this?"},
	{"directory", ctl_directory, "check, show and edit the directory file"},
	{"feed", ctl_feed, "check files of a feed"},
	{"sso", ctl_sso, "try single sign-on, and what it bound"},
	{"enroll", ctl_enroll, "join a control plane"},
	{"unenroll", ctl_unenroll, "leave it, and forget what it said"},
	{"reload", ctl_reload, "read configuration and directory again"},
	{"watch", ctl_watch, "print events as they happen"},
	{"ssh-keys", ctl_ssh_keys, "print somebody's SSH keys, for sshd"},
	{"metrics", ctl_metrics, "print counters as OpenMetrics text"},
};

static const char intro[] =
	"Look after tenantd on this host: who may sign in, with which keys, and who is.\n"
	"\n"
	"Exit codes: 0 fine; 1 denied, not found, or a check found something; 2 wrong usage;\n"
	"3 broken (the agent or a file cannot be reached). `--json` gives machines one JSON value.\n"
	"\n"
	"Examples:\n"
	"  tenantctl status\n"
	"  tenantctl doctor\n"
	"  tenantctl check alice acme/vision dataset.write\n"
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
