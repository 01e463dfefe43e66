/* SPDX-License-Identifier: MIT
 *
 * A whole API-key login (pam_start, pam_authenticate, pam_acct_mgmt) through the real libpam with pam_tenant.so,
 * beside the same transaction with pam_permit.so, in turns. Budget: at most 2 × pam_permit on a host as Debian
 * sets it up, where libpam also loads what /etc/pam.d/other names. A second row leaves that out, so that nothing
 * hides in it. In both no answer waits for the disk (audit.durability: relaxed); a third row has them wait, beside
 * pam_permit and a bare write of an event to the same disk.
 *
 *     bench_pam                                           starts the tenantd beside it, with one person
 *     bench_pam --socket=PATH --user=NAME --key=FILE      uses an agent that runs
 *
 * Every transaction loads the modules and what they need from scratch, as a new sshd child does: the
 * program itself links neither libtenant nor jansson, and says so if that changes. Who the person is for
 * libpam is this file's getpwnam_r, so that the host's NSS is no part of either side.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "measure.h"

#define ROUNDS 41U
#define LOGINS_PER_ROUND 25U
#define WARM_UP 20U
#define BUDGET 2.0
#define UID 1879048200U
#define START_MSEC 5000U
#define EVENT_BYTES 1200U /* about what one event takes in the spool */

static char folder[64], build[400], user[64] = "bench", key[256];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_pam: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the names in pwd.h are reserved ones */
_public_ int getpwnam_r(const char *name, struct passwd *record, char *buffer, size_t size, struct passwd **ret)
{
	*ret = NULL;
	if (strcmp(name, user) != 0)
		return 0;
	if (size < sizeof(user))
		return ERANGE;
	memset(record, 0, sizeof(*record));
	record->pw_name = strcpy(buffer, user);
	record->pw_uid = record->pw_gid = UID;
	*ret = record;
	return 0;
}

static FILE *create(const char *name)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	if (!file)
		die(path);
	return file;
}

static void finish(FILE *file)
{
	if (fclose(file) != 0)
		die("writing");
}

static void write_directory(void)
{
	char id[API_KEY_ID_CHARS + 1], hex[2 * SHA256_BYTES + 1];
	uint8_t verifier[SHA256_BYTES];
	FILE *file = create("directory.yaml");

	if (api_key_make(API_KEY_PERSON, key, id) < 0 || api_key_verifier(key, strlen(key), verifier) < 0)
		die("key");
	text_to_hex(verifier, sizeof(verifier), hex);
	fprintf(file,
		"version: 1\n"
		"tenants:\n"
		"  - {id: ten_a, slug: acme, name: Acme, region: eu, gid: 1879048192, status: active,\n"
		"     ids: {first: 1879048192, count: 65536, next: 1879048201}}\n"
		"projects:\n"
		"  - {id: prj_v, tenant: ten_a, slug: vision, gid: 1879048193}\n"
		"users:\n"
		"  - {id: usr_b, tenant: ten_a, login: %s, uid: %u, kind: person, name: Bench}\n"
		"members:\n"
		"  - {user: usr_b, project: prj_v, role: editor}\n"
		"keys:\n"
		"  - {id: key_%s, user: usr_b, label: bench, verifier: \"sha256:%s\", created: 2026-01-01T00:00:00Z}\n"
		"hosts:\n"
		"  - {name: \"*\", serves: [{project: prj_v, login: [owner, editor]}]}\n",
		user, UID, id, hex);
	finish(file);
}

static pid_t start_agent(char *socket, size_t size, const char *durability)
{
	char program[512], config[160];
	unsigned char seal_key[32] = {1};
	struct stat st;
	pid_t pid;
	FILE *file;

	snprintf(socket, size, "%s/agent.sock", folder);
	write_directory();
	file = create("seal.key");
	if (fwrite(seal_key, sizeof(seal_key), 1, file) != 1)
		die("seal.key");
	finish(file);
	snprintf(config, sizeof(config), "%s/seal.key", folder);
	chmod(config, 0600);
	file = create("agent.yaml");
	fprintf(file,
		"log_level: error\n"
		"audit: {durability: %s}\n"
		"directory: {path: %s/directory.yaml}\n"
		"paths: {state: %s, run: %s, map: %s/nss.map, seal_key: %s/seal.key, agent_socket: %s/agent.sock, "
		"userdb_socket: %s/userdb.sock}\n",
		durability, folder, folder, folder, folder, folder, folder, folder);
	finish(file);
	snprintf(program, sizeof(program), "%s/tenantd", build);
	snprintf(config, sizeof(config), "%s/agent.yaml", folder);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "--config", config, (char *)NULL);
		die(program);
	}
	for (unsigned waited = 0; stat(socket, &st) < 0; waited += 10) {
		if (waited > START_MSEC || waitpid(pid, NULL, WNOHANG) != 0)
			die("the agent did not start");
		usleep(10000);
	}
	return pid;
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *context)
{
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

	(void)context;
	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++)
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			responses[i].resp = strdup(key);
	*ret = responses;
	return PAM_SUCCESS;
}

/* Microseconds from pam_start to pam_acct_mgmt. What follows only tidies up. */
static double login(const char *service, bool session)
{
	const struct pam_conv conversation = {.conv = converse};
	uint64_t start = measure_nsec(), end;
	pam_handle_t *pamh = NULL;

	if (pam_start_confdir(service, user, &conversation, folder, &pamh) != PAM_SUCCESS ||
	    pam_authenticate(pamh, 0) != PAM_SUCCESS || pam_acct_mgmt(pamh, 0) != PAM_SUCCESS) {
		fprintf(stderr, "bench_pam: the login by service %s failed\n", service);
		exit(1);
	}
	end = measure_nsec();
	/* The agent forgets a finished login when its session opens. */
	if (session && (pam_open_session(pamh, 0) != PAM_SUCCESS || pam_close_session(pamh, 0) != PAM_SUCCESS)) {
		fprintf(stderr, "bench_pam: the session of service %s failed\n", service);
		exit(1);
	}
	pam_end(pamh, PAM_SUCCESS);
	return (double)(end - start) / 1000.0;
}

/* What the disk takes for the one write that a login waits for, with nothing else to do. */
static double disk_usec(void)
{
	static const char record[EVENT_BYTES];
	uint64_t start;
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/floor", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	start = measure_nsec();
	if (fd < 0 || write(fd, record, sizeof(record)) != sizeof(record) || fdatasync(fd) < 0)
		die(path);
	start = measure_nsec() - start;
	close(fd);
	return (double)start / 1000.0;
}

static double disk_round_usec(void)
{
	double took[LOGINS_PER_ROUND];

	for (unsigned i = 0; i < LOGINS_PER_ROUND; i++)
		took[i] = disk_usec();
	return measure_median(took, LOGINS_PER_ROUND);
}

static double round_usec(const char *service, bool session)
{
	double took[LOGINS_PER_ROUND];

	for (unsigned i = 0; i < LOGINS_PER_ROUND; i++)
		took[i] = login(service, session);
	return measure_median(took, LOGINS_PER_ROUND);
}

static void write_services(const char *socket)
{
	FILE *file = create("login-tenant");

	fprintf(file, "auth required %s/pam_tenant.so socket=%s\naccount required %s/pam_tenant.so socket=%s\n", build,
		socket, build, socket);
	fprintf(file, "session required %s/pam_tenant.so socket=%s\n", build, socket);
	finish(file);
	file = create("login-permit");
	fprintf(file, "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n");
	finish(file);
}

static const char *const host_files[] = {"other", "common-auth", "common-account", "common-session", "common-password"};

/* What libpam reads beside the service's own file: Debian's, or nothing. */
static void write_other(bool of_host)
{
	for (size_t i = 0; i < ARRAY_LEN(host_files); i++) {
		char path[64], line[512];
		FILE *from = NULL, *to = create(host_files[i]);

		snprintf(path, sizeof(path), "/etc/pam.d/%s", host_files[i]);
		if (of_host && !(from = fopen(path, "re")))
			die(path);
		/* Not the module that is measured: on a host that has it installed it would be loaded twice. */
		while (from && fgets(line, sizeof(line), from))
			if (!strstr(line, "pam_tenant.so"))
				fputs(line, to);
		if (from)
			fclose(from);
		finish(to);
	}
}

static void end_agent(pid_t agent)
{
	char path[160];

	if (agent <= 0)
		return;
	kill(agent, SIGTERM);
	waitpid(agent, NULL, 0);
	snprintf(path, sizeof(path), "%s/agent.sock", folder);
	(void)unlink(path);
}

static void remove_folder(const char *name)
{
	const struct dirent *entry;
	char path[160];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	(void)rmdir(path);
}

static void tidy_up(void)
{
	static const char *const names[] = {
		"login-tenant",   "login-permit",    "other",          "common-auth",    "common-account",
		"common-session", "common-password", "directory.yaml", "seal.key",       "agent.yaml",
		"nss.map",        "agent.sock",      "userdb.sock",    "directory.last", "floor"};
	char path[160];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	remove_folder("sessions");
	remove_folder("ending");
	remove_folder("audit");
	if (rmdir(folder) < 0)
		fprintf(stderr, "bench_pam: %s stays: %s\n", folder, strerror(errno));
}

static void read_key(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(key, sizeof(key), file))
		die(path);
	key[strcspn(key, "\n")] = '\0';
	fclose(file);
}

/* The module's NEEDED entry must mean the library built beside it, but must not be loaded before. */
static void use_built_library(char **argv)
{
	char self[400], *slash;
	const char *path;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		die("/proc/self/exe");
	self[length] = '\0';
	strcpy(build, self);
	for (int i = 0; i < 3; i++) {
		slash = strrchr(build, '/');
		if (!slash)
			die("build folder");
		*slash = '\0';
	}
	path = getenv("LD_LIBRARY_PATH");
	if (path && strcmp(path, build) == 0)
		return;
	setenv("LD_LIBRARY_PATH", build, 1);
	execv(self, argv);
	die(self);
}

/* One row; `budget` 0: for information. `waits`: its answers wait for the disk, and so does the floor. */
static void compare(const char *what, double budget, bool waits)
{
	double tenant[ROUNDS], permit[ROUNDS], ratio[ROUNDS], median;

	for (unsigned i = 0; i < WARM_UP; i++) {
		login("login-tenant", true);
		login("login-permit", false);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		tenant[i] = round_usec("login-tenant", true);
		permit[i] = round_usec("login-permit", false) + (waits ? disk_round_usec() : 0);
		ratio[i] = tenant[i] / permit[i];
	}
	median = measure_median(ratio, ROUNDS);
	printf("| %s | %.0f µs | pam_permit%s %.0f µs | %.2f × |", what, measure_median(tenant, ROUNDS),
	       waits ? " and a write to the disk" : "", measure_median(permit, ROUNDS), median);
	if (budget > 0)
		printf(" at most %.1f × | %s |\n", budget, median <= budget ? "met" : "missed");
	else
		printf(" – | – |\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"user", required_argument, NULL, 'u'},
						{"key", required_argument, NULL, 'k'},
						{NULL, 0, NULL, 0}};
	char socket[100] = "";
	pid_t agent = -1;
	bool own;
	int option;

	use_built_library(argv);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 's':
			snprintf(socket, sizeof(socket), "%s", optarg);
			break;
		case 'u':
			snprintf(user, sizeof(user), "%s", optarg);
			break;
		case 'k':
			read_key(optarg);
			break;
		default:
			return 2;
		}
	if (dlopen("libjansson.so.4", RTLD_NOW | RTLD_NOLOAD))
		fprintf(stderr, "bench_pam: jansson is loaded already, which flatters the module\n");
	strcpy(folder, "/tmp/bench-pam-XXXXXX");
	if (!mkdtemp(folder))
		die("mkdtemp");
	own = !socket[0];
	if (own)
		agent = start_agent(socket, sizeof(socket), "relaxed");
	write_services(socket);
	printf("| transaction | with pam_tenant | floor | ratio | budget | |\n|---|---|---|---|---|---|\n");
	write_other(true);
	compare("PAM login by API key", BUDGET, false);
	write_other(false);
	compare("PAM login by API key, nothing else loaded", 0, false);
	if (own) {
		end_agent(agent);
		agent = start_agent(socket, sizeof(socket), "group");
		write_other(true);
		compare("PAM login by API key, answers wait for the disk", 0, true);
	}
	end_agent(agent);
	tidy_up();
	return 0;
}
