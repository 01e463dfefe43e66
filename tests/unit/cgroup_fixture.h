/* SPDX-License-Identifier: MIT
 *
 * Scopes as logind has them made, for a user of this test's own: real cgroups, with real processes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool cgroup_fixture_works(void); /* root, and cgroups of the second version that can be written */
uint32_t cgroup_fixture_uid(void);
void cgroup_fixture_begin(void);
void cgroup_fixture_end(void); /* every process and every scope goes */

void cgroup_fixture_make(const char *scope);
void cgroup_fixture_remove(const char *scope);
pid_t cgroup_fixture_process(const char *scope);        /* NULL: outside */
void cgroup_fixture_move(const char *scope, pid_t pid); /* "": out of all scopes */
void cgroup_fixture_kill(pid_t pid);                    /* and waits until it is gone */
