/* SPDX-License-Identifier: MIT */
#include "cgroup_fixture.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "records/records.h"
#include "session/scope.h"

#define PROCESSES_MAX 32
#define REMOVE_TRIES 200

static pid_t processes[PROCESSES_MAX];

/* Tests run side by side. */
uint32_t cgroup_fixture_uid(void)
{
	return MANAGED_ID_FIRST + 4000000U + (uint32_t)getpid() % 1000000U;
}

/* What an agent would not make is made with it: user.slice above the user's. */
static bool make_slice(void)
{
	char path[SCOPE_PATH_SIZE], *last;

	scope_slice_path(cgroup_fixture_uid(), path);
	last = strrchr(path, '/');
	*last = '\0';
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return false;
	*last = '/';
	return mkdir(path, 0755) == 0 || errno == EEXIST;
}

bool cgroup_fixture_works(void)
{
	char path[SCOPE_PATH_SIZE];

	if (!make_slice())
		return false;
	scope_slice_path(cgroup_fixture_uid(), path);
	(void)strncat(path, "/cgroup.procs", sizeof(path) - strlen(path) - 1);
	if (access(path, W_OK) == 0)
		return true;
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
	return false;
}

void cgroup_fixture_begin(void)
{
	assert_true(make_slice());
}

/* The kernel may take a moment after a process is gone. */
static int remove_cgroup(const char *path)
{
	int result = rmdir(path);

	for (int i = 0; i < REMOVE_TRIES && result < 0 && errno == EBUSY; i++) {
		usleep(1000);
		result = rmdir(path);
	}
	return result;
}

void cgroup_fixture_end(void)
{
	char slice[SCOPE_PATH_SIZE], path[SCOPE_PATH_SIZE + NAME_MAX + 1];
	struct dirent *entry;
	DIR *folder;

	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (processes[i])
			cgroup_fixture_kill(processes[i]);
	scope_slice_path(cgroup_fixture_uid(), slice);
	folder = opendir(slice);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", slice, entry->d_name);
		(void)remove_cgroup(path);
	}
	if (folder)
		closedir(folder);
	(void)remove_cgroup(slice);
	*strrchr(slice, '/') = '\0';
	(void)rmdir(slice); /* unless another test is at it */
}

void cgroup_fixture_make(const char *scope)
{
	char path[SCOPE_PATH_SIZE];

	scope_path(cgroup_fixture_uid(), scope, "", path);
	assert_int_equal(mkdir(path, 0755), 0);
}

void cgroup_fixture_remove(const char *scope)
{
	char path[SCOPE_PATH_SIZE];

	scope_path(cgroup_fixture_uid(), scope, "", path);
	assert_int_equal(remove_cgroup(path), 0);
}

void cgroup_fixture_move(const char *scope, pid_t pid)
{
	char path[SCOPE_PATH_SIZE], text[16];
	_cleanup_(closep) int fd = -1;
	int length;

	if (*scope) {
		scope_path(cgroup_fixture_uid(), scope, "cgroup.procs", path);
	} else {
		scope_slice_path(cgroup_fixture_uid(), path);
		(void)strncat(path, "/cgroup.procs", sizeof(path) - strlen(path) - 1);
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	length = snprintf(text, sizeof(text), "%d", (int)pid);
	assert_int_equal(write(fd, text, (size_t)length), length);
}

pid_t cgroup_fixture_process(const char *scope)
{
	size_t i = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	while (i < PROCESSES_MAX && processes[i])
		i++;
	assert_true(i < PROCESSES_MAX);
	processes[i] = pid;
	if (scope)
		cgroup_fixture_move(scope, pid);
	return pid;
}

void cgroup_fixture_kill(pid_t pid)
{
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (processes[i] == pid)
			processes[i] = 0;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
