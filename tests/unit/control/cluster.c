/* SPDX-License-Identifier: MIT */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "control_plane/db/migrate.h"

#define fail_program(...)                            \
	do {                                         \
		dprintf(2, "cluster: " __VA_ARGS__); \
		dprintf(2, "\n");                    \
		_exit(99);                           \
	} while (0)

static struct passwd *postgres(void)
{
	struct passwd *user = getpwnam("postgres");

	if (!user)
		fail_program("there is no unix user postgres (apt-get install postgresql)");
	return user;
}

/* The newest version's program. */
static char *program(const char *name)
{
	static char path[256];
	char pattern[128];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s", name);
	if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0)
		fail_program("there is no %s (apt-get install postgresql)", pattern);
	(void)snprintf(path, sizeof(path), "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

static pid_t spawn(const struct cluster *cluster, const char *name, char *const *arguments)
{
	char *words[16] = {program(name)}; /* its path in the first one, by which it finds its sisters */
	struct passwd *user = postgres();
	pid_t parent = getpid(), child = fork();
	char log[96];
	int fd;

	if (child != 0)
		return child;
	for (size_t i = 1; arguments[i] && i + 1 < ARRAY_LEN(words); i++)
		words[i] = arguments[i];
	(void)snprintf(log, sizeof(log), "%s/log", cluster->directory);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(98);
	if (getuid() == 0 &&
	    (initgroups("postgres", user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
		_exit(98);
	/* A test that is killed leaves no server behind. SIGINT: fast shutdown. */
	if (prctl(PR_SET_PDEATHSIG, SIGINT) < 0 || getppid() != parent || chdir(cluster->directory) < 0)
		_exit(98);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	(void)execv(words[0], words);
	_exit(97);
}

static void expect_exit(pid_t pid, const char *what)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		fail_program("%s ended with status %x", what, (unsigned)status);
}

static bool ask(const char *dsn, const char *sql, char *out, size_t size)
{
	PGconn *pg = PQconnectdb(dsn);
	bool done = false;

	if (PQstatus(pg) == CONNECTION_OK) {
		PGresult *result = PQexec(pg, sql);

		done = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;
		if (done && out)
			(void)snprintf(out, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
		PQclear(result);
	}
	PQfinish(pg);
	return done;
}

void cluster_sql(const struct cluster *cluster, const char *sql, char *out, size_t size)
{
	if (!ask(cluster->admin, sql, out, size))
		fail_program("cannot: %s", sql);
}

void cluster_up(struct cluster *cluster)
{
	char *const arguments[] = {(char[]){"postgres"},
				   (char[]){"-D"},
				   (char[]){"data"},
				   (char[]){"-k"},
				   cluster->directory,
				   (char[]){"-c"},
				   (char[]){"listen_addresses="},
				   (char[]){"-c"},
				   (char[]){"fsync=off"},
				   (char[]){"-c"},
				   (char[]){"max_connections=50"},
				   (char[]){"-c"},
				   (char[]){"shared_buffers=16MB"},
				   NULL};
	static const struct timespec pause = {.tv_nsec = 20000000};

	cluster->server = spawn(cluster, "postgres", arguments);
	for (int i = 0; i < 1500; i++) {
		char postgres_dsn[192];

		(void)snprintf(postgres_dsn, sizeof(postgres_dsn), "%s dbname=postgres", cluster->admin);
		if (ask(postgres_dsn, "SELECT 1", NULL, 0))
			return;
		if (waitpid(cluster->server, NULL, WNOHANG) == cluster->server)
			break;
		(void)nanosleep(&pause, NULL);
	}
	fail_program("the server does not start; see %s/log", cluster->directory);
}

void cluster_down(struct cluster *cluster, bool hard)
{
	/* SIGQUIT: its children end at once and nothing is written, so the next start recovers as after a crash. */
	(void)kill(cluster->server, hard ? SIGQUIT : SIGINT);
	while (waitpid(cluster->server, NULL, 0) < 0 && errno == EINTR)
		;
	cluster->server = 0;
}

void cluster_restart(struct cluster *cluster, bool hard)
{
	cluster_down(cluster, hard);
	cluster_up(cluster);
}

static void report(void *context, const char *name)
{
}

void cluster_start(struct cluster *cluster)
{
	static const char roles[] =
		"CREATE ROLE tenant_control_owner NOLOGIN; CREATE ROLE tenant_control_lookup NOLOGIN; "
		"GRANT tenant_control_lookup TO tenant_control_owner; "
		"CREATE ROLE \"tenant-control\" LOGIN";
	char *const arguments[] = {(char[]){"initdb"},
				   (char[]){"-D"},
				   (char[]){"data"},
				   (char[]){"-A"},
				   (char[]){"trust"},
				   (char[]){"-U"},
				   (char[]){"postgres"},
				   (char[]){"-N"},
				   (char[]){"--locale=C.UTF-8"}, /* the caller's may not be there */
				   (char[]){"--encoding=UTF8"},
				   (char[]){"--no-instructions"},
				   NULL};
	struct problem problem = {0};
	char database[192];

	(void)snprintf(cluster->directory, sizeof(cluster->directory), "/tmp/tenant-control-test-XXXXXX");
	if (!mkdtemp(cluster->directory))
		fail_program("no temporary directory");
	if (getuid() == 0 && chown(cluster->directory, postgres()->pw_uid, postgres()->pw_gid) < 0)
		fail_program("chown");
	if (chmod(cluster->directory, 0755) < 0)
		fail_program("chmod");
	expect_exit(spawn(cluster, "initdb", arguments), "initdb");
	(void)snprintf(cluster->admin, sizeof(cluster->admin), "host=%s user=postgres", cluster->directory);
	cluster_up(cluster);
	cluster_sql(cluster, roles, NULL, 0);
	cluster_sql(cluster, "CREATE DATABASE control OWNER tenant_control_owner", NULL, 0);
	(void)snprintf(cluster->admin, sizeof(cluster->admin), "host=%s user=postgres dbname=control",
		       cluster->directory);
	(void)snprintf(cluster->service, sizeof(cluster->service), "host=%s user=tenant-control dbname=control",
		       cluster->directory);
	(void)snprintf(database, sizeof(database), "%s", cluster->admin);
	if (migrate(database, false, report, NULL, &problem) < 0)
		fail_program("migrate: %s", problem.text);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	return remove(path);
}

void cluster_stop(struct cluster *cluster)
{
	if (cluster->server > 0)
		cluster_down(cluster, true);
	(void)nftw(cluster->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
