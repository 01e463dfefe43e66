/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/cli/certificate.h"
#include "control_plane/cli/cli.h"
#include "control_plane/cli/doctor.h"

#define DAY 86400
#define CERTIFICATE_WARN (21 * DAY)

/* Root's, and nobody else's to change; a secret is for the service's group to read at most. */
static void look_at(struct doctor *doctor, const char *what, const char *path, bool secret)
{
	const struct passwd *account = getpwnam(CLI_USER);
	struct stat st;

	if (stat(path, &st) < 0)
		doctor_say(doctor, FINDING_BROKEN, what, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		doctor_say(doctor, FINDING_BROKEN, what, "%s: not a file", path);
	else if (st.st_mode & (S_IWGRP | S_IWOTH) || (st.st_uid != 0 && st.st_uid != geteuid()))
		doctor_say(doctor, FINDING_BROKEN, what, "%s: others than root can change it (chown root, chmod go-w)",
			   path);
	else if (secret && st.st_mode & S_IRWXO)
		doctor_say(doctor, FINDING_BROKEN, what, "%s: everybody can read it (chmod 0640)", path);
	else if (secret && st.st_mode & S_IRWXG && st.st_gid != 0 && (!account || st.st_gid != account->pw_gid))
		doctor_say(doctor, FINDING_WARNING, what, "%s: another group than %s can read it", path, CLI_USER);
	else
		doctor_say(doctor, FINDING_OK, what, "%s: owner and mode are right", path);
}

static void look_at_certificate(struct doctor *doctor, const struct config *config)
{
	struct certificate_facts facts;
	struct problem problem = {0};
	int64_t left;
	char span[64], end[TIME_TEXT_SIZE];

	if (certificate_read(config->tls_certificate, config->tls_key, config->url, &facts, &problem) < 0) {
		doctor_say(doctor, FINDING_BROKEN, "certificate", "%s", problem.text);
		return;
	}
	left = facts.not_after - clock_realtime_sec();
	(void)format_span((uint64_t)(left < 0 ? -left : left), span, sizeof(span));
	(void)format_time(facts.not_after, end);
	if (!facts.own_key)
		doctor_say(doctor, FINDING_BROKEN, "certificate", "%s and %s do not belong together",
			   config->tls_certificate, config->tls_key);
	else if (left < 0)
		doctor_say(doctor, FINDING_BROKEN, "certificate", "ended %s ago, at %s", span, end);
	else if (!facts.for_host)
		doctor_say(doctor, FINDING_WARNING, "certificate", "not for the host of %s", config->url);
	else
		doctor_say(doctor, left < CERTIFICATE_WARN ? FINDING_WARNING : FINDING_OK, "certificate",
			   "ends in %s, at %s", span, end);
}

void doctor_files(struct doctor *doctor, const struct config *config, const char *config_path)
{
	if (!getpwnam(CLI_USER))
		doctor_say(doctor, FINDING_WARNING, "account", "there is no unix account %s", CLI_USER);
	look_at(doctor, "config file", config_path, strstr(config->database, "password") != NULL);
	if (access(config->seal_key_path, F_OK) == 0) /* or it is a credential */
		look_at(doctor, "seal key", config->seal_key_path, true);
	if (config->internal_secret_path)
		look_at(doctor, "internal", config->internal_secret_path, true);
	if (!config->tls_certificate) {
		doctor_say(doctor, text_starts(config->url, "https:") ? FINDING_OK : FINDING_WARNING, "certificate",
			   "none: plain HTTP %s",
			   text_starts(config->url, "https:") ? "behind a balancer that has one"
							      : "on this machine only");
		return;
	}
	look_at(doctor, "tls key", config->tls_key, true);
	look_at_certificate(doctor, config);
}
