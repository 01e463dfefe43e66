/* SPDX-License-Identifier: MIT
 *
 * tenant-control migrate: the schema as this program knows it.
 */
#include "control_plane/db/migrate.h"

#include <stdio.h>
#include <string.h>

#include "control_plane/cli/setup.h"

struct work {
	char *dsn;
	bool check;
	unsigned count;
};

static void report(void *context, const char *name)
{
	struct work *work = context;

	printf(work->check ? "to be applied: %s\n" : "applying %s\n", name);
	(void)fflush(stdout);
	work->count++;
}

static int run(void *context)
{
	struct work *work = context;
	struct problem problem = {0};

	if (migrate(work->dsn, work->check, report, work, &problem) < 0)
		return cli_fail("migrate", &problem);
	if (work->count == 0)
		puts("the schema is up to date");
	return work->check && work->count > 0 ? CLI_FAILED : fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int verb_migrate(int argc, char **argv)
{
	static const char *const known[] = {"--admin-dsn", "--check", "--config", "--help"};
	const char *admin_dsn = NULL, *path;
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};
	struct cli_options options;
	struct work work = {0};
	int result = cli_options(&argc, argv, &options);

	for (int i = 1; i < argc && result == 0; i++) {
		int taken = setup_option("migrate", argv, &i, "--admin-dsn", &admin_dsn);

		if (taken == CLI_USAGE)
			return CLI_USAGE;
		if (taken == 0 && strcmp(argv[i], "--check") == 0)
			work.check = true;
		else if (taken == 0)
			result = cli_unknown("migrate", argv[i], known, ARRAY_LEN(known));
	}
	if (result != 0)
		return result;
	if (options.help) {
		puts("tenant-control migrate [--check] [--admin-dsn DSN]\n\n"
		     "Applies the migrations that the database does not have yet, as its administrator: the unix\n"
		     "account postgres on this machine, or who --admin-dsn says. It needs to be run as root.\n\n"
		     "  --check          says what would be applied; exit status 1 when there is something\n"
		     "  --admin-dsn DSN  libpq's connection string of who may become tenant_control_owner");
		return CLI_OK;
	}
	path = options.config_path ? options.config_path : CONTROL_CONFIG_PATH;
	if (config_load(path, options.config_path != NULL, &config, &problem) < 0 ||
	    setup_owner_dsn(config, admin_dsn, &work.dsn, &problem) < 0)
		return cli_fail("migrate", &problem);
	result = admin_dsn ? run(&work) : setup_as_postgres(run, &work, &problem);
	free(work.dsn);
	return result < 0 ? cli_fail("migrate", &problem) : result;
}
