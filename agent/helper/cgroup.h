/* SPDX-License-Identifier: MIT
 *
 * The cgroups of one user: user-<uid>.slice and what lies in it, in the second version's hierarchy (mounted alone, or
 * beside the first). They are reached from the hierarchy's root without following a link or leaving the file system, by
 * names that are made of a number and of letters, so nobody else's can be meant.
 *
 * Only root moves processes into or out of these, but for what is below user@<uid>.service, which is the person's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/request.h"

enum cgroup_kind {
	CGROUP_ELSEWHERE, /* not within the user's slice */
	CGROUP_SESSION,   /* in session-<scope>.scope */
	CGROUP_MANAGER,   /* in user@<uid>.service/init.scope: the person's service manager itself */
	CGROUP_OTHER,     /* elsewhere in the slice */
};
struct cgroup_place {
	enum cgroup_kind kind;
	char scope[HELPER_SCOPE_MAX];
};

/* From the text of /proc/PID/cgroup. */
struct cgroup_place cgroup_place_parse(const char *text, uint32_t uid);
/* Where the process is now; -ESRCH: there is no such process. */
int cgroup_place_of(pid_t pid, uint32_t uid, struct cgroup_place *ret);

/* The folder of the user's slice, or (scope not NULL) of a session in it. -ENOENT: it is not there, or no hierarchy is
 * that could be looked into. The caller's to close. */
int cgroup_open(uint32_t uid, const char *scope);
/* A folder in one of these, by its name; -ENOENT. */
int cgroup_open_below(int folder, const char *name);

/* Calls for each process in it and below it, as they are read: one that is forked meanwhile has a higher number, and
 * is met as well where the kernel sorts them. 0, or -ENOENT: it is gone. */
typedef void (*cgroup_process_fn)(void *context, pid_t pid);
int cgroup_each_process(int folder, cgroup_process_fn call, void *context);
/* Calls for each folder in the slice; false from it: enough. */
typedef bool (*cgroup_folder_fn)(void *context, int slice, const char *name);
int cgroup_each_folder(int slice, cgroup_folder_fn call, void *context);

/* Ends all of it in one go, so that nothing can fork away. -ENOENT: the kernel cannot (before 5.14), or it is gone. */
int cgroup_kill(int folder);
/* Is any process in it or below it? A folder that went has none. */
bool cgroup_is_populated(int folder);
/* A descriptor that polls as POLLPRI when that has changed since it was last asked; negative: -errno. The caller's to
 * close. */
int cgroup_watch(int folder);
bool cgroup_watch_is_populated(int watch);
