/* SPDX-License-Identifier: MIT */
#include "helper/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/parse.h"

#define LIST_MAX (4U * 1024U * 1024U) /* what a kernel has numbers for */
#define STATUS_MAX 4096

void pid_list_finish(struct pid_list *list)
{
	free(list->items);
	*list = (struct pid_list){0};
}

int pid_list_add(struct pid_list *list, pid_t pid)
{
	if (list->count == list->room) {
		pid_t *grown =
			list->count < LIST_MAX ? reallocarray(list->items, list->room * 2 + 512, sizeof(*grown)) : NULL;

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = list->room * 2 + 512;
	}
	list->items[list->count++] = pid;
	return 0;
}

int processes_each(each_process_fn call, void *context)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		uint32_t pid;

		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parse_u32(entry->d_name, &pid) == 0)
			call(context, (pid_t)pid);
	}
	closedir(folder);
	return 0;
}

struct reading {
	struct pid_list *list;
	int result;
};

static void add_read(void *context, pid_t pid)
{
	struct reading *reading = context;

	if (reading->result == 0)
		reading->result = pid_list_add(reading->list, pid);
}

int pid_list_read(struct pid_list *list)
{
	struct reading reading = {.list = list};
	int result;

	list->count = 0;
	result = processes_each(add_read, &reading);
	return result < 0 ? result : reading.result;
}

static bool number_behind(const char *status, const char *key, unsigned long *ret)
{
	const char *line = strstr(status, key);

	if (line)
		*ret = strtoul(line + strlen(key), NULL, 10);
	return line != NULL;
}

int process_read(pid_t pid, struct process *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[64], status[STATUS_MAX];
	enum { REAL, EFFECTIVE, SAVED, UIDS };
	unsigned long parent, threads, uids[UIDS];
	const char *state, *line;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	got = read(fd, status, sizeof(status) - 1);
	if (got <= 0)
		return got < 0 ? -errno : -ESRCH;
	status[got] = '\0';
	/* The name comes first, and the kernel escapes what could end its line: what follows is the kernel's word. */
	if (strncmp(status, "Name:\t", 6) != 0 || !(state = strstr(status, "\nState:\t")) ||
	    !number_behind(state, "\nPPid:\t", &parent) || !(line = strstr(state, "\nUid:\t")) ||
	    !(line = parse_numbers(line + strlen("\nUid:\t"), uids, UIDS)) ||
	    !number_behind(line, "\nThreads:\t", &threads))
		return -EPROTO;
	*ret = (struct process){
		.pid = pid,
		.parent = (pid_t)parent,
		.uid = (uint32_t)uids[REAL],
		.saved_uid = (uint32_t)uids[SAVED],
		.is_over = state[8] == 'X' || (state[8] == 'Z' && threads <= 1),
	};
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(status + 6, "\n"), status + 6);
	return 0;
}

int process_signal(pid_t pid, int signal_number, is_meant_fn is_meant, void *context)
{
	_cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return -errno;
	if (is_meant && !is_meant(context, pid))
		return -ECANCELED;
	return syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

/* ---- by descent --------------------------------------------------------------------------------- */

struct relation {
	struct process process;
	enum { UNKNOWN, ON_THE_WAY, BELOW, APART } place; /* seen from the leader */
};

struct family {
	struct relation *items;
	size_t count;
};

static int compare_pids(const void *a, const void *b)
{
	const struct relation *x = a, *y = b;

	return (x->process.pid > y->process.pid) - (x->process.pid < y->process.pid);
}

static struct relation *find(const struct family *all, pid_t pid)
{
	const struct relation key = {.process.pid = pid};

	return all->count ? bsearch(&key, all->items, all->count, sizeof(*all->items), compare_pids) : NULL;
}

/* Goes up from `start` until something is known, and writes it down for all who were met. */
static void find_place(const struct family *all, struct relation *start, pid_t leader)
{
	struct relation *at = start;
	int place = APART;

	while (at && at->place == UNKNOWN && at->process.pid != leader) {
		at->place = ON_THE_WAY;
		at = find(all, at->process.parent);
	}
	if (at && (at->place == BELOW || at->process.pid == leader)) {
		at->place = BELOW;
		place = BELOW;
	}
	for (at = start; at && at->place == ON_THE_WAY; at = find(all, at->process.parent))
		at->place = place;
}

static int read_family(struct family *all)
{
	_cleanup_(pid_list_finish) struct pid_list pids = {0};
	int result = pid_list_read(&pids);

	if (result < 0)
		return result;
	all->items = calloc(pids.count ? pids.count : 1, sizeof(*all->items));
	if (!all->items)
		return -ENOMEM;
	for (size_t i = 0; i < pids.count; i++) {
		struct relation *next = &all->items[all->count];

		if (process_read(pids.items[i], &next->process) == 0)
			all->count++;
	}
	qsort(all->items, all->count, sizeof(*all->items), compare_pids);
	return 0;
}

int processes_below(pid_t leader, uint32_t uid, struct pid_list *ret)
{
	struct family all = {0};
	int result = read_family(&all);

	ret->count = 0;
	for (size_t i = 0; result == 0 && i < all.count; i++) {
		struct relation *relation = &all.items[i];

		find_place(&all, relation, leader);
		if (relation->place == BELOW && relation->process.uid == uid && !relation->process.is_over)
			result = pid_list_add(ret, relation->process.pid);
	}
	free(all.items);
	return result;
}
