/* SPDX-License-Identifier: MIT */
#include "helper/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/parse.h"
#include "helper/processes.h"
#include "nss_module/subid_blocks.h"

#define LIST_MAX 65536U /* more are found when these have ended */
#define ALL_IDS 4294967295UL

void stray_list_finish(struct stray_list *list)
{
	free(list->items);
	*list = (struct stray_list){0};
}

static int add(struct stray_list *list, struct stray stray)
{
	if (list->count == LIST_MAX)
		return 0;
	if (list->count == list->room) {
		struct stray *grown = reallocarray(list->items, list->room * 2 + 64, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = list->room * 2 + 64;
	}
	list->items[list->count++] = stray;
	return 0;
}

/* By the ids of its user namespace: ours has all of them. One that its process made by itself has none yet, or the
 * process's own: more than one is given by root, or with newuidmap to the person, whose own rights reach it then. */
static bool is_in_container(pid_t pid)
{
	_cleanup_(closep) int fd = -1;
	enum { INSIDE, OUTSIDE, COUNT, NUMBERS };
	unsigned long ids[NUMBERS];
	char path[64], map[512];
	const char *end;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, map, sizeof(map) - 1);
	if (got < 0)
		return true; /* it ended */
	map[got] = '\0';
	if (got == 0)
		return false;
	end = parse_numbers(map, ids, NUMBERS);
	if (!end || strcmp(end, "\n") != 0)
		return true;
	return ids[COUNT] != 1 && !(ids[INSIDE] == 0 && ids[OUTSIDE] == 0 && ids[COUNT] == ALL_IDS);
}

struct reading {
	struct stray_list *list;
	int result;
};

static void look_at(void *context, pid_t pid)
{
	struct reading *reading = context;
	struct process process;
	uint32_t real, saved;

	if (process_read(pid, &process) < 0 || process.is_over)
		return;
	real = subid_owner(process.uid);
	saved = subid_owner(process.saved_uid);
	if ((!real && !saved) || is_in_container(pid))
		return;
	if (real && reading->result == 0)
		reading->result = add(reading->list, (struct stray){pid, process.uid, real});
	if (saved && process.saved_uid != process.uid && reading->result == 0)
		reading->result = add(reading->list, (struct stray){pid, process.saved_uid, saved});
}

static int compare_ids(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int stray_list_read(struct stray_list *list)
{
	struct reading reading = {.list = list};
	int result;

	list->count = 0;
	result = processes_each(look_at, &reading);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_ids);
	return result < 0 ? result : reading.result;
}
