/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "ctl/doctor.h"

#define CHECK "sshd"
#define DROP_IN "/etc/ssh/sshd_config.d/50-tenantd.conf"
#define STARTUPS_LEAST 50U /* connections that have not signed in yet, of which people who approve are part */

const char *sshd_value(const char *settings, const char *key, char *out, size_t size)
{
	size_t length = strlen(key);

	out[0] = '\0';
	for (const char *line = settings; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ' ') {
			snprintf(out, size, "%.*s", (int)strcspn(line + length + 1, "\r\n"), line + length + 1);
			break;
		}
	return out;
}

static void judge_methods(struct findings *findings, const char *settings, const char *person)
{
	char value[256];

	if (!text_equal(sshd_value(settings, "usepam", value, sizeof(value)), "yes"))
		findings_add(findings, FINDING_PROBLEM, CHECK, "set UsePAM yes in /etc/ssh/sshd_config, and reload ssh",
			     "UsePAM is not on, so nobody of the directory signs in");
	else
		findings_add(findings, FINDING_OK, CHECK, NULL, "UsePAM is on");
	if (text_equal(sshd_value(settings, "kbdinteractiveauthentication", value, sizeof(value)), "yes"))
		findings_add(findings, FINDING_OK, CHECK, NULL,
			     "people of the directory are asked for a key or single "
			     "sign-on");
	else
		findings_add(
			findings, FINDING_PROBLEM, CHECK,
			"is " DROP_IN " there, is the group tenant-users known (nsswitch), and does "
			"/etc/ssh/sshd_config begin with `Include /etc/ssh/sshd_config.d/*.conf`? A file of a lower "
			"number may say otherwise; then reload ssh",
			"KbdInteractiveAuthentication is off for %s: no API key, no single sign-on", person);
	sshd_value(settings, "authenticationmethods", value, sizeof(value));
	if (*value && !text_equal(value, "any") && !strstr(value, "keyboard-interactive"))
		findings_add(findings, FINDING_WARNING, CHECK,
			     "add keyboard-interactive:pam to it, where that is meant",
			     "AuthenticationMethods asks for %s, which leaves keys and single sign-on out", value);
}

static void judge_keys(struct findings *findings, const char *settings, const char *person)
{
	char command[256], user[64], files[256];

	sshd_value(settings, "authorizedkeyscommand", command, sizeof(command));
	sshd_value(settings, "authorizedkeyscommanduser", user, sizeof(user));
	sshd_value(settings, "authorizedkeysfile", files, sizeof(files));
	if (!strstr(command, "tenantd-ssh-keys ") && !strstr(command, "tenantctl ssh-keys "))
		findings_add(findings, FINDING_WARNING, CHECK, "take the lines of " DROP_IN " over, or leave it so",
			     "AuthorizedKeysCommand is \"%s\": SSH keys of the directory sign nobody in", command);
	else if (!text_equal(user, "tenantd-keys"))
		findings_add(findings, FINDING_WARNING, CHECK, "set AuthorizedKeysCommandUser tenantd-keys",
			     "AuthorizedKeysCommand runs as \"%s\", whom the agent does not tell others' keys", user);
	else
		findings_add(findings, FINDING_OK, CHECK, NULL, "SSH keys come from the directory");
	if (*files && !text_equal(files, "none"))
		findings_add(findings, FINDING_WARNING, CHECK,
			     "where no tenant's policy is `ssh_keys: any`, set AuthorizedKeysFile none for the group "
			     "tenant-users",
			     "sshd takes keys of %s from %s, too; the PAM module refuses them at the session only",
			     person, files);
}

static void judge_limits(struct findings *findings, const char *settings, const struct sshd_wants *wants)
{
	char value[64], remedy[160];
	uint32_t seconds = 0, startups = 0;

	sshd_value(settings, "logingracetime", value, sizeof(value));
	if (parse_u32(value, &seconds) < 0) {
		findings_add(findings, FINDING_WARNING, CHECK, NULL, "LoginGraceTime \"%s\" cannot be read", value);
	} else if (seconds != 0 && seconds < wants->sso_timeout_sec) {
		snprintf(remedy, sizeof(remedy), "set LoginGraceTime %u or more, outside of any Match, and reload ssh",
			 wants->sso_timeout_sec + 120);
		findings_add(findings, FINDING_PROBLEM, CHECK, remedy,
			     "sshd hangs up after %u seconds (LoginGraceTime), and people have %u to approve a sign-in "
			     "(sso.timeout)",
			     seconds, wants->sso_timeout_sec);
	} else {
		findings_add(findings, FINDING_OK, CHECK, NULL, "LoginGraceTime is %s",
			     seconds ? value : "without end");
	}
	sshd_value(settings, "maxstartups", value, sizeof(value));
	value[strcspn(value, ":")] = '\0';
	if (parse_u32(value, &startups) == 0 && wants->sso_timeout_sec && startups < STARTUPS_LEAST)
		findings_add(
			findings, FINDING_WARNING, CHECK, "set MaxStartups 100:30:300, outside of any Match",
			"sshd turns connections away from the %u. that has not signed in on (MaxStartups), and people "
			"who approve count",
			startups);
}

void doctor_judge_sshd(struct findings *findings, const char *settings, const struct sshd_wants *wants)
{
	judge_methods(findings, settings, wants->person);
	judge_keys(findings, settings, wants->person);
	judge_limits(findings, settings, wants);
}
