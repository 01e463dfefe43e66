/* SPDX-License-Identifier: MIT
 *
 * Processes of the host: lists of them, what they are, and signals that reach the one that was looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pid_list {
	pid_t *items;
	size_t count, room;
};
void pid_list_finish(struct pid_list *list);
int pid_list_add(struct pid_list *list, pid_t pid);
/* All of the host, in place of what was in it. */
int pid_list_read(struct pid_list *list);
/* All of the host, by rising numbers, while they are read. 0, or -errno of /proc. */
typedef void (*each_process_fn)(void *context, pid_t pid);
int processes_each(each_process_fn call, void *context);

struct process {
	pid_t pid, parent;
	uint32_t uid; /* real */
	uint32_t saved_uid;
	char name[16];
	/* Nothing runs any more, it waits for its parent. A process whose first thread alone has ended runs on. */
	bool is_over;
};
int process_read(pid_t pid, struct process *ret); /* -ESRCH */

/* Opens a descriptor, then asks `is_meant` (NULL: it is), then signals what the descriptor stands for: a pid that was
 * given to another process meanwhile is asked about as that other one. 0; -ESRCH, -EPERM; -ECANCELED: it is not. */
typedef bool (*is_meant_fn)(void *context, pid_t pid);
int process_signal(pid_t pid, int signal_number, is_meant_fn is_meant, void *context);

/* What descends from the leader, and the leader itself, and runs as the user. */
int processes_below(pid_t leader, uint32_t uid, struct pid_list *ret);
