/* SPDX-License-Identifier: MIT */
#include "helper/end_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/parse.h"
#include "records/records.h"
#include "session/process.h"

#define CGROUP_FILE_MAX (4U * 1024U * 1024U)
#define DEPTH_MAX 16U
#define PROCESSES_MAX 2048U /* looked at in one go; more of them are no less there */
#define HOST_PROCESSES_MAX (4U * 1024U * 1024U)
#define ROUNDS_MAX 64U /* of looking again for what was left, or forked meanwhile */
#define POLL_MSEC 100U

/* Where the second version of cgroups is mounted: alone, or beside the first. */
static const char *const cgroup_roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/* The session's scope; both "" where it has none that can be looked into. */
struct place {
	char scope[256], folder[320];
};

struct processes {
	pid_t *pids;
	size_t count;
};

int end_session_check(const struct helper_request *request)
{
	uint64_t start;
	int result;

	if (request->magic != HELPER_MAGIC || request->verb != HELPER_KILL_SESSION || request->leader <= 1)
		return -EINVAL;
	if (request->uid < MANAGED_ID_FIRST || request->uid > MANAGED_ID_LAST)
		return -EPERM;
	result = process_start(request->leader, &start);
	if (result < 0)
		return result;
	return start == request->leader_start ? 0 : -ESRCH;
}

bool end_session_scope(const char *text, uint32_t uid, char *out, size_t size)
{
	char prefix[64];
	const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::"), *end, *id;
	size_t length;

	if (!line)
		return false;
	line += *line == '\n' ? 4 : 3;
	end = strchrnul(line, '\n');
	length = (size_t)snprintf(prefix, sizeof(prefix), "/user.slice/user-%u.slice/session-", uid);
	if (strncmp(line, prefix, length) != 0)
		return false;
	/* logind's own ids: letters and digits. Nothing below the scope either: the scope is what ends. */
	id = line + length;
	length = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	if (length == 0 || strncmp(id + length, ".scope", 6) != 0 || id + length + 6 != end ||
	    (size_t)(end - line) >= size)
		return false;
	memcpy(out, line, (size_t)(end - line));
	out[end - line] = '\0';
	return true;
}

static int read_text(const char *path, struct buffer *ret)
{
	struct stat st;

	buffer_clear(ret);
	return file_read(AT_FDCWD, path, CGROUP_FILE_MAX, FILE_TRUST_ANY, 0, ret, &st);
}

/* A full list is no error: a session must not be safe from its end by having many processes. */
static void add(struct processes *list, pid_t pid)
{
	if (list->count < PROCESSES_MAX)
		list->pids[list->count++] = pid;
}

/* All processes of the scope and below it. -ENOENT: it is gone; what is gone below it is no matter. */
static int list_cgroup(const char *path, struct processes *list, unsigned depth)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char file[512];
	struct dirent *entry;
	const char *all;
	DIR *folder;
	int result;

	if (depth > DEPTH_MAX || (size_t)snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= sizeof(file))
		return 0;
	result = read_text(file, &text);
	if (result < 0 && depth > 0)
		return 0;
	if (result < 0)
		return result == -ENODEV ? -ENOENT : result;
	all = buffer_text(&text);
	for (char *end; all && *all; all = end) {
		long pid = strtol(all, &end, 10);

		if (end == all)
			break;
		if (pid > 1)
			add(list, (pid_t)pid);
		end += *end == '\n';
	}
	folder = opendir(path);
	while (folder && list->count < PROCESSES_MAX && (entry = readdir(folder))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < sizeof(file))
			(void)list_cgroup(file, list, depth + 1);
	}
	if (folder)
		closedir(folder);
	return 0;
}

struct relation {
	pid_t pid, parent;
	uint32_t uid;
	enum { UNKNOWN, ON_THE_WAY, BELOW, APART } place; /* seen from the leader */
};

static bool read_relation(const char *name, struct relation *ret)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[64];
	const char *status, *line;
	uint32_t pid;

	if (parse_u32(name, &pid) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	status = read_text(path, &text) >= 0 ? buffer_text(&text) : NULL;
	if (!status)
		return false;
	*ret = (struct relation){.pid = (pid_t)pid};
	line = strstr(status, "\nState:");
	if (!line || line[7 + strspn(line + 7, " \t")] == 'Z') /* over, and waiting for its parent */
		return false;
	line = strstr(status, "\nPPid:");
	if (!line)
		return false;
	ret->parent = (pid_t)strtol(line + 6, NULL, 10);
	line = strstr(status, "\nUid:");
	if (!line)
		return false;
	ret->uid = (uint32_t)strtoul(line + 5, NULL, 10);
	return true;
}

static int compare_pids(const void *a, const void *b)
{
	const struct relation *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* All processes of the host, by pid. NULL: out of memory, or no /proc. */
static struct relation *list_relations(size_t *ret_count)
{
	struct relation *all = NULL;
	DIR *folder = opendir("/proc");
	size_t count = 0, room = 0;
	struct dirent *entry;

	while (folder && count < HOST_PROCESSES_MAX && (entry = readdir(folder))) {
		if (count == room) {
			struct relation *grown = reallocarray(all, room += 4096, sizeof(*all));

			if (!grown)
				break;
			all = grown;
		}
		count += read_relation(entry->d_name, &all[count]);
	}
	if (folder)
		closedir(folder);
	if (all)
		qsort(all, count, sizeof(*all), compare_pids);
	*ret_count = count;
	return all;
}

/* Goes up from `start` until something is known, and writes it down for all who were met. */
static void find_place(struct relation *all, size_t count, struct relation *start, pid_t leader)
{
	struct relation *at = start;
	int place = APART;

	while (at && at->place == UNKNOWN && at->parent != leader) {
		at->place = ON_THE_WAY;
		at = bsearch(&(struct relation){.pid = at->parent}, all, count, sizeof(*all), compare_pids);
	}
	if (at && (at->place == BELOW || at->place == UNKNOWN)) { /* unknown: the leader's own child */
		at->place = BELOW;
		place = BELOW;
	}
	for (at = start; at && at->place == ON_THE_WAY;) {
		at->place = place;
		at = bsearch(&(struct relation){.pid = at->parent}, all, count, sizeof(*all), compare_pids);
	}
}

/* What descends from the leader and runs as the user. */
static int list_descendants(const struct helper_request *request, struct processes *list)
{
	size_t count;
	_cleanup_(freep) struct relation *all = list_relations(&count);

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		find_place(all, count, &all[i], request->leader);
		if ((all[i].place == BELOW || all[i].pid == request->leader) && all[i].uid == request->uid)
			add(list, all[i].pid);
	}
	return 0;
}

/* The processes of the session, now. */
static int list_session(const struct helper_request *request, const struct place *place, struct processes *list)
{
	list->count = 0;
	return place->scope[0] ? list_cgroup(place->folder, list, 0) : list_descendants(request, list);
}

/* Is the process still one of the session? Its number may be somebody else's since it was listed. */
static bool is_of_session(const struct helper_request *request, const struct place *place, pid_t pid)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct relation relation;
	const char *cgroup;
	char name[64];

	if (!place->scope[0]) {
		snprintf(name, sizeof(name), "%d", pid);
		return read_relation(name, &relation) && relation.uid == request->uid;
	}
	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	if (read_text(name, &text) < 0 || !(cgroup = buffer_text(&text)))
		return false;
	cgroup = strncmp(cgroup, "0::", 3) == 0 ? cgroup : strstr(cgroup, "\n0::");
	if (!cgroup)
		return false;
	cgroup += *cgroup == '\n' ? 4 : 3;
	return strncmp(cgroup, place->scope, strlen(place->scope)) == 0 && strchr("/\n", cgroup[strlen(place->scope)]);
}

static void signal_all(const struct helper_request *request, const struct place *place, const struct processes *list,
		       int signal_number)
{
	for (size_t i = 0; i < list->count; i++) {
		_cleanup_(closep) int pidfd = -1;

		if (list->pids[i] == getpid())
			continue;
		pidfd = (int)syscall(SYS_pidfd_open, list->pids[i], 0);
		/* Looked at after the descriptor is held, so the signal reaches what was looked at. */
		if (pidfd >= 0 && is_of_session(request, place, list->pids[i]))
			(void)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
	}
}

static void sleep_msec(unsigned milliseconds)
{
	struct timespec span = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};

	nanosleep(&span, NULL);
}

/* The kernel ends a cgroup in one go, so nothing can fork away. False: it cannot (before 5.14). */
static bool kill_cgroup(const struct place *place)
{
	char path[512];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/cgroup.kill", place->folder);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

static int end(const struct helper_request *request, const struct place *place, struct processes *list)
{
	int result = list_session(request, place, list);

	if (result < 0)
		return result == -ENOENT ? 0 : result; /* the scope went by itself */
	signal_all(request, place, list, SIGHUP);
	signal_all(request, place, list, SIGCONT);
	for (unsigned waited = 0; list->count > 0 && waited < END_GRACE_SECONDS * 1000; waited += POLL_MSEC) {
		sleep_msec(POLL_MSEC);
		result = list_session(request, place, list);
		if (result < 0)
			return result == -ENOENT ? 0 : result;
	}
	for (unsigned round = 0; list->count > 0 && round < ROUNDS_MAX; round++) {
		if (!place->scope[0] || !kill_cgroup(place))
			signal_all(request, place, list, SIGKILL);
		sleep_msec(POLL_MSEC);
		result = list_session(request, place, list);
		if (result < 0)
			return result == -ENOENT ? 0 : result;
	}
	return list->count > 0 ? -EBUSY : 0;
}

/* Where nobody can look into the scope (another way of mounting cgroups) the leader's descendants are the session:
 * a folder that is not there must not pass for one that went. */
static void find_folder(struct place *place)
{
	char file[360];

	for (size_t i = 0; i < ARRAY_LEN(cgroup_roots); i++) {
		snprintf(place->folder, sizeof(place->folder), "%s%s", cgroup_roots[i], place->scope);
		snprintf(file, sizeof(file), "%s/cgroup.procs", place->folder);
		if (access(file, R_OK) == 0)
			return;
	}
	*place = (struct place){0};
}

int end_session_run(const struct helper_request *request)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(freep) pid_t *pids = calloc(PROCESSES_MAX, sizeof(pid_t));
	_cleanup_(closep) int pidfd = -1;
	struct processes list = {.pids = pids};
	struct place place = {0};
	char path[64];
	const char *cgroup;
	int result = end_session_check(request);

	if (result < 0)
		return result;
	if (!pids)
		return -ENOMEM;
	/* Holds on to the very process: what is read of its number after this is read of it, or not at all. */
	pidfd = process_open(request->leader, request->leader_start);
	if (pidfd < 0)
		return pidfd;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", request->leader);
	result = read_text(path, &text);
	if (result < 0)
		return result;
	result = end_session_check(request);
	if (result < 0)
		return result;
	cgroup = buffer_text(&text);
	if (cgroup && end_session_scope(cgroup, request->uid, place.scope, sizeof(place.scope)))
		find_folder(&place);
	return end(request, &place, &list);
}
