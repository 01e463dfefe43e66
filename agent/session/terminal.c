/* SPDX-License-Identifier: MIT */
#include "session/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/macros.h"
#include "session/process.h"

#define KEY_MAX (1LL << 40)
#define STEPS_MAX 2U      /* below the leader */
#define LOOKED_AT_MAX 64U /* processes */
#define CHILDREN_BYTES 1024U
#define MAJOR_TTY 4U /* Documentation/admin-guide/devices.txt of the kernel */
#define MAJOR_PTS 136U

struct search {
	uint32_t devices[SESSION_TERMINALS_MAX];
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
	struct search search = {.count = 0};
	uint64_t start;

	look_at(&search, session->leader, 0);
	/* Looked at afterwards: what was read is the leader's if it is there still. */
	if (process_start(session->leader, &start) < 0 || start != session->leader_start)
		return 0;
	memcpy(ret_devices, search.devices, search.count * sizeof(search.devices[0]));
	return search.count;
}

static unsigned major_of(uint32_t device)
{
	return device >> 8 & 0xfff;
}

static unsigned minor_of(uint32_t device)
{
	return (device & 0xff) | (device >> 12 & 0xfff00);
}

bool terminal_name(uint32_t device, char out[TERMINAL_NAME_SIZE])
{
	if (major_of(device) == MAJOR_PTS)
		(void)snprintf(out, TERMINAL_NAME_SIZE, "pts/%u", minor_of(device));
	else if (major_of(device) == MAJOR_TTY && minor_of(device) < 64)
		(void)snprintf(out, TERMINAL_NAME_SIZE, "tty%u", minor_of(device));
	else
		return false;
	return true;
}

int terminal_last_key(uint32_t device, uint32_t uid, int64_t *ret)
{
	char name[TERMINAL_NAME_SIZE], path[TERMINAL_NAME_SIZE + 8];
	struct stat st;

	if (!terminal_name(device, name))
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "/dev/%s", name);
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(major_of(device), minor_of(device)))
		return -ENOENT;
	/* A number of another devpts instance, which some container of the person's has mounted. */
	if (st.st_uid != uid)
		return -EPERM;
	/* Whose terminal it is may set it to anything. */
	if (st.st_atime < 0 || st.st_atime > KEY_MAX)
		return -ERANGE;
	*ret = (st.st_atime | (TERMINAL_KEY_STEP_SEC - 1)) + 1;
	return 0;
}

uint32_t session_main_terminal(const struct session *session)
{
	uint32_t devices[SESSION_TERMINALS_MAX], best = 0;
	unsigned count = session->left_behind ? 0 : session_terminals(session, devices);
	int64_t key, last = 0;

	for (unsigned i = 0; i < count; i++) {
		if (terminal_last_key(devices[i], session->uid, &key) < 0)
			key = 0;
		if (!best || key > last) {
			best = devices[i];
			last = key;
		}
	}
	return best;
}
