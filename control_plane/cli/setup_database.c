/* SPDX-License-Identifier: MIT
 *
 * By whom roles and schema are made: the server's own superuser, whom a PostgreSQL of Debian knows by the unix account
 * postgres.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "control_plane/cli/setup.h"
#include "control_plane/db/conninfo.h"

#define ADMIN "postgres"

int setup_admin_dsn(const struct config *config, char **ret, struct problem *problem)
{
	static const struct conninfo_part parts[] = {{"user", ADMIN}, {"dbname", ADMIN}, {"password", NULL}};
	_cleanup_(freep) char *host = NULL;
	int result = conninfo_get(config->database, "host", &host);

	if (result == 0 && host && host[0] != '/') {
		problem_remedy(problem, "--admin-dsn says how its administrator connects");
		return problem_set(problem, EINVAL, "the database is on another machine (%s)", host);
	}
	if (result == 0)
		result = conninfo_change(config->database, parts, ARRAY_LEN(parts), ret);
	return result < 0 ? problem_set(problem, -result, "the database's connection string cannot be read") : 0;
}

int setup_owner_dsn(const struct config *config, const char *admin_dsn, char **ret, struct problem *problem)
{
	_cleanup_(freep) char *admin = NULL, *database = NULL;
	struct conninfo_part part = {"dbname", NULL};
	int result = 0;

	if (!admin_dsn)
		result = setup_admin_dsn(config, &admin, problem);
	if (result < 0)
		return result;
	result = conninfo_get(config->database, "dbname", &database);
	part.value = database;
	if (result == 0)
		result = conninfo_change(admin_dsn ? admin_dsn : admin, &part, database ? 1 : 0, ret);
	return result < 0 ? problem_set(problem, -result, "the database's connection string cannot be read") : 0;
}

static int become_postgres(void)
{
	const struct passwd *account = getpwnam(ADMIN);

	if (!account || initgroups(ADMIN, account->pw_gid) < 0 ||
	    setresgid(account->pw_gid, account->pw_gid, account->pw_gid) < 0 ||
	    setresuid(account->pw_uid, account->pw_uid, account->pw_uid) < 0)
		return -1;
	return chdir("/");
}

int setup_as_postgres(int (*work)(void *context), void *context, struct problem *problem)
{
	int status = 0;
	pid_t child;

	if (geteuid() != 0)
		return work(context);
	if (!getpwnam(ADMIN)) {
		problem_remedy(problem,
			       "apt-get install postgresql, or name the database's administrator by --admin-dsn");
		return problem_set(problem, ENOENT, "there is no unix account %s", ADMIN);
	}
	(void)fflush(NULL);
	child = fork();
	if (child < 0)
		return problem_set(problem, errno, "fork: %s", strerror(errno));
	if (child == 0)
		_exit(become_postgres() < 0 ? CLI_FAILED : work(context));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return problem_set(problem, errno, "waiting for a child: %s", strerror(errno));
	/* It has said on stderr what went wrong. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}
