/* SPDX-License-Identifier: MIT
 *
 * A session's scope as the kernel shows it: the cgroup user.slice/user-<uid>.slice/session-<name>.scope, which logind
 * had made for it and which nobody but root can move a process into or out of.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/session.h"

bool scope_name_is_valid(const char *name); /* logind's own: letters and digits, 1 to SESSION_SCOPE_SIZE-1 */
