/* SPDX-License-Identifier: MIT
 *
 * Which process is it? A pid alone may name another process tomorrow.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* When it started, in clock ticks since boot (field 22 of /proc/PID/stat). -ESRCH: no such process, or it
 * is dead already and waits for its parent. */
int process_start(pid_t pid, uint64_t *ret);
/* A descriptor that stands for exactly the process that started then; -ESRCH: there is no such one. */
int process_open(pid_t pid, uint64_t start);
