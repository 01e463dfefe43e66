/* SPDX-License-Identifier: MIT
 *
 * tenantctl doctor: looks at all that a sign-in needs on this host and says what is wrong and what to do. Changes
 * nothing.
 */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/verbs.h"
#include "json/json_write.h"

static int print_json(const struct findings *findings)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct json_writer w = json_writer(&out);

	json_begin(&w, NULL, '{');
	json_put_string(&w, "status", finding_word(findings->worst));
	json_begin(&w, "checks", '[');
	for (size_t i = 0; i < findings->count; i++) {
		json_begin(&w, NULL, '{');
		json_put_string(&w, "check", findings->entries[i].check);
		json_put_string(&w, "status", finding_word(findings->entries[i].finding));
		json_put_string(&w, "text", findings->entries[i].text);
		json_put_string_if(&w, "remedy", findings->entries[i].remedy);
		json_end(&w, '}');
	}
	json_end(&w, ']');
	json_end(&w, '}');
	return ctl_print_json(&out);
}

static int conclude(const struct doctor *doctor)
{
	const struct findings *findings = &doctor->findings;
	size_t problems = 0, warnings = 0;

	if (findings->failed)
		return ctl_fail(doctor->ctl, CTL_BROKEN, "out of memory");
	if (doctor->ctl->json && print_json(findings) != CTL_OK)
		return CTL_BROKEN;
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding_entry *entry = &findings->entries[i];

		problems += entry->finding == FINDING_PROBLEM;
		warnings += entry->finding == FINDING_WARNING;
		ctl_say(doctor->ctl, "%-8s %-10s %s", finding_word(entry->finding), entry->check, entry->text);
		if (entry->remedy[0])
			ctl_say(doctor->ctl, "%-19s → %s", "", entry->remedy);
	}
	ctl_say(doctor->ctl, "\n%zu problem%s, %zu warning%s", problems, problems == 1 ? "" : "s", warnings,
		warnings == 1 ? "" : "s");
	if (fflush(stdout) != 0)
		return CTL_BROKEN;
	return problems ? CTL_NO : CTL_OK;
}

static int examine(struct doctor *doctor, bool online)
{
	doctor_agent(doctor);
	doctor_map(doctor, doctor->config->map_path);
	doctor_names(doctor);
	doctor_sshd(doctor);
	doctor_pam(doctor);
	doctor_sudo(doctor);
	doctor_files(doctor);
	doctor_clock(doctor);
	if (online)
		doctor_online(doctor);
	return conclude(doctor);
}

int ctl_doctor(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Looks at all that a sign-in needs on this host, says what is wrong and what to do, and changes\n"
		"nothing: the agent, feeds and the map for NSS; nsswitch.conf; sshd's effective configuration for\n"
		"somebody of the directory; the PAM stacks of sshd, login, su, sudo and cron; sudo's rule; who may\n"
		"read and write our files; the clock, also against the control plane's. With --online it tries to\n"
		"reach the identity providers, too. Root only.\n"
		"\nExit codes: 0 no problem (there may be warnings); 1 problems; 3 it could not look.\n"
		"\nExamples:\n"
		"  tenantctl doctor\n"
		"  tenantctl doctor --user alice --online\n";
	const char *person = NULL, *config_path = CONFIG_PATH;
	bool online = false;
	const struct ctl_option options[] = {
		{"user", "LOGIN", "the person to try things with (default: one of the directory)", .value = &person},
		{"online", NULL, "try to reach the identity providers", .flag = &online},
		{"config", "FILE", "the agent's configuration (default " CONFIG_PATH ")", .value = &config_path},
	};
	const struct ctl_command command = {.name = "doctor",
					    .usage = "[--user LOGIN] [--online]",
					    .text = text,
					    .uses = CTL_USES_SOCKET,
					    .options = options,
					    .option_count = ARRAY_LEN(options)};
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};
	struct doctor doctor = {.ctl = ctl};
	int count, code = ctl_parse(ctl, &command, argc, argv, &count), r;

	if (code >= 0)
		return code;
	if (geteuid() != 0)
		return ctl_fail(ctl, CTL_BROKEN, "run it as root: others cannot see what there is to see");
	if (person && !text_is_login_name(person))
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" is not a login name", person);
	r = config_load(config_path, strcmp(config_path, CONFIG_PATH) != 0, &config, &problem);
	if (r < 0)
		return problem.text[0] ? ctl_fail_problem(ctl, CTL_BROKEN, &problem)
				       : ctl_fail(ctl, CTL_BROKEN, "%s: %s", config_path, strerrordesc_np(-r));
	doctor.config = config;
	if (person)
		snprintf(doctor.person, sizeof(doctor.person), "%s", person);
	code = examine(&doctor, online);
	findings_finish(&doctor.findings);
	return code;
}
