/* SPDX-License-Identifier: MIT
 *
 * tenant-control doctor: looks at an installation and says what is broken, what is weak and what is fine. Changes
 * nothing. Exit status as monitoring wants it: 0 fine, 1 warnings, 2 broken, 3 it could not look.
 */
#include "control_plane/cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control_plane/cli/setup.h"

#define DOCTOR_UNKNOWN 3
#define DB_WAIT_MS 3000U
#define DB_STATEMENT_MS 5000U

struct doctor {
	bool json;
	enum finding worst;
	json_t *checks;
};

static const char *const names[] = {[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_BROKEN] = "broken"};

void doctor_say(struct doctor *doctor, enum finding finding, const char *what, const char *format, ...)
{
	char text[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	doctor->worst = MAX_OF(doctor->worst, finding);
	if (doctor->json)
		(void)json_array_append_new(doctor->checks, json_pack("{s:s, s:s, s:s}", "check", what, "status",
								      names[finding], "text", text));
	else
		printf("%-8s %-12s %s\n", names[finding], what, text);
}

static void say_problem(struct doctor *doctor, const char *what, const struct problem *problem)
{
	char text[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX + 64];

	doctor_say(doctor, FINDING_BROKEN, what, "%s", problem_render(problem, text, sizeof(text)));
}

static void examine(struct doctor *doctor, const struct config *config, const char *path)
{
	const struct db_options options = {
		.dsn = config->database, .connections = 1, .wait_ms = DB_WAIT_MS, .statement_ms = DB_STATEMENT_MS};
	struct problem problem = {0};
	struct app app = {.config = config};
	bool has_keys;

	doctor_say(doctor, FINDING_OK, "config", "%s: %s", path, config->url);
	doctor_files(doctor, config, path);
	has_keys = app_read_keys(config, &app, &problem) == 0;
	if (has_keys)
		doctor_say(doctor, FINDING_OK, "seal key", "readable");
	else
		say_problem(doctor, "seal key", &problem);
	if (cli_become_service(&problem) < 0) {
		say_problem(doctor, "account", &problem);
	} else if (db_create(&options, &app.db) < 0) {
		doctor_say(doctor, FINDING_BROKEN, "database", "the connection string cannot be read");
	} else {
		doctor_database(doctor, &app);
		if (has_keys)
			doctor_keys(doctor, &app);
	}
	db_destroy(app.db);
	secret_wipe(&app.seal_key, sizeof(app.seal_key));
}

static int conclude(struct doctor *doctor)
{
	json_t *report;
	int result = 0;

	if (doctor->json) {
		report = json_pack("{s:s, s:O}", "status", names[doctor->worst], "checks", doctor->checks);
		result = report ? json_dumpf(report, stdout, JSON_INDENT(2)) : -1;
		putchar('\n');
		json_decref(report);
	}
	return result < 0 || fflush(stdout) != 0 ? DOCTOR_UNKNOWN : (int)doctor->worst;
}

int verb_doctor(int argc, char **argv)
{
	static const char *const known[] = {"--json", "--config", "--help"};
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};
	struct cli_options options;
	struct doctor doctor = {0};
	const char *path;
	int result;

	if (cli_options(&argc, argv, &options) != 0)
		return DOCTOR_UNKNOWN;
	if (argc > 1) {
		(void)cli_unknown("doctor", argv[1], known, ARRAY_LEN(known));
		return DOCTOR_UNKNOWN;
	}
	if (options.help) {
		puts("tenant-control doctor [--json]\n\n"
		     "Looks at configuration, files, database and keys, and changes nothing. As root or "
		     "tenant-control.\n\n"
		     "Exit status: 0 all is well, 1 there are warnings, 2 something is broken, 3 it could not look.");
		return 0;
	}
	path = options.config_path ? options.config_path : CONTROL_CONFIG_PATH;
	if (config_load(path, options.config_path != NULL, &config, &problem) < 0) {
		(void)cli_fail("doctor", &problem);
		return DOCTOR_UNKNOWN;
	}
	doctor.json = options.json;
	doctor.checks = json_array();
	if (!doctor.checks)
		return DOCTOR_UNKNOWN;
	examine(&doctor, config, path);
	result = conclude(&doctor);
	json_decref(doctor.checks);
	return result;
}
