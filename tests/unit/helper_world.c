/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "helper_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"

#define CGROUPS "/sys/fs/cgroup/"

static bool is_there;
static char outer[256]; /* our cgroup, as the host sees it */

static bool write_file(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool make_folder(const char *path)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static bool make_outer(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char procs[300];

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		struct statfs kind;

		if (statfs(roots[i], &kind) < 0 || kind.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		snprintf(outer, sizeof(outer), "%s/tenantd-test-%d", roots[i], (int)getpid());
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", outer);
		return make_folder(outer) && write_file(procs, "0");
	}
	return false;
}

static void remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char below[512];

	while (folder && (entry = readdir(folder)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    (size_t)snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < sizeof(below))
			remove_tree(below);
	if (folder)
		closedir(folder);
	rmdir(path);
}

static bool mount_all(void)
{
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("proc", "/proc", "proc", 0, NULL) == 0 &&
	       mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0 && make_folder("/run/systemd") &&
	       make_folder("/var/lib/systemd") && mount("tmpfs", "/var/lib/systemd", "tmpfs", 0, "mode=755") == 0 &&
	       mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620") == 0;
}

static _Noreturn void end_as(int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* The first process of a PID namespace is none like others (it cannot be traced, say): the test is its child, and gets
 * whoever loses their parent all the same. */
static void leave_the_first(void)
{
	int status = 0;
	pid_t child = fork();

	if (child > 0) {
		while (waitpid(-1, &status, 0) != child)
			;
		/* Not by exit(): what is written at the end is written once. */
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* The process in the middle stays in the old PID namespace, and takes the new one with it when it ends. */
static void enter_namespaces(void)
{
	int status = 0;
	pid_t child;

	if (!make_outer() || unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWPID) < 0)
		return;
	child = fork();
	if (child > 0) {
		waitpid(child, &status, 0);
		end_as(status);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	is_there = child == 0 && mount_all();
	if (!is_there)
		fprintf(stderr, "this process may not have a host of its own: %s\n", strerror(errno));
	else
		leave_the_first();
}

void world_enter(void)
{
	pid_t child;
	int status = 0;

	if (geteuid() != 0)
		return;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter_namespaces();
		return;
	}
	if (child < 0)
		return;
	snprintf(outer, sizeof(outer), "tenantd-test-%d", (int)child);
	waitpid(child, &status, 0);
	for (unsigned i = 0; i < 20; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/sys/fs/cgroup/unified/%s", outer);
		remove_tree(path);
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", outer);
		remove_tree(path);
		if (access(path, F_OK) < 0)
			break;
		usleep(10000);
	}
	end_as(status);
}

bool world_is_there(void)
{
	return is_there;
}

bool world_has_namespaces(void)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void make_folders(const char *path)
{
	char part[512];

	for (const char *at = path + 1; (at = strchr(at, '/')); at++) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		assert_true(make_folder(part));
	}
}

void world_make_cgroup(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), CGROUPS "%s/", path);
	make_folders(whole);
}

void world_remove_cgroup(const char *path)
{
	char whole[512];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(whole, sizeof(whole), CGROUPS "%s", path);
		if (rmdir(whole) == 0 || errno != EBUSY)
			break;
		usleep(10000);
	}
	for (char *slash; (slash = strrchr(whole, '/')) && slash >= whole + sizeof(CGROUPS) - 1;) {
		*slash = '\0';
		if (rmdir(whole) < 0)
			break;
	}
}

void world_write(const char *path, const char *text)
{
	make_folders(path);
	assert_true(write_file(path, text));
}

pid_t world_fork(int *ret_ready)
{
	int ends[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		*ret_ready = ends[1];
		return 0;
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

_Noreturn void world_be_ready(int ready)
{
	(void)!write(ready, "", 1);
	for (;;)
		pause();
}

void world_become(uint32_t real, uint32_t effective, uint32_t saved, const char *cgroup)
{
	char procs[512];

	if (cgroup) {
		snprintf(procs, sizeof(procs), CGROUPS "%s/cgroup.procs", cgroup);
		if (!write_file(procs, "0"))
			_exit(101);
	}
	if (setgroups(0, NULL) < 0 || setresgid(effective, effective, effective) < 0 ||
	    setresuid(real, effective, saved) < 0)
		_exit(102);
}

pid_t world_start_ids(uint32_t real, uint32_t effective, uint32_t saved, const char *cgroup, enum world_manner manner)
{
	int ready;
	pid_t pid = world_fork(&ready);

	if (pid > 0)
		return pid;
	for (int number = 1; manner == WORLD_STUBBORN && number < 32; number++)
		if (number != SIGKILL && number != SIGSTOP)
			signal(number, SIG_IGN);
	world_become(real, effective, saved, cgroup);
	world_be_ready(ready);
}

pid_t world_start(uint32_t uid, const char *cgroup, enum world_manner manner)
{
	return world_start_ids(uid, uid, uid, cgroup, manner);
}

int world_ended_by(pid_t pid, unsigned milliseconds)
{
	int status;

	for (unsigned i = 0;; i++) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		assert_true(got >= 0);
		if (got == pid)
			return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		if (i >= milliseconds)
			return -1;
		usleep(1000);
	}
}

bool world_is_alive(pid_t pid)
{
	return world_ended_by(pid, 0) == -1;
}

void world_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
