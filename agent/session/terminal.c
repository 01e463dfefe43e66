/* SPDX-License-Identifier: MIT */
#include "session/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/macros.h"
#include "session/process.h"

#define STEPS_MAX 2U      /* below the leader */
#define LOOKED_AT_MAX 64U /* processes */
#define CHILDREN_BYTES 1024U
#define MAJOR_TTY 4U /* Documentation/admin-guide/devices.txt of the kernel */
#define MAJOR_PTS 136U
#define KEY_STEP_SEC 8

struct search {
	uint32_t *devices;
	unsigned count, looked_at;
};

static void add(struct search *search, uint32_t device)
{
	for (unsigned i = 0; i < search->count; i++)
		if (search->devices[i] == device)
			return;
	if (search->count < SESSION_TERMINALS_MAX)
		search->devices[search->count++] = device;
}

static void look_at(struct search *search, pid_t pid, unsigned steps)
{
	_cleanup_(closep) int fd = -1;
	char path[64], text[CHILDREN_BYTES];
	struct process_stat stat;
	ssize_t got;
	long child;

	if (search->looked_at++ >= LOOKED_AT_MAX || process_stat(pid, &stat) < 0)
		return;
	if (stat.terminal && stat.session == pid)
		add(search, stat.terminal);
	if (steps == STEPS_MAX)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return;
	text[got] = '\0';
	/* A number that was cut at the end has no space behind it. */
	for (char *at = text, *end; (child = strtol(at, &end, 10)) > 0 && *end == ' '; at = end)
		look_at(search, (pid_t)child, steps + 1);
}

unsigned session_terminals(const struct session *session, uint32_t ret_devices[SESSION_TERMINALS_MAX])
{
	struct search search = {.devices = ret_devices};
	uint64_t start;

	look_at(&search, session->leader, 0);
	/* Looked at afterwards: what was read is the leader's if it is there still. */
	if (process_start(session->leader, &start) < 0 || start != session->leader_start)
		return 0;
	return search.count;
}

int terminal_last_key(uint32_t device, uint32_t uid, int64_t *ret)
{
	unsigned major_number = device >> 8 & 0xfff, minor_number = (device & 0xff) | (device >> 12 & 0xfff00);
	char path[32];
	struct stat st;

	if (major_number == MAJOR_PTS)
		(void)snprintf(path, sizeof(path), "/dev/pts/%u", minor_number);
	else if (major_number == MAJOR_TTY && minor_number < 64)
		(void)snprintf(path, sizeof(path), "/dev/tty%u", minor_number);
	else
		return -ENOENT;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(major_number, minor_number))
		return -ENOENT;
	/* A number of another devpts instance, which some container of the person's has mounted. */
	if (st.st_uid != uid)
		return -EPERM;
	*ret = (st.st_atime | (KEY_STEP_SEC - 1)) + 1;
	return 0;
}
