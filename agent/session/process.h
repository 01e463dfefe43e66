/* SPDX-License-Identifier: MIT
 *
 * Which process is it? A pid alone may name another process tomorrow.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* What /proc/PID/stat says of it. */
struct process_stat {
	pid_t parent, session; /* POSIX session: its leader's pid */
	uint32_t terminal;     /* the controlling terminal's device number; 0: none */
	uint64_t start;        /* in clock ticks since boot (field 22) */
};
/* -ESRCH: no such process, or it is dead already and waits for its parent. */
int process_stat(pid_t pid, struct process_stat *ret);
int process_start(pid_t pid, uint64_t *ret);
/* A descriptor that stands for exactly the process that started then; -ESRCH: there is no such one. */
int process_open(pid_t pid, uint64_t start);
