/* SPDX-License-Identifier: MIT
 *
 * A session's scope as the kernel shows it: the cgroup user.slice/user-<uid>.slice/session-<name>.scope, which logind
 * had made for it and which nobody but root can move a process into or out of. In the second version of cgroups,
 * mounted alone or beside the first; without it nothing has a scope.
 *
 * A name is given again. Which cgroup it is, its inode number says, which is not given again before a reboot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/session.h"

bool scope_name_is_valid(const char *name); /* logind's own: letters and digits, 1 to SESSION_SCOPE_SIZE-1 */
/* The scope of `uid` that the process is in, or below. -ENOENT: none of theirs; -ESRCH: no such process. */
int scope_of_process(pid_t pid, uint32_t uid, char ret[SESSION_SCOPE_SIZE]);
/* Where it is: `file` in it, or "" for the folder. */
#define SCOPE_PATH_SIZE 160
void scope_path(uint32_t uid, const char *name, const char *file, char out[SCOPE_PATH_SIZE]);
void scope_slice_path(uint32_t uid, char out[SCOPE_PATH_SIZE]); /* the folder that it is in */
/* 0; -ENOENT: there is none of that name. */
int scope_identify(uint32_t uid, const char *name, uint64_t *ret_inode);
/* 1: there are processes in it or below; 0: not one, or it is gone; negative: nobody can say. */
int scope_is_populated(uint32_t uid, const char *name, uint64_t inode);
/* The same, but for one process, that is known to live. */
int scope_has_others(uint32_t uid, const char *name, uint64_t inode, pid_t but);
