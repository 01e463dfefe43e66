/* SPDX-License-Identifier: MIT
 *
 * A little host for tests of the root helper: processes, control groups, terminals, /run and /var/lib/systemd of its
 * own (namespaces), so that what is signalled here reaches nobody else. Needs root; without it these tests are skipped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORLD_UID 1879048210U   /* whose sessions end */
#define WORLD_OTHER 1879048211U /* another of the tenants' people */
#define WORLD_LOCAL 1234U       /* a local account */

/* First of main(): returns in the new world, or in the old one when there is none (world_is_there says so). The process
 * around it waits, and ends as this one does. */
void world_enter(void);
bool world_is_there(void);
#define WORLD_OR_SKIP()                \
	do {                           \
		if (!world_is_there()) \
			skip();        \
	} while (0)
/* May the people of that world make user namespaces? Not in a chroot, where the kernel refuses them. */
bool world_has_namespaces(void);
#define NAMESPACES_OR_SKIP()                 \
	do {                                 \
		WORLD_OR_SKIP();             \
		if (!world_has_namespaces()) \
			skip();              \
	} while (0)

/* Makes a cgroup (and those above it): "user.slice/user-1879048210.slice/session-1.scope". */
void world_make_cgroup(const char *path);
void world_remove_cgroup(const char *path);           /* and those above it, as far as they are empty */
void world_write(const char *path, const char *text); /* a file, with the folders above it */

enum world_manner {
	WORLD_WILLING,  /* ends by any signal */
	WORLD_STUBBORN, /* by SIGKILL alone */
};
/* A process of root's that became `uid` (real, effective, saved), in `cgroup` (NULL: where the test is). */
pid_t world_start(uint32_t uid, const char *cgroup, enum world_manner manner);
/* The same with ids one by one. */
pid_t world_start_ids(uint32_t real, uint32_t effective, uint32_t saved, const char *cgroup, enum world_manner manner);
/* In a child of world_fork: it is ready. Pauses for ever. */
_Noreturn void world_be_ready(int ready);
/* Forks; the parent waits until the child called world_be_ready. 0: this is the child, which has *ret_ready. */
pid_t world_fork(int *ret_ready);
void world_become(uint32_t real, uint32_t effective, uint32_t saved, const char *cgroup);

/* The signal it ended by, -1 when it is alive; waits so long at most. */
int world_ended_by(pid_t pid, unsigned milliseconds);
bool world_is_alive(pid_t pid);
void world_end(pid_t pid); /* SIGKILL, and waits */
